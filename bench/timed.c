/* A clock for what the core in C calls by pointers, of which Python sees nothing: steps of environments in rollouts,
 * and exchanges between processes: train.py. */
#define _POSIX_C_SOURCE 199309L
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* cffi: begin */
typedef struct Timed {
    void (*step)(void *envs, const void *buffers, uint32_t first, uint32_t end, void *scratch);
    uint32_t (*exchange)(void *others, void *numbers, size_t count);
    void *whom;
    double seconds; /* that either has taken */
} Timed;
void bench_step(void *timed, const void *buffers, uint32_t first, uint32_t end, void *scratch);
uint32_t bench_exchange(void *timed, void *numbers, size_t count);
/* cffi: end */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void bench_step(void *timed, const void *buffers, uint32_t first, uint32_t end, void *scratch) {
    Timed *of = timed;
    double start = now();
    of->step(of->whom, buffers, first, end, scratch);
    of->seconds += now() - start;
}

uint32_t bench_exchange(void *timed, void *numbers, size_t count) {
    Timed *of = timed;
    double start = now();
    uint32_t done = of->exchange(of->whom, numbers, count);
    of->seconds += now() - start;
    return done;
}

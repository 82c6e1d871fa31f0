/* Steps of environments with a clock, for who cannot look into the core's rollouts: train.py. */
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <time.h>

/* cffi: begin */
typedef struct Timed {
    void (*step)(void *envs, const void *buffers, uint32_t first, uint32_t end, void *scratch);
    void *envs;
    double seconds; /* that the steps have taken */
} Timed;
void bench_step(void *timed, const void *buffers, uint32_t first, uint32_t end, void *scratch);
/* cffi: end */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void bench_step(void *timed, const void *buffers, uint32_t first, uint32_t end, void *scratch) {
    Timed *of = timed;
    double start = now();
    of->step(of->envs, buffers, first, end, scratch);
    of->seconds += now() - start;
}

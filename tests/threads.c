/* Eight threads step one policy (argv[1]), each in a session of its own; all must get the same. With a second argument
 * they share one session, which ThreadSanitizer must complain of. Meant for -fsanitize=thread. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, STEPS = 50, AGENTS = 9 };

static unsigned char file[1 << 22];
static const minnow_policy *policy;
static minnow_session *shared;
static uint64_t hash[THREADS];

static minnow_session *begin(void) {
    const size_t need = minnow_session_size(policy, AGENTS, MINNOW_SAMPLE);
    return minnow_session_init(policy, AGENTS, MINNOW_SAMPLE, 11, malloc(need), need, NULL);
}

static void *work(void *argument) {
    uint64_t *out = (uint64_t *)argument;
    const size_t inputs = (size_t)minnow_input(policy, 0)->size * AGENTS, need = minnow_selftest_size(policy);
    float *obs = (float *)malloc(4 * inputs);
    minnow_session *session = shared ? shared : begin();
    uint64_t sum = 0xcbf29ce484222325u;
    for (uint32_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < inputs; i++) {
            obs[i] = (float)((7 * step + 3 * i) % 11) * 0.25f - 1.0f;
        }
        if (minnow_step(session, obs, NULL) != MINNOW_OK) {
            abort();
        }
        if (step % 10 == 9) {
            minnow_reset(session, step % AGENTS);
        }
        const unsigned char *state = (const unsigned char *)minnow_state(session);
        for (size_t i = 0; i < minnow_state_size(session); i++) {
            sum = (sum ^ state[i]) * 0x100000001b3u;
        }
        for (uint32_t i = 0; i < AGENTS; i++) {
            sum = (sum ^ (uint32_t)minnow_action(session)[i]) * 0x100000001b3u;
        }
    }
    if (minnow_selftest(policy, malloc(need), need, NULL) != MINNOW_OK) {
        abort();
    }
    *out = sum;
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread[THREADS];
    FILE *stream = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!stream) {
        return 2;
    }
    const size_t length = fread(file, 1, sizeof file, stream), need = minnow_size(file, length, NULL);
    fclose(stream);
    policy = minnow_load(file, length, malloc(need), need, NULL);
    if (!policy) {
        return 3;
    }
    shared = argc > 2 ? begin() : NULL;
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, work, &hash[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    for (int i = 1; i < THREADS && !shared; i++) {
        if (hash[i] != hash[0]) {
            return 4;
        }
    }
    printf("%016llx\n", (unsigned long long)hash[0]);
    return 0;
}

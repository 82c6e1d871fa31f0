/* Runs policies (argv[2...]) on every instruction set that is here and prints for each the hash of its outputs, states,
 * probabilities and sampled actions: argv[1] steps of one agent, and a twentieth of them of 19 agents. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include <stdio.h>
#include <stdlib.h>

static uint32_t random_bits = 1;

static uint32_t next(void) { /* xorshift32 (Marsaglia, 2003) */
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 17;
    random_bits ^= random_bits << 5;
    return random_bits;
}

/* Folds words; one NaN is like another, for their bits alone may differ. */
static uint64_t fold(uint64_t hash, const void *data, size_t size) {
    for (size_t i = 0; i + 4 <= size; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + i, 4);
        word = (word & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : word;
        hash = (hash ^ word) * 0x100000001b3u;
    }
    return hash;
}

static void fill(uint8_t *p, size_t n, uint32_t dtype) {
    for (size_t i = 0; i < n; i++) {
        if (dtype == MINNOW_U8) {
            p[i] = (uint8_t)(next() & 7);
        } else if (dtype == MINNOW_I32) {
            const int32_t x = (int32_t)(next() & 7);
            memcpy(p + 4 * i, &x, 4);
        } else {
            const float x = (float)(next() >> 8) * 4.76837158203125e-7f - 4.0f;
            memcpy(p + 4 * i, &x, 4);
        }
    }
}

static uint64_t play(const minnow_policy *policy, uint32_t isa, uint32_t agents, uint32_t steps) {
    const uint32_t inputs = minnow_inputs(policy), flags = isa | MINNOW_SAMPLE;
    const minnow_action_spec *action = minnow_action_of(policy);
    const size_t need = minnow_session_size(policy, agents, flags);
    void *block = malloc(need), *at[256];
    minnow_session *session = minnow_session_init(policy, agents, flags, 5, block, need, NULL);
    uint64_t hash = 0xcbf29ce484222325u;
    if (!session || minnow_isa(session) != isa) {
        exit(3);
    }
    random_bits = 2463534242u;
    for (uint32_t i = 0; i < inputs; i++) {
        at[i] = malloc((size_t)4 * minnow_input(policy, i)->size * agents);
    }
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t i = 0; i < inputs; i++) {
            fill((uint8_t *)at[i], (size_t)minnow_input(policy, i)->size * agents, minnow_input(policy, i)->dtype);
        }
        const int32_t code = minnow_step_inputs(session, (const void *const *)at, NULL);
        if (code != MINNOW_OK && code != MINNOW_E_DOMAIN) { /* an index may be outside its table */
            exit(4);
        }
        for (uint32_t i = 0; i < minnow_outputs(policy); i++) {
            hash = fold(hash, minnow_result(session, i), (size_t)4 * minnow_output(policy, i)->size * agents);
        }
        if (action->choices) {
            hash = fold(hash, minnow_probabilities(session), (size_t)4 * action->choices * agents);
            hash = fold(hash, minnow_action(session), (size_t)4 * action->heads * agents);
        }
        if (action->kind == MINNOW_BOX) {
            hash = fold(hash, minnow_action_box(session), (size_t)4 * action->heads * agents);
        }
        hash = fold(hash, minnow_state(session), minnow_state_size(session));
        if (step % 50 == 49) {
            minnow_reset(session, step % agents);
        }
    }
    for (uint32_t i = 0; i < inputs; i++) {
        free(at[i]);
    }
    free(block);
    return hash;
}

int main(int argc, char **argv) {
    static uint8_t file[1 << 22];
    const uint32_t steps = (uint32_t)atoi(argv[1]);
    for (int i = 2; i < argc; i++) {
        FILE *stream = fopen(argv[i], "rb");
        if (!stream) {
            return 2;
        }
        const size_t length = fread(file, 1, sizeof file, stream), need = minnow_size(file, length, NULL);
        fclose(stream);
        void *block = malloc(need);
        const minnow_policy *policy = minnow_load(file, length, block, need, NULL);
        if (!policy) {
            return 1;
        }
        for (uint32_t isa = 1; isa; isa <<= 1) {
            if (minnow_isas() & isa) {
                uint64_t one = play(policy, isa, 1, steps), many = play(policy, isa, 19, 1 + steps / 20);
                printf("%s %s %08x%08x %08x%08x\n", argv[i], minnow_isa_name(isa), (unsigned)(one >> 32), (unsigned)one,
                       (unsigned)(many >> 32), (unsigned)many);
            }
        }
        free(block);
    }
    return 0;
}

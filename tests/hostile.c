/* Attacks minnow.h with what is made of a good file (standard input): every truncation, and `argv[1]` random changes
 * with the checksum repaired, so that they reach the checks behind it. Whatever loads is run. Meant for a build with
 * sanitizers: each file lies in memory of exactly its size. Prints how many were refused and how many ran. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;

static uint32_t next(uint32_t below) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static int attack(const uint8_t *bytes, size_t size) {
    minnow_error error;
    uint8_t *copy = (uint8_t *)malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    size_t need = minnow_size(copy, size, &error);
    int ran = 0;
    if (need && need < 1u << 26) {
        void *block = malloc(need);
        const minnow_policy *policy = minnow_load(copy, size, block, need, &error);
        size_t session_size = policy ? minnow_session_size(policy, 3, MINNOW_SAMPLE) : 0;
        size_t test_size = policy ? minnow_selftest_size(policy) : 0;
        if (session_size && session_size < 1u << 26 && test_size && test_size < 1u << 26) {
            void *memory = malloc(session_size), *test = malloc(test_size);
            minnow_session *session = minnow_session_init(policy, 3, MINNOW_SAMPLE, 1, memory, session_size, &error);
            const void *inputs[256];
            uint32_t count = minnow_inputs(policy);
            for (uint32_t i = 0; i < count; i++)
                inputs[i] = calloc((size_t)minnow_input(policy, i)->size * 3, 4);
            for (int step = 0; step < 2; step++)
                minnow_step_inputs(session, inputs, NULL);
            minnow_reset(session, 2);
            minnow_selftest(policy, test, test_size, NULL);
            for (uint32_t i = 0; i < count; i++)
                free((void *)(uintptr_t)inputs[i]);
            free(test);
            free(memory);
            ran = 1;
        }
        free(block);
    } else if (!need) {
        char text[64];
        minnow_describe(&error, text, sizeof text);
        if (error.code <= 0 || minnow_message(error.code)[0] == 0)
            abort();
    }
    free(copy);
    return ran;
}

int main(int argc, char **argv) {
    static uint8_t good[1 << 20], bad[1 << 20];
    size_t size = fread(good, 1, sizeof good, stdin);
    uint32_t ran = 0, rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    if (!attack(good, size))
        return 1;
    for (size_t cut = 0; cut < size; cut++)
        if (attack(good, cut))
            return 2;
    static const uint32_t numbers[] = {0, 1, 2, 3, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
    size_t data = (size_t)mnw_u64(good + 32 + 24 * MNW_DATA + 8);
    for (uint32_t i = 0; i < rounds; i++) {
        memcpy(bad, good, size);
        for (uint32_t changes = 1 + next(3); changes > 0; changes--) {
            size_t at = next(8) ? next((uint32_t)data) : next((uint32_t)size);
            if (next(2) && at + 4 < size) { /* a whole number, aligned */
                uint32_t number = next(3) ? numbers[next(11)] : mnw_u32(bad + (at & ~(size_t)3)) + next(9) - 4;
                for (int k = 0; k < 4; k++)
                    bad[(at & ~(size_t)3) + (size_t)k] = (uint8_t)(number >> 8 * k);
            } else {
                bad[at] ^= (uint8_t)(1u << next(8));
            }
        }
        uint32_t crc = mnw_crc(bad, size);
        for (int k = 0; k < 4; k++)
            bad[12 + k] = (uint8_t)(crc >> 8 * k);
        ran += (uint32_t)attack(bad, size);
    }
    printf("%u refused, %u ran\n", rounds - ran, ran);
    return 0;
}

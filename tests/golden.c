/* golden.c: plays one environment for many steps and hashes what happens; the same numbers are expected everywhere.
 * As a program: golden STEPS [POLICY], prints two hashes. In WebAssembly: golden_play is called by test_golden.py. */
#include "game.c"

static uint32_t golden_next(uint32_t *random) { /* xorshift32 (Marsaglia, 2003) */
    uint32_t x = *random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *random = x;
}

static uint64_t golden_fold(uint64_t hash, const void *data, size_t size) {
    const uint8_t *byte = (const uint8_t *)data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    }
    return hash;
}

static uint32_t golden_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void golden_hold(Game *game, const EnvSpec *spec, uint32_t slot, uint32_t *random) {
    GameInput held = {.tick = game_ticks(game), .kind = GAME_ACT, .slot = slot};
    for (int32_t head = 0; head < spec->heads; head++) {
        const EnvHead *h = &spec->head[head];
        const uint32_t bits = golden_next(random);
        const float low = h->low, high = h->high, share = (float)(bits >> 8) * (1.0f / 16777216.0f);
        held.values[head] = golden_bits(h->size > 0 ? (float)(bits % (uint32_t)h->size) : low + share * (high - low));
    }
    game_input(game, &held);
}

/* With a policy the first agents follow it, drawing their choices, and the rest are scripted; without, every slot acts
 * at random. out: hash of the states, hash of the actions, two words each; then episodes. */
void golden_play(Game *game, uint32_t policy, uint32_t steps, uint32_t out[5]) {
    const EnvSpec *spec = env_spec();
    uint32_t random = 2463534242u, agents = (uint32_t)spec->agents;
    uint64_t states = 0xcbf29ce484222325u, actions = states;
    const GameInput begin[] = {
        {0, GAME_START, 0, {12345, 6789}},
        {0, GAME_SAMPLE, 0, {1}},
        {0, GAME_SEAT, 0, {ENV_SLOTS, policy}},
        {0, GAME_DRIVE, 0, {policy ? agents : ENV_SLOTS, policy ? GAME_POLICY : GAME_PERSON}},
    };
    uint32_t taken = 1;
    for (uint32_t i = 0; i < sizeof begin / sizeof begin[0]; i++) {
        taken &= game_input(game, &begin[i]);
    }
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t slot = 0; slot < ENV_SLOTS && !policy; slot++) {
            golden_hold(game, spec, slot, &random);
        }
        for (int32_t tick = 0; tick < spec->action_repeat; tick++) {
            game_tick(game);
        }
        uint32_t hash[2];
        game_hash(game, hash);
        states = golden_fold(states, hash, sizeof hash);
        for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
            actions = golden_fold(actions, game_action(game, slot), ENV_HEADS * sizeof(env_action));
        }
    }
    out[0] = (uint32_t)states, out[1] = (uint32_t)(states >> 32);
    out[2] = (uint32_t)actions, out[3] = (uint32_t)(actions >> 32);
    out[4] = taken ? game_episodes(game) : 0; /* which the caller notices */
}

#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static uint8_t bytes[1 << 22];
    const minnow_policy *policy = NULL;
    void *block = NULL;
    uint32_t out[5];
    if (argc > 2) {
        GameError error;
        FILE *file = fopen(argv[2], "rb");
        if (!file) {
            return 2;
        }
        const uint32_t size = (uint32_t)fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        const uint32_t need = game_policy_size(bytes, size, &error);
        block = malloc(need);
        policy = game_load(bytes, size, block, need, &error);
        if (!policy) {
            fprintf(stderr, "refused: error %d\n", error.number);
            return 1;
        }
    }
    const uint32_t count = policy != NULL, need = game_size(&policy, count);
    void *memory = malloc(need);
    golden_play(game_open(&policy, count, memory, need), count, (uint32_t)atoi(argv[1]), out);
    printf("%08x%08x %08x%08x %u\n", out[1], out[0], out[3], out[2], out[4]);
    free(memory);
    free(block);
    return 0;
}
#endif

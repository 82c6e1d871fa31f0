/* rows.c: ROWS_GAMES Pongs with both players driven, for test_env_rows.py, natively and in WebAssembly. */
#include "pong/pong.c"
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#endif

enum { ROWS = 2 * ROWS_GAMES };

static _Alignas(64) char memory[12 << 20], scratch[1 << 16];
static float obs[ROWS][ENV_OBS], final_obs[ROWS][ENV_OBS], reward[ROWS], record[ROWS][ENV_RECORD];
static int32_t action[ROWS];
static uint8_t flags[4][ROWS];
static uint32_t out[8];

static uint32_t fold(const void *data, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

uint32_t *rows_play(uint32_t steps);
uint32_t *rows_play(uint32_t steps) {
    float param[ENV_PARAM_COUNT], low[ENV_PARAM_COUNT];
    const float skill[ENV_SLOTS] = {-1.0f, -1.0f};
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = low[i] = env_params[i].value;
    }
    param[P_points] = low[P_points] = 1.0f; /* games that end soon */
    EnvRowsConfig config = {.num_envs = ROWS_GAMES, .agents = 2, .action_repeat = 8, .seed = 5, .skill = skill};
    config.param = config.low = config.high = param;
    config.shaping = ENV_SHAPING_DISCOUNTED;
    config.gamma = 0.9f;
    EnvBuffers b = {.obs = {obs}, .final_obs = {final_obs}, .reward = reward, .record = record[0], .action = action};
    b.terminated = flags[0], b.truncated = flags[1], b.alive = flags[2], b.reset = flags[3];
    if (env_rows_size(&config) > sizeof memory || env_rows_scratch_size() > sizeof scratch) {
        return out;
    }
    EnvRows *rows = env_rows_init(memory, &config);
    env_rows_reset(rows, &b, 0, env_rows_blocks(rows), scratch);
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            action[i] = (int32_t)(env_threefry(1, 2, step, i).a % 3);
        }
        env_rows_step(rows, &b, 0, env_rows_blocks(rows), scratch);
        out[7] += fold(flags, sizeof flags);
    }
    uint32_t hash = 0;
    for (uint32_t i = 0; i < ROWS_GAMES; i++) {
        hash = hash * 31 + (uint32_t)env_hash(env_rows_block(rows, i), i % ENV_LANES);
    }
    out[0] = fold(reward, sizeof reward);
    out[1] = fold(flags, sizeof flags);
    out[2] = fold(obs, sizeof obs);
    out[3] = fold(final_obs, sizeof final_obs);
    out[4] = fold(record, sizeof record);
    out[5] = hash;
    out[6] = env_rows_blocks(rows) * ENV_LANES;
    return out;
}

#ifndef __wasm__
int main(int argc, char **argv) {
    const uint32_t *found = rows_play(argc > 1 ? (uint32_t)atoi(argv[1]) : 1);
    printf("[%u, %u, %u, %u, %u, %u, %u, %u]\n", found[0], found[1], found[2], found[3], found[4], found[5], found[6],
           found[7]);
    return 0;
}
#endif

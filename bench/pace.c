/* pace.c: steps of one environment (-DENV_SOURCE="path" -DENV_ROWS) for a clock outside, natively and in WebAssembly.
 * So many environments that they have PACE_AGENTS agents or a few more, all driven, by one thread, with random actions
 * drawn beforehand; observations, ends of lives and resets included. PACE_PARAMS: statements that set param[P_name];
 * PACE_RANDOMIZE: by what fraction parameters are drawn around these.
 */
#include ENV_SOURCE
#include <stdlib.h>

enum { PACE_ROUNDS = 64, PACE_ENVS = (PACE_AGENTS + ENV_SLOTS - 1) / ENV_SLOTS, PACE_ROWS = PACE_ENVS * ENV_SLOTS };

static env_action pace_action[PACE_ROUNDS][PACE_ROWS * ENV_HEADS];
static float pace_reward[PACE_ROWS], pace_record[PACE_ROWS * ENV_RECORD], pace_skill[ENV_SLOTS];
static uint8_t pace_flags[4][PACE_ROWS];
static EnvRows *pace_rows;
static void *pace_scratch;
static EnvBuffers pace_buffers; /* what a trainer without shaping passes: no potential, a mask where there is one */

/* Zeroed memory, aligned to 64 bytes, or NULL. */
static void *pace_room(size_t size) {
    void *made = aligned_alloc(64, env_align(size + 1));
    return made ? memset(made, 0, size) : NULL;
}

/* cffi: begin */
ENV_EXPORT uint32_t pace_start(void);
ENV_EXPORT void pace_run(uint32_t times);
ENV_EXPORT uint32_t pace_hash(void);
/* cffi: end */

/* Makes the environments and begins their episodes. Returns the agent-steps of one time of pace_run; 0: no memory. */
uint32_t pace_start(void) {
    float param[ENV_PARAM_COUNT], bound[ENV_PARAM_COUNT];
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = env_params[i].value;
        bound[i] = env_from_bits(0x7fc00000u); /* not a number: as randomize says */
    }
    PACE_PARAMS
    EnvRowsConfig config = {.num_envs = PACE_ENVS, .agents = ENV_SLOTS, .skill = pace_skill};
    config.randomize = PACE_RANDOMIZE;
    config.action_repeat = (uint32_t)env.spec.action_repeat;
    config.param = param, config.low = config.high = bound;
    for (uint32_t round = 0; round < PACE_ROUNDS; round++) {
        for (uint32_t i = 0; i < PACE_ROWS * ENV_HEADS; i++) {
            const EnvHead *head = &env.spec.head[i % ENV_HEADS];
            float u = env_unit(env_threefry(1, 2, round, i).a);
            pace_action[round][i] =
                (env_action)(head->size ? u * (float)head->size : head->low + u * (head->high - head->low));
        }
    }
    EnvBuffers *b = &pace_buffers;
    b->reward = pace_reward, b->record = pace_record;
    b->terminated = pace_flags[0], b->truncated = pace_flags[1], b->alive = pace_flags[2], b->reset = pace_flags[3];
    int missing = 0;
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        b->obs[g] = pace_room(PACE_ROWS * env_group_bytes(g));
        b->final_obs[g] = pace_room(PACE_ROWS * env_group_bytes(g));
        missing |= !b->obs[g] || !b->final_obs[g];
    }
    b->mask = env.mask ? pace_room(PACE_ROWS * (size_t)env_choices()) : NULL;
    pace_scratch = pace_room(env_rows_scratch_size());
    void *memory = pace_room(env_rows_size(&config));
    if (missing || !memory || !pace_scratch || (env.mask && !b->mask)) {
        return 0;
    }
    pace_rows = env_rows_init(memory, &config);
    env_rows_reset(pace_rows, b, 0, env_rows_blocks(pace_rows), pace_scratch);
    return PACE_ROUNDS * PACE_ROWS;
}

void pace_run(uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        for (int round = 0; round < PACE_ROUNDS; round++) {
            pace_buffers.action = pace_action[round];
            env_rows_step(pace_rows, &pace_buffers, 0, env_rows_blocks(pace_rows), pace_scratch);
        }
    }
}

/* The hash of all states, by which builds are held against each other. */
uint32_t pace_hash(void) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < PACE_ENVS; i++) {
        hash = hash * 31 + env_hash(env_rows_block(pace_rows, i), i % ENV_LANES);
    }
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        for (size_t i = 0; i < PACE_ROWS * env_group_bytes(g); i++) {
            hash = (hash ^ ((const uint8_t *)pace_buffers.obs[g])[i]) * 0x100000001b3u;
        }
    }
    return (uint32_t)(hash ^ hash >> 32);
}

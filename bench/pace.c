/* pace.c: steps of one environment (-DENV_SOURCE="path" -DENV_VECTOR) for a clock outside, natively and in WebAssembly.
 * So many environments that they have PACE_AGENTS agents or a few more, all driven, by one thread, with random actions
 * drawn beforehand; observations, ends of episodes and resets included.
 */
#include ENV_SOURCE

enum { PACE_ROUNDS = 64, PACE_ENVS = (PACE_AGENTS + ENV_SLOTS - 1) / ENV_SLOTS, PACE_ROWS = PACE_ENVS * ENV_SLOTS };

static env_obs pace_obs[PACE_ROWS * ENV_OBS], pace_final_obs[PACE_ROWS * ENV_OBS];
static env_action pace_action[PACE_ROUNDS][PACE_ROWS * ENV_HEADS];
static float pace_reward[PACE_ROWS], pace_episode[PACE_ROWS * 4];
static uint8_t pace_mask[PACE_ROWS * ENV_MOST_CHOICES], pace_flags[3][PACE_ROWS];
static EnvVector *pace_vector;
static const EnvBuffers pace_buffers = {.obs = pace_obs,
                                        .reward = pace_reward,
                                        .terminated = pace_flags[0],
                                        .truncated = pace_flags[1],
                                        .alive = pace_flags[2],
                                        .final_obs = pace_final_obs,
                                        .episode = pace_episode};

static EnvBuffers pace_round(int round) {
    EnvBuffers b = pace_buffers; /* what a trainer without shaping passes: no potential, a mask where there is one */
    b.action = pace_action[round];
    b.mask = env.mask ? pace_mask : NULL;
    return b;
}

/* cffi: begin */
ENV_EXPORT uint32_t pace_start(void);
ENV_EXPORT void pace_run(uint32_t times);
ENV_EXPORT uint32_t pace_hash(void);
/* cffi: end */

/* Makes the environments and begins their episodes. Returns the agent-steps of one time of pace_run; 0: no memory. */
uint32_t pace_start(void) {
    float param[ENV_PARAM_COUNT], skill[ENV_SLOTS] = {0.0f};
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = env_params[i].value;
    }
    EnvVectorConfig config = {.num_envs = PACE_ENVS, .agents = ENV_SLOTS, .threads = 1, .skill = skill};
    config.action_repeat = (uint32_t)env.spec.action_repeat;
    config.param = config.low = config.high = param;
    for (uint32_t round = 0; round < PACE_ROUNDS; round++) {
        for (uint32_t i = 0; i < PACE_ROWS * ENV_HEADS; i++) {
            const EnvHead *head = &env.spec.head[i % ENV_HEADS];
            float u = env_unit(env_threefry(1, 2, round, i).a);
            pace_action[round][i] =
                (env_action)(head->size ? u * (float)head->size : head->low + u * (head->high - head->low));
        }
    }
    env_vector_free(pace_vector);
    pace_vector = env_vector_new(&config);
    EnvBuffers first = pace_round(0);
    if (pace_vector) {
        env_vector_reset(pace_vector, &first);
    }
    return pace_vector ? PACE_ROUNDS * PACE_ROWS : 0;
}

void pace_run(uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        for (int round = 0; round < PACE_ROUNDS; round++) {
            EnvBuffers b = pace_round(round);
            env_vector_step(pace_vector, &b);
        }
    }
}

/* The hash of all states, by which builds are held against each other. */
uint32_t pace_hash(void) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < PACE_ENVS; i++) {
        hash = hash * 31 + env_hash(env_vector_group(pace_vector, i), i % ENV_LANES);
    }
    for (size_t i = 0; i < sizeof pace_obs; i++) {
        hash = (hash ^ ((const uint8_t *)pace_obs)[i]) * 0x100000001b3u;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

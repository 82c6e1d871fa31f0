/* driver.c: what `minnow check` asks of one environment (-DENV_SOURCE="path") without Python, so that any compiler,
 * sanitizer and machine can answer.
 *   golden STEPS   random actions in a few environments; prints one hash of every state on the way
 *   storm STEPS    so many agent-steps of random actions, events, scripts, saves and pictures in all lanes; fails
 * beyond ranges vector STEPS   many environments by one thread and by four; fails where they part (built with
 * ENV_VECTOR) padding        fails if State has bytes between its members (gcc only) In WebAssembly, which has no
 * output, driver_golden alone is exported.
 */
#include ENV_SOURCE
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#endif

static _Alignas(64) State group;
static env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES];
static float reward[ENV_SLOTS][ENV_LANES];
static int32_t terminated[ENV_LANES], truncated[ENV_LANES];

static void random_actions(uint32_t seed, uint32_t step, uint32_t lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        for (int h = 0; h < ENV_HEADS; h++) {
            const EnvHead *head = &env.spec.head[h];
            float u = env_unit(env_threefry(seed, lane, step, (uint32_t)(slot * ENV_HEADS + h)).a);
            action[slot][h][lane] =
                (env_action)(head->size ? u * (float)head->size : head->low + u * (head->high - head->low));
        }
    }
}

static void tick(void) {
    env_tick(&group, action, reward[0], terminated, truncated);
}

/* 0 if equal lanes part. */
uint64_t driver_golden(uint32_t steps);
uint64_t driver_golden(uint32_t steps) {
    uint64_t hash = 0;
    for (uint32_t index = 0; index < 4; index++) {
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            env_init(&group, l, 7, 0, index, NULL, index < 2 ? 0.0f : 0.3f);
            env_reset(&group, l);
        }
        for (uint32_t step = 0; step < steps; step++) {
            random_actions(99 + index, step, 0);
            if (env.script && step % 3 == 0) { /* the script has a say, too */
                env_action played[ENV_HEADS];
                env_script(&group, 0, 0, env_unit(step * 2654435761u), played);
                for (int h = 0; h < ENV_HEADS; h++) {
                    action[0][h][0] = played[h];
                }
            }
            for (int slot = 0; slot < ENV_SLOTS; slot++) {
                for (int h = 0; h < ENV_HEADS; h++) {
                    for (int l = 1; l < ENV_LANES; l++) {
                        action[slot][h][l] = action[slot][h][0];
                    }
                }
            }
            for (int32_t t = 0; t < env.spec.action_repeat && !terminated[0] && !truncated[0]; t++) {
                tick();
                if (step % (1 + ENV_SAVED / 2048) ==
                    0) { /* what parts stays parted: large states are hashed less often */
                    hash = (hash ^ env_hash(&group, 0)) * 0x100000001b3u;
                }
            }
            for (uint32_t l = 0; l < ENV_LANES; l++) {
                if (terminated[l] || truncated[l]) {
                    terminated[l] = truncated[l] = 0;
                    env_reset(&group, l);
                }
            }
        }
        for (uint32_t l = 1; l < ENV_LANES; l++) {
            if (env_hash(&group, l) != env_hash(&group, 0)) {
                return 0;
            }
        }
    }
    return hash;
}

#ifndef __wasm__
static int fail(const char *advice, const char *what, double value) {
    fprintf(stderr, "%s: %s is %.9g\n", advice, what, value);
    exit(1);
}

/* What a player sees must be finite, within the declared ranges unless everything is turned (inside = 0), and leave it
 * something to do. */
static void see(uint32_t lane, int inside) {
    static env_obs obs[ENV_OBS + 1];
    static uint8_t mask[1024];
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        obs[ENV_OBS] = (env_obs)77;
        env_observe(&group, lane, slot, obs);
        env_mask(&group, lane, slot, mask);
        if (obs[ENV_OBS] != (env_obs)77) {
            fail("observe() writes more than ENV_OBS numbers", "the one after the last", (double)obs[ENV_OBS]);
        }
        for (int i = 0; i < ENV_OBS; i++) {
            const EnvField *field = &env.spec.fields[i / (ENV_OBS / env.spec.obs_shape[0])];
            double value = (double)obs[i];
            if (!(value > -1e6 && value < 1e6)) {
                fail("observe() writes a number that is not finite", field->name, value);
            }
            if (inside && !(value >= (double)field->low && value <= (double)field->high)) {
                fail("observe() leaves the range that `fields` declares: clamp it, or widen the range", field->name,
                     value);
            }
        }
        const uint8_t *choice = mask;
        for (int h = 0; h < ENV_HEADS && env_alive(&group, lane, slot); h++) {
            int possible = env.spec.head[h].size == 0;
            for (int32_t i = 0; i < env.spec.head[h].size; i++) {
                possible |= *choice++;
            }
            if (!possible) {
                fail("mask() forbids every choice of a head of a living slot: allow one", env.spec.head[h].name, 0);
            }
        }
        if (!(env_score(&group, lane, slot) > -1e6f) || !(env_potential(&group, lane, slot) > -1e6f)) {
            fail("score() or potential() is not finite: guard its divisions", env.spec.score_name,
                 (double)env_score(&group, lane, slot));
        }
        if (inside && (env_score(&group, lane, slot) < env.spec.score_low ||
                       env_score(&group, lane, slot) > env.spec.score_high)) {
            fail("score() leaves score_low to score_high: widen them", env.spec.score_name,
                 (double)env_score(&group, lane, slot));
        }
    }
}

enum { DRIVER_ROOM = 1024 }; /* shapes in a page's list */

static void storm(uint32_t steps, int wild) {
    static EnvShape list[DRIVER_ROOM];
    static uint8_t saved[ENV_SAVED];
    for (uint32_t l = 0; l < ENV_LANES; l++) {
        env_init(&group, l, 3, 1, l, NULL, wild ? 1.0f : 0.0f);
        env_reset(&group, l);
    }
    for (uint32_t step = 0; step * ENV_LANES * ENV_SLOTS < steps; step++) {
        EnvBits luck = env_threefry(5, 6, step, 0);
        uint32_t lane = luck.a % ENV_LANES;
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            random_actions(11, step, l);
            see(l, !wild);
        }
        if (wild && luck.b % 4 == 0) {
            float f[4];
            for (uint32_t i = 0; i < 4; i++) {
                f[i] = 8.0f * env_unit(env_threefry(8, i, step, 0).a) - 4.0f;
            }
            EnvEvent event = {(int32_t)(luck.b >> 8) % 20,
                              (int32_t)(luck.b >> 16) % (ENV_PARAM_COUNT + 1),
                              f[0],
                              f[1],
                              f[2],
                              luck.a % 50 ? f[3] : 0.0f / (f[3] - f[3])};
            env_event(&group, lane, &event);
        }
        if (env.script && luck.a % 8 == 0) {
            env_action played[ENV_HEADS];
            env_script(&group, lane, luck.b % ENV_SLOTS, env_unit(luck.b), played);
        }
        if (luck.a % 64 == 0) {
            EnvView view = {0, 0, 1.5f};
            uint32_t wanted = env_draw(&group, lane, &view, list, DRIVER_ROOM);
            if (wanted > DRIVER_ROOM) {
                fail("draw() writes more shapes than a page's list holds (1024): join them", "their number", wanted);
            }
            if (env_draw(&group, lane, &view, list, 3) != wanted) {
                fail("draw() does not count the shapes that its list has no room for", "their number", wanted);
            }
            for (uint32_t i = 0; i < wanted; i++) {
                for (int k = 0; k < 12; k++) {
                    if (!(list[i].f[k] > -1e6f && list[i].f[k] < 1e6f)) {
                        fail("draw() writes a shape that is not finite", "a number of it", (double)list[i].f[k]);
                    }
                }
            }
        }
        uint64_t before = env_hash(&group, lane);
        env_save(&group, lane, saved);
        for (int32_t t = 0; t < env.spec.action_repeat; t++) {
            tick();
        }
        if (luck.a % 16 == 0) {
            env_load(&group, lane, saved);
            if (env_hash(&group, lane) != before) {
                fail("a state that was saved and loaded differs", "the step", step);
            }
        }
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            if (terminated[l] || truncated[l]) {
                env_reset(&group, l);
            }
            terminated[l] = truncated[l] = 0;
        }
    }
}

#ifdef ENV_VECTOR
enum { DRIVER_ENVS = ENV_SLOTS > 4 ? 9 : 45, DRIVER_ROWS = DRIVER_ENVS * ENV_SLOTS };
static env_obs obs[DRIVER_ROWS * ENV_OBS], final_obs[DRIVER_ROWS * ENV_OBS];
static env_action acts[DRIVER_ROWS * ENV_HEADS];
static float numbers[6][DRIVER_ROWS];
static uint8_t flags[3][DRIVER_ROWS], masks[DRIVER_ROWS * 64];

/* The hash of all environments after so many random steps. */
static uint64_t play(uint32_t threads, uint32_t steps) {
    float param[ENV_PARAM_COUNT], low[ENV_PARAM_COUNT], skill[ENV_SLOTS] = {0.0f};
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = low[i] = env_params[i].value;
    }
    EnvVectorConfig config = {.num_envs = DRIVER_ENVS, .agents = ENV_SLOTS, .threads = threads, .skill = skill};
    config.action_repeat = (uint32_t)env.spec.action_repeat;
    config.param = config.high = param;
    config.low = low;
    config.shaping = ENV_SHAPING_DISCOUNTED;
    config.gamma = 0.9f;
    EnvBuffers b = {obs, acts, masks, numbers[0], numbers[1], flags[0], flags[1], flags[2], final_obs, numbers[2]};
    EnvVector *v = env_vector_new(&config);
    env_vector_reset(v, &b);
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t i = 0; i < DRIVER_ROWS * ENV_HEADS; i++) {
            acts[i] = (env_action)(env_threefry(1, 2, step, i).a % 5);
        }
        env_vector_step(v, &b);
    }
    uint64_t hash = 0;
    for (uint32_t i = 0; i < DRIVER_ENVS; i++) {
        hash = hash * 31 + env_hash(env_vector_group(v, i), i % ENV_LANES);
    }
    env_vector_free(v);
    return hash;
}
#endif

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    uint32_t steps = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000;
    if (env_same(mode, "golden")) {
        uint64_t hash = driver_golden(steps);
        if (!hash) {
            fail("equal lanes part: a loop over lanes reads a neighbour", "lanes", ENV_LANES);
        }
        printf("%016llx\n", (unsigned long long)hash);
    } else if (env_same(mode, "storm")) {
        storm(steps, 0);
        storm(steps, 1);
#ifdef ENV_VECTOR
    } else if (env_same(mode, "vector")) {
        if (play(1, steps) != play(4, steps)) {
            fail("threads change the result: something outside State is written", "steps", steps);
        }
#endif
#if defined(__GNUC__) && !defined(__clang__)
    } else if (env_same(mode, "padding")) {
        memset(&group, 0xff, sizeof group);
        __builtin_clear_padding(&group);
        for (size_t i = 0; i < sizeof group; i++) {
            if (((uint8_t *)&group)[i] != 0xff) {
                fail("State has bytes between its members: order them by size, or fill the gap with a member",
                     "the first one", (double)i);
            }
        }
#endif
    } else {
        fail("unknown mode", mode, argc);
    }
    return 0;
}
#endif

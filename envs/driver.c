/* driver.c: what `minnow check` asks of one environment (-DENV_SOURCE="path") without Python, so that any compiler,
 * sanitizer and machine can answer.
 *   golden STEPS   random actions in a few environments; prints one hash of every state on the way
 *   storm STEPS    so many agent-steps of random actions, events, scripts, saves and pictures in all lanes; fails
 *                  beyond ranges
 *   vector STEPS   many environments by one thread and by four; fails where they part (built with ENV_POOL)
 *   padding        fails if State has bytes between its members (gcc only)
 * In WebAssembly, which has no output, driver_golden alone is exported.
 */
#include ENV_SOURCE
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#endif

#ifdef __wasm__
enum { DRIVER_ROOM = 1 << 16, DRIVER_SCRATCH = ENV_ACTIONS_SIZE + DRIVER_ROOM };
#else
enum {
    DRIVER_ROOM = 1 << 20,
    DRIVER_SCRATCH = ENV_ACTIONS_SIZE + ENV_LANES * DRIVER_ROOM
}; /* bytes, more than any
      group or mask has */
#endif

enum { DRIVER_CROWD = (ENV_SLOTS + 63) / 64 }; /* of many slots fewer steps are taken */

static _Alignas(64) State block;
static env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES];
static float reward[ENV_SLOTS][ENV_LANES];
static int32_t terminated[ENV_LANES], truncated[ENV_LANES];
static uint8_t left[ENV_SLOTS][ENV_LANES];
static _Alignas(64) char scratch[DRIVER_SCRATCH];

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

/* An environment that nobody lives in, nor will, has terminated. */
static void tick(void) {
    env_tick(&block, action, reward[0], terminated, truncated, left[0], scratch);
    for (uint32_t l = 0; l < ENV_LANES; l++) {
        if (!terminated[l] && !truncated[l]) {
            env_spawn(&block, l);
            terminated[l] = !env_goes_on(&block, l);
        }
    }
}

/* 0 if equal lanes part. */
uint64_t driver_golden(uint32_t steps);
uint64_t driver_golden(uint32_t steps) {
    uint64_t hash = 0;
    for (uint32_t index = 0; index < 4; index++) {
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            env_init(&block, l, 7, 0, index, NULL, index < 2 ? 0.0f : 0.3f);
            env_reset(&block, l);
        }
        for (uint32_t step = 0; step * DRIVER_CROWD < steps; step++) {
            random_actions(99 + index, step, 0);
            if (env.script && step % 3 == 0) { /* the script has a say, too */
                env_action played[ENV_HEADS];
                env_script(&block, 0, 0, env_unit(step * 2654435761u), played);
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
                    hash = (hash ^ env_hash(&block, 0)) * 0x100000001b3u;
                }
            }
            for (uint32_t l = 0; l < ENV_LANES; l++) {
                if (terminated[l] || truncated[l]) {
                    terminated[l] = truncated[l] = 0;
                    env_reset(&block, l);
                }
            }
        }
        for (uint32_t l = 1; l < ENV_LANES; l++) {
            if (env_hash(&block, l) != env_hash(&block, 0)) {
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

/* A group's numbers must be finite, and within the declared ranges unless everything is turned (inside = 0). */
static void see_group(uint32_t lane, uint32_t slot, uint32_t g, int inside) {
    static _Alignas(64) uint8_t obs[DRIVER_ROOM];
    const EnvGroup *group = &env.spec.group[g];
    const uint32_t size = env_obs_size(g), real = group->type == ENV_F32, bytes = size * (real ? 4 : 1);
    memset(obs, 77, bytes + 4);
    env_observe(&block, lane, slot, g, obs, scratch);
    for (int i = 0; i < 4; i++) {
        if (obs[bytes + (uint32_t)i] != 77) {
            fail("observe() writes more numbers than its group has", group->name, size);
        }
    }
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t each = group->kind == ENV_SET ? 1 : size / (uint32_t)group->shape[0];
        const uint32_t fields = (uint32_t)group->shape[group->kind == ENV_SET];
        const EnvField present = {group->name, 0.0f, 1.0f};
        const EnvField *field = group->fields ? &group->fields[i / each % fields] : &present;
        float number;
        memcpy(&number, obs + 4 * (real ? i : 0), 4);
        double value = real ? (double)number : obs[i];
        if (!(value > -1e6 && value < 1e6)) {
            fail("observe() writes a number that is not finite", field->name, value);
        }
        if (inside && !(value >= (double)field->low && value <= (double)field->high)) {
            fail("observe() leaves the range that `fields` declares: clamp it, or widen the range", field->name, value);
        }
    }
}

/* What a player sees must leave it something to do. */
static void see(uint32_t lane, int inside) {
    static uint8_t mask[DRIVER_ROOM];
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        for (uint32_t g = 0; g < ENV_GROUPS; g++) {
            see_group(lane, slot, g, inside);
        }
        env_mask(&block, lane, slot, mask);
        const uint8_t *choice = mask;
        for (int h = 0; h < ENV_HEADS && env_alive(&block, lane, slot); h++) {
            int possible = env.spec.head[h].size == 0;
            for (int32_t i = 0; i < env.spec.head[h].size; i++) {
                possible |= *choice++;
            }
            if (!possible) {
                fail("mask() forbids every choice of a head of a living slot: allow one", env.spec.head[h].name, 0);
            }
        }
        if (!(env_score(&block, lane, slot) > -1e6f) || !(env_potential(&block, lane, slot) > -1e6f)) {
            fail("score() or potential() is not finite: guard its divisions", env.spec.score_name,
                 (double)env_score(&block, lane, slot));
        }
        if (inside && (env_score(&block, lane, slot) < env.spec.score_low ||
                       env_score(&block, lane, slot) > env.spec.score_high)) {
            fail("score() leaves score_low to score_high: widen them", env.spec.score_name,
                 (double)env_score(&block, lane, slot));
        }
    }
}

static void storm(uint32_t steps, int wild) {
    static EnvShape list[ENV_SHAPES];
    static uint8_t saved[ENV_SAVED];
    for (uint32_t l = 0; l < ENV_LANES; l++) {
        env_init(&block, l, 3, 1, l, NULL, wild ? 1.0f : 0.0f);
        env_reset(&block, l);
    }
    for (uint32_t step = 0; step * ENV_LANES * ENV_SLOTS < steps; step++) {
        EnvBits luck = env_threefry(5, 6, step, 0);
        uint32_t lane = luck.a % ENV_LANES;
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            random_actions(11, step, l);
            see(l, !wild);
        }
        if (wild && luck.b % 4 == 0) {
            float f[7];
            for (uint32_t i = 0; i < 7; i++) {
                f[i] = 8.0f * env_unit(env_threefry(8, i, step, 0).a) - 4.0f;
            }
            EnvEvent event = {.kind = (int32_t)(luck.b >> 8) % 20,
                              .slot = (int32_t)(luck.b >> 16) % (ENV_PARAM_COUNT + 1),
                              .target = (int32_t)(luck.a >> 8) % 4,
                              .at = {f[0], f[1], f[2]},
                              .way = {f[4], f[5], f[6]},
                              .value = luck.a % 50 ? f[3] : 0.0f / (f[3] - f[3])};
            env_event(&block, lane, &event);
        }
        if (env.script && luck.a % 8 == 0) {
            env_action played[ENV_HEADS];
            env_script(&block, lane, luck.b % ENV_SLOTS, env_unit(luck.b), played);
        }
        if (luck.a % 64 == 0) {
            EnvView view = {0, 0, 1.5f};
            uint32_t wanted = env_draw(&block, lane, &view, list, ENV_SHAPES);
            if (wanted > ENV_SHAPES) {
                fail("draw() writes more shapes than ENV_SHAPES declares: declare more, or join them", "their number",
                     wanted);
            }
            if (env_draw(&block, lane, &view, list, 3) != wanted) {
                fail("draw() does not count the shapes that its list has no room for", "their number", wanted);
            }
            for (uint32_t i = 0; i < wanted; i++) {
                if (list[i].kind == ENV_TEXT && !memchr(list[i].text, 0, sizeof list[i].text)) {
                    fail("draw() writes a text of more than 15 bytes: shorten it, or split it", "its shape", i);
                }
                for (int k = 0; k < 12; k++) {
                    if (!(list[i].f[k] > -1e6f && list[i].f[k] < 1e6f)) {
                        fail("draw() writes a shape that is not finite", "a number of it", (double)list[i].f[k]);
                    }
                }
            }
        }
        uint64_t before = env_hash(&block, lane);
        env_save(&block, lane, saved);
        for (int32_t t = 0; t < env.spec.action_repeat; t++) {
            tick();
        }
        if (luck.a % 16 == 0) {
            env_load(&block, lane, saved);
            if (env_hash(&block, lane) != before) {
                fail("a state that was saved and loaded differs", "the step", step);
            }
        }
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            if (terminated[l] || truncated[l]) {
                env_reset(&block, l);
            }
            terminated[l] = truncated[l] = 0;
        }
    }
}

/* Corners of the parameters' box: all at their lowest, all at their highest, each alone at either end, and some drawn
 * at random. At each of them a game is played for a while, its pictures no longer than declared. */
static void corners(void) {
    enum { ALONE = 2 + 2 * ENV_PARAM_COUNT, CORNERS = ALONE + 8 };
    for (uint32_t corner = 0; corner < CORNERS; corner++) {
        float param[ENV_PARAM_COUNT];
        for (uint32_t i = 0; i < ENV_PARAM_COUNT; i++) {
            int high = corner < ALONE ? (int)(corner & 1) : (int)(env_threefry(3, 4, corner, i).a & 1);
            int turned = corner < 2 || corner >= ALONE || (corner - 2) / 2 == i;
            param[i] = !turned ? env_params[i].value : high ? env_params[i].high : env_params[i].low;
        }
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            env_init(&block, l, corner, 1, l, param, 0.0f);
            env_reset(&block, l);
        }
        for (uint32_t step = 0; step * DRIVER_CROWD < 60; step++) {
            EnvView view = {0, 0, 1.5f};
            uint32_t wanted = env_draw(&block, 0, &view, NULL, 0);
            if (wanted > ENV_SHAPES) {
                fail("draw() writes more shapes than ENV_SHAPES declares, with parameters at their ends: declare more",
                     "their number", wanted);
            }
            for (uint32_t l = 0; l < ENV_LANES; l++) {
                random_actions(12, step, l);
            }
            tick();
            for (uint32_t l = 0; l < ENV_LANES; l++) {
                if (terminated[l] || truncated[l]) {
                    env_reset(&block, l);
                }
                terminated[l] = truncated[l] = 0;
            }
        }
    }
}

#ifdef ENV_POOL
enum { DRIVER_ENVS = ENV_SLOTS > 128 ? 3 : ENV_SLOTS > 4 ? 9 : 45, DRIVER_ROWS = DRIVER_ENVS * ENV_SLOTS };
static env_action acts[DRIVER_ROWS * ENV_HEADS];
static float numbers[3][DRIVER_ROWS], record[DRIVER_ROWS * ENV_RECORD];
static uint8_t flags[4][DRIVER_ROWS];

/* The hash of all environments after so many random steps. */
static uint64_t play(uint32_t threads, uint32_t steps) {
    static float skill[ENV_SLOTS];
    float param[ENV_PARAM_COUNT], low[ENV_PARAM_COUNT];
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = low[i] = env_params[i].value;
    }
    EnvRowsConfig config = {.num_envs = DRIVER_ENVS, .agents = ENV_SLOTS, .skill = skill};
    config.action_repeat = (uint32_t)env.spec.action_repeat;
    config.param = config.high = param;
    config.low = low;
    config.shaping = ENV_SHAPING_DISCOUNTED;
    config.gamma = 0.9f;
    EnvBuffers b = {.action = acts, .reward = numbers[0], .potential = numbers[1], .record = record};
    b.terminated = flags[0], b.truncated = flags[1], b.alive = flags[2], b.reset = flags[3];
    b.mask = malloc(DRIVER_ROWS * (size_t)env_choices() + 1);
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        b.obs[g] = malloc(DRIVER_ROWS * env_group_bytes(g));
        b.final_obs[g] = malloc(DRIVER_ROWS * env_group_bytes(g));
    }
    EnvPool *pool = env_pool_new(&config, threads);
    env_pool_reset(pool, &b);
    for (uint32_t step = 0; step * DRIVER_CROWD < steps; step++) {
        for (uint32_t i = 0; i < DRIVER_ROWS * ENV_HEADS; i++) {
            acts[i] = (env_action)(env_threefry(1, 2, step, i).a % 5);
        }
        env_pool_step(pool, &b);
    }
    uint64_t hash = 0;
    for (uint32_t i = 0; i < DRIVER_ENVS; i++) {
        hash = hash * 31 + env_hash(env_rows_block(env_pool_rows(pool), i), i % ENV_LANES);
    }
    env_pool_free(pool);
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        free(b.obs[g]);
        free(b.final_obs[g]);
    }
    free(b.mask);
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
        corners();
#ifdef ENV_POOL
    } else if (env_same(mode, "vector")) {
        if (play(1, steps) != play(4, steps)) {
            fail("threads change the result: something outside State is written", "steps", steps);
        }
#endif
#if defined(__GNUC__) && !defined(__clang__)
    } else if (env_same(mode, "padding")) {
        memset(&block, 0xff, sizeof block);
        __builtin_clear_padding(&block);
        for (size_t i = 0; i < sizeof block; i++) {
            if (((uint8_t *)&block)[i] != 0xff) {
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

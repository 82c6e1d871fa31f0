/* core.h: the last line of an environment's C file. It makes the ABI of abi.h out of State and `env`: random streams,
 * parameters and their draws, saving one lane, hashing. With ENV_ROWS defined it adds rows.h, with ENV_POOL pool.h
 * (native only). */
#ifndef MINNOW_ENV_CORE_H
#define MINNOW_ENV_CORE_H
#include "env.h"
#include <string.h>

#if defined(_WIN32)
#define ENV_EXPORT __declspec(dllexport)
#else
#define ENV_EXPORT __attribute__((visibility("default")))
#endif

/* What runs faster apart from its callers, in which compilers would run out of registers. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define ENV_APART __attribute__((noinline))
#else
#define ENV_APART
#endif

/* A saved environment is its lane's words in the order of State's members: what a State of one lane would hold. */
enum { ENV_SAVED = sizeof(State) / ENV_LANES, ENV_WORDS = ENV_SAVED / 4 };
_Static_assert(sizeof(State) % (4 * ENV_LANES) == 0, "with lanes every member of State is an array of 32-bit numbers");
_Static_assert(sizeof(EnvShape) == 80 && sizeof(EnvEvent) == 40, "the layouts that players rely on");

static int env_choice_count(void) {
    int count = 0;
    for (int h = 0; h < ENV_HEADS; h++) {
        count += env.spec.head[h].size;
    }
    return count;
}

/* Numbers of one slot's part of a group. */
static inline uint32_t env_group_numbers(uint32_t group) {
    uint32_t numbers = 1;
    for (int i = 0; i < 3 && env.spec.group[group].shape[i] > 0; i++) {
        numbers *= (uint32_t)env.spec.group[group].shape[i];
    }
    return numbers;
}

/* Their bytes. */
static inline size_t env_group_bytes(uint32_t group) {
    return (size_t)env_group_numbers(group) * (env.spec.group[group].type == ENV_F32 ? sizeof(float) : 1);
}

static inline size_t env_align(size_t size) {
    return (size + 63) / 64 * 64;
}

/* Scratch is either a tick's: actions as step() takes them, [slots][heads][lanes], and a mask; or an observation's: a
 * group as all lanes see it. */
enum { ENV_ACTIONS_SIZE = ENV_SLOTS * ENV_HEADS * ENV_LANES * 4 };

static size_t env_room(void) {
    size_t most = ENV_ACTIONS_SIZE + (size_t)env_choice_count();
    for (uint32_t g = 0; ENV_LANES > 1 && g < ENV_GROUPS; g++) {
        size_t seen = ENV_LANES * env_group_bytes(g);
        most = seen > most ? seen : most;
    }
    return env_align(most);
}

static int env_same(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++, b++;
    }
    return *a == *b;
}

/* The parameter that is the script's skill, or -1. */
static int env_skill_index(void) {
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        if (env_same(env_params[i].name, "skill")) {
            return i;
        }
    }
    return -1;
}

/* Makes what a caller sends a possible action: unknown choices become the idle one, NaN the lower bound. */
static inline env_action env_possible(env_action action, int head) {
#ifdef ENV_CONTINUOUS
    return env_clamp(action, env.spec.head[head].low, env.spec.head[head].high);
#else
    return (uint32_t)action < (uint32_t)env.spec.head[head].size ? action : env.spec.idle[head];
#endif
}

static void env_spread(EnvBase *base, uint32_t lane, int i) {
    const EnvParam *param = &env_params[i];
    float nominal = base->nominal[i][lane], fraction = base->randomize[lane];
    float half = fraction * (nominal == 0.0f ? (param->high - param->low) * 0.5f : env_abs(nominal));
    int fixed = param->kind != ENV_PHYSICS || !(half > 0.0f);
    base->lowest[i][lane] = fixed ? nominal : env_clamp(nominal - half, param->low, param->high);
    base->highest[i][lane] = fixed ? nominal : env_clamp(nominal + half, param->low, param->high);
}

static float env_rounded(int i, float value) {
    value = env_clamp(value, env_params[i].low, env_params[i].high);
    return env_params[i].scale == ENV_INTEGER ? env_floor(value + 0.5f) : value;
}

static void env_draw_params(EnvBase *base, uint32_t lane) {
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        float low = base->lowest[i][lane], high = base->highest[i][lane], value = low;
        if (low < high) {
            uint32_t stream = 1u + (uint32_t)i;
            float u =
                env_unit(env_threefry(base->key[0][lane], base->key[1][lane], (uint32_t)base->episode[lane], stream).a);
            if (env_params[i].scale == ENV_INTEGER) {
                float first = -env_floor(-low), last = env_floor(high);
                value = first <= last ? first + env_floor(u * (last - first + 1.0f)) : base->nominal[i][lane];
                high = env_max(first, last);
            } else if (env_params[i].scale == ENV_LOG && low > 0.0f) {
                value = low * env_exp(u * env_log(high / low));
            } else {
                value = low + u * (high - low);
            }
            value = env_min(value, high);
        }
        base->param[i][lane] = value;
    }
}

ENV_EXPORT uint32_t env_abi_version(void) {
    return ENV_ABI_VERSION;
}
ENV_EXPORT uint32_t env_lanes(void) {
    return ENV_LANES;
}
ENV_EXPORT uint32_t env_block_size(void) {
    return sizeof(State);
}
ENV_EXPORT uint32_t env_scratch_size(void) {
    return (uint32_t)env_room();
}
ENV_EXPORT uint32_t env_saved_size(void) {
    return ENV_SAVED;
}
ENV_EXPORT uint32_t env_obs_size(uint32_t group) {
    return group < ENV_GROUPS ? env_group_numbers(group) : 0;
}
ENV_EXPORT uint32_t env_choices(void) {
    return (uint32_t)env_choice_count();
}

ENV_EXPORT const EnvSpec *env_spec(void) {
    static EnvSpec spec; /* `env.spec` and what follows from the rest of `env`; each call writes the same */
    spec = env.spec;
    spec.slots = ENV_SLOTS;
    spec.heads = ENV_HEADS;
    spec.groups = ENV_GROUPS;
    spec.shapes = ENV_SHAPES;
    spec.lives = env.alive != 0;
    spec.params = ENV_PARAM_COUNT;
    spec.param = env_params;
    spec.masked = env.mask != 0;
    spec.has_potential = env.potential != 0;
    spec.has_success = env.success != 0;
    spec.has_script = env.script != 0;
    return &spec;
}

ENV_EXPORT void env_save(const void *block, uint32_t lane, void *saved) {
#if ENV_LANES == 1
    (void)lane;
    memcpy(saved, block, sizeof(State));
#else
    for (size_t i = 0; i < ENV_WORDS; i++) {
        memcpy((char *)saved + 4 * i, (const char *)block + 4 * (i * ENV_LANES + lane), 4);
    }
#endif
}

ENV_EXPORT void env_load(void *block, uint32_t lane, const void *saved) {
#if ENV_LANES == 1
    (void)lane;
    memcpy(block, saved, sizeof(State));
#else
    for (size_t i = 0; i < ENV_WORDS; i++) {
        memcpy((char *)block + 4 * (i * ENV_LANES + lane), (const char *)saved + 4 * i, 4);
    }
#endif
}

ENV_EXPORT uint64_t env_hash(const void *block, uint32_t lane) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < ENV_SAVED; i++) {
        size_t at = (i / 4 * ENV_LANES + lane) * 4 + i % 4;
        hash = (hash ^ ((const uint8_t *)block)[at]) * 0x100000001b3u;
    }
    return hash;
}

ENV_EXPORT void env_init(void *block, uint32_t lane, uint32_t seed_low, uint32_t seed_high, uint32_t index,
                         const float *params, float randomize) {
    EnvBase *base = block;
#if ENV_LANES == 1
    memset(block, 0, sizeof(State));
#else
    for (size_t i = 0; i < ENV_WORDS; i++) {
        memset((char *)block + 4 * (i * ENV_LANES + lane), 0, 4);
    }
#endif
    EnvBits key = env_threefry(seed_low, seed_high, index, 0);
    base->key[0][lane] = key.a;
    base->key[1][lane] = key.b;
    base->randomize[lane] = env_clamp(randomize, 0.0f, 1.0f);
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        base->nominal[i][lane] = base->param[i][lane] = env_rounded(i, params ? params[i] : env_params[i].value);
        env_spread(base, lane, i);
    }
}

ENV_EXPORT void env_range(void *block, uint32_t lane, uint32_t param, float low, float high) {
    EnvBase *base = block;
    if (param < ENV_PARAM_COUNT && low <= high) {
        base->lowest[param][lane] = env_clamp(low, env_params[param].low, env_params[param].high);
        base->highest[param][lane] = env_clamp(high, env_params[param].low, env_params[param].high);
    }
}

ENV_EXPORT void env_reset(void *block, uint32_t lane) {
    EnvBase *base = block;
    base->episode[lane]++;
    base->tick[lane] = 0;
    env_draw_params(base, lane);
    env.reset(block, (int)lane);
}

ENV_EXPORT void env_event(void *block, uint32_t lane, const EnvEvent *event) {
    EnvBase *base = block;
    if (event->kind == ENV_EVENT_PARAM && event->slot >= 0 && event->slot < ENV_PARAM_COUNT) {
        int i = event->slot;
        base->nominal[i][lane] = base->param[i][lane] = env_rounded(i, event->value);
        env_spread(base, lane, i);
    } else if (event->kind == ENV_EVENT_RANDOMIZE) {
        base->randomize[lane] = env_clamp(event->value, 0.0f, 1.0f);
        for (int i = 0; i < ENV_PARAM_COUNT; i++) {
            env_spread(base, lane, i);
        }
    } else if (event->kind >= ENV_EVENT_CUSTOM && env.event) {
        env.event(block, (int)lane, event);
    }
}

/* A choice that the mask forbids becomes the idle one. */
static inline env_action env_allowed(env_action action, int head, const uint8_t *mask) {
#ifdef ENV_CONTINUOUS
    (void)mask;
    (void)head;
    return action;
#else
    return mask[action] ? action : env.spec.idle[head];
#endif
}

/* step() never meets a forbidden action but the idle one, whoever chose it. mended, a copy or the same: [slots][heads]
 * [lanes]; possible: room for a mask. */
static void env_mend(const State *s, EnvActions action, env_action (*mended)[ENV_HEADS][ENV_LANES], uint8_t *possible) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        for (int l = 0; l < ENV_LANES; l++) {
            const uint8_t *mask = possible;
            env.mask(s, l, slot, possible);
            for (int h = 0; h < ENV_HEADS; mask += env.spec.head[h].size, h++) {
                mended[slot][h][l] = env_allowed(action[slot][h][l], h, mask);
            }
        }
    }
}

/* One tick by actions that are within their heads' bounds. */
static inline void env_advance(State *s, EnvActions action, EnvResult out, void *scratch) {
    if (env.mask) {
        _Alignas(64) char here[1024]; /* where it is enough: compilers know better what else it cannot be */
        void *room = ENV_ACTIONS_SIZE + (size_t)env_choice_count() <= sizeof here ? here : scratch;
        env_action(*mended)[ENV_HEADS][ENV_LANES] = room;
        env_mend(s, action, mended, (uint8_t *)room + ENV_ACTIONS_SIZE);
        env.step(s, (EnvActions)mended, out);
    } else {
        env.step(s, action, out);
    }
    EnvBase *base = (EnvBase *)s;
    for (int l = 0; l < ENV_LANES; l++) {
        base->tick[l]++;
    }
}

ENV_EXPORT void env_tick(void *block, const void *action, float *reward, int32_t *terminated, int32_t *truncated,
                         uint8_t *left, void *scratch) {
    EnvResult out = {(float (*)[ENV_LANES])reward, terminated, truncated, (uint8_t (*)[ENV_LANES])left};
    EnvActions sent = (EnvActions)action;
    env_action(*possible)[ENV_HEADS][ENV_LANES] = scratch;
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        for (int h = 0; h < ENV_HEADS; h++) {
            for (int l = 0; l < ENV_LANES; l++) {
                possible[slot][h][l] = env_possible(sent[slot][h][l], h);
            }
        }
    }
    env_advance(block, (EnvActions)possible, out, scratch);
}

ENV_EXPORT void env_spawn(void *block, uint32_t lane) {
    if (env.spawn) {
        env.spawn(block, (int)lane);
    }
}

static inline int env_lives_on(const State *s, uint32_t lane) {
    if (!env.alive || (env.awaits ? env.awaits(s, (int)lane) : env.spawn != 0)) {
        return 1;
    }
    int any = 0;
    for (int slot = 0; !any && slot < ENV_SLOTS; slot++) {
        any = env.alive(s, (int)lane, slot);
    }
    return any != 0;
}

ENV_EXPORT uint32_t env_goes_on(const void *block, uint32_t lane) {
    return (uint32_t)env_lives_on(block, lane);
}

/* A group as all lanes see it. */
ENV_APART static void env_see(const State *s, int slot, uint32_t group, void *obs, size_t stride) {
    env.observe[ENV_GROUPS == 1 ? 0 : group](s, slot, obs, stride);
}

/* A group as one lane sees it. */
static inline void env_look(const State *s, uint32_t lane, int slot, uint32_t group, void *obs, void *scratch) {
#if ENV_LANES == 1
    (void)lane, (void)scratch;
    env_see(s, slot, group, obs, 0);
#else
    env_see(s, slot, group, scratch, env_group_numbers(group));
    size_t size = env_group_bytes(group);
    memcpy(obs, (const char *)scratch + lane * size, size);
#endif
}

ENV_EXPORT void env_observe(const void *block, uint32_t lane, uint32_t slot, uint32_t group, void *obs, void *scratch) {
    env_look(block, lane, (int)slot, group, obs, scratch);
}

static inline void env_may(const State *s, uint32_t lane, uint32_t slot, uint8_t *mask) {
    if (env.mask && (!env.alive || env.alive(s, (int)lane, (int)slot))) {
        env.mask(s, (int)lane, (int)slot, mask);
    } else {
        memset(mask, 1, (size_t)env_choice_count());
    }
}

ENV_EXPORT void env_mask(const void *block, uint32_t lane, uint32_t slot, uint8_t *mask) {
    env_may(block, lane, slot, mask);
}

ENV_EXPORT void env_script(const void *block, uint32_t lane, uint32_t slot, float skill, void *action) {
    const EnvBase *base = block;
    float skills[ENV_LANES];
    env_action all[ENV_HEADS][ENV_LANES];
    int index = env_skill_index();
    for (int l = 0; l < ENV_LANES; l++) {
        skills[l] = skill >= 0.0f || index < 0 ? env_clamp(skill, 0.0f, 1.0f) : base->param[index][l];
    }
    for (int h = 0; h < ENV_HEADS; h++) {
        for (int l = 0; l < ENV_LANES; l++) {
            all[h][l] = env_possible((env_action)env.spec.idle[h], h);
        }
    }
    if (env.script) {
        env.script(block, (int)slot, skills, all);
    }
    for (int h = 0; h < ENV_HEADS; h++) {
        ((env_action *)action)[h] = all[h][lane];
    }
}

ENV_EXPORT float env_param(const void *block, uint32_t lane, uint32_t param) {
    return param < ENV_PARAM_COUNT ? ((const EnvBase *)block)->param[param][lane] : 0.0f;
}
ENV_EXPORT float env_score(const void *block, uint32_t lane, uint32_t slot) {
    return env.score(block, (int)lane, (int)slot);
}
ENV_EXPORT float env_success(const void *block, uint32_t lane, uint32_t slot) {
    return env.success ? env.success(block, (int)lane, (int)slot) : 0.0f;
}
ENV_EXPORT float env_potential(const void *block, uint32_t lane, uint32_t slot) {
    return env.potential ? env.potential(block, (int)lane, (int)slot) : 0.0f;
}
ENV_EXPORT uint32_t env_alive(const void *block, uint32_t lane, uint32_t slot) {
    return env.alive ? env.alive(block, (int)lane, (int)slot) != 0 : 1;
}
ENV_EXPORT uint32_t env_ticks(const void *block, uint32_t lane) {
    return (uint32_t)((const EnvBase *)block)->tick[lane];
}

ENV_EXPORT uint32_t env_draw(const void *block, uint32_t lane, const EnvView *view, EnvShape *list, uint32_t capacity) {
    EnvList out = {list, 0, capacity};
    if (env.draw) {
        env.draw(block, (int)lane, view, &out);
    }
    return out.count;
}

#ifdef ENV_POOL
#include "pool.h"
#elif defined ENV_ROWS
#include "rows.h"
#endif
#endif

/* random.h: randomness by counting. Threefry-2x32-20 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", 2011) turns a key and a counter into 64 random bits, so nothing has to be stored but the counter, and an
 * environment's numbers depend neither on its neighbours nor on the order in which threads run.
 *
 *   key of an environment   threefry(key: seed, counter: (index, 0))
 *   draws of the game       counter (draws so far, 0): env_bits and those made of it
 *   draws of parameters     counter (episode, 1 + parameter): core.h
 *   noise without a trace   counter (tick + 0x9e3779b9 episode, 2^31 + 16 slot + which): env_noise, for functions that
 *                           may not change State
 */
#ifndef MINNOW_ENV_RANDOM_H
#define MINNOW_ENV_RANDOM_H
#include "env.h"

typedef mnw_words EnvBits;

static inline EnvBits env_threefry(uint32_t key0, uint32_t key1, uint32_t a, uint32_t b) {
    return mnw_threefry(key0, key1, a, b);
}

/* [0, 1), in steps of 2^-24. */
static inline float env_unit(uint32_t bits) {
    return (float)(int32_t)(bits >> 8) * 5.96046448e-8f;
}

static inline EnvBits env_bits(State *s, int lane) {
    EnvBase *base = (EnvBase *)s;
    return env_threefry(base->key[0][lane], base->key[1][lane], base->draws[lane]++, 0);
}

static inline float env_uniform(State *s, int lane) {
    return env_unit(env_bits(s, lane).a);
}

static inline float env_between(State *s, int lane, float low, float high) {
    return env_min(low + (high - low) * env_uniform(s, lane), high);
}

/* 0 ... n - 1. Some values are likelier than others by at most n / 2^32. */
static inline uint32_t env_below(State *s, int lane, uint32_t n) {
    return (uint32_t)(((uint64_t)env_bits(s, lane).a * n) >> 32);
}

/* Mean 0, variance 1 (Box and Muller, 1958); at most 5.8 in size. */
static inline float env_normal(State *s, int lane) {
    EnvBits bits = env_bits(s, lane);
    return env_sqrt(-2.0f * env_log(1.0f - env_unit(bits.a))) * env_cos(2.0f * ENV_PI * env_unit(bits.b));
}

/* [0, 1), fixed for each tick, slot and `which` (0 ... 15). */
static inline float env_noise(const State *s, int lane, int slot, uint32_t which) {
    const EnvBase *base = (const EnvBase *)s;
    uint32_t moment = (uint32_t)base->tick[lane] + (uint32_t)base->episode[lane] * 0x9e3779b9u;
    uint32_t stream = 0x80000000u + (uint32_t)slot * 16u + (which & 15u);
    return env_unit(env_threefry(base->key[0][lane], base->key[1][lane], moment, stream).a);
}
#endif

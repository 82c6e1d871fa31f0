/* tiny.c: an environment for test_web_game.py that uses what Pong and CartPole do not: several agents that die and
 * return, two heads with a mask and 8-bit observations, or (with TINY_BOX) continuous actions. Its score counts
 * impossible actions, of which there must be none. */
#define ENV_LANES 1
#define ENV_SLOTS 3
#define ENV_HEADS 2
#define ENV_SHAPES 2000
#define ENV_OBS 5
#ifdef TINY_BOX
#define ENV_CONTINUOUS
#define OBS_TYPE ENV_F32
#else
#define ENV_OBS_U8
#define OBS_TYPE ENV_U8
#endif
#define ENV_PARAMS(P) P(pace, 3.0f, 1.0f, 5.0f, ENV_WORLD, ENV_INTEGER, "", "What each tick adds.")
#include "env.h"

struct State {
    EnvBase base;
    int32_t sum[ENV_SLOTS], wrong[ENV_SLOTS];
    float pushed[ENV_SLOTS];
};

static int alive(const State *s, int lane, int slot) {
    return (s->base.tick[lane] / 10 + slot) % 3 != 0;
}

#ifndef TINY_BOX
static void mask(const State *s, int lane, int slot, uint8_t *out) {
    const int32_t banned = (s->sum[slot] + slot) % 3;
    (void)lane;
    for (int i = 0; i < 3; i++) {
        out[i] = i != banned;
    }
    out[3] = 1;
    out[4] = s->base.tick[0] % 2 == 0;
}
#endif

static void reset(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->sum[slot] = (int32_t)env_below((State *)s, lane, 100);
        s->wrong[slot] = 0;
        s->pushed[slot] = 0.0f;
    }
}

static void step(State *s, EnvActions action, EnvResult out) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
#ifdef TINY_BOX
        const float x = action[slot][0][0], y = action[slot][1][0];
        s->wrong[slot] += !(x >= -1.0f && x <= 1.0f && y >= 0.0f && y <= 2.0f);
        s->pushed[slot] = x + y;
#else
        uint8_t possible[5];
        mask(s, 0, slot, possible);
        const int32_t way = action[slot][0][0], fire = action[slot][1][0]; /* 0 is idle, and always allowed */
        s->wrong[slot] += alive(s, 0, slot) && !((possible[way] || !way) && (possible[3 + fire] || !fire));
        s->pushed[slot] = (float)(action[slot][0][0] + 10 * action[slot][1][0]);
#endif
        s->sum[slot] = (s->sum[slot] + (int32_t)s->base.param[P_pace][0]) % 100;
        out.reward[slot][0] += 1.0f;
    }
    out.terminated[0] |= s->base.tick[0] >= 99;
}

static void observe(const State *s, int slot, env_obs *obs, size_t stride) {
    (void)stride;
    for (int i = 0; i < ENV_OBS; i++) {
        obs[i] = (env_obs)((s->sum[slot] * (i + 1)) % 50);
    }
}

static float score(const State *s, int lane, int slot) {
    (void)lane;
    return (float)s->wrong[slot];
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)lane;
    for (int i = 0; i < 2000; i++) { /* as many as it declares */
        env_circle(list, (float)i, s->pushed[view->agent], 1.0f, 0xff0000ff);
    }
}

static const EnvField fields[ENV_OBS] = {
    {"a", 0.0f, 50.0f}, {"b", 0.0f, 50.0f}, {"c", 0.0f, 50.0f}, {"d", 0.0f, 50.0f}, {"e", 0.0f, 50.0f},
};
static const EnvGroup groups[] = {{"obs", OBS_TYPE, ENV_FIELDS, {ENV_OBS}, 0, fields}};
#ifdef TINY_BOX
static const EnvHead heads[ENV_HEADS] = {{"x", 0, -1.0f, 1.0f, 0}, {"y", 0, 0.0f, 2.0f, 0}};
#else
static const EnvHead heads[ENV_HEADS] = {{"way", 3, 0.0f, 0.0f, "none,left,right"}, {"fire", 2, 0.0f, 0.0f, "no,yes"}};
#endif

static const Env env = {
    .spec =
        {
            .name = "tiny",
            .title = "Tiny",
            .description = "For tests.",
            .agents = ENV_SLOTS,
#ifdef TINY_BOX
            .action_type = ENV_BOX,
#else
            .action_type = ENV_MULTI_DISCRETE,
#endif
            .group = groups,
            .head = heads,
            .tick_rate = 60.0f,
            .action_repeat = 1,
            .score_name = "wrong",
            .score_high = 100.0f,
            .view_width = 10.0f,
            .view_height = 10.0f,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .draw = draw,
    .score = score,
    .alive = alive,
#ifndef TINY_BOX
    .mask = mask,
#endif
};
#include "core.h"

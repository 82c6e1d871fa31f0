/* wide.c: an environment for tests: 64 players choose among 8 x 4,096 things, of which a mask forbids every other one,
 * two environments side by side. */
#ifndef ENV_LANES
#define ENV_LANES 2
#endif
#define ENV_SLOTS 64
#define ENV_HEADS 8
#define ENV_OBS 1
#define ENV_SHAPES 1
#define ENV_PARAMS(P) P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the script, which does nothing.")
#include "env.h"

enum { CHOICES = 4096 };

struct State {
    EnvBase base;
    float sum[ENV_SLOTS][ENV_LANES];
};

static void reset(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->sum[slot][lane] = 0.0f;
    }
}

static void step(State *s, EnvActions action, EnvResult out) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        for (int lane = 0; lane < ENV_LANES; lane++) {
            for (int head = 0; head < ENV_HEADS; head++) {
                const float odd = (float)(action[slot][head][lane] & 1); /* forbidden */
                s->sum[slot][lane] += odd;
                out.reward[slot][lane] -= odd;
            }
        }
    }
    for (int lane = 0; lane < ENV_LANES; lane++) {
        out.truncated[lane] = s->base.tick[lane] >= 9;
    }
}

static void observe(const State *s, int slot, env_obs *obs, size_t stride) {
    for (size_t lane = 0; lane < ENV_LANES; lane++) {
        obs[lane * stride] = s->sum[slot][lane];
    }
}

static void mask(const State *s, int lane, int slot, uint8_t *out) {
    (void)s, (void)lane, (void)slot;
    for (int i = 0; i < ENV_HEADS * CHOICES; i++) {
        out[i] = i % 2 == 0;
    }
}

static float score(const State *s, int lane, int slot) {
    return s->sum[slot][lane];
}

static const EnvField fields[ENV_OBS] = {{"sum", 0.0f, 1000.0f}};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
#define HEAD {"choice", CHOICES, 0.0f, 0.0f, 0}
static const EnvHead heads[ENV_HEADS] = {HEAD, HEAD, HEAD, HEAD, HEAD, HEAD, HEAD, HEAD};

static const Env env = {
    .spec =
        {
            .name = "wide",
            .title = "Wide",
            .description = "Many choices.",
            .agents = ENV_SLOTS,
            .group = groups,
            .action_type = ENV_MULTI_DISCRETE,
            .head = heads,
            .tick_rate = 10.0f,
            .action_repeat = 1,
            .score_name = "forbidden choices",
            .score_low = 0.0f,
            .score_high = 1000.0f,
            .view_width = 1.0f,
            .view_height = 1.0f,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .score = score,
    .mask = mask,
};
#include "core.h"

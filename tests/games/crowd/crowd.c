/* crowd.c: an environment for tests. 4,096 agents walk about a square, each to a place of its own, seeing itself, 64
 * others of whom those nearby are there, and, for the critic alone, how it has done so far.
 */
#define ENV_SLOTS 4096
#define ENV_HEADS 2
#define ENV_GROUPS 4
#define ENV_SHAPES 4097
#define ENV_PARAMS(P)                                                                                                  \
    P(time, 100.0f, 5.0f, 500.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Length of an episode.")                            \
    P(pace, 0.02f, 0.001f, 0.1f, ENV_PHYSICS, ENV_LOG, "", "How far a step leads.")                                    \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the script: how rarely it stands.")
#include "env.h"

enum { OTHERS = 64, EACH = 8 };

struct State {
    EnvBase base;
    float x[ENV_SLOTS], y[ENV_SLOTS], to_x[ENV_SLOTS], to_y[ENV_SLOTS];
    int32_t found[ENV_SLOTS];
};

#define PARAM(name) (s->base.param[P_##name][0])

static void aim(State *s, int slot) {
    EnvBits bits = env_bits(s, 0);
    s->to_x[slot] = env_unit(bits.a);
    s->to_y[slot] = env_unit(bits.b);
}

static void reset(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->x[slot] = env_uniform(s, lane);
        s->y[slot] = env_uniform(s, lane);
        s->found[slot] = 0;
        aim(s, slot);
    }
}

static void step(State *s, EnvActions action, EnvResult out) {
    float pace = PARAM(pace);
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->x[slot] = env_clamp(s->x[slot] + pace * (float)(action[slot][0][0] - 1), 0.0f, 1.0f);
        s->y[slot] = env_clamp(s->y[slot] + pace * (float)(action[slot][1][0] - 1), 0.0f, 1.0f);
        if (env_abs(s->x[slot] - s->to_x[slot]) + env_abs(s->y[slot] - s->to_y[slot]) < 0.1f) {
            out.reward[slot][0] += 1.0f;
            s->found[slot]++;
            aim(s, slot);
        }
    }
    out.truncated[0] |= (float)(s->base.tick[0] + 1) >= PARAM(time);
}

static void self(const State *s, int slot, void *obs, size_t stride) {
    float *own = obs;
    (void)stride;
    own[0] = s->x[slot];
    own[1] = s->y[slot];
    own[2] = s->to_x[slot] - s->x[slot];
    own[3] = s->to_y[slot] - s->y[slot];
}

static inline int near(const State *s, int slot, int k, float *dx, float *dy) {
    int other = (slot + 1 + k * k) % ENV_SLOTS;
    *dx = s->x[other] - s->x[slot];
    *dy = s->y[other] - s->y[slot];
    return env_abs(*dx) + env_abs(*dy) < 0.5f;
}

static void others(const State *s, int slot, void *obs, size_t stride) {
    float (*seen)[EACH] = obs;
    (void)stride;
    memset(seen, 0, OTHERS * sizeof *seen);
    for (int k = 0; k < OTHERS; k++) {
        float dx, dy;
        if (near(s, slot, k, &dx, &dy)) {
            seen[k][0] = dx;
            seen[k][1] = dy;
            seen[k][2] = dx * dx;
            seen[k][3] = dy * dy;
            seen[k][4] = dx * dy;
            seen[k][5] = env_abs(dx);
            seen[k][6] = env_abs(dy);
            seen[k][7] = 1.0f;
        }
    }
}

static void there(const State *s, int slot, void *obs, size_t stride) {
    uint8_t *is = obs;
    (void)stride;
    for (int k = 0; k < OTHERS; k++) {
        float dx, dy;
        is[k] = (uint8_t)near(s, slot, k, &dx, &dy);
    }
}

static void secret(const State *s, int slot, void *obs, size_t stride) {
    (void)stride;
    *(float *)obs = (float)s->found[slot];
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float dx = s->to_x[slot] - s->x[slot], dy = s->to_y[slot] - s->y[slot], pace = PARAM(pace);
    int walks = env_noise(s, 0, slot, 0) < skill[0];
    action[0][0] = 1 + walks * ((dx > pace) - (dx < -pace));
    action[1][0] = 1 + walks * ((dy > pace) - (dy < -pace));
}

static float score(const State *s, int lane, int slot) {
    (void)lane;
    return (float)s->found[slot];
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)lane;
    env_rect(list, 0.5f, 0.5f, 1.0f, 1.0f, 0.0f, 0.0f, 0x101820ff);
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        int focus = slot == view->agent;
        env_circle(list, s->x[slot], s->y[slot], focus ? 0.02f : 0.005f, focus ? 0xfff4d6ff : 0x4fd1c5ff);
    }
}

static const EnvField own[] = {{"x", 0.0f, 1.0f}, {"y", 0.0f, 1.0f}, {"way_x", -1.0f, 1.0f}, {"way_y", -1.0f, 1.0f}};
static const EnvField other[EACH] = {{"x", -1.0f, 1.0f},   {"y", -1.0f, 1.0f},  {"xx", 0.0f, 1.0f},
                                     {"yy", 0.0f, 1.0f},   {"xy", -1.0f, 1.0f}, {"far", 0.0f, 1.0f},
                                     {"deep", 0.0f, 1.0f}, {"is", 0.0f, 1.0f}};
static const EnvField kept[] = {{"found", 0.0f, 500.0f}};
static const EnvGroup groups[ENV_GROUPS] = {{"self", ENV_F32, ENV_FIELDS, {4}, 0, own},
                                            {"others", ENV_F32, ENV_SET, {OTHERS, EACH}, 0, other},
                                            {"there", ENV_U8, ENV_PRESENT, {OTHERS}, 0, 0},
                                            {"secret", ENV_F32, ENV_FIELDS, {1}, 1, kept}};
static const EnvHead heads[ENV_HEADS] = {{"right", 3, 0.0f, 0.0f, "left,stay,right"},
                                         {"down", 3, 0.0f, 0.0f, "up,stay,down"}};
static const EnvControl controls[] = {{"Left", "ArrowLeft", 0, "left", 0, 0},
                                      {"Right", "ArrowRight", 0, "right", 0, 2},
                                      {"Up", "ArrowUp", 0, "top", 1, 0},
                                      {"Down", "ArrowDown", 0, "bottom", 1, 2}};

static const Env env = {
    .spec =
        {
            .name = "crowd",
            .title = "Crowd",
            .description = "Everybody has a place to go to.",
            .agents = ENV_SLOTS,
            .group = groups,
            .action_type = ENV_MULTI_DISCRETE,
            .head = heads,
            .idle = {1, 1},
            .tick_rate = 30.0f,
            .action_repeat = 1,
            .score_name = "found",
            .score_high = 500.0f,
            .view_width = 1.0f,
            .view_height = 1.0f,
            .controls = 4,
            .control = controls,
        },
    .reset = reset,
    .step = step,
    .observe = {self, others, there, secret},
    .script = script,
    .draw = draw,
    .score = score,
};
#include "core.h"

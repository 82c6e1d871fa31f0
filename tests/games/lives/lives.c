/* lives.c: an environment for tests. Six players are told a bit when they are born and earn by repeating it; they die
 * by chance, or by a stroke of the visitor. The first two return at once, the others after a rest; the last two join
 * late; the fifth leaves, so that its lives are cut off. Births may cease, and then all ends with the last of them.
 */
#ifndef ENV_LANES
#define ENV_LANES 4
#endif
#define ENV_SLOTS 6
#define ENV_HEADS 1
#define ENV_OBS 4
#define ENV_SHAPES 7
#define ENV_PARAMS(P)                                                                                                  \
    P(time, 150.0f, 10.0f, 500.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Length of an episode.")                           \
    P(danger, 0.05f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "Chance to die in a tick.")                              \
    P(rest, 7.0f, 0.0f, 100.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Time from death to birth.")                          \
    P(births, 500.0f, 0.0f, 500.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Nobody is born after so many.")                  \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the script: how rarely it forgets.")
#include "env.h"

enum { ATONCE = 2, EARLY = 4, LEAVES = 4, LATE = 20, STRIKE = ENV_EVENT_CUSTOM, CALL };

struct State {
    EnvBase base;
    int32_t lives[ENV_SLOTS][ENV_LANES], rest[ENV_SLOTS][ENV_LANES], sum[ENV_SLOTS][ENV_LANES];
    int32_t bit[ENV_SLOTS][ENV_LANES], age[ENV_SLOTS][ENV_LANES], good[ENV_SLOTS][ENV_LANES];
};

#define PARAM(name) (s->base.param[P_##name][lane])

static void bear(State *s, int lane, int slot) {
    s->lives[slot][lane] = 1;
    s->age[slot][lane] = s->good[slot][lane] = 0;
    s->bit[slot][lane] = (int32_t)env_below(s, lane, 2);
}

static void reset(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->lives[slot][lane] = s->sum[slot][lane] = s->bit[slot][lane] = 0;
        s->age[slot][lane] = s->good[slot][lane] = 0;
        s->rest[slot][lane] = slot < EARLY ? 0 : LATE;
        if (slot < EARLY) {
            bear(s, lane, slot);
        }
    }
}

static int alive(const State *s, int lane, int slot) {
    return s->lives[slot][lane];
}

static int awaits(const State *s, int lane) {
    return (float)s->base.tick[lane] <= PARAM(births);
}

static void spawn(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (!s->lives[slot][lane] && s->rest[slot][lane] == 0 && awaits(s, lane)) {
            bear(s, lane, slot);
        }
    }
}

static void die(State *s, int lane, int slot) {
    s->lives[slot][lane] = 0;
    s->rest[slot][lane] = slot < ATONCE ? 0 : (int32_t)PARAM(rest);
}

static void act(State *s, int lane, int slot, int32_t said, EnvResult out) {
    int dies = env_uniform(s, lane) < PARAM(danger), good = said == s->bit[slot][lane];
    if (!s->lives[slot][lane]) {
        s->rest[slot][lane] -= s->rest[slot][lane] > 0;
        return;
    }
    out.reward[slot][lane] += good ? 1.0f : -0.5f;
    s->sum[slot][lane] += good;
    s->good[slot][lane] += good;
    s->age[slot][lane]++;
    if (dies) {
        die(s, lane, slot);
        if (slot == LEAVES) {
            env_leave(out, lane, slot);
        } else {
            out.reward[slot][lane] -= 2.0f;
        }
    }
}

static void step(State *s, EnvActions action, EnvResult out) {
    for (int lane = 0; lane < ENV_LANES; lane++) {
        for (int slot = 0; slot < ENV_SLOTS; slot++) {
            act(s, lane, slot, action[slot][0][lane], out);
        }
        out.truncated[lane] |= (float)(s->base.tick[lane] + 1) >= PARAM(time);
    }
}

/* The bit is shown once; then only how old the player is, and who it is. */
static void observe(const State *s, int slot, float *obs, size_t stride) {
    for (int lane = 0; lane < ENV_LANES; lane++) {
        float *seen = obs + (size_t)lane * stride;
        int told = s->lives[slot][lane] && s->age[slot][lane] == 0;
        seen[0] = told ? (float)(2 * s->bit[slot][lane] - 1) : 0.0f;
        seen[1] = (float)(s->age[slot][lane] % 5) * 0.2f;
        seen[2] = (float)slot * 0.2f;
        seen[3] = (float)s->rest[slot][lane] * 0.1f;
    }
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    for (int lane = 0; lane < ENV_LANES; lane++) {
        int forgets = env_noise(s, lane, slot, 0) >= skill[lane];
        action[0][lane] = forgets ? env_noise(s, lane, slot, 1) < 0.5f : s->bit[slot][lane];
    }
}

/* A visitor kills who is pointed at, or calls somebody back. */
static void event(State *s, int lane, const EnvEvent *event) {
    int slot = event->target - 1;
    if (slot >= 0 && slot < ENV_SLOTS) {
        if (event->kind == STRIKE && s->lives[slot][lane]) {
            die(s, lane, slot);
        } else if (event->kind == CALL && !s->lives[slot][lane]) {
            bear(s, lane, slot);
        }
    }
}

static float score(const State *s, int lane, int slot) {
    return (float)s->sum[slot][lane];
}

static float success(const State *s, int lane, int slot) {
    return s->good[slot][lane] >= 10 ? 1.0f : 0.0f;
}

static float potential(const State *s, int lane, int slot) {
    return 0.1f * (float)s->good[slot][lane];
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    env_rect(list, 0.5f, 0.5f, 1.0f, 1.0f, 0.0f, 0.0f, 0x101820ff);
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->lives[slot][lane]) {
            uint32_t color = slot == view->agent ? 0xfff4d6ff : 0x4fd1c5ff;
            env_circle(list, 0.1f + 0.16f * (float)slot, 0.5f, 0.06f, color);
        }
    }
}

static const EnvField fields[ENV_OBS] = {
    {"bit", -1.0f, 1.0f}, {"age", 0.0f, 1.0f}, {"slot", 0.0f, 1.0f}, {"rest", 0.0f, 10.0f}};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"say", 2, 0.0f, 0.0f, "no,yes"}};
static const EnvControl controls[] = {{"No", "ArrowLeft", 0, "left", 0, 0}, {"Yes", "ArrowRight", 0, "right", 0, 1}};
static const EnvGesture gestures[] = {{STRIKE, "Strike", "Click a player, and it dies.", "click", "target,at"}};

static const Env env = {
    .spec =
        {
            .name = "lives",
            .title = "Lives",
            .description = "Say again what you were told.",
            .agents = ENV_SLOTS,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .tick_rate = 30.0f,
            .action_repeat = 1,
            .score_name = "said",
            .score_high = 500.0f,
            .view_width = 1.0f,
            .view_height = 1.0f,
            .controls = 2,
            .control = controls,
            .gestures = 1,
            .gesture = gestures,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .script = script,
    .event = event,
    .draw = draw,
    .score = score,
    .success = success,
    .potential = potential,
    .alive = alive,
    .spawn = spawn,
    .awaits = awaits,
};
#include "core.h"

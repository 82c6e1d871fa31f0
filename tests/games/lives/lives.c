/* lives.c: an environment for tests. Six players are told a bit when they are born and earn by repeating it; they die
 * by chance, or by a stroke of the visitor. The first two return at once, the others after a rest; the last two join
 * late; the fifth leaves, so that its lives are cut off. Births may cease, and then all ends with the last of them.
 */
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
    int32_t lives[ENV_SLOTS], rest[ENV_SLOTS], sum[ENV_SLOTS], bit[ENV_SLOTS], age[ENV_SLOTS], good[ENV_SLOTS];
};

#define PARAM(name) (s->base.param[P_##name][0])

static void bear(State *s, int slot) {
    s->lives[slot] = 1;
    s->age[slot] = s->good[slot] = 0;
    s->bit[slot] = (int32_t)env_below(s, 0, 2);
}

static void reset(State *s, int lane) {
    (void)lane;
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->lives[slot] = s->sum[slot] = s->bit[slot] = s->age[slot] = s->good[slot] = 0;
        s->rest[slot] = slot < EARLY ? 0 : LATE;
        if (slot < EARLY) {
            bear(s, slot);
        }
    }
}

static int alive(const State *s, int lane, int slot) {
    (void)lane;
    return s->lives[slot];
}

static int awaits(const State *s, int lane) {
    (void)lane;
    return (float)s->base.tick[0] <= PARAM(births);
}

static void spawn(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (!s->lives[slot] && s->rest[slot] == 0 && awaits(s, lane)) {
            bear(s, slot);
        }
    }
}

static void die(State *s, int slot) {
    s->lives[slot] = 0;
    s->rest[slot] = slot < ATONCE ? 0 : (int32_t)PARAM(rest);
}

static void step(State *s, EnvActions action, EnvResult out) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        int dies = env_uniform(s, 0) < PARAM(danger);
        if (!s->lives[slot]) {
            s->rest[slot] -= s->rest[slot] > 0;
            continue;
        }
        int good = action[slot][0][0] == s->bit[slot];
        out.reward[slot][0] += good ? 1.0f : -0.5f;
        s->sum[slot] += good;
        s->good[slot] += good;
        s->age[slot]++;
        if (dies) {
            die(s, slot);
            if (slot == LEAVES) {
                env_leave(out, 0, slot);
            } else {
                out.reward[slot][0] -= 2.0f;
            }
        }
    }
    out.truncated[0] |= (float)(s->base.tick[0] + 1) >= PARAM(time);
}

/* The bit is shown once; then only how old the player is, and who it is. */
static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)stride;
    obs[0] = s->lives[slot] && s->age[slot] == 0 ? (float)(2 * s->bit[slot] - 1) : 0.0f;
    obs[1] = (float)(s->age[slot] % 5) * 0.2f;
    obs[2] = (float)slot * 0.2f;
    obs[3] = (float)s->rest[slot] * 0.1f;
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    int forgets = env_noise(s, 0, slot, 0) >= skill[0];
    action[0][0] = forgets ? env_noise(s, 0, slot, 1) < 0.5f : s->bit[slot];
}

/* A visitor kills who is pointed at, or calls somebody back. */
static void event(State *s, int lane, const EnvEvent *event) {
    (void)lane;
    int slot = event->target - 1;
    if (slot >= 0 && slot < ENV_SLOTS) {
        if (event->kind == STRIKE && s->lives[slot]) {
            die(s, slot);
        } else if (event->kind == CALL && !s->lives[slot]) {
            bear(s, slot);
        }
    }
}

static float score(const State *s, int lane, int slot) {
    (void)lane;
    return (float)s->sum[slot];
}

static float success(const State *s, int lane, int slot) {
    (void)lane;
    return s->good[slot] >= 10 ? 1.0f : 0.0f;
}

static float potential(const State *s, int lane, int slot) {
    (void)lane;
    return 0.1f * (float)s->good[slot];
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)lane;
    env_rect(list, 0.5f, 0.5f, 1.0f, 1.0f, 0.0f, 0.0f, 0x101820ff);
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->lives[slot]) {
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

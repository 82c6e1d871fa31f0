/* NAME.c: fruit falls, and a basket at the bottom catches it.
 * Lengths are in view heights, y points down. env.h (see `minnow include`) is its contract; `minnow check` checks. */
#define ENV_SLOTS 1  /* players */
#define ENV_HEADS 1  /* numbers in an action */
#define ENV_OBS 4    /* numbers in an observation */
#define ENV_SHAPES 6 /* in its picture, at most */
#define ENV_PARAMS(P)                                                                                                  \
    P(fall, 0.8f, 0.3f, 1.5f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of the falling fruit.")                              \
    P(speed, 1.0f, 0.4f, 3.0f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of the basket.")                                    \
    P(width, 0.2f, 0.1f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "", "Width of the basket.")                                    \
    P(fruits, 20.0f, 1.0f, 100.0f, ENV_WORLD, ENV_INTEGER, "", "Fruits of one episode.")                               \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how rarely it dozes.")
#include "env.h"

#define TICK (1.0f / 60.0f)
#define FLOOR 0.9f /* where the fruit meets the basket */
#define RADIUS 0.03f
enum { STAY, LEFT, RIGHT };

/* Everything that changes lives here, as plain numbers: a snapshot is a copy of it. */
struct State {
    EnvBase base; /* random stream, ticks, parameters */
    float basket, x, y;
    int32_t fallen, caught;
};

#define PARAM(name) (s->base.param[P_##name][0])

static void drop(State *s) {
    s->x = env_between(s, 0, RADIUS, 1.0f - RADIUS);
    s->y = -RADIUS;
}

static void reset(State *s, int lane) {
    (void)lane;
    s->basket = 0.5f;
    s->fallen = s->caught = 0;
    drop(s);
}

/* One tick: the basket moves, the fruit falls, and is caught (reward 1) or not. */
static void step(State *s, EnvActions action, EnvResult out) {
    int32_t choice = action[0][0][0];
    float half = 0.5f * PARAM(width), move = (float)((choice == RIGHT) - (choice == LEFT));
    s->basket = env_clamp(s->basket + move * PARAM(speed) * TICK, half, 1.0f - half);
    s->y += PARAM(fall) * TICK;
    if (s->y >= FLOOR) {
        int caught = env_abs(s->x - s->basket) <= half + RADIUS;
        s->caught += caught;
        out.reward[0][0] += (float)caught;
        s->fallen++;
        drop(s);
    }
    out.terminated[0] |= (float)s->fallen >= PARAM(fruits);
}

/* What a player sees; `fields` below names each number and bounds it. */
static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)slot, (void)stride;
    obs[0] = 2.0f * s->basket - 1.0f;
    obs[1] = 2.0f * s->x - 1.0f;
    obs[2] = s->y;
    obs[3] = s->x - s->basket;
}

/* Goes to where the fruit is; without skill it dozes. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float gap = s->x - s->basket;
    int awake = env_noise(s, 0, slot, 0) < skill[0];
    action[0][0] = !awake || env_abs(gap) < 0.02f ? STAY : gap < 0.0f ? LEFT : RIGHT;
}

static float score(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return (float)s->caught;
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)lane, (void)view;
    env_rect(list, 0.5f, 0.5f, 1.0f, 1.0f, 0.0f, 0.0f, 0x101820ff);
    env_rect(list, 0.5f, FLOOR + 0.07f, 1.0f, 0.1f, 0.0f, 0.0f, 0x2b3a48ff);
    env_rect(list, s->basket, FLOOR + 0.02f, PARAM(width), 0.04f, 0.0f, 0.02f, 0xf6885fff);
    env_circle(list, s->x, s->y, RADIUS, 0x7bd389ff);
    env_number(list, 0.06f, 0.08f, 0.08f, ENV_LEFT, 0x3d5166ff, s->caught);
    env_number(list, 0.94f, 0.08f, 0.08f, ENV_RIGHT, 0x3d5166ff, (int32_t)PARAM(fruits) - s->fallen);
}

static const EnvField fields[ENV_OBS] = {
    {"basket", -1.0f, 1.0f}, {"fruit_x", -1.0f, 1.0f}, {"fruit_y", -0.1f, 1.0f}, {"gap", -1.0f, 1.0f}};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"move", 3, 0.0f, 0.0f, "stay,left,right"}};
static const EnvControl controls[] = {{"Left", "ArrowLeft,KeyA", "button14,axis0-", "left", 0, LEFT},
                                      {"Right", "ArrowRight,KeyD", "button15,axis0+", "right", 0, RIGHT}};

/* env.h lists what else a game may have: events, masks, a potential, success, several agents. */
static const Env env = {.spec = {.name = "NAME",
                                 .title = "TITLE",
                                 .description = "Fruit falls; catch it in the basket.",
                                 .agents = 1,
                                 .group = groups,
                                 .action_type = ENV_DISCRETE,
                                 .head = heads,
                                 .idle = {STAY},
                                 .tick_rate = 60.0f,
                                 .action_repeat = 4,
                                 .score_name = "caught",
                                 .score_high = 100.0f,
                                 .view_width = 1.0f,
                                 .view_height = 1.0f,
                                 .controls = 2,
                                 .control = controls},
                        .reset = reset,
                        .step = step,
                        .observe = {observe},
                        .script = script,
                        .draw = draw,
                        .score = score};
#include "core.h"

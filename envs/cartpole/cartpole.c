/* cartpole.c: keep a pole upright by pushing its cart left or right.
 *
 * The dynamics of Barto, Sutton and Anderson (1983) as Gymnasium's CartPole-v1 integrates them: explicit Euler steps of
 * 1/50 s, reward 1 for every step, the last included. Metres, kilograms, radians; the angle grows clockwise, to the
 * right.
 */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_SHAPES 13
#define ENV_OBS 4
#define ENV_PARAMS(P)                                                                                                  \
    P(gravity, 9.8f, 0.5f, 30.0f, ENV_PHYSICS, ENV_LINEAR, "m/s^2", "Pull towards the ground.")                        \
    P(cart_mass, 1.0f, 0.1f, 5.0f, ENV_PHYSICS, ENV_LOG, "kg", "Mass of the cart.")                                    \
    P(pole_mass, 0.1f, 0.01f, 1.0f, ENV_PHYSICS, ENV_LOG, "kg", "Mass of the pole.")                                   \
    P(half_length, 0.5f, 0.1f, 1.2f, ENV_PHYSICS, ENV_LOG, "m", "Half the length of the pole.")                        \
    P(force, 10.0f, 1.0f, 30.0f, ENV_PHYSICS, ENV_LOG, "N", "Push on the cart.")                                       \
    P(start, 0.05f, 0.0f, 0.2f, ENV_WORLD, ENV_LINEAR, "", "Bound of each number of the first state.")                 \
    P(max_angle, 12.0f, 3.0f, 45.0f, ENV_WORLD, ENV_LINEAR, "deg", "The pole has fallen beyond this.")                 \
    P(max_x, 2.4f, 0.5f, 2.8f, ENV_WORLD, ENV_LINEAR, "m", "The cart has left its track beyond this.")                 \
    P(limit, 500.0f, 50.0f, 10000.0f, ENV_WORLD, ENV_INTEGER, "", "Steps after which the episode is cut off.")         \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how rarely it errs.")
#include "../env.h"

#define TICK 0.02
#define VIEW_WIDTH 6.0f
#define VIEW_HEIGHT 3.2f
#define GROUND 2.75f /* height of the cart's axle in the view */
enum { LEFT = 0, RIGHT = 1, NUDGE = ENV_EVENT_CUSTOM, SHOVE };

/* Numbers of 48 bits in two words, since lanes are made of words: the value rounded, and the rest. */
struct State {
    EnvBase base;
    float x[2][ENV_LANES], vx[2][ENV_LANES];       /* the cart's, 0 in the middle */
    float angle[2][ENV_LANES], spin[2][ENV_LANES]; /* the pole's, 0 upright */
    float pushed[ENV_LANES];                       /* -1 or 1: the last push; 0 before the first */
};

#define PARAM(name) (s->base.param[P_##name])

static inline double get(float number[2][ENV_LANES], int lane) {
    return (double)number[0][lane] + (double)number[1][lane];
}
static inline void set(float number[2][ENV_LANES], int lane, double value, double bound) {
    value = value > -bound ? value : -bound;
    value = value < bound ? value : bound;
    number[0][lane] = (float)value;
    number[1][lane] = (float)(value - (double)number[0][lane]);
}

/* A parameter as the decimal it stands for: 9.8, not 9.80000019. */
static inline double decimal(float value) {
    const double large = 6755399441055744.0; /* 1.5 * 2^52: adding and taking it away rounds to a whole number */
    return (((double)value * 1e6 + large) - large) / 1e6;
}

/* Taylor series, to 1e-15 for |x| <= pi / 2. */
static inline double sine(double x) {
    double z = x * x, sum = 1.0;
    for (int n = 20; n > 0; n -= 2) {
        sum = 1.0 - sum * z / (n * (n + 1));
    }
    return x * sum;
}
static inline double cosine(double x) {
    double z = x * x, sum = 1.0;
    for (int n = 19; n > 0; n -= 2) {
        sum = 1.0 - sum * z / (n * (n + 1));
    }
    return sum;
}

static void reset(State *s, int lane) {
    EnvBits first = env_bits(s, lane), second = env_bits(s, lane);
    float start = PARAM(start)[lane];
    set(s->x, lane, (double)(start * (2.0f * env_unit(first.a) - 1.0f)), 1.0);
    set(s->vx, lane, (double)(start * (2.0f * env_unit(first.b) - 1.0f)), 1.0);
    set(s->angle, lane, (double)(start * (2.0f * env_unit(second.a) - 1.0f)), 1.0);
    set(s->spin, lane, (double)(start * (2.0f * env_unit(second.b) - 1.0f)), 1.0);
    s->pushed[lane] = 0.0f;
}

static void step(State *s, EnvActions action, EnvResult out) {
    int32_t over[ENV_LANES];
    for (int l = 0; l < ENV_LANES; l++) {
        float pushed = (float)(2 * (action[0][0][l] == RIGHT) - 1);
        double gravity = decimal(PARAM(gravity)[l]), force = decimal(PARAM(force)[l]) * (double)pushed;
        double length = decimal(PARAM(half_length)[l]), pole = decimal(PARAM(pole_mass)[l]);
        double mass = pole + decimal(PARAM(cart_mass)[l]), moment = pole * length;
        double x = get(s->x, l), vx = get(s->vx, l), angle = get(s->angle, l), spin = get(s->spin, l);
        double sin = sine(angle), cos = cosine(angle);
        double temp = (force + moment * (spin * spin) * sin) / mass;
        double turn = (gravity * sin - cos * temp) / (length * (4.0 / 3.0 - pole * (cos * cos) / mass));
        double pull = temp - moment * turn * cos / mass;
        x += TICK * vx;
        angle += TICK * spin;
        double end = decimal(PARAM(max_x)[l]), fallen = decimal(PARAM(max_angle)[l]) * (6.283185307179586 / 360.0);
        over[l] = (x < -end) + (x > end) + (angle < -fallen) + (angle > fallen);
        /* An episode that is over may be ticked on: a pole then lies on the cart, and nothing grows without bound. */
        set(s->x, l, x, 100.0);
        set(s->vx, l, vx + TICK * pull, 100.0);
        set(s->angle, l, angle, 0.5 * 3.141592653589793);
        set(s->spin, l, spin + TICK * turn, 100.0);
        s->pushed[l] = pushed;
    }
    for (int l = 0; l < ENV_LANES; l++) {
        out.reward[0][l] += 1.0f;
        out.terminated[l] |= over[l] > 0;
        out.truncated[l] |= (float)(s->base.tick[l] + 1) >= PARAM(limit)[l];
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)slot;
    for (int l = 0; l < ENV_LANES; l++) {
        float *o = obs + (size_t)l * stride;
        o[0] = s->x[0][l];
        o[1] = s->vx[0][l];
        o[2] = s->angle[0][l];
        o[3] = s->spin[0][l];
    }
}

/* Linear feedback that leans the pole against where the cart should go; errs at random where it lacks skill. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    for (int l = 0; l < ENV_LANES; l++) {
        float u = s->angle[0][l] + 0.35f * s->spin[0][l] + 0.05f * s->x[0][l] + 0.12f * s->vx[0][l];
        int err = env_noise(s, l, slot, 0) < 0.5f * (1.0f - skill[l]);
        action[0][l] = (u > 0.0f) ^ err;
    }
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == NUDGE) { /* a tap on one side of the pole's tip tips it to the other */
        float tip = 0.5f * VIEW_WIDTH + s->x[0][lane] + 2.0f * PARAM(half_length)[lane] * env_sin(s->angle[0][lane]);
        set(s->spin, lane, get(s->spin, lane) + (event->at[0] < tip ? 0.5 : -0.5), 100.0);
    } else if (event->kind == SHOVE) {
        set(s->vx, lane, get(s->vx, lane) + (double)env_clamp(event->way[0], -1.0f, 1.0f), 100.0);
    }
}

static float score(const State *s, int lane, int slot) {
    (void)slot;
    return (float)s->base.tick[lane];
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const uint32_t night = 0x101820ff, track = 0x2b3a48ff, cart = 0x4fd1c5ff, pole = 0xfff4d6ff, push = 0xf6885fff;
    const float middle = 0.5f * VIEW_WIDTH, x = middle + s->x[0][lane], end = PARAM(max_x)[lane];
    const float length = 2.0f * PARAM(half_length)[lane], lean = s->angle[0][lane];
    const float fallen = PARAM(max_angle)[lane] * (ENV_PI / 180.0f);
    (void)view;
    env_rect(list, middle, 0.5f * VIEW_HEIGHT, VIEW_WIDTH, VIEW_HEIGHT, 0.0f, 0.0f, night);
    env_line(list, middle - end, GROUND, middle + end, GROUND, 0.03f, track);
    for (int side = -1; side <= 1; side += 2) {
        float sign = (float)side, slope = fallen * sign;
        env_line(list, middle + end * sign, GROUND - 0.12f, middle + end * sign, GROUND + 0.12f, 0.03f, track);
        env_line(list, x, GROUND - 0.1f, x + length * env_sin(slope), GROUND - 0.1f - length * env_cos(slope), 0.015f,
                 track);
    }
    if (s->pushed[lane] != 0.0f) {
        float sign = s->pushed[lane], back = x - 0.27f * sign, far = x - 0.5f * sign;
        env_polygon(list, (const float[]){back, GROUND, far, GROUND - 0.07f, far, GROUND + 0.07f}, 3, push);
    }
    env_rect(list, x, GROUND, 0.5f, 0.22f, 0.0f, 0.04f, cart);
    env_line(list, x, GROUND - 0.1f, x + length * env_sin(lean), GROUND - 0.1f - length * env_cos(lean), 0.08f, pole);
    env_circle(list, x, GROUND - 0.1f, 0.05f, track);
    env_number(list, middle, 0.3f, 0.3f, ENV_CENTRED, 0x3d5166ff, s->base.tick[lane]);
}

static const EnvField fields[ENV_OBS] = {
    {"x", -4.8f, 4.8f}, {"x_velocity", -10.0f, 10.0f}, {"angle", -0.42f, 0.42f}, {"angular_velocity", -10.0f, 10.0f}};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"push", 2, 0.0f, 0.0f, "left,right"}};
static const EnvControl controls[] = {
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "left", 0, LEFT},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "right", 0, RIGHT},
};
static const EnvGesture gestures[] = {
    {NUDGE, "Tap", "Click beside the pole, and it tips to the other side.", "click", "at"},
    {SHOVE, "Shove", "Drag sideways to shove the cart.", "drag", "at,way"},
};

static const Env env = {
    .spec =
        {
            .name = "cartpole",
            .title = "CartPole",
            .description = "Keep the pole upright by pushing the cart left or right.",
            .agents = 1,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {LEFT},
            .tick_rate = 50.0f,
            .action_repeat = 1,
            .score_name = "steps",
            .score_low = 0.0f,
            .score_high = 500.0f,
            .view_width = VIEW_WIDTH,
            .view_height = VIEW_HEIGHT,
            .controls = sizeof controls / sizeof *controls,
            .control = controls,
            .gestures = sizeof gestures / sizeof *gestures,
            .gesture = gestures,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .script = script,
    .event = event,
    .draw = draw,
    .score = score,
};
#include "../core.h"

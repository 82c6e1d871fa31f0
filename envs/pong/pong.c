/* pong.c: two paddles, one ball, first to 21.
 *
 * Lengths are in court heights (the court is 1 high and WIDTH wide), y points down. The ball's horizontal speed is
 * fixed but for `acceleration`; where it meets the paddle decides how steeply it leaves. Slot 0 is on the left. Each
 * slot sees the court as if it were the left one.
 */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_SLOTS 2
#define ENV_HEADS 1
#define ENV_SHAPES 28
#define ENV_OBS 8
#define ENV_PARAMS(P)                                                                                                  \
    P(speed, 1.2f, 0.4f, 3.0f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of the ball from side to side.")                    \
    P(acceleration, 0.0f, 0.0f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "", "What each hit adds to the ball's speed.")          \
    P(steepness, 1.0f, 0.3f, 2.5f, ENV_PHYSICS, ENV_LINEAR, "", "Slope of a ball hit with the paddle's very edge.")    \
    P(gravity, 0.0f, -3.0f, 3.0f, ENV_PHYSICS, ENV_LINEAR, "1/s^2", "Pulls the ball down, or up where negative.")      \
    P(paddle_speed, 0.74f, 0.2f, 3.0f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of both paddles.")                          \
    P(paddle_height, 0.18f, 0.05f, 0.5f, ENV_PHYSICS, ENV_LOG, "", "Height of both paddles.")                          \
    P(ball_size, 0.03f, 0.01f, 0.1f, ENV_PHYSICS, ENV_LOG, "", "Diameter of the ball.")                                \
    P(serve_slope, 0.6f, 0.0f, 2.0f, ENV_PHYSICS, ENV_LINEAR, "", "The steepest slope of a serve.")                    \
    P(pause, 0.4f, 0.0f, 2.0f, ENV_WORLD, ENV_LINEAR, "s", "Rest before each serve.")                                  \
    P(points, 21.0f, 1.0f, 21.0f, ENV_WORLD, ENV_INTEGER, "", "Points that win the game.")                             \
    P(skill, 0.5f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: 0.5 follows, 1 aims.")
#include "../env.h"
#include "../geometry.h"

#define WIDTH 1.33333333f
#define TICK (1.0f / 60.0f)
#define FACE 0.06f     /* distance of the paddles' faces from the ends of the court */
#define EDGE 0.85f     /* where the script means to hit, from the paddle's middle (0) to its end (1) */
#define TOP_SPEED 1.5f /* of the ball, as a multiple of `speed`, however often it is hit */
enum { STAY = 0, UP = 1, DOWN = 2, LONGEST = 60 * 60 * 10, KICK = ENV_EVENT_CUSTOM };

struct State {
    EnvBase base;
    float x[ENV_LANES], y[ENV_LANES];   /* the ball's centre */
    float vx[ENV_LANES], vy[ENV_LANES]; /* per second */
    float paddle[ENV_SLOTS][ENV_LANES]; /* centres */
    float move[ENV_SLOTS][ENV_LANES];   /* -1, 0 or 1: how the paddle moved in the last tick */
    float rest[ENV_LANES];              /* ticks until the serve */
    int32_t points[ENV_SLOTS][ENV_LANES];
};

#define PARAM(name) (s->base.param[P_##name])

static void serve(State *s, int lane, int side) {
    EnvBits bits = env_bits(s, lane);
    float slope = PARAM(serve_slope)[lane] * (2.0f * env_unit(bits.a) - 1.0f);
    float speed = PARAM(speed)[lane];
    s->x[lane] = 0.5f * WIDTH;
    s->y[lane] = 0.2f + 0.6f * env_unit(bits.b);
    s->vx[lane] = side ? speed : -speed;
    s->vy[lane] = speed * slope;
    s->rest[lane] = env_floor(PARAM(pause)[lane] * 60.0f);
}

static void reset(State *s, int lane) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->paddle[slot][lane] = 0.5f;
        s->move[slot][lane] = 0.0f;
        s->points[slot][lane] = 0;
    }
    serve(s, lane, (int)env_below(s, lane, 2));
}

/* The ball left the court: a point for one side, a serve towards the other, perhaps the end. */
static void point(State *s, int lane, EnvResult out) {
    int winner = s->x[lane] < 0.5f * WIDTH;
    s->points[winner][lane] += s->points[winner][lane] < 99;
    out.reward[winner][lane] += 1.0f;
    out.reward[1 - winner][lane] -= 1.0f;
    if ((float)s->points[winner][lane] >= PARAM(points)[lane]) {
        out.terminated[lane] = 1;
    }
    serve(s, lane, 1 - winner);
}

/* The paddles, then the ball: straight-line code, so that the loops over lanes become SIMD. */
static void step(State *s, EnvActions action, EnvResult out) {
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        for (int l = 0; l < ENV_LANES; l++) {
            float half = 0.5f * PARAM(paddle_height)[l];
            float move = (float)((action[slot][0][l] == DOWN) - (action[slot][0][l] == UP));
            float moved = s->paddle[slot][l] + move * (PARAM(paddle_speed)[l] * TICK);
            s->move[slot][l] = move;
            s->paddle[slot][l] = env_clamp(moved, half, 1.0f - half);
        }
    }
    int32_t outside = 0, longest = 0; /* whether any ball is outside, any game at its longest */
#if defined(__wasm_simd128__) && ENV_LANES > 1 && !defined(__OPTIMIZE_SIZE__)
#pragma clang loop vectorize(enable) /* clang reckons that choices cost more than they do */
#endif
    for (int l = 0; l < ENV_LANES; l++) {
        float radius = 0.5f * PARAM(ball_size)[l], reach = 0.5f * PARAM(paddle_height)[l] + radius;
        float time = s->rest[l] > 0.0f ? 0.0f : TICK;
        float x = s->x[l], y = s->y[l], vx = s->vx[l], vy = s->vy[l] + PARAM(gravity)[l] * time;
        float first = s->paddle[0][l], second = s->paddle[1][l];
        float nx = x + vx * time, ny = y + vy * time;

        /* The ball is hit where it passes the face of the paddle that it flies to, if the paddle is there. Distances
         * from that face, before and after this tick, are mirrored so that they fall. */
        float side = vx < 0.0f ? -1.0f : 1.0f, middle = 0.5f * WIDTH;
        float face = middle - FACE - radius; /* from the middle of the court */
        float before = face - (x - middle) * side, after = face - (nx - middle) * side;
        float way = before - after;
        float height = y + (ny - y) * (before / (way > 0.0f ? way : 1.0f));
        float offset = (height - (vx < 0.0f ? first : second)) / reach;
        int met = (before >= 0.0f) & (after < 0.0f) & (env_abs(offset) <= 1.0f);

        float low = 1.0f - radius;
        vy = ny < radius ? env_abs(vy) : vy;
        vy = ny > low ? -env_abs(vy) : vy;
        ny = ny < radius ? radius + (radius - ny) : ny;
        ny = ny > low ? low + (low - ny) : ny;

        float pace = env_min(env_abs(vx) * (1.0f + PARAM(acceleration)[l]), PARAM(speed)[l] * TOP_SPEED);
        nx = met ? (face + after) * side + middle : nx;
        s->vx[l] = met ? pace * -side : vx;
        s->vy[l] = met ? pace * PARAM(steepness)[l] * offset : vy;
        s->x[l] = nx;
        s->y[l] = env_clamp(ny, radius, low);
        s->rest[l] = env_max(s->rest[l] - 1.0f, 0.0f);
        outside |= env_abs(nx - middle) > middle + radius;
        longest |= s->base.tick[l] + 1 >= LONGEST;
    }
    for (int l = 0; outside && l < ENV_LANES; l++) {
        if (env_abs(s->x[l] - 0.5f * WIDTH) > 0.5f * WIDTH + 0.5f * PARAM(ball_size)[l]) {
            point(s, l, out);
        }
    }
    for (int l = 0; longest && l < ENV_LANES; l++) {
        out.truncated[l] |= s->base.tick[l] + 1 >= LONGEST;
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    for (int l = 0; l < ENV_LANES; l++) {
        float *o = obs + (size_t)l * stride;
        float waiting = s->rest[l] > 0.0f ? 0.0f : 0.5f;
        float x = s->x[l] * (2.0f / WIDTH) - 1.0f, vx = s->vx[l] * waiting;
        o[0] = s->paddle[slot][l] * 2.0f - 1.0f;
        o[1] = s->paddle[1 - slot][l] * 2.0f - 1.0f;
        o[2] = slot ? -x : x;
        o[3] = s->y[l] * 2.0f - 1.0f;
        o[4] = slot ? -vx : vx;
        o[5] = s->vy[l] * waiting;
        o[6] = s->move[slot][l];
        o[7] = s->move[1 - slot][l];
    }
}

/* Where the ball will meet the face of `slot`, if it flies there; 0.5 (the middle) otherwise. */
static inline float arrival(const State *s, int slot, int l) {
    float radius = 0.5f * PARAM(ball_size)[l];
    float away = slot ? WIDTH - FACE - radius - s->x[l] : s->x[l] - FACE - radius;
    float pace = slot ? s->vx[l] : -s->vx[l];
    float time = env_max(away, 0.0f) / env_max(pace, 0.1f);
    float y = env_fold(s->y[l] + time * (s->vy[l] + 0.5f * PARAM(gravity)[l] * time), radius, 1.0f - 2.0f * radius);
    int comes = (pace > 0.0f) & (s->rest[l] <= 0.0f);
    return comes ? y : 0.5f;
}

/* Skill 0.5 follows: it moves, at full speed, while the ball's height is beyond its paddle's ends. Below, it does so
 * late and haltingly. Above, it goes more and more to where the ball will arrive, and holds the paddle so that the ball
 * leaves to where the opponent is not. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float target[ENV_LANES];
    int32_t any = 0;
    for (int l = 0; l < ENV_LANES; l++) {
        float weak = env_max(1.0f - 2.0f * skill[l], 0.0f);
        target[l] = s->y[l] - s->vy[l] * (0.4f * weak);
        any |= skill[l] > 0.5f;
    }
    if (any) {
        for (int l = 0; l < ENV_LANES; l++) {
            float radius = 0.5f * PARAM(ball_size)[l], half = 0.5f * PARAM(paddle_height)[l], reach = half + radius;
            float rise = PARAM(steepness)[l] * (WIDTH - 2.0f * FACE), other = s->paddle[1 - slot][l];
            float y = arrival(s, slot, l), aim = y, best = -1.0f;
            for (int i = -3; i <= 3; i++) {
                float held = env_clamp(y - EDGE / 3.0f * (float)i * reach, half, 1.0f - half);
                float away = env_abs(env_fold(y + rise * ((y - held) / reach), radius, 1.0f - 2.0f * radius) - other);
                aim = away > best ? held : aim;
                best = env_max(away, best);
            }
            float coming = slot ? s->vx[l] : -s->vx[l], strong = env_max(2.0f * skill[l] - 1.0f, 0.0f);
            target[l] += ((coming > 0.0f ? aim : y) - target[l]) * strong;
        }
    }
    for (int l = 0; l < ENV_LANES; l++) {
        float gap = target[l] - s->paddle[slot][l];
        float calm = 0.5f * PARAM(paddle_height)[l] * env_min(2.0f - 2.0f * skill[l], 1.0f);
        float slack = env_max(calm, 0.6f * TICK * PARAM(paddle_speed)[l]);
        float turn = (float)(s->base.tick[l] * 5 & 15) * (1.0f / 16.0f);
        int awake = turn >= 0.65f * env_max(1.0f - 2.0f * skill[l], 0.0f);
        int32_t choice = (gap > slack) * DOWN + (gap < -slack) * UP;
        action[0][l] = choice * awake; /* STAY is 0 */
    }
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == KICK) { /* the ball keeps its side to side speed and turns towards the height of the click */
        float steep = env_clamp((event->at[1] - s->y[lane]) * 4.0f, -1.0f, 1.0f) * PARAM(steepness)[lane];
        s->vy[lane] = env_abs(s->vx[lane]) * steep;
        s->rest[lane] = 0.0f;
    }
}

static float score(const State *s, int lane, int slot) {
    return (float)(s->points[slot][lane] - s->points[1 - slot][lane]);
}

/* Minus the distance from the paddle to where the ball will arrive, while it comes this way. */
static float potential(const State *s, int lane, int slot) {
    float coming = slot ? s->vx[lane] : -s->vx[lane];
    float gap = env_abs(arrival(s, slot, lane) - s->paddle[slot][lane]);
    return coming > 0.0f && s->rest[lane] <= 0.0f ? -gap : 0.0f;
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const uint32_t court = 0x101820ff, line = 0x2b3a48ff, digits = 0x3d5166ff, ball = 0xfff4d6ff;
    const uint32_t side[ENV_SLOTS] = {0x4fd1c5ff, 0xf6885fff};
    const float middle = 0.5f * WIDTH, thick = 0.018f, height = PARAM(paddle_height)[lane];
    (void)view;
    env_rect(list, middle, 0.5f, WIDTH, 1.0f, 0.0f, 0.0f, court);
    for (int i = 0; i < 20; i++) {
        env_rect(list, middle, 0.025f + 0.05f * (float)i, 0.006f, 0.026f, 0.0f, 0.003f, line);
    }
    env_number(list, middle - 0.16f, 0.12f, 0.15f, ENV_CENTRED, digits, s->points[0][lane]);
    env_number(list, middle + 0.16f, 0.12f, 0.15f, ENV_CENTRED, digits, s->points[1][lane]);
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        float x = slot ? WIDTH - FACE + 0.5f * thick : FACE - 0.5f * thick;
        env_rect(list, x, s->paddle[slot][lane], thick, height, 0.0f, 0.5f * thick, side[slot]);
    }
    float radius = 0.5f * PARAM(ball_size)[lane];
    if (s->rest[lane] <= 0.0f) {
        float tail = 0.05f;
        env_line(list, s->x[lane] - s->vx[lane] * tail, s->y[lane] - s->vy[lane] * tail, s->x[lane], s->y[lane],
                 1.2f * radius, 0xfff4d62e);
    }
    env_circle(list, s->x[lane], s->y[lane], radius, ball);
}

static const EnvField fields[ENV_OBS] = {
    {"own_y", -1.0f, 1.0f},   {"opponent_y", -1.0f, 1.0f}, {"ball_x", -1.1f, 1.1f},   {"ball_y", -1.0f, 1.0f},
    {"ball_vx", -1.0f, 1.0f}, {"ball_vy", -1.0f, 1.0f},    {"own_move", -1.0f, 1.0f}, {"opponent_move", -1.0f, 1.0f},
};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"move", 3, 0.0f, 0.0f, "stay,up,down"}};
static const EnvControl controls[] = {
    {"Up", "ArrowUp,KeyW", "button12,axis1-", "top", 0, UP},
    {"Down", "ArrowDown,KeyS", "button13,axis1+", "bottom", 0, DOWN},
};
static const EnvGesture gestures[] = {{KICK, "Kick", "Click, and the ball turns towards that height.", "click", "at"}};

static const Env env = {
    .spec =
        {
            .name = "pong",
            .title = "Pong",
            .description = "Two paddles, one ball, first to 21. Hit it with the edge to send it off steeply.",
            .agents = 1,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {STAY},
            .tick_rate = 60.0f,
            .action_repeat = 8,
            .score_name = "points ahead",
            .score_low = -21.0f,
            .score_high = 21.0f,
            .view_width = WIDTH,
            .view_height = 1.0f,
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
    .potential = potential,
};
#include "../core.h"

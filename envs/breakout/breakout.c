/* breakout.c: a paddle, a wall of bricks and a ball that gets faster.
 *
 * Lengths are in court widths (the court is 1 wide and HEIGHT high), y points down. Where the ball meets the paddle
 * decides how steeply it leaves; each hit of the paddle adds to its speed. Five lives, one wall.
 */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_SHAPES 86
#define ENV_OBS 18
#define ENV_PARAMS(P)                                                                                                  \
    P(speed, 0.8f, 0.3f, 1.5f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of a served ball.")                                 \
    P(acceleration, 0.02f, 0.0f, 0.1f, ENV_PHYSICS, ENV_LINEAR, "", "What each hit of the paddle adds to it.")         \
    P(steepness, 1.2f, 0.4f, 2.5f, ENV_PHYSICS, ENV_LINEAR, "", "Sideways slope of a ball hit with the very edge.")    \
    P(gravity, 0.0f, -0.5f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "1/s^2", "Pulls the ball down, or up where negative.")      \
    P(paddle_speed, 1.0f, 0.3f, 3.0f, ENV_PHYSICS, ENV_LOG, "1/s", "Speed of the paddle.")                             \
    P(paddle_width, 0.16f, 0.06f, 0.5f, ENV_PHYSICS, ENV_LOG, "", "Width of the paddle.")                              \
    P(ball_size, 0.025f, 0.01f, 0.06f, ENV_PHYSICS, ENV_LOG, "", "Diameter of the ball.")                              \
    P(rows, 6.0f, 1.0f, 6.0f, ENV_WORLD, ENV_INTEGER, "", "Rows of bricks.")                                           \
    P(lives, 5.0f, 1.0f, 9.0f, ENV_WORLD, ENV_INTEGER, "", "Balls of one game.")                                       \
    P(pause, 0.4f, 0.0f, 2.0f, ENV_WORLD, ENV_LINEAR, "s", "Rest before each serve.")                                  \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how well it foresees.")
#include "../env.h"
#include "../geometry.h"

#define TICK (1.0f / 60.0f)
#define HEIGHT 1.2f
#define FACE 1.12f     /* height of the paddle's upper side */
#define TOP 0.14f      /* of the wall */
#define BRICK 0.036f   /* height of a brick */
#define TOP_SPEED 1.6f /* of the ball, in widths a second, however often it is hit (a serve may be faster) */
#define FLATTEST 0.15f /* the least share of the ball's speed that goes up or down */
#define OBSERVED 0.5f  /* scale of observed velocities */
enum { STAY = 0, LEFT = 1, RIGHT = 2, ROWS = 6, COLUMNS = 12, LONGEST = 60 * 60 * 5, KICK = ENV_EVENT_CUSTOM };

struct State {
    EnvBase base;
    float x[ENV_LANES], y[ENV_LANES];   /* the ball's centre */
    float vx[ENV_LANES], vy[ENV_LANES]; /* per second */
    float paddle[ENV_LANES];            /* centre */
    float move[ENV_LANES];              /* -1, 0 or 1: how the paddle moved in the last tick */
    float rest[ENV_LANES];              /* ticks until the serve */
    int32_t wall[ROWS][ENV_LANES];      /* a bit for each brick that stands */
    int32_t broken[ENV_LANES], hits[ENV_LANES], lives[ENV_LANES];
};

#define PARAM(name) (s->base.param[P_##name])

static void serve(State *s, int lane) {
    EnvBits bits = env_bits(s, lane);
    float slope = 1.2f * env_unit(bits.a) - 0.6f, speed = PARAM(speed)[lane];
    float down = speed / env_sqrt(1.0f + slope * slope);
    s->x[lane] = 0.2f + 0.6f * env_unit(bits.b);
    s->y[lane] = TOP + BRICK * (float)ROWS + 0.1f;
    s->vx[lane] = down * slope;
    s->vy[lane] = down;
    s->rest[lane] = env_floor(PARAM(pause)[lane] * 60.0f);
}

static void reset(State *s, int lane) {
    for (int row = 0; row < ROWS; row++) {
        s->wall[row][lane] = (float)row < PARAM(rows)[lane] ? (1 << COLUMNS) - 1 : 0;
    }
    s->paddle[lane] = 0.5f;
    s->move[lane] = 0.0f;
    s->broken[lane] = s->hits[lane] = 0;
    s->lives[lane] = (int32_t)PARAM(lives)[lane];
    serve(s, lane);
}

/* Breaks the bricks at the points (x, y) of all lanes; hit: 1 where there was one. Left by itself, it becomes SIMD. */
static __attribute__((noinline)) void probe(State *restrict s, const float *restrict x, const float *restrict y,
                                            int32_t *restrict hit) {
    for (int l = 0; l < ENV_LANES; l++) {
        int32_t row = (int32_t)env_clamp((y[l] - TOP) * (1.0f / BRICK) + 1.0f, 0.0f, (float)ROWS + 1.0f) - 1;
        int32_t column = (int32_t)env_clamp(x[l] * (float)COLUMNS, 0.0f, (float)COLUMNS - 1.0f), all = 0;
        int32_t bit =
            (int32_t)env_from_bits((uint32_t)(column + 127) << 23); /* 1 << column, which few have vectors for */
        for (int r = 0; r < ROWS; r++) {
            int32_t struck = s->wall[r][l] & (row == r ? bit : 0);
            s->wall[r][l] ^= struck;
            all |= struck;
        }
        hit[l] = all != 0;
    }
}

/* The paddle sends the ball up: sideways by where it was met, and faster. */
static void bounce(State *s, int lane, float offset) {
    float speed = env_sqrt(s->vx[lane] * s->vx[lane] + s->vy[lane] * s->vy[lane]);
    float faster = env_max(env_min(speed * (1.0f + PARAM(acceleration)[lane]), TOP_SPEED), PARAM(speed)[lane]);
    float slope = PARAM(steepness)[lane] * offset, up = faster / env_sqrt(1.0f + slope * slope);
    s->vx[lane] = up * slope;
    s->vy[lane] = -up;
    s->hits[lane] += s->hits[lane] < 1000000;
}

static void step(State *s, EnvActions action, EnvResult out) {
    float x[ENV_LANES], y[ENV_LANES], edge[ENV_LANES], met[ENV_LANES];
    int32_t tall[ENV_LANES], wide[ENV_LANES], rare = 0;
    for (int l = 0; l < ENV_LANES; l++) {
        float half = 0.5f * PARAM(paddle_width)[l], radius = 0.5f * PARAM(ball_size)[l];
        float move = (float)((action[0][0][l] == RIGHT) - (action[0][0][l] == LEFT));
        float paddle = env_clamp(s->paddle[l] + move * (PARAM(paddle_speed)[l] * TICK), half, 1.0f - half);
        float time = s->rest[l] > 0.0f ? 0.0f : TICK;
        float vx = s->vx[l], vy = s->vy[l] + PARAM(gravity)[l] * time;
        float nx = s->x[l] + vx * time, ny = s->y[l] + vy * time;

        vx = nx < radius ? env_abs(vx) : vx;
        vx = nx > 1.0f - radius ? -env_abs(vx) : vx;
        vy = ny < radius ? env_abs(vy) : vy;
        nx = env_clamp(nx, radius, 1.0f - radius);
        ny = env_max(ny, radius);

        float face = FACE - radius, offset = (nx - paddle) / (half + radius);
        int hit = (s->y[l] <= face) & (ny > face) & (env_abs(offset) <= 1.0f);
        met[l] = hit ? offset : 2.0f;
        y[l] = hit ? face : ny;
        rare |= hit | (ny > HEIGHT + radius) << 1 | (s->base.tick[l] + 1 >= LONGEST) << 2;
        x[l] = nx;
        edge[l] = y[l] + (vy < 0.0f ? -radius : radius);
        s->paddle[l] = paddle;
        s->move[l] = move;
        s->vx[l] = vx;
        s->vy[l] = vy;
        s->rest[l] = env_max(s->rest[l] - 1.0f, 0.0f);
    }
    /* What the ball's front meets throws it back: its upper or lower end first, then its side. */
    probe(s, x, edge, tall);
    for (int l = 0; l < ENV_LANES; l++) {
        float radius = 0.5f * PARAM(ball_size)[l];
        s->vy[l] = tall[l] ? -s->vy[l] : s->vy[l];
        edge[l] = x[l] + (s->vx[l] < 0.0f ? -radius : radius);
    }
    probe(s, edge, y, wide);
    for (int l = 0; l < ENV_LANES; l++) {
        int32_t broken = tall[l] + wide[l];
        s->vx[l] = wide[l] ? -s->vx[l] : s->vx[l];
        s->x[l] = broken ? s->x[l] : x[l];
        s->y[l] = broken ? s->y[l] : y[l];
        s->broken[l] += broken;
        out.reward[0][l] += (float)broken;
        out.terminated[l] |= (float)s->broken[l] >= PARAM(rows)[l] * (float)COLUMNS;
    }
    for (int l = 0; rare && l < ENV_LANES; l++) {
        if (met[l] < 1.5f) {
            bounce(s, l, met[l]);
        }
        if (s->y[l] > HEIGHT + 0.5f * PARAM(ball_size)[l]) {
            s->lives[l] -= s->lives[l] > 0;
            out.terminated[l] |= s->lives[l] == 0;
            serve(s, l);
        }
        out.truncated[l] |= s->base.tick[l] + 1 >= LONGEST;
    }
}

/* The bricks that stand in each column, in binary: a bit for each column of ones, of twos, of fours. Rows are added as
 * three bits make two, for all columns at once. */
static inline void count(const State *s, int l, int32_t *ones, int32_t *twos, int32_t *fours) {
    int32_t a = s->wall[0][l], b = s->wall[1][l], c = s->wall[2][l];
    int32_t d = s->wall[3][l], e = s->wall[4][l], f = s->wall[5][l];
    int32_t one = a ^ b ^ c, other = d ^ e ^ f, both = one & other;
    int32_t two = (a & b) | (c & (a ^ b)), more = (d & e) | (f & (d ^ e));
    *ones = one ^ other;
    *twos = two ^ more ^ both;
    *fours = (two & more) | (both & (two ^ more));
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    int32_t ones[ENV_LANES], twos[ENV_LANES], fours[ENV_LANES];
    (void)slot;
    for (int l = 0; l < ENV_LANES; l++) {
        count(s, l, &ones[l], &twos[l], &fours[l]);
    }
    for (int l = 0; l < ENV_LANES; l++) {
        float *o = obs + (size_t)l * stride, moves = s->rest[l] > 0.0f ? 0.0f : OBSERVED;
        o[0] = s->paddle[l] * 2.0f - 1.0f;
        o[1] = s->x[l] * 2.0f - 1.0f;
        o[2] = s->y[l] * (2.0f / HEIGHT) - 1.0f;
        o[3] = s->vx[l] * moves;
        o[4] = s->vy[l] * moves;
        o[5] = s->x[l] - s->paddle[l];
        for (int c = 0; c < COLUMNS; c++) {
            int32_t bit = 1 << c;
            int32_t count = ((ones[l] & bit) != 0) + ((twos[l] & bit) != 0) * 2 + ((fours[l] & bit) != 0) * 4;
            o[6 + c] = (float)count * (1.0f / ROWS);
        }
    }
}

/* Goes to where the ball will arrive, and meets it now with one side of the paddle, now with the other, so that no ball
 * runs in circles. Less skill foresees worse. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    (void)slot;
    for (int l = 0; l < ENV_LANES; l++) {
        float radius = 0.5f * PARAM(ball_size)[l];
        float time = s->vy[l] > 0.05f ? env_max(FACE - radius - s->y[l], 0.0f) / s->vy[l] : 0.0f;
        float x = env_fold(s->x[l] + time * s->vx[l], radius, 1.0f - 2.0f * radius);
        float phase = (float)(s->hits[l] * 7 & 15) * (2.0f / 15.0f) - 1.0f; /* -1 to 1, another for each hit */
        float aim = 0.6f * phase * (0.5f * PARAM(paddle_width)[l]), err = 0.4f * phase * (1.0f - skill[l]);
        float gap = x + aim + err - s->paddle[l], slack = 0.6f * TICK * PARAM(paddle_speed)[l];
        action[0][l] = (gap > slack) * RIGHT + (gap < -slack) * LEFT;
    }
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == KICK) { /* the ball keeps its speed and turns towards the click */
        float dx = event->at[0] - s->x[lane], dy = event->at[1] - s->y[lane];
        float way = env_sqrt(dx * dx + dy * dy);
        float speed = env_sqrt(s->vx[lane] * s->vx[lane] + s->vy[lane] * s->vy[lane]);
        if (way > 0.001f && way < 100.0f) {
            s->vx[lane] = speed * dx / way;
            s->vy[lane] = speed * (env_abs(dy / way) < FLATTEST ? FLATTEST : dy / way);
            s->rest[lane] = 0.0f;
        }
    }
}

static float score(const State *s, int lane, int slot) {
    (void)slot;
    return (float)s->broken[lane] / (PARAM(rows)[lane] * (float)COLUMNS) * 100.0f;
}

static float success(const State *s, int lane, int slot) {
    (void)slot;
    return (float)s->broken[lane] >= PARAM(rows)[lane] * (float)COLUMNS ? 1.0f : 0.0f;
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    static const uint32_t colors[ROWS] = {0xe4572eff, 0xf6885fff, 0xf2c14eff, 0x7bd389ff, 0x4fd1c5ff, 0x5b8defff};
    (void)view;
    env_rect(list, 0.5f, 0.5f * HEIGHT, 1.0f, HEIGHT, 0.0f, 0.0f, 0x101820ff);
    for (int row = 0; row < ROWS; row++) {
        for (int column = 0; column < COLUMNS; column++) {
            if (s->wall[row][lane] >> column & 1) {
                float x = ((float)column + 0.5f) / (float)COLUMNS, y = TOP + ((float)row + 0.5f) * BRICK;
                env_rect(list, x, y, 0.95f / (float)COLUMNS, 0.88f * BRICK, 0.0f, 0.005f, colors[row]);
            }
        }
    }
    env_number(list, 0.97f, 0.065f, 0.07f, ENV_RIGHT, 0x3d5166ff, s->broken[lane]);
    for (int life = 0; life < s->lives[lane]; life++) {
        env_circle(list, 0.04f + 0.045f * (float)life, 0.065f, 0.013f, 0x3d5166ff);
    }
    env_rect(list, s->paddle[lane], FACE + 0.012f, PARAM(paddle_width)[lane], 0.024f, 0.0f, 0.012f, 0x4fd1c5ff);
    if (s->rest[lane] <= 0.0f) {
        env_line(list, s->x[lane] - s->vx[lane] * 0.05f, s->y[lane] - s->vy[lane] * 0.05f, s->x[lane], s->y[lane],
                 0.6f * PARAM(ball_size)[lane], 0xfff4d62e);
    }
    env_circle(list, s->x[lane], s->y[lane], 0.5f * PARAM(ball_size)[lane], 0xfff4d6ff);
}

#define COLUMN(n) {"bricks_" #n, 0.0f, 1.0f}
static const EnvField fields[ENV_OBS] = {
    {"paddle", -1.0f, 1.0f},
    {"ball_x", -1.0f, 1.0f},
    {"ball_y", -1.0f, 1.1f},
    {"ball_vx", -1.0f, 1.0f},
    {"ball_vy", -1.0f, 1.0f},
    {"gap", -1.0f, 1.0f},
    COLUMN(0),
    COLUMN(1),
    COLUMN(2),
    COLUMN(3),
    COLUMN(4),
    COLUMN(5),
    COLUMN(6),
    COLUMN(7),
    COLUMN(8),
    COLUMN(9),
    COLUMN(10),
    COLUMN(11),
};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"move", 3, 0.0f, 0.0f, "stay,left,right"}};
static const EnvControl controls[] = {
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "left", 0, LEFT},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "right", 0, RIGHT},
};
static const EnvGesture gestures[] = {{KICK, "Kick", "Click, and the ball turns towards that place.", "click", "at"}};

static const Env env = {
    .spec =
        {
            .name = "breakout",
            .title = "Breakout",
            .description = "Break the wall with the ball, and do not lose it. It gets faster.",
            .agents = 1,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {STAY},
            .tick_rate = 60.0f,
            .action_repeat = 4,
            .score_name = "% of the bricks",
            .score_low = 0.0f,
            .score_high = 100.0f,
            .view_width = 1.0f,
            .view_height = HEIGHT,
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
    .success = success,
};
#include "../core.h"

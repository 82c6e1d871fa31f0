/* 2048.c: slide the tiles of a 4 x 4 board; equal ones merge.
 *
 * The board is 64 bits, a nibble a cell: nibble 4 * row + column holds the exponent of its tile, 0 where it is empty.
 * Moves left work on these rows; the others turn or mirror the board first. Standing still is possible for a person who
 * thinks, but the mask allows it to no policy.
 */
#define ENV_LANES 1
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_SHAPES 35
#define ENV_OBS (4 * 96) /* for each way, how the board would lie */
#define ENV_OBS_U8
#define ENV_PARAMS(P)                                                                                                  \
    P(fours, 0.1f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "How often a new tile is a 4.")                            \
    P(goal, 11.0f, 4.0f, 15.0f, ENV_WORLD, ENV_INTEGER, "", "Power of two whose tile counts as success.")              \
    P(merged, 0.0f, 0.0f, 0.1f, ENV_REWARD, ENV_LINEAR, "1/point", "Reward of each point.")                            \
    P(stuck, 1.0f, 0.0f, 10.0f, ENV_REWARD, ENV_LINEAR, "", "Penalty of the end.")                                     \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how rarely it errs.")
#include "../env.h"

enum { UP, RIGHT, DOWN, LEFT, WAIT, WAYS = 4, TOP = 15, LONGEST = 1 << 17, CHANGE = ENV_EVENT_CUSTOM };
#define ONES 0x1111111111111111u /* the lowest bit of each cell */
#define ROWS 0x0001000100010001u /* the lowest bit of each row */
#define BYTES 0x0101010101010101u

struct State {
    EnvBase base;
    /* What each way would lead to: the boards, turned so that the way is to the left, and where tiles would merge.
     * Kept, like `ways`, since masks, steps, endings and observations all ask for it. */
    uint32_t after[2 * WAYS], merged[2 * WAYS];
    uint32_t board[2];     /* low and high half */
    uint32_t ways;         /* that are possible, as bits */
    int32_t points, moved; /* moved: the last way, or WAIT */
};

#define PARAM(name) (s->base.param[P_##name][0])

static inline uint64_t board(const State *s) {
    return (uint64_t)s->board[1] << 32 | s->board[0];
}

/* Rows become columns. */
static inline uint64_t transpose(uint64_t x) {
    uint64_t a = (x & 0xf0f00f0ff0f00f0fu) | (x & 0x0000f0f00000f0f0u) << 12 | (x & 0x0f0f00000f0f0000u) >> 12;
    return (a & 0xff00ff0000ff00ffu) | (a & 0x00ff00ff00000000u) >> 24 | (a & 0x00000000ff00ff00u) << 24;
}

/* Left becomes right. */
static inline uint64_t mirror(uint64_t x) {
    x = (x & 0x0f0f0f0f0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0fu);
    return (x & 0x00ff00ff00ff00ffu) << 8 | (x >> 8 & 0x00ff00ff00ff00ffu);
}

/* The board turned four ways, so that each way is to the left. */
static inline void turn(uint64_t x, uint64_t out[WAYS]) {
    out[UP] = transpose(x);
    out[RIGHT] = mirror(x);
    out[DOWN] = mirror(out[UP]);
    out[LEFT] = x;
}

static inline uint64_t turned_back(uint64_t x, int way) {
    x = way == RIGHT || way == DOWN ? mirror(x) : x;
    return way == UP || way == DOWN ? transpose(x) : x;
}

/* One bit a cell, its nibble's lowest: where there is a tile. */
static inline uint64_t tiles(uint64_t x) {
    x |= x >> 2;
    return (x | x >> 1) & ONES;
}

/* In the given rows (all bits of each), the cells to the right of cell p move up by one, over cell p. */
static inline uint64_t close_up(uint64_t x, uint64_t rows, int p) {
    uint64_t moving = rows & ROWS * (0xffffu & ~0u << 4 * p);
    return (x & ~moving) | (x >> 4 & moving & ROWS * 0x0fff);
}

/* Slides all four rows to the left, side by side. merged: the lowest bits of the tiles that two became. */
static inline uint64_t slide(uint64_t x, uint64_t *merged) {
    uint64_t gaps = ~tiles(x), found = 0;
    for (int p = 2; p >= 0; p--) { /* from the right, so that what is beyond is closed already */
        x = close_up(x, (gaps >> 4 * p & ROWS) * 0xffff, p);
    }
    for (int p = 0; p < 3; p++) {
        uint64_t here = x >> 4 * p & ROWS * 15, next = x >> 4 * p >> 4 & ROWS * 15;
        uint64_t top = (here + ROWS) >> 4; /* tiles of the largest kind do not merge */
        uint64_t rows = tiles(here) & ~tiles(here ^ next) & ~top & ROWS;
        x = close_up(x, rows * 0xffff, p + 1) + (rows << 4 * p);
        found |= rows << 4 * p;
    }
    *merged = found;
    return x;
}

/* Slides the board all four ways: a loop of its own, which becomes SIMD. */
static void slides(uint64_t x, uint64_t before[WAYS], uint64_t after[WAYS], uint64_t merged[WAYS]) {
    turn(x, before);
    for (int way = 0; way < WAYS; way++) {
        after[way] = slide(before[way], &merged[way]);
    }
}

/* Copies the boards of all ways as one vector, as the loops over ways load and store them: what is stored in parts has
 * to reach the cache before it can be loaded as a whole. */
static inline void copy(void *to, const void *from) {
    typedef uint64_t Boards __attribute__((vector_size(8 * WAYS)));
    Boards all;
    memcpy(&all, from, sizeof all);
    memcpy(to, &all, sizeof all);
}

static void put(State *s, uint64_t b) {
    uint64_t before[WAYS], after[WAYS], merged[WAYS];
    slides(b, before, after, merged);
    s->board[0] = (uint32_t)b;
    s->board[1] = (uint32_t)(b >> 32);
    copy(s->after, after);
    copy(s->merged, merged);
    s->ways = 0;
    for (int way = 0; way < WAYS; way++) {
        s->ways |= (uint32_t)(before[way] != after[way]) << way;
    }
}

/* The sum of some of a board's tiles. */
static inline int32_t sum(uint64_t x, uint64_t cells) {
    int32_t points = 0;
    for (; cells; cells &= cells - 1) {
        points += 1 << (x >> __builtin_ctzll(cells) & 15);
    }
    return points;
}

static int count(uint64_t bits) {
    bits = (bits & BYTES) + (bits >> 4 & BYTES);
    return (int)(bits * BYTES >> 56);
}

/* The board with a new tile on an empty cell; there must be one. */
static uint64_t appear(State *s, uint64_t b) {
    EnvBits bits = env_bits(s, 0);
    uint64_t empty = ~tiles(b) & ONES, pairs = (empty & BYTES) + (empty >> 4 & BYTES);
    uint64_t up_to = pairs * BYTES; /* in each byte, how many are empty in the bytes up to it */
    uint64_t skip = (uint64_t)bits.a * (up_to >> 56) >> 32;
    uint64_t before = (((skip | 128) * BYTES - up_to) >> 7 & BYTES) * BYTES >> 56; /* bytes before the chosen cell */
    uint64_t left = skip - (up_to << 8 >> 8 * before & 255), byte = empty >> 8 * before;
    uint64_t cell = (uint64_t)(left < (byte & 1) ? 1 : 16) << 8 * before;
    return b | cell << (env_unit(bits.b) < PARAM(fours));
}

static void reset(State *s, int lane) {
    (void)lane;
    s->points = 0;
    s->moved = WAIT;
    put(s, appear(s, appear(s, 0)));
}

static void step(State *s, EnvActions action, EnvResult out) {
    int way = action[0][0][0];
    out.truncated[0] |= s->base.tick[0] + 1 >= LONGEST;
    if (way != WAIT && s->ways >> way & 1) {
        uint64_t after, merged;
        memcpy(&after, s->after + 2 * way, sizeof after);
        memcpy(&merged, s->merged + 2 * way, sizeof merged);
        int32_t points = sum(after, merged);
        put(s, appear(s, turned_back(after, way)));
        s->points += s->points < 1 << 28 ? points : 0;
        s->moved = way;
        out.reward[0][0] += (float)points * PARAM(merged);
    }
    if (s->ways == 0) {
        out.reward[0][0] -= PARAM(stuck);
        out.terminated[0] = 1;
    }
}

static void mask(const State *s, int lane, int slot, uint8_t *possible) {
    (void)lane, (void)slot;
    uint32_t spread = (s->ways * 0x00204081u) & 0x01010101u; /* a byte each */
    memcpy(possible, &spread, WAYS);
    possible[WAIT] = s->ways == 0;
}

/* Turned and mirrored so that the largest corner is the first and the larger of its neighbours the second. */
static inline uint64_t arranged(uint64_t x) {
    uint64_t a = x & 15, b = x >> 12 & 15, c = x >> 48 & 15, d = x >> 60;
    uint64_t upper = a > b ? a : b, lower = c > d ? c : d;
    if (lower > upper) { /* turned upside down */
        x = x << 48 | x >> 48 | (x & 0xffff0000u) << 16 | (x >> 16 & 0xffff0000u);
    }
    x = (x >> 12 & 15) > (x & 15) ? mirror(x) : x;
    return (x >> 16 & 15) > (x >> 4 & 15) ? transpose(x) : x;
}

enum { PART = 96 };
typedef uint64_t Pair __attribute__((vector_size(16)));
typedef uint8_t Cells __attribute__((vector_size(16))); /* a byte each: first columns 0 and 2, then 1 and 3 */

static inline Cells cells(uint64_t x, int from) {
    return (Cells)(((Pair){x, x} >> (Pair){(uint64_t)from, (uint64_t)from + 4}) & 15 * BYTES);
}

/* Where they are equal, 255, else 0. */
static inline Cells equal(Cells a, Cells b) {
    return (Cells)(a == b);
}

/* Bytes below 16, in steps of 17. */
static inline Cells scaled(Cells x) {
    return (Cells)((Pair)x << 4 | (Pair)x);
}

/* By how much b is larger than a. */
static inline Cells rise(Cells a, Cells b) {
    return scaled((b - a) & (Cells)(b > a));
}

static inline void store(uint8_t *out, Cells plane) {
    memcpy(out, &plane, sizeof plane);
}

/* One way's part, six planes [4][4] of the arranged board: exponents; empty cells; cells like the one to the right,
 * like the one below; by how much the one to the right, the one below, is larger. */
static inline void part(uint64_t x, uint8_t out[PART]) {
    Cells here = cells(x, 0), below = cells(x, 16);
    Cells right = cells(x, 4) & (Cells)(Pair){15 * BYTES, ROWS * 15};
    Cells none = equal(here, (Cells){0});
    store(out, scaled(here));
    store(out + 16, none);
    store(out + 32, equal(here, right) & ~none);
    store(out + 48, equal(here, below) & ~none);
    store(out + 64, rise(here, right));
    store(out + 80, rise(here, below));
}

static void observe(const State *s, int slot, uint8_t *obs, size_t stride) {
    (void)slot, (void)stride;
    uint64_t x[WAYS];
    copy(x, s->after);
    for (int way = 0; way < WAYS; way++) { /* a loop of its own, which becomes SIMD */
        x[way] = arranged(x[way]);
    }
    for (int way = 0; way < WAYS; way++) {
        part(x[way], obs + PART * way);
    }
}

/* Worth of a board: room, and large tiles in order towards the upper left corner. */
static float worth(uint64_t x) {
    static const int8_t order[16] = {0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11, 15, 14, 13, 12};
    float sum = 0.0f, weight = 1.0f;
    for (int i = 0; i < 16; i++) {
        uint32_t tile = (uint32_t)(x >> 4 * order[i] & 15);
        sum += weight * (float)(int32_t)(1u << tile);
        weight *= 0.5f;
    }
    return sum + 8.0f * (float)count(~tiles(x) & ONES);
}

/* The best of the next two moves, new tiles left out of account. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float best = -1.0f;
    int errs = env_noise(s, 0, slot, 0) >= skill[0];
    action[0][0] = WAIT;
    uint64_t first[WAYS], merged[WAYS], then[WAYS], second[WAYS], more[WAYS];
    memcpy(first, s->after, sizeof first);
    memcpy(merged, s->merged, sizeof merged);
    for (int way = 0; way < WAYS; way++) {
        if (s->ways >> way & 1) {
            uint64_t x = turned_back(first[way], way);
            int32_t points = sum(first[way], merged[way]);
            float value = errs ? env_noise(s, 0, slot, 1 + (uint32_t)way) : 0.5f * worth(x) + (float)points;
            slides(x, then, second, more);
            for (int next = 0; next < WAYS && !errs; next++) {
                if (then[next] != second[next]) {
                    int32_t all = points + sum(second[next], more[next]);
                    value = env_max(value, worth(turned_back(second[next], next)) + (float)all);
                }
            }
            if (value > best) {
                best = value;
                action[0][0] = way;
            }
        }
    }
}

static int largest(const State *s) {
    int most = 0;
    uint64_t left = ONES; /* cells that may hold it */
    for (int bit = 3; bit >= 0; bit--) {
        uint64_t with = board(s) >> bit & left;
        most |= (with != 0) << bit;
        left = with ? with : left;
    }
    return most;
}

/* Takes the tile under the click away, or puts a 2 where there is none. */
static void event(State *s, int lane, const EnvEvent *event) {
    (void)lane;
    if (event->kind == CHANGE && event->at[0] >= 0.0f && event->at[0] < 4.0f && event->at[1] >= 0.5f &&
        event->at[1] < 4.5f) {
        int place = 4 * (4 * (int)(event->at[1] - 0.5f) + (int)event->at[0]);
        uint64_t tile = board(s) >> place & 15;
        put(s, board(s) ^ (tile ? tile : 1) << place);
    }
}

static float score(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return (float)s->points;
}

static float success(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return (float)largest(s) >= PARAM(goal) ? 1.0f : 0.0f;
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    static const uint32_t colors[16] = {0x1d2a36ff, 0x3d5166ff, 0x4a6580ff, 0x3f7d8cff, 0x3a9a8fff, 0x4fb583ff,
                                        0x7bd389ff, 0xb5d86bff, 0xf2c14eff, 0xf5a34fff, 0xf6885fff, 0xe4572eff,
                                        0xd1495bff, 0xb0479bff, 0x7c56c2ff, 0x5b6ee1ff};
    (void)lane, (void)view;
    env_rect(list, 2.0f, 2.25f, 4.0f, 4.5f, 0.0f, 0.0f, 0x101820ff);
    env_text(list, 0.1f, 0.25f, 0.3f, ENV_LEFT, 0x6d8196ff, "points");
    env_number(list, 3.9f, 0.25f, 0.36f, ENV_RIGHT, 0xfff4d6ff, s->points);
    for (int cell = 0; cell < 16; cell++) {
        int tile = (int)(board(s) >> 4 * cell & 15);
        float x = (float)(cell % 4) + 0.5f, y = (float)(cell / 4) + 1.0f;
        env_rect(list, x, y, 0.92f, 0.92f, 0.0f, 0.1f, colors[tile]);
        if (tile) {
            float height = tile < 7 ? 0.42f : tile < 10 ? 0.36f : tile < 14 ? 0.28f : 0.22f;
            env_number(list, x, y, height, ENV_CENTRED, tile == 7 || tile == 8 ? 0x101820ff : 0xffffffff, 1 << tile);
        }
    }
}

static const EnvField fields[WAYS] = {
    {"up", 0.0f, 255.0f}, {"right", 0.0f, 255.0f}, {"down", 0.0f, 255.0f}, {"left", 0.0f, 255.0f}};
static const EnvGroup groups[] = {{"obs", ENV_U8, ENV_PLANES, {WAYS, PART}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"slide", 5, 0.0f, 0.0f, "up,right,down,left,wait"}};
static const EnvControl controls[] = {
    {"Up", "ArrowUp,KeyW", "button12,axis1-", "y1/4", 0, UP},
    {"Down", "ArrowDown,KeyS", "button13,axis1+", "y4/4", 0, DOWN},
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "x1/4", 0, LEFT},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "x4/4", 0, RIGHT},
};
static const EnvGesture gestures[] = {
    {CHANGE, "Change", "Click a tile to take it away, or an empty place for a 2.", "click", "at"}};

static const Env env = {
    .spec =
        {
            .name = "2048",
            .title = "2048",
            .description = "Slide the tiles; equal ones merge. Reach 2048.",
            .agents = 1,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {WAIT},
            .tick_rate = 6.0f,
            .action_repeat = 1,
            .score_name = "points",
            .score_low = 0.0f,
            .score_high = 4000000.0f,
            .view_width = 4.0f,
            .view_height = 4.5f,
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
    .mask = mask,
};
#include "../core.h"

/* 2048.c: slide the tiles of a 4 x 4 board; equal ones merge.
 *
 * The board is 64 bits, a nibble a cell: nibble 4 * row + column holds the exponent of its tile, 0 where it is empty.
 * Moves left work on these rows; the others turn or mirror the board first. Standing still is possible for a person who
 * thinks, but the mask allows it to no policy.
 */
#define ENV_LANES 1
#define ENV_SLOTS 1
#define ENV_HEADS 1
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

struct State {
    EnvBase base;
    uint32_t board[2];     /* low and high half */
    uint32_t ways;         /* that are possible, as bits: kept, since masks, steps and endings all ask for them */
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

/* Turned so that `way` is to the left. */
static inline uint64_t turned(uint64_t x, int way) {
    x = way == UP || way == DOWN ? transpose(x) : x;
    return way == RIGHT || way == DOWN ? mirror(x) : x;
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

/* Whether something slides or merges to the left (or, mirrored, to the right). */
static inline int slides(uint64_t x, int right) {
    const uint64_t pairs = 0x0111011101110111u; /* a cell and the one to its right */
    uint64_t full = tiles(x), next = full >> 4 & pairs, here = full & pairs;
    uint64_t equal = ~tiles((x ^ x >> 4) & 0x0fff0fff0fff0fffu) & here & next;
    uint64_t top = x & x >> 1, most = top & top >> 2 & ONES; /* tiles of the largest kind do not merge */
    return ((right ? here & ~next : next & ~here) | (equal & ~most)) != 0;
}

static inline uint32_t possible_ways(uint64_t x) {
    uint64_t t = transpose(x);
    return (uint32_t)(slides(t, 0) << UP | slides(x, 1) << RIGHT | slides(t, 1) << DOWN | slides(x, 0) << LEFT);
}

static inline void put(State *s, uint64_t b) {
    s->board[0] = (uint32_t)b;
    s->board[1] = (uint32_t)(b >> 32);
    s->ways = possible_ways(b);
}

/* In the given rows (all bits of each), the cells to the right of cell p move up by one, over cell p. */
static inline uint64_t close_up(uint64_t x, uint64_t rows, int p) {
    uint64_t moving = rows & ROWS * (0xffffu & ~0u << 4 * p);
    return (x & ~moving) | (x >> 4 & moving & ROWS * 0x0fff);
}

/* Slides all four rows to the left, side by side. merged: the lowest bits of the tiles that two became. */
static inline uint64_t slide(uint64_t x, uint64_t *merged) {
    uint64_t gaps = ~tiles(x);
    *merged = 0;
    for (int p = 2; p >= 0; p--) { /* from the right, so that what is beyond is closed already */
        x = close_up(x, (gaps >> 4 * p & ROWS) * 0xffff, p);
    }
    for (int p = 0; p < 3; p++) {
        uint64_t here = x >> 4 * p & ROWS * 15, next = x >> 4 * p >> 4 & ROWS * 15;
        uint64_t top = (here + ROWS) >> 4; /* tiles of the largest kind do not merge */
        uint64_t rows = tiles(here) & ~tiles(here ^ next) & ~top & ROWS;
        x = close_up(x, rows * 0xffff, p + 1) + (rows << 4 * p);
        *merged |= rows << 4 * p;
    }
    return x;
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
    bits = (bits & 0x0101010101010101u) + (bits >> 4 & 0x0101010101010101u);
    return (int)(bits * 0x0101010101010101u >> 56);
}

/* The board with a new tile on an empty cell; there must be one. */
static uint64_t appear(State *s, uint64_t b) {
    EnvBits bits = env_bits(s, 0);
    uint64_t empty = ~tiles(b) & ONES;
    for (uint32_t skip = (uint32_t)((uint64_t)bits.a * (uint32_t)count(empty) >> 32); skip; skip--) {
        empty &= empty - 1;
    }
    uint64_t cell = empty & (~empty + 1);
    return b | (env_unit(bits.b) < PARAM(fours) ? cell << 1 : cell);
}

static void reset(State *s, int lane) {
    (void)lane;
    s->points = 0;
    s->moved = WAIT;
    put(s, appear(s, appear(s, 0)));
}

static void step(State *s, EnvActions action, EnvResult out) {
    int way = action[0][0][0];
    uint64_t merged;
    out.truncated[0] |= s->base.tick[0] + 1 >= LONGEST;
    if (way != WAIT && s->ways >> way & 1) {
        uint64_t after = slide(turned(board(s), way), &merged);
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
    for (int way = 0; way < WAYS; way++) {
        possible[way] = s->ways >> way & 1;
    }
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
#define BYTES 0x0101010101010101u

/* Eight bytes below 16 at once: 255 where they are 0, else 0. */
static inline uint64_t where_none(uint64_t x) {
    uint64_t none = ~(x + 15 * BYTES) >> 4 & BYTES;
    return (none << 8) - none;
}

/* By how much b is larger than a, in steps of 17. */
static inline uint64_t rise(uint64_t a, uint64_t b) {
    uint64_t more = (b | 128 * BYTES) - a, larger = more >> 7 & BYTES;
    more &= (larger << 7) - larger;
    return more << 4 | more;
}

/* One way's part, six planes [4][4] of the arranged board, of each first columns 0 and 2, then 1 and 3: exponents;
 * empty cells; cells like the one to the right, like the one below; by how much the one to the right, the one below, is
 * larger. */
static inline void part(uint64_t x, uint8_t out[PART]) {
    uint64_t right = x >> 4 & 0x0fff0fff0fff0fffu, below = x >> 16, words[PART / 8];
    for (int odd = 0; odd < 2; odd++) {
        uint64_t a = x >> 4 * odd & 15 * BYTES, b = right >> 4 * odd & 15 * BYTES, c = below >> 4 * odd & 15 * BYTES;
        uint64_t none = where_none(a);
        words[odd] = a << 4 | a;
        words[2 + odd] = none;
        words[4 + odd] = where_none(a ^ b) & ~none;
        words[6 + odd] = where_none(a ^ c) & ~none;
        words[8 + odd] = rise(a, b);
        words[10 + odd] = rise(a, c);
    }
    memcpy(out, words, PART);
}

static void observe(const State *s, int slot, uint8_t *obs, size_t stride) {
    (void)slot, (void)stride;
    uint64_t x[WAYS], merged;
    for (int way = 0; way < WAYS; way++) {
        x[way] = turned(board(s), way);
    }
    for (int way = 0; way < WAYS; way++) { /* a loop of its own, which becomes SIMD */
        x[way] = arranged(slide(x[way], &merged));
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
    (void)slot;
    uint64_t b = board(s);
    float best = -1.0f;
    int errs = env_noise(s, 0, 0) >= skill[0];
    action[0][0] = WAIT;
    for (int way = 0; way < WAYS; way++) {
        if (s->ways >> way & 1) {
            uint64_t merged, x = slide(turned(b, way), &merged);
            int32_t points = sum(x, merged);
            x = turned_back(x, way);
            uint32_t then = possible_ways(x);
            float value = errs ? env_noise(s, 0, 1 + (uint32_t)way) : 0.5f * worth(x) + (float)points;
            for (int next = 0; next < WAYS && !errs; next++) {
                if (then >> next & 1) {
                    uint64_t y = slide(turned(x, next), &merged);
                    int32_t more = points + sum(y, merged);
                    value = env_max(value, worth(turned_back(y, next)) + (float)more);
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
    for (int cell = 0; cell < 16; cell++) {
        int tile = (int)(board(s) >> 4 * cell & 15);
        most = tile > most ? tile : most;
    }
    return most;
}

/* Takes the tile under the click away, or puts a 2 where there is none. */
static void event(State *s, int lane, const EnvEvent *event) {
    (void)lane;
    if (event->kind == CHANGE && event->x >= 0.0f && event->x < 4.0f && event->y >= 0.5f && event->y < 4.5f) {
        int place = 4 * (4 * (int)(event->y - 0.5f) + (int)event->x);
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
static const EnvHead heads[ENV_HEADS] = {{"slide", 5, 0.0f, 0.0f, "up,right,down,left,wait"}};
static const EnvControl controls[] = {
    {"Up", "ArrowUp,KeyW", "button12,axis1-", "y1/4", 0, UP},
    {"Down", "ArrowDown,KeyS", "button13,axis1+", "y4/4", 0, DOWN},
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "x1/4", 0, LEFT},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "x4/4", 0, RIGHT},
};
static const EnvGesture gestures[] = {
    {CHANGE, "Change", "Click a tile to take it away, or an empty place for a 2.", "click"}};

static const Env env = {
    .spec =
        {
            .name = "2048",
            .title = "2048",
            .description = "Slide the tiles; equal ones merge. Reach 2048.",
            .agents = 1,
            .obs_type = ENV_U8,
            .obs_rank = 2,
            .obs_shape = {WAYS, PART},
            .fields = fields,
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
    .observe = observe,
    .script = script,
    .event = event,
    .draw = draw,
    .score = score,
    .success = success,
    .mask = mask,
};
#include "../core.h"

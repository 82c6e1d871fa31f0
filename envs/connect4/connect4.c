/* connect4.c: two players drop discs into seven columns; four in a row win.
 *
 * A tick is a turn: the slot whose turn it is drops a disc, the other one waits. A player may wait in its own turn, too
 * (a person thinks), but the mask allows that to no policy. The board is one bit a cell: bit 8 * row + column, row 0 at
 * the bottom, column 7 always empty, so that rows do not run into each other.
 */
#define ENV_LANES 1
#define ENV_SLOTS 2
#define ENV_HEADS 1
#define ENV_SHAPES 89
#define ENV_OBS 252
#define ENV_OBS_U8
#define ENV_PARAMS(P)                                                                                                  \
    P(slip, 0.0f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "How often a disc falls into a column at random.")          \
    P(opening, 2.0f, 0.0f, 8.0f, ENV_WORLD, ENV_INTEGER, "", "Discs dropped at random before the game.")               \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Depth of the scripted player's search: 0 none, 1 four.")
#include "../env.h"

#define BOARD 0x7f7f7f7f7f7fu
#define FLOOR 0x7fu
enum { COLUMNS = 7, ROWS = 6, WAIT = COLUMNS, DEPTH = 4, NOBODY = -1, LONGEST = 4096 };

struct State {
    EnvBase base;
    uint32_t stones[ENV_SLOTS][2]; /* low and high half of each slot's bits */
    int32_t turn, winner, last;    /* slots, or NOBODY; the last disc's bit, or -1 */
};

#define PARAM(name) (s->base.param[P_##name][0])

static inline uint64_t stones(const State *s, int slot) {
    return (uint64_t)s->stones[slot][1] << 32 | s->stones[slot][0];
}

/* The empty cells that a disc would come to rest in. */
static inline uint64_t landings(uint64_t taken) {
    return (taken << 8 | FLOOR) & ~taken & BOARD;
}

/* The columns, as bits, that have room. */
static inline uint32_t open_columns(uint64_t taken) {
    return (uint32_t)(~taken >> 40) & FLOOR;
}

static inline uint64_t column(int c) {
    return 0x010101010101u << c;
}

/* Whether four bits lie in a row: pairs of pairs, in each of four directions. */
static inline int wins(uint64_t x) {
    uint64_t flat = x & x >> 1, up = x & x >> 8, rise = x & x >> 9, fall = x & x >> 7;
    return ((flat & flat >> 2) | (up & up >> 16) | (rise & rise >> 18) | (fall & fall >> 14)) != 0;
}

static void drop(State *s, int c) {
    uint64_t cell = landings(stones(s, 0) | stones(s, 1)) & column(c);
    s->stones[s->turn][0] |= (uint32_t)cell;
    s->stones[s->turn][1] |= (uint32_t)(cell >> 32);
    s->last = __builtin_ctzll(cell);
    s->winner = wins(stones(s, s->turn)) ? s->turn : NOBODY;
    s->turn = 1 - s->turn;
}

/* One of the open columns at random; there must be one. */
static int any_column(State *s) {
    uint32_t open = open_columns(stones(s, 0) | stones(s, 1));
    uint32_t count = 0;
    for (int c = 0; c < COLUMNS; c++) {
        count += open >> c & 1;
    }
    uint32_t chosen = env_below(s, 0, count);
    for (int c = 0; c < COLUMNS; c++) {
        if ((open >> c & 1) && chosen-- == 0) {
            return c;
        }
    }
    return 0;
}

static void reset(State *s, int lane) {
    (void)lane;
    int discs = (int)PARAM(opening);
    do { /* an opening that decides the game is thrown away */
        for (int slot = 0; slot < ENV_SLOTS; slot++) {
            s->stones[slot][0] = s->stones[slot][1] = 0;
        }
        s->turn = (int32_t)env_below(s, 0, 2);
        s->winner = NOBODY;
        s->last = -1;
        for (int i = 0; i < discs && s->winner == NOBODY; i++) {
            drop(s, any_column(s));
        }
    } while (s->winner != NOBODY);
}

static void step(State *s, EnvActions action, EnvResult out) {
    uint64_t taken = stones(s, 0) | stones(s, 1);
    int c = action[s->turn][0][0];
    out.truncated[0] |= s->base.tick[0] + 1 >= LONGEST;
    if (c == WAIT || s->winner != NOBODY || taken == BOARD) {
        return;
    }
    if (PARAM(slip) > 0.0f && env_uniform(s, 0) < PARAM(slip)) {
        c = any_column(s);
    }
    drop(s, c);
    if (s->winner != NOBODY) {
        out.reward[s->winner][0] += 1.0f;
        out.reward[1 - s->winner][0] -= 1.0f;
    }
    taken = stones(s, 0) | stones(s, 1);
    out.terminated[0] |= (s->winner != NOBODY) | (taken == BOARD);
}

static void mask(const State *s, int lane, int slot, uint8_t *possible) {
    (void)lane;
    uint32_t open = s->turn == slot ? open_columns(stones(s, 0) | stones(s, 1)) : 0;
    uint64_t spread = (open * 0x02040810204081u) & 0x01010101010101u;
    memcpy(possible, &spread, COLUMNS);
    possible[WAIT] = open == 0;
}

typedef uint64_t Pair __attribute__((vector_size(16))); /* two boards side by side */

/* The bits of a board without the eighth column: bit 7 * row + column. */
static inline Pair packed(Pair x) {
    x = (x & 0x007f007f007fu) | (x & 0x7f007f007f00u) >> 1;
    return (x & 0x3fff) | (x & 0x3fff0000u) >> 2 | (x & 0x3fff00000000u) >> 4;
}

/* 16 bytes of which each eight are one of x. */
#define EIGHT_OF(i) i, i, i, i, i, i, i, i
#if defined(__clang__)
#define EIGHTS(x, i) __builtin_shufflevector(x, x, EIGHT_OF(i), EIGHT_OF(i + 1))
#else
#define EIGHTS(x, i) __builtin_shuffle(x, (Bytes){EIGHT_OF(i), EIGHT_OF(i + 1)})
#endif

/* 64 bits as bytes, each 255 or 0: every byte is brought to eight places, and in each another bit counts. */
static inline void spread(uint64_t x, uint8_t out[64]) {
    typedef uint8_t Bytes __attribute__((vector_size(16)));
    const Bytes bit = (Bytes)(Pair){0x8040201008040201u, 0x8040201008040201u}, all = (Bytes)(Pair){x, x};
    const Bytes part[4] = {EIGHTS(all, 0), EIGHTS(all, 2), EIGHTS(all, 4), EIGHTS(all, 6)};
    for (int i = 0; i < 4; i++) {
        Bytes set = (Bytes)((part[i] & bit) == bit);
        memcpy(out + 16 * i, &set, sizeof set);
    }
}

/* The cells with which three of x would be four: three beside them, or two on one side and one on the other. */
static inline Pair completed_along(Pair x, int by) {
    Pair up = x << by & x << 2 * by, down = x >> by & x >> 2 * by;
    return (up & (x << 3 * by | x >> by)) | (down & (x << by | x >> 3 * by));
}

/* For two players at once. */
static inline Pair completing(Pair x) {
    Pair found = completed_along(x, 1) | completed_along(x, 7) | completed_along(x, 9);
    return (found | (x << 8 & x << 16 & x << 24)) & BOARD & ~(x[0] | x[1]);
}

/* The columns of some cells, as bits. */
static inline uint64_t columns_of(uint64_t cells) {
    cells |= cells >> 32;
    cells |= cells >> 16;
    return (cells | cells >> 8) & FLOOR;
}

/* Planes: own discs, the other's, cells that either may fill now; cells where a disc makes four for either; and in the
 * last the columns that win at once, that must be stopped, that would let the other win above, that would let it spoil
 * a four above, one row each. */
static void observe(const State *s, int slot, uint8_t *obs, size_t stride) {
    (void)stride;
    uint64_t own = stones(s, slot), others = stones(s, 1 - slot), taken = own | others;
    uint64_t now = s->turn == slot ? landings(taken) : 0;
    Pair discs = {own, others}, fours = completing(discs);
    uint64_t mine = fours[0], theirs = fours[1];
    uint64_t columns = columns_of(now & mine) | columns_of(now & theirs) << 8 | columns_of(now << 8 & theirs) << 16 |
                       columns_of(now << 8 & mine) << 24;
    Pair a = packed(discs), b = packed((Pair){now, columns}), c = packed(fours);
    /* Side by side they are 252 bits: three words, and one that overlaps with the third. */
    spread(a[0] | a[1] << 42, obs);
    spread(a[1] >> 22 | b[0] << 20 | c[0] << 62, obs + 64);
    spread(c[0] >> 2 | c[1] << 40, obs + 128);
    spread(c[1] >> 20 | b[1] << 22, obs + ENV_OBS - 64);
}

/* What the player to move can force within `depth` discs: -1 to 1. A four must be made, the only one of the other
 * stopped, and the cell below one left alone: what remains is searched, columns from the middle outwards. */
static int search(uint64_t own, uint64_t others, int depth, int low, int high) {
    static const int8_t order[COLUMNS] = {3, 2, 4, 1, 5, 0, 6};
    uint64_t taken = own | others, cells = landings(taken);
    if (!cells || depth == 0) {
        return 0;
    }
    Pair fours = completing((Pair){own, others});
    if (fours[0] & cells) {
        return 1;
    }
    if (depth == 1) {
        return 0;
    }
    uint64_t theirs = fours[1], stop = theirs & cells;
    cells = stop ? stop : cells & ~(theirs >> 8);
    if (!cells || stop & (stop - 1)) {
        return -1;
    }
    if (depth == 2) {
        return stop & theirs >> 8 ? -1 : 0;
    }
    int best = -1;
    for (int i = 0; i < COLUMNS && best < high; i++) {
        uint64_t cell = cells & column(order[i]);
        if (cell) {
            int value = -search(others, own | cell, depth - 1, -high, -low);
            best = value > best ? value : best;
            low = best > low ? best : low;
        }
    }
    return best;
}

/* Searches ahead and breaks ties at random. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    uint64_t own = stones(s, slot), others = stones(s, 1 - slot), cells = landings(own | others);
    action[0][0] = WAIT;
    if (s->turn != slot || s->winner != NOBODY) {
        return;
    }
    int depth = (int)(skill[0] * (float)DEPTH + 0.5f), best = -2;
    float luckiest = -1.0f;
    for (int c = 0; c < COLUMNS; c++) {
        uint64_t cell = cells & column(c);
        if (cell) {
            int now = depth > 0 && wins(own | cell);
            int value = now ? 2 : depth > 1 ? -search(others, own | cell, depth - 1, -1, 1) : 0;
            float luck = env_noise(s, 0, slot, (uint32_t)c);
            if (value > best || (value == best && luck > luckiest)) {
                best = value;
                luckiest = luck;
                action[0][0] = c;
            }
        }
    }
}

static float score(const State *s, int lane, int slot) {
    (void)lane;
    return s->winner == NOBODY ? 0.0f : s->winner == slot ? 1.0f : -1.0f;
}

static float success(const State *s, int lane, int slot) {
    (void)lane;
    return s->winner == slot ? 1.0f : 0.0f;
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const uint32_t disc[ENV_SLOTS] = {0xffd23fff, 0xf05d5eff};
    (void)lane, (void)view;
    env_rect(list, 3.5f, 3.5f, 7.0f, 7.0f, 0.0f, 0.0f, 0x101820ff);
    if (s->winner == NOBODY) { /* whose turn it is */
        env_circle(list, 3.5f, 0.5f, 0.3f, disc[s->turn]);
    } else {
        env_text(list, 3.9f, 0.5f, 0.6f, ENV_CENTRED, disc[s->winner], "wins");
        env_circle(list, 2.6f, 0.5f, 0.3f, disc[s->winner]);
    }
    env_rect(list, 3.5f, 4.0f, 7.0f, 6.0f, 0.0f, 0.2f, 0x2a4b9bff);
    for (int row = 0; row < ROWS; row++) {
        for (int c = 0; c < COLUMNS; c++) {
            int bit = 8 * row + c;
            float x = (float)c + 0.5f, y = 6.5f - (float)row;
            int first = (int)(stones(s, 0) >> bit & 1), second = (int)(stones(s, 1) >> bit & 1);
            env_circle(list, x, y, 0.4f, first ? disc[0] : second ? disc[1] : 0x101820ff);
            if (bit == s->last) {
                env_circle(list, x, y, 0.12f, 0xffffffaa);
            }
        }
    }
}

static const EnvField fields[6] = {{"own", 0.0f, 255.0f},          {"others", 0.0f, 255.0f},
                                   {"playable_now", 0.0f, 255.0f}, {"own_fours", 0.0f, 255.0f},
                                   {"others_fours", 0.0f, 255.0f}, {"columns", 0.0f, 255.0f}};
static const EnvGroup groups[] = {{"obs", ENV_U8, ENV_PLANES, {6, ROWS, COLUMNS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"column", 8, 0.0f, 0.0f, "1,2,3,4,5,6,7,wait"}};
static const EnvControl controls[] = {
    {"Column 1", "Digit1,Numpad1,KeyA", "button14", "x1/7", 0, 0},
    {"Column 2", "Digit2,Numpad2,KeyS", "button4", "x2/7", 0, 1},
    {"Column 3", "Digit3,Numpad3,KeyD", "button2", "x3/7", 0, 2},
    {"Column 4", "Digit4,Numpad4,KeyF", "button0", "x4/7", 0, 3},
    {"Column 5", "Digit5,Numpad5,KeyG", "button1", "x5/7", 0, 4},
    {"Column 6", "Digit6,Numpad6,KeyH", "button5", "x6/7", 0, 5},
    {"Column 7", "Digit7,Numpad7,KeyJ", "button15", "x7/7", 0, 6},
};

static const Env env = {
    .spec =
        {
            .name = "connect4",
            .title = "Connect Four",
            .description = "Drop discs in turn; four in a row, in any direction, win.",
            .agents = 2,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {WAIT},
            .tick_rate = 3.0f,
            .action_repeat = 1,
            .score_name = "won",
            .score_low = -1.0f,
            .score_high = 1.0f,
            .view_width = 7.0f,
            .view_height = 7.0f,
            .controls = sizeof controls / sizeof *controls,
            .control = controls,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .script = script,
    .draw = draw,
    .score = score,
    .success = success,
    .mask = mask,
};
#include "../core.h"

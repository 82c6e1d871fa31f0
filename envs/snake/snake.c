/* snake.c: many snakes in one arena; they eat, grow, and block each other's way.
 *
 * A cell is a byte: nothing, food, a wall, a snake's head, or a part of its body, which says where the next part
 * towards the head lies. The arena stands in the middle of walls so wide that no window reaches beyond them. It is kept
 * twice, the second time with x and y exchanged, since each snake sees it turned to its own heading.
 *
 * All snakes move at once: first the tails leave, then the heads arrive. A head dies that meets a wall, a body or
 * another head that arrives in the same cell. The dead turn to food, in part, and are born anew after a rest.
 */
#define ENV_LANES 1
#define ENV_SLOTS 32
#define ENV_HEADS 1
#define ENV_SHAPES 4131 /* the arena's cells, 32 heads, and what lies beneath */
#define ENV_OBS 363
#define ENV_OBS_U8
#define ENV_PARAMS(P)                                                                                                  \
    P(arena, 64.0f, 24.0f, 64.0f, ENV_WORLD, ENV_INTEGER, "cells", "Side of the arena.")                               \
    P(food, 64.0f, 1.0f, 512.0f, ENV_WORLD, ENV_INTEGER, "", "Food lies in so many cells at least.")                   \
    P(growth, 1.0f, 1.0f, 8.0f, ENV_WORLD, ENV_INTEGER, "cells", "What a meal adds to a snake.")                       \
    P(remains, 0.5f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "Share of a dead snake that becomes food.")              \
    P(start, 3.0f, 1.0f, 20.0f, ENV_WORLD, ENV_INTEGER, "cells", "Length of a newborn snake.")                         \
    P(rest, 10.0f, 1.0f, 100.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Time from death to birth.")                         \
    P(time, 1000.0f, 100.0f, 10000.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Length of an episode.")                       \
    P(meal, 1.0f, 0.0f, 10.0f, ENV_REWARD, ENV_LINEAR, "", "Reward of a meal.")                                        \
    P(death, 10.0f, 0.0f, 100.0f, ENV_REWARD, ENV_LINEAR, "", "Penalty of death.")                                     \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted players: how rarely they err.")
#include "../env.h"
#include "../grid.h"

enum { SIDE = 5, SEEN = 2 * SIDE + 1, AHEAD = 7 }; /* of the window */
enum { MARGIN = 8, STRIDE = 64 + 2 * MARGIN, TRIES = 16, MUCH = SEEN * SEEN, SWEEPS = 6 };
enum { NOTHING = 0, FOOD = 1, WALL = 0x20, HEAD = 0x40, BODY = 0x80, SOLID = WALL, WHO = 0xfc };
enum { AHEAD_ON, TURN_LEFT, TURN_RIGHT, GO_NORTH, GO_EAST, GO_SOUTH, GO_WEST, CHOICES, FEED = ENV_EVENT_CUSTOM };
enum { LONGEST = 4096 };

struct State {
    EnvBase base;
    uint8_t cell[STRIDE][STRIDE], turned[STRIDE][STRIDE]; /* [y][x], [x][y] */
    int32_t x[ENV_SLOTS], y[ENV_SLOTS], way[ENV_SLOTS];   /* of the heads */
    int32_t tail_x[ENV_SLOTS], tail_y[ENV_SLOTS];
    int32_t length[ENV_SLOTS]; /* cells taken; 0: dead */
    int32_t grows[ENV_SLOTS];  /* ticks in which the tail will stay */
    int32_t rest[ENV_SLOTS];   /* ticks until it may be born */
    int32_t sum[ENV_SLOTS];    /* of the lengths after all ticks so far */
    int32_t food;              /* cells that hold some */
    int32_t side;              /* of this arena */
};

#define PARAM(name) (s->base.param[P_##name][0])

static inline void put(State *s, int x, int y, int what) {
    s->cell[y][x] = s->turned[x][y] = (uint8_t)what;
}

/* A cell of the arena, drawn at random. */
static void anywhere(State *s, int *x, int *y) {
    EnvBits bits = env_bits(s, 0);
    uint32_t side = (uint32_t)s->side;
    *x = MARGIN + (int)((uint64_t)bits.a * side >> 32);
    *y = MARGIN + (int)((uint64_t)bits.b * side >> 32);
}

/* Food appears until there is enough, or the tick's tries are used up. */
static void sow(State *s, int tries) {
    for (; tries > 0 && (float)s->food < PARAM(food); tries--) {
        int x, y;
        anywhere(s, &x, &y);
        if (s->cell[y][x] == NOTHING) {
            put(s, x, y, FOOD);
            s->food++;
        }
    }
}

/* Whether the cells before (x, y) are free, so that a newborn snake has time to turn. */
static int clear(const State *s, int x, int y, int way) {
    int solid = 0;
    for (int i = 0; i < 4; i++) {
        solid |= s->cell[y + i * env_south(way)][x + i * env_east(way)] >= SOLID;
    }
    return !solid;
}

static void bear(State *s, int slot) {
    for (int i = 0; i < TRIES && s->length[slot] == 0; i++) {
        int x, y, way = (int)env_below(s, 0, ENV_WAYS);
        anywhere(s, &x, &y);
        if (s->cell[y][x] == NOTHING && clear(s, x, y, way)) {
            s->x[slot] = s->tail_x[slot] = x;
            s->y[slot] = s->tail_y[slot] = y;
            s->way[slot] = way;
            s->length[slot] = 1;
            s->grows[slot] = (int32_t)PARAM(start) - 1;
            put(s, x, y, HEAD | slot);
        }
    }
}

static void reset(State *s, int lane) {
    (void)lane;
    int side = s->side = (int)PARAM(arena);
    memset(s->cell, WALL, sizeof s->cell);
    memset(s->turned, WALL, sizeof s->turned);
    for (int y = MARGIN; y < MARGIN + side; y++) {
        memset(&s->cell[y][MARGIN], NOTHING, (size_t)side);
        memset(&s->turned[y][MARGIN], NOTHING, (size_t)side);
    }
    s->food = 0;
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        s->length[slot] = s->grows[slot] = s->rest[slot] = s->sum[slot] = 0;
        s->x[slot] = s->y[slot] = s->tail_x[slot] = s->tail_y[slot] = s->way[slot] = 0;
    }
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        bear(s, slot);
    }
    sow(s, 4 * 512);
}

/* The heading that a choice means; a snake cannot turn on the spot. */
static inline int heading(int way, int choice) {
    if (choice >= GO_NORTH) {
        int to = choice - GO_NORTH;
        return to == (way ^ 2) ? way : to;
    }
    return (way + (choice == TURN_RIGHT) - (choice == TURN_LEFT)) & 3;
}

/* The tail leaves its cell, unless the snake grows. */
static inline void retract(State *s, int slot) {
    if (s->grows[slot] > 0) {
        s->grows[slot]--;
        s->length[slot]++;
        return;
    }
    int x = s->tail_x[slot], y = s->tail_y[slot], way = s->cell[y][x] & 3;
    put(s, x, y, NOTHING);
    s->tail_x[slot] = x + env_east(way);
    s->tail_y[slot] = y + env_south(way);
}

/* The whole snake becomes food, or nothing. */
static void decay(State *s, int slot) {
    int x = s->tail_x[slot], y = s->tail_y[slot];
    for (int left = s->length[slot]; left > 0; left--) {
        int way = s->cell[y][x] & 3;
        int stays = env_uniform(s, 0) < PARAM(remains);
        put(s, x, y, stays ? FOOD : NOTHING);
        s->food += stays;
        x += env_east(way);
        y += env_south(way);
    }
    s->length[slot] = s->grows[slot] = 0;
    s->rest[slot] = (int32_t)PARAM(rest);
}

/* Those who have rested are born, and food is sown. */
static void spawn(State *s, int lane) {
    (void)lane;
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->length[slot] == 0 && s->rest[slot] == 0) {
            bear(s, slot);
            s->sum[slot] += s->length[slot];
        }
    }
    sow(s, 8);
}

static void step(State *s, EnvActions action, EnvResult out) {
    int32_t dies[ENV_SLOTS] = {0};
    uint32_t arrived = 0;
    /* A head becomes a part of the body that points the way, before any tail leaves: a tail may be a head. */
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->length[slot]) {
            int way = s->way[slot] = heading(s->way[slot], action[slot][0][0]);
            put(s, s->x[slot], s->y[slot], BODY | slot << 2 | way);
        }
    }
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->length[slot]) {
            retract(s, slot);
        }
    }
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->length[slot] == 0) {
            continue;
        }
        int way = s->way[slot], x = s->x[slot] + env_east(way), y = s->y[slot] + env_south(way), met = s->cell[y][x];
        if (met >= SOLID) {
            int other = met & 31;
            dies[slot] = 1;
            if (met >= HEAD && met < BODY && (arrived >> other & 1)) { /* two heads in one cell */
                dies[other] = 1;
            }
            continue;
        }
        if (met == FOOD) {
            s->food--;
            s->grows[slot] += (int32_t)PARAM(growth);
            out.reward[slot][0] += PARAM(meal);
        }
        s->x[slot] = x;
        s->y[slot] = y;
        arrived |= 1u << slot;
        put(s, x, y, HEAD | slot);
    }
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (dies[slot]) {
            out.reward[slot][0] -= PARAM(death);
            s->length[slot] -= !(arrived >> slot & 1); /* its tail has left, but its head has not arrived */
            decay(s, slot);
        } else if (s->rest[slot] > 0) {
            s->rest[slot]--;
        }
        s->sum[slot] += s->length[slot];
    }
    out.truncated[0] |= (float)(s->base.tick[0] + 1) >= PARAM(time);
}

static inline void look(const State *s, int slot, uint8_t (*restrict window)[ENV_WINDOW]) {
    env_window(s->cell[0], s->turned[0], STRIDE, s->x[slot], s->y[slot], s->way[slot], SEEN, AHEAD, SIDE, window);
}

/* The cells of a row that are not solid, as bits. */
static inline uint32_t gaps(const uint8_t row[ENV_WINDOW]) {
    uint32_t bits = 0;
    for (int half = 0; half < 2; half++) {
        uint64_t x;
        memcpy(&x, row + 8 * half, 8);
        x = ~(x >> 5 | x >> 6 | x >> 7) & 0x0101010101010101u;
        bits |= (uint32_t)(x * 0x0102040810204080u >> 56) << 8 * half;
    }
    return bits & ((1u << SEEN) - 1);
}

/* How many cells of the window can be reached if the snake goes ahead, left or right: 0 where that is solid, MUCH where
 * nothing beside the head is, so that the ways do not part. */
static inline void room(const uint8_t (*window)[ENV_WINDOW], int32_t area[3]) {
    static const int8_t row_of[3] = {AHEAD - 1, AHEAD, AHEAD}, column_of[3] = {SIDE, SIDE - 1, SIDE + 1};
    uint32_t free[SEEN + 2], reached[3][SEEN + 2], any = 0; /* with an empty row at either end */
    for (int i = -1; i <= 1; i++) {
        any |= window[AHEAD - 1][SIDE + i] | (i ? window[AHEAD][SIDE + i] : 0);
    }
    area[0] = area[1] = area[2] = MUCH;
    if (any < SOLID) {
        return;
    }
    memset(reached, 0, sizeof reached);
    free[0] = free[SEEN + 1] = 0;
    for (int row = 0; row < SEEN; row++) {
        free[row + 1] = gaps(window[row]);
    }
    free[AHEAD + 1] &= ~(1u << SIDE); /* the head */
    for (int way = 0; way < 3; way++) {
        uint32_t at = 1u << column_of[way], *found = reached[way], more = free[row_of[way] + 1] & at;
        int first = row_of[way] + 1, count = 0;
        area[way] = 0;
        for (int other = 0; other < way && more; other++) { /* the same cells as from there */
            if (reached[other][first] & at) {
                area[way] = area[other];
                more = 0;
            }
        }
        found[first] = more;
        if (!more) {
            continue;
        }
        for (int sweep = 0; more && sweep < SWEEPS; sweep++) {
            more = 0;
            for (int i = 0; i < SEEN; i++) {
                int row = sweep & 1 ? SEEN - i : i + 1;
                uint32_t x = found[row], y = (x | found[row - 1] | found[row + 1]) & free[row];
                y = (y | y << 1 | y >> 1) & free[row];
                y = (y | y << 1 | y >> 1) & free[row];
                more |= x ^ y;
                found[row] = y;
            }
        }
        for (int row = 1; row <= SEEN; row++) {
            count += __builtin_popcount(found[row]);
        }
        area[way] = count;
    }
}

/* One row of each plane. Comparisons become bytes by arithmetic, which every instruction set has vectors for. */
static inline void paint(const uint8_t row[ENV_WINDOW], uint8_t own, uint8_t *restrict obs, int plane) {
    uint8_t *solid = obs, *food = obs + plane, *heads = obs + 2 * plane;
    for (int i = 0; i < ENV_WINDOW; i++) {
        uint8_t what = row[i], who = what & WHO, kind = what & (HEAD | BODY);
        solid[i] = (uint8_t)(-(what >= SOLID) ^ (127 & -(who == own)));
        food[i] = (uint8_t)-(what == FOOD);
        heads[i] = (uint8_t)-(kind == HEAD);
    }
}

/* Planes of the window, the heading up: what is solid (the own body half as much), food, heads. In each the own head's
 * cell, which would always be the same, holds twice the cells that can be reached: ahead, to the left, to the right. */
static void observe(const State *s, int slot, uint8_t *obs, size_t stride) {
    uint8_t window[SEEN][ENV_WINDOW], last[3][ENV_WINDOW];
    int32_t area[3];
    (void)stride;
    if (s->length[slot] == 0) {
        memset(obs, 0, ENV_OBS);
        return;
    }
    look(s, slot, window);
    const uint8_t own = (uint8_t)(BODY | slot << 2);
    /* A row is painted with what lies beyond it, which the next row paints over: the last one must not. */
    for (int row = 0; row < SEEN - 1; row++) {
        paint(window[row], own, obs + row * SEEN, SEEN * SEEN);
    }
    paint(window[SEEN - 1], own, last[0], ENV_WINDOW);
    for (int p = 0; p < 3; p++) {
        memcpy(obs + (p * SEEN + SEEN - 1) * SEEN, last[p], SEEN);
    }
    room((const uint8_t (*)[ENV_WINDOW])window, area);
    for (int p = 0; p < 3; p++) {
        obs[(p * SEEN + AHEAD) * SEEN + SIDE] = (uint8_t)(2 * area[p]);
    }
}

/* Greedy: of the moves that meet nothing solid, the one that comes nearest to the nearest food in its window; straight
 * on where there is none. Erring, it moves at random. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    uint8_t window[SEEN][ENV_WINDOW];
    int nearest = 99, right = 0, before = 0, best = 999;
    action[0][0] = AHEAD_ON;
    if (s->length[slot] == 0) {
        return;
    }
    if (env_noise(s, 0, slot, 0) >= skill[0]) {
        action[0][0] = (int32_t)(env_noise(s, 0, slot, 1) * 3.0f);
        return;
    }
    look(s, slot, window);
    for (int row = 0; row < SEEN; row++) {
        for (int column = 0; column < SEEN; column++) {
            int across = column - SIDE, on = AHEAD - row;
            int way = (across < 0 ? -across : across) + (on < 0 ? -on : on);
            if (window[row][column] == FOOD && way < nearest) {
                nearest = way;
                right = across;
                before = on;
            }
        }
    }
    for (int choice = AHEAD_ON; choice <= TURN_RIGHT; choice++) {
        int turn = (choice == TURN_RIGHT) - (choice == TURN_LEFT), on = choice == AHEAD_ON;
        int across = right - turn, rest = before - on;
        int way = nearest == 99 ? choice : (across < 0 ? -across : across) + (rest < 0 ? -rest : rest);
        if (window[AHEAD - on][SIDE + turn] < SOLID && way < best) {
            best = way;
            action[0][0] = choice;
        }
    }
}

/* Puts food where the click is, or takes it away. */
static void event(State *s, int lane, const EnvEvent *event) {
    (void)lane;
    float side = (float)s->side;
    if (event->kind == FEED && event->at[0] >= 0.0f && event->at[0] < side && event->at[1] >= 0.0f &&
        event->at[1] < side) {
        int x = MARGIN + (int)event->at[0], y = MARGIN + (int)event->at[1];
        if (s->cell[y][x] <= FOOD) {
            s->food += s->cell[y][x] == FOOD ? -1 : 1;
            put(s, x, y, FOOD - s->cell[y][x]);
        }
    }
}

static float score(const State *s, int lane, int slot) {
    (void)lane;
    return (float)s->sum[slot] / (float)(s->base.tick[0] > 0 ? s->base.tick[0] : 1);
}

static int alive(const State *s, int lane, int slot) {
    (void)lane;
    return s->length[slot] > 0;
}

/* A body is drawn as its straight stretches. */
static void draw_snake(const State *s, int slot, uint32_t color, float width, EnvList *list) {
    int x = s->tail_x[slot], y = s->tail_y[slot], from_x = x, from_y = y, last = -1;
    for (int left = s->length[slot]; left > 0; left--) {
        int way = left > 1 ? s->cell[y][x] & 3 : ENV_WAYS;
        if (way != last && (last >= 0 || left == 1)) {
            float middle_x = 0.5f * (float)(from_x + x) + 0.5f - MARGIN;
            float middle_y = 0.5f * (float)(from_y + y) + 0.5f - MARGIN;
            float wide = (float)(x > from_x ? x - from_x : from_x - x) + width;
            float high = (float)(y > from_y ? y - from_y : from_y - y) + width;
            env_rect(list, middle_x, middle_y, wide, high, 0.0f, 0.4f * width, color);
            from_x = x;
            from_y = y;
        }
        last = way;
        x += left > 1 ? env_east(way) : 0;
        y += left > 1 ? env_south(way) : 0;
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    static const uint32_t colors[8] = {0x2f8f83ff, 0xb35a3cff, 0x7a5bb5ff, 0x4a7fc0ff,
                                       0xa8893aff, 0x5f9a4cff, 0xb04f7aff, 0x5c7a8aff};
    float side = (float)s->side, middle = 0.5f * side;
    (void)lane;
    env_view(list, middle, middle, side + 1.0f, side + 1.0f);
    env_rect(list, middle, middle, side + 1.0f, side + 1.0f, 0.0f, 0.0f, 0x3d5166ff);
    env_rect(list, middle, middle, side, side, 0.0f, 0.0f, 0x101820ff);
    for (int y = 0; (float)y < side; y++) {
        for (int x = 0; (float)x < side; x++) {
            if (s->cell[MARGIN + y][MARGIN + x] == FOOD) {
                env_circle(list, (float)x + 0.5f, (float)y + 0.5f, 0.32f, 0xf2c14eff);
            }
        }
    }
    for (int slot = 0; slot < ENV_SLOTS; slot++) {
        if (s->length[slot]) {
            int focus = slot == view->agent;
            float x = (float)(s->x[slot] - MARGIN) + 0.5f, y = (float)(s->y[slot] - MARGIN) + 0.5f;
            draw_snake(s, slot, focus ? 0xfff4d6ff : colors[slot & 7], focus ? 0.95f : 0.8f, list);
            env_circle(list, x + 0.15f * (float)env_east(s->way[slot]), y + 0.15f * (float)env_south(s->way[slot]),
                       0.22f, focus ? 0xe4572eff : 0x101820ff);
        }
    }
}

static const EnvField fields[3] = {{"solid", 0.0f, 255.0f}, {"food", 0.0f, 255.0f}, {"heads", 0.0f, 255.0f}};
static const EnvGroup groups[] = {{"obs", ENV_U8, ENV_PLANES, {3, SEEN, SEEN}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {
    {"move", CHOICES, 0.0f, 0.0f, "ahead,turn left,turn right,up,right,down,left"}};
static const EnvControl controls[] = {
    {"Up", "ArrowUp,KeyW", "button12,axis1-", "y1/4", 0, GO_NORTH},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "x4/4", 0, GO_EAST},
    {"Down", "ArrowDown,KeyS", "button13,axis1+", "y4/4", 0, GO_SOUTH},
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "x1/4", 0, GO_WEST},
    {"Turn left", "KeyQ", "button4", 0, 0, TURN_LEFT},
    {"Turn right", "KeyE", "button5", 0, 0, TURN_RIGHT},
};
static const EnvGesture gestures[] = {
    {FEED, "Feed", "Click a free cell to put food there, or to take it away.", "click", "at"}};

static const Env env = {
    .spec =
        {
            .name = "snake",
            .title = "Snake",
            .description = "Eat and grow; do not run into anything. 32 snakes share the arena, and the dead are food.",
            .agents = ENV_SLOTS,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {AHEAD_ON},
            .tick_rate = 10.0f,
            .action_repeat = 1,
            .score_name = "mean length",
            .score_low = 0.0f,
            .score_high = LONGEST,
            .view_width = 65.0f,
            .view_height = 65.0f,
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
    .alive = alive,
    .spawn = spawn,
};
#include "../core.h"

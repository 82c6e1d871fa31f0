/* maze.c: find the door of the right colour, which is shown at the start only.
 *
 * The maze is another one in each episode: rooms on a square, joined so that exactly one way leads from each to each
 * other, but for loops. In some of its corners stand doors. A move leads to the next room. The player sees its own
 * room, the rooms around it and the room that it came from, but the goal's colour only in the first ticks: in its own
 * room.
 *
 * A cell of the grid is a byte. Room (x, y) is the cell (2 x, 2 y) away from the first one; between two rooms lies a
 * wall or nothing.
 */
#define ENV_LANES 1
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_SHAPES 230
#define ENV_OBS 294
#define ENV_OBS_U8
#define ENV_PARAMS(P)                                                                                                  \
    P(size, 5.0f, 3.0f, 15.0f, ENV_WORLD, ENV_INTEGER, "rooms", "Side of the maze.")                                   \
    P(doors, 2.0f, 2.0f, 4.0f, ENV_WORLD, ENV_INTEGER, "", "Doors, each of another colour.")                           \
    P(loops, 0.0f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "Share of the other walls that are taken away.")           \
    P(slip, 0.0f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "How often a move goes a random way.")                      \
    P(show, 1.0f, 1.0f, 1000.0f, ENV_WORLD, ENV_INTEGER, "ticks", "How long the goal's colour is shown.")              \
    P(time, 100.0f, 10.0f, 1000.0f, ENV_WORLD, ENV_INTEGER, "ticks", "Length of an episode at most.")                  \
    P(wrong, 0.2f, 0.0f, 10.0f, ENV_REWARD, ENV_LINEAR, "", "Penalty of a wrong door; the right one earns 1.")         \
    P(near, 0.05f, 0.0f, 1.0f, ENV_REWARD, ENV_LINEAR, "1/room", "Progress measure: of each room on the way left.")    \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how rarely it errs.")
#include "../env.h"
#include "../grid.h"

enum {
    MOST = 15,
    ROOMS = MOST * MOST,
    SIDE = 3,
    SEEN = 2 * SIDE + 1,
    WHOLE = 64, /* cells of the window in whole vectors */
    MARGIN = 5,
    STRIDE = 2 * MOST + 2 * MARGIN
};
enum { FLOOR = 0, WALL = 1, DOOR = 2, DOORS = 4, PLANES = 6, CAME = 5 };
enum { STAY, UP, RIGHT, DOWN, LEFT, CHOICES, CARRY = ENV_EVENT_CUSTOM };

struct State {
    EnvBase base;
    uint8_t cell[STRIDE][STRIDE];
    uint8_t left[ROOMS + 3]; /* rooms on the way from each room to the goal; the last 3 fill up */
    int32_t side;            /* of this maze, in rooms */
    int32_t x, y;            /* the player's room */
    int32_t from_x, from_y;  /* the one it came from */
    int32_t goal;            /* 0 to 3: its colour */
    int32_t ended;           /* 0 no, 1 at the goal, 2 at another door */
};

#define PARAM(name) (s->base.param[P_##name][0])

static inline uint8_t *room(State *s, int x, int y) {
    return &s->cell[MARGIN + 2 * y][MARGIN + 2 * x];
}

/* Whether a way leads from a room to the next one. */
static inline int open(const State *s, int x, int y, int way) {
    return s->cell[MARGIN + 2 * y + env_south(way)][MARGIN + 2 * x + env_east(way)] == FLOOR;
}

/* Doors stand in corners, which lead nowhere else, so that nobody must pass one. */
static inline int corner(int n, int x, int y) {
    return (x == 0 || x == n - 1) && (y == 0 || y == n - 1);
}

/* Numbers below n, many from one draw. */
typedef struct Dice {
    uint32_t bits, left; /* of `left` possible values, one */
} Dice;

static int roll(State *s, Dice *dice, uint32_t n) {
    if (dice->left < 1u << 16) {
        dice->bits = env_bits(s, 0).a;
        dice->left = 0xffffffffu;
    }
    uint32_t value = dice->bits % n;
    dice->bits /= n;
    dice->left /= n;
    return (int)value;
}

/* Walks into rooms that are still closed, at random, and back where there are none ("recursive backtracker"). */
static void carve(State *s) {
    uint8_t path[ROOMS]; /* ways taken */
    int n = s->side, x = n / 2, y = n / 2, depth = 0;
    Dice dice = {0, 0};
    *room(s, x, y) = FLOOR;
    for (;;) {
        int ways[4], count = 0;
        for (int way = 0; way < ENV_WAYS && !corner(n, x, y); way++) {
            int u = x + env_east(way), v = y + env_south(way);
            ways[count] = way;
            count += (u >= 0) & (u < n) & (v >= 0) & (v < n) && *room(s, u, v) == WALL;
        }
        if (count) {
            int way = ways[count > 1 ? roll(s, &dice, (uint32_t)count) : 0];
            s->cell[MARGIN + 2 * y + env_south(way)][MARGIN + 2 * x + env_east(way)] = FLOOR;
            x += env_east(way);
            y += env_south(way);
            *room(s, x, y) = FLOOR;
            path[depth++] = (uint8_t)way;
        } else if (depth) {
            int way = path[--depth];
            x -= env_east(way);
            y -= env_south(way);
        } else {
            return;
        }
    }
}

/* Rooms on the way to the goal, from all of them: breadth first. */
static void measure(State *s, int x, int y) {
    uint8_t queue[ROOMS];
    int n = s->side, head = 0, tail = 0;
    memset(s->left, 255, ROOMS);
    s->left[n * y + x] = 0;
    queue[tail++] = (uint8_t)(n * y + x);
    while (head < tail) {
        int at = queue[head++];
        for (int way = 0; way < ENV_WAYS; way++) {
            int to = at + env_east(way) + n * env_south(way);
            if (open(s, at % n, at / n, way) && s->left[to] == 255) {
                s->left[to] = (uint8_t)(s->left[at] + 1);
                queue[tail++] = (uint8_t)to;
            }
        }
    }
}

static void reset(State *s, int lane) {
    (void)lane;
    int n = s->side = (int)PARAM(size), places[DOORS] = {0, 1, 2, 3};
    memset(s->cell, WALL, sizeof s->cell);
    memset(s->left, 0, sizeof s->left);
    carve(s);
    for (int y = 0; PARAM(loops) > 0.0f && y < n; y++) {
        for (int x = 0; x < n; x++) {
            for (int way = ENV_EAST; way <= ENV_SOUTH; way++) {
                int u = x + env_east(way), v = y + env_south(way);
                int inside = u < n && v < n && !corner(n, x, y) && !corner(n, u, v);
                if (inside && env_uniform(s, 0) < PARAM(loops)) {
                    s->cell[MARGIN + 2 * y + env_south(way)][MARGIN + 2 * x + env_east(way)] = FLOOR;
                }
            }
        }
    }
    Dice dice = {0, 0};
    int doors = (int)PARAM(doors);
    s->goal = roll(s, &dice, (uint32_t)doors);
    for (int color = 0; color < doors; color++) { /* each in another corner */
        int other = color + roll(s, &dice, (uint32_t)(DOORS - color)), place = places[other];
        places[other] = places[color];
        int x = place & 1 ? n - 1 : 0, y = place & 2 ? n - 1 : 0;
        *room(s, x, y) = (uint8_t)(DOOR + color);
        if (color == s->goal) {
            measure(s, x, y);
        }
    }
    s->x = s->y = s->from_x = s->from_y = n / 2;
    s->ended = 0;
}

static void step(State *s, EnvActions action, EnvResult out) {
    int choice = action[0][0][0];
    if (choice != STAY && PARAM(slip) > 0.0f && env_uniform(s, 0) < PARAM(slip)) {
        choice = UP + (int)env_below(s, 0, 4);
    }
    int way = choice - UP;
    if (choice != STAY && !s->ended && open(s, s->x, s->y, way)) {
        s->from_x = s->x;
        s->from_y = s->y;
        s->x += env_east(way);
        s->y += env_south(way);
        int here = *room(s, s->x, s->y);
        if (here >= DOOR) {
            s->ended = here == DOOR + s->goal ? 1 : 2;
            out.reward[0][0] += s->ended == 1 ? 1.0f : -PARAM(wrong);
            out.terminated[0] = 1;
        }
    }
    out.truncated[0] |= (float)(s->base.tick[0] + 1) >= PARAM(time) && !s->ended;
}

static inline int shown(const State *s) {
    return (float)s->base.tick[0] < PARAM(show);
}

/* Planes of the window: walls, doors of each colour, the room that the player came from. While the goal's colour is
 * shown, the player's own room looks like a door of it. */
static void observe(const State *s, int slot, uint8_t *obs, size_t stride) {
    uint8_t window[WHOLE] = {0}; /* [SEEN][SEEN], and what fills up the vectors */
    int x = MARGIN + 2 * s->x, y = MARGIN + 2 * s->y;
    (void)slot, (void)stride;
    for (int row = 0; row < SEEN; row++) { /* a cell too many each, which the next row overwrites */
        memcpy(window + SEEN * row, &s->cell[y - SIDE + row][x - SIDE], SEEN + 1);
    }
    window[SEEN * SIDE + SIDE] = (uint8_t)(shown(s) ? DOOR + s->goal : FLOOR);
    for (int p = 0; p < CAME; p++) { /* what is too much of each, the next plane overwrites */
        uint8_t *plane = obs + SEEN * SEEN * p, what = (uint8_t)(WALL + p);
        for (int i = 0; i < WHOLE; i++) {
            plane[i] = (uint8_t)-(window[i] == what);
        }
    }
    memset(obs + SEEN * SEEN * CAME, 0, SEEN * SEEN);
    int row = SIDE + 2 * (s->from_y - s->y), column = SIDE + 2 * (s->from_x - s->x);
    if (row >= 0 && row < SEEN && column >= 0 && column < SEEN) {
        obs[SEEN * SEEN * CAME + SEEN * row + column] = 255;
    }
}

/* Knows the maze, and takes the shortest way; erring, it moves at random. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    int best = 256;
    action[0][0] = STAY;
    if (env_noise(s, 0, slot, 0) >= skill[0]) {
        action[0][0] = UP + (int32_t)(env_noise(s, 0, slot, 1) * 4.0f);
        return;
    }
    for (int way = 0; way < ENV_WAYS; way++) {
        if (open(s, s->x, s->y, way)) {
            int left = s->left[s->side * (s->y + env_south(way)) + s->x + env_east(way)];
            if (left < best) {
                best = left;
                action[0][0] = UP + way;
            }
        }
    }
}

/* Carries the player to the room under the click, or makes the door there the goal. */
static void event(State *s, int lane, const EnvEvent *event) {
    float n = (float)s->side;
    (void)lane;
    if (event->kind == CARRY && event->at[0] >= 0.0f && event->at[0] < n && event->at[1] >= 0.0f && event->at[1] < n &&
        !s->ended) {
        int x = (int)event->at[0], y = (int)event->at[1], here = *room(s, x, y);
        if (here >= DOOR) {
            s->goal = here - DOOR;
            measure(s, x, y);
        } else {
            s->x = s->from_x = x;
            s->y = s->from_y = y;
        }
    }
}

static float success(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return s->ended == 1 ? 1.0f : 0.0f;
}

static float potential(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return -PARAM(near) * (float)s->left[s->side * s->y + s->x];
}

static const uint32_t colors[DOORS] = {0x5b8defff, 0xf2c14eff, 0xe4572eff, 0x4fb583ff};

/* Walls between rooms are lines, so that rooms fill the picture; what the player does not see is dark. */
static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    float n = (float)s->side, middle = 0.5f * n, thick = 0.12f;
    (void)lane, (void)view;
    env_view(list, middle, middle + 0.5f, n + thick, n + 1.0f + thick);
    env_rect(list, middle, middle + 0.5f, n + thick, n + 1.0f + thick, 0.0f, 0.0f, 0x101820ff);
    if (s->ended) {
        env_text(list, middle, n + 0.5f, 0.6f, ENV_CENTRED, s->ended == 1 ? 0x7bd389ff : 0x8a8f98ff,
                 s->ended == 1 ? "found" : "the wrong door");
    } else if (shown(s)) {
        env_text(list, middle - 0.3f, n + 0.5f, 0.6f, ENV_CENTRED, 0xfff4d6ff, "find");
        env_rect(list, middle + 0.9f, n + 0.5f, 0.6f, 0.6f, 0.0f, 0.1f, colors[s->goal]);
    } else {
        env_text(list, middle, n + 0.5f, 0.6f, ENV_CENTRED, 0x6d8196ff, "find ?");
    }
    for (int y = 0; y < s->side; y++) {
        for (int x = 0; x < s->side; x++) {
            int away_x = x - s->x, away_y = y - s->y, here = s->cell[MARGIN + 2 * y][MARGIN + 2 * x];
            int seen = away_x * away_x <= 1 && away_y * away_y <= 1;
            float centre_x = (float)x + 0.5f, centre_y = (float)y + 0.5f;
            if (seen) {
                env_rect(list, centre_x, centre_y, 1.0f, 1.0f, 0.0f, 0.0f, 0x2b3a48ff);
            }
            if (here >= DOOR) {
                env_rect(list, centre_x, centre_y, 0.6f, 0.6f, 0.0f, 0.1f, seen ? colors[here - DOOR] : 0x2b3a48ff);
            }
        }
    }
    if (shown(s) && !s->ended) {
        env_rect(list, (float)s->x + 0.5f, (float)s->y + 0.5f, 0.9f, 0.9f, 0.0f, 0.1f, colors[s->goal]);
    }
    /* Walls, joined to stretches of one brightness: along rows, then along columns. */
    for (int across = 0; across < 2; across++) {
        for (int line = 0; line <= s->side; line++) {
            int begun = -1, lit = 0;
            for (int i = 0; i <= s->side; i++) {
                int x = across ? line : i, y = across ? i : line, wall = 0, bright = 0;
                if (i < s->side) {
                    wall = s->cell[MARGIN + 2 * y - !across][MARGIN + 2 * x - across] == WALL;
                    int off = 2 * (across ? x - s->x : y - s->y) - 1, along = across ? y - s->y : x - s->x;
                    bright = off >= -SIDE && off <= SIDE && along >= -1 && along <= 1;
                }
                if (begun >= 0 && (!wall || bright != lit)) {
                    float from = (float)begun, to = (float)i, at = (float)line;
                    uint32_t color = lit ? 0xb8c7d6ff : 0x26333fff;
                    if (across) {
                        env_line(list, at, from, at, to, thick, color);
                    } else {
                        env_line(list, from, at, to, at, thick, color);
                    }
                    begun = -1;
                }
                if (wall && begun < 0) {
                    begun = i;
                    lit = bright;
                }
            }
        }
    }
    env_line(list, (float)s->from_x + 0.5f, (float)s->from_y + 0.5f, (float)s->x + 0.5f, (float)s->y + 0.5f, 0.12f,
             0xfff4d64c);
    env_circle(list, (float)s->x + 0.5f, (float)s->y + 0.5f, 0.28f, 0xfff4d6ff);
}

static const EnvField fields[PLANES] = {{"walls", 0.0f, 255.0f}, {"blue", 0.0f, 255.0f},  {"yellow", 0.0f, 255.0f},
                                        {"red", 0.0f, 255.0f},   {"green", 0.0f, 255.0f}, {"came_from", 0.0f, 255.0f}};
static const EnvGroup groups[] = {{"obs", ENV_U8, ENV_PLANES, {PLANES, SEEN, SEEN}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"move", CHOICES, 0.0f, 0.0f, "stay,up,right,down,left"}};
static const EnvControl controls[] = {
    {"Up", "ArrowUp,KeyW", "button12,axis1-", "y1/4", 0, UP},
    {"Right", "ArrowRight,KeyD", "button15,axis0+", "x4/4", 0, RIGHT},
    {"Down", "ArrowDown,KeyS", "button13,axis1+", "y4/4", 0, DOWN},
    {"Left", "ArrowLeft,KeyA", "button14,axis0-", "x1/4", 0, LEFT},
};
static const EnvGesture gestures[] = {
    {CARRY, "Carry", "Click a room to be carried there, or a door to make it the goal.", "click", "at"}};

static const Env env = {
    .spec =
        {
            .name = "maze",
            .title = "Maze",
            .description = "Remember the colour that is shown at the start, and find its door. The others are wrong.",
            .agents = 1,
            .group = groups,
            .action_type = ENV_DISCRETE,
            .head = heads,
            .idle = {STAY},
            .tick_rate = 6.0f,
            .action_repeat = 1,
            .score_name = "solved",
            .score_low = 0.0f,
            .score_high = 1.0f,
            .view_width = 5.0f,
            .view_height = 6.0f,
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
    .score = success,
    .success = success,
    .potential = potential,
};
#include "../core.h"

/* env.h: what an environment's C file includes. Such a file reads, from top to bottom:
 *
 *     #define ENV_SLOTS 2                       // players
 *     #define ENV_HEADS 1                       // numbers in an action
 *     #define ENV_OBS 8                         // numbers in an observation
 *     #define ENV_SHAPES 40                     // the longest draw list, at any parameters
 *     #define ENV_PARAMS(P) \                   // name, default, low, high, kind, scale, unit, doc
 *         P(gravity, 9.8f, 0.1f, 30.0f, ENV_PHYSICS, ENV_LINEAR, "m/s^2", "Pull towards the ground.")
 *     #include "../env.h"
 *     struct State { EnvBase base; float x[ENV_LANES]; ... };
 *     static void reset(State *s, int lane) { ... }
 *     ...
 *     static const Env env = {.spec = {...}, .reset = reset, .step = step, ...};
 *     #include "../core.h"                      // exports the ABI of abi.h
 *
 * Optional, before the include: ENV_LANES (default 1), ENV_CONTINUOUS (actions are floats), ENV_OBS_U8 (observations
 * are bytes), ENV_GROUPS (default 1).
 *
 * Observations. One group named "obs": a table `static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS,
 * {ENV_OBS}, 0, fields}};` and `.observe = {observe}`, whose `obs` is an env_obs *. With ENV_GROUPS several groups: one
 * row and one function each, in one order, whose `obs` is a void *, to be made a pointer of the group's type; ENV_OBS
 * is not needed then. A set of entities (ENV_SET) is followed by the bytes that say which are there (ENV_PRESENT).
 *
 * Lives. Without `alive`, players live as long as the environment's episode: step() sets out.terminated or
 * out.truncated. With `alive`, slots may also die while it goes on (alive() turns 0 in step()), leave (likewise, and
 * step() calls env_leave: the life is cut off, not lost), and be born, in spawn(), which is called after each tick. An
 * environment ends where it says so, or where nobody lives and awaits() says that nobody will be born.
 *
 * Lanes. With ENV_LANES > 1 a State holds that many environments and every member is an array [ENV_LANES] of 32-bit
 * numbers (or [n][ENV_LANES]), so that loops over lanes become SIMD. The build may set ENV_LANES to 1; results never
 * depend on it. With one lane, members may be anything of fixed size without pointers; the whole struct is hashed, so
 * it has no padding (a test checks it): order members by size.
 *
 * Masks say what a policy may choose: one choice at least of each head of a living slot. core.h turns a forbidden
 * choice into the idle one before step() sees it; step() must stand the idle choice always, even where the mask forbids
 * it, since a person may be holding nothing.
 *
 * Rules. No state outside State, no libm (portable functions are in mathf.h), no clock, no allocation. Randomness comes
 * from env_uniform and its kin (random.h), keyed by seed and environment index. step() may be called on a lane whose
 * episode has ended: what it does there is thrown away, but must be defined. The script is a player whose skill is the
 * parameter named `skill`.
 */
#ifndef MINNOW_ENV_H
#define MINNOW_ENV_H
#include "abi.h"
#include "mathf.h"
#include <string.h>

#ifndef ENV_SHAPES
#error Say how many shapes draw() writes at most: #define ENV_SHAPES 40. If the file is of Minnow 0.1, \
    docs/environments.md says what has changed since: "From 0.1".
#define ENV_SHAPES 1
#endif
#ifndef ENV_LANES
#define ENV_LANES 1
#endif
#ifndef ENV_GROUPS
#define ENV_GROUPS 1
#endif
#ifdef ENV_CONTINUOUS
typedef float env_action;
#else
typedef int32_t env_action;
#endif
#ifdef ENV_OBS_U8
typedef uint8_t env_obs;
#else
typedef float env_obs;
#endif
_Static_assert(ENV_SLOTS >= 1 && ENV_SLOTS <= ENV_MOST_SLOTS, "ENV_SLOTS must be 1 to 4096");
_Static_assert(ENV_HEADS >= 1 && ENV_HEADS <= ENV_MOST_HEADS, "ENV_HEADS must be 1 to 8");
_Static_assert(ENV_GROUPS >= 1 && ENV_GROUPS <= ENV_MOST_GROUPS, "ENV_GROUPS must be 1 to 8");
_Static_assert(ENV_LANES >= 1 && ENV_LANES <= 32, "ENV_LANES must be 1 to 32");
_Static_assert(ENV_SHAPES >= 1 && ENV_SHAPES <= 1 << 20, "ENV_SHAPES must be 1 to 2^20");

/* Parameters: an index P_<name> and a table, from the one list. */
#define ENV_PARAM_INDEX(name, ...) P_##name,
#ifdef ENV_NO_WORDS /* for less code, where nobody asks for the specification */
#define ENV_PARAM_ROW(name, value, low, high, kind, scale, unit, doc) {#name, value, low, high, kind, scale, "", ""},
#else
#define ENV_PARAM_ROW(name, value, low, high, kind, scale, unit, doc) {#name, value, low, high, kind, scale, unit, doc},
#endif
enum { ENV_PARAMS(ENV_PARAM_INDEX) ENV_PARAM_COUNT };
static const EnvParam env_params[] = {ENV_PARAMS(ENV_PARAM_ROW)};

/* First member of every State; belongs to core.h, read by environments through the functions below. */
typedef struct EnvBase {
    uint32_t key[2][ENV_LANES]; /* of the random stream: from seed and environment index */
    uint32_t draws[ENV_LANES];  /* numbers drawn so far */
    int32_t episode[ENV_LANES]; /* resets so far */
    int32_t tick[ENV_LANES];    /* ticks since the reset; step() sees the number of ticks before this one */
    float randomize[ENV_LANES]; /* the fraction that physics parameters spread by */
    float param[ENV_PARAM_COUNT][ENV_LANES];   /* in force in this episode */
    float nominal[ENV_PARAM_COUNT][ENV_LANES]; /* what randomization spreads around */
    float lowest[ENV_PARAM_COUNT][ENV_LANES], highest[ENV_PARAM_COUNT][ENV_LANES]; /* bounds of the draw */
} EnvBase;

typedef struct State State;

/* What step() reports: it adds rewards, and sets the flags of a lane whose environment ended, with every life in it. */
typedef struct EnvResult {
    float (*reward)[ENV_LANES]; /* [ENV_SLOTS][ENV_LANES] */
    int32_t *terminated;        /* [ENV_LANES] */
    int32_t *truncated;         /* [ENV_LANES] */
    uint8_t (*left)[ENV_LANES]; /* [ENV_SLOTS][ENV_LANES]: see env_leave */
} EnvResult;

/* The slot, which alive() no longer counts, has not died: its life was cut off, as a time limit does. */
static inline void env_leave(EnvResult out, int lane, int slot) {
    out.left[slot][lane] = 1;
}

typedef struct EnvList { /* where draw() puts its shapes; see env_rect and its kin in draw.h */
    EnvShape *shape;
    uint32_t count, capacity;
} EnvList;

typedef const env_action (*EnvActions)[ENV_HEADS][ENV_LANES]; /* [ENV_SLOTS][ENV_HEADS][ENV_LANES] */

/* Everything that an environment is. Members that are absent (NULL) have the meaning given. */
typedef struct Env {
    EnvSpec spec; /* slots, heads, groups, lives, shapes, masked, params, param and has_* are filled in by core.h */
    void (*reset)(State *s, int lane);
    void (*step)(State *s, EnvActions action, EnvResult out); /* one tick of all lanes */
    /* One for each group: lane l's observation goes to obs + l * stride, counted in numbers of the group's type. */
#if ENV_GROUPS == 1
    void (*observe[1])(const State *s, int slot, env_obs *obs, size_t stride);
#else
    void (*observe[ENV_GROUPS])(const State *s, int slot, void *obs, size_t stride);
#endif
    void (*script)(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]);
    void (*event)(State *s, int lane, const EnvEvent *event); /* only kinds >= ENV_EVENT_CUSTOM */
    void (*draw)(const State *s, int lane, const EnvView *view, EnvList *list);
    float (*score)(const State *s, int lane, int slot);
    float (*success)(const State *s, int lane, int slot);   /* absent: the environment has no success */
    float (*potential)(const State *s, int lane, int slot); /* absent: no progress measure */
    int (*alive)(const State *s, int lane, int slot);       /* absent: always; then there are no lives */
    void (*spawn)(State *s, int lane);                      /* bears whose time has come; absent: nobody */
    int (*awaits)(const State *s, int lane); /* whether somebody will be born; absent: yes, where there is spawn() */
    void (*mask)(const State *s, int lane, int slot, uint8_t *mask); /* absent: everything is possible */
} Env;

#include "draw.h"
#include "random.h"
#endif

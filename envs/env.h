/* env.h: what an environment's C file includes. Such a file reads, from top to bottom:
 *
 *     #define ENV_SLOTS 2                       // players
 *     #define ENV_HEADS 1                       // numbers in an action
 *     #define ENV_OBS 8                         // numbers in an observation
 *     #define ENV_PARAMS(P) \                   // name, default, low, high, kind, scale, unit, doc
 *         P(gravity, 9.8f, 0.1f, 30.0f, ENV_PHYSICS, ENV_LINEAR, "m/s^2", "Pull towards the ground.")
 *     #include "../env.h"
 *     struct State { EnvBase base; float x[ENV_LANES]; ... };
 *     static void reset(State *s, int lane) { ... }
 *     ...
 *     static const Env env = {.spec = {...}, .reset = reset, .step = step, ...};
 *     #include "../core.h"                      // exports the ABI of abi.h
 *
 * Optional, before the include: ENV_LANES (default 1), ENV_CONTINUOUS (actions are floats), ENV_OBS_U8.
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

#ifndef ENV_LANES
#define ENV_LANES 1
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

/* Parameters: an index P_<name> and a table, from the one list. */
#define ENV_PARAM_INDEX(name, ...) P_##name,
#define ENV_PARAM_ROW(name, value, low, high, kind, scale, unit, doc) {#name, value, low, high, kind, scale, unit, doc},
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

/* What step() reports: it adds rewards, and sets the flags of a lane whose episode ended. */
typedef struct EnvResult {
    float (*reward)[ENV_LANES]; /* [ENV_SLOTS][ENV_LANES] */
    int32_t *terminated;        /* [ENV_LANES] */
    int32_t *truncated;         /* [ENV_LANES] */
} EnvResult;

typedef struct EnvList { /* where draw() puts its shapes; see env_rect and its kin in draw.h */
    EnvShape *shape;
    uint32_t count, capacity;
} EnvList;

typedef const env_action (*EnvActions)[ENV_HEADS][ENV_LANES]; /* [ENV_SLOTS][ENV_HEADS][ENV_LANES] */

/* Everything that an environment is. Members that are absent (NULL) have the meaning given. */
typedef struct Env {
    EnvSpec spec; /* params, param, has_* are filled in by core.h */
    void (*reset)(State *s, int lane);
    void (*step)(State *s, EnvActions action, EnvResult out); /* one tick of all lanes */
    /* Lane l's observation goes to obs + l * stride. */
    void (*observe)(const State *s, int slot, env_obs *obs, size_t stride);
    void (*script)(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]);
    void (*event)(State *s, int lane, const EnvEvent *event); /* only kinds >= ENV_EVENT_CUSTOM */
    void (*draw)(const State *s, int lane, const EnvView *view, EnvList *list);
    float (*score)(const State *s, int lane, int slot);
    float (*success)(const State *s, int lane, int slot);            /* absent: the environment has no success */
    float (*potential)(const State *s, int lane, int slot);          /* absent: no progress measure */
    int (*alive)(const State *s, int lane, int slot);                /* absent: always */
    void (*mask)(const State *s, int lane, int slot, uint8_t *mask); /* absent: everything is possible */
} Env;

#include "draw.h"
#include "random.h"
#endif

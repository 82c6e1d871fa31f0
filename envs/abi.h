/* abi.h: the C ABI of every environment. Plain declarations, read alike by C compilers and by cffi
 * (which takes the lines between the two marks), so keep macros and conditionals out of them.
 *
 * One shared library (or object, or WebAssembly module) holds one environment. Words:
 *   group  a block of memory that holds `lanes` environments side by side (see env.h)
 *   lane   one environment of a group, 0 <= lane < env_lanes()
 *   slot   one player of an environment, 0 <= slot < spec->slots
 *   head   one number of an action: int32 for (multi-)discrete actions, float for continuous ones
 */
#ifndef MINNOW_ENV_ABI_H
#define MINNOW_ENV_ABI_H
#include <stddef.h>
#include <stdint.h>

/* cffi: begin */
enum { ENV_ABI_VERSION = 1 };

enum { ENV_F32 = 0, ENV_U8 = 1 };                                          /* EnvSpec.obs_type */
enum { ENV_DISCRETE = 0, ENV_MULTI_DISCRETE = 1, ENV_BOX = 2 };            /* EnvSpec.action_type */
enum { ENV_PHYSICS = 0, ENV_FIDELITY = 1, ENV_REWARD = 2, ENV_WORLD = 3 }; /* EnvParam.kind */
enum { ENV_LINEAR = 0, ENV_LOG = 1, ENV_INTEGER = 2 };                     /* EnvParam.scale */

typedef struct EnvParam {
    const char *name;
    float value, low, high; /* default and bounds, low <= value <= high */
    int32_t kind;           /* only ENV_PHYSICS parameters are randomized */
    int32_t scale;          /* how a range is drawn and swept */
    const char *unit, *doc;
} EnvParam;

typedef struct EnvField { /* one number of a flat observation, or one plane of an image-like one */
    const char *name;
    float low, high;
} EnvField;

typedef struct EnvHead { /* one head of the action */
    const char *name;
    int32_t size;       /* choices of a discrete head; 0 for a continuous one */
    float low, high;    /* bounds of a continuous head */
    const char *labels; /* comma-separated names of the choices, or NULL */
} EnvHead;

typedef struct EnvControl { /* what a person presses to mean an action */
    const char *label;      /* shown to the person: "Up" */
    const char *keys;       /* comma-separated KeyboardEvent.code names: "ArrowUp,KeyW" */
    const char *gamepad;    /* comma-separated: "button12,axis1-", of the standard mapping; or NULL */
    const char *touch;      /* zone of the picture: "top", "bottom", "left", "right"; "x", "y": -1 to 1 along it;
                               "x3/7": the third of seven columns, "y1/4": the first of four rows; or NULL */
    int32_t head;           /* which head it drives */
    float value;            /* the choice (discrete), or the value at full deflection (continuous) */
} EnvControl;

typedef struct EnvGesture { /* what a visitor may do that is no action; arrives as an EnvEvent of this kind */
    int32_t kind;           /* >= ENV_EVENT_CUSTOM */
    const char *name, *doc;
    const char *pointer; /* "click": x, y; "drag": x, y is the start, z the horizontal, value the vertical way */
} EnvGesture;

typedef struct EnvSpec {
    const char *name, *title, *description;
    int32_t slots;    /* players of one environment */
    int32_t agents;   /* how many of them (the first ones) the caller drives by default */
    int32_t obs_type; /* ENV_F32 or ENV_U8 */
    int32_t obs_rank; /* 1: [n]; 3: [planes][height][width] */
    int32_t obs_shape[4];
    const EnvField *fields; /* [obs_shape[0]] */
    int32_t action_type;
    int32_t heads;
    const EnvHead *head;   /* [heads] */
    int32_t masked;        /* 1 if some choices can be impossible: mask has one byte a choice, heads in order */
    int32_t idle[8];       /* the choice of each discrete head that means "do nothing" */
    float tick_rate;       /* ticks a second when played at normal speed */
    int32_t action_repeat; /* a policy acts every so many ticks; a person and the script may act at each */
    int32_t has_potential, has_success, has_script;
    const char *score_name;
    float score_low, score_high;
    float view_width, view_height; /* the world rectangle that draw() fills, in its units, origin top left */
    int32_t three_d;
    int32_t params;
    const EnvParam *param; /* [params] */
    int32_t controls;
    const EnvControl *control; /* [controls] */
    int32_t gestures;
    const EnvGesture *gesture; /* [gestures] */
} EnvSpec;

enum { ENV_EVENT_PARAM = 0, ENV_EVENT_RANDOMIZE = 1, ENV_EVENT_CUSTOM = 16 };
typedef struct EnvEvent { /* applies at the start of a tick, recorded like an action */
    int32_t kind;         /* ENV_EVENT_PARAM: parameter `slot` takes `value` (clipped to its bounds) now, and later
                             episodes draw around it; ENV_EVENT_RANDOMIZE: `value` is the fraction from the next reset on */
    int32_t slot;
    float x, y, z, value;
} EnvEvent;

typedef struct EnvView {
    int32_t agent;  /* slot in focus */
    int32_t camera; /* 0: the standard one */
    float aspect;   /* width / height of the picture */
} EnvView;

/* A draw list is an array of these. Colours are 0xRRGGBBAA. Coordinates are the world's (EnvSpec.view_width
 * x view_height, y down) in two dimensions, metres (z up) in three. */
enum {
    ENV_RECT = 1,      /* f: x, y (centre), width, height, angle (rad), corner radius */
    ENV_CIRCLE = 2,    /* f: x, y, radius */
    ENV_LINE = 3,      /* f: x0, y0, x1, y1, width */
    ENV_POLYGON = 4,   /* f: x0, y0, ... x5, y5; n corners (3 to 6) */
    ENV_TEXT = 5,      /* f: x, y (centre), height; text, n: 0 centred, -1 left, 1 right */
    ENV_BOX3 = 16,     /* f: x, y, z, half sizes x, y, z, quaternion w, x, y, z */
    ENV_SPHERE3 = 17,  /* f: x, y, z, radius */
    ENV_CAPSULE3 = 18, /* f: x0, y0, z0, x1, y1, z1, radius */
    ENV_CAMERA = 32,   /* f: 2-D: centre x, y, width, height; 3-D: eye x, y, z, target x, y, z, field of view (rad) */
    ENV_LIGHT = 33     /* f: direction x, y, z, strength */
};
typedef struct EnvShape {
    uint32_t kind, color;
    int32_t n;
    float f[12];
    char text[20]; /* NUL-terminated */
} EnvShape;        /* 80 bytes */

const EnvSpec *env_spec(void);
uint32_t env_abi_version(void);
uint32_t env_lanes(void);
uint32_t env_group_size(void); /* bytes of a group; align it to 64 */
uint32_t env_saved_size(void); /* bytes of one saved environment */
uint32_t env_obs_size(void);   /* numbers of one observation */
uint32_t env_choices(void);    /* bytes of one mask: the sum of the discrete heads' sizes */

/* Clears one lane and gives it its random stream and its parameters (NULL: defaults). No episode runs before env_reset,
 * which draws the parameters of each: with r = randomize a physics parameter comes from nominal +- r |nominal|, or
 * +- r (high - low) / 2 where the nominal is zero, clipped to [low, high]. */
void env_init(void *group, uint32_t lane, uint32_t seed_low, uint32_t seed_high, uint32_t index, const float *params,
              float randomize);
/* Bounds of the draw of one parameter of any kind at each reset, in place of those that `randomize` gave. */
void env_range(void *group, uint32_t lane, uint32_t param, float low, float high);
void env_reset(void *group, uint32_t lane); /* begins the next episode */
void env_event(void *group, uint32_t lane, const EnvEvent *event);
/* One tick of a whole group. action: [slots][heads][lanes], within the heads' bounds. Adds to reward [slots][lanes], so
 * that several ticks make one step; sets terminated and truncated [lanes] to 1 where the episode ended in this tick. A
 * lane whose episode has ended may be ticked on until it is reset; what that yields means nothing. */
void env_tick(void *group, const void *action, float *reward, int32_t *terminated, int32_t *truncated);
/* The lane's observation by one slot: env_obs_size() numbers of the spec's type. */
void env_observe(const void *group, uint32_t lane, uint32_t slot, void *obs);
void env_mask(const void *group, uint32_t lane, uint32_t slot, uint8_t *mask); /* 1: possible */
/* The scripted player's action, [heads]; skill in [0, 1], or negative for the parameter "skill". */
void env_script(const void *group, uint32_t lane, uint32_t slot, float skill, void *action);
float env_param(const void *group, uint32_t lane, uint32_t param); /* its value in this episode */
float env_score(const void *group, uint32_t lane, uint32_t slot);
float env_success(const void *group, uint32_t lane, uint32_t slot);
float env_potential(const void *group, uint32_t lane, uint32_t slot);
uint32_t env_alive(const void *group, uint32_t lane, uint32_t slot);
uint32_t env_ticks(const void *group, uint32_t lane); /* since the episode began */
void env_save(const void *group, uint32_t lane, void *saved);
void env_load(void *group, uint32_t lane, const void *saved);
uint64_t env_hash(const void *group, uint32_t lane); /* FNV-1a 64 of the saved bytes; the same for every lane count */
/* Writes at most `capacity` shapes, returns how many it wanted to write. */
uint32_t env_draw(const void *group, uint32_t lane, const EnvView *view, EnvShape *list, uint32_t capacity);
/* cffi: end */

#endif

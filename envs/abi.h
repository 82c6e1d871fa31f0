/* abi.h: the C ABI of every environment. Plain declarations, read alike by C compilers, by cffi and by the page's build
 * (which take the lines between the two marks), so keep macros and conditionals out of them.
 *
 * One shared library (or object, or WebAssembly module) holds one environment. Words:
 *   block  memory that holds `lanes` environments side by side (see env.h)
 *   lane   one environment of a block, 0 <= lane < env_lanes()
 *   slot   one player of an environment, 0 <= slot < spec->slots
 *   life   of a slot: from its birth, or the environment's reset, to its death or the environment's end
 *   head   one number of an action: int32 for (multi-)discrete actions, float for continuous ones
 *   group  one named array of an observation
 */
#ifndef MINNOW_ENV_ABI_H
#define MINNOW_ENV_ABI_H
#include <stddef.h>
#include <stdint.h>

/* cffi: begin */
enum { ENV_ABI_VERSION = 2 };

enum { ENV_MOST_SLOTS = 4096, ENV_MOST_HEADS = 8, ENV_MOST_GROUPS = 8 };

enum { ENV_F32 = 0, ENV_U8 = 1 }; /* EnvGroup.type */
/* EnvGroup.kind: [fields]; [planes][height][width] or [planes][length]; [entities][fields]; and of the set
 * before it, [entities] bytes, 1 where the entity is there, 0 where its fields mean nothing. */
enum { ENV_FIELDS = 0, ENV_PLANES = 1, ENV_SET = 2, ENV_PRESENT = 3 };
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

typedef struct EnvField { /* one number of a flat observation or of an entity, or one plane of an image-like one */
    const char *name;
    float low, high;
} EnvField;

typedef struct EnvGroup {   /* one named array of an observation */
    const char *name;       /* lower case; "obs" where there is one group */
    int32_t type;           /* ENV_F32 or ENV_U8 */
    int32_t kind;           /* ENV_FIELDS ... ENV_PRESENT */
    int32_t shape[3];       /* its sizes, then zeros */
    int32_t critic;         /* 1: for the critic alone, in training; a policy's file does without it */
    const EnvField *fields; /* [shape[0]]; of a set [shape[1]]; of ENV_PRESENT NULL */
} EnvGroup;

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
    const char *pointer; /* "click": at is where; "drag": at is the start, way leads from there to the end */
    const char *uses;    /* comma-separated, of the event's members: "at", "at,way", "target,at,way", "value" */
} EnvGesture;

typedef struct EnvSpec {
    const char *name, *title, *description;
    int32_t slots;  /* players of one environment */
    int32_t agents; /* how many of them (the first ones) the caller drives by default */
    int32_t groups;
    const EnvGroup *group; /* [groups]: what a slot observes */
    int32_t lives;         /* 1: slots may die, leave and be born while the environment goes on */
    int32_t shapes;        /* the longest draw list, at any parameters */
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
    int32_t target; /* the id of the shape that was picked; 0: none */
    float at[3], way[3], value;
} EnvEvent; /* 40 bytes */

typedef struct EnvView {
    int32_t agent;  /* slot in focus */
    int32_t camera; /* 0: the standard one */
    float aspect;   /* width / height of the picture */
} EnvView;

/* A draw list is an array of these. Colours are 0xRRGGBBAA. Coordinates are the world's (EnvSpec.view_width
 * x view_height, y down) in two dimensions, metres (z up) in three. */
enum {
    ENV_RECT = 1,       /* f: x, y (centre), width, height, angle (rad), corner radius */
    ENV_CIRCLE = 2,     /* f: x, y, radius */
    ENV_LINE = 3,       /* f: x0, y0, x1, y1, width */
    ENV_POLYGON = 4,    /* f: x0, y0, ... x5, y5; n corners (3 to 6) */
    ENV_TEXT = 5,       /* f: x, y (centre), height; text, n: 0 centred, -1 left, 1 right */
    ENV_TILES = 6,      /* f: x, y (centre), width, height, rows, stride (bytes from row to row); n: columns; cells and
                           palette below */
    ENV_BOX3 = 16,      /* f: x, y, z, half sizes x, y, z, turn w, x, y, z (a unit quaternion, the real part first) */
    ENV_SPHERE3 = 17,   /* f: x, y, z, radius */
    ENV_CAPSULE3 = 18,  /* f: x0, y0, z0, x1, y1, z1, radius */
    ENV_CYLINDER3 = 19, /* f: x, y, z (centre), radius, half length (along its own z), turn w, x, y, z */
    ENV_GROUND3 =
        20, /* f: x, y, z (centre), half sizes x, y, side of the squares (0: one colour); n: the other colour */
    ENV_CAMERA = 32, /* f: 2-D: centre x, y, width, height; 3-D: eye x, y, z, target x, y, z, field of view (rad) */
    ENV_LIGHT = 33   /* f: direction x, y, z, strength */
};
typedef struct EnvTiles { /* valid until the environment is stepped, reset, loaded or turned */
    uint64_t cells;       /* address of [rows][stride] bytes, each an index into the palette */
    uint64_t palette;     /* address of uint32_t [256], colours; alpha 0: nothing is drawn there */
} EnvTiles;
typedef struct EnvShape {
    uint32_t kind, color;
    int32_t n;
    uint32_t id; /* 0: none; else the same thing has the same id from tick to tick, and can be picked */
    float f[12];
    union {
        char text[16]; /* of ENV_TEXT, NUL-terminated */
        EnvTiles tiles;
    };
} EnvShape; /* 80 bytes */

const EnvSpec *env_spec(void);
uint32_t env_abi_version(void);
uint32_t env_lanes(void);
uint32_t env_block_size(void); /* bytes of a block; align it to 64 */
uint32_t
env_scratch_size(void); /* bytes of what is called scratch below: align it to 64; it keeps nothing between calls */
uint32_t env_saved_size(void);         /* bytes of one saved environment */
uint32_t env_obs_size(uint32_t group); /* numbers of one slot's part of a group */
uint32_t env_choices(void);            /* bytes of one mask: the sum of the discrete heads' sizes */

/* Clears one lane and gives it its random stream and its parameters (NULL: defaults). No episode runs before env_reset,
 * which draws the parameters of each: with r = randomize a physics parameter comes from nominal +- r |nominal|, or
 * +- r (high - low) / 2 where the nominal is zero, clipped to [low, high]. */
void env_init(void *block, uint32_t lane, uint32_t seed_low, uint32_t seed_high, uint32_t index, const float *params,
              float randomize);
/* Bounds of the draw of one parameter of any kind at each reset, in place of those that `randomize` gave. */
void env_range(void *block, uint32_t lane, uint32_t param, float low, float high);
void env_reset(void *block, uint32_t lane); /* begins the next episode */
void env_event(void *block, uint32_t lane, const EnvEvent *event);
/* One tick of a whole block. action: [slots][heads][lanes]; what is not possible becomes the idle choice, or is
 * clipped. Adds to reward [slots][lanes], so that several ticks make one step; sets terminated and truncated [lanes] to
 * 1 where the environment ended in this tick, and left [slots][lanes] to 1 where a life was truncated (NULL where the
 * spec has no lives). A slot that lived before and does not now, and has not left, has died. A lane whose environment
 * has ended may be ticked on until it is reset; what that yields means nothing. */
void env_tick(void *block, const void *action, float *reward, int32_t *terminated, int32_t *truncated, uint8_t *left,
              void *scratch);
/* To be called after each tick for a lane that goes on, once the last observations of the lives that ended are taken:
 * begins the lives whose time has come. Nothing where the spec has no lives. */
void env_spawn(void *block, uint32_t lane);
/* 1: somebody lives or will be born; 0: the environment is over. */
uint32_t env_goes_on(const void *block, uint32_t lane);
/* One group of the lane's observation by one slot: env_obs_size(group) numbers of its type. */
void env_observe(const void *block, uint32_t lane, uint32_t slot, uint32_t group, void *obs, void *scratch);
void env_mask(const void *block, uint32_t lane, uint32_t slot, uint8_t *mask); /* 1: possible; all are to the dead */
/* The scripted player's action, [heads]; skill in [0, 1], or negative for the parameter "skill". */
void env_script(const void *block, uint32_t lane, uint32_t slot, float skill, void *action);
float env_param(const void *block, uint32_t lane, uint32_t param); /* its value in this episode */
float env_score(const void *block, uint32_t lane, uint32_t slot);  /* in this episode so far */
float env_success(const void *block, uint32_t lane, uint32_t slot);
float env_potential(const void *block, uint32_t lane, uint32_t slot);
uint32_t env_alive(const void *block, uint32_t lane, uint32_t slot);
uint32_t env_ticks(const void *block, uint32_t lane); /* since the episode began */
void env_save(const void *block, uint32_t lane, void *saved);
void env_load(void *block, uint32_t lane, const void *saved);
uint64_t env_hash(const void *block, uint32_t lane); /* FNV-1a 64 of the saved bytes; the same for every lane count */
/* Writes at most `capacity` shapes, returns how many it wanted to write: more than spec->shapes is a fault of its. */
uint32_t env_draw(const void *block, uint32_t lane, const EnvView *view, EnvShape *list, uint32_t capacity);
/* cffi: end */

#endif

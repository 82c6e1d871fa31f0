/* gallery.c: an environment for test_draw.py that draws every kind of shape, and breaks the contract when it is told
 * to. Its gestures leave what arrived in the state, and in the picture. */
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_OBS 1
#define ENV_SHAPES 24
#define ENV_PARAMS(P)                                                                                                  \
    P(scene, 0.0f, 0.0f, 2.0f, ENV_WORLD, ENV_INTEGER, "", "Flat, a part of that, or space.")                          \
    P(fault, 0.0f, 0.0f, 4.0f, ENV_WORLD, ENV_INTEGER, "", "None, too many, a long text, a strange kind, no rows.")    \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Of the script, which does nothing.")
#include "env.h"

enum { ROWS = 4, COLUMNS = 6, STRIDE = 8, POKE = ENV_EVENT_CUSTOM, MOVE, PUSH };
enum { TURNED = 1, DISC, BAR, FLAG, FIELD, BALL };

struct State {
    EnvBase base;
    int32_t kind, target;
    float at[3], way[3], value;
    uint8_t cell[ROWS][STRIDE];
};

static void reset(State *s, int lane) {
    (void)lane;
    s->kind = s->target = 0;
    s->value = 0.0f;
    for (int i = 0; i < 3; i++) {
        s->at[i] = s->way[i] = 0.0f;
    }
    for (int y = 0; y < ROWS; y++) {
        for (int x = 0; x < STRIDE; x++) {
            s->cell[y][x] = (uint8_t)(x >= COLUMNS ? 255 : (x + y) % 3);
        }
    }
}

static void step(State *s, EnvActions action, EnvResult out) {
    (void)s, (void)action, (void)out;
}

static void event(State *s, int lane, const EnvEvent *event) {
    (void)lane;
    s->kind = event->kind;

    s->target = event->target;
    s->value = event->value;
    for (int i = 0; i < 3; i++) {
        s->at[i] = event->at[i];
        s->way[i] = event->way[i];
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)s, (void)slot, (void)stride;
    obs[0] = 0.0f;
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    (void)s, (void)slot, (void)skill, (void)action;
}

static float score(const State *s, int lane, int slot) {
    (void)lane, (void)slot;
    return (float)s->target;
}

static void flat(const State *s, EnvList *list) {
    static const uint32_t palette[256] = {0xf2c14eff, 0, 0x4a7fc0ff, [255] = 0xff00ffff};
    env_rect(list, 8.0f, 6.0f, 16.0f, 12.0f, 0.0f, 0.0f, 0x203040ff);
    env_rect(list, 3.0f, 3.0f, 3.6f, 2.0f, 0.5f, 0.5f, 0xe4572eff);
    env_id(list, TURNED);
    env_rect(list, 6.6f, 1.5f, 1.4f, 1.4f, 0.0f, 0.4f, 0xffffffff);
    env_circle(list, 8.0f, 3.0f, 1.6f, 0x7bd38980);
    env_id(list, DISC);
    env_line(list, 11.0f, 2.0f, 14.0f, 4.0f, 0.8f, 0xfff4d6c0);
    env_id(list, BAR);
    env_polygon(list, (const float[]){2.0f, 7.0f, 4.5f, 7.0f, 5.5f, 8.5f, 4.0f, 10.5f, 1.5f, 9.5f}, 5, 0xb04f7aff);
    env_id(list, FLAG);
    env_tiles(list, 9.0f, 8.5f, 4.5f, 3.0f, ROWS, COLUMNS, STRIDE, s->cell[0], palette);
    env_id(list, FIELD);
    env_text(list, 13.8f, 7.5f, 1.2f, ENV_CENTRED, 0xffffffff, "Fish");
    env_text(list, 12.0f, 9.0f, 0.8f, ENV_LEFT, 0x7bd389ff, "left");
    env_number(list, 15.6f, 10.5f, 1.0f, ENV_RIGHT, 0xf2c14eff, -42);
}

static void space(EnvList *list) {
    const float none[4] = {1.0f, 0.0f, 0.0f, 0.0f}, around_z[4] = {0.9238795f, 0.0f, 0.0f, 0.3826834f},
                around_y[4] = {0.7071068f, 0.0f, 0.7071068f, 0.0f};
    env_camera3(list, (const float[]){0.2f, -3.0f, 2.0f}, (const float[]){0.0f, 0.0f, 0.3f}, 0.8f);
    env_light(list, (const float[]){0.3f, 0.5f, -0.8f}, 0.6f, 0xffffffff);
    env_ground3(list, (const float[]){0.0f, 0.0f, 0.0f}, 2.0f, 1.5f, 0.5f, 0x33475bff, 0x4a6076ff);
    env_box3(list, (const float[]){-0.8f, 0.0f, 0.1f}, (const float[]){0.3f, 0.2f, 0.1f}, around_z, 0xe4572eff);
    env_box3(list, (const float[]){-0.8f, 0.0f, 0.35f}, (const float[]){0.1f, 0.1f, 0.15f}, none, 0xfff4d6ff);
    env_sphere3(list, (const float[]){0.0f, 0.0f, 0.25f}, 0.25f, 0x7bd389ff);
    env_id(list, BALL);
    env_capsule3(list, (const float[]){0.5f, 0.6f, 0.1f}, (const float[]){0.2f, 0.9f, 0.8f}, 0.1f, 0xf2c14eff);
    env_cylinder3(list, (const float[]){0.9f, -0.1f, 0.2f}, 0.2f, 0.3f, around_y, 0x4a7fc0ff);
    env_circle(list, 1.5f, 1.5f, 1.0f, 0xffffffff);
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float scene = s->base.param[P_scene][0];
    const int fault = (int)s->base.param[P_fault][0];
    (void)lane, (void)view;
    if (scene == 1.0f) {
        env_view(list, 8.0f, 8.0f, 16.0f, 8.0f);
    }
    if (scene == 2.0f) {
        space(list);
    } else {
        flat(s, list);
    }
    if (s->kind) {
        env_line(list, s->at[0], s->at[1], s->at[0] + s->way[0], s->at[1] + s->way[1], 0.2f, 0x000000ff);
    }
    for (int i = 0; fault == 1 && i < 2 * ENV_SHAPES; i++) {
        env_circle(list, 1.0f, 1.0f, 0.1f, 0xffffffff);
    }
    if (fault == 2) {
        env_text(list, 8.0f, 6.0f, 1.0f, ENV_CENTRED, 0xffffffff, "fifteen is most, and no more");
    } else if (fault == 3) {
        env_shape(list, 99, 0xffffffff, 0, 0, 0);
    } else if (fault == 4) {
        env_tiles(list, 8.0f, 6.0f, 1.0f, 1.0f, 0, COLUMNS, STRIDE, s->cell[0], (const uint32_t[1]){0});
    }
}

static const EnvField fields[ENV_OBS] = {{"nothing", 0.0f, 1.0f}};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {{"nothing", 2, 0.0f, 0.0f, "stay,stay too"}};
static const EnvControl controls[] = {{"Stay", "KeyA", 0, 0, 0, 0.0f}};
static const EnvGesture gestures[] = {{PUSH, "Push", "Drag a thing.", "drag", "target,at,way"},
                                      {MOVE, "Move", "Drag from anywhere.", "drag", "at,way,value"},
                                      {POKE, "Poke", "Click anywhere.", "click", "target,at"}};

static const Env env = {.spec = {.name = "gallery",
                                 .title = "Gallery",
                                 .description = "Every kind of shape.",
                                 .agents = 1,
                                 .group = groups,
                                 .action_type = ENV_DISCRETE,
                                 .head = heads,
                                 .tick_rate = 20.0f,
                                 .action_repeat = 1,
                                 .score_name = "target",
                                 .score_high = 10.0f,
                                 .view_width = 16.0f,
                                 .view_height = 12.0f,
                                 .three_d = 1,
                                 .controls = 1,
                                 .control = controls,
                                 .gestures = 3,
                                 .gesture = gestures},
                        .reset = reset,
                        .step = step,
                        .event = event,
                        .observe = {observe},
                        .script = script,
                        .draw = draw,
                        .score = score};
#include "core.h"

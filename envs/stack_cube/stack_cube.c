/* stack_cube.c: the arm puts a red cube on a green one and lets go.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's StackCube-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged. As there, the hand begins turned by a quarter, since
 * that task's robot is the one with a camera at its wrist. The arm is arm/arm.h, what touches arm/pair.h. */
#ifndef TASK_NAME
#define TASK_NAME "stack_cube"
#endif
#define ENV_SHAPES 34
#define ENV_OBS (ARM_SEEN + 30)
#define ARM_UNKNOWNS 14
#define ARM_REST_7 (-0.785398163f)
#include "../arm/params.h"
#define ENV_PARAMS(P)                                                                                                  \
    ARM_PARAMS(P)                                                                                                      \
    CUBE_PARAMS(P)                                                                                                     \
    P(spread, 0.1f, 0.01f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "Both cubes lie so far from the middle, in x, y.")      \
    P(apart_x, 0.1f, 0.05f, 0.15f, ENV_PHYSICS, ENV_LINEAR, "m", "Each so far from there, in x.")                      \
    P(apart_y, 0.2f, 0.05f, 0.25f, ENV_PHYSICS, ENV_LINEAR, "m", "And in y.")                                          \
    P(slack, 0.005f, 0.001f, 0.02f, ENV_WORLD, ENV_LOG, "m", "So far from its height a cube counts as on top.")        \
    P(still, 0.01f, 0.001f, 0.1f, ENV_WORLD, ENV_LOG, "m/s", "It may be no faster then.")                              \
    P(steady, 0.5f, 0.05f, 5.0f, ENV_WORLD, ENV_LOG, "rad/s", "Nor turn faster.")                                      \
    TASK_PARAMS(P)
#include "../env.h"
#include "../arm/arm.h"
#include "../arm/pair.h"

enum { RED = 1, GREEN = 2 };

struct State {
    EnvBase base;
    Arm arm;
    Cube cube[2]; /* the red one, the green one */
    int32_t done[ENV_LANES];
};

#include "../arm/task.h"

static void reset(State *s, int lane) {
    const float spread = PARAM(spread)[lane], wide = PARAM(apart_x)[lane], deep = PARAM(apart_y)[lane];
    const float clear = 2.0f * (1.41421356f * PARAM(cube_size)[lane] + 0.001f);
    arm_reset(s, &s->base, &s->arm, lane);
    float x = env_between(s, lane, -spread, spread), y = env_between(s, lane, -spread, spread);
    float red_x = env_between(s, lane, -wide, wide), red_y = env_between(s, lane, -deep, deep), far = 0.0f;
    float green_x = 0.0f, green_y = 0.0f;
    for (int tries = 0; tries < 100 && far <= clear; tries++) {
        green_x = env_between(s, lane, -wide, wide);
        green_y = env_between(s, lane, -deep, deep);
        far = task_length(green_x - red_x, green_y - red_y, 0.0f);
    }
    cube_reset(&s->base, &s->cube[0], lane, x + red_x, y + red_y, env_between(s, lane, -ENV_PI, ENV_PI));
    cube_reset(&s->base, &s->cube[1], lane, x + green_x, y + green_y, env_between(s, lane, -ENV_PI, ENV_PI));
    s->done[lane] = 0;
}

/* From the red cube to its place on the green one. */
static inline void to_top(const State *s, int l, float way[3]) {
    for (int k = 0; k < 3; k++) {
        way[k] = s->cube[1].at[k][l] - s->cube[0].at[k][l] + (k == 2 ? 2.0f * PARAM(cube_size)[l] : 0.0f);
    }
}

static inline int32_t on_top(const State *s, int l) {
    float way[3];
    to_top(s, l, way);
    int32_t above = task_length(way[0], way[1], 0.0f) <= 1.41421356f * PARAM(cube_size)[l] + 0.005f;
    int32_t level = env_abs(way[2]) <= PARAM(slack)[l];
    return above & level;
}

/* 0 to 1: the hand is open wider than the red cube, comes to it, closely, holds it by its middle, lifts it by a
 * centimetre, brings it over the green one and down, and lets go of it at rest. The way leads from above: what is not
 * over the green cube should be up to 3 cm higher than its top. */
static inline float progress(const State *s, int l) {
    const Cube *red = &s->cube[0];
    const float half = PARAM(cube_size)[l];
    float tcp[3], way[3];
    arm_tcp(&s->arm, l, tcp);
    to_top(s, l, way);
    float away = task_length(tcp[0] - red->at[0][l], tcp[1] - red->at[1][l], tcp[2] - red->at[2][l]);
    float aside = task_length(way[0], way[1], 0.0f), over = env_clamp(2.0f * (aside - 0.005f), 0.0f, 0.03f);
    float brought = task_near(task_length(way[0], way[1], way[2] + over));
    float open = s->arm.q[ARM_JOINTS][l] + s->arm.q[ARM_JOINTS + 1][l];
    float lifted = env_clamp(100.0f * (red->at[2][l] - PARAM(table)[l] - half), 0.0f, 1.0f);
    float held = cube_held(red, l) ? env_clamp(2.2f - 100.0f * away, 0.0f, 1.0f) : 0.0f;
    float wide = env_max(env_min(open / (2.5f * half), 1.0f), held);
    float fast = 10.0f * task_length(red->v[0][l], red->v[1][l], red->v[2][l]) +
                 task_length(red->spin[0][l], red->spin[1][l], red->spin[2][l]);
    float there = 0.75f + 0.05f * env_max(1.0f - aside / half, 0.0f) + 0.1f * open / (2.0f * ARM_OPEN) +
                  0.1f * (1.0f - env_tanh(fast));
    return on_top(s, l) ? there
                        : 0.15f * task_near(away) + 0.05f * wide + held * (0.1f + 0.05f * lifted + 0.4f * brought);
}

static void swing(State *s, ArmStep *step) {
    pair_swing(&s->base, &s->arm, s->cube, step);
}

static inline int32_t succeeds(const State *s, int l) {
    const Cube *red = &s->cube[0];
    float speed = task_length(red->v[0][l], red->v[1][l], red->v[2][l]);
    float spin = task_length(red->spin[0][l], red->spin[1][l], red->spin[2][l]);
    int32_t still = (speed <= PARAM(still)[l]) & (spin <= PARAM(steady)[l]);
    return on_top(s, l) & still & !cube_held(red, l);
}

static inline int32_t lost(const State *s, int l) {
    return cube_lost(&s->base, &s->cube[0], l) | cube_lost(&s->base, &s->cube[1], l);
}

static inline void look(const State *s, int l, float *o) {
    arm_see(&s->arm, l, o, o + ARM_SEEN);
    cube_see(&s->cube[0], l, o + ARM_SEEN + 7);
    cube_see(&s->cube[1], l, o + ARM_SEEN + 14);
    for (int k = 0; k < 3; k++) {
        o[ARM_SEEN + 21 + k] = o[ARM_SEEN + 7 + k] - o[ARM_SEEN + k];
        o[ARM_SEEN + 24 + k] = o[ARM_SEEN + 14 + k] - o[ARM_SEEN + k];
        o[ARM_SEEN + 27 + k] = o[ARM_SEEN + 14 + k] - o[ARM_SEEN + 7 + k];
    }
}

/* Above the red cube, down to it, shut; up, over the green one, down, open. */
static inline void plan(const State *s, int l, TaskPlan *plan) {
    float tcp[3], off[3], way[3];
    arm_tcp(&s->arm, l, tcp);
    to_top(s, l, way);
    for (int k = 0; k < 3; k++) {
        off[k] = s->cube[0].at[k][l] - tcp[k];
    }
    float beside = task_length(off[0], off[1], 0.0f), aside = task_length(way[0], way[1], 0.0f);
    int held = cube_held(&s->cube[0], l), there = on_top(s, l) && aside < 0.012f;
    float above = env_clamp(8.0f * (beside - 0.01f), 0.0f, 0.1f);
    float over = env_clamp(4.0f * (aside - 0.005f), 0.0f, 0.03f);
    /* no way across below the green cube's top */
    float across = aside < 0.1f ? env_clamp(1.0f - 60.0f * (way[2] + over - 0.02f), 0.0f, 1.0f) : 1.0f;
    for (int k = 0; k < 2; k++) {
        plan->place[k] = tcp[k] + (there ? 0.0f : held ? across * way[k] : off[k]);
    }
    plan->place[2] = tcp[2] + (there ? 0.0f : held ? way[2] + over : off[2] + above);
    plan->yaw = cube_yaw(&s->arm, &s->cube[0], l);
    plan->grip = there || (!held && task_length(off[0], off[1], off[2]) >= 0.012f) ? 1.0f : -1.0f;
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE) {
        task_kick(s->cube[event->target == GREEN].v, lane, event);
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_draw(&s->base, &s->cube[0], lane, cube_held(&s->cube[0], lane) ? 0xf2c14eff : 0xe4572eff, RED, list);
    cube_draw(&s->base, &s->cube[1], lane, 0x4fae6aff, GREEN, list);
    arm_draw_grip(&s->arm, lane, (const float[]){s->cube[0].squeeze[0][lane], s->cube[0].squeeze[1][lane]}, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,
    ARM_TCP_FIELDS,
    CUBE_FIELDS("red"),
    CUBE_FIELDS("green"),
    TASK_WAY_FIELDS("tcp_to_red", 5.0f),
    TASK_WAY_FIELDS("tcp_to_green", 5.0f),
    TASK_WAY_FIELDS("red_to_green", 6.0f),
};
static const EnvGesture gestures[] = {{TASK_MOVE, "Kick", "Drag a cube to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec = {.name = TASK_NAME,
             .title = "Stack Cube",
             .description = "An arm puts one cube on another and lets go.",
             .score_name = "stacked",
             TASK_SPEC},
    TASK_FUNCTIONS,
};
#include "../core.h"

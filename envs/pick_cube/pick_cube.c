/* pick_cube.c: the arm grasps a cube, brings it to a goal in the air, and holds it still there.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's PickCube-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged; the arm is arm/arm.h, the cube's contacts arm/touch.h.
 */
#ifndef TASK_NAME
#define TASK_NAME "pick_cube"
#endif
#define ENV_SHAPES 34
#define ENV_OBS (ARM_SEEN + 24)
#include "../arm/params.h"
#define ENV_PARAMS(P)                                                                                                  \
    ARM_PARAMS(P)                                                                                                      \
    CUBE_PARAMS(P)                                                                                                     \
    P(cube_spread, 0.1f, 0.01f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "The cube lies so far from the middle, in x, y.")  \
    P(goal_spread, 0.1f, 0.01f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "So does the goal.")                               \
    P(goal_rise, 0.3f, 0.05f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "m", "The goal is at most so high above the cube.")       \
    P(near, 0.025f, 0.005f, 0.1f, ENV_WORLD, ENV_LOG, "m", "So near to the goal the cube counts as there.")            \
    P(still, 0.2f, 0.02f, 2.0f, ENV_WORLD, ENV_LOG, "rad/s", "No joint may be faster then.")                           \
    TASK_PARAMS(P)
#include "../env.h"
#include "../arm/arm.h"
#include "../arm/cube.h"

enum { GOAL = 1, CUBE = 2 };

struct State {
    EnvBase base;
    Arm arm;
    Cube cube;
    float goal[3][ENV_LANES];
    int32_t done[ENV_LANES];
};

#include "../arm/task.h"

static void reset(State *s, int lane) {
    float spread = PARAM(cube_spread)[lane], around = PARAM(goal_spread)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    float x = env_between(s, lane, -spread, spread), y = env_between(s, lane, -spread, spread);
    cube_reset(&s->base, &s->cube, lane, x, y, env_between(s, lane, -ENV_PI, ENV_PI));
    s->goal[0][lane] = env_between(s, lane, -around, around);
    s->goal[1][lane] = env_between(s, lane, -around, around);
    s->goal[2][lane] = s->cube.at[2][lane] + PARAM(goal_rise)[lane] * env_uniform(s, lane);
    s->done[lane] = 0;
}

/* From the cube to its goal. */
static inline float to_goal(const State *s, int l) {
    return task_length(s->goal[0][l] - s->cube.at[0][l], s->goal[1][l] - s->cube.at[1][l],
                       s->goal[2][l] - s->cube.at[2][l]);
}

/* 0 to 1: the hand is open wider than the cube, comes to it, closely, shuts around it, holds it, lifts it by a
 * centimetre, so that it does not stay pressed against the table, brings it to the goal, and keeps still there. What is
 * let go is lost again, and what is held by its edge, as other simulators may not, does not count. Each part has a
 * slope wherever the one before has led: a cube may be dragged half a metre off, where a tanh is flat. */
static inline float progress(const State *s, int l) {
    float tcp[3];
    arm_tcp(&s->arm, l, tcp);
    const float away = task_length(tcp[0] - s->cube.at[0][l], tcp[1] - s->cube.at[1][l], tcp[2] - s->cube.at[2][l]);
    const float half = PARAM(cube_size)[l], gap = s->arm.q[ARM_JOINTS][l] + s->arm.q[ARM_JOINTS + 1][l];
    const float around = env_clamp(2.2f - 100.0f * away, 0.0f, 1.0f), held = cube_held(&s->cube, l) ? around : 0.0f;
    const float wide = env_max(env_min(gap / (2.5f * half), 1.0f), around);
    const float open = ARM_FINGERS * ARM_OPEN, shut = env_clamp((open - gap) / (open - 2.0f * half), 0.0f, 1.0f);
    const float lifted = env_clamp(100.0f * (s->cube.at[2][l] - PARAM(table)[l] - half), 0.0f, 1.0f);
    const float off = to_goal(s, l), brought = 0.5f * (1.0f - env_tanh(5.0f * off)) + env_max(0.5f - off, 0.0f);
    const float there = env_clamp(2.0f - off / PARAM(near)[l], 0.0f, 1.0f);
    const float still = there * (1.0f - env_tanh(2.0f * arm_fastest(&s->arm, l)));
    return 0.2f * task_near(away) + 0.1f * wide + 0.05f * around * shut +
           held * (0.05f + 0.05f * lifted + 0.45f * brought + 0.1f * still);
}

static void swing(State *s, ArmStep *step) {
    cube_swing(&s->base, &s->arm, &s->cube, step);
}

static inline int32_t succeeds(const State *s, int l) {
    return (to_goal(s, l) <= PARAM(near)[l]) & arm_still(&s->arm, l, PARAM(still)[l]);
}

static inline int32_t lost(const State *s, int l) {
    return cube_lost(&s->base, &s->cube, l);
}

static inline void look(const State *s, int l, float *o) {
    arm_see(&s->arm, l, o, o + ARM_SEEN + 1);
    o[ARM_SEEN] = (float)cube_held(&s->cube, l);
    cube_see(&s->cube, l, o + ARM_SEEN + 11);
    for (int k = 0; k < 3; k++) {
        o[ARM_SEEN + 8 + k] = s->goal[k][l];
        o[ARM_SEEN + 18 + k] = o[ARM_SEEN + 11 + k] - o[ARM_SEEN + 1 + k];
        o[ARM_SEEN + 21 + k] = o[ARM_SEEN + 8 + k] - o[ARM_SEEN + 11 + k];
    }
}

/* Above the cube, down to it, shut, and to the goal. */
static inline void plan(const State *s, int l, TaskPlan *plan) {
    float tcp[3], off[3];
    arm_tcp(&s->arm, l, tcp);
    for (int k = 0; k < 3; k++) {
        off[k] = s->cube.at[k][l] - tcp[k];
    }
    int held = cube_held(&s->cube, l);
    float beside = task_length(off[0], off[1], 0.0f), above = env_clamp(8.0f * (beside - 0.01f), 0.0f, 0.1f);
    for (int k = 0; k < 3; k++) {
        float way = held ? s->goal[k][l] - s->cube.at[k][l] : off[k];
        plan->place[k] = tcp[k] + way + (k == 2 && !held ? above : 0.0f);
    }
    plan->yaw = cube_yaw(&s->arm, &s->cube, l);
    plan->grip = held || task_length(off[0], off[1], off[2]) < 0.012f ? -1.0f : 1.0f;
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE && event->target == CUBE) {
        task_kick(s->cube.v, lane, event);
    } else if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 3, lane, event);
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_draw(&s->base, &s->cube, lane, cube_held(&s->cube, lane) ? 0xf2c14eff : 0xe4572eff, CUBE, list);
    arm_draw_grip(&s->arm, lane, (const float[]){s->cube.squeeze[0][lane], s->cube.squeeze[1][lane]}, list);
    arm_draw_goal(&s->base, lane, (const float[]){s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]}, 0.02f,
                  0x7bd389a0, GOAL, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,
    {"grasped", 0.0f, 1.0f},
    ARM_TCP_FIELDS,
    TASK_GOAL_FIELDS,
    CUBE_FIELDS("cube"),
    TASK_WAY_FIELDS("tcp_to_cube", 5.0f),
    TASK_WAY_FIELDS("cube_to_goal", 5.0f),
};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move", "Drag the goal elsewhere; drag the cube to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec =
        {
            .name = TASK_NAME,
            .title = "Pick Cube",
            .description = "An arm grasps a cube, brings it to a goal, and holds it still.",
            .score_name = "picked",
            TASK_SPEC,
        },
    TASK_FUNCTIONS,
};
#include "../core.h"

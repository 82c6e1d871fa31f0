/* push_cube.c: the arm pushes a cube ahead, into a ring on the table.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's PushCube-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged; the arm is arm/arm.h, the cube's contacts arm/touch.h.
 */
#ifndef TASK_NAME
#define TASK_NAME "push_cube"
#endif
#define ENV_SHAPES 34
#define ENV_OBS (ARM_SEEN + 17)
#include "../arm/params.h"
#define ENV_PARAMS(P)                                                                                                  \
    ARM_PARAMS(P)                                                                                                      \
    CUBE_PARAMS(P)                                                                                                     \
    P(cube_spread, 0.1f, 0.01f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "The cube lies so far from the middle, in x, y.")  \
    P(cube_turn, 0.0f, 0.0f, 3.2f, ENV_PHYSICS, ENV_LINEAR, "rad", "It is turned by at most so much, to either side.") \
    P(goal_ahead, 0.2f, 0.15f, 0.3f, ENV_PHYSICS, ENV_LINEAR, "m", "The ring's middle is so far ahead of the cube.")   \
    P(goal_radius, 0.1f, 0.03f, 0.12f, ENV_WORLD, ENV_LOG, "m", "The cube's middle must come so near to that.")        \
    P(flat, 0.005f, 0.001f, 0.05f, ENV_WORLD, ENV_LOG, "m", "It may be lifted by less than that.")                     \
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
    float spread = PARAM(cube_spread)[lane], turn = PARAM(cube_turn)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    float x = env_between(s, lane, -spread, spread), y = env_between(s, lane, -spread, spread);
    cube_reset(&s->base, &s->cube, lane, x, y, env_between(s, lane, -turn, turn));
    s->goal[0][lane] = x + PARAM(goal_ahead)[lane];
    s->goal[1][lane] = y;
    s->goal[2][lane] = PARAM(table)[lane] + 0.001f;
    s->done[lane] = 0;
}

/* From the cube's middle to the ring's, along the table. */
static inline float to_goal(const State *s, int l) {
    return task_length(s->goal[0][l] - s->cube.at[0][l], s->goal[1][l] - s->cube.at[1][l], 0.0f);
}

/* 0 to 1: the hand comes behind the cube, and the cube to the goal. */
static inline float progress(const State *s, int l) {
    float tcp[3], behind = s->cube.at[0][l] - PARAM(cube_size)[l] - ARM_FINGER_WIDE;
    arm_tcp(&s->arm, l, tcp);
    float away = task_length(tcp[0] - behind, tcp[1] - s->cube.at[1][l], tcp[2] - s->cube.at[2][l]);
    return 0.3f * task_near(away) + 0.7f * (1.0f - env_tanh(5.0f * to_goal(s, l)));
}

static void swing(State *s, ArmStep *step) {
    cube_swing(&s->base, &s->arm, &s->cube, step);
}

static inline int32_t succeeds(const State *s, int l) {
    float height = s->cube.at[2][l] - PARAM(table)[l];
    return (to_goal(s, l) < PARAM(goal_radius)[l]) & (height < PARAM(cube_size)[l] + PARAM(flat)[l]);
}

static inline int32_t lost(const State *s, int l) {
    return cube_lost(&s->base, &s->cube, l);
}

static inline void look(const State *s, int l, float *o) {
    arm_see(&s->arm, l, o, o + ARM_SEEN);
    for (int k = 0; k < 3; k++) {
        o[ARM_SEEN + 7 + k] = s->goal[k][l];
    }
    cube_see(&s->cube, l, o + ARM_SEEN + 10);
}

/* Over and behind the cube, down, and ahead. */
static inline void plan(const State *s, int l, TaskPlan *plan) {
    float tcp[3], half = PARAM(cube_size)[l];
    arm_tcp(&s->arm, l, tcp);
    float ahead = s->cube.at[0][l] - tcp[0], aside = s->cube.at[1][l] - tcp[1];
    int behind = ahead > half && env_abs(aside) < 0.5f * half && tcp[2] < s->cube.at[2][l] + 0.5f * half;
    float back = s->cube.at[0][l] - half - 0.025f;
    float off = task_length(back - tcp[0], aside, 0.0f);
    plan->place[0] = behind ? s->goal[0][l] : back;
    plan->place[1] = s->cube.at[1][l] + (behind ? 0.5f * (s->cube.at[1][l] - s->goal[1][l]) : 0.0f);
    plan->place[2] = s->cube.at[2][l] + (behind ? 0.0f : env_clamp(4.0f * (off - 0.02f), 0.0f, 0.08f));
    plan->grip = -1.0f;
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE && event->target == CUBE) {
        task_kick(s->cube.v, lane, event);
    } else if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 2, lane, event);
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float flat[4] = {1.0f, 0.0f, 0.0f, 0.0f};
    const float goal[3] = {s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]};
    (void)view;
    arm_draw_room(&s->base, lane, list);
    env_cylinder3(list, goal, PARAM(goal_radius)[lane], 0.001f, flat, 0x7bd389ff);
    env_id(list, GOAL);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_draw(&s->base, &s->cube, lane, s->done[lane] ? 0xf2c14eff : 0xe4572eff, CUBE, list);
    arm_draw_grip(&s->arm, lane, (const float[]){s->cube.squeeze[0][lane], s->cube.squeeze[1][lane]}, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,          ARM_TCP_FIELDS, {"goal_x", -0.5f, 0.5f}, {"goal_y", -0.5f, 0.5f}, {"goal_z", -0.1f, 0.1f},
    CUBE_FIELDS("cube"),
};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move", "Drag the ring elsewhere; drag the cube to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec = {.name = TASK_NAME,
             .title = "Push Cube",
             .description = "An arm pushes a cube into a ring.",
             .score_name = "pushed",
             TASK_SPEC},
    TASK_FUNCTIONS,
};
#include "../core.h"

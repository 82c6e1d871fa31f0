/* reach.c: the arm brings the point between its fingertips to a goal above the table, and holds still there.
 *
 * Observations and actions are in ManiSkill's order, for its control mode pd_joint_delta_pos: see arm/arm.h. */
#ifndef TASK_NAME
#define TASK_NAME "reach"
#endif
#define ENV_SHAPES 28
#define ENV_OBS (ARM_SEEN + 13)
#include "../arm/params.h"
#define ENV_PARAMS(P)                                                                                                  \
    ARM_PARAMS(P)                                                                                                      \
    P(goal_spread, 0.2f, 0.02f, 0.3f, ENV_PHYSICS, ENV_LINEAR, "m", "Goals lie so far from the middle, in x and y.")   \
    P(goal_low, 0.05f, 0.02f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "The lowest goal above the table.")                  \
    P(goal_high, 0.4f, 0.2f, 0.6f, ENV_PHYSICS, ENV_LINEAR, "m", "The highest goal above the table.")                  \
    P(near, 0.025f, 0.005f, 0.1f, ENV_WORLD, ENV_LOG, "m", "So near to the goal counts as reached.")                   \
    P(still, 0.2f, 0.02f, 2.0f, ENV_WORLD, ENV_LOG, "rad/s", "No joint may be faster then.")                           \
    TASK_PARAMS(P)
#include "../env.h"
#include "../arm/arm.h"

enum { GOAL = 1 };

struct State {
    EnvBase base;
    Arm arm;
    float goal[3][ENV_LANES];
    int32_t done[ENV_LANES];
};

#include "../arm/task.h"

static void reset(State *s, int lane) {
    float spread = PARAM(goal_spread)[lane], low = PARAM(goal_low)[lane], table = PARAM(table)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    s->goal[0][lane] = env_between(s, lane, -spread, spread);
    s->goal[1][lane] = env_between(s, lane, -spread, spread);
    s->goal[2][lane] = table + env_between(s, lane, low, env_max(PARAM(goal_high)[lane], low));
    s->done[lane] = 0;
}

static inline float distance(const State *s, int l) {
    float tcp[3];
    arm_tcp(&s->arm, l, tcp);
    return task_length(tcp[0] - s->goal[0][l], tcp[1] - s->goal[1][l], tcp[2] - s->goal[2][l]);
}

/* 0 far from the goal, 1 at it. */
static inline float progress(const State *s, int l) {
    return 1.0f - env_tanh(5.0f * distance(s, l));
}

static void swing(State *s, ArmStep *step) {
    arm_swing(&s->base, &s->arm, step);
    arm_move(&s->base, &s->arm, ARM_JOINTS, step);
    arm_move(&s->base, &s->arm, ARM_JOINTS + 1, step);
}

static inline int32_t succeeds(const State *s, int l) {
    return (distance(s, l) <= PARAM(near)[l]) & arm_still(&s->arm, l, PARAM(still)[l]);
}

static inline int32_t lost(const State *s, int l) {
    return !(distance(s, l) < 10.0f); /* numbers have broken */
}

static inline void look(const State *s, int l, float *o) {
    arm_see(&s->arm, l, o, o + ARM_SEEN);
    for (int k = 0; k < 3; k++) {
        o[ARM_SEEN + 7 + k] = s->goal[k][l];
        o[ARM_SEEN + 10 + k] = s->goal[k][l] - o[ARM_SEEN + k];
    }
}

static inline void plan(const State *s, int l, TaskPlan *plan) {
    for (int k = 0; k < 3; k++) {
        plan->place[k] = s->goal[k][l];
    }
    plan->grip = 1.0f;
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 3, lane, event);
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float goal[3] = {s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]};
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    arm_draw_goal(&s->base, lane, goal, PARAM(near)[lane], s->done[lane] ? 0x7bd389ff : 0xf2c14ec0, GOAL, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,
    ARM_TCP_FIELDS,
    TASK_GOAL_FIELDS,
    TASK_WAY_FIELDS("tcp_to_goal", 2.0f),
};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move the goal", "Drag the goal elsewhere.", "drag", "target,at,way"}};

static const Env env = {
    .spec =
        {
            .name = TASK_NAME,
            .title = "Reach",
            .description = "An arm brings its fingertips to a goal, and holds still.",
            .score_name = "reached",
            TASK_SPEC,
        },
    TASK_FUNCTIONS,
};
#include "../core.h"

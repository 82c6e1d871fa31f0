/* reach.c: the arm brings the point between its fingertips to a goal above the table, and holds still there.
 *
 * Observations and actions are in ManiSkill's order, for its control mode pd_joint_delta_pos: see arm/arm.h. */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_CONTINUOUS
#define ENV_SLOTS 1
#define ENV_HEADS 8
#define ENV_SHAPES 28
#define ENV_OBS 31
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
#include "../arm/task.h"

enum { GOAL = 1 };

struct State {
    EnvBase base;
    Arm arm;
    float goal[3][ENV_LANES];
    int32_t reached[ENV_LANES];
};

#define PARAM(name) (s->base.param[P_##name])

static void reset(State *s, int lane) {
    float spread = PARAM(goal_spread)[lane], low = PARAM(goal_low)[lane], table = PARAM(table)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    s->goal[0][lane] = env_between(s, lane, -spread, spread);
    s->goal[1][lane] = env_between(s, lane, -spread, spread);
    s->goal[2][lane] = table + env_between(s, lane, low, env_max(PARAM(goal_high)[lane], low));
    s->reached[lane] = 0;
}

static inline float distance(const State *s, int l) {
    float tcp[3], sum = 0.0f;
    arm_tcp(&s->arm, l, tcp);
    for (int k = 0; k < 3; k++) {
        sum += (tcp[k] - s->goal[k][l]) * (tcp[k] - s->goal[k][l]);
    }
    return env_sqrt(sum);
}

/* 0 far from the goal, 1 at it. */
static inline float progress(const State *s, int l) {
    return 1.0f - env_tanh(5.0f * distance(s, l));
}

static void step(State *s, EnvActions action, EnvResult out) {
    ArmStep step;
    arm_begin(s, &s->base, &s->arm, action[0], &step);
    for (int part = 0; part < step.most; part++) {
        arm_part(&s->base, &s->arm, part, &step);
        arm_swing(&s->base, &s->arm, &step);
        arm_move(&s->base, &s->arm, ARM_JOINTS, &step);
        arm_move(&s->base, &s->arm, ARM_JOINTS + 1, &step);
    }
    memcpy(s->arm.target, step.goal, sizeof step.goal);
    EACH_LANE(l) {
        int32_t reached = (distance(s, l) <= PARAM(near)[l]) & arm_still(&s->arm, l, PARAM(still)[l]);
        s->reached[l] = reached;
        out.reward[0][l] += (float)reached + PARAM(raw)[l] * progress(s, l);
        out.terminated[l] |= reached;
        out.truncated[l] |= (float)(s->base.tick[l] + 1) >= PARAM(limit)[l];
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)slot;
    EACH_LANE(l) {
        float *o = obs + (size_t)l * stride;
        arm_see(&s->arm, l, o, o + 18);
        for (int k = 0; k < 3; k++) {
            o[25 + k] = s->goal[k][l];
            o[28 + k] = s->goal[k][l] - o[18 + k];
        }
    }
    arm_blur(&s->arm, &s->base, ENV_OBS, obs, stride);
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float place[3][ENV_LANES], yaw[ENV_LANES] = {0}, lean[ENV_LANES] = {0}, grip[ENV_LANES];
    (void)slot;
    memcpy(place, s->goal, sizeof place);
    EACH_LANE(l) {
        grip[l] = 1.0f;
    }
    task_act(s, &s->base, &s->arm, skill, place, yaw, lean, grip, action);
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 3, lane, event);
    }
}

static float score(const State *s, int lane, int slot) {
    (void)slot;
    return (float)s->reached[lane];
}

static float potential(const State *s, int lane, int slot) {
    (void)slot;
    return progress(s, lane);
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float goal[3] = {s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]};
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    arm_draw_goal(&s->base, lane, goal, PARAM(near)[lane], s->reached[lane] ? 0x7bd389ff : 0xf2c14ec0, GOAL, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,
    ARM_TCP_FIELDS,
    {"goal_x", -0.5f, 0.5f},
    {"goal_y", -0.5f, 0.5f},
    {"goal_z", 0.0f, 1.0f},
    {"tcp_to_goal_x", -2.0f, 2.0f},
    {"tcp_to_goal_y", -2.0f, 2.0f},
    {"tcp_to_goal_z", -2.0f, 2.0f},
};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {ARM_JOINT_HEADS};
static const EnvControl controls[] = {HANDS_CONTROLS};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move the goal", "Drag the goal elsewhere.", "drag", "target,at,way"}};

static const Env env = {
    .spec =
        {
            .name = "reach",
            .title = "Reach",
            .description = "An arm of seven joints brings its fingertips to a goal, and holds still.",
            .score_name = "reached",
            TASK_SPEC,
        },
    .reset = reset,
    .step = step,
    .observe = {observe},
    .script = script,
    .event = event,
    .draw = draw,
    .score = score,
    .success = score,
    .potential = potential,
};
#include "../core.h"

/* pick_cube.c: the arm grasps a cube, brings it to a goal in the air, and holds it still there.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's PickCube-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged; the arm is arm/arm.h, the cube's contacts arm/cube.h. */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_CONTINUOUS
#define ENV_SLOTS 1
#define ENV_HEADS 8
#define ENV_SHAPES 34
#define ENV_OBS 42
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
#include "../arm/task.h"

enum { GOAL = 1, CUBE = 2 };

struct State {
    EnvBase base;
    Arm arm;
    Cube cube;
    float goal[3][ENV_LANES];
    int32_t done[ENV_LANES];
};

#define PARAM(name) (s->base.param[P_##name])

static void reset(State *s, int lane) {
    float spread = PARAM(cube_spread)[lane], around = PARAM(goal_spread)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    float x = env_between(s, lane, -spread, spread), y = env_between(s, lane, -spread, spread);
    cube_reset(&s->base, &s->cube, lane, x, y, env_between(s, lane, -0.5f * ENV_PI, 1.5f * ENV_PI)); /* as there */
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

/* 0 to 1: the hand is open wider than the cube, comes to it, closely, holds it, lifts it by a centimetre, so that it
 * does not stay pressed against the table, and brings it to the goal. What is let go is lost again. */
static inline float progress(const State *s, int l) {
    float tcp[3];
    arm_tcp(&s->arm, l, tcp);
    float away = task_length(tcp[0] - s->cube.at[0][l], tcp[1] - s->cube.at[1][l], tcp[2] - s->cube.at[2][l]);
    float come = 0.2f - 0.1f * env_tanh(5.0f * away) - 0.1f * env_tanh(25.0f * away);
    float wide = (s->arm.q[ARM_JOINTS][l] + s->arm.q[ARM_JOINTS + 1][l]) / (2.5f * PARAM(cube_size)[l]);
    float brought = 1.0f - env_tanh(5.0f * to_goal(s, l)), held = (float)cube_held(&s->cube, l);
    float lifted = env_clamp(100.0f * (s->cube.at[2][l] - PARAM(table)[l] - PARAM(cube_size)[l]), 0.0f, 1.0f);
    return come + 0.1f * env_max(env_min(wide, 1.0f), held) + held * (0.1f + 0.1f * lifted + 0.5f * brought);
}

static void step(State *s, EnvActions action, EnvResult out) {
    ArmStep step;
    arm_begin(s, &s->base, &s->arm, action[0], &step);
    for (int part = 0; part < step.most; part++) {
        arm_part(&s->base, &s->arm, part, &step);
        cube_swing(&s->base, &s->arm, &s->cube, &step);
    }
    memcpy(s->arm.target, step.goal, sizeof step.goal);
    EACH_LANE(l) {
        int32_t done = (to_goal(s, l) <= PARAM(near)[l]) & arm_still(&s->arm, l, PARAM(still)[l]);
        s->done[l] = done;
        out.reward[0][l] += (float)done + PARAM(raw)[l] * progress(s, l);
        out.terminated[l] |= done | cube_lost(&s->base, &s->cube, l);
        out.truncated[l] |= (float)(s->base.tick[l] + 1) >= PARAM(limit)[l];
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)slot;
    EACH_LANE(l) {
        float *o = obs + (size_t)l * stride;
        arm_see(&s->arm, l, o, o + 19);
        o[18] = (float)cube_held(&s->cube, l);
        cube_see(&s->cube, l, o + 29);
        for (int k = 0; k < 3; k++) {
            o[26 + k] = s->goal[k][l];
            o[36 + k] = o[29 + k] - o[19 + k];
            o[39 + k] = o[26 + k] - o[29 + k];
        }
    }
    arm_blur(&s->arm, &s->base, ENV_OBS, obs, stride);
}

/* Above the cube, down to it, shut, and to the goal. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float place[3][ENV_LANES], yaw[ENV_LANES], lean[ENV_LANES] = {0}, grip[ENV_LANES];
    (void)slot;
    EACH_LANE(l) {
        float tcp[3], off[3];
        arm_tcp(&s->arm, l, tcp);
        for (int k = 0; k < 3; k++) {
            off[k] = s->cube.at[k][l] - tcp[k];
        }
        int held = cube_held(&s->cube, l);
        float beside = task_length(off[0], off[1], 0.0f), above = env_clamp(8.0f * (beside - 0.01f), 0.0f, 0.1f);
        for (int k = 0; k < 3; k++) {
            float way = held ? s->goal[k][l] - s->cube.at[k][l] : off[k];
            place[k][l] = tcp[k] + way + (k == 2 && !held ? above : 0.0f);
        }
        yaw[l] = cube_yaw(&s->arm, &s->cube, l);
        grip[l] = held || task_length(off[0], off[1], off[2]) < 0.012f ? -1.0f : 1.0f;
    }
    task_act(s, &s->base, &s->arm, skill, place, yaw, lean, grip, action);
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE && event->target == CUBE) {
        task_kick(s->cube.v, lane, event);
    } else if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 3, lane, event);
    }
}

static float score(const State *s, int lane, int slot) {
    (void)slot;
    return (float)s->done[lane];
}

static float potential(const State *s, int lane, int slot) {
    (void)slot;
    return progress(s, lane);
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float half = PARAM(cube_size)[lane], sides[3] = {half, half, half};
    float pose[7];
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_see(&s->cube, lane, pose);
    env_box3(list, pose, sides, pose + 3, cube_held(&s->cube, lane) ? 0xf2c14eff : 0xe4572eff);
    env_id(list, CUBE);
    arm_draw_grip(&s->arm, lane, (const float[]){s->cube.squeeze[0][lane], s->cube.squeeze[1][lane]}, list);
    arm_draw_goal(&s->base, lane, (const float[]){s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]}, 0.02f,
                  0x7bd389a0, GOAL, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,
    {"grasped", 0.0f, 1.0f},
    ARM_TCP_FIELDS,
    {"goal_x", -0.5f, 0.5f},
    {"goal_y", -0.5f, 0.5f},
    {"goal_z", 0.0f, 1.0f},
    CUBE_FIELDS("cube"),
    {"tcp_to_cube_x", -5.0f, 5.0f},
    {"tcp_to_cube_y", -5.0f, 5.0f},
    {"tcp_to_cube_z", -5.0f, 5.0f},
    {"cube_to_goal_x", -5.0f, 5.0f},
    {"cube_to_goal_y", -5.0f, 5.0f},
    {"cube_to_goal_z", -5.0f, 5.0f},
};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {ARM_JOINT_HEADS};
static const EnvControl controls[] = {HANDS_CONTROLS};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move", "Drag the goal elsewhere; drag the cube to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec =
        {
            .name = "pick_cube",
            .title = "Pick Cube",
            .description = "An arm of seven joints grasps a cube, brings it to a goal, and holds it still.",
            .score_name = "picked",
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

/* push_cube.c: the arm pushes a cube ahead, into a ring on the table.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's PushCube-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged; the arm is arm/arm.h, the cube's contacts arm/cube.h. */
#ifndef ENV_LANES
#define ENV_LANES 16
#endif
#define ENV_CONTINUOUS
#define ENV_SLOTS 1
#define ENV_HEADS 8
#define ENV_SHAPES 34
#define ENV_OBS 35
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

static void step(State *s, EnvActions action, EnvResult out) {
    ArmStep step;
    arm_begin(s, &s->base, &s->arm, action[0], &step);
    for (int part = 0; part < step.most; part++) {
        arm_part(&s->base, &s->arm, part, &step);
        cube_swing(&s->base, &s->arm, &s->cube, &step);
    }
    memcpy(s->arm.target, step.goal, sizeof step.goal);
    EACH_LANE(l) {
        float height = s->cube.at[2][l] - PARAM(table)[l];
        int32_t done = (to_goal(s, l) < PARAM(goal_radius)[l]) & (height < PARAM(cube_size)[l] + PARAM(flat)[l]);
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
        arm_see(&s->arm, l, o, o + 18);
        for (int k = 0; k < 3; k++) {
            o[25 + k] = s->goal[k][l];
        }
        cube_see(&s->cube, l, o + 28);
    }
    arm_blur(&s->arm, &s->base, ENV_OBS, obs, stride);
}

/* Over and behind the cube, down, and ahead. */
static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float place[3][ENV_LANES], yaw[ENV_LANES] = {0}, lean[ENV_LANES] = {0}, grip[ENV_LANES];
    (void)slot;
    EACH_LANE(l) {
        float tcp[3], half = PARAM(cube_size)[l];
        arm_tcp(&s->arm, l, tcp);
        float ahead = s->cube.at[0][l] - tcp[0], aside = s->cube.at[1][l] - tcp[1];
        int behind = ahead > half && env_abs(aside) < 0.5f * half && tcp[2] < s->cube.at[2][l] + 0.5f * half;
        float back = s->cube.at[0][l] - half - 0.025f;
        float off = task_length(back - tcp[0], aside, 0.0f);
        place[0][l] = behind ? s->goal[0][l] : back;
        place[1][l] = s->cube.at[1][l] + (behind ? 0.5f * (s->cube.at[1][l] - s->goal[1][l]) : 0.0f);
        place[2][l] = s->cube.at[2][l] + (behind ? 0.0f : env_clamp(4.0f * (off - 0.02f), 0.0f, 0.08f));
        grip[l] = -1.0f;
    }
    task_act(s, &s->base, &s->arm, skill, place, yaw, lean, grip, action);
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE && event->target == CUBE) {
        task_kick(s->cube.v, lane, event);
    } else if (event->kind == TASK_MOVE) {
        task_drag(&s->base, s->goal, 2, lane, event);
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
    const float half = PARAM(cube_size)[lane], sides[3] = {half, half, half}, flat[4] = {1.0f, 0.0f, 0.0f, 0.0f};
    const float goal[3] = {s->goal[0][lane], s->goal[1][lane], s->goal[2][lane]};
    float pose[7];
    (void)view;
    arm_draw_room(&s->base, lane, list);
    env_cylinder3(list, goal, PARAM(goal_radius)[lane], 0.001f, flat, 0x7bd389ff);
    env_id(list, GOAL);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_see(&s->cube, lane, pose);
    env_box3(list, pose, sides, pose + 3, s->done[lane] ? 0xf2c14eff : 0xe4572eff);
    env_id(list, CUBE);
    arm_draw_grip(&s->arm, lane, (const float[]){s->cube.squeeze[0][lane], s->cube.squeeze[1][lane]}, list);
}

static const EnvField fields[ENV_OBS] = {
    ARM_FIELDS,          ARM_TCP_FIELDS, {"goal_x", -0.5f, 0.5f}, {"goal_y", -0.5f, 0.5f}, {"goal_z", -0.1f, 0.1f},
    CUBE_FIELDS("cube"),
};
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
static const EnvHead heads[ENV_HEADS] = {ARM_JOINT_HEADS};
static const EnvControl controls[] = {HANDS_CONTROLS};
static const EnvGesture gestures[] = {
    {TASK_MOVE, "Move", "Drag the ring elsewhere; drag the cube to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec = {.name = "push_cube",
             .title = "Push Cube",
             .description = "An arm of seven joints pushes a cube into a ring.",
             .score_name = "pushed",
             TASK_SPEC},
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

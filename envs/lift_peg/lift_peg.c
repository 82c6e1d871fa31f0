/* lift_peg.c: the arm sets a peg that lies on the table upright.
 *
 * The task, the observations' order and what an action means are those of ManiSkill 3.0.1's LiftPegUpright-v1 with
 * pd_joint_delta_pos, so that a policy moves across unchanged. Its success reads one Euler angle, which a peg that lies
 * across in the air can fulfil too; here the peg must also stand. The arm is arm/arm.h, the peg's contacts arm/touch.h.
 */
#ifndef TASK_NAME
#define TASK_NAME "lift_peg"
#endif
#define ENV_SHAPES 34
#define ENV_OBS (ARM_SEEN + 14)
#define CONTACT_CREEP 0.001f /* m/s: a peg that is held off its middle turns in the grip at about that */
#include "../arm/params.h"
#define ENV_PARAMS(P)                                                                                                  \
    ARM_PARAMS(P)                                                                                                      \
    P(peg_length, 0.12f, 0.08f, 0.16f, ENV_PHYSICS, ENV_LOG, "m", "Half the length of the peg.")                       \
    P(peg_width, 0.025f, 0.015f, 0.035f, ENV_PHYSICS, ENV_LOG, "m", "Half its width.")                                 \
    P(peg_mass, 0.6f, 0.1f, 2.0f, ENV_PHYSICS, ENV_LOG, "kg", "Mass of the peg.")                                      \
    CENTRE_PARAMS(P)                                                                                                   \
    P(peg_friction, 0.3f, 0.05f, 2.0f, ENV_PHYSICS, ENV_LOG, "", "Of the peg; two surfaces have their mean.")          \
    CONTACT_PARAMS(P)                                                                                                  \
    P(peg_spread, 0.1f, 0.01f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "m", "The peg lies so far from the middle, in x, y.")    \
    P(peg_turn, 0.0f, 0.0f, 3.2f, ENV_PHYSICS, ENV_LINEAR, "rad", "It is turned by at most so much, to either side.")  \
    P(upright, 0.08f, 0.01f, 0.5f, ENV_WORLD, ENV_LOG, "rad", "So near to upright it counts as standing.")             \
    P(slack, 0.005f, 0.001f, 0.05f, ENV_WORLD, ENV_LOG, "m", "Its middle is so near to its height then.")              \
    TASK_PARAMS(P)
#include "../env.h"
#include "../arm/arm.h"
#define P_cube_size P_peg_width
#define P_cube_mass P_peg_mass
#define P_cube_friction P_peg_friction
#define CUBE_LONG(base, l) (ARM_PARAM(base, peg_length)[l] / ARM_PARAM(base, peg_width)[l])
#include "../arm/cube.h"

enum { NEAR_END = 1, FAR_END = 2 };

struct State {
    EnvBase base;
    Arm arm;
    Cube peg;
    int32_t done[ENV_LANES];
};

#include "../arm/task.h"

static void reset(State *s, int lane) {
    const float spread = PARAM(peg_spread)[lane], turn = PARAM(peg_turn)[lane];
    arm_reset(s, &s->base, &s->arm, lane);
    float x = env_between(s, lane, -spread, spread), y = env_between(s, lane, -spread, spread);
    float yaw = env_between(s, lane, -turn, turn), c = env_cos(0.5f * yaw), d = env_sin(0.5f * yaw);
    cube_reset(&s->base, &s->peg, lane, x, y, yaw);
    s->peg.turn[0][lane] = s->peg.turn[1][lane] = c * 0.707106781f; /* its y upwards, along the table its x */
    s->peg.turn[2][lane] = s->peg.turn[3][lane] = d * 0.707106781f;
    s->done[lane] = 0;
}

/* The peg's axis, its own x, in the world. */
static inline void along(const State *s, int l, float axis[3]) {
    float w = s->peg.turn[0][l], x = s->peg.turn[1][l], y = s->peg.turn[2][l], z = s->peg.turn[3][l];
    axis[0] = 1.0f - 2.0f * (y * y + z * z);
    axis[1] = 2.0f * (x * y + w * z);
    axis[2] = 2.0f * (x * z - w * y);
}

/* How far the peg is raised, 0 lying to pi / 2 standing on either end. */
static inline float raised(const float axis[3]) {
    return env_atan2(env_abs(axis[2]), env_sqrt(axis[0] * axis[0] + axis[1] * axis[1]));
}

static inline float height(const State *s, int l) {
    return s->peg.at[2][l] - PARAM(table)[l];
}

/* 0 to 1: the hand comes to the peg, holds it, raises it, and its middle comes to the height at which it stands. */
static inline float progress(const State *s, int l) {
    float tcp[3], axis[3], off[3], length = PARAM(peg_length)[l], place = 0.0f;
    arm_tcp(&s->arm, l, tcp);
    along(s, l, axis);
    for (int k = 0; k < 3; k++) {
        off[k] = tcp[k] - s->peg.at[k][l];
        place += off[k] * axis[k];
    }
    place = env_clamp(place, 0.02f - length, length - 0.02f); /* anywhere along it will do */
    float away = task_length(off[0] - place * axis[0], off[1] - place * axis[1], off[2] - place * axis[2]);
    float high = 1.0f - env_tanh(10.0f * env_abs(height(s, l) - length));
    return 0.2f * task_near(away) + 0.1f * (float)cube_held(&s->peg, l) + 0.5f * raised(axis) / (0.5f * ENV_PI) +
           0.2f * high;
}

/* ManiSkill's condition, by the last of the Euler angles XYZ, and that it stands. */
static inline int32_t succeeds(const State *s, int l) {
    float w = s->peg.turn[0][l], x = s->peg.turn[1][l], y = s->peg.turn[2][l], z = s->peg.turn[3][l], axis[3];
    float most = PARAM(upright)[l];
    along(s, l, axis);
    float angle = env_abs(env_atan2(-2.0f * (x * y - w * z), axis[0]));
    int32_t turned = env_abs(angle - 0.5f * ENV_PI) < most, upright = raised(axis) > 0.5f * ENV_PI - most;
    int32_t high = env_abs(height(s, l) - PARAM(peg_length)[l]) < PARAM(slack)[l];
    return turned & upright & high;
}

static void swing(State *s, ArmStep *step) {
    cube_swing(&s->base, &s->arm, &s->peg, step);
}

static inline int32_t lost(const State *s, int l) {
    return cube_lost(&s->base, &s->peg, l);
}

static inline void look(const State *s, int l, float *o) {
    arm_see(&s->arm, l, o, o + ARM_SEEN);
    cube_see(&s->peg, l, o + ARM_SEEN + 7);
}

/* Above the peg, down to it, shut, off its middle at the side where the hand is; then up with a light grip, in which
 * the peg turns as its weight pulls the other end down; the hand, shut, leans for the rest. */
static inline void plan(const State *s, int l, TaskPlan *plan) {
    float tcp[3], off[3], axis[3], length = PARAM(peg_length)[l], half = PARAM(peg_width)[l], hold = 0.0f;
    arm_tcp(&s->arm, l, tcp);
    along(s, l, axis);
    for (int k = 0; k < 3; k++) {
        off[k] = s->peg.at[k][l] - tcp[k];
        hold -= off[k] * axis[k];
    }
    const float side = hold > 0.0f ? 1.0f : -1.0f, aside = off[0] * axis[1] - off[1] * axis[0];
    const int held = cube_held(&s->peg, l);
    hold *= side; /* of the end that goes up */
    for (int k = 0; k < 3; k++) {
        off[k] += side * env_clamp(hold, 0.07f, 0.1f) * axis[k];
    }
    float angle = env_atan2(side * axis[2], task_length(axis[0], axis[1], 0.0f)), rest = 0.5f * ENV_PI - angle;
    float next = angle + env_min(rest, 0.4f), rise = env_sin(next);
    float above = env_clamp(8.0f * (env_abs(aside) - 0.008f), 0.0f, 0.1f);
    float high = length * rise + (half + 0.02f) * env_cos(angle) + hold * (rise - env_sin(angle));
    float lean = 2.0f * env_atan2(s->arm.turn[3][l], s->arm.turn[1][l]);
    plan->place[0] = tcp[0] + (held ? 0.0f : off[0]);
    plan->place[1] = tcp[1] + (held ? 0.0f : off[1]);
    plan->place[2] = tcp[2] + (held ? high - height(s, l) : off[2] + above);
    plan->lean = held && angle > 0.85f ? lean + side * env_min(2.0f * rest, 0.2f) : 0.0f;
    plan->grip = held ? (angle > 0.85f ? -1.0f : -0.2f) : task_length(off[0], off[1], off[2]) < 0.015f ? -1.0f : 1.0f;
}

static void event(State *s, int lane, const EnvEvent *event) {
    if (event->kind == TASK_MOVE) {
        task_kick(s->peg.v, lane, event);
    }
}

static void draw(const State *s, int lane, const EnvView *view, EnvList *list) {
    const float half = PARAM(peg_width)[lane], length = 0.5f * PARAM(peg_length)[lane], sides[3] = {length, half, half};
    float pose[7], axis[3];
    (void)view;
    arm_draw_room(&s->base, lane, list);
    arm_draw(&s->base, &s->arm, lane, list);
    cube_see(&s->peg, lane, pose);
    along(s, lane, axis);
    for (int end = 0; end < 2; end++) {
        float middle[3];
        for (int k = 0; k < 3; k++) {
            middle[k] = pose[k] + (end ? length : -length) * axis[k];
        }
        env_box3(list, middle, sides, pose + 3, end ? 0x3f7fb5ff : 0xe4572eff);
        env_id(list, end ? FAR_END : NEAR_END);
    }
    arm_draw_grip(&s->arm, lane, (const float[]){s->peg.squeeze[0][lane], s->peg.squeeze[1][lane]}, list);
}

static const EnvField fields[ENV_OBS] = {ARM_FIELDS, ARM_TCP_FIELDS, CUBE_FIELDS("peg")};
static const EnvGesture gestures[] = {{TASK_MOVE, "Kick", "Drag the peg to kick it.", "drag", "target,at,way"}};

static const Env env = {
    .spec = {.name = TASK_NAME,
             .title = "Lift Peg",
             .description = "An arm sets a peg upright.",
             .score_name = "lifted",
             TASK_SPEC},
    TASK_FUNCTIONS,
};
#include "../core.h"

/* picture.h: the arm and its table, of our own plain shapes. */
#ifndef MINNOW_ENV_ARM_PICTURE_H
#define MINNOW_ENV_ARM_PICTURE_H
#include "arm.h"

/* The camera looks from the front left. At its target a unit of the view is a metre. */
#define ARM_EYE_X 0.62f
#define ARM_EYE_Y -0.95f
#define ARM_EYE_Z 0.78f
#define ARM_LOOK_X (-0.2f)
#define ARM_LOOK_Z 0.27f
#define ARM_VIEW_WIDTH 1.32f
#define ARM_VIEW_HEIGHT 1.0f

/* A place in the hand's frame, in the world. */
static inline void arm_world(const Arm *arm, int l, const float local[3], float place[3]) {
    float w = arm->turn[0][l], v[3] = {arm->turn[1][l], arm->turn[2][l], arm->turn[3][l]}, across[3];
    for (int k = 0; k < 3; k++) {
        int m = (k + 1) % 3, n = (k + 2) % 3;
        across[k] = 2.0f * (v[m] * local[n] - v[n] * local[m]);
    }
    for (int k = 0; k < 3; k++) {
        int m = (k + 1) % 3, n = (k + 2) % 3;
        place[k] = arm->hand[k][l] + local[k] + w * across[k] + (v[m] * across[n] - v[n] * across[m]);
    }
}

static void arm_draw_room(const EnvBase *base, int lane, EnvList *list) {
    const float eye[3] = {ARM_EYE_X, ARM_EYE_Y, ARM_EYE_Z}, look[3] = {ARM_LOOK_X, 0.0f, ARM_LOOK_Z};
    const float table[3] = {-0.2f, 0.0f, ARM_PARAM(base, table)[lane]};
    float far = 0.0f;
    for (int k = 0; k < 3; k++) {
        far += (eye[k] - look[k]) * (eye[k] - look[k]);
    }
    env_camera3(list, eye, look, 2.0f * env_atan2(0.5f * ARM_VIEW_HEIGHT, env_sqrt(far)));
    env_light(list, (const float[]){-0.35f, 0.45f, -0.8f}, 0.6f, 0xffffffff);
    env_ground3(list, table, 0.8f, 0.7f, 0.1f, 0x55656fff, 0x5e6f7aff);
}

/* A disc or drum around an axis, a unit vector. */
static void arm_drum(EnvList *list, const float at[3], const float axis[3], float radius, float half, uint32_t color) {
    const float w = 1.0f + axis[2], size = env_sqrt(w * w + axis[0] * axis[0] + axis[1] * axis[1]);
    const float turn[4] = {w / size, -axis[1] / size, axis[0] / size, 0.0f}; /* takes z to the axis */
    const float down[4] = {0.0f, 1.0f, 0.0f, 0.0f};
    env_cylinder3(list, at, radius, half, size > 1e-3f ? turn : down, color);
}

/* Links, joints at their ends and within them, the hand and its fingers. */
static void arm_draw(const EnvBase *base, const Arm *arm, int lane, EnvList *list) {
    const uint32_t shell = 0xeef2f4ff, joint = 0x33454fff, ring = 0x12a594ff, dark = 0x27323aff, pad = 0xf6885fff;
    float q[ARM_MOVING][ENV_LANES], hand[3][ENV_LANES], turn[4][ENV_LANES], before[3], place[3];
    ArmChain chain;
    memcpy(q, arm->q, sizeof q);
    arm_place(base, q, hand, turn, &chain);
    before[0] = chain.at[0][0][lane];
    before[1] = chain.at[0][1][lane];
    before[2] = 0.02f;
    arm_drum(list, before, (const float[]){0.0f, 0.0f, 1.0f}, 0.1f, 0.02f, joint);
    before[2] += arm_joint[0].thick;       /* so that the first link's round end is not below it */
    for (int i = 0; i < ARM_JOINTS; i++) { /* the link after the joint, up to the next one or to the hand */
        const int last = i == ARM_JOINTS - 1;
        const float thick = arm_joint[i].thick;
        float to[3], axis[3], middle[3], apart = 0.0f;
        for (int k = 0; k < 3; k++) {
            to[k] = last ? arm->hand[k][lane] : chain.at[i + 1][k][lane];
            axis[k] = chain.axis[last ? i : i + 1][k][lane];
            middle[k] = 0.5f * (before[k] + to[k]);
            apart += env_abs(to[k] - before[k]);
        }
        if (apart > 0.0f) {
            env_capsule3(list, before, to, thick, shell);
        }
        if (arm_joint[i].drum == ARM_ACROSS) {
            arm_drum(list, to, axis, thick + 0.006f, thick + 0.014f, joint);
        } else if (arm_joint[i].drum == ARM_SEAM) {
            arm_drum(list, middle, axis, thick + 0.003f, 0.006f, ring);
        }
        memcpy(before, to, sizeof before);
    }
    const float whole[4] = {arm->turn[0][lane], arm->turn[1][lane], arm->turn[2][lane], arm->turn[3][lane]};
    arm_world(arm, lane, (const float[]){0.0f, 0.0f, 0.028f}, place);
    env_box3(list, place, (const float[]){0.032f, 0.1f, 0.026f}, whole, shell);
    arm_world(arm, lane, (const float[]){0.0f, 0.0f, 0.056f}, place);
    env_box3(list, place, (const float[]){0.024f, 0.094f, 0.006f}, whole, dark);
    for (int side = 0; side < ARM_FINGERS; side++) {
        const float out = (arm->q[ARM_JOINTS + side][lane] + 0.5f * ARM_FINGER_THICK) * (side ? -1.0f : 1.0f);
        arm_world(arm, lane, (const float[]){0.0f, out, 0.075f}, place);
        env_box3(list, place, (const float[]){ARM_FINGER_WIDE, 0.5f * ARM_FINGER_THICK, 0.017f}, whole, joint);
        arm_world(arm, lane, (const float[]){0.0f, out, 0.102f}, place);
        env_box3(list, place, (const float[]){ARM_FINGER_WIDE, 0.5f * ARM_FINGER_THICK, 0.01f}, whole, pad);
    }
}

/* How hard each finger is pressed, N [2], as arrows from outside: 2.5 mm for each newton. Nothing below 0.5 N. */
static inline void arm_draw_grip(const Arm *arm, int lane, const float force[ARM_FINGERS], EnvList *list) {
    const uint32_t color = 0xffc107ff;
    for (int side = 0; side < ARM_FINGERS; side++) {
        const float way = side ? -1.0f : 1.0f, length = 0.02f + 0.0025f * env_min(force[side], 40.0f);
        const float tip = arm->q[ARM_JOINTS + side][lane] + ARM_FINGER_THICK + 0.006f;
        float from[3], to[3], barb[3];
        if (force[side] < 0.5f) {
            continue;
        }
        arm_world(arm, lane, (const float[]){0.0f, way * (tip + length), 0.1f}, from);
        arm_world(arm, lane, (const float[]){0.0f, way * tip, 0.1f}, to);
        env_capsule3(list, from, to, 0.004f, color);
        for (int up = -1; up <= 1; up += 2) {
            arm_world(arm, lane, (const float[]){0.0f, way * (tip + 0.014f), 0.1f + 0.012f * (float)up}, barb);
            env_capsule3(list, barb, to, 0.004f, color);
        }
    }
}

/* A goal in the air, and over which place of the table it is. */
static inline void arm_draw_goal(const EnvBase *base, int lane, const float at[3], float radius, uint32_t color,
                                 uint32_t id, EnvList *list) {
    const float foot[3] = {at[0], at[1], ARM_PARAM(base, table)[lane] + 0.001f};
    const uint32_t faint = (color & 0xffffff00u) | 0x90u;
    arm_drum(list, foot, (const float[]){0.0f, 0.0f, 1.0f}, radius, 0.001f, faint);
    env_capsule3(list, foot, at, 0.0015f, faint);
    env_sphere3(list, at, radius, color);
    env_id(list, id);
}
#endif

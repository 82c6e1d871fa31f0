/* picture.h: the arm and its table, of our own plain shapes. */
#ifndef MINNOW_ENV_ARM_PICTURE_H
#define MINNOW_ENV_ARM_PICTURE_H
#include "arm.h"

enum { ARM_SHAPES = 16 }; /* of the camera, the light, the table and the arm */

/* The camera looks from the front left. At its target a unit of the view is a metre. */
#define ARM_EYE_X 0.62f
#define ARM_EYE_Y -0.95f
#define ARM_EYE_Z 0.78f
#define ARM_LOOK_X (-0.2f)
#define ARM_LOOK_Z 0.27f
#define ARM_VIEW_WIDTH 1.32f
#define ARM_VIEW_HEIGHT 1.0f

/* What is dragged follows the pointer: ways of drags are the world's. */
static inline void arm_dragged(const float dragged[3], float way[3]) {
    for (int k = 0; k < 3; k++) {
        way[k] = dragged[k];
    }
}

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
    env_light(list, (const float[]){-0.3f, 0.5f, -0.8f}, 0.6f, 0xffffffff);
    env_ground3(list, table, 0.8f, 0.7f, 0.1f, 0x22303eff, 0x283a4aff);
}

static void arm_draw(const EnvBase *base, const Arm *arm, int lane, EnvList *list) {
    const uint32_t shell = 0xe8ecefff, joint = 0x8fa3b3ff, dark = 0x3d4a57ff, pad = 0xf6885fff;
    static const float thick[ARM_JOINTS] = {0.06f, 0.06f, 0.055f, 0.05f, 0.045f, 0.05f, 0.045f};
    float q[ARM_MOVING][ENV_LANES], hand[3][ENV_LANES], turn[4][ENV_LANES], before[3];
    ArmChain chain;
    memcpy(q, arm->q, sizeof q);
    arm_place(base, q, hand, turn, &chain);
    before[0] = chain.at[0][0][lane];
    before[1] = chain.at[0][1][lane];
    before[2] = 0.0f;
    for (int i = 1; i <= ARM_JOINTS; i++) {
        float to[3];
        for (int k = 0; k < 3; k++) {
            to[k] = i < ARM_JOINTS ? chain.at[i][k][lane] : arm->hand[k][lane];
        }
        if (i != 5) { /* the sixth joint lies where the fifth does */
            env_capsule3(list, before, to, thick[i - 1], i % 2 ? shell : joint);
        }
        memcpy(before, to, sizeof before);
    }
    const float whole[4] = {arm->turn[0][lane], arm->turn[1][lane], arm->turn[2][lane], arm->turn[3][lane]};
    float place[3];
    arm_world(arm, lane, (const float[]){0.0f, 0.0f, 0.03f}, place);
    env_box3(list, place, (const float[]){0.03f, 0.1f, 0.03f}, whole, shell);
    for (int side = 0; side < ARM_FINGERS; side++) {
        const float out = (arm->q[ARM_JOINTS + side][lane] + 0.5f * ARM_FINGER_THICK) * (side ? -1.0f : 1.0f);
        arm_world(arm, lane, (const float[]){0.0f, out, 0.075f}, place);
        env_box3(list, place, (const float[]){ARM_FINGER_WIDE, 0.5f * ARM_FINGER_THICK, 0.017f}, whole, dark);
        arm_world(arm, lane, (const float[]){0.0f, out, 0.102f}, place);
        env_box3(list, place, (const float[]){ARM_FINGER_WIDE, 0.5f * ARM_FINGER_THICK, 0.01f}, whole, pad);
    }
}
#endif

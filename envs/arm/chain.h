/* chain.h: where the arm's joints and its hand are: its measures, and the chain of turns along it. */
#ifndef MINNOW_ENV_ARM_CHAIN_H
#define MINNOW_ENV_ARM_CHAIN_H
#include "solve.h"

enum { ARM_JOINTS = 7, ARM_FINGERS = 2, ARM_MOVING = ARM_JOINTS + ARM_FINGERS, ARM_HEADS = ARM_JOINTS + 1 };
enum { ARM_MOST_SUBSTEPS = 20 };

#ifndef ARM_REST_7 /* where the last joint begins */
#define ARM_REST_7 0.785398163f
#endif

#define ARM_BASE_X (-0.615f)
#define ARM_TCP 0.1034f       /* from the hand's frame along its z to the point between the fingertips */
#define ARM_TIP 0.112f        /* to the fingers' ends */
#define ARM_FINGER_WIDE 0.01f /* half, along the hand's x */
#define ARM_FINGER_THICK 0.014f
#define ARM_OPEN 0.04f    /* of one finger, from the middle */
#define ARM_SHUT (-0.01f) /* the gripper's lower target: fingers that meet press */
#define ARM_GRAVITY 9.81f /* on its links, m/s^2 */
#define ARM_SPEED 20.0f   /* no joint is faster, rad/s: for what breaks, not for what works */

typedef struct Arm {
    float q[ARM_MOVING][ENV_LANES], v[ARM_MOVING][ENV_LANES]; /* joints, then fingers */
    float target[ARM_MOVING][ENV_LANES];
    float hand[3][ENV_LANES], turn[4][ENV_LANES]; /* the hand's frame */
    float rub[ARM_FINGERS][ENV_LANES];            /* 1: something pressed this finger in the last part */
} Arm;

/* Where the joints are, as Jacobians and inertias want it. */
typedef struct ArmChain {
    float at[ARM_JOINTS][3][ENV_LANES], axis[ARM_JOINTS][3][ENV_LANES];
    float turn[ARM_JOINTS][4][ENV_LANES]; /* of the links */
} ArmChain;

#define ARM_PARAM(base, name) ((base)->param[P_##name])

/* Of each joint: a and d of Denavit and Hartenberg, the sine of alpha, its limits, and its entry of the mass matrix's
 * diagonal at the rest position, gripper included. */
typedef struct ArmJoint {
    float a, d, bend, low, high, inertia, rest;
} ArmJoint;
static const ArmJoint arm_joint[ARM_JOINTS] = {
    {0.0f, 0.333f, 0.0f, -2.8973f, 2.8973f, 1.9702f, 0.0f},
    {0.0f, 0.0f, -1.0f, -1.7628f, 1.7628f, 2.3390f, 0.392699082f},
    {0.0f, 0.316f, 1.0f, -2.8973f, 2.8973f, 1.4585f, 0.0f},
    {0.0825f, 0.0f, 1.0f, -3.0718f, -0.0698f, 1.0343f, -1.96349541f},
    {-0.0825f, 0.384f, -1.0f, -2.8973f, 2.8973f, 0.0271f, 0.0f},
    {0.0f, 0.0f, 1.0f, -0.0175f, 3.7525f, 0.0545f, 2.35619449f},
    {0.088f, 0.0f, 1.0f, -2.8973f, 2.8973f, 0.0067f, ARM_REST_7},
};
#define ARM_FLANGE 0.107f      /* from the last joint to the hand, along z */
#define ARM_FINGER_MASS 0.015f /* kg */
#define ARM_EIGHTH 0.38268343f /* the hand is turned by -pi/4: sine and cosine of half of that */
#define ARM_EIGHTH_C 0.92387953f

/* a += scale times the z axis (k = 2) or the x axis (k = 0) of a turn. */
static inline void arm_along(float a[3][ENV_LANES], float turn[4][ENV_LANES], int k, float scale) {
    EACH_LANE(l) {
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        a[0][l] += scale * (k ? 2.0f * (x * z + w * y) : 1.0f - 2.0f * (y * y + z * z));
        a[1][l] += scale * (k ? 2.0f * (y * z - w * x) : 2.0f * (x * y + w * z));
        a[2][l] += scale * (k ? 1.0f - 2.0f * (x * x + y * y) : 2.0f * (x * z - w * y));
    }
}

/* The hand's frame for joints q [7]; what the Jacobian needs, too, where chain is not NULL. */
static void arm_place(const EnvBase *base, float q[ARM_MOVING][ENV_LANES], float at[3][ENV_LANES],
                      float turn[4][ENV_LANES], ArmChain *chain) {
    EACH_LANE(l) {
        float half = 0.5f * ARM_PARAM(base, base_turn)[l];
        at[0][l] = ARM_BASE_X + ARM_PARAM(base, base_x)[l];
        at[1][l] = ARM_PARAM(base, base_y)[l];
        at[2][l] = 0.0f;
        turn[0][l] = env_cos(half);
        turn[1][l] = turn[2][l] = 0.0f;
        turn[3][l] = env_sin(half);
    }
    for (int i = 0; i < ARM_JOINTS; i++) {
        const ArmJoint *joint = &arm_joint[i];
        if (joint->a != 0.0f) {
            arm_along(at, turn, 0, joint->a);
        }
        const float c = joint->bend == 0.0f ? 1.0f : 0.707106781f, s = joint->bend * 0.707106781f;
        EACH_LANE(l) {
            float half = 0.5f * q[i][l], cos = env_cos(half), sin = env_sin(half);
            float w = turn[0][l] * c - turn[1][l] * s, x = turn[1][l] * c + turn[0][l] * s;
            float y = turn[2][l] * c + turn[3][l] * s, z = turn[3][l] * c - turn[2][l] * s;
            turn[0][l] = w * cos - z * sin;
            turn[1][l] = x * cos + y * sin;
            turn[2][l] = y * cos - x * sin;
            turn[3][l] = z * cos + w * sin;
        }
        if (joint->d != 0.0f) {
            arm_along(at, turn, 2, joint->d);
        }
        if (chain) {
            memcpy(chain->at[i], at, sizeof chain->at[i]);
            memset(chain->axis[i], 0, sizeof chain->axis[i]);
            arm_along(chain->axis[i], turn, 2, 1.0f);
            memcpy(chain->turn[i], turn, sizeof chain->turn[i]);
        }
    }
    arm_along(at, turn, 2, ARM_FLANGE);
    EACH_LANE(l) {
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        turn[0][l] = w * ARM_EIGHTH_C + z * ARM_EIGHTH;
        turn[1][l] = x * ARM_EIGHTH_C - y * ARM_EIGHTH;
        turn[2][l] = y * ARM_EIGHTH_C + x * ARM_EIGHTH;
        turn[3][l] = z * ARM_EIGHTH_C - w * ARM_EIGHTH;
    }
}

/* The point between the fingertips. */
static inline void arm_tcp(const Arm *arm, int l, float tcp[3]) {
    float w = arm->turn[0][l], x = arm->turn[1][l], y = arm->turn[2][l], z = arm->turn[3][l];
    tcp[0] = arm->hand[0][l] + ARM_TCP * 2.0f * (x * z + w * y);
    tcp[1] = arm->hand[1][l] + ARM_TCP * 2.0f * (y * z - w * x);
    tcp[2] = arm->hand[2][l] + ARM_TCP * (1.0f - 2.0f * (x * x + y * y));
}
#endif

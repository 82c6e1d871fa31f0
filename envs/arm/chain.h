/* chain.h: where the arm's joints and its hand are: its measures, and the chain of turns along it. */
#ifndef MINNOW_ENV_ARM_CHAIN_H
#define MINNOW_ENV_ARM_CHAIN_H
#include "solve.h"

enum { ARM_FINGERS = 2, ARM_MOVING = ARM_JOINTS + ARM_FINGERS, ARM_HEADS = ARM_JOINTS + 1 };
enum { ARM_MOST_SUBSTEPS = 20 };
_Static_assert(ARM_JOINTS >= 4 && ARM_JOINTS <= 7, "an arm has 4 to 7 joints");

/* The gripper, the Panda's, which every robot has. */
#define ARM_TCP 0.1034f       /* from the hand's frame along its z to the point between the fingertips */
#define ARM_TIP 0.112f        /* to the fingers' ends */
#define ARM_FINGER_WIDE 0.01f /* half, along the hand's x */
#define ARM_FINGER_THICK 0.014f
#define ARM_FINGER_MASS 0.015f /* kg */
#define ARM_OPEN 0.04f         /* of one finger, from the middle */
#define ARM_SHUT (-0.01f)      /* the gripper's lower target: fingers that meet press */

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

/* A joint, and the link after it: what the columns of ARM_ROBOT say (panda.h). */
typedef struct ArmJoint {
    float place[3], turn[4], along, low, high, rest, inertia, strength, speed, thick;
    int drum;
} ArmJoint;
enum { ARM_PLAIN, ARM_ACROSS, ARM_SEAM }; /* drawn: nothing, a joint across the link's end, a seam around its middle */
#define ARM_ANY 1e9f                      /* of speeds: no limit */
#define ARM_LIST(...) {__VA_ARGS__}
#define ARM_JOINT_ROW(n, place, turn, ...) {ARM_LIST place, ARM_LIST turn, __VA_ARGS__},
static const ArmJoint arm_joint[ARM_JOINTS] = {ARM_ROBOT(ARM_JOINT_ROW)};
static const float arm_hand_place[3] = ARM_HAND_PLACE, arm_hand_turn[4] = ARM_HAND_TURN;

/* a += scale times the x, y or z axis (k = 0, 1, 2) of a turn. */
static inline void arm_along(float a[3][ENV_LANES], float turn[4][ENV_LANES], int k, float scale) {
    EACH_LANE(l) {
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        if (k == 0) {
            a[0][l] += scale * (1.0f - 2.0f * (y * y + z * z));
            a[1][l] += scale * (2.0f * (x * y + w * z));
            a[2][l] += scale * (2.0f * (x * z - w * y));
        } else if (k == 1) {
            a[0][l] += scale * (2.0f * (x * y - w * z));
            a[1][l] += scale * (1.0f - 2.0f * (x * x + z * z));
            a[2][l] += scale * (2.0f * (y * z + w * x));
        } else {
            a[0][l] += scale * (2.0f * (x * z + w * y));
            a[1][l] += scale * (2.0f * (y * z - w * x));
            a[2][l] += scale * (1.0f - 2.0f * (x * x + y * y));
        }
    }
}

/* a += a place in the axes of a turn. */
static inline void arm_off(float a[3][ENV_LANES], float turn[4][ENV_LANES], const float place[3]) {
    if (place[0] != 0.0f) {
        arm_along(a, turn, 0, place[0]);
    }
    if (place[1] != 0.0f) {
        arm_along(a, turn, 1, place[1]);
    }
    if (place[2] != 0.0f) {
        arm_along(a, turn, 2, place[2]);
    }
}

/* turn *= by. */
static inline void arm_turned(float turn[4][ENV_LANES], const float by[4]) {
    EACH_LANE(l) {
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        turn[0][l] = w * by[0] - z * by[3] - (x * by[1] + y * by[2]);
        turn[1][l] = x * by[0] + y * by[3] + (w * by[1] - z * by[2]);
        turn[2][l] = y * by[0] - x * by[3] + (z * by[1] + w * by[2]);
        turn[3][l] = z * by[0] + w * by[3] + (x * by[2] - y * by[1]);
    }
}

/* The hand's frame for joints q [ARM_JOINTS]; what the Jacobian needs, too, where chain is not NULL. */
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
    ARM_KNOWN
    for (int i = 0; i < ARM_JOINTS; i++) {
        const ArmJoint *joint = &arm_joint[i];
        const int about_x = joint->turn[2] == 0.0f && joint->turn[3] == 0.0f; /* as Denavit and Hartenberg have it */
        const float c = about_x ? joint->turn[0] : 1.0f, s = about_x ? joint->turn[1] : 0.0f;
        arm_off(at, turn, joint->place);
        if (!about_x) {
            arm_turned(turn, joint->turn);
        }
        EACH_LANE(l) {
            float half = 0.5f * q[i][l], cos = env_cos(half), sin = env_sin(half);
            float w = turn[0][l] * c - turn[1][l] * s, x = turn[1][l] * c + turn[0][l] * s;
            float y = turn[2][l] * c + turn[3][l] * s, z = turn[3][l] * c - turn[2][l] * s;
            turn[0][l] = w * cos - z * sin;
            turn[1][l] = x * cos + y * sin;
            turn[2][l] = y * cos - x * sin;
            turn[3][l] = z * cos + w * sin;
        }
        if (joint->along != 0.0f) {
            arm_along(at, turn, 2, joint->along);
        }
        if (chain) {
            memcpy(chain->at[i], at, sizeof chain->at[i]);
            memset(chain->axis[i], 0, sizeof chain->axis[i]);
            arm_along(chain->axis[i], turn, 2, 1.0f);
            memcpy(chain->turn[i], turn, sizeof chain->turn[i]);
        }
    }
    arm_off(at, turn, arm_hand_place);
    arm_turned(turn, arm_hand_turn);
}

/* The point between the fingertips. */
static inline void arm_tcp(const Arm *arm, int l, float tcp[3]) {
    float w = arm->turn[0][l], x = arm->turn[1][l], y = arm->turn[2][l], z = arm->turn[3][l];
    tcp[0] = arm->hand[0][l] + ARM_TCP * 2.0f * (x * z + w * y);
    tcp[1] = arm->hand[1][l] + ARM_TCP * 2.0f * (y * z - w * x);
    tcp[2] = arm->hand[2][l] + ARM_TCP * (1.0f - 2.0f * (x * x + y * y));
}
#endif

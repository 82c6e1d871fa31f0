/* inverse.h: from where the hand should go to actions, for the scripted players of the arm's tasks. Damped least
 * squares (Wampler, 1986): the least change of joints, weighed against a damping that keeps it finite near singular
 * positions. */
#ifndef MINNOW_ENV_ARM_INVERSE_H
#define MINNOW_ENV_ARM_INVERSE_H
#include "arm.h"

/* Actions of the joints that bring the tcp to `place`, the hand looking straight down and turned about that by
 * `yaw`, then about the world's y by -`lean`, until it looks ahead, as fast as the arm goes. */
static void arm_towards(const EnvBase *base, const Arm *arm, float place[3][ENV_LANES], const float yaw[ENV_LANES],
                        const float lean[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float q[ARM_MOVING][ENV_LANES], hand[3][ENV_LANES], turn[4][ENV_LANES];
    float column[ARM_JOINTS][6][ENV_LANES], a[6][ARM_MOST_UNKNOWNS][ENV_LANES], b[6][ENV_LANES], most[ENV_LANES];
    ArmChain chain;
    memcpy(q, arm->q, sizeof q);
    arm_place(base, q, hand, turn, &chain);
    EACH_LANE(l) {
        float tcp[3];
        arm_tcp(arm, l, tcp);
        /* the turn that is wanted, (0, cos, sin, 0) leant, times the inverse of the one that is */
        float cos = env_cos(0.5f * yaw[l]), sin = env_sin(0.5f * yaw[l]);
        float up = env_cos(0.5f * lean[l]), over = env_sin(0.5f * lean[l]);
        float tw = over * sin, tx = up * cos, ty = up * sin, tz = over * cos;
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        float side = tw * w + tx * x + ty * y + tz * z < 0.0f ? -2.0f : 2.0f;
        float off[6] = {place[0][l] - tcp[0],
                        place[1][l] - tcp[1],
                        place[2][l] - tcp[2],
                        side * ((tx * w - ty * z) + (tz * y - tw * x)),
                        side * ((tx * z + ty * w) - (tz * x + tw * y)),
                        side * ((ty * x - tx * y) + (tz * w - tw * z))};
        float far = env_sqrt(off[0] * off[0] + off[1] * off[1] + off[2] * off[2]);
        float share = 0.1f / env_max(far, 0.1f); /* of a long way the first part */
        for (int k = 0; k < 6; k++) {
            b[k][l] = off[k] * (k < 3 ? share : 0.5f);
        }
        for (int i = 0; i < ARM_JOINTS; i++) {
            float ax = chain.axis[i][0][l], ay = chain.axis[i][1][l], az = chain.axis[i][2][l];
            float dx = tcp[0] - chain.at[i][0][l], dy = tcp[1] - chain.at[i][1][l], dz = tcp[2] - chain.at[i][2][l];
            column[i][0][l] = ay * dz - az * dy;
            column[i][1][l] = az * dx - ax * dz;
            column[i][2][l] = ax * dy - ay * dx;
            column[i][3][l] = ax * 0.5f; /* a radian counts as half a metre */
            column[i][4][l] = ay * 0.5f;
            column[i][5][l] = az * 0.5f;
        }
    }
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k <= i; k++) {
            EACH_LANE(l) {
                float sum = i == k ? 1e-3f : 0.0f;
                for (int j = 0; j < ARM_JOINTS; j++) {
                    sum += column[j][i][l] * column[j][k][l];
                }
                a[i][k][l] = sum;
            }
        }
    }
    arm_solve(6, a, b);
    EACH_LANE(l) {
        most[l] = 1.0f;
    }
    for (int j = 0; j < ARM_JOINTS; j++) {
        EACH_LANE(l) {
            float sum = 0.0f;
            for (int k = 0; k < 6; k++) {
                sum += column[j][k][l] * b[k][l];
            }
            /* a step takes a joint some two fifths of the way that it is told */
            action[j][l] = sum * 2.0f / ARM_PARAM(base, reach)[l];
            most[l] = env_max(most[l], env_abs(action[j][l]));
        }
    }
    for (int j = 0; j < ARM_JOINTS; j++) {
        EACH_LANE(l) {
            action[j][l] /= most[l];
        }
    }
}
#endif

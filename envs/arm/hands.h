/* hands.h: how a person moves the arm: not joint by joint, but the hand, in space. What a person holds is 8 numbers in
 * [-1, 1], as an action is, of which these have a meaning; the game makes an action of them at each tick (web/game.c).
 */
#ifndef MINNOW_ENV_ARM_HANDS_H
#define MINNOW_ENV_ARM_HANDS_H
#include "inverse.h"

enum { HANDS_RIGHT = 0, HANDS_AWAY = 1, HANDS_UP = 2, HANDS_TURN = 3, HANDS_GRIP = ARM_JOINTS };

#define HANDS_SPEED 0.4f /* m/s that are asked for; some three quarters of it come */
#define HANDS_SPIN 3.0f  /* rad/s */

/* held: to the right and away from a camera that looks along (x, y), up, turned to the left, and the gripper, which
 * stays as it is while that is 0. Without any of the first four the arm stands still; with one of them the hand comes
 * to look straight down. */
static inline void hands_act(const EnvBase *base, const Arm *arm, const float camera[2], const float held[ENV_HEADS],
                             env_action action[ENV_HEADS][ENV_LANES]) {
    const float size = env_sqrt(camera[0] * camera[0] + camera[1] * camera[1]);
    const float x = camera[0] / size, y = camera[1] / size;
    float place[3][ENV_LANES], yaw[ENV_LANES], lean[ENV_LANES] = {0}, moves = 0.0f;
    for (int k = 0; k <= HANDS_TURN; k++) {
        moves += env_abs(held[k]);
    }
    EACH_LANE(l) {
        const float time = 1.0f / ARM_PARAM(base, rate)[l];
        float tcp[3];
        arm_tcp(arm, l, tcp);
        place[0][l] = tcp[0] + HANDS_SPEED * time * (held[HANDS_RIGHT] * y + held[HANDS_AWAY] * x);
        place[1][l] = tcp[1] + HANDS_SPEED * time * (held[HANDS_AWAY] * y - held[HANDS_RIGHT] * x);
        place[2][l] = tcp[2] + HANDS_SPEED * time * held[HANDS_UP];
        yaw[l] = 2.0f * env_atan2(arm->turn[2][l], arm->turn[1][l]) + HANDS_SPIN * time * held[HANDS_TURN];
    }
    arm_towards(base, arm, place, yaw, lean, action);
    EACH_LANE(l) {
        const float wide = arm->target[ARM_JOINTS][l], stays = 2.0f * (wide - ARM_SHUT) / (ARM_OPEN - ARM_SHUT) - 1.0f;
        for (int i = 0; i < ARM_JOINTS; i++) {
            action[i][l] = moves > 0.0f ? action[i][l] : 0.0f;
        }
        action[ARM_JOINTS][l] = held[HANDS_GRIP] != 0.0f ? held[HANDS_GRIP] : stays;
    }
}

/* What game.c asks of an environment whose persons do not hold actions. */
#define ENV_HANDS(s, slot, held, action)                                                                               \
    hands_act(&(s)->base, &(s)->arm, (const float[]){ARM_LOOK_X - ARM_EYE_X, -ARM_EYE_Y}, held, action)

#define HANDS_CONTROLS                                                                                                 \
    {"Left", "KeyA,ArrowLeft", "button14,axis0-", 0, HANDS_RIGHT, -1.0f},                                              \
        {"Right", "KeyD,ArrowRight", "button15,axis0+", 0, HANDS_RIGHT, 1.0f},                                         \
        {"Away", "KeyW,ArrowUp", "button12,axis1-", 0, HANDS_AWAY, 1.0f},                                              \
        {"Near", "KeyS,ArrowDown", "button13,axis1+", 0, HANDS_AWAY, -1.0f},                                           \
        {"Up", "KeyE", "button7,axis3-", 0, HANDS_UP, 1.0f}, {"Down", "KeyQ", "button6,axis3+", 0, HANDS_UP, -1.0f},   \
        {"Turn left", "KeyJ", "button4,axis2-", 0, HANDS_TURN, 1.0f},                                                  \
        {"Turn right", "KeyL", "button5,axis2+", 0, HANDS_TURN, -1.0f},                                                \
        {"Grip", "KeyG", "button0", 0, HANDS_GRIP, -1.0f}, {"Let go", "KeyH", "button1", 0, HANDS_GRIP, 1.0f}
#endif

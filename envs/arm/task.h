/* task.h: what the arm's tasks do alike: how their scripts act, what a pointer drags, and most of their
 * specification. */
#ifndef MINNOW_ENV_ARM_TASK_H
#define MINNOW_ENV_ARM_TASK_H
#include "hands.h"
#include "picture.h"

enum { TASK_MOVE = ENV_EVENT_CUSTOM };

static inline float task_length(float x, float y, float z) {
    return env_sqrt(x * x + y * y + z * z);
}

/* 1 at distance 0, falling fast over centimetres and slowly over decimetres. */
static inline float task_near(float distance) {
    return 1.0f - 0.5f * env_tanh(5.0f * distance) - 0.5f * env_tanh(25.0f * distance);
}

/* The script's action: joints towards `place` [3], the hand turned by `yaw` and `lean`, unless it dozes; the
 * gripper as `grip` says, 1 open, -1 shut. */
static void task_act(const State *s, const EnvBase *base, const Arm *arm, const float skill[ENV_LANES],
                     float place[3][ENV_LANES], const float yaw[ENV_LANES], const float lean[ENV_LANES],
                     const float grip[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    arm_towards(base, arm, place, yaw, lean, action);
    EACH_LANE(l) {
        const float awake = env_noise(s, l, 0, 0) < 0.2f + 0.8f * skill[l] ? 1.0f : 0.0f;
        for (int i = 0; i < ARM_JOINTS; i++) {
            action[i][l] *= awake;
        }
        action[ARM_JOINTS][l] = grip[l];
    }
}

/* A body whose speed is v [3][lanes] is kicked the way that it was dragged. */
static inline void task_kick(float v[3][ENV_LANES], int lane, const EnvEvent *event) {
    for (int k = 0; k < 3; k++) {
        v[k][lane] = env_clamp(v[k][lane] + 5.0f * event->way[k], -2.0f, 2.0f);
    }
}

/* A goal follows the pointer, over the table's middle: the first `axes` of x, y, z. */
static inline void task_drag(const EnvBase *base, float goal[3][ENV_LANES], int axes, int lane, const EnvEvent *event) {
    for (int k = 0; k < axes; k++) {
        const float low = k < 2 ? -0.4f : ARM_PARAM(base, table)[lane] + 0.02f, high = k < 2 ? 0.4f : 0.8f;
        goal[k][lane] = env_clamp(goal[k][lane] + event->way[k], low, high);
    }
}

/* What every task's specification says, beside name, title, description and score_name. */
#define TASK_SPEC                                                                                                      \
    .agents = 1, .group = groups, .action_type = ENV_BOX, .head = heads, .tick_rate = 20.0f, .action_repeat = 1,       \
    .score_low = 0.0f, .score_high = 1.0f, .view_width = ARM_VIEW_WIDTH, .view_height = ARM_VIEW_HEIGHT, .three_d = 1, \
    .controls = sizeof controls / sizeof *controls, .control = controls,                                               \
    .gestures = sizeof gestures / sizeof *gestures, .gesture = gestures
#endif

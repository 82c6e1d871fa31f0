/* task.h: what the arm's tasks do alike. A task includes it after its State, which has base, arm and
 * `int32_t done[ENV_LANES]`, and says the rest in the functions declared here, in `reset`, `event`, `draw`, and in the
 * tables `fields` and `gestures`. */
#ifndef MINNOW_ENV_ARM_TASK_H
#define MINNOW_ENV_ARM_TASK_H
#include "hands.h"
#include "picture.h"

#define PARAM(name) (s->base.param[P_##name])

enum { TASK_MOVE = ENV_EVENT_CUSTOM };

/* What a script wants of a lane: the tcp's place, the hand turned by `yaw` and `lean` (arm/inverse.h), and the gripper
 * 1, open, or -1, shut. */
typedef struct TaskPlan {
    float place[3], yaw, lean, grip;
} TaskPlan;

static void swing(State *s, ArmStep *step);                     /* everything goes through one part */
static inline float progress(const State *s, int l);            /* the potential, 0 to 1 */
static inline int32_t succeeds(const State *s, int l);          /* whether the task is done */
static inline int32_t lost(const State *s, int l);              /* whether what it is about no longer is in reach */
static inline void look(const State *s, int l, float *o);       /* the observation, without what sensors do */
static inline void plan(const State *s, int l, TaskPlan *plan); /* what the script wants; begins as all 0 */

static inline float task_length(float x, float y, float z) {
    return env_sqrt(x * x + y * y + z * z);
}

/* 1 at distance 0, falling fast over centimetres and slowly over decimetres. */
static inline float task_near(float distance) {
    return 1.0f - 0.5f * env_tanh(5.0f * distance) - 0.5f * env_tanh(25.0f * distance);
}

/* Whether the episode cannot go on: it ends, fails, and is counted as broken (ENV_BREAKS in rows.h). */
static inline int32_t broken(const State *s, int l) {
    return lost(s, l) | arm_broken(&s->base, &s->arm, l);
}
#define ENV_BREAKS broken

static void step(State *s, EnvActions action, EnvResult out) {
    ArmStep step;
    arm_begin(s, &s->base, &s->arm, action[0], &step);
    for (int part = 0; part < step.most; part++) {
        arm_part(&s->base, &s->arm, part, &step);
        swing(s, &step);
    }
    memcpy(s->arm.target, step.goal, sizeof step.goal);
    EACH_LANE(l) {
        int32_t breaks = broken(s, l), done = succeeds(s, l) & !breaks;
        s->done[l] = done;
        out.reward[0][l] += (float)done + PARAM(raw)[l] * progress(s, l);
        out.terminated[l] |= done | breaks;
        out.truncated[l] |= (float)(s->base.tick[l] + 1) >= PARAM(limit)[l];
    }
}

static void observe(const State *s, int slot, float *obs, size_t stride) {
    (void)slot;
    EACH_LANE(l) {
        look(s, l, obs + (size_t)l * stride);
    }
    arm_blur(&s->arm, &s->base, ENV_OBS, obs, stride);
}

static void script(const State *s, int slot, const float skill[ENV_LANES], env_action action[ENV_HEADS][ENV_LANES]) {
    float place[3][ENV_LANES], yaw[ENV_LANES], lean[ENV_LANES], grip[ENV_LANES];
    (void)slot;
    EACH_LANE(l) {
        TaskPlan p = {{0.0f}, 0.0f, 0.0f, 0.0f};
        plan(s, l, &p);
        for (int k = 0; k < 3; k++) {
            place[k][l] = p.place[k];
        }
        yaw[l] = p.yaw;
        lean[l] = p.lean;
        grip[l] = p.grip;
    }
    arm_towards(&s->base, &s->arm, place, yaw, lean, action);
    EACH_LANE(l) {
        const float awake = env_noise(s, l, 0, 0) < 0.2f + 0.8f * skill[l] ? 1.0f : 0.0f;
        for (int i = 0; i < ARM_JOINTS; i++) {
            action[i][l] *= awake;
        }
        action[ARM_JOINTS][l] = grip[l];
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

/* What observations begin with, and what is among them. */
#define ARM_Q_FIELD(n, place, turn, along, low, high, ...) {"q" #n, low, high},
#define ARM_V_FIELD(n, ...) {"v" #n, -ARM_SPEED, ARM_SPEED},
#define ARM_FIELDS                                                                                                     \
    ARM_ROBOT(ARM_Q_FIELD){"finger_left", 0.0f, 0.04f}, {"finger_right", 0.0f, 0.04f},                                 \
        ARM_ROBOT(ARM_V_FIELD){"finger_left_v", -ARM_SPEED, ARM_SPEED}, {                                              \
        "finger_right_v", -ARM_SPEED, ARM_SPEED                                                                        \
    }
#define ARM_TCP_FIELDS                                                                                                 \
    {"tcp_x", -2.0f, 2.0f}, {"tcp_y", -2.0f, 2.0f}, {"tcp_z", -2.0f, 2.0f}, {"tcp_qw", -1.01f, 1.01f},                 \
        {"tcp_qx", -1.01f, 1.01f}, {"tcp_qy", -1.01f, 1.01f}, {"tcp_qz", -1.01f, 1.01f}
#define TASK_GOAL_FIELDS {"goal_x", -0.5f, 0.5f}, {"goal_y", -0.5f, 0.5f}, {"goal_z", -0.1f, 1.0f}
#define TASK_WAY_FIELDS(name, most)                                                                                    \
    {name "_x", -(most), most}, {name "_y", -(most), most}, {                                                          \
        name "_z", -(most), most                                                                                       \
    }

static const EnvField fields[ENV_OBS];
static const EnvGroup groups[] = {{"obs", ENV_F32, ENV_FIELDS, {ENV_OBS}, 0, fields}};
#define ARM_HEAD(n, ...) {"joint" #n, 0, -1.0f, 1.0f, 0},
static const EnvHead heads[ENV_HEADS] = {ARM_ROBOT(ARM_HEAD){"gripper", 0, -1.0f, 1.0f, 0}};
static const EnvControl controls[] = {HANDS_CONTROLS};

/* The specification, beside name, title, description and score_name; and the functions. */
#define TASK_SPEC                                                                                                      \
    .agents = 1, .group = groups, .action_type = ENV_BOX, .head = heads, .tick_rate = 20.0f, .action_repeat = 1,       \
    .score_low = 0.0f, .score_high = 1.0f, .view_width = ARM_VIEW_WIDTH, .view_height = ARM_VIEW_HEIGHT, .three_d = 1, \
    .controls = sizeof controls / sizeof *controls, .control = controls,                                               \
    .gestures = sizeof gestures / sizeof *gestures, .gesture = gestures
#define TASK_FUNCTIONS                                                                                                 \
    .reset = reset, .step = step, .observe = {observe}, .script = script, .event = event, .draw = draw,                \
    .score = score, .success = score, .potential = potential
#endif

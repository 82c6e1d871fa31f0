/* arm.h: the arm that the table tasks share: a robot's joints, the Panda's seven (panda.h) or another's, and a gripper
 * of two fingers. A task's C file includes it after env.h, has ARM_PARAMS(P) among its parameters, and an Arm in its
 * State.
 *
 * Frames: metres, radians, seconds; the world's origin lies on the table, z up, the arm's base at x =
 * ARM_BASE_X. Turns are
 * unit quaternions w, x, y, z, carried along the chain, so that their sign is continuous. The hand looks along its z;
 * its fingers move along its y; between their tips lies the point that is steered, the tcp.
 *
 * Rates, the start and what an action means: those of ManiSkill 3.0.1, control mode pd_joint_delta_pos, so that a
 * policy of the Panda's 8 actions moves across unchanged. */
#ifndef MINNOW_ENV_ARM_H
#define MINNOW_ENV_ARM_H
#include "dynamics.h"

/* The exact answer of inertia I to a drive of stiffness k and damping d, for a time: (x, v) becomes (a x + b v,
 * c x + e v), x being measured from the target. Also where the drive is weakly damped, and swings. */
typedef struct ArmResponse {
    float a[ENV_LANES], b[ENV_LANES], c[ENV_LANES], e[ENV_LANES];
} ArmResponse;

static inline void arm_respond(const float k[ENV_LANES], const float d[ENV_LANES], const float inertia[ENV_LANES],
                               const float time[ENV_LANES], ArmResponse *r) {
    EACH_LANE(l) {
        float decay = 0.5f * d[l] / inertia[l], square = k[l] / inertia[l], t = time[l];
        float split = decay * decay - square, s = env_max(env_sqrt(env_abs(split)), 0.01f * decay);
        /* of two decays: the slow one without the difference of two large numbers */
        float slow = env_exp(-(square / (decay + s)) * t), fast = env_exp(-(decay + s) * t);
        float mean = env_exp(-decay * t), cos = mean * env_cos(s * t), sin = mean * env_sin(s * t) / s;
        float even = split > 0.0f ? 0.5f * (slow + fast) : cos, odd = split > 0.0f ? 0.5f * (slow - fast) / s : sin;
        r->a[l] = even + decay * odd;
        r->b[l] = odd;
        r->c[l] = -square * odd;
        r->e[l] = even - decay * odd;
    }
}

#define ARM_LONGEST 0.02f /* s, of a part: which contacts there are, and along which way, is said at its beginning */

/* Ends of a step: how long each of its parts is, and how many there are [lanes]. Returns the most of them. */
static int arm_parts(State *s, EnvBase *base, float time[ENV_LANES], int32_t parts[ENV_LANES]) {
    int most = 0, jitter = 0;
    EACH_LANE(l) {
        float rate = ARM_PARAM(base, rate)[l], least = -env_floor(-1.0f / (ARM_LONGEST * rate));
        parts[l] = (int32_t)env_max(ARM_PARAM(base, substeps)[l], least);
        time[l] = 1.0f / (ARM_PARAM(base, rate)[l] * (float)parts[l]);
        most = parts[l] > most ? parts[l] : most;
        jitter |= ARM_PARAM(base, jitter)[l] > 0.0f;
    }
    for (int l = 0; jitter && l < ENV_LANES; l++) {
        if (ARM_PARAM(base, jitter)[l] > 0.0f) {
            time[l] *= 1.0f + ARM_PARAM(base, jitter)[l] * (2.0f * env_uniform(s, l) - 1.0f);
        }
    }
    return most;
}

/* MurmurHash3's last steps (Appleby). */
static inline uint32_t arm_mix(uint32_t bits) {
    bits = (bits ^ bits >> 16) * 0x85ebca6bu;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    return bits ^ bits >> 16;
}

/* A number for what chance does in this tick: a function of tick and joints. */
static void arm_keys(const EnvBase *base, const Arm *arm, uint32_t key[ENV_LANES]) {
    EACH_LANE(l) {
        key[l] = (uint32_t)base->tick[l];
    }
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            key[l] = arm_mix(key[l] ^ env_to_bits(arm->q[i][l]));
        }
    }
}

/* Mean 0, variance 1: a sum of four bytes, which is nearly normal. */
static inline float arm_normal(uint32_t bits) {
    uint32_t sum = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24);
    return ((float)(int32_t)sum - 510.0f) * (1.0f / 147.8f);
}

/* A joint's position within its limits. */
static inline float arm_within(const EnvBase *base, int i, int l, float q) {
    float margin = ARM_PARAM(base, margin)[l];
    return env_clamp(q, arm_joint[i].low + margin, arm_joint[i].high - margin);
}

/* What an action, [ARM_HEADS] in [-1, 1], asks of joints and fingers. A drive that is told to go no further than its
 * joint's greatest speed, times damping, over stiffness, does not exceed that speed. */
static void arm_aim(const EnvBase *base, const Arm *arm, const env_action (*action)[ENV_LANES],
                    float target[ARM_MOVING][ENV_LANES]) {
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float most = arm_joint[i].speed * ARM_PARAM(base, damping)[l] / ARM_PARAM(base, stiffness)[l];
            float by = action[i][l] * ARM_PARAM(base, reach)[l] * ARM_PARAM(base, action_scale)[l];
            by = env_clamp(by, -most, most);
            target[i][l] = arm_within(base, i, l, arm->q[i][l] + by);
        }
    }
    int noisy = 0;
    EACH_LANE(l) {
        noisy |= ARM_PARAM(base, action_noise)[l] > 0.0f;
    }
    if (noisy) {
        uint32_t key[ENV_LANES];
        arm_keys(base, arm, key);
        for (int i = 0; i < ARM_JOINTS; i++) {
            EACH_LANE(l) {
                const float noise = ARM_PARAM(base, action_noise)[l] * ARM_PARAM(base, reach)[l];
                const float by = noise * arm_normal(arm_mix((arm_mix(key[l]) + (uint32_t)i) * 0x9e3779b9u));
                const float aim = target[i][l], off = arm_within(base, i, l, aim + by);
                target[i][l] = noise > 0.0f ? off : aim;
            }
        }
    }
    for (int i = ARM_JOINTS; i < ARM_MOVING; i++) {
        EACH_LANE(l) {
            target[i][l] = ARM_SHUT + (action[ARM_JOINTS][l] + 1.0f) * (0.5f * (ARM_OPEN - ARM_SHUT));
        }
    }
}

/* How far a drive seems to be from its target: friction takes some of that away, and so does the most torque that it
 * has, against which its damping counts. */
static inline float arm_pull(float gap, float v, float k, float d, float most, float friction) {
    float slack = friction / k, free = gap - env_clamp(gap, -slack, slack);
    return (env_clamp(free * k - d * v, -most, most) + d * v) / k;
}

/* Joints that move each other: the factored matrix of their implicit stages, and torques against them. */
typedef struct ArmCoupled {
    float a[ARM_JOINTS][ARM_MOST_UNKNOWNS][ENV_LANES], bias[ARM_JOINTS][ENV_LANES];
} ArmCoupled;

/* One control step on its way. */
typedef struct ArmStep {
    float time[ENV_LANES];    /* of each part */
    int32_t parts[ENV_LANES]; /* how many, by lane */
    int32_t live[ENV_LANES];  /* whether the present part is one of the lane's */
    int most;                 /* parts of any lane */
    int part, levels;         /* the present part; by bits, the levels of fidelity that there are in the block */
    float target[ARM_MOVING][ENV_LANES], goal[ARM_MOVING][ENV_LANES]; /* in this part, and once the delay is over */
    ArmResponse response[ARM_HEADS];                                  /* of the joints, and of a free finger */
    float sag[ARM_JOINTS][ENV_LANES]; /* level 0: by which the arm's own weight shifts the drives' targets */
    ArmLoad load;                     /* what arm/cube.h says that the hand carries */
    ArmCoupled coupled[2];            /* of levels 1 and 2 */
} ArmStep;

static void arm_begin(State *s, EnvBase *base, const Arm *arm, const env_action (*action)[ENV_LANES], ArmStep *step) {
    step->most = arm_parts(s, base, step->time, step->parts);
    arm_aim(base, arm, action, step->goal);
    memset(&step->load, 0, sizeof step->load);
    step->levels = 0;
    EACH_LANE(l) {
        step->levels |= 1 << (int32_t)ARM_PARAM(base, level)[l];
    }
    for (int i = 0; i < ARM_HEADS; i++) {
        const int finger = i == ARM_JOINTS;
        float inertia[ENV_LANES];
        EACH_LANE(l) {
            inertia[l] = finger ? ARM_FINGER_MASS : arm_joint[i].inertia * ARM_PARAM(base, link_mass)[l];
        }
        arm_respond(finger ? ARM_PARAM(base, grip) : ARM_PARAM(base, stiffness),
                    finger ? ARM_PARAM(base, grip_damping) : ARM_PARAM(base, damping), inertia, step->time,
                    &step->response[i]);
    }
}

/* Begins a part: which lanes it belongs to, and what the drives aim at. */
static void arm_part(const EnvBase *base, const Arm *arm, int part, ArmStep *step) {
    step->part = part;
    int32_t waits[ENV_LANES];
    EACH_LANE(l) {
        float share = ((float)part + 0.5f) / (float)step->parts[l];
        step->live[l] = part < step->parts[l];
        waits[l] = share < ARM_PARAM(base, delay)[l];
    }
    for (int i = 0; i < ARM_MOVING; i++) {
        EACH_LANE(l) {
            float last = arm->target[i][l], next = step->goal[i][l];
            step->target[i][l] = waits[l] ? last : next;
        }
    }
}

/* Moves a joint or a free finger through one part. */
static void arm_move(const EnvBase *base, Arm *arm, int i, const ArmStep *step) {
    const int finger = i >= ARM_JOINTS;
    const ArmResponse *r = &step->response[finger ? ARM_JOINTS : i];
    const float *k = finger ? ARM_PARAM(base, grip) : ARM_PARAM(base, stiffness);
    const float *d = finger ? ARM_PARAM(base, grip_damping) : ARM_PARAM(base, damping);
    const float *most = finger ? ARM_PARAM(base, grip_force) : ARM_PARAM(base, torque);
    const float strength = finger ? 1.0f : arm_joint[i].strength;
    EACH_LANE(l) {
        float friction = finger ? 0.0f : ARM_PARAM(base, joint_friction)[l];
        float q = arm->q[i][l], v = arm->v[i][l];
        float sag = finger ? 0.0f : step->sag[i][l];
        float gap = step->target[i][l] - q, wide = ARM_PARAM(base, grip_speed)[l] * d[l] / k[l];
        gap = finger ? env_clamp(gap, -wide, wide) : gap;
        float x = sag - arm_pull(gap, v, k[l], d[l], strength * most[l], friction);
        float moved = q + (r->a[l] * x + r->b[l] * v - x), speed = r->c[l] * x + r->e[l] * v;
        float held = finger ? env_clamp(moved, 0.0f, ARM_OPEN) : arm_within(base, i, l, moved);
        speed = held == moved ? env_clamp(speed, -ARM_SPEED, ARM_SPEED) : 0.0f;
        arm->q[i][l] = step->live[l] ? held : q;
        arm->v[i][l] = step->live[l] ? speed : v;
    }
}

/* The weight that level 0's drives carry, as it is at the step's beginning. */
static void arm_sag(const EnvBase *base, const Arm *arm, ArmStep *step) {
    int any = 0;
    EACH_LANE(l) {
        any |= ARM_PARAM(base, sag)[l] != 0.0f;
    }
    memset(step->sag, 0, sizeof step->sag);
    if (any) {
        float q[ARM_MOVING][ENV_LANES], hand[3][ENV_LANES], turn[4][ENV_LANES], still[ARM_JOINTS][ENV_LANES];
        ArmChain chain;
        ArmBodies bodies;
        memcpy(q, arm->q, sizeof q);
        memset(still, 0, sizeof still);
        arm_place(base, q, hand, turn, &chain);
        arm_bodies(base, &chain, &step->load, &bodies);
        arm_bias(&bodies, still, step->sag);
        for (int i = 0; i < ARM_JOINTS; i++) {
            EACH_LANE(l) {
                step->sag[i][l] /= ARM_PARAM(base, stiffness)[l];
            }
        }
    }
}

#define ARM_STAGE 0.292893219f /* 1 - 1 / sqrt 2 of a part */

/* The accelerations at the end of an implicit stage that begins at q, v [ARM_JOINTS]; aim: what the drives seem to pull
 * to. */
static void arm_stage(const EnvBase *base, const ArmStep *step, ArmCoupled *c, float aim[ARM_JOINTS][ENV_LANES],
                      float (*q)[ENV_LANES], float (*v)[ENV_LANES], float out[ARM_JOINTS][ENV_LANES]) {
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float gap = aim[i][l] - q[i][l] - ARM_STAGE * step->time[l] * v[i][l];
            out[i][l] = ARM_PARAM(base, stiffness)[l] * gap - ARM_PARAM(base, damping)[l] * v[i][l] - c->bias[i][l];
        }
    }
    arm_back(ARM_JOINTS, c->a, out);
}

/* The matrix and the torques of a step (level 1), or of a part's middle (level 2). */
static void arm_weigh(const EnvBase *base, Arm *arm, const ArmStep *step, int level, float aim[ARM_JOINTS][ENV_LANES],
                      ArmCoupled *c) {
    float q[ARM_MOVING][ENV_LANES], v[ARM_JOINTS][ENV_LANES], hand[3][ENV_LANES], turn[4][ENV_LANES];
    ArmChain chain;
    ArmBodies bodies;
    memcpy(q, arm->q, sizeof q);
    memset(v, 0, sizeof v);
    for (int i = 0; level == 2 && i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            q[i][l] += 0.5f * step->time[l] * arm->v[i][l];
        }
    }
    arm_place(base, q, hand, turn, &chain);
    arm_bodies(base, &chain, &step->load, &bodies);
    arm_mass(&bodies, c->a);
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float t = ARM_STAGE * step->time[l];
            c->a[i][i][l] += t * (ARM_PARAM(base, damping)[l] + t * ARM_PARAM(base, stiffness)[l]);
        }
    }
    arm_factor(ARM_JOINTS, c->a);
    if (level == 2) { /* speeds in the middle, by torques at the beginning's */
        arm_bias(&bodies, arm->v, c->bias);
        arm_stage(base, step, c, aim, arm->q, arm->v, v);
        for (int i = 0; i < ARM_JOINTS; i++) {
            EACH_LANE(l) {
                v[i][l] = arm->v[i][l] + 0.5f * step->time[l] * v[i][l];
            }
        }
    }
    arm_bias(&bodies, v, c->bias);
}

/* Where joints that move each other, of level 1 or 2, get to in one part, and how fast: by two implicit stages, of
 * second order and stiffly accurate (Alexander, 1977), so that no drive is too stiff. */
static void arm_couple(const EnvBase *base, Arm *arm, ArmStep *step, int level, float to[ARM_JOINTS][ENV_LANES],
                       float speed[ARM_JOINTS][ENV_LANES]) {
    float aim[ARM_JOINTS][ENV_LANES], q[ARM_JOINTS][ENV_LANES], v[ARM_JOINTS][ENV_LANES], by[ARM_JOINTS][ENV_LANES];
    ArmCoupled *c = &step->coupled[level - 1];
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float gap = step->target[i][l] - arm->q[i][l];
            aim[i][l] =
                arm->q[i][l] + arm_pull(gap, arm->v[i][l], ARM_PARAM(base, stiffness)[l], ARM_PARAM(base, damping)[l],
                                        arm_joint[i].strength * ARM_PARAM(base, torque)[l],
                                        ARM_PARAM(base, joint_friction)[l]);
        }
    }
    if (level == 2 || step->part == 0) {
        arm_weigh(base, arm, step, level, aim, c);
    }
    arm_stage(base, step, c, aim, arm->q, arm->v, by);
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float t = step->time[l], rest = (1.0f - ARM_STAGE) * t;
            q[i][l] = arm->q[i][l] + rest * (arm->v[i][l] + ARM_STAGE * t * by[i][l]);
            v[i][l] = arm->v[i][l] + rest * by[i][l];
        }
    }
    arm_stage(base, step, c, aim, q, v, by);
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float t = ARM_STAGE * step->time[l];
            speed[i][l] = v[i][l] + t * by[i][l];
            to[i][l] = q[i][l] + t * speed[i][l];
        }
    }
}

/* Moves the joints of the lanes that are of this level. */
static void arm_take(const EnvBase *base, Arm *arm, const ArmStep *step, int level, float to[ARM_JOINTS][ENV_LANES],
                     float speed[ARM_JOINTS][ENV_LANES]) {
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            int32_t takes = step->live[l] & ((int32_t)ARM_PARAM(base, level)[l] == level);
            float held = arm_within(base, i, l, to[i][l]);
            float v = held == to[i][l] ? env_clamp(speed[i][l], -ARM_SPEED, ARM_SPEED) : 0.0f;
            arm->q[i][l] = takes ? held : arm->q[i][l];
            arm->v[i][l] = takes ? v : arm->v[i][l];
        }
    }
}

#define ARM_SUNK 0.05f  /* m: no finger that works is deeper in the table at a step's end */
#define ARM_LIFT 0.02f  /* m: the most by which one change of joints, reckoned by slopes, lifts */
enum { ARM_LIFTS = 8 }; /* the most more of them in a part */

/* Where the fingers are so deep in something below, joints give way along the shortest change that lifts them, and lose
 * a share of their motion to friction. */
static void arm_lift(const EnvBase *base, Arm *arm, const ArmStep *step, const float deep[ENV_LANES]) {
    int32_t any = 0;
    EACH_LANE(l) {
        any |= deep[l] > 0.0f;
    }
    if (!any) {
        return;
    }
    ArmChain chain;
    arm_place(base, arm->q, arm->hand, arm->turn, &chain);
    float rise[ENV_LANES], tip[2][ENV_LANES], sum[ENV_LANES], slope[ARM_JOINTS][ENV_LANES];
    EACH_LANE(l) {
        float w = arm->turn[0][l], x = arm->turn[1][l], y = arm->turn[2][l], z = arm->turn[3][l];
        tip[0][l] = arm->hand[0][l] + ARM_TIP * 2.0f * (x * z + w * y);
        tip[1][l] = arm->hand[1][l] + ARM_TIP * 2.0f * (y * z - w * x);
        sum[l] = 1e-4f;
        rise[l] = 0.0f;
    }
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float x = tip[0][l] - chain.at[i][0][l], y = tip[1][l] - chain.at[i][1][l];
            slope[i][l] = chain.axis[i][0][l] * y - chain.axis[i][1][l] * x;
            sum[l] += slope[i][l] * slope[i][l];
            rise[l] += slope[i][l] * arm->v[i][l];
        }
    }
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) {
            float q = arm->q[i][l], v = arm->v[i][l], share = slope[i][l] / sum[l];
            float slowed = env_clamp(v - share * env_min(rise[l], 0.0f), -ARM_SPEED, ARM_SPEED);
            float lost = ARM_PARAM(base, scrape)[l] * slowed;
            float lifted = arm_within(base, i, l, q + share * env_min(deep[l], ARM_LIFT) - step->time[l] * lost);
            arm->q[i][l] = deep[l] > 0.0f ? lifted : q;
            arm->v[i][l] = deep[l] > 0.0f ? slowed - lost : v;
        }
    }
    for (int i = 0; i < ARM_FINGERS; i++) {
        EACH_LANE(l) {
            arm->rub[i][l] = deep[l] > 0.0f ? 1.0f : arm->rub[i][l];
        }
    }
    arm_place(base, arm->q, arm->hand, arm->turn, 0);
}

/* By how much the lower one of the fingers' ends is below the table. */
static inline float arm_sunk(const EnvBase *base, const Arm *arm, int l) {
    float w = arm->turn[0][l], x = arm->turn[1][l], y = arm->turn[2][l], z = arm->turn[3][l];
    float ends = env_abs(2.0f * (x * z - w * y)) * ARM_FINGER_WIDE +
                 env_abs(2.0f * (y * z + w * x)) *
                     (ARM_FINGER_THICK + env_max(arm->q[ARM_JOINTS][l], arm->q[ARM_JOINTS + 1][l]));
    float height = arm->hand[2][l] + ARM_TIP * (1.0f - 2.0f * (x * x + y * y)) - ends;
    return ARM_PARAM(base, table)[l] - height;
}

/* The fingers' ends do not go into the table. */
static void arm_rest(const EnvBase *base, Arm *arm, const ArmStep *step) {
    float deep[ENV_LANES];
    memset(arm->rub, 0, sizeof arm->rub);
    EACH_LANE(l) {
        deep[l] = arm_sunk(base, arm, l);
    }
    arm_lift(base, arm, step, deep);
    for (int again = 0; again < ARM_LIFTS; again++) { /* those that were too deep for one change */
        int32_t any = 0;
        EACH_LANE(l) {
            any |= deep[l] > ARM_LIFT;
        }
        if (!any) {
            return;
        }
        EACH_LANE(l) {
            deep[l] = deep[l] > ARM_LIFT ? arm_sunk(base, arm, l) : 0.0f;
        }
        arm_lift(base, arm, step, deep);
    }
}

/* The arm goes through one part, fingers apart. */
static void arm_swing(const EnvBase *base, Arm *arm, ArmStep *step) {
    float q[3][ARM_JOINTS][ENV_LANES], v[3][ARM_JOINTS][ENV_LANES]; /* of levels 1 and 2 */
    for (int level = 1; level < 3; level++) {
        if (step->levels >> level & 1) {
            arm_couple(base, arm, step, level, q[level], v[level]);
        }
    }
    if (step->levels & 1) {
        if (step->part == 0) {
            arm_sag(base, arm, step);
        }
        for (int i = 0; i < ARM_JOINTS; i++) {
            arm_move(base, arm, i, step);
        }
    }
    for (int level = 1; level < 3; level++) {
        if (step->levels >> level & 1) {
            arm_take(base, arm, step, level, q[level], v[level]);
        }
    }
    arm_place(base, arm->q, arm->hand, arm->turn, 0);
    arm_rest(base, arm, step);
}

/* Begins an episode: near the rest position, at rest. */
static void arm_reset(State *s, EnvBase *base, Arm *arm, int lane) {
    for (int i = 0; i < ARM_MOVING; i++) {
        float q = ARM_OPEN;
        if (i < ARM_JOINTS) {
            q = arm_joint[i].rest + ARM_PARAM(base, start_spread)[lane] * env_normal(s, lane);
            q = arm_within(base, i, lane, q);
        }
        arm->q[i][lane] = arm->target[i][lane] = q;
        arm->v[i][lane] = 0.0f;
    }
    arm->rub[0][lane] = arm->rub[1][lane] = 0.0f;
    float hand[3][ENV_LANES], turn[4][ENV_LANES];
    arm_place(base, arm->q, hand, turn, 0);
    for (int k = 0; k < 4; k++) {
        arm->hand[k % 3][lane] = hand[k % 3][lane];
        arm->turn[k][lane] = turn[k][lane];
    }
}

/* Whether its numbers have broken: joints that are nowhere, or fingers deeper in the table than lifting them explains.
 */
static inline int32_t arm_broken(const EnvBase *base, const Arm *arm, int l) {
    float sum = 0.0f;
    for (int i = 0; i < ARM_MOVING; i++) {
        sum += env_abs(arm->q[i][l]) + env_abs(arm->v[i][l]);
    }
    return !(sum < 1e3f) | !(arm_sunk(base, arm, l) < ARM_SUNK);
}

/* How fast the fastest joint is, rad/s. */
static inline float arm_fastest(const Arm *arm, int l) {
    float fastest = 0.0f;
    for (int i = 0; i < ARM_JOINTS; i++) {
        fastest = env_max(fastest, env_abs(arm->v[i][l]));
    }
    return fastest;
}

static inline int32_t arm_still(const Arm *arm, int l, float most) {
    return arm_fastest(arm, l) <= most;
}

/* What sensors do to `count` numbers of each lane's observation where the parameters ask for it: speeds that pressed
 * fingers seem to have; noise, which is a function of tick and joints, so that equal states look equal; what they
 * always add, which the episode's parameters tell; numbers that are missing. */
static void arm_blur(const Arm *arm, const EnvBase *base, int count, float *obs, size_t stride) {
    uint32_t key[ENV_LANES];
    int32_t any = 0;
    EACH_LANE(l) {
        any |= (ARM_PARAM(base, noise)[l] > 0.0f) | (ARM_PARAM(base, bias)[l] > 0.0f) |
               (ARM_PARAM(base, dropout)[l] > 0.0f) | (ARM_PARAM(base, ring)[l] != 0.0f);
    }
    if (!any) {
        return;
    }
    arm_keys(base, arm, key);
    for (int l = 0; l < ENV_LANES; l++) {
        const float noise = ARM_PARAM(base, noise)[l], bias = ARM_PARAM(base, bias)[l];
        const float dropout = 16777216.0f * ARM_PARAM(base, dropout)[l], ring = ARM_PARAM(base, ring)[l];
        for (uint32_t i = 0; ring != 0.0f && i < ARM_FINGERS; i++) {
            const float far = 1.0f + arm_normal(arm_mix(key[l] - 1 - i));
            obs[(size_t)l * stride + ARM_MOVING + ARM_JOINTS + i] += arm->rub[i][l] * ring * far;
        }
        if (noise > 0.0f || bias > 0.0f || dropout > 0.0f) {
            const uint32_t now = key[l];
            const uint32_t drawn = arm_mix(env_to_bits(bias) ^ env_to_bits(ARM_PARAM(base, stiffness)[l]));
            const uint32_t always = arm_mix(drawn ^ env_to_bits(ARM_PARAM(base, link_mass)[l]));
            float *o = obs + (size_t)l * stride;
            for (uint32_t i = 0; i < (uint32_t)count; i++) {
                uint32_t bits = arm_mix((now + i) * 0x9e3779b9u), fixed = arm_mix((always + i) * 0x9e3779b9u);
                float seen = o[i] + noise * arm_normal(bits) + bias * arm_normal(fixed);
                o[i] = (float)(int32_t)(arm_mix(bits) >> 8) < dropout ? 0.0f : seen;
            }
        }
    }
}

/* Positions and speeds, ARM_SEEN numbers, then where the tcp is, x, y, z, and how the hand is turned, w, x, y, z. */
static inline void arm_see(const Arm *arm, int l, float *moving, float *pose) {
    for (int i = 0; i < ARM_MOVING; i++) {
        moving[i] = arm->q[i][l];
        moving[ARM_MOVING + i] = arm->v[i][l];
    }
    arm_tcp(arm, l, pose);
    for (int k = 0; k < 4; k++) {
        pose[3 + k] = arm->turn[k][l];
    }
}
#endif

/* cube.h: a cube between the fingers, on the table, or in the air: what moves it, and where it goes. */
#ifndef MINNOW_ENV_ARM_CUBE_H
#define MINNOW_ENV_ARM_CUBE_H
#include "touch.h"

#define CUBE_SPEED 10.0f /* m/s, and CUBE_SPIN rad/s: nothing that works is faster */
#define CUBE_SPIN 100.0f
#define CUBE_REACH 0.95f /* m from the base: fingertips get 0.89 m far along the table */
#define CUBE_REST 0.01f  /* m/s: a slower cube will come no nearer */
#define CUBE_GRASP 0.5f  /* N: a finger that holds is pressed by so much */

/* The most force of a finger's drive: what keeps its speed within its limit, too. */
static inline float cube_grip(const EnvBase *base, int l) {
    return env_min(ARM_PARAM(base, grip_force)[l], ARM_PARAM(base, grip_speed)[l] * ARM_PARAM(base, grip_damping)[l]);
}

/* The system without contacts and drives: inertia, gravity. before: the hand's frame before this part. */
static void cube_begin(const EnvBase *base, const Arm *arm, Cube *cube, const ArmStep *step, float before[3][ENV_LANES],
                       float before_turn[4][ENV_LANES], CubeSystem *system) {
    float hand[3][3][ENV_LANES], world[4][3][ENV_LANES];
    cube_matrix(cube->turn, system->axes);
    cube_matrix(before_turn, hand);
    EACH_LANE(l) {
        float w = arm->turn[0][l], x = arm->turn[1][l], y = arm->turn[2][l], z = arm->turn[3][l];
        float pw = before_turn[0][l], px = before_turn[1][l], py = before_turn[2][l], pz = before_turn[3][l];
        float often = 1.0f / step->time[l];
        for (int k = 0; k < 3; k++) {
            world[0][k][l] = before[k][l] - cube->at[k][l];
            world[1][k][l] = (arm->hand[k][l] - before[k][l]) * often;
            world[3][k][l] = cube->spin[k][l] * ARM_PARAM(base, cube_size)[l];
        }
        world[2][0][l] = 2.0f * often * (((x * pw - w * px) - y * pz) + z * py);
        world[2][1][l] = 2.0f * often * (((y * pw - w * py) - z * px) + x * pz);
        world[2][2][l] = 2.0f * often * (((z * pw - w * pz) - x * py) + y * px);
    }
    cube_inwards(system->axes, world[0], system->from);
    cube_inwards(system->axes, world[1], system->hand_v);
    cube_inwards(system->axes, world[2], system->hand_w);
    cube_inwards(system->axes, cube->v, system->v);
    cube_inwards(system->axes, world[3], system->w);
    memcpy(system->by_v, system->v, sizeof system->v);
    memcpy(system->by_w, system->w, sizeof system->w);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            EACH_LANE(l) {
                system->hand[i][k][l] = system->axes[0][i][l] * hand[0][k][l] + system->axes[1][i][l] * hand[1][k][l] +
                                        system->axes[2][i][l] * hand[2][k][l];
            }
        }
    }
    memset(system->a, 0, sizeof system->a);
    memset(system->touch, 0, sizeof system->touch);
    EACH_LANE(l) { /* momentum, and that about the middle over half the edge; of a solid cube m (2 h)^2 / 6 over h^2 */
        float mass = ARM_PARAM(base, cube_mass)[l], round = mass * (2.0f / 3.0f), wide = round;
        if (CUBE_IS_LONG) {
            wide = mass * (1.0f / 3.0f) * (1.0f + CUBE_LONG(base, l) * CUBE_LONG(base, l));
        }
        float pull = system->fall[l] = ARM_PARAM(base, gravity)[l] * step->time[l];
        float cx = ARM_PARAM(base, centre_x)[l], cy = ARM_PARAM(base, centre_y)[l], cz = ARM_PARAM(base, centre_z)[l];
        float vx = system->v[0][l] - pull * system->axes[2][0][l], wx = system->w[0][l];
        float vy = system->v[1][l] - pull * system->axes[2][1][l], wy = system->w[1][l];
        float vz = system->v[2][l] - pull * system->axes[2][2][l], wz = system->w[2][l];
        float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES] = system->a, dot = cx * wx + cy * wy + cz * wz;
        a[0][0][l] = a[1][1][l] = a[2][2][l] = mass;
        a[3][1][l] = 0.0f - mass * cz;
        a[3][2][l] = mass * cy;
        a[4][0][l] = mass * cz;
        a[4][2][l] = 0.0f - mass * cx;
        a[5][0][l] = 0.0f - mass * cy;
        a[5][1][l] = mass * cx;
        a[3][3][l] = round + mass * (cy * cy + cz * cz);
        a[4][3][l] = 0.0f - mass * (cx * cy);
        a[4][4][l] = wide + mass * (cx * cx + cz * cz);
        a[5][3][l] = 0.0f - mass * (cx * cz);
        a[5][4][l] = 0.0f - mass * (cy * cz);
        a[5][5][l] = wide + mass * (cx * cx + cy * cy);
        float square = cx * cx + cy * cy + cz * cz;
        system->b[0][l] = mass * (vx + (wy * cz - wz * cy));
        system->b[1][l] = mass * (vy + (wz * cx - wx * cz));
        system->b[2][l] = mass * (vz + (wx * cy - wy * cx));
        system->b[3][l] = round * wx + mass * ((square * wx - cx * dot) + (cy * vz - cz * vy));
        system->b[4][l] = wide * wy + mass * ((square * wy - cy * dot) + (cz * vx - cx * vz));
        system->b[5][l] = wide * wz + mass * ((square * wz - cz * dot) + (cx * vy - cy * vx));
    }
    memset(system->b + 6, 0, ARM_FINGERS * sizeof *system->b);
}

/* Adds the fingers' drives to a system, of which they are the unknowns from `first` on. */
static void cube_drive(const EnvBase *base, const Arm *arm, const ArmStep *step, int first,
                       float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES], float (*b)[ENV_LANES]) {
    for (int i = 0; i < ARM_FINGERS; i++) {
        EACH_LANE(l) {
            float t = step->time[l], k = ARM_PARAM(base, grip)[l], most = cube_grip(base, l) / k;
            float gap = env_clamp(step->target[ARM_JOINTS + i][l] - arm->q[ARM_JOINTS + i][l], -most, most);
            a[first + i][first + i][l] += ARM_FINGER_MASS + t * (ARM_PARAM(base, grip_damping)[l] + t * k);
            b[first + i][l] += ARM_FINGER_MASS * arm->v[ARM_JOINTS + i][l] + t * k * gap;
        }
    }
}

/* apart: whether nothing joins cube and fingers. */
static ARM_APART void cube_solve(CubeSystem *s, int apart) {
    if (!apart) {
        arm_solve(8, s->a, s->b);
        return;
    }
    arm_solve(6, s->a, s->b);
    for (int i = 6; i < 8; i++) {
        EACH_LANE(l) {
            s->b[i][l] /= s->a[i][i][l];
        }
    }
}

/* By what each finger is pressed open, at the speeds that the system says. */
static inline void cube_squeeze(const EnvBase *base, const Arm *arm, Cube *cube, const ArmStep *step,
                                const CubeSystem *system) {
    for (int i = 0; i < ARM_FINGERS; i++) {
        const int j = ARM_JOINTS + i;
        EACH_LANE(l) {
            float t = step->time[l], k = ARM_PARAM(base, grip)[l], most = cube_grip(base, l) / k;
            float speed = system->b[6 + i][l] + 0.0f; /* as in cube_move */
            float drive = k * (env_clamp(step->target[j][l] - arm->q[j][l], -most, most) - t * speed) -
                          ARM_PARAM(base, grip_damping)[l] * speed;
            float squeeze = ARM_FINGER_MASS * (speed - arm->v[j][l]) / t - drive;
            cube->squeeze[i][l] = step->live[l] ? env_clamp(squeeze, -1e3f, 1e3f) : cube->squeeze[i][l];
        }
    }
}

/* The fingers go on at their new speeds, [2]. */
static void cube_move_fingers(Arm *arm, const ArmStep *step, float (*speeds)[ENV_LANES]) {
    for (int i = 0; i < ARM_FINGERS; i++) {
        const int j = ARM_JOINTS + i;
        EACH_LANE(l) {
            float t = step->time[l], q = arm->q[j][l], v = arm->v[j][l], speed = speeds[i][l] + 0.0f;
            float moved = q + t * env_clamp(speed, -ARM_SPEED, ARM_SPEED), held = env_clamp(moved, 0.0f, ARM_OPEN);
            speed = held == moved ? env_clamp(speed, -ARM_SPEED, ARM_SPEED) : 0.0f;
            arm->q[j][l] = step->live[l] ? held : q;
            arm->v[j][l] = step->live[l] ? speed : v;
        }
    }
}

/* The cube goes on at its new speeds. */
static void cube_move(const EnvBase *base, Cube *cube, const ArmStep *step, CubeSystem *system) {
    float v[3][ENV_LANES], spin[3][ENV_LANES];
    for (int k = 0; k < 3; k++) {
        EACH_LANE(l) {
            system->b[3 + k][l] /= ARM_PARAM(base, cube_size)[l];
        }
    }
    cube_outwards(system->axes, system->b, v);
    cube_outwards(system->axes, system->b + 3, spin);
    EACH_LANE(l) {
        const int32_t live = step->live[l];
        const float t = step->time[l], half = 0.5f * t;
        for (int k = 0; k < 3; k++) { /* adding 0 makes 0 of -0, which a block's other lanes may decide */
            v[k][l] = env_clamp(v[k][l] + 0.0f, -CUBE_SPEED, CUBE_SPEED);
            spin[k][l] = env_clamp(spin[k][l] + 0.0f, -CUBE_SPIN, CUBE_SPIN);
            cube->at[k][l] = live ? env_clamp(cube->at[k][l] + t * v[k][l], -3.0f, 3.0f) : cube->at[k][l];
            cube->v[k][l] = live ? v[k][l] : cube->v[k][l];
            cube->spin[k][l] = live ? spin[k][l] : cube->spin[k][l];
        }
        float w = cube->turn[0][l], x = cube->turn[1][l], y = cube->turn[2][l], z = cube->turn[3][l];
        float a = half * spin[0][l], b = half * spin[1][l], c = half * spin[2][l];
        float nw = ((w - a * x) - b * y) - c * z, nx = ((x + a * w) + b * z) - c * y;
        float ny = ((y + b * w) + c * x) - a * z, nz = ((z + c * w) + a * y) - b * x;
        float size = env_sqrt(nw * nw + nx * nx + ny * ny + nz * nz), scale = 1.0f / env_max(size, 1e-6f);
        cube->turn[0][l] = live ? nw * scale : w;
        cube->turn[1][l] = live ? nx * scale : x;
        cube->turn[2][l] = live ? ny * scale : y;
        cube->turn[3][l] = live ? nz * scale : z;
    }
}

/* At times something pushes it, whichever way. */
static void cube_push(const EnvBase *base, const Arm *arm, Cube *cube) {
    uint32_t key[ENV_LANES];
    int32_t comes[ENV_LANES], any = 0;
    arm_keys(base, arm, key);
    EACH_LANE(l) {
        const float often = ARM_PARAM(base, push_rate)[l] / ARM_PARAM(base, rate)[l];
        key[l] = arm_mix(key[l] ^ env_to_bits(cube->at[0][l]));
        comes[l] = env_unit(key[l]) < often;
        any |= comes[l];
    }
    for (int l = 0; any && l < ENV_LANES; l++) {
        if (comes[l]) {
            float way[3], far = 1e-6f;
            for (uint32_t k = 0; k < 3; k++) {
                way[k] = arm_normal(arm_mix((key[l] + k) * 0x9e3779b9u));
                far += way[k] * way[k];
            }
            for (int k = 0; k < 3; k++) {
                cube->v[k][l] += ARM_PARAM(base, push)[l] * way[k] / env_sqrt(far);
            }
        }
    }
}

/* Whether both fingers hold it. */
static inline int32_t cube_held(const Cube *cube, int l) {
    return (cube->squeeze[0][l] >= CUBE_GRASP) & (cube->squeeze[1][l] >= CUBE_GRASP);
}

/* A cube that both fingers hold is part of the hand for an arm whose joints move each other. */
static void cube_load(const EnvBase *base, const Cube *cube, ArmStep *step) {
    EACH_LANE(l) {
        float mass = cube_held(cube, l) && ARM_PARAM(base, level)[l] > 0.0f ? ARM_PARAM(base, cube_mass)[l] : 0.0f;
        step->load.mass[l] = mass;
        step->load.weight[l] = mass * ARM_PARAM(base, gravity)[l];
        for (int k = 0; k < 3; k++) {
            step->load.at[k][l] = cube->at[k][l];
        }
    }
}

/* Fingers do not press a cube that lies on the table into it: joints give way where their ends are below its top, and
 * nearer to that than to a side. */
static void cube_stop(const EnvBase *base, Arm *arm, Cube *cube, const ArmStep *step) {
    float deep[ENV_LANES];
    int32_t any = 0;
    EACH_LANE(l) {
        float half = ARM_PARAM(base, cube_size)[l], far = 0.0f;
        for (int k = 0; k < 3; k++) {
            far += (cube->at[k][l] - arm->hand[k][l]) * (cube->at[k][l] - arm->hand[k][l]);
        }
        deep[l] = 0.0f;
        any |= (cube->at[2][l] - ARM_PARAM(base, table)[l] < 1.5f * half) & (env_sqrt(far) < 0.13f + 1.75f * half);
    }
    if (!any) {
        return;
    }
    float axes[3][3][ENV_LANES], hand[3][3][ENV_LANES];
    cube_matrix(cube->turn, axes);
    cube_matrix(arm->turn, hand);
    for (int i = 0; i < 8; i++) {
        const float side = i & 1 ? -1.0f : 1.0f, x = i & 2 ? ARM_FINGER_WIDE : -ARM_FINGER_WIDE;
        EACH_LANE(l) {
            float y = side * (arm->q[i & 1 ? ARM_JOINTS + 1 : ARM_JOINTS][l] + (i & 4 ? ARM_FINGER_THICK : 0.0f));
            float p[3], half = ARM_PARAM(base, cube_size)[l], height = 0.0f, aside = 0.0f;
            for (int k = 0; k < 3; k++) {
                p[k] = arm->hand[k][l] - cube->at[k][l];
                p[k] += hand[k][0][l] * x + hand[k][1][l] * y + hand[k][2][l] * ARM_TIP;
            }
            for (int k = 0; k < 3; k++) { /* in the cube's axes, of which one is upright */
                float along = axes[0][k][l] * p[0] + axes[1][k][l] * p[1] + axes[2][k][l] * p[2], up = axes[2][k][l];
                height = env_abs(up) > 0.9f ? along * up : height;
                aside = env_abs(up) > 0.9f ? aside : env_max(aside, env_abs(along));
            }
            int32_t stops = (cube->at[2][l] - ARM_PARAM(base, table)[l] < 1.5f * half) & (height > aside);
            deep[l] = stops ? env_max(deep[l], half - height) : deep[l];
        }
    }
    arm_lift(base, arm, step, deep);
}

/* The fingers that it presses. */
static inline void cube_rub(Arm *arm, const Cube *cube) {
    for (int i = 0; i < ARM_FINGERS; i++) {
        EACH_LANE(l) {
            arm->rub[i][l] = cube->squeeze[i][l] >= CUBE_GRASP ? 1.0f : arm->rub[i][l];
        }
    }
}

/* Arm, fingers and cube go through one part together. */
static inline void cube_swing(const EnvBase *base, Arm *arm, Cube *cube, ArmStep *step) {
    float before[3][ENV_LANES], before_turn[4][ENV_LANES];
    int32_t touched[ENV_LANES] = {0};
    CubeSystem bare, system, found;
    memcpy(before, arm->hand, sizeof before);
    memcpy(before_turn, arm->turn, sizeof before_turn);
    if (step->part == 0) {
        cube_push(base, arm, cube);
    }
    cube_load(base, cube, step);
    arm_swing(base, arm, step);
    if (!CUBE_IS_LONG) {
        cube_stop(base, arm, cube, step);
    }
    cube_begin(base, arm, cube, step, before, before_turn, &bare);
    cube_drive(base, arm, step, 6, bare.a, bare.b);
    system = bare;
    cube_on_table(base, cube, step, &system);
    const int apart = !cube_in_hand(base, arm, step, &system), any = cube_touched(&system, touched);
    found = system;
    cube_solve(&found, apart);
    for (int pass = 1; pass < CUBE_PASSES && any; pass++) {
        cube_again(base, arm, cube, step, pass, touched, found.b, found.b + 6, &bare, &system);
        found = system;
        cube_solve(&found, 0);
    }
    cube_squeeze(base, arm, cube, step, &found);
    cube_rub(arm, cube);
    cube_move_fingers(arm, step, found.b + 6);
    cube_move(base, cube, step, &found);
}

/* On the table at x, y, turned by yaw. */
static inline void cube_reset(const EnvBase *base, Cube *cube, int l, float x, float y, float yaw) {
    cube->at[0][l] = x;
    cube->at[1][l] = y;
    cube->at[2][l] = ARM_PARAM(base, table)[l] + ARM_PARAM(base, cube_size)[l];
    for (int k = 0; k < 3; k++) {
        cube->v[k][l] = cube->spin[k][l] = 0.0f;
    }
    cube->turn[0][l] = env_cos(0.5f * yaw);
    cube->turn[1][l] = cube->turn[2][l] = 0.0f;
    cube->turn[3][l] = env_sin(0.5f * yaw);
    cube->squeeze[0][l] = cube->squeeze[1][l] = 0.0f;
}

/* Whether it has left the table, or rests where the arm does not reach, or has been pressed into the table as no hand
 * could, or is as fast as only broken numbers are (cube_move makes a NaN its bound). */
static inline int32_t cube_lost(const EnvBase *base, const Cube *cube, int l) {
    float x = cube->at[0][l], y = cube->at[1][l], z = cube->at[2][l] - ARM_PARAM(base, table)[l];
    float half = ARM_PARAM(base, cube_size)[l], reach = CUBE_REACH + half * CUBE_LONG(base, l);
    float ahead = x - ARM_BASE_X - ARM_PARAM(base, base_x)[l], aside = y - ARM_PARAM(base, base_y)[l];
    float speed = 0.0f, spin = 0.0f;
    for (int k = 0; k < 3; k++) {
        speed = env_max(speed, env_abs(cube->v[k][l]));
        spin = env_max(spin, env_abs(cube->spin[k][l]));
    }
    int32_t there = (x > -1.0f) & (x < 1.0f) & (y > -1.0f) & (y < 1.0f) & (z > 0.7f * half) & (z < 2.0f);
    int32_t works = (speed < CUBE_SPEED) & (spin < CUBE_SPIN);
    int32_t near = (ahead * ahead + aside * aside < reach * reach) | (speed > CUBE_REST);
    return !(there & works & near);
}

/* How a hand that looks down must be turned to grasp it, from how it is turned: by an eighth at most. */
static inline float cube_yaw(const Arm *arm, const Cube *cube, int l) {
    float w = cube->turn[0][l], x = cube->turn[1][l], y = cube->turn[2][l], z = cube->turn[3][l];
    float hand = 2.0f * env_atan2(arm->turn[2][l], arm->turn[1][l]), quarter = 0.5f * ENV_PI;
    float off = env_atan2(2.0f * (w * z + x * y), 1.0f - 2.0f * (y * y + z * z)) - hand;
    return hand + (cube_held(cube, l) ? 0.0f : off - quarter * env_nearest(off / quarter));
}

/* Where it is and how it is turned, w, x, y, z. */
static inline void cube_see(const Cube *cube, int l, float pose[7]) {
    for (int k = 0; k < 3; k++) {
        pose[k] = cube->at[k][l];
    }
    for (int k = 0; k < 4; k++) {
        pose[3 + k] = cube->turn[k][l];
    }
}

static inline void cube_draw(const EnvBase *base, const Cube *cube, int lane, uint32_t color, uint32_t id,
                             EnvList *list) {
    const float half = ARM_PARAM(base, cube_size)[lane];
    float pose[7];
    cube_see(cube, lane, pose);
    env_box3(list, pose, (const float[]){half, half, half}, pose + 3, color);
    env_id(list, id);
}

#define CUBE_FIELDS(name)                                                                                              \
    {name "_x", -3.0f, 3.0f}, {name "_y", -3.0f, 3.0f}, {name "_z", -3.0f, 3.0f}, {name "_qw", -1.01f, 1.01f},         \
        {name "_qx", -1.01f, 1.01f}, {name "_qy", -1.01f, 1.01f}, {name "_qz", -1.01f, 1.01f}
#endif

/* cube.h: a cube between the fingers, on the table, or in the air.
 *
 * Contacts are stiff springs with friction, and each part of a step solves the cube's six speeds and the two fingers'
 * together, as they are at its end (backward Euler), so that no stiffness is too much. The hand moves as its joints do
 * and does not feel the cube; a finger does. Friction resists sliding by up to mu times the normal force, which is that
 * of the part's beginning, so that a system is linear. How fast it slides, and whether it touches at all, is said by
 * the speeds at the beginning, and where the hand touches the cube twice more (cube_again). What touches: the cube's
 * eight corners the table; the cube 8 points of each finger and 3 of the hand. Everything is reckoned in the cube's own
 * axes, where the sides' normals are axes; inertia is alike about all. */
#ifndef MINNOW_ENV_ARM_CUBE_H
#define MINNOW_ENV_ARM_CUBE_H
#include "arm.h"

/* A body longer than wide: its length over its width, along its x; the parameters of a cube are then those of its
 * width.
 */
#ifndef CUBE_LONG
#define CUBE_LONG(base, l) 1.0f
#define CUBE_IS_LONG 0
#else
#define CUBE_IS_LONG 1
#endif

typedef struct Cube {
    float at[3][ENV_LANES], turn[4][ENV_LANES]; /* its middle */
    float v[3][ENV_LANES], spin[3][ENV_LANES];  /* m/s; rad/s, in the world's axes */
    float squeeze[ARM_FINGERS][ENV_LANES];      /* N: by which each finger is pressed open */
} Cube;

#define CUBE_SPEED 10.0f /* m/s, and CUBE_SPIN rad/s: nothing that works is faster */
#define CUBE_SPIN 100.0f
#define CUBE_REACH 0.95f   /* m from the base: fingertips get 0.89 m far along the table */
#define CUBE_REST 0.01f    /* m/s: a slower cube will come no nearer */
#define CUBE_GRASP 0.5f    /* N: a finger that holds is pressed by so much */
#define CUBE_DAMPING 10.0f /* N s/m of a contact */
#define CUBE_BOUNCE 0.2f   /* m/s: slower ones do not bounce */
#define CUBE_PASSES 3      /* so often it is said what touches */
#define CUBE_CORNERS 8

/* The unknowns: speed, spin times half the edge, both in the cube's axes, and the fingers' speeds. */
typedef struct CubeSystem {
    float a[8][ARM_MOST_UNKNOWNS][ENV_LANES], b[8][ENV_LANES];
    float axes[3][3][ENV_LANES];                     /* rows: the world's x, y, z in the cube's axes */
    float v[3][ENV_LANES], w[3][ENV_LANES];          /* at the beginning */
    float by_v[3][ENV_LANES], by_w[3][ENV_LANES];    /* by which it is said what touches, and how it slides */
    float fall[ENV_LANES];                           /* m/s: which gravity will add to those */
    float hand[3][3][ENV_LANES], from[3][ENV_LANES]; /* columns: the hand's axes; from the cube to the hand */
    float hand_v[3][ENV_LANES], hand_w[3][ENV_LANES];
    uint32_t touch[ENV_LANES]; /* what touches, or shall in any case: corners on the table, then points of the hand */
} CubeSystem;

/* A point of the hand, in its frame. side: 1 and -1 are fingers, whose y counts from its inner face; 0: the palm. */
typedef struct CubePoint {
    float side, x, y, z;
} CubePoint;

#define CUBE_FINGER(side)                                                                                              \
    {side, -ARM_FINGER_WIDE, 0.0f, 0.0948f}, {side, 0.0f, 0.0f, 0.0948f}, {side, ARM_FINGER_WIDE, 0.0f, 0.0948f},      \
        {side, -ARM_FINGER_WIDE, 0.0f, ARM_TIP}, {side, 0.0f, 0.0f, ARM_TIP}, {side, ARM_FINGER_WIDE, 0.0f, ARM_TIP},  \
        {side, -ARM_FINGER_WIDE, ARM_FINGER_THICK, ARM_TIP}, {                                                         \
        side, ARM_FINGER_WIDE, ARM_FINGER_THICK, ARM_TIP                                                               \
    }
static const CubePoint cube_point[] = {
    CUBE_FINGER(1.0f),           CUBE_FINGER(-1.0f),           {0.0f, 0.0f, -0.02f, 0.0584f},
    {0.0f, 0.0f, 0.0f, 0.0584f}, {0.0f, 0.0f, 0.02f, 0.0584f},
};

/* m [3][3] = the matrix of a unit quaternion. */
static inline void cube_matrix(float turn[4][ENV_LANES], float m[3][3][ENV_LANES]) {
    EACH_LANE(l) {
        float w = turn[0][l], x = turn[1][l], y = turn[2][l], z = turn[3][l];
        m[0][0][l] = 1.0f - 2.0f * (y * y + z * z);
        m[0][1][l] = 2.0f * (x * y - w * z);
        m[0][2][l] = 2.0f * (x * z + w * y);
        m[1][0][l] = 2.0f * (x * y + w * z);
        m[1][1][l] = 1.0f - 2.0f * (x * x + z * z);
        m[1][2][l] = 2.0f * (y * z - w * x);
        m[2][0][l] = 2.0f * (x * z - w * y);
        m[2][1][l] = 2.0f * (y * z + w * x);
        m[2][2][l] = 1.0f - 2.0f * (x * x + y * y);
    }
}

/* to = m^T from: a world vector in the cube's axes. */
static inline void cube_inwards(float m[3][3][ENV_LANES], float from[3][ENV_LANES], float to[3][ENV_LANES]) {
    for (int k = 0; k < 3; k++) {
        EACH_LANE(l) {
            to[k][l] = m[0][k][l] * from[0][l] + m[1][k][l] * from[1][l] + m[2][k][l] * from[2][l];
        }
    }
}

/* to = m from. */
static inline void cube_outwards(float m[3][3][ENV_LANES], float from[3][ENV_LANES], float to[3][ENV_LANES]) {
    for (int k = 0; k < 3; k++) {
        EACH_LANE(l) {
            to[k][l] = m[k][0][l] * from[0][l] + m[k][1][l] * from[1][l] + m[k][2][l] * from[2][l];
        }
    }
}

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

/* m: what is nearer than that at a part's end touches. Far for what shall touch in any case. */
static inline float cube_keeps(const CubeSystem *s, int bit, int l) {
    return s->touch[l] >> bit & 1u ? 1e3f : 0.0f;
}

/* The table under the eight corners. */
ARM_APART static void cube_on_table(const EnvBase *restrict base, const Cube *restrict cube,
                                    const ArmStep *restrict step, CubeSystem *restrict s) {
    float keep[ENV_LANES], meets[ENV_LANES];
    float reach[ENV_LANES]; /* m: a corner that is higher than that does not touch in this part */
    EACH_LANE(l) {
        float v = env_abs(s->by_v[0][l]) + env_abs(s->by_v[1][l]) + env_abs(s->by_v[2][l]), t = step->time[l];
        float w = env_abs(s->by_w[0][l]) + env_abs(s->by_w[1][l]) + env_abs(s->by_w[2][l]);
        reach[l] = 1.001f * t * (v + 2.0f * CUBE_LONG(base, l) * w + t * ARM_PARAM(base, gravity)[l]);
    }
    for (int corner = 0; corner < CUBE_CORNERS; corner++) {
        const float end = corner & 1 ? 1.0f : -1.0f, y = corner & 2 ? 1.0f : -1.0f, z = corner & 4 ? 1.0f : -1.0f;
        int32_t any = 0;
        EACH_LANE(l) {
            float up = end * CUBE_LONG(base, l) * s->axes[2][0][l] + y * s->axes[2][1][l] + z * s->axes[2][2][l];
            float gap = cube->at[2][l] - ARM_PARAM(base, table)[l] + ARM_PARAM(base, cube_size)[l] * up;
            keep[l] = cube_keeps(s, corner, l);
            any |= !(gap >= reach[l] + keep[l]);
        }
        if (!any) {
            continue;
        }
        EACH_LANE(l) {
            const float x = end * CUBE_LONG(base, l);
            float t = step->time[l], k = ARM_PARAM(base, hardness)[l], half = ARM_PARAM(base, cube_size)[l];
            float n0 = s->axes[2][0][l], n1 = s->axes[2][1][l], n2 = s->axes[2][2][l];
            float m0 = y * n2 - z * n1, m1 = z * n0 - x * n2, m2 = x * n1 - y * n0; /* the normal's moment */
            float gap = cube->at[2][l] - ARM_PARAM(base, table)[l] + half * (x * n0 + y * n1 + z * n2);
            float v0 = s->by_v[0][l] + (s->by_w[1][l] * z - s->by_w[2][l] * y);
            float v1 = s->by_v[1][l] + (s->by_w[2][l] * x - s->by_w[0][l] * z);
            float v2 = s->by_v[2][l] + (s->by_w[0][l] * y - s->by_w[1][l] * x);
            float vn = v0 * n0 + v1 * n1 + v2 * n2, slide = env_sqrt(v0 * v0 + v1 * v1 + v2 * v2 - vn * vn);
            float touches = t * (float)(gap + t * (vn - s->fall[l]) < keep[l]);
            float mu = 0.5f * (ARM_PARAM(base, table_friction)[l] + ARM_PARAM(base, cube_friction)[l]);
            float ct = touches * mu * k * env_max(-gap, 0.0f) / (slide + ARM_PARAM(base, creep)[l]);
            float cn = touches * (t * k + CUBE_DAMPING);
            float bounce = ARM_PARAM(base, restitution)[l] * env_max(-vn - CUBE_BOUNCE, 0.0f);
            float push = cn * bounce - touches * k * gap;
            cn -= ct;
            s->a[0][0][l] += ct + cn * n0 * n0;
            s->a[1][0][l] += cn * n1 * n0;
            s->a[1][1][l] += ct + cn * n1 * n1;
            s->a[2][0][l] += cn * n2 * n0;
            s->a[2][1][l] += cn * n2 * n1;
            s->a[2][2][l] += ct + cn * n2 * n2;
            s->a[3][0][l] += cn * m0 * n0;
            s->a[3][1][l] += cn * m0 * n1 - ct * z;
            s->a[3][2][l] += cn * m0 * n2 + ct * y;
            s->a[4][0][l] += cn * m1 * n0 + ct * z;
            s->a[4][1][l] += cn * m1 * n1;
            s->a[4][2][l] += cn * m1 * n2 - ct * x;
            s->a[5][0][l] += cn * m2 * n0 - ct * y;
            s->a[5][1][l] += cn * m2 * n1 + ct * x;
            s->a[5][2][l] += cn * m2 * n2;
            s->a[3][3][l] += 2.0f * ct + cn * m0 * m0;
            s->a[4][3][l] += cn * m1 * m0 - ct * (x * y);
            s->a[4][4][l] += (x * x + 1.0f) * ct + cn * m1 * m1;
            s->a[5][3][l] += cn * m2 * m0 - ct * (x * z);
            s->a[5][4][l] += cn * m2 * m1 - ct * (y * z);
            s->a[5][5][l] += (x * x + 1.0f) * ct + cn * m2 * m2;
            s->b[0][l] += push * n0;
            s->b[1][l] += push * n1;
            s->b[2][l] += push * n2;
            s->b[3][l] += push * m0;
            s->b[4][l] += push * m1;
            s->b[5][l] += push * m2;
            meets[l] = touches;
        }
        EACH_LANE(l) {
            s->touch[l] |= meets[l] > 0.0f ? 1u << corner : 0u;
        }
    }
}

/* One of the hand's points, against the cube. Vectors in the cube's axes. */
typedef struct CubeTouch {
    float at[3][ENV_LANES];    /* from the cube's middle */
    float speed[3][ENV_LANES]; /* the hand's there, without the finger's */
    float along[3][ENV_LANES]; /* what the cube's speed seems when the finger opens by 1 m/s */
    float side[3][ENV_LANES];  /* 1 for the axis of the side that it is nearest to, or least deep below */
    float gap[ENV_LANES];      /* from that side; negative: inside */
    float c[3][ENV_LANES];     /* impulse against a speed along each axis */
    float push[3][ENV_LANES];  /* impulse on a cube at rest */
    float keep[ENV_LANES];     /* as of cube_keeps */
} CubeTouch;

static void cube_find(const Arm *arm, const CubeSystem *s, CubePoint point, CubeTouch *touch) {
    const float lead = point.side < 0.0f ? -point.y : point.y;
    const float *open = arm->q[point.side < 0.0f ? ARM_JOINTS + 1 : ARM_JOINTS];
    EACH_LANE(l) {
        float out = lead + point.side * open[l];
        float x = s->hand[0][0][l] * point.x + s->hand[0][1][l] * out + s->hand[0][2][l] * point.z;
        float y = s->hand[1][0][l] * point.x + s->hand[1][1][l] * out + s->hand[1][2][l] * point.z;
        float z = s->hand[2][0][l] * point.x + s->hand[2][1][l] * out + s->hand[2][2][l] * point.z;
        touch->at[0][l] = s->from[0][l] + x;
        touch->at[1][l] = s->from[1][l] + y;
        touch->at[2][l] = s->from[2][l] + z;
        touch->speed[0][l] = s->hand_v[0][l] + (s->hand_w[1][l] * z - s->hand_w[2][l] * y);
        touch->speed[1][l] = s->hand_v[1][l] + (s->hand_w[2][l] * x - s->hand_w[0][l] * z);
        touch->speed[2][l] = s->hand_v[2][l] + (s->hand_w[0][l] * y - s->hand_w[1][l] * x);
        touch->along[0][l] = -point.side * s->hand[0][1][l];
        touch->along[1][l] = -point.side * s->hand[1][1][l];
        touch->along[2][l] = -point.side * s->hand[2][1][l];
    }
}

static void cube_choose(const EnvBase *base, CubeTouch *touch) {
    EACH_LANE(l) {
        float half = ARM_PARAM(base, cube_size)[l];
        float x = env_abs(touch->at[0][l]), y = env_abs(touch->at[1][l]), z = env_abs(touch->at[2][l]);
        x -= CUBE_IS_LONG ? half * (CUBE_LONG(base, l) - 1.0f) : 0.0f;
        float first = (float)((x >= y) & (x >= z)), second = (float)((y > x) & (y >= z));
        touch->side[0][l] = first;
        touch->side[1][l] = second;
        touch->side[2][l] = 1.0f - first - second;
        touch->gap[l] = env_max(env_max(x, y), z) - half;
    }
}

/* open: the finger's speed; friction: of the other surface. */
ARM_APART static void cube_press(const EnvBase *restrict base, const float *restrict open,
                                 const float *restrict friction, const ArmStep *restrict step,
                                 const CubeSystem *restrict s, CubeTouch *restrict touch) {
    EACH_LANE(l) {
        float t = step->time[l], k = ARM_PARAM(base, hardness)[l], half = ARM_PARAM(base, cube_size)[l];
        float gap = touch->gap[l], x = touch->at[0][l] / half, y = touch->at[1][l] / half, z = touch->at[2][l] / half;
        /* from the hand into the cube, at full length since the point lies by that side */
        float n0 = -touch->side[0][l] * __builtin_copysignf(1.0f, x);
        float n1 = -touch->side[1][l] * __builtin_copysignf(1.0f, y);
        float n2 = -touch->side[2][l] * __builtin_copysignf(1.0f, z);
        float v0 =
            s->by_v[0][l] + (s->by_w[1][l] * z - s->by_w[2][l] * y) - touch->speed[0][l] + touch->along[0][l] * open[l];
        float v1 =
            s->by_v[1][l] + (s->by_w[2][l] * x - s->by_w[0][l] * z) - touch->speed[1][l] + touch->along[1][l] * open[l];
        float v2 =
            s->by_v[2][l] + (s->by_w[0][l] * y - s->by_w[1][l] * x) - touch->speed[2][l] + touch->along[2][l] * open[l];
        float vn = v0 * n0 + v1 * n1 + v2 * n2, slide = env_sqrt(v0 * v0 + v1 * v1 + v2 * v2 - vn * vn);
        float touches = t * (float)(gap + t * vn < touch->keep[l]);
        float mu = 0.5f * (friction[l] + ARM_PARAM(base, cube_friction)[l]);
        float ct = touches * mu * k * env_max(-gap, 0.0f) / (slide + ARM_PARAM(base, creep)[l]);
        float cn = touches * (t * k + CUBE_DAMPING) - ct, push = -touches * k * gap;
        touch->c[0][l] = ct + cn * touch->side[0][l];
        touch->c[1][l] = ct + cn * touch->side[1][l];
        touch->c[2][l] = ct + cn * touch->side[2][l];
        touch->push[0][l] = touch->c[0][l] * touch->speed[0][l] + push * n0;
        touch->push[1][l] = touch->c[1][l] * touch->speed[1][l] + push * n1;
        touch->push[2][l] = touch->c[2][l] * touch->speed[2][l] + push * n2;
        touch->at[0][l] = x;
        touch->at[1][l] = y;
        touch->at[2][l] = z;
    }
}

/* Adds a contact to the system. */
static inline void cube_add(const CubeTouch *touch, CubeSystem *s, const int finger) {
    EACH_LANE(l) {
        float x = touch->at[0][l], y = touch->at[1][l], z = touch->at[2][l];
        float c0 = touch->c[0][l], c1 = touch->c[1][l], c2 = touch->c[2][l];
        s->a[0][0][l] += c0;
        s->a[1][1][l] += c1;
        s->a[2][2][l] += c2;
        s->a[3][1][l] -= c1 * z;
        s->a[3][2][l] += c2 * y;
        s->a[4][0][l] += c0 * z;
        s->a[4][2][l] -= c2 * x;
        s->a[5][0][l] -= c0 * y;
        s->a[5][1][l] += c1 * x;
        s->a[3][3][l] += c1 * z * z + c2 * y * y;
        s->a[4][4][l] += c0 * z * z + c2 * x * x;
        s->a[5][5][l] += c0 * y * y + c1 * x * x;
        s->a[4][3][l] -= c2 * x * y;
        s->a[5][3][l] -= c1 * x * z;
        s->a[5][4][l] -= c0 * y * z;
    }
    EACH_LANE(l) {
        float x = touch->at[0][l], y = touch->at[1][l], z = touch->at[2][l];
        float p0 = touch->push[0][l], p1 = touch->push[1][l], p2 = touch->push[2][l];
        float h0 = touch->along[0][l], h1 = touch->along[1][l], h2 = touch->along[2][l];
        float g0 = h0 * touch->c[0][l], g1 = h1 * touch->c[1][l], g2 = h2 * touch->c[2][l];
        s->b[0][l] += p0;
        s->b[1][l] += p1;
        s->b[2][l] += p2;
        s->b[3][l] += y * p2 - z * p1;
        s->b[4][l] += z * p0 - x * p2;
        s->b[5][l] += x * p1 - y * p0;
        float (*f)[ENV_LANES] = s->a[6 + finger];
        f[0][l] += g0;
        f[1][l] += g1;
        f[2][l] += g2;
        f[3][l] += y * g2 - z * g1;
        f[4][l] += z * g0 - x * g2;
        f[5][l] += x * g1 - y * g0;
        s->a[6 + finger][6 + finger][l] += g0 * h0 + g1 * h1 + g2 * h2;
        s->b[6 + finger][l] += p0 * h0 + p1 * h1 + p2 * h2;
    }
}

/* Whether any lane's cube can touch the hand in this part: within 0.125 m of its frame all points lie. */
static int32_t cube_near(const EnvBase *base, const Arm *arm, const ArmStep *step, const CubeSystem *s) {
    int32_t any = 0;
    EACH_LANE(l) {
        float far = 0.0f, speed = env_max(env_abs(arm->v[ARM_JOINTS][l]), env_abs(arm->v[ARM_JOINTS + 1][l]));
        for (int k = 0; k < 3; k++) {
            far += s->from[k][l] * s->from[k][l];
            speed += env_abs(s->by_v[k][l]) + 8.0f * env_abs(s->by_w[k][l]); /* of a point at that distance */
            speed += env_abs(s->hand_v[k][l]) + 0.125f * env_abs(s->hand_w[k][l]);
        }
        any |= env_sqrt(far) - 0.13f <
               (0.75f + CUBE_LONG(base, l)) * (ARM_PARAM(base, cube_size)[l] + step->time[l] * speed);
        any |= s->touch[l] >> CUBE_CORNERS != 0u;
    }
    return any;
}

/* Whether a point can touch in this part, in any lane: what is further away than it can come contributes nothing. */
static inline int32_t cube_meets(const EnvBase *base, const float open[ENV_LANES], const ArmStep *step,
                                 const CubeSystem *s, const CubeTouch *touch) {
    int32_t any = 0;
    EACH_LANE(l) {
        float lever = CUBE_LONG(base, l) + env_max(touch->gap[l], 0.0f) / ARM_PARAM(base, cube_size)[l];
        float v = env_abs(s->by_v[0][l]) + env_abs(s->by_v[1][l]) + env_abs(s->by_v[2][l]) + env_abs(open[l]);
        float w = env_abs(s->by_w[0][l]) + env_abs(s->by_w[1][l]) + env_abs(s->by_w[2][l]);
        float hand = env_abs(touch->speed[0][l]) + env_abs(touch->speed[1][l]) + env_abs(touch->speed[2][l]);
        any |= !(touch->gap[l] >= 1.001f * step->time[l] * (v + lever * w + hand) + touch->keep[l]);
    }
    return any;
}

/* Fingers and palm. Returns whether any of their points may touch. */
static int32_t cube_in_hand(const EnvBase *base, const Arm *arm, const ArmStep *step, CubeSystem *s) {
    CubeTouch touch;
    int32_t any = 0;
    if (!cube_near(base, arm, step, s)) {
        return 0;
    }
    for (int i = 0; i < (int)(sizeof cube_point / sizeof *cube_point); i++) {
        const int finger = cube_point[i].side < 0.0f; /* the palm's points leave the finger's speed alone */
        cube_find(arm, s, cube_point[i], &touch);
        cube_choose(base, &touch);
        EACH_LANE(l) {
            touch.keep[l] = cube_keeps(s, CUBE_CORNERS + i, l);
        }
        if (!cube_meets(base, arm->v[ARM_JOINTS + finger], step, s, &touch)) {
            continue;
        }
        any = 1;
        cube_press(base, arm->v[ARM_JOINTS + finger], ARM_PARAM(base, finger_friction), step, s, &touch);
        EACH_LANE(l) {
            s->touch[l] |= (uint32_t)(touch.c[0][l] + touch.c[1][l] + touch.c[2][l] > 0.0f) << (CUBE_CORNERS + i);
        }
        if (finger) { /* as a constant, for the sake of SIMD */
            cube_add(&touch, s, 1);
        } else {
            cube_add(&touch, s, 0);
        }
    }
    return any;
}

/* Which lanes' cubes the hand touches, added to `lanes`; returns whether any does. */
static inline int32_t cube_touched(const CubeSystem *s, int32_t lanes[ENV_LANES]) {
    int32_t any = 0;
    EACH_LANE(l) {
        lanes[l] |= s->touch[l] >> CUBE_CORNERS ? 1 : 0;
        any |= lanes[l];
    }
    return any;
}

/* Says again what touches, and how it slides, in `lanes`, whose cubes the hand touches: by the speeds, of cube [6] and
 * fingers [2], to which what touched so far had led. So a finger that the hand draws off the cube, and whose drive
 * brings it back within the part, does not go into it, and a cube that the hand lifts does not stick to the table. What
 * is let go of may be needed once something else touches, so the last pass only adds. bare: the system without
 * contacts; s takes the new ones. */
static void cube_again(const EnvBase *base, const Arm *arm, const Cube *cube, const ArmStep *step, int pass,
                       const int32_t lanes[ENV_LANES], float (*speeds)[ENV_LANES], float (*fingers)[ENV_LANES],
                       const CubeSystem *bare, CubeSystem *s) {
    CubeSystem again = *bare;
    Arm moved = *arm;
    memcpy(moved.v[ARM_JOINTS], fingers, ARM_FINGERS * sizeof *fingers);
    memcpy(again.by_v, speeds, sizeof again.by_v);
    memcpy(again.by_w, speeds + 3, sizeof again.by_w);
    memset(again.fall, 0, sizeof again.fall);
    if (pass == CUBE_PASSES - 1) {
        memcpy(again.touch, s->touch, sizeof again.touch);
    }
    cube_on_table(base, cube, step, &again);
    cube_in_hand(base, &moved, step, &again);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j <= i; j++) {
            EACH_LANE(l) {
                s->a[i][j][l] = lanes[l] ? again.a[i][j][l] : s->a[i][j][l];
            }
        }
        EACH_LANE(l) {
            s->b[i][l] = lanes[l] ? again.b[i][l] : s->b[i][l];
        }
    }
    EACH_LANE(l) {
        s->touch[l] = lanes[l] ? again.touch[l] : s->touch[l];
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
    CubeSystem system, found, bare;
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
    cube_begin(base, arm, cube, step, before, before_turn, &system);
    cube_drive(base, arm, step, 6, system.a, system.b);
    cube_on_table(base, cube, step, &system);
    const int apart = !cube_in_hand(base, arm, step, &system);
    if (cube_touched(&system, touched)) {
        found = system;
        cube_solve(&found, 0);
        cube_begin(base, arm, cube, step, before, before_turn, &bare);
        cube_drive(base, arm, step, 6, bare.a, bare.b);
        for (int pass = 1; pass < CUBE_PASSES; pass++) {
            cube_again(base, arm, cube, step, pass, touched, found.b, found.b + 6, &bare, &system);
            found = system;
            cube_solve(&found, 0);
        }
        memcpy(system.b, found.b, sizeof system.b);
    } else {
        cube_solve(&system, apart);
    }
    cube_squeeze(base, arm, cube, step, &system);
    cube_rub(arm, cube);
    cube_move_fingers(arm, step, system.b + 6);
    cube_move(base, cube, step, &system);
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

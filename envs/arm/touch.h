/* touch.h: what a cube touches: its eight corners the table, the cube 8 points of each finger and 3 of the hand.
 *
 * Contacts are stiff springs with friction, and each part of a step solves the cube's six speeds and the two fingers'
 * together, as they are at its end (backward Euler), so that no stiffness is too much. The hand moves as its joints do
 * and does not feel the cube; a finger does. Friction resists sliding by up to mu times the normal force, which is that
 * of the part's beginning, so that a system is linear. How fast it slides, and whether it touches at all, is said by
 * the speeds at the beginning, and where the hand touches the cube twice more (cube_again). Everything is reckoned in
 * the cube's own axes, where the sides' normals are axes; inertia is alike about all. */
#ifndef MINNOW_ENV_ARM_TOUCH_H
#define MINNOW_ENV_ARM_TOUCH_H
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
#endif

/* pair.h: two cubes of one size that touch each other. Their twelve speeds and the fingers' two are solved together,
 * one linear system of fourteen. What touches: of the side of each cube that faces the other, the corners and four
 * points between them and the middle, which stay inside the other's side however the one is turned upon it; edges that
 * cross elsewhere pass each other. A task defines ARM_UNKNOWNS as 14 first. */
#ifndef MINNOW_ENV_ARM_PAIR_H
#define MINNOW_ENV_ARM_PAIR_H
#include "cube.h"

enum { PAIR_UNKNOWNS = 14, PAIR_FINGERS = 12 };
#define PAIR_INNER 0.7f /* of half an edge */

typedef struct PairSystem {
    float a[PAIR_UNKNOWNS][ARM_MOST_UNKNOWNS][ENV_LANES], b[PAIR_UNKNOWNS][ENV_LANES];
} PairSystem;

/* Puts a cube's system into the common one. */
static void pair_take(const CubeSystem *one, int cube, PairSystem *all) {
    for (int i = 0; i < 8; i++) {
        const int row = i < 6 ? 6 * cube + i : PAIR_FINGERS - 6 + i;
        for (int j = 0; j <= i; j++) {
            const int column = j < 6 ? 6 * cube + j : PAIR_FINGERS - 6 + j;
            EACH_LANE(l) {
                all->a[row][column][l] += one->a[i][j][l];
            }
        }
        EACH_LANE(l) {
            all->b[row][l] += one->b[i][l];
        }
    }
}

/* Whether the cubes of any lane can touch in this part: along the line between their middles. */
static int32_t pair_near(const EnvBase *base, Cube cube[2], const ArmStep *step, const CubeSystem one[2]) {
    int32_t any = 0;
    EACH_LANE(l) {
        float off[3], half = ARM_PARAM(base, cube_size)[l], speed = 0.0f, wide = 0.0f;
        for (int k = 0; k < 3; k++) {
            off[k] = cube[1].at[k][l] - cube[0].at[k][l];
            speed += env_abs(cube[0].v[k][l]) + env_abs(cube[1].v[k][l]);
            speed += 2.0f * half * (env_abs(cube[0].spin[k][l]) + env_abs(cube[1].spin[k][l]));
        }
        float far = env_sqrt(off[0] * off[0] + off[1] * off[1] + off[2] * off[2]);
        for (int i = 0; i < 2; i++) {
            for (int k = 0; k < 3; k++) {
                wide += env_abs(one[i].axes[0][k][l] * off[0] + one[i].axes[1][k][l] * off[1] +
                                one[i].axes[2][k][l] * off[2]);
            }
        }
        any |= far * (far - step->time[l] * (speed + step->time[l] * ARM_PARAM(base, gravity)[l])) < half * wide;
    }
    return any;
}

static ARM_APART void pair_solve(PairSystem *all) {
    arm_solve(PAIR_UNKNOWNS, all->a, all->b);
}

/* Contacts of points of cube `p` with the sides of cube `f`, whose axes are those that everything is reckoned in.
 * gain [12]: how the cubes' speeds change; those speeds say which points meet. */
static void pair_touch(const EnvBase *base, Cube cube[2], const ArmStep *step, const CubeSystem one[2],
                       float (*gain)[ENV_LANES], const int p, PairSystem *all) {
    const int f = 1 - p;
    const CubeSystem *from = &one[p], *to = &one[f];
    float turn[3][3][ENV_LANES], off[3][ENV_LANES], face[3][ENV_LANES], out[3][ENV_LANES];
    const float still[ENV_LANES] = {0};
    for (int k = 0; k < 3; k++) { /* from p's axes to f's; from f's middle to p's */
        for (int j = 0; j < 3; j++) {
            EACH_LANE(l) {
                turn[k][j][l] = to->axes[0][k][l] * from->axes[0][j][l] + to->axes[1][k][l] * from->axes[1][j][l] +
                                to->axes[2][k][l] * from->axes[2][j][l];
            }
        }
        EACH_LANE(l) {
            float x = cube[p].at[0][l] - cube[f].at[0][l], y = cube[p].at[1][l] - cube[f].at[1][l];
            off[k][l] = to->axes[0][k][l] * x + to->axes[1][k][l] * y +
                        to->axes[2][k][l] * (cube[p].at[2][l] - cube[f].at[2][l]);
        }
    }
    EACH_LANE(l) { /* p's side that faces f: 1 for its axis, and which of the two */
        float way[3];
        for (int k = 0; k < 3; k++) {
            way[k] = -(turn[0][k][l] * off[0][l] + turn[1][k][l] * off[1][l] + turn[2][k][l] * off[2][l]);
            out[k][l] = __builtin_copysignf(1.0f, way[k]);
        }
        float x = env_abs(way[0]), y = env_abs(way[1]), z = env_abs(way[2]);
        face[0][l] = (float)((x >= y) & (x >= z));
        face[1][l] = (float)((y > x) & (y >= z));
        face[2][l] = 1.0f - face[0][l] - face[1][l];
    }
    for (int i = 0; i < 8; i++) {
        /* of three signs with an even number of -1, any two take all four combinations */
        const float wide = i & 4 ? PAIR_INNER : 1.0f, a = i & 1 ? -wide : wide, b = i & 2 ? -wide : wide;
        const float sign[3] = {a, b, (i & 1) == (i >> 1 & 1) ? wide : -wide};
        float at[3][ENV_LANES], column[PAIR_FINGERS][3][ENV_LANES];
        CubeTouch touch;
        for (int k = 0; k < 3; k++) {
            EACH_LANE(l) {
                at[k][l] = face[k][l] * out[k][l] + (1.0f - face[k][l]) * sign[k];
            }
        }
        EACH_LANE(l) {
            float x = at[0][l], y = at[1][l], z = at[2][l];
            float v0 = from->v[0][l] + (from->w[1][l] * z - from->w[2][l] * y);
            float v1 = from->v[1][l] + (from->w[2][l] * x - from->w[0][l] * z);
            float v2 = from->v[2][l] + (from->w[0][l] * y - from->w[1][l] * x);
            for (int k = 0; k < 3; k++) {
                float r0 = turn[k][0][l], r1 = turn[k][1][l], r2 = turn[k][2][l];
                touch.at[k][l] = off[k][l] + ARM_PARAM(base, cube_size)[l] * (r0 * x + r1 * y + r2 * z);
                touch.speed[k][l] = r0 * v0 + r1 * v1 + r2 * v2;
                touch.along[k][l] = 0.0f;
                column[6 * p][k][l] = r0;
                column[6 * p + 1][k][l] = r1;
                column[6 * p + 2][k][l] = r2;
                column[6 * p + 3][k][l] = r2 * y - r1 * z;
                column[6 * p + 4][k][l] = r0 * z - r2 * x;
                column[6 * p + 5][k][l] = r1 * x - r0 * y;
            }
        }
        for (int k = 0; k < 3; k++) { /* f's part of the speed between them counts against p's */
            const int m = (k + 1) % 3, n = (k + 2) % 3;
            EACH_LANE(l) {
                const float half = ARM_PARAM(base, cube_size)[l];
                for (int j = 0; j < 3; j++) {
                    column[6 * f + j][k][l] = j == k ? -1.0f : 0.0f;
                }
                column[6 * f + 3 + k][k][l] = 0.0f;
                column[6 * f + 3 + m][k][l] = -touch.at[n][l] / half;
                column[6 * f + 3 + n][k][l] = touch.at[m][l] / half;
            }
        }
        cube_choose(base, &touch);
        for (int k = 0; k < 3; k++) { /* of these speeds the part along the side */
            EACH_LANE(l) {
                float change = 0.0f;
                for (int r = 0; r < PAIR_FINGERS; r++) {
                    change += column[r][k][l] * gain[r][l];
                }
                touch.speed[k][l] += touch.side[k][l] * change;
            }
        }
        memset(touch.keep, 0, sizeof touch.keep);
        cube_press(base, still, ARM_PARAM(base, cube_friction), step, to, &touch);
        for (int k = 0; k < 3; k++) { /* the spring's alone */
            EACH_LANE(l) {
                touch.push[k][l] -= touch.c[k][l] * touch.speed[k][l];
            }
        }
        for (int r = 0; r < PAIR_FINGERS; r++) {
            float g[3][ENV_LANES];
            EACH_LANE(l) {
                float sum = 0.0f;
                for (int k = 0; k < 3; k++) {
                    g[k][l] = column[r][k][l] * touch.c[k][l];
                    sum += column[r][k][l] * touch.push[k][l];
                }
                all->b[r][l] -= sum;
            }
            for (int j = 0; j <= r; j++) {
                EACH_LANE(l) {
                    all->a[r][j][l] +=
                        g[0][l] * column[j][0][l] + g[1][l] * column[j][1][l] + g[2][l] * column[j][2][l];
                }
            }
        }
    }
}

/* What of a finger's squeeze is this cube's: its contacts, at the new speeds. */
static void pair_squeeze(const ArmStep *step, const CubeSystem *one, const PairSystem *all, int i, Cube *cube,
                         int which) {
    EACH_LANE(l) {
        float sum = one->b[6 + i][l] - one->a[6 + i][6 + i][l] * all->b[PAIR_FINGERS + i][l];
        for (int k = 0; k < 6; k++) {
            sum -= one->a[6 + i][k][l] * all->b[6 * which + k][l];
        }
        cube->squeeze[i][l] = step->live[l] ? env_clamp(sum / step->time[l] + 0.0f, -1e3f, 1e3f) : cube->squeeze[i][l];
    }
}

/* Both cubes' systems and the fingers' drives as one. */
static void pair_join(const EnvBase *base, const Arm *arm, const ArmStep *step, const CubeSystem one[2],
                      PairSystem *all) {
    memset(all, 0, sizeof *all);
    for (int i = 0; i < 2; i++) {
        pair_take(&one[i], i, all);
    }
    cube_drive(base, arm, step, PAIR_FINGERS, all->a, all->b);
}

/* Arm, fingers and both cubes go through one part together. */
static void pair_swing(const EnvBase *base, Arm *arm, Cube cube[2], ArmStep *step) {
    float before[3][ENV_LANES], before_turn[4][ENV_LANES];
    float gain[PAIR_FINGERS][ENV_LANES];
    int32_t touched[ENV_LANES] = {0}, any = 0;
    CubeSystem bare[2], one[2];
    PairSystem all;
    memcpy(before, arm->hand, sizeof before);
    memcpy(before_turn, arm->turn, sizeof before_turn);
    if (step->part == 0) {
        cube_push(base, arm, &cube[0]);
    }
    cube_load(base, &cube[0], step); /* the other one is seldom lifted */
    arm_swing(base, arm, step);
    cube_stop(base, arm, &cube[0], step);
    cube_stop(base, arm, &cube[1], step);
    for (int i = 0; i < 2; i++) {
        cube_begin(base, arm, &cube[i], step, before, before_turn, &one[i]);
        bare[i] = one[i];
        cube_on_table(base, &cube[i], step, &one[i]);
        cube_in_hand(base, arm, step, &one[i]);
        any |= cube_touched(&one[i], touched);
    }
    pair_join(base, arm, step, one, &all);
    PairSystem found = all;
    pair_solve(&found);
    for (int pass = 1; pass < CUBE_PASSES && any; pass++) {
        for (int i = 0; i < 2; i++) {
            cube_again(base, arm, &cube[i], step, pass, touched, found.b + 6 * i, found.b + PAIR_FINGERS, &bare[i],
                       &one[i]);
        }
        pair_join(base, arm, step, one, &all);
        found = all;
        pair_solve(&found);
    }
    if (pair_near(base, cube, step, one)) {
        for (int pass = 0; pass < 2; pass++) { /* who meets is said by speeds without contacts, then by those with */
            for (int i = 0; i < PAIR_FINGERS; i++) {
                const CubeSystem *its = &one[i / 6];
                const float *first = i % 6 < 3 ? its->v[i % 6] : its->w[i % 6 - 3];
                EACH_LANE(l) {
                    gain[i][l] = found.b[i][l] - first[l];
                }
            }
            found = all;
            pair_touch(base, cube, step, one, gain, 0, &found);
            pair_touch(base, cube, step, one, gain, 1, &found);
            pair_solve(&found);
        }
    }
    for (int i = 0; i < 2; i++) {
        pair_squeeze(step, &one[i], &found, 0, &cube[i], i);
        pair_squeeze(step, &one[i], &found, 1, &cube[i], i);
        cube_rub(arm, &cube[i]);
        memcpy(one[i].b, found.b[6 * i], 6 * sizeof *one[i].b);
        cube_move(base, &cube[i], step, &one[i]);
    }
    cube_move_fingers(arm, step, found.b + PAIR_FINGERS);
}
#endif

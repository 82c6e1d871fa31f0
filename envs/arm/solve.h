/* solve.h: small systems of equations, one in each lane. */
#ifndef MINNOW_ENV_ARM_SOLVE_H
#define MINNOW_ENV_ARM_SOLVE_H
#include "../env.h"

/* Where a difference of products stands beside a sum of products, as in every turn, gcc 12 fuses both in straight-line
 * code (vfmaddsub), whatever -ffp-contract says. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-slp-vectorize")
#endif

/* Lanes do not depend on each other, which compilers cannot see where arrays may overlap; and gcc is to make vectors of
 * them before it thinks of writing their loops out. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* some loops cannot become vectors */
#define ARM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define ARM_INDEPENDENT _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#else
#define ARM_INDEPENDENT
#endif
#define EACH_LANE(l) ARM_INDEPENDENT for (int l = 0; l < ENV_LANES; l++)

#ifndef ARM_UNKNOWNS /* of the largest system that a task solves */
#define ARM_UNKNOWNS 8
#endif
enum { ARM_MOST_UNKNOWNS = ARM_UNKNOWNS };

/* Of a loop over joints, each of which the compiler is to see with its own constants. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE_SIZE__)
#define ARM_KNOWN _Pragma("GCC unroll 8")
#else
#define ARM_KNOWN
#endif

/* Of functions whose loops are unrolled where n is known. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define ARM_UNROLLED __attribute__((always_inline))
#define ARM_APART __attribute__((noinline))
#else
#define ARM_UNROLLED
#define ARM_APART
#endif

/* Factors a symmetric, positive definite a [n][n], of which the lower half is read, as L D L^T. L and D take the lower
 * half's place, L D the upper half's. */
static inline ARM_UNROLLED void arm_factor(int n, float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES]) {
    for (int j = 0; j < n; j++) {
        for (int i = j + 1; i < n; i++) {
            float share[ENV_LANES];
            EACH_LANE(l) {
                share[l] = a[i][j][l] / a[j][j][l];
                a[j][i][l] = a[i][j][l];
                a[i][j][l] = share[l];
            }
            for (int k = j + 1; k <= i; k++) {
                EACH_LANE(l) {
                    a[i][k][l] -= share[l] * a[j][k][l];
                }
            }
        }
    }
}

/* b becomes the x of a x = b, for a factored a. */
static inline ARM_UNROLLED void arm_back(int n, float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES], float (*b)[ENV_LANES]) {
    for (int j = 0; j < n; j++) {
        for (int i = j + 1; i < n; i++) {
            EACH_LANE(l) {
                b[i][l] -= a[i][j][l] * b[j][l];
            }
        }
    }
    for (int j = n - 1; j >= 0; j--) {
        float sum[ENV_LANES];
        EACH_LANE(l) {
            sum[l] = b[j][l] / a[j][j][l];
        }
        for (int i = j + 1; i < n; i++) {
            EACH_LANE(l) {
                sum[l] -= a[i][j][l] * b[i][l];
            }
        }
        memcpy(b[j], sum, sizeof sum);
    }
}

/* Both. */
static inline ARM_UNROLLED void arm_solve(int n, float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES], float (*b)[ENV_LANES]) {
    arm_factor(n, a);
    arm_back(n, a, b);
}
#endif

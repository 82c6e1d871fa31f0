/* solve.h: small systems of equations, one in each lane. */
#ifndef MINNOW_ENV_ARM_SOLVE_H
#define MINNOW_ENV_ARM_SOLVE_H
#include "arm.h"

enum { ARM_MOST_UNKNOWNS = 8 };

/* Solves a [n][n] x = b for a symmetric, positive definite a, of which the lower half is read; a and b are
 * overwritten, b by x. By L D L^T. */
static inline void arm_solve(int n, float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES], float (*b)[ENV_LANES]) {
    for (int j = 0; j < n; j++) {
        for (int i = j + 1; i < n; i++) { /* a[j][i], of the upper half, keeps l d */
            float share[ENV_LANES];
            EACH_LANE(l) {
                share[l] = a[i][j][l] / a[j][j][l];
                a[j][i][l] = a[i][j][l];
                a[i][j][l] = share[l];
                b[i][l] -= share[l] * b[j][l];
            }
            for (int k = j + 1; k <= i; k++) {
                EACH_LANE(l) {
                    a[i][k][l] -= share[l] * a[j][k][l];
                }
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
#endif

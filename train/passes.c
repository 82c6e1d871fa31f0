// What a pass through a network does besides products of matrices: activations, the memory's gates, sampling and the
// clipped objective with its gradient. See passes.py. Matrices are row-major, n rows. See real.h.

#ifndef REAL
#include "../cinfer/src/scalar.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

enum { NONE = 0, RELU = 1, TANH = 2 };
/* cffi: begin */
enum { BLOCK = 64 }; // samples side by side in the loops over choices
/* cffi: end */

static inline float exp_float(float x) {
    return mnw_exp_float(x);
}
static inline float tanh_float(float x) {
    return mnw_tanh_float(x);
}
static inline double tanh_double(double x) {
    return tanh(x);
}
static inline double exp_double(double x) {
    return exp(x);
}
static inline float log_float(float x) {
    return mnw_log_float(x);
}
static inline double log_double(double x) {
    return log(x);
}

#define SIGMOID(x) (1 / (1 + FN(exp)(-(x))))

#define REAL float
#include "passes.c"
#undef REAL
#define REAL double
#include "passes.c"
#else

/* cffi: begin */
void FN(forward)(size_t n, size_t width, REAL *x, const REAL *bias, int activation);
void FN(backward)(size_t n, size_t width, REAL *d, const REAL *y, REAL *bias, int activation);
void FN(gates)(size_t n, size_t size, REAL *gates, const REAL *bias, const REAL *before, REAL *cell, REAL *hidden);
void FN(gates_back)(size_t n, size_t size, REAL *gates, REAL *bias, const REAL *before, const REAL *cell,
                    const REAL *d_hidden, REAL *d_cell);
void FN(sample)(size_t n, size_t heads, const int64_t *sizes, size_t choices, const REAL *head, const uint8_t *mask,
                const REAL *uniform, int64_t *action, int32_t *told, REAL *log_prob, REAL *scratch);
void FN(objective)(size_t n, const int64_t *index, size_t heads, const int64_t *sizes, size_t choices, REAL *head,
                   const uint8_t *mask, const int64_t *action, const REAL *log_prob, const REAL *value,
                   const REAL *returns, const REAL *advantage, const REAL *weight, const REAL *importance, REAL *ratio,
                   REAL clip, REAL value_clip, REAL value_weight, REAL entropy_weight, REAL *scratch, double *sums);
/* cffi: end */

/* x[n][width]: plus bias, then the activation, in place. */
void FN(forward)(size_t n, size_t width, REAL *restrict x, const REAL *restrict bias, int activation) {
    for (size_t i = 0; i < n; i++) {
        REAL *restrict row = x + i * width;
        if (activation == RELU)
            for (size_t j = 0; j < width; j++)
                row[j] = row[j] + bias[j] < 0 ? 0 : row[j] + bias[j];
        else if (activation == TANH)
            for (size_t j = 0; j < width; j++)
                row[j] = FN(tanh)(row[j] + bias[j]);
        else
            for (size_t j = 0; j < width; j++)
                row[j] += bias[j];
    }
}

/* d[n][width]: from the gradient after the activation, whose outputs are y, to the one before; bias += its sums. */
void FN(backward)(size_t n, size_t width, REAL *restrict d, const REAL *restrict y, REAL *restrict bias,
                  int activation) {
    for (size_t i = 0; i < n; i++) {
        REAL *restrict row = d + i * width;
        const REAL *restrict out = y + i * width;
        if (activation == RELU)
            for (size_t j = 0; j < width; j++)
                row[j] = out[j] > 0 ? row[j] : 0;
        else if (activation == TANH)
            for (size_t j = 0; j < width; j++)
                row[j] *= 1 - out[j] * out[j];
        for (size_t j = 0; j < width; j++)
            bias[j] += row[j];
    }
}

/* One step of an LSTM. gates[n][4 size], in torch's order (in, forget, cell, out): sums before the bias;
 * activated in place. before, cell, hidden: [n][size]. */
void FN(gates)(size_t n, size_t size, REAL *restrict gates, const REAL *restrict bias, const REAL *restrict before,
               REAL *restrict cell, REAL *restrict hidden) {
    for (size_t i = 0; i < n; i++) {
        REAL *restrict in = gates + 4 * size * i, *restrict forget = in + size;
        REAL *restrict new = in + 2 * size, *restrict out = in + 3 * size;
        for (size_t j = 0; j < size; j++) {
            in[j] = SIGMOID(in[j] + bias[j]);
            forget[j] = SIGMOID(forget[j] + bias[size + j]);
            new[j] = FN(tanh)(new[j] + bias[2 * size + j]);
            out[j] = SIGMOID(out[j] + bias[3 * size + j]);
        }
        for (size_t j = 0; j < size; j++) {
            REAL c = forget[j] * before[i * size + j] + in[j] * new[j];
            cell[i * size + j] = c;
            hidden[i * size + j] = out[j] * FN(tanh)(c);
        }
    }
}

/* Its gradient. gates: activated; becomes the gradient before activation, whose sums are added to bias. d_hidden:
 * of this step's output; d_cell: of the cell after it, becomes that of the cell before. */
void FN(gates_back)(size_t n, size_t size, REAL *restrict gates, REAL *restrict bias, const REAL *restrict before,
                    const REAL *restrict cell, const REAL *restrict d_hidden, REAL *restrict d_cell) {
    for (size_t i = 0; i < n; i++) {
        REAL *restrict in = gates + 4 * size * i, *restrict forget = in + size;
        REAL *restrict new = in + 2 * size, *restrict out = in + 3 * size;
        for (size_t j = 0; j < size; j++) {
            REAL squashed = FN(tanh)(cell[i * size + j]), dh = d_hidden[i * size + j];
            REAL d = d_cell[i * size + j] + dh * out[j] * (1 - squashed * squashed);
            d_cell[i * size + j] = d * forget[j];
            forget[j] = d * before[i * size + j] * forget[j] * (1 - forget[j]);
            REAL of_in = d * new[j] * in[j] * (1 - in[j]);
            new[j] = d * in[j] * (1 - new[j] * new[j]);
            in[j] = of_in;
            out[j] = dh * squashed * out[j] * (1 - out[j]);
        }
        for (size_t j = 0; j < 4 * size; j++)
            bias[j] += in[j];
    }
}

/* z[choices][BLOCK]: from logits of every head to logarithms of probabilities; then p, their exponentials. */
static inline void FN(soften)(size_t heads, const int64_t *sizes, REAL *restrict z, REAL *restrict p) {
    for (size_t h = 0; h < heads; z += sizes[h] * BLOCK, p += sizes[h] * BLOCK, h++) {
        size_t count = (size_t)sizes[h] * BLOCK;
        REAL most[BLOCK], sum[BLOCK];
        for (size_t r = 0; r < BLOCK; r++)
            most[r] = z[r], sum[r] = 0;
        for (size_t j = BLOCK; j < count; j += BLOCK)
            for (size_t r = 0; r < BLOCK; r++)
                most[r] = z[j + r] > most[r] ? z[j + r] : most[r];
        for (size_t j = 0; j < count; j += BLOCK)
            for (size_t r = 0; r < BLOCK; r++)
                sum[r] += FN(exp)(z[j + r] - most[r]);
        for (size_t r = 0; r < BLOCK; r++)
            most[r] += FN(log)(sum[r]);
        for (size_t j = 0; j < count; j += BLOCK)
            for (size_t r = 0; r < BLOCK; r++) {
                z[j + r] -= most[r];
                p[j + r] = FN(exp)(z[j + r]);
            }
    }
}

/* Logits of rows [m][choices + 1] into z[choices][BLOCK]; where mask, of [choices] a row, forbids, FORBIDDEN. */
static inline void FN(turn)(size_t m, size_t choices, const REAL *restrict head, const uint8_t *mask,
                            const int64_t *index, size_t first, REAL *restrict z) {
    for (size_t r = 0; r < BLOCK; r++)
        for (size_t j = 0; j < choices; j++) {
            size_t row = index ? (size_t)index[r < m ? r : 0] : first + r;
            bool possible = r < m && (!mask || mask[row * choices + j]);
            z[j * BLOCK + r] = possible ? head[r * (choices + 1) + j] : r < m ? (REAL)-1e9 : 0;
        }
}

/* A sample of every head's distribution: the first choice at which the sum of probabilities passes
 * uniform[n][heads], which lie in [0, 1). head[n][choices + 1], mask[n][choices] or NULL; action and told
 * [n][heads]; log_prob[n]. */
void FN(sample)(size_t n, size_t heads, const int64_t *sizes, size_t choices, const REAL *restrict head,
                const uint8_t *mask, const REAL *uniform, int64_t *action, int32_t *told, REAL *log_prob,
                REAL *restrict scratch) {
    REAL *z = scratch, *p = scratch + choices * BLOCK;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = n - i < BLOCK ? n - i : BLOCK;
        FN(turn)(m, choices, head + i * (choices + 1), mask, NULL, i, z);
        FN(soften)(heads, sizes, z, p);
        for (size_t r = 0; r < m; r++) {
            log_prob[i + r] = 0;
            for (size_t h = 0, at = 0; h < heads; at += (size_t)sizes[h++]) {
                size_t size = (size_t)sizes[h], chosen = 0, place = (i + r) * heads + h;
                REAL sum = 0, limit = uniform[place];
                for (size_t j = 0; j < size; j++) {
                    REAL chance = p[(at + j) * BLOCK + r];
                    chosen = chance > 0 && sum <= limit ? j : chosen;
                    sum += chance;
                }
                action[place] = (int64_t)chosen;
                told[place] = (int32_t)chosen;
                log_prob[i + r] += z[(at + chosen) * BLOCK + r];
            }
        }
    }
}

/* head[n][choices + 1]: the logits of every discrete head, then the value; becomes the gradient of the objective,
 * summed over samples. Row i is sample index[i] of mask[][choices] (or NULL), action[][heads], log_prob, value,
 * returns, advantage, weight and, where not NULL, ratio, which is written. importance[n]: or NULL. sums[6] +=:
 * policy loss, value loss, entropy, divergence, clipped, weight. */
void FN(objective)(size_t n, const int64_t *index, size_t heads, const int64_t *sizes, size_t choices,
                   REAL *restrict head, const uint8_t *mask, const int64_t *action, const REAL *log_prob,
                   const REAL *value, const REAL *returns, const REAL *advantage, const REAL *weight,
                   const REAL *importance, REAL *ratio, REAL clip, REAL value_clip, REAL value_weight,
                   REAL entropy_weight, REAL *restrict scratch, double *sums) {
    REAL *z = scratch, *p = scratch + choices * BLOCK;
    double part[6][BLOCK] = {{0}};
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = n - i < BLOCK ? n - i : BLOCK;
        REAL *rows = head + i * (choices + 1);
        const int64_t *at = index + i;
        REAL old[BLOCK] = {0}, now[BLOCK] = {0}, v[BLOCK] = {0}, was[BLOCK] = {0}, aim[BLOCK] = {0};
        REAL gain[BLOCK] = {0}, w[BLOCK] = {0}, entropy[BLOCK] = {0}, pull[BLOCK], slope[BLOCK], change[BLOCK];
        FN(turn)(m, choices, rows, mask, at, 0, z);
        FN(soften)(heads, sizes, z, p);
        for (size_t r = 0; r < m; r++) {
            size_t s = (size_t)at[r];
            old[r] = log_prob[s], was[r] = value[s], aim[r] = returns[s], gain[r] = advantage[s];
            w[r] = weight[s] * (importance ? importance[i + r] : 1);
            v[r] = rows[r * (choices + 1) + choices];
            for (size_t h = 0, first = 0; h < heads; first += (size_t)sizes[h++])
                now[r] += z[(first + (size_t)action[s * heads + h]) * BLOCK + r];
        }
        for (size_t h = 0, j = 0; h < heads; h++) { /* z becomes what the entropy's derivative has of it */
            REAL of_head[BLOCK] = {0};
            size_t end = j + (size_t)sizes[h];
            for (size_t k = j; k < end; k++)
                for (size_t r = 0; r < BLOCK; r++)
                    of_head[r] -= p[k * BLOCK + r] * z[k * BLOCK + r];
            for (; j < end; j++)
                for (size_t r = 0; r < BLOCK; r++)
                    z[j * BLOCK + r] += of_head[r];
            for (size_t r = 0; r < BLOCK; r++)
                entropy[r] += of_head[r];
        }
        for (size_t r = 0; r < BLOCK; r++) {
            REAL a = gain[r], moved = now[r] - old[r], by = FN(exp)(moved);
            REAL near = by < 1 - clip ? 1 - clip : by > 1 + clip ? 1 + clip : by;
            REAL error = v[r] - aim[r], shift = v[r] - was[r];
            REAL kept = shift < -value_clip ? -value_clip : shift > value_clip ? value_clip : shift;
            REAL other = was[r] + kept - aim[r];
            bool far = value_clip > 0 && other * other > error * error;
            pull[r] = by * a <= near * a ? by * a : 0; /* the gain's derivative by `now` */
            gain[r] = by * a < near * a ? by * a : near * a;
            slope[r] = far ? (kept == shift ? other : 0) : error;
            change[r] = by;
            error = far ? other * other : error * error;
            part[0][r] -= (double)(gain[r] * w[r]);
            part[1][r] += 0.5 * (double)(error * w[r]);
            part[2][r] += (double)(entropy[r] * w[r]);
            part[3][r] += (double)((by - 1 - moved) * w[r]);
            part[4][r] += (double)(by - 1 > clip || 1 - by > clip ? w[r] : 0);
            part[5][r] += (double)w[r];
        }
        for (size_t j = 0; j < choices; j++)
            for (size_t r = 0; r < BLOCK; r++)
                p[j * BLOCK + r] *= w[r] * (pull[r] + entropy_weight * z[j * BLOCK + r]);
        for (size_t r = 0; r < m; r++) {
            size_t s = (size_t)at[r];
            REAL *row = rows + r * (choices + 1);
            for (size_t j = 0; j < choices; j++)
                row[j] = p[j * BLOCK + r];
            for (size_t h = 0, first = 0; h < heads; first += (size_t)sizes[h++])
                row[first + (size_t)action[s * heads + h]] -= w[r] * pull[r];
            row[choices] = w[r] * value_weight * slope[r];
            if (ratio)
                ratio[s] = change[r];
        }
    }
    for (size_t k = 0; k < 6; k++)
        for (size_t r = 0; r < BLOCK; r++)
            sums[k] += part[k][r];
}
#endif

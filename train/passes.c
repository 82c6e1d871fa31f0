// What a pass through a network does besides products of matrices: activations, the memory's gates, sampling and the
// clipped objective with its gradient; for float and double. See passes.py. Matrices are row-major, n rows.

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NONE = 0, RELU = 1, TANH = 2 };

// exp within 2 units in the last place, in a form that compilers vectorise: 2^k e^r, |r| <= ln 2 / 2, by Taylor's sum.
static inline float exp_float(float x) {
    x = x > 88.0f ? 88.0f : x < -87.0f ? -87.0f : x;
    float shifted = x * 1.44269504f + 12582912.0f; // the sum's low bits are the nearest whole number
    float k = shifted - 12582912.0f;
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float e = 1.0f + r * (1.0f + r * (0.5f + r * (1.66666667e-1f +
                                                  r * (4.16666667e-2f + r * (8.33333333e-3f + r * 1.38888889e-3f)))));
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (int32_t)((uint32_t)(bits - 0x4B400000 + 127) << 23);
    float scale;
    memcpy(&scale, &bits, 4);
    return e * scale;
}

static inline double exp_double(double x) {
    return exp(x);
}

#define SIGMOID(real, x) (1 / (1 + exp_##real(-(x))))
#define TANHYP(real, x) (2 / (1 + exp_##real(-2 * (x))) - 1)

#define PASSES(real)                                                                                                   \
    /* x[n][width]: plus bias, then the activation, in place. */                                                       \
    void forward_##real(size_t n, size_t width, real *restrict x, const real *restrict bias, int activation) {         \
        for (size_t i = 0; i < n; i++) {                                                                               \
            real *restrict row = x + i * width;                                                                        \
            if (activation == RELU)                                                                                    \
                for (size_t j = 0; j < width; j++)                                                                     \
                    row[j] = row[j] + bias[j] < 0 ? 0 : row[j] + bias[j];                                              \
            else if (activation == TANH)                                                                               \
                for (size_t j = 0; j < width; j++)                                                                     \
                    row[j] = TANHYP(real, row[j] + bias[j]);                                                           \
            else                                                                                                       \
                for (size_t j = 0; j < width; j++)                                                                     \
                    row[j] += bias[j];                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    /* d[n][width]: from the gradient after the activation, whose outputs are y, to the one before; bias += its sums.  \
     */                                                                                                                \
    void backward_##real(size_t n, size_t width, real *restrict d, const real *restrict y, real *restrict bias,        \
                         int activation) {                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                               \
            real *restrict row = d + i * width;                                                                        \
            const real *restrict out = y + i * width;                                                                  \
            if (activation == RELU)                                                                                    \
                for (size_t j = 0; j < width; j++)                                                                     \
                    row[j] = out[j] > 0 ? row[j] : 0;                                                                  \
            else if (activation == TANH)                                                                               \
                for (size_t j = 0; j < width; j++)                                                                     \
                    row[j] *= 1 - out[j] * out[j];                                                                     \
            for (size_t j = 0; j < width; j++)                                                                         \
                bias[j] += row[j];                                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    /* One step of an LSTM. gates[n][4 size], in torch's order (in, forget, cell, out): sums before the bias;          \
     * activated in place. before, cell, hidden: [n][size]. */                                                         \
    void gates_##real(size_t n, size_t size, real *restrict gates, const real *restrict bias,                          \
                      const real *restrict before, real *restrict cell, real *restrict hidden) {                       \
        for (size_t i = 0; i < n; i++) {                                                                               \
            real *restrict in = gates + 4 * size * i, *restrict forget = in + size;                                    \
            real *restrict new = in + 2 * size, *restrict out = in + 3 * size;                                         \
            for (size_t j = 0; j < size; j++) {                                                                        \
                in[j] = SIGMOID(real, in[j] + bias[j]);                                                                \
                forget[j] = SIGMOID(real, forget[j] + bias[size + j]);                                                 \
                new[j] = TANHYP(real, new[j] + bias[2 * size + j]);                                                    \
                out[j] = SIGMOID(real, out[j] + bias[3 * size + j]);                                                   \
            }                                                                                                          \
            for (size_t j = 0; j < size; j++) {                                                                        \
                real c = forget[j] * before[i * size + j] + in[j] * new[j];                                            \
                cell[i * size + j] = c;                                                                                \
                hidden[i * size + j] = out[j] * TANHYP(real, c);                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    /* Its gradient. gates: activated; becomes the gradient before activation, whose sums are added to bias. d_hidden: \
     * of this step's output; d_cell: of the cell after it, becomes that of the cell before. */                        \
    void gates_back_##real(size_t n, size_t size, real *restrict gates, real *restrict bias,                           \
                           const real *restrict before, const real *restrict cell, const real *restrict d_hidden,      \
                           real *restrict d_cell) {                                                                    \
        for (size_t i = 0; i < n; i++) {                                                                               \
            real *restrict in = gates + 4 * size * i, *restrict forget = in + size;                                    \
            real *restrict new = in + 2 * size, *restrict out = in + 3 * size;                                         \
            for (size_t j = 0; j < size; j++) {                                                                        \
                real squashed = TANHYP(real, cell[i * size + j]), dh = d_hidden[i * size + j];                         \
                real d = d_cell[i * size + j] + dh * out[j] * (1 - squashed * squashed);                               \
                d_cell[i * size + j] = d * forget[j];                                                                  \
                forget[j] = d * before[i * size + j] * forget[j] * (1 - forget[j]);                                    \
                real of_in = d * new[j] * in[j] * (1 - in[j]);                                                         \
                new[j] = d * in[j] * (1 - new[j] * new[j]);                                                            \
                in[j] = of_in;                                                                                         \
                out[j] = dh * squashed * out[j] * (1 - out[j]);                                                        \
            }                                                                                                          \
            for (size_t j = 0; j < 4 * size; j++)                                                                      \
                bias[j] += in[j];                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    /* Logarithms of probabilities of one head's k choices into p; returns the entropy. */                             \
    static inline real soften_##real(size_t k, const real *logits, real *p) {                                          \
        real most = logits[0], sum = 0, entropy = 0;                                                                   \
        for (size_t j = 1; j < k; j++)                                                                                 \
            most = logits[j] > most ? logits[j] : most;                                                                \
        for (size_t j = 0; j < k; j++)                                                                                 \
            sum += exp_##real(logits[j] - most);                                                                       \
        real log_sum = most + (real)log(sum);                                                                          \
        for (size_t j = 0; j < k; j++) {                                                                               \
            p[j] = logits[j] - log_sum;                                                                                \
            entropy -= exp_##real(p[j]) * p[j];                                                                        \
        }                                                                                                              \
        return entropy;                                                                                                \
    }                                                                                                                  \
    /* head[n][choices + 1]: the logits of every discrete head, then the value; becomes the gradient of the objective, \
     * summed over samples. Row i is sample index[i] of mask[][choices] (or NULL), action[][heads], log_prob, value,   \
     * returns, advantage, weight and, where not NULL, ratio, which is written. importance[n]: or NULL. sums[6] +=:    \
     * policy loss, value loss, entropy, divergence, clipped, weight. */                                               \
    void objective_##real(size_t n, const int64_t *index, size_t heads, const int64_t *sizes, size_t choices,          \
                          real *restrict head, const uint8_t *mask, const int64_t *action, const real *log_prob,       \
                          const real *value, const real *returns, const real *advantage, const real *weight,           \
                          const real *importance, real *ratio, real clip, real value_clip, real value_weight,          \
                          real entropy_weight, real *scratch, double *sums) {                                          \
        for (size_t i = 0; i < n; i++) {                                                                               \
            size_t s = (size_t)index[i], at = 0;                                                                       \
            real *row = head + i * (choices + 1), w = weight[s] * (importance ? importance[i] : 1);                    \
            real log_new = 0, entropy = 0;                                                                             \
            if (mask)                                                                                                  \
                for (size_t j = 0; j < choices; j++)                                                                   \
                    row[j] = mask[s * choices + j] ? row[j] : (real) - 1e9;                                            \
            for (size_t h = 0; h < heads; at += (size_t)sizes[h++]) {                                                  \
                real of_head = soften_##real((size_t)sizes[h], row + at, scratch + at);                                \
                entropy += of_head;                                                                                    \
                log_new += scratch[at + (size_t)action[s * heads + h]];                                                \
                for (size_t j = at; j < at + (size_t)sizes[h]; j++)                                                    \
                    row[j] = of_head;                                                                                  \
            }                                                                                                          \
            real log_ratio = log_new - log_prob[s], r = exp_##real(log_ratio), a = advantage[s];                       \
            real near = r < 1 - clip ? 1 - clip : r > 1 + clip ? 1 + clip : r;                                         \
            real gain = r * a < near * a ? r * a : near * a;                                                           \
            real pull = r * a <= near * a ? r * a : 0; /* the gain's derivative by log_new */                          \
            real v = row[choices], miss = v - returns[s], error = miss * miss, slope = miss;                           \
            if (value_clip > 0) {                                                                                      \
                real moved = v - value[s];                                                                             \
                real kept = moved < -value_clip ? -value_clip : moved > value_clip ? value_clip : moved;               \
                real other = value[s] + kept - returns[s];                                                             \
                if (other * other > error) {                                                                           \
                    error = other * other;                                                                             \
                    slope = kept == moved ? other : 0;                                                                 \
                }                                                                                                      \
            }                                                                                                          \
            for (size_t j = 0; j < choices; j++) {                                                                     \
                real p = exp_##real(scratch[j]);                                                                       \
                row[j] = w * p * (pull + entropy_weight * (scratch[j] + row[j]));                                      \
            }                                                                                                          \
            at = 0;                                                                                                    \
            for (size_t h = 0; h < heads; at += (size_t)sizes[h++])                                                    \
                row[at + (size_t)action[s * heads + h]] -= w * pull;                                                   \
            row[choices] = w * value_weight * slope;                                                                   \
            if (ratio)                                                                                                 \
                ratio[s] = r;                                                                                          \
            sums[0] -= (double)(gain * w);                                                                             \
            sums[1] += 0.5 * (double)(error * w);                                                                      \
            sums[2] += (double)(entropy * w);                                                                          \
            sums[3] += (double)((r - 1 - log_ratio) * w);                                                              \
            sums[4] += (double)((r - 1 > clip || 1 - r > clip) ? w : 0);                                               \
            sums[5] += (double)w;                                                                                      \
        }                                                                                                              \
    }

PASSES(float)
PASSES(double)

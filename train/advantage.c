// Advantages of a rollout, [horizon][rows] in time-major order, for float and double: see advantage.py.

#include <stddef.h>
#include <stdint.h>

// ratio: NULL for plain estimation; carry: [rows], overwritten.
#define ADVANTAGE(name, real)                                                                                          \
    void name(size_t horizon, size_t rows, const real *reward, const real *value, const real *final_value,             \
              const uint8_t *terminated, const uint8_t *truncated, const real *last_value, const real *ratio,          \
              real gamma, real lambda, real clip_delta, real clip_trace, real *carry, real *advantage);                \
    void name(size_t horizon, size_t rows, const real *reward, const real *value, const real *final_value,             \
              const uint8_t *terminated, const uint8_t *truncated, const real *last_value, const real *ratio,          \
              real gamma, real lambda, real clip_delta, real clip_trace, real *carry, real *advantage) {               \
        for (size_t n = 0; n < rows; n++)                                                                              \
            carry[n] = 0;                                                                                              \
        for (size_t t = horizon; t-- > 0;) {                                                                           \
            const real *next = t + 1 < horizon ? value + (t + 1) * rows : last_value;                                  \
            for (size_t n = 0; n < rows; n++) {                                                                        \
                size_t i = t * rows + n;                                                                               \
                real following = terminated[i] ? 0 : truncated[i] ? final_value[i] : next[n];                          \
                real decay = terminated[i] || truncated[i] ? 0 : gamma * lambda;                                       \
                real delta = reward[i] + gamma * following - value[i];                                                 \
                if (ratio) {                                                                                           \
                    delta *= ratio[i] < clip_delta ? ratio[i] : clip_delta;                                            \
                    decay *= ratio[i] < clip_trace ? ratio[i] : clip_trace;                                            \
                }                                                                                                      \
                carry[n] = delta + decay * carry[n];                                                                   \
                advantage[i] = carry[n];                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

ADVANTAGE(advantage_float, float)
ADVANTAGE(advantage_double, double)

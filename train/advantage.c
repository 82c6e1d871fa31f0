// Advantages of a rollout, [horizon][rows] in time-major order: see advantage.py and real.h.

#ifndef REAL
#include <stddef.h>
#include <stdint.h>

#include "real.h"

#define REAL float
#include "advantage.c"
#undef REAL
#define REAL double
#include "advantage.c"
#else

/* cffi: begin */
void FN(advantage)(size_t horizon, size_t rows, const REAL *reward, const REAL *value, const REAL *final_value,
                   const uint8_t *terminated, const uint8_t *truncated, const REAL *last_value, const REAL *ratio,
                   REAL gamma, REAL lambda, REAL clip_delta, REAL clip_trace, REAL *carry, REAL *advantage);
/* cffi: end */

// ratio: NULL for plain estimation; carry: [rows], overwritten.
void FN(advantage)(size_t horizon, size_t rows, const REAL *reward, const REAL *value, const REAL *final_value,
                   const uint8_t *terminated, const uint8_t *truncated, const REAL *last_value, const REAL *ratio,
                   REAL gamma, REAL lambda, REAL clip_delta, REAL clip_trace, REAL *carry, REAL *advantage) {
    for (size_t n = 0; n < rows; n++)
        carry[n] = 0;
    for (size_t t = horizon; t-- > 0;) {
        const REAL *next = t + 1 < horizon ? value + (t + 1) * rows : last_value;
        for (size_t n = 0; n < rows; n++) {
            size_t i = t * rows + n;
            REAL following = terminated[i] ? 0 : truncated[i] ? final_value[i] : next[n];
            REAL decay = terminated[i] || truncated[i] ? 0 : gamma * lambda;
            REAL delta = reward[i] + gamma * following - value[i];
            if (ratio) {
                delta *= ratio[i] < clip_delta ? ratio[i] : clip_delta;
                decay *= ratio[i] < clip_trace ? ratio[i] : clip_trace;
            }
            carry[n] = delta + decay * carry[n];
            advantage[i] = carry[n];
        }
    }
}
#endif

/* mathf.h: elementary functions in float32 whose bits are the same for every compiler, processor and optimisation
 * level, provided that products and sums are not fused (-ffp-contract=off): those of minnow.h, with what a game needs
 * besides, results that are always numbers. They hold no branches and no tables, so a loop over lanes that calls them
 * becomes SIMD.
 *
 * Errors, as measured by tests/test_env_math.py against float64 (ulp: of the result):
 *   env_sin, env_cos   |x| <= 8192: at most 1.2e-7 absolute; beyond that and for NaN some number in [-1, 1]
 *   env_exp            2 ulp, of denormals one more; stays finite (2.1e38) above 88.3; of NaN 0
 *   env_log            2 ulp, or 1e-7 absolute near 1; x <= 0, NaN and denormals count as 1.2e-38
 *   env_tanh           3.5e-7 relative; never beyond 1; of NaN -1
 *   env_atan2          0.501 ulp; zeros have signs, (0, 0) gives 0; of a NaN NaN
 *   env_sqrt           correctly rounded; x <= 0 and NaN give 0
 *   env_floor          exact, as is env_nearest (ties to even)
 */
#ifndef MINNOW_ENV_MATHF_H
#define MINNOW_ENV_MATHF_H
#include "../cinfer/src/scalar.h"

#define ENV_PI 3.14159274f

static inline float env_min(float a, float b) {
    return a < b ? a : b;
}
static inline float env_max(float a, float b) {
    return a > b ? a : b;
}
static inline float env_abs(float x) {
    return __builtin_fabsf(x);
}
/* NaN becomes `low`, so what comes out may be made an integer. */
static inline float env_clamp(float x, float low, float high) {
    float raised = x > low ? x : low;
    return raised < high ? raised : high;
}

static inline float env_from_bits(uint32_t bits) {
    return mnw_from(bits);
}
static inline uint32_t env_to_bits(float value) {
    return mnw_bits(value);
}

static inline float env_sqrt(float x) {
    return mnw_sqrt(x > 0.0f ? x : 0.0f);
}
static inline float env_nearest(float x) {
    return mnw_round_float(x);
}
static inline float env_floor(float x) {
    return mnw_floor_float(x);
}
static inline float env_sin(float x) {
    return mnw_sine_near(x, 0);
}
static inline float env_cos(float x) {
    return mnw_sine_near(x, 1);
}
static inline float env_exp(float x) {
    return mnw_exp_float(env_clamp(x, -105.0f, 88.3f));
}
static inline float env_log(float x) {
    return mnw_log_float(env_clamp(x, 1.17549435e-38f, 3.40282347e38f));
}
static inline float env_tanh(float x) {
    return mnw_tanh_float(env_clamp(x, -9.0f, 9.0f));
}
static inline float env_atan2(float y, float x) {
    return mnw_atan2(y, x);
}
#endif

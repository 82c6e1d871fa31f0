/* mathf.h: elementary functions in float32 whose bits are the same for every compiler, processor and optimisation
 * level, provided that products and sums are not fused (-ffp-contract=off). They hold no branches and no tables, so a
 * loop over lanes that calls them becomes SIMD.
 *
 * Errors, as measured by tests/test_env_math.py against float64 (ulp: of the result):
 *   env_sin, env_cos   |x| <= 8192: at most 1e-7 absolute; beyond that and for NaN the result is some number in [-1, 1]
 *   env_exp            2 ulp; underflows to 0 below -87.3, stays finite (2.4e38) above 88.3
 *   env_log            2 ulp, or 1e-7 absolute near 1; x <= 0 and denormals count as 1.2e-38
 *   env_tanh           2e-7 absolute
 *   env_atan2          5e-7 absolute; (0, 0) gives 0
 *   env_sqrt           correctly rounded; x <= 0 and NaN give 0
 *   env_floor          exact for |x| < 2^22, as is env_nearest
 */
#ifndef MINNOW_ENV_MATHF_H
#define MINNOW_ENV_MATHF_H
#include <stdint.h>

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
    union {
        uint32_t bits;
        float value;
    } both = {bits};
    return both.value;
}
static inline uint32_t env_to_bits(float value) {
    union {
        float value;
        uint32_t bits;
    } both = {value};
    return both.bits;
}

static inline float env_sqrt(float x) {
    return __builtin_sqrtf(x > 0.0f ? x : 0.0f);
}

/* The nearest whole number, ties to even, in the default rounding mode. */
static inline float env_nearest(float x) {
    return (x + 12582912.0f) - 12582912.0f;
}

static inline float env_floor(float x) {
    float near = env_nearest(x);
    return near - (float)(near > x);
}

/* Sine of x + quarter * pi / 2. The reduction subtracts a multiple of pi/2 in three parts, the first two of which have
 * so few bits that their products are exact (Cody and Waite, 1980); the polynomials are minimax fits on [-pi/4, pi/4].
 */
static inline float env_sin_quarter(float x, float quarter) {
    float n = env_nearest(env_clamp(x, -8192.0f, 8192.0f) * 0.636619747f);
    float r = ((x - n * 1.5703125f) - n * 4.83751297e-4f) - n * 7.54979013e-8f;
    r = env_clamp(r, -0.786f, 0.786f);
    float z = r * r;
    float sine = r + r * z * (-0.166666552f + z * (8.33217613e-3f + z * -1.95169749e-4f));
    float cosine = 1.0f - 0.5f * z + z * z * (4.16666456e-2f + z * (-1.38873642e-3f + z * 2.44380881e-5f));
    int32_t turn = (int32_t)(n + quarter);
    float value = (turn & 1) ? cosine : sine;
    return (turn & 2) ? -value : value;
}
static inline float env_sin(float x) {
    return env_sin_quarter(x, 0.0f);
}
static inline float env_cos(float x) {
    return env_sin_quarter(x, 1.0f);
}

static inline float env_exp(float x) {
    float y = env_clamp(x, -87.3f, 88.3f);
    float n = env_nearest(y * 1.44269502f);
    float r = (y - n * 0.693115234f) - n * 3.19461833e-5f;
    float tail = 0.5f + r * (0.166665182f + r * (4.1666206e-2f + r * (8.36895406e-3f + r * 1.3950601e-3f)));
    float value = 1.0f + (r + r * r * tail);
    /* 2^n as two factors, since n may be 128 or -126. */
    int32_t half = (int32_t)n / 2;
    value = value * env_from_bits((uint32_t)(half + 127) << 23);
    value = value * env_from_bits((uint32_t)((int32_t)n - half + 127) << 23);
    return x < -87.3f ? 0.0f : value;
}

static inline float env_log(float x) {
    uint32_t bits = env_to_bits(env_clamp(x, 1.17549435e-38f, 3.40282347e38f));
    uint32_t shifted = bits - 0x3f3504f3u; /* sqrt(1/2), so that the mantissa lies in [sqrt(1/2), sqrt(2)) */
    float n = (float)((int32_t)shifted >> 23);
    float m = env_from_bits((shifted & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    float s = m / (m + 2.0f); /* log(1 + m) = 2 artanh(m / (m + 2)) */
    float z = s * s;
    float tail = z * (0.666667759f + z * (0.399774492f + z * 0.298744261f));
    float square = 0.5f * m * m;
    return (n * 3.19461833e-5f + (m - (square - s * (square + tail)))) + n * 0.693115234f;
}

static inline float env_tanh(float x) {
    float z = x * x;
    float near = x + x * z *
                         (-0.333332837f +
                          z * (0.133314908f + z * (-5.37434928e-2f + z * (2.06505749e-2f + z * -5.71703259e-3f))));
    float size = 1.0f - 2.0f / (env_exp(2.0f * env_min(env_abs(x), 10.0f)) + 1.0f);
    float far = x < 0.0f ? -size : size;
    return env_abs(x) < 0.625f ? near : far;
}

static inline float env_atan2(float y, float x) {
    float a = env_abs(x), b = env_abs(y);
    float small = a < b ? a : b, large = a < b ? b : a;
    int steep = small > 0.414213562f * large; /* beyond pi/8: atan t = pi/4 + atan((t - 1) / (t + 1)) */
    float top = steep ? small - large : small, bottom = steep ? small + large : large;
    float t = top / (bottom > 0.0f ? bottom : 1.0f);
    float z = t * t;
    float angle = t + t * z * (-0.33332953f + z * (0.199778065f + z * (-0.138784483f + z * 8.05542916e-2f)));
    angle += steep ? 0.785398163f : 0.0f;
    angle = a < b ? 1.57079633f - angle : angle;
    angle = x < 0.0f ? ENV_PI - angle : angle;
    return y < 0.0f ? -angle : angle;
}
#endif

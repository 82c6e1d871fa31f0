/* What a core can do: its rate of multiply-adds, and its rate of reading what lies in the second-level cache. Compiled
 * once for each instruction set, natively and to WebAssembly; who calls these functions holds the clock. */
#include <stddef.h>
#include <stdint.h>

/* vector, lanes, a splat, a * b + c as fast as it goes, a sum. */
#if defined(BENCH_PLAIN)
typedef float vector;
enum { LANES = 1 };
#define SPLAT(x) (x)
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#elif defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vector;
enum { LANES = 16 };
#define SPLAT(x) _mm512_set1_ps(x)
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256 vector;
enum { LANES = 8 };
#define SPLAT(x) _mm256_set1_ps(x)
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#elif defined(__SSE2__) && !defined(__wasm__)
#include <emmintrin.h>
typedef __m128 vector;
enum { LANES = 4 };
#define SPLAT(x) _mm_set1_ps(x)
#define MULTIPLY_ADD(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define ADD(a, b) _mm_add_ps(a, b)
#elif defined(__ARM_NEON)
#include <arm_neon.h>
typedef float32x4_t vector;
enum { LANES = 4 };
#define SPLAT(x) vdupq_n_f32(x)
#define MULTIPLY_ADD(a, b, c) vfmaq_f32(c, a, b)
#define ADD(a, b) vaddq_f32(a, b)
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
typedef v128_t vector;
enum { LANES = 4 };
#define SPLAT(x) wasm_f32x4_splat(x)
#define MULTIPLY_ADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#define ADD(a, b) wasm_f32x4_add(a, b)
#else
#error "define BENCH_PLAIN where there are no vectors"
#endif

enum {
    CHAINS = 12,       /* sums that do not wait for each other: enough for two units, few enough for the registers */
    BYTES = 256 << 10, /* larger than first-level caches, smaller than second-level ones */
#if defined(__wasm__)
    UNROLL = 2, /* engines put all loads of a block before its sums, so that more sums would be spilled */
    SUMS = 4
#else
    UNROLL = 8,
    SUMS = 8
#endif
};

static volatile float half = 0.5f; /* known at run time only: constants would be made anew each time */

static vector memory[BYTES / sizeof(vector)];

static float total(const vector *v, size_t n) {
    float sum = 0.0f;
    for (size_t i = 0; i < n * LANES; i++)
        sum += ((const float *)v)[i];
    return sum;
}

/* cffi: begin */
uint32_t bench_flops(void);
float bench_multiply(uint32_t times);
uint32_t bench_bytes(void);
float bench_read(uint32_t times);
/* cffi: end */

/* Floating-point operations of one time of bench_multiply. */
uint32_t bench_flops(void) {
    return 2 * LANES * CHAINS * UNROLL;
}

float bench_multiply(uint32_t times) {
    vector sum[CHAINS], scale = SPLAT(half), more = scale;
    for (int i = 0; i < CHAINS; i++)
        sum[i] = SPLAT((float)i);
    while (times--)
#pragma GCC unroll 8
        for (int round = 0; round < UNROLL; round++)
#pragma GCC unroll 12
            for (int i = 0; i < CHAINS; i++)
                sum[i] = MULTIPLY_ADD(sum[i], scale, more);
    return total(sum, CHAINS);
}

/* Bytes of one time of bench_read. They are written before: pages that never were are all one page of zeros, which a
 * first-level cache holds. */
uint32_t bench_bytes(void) {
    for (size_t i = 0; i < BYTES / sizeof(vector); i++)
        memory[i] = SPLAT(half);
    return BYTES;
}

float bench_read(uint32_t times) {
    vector sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = SPLAT(0.0f);
    while (times--) {
        const vector *end = memory + BYTES / sizeof(vector);
        for (const vector *at = memory; at < end; at += SUMS)
#pragma GCC unroll 8
            for (int i = 0; i < SUMS; i++)
                sum[i] = ADD(sum[i], at[i]);
    }
    return total(sum, SUMS);
}

#ifndef __wasm__
/* cffi: begin */
int32_t bench_steps(int32_t (*step)(void *, const void *const *, const uint8_t *), void *session,
                    const void *const *inputs, uint32_t times);
/* cffi: end */

/* Steps a session; `step` is minnow_step_inputs. */
int32_t bench_steps(int32_t (*step)(void *, const void *const *, const uint8_t *), void *session,
                    const void *const *inputs, uint32_t times) {
    int32_t code = 0;
    while (times-- && !code)
        code = step(session, inputs, NULL);
    return code;
}
#endif

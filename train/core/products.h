/* Products of matrices that fit the first-level cache. A block of rows times two vectors keeps its sums in registers;
 * every sum runs over `depth` in order. */

#ifndef LEARN_BYTES /* of a vector */
#if defined(__AVX512F__)
#define LEARN_BYTES 64
#elif defined(__AVX__)
#define LEARN_BYTES 32
#else
#define LEARN_BYTES 16
#endif
#if LEARN_FUSED && (defined(__AVX512F__) || defined(__FMA__))
#include <immintrin.h>
#elif LEARN_FUSED && defined(__aarch64__)
#include <arm_neon.h>
#elif LEARN_FUSED /* it is not to be had */
#undef LEARN_FUSED
#define LEARN_FUSED 0
#endif
#define LEARN_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define LEARN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LEARN_UNROLL _Pragma("GCC unroll 12")
#endif
enum { LEARN_BLOCK = LEARN_BYTES == 64 ? 12 : 6 }; /* rows: with two vectors each, as registers allow */
/* What becomes of the sums: bias added and then the activation; or added to what is there; or multiplied by the
 * activation's derivative, of which `other` holds the outputs. */
enum { LEARN_FORWARD, LEARN_ADD, LEARN_BACK };
#endif

typedef LEARN_REAL LEARN(v) __attribute__((vector_size(LEARN_BYTES)));
typedef __typeof__((LEARN(v)){0} < (LEARN(v)){0}) LEARN(mask); /* whole numbers: all bits of a lane, or none */
enum { LEARN(LANES) = LEARN_BYTES / sizeof(LEARN_REAL) };

LEARN_INLINE LEARN(v) LEARN(load)(const LEARN_REAL *p) {
    LEARN(v) v;
    memcpy(&v, p, sizeof v);
    return v;
}
LEARN_INLINE void LEARN(store)(LEARN_REAL *p, LEARN(v) v) {
    memcpy(p, &v, sizeof v);
}
LEARN_INLINE LEARN(v) LEARN(splat)(LEARN_REAL x) {
    const LEARN(v) zero = {0};
    return x - zero; /* one instruction */
}

LEARN_INLINE LEARN(v) LEARN(plus_product)(LEARN(v) a, LEARN(v) b, LEARN(v) c) {
#if !LEARN_FUSED
    return a * b + c;
#elif defined(__AVX512F__)
    return _Generic(a[0],
        float: (LEARN(v))_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c),
        double: (LEARN(v))_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c));
#elif defined(__FMA__)
    return _Generic(a[0],
        float: (LEARN(v))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c),
        double: (LEARN(v))_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c));
#else
    return _Generic(a[0],
        float: (LEARN(v))vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b),
        double: (LEARN(v))vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b));
#endif
}

LEARN_INLINE LEARN(v) LEARN(positive)(LEARN(v) x) { /* of a NaN it makes a NaN */
    const LEARN(v) zero = {0};
    return (LEARN(v))(~(x < zero) & (LEARN(mask))x);
}

typedef struct LEARN(product) {
    const LEARN_REAL *left; /* element (row, k) at row * left_row + k * left_step */
    size_t left_row, left_step;
    const LEARN_REAL *right; /* [depth][width] */
    size_t right_row;
    LEARN_REAL *out; /* [rows][width] */
    size_t out_row;
    const LEARN_REAL *bias, *other; /* [width]; as `out` */
    size_t rows, width, depth;
    uint32_t activation;
} LEARN(product);

LEARN_INLINE void LEARN(block)(const LEARN(product) * p, size_t row, size_t column, const int mode, const int rows,
                               const int vectors) {
    enum { L = LEARN(LANES) };
    const size_t left_row = p->left_row, left_step = p->left_step, right_row = p->right_row;
    const LEARN_REAL *left = p->left + row * left_row, *right = p->right + column;
    LEARN(v) sum[LEARN_BLOCK][2];
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
        mode == LEARN_FORWARD ? LEARN(load)(p->bias + column + j * L) : LEARN(splat)(0);
    for (size_t k = p->depth; k > 0; k--, left += left_step, right += right_row) {
        LEARN(v) of_right[2];
        LEARN_UNROLL for (int j = 0; j < vectors; j++) of_right[j] = LEARN(load)(right + j * L);
        LEARN_UNROLL for (int r = 0; r < rows; r++) {
            LEARN(v) of_left = LEARN(splat)(left[(size_t)r * left_row]);
            LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
                LEARN(plus_product)(of_left, of_right[j], sum[r][j]);
        }
    }
    const LEARN(v) zero = {0};
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) {
        LEARN_REAL *out = p->out + (row + (size_t)r) * p->out_row + column + j * L;
        LEARN(v) x = sum[r][j];
        if (mode == LEARN_ADD)
            x += LEARN(load)(out);
        else if (mode == LEARN_FORWARD)
            x = p->activation == LEARN_RELU ? LEARN(positive)(x) : x;
        else {
            LEARN(v) y = LEARN(load)(p->other + (row + (size_t)r) * p->out_row + column + j * L);
            if (p->activation == LEARN_RELU)
                x = (LEARN(v))((y > zero) & (LEARN(mask))x);
            else if (p->activation == LEARN_TANH)
                x *= 1 - y * y;
        }
        LEARN(store)(out, x);
    }
}

LEARN_INLINE void LEARN(columns)(const LEARN(product) * p, size_t column, const int mode, const int vectors) {
    size_t row = 0;
    for (; row + LEARN_BLOCK <= p->rows; row += LEARN_BLOCK)
        LEARN(block)(p, row, column, mode, LEARN_BLOCK, vectors);
    if (LEARN_BLOCK > 6 && row + 6 <= p->rows)
        LEARN(block)(p, row, column, mode, 6, vectors), row += 6;
    if (row + 4 <= p->rows)
        LEARN(block)(p, row, column, mode, 4, vectors), row += 4;
    for (; row < p->rows; row++)
        LEARN(block)(p, row, column, mode, 1, vectors);
}

/* Widths may be rounded up to vectors: rows of `right`, `out`, `other` and `bias` have room for that, filled with 0. */
LEARN_INLINE void LEARN(multiply)(const LEARN(product) * p, const int mode) {
    enum { L = LEARN(LANES) };
    size_t column = 0;
    for (; column + L < p->width; column += 2 * L)
        LEARN(columns)(p, column, mode, 2);
    if (column < p->width)
        LEARN(columns)(p, column, mode, 1);
}

static void LEARN(forward_product)(const LEARN(product) * p) {
    LEARN(multiply)(p, LEARN_FORWARD);
}
static void LEARN(add_product)(const LEARN(product) * p) {
    LEARN(multiply)(p, LEARN_ADD);
}
static void LEARN(back_product)(const LEARN(product) * p) {
    LEARN(multiply)(p, LEARN_BACK);
}

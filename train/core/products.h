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
#define LEARN_APART _Pragma("clang loop vectorize(assume_safety)") /* arrays of a loop do not overlap */
#else
#define LEARN_UNROLL _Pragma("GCC unroll 12")
#define LEARN_APART _Pragma("GCC ivdep")
#endif
#if defined(__wasm__)
enum { LEARN_BLOCK = 4 }; /* engines load all of a step before its sums, which leaves fewer registers */
#else
enum { LEARN_BLOCK = LEARN_BYTES == 64 ? 12 : 6 }; /* rows: with two vectors each, as registers allow */
#endif
/* What becomes of the sums: bias added and then the activation; or added to what is there; or multiplied by the
 * activation's derivative, of which `other` holds the outputs. */
enum { LEARN_FORWARD, LEARN_ADD, LEARN_BACK };
#endif

typedef REAL FN(learn_v) __attribute__((vector_size(LEARN_BYTES)));
typedef __typeof__((FN(learn_v)){0} < (FN(learn_v)){0}) FN(learn_mask); /* whole numbers: all bits of a lane, or none */
enum { FN(learn_LANES) = LEARN_BYTES / sizeof(REAL) };

LEARN_INLINE FN(learn_v) FN(learn_load)(const REAL *p) {
    FN(learn_v) v;
    memcpy(&v, p, sizeof v);
    return v;
}
LEARN_INLINE void FN(learn_store)(REAL *p, FN(learn_v) v) {
    memcpy(p, &v, sizeof v);
}
LEARN_INLINE FN(learn_v) FN(learn_splat)(REAL x) {
    const FN(learn_v) zero = {0};
    return x - zero; /* one instruction */
}

LEARN_INLINE FN(learn_v) FN(learn_plus_product)(FN(learn_v) a, FN(learn_v) b, FN(learn_v) c) {
#if !LEARN_FUSED
    return a * b + c;
#elif defined(__AVX512F__)
    return _Generic(a[0],
        float: (FN(learn_v))_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c),
        double: (FN(learn_v))_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c));
#elif defined(__FMA__)
    return _Generic(a[0],
        float: (FN(learn_v))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c),
        double: (FN(learn_v))_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c));
#else
    return _Generic(a[0],
        float: (FN(learn_v))vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b),
        double: (FN(learn_v))vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b));
#endif
}

LEARN_INLINE FN(learn_v) FN(learn_positive)(FN(learn_v) x) { /* of a NaN it makes a NaN */
    const FN(learn_v) zero = {0};
    return (FN(learn_v))(~(x < zero) & (FN(learn_mask))x);
}

typedef struct FN(learn_product) {
    const REAL *left; /* element (row, k) at row * left_row + k * left_step */
    size_t left_row, left_step;
    const REAL *right; /* [depth][width] */
    size_t right_row;
    REAL *out; /* [rows][width] */
    size_t out_row;
    const REAL *bias, *other; /* [width]; as `out` */
    size_t rows, width, depth;
    uint32_t activation;
} FN(learn_product);

LEARN_INLINE void FN(learn_block)(const FN(learn_product) * p, size_t row, size_t column, const int mode,
                                  const int rows, const int vectors) {
    enum { L = FN(learn_LANES) };
    const size_t left_row = p->left_row, left_step = p->left_step, right_row = p->right_row;
    const REAL *left = p->left + row * left_row, *right = p->right + column;
    FN(learn_v) sum[LEARN_BLOCK][2];
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
        mode == LEARN_FORWARD ? FN(learn_load)(p->bias + column + j * L) : FN(learn_splat)(0);
    for (size_t k = p->depth; k > 0; k--, left += left_step, right += right_row) {
        FN(learn_v) of_right[2];
        LEARN_UNROLL for (int j = 0; j < vectors; j++) of_right[j] = FN(learn_load)(right + j * L);
        LEARN_UNROLL for (int r = 0; r < rows; r++) {
            FN(learn_v) of_left = FN(learn_splat)(left[(size_t)r * left_row]);
            LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
                FN(learn_plus_product)(of_left, of_right[j], sum[r][j]);
        }
    }
    const FN(learn_v) zero = {0};
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) {
        REAL *out = p->out + (row + (size_t)r) * p->out_row + column + j * L;
        FN(learn_v) x = sum[r][j];
        if (mode == LEARN_ADD)
            x += FN(learn_load)(out);
        else if (mode == LEARN_FORWARD)
            x = p->activation == LEARN_RELU ? FN(learn_positive)(x) : x;
        else {
            FN(learn_v) y = FN(learn_load)(p->other + (row + (size_t)r) * p->out_row + column + j * L);
            if (p->activation == LEARN_RELU)
                x = (FN(learn_v))((y > zero) & (FN(learn_mask))x);
            else if (p->activation == LEARN_TANH)
                x *= 1 - y * y;
        }
        FN(learn_store)(out, x);
    }
}

LEARN_INLINE void FN(learn_columns)(const FN(learn_product) * p, size_t column, const int mode, const int vectors) {
    size_t row = 0;
    for (; row + LEARN_BLOCK <= p->rows; row += LEARN_BLOCK)
        FN(learn_block)(p, row, column, mode, LEARN_BLOCK, vectors);
    if (LEARN_BLOCK > 6 && row + 6 <= p->rows)
        FN(learn_block)(p, row, column, mode, 6, vectors), row += 6;
    switch (p->rows - row) {
    case 5:
        FN(learn_block)(p, row, column, mode, 5, vectors);
        break;
    case 4:
        FN(learn_block)(p, row, column, mode, 4, vectors);
        break;
    case 3:
        FN(learn_block)(p, row, column, mode, 3, vectors);
        break;
    case 2:
        FN(learn_block)(p, row, column, mode, 2, vectors);
        break;
    case 1:
        FN(learn_block)(p, row, column, mode, 1, vectors);
        break;
    default:
        break;
    }
}

/* Widths may be rounded up to vectors: rows of `right`, `out`, `other` and `bias` have room for that, filled with 0. */
LEARN_INLINE void FN(learn_multiply)(const FN(learn_product) * p, const int mode) {
    enum { L = FN(learn_LANES) };
    size_t column = 0;
    for (; column + L < p->width; column += 2 * L)
        FN(learn_columns)(p, column, mode, 2);
    if (column < p->width)
        FN(learn_columns)(p, column, mode, 1);
}

static void FN(learn_forward_product)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_FORWARD);
}
static void FN(learn_add_product)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_ADD);
}
static void FN(learn_back_product)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_BACK);
}

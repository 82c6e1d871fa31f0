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

#define VECTOR_BYTES LEARN_BYTES
#define VECTOR(name) FN(name)
#include "block.h"
#undef VECTOR_BYTES
#undef VECTOR
#if LEARN_BYTES == 64 /* for what is narrow: as many numbers are multiplied in half the time */
#define VECTOR_BYTES 32
#define VECTOR(name) FN(name##_half)
#include "block.h"
#undef VECTOR_BYTES
#undef VECTOR
#endif

/* Widths may be rounded up to vectors: rows of `right`, `out`, `other` and `bias` have room for that, filled with 0. */
LEARN_INLINE void FN(learn_multiply)(const FN(learn_product) * p, const int mode) {
    enum { L = FN(learn_LANES) };
    size_t column = 0;
    for (; column + L < p->width; column += 2 * L)
        FN(learn_columns)(p, column, mode, 2);
    if (column >= p->width)
        return;
#if LEARN_BYTES == 64
    if (column + L / 2 >= p->width) {
        FN(learn_columns_half)(p, column, mode, 1);
        return;
    }
#endif
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

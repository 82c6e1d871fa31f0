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
#define LEARN_ALONE __attribute__((noinline))
#if defined(__clang__)
#define LEARN_UNROLL _Pragma("clang loop unroll(full)")
#define LEARN_APART _Pragma("clang loop vectorize(assume_safety)") /* arrays of a loop do not overlap */
#else
#define LEARN_UNROLL _Pragma("GCC unroll 12")
#define LEARN_APART _Pragma("GCC ivdep")
#endif
/* Rows with two vectors each, and with one, as registers allow. */
#if defined(__wasm__)
enum { LEARN_BLOCK = 4, LEARN_TALL = 4 }; /* engines load all of a step before its sums, which leaves fewer registers */
#else
enum { LEARN_BLOCK = LEARN_BYTES == 64 ? 12 : 6, LEARN_TALL = 12 };
#endif
/* What becomes of the sums: bias added and then the activation; or bias added, if there is one, and then what was
 * there; or multiplied by the activation's derivative, of which `other` holds the outputs. */
enum { LEARN_FORWARD, LEARN_ADD, LEARN_BACK };
#endif

typedef struct FN(learn_product) {
    const REAL *left; /* element (row, k) at row * left_row + k * left_step */
    size_t left_row, left_step;
    const REAL *right; /* [width / LEARN_PANEL], right_panel apart, [depth], right_row apart, [LEARN_PANEL] */
    size_t right_panel, right_row;
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

/* Functions of their own: where a compiler sees more at once, it takes so many addresses out of the loops that they do
 * not fit the registers. */
static LEARN_ALONE void FN(learn_forward_few)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_FORWARD);
}
static LEARN_ALONE void FN(learn_add_few)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_ADD);
}
static LEARN_ALONE void FN(learn_back_few)(const FN(learn_product) * p) {
    FN(learn_multiply)(p, LEARN_BACK);
}

/* A tile's rows at a time, for they are read once for each two vectors, and should stay near meanwhile. */
LEARN_INLINE void FN(learn_by_tiles)(const FN(learn_product) * p, void (*multiply)(const FN(learn_product) *)) {
    FN(learn_product) few = *p;
    for (size_t left = p->rows; left > 0; left -= few.rows) {
        few.rows = left < LEARN_TILE ? left : LEARN_TILE;
        multiply(&few);
        few.left += few.rows * few.left_row, few.out += few.rows * few.out_row;
        if (few.other)
            few.other += few.rows * few.out_row;
    }
}
static void FN(learn_forward_product)(const FN(learn_product) * p) {
    FN(learn_by_tiles)(p, FN(learn_forward_few));
}
static void FN(learn_add_product)(const FN(learn_product) * p) {
    FN(learn_by_tiles)(p, FN(learn_add_few));
}
static void FN(learn_back_product)(const FN(learn_product) * p) {
    FN(learn_by_tiles)(p, FN(learn_back_few));
}

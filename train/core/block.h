/* A block of a product's rows times one or two vectors of VECTOR_BYTES, whose names are VECTOR(name): see products.h.
 */

typedef REAL VECTOR(learn_v) __attribute__((vector_size(VECTOR_BYTES)));
typedef __typeof__((VECTOR(learn_v)){0} <
                   (VECTOR(learn_v)){0}) VECTOR(learn_mask); /* whole numbers: all bits of a lane, or none */
enum { VECTOR(learn_LANES) = VECTOR_BYTES / sizeof(REAL) };

LEARN_INLINE VECTOR(learn_v) VECTOR(learn_load)(const REAL *p) {
    VECTOR(learn_v) v;
    memcpy(&v, p, sizeof v);
    return v;
}
LEARN_INLINE void VECTOR(learn_store)(REAL *p, VECTOR(learn_v) v) {
    memcpy(p, &v, sizeof v);
}
LEARN_INLINE VECTOR(learn_v) VECTOR(learn_splat)(REAL x) {
    const VECTOR(learn_v) zero = {0};
    return x - zero; /* one instruction */
}

LEARN_INLINE VECTOR(learn_v) VECTOR(learn_plus_product)(VECTOR(learn_v) a, VECTOR(learn_v) b, VECTOR(learn_v) c) {
#if !LEARN_FUSED
    return a * b + c;
#elif VECTOR_BYTES == 64
    return _Generic(a[0],
        float: (VECTOR(learn_v))_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c),
        double: (VECTOR(learn_v))_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c));
#elif defined(__FMA__)
    return _Generic(a[0],
        float: (VECTOR(learn_v))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c),
        double: (VECTOR(learn_v))_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c));
#else
    return _Generic(a[0],
        float: (VECTOR(learn_v))vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b),
        double: (VECTOR(learn_v))vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b));
#endif
}

LEARN_INLINE VECTOR(learn_v) VECTOR(learn_positive)(VECTOR(learn_v) x) { /* of a NaN it makes a NaN */
    const VECTOR(learn_v) zero = {0};
    return (VECTOR(learn_v))(~(x < zero) & (VECTOR(learn_mask))x);
}

LEARN_INLINE void VECTOR(learn_block)(const FN(learn_product) * p, size_t row, size_t column, const int mode,
                                      const int rows, const int vectors) {
    enum { L = VECTOR(learn_LANES) };
    const size_t left_row = p->left_row, left_step = p->left_step, right_row = p->right_row;
    const REAL *left = p->left + row * left_row, *right = p->right + column;
    VECTOR(learn_v) sum[LEARN_BLOCK][2];
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
        mode == LEARN_FORWARD ? VECTOR(learn_load)(p->bias + column + j * L) : VECTOR(learn_splat)(0);
    for (size_t k = p->depth; k > 0; k--, left += left_step, right += right_row) {
        VECTOR(learn_v) of_right[2];
        LEARN_UNROLL for (int j = 0; j < vectors; j++) of_right[j] = VECTOR(learn_load)(right + j * L);
        LEARN_UNROLL for (int r = 0; r < rows; r++) {
            VECTOR(learn_v) of_left = VECTOR(learn_splat)(left[(size_t)r * left_row]);
            LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
                VECTOR(learn_plus_product)(of_left, of_right[j], sum[r][j]);
        }
    }
    const VECTOR(learn_v) zero = {0};
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) {
        REAL *out = p->out + (row + (size_t)r) * p->out_row + column + j * L;
        VECTOR(learn_v) x = sum[r][j];
        if (mode == LEARN_ADD)
            x += VECTOR(learn_load)(out);
        else if (mode == LEARN_FORWARD)
            x = p->activation == LEARN_RELU ? VECTOR(learn_positive)(x) : x;
        else {
            VECTOR(learn_v) y = VECTOR(learn_load)(p->other + (row + (size_t)r) * p->out_row + column + j * L);
            if (p->activation == LEARN_RELU)
                x = (VECTOR(learn_v))((y > zero) & (VECTOR(learn_mask))x);
            else if (p->activation == LEARN_TANH)
                x *= 1 - y * y;
        }
        VECTOR(learn_store)(out, x);
    }
}

LEARN_INLINE void VECTOR(learn_columns)(const FN(learn_product) * p, size_t column, const int mode, const int vectors) {
    size_t row = 0;
    for (; row + LEARN_BLOCK <= p->rows; row += LEARN_BLOCK)
        VECTOR(learn_block)(p, row, column, mode, LEARN_BLOCK, vectors);
    if (LEARN_BLOCK > 6 && row + 6 <= p->rows)
        VECTOR(learn_block)(p, row, column, mode, 6, vectors), row += 6;
    switch (p->rows - row) {
    case 5:
        VECTOR(learn_block)(p, row, column, mode, 5, vectors);
        break;
    case 4:
        VECTOR(learn_block)(p, row, column, mode, 4, vectors);
        break;
    case 3:
        VECTOR(learn_block)(p, row, column, mode, 3, vectors);
        break;
    case 2:
        VECTOR(learn_block)(p, row, column, mode, 2, vectors);
        break;
    case 1:
        VECTOR(learn_block)(p, row, column, mode, 1, vectors);
        break;
    default:
        break;
    }
}

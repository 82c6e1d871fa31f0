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

/* What becomes of a block's sums: see products.h. */
LEARN_INLINE void VECTOR(learn_finish)(VECTOR(learn_v) sum[][2], const int mode, const int rows, const int vectors,
                                       const uint32_t activation, REAL *out, const REAL *other, size_t row) {
    enum { L = VECTOR(learn_LANES) };
    const VECTOR(learn_v) zero = {0};
    LEARN_UNROLL for (int r = 0; r < rows; r++) LEARN_UNROLL for (int j = 0; j < vectors; j++) {
        VECTOR(learn_v) x = sum[r][j];
        const size_t at = (size_t)r * row + (size_t)j * L;
        if (mode == LEARN_ADD)
            x += VECTOR(learn_load)(out + at);
        else if (mode == LEARN_FORWARD)
            x = activation == LEARN_RELU ? VECTOR(learn_positive)(x) : x;
        else {
            VECTOR(learn_v) y = VECTOR(learn_load)(other + at);
            if (activation == LEARN_RELU)
                x = (VECTOR(learn_v))((y > zero) & (VECTOR(learn_mask))x);
            else if (activation == LEARN_TANH)
                x *= 1 - y * y;
        }
        VECTOR(learn_store)(out + at, x);
    }
}

LEARN_INLINE void VECTOR(learn_block)(const FN(learn_product) * p, size_t row, size_t column, const int mode,
                                      const int rows, const int vectors) {
    enum { L = VECTOR(learn_LANES) };
    const size_t left_row = p->left_row, left_step = p->left_step, right_row = p->right_row;
    const size_t next = L < LEARN_PANEL ? L : p->right_panel;
    const REAL *left = p->left + row * left_row;
    const REAL *right = p->right + column / LEARN_PANEL * p->right_panel + column % LEARN_PANEL;
    const bool biased = mode == LEARN_FORWARD || (mode == LEARN_ADD && p->bias);
    VECTOR(learn_v) sum[LEARN_TALL][2];
    LEARN_UNROLL for (int j = 0; j < vectors; j++) {
        VECTOR(learn_v) bias = biased ? VECTOR(learn_load)(p->bias + column + j * L) : VECTOR(learn_splat)(0);
        LEARN_UNROLL for (int r = 0; r < rows; r++) sum[r][j] = bias;
    }
    for (size_t k = p->depth; k > 0; k--, left += left_step, right += right_row) {
        VECTOR(learn_v) of_right[2];
        LEARN_UNROLL for (int j = 0; j < vectors; j++) of_right[j] = VECTOR(learn_load)(right + (size_t)j * next);
        LEARN_UNROLL for (int r = 0; r < rows; r++) {
            VECTOR(learn_v) of_left = VECTOR(learn_splat)(left[(size_t)r * left_row]);
            LEARN_UNROLL for (int j = 0; j < vectors; j++) sum[r][j] =
                VECTOR(learn_plus_product)(of_left, of_right[j], sum[r][j]);
        }
    }
    /* Read once: for all that compilers know, what is written could be what `p` points to. */
    const size_t out_row = p->out_row, at = row * out_row + column;
    REAL *out = p->out + at;
    const REAL *other = mode == LEARN_BACK ? p->other + at : NULL;
    const uint32_t activation = p->activation;
    if (activation == LEARN_RELU && mode != LEARN_ADD)
        VECTOR(learn_finish)(sum, mode, rows, vectors, LEARN_RELU, out, other, out_row);
    else if (activation == LEARN_TANH && mode == LEARN_BACK)
        VECTOR(learn_finish)(sum, mode, rows, vectors, LEARN_TANH, out, other, out_row);
    else
        VECTOR(learn_finish)(sum, mode, rows, vectors, LEARN_NO_ACTIVATION, out, other, out_row);
}

LEARN_INLINE void VECTOR(learn_columns)(const FN(learn_product) * p, size_t column, const int mode, const int vectors) {
    const int most = vectors == 1 ? LEARN_TALL : LEARN_BLOCK;
    size_t row = 0;
    for (; row + (size_t)most <= p->rows; row += (size_t)most)
        VECTOR(learn_block)(p, row, column, mode, most, vectors);
    if (most > 6 && row + 6 <= p->rows)
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

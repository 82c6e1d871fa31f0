/* ---- What a session calls of the instruction set that it runs on. */
/* The product of rows with packed weights: y[r][j] = bias[j] + sum over i, in order, of x[r][i] w[j][i], and then of
 * what comes besides, so that an input and a state need not lie side by side. */
typedef struct mnw_product_of {
    const float *w;    /* [panels][k][16] */
    const float *bias; /* [panels][16]; NULL: zeros */
    const float *x;    /* [rows][k] */
    float *y;          /* [rows][n] */
    size_t n, k;
    const float *more_w, *more_x; /* the same for more_k inputs; NULL, NULL, 0: nothing */
    size_t more_k;
} mnw_product_of;

/* A block's rows of inputs: four at x and after `by` numbers, the others, as far, from `then` on. And its sums: where
 * they come from and go to, the numbers from row to row. */
typedef struct mnw_rows {
    const float *x, *then;
    size_t by[4];
    const float *sums;
    float *to;
    size_t sums_by, to_by;
} mnw_rows;

/* to = sums + x w for k inputs in order; panels are `panel` numbers apart. */
typedef void (*mnw_sum)(const mnw_rows *from, const float *w, size_t panel, size_t k);

typedef struct mnw_kernels {
    /* Blocks of a product: [rows][columns] and [rows][few]; [1][most], [1][half] and [1][few]. */
    mnw_sum tall, thin, wide, middle, least;
    uint32_t rows, columns, few, most, half;
    /* y[i] = f(x[i]), with up to two attributes */
    void (*unary)(uint32_t code, float *y, const float *x, size_t n, const float *attr);
    /* a and b advance by `by` numbers from one result to the next: 1, or 0 for a number that stands for all */
    void (*binary)(uint32_t code, float *y, const float *a, size_t by_a, const float *b, size_t by_b, size_t n);
    /* y[i] = (1 - z[i]) a[i] + z[i] b[i] */
    void (*mix)(float *y, const float *a, const float *b, const float *z, size_t n);
    /* y[i] = tanh(x[i]) where tangent is 1, or the sigmoid of x[i] */
    void (*gates)(float *y, const float *x, size_t n, int tangent);
    /* one row: the cell from gates [4][n], in the order i, f, g, o */
    void (*lstm)(float *c, const float *gates, const float *before, size_t n);
    /* one row: h, which was the sigmoid of hidden, from parts [2][n], hidden and gate */
    void (*mingru)(float *h, const float *parts, const float *before, size_t n);
    /* one row: what x and what h give, [3][n] each, in the order r, z, n */
    void (*gru)(float *h, const float *of_x, const float *of_h, const float *before, size_t n);
} mnw_kernels;

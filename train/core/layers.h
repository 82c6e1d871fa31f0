/* The way through layers and back. */

/* A layer's product for some rows: left [rows][in_row] -> out [rows][out_row]. */
static FN(learn_product)
    FN(learn_weighing)(const FN(learn_layer) * of, const REAL *packed, size_t rows, const REAL *left, REAL *out) {
    const REAL *turned = packed + of->packed;
    return (FN(learn_product)){.left = left,
                               .left_row = of->in_row,
                               .left_step = 1,
                               .right = turned,
                               .right_panel = LEARN_PANEL * of->in,
                               .right_row = LEARN_PANEL,
                               .out = out,
                               .out_row = of->out_row,
                               .bias = turned + of->in * of->out_row + of->out * of->in_row,
                               .rows = rows,
                               .width = of->out,
                               .depth = of->in,
                               .activation = of->activation};
}

/* Its outputs. */
static void FN(learn_weigh)(const FN(learn_layer) * of, const REAL *packed, size_t rows, const REAL *left, REAL *out) {
    const FN(learn_product) product = FN(learn_weighing)(of, packed, rows, left, out);
    FN(learn_forward_product)(&product);
    for (size_t i = 0; of->activation == LEARN_TANH && i < rows; i++)
        for (size_t j = 0; j < of->out; j++)
            out[i * of->out_row + j] = LEARN_TANH_OF(out[i * of->out_row + j]);
}

/* The activation (Hendrycks and Gimpel, 2016; Elfwing et al., 2018) of n numbers, or x times its derivative. */
static void FN(learn_smoothen)(uint32_t activation, size_t n, const REAL *restrict z, REAL *restrict y) {
    if (activation == LEARN_GELU)
        LEARN_APART for (size_t j = 0; j < n; j++) y[j] =
            z[j] * (REAL)0.5 * (LEARN_ERF_OF(z[j] * (REAL)0.70710678118654752) + 1);
    if (activation == LEARN_SILU)
        LEARN_APART for (size_t j = 0; j < n; j++) y[j] = z[j] / (1 + LEARN_EXP_OF(-z[j]));
}
static void FN(learn_slope)(uint32_t activation, size_t n, const REAL *restrict z, REAL *restrict x) {
    if (activation == LEARN_GELU)
        LEARN_APART for (size_t j = 0; j < n; j++) {
            REAL below = (LEARN_ERF_OF(z[j] * (REAL)0.70710678118654752) + 1) * (REAL)0.5;
            x[j] *= below + z[j] * LEARN_EXP_OF(z[j] * z[j] * (REAL)-0.5) * (REAL)0.39894228040143268;
        }
    if (activation == LEARN_SILU)
        LEARN_APART for (size_t j = 0; j < n; j++) {
            REAL s = 1 / (1 + LEARN_EXP_OF(-z[j]));
            x[j] *= s * (1 + z[j] * (1 - s));
        }
}

/* Adds the gradients of a layer whose outputs' gradient is d [rows][out_row] and whose inputs are x. */
static void FN(learn_add)(const FN(learn_layer) * of, size_t rows, const REAL *d, const REAL *x, REAL *gradient) {
    FN(learn_product)
    product = {.left = d,
               .left_row = 1,
               .left_step = of->out_row,
               .right = x,
               .right_panel = LEARN_PANEL,
               .right_row = of->in_row,
               .out = gradient + of->gradient,
               .out_row = of->in_row,
               .rows = of->out,
               .width = of->in,
               .depth = rows};
    FN(learn_add_product)(&product);
    REAL *of_bias = gradient + of->gradient + of->out * of->in_row;
    for (size_t j = 0; j < of->out; j += 16) { /* there is room for sixteen at a time */
        REAL sum[16] = {0};
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < 16; k++)
                sum[k] += d[r * of->out_row + j + k];
        for (size_t k = 0; k < 16; k++)
            of_bias[j + k] += sum[k];
    }
}

/* From d, the gradient of a layer's outputs [rows][out_row], to that of its inputs, which are the outputs `x` of an
 * activation. */
static void FN(learn_return)(const FN(learn_layer) * of, const REAL *packed, size_t rows, const REAL *d, const REAL *x,
                             uint32_t activation, REAL *d_x) {
    const FN(learn_product) product = {.left = d,
                                       .left_row = of->out_row,
                                       .left_step = 1,
                                       .right = packed + of->packed + of->in * of->out_row,
                                       .right_panel = LEARN_PANEL * of->out,
                                       .right_row = LEARN_PANEL,
                                       .out = d_x,
                                       .out_row = of->in_row,
                                       .other = x,
                                       .rows = rows,
                                       .width = of->in,
                                       .depth = of->out,
                                       .activation = activation};
    FN(learn_back_product)(&product);
}

/* d, the gradient of an activation's outputs y, becomes that of what went in, z. */
static void FN(learn_bend)(uint32_t activation, size_t n, const REAL *restrict y, const REAL *restrict z,
                           REAL *restrict d) {
    if (activation == LEARN_RELU)
        LEARN_APART for (size_t j = 0; j < n; j++) d[j] = y[j] > 0 ? d[j] : 0;
    if (activation == LEARN_TANH)
        LEARN_APART for (size_t j = 0; j < n; j++) d[j] *= 1 - y[j] * y[j];
    FN(learn_slope)(activation, n, z, d);
}

/* `rows` rows of its input through a chain; returns what the last layer made. */
static REAL *FN(learn_through)(const FN(learn_net) * net, const REAL *packed, size_t rows,
                               const FN(learn_chain) * chain) {
    for (size_t l = 0; l < chain->count; l++) {
        const FN(learn_layer) *of = &chain->layer[l];
        bool smooth = FN(learn_smooth)(of->activation);
        REAL *y = FN(learn_output)(net, chain, l + 1), *z = smooth ? FN(learn_before)(net, chain, l) : y;
        FN(learn_weigh)(of, packed, rows, FN(learn_output)(net, chain, l), z);
        for (size_t i = 0; smooth && i < rows; i++)
            FN(learn_smoothen)(of->activation, of->out, z + i * of->out_row, y + i * of->out_row);
    }
    return FN(learn_output)(net, chain, chain->count);
}

/* Back through it: from d, the gradient of the sums of layer `of`, which took what the chain made, to d_x, that of what
 * went in, unless that is NULL. */
static void FN(learn_back)(const FN(learn_net) * net, const REAL *packed, const FN(learn_layer) * of, size_t rows,
                           const REAL *d, const FN(learn_chain) * chain, REAL *const spare[2], REAL *gradient,
                           REAL *d_x) {
    for (size_t l = chain->count; l-- > 0;) {
        const uint32_t activation = chain->layer[l].activation;
        bool smooth = FN(learn_smooth)(activation);
        REAL *d_y = spare[l % 2];
        FN(learn_return)(of, packed, rows, d, FN(learn_output)(net, chain, l + 1),
                         smooth ? LEARN_NO_ACTIVATION : activation, d_y);
        for (size_t i = 0; smooth && i < rows; i++)
            FN(learn_slope)(activation, of->in, FN(learn_before)(net, chain, l) + i * of->in_row, d_y + i * of->in_row);
        of = &chain->layer[l];
        d = d_y;
        FN(learn_add)(of, rows, d, FN(learn_output)(net, chain, l), gradient);
    }
    if (d_x)
        FN(learn_return)(of, packed, rows, d, chain->x, LEARN_NO_ACTIVATION, d_x);
}

/* What the heads make of y, into the tile's head. */
static void FN(learn_tell)(const FN(learn_net) * net, const REAL *packed, size_t n, const REAL *y,
                           const FN(learn_tile) * tile) {
    size_t parts = FN(learn_parts)(net);
    const FN(learn_layer) *of = &tile->layer[tile->plan.heads], *worth = of + 1;
    FN(learn_weigh)(of, packed, n * parts, y, tile->made);
    if (tile->worth) {
        FN(learn_weigh)(worth, packed, n, FN(learn_through)(net, packed, n, &tile->encoder[1]), tile->worth);
        for (size_t s = 0; s < n; s++)
            tile->made[s * of->out_row + of->out - 1] += tile->worth[s * worth->out_row];
    }
    if (tile->head == tile->made)
        return;
    const REAL *made = tile->made, *log_std = packed + FN(learn_packed)(net) - net->heads;
    for (REAL *head = tile->head; n > 0; n--, head += tile->head_row, made += parts * of->out_row)
        if (net->parts) {
            REAL sum = 0;
            for (size_t part = 0; part < parts; part++)
                head[part] = made[part * of->out_row], sum += made[part * of->out_row + 1];
            for (size_t j = parts; j < net->choices; j++)
                head[j] = 0;
            head[net->choices] = sum / (REAL)parts;
        } else {
            for (size_t h = 0; h < net->heads; h++) {
                head[h] = made[h] * net->reach[h] + net->middle[h];
                head[net->heads + h] = log_std[h];
            }
            head[2 * net->heads] = made[net->heads];
        }
}

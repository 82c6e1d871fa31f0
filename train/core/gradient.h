/* The gradients of samples, back through the network. */

/* cffi: begin */
LEARN_API void FN(learn_gradient)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                  const int64_t *index, const REAL *importance, const size_t *offset, size_t first,
                                  size_t last, REAL *gradient, double *sums, REAL *room);
/* cffi: end */

/* The gradient of `head` becomes that of what the last layer made; those of deviations are added up. */
static void FN(learn_untell)(const FN(learn_net) * net, size_t n, const FN(learn_tile) * tile, REAL *of_log_std) {
    size_t parts = net->parts ? net->parts : 1, width = FN(learn_width)(net);
    size_t row = FN(learn_layer_of)(net, FN(learn_last)(net)).out_row;
    for (size_t s = 0; s < n; s++) {
        const REAL *d = tile->head + s * width;
        REAL *made = tile->made + s * parts * row;
        if (net->parts) {
            for (size_t part = 0; part < parts; part++) {
                made[part * row] = d[part];
                made[part * row + 1] = d[net->choices] / (REAL)parts;
            }
        } else if (net->choices) {
            memcpy(made, d, width * sizeof *d);
        } else {
            for (size_t h = 0; h < net->heads; h++) {
                made[h] = d[h] * net->reach[h];
                of_log_std[h] += d[net->heads + h];
            }
            made[net->heads] = d[2 * net->heads];
        }
    }
}

/* Adds the gradients of a layer whose outputs' gradient is d [rows][out_row] and whose inputs are x. */
static void FN(learn_add)(const FN(learn_layer) * of, size_t rows, const REAL *d, const REAL *x, REAL *gradient) {
    FN(learn_product)
    product = {.left = d,
               .left_row = 1,
               .left_step = of->out_row,
               .right = x,
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
                                       .right_row = of->in_row,
                                       .out = d_x,
                                       .out_row = of->in_row,
                                       .other = x,
                                       .rows = rows,
                                       .width = of->in,
                                       .depth = of->out,
                                       .activation = activation};
    FN(learn_back_product)(&product);
}

/* Samples, or with memory rows, of one tile at index[0 ... n). */
static void FN(learn_differentiate)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                    size_t n, const int64_t *index, const REAL *importance, const FN(learn_tile) * tile,
                                    REAL *gradient, double *sums) {
    size_t steps = net->memory ? net->steps : 1, last = FN(learn_last)(net), width = FN(learn_width)(net);
    size_t rows = n * steps * (net->parts ? net->parts : 1);
    bool smooth = FN(learn_smooth)(net);
    int64_t places[LEARN_TILE];
    REAL weights[LEARN_TILE];
    for (size_t t = 0; t < steps; t++) {
        const int64_t *at = index;
        if (net->memory) {
            at = places;
            for (size_t i = 0; i < n; i++)
                places[i] = (int64_t)(t * batch->rows) + index[i];
        }
        FN(learn_take)(net, batch->obs, at, 0, n, tile->x + t * n * FN(learn_stride)(net->inputs));
    }
    const REAL *y = FN(learn_encode)(net, packed, rows, tile), *top = y;
    if (net->memory) {
        FN(learn_spread)(net, n, batch->hidden, index, tile->before);
        FN(learn_spread)(net, n, batch->cell, index, tile->cell_before);
        FN(learn_steps)(net, packed, steps, n, y, batch->resets, batch->rows, index, tile);
        top = tile->hidden;
    }
    FN(learn_tell)(net, packed, n * steps, top, tile, tile->head);
    for (size_t s = 0; s < n * steps; s += LEARN_TILE) {
        size_t m = n * steps - s < LEARN_TILE ? n * steps - s : LEARN_TILE;
        for (size_t i = 0; i < m; i++) {
            places[i] = (int64_t)((s + i) / n * batch->rows) + index[(s + i) % n];
            weights[i] = importance ? importance[(s + i) % n] : 1;
        }
        FN(learn_objective)(net, batch, m, net->memory ? places : index + s, weights, tile->head + s * width,
                            tile->scratch, sums);
    }
    FN(learn_untell)(net, n * steps, tile, gradient + FN(learn_gradients)(net) - net->heads);
    FN(learn_layer) of = FN(learn_layer_of)(net, last);
    REAL *d = tile->made;
    FN(learn_add)(&of, rows, d, top, gradient);
    if (net->memory) {
        FN(learn_return)(&of, packed, rows, d, top, LEARN_NO_ACTIVATION, tile->d[0]);
        FN(learn_unwind)(net, packed, steps, n, batch->resets, batch->rows, index, tile, tile->d[0]);
        if (net->memory != LEARN_MINGRU) {
            of = FN(learn_layer_of)(net, net->layers + 1);
            FN(learn_add)(&of, rows, tile->held, tile->before, gradient);
        }
        of = FN(learn_layer_of)(net, net->layers);
        d = tile->given;
        FN(learn_add)(&of, rows, d, y, gradient);
    }
    for (size_t l = net->layers; l-- > 0;) {
        REAL *d_y = tile->d[l % 2];
        FN(learn_return)(&of, packed, rows, d, FN(learn_output)(net, tile, l + 1),
                         smooth ? LEARN_NO_ACTIVATION : net->activation, d_y);
        for (size_t i = 0; smooth && i < rows; i++)
            FN(learn_slope)(net->activation, of.in, FN(learn_before)(net, tile, l) + i * of.in_row,
                            d_y + i * of.in_row);
        of = FN(learn_layer_of)(net, l);
        d = d_y;
        FN(learn_add)(&of, rows, d, FN(learn_output)(net, tile, l), gradient);
    }
}

/* The gradients of the objective, summed over the samples, or with memory the rows, of strands `first` to `last` - 1:
 * strand i has those at index[offset[i] ... offset[i + 1]), with importance[...] unless that is NULL; its gradient
 * becomes gradient[i - first][gradients], and what is measured sums[i - first][LEARN_SUMS]. */
LEARN_API void FN(learn_gradient)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                  const int64_t *index, const REAL *importance, const size_t *offset, size_t first,
                                  size_t last, REAL *gradient, double *sums, REAL *room) {
    FN(learn_tile) tile = FN(learn_tile_in)(net, room);
    size_t each = net->memory ? LEARN_SEQUENCES : FN(learn_samples)(net), numbers = FN(learn_gradients)(net);
    for (size_t strand = first; strand < last; strand++, gradient += numbers, sums += LEARN_SUMS) {
        memset(gradient, 0, numbers * sizeof *gradient);
        memset(sums, 0, LEARN_SUMS * sizeof *sums);
        for (size_t i = offset[strand]; i < offset[strand + 1]; i += each) {
            size_t n = offset[strand + 1] - i < each ? offset[strand + 1] - i : each;
            FN(learn_differentiate)(net, packed, batch, n, index + i, importance ? importance + i : NULL, &tile,
                                    gradient, sums);
        }
    }
}

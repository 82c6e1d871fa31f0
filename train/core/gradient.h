/* The gradients of samples, back through the network. */

/* cffi: begin */
LEARN_API void FN(learn_gradient)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                  const int64_t *index, const REAL *importance, const size_t *offset, size_t first,
                                  size_t last, REAL *gradient, double *sums, REAL *room);
/* cffi: end */

/* The gradient of `head` becomes that of what the last layer made; those of deviations are added up. */
static void FN(learn_untell)(const FN(learn_net) * net, size_t n, const FN(learn_tile) * tile, REAL *of_log_std) {
    size_t parts = net->parts ? net->parts : 1, width = FN(learn_width)(net);
    size_t row = FN(learn_layer_of)(net, net->layers).out_row;
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

/* The gradients of the objective, summed over the samples of strands `first` to `last` - 1: strand i has the samples
 * index[offset[i] ... offset[i + 1]), with importance[...] unless that is NULL; its gradient becomes
 * gradient[i - first][gradients], and what is measured sums[i - first][LEARN_SUMS]. */
LEARN_API void FN(learn_gradient)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                  const int64_t *index, const REAL *importance, const size_t *offset, size_t first,
                                  size_t last, REAL *gradient, double *sums, REAL *room) {
    FN(learn_tile) tile = FN(learn_tile_in)(net, room);
    size_t each = FN(learn_samples)(net), parts = net->parts ? net->parts : 1, numbers = FN(learn_gradients)(net);
    memset(room, 0, FN(learn_room)(net) * sizeof *room);
    for (size_t strand = first; strand < last; strand++, gradient += numbers, sums += LEARN_SUMS) {
        memset(gradient, 0, numbers * sizeof *gradient);
        memset(sums, 0, LEARN_SUMS * sizeof *sums);
        for (size_t i = offset[strand]; i < offset[strand + 1]; i += each) {
            size_t n = offset[strand + 1] - i < each ? offset[strand + 1] - i : each, rows = n * parts;
            FN(learn_take)(net, batch->obs, index + i, 0, n, tile.x);
            FN(learn_through)(net, packed, n, &tile, tile.head);
            FN(learn_objective)(net, batch, n, index + i, importance ? importance + i : NULL, &tile, sums);
            FN(learn_untell)(net, n, &tile, gradient + numbers - net->heads);
            const REAL *d = tile.made;
            for (size_t l = net->layers;; l--) {
                FN(learn_layer) of = FN(learn_layer_of)(net, l);
                REAL *x = FN(learn_output)(net, &tile, l), *d_x = tile.d[l % 2];
                FN(learn_add)(&of, rows, d, x, gradient);
                if (l == 0)
                    break;
                FN(learn_product)
                product = {.left = d,
                           .left_row = of.out_row,
                           .left_step = 1,
                           .right = packed + of.packed + of.in * of.out_row,
                           .right_row = of.in_row,
                           .out = d_x,
                           .out_row = of.in_row,
                           .other = x,
                           .rows = rows,
                           .width = of.in,
                           .depth = of.out,
                           .activation = net->activation};
                FN(learn_back_product)(&product);
                d = d_x;
            }
        }
    }
}

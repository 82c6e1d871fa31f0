/* The gradients of samples, back through the network. */

/* The gradient of `head` becomes that of what the last layer made; those of deviations are added up. */
static void LEARN(untell)(const LEARN(net) * net, size_t n, const LEARN(tile) * tile, LEARN_REAL *of_log_std) {
    size_t parts = net->parts ? net->parts : 1, width = LEARN(width)(net);
    size_t row = LEARN(layer_of)(net, net->layers).out_row;
    for (size_t s = 0; s < n; s++) {
        const LEARN_REAL *d = tile->head + s * width;
        LEARN_REAL *made = tile->made + s * parts * row;
        if (net->parts) {
            for (size_t part = 0; part < parts; part++) {
                made[part * row] = d[part];
                made[part * row + 1] = d[net->choices] / (LEARN_REAL)parts;
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
static void LEARN(add)(const LEARN(layer) * of, size_t rows, const LEARN_REAL *d, const LEARN_REAL *x,
                       LEARN_REAL *gradient) {
    LEARN(product)
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
    LEARN(add_product)(&product);
    LEARN_REAL *of_bias = gradient + of->gradient + of->out * of->in_row;
    for (size_t j = 0; j < of->out; j += 16) { /* there is room for sixteen at a time */
        LEARN_REAL sum[16] = {0};
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
LEARN_API void LEARN(gradient)(const LEARN(net) * net, const LEARN_REAL *packed, const LEARN(batch) * batch,
                               const int64_t *index, const LEARN_REAL *importance, const size_t *offset, size_t first,
                               size_t last, LEARN_REAL *gradient, double *sums, LEARN_REAL *room) {
    LEARN(tile) tile = LEARN(tile_in)(net, room);
    size_t each = LEARN(samples)(net), parts = net->parts ? net->parts : 1, numbers = LEARN(gradients)(net);
    memset(room, 0, LEARN(room)(net) * sizeof *room);
    for (size_t strand = first; strand < last; strand++, gradient += numbers, sums += LEARN_SUMS) {
        memset(gradient, 0, numbers * sizeof *gradient);
        memset(sums, 0, LEARN_SUMS * sizeof *sums);
        for (size_t i = offset[strand]; i < offset[strand + 1]; i += each) {
            size_t n = offset[strand + 1] - i < each ? offset[strand + 1] - i : each, rows = n * parts;
            LEARN(take)(net, batch->obs, index + i, 0, n, tile.x);
            LEARN(through)(net, packed, n, &tile, tile.head);
            LEARN(objective)(net, batch, n, index + i, importance ? importance + i : NULL, &tile, sums);
            LEARN(untell)(net, n, &tile, gradient + numbers - net->heads);
            const LEARN_REAL *d = tile.made;
            for (size_t l = net->layers;; l--) {
                LEARN(layer) of = LEARN(layer_of)(net, l);
                LEARN_REAL *x = LEARN(output)(net, &tile, l), *d_x = tile.d[l % 2];
                LEARN(add)(&of, rows, d, x, gradient);
                if (l == 0)
                    break;
                LEARN(product)
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
                LEARN(back_product)(&product);
                d = d_x;
            }
        }
    }
}

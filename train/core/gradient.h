/* The gradients of samples, back through the network. */

/* cffi: begin */
LEARN_API void FN(learn_gradient)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                  const int64_t *index, const REAL *importance, const size_t *offset, size_t first,
                                  size_t last, REAL *gradient, double *sums, REAL *room);
/* cffi: end */

/* The gradient of `head` becomes that of what the last layer made; those of deviations are added up. */
static void FN(learn_untell)(const FN(learn_net) * net, size_t n, const FN(learn_tile) * tile, REAL *of_log_std) {
    size_t parts = FN(learn_parts)(net), row = tile->layer[tile->plan.heads].out_row;
    const REAL *d = tile->head;
    REAL *made = tile->made;
    for (size_t s = 0; tile->worth && s < n; s++)
        tile->worth[s * FN(learn_stride)(1)] = d[s * tile->head_row + FN(learn_width)(net) - 1];
    if (d == made)
        return;
    for (; n > 0; n--, d += tile->head_row, made += parts * row)
        if (net->parts) {
            for (size_t part = 0; part < parts; part++) {
                made[part * row] = d[part];
                made[part * row + 1] = d[net->choices] / (REAL)parts;
            }
        } else {
            for (size_t h = 0; h < net->heads; h++) {
                made[h] = d[h] * net->reach[h];
                of_log_std[h] += d[net->heads + h];
            }
            made[net->heads] = d[2 * net->heads];
        }
}

/* Samples, or with memory rows, of one tile at index[0 ... n). */
static void FN(learn_differentiate)(const FN(learn_net) * net, const REAL *packed, const FN(learn_batch) * batch,
                                    size_t n, const int64_t *index, const REAL *importance, const FN(learn_tile) * tile,
                                    REAL *gradient, double *sums) {
    const FN(learn_chain) *encoder = tile->encoder;
    const learn_places picked = {.stride = batch->rows, .n = n, .index = index};
    size_t steps = net->memory ? net->steps : 1, rows = n * steps * FN(learn_parts)(net);
    int64_t places[LEARN_TILE];
    REAL weights[LEARN_TILE];
    FN(learn_take)(net, packed, batch->obs, &picked, n * steps, tile);
    const REAL *y = FN(learn_through)(net, packed, rows, encoder), *top = y;
    if (net->memory) {
        FN(learn_spread)(net, n, batch->hidden, index, tile->before);
        FN(learn_spread)(net, n, batch->cell, index, tile->cell_before);
        FN(learn_steps)(net, packed, steps, n, y, batch->resets, batch->rows, index, tile);
        top = tile->hidden;
    }
    FN(learn_tell)(net, packed, n * steps, top, tile);
    for (size_t s = 0; s < n * steps; s += LEARN_TILE) {
        size_t m = n * steps - s < LEARN_TILE ? n * steps - s : LEARN_TILE;
        for (size_t i = 0; i < m; i++) {
            places[i] = (int64_t)((s + i) / n * batch->rows) + index[(s + i) % n];
            weights[i] = importance ? importance[(s + i) % n] : 1;
        }
        FN(learn_objective)(net, batch, m, net->memory ? places : index + s, weights, tile->head + s * tile->head_row,
                            tile->head_row, tile->scratch, sums);
    }
    FN(learn_untell)(net, n * steps, tile, gradient + FN(learn_gradients)(net) - net->heads);
    const FN(learn_layer) *of = &tile->layer[tile->plan.heads];
    if (tile->worth) {
        FN(learn_add)(of + 1, rows, tile->worth, FN(learn_output)(net, &encoder[1], encoder[1].count), gradient);
        FN(learn_back)(net, packed, of + 1, rows, tile->worth, &encoder[1], tile->d, gradient,
                       FN(learn_wanted)(net, tile, true));
        FN(learn_give_back)(net, packed, true, rows, tile, gradient);
    }
    REAL *d = tile->made;
    FN(learn_add)(of, rows, d, top, gradient);
    if (net->memory) {
        FN(learn_return)(of, packed, rows, d, top, LEARN_NO_ACTIVATION, tile->d[0]);
        FN(learn_unwind)(net, packed, steps, n, batch->resets, batch->rows, index, tile, tile->d[0]);
        of = &tile->layer[tile->plan.memory];
        d = tile->given;
        if (net->memory != LEARN_MINGRU)
            FN(learn_add)(of + 1, rows, net->memory == LEARN_GRU ? tile->held : d, tile->before, gradient);
        FN(learn_add)(of, rows, d, y, gradient);
    }
    FN(learn_back)(net, packed, of, rows, d, encoder, tile->d, gradient, FN(learn_wanted)(net, tile, false));
    FN(learn_give_back)(net, packed, false, rows, tile, gradient);
}

/* Calls for what n samples at index[...] will want, which lies scattered beyond the nearest caches. */
static void FN(learn_fetch)(const FN(learn_net) * net, const FN(learn_batch) * batch, size_t n, const int64_t *index) {
    for (size_t g = 0; g < net->groups; g++) {
        const FN(learn_group) *group = &net->group[g];
        size_t bytes = (size_t)group->count * group->inputs * (group->bytes ? 1 : sizeof(float));
        for (size_t i = 0; i < n; i++)
            for (size_t at = 0; at < bytes && at < LEARN_FETCHED; at += 64)
                __builtin_prefetch((const char *)batch->obs[g] + (size_t)index[i] * bytes + at);
    }
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch((const int64_t *)batch->action + (size_t)index[i] * net->heads);
        __builtin_prefetch(batch->log_prob + index[i]);
        __builtin_prefetch(batch->value + index[i]);
        __builtin_prefetch(batch->returns + index[i]);
        __builtin_prefetch(batch->advantage + index[i]);
        __builtin_prefetch(batch->weight + index[i]);
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
    const size_t end = offset[last]; /* a strand's last tile calls for the next one's first */
    for (size_t strand = first; strand < last; strand++, gradient += numbers, sums += LEARN_SUMS) {
        memset(gradient, 0, numbers * sizeof *gradient);
        memset(sums, 0, LEARN_SUMS * sizeof *sums);
        for (size_t i = offset[strand]; i < offset[strand + 1]; i += each) {
            size_t left = offset[strand + 1] - i, n = left < each ? left : each;
            if (!net->memory)
                FN(learn_fetch)(net, batch, end - i - n < each ? end - i - n : each, index + i + n);
            FN(learn_differentiate)(net, packed, batch, n, index + i, importance ? importance + i : NULL, &tile,
                                    gradient, sums);
        }
    }
}

/* Memories: long short-term memory (Hochreiter and Schmidhuber, 1997), gated recurrent units (Cho et al., 2014) and
 * minimal ones (Feng et al., 2024), whose gates are in torch's order; and acting, for which rows remember from call to
 * call. */

/* cffi: begin */
LEARN_API void FN(learn_forward)(const FN(learn_net) * net, const REAL *packed, size_t n, const void *const *obs,
                                 REAL *hidden, REAL *cell, REAL *head, REAL *room);
/* cffi: end */

#define LEARN_SIGMOID_OF(x) (1 / (1 + LEARN_EXP_OF(-(x))))

/* A step of n rows. given, of a GRU also held: the gates' sums; given becomes the gates, and the candidate's part of
 * held stays. Rows of states are `row` apart, those of sums `wide`. */
static void FN(learn_remember)(const FN(learn_net) * net, size_t n, REAL *restrict given, const REAL *restrict held,
                               size_t wide, const REAL *restrict before, const REAL *restrict cell_before,
                               REAL *restrict hidden, REAL *restrict cell, size_t row) {
    size_t size = net->hidden, size_of[] = {0, 0, 0, 0};
    size_of[net->memory] = size;
    for (size_t i = 0; i < n; i++, given += wide, held += wide) {
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_LSTM]; j++) {
            REAL in = given[j] = LEARN_SIGMOID_OF(given[j]);
            REAL keep = given[size + j] = LEARN_SIGMOID_OF(given[size + j]);
            REAL fresh = given[2 * size + j] = LEARN_TANH_OF(given[2 * size + j]);
            REAL out = given[3 * size + j] = LEARN_SIGMOID_OF(given[3 * size + j]);
            REAL c = keep * cell_before[j] + in * fresh;
            cell[j] = c;
            hidden[j] = out * LEARN_TANH_OF(c);
        }
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_GRU]; j++) {
            REAL reset = given[j] = LEARN_SIGMOID_OF(given[j] + held[j]);
            REAL keep = given[size + j] = LEARN_SIGMOID_OF(given[size + j] + held[size + j]);
            REAL fresh = given[2 * size + j] = LEARN_TANH_OF(given[2 * size + j] + reset * held[2 * size + j]);
            hidden[j] = fresh + keep * (before[j] - fresh);
        }
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_MINGRU]; j++) {
            given[j] = LEARN_SIGMOID_OF(given[j]);
            hidden[j] = before[j] + given[j] * (given[size + j] - before[j]);
        }
        before += row, cell_before += row, hidden += row, cell += row;
    }
}

/* Its gradient. d: of `hidden`; given becomes the gradient of the gates' sums, of a GRU by the input, and held of those
 * by what was held; d_cell that of the cell before; d_before: what of d goes past the gates. */
static void FN(learn_recall)(const FN(learn_net) * net, size_t n, REAL *restrict given, REAL *restrict held,
                             size_t wide, const REAL *restrict before, const REAL *restrict cell_before,
                             const REAL *restrict cell, const REAL *restrict d, REAL *restrict d_before,
                             REAL *restrict d_cell, size_t row) {
    size_t size = net->hidden, size_of[] = {0, 0, 0, 0};
    size_of[net->memory] = size;
    memset(d_before, 0, n * row * sizeof *d_before);
    for (size_t i = 0; i < n; i++, given += wide, held += wide) {
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_LSTM]; j++) {
            REAL in = given[j], keep = given[size + j], fresh = given[2 * size + j], out = given[3 * size + j];
            REAL squashed = LEARN_TANH_OF(cell[j]), of_cell = d_cell[j] + d[j] * out * (1 - squashed * squashed);
            d_cell[j] = of_cell * keep;
            given[j] = of_cell * fresh * in * (1 - in);
            given[size + j] = of_cell * cell_before[j] * keep * (1 - keep);
            given[2 * size + j] = of_cell * in * (1 - fresh * fresh);
            given[3 * size + j] = d[j] * squashed * out * (1 - out);
        }
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_GRU]; j++) {
            REAL reset = given[j], keep = given[size + j], fresh = given[2 * size + j];
            REAL of_new = d[j] * (1 - keep) * (1 - fresh * fresh);
            d_before[j] = d[j] * keep;
            given[2 * size + j] = of_new;
            held[j] = given[j] = of_new * held[2 * size + j] * reset * (1 - reset);
            held[size + j] = given[size + j] = d[j] * (before[j] - fresh) * keep * (1 - keep);
            held[2 * size + j] = of_new * reset;
        }
        LEARN_APART for (size_t j = 0; j < size_of[LEARN_MINGRU]; j++) {
            REAL z = given[j];
            d_before[j] = d[j] * (1 - z);
            given[j] = d[j] * (given[size + j] - before[j]) * z * (1 - z);
            given[size + j] = d[j] * z;
        }
        before += row, cell_before += row, cell += row, d += row, d_before += row, d_cell += row;
    }
}

/* Steps one after the other, from the states in `before` and `cell_before` of the first rows: y, what the layers made
 * [steps x n][row], becomes `hidden` and `cell`. resets: of step t and row i at t x stride + index[i], or i where
 * index is NULL; or NULL. */
static void FN(learn_steps)(const FN(learn_net) * net, const REAL *packed, size_t steps, size_t n, const REAL *y,
                            const uint8_t *resets, size_t stride, const int64_t *index, const FN(learn_tile) * tile) {
    const FN(learn_layer) *of = &tile->layer[tile->plan.memory], *again = of + 1;
    size_t row = of->in_row, wide = of->out_row, size = n * row;
    FN(learn_weigh)(of, packed, steps * n, y, tile->given);
    for (size_t t = 0; t < steps; t++) {
        REAL *before = tile->before + t * size, *cell_before = tile->cell_before + t * size;
        if (t > 0) {
            memcpy(before, tile->hidden + (t - 1) * size, size * sizeof *before);
            memcpy(cell_before, tile->cell + (t - 1) * size, size * sizeof *before);
        }
        for (size_t i = 0; resets && i < n; i++)
            if (resets[t * stride + (index ? (size_t)index[i] : i)]) {
                memset(before + i * row, 0, row * sizeof *before);
                memset(cell_before + i * row, 0, row * sizeof *before);
            }
        REAL *given = tile->given + t * n * wide, *held = tile->held + (net->memory == LEARN_GRU ? t * n * wide : 0);
        const FN(learn_product) more = FN(learn_weighing)(again, packed, n, before, given);
        if (net->memory == LEARN_LSTM)
            FN(learn_add_product)(&more);
        if (net->memory == LEARN_GRU)
            FN(learn_weigh)(again, packed, n, before, held);
        FN(learn_remember)(net, n, given, held, wide, before, cell_before, tile->hidden + t * size,
                           tile->cell + t * size, row);
    }
}

/* Back through them. d [steps x n][row]: the gradient of `hidden`; afterwards given, and of a GRU held, have those of
 * the sums. */
static void FN(learn_unwind)(const FN(learn_net) * net, const REAL *packed, size_t steps, size_t n,
                             const uint8_t *resets, size_t stride, const int64_t *index, const FN(learn_tile) * tile,
                             REAL *d) {
    const FN(learn_layer) *again = &tile->layer[tile->plan.memory + 1];
    size_t row = FN(learn_stride)(net->hidden), wide = FN(learn_stride)(FN(learn_gates)(net) * net->hidden);
    size_t size = n * row;
    memset(tile->d_cell, 0, size * sizeof *d);
    for (size_t t = steps; t-- > 0;) {
        REAL *given = tile->given + t * n * wide, *held = tile->held + (net->memory == LEARN_GRU ? t * n * wide : 0);
        for (size_t j = 0; t + 1 < steps && j < size; j++)
            d[t * size + j] += tile->d_before[j];
        FN(learn_recall)(net, n, given, held, wide, tile->before + t * size, tile->cell_before + t * size,
                         tile->cell + t * size, d + t * size, tile->d_before, tile->d_cell, row);
        if (net->memory != LEARN_MINGRU) {
            const FN(learn_product) product = {.left = net->memory == LEARN_GRU ? held : given,
                                               .left_row = wide,
                                               .left_step = 1,
                                               .right = packed + again->packed + again->in * again->out_row,
                                               .right_panel = LEARN_PANEL * again->out,
                                               .right_row = LEARN_PANEL,
                                               .out = tile->d_before,
                                               .out_row = row,
                                               .rows = n,
                                               .width = again->in,
                                               .depth = again->out};
            FN(learn_add_product)(&product);
        }
        for (size_t i = 0; i < n; i++)
            if (resets[t * stride + (size_t)index[i]]) {
                memset(tile->d_before + i * row, 0, row * sizeof *d);
                memset(tile->d_cell + i * row, 0, row * sizeof *d);
            }
    }
}

/* States of n rows [n][hidden], at index[...] or from the first on, with room between them; or back. */
static void FN(learn_spread)(const FN(learn_net) * net, size_t n, const REAL *from, const int64_t *index, REAL *to) {
    for (size_t i = 0; from && i < n; i++)
        memcpy(to + i * FN(learn_stride)(net->hidden), from + (index ? (size_t)index[i] : i) * net->hidden,
               net->hidden * sizeof *to);
}

/* What the network makes of at most a tile's samples, those of obs, arrays of its groups, at `first` and there at
 * index[...] or, where that is NULL, all n, into the tile's head. With memory, hidden and (LSTM) cell [...][hidden] are
 * what it holds for each, cleared first where resets [...], unless NULL, is 1; where `keep` they become what it holds
 * after. */
static void FN(learn_see)(const FN(learn_net) * net, const REAL *packed, size_t n, const void *const *obs, size_t first,
                          const int64_t *index, const uint8_t *resets, REAL *hidden, REAL *cell, bool keep,
                          const FN(learn_tile) * tile) {
    const learn_places places = {.first = first, .n = n, .index = index};
    size_t size = net->hidden, row = FN(learn_stride)(size);
    FN(learn_take)(net, packed, obs, &places, n, tile);
    REAL *y = FN(learn_through)(net, packed, n * FN(learn_parts)(net), tile->encoder);
    if (net->memory) {
        FN(learn_spread)(net, n, hidden, index, tile->before);
        FN(learn_spread)(net, n, cell, index, tile->cell_before);
        FN(learn_steps)(net, packed, 1, n, y, resets, 0, index, tile);
        y = tile->hidden;
        for (size_t r = 0; keep && r < n; r++) {
            size_t at = (index ? (size_t)index[r] : r) * size;
            memcpy(hidden + at, y + r * row, size * sizeof *y);
            if (cell)
                memcpy(cell + at, tile->cell + r * row, size * sizeof *y);
        }
    }
    FN(learn_tell)(net, packed, n, y, tile);
}

/* Samples that acting takes at once. */
static size_t FN(learn_at_once)(const FN(learn_net) * net) {
    size_t samples = FN(learn_samples)(net);
    return samples < LEARN_TILE ? samples : LEARN_TILE;
}

/* obs, arrays of its groups, of n samples -> head [n][width]. With memory, hidden and (LSTM) cell [n][hidden] are what
 * it holds, before and after; otherwise NULL. */
LEARN_API void FN(learn_forward)(const FN(learn_net) * net, const REAL *packed, size_t n, const void *const *obs,
                                 REAL *hidden, REAL *cell, REAL *head, REAL *room) {
    FN(learn_tile) tile = FN(learn_tile_in)(net, room);
    size_t width = FN(learn_width)(net), each = FN(learn_at_once)(net), size = net->hidden;
    for (size_t i = 0; i < n; i += each) {
        size_t m = n - i < each ? n - i : each;
        FN(learn_see)(net, packed, m, obs, i, NULL, NULL, hidden ? hidden + i * size : NULL,
                      cell ? cell + i * size : NULL, true, &tile);
        for (size_t r = 0; r < m; r++)
            memcpy(head + (i + r) * width, tile.head + r * tile.head_row, width * sizeof *head);
    }
}

/* Groups of observations, on their way into the encoders: numbers as they are, pictures through a layer, and sets of
 * entities whatever their order (Zaheer et al., 2017): a network for each entity that is there, then the mean and the
 * maximum of what it makes of them; zeros where none is. */

/* The numbers of a group, or of one of its entities or parts, the i-th of all, into x; `of`: by whose statistics. */
LEARN_INLINE void FN(learn_read)(const FN(learn_group) * group, const void *obs, size_t i, size_t of,
                                 REAL *restrict x) {
    const size_t inputs = group->inputs;
    const uint8_t *bytes = (const uint8_t *)obs + i * inputs;
    const float *numbers = (const float *)obs + i * inputs;
    size_t k = 0;
    for (; group->bytes && k < inputs; k++)
        x[k] = (REAL)bytes[k] * (REAL)(1.0 / 255);
    for (; k + 4 <= inputs; k += 4) /* a call of memcpy takes longer */
        for (size_t j = k; j < k + 4; j++)
            x[j] = (REAL)numbers[j];
    for (; k < inputs; k++)
        x[k] = (REAL)numbers[k];
    if (!group->mean)
        return;
    const REAL *mean = group->mean + of * inputs, *scale = group->scale + of * inputs;
    for (k = 0; k < inputs; k++) {
        REAL z = (x[k] - mean[k]) * scale[k];
        x[k] = z < -10 ? -10 : z > 10 ? 10 : z;
    }
}

/* Mean and maximum of `count` rows y, each [hidden] and `row` apart, into to [2 hidden]. */
static void FN(learn_pool)(size_t hidden, size_t count, const REAL *restrict y, size_t row, REAL *restrict to) {
    REAL *restrict most = to + hidden;
    memcpy(to, y, hidden * sizeof *to);
    memcpy(most, y, hidden * sizeof *to);
    for (size_t e = 1; e < count; e++) {
        y += row;
        LEARN_APART for (size_t j = 0; j < hidden; j++) {
            to[j] += y[j];
            most[j] = y[j] > most[j] ? y[j] : most[j];
        }
    }
    for (size_t j = 0; j < hidden; j++)
        to[j] /= (REAL)count;
}

/* Its gradient, into d_y: that of a maximum is shared by those who reach it. x, d: to, and its gradient. */
static void FN(learn_unpool)(size_t hidden, size_t count, const REAL *restrict y, size_t row, const REAL *restrict x,
                             const REAL *restrict d, REAL *restrict d_y) {
    const REAL *restrict most = x + hidden;
    for (size_t j = 0; j < hidden; j += LEARN_POOLED) {
        size_t some = hidden - j < LEARN_POOLED ? hidden - j : LEARN_POOLED;
        REAL share[LEARN_POOLED] = {0}, mean[LEARN_POOLED];
        for (size_t e = 0; e < count; e++)
            for (size_t k = 0; k < some; k++)
                share[k] += y[e * row + j + k] == most[j + k];
        for (size_t k = 0; k < some; k++) {
            share[k] = d[hidden + j + k] / share[k];
            mean[k] = d[j + k] / (REAL)count;
        }
        for (size_t e = 0; e < count; e++)
            for (size_t k = 0; k < some; k++)
                d_y[e * row + j + k] = mean[k] + (y[e * row + j + k] == most[j + k] ? share[k] : 0);
    }
}

/* The stem of a few samples, from row `at` of those of all on. */
static FN(learn_chain)
    FN(learn_from)(const FN(learn_net) * net, const FN(learn_chain) * stem, size_t inputs, size_t at) {
    FN(learn_chain) found = *stem;
    size_t row = FN(learn_stride)(net->hidden);
    found.x += at * FN(learn_stride)(inputs), found.y += at * row;
    found.z += FN(learn_smooth)(net->activation) ? at * row : 0;
    return found;
}

/* Group g of n samples through its stem, into `to`, which are `row` apart. there: which entities are; or NULL. */
static void FN(learn_condense)(const FN(learn_net) * net, const REAL *packed, size_t g, const void *obs,
                               const uint8_t *there, const learn_places *places, size_t n, const FN(learn_tile) * tile,
                               REAL *to, size_t row) {
    const FN(learn_group) *group = &net->group[g];
    size_t hidden = net->hidden, wide = FN(learn_stride)(hidden), each = FN(learn_few)(net, g), at = 0, rows;
    size_t inputs = group->inputs, in_row = FN(learn_stride)(inputs);
    for (size_t s = 0; s < n; s += each, at += rows) {
        size_t end = n - s < each ? n : s + each;
        FN(learn_chain) stem = FN(learn_from)(net, &tile->stem[g], inputs, at);
        rows = 0;
        for (size_t i = s; i < end; i++) {
            size_t first = learn_place_of(places, i) * group->count, before = rows;
            for (size_t e = first; e < first + group->count; e++)
                if (!there || there[e]) {
                    REAL *x = stem.x + rows++ * in_row;
                    FN(learn_read)(group, obs, e, 0, x);
                    memset(x + inputs, 0, (in_row - inputs) * sizeof *x);
                }
            tile->there[g][i] = (REAL)(rows - before);
        }
        const REAL *y = FN(learn_through)(net, packed, rows, &stem);
        for (size_t i = s; i < end; i++) {
            size_t count = (size_t)tile->there[g][i];
            if (group->kind == LEARN_SET && count)
                FN(learn_pool)(hidden, count, y, wide, to + i * row);
            else if (group->kind == LEARN_SET)
                memset(to + i * row, 0, 2 * hidden * sizeof *to);
            else
                memcpy(to + i * row, y, hidden * sizeof *to);
            y += count * wide;
        }
    }
}

/* And back: x, d: `to` and its gradient. */
static void FN(learn_uncondense)(const FN(learn_net) * net, const REAL *packed, size_t g, size_t n,
                                 const FN(learn_tile) * tile, const REAL *x, const REAL *d, size_t row,
                                 REAL *gradient) {
    size_t hidden = net->hidden, wide = FN(learn_stride)(hidden), each = FN(learn_few)(net, g), at = 0, rows;
    size_t top = tile->stem[g].count - 1;
    const FN(learn_layer) *of = &tile->stem[g].layer[top];
    for (size_t s = 0; s < n; s += each, at += rows) {
        size_t end = n - s < each ? n : s + each;
        FN(learn_chain) stem = FN(learn_from)(net, &tile->stem[g], net->group[g].inputs, at);
        REAL *y = FN(learn_output)(net, &stem, top + 1), *d_y = tile->d_stem[top % 2];
        REAL *z = FN(learn_smooth)(of->activation) ? FN(learn_before)(net, &stem, top) : y;
        rows = 0;
        for (size_t i = s; i < end; i++) {
            size_t count = (size_t)tile->there[g][i], from = rows * wide;
            if (net->group[g].kind == LEARN_SET)
                FN(learn_unpool)(hidden, count, y + from, wide, x + i * row, d + i * row, d_y + from);
            else
                memcpy(d_y + from, d + i * row, hidden * sizeof *d);
            rows += count;
        }
        for (size_t r = 0; r < rows; r++) {
            FN(learn_bend)(of->activation, hidden, y + r * wide, z + r * wide, d_y + r * wide);
            memset(d_y + r * wide + hidden, 0, (wide - hidden) * sizeof *d_y);
        }
        FN(learn_add)(of, rows, d_y, FN(learn_output)(net, &stem, top), gradient);
        stem.count = top;
        FN(learn_back)(net, packed, of, rows, d_y, &stem, tile->d_stem, gradient, NULL);
    }
}

/* Observations of n samples into the encoders' inputs; what is behind them stays 0. */
static void FN(learn_take)(const FN(learn_net) * net, const REAL *packed, const void *const *obs,
                           const learn_places *places, size_t n, const FN(learn_tile) * tile) {
    size_t parts = FN(learn_parts)(net), column[2] = {0}, row[2];
    for (size_t k = 0; k < 2; k++)
        row[k] = FN(learn_stride)(FN(learn_inputs)(net, k));
    for (size_t g = 0; g < net->groups; g++) {
        const FN(learn_group) *group = &net->group[g];
        size_t k = group->critic != 0;
        REAL *to = tile->encoder[k].x + column[k];
        if (group->kind == LEARN_PRESENT)
            continue;
        bool masked = g + 1 < net->groups && group[1].kind == LEARN_PRESENT;
        if (FN(learn_stem)(net, g))
            FN(learn_condense)(net, packed, g, obs[g], masked ? obs[g + 1] : NULL, places, n, tile, to, row[k]);
        for (size_t s = 0; s < n && !FN(learn_stem)(net, g); s++)
            for (size_t part = 0, first = learn_place_of(places, s) * parts; part < parts; part++)
                FN(learn_read)(group, obs[g], first + part, part, to + (s * parts + part) * row[k]);
        column[k] += FN(learn_found)(net, g);
    }
}

/* Where the gradient of an encoder's inputs goes, from which stems learn; NULL where there are none. */
static REAL *FN(learn_wanted)(const FN(learn_net) * net, const FN(learn_tile) * tile, bool critic) {
    for (size_t g = 0; g < net->groups; g++)
        if (FN(learn_stem)(net, g) && (net->group[g].critic != 0) == critic)
            return tile->d_x;
    return NULL;
}

/* The gradients of the stems before an encoder. */
static void FN(learn_give_back)(const FN(learn_net) * net, const REAL *packed, bool critic, size_t n,
                                const FN(learn_tile) * tile, REAL *gradient) {
    size_t column = 0, row = FN(learn_stride)(FN(learn_inputs)(net, critic));
    for (size_t g = 0; g < net->groups; g++) {
        if ((net->group[g].critic != 0) != critic)
            continue;
        if (FN(learn_stem)(net, g))
            FN(learn_uncondense)(net, packed, g, n, tile, tile->encoder[critic].x + column, tile->d_x + column, row,
                                 gradient);
        column += FN(learn_found)(net, g);
    }
}

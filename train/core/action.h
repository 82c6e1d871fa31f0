/* Actions: samples of the heads' distributions, and the clipped objective of samples with its gradient. Samples lie
 * side by side in arrays of LEARN_TILE, in loops that become vectors. */

/* cffi: begin */
LEARN_API void FN(learn_sample)(const FN(learn_net) * net, size_t n, const REAL *head, const uint8_t *mask,
                                const REAL *noise, void *action, void *told, REAL *log_prob, REAL *room);
/* cffi: end */

static const REAL FN(learn_half_log_tau) = (REAL)0.91893853320467274178;

/* Logits of n samples, the first `choices` of head [n][row], into z [choices][LEARN_TILE]; where mask, [choices] a
 * sample, forbids, a number whose exponential is 0 but which is finite. Samples are at index[...] or from `first` on.
 */
static inline void FN(learn_turn)(const FN(learn_net) * net, size_t n, const REAL *restrict head, size_t row,
                                  const uint8_t *mask, const int64_t *index, size_t first, REAL *restrict z) {
    size_t choices = net->choices;
    for (size_t j = 0; j < choices; j++) {
        for (size_t r = 0; r < n; r++)
            z[j * LEARN_TILE + r] = head[r * row + j];
        for (size_t r = n; r < LEARN_TILE; r++)
            z[j * LEARN_TILE + r] = 0;
    }
    for (size_t r = 0; mask && r < n; r++) {
        const uint8_t *possible = mask + (index ? (size_t)index[r] : first + r) * choices;
        for (size_t j = 0; j < choices; j++)
            if (!possible[j])
                z[j * LEARN_TILE + r] = (REAL)-1e9;
    }
}

/* z [choices][LEARN_TILE]: from every head's logits to logarithms of probabilities; p: their exponentials. */
static inline void FN(learn_soften)(const FN(learn_net) * net, REAL *restrict z, REAL *restrict p) {
    for (size_t h = 0; h < net->heads; h++) {
        size_t count = (size_t)net->sizes[h] * LEARN_TILE;
        REAL most[LEARN_TILE], sum[LEARN_TILE];
        for (size_t r = 0; r < LEARN_TILE; r++)
            most[r] = z[r], sum[r] = 0;
        for (size_t j = LEARN_TILE; j < count; j += LEARN_TILE)
            for (size_t r = 0; r < LEARN_TILE; r++)
                most[r] = z[j + r] > most[r] ? z[j + r] : most[r];
        for (size_t j = 0; j < count; j += LEARN_TILE)
            for (size_t r = 0; r < LEARN_TILE; r++) {
                p[j + r] = LEARN_EXP_OF(z[j + r] - most[r]);
                sum[r] += p[j + r];
            }
        for (size_t r = 0; r < LEARN_TILE; r++) {
            most[r] += LEARN_LOG_OF(sum[r]);
            sum[r] = 1 / sum[r];
        }
        for (size_t j = 0; j < count; j += LEARN_TILE)
            for (size_t r = 0; r < LEARN_TILE; r++) {
                z[j + r] -= most[r];
                p[j + r] *= sum[r];
            }
        z += count, p += count;
    }
}

/* learn_draw of at most a tile's rows, which are `row` apart and begin at `first` of what the other arrays hold. */
static void FN(learn_choose)(const FN(learn_net) * net, size_t first, size_t n, const REAL *head, size_t row,
                             const uint8_t *mask, const REAL *noise, int64_t *action, int32_t *told, REAL *log_prob,
                             REAL *restrict z) {
    REAL *restrict p = z + net->choices * LEARN_TILE;
    REAL sum[LEARN_TILE], limit[LEARN_TILE], found[LEARN_TILE], total[LEARN_TILE] = {0};
    int32_t chosen[LEARN_TILE];
    size_t heads = net->heads;
    FN(learn_turn)(net, n, head, row, mask, NULL, first, z);
    FN(learn_soften)(net, z, p);
    for (size_t h = 0; h < heads; h++) {
        size_t size = (size_t)net->sizes[h];
        for (size_t r = 0; r < LEARN_TILE; r++) {
            limit[r] = r < n ? noise[(first + r) * heads + h] : 0;
            sum[r] = 0, found[r] = z[r], chosen[r] = 0;
        }
        for (size_t j = 0; j < size; j++, z += LEARN_TILE, p += LEARN_TILE)
            for (size_t r = 0; r < LEARN_TILE; r++) {
                bool now = (p[r] > 0) & (sum[r] <= limit[r]);
                chosen[r] = now ? (int32_t)j : chosen[r];
                found[r] = now ? z[r] : found[r];
                sum[r] += p[r];
            }
        for (size_t r = 0; r < n; r++) {
            action[(first + r) * heads + h] = chosen[r];
            told[(first + r) * heads + h] = chosen[r];
            total[r] += found[r];
        }
    }
    memcpy(log_prob + first, total, n * sizeof *total);
}

/* learn_sample of rows of head that are `row` apart. */
static void FN(learn_draw)(const FN(learn_net) * net, size_t n, const REAL *head, size_t row, const uint8_t *mask,
                           const REAL *noise, void *action, void *told, REAL *log_prob, REAL *scratch) {
    size_t heads = net->heads;
    for (size_t i = 0; net->choices && i < n; i += LEARN_TILE)
        FN(learn_choose)(net, i, n - i < LEARN_TILE ? n - i : LEARN_TILE, head + i * row, row, mask, noise, action,
                         told, log_prob, scratch);
    for (size_t i = 0; !net->choices && i < n; i++)
        log_prob[i] = 0;
    for (size_t h = 0; !net->choices && h < heads; h++) {
        const REAL low = net->low[h], high = net->high[h];
        REAL *restrict acts = (REAL *)action + h;
        float *restrict tells = (float *)told + h;
        LEARN_APART for (size_t i = 0; i < n; i++) {
            REAL mean = head[i * row + h], log_std = head[i * row + heads + h];
            REAL x = mean + noise[i * heads + h] * LEARN_EXP_OF(log_std);
            REAL off = (x - mean) * LEARN_EXP_OF(-log_std);
            acts[i * heads] = x;
            tells[i * heads] = (float)(x < low ? low : x > high ? high : x);
            log_prob[i] += (REAL)-0.5 * (off * off) - log_std - FN(learn_half_log_tau);
        }
    }
}

/* A sample of every head's distribution: of a discrete one the first choice at which the sum of probabilities passes
 * noise [n][heads], numbers in [0, 1); of a normal one by noise with deviation 1. head [n][width], mask [n][choices] or
 * NULL; action [n][heads] int64_t or numbers, told [n][heads] int32_t or float, as the environment wants it;
 * log_prob [n]. */
LEARN_API void FN(learn_sample)(const FN(learn_net) * net, size_t n, const REAL *head, const uint8_t *mask,
                                const REAL *noise, void *action, void *told, REAL *log_prob, REAL *room) {
    FN(learn_draw)(net, n, head, FN(learn_width)(net), mask, noise, action, told, log_prob,
                   FN(learn_tile_in)(net, room).scratch);
}

/* head, of n rows that are `row` apart, becomes the gradient of the objective, summed over the n samples at index[...].
 * Adds to sums. */
static void FN(learn_objective)(const FN(learn_net) * net, const FN(learn_batch) * batch, size_t n,
                                const int64_t *index, const REAL *importance, REAL *head, size_t row, REAL *scratch,
                                double *sums) {
    size_t choices = net->choices, heads = net->heads, width = FN(learn_width)(net);
    REAL *restrict z = scratch, *restrict p = z + choices * LEARN_TILE;
    REAL old[LEARN_TILE] = {0}, now[LEARN_TILE] = {0}, v[LEARN_TILE] = {0}, was[LEARN_TILE] = {0};
    REAL aim[LEARN_TILE] = {0}, gain[LEARN_TILE] = {0}, w[LEARN_TILE] = {0}, entropy[LEARN_TILE] = {0};
    REAL pull[LEARN_TILE], slope[LEARN_TILE], change[LEARN_TILE];
    double part[LEARN_SUMS][LEARN_TILE];
    if (choices) {
        FN(learn_turn)(net, n, head, row, batch->mask, index, 0, z);
        FN(learn_soften)(net, z, p);
    }
    for (size_t r = 0; r < n; r++) {
        size_t s = (size_t)index[r];
        old[r] = batch->log_prob[s], was[r] = batch->value[s], aim[r] = batch->returns[s];
        gain[r] = batch->advantage[s], w[r] = batch->weight[s] * importance[r];
        v[r] = head[r * row + width - 1];
        for (size_t h = 0, first = 0; choices && h < heads; first += (size_t)net->sizes[h++])
            now[r] += z[(first + (size_t)((const int64_t *)batch->action)[s * heads + h]) * LEARN_TILE + r];
    }
    for (size_t h = 0; !choices && h < heads; h++) {
        REAL act[LEARN_TILE];
        for (size_t r = 0; r < n; r++)
            act[r] = ((const REAL *)batch->action)[(size_t)index[r] * heads + h];
        LEARN_APART for (size_t r = 0; r < n; r++) {
            REAL *mean = head + r * row + h, *log_std = mean + heads, by = LEARN_EXP_OF(-*log_std);
            REAL off = (act[r] - *mean) * by;
            now[r] += (REAL)-0.5 * (off * off) - *log_std - FN(learn_half_log_tau);
            entropy[r] += *log_std + (REAL)0.5 + FN(learn_half_log_tau);
            *mean = off * by; /* what `now` changes with them */
            *log_std = off * off - 1;
        }
    }
    for (size_t h = 0, j = 0; choices && h < heads; h++) { /* z becomes what the entropy's derivative has of it */
        REAL of_head[LEARN_TILE] = {0};
        size_t end = j + (size_t)net->sizes[h];
        for (size_t k = j; k < end; k++)
            for (size_t r = 0; r < LEARN_TILE; r++)
                of_head[r] -= p[k * LEARN_TILE + r] * z[k * LEARN_TILE + r];
        for (; j < end; j++)
            for (size_t r = 0; r < LEARN_TILE; r++)
                z[j * LEARN_TILE + r] += of_head[r];
        for (size_t r = 0; r < LEARN_TILE; r++)
            entropy[r] += of_head[r];
    }
    const REAL clip = batch->clip, value_clip = batch->value_clip;
    for (size_t r = 0; r < LEARN_TILE; r++) {
        REAL a = gain[r], moved = now[r] - old[r], by = LEARN_EXP_OF(moved);
        REAL near = by < 1 - clip ? 1 - clip : by > 1 + clip ? 1 + clip : by;
        REAL error = v[r] - aim[r], shift = v[r] - was[r];
        REAL kept = shift < -value_clip ? -value_clip : shift > value_clip ? value_clip : shift;
        REAL other = was[r] + kept - aim[r];
        bool far = value_clip > 0 && other * other > error * error;
        pull[r] = by * a > near * a ? 0 : by * a; /* the gain's derivative by `now`; of a NaN a NaN */
        gain[r] = by * a < near * a ? by * a : near * a;
        slope[r] = far ? (kept == shift ? other : 0) : error;
        change[r] = by;
        error = far ? other * other : error * error;
        part[0][r] = -(double)(gain[r] * w[r]);
        part[1][r] = 0.5 * (double)(error * w[r]);
        part[2][r] = (double)(entropy[r] * w[r]);
        part[3][r] = (double)((by - 1 - moved) * w[r]);
        part[4][r] = (double)(by - 1 > clip || 1 - by > clip ? w[r] : 0);
        part[5][r] = (double)w[r];
        slope[r] *= w[r] * batch->value_weight;
    }
    double total[LEARN_SUMS];
    memcpy(total, sums, sizeof total);
    for (size_t r = 0; r < n; r++) /* sums side by side, which wait for themselves */
        for (size_t k = 0; k < LEARN_SUMS; k++)
            total[k] += part[k][r];
    memcpy(sums, total, sizeof total);
    for (size_t j = 0; j < choices; j++)
        for (size_t r = 0; r < LEARN_TILE; r++)
            p[j * LEARN_TILE + r] *= w[r] * (pull[r] + batch->entropy_weight * z[j * LEARN_TILE + r]);
    for (size_t r = 0; r < n; r++) {
        size_t s = (size_t)index[r];
        REAL *of = head + r * row;
        for (size_t j = 0; j < choices; j++)
            of[j] = p[j * LEARN_TILE + r];
        for (size_t h = 0, first = 0; h < heads; h++) {
            if (choices) {
                of[first + (size_t)((const int64_t *)batch->action)[s * heads + h]] -= w[r] * pull[r];
                first += (size_t)net->sizes[h];
            } else {
                of[h] *= -w[r] * pull[r];
                of[heads + h] = -w[r] * (of[heads + h] * pull[r] + batch->entropy_weight);
            }
        }
        of[width - 1] = slope[r];
        if (batch->ratio)
            batch->ratio[s] = change[r];
    }
}

/* Actions: samples of the heads' distributions, and the clipped objective of samples with its gradient. Samples lie
 * side by side in arrays of LEARN_TILE, in loops that become vectors. */

/* cffi: begin */
LEARN_API void FN(learn_sample)(const FN(learn_net) * net, size_t n, const REAL *head, const uint8_t *mask,
                                const REAL *noise, void *action, void *told, REAL *log_prob, REAL *room);
/* cffi: end */

static const REAL FN(learn_half_log_tau) = (REAL)0.91893853320467274178;

/* Logits of n samples, head [n][choices + 1], into z [choices][LEARN_TILE]; where mask, [choices] a sample, forbids, a
 * number whose exponential is 0 but which is finite. Samples are at index[...] or from `first` on. */
static inline void FN(learn_turn)(const FN(learn_net) * net, size_t n, const REAL *head, const uint8_t *mask,
                                  const int64_t *index, size_t first, REAL *restrict z) {
    size_t choices = net->choices;
    for (size_t r = 0; r < LEARN_TILE; r++)
        for (size_t j = 0; j < choices; j++)
            z[j * LEARN_TILE + r] = r < n ? head[r * (choices + 1) + j] : 0;
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

/* A sample of every head's distribution: of a discrete one the first choice at which the sum of probabilities passes
 * noise [n][heads], numbers in [0, 1); of a normal one by noise with deviation 1. head [n][width], mask [n][choices] or
 * NULL; action [n][heads] int64_t or numbers, told [n][heads] int32_t or float, as the environment wants it;
 * log_prob [n]. */
LEARN_API void FN(learn_sample)(const FN(learn_net) * net, size_t n, const REAL *head, const uint8_t *mask,
                                const REAL *noise, void *action, void *told, REAL *log_prob, REAL *room) {
    REAL *z = FN(learn_tile_in)(net, room).scratch, *p = z + net->choices * LEARN_TILE;
    size_t heads = net->heads;
    for (size_t i = 0; !net->choices && i < n; i++, head += 2 * heads + 1) {
        log_prob[i] = 0;
        for (size_t h = 0; h < heads; h++) {
            REAL log_std = head[heads + h], x = head[h] + noise[i * heads + h] * LEARN_EXP_OF(log_std);
            REAL off = (x - head[h]) * LEARN_EXP_OF(-log_std);
            ((REAL *)action)[i * heads + h] = x;
            ((float *)told)[i * heads + h] = (float)(x < net->low[h]    ? net->low[h]
                                                     : x > net->high[h] ? net->high[h]
                                                                        : x);
            log_prob[i] += (REAL)-0.5 * (off * off) - log_std - FN(learn_half_log_tau);
        }
    }
    for (size_t i = 0; net->choices && i < n; i += LEARN_TILE) {
        size_t m = n - i < LEARN_TILE ? n - i : LEARN_TILE;
        FN(learn_turn)(net, m, head + i * (net->choices + 1), mask, NULL, i, z);
        FN(learn_soften)(net, z, p);
        for (size_t r = 0; r < m; r++) {
            log_prob[i + r] = 0;
            for (size_t h = 0, at = 0; h < heads; at += (size_t)net->sizes[h++]) {
                size_t size = (size_t)net->sizes[h], chosen = 0, place = (i + r) * heads + h;
                REAL sum = 0, limit = noise[place];
                for (size_t j = 0; j < size; j++) {
                    REAL chance = p[(at + j) * LEARN_TILE + r];
                    chosen = chance > 0 && sum <= limit ? j : chosen;
                    sum += chance;
                }
                ((int64_t *)action)[place] = (int64_t)chosen;
                ((int32_t *)told)[place] = (int32_t)chosen;
                log_prob[i + r] += z[(at + chosen) * LEARN_TILE + r];
            }
        }
    }
}

/* head [n][width] becomes the gradient of the objective, summed over the n samples at index[...]. Adds to sums. */
static void FN(learn_objective)(const FN(learn_net) * net, const FN(learn_batch) * batch, size_t n,
                                const int64_t *index, const REAL *importance, REAL *head, REAL *scratch, double *sums) {
    size_t choices = net->choices, heads = net->heads, width = FN(learn_width)(net);
    REAL *restrict z = scratch, *restrict p = z + choices * LEARN_TILE;
    REAL old[LEARN_TILE] = {0}, now[LEARN_TILE] = {0}, v[LEARN_TILE] = {0}, was[LEARN_TILE] = {0};
    REAL aim[LEARN_TILE] = {0}, gain[LEARN_TILE] = {0}, w[LEARN_TILE] = {0}, entropy[LEARN_TILE] = {0};
    REAL pull[LEARN_TILE], slope[LEARN_TILE], change[LEARN_TILE];
    double part[LEARN_SUMS][LEARN_TILE];
    if (choices) {
        FN(learn_turn)(net, n, head, batch->mask, index, 0, z);
        FN(learn_soften)(net, z, p);
    }
    for (size_t r = 0; r < n; r++) {
        size_t s = (size_t)index[r];
        old[r] = batch->log_prob[s], was[r] = batch->value[s], aim[r] = batch->returns[s];
        gain[r] = batch->advantage[s], w[r] = batch->weight[s] * importance[r];
        v[r] = head[r * width + width - 1];
        for (size_t h = 0, first = 0; h < heads; h++) {
            if (choices) {
                now[r] += z[(first + (size_t)((const int64_t *)batch->action)[s * heads + h]) * LEARN_TILE + r];
                first += (size_t)net->sizes[h];
                continue;
            }
            REAL *mean = head + r * width + h, *log_std = mean + heads;
            REAL off = (((const REAL *)batch->action)[s * heads + h] - *mean) * LEARN_EXP_OF(-*log_std);
            now[r] += (REAL)-0.5 * (off * off) - *log_std - FN(learn_half_log_tau);
            entropy[r] += *log_std + (REAL)0.5 + FN(learn_half_log_tau);
            *mean = off * LEARN_EXP_OF(-*log_std); /* what `now` changes with them */
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
    for (size_t k = 0; k < LEARN_SUMS; k++)
        for (size_t r = 0; r < n; r++)
            sums[k] += part[k][r];
    for (size_t j = 0; j < choices; j++)
        for (size_t r = 0; r < LEARN_TILE; r++)
            p[j * LEARN_TILE + r] *= w[r] * (pull[r] + batch->entropy_weight * z[j * LEARN_TILE + r]);
    for (size_t r = 0; r < n; r++) {
        size_t s = (size_t)index[r];
        REAL *row = head + r * width;
        for (size_t j = 0; j < choices; j++)
            row[j] = p[j * LEARN_TILE + r];
        for (size_t h = 0, first = 0; h < heads; h++) {
            if (choices) {
                row[first + (size_t)((const int64_t *)batch->action)[s * heads + h]] -= w[r] * pull[r];
                first += (size_t)net->sizes[h];
            } else {
                row[h] *= -w[r] * pull[r];
                row[heads + h] = -w[r] * (row[heads + h] * pull[r] + batch->entropy_weight);
            }
        }
        row[width - 1] = slope[r];
        if (batch->ratio)
            batch->ratio[s] = change[r];
    }
}

/* What a rollout becomes before it is learned from, and a gradient after it is known. */

/* cffi: begin */
LEARN_API void FN(learn_advantages)(size_t horizon, size_t rows, const REAL *reward, const REAL *value,
                                    const REAL *final_value, const uint8_t *terminated, const uint8_t *truncated,
                                    const REAL *last_value, const REAL *ratio, REAL gamma, REAL lambda, REAL clip_delta,
                                    REAL clip_trace, REAL *carry, REAL *advantage);
LEARN_API void FN(learn_moments)(size_t horizon, size_t rows, const uint8_t *strand, size_t first, size_t count,
                                 const REAL *x, const REAL *weight, double *sums, double mean);
LEARN_API void FN(learn_outcome)(size_t n, const uint8_t *alive, const uint8_t *learns, size_t rows, const REAL *value,
                                 const REAL *advantage, REAL *returns, REAL *weight);
LEARN_API void FN(learn_normalise)(size_t n, const REAL *x, REAL *normal, double mean, double deviation);
LEARN_API void FN(learn_deal)(size_t n, const int64_t *index, const REAL *weight, const REAL *importance,
                              size_t all_rows, size_t first_row, size_t rows, const uint8_t *strand, int64_t *dealt,
                              REAL *dealt_importance, size_t *offset);
LEARN_API void FN(learn_collect)(const FN(learn_net) * net, size_t count, REAL *gradient, double *sums, REAL *flat);
LEARN_API double FN(learn_descend)(size_t n, REAL *parameters, REAL *gradient, REAL *mean, REAL *square, REAL weight,
                                   double max_norm, double root, double change);
/* cffi: end */

/* Advantages of a rollout, [horizon][rows] in time-major order: generalised advantage estimation, or with `ratio`,
 * which may be NULL, V-trace's (see advantage.py). carry: [rows], overwritten. */
LEARN_API void FN(learn_advantages)(size_t horizon, size_t rows, const REAL *reward, const REAL *value,
                                    const REAL *final_value, const uint8_t *terminated, const uint8_t *truncated,
                                    const REAL *last_value, const REAL *ratio, REAL gamma, REAL lambda, REAL clip_delta,
                                    REAL clip_trace, REAL *carry, REAL *advantage) {
    for (size_t n = 0; n < rows; n++)
        carry[n] = 0;
    for (size_t t = horizon; t-- > 0;) {
        const REAL *next = t + 1 < horizon ? value + (t + 1) * rows : last_value;
        LEARN_APART for (size_t n = 0; n < rows; n++) {
            size_t i = t * rows + n;
            bool over = terminated[i], cut = truncated[i];
            REAL following = over ? 0 : cut ? final_value[i] : next[n], decay = over | cut ? 0 : gamma * lambda;
            REAL delta = reward[i] + gamma * following - value[i];
            if (ratio) {
                delta *= ratio[i] < clip_delta ? ratio[i] : clip_delta;
                decay *= ratio[i] < clip_trace ? ratio[i] : clip_trace;
            }
            carry[n] = delta + decay * carry[n];
            advantage[i] = carry[n];
        }
    }
}

/* Strands, as a tree: each of `count` pieces of n numbers, of which the first becomes the sum. */
static void FN(learn_join)(size_t count, size_t n, REAL *piece) {
    for (size_t step = 1; step < count; step *= 2)
        for (size_t i = 0; i + step < count; i += 2 * step)
            for (size_t j = 0; j < n; j++)
                piece[i * n + j] += piece[(i + step) * n + j];
}
static void FN(learn_join_sums)(size_t count, size_t n, double *piece) {
    for (size_t step = 1; step < count; step *= 2)
        for (size_t i = 0; i + step < count; i += 2 * step)
            for (size_t j = 0; j < n; j++)
                piece[i * n + j] += piece[(i + step) * n + j];
}

/* What n samples, [n / rows][rows], are learned with: the returns that advantages speak of, and weights, which are 1
 * where somebody was alive in a row that learns [rows]. */
LEARN_API void FN(learn_outcome)(size_t n, const uint8_t *alive, const uint8_t *learns, size_t rows, const REAL *value,
                                 const REAL *advantage, REAL *returns, REAL *weight) {
    for (size_t i = 0; i < n; i++)
        returns[i] = advantage[i] + value[i];
    for (size_t i = 0; i < n; i += rows)
        for (size_t r = 0; r < rows; r++)
            weight[i + r] = (REAL)(alive[i + r] & learns[r]);
}

/* Weight, sum and sum of squares of x - mean, weighted, over [horizon][rows]; strand: [rows], of `count` from `first`
 * on. sums: [LEARN_STRANDS][3], of which the first three become the result. */
LEARN_API void FN(learn_moments)(size_t horizon, size_t rows, const uint8_t *strand, size_t first, size_t count,
                                 const REAL *x, const REAL *weight, double *sums, double mean) {
    memset(sums, 0, 3 * LEARN_STRANDS * sizeof *sums);
    for (size_t t = 0; t < horizon; t++, x += rows, weight += rows)
        for (size_t r = 0; r < rows;) { /* strands lie one behind the other */
            double *of = sums + 3 * (strand[r] - first), a = of[0], b = of[1], c = of[2];
            for (uint8_t same = strand[r]; r < rows && strand[r] == same; r++) {
                double off = (double)x[r] - mean, w = (double)weight[r];
                a += w, b += w * off, c += w * off * off;
            }
            of[0] = a, of[1] = b, of[2] = c;
        }
    FN(learn_join_sums)(count, 3, sums);
}

/* normal: (x - mean) / deviation. */
LEARN_API void FN(learn_normalise)(size_t n, const REAL *x, REAL *normal, double mean, double deviation) {
    const REAL off = (REAL)mean, by = (REAL)deviation;
    for (size_t i = 0; i < n; i++)
        normal[i] = (x[i] - off) / by;
}

/* The caller's sample, t x rows + row, at place t x all_rows + row of all, and its row; SIZE_MAX: another's, or without
 * weight. */
static inline size_t FN(learn_mine)(int64_t place, const REAL *weight, size_t all_rows, size_t first_row, size_t rows,
                                    size_t *row) {
    uint32_t t = (uint32_t)place / (uint32_t)all_rows;
    *row = (size_t)((uint32_t)place - t * (uint32_t)all_rows) - first_row;
    size_t found = (size_t)t * rows + *row;
    return *row >= rows || (weight && weight[found] == 0) ? SIZE_MAX : found;
}

/* Deals the samples among the n at index, places t x all_rows + row, less than 2^32, to strands by their rows; those of
 * `rows` rows from first_row on that have any weight (NULL: all have). dealt, places t x rows + row, and, unless NULL,
 * importance in the strands' order; strand i has those from offset[i] up to offset[i + 1]. */
LEARN_API void FN(learn_deal)(size_t n, const int64_t *index, const REAL *weight, const REAL *importance,
                              size_t all_rows, size_t first_row, size_t rows, const uint8_t *strand, int64_t *dealt,
                              REAL *dealt_importance, size_t *offset) {
    size_t next[LEARN_STRANDS] = {0}, row;
    for (size_t i = 0; i < n; i++)
        if (FN(learn_mine)(index[i], weight, all_rows, first_row, rows, &row) != SIZE_MAX)
            next[strand[row]]++;
    offset[0] = 0;
    for (size_t s = 0; s < LEARN_STRANDS; s++) {
        offset[s + 1] = offset[s] + next[s];
        next[s] = offset[s];
    }
    for (size_t i = 0; i < n; i++) {
        size_t mine = FN(learn_mine)(index[i], weight, all_rows, first_row, rows, &row);
        if (mine == SIZE_MAX)
            continue;
        size_t at = next[strand[row]]++;
        dealt[at] = (int64_t)mine;
        if (importance)
            dealt_importance[at] = importance[i];
    }
}

/* Adds up `count` strands' gradients, [count][gradients], and sums, [count][LEARN_SUMS], whose first pieces become the
 * sums. `flat` becomes the gradient in the order of the parameters. */
LEARN_API void FN(learn_collect)(const FN(learn_net) * net, size_t count, REAL *gradient, double *sums, REAL *flat) {
    size_t numbers = FN(learn_gradients)(net);
    FN(learn_join)(count, numbers, gradient);
    FN(learn_join_sums)(count, LEARN_SUMS, sums);
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    FN(learn_layer) of = {0};
    size_t weight, bias;
    if (!net->choices)
        memcpy(flat + FN(learn_matrices)(net), gradient + numbers - net->heads, net->heads * sizeof *flat);
    for (size_t l = 0; l < plan.layers; l++) {
        FN(learn_next)(net, l, &of, &weight, &bias);
        const REAL *from = gradient + of.gradient;
        for (size_t j = 0; j < of.out; j++)
            memcpy(flat + weight + j * of.in, from + j * of.in_row, of.in * sizeof *flat);
        if (l <= plan.heads)
            memcpy(flat + bias, from + of.out * of.in_row, of.out * sizeof *flat);
    }
}

/* A step of Adam (Kingma and Ba, 2015) by the gradient's mean, which is its sum divided by `weight`, shortened to
 * max_norm unless that is 0. root and change: see adam.py. Returns the length before. */
LEARN_API double FN(learn_descend)(size_t n, REAL *parameters, REAL *gradient, REAL *mean, REAL *square, REAL weight,
                                   double max_norm, double root, double change) {
    double part[16] = {0}, sum = 0;
    weight = weight > (REAL)1e-6 ? weight : (REAL)1e-6;
    for (size_t i = 0; i < n; i++)
        gradient[i] /= weight;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t k = 0; k < 16; k++)
            part[k] += (double)gradient[i + k] * (double)gradient[i + k];
    for (size_t k = 0; i + k < n; k++)
        part[k] += (double)gradient[i + k] * (double)gradient[i + k];
    for (size_t k = 0; k < 16; k++)
        sum += part[k];
    double length = __builtin_sqrt(sum), shorter = max_norm / (length + 1e-6);
    const REAL by = max_norm > 0 && !(shorter > 1) ? (REAL)shorter : 1; /* not a number: so are all */
    const REAL keep = (REAL)0.999, fresh = (REAL)0.1, fresher = (REAL)0.001;
    const REAL epsilon = (REAL)1e-5, by_root = (REAL)root, by_change = (REAL)change;
    for (i = 0; i < n; i++) {
        REAL g = gradient[i] * by;
        gradient[i] = g;
        mean[i] += fresh * (g - mean[i]);
        square[i] = square[i] * keep + fresher * (g * g);
        parameters[i] -= mean[i] / (LEARN_ROOT_OF(square[i]) * by_root + epsilon) * by_change;
    }
    return length;
}

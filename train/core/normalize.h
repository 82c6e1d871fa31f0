/* The statistics that normalise observations. Sums are in double, whatever type the network has: in float the variance
 * of what lies far from 0 is lost, and a long run's count stands still. */

/* cffi: begin */
LEARN_API void FN(learn_observe)(const FN(learn_net) * net, size_t n, size_t rows, const float *obs,
                                 const uint8_t *alive, const uint8_t *strand, size_t first, size_t count, double *sums);
LEARN_API void FN(learn_normalize)(const FN(learn_net) * net, const double *sums, double *number, double *total,
                                   double *square, REAL *mean, REAL *scale);
/* cffi: end */

static size_t FN(learn_seen)(const FN(learn_net) * net) { /* numbers of an observation */
    return (size_t)net->inputs * (net->parts ? net->parts : 1);
}

/* Number, sums and sums of squares, [1 + 2 numbers], of the observations [n][numbers] of rows that live; strand:
 * [rows], of `count` from `first` on. sums: [count][1 + 2 numbers], of which the first become the result. */
LEARN_API void FN(learn_observe)(const FN(learn_net) * net, size_t n, size_t rows, const float *obs,
                                 const uint8_t *alive, const uint8_t *strand, size_t first, size_t count,
                                 double *sums) {
    size_t numbers = FN(learn_seen)(net), each = 1 + 2 * numbers;
    memset(sums, 0, count * each * sizeof *sums);
    for (size_t i = 0; i < n; i++, obs += numbers) {
        if (!alive[i])
            continue;
        double *number = sums + (strand[i % rows] - first) * each, *total = number + 1, *square = total + numbers;
        *number += 1;
        for (size_t j = 0; j < numbers; j++) {
            double x = (double)obs[j];
            total[j] += x, square[j] += x * x;
        }
    }
    FN(learn_join_sums)(count, each, sums);
}

/* Takes in such sums; mean and 1 / deviation by now, if anybody was there. All [numbers] but `number`, [1]. */
LEARN_API void FN(learn_normalize)(const FN(learn_net) * net, const double *sums, double *number, double *total,
                                   double *square, REAL *mean, REAL *scale) {
    size_t numbers = FN(learn_seen)(net);
    *number += sums[0];
    for (size_t j = 0; j < numbers; j++) {
        total[j] += sums[1 + j], square[j] += sums[1 + numbers + j];
        double middle = total[j] / *number, variance = square[j] / *number - middle * middle;
        if (*number == 0)
            continue;
        mean[j] = (REAL)middle;
        scale[j] = (REAL)(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + 1e-6));
    }
}

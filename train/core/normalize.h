/* The statistics that normalise observations. Sums are in double, whatever type the network has: in float the variance
 * of what lies far from 0 is lost, and a long run's count stands still. */

/* cffi: begin */
LEARN_API size_t FN(learn_seen)(const FN(learn_group) * group);
LEARN_API void FN(learn_observe)(const FN(learn_group) * group, size_t n, size_t rows, const float *obs,
                                 const uint8_t *there, const uint8_t *alive, const uint8_t *strand, size_t first,
                                 size_t count, double *sums);
LEARN_API void FN(learn_normalize)(size_t numbers, const double *sums, double *number, double *total, double *square,
                                   REAL *mean, REAL *scale);
/* cffi: end */

/* Numbers of a group that have statistics of their own: the entities of a set share theirs. */
LEARN_API size_t FN(learn_seen)(const FN(learn_group) * group) {
    return (size_t)group->inputs * (group->kind == LEARN_SET ? 1 : group->count);
}

/* Number, sums and sums of squares, [1 + 2 numbers], of a group's observations [n][count x inputs] of rows that live;
 * there: of a set [n][count], which entities are, or NULL. strand: [rows], of `count` from `first` on. sums:
 * [count][1 + 2 numbers], of which the first become the result. */
LEARN_API void FN(learn_observe)(const FN(learn_group) * group, size_t n, size_t rows, const float *obs,
                                 const uint8_t *there, const uint8_t *alive, const uint8_t *strand, size_t first,
                                 size_t count, double *sums) {
    size_t numbers = FN(learn_seen)(group), each = 1 + 2 * numbers;
    size_t times = group->kind == LEARN_SET ? group->count : 1;
    memset(sums, 0, count * each * sizeof *sums);
    for (size_t i = 0; i < n * times; i++, obs += numbers) {
        if (!alive[i / times] || (there && !there[i]))
            continue;
        double *number = sums + (strand[i / times % rows] - first) * each, *total = number + 1;
        double *square = total + numbers;
        *number += 1;
        for (size_t j = 0; j < numbers; j++) {
            double x = (double)obs[j];
            total[j] += x, square[j] += x * x;
        }
    }
    FN(learn_join_sums)(count, each, sums);
}

/* Takes in such sums; mean and 1 / deviation by now, if anybody was there. All [numbers] but `number`, [1]. */
LEARN_API void FN(learn_normalize)(size_t numbers, const double *sums, double *number, double *total, double *square,
                                   REAL *mean, REAL *scale) {
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

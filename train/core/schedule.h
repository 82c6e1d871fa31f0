/* What changes from step to step whatever is learned, in plain double: the same bits everywhere. */

/* cffi: begin */
LEARN_API double learn_annealed(double start, double end, double done, uint32_t cosine);
LEARN_API void learn_factors(uint32_t count, double learning_rate, double *root, double *change);
/* cffi: end */

static double learn_power(double base, uint32_t exponent) {
    double result = 1;
    for (; exponent; exponent /= 2, base *= base)
        result *= exponent % 2 ? base : 1;
    return result;
}

/* Between `start` and `end` when a share `done` of the schedule is over: in a line, or along half a cosine wave. */
LEARN_API double learn_annealed(double start, double end, double done, uint32_t cosine) {
    double left = 1 - done;
    if (cosine) { /* sin x / 2 + 1 / 2, x in [-pi / 2, pi / 2], by its series */
        double x = (0.5 - done) * 3.14159265358979324, sum = 0;
        for (int k = 23; k > 1; k -= 2)
            sum = (1 + sum) * (-x * x / (double)(k * (k - 1)));
        left = (1 + (1 + sum) * x) / 2;
    }
    return end + left * (start - end);
}

/* What Adam's step `count`, from 1 on, differs in from all others: the factors of the root of the squares and of the
 * change. */
LEARN_API void learn_factors(uint32_t count, double learning_rate, double *root, double *change) {
    *root = 1 / __builtin_sqrt(1 - learn_power(0.999, count));
    *change = learning_rate / (1 - learn_power(0.9, count));
}

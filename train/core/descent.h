/* From the places of samples to the weights that they lead to, minibatch by minibatch. */

/* cffi: begin */
typedef struct FN(learn_descent) {
    const FN(learn_net) * net;
    const FN(learn_batch) * batch;    /* of the caller's rows */
    size_t all_rows, first_row;       /* of all processes; the caller's begin there */
    size_t first, count;              /* strands of the caller's rows */
    const uint8_t *strand;            /* [rows]: that of each */
    size_t numbers;                   /* of parameters */
    REAL *parameters, *packed;        /* see learn_pack */
    REAL *mean, *square;              /* [numbers]: Adam's */
    REAL *gradient;                   /* [numbers + 1]: the last is the weight of the samples */
    REAL *gradients, *room;           /* [count][learn_gradients]; see learn_room */
    double *sums;                     /* [count][LEARN_SUMS], of which the first become what was measured */
    int64_t *dealt;                   /* [samples, or with memory rows, of a minibatch] */
    REAL *importance;                 /* likewise; or NULL */
    size_t offset[LEARN_STRANDS + 1]; /* see learn_deal */
    double max_norm;                  /* see learn_descend */
    uint32_t steps;                   /* of Adam */
    /* Both may be NULL, and tell 0 where they were in vain: calls learn_gradient for all strands, in threads; and adds
     * up numbers over all processes, in place. */
    uint32_t (*share)(const REAL *importance);
    uint32_t (*exchange)(void *others, REAL *numbers, size_t count);
    void *others;
} FN(learn_descent);

LEARN_API uint32_t FN(learn_backward)(FN(learn_descent) * d, size_t n, const int64_t *index, const REAL *importance);
LEARN_API double FN(learn_minibatches)(FN(learn_descent) * d, size_t count, size_t n, const int64_t *index,
                                       const REAL *importance, double rate, double *sums);
/* cffi: end */

/* The gradient of the n samples, places t x all_rows + row, or with memory of the rows, at index[...], with
 * importance[...] unless that is NULL; of those among them that are the caller's. 0: in vain. */
LEARN_API uint32_t FN(learn_backward)(FN(learn_descent) * d, size_t n, const int64_t *index, const REAL *importance) {
    const FN(learn_net) *net = d->net;
    FN(learn_pack)(net, d->parameters, d->packed);
    FN(learn_deal)(n, index, net->memory ? NULL : d->batch->weight, importance, d->all_rows, d->first_row,
                   d->batch->rows, d->strand, d->dealt, importance ? d->importance : NULL, d->offset);
    importance = importance ? d->importance : NULL;
    if (!d->share)
        FN(learn_gradient)(net, d->packed, d->batch, d->dealt, importance, d->offset, d->first, d->first + d->count,
                           d->gradients, d->sums, d->room);
    else if (!d->share(importance))
        return 0;
    FN(learn_collect)(net, d->count, d->gradients, d->sums, d->gradient);
    d->gradient[d->numbers] = (REAL)d->sums[LEARN_SUMS - 1];
    return 1;
}

/* Learns from `count` minibatches of n each, one behind the other in index and importance. Adds what is measured to
 * sums [LEARN_SUMS]. Returns the sum of the gradients' lengths; -1: in vain. */
LEARN_API double FN(learn_minibatches)(FN(learn_descent) * d, size_t count, size_t n, const int64_t *index,
                                       const REAL *importance, double rate, double *sums) {
    double length = 0;
    for (size_t i = 0; i < count; i++) {
        double root, change;
        if (!FN(learn_backward)(d, n, index + i * n, importance ? importance + i * n : NULL))
            return -1;
        for (size_t k = 0; k < LEARN_SUMS; k++)
            sums[k] += d->sums[k];
        if (d->exchange && !d->exchange(d->others, d->gradient, d->numbers + 1))
            return -1;
        learn_factors(++d->steps, rate, &root, &change);
        length += FN(learn_descend)(d->numbers, d->parameters, d->gradient, d->mean, d->square, d->gradient[d->numbers],
                                    d->max_norm, root, change);
    }
    return length;
}

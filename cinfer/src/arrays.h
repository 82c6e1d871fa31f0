/* ---- Elements at places that vary. */

/* gather: y = x at the places `index` along an axis; scatter, where there are values: x, with these at the places. */
static void mnw_gathered(const mnw_call *c, float *y, const float *x, const mnw_shape *xs, const float *index,
                         const mnw_shape *is, const float *values, size_t rows, uint32_t *told) {
    const uint32_t axis = mnw_u32(mnw_attr(c, 0)), n = xs->size[axis], add = values && mnw_u32(mnw_attr(c, 1));
    const size_t inner = mnw_product(xs, axis + 1, xs->rank);
    if (values)
        memcpy(y, x, 4 * rows * xs->elements);
    for (rows *= mnw_product(xs, 0, axis); rows--; x += n * inner) {
        for (uint32_t k = 0; k < is->size[axis]; k++)
            for (size_t i = 0; i < inner; i++) {
                const size_t at = mnw_row(*index++, n, told) * inner + i;
                if (!values)
                    *y++ = x[at];
                else if (add)
                    y[at] += *values++;
                else
                    y[at] = *values++;
            }
        y += values ? n * inner : 0;
    }
}

/* The first numbers along an axis in their order, and their places: equal ones as they stand, a NaN as the largest. */
static void mnw_sorted(const mnw_call *c, float *y, float *places, const mnw_shape *ys, const float *x,
                       const mnw_shape *xs, size_t rows) {
    const uint32_t axis = mnw_u32(mnw_attr(c, 0)), falling = mnw_u32(mnw_attr(c, 1)), n = xs->size[axis];
    const size_t inner = mnw_product(xs, axis + 1, xs->rank), count = ys->size[axis];
    for (rows *= mnw_product(xs, 0, axis); rows--; x += n * inner, y += count * inner, places += count * inner)
        for (size_t line = 0; line < inner; line++)
            for (uint32_t i = 0; i < n; i++) {
                const float v = x[i * inner + line];
                size_t k = i < count ? i : count; /* so many are in order */
                for (; k; k--) {
                    const float *before = y + (k - 1) * inner + line;
                    const float low = falling ? *before : v, high = falling ? v : *before;
                    if (!(low < high || (high != high && low == low)))
                        break;
                    if (k < count) {
                        y[k * inner + line] = *before;
                        places[k * inner + line] = places[(k - 1) * inner + line];
                    }
                }
                if (k < count) {
                    y[k * inner + line] = v;
                    places[k * inner + line] = (float)i;
                }
            }
}

/* ---- Operations on whole arrays; x and y are rows of agents, one after another. */

/* A way through an array's axes, of which the agents are the first, but for the last one. Two arrays go along: where
 * each of them is, and how far apart its neighbours along each axis are. */
enum { MNW_AXES = MINNOW_MAX_RANK + 1 };
typedef struct mnw_walk {
    uint32_t axes, size[MNW_AXES], at[MNW_AXES];
    size_t by[2][MNW_AXES], place[2];
} mnw_walk;

static void mnw_begin(mnw_walk *w, const mnw_shape *s, size_t rows) {
    memset(w, 0, sizeof *w);
    w->axes = s->rank + 1;
    w->size[0] = (uint32_t)rows;
    memcpy(w->size + 1, s->size, sizeof s->size);
}

/* One of the two has shape s, and is broadcast to that of the way. */
static MNW_NOINLINE void mnw_follow(mnw_walk *w, const mnw_shape *s, uint32_t which) {
    size_t step = 1;
    for (uint32_t i = 1; i < w->axes; i++) {
        uint32_t n = i <= s->rank ? s->size[s->rank - i] : 1;
        w->by[which][w->axes - i] = n == 1 ? 0 : step;
        step *= n;
    }
    w->by[which][0] = step;
}

/* The next position; 0 after the last. */
static MNW_NOINLINE int mnw_next(mnw_walk *w) {
    for (uint32_t axis = w->axes - 1; axis-- > 0;) {
        uint32_t more = ++w->at[axis] < w->size[axis];
        for (uint32_t i = 0; i < 2; i++)
            w->place[i] += more ? w->by[i][axis] : w->by[i][axis] - w->by[i][axis] * w->at[axis];
        if (more)
            return 1;
        w->at[axis] = 0;
    }
    return 0;
}

/* The second of the two becomes the first. */
static MNW_NOINLINE void mnw_copy(mnw_walk *w, float *y, const float *x) {
    uint32_t last = w->axes - 1, n = w->size[last];
    size_t by = w->by[0][last], to = w->by[1][last];
    do {
        if (by == 1 && to == 1)
            memcpy(y + w->place[1], x + w->place[0], (size_t)4 * n);
        else
            for (uint32_t i = 0; i < n; i++)
                y[w->place[1] + i * to] = x[w->place[0] + i * by];
    } while (mnw_next(w));
}

/* Sum, mean, product or extreme over some axes, in the order in which the elements lie. */
static void mnw_reduced(const mnw_kernels *kernels, float *y, const mnw_shape *ys, const float *x, const mnw_shape *xs,
                        const mnw_call *c, size_t rows) {
    const uint32_t code = MNW_NUMBER(c->code), extreme = code == MNW_max || code == MNW_min;
    mnw_walk w;
    uint32_t last = xs->rank, k = c->attrs;
    size_t step = 1, all = rows * ys->elements;
    mnw_begin(&w, xs, rows);
    for (uint32_t i = xs->rank; i-- > 0;) {
        if (k > 0 && mnw_u32(mnw_attr(c, k - 1)) == i) {
            k--;
        } else {
            w.by[1][1 + i] = step;
            step *= xs->size[i];
        }
    }
    w.by[1][0] = step;
    for (size_t i = 0; i < all; i++)
        y[i] = code == MNW_max   ? mnw_from(0xff800000u)
               : code == MNW_min ? mnw_from(0x7f800000u)
                                 : (float)(code == MNW_prod);
    do {
        float *sum = y + w.place[1];
        if (!extreme && code != MNW_prod && w.by[1][last]) { /* whole lines to each other */
            kernels->binary(MNW_add, sum, sum, 1, x, 1, w.size[last]);
            x += w.size[last];
            continue;
        }
        for (uint32_t i = 0; i < w.size[last]; i++, sum += w.by[1][last]) {
            float v = *x++;
            if (extreme)
                *sum = (code == MNW_max ? v > *sum : v < *sum) || v != v ? v : *sum;
            else
                *sum = code == MNW_prod ? *sum * v : *sum + v;
        }
    } while (mnw_next(&w));
    if (code == MNW_mean) {
        float count = (float)(xs->elements / ys->elements);
        for (size_t i = 0; i < all; i++)
            y[i] /= count;
    }
}

/* Softmax, or its logarithm, of n numbers. */
static void mnw_softmax_of(const mnw_kernels *k, float *y, const float *x, size_t n, int logarithm) {
    float top = x[0], sum = 0.0f;
    for (size_t i = 1; i < n; i++)
        top = x[i] > top || x[i] != x[i] ? x[i] : top;
    k->binary(MNW_sub, y, x, 1, &top, 0, n);
    k->unary(MNW_exp, y, y, n, NULL);
    for (size_t i = 0; i < n; i++)
        sum += y[i];
    if (logarithm) {
        k->unary(MNW_log, &sum, &sum, 1, NULL);
        sum = top + sum;
        k->binary(MNW_sub, y, x, 1, &sum, 0, n);
    } else {
        k->binary(MNW_div, y, y, 1, &sum, 0, n);
    }
}

/* The sums are of doubles: what is left when nearly equal numbers lose their mean is scaled up, and its errors too. */
static void mnw_norm_of(const mnw_kernels *k, float *y, const float *x, size_t n, const mnw_op *op) {
    double mean = 0.0, squares = 0.0, count = (double)n;
    if (op->call.code == MNW_layer_norm) {
        for (size_t i = 0; i < n; i++)
            mean += (double)x[i];
        mean /= count;
    }
    for (size_t i = 0; i < n; i++) {
        double apart = (double)x[i] - mean;
        squares += apart * apart;
    }
    float high = (float)mean, low = (float)(mean - (double)high);
    float scale = 1.0f / mnw_sqrt((float)(squares / count) + mnw_f32(mnw_attr(&op->call, 0)));
    k->binary(MNW_sub, y, x, 1, &high, 0, n);
    k->binary(MNW_sub, y, y, 1, &low, 0, n);
    k->binary(MNW_mul, y, y, 1, &scale, 0, n);
    if (op->tensor[0])
        k->binary(MNW_mul, y, y, 1, op->tensor[0], 1, n);
    if (op->call.tensors > 1 && op->tensor[1])
        k->binary(MNW_add, y, y, 1, op->tensor[1], 1, n);
}

/* The product of matrices: a [..., n, k] with b [..., k, m], or [..., m, k] if it is turned. */
static void mnw_matmul_of(const mnw_kernels *kernels, mnw_product_of *of, uint32_t turned, size_t rows,
                          const mnw_shape *ys, const mnw_shape *as, const float *b, const mnw_shape *bs,
                          float *panels) {
    const float *a = of->x;
    size_t n = ys->size[ys->rank - 2], m = of->n, k = of->k, all = (m + MNW_PANEL - 1) / MNW_PANEL * MNW_PANEL;
    mnw_walk w;
    mnw_begin(&w, ys, rows);
    mnw_follow(&w, as, 0);
    mnw_follow(&w, bs, 1);
    w.axes--;
    of->w = panels;
    do {
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < all; j++)
                panels[(j / MNW_PANEL * k + i) * MNW_PANEL + j % MNW_PANEL] =
                    j < m ? b[w.place[1] + (turned ? j * k + i : i * m + j)] : 0.0f;
        of->x = a + w.place[0];
        mnw_linear_of(kernels, of, n);
        of->y += n * m;
    } while (mnw_next(&w));
}

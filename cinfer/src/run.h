/* ---- Running operations. */
/* A linear layer from the weights as they stand in the file, in the order of mnw_product_of. */
static void mnw_linear_in_place(const mnw_file *f, const mnw_call *c, const float *x, float *y, size_t rows) {
    const mnw_tensor w = mnw_tensor_at(f, mnw_stored(c, 0));
    const uint32_t n = w.shape.size[0], k = w.shape.size[1], bias = mnw_stored(c, 1);
    mnw_tensor b = w;
    if (bias != MNW_ABSENT)
        b = mnw_tensor_at(f, bias);
    for (size_t r = 0; r < rows; r++, x += k)
        for (uint32_t j = 0; j < n; j++) {
            float sum = bias == MNW_ABSENT ? 0.0f : mnw_element(&b, j), total = 0.0f;
            for (uint32_t i = 0; i < k; i++) {
                if (i && i % MNW_RUN == 0) {
                    total = i > MNW_RUN ? total + sum : sum;
                    sum = 0.0f;
                }
                uint32_t at = j * k + i;
                sum += x[i] * (w.dtype == MINNOW_F32 ? mnw_f32(w.data + (size_t)4 * at) : mnw_element(&w, at));
            }
            *y++ = k > MNW_RUN ? total + sum : sum;
        }
}

#define MNW_CASES_OF_RARE                                                                                              \
    case MNW_fmod:                                                                                                     \
    case MNW_remainder:                                                                                                \
    case MNW_floor_divide:                                                                                             \
    case MNW_atan2:                                                                                                    \
    case MNW_integer:                                                                                                  \
    case MNW_log2:                                                                                                     \
    case MNW_log10:                                                                                                    \
    case MNW_log1p:                                                                                                    \
    case MNW_exp2:                                                                                                     \
    case MNW_expm1:                                                                                                    \
    case MNW_whole:                                                                                                    \
    case MNW_gather:                                                                                                   \
    case MNW_scatter:                                                                                                  \
    case MNW_sort

/* Runs one of the operations that few policies call. */
static MNW_NOINLINE void mnw_run_rare(minnow_session *s, const mnw_op *op, uint32_t from, size_t rows) {
    const mnw_call *c = &op->call;
    const mnw_value *values = s->policy->value;
    const uint32_t code = MNW_NUMBER(c->code), second = mnw_in(c, c->inputs > 1);
    const mnw_shape *ys = &values[mnw_out(c, 0)].shape, *xs = &values[mnw_in(c, 0)].shape, *bs = &values[second].shape;
    const float *x = mnw_at(s, mnw_in(c, 0), from), *b = mnw_at(s, second, from);
    float *y = mnw_at(s, mnw_out(c, 0), from);
    size_t all = rows * ys->elements, n = ys->rank ? ys->size[ys->rank - 1] : rows;
    mnw_walk w;
    switch (code) {
    case MNW_fmod:
    case MNW_remainder:
    case MNW_floor_divide:
    case MNW_atan2:
    case MNW_integer:
        mnw_begin(&w, ys, rows);
        mnw_follow(&w, xs, 0);
        mnw_follow(&w, bs, 1);
        do {
            for (size_t i = 0; i < n; i++, y++) {
                const float *u = x + w.place[0] + i * w.by[0][ys->rank], *v = b + w.place[1] + i * w.by[1][ys->rank];
                if (code == MNW_integer)
                    mnw_put_word(y, mnw_integer_of(c, mnw_bits(*u), mnw_bits(*v), &s->told));
                else
                    *y = mnw_pair(code, *u, *v);
            }
        } while (mnw_next(&w));
        return;
    case MNW_log2:
    case MNW_log10:
    case MNW_log1p:
    case MNW_exp2:
    case MNW_expm1:
    case MNW_whole:
        for (; all--; x++, y++)
            if (code == MNW_whole)
                mnw_put_word(y, mnw_whole_of(*x, &s->told));
            else
                *y = code < MNW_NUMBER(MNW_exp2) ? mnw_logarithm(code, *x) : mnw_power(code, *x);
        return;
    case MNW_gather:
    case MNW_scatter:
        mnw_gathered(c, y, x, xs, b, bs, code == MNW_scatter ? mnw_at(s, mnw_in(c, 2), from) : NULL, rows, &s->told);
        return;
    case MNW_sort:
        mnw_sorted(c, y, mnw_at(s, mnw_out(c, 1), from), ys, x, xs, rows);
        return;
    default:
        return;
    }
}

/* Bytes or whole numbers as floats. */
static void mnw_cast_of(float *y, const float *x, size_t n, uint32_t dtype) {
    if (dtype == MINNOW_U8) {
        const uint8_t *bytes = (const uint8_t *)(const void *)x;
        for (size_t i = 0; i < n; i++)
            y[i] = (float)bytes[i];
    } else {
        for (size_t i = 0; i < n; i++)
            y[i] = (float)(int32_t)mnw_bits(x[i]);
    }
}

static void mnw_run_linear(const mnw_kernels *k, const mnw_file *f, const mnw_call *c, const mnw_product_of *of,
                           size_t rows) {
    if (MNW_IN_PLACE)
        mnw_linear_in_place(f, c, of->x, of->y, rows);
    else
        mnw_linear_of(k, of, rows);
}

/* Rows of n numbers from a table. */
static void mnw_run_embedding(minnow_session *s, const mnw_op *op, float *y, const float *x, size_t n, size_t count) {
    const uint32_t table = mnw_tensor_at(&s->policy->file, mnw_stored(&op->call, 0)).shape.size[0];
    for (; count--; y += n)
        memcpy(y, op->tensor[0] + mnw_row(*x++, table, &s->told) * n, 4 * n);
}

/* Softmax or a norm of each of so many lines of n numbers. */
static void mnw_run_lines(const mnw_kernels *k, const mnw_op *op, float *y, const float *x, size_t n, size_t lines) {
    const uint32_t code = MNW_NUMBER(op->call.code);
    for (; lines--; x += n, y += n)
        if (code == MNW_softmax || code == MNW_log_softmax)
            mnw_softmax_of(k, y, x, n, code == MNW_log_softmax);
        else
            mnw_norm_of(k, y, x, n, op);
}

/* Layers with a memory: `of` is the product with their inputs, whose y and n are those of the layer, and h its state
 * before the step. First an LSTM, or a simple recurrent layer. */
static void mnw_run_lstm(const minnow_session *s, const mnw_op *op, mnw_product_of *of, const float *h, uint32_t from,
                         size_t rows) {
    const mnw_kernels *k = &s->kernels;
    const mnw_call *c = &op->call;
    const uint32_t code = MNW_NUMBER(c->code);
    const size_t n = of->n, all = rows * n;
    float *y = of->y, *scratch = s->scratch;
    of->bias = op->tensor[2];
    of->more_w = op->tensor[1];
    of->more_x = h;
    of->more_k = n;
    if (code == MNW_lstm) {
        of->y = scratch;
        of->n = 4 * n;
    }
    mnw_linear_of(k, of, rows);
    if (code == MNW_lstm) {
        const float *cell = mnw_at(s, mnw_in(c, 2), from);
        float *next = mnw_at(s, mnw_out(c, 1), from);
        for (size_t r = 0; r < rows; r++) {
            float *gates = scratch + r * 4 * n;
            k->gates(gates, gates, 2 * n, 0);
            k->gates(gates + 2 * n, gates + 2 * n, n, 1);
            k->gates(gates + 3 * n, gates + 3 * n, n, 0);
            k->lstm(next + r * n, gates, cell + r * n, n);
        }
        k->gates(y, next, all, 1);
        for (size_t r = 0; r < rows; r++)
            k->binary(MNW_mul, y + r * n, y + r * n, 1, scratch + (r * 4 + 3) * n, 1, n);
    } else if (mnw_u32(mnw_attr(c, 0))) {
        k->unary(MNW_relu, y, y, all, NULL);
    } else {
        k->gates(y, y, all, 1);
    }
}

static void mnw_run_gru(const mnw_kernels *k, const mnw_op *op, mnw_product_of *of, const float *h, float *scratch,
                        size_t rows) {
    const size_t n = of->n;
    float *y = of->y;
    of->bias = op->tensor[2];
    of->y = scratch;
    of->n = 3 * n;
    mnw_linear_of(k, of, rows);
    of->w = op->tensor[1];
    of->bias = op->tensor[3];
    of->x = h;
    of->y = scratch + rows * 3 * n;
    of->k = n;
    mnw_linear_of(k, of, rows);
    for (; rows--; y += n, scratch += 3 * n, of->y += 3 * n, h += n)
        k->gru(y, scratch, of->y, h, n);
}

static void mnw_run_mingru(const mnw_kernels *k, mnw_product_of *of, const float *h, float *scratch, size_t rows) {
    const size_t n = of->n;
    float *y = of->y;
    of->y = scratch;
    of->n = 2 * n;
    mnw_linear_of(k, of, rows);
    for (; rows--; y += n, scratch += 2 * n, h += n) {
        k->gates(y, scratch, n, 0);
        k->gates(scratch + n, scratch + n, n, 0);
        k->mingru(y, scratch, h, n);
    }
}

/* An operation on two numbers, where arrays are broadcast to each other. */
static void mnw_run_pairs(const mnw_kernels *k, uint32_t code, float *y, const mnw_shape *ys, const float *a,
                          const mnw_shape *as, const float *b, const mnw_shape *bs, size_t n, size_t rows) {
    mnw_walk w;
    mnw_begin(&w, ys, rows);
    mnw_follow(&w, as, 0);
    mnw_follow(&w, bs, 1);
    do {
        k->binary(code, y, a + w.place[0], w.by[0][ys->rank], b + w.place[1], w.by[1][ys->rank], n);
        y += n;
    } while (mnw_next(&w));
}

/* concat, slice and permute: parts of the inputs, one after another along an axis. */
static void mnw_run_parts(const minnow_session *s, const mnw_call *c, float *y, const mnw_shape *ys, uint32_t from,
                          size_t rows) {
    const uint32_t code = MNW_NUMBER(c->code), axis = 1 + mnw_u32(mnw_attr(c, 0));
    size_t done = 0;
    mnw_walk w;
    for (uint32_t i = 0; i < c->inputs; i++) {
        const mnw_shape *xs = &s->policy->value[mnw_in(c, i)].shape;
        mnw_begin(&w, code == MNW_concat ? xs : ys, rows);
        mnw_follow(&w, xs, 0);
        mnw_follow(&w, ys, 1);
        w.place[1] = done * w.by[1][axis];
        done += w.size[axis];
        if (code == MNW_slice) {
            w.place[0] = mnw_u32(mnw_attr(c, 1)) * w.by[0][axis];
            w.by[0][axis] *= mnw_u32(mnw_attr(c, 2));
        }
        for (uint32_t to = 0; code == MNW_permute && to < ys->rank; to++)
            w.by[0][1 + to] = mnw_product(xs, mnw_u32(mnw_attr(c, to)) + 1, xs->rank);
        mnw_copy(&w, y, mnw_at(s, mnw_in(c, i), from));
    }
}

/* Runs an operation for agents from `from` on, `rows` of them. */
static void mnw_run(minnow_session *s, const mnw_op *op, uint32_t from, size_t rows) {
    const mnw_call *c = &op->call;
    const minnow_policy *p = s->policy;
    const mnw_kernels *k = &s->kernels;
    const uint32_t code = MNW_NUMBER(c->code);
    const mnw_shape *ys = &p->value[mnw_out(c, 0)].shape, *xs = ys, *bs = ys;
    float *y = mnw_at(s, mnw_out(c, 0), from), *scratch = s->scratch, attr[2] = {0.0f, 0.0f};
    const float *x = y, *b = y; /* the first input, and the second, or a state */
    if (c->inputs) {
        xs = &p->value[mnw_in(c, 0)].shape;
        x = mnw_at(s, mnw_in(c, 0), from);
    }
    if (c->inputs > 1) {
        bs = &p->value[mnw_in(c, 1)].shape;
        b = mnw_at(s, mnw_in(c, 1), from);
    }
    size_t all = rows * ys->elements, last = xs->rank ? xs->size[xs->rank - 1] : 1, lines = rows * xs->elements / last;
    size_t n = ys->rank ? ys->size[ys->rank - 1] : 1;
    mnw_product_of of = {op->tensor[0], op->tensor[1], x, y, n, last, NULL, NULL, 0};
    switch (code) {
    case MNW_reshape:  /* the same memory */
    case MNW_constant: /* filled in when the session begins */
        return;
    case MNW_cast:
        mnw_cast_of(y, x, all, p->value[mnw_in(c, 0)].dtype);
        return;
    case MNW_linear:
        mnw_run_linear(k, &p->file, c, &of, lines);
        return;
    case MNW_lstm:
    case MNW_rnn:
        mnw_run_lstm(s, op, &of, b, from, rows);
        return;
    case MNW_gru:
        mnw_run_gru(k, op, &of, b, scratch, rows);
        return;
    case MNW_mingru:
        mnw_run_mingru(k, &of, b, scratch, rows);
        return;
    case MNW_conv:
        mnw_conv(k, op, y, x, rows, scratch);
        return;
    case MNW_pool:
        mnw_pool_of(c, y, ys, x, xs, rows);
        return;
    case MNW_matmul:
        mnw_matmul_of(k, &of, mnw_u32(mnw_attr(c, 0)), rows, ys, xs, b, bs, scratch);
        return;
    case MNW_embedding:
        mnw_run_embedding(s, op, y, x, n, rows * xs->elements);
        return;
    case MNW_add:
    case MNW_sub:
    case MNW_mul:
    case MNW_div:
    case MNW_minimum:
    case MNW_maximum:
    case MNW_eq:
    case MNW_lt:
    case MNW_le:
    case MNW_keep:
        if (mnw_equal(xs, bs))
            k->binary(code, y, x, 1, b, 1, all);
        else
            mnw_run_pairs(k, code, y, ys, x, xs, b, bs, n, rows);
        return;
    MNW_CASES_OF_RARE:
        mnw_run_rare(s, op, from, rows);
        return;
    case MNW_mix:
        k->mix(y, x, b, mnw_at(s, mnw_in(c, 2), from), all);
        return;
    case MNW_softmax:
    case MNW_log_softmax:
    case MNW_layer_norm:
    case MNW_rms_norm:
        mnw_run_lines(k, op, y, x, last, lines);
        return;
    case MNW_sum:
    case MNW_mean:
    case MNW_max:
    case MNW_min:
    case MNW_prod:
        mnw_reduced(k, y, ys, x, xs, c, rows);
        return;
    case MNW_concat:
    case MNW_slice:
    case MNW_permute:
        mnw_run_parts(s, c, y, ys, from, rows);
        return;
    case MNW_tanh:
    case MNW_sigmoid:
        k->gates(y, x, all, code == MNW_tanh);
        return;
    default:
        for (uint32_t i = 0; i < c->attrs && i < 2; i++)
            attr[i] = mnw_f32(mnw_attr(c, i));
        k->unary(code, y, x, all, attr);
    }
}

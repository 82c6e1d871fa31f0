/* ---- Whether an operation's shapes and attributes fit it. */

/* The product of sizes from axis `from` up to axis `to`. */
static MNW_NOINLINE uint32_t mnw_product(const mnw_shape *s, uint32_t from, uint32_t to) {
    uint32_t n = 1;
    for (uint32_t i = from; i < to; i++)
        n *= s->size[i];
    return n;
}

/* The axes along which a convolution's or pool's windows move; its attributes are one number, then so many of each
 * sort. 0: it has the wrong number of attributes. */
static uint32_t mnw_moves(const mnw_call *c) {
    uint32_t sorts = c->code == MNW_conv ? 3 : 4, d = (c->attrs - 1) / sorts;
    return d <= 3 && c->attrs == 1 + sorts * d ? d : 0;
}

/* Number `axis` of a sort of attributes. */
MNW_INLINE uint32_t mnw_of_axis(const mnw_call *c, uint32_t sort, uint32_t axis) {
    return mnw_u32(mnw_attr(c, 1 + sort * mnw_moves(c) + axis));
}

static int mnw_fits_conv(const mnw_file *f, const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    const uint8_t *w = mnw_stored_at(f, mnw_stored(c, 0));
    uint32_t d = mnw_moves(c), groups = mnw_u32(mnw_attr(c, 0)), n = mnw_size(y, 0);
    if (x[5] != d + 1 || y[5] != d + 1 || w[5] != d + 2 || mnw_size(w, 0) != n || n % groups != 0 ||
        (uint64_t)mnw_size(w, 1) * groups != mnw_size(x, 0) || !mnw_is(f, c, 1, n, 0))
        return 0;
    for (uint32_t i = 0; i < d; i++) {
        uint64_t all = mnw_size(x, 1 + i) + (uint64_t)2 * mnw_of_axis(c, 1, i);
        uint64_t window = (uint64_t)mnw_of_axis(c, 2, i) * (mnw_size(w, 2 + i) - 1) + 1;
        if (window > all || (all - window) / mnw_of_axis(c, 0, i) + 1 != mnw_size(y, 1 + i))
            return 0;
    }
    return 1;
}

static int mnw_fits_pool(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t d = mnw_moves(c);
    if (x[5] != d + 1 || y[5] != d + 1 || mnw_size(x, 0) != mnw_size(y, 0))
        return 0;
    for (uint32_t i = 0; i < d; i++) { /* every window begins before the end */
        uint32_t padding = mnw_of_axis(c, 2, i);
        if (padding > mnw_of_axis(c, 0, i) / 2 ||
            (uint64_t)(mnw_size(y, 1 + i) - 1) * mnw_of_axis(c, 1, i) >= (uint64_t)mnw_size(x, 1 + i) + padding)
            return 0;
    }
    return 1;
}

/* Whether y is the broadcast of a and b, the last `but` axes apart. */
static int mnw_fits_both(const uint8_t *a, const uint8_t *b, const uint8_t *y, uint32_t but) {
    uint32_t i = a[5], j = b[5], k = y[5];
    if (k != (i > j ? i : j))
        return 0;
    for (; k > but; but++) {
        uint32_t m = i > but ? mnw_size(a, i - 1 - but) : 1, n = j > but ? mnw_size(b, j - 1 - but) : 1;
        if ((m != n && m != 1 && n != 1) || mnw_size(y, k - 1 - but) != (m > n ? m : n))
            return 0;
    }
    return 1;
}

/* A recurrent layer with so many gates. */
static int mnw_fits_cell(const mnw_file *f, const mnw_call *c, const uint8_t *x, uint32_t gates) {
    const uint8_t *h = mnw_value_at(f, mnw_in(c, 1));
    const uint32_t size = mnw_size(h, 0);
    if (x[5] != 1 || h[5] != 1)
        return 0;
    for (uint32_t i = 2; i < c->inputs + c->outputs; i++) /* states before and after; inputs and outputs adjoin */
        if (!mnw_alike(h, mnw_value_at(f, mnw_in(c, i)), MNW_NO_AXIS))
            return 0;
    for (uint32_t i = 0; i < c->tensors; i++)
        if (!mnw_is(f, c, i, gates * size, !i ? mnw_size(x, 0) : i == 1 && c->tensors == 4 ? size : 0))
            return 0;
    return 1;
}

/* Whether y is x without the axes that the attributes name: they rise, and x has them all. */
static int mnw_fits_reduced(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t left = 0, k = 0;
    for (uint32_t i = 0; i < x[5]; i++) {
        if (k < c->attrs && mnw_u32(mnw_attr(c, k)) == i)
            k++;
        else if (left >= y[5] || mnw_size(y, left++) != mnw_size(x, i))
            return 0;
    }
    return k == c->attrs && left == y[5];
}

/* Whether the attributes name each axis of x once, and y has its axes in that order. */
static int mnw_fits_permuted(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t axes = x[5], seen = 0;
    if (c->attrs != axes || axes != y[5])
        return 0;
    for (uint32_t i = 0; i < axes; i++) {
        uint32_t axis = mnw_u32(mnw_attr(c, i));
        if (axis >= axes || (seen >> axis & 1) || mnw_size(y, i) != mnw_size(x, axis))
            return 0;
        seen |= 1u << axis;
    }
    return 1;
}

/* Whether the shapes of an operation fit each other; its attributes are checked before. */
static int mnw_fits(const mnw_file *f, const mnw_call *c) {
    const uint8_t *y = mnw_value_at(f, mnw_out(c, 0)), *x = c->inputs ? mnw_value_at(f, mnw_in(c, 0)) : y, *h = y,
                  *t = y;
    uint32_t attr[3] = {0, 0, 0}, axes = x[5], rank = y[5], last = axes ? mnw_size(x, axes - 1) : 0, rows = 0;
    if (c->inputs > 1)
        h = mnw_value_at(f, mnw_in(c, 1));
    if (c->tensors)
        t = mnw_stored_at(f, mnw_stored(c, 0)); /* read only where it may not be absent */
    for (uint32_t i = 0; i < 3 && i < c->attrs; i++)
        attr[i] = mnw_u32(mnw_attr(c, i));
    switch (MNW_NUMBER(c->code)) {
    case MNW_constant:
        return mnw_alike(t, y, MNW_NO_AXIS);
    case MNW_linear:
        return axes >= 1 && rank == axes && mnw_agree(x, y, 0, axes - 1) &&
               mnw_is(f, c, 0, mnw_size(y, rank - 1), last) && mnw_is(f, c, 1, mnw_size(y, rank - 1), 0);
    case MNW_conv:
        return mnw_fits_conv(f, c, x, y);
    case MNW_pool:
        return mnw_fits_pool(c, x, y);
    case MNW_matmul: {
        uint32_t turned = attr[0], others = h[5];
        return axes >= 2 && others >= 2 && mnw_fits_both(x, h, y, 2) && mnw_size(h, others - 1 - !turned) == last &&
               mnw_size(y, rank - 2) == mnw_size(x, axes - 2) &&
               mnw_size(y, rank - 1) == mnw_size(h, others - 1 - turned);
    }
    case MNW_embedding:
        return t[5] == 2 && rank == axes + 1 && mnw_agree(x, y, 0, axes) && mnw_size(y, axes) == mnw_size(t, 1);
    case MNW_lstm:
        rows++;
        /* fall through */
    case MNW_gru:
        rows++;
        /* fall through */
    case MNW_mingru:
        rows++;
        /* fall through */
    case MNW_rnn:
        return mnw_fits_cell(f, c, x, rows + 1);
    case MNW_softmax:
    case MNW_log_softmax:
    case MNW_layer_norm:
    case MNW_rms_norm:
        for (uint32_t i = 0; i < c->tensors; i++)
            if (!mnw_is(f, c, i, last, 0))
                return 0;
        return axes >= 1 && mnw_alike(x, y, MNW_NO_AXIS);
    case MNW_sum:
    case MNW_mean:
    case MNW_max:
    case MNW_min:
    case MNW_prod:
        return mnw_fits_reduced(c, x, y);
    case MNW_concat: {
        uint64_t total = 0;
        for (uint32_t i = 0; i < c->inputs; i++) {
            x = mnw_value_at(f, mnw_in(c, i));
            if (attr[0] >= rank || !mnw_alike(x, y, attr[0]))
                return 0;
            total += mnw_size(x, attr[0]);
        }
        return total == mnw_size(y, attr[0]);
    }
    case MNW_slice:
        return attr[0] < axes && mnw_alike(x, y, attr[0]) &&
               attr[1] + (uint64_t)(mnw_size(y, attr[0]) - 1) * attr[2] < mnw_size(x, attr[0]);
    case MNW_mix:
        return mnw_alike(x, y, MNW_NO_AXIS) && mnw_alike(h, y, MNW_NO_AXIS) &&
               mnw_alike(mnw_value_at(f, mnw_in(c, 2)), y, MNW_NO_AXIS);
    case MNW_reshape:
        return mnw_elements(x) == mnw_elements(y);
    case MNW_permute:
        return mnw_fits_permuted(c, x, y);
    case MNW_gather:
        return attr[0] < axes && mnw_alike(h, y, MNW_NO_AXIS) && mnw_alike(x, y, attr[0]);
    case MNW_scatter:
        return attr[0] < axes && mnw_alike(x, y, MNW_NO_AXIS) && mnw_alike(x, h, attr[0]) &&
               mnw_alike(mnw_value_at(f, mnw_in(c, 2)), h, MNW_NO_AXIS);
    case MNW_sort:
        return attr[0] < axes && mnw_alike(x, y, attr[0]) && mnw_size(y, attr[0]) <= mnw_size(x, attr[0]) &&
               mnw_alike(mnw_value_at(f, mnw_out(c, 1)), y, MNW_NO_AXIS);
    default:
        return c->inputs == 1 ? mnw_alike(x, y, MNW_NO_AXIS) : mnw_fits_both(x, h, y, 0);
    }
}

/* What `integer` does with two whole numbers. */
enum { MNW_I_ADD, MNW_I_SUB, MNW_I_MUL, MNW_I_FLOOR_DIVIDE, MNW_I_REMAINDER, MNW_I_DIVIDE, MNW_I_FMOD };
enum { MNW_I_MINIMUM = MNW_I_FMOD + 1, MNW_I_MAXIMUM, MNW_I_EQ, MNW_I_LT, MNW_I_LE, MNW_I_AND, MNW_I_OR, MNW_I_XOR };
enum { MNW_WAYS = MNW_I_XOR + 1 };

/* The least that attribute i of an operation may be, and the first number that it may not be any more. */
static void mnw_range(const mnw_call *c, uint32_t i, uint32_t range[2]) {
    range[0] = 0;
    range[1] = 0x80000000u;
    if (c->code == MNW_conv || c->code == MNW_pool) { /* only paddings may be 0 */
        uint32_t sort = i ? (i - 1) / mnw_moves(c) : 9;
        range[0] = sort != (c->code == MNW_conv ? 1 : 2);
        if (c->code == MNW_pool && i == 0) {
            range[0] = 0;
            range[1] = 3;
        }
    } else if (c->code == MNW_matmul || c->code == MNW_rnn || (c->code >= MNW_NUMBER(MNW_gather) && i)) {
        range[1] = 2;
    } else if (c->code == MNW_integer) {
        range[1] = i ? 2 : MNW_WAYS;
    } else if (c->code == MNW_slice) {
        range[0] = i == 2;
    }
}

static int mnw_check_attributes(const mnw_file *f, const mnw_call *c) {
    int norm = c->code == MNW_layer_norm || c->code == MNW_rms_norm;
    if ((c->code == MNW_conv || c->code == MNW_pool) &&
        !mnw_within(f, MINNOW_E_ARITY, mnw_attr(c, 0), mnw_moves(c), 1, 4))
        return 0;
    for (uint32_t i = 0; i < c->attrs; i++) {
        const uint8_t *at = mnw_attr(c, i);
        uint32_t bits = mnw_u32(at), range[2] = {c->code == MNW_softplus && i == 0, 0x7f800000u};
        if (norm || (c->code >= MNW_relu && c->code < MNW_add)) { /* a number; finite unless a bound of clamp */
            range[1] += c->code == MNW_clamp;
            bits &= norm ? 0xffffffffu : 0x7fffffffu; /* an epsilon is not negative */
        } else {
            mnw_range(c, i, range);
        }
        if (!mnw_within(f, MINNOW_E_ATTRIBUTE, at, bits, range[0], range[1]))
            return 0;
    }
    return 1;
}

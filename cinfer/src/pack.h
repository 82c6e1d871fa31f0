/* ---- A loaded policy: what the steps need, in the caller's block. */
enum { MNW_PANEL = 16 }; /* outputs side by side in packed weights */
enum { MNW_RUN = 256 };  /* products that are summed one after another; the sums of such runs are summed in turn */

typedef struct mnw_value {
    mnw_shape shape;
    uint32_t bytes; /* of one agent's part */
    uint32_t dtype;
    uint64_t place; /* of an agent's part among the floats of all values */
    const char *name;
} mnw_value;

/* Where there is plain C alone, memory is dear: the weights of linear layers stay where they are. */
#define MNW_IN_PLACE (!(MNW_HAS_SSE2 + MNW_HAS_AVX2 + MNW_HAS_AVX512 + MNW_HAS_NEON + MNW_HAS_SIMD128))

typedef struct mnw_op {
    mnw_call call;
    const float *tensor[4]; /* as the operation wants them: see mnw_pack */
} mnw_op;

struct minnow_policy {
    mnw_file file;
    uint32_t checksum;
    uint32_t isas; /* what this machine has */
    uint32_t inputs, outputs, states, values, ops;
    uint64_t floats;     /* of all values, for one agent */
    uint64_t scratch;    /* floats an operation may need besides, for one agent */
    uint64_t once;       /* and for all agents together */
    uint64_t state;      /* floats of the recurrent state of one agent */
    minnow_array *array; /* inputs, states, outputs */
    mnw_value *value;
    mnw_op *op;
    uint32_t *after, *result; /* the values of states after the step, and of outputs */
    const float **initial;    /* of each state; NULL: zeros */
    minnow_action_spec action;
    minnow_head *head;
    uint32_t feed, log_std, value_output; /* outputs; MNW_ABSENT if there is none */
};

/* Hands out pieces of a block, or only counts where there is none. */
typedef struct mnw_block {
    uint8_t *at;
    uint64_t used;
} mnw_block;

static void *mnw_take(mnw_block *b, uint64_t bytes) {
    void *piece = b->at ? (void *)(b->at + b->used) : NULL;
    b->used += (bytes + 63) & ~(uint64_t)63;
    return piece;
}

/* A matrix [n][k] (or two, one after the other in k) as panels [n / 16][k][16], absent rows 0; a vector is k = 1. The
 * sum of two vectors where `plus` is one. Missing tensors count as zeros. Each of `groups` parts of the rows, n in
 * each, has panels of its own. */
static const float *mnw_pack(const mnw_file *f, mnw_block *b, uint32_t tensor, uint32_t plus, uint32_t groups,
                             uint32_t n, uint32_t k) {
    uint64_t panels = n / MNW_PANEL + (n % MNW_PANEL != 0), each = panels * MNW_PANEL * k;
    float *to = (float *)mnw_take(b, 4 * each * groups);
    if (!to)
        return NULL;
    const uint32_t source[2] = {tensor, plus};
    memset(to, 0, (size_t)(4 * each * groups));
    for (int part = 0; part < 2; part++) {
        if (source[part] == MNW_ABSENT)
            continue;
        mnw_tensor t = mnw_tensor_at(f, source[part]);
        for (uint32_t row = 0; row < n * groups; row++) {
            uint32_t at = row % n;
            float *lane = to + row / n * (size_t)each + (size_t)(at / MNW_PANEL) * k * MNW_PANEL + at % MNW_PANEL;
            const uint8_t *from = t.dtype == MINNOW_F32 ? t.data + (size_t)4 * row * k : NULL;
            for (uint32_t i = 0; i < k; i++, lane += MNW_PANEL)
                *lane += from ? mnw_f32(from + (size_t)4 * i) : mnw_element(&t, row * k + i);
        }
    }
    return to;
}

/* A tensor as it is. */
static const float *mnw_plain(const mnw_file *f, mnw_block *b, uint32_t tensor) {
    if (tensor == MNW_ABSENT)
        return NULL;
    mnw_tensor t = mnw_tensor_at(f, tensor);
    float *to = (float *)mnw_take(b, (uint64_t)4 * t.shape.elements);
    for (uint32_t i = 0; to && i < t.shape.elements; i++)
        to[i] = mnw_element(&t, i);
    return to;
}

enum { MNW_BLOCK = 24 }; /* windows of a convolution that are laid out at a time */

/* A convolution along three axes, the first of which may be absent. What lies side by side in a window is a line:
 * `lines` numbers behind this say where those of a window begin, seen from the first one. */
typedef struct mnw_windows {
    uint32_t groups, channels, n, k; /* inputs, outputs and weights of an output, of one group */
    uint32_t size[3], in[3], out[3], stride[3], padding[3], dilation[3], width, lines;
} mnw_windows;

static const mnw_windows *mnw_build_windows(mnw_block *b, const mnw_call *c, const mnw_shape *w, const mnw_shape *x,
                                            const mnw_shape *y) {
    uint32_t d = mnw_moves(c), groups = mnw_u32(mnw_attr(c, 0)), n = w->size[0] / groups, k = w->elements / w->size[0];
    mnw_windows of = {groups, w->size[1], n, k, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 1, k};
    for (uint32_t i = 0, axis = 3 - d; i < d; i++, axis++) {
        of.size[axis] = w->size[2 + i];
        of.in[axis] = x->size[1 + i];
        of.out[axis] = y->size[1 + i];
        of.stride[axis] = mnw_of_axis(c, 0, i);
        of.padding[axis] = mnw_of_axis(c, 1, i);
        of.dilation[axis] = mnw_of_axis(c, 2, i);
    }
    if (of.dilation[2] == 1) {
        of.width = of.size[2];
        of.lines = k / of.width;
    }
    mnw_windows *to = (mnw_windows *)mnw_take(b, sizeof of + (uint64_t)4 * of.lines);
    if (!to)
        return NULL;
    *to = of;
    uint32_t *offset = (uint32_t *)(void *)(to + 1);
    for (uint32_t i = 0; i < of.channels * of.size[0]; i++)
        for (uint32_t q = 0; q < of.size[1]; q++)
            for (uint32_t r = 0; r < of.size[2]; r += of.width)
                *offset++ =
                    ((i / of.size[0] * of.in[0] + i % of.size[0] * of.dilation[0]) * of.in[1] + q * of.dilation[1]) *
                        of.in[2] +
                    r * of.dilation[2];
    return to;
}

/* scratch[0]: floats for each agent, scratch[1]: for all together. */
static void mnw_build_op(const mnw_file *f, mnw_block *b, const mnw_call *c, mnw_op *op, uint64_t scratch[2]) {
    const float *tensor[4] = {NULL, NULL, NULL, NULL};
    const uint32_t code = MNW_NUMBER(c->code);
    uint64_t need = 0, once = 0;
    mnw_shape y = mnw_value_shape(f, mnw_out(c, 0)), x = c->inputs ? mnw_value_shape(f, mnw_in(c, 0)) : y;
    uint32_t k = x.rank ? x.size[x.rank - 1] : 1, n = y.rank ? y.size[y.rank - 1] : 1, rows = n, groups = 1;
    switch (code) {
    case MNW_linear:
        if (MNW_IN_PLACE)
            break;
        /* fall through */
    case MNW_lstm:
    case MNW_gru:
    case MNW_mingru:
    case MNW_rnn:
    case MNW_conv:
        if (code == MNW_conv) {
            mnw_shape w = mnw_tensor_at(f, mnw_stored(c, 0)).shape;
            groups = mnw_u32(mnw_attr(c, 0));
            rows = w.size[0] / groups;
            k = w.elements / w.size[0];
            tensor[2] = (const float *)(const void *)mnw_build_windows(b, c, &w, &x, &y);
            once = MNW_BLOCK * ((uint64_t)k + rows) + 3;
        } else {
            rows *= code == MNW_lstm ? 4 : code == MNW_gru ? 3 : code == MNW_mingru ? 2 : 1;
            need = (uint64_t)rows * (code == MNW_gru ? 2 : code == MNW_lstm || code == MNW_mingru);
        }
        for (uint32_t i = 0; i < c->tensors; i++) { /* weights, weights of the state, and biases: one, but for gru,
                                                     * which gates one of them */
            const uint32_t two = i == 2 && code != MNW_gru;
            tensor[i] = mnw_pack(f, b, mnw_stored(c, i), two ? mnw_stored(c, 3) : MNW_ABSENT, groups, rows,
                                 !i                          ? k
                                 : i == 1 && c->tensors == 4 ? n
                                                             : 1);
            if (two)
                break;
        }
        break;
    case MNW_matmul: /* the second input as panels */
        once = (((uint64_t)n + MNW_PANEL - 1) / MNW_PANEL) * MNW_PANEL * k;
        break;
    default:
        for (uint32_t i = 0; i < c->tensors; i++)
            tensor[i] = mnw_plain(f, b, mnw_stored(c, i));
    }
    scratch[0] = need > scratch[0] ? need : scratch[0];
    scratch[1] = once > scratch[1] ? once : scratch[1];
    if (op) {
        op->call = *c;
        memcpy(op->tensor, tensor, sizeof tensor);
    }
}

static void mnw_build_array(const mnw_file *f, const uint8_t *record, uint32_t role, minnow_array *a) {
    uint32_t value = mnw_u32(record + 4);
    mnw_shape s = mnw_value_shape(f, value);
    a->name = (const char *)f->part[MNW_STRS].at + mnw_u32(record);
    a->dtype = mnw_value_dtype(f, value);
    a->role = role;
    a->rank = s.rank;
    a->size = s.elements;
    memcpy(a->shape, s.size, sizeof a->shape);
}

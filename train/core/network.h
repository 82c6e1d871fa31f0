/* A network: its layers in memory, and the way through it.
 *
 * Parameters lie in one piece: matrices between layers [out][in], logarithms of deviations [heads] if there are any,
 * biases of layers, the heads' matrix [out][in], the heads' biases. Of the heads' outputs the last one is the value. */

/* cffi: begin */
typedef struct FN(learn_net) {
    uint32_t inputs; /* numbers of an observation, or of one of its parts */
    uint32_t parts;  /* 0; or the parts of an observation, each of which the network scores: the first choices' logits.
                        The value is the mean of what it makes of them */
    uint32_t hidden, layers, activation;
    uint32_t memory;            /* LEARN_NO_MEMORY, or one behind the layers, which then are at least one, as wide */
    uint32_t steps;             /* of a rollout, which a memory learns back over */
    uint32_t bytes;             /* whether observations are bytes, which become 0 to 1; otherwise they are float */
    uint32_t heads;             /* of the action */
    uint32_t choices;           /* of all discrete heads; 0: each head is a normal distribution */
    const int64_t *sizes;       /* [heads]: choices of each */
    const REAL *mean, *scale;   /* of observations, [parts x inputs]: normalised to +-10; or NULL */
    const REAL *middle, *reach; /* [heads]: a distribution's mean is middle + reach x output */
    const REAL *low, *high;     /* [heads]: between which it acts */
} FN(learn_net);

typedef struct FN(learn_batch) {  /* a rollout: a sample is a place in each of these */
    const void *obs;              /* [parts x inputs] */
    const uint8_t *mask;          /* [choices]: 1 where possible; or NULL */
    const void *action;           /* [heads]: int64_t, or with normal distributions numbers */
    const REAL *log_prob, *value; /* as it acted */
    const REAL *returns, *advantage, *weight;
    const uint8_t *resets;     /* with memory, [steps][rows]: 1 where it is cleared before the step */
    const REAL *hidden, *cell; /* [rows][hidden]: what it holds before the first step; the cell is an LSTM's */
    size_t rows;
    REAL *ratio; /* of probabilities now and then, which is written; or NULL */
    REAL clip, value_clip, value_weight, entropy_weight;
} FN(learn_batch);

LEARN_API size_t FN(learn_width)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_packed)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_gradients)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_room)(const FN(learn_net) * net);
LEARN_API void FN(learn_pack)(const FN(learn_net) * net, const REAL *parameters, REAL *packed);
/* cffi: end */

/* One row of `head`, in and out: logits, or means and logarithms of deviations; and the value. */
LEARN_API size_t FN(learn_width)(const FN(learn_net) * net) {
    return (net->choices ? net->choices : 2 * net->heads) + 1;
}

static size_t FN(learn_samples)(const FN(learn_net) * net) { /* of a tile */
    size_t steps = net->memory ? LEARN_SEQUENCES * (size_t)net->steps : 0;
    if (net->parts)
        return net->parts < LEARN_TILE ? LEARN_TILE / net->parts : 1;
    return steps > LEARN_TILE ? steps : LEARN_TILE;
}

static size_t FN(learn_rows)(const FN(learn_net) * net) { /* of a tile */
    return FN(learn_samples)(net) * (net->parts ? net->parts : 1);
}

/* The distance of rows: room for whole vectors, and rows of equal columns in different sets of the cache. */
static size_t FN(learn_stride)(size_t width) {
    size_t padded = (width + 15) / 16 * 16;
    return padded % 64 ? padded : padded + 16;
}

typedef struct FN(learn_layer) {
    size_t in, out, in_row, out_row;
    size_t packed, gradient; /* where it begins */
} FN(learn_layer);

static size_t FN(learn_gates)(const FN(learn_net) * net) {
    return net->memory == LEARN_LSTM ? 4 : net->memory == LEARN_GRU ? 3 : net->memory == LEARN_MINGRU ? 2 : 0;
}

/* Behind the layers come those of a memory, of its input and, but for MinGRU, of what it holds; then the heads. */
static size_t FN(learn_last)(const FN(learn_net) * net) {
    return net->layers + (net->memory ? net->memory == LEARN_MINGRU ? 1 : 2 : 0);
}

/* Layer i. Packed: weights [in][out_row] and [out][in_row], bias [out_row]. Gradient: of weights [out][in_row], of
 * biases [out_row]. */
static FN(learn_layer) FN(learn_layer_of)(const FN(learn_net) * net, size_t i) {
    FN(learn_layer) found = {0};
    size_t last = FN(learn_last)(net);
    for (size_t l = 0;; l++) {
        found.packed += found.in * found.out_row + found.out * found.in_row + found.out_row;
        found.gradient += found.out * found.in_row + found.out_row;
        found.in = l ? net->hidden : net->inputs;
        found.out = l < net->layers ? net->hidden
                    : l < last      ? FN(learn_gates)(net) * net->hidden
                    : net->parts    ? 2
                                    : (net->choices ? net->choices : net->heads) + 1;
        found.in_row = FN(learn_stride)(found.in), found.out_row = FN(learn_stride)(found.out);
        if (l >= i)
            return found;
    }
}

/* Whether the activation's derivative wants what went in. */
static bool FN(learn_smooth)(const FN(learn_net) * net) {
    return net->activation >= LEARN_GELU;
}

/* Numbers of packed weights; of a strand's gradient; of the room that one caller needs. */
LEARN_API size_t FN(learn_packed)(const FN(learn_net) * net) {
    FN(learn_layer) last = FN(learn_layer_of)(net, FN(learn_last)(net));
    return last.packed + last.in * last.out_row + last.out * last.in_row + last.out_row + net->heads;
}
LEARN_API size_t FN(learn_gradients)(const FN(learn_net) * net) {
    FN(learn_layer) last = FN(learn_layer_of)(net, FN(learn_last)(net));
    return last.gradient + last.out * last.in_row + last.out_row + net->heads;
}
LEARN_API size_t FN(learn_room)(const FN(learn_net) * net) {
    FN(learn_layer) last = FN(learn_layer_of)(net, FN(learn_last)(net));
    size_t hidden = FN(learn_stride)(net->hidden), gates = FN(learn_stride)(FN(learn_gates)(net) * net->hidden);
    size_t kept = FN(learn_smooth)(net) ? 2 * net->layers : net->layers;
    size_t row = FN(learn_stride)(net->inputs) + (kept + 2) * hidden + last.out_row;
    if (net->memory)
        row += 2 * gates + 6 * hidden;
    return FN(learn_rows)(net) * row + FN(learn_samples)(net) * FN(learn_width)(net) + 2 * net->choices * LEARN_TILE;
}

/* Parameters as products want them. */
LEARN_API void FN(learn_pack)(const FN(learn_net) * net, const REAL *parameters, REAL *packed) {
    const REAL *weight = parameters, *bias = parameters;
    size_t last = FN(learn_last)(net);
    memset(packed, 0, FN(learn_packed)(net) * sizeof *packed);
    for (size_t l = 0; l < last; l++) {
        FN(learn_layer) of = FN(learn_layer_of)(net, l);
        bias += of.in * of.out;
    }
    if (!net->choices) {
        memcpy(packed + FN(learn_packed)(net) - net->heads, bias, net->heads * sizeof *packed);
        bias += net->heads;
    }
    for (size_t l = 0; l <= last; l++) {
        FN(learn_layer) of = FN(learn_layer_of)(net, l);
        if (l == last)
            weight = bias, bias += of.in * of.out;
        REAL *turned = packed + of.packed, *straight = turned + of.in * of.out_row;
        for (size_t j = 0; j < of.out; j++)
            for (size_t k = 0; k < of.in; k++)
                turned[k * of.out_row + j] = straight[j * of.in_row + k] = weight[j * of.in + k];
        memcpy(straight + of.out * of.in_row, bias, of.out * sizeof *bias);
        weight += of.in * of.out, bias += of.out;
    }
}

/* What a tile holds on its way through the network; [rows][stride] each unless said. */
typedef struct FN(learn_tile) {
    REAL *x;       /* inputs */
    REAL *y;       /* [layers]: what each made */
    REAL *z;       /* [layers]: before the activation, if that is smooth */
    REAL *made;    /* the heads' outputs, then their gradient */
    REAL *d[2];    /* gradients of layers */
    REAL *head;    /* [samples][width] */
    REAL *scratch; /* [2][choices][LEARN_TILE] */
    /* With memory, rows being a step's after those of the one before: the gates' sums by the input and by what is held;
     * what is held before and after; and gradients by these, of one step. */
    REAL *given, *held, *before, *cell_before, *hidden, *cell, *d_before, *d_cell;
} FN(learn_tile);

static FN(learn_tile) FN(learn_tile_in)(const FN(learn_net) * net, REAL *room) {
    FN(learn_tile) tile = {0};
    size_t rows = FN(learn_rows)(net), layer = rows * FN(learn_stride)(net->hidden);
    size_t gates = rows * FN(learn_stride)(FN(learn_gates)(net) * net->hidden);
    tile.x = room, room += rows * FN(learn_stride)(net->inputs);
    tile.y = room, room += net->layers * layer;
    tile.z = room, room += FN(learn_smooth)(net) ? net->layers * layer : 0;
    tile.d[0] = room, room += layer;
    tile.d[1] = room, room += layer;
    tile.made = room, room += rows * FN(learn_layer_of)(net, FN(learn_last)(net)).out_row;
    tile.head = room, room += FN(learn_samples)(net) * FN(learn_width)(net);
    tile.scratch = room, room += 2 * net->choices * LEARN_TILE;
    if (net->memory) {
        tile.given = room, room += gates;
        tile.held = room, room += gates;
        tile.before = room, room += layer;
        tile.cell_before = room, room += layer;
        tile.hidden = room, room += layer;
        tile.cell = room, room += layer;
        tile.d_before = room, room += layer;
        tile.d_cell = room;
    }
    return tile;
}

/* Outputs of layer i, counted from 1; of 0: the input. */
static REAL *FN(learn_output)(const FN(learn_net) * net, const FN(learn_tile) * tile, size_t i) {
    return i ? tile->y + (i - 1) * FN(learn_rows)(net) * FN(learn_stride)(net->hidden) : tile->x;
}

/* What went into the activation of layer i, counted from 0. */
static REAL *FN(learn_before)(const FN(learn_net) * net, const FN(learn_tile) * tile, size_t i) {
    return tile->z + i * FN(learn_rows)(net) * FN(learn_stride)(net->hidden);
}

/* Observations of n samples, at index[...] or from `first` on, into x. */
static void FN(learn_take)(const FN(learn_net) * net, const void *obs, const int64_t *index, size_t first, size_t n,
                           REAL *x) {
    size_t inputs = net->inputs, parts = net->parts ? net->parts : 1, row = FN(learn_stride)(inputs);
    for (size_t s = 0; s < n; s++)
        for (size_t part = 0; part < parts; part++, x += row) {
            size_t at = ((index ? (size_t)index[s] : first + s) * parts + part) * inputs;
            if (net->bytes)
                for (size_t i = 0; i < inputs; i++)
                    x[i] = (REAL)((const uint8_t *)obs)[at + i] * (REAL)(1.0 / 255);
            else
                for (size_t i = 0; i < inputs; i++)
                    x[i] = (REAL)((const float *)obs)[at + i];
            for (size_t i = 0; net->mean && i < inputs; i++) {
                REAL z = (x[i] - net->mean[part * inputs + i]) * net->scale[part * inputs + i];
                x[i] = z < -10 ? -10 : z > 10 ? 10 : z;
            }
            memset(x + inputs, 0, (row - inputs) * sizeof *x);
        }
}

/* A layer's outputs of some rows: left [rows][in_row] -> out [rows][out_row]. */
static void FN(learn_weigh)(const FN(learn_layer) * of, const REAL *packed, size_t rows, const REAL *left, REAL *out,
                            uint32_t activation) {
    const REAL *turned = packed + of->packed;
    const FN(learn_product) product = {.left = left,
                                       .left_row = of->in_row,
                                       .left_step = 1,
                                       .right = turned,
                                       .right_row = of->out_row,
                                       .out = out,
                                       .out_row = of->out_row,
                                       .bias = turned + of->in * of->out_row + of->out * of->in_row,
                                       .rows = rows,
                                       .width = of->out,
                                       .depth = of->in,
                                       .activation = activation};
    FN(learn_forward_product)(&product);
    for (size_t i = 0; activation == LEARN_TANH && i < rows; i++)
        for (size_t j = 0; j < of->out; j++)
            out[i * of->out_row + j] = LEARN_TANH_OF(out[i * of->out_row + j]);
}

/* The activation (Hendrycks and Gimpel, 2016; Elfwing et al., 2018) of n numbers, or x times its derivative. */
static void FN(learn_smoothen)(uint32_t activation, size_t n, const REAL *restrict z, REAL *restrict y) {
    if (activation == LEARN_GELU)
        LEARN_APART for (size_t j = 0; j < n; j++) y[j] =
            z[j] * (REAL)0.5 * (LEARN_ERF_OF(z[j] * (REAL)0.70710678118654752) + 1);
    if (activation == LEARN_SILU)
        LEARN_APART for (size_t j = 0; j < n; j++) y[j] = z[j] / (1 + LEARN_EXP_OF(-z[j]));
}
static void FN(learn_slope)(uint32_t activation, size_t n, const REAL *restrict z, REAL *restrict x) {
    if (activation == LEARN_GELU)
        LEARN_APART for (size_t j = 0; j < n; j++) {
            REAL below = (LEARN_ERF_OF(z[j] * (REAL)0.70710678118654752) + 1) * (REAL)0.5;
            x[j] *= below + z[j] * LEARN_EXP_OF(z[j] * z[j] * (REAL)-0.5) * (REAL)0.39894228040143268;
        }
    if (activation == LEARN_SILU)
        LEARN_APART for (size_t j = 0; j < n; j++) {
            REAL s = 1 / (1 + LEARN_EXP_OF(-z[j]));
            x[j] *= s * (1 + z[j] * (1 - s));
        }
}

/* x through the layers; returns what the last one made. */
static REAL *FN(learn_encode)(const FN(learn_net) * net, const REAL *packed, size_t rows, const FN(learn_tile) * tile) {
    bool smooth = FN(learn_smooth)(net);
    for (size_t l = 0; l < net->layers; l++) {
        FN(learn_layer) of = FN(learn_layer_of)(net, l);
        REAL *y = FN(learn_output)(net, tile, l + 1), *z = smooth ? FN(learn_before)(net, tile, l) : y;
        FN(learn_weigh)(&of, packed, rows, FN(learn_output)(net, tile, l), z,
                        smooth ? LEARN_NO_ACTIVATION : net->activation);
        for (size_t i = 0; smooth && i < rows; i++)
            FN(learn_smoothen)(net->activation, of.out, z + i * of.out_row, y + i * of.out_row);
    }
    return FN(learn_output)(net, tile, net->layers);
}

/* What the heads make of y, into `head` [n][width]. */
static void FN(learn_tell)(const FN(learn_net) * net, const REAL *packed, size_t n, const REAL *y,
                           const FN(learn_tile) * tile, REAL *head) {
    size_t parts = net->parts ? net->parts : 1, width = FN(learn_width)(net);
    FN(learn_layer) of = FN(learn_layer_of)(net, FN(learn_last)(net));
    FN(learn_weigh)(&of, packed, n * parts, y, tile->made, LEARN_NO_ACTIVATION);
    for (size_t s = 0; s < n; s++, head += width) {
        const REAL *made = tile->made + s * parts * of.out_row;
        if (net->parts) {
            REAL sum = 0;
            for (size_t part = 0; part < parts; part++)
                head[part] = made[part * of.out_row], sum += made[part * of.out_row + 1];
            for (size_t j = parts; j < net->choices; j++)
                head[j] = 0;
            head[net->choices] = sum / (REAL)parts;
        } else if (net->choices) {
            memcpy(head, made, width * sizeof *head);
        } else {
            const REAL *log_std = packed + FN(learn_packed)(net) - net->heads;
            for (size_t h = 0; h < net->heads; h++) {
                head[h] = made[h] * net->reach[h] + net->middle[h];
                head[net->heads + h] = log_std[h];
            }
            head[2 * net->heads] = made[net->heads];
        }
    }
}

/* A network: its layers in memory, and the way through it.
 *
 * Parameters lie in one piece: matrices between layers [out][in], logarithms of deviations [heads] if there are any,
 * biases of layers, the heads' matrix [out][in], the heads' biases. Of the heads' outputs the last one is the value. */

typedef struct LEARN(net) {
    uint32_t inputs; /* numbers of an observation, or of one of its parts */
    uint32_t parts;  /* 0; or the parts of an observation, each of which the network scores: the first choices' logits.
                        The value is the mean of what it makes of them */
    uint32_t hidden, layers, activation;
    uint32_t bytes;                 /* whether observations are bytes, which become 0 to 1; otherwise they are float */
    uint32_t heads;                 /* of the action */
    uint32_t choices;               /* of all discrete heads; 0: each head is a normal distribution */
    const int64_t *sizes;           /* [heads]: choices of each */
    const LEARN_REAL *mean, *scale; /* of observations, [parts x inputs]: normalised to +-10; or NULL */
    const LEARN_REAL *middle, *reach; /* [heads]: a distribution's mean is middle + reach x output */
    const LEARN_REAL *low, *high;     /* [heads]: between which it acts */
} LEARN(net);

typedef struct LEARN(batch) {           /* a rollout: a sample is a place in each of these */
    const void *obs;                    /* [parts x inputs] */
    const uint8_t *mask;                /* [choices]: 1 where possible; or NULL */
    const void *action;                 /* [heads]: int64_t, or with normal distributions numbers */
    const LEARN_REAL *log_prob, *value; /* as it acted */
    const LEARN_REAL *returns, *advantage, *weight;
    LEARN_REAL *ratio; /* of probabilities now and then, which is written; or NULL */
    LEARN_REAL clip, value_clip, value_weight, entropy_weight;
} LEARN(batch);

/* One row of `head`, in and out: logits, or means and logarithms of deviations; and the value. */
static size_t LEARN(width)(const LEARN(net) * net) {
    return (net->choices ? net->choices : 2 * net->heads) + 1;
}

static size_t LEARN(samples)(const LEARN(net) * net) { /* of a tile */
    return net->parts == 0 ? LEARN_TILE : net->parts < LEARN_TILE ? LEARN_TILE / net->parts : 1;
}

static size_t LEARN(rows)(const LEARN(net) * net) { /* of a tile */
    return net->parts ? LEARN(samples)(net) * net->parts : LEARN_TILE;
}

/* The distance of rows: room for whole vectors, and rows of equal columns in different sets of the cache. */
static size_t LEARN(stride)(size_t width) {
    size_t padded = (width + 15) / 16 * 16;
    return padded % 64 ? padded : padded + 16;
}

typedef struct LEARN(layer) {
    size_t in, out, in_row, out_row;
    size_t packed, gradient; /* where it begins */
} LEARN(layer);

/* Layer i; the heads are layer `layers`. Packed: weights [in][out_row] and [out][in_row], bias [out_row]. Gradient: of
 * weights [out][in_row], of biases [out_row]. */
static LEARN(layer) LEARN(layer_of)(const LEARN(net) * net, size_t i) {
    LEARN(layer) found = {0};
    for (size_t l = 0;; l++) {
        found.packed += found.in * found.out_row + found.out * found.in_row + found.out_row;
        found.gradient += found.out * found.in_row + found.out_row;
        found.in = l ? net->hidden : net->inputs;
        found.out = l < net->layers ? net->hidden : net->parts ? 2 : (net->choices ? net->choices : net->heads) + 1;
        found.in_row = LEARN(stride)(found.in), found.out_row = LEARN(stride)(found.out);
        if (l >= i)
            return found;
    }
}

/* Numbers of packed weights; of a strand's gradient; of the room that one caller needs. */
LEARN_API size_t LEARN(packed)(const LEARN(net) * net) {
    LEARN(layer) last = LEARN(layer_of)(net, net->layers);
    return last.packed + last.in * last.out_row + last.out * last.in_row + last.out_row + net->heads;
}
LEARN_API size_t LEARN(gradients)(const LEARN(net) * net) {
    LEARN(layer) last = LEARN(layer_of)(net, net->layers);
    return last.gradient + last.out * last.in_row + last.out_row + net->heads;
}
LEARN_API size_t LEARN(room)(const LEARN(net) * net) {
    LEARN(layer) last = LEARN(layer_of)(net, net->layers);
    size_t row = LEARN(stride)(net->inputs) + (net->layers + 2) * LEARN(stride)(net->hidden) + last.out_row;
    return LEARN(rows)(net) * row + LEARN_TILE * (LEARN(width)(net) + 2 * net->choices);
}

/* Parameters as products want them. */
LEARN_API void LEARN(pack)(const LEARN(net) * net, const LEARN_REAL *parameters, LEARN_REAL *packed) {
    const LEARN_REAL *weight = parameters, *bias = parameters;
    memset(packed, 0, LEARN(packed)(net) * sizeof *packed);
    for (size_t l = 0; l < net->layers; l++)
        bias += (size_t)net->hidden * (l ? net->hidden : net->inputs);
    if (!net->choices) {
        memcpy(packed + LEARN(packed)(net) - net->heads, bias, net->heads * sizeof *packed);
        bias += net->heads;
    }
    for (size_t l = 0; l <= net->layers; l++) {
        LEARN(layer) of = LEARN(layer_of)(net, l);
        if (l == net->layers)
            weight = bias, bias += of.in * of.out;
        LEARN_REAL *turned = packed + of.packed, *straight = turned + of.in * of.out_row;
        for (size_t j = 0; j < of.out; j++)
            for (size_t k = 0; k < of.in; k++)
                turned[k * of.out_row + j] = straight[j * of.in_row + k] = weight[j * of.in + k];
        memcpy(straight + of.out * of.in_row, bias, of.out * sizeof *bias);
        weight += of.in * of.out, bias += of.out;
    }
}

/* What a tile holds on its way through the network. */
typedef struct LEARN(tile) {
    LEARN_REAL *x;       /* [rows][stride(inputs)] */
    LEARN_REAL *y;       /* [layers][rows][stride(hidden)] */
    LEARN_REAL *made;    /* [rows][stride]: the heads' outputs, then their gradient */
    LEARN_REAL *d[2];    /* [rows][stride(hidden)] */
    LEARN_REAL *head;    /* [samples][width] */
    LEARN_REAL *scratch; /* [2][choices][LEARN_TILE] */
} LEARN(tile);

static LEARN(tile) LEARN(tile_in)(const LEARN(net) * net, LEARN_REAL *room) {
    LEARN(tile) tile;
    size_t rows = LEARN(rows)(net), layer = rows * LEARN(stride)(net->hidden);
    tile.x = room, room += rows * LEARN(stride)(net->inputs);
    tile.y = room, room += net->layers * layer;
    tile.d[0] = room, room += layer;
    tile.d[1] = room, room += layer;
    tile.made = room, room += rows * LEARN(layer_of)(net, net->layers).out_row;
    tile.head = room, room += LEARN_TILE * LEARN(width)(net);
    tile.scratch = room;
    return tile;
}

/* Outputs of layer i, counted from 1; of 0: the input. */
static LEARN_REAL *LEARN(output)(const LEARN(net) * net, const LEARN(tile) * tile, size_t i) {
    return i ? tile->y + (i - 1) * LEARN(rows)(net) * LEARN(stride)(net->hidden) : tile->x;
}

/* Observations of n samples, at index[...] or from `first` on, into x. */
static void LEARN(take)(const LEARN(net) * net, const void *obs, const int64_t *index, size_t first, size_t n,
                        LEARN_REAL *x) {
    size_t inputs = net->inputs, parts = net->parts ? net->parts : 1, row = LEARN(stride)(inputs);
    for (size_t s = 0; s < n; s++)
        for (size_t part = 0; part < parts; part++, x += row) {
            size_t at = ((index ? (size_t)index[s] : first + s) * parts + part) * inputs;
            if (net->bytes)
                for (size_t i = 0; i < inputs; i++)
                    x[i] = (LEARN_REAL)((const uint8_t *)obs)[at + i] * (LEARN_REAL)(1.0 / 255);
            else
                for (size_t i = 0; i < inputs; i++)
                    x[i] = (LEARN_REAL)((const float *)obs)[at + i];
            for (size_t i = 0; net->mean && i < inputs; i++) {
                LEARN_REAL z = (x[i] - net->mean[part * inputs + i]) * net->scale[part * inputs + i];
                x[i] = z < -10 ? -10 : z > 10 ? 10 : z;
            }
            memset(x + inputs, 0, (row - inputs) * sizeof *x);
        }
}

/* x through all layers to `head`, n samples. */
static void LEARN(through)(const LEARN(net) * net, const LEARN_REAL *packed, size_t n, const LEARN(tile) * tile,
                           LEARN_REAL *head) {
    size_t parts = net->parts ? net->parts : 1, width = LEARN(width)(net);
    LEARN(layer) of = {0};
    for (size_t l = 0; l <= net->layers; l++) {
        bool last = l == net->layers;
        of = LEARN(layer_of)(net, l);
        const LEARN_REAL *turned = packed + of.packed;
        LEARN_REAL *out = last ? tile->made : LEARN(output)(net, tile, l + 1);
        LEARN(product)
        product = {.left = LEARN(output)(net, tile, l),
                   .left_row = of.in_row,
                   .left_step = 1,
                   .right = turned,
                   .right_row = of.out_row,
                   .out = out,
                   .out_row = of.out_row,
                   .bias = turned + of.in * of.out_row + of.out * of.in_row,
                   .rows = n * parts,
                   .width = of.out,
                   .depth = of.in,
                   .activation = last ? LEARN_NO_ACTIVATION : net->activation};
        LEARN(forward_product)(&product);
        if (!last && net->activation == LEARN_TANH)
            for (size_t i = 0; i < n * parts; i++)
                for (size_t j = 0; j < of.out; j++)
                    out[i * of.out_row + j] = LEARN_TANH_OF(out[i * of.out_row + j]);
    }
    for (size_t s = 0; s < n; s++, head += width) {
        const LEARN_REAL *made = tile->made + s * parts * of.out_row;
        if (net->parts) {
            LEARN_REAL sum = 0;
            for (size_t part = 0; part < parts; part++)
                head[part] = made[part * of.out_row], sum += made[part * of.out_row + 1];
            for (size_t j = parts; j < net->choices; j++)
                head[j] = 0;
            head[net->choices] = sum / (LEARN_REAL)parts;
        } else if (net->choices) {
            memcpy(head, made, width * sizeof *head);
        } else {
            const LEARN_REAL *log_std = packed + LEARN(packed)(net) - net->heads;
            for (size_t h = 0; h < net->heads; h++) {
                head[h] = made[h] * net->reach[h] + net->middle[h];
                head[net->heads + h] = log_std[h];
            }
            head[2 * net->heads] = made[net->heads];
        }
    }
}

/* obs of n samples -> head [n][width]. */
LEARN_API void LEARN(forward)(const LEARN(net) * net, const LEARN_REAL *packed, size_t n, const void *obs,
                              LEARN_REAL *head, LEARN_REAL *room) {
    LEARN(tile) tile = LEARN(tile_in)(net, room);
    size_t width = LEARN(width)(net), each = LEARN(samples)(net);
    for (size_t i = 0; i < n; i += each) {
        size_t m = n - i < each ? n - i : each;
        LEARN(take)(net, obs, NULL, i, m, tile.x);
        LEARN(through)(net, packed, m, &tile, head + i * width);
    }
}

/* A network: its layers in memory, and the way through it.
 *
 * Numbers that everyone sees go through an encoder, and from there through a memory or none to the heads; those that
 * the critic alone sees through an encoder of their own, past the memory, to the value. Pictures beside other groups,
 * and sets, go through networks of their own first, their stems (groups.h).
 *
 * Parameters lie in one piece: matrices between layers [out][in], logarithms of deviations [heads] if there are any,
 * biases of layers, the heads' matrix [out][in], the heads' biases. Layers come in this order: stems, those of the
 * critic's groups behind the others; encoder; memory; the critic's encoder. Of the heads' outputs the last one is the
 * value; its row of the matrix goes on with the weights of what the critic's encoder made. */

/* cffi: begin */
typedef struct FN(learn_group) { /* one array of an observation */
    uint32_t kind;               /* LEARN_FIELDS ... */
    uint32_t bytes;              /* whether it is of bytes, which become 0 to 1; otherwise of float */
    uint32_t critic;             /* whether it is for the critic alone */
    uint32_t count;              /* entities of a set; parts; otherwise 1 */
    uint32_t inputs;             /* numbers of each of them */
    const REAL *mean, *scale;    /* of a set [inputs], otherwise [count x inputs]: normalised to +-10; or NULL */
} FN(learn_group);

typedef struct FN(learn_net) {
    const FN(learn_group) * group; /* [groups] */
    uint32_t groups;
    uint32_t parts; /* 0; or the parts of the only group, each of which the network scores: the first choices' logits.
                       The value is the mean of what it makes of them */
    uint32_t hidden, layers, activation;
    uint32_t memory;      /* LEARN_NO_MEMORY, or one as wide, behind the layers: without any, behind a linear one */
    uint32_t steps;       /* of a rollout, which a memory learns back over */
    uint32_t heads;       /* of the action */
    uint32_t choices;     /* of all discrete heads; 0: each head is a normal distribution */
    const int64_t *sizes; /* [heads]: choices of each */
    const REAL *middle, *reach; /* [heads]: a distribution's mean is middle + reach x output */
    const REAL *low, *high;     /* [heads]: between which it acts */
} FN(learn_net);

typedef struct FN(learn_batch) {   /* a rollout: a sample is a place in each of these */
    const void *obs[LEARN_GROUPS]; /* of each group [count x inputs] */
    const uint8_t *mask;           /* [choices]: 1 where possible; or NULL */
    const void *action;            /* [heads]: int64_t, or with normal distributions numbers */
    const REAL *log_prob, *value;  /* as it acted */
    const REAL *returns, *advantage, *weight;
    const uint8_t *resets;     /* with memory, [steps][rows]: 1 where it is cleared before the step */
    const REAL *hidden, *cell; /* [rows][hidden]: what it holds before the first step; the cell is an LSTM's */
    size_t rows;
    REAL *ratio; /* of probabilities now and then, which is written; or NULL */
    REAL clip, value_clip, value_weight, entropy_weight;
} FN(learn_batch);

LEARN_API size_t FN(learn_width)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_parameters)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_packed)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_gradients)(const FN(learn_net) * net);
LEARN_API size_t FN(learn_room)(const FN(learn_net) * net);
LEARN_API void FN(learn_pack)(const FN(learn_net) * net, const REAL *parameters, REAL *packed);
/* cffi: end */

/* One row of `head`, in and out: logits, or means and logarithms of deviations; and the value. */
LEARN_API size_t FN(learn_width)(const FN(learn_net) * net) {
    return (net->choices ? net->choices : 2 * net->heads) + 1;
}

static size_t FN(learn_parts)(const FN(learn_net) * net) { /* rows of a sample */
    return net->parts ? net->parts : 1;
}

/* The distance of rows: room for whole vectors, and rows of equal columns in different sets of the cache. */
static size_t FN(learn_stride)(size_t width) {
    size_t padded = (width + 15) / 16 * 16;
    return padded % 64 ? padded : padded + 16;
}

/* Layers that a group goes through first, and how many numbers then go into the encoder. */
static size_t FN(learn_stem)(const FN(learn_net) * net, size_t g) {
    if (net->group[g].kind == LEARN_SET)
        return net->layers ? net->layers : 1;
    return net->group[g].kind == LEARN_PLANES && net->groups > 1;
}
static size_t FN(learn_found)(const FN(learn_net) * net, size_t g) {
    if (net->group[g].kind == LEARN_PRESENT)
        return 0;
    if (net->group[g].kind == LEARN_SET)
        return 2 * (size_t)net->hidden; /* mean and maximum */
    return FN(learn_stem)(net, g) ? net->hidden : net->group[g].inputs;
}

/* What goes into the encoder of all, or of the critic; and how much comes out. */
static size_t FN(learn_inputs)(const FN(learn_net) * net, bool critic) {
    size_t inputs = 0;
    for (size_t g = 0; g < net->groups; g++)
        inputs += (net->group[g].critic != 0) == critic ? FN(learn_found)(net, g) : 0;
    return inputs;
}
static size_t FN(learn_outputs)(const FN(learn_net) * net, bool critic) {
    return net->layers || (net->memory && !critic) ? net->hidden : FN(learn_inputs)(net, critic);
}

static size_t FN(learn_gates)(const FN(learn_net) * net) {
    return net->memory == LEARN_LSTM ? 4 : net->memory == LEARN_GRU ? 3 : net->memory == LEARN_MINGRU ? 2 : 0;
}

/* Where the layers of each kind begin: behind the stems. A memory's are of its input and, but for MinGRU, of what it
 * holds. Behind the heads comes the value's of what the critic alone sees, if it does. */
typedef struct FN(learn_plan) {
    size_t encoder, memory, critic, heads, layers;
} FN(learn_plan);

static FN(learn_plan) FN(learn_plan_of)(const FN(learn_net) * net) {
    FN(learn_plan) plan = {0};
    bool alone = FN(learn_inputs)(net, true) > 0;
    for (size_t g = 0; g < net->groups; g++)
        plan.encoder += FN(learn_stem)(net, g);
    plan.memory = plan.encoder + (net->layers ? net->layers : net->memory != 0);
    plan.critic = plan.memory + (net->memory ? net->memory == LEARN_MINGRU ? 1 : 2 : 0);
    plan.heads = plan.critic + (alone ? net->layers : 0);
    plan.layers = plan.heads + 1 + alone;
    return plan;
}

typedef struct FN(learn_layer) {
    size_t in, out, in_row, out_row;
    size_t packed, gradient; /* where it begins */
    uint32_t activation;
} FN(learn_layer);

/* Of which group layer l, one of the stems', is, and whether it is that stem's first. */
static size_t FN(learn_stem_of)(const FN(learn_net) * net, size_t l, bool *first) {
    for (size_t i = 0; i < 2 * net->groups; i++) {
        size_t g = i % net->groups, layers = FN(learn_stem)(net, g);
        if ((net->group[g].critic != 0) != (i >= net->groups))
            continue;
        *first = l == 0;
        if (l < layers)
            return g;
        l -= layers;
    }
    return 0;
}

/* From the layer before layer l to that. */
static void FN(learn_shape)(const FN(learn_net) * net, const FN(learn_plan) * plan, size_t l, FN(learn_layer) * of) {
    of->packed += of->in * of->out_row + of->out * of->in_row + of->out_row;
    of->gradient += of->out * of->in_row + of->out_row;
    bool first = l == plan->encoder || l == plan->critic;
    of->in = of->out = net->hidden, of->activation = LEARN_NO_ACTIVATION;
    if (l < plan->encoder) {
        size_t g = FN(learn_stem_of)(net, l, &first);
        of->in = first ? net->group[g].inputs : net->hidden, of->activation = net->activation;
    } else if (l < plan->memory || (l >= plan->critic && l < plan->heads)) {
        of->in = first ? FN(learn_inputs)(net, l >= plan->critic) : net->hidden;
        of->activation = net->layers ? net->activation : LEARN_NO_ACTIVATION;
    } else if (l < plan->critic) {
        of->out = FN(learn_gates)(net) * net->hidden;
    } else {
        of->in = FN(learn_outputs)(net, l > plan->heads);
        of->out = l > plan->heads ? 1 : net->parts ? 2 : (net->choices ? net->choices : net->heads) + 1;
    }
    of->in_row = FN(learn_stride)(of->in), of->out_row = FN(learn_stride)(of->out);
}

/* Layer i. Packed: weights, for the way forward in panels [outputs / LEARN_PANEL][in][LEARN_PANEL] in the room of
 * [in][out_row], back [inputs / LEARN_PANEL][out][LEARN_PANEL] in that of [out][in_row]; bias [out_row]. Gradient: of
 * weights [out][in_row], of biases [out_row]. */
static FN(learn_layer) FN(learn_layer_of)(const FN(learn_net) * net, size_t i) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    FN(learn_layer) found = {0};
    for (size_t l = 0;; l++) {
        FN(learn_shape)(net, &plan, l, &found);
        if (l >= i)
            return found;
    }
}

/* Numbers of the matrices before the heads, behind which the deviations lie. */
static size_t FN(learn_matrices)(const FN(learn_net) * net) {
    size_t numbers = 0, heads = FN(learn_plan_of)(net).heads;
    for (size_t l = 0; l < heads; l++) {
        FN(learn_layer) of = FN(learn_layer_of)(net, l);
        numbers += of.in * of.out;
    }
    return numbers;
}

/* From where the parameters of the layer before lie, `of`, to where those of layer l do: to be called for each from the
 * first on. The value's layer of what the critic alone sees has no bias. */
static void FN(learn_next)(const FN(learn_net) * net, size_t l, FN(learn_layer) * of, size_t *weight, size_t *bias) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    if (l == 0)
        *weight = 0, *bias = FN(learn_matrices)(net) + (net->choices ? 0 : net->heads);
    else
        *weight += of->in * of->out, *bias += of->out;
    *of = FN(learn_layer_of)(net, l);
    if (l == plan.heads) {
        *weight = *bias, *bias += of->in * of->out;
        *bias += plan.layers > l + 1 ? FN(learn_outputs)(net, true) : 0;
    }
}

/* Numbers of parameters; of packed weights; of a strand's gradient. */
LEARN_API size_t FN(learn_parameters)(const FN(learn_net) * net) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    size_t count = net->choices ? 0 : net->heads;
    for (size_t l = 0; l < plan.layers; l++) {
        FN(learn_layer) of = FN(learn_layer_of)(net, l);
        count += of.in * of.out + (l > plan.heads ? 0 : of.out);
    }
    return count;
}
LEARN_API size_t FN(learn_packed)(const FN(learn_net) * net) {
    FN(learn_layer) last = FN(learn_layer_of)(net, FN(learn_plan_of)(net).layers - 1);
    return last.packed + last.in * last.out_row + last.out * last.in_row + last.out_row + net->heads;
}
LEARN_API size_t FN(learn_gradients)(const FN(learn_net) * net) {
    FN(learn_layer) last = FN(learn_layer_of)(net, FN(learn_plan_of)(net).layers - 1);
    return last.gradient + last.out * last.in_row + last.out_row + net->heads;
}

/* Parameters as products want them. */
LEARN_API void FN(learn_pack)(const FN(learn_net) * net, const REAL *parameters, REAL *packed) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    FN(learn_layer) of = {0};
    size_t weight, bias, numbers = FN(learn_packed)(net);
    memset(packed, 0, numbers * sizeof *packed);
    if (!net->choices)
        memcpy(packed + numbers - net->heads, parameters + FN(learn_matrices)(net), net->heads * sizeof *packed);
    for (size_t l = 0; l < plan.layers; l++) {
        FN(learn_next)(net, l, &of, &weight, &bias);
        REAL *turned = packed + of.packed, *straight = turned + of.in * of.out_row;
        for (size_t j = 0; j < of.out; j++)
            for (size_t k = 0; k < of.in; k++)
                turned[(j / LEARN_PANEL * of.in + k) * LEARN_PANEL + j % LEARN_PANEL] =
                    straight[(k / LEARN_PANEL * of.out + j) * LEARN_PANEL + k % LEARN_PANEL] =
                        parameters[weight + j * of.in + k];
        if (l <= plan.heads)
            memcpy(straight + of.out * of.in_row, parameters + bias, of.out * sizeof *packed);
    }
}

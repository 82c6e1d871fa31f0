/* A tile: the memory in which some samples go through the network and back. */

/* Whether an activation's derivative wants what went in. */
static bool FN(learn_smooth)(uint32_t activation) {
    return activation >= LEARN_GELU;
}

/* Samples of a tile: so many that what they hold on their way stays near. */
static size_t FN(learn_samples)(const FN(learn_net) * net) {
    size_t steps = net->memory ? LEARN_SEQUENCES * (size_t)net->steps : 0, most = 1;
    if (net->parts)
        return net->parts < LEARN_TILE ? LEARN_TILE / net->parts : 1;
    if (steps)
        return steps > LEARN_TILE ? steps : LEARN_TILE;
    for (size_t g = 0; g < net->groups; g++)
        most = FN(learn_stem)(net, g) && net->group[g].count > most ? net->group[g].count : most;
    size_t fit = LEARN_ENTITIES / most / LEARN_LEAST * LEARN_LEAST;
    return fit > LEARN_TILE ? LEARN_TILE : fit > LEARN_LEAST ? fit : LEARN_LEAST;
}

static size_t FN(learn_rows)(const FN(learn_net) * net) { /* of a tile */
    return FN(learn_samples)(net) * FN(learn_parts)(net);
}

/* Layers one after the other, and what each makes: [rows][stride] each. */
typedef struct FN(learn_chain) {
    const FN(learn_layer) * layer; /* [count] */
    size_t count, rows;            /* rows that there is room for */
    REAL *x;                       /* inputs */
    REAL *y;                       /* [count]: what each made */
    REAL *z;                       /* [count]: before the activation, if that is smooth */
} FN(learn_chain);

/* What a tile holds on its way through the network; [rows][stride] each unless said. */
typedef struct FN(learn_tile) {
    FN(learn_plan) plan;
    const FN(learn_layer) * layer;      /* all of them */
    FN(learn_chain) encoder[2];         /* of all; of the critic alone */
    FN(learn_chain) stem[LEARN_GROUPS]; /* with a row for each entity that is there */
    REAL *there[LEARN_GROUPS];          /* [samples]: entities that are there */
    REAL *made;                         /* the heads' outputs, then their gradient */
    REAL *worth;                        /* the value's part of what the critic alone sees, then its gradient */
    REAL *d[2];                         /* gradients of layers */
    REAL *d_x;                          /* of what went into an encoder */
    REAL *d_stem[2];                    /* of a stem's layers, of a few samples */
    REAL *head;                         /* [samples][head_row]; `made`, where each output is a logit or the value */
    size_t head_row;
    REAL *scratch; /* [2][choices][LEARN_TILE] */
    /* With memory, rows being a step's after those of the one before: the gates' sums, of a GRU those by the input and
     * by what is held apart; what is held before and after; and gradients by these, of one step. */
    REAL *given, *held, *before, *cell_before, *hidden, *cell, *d_before, *d_cell;
} FN(learn_tile);

static REAL *FN(learn_lay)(REAL *room, size_t *at, size_t numbers) {
    REAL *place = room ? room + *at : NULL;
    *at += (numbers + 15) / 16 * 16;
    return place;
}

static FN(learn_chain) FN(learn_lay_chain)(const FN(learn_net) * net, REAL *room, size_t *at,
                                           const FN(learn_layer) * layer, size_t count, size_t rows, size_t inputs) {
    size_t layers = count * rows * FN(learn_stride)(net->hidden);
    FN(learn_chain) chain = {.layer = layer, .count = count, .rows = rows};
    chain.x = FN(learn_lay)(room, at, rows * FN(learn_stride)(inputs));
    chain.y = FN(learn_lay)(room, at, layers);
    chain.z = FN(learn_lay)(room, at, FN(learn_smooth)(net->activation) ? layers : 0);
    return chain;
}

/* Samples that go through a stem together. */
static size_t FN(learn_few)(const FN(learn_net) * net, size_t g) {
    size_t few = LEARN_ENTITIES_AT_ONCE / net->group[g].count, all = FN(learn_samples)(net);
    return few < 1 ? 1 : few < all ? few : all;
}

/* All layers, in a room, or where that is NULL nowhere. */
static FN(learn_layer) * FN(learn_lay_layers)(const FN(learn_net) * net, REAL *room, size_t *at) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    const size_t numbers = (plan.layers * sizeof(FN(learn_layer)) + sizeof(REAL) - 1) / sizeof(REAL);
    FN(learn_layer) *layer = (FN(learn_layer) *)(void *)FN(learn_lay)(room, at, numbers), of = {0};
    for (size_t l = 0; layer && l < plan.layers; l++) {
        FN(learn_shape)(net, &plan, l, &of);
        layer[l] = of;
    }
    return layer;
}

/* A tile in a room, or where that is NULL nowhere; how many numbers it needs. */
static size_t FN(learn_lay_tile)(const FN(learn_net) * net, REAL *room, FN(learn_tile) * tile) {
    const FN(learn_plan) plan = FN(learn_plan_of)(net);
    size_t samples = FN(learn_samples)(net), rows = FN(learn_rows)(net), at = 0, stem = 0;
    size_t inputs[] = {FN(learn_inputs)(net, false), FN(learn_inputs)(net, true)};
    size_t wide = rows * FN(learn_stride)(net->hidden), held = net->memory ? wide : 0;
    size_t gates = rows * FN(learn_stride)(FN(learn_gates)(net) * net->hidden);
    memset(tile, 0, sizeof *tile);
    const FN(learn_layer) *layer = FN(learn_lay_layers)(net, room, &at), *next = layer;
    tile->plan = plan, tile->layer = layer;
    for (size_t i = 0; i < 2 * net->groups; i++) {
        size_t g = i % net->groups, layers = FN(learn_stem)(net, g), count = net->group[g].count;
        if (!layers || (net->group[g].critic != 0) != (i >= net->groups))
            continue;
        tile->stem[g] = FN(learn_lay_chain)(net, room, &at, next, layers, samples * count, net->group[g].inputs);
        tile->there[g] = FN(learn_lay)(room, &at, samples);
        stem = FN(learn_few)(net, g) * count > stem ? FN(learn_few)(net, g) * count : stem;
        next += room ? layers : 0;
    }
    tile->encoder[0] = FN(learn_lay_chain)(net, room, &at, next, plan.memory - plan.encoder, rows, inputs[0]);
    if (inputs[1]) {
        next = room ? layer + plan.critic : NULL;
        tile->encoder[1] = FN(learn_lay_chain)(net, room, &at, next, plan.heads - plan.critic, rows, inputs[1]);
        tile->worth = FN(learn_lay)(room, &at, rows * FN(learn_stride)(1));
    }
    if (stem) {
        size_t widest = inputs[0] > inputs[1] ? inputs[0] : inputs[1];
        tile->d_x = FN(learn_lay)(room, &at, rows * FN(learn_stride)(widest));
        for (size_t i = 0; i < 2; i++)
            tile->d_stem[i] = FN(learn_lay)(room, &at, stem * FN(learn_stride)(net->hidden));
    }
    tile->d[0] = FN(learn_lay)(room, &at, wide);
    tile->d[1] = FN(learn_lay)(room, &at, wide);
    tile->made = FN(learn_lay)(room, &at, rows * FN(learn_layer_of)(net, plan.heads).out_row);
    tile->head = FN(learn_lay)(room, &at, samples * FN(learn_width)(net)), tile->head_row = FN(learn_width)(net);
    if (net->choices && !net->parts)
        tile->head = tile->made, tile->head_row = FN(learn_layer_of)(net, plan.heads).out_row;
    tile->scratch = FN(learn_lay)(room, &at, 2 * (size_t)net->choices * LEARN_TILE);
    tile->given = FN(learn_lay)(room, &at, gates);
    tile->held = FN(learn_lay)(room, &at, net->memory == LEARN_GRU ? gates : 0);
    tile->before = FN(learn_lay)(room, &at, held);
    tile->cell_before = FN(learn_lay)(room, &at, held);
    tile->hidden = FN(learn_lay)(room, &at, held);
    tile->cell = FN(learn_lay)(room, &at, held);
    tile->d_before = FN(learn_lay)(room, &at, held);
    tile->d_cell = FN(learn_lay)(room, &at, held);
    return at;
}
static FN(learn_tile) FN(learn_tile_in)(const FN(learn_net) * net, REAL *room) {
    FN(learn_tile) tile;
    FN(learn_lay_tile)(net, room, &tile);
    return tile;
}
LEARN_API size_t FN(learn_room)(const FN(learn_net) * net) { /* numbers that one caller needs, 0 at first */
    FN(learn_tile) tile;
    return FN(learn_lay_tile)(net, NULL, &tile);
}

/* Outputs of a chain's layer i, counted from 1; of 0: the input. */
static REAL *FN(learn_output)(const FN(learn_net) * net, const FN(learn_chain) * chain, size_t i) {
    return i ? chain->y + (i - 1) * chain->rows * FN(learn_stride)(net->hidden) : chain->x;
}

/* What went into the activation of its layer i, counted from 0. */
static REAL *FN(learn_before)(const FN(learn_net) * net, const FN(learn_chain) * chain, size_t i) {
    return chain->z + i * chain->rows * FN(learn_stride)(net->hidden);
}

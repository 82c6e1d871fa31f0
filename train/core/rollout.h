/* Rollouts: acting and stepping environments by turns, a few rows through all steps before the next ones, so that what
 * they see, hold and do stays in the first-level cache. */

/* cffi: begin */
typedef struct FN(learn_world) { /* environments, and what they and the network write: [steps][rows], unless said */
    /* A step of blocks `first` to `end` - 1 of `envs` (see envs/rows.h). */
    void (*step)(void *envs, const void *buffers, uint32_t first, uint32_t end, void *scratch);
    void *envs;
    const void *const *buffers; /* [steps]: what it reads and writes in each, which is what stands below */
    size_t block;               /* rows of a block */
    size_t steps, rows;
    const void *obs[LEARN_GROUPS];     /* of each group [steps + 1][rows][count x inputs] */
    const uint8_t *mask;               /* [steps + 1][rows][choices]; or NULL */
    const uint8_t *resets, *truncated; /* resets: [steps + 1][rows] */
    const void *final_obs[LEARN_GROUPS];
    REAL *hidden, *cell;    /* with memory, [rows][hidden]: what it holds, before and after */
    const REAL *noise;      /* [steps][rows][heads] */
    void *action, *told;    /* see learn_sample */
    REAL *log_prob, *value; /* value: [steps + 1][rows] */
    REAL *final_value;      /* of final_obs, where truncated */
} FN(learn_world);

LEARN_API void FN(learn_act)(const FN(learn_net) * net, const REAL *packed, const FN(learn_world) * world, size_t first,
                             size_t last, void *scratch, REAL *room);
/* cffi: end */

/* Acts in step t for rows `first` to `last` - 1; in the step after the last one tells their values alone. */
static void FN(learn_act_in)(const FN(learn_net) * net, const REAL *packed, const FN(learn_world) * world, size_t t,
                             size_t first, size_t last, const FN(learn_tile) * tile) {
    size_t each = FN(learn_at_once)(net), value = FN(learn_width)(net) - 1, size = net->hidden, heads = net->heads;
    for (size_t row = first; row < last; row += each) {
        size_t n = last - row < each ? last - row : each, at = t * world->rows + row;
        FN(learn_see)(net, packed, n, world->obs, at, NULL, world->resets + at,
                      world->hidden ? world->hidden + row * size : NULL, world->cell ? world->cell + row * size : NULL,
                      t < world->steps, tile);
        for (size_t r = 0; r < n; r++)
            world->value[at + r] = tile->head[r * tile->head_row + value];
        if (t < world->steps)
            FN(learn_draw)(net, n, tile->head, tile->head_row, world->mask ? world->mask + at * net->choices : NULL,
                           world->noise + at * heads,
                           (char *)world->action + at * heads * (net->choices ? sizeof(int64_t) : sizeof(REAL)),
                           (char *)world->told + at * heads * 4, world->log_prob + at, tile->scratch);
    }
}

/* The values of what rows' lives ended with that were cut off in step t. */
static void FN(learn_cut)(const FN(learn_net) * net, const REAL *packed, const FN(learn_world) * world, size_t t,
                          size_t first, size_t last, const FN(learn_tile) * tile) {
    int64_t places[LEARN_TILE];
    size_t each = FN(learn_at_once)(net), value = FN(learn_width)(net) - 1, at = t * world->rows, n = 0;
    for (size_t row = first; row < last; row++) {
        if (world->truncated[at + row])
            places[n++] = (int64_t)row;
        if (!n || (n < each && row + 1 < last))
            continue;
        FN(learn_see)(net, packed, n, world->final_obs, at, places, NULL, world->hidden, world->cell, false, tile);
        for (size_t i = 0; i < n; i++)
            world->final_value[at + (size_t)places[i]] = tile->head[i * tile->head_row + value];
        n = 0;
    }
}

/* All steps of the environments of blocks `first` to `last` - 1, and the values of what follows. scratch: as
 * `world->step` wants it. Calls for other blocks may run at once, with scratch and room of their own. */
LEARN_API void FN(learn_act)(const FN(learn_net) * net, const REAL *packed, const FN(learn_world) * world, size_t first,
                             size_t last, void *scratch, REAL *room) {
    FN(learn_tile) tile = FN(learn_tile_in)(net, room);
    size_t blocks = world->block < LEARN_TILE ? LEARN_TILE / world->block : 1;
    for (size_t end; first < last; first = end) {
        end = last - first < blocks ? last : first + blocks;
        size_t row = first * world->block, after = end * world->block;
        after = after < world->rows ? after : world->rows;
        for (size_t t = 0; t < world->steps; t++) {
            FN(learn_act_in)(net, packed, world, t, row, after, &tile);
            world->step(world->envs, world->buffers[t], (uint32_t)first, (uint32_t)end, scratch);
            FN(learn_cut)(net, packed, world, t, row, after, &tile);
        }
        FN(learn_act_in)(net, packed, world, world->steps, row, after, &tile);
    }
}

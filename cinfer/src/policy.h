/* ---- Loading. */
/* Builds a policy from a valid file in a block, or only counts what it needs; NULL then. */
static minnow_policy *mnw_build(const mnw_file *f, mnw_block *b) {
    const mnw_part *inps = &f->part[MNW_INPS], *stat = &f->part[MNW_STAT], *outs = &f->part[MNW_OUTS];
    uint32_t values = f->part[MNW_VALS].count, ops = f->part[MNW_OPER].count;
    const uint8_t *a = f->part[MNW_ACTN].at;
    minnow_policy *p = (minnow_policy *)mnw_take(b, sizeof *p);
    uint32_t arrays = inps->count + stat->count + outs->count;
    minnow_array *array = (minnow_array *)mnw_take(b, (uint64_t)arrays * sizeof *array);
    mnw_value *value = (mnw_value *)mnw_take(b, (uint64_t)values * sizeof *value);
    mnw_op *op = (mnw_op *)mnw_take(b, (uint64_t)ops * sizeof *op);
    uint32_t *after = (uint32_t *)mnw_take(b, (uint64_t)stat->count * sizeof *after);
    uint32_t *result = (uint32_t *)mnw_take(b, (uint64_t)outs->count * sizeof *result);
    const float **initial = (const float **)mnw_take(b, (uint64_t)stat->count * sizeof *initial);
    minnow_head *head = (minnow_head *)mnw_take(b, (uint64_t)mnw_u32(a + 4) * sizeof *head);
    uint64_t scratch[2] = {0, 0};
    for (uint32_t i = 0; i < ops; i++) {
        mnw_call c = mnw_call_at(f, i);
        mnw_build_op(f, b, &c, op ? &op[i] : NULL, scratch);
    }
    for (uint32_t i = 0; i < stat->count; i++) {
        const float *start = mnw_plain(f, b, mnw_u32(stat->at + (size_t)24 * i + 12));
        if (initial)
            initial[i] = start;
    }
    if (!p)
        return NULL;

    memset(p, 0, sizeof *p);
    p->file = *f;
    p->file.error = NULL;
    p->checksum = mnw_u32(f->bytes + 12);
    p->isas = minnow_isas();
    p->inputs = inps->count;
    p->states = stat->count;
    p->outputs = outs->count;
    p->values = values;
    p->ops = ops;
    p->scratch = scratch[0];
    p->once = scratch[1];
    p->array = array;
    p->value = value;
    p->op = op;
    p->after = after;
    p->result = result;
    p->initial = initial;
    p->head = head;
    for (uint32_t i = 0; i < values; i++) {
        const uint8_t *r = f->part[MNW_VALS].at + (size_t)32 * i;
        mnw_value *v = &value[i];
        v->shape = mnw_shape_at(r);
        v->dtype = r[4];
        v->bytes = v->shape.elements * (v->dtype == MINNOW_U8 ? 1 : 4);
        v->name = (const char *)f->part[MNW_STRS].at + mnw_u32(r);
        v->place = p->floats;
        p->floats += (v->shape.elements + 15u) & ~(uint32_t)15;
    }
    for (uint32_t i = 0; i < ops; i++) /* a reshape is its input seen otherwise */
        if (op[i].call.code == MNW_reshape)
            value[mnw_out(&op[i].call, 0)].place = value[mnw_in(&op[i].call, 0)].place;
    for (uint32_t i = 0; i < inps->count; i++)
        mnw_build_array(f, inps->at + (size_t)8 * i, MINNOW_OTHER, array++);
    for (uint32_t i = 0; i < stat->count; i++) {
        mnw_build_array(f, stat->at + (size_t)24 * i, MINNOW_OTHER, array);
        p->state += array++->size;
        after[i] = mnw_u32(stat->at + (size_t)24 * i + 8);
    }
    p->value_output = MNW_ABSENT;
    for (uint32_t i = 0; i < outs->count; i++) {
        const uint8_t *r = outs->at + (size_t)12 * i;
        mnw_build_array(f, r, mnw_u32(r + 8), array++);
        result[i] = mnw_u32(r + 4);
        if (mnw_u32(r + 8) == MINNOW_VALUE && p->value_output == MNW_ABSENT)
            p->value_output = i;
    }
    p->action.kind = mnw_u32(a);
    p->action.heads = mnw_u32(a + 4);
    p->feed = mnw_u32(a + 8);
    p->log_std = mnw_u32(a + 12);
    p->action.squash = mnw_u32(a + 16);
    for (uint32_t i = 0; i < p->action.heads; i++) {
        const uint8_t *h = a + 24 + (size_t)12 * i;
        head[i].size = mnw_u32(h);
        head[i].low = mnw_f32(h + 4);
        head[i].high = mnw_f32(h + 8);
        p->action.choices += head[i].size;
    }
    return p;
}

static uint8_t *mnw_aligned(void *block) {
    uint8_t *at = (uint8_t *)block;
    return at + ((64 - ((uintptr_t)at & 63)) & 63);
}

/* A count of bytes as a block's size: room to align it; 0 if no block can be so large. */
static size_t mnw_block_size(uint64_t bytes) {
    return bytes < (SIZE_MAX >> 1) ? (size_t)bytes + 63 : 0;
}

MINNOW_API size_t minnow_size(const void *bytes, size_t size, minnow_error *error) {
    mnw_file f;
    mnw_block count = {NULL, 0};
    if (!mnw_validate(&f, bytes, size, error))
        return 0;
    mnw_build(&f, &count);
    if (!mnw_block_size(count.used))
        mnw_fail(error, MINNOW_E_MEMORY, 0, 0, count.used, SIZE_MAX >> 1);
    return mnw_block_size(count.used);
}

MINNOW_API const minnow_policy *minnow_load(const void *bytes, size_t size, void *block, size_t block_size,
                                            minnow_error *error) {
    mnw_file f;
    mnw_block count = {NULL, 0}, piece = {NULL, 0};
    if (!mnw_validate(&f, bytes, size, error))
        return NULL;
    mnw_build(&f, &count);
    size_t need = mnw_block_size(count.used);
    if (!block || !need || block_size < need) {
        mnw_fail(error, need ? MINNOW_E_BLOCK : MINNOW_E_MEMORY, 0, 0, block ? block_size : 0, count.used + 63);
        return NULL;
    }
    piece.at = mnw_aligned(block);
    uint64_t was = mnw_enter();
    minnow_policy *policy = mnw_build(&f, &piece);
    mnw_leave(was);
    return policy;
}

MINNOW_API uint32_t minnow_inputs(const minnow_policy *policy) {
    return policy->inputs;
}
MINNOW_API uint32_t minnow_outputs(const minnow_policy *policy) {
    return policy->outputs;
}
MINNOW_API uint32_t minnow_states(const minnow_policy *policy) {
    return policy->states;
}
MINNOW_API const minnow_array *minnow_input(const minnow_policy *policy, uint32_t index) {
    return index < policy->inputs ? &policy->array[index] : NULL;
}
MINNOW_API const minnow_array *minnow_state_array(const minnow_policy *policy, uint32_t index) {
    return index < policy->states ? &policy->array[policy->inputs + index] : NULL;
}
MINNOW_API const minnow_array *minnow_output(const minnow_policy *policy, uint32_t index) {
    return index < policy->outputs ? &policy->array[policy->inputs + policy->states + index] : NULL;
}
MINNOW_API const minnow_action_spec *minnow_action_of(const minnow_policy *policy) {
    return &policy->action;
}
MINNOW_API const minnow_head *minnow_head_of(const minnow_policy *policy, uint32_t head) {
    return head < policy->action.heads ? &policy->head[head] : NULL;
}
MINNOW_API const char *minnow_meta(const minnow_policy *policy, size_t *size) {
    *size = (size_t)policy->file.part[MNW_META].size;
    return (const char *)policy->file.part[MNW_META].at;
}

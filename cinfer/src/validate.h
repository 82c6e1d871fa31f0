/* ---- A file is validated whole before any of it is used. */
static int mnw_check_values(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_VALS];
    f->index = MNW_VALS;
    if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, 1, (1u << 20) + 1))
        return 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)32 * i;
        f->index = i;
        if ((r[4] != MINNOW_F32 && !mnw_within(f, MINNOW_E_DTYPE, r + 4, r[4], MINNOW_U8, MINNOW_I32 + 1)) ||
            !mnw_check_shape(f, r))
            return 0;
    }
    return 1;
}

static int mnw_check_tensors(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_TENS], *data = &f->part[MNW_DATA];
    uint64_t stop = data->offset, limit = data->offset + data->size;
    f->index = MNW_TENS;
    if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, 0, (1u << 20) + 1))
        return 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)48 * i, *at = f->bytes;
        uint32_t dtype = r[4], whole = dtype == MINNOW_INT8, half = dtype == MINNOW_F16;
        f->index = i;
        if (!mnw_within(f, MINNOW_E_DTYPE, r + 4, dtype, 0, MINNOW_INT8 + 1) || !mnw_check_shape(f, r) ||
            !mnw_within(f, MINNOW_E_RANK, r + 5, r[5], whole, 256))
            return 0;
        uint32_t elements = mnw_elements(r), size = elements << (whole ? 0 : half ? 1 : 2);
        for (uint32_t k = 0; k < 2; k++) { /* elements, scales */
            const uint8_t *place = r + 32 + 8 * k;
            uint64_t start = size ? (stop + 63) & ~(uint64_t)63 : 0, from = mnw_u64(place);
            if ((size && (!mnw_within(f, MINNOW_E_BEYOND, place, from, data->offset, limit + 1) ||
                          !mnw_within(f, MINNOW_E_BEYOND, place, size, 0, limit - from + 1))) ||
                !mnw_same(f, MINNOW_E_PLACE, place, from, start) || (size && !mnw_zero(f, stop, start)))
                return 0;
            if (size) {
                at = f->bytes + start;
                stop = start + size;
            }
            size = whole ? 4 * mnw_size(r, 0) : 0;
        }
        /* No weight is anything but a number or infinite; no scale is infinite either. First as whole words, in each of
         * which a sum's sign shows what is beyond; what is left, or all where something was, one by one. */
        uint32_t count = whole ? mnw_size(r, 0) : elements, words = half ? count / 2 : count,
                 k = half ? 2 * words : words;
        uint32_t most = half ? 0x7c00u : 0x7f800000u - whole, mask = half ? 0x7fff7fffu : 0x7fffffffu, beyond = 0;
        for (uint32_t w = 0, up = half ? 0x3ff03ffu : 0x7fffffu + whole; w < words; w++)
            beyond |= (mnw_u32(at + (size_t)4 * w) & mask) + up;
        for (k = beyond & ~mask ? 0 : k; k < count; k++) {
            const uint8_t *one = at + ((size_t)k << (half ? 1 : 2));
            uint32_t bits = (half ? mnw_u16(one) : mnw_u32(one)) & mask;
            if (bits > most)
                return mnw_within(f, MINNOW_E_NUMBER, one, bits, 0, most + 1);
        }
    }
    f->index = part->count;
    return mnw_same(f, MINNOW_E_PLACE, f->bytes + 32 + 24 * MNW_DATA + 16, limit, stop);
}

/* Whether the value at `at` is the next one to be given, and has numbers. */
static int mnw_check_next(const mnw_file *f, const uint8_t *at, uint32_t next) {
    uint32_t values = f->part[MNW_VALS].count;
    return mnw_field(f, MINNOW_E_VALUE, at, 0, values) && mnw_field(f, MINNOW_E_DUPLICATE, at, next, values) &&
           mnw_field(f, MINNOW_E_GAP, at, 0, next + 1);
}

/* Whether the value at `at` has a dtype. */
static int mnw_check_dtype(const mnw_file *f, const uint8_t *at, uint32_t dtype) {
    return mnw_same(f, MINNOW_E_DTYPE, at, mnw_value_dtype(f, mnw_u32(at)), dtype);
}
static int mnw_check_real(const mnw_file *f, const uint8_t *at) {
    return mnw_check_dtype(f, at, MINNOW_F32);
}

/* The dtype of an operation's inputs and outputs, where they have one: what moves elements moves whole numbers too. */
static uint32_t mnw_dtype_of(const mnw_file *f, const mnw_call *c) {
    const uint32_t code = c->code;
    int whole = code == MNW_integer;
    if (code >= MNW_NUMBER(MNW_concat) && code < MNW_NUMBER(MNW_sort) &&
        !(code == MNW_scatter && mnw_u32(mnw_attr(c, 1))))
        whole = mnw_value_dtype(f, mnw_in(c, 0)) == MINNOW_I32;
    return whole ? MINNOW_I32 : MINNOW_F32;
}

static int mnw_check_operations(mnw_file *f, uint32_t given) {
    const mnw_part *part = &f->part[MNW_OPER], *args = &f->part[MNW_ARGS];
    uint32_t values = f->part[MNW_VALS].count, tensors = f->part[MNW_TENS].count, next = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)16 * i, *rule = mnw_rule_of(mnw_u16(r)),
                      *at = args->at + (size_t)4 * next;
        f->index = i;
        if ((!rule && !mnw_within(f, MINNOW_E_OPERATION, r, mnw_u16(r), 256, 0)) ||
            !mnw_same(f, MINNOW_E_PADDING, r + 2, mnw_u16(r + 2), 0))
            return 0;
        uint64_t total = next;
        for (uint32_t k = 0; k < 4; k++) {
            uint32_t count = mnw_u16(r + 4 + 2 * k), many = rule[1 + k] == MNW_MANY;
            if (!mnw_within(f, MINNOW_E_ARITY, r + 4 + 2 * k, count, many ? 1 : rule[1 + k],
                            many ? UINT64_MAX : rule[1 + k] + 1u))
                return 0;
            total += count;
        }
        if (!mnw_field(f, MINNOW_E_ARGUMENTS, r + 12, next, next + 1) ||
            !mnw_within(f, MINNOW_E_ARGUMENTS, r + 12, total, 0, (uint64_t)args->count + 1))
            return 0;
        next = (uint32_t)total;
        mnw_call c = mnw_call_at(f, i);
        uint32_t dtype = MINNOW_F32;
        for (uint32_t k = 0; k < c.inputs; k++, at += 4) {
            if (!mnw_field(f, MINNOW_E_VALUE, at, 0, values) || !mnw_field(f, MINNOW_E_ORDER, at, 0, given))
                return 0;
            dtype = k ? dtype : mnw_dtype_of(f, &c);
            const int index = k == 1 && (c.code == MNW_gather || c.code == MNW_scatter);
            if (c.code == MNW_cast ? !mnw_within(f, MINNOW_E_DTYPE, at, mnw_value_dtype(f, mnw_u32(at)), 1, 256)
                                   : !mnw_check_dtype(f, at, index ? (uint32_t)MINNOW_F32 : dtype))
                return 0;
        }
        for (uint32_t k = 0; k < c.outputs; k++, at += 4)
            if (!mnw_check_next(f, at, given++) ||
                !mnw_check_dtype(f, at, c.code == MNW_whole ? (uint32_t)MINNOW_I32 : dtype))
                return 0;
        for (uint32_t k = 0; k < c.tensors; k++, at += 4)
            if ((k < rule[5] || mnw_u32(at) != MNW_ABSENT) && !mnw_field(f, MINNOW_E_TENSOR, at, 0, tensors))
                return 0;
        if (!mnw_check_attributes(f, &c) || !mnw_must(f, MINNOW_E_SHAPE, r, mnw_fits(f, &c)))
            return 0;
    }
    f->index = part->count;
    return mnw_same(f, MINNOW_E_ARGUMENTS, args->at, args->count, next) &&
           mnw_same(f, MINNOW_E_GAP, part->at, given, values);
}

/* The sections of inputs, outputs and states, and the size of their records. */
static const uint8_t mnw_ends[3][2] = {{MNW_INPS, 8}, {MNW_OUTS, 12}, {MNW_STAT, 24}};

/* Inputs, states and outputs; *given receives the number of values that are there before the first operation. */
static int mnw_check_ends(mnw_file *f, uint32_t *given) {
    const char *names = (const char *)f->part[MNW_STRS].at;
    uint32_t values = f->part[MNW_VALS].count;
    for (uint32_t p = 0; p < 3; p++) {
        uint32_t which = p == 2 ? 1 : 2 * p, record = mnw_ends[which][1]; /* outputs last */
        const mnw_part *part = &f->part[mnw_ends[which][0]];
        f->index = mnw_ends[which][0];
        if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, which < 2, MNW_MOST_ARRAYS + 1))
            return 0;
        for (uint32_t i = 0; i < part->count; i++) {
            const uint8_t *r = part->at + (size_t)record * i;
            f->index = i;
            if (!mnw_check_name(f, r, 1))
                return 0;
            for (const uint8_t *other = part->at; other < r; other += record)
                if (!mnw_must(f, MINNOW_E_TWICE, r, strcmp(names + mnw_u32(r), names + mnw_u32(other)) != 0))
                    return 0;
            if (which == 1) {
                if (!mnw_field(f, MINNOW_E_VALUE, r + 4, 0, values) || !mnw_check_real(f, r + 4) ||
                    !mnw_field(f, MINNOW_E_ROLE, r + 8, 0, MINNOW_VALUE + 1))
                    return 0;
                continue;
            }
            if (!mnw_check_next(f, r + 4, (*given)++)) /* inputs and states take the first values, in order */
                return 0;
            if (which == 0)
                continue;
            const uint8_t *before = mnw_value_at(f, mnw_u32(r + 4));
            uint32_t initial = mnw_u32(r + 12);
            if (!mnw_check_real(f, r + 4) || !mnw_field(f, MINNOW_E_VALUE, r + 8, 0, values) ||
                !mnw_check_real(f, r + 8) ||
                !mnw_must(f, MINNOW_E_SHAPE, r + 8, mnw_alike(before, mnw_value_at(f, mnw_u32(r + 8)), MNW_NO_AXIS)))
                return 0;
            if (initial != MNW_ABSENT &&
                (!mnw_field(f, MINNOW_E_TENSOR, r + 12, 0, f->part[MNW_TENS].count) ||
                 !mnw_must(f, MINNOW_E_SHAPE, r + 12, mnw_alike(before, mnw_stored_at(f, initial), MNW_NO_AXIS))))
                return 0;
            if (!mnw_field(f, MINNOW_E_RANK, r + 16, 0, before[5] + 1u) ||
                !mnw_field(f, MINNOW_E_PADDING, r + 20, 0, 1))
                return 0;
        }
    }
    return 1;
}

static int mnw_check_action(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_ACTN], *outs = &f->part[MNW_OUTS];
    const uint8_t *a = part->at, *h = a + 24;
    f->index = MNW_ACTN;
    if (!mnw_within(f, MINNOW_E_COUNT, a, part->count, 6, UINT64_MAX))
        return 0;
    f->index = 0;
    uint32_t kind = mnw_u32(a), heads = mnw_u32(a + 4), box = MNW_HAS_BOX && kind == MINNOW_BOX,
             stretched = mnw_u32(a + 16) == MINNOW_TANH;
    if (!mnw_field(f, MINNOW_E_KIND, a, 0, MINNOW_BOX + MNW_HAS_BOX) ||
        !mnw_same(f, MINNOW_E_HEADS, a + 4, 6 + (uint64_t)3 * heads, part->count) ||
        !mnw_within(f, MINNOW_E_HEADS, a + 4, heads, kind != MINNOW_NONE,
                    kind <= MINNOW_DISCRETE ? kind + (uint64_t)1 : UINT64_MAX) ||
        !mnw_field(f, MINNOW_E_KIND, a + 16, box ? MINNOW_CLIP : 0, box ? MINNOW_TANH + 1 : 1) ||
        !mnw_field(f, MINNOW_E_PADDING, a + 20, 0, 1))
        return 0;
    uint64_t total = 0;
    for (; f->index < heads; f->index++, h += 12) {
        if (!mnw_within(f, MINNOW_E_HEADS, h, mnw_u32(h), !box, box ? 1 : UINT64_MAX))
            return 0;
        total += box ? 1 : mnw_u32(h);
        for (uint32_t k = 4; k < 12;
             k += 4) { /* bounds: finite where tanh is stretched to them, 0 where there are none */
            uint32_t bits = mnw_u32(h + k) & (box ? 0x7fffffffu : 0xffffffffu);
            if (!mnw_within(f, MINNOW_E_BOUNDS, h + k, bits, 0, box ? 0x7f800001u - stretched : 1))
                return 0;
        }
        if (box && !(mnw_f32(h + 4) < mnw_f32(h + 8)))
            return mnw_must(f, MINNOW_E_BOUNDS, h + 4, 0);
    }
    f->index = 0;
    for (uint32_t k = 0; k < 2; k++) { /* logits or means; log_std */
        const uint8_t *at = a + 8 + 4 * k;
        uint32_t feed = mnw_u32(at), may = k == 0 ? kind != MINNOW_NONE : box;
        if (feed == MNW_ABSENT && (k == 1 || !may))
            continue;
        if (!mnw_field(f, MINNOW_E_FEED, at, 0, may ? outs->count : 0) ||
            !mnw_same(f, MINNOW_E_HEADS, at, mnw_elements(mnw_value_at(f, mnw_u32(outs->at + (size_t)12 * feed + 4))),
                      total))
            return 0;
    }
    return 1;
}

/* Bytes of one step's golden vectors for so many agents, where section p's arrays are; each padded to 4. */
static uint64_t mnw_value_bytes(const mnw_file *f, uint32_t value, uint32_t agents) {
    uint64_t elements = (uint64_t)mnw_elements(mnw_value_at(f, value)) * agents;
    return mnw_value_dtype(f, value) == MINNOW_U8 ? (elements + 3) & ~(uint64_t)3 : elements * 4;
}

static int mnw_check_golden(const mnw_file *f) {
    const mnw_part *part = &f->part[MNW_GOLD];
    const uint8_t *at = part->at, *stop = at + part->size;
    if (!mnw_within(f, MINNOW_E_GOLDEN, at, part->size, 8, UINT64_MAX) ||
        !mnw_field(f, MINNOW_E_GOLDEN, at, 2, UINT32_MAX) ||
        !mnw_within(f, MINNOW_E_GOLDEN, at + 4, mnw_u32(at + 4), 1, (uint64_t)part->count + 1))
        return 0;
    uint32_t steps = mnw_u32(at), agents = mnw_u32(at + 4);
    uint64_t step = 0;
    for (uint32_t p = 0; p < 3; p++) {
        const mnw_part *ends = &f->part[mnw_ends[p][0]];
        for (uint32_t i = 0; i < ends->count; i++)
            step += mnw_value_bytes(f, mnw_u32(ends->at + (size_t)mnw_ends[p][1] * i + 4), agents);
    }
    uint64_t left = part->size - 8, flags = (uint64_t)steps * agents;
    if (!mnw_within(f, MINNOW_E_GOLDEN, at, left / step, steps, UINT64_MAX))
        return 0;
    left -= step * steps;
    if (left && !mnw_same(f, MINNOW_E_GOLDEN, at, left, (flags + 3) / 4 * 4))
        return 0;
    for (at = stop - left; at < stop; at++, flags -= flags != 0)
        if (!mnw_within(f, MINNOW_E_GOLDEN, at, *at, 0, flags ? 2 : 1))
            return 0;
    return 1;
}

static int mnw_validate(mnw_file *f, const void *bytes, size_t size, minnow_error *error) {
    uint32_t given = 0;
    f->bytes = (const uint8_t *)bytes;
    f->error = error;
    f->index = 0;
    mnw_fail(error, MINNOW_OK, 0, 0, 0, 0);
    if (!bytes)
        return mnw_fail(error, MINNOW_E_ARGUMENT, 0, 0, 0, 0);
    return mnw_open(f, size) && mnw_check_texts(f) && mnw_check_values(f) && mnw_check_tensors(f) &&
           mnw_check_ends(f, &given) && mnw_check_operations(f, given) && mnw_check_action(f) && mnw_check_golden(f);
}

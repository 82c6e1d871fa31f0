/* Shapes where they stand, in a record of VALS or TENS. */
MNW_INLINE uint32_t mnw_size(const uint8_t *record, uint32_t axis) {
    return mnw_u32(record + 8 + 4 * axis);
}

static MNW_NOINLINE mnw_shape mnw_shape_at(const uint8_t *record) {
    mnw_shape s;
    s.rank = record[5];
    s.elements = 1;
    for (uint32_t i = 0; i < MINNOW_MAX_RANK; i++) {
        s.size[i] = mnw_size(record, i);
        if (i < s.rank)
            s.elements *= s.size[i];
    }
    return s;
}

static uint32_t mnw_elements(const uint8_t *record) {
    return mnw_shape_at(record).elements;
}

/* Whether two agree in the axes from `from` up to `to`; the sizes beyond a rank are 0. */
static int mnw_agree(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to) {
    for (; from < to; from++)
        if (mnw_size(a, from) != mnw_size(b, from))
            return 0;
    return 1;
}

/* Whether two are the same, axis `but` apart. */
static MNW_NOINLINE int mnw_alike(const uint8_t *a, const uint8_t *b, uint32_t but) {
    return a[5] == b[5] && mnw_agree(a, b, 0, but) && mnw_agree(a, b, but + 1, MINNOW_MAX_RANK);
}
enum { MNW_NO_AXIS = MINNOW_MAX_RANK };

/* Name and shape of a record. */
static int mnw_check_shape(const mnw_file *f, const uint8_t *record) {
    uint64_t elements = 1;
    if (!mnw_check_name(f, record, 0) || !mnw_within(f, MINNOW_E_RANK, record + 5, record[5], 0, MINNOW_MAX_RANK + 1) ||
        !mnw_same(f, MINNOW_E_PADDING, record + 6, mnw_u16(record + 6), 0))
        return 0;
    for (uint32_t i = 0; i < MINNOW_MAX_RANK; i++) {
        uint32_t n = mnw_size(record, i), axis = i < record[5];
        elements *= axis ? n : 1;
        if (!mnw_within(f, MINNOW_E_SIZE, record + 8 + 4 * i, n, axis, axis ? UINT64_MAX : 1) ||
            !mnw_within(f, MINNOW_E_ELEMENTS, record + 8, elements, 0, MNW_MOST_ELEMENTS + 1))
            return 0;
    }
    return 1;
}

static const uint8_t *mnw_value_at(const mnw_file *f, uint32_t value) {
    return f->part[MNW_VALS].at + (size_t)32 * value;
}

static const uint8_t *mnw_stored_at(const mnw_file *f, uint32_t tensor) {
    return f->part[MNW_TENS].at + (tensor == MNW_ABSENT ? 0 : (size_t)48 * tensor);
}

static mnw_shape mnw_value_shape(const mnw_file *f, uint32_t value) {
    return mnw_shape_at(mnw_value_at(f, value));
}

static uint32_t mnw_value_dtype(const mnw_file *f, uint32_t value) {
    return mnw_value_at(f, value)[4];
}

static mnw_tensor mnw_tensor_at(const mnw_file *f, uint32_t tensor) {
    const uint8_t *record = mnw_stored_at(f, tensor);
    mnw_tensor t;
    uint64_t scales = mnw_u64(record + 40);
    t.shape = mnw_shape_at(record);
    t.dtype = record[4];
    t.data = f->bytes + mnw_u64(record + 32);
    t.scales = scales ? f->bytes + scales : NULL;
    return t;
}

static MNW_NOINLINE float mnw_element(const mnw_tensor *t, uint32_t index) {
    if (t->dtype == MINNOW_F32)
        return mnw_f32(t->data + (size_t)4 * index);
    if (t->dtype == MINNOW_F16)
        return mnw_f16(mnw_u16(t->data + (size_t)2 * index));
    uint32_t channel = index / (t->shape.elements / t->shape.size[0]), raw = t->data[index];
    return (float)((int32_t)(raw ^ 0x80u) - 128) * mnw_f32(t->scales + (size_t)4 * channel);
}

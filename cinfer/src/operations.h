/* ---- Operations: X(name, code, inputs, outputs, tensors, tensors that may be absent from this one on, attributes). An
 * input count of 0xffff means one or more, as does an attribute count. */
#define MINNOW_OPERATIONS(X)                                                                                           \
    X(constant, 1, 0, 1, 1, 1, 0)                                                                                      \
    X(cast, 2, 1, 1, 0, 0, 0)                                                                                          \
    X(whole, 3, 1, 1, 0, 0, 0)                                                                                         \
    X(linear, 16, 1, 1, 2, 1, 0)                                                                                       \
    X(conv, 17, 1, 1, 2, 1, 0xffff)                                                                                    \
    X(matmul, 18, 2, 1, 0, 0, 1)                                                                                       \
    X(embedding, 19, 1, 1, 1, 1, 0)                                                                                    \
    X(lstm, 32, 3, 2, 4, 2, 0)                                                                                         \
    X(mingru, 33, 2, 1, 2, 1, 0)                                                                                       \
    X(gru, 34, 2, 1, 4, 2, 0)                                                                                          \
    X(rnn, 35, 2, 1, 4, 2, 1)                                                                                          \
    X(pool, 48, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(relu, 64, 1, 1, 0, 0, 0)                                                                                         \
    X(leaky_relu, 65, 1, 1, 0, 0, 1)                                                                                   \
    X(elu, 66, 1, 1, 0, 0, 1)                                                                                          \
    X(selu, 67, 1, 1, 0, 0, 0)                                                                                         \
    X(gelu, 68, 1, 1, 0, 0, 0)                                                                                         \
    X(gelu_tanh, 69, 1, 1, 0, 0, 0)                                                                                    \
    X(silu, 70, 1, 1, 0, 0, 0)                                                                                         \
    X(mish, 71, 1, 1, 0, 0, 0)                                                                                         \
    X(softplus, 72, 1, 1, 0, 0, 2)                                                                                     \
    X(softsign, 73, 1, 1, 0, 0, 0)                                                                                     \
    X(tanh, 74, 1, 1, 0, 0, 0)                                                                                         \
    X(sigmoid, 75, 1, 1, 0, 0, 0)                                                                                      \
    X(hardsigmoid, 76, 1, 1, 0, 0, 0)                                                                                  \
    X(hardswish, 77, 1, 1, 0, 0, 0)                                                                                    \
    X(clamp, 78, 1, 1, 0, 0, 2)                                                                                        \
    X(abs, 96, 1, 1, 0, 0, 0)                                                                                          \
    X(neg, 97, 1, 1, 0, 0, 0)                                                                                          \
    X(exp, 98, 1, 1, 0, 0, 0)                                                                                          \
    X(log, 99, 1, 1, 0, 0, 0)                                                                                          \
    X(sqrt, 100, 1, 1, 0, 0, 0)                                                                                        \
    X(rsqrt, 101, 1, 1, 0, 0, 0)                                                                                       \
    X(reciprocal, 102, 1, 1, 0, 0, 0)                                                                                  \
    X(square, 103, 1, 1, 0, 0, 0)                                                                                      \
    X(sin, 104, 1, 1, 0, 0, 0)                                                                                         \
    X(cos, 105, 1, 1, 0, 0, 0)                                                                                         \
    X(floor, 106, 1, 1, 0, 0, 0)                                                                                       \
    X(round, 107, 1, 1, 0, 0, 0)                                                                                       \
    X(sign, 108, 1, 1, 0, 0, 0)                                                                                        \
    X(erf, 109, 1, 1, 0, 0, 0)                                                                                         \
    X(log2, 110, 1, 1, 0, 0, 0)                                                                                        \
    X(log10, 111, 1, 1, 0, 0, 0)                                                                                       \
    X(log1p, 112, 1, 1, 0, 0, 0)                                                                                       \
    X(exp2, 113, 1, 1, 0, 0, 0)                                                                                        \
    X(expm1, 114, 1, 1, 0, 0, 0)                                                                                       \
    X(add, 128, 2, 1, 0, 0, 0)                                                                                         \
    X(sub, 129, 2, 1, 0, 0, 0)                                                                                         \
    X(mul, 130, 2, 1, 0, 0, 0)                                                                                         \
    X(div, 131, 2, 1, 0, 0, 0)                                                                                         \
    X(minimum, 132, 2, 1, 0, 0, 0)                                                                                     \
    X(maximum, 133, 2, 1, 0, 0, 0)                                                                                     \
    X(eq, 134, 2, 1, 0, 0, 0)                                                                                          \
    X(lt, 135, 2, 1, 0, 0, 0)                                                                                          \
    X(le, 136, 2, 1, 0, 0, 0)                                                                                          \
    X(keep, 137, 2, 1, 0, 0, 0)                                                                                        \
    X(mix, 138, 3, 1, 0, 0, 0)                                                                                         \
    X(fmod, 139, 2, 1, 0, 0, 0)                                                                                        \
    X(remainder, 140, 2, 1, 0, 0, 0)                                                                                   \
    X(floor_divide, 141, 2, 1, 0, 0, 0)                                                                                \
    X(atan2, 142, 2, 1, 0, 0, 0)                                                                                       \
    X(integer, 143, 2, 1, 0, 0, 2)                                                                                     \
    X(softmax, 144, 1, 1, 0, 0, 0)                                                                                     \
    X(log_softmax, 145, 1, 1, 0, 0, 0)                                                                                 \
    X(sum, 146, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(mean, 147, 1, 1, 0, 0, 0xffff)                                                                                   \
    X(max, 148, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(min, 149, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(prod, 150, 1, 1, 0, 0, 0xffff)                                                                                   \
    X(layer_norm, 160, 1, 1, 2, 0, 1)                                                                                  \
    X(rms_norm, 161, 1, 1, 1, 0, 1)                                                                                    \
    X(concat, 176, 0xffff, 1, 0, 0, 1)                                                                                 \
    X(slice, 177, 1, 1, 0, 0, 3)                                                                                       \
    X(reshape, 178, 1, 1, 0, 0, 0)                                                                                     \
    X(permute, 179, 1, 1, 0, 0, 0xffff)                                                                                \
    X(gather, 180, 2, 1, 0, 0, 1)                                                                                      \
    X(scatter, 181, 3, 1, 0, 0, 2)                                                                                     \
    X(sort, 182, 1, 2, 0, 0, 2)

/* Whether an operation was left out: 1 if MINNOW_NO_<name> is defined as 1, as -D does. A number that begins with
 * MNW_COMMA_1 has one argument more. */
#undef MINNOW_NO_add /* what the interpreter itself uses stays */
#undef MINNOW_NO_sub
#undef MINNOW_NO_mul
#undef MINNOW_NO_div
#undef MINNOW_NO_exp
#if !(defined(MINNOW_NO_BOX) && defined(MINNOW_NO_log_softmax))
#undef MINNOW_NO_log
#endif
#undef MINNOW_NO_tanh
#undef MINNOW_NO_relu
#define MNW_COMMA_1 0,
#define MNW_SECOND(a, b, ...) b
#define MNW_PICK(maybe) MNW_SECOND(maybe 1, 0, 0)
#define MNW_PROBE(value) MNW_PICK(MNW_COMMA_##value)
#define MNW_DEFINED(macro) MNW_PROBE(macro)

/* One that was left out gets a number that no file can give it, so that compilers see that its code is never run. */
enum {
#define MNW_OP_CODE(name, code, inputs, outputs, tensors, needed, attrs)                                               \
    MNW_##name = code + 256 * MNW_DEFINED(MINNOW_NO_##name),
    MINNOW_OPERATIONS(MNW_OP_CODE)
#undef MNW_OP_CODE
};
#define MNW_NUMBER(code) ((code) & 255u)

enum { MNW_RULE = 6, MNW_MANY = 255 };

/* [code, inputs, outputs, tensors, attributes, tensors that may not be absent], or NULL. One that was left out has 0.
 */
static const uint8_t *mnw_rule_of(uint32_t code) {
    static const uint8_t rules[] = {
#define MNW_RULE_OF(name, code, inputs, outputs, tensors, needed, attrs)                                               \
    MNW_##name < 256 ? code : 0, (inputs) & 255, outputs, tensors, (attrs) & 255, needed,
        MINNOW_OPERATIONS(MNW_RULE_OF)
#undef MNW_RULE_OF
    };
    for (const uint8_t *rule = rules; rule < rules + sizeof rules; rule += MNW_RULE)
        if (*rule == code && code)
            return rule;
    return NULL;
}

typedef struct mnw_call { /* one operation as it stands in the file */
    uint32_t code, inputs, outputs, tensors, attrs;
    const uint8_t *args;          /* inputs, outputs, */
    const uint8_t *stored, *attr; /* tensors, attributes */
} mnw_call;

static mnw_call mnw_call_at(const mnw_file *f, uint32_t index) {
    const uint8_t *r = f->part[MNW_OPER].at + (size_t)16 * index;
    mnw_call c;
    c.code = mnw_u16(r);
    c.inputs = mnw_u16(r + 4);
    c.outputs = mnw_u16(r + 6);
    c.tensors = mnw_u16(r + 8);
    c.attrs = mnw_u16(r + 10);
    c.args = f->part[MNW_ARGS].at + (size_t)4 * mnw_u32(r + 12);
    c.stored = c.args + (size_t)4 * (c.inputs + c.outputs);
    c.attr = c.stored + (size_t)4 * c.tensors;
    return c;
}

MNW_INLINE uint32_t mnw_in(const mnw_call *c, uint32_t i) {
    return mnw_u32(c->args + (size_t)4 * i);
}
MNW_INLINE uint32_t mnw_out(const mnw_call *c, uint32_t i) {
    return mnw_in(c, c->inputs + i);
}
MNW_INLINE uint32_t mnw_stored(const mnw_call *c, uint32_t i) {
    return mnw_u32(c->stored + (size_t)4 * i);
}
MNW_INLINE const uint8_t *mnw_attr(const mnw_call *c, uint32_t i) {
    return c->attr + (size_t)4 * i;
}

static int mnw_begins(const mnw_shape *a, const mnw_shape *b, uint32_t axes) {
    for (uint32_t i = 0; i < axes; i++)
        if (a->size[i] != b->size[i])
            return 0;
    return 1;
}

static int mnw_equal(const mnw_shape *a, const mnw_shape *b) {
    return a->rank == b->rank && mnw_begins(a, b, a->rank);
}

/* Whether tensor i of an operation is absent or has the shape [rows] (columns 0) or [rows, columns]. */
static MNW_NOINLINE int mnw_is(const mnw_file *f, const mnw_call *c, uint32_t i, uint32_t rows, uint32_t columns) {
    uint32_t tensor = mnw_stored(c, i);
    const uint8_t *t = mnw_stored_at(f, tensor);
    return tensor == MNW_ABSENT || (t[5] == 1 + (columns != 0) && mnw_size(t, 0) == rows && mnw_size(t, 1) == columns);
}

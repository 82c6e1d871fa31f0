/* ---- Elementwise operations, n numbers in a row. */

/* Functions that several operations call; errors are against the true value. */
static MNW_NOINLINE mnw_v mnw_exp_apart(mnw_v x) {
    return mnw_exp(x);
}

MNW_INLINE mnw_v mnw_sigmoid(mnw_v x) { /* absolute error 1.2e-7 */
    return 1.0f / (mnw_exp_apart(-x) + 1.0f);
}

static MNW_NOINLINE mnw_v mnw_tanh_apart(mnw_v x) {
    return mnw_tanh(x);
}

/* Absolute error 3e-7. Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. */
static MNW_NOINLINE mnw_v mnw_erf(mnw_v x) {
    static const float constants[] = {1.061405429f, -1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
    mnw_v a = mnw_abs(x), t = 1.0f / (a * 0.3275911f + 1.0f);
    return mnw_sign_of(x, 1.0f - mnw_horner(t, mnw_table(constants), 5) * t * mnw_exp_apart(-(a * a)));
}

#if !MNW_FEW
static MNW_NOINLINE mnw_v mnw_log_apart(mnw_v x) {
    return mnw_log(x);
}

static mnw_v mnw_sqrt_all(mnw_v x) {
    float lanes[MNW_LANES];
    mnw_store(lanes, x);
    for (int i = 0; i < MNW_LANES; i++)
        lanes[i] = mnw_sqrt(lanes[i]);
    return mnw_load(lanes);
}

static mnw_v mnw_softplus(mnw_v x, float beta, float threshold) {
    mnw_v z = x * beta;
    mnw_v smooth = mnw_log_apart(mnw_exp_apart(mnw_min(z, mnw_splat(threshold))) + 1.0f) / mnw_splat(beta);
    return mnw_select(MNW_LESS(mnw_splat(threshold), z), x, smooth);
}

static mnw_v mnw_mish(mnw_v x) { /* x tanh(ln(1 + e^x)), without the logarithm */
    mnw_v e = mnw_exp_apart(mnw_min(x, mnw_splat(20.0f))), q = e * (e + 2.0f);
    return mnw_select(MNW_LESS(mnw_splat(20.0f), x), x, x * (q / (q + 2.0f)));
}

static mnw_v mnw_sine_all(mnw_v x, uint32_t quarter) {
    float lanes[MNW_LANES];
    mnw_store(lanes, x);
    for (int i = 0; i < MNW_LANES; i++)
        lanes[i] = mnw_sine(lanes[i], quarter);
    return mnw_load(lanes);
}
#endif

MNW_INLINE mnw_v mnw_apply(uint32_t code, mnw_v v, float a, float b) {
    const mnw_v zero = mnw_splat(0.0f);
    switch (MNW_NUMBER(code)) {
    case MNW_relu:
        return mnw_at_least(v, zero);
    case MNW_leaky_relu:
        return mnw_select(MNW_LESS(v, zero), v * a, v);
    case MNW_elu:
        return mnw_select(MNW_LESS(zero, v), v, (mnw_exp_apart(v) - 1.0f) * a);
    case MNW_gelu:
        return v * 0.5f * (mnw_erf(v * 0.707106781f) + 1.0f);
    case MNW_gelu_tanh:
        return v * 0.5f * (mnw_tanh_apart((v + v * v * v * 0.044715f) * 0.797884561f) + 1.0f);
    case MNW_silu:
        return v / (mnw_exp_apart(-v) + 1.0f);
    case MNW_clamp:
        return mnw_min(mnw_max(v, mnw_splat(a)), mnw_splat(b));
    case MNW_abs:
        return mnw_abs(v);
    case MNW_neg:
        return -v;
    case MNW_exp:
        return mnw_exp_apart(v);
    case MNW_square:
        return v * v;
#if !MNW_FEW
    case MNW_selu:
        return mnw_select(MNW_LESS(zero, v), v, (mnw_exp_apart(v) - 1.0f) * 1.67326324f) * 1.05070099f;
    case MNW_mish:
        return mnw_mish(v);
    case MNW_softplus:
        return mnw_softplus(v, a, b);
    case MNW_softsign:
        return v / (mnw_abs(v) + 1.0f);
    case MNW_hardsigmoid:
        return mnw_min(mnw_max(v + 3.0f, zero), mnw_splat(6.0f)) / mnw_splat(6.0f);
    case MNW_hardswish:
        return v * mnw_min(mnw_max(v + 3.0f, zero), mnw_splat(6.0f)) / mnw_splat(6.0f);
    case MNW_log:
        return mnw_log_apart(v);
    case MNW_sqrt:
        return mnw_sqrt_all(v);
    case MNW_rsqrt:
        return 1.0f / mnw_sqrt_all(v);
    case MNW_reciprocal:
        return 1.0f / v;
    case MNW_sin:
        return mnw_sine_all(v, 0);
    case MNW_cos:
        return mnw_sine_all(v, 1);
    case MNW_floor:
        return mnw_floor(v);
    case MNW_round:
        return mnw_round(v);
    case MNW_sign:
        return mnw_select(MNW_LESS(zero, v) | MNW_LESS(v, zero), mnw_sign_of(v, mnw_splat(1.0f)), zero);
    case MNW_erf:
        return mnw_erf(v);
#endif
    default:
        return v;
    }
}

static MNW_NOINLINE void mnw_unary(uint32_t code, float *y, const float *x, size_t n, const float *attr) {
    const float a = attr ? attr[0] : 0.0f, b = attr ? attr[1] : 0.0f;
#if MNW_FEW
    if ((code < MNW_NUMBER(MNW_abs) ? MNW_RARE : MNW_RARER) >> code % 32 & 1) {
        mnw_unary_simd(code, y, x, n, attr);
        return;
    }
#endif
    for (size_t i = 0; i < n; i += MNW_LANES)
        mnw_put(y + i, mnw_apply(code, mnw_get(x + i, n - i), a, b), n - i);
    MNW_DONE();
}

static MNW_NOINLINE void mnw_binary(uint32_t code, float *y, const float *a, size_t by_a, const float *b, size_t by_b,
                                    size_t n) {
    size_t i = 0;
#if MNW_FEW
    if (code > MNW_div) {
        mnw_binary_simd(code, y, a, by_a, b, by_b, n);
        return;
    }
#else
    const mnw_v zero = mnw_splat(0.0f), one = mnw_splat(1.0f);
#endif
    for (; by_a && by_b && code <= MNW_mul && n - i >= 2 * MNW_LANES; i += 2 * MNW_LANES)
        MNW_UNROLL for (int j = 0; j < 2; j++) {
            mnw_v u = mnw_load(a + i + j * MNW_LANES), v = mnw_load(b + i + j * MNW_LANES);
            mnw_store(y + i + j * MNW_LANES, code == MNW_add ? u + v : code == MNW_sub ? u - v : u * v);
        }
    for (; i < n; i += MNW_LANES) {
        size_t left = n - i;
        const float *pa = a + i * by_a, *pb = b + i * by_b;
        mnw_v u = !by_a ? mnw_splat(*pa) : left < MNW_LANES ? mnw_get(pa, left) : mnw_load(pa);
        mnw_v v = !by_b ? mnw_splat(*pb) : left < MNW_LANES ? mnw_get(pb, left) : mnw_load(pb);
        u = code == MNW_add   ? u + v
            : code == MNW_sub ? u - v
            : code == MNW_mul ? u * v
#if MNW_FEW
                              : u / v;
#else
            : code == MNW_div     ? u / v
            : code == MNW_minimum ? mnw_min(u, v)
            : code == MNW_maximum ? mnw_max(u, v)
            : code == MNW_keep    ? mnw_select(MNW_SAME(v, zero), zero, u)
            : code == MNW_eq      ? mnw_select(MNW_SAME(u, v), one, zero)
            : code == MNW_lt      ? mnw_select(MNW_LESS(u, v), one, zero)
                                  : mnw_select(MNW_LESS(u, v) | MNW_SAME(u, v), one, zero);
#endif
        if (left < MNW_LANES)
            mnw_put(y + i, u, left);
        else
            mnw_store(y + i, u);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_mix_of(float *y, const float *a, const float *b, const float *z, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v of = mnw_get(z + i, left), taken = of * mnw_get(b + i, left);
        mnw_put(y + i, (1.0f - of) * mnw_get(a + i, left) + taken, left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_lstm_of(float *c, const float *gates, const float *before, size_t n) {
    const float *in = gates, *forget = in + n, *fresh = forget + n;
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v kept = mnw_get(forget + i, left) * mnw_get(before + i, left);
        mnw_put(c + i, kept + mnw_get(in + i, left) * mnw_get(fresh + i, left), left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_mingru_of(float *h, const float *parts, const float *before, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v v = mnw_get(parts + i, left), old = mnw_get(before + i, left);
        v = mnw_select(MNW_LESS(v, mnw_splat(0.0f)), mnw_get(h + i, left), v + 0.5f);
        mnw_put(h + i, old + mnw_get(parts + n + i, left) * (v - old), left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_gru_of(float *h, const float *of_x, const float *of_h, const float *before, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i < MNW_LANES ? n - i : MNW_LANES;
        mnw_v reset = mnw_sigmoid(mnw_get(of_x + i, left) + mnw_get(of_h + i, left));
        mnw_v update = mnw_sigmoid(mnw_get(of_x + n + i, left) + mnw_get(of_h + n + i, left));
        mnw_v fresh = mnw_get(of_x + 2 * n + i, left) + reset * mnw_get(of_h + 2 * n + i, left);
        fresh = mnw_tanh_apart(fresh);
        mnw_put(h + i, fresh + update * (mnw_get(before + i, left) - fresh), left);
    }
    MNW_DONE();
}

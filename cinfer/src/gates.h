#ifdef MNW_MULTIPLIES
#define MNW_GATES (MNW_LANES == 8 && MNW_FUSED ? 2 : 1) /* vectors at a time */
/* The functions of gates: loops of their own are a third faster than a call for each vector, and several vectors at a
 * time, each of which waits for itself, are faster again. The exponential is mnw_exp's where 2^n is a number of full
 * precision; beyond, it stands for its bounds. */
static MNW_NOINLINE void mnw_gates(float *y, const float *x, size_t n, int tangent) {
    static const float constants[] = {87.0f,
                                      -87.0f,
                                      12583039.0f,
                                      1.44269504f,
                                      0.693359375f,
                                      2.12194440e-4f,
                                      1.9875691500e-4f,
                                      1.3981999507e-3f,
                                      8.3334519073e-3f,
                                      4.1665795894e-2f,
                                      1.6666665459e-1f,
                                      5.0000001201e-1f,
                                      1.0f};
    const float *t = mnw_table(constants);
    float rest[MNW_GATES * MNW_LANES];
    for (size_t i = 0; i < n; i += MNW_GATES * MNW_LANES) {
        const float *from = x + i;
        float *to = y + i;
        size_t left = n - i;
        if (left < MNW_GATES * MNW_LANES) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, from, 4 * left);
            from = to = rest;
        }
        mnw_v v[MNW_GATES];
        if (tangent) {
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) v[j] = mnw_tanh(mnw_load(from + j * MNW_LANES));
        } else {
            mnw_v magic = mnw_splat(t[2]), shifted[MNW_GATES], r[MNW_GATES];
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) {
                mnw_v c = mnw_at_least(mnw_at_most(mnw_load(from + j * MNW_LANES), mnw_splat(t[0])), mnw_splat(t[1]));
                shifted[j] = magic - c * mnw_splat(t[3]);
                mnw_v k = shifted[j] - magic;
                r[j] = k * mnw_splat(t[5]) - (c + k * mnw_splat(t[4]));
                v[j] = mnw_splat(t[6]);
            }
            MNW_UNROLL for (int d = 7; d < 12; d++) MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) v[j] =
                v[j] * r[j] + mnw_splat(t[d]);
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) {
                mnw_v p = (v[j] * (r[j] * r[j]) + r[j]) + mnw_splat(t[12]);
                v[j] = 1.0f / (p * MNW_FROM(MNW_BITS(shifted[j]) << 23) + 1.0f);
            }
        }
        MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) mnw_store(to + j * MNW_LANES, v[j]);
        if (to == rest)
            memcpy(y + i, rest, 4 * left);
    }
    MNW_DONE();
}
#endif

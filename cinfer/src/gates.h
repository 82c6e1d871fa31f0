#ifdef MNW_MULTIPLIES
/* The functions of gates: loops of their own are a third faster than a call for each vector. The exponential is
 * mnw_exp's where 2^n is a number of full precision; beyond, it stands for its bounds. */
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
    for (size_t i = 0; i < n; i += MNW_LANES) {
        mnw_v v = mnw_get(x + i, n - i);
        if (tangent) {
            v = mnw_tanh(v);
        } else {
            mnw_v c = mnw_at_least(mnw_at_most(v, mnw_splat(t[0])), mnw_splat(t[1])), magic = mnw_splat(t[2]);
            mnw_v shifted = magic - c * mnw_splat(t[3]), k = shifted - magic;
            mnw_v r = k * mnw_splat(t[5]) - (c + k * mnw_splat(t[4]));
            mnw_v p = (mnw_horner(r, t + 6, 6) * (r * r) + r) + mnw_splat(t[12]);
            v = 1.0f / (p * MNW_FROM(MNW_BITS(shifted) << 23) + 1.0f);
        }
        mnw_put(y + i, v, n - i);
    }
    MNW_DONE();
}
#endif

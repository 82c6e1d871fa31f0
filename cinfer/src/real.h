/* ---- Functions of real numbers. Errors are against the true value, over all floats unless said. */

MNW_INLINE mnw_v mnw_abs(mnw_v x) {
    return MNW_FROM(MNW_BITS(x) & 0x7fffffffu);
}
MNW_INLINE mnw_v mnw_sign_of(mnw_v x, mnw_v magnitude) {
    return MNW_FROM((MNW_BITS(x) & 0x80000000u) | MNW_BITS(magnitude));
}

/* A NaN in either argument comes out. */
MNW_INLINE mnw_v mnw_min(mnw_v a, mnw_v b) {
    return mnw_select(MNW_LESS(a, b) | ~MNW_SAME(a, a), a, b);
}
MNW_INLINE mnw_v mnw_max(mnw_v a, mnw_v b) {
    return mnw_select(MNW_LESS(b, a) | ~MNW_SAME(a, a), a, b);
}

/* The nearest whole number, halves to the even one. */
static inline mnw_v mnw_round(mnw_v x) {
    mnw_v a = mnw_abs(x), whole = (a + 8388608.0f) - 8388608.0f;
    return mnw_select(MNW_LESS(a, mnw_splat(8388608.0f)), mnw_sign_of(x, whole), x);
}

static inline mnw_v mnw_floor(mnw_v x) {
    mnw_v r = mnw_round(x);
    return mnw_select(MNW_LESS(x, r), r - 1.0f, r);
}

/* e^x, relative error 1.1e-7; 0 below -104, infinity above 88.7. Reduction to 2^n e^r with |r| <= ln(2)/2 in two
 * parts of ln 2, and the polynomial of Cephes' expf (Moshier). */
MNW_INLINE mnw_v mnw_exp(mnw_v x) {
    static const float constants[] = {-105.0f,
                                      89.0f,
                                      12583166.0f,
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
    const mnw_v magic = mnw_splat(t[2]);
    mnw_v c = mnw_at_most(mnw_at_least(x, mnw_splat(t[0])), mnw_splat(t[1]));
    mnw_v shifted = c * mnw_splat(t[3]) + magic; /* the integer nearest to x / ln 2, plus 254, is in its low bits */
    mnw_v n = shifted - magic;
    mnw_v r = (c - n * mnw_splat(t[4])) + n * mnw_splat(t[5]);
    mnw_v p = (mnw_horner(r, t + 6, 6) * (r * r) + r) + mnw_splat(t[12]);
    /* 2^n in two factors, so that neither end of the range overflows on the way. */
    mnw_u whole = MNW_BITS(shifted), half = whole >> 1;
    return p * MNW_FROM(half << 23) * MNW_FROM((whole - half) << 23);
}

/* ln x, relative error 1.2e-7 away from 1 and absolute 6e-8 near it. The polynomial of Cephes' logf (Moshier). */
MNW_INLINE mnw_v mnw_log(mnw_v x) {
    mnw_i tiny = MNW_LESS(x, mnw_splat(1.17549435e-38f));
    mnw_v scaled = mnw_select(tiny, x * 8388608.0f, x);
    /* x = m 2^e with m in [sqrt(1/2), sqrt(2)) */
    mnw_u bits = MNW_BITS(scaled) - 0x3f3504f3u;
    mnw_i exponent = (mnw_i)bits >> 23;
    mnw_v m = MNW_FROM((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    mnw_v e = MNW_FROM((mnw_u)exponent + 0x4b400000u) - 12582912.0f;
    e = e - mnw_select(tiny, mnw_splat(23.0f), mnw_splat(0.0f));
    mnw_v z = m * m;
    mnw_v p = m * 7.0376836292e-2f + -1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m + -1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m + -1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m + -2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * z;
    p = p + e * -2.12194440e-4f;
    p = p - z * 0.5f;
    p = (m + p) + e * 0.693359375f;
    const mnw_v zero = mnw_splat(0.0f), infinity = MNW_FROM(MNW_BITS(zero) + 0x7f800000u);
    p = mnw_select(MNW_LESS(x, infinity), p, x); /* infinity and NaN give themselves */
    p = mnw_select(MNW_SAME(x, zero), -infinity, p);
    return mnw_select(MNW_LESS(x, zero), MNW_FROM(MNW_BITS(zero) + 0x7fc00000u), p);
}

/* Relative error 3.5e-7, and never beyond 1: x P(x^2) / Q(x^2), fitted to tanh on [0, 9] for the smallest largest
 * relative error (2.1e-8 before rounding) by least squares whose weights follow the error (Lawson). */
MNW_INLINE mnw_v mnw_tanh(mnw_v x) {
    static const float constants[] = {9.0f,
                                      1.3354576111623828e-8f,
                                      2.0609020793926902e-5f,
                                      3.4955842420458794e-3f,
                                      1.3381022214889526e-1f,
                                      1.0f,
                                      7.776523034408456e-7f,
                                      3.2856286270543933e-4f,
                                      2.5876967236399651e-2f,
                                      4.6714338660240173e-1f,
                                      1.0f,
                                      -9.0f,
                                      -1.0f};
    const float *t = mnw_table(constants);
    mnw_v a = mnw_at_least(mnw_at_most(x, mnw_splat(t[0])), mnw_splat(t[11])), z = a * a;
    mnw_v p = mnw_horner(z, t + 1, 5) * a / mnw_horner(z, t + 6, 5);
    return mnw_at_least(mnw_at_most(p, mnw_splat(t[5])), mnw_splat(t[12]));
}

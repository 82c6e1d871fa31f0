/* ---- Numbers one at a time. */
MNW_INLINE uint32_t mnw_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

MNW_INLINE float mnw_from(uint32_t u) {
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* Correctly rounded, without libm. */
static float mnw_sqrt(float x) {
#if defined(__GNUC__) && defined(__SSE__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x));
    return y;
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(x));
    return y;
#elif defined(__wasm__) && !defined(MINNOW_SCALAR)
    return __builtin_sqrtf(x);
#else
    uint32_t bits = mnw_bits(x);
    if (!(x > 0.0f) || bits == 0x7f800000u)
        return x == 0.0f || x > 0.0f ? x : mnw_from(0x7fc00000u);
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t m = bits & 0x7fffffu;
    if (exponent == 0) { /* denormal */
        for (exponent = 1; !(m & 0x800000u); exponent--)
            m <<= 1;
    }
    m |= 0x800000u;
    exponent -= 127;
    if (exponent & 1) {
        m <<= 1;
        exponent -= 1;
    }
    /* The root of m 2^25, digit by digit: 25 bits, of which the last decides the rounding. */
    uint64_t wanted = (uint64_t)m << 25, root = 0;
    for (uint64_t digit = (uint64_t)1 << 24; digit; digit >>= 1)
        if ((root + digit) * (root + digit) <= wanted)
            root += digit;
    root = (root + 1) >> 1;
    return mnw_from((uint32_t)root + ((uint32_t)(exponent / 2 + 126) << 23));
#endif
}

/* Sine, or with quarter = 1 cosine: absolute error 1.2e-7 for every finite x. What x leaves modulo pi/2 comes from its
 * 24 bits times the right part of 2/pi (Payne and Hanek, 1983); the polynomials are those of Cephes' sinf (Moshier). */
static float mnw_sine(float x, uint32_t quarter) {
    static const uint32_t part[12] = {0,           0,           0,           0,           0,           0xa2f9836eu,
                                      0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    uint32_t bits = mnw_bits(x), e = bits >> 23 & 255u, m = (bits & 0x7fffffu) | 0x800000u, window[3];
    if (e == 255u)
        return mnw_from(0x7fc00000u);
    if (e < 115u)
        return quarter ? 1.0f : x;
    uint32_t first = e + 8u; /* the bit of 2/pi that is worth 2 when it has met x */
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t cell = first / 32 + i, by = first % 32;
        window[i] = by ? part[cell] << by | part[cell + 1] >> (32 - by) : part[cell];
    }
    uint64_t low = (uint64_t)m * window[2], mid = (uint64_t)m * window[1] + (low >> 32);
    uint64_t turns = ((uint64_t)m * window[0] << 32) + mid; /* quarters of a turn, 62 bits after the point */
    uint32_t turn = (uint32_t)((turns + ((uint64_t)1 << 61)) >> 62);
    uint64_t rest = turns - ((uint64_t)turn << 62), size = rest >> 63 ? 0 - rest : rest;
    float r = (float)size * (1.57079633f * 2.168404344971009e-19f), z = r * r, y;
    if (rest >> 63)
        r = -r;
    if (quarter || !(bits >> 31)) {
        turn += quarter;
    } else { /* sin(-x) = -sin(x) */
        turn += 2;
    }
    if (turn & 1)
        y = ((z * 2.443315711809948e-5f + -1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - z * 0.5f +
            1.0f;
    else
        y = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z + -1.6666654611e-1f) * z * r + r;
    return turn & 2 ? -y : y;
}

/* ---- Random numbers: Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"). */
static void mnw_threefry(const uint32_t key[2], uint32_t c0, uint32_t c1, uint32_t out[2]) {
    static const uint8_t rotate[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t k[3] = {key[0], key[1], 0x1bd11bdau ^ key[0] ^ key[1]};
    uint32_t x0 = c0 + k[0], x1 = c1 + k[1];
    for (uint32_t pass = 0; pass < 20; pass++) {
        uint32_t by = rotate[pass & 7];
        x0 += x1;
        x1 = ((x1 << by) | (x1 >> (32 - by))) ^ x0;
        if ((pass & 3) == 3) {
            uint32_t s = pass / 4 + 1;
            x0 += k[s % 3];
            x1 += k[(s + 1) % 3] + s;
        }
    }
    out[0] = x0;
    out[1] = x1;
}

/* x + x^3 / 3 z ... : x times the sum of z^k / (2 k + 1). With z = x^2 it is atanh, with -x^2 atan, for |x| < 0.42. */
static MNW_NOINLINE double mnw_odd(double x, double z) {
    double sum = 0.0;
    for (int k = 27; k > 0; k -= 2)
        sum = sum * z + 1.0 / (double)k;
    return sum * x;
}

/* The angle of the point (x, y), in (-pi, pi]; zeros have signs. */
static float mnw_atan2_of(float y, float x) {
    uint32_t a = mnw_bits(y) & 0x7fffffffu, b = mnw_bits(x) & 0x7fffffffu, most = a > b ? a : b;
    if (most > 0x7f800000u)
        return mnw_from(0x7fc00000u);
    double t = a == b ? a != 0 : (double)mnw_from(a < b ? a : b) / (double)mnw_from(most), angle = 0.0;
    if (t > 0.41421356237309503) { /* tan(pi / 8) */
        angle = 0.78539816339744828;
        t = (t - 1.0) / (t + 1.0);
    }
    angle += mnw_odd(t, -t * t);
    if (a > b)
        angle = 1.5707963267948966 - angle;
    if (mnw_bits(x) >> 31)
        angle = 3.1415926535897931 - angle;
    return mnw_from(mnw_bits((float)angle) | (mnw_bits(y) & 0x80000000u));
}

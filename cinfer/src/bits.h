/* ---- Numbers one at a time, and random bits. Whoever else computes with them includes scalar.h. */
#ifndef MNW_BITS_H
#define MNW_BITS_H
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
static inline float mnw_sqrt(float x) {
#if (defined(__NO_MATH_ERRNO__) || defined(__wasm__)) && defined(__GNUC__) && !defined(MINNOW_SCALAR)
    return __builtin_sqrtf(x); /* one instruction, or one for many lanes */
#elif defined(__GNUC__) && defined(__SSE__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x));
    return y;
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(x));
    return y;
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

/* Sine of r + turn pi / 2, |r| <= 0.786: the polynomials are those of Cephes' sinf and cosf (Moshier). */
static inline float mnw_sine_of(float r, uint32_t turn) {
    float z = r * r;
    float sine = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z + -1.6666654611e-1f) * z * r + r;
    float cosine =
        ((z * 2.443315711809948e-5f + -1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - z * 0.5f + 1.0f;
    return mnw_from(mnw_bits(turn & 1 ? cosine : sine) ^ (turn & 2) << 30);
}

/* x + x^3 / 3 z ... : x times the sum of z^k / (2 k + 1). With z = x^2 it is atanh, with -x^2 atan, for |x| < 0.42. */
static inline double mnw_odd(double x, double z) {
    double sum = 0.0;
    for (int k = 27; k > 0; k -= 2)
        sum = sum * z + 1.0 / (double)k;
    return sum * x;
}

/* The angle of the point (x, y), in (-pi, pi], right to 0.501 units in the last place; zeros have signs. */
static inline float mnw_atan2(float y, float x) {
    uint32_t a = mnw_bits(y) & 0x7fffffffu, b = mnw_bits(x) & 0x7fffffffu, most = a > b ? a : b;
    double part = (double)mnw_from(a > b ? b : a) / (double)mnw_from(most), t = a == b ? (double)(a != 0) : part;
    int steep = t > 0.41421356237309503; /* tan(pi / 8) */
    t = steep ? (t - 1.0) / (t + 1.0) : t;
    double angle = (steep ? 0.78539816339744828 : 0.0) + mnw_odd(t, -t * t);
    angle = a > b ? 1.5707963267948966 - angle : angle;
    angle = mnw_bits(x) >> 31 ? 3.1415926535897931 - angle : angle;
    float signed_angle = mnw_from(mnw_bits((float)angle) | (mnw_bits(y) & 0x80000000u));
    return most > 0x7f800000u ? mnw_from(0x7fc00000u) : signed_angle;
}

/* Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): 64 random bits
 * of a key and a counter. */
typedef struct mnw_words {
    uint32_t a, b;
} mnw_words;

MNW_INLINE mnw_words mnw_turn(mnw_words x, int left) {
    x.a += x.b;
    x.b = (x.b << left | x.b >> (32 - left)) ^ x.a;
    return x;
}

/* Four of the twenty rounds with one set of turns, then the key once more. */
static inline mnw_words mnw_rounds(mnw_words x, int odd, uint32_t key_a, uint32_t key_b) {
    x = mnw_turn(x, odd ? 17 : 13);
    x = mnw_turn(x, odd ? 29 : 15);
    x = mnw_turn(x, odd ? 16 : 26);
    x = mnw_turn(x, odd ? 24 : 6);
    x.a += key_a;
    x.b += key_b;
    return x;
}

static inline mnw_words mnw_threefry(uint32_t key0, uint32_t key1, uint32_t a, uint32_t b) {
    const uint32_t key2 = 0x1bd11bdau ^ key0 ^ key1;
    mnw_words x = {a + key0, b + key1};
    x = mnw_rounds(x, 0, key1, key2 + 1);
    x = mnw_rounds(x, 1, key2, key0 + 2);
    x = mnw_rounds(x, 0, key0, key1 + 3);
    x = mnw_rounds(x, 1, key1, key2 + 4);
    return mnw_rounds(x, 0, key2, key0 + 5);
}
#endif /* MNW_BITS_H */

/* ---- Functions that few policies call: one number at a time, one code for every instruction set. Their digits come
 * from doubles, so that what is rounded last is right to 0.501 units in the last place, over all floats. */

/* What is left of x when it is divided by y, with the sign of x: exact. */
static float mnw_fmod_of(float x, float y) {
    uint32_t a = mnw_bits(x) & 0x7fffffffu, b = mnw_bits(y) & 0x7fffffffu, left = a >> 23, e = b >> 23;
    if (a >= 0x7f800000u || b > 0x7f800000u || b == 0)
        return mnw_from(0x7fc00000u);
    if (a < b)
        return x;
    uint64_t rest = (a & 0x7fffffu) | (left ? 0x800000u : 0u), by = (b & 0x7fffffu) | (e ? 0x800000u : 0u);
    left += !left;
    e += !e;
    for (left -= e; rest %= by, left;) {
        uint32_t some = left < 40 ? left : 40;
        rest <<= some;
        left -= some;
    }
    float size = (float)(uint32_t)rest * mnw_from(e > 23 ? (e - 23) << 23 : 1u << (e - 1)); /* times 2^(e - 150) */
    return mnw_from(mnw_bits(size) | (mnw_bits(x) & 0x80000000u));
}

/* fmod, remainder, floor_divide and atan2. The second and third are torch's formulas with its roundings. */
static MNW_NOINLINE float mnw_pair(uint32_t code, float x, float y) {
    if (code == MNW_atan2)
        return mnw_atan2(x, y);
    float rest = mnw_fmod_of(x, y), quotient = x / y, whole;
    int other = rest != 0.0f && (rest < 0.0f) != (y < 0.0f);
    if (code == MNW_fmod)
        return rest;
    if (code == MNW_remainder)
        return other ? rest + y : rest;
    if (y == 0.0f)
        return quotient;
    whole = (x - rest) / y - (float)other;
    if (whole == 0.0f)
        return mnw_from(mnw_bits(quotient) & 0x80000000u);
    quotient = whole;
    if ((mnw_bits(whole) & 0x7fffffffu) < 0x4b000000u) { /* 2^23 */
        whole = (float)(int32_t)whole;
        whole -= (float)(whole > quotient);
        whole += (float)(quotient - whole > 0.5f);
    }
    return whole;
}

/* log2, log10 and log1p. */
static MNW_NOINLINE float mnw_logarithm(uint32_t code, float x) {
    double v = code == MNW_log1p ? 1.0 + (double)x : (double)x;
    uint64_t bits;
    if (!(v > 0.0))
        return mnw_from(v == 0.0 ? 0xff800000u : 0x7fc00000u);
    if (mnw_bits(x) == 0x7f800000u)
        return x;
    memcpy(&bits, &v, 8); /* v = 2^whole (1 + f), 1 + f in [sqrt(1/2), sqrt(2)) */
    int32_t whole = (int32_t)((bits - 0x3fe6a09e667f3bcdu) >> 32) >> 20;
    bits -= (uint64_t)(uint32_t)whole << 52;
    memcpy(&v, &bits, 8);
    double f = code == MNW_log1p && !whole ? (double)x : v - 1.0, s = f / (2.0 + f), e = (double)whole;
    f = mnw_odd(2.0 * s, s * s);
    return (float)(code == MNW_log2    ? e + f * 1.4426950408889634
                   : code == MNW_log10 ? e * 0.30102999566398120 + f * 0.43429448190325183
                   : whole             ? e * 0.69314718055994531 + f
                                       : f);
}

/* exp2 and expm1. */
static MNW_NOINLINE float mnw_power(uint32_t code, float x) {
    const double ln2 = 0.69314718055994531, magic = 6755399441055744.0;
    const int minus = code == MNW_expm1;
    double v = (double)x, sum = 1.0, scale;
    if (x != x)
        return x;
    v = v > 300.0 ? 300.0 : v < -300.0 ? -300.0 : v;
    double n = ((minus ? v * 1.4426950408889634 : v) + magic) - magic, r = minus ? v - n * ln2 : (v - n) * ln2;
    for (int k = 13; k > 1; k--)
        sum = sum * (r * (1.0 / (double)k)) + 1.0;
    uint64_t bits = (uint64_t)(uint32_t)((int32_t)n + 1023) << 52;
    memcpy(&scale, &bits, 8);
    r *= sum; /* e^r - 1 */
    return (float)(!minus ? r * scale + scale : n == 0.0 ? r : r * scale + (scale - 1.0));
}

/* ---- Whole numbers of 32 bits, which lie in the memory of floats. */
MNW_INLINE void mnw_put_word(float *to, uint32_t bits) {
    memcpy(to, &bits, 4);
}

/* A number without what is behind its point; the nearest one that there is, and 0 of a NaN. */
static MNW_NOINLINE uint32_t mnw_whole_of(float x, uint32_t *told) {
    const uint32_t sign = mnw_bits(x) >> 31, size = mnw_bits(x) & 0x7fffffffu;
    if (size < 0x4f000000u) /* 2^31 */
        return (uint32_t)(int32_t)x;
    *told |= mnw_bits(x) != 0xcf000000u; /* -2^31 */
    return size > 0x7f800000u ? 0u : 0x7fffffffu + sign;
}

/* The row that a number names in a table of so many: cut to a whole one; the nearest if there is none. */
static MNW_NOINLINE size_t mnw_row(float x, uint32_t rows, uint32_t *told) {
    const uint32_t sign = mnw_bits(x) >> 31, size = mnw_bits(x) & 0x7fffffffu; /* -ffast-math cannot assume numbers */
    uint32_t row = size < 0x4f000000u ? (uint32_t)mnw_from(size) : rows;
    if (row < rows && !(sign && row))
        return row;
    *told = 1;
    return sign || size > 0x7f800000u ? 0 : rows - 1;
}

/* One of MNW_I_ADD ... of two whole numbers. Where the result has more than 32 bits, it wraps, or, if `wide`, it is the
 * nearest one that has not, and the step tells. */
static MNW_NOINLINE uint32_t mnw_integer_of(const mnw_call *c, uint32_t a, uint32_t b, uint32_t *told) {
    const int64_t u = (int32_t)a, v = (int32_t)b;
    const uint32_t way = mnw_u32(mnw_attr(c, 0)), wide = mnw_u32(mnw_attr(c, 1));
    int64_t r = 0;
    if (way <= MNW_I_MUL) {
        r = way == MNW_I_ADD ? u + v : way == MNW_I_SUB ? u - v : u * v;
    } else if (way <= MNW_I_FMOD) {
        if (!v) {
            *told = 1;
            return 0;
        }
        int64_t rest = u % v;
        r = u / v;
        if (way <= MNW_I_REMAINDER && rest && (rest < 0) != (v < 0)) {
            r--;
            rest += v;
        }
        r = way & 1 ? r : rest;
    } else {
        const int64_t of[8] = {u < v ? u : v, u > v ? u : v, u == v, u < v, u <= v, u & v, u | v, u ^ v};
        r = of[way - MNW_I_MINIMUM];
    }
    if (wide && r != (int32_t)(uint32_t)(uint64_t)r) {
        *told = 1;
        r = r < 0 ? INT32_MIN : INT32_MAX;
    }
    return (uint32_t)(uint64_t)r;
}

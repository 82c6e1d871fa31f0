/* ---- Sine, or with quarter = 1 cosine: absolute error 1.2e-7 for every finite x. What x leaves modulo pi/2 comes from
 * its 24 bits times the right part of 2/pi (Payne and Hanek, 1983). */
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
    float r = (float)size * (1.57079633f * 2.168404344971009e-19f);
    turn += quarter || !(bits >> 31) ? quarter : 2u; /* sin(-x) = -sin(x) */
    return mnw_sine_of(rest >> 63 ? -r : r, turn);
}

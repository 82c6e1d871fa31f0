/* ---- The processor: how it rounds, and what it has. */

/* A host that was linked with -ffast-math flushes denormals, or it may have turned the rounding: the standard rules
 * hold from mnw_enter to mnw_leave, which takes what mnw_enter returned. */
MNW_INLINE uint64_t mnw_control(uint64_t set, int write) {
    uint64_t was = 0;
#if defined(__GNUC__) && defined(__SSE__) && !defined(MINNOW_SCALAR)
    uint32_t mode = (uint32_t)set;
    if (write)
        __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
    else
        __asm__ volatile("stmxcsr %0" : "=m"(mode) : : "memory");
    was = mode;
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(MINNOW_SCALAR)
    if (write)
        __asm__ volatile("msr fpcr, %0" : : "r"(set) : "memory");
    else
        __asm__ volatile("mrs %0, fpcr" : "=r"(was) : : "memory");
#else
    (void)set;
    (void)write;
#endif
    return was;
}

static uint64_t mnw_enter(void) {
    uint64_t was = mnw_control(0, 0);
#if defined(__aarch64__)
    mnw_control(0, 1);
#else
    mnw_control(0x1f80, 1);
#endif
    return was;
}

static void mnw_leave(uint64_t was) {
    mnw_control(was, 1);
}

#ifdef MNW_X86
static void mnw_cpuid(uint32_t leaf, uint32_t out[4]) {
    __asm__("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static uint32_t mnw_x86(void) {
    uint32_t r[4], isas = MINNOW_PLAIN | MINNOW_SSE2, low, high;
    mnw_cpuid(0, r);
    uint32_t leaves = r[0];
    mnw_cpuid(1, r);
    const uint32_t wanted = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29; /* FMA, OSXSAVE, AVX, F16C */
    if (leaves < 7 || (r[2] & wanted) != wanted)
        return isas;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* xgetbv: what the system saves */
    mnw_cpuid(7, r);
    if ((low & 6) == 6 && (r[1] & 1u << 5))
        isas |= MINNOW_AVX2;
    if ((low & 0xe6) == 0xe6 && (r[1] & 1u << 16))
        isas |= MINNOW_AVX512;
    return isas;
}
#endif

MINNOW_API uint32_t minnow_isas(void) {
    uint32_t built = MNW_HAS_PLAIN * MINNOW_PLAIN | MNW_HAS_SSE2 * MINNOW_SSE2 | MNW_HAS_AVX2 * MINNOW_AVX2 |
                     MNW_HAS_AVX512 * MINNOW_AVX512 | MNW_HAS_NEON * MINNOW_NEON | MNW_HAS_SIMD128 * MINNOW_SIMD128;
#ifdef MNW_X86
    built &= mnw_x86();
#endif
    return built;
}

MINNOW_API const char *minnow_isa_name(uint32_t isa) {
    return isa == MINNOW_PLAIN     ? "plain"
           : isa == MINNOW_SSE2    ? "sse2"
           : isa == MINNOW_AVX2    ? "avx2"
           : isa == MINNOW_AVX512  ? "avx512"
           : isa == MINNOW_NEON    ? "neon"
           : isa == MINNOW_SIMD128 ? "simd128"
                                   : NULL;
}

/* ---- The numbers, once for each instruction set, MNW_LANES floats at a time. A lane never mixes with another, so
 * their width cannot show in a result. An instruction set is MNW_LANES and what the compiler makes of these few
 * operations. */
#if MNW_LANES > 1
typedef float mnw_v __attribute__((vector_size(4 * MNW_LANES)));
typedef int32_t mnw_i __attribute__((vector_size(4 * MNW_LANES)));
typedef uint32_t mnw_u __attribute__((vector_size(4 * MNW_LANES)));
#define MNW_LESS(a, b) ((a) < (b)) /* a mask: all bits of a lane */
#define MNW_SAME(a, b) ((a) == (b))
#define MNW_BITS(x) ((mnw_u)(x))
#define MNW_FROM(x) ((mnw_v)(x))
#else
typedef float mnw_v;
typedef int32_t mnw_i;
typedef uint32_t mnw_u;
#define MNW_LESS(a, b) (-(int32_t)((a) < (b)))
#define MNW_SAME(a, b) (-(int32_t)((a) == (b)))
#define MNW_BITS(x) mnw_bits(x)
#define MNW_FROM(x) mnw_from((uint32_t)(x))
#endif

MNW_INLINE mnw_v mnw_splat(float x) {
#if MNW_LANES > 1
    const mnw_v zero = {0};
    return x - zero; /* keeps -0, and gcc makes one instruction of it */
#else
    return x;
#endif
}

MNW_INLINE mnw_v mnw_select(mnw_i mask, mnw_v yes, mnw_v no) {
    return MNW_FROM(((mnw_u)mask & MNW_BITS(yes)) | (~(mnw_u)mask & MNW_BITS(no)));
}

/* a < b ? a : b and a > b ? a : b, as one instruction where compilers do not see it themselves. */
#if MNW_HAS_SIMD128 && MNW_LANES == 4
#define MNW_LOWER(a, b) ((mnw_v)wasm_f32x4_pmin((v128_t)(b), (v128_t)(a)))
#define MNW_UPPER(a, b) ((mnw_v)wasm_f32x4_pmax((v128_t)(b), (v128_t)(a)))
#elif defined(MNW_X86) && MNW_LANES == 4
#define MNW_LOWER(a, b) __builtin_ia32_minps(a, b)
#define MNW_UPPER(a, b) __builtin_ia32_maxps(a, b)
#elif defined(MNW_X86) && MNW_LANES == 8
#define MNW_LOWER(a, b) __builtin_ia32_minps256(a, b)
#define MNW_UPPER(a, b) __builtin_ia32_maxps256(a, b)
#elif defined(MNW_X86) && MNW_LANES == 16 && defined(__clang__)
#define MNW_LOWER(a, b) __builtin_ia32_minps512(a, b, 4)
#define MNW_UPPER(a, b) __builtin_ia32_maxps512(a, b, 4)
#elif defined(MNW_X86) && MNW_LANES == 16
#define MNW_LOWER(a, b) __builtin_ia32_minps512_mask(a, b, b, -1, 4)
#define MNW_UPPER(a, b) __builtin_ia32_maxps512_mask(a, b, b, -1, 4)
#else
#define MNW_LOWER(a, b) mnw_select(MNW_LESS(a, b), a, b)
#define MNW_UPPER(a, b) mnw_select(MNW_LESS(b, a), a, b)
#endif

/* x, or the bound where x is beyond it. Of a NaN they make a NaN. */
MNW_INLINE mnw_v mnw_at_most(mnw_v x, mnw_v bound) {
    return MNW_LOWER(bound, x);
}
MNW_INLINE mnw_v mnw_at_least(mnw_v x, mnw_v bound) {
    return MNW_UPPER(bound, x);
}

/* Constants that stay in memory: a vector of a number from there is one instruction, or part of one. Compilers, and the
 * engines of WebAssembly, would make vectors by several. */
MNW_INLINE const float *mnw_table(const float *constants) {
#if MNW_LANES > 1
    __asm__("" : "+r"(constants));
#endif
    return constants;
}

/* c[0] x^(n-1) + ... + c[n-1]. */
MNW_INLINE mnw_v mnw_horner(mnw_v x, const float *c, const int n) {
    mnw_v p = mnw_splat(c[0]);
    MNW_UNROLL for (int i = 1; i < n; i++) p = p * x + mnw_splat(c[i]);
    return p;
}

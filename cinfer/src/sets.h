/* Operations of which wide instruction sets have no code of their own where four lanes at a time are there too. */
#define MNW_RARE                                                                                                       \
    (1u << MNW_selu % 32 | 1u << MNW_mish % 32 | 1u << MNW_softplus % 32 | 1u << MNW_softsign % 32 |                   \
     1u << MNW_hardsigmoid % 32 | 1u << MNW_hardswish % 32)
#define MNW_RARER                                                                                                      \
    (1u << MNW_log % 32 | 1u << MNW_sqrt % 32 | 1u << MNW_rsqrt % 32 | 1u << MNW_reciprocal % 32 |                     \
     1u << MNW_sin % 32 | 1u << MNW_cos % 32 | 1u << MNW_floor % 32 | 1u << MNW_round % 32 | 1u << MNW_sign % 32 |     \
     1u << MNW_erf % 32)

/* ---- The numbers, for each instruction set. */
#if defined(__clang__)
#pragma clang attribute pop
#endif
#if MNW_HAS_PLAIN
#define MNW_ISA plain
#define MNW_LANES 1
#define MNW_FUSED 0
#include MINNOW_HEADER
#endif
#if MNW_HAS_SSE2 || MNW_HAS_NEON || MNW_HAS_SIMD128
#define MNW_ISA simd
#define MNW_LANES 4
#define MNW_FUSED 0
#include MINNOW_HEADER
#endif
#if MNW_HAS_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif
#define MNW_ISA avx2
#define MNW_LANES 8
#define MNW_FUSED 0
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#pragma STDC FENV_ACCESS ON
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif
#define MNW_ISA avx512
#define MNW_LANES 16
#define MNW_FUSED 0
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#if !defined(__FMA__)
#pragma STDC FENV_ACCESS OFF
#endif
#else
#pragma GCC pop_options
#endif
#endif
/* Products and gates once more for fast arithmetic, with fused multiply-add. */
#if defined(__clang__) && defined(__FMA__)
#pragma STDC FENV_ACCESS OFF
#endif
#if MNW_HAS_FAST && MNW_HAS_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA avx2_fast
#define MNW_LANES 8
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_FAST && MNW_HAS_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA avx512_fast
#define MNW_LANES 16
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_FAST && MNW_HAS_NEON
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA simd_fast
#define MNW_LANES 4
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if defined(__clang__) && defined(__FMA__)
#pragma STDC FENV_ACCESS ON
#endif
#if defined(__clang__) && defined(MNW_FAST_MATH)
#pragma float_control(precise, on)
#endif
#if defined(__clang__)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

/* The functions of one instruction set; `allowed` are the others that may help. */
static void mnw_choose_kernels(mnw_kernels *k, uint32_t isa, uint32_t allowed, int fast) {
    (void)allowed, (void)fast;
#if MNW_HAS_AVX512
    if (isa == MINNOW_AVX512) {
        mnw_fill_avx512(k);
#if MNW_HAS_AVX2 && MNW_HAS_EXACT
        /* Zen 4 adds and multiplies 512 bits apart at two thirds of the rate of 256 bits: rows together take those. */
        uint32_t r[4];
        mnw_cpuid(1, r);
        if (!fast && (allowed & MINNOW_AVX2) && (r[0] & 0x0ff00f00u) == 0x00a00f00u) {
            mnw_kernels narrow;
            mnw_fill_avx2(&narrow);
            k->tall = narrow.tall;
            k->thin = narrow.thin;
            k->rows = narrow.rows;
            k->columns = narrow.columns; /* few are as many */
        }
#endif
#if MNW_HAS_FAST
        if (fast)
            mnw_fill_avx512_fast(k);
#endif
    }
#endif
#if MNW_HAS_AVX2
    if (isa == MINNOW_AVX2) {
        mnw_fill_avx2(k);
#if MNW_HAS_FAST
        if (fast)
            mnw_fill_avx2_fast(k);
#endif
    }
#endif
#if MNW_HAS_NEON
    mnw_fill_simd(k);
#if MNW_HAS_FAST
    if (fast)
        mnw_fill_simd_fast(k);
#endif
#elif MNW_HAS_SSE2 || MNW_HAS_SIMD128
    if (isa & (MINNOW_SSE2 | MINNOW_SIMD128))
        mnw_fill_simd(k);
#endif
#if MNW_HAS_PLAIN
    if (isa == MINNOW_PLAIN)
        mnw_fill_plain(k);
#endif
}

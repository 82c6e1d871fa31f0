/* ---- Instruction sets. The end of the header, the numbers, is compiled once for each: the header includes itself
 * there. A session holds the functions of the set it runs on. */
#if !defined(__GNUC__) || defined(MINNOW_SCALAR)
#define MNW_HAS_PLAIN 1
#elif (defined(__x86_64__) || defined(__i386__)) && defined(__SSE2__)
#define MNW_X86 1
#if defined(MINNOW_ONLY_AVX512)
#define MNW_HAS_AVX512 1
#elif defined(MINNOW_ONLY_AVX2)
#define MNW_HAS_AVX2 1
#elif defined(MINNOW_ONLY_SSE2)
#define MNW_HAS_SSE2 1
#else
#ifdef MINNOW_WITH_PLAIN
#define MNW_HAS_PLAIN 1
#endif
#define MNW_HAS_SSE2 1
#define MNW_HAS_AVX2 1
#define MNW_HAS_AVX512 1
#endif
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define MNW_HAS_NEON 1
#elif defined(__wasm_simd128__)
#define MNW_HAS_SIMD128 1
#include <wasm_simd128.h>
#else
#define MNW_HAS_PLAIN 1
#endif
#ifndef MNW_HAS_PLAIN
#define MNW_HAS_PLAIN 0
#endif
#ifndef MNW_HAS_SSE2
#define MNW_HAS_SSE2 0
#endif
#ifndef MNW_HAS_AVX2
#define MNW_HAS_AVX2 0
#endif
#ifndef MNW_HAS_AVX512
#define MNW_HAS_AVX512 0
#endif
#ifndef MNW_HAS_NEON
#define MNW_HAS_NEON 0
#endif
#ifndef MNW_HAS_SIMD128
#define MNW_HAS_SIMD128 0
#endif
#ifdef MINNOW_NO_BOX
#define MNW_HAS_BOX 0
#else
#define MNW_HAS_BOX 1
#endif
#ifdef MINNOW_ONLY_EXACT
#define MNW_HAS_FAST 0
#else
#define MNW_HAS_FAST 1
#endif
#ifdef MINNOW_ONLY_FAST
#define MNW_ALWAYS MINNOW_FAST /* flags of every session */
#define MNW_HAS_EXACT 0
#else
#define MNW_ALWAYS 0
#define MNW_HAS_EXACT 1
#endif
#if !MNW_HAS_FAST && !MNW_HAS_EXACT
#error "minnow.h: define MINNOW_ONLY_FAST or MINNOW_ONLY_EXACT, not both"
#endif
#ifndef MINNOW_HEADER
#define MINNOW_HEADER "minnow.h"
#endif

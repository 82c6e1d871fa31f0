/* ---- Words of the compiler. */
#ifndef MNW_INLINE
#if defined(__GNUC__)
#define MNW_INLINE static inline __attribute__((always_inline))
#define MNW_NOINLINE __attribute__((noinline))
#else
#define MNW_INLINE static inline
#define MNW_NOINLINE
#endif
#if defined(__clang__)
#define MNW_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define MNW_UNROLL _Pragma("GCC unroll 8")
#else
#define MNW_UNROLL
#endif
#endif /* MNW_INLINE */

/* ---- Products. A block of rows by a few vectors of outputs has its sums in registers while k runs. */
#define MNW_FEW (MNW_LANES > 4 && MNW_HAS_SSE2)
#define MNW_PER_PANEL (MNW_PANEL / MNW_LANES)
#if MNW_LANES > 4 && defined(MNW_X86) && !defined(__clang__)
/* gcc leaves this out of what is compiled for size; without it older instructions stumble over full registers. */
#define MNW_DONE() __asm__ volatile("vzeroupper" : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7")
#else
#define MNW_DONE() (void)0
#endif
/* The sums of a block, rows by vectors: few enough for the registers, many enough to keep the adders busy. */
#if MNW_LANES == 16
#define MNW_ROWS 8
#define MNW_VECS 2
#define MNW_LEAST 1 /* vectors where fewer are left */
#define MNW_WIDE 4  /* vectors of a block of one row */
#elif MNW_LANES == 8
#define MNW_ROWS 6
#define MNW_VECS 2
#define MNW_LEAST 2
#define MNW_WIDE 8 /* two multiply-adds begin in each cycle, and one takes four */
#define MNW_HALF 4 /* where fewer are left */
#elif MNW_LANES == 4 && MNW_HAS_SIMD128
#define MNW_ROWS 4
#define MNW_VECS 2
#define MNW_LEAST 2
#define MNW_WIDE 8
#else
#define MNW_ROWS (MNW_HAS_NEON ? 4 : 2) /* there are 32 registers, or 16 */
#define MNW_VECS 4
#define MNW_LEAST 4
#define MNW_WIDE (MNW_LANES == 4 ? 8 : 4)
#endif

#if MNW_FUSED || MNW_HAS_EXACT || MNW_LANES == 1 || (MNW_LANES == 4 && !MNW_HAS_NEON) /* others have a fused twin */
#define MNW_MULTIPLIES
#if MNW_LANES <= 4 && defined(__GNUC__) && !defined(__clang__) /* the wider ones are as fast when compiled for size */
#pragma GCC push_options
#pragma GCC optimize("O2")
#endif
#if MNW_HAS_SIMD128
/* Number i of each row, times its weights, for the vectors from `vec` on. */
MNW_INLINE void mnw_add_up(mnw_v (*sum)[MNW_WIDE], const float *const *x, const float *const *w, const int i,
                           const int rows, const int vec, const int vecs) {
    MNW_UNROLL for (int r = 0; r < rows; r++) {
        mnw_v splat = mnw_splat(x[r][i]);
        MNW_UNROLL for (int j = vec; j < vecs; j++) sum[r][j] +=
            mnw_load(w[j / MNW_PER_PANEL] + i * MNW_PANEL + j % MNW_PER_PANEL * MNW_LANES) * splat;
    }
}

/* Never true, which neither the compiler nor an engine can know: each i makes a branch of its own. */
MNW_INLINE int mnw_never(size_t left, size_t i) {
    i = ~i;
    __asm__("" : "+r"(i));
    return left == i;
}
#define MNW_STEP(i)                                                                                                    \
    mnw_add_up(sum, at_x, at_w, i, rows, 0, half);                                                                     \
    if (half < vecs) {                                                                                                 \
        if (mnw_never(left, i))                                                                                        \
            break;                                                                                                     \
        mnw_add_up(sum, at_x, at_w, i, rows, half, vecs);                                                              \
    }                                                                                                                  \
    if (left < i + 2)                                                                                                  \
        break;
#endif

/* to[rows][vecs] = sums + x w for k inputs in order; panels are `panel` numbers apart. Both counts are constants where
 * it is called, so that the sums stay in registers. */
MNW_INLINE void mnw_sum_up(const mnw_rows *from, const float *w, size_t panel, size_t k, const int rows,
                           const int vecs) {
    mnw_v sum[MNW_ROWS][MNW_WIDE];
    const float *x = from->x, *then = from->then, *stop = x + k, *at_w[MNW_WIDE];
    const size_t one = from->by[1], two = from->by[2], three = from->by[3];
    MNW_UNROLL for (int j = 0; j * MNW_PER_PANEL < vecs; j++) at_w[j] = w + (size_t)j * panel;
    const float *sums = from->sums;
    MNW_UNROLL for (int r = 0; r < rows; r++, sums += from->sums_by) MNW_UNROLL for (int j = 0; j < vecs; j++)
        sum[r][j] = mnw_load(sums + j * MNW_LANES);
#if MNW_FUSED
    if (rows == 1 && vecs == 1) { /* sums that take turns, since one alone would wait for itself */
        const mnw_v zero = {0};
        mnw_v turn[3] = {zero, zero, zero};
        for (; stop - x >= 4; x += 4, at_w[0] += 4 * MNW_PANEL) {
            MNW_UNROLL for (int i = 0; i < 3; i++) turn[i] += mnw_load(at_w[0] + i * MNW_PANEL) * mnw_splat(x[i]);
            sum[0][0] += mnw_load(at_w[0] + 3 * MNW_PANEL) * mnw_splat(x[3]);
        }
        sum[0][0] = (sum[0][0] + turn[0]) + (turn[1] + turn[2]);
    }
#endif
#if MNW_HAS_SIMD128
    /* Engines neither unroll as compilers do, nor fold additions into addresses, nor keep to the order of a long block,
     * whose loads they put first until registers are spilled: so four steps, with addresses that serve them all, and a
     * branch after every few loads. */
    const int half = vecs < 4 ? vecs : 4;
    for (size_t left = k;; left -= 4, x += 4) {
        const float *at_x[4] = {x, x + one, x + two, x + three};
        MNW_STEP(0)
        MNW_STEP(1)
        MNW_STEP(2)
        MNW_STEP(3)
        MNW_UNROLL for (int j = 0; j * MNW_PER_PANEL < vecs; j++) at_w[j] += 4 * MNW_PANEL;
    }
    (void)then, (void)stop;
#else
    for (; x < stop; x++, then++) {
        mnw_v weight[MNW_WIDE];
#if MNW_LANES == 8
        /* One row reads weights as fast as they come; those of large policies lie behind the second-level cache. */
        if (vecs == MNW_WIDE)
            MNW_UNROLL for (int j = 0; j * MNW_PER_PANEL < vecs; j++)
                __builtin_prefetch((const void *)((uintptr_t)at_w[j] + 8 * sizeof(float) * MNW_PANEL));
#endif
        MNW_UNROLL for (int j = 0; j < vecs; j++) weight[j] =
            mnw_load(at_w[j / MNW_PER_PANEL] + j % MNW_PER_PANEL * MNW_LANES);
        MNW_UNROLL for (int r = 0; r < rows; r++) {
            mnw_v splat = mnw_splat((r < 4 ? x : then)[r % 4 == 0 ? 0 : r % 4 == 1 ? one : r % 4 == 2 ? two : three]);
            MNW_UNROLL for (int j = 0; j < vecs; j++) sum[r][j] += weight[j] * splat;
        }
        MNW_UNROLL for (int j = 0; j * MNW_PER_PANEL < vecs; j++) at_w[j] += MNW_PANEL;
    }
#endif
    float *to = from->to;
    MNW_UNROLL for (int r = 0; r < rows; r++, to += from->to_by) MNW_UNROLL for (int j = 0; j < vecs; j++)
        mnw_store(to + j * MNW_LANES, sum[r][j]);
}

/* One function each: inlined together they leave too few registers for pointers. */
static MNW_NOINLINE void mnw_sum_tall(const mnw_rows *from, const float *w, size_t panel, size_t k) {
    mnw_sum_up(from, w, panel, k, MNW_ROWS, MNW_VECS);
    MNW_DONE();
}
static MNW_NOINLINE void mnw_sum_wide(const mnw_rows *from, const float *w, size_t panel, size_t k) {
    mnw_sum_up(from, w, panel, k, 1, MNW_WIDE);
    MNW_DONE();
}
#if defined(MNW_HALF)
static MNW_NOINLINE void mnw_sum_middle(const mnw_rows *from, const float *w, size_t panel, size_t k) {
    mnw_sum_up(from, w, panel, k, 1, MNW_HALF);
    MNW_DONE();
}
#define MNW_MIDDLE mnw_sum_middle
#else
#define MNW_HALF MNW_LEAST
#define MNW_MIDDLE mnw_sum_least
#endif
static MNW_NOINLINE void mnw_sum_least(const mnw_rows *from, const float *w, size_t panel, size_t k) {
    mnw_sum_up(from, w, panel, k, 1, MNW_LEAST);
    MNW_DONE();
}
#if MNW_LEAST < MNW_VECS
static MNW_NOINLINE void mnw_sum_thin(const mnw_rows *from, const float *w, size_t panel, size_t k) {
    mnw_sum_up(from, w, panel, k, MNW_ROWS, MNW_LEAST);
    MNW_DONE();
}
#define MNW_THIN mnw_sum_thin
#else
#define MNW_THIN mnw_sum_tall
#endif

#if MNW_LANES <= 4 && defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
#endif /* MNW_MULTIPLIES */

/* ---- Vectors from and to memory. */
MNW_INLINE mnw_v mnw_load(const float *p) {
    mnw_v v;
    memcpy(&v, p, sizeof v);
    return v;
}

MNW_INLINE void mnw_store(float *p, mnw_v v) {
    memcpy(p, &v, sizeof v);
}

#if !MNW_FUSED
/* The first n lanes. */
static MNW_NOINLINE void mnw_store_some(float *p, mnw_v v, size_t n) {
    float lanes[MNW_LANES];
    mnw_store(lanes, v);
    for (size_t i = 0; i < MNW_LANES && i < n; i++)
        p[i] = lanes[i];
}

/* The same where n may be less than a vector. */
MNW_INLINE void mnw_put(float *p, mnw_v v, size_t n) {
    if (MNW_LANES > 1 && n < MNW_LANES)
        mnw_store_some(p, v, n);
    else
        mnw_store(p, v);
}

/* The first n lanes; the others are 0. */
static MNW_NOINLINE mnw_v mnw_load_some(const float *p, size_t n) {
    float lanes[MNW_LANES] = {0};
    for (size_t i = 0; i < MNW_LANES && i < n; i++)
        lanes[i] = p[i];
    return mnw_load(lanes);
}

MNW_INLINE mnw_v mnw_get(const float *p, size_t n) {
    return MNW_LANES > 1 && n < MNW_LANES ? mnw_load_some(p, n) : mnw_load(p);
}
#endif

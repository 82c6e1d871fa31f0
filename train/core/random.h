/* Random numbers of learning, functions of their address alone: Threefry (see envs/random.h), keyed by the seed, a
 * stream, and the matrix or the update that they are for. Environments draw from the stream 0. */

/* cffi: begin */
LEARN_API void FN(learn_noise)(uint64_t seed, uint32_t update, uint32_t normal, size_t horizon, size_t first_row,
                               size_t rows, size_t size, REAL *noise);
/* cffi: end */

#ifndef LEARN_STREAMS
#define LEARN_STREAMS
enum { LEARN_WEIGHTS = 1, LEARN_NOISE = 2, LEARN_ORDER = 3 };

/* cffi: begin */
LEARN_API void learn_order(uint64_t seed, uint32_t update, uint32_t epoch, size_t n, int64_t *order);
/* cffi: end */

static inline mnw_words learn_key(uint64_t seed, uint32_t stream, uint32_t which) {
    return mnw_threefry((uint32_t)seed, (uint32_t)(seed >> 32), which, stream);
}

/* [0, 1), in steps of 2^-24. */
static inline float learn_unit(uint32_t bits) {
    return (float)(int32_t)(bits >> 8) * 0x1p-24f;
}

/* A pair of independent normal numbers (Box and Muller, 1958), at most 5.8 in size. */
static inline void learn_pair(mnw_words bits, float *cosine, float *sine) {
    float length = mnw_log_float(1.0f - learn_unit(bits.a)) * -2.0f, turn = learn_unit(bits.b) * 6.28318548f;
    length = mnw_sqrt(length > 0.0f ? length : 0.0f);
    *cosine = length * mnw_sine_near(turn, 1), *sine = length * mnw_sine_near(turn, 0);
}

/* The order of n < 2^32 samples in an epoch (Fisher and Yates). */
LEARN_API void learn_order(uint64_t seed, uint32_t update, uint32_t epoch, size_t n, int64_t *order) {
    enum { AT_ONCE = 64 };
    const mnw_words key = learn_key(seed, LEARN_ORDER, update);
    uint32_t bits[AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        if (i % AT_ONCE == 0)
            for (uint32_t k = 0; k < AT_ONCE; k++)
                bits[k] = mnw_threefry(key.a, key.b, (uint32_t)i + k, epoch).a;
        size_t other = (size_t)((uint64_t)bits[i % AT_ONCE] * (i + 1) >> 32);
        order[i] = order[other];
        order[other] = (int64_t)i;
    }
}
#endif

/* What actions of a rollout are drawn by, [horizon][rows][size]: numbers in [0, 1), or normal ones with deviation 1.
 * The rows are first_row and so on of all there are. */
LEARN_API void FN(learn_noise)(uint64_t seed, uint32_t update, uint32_t normal, size_t horizon, size_t first_row,
                               size_t rows, size_t size, REAL *noise) {
    enum { AT_ONCE = 16 };
    const mnw_words key = learn_key(seed, LEARN_NOISE, update);
    for (size_t i = 0; i < horizon * size; i += 2)
        for (size_t n = 0; n < rows; n += AT_ONCE) {
            float pair[2][AT_ONCE];
            for (uint32_t k = 0; k < AT_ONCE; k++) {
                mnw_words bits = mnw_threefry(key.a, key.b, (uint32_t)(i / 2), (uint32_t)(first_row + n) + k);
                pair[0][k] = learn_unit(bits.a), pair[1][k] = learn_unit(bits.b);
                if (normal)
                    learn_pair(bits, &pair[0][k], &pair[1][k]);
            }
            for (size_t j = 0; j < 2 && i + j < horizon * size; j++) {
                REAL *to = noise + ((i + j) / size * rows + n) * size + (i + j) % size;
                for (size_t k = 0; k < AT_ONCE && n + k < rows; k++)
                    to[k * size] = (REAL)pair[j][k];
            }
        }
}

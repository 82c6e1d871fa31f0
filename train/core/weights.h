/* What a network begins with, the same bits everywhere: sums of products in plain double, with one order. */

/* cffi: begin */
LEARN_API void FN(learn_orthogonal)(uint64_t seed, uint32_t matrix, size_t out, size_t in, double gain, REAL *weight,
                                    double *room);
LEARN_API void FN(learn_deviations)(size_t heads, const REAL *reach, REAL *log_std);
LEARN_API void FN(learn_lasting)(size_t size, double steps, REAL *keep);
/* cffi: end */

#ifndef LEARN_ABREAST
#define LEARN_ABREAST
enum { LEARN_ABREAST_SUMS = 16 };

/* cffi: begin */
LEARN_API size_t learn_orthogonal_room(size_t out, size_t in);
/* cffi: end */

static double learn_dot(size_t n, const double *a, const double *b) { /* n: a multiple of sixteen */
    double part[LEARN_ABREAST_SUMS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i += LEARN_ABREAST_SUMS)
        for (size_t k = 0; k < LEARN_ABREAST_SUMS; k++)
            part[k] += a[i + k] * b[i + k];
    for (size_t k = 0; k < LEARN_ABREAST_SUMS; k++)
        sum += part[k];
    return sum;
}

/* Makes `count` vectors [count][n] orthonormal (Gram and Schmidt, modified), each twice, which is enough (Giraud,
 * Langou and Rozloznik, 2005). */
static void learn_orthonormalise(size_t count, size_t n, double *vectors) {
    for (size_t i = 0; i < count; i++) {
        double *v = vectors + i * n;
        for (size_t j = 0; j < 2 * i; j++) {
            const double *u = vectors + j % i * n, along = learn_dot(n, u, v);
            for (size_t k = 0; k < n; k++)
                v[k] -= along * u[k];
        }
        double length = __builtin_sqrt(learn_dot(n, v, v));
        if (!(length > 0))
            v[i] = length = 1; /* one number that was drawn as 0 */
        for (size_t k = 0; k < n; k++)
            v[k] /= length;
    }
}

/* Doubles that the function below needs. */
LEARN_API size_t learn_orthogonal_room(size_t out, size_t in) {
    size_t count = out < in ? out : in, n = out < in ? in : out;
    return count * ((n + LEARN_ABREAST_SUMS - 1) / LEARN_ABREAST_SUMS * LEARN_ABREAST_SUMS);
}
#endif

/* weight [out][in]: its rows, or where these are more its columns, are orthogonal and of length `gain`, and as likely
 * in one direction as in another (Saxe et al., 2014). `matrix`: its number among the network's. */
LEARN_API void FN(learn_orthogonal)(uint64_t seed, uint32_t matrix, size_t out, size_t in, double gain, REAL *weight,
                                    double *room) {
    const mnw_words key = learn_key(seed, LEARN_WEIGHTS, matrix);
    size_t count = out < in ? out : in, size = out < in ? in : out;
    size_t n = learn_orthogonal_room(out, in) / (count ? count : 1);
    memset(room, 0, count * n * sizeof *room);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < size; k += 2) {
            float pair[2];
            learn_pair(mnw_threefry(key.a, key.b, (uint32_t)(k / 2), (uint32_t)i), &pair[0], &pair[1]);
            for (size_t j = 0; j < 2 && k + j < size; j++)
                room[i * n + k + j] = (double)pair[j];
        }
    learn_orthonormalise(count, n, room);
    for (size_t j = 0; j < out; j++)
        for (size_t k = 0; k < in; k++)
            weight[j * in + k] = (REAL)(gain * (out < in ? room[j * n + k] : room[k * n + j]));
}

/* Logarithms of half of how far a head reaches to either side. */
LEARN_API void FN(learn_deviations)(size_t heads, const REAL *reach, REAL *log_std) {
    for (size_t h = 0; h < heads; h++)
        log_std[h] = (REAL)mnw_log_float((float)reach[h] * 0.5f);
}

/* Biases [size] with which gates keep what they hold for 1 to `steps` steps: see policy.py. */
LEARN_API void FN(learn_lasting)(size_t size, double steps, REAL *keep) {
    for (size_t i = 0; i < size; i++)
        keep[i] = (REAL)mnw_log_float((float)(1 + (steps - 1) * (double)i / (double)(size > 1 ? size - 1 : 1)));
}

/* learn.h: proximal policy optimisation (Schulman et al., 2017) of small networks, in C11 with the vectors of GCC and
 * Clang, without allocation or threads; of libc it needs memcpy and memset, and for double exp, log, tanh, erf and
 * sqrt. Observations of several groups, sets and what the critic alone sees among them; fully connected layers, a
 * memory or none, one head for the action and one for the value; discrete, multi-discrete and masked actions, or normal
 * distributions. The caller owns all memory, gives the noise and the order
 * of samples, and may call from as many threads as it likes.
 *
 * The numbers come out the same, bit for bit, whoever computes them. Vectors run over independent sums, so their width
 * cannot show. A minibatch's samples are dealt to LEARN_STRANDS strands by their rows; each strand adds up its own
 * gradient, in the order of its samples, and strands are added up as a tree, so that neither the number of threads nor
 * that of processes shows, if it is a power of two up to LEARN_STRANDS.
 *
 *     #define LEARN_API static inline
 *     #include "learn.h"        types and functions `learn_..._float`; with LEARN_DOUBLE also `learn_..._double`
 *
 * Where LEARN_FUSED is 1 products use fused multiply-add: as exact and as repeatable, but other bits, and for
 * processors that have it. It is 0 unless said. */
#ifndef LEARN_H
#define LEARN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../cinfer/src/scalar.h"

#ifndef LEARN_API
#define LEARN_API extern
#endif
#ifndef LEARN_FUSED
#define LEARN_FUSED 0
#endif

/* cffi: begin */
enum { LEARN_STRANDS = 8 };
enum { LEARN_TILE = 48 };  /* rows that pass through all layers together: they fit the first-level cache */
enum { LEARN_GROUPS = 8 }; /* of an observation, at most */
/* A group's kind: numbers; a picture; a set of entities; and of the set before it, bytes that are 1 where the entity is
 * there, and 0 where its numbers mean nothing. */
enum { LEARN_FIELDS = 0, LEARN_PLANES = 1, LEARN_SET = 2, LEARN_PRESENT = 3 };
enum { LEARN_PANEL = 16 };     /* columns of weights that lie side by side: the widest vector */
enum { LEARN_SEQUENCES = 12 }; /* rows whose steps do, with memory */
enum { LEARN_SUMS = 6 };       /* policy loss, value loss, entropy, divergence, clipped, weight */
enum { LEARN_NO_MEMORY = 0, LEARN_LSTM = 1, LEARN_GRU = 2, LEARN_MINGRU = 3 };
enum { LEARN_NO_ACTIVATION = 0, LEARN_RELU = 1, LEARN_TANH = 2, LEARN_GELU = 3, LEARN_SILU = 4 };
/* cffi: end */

/* Where sets are, fewer samples pass through all layers together: as many as have so many entities, but at least so
 * many; and entities pass through theirs by these numbers. */
enum { LEARN_ENTITIES = 1536, LEARN_LEAST = 12, LEARN_ENTITIES_AT_ONCE = 192, LEARN_POOLED = 16 };

enum { LEARN_FETCHED = 256 }; /* bytes of an observation, at most, that are called for before they are read */

#include "schedule.h"

/* Some samples of a rollout: the i-th is at first + i / n x stride + index[i % n], or + i % n where index is NULL. */
typedef struct learn_places {
    size_t first, stride, n;
    const int64_t *index;
} learn_places;

static inline size_t learn_place_of(const learn_places *places, size_t i) {
    size_t step = i < places->n ? 0 : i / places->n;
    i -= step * places->n;
    return places->first + step * places->stride + (places->index ? (size_t)places->index[i] : i);
}

/* minnow.h's, absolute error 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
static inline float learn_erf(float x) {
    float a = x < 0 ? -x : x, t = 1 / (a * 0.3275911f + 1);
    float sum = (((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f;
    float found = 1 - sum * t * mnw_exp_float(-(a * a));
    return x < 0 ? -found : found;
}

/* The other rooms are included once for each type of number. */
#include "../real.h"
#define REAL float
#define LEARN_EXP_OF(x) mnw_exp_float(x)
#define LEARN_LOG_OF(x) mnw_log_float(x)
#define LEARN_TANH_OF(x) mnw_tanh_float(x)
#define LEARN_ERF_OF(x) learn_erf(x)
#define LEARN_ROOT_OF(x) mnw_sqrt(x)
#include "random.h"
#include "weights.h"
#include "products.h"
#include "network.h"
#include "tile.h"
#include "layers.h"
#include "groups.h"
#include "memory.h"
#include "action.h"
#include "rollout.h"
#include "gradient.h"
#include "update.h"
#include "descent.h"
#include "normalize.h"
#undef REAL
#undef LEARN_EXP_OF
#undef LEARN_LOG_OF
#undef LEARN_TANH_OF
#undef LEARN_ERF_OF
#undef LEARN_ROOT_OF

#ifdef LEARN_DOUBLE
#include <math.h>
#define REAL double
#define LEARN_EXP_OF(x) exp(x)
#define LEARN_LOG_OF(x) log(x)
#define LEARN_TANH_OF(x) tanh(x)
#define LEARN_ERF_OF(x) erf(x)
#define LEARN_ROOT_OF(x) sqrt(x)
#include "random.h"
#include "weights.h"
#include "products.h"
#include "network.h"
#include "tile.h"
#include "layers.h"
#include "groups.h"
#include "memory.h"
#include "action.h"
#include "rollout.h"
#include "gradient.h"
#include "update.h"
#include "descent.h"
#include "normalize.h"
#undef REAL
#endif
#undef FN
#undef REAL_NAMED
#undef REAL_JOIN
#endif

/* scalar.h: the functions that minnow.h computes with, a number at a time, for what else must have the same bits:
 * environments and the trainer. They hold no branches and no tables, so that a loop over lanes that calls them becomes
 * SIMD; whoever includes it compiles with -ffp-contract=off. In one program with minnow.h, in any order.
 *
 *     mnw_exp_float, mnw_log_float, mnw_tanh_float, mnw_floor_float, mnw_round_float     real.h
 *     mnw_sqrt, mnw_atan2, mnw_bits, mnw_from, mnw_threefry                              bits.h
 *     mnw_sine_near                                                                      below
 */
#ifndef MNW_SCALAR_H
#define MNW_SCALAR_H
#include <stdint.h>
#include <string.h>
#include "compiler.h"
#include "bits.h"
#include "names.h"
#define MNW_ISA float
#define MNW_LANES 1
#include "lanes.h"
#include "real.h"
#include "forget.h"

/* Sine, or with quarter = 1 cosine, in a form that compilers vectorise: absolute error 1.2e-7 for |x| <= 8192; of all
 * else, and of what is not a number, it is some number in [-1, 1]. The multiple of pi/2 is subtracted in three parts,
 * the first two of which have so few bits that their products are exact (Cody and Waite, 1980). */
static inline float mnw_sine_near(float x, uint32_t quarter) {
    float c = x > -8192.0f ? x : -8192.0f, shifted = (c < 8192.0f ? c : 8192.0f) * 0.636619747f + 12582912.0f;
    float n = shifted - 12582912.0f, r = ((x - n * 1.5703125f) - n * 4.83751297e-4f) - n * 7.54979013e-8f;
    r = r > -0.786f ? r : -0.786f;
    return mnw_sine_of(r < 0.786f ? r : 0.786f, mnw_bits(shifted) + quarter);
}
#endif

/* scalar.h: the functions that minnow.h computes with, a number at a time, for what else must have the same bits:
 * environments and the trainer. They hold no branches and no tables, so that a loop over lanes that calls them becomes
 * SIMD; whoever includes it compiles with -ffp-contract=off. In one program with minnow.h, in any order.
 *
 *     mnw_exp_float, mnw_log_float, mnw_tanh_float, mnw_floor_float, mnw_round_float     real.h
 *     mnw_sqrt, mnw_sine_near, mnw_atan2, mnw_bits, mnw_from, mnw_threefry               bits.h
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
#endif

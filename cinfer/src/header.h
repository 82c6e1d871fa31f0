/* minnow.h: runs a small policy from a .minnow file. One header, C99 or C++, no allocation, no globals, no libm.
 * Put together from the rooms of cinfer/src/ by `./build.sh header`: change those, not the header.
 *
 * INTEGRATION. In exactly one source file:
 *
 *     #define MINNOW_IMPLEMENTATION
 *     #include "minnow.h"
 *
 * and plain `#include "minnow.h"` everywhere else. A whole program:
 *
 *     minnow_error error;
 *     size_t need = minnow_size(bytes, size, &error);                       // 0: the file is faulty, see `error`
 *     const minnow_policy *policy = minnow_load(bytes, size, malloc(need), need, &error);
 *     need = minnow_session_size(policy, 1, 0);
 *     minnow_session *session = minnow_session_init(policy, 1, 0, 42, malloc(need), need, &error);
 *     for (;;) {
 *         minnow_step(session, obs, NULL);                                  // float obs[...]: what the agent sees
 *         int32_t choice = minnow_action(session)[0];
 *         if (game_step(choice, obs))                                       // the episode ended
 *             minnow_reset(session, 0);
 *     }
 *
 * MACROS heeded, defined before the include:
 *     MINNOW_IMPLEMENTATION  the function bodies are wanted here
 *     MINNOW_SCALAR          plain C only: no vector types, no instructions by name
 *     MINNOW_ONLY_AVX512, MINNOW_ONLY_AVX2, MINNOW_ONLY_SSE2  on x86 this instruction set only, for less code
 *     MINNOW_WITH_PLAIN      on x86 plain C too, to compare with
 *     MINNOW_ONLY_EXACT      without the kernels of MINNOW_FAST, for less code: the flag changes nothing then
 *     MINNOW_ONLY_FAST       every session is MINNOW_FAST, for less code; -ffast-math is allowed
 *     MINNOW_NO_BOX          without continuous actions, for less code: a file with them is refused
 *     MINNOW_NO_MESSAGES     minnow_message has no words for a number, for less code
 *     MINNOW_HEADER          this file's name if it is another: it includes itself, once for each instruction set
 *     MINNOW_API             linkage of the functions, e.g. `static`: then MINNOW_IMPLEMENTATION goes into that file
 *     MINNOW_NO_conv ...     leaves an operation out (-DMINNOW_NO_conv), for less code: any of MINNOW_OPERATIONS below
 *                            but add, sub, mul, div, exp, tanh and relu; log goes only with log_softmax and boxes. A
 *                            file that needs it is refused
 *
 * WORDS. A *policy* is a loaded file; any number of sessions, on any threads, may share it. A *session* runs it for a
 * fixed number of *agents*, each with its own recurrent state; one thread at a time may use a session. Arrays are in C
 * order with the agents first: [agents][...].
 *
 * MEMORY. The caller gives one block to a policy and one to each session; `..._size` says how large. A block need not
 * be aligned and belongs to the caller again once nothing made in it is used. The file's bytes are borrowed: they must
 * stay in place while the policy is used; they may be unaligned and in read-only memory. Calls need less than 8 KB of
 * stack, in plain C less than 5.
 *
 * ERRORS. Every fault has a number from the list below, the same in C, Python and on the page. A file is validated
 * whole before any of it is used: no file can make these functions read or write outside file and blocks.
 *
 * ARITHMETIC is exact: no fused multiply-add, one order of each sum, own exp, log, tanh and erf, so that every
 * compiler, optimisation level and instruction set gives the same bits, whatever flags the host program uses, except
 * -ffast-math, which is refused unless MINNOW_ONLY_FAST gives the bits up. (Only what is not a number may differ in its
 * bits.) A session with MINNOW_FAST multiplies and adds in one rounding where the machine can: faster for many agents,
 * with last bits that depend on the machine. stdio and libm are never used: there is nothing to switch off. The file
 * format is in docs/format.md.
 */

#include "api.h"

#if defined(MINNOW_IMPLEMENTATION) && !defined(MINNOW_IMPLEMENTED)
#define MINNOW_IMPLEMENTED
#include <string.h>

/* Exactness, whatever the host's flags. gcc heeds its optimize pragma. clang heeds the standard one, except under
 * -ffp-contract=fast, where only code that may look at the floating-point environment is left alone. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#ifndef MINNOW_ONLY_FAST
#error "minnow.h: -ffast-math changes results from machine to machine: leave it out, or define MINNOW_ONLY_FAST"
#endif
#define MNW_FAST_MATH
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "minnow.h: floats are computed in a wider type here: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
#if defined(MNW_OWN_LINKAGE) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#if defined(__clang__)
#if defined(MNW_FAST_MATH) /* what is not a number must be seen to be none */
#pragma float_control(precise, on, push)
#endif
#pragma STDC FP_CONTRACT OFF
#if defined(__FMA__)
#pragma STDC FENV_ACCESS ON
#endif
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("Os", "fp-contract=off", "no-fast-math")
#endif

#include "compiler.h"

#include "build.h"

#include "kernels.h"

/* What is no kernel is made small rather than fast. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

#include "bits.h"

#include "sine.h"

#include "machine.h"

/* A file, and the policy that is made of it. */
#include "file.h"

#include "values.h"

#include "operations.h"

#include "fits.h"

#include "validate.h"

#include "pack.h"

#include "policy.h"

/* The last rooms, once for each instruction set. */
#include "names.h"

#include "sets.h"

/* A session, and the operations that it runs. */
#include "products.h"

#include "rare.h"

#include "arrays.h"

#include "windows.h"

#include "session.h"

#include "run.h"

#include "step.h"

#include "golden.h"

#include "words.h"

#if defined(__clang__)
#pragma clang attribute pop
#if defined(__FMA__)
#pragma STDC FENV_ACCESS OFF
#endif
#pragma STDC FP_CONTRACT DEFAULT
#if defined(MNW_FAST_MATH)
#pragma float_control(pop)
#endif
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#if defined(MNW_OWN_LINKAGE) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif /* MINNOW_IMPLEMENTATION */

#if defined(MNW_ISA)
#include "lanes.h"

#include "memory.h"

#include "sums.h"

#include "real.h"

#include "gates.h"

#if !MNW_FUSED
#include "elementwise.h"

#include "cells.h"
#endif

#include "fill.h"

#include "forget.h"
#endif /* MNW_ISA */

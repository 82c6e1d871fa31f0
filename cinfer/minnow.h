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

#ifndef MINNOW_H
#define MINNOW_H
#include <stddef.h>
#include <stdint.h>

#ifndef MINNOW_API
#define MINNOW_API extern
#else
#define MNW_OWN_LINKAGE /* perhaps static: then what the host calls not is no fault */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The faults: X(name, number, message). Numbers never change. */
#define MINNOW_ERRORS(X)                                                                                               \
    X(ARGUMENT, 1, "a function was called with an argument it cannot take")                                            \
    X(BLOCK, 2, "the memory block is too small")                                                                       \
    X(AGENT, 3, "there is no such agent")                                                                              \
    X(INPUT, 4, "the policy takes other inputs, or another number of them")                                            \
    X(MASK, 5, "the mask leaves a head without any choice")                                                            \
    X(STATE, 6, "the saved state is of another policy, or of another number of agents")                                \
    X(MEMORY, 7, "the policy needs more memory than this machine can address")                                         \
    X(ISA, 8, "this machine or this build lacks the instruction set that was asked for")                               \
    X(DOMAIN, 9, "an index is outside its table, or a whole number is divided by zero or beyond 32 bits")              \
    X(SHORT, 10, "the file is shorter than a header")                                                                  \
    X(MAGIC, 11, "this is not a .minnow file")                                                                         \
    X(VERSION, 12, "the file has another format version: use a newer Minnow, or export it again")                      \
    X(TRUNCATED, 13, "the file is cut short")                                                                          \
    X(TRAILING, 14, "there are bytes after the end of the file")                                                       \
    X(CHECKSUM, 15, "the file is damaged: its checksum is wrong")                                                      \
    X(DIRECTORY, 20, "the directory does not name the sections of this version in their order")                        \
    X(OVERLAP, 21, "a section overlaps another, leaves a gap or is not aligned")                                       \
    X(OUTSIDE, 22, "a section lies outside the file")                                                                  \
    X(RECORDS, 23, "a section's size does not fit its number of records")                                              \
    X(PADDING, 24, "bytes that must be zero are not")                                                                  \
    X(COUNT, 25, "there are too many records, or none where one is needed")                                            \
    X(TEXT, 30, "text is not zero-terminated UTF-8")                                                                   \
    X(NAME, 31, "a name is missing, or does not begin where a string begins")                                          \
    X(TWICE, 32, "a name is used twice")                                                                               \
    X(META, 33, "the metadata is not a JSON object")                                                                   \
    X(DTYPE, 40, "a data type is unknown or not allowed here")                                                         \
    X(RANK, 41, "an array has too many axes")                                                                          \
    X(SIZE, 42, "an axis has no elements, or elements beyond the rank")                                                \
    X(ELEMENTS, 43, "an array has too many elements")                                                                  \
    X(VALUE, 50, "there is no value with this index")                                                                  \
    X(ORDER, 51, "a value is used before it is computed, or depends on itself")                                        \
    X(DUPLICATE, 52, "a value is given twice")                                                                         \
    X(GAP, 53, "values are not given in the order of their indices, or never")                                         \
    X(ROLE, 54, "an output's role is unknown")                                                                         \
    X(OPERATION, 60, "the operation is unknown, or was left out of this build")                                        \
    X(ARITY, 61, "an operation has the wrong number of inputs, outputs, tensors or attributes")                        \
    X(ARGUMENTS, 62, "an operation's arguments are not where the one before ends")                                     \
    X(TENSOR, 63, "there is no tensor with this index, or one that is needed is absent")                               \
    X(ATTRIBUTE, 64, "an attribute is out of its range")                                                               \
    X(SHAPE, 65, "a shape does not fit the operation")                                                                 \
    X(PLACE, 70, "a tensor overlaps another, leaves a gap or is not aligned")                                          \
    X(BEYOND, 71, "a tensor lies outside the data")                                                                    \
    X(NUMBER, 72, "a weight or scale is not a number")                                                                 \
    X(KIND, 80, "the kind of action or its squash is unknown, or was left out of this build")                          \
    X(HEADS, 81, "the action's heads do not fit the output that feeds them")                                           \
    X(FEED, 82, "the action is fed by an output that is not there")                                                    \
    X(BOUNDS, 83, "an action's bounds are not a range")                                                                \
    X(GOLDEN, 90, "the golden vectors have the wrong size, or too few steps")                                          \
    X(SELFTEST, 91, "the policy does not reproduce its golden vectors")

enum {
    MINNOW_OK = 0,
#define MINNOW_ERROR_CODE(name, number, message) MINNOW_E_##name = number,
    MINNOW_ERRORS(MINNOW_ERROR_CODE)
#undef MINNOW_ERROR_CODE
};

/* cffi: begin (what the Python binding reads) */
enum { MINNOW_F32 = 0, MINNOW_F16 = 1, MINNOW_INT8 = 2, MINNOW_U8 = 3, MINNOW_I32 = 4 };             /* dtype */
enum { MINNOW_OTHER = 0, MINNOW_LOGITS = 1, MINNOW_MEAN = 2, MINNOW_LOG_STD = 3, MINNOW_VALUE = 4 }; /* role */
enum { MINNOW_NONE = 0, MINNOW_DISCRETE = 1, MINNOW_MULTI_DISCRETE = 2, MINNOW_BOX = 3 }; /* kind of action */
enum { MINNOW_CLIP = 1, MINNOW_TANH = 2 };                                                /* squash */
enum { MINNOW_MAX_RANK = 6 };

/* Flags of a session. */
enum {
    MINNOW_SAMPLE = 1, /* actions are drawn by their probabilities; otherwise the likeliest, or the mean */
    MINNOW_FAST = 2,   /* results may differ in the last bits from machine to machine if that is faster */
    MINNOW_KEEP = 4,   /* every intermediate value stays readable by minnow_activation; needs more memory */
    /* Instruction sets: only these may be used, where any is given; otherwise the best one of this machine is, which
     * may borrow from others. */
    MINNOW_PLAIN = 0x100,
    MINNOW_SSE2 = 0x200,
    MINNOW_AVX2 = 0x400, /* with FMA and F16C */
    MINNOW_AVX512 = 0x800,
    MINNOW_NEON = 0x1000,
    MINNOW_SIMD128 = 0x2000
};

typedef struct minnow_error {
    int32_t code;    /* MINNOW_OK or one of MINNOW_E_... */
    uint32_t index;  /* which section, value, operation or tensor, counted from 0, where that says more */
    uint64_t offset; /* where in the file, in bytes */
    uint64_t found, expected;
} minnow_error;

/* An input or output of the policy. */
typedef struct minnow_array {
    const char *name;
    uint32_t dtype; /* of an input: MINNOW_F32, MINNOW_U8 or MINNOW_I32; of an output: MINNOW_F32 */
    uint32_t role;  /* of an output */
    uint32_t rank;
    uint32_t shape[MINNOW_MAX_RANK]; /* of one agent's part */
    uint32_t size;                   /* elements of one agent's part */
} minnow_array;

typedef struct minnow_head {
    uint32_t size;   /* choices; 0 in a box */
    float low, high; /* bounds in a box */
} minnow_head;

typedef struct minnow_action_spec {
    uint32_t kind;    /* MINNOW_NONE ... MINNOW_BOX */
    uint32_t heads;   /* numbers in an action */
    uint32_t choices; /* of all heads together; 0 in a box */
    uint32_t squash;  /* MINNOW_CLIP or MINNOW_TANH in a box */
} minnow_action_spec;

typedef struct minnow_policy minnow_policy;
typedef struct minnow_session minnow_session;

/* The message for a number; "unknown error" for others. Static, never NULL. */
MINNOW_API const char *minnow_message(int32_t code);
/* Writes an error in words (what, where, found, expected) into text[capacity], zero-terminated, cut if need be. */
MINNOW_API void minnow_describe(const minnow_error *error, char *text, size_t capacity);

/* The instruction sets that were compiled in and that this machine has: flags of a session, or'ed. On x86 those with
 * vectors are compiled in, and asked of the processor; elsewhere there is one, the best that the compiler may use. */
MINNOW_API uint32_t minnow_isas(void);
/* The name of one of them: "plain", "sse2", "avx2", "avx512", "neon" or "simd128"; NULL for another number. */
MINNOW_API const char *minnow_isa_name(uint32_t isa);

/* Validates a file. Returns the bytes of block that minnow_load needs; 0 if the file is faulty. error may be NULL. */
MINNOW_API size_t minnow_size(const void *bytes, size_t size, minnow_error *error);
/* Validates and loads. Returns NULL with the fault in *error, which may be NULL. */
MINNOW_API const minnow_policy *minnow_load(const void *bytes, size_t size, void *block, size_t block_size,
                                            minnow_error *error);

/* What a policy takes and gives, in order; NULL beyond the last. */
MINNOW_API uint32_t minnow_inputs(const minnow_policy *policy);
MINNOW_API uint32_t minnow_outputs(const minnow_policy *policy);
MINNOW_API uint32_t minnow_states(const minnow_policy *policy);
MINNOW_API const minnow_array *minnow_input(const minnow_policy *policy, uint32_t index);
MINNOW_API const minnow_array *minnow_output(const minnow_policy *policy, uint32_t index);
MINNOW_API const minnow_array *minnow_state_array(const minnow_policy *policy, uint32_t index);
MINNOW_API const minnow_action_spec *minnow_action_of(const minnow_policy *policy);
MINNOW_API const minnow_head *minnow_head_of(const minnow_policy *policy, uint32_t head);
/* The metadata, JSON in UTF-8 without a zero at the end; *size receives its length. */
MINNOW_API const char *minnow_meta(const minnow_policy *policy, size_t *size);

/* Bytes of block for a session with so many agents; 0 if agents is 0 or it is more than memory can be. */
MINNOW_API size_t minnow_session_size(const minnow_policy *policy, uint32_t agents, uint32_t flags);
/* Makes a session at its start: recurrent states initial, no steps made. `policy` must outlive it. NULL with the fault
 * in *error, which may be NULL. The session's state lies at the first multiple of 64 in the block: see minnow_state. */
MINNOW_API minnow_session *minnow_session_init(const minnow_policy *policy, uint32_t agents, uint32_t flags,
                                               uint64_t seed, void *block, size_t block_size, minnow_error *error);

/* The instruction set that the session runs on: MINNOW_PLAIN ... MINNOW_SIMD128. */
MINNOW_API uint32_t minnow_isa(const minnow_session *session);

/* One step of all agents. obs: [agents][...] of the policy's only input, in its dtype. mask: NULL, or one byte a
 * choice, 0 where it is impossible, [agents][choices]. Returns MINNOW_OK, or a fault, after which nothing has changed;
 * but for MINNOW_E_DOMAIN, after which the step is made: an index outside its table took the nearest row, a whole
 * number that was divided by 0 gave 0, and one beyond 32 bits the bound it had passed (torch raises an error, or has 64
 * bits). */
MINNOW_API int32_t minnow_step(minnow_session *session, const void *obs, const uint8_t *mask);
/* The same for a policy with several inputs: inputs[i] is input i, [agents][...]. */
MINNOW_API int32_t minnow_step_inputs(minnow_session *session, const void *const *inputs, const uint8_t *mask);

/* Results of the last step; valid until the next one. Zero before the first. */
MINNOW_API const float *minnow_result(const minnow_session *session, uint32_t output); /* [agents][...]; or NULL */
MINNOW_API const float *minnow_logits(const minnow_session *session); /* logits or means: [agents][choices or heads] */
MINNOW_API const float *minnow_value(const minnow_session *session);  /* the output with that role, [agents]; or NULL */
MINNOW_API const float *minnow_probabilities(const minnow_session *session); /* [agents][choices]; NULL if no choices */
MINNOW_API const int32_t *minnow_action(const minnow_session *session);      /* [agents][heads]; NULL if no choices */
MINNOW_API const float *minnow_action_box(const minnow_session *session);    /* [agents][heads]; NULL if not a box */
/* A value by its name in the file, for one agent: [*size]. NULL if there is none, or without MINNOW_KEEP. */
MINNOW_API const float *minnow_activation(const minnow_session *session, uint32_t agent, const char *name,
                                          uint32_t *size);
/* The same by the value's place in the file, whether or not it has a name; NULL if it is not MINNOW_F32. */
MINNOW_API const float *minnow_activation_at(const minnow_session *session, uint32_t agent, uint32_t value,
                                             uint32_t *size);

/* Clears one agent's recurrent state (when its episode ends). Returns MINNOW_OK or MINNOW_E_AGENT. */
MINNOW_API int32_t minnow_reset(minnow_session *session, uint32_t agent);
/* Back to the start of the session with another seed. */
MINNOW_API void minnow_restart(minnow_session *session, uint64_t seed);
/* 1: draw actions by their probabilities from now on; 0: take the likeliest, or the mean. */
MINNOW_API void minnow_sample(minnow_session *session, int sampled);
/* Agent i draws as agent first + i does: sessions that share out the agents of a larger one play as it does. */
MINNOW_API void minnow_first_agent(minnow_session *session, uint32_t first);

/* All that changes from step to step (recurrent states, sampling counters, seed): one block without pointers. Copying
 * it out is a snapshot; minnow_restore, or copying it in again, goes back to it. */
MINNOW_API void *minnow_state(minnow_session *session);
MINNOW_API size_t minnow_state_size(const minnow_session *session);
/* Checked: MINNOW_E_STATE if it is of another policy or another number of agents; then nothing has changed. */
MINNOW_API int32_t minnow_restore(minnow_session *session, const void *state, size_t size);

/* Replays the golden vectors in a session of its own, made in `block` (minnow_selftest_size bytes). *difference
 * receives the largest one found. Returns MINNOW_OK if that is at most 1e-5, else MINNOW_E_SELFTEST. */
MINNOW_API size_t minnow_selftest_size(const minnow_policy *policy);
MINNOW_API int32_t minnow_selftest(const minnow_policy *policy, void *block, size_t block_size, float *difference);
/* cffi: end */

#ifdef __cplusplus
}
#endif
#endif /* MINNOW_H */

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

/* ---- What a session calls of the instruction set that it runs on. */
/* The product of rows with packed weights: y[r][j] = bias[j] + sum over i, in order, of x[r][i] w[j][i], and then of
 * what comes besides, so that an input and a state need not lie side by side. */
typedef struct mnw_product_of {
    const float *w;    /* [panels][k][16] */
    const float *bias; /* [panels][16]; NULL: zeros */
    const float *x;    /* [rows][k] */
    float *y;          /* [rows][n] */
    size_t n, k;
    const float *more_w, *more_x; /* the same for more_k inputs; NULL, NULL, 0: nothing */
    size_t more_k;
} mnw_product_of;

/* A block's rows of inputs: four at x and after `by` numbers, the others, as far, from `then` on. And its sums: where
 * they come from and go to, the numbers from row to row. */
typedef struct mnw_rows {
    const float *x, *then;
    size_t by[4];
    const float *sums;
    float *to;
    size_t sums_by, to_by;
} mnw_rows;

/* to = sums + x w for k inputs in order; panels are `panel` numbers apart. */
typedef void (*mnw_sum)(const mnw_rows *from, const float *w, size_t panel, size_t k);

typedef struct mnw_kernels {
    /* Blocks of a product: [rows][columns] and [rows][few]; [1][most], [1][half] and [1][few]. */
    mnw_sum tall, thin, wide, middle, least;
    uint32_t rows, columns, few, most, half;
    /* y[i] = f(x[i]), with up to two attributes */
    void (*unary)(uint32_t code, float *y, const float *x, size_t n, const float *attr);
    /* a and b advance by `by` numbers from one result to the next: 1, or 0 for a number that stands for all */
    void (*binary)(uint32_t code, float *y, const float *a, size_t by_a, const float *b, size_t by_b, size_t n);
    /* y[i] = (1 - z[i]) a[i] + z[i] b[i] */
    void (*mix)(float *y, const float *a, const float *b, const float *z, size_t n);
    /* y[i] = tanh(x[i]) where tangent is 1, or the sigmoid of x[i] */
    void (*gates)(float *y, const float *x, size_t n, int tangent);
    /* one row: the cell from gates [4][n], in the order i, f, g, o */
    void (*lstm)(float *c, const float *gates, const float *before, size_t n);
    /* one row: h, which was the sigmoid of hidden, from parts [2][n], hidden and gate */
    void (*mingru)(float *h, const float *parts, const float *before, size_t n);
    /* one row: what x and what h give, [3][n] each, in the order r, z, n */
    void (*gru)(float *h, const float *of_x, const float *of_h, const float *before, size_t n);
} mnw_kernels;

/* What is no kernel is made small rather than fast. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

/* ---- Numbers one at a time, and random bits. Whoever else computes with them includes scalar.h. */
#ifndef MNW_BITS_H
#define MNW_BITS_H
MNW_INLINE uint32_t mnw_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

MNW_INLINE float mnw_from(uint32_t u) {
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* Correctly rounded, without libm. */
static inline float mnw_sqrt(float x) {
#if (defined(__NO_MATH_ERRNO__) || defined(__wasm__)) && defined(__GNUC__) && !defined(MINNOW_SCALAR)
    return __builtin_sqrtf(x); /* one instruction, or one for many lanes */
#elif defined(__GNUC__) && defined(__SSE__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x));
    return y;
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(MINNOW_SCALAR)
    float y;
    __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(x));
    return y;
#else
    uint32_t bits = mnw_bits(x);
    if (!(x > 0.0f) || bits == 0x7f800000u)
        return x == 0.0f || x > 0.0f ? x : mnw_from(0x7fc00000u);
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t m = bits & 0x7fffffu;
    if (exponent == 0) { /* denormal */
        for (exponent = 1; !(m & 0x800000u); exponent--)
            m <<= 1;
    }
    m |= 0x800000u;
    exponent -= 127;
    if (exponent & 1) {
        m <<= 1;
        exponent -= 1;
    }
    /* The root of m 2^25, digit by digit: 25 bits, of which the last decides the rounding. */
    uint64_t wanted = (uint64_t)m << 25, root = 0;
    for (uint64_t digit = (uint64_t)1 << 24; digit; digit >>= 1)
        if ((root + digit) * (root + digit) <= wanted)
            root += digit;
    root = (root + 1) >> 1;
    return mnw_from((uint32_t)root + ((uint32_t)(exponent / 2 + 126) << 23));
#endif
}

/* Sine of r + turn pi / 2, |r| <= 0.786: the polynomials are those of Cephes' sinf and cosf (Moshier). */
static inline float mnw_sine_of(float r, uint32_t turn) {
    float z = r * r;
    float sine = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z + -1.6666654611e-1f) * z * r + r;
    float cosine =
        ((z * 2.443315711809948e-5f + -1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - z * 0.5f + 1.0f;
    return mnw_from(mnw_bits(turn & 1 ? cosine : sine) ^ (turn & 2) << 30);
}

/* x + x^3 / 3 z ... : x times the sum of z^k / (2 k + 1). With z = x^2 it is atanh, with -x^2 atan, for |x| < 0.42. */
static inline double mnw_odd(double x, double z) {
    double sum = 0.0;
    for (int k = 27; k > 0; k -= 2)
        sum = sum * z + 1.0 / (double)k;
    return sum * x;
}

/* The angle of the point (x, y), in (-pi, pi], right to 0.501 units in the last place; zeros have signs. */
static inline float mnw_atan2(float y, float x) {
    uint32_t a = mnw_bits(y) & 0x7fffffffu, b = mnw_bits(x) & 0x7fffffffu, most = a > b ? a : b;
    double part = (double)mnw_from(a > b ? b : a) / (double)mnw_from(most), t = a == b ? (double)(a != 0) : part;
    int steep = t > 0.41421356237309503; /* tan(pi / 8) */
    t = steep ? (t - 1.0) / (t + 1.0) : t;
    double angle = (steep ? 0.78539816339744828 : 0.0) + mnw_odd(t, -t * t);
    angle = a > b ? 1.5707963267948966 - angle : angle;
    angle = mnw_bits(x) >> 31 ? 3.1415926535897931 - angle : angle;
    float signed_angle = mnw_from(mnw_bits((float)angle) | (mnw_bits(y) & 0x80000000u));
    return most > 0x7f800000u ? mnw_from(0x7fc00000u) : signed_angle;
}

/* Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): 64 random bits
 * of a key and a counter. */
typedef struct mnw_words {
    uint32_t a, b;
} mnw_words;

MNW_INLINE mnw_words mnw_turn(mnw_words x, int left) {
    x.a += x.b;
    x.b = (x.b << left | x.b >> (32 - left)) ^ x.a;
    return x;
}

/* Four of the twenty rounds with one set of turns, then the key once more. */
static inline mnw_words mnw_rounds(mnw_words x, int odd, uint32_t key_a, uint32_t key_b) {
    x = mnw_turn(x, odd ? 17 : 13);
    x = mnw_turn(x, odd ? 29 : 15);
    x = mnw_turn(x, odd ? 16 : 26);
    x = mnw_turn(x, odd ? 24 : 6);
    x.a += key_a;
    x.b += key_b;
    return x;
}

static inline mnw_words mnw_threefry(uint32_t key0, uint32_t key1, uint32_t a, uint32_t b) {
    const uint32_t key2 = 0x1bd11bdau ^ key0 ^ key1;
    mnw_words x = {a + key0, b + key1};
    x = mnw_rounds(x, 0, key1, key2 + 1);
    x = mnw_rounds(x, 1, key2, key0 + 2);
    x = mnw_rounds(x, 0, key0, key1 + 3);
    x = mnw_rounds(x, 1, key1, key2 + 4);
    return mnw_rounds(x, 0, key2, key0 + 5);
}
#endif /* MNW_BITS_H */

/* ---- Sine, or with quarter = 1 cosine: absolute error 1.2e-7 for every finite x. What x leaves modulo pi/2 comes from
 * its 24 bits times the right part of 2/pi (Payne and Hanek, 1983). */
static float mnw_sine(float x, uint32_t quarter) {
    static const uint32_t part[12] = {0,           0,           0,           0,           0,           0xa2f9836eu,
                                      0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    uint32_t bits = mnw_bits(x), e = bits >> 23 & 255u, m = (bits & 0x7fffffu) | 0x800000u, window[3];
    if (e == 255u)
        return mnw_from(0x7fc00000u);
    if (e < 115u)
        return quarter ? 1.0f : x;
    uint32_t first = e + 8u; /* the bit of 2/pi that is worth 2 when it has met x */
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t cell = first / 32 + i, by = first % 32;
        window[i] = by ? part[cell] << by | part[cell + 1] >> (32 - by) : part[cell];
    }
    uint64_t low = (uint64_t)m * window[2], mid = (uint64_t)m * window[1] + (low >> 32);
    uint64_t turns = ((uint64_t)m * window[0] << 32) + mid; /* quarters of a turn, 62 bits after the point */
    uint32_t turn = (uint32_t)((turns + ((uint64_t)1 << 61)) >> 62);
    uint64_t rest = turns - ((uint64_t)turn << 62), size = rest >> 63 ? 0 - rest : rest;
    float r = (float)size * (1.57079633f * 2.168404344971009e-19f);
    turn += quarter || !(bits >> 31) ? quarter : 2u; /* sin(-x) = -sin(x) */
    return mnw_sine_of(rest >> 63 ? -r : r, turn);
}

/* ---- The processor: how it rounds, and what it has. */

/* A host that was linked with -ffast-math flushes denormals, or it may have turned the rounding: the standard rules
 * hold from mnw_enter to mnw_leave, which takes what mnw_enter returned. */
MNW_INLINE uint64_t mnw_control(uint64_t set, int write) {
    uint64_t was = 0;
#if defined(__GNUC__) && defined(__SSE__) && !defined(MINNOW_SCALAR)
    uint32_t mode = (uint32_t)set;
    if (write)
        __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
    else
        __asm__ volatile("stmxcsr %0" : "=m"(mode) : : "memory");
    was = mode;
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(MINNOW_SCALAR)
    if (write)
        __asm__ volatile("msr fpcr, %0" : : "r"(set) : "memory");
    else
        __asm__ volatile("mrs %0, fpcr" : "=r"(was) : : "memory");
#else
    (void)set;
    (void)write;
#endif
    return was;
}

static uint64_t mnw_enter(void) {
    uint64_t was = mnw_control(0, 0);
#if defined(__aarch64__)
    mnw_control(0, 1);
#else
    mnw_control(0x1f80, 1);
#endif
    return was;
}

static void mnw_leave(uint64_t was) {
    mnw_control(was, 1);
}

#ifdef MNW_X86
static void mnw_cpuid(uint32_t leaf, uint32_t out[4]) {
    __asm__("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static uint32_t mnw_x86(void) {
    uint32_t r[4], isas = MINNOW_PLAIN | MINNOW_SSE2, low, high;
    mnw_cpuid(0, r);
    uint32_t leaves = r[0];
    mnw_cpuid(1, r);
    const uint32_t wanted = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29; /* FMA, OSXSAVE, AVX, F16C */
    if (leaves < 7 || (r[2] & wanted) != wanted)
        return isas;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* xgetbv: what the system saves */
    mnw_cpuid(7, r);
    if ((low & 6) == 6 && (r[1] & 1u << 5))
        isas |= MINNOW_AVX2;
    if ((low & 0xe6) == 0xe6 && (r[1] & 1u << 16))
        isas |= MINNOW_AVX512;
    return isas;
}
#endif

MINNOW_API uint32_t minnow_isas(void) {
    uint32_t built = MNW_HAS_PLAIN * MINNOW_PLAIN | MNW_HAS_SSE2 * MINNOW_SSE2 | MNW_HAS_AVX2 * MINNOW_AVX2 |
                     MNW_HAS_AVX512 * MINNOW_AVX512 | MNW_HAS_NEON * MINNOW_NEON | MNW_HAS_SIMD128 * MINNOW_SIMD128;
#ifdef MNW_X86
    built &= mnw_x86();
#endif
    return built;
}

MINNOW_API const char *minnow_isa_name(uint32_t isa) {
    return isa == MINNOW_PLAIN     ? "plain"
           : isa == MINNOW_SSE2    ? "sse2"
           : isa == MINNOW_AVX2    ? "avx2"
           : isa == MINNOW_AVX512  ? "avx512"
           : isa == MINNOW_NEON    ? "neon"
           : isa == MINNOW_SIMD128 ? "simd128"
                                   : NULL;
}

/* A file, and the policy that is made of it. */
/* ---- Reading the file. Its numbers are little-endian and may lie anywhere. */
MNW_INLINE uint32_t mnw_u16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}
MNW_INLINE uint32_t mnw_u32(const uint8_t *p) {
    return mnw_u16(p) | mnw_u16(p + 2) << 16;
}
MNW_INLINE uint64_t mnw_u64(const uint8_t *p) {
    return (uint64_t)mnw_u32(p) | (uint64_t)mnw_u32(p + 4) << 32;
}
MNW_INLINE float mnw_f32(const uint8_t *p) {
    return mnw_from(mnw_u32(p));
}

static float mnw_f16(uint32_t half) {
    uint32_t sign = (half & 0x8000u) << 16, rest = half & 0x7fffu;
    if (rest >= 0x7c00u)
        return mnw_from(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest >= 0x400u)
        return mnw_from(sign | ((rest << 13) + 0x38000000u));
    float tiny = (float)rest * 5.9604644775390625e-8f; /* 2^-24 */
    return sign ? -tiny : tiny;
}

enum { MNW_STRS, MNW_VALS, MNW_INPS, MNW_STAT, MNW_OUTS, MNW_OPER, MNW_ARGS, MNW_TENS, MNW_ACTN, MNW_META, MNW_GOLD };
enum { MNW_DATA = MNW_GOLD + 1, MNW_SECTIONS, MNW_HEADER = 32 + 24 * MNW_SECTIONS, MNW_MOST_ARRAYS = 256 };
#define MNW_ABSENT 0xffffffffu
#define MNW_MOST_ELEMENTS ((uint64_t)1 << 28)

typedef struct mnw_part { /* a section */
    const uint8_t *at;
    uint64_t offset, size;
    uint32_t count;
} mnw_part;

typedef struct mnw_file {
    const uint8_t *bytes;
    mnw_part part[MNW_SECTIONS];
    minnow_error *error;
    uint32_t index; /* of the record that is being validated */
} mnw_file;

typedef struct mnw_shape {
    uint32_t rank, size[MINNOW_MAX_RANK], elements;
} mnw_shape;

typedef struct mnw_tensor {
    mnw_shape shape;
    uint32_t dtype;
    const uint8_t *data, *scales; /* scales: NULL, or one f32 for each index of axis 0 */
} mnw_tensor;

static MNW_NOINLINE int mnw_fail(minnow_error *e, int32_t code, uint32_t index, uint64_t offset, uint64_t found,
                                 uint64_t expected) {
    if (e) {
        e->code = code;
        e->index = index;
        e->offset = offset;
        e->found = found;
        e->expected = expected;
    }
    return 0;
}

/* In the functions that validate: whether least <= found < limit. If not, that is the fault, and `place` is where. */
static MNW_NOINLINE int mnw_within(const mnw_file *f, int32_t code, const uint8_t *place, uint64_t found,
                                   uint64_t least, uint64_t limit) {
    if (found >= least && found < limit)
        return 1;
    return mnw_fail(f->error, code, f->index, (uint64_t)(place - f->bytes), found, found < least ? least : limit - 1);
}

/* The same of the number that stands at `place`. */
static MNW_NOINLINE int mnw_field(const mnw_file *f, int32_t code, const uint8_t *place, uint32_t least,
                                  uint32_t limit) {
    return mnw_within(f, code, place, mnw_u32(place), least, limit);
}

static MNW_NOINLINE int mnw_same(const mnw_file *f, int32_t code, const uint8_t *place, uint64_t found,
                                 uint64_t expected) {
    return mnw_within(f, code, place, found, expected, expected + 1);
}

static MNW_NOINLINE int mnw_must(const mnw_file *f, int32_t code, const uint8_t *place, int holds) {
    return holds || mnw_within(f, code, place, 0, 1, 2);
}

static uint32_t mnw_crc(const uint8_t *bytes, size_t size) { /* as if bytes 12 to 15 were zero */
    static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                       0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                       0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    uint32_t ahead[16][16], crc = 0xffffffffu; /* ahead[j][n]: what nibble j of 8 bytes comes to at their end */
    size_t i = 0;
    for (uint32_t n = 0; n < 16; n++) {
        uint32_t v = table[n];
        for (uint32_t j = 16; j-- > 0; v = (v >> 4) ^ table[v & 15u])
            ahead[j][n] = v;
    }
    for (; i + 8 <= size; i += 8) {
        uint32_t low = mnw_u32(bytes + i) ^ crc, high = i == 8 ? 0u : mnw_u32(bytes + i + 4);
        crc = 0;
#ifndef __wasm__ /* a page is to be small */
        MNW_UNROLL
#endif
        for (uint32_t j = 0; j < 8; j++)
            crc ^= ahead[j][low >> 4 * j & 15u] ^ ahead[8 + j][high >> 4 * j & 15u];
    }
    for (; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

/* The length of valid UTF-8 at the start of p[0..n). */
static size_t mnw_utf8(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint32_t b = p[i], more = b < 0x80 ? 0 : b < 0xc2 ? 9 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : b < 0xf5 ? 3 : 9;
        if (more == 9 || more >= n - i)
            return i;
        for (uint32_t k = 1; k <= more; k++)
            if ((p[i + k] & 0xc0) != 0x80)
                return i;
        /* not the shortest form, a surrogate, or beyond U+10FFFF */
        uint32_t next = more ? p[i + 1] : 0;
        if ((b == 0xe0 && next < 0xa0) || (b == 0xed && next > 0x9f) || (b == 0xf0 && next < 0x90) ||
            (b == 0xf4 && next > 0x8f))
            return i;
        i += more + 1;
    }
    return n;
}

static int mnw_zero(const mnw_file *f, uint64_t from, uint64_t to) {
    for (; from < to; from++)
        if (!mnw_same(f, MINNOW_E_PADDING, f->bytes + from, f->bytes[from], 0))
            return 0;
    return 1;
}

/* Header and directory. */
static int mnw_open(mnw_file *f, size_t size) {
    static const uint8_t magic[8] = {0x89, 'M', 'N', 'W', '\r', '\n', 0x1a, '\n'};
    static const char tags[] = "STRSVALSINPSSTATOUTSOPERARGSTENSACTNMETAGOLDDATA";
    static const uint8_t record[MNW_SECTIONS] = {1, 32, 8, 24, 12, 16, 4, 48, 4, 1, 4, 1};
    const uint8_t *b = f->bytes, *d = b + 32;
    uint64_t at = MNW_HEADER;
    for (size_t i = 0; i < 8 && i < size; i++)
        if (!mnw_same(f, MINNOW_E_MAGIC, b + i, b[i], magic[i]))
            return 0;
    if (!mnw_within(f, MINNOW_E_SHORT, b, size, MNW_HEADER, UINT64_MAX) ||
        !mnw_field(f, MINNOW_E_VERSION, b + 8, 1, 2) ||
        !mnw_within(f, MINNOW_E_TRUNCATED, b + 16, size, mnw_u64(b + 16), UINT64_MAX) ||
        !mnw_same(f, MINNOW_E_TRAILING, b + 16, size, mnw_u64(b + 16)) ||
        !mnw_same(f, MINNOW_E_CHECKSUM, b + 12, mnw_u32(b + 12), mnw_crc(b, size)) ||
        !mnw_field(f, MINNOW_E_DIRECTORY, b + 24, MNW_SECTIONS, MNW_SECTIONS + 1) ||
        !mnw_field(f, MINNOW_E_PADDING, b + 28, 0, 1))
        return 0;
    for (uint32_t i = 0; i < MNW_SECTIONS; i++, d += 24) {
        mnw_part *part = &f->part[i];
        uint64_t step = i == MNW_DATA ? 63 : 7, start = (at + step) & ~step;
        f->index = i;
        part->count = mnw_u32(d + 4);
        part->offset = mnw_u64(d + 8);
        part->size = mnw_u64(d + 16);
        if (!mnw_same(f, MINNOW_E_DIRECTORY, d, mnw_u32(d), mnw_u32((const uint8_t *)tags + 4 * i)) ||
            !mnw_within(f, MINNOW_E_OUTSIDE, d + 8, part->offset, 0, (uint64_t)size + 1) ||
            !mnw_within(f, MINNOW_E_OUTSIDE, d + 16, part->size, 0, size - part->offset + 1) ||
            !mnw_same(f, MINNOW_E_OVERLAP, d + 8, part->offset, start) ||
            !mnw_same(f, MINNOW_E_RECORDS, d + 16, part->size, (uint64_t)part->count * record[i]) ||
            !mnw_zero(f, at, start))
            return 0;
        part->at = b + start;
        at = start + part->size;
    }
    return mnw_same(f, MINNOW_E_OUTSIDE, d - 8, at, size);
}

static int mnw_check_texts(mnw_file *f) {
    const mnw_part *names = &f->part[MNW_STRS], *meta = &f->part[MNW_META];
    const uint8_t *stop = names->at + names->size, *last = meta->at + meta->size;
    f->index = MNW_STRS;
    if (!mnw_within(f, MINNOW_E_TEXT, names->at, names->size, 1, UINT64_MAX) ||
        !mnw_same(f, MINNOW_E_TEXT, names->at, names->at[0], 0) || !mnw_same(f, MINNOW_E_TEXT, stop - 1, stop[-1], 0))
        return 0;
    for (const mnw_part *part = names;; part = meta, f->index = MNW_META) {
        size_t good = mnw_utf8(part->at, (size_t)part->size);
        if (!mnw_same(f, MINNOW_E_TEXT, part->at + good, good, part->size))
            return 0;
        if (part == meta)
            break;
    }
    return mnw_within(f, MINNOW_E_META, meta->at, meta->size, 2, UINT64_MAX) &&
           mnw_same(f, MINNOW_E_META, meta->at, meta->at[0], '{') &&
           mnw_same(f, MINNOW_E_META, last - 1, last[-1], '}');
}

/* The name whose offset stands at `at`. */
static int mnw_check_name(const mnw_file *f, const uint8_t *at, int needed) {
    const uint8_t *names = f->part[MNW_STRS].at;
    uint32_t offset = mnw_u32(at);
    return mnw_field(f, MINNOW_E_NAME, at, 0, f->part[MNW_STRS].count) &&
           mnw_same(f, MINNOW_E_NAME, at, offset ? names[offset - 1] : 0, 0) &&
           mnw_within(f, MINNOW_E_NAME, at, names[offset], needed != 0, 256);
}

/* Shapes where they stand, in a record of VALS or TENS. */
MNW_INLINE uint32_t mnw_size(const uint8_t *record, uint32_t axis) {
    return mnw_u32(record + 8 + 4 * axis);
}

static MNW_NOINLINE mnw_shape mnw_shape_at(const uint8_t *record) {
    mnw_shape s;
    s.rank = record[5];
    s.elements = 1;
    for (uint32_t i = 0; i < MINNOW_MAX_RANK; i++) {
        s.size[i] = mnw_size(record, i);
        if (i < s.rank)
            s.elements *= s.size[i];
    }
    return s;
}

static uint32_t mnw_elements(const uint8_t *record) {
    return mnw_shape_at(record).elements;
}

/* Whether two agree in the axes from `from` up to `to`; the sizes beyond a rank are 0. */
static int mnw_agree(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to) {
    for (; from < to; from++)
        if (mnw_size(a, from) != mnw_size(b, from))
            return 0;
    return 1;
}

/* Whether two are the same, axis `but` apart. */
static MNW_NOINLINE int mnw_alike(const uint8_t *a, const uint8_t *b, uint32_t but) {
    return a[5] == b[5] && mnw_agree(a, b, 0, but) && mnw_agree(a, b, but + 1, MINNOW_MAX_RANK);
}
enum { MNW_NO_AXIS = MINNOW_MAX_RANK };

/* Name and shape of a record. */
static int mnw_check_shape(const mnw_file *f, const uint8_t *record) {
    uint64_t elements = 1;
    if (!mnw_check_name(f, record, 0) || !mnw_within(f, MINNOW_E_RANK, record + 5, record[5], 0, MINNOW_MAX_RANK + 1) ||
        !mnw_same(f, MINNOW_E_PADDING, record + 6, mnw_u16(record + 6), 0))
        return 0;
    for (uint32_t i = 0; i < MINNOW_MAX_RANK; i++) {
        uint32_t n = mnw_size(record, i), axis = i < record[5];
        elements *= axis ? n : 1;
        if (!mnw_within(f, MINNOW_E_SIZE, record + 8 + 4 * i, n, axis, axis ? UINT64_MAX : 1) ||
            !mnw_within(f, MINNOW_E_ELEMENTS, record + 8, elements, 0, MNW_MOST_ELEMENTS + 1))
            return 0;
    }
    return 1;
}

static const uint8_t *mnw_value_at(const mnw_file *f, uint32_t value) {
    return f->part[MNW_VALS].at + (size_t)32 * value;
}

static const uint8_t *mnw_stored_at(const mnw_file *f, uint32_t tensor) {
    return f->part[MNW_TENS].at + (tensor == MNW_ABSENT ? 0 : (size_t)48 * tensor);
}

static mnw_shape mnw_value_shape(const mnw_file *f, uint32_t value) {
    return mnw_shape_at(mnw_value_at(f, value));
}

static uint32_t mnw_value_dtype(const mnw_file *f, uint32_t value) {
    return mnw_value_at(f, value)[4];
}

static mnw_tensor mnw_tensor_at(const mnw_file *f, uint32_t tensor) {
    const uint8_t *record = mnw_stored_at(f, tensor);
    mnw_tensor t;
    uint64_t scales = mnw_u64(record + 40);
    t.shape = mnw_shape_at(record);
    t.dtype = record[4];
    t.data = f->bytes + mnw_u64(record + 32);
    t.scales = scales ? f->bytes + scales : NULL;
    return t;
}

static MNW_NOINLINE float mnw_element(const mnw_tensor *t, uint32_t index) {
    if (t->dtype == MINNOW_F32)
        return mnw_f32(t->data + (size_t)4 * index);
    if (t->dtype == MINNOW_F16)
        return mnw_f16(mnw_u16(t->data + (size_t)2 * index));
    uint32_t channel = index / (t->shape.elements / t->shape.size[0]), raw = t->data[index];
    return (float)((int32_t)(raw ^ 0x80u) - 128) * mnw_f32(t->scales + (size_t)4 * channel);
}

/* ---- Operations: X(name, code, inputs, outputs, tensors, tensors that may be absent from this one on, attributes). An
 * input count of 0xffff means one or more, as does an attribute count. */
#define MINNOW_OPERATIONS(X)                                                                                           \
    X(constant, 1, 0, 1, 1, 1, 0)                                                                                      \
    X(cast, 2, 1, 1, 0, 0, 0)                                                                                          \
    X(whole, 3, 1, 1, 0, 0, 0)                                                                                         \
    X(linear, 16, 1, 1, 2, 1, 0)                                                                                       \
    X(conv, 17, 1, 1, 2, 1, 0xffff)                                                                                    \
    X(matmul, 18, 2, 1, 0, 0, 1)                                                                                       \
    X(embedding, 19, 1, 1, 1, 1, 0)                                                                                    \
    X(lstm, 32, 3, 2, 4, 2, 0)                                                                                         \
    X(mingru, 33, 2, 1, 2, 1, 0)                                                                                       \
    X(gru, 34, 2, 1, 4, 2, 0)                                                                                          \
    X(rnn, 35, 2, 1, 4, 2, 1)                                                                                          \
    X(pool, 48, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(relu, 64, 1, 1, 0, 0, 0)                                                                                         \
    X(leaky_relu, 65, 1, 1, 0, 0, 1)                                                                                   \
    X(elu, 66, 1, 1, 0, 0, 1)                                                                                          \
    X(selu, 67, 1, 1, 0, 0, 0)                                                                                         \
    X(gelu, 68, 1, 1, 0, 0, 0)                                                                                         \
    X(gelu_tanh, 69, 1, 1, 0, 0, 0)                                                                                    \
    X(silu, 70, 1, 1, 0, 0, 0)                                                                                         \
    X(mish, 71, 1, 1, 0, 0, 0)                                                                                         \
    X(softplus, 72, 1, 1, 0, 0, 2)                                                                                     \
    X(softsign, 73, 1, 1, 0, 0, 0)                                                                                     \
    X(tanh, 74, 1, 1, 0, 0, 0)                                                                                         \
    X(sigmoid, 75, 1, 1, 0, 0, 0)                                                                                      \
    X(hardsigmoid, 76, 1, 1, 0, 0, 0)                                                                                  \
    X(hardswish, 77, 1, 1, 0, 0, 0)                                                                                    \
    X(clamp, 78, 1, 1, 0, 0, 2)                                                                                        \
    X(abs, 96, 1, 1, 0, 0, 0)                                                                                          \
    X(neg, 97, 1, 1, 0, 0, 0)                                                                                          \
    X(exp, 98, 1, 1, 0, 0, 0)                                                                                          \
    X(log, 99, 1, 1, 0, 0, 0)                                                                                          \
    X(sqrt, 100, 1, 1, 0, 0, 0)                                                                                        \
    X(rsqrt, 101, 1, 1, 0, 0, 0)                                                                                       \
    X(reciprocal, 102, 1, 1, 0, 0, 0)                                                                                  \
    X(square, 103, 1, 1, 0, 0, 0)                                                                                      \
    X(sin, 104, 1, 1, 0, 0, 0)                                                                                         \
    X(cos, 105, 1, 1, 0, 0, 0)                                                                                         \
    X(floor, 106, 1, 1, 0, 0, 0)                                                                                       \
    X(round, 107, 1, 1, 0, 0, 0)                                                                                       \
    X(sign, 108, 1, 1, 0, 0, 0)                                                                                        \
    X(erf, 109, 1, 1, 0, 0, 0)                                                                                         \
    X(log2, 110, 1, 1, 0, 0, 0)                                                                                        \
    X(log10, 111, 1, 1, 0, 0, 0)                                                                                       \
    X(log1p, 112, 1, 1, 0, 0, 0)                                                                                       \
    X(exp2, 113, 1, 1, 0, 0, 0)                                                                                        \
    X(expm1, 114, 1, 1, 0, 0, 0)                                                                                       \
    X(add, 128, 2, 1, 0, 0, 0)                                                                                         \
    X(sub, 129, 2, 1, 0, 0, 0)                                                                                         \
    X(mul, 130, 2, 1, 0, 0, 0)                                                                                         \
    X(div, 131, 2, 1, 0, 0, 0)                                                                                         \
    X(minimum, 132, 2, 1, 0, 0, 0)                                                                                     \
    X(maximum, 133, 2, 1, 0, 0, 0)                                                                                     \
    X(eq, 134, 2, 1, 0, 0, 0)                                                                                          \
    X(lt, 135, 2, 1, 0, 0, 0)                                                                                          \
    X(le, 136, 2, 1, 0, 0, 0)                                                                                          \
    X(keep, 137, 2, 1, 0, 0, 0)                                                                                        \
    X(mix, 138, 3, 1, 0, 0, 0)                                                                                         \
    X(fmod, 139, 2, 1, 0, 0, 0)                                                                                        \
    X(remainder, 140, 2, 1, 0, 0, 0)                                                                                   \
    X(floor_divide, 141, 2, 1, 0, 0, 0)                                                                                \
    X(atan2, 142, 2, 1, 0, 0, 0)                                                                                       \
    X(integer, 143, 2, 1, 0, 0, 2)                                                                                     \
    X(softmax, 144, 1, 1, 0, 0, 0)                                                                                     \
    X(log_softmax, 145, 1, 1, 0, 0, 0)                                                                                 \
    X(sum, 146, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(mean, 147, 1, 1, 0, 0, 0xffff)                                                                                   \
    X(max, 148, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(min, 149, 1, 1, 0, 0, 0xffff)                                                                                    \
    X(prod, 150, 1, 1, 0, 0, 0xffff)                                                                                   \
    X(layer_norm, 160, 1, 1, 2, 0, 1)                                                                                  \
    X(rms_norm, 161, 1, 1, 1, 0, 1)                                                                                    \
    X(concat, 176, 0xffff, 1, 0, 0, 1)                                                                                 \
    X(slice, 177, 1, 1, 0, 0, 3)                                                                                       \
    X(reshape, 178, 1, 1, 0, 0, 0)                                                                                     \
    X(permute, 179, 1, 1, 0, 0, 0xffff)                                                                                \
    X(gather, 180, 2, 1, 0, 0, 1)                                                                                      \
    X(scatter, 181, 3, 1, 0, 0, 2)                                                                                     \
    X(sort, 182, 1, 2, 0, 0, 2)

/* Whether an operation was left out: 1 if MINNOW_NO_<name> is defined as 1, as -D does. A number that begins with
 * MNW_COMMA_1 has one argument more. */
#undef MINNOW_NO_add /* what the interpreter itself uses stays */
#undef MINNOW_NO_sub
#undef MINNOW_NO_mul
#undef MINNOW_NO_div
#undef MINNOW_NO_exp
#if !(defined(MINNOW_NO_BOX) && defined(MINNOW_NO_log_softmax))
#undef MINNOW_NO_log
#endif
#undef MINNOW_NO_tanh
#undef MINNOW_NO_relu
#define MNW_COMMA_1 0,
#define MNW_SECOND(a, b, ...) b
#define MNW_PICK(maybe) MNW_SECOND(maybe 1, 0, 0)
#define MNW_PROBE(value) MNW_PICK(MNW_COMMA_##value)
#define MNW_DEFINED(macro) MNW_PROBE(macro)

/* One that was left out gets a number that no file can give it, so that compilers see that its code is never run. */
enum {
#define MNW_OP_CODE(name, code, inputs, outputs, tensors, needed, attrs)                                               \
    MNW_##name = code + 256 * MNW_DEFINED(MINNOW_NO_##name),
    MINNOW_OPERATIONS(MNW_OP_CODE)
#undef MNW_OP_CODE
};
#define MNW_NUMBER(code) ((code) & 255u)

enum { MNW_RULE = 6, MNW_MANY = 255 };

/* [code, inputs, outputs, tensors, attributes, tensors that may not be absent], or NULL. One that was left out has 0.
 */
static const uint8_t *mnw_rule_of(uint32_t code) {
    static const uint8_t rules[] = {
#define MNW_RULE_OF(name, code, inputs, outputs, tensors, needed, attrs)                                               \
    MNW_##name < 256 ? code : 0, (inputs) & 255, outputs, tensors, (attrs) & 255, needed,
        MINNOW_OPERATIONS(MNW_RULE_OF)
#undef MNW_RULE_OF
    };
    for (const uint8_t *rule = rules; rule < rules + sizeof rules; rule += MNW_RULE)
        if (*rule == code && code)
            return rule;
    return NULL;
}

typedef struct mnw_call { /* one operation as it stands in the file */
    uint32_t code, inputs, outputs, tensors, attrs;
    const uint8_t *args;          /* inputs, outputs, */
    const uint8_t *stored, *attr; /* tensors, attributes */
} mnw_call;

static mnw_call mnw_call_at(const mnw_file *f, uint32_t index) {
    const uint8_t *r = f->part[MNW_OPER].at + (size_t)16 * index;
    mnw_call c;
    c.code = mnw_u16(r);
    c.inputs = mnw_u16(r + 4);
    c.outputs = mnw_u16(r + 6);
    c.tensors = mnw_u16(r + 8);
    c.attrs = mnw_u16(r + 10);
    c.args = f->part[MNW_ARGS].at + (size_t)4 * mnw_u32(r + 12);
    c.stored = c.args + (size_t)4 * (c.inputs + c.outputs);
    c.attr = c.stored + (size_t)4 * c.tensors;
    return c;
}

MNW_INLINE uint32_t mnw_in(const mnw_call *c, uint32_t i) {
    return mnw_u32(c->args + (size_t)4 * i);
}
MNW_INLINE uint32_t mnw_out(const mnw_call *c, uint32_t i) {
    return mnw_in(c, c->inputs + i);
}
MNW_INLINE uint32_t mnw_stored(const mnw_call *c, uint32_t i) {
    return mnw_u32(c->stored + (size_t)4 * i);
}
MNW_INLINE const uint8_t *mnw_attr(const mnw_call *c, uint32_t i) {
    return c->attr + (size_t)4 * i;
}

static int mnw_begins(const mnw_shape *a, const mnw_shape *b, uint32_t axes) {
    for (uint32_t i = 0; i < axes; i++)
        if (a->size[i] != b->size[i])
            return 0;
    return 1;
}

static int mnw_equal(const mnw_shape *a, const mnw_shape *b) {
    return a->rank == b->rank && mnw_begins(a, b, a->rank);
}

/* Whether tensor i of an operation is absent or has the shape [rows] (columns 0) or [rows, columns]. */
static MNW_NOINLINE int mnw_is(const mnw_file *f, const mnw_call *c, uint32_t i, uint32_t rows, uint32_t columns) {
    uint32_t tensor = mnw_stored(c, i);
    const uint8_t *t = mnw_stored_at(f, tensor);
    return tensor == MNW_ABSENT || (t[5] == 1 + (columns != 0) && mnw_size(t, 0) == rows && mnw_size(t, 1) == columns);
}

/* ---- Whether an operation's shapes and attributes fit it. */

/* The product of sizes from axis `from` up to axis `to`. */
static MNW_NOINLINE uint32_t mnw_product(const mnw_shape *s, uint32_t from, uint32_t to) {
    uint32_t n = 1;
    for (uint32_t i = from; i < to; i++)
        n *= s->size[i];
    return n;
}

/* The axes along which a convolution's or pool's windows move; its attributes are one number, then so many of each
 * sort. 0: it has the wrong number of attributes. */
static uint32_t mnw_moves(const mnw_call *c) {
    uint32_t sorts = c->code == MNW_conv ? 3 : 4, d = (c->attrs - 1) / sorts;
    return d <= 3 && c->attrs == 1 + sorts * d ? d : 0;
}

/* Number `axis` of a sort of attributes. */
MNW_INLINE uint32_t mnw_of_axis(const mnw_call *c, uint32_t sort, uint32_t axis) {
    return mnw_u32(mnw_attr(c, 1 + sort * mnw_moves(c) + axis));
}

static int mnw_fits_conv(const mnw_file *f, const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    const uint8_t *w = mnw_stored_at(f, mnw_stored(c, 0));
    uint32_t d = mnw_moves(c), groups = mnw_u32(mnw_attr(c, 0)), n = mnw_size(y, 0);
    if (x[5] != d + 1 || y[5] != d + 1 || w[5] != d + 2 || mnw_size(w, 0) != n || n % groups != 0 ||
        (uint64_t)mnw_size(w, 1) * groups != mnw_size(x, 0) || !mnw_is(f, c, 1, n, 0))
        return 0;
    for (uint32_t i = 0; i < d; i++) {
        uint64_t all = mnw_size(x, 1 + i) + (uint64_t)2 * mnw_of_axis(c, 1, i);
        uint64_t window = (uint64_t)mnw_of_axis(c, 2, i) * (mnw_size(w, 2 + i) - 1) + 1;
        if (window > all || (all - window) / mnw_of_axis(c, 0, i) + 1 != mnw_size(y, 1 + i))
            return 0;
    }
    return 1;
}

static int mnw_fits_pool(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t d = mnw_moves(c);
    if (x[5] != d + 1 || y[5] != d + 1 || mnw_size(x, 0) != mnw_size(y, 0))
        return 0;
    for (uint32_t i = 0; i < d; i++) { /* every window begins before the end */
        uint32_t padding = mnw_of_axis(c, 2, i);
        if (padding > mnw_of_axis(c, 0, i) / 2 ||
            (uint64_t)(mnw_size(y, 1 + i) - 1) * mnw_of_axis(c, 1, i) >= (uint64_t)mnw_size(x, 1 + i) + padding)
            return 0;
    }
    return 1;
}

/* Whether y is the broadcast of a and b, the last `but` axes apart. */
static int mnw_fits_both(const uint8_t *a, const uint8_t *b, const uint8_t *y, uint32_t but) {
    uint32_t i = a[5], j = b[5], k = y[5];
    if (k != (i > j ? i : j))
        return 0;
    for (; k > but; but++) {
        uint32_t m = i > but ? mnw_size(a, i - 1 - but) : 1, n = j > but ? mnw_size(b, j - 1 - but) : 1;
        if ((m != n && m != 1 && n != 1) || mnw_size(y, k - 1 - but) != (m > n ? m : n))
            return 0;
    }
    return 1;
}

/* A recurrent layer with so many gates. */
static int mnw_fits_cell(const mnw_file *f, const mnw_call *c, const uint8_t *x, uint32_t gates) {
    const uint8_t *h = mnw_value_at(f, mnw_in(c, 1));
    const uint32_t size = mnw_size(h, 0);
    if (x[5] != 1 || h[5] != 1)
        return 0;
    for (uint32_t i = 2; i < c->inputs + c->outputs; i++) /* states before and after; inputs and outputs adjoin */
        if (!mnw_alike(h, mnw_value_at(f, mnw_in(c, i)), MNW_NO_AXIS))
            return 0;
    for (uint32_t i = 0; i < c->tensors; i++)
        if (!mnw_is(f, c, i, gates * size, !i ? mnw_size(x, 0) : i == 1 && c->tensors == 4 ? size : 0))
            return 0;
    return 1;
}

/* Whether y is x without the axes that the attributes name: they rise, and x has them all. */
static int mnw_fits_reduced(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t left = 0, k = 0;
    for (uint32_t i = 0; i < x[5]; i++) {
        if (k < c->attrs && mnw_u32(mnw_attr(c, k)) == i)
            k++;
        else if (left >= y[5] || mnw_size(y, left++) != mnw_size(x, i))
            return 0;
    }
    return k == c->attrs && left == y[5];
}

/* Whether the attributes name each axis of x once, and y has its axes in that order. */
static int mnw_fits_permuted(const mnw_call *c, const uint8_t *x, const uint8_t *y) {
    uint32_t axes = x[5], seen = 0;
    if (c->attrs != axes || axes != y[5])
        return 0;
    for (uint32_t i = 0; i < axes; i++) {
        uint32_t axis = mnw_u32(mnw_attr(c, i));
        if (axis >= axes || (seen >> axis & 1) || mnw_size(y, i) != mnw_size(x, axis))
            return 0;
        seen |= 1u << axis;
    }
    return 1;
}

/* Whether the shapes of an operation fit each other; its attributes are checked before. */
static int mnw_fits(const mnw_file *f, const mnw_call *c) {
    const uint8_t *y = mnw_value_at(f, mnw_out(c, 0)), *x = c->inputs ? mnw_value_at(f, mnw_in(c, 0)) : y, *h = y,
                  *t = y;
    uint32_t attr[3] = {0, 0, 0}, axes = x[5], rank = y[5], last = axes ? mnw_size(x, axes - 1) : 0, rows = 0;
    if (c->inputs > 1)
        h = mnw_value_at(f, mnw_in(c, 1));
    if (c->tensors)
        t = mnw_stored_at(f, mnw_stored(c, 0)); /* read only where it may not be absent */
    for (uint32_t i = 0; i < 3 && i < c->attrs; i++)
        attr[i] = mnw_u32(mnw_attr(c, i));
    switch (MNW_NUMBER(c->code)) {
    case MNW_constant:
        return mnw_alike(t, y, MNW_NO_AXIS);
    case MNW_linear:
        return axes >= 1 && rank == axes && mnw_agree(x, y, 0, axes - 1) &&
               mnw_is(f, c, 0, mnw_size(y, rank - 1), last) && mnw_is(f, c, 1, mnw_size(y, rank - 1), 0);
    case MNW_conv:
        return mnw_fits_conv(f, c, x, y);
    case MNW_pool:
        return mnw_fits_pool(c, x, y);
    case MNW_matmul: {
        uint32_t turned = attr[0], others = h[5];
        return axes >= 2 && others >= 2 && mnw_fits_both(x, h, y, 2) && mnw_size(h, others - 1 - !turned) == last &&
               mnw_size(y, rank - 2) == mnw_size(x, axes - 2) &&
               mnw_size(y, rank - 1) == mnw_size(h, others - 1 - turned);
    }
    case MNW_embedding:
        return t[5] == 2 && rank == axes + 1 && mnw_agree(x, y, 0, axes) && mnw_size(y, axes) == mnw_size(t, 1);
    case MNW_lstm:
        rows++;
        /* fall through */
    case MNW_gru:
        rows++;
        /* fall through */
    case MNW_mingru:
        rows++;
        /* fall through */
    case MNW_rnn:
        return mnw_fits_cell(f, c, x, rows + 1);
    case MNW_softmax:
    case MNW_log_softmax:
    case MNW_layer_norm:
    case MNW_rms_norm:
        for (uint32_t i = 0; i < c->tensors; i++)
            if (!mnw_is(f, c, i, last, 0))
                return 0;
        return axes >= 1 && mnw_alike(x, y, MNW_NO_AXIS);
    case MNW_sum:
    case MNW_mean:
    case MNW_max:
    case MNW_min:
    case MNW_prod:
        return mnw_fits_reduced(c, x, y);
    case MNW_concat: {
        uint64_t total = 0;
        for (uint32_t i = 0; i < c->inputs; i++) {
            x = mnw_value_at(f, mnw_in(c, i));
            if (attr[0] >= rank || !mnw_alike(x, y, attr[0]))
                return 0;
            total += mnw_size(x, attr[0]);
        }
        return total == mnw_size(y, attr[0]);
    }
    case MNW_slice:
        return attr[0] < axes && mnw_alike(x, y, attr[0]) &&
               attr[1] + (uint64_t)(mnw_size(y, attr[0]) - 1) * attr[2] < mnw_size(x, attr[0]);
    case MNW_mix:
        return mnw_alike(x, y, MNW_NO_AXIS) && mnw_alike(h, y, MNW_NO_AXIS) &&
               mnw_alike(mnw_value_at(f, mnw_in(c, 2)), y, MNW_NO_AXIS);
    case MNW_reshape:
        return mnw_elements(x) == mnw_elements(y);
    case MNW_permute:
        return mnw_fits_permuted(c, x, y);
    case MNW_gather:
        return attr[0] < axes && mnw_alike(h, y, MNW_NO_AXIS) && mnw_alike(x, y, attr[0]);
    case MNW_scatter:
        return attr[0] < axes && mnw_alike(x, y, MNW_NO_AXIS) && mnw_alike(x, h, attr[0]) &&
               mnw_alike(mnw_value_at(f, mnw_in(c, 2)), h, MNW_NO_AXIS);
    case MNW_sort:
        return attr[0] < axes && mnw_alike(x, y, attr[0]) && mnw_size(y, attr[0]) <= mnw_size(x, attr[0]) &&
               mnw_alike(mnw_value_at(f, mnw_out(c, 1)), y, MNW_NO_AXIS);
    default:
        return c->inputs == 1 ? mnw_alike(x, y, MNW_NO_AXIS) : mnw_fits_both(x, h, y, 0);
    }
}

/* What `integer` does with two whole numbers. */
enum { MNW_I_ADD, MNW_I_SUB, MNW_I_MUL, MNW_I_FLOOR_DIVIDE, MNW_I_REMAINDER, MNW_I_DIVIDE, MNW_I_FMOD };
enum { MNW_I_MINIMUM = MNW_I_FMOD + 1, MNW_I_MAXIMUM, MNW_I_EQ, MNW_I_LT, MNW_I_LE, MNW_I_AND, MNW_I_OR, MNW_I_XOR };
enum { MNW_WAYS = MNW_I_XOR + 1 };

/* The least that attribute i of an operation may be, and the first number that it may not be any more. */
static void mnw_range(const mnw_call *c, uint32_t i, uint32_t range[2]) {
    range[0] = 0;
    range[1] = 0x80000000u;
    if (c->code == MNW_conv || c->code == MNW_pool) { /* only paddings may be 0 */
        uint32_t sort = i ? (i - 1) / mnw_moves(c) : 9;
        range[0] = sort != (c->code == MNW_conv ? 1 : 2);
        if (c->code == MNW_pool && i == 0) {
            range[0] = 0;
            range[1] = 3;
        }
    } else if (c->code == MNW_matmul || c->code == MNW_rnn || (c->code >= MNW_NUMBER(MNW_gather) && i)) {
        range[1] = 2;
    } else if (c->code == MNW_integer) {
        range[1] = i ? 2 : MNW_WAYS;
    } else if (c->code == MNW_slice) {
        range[0] = i == 2;
    }
}

static int mnw_check_attributes(const mnw_file *f, const mnw_call *c) {
    int norm = c->code == MNW_layer_norm || c->code == MNW_rms_norm;
    if ((c->code == MNW_conv || c->code == MNW_pool) &&
        !mnw_within(f, MINNOW_E_ARITY, mnw_attr(c, 0), mnw_moves(c), 1, 4))
        return 0;
    for (uint32_t i = 0; i < c->attrs; i++) {
        const uint8_t *at = mnw_attr(c, i);
        uint32_t bits = mnw_u32(at), range[2] = {c->code == MNW_softplus && i == 0, 0x7f800000u};
        if (norm || (c->code >= MNW_relu && c->code < MNW_add)) { /* a number; finite unless a bound of clamp */
            range[1] += c->code == MNW_clamp;
            bits &= norm ? 0xffffffffu : 0x7fffffffu; /* an epsilon is not negative */
        } else {
            mnw_range(c, i, range);
        }
        if (!mnw_within(f, MINNOW_E_ATTRIBUTE, at, bits, range[0], range[1]))
            return 0;
    }
    return 1;
}

/* ---- A file is validated whole before any of it is used. */
static int mnw_check_values(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_VALS];
    f->index = MNW_VALS;
    if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, 1, (1u << 20) + 1))
        return 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)32 * i;
        f->index = i;
        if ((r[4] != MINNOW_F32 && !mnw_within(f, MINNOW_E_DTYPE, r + 4, r[4], MINNOW_U8, MINNOW_I32 + 1)) ||
            !mnw_check_shape(f, r))
            return 0;
    }
    return 1;
}

static int mnw_check_tensors(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_TENS], *data = &f->part[MNW_DATA];
    uint64_t stop = data->offset, limit = data->offset + data->size;
    f->index = MNW_TENS;
    if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, 0, (1u << 20) + 1))
        return 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)48 * i, *at = f->bytes;
        uint32_t dtype = r[4], whole = dtype == MINNOW_INT8, half = dtype == MINNOW_F16;
        f->index = i;
        if (!mnw_within(f, MINNOW_E_DTYPE, r + 4, dtype, 0, MINNOW_INT8 + 1) || !mnw_check_shape(f, r) ||
            !mnw_within(f, MINNOW_E_RANK, r + 5, r[5], whole, 256))
            return 0;
        uint32_t elements = mnw_elements(r), size = elements << (whole ? 0 : half ? 1 : 2);
        for (uint32_t k = 0; k < 2; k++) { /* elements, scales */
            const uint8_t *place = r + 32 + 8 * k;
            uint64_t start = size ? (stop + 63) & ~(uint64_t)63 : 0, from = mnw_u64(place);
            if ((size && (!mnw_within(f, MINNOW_E_BEYOND, place, from, data->offset, limit + 1) ||
                          !mnw_within(f, MINNOW_E_BEYOND, place, size, 0, limit - from + 1))) ||
                !mnw_same(f, MINNOW_E_PLACE, place, from, start) || (size && !mnw_zero(f, stop, start)))
                return 0;
            if (size) {
                at = f->bytes + start;
                stop = start + size;
            }
            size = whole ? 4 * mnw_size(r, 0) : 0;
        }
        /* No weight is anything but a number or infinite; no scale is infinite either. First as whole words, in each of
         * which a sum's sign shows what is beyond; what is left, or all where something was, one by one. */
        uint32_t count = whole ? mnw_size(r, 0) : elements, words = half ? count / 2 : count,
                 k = half ? 2 * words : words;
        uint32_t most = half ? 0x7c00u : 0x7f800000u - whole, mask = half ? 0x7fff7fffu : 0x7fffffffu, beyond = 0;
        for (uint32_t w = 0, up = half ? 0x3ff03ffu : 0x7fffffu + whole; w < words; w++)
            beyond |= (mnw_u32(at + (size_t)4 * w) & mask) + up;
        for (k = beyond & ~mask ? 0 : k; k < count; k++) {
            const uint8_t *one = at + ((size_t)k << (half ? 1 : 2));
            uint32_t bits = (half ? mnw_u16(one) : mnw_u32(one)) & mask;
            if (bits > most)
                return mnw_within(f, MINNOW_E_NUMBER, one, bits, 0, most + 1);
        }
    }
    f->index = part->count;
    return mnw_same(f, MINNOW_E_PLACE, f->bytes + 32 + 24 * MNW_DATA + 16, limit, stop);
}

/* Whether the value at `at` is the next one to be given, and has numbers. */
static int mnw_check_next(const mnw_file *f, const uint8_t *at, uint32_t next) {
    uint32_t values = f->part[MNW_VALS].count;
    return mnw_field(f, MINNOW_E_VALUE, at, 0, values) && mnw_field(f, MINNOW_E_DUPLICATE, at, next, values) &&
           mnw_field(f, MINNOW_E_GAP, at, 0, next + 1);
}

/* Whether the value at `at` has a dtype. */
static int mnw_check_dtype(const mnw_file *f, const uint8_t *at, uint32_t dtype) {
    return mnw_same(f, MINNOW_E_DTYPE, at, mnw_value_dtype(f, mnw_u32(at)), dtype);
}
static int mnw_check_real(const mnw_file *f, const uint8_t *at) {
    return mnw_check_dtype(f, at, MINNOW_F32);
}

/* The dtype of an operation's inputs and outputs, where they have one: what moves elements moves whole numbers too. */
static uint32_t mnw_dtype_of(const mnw_file *f, const mnw_call *c) {
    const uint32_t code = c->code;
    int whole = code == MNW_integer;
    if (code >= MNW_NUMBER(MNW_concat) && code < MNW_NUMBER(MNW_sort) &&
        !(code == MNW_scatter && mnw_u32(mnw_attr(c, 1))))
        whole = mnw_value_dtype(f, mnw_in(c, 0)) == MINNOW_I32;
    return whole ? MINNOW_I32 : MINNOW_F32;
}

static int mnw_check_operations(mnw_file *f, uint32_t given) {
    const mnw_part *part = &f->part[MNW_OPER], *args = &f->part[MNW_ARGS];
    uint32_t values = f->part[MNW_VALS].count, tensors = f->part[MNW_TENS].count, next = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint8_t *r = part->at + (size_t)16 * i, *rule = mnw_rule_of(mnw_u16(r)),
                      *at = args->at + (size_t)4 * next;
        f->index = i;
        if ((!rule && !mnw_within(f, MINNOW_E_OPERATION, r, mnw_u16(r), 256, 0)) ||
            !mnw_same(f, MINNOW_E_PADDING, r + 2, mnw_u16(r + 2), 0))
            return 0;
        uint64_t total = next;
        for (uint32_t k = 0; k < 4; k++) {
            uint32_t count = mnw_u16(r + 4 + 2 * k), many = rule[1 + k] == MNW_MANY;
            if (!mnw_within(f, MINNOW_E_ARITY, r + 4 + 2 * k, count, many ? 1 : rule[1 + k],
                            many ? UINT64_MAX : rule[1 + k] + 1u))
                return 0;
            total += count;
        }
        if (!mnw_field(f, MINNOW_E_ARGUMENTS, r + 12, next, next + 1) ||
            !mnw_within(f, MINNOW_E_ARGUMENTS, r + 12, total, 0, (uint64_t)args->count + 1))
            return 0;
        next = (uint32_t)total;
        mnw_call c = mnw_call_at(f, i);
        uint32_t dtype = MINNOW_F32;
        for (uint32_t k = 0; k < c.inputs; k++, at += 4) {
            if (!mnw_field(f, MINNOW_E_VALUE, at, 0, values) || !mnw_field(f, MINNOW_E_ORDER, at, 0, given))
                return 0;
            dtype = k ? dtype : mnw_dtype_of(f, &c);
            const int index = k == 1 && (c.code == MNW_gather || c.code == MNW_scatter);
            if (c.code == MNW_cast ? !mnw_within(f, MINNOW_E_DTYPE, at, mnw_value_dtype(f, mnw_u32(at)), 1, 256)
                                   : !mnw_check_dtype(f, at, index ? (uint32_t)MINNOW_F32 : dtype))
                return 0;
        }
        for (uint32_t k = 0; k < c.outputs; k++, at += 4)
            if (!mnw_check_next(f, at, given++) ||
                !mnw_check_dtype(f, at, c.code == MNW_whole ? (uint32_t)MINNOW_I32 : dtype))
                return 0;
        for (uint32_t k = 0; k < c.tensors; k++, at += 4)
            if ((k < rule[5] || mnw_u32(at) != MNW_ABSENT) && !mnw_field(f, MINNOW_E_TENSOR, at, 0, tensors))
                return 0;
        if (!mnw_check_attributes(f, &c) || !mnw_must(f, MINNOW_E_SHAPE, r, mnw_fits(f, &c)))
            return 0;
    }
    f->index = part->count;
    return mnw_same(f, MINNOW_E_ARGUMENTS, args->at, args->count, next) &&
           mnw_same(f, MINNOW_E_GAP, part->at, given, values);
}

/* The sections of inputs, outputs and states, and the size of their records. */
static const uint8_t mnw_ends[3][2] = {{MNW_INPS, 8}, {MNW_OUTS, 12}, {MNW_STAT, 24}};

/* Inputs, states and outputs; *given receives the number of values that are there before the first operation. */
static int mnw_check_ends(mnw_file *f, uint32_t *given) {
    const char *names = (const char *)f->part[MNW_STRS].at;
    uint32_t values = f->part[MNW_VALS].count;
    for (uint32_t p = 0; p < 3; p++) {
        uint32_t which = p == 2 ? 1 : 2 * p, record = mnw_ends[which][1]; /* outputs last */
        const mnw_part *part = &f->part[mnw_ends[which][0]];
        f->index = mnw_ends[which][0];
        if (!mnw_within(f, MINNOW_E_COUNT, part->at, part->count, which < 2, MNW_MOST_ARRAYS + 1))
            return 0;
        for (uint32_t i = 0; i < part->count; i++) {
            const uint8_t *r = part->at + (size_t)record * i;
            f->index = i;
            if (!mnw_check_name(f, r, 1))
                return 0;
            for (const uint8_t *other = part->at; other < r; other += record)
                if (!mnw_must(f, MINNOW_E_TWICE, r, strcmp(names + mnw_u32(r), names + mnw_u32(other)) != 0))
                    return 0;
            if (which == 1) {
                if (!mnw_field(f, MINNOW_E_VALUE, r + 4, 0, values) || !mnw_check_real(f, r + 4) ||
                    !mnw_field(f, MINNOW_E_ROLE, r + 8, 0, MINNOW_VALUE + 1))
                    return 0;
                continue;
            }
            if (!mnw_check_next(f, r + 4, (*given)++)) /* inputs and states take the first values, in order */
                return 0;
            if (which == 0)
                continue;
            const uint8_t *before = mnw_value_at(f, mnw_u32(r + 4));
            uint32_t initial = mnw_u32(r + 12);
            if (!mnw_check_real(f, r + 4) || !mnw_field(f, MINNOW_E_VALUE, r + 8, 0, values) ||
                !mnw_check_real(f, r + 8) ||
                !mnw_must(f, MINNOW_E_SHAPE, r + 8, mnw_alike(before, mnw_value_at(f, mnw_u32(r + 8)), MNW_NO_AXIS)))
                return 0;
            if (initial != MNW_ABSENT &&
                (!mnw_field(f, MINNOW_E_TENSOR, r + 12, 0, f->part[MNW_TENS].count) ||
                 !mnw_must(f, MINNOW_E_SHAPE, r + 12, mnw_alike(before, mnw_stored_at(f, initial), MNW_NO_AXIS))))
                return 0;
            if (!mnw_field(f, MINNOW_E_RANK, r + 16, 0, before[5] + 1u) ||
                !mnw_field(f, MINNOW_E_PADDING, r + 20, 0, 1))
                return 0;
        }
    }
    return 1;
}

static int mnw_check_action(mnw_file *f) {
    const mnw_part *part = &f->part[MNW_ACTN], *outs = &f->part[MNW_OUTS];
    const uint8_t *a = part->at, *h = a + 24;
    f->index = MNW_ACTN;
    if (!mnw_within(f, MINNOW_E_COUNT, a, part->count, 6, UINT64_MAX))
        return 0;
    f->index = 0;
    uint32_t kind = mnw_u32(a), heads = mnw_u32(a + 4), box = MNW_HAS_BOX && kind == MINNOW_BOX,
             stretched = mnw_u32(a + 16) == MINNOW_TANH;
    if (!mnw_field(f, MINNOW_E_KIND, a, 0, MINNOW_BOX + MNW_HAS_BOX) ||
        !mnw_same(f, MINNOW_E_HEADS, a + 4, 6 + (uint64_t)3 * heads, part->count) ||
        !mnw_within(f, MINNOW_E_HEADS, a + 4, heads, kind != MINNOW_NONE,
                    kind <= MINNOW_DISCRETE ? kind + (uint64_t)1 : UINT64_MAX) ||
        !mnw_field(f, MINNOW_E_KIND, a + 16, box ? MINNOW_CLIP : 0, box ? MINNOW_TANH + 1 : 1) ||
        !mnw_field(f, MINNOW_E_PADDING, a + 20, 0, 1))
        return 0;
    uint64_t total = 0;
    for (; f->index < heads; f->index++, h += 12) {
        if (!mnw_within(f, MINNOW_E_HEADS, h, mnw_u32(h), !box, box ? 1 : UINT64_MAX))
            return 0;
        total += box ? 1 : mnw_u32(h);
        for (uint32_t k = 4; k < 12;
             k += 4) { /* bounds: finite where tanh is stretched to them, 0 where there are none */
            uint32_t bits = mnw_u32(h + k) & (box ? 0x7fffffffu : 0xffffffffu);
            if (!mnw_within(f, MINNOW_E_BOUNDS, h + k, bits, 0, box ? 0x7f800001u - stretched : 1))
                return 0;
        }
        if (box && !(mnw_f32(h + 4) < mnw_f32(h + 8)))
            return mnw_must(f, MINNOW_E_BOUNDS, h + 4, 0);
    }
    f->index = 0;
    for (uint32_t k = 0; k < 2; k++) { /* logits or means; log_std */
        const uint8_t *at = a + 8 + 4 * k;
        uint32_t feed = mnw_u32(at), may = k == 0 ? kind != MINNOW_NONE : box;
        if (feed == MNW_ABSENT && (k == 1 || !may))
            continue;
        if (!mnw_field(f, MINNOW_E_FEED, at, 0, may ? outs->count : 0) ||
            !mnw_same(f, MINNOW_E_HEADS, at, mnw_elements(mnw_value_at(f, mnw_u32(outs->at + (size_t)12 * feed + 4))),
                      total))
            return 0;
    }
    return 1;
}

/* Bytes of one step's golden vectors for so many agents, where section p's arrays are; each padded to 4. */
static uint64_t mnw_value_bytes(const mnw_file *f, uint32_t value, uint32_t agents) {
    uint64_t elements = (uint64_t)mnw_elements(mnw_value_at(f, value)) * agents;
    return mnw_value_dtype(f, value) == MINNOW_U8 ? (elements + 3) & ~(uint64_t)3 : elements * 4;
}

static int mnw_check_golden(const mnw_file *f) {
    const mnw_part *part = &f->part[MNW_GOLD];
    const uint8_t *at = part->at, *stop = at + part->size;
    if (!mnw_within(f, MINNOW_E_GOLDEN, at, part->size, 8, UINT64_MAX) ||
        !mnw_field(f, MINNOW_E_GOLDEN, at, 2, UINT32_MAX) ||
        !mnw_within(f, MINNOW_E_GOLDEN, at + 4, mnw_u32(at + 4), 1, (uint64_t)part->count + 1))
        return 0;
    uint32_t steps = mnw_u32(at), agents = mnw_u32(at + 4);
    uint64_t step = 0;
    for (uint32_t p = 0; p < 3; p++) {
        const mnw_part *ends = &f->part[mnw_ends[p][0]];
        for (uint32_t i = 0; i < ends->count; i++)
            step += mnw_value_bytes(f, mnw_u32(ends->at + (size_t)mnw_ends[p][1] * i + 4), agents);
    }
    uint64_t left = part->size - 8, flags = (uint64_t)steps * agents;
    if (!mnw_within(f, MINNOW_E_GOLDEN, at, left / step, steps, UINT64_MAX))
        return 0;
    left -= step * steps;
    if (left && !mnw_same(f, MINNOW_E_GOLDEN, at, left, (flags + 3) / 4 * 4))
        return 0;
    for (at = stop - left; at < stop; at++, flags -= flags != 0)
        if (!mnw_within(f, MINNOW_E_GOLDEN, at, *at, 0, flags ? 2 : 1))
            return 0;
    return 1;
}

static int mnw_validate(mnw_file *f, const void *bytes, size_t size, minnow_error *error) {
    uint32_t given = 0;
    f->bytes = (const uint8_t *)bytes;
    f->error = error;
    f->index = 0;
    mnw_fail(error, MINNOW_OK, 0, 0, 0, 0);
    if (!bytes)
        return mnw_fail(error, MINNOW_E_ARGUMENT, 0, 0, 0, 0);
    return mnw_open(f, size) && mnw_check_texts(f) && mnw_check_values(f) && mnw_check_tensors(f) &&
           mnw_check_ends(f, &given) && mnw_check_operations(f, given) && mnw_check_action(f) && mnw_check_golden(f);
}

/* ---- A loaded policy: what the steps need, in the caller's block. */
enum { MNW_PANEL = 16 }; /* outputs side by side in packed weights */
enum { MNW_RUN = 256 };  /* products that are summed one after another; the sums of such runs are summed in turn */

typedef struct mnw_value {
    mnw_shape shape;
    uint32_t bytes; /* of one agent's part */
    uint32_t dtype;
    uint64_t place; /* of an agent's part among the floats of all values */
    const char *name;
} mnw_value;

/* Where there is plain C alone, memory is dear: the weights of linear layers stay where they are. */
#define MNW_IN_PLACE (!(MNW_HAS_SSE2 + MNW_HAS_AVX2 + MNW_HAS_AVX512 + MNW_HAS_NEON + MNW_HAS_SIMD128))

typedef struct mnw_op {
    mnw_call call;
    const float *tensor[4]; /* as the operation wants them: see mnw_pack */
} mnw_op;

struct minnow_policy {
    mnw_file file;
    uint32_t checksum;
    uint32_t isas; /* what this machine has */
    uint32_t inputs, outputs, states, values, ops;
    uint64_t floats;     /* of all values, for one agent */
    uint64_t scratch;    /* floats an operation may need besides, for one agent */
    uint64_t once;       /* and for all agents together */
    uint64_t state;      /* floats of the recurrent state of one agent */
    minnow_array *array; /* inputs, states, outputs */
    mnw_value *value;
    mnw_op *op;
    uint32_t *after, *result; /* the values of states after the step, and of outputs */
    const float **initial;    /* of each state; NULL: zeros */
    minnow_action_spec action;
    minnow_head *head;
    uint32_t feed, log_std, value_output; /* outputs; MNW_ABSENT if there is none */
};

/* Hands out pieces of a block, or only counts where there is none. */
typedef struct mnw_block {
    uint8_t *at;
    uint64_t used;
} mnw_block;

static void *mnw_take(mnw_block *b, uint64_t bytes) {
    void *piece = b->at ? (void *)(b->at + b->used) : NULL;
    b->used += (bytes + 63) & ~(uint64_t)63;
    return piece;
}

/* A matrix [n][k] (or two, one after the other in k) as panels [n / 16][k][16], absent rows 0; a vector is k = 1. The
 * sum of two vectors where `plus` is one. Missing tensors count as zeros. Each of `groups` parts of the rows, n in
 * each, has panels of its own. */
static const float *mnw_pack(const mnw_file *f, mnw_block *b, uint32_t tensor, uint32_t plus, uint32_t groups,
                             uint32_t n, uint32_t k) {
    uint64_t panels = n / MNW_PANEL + (n % MNW_PANEL != 0), each = panels * MNW_PANEL * k;
    float *to = (float *)mnw_take(b, 4 * each * groups);
    if (!to)
        return NULL;
    const uint32_t source[2] = {tensor, plus};
    memset(to, 0, (size_t)(4 * each * groups));
    for (int part = 0; part < 2; part++) {
        if (source[part] == MNW_ABSENT)
            continue;
        mnw_tensor t = mnw_tensor_at(f, source[part]);
        for (uint32_t row = 0; row < n * groups; row++) {
            uint32_t at = row % n;
            float *lane = to + row / n * (size_t)each + (size_t)(at / MNW_PANEL) * k * MNW_PANEL + at % MNW_PANEL;
            const uint8_t *from = t.dtype == MINNOW_F32 ? t.data + (size_t)4 * row * k : NULL;
            for (uint32_t i = 0; i < k; i++, lane += MNW_PANEL)
                *lane += from ? mnw_f32(from + (size_t)4 * i) : mnw_element(&t, row * k + i);
        }
    }
    return to;
}

/* A tensor as it is. */
static const float *mnw_plain(const mnw_file *f, mnw_block *b, uint32_t tensor) {
    if (tensor == MNW_ABSENT)
        return NULL;
    mnw_tensor t = mnw_tensor_at(f, tensor);
    float *to = (float *)mnw_take(b, (uint64_t)4 * t.shape.elements);
    for (uint32_t i = 0; to && i < t.shape.elements; i++)
        to[i] = mnw_element(&t, i);
    return to;
}

enum { MNW_BLOCK = 24 }; /* windows of a convolution that are laid out at a time */

/* A convolution along three axes, the first of which may be absent. What lies side by side in a window is a line:
 * `lines` numbers behind this say where those of a window begin, seen from the first one. */
typedef struct mnw_windows {
    uint32_t groups, channels, n, k; /* inputs, outputs and weights of an output, of one group */
    uint32_t size[3], in[3], out[3], stride[3], padding[3], dilation[3], width, lines;
} mnw_windows;

static const mnw_windows *mnw_build_windows(mnw_block *b, const mnw_call *c, const mnw_shape *w, const mnw_shape *x,
                                            const mnw_shape *y) {
    uint32_t d = mnw_moves(c), groups = mnw_u32(mnw_attr(c, 0)), n = w->size[0] / groups, k = w->elements / w->size[0];
    mnw_windows of = {groups, w->size[1], n, k, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 1, k};
    for (uint32_t i = 0, axis = 3 - d; i < d; i++, axis++) {
        of.size[axis] = w->size[2 + i];
        of.in[axis] = x->size[1 + i];
        of.out[axis] = y->size[1 + i];
        of.stride[axis] = mnw_of_axis(c, 0, i);
        of.padding[axis] = mnw_of_axis(c, 1, i);
        of.dilation[axis] = mnw_of_axis(c, 2, i);
    }
    if (of.dilation[2] == 1) {
        of.width = of.size[2];
        of.lines = k / of.width;
    }
    mnw_windows *to = (mnw_windows *)mnw_take(b, sizeof of + (uint64_t)4 * of.lines);
    if (!to)
        return NULL;
    *to = of;
    uint32_t *offset = (uint32_t *)(void *)(to + 1);
    for (uint32_t i = 0; i < of.channels * of.size[0]; i++)
        for (uint32_t q = 0; q < of.size[1]; q++)
            for (uint32_t r = 0; r < of.size[2]; r += of.width)
                *offset++ =
                    ((i / of.size[0] * of.in[0] + i % of.size[0] * of.dilation[0]) * of.in[1] + q * of.dilation[1]) *
                        of.in[2] +
                    r * of.dilation[2];
    return to;
}

/* scratch[0]: floats for each agent, scratch[1]: for all together. */
static void mnw_build_op(const mnw_file *f, mnw_block *b, const mnw_call *c, mnw_op *op, uint64_t scratch[2]) {
    const float *tensor[4] = {NULL, NULL, NULL, NULL};
    const uint32_t code = MNW_NUMBER(c->code);
    uint64_t need = 0, once = 0;
    mnw_shape y = mnw_value_shape(f, mnw_out(c, 0)), x = c->inputs ? mnw_value_shape(f, mnw_in(c, 0)) : y;
    uint32_t k = x.rank ? x.size[x.rank - 1] : 1, n = y.rank ? y.size[y.rank - 1] : 1, rows = n, groups = 1;
    switch (code) {
    case MNW_linear:
        if (MNW_IN_PLACE)
            break;
        /* fall through */
    case MNW_lstm:
    case MNW_gru:
    case MNW_mingru:
    case MNW_rnn:
    case MNW_conv:
        if (code == MNW_conv) {
            mnw_shape w = mnw_tensor_at(f, mnw_stored(c, 0)).shape;
            groups = mnw_u32(mnw_attr(c, 0));
            rows = w.size[0] / groups;
            k = w.elements / w.size[0];
            tensor[2] = (const float *)(const void *)mnw_build_windows(b, c, &w, &x, &y);
            once = MNW_BLOCK * ((uint64_t)k + rows) + 3;
        } else {
            rows *= code == MNW_lstm ? 4 : code == MNW_gru ? 3 : code == MNW_mingru ? 2 : 1;
            need = (uint64_t)rows * (code == MNW_gru ? 2 : code == MNW_lstm || code == MNW_mingru);
        }
        for (uint32_t i = 0; i < c->tensors; i++) { /* weights, weights of the state, and biases: one, but for gru,
                                                     * which gates one of them */
            const uint32_t two = i == 2 && code != MNW_gru;
            tensor[i] = mnw_pack(f, b, mnw_stored(c, i), two ? mnw_stored(c, 3) : MNW_ABSENT, groups, rows,
                                 !i                          ? k
                                 : i == 1 && c->tensors == 4 ? n
                                                             : 1);
            if (two)
                break;
        }
        break;
    case MNW_matmul: /* the second input as panels */
        once = (((uint64_t)n + MNW_PANEL - 1) / MNW_PANEL) * MNW_PANEL * k;
        break;
    default:
        for (uint32_t i = 0; i < c->tensors; i++)
            tensor[i] = mnw_plain(f, b, mnw_stored(c, i));
    }
    scratch[0] = need > scratch[0] ? need : scratch[0];
    scratch[1] = once > scratch[1] ? once : scratch[1];
    if (op) {
        op->call = *c;
        memcpy(op->tensor, tensor, sizeof tensor);
    }
}

static void mnw_build_array(const mnw_file *f, const uint8_t *record, uint32_t role, minnow_array *a) {
    uint32_t value = mnw_u32(record + 4);
    mnw_shape s = mnw_value_shape(f, value);
    a->name = (const char *)f->part[MNW_STRS].at + mnw_u32(record);
    a->dtype = mnw_value_dtype(f, value);
    a->role = role;
    a->rank = s.rank;
    a->size = s.elements;
    memcpy(a->shape, s.size, sizeof a->shape);
}

/* ---- Loading. */
/* Builds a policy from a valid file in a block, or only counts what it needs; NULL then. */
static minnow_policy *mnw_build(const mnw_file *f, mnw_block *b) {
    const mnw_part *inps = &f->part[MNW_INPS], *stat = &f->part[MNW_STAT], *outs = &f->part[MNW_OUTS];
    uint32_t values = f->part[MNW_VALS].count, ops = f->part[MNW_OPER].count;
    const uint8_t *a = f->part[MNW_ACTN].at;
    minnow_policy *p = (minnow_policy *)mnw_take(b, sizeof *p);
    uint32_t arrays = inps->count + stat->count + outs->count;
    minnow_array *array = (minnow_array *)mnw_take(b, (uint64_t)arrays * sizeof *array);
    mnw_value *value = (mnw_value *)mnw_take(b, (uint64_t)values * sizeof *value);
    mnw_op *op = (mnw_op *)mnw_take(b, (uint64_t)ops * sizeof *op);
    uint32_t *after = (uint32_t *)mnw_take(b, (uint64_t)stat->count * sizeof *after);
    uint32_t *result = (uint32_t *)mnw_take(b, (uint64_t)outs->count * sizeof *result);
    const float **initial = (const float **)mnw_take(b, (uint64_t)stat->count * sizeof *initial);
    minnow_head *head = (minnow_head *)mnw_take(b, (uint64_t)mnw_u32(a + 4) * sizeof *head);
    uint64_t scratch[2] = {0, 0};
    for (uint32_t i = 0; i < ops; i++) {
        mnw_call c = mnw_call_at(f, i);
        mnw_build_op(f, b, &c, op ? &op[i] : NULL, scratch);
    }
    for (uint32_t i = 0; i < stat->count; i++) {
        const float *start = mnw_plain(f, b, mnw_u32(stat->at + (size_t)24 * i + 12));
        if (initial)
            initial[i] = start;
    }
    if (!p)
        return NULL;

    memset(p, 0, sizeof *p);
    p->file = *f;
    p->file.error = NULL;
    p->checksum = mnw_u32(f->bytes + 12);
    p->isas = minnow_isas();
    p->inputs = inps->count;
    p->states = stat->count;
    p->outputs = outs->count;
    p->values = values;
    p->ops = ops;
    p->scratch = scratch[0];
    p->once = scratch[1];
    p->array = array;
    p->value = value;
    p->op = op;
    p->after = after;
    p->result = result;
    p->initial = initial;
    p->head = head;
    for (uint32_t i = 0; i < values; i++) {
        const uint8_t *r = f->part[MNW_VALS].at + (size_t)32 * i;
        mnw_value *v = &value[i];
        v->shape = mnw_shape_at(r);
        v->dtype = r[4];
        v->bytes = v->shape.elements * (v->dtype == MINNOW_U8 ? 1 : 4);
        v->name = (const char *)f->part[MNW_STRS].at + mnw_u32(r);
        v->place = p->floats;
        p->floats += (v->shape.elements + 15u) & ~(uint32_t)15;
    }
    for (uint32_t i = 0; i < ops; i++) /* a reshape is its input seen otherwise */
        if (op[i].call.code == MNW_reshape)
            value[mnw_out(&op[i].call, 0)].place = value[mnw_in(&op[i].call, 0)].place;
    for (uint32_t i = 0; i < inps->count; i++)
        mnw_build_array(f, inps->at + (size_t)8 * i, MINNOW_OTHER, array++);
    for (uint32_t i = 0; i < stat->count; i++) {
        mnw_build_array(f, stat->at + (size_t)24 * i, MINNOW_OTHER, array);
        p->state += array++->size;
        after[i] = mnw_u32(stat->at + (size_t)24 * i + 8);
    }
    p->value_output = MNW_ABSENT;
    for (uint32_t i = 0; i < outs->count; i++) {
        const uint8_t *r = outs->at + (size_t)12 * i;
        mnw_build_array(f, r, mnw_u32(r + 8), array++);
        result[i] = mnw_u32(r + 4);
        if (mnw_u32(r + 8) == MINNOW_VALUE && p->value_output == MNW_ABSENT)
            p->value_output = i;
    }
    p->action.kind = mnw_u32(a);
    p->action.heads = mnw_u32(a + 4);
    p->feed = mnw_u32(a + 8);
    p->log_std = mnw_u32(a + 12);
    p->action.squash = mnw_u32(a + 16);
    for (uint32_t i = 0; i < p->action.heads; i++) {
        const uint8_t *h = a + 24 + (size_t)12 * i;
        head[i].size = mnw_u32(h);
        head[i].low = mnw_f32(h + 4);
        head[i].high = mnw_f32(h + 8);
        p->action.choices += head[i].size;
    }
    return p;
}

static uint8_t *mnw_aligned(void *block) {
    uint8_t *at = (uint8_t *)block;
    return at + ((64 - ((uintptr_t)at & 63)) & 63);
}

/* A count of bytes as a block's size: room to align it; 0 if no block can be so large. */
static size_t mnw_block_size(uint64_t bytes) {
    return bytes < (SIZE_MAX >> 1) ? (size_t)bytes + 63 : 0;
}

MINNOW_API size_t minnow_size(const void *bytes, size_t size, minnow_error *error) {
    mnw_file f;
    mnw_block count = {NULL, 0};
    if (!mnw_validate(&f, bytes, size, error))
        return 0;
    mnw_build(&f, &count);
    if (!mnw_block_size(count.used))
        mnw_fail(error, MINNOW_E_MEMORY, 0, 0, count.used, SIZE_MAX >> 1);
    return mnw_block_size(count.used);
}

MINNOW_API const minnow_policy *minnow_load(const void *bytes, size_t size, void *block, size_t block_size,
                                            minnow_error *error) {
    mnw_file f;
    mnw_block count = {NULL, 0}, piece = {NULL, 0};
    if (!mnw_validate(&f, bytes, size, error))
        return NULL;
    mnw_build(&f, &count);
    size_t need = mnw_block_size(count.used);
    if (!block || !need || block_size < need) {
        mnw_fail(error, need ? MINNOW_E_BLOCK : MINNOW_E_MEMORY, 0, 0, block ? block_size : 0, count.used + 63);
        return NULL;
    }
    piece.at = mnw_aligned(block);
    uint64_t was = mnw_enter();
    minnow_policy *policy = mnw_build(&f, &piece);
    mnw_leave(was);
    return policy;
}

MINNOW_API uint32_t minnow_inputs(const minnow_policy *policy) {
    return policy->inputs;
}
MINNOW_API uint32_t minnow_outputs(const minnow_policy *policy) {
    return policy->outputs;
}
MINNOW_API uint32_t minnow_states(const minnow_policy *policy) {
    return policy->states;
}
MINNOW_API const minnow_array *minnow_input(const minnow_policy *policy, uint32_t index) {
    return index < policy->inputs ? &policy->array[index] : NULL;
}
MINNOW_API const minnow_array *minnow_state_array(const minnow_policy *policy, uint32_t index) {
    return index < policy->states ? &policy->array[policy->inputs + index] : NULL;
}
MINNOW_API const minnow_array *minnow_output(const minnow_policy *policy, uint32_t index) {
    return index < policy->outputs ? &policy->array[policy->inputs + policy->states + index] : NULL;
}
MINNOW_API const minnow_action_spec *minnow_action_of(const minnow_policy *policy) {
    return &policy->action;
}
MINNOW_API const minnow_head *minnow_head_of(const minnow_policy *policy, uint32_t head) {
    return head < policy->action.heads ? &policy->head[head] : NULL;
}
MINNOW_API const char *minnow_meta(const minnow_policy *policy, size_t *size) {
    *size = (size_t)policy->file.part[MNW_META].size;
    return (const char *)policy->file.part[MNW_META].at;
}

/* The last rooms, once for each instruction set. */
/* ---- What is compiled for each instruction set: their names: mnw_exp here is mnw_exp_avx2 there. Every type and
 * function of those rooms is in this list. */
#define MNW_NAME(name) MNW_GLUE(name, MNW_ISA)
#define MNW_GLUE(name, isa) MNW_GLUED(name, isa)
#define MNW_GLUED(name, isa) name##_##isa
#define mnw_round MNW_NAME(mnw_round)
#define mnw_floor MNW_NAME(mnw_floor)
#define mnw_sine_all MNW_NAME(mnw_sine_all)
#define mnw_gru_of MNW_NAME(mnw_gru_of)
#define mnw_v MNW_NAME(mnw_v)
#define mnw_i MNW_NAME(mnw_i)
#define mnw_u MNW_NAME(mnw_u)
#define mnw_splat MNW_NAME(mnw_splat)
#define mnw_load MNW_NAME(mnw_load)
#define mnw_store MNW_NAME(mnw_store)
#define mnw_put MNW_NAME(mnw_put)
#define mnw_sum_up MNW_NAME(mnw_sum_up)
#define mnw_add_up MNW_NAME(mnw_add_up)
#define mnw_never MNW_NAME(mnw_never)
#define mnw_sum_tall MNW_NAME(mnw_sum_tall)
#define mnw_sum_thin MNW_NAME(mnw_sum_thin)
#define mnw_sum_wide MNW_NAME(mnw_sum_wide)
#define mnw_sum_middle MNW_NAME(mnw_sum_middle)
#define mnw_sum_least MNW_NAME(mnw_sum_least)
#define mnw_get MNW_NAME(mnw_get)
#define mnw_apply MNW_NAME(mnw_apply)
#define mnw_load_some MNW_NAME(mnw_load_some)
#define mnw_store_some MNW_NAME(mnw_store_some)
#define mnw_select MNW_NAME(mnw_select)
#define mnw_abs MNW_NAME(mnw_abs)
#define mnw_sign_of MNW_NAME(mnw_sign_of)
#define mnw_min MNW_NAME(mnw_min)
#define mnw_max MNW_NAME(mnw_max)
#define mnw_at_most MNW_NAME(mnw_at_most)
#define mnw_at_least MNW_NAME(mnw_at_least)
#define mnw_table MNW_NAME(mnw_table)
#define mnw_horner MNW_NAME(mnw_horner)
#define mnw_exp_apart MNW_NAME(mnw_exp_apart)
#define mnw_log MNW_NAME(mnw_log)
#define mnw_log_apart MNW_NAME(mnw_log_apart)
#define mnw_sigmoid MNW_NAME(mnw_sigmoid)
#define mnw_tanh_apart MNW_NAME(mnw_tanh_apart)
#define mnw_tanh MNW_NAME(mnw_tanh)
#define mnw_exp MNW_NAME(mnw_exp)
#define mnw_gates MNW_NAME(mnw_gates)
#define mnw_erf MNW_NAME(mnw_erf)
#define mnw_sqrt_all MNW_NAME(mnw_sqrt_all)
#define mnw_softplus MNW_NAME(mnw_softplus)
#define mnw_mish MNW_NAME(mnw_mish)
#define mnw_unary MNW_NAME(mnw_unary)
#define mnw_binary MNW_NAME(mnw_binary)
#define mnw_lstm_of MNW_NAME(mnw_lstm_of)
#define mnw_mingru_of MNW_NAME(mnw_mingru_of)
#define mnw_mix_of MNW_NAME(mnw_mix_of)
#define mnw_fill MNW_NAME(mnw_fill)

/* Operations of which wide instruction sets have no code of their own where four lanes at a time are there too. */
#define MNW_RARE                                                                                                       \
    (1u << MNW_selu % 32 | 1u << MNW_mish % 32 | 1u << MNW_softplus % 32 | 1u << MNW_softsign % 32 |                   \
     1u << MNW_hardsigmoid % 32 | 1u << MNW_hardswish % 32)
#define MNW_RARER                                                                                                      \
    (1u << MNW_log % 32 | 1u << MNW_sqrt % 32 | 1u << MNW_rsqrt % 32 | 1u << MNW_reciprocal % 32 |                     \
     1u << MNW_sin % 32 | 1u << MNW_cos % 32 | 1u << MNW_floor % 32 | 1u << MNW_round % 32 | 1u << MNW_sign % 32 |     \
     1u << MNW_erf % 32)

/* ---- The numbers, for each instruction set. */
#if defined(__clang__)
#pragma clang attribute pop
#endif
#if MNW_HAS_PLAIN
#define MNW_ISA plain
#define MNW_LANES 1
#define MNW_FUSED 0
#include MINNOW_HEADER
#endif
#if MNW_HAS_SSE2 || MNW_HAS_NEON || MNW_HAS_SIMD128
#define MNW_ISA simd
#define MNW_LANES 4
#define MNW_FUSED 0
#include MINNOW_HEADER
#endif
#if MNW_HAS_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif
#define MNW_ISA avx2
#define MNW_LANES 8
#define MNW_FUSED 0
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#pragma STDC FENV_ACCESS ON
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif
#define MNW_ISA avx512
#define MNW_LANES 16
#define MNW_FUSED 0
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#if !defined(__FMA__)
#pragma STDC FENV_ACCESS OFF
#endif
#else
#pragma GCC pop_options
#endif
#endif
/* Products and gates once more for fast arithmetic, with fused multiply-add. */
#if defined(__clang__) && defined(__FMA__)
#pragma STDC FENV_ACCESS OFF
#endif
#if MNW_HAS_FAST && MNW_HAS_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA avx2_fast
#define MNW_LANES 8
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_FAST && MNW_HAS_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA avx512_fast
#define MNW_LANES 16
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma clang attribute pop
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if MNW_HAS_FAST && MNW_HAS_NEON
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")
#endif
#define MNW_ISA simd_fast
#define MNW_LANES 4
#define MNW_FUSED 1
#include MINNOW_HEADER
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC pop_options
#endif
#endif
#if defined(__clang__) && defined(__FMA__)
#pragma STDC FENV_ACCESS ON
#endif
#if defined(__clang__) && defined(MNW_FAST_MATH)
#pragma float_control(precise, on)
#endif
#if defined(__clang__)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

/* The functions of one instruction set; `allowed` are the others that may help. */
static void mnw_choose_kernels(mnw_kernels *k, uint32_t isa, uint32_t allowed, int fast) {
    (void)allowed, (void)fast;
#if MNW_HAS_AVX512
    if (isa == MINNOW_AVX512) {
        mnw_fill_avx512(k);
#if MNW_HAS_AVX2 && MNW_HAS_EXACT
        /* Zen 4 adds and multiplies 512 bits apart at two thirds of the rate of 256 bits: rows together take those. */
        uint32_t r[4];
        mnw_cpuid(1, r);
        if (!fast && (allowed & MINNOW_AVX2) && (r[0] & 0x0ff00f00u) == 0x00a00f00u) {
            mnw_kernels narrow;
            mnw_fill_avx2(&narrow);
            k->tall = narrow.tall;
            k->thin = narrow.thin;
            k->rows = narrow.rows;
            k->columns = narrow.columns; /* few are as many */
        }
#endif
#if MNW_HAS_FAST
        if (fast)
            mnw_fill_avx512_fast(k);
#endif
    }
#endif
#if MNW_HAS_AVX2
    if (isa == MINNOW_AVX2) {
        mnw_fill_avx2(k);
#if MNW_HAS_FAST
        if (fast)
            mnw_fill_avx2_fast(k);
#endif
    }
#endif
#if MNW_HAS_NEON
    mnw_fill_simd(k);
#if MNW_HAS_FAST
    if (fast)
        mnw_fill_simd_fast(k);
#endif
#elif MNW_HAS_SSE2 || MNW_HAS_SIMD128
    if (isa & (MINNOW_SSE2 | MINNOW_SIMD128))
        mnw_fill_simd(k);
#endif
#if MNW_HAS_PLAIN
    if (isa == MINNOW_PLAIN)
        mnw_fill_plain(k);
#endif
}

/* A session, and the operations that it runs. */
/* ---- Products. */
enum { MNW_SUMS = (MNW_HAS_AVX512 ? 16 : MNW_HAS_AVX2 ? 6 : 4) * MNW_PANEL }; /* in a block, at most */

/* `rows` rows from `row` on (at most k->rows), `columns` outputs from `column` on. */
static void mnw_block_of(const mnw_kernels *kernels, const mnw_product_of *p, size_t row, size_t rows, size_t column,
                         size_t columns) {
    float sums[MNW_SUMS], total[MNW_SUMS];
    /* Where fewer rows are left, some are computed twice: those from `second` on follow the first four. */
    const size_t all = rows > 1 ? kernels->rows : 1, count = all * columns, others = all > 4 ? all - 4 : 0;
    const size_t second = rows > others ? rows - others : 0, there = p->n - column < columns ? p->n - column : columns;
    const float *x = p->x, *w = p->w;
    size_t k = p->k, runs = 0;
    const mnw_sum sum_up = rows > 1                   ? (columns == kernels->columns ? kernels->tall : kernels->thin)
                           : columns == kernels->most ? kernels->wide
                           : columns == kernels->half ? kernels->middle
                                                      : kernels->least;
    /* A block that lies wholly in y, and whose sums are not of several runs, is made there. */
    const int direct = rows == all && there == columns && k <= MNW_RUN && p->more_k <= MNW_RUN;
    mnw_rows from = {NULL, NULL, {0, 0, 0, 0}, sums, sums, 0, columns};
    if (p->bias)
        from.sums = p->bias + column;
    else
        memset(sums, 0, columns * sizeof *sums);
    if (direct) {
        from.to = p->y + row * p->n + column;
        from.to_by = p->n;
    }
    for (;;) {
        from.x = x + row * k;
        from.then = from.x + second * k;
        const float *panel = w + column / MNW_PANEL * k * MNW_PANEL + column % MNW_PANEL;
        for (size_t r = 1; r < 4; r++)
            from.by[r] = (r < rows ? r : rows - 1) * k;
        for (size_t left = k;;) { /* a sum of sums: one alone would gather the rounding of thousands of steps */
            size_t run = left < (size_t)MNW_RUN ? left : (size_t)MNW_RUN;
            sum_up(&from, panel, k * MNW_PANEL, run);
            from.sums = from.to;
            from.sums_by = from.to_by;
            left -= run;
            if (!left)
                break;
            for (size_t i = 0; i < count; i++) {
                total[i] = runs ? total[i] + sums[i] : sums[i];
                sums[i] = 0.0f;
            }
            runs++;
            from.x += run;
            from.then += run;
            panel += run * MNW_PANEL;
        }
        if (x == p->more_x || !p->more_k)
            break;
        x = p->more_x;
        w = p->more_w;
        k = p->more_k;
    }
    if (direct)
        return;
    for (size_t i = 0; runs && i < count; i++)
        sums[i] = total[i] + sums[i];
    for (size_t r = 0; r < all; r++) {
        size_t to = row + (r > 3 ? second + r - 4 : r < rows ? r : rows - 1);
        memcpy(p->y + to * p->n + column, sums + r * columns, there * sizeof *sums);
    }
}

static void mnw_linear_of(const mnw_kernels *k, const mnw_product_of *p, size_t rows) {
    size_t some = 3 * (rows % k->rows) <= k->rows + 1 ? rows % k->rows : 0, step; /* so few go one by one */
    /* Columns outside and rows within: a panel stays in the first cache while all rows meet it. */
    for (size_t column = 0; column < p->n && some < rows; column += step) {
        step = p->n - column <= k->columns - k->few ? k->few : k->columns;
        for (size_t row = 0; row < rows - some; row += k->rows)
            mnw_block_of(k, p, row, rows - some - row < k->rows ? rows - some - row : k->rows, column, step);
    }
    for (size_t row = rows - some; row < rows; row++)
        for (size_t column = 0; column < p->n; column += step) {
            size_t left = p->n - column + k->few - 1; /* so that a last vector may be in part */
            step = left >= k->most ? k->most : left >= k->half ? k->half : k->few;
            mnw_block_of(k, p, row, 1, column, step);
        }
}

/* ---- Functions that few policies call: one number at a time, one code for every instruction set. Their digits come
 * from doubles, so that what is rounded last is right to 0.501 units in the last place, over all floats. */

/* What is left of x when it is divided by y, with the sign of x: exact. */
static float mnw_fmod_of(float x, float y) {
    uint32_t a = mnw_bits(x) & 0x7fffffffu, b = mnw_bits(y) & 0x7fffffffu, left = a >> 23, e = b >> 23;
    if (a >= 0x7f800000u || b > 0x7f800000u || b == 0)
        return mnw_from(0x7fc00000u);
    if (a < b)
        return x;
    uint64_t rest = (a & 0x7fffffu) | (left ? 0x800000u : 0u), by = (b & 0x7fffffu) | (e ? 0x800000u : 0u);
    left += !left;
    e += !e;
    for (left -= e; rest %= by, left;) {
        uint32_t some = left < 40 ? left : 40;
        rest <<= some;
        left -= some;
    }
    float size = (float)(uint32_t)rest * mnw_from(e > 23 ? (e - 23) << 23 : 1u << (e - 1)); /* times 2^(e - 150) */
    return mnw_from(mnw_bits(size) | (mnw_bits(x) & 0x80000000u));
}

/* fmod, remainder, floor_divide and atan2. The second and third are torch's formulas with its roundings. */
static MNW_NOINLINE float mnw_pair(uint32_t code, float x, float y) {
    if (code == MNW_atan2)
        return mnw_atan2(x, y);
    float rest = mnw_fmod_of(x, y), quotient = x / y, whole;
    int other = rest != 0.0f && (rest < 0.0f) != (y < 0.0f);
    if (code == MNW_fmod)
        return rest;
    if (code == MNW_remainder)
        return other ? rest + y : rest;
    if (y == 0.0f)
        return quotient;
    whole = (x - rest) / y - (float)other;
    if (whole == 0.0f)
        return mnw_from(mnw_bits(quotient) & 0x80000000u);
    quotient = whole;
    if ((mnw_bits(whole) & 0x7fffffffu) < 0x4b000000u) { /* 2^23 */
        whole = (float)(int32_t)whole;
        whole -= (float)(whole > quotient);
        whole += (float)(quotient - whole > 0.5f);
    }
    return whole;
}

/* log2, log10 and log1p. */
static MNW_NOINLINE float mnw_logarithm(uint32_t code, float x) {
    double v = code == MNW_log1p ? 1.0 + (double)x : (double)x;
    uint64_t bits;
    if (!(v > 0.0))
        return mnw_from(v == 0.0 ? 0xff800000u : 0x7fc00000u);
    if (mnw_bits(x) == 0x7f800000u)
        return x;
    memcpy(&bits, &v, 8); /* v = 2^whole (1 + f), 1 + f in [sqrt(1/2), sqrt(2)) */
    int32_t whole = (int32_t)((bits - 0x3fe6a09e667f3bcdu) >> 32) >> 20;
    bits -= (uint64_t)(uint32_t)whole << 52;
    memcpy(&v, &bits, 8);
    double f = code == MNW_log1p && !whole ? (double)x : v - 1.0, s = f / (2.0 + f), e = (double)whole;
    f = mnw_odd(2.0 * s, s * s);
    return (float)(code == MNW_log2    ? e + f * 1.4426950408889634
                   : code == MNW_log10 ? e * 0.30102999566398120 + f * 0.43429448190325183
                   : whole             ? e * 0.69314718055994531 + f
                                       : f);
}

/* exp2 and expm1. */
static MNW_NOINLINE float mnw_power(uint32_t code, float x) {
    const double ln2 = 0.69314718055994531, magic = 6755399441055744.0;
    const int minus = code == MNW_expm1;
    double v = (double)x, sum = 1.0, scale;
    if (x != x)
        return x;
    v = v > 300.0 ? 300.0 : v < -300.0 ? -300.0 : v;
    double n = ((minus ? v * 1.4426950408889634 : v) + magic) - magic, r = minus ? v - n * ln2 : (v - n) * ln2;
    for (int k = 13; k > 1; k--)
        sum = sum * (r * (1.0 / (double)k)) + 1.0;
    uint64_t bits = (uint64_t)(uint32_t)((int32_t)n + 1023) << 52;
    memcpy(&scale, &bits, 8);
    r *= sum; /* e^r - 1 */
    return (float)(!minus ? r * scale + scale : n == 0.0 ? r : r * scale + (scale - 1.0));
}

/* ---- Whole numbers of 32 bits, which lie in the memory of floats. */
MNW_INLINE void mnw_put_word(float *to, uint32_t bits) {
    memcpy(to, &bits, 4);
}

/* A number without what is behind its point; the nearest one that there is, and 0 of a NaN. */
static MNW_NOINLINE uint32_t mnw_whole_of(float x, uint32_t *told) {
    const uint32_t sign = mnw_bits(x) >> 31, size = mnw_bits(x) & 0x7fffffffu;
    if (size < 0x4f000000u) /* 2^31 */
        return (uint32_t)(int32_t)x;
    *told |= mnw_bits(x) != 0xcf000000u; /* -2^31 */
    return size > 0x7f800000u ? 0u : 0x7fffffffu + sign;
}

/* The row that a number names in a table of so many: cut to a whole one; the nearest if there is none. */
static MNW_NOINLINE size_t mnw_row(float x, uint32_t rows, uint32_t *told) {
    const uint32_t sign = mnw_bits(x) >> 31, size = mnw_bits(x) & 0x7fffffffu; /* -ffast-math cannot assume numbers */
    uint32_t row = size < 0x4f000000u ? (uint32_t)mnw_from(size) : rows;
    if (row < rows && !(sign && row))
        return row;
    *told = 1;
    return sign || size > 0x7f800000u ? 0 : rows - 1;
}

/* One of MNW_I_ADD ... of two whole numbers. Where the result has more than 32 bits, it wraps, or, if `wide`, it is the
 * nearest one that has not, and the step tells. */
static MNW_NOINLINE uint32_t mnw_integer_of(const mnw_call *c, uint32_t a, uint32_t b, uint32_t *told) {
    const int64_t u = (int32_t)a, v = (int32_t)b;
    const uint32_t way = mnw_u32(mnw_attr(c, 0)), wide = mnw_u32(mnw_attr(c, 1));
    int64_t r = 0;
    if (way <= MNW_I_MUL) {
        r = way == MNW_I_ADD ? u + v : way == MNW_I_SUB ? u - v : u * v;
    } else if (way <= MNW_I_FMOD) {
        if (!v) {
            *told = 1;
            return 0;
        }
        int64_t rest = u % v;
        r = u / v;
        if (way <= MNW_I_REMAINDER && rest && (rest < 0) != (v < 0)) {
            r--;
            rest += v;
        }
        r = way & 1 ? r : rest;
    } else {
        const int64_t of[8] = {u < v ? u : v, u > v ? u : v, u == v, u < v, u <= v, u & v, u | v, u ^ v};
        r = of[way - MNW_I_MINIMUM];
    }
    if (wide && r != (int32_t)(uint32_t)(uint64_t)r) {
        *told = 1;
        r = r < 0 ? INT32_MIN : INT32_MAX;
    }
    return (uint32_t)(uint64_t)r;
}

/* ---- Elements at places that vary. */

/* gather: y = x at the places `index` along an axis; scatter, where there are values: x, with these at the places. */
static void mnw_gathered(const mnw_call *c, float *y, const float *x, const mnw_shape *xs, const float *index,
                         const mnw_shape *is, const float *values, size_t rows, uint32_t *told) {
    const uint32_t axis = mnw_u32(mnw_attr(c, 0)), n = xs->size[axis], add = values && mnw_u32(mnw_attr(c, 1));
    const size_t inner = mnw_product(xs, axis + 1, xs->rank);
    if (values)
        memcpy(y, x, 4 * rows * xs->elements);
    for (rows *= mnw_product(xs, 0, axis); rows--; x += n * inner) {
        for (uint32_t k = 0; k < is->size[axis]; k++)
            for (size_t i = 0; i < inner; i++) {
                const size_t at = mnw_row(*index++, n, told) * inner + i;
                if (!values)
                    *y++ = x[at];
                else if (add)
                    y[at] += *values++;
                else
                    y[at] = *values++;
            }
        y += values ? n * inner : 0;
    }
}

/* The first numbers along an axis in their order, and their places: equal ones as they stand, a NaN as the largest. */
static void mnw_sorted(const mnw_call *c, float *y, float *places, const mnw_shape *ys, const float *x,
                       const mnw_shape *xs, size_t rows) {
    const uint32_t axis = mnw_u32(mnw_attr(c, 0)), falling = mnw_u32(mnw_attr(c, 1)), n = xs->size[axis];
    const size_t inner = mnw_product(xs, axis + 1, xs->rank), count = ys->size[axis];
    for (rows *= mnw_product(xs, 0, axis); rows--; x += n * inner, y += count * inner, places += count * inner)
        for (size_t line = 0; line < inner; line++)
            for (uint32_t i = 0; i < n; i++) {
                const float v = x[i * inner + line];
                size_t k = i < count ? i : count; /* so many are in order */
                for (; k; k--) {
                    const float *before = y + (k - 1) * inner + line;
                    const float low = falling ? *before : v, high = falling ? v : *before;
                    if (!(low < high || (high != high && low == low)))
                        break;
                    if (k < count) {
                        y[k * inner + line] = *before;
                        places[k * inner + line] = places[(k - 1) * inner + line];
                    }
                }
                if (k < count) {
                    y[k * inner + line] = v;
                    places[k * inner + line] = (float)i;
                }
            }
}

/* ---- Operations on whole arrays; x and y are rows of agents, one after another. */

/* A way through an array's axes, of which the agents are the first, but for the last one. Two arrays go along: where
 * each of them is, and how far apart its neighbours along each axis are. */
enum { MNW_AXES = MINNOW_MAX_RANK + 1 };
typedef struct mnw_walk {
    uint32_t axes, size[MNW_AXES], at[MNW_AXES];
    size_t by[2][MNW_AXES], place[2];
} mnw_walk;

static void mnw_begin(mnw_walk *w, const mnw_shape *s, size_t rows) {
    memset(w, 0, sizeof *w);
    w->axes = s->rank + 1;
    w->size[0] = (uint32_t)rows;
    memcpy(w->size + 1, s->size, sizeof s->size);
}

/* One of the two has shape s, and is broadcast to that of the way. */
static MNW_NOINLINE void mnw_follow(mnw_walk *w, const mnw_shape *s, uint32_t which) {
    size_t step = 1;
    for (uint32_t i = 1; i < w->axes; i++) {
        uint32_t n = i <= s->rank ? s->size[s->rank - i] : 1;
        w->by[which][w->axes - i] = n == 1 ? 0 : step;
        step *= n;
    }
    w->by[which][0] = step;
}

/* The next position; 0 after the last. */
static MNW_NOINLINE int mnw_next(mnw_walk *w) {
    for (uint32_t axis = w->axes - 1; axis-- > 0;) {
        uint32_t more = ++w->at[axis] < w->size[axis];
        for (uint32_t i = 0; i < 2; i++)
            w->place[i] += more ? w->by[i][axis] : w->by[i][axis] - w->by[i][axis] * w->at[axis];
        if (more)
            return 1;
        w->at[axis] = 0;
    }
    return 0;
}

/* The second of the two becomes the first. */
static MNW_NOINLINE void mnw_copy(mnw_walk *w, float *y, const float *x) {
    uint32_t last = w->axes - 1, n = w->size[last];
    size_t by = w->by[0][last], to = w->by[1][last];
    do {
        if (by == 1 && to == 1)
            memcpy(y + w->place[1], x + w->place[0], (size_t)4 * n);
        else
            for (uint32_t i = 0; i < n; i++)
                y[w->place[1] + i * to] = x[w->place[0] + i * by];
    } while (mnw_next(w));
}

/* Sum, mean, product or extreme over some axes, in the order in which the elements lie. */
static void mnw_reduced(const mnw_kernels *kernels, float *y, const mnw_shape *ys, const float *x, const mnw_shape *xs,
                        const mnw_call *c, size_t rows) {
    const uint32_t code = MNW_NUMBER(c->code), extreme = code == MNW_max || code == MNW_min;
    mnw_walk w;
    uint32_t last = xs->rank, k = c->attrs;
    size_t step = 1, all = rows * ys->elements;
    mnw_begin(&w, xs, rows);
    for (uint32_t i = xs->rank; i-- > 0;) {
        if (k > 0 && mnw_u32(mnw_attr(c, k - 1)) == i) {
            k--;
        } else {
            w.by[1][1 + i] = step;
            step *= xs->size[i];
        }
    }
    w.by[1][0] = step;
    for (size_t i = 0; i < all; i++)
        y[i] = code == MNW_max   ? mnw_from(0xff800000u)
               : code == MNW_min ? mnw_from(0x7f800000u)
                                 : (float)(code == MNW_prod);
    do {
        float *sum = y + w.place[1];
        if (!extreme && code != MNW_prod && w.by[1][last]) { /* whole lines to each other */
            kernels->binary(MNW_add, sum, sum, 1, x, 1, w.size[last]);
            x += w.size[last];
            continue;
        }
        for (uint32_t i = 0; i < w.size[last]; i++, sum += w.by[1][last]) {
            float v = *x++;
            if (extreme)
                *sum = (code == MNW_max ? v > *sum : v < *sum) || v != v ? v : *sum;
            else
                *sum = code == MNW_prod ? *sum * v : *sum + v;
        }
    } while (mnw_next(&w));
    if (code == MNW_mean) {
        float count = (float)(xs->elements / ys->elements);
        for (size_t i = 0; i < all; i++)
            y[i] /= count;
    }
}

/* Softmax, or its logarithm, of n numbers. */
static void mnw_softmax_of(const mnw_kernels *k, float *y, const float *x, size_t n, int logarithm) {
    float top = x[0], sum = 0.0f;
    for (size_t i = 1; i < n; i++)
        top = x[i] > top || x[i] != x[i] ? x[i] : top;
    k->binary(MNW_sub, y, x, 1, &top, 0, n);
    k->unary(MNW_exp, y, y, n, NULL);
    for (size_t i = 0; i < n; i++)
        sum += y[i];
    if (logarithm) {
        k->unary(MNW_log, &sum, &sum, 1, NULL);
        sum = top + sum;
        k->binary(MNW_sub, y, x, 1, &sum, 0, n);
    } else {
        k->binary(MNW_div, y, y, 1, &sum, 0, n);
    }
}

/* The sums are of doubles: what is left when nearly equal numbers lose their mean is scaled up, and its errors too. */
static void mnw_norm_of(const mnw_kernels *k, float *y, const float *x, size_t n, const mnw_op *op) {
    double mean = 0.0, squares = 0.0, count = (double)n;
    if (op->call.code == MNW_layer_norm) {
        for (size_t i = 0; i < n; i++)
            mean += (double)x[i];
        mean /= count;
    }
    for (size_t i = 0; i < n; i++) {
        double apart = (double)x[i] - mean;
        squares += apart * apart;
    }
    float high = (float)mean, low = (float)(mean - (double)high);
    float scale = 1.0f / mnw_sqrt((float)(squares / count) + mnw_f32(mnw_attr(&op->call, 0)));
    k->binary(MNW_sub, y, x, 1, &high, 0, n);
    k->binary(MNW_sub, y, y, 1, &low, 0, n);
    k->binary(MNW_mul, y, y, 1, &scale, 0, n);
    if (op->tensor[0])
        k->binary(MNW_mul, y, y, 1, op->tensor[0], 1, n);
    if (op->call.tensors > 1 && op->tensor[1])
        k->binary(MNW_add, y, y, 1, op->tensor[1], 1, n);
}

/* The product of matrices: a [..., n, k] with b [..., k, m], or [..., m, k] if it is turned. */
static void mnw_matmul_of(const mnw_kernels *kernels, mnw_product_of *of, uint32_t turned, size_t rows,
                          const mnw_shape *ys, const mnw_shape *as, const float *b, const mnw_shape *bs,
                          float *panels) {
    const float *a = of->x;
    size_t n = ys->size[ys->rank - 2], m = of->n, k = of->k, all = (m + MNW_PANEL - 1) / MNW_PANEL * MNW_PANEL;
    mnw_walk w;
    mnw_begin(&w, ys, rows);
    mnw_follow(&w, as, 0);
    mnw_follow(&w, bs, 1);
    w.axes--;
    of->w = panels;
    do {
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < all; j++)
                panels[(j / MNW_PANEL * k + i) * MNW_PANEL + j % MNW_PANEL] =
                    j < m ? b[w.place[1] + (turned ? j * k + i : i * m + j)] : 0.0f;
        of->x = a + w.place[0];
        mnw_linear_of(kernels, of, n);
        of->y += n * m;
    } while (mnw_next(&w));
}

/* ---- Windows that move over images. */

/* Lays out a window of which a part is padding, as [channels][size...]; it begins at `from`. */
static MNW_NOINLINE void mnw_cut(const mnw_windows *w, float *to, const float *x, const int64_t from[3]) {
    for (uint32_t channel = 0; channel < w->channels; channel++, x += (size_t)w->in[0] * w->in[1] * w->in[2])
        for (uint32_t p = 0; p < w->size[0]; p++)
            for (uint32_t q = 0; q < w->size[1]; q++) {
                int64_t u = from[0] + (int64_t)p * w->dilation[0], v = from[1] + (int64_t)q * w->dilation[1];
                int inside = u >= 0 && u < w->in[0] && v >= 0 && v < w->in[1];
                const float *line = inside ? x + (u * w->in[1] + v) * w->in[2] : x;
                for (uint32_t r = 0; r < w->size[2]; r++) {
                    int64_t t = from[2] + (int64_t)r * w->dilation[2];
                    *to++ = inside && t >= 0 && t < w->in[2] ? line[t] : 0.0f;
                }
            }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("O2")
#endif
/* Copies lines of `width` numbers one after the other, from x + offset[line]. Four numbers at a time: up to 3 behind
 * the last line are overwritten, and what is read behind an image is memory of the session too. */
static MNW_NOINLINE void mnw_lines(float *to, const float *x, const uint32_t *offset, size_t lines, size_t width) {
    for (size_t i = 0; i < lines; i++, to += width) {
        const float *line = x + offset[i];
        memcpy(to, line, 16);
        for (size_t r = 4; r < width; r += 4)
            memcpy(to + r, line + r, 16);
    }
}

/* A convolution. Blocks of windows are laid out as rows [windows][k], k running over channels, then each axis of the
 * kernel; their products with the weights, [windows][outputs of the group], are turned into place. */
static MNW_NOINLINE void mnw_conv(const mnw_kernels *kernels, const mnw_op *op, float *y, const float *x, size_t rows,
                                  float *scratch) {
    const mnw_windows *w = (const mnw_windows *)(const void *)op->tensor[2];
    const uint32_t *offset = (const uint32_t *)(const void *)(w + 1);
    size_t n = w->n, k = w->k, windows = (size_t)w->out[0] * w->out[1] * w->out[2], all = rows * windows;
    size_t inputs = (size_t)w->channels * w->in[0] * w->in[1] * w->in[2]; /* of a group's part of an image */
    size_t panels = (n + MNW_PANEL - 1) / MNW_PANEL * MNW_PANEL;
    mnw_product_of of = {op->tensor[0], op->tensor[1], scratch, scratch + MNW_BLOCK * k + 3, n, k, NULL, NULL, 0};
    for (uint32_t g = w->groups; g--; x += inputs, y += n * windows, of.w += panels * k, of.bias += panels) {
        const float *image = x; /* of the next window to lay out, and where it is */
        float *to = y;          /* and the image of the next one to put into place */
        uint32_t at[3] = {0, 0, 0};
        size_t place = 0;
        for (size_t first = 0; first < all; first += MNW_BLOCK) {
            size_t count = all - first < MNW_BLOCK ? all - first : (size_t)MNW_BLOCK;
            for (size_t i = 0; i < count; i++) {
                int64_t from[3];
                int cut = 0;
                for (int axis = 0; axis < 3; axis++) {
                    from[axis] = (int64_t)at[axis] * w->stride[axis] - w->padding[axis];
                    cut |=
                        from[axis] < 0 || from[axis] + (int64_t)(w->size[axis] - 1) * w->dilation[axis] >= w->in[axis];
                }
                if (cut)
                    mnw_cut(w, scratch + i * k, image, from);
                else
                    mnw_lines(scratch + i * k, image + (from[0] * w->in[1] + from[1]) * w->in[2] + from[2], offset,
                              w->lines, w->width);
                int axis = 2;
                while (axis >= 0 && ++at[axis] == w->out[axis])
                    at[axis--] = 0;
                if (axis < 0)
                    image += w->groups * inputs;
            }
            mnw_linear_of(kernels, &of, count);
            for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < n; j++)
                    to[j * windows + place] = of.y[i * n + j];
                if (++place == windows) {
                    place = 0;
                    to += w->groups * n * windows;
                }
            }
        }
    }
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

/* How many of n steps of `by` it takes from 0 to come to `to` or beyond it. */
static MNW_NOINLINE uint32_t mnw_steps(int64_t to, uint32_t by, uint32_t n) {
    to = to > 0 ? (to + by - 1) / by : 0;
    return to < n ? (uint32_t)to : n;
}

/* A pool: the maximum (mode 0) or mean (1: padding counts, 2: it does not) of windows of each plane. */
static void mnw_pool_of(const mnw_call *c, float *y, const mnw_shape *ys, const float *x, const mnw_shape *xs,
                        size_t rows) {
    uint32_t d = mnw_moves(c), kind = mnw_u32(mnw_attr(c, 0)), windows = ys->elements / ys->size[0], i = 0;
    uint32_t lowest[3] = {0, 0, 0}, beyond[3] = {1, 1, 1}, step[3] = {1, 1, 1}, in[3] = {1, 1, 1};
    for (rows *= ys->elements; rows--; i++) {
        float sum = kind ? 0.0f : mnw_from(0xff800000u), count = 1.0f;
        if (i == windows) {
            x += xs->elements / xs->size[0];
            i = 0;
        }
        for (uint32_t axis = d, left = i; axis-- > 0;) { /* the part of the window that lies within: [begin, end) */
            uint32_t n = ys->size[1 + axis], by = mnw_of_axis(c, 3, axis), to = 3 - d + axis;
            uint32_t taps = mnw_of_axis(c, 0, axis), padding = mnw_of_axis(c, 2, axis);
            int64_t at = (int64_t)(left % n) * mnw_of_axis(c, 1, axis) - padding, size = xs->size[1 + axis];
            uint32_t low = mnw_steps(-at, by, taps), high = mnw_steps(size - at, by, taps);
            left /= n;
            count *= (float)(kind == 1 ? mnw_steps(size + padding - at, by, taps) : high - low);
            in[to] = xs->size[1 + axis];
            step[to] = by;
            lowest[to] = (uint32_t)(at + (int64_t)low * by);
            beyond[to] = low < high ? (uint32_t)(at + (int64_t)high * by) : 0;
        }
        for (uint32_t p = lowest[0]; p < beyond[0]; p += step[0])
            for (uint32_t q = lowest[1]; q < beyond[1]; q += step[1])
                for (uint32_t r = lowest[2]; r < beyond[2]; r += step[2]) {
                    float v = x[(p * in[1] + q) * in[2] + r];
                    sum = kind ? sum + v : v > sum || v != v ? v : sum;
                }
        *y++ = kind && count > 0.0f ? sum / count : sum;
    }
}

/* ---- A session. */
typedef struct mnw_state { /* followed by the floats of each state, [agents][size] */
    uint32_t policy;       /* checksum */
    uint32_t agents;
    uint32_t seed[2], step[2];
    uint32_t unused[2];
} mnw_state;

struct minnow_session {
    const minnow_policy *policy;
    mnw_kernels kernels;
    uint32_t isa;
    uint32_t agents, flags, first;
    uint32_t tile; /* agents that go through the network together */
    uint32_t told; /* 1: the step that is being made returns MINNOW_E_DOMAIN */
    mnw_state *state;
    float *memory;      /* the floats behind it */
    float *floats;      /* all values of a tile */
    float *scratch;     /* [tile][policy->scratch], or [policy->once] if that is more */
    float *results;     /* outputs in order, [agents][size] each */
    float *probability; /* [agents][choices] */
    int32_t *choice;    /* [agents][heads] */
    float *box;         /* [agents][heads] */
};

enum { MNW_TILE = 24 }; /* whole blocks of rows on every instruction set */

/* Lays a session out in a block, or only counts. */
static minnow_session *mnw_lay(const minnow_policy *p, uint32_t agents, uint32_t flags, mnw_block *b) {
    uint32_t tile = (flags & MINNOW_KEEP) || agents < MNW_TILE ? agents : (uint32_t)MNW_TILE;
    uint64_t results = 0, heads = p->action.heads, box = MNW_HAS_BOX && p->action.kind == MINNOW_BOX;
    for (uint32_t i = 0; i < p->outputs; i++)
        results += minnow_output(p, i)->size;
    /* One after the other without a gap, so that the state is one piece: its size is a multiple of 64 then. */
    mnw_state *state = (mnw_state *)mnw_take(b, sizeof *state + 4 * p->state * agents);
    minnow_session *s = (minnow_session *)mnw_take(b, sizeof *s);
    float *floats = (float *)mnw_take(b, 4 * p->floats * tile);
    uint64_t each = p->scratch * tile;
    float *scratch = (float *)mnw_take(b, 4 * (each > p->once ? each : p->once));
    float *result = (float *)mnw_take(b, 4 * results * agents);
    float *probability = (float *)mnw_take(b, (uint64_t)4 * p->action.choices * agents);
    int32_t *choice = (int32_t *)mnw_take(b, box ? 0 : 4 * heads * agents);
    float *boxes = (float *)mnw_take(b, box ? 4 * heads * agents : 0);
    if (!s)
        return NULL;
    s->policy = p;
    s->agents = agents;
    s->flags = flags;
    s->first = 0;
    s->tile = tile;
    s->state = state;
    s->memory = (float *)(void *)(state + 1);
    s->floats = floats;
    s->scratch = scratch;
    s->results = result;
    s->probability = probability;
    s->choice = choice;
    s->box = boxes;
    return s;
}

/* Agent `agent`'s part of a value; agents of one tile lie one after another. */
static MNW_NOINLINE float *mnw_at(const minnow_session *s, uint32_t value, uint32_t agent) {
    const mnw_value *v = &s->policy->value[value];
    return (float *)(void *)((uint8_t *)(s->floats + v->place * s->tile) + (size_t)v->bytes * (agent % s->tile));
}

/* ---- The calls of a session. */
MINNOW_API size_t minnow_session_size(const minnow_policy *policy, uint32_t agents, uint32_t flags) {
    mnw_block count = {NULL, 0};
    if (!policy || !agents || policy->floats > (UINT64_MAX >> 40) || policy->state > (UINT64_MAX >> 40) ||
        policy->scratch > (UINT64_MAX >> 40))
        return 0;
    mnw_lay(policy, agents, flags, &count);
    return mnw_block_size(count.used);
}

MINNOW_API minnow_session *minnow_session_init(const minnow_policy *policy, uint32_t agents, uint32_t flags,
                                               uint64_t seed, void *block, size_t block_size, minnow_error *error) {
    size_t need = minnow_session_size(policy, agents, flags);
    uint32_t any = 0xff00, allowed = flags & any ? flags & any : any;
    mnw_fail(error, MINNOW_OK, 0, 0, 0, 0);
    if (!need || !block || block_size < need) {
        int32_t code = !policy || !agents ? MINNOW_E_ARGUMENT : need ? MINNOW_E_BLOCK : MINNOW_E_MEMORY;
        mnw_fail(error, code, 0, 0, block ? block_size : 0, need);
        return NULL;
    }
    if (!(policy->isas & allowed)) {
        mnw_fail(error, MINNOW_E_ISA, 0, 0, policy->isas, allowed);
        return NULL;
    }
    mnw_block piece = {mnw_aligned(block), 0};
    memset(piece.at, 0, need - 63);
    minnow_session *s = mnw_lay(policy, agents, flags, &piece);
    for (s->isa = 0x8000; !(s->isa & policy->isas & allowed);)
        s->isa >>= 1;
    mnw_choose_kernels(&s->kernels, s->isa, policy->isas & allowed, ((flags | MNW_ALWAYS) & MINNOW_FAST) != 0);
    s->state->policy = policy->checksum;
    s->state->agents = agents;
    for (uint32_t i = 0; i < policy->ops; i++) {
        const mnw_op *op = &policy->op[i];
        uint32_t value = mnw_out(&op->call, 0);
        if (op->call.code == MNW_constant)
            for (uint32_t agent = 0; agent < s->tile; agent++)
                memcpy(mnw_at(s, value, agent), op->tensor[0], policy->value[value].bytes);
    }
    minnow_restart(s, seed);
    return s;
}

MINNOW_API int32_t minnow_step(minnow_session *session, const void *obs, const uint8_t *mask) {
    return session->policy->inputs == 1 ? minnow_step_inputs(session, &obs, mask) : MINNOW_E_INPUT;
}

MINNOW_API const float *minnow_result(const minnow_session *session, uint32_t output) {
    const float *result = session->results;
    if (output >= session->policy->outputs)
        return NULL;
    for (uint32_t i = 0; i < output; i++)
        result += (size_t)minnow_output(session->policy, i)->size * session->agents;
    return result;
}

MINNOW_API const float *minnow_logits(const minnow_session *session) {
    return minnow_result(session, session->policy->feed);
}

MINNOW_API const float *minnow_value(const minnow_session *session) {
    return minnow_result(session, session->policy->value_output);
}

MINNOW_API const float *minnow_probabilities(const minnow_session *session) {
    return session->policy->action.choices ? session->probability : NULL;
}

MINNOW_API const int32_t *minnow_action(const minnow_session *session) {
    return session->policy->action.choices ? session->choice : NULL;
}

MINNOW_API const float *minnow_action_box(const minnow_session *session) {
    return session->policy->action.kind == MINNOW_BOX ? session->box : NULL;
}

MINNOW_API const float *minnow_activation(const minnow_session *session, uint32_t agent, const char *name,
                                          uint32_t *size) {
    const minnow_policy *p = session->policy;
    uint32_t value = 0;
    while (value < p->values && (!name[0] || strcmp(name, p->value[value].name) != 0))
        value++;
    return minnow_activation_at(session, agent, value, size);
}

MINNOW_API const float *minnow_activation_at(const minnow_session *session, uint32_t agent, uint32_t value,
                                             uint32_t *size) {
    const minnow_policy *p = session->policy;
    if (!(session->flags & MINNOW_KEEP) || agent >= session->agents || value >= p->values ||
        p->value[value].dtype != MINNOW_F32)
        return NULL;
    *size = p->value[value].shape.elements;
    return mnw_at(session, value, agent);
}

MINNOW_API int32_t minnow_reset(minnow_session *session, uint32_t agent) {
    const minnow_policy *p = session->policy;
    float *memory = session->memory;
    if (agent >= session->agents)
        return MINNOW_E_AGENT;
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        if (p->initial[i])
            memcpy(memory + size * agent, p->initial[i], 4 * size);
        else
            memset(memory + size * agent, 0, 4 * size);
        memory += size * session->agents;
    }
    return MINNOW_OK;
}

MINNOW_API void minnow_restart(minnow_session *session, uint64_t seed) {
    mnw_state *state = session->state;
    state->seed[0] = (uint32_t)seed;
    state->seed[1] = (uint32_t)(seed >> 32);
    state->step[0] = state->step[1] = 0;
    for (uint32_t agent = 0; agent < session->agents; agent++)
        minnow_reset(session, agent);
}

MINNOW_API void minnow_sample(minnow_session *session, int sampled) {
    session->flags = (session->flags & ~(uint32_t)MINNOW_SAMPLE) | (sampled ? (uint32_t)MINNOW_SAMPLE : 0u);
}

MINNOW_API void minnow_first_agent(minnow_session *session, uint32_t first) {
    session->first = first;
}

MINNOW_API void *minnow_state(minnow_session *session) {
    return session->state;
}

MINNOW_API size_t minnow_state_size(const minnow_session *session) {
    return sizeof(mnw_state) + (size_t)(4 * session->policy->state) * session->agents;
}

MINNOW_API int32_t minnow_restore(minnow_session *session, const void *state, size_t size) {
    mnw_state head;
    if (!state || size != minnow_state_size(session))
        return MINNOW_E_STATE;
    memcpy(&head, state, sizeof head);
    if (head.policy != session->state->policy || head.agents != session->agents)
        return MINNOW_E_STATE;
    memmove(session->state, state, size);
    return MINNOW_OK;
}

/* ---- Running operations. */
/* A linear layer from the weights as they stand in the file, in the order of mnw_product_of. */
static void mnw_linear_in_place(const mnw_file *f, const mnw_call *c, const float *x, float *y, size_t rows) {
    const mnw_tensor w = mnw_tensor_at(f, mnw_stored(c, 0));
    const uint32_t n = w.shape.size[0], k = w.shape.size[1], bias = mnw_stored(c, 1);
    mnw_tensor b = w;
    if (bias != MNW_ABSENT)
        b = mnw_tensor_at(f, bias);
    for (size_t r = 0; r < rows; r++, x += k)
        for (uint32_t j = 0; j < n; j++) {
            float sum = bias == MNW_ABSENT ? 0.0f : mnw_element(&b, j), total = 0.0f;
            for (uint32_t i = 0; i < k; i++) {
                if (i && i % MNW_RUN == 0) {
                    total = i > MNW_RUN ? total + sum : sum;
                    sum = 0.0f;
                }
                uint32_t at = j * k + i;
                sum += x[i] * (w.dtype == MINNOW_F32 ? mnw_f32(w.data + (size_t)4 * at) : mnw_element(&w, at));
            }
            *y++ = k > MNW_RUN ? total + sum : sum;
        }
}

#define MNW_CASES_OF_RARE                                                                                              \
    case MNW_fmod:                                                                                                     \
    case MNW_remainder:                                                                                                \
    case MNW_floor_divide:                                                                                             \
    case MNW_atan2:                                                                                                    \
    case MNW_integer:                                                                                                  \
    case MNW_log2:                                                                                                     \
    case MNW_log10:                                                                                                    \
    case MNW_log1p:                                                                                                    \
    case MNW_exp2:                                                                                                     \
    case MNW_expm1:                                                                                                    \
    case MNW_whole:                                                                                                    \
    case MNW_gather:                                                                                                   \
    case MNW_scatter:                                                                                                  \
    case MNW_sort

/* Runs one of the operations that few policies call. */
static MNW_NOINLINE void mnw_run_rare(minnow_session *s, const mnw_op *op, uint32_t from, size_t rows) {
    const mnw_call *c = &op->call;
    const mnw_value *values = s->policy->value;
    const uint32_t code = MNW_NUMBER(c->code), second = mnw_in(c, c->inputs > 1);
    const mnw_shape *ys = &values[mnw_out(c, 0)].shape, *xs = &values[mnw_in(c, 0)].shape, *bs = &values[second].shape;
    const float *x = mnw_at(s, mnw_in(c, 0), from), *b = mnw_at(s, second, from);
    float *y = mnw_at(s, mnw_out(c, 0), from);
    size_t all = rows * ys->elements, n = ys->rank ? ys->size[ys->rank - 1] : rows;
    mnw_walk w;
    switch (code) {
    case MNW_fmod:
    case MNW_remainder:
    case MNW_floor_divide:
    case MNW_atan2:
    case MNW_integer:
        mnw_begin(&w, ys, rows);
        mnw_follow(&w, xs, 0);
        mnw_follow(&w, bs, 1);
        do {
            for (size_t i = 0; i < n; i++, y++) {
                const float *u = x + w.place[0] + i * w.by[0][ys->rank], *v = b + w.place[1] + i * w.by[1][ys->rank];
                if (code == MNW_integer)
                    mnw_put_word(y, mnw_integer_of(c, mnw_bits(*u), mnw_bits(*v), &s->told));
                else
                    *y = mnw_pair(code, *u, *v);
            }
        } while (mnw_next(&w));
        return;
    case MNW_log2:
    case MNW_log10:
    case MNW_log1p:
    case MNW_exp2:
    case MNW_expm1:
    case MNW_whole:
        for (; all--; x++, y++)
            if (code == MNW_whole)
                mnw_put_word(y, mnw_whole_of(*x, &s->told));
            else
                *y = code < MNW_NUMBER(MNW_exp2) ? mnw_logarithm(code, *x) : mnw_power(code, *x);
        return;
    case MNW_gather:
    case MNW_scatter:
        mnw_gathered(c, y, x, xs, b, bs, code == MNW_scatter ? mnw_at(s, mnw_in(c, 2), from) : NULL, rows, &s->told);
        return;
    case MNW_sort:
        mnw_sorted(c, y, mnw_at(s, mnw_out(c, 1), from), ys, x, xs, rows);
        return;
    default:
        return;
    }
}

/* Bytes or whole numbers as floats. */
static void mnw_cast_of(float *y, const float *x, size_t n, uint32_t dtype) {
    if (dtype == MINNOW_U8) {
        const uint8_t *bytes = (const uint8_t *)(const void *)x;
        for (size_t i = 0; i < n; i++)
            y[i] = (float)bytes[i];
    } else {
        for (size_t i = 0; i < n; i++)
            y[i] = (float)(int32_t)mnw_bits(x[i]);
    }
}

static void mnw_run_linear(const mnw_kernels *k, const mnw_file *f, const mnw_call *c, const mnw_product_of *of,
                           size_t rows) {
    if (MNW_IN_PLACE)
        mnw_linear_in_place(f, c, of->x, of->y, rows);
    else
        mnw_linear_of(k, of, rows);
}

/* Rows of n numbers from a table. */
static void mnw_run_embedding(minnow_session *s, const mnw_op *op, float *y, const float *x, size_t n, size_t count) {
    const uint32_t table = mnw_tensor_at(&s->policy->file, mnw_stored(&op->call, 0)).shape.size[0];
    for (; count--; y += n)
        memcpy(y, op->tensor[0] + mnw_row(*x++, table, &s->told) * n, 4 * n);
}

/* Softmax or a norm of each of so many lines of n numbers. */
static void mnw_run_lines(const mnw_kernels *k, const mnw_op *op, float *y, const float *x, size_t n, size_t lines) {
    const uint32_t code = MNW_NUMBER(op->call.code);
    for (; lines--; x += n, y += n)
        if (code == MNW_softmax || code == MNW_log_softmax)
            mnw_softmax_of(k, y, x, n, code == MNW_log_softmax);
        else
            mnw_norm_of(k, y, x, n, op);
}

/* Layers with a memory: `of` is the product with their inputs, whose y and n are those of the layer, and h its state
 * before the step. First an LSTM, or a simple recurrent layer. */
static void mnw_run_lstm(const minnow_session *s, const mnw_op *op, mnw_product_of *of, const float *h, uint32_t from,
                         size_t rows) {
    const mnw_kernels *k = &s->kernels;
    const mnw_call *c = &op->call;
    const uint32_t code = MNW_NUMBER(c->code);
    const size_t n = of->n, all = rows * n;
    float *y = of->y, *scratch = s->scratch;
    of->bias = op->tensor[2];
    of->more_w = op->tensor[1];
    of->more_x = h;
    of->more_k = n;
    if (code == MNW_lstm) {
        of->y = scratch;
        of->n = 4 * n;
    }
    mnw_linear_of(k, of, rows);
    if (code == MNW_lstm) {
        const float *cell = mnw_at(s, mnw_in(c, 2), from);
        float *next = mnw_at(s, mnw_out(c, 1), from);
        for (size_t r = 0; r < rows; r++) {
            float *gates = scratch + r * 4 * n;
            k->gates(gates, gates, 2 * n, 0);
            k->gates(gates + 2 * n, gates + 2 * n, n, 1);
            k->gates(gates + 3 * n, gates + 3 * n, n, 0);
            k->lstm(next + r * n, gates, cell + r * n, n);
        }
        k->gates(y, next, all, 1);
        for (size_t r = 0; r < rows; r++)
            k->binary(MNW_mul, y + r * n, y + r * n, 1, scratch + (r * 4 + 3) * n, 1, n);
    } else if (mnw_u32(mnw_attr(c, 0))) {
        k->unary(MNW_relu, y, y, all, NULL);
    } else {
        k->gates(y, y, all, 1);
    }
}

static void mnw_run_gru(const mnw_kernels *k, const mnw_op *op, mnw_product_of *of, const float *h, float *scratch,
                        size_t rows) {
    const size_t n = of->n;
    float *y = of->y;
    of->bias = op->tensor[2];
    of->y = scratch;
    of->n = 3 * n;
    mnw_linear_of(k, of, rows);
    of->w = op->tensor[1];
    of->bias = op->tensor[3];
    of->x = h;
    of->y = scratch + rows * 3 * n;
    of->k = n;
    mnw_linear_of(k, of, rows);
    for (; rows--; y += n, scratch += 3 * n, of->y += 3 * n, h += n)
        k->gru(y, scratch, of->y, h, n);
}

static void mnw_run_mingru(const mnw_kernels *k, mnw_product_of *of, const float *h, float *scratch, size_t rows) {
    const size_t n = of->n;
    float *y = of->y;
    of->y = scratch;
    of->n = 2 * n;
    mnw_linear_of(k, of, rows);
    for (; rows--; y += n, scratch += 2 * n, h += n) {
        k->gates(y, scratch, n, 0);
        k->gates(scratch + n, scratch + n, n, 0);
        k->mingru(y, scratch, h, n);
    }
}

/* An operation on two numbers, where arrays are broadcast to each other. */
static void mnw_run_pairs(const mnw_kernels *k, uint32_t code, float *y, const mnw_shape *ys, const float *a,
                          const mnw_shape *as, const float *b, const mnw_shape *bs, size_t n, size_t rows) {
    mnw_walk w;
    mnw_begin(&w, ys, rows);
    mnw_follow(&w, as, 0);
    mnw_follow(&w, bs, 1);
    do {
        k->binary(code, y, a + w.place[0], w.by[0][ys->rank], b + w.place[1], w.by[1][ys->rank], n);
        y += n;
    } while (mnw_next(&w));
}

/* concat, slice and permute: parts of the inputs, one after another along an axis. */
static void mnw_run_parts(const minnow_session *s, const mnw_call *c, float *y, const mnw_shape *ys, uint32_t from,
                          size_t rows) {
    const uint32_t code = MNW_NUMBER(c->code), axis = 1 + mnw_u32(mnw_attr(c, 0));
    size_t done = 0;
    mnw_walk w;
    for (uint32_t i = 0; i < c->inputs; i++) {
        const mnw_shape *xs = &s->policy->value[mnw_in(c, i)].shape;
        mnw_begin(&w, code == MNW_concat ? xs : ys, rows);
        mnw_follow(&w, xs, 0);
        mnw_follow(&w, ys, 1);
        w.place[1] = done * w.by[1][axis];
        done += w.size[axis];
        if (code == MNW_slice) {
            w.place[0] = mnw_u32(mnw_attr(c, 1)) * w.by[0][axis];
            w.by[0][axis] *= mnw_u32(mnw_attr(c, 2));
        }
        for (uint32_t to = 0; code == MNW_permute && to < ys->rank; to++)
            w.by[0][1 + to] = mnw_product(xs, mnw_u32(mnw_attr(c, to)) + 1, xs->rank);
        mnw_copy(&w, y, mnw_at(s, mnw_in(c, i), from));
    }
}

/* Runs an operation for agents from `from` on, `rows` of them. */
static void mnw_run(minnow_session *s, const mnw_op *op, uint32_t from, size_t rows) {
    const mnw_call *c = &op->call;
    const minnow_policy *p = s->policy;
    const mnw_kernels *k = &s->kernels;
    const uint32_t code = MNW_NUMBER(c->code);
    const mnw_shape *ys = &p->value[mnw_out(c, 0)].shape, *xs = ys, *bs = ys;
    float *y = mnw_at(s, mnw_out(c, 0), from), *scratch = s->scratch, attr[2] = {0.0f, 0.0f};
    const float *x = y, *b = y; /* the first input, and the second, or a state */
    if (c->inputs) {
        xs = &p->value[mnw_in(c, 0)].shape;
        x = mnw_at(s, mnw_in(c, 0), from);
    }
    if (c->inputs > 1) {
        bs = &p->value[mnw_in(c, 1)].shape;
        b = mnw_at(s, mnw_in(c, 1), from);
    }
    size_t all = rows * ys->elements, last = xs->rank ? xs->size[xs->rank - 1] : 1, lines = rows * xs->elements / last;
    size_t n = ys->rank ? ys->size[ys->rank - 1] : 1;
    mnw_product_of of = {op->tensor[0], op->tensor[1], x, y, n, last, NULL, NULL, 0};
    switch (code) {
    case MNW_reshape:  /* the same memory */
    case MNW_constant: /* filled in when the session begins */
        return;
    case MNW_cast:
        mnw_cast_of(y, x, all, p->value[mnw_in(c, 0)].dtype);
        return;
    case MNW_linear:
        mnw_run_linear(k, &p->file, c, &of, lines);
        return;
    case MNW_lstm:
    case MNW_rnn:
        mnw_run_lstm(s, op, &of, b, from, rows);
        return;
    case MNW_gru:
        mnw_run_gru(k, op, &of, b, scratch, rows);
        return;
    case MNW_mingru:
        mnw_run_mingru(k, &of, b, scratch, rows);
        return;
    case MNW_conv:
        mnw_conv(k, op, y, x, rows, scratch);
        return;
    case MNW_pool:
        mnw_pool_of(c, y, ys, x, xs, rows);
        return;
    case MNW_matmul:
        mnw_matmul_of(k, &of, mnw_u32(mnw_attr(c, 0)), rows, ys, xs, b, bs, scratch);
        return;
    case MNW_embedding:
        mnw_run_embedding(s, op, y, x, n, rows * xs->elements);
        return;
    case MNW_add:
    case MNW_sub:
    case MNW_mul:
    case MNW_div:
    case MNW_minimum:
    case MNW_maximum:
    case MNW_eq:
    case MNW_lt:
    case MNW_le:
    case MNW_keep:
        if (mnw_equal(xs, bs))
            k->binary(code, y, x, 1, b, 1, all);
        else
            mnw_run_pairs(k, code, y, ys, x, xs, b, bs, n, rows);
        return;
    MNW_CASES_OF_RARE:
        mnw_run_rare(s, op, from, rows);
        return;
    case MNW_mix:
        k->mix(y, x, b, mnw_at(s, mnw_in(c, 2), from), all);
        return;
    case MNW_softmax:
    case MNW_log_softmax:
    case MNW_layer_norm:
    case MNW_rms_norm:
        mnw_run_lines(k, op, y, x, last, lines);
        return;
    case MNW_sum:
    case MNW_mean:
    case MNW_max:
    case MNW_min:
    case MNW_prod:
        mnw_reduced(k, y, ys, x, xs, c, rows);
        return;
    case MNW_concat:
    case MNW_slice:
    case MNW_permute:
        mnw_run_parts(s, c, y, ys, from, rows);
        return;
    case MNW_tanh:
    case MNW_sigmoid:
        k->gates(y, x, all, code == MNW_tanh);
        return;
    default:
        for (uint32_t i = 0; i < c->attrs && i < 2; i++)
            attr[i] = mnw_f32(mnw_attr(c, i));
        k->unary(code, y, x, all, attr);
    }
}

/* Uniform in (0, 1]: 24 bits and a half, which rounding makes 1 at the end. */
MNW_INLINE float mnw_uniform(mnw_words key, uint32_t step, uint32_t draw) {
    return ((float)(mnw_threefry(key.a, key.b, step, draw).a >> 8) + 0.5f) * 5.9604644775390625e-8f;
}

/* The normal distribution's quantile for u in (0, 1], the last as the number before it; absolute error 2e-6: M. Giles,
   "Approximating the erfinv function", 2010, single precision. */
static float mnw_normal(const mnw_kernels *k, float u) {
    static const float middle[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                   -4.39150654e-06f, 2.1858087e-04f,  -1.25372503e-03f,
                                   -4.17768164e-03f, 2.46640727e-01f, 1.50140941f};
    static const float tails[] = {-2.00214257e-04f, 1.00950558e-04f, 1.34934322e-03f, -3.67342844e-03f, 5.73950773e-03f,
                                  -7.6224613e-03f,  9.43887047e-03f, 1.00167406f,     2.83297682f};
    const float *c;
    float w, sum;
    u = u < 1.0f ? u : 0.99999994f;
    w = 4.0f * u * (1.0f - u);
    k->unary(MNW_log, &w, &w, 1, NULL);
    c = w > -5.0f ? middle : tails;
    w = w > -5.0f ? -w - 2.5f : mnw_sqrt(-w) - 3.0f;
    sum = c[0];
    for (int i = 1; i < 9; i++)
        sum = sum * w + c[i];
    return 1.41421356f * (sum * (u - 0.5f + (u - 0.5f)));
}

/* ---- A step of all agents. */
/* The network for agents from `from` on. */
static void mnw_forward(minnow_session *s, const void *const *inputs, uint32_t from, uint32_t rows) {
    const minnow_policy *p = s->policy;
    float *memory = s->memory;
    for (uint32_t i = 0; i < p->inputs; i++)
        memcpy(mnw_at(s, i, from), (const uint8_t *)inputs[i] + (size_t)p->value[i].bytes * from,
               (size_t)p->value[i].bytes * rows);
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        memcpy(mnw_at(s, p->inputs + i, from), memory + size * from, 4 * size * rows);
        memory += size * s->agents;
    }
    for (uint32_t i = 0; i < p->ops; i++)
        mnw_run(s, &p->op[i], from, rows);
    memory = s->memory;
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        memcpy(memory + size * from, mnw_at(s, p->after[i], from), 4 * size * rows);
        memory += size * s->agents;
    }
    float *result = s->results;
    for (uint32_t i = 0; i < p->outputs; i++) {
        size_t size = minnow_output(p, i)->size;
        memcpy(result + size * from, mnw_at(s, p->result[i], from), 4 * size * rows);
        result += size * s->agents;
    }
}

/* Probabilities and choice of one head. Impossible choices have probability 0 and are never taken. */
static int32_t mnw_choose(const mnw_kernels *k, float *p, const float *logits, const uint8_t *mask, uint32_t n,
                          int sampled, float u) {
    uint32_t best = n;
    float sum = 0.0f, target;
    for (uint32_t i = 0; i < n; i++)
        if ((!mask || mask[i]) &&
            (best == n || (logits[best] == logits[best] && !(logits[i] <= logits[best])))) /* a NaN is the largest */
            best = i;
    for (uint32_t i = 0; i < n; i++)
        p[i] = logits[i] - logits[best];
    k->unary(MNW_exp, p, p, n, NULL);
    for (uint32_t i = 0; i < n; i++) {
        p[i] = !mask || mask[i] ? p[i] : 0.0f;
        sum += p[i];
    }
    k->binary(MNW_div, p, p, 1, &sum, 0, n);
    if (!sampled)
        return (int32_t)best;
    target = u;
    for (uint32_t i = 0; i < n; i++) {
        if (target < p[i])
            return (int32_t)i;
        target -= p[i];
    }
    return (int32_t)best; /* rounding left a little over */
}

static void mnw_act(const minnow_session *s, const uint8_t *mask) {
    const minnow_policy *p = s->policy;
    const uint32_t heads = p->action.heads, choices = p->action.choices;
    const int sampled = (s->flags & MINNOW_SAMPLE) != 0;
    const float *feed = minnow_logits(s), *spread = NULL;
    if (p->log_std != MNW_ABSENT)
        spread = minnow_result(s, p->log_std);
    for (uint32_t agent = 0; agent < s->agents && heads; agent++) {
        const uint32_t *seed = s->state->seed;
        const mnw_words key = mnw_threefry(seed[0], seed[1], s->first + agent, s->state->step[1]);
        uint32_t done = 0;
        for (uint32_t i = 0; i < heads; i++) {
            const minnow_head *head = &p->head[i];
            float u = sampled ? mnw_uniform(key, s->state->step[0], i) : 0.5f;
            if (!MNW_HAS_BOX || p->action.kind != MINNOW_BOX) {
                size_t at = (size_t)agent * choices + done;
                s->choice[(size_t)agent * heads + i] = mnw_choose(&s->kernels, s->probability + at, feed + at,
                                                                  mask ? mask + at : NULL, head->size, sampled, u);
                done += head->size;
                continue;
            }
            size_t at = (size_t)agent * heads + i;
            float x = feed[at];
            if (sampled && spread) {
                float deviation;
                s->kernels.unary(MNW_exp, &deviation, &spread[at], 1, NULL);
                x = x + deviation * mnw_normal(&s->kernels, u);
            }
            if (p->action.squash == MINNOW_TANH) {
                s->kernels.gates(&x, &x, 1, 1);
                x = head->low + (x + 1.0f) * 0.5f * (head->high - head->low);
            }
            s->box[at] = x < head->low ? head->low : x > head->high ? head->high : x;
        }
    }
}

MINNOW_API uint32_t minnow_isa(const minnow_session *session) {
    return session->isa;
}

MINNOW_API int32_t minnow_step_inputs(minnow_session *session, const void *const *inputs, const uint8_t *mask) {
    const minnow_policy *p = session->policy;
    if (!inputs)
        return MINNOW_E_ARGUMENT;
    for (uint32_t i = 0; i < p->inputs; i++)
        if (!inputs[i])
            return MINNOW_E_ARGUMENT;
    if (mask && p->action.choices) {
        const uint8_t *m = mask;
        for (uint32_t agent = 0; agent < session->agents; agent++)
            for (uint32_t i = 0; i < p->action.heads; m += p->head[i++].size) {
                uint32_t possible = 0;
                for (uint32_t k = 0; k < p->head[i].size; k++)
                    possible |= m[k];
                if (!possible)
                    return MINNOW_E_MASK;
            }
    }
    uint64_t was = mnw_enter();
    session->told = 0;
    for (uint32_t from = 0; from < session->agents; from += session->tile) {
        uint32_t left = session->agents - from;
        mnw_forward(session, inputs, from, left < session->tile ? left : session->tile);
    }
    mnw_act(session, mask);
    mnw_leave(was);
    session->state->step[0]++;
    session->state->step[1] += session->state->step[0] == 0;
    return session->told ? MINNOW_E_DOMAIN : MINNOW_OK;
}

/* ---- Golden vectors. */
MINNOW_API size_t minnow_selftest_size(const minnow_policy *policy) {
    return minnow_session_size(policy, mnw_u32(policy->file.part[MNW_GOLD].at + 4), 0);
}

/* Folds max |x - ref| / max(1, max |ref|) over n numbers into *most. */
static void mnw_differ(const float *x, const uint8_t *ref, size_t n, float *most) {
    float scale = 1.0f, off = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float r = mnw_f32(ref + 4 * i), d = x[i] - r;
        if (mnw_bits(x[i]) == mnw_bits(r) || (x[i] != x[i] && r != r))
            d = 0.0f; /* infinities too, and one NaN is as good as another */
        d = d < 0.0f ? -d : d;
        r = r < 0.0f ? -r : r;
        off = d > off || d != d ? d : off;
        scale = r > scale && r < 3e38f ? r : scale;
    }
    off = off / scale;
    *most = off > *most || off != off ? off : *most;
}

MINNOW_API int32_t minnow_selftest(const minnow_policy *policy, void *block, size_t block_size, float *difference) {
    const mnw_part *gold = &policy->file.part[MNW_GOLD];
    uint32_t steps = mnw_u32(gold->at), agents = mnw_u32(gold->at + 4);
    const uint8_t *at = gold->at + 8, *again = gold->at + gold->size - ((size_t)steps * agents + 3) / 4 * 4;
    const void *inputs[MNW_MOST_ARRAYS];
    minnow_error error;
    float most = 0.0f;
    minnow_session *s = minnow_session_init(policy, agents, 0, 0, block, block_size, &error);
    if (!s)
        return error.code;
    uint64_t whole = 8; /* bytes of the section, if no agent starts anew on the way */
    for (uint32_t i = 0; i < policy->inputs; i++)
        whole += steps * mnw_value_bytes(&policy->file, i, agents);
    for (uint32_t i = 0; i < policy->outputs + policy->states; i++)
        whole +=
            (size_t)4 * steps * agents *
            (i < policy->outputs ? minnow_output(policy, i) : minnow_state_array(policy, i - policy->outputs))->size;
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t agent = 0; agent < agents && gold->size > whole; agent++)
            if (again[(size_t)step * agents + agent])
                minnow_reset(s, agent);
        for (uint32_t i = 0; i < policy->inputs; i++) {
            inputs[i] = at;
            at += mnw_value_bytes(&policy->file, i, agents);
        }
        minnow_step_inputs(s, inputs, NULL);
        const float *x = s->results;
        for (uint32_t i = 0; i < policy->outputs + policy->states; i++) {
            const minnow_array *a =
                i < policy->outputs ? minnow_output(policy, i) : minnow_state_array(policy, i - policy->outputs);
            if (i == policy->outputs)
                x = s->memory;
            mnw_differ(x, at, (size_t)a->size * agents, &most);
            x += (size_t)a->size * agents;
            at += (size_t)4 * a->size * agents;
        }
    }
    if (difference)
        *difference = most;
    return most <= 1e-5f ? MINNOW_OK : MINNOW_E_SELFTEST;
}

/* ---- Errors in words. */
MINNOW_API const char *minnow_message(int32_t code) {
#ifdef MINNOW_NO_MESSAGES
    return code == MINNOW_OK ? "no error" : "see MINNOW_ERRORS in minnow.h";
#else
#define MNW_WORDS(name, number, message) message "\0"
#define MNW_WORDS_OF(name, number, message) number,
    static const char words[] = "no error\0" MINNOW_ERRORS(MNW_WORDS) "unknown error";
    static const uint8_t numbers[] = {MINNOW_OK, MINNOW_ERRORS(MNW_WORDS_OF)};
#undef MNW_WORDS
#undef MNW_WORDS_OF
    const char *at = words;
    for (size_t i = 0; i < sizeof numbers && numbers[i] != code; i++)
        while (*at++) {
        }
    return at;
#endif
}

/* Appends words or a number to text, which holds `*used` bytes. */
static void mnw_say(char *text, size_t capacity, size_t *used, const char *words) {
    while (*words && *used + 1 < capacity)
        text[(*used)++] = *words++;
}

static void mnw_count(char *text, size_t capacity, size_t *used, const char *words, uint64_t number) {
    char digits[24];
    size_t i = sizeof digits - 1;
    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + (char)(number % 10));
        number /= 10;
    } while (number);
    mnw_say(text, capacity, used, words);
    mnw_say(text, capacity, used, digits + i);
}

MINNOW_API void minnow_describe(const minnow_error *error, char *text, size_t capacity) {
    size_t used = 0;
    if (!capacity)
        return;
    mnw_count(text, capacity, &used, "error ", (uint64_t)(uint32_t)error->code);
    mnw_say(text, capacity, &used, ": ");
    mnw_say(text, capacity, &used, minnow_message(error->code));
    if (error->code >= MINNOW_E_SHORT && error->code < MINNOW_E_SELFTEST) {
        mnw_count(text, capacity, &used, " (at byte ", error->offset);
        mnw_count(text, capacity, &used, ", item ", error->index);
        mnw_count(text, capacity, &used, ": found ", error->found);
        mnw_count(text, capacity, &used, ", expected ", error->expected);
        mnw_say(text, capacity, &used, ")");
    }
    text[used] = 0;
}

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
/* ---- The numbers, once for each instruction set, MNW_LANES floats at a time. A lane never mixes with another, so
 * their width cannot show in a result. An instruction set is MNW_LANES and what the compiler makes of these few
 * operations. */
#if MNW_LANES > 1
typedef float mnw_v __attribute__((vector_size(4 * MNW_LANES)));
typedef int32_t mnw_i __attribute__((vector_size(4 * MNW_LANES)));
typedef uint32_t mnw_u __attribute__((vector_size(4 * MNW_LANES)));
#define MNW_LESS(a, b) ((a) < (b)) /* a mask: all bits of a lane */
#define MNW_SAME(a, b) ((a) == (b))
#define MNW_BITS(x) ((mnw_u)(x))
#define MNW_FROM(x) ((mnw_v)(x))
#else
typedef float mnw_v;
typedef int32_t mnw_i;
typedef uint32_t mnw_u;
#define MNW_LESS(a, b) (-(int32_t)((a) < (b)))
#define MNW_SAME(a, b) (-(int32_t)((a) == (b)))
#define MNW_BITS(x) mnw_bits(x)
#define MNW_FROM(x) mnw_from((uint32_t)(x))
#endif

MNW_INLINE mnw_v mnw_splat(float x) {
#if MNW_LANES > 1
    const mnw_v zero = {0};
    return x - zero; /* keeps -0, and gcc makes one instruction of it */
#else
    return x;
#endif
}

MNW_INLINE mnw_v mnw_select(mnw_i mask, mnw_v yes, mnw_v no) {
    return MNW_FROM(((mnw_u)mask & MNW_BITS(yes)) | (~(mnw_u)mask & MNW_BITS(no)));
}

/* a < b ? a : b and a > b ? a : b, as one instruction where compilers do not see it themselves. */
#if MNW_HAS_SIMD128 && MNW_LANES == 4
#define MNW_LOWER(a, b) ((mnw_v)wasm_f32x4_pmin((v128_t)(b), (v128_t)(a)))
#define MNW_UPPER(a, b) ((mnw_v)wasm_f32x4_pmax((v128_t)(b), (v128_t)(a)))
#elif defined(MNW_X86) && MNW_LANES == 4
#define MNW_LOWER(a, b) __builtin_ia32_minps(a, b)
#define MNW_UPPER(a, b) __builtin_ia32_maxps(a, b)
#elif defined(MNW_X86) && MNW_LANES == 8
#define MNW_LOWER(a, b) __builtin_ia32_minps256(a, b)
#define MNW_UPPER(a, b) __builtin_ia32_maxps256(a, b)
#elif defined(MNW_X86) && MNW_LANES == 16 && defined(__clang__)
#define MNW_LOWER(a, b) __builtin_ia32_minps512(a, b, 4)
#define MNW_UPPER(a, b) __builtin_ia32_maxps512(a, b, 4)
#elif defined(MNW_X86) && MNW_LANES == 16
#define MNW_LOWER(a, b) __builtin_ia32_minps512_mask(a, b, b, -1, 4)
#define MNW_UPPER(a, b) __builtin_ia32_maxps512_mask(a, b, b, -1, 4)
#else
#define MNW_LOWER(a, b) mnw_select(MNW_LESS(a, b), a, b)
#define MNW_UPPER(a, b) mnw_select(MNW_LESS(b, a), a, b)
#endif

/* x, or the bound where x is beyond it. Of a NaN they make a NaN. */
MNW_INLINE mnw_v mnw_at_most(mnw_v x, mnw_v bound) {
    return MNW_LOWER(bound, x);
}
MNW_INLINE mnw_v mnw_at_least(mnw_v x, mnw_v bound) {
    return MNW_UPPER(bound, x);
}

/* Constants that stay in memory: a vector of a number from there is one instruction, or part of one. Compilers, and the
 * engines of WebAssembly, would make vectors by several. */
MNW_INLINE const float *mnw_table(const float *constants) {
#if MNW_LANES > 1
    __asm__("" : "+r"(constants));
#endif
    return constants;
}

/* c[0] x^(n-1) + ... + c[n-1]. */
MNW_INLINE mnw_v mnw_horner(mnw_v x, const float *c, const int n) {
    mnw_v p = mnw_splat(c[0]);
    MNW_UNROLL for (int i = 1; i < n; i++) p = p * x + mnw_splat(c[i]);
    return p;
}

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

/* ---- Functions of real numbers. Errors are against the true value, over all floats unless said. */

MNW_INLINE mnw_v mnw_abs(mnw_v x) {
    return MNW_FROM(MNW_BITS(x) & 0x7fffffffu);
}
MNW_INLINE mnw_v mnw_sign_of(mnw_v x, mnw_v magnitude) {
    return MNW_FROM((MNW_BITS(x) & 0x80000000u) | MNW_BITS(magnitude));
}

/* A NaN in either argument comes out. */
MNW_INLINE mnw_v mnw_min(mnw_v a, mnw_v b) {
    return mnw_select(MNW_LESS(a, b) | ~MNW_SAME(a, a), a, b);
}
MNW_INLINE mnw_v mnw_max(mnw_v a, mnw_v b) {
    return mnw_select(MNW_LESS(b, a) | ~MNW_SAME(a, a), a, b);
}

/* The nearest whole number, halves to the even one. */
static inline mnw_v mnw_round(mnw_v x) {
    mnw_v a = mnw_abs(x), whole = (a + 8388608.0f) - 8388608.0f;
    return mnw_select(MNW_LESS(a, mnw_splat(8388608.0f)), mnw_sign_of(x, whole), x);
}

static inline mnw_v mnw_floor(mnw_v x) {
    mnw_v r = mnw_round(x);
    return mnw_select(MNW_LESS(x, r), r - 1.0f, r);
}

/* e^x, relative error 1.1e-7; 0 below -104, infinity above 88.7. Reduction to 2^n e^r with |r| <= ln(2)/2 in two
 * parts of ln 2, and the polynomial of Cephes' expf (Moshier). */
MNW_INLINE mnw_v mnw_exp(mnw_v x) {
    static const float constants[] = {-105.0f,
                                      89.0f,
                                      12583166.0f,
                                      1.44269504f,
                                      0.693359375f,
                                      2.12194440e-4f,
                                      1.9875691500e-4f,
                                      1.3981999507e-3f,
                                      8.3334519073e-3f,
                                      4.1665795894e-2f,
                                      1.6666665459e-1f,
                                      5.0000001201e-1f,
                                      1.0f};
    const float *t = mnw_table(constants);
    const mnw_v magic = mnw_splat(t[2]);
    mnw_v c = mnw_at_most(mnw_at_least(x, mnw_splat(t[0])), mnw_splat(t[1]));
    mnw_v shifted = c * mnw_splat(t[3]) + magic; /* the integer nearest to x / ln 2, plus 254, is in its low bits */
    mnw_v n = shifted - magic;
    mnw_v r = (c - n * mnw_splat(t[4])) + n * mnw_splat(t[5]);
    mnw_v p = (mnw_horner(r, t + 6, 6) * (r * r) + r) + mnw_splat(t[12]);
    /* 2^n in two factors, so that neither end of the range overflows on the way. */
    mnw_u whole = MNW_BITS(shifted), half = whole >> 1;
    return p * MNW_FROM(half << 23) * MNW_FROM((whole - half) << 23);
}

/* ln x, relative error 1.2e-7 away from 1 and absolute 6e-8 near it. The polynomial of Cephes' logf (Moshier). */
MNW_INLINE mnw_v mnw_log(mnw_v x) {
    mnw_i tiny = MNW_LESS(x, mnw_splat(1.17549435e-38f));
    mnw_v scaled = mnw_select(tiny, x * 8388608.0f, x);
    /* x = m 2^e with m in [sqrt(1/2), sqrt(2)) */
    mnw_u bits = MNW_BITS(scaled) - 0x3f3504f3u;
    mnw_i exponent = (mnw_i)bits >> 23;
    mnw_v m = MNW_FROM((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    mnw_v e = MNW_FROM((mnw_u)exponent + 0x4b400000u) - 12582912.0f;
    e = e - mnw_select(tiny, mnw_splat(23.0f), mnw_splat(0.0f));
    mnw_v z = m * m;
    mnw_v p = m * 7.0376836292e-2f + -1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m + -1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m + -1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m + -2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * z;
    p = p + e * -2.12194440e-4f;
    p = p - z * 0.5f;
    p = (m + p) + e * 0.693359375f;
    const mnw_v zero = mnw_splat(0.0f), infinity = MNW_FROM(MNW_BITS(zero) + 0x7f800000u);
    p = mnw_select(MNW_LESS(x, infinity), p, x); /* infinity and NaN give themselves */
    p = mnw_select(MNW_SAME(x, zero), -infinity, p);
    return mnw_select(MNW_LESS(x, zero), MNW_FROM(MNW_BITS(zero) + 0x7fc00000u), p);
}

/* Relative error 3.5e-7, and never beyond 1: x P(x^2) / Q(x^2), fitted to tanh on [0, 9] for the smallest largest
 * relative error (2.1e-8 before rounding) by least squares whose weights follow the error (Lawson). */
MNW_INLINE mnw_v mnw_tanh(mnw_v x) {
    static const float constants[] = {9.0f,
                                      1.3354576111623828e-8f,
                                      2.0609020793926902e-5f,
                                      3.4955842420458794e-3f,
                                      1.3381022214889526e-1f,
                                      1.0f,
                                      7.776523034408456e-7f,
                                      3.2856286270543933e-4f,
                                      2.5876967236399651e-2f,
                                      4.6714338660240173e-1f,
                                      1.0f,
                                      -9.0f,
                                      -1.0f};
    const float *t = mnw_table(constants);
    mnw_v a = mnw_at_least(mnw_at_most(x, mnw_splat(t[0])), mnw_splat(t[11])), z = a * a;
    mnw_v p = mnw_horner(z, t + 1, 5) * a / mnw_horner(z, t + 6, 5);
    return mnw_at_least(mnw_at_most(p, mnw_splat(t[5])), mnw_splat(t[12]));
}

#ifdef MNW_MULTIPLIES
#define MNW_GATES (MNW_LANES == 8 && MNW_FUSED ? 2 : 1) /* vectors at a time */
/* The functions of gates: loops of their own are a third faster than a call for each vector, and several vectors at a
 * time, each of which waits for itself, are faster again. The exponential is mnw_exp's where 2^n is a number of full
 * precision; beyond, it stands for its bounds. */
static MNW_NOINLINE void mnw_gates(float *y, const float *x, size_t n, int tangent) {
    static const float constants[] = {87.0f,
                                      -87.0f,
                                      12583039.0f,
                                      1.44269504f,
                                      0.693359375f,
                                      2.12194440e-4f,
                                      1.9875691500e-4f,
                                      1.3981999507e-3f,
                                      8.3334519073e-3f,
                                      4.1665795894e-2f,
                                      1.6666665459e-1f,
                                      5.0000001201e-1f,
                                      1.0f};
    const float *t = mnw_table(constants);
    float rest[MNW_GATES * MNW_LANES];
    for (size_t i = 0; i < n; i += MNW_GATES * MNW_LANES) {
        const float *from = x + i;
        float *to = y + i;
        size_t left = n - i;
        if (left < MNW_GATES * MNW_LANES) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, from, 4 * left);
            from = to = rest;
        }
        mnw_v v[MNW_GATES];
        if (tangent) {
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) v[j] = mnw_tanh(mnw_load(from + j * MNW_LANES));
        } else {
            mnw_v magic = mnw_splat(t[2]), shifted[MNW_GATES], r[MNW_GATES];
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) {
                mnw_v c = mnw_at_least(mnw_at_most(mnw_load(from + j * MNW_LANES), mnw_splat(t[0])), mnw_splat(t[1]));
                shifted[j] = magic - c * mnw_splat(t[3]);
                mnw_v k = shifted[j] - magic;
                r[j] = k * mnw_splat(t[5]) - (c + k * mnw_splat(t[4]));
                v[j] = mnw_splat(t[6]);
            }
            MNW_UNROLL for (int d = 7; d < 12; d++) MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) v[j] =
                v[j] * r[j] + mnw_splat(t[d]);
            MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) {
                mnw_v p = (v[j] * (r[j] * r[j]) + r[j]) + mnw_splat(t[12]);
                v[j] = 1.0f / (p * MNW_FROM(MNW_BITS(shifted[j]) << 23) + 1.0f);
            }
        }
        MNW_UNROLL for (int j = 0; j < MNW_GATES; j++) mnw_store(to + j * MNW_LANES, v[j]);
        if (to == rest)
            memcpy(y + i, rest, 4 * left);
    }
    MNW_DONE();
}
#endif

#if !MNW_FUSED
/* ---- Elementwise operations, n numbers in a row. */

/* Functions that several operations call; errors are against the true value. */
static MNW_NOINLINE mnw_v mnw_exp_apart(mnw_v x) {
    return mnw_exp(x);
}

MNW_INLINE mnw_v mnw_sigmoid(mnw_v x) { /* absolute error 1.2e-7 */
    return 1.0f / (mnw_exp_apart(-x) + 1.0f);
}

static MNW_NOINLINE mnw_v mnw_tanh_apart(mnw_v x) {
    return mnw_tanh(x);
}

/* Absolute error 3e-7. Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. */
static MNW_NOINLINE mnw_v mnw_erf(mnw_v x) {
    static const float constants[] = {1.061405429f, -1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
    mnw_v a = mnw_abs(x), t = 1.0f / (a * 0.3275911f + 1.0f);
    return mnw_sign_of(x, 1.0f - mnw_horner(t, mnw_table(constants), 5) * t * mnw_exp_apart(-(a * a)));
}

#if !MNW_FEW
static MNW_NOINLINE mnw_v mnw_log_apart(mnw_v x) {
    return mnw_log(x);
}

static mnw_v mnw_sqrt_all(mnw_v x) {
    float lanes[MNW_LANES];
    mnw_store(lanes, x);
    for (int i = 0; i < MNW_LANES; i++)
        lanes[i] = mnw_sqrt(lanes[i]);
    return mnw_load(lanes);
}

static mnw_v mnw_softplus(mnw_v x, float beta, float threshold) {
    mnw_v z = x * beta;
    mnw_v smooth = mnw_log_apart(mnw_exp_apart(mnw_min(z, mnw_splat(threshold))) + 1.0f) / mnw_splat(beta);
    return mnw_select(MNW_LESS(mnw_splat(threshold), z), x, smooth);
}

static mnw_v mnw_mish(mnw_v x) { /* x tanh(ln(1 + e^x)), without the logarithm */
    mnw_v e = mnw_exp_apart(mnw_min(x, mnw_splat(20.0f))), q = e * (e + 2.0f);
    return mnw_select(MNW_LESS(mnw_splat(20.0f), x), x, x * (q / (q + 2.0f)));
}

static mnw_v mnw_sine_all(mnw_v x, uint32_t quarter) {
    float lanes[MNW_LANES];
    mnw_store(lanes, x);
    for (int i = 0; i < MNW_LANES; i++)
        lanes[i] = mnw_sine(lanes[i], quarter);
    return mnw_load(lanes);
}
#endif

MNW_INLINE mnw_v mnw_apply(uint32_t code, mnw_v v, float a, float b) {
    const mnw_v zero = mnw_splat(0.0f);
    switch (MNW_NUMBER(code)) {
    case MNW_relu:
        return mnw_at_least(v, zero);
    case MNW_leaky_relu:
        return mnw_select(MNW_LESS(v, zero), v * a, v);
    case MNW_elu:
        return mnw_select(MNW_LESS(zero, v), v, (mnw_exp_apart(v) - 1.0f) * a);
    case MNW_gelu:
        return v * 0.5f * (mnw_erf(v * 0.707106781f) + 1.0f);
    case MNW_gelu_tanh:
        return v * 0.5f * (mnw_tanh_apart((v + v * v * v * 0.044715f) * 0.797884561f) + 1.0f);
    case MNW_silu:
        return v / (mnw_exp_apart(-v) + 1.0f);
    case MNW_clamp:
        return mnw_min(mnw_max(v, mnw_splat(a)), mnw_splat(b));
    case MNW_abs:
        return mnw_abs(v);
    case MNW_neg:
        return -v;
    case MNW_exp:
        return mnw_exp_apart(v);
    case MNW_square:
        return v * v;
#if !MNW_FEW
    case MNW_selu:
        return mnw_select(MNW_LESS(zero, v), v, (mnw_exp_apart(v) - 1.0f) * 1.67326324f) * 1.05070099f;
    case MNW_mish:
        return mnw_mish(v);
    case MNW_softplus:
        return mnw_softplus(v, a, b);
    case MNW_softsign:
        return v / (mnw_abs(v) + 1.0f);
    case MNW_hardsigmoid:
        return mnw_min(mnw_max(v + 3.0f, zero), mnw_splat(6.0f)) / mnw_splat(6.0f);
    case MNW_hardswish:
        return v * mnw_min(mnw_max(v + 3.0f, zero), mnw_splat(6.0f)) / mnw_splat(6.0f);
    case MNW_log:
        return mnw_log_apart(v);
    case MNW_sqrt:
        return mnw_sqrt_all(v);
    case MNW_rsqrt:
        return 1.0f / mnw_sqrt_all(v);
    case MNW_reciprocal:
        return 1.0f / v;
    case MNW_sin:
        return mnw_sine_all(v, 0);
    case MNW_cos:
        return mnw_sine_all(v, 1);
    case MNW_floor:
        return mnw_floor(v);
    case MNW_round:
        return mnw_round(v);
    case MNW_sign:
        return mnw_select(MNW_LESS(zero, v) | MNW_LESS(v, zero), mnw_sign_of(v, mnw_splat(1.0f)), zero);
    case MNW_erf:
        return mnw_erf(v);
#endif
    default:
        return v;
    }
}

static MNW_NOINLINE void mnw_unary(uint32_t code, float *y, const float *x, size_t n, const float *attr) {
    const float a = attr ? attr[0] : 0.0f, b = attr ? attr[1] : 0.0f;
#if MNW_FEW
    if ((code < MNW_NUMBER(MNW_abs) ? MNW_RARE : MNW_RARER) >> code % 32 & 1) {
        mnw_unary_simd(code, y, x, n, attr);
        return;
    }
#endif
    for (size_t i = 0; i < n; i += MNW_LANES)
        mnw_put(y + i, mnw_apply(code, mnw_get(x + i, n - i), a, b), n - i);
    MNW_DONE();
}

static MNW_NOINLINE void mnw_binary(uint32_t code, float *y, const float *a, size_t by_a, const float *b, size_t by_b,
                                    size_t n) {
    size_t i = 0;
#if MNW_FEW
    if (code > MNW_div) {
        mnw_binary_simd(code, y, a, by_a, b, by_b, n);
        return;
    }
#else
    const mnw_v zero = mnw_splat(0.0f), one = mnw_splat(1.0f);
#endif
    for (; by_a && by_b && code <= MNW_mul && n - i >= 2 * MNW_LANES; i += 2 * MNW_LANES)
        MNW_UNROLL for (int j = 0; j < 2; j++) {
            mnw_v u = mnw_load(a + i + j * MNW_LANES), v = mnw_load(b + i + j * MNW_LANES);
            mnw_store(y + i + j * MNW_LANES, code == MNW_add ? u + v : code == MNW_sub ? u - v : u * v);
        }
    for (; i < n; i += MNW_LANES) {
        size_t left = n - i;
        const float *pa = a + i * by_a, *pb = b + i * by_b;
        mnw_v u = !by_a ? mnw_splat(*pa) : left < MNW_LANES ? mnw_get(pa, left) : mnw_load(pa);
        mnw_v v = !by_b ? mnw_splat(*pb) : left < MNW_LANES ? mnw_get(pb, left) : mnw_load(pb);
        u = code == MNW_add   ? u + v
            : code == MNW_sub ? u - v
            : code == MNW_mul ? u * v
#if MNW_FEW
                              : u / v;
#else
            : code == MNW_div     ? u / v
            : code == MNW_minimum ? mnw_min(u, v)
            : code == MNW_maximum ? mnw_max(u, v)
            : code == MNW_keep    ? mnw_select(MNW_SAME(v, zero), zero, u)
            : code == MNW_eq      ? mnw_select(MNW_SAME(u, v), one, zero)
            : code == MNW_lt      ? mnw_select(MNW_LESS(u, v), one, zero)
                                  : mnw_select(MNW_LESS(u, v) | MNW_SAME(u, v), one, zero);
#endif
        if (left < MNW_LANES)
            mnw_put(y + i, u, left);
        else
            mnw_store(y + i, u);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_mix_of(float *y, const float *a, const float *b, const float *z, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v of = mnw_get(z + i, left), taken = of * mnw_get(b + i, left);
        mnw_put(y + i, (1.0f - of) * mnw_get(a + i, left) + taken, left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_lstm_of(float *c, const float *gates, const float *before, size_t n) {
    const float *in = gates, *forget = in + n, *fresh = forget + n;
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v kept = mnw_get(forget + i, left) * mnw_get(before + i, left);
        mnw_put(c + i, kept + mnw_get(in + i, left) * mnw_get(fresh + i, left), left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_mingru_of(float *h, const float *parts, const float *before, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i;
        mnw_v v = mnw_get(parts + i, left), old = mnw_get(before + i, left);
        v = mnw_select(MNW_LESS(v, mnw_splat(0.0f)), mnw_get(h + i, left), v + 0.5f);
        mnw_put(h + i, old + mnw_get(parts + n + i, left) * (v - old), left);
    }
    MNW_DONE();
}

static MNW_NOINLINE void mnw_gru_of(float *h, const float *of_x, const float *of_h, const float *before, size_t n) {
    for (size_t i = 0; i < n; i += MNW_LANES) {
        size_t left = n - i < MNW_LANES ? n - i : MNW_LANES;
        mnw_v reset = mnw_sigmoid(mnw_get(of_x + i, left) + mnw_get(of_h + i, left));
        mnw_v update = mnw_sigmoid(mnw_get(of_x + n + i, left) + mnw_get(of_h + n + i, left));
        mnw_v fresh = mnw_get(of_x + 2 * n + i, left) + reset * mnw_get(of_h + 2 * n + i, left);
        fresh = mnw_tanh_apart(fresh);
        mnw_put(h + i, fresh + update * (mnw_get(before + i, left) - fresh), left);
    }
    MNW_DONE();
}
#endif

static void mnw_fill(mnw_kernels *k) {
#ifdef MNW_MULTIPLIES
    k->tall = mnw_sum_tall;
    k->thin = MNW_THIN;
    k->wide = mnw_sum_wide;
    k->middle = MNW_MIDDLE;
    k->least = mnw_sum_least;
    k->gates = mnw_gates;
    k->rows = MNW_ROWS;
    k->columns = MNW_VECS * MNW_LANES;
    k->few = MNW_LEAST * MNW_LANES;
    k->most = MNW_WIDE * MNW_LANES;
    k->half = MNW_HALF * MNW_LANES;
#endif
#if !MNW_FUSED
    k->unary = mnw_unary;
    k->binary = mnw_binary;
    k->mix = MNW_mix < 256 ? mnw_mix_of : NULL;
    k->lstm = MNW_lstm < 256 ? mnw_lstm_of : NULL;
    k->mingru = MNW_mingru < 256 ? mnw_mingru_of : NULL;
    k->gru = MNW_gru < 256 ? mnw_gru_of : NULL;
#endif
}

/* ---- What an instruction set has defined. */
#undef MNW_ISA
#undef MNW_LANES
#undef MNW_GATES
#undef MNW_FUSED
#undef MNW_LESS
#undef MNW_SAME
#undef MNW_BITS
#undef MNW_FROM
#undef MNW_LOWER
#undef MNW_UPPER
#undef MNW_PER_PANEL
#undef MNW_FEW
#undef MNW_MULTIPLIES
#undef MNW_DONE
#undef MNW_ROWS
#undef MNW_STEP
#undef MNW_VECS
#undef MNW_WIDE
#undef MNW_HALF
#undef MNW_MIDDLE
#undef MNW_LEAST
#undef MNW_THIN
#endif /* MNW_ISA */

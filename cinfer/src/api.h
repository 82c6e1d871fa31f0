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

/* replay.h: reads the replay file that docs/replay.md specifies. One header, C99, no allocation, no library.
 *
 *     Replay replay;
 *     ReplayCursor at = {0};
 *     GameInput input;
 *     if (replay_open(&replay, bytes, size, &fault)) { puts(replay_message(fault.number)); return; }
 *     for (int more = replay_next(&replay, &at, &input); game_ticks(game) < replay.ticks; game_tick(game))
 *         for (; more && input.tick == game_ticks(game); more = replay_next(&replay, &at, &input))
 *             game_input(game, &input); // 0: not for this game
 *
 * replay_open reads the whole file once, so that replay_next finds no fault any more. The bytes stay the caller's.
 */
#ifndef MINNOW_REPLAY_H
#define MINNOW_REPLAY_H
#include "game.h"
#include <stddef.h>

/* The faults, in the order in which they are looked for: X(name, number, message). */
#define REPLAY_FAULTS(X)                                                                                               \
    X(SHORT, 10, "the file is shorter than a replay can be")                                                           \
    X(MAGIC, 11, "this is not a replay")                                                                               \
    X(VERSION, 12, "the replay has another format version: use a newer Minnow")                                        \
    X(LARGE, 13, "the replay is larger than 16 MiB")                                                                   \
    X(CHECKSUM, 14, "the replay is cut short or damaged: its checksum is wrong")                                       \
    X(HEADS, 20, "an action has 1 to 8 heads")                                                                         \
    X(POLICIES, 21, "a game has at most 16 policies")                                                                  \
    X(NAME, 22, "an environment's name is 1 to 64 printable ASCII characters")                                         \
    X(RANDOMIZE, 23, "what is randomized is a fraction, 0 to 1")                                                       \
    X(TICKS, 24, "the replay has more than 16,777,216 ticks")                                                          \
    X(INPUTS, 25, "the replay has more than 1,048,576 inputs")                                                         \
    X(CUT, 30, "the inputs end before they are all there")                                                             \
    X(NUMBER, 31, "a number is too large, not finite, or not written in its shortest form")                            \
    X(KIND, 32, "an input's kind is unknown")                                                                          \
    X(LATE, 33, "an input enters after the last tick")                                                                 \
    X(SLOT, 34, "slots are 0 to 4,095, and an input is for one at least")                                              \
    X(POLICY, 35, "there is no policy with this index")                                                                \
    X(DRIVER, 36, "there is no driver with this number")                                                               \
    X(EVENT, 37, "an event's kind or flags are unknown")                                                               \
    X(SAMPLE, 38, "sampling is neither on nor off")                                                                    \
    X(TRAILING, 40, "there are bytes after the last input")

enum {
#define REPLAY_FAULT_NUMBER(name, number, message) REPLAY_##name = number,
    REPLAY_FAULTS(REPLAY_FAULT_NUMBER)
#undef REPLAY_FAULT_NUMBER
        REPLAY_LEAST = 69,
    REPLAY_MOST_SLOTS = 4096,
    REPLAY_MOST_TICKS = 1 << 24,
    REPLAY_MOST_INPUTS = 1 << 20,
    REPLAY_MOST_BYTES = 1 << 24,
    REPLAY_MOST_WHOLE = 1 << 24 /* beyond that not every whole number is a float */
};

typedef struct ReplayFault {
    int32_t number;         /* 0: none */
    uint32_t input, offset; /* from 30 on: which input, counted from 0 after the start, and where it begins */
} ReplayFault;

typedef struct Replay {
    const uint8_t *bytes;
    uint32_t size;   /* without the checksum */
    uint32_t inputs; /* after the start */
    uint32_t first;  /* where they begin */
    uint32_t ticks, heads, policies;
    const uint8_t *name; /* [name_size], without a zero behind it */
    uint32_t name_size;
    const uint8_t *source; /* [32]: SHA-256 */
    const uint8_t *policy; /* [policies][32] */
    GameInput start;
} Replay;

typedef struct ReplayCursor { /* all zero: before the start */
    uint32_t offset, count, tick;
} ReplayCursor;

static inline const char *replay_message(int32_t number) {
    switch (number) {
#define REPLAY_FAULT_MESSAGE(name, number, message)                                                                    \
    case number:                                                                                                       \
        return message;
        REPLAY_FAULTS(REPLAY_FAULT_MESSAGE)
#undef REPLAY_FAULT_MESSAGE
    default:
        return "";
    }
}

static inline uint32_t replay_u32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t replay_crc(const uint8_t *bytes, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

static inline float replay_float(uint32_t bits) {
    union {
        uint32_t bits;
        float value;
    } both;
    both.bits = bits;
    return both.value;
}

static inline uint32_t replay_bits(float value) {
    union {
        uint32_t bits;
        float value;
    } both;
    both.value = value;
    return both.bits;
}

/* Reading stops at the first fault: *fault is set, and everything after it yields 0. */
static inline uint32_t replay_byte(const Replay *replay, uint32_t *at, int32_t *fault) {
    if (*fault || *at >= replay->size) {
        *fault = *fault ? *fault : (int32_t)REPLAY_CUT;
        return 0;
    }
    return replay->bytes[(*at)++];
}

static inline uint32_t replay_count(const Replay *replay, uint32_t *at, int32_t *fault) {
    uint32_t value = 0, byte = 0x80;
    for (uint32_t shift = 0; byte & 0x80; shift += 7) {
        byte = replay_byte(replay, at, fault);
        if (shift == 28 && byte > 0xf) {
            *fault = REPLAY_NUMBER;
        } else if (shift > 0 && byte == 0 && !*fault) {
            *fault = REPLAY_NUMBER;
        }
        if (*fault) {
            return 0;
        }
        value |= (byte & 0x7f) << shift;
    }
    return value;
}

/* The bits of a float. */
static inline uint32_t replay_real(const Replay *replay, uint32_t *at, int32_t *fault) {
    const uint32_t count = replay_count(replay, at, fault);
    if (count % 2 == 0) {
        const uint32_t size = (count + 2) / 4;
        if (count > 4u * REPLAY_MOST_WHOLE) {
            *fault = REPLAY_NUMBER;
        }
        return *fault ? 0 : replay_bits(count % 4 ? -(float)size : (float)size);
    }
    uint32_t bits = 0;
    for (uint32_t shift = 0; count == 1 && shift < 32; shift += 8) {
        bits |= replay_byte(replay, at, fault) << shift;
    }
    if (*fault) {
        return 0;
    }
    const float value = replay_float(bits), most = (float)REPLAY_MOST_WHOLE;
    const int finite = (bits & 0x7f800000u) != 0x7f800000u;
    if (count != 1 || !finite ||
        (value >= -most && value <= most && value == (float)(int32_t)value && bits != 0x80000000u)) {
        *fault = REPLAY_NUMBER;
    }
    return bits;
}

static inline void replay_event(const Replay *replay, uint32_t *at, uint32_t *values, int32_t *fault) {
    values[0] = replay_count(replay, at, fault);
    const uint32_t flags = replay_byte(replay, at, fault);
    if (!*fault && ((values[0] > 1 && values[0] < 16) || values[0] > 0x7fffffffu || flags > 15)) {
        *fault = REPLAY_EVENT;
    }
    if (flags & 1) {
        values[1] = replay_count(replay, at, fault);
    }
    static const uint32_t from[] = {1, 2, 5, 8, 9};
    for (uint32_t part = 1; part < 4; part++) {
        for (uint32_t i = from[part]; i < from[part + 1] && (flags >> part & 1); i++) {
            values[i] = replay_real(replay, at, fault);
        }
    }
    for (uint32_t part = 0; part < 4; part++) {
        uint32_t any = 0;
        for (uint32_t i = from[part]; i < from[part + 1]; i++) {
            any |= values[i];
        }
        if (!*fault && (flags >> part & 1) && !any) {
            *fault = REPLAY_EVENT;
        }
    }
}

/* The next input into *input; returns a fault's number, or 0. */
static inline int32_t replay_read(const Replay *replay, ReplayCursor *cursor, GameInput *input) {
    static const GameInput none = {0};
    int32_t fault = 0;
    uint32_t at = cursor->offset;
    const uint32_t head = replay_count(replay, &at, &fault), kind = head & 7;
    *input = none;
    if (!fault && (kind == GAME_START || kind > GAME_SAMPLE)) {
        fault = REPLAY_KIND;
    }
    if (!fault && head >> 3 > replay->ticks - cursor->tick) {
        fault = REPLAY_LATE;
    }
    input->kind = kind;
    input->tick = cursor->tick + (fault ? 0 : head >> 3);
    input->slot = kind == GAME_SAMPLE ? 0 : replay_count(replay, &at, &fault);
    if (!fault && input->slot >= REPLAY_MOST_SLOTS) {
        fault = REPLAY_SLOT;
    }
    uint32_t *values = input->values;
    if (fault) {
        return fault;
    }
    if (kind == GAME_SEAT || kind == GAME_DRIVE) {
        values[0] = replay_count(replay, &at, &fault);
        if (!fault && (values[0] < 1 || values[0] > REPLAY_MOST_SLOTS - input->slot)) {
            fault = REPLAY_SLOT;
        }
        values[1] = replay_count(replay, &at, &fault);
        if (!fault && kind == GAME_SEAT && values[1] > replay->policies) {
            fault = REPLAY_POLICY;
        } else if (!fault && kind == GAME_DRIVE && values[1] > GAME_RANDOM) {
            fault = REPLAY_DRIVER;
        }
    } else if (kind == GAME_ACT) {
        for (uint32_t i = 0; i < replay->heads; i++) {
            values[i] = replay_real(replay, &at, &fault);
        }
    } else if (kind == GAME_EVENT) {
        replay_event(replay, &at, values, &fault);
    } else {
        values[0] = replay_byte(replay, &at, &fault);
        if (!fault && values[0] > 1) {
            fault = REPLAY_SAMPLE;
        }
    }
    if (!fault) {
        cursor->offset = at;
        cursor->tick = input->tick;
        cursor->count++;
    }
    return fault;
}

/* The next input, the start first; 0 after the last one. */
static inline int replay_next(const Replay *replay, ReplayCursor *cursor, GameInput *input) {
    if (cursor->offset == 0) {
        *input = replay->start;
        cursor->offset = replay->first;
        return 1;
    }
    return cursor->count < replay->inputs && replay_read(replay, cursor, input) == 0;
}

/* What is wrong with the header, or 0. */
static inline int32_t replay_header(Replay *replay, const uint8_t *bytes, size_t size) {
    static const uint8_t magic[8] = {0x89, 'M', 'N', 'R', '\r', '\n', 0x1a, '\n'};
    static const Replay none = {0};
    *replay = none;
    if (size < REPLAY_LEAST) {
        return REPLAY_SHORT;
    }
    for (uint32_t i = 0; i < sizeof magic; i++) {
        if (bytes[i] != magic[i]) {
            return REPLAY_MAGIC;
        }
    }
    if (bytes[8] != 1) {
        return REPLAY_VERSION;
    }
    if (size > REPLAY_MOST_BYTES) {
        return REPLAY_LARGE;
    }
    if (replay_crc(bytes, size - 4) != replay_u32(bytes + size - 4)) {
        return REPLAY_CHECKSUM;
    }
    replay->bytes = bytes;
    replay->size = (uint32_t)size - 4;
    replay->heads = bytes[9];
    replay->policies = bytes[10];
    replay->name_size = bytes[11];
    if (replay->heads < 1 || replay->heads > 8) {
        return REPLAY_HEADS;
    }
    if (replay->policies > GAME_MOST_POLICIES) {
        return REPLAY_POLICIES;
    }
    if (replay->name_size < 1 || replay->name_size > 64) {
        return REPLAY_NAME;
    }
    uint32_t at = 12 + replay->name_size + 32 + 32 * replay->policies;
    if (replay->size < at + 20) {
        return REPLAY_CUT;
    }
    replay->name = bytes + 12;
    for (uint32_t i = 0; i < replay->name_size; i++) {
        if (replay->name[i] < 0x21 || replay->name[i] > 0x7e) {
            return REPLAY_NAME;
        }
    }
    replay->source = replay->name + replay->name_size;
    replay->policy = replay->source + 32;
    replay->start.values[0] = replay_u32(bytes + at);
    replay->start.values[1] = replay_u32(bytes + at + 4);
    replay->start.values[2] = replay_u32(bytes + at + 8);
    if (replay->start.values[2] > 0x3f800000u) { /* the bits of 1: larger ones, negative ones and what is no number */
        return REPLAY_RANDOMIZE;
    }
    replay->ticks = replay_u32(bytes + at + 12);
    replay->inputs = replay_u32(bytes + at + 16);
    replay->first = at + 20;
    return replay->ticks > REPLAY_MOST_TICKS     ? (int32_t)REPLAY_TICKS
           : replay->inputs > REPLAY_MOST_INPUTS ? (int32_t)REPLAY_INPUTS
                                                 : 0;
}

/* Returns 0, or the fault's number, which is also in *fault. */
static inline int32_t replay_open(Replay *replay, const void *bytes, size_t size, ReplayFault *fault) {
    ReplayCursor cursor = {0, 0, 0};
    GameInput input;
    fault->input = fault->offset = 0;
    fault->number = replay_header(replay, (const uint8_t *)bytes, size);
    cursor.offset = replay->first;
    while (!fault->number && cursor.count < replay->inputs) {
        fault->number = replay_read(replay, &cursor, &input);
    }
    if (!fault->number && cursor.offset != replay->size) {
        fault->number = REPLAY_TRAILING;
    }
    fault->input = cursor.count;
    fault->offset = cursor.offset;
    return fault->number;
}
#endif

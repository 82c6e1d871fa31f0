/* policy.c: attacks minnow.h with files, for libFuzzer (clang -fsanitize=fuzzer,address,undefined).
 *
 * A file that loads is run: sessions in every combination of flags, several numbers of agents, whatever inputs and
 * masks, snapshots, resets, restored states of any content, its golden vectors. Blocks have exactly the size asked for
 * and begin at odd addresses, so that the sanitizers see every byte beyond them. What one input may cost is bounded:
 * files that ask for much memory or arithmetic are loaded but not run.
 *
 * The mutator knows the format (docs/format.md): it changes records, shapes and operations, then repairs offsets,
 * sizes and the checksum, so that most of what it makes gets past the first checks. */
#define MINNOW_IMPLEMENTATION
#define MINNOW_WITH_PLAIN
#include "minnow.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);
extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/* ---- Running. */
enum { MOST_BLOCK = 1 << 22, MOST_WORK = 1 << 21, MOST_STEPS = 64 };
enum { STRS, VALS, INPS, STAT, OUTS, OPER, ARGS, TENS, ACTN, META, GOLD, DATA, SECTIONS };
enum { ENTRY = 24, FIRST = 32, HEADER = FIRST + ENTRY * SECTIONS };
static const uint8_t RECORD[SECTIONS] = {1, 32, 8, 24, 12, 16, 4, 48, 4, 1, 4, 1};

static uint32_t state = 1;

static uint32_t draw(uint32_t below) { /* xorshift32 (Marsaglia, 2003) */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return below ? state % below : 0;
}

static uint32_t get(const uint8_t *p, int bytes) {
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number |= (uint32_t)p[i] << 8 * i;
    }
    return number;
}

static void put(uint8_t *p, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(number >> 8 * i);
    }
}

static void require(int fine) {
    if (!fine) {
        abort();
    }
}

/* A block of exactly so many bytes at an odd address; release takes it back. */
static uint8_t *odd(size_t size) {
    uint8_t *block = (uint8_t *)malloc(size + 1);
    require(block != NULL);
    return block + 1;
}

static void release(void *block) {
    free((uint8_t *)block - 1);
}

static double elements(const uint8_t *record) {
    double n = 1;
    for (int i = 0; i < record[5]; i++) {
        n *= get(record + 8 + 4 * i, 4);
    }
    return n;
}

/* A bound of the multiplications of one agent's step in a valid file. */
static double work(const uint8_t *file) {
    const uint8_t *part[SECTIONS];
    double sum = 0;
    for (int i = 0; i < SECTIONS; i++) {
        part[i] = file + get(file + FIRST + ENTRY * i + 8, 4);
    }
    const uint32_t ops = get(file + FIRST + ENTRY * OPER + 4, 4);
    for (uint32_t i = 0; i < ops; i++) {
        const uint8_t *op = part[OPER] + (size_t)16 * i, *arg = part[ARGS] + (size_t)4 * get(op + 12, 4);
        const uint32_t values = get(op + 4, 2) + get(op + 6, 2), tensors = get(op + 8, 2);
        double in = 1, weights = 1;
        for (uint32_t k = 0; k < values + tensors; k++, arg += 4) {
            const uint32_t index = get(arg, 4);
            if (k < values) {
                in += elements(part[VALS] + (size_t)32 * index);
            } else if (index != 0xffffffffu) {
                weights += elements(part[TENS] + (size_t)48 * index);
            }
        }
        sum += in * (weights < 64 ? 64 : weights) + (tensors || get(op, 2) == MNW_sort ? in * in : 0);
    }
    return sum;
}

static void fill(uint8_t *p, size_t size, uint32_t dtype) {
    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)draw(256);
    }
    for (size_t i = 0; dtype == MINNOW_F32 && i + 4 <= size && draw(8); i += 4) { /* mostly of common size */
        const float x = (float)(int32_t)draw(2048) / 256.0f - 4.0f;
        memcpy(p + i, &x, 4);
    }
    for (size_t i = 0; dtype == MINNOW_I32 && i + 4 <= size && draw(4); i += 4) {
        put(p + i, draw(8), 4);
    }
}

static void inspect(const minnow_policy *policy, minnow_session *session) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < minnow_outputs(policy); i++) {
        const minnow_array *spec = minnow_output(policy, i);
        uint32_t size = 0;
        const float *found = minnow_activation(session, 0, spec->name, &size);
        for (uint32_t k = 0; found && k < size; k++) {
            sum += found[k] > 0.0f;
        }
    }
    require(minnow_result(session, minnow_outputs(policy)) == NULL && minnow_input(policy, 1u << 30) == NULL);
    (void)minnow_value(session);
    (void)minnow_logits(session);
    state += sum;
}

/* Folds numbers into a hash; one NaN is like another. */
static uint32_t fold(uint32_t hash, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = 0x7fc00000u;
        if (x[i] == x[i]) {
            memcpy(&bits, x + i, 4);
        }
        hash = (hash ^ bits) * 0x01000193u;
    }
    return hash;
}

/* Returns a hash of all results. */
static uint32_t run(const minnow_policy *policy, uint32_t agents, uint32_t flags) {
    const size_t need = minnow_session_size(policy, agents, flags);
    const minnow_action_spec *action = minnow_action_of(policy);
    if (!need || need > MOST_BLOCK) {
        return 0;
    }
    uint8_t *block = odd(need);
    minnow_error error;
    require(minnow_session_init(policy, agents, flags, 7, block, need - 1, &error) == NULL);
    minnow_session *session = minnow_session_init(policy, agents, flags, draw(0x10000), block, need, &error);
    require(session != NULL);

    const uint32_t inputs = minnow_inputs(policy);
    const void *at[256];
    for (uint32_t i = 0; i < inputs; i++) {
        const minnow_array *spec = minnow_input(policy, i);
        const size_t size = (size_t)spec->size * agents * (spec->dtype == MINNOW_U8 ? 1 : 4);
        uint8_t *input = (uint8_t *)malloc(size);
        fill(input, size, spec->dtype);
        at[i] = input;
    }
    const size_t choices = (size_t)action->choices * agents;
    uint8_t *mask = (uint8_t *)malloc(choices + 1);
    memset(mask, 1, choices);
    for (uint32_t i = 0; i < action->choices / 3; i++) {
        mask[draw((uint32_t)choices)] = 0;
    }
    const size_t size = minnow_state_size(session);
    uint8_t *saved = (uint8_t *)malloc(size), *again = (uint8_t *)malloc(size);

    minnow_step_inputs(session, at, NULL);
    minnow_step_inputs(session, at, mask);
    uint32_t hash = fold(1, (const float *)((uint8_t *)minnow_state(session) + 32), size / 4 - 8);
    for (uint32_t i = 0; i < minnow_outputs(policy); i++) {
        hash = fold(hash, minnow_result(session, i), (size_t)minnow_output(policy, i)->size * agents);
    }
    for (uint32_t i = 0; i < action->heads * agents; i++) {
        hash = action->choices ? hash * 31 + (uint32_t)minnow_action(session)[i]
                               : fold(hash, minnow_action_box(session) + i, 1);
    }
    hash = fold(hash, minnow_probabilities(session), choices);
    inspect(policy, session);
    memcpy(saved, minnow_state(session), size);
    minnow_step_inputs(session, at, NULL);
    memcpy(again, minnow_state(session), size);
    minnow_reset(session, agents - 1);
    require(minnow_reset(session, agents) == MINNOW_E_AGENT);
    require(minnow_restore(session, saved, size - 1) == MINNOW_E_STATE);
    require(minnow_restore(session, saved, size) == MINNOW_OK);
    minnow_step_inputs(session, at, NULL);
    require(memcmp(again, minnow_state(session), size) == 0); /* a snapshot leads to the same bits again */
    for (uint32_t i = 0; i < 4; i++) {
        saved[draw((uint32_t)size)] = (uint8_t)draw(256);
    }
    minnow_restore(session, saved, size);
    minnow_sample(session, !(flags & MINNOW_SAMPLE));
    minnow_first_agent(session, 0xffffffffu);
    minnow_step_inputs(session, at, NULL);
    minnow_restart(session, 3);

    for (uint32_t i = 0; i < inputs; i++) {
        free((void *)(uintptr_t)at[i]);
    }
    free(mask);
    free(saved);
    free(again);
    release(block);
    return hash;
}

/* One session; exact results must have the same bits on every instruction set. */
static void run_everywhere(const minnow_policy *policy, uint32_t agents, uint32_t flags) {
    const uint32_t all = minnow_isas(), began = state;
    uint32_t set = 1u << draw(32);
    while (!(set & all)) {
        set = 1u << draw(32);
    }
    state = began;
    const uint32_t hash = run(policy, agents, flags | set);
    state = began;
    if (!(flags & MINNOW_FAST) && (all & MINNOW_PLAIN)) {
        require(run(policy, agents, flags | MINNOW_PLAIN) == hash);
    }
    state = hash | 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t AGENTS[8] = {1, 2, 3, 5, 8, 17, 33, 49};
    minnow_error error;
    char text[200];
    uint8_t *file = odd(size);
    memcpy(file, data, size);
    state = 1;
    for (size_t i = 0; i < size; i++) {
        state = (state ^ data[i]) * 0x01000193u;
    }
    state |= 1;
    const size_t need = minnow_size(file, size, &error);
    require((need == 0) == (error.code != MINNOW_OK));
    minnow_describe(&error, text, draw(sizeof text));
    if (need && need <= MOST_BLOCK) {
        uint8_t *block = odd(need);
        require(minnow_load(file, size, block, need - 1, &error) == NULL && error.code == MINNOW_E_BLOCK);
        const minnow_policy *policy = minnow_load(file, size, block, need, &error);
        require(policy != NULL);
        const double cost = work(file);
        for (uint32_t flags = 0; flags < 8 && cost <= MOST_WORK; flags++) {
            const uint32_t agents = AGENTS[draw(8)];
            run_everywhere(policy, cost * agents > MOST_WORK ? 1 : agents, flags);
        }
        const size_t test = minnow_selftest_size(policy);
        const uint8_t *gold = file + get(file + FIRST + ENTRY * GOLD + 8, 4);
        const uint32_t steps = get(gold, 4), agents = get(gold + 4, 4);
        if (test && test <= MOST_BLOCK && steps <= MOST_STEPS && cost * agents * steps <= MOST_WORK) {
            uint8_t *memory = odd(test);
            float difference;
            require(minnow_selftest(policy, memory, test - 1, &difference) == MINNOW_E_BLOCK);
            minnow_selftest(policy, memory, test, &difference);
            release(memory);
        }
        release(block);
    }
    release(file);
    return 0;
}

/* ---- Changing. A file is taken apart into its sections, changed, and put together again. */
enum { MOST_SECTION = 1 << 16 };

typedef struct Part {
    uint32_t size;
    uint8_t byte[MOST_SECTION];
} Part;

static Part parts[SECTIONS];
static const uint32_t NUMBERS[] = {0,          1,          2,          3,          4,          5,          7,
                                   8,          9,          15,         16,         17,         31,         32,
                                   33,         63,         64,         65,         127,        128,        255,
                                   256,        257,        0xffff,     0x10000,    0x00ffffff, 0x0fffffff, 0x10000000,
                                   0x3f800000, 0x7f800000, 0x7fc00000, 0x7fffffff, 0x80000000, 0x80000001, 0xff800000,
                                   0xfffffffe, 0xffffffff};
#define OPERATION(name, code, inputs, outputs, tensors, needed, attrs) {code, inputs, outputs, tensors, needed, attrs},
static const uint32_t OPERATIONS[][6] = {MINNOW_OPERATIONS(OPERATION)};
enum { OPERATION_COUNT = sizeof OPERATIONS / sizeof *OPERATIONS };

static int take_apart(const uint8_t *data, size_t size) {
    if (size < HEADER) {
        return 0;
    }
    for (int i = 0; i < SECTIONS; i++) {
        const uint8_t *entry = data + FIRST + ENTRY * i;
        const uint32_t at = get(entry + 8, 4), bytes = get(entry + 16, 4);
        if (at > size || bytes > size - at || bytes > MOST_SECTION) {
            return 0;
        }
        parts[i].size = bytes;
        memcpy(parts[i].byte, data + at, bytes);
    }
    return 1;
}

static uint32_t records(int section) {
    return parts[section].size / RECORD[section];
}

/* Makes room for bytes at a place, or takes them out (negative); 0 if there is none. */
static int resize(int section, uint32_t at, int32_t by) {
    Part *p = &parts[section];
    const int64_t size = (int64_t)p->size + by;
    if (size < at || size > MOST_SECTION || at > p->size) {
        return 0;
    }
    const uint32_t from = by < 0 ? at + (uint32_t)-by : at, to = by < 0 ? at : at + (uint32_t)by;
    memmove(p->byte + to, p->byte + from, p->size - from);
    if (by > 0) {
        memset(p->byte + at, 0, (size_t)by);
    }
    p->size = (uint32_t)size;
    return 1;
}

static uint32_t number(uint32_t was) {
    switch (draw(4)) {
    case 0:
        return NUMBERS[draw(sizeof NUMBERS / sizeof *NUMBERS)];
    case 1:
        return was + draw(9) - 4;
    case 2:
        return draw(20);
    default:
        return was ^ 1u << draw(32);
    }
}

/* One number of one record. */
static void change_word(int section) {
    Part *p = &parts[section];
    if (p->size >= 4) {
        uint8_t *at = p->byte + 4 * draw(p->size / 4);
        const int narrow = (section == VALS || section == TENS || section == OPER) && draw(2);
        at += narrow ? draw(4) & (section == OPER ? 2 : 3) : 0;
        const int bytes = narrow ? (section == OPER ? 2 : 1) : 4;
        put(at, draw(3) ? number(get(at, bytes)) : get(p->byte + 4 * draw(p->size / 4), 4), bytes);
    }
}

/* A size, wherever it occurs in shapes, as if a layer were made wider or narrower. */
static void change_size(void) {
    uint32_t old = 0, new = draw(4) ? 1 + draw(70) : NUMBERS[draw(sizeof NUMBERS / sizeof *NUMBERS)];
    const uint32_t factor = draw(3) ? 1 : 1 + draw(4);
    for (int tries = 0; tries < 50 && !old; tries++) {
        const int section = draw(2) ? VALS : TENS;
        const uint8_t *record = parts[section].byte + (size_t)RECORD[section] * draw(records(section));
        old = records(section) ? get(record + 8 + 4 * draw(6), 4) : 0;
    }
    for (int k = 0; k < 2 && old; k++) {
        const int section = k ? VALS : TENS;
        for (uint32_t i = 0; i < records(section); i++) {
            for (int axis = 0; axis < 6; axis++) {
                uint8_t *at = parts[section].byte + (size_t)RECORD[section] * i + 8 + 4 * axis;
                const uint32_t size = get(at, 4);
                for (uint32_t gates = 1; gates <= 4 && factor; gates++) { /* the rows of a cell's gates too */
                    if (size == gates * old && (gates == 1 || section == TENS)) {
                        put(at, (uint64_t)gates * new, 4);
                    }
                }
            }
        }
    }
}

static void change_records(int section) {
    const uint32_t record = RECORD[section], count = records(section), at = draw(count) * record;
    uint8_t held[48];
    if (!count) {
        return;
    }
    memcpy(held, parts[section].byte + at, record);
    switch (draw(3)) {
    case 0:
        resize(section, at, -(int32_t)record);
        break;
    case 1: {
        const uint32_t to = draw(count + 1) * record;
        if (resize(section, to, (int32_t)record)) {
            memcpy(parts[section].byte + to, held, record);
        }
        break;
    }
    default: {
        uint8_t *other = parts[section].byte + (size_t)draw(count) * record;
        memcpy(parts[section].byte + at, other, record);
        memcpy(other, held, record);
    }
    }
}

/* Another operation in the place of one, of the same form if there is one. */
static void change_operation(void) {
    if (records(OPER)) {
        uint8_t *op = parts[OPER].byte + 16 * (size_t)draw(records(OPER));
        for (int tries = 0; tries < 20; tries++) {
            const uint32_t *rule = OPERATIONS[draw(OPERATION_COUNT)];
            if (rule[1] == get(op + 4, 2) && rule[3] == get(op + 8, 2)) {
                put(op, rule[0], 2);
                return;
            }
        }
    }
}

/* One more operation at the end, with values of its own. */
static void add_operation(void) {
    const uint32_t *rule = OPERATIONS[draw(OPERATION_COUNT)], values = records(VALS);
    uint32_t counts[4] = {rule[1] == 0xffff ? 1 + draw(3) : rule[1], rule[2], rule[3],
                          rule[5] == 0xffff ? 1 + draw(3) : rule[5]};
    uint32_t at = parts[ARGS].size, total = counts[0] + counts[1] + counts[2] + counts[3];
    const uint32_t end = parts[OPER].size, like = draw(values);
    if (!values || !resize(ARGS, at, (int32_t)(4 * total))) {
        return;
    }
    if (!resize(OPER, end, 16)) {
        return;
    }
    put(parts[OPER].byte + end, rule[0], 2);
    for (int k = 0; k < 4; k++) {
        put(parts[OPER].byte + end + 4 + 2 * k, counts[k], 2);
        for (uint32_t i = 0; i < counts[k]; i++, at += 4) {
            uint32_t argument = k == 0 ? (i && draw(2) ? draw(values) : like) : k == 1 ? values + i : draw(3);
            if (k == 2) {
                argument = draw(8) ? draw(records(TENS)) : 0xffffffffu;
            }
            put(parts[ARGS].byte + at, argument, 4);
        }
    }
    for (uint32_t i = 0; i < counts[1]; i++) {
        const uint32_t place = parts[VALS].size;
        if (resize(VALS, place, 32)) {
            memcpy(parts[VALS].byte + place, parts[VALS].byte + 32 * (size_t)(draw(4) ? like : draw(values)), 32);
            put(parts[VALS].byte + place + 4, rule[0] == MNW_whole || rule[0] == MNW_integer ? MINNOW_I32 : MINNOW_F32,
                1);
        }
    }
    if (draw(2) && records(OUTS)) { /* and something that reads it */
        put(parts[OUTS].byte + 12 * (size_t)draw(records(OUTS)) + 4, values, 4);
    }
}

static void change_bytes(int section) {
    Part *p = &parts[section];
    p->size = (uint32_t)LLVMFuzzerMutate(p->byte, p->size, p->size + 64 < MOST_SECTION ? p->size + 64 : MOST_SECTION);
    p->size -= p->size % RECORD[section];
}

/* Arguments one after another; the data as large as the tensors; golden vectors of the right size. */
static void repair(uint32_t start) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < records(OPER) && draw(64); i++) {
        uint8_t *op = parts[OPER].byte + 16 * (size_t)i;
        put(op + 12, next, 4);
        next += get(op + 4, 2) + get(op + 6, 2) + get(op + 8, 2) + get(op + 10, 2);
    }
    double at = 0;
    for (uint32_t i = 0; i < records(TENS); i++) {
        uint8_t *record = parts[TENS].byte + 48 * (size_t)i;
        const double size = elements(record) * (record[4] == MINNOW_F32 ? 4 : record[4] == MINNOW_F16 ? 2 : 1);
        const uint32_t scales = record[4] == MINNOW_INT8 ? get(record + 8, 4) * 4 : 0;
        if (record[5] > 6 || at + size + scales > MOST_SECTION - 256) {
            return;
        }
        uint32_t place = ((uint32_t)at + 63) & ~63u;
        put(record + 32, start + place, 8);
        at = place + size;
        put(record + 40, 0, 8);
        if (scales) {
            place = ((uint32_t)at + 63) & ~63u;
            put(record + 40, start + place, 8);
            at = place + scales;
        }
    }
    Part *data = &parts[DATA];
    for (uint32_t i = data->size; i < at; i++) { /* small numbers in every dtype */
        data->byte[i] = (uint8_t)(i % 4 == 3 ? 0x3d : draw(16));
    }
    data->size = (uint32_t)at;
    uint32_t end = 0;
    for (uint32_t i = 0; i < records(TENS); i++) { /* nothing between them, no NaN */
        const uint8_t *record = parts[TENS].byte + 48 * (size_t)i;
        for (int k = 0; k < 2; k++) {
            const uint32_t place = get(record + 32 + 8 * k, 4) - start;
            if (get(record + 32 + 8 * k, 4) == 0) {
                continue;
            }
            memset(data->byte + end, 0, place - end);
            const double size = elements(record) * (record[4] == MINNOW_F32 ? 4 : record[4] == MINNOW_F16 ? 2 : 1);
            end = place + (uint32_t)(k ? get(record + 8, 4) * 4 : size);
            const uint32_t width = k || record[4] == MINNOW_F32 ? 4 : record[4] == MINNOW_F16 ? 2 : 0;
            for (uint32_t b = place; width && b + width <= end; b += width) {
                uint8_t *high = data->byte + b + width - 1;
                *high = (*high & 0x7f) == 0x7f || (width == 2 && (*high & 0x7c) == 0x7c) ? 0x3c : *high;
            }
        }
    }
}

static void repair_golden(void) {
    static const int SECTION[3] = {INPS, OUTS, STAT};
    uint32_t step = 0;
    const uint32_t agents = 1 + draw(2), steps = 2 + draw(2);
    for (int k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < records(SECTION[k]); i++) {
            const uint32_t value = get(parts[SECTION[k]].byte + (size_t)RECORD[SECTION[k]] * i + 4, 4);
            if (value >= records(VALS) || parts[VALS].byte[32 * (size_t)value + 5] > 6) {
                return;
            }
            const uint8_t *record = parts[VALS].byte + 32 * (size_t)value;
            const double size = elements(record) * agents * (record[4] == MINNOW_U8 ? 1 : 4);
            if (size > MOST_SECTION) {
                return;
            }
            step += ((uint32_t)size + 3) & ~3u;
            if (step > MOST_SECTION / 4) {
                return;
            }
        }
    }
    const uint32_t want = 8 + steps * step;
    if (resize(GOLD, parts[GOLD].size < want ? parts[GOLD].size : want, (int32_t)want - (int32_t)parts[GOLD].size)) {
        put(parts[GOLD].byte, steps, 4);
        put(parts[GOLD].byte + 4, agents, 4);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed) {
    static const uint8_t FREE[] = {STRS, ACTN, META, GOLD, DATA};
    static const uint8_t LIST[] = {VALS, VALS, INPS, STAT, OUTS, OPER, OPER, ARGS, ARGS, ARGS, TENS, TENS, ACTN};
    state = seed * 2654435761u | 1;
    if (!take_apart(data, size) || draw(64) == 0) {
        size = LLVMFuzzerMutate(data, size, most);
    } else {
        for (uint32_t rounds = 1 + draw(4); rounds > 0; rounds--) {
            const int section = LIST[draw(sizeof LIST)];
            switch (draw(8)) {
            case 0:
            case 1:
                change_size();
                break;
            case 2:
                change_operation();
                break;
            case 3:
                add_operation();
                break;
            case 4:
                change_records(section);
                break;
            case 5:
                change_bytes(FREE[draw(sizeof FREE)]);
                break;
            default:
                change_word(section);
            }
        }
        uint64_t at = HEADER, offset[SECTIONS];
        for (int pass = 0; pass < 2; pass++) { /* the data's place is known once the other sizes are */
            if (pass) {
                repair((uint32_t)offset[DATA]);
            } else if (draw(16)) {
                repair_golden();
            }
            at = HEADER;
            for (int i = 0; i < SECTIONS; i++) {
                at = i == DATA ? (at + 63) & ~(uint64_t)63 : (at + 7) & ~(uint64_t)7;
                offset[i] = at;
                at += parts[i].size;
            }
        }
        if (at > most) {
            return size;
        }
        memset(data + HEADER, 0, at - HEADER);
        put(data + 16, at, 8);
        for (int i = 0; i < SECTIONS; i++) {
            uint8_t *entry = data + FIRST + ENTRY * i;
            put(entry + 4, records(i), 4);
            put(entry + 8, offset[i], 8);
            put(entry + 16, parts[i].size, 8);
            memcpy(data + offset[i], parts[i].byte, parts[i].size);
        }
        size = (size_t)at;
        if (draw(32) == 0) {
            put(data + 4 * draw(HEADER / 4), number(0), 4);
        }
    }
    if (size >= HEADER && draw(64)) {
        put(data + 12, mnw_crc(data, size), 4);
    }
    return size;
}

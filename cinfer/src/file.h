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

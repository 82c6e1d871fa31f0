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

/* What Python loads, and what Node runs as WebAssembly: minnow.h, and a few words about it. */
#define MINNOW_IMPLEMENTATION
#define MINNOW_WITH_PLAIN /* what all others are compared with */
#include "minnow.h"

/* The operations in the order of minnow.h's list: the name of operation i, or NULL beyond the last; rule receives code,
 * inputs, outputs, tensors, the first tensor that may be absent, attributes. */
/* cffi: begin */
const char *library_operation(uint32_t i, uint32_t rule[6]);
/* cffi: end */
const char *library_operation(uint32_t i, uint32_t rule[6]) {
    static const struct {
        const char *name;
        uint32_t rule[6];
    } list[] = {
#define ROW(name, code, inputs, outputs, tensors, needed, attrs)                                                       \
    {#name, {code, inputs, outputs, tensors, needed, attrs}},
        MINNOW_OPERATIONS(ROW)
#undef ROW
    };
    if (i >= sizeof list / sizeof *list)
        return NULL;
    for (int k = 0; k < 6; k++)
        rule[k] = list[i].rule[k];
    return list[i].name;
}

#ifdef __wasm__
/* The first address that the host may use. */
extern unsigned char __heap_base;
uint32_t library_heap(void);
uint32_t library_heap(void) {
    return (uint32_t)(uintptr_t)&__heap_base;
}
#endif

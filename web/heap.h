/* heap.h: where a module of the page may put what it needs: everything from here on is free. */
#ifndef MINNOW_HEAP_H
#define MINNOW_HEAP_H
#include <stdint.h>

/* An address in WebAssembly's memory; natively 0. */
static inline uint32_t heap_begin(void) {
#ifdef __wasm__
    extern unsigned char __heap_base;
    return (uint32_t)(uintptr_t)&__heap_base;
#else
    return 0;
#endif
}
#endif

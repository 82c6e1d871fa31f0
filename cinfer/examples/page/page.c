/* page.c: minnow.h as WebAssembly, and where its free memory begins; index.html says how it is built. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"

extern unsigned char __heap_base;
void *page_heap(void);
void *page_heap(void) {
    return &__heap_base;
}

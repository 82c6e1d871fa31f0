/* loop.h of one environment (-DLEARN_ENV="path") as a shared library or a WebAssembly module. */
#define ENV_ROWS 1
#include LEARN_ENV
#define LEARN_API ENV_EXPORT
#include "loop.h"

/* cffi: begin */
LEARN_API uintptr_t learner_heap(void); /* WebAssembly: the first address that the host may use; native: 0 */
/* cffi: end */

LEARN_API uintptr_t learner_heap(void) {
#ifdef __wasm__
    extern unsigned char __heap_base;
    return (uintptr_t)&__heap_base;
#else
    return 0;
#endif
}

// Sums over the processes of one machine, in memory that all of them map: see mailbox.py.
//
// The memory begins with a line of 64 bytes for each process: its turn, the number of the last sum for which it has put
// its numbers into its boxes. Each has two boxes of `capacity` bytes, used by turns: whoever reaches turn t + 2 has
// seen all others at t + 1, so they are done with the box of turn t.

#ifndef REAL
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

/* cffi: begin */
enum { LINE = 64 };
void mailbox_put(void *memory, uint32_t rank, uint32_t size, uint32_t turn, size_t capacity, const void *data,
                 size_t bytes);
uint32_t mailbox_wait(void *memory, uint32_t size, uint32_t turn);
/* cffi: end */

enum { SPINS = 20000, AT_ONCE = 64 };

static _Atomic uint32_t *turn_of(void *memory, uint32_t rank) {
    return (_Atomic uint32_t *)(void *)((char *)memory + (size_t)rank * LINE);
}

static char *box(void *memory, uint32_t rank, uint32_t size, uint32_t turn, size_t capacity) {
    return (char *)memory + (size_t)size * LINE + (2 * (size_t)rank + (turn & 1)) * capacity;
}

// Puts `bytes` bytes, at most `capacity`, into the box of this turn. Turns count from 1.
void mailbox_put(void *memory, uint32_t rank, uint32_t size, uint32_t turn, size_t capacity, const void *data,
                 size_t bytes) {
    memcpy(box(memory, rank, size, turn, capacity), data, bytes);
    atomic_store_explicit(turn_of(memory, rank), turn, memory_order_release);
}

// The first process that has not put its numbers for this turn after some waiting; `size` if all have.
uint32_t mailbox_wait(void *memory, uint32_t size, uint32_t turn) {
    uint32_t spins = 0;
    for (uint32_t rank = 0; rank < size; rank++)
        while ((int32_t)(atomic_load_explicit(turn_of(memory, rank), memory_order_acquire) - turn) < 0) {
            if (++spins == SPINS)
                return rank;
            if (spins > 100 && spins % 16 == 0)
                sched_yield();
        }
    return size;
}

#define REAL float
#include "mailbox.c"
#undef REAL
#define REAL double
#include "mailbox.c"
#else

/* cffi: begin */
void FN(mailbox_sum)(void *memory, uint32_t size, uint32_t turn, size_t capacity, REAL *data, size_t n);
/* cffi: end */

// out[n]: the sums of numbers `first` and so on of the boxes of some ranks, as a tree.
static void FN(tree)(void *memory, uint32_t low, uint32_t high, uint32_t size, uint32_t turn, size_t capacity,
                     size_t first, size_t n, REAL *out) {
    REAL other[AT_ONCE];
    if (high - low == 1) {
        memcpy(out, box(memory, low, size, turn, capacity) + first * sizeof(REAL), n * sizeof(REAL));
        return;
    }
    uint32_t middle = low + (high - low) / 2;
    FN(tree)(memory, low, middle, size, turn, capacity, first, n, out);
    FN(tree)(memory, middle, high, size, turn, capacity, first, n, other);
    for (size_t i = 0; i < n; i++)
        out[i] += other[i];
}

// data[n]: the sums of all boxes, as core/update.h adds up strands: every process gets the same bits, and so does one
// process with the strands of all, if they are 1, 2, 4 or 8.
void FN(mailbox_sum)(void *memory, uint32_t size, uint32_t turn, size_t capacity, REAL *data, size_t n) {
    for (size_t i = 0; i < n; i += AT_ONCE)
        FN(tree)(memory, 0, size, size, turn, capacity, i, n - i < AT_ONCE ? n - i : AT_ONCE, data + i);
}
#endif

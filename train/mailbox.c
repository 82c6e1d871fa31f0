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
typedef struct Mailbox {
    void *memory;
    uint32_t rank, size; // this process's number, and how many there are
    uint32_t turn;       // of the last sum; 0: there was none
    size_t capacity;
    uint32_t (*lives)(uint32_t rank); // is asked where a process lets the others wait
} Mailbox;
/* cffi: end */

enum { SPINS = 20000, AT_ONCE = 64 };

static _Atomic uint32_t *turn_of(const Mailbox *m, uint32_t rank) {
    return (_Atomic uint32_t *)(void *)((char *)m->memory + (size_t)rank * LINE);
}

static char *box(const Mailbox *m, uint32_t rank) {
    return (char *)m->memory + (size_t)m->size * LINE + (2 * (size_t)rank + (m->turn & 1)) * m->capacity;
}

// Puts `bytes` bytes into the box of the next turn, and waits until all others have. 0 where one of them is dead.
static uint32_t meet(Mailbox *m, const void *data, size_t bytes) {
    m->turn++;
    memcpy(box(m, m->rank), data, bytes);
    atomic_store_explicit(turn_of(m, m->rank), m->turn, memory_order_release);
    for (uint32_t rank = 0, spins = 0; rank < m->size; rank++)
        while ((int32_t)(atomic_load_explicit(turn_of(m, rank), memory_order_acquire) - m->turn) < 0) {
            if (++spins % SPINS == 0 && !m->lives(rank))
                return 0;
            if (spins > 100 && spins % 16 == 0)
                sched_yield();
        }
    return 1;
}

#define REAL float
#include "mailbox.c"
#undef REAL
#define REAL double
#include "mailbox.c"
#else

/* cffi: begin */
uint32_t FN(mailbox_sum)(void *mailbox, REAL *data, size_t n);
/* cffi: end */

// out[n]: the sums of numbers `first` and so on of the boxes of some ranks, as a tree.
static void FN(tree)(const Mailbox *m, uint32_t low, uint32_t high, size_t first, size_t n, REAL *out) {
    REAL other[AT_ONCE];
    if (high - low == 1) {
        memcpy(out, box(m, low) + first * sizeof(REAL), n * sizeof(REAL));
        return;
    }
    uint32_t middle = low + (high - low) / 2;
    FN(tree)(m, low, middle, first, n, out);
    FN(tree)(m, middle, high, first, n, other);
    for (size_t i = 0; i < n; i++)
        out[i] += other[i];
}

// data[n], at most `capacity` bytes: the sums over all processes, as core/update.h adds up strands: every process gets
// the same bits, and so does one process with the strands of all, if they are 1, 2, 4 or 8. 0 where one of them is
// dead.
uint32_t FN(mailbox_sum)(void *mailbox, REAL *data, size_t n) {
    Mailbox *m = mailbox;
    if (!meet(m, data, n * sizeof(REAL)))
        return 0;
    for (size_t i = 0; i < n; i += AT_ONCE)
        FN(tree)(m, 0, m->size, i, n - i < AT_ONCE ? n - i : AT_ONCE, data + i);
    return 1;
}
#endif

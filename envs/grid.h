/* grid.h: worlds of square cells, a byte each, [row][stride], and the window that is seen of them. Include after env.h.
 */
#ifndef MINNOW_ENV_GRID_H
#define MINNOW_ENV_GRID_H
#include "env.h"

enum { ENV_NORTH, ENV_EAST, ENV_SOUTH, ENV_WEST, ENV_WAYS, ENV_WINDOW = 16 };

/* One cell on: x grows to the east, y to the south. */
static inline int env_east(int way) {
    return (way == ENV_EAST) - (way == ENV_WEST);
}
static inline int env_south(int way) {
    return (way == ENV_SOUTH) - (way == ENV_NORTH);
}

/* The cells around (x, y), turned so that `way` is up: `rows` rows, the first one `ahead` cells before (x, y), of the
 * 2 * side + 1 cells, 15 at most, that have (x, y)'s column in their middle. A row of `window` has ENV_WINDOW bytes,
 * those beyond the cells undefined. `cell` is [y][stride], `turned` the same world as [x][stride], which east and west
 * read (it may be NULL if they are never up); both hold every cell that the window can reach, and 8 in a row where it
 * is narrower. */
static inline void env_window(const uint8_t *cell, const uint8_t *turned, int stride, int x, int y, int way, int rows,
                              int ahead, int side, uint8_t (*window)[ENV_WINDOW]) {
    int across = way & 1; /* forward is along x */
    const uint8_t *from = across ? turned : cell;
    int row = across ? x : y, column = across ? y : x, back = way == ENV_EAST || way == ENV_SOUTH ? -1 : 1;
    int mirrored = way == ENV_SOUTH || way == ENV_WEST;
    int last = side > 3 ? 2 * side - 7 : 0;  /* where the last 8 cells begin */
    int spare = side > 3 ? 0 : 7 - 2 * side; /* how many of 8 cells are too many */
    row -= back * ahead;
    for (int i = 0; i < rows; i++, row += back) {
        const uint8_t *at = from + row * stride + column - side;
        uint64_t left, right;
        memcpy(&left, at, 8);
        memcpy(&right, at + last, 8);
        uint64_t first = mirrored ? __builtin_bswap64(right) >> 8 * spare : left;
        right = mirrored ? __builtin_bswap64(left) : right;
        memcpy(window[i], &first, 8);
        memcpy(window[i] + last, &right, 8);
    }
}
#endif

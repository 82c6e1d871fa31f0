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
 * read (it may be NULL if they are never up). ENV_WINDOW bytes are read from the first cell of a row, or up to its last
 * one where `way` turns it about; all of them must lie in the world's memory. */
static inline void env_window(const uint8_t *cell, const uint8_t *turned, int stride, int x, int y, int way, int rows,
                              int ahead, int side, uint8_t (*restrict window)[ENV_WINDOW]) {
    int across = way & 1; /* forward is along x */
    int row = across ? x : y, column = across ? y : x, back = way == ENV_EAST || way == ENV_SOUTH ? -1 : 1;
    const uint8_t *at = (across ? turned : cell) + (row - back * ahead) * stride + column - side;
    if (way == ENV_SOUTH || way == ENV_WEST) {
        for (int i = 0; i < rows; i++, at += back * stride) {
            for (int k = 0; k < ENV_WINDOW; k++) {
                window[i][k] = at[2 * side - k];
            }
        }
    } else {
        for (int i = 0; i < rows; i++, at += back * stride) {
            memcpy(window[i], at, ENV_WINDOW);
        }
    }
}
#endif

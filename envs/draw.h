/* draw.h: what draw() calls to fill its list, whose shapes lie over each other in the order of the calls. The list
 * counts on beyond its capacity; a list that is longer than spec.shapes is an error that one sees. Colours are
 * 0xRRGGBBAA; lengths are the world's units (abi.h). */
#ifndef MINNOW_ENV_DRAW_H
#define MINNOW_ENV_DRAW_H
#include "env.h"

enum { ENV_CENTRED = 0, ENV_LEFT = -1, ENV_RIGHT = 1 }; /* alignment of text */

/* Counts a shape; NULL where the list has no room for it. */
static inline EnvShape *env_shape(EnvList *list, uint32_t kind, uint32_t color, int32_t n, const float *f,
                                  int numbers) {
    EnvShape *shape = list->count < list->capacity ? &list->shape[list->count] : 0;
    list->count++;
    if (shape) {
        *shape = (EnvShape){.kind = kind, .color = color, .n = n};
        for (int i = 0; i < numbers && i < 12; i++) {
            shape->f[i] = f[i];
        }
    }
    return shape;
}
/* Gives the shape drawn last an id, by which it is picked, and known again at the next tick. */
static inline void env_id(EnvList *list, uint32_t id) {
    if (list->count && list->count <= list->capacity) {
        list->shape[list->count - 1].id = id;
    }
}

/* Centre, size, turn in radians, radius of the corners. */
static inline void env_rect(EnvList *list, float x, float y, float width, float height, float angle, float corner,
                            uint32_t color) {
    env_shape(list, ENV_RECT, color, 0, (const float[]){x, y, width, height, angle, corner}, 6);
}
static inline void env_circle(EnvList *list, float x, float y, float radius, uint32_t color) {
    env_shape(list, ENV_CIRCLE, color, 0, (const float[]){x, y, radius}, 3);
}
static inline void env_line(EnvList *list, float x0, float y0, float x1, float y1, float width, uint32_t color) {
    env_shape(list, ENV_LINE, color, 0, (const float[]){x0, y0, x1, y1, width}, 5);
}
/* corners: 3 to 6, x and y of each, of a convex polygon. */
static inline void env_polygon(EnvList *list, const float *xy, int corners, uint32_t color) {
    env_shape(list, ENV_POLYGON, color, corners, xy, 2 * corners);
}
/* At most 15 bytes of text; align: ENV_CENTRED, ENV_LEFT (x is the left end) or ENV_RIGHT. A longer one fills the shape
 * to its end, which whoever reads the list refuses. */
static inline void env_text(EnvList *list, float x, float y, float height, int align, uint32_t color,
                            const char *text) {
    EnvShape *shape = env_shape(list, ENV_TEXT, color, align, (const float[]){x, y, height}, 3);
    for (int i = 0; shape && text[i] && i < (int)sizeof shape->text; i++) {
        shape->text[i] = text[i];
    }
}
static inline void env_number(EnvList *list, float x, float y, float height, int align, uint32_t color, int32_t value) {
    char digits[12], *at = digits + sizeof digits - 1;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    *at = 0;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        *--at = '-';
    }
    env_text(list, x, y, height, align, color, at);
}
/* A field of bytes [rows][stride], of which `columns` in each row are shown, each in the palette's colour [256]. Both
 * lie in the state or in constants: they are read after draw() has returned. */
static inline void env_tiles(EnvList *list, float x, float y, float width, float height, int rows, int columns,
                             int stride, const uint8_t *cells, const uint32_t *palette) {
    const float f[] = {x, y, width, height, (float)rows, (float)stride};
    EnvShape *shape = env_shape(list, ENV_TILES, 0, columns, f, 6);
    if (shape) {
        shape->tiles.cells = (uint64_t)(uintptr_t)cells;
        shape->tiles.palette = (uint64_t)(uintptr_t)palette;
    }
}
/* What the picture shows, where it is not the whole of view_width x view_height: centre and size. One a list. */
static inline void env_view(EnvList *list, float x, float y, float width, float height) {
    env_shape(list, ENV_CAMERA, 0, 0, (const float[]){x, y, width, height}, 4);
}

/* Three dimensions: metres, z up. A turn is a unit quaternion w, x, y, z. Flat shapes in the same list lie over the
 * picture, whose whole is view_width x view_height. */
static inline void env_box3(EnvList *list, const float centre[3], const float half[3], const float turn[4],
                            uint32_t color) {
    const float f[] = {centre[0], centre[1], centre[2], half[0], half[1], half[2], turn[0], turn[1], turn[2], turn[3]};
    env_shape(list, ENV_BOX3, color, 0, f, 10);
}
static inline void env_sphere3(EnvList *list, const float centre[3], float radius, uint32_t color) {
    env_shape(list, ENV_SPHERE3, color, 0, (const float[]){centre[0], centre[1], centre[2], radius}, 4);
}
static inline void env_capsule3(EnvList *list, const float from[3], const float to[3], float radius, uint32_t color) {
    const float f[] = {from[0], from[1], from[2], to[0], to[1], to[2], radius};
    env_shape(list, ENV_CAPSULE3, color, 0, f, 7);
}
/* half: of its length, along its own z. */
static inline void env_cylinder3(EnvList *list, const float centre[3], float radius, float half, const float turn[4],
                                 uint32_t color) {
    const float f[] = {centre[0], centre[1], centre[2], radius, half, turn[0], turn[1], turn[2], turn[3]};
    env_shape(list, ENV_CYLINDER3, color, 0, f, 9);
}
/* A level ground, 2 half_x by 2 half_y, in squares of two colours with sides so long (0: in one colour). */
static inline void env_ground3(EnvList *list, const float centre[3], float half_x, float half_y, float side,
                               uint32_t color, uint32_t other) {
    const float f[] = {centre[0], centre[1], centre[2], half_x, half_y, side};
    env_shape(list, ENV_GROUND3, color, (int32_t)other, f, 6);
}
/* field_of_view: from the lower edge of the picture to the upper one. One a list. */
static inline void env_camera3(EnvList *list, const float eye[3], const float target[3], float field_of_view) {
    const float f[] = {eye[0], eye[1], eye[2], target[0], target[1], target[2], field_of_view};
    env_shape(list, ENV_CAMERA, 0, 0, f, 7);
}
/* direction: in which it shines, {0, 0, -1} from above. A surface that it meets squarely gets 0.4 + strength of its
 * colour. Without a light in the list there is one from above, behind the left. */
static inline void env_light(EnvList *list, const float direction[3], float strength, uint32_t color) {
    env_shape(list, ENV_LIGHT, color, 0, (const float[]){direction[0], direction[1], direction[2], strength}, 4);
}
#endif

/* draw.h: what draw() calls to fill its list. Shapes beyond the list's capacity are counted and dropped. Colours are
 * 0xRRGGBBAA; lengths are the world's units (abi.h). */
#ifndef MINNOW_ENV_DRAW_H
#define MINNOW_ENV_DRAW_H
#include "env.h"

enum { ENV_CENTRED = 0, ENV_LEFT = -1, ENV_RIGHT = 1 }; /* alignment of text */

static inline void env_shape(EnvList *list, uint32_t kind, uint32_t color, int32_t n, const float *f, int numbers,
                             const char *text) {
    if (list->count < list->capacity) {
        EnvShape *shape = &list->shape[list->count];
        *shape = (EnvShape){.kind = kind, .color = color, .n = n};
        for (int i = 0; i < numbers && i < 12; i++) {
            shape->f[i] = f[i];
        }
        for (int i = 0; text && text[i] && i < (int)sizeof shape->text - 1; i++) {
            shape->text[i] = text[i];
        }
    }
    list->count++;
}

/* Centre, size, turn in radians, radius of the corners. */
static inline void env_rect(EnvList *list, float x, float y, float width, float height, float angle, float corner,
                            uint32_t color) {
    env_shape(list, ENV_RECT, color, 0, (const float[]){x, y, width, height, angle, corner}, 6, 0);
}
static inline void env_circle(EnvList *list, float x, float y, float radius, uint32_t color) {
    env_shape(list, ENV_CIRCLE, color, 0, (const float[]){x, y, radius}, 3, 0);
}
static inline void env_line(EnvList *list, float x0, float y0, float x1, float y1, float width, uint32_t color) {
    env_shape(list, ENV_LINE, color, 0, (const float[]){x0, y0, x1, y1, width}, 5, 0);
}
/* corners: 3 to 6, x and y of each. */
static inline void env_polygon(EnvList *list, const float *xy, int corners, uint32_t color) {
    env_shape(list, ENV_POLYGON, color, corners, xy, 2 * corners, 0);
}
/* Up to 15 bytes of text; align: ENV_CENTRED, ENV_LEFT (x is the left end) or ENV_RIGHT. */
static inline void env_text(EnvList *list, float x, float y, float height, int align, uint32_t color,
                            const char *text) {
    env_shape(list, ENV_TEXT, color, align, (const float[]){x, y, height}, 3, text);
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
/* What the picture shows, where it is not the whole of view_width x view_height: centre and size. */
static inline void env_view(EnvList *list, float x, float y, float width, float height) {
    env_shape(list, ENV_CAMERA, 0, 0, (const float[]){x, y, width, height}, 4, 0);
}

/* Three dimensions: metres, z up. A turn is a unit quaternion w, x, y, z. */
static inline void env_box3(EnvList *list, const float centre[3], const float half[3], const float turn[4],
                            uint32_t color) {
    const float f[] = {centre[0], centre[1], centre[2], half[0], half[1], half[2], turn[0], turn[1], turn[2], turn[3]};
    env_shape(list, ENV_BOX3, color, 0, f, 10, 0);
}
static inline void env_sphere3(EnvList *list, const float centre[3], float radius, uint32_t color) {
    env_shape(list, ENV_SPHERE3, color, 0, (const float[]){centre[0], centre[1], centre[2], radius}, 4, 0);
}
static inline void env_capsule3(EnvList *list, const float from[3], const float to[3], float radius, uint32_t color) {
    env_shape(list, ENV_CAPSULE3, color, 0, (const float[]){from[0], from[1], from[2], to[0], to[1], to[2], radius}, 7,
              0);
}
static inline void env_camera3(EnvList *list, const float eye[3], const float target[3], float field_of_view) {
    const float f[] = {eye[0], eye[1], eye[2], target[0], target[1], target[2], field_of_view};
    env_shape(list, ENV_CAMERA, 0, 0, f, 7, 0);
}
static inline void env_light(EnvList *list, const float direction[3], float strength, uint32_t color) {
    env_shape(list, ENV_LIGHT, color, 0, (const float[]){direction[0], direction[1], direction[2], strength}, 4, 0);
}
#endif

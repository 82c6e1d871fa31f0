/* ---- Windows that move over images. */

/* Lays out a window of which a part is padding, as [channels][size...]; it begins at `from`. */
static MNW_NOINLINE void mnw_cut(const mnw_windows *w, float *to, const float *x, const int64_t from[3]) {
    for (uint32_t channel = 0; channel < w->channels; channel++, x += (size_t)w->in[0] * w->in[1] * w->in[2])
        for (uint32_t p = 0; p < w->size[0]; p++)
            for (uint32_t q = 0; q < w->size[1]; q++) {
                int64_t u = from[0] + (int64_t)p * w->dilation[0], v = from[1] + (int64_t)q * w->dilation[1];
                int inside = u >= 0 && u < w->in[0] && v >= 0 && v < w->in[1];
                const float *line = inside ? x + (u * w->in[1] + v) * w->in[2] : x;
                for (uint32_t r = 0; r < w->size[2]; r++) {
                    int64_t t = from[2] + (int64_t)r * w->dilation[2];
                    *to++ = inside && t >= 0 && t < w->in[2] ? line[t] : 0.0f;
                }
            }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("O2")
#endif
/* Copies lines of `width` numbers one after the other, from x + offset[line]. Four numbers at a time: up to 3 behind
 * the last line are overwritten, and what is read behind an image is memory of the session too. */
static MNW_NOINLINE void mnw_lines(float *to, const float *x, const uint32_t *offset, size_t lines, size_t width) {
    for (size_t i = 0; i < lines; i++, to += width) {
        const float *line = x + offset[i];
        memcpy(to, line, 16);
        for (size_t r = 4; r < width; r += 4)
            memcpy(to + r, line + r, 16);
    }
}

/* A convolution. Blocks of windows are laid out as rows [windows][k], k running over channels, then each axis of the
 * kernel; their products with the weights, [windows][outputs of the group], are turned into place. */
static MNW_NOINLINE void mnw_conv(const mnw_kernels *kernels, const mnw_op *op, float *y, const float *x, size_t rows,
                                  float *scratch) {
    const mnw_windows *w = (const mnw_windows *)(const void *)op->tensor[2];
    const uint32_t *offset = (const uint32_t *)(const void *)(w + 1);
    size_t n = w->n, k = w->k, windows = (size_t)w->out[0] * w->out[1] * w->out[2], all = rows * windows;
    size_t inputs = (size_t)w->channels * w->in[0] * w->in[1] * w->in[2]; /* of a group's part of an image */
    size_t panels = (n + MNW_PANEL - 1) / MNW_PANEL * MNW_PANEL;
    mnw_product_of of = {op->tensor[0], op->tensor[1], scratch, scratch + MNW_BLOCK * k + 3, n, k, NULL, NULL, 0};
    for (uint32_t g = w->groups; g--; x += inputs, y += n * windows, of.w += panels * k, of.bias += panels) {
        const float *image = x; /* of the next window to lay out, and where it is */
        float *to = y;          /* and the image of the next one to put into place */
        uint32_t at[3] = {0, 0, 0};
        size_t place = 0;
        for (size_t first = 0; first < all; first += MNW_BLOCK) {
            size_t count = all - first < MNW_BLOCK ? all - first : (size_t)MNW_BLOCK;
            for (size_t i = 0; i < count; i++) {
                int64_t from[3];
                int cut = 0;
                for (int axis = 0; axis < 3; axis++) {
                    from[axis] = (int64_t)at[axis] * w->stride[axis] - w->padding[axis];
                    cut |=
                        from[axis] < 0 || from[axis] + (int64_t)(w->size[axis] - 1) * w->dilation[axis] >= w->in[axis];
                }
                if (cut)
                    mnw_cut(w, scratch + i * k, image, from);
                else
                    mnw_lines(scratch + i * k, image + (from[0] * w->in[1] + from[1]) * w->in[2] + from[2], offset,
                              w->lines, w->width);
                int axis = 2;
                while (axis >= 0 && ++at[axis] == w->out[axis])
                    at[axis--] = 0;
                if (axis < 0)
                    image += w->groups * inputs;
            }
            mnw_linear_of(kernels, &of, count);
            for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < n; j++)
                    to[j * windows + place] = of.y[i * n + j];
                if (++place == windows) {
                    place = 0;
                    to += w->groups * n * windows;
                }
            }
        }
    }
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

/* How many of n steps of `by` it takes from 0 to come to `to` or beyond it. */
static MNW_NOINLINE uint32_t mnw_steps(int64_t to, uint32_t by, uint32_t n) {
    to = to > 0 ? (to + by - 1) / by : 0;
    return to < n ? (uint32_t)to : n;
}

/* A pool: the maximum (mode 0) or mean (1: padding counts, 2: it does not) of windows of each plane. */
static void mnw_pool_of(const mnw_call *c, float *y, const mnw_shape *ys, const float *x, const mnw_shape *xs,
                        size_t rows) {
    uint32_t d = mnw_moves(c), kind = mnw_u32(mnw_attr(c, 0)), windows = ys->elements / ys->size[0], i = 0;
    uint32_t lowest[3] = {0, 0, 0}, beyond[3] = {1, 1, 1}, step[3] = {1, 1, 1}, in[3] = {1, 1, 1};
    for (rows *= ys->elements; rows--; i++) {
        float sum = kind ? 0.0f : mnw_from(0xff800000u), count = 1.0f;
        if (i == windows) {
            x += xs->elements / xs->size[0];
            i = 0;
        }
        for (uint32_t axis = d, left = i; axis-- > 0;) { /* the part of the window that lies within: [begin, end) */
            uint32_t n = ys->size[1 + axis], by = mnw_of_axis(c, 3, axis), to = 3 - d + axis;
            uint32_t taps = mnw_of_axis(c, 0, axis), padding = mnw_of_axis(c, 2, axis);
            int64_t at = (int64_t)(left % n) * mnw_of_axis(c, 1, axis) - padding, size = xs->size[1 + axis];
            uint32_t low = mnw_steps(-at, by, taps), high = mnw_steps(size - at, by, taps);
            left /= n;
            count *= (float)(kind == 1 ? mnw_steps(size + padding - at, by, taps) : high - low);
            in[to] = xs->size[1 + axis];
            step[to] = by;
            lowest[to] = (uint32_t)(at + (int64_t)low * by);
            beyond[to] = low < high ? (uint32_t)(at + (int64_t)high * by) : 0;
        }
        for (uint32_t p = lowest[0]; p < beyond[0]; p += step[0])
            for (uint32_t q = lowest[1]; q < beyond[1]; q += step[1])
                for (uint32_t r = lowest[2]; r < beyond[2]; r += step[2]) {
                    float v = x[(p * in[1] + q) * in[2] + r];
                    sum = kind ? sum + v : v > sum || v != v ? v : sum;
                }
        *y++ = kind && count > 0.0f ? sum / count : sum;
    }
}

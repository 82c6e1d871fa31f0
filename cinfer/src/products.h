/* ---- Products. */
enum { MNW_SUMS = (MNW_HAS_AVX512 ? 16 : MNW_HAS_AVX2 ? 6 : 4) * MNW_PANEL }; /* in a block, at most */

/* `rows` rows from `row` on (at most k->rows), `columns` outputs from `column` on. */
static void mnw_block_of(const mnw_kernels *kernels, const mnw_product_of *p, size_t row, size_t rows, size_t column,
                         size_t columns) {
    float sums[MNW_SUMS], total[MNW_SUMS];
    /* Where fewer rows are left, some are computed twice: those from `second` on follow the first four. */
    const size_t all = rows > 1 ? kernels->rows : 1, count = all * columns, others = all > 4 ? all - 4 : 0;
    const size_t second = rows > others ? rows - others : 0, there = p->n - column < columns ? p->n - column : columns;
    const float *x = p->x, *w = p->w;
    size_t k = p->k, runs = 0;
    const mnw_sum sum_up = rows > 1                   ? (columns == kernels->columns ? kernels->tall : kernels->thin)
                           : columns == kernels->most ? kernels->wide
                           : columns == kernels->half ? kernels->middle
                                                      : kernels->least;
    /* A block that lies wholly in y, and whose sums are not of several runs, is made there. */
    const int direct = rows == all && there == columns && k <= MNW_RUN && p->more_k <= MNW_RUN;
    mnw_rows from = {NULL, NULL, {0, 0, 0, 0}, sums, sums, 0, columns};
    if (p->bias)
        from.sums = p->bias + column;
    else
        memset(sums, 0, columns * sizeof *sums);
    if (direct) {
        from.to = p->y + row * p->n + column;
        from.to_by = p->n;
    }
    for (;;) {
        from.x = x + row * k;
        from.then = from.x + second * k;
        const float *panel = w + column / MNW_PANEL * k * MNW_PANEL + column % MNW_PANEL;
        for (size_t r = 1; r < 4; r++)
            from.by[r] = (r < rows ? r : rows - 1) * k;
        for (size_t left = k;;) { /* a sum of sums: one alone would gather the rounding of thousands of steps */
            size_t run = left < (size_t)MNW_RUN ? left : (size_t)MNW_RUN;
            sum_up(&from, panel, k * MNW_PANEL, run);
            from.sums = from.to;
            from.sums_by = from.to_by;
            left -= run;
            if (!left)
                break;
            for (size_t i = 0; i < count; i++) {
                total[i] = runs ? total[i] + sums[i] : sums[i];
                sums[i] = 0.0f;
            }
            runs++;
            from.x += run;
            from.then += run;
            panel += run * MNW_PANEL;
        }
        if (x == p->more_x || !p->more_k)
            break;
        x = p->more_x;
        w = p->more_w;
        k = p->more_k;
    }
    if (direct)
        return;
    for (size_t i = 0; runs && i < count; i++)
        sums[i] = total[i] + sums[i];
    for (size_t r = 0; r < all; r++) {
        size_t to = row + (r > 3 ? second + r - 4 : r < rows ? r : rows - 1);
        memcpy(p->y + to * p->n + column, sums + r * columns, there * sizeof *sums);
    }
}

static void mnw_linear_of(const mnw_kernels *k, const mnw_product_of *p, size_t rows) {
    size_t some = 3 * (rows % k->rows) <= k->rows + 1 ? rows % k->rows : 0, step; /* so few go one by one */
    /* Columns outside and rows within: a panel stays in the first cache while all rows meet it. */
    for (size_t column = 0; column < p->n && some < rows; column += step) {
        step = p->n - column <= k->columns - k->few ? k->few : k->columns;
        for (size_t row = 0; row < rows - some; row += k->rows)
            mnw_block_of(k, p, row, rows - some - row < k->rows ? rows - some - row : k->rows, column, step);
    }
    for (size_t row = rows - some; row < rows; row++)
        for (size_t column = 0; column < p->n; column += step) {
            size_t left = p->n - column + k->few - 1; /* so that a last vector may be in part */
            step = left >= k->most ? k->most : left >= k->half ? k->half : k->few;
            mnw_block_of(k, p, row, 1, column, step);
        }
}

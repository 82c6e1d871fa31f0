/* Uniform in (0, 1]: 24 bits and a half, which rounding makes 1 at the end. */
MNW_INLINE float mnw_uniform(mnw_words key, uint32_t step, uint32_t draw) {
    return ((float)(mnw_threefry(key.a, key.b, step, draw).a >> 8) + 0.5f) * 5.9604644775390625e-8f;
}

/* The normal distribution's quantile for u in (0, 1], the last as the number before it; absolute error 2e-6: M. Giles,
   "Approximating the erfinv function", 2010, single precision. */
static float mnw_normal(const mnw_kernels *k, float u) {
    static const float middle[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                   -4.39150654e-06f, 2.1858087e-04f,  -1.25372503e-03f,
                                   -4.17768164e-03f, 2.46640727e-01f, 1.50140941f};
    static const float tails[] = {-2.00214257e-04f, 1.00950558e-04f, 1.34934322e-03f, -3.67342844e-03f, 5.73950773e-03f,
                                  -7.6224613e-03f,  9.43887047e-03f, 1.00167406f,     2.83297682f};
    const float *c;
    float w, sum;
    u = u < 1.0f ? u : 0.99999994f;
    w = 4.0f * u * (1.0f - u);
    k->unary(MNW_log, &w, &w, 1, NULL);
    c = w > -5.0f ? middle : tails;
    w = w > -5.0f ? -w - 2.5f : mnw_sqrt(-w) - 3.0f;
    sum = c[0];
    for (int i = 1; i < 9; i++)
        sum = sum * w + c[i];
    return 1.41421356f * (sum * (u - 0.5f + (u - 0.5f)));
}

/* ---- A step of all agents. */
/* The network for agents from `from` on. */
static void mnw_forward(minnow_session *s, const void *const *inputs, uint32_t from, uint32_t rows) {
    const minnow_policy *p = s->policy;
    float *memory = s->memory;
    for (uint32_t i = 0; i < p->inputs; i++)
        memcpy(mnw_at(s, i, from), (const uint8_t *)inputs[i] + (size_t)p->value[i].bytes * from,
               (size_t)p->value[i].bytes * rows);
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        memcpy(mnw_at(s, p->inputs + i, from), memory + size * from, 4 * size * rows);
        memory += size * s->agents;
    }
    for (uint32_t i = 0; i < p->ops; i++)
        mnw_run(s, &p->op[i], from, rows);
    memory = s->memory;
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        memcpy(memory + size * from, mnw_at(s, p->after[i], from), 4 * size * rows);
        memory += size * s->agents;
    }
    float *result = s->results;
    for (uint32_t i = 0; i < p->outputs; i++) {
        size_t size = minnow_output(p, i)->size;
        memcpy(result + size * from, mnw_at(s, p->result[i], from), 4 * size * rows);
        result += size * s->agents;
    }
}

/* Probabilities and choice of one head. Impossible choices have probability 0 and are never taken. */
static int32_t mnw_choose(const mnw_kernels *k, float *p, const float *logits, const uint8_t *mask, uint32_t n,
                          int sampled, float u) {
    uint32_t best = n;
    float sum = 0.0f, target;
    for (uint32_t i = 0; i < n; i++)
        if ((!mask || mask[i]) &&
            (best == n || (logits[best] == logits[best] && !(logits[i] <= logits[best])))) /* a NaN is the largest */
            best = i;
    for (uint32_t i = 0; i < n; i++)
        p[i] = logits[i] - logits[best];
    k->unary(MNW_exp, p, p, n, NULL);
    for (uint32_t i = 0; i < n; i++) {
        p[i] = !mask || mask[i] ? p[i] : 0.0f;
        sum += p[i];
    }
    k->binary(MNW_div, p, p, 1, &sum, 0, n);
    if (!sampled)
        return (int32_t)best;
    target = u;
    for (uint32_t i = 0; i < n; i++) {
        if (target < p[i])
            return (int32_t)i;
        target -= p[i];
    }
    return (int32_t)best; /* rounding left a little over */
}

static void mnw_act(const minnow_session *s, const uint8_t *mask) {
    const minnow_policy *p = s->policy;
    const uint32_t heads = p->action.heads, choices = p->action.choices;
    const int sampled = (s->flags & MINNOW_SAMPLE) != 0;
    const float *feed = minnow_logits(s), *spread = NULL;
    if (p->log_std != MNW_ABSENT)
        spread = minnow_result(s, p->log_std);
    for (uint32_t agent = 0; agent < s->agents && heads; agent++) {
        const uint32_t *seed = s->state->seed;
        const mnw_words key = mnw_threefry(seed[0], seed[1], s->first + agent, s->state->step[1]);
        uint32_t done = 0;
        for (uint32_t i = 0; i < heads; i++) {
            const minnow_head *head = &p->head[i];
            float u = sampled ? mnw_uniform(key, s->state->step[0], i) : 0.5f;
            if (!MNW_HAS_BOX || p->action.kind != MINNOW_BOX) {
                size_t at = (size_t)agent * choices + done;
                s->choice[(size_t)agent * heads + i] = mnw_choose(&s->kernels, s->probability + at, feed + at,
                                                                  mask ? mask + at : NULL, head->size, sampled, u);
                done += head->size;
                continue;
            }
            size_t at = (size_t)agent * heads + i;
            float x = feed[at];
            if (sampled && spread) {
                float deviation;
                s->kernels.unary(MNW_exp, &deviation, &spread[at], 1, NULL);
                x = x + deviation * mnw_normal(&s->kernels, u);
            }
            if (p->action.squash == MINNOW_TANH) {
                s->kernels.gates(&x, &x, 1, 1);
                x = head->low + (x + 1.0f) * 0.5f * (head->high - head->low);
            }
            s->box[at] = x < head->low ? head->low : x > head->high ? head->high : x;
        }
    }
}

MINNOW_API uint32_t minnow_isa(const minnow_session *session) {
    return session->isa;
}

MINNOW_API int32_t minnow_step_inputs(minnow_session *session, const void *const *inputs, const uint8_t *mask) {
    const minnow_policy *p = session->policy;
    if (!inputs)
        return MINNOW_E_ARGUMENT;
    for (uint32_t i = 0; i < p->inputs; i++)
        if (!inputs[i])
            return MINNOW_E_ARGUMENT;
    if (mask && p->action.choices) {
        const uint8_t *m = mask;
        for (uint32_t agent = 0; agent < session->agents; agent++)
            for (uint32_t i = 0; i < p->action.heads; m += p->head[i++].size) {
                uint32_t possible = 0;
                for (uint32_t k = 0; k < p->head[i].size; k++)
                    possible |= m[k];
                if (!possible)
                    return MINNOW_E_MASK;
            }
    }
    uint64_t was = mnw_enter();
    session->told = 0;
    for (uint32_t from = 0; from < session->agents; from += session->tile) {
        uint32_t left = session->agents - from;
        mnw_forward(session, inputs, from, left < session->tile ? left : session->tile);
    }
    mnw_act(session, mask);
    mnw_leave(was);
    session->state->step[0]++;
    session->state->step[1] += session->state->step[0] == 0;
    return session->told ? MINNOW_E_DOMAIN : MINNOW_OK;
}

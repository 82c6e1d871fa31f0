/* ---- Golden vectors. */
MINNOW_API size_t minnow_selftest_size(const minnow_policy *policy) {
    return minnow_session_size(policy, mnw_u32(policy->file.part[MNW_GOLD].at + 4), 0);
}

/* Folds max |x - ref| / max(1, max |ref|) over n numbers into *most. */
static void mnw_differ(const float *x, const uint8_t *ref, size_t n, float *most) {
    float scale = 1.0f, off = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float r = mnw_f32(ref + 4 * i), d = x[i] - r;
        if (mnw_bits(x[i]) == mnw_bits(r) || (x[i] != x[i] && r != r))
            d = 0.0f; /* infinities too, and one NaN is as good as another */
        d = d < 0.0f ? -d : d;
        r = r < 0.0f ? -r : r;
        off = d > off || d != d ? d : off;
        scale = r > scale && r < 3e38f ? r : scale;
    }
    off = off / scale;
    *most = off > *most || off != off ? off : *most;
}

MINNOW_API int32_t minnow_selftest(const minnow_policy *policy, void *block, size_t block_size, float *difference) {
    const mnw_part *gold = &policy->file.part[MNW_GOLD];
    uint32_t steps = mnw_u32(gold->at), agents = mnw_u32(gold->at + 4);
    const uint8_t *at = gold->at + 8, *again = gold->at + gold->size - ((size_t)steps * agents + 3) / 4 * 4;
    const void *inputs[MNW_MOST_ARRAYS];
    minnow_error error;
    float most = 0.0f;
    minnow_session *s = minnow_session_init(policy, agents, 0, 0, block, block_size, &error);
    if (!s)
        return error.code;
    uint64_t whole = 8; /* bytes of the section, if no agent starts anew on the way */
    for (uint32_t i = 0; i < policy->inputs; i++)
        whole += steps * mnw_value_bytes(&policy->file, i, agents);
    for (uint32_t i = 0; i < policy->outputs + policy->states; i++)
        whole +=
            (size_t)4 * steps * agents *
            (i < policy->outputs ? minnow_output(policy, i) : minnow_state_array(policy, i - policy->outputs))->size;
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t agent = 0; agent < agents && gold->size > whole; agent++)
            if (again[(size_t)step * agents + agent])
                minnow_reset(s, agent);
        for (uint32_t i = 0; i < policy->inputs; i++) {
            inputs[i] = at;
            at += mnw_value_bytes(&policy->file, i, agents);
        }
        minnow_step_inputs(s, inputs, NULL);
        const float *x = s->results;
        for (uint32_t i = 0; i < policy->outputs + policy->states; i++) {
            const minnow_array *a =
                i < policy->outputs ? minnow_output(policy, i) : minnow_state_array(policy, i - policy->outputs);
            if (i == policy->outputs)
                x = s->memory;
            mnw_differ(x, at, (size_t)a->size * agents, &most);
            x += (size_t)a->size * agents;
            at += (size_t)4 * a->size * agents;
        }
    }
    if (difference)
        *difference = most;
    return most <= 1e-5f ? MINNOW_OK : MINNOW_E_SELFTEST;
}

/* ---- A session. */
typedef struct mnw_state { /* followed by the floats of each state, [agents][size] */
    uint32_t policy;       /* checksum */
    uint32_t agents;
    uint32_t seed[2], step[2];
    uint32_t unused[2];
} mnw_state;

struct minnow_session {
    const minnow_policy *policy;
    mnw_kernels kernels;
    uint32_t isa;
    uint32_t agents, flags, first;
    uint32_t tile; /* agents that go through the network together */
    uint32_t told; /* 1: the step that is being made returns MINNOW_E_DOMAIN */
    mnw_state *state;
    float *memory;      /* the floats behind it */
    float *floats;      /* all values of a tile */
    float *scratch;     /* [tile][policy->scratch], or [policy->once] if that is more */
    float *results;     /* outputs in order, [agents][size] each */
    float *probability; /* [agents][choices] */
    int32_t *choice;    /* [agents][heads] */
    float *box;         /* [agents][heads] */
};

enum { MNW_TILE = 24 }; /* whole blocks of rows on every instruction set */

/* Lays a session out in a block, or only counts. */
static minnow_session *mnw_lay(const minnow_policy *p, uint32_t agents, uint32_t flags, mnw_block *b) {
    uint32_t tile = (flags & MINNOW_KEEP) || agents < MNW_TILE ? agents : (uint32_t)MNW_TILE;
    uint64_t results = 0, heads = p->action.heads, box = MNW_HAS_BOX && p->action.kind == MINNOW_BOX;
    for (uint32_t i = 0; i < p->outputs; i++)
        results += minnow_output(p, i)->size;
    /* One after the other without a gap, so that the state is one piece: its size is a multiple of 64 then. */
    mnw_state *state = (mnw_state *)mnw_take(b, sizeof *state + 4 * p->state * agents);
    minnow_session *s = (minnow_session *)mnw_take(b, sizeof *s);
    float *floats = (float *)mnw_take(b, 4 * p->floats * tile);
    uint64_t each = p->scratch * tile;
    float *scratch = (float *)mnw_take(b, 4 * (each > p->once ? each : p->once));
    float *result = (float *)mnw_take(b, 4 * results * agents);
    float *probability = (float *)mnw_take(b, (uint64_t)4 * p->action.choices * agents);
    int32_t *choice = (int32_t *)mnw_take(b, box ? 0 : 4 * heads * agents);
    float *boxes = (float *)mnw_take(b, box ? 4 * heads * agents : 0);
    if (!s)
        return NULL;
    s->policy = p;
    s->agents = agents;
    s->flags = flags;
    s->first = 0;
    s->tile = tile;
    s->state = state;
    s->memory = (float *)(void *)(state + 1);
    s->floats = floats;
    s->scratch = scratch;
    s->results = result;
    s->probability = probability;
    s->choice = choice;
    s->box = boxes;
    return s;
}

/* Agent `agent`'s part of a value; agents of one tile lie one after another. */
static MNW_NOINLINE float *mnw_at(const minnow_session *s, uint32_t value, uint32_t agent) {
    const mnw_value *v = &s->policy->value[value];
    return (float *)(void *)((uint8_t *)(s->floats + v->place * s->tile) + (size_t)v->bytes * (agent % s->tile));
}

/* ---- The calls of a session. */
MINNOW_API size_t minnow_session_size(const minnow_policy *policy, uint32_t agents, uint32_t flags) {
    mnw_block count = {NULL, 0};
    if (!policy || !agents || policy->floats > (UINT64_MAX >> 40) || policy->state > (UINT64_MAX >> 40) ||
        policy->scratch > (UINT64_MAX >> 40))
        return 0;
    mnw_lay(policy, agents, flags, &count);
    return mnw_block_size(count.used);
}

MINNOW_API minnow_session *minnow_session_init(const minnow_policy *policy, uint32_t agents, uint32_t flags,
                                               uint64_t seed, void *block, size_t block_size, minnow_error *error) {
    size_t need = minnow_session_size(policy, agents, flags);
    uint32_t any = 0xff00, allowed = flags & any ? flags & any : any;
    mnw_fail(error, MINNOW_OK, 0, 0, 0, 0);
    if (!need || !block || block_size < need) {
        int32_t code = !policy || !agents ? MINNOW_E_ARGUMENT : need ? MINNOW_E_BLOCK : MINNOW_E_MEMORY;
        mnw_fail(error, code, 0, 0, block ? block_size : 0, need);
        return NULL;
    }
    if (!(policy->isas & allowed)) {
        mnw_fail(error, MINNOW_E_ISA, 0, 0, policy->isas, allowed);
        return NULL;
    }
    mnw_block piece = {mnw_aligned(block), 0};
    memset(piece.at, 0, need - 63);
    minnow_session *s = mnw_lay(policy, agents, flags, &piece);
    for (s->isa = 0x8000; !(s->isa & policy->isas & allowed);)
        s->isa >>= 1;
    mnw_choose_kernels(&s->kernels, s->isa, policy->isas & allowed, ((flags | MNW_ALWAYS) & MINNOW_FAST) != 0);
    s->state->policy = policy->checksum;
    s->state->agents = agents;
    for (uint32_t i = 0; i < policy->ops; i++) {
        const mnw_op *op = &policy->op[i];
        uint32_t value = mnw_out(&op->call, 0);
        if (op->call.code == MNW_constant)
            for (uint32_t agent = 0; agent < s->tile; agent++)
                memcpy(mnw_at(s, value, agent), op->tensor[0], policy->value[value].bytes);
    }
    minnow_restart(s, seed);
    return s;
}

MINNOW_API int32_t minnow_step(minnow_session *session, const void *obs, const uint8_t *mask) {
    return session->policy->inputs == 1 ? minnow_step_inputs(session, &obs, mask) : MINNOW_E_INPUT;
}

MINNOW_API const float *minnow_result(const minnow_session *session, uint32_t output) {
    const float *result = session->results;
    if (output >= session->policy->outputs)
        return NULL;
    for (uint32_t i = 0; i < output; i++)
        result += (size_t)minnow_output(session->policy, i)->size * session->agents;
    return result;
}

MINNOW_API const float *minnow_logits(const minnow_session *session) {
    return minnow_result(session, session->policy->feed);
}

MINNOW_API const float *minnow_value(const minnow_session *session) {
    return minnow_result(session, session->policy->value_output);
}

MINNOW_API const float *minnow_probabilities(const minnow_session *session) {
    return session->policy->action.choices ? session->probability : NULL;
}

MINNOW_API const int32_t *minnow_action(const minnow_session *session) {
    return session->policy->action.choices ? session->choice : NULL;
}

MINNOW_API const float *minnow_action_box(const minnow_session *session) {
    return session->policy->action.kind == MINNOW_BOX ? session->box : NULL;
}

MINNOW_API const float *minnow_activation(const minnow_session *session, uint32_t agent, const char *name,
                                          uint32_t *size) {
    const minnow_policy *p = session->policy;
    uint32_t value = 0;
    while (value < p->values && (!name[0] || strcmp(name, p->value[value].name) != 0))
        value++;
    return minnow_activation_at(session, agent, value, size);
}

MINNOW_API const float *minnow_activation_at(const minnow_session *session, uint32_t agent, uint32_t value,
                                             uint32_t *size) {
    const minnow_policy *p = session->policy;
    if (!(session->flags & MINNOW_KEEP) || agent >= session->agents || value >= p->values ||
        p->value[value].dtype != MINNOW_F32)
        return NULL;
    *size = p->value[value].shape.elements;
    return mnw_at(session, value, agent);
}

MINNOW_API int32_t minnow_reset(minnow_session *session, uint32_t agent) {
    const minnow_policy *p = session->policy;
    float *memory = session->memory;
    if (agent >= session->agents)
        return MINNOW_E_AGENT;
    for (uint32_t i = 0; i < p->states; i++) {
        size_t size = minnow_state_array(p, i)->size;
        if (p->initial[i])
            memcpy(memory + size * agent, p->initial[i], 4 * size);
        else
            memset(memory + size * agent, 0, 4 * size);
        memory += size * session->agents;
    }
    return MINNOW_OK;
}

MINNOW_API void minnow_restart(minnow_session *session, uint64_t seed) {
    mnw_state *state = session->state;
    state->seed[0] = (uint32_t)seed;
    state->seed[1] = (uint32_t)(seed >> 32);
    state->step[0] = state->step[1] = 0;
    for (uint32_t agent = 0; agent < session->agents; agent++)
        minnow_reset(session, agent);
}

MINNOW_API void minnow_sample(minnow_session *session, int sampled) {
    session->flags = (session->flags & ~(uint32_t)MINNOW_SAMPLE) | (sampled ? (uint32_t)MINNOW_SAMPLE : 0u);
}

MINNOW_API void minnow_first_agent(minnow_session *session, uint32_t first) {
    session->first = first;
}

MINNOW_API void *minnow_state(minnow_session *session) {
    return session->state;
}

MINNOW_API size_t minnow_state_size(const minnow_session *session) {
    return sizeof(mnw_state) + (size_t)(4 * session->policy->state) * session->agents;
}

MINNOW_API int32_t minnow_restore(minnow_session *session, const void *state, size_t size) {
    mnw_state head;
    if (!state || size != minnow_state_size(session))
        return MINNOW_E_STATE;
    memcpy(&head, state, sizeof head);
    if (head.policy != session->state->policy || head.agents != session->agents)
        return MINNOW_E_STATE;
    memmove(session->state, state, size);
    return MINNOW_OK;
}

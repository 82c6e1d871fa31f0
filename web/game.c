/* game.c: see game.h. One translation unit with the environment, which GAME_ENV names, and the interpreter. */
#define ENV_LANES 1
#define MINNOW_IMPLEMENTATION
#include "game.h"
#include "minnow.h"
#include GAME_ENV

enum { EVENTS = 64, SHAPES = ENV_SHAPES, ALIGN = 64 };

typedef struct Play { /* all that changes as the game goes on; the session's state follows it in memory */
    State env;
    uint32_t ticks, episodes, events, sampled;
    uint32_t driver[ENV_SLOTS];
    uint32_t alive[ENV_SLOTS];
    float final_score[ENV_SLOTS];
    float held[ENV_SLOTS][ENV_HEADS];        /* by a person */
    env_action chosen[ENV_SLOTS][ENV_HEADS]; /* by the policy, in force until it acts again */
    env_action action[ENV_SLOTS][ENV_HEADS]; /* in the last tick */
    EnvEvent event[EVENTS];
} Play;

struct Game {
    minnow_session *session; /* NULL: there is no policy */
    Play *play;
    EnvShape *shapes; /* [SHAPES] */
    uint8_t *mask;    /* [slots][choices] */
    void *scratch;
    env_obs obs[ENV_SLOTS][ENV_OBS];
};

/* Where each part lies in the block, from its start. Play and the session's state, which begins the session's block,
 * are neighbours, so that a snapshot is one piece. */
typedef struct Layout {
    size_t play, session, shapes, mask, scratch, end;
} Layout;

static size_t game_align(size_t size) {
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static Layout game_layout(size_t session_size) {
    Layout at;
    at.play = game_align(sizeof(Game));
    at.session = at.play + game_align(sizeof(Play));
    at.shapes = at.session + game_align(session_size);
    at.mask = at.shapes + SHAPES * sizeof(EnvShape);
    at.scratch = game_align(at.mask + ENV_SLOTS * (size_t)env_choices());
    at.end = at.scratch + env_scratch_size();
    return at;
}

uint32_t game_heap(void) {
#ifdef __wasm__
    extern unsigned char __heap_base;
    return (uint32_t)(uintptr_t)&__heap_base;
#else
    return 0;
#endif
}

/* Whether a sound policy observes and acts as this environment's players do. */
static minnow_error game_fit(const minnow_policy *policy) {
    const minnow_array *input = minnow_input(policy, 0);
    const minnow_action_spec *action = minnow_action_of(policy);
    minnow_error error = {MINNOW_OK, 0, 0, 0, 0};
    error.found = minnow_inputs(policy), error.expected = 1;
    if (error.found != error.expected) {
        error.code = MINNOW_E_INPUT;
        return error;
    }
    error.found = input->size, error.expected = ENV_OBS;
    if (error.found != error.expected || input->dtype != (env.spec.group[0].type == ENV_U8 ? MINNOW_U8 : MINNOW_F32)) {
        error.code = MINNOW_E_SHAPE;
        return error;
    }
    error.found = action->kind == MINNOW_NONE ? 0 : action->heads, error.expected = ENV_HEADS;
    for (uint32_t head = 0; head < ENV_HEADS && error.code == MINNOW_OK; head++) {
        if (error.found != ENV_HEADS || (action->kind == MINNOW_BOX) != (env.spec.action_type == ENV_BOX)) {
            error.code = MINNOW_E_HEADS;
        } else if (minnow_head_of(policy, head)->size != (uint32_t)env.spec.head[head].size) {
            error.code = MINNOW_E_HEADS;
            error.index = head;
            error.found = minnow_head_of(policy, head)->size, error.expected = (uint32_t)env.spec.head[head].size;
        }
    }
    return error;
}

static void game_report(GameError *out, const minnow_error *error, uint32_t misfit) {
    out->number = error->code;
    out->misfit = misfit;
    out->index = error->index;
    out->offset = (uint32_t)error->offset;
    out->found = (uint32_t)error->found;
    out->expected = (uint32_t)error->expected;
}

uint32_t game_policy_size(const void *bytes, uint32_t size, GameError *error) {
    minnow_error fault;
    memset(&fault, 0, sizeof fault);
    size_t need = minnow_size(bytes, size, &fault);
    if (need > UINT32_MAX / 2) {
        fault.code = MINNOW_E_MEMORY;
        need = 0;
    }
    game_report(error, &fault, 0);
    return (uint32_t)need;
}

const minnow_policy *game_load(const void *bytes, uint32_t size, void *block, uint32_t block_size, GameError *error) {
    minnow_error fault;
    memset(&fault, 0, sizeof fault);
    const minnow_policy *policy = minnow_load(bytes, size, block, block_size, &fault);
    game_report(error, &fault, 0);
    if (policy) {
        fault = game_fit(policy);
        game_report(error, &fault, 1);
    }
    return error->number ? NULL : policy;
}

const char *game_meta(const minnow_policy *policy, uint32_t *size) {
    size_t length = 0;
    const char *meta = minnow_meta(policy, &length);
    *size = (uint32_t)length;
    return meta;
}

uint32_t game_selftest_size(const minnow_policy *policy) {
    const size_t need = minnow_selftest_size(policy);
    return need > UINT32_MAX / 2 ? 0 : (uint32_t)need;
}

int32_t game_selftest(const minnow_policy *policy, void *block, uint32_t block_size, float *difference) {
    return minnow_selftest(policy, block, block_size, difference);
}

uint32_t game_size(const minnow_policy *policy) {
    return (uint32_t)game_layout(policy ? minnow_session_size(policy, ENV_SLOTS, 0) : 0).end + ALIGN;
}

Game *game_open(const minnow_policy *policy, void *block, uint32_t block_size) {
    const size_t session_size = policy ? minnow_session_size(policy, ENV_SLOTS, 0) : 0;
    const Layout at = game_layout(session_size);
    if (!block || block_size < at.end + ALIGN) {
        return NULL;
    }
    uint8_t *base = (uint8_t *)game_align((uintptr_t)block);
    memset(base, 0, at.end);
    Game *game = (Game *)base;
    game->play = (Play *)(base + at.play);
    game->shapes = (EnvShape *)(base + at.shapes);
    game->mask = base + at.mask;
    game->scratch = base + at.scratch;
    if (policy) {
        game->session = minnow_session_init(policy, ENV_SLOTS, 0, 0, base + at.session, session_size, NULL);
    }
    game_start(game, 0, 0);
    return game;
}

static void game_begin_episode(Game *game) {
    Play *play = game->play;
    env_reset(&play->env, 0);
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        play->alive[slot] = env_alive(&play->env, 0, slot);
        for (int head = 0; head < ENV_HEADS; head++) {
            play->chosen[slot][head] = (env_action)env.spec.idle[head];
        }
        if (game->session) {
            minnow_reset(game->session, slot);
        }
    }
}

void game_start(Game *game, uint32_t seed_low, uint32_t seed_high) {
    Play *play = game->play;
    env_init(&play->env, 0, seed_low, seed_high, 0, NULL, 0.0f);
    play->ticks = play->episodes = play->events = 0;
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        play->final_score[slot] = 0.0f;
        for (int head = 0; head < ENV_HEADS; head++) {
            play->held[slot][head] = (float)env.spec.idle[head];
            play->action[slot][head] = (env_action)env.spec.idle[head];
        }
    }
    if (game->session) {
        minnow_restart(game->session, (uint64_t)seed_high << 32 | seed_low);
    }
    game_begin_episode(game);
}

void game_drive(Game *game, uint32_t slot, uint32_t driver) {
    if (slot < ENV_SLOTS && driver <= GAME_PERSON) {
        game->play->driver[slot] = driver == GAME_POLICY && !game->session ? (uint32_t)GAME_SCRIPT : driver;
    }
}

uint32_t game_driver(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->driver[slot] : 0;
}

void game_act(Game *game, uint32_t slot, uint32_t head, float value) {
    if (slot < ENV_SLOTS && head < ENV_HEADS) {
        game->play->held[slot][head] = value;
    }
}

void game_sample(Game *game, uint32_t sampled) {
    game->play->sampled = sampled != 0;
}

uint32_t game_event(Game *game, int32_t kind, int32_t slot, float x, float y, float z, float value) {
    Play *play = game->play;
    uint32_t at = 0;
    while (at < play->events &&
           !(kind == ENV_EVENT_PARAM && play->event[at].kind == kind && play->event[at].slot == slot)) {
        at++;
    }
    if (at == EVENTS) {
        return 0;
    }
    play->event[at] = (EnvEvent){kind, slot, 0, {x, y, 0.0f}, {z, value, 0.0f}, value};
    play->events += at == play->events;
    return 1;
}

/* Every player observes, and the policy's memory advances for all of them. */
static void game_think(Game *game) {
    Play *play = game->play;
    const size_t choices = env_choices();
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        const uint32_t alive = env_alive(&play->env, 0, slot);
        if (alive && !play->alive[slot]) {
            minnow_reset(game->session, slot);
        }
        play->alive[slot] = alive;
        env_observe(&play->env, 0, slot, 0, game->obs[slot], game->scratch);
        env_mask(&play->env, 0, slot, game->mask + slot * choices);
        if (!alive) {
            memset(game->mask + slot * choices, 1, choices);
        }
    }
    minnow_sample(game->session, (int)play->sampled);
    const int32_t code = minnow_step(game->session, game->obs, env.mask ? game->mask : NULL);
    if (code == MINNOW_OK || code == MINNOW_E_DOMAIN) { /* that step is made too: a game goes on */
#ifdef ENV_CONTINUOUS
        memcpy(play->chosen, minnow_action_box(game->session), sizeof play->chosen);
#else
        memcpy(play->chosen, minnow_action(game->session), sizeof play->chosen);
#endif
    }
}

/* What a person holds, as a possible action. */
static void game_obey(Game *game, uint32_t slot) {
    Play *play = game->play;
    for (int head = 0; head < ENV_HEADS; head++) {
        const float held = play->held[slot][head];
#ifdef ENV_CONTINUOUS
        play->action[slot][head] = env_possible(held, head);
#else
        const int32_t size = env.spec.head[head].size, idle = env.spec.idle[head];
        play->action[slot][head] = held >= 0.0f && held < (float)size ? (int32_t)held : idle;
#endif
    }
#ifndef ENV_CONTINUOUS
    uint8_t *mask = game->mask + slot * env_choices();
    env_mask(&play->env, 0, slot, mask);
    for (int head = 0; head < ENV_HEADS; mask += env.spec.head[head].size, head++) {
        const int32_t choice = play->action[slot][head];
        play->action[slot][head] = mask[choice] ? choice : env.spec.idle[head];
    }
#endif
}

uint32_t game_tick(Game *game) {
    Play *play = game->play;
    uint32_t bits = 0;
    for (uint32_t i = 0; i < play->events; i++) {
        env_event(&play->env, 0, &play->event[i]);
    }
    play->events = 0;
    if (game->session && env_ticks(&play->env, 0) % (uint32_t)env.spec.action_repeat == 0) {
        game_think(game);
        bits |= GAME_ACTED;
    }
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        if (play->driver[slot] == GAME_SCRIPT) {
            env_script(&play->env, 0, slot, -1.0f, play->action[slot]);
        } else if (play->driver[slot] == GAME_POLICY) {
            memcpy(play->action[slot], play->chosen[slot], sizeof play->chosen[slot]);
        } else {
            game_obey(game, slot);
        }
    }
    float reward[ENV_SLOTS] = {0};
    int32_t terminated = 0, truncated = 0;
    uint8_t left[ENV_SLOTS] = {0};
    env_tick(&play->env, play->action, reward, &terminated, &truncated, left, game->scratch);
    play->ticks++;
    if (!terminated && !truncated) {
        env_spawn(&play->env, 0);
        terminated = !env_goes_on(&play->env, 0);
    }
    if (terminated || truncated) {
        bits |= (terminated ? (uint32_t)GAME_TERMINATED : 0) | (truncated ? (uint32_t)GAME_TRUNCATED : 0);
        for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
            play->final_score[slot] = env_score(&play->env, 0, slot);
        }
        play->episodes++;
        game_begin_episode(game);
    }
    return bits;
}

uint32_t game_ticks(const Game *game) {
    return game->play->ticks;
}
uint32_t game_episodes(const Game *game) {
    return game->play->episodes;
}
float game_score(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? env_score(&game->play->env, 0, slot) : 0.0f;
}
float game_final_score(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->final_score[slot] : 0.0f;
}

void game_hash(const Game *game, uint32_t out[2]) {
    uint64_t hash = env_hash(&game->play->env, 0);
    if (game->session) {
        const uint8_t *state = (const uint8_t *)minnow_state(game->session);
        for (size_t i = 0; i < minnow_state_size(game->session); i++) {
            hash = (hash ^ state[i]) * 0x100000001b3u;
        }
    }
    out[0] = (uint32_t)hash;
    out[1] = (uint32_t)(hash >> 32);
}

void *game_state(Game *game) {
    return game->play;
}
uint32_t game_state_size(const Game *game) {
    const size_t session = game->session ? minnow_state_size(game->session) : 0;
    return (uint32_t)(game_align(sizeof(Play)) + session);
}

const float *game_probabilities(const Game *game, uint32_t slot) {
    const float *all = game->session ? minnow_probabilities(game->session) : NULL;
    return all && slot < ENV_SLOTS ? all + slot * env_choices() : NULL;
}
uint32_t game_probability_count(const Game *game) {
    return game->session && minnow_probabilities(game->session) ? env_choices() : 0;
}
float game_value(const Game *game, uint32_t slot) {
    const float *all = game->session ? minnow_value(game->session) : NULL;
    return all && slot < ENV_SLOTS ? all[slot] : 0.0f;
}
const void *game_chosen(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->chosen[slot] : NULL;
}
const void *game_action(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->action[slot] : NULL;
}

uint32_t game_draw(Game *game, uint32_t slot, float aspect) {
    const EnvView view = {(int32_t)slot, 0, aspect};
    const uint32_t wanted = env_draw(&game->play->env, 0, &view, game->shapes, SHAPES);
    return wanted < SHAPES ? wanted : SHAPES;
}
const void *game_shapes(const Game *game) {
    return game->shapes;
}

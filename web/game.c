/* game.c: see game.h. One translation unit with the environment, which GAME_ENV names, and the interpreter, unless
 * GAME_APART says that it is linked. */
#define ENV_LANES 1
#ifndef GAME_APART
#define MINNOW_IMPLEMENTATION
#endif
#include "game.h"
#include "heap.h"
#include "minnow.h"
#include GAME_ENV

enum { NO_SEAT = 0 };
static const uint32_t session_flags = ENV_SLOTS <= GAME_MOST_SHOWN ? MINNOW_KEEP : 0;

typedef struct Play { /* all that changes as the game goes on; what policies remember follows it in memory */
    State env;
    uint32_t ticks, episodes, sampled;
    uint8_t driver[ENV_SLOTS];
    uint8_t seat[ENV_SLOTS];  /* NO_SEAT, or 1 + the policy that it follows */
    uint8_t fresh[ENV_SLOTS]; /* 1: its next observation begins a life, or its stay at a policy */
    float final_score[ENV_SLOTS];
    float success[ENV_SLOTS], final_success[ENV_SLOTS];
    float held[ENV_SLOTS][ENV_HEADS];        /* by a person */
    env_action chosen[ENV_SLOTS][ENV_HEADS]; /* by the policy, in force until it acts again */
    env_action action[ENV_SLOTS][ENV_HEADS]; /* in the last tick */
} Play;

typedef struct Seat { /* one policy, and every slot's place at it */
    minnow_session *session;
    void *memory;    /* its state between two steps, within the snapshot */
    uint32_t repeat; /* ticks between its actions */
    uint32_t inputs;
    uint8_t group[ENV_GROUPS]; /* [inputs]: the one that each observes */
} Seat;

struct Game {
    Play *play;
    size_t state_size;
    float *reward;         /* [slots] */
    uint8_t *left;         /* [slots] */
    uint8_t *mask;         /* [slots][choices] */
    void *scratch;         /* [env_scratch_size()] */
    EnvShape *shapes;      /* [ENV_SHAPES] */
    void *obs[ENV_GROUPS]; /* [slots][numbers], NULL: for the critic alone */
    uint32_t seats;
    Seat seat[GAME_MOST_POLICIES];
};

uint32_t game_heap(void) {
    return heap_begin();
}

static int game_open_to_all(uint32_t group) {
    return !env.spec.group[group].critic;
}

/* The group that an input observes: the one of its name; where there is one of each, they need not agree in that.
 * ENV_GROUPS: none. */
static uint32_t game_group(const minnow_policy *policy, const minnow_array *input) {
    uint32_t open = 0, last = 0, named = ENV_GROUPS;
    for (uint32_t group = 0; group < ENV_GROUPS; group++) {
        if (game_open_to_all(group)) {
            open++, last = group;
            named = env_same(env.spec.group[group].name, input->name) ? group : named;
        }
    }
    return open == 1 && minnow_inputs(policy) == 1 ? last : named;
}

/* Of one shape, or given as a row of numbers. */
static int game_same_shape(const EnvGroup *group, const minnow_array *input) {
    int same = input->dtype == (group->type == ENV_U8 ? MINNOW_U8 : MINNOW_F32);
    for (uint32_t axis = 0; axis < MINNOW_MAX_RANK && input->rank > 1; axis++) {
        const uint32_t size = axis < 3 ? (uint32_t)group->shape[axis] : 0;
        same &= (axis < input->rank ? input->shape[axis] : 0) == size;
    }
    return same;
}

/* Whether a sound policy observes and acts as this environment's players do. */
static minnow_error game_fit(const minnow_policy *policy) {
    const minnow_action_spec *action = minnow_action_of(policy);
    minnow_error error = {MINNOW_OK, 0, 0, 0, 0};
    const minnow_array *input;
    for (uint32_t i = 0; (input = minnow_input(policy, i)) != NULL; i++) {
        const uint32_t group = game_group(policy, input);
        error.index = i;
        error.found = input->size, error.expected = group < ENV_GROUPS ? env_group_numbers(group) : 0;
        if (group == ENV_GROUPS || i == ENV_GROUPS) {
            error.code = MINNOW_E_INPUT;
            return error;
        }
        if (error.found != error.expected || !game_same_shape(&env.spec.group[group], input)) {
            error.code = MINNOW_E_SHAPE;
            return error;
        }
    }
    error.index = 0;
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

/* Room for what a session remembers: recurrent states, and at most 64 bytes of counters and seed. */
static size_t game_memory(const minnow_policy *policy) {
    size_t size = 64;
    for (uint32_t i = 0; i < minnow_states(policy); i++) {
        size += (size_t)minnow_state_array(policy, i)->size * ENV_SLOTS * sizeof(float);
    }
    return size;
}

/* Hands out the block piece by piece; without a block it only counts. */
static void *game_take(uint8_t *block, size_t *used, size_t size) {
    void *at = block ? block + *used : NULL;
    *used += env_align(size);
    return at;
}

/* The ticks between a policy's actions: the number that its metadata gives for the key, 0 or none standing for what the
 * environment says. Within a text the key's last quote would follow a backslash. */
static uint32_t game_repeat(const minnow_policy *policy) {
    static const char key[] = "\"action_repeat\":";
    uint32_t size, same = 0, found = 0;
    const char *meta = game_meta(policy, &size);
    for (uint32_t i = 0; i < size && !found; i++) {
        same = meta[i] == key[same] ? same + 1 : meta[i] == key[0];
        if (same == sizeof key - 1) {
            same = 0;
            i += i + 1 < size && meta[i + 1] == ' ';
            for (; i + 1 < size && meta[i + 1] >= '0' && meta[i + 1] <= '9' && found < 10000; i++) {
                found = 10 * found + (uint32_t)(meta[i + 1] - '0');
            }
        }
    }
    return found ? found : (uint32_t)env.spec.action_repeat;
}

static void game_seat_at(Seat *seat, const minnow_policy *policy, void *block, size_t size) {
    seat->session = minnow_session_init(policy, ENV_SLOTS, session_flags, 0, block, size, NULL);
    seat->repeat = game_repeat(policy);
    seat->inputs = minnow_inputs(policy);
    for (uint32_t i = 0; i < seat->inputs; i++) {
        seat->group[i] = (uint8_t)game_group(policy, minnow_input(policy, i));
    }
}

/* Lays the game out in the block, which is aligned, and returns its size; with NULL it only counts. */
static size_t game_lay(Game *game, const minnow_policy *const *policies, uint32_t count, uint8_t *block) {
    size_t used = env_align(sizeof(Game));
    game->play = game_take(block, &used, sizeof(Play));
    for (uint32_t i = 0; i < count; i++) { /* right behind it: a snapshot is one piece */
        game->seat[i].memory = game_take(block, &used, game_memory(policies[i]));
    }
    game->state_size = used - env_align(sizeof(Game));
    game->reward = game_take(block, &used, ENV_SLOTS * sizeof(float));
    game->left = game_take(block, &used, ENV_SLOTS);
    game->mask = game_take(block, &used, ENV_SLOTS * (size_t)env_choices());
    game->scratch = game_take(block, &used, env_scratch_size());
    game->shapes = game_take(block, &used, ENV_SHAPES * sizeof(EnvShape));
    for (uint32_t group = 0; group < ENV_GROUPS; group++) {
        const int wanted = count && game_open_to_all(group);
        game->obs[group] = wanted ? game_take(block, &used, ENV_SLOTS * env_group_bytes(group)) : NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const size_t size = minnow_session_size(policies[i], ENV_SLOTS, session_flags);
        void *at = game_take(block, &used, size);
        if (block) {
            game_seat_at(&game->seat[i], policies[i], at, size);
        }
    }
    return used;
}

static void game_begin_episode(Game *game) {
    Play *play = game->play;
    env_reset(&play->env, 0);
    memset(play->fresh, 1, ENV_SLOTS);
    memset(play->success, 0, sizeof play->success);
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        for (int head = 0; head < ENV_HEADS; head++) {
            play->chosen[slot][head] = (env_action)env.spec.idle[head];
        }
    }
}

static void game_start(Game *game, uint32_t seed_low, uint32_t seed_high, float randomize) {
    Play *play = game->play;
    memset(play, 0, sizeof(Play));
    env_init(&play->env, 0, seed_low, seed_high, 0, NULL, randomize);
    for (uint32_t i = 0; i < game->seats; i++) {
        Seat *seat = &game->seat[i];
        minnow_restart(seat->session, (uint64_t)seed_high << 32 | seed_low);
        memcpy(seat->memory, minnow_state(seat->session), minnow_state_size(seat->session));
    }
    game_begin_episode(game);
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        for (int head = 0; head < ENV_HEADS; head++) {
            play->held[slot][head] = (float)env.spec.idle[head];
            play->action[slot][head] = (env_action)env.spec.idle[head];
        }
    }
}

uint32_t game_size(const minnow_policy *const *policies, uint32_t count) {
    Game measured;
    if (count > GAME_MOST_POLICIES) {
        return 0;
    }
    const size_t size = game_lay(&measured, policies, count, NULL) + 64;
    return size > UINT32_MAX / 2 ? 0 : (uint32_t)size;
}

Game *game_open(const minnow_policy *const *policies, uint32_t count, void *block, uint32_t block_size) {
    const uint32_t need = game_size(policies, count);
    if (!need || !block || block_size < need) {
        return NULL;
    }
    uint8_t *base = (uint8_t *)env_align((uintptr_t)block);
    memset(base, 0, need - 64);
    Game *game = (Game *)(void *)base;
    game_lay(game, policies, count, base);
    game->seats = count;
    game_start(game, 0, 0, 0.0f);
    return game;
}

static float game_real(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Whether words are numbers: infinities would do no harm, but what is not a number has different bits here and there.
 */
static int game_finite(const uint32_t *words, uint32_t count) {
    int finite = 1;
    for (uint32_t i = 0; i < count; i++) {
        finite &= (words[i] & 0x7f800000u) != 0x7f800000u;
    }
    return finite;
}

/* Whether an input of this kind may be; `slot`: the first, values as they came. */
static int game_takes(const Game *game, uint32_t kind, uint32_t slot, const uint32_t *values) {
    switch (kind) {
    case GAME_START:
        return slot == 0 && values[2] <= 0x3f800000u; /* the bits of 1: 0 to 1, then */
    case GAME_SEAT:
    case GAME_DRIVE:
        return slot < ENV_SLOTS && values[0] - 1 < ENV_SLOTS - slot &&
               values[1] <= (kind == GAME_SEAT ? game->seats : (uint32_t)GAME_RANDOM);
    case GAME_ACT:
        return slot < ENV_SLOTS && game_finite(values, ENV_HEADS);
    case GAME_EVENT:
        if (!game_finite(values + 2, 7)) {
            return 0;
        }
        return values[0] == ENV_EVENT_PARAM ? slot < ENV_PARAM_COUNT
               : values[0] == ENV_EVENT_RANDOMIZE
                   ? slot == 0
                   : slot < ENV_SLOTS && values[0] >= ENV_EVENT_CUSTOM && values[0] <= INT32_MAX;
    case GAME_SAMPLE:
        return slot == 0 && values[0] <= 1;
    default:
        return 0;
    }
}

uint32_t game_input(Game *game, const GameInput *input) {
    Play *play = game->play;
    const uint32_t slot = input->slot, *values = input->values;
    if (input->tick != (input->kind == GAME_START ? 0 : play->ticks) || !game_takes(game, input->kind, slot, values)) {
        return 0;
    }
    if (input->kind == GAME_START) {
        game_start(game, values[0], values[1], game_real(values[2]));
    } else if (input->kind == GAME_SEAT) {
        memset(play->seat + slot, (int)values[1], values[0]);
        memset(play->fresh + slot, 1, values[0]);
    } else if (input->kind == GAME_DRIVE) {
        memset(play->driver + slot, (int)values[1], values[0]);
    } else if (input->kind == GAME_ACT) {
        memcpy(play->held[slot], values, sizeof play->held[slot]);
    } else if (input->kind == GAME_EVENT) {
        EnvEvent event = {(int32_t)values[0], (int32_t)slot, (int32_t)values[1], {0}, {0}, 0.0f};
        memcpy(event.at, values + 2, sizeof event.at);
        memcpy(event.way, values + 5, sizeof event.way);
        event.value = game_real(values[8]);
        env_event(&play->env, 0, &event);
    } else {
        play->sampled = values[0];
    }
    return 1;
}

uint32_t game_seat(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->seat[slot] : NO_SEAT;
}

uint32_t game_driver(const Game *game, uint32_t slot) {
    const uint32_t driver = slot < ENV_SLOTS ? game->play->driver[slot] : GAME_SCRIPT;
    return driver == GAME_POLICY && !game_seat(game, slot) ? (uint32_t)GAME_SCRIPT : driver;
}

static int game_alive(const Game *game, uint32_t slot) {
    return !env.alive || env_alive(&game->play->env, 0, slot);
}

/* What every slot sees, and may choose. */
static void game_observe(Game *game) {
    const State *state = &game->play->env;
    const size_t choices = env_choices();
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        for (uint32_t group = 0; group < ENV_GROUPS; group++) {
            if (game->obs[group]) {
                uint8_t *obs = (uint8_t *)game->obs[group] + slot * env_group_bytes(group);
                env_observe(state, 0, slot, group, obs, game->scratch);
            }
        }
        env_mask(state, 0, slot, game->mask + slot * choices);
    }
}

/* One policy's turn: its memory advances for whoever sits there, and for nobody else does it mean anything. It does
 * nothing while nobody who lives sits there. */
static void game_think(Game *game, uint32_t number) {
    Play *play = game->play;
    const Seat *seat = &game->seat[number];
    minnow_session *session = seat->session;
    const void *inputs[ENV_GROUPS];
    int any = 0;
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        any |= play->seat[slot] == number + 1 && game_alive(game, slot);
    }
    if (!any) {
        return;
    }
    memcpy(minnow_state(session), seat->memory, minnow_state_size(session));
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        if (play->seat[slot] == number + 1 && play->fresh[slot] && game_alive(game, slot)) {
            minnow_reset(session, slot);
            play->fresh[slot] = 0;
        }
    }
    for (uint32_t i = 0; i < seat->inputs; i++) {
        inputs[i] = game->obs[seat->group[i]];
    }
    minnow_sample(session, (int)play->sampled);
    const int32_t code = minnow_step_inputs(session, inputs, env.mask ? game->mask : NULL);
    if (code == MINNOW_OK || code == MINNOW_E_DOMAIN) { /* that step is made too: a game goes on */
        memcpy(seat->memory, minnow_state(session), minnow_state_size(session));
        for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
#ifdef ENV_CONTINUOUS
            const env_action *chosen = minnow_action_box(session) + slot * ENV_HEADS;
#else
            const env_action *chosen = minnow_action(session) + slot * ENV_HEADS;
#endif
            if (play->seat[slot] == number + 1) {
                memcpy(play->chosen[slot], chosen, sizeof play->chosen[slot]);
            }
        }
    }
}

/* What a person holds, as a possible action. */
static void game_obey(Game *game, uint32_t slot) {
    Play *play = game->play;
#ifdef ENV_HANDS
    env_action meant[ENV_HEADS][ENV_LANES];
    ENV_HANDS(&play->env, slot, play->held[slot], meant);
#endif
    for (int head = 0; head < ENV_HEADS; head++) {
        const float held = play->held[slot][head];
#if defined(ENV_HANDS)
        (void)held;
        play->action[slot][head] = env_possible(meant[head][0], head);
#elif defined(ENV_CONTINUOUS)
        play->action[slot][head] = env_possible(held, head);
#else
        const int32_t size = env.spec.head[head].size, idle = env.spec.idle[head];
        play->action[slot][head] = held >= 0.0f && held < (float)size ? (int32_t)held : idle;
#endif
    }
#ifndef ENV_CONTINUOUS
    uint8_t *mask = game->mask + slot * (size_t)env_choices();
    env_mask(&play->env, 0, slot, mask);
    for (int head = 0; head < ENV_HEADS; mask += env.spec.head[head].size, head++) {
        const int32_t choice = play->action[slot][head];
        play->action[slot][head] = mask[choice] ? choice : env.spec.idle[head];
    }
#endif
}

/* Each possible choice is as likely as the others. The stream is one that env_noise has not. */
static void game_wander(Game *game, uint32_t slot) {
    Play *play = game->play;
    const EnvBase *base = (const EnvBase *)&play->env;
    const uint32_t moment = (uint32_t)base->tick[0] + (uint32_t)base->episode[0] * 0x9e3779b9u;
    uint8_t *mask = game->mask + slot * (size_t)env_choices();
    if (base->tick[0] % env.spec.action_repeat) {
        return;
    }
    env_mask(&play->env, 0, slot, mask);
    for (uint32_t head = 0; head < ENV_HEADS; mask += env.spec.head[head].size, head++) {
        const uint32_t bits =
            env_threefry(base->key[0][0], base->key[1][0], moment, 0xc0000000u + slot * ENV_HEADS + head).a;
#ifdef ENV_CONTINUOUS
        const float low = env.spec.head[head].low, high = env.spec.head[head].high;
        play->action[slot][head] = env_possible(low + (high - low) * env_unit(bits), (int)head);
#else
        uint32_t possible = 0, skip;
        for (int32_t choice = 0; choice < env.spec.head[head].size; choice++) {
            possible += mask[choice];
        }
        skip = (uint32_t)((uint64_t)bits * possible >> 32);
        for (int32_t choice = env.spec.head[head].size; choice-- > 0;) {
            if (mask[choice] && skip-- == 0) {
                play->action[slot][head] = choice;
            }
        }
#endif
    }
}

/* Lives that ended in the last tick are over, whoever is born in their place. Returns whether the episode goes on. */
static int game_live(Game *game) {
    Play *play = game->play;
    if (!env.alive) {
        return 1;
    }
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        play->fresh[slot] |= game->left[slot] || !game_alive(game, slot);
    }
    env_spawn(&play->env, 0);
    return env_goes_on(&play->env, 0) != 0;
}

uint32_t game_tick(Game *game) {
    Play *play = game->play;
    uint32_t bits = 0;
    for (uint32_t i = 0; i < game->seats; i++) {
        if (env_ticks(&play->env, 0) % game->seat[i].repeat == 0) {
            if (!bits) {
                game_observe(game);
            }
            game_think(game, i);
            bits = GAME_ACTED;
        }
    }
    for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
        const uint32_t driver = game_driver(game, slot);
        if (driver == GAME_SCRIPT) {
            env_script(&play->env, 0, slot, -1.0f, play->action[slot]);
        } else if (driver == GAME_POLICY) {
            memcpy(play->action[slot], play->chosen[slot], sizeof play->chosen[slot]);
        } else if (driver == GAME_PERSON) {
            game_obey(game, slot);
        } else {
            game_wander(game, slot);
        }
    }
    int32_t terminated = 0, truncated = 0;
    memset(game->left, 0, ENV_SLOTS);
    env_tick(&play->env, play->action, game->reward, &terminated, &truncated, game->left, game->scratch);
    play->ticks++;
    for (uint32_t slot = 0; env.success && slot < ENV_SLOTS; slot++) {
        play->success[slot] = env_max(play->success[slot], env_success(&play->env, 0, slot));
    }
    if (!terminated && !truncated && !game_live(game)) {
        terminated = 1; /* nobody lives, and nobody will be born */
    }
    if (terminated || truncated) {
        bits |= (terminated ? (uint32_t)GAME_TERMINATED : 0) | (truncated ? (uint32_t)GAME_TRUNCATED : 0);
        for (uint32_t slot = 0; slot < ENV_SLOTS; slot++) {
            play->final_score[slot] = env_score(&play->env, 0, slot);
        }
        memcpy(play->final_success, play->success, sizeof play->success);
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
float game_final_success(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->final_success[slot] : 0.0f;
}

void game_hash(const Game *game, uint32_t out[2]) {
    uint64_t hash = env_hash(&game->play->env, 0);
    for (uint32_t i = 0; i < game->seats; i++) {
        const uint8_t *memory = (const uint8_t *)game->seat[i].memory;
        for (size_t at = 0; at < minnow_state_size(game->seat[i].session); at++) {
            hash = (hash ^ memory[at]) * 0x100000001b3u;
        }
    }
    out[0] = (uint32_t)hash;
    out[1] = (uint32_t)(hash >> 32);
}

void *game_state(Game *game) {
    return game->play;
}
uint32_t game_state_size(const Game *game) {
    return (uint32_t)game->state_size;
}

/* The session of the policy that a slot is seated at, or NULL. */
static const minnow_session *game_session(const Game *game, uint32_t slot) {
    const uint32_t seat = game_seat(game, slot);
    return seat ? game->seat[seat - 1].session : NULL;
}

const float *game_probabilities(const Game *game, uint32_t slot) {
    const minnow_session *session = game_session(game, slot);
    const float *all = session ? minnow_probabilities(session) : NULL;
    return all ? all + slot * (size_t)env_choices() : NULL;
}
uint32_t game_probability_count(const Game *game, uint32_t slot) {
    return game_probabilities(game, slot) ? env_choices() : 0;
}
float game_value(const Game *game, uint32_t slot) {
    const minnow_session *session = game_session(game, slot);
    const float *all = session ? minnow_value(session) : NULL;
    return all ? all[slot] : 0.0f;
}
const void *game_chosen(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->chosen[slot] : NULL;
}
const void *game_action(const Game *game, uint32_t slot) {
    return slot < ENV_SLOTS ? game->play->action[slot] : NULL;
}

const void *game_observation(const Game *game, uint32_t slot, uint32_t group) {
    const int known = slot < ENV_SLOTS && group < ENV_GROUPS && game->obs[group];
    return known ? (const uint8_t *)game->obs[group] + slot * env_group_bytes(group) : NULL;
}
const float *game_activation(const Game *game, uint32_t slot, uint32_t value, uint32_t *size) {
    const minnow_session *session = game_session(game, slot);
    return session ? minnow_activation_at(session, slot, value, size) : NULL;
}

uint32_t game_draw(Game *game, uint32_t slot, float aspect) {
    const EnvView view = {(int32_t)slot, 0, aspect};
    return env_draw(&game->play->env, 0, &view, game->shapes, ENV_SHAPES);
}
const void *game_shapes(const Game *game) {
    return game->shapes;
}

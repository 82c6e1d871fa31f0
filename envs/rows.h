/* rows.h: thousands of environments stepped, reset and recorded in a block that the caller gives, without threads,
 * allocation or a C library but memcpy and memset, natively and in WebAssembly. Included by core.h where ENV_ROWS is
 * defined; pool.h adds threads and memory.
 *
 * Environment i is lane i % lanes of block i / lanes; its random stream has the index first_index + i. A row is one of
 * its agents: row = i * agents + agent. Whole blocks are stepped, and only their rows are written, so results depend
 * neither on lanes, nor on how blocks are shared out, nor on how environments are grouped. The lanes that fill up the
 * last block play too, unseen.
 *
 * What begins and ends is a row's life. A step is `action_repeat` ticks, in which a row may die and be born again:
 * rewards up to the death count for the step, those after the birth for the record of the new life alone. A life that
 * ends before it was seen is not recorded.
 */
#ifndef MINNOW_ENV_ROWS_H
#define MINNOW_ENV_ROWS_H
#include "abi.h"

/* cffi: begin */
enum { ENV_SHAPING_NONE = 0, ENV_SHAPING_DIFFERENCE = 1, ENV_SHAPING_DISCOUNTED = 2 };
/* Columns of a record. ENV_BROKEN: 1 where the environment ended a life that could not go on, see ENV_BREAKS below. */
enum { ENV_SCORE = 0, ENV_RETURN = 1, ENV_LENGTH = 2, ENV_SUCCESS = 3, ENV_BROKEN = 4 };
enum { ENV_RECORD = 5 }; /* how many there are */

typedef struct EnvRowsConfig {
    uint32_t num_envs, first_index;
    uint32_t agents;        /* slots below this one are the caller's; 1 to slots */
    uint32_t action_repeat; /* ticks a step */
    uint64_t seed;
    float randomize;
    const float *param;      /* [params] */
    const float *low, *high; /* [params]: bounds of each parameter's draw; NaN: as randomize says */
    const float *skill;      /* [slots]: the script's, in [0, 1]; negative: the parameter `skill` */
    int32_t shaping;         /* what is added to rewards: nothing; P(s') - P(s); or gamma P(s') - P(s), where P(s') is 0
                                if the life terminated (not if it was truncated). P: env_potential */
    float gamma;
} EnvRowsConfig;

/* The caller's memory; any may be NULL. obs, mask, alive and reset speak of one moment, after the step and all that
 * began in it; the others of the step that led there. Where a row was dead before a step, its reward and flags are 0.
 */
typedef struct EnvBuffers {
    void *obs[ENV_MOST_GROUPS];       /* of each group: [rows][env_obs_size(group)] */
    const void *action;               /* [rows][heads]: in; NULL: the script plays these slots too, at each tick */
    uint8_t *mask;                    /* [rows][choices] */
    float *reward;                    /* [rows]: of this step, summed over its ticks, shaping included */
    float *potential;                 /* [rows]: P of the state that the step led to, before any reset */
    uint8_t *terminated;              /* [rows]: the life ended in this step */
    uint8_t *truncated;               /* [rows]: it was cut off */
    uint8_t *alive;                   /* [rows]: somebody is there to act */
    uint8_t *reset;                   /* [rows]: obs begins a life; who keeps memory for the row clears it first */
    void *final_obs[ENV_MOST_GROUPS]; /* like obs; written only where a life ended: its last observation */
    float *record; /* [rows][ENV_RECORD]: likewise: score, return (without shaping), length (in steps), success (at any
                      step), broken */
    uint8_t *over; /* [num_envs]: the environment ended in this step, and the next episode has begun */
    float *drawn, *final_drawn; /* [rows][params], as obs and final_obs are: where in the interval of its draw each
                                   parameter of the episode lies, -1 to 1; 0: it is not drawn */
} EnvBuffers;

/* Rows need env_rows_size(config) bytes, aligned to 64, and each call's scratch env_rows_scratch_size() bytes, aligned
 * to 64, that keep nothing between calls. Calls for blocks that do not overlap may run at once. */
typedef struct EnvRows EnvRows;
size_t env_rows_size(const EnvRowsConfig *config);
EnvRows *env_rows_init(void *memory, const EnvRowsConfig *config); /* reset before stepping */
uint32_t env_rows_blocks(const EnvRows *rows);
uint32_t env_rows_scratch_size(void);
/* Of the blocks first <= i < end: begins the next episode everywhere; steps; shows obs, mask, alive, reset once more.
 */
void env_rows_reset(EnvRows *rows, const EnvBuffers *buffers, uint32_t first, uint32_t end, void *scratch);
void env_rows_step(EnvRows *rows, const EnvBuffers *buffers, uint32_t first, uint32_t end, void *scratch);
void env_rows_observe(EnvRows *rows, const EnvBuffers *buffers, uint32_t first, uint32_t end, void *scratch);
/* Starts environment i anew on the stream (seed, index); reset next. */
void env_rows_seed(EnvRows *rows, uint32_t i, uint32_t seed_low, uint32_t seed_high, uint32_t index);
uint32_t env_rows_saved_size(const EnvRows *rows);
/* Environment i, with the sums of its lives so far. */
void env_rows_save(const EnvRows *rows, uint32_t i, void *saved);
void env_rows_load(EnvRows *rows, uint32_t i, const void *saved);
/* Begins another episode of environment i, in a state that env_save gave, from anywhere: its ticks, its parameters and
 * its score so far are those of that state, and lives and sums begin there. Random numbers, the coefficients of
 * rewards, the script's skill and what later parameters are drawn from remain the environment's own. Shows its block's
 * rows. */
void env_rows_start(EnvRows *rows, const EnvBuffers *buffers, uint32_t i, const void *state, void *scratch);
void *env_rows_block(EnvRows *rows, uint32_t i); /* its block; its lane is i % env_lanes() */
/* cffi: end */

/* Whether the episode that ended in a lane did so because it broke: numbers that are not finite, a body that is lost.
 * An environment that can tell defines it before it includes core.h, and sets out.terminated there by itself. */
#ifndef ENV_BREAKS
#define ENV_BREAKS(s, lane) 0
#endif

/* The parts of a step. A block of one lane takes so little time that calls and what they forget would tell. */
#if ENV_LANES == 1 && defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define ENV_PART static inline __attribute__((always_inline))
#else
#define ENV_PART ENV_APART static
#endif

typedef struct EnvRow { /* of the life so far */
    float returns, potential, success;
    uint32_t length, alive;
} EnvRow;

struct EnvRows {
    EnvRowsConfig config; /* its pointers lead behind this struct */
    char *blocks;
    size_t count, stride; /* blocks, bytes from one to the next */
    EnvRow *row;          /* [count][lanes][agents] */
    int skill;            /* the parameter's index, or -1 */
};

/* The caller's agents, and, below, the lanes it sees: where there can be but one, compilers may know. */
static inline uint32_t env_agents(const EnvRows *v) {
    return ENV_SLOTS == 1 ? 1 : v->config.agents;
}

/* What a step has yielded so far. */
typedef struct EnvStep {
    float reward[ENV_SLOTS][ENV_LANES];
    int32_t terminated[ENV_LANES], truncated[ENV_LANES];
    uint8_t left[ENV_SLOTS][ENV_LANES];
} EnvStep;

/* What becomes in the course of a step of a row whose environment has lives. */
enum {
    ENV_UNSEEN = 0,
    ENV_SEEN = 1,
    ENV_TOLD = 2
}; /* at the last observation; ENV_TOLD: it was, and has ended since */

/* What rows lay down in the course of a step. In scratch, at whose end that of core.h is, or, where it is small, on the
 * stack, where compilers know better what else it cannot be. */
typedef struct EnvDesk {
    env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES];
    EnvStep step, kept;
    float skill[ENV_SLOTS][ENV_LANES];
    uint32_t seen[ENV_SLOTS][ENV_LANES];  /* where there are lives: ENV_UNSEEN ... */
    int32_t living[ENV_SLOTS][ENV_LANES]; /* likewise: what the rows' `alive` says, side by side */
} EnvDesk;

/* [lanes][ENV_SAVED] of scratch: lanes set aside. */
static inline char *env_shelf(void *scratch) {
    return (char *)scratch + env_align(sizeof(EnvDesk));
}
static inline void *env_core_scratch(void *scratch) {
    return env_shelf(scratch) + (ENV_LANES > 1 ? env_align(sizeof(State)) : 0);
}

static inline State *env_block_at(const EnvRows *v, size_t block) {
    return (State *)(void *)(v->blocks + block * v->stride);
}

static inline EnvRow *env_row_at(const EnvRows *v, size_t block, uint32_t lane, uint32_t agent) {
    return &v->row[(block * ENV_LANES + lane) * env_agents(v) + agent];
}

static inline float env_potential_of(const State *s, uint32_t lane, uint32_t slot) {
    return env.potential ? env.potential(s, (int)lane, (int)slot) : 0.0f;
}

/* Begins a row's life, by what is known when it is first seen. */
static inline void env_bear(const EnvRows *v, const State *s, size_t block, uint32_t lane, uint32_t agent) {
    uint32_t alive = env.alive ? env.alive(s, (int)lane, (int)agent) != 0 : 1;
    *env_row_at(v, block, lane, agent) = (EnvRow){.potential = env_potential_of(s, lane, agent), .alive = alive};
}

/* Begins an episode, and the lives in it. */
static void env_begin(const EnvRows *v, size_t block, uint32_t lane) {
    State *s = env_block_at(v, block);
    env_reset(s, lane);
    for (uint32_t a = 0; a < env_agents(v); a++) {
        env_bear(v, s, block, lane, a);
    }
}

/* Lanes of the block that the caller sees. */
static inline uint32_t env_seen(const EnvRows *v, size_t block) {
    size_t left = v->config.num_envs - block * ENV_LANES;
    return ENV_LANES > 1 && left < ENV_LANES ? (uint32_t)left : ENV_LANES;
}

/* memset of what is one size nearly always, which compilers are told: they begin one of unknown size slowly. */
static inline void env_fill(uint8_t *to, int value, size_t size) {
    if (size == ENV_SLOTS * ENV_LANES) {
        memset(to, value, ENV_SLOTS * ENV_LANES);
    } else if (size == ENV_LANES) {
        memset(to, value, ENV_LANES);
    } else {
        memset(to, value, size);
    }
}

/* A lane's flag for each of its rows. */
static inline void env_flag(uint8_t *restrict row, const int32_t *restrict lane, int any, uint32_t seen,
                            uint32_t agents) {
    if (!any) {
        env_fill(row, 0, (size_t)seen * agents);
        return;
    }
    if (agents == 1) {
        for (uint32_t l = 0; l < seen; l++) {
            row[l] = (uint8_t)lane[l];
        }
        return;
    }
    for (uint32_t i = 0, l = 0, a = 0; i < seen * agents; i++) { /* not two loops, the inner one of which is a memset */
        row[i] = (uint8_t)lane[l];
        if (++a == agents) {
            a = 0;
            l++;
        }
    }
}

/* Where lives begin, if all live. */
static inline void env_fresh(uint8_t *restrict reset, const EnvRow *restrict row, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        reset[i] = row[i].length == 0;
    }
}

/* Of a lane: who lives, and who begins to. */
static inline void env_present(const State *s, uint32_t lane, uint8_t *restrict alive, uint8_t *restrict reset,
                               const EnvRow *restrict row, uint32_t agents) {
    if (alive) {
        for (uint32_t a = 0; a < agents; a++) {
            alive[a] = env.alive(s, (int)lane, (int)a) != 0;
        }
    }
    if (reset) {
        for (uint32_t a = 0; a < agents; a++) {
            reset[a] = (env.alive(s, (int)lane, (int)a) != 0) & (row[a].length == 0);
        }
    }
}

/* Of a lane: its parameters within the intervals that they were drawn from, [params]. */
static void env_tell_drawn(const State *s, uint32_t lane, float *to) {
    const EnvBase *base = (const EnvBase *)s;
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        float low = base->lowest[i][lane], wide = base->highest[i][lane] - low;
        to[i] = wide > 0.0f ? env_clamp(2.0f * (base->param[i][lane] - low) / wide - 1.0f, -1.0f, 1.0f) : 0.0f;
    }
}

/* any: whether a life may have begun since the rows were shown before. */
ENV_PART void env_show(const EnvRows *v, const EnvBuffers *b, size_t block, int any, void *scratch) {
    const State *s = env_block_at(v, block);
    uint32_t agents = env_agents(v), seen = env_seen(v, block);
    size_t first = block * ENV_LANES * agents, choices = (size_t)env_choice_count();
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        size_t size = env_group_bytes(g);
        char *obs = b->obs[g] ? (char *)b->obs[g] + first * size : 0;
        for (uint32_t a = 0; obs && a < agents; a++, obs += size) {
            if (seen == ENV_LANES) {
                env_see(s, (int)a, g, obs, (size_t)agents * env_group_numbers(g));
                continue;
            }
            for (uint32_t l = 0; l < seen; l++) {
                env_look(s, l, (int)a, g, obs + l * agents * size, scratch);
            }
        }
    }
    for (uint32_t i = 0; b->drawn && i < seen * agents; i++) {
        env_tell_drawn(s, i / agents, b->drawn + (first + i) * ENV_PARAM_COUNT);
    }
    for (uint32_t a = 0; a < agents; a++) {
        for (uint32_t l = 0; env.mask && b->mask && l < seen; l++) {
            env_may(s, l, a, b->mask + (first + l * agents + a) * choices);
        }
        if (!env.alive && ENV_LANES == 1) { /* here, not in a loop of its own, which were a memset of a few bytes */
            if (b->alive) {
                b->alive[first + a] = 1;
            }
            if (b->reset) {
                b->reset[first + a] = v->row[first + a].length == 0;
            }
        }
    }
    for (uint32_t l = 0; env.alive && l < seen; l++) {
        size_t at = first + (size_t)l * agents;
        env_present(s, l, b->alive ? b->alive + at : 0, b->reset && any ? b->reset + at : 0, v->row + at, agents);
    }
    if (!env.alive && ENV_LANES > 1 && b->alive) {
        env_fill(b->alive + first, 1, (size_t)seen * agents);
    }
    if ((env.alive || ENV_LANES > 1) && b->reset && !any) {
        env_fill(b->reset + first, 0, (size_t)seen * agents);
    } else if (!env.alive && ENV_LANES > 1 && b->reset) {
        env_fresh(b->reset + first, v->row + first, (size_t)seen * agents);
    }
    if (!env.mask && b->mask) {
        memset(b->mask + first * choices, 1, (size_t)seen * agents * choices);
    }
}

/* The skill with which the script plays a slot in this step. */
static void env_skills(const EnvRows *v, const State *s, uint32_t slot, float skill[ENV_LANES]) {
    const EnvBase *base = (const EnvBase *)s;
    float fixed = v->config.skill[slot];
    for (int l = 0; l < ENV_LANES; l++) {
        skill[l] = fixed >= 0.0f || v->skill < 0 ? fixed : base->param[v->skill][l];
    }
}

/* What one row has earned in a step, with shaping. */
static inline float env_earn(const EnvRows *v, const State *s, uint32_t lane, uint32_t a, float reward,
                             int32_t terminated, int measure, EnvRow *row) {
    row->length++;
    if (env.success) {
        row->success = env_max(row->success, env.success(s, (int)lane, (int)a));
    }
    if (env.potential && measure) {
        float before = row->potential, after = env.potential(s, (int)lane, (int)a);
        row->potential = after;
        if (v->config.shaping == ENV_SHAPING_DIFFERENCE) {
            reward += after - before;
        } else if (v->config.shaping == ENV_SHAPING_DISCOUNTED) {
            reward += (terminated ? 0.0f : v->config.gamma * after) - before;
        }
    }
    return reward;
}

static inline void env_tell(const EnvBuffers *b, size_t row, float reward, float potential, int32_t terminated,
                            int32_t truncated) {
    if (b->reward) {
        b->reward[row] = reward;
    }
    if (b->potential) {
        b->potential[row] = potential;
    }
    if (b->terminated) {
        b->terminated[row] = (uint8_t)terminated;
    }
    if (b->truncated) {
        b->truncated[row] = (uint8_t)truncated;
    }
}

/* The last observation of a life, and what is to be said of it. */
static void env_record(const EnvRows *v, const State *s, const EnvBuffers *b, size_t row, uint32_t lane, uint32_t a,
                       void *scratch) {
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        if (b->final_obs[g]) {
            env_look(s, lane, (int)a, g, (char *)b->final_obs[g] + row * env_group_bytes(g), scratch);
        }
    }
    if (b->final_drawn) {
        env_tell_drawn(s, lane, b->final_drawn + row * ENV_PARAM_COUNT);
    }
    if (b->record) {
        const EnvRow *sums = &v->row[row];
        float *record = b->record + row * ENV_RECORD;
        record[ENV_SCORE] = env_score(s, lane, a);
        record[ENV_RETURN] = sums->returns;
        record[ENV_LENGTH] = (float)sums->length;
        record[ENV_SUCCESS] = sums->success;
        record[ENV_BROKEN] = (float)ENV_BREAKS(s, (int)lane);
    }
}

static inline int env_measures(const EnvRows *v, const EnvBuffers *b) {
    return v->config.shaping != ENV_SHAPING_NONE || b->potential;
}

enum { ENV_WORD = 32 }; /* agents whose flags are the bits of a word: going through those that are set is quick */

/* Of ENV_WORD agents from `first` on, who has died or been born, as bits. */
static inline uint32_t env_stirred(const State *s, uint32_t lane, const EnvDesk *desk, uint32_t first,
                                   uint32_t agents) {
    uint32_t bits = 0;
    uint32_t count = agents - first < ENV_WORD ? agents - first : ENV_WORD;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t changed = (desk->living[first + i][lane] != 0) ^ (env.alive(s, (int)lane, (int)(first + i)) != 0);
        bits |= changed << i;
    }
    return bits;
}

/* Ends a life; lives: it is only because the environment has ended. */
static void env_bury(const EnvRows *v, const EnvBuffers *b, size_t block, uint32_t lane, uint32_t a, int lives,
                     const State *s, EnvDesk *desk, void *scratch) {
    int32_t left = desk->step.left[a][lane];
    EnvRow *row = env_row_at(v, block, lane, a);
    float reward = desk->step.reward[a][lane];
    row->returns += reward;
    if (desk->seen[a][lane] == ENV_SEEN && lane < env_seen(v, block)) {
        int32_t died = lives ? desk->step.terminated[lane] : !left, cut = lives ? desk->step.truncated[lane] : left;
        size_t at = (size_t)(row - v->row);
        reward = env_earn(v, s, lane, a, reward, died, env_measures(v, b), row);
        env_tell(b, at, reward, row->potential, died, cut);
        env_record(v, s, b, at, lane, a, env_core_scratch(scratch));
    }
    desk->seen[a][lane] = desk->seen[a][lane] ? ENV_TOLD : ENV_UNSEEN;
    row->alive = row->length = 0;
    desk->living[a][lane] = 0;
}

/* Ends and begins the lives of a lane after one of its ticks. Returns whether the environment is over. */
static inline int env_live(const EnvRows *v, const EnvBuffers *b, size_t block, uint32_t lane, State *s, EnvDesk *desk,
                           void *scratch) {
    uint32_t agents = env_agents(v);
    if (desk->step.terminated[lane] | desk->step.truncated[lane]) {
        for (uint32_t a = 0; a < agents; a++) {
            if (desk->living[a][lane]) {
                env_bury(v, b, block, lane, a, env.alive(s, (int)lane, (int)a) != 0, s, desk, scratch);
            }
        }
        return 1;
    }
    for (uint32_t first = 0; first < agents; first += ENV_WORD) {
        for (uint32_t bits = env_stirred(s, lane, desk, first, agents); bits; bits &= bits - 1) {
            uint32_t a = first + (uint32_t)__builtin_ctz(bits);
            if (desk->living[a][lane]) {
                env_bury(v, b, block, lane, a, 0, s, desk, scratch);
            }
        }
    }
    env_spawn(s, lane);
    for (uint32_t first = 0; first < agents; first += ENV_WORD) {
        for (uint32_t bits = env_stirred(s, lane, desk, first, agents); bits; bits &= bits - 1) {
            uint32_t a = first + (uint32_t)__builtin_ctz(bits);
            if (!desk->living[a][lane]) {
                *env_row_at(v, block, lane, a) = (EnvRow){.alive = 1};
                desk->living[a][lane] = 1;
                desk->step.reward[a][lane] = 0.0f; /* of the dead */
            }
        }
    }
    return !env_lives_on(s, lane);
}

/* The ticks of one step. A lane whose environment ends is set aside, and put back when the other lanes are through.
 * Returns the lanes that ended, as bits. */
ENV_PART uint32_t env_ticks_of_step(const EnvRows *v, const EnvBuffers *b, size_t block, State *s, uint32_t scripted,
                                    EnvDesk *desk, void *scratch) {
    const uint32_t all = 0xffffffffu >> (32 - ENV_LANES), repeat = v->config.action_repeat;
    uint32_t over = 0, aside = 0;
    EnvStep *step = &desk->step, *kept = &desk->kept;
    EnvResult out = {step->reward, step->terminated, step->truncated, step->left};
    for (uint32_t slot = scripted; slot < ENV_SLOTS; slot++) {
        env_skills(v, s, slot, desk->skill[slot]);
    }
    for (uint32_t t = 0; t < repeat && over != all; t++) {
        for (uint32_t slot = scripted; env.script && slot < ENV_SLOTS; slot++) {
            env.script(s, (int)slot, desk->skill[slot], desk->action[slot]);
        }
        if (env.alive) {
            memset(step->left, 0, sizeof step->left);
        }
        env_advance(s, (EnvActions)desk->action, out, env_core_scratch(scratch));
        int32_t any = env.alive != 0;
        for (int l = 0; l < ENV_LANES; l++) {
            any |= step->terminated[l] | step->truncated[l];
        }
        for (uint32_t l = 0; any && l < ENV_LANES; l++) {
            if ((over >> l & 1) ||
                !(env.alive ? env_live(v, b, block, l, s, desk, scratch) : step->terminated[l] | step->truncated[l])) {
                continue;
            }
            over |= 1u << l;
            if (ENV_LANES > 1 && t + 1 < repeat) {
                aside |= 1u << l;
                env_save(s, l, env_shelf(scratch) + l * ENV_SAVED);
                kept->terminated[l] = step->terminated[l];
                kept->truncated[l] = step->truncated[l];
                for (int slot = 0; slot < ENV_SLOTS; slot++) {
                    kept->reward[slot][l] = step->reward[slot][l];
                }
            }
        }
    }
    for (uint32_t l = 0; aside && l < ENV_LANES; l++) {
        if (aside >> l & 1) {
            env_load(s, l, env_shelf(scratch) + l * ENV_SAVED);
            step->terminated[l] = kept->terminated[l];
            step->truncated[l] = kept->truncated[l];
            for (int slot = 0; slot < ENV_SLOTS; slot++) {
                step->reward[slot][l] = kept->reward[slot][l];
            }
        }
    }
    return over;
}

static inline void env_read_actions(const EnvRows *v, const EnvBuffers *b, size_t block, EnvDesk *desk) {
    uint32_t agents = env_agents(v), seen = env_seen(v, block);
    const env_action *from = (const env_action *)b->action + block * ENV_LANES * agents * ENV_HEADS;
    for (uint32_t a = 0; a < agents; a++) {
        for (int h = 0; h < ENV_HEADS; h++) {
            for (uint32_t l = 0; l < seen; l++) {
                desk->action[a][h][l] = env_possible(from[(l * agents + a) * ENV_HEADS + (uint32_t)h], h);
            }
        }
    }
}

/* Where there are lives: what holds before the first tick of a step. An event may have killed or born somebody. */
ENV_APART static void env_open(const EnvRows *v, const EnvBuffers *b, size_t block, const State *s, EnvDesk *desk) {
    uint32_t agents = env_agents(v);
    size_t first = block * ENV_LANES * agents, rows = (size_t)env_seen(v, block) * agents;
    EnvRow *row = v->row + first;
    for (uint32_t l = 0; l < ENV_LANES; l++) {
        for (uint32_t a = 0; a < agents; a++, row++) {
            if (!row->alive && env.alive(s, (int)l, (int)a)) {
                env_bear(v, s, block, l, a);
            }
            desk->seen[a][l] = row->alive; /* ENV_SEEN or ENV_UNSEEN */
            desk->living[a][l] = (int32_t)row->alive;
        }
    }
    if (b->terminated) {
        env_fill(b->terminated + first, 0, rows);
    }
    if (b->truncated) {
        env_fill(b->truncated + first, 0, rows);
    }
}

/* Likewise: of the lives that go on at the end of a step, and of those that were born in it. Returns whether any were.
 */
ENV_APART static int env_settle(const EnvRows *v, const EnvBuffers *b, size_t block, const State *s,
                                const EnvDesk *desk) {
    uint32_t agents = env_agents(v), seen = env_seen(v, block);
    size_t first = block * ENV_LANES * agents;
    float *earned = b->reward ? b->reward + first : 0, *potential = b->potential ? b->potential + first : 0;
    int measure = env_measures(v, b), born = 0;
    for (uint32_t l = 0; l < seen; l++) {
        EnvRow *row = v->row + first + (size_t)l * agents;
        for (uint32_t a = 0; a < agents; a++, row++) {
            float reward = 0.0f, measured = 0.0f;
            if (!env.success && !env.potential) { /* no branches, since who has died is hard to predict */
                int32_t seen = (int32_t)desk->seen[a][l], living = desk->living[a][l];
                float got = desk->step.reward[a][l];
                row->returns += living ? got : 0.0f;
                row->length += seen == ENV_SEEN;
                born |= living & (seen != ENV_SEEN);
                if (earned) {
                    float told = earned[l * agents + a];
                    earned[l * agents + a] = seen == ENV_TOLD ? told : seen == ENV_SEEN ? got : 0.0f;
                }
                if (potential) {
                    potential[l * agents + a] = 0.0f;
                }
                continue;
            }
            if (desk->seen[a][l] == ENV_SEEN) {
                row->returns += desk->step.reward[a][l];
                reward = env_earn(v, s, l, a, desk->step.reward[a][l], 0, measure, row);
                measured = row->potential;
            } else {
                if (desk->living[a][l]) {
                    row->returns += desk->step.reward[a][l];
                    row->potential = env_potential_of(s, l, a);
                    born = 1;
                }
                if (desk->seen[a][l] == ENV_TOLD) {
                    continue;
                }
            }
            if (earned) {
                earned[l * agents + a] = reward;
            }
            if (potential) {
                potential[l * agents + a] = measured;
            }
        }
    }
    return born;
}

/* Where there are no lives: what all rows have earned. */
ENV_PART void env_pay(const EnvRows *v, const EnvBuffers *b, size_t block, const State *s, const EnvStep *step,
                      int any) {
    uint32_t agents = env_agents(v), seen = env_seen(v, block);
    size_t first = block * ENV_LANES * agents;
    float *earned = b->reward ? b->reward + first : 0, *potential = b->potential ? b->potential + first : 0;
    EnvRow *row = v->row + first;
    int measure = env_measures(v, b);
    for (uint32_t l = 0; l < seen; l++) {
        for (uint32_t a = 0; a < agents; a++, row++) {
            float reward = step->reward[a][l];
            row->returns += reward;
            reward = env_earn(v, s, l, a, reward, step->terminated[l], measure, row);
            if (ENV_LANES == 1) {
                env_tell(b, first + a, reward, row->potential, step->terminated[0], step->truncated[0]);
                continue;
            }
            if (earned) {
                *earned++ = reward;
            }
            if (potential) {
                *potential++ = row->potential;
            }
        }
    }
    if (ENV_LANES > 1 && b->terminated) {
        env_flag(b->terminated + first, step->terminated, any, seen, agents);
    }
    if (ENV_LANES > 1 && b->truncated) {
        env_flag(b->truncated + first, step->truncated, any, seen, agents);
    }
}

ENV_PART void env_step_block(const EnvRows *v, const EnvBuffers *b, size_t block, EnvDesk *desk, void *scratch) {
    State *s = env_block_at(v, block);
    uint32_t agents = env_agents(v), seen = env_seen(v, block);
    memset(desk->step.reward, 0, sizeof desk->step.reward);
    memset(desk->step.terminated, 0, sizeof desk->step.terminated);
    memset(desk->step.truncated, 0, sizeof desk->step.truncated);
    if (b->action) {
        env_read_actions(v, b, block, desk);
    }
    if (env.alive) {
        env_open(v, b, block, s, desk);
    }
    uint32_t over = env_ticks_of_step(v, b, block, s, b->action ? agents : 0, desk, scratch);

    size_t first = block * ENV_LANES * agents;
    if (!env.alive) {
        env_pay(v, b, block, s, &desk->step, over != 0);
    }
    int begun = over != 0;
    if (env.alive) {
        begun |= env_settle(v, b, block, s, desk);
    }
    if (b->over) {
        env_fill(b->over + block * ENV_LANES, 0, seen);
        for (uint32_t l = 0; over && l < seen; l++) {
            b->over[block * ENV_LANES + l] = over >> l & 1;
        }
    }
    for (uint32_t l = 0; over && l < ENV_LANES; l++) {
        if (!(over >> l & 1)) {
            continue;
        }
        for (uint32_t a = 0; !env.alive && l < seen && a < agents; a++) {
            env_record(v, s, b, first + l * agents + a, l, a, env_core_scratch(scratch));
        }
        env_begin(v, block, l);
    }
    env_show(v, b, block, begun, env_core_scratch(scratch));
}

ENV_EXPORT uint32_t env_rows_scratch_size(void) {
    return (uint32_t)(env_align(sizeof(EnvDesk)) + (ENV_LANES > 1 ? env_align(sizeof(State)) : 0) + env_room());
}

ENV_EXPORT void env_rows_reset(EnvRows *v, const EnvBuffers *b, uint32_t first, uint32_t end, void *scratch) {
    for (uint32_t block = first; block < end; block++) {
        for (uint32_t l = 0; l < ENV_LANES; l++) {
            env_begin(v, block, l);
        }
        env_show(v, b, block, 1, env_core_scratch(scratch));
    }
}

ENV_EXPORT void env_rows_step(EnvRows *v, const EnvBuffers *b, uint32_t first, uint32_t end, void *scratch) {
#if ENV_SLOTS * ENV_LANES <= 64
    EnvDesk here, *desk = &here;
#else
    EnvDesk *desk = scratch;
#endif
    memset(desk->action, 0, sizeof desk->action); /* of those whom neither caller nor script drives */
    for (uint32_t block = first; block < end; block++) {
        env_step_block(v, b, block, desk, scratch);
    }
}

ENV_EXPORT void env_rows_observe(EnvRows *v, const EnvBuffers *b, uint32_t first, uint32_t end, void *scratch) {
    for (uint32_t block = first; block < end; block++) {
        env_show(v, b, block, 1, env_core_scratch(scratch));
    }
}

ENV_EXPORT void env_rows_seed(EnvRows *v, uint32_t i, uint32_t seed_low, uint32_t seed_high, uint32_t index) {
    const EnvRowsConfig *c = &v->config;
    State *s = env_block_at(v, i / ENV_LANES);
    uint32_t lane = i % ENV_LANES;
    env_init(s, lane, seed_low, seed_high, index, c->param, c->randomize);
    for (uint32_t p = 0; p < ENV_PARAM_COUNT; p++) {
        if (c->low[p] <= c->high[p]) {
            env_range(s, lane, p, c->low[p], c->high[p]);
        }
    }
}

static inline size_t env_block_count(const EnvRowsConfig *config) {
    return ((size_t)config->num_envs + ENV_LANES - 1) / ENV_LANES;
}
static inline size_t env_numbers_size(void) {
    return env_align((3 * (size_t)ENV_PARAM_COUNT + ENV_SLOTS) * sizeof(float));
}
static inline size_t env_sums_size(const EnvRowsConfig *config) {
    return env_align(env_block_count(config) * ENV_LANES * config->agents * sizeof(EnvRow));
}

ENV_EXPORT size_t env_rows_size(const EnvRowsConfig *config) {
    return env_align(sizeof(EnvRows)) + env_numbers_size() + env_sums_size(config) +
           env_block_count(config) * env_align(sizeof(State));
}

ENV_EXPORT EnvRows *env_rows_init(void *memory, const EnvRowsConfig *config) {
    const size_t params = ENV_PARAM_COUNT;
    EnvRows *v = memory;
    char *at = (char *)memory + env_align(sizeof(EnvRows));
    float *numbers = (float *)(void *)at;
    v->config = *config;
    v->config.param = memcpy(numbers, config->param, params * sizeof(float));
    v->config.low = memcpy(numbers + params, config->low, params * sizeof(float));
    v->config.high = memcpy(numbers + 2 * params, config->high, params * sizeof(float));
    v->config.skill = memcpy(numbers + 3 * params, config->skill, ENV_SLOTS * sizeof(float));
    at += env_numbers_size();
    v->row = memset(at, 0, env_sums_size(config));
    v->blocks = at + env_sums_size(config);
    v->count = env_block_count(config);
    v->stride = env_align(sizeof(State));
    v->skill = env_skill_index();
    for (uint32_t i = 0; i < v->count * ENV_LANES; i++) {
        env_rows_seed(v, i, (uint32_t)config->seed, (uint32_t)(config->seed >> 32), config->first_index + i);
    }
    return v;
}

ENV_EXPORT uint32_t env_rows_blocks(const EnvRows *v) {
    return (uint32_t)v->count;
}
ENV_EXPORT void *env_rows_block(EnvRows *v, uint32_t i) {
    return env_block_at(v, i / ENV_LANES);
}
ENV_EXPORT uint32_t env_rows_saved_size(const EnvRows *v) {
    return (uint32_t)(ENV_SAVED + v->config.agents * sizeof(EnvRow));
}
ENV_EXPORT void env_rows_save(const EnvRows *v, uint32_t i, void *saved) {
    size_t agents = v->config.agents;
    env_save(env_block_at(v, i / ENV_LANES), i % ENV_LANES, saved);
    memcpy((char *)saved + ENV_SAVED, v->row + i * agents, agents * sizeof(EnvRow));
}
ENV_EXPORT void env_rows_load(EnvRows *v, uint32_t i, const void *saved) {
    size_t agents = v->config.agents;
    env_load(env_block_at(v, i / ENV_LANES), i % ENV_LANES, saved);
    memcpy(v->row + i * agents, (const char *)saved + ENV_SAVED, agents * sizeof(EnvRow));
}

/* Whether a word of a saved environment is what env_rows_start leaves as it is. */
static inline int env_keeps(const EnvRows *v, size_t word) {
    const size_t lanes = ENV_LANES, tick = offsetof(EnvBase, tick) / 4 / lanes, end = sizeof(EnvBase) / 4 / lanes;
    const size_t param = offsetof(EnvBase, param) / 4 / lanes, nominal = offsetof(EnvBase, nominal) / 4 / lanes;
    return word < tick || (word > tick && word < param) || (word >= nominal && word < end) ||
           (word >= param && word < nominal &&
            (env_params[word - param].kind == ENV_REWARD || (int)(word - param) == v->skill));
}
ENV_EXPORT void env_rows_start(EnvRows *v, const EnvBuffers *b, uint32_t i, const void *state, void *scratch) {
    size_t block = i / ENV_LANES;
    uint32_t lane = i % ENV_LANES;
    char *s = (char *)env_block_at(v, block);
    for (size_t word = 0; word < ENV_WORDS; word++) {
        if (!env_keeps(v, word)) {
            memcpy(s + 4 * (word * ENV_LANES + lane), (const char *)state + 4 * word, 4);
        }
    }
    for (uint32_t a = 0; a < env_agents(v); a++) {
        env_bear(v, env_block_at(v, block), block, lane, a);
    }
    env_show(v, b, block, 1, env_core_scratch(scratch));
}
#endif

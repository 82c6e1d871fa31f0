/* vector.h: thousands of environments in one call, on native machines. Included by core.h where ENV_VECTOR is defined.
 *
 * Environment i is lane i % lanes of group i / lanes; its random stream has the index first_index + i. A row is one of
 * its agents: row = i * agents + agent. A thread steps whole groups and writes their rows only, so results depend
 * neither on threads nor on lanes nor on how environments are grouped. The lanes that fill up the last group play too,
 * unseen.
 */
#ifndef MINNOW_ENV_VECTOR_H
#define MINNOW_ENV_VECTOR_H
#include "abi.h"

/* cffi: begin */
enum { ENV_SHAPING_NONE = 0, ENV_SHAPING_DIFFERENCE = 1, ENV_SHAPING_DISCOUNTED = 2 };

typedef struct EnvVectorConfig {
    uint32_t num_envs, first_index;
    uint32_t agents;        /* slots below this one are the caller's; 1 to slots */
    uint32_t threads;       /* at least 1 */
    uint32_t action_repeat; /* ticks a step */
    uint64_t seed;
    float randomize;
    const float *param;      /* [params] */
    const float *low, *high; /* [params]: bounds of each parameter's draw; NaN: as randomize says */
    const float *skill;      /* [slots]: the script's, in [0, 1]; negative: the parameter `skill` */
    int32_t shaping;         /* what is added to rewards: nothing; P(s') - P(s); or gamma P(s') - P(s), where P(s') is 0
                                if the episode terminated (not if it was truncated). P: env_potential */
    float gamma;
} EnvVectorConfig;

/* The caller's memory; any but obs may be NULL. Everything but final_obs, episode and potential speaks of the state
 * that obs shows, which after an episode's end is the first of the next episode. */
typedef struct EnvBuffers {
    void *obs;           /* [rows][obs_size] */
    const void *action;  /* [rows][heads]: in; NULL: the script plays these slots too, at each tick */
    uint8_t *mask;       /* [rows][choices] */
    float *reward;       /* [rows]: of this step, summed over its ticks, shaping included */
    float *potential;    /* [rows]: P of the state that the step led to, before any reset */
    uint8_t *terminated; /* [rows] */
    uint8_t *truncated;  /* [rows] */
    uint8_t *alive;      /* [rows] */
    void *final_obs;     /* [rows][obs_size]: written only where an episode ended: its last observation */
    float *episode; /* [rows][4]: likewise: score, return (without shaping), length (in steps), success (at any step) */
} EnvBuffers;

typedef struct EnvVector EnvVector;
EnvVector *env_vector_new(const EnvVectorConfig *config); /* NULL: no memory. Reset before stepping. */
void env_vector_free(EnvVector *vector);
void env_vector_reset(EnvVector *vector, const EnvBuffers *buffers); /* begins the next episode everywhere */
void env_vector_step(EnvVector *vector, const EnvBuffers *buffers);
void env_vector_observe(EnvVector *vector, const EnvBuffers *buffers); /* obs, mask, alive once more */
/* Starts environment i anew on the stream (seed, index); reset next. */
void env_vector_seed(EnvVector *vector, uint32_t i, uint64_t seed, uint32_t index);
uint32_t env_vector_saved_size(const EnvVector *vector);
/* Environment i, with the sums of its episode so far. */
void env_vector_save(const EnvVector *vector, uint32_t i, void *saved);
void env_vector_load(EnvVector *vector, uint32_t i, const void *saved);
void *env_vector_group(EnvVector *vector, uint32_t i); /* its group; its lane is i % env_lanes() */
/* cffi: end */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct EnvRow { /* sums over the episode so far */
    float returns, potential, success;
    uint32_t length;
} EnvRow;

/* What one thread of the pool begins with in each round, on a cache line of its own. */
typedef struct EnvShare {
    _Alignas(64) atomic_size_t next; /* the first of its groups that is not claimed */
    size_t first, end;
    EnvVector *vector;
} EnvShare;

struct EnvVector {
    EnvVectorConfig config; /* its pointers lead to `numbers` */
    float *numbers;
    char *groups;
    size_t count, stride; /* groups, bytes from one to the next */
    EnvRow *row;          /* [count][lanes][agents] */
    int skill;            /* the parameter's index, or -1 */

    /* The pool: the caller and `started` threads. Each does its own share of the groups, the same ones in every round,
     * since they are in its core's cache. Who has waited for the others for some time does what they have not begun, a
     * few groups a claim, so a thread whose core is busy is waited for only with what it has claimed. What threads
     * write while others look on has its own cache line. */
    pthread_t *thread;
    uint32_t started;
    pid_t process;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    size_t claim; /* groups of one claim */
    size_t shares;
    EnvShare *share; /* [shares] */
    void (*job)(EnvVector *, const EnvBuffers *, size_t group);
    const EnvBuffers *buffers;
    _Alignas(64) atomic_uint round; /* counts jobs */
    atomic_uint quit;
    _Alignas(64) atomic_size_t finished;
    _Alignas(64) atomic_uint sleeping, waiting; /* threads that want to be woken: for work, or since it is done */
};

static State *env_group(const EnvVector *v, size_t group) {
    return (State *)(void *)(v->groups + group * v->stride);
}

static void env_seed_lane(EnvVector *v, size_t i, uint64_t seed, uint32_t index) {
    const EnvVectorConfig *c = &v->config;
    State *s = env_group(v, i / ENV_LANES);
    uint32_t lane = (uint32_t)(i % ENV_LANES);
    env_init(s, lane, (uint32_t)seed, (uint32_t)(seed >> 32), index, c->param, c->randomize);
    for (uint32_t p = 0; p < ENV_PARAM_COUNT; p++) {
        if (c->low[p] <= c->high[p]) {
            env_range(s, lane, p, c->low[p], c->high[p]);
        }
    }
}

/* Begins an episode: sums are zero, and the potential is that of the first state. */
static void env_begin(const EnvVector *v, size_t group, uint32_t lane) {
    State *s = env_group(v, group);
    env_reset(s, lane);
    for (uint32_t a = 0; a < v->config.agents; a++) {
        EnvRow *row = &v->row[(group * ENV_LANES + lane) * v->config.agents + a];
        *row = (EnvRow){0};
        row->potential = env_potential(s, lane, a);
    }
}

/* Lanes of the group that the caller sees. */
static uint32_t env_seen(const EnvVector *v, size_t group) {
    size_t left = v->config.num_envs - group * ENV_LANES;
    return left < ENV_LANES ? (uint32_t)left : ENV_LANES;
}

static void env_show(EnvVector *v, const EnvBuffers *b, size_t group) {
    const State *s = env_group(v, group);
    uint32_t agents = v->config.agents, seen = env_seen(v, group);
    size_t first = group * ENV_LANES * agents, choices = env_choices();
    for (uint32_t a = 0; a < agents; a++) {
        env_obs *obs = (env_obs *)b->obs + (first + a) * ENV_OBS;
        if (seen == ENV_LANES) {
            env.observe(s, (int)a, obs, (size_t)agents * ENV_OBS);
        } else {
            for (uint32_t l = 0; l < seen; l++) {
                env_observe(s, l, a, obs + (size_t)l * agents * ENV_OBS);
            }
        }
        for (uint32_t l = 0; env.alive && b->alive && l < seen; l++) {
            b->alive[first + l * agents + a] = env.alive(s, (int)l, (int)a) != 0;
        }
        for (uint32_t l = 0; env.mask && b->mask && l < seen; l++) {
            env.mask(s, (int)l, (int)a, b->mask + (first + l * agents + a) * choices);
        }
    }
    if (!env.alive && b->alive) {
        memset(b->alive + first, 1, (size_t)seen * agents);
    }
    if (!env.mask && b->mask) {
        memset(b->mask + first * choices, 1, (size_t)seen * agents * choices);
    }
}

static void env_reset_group(EnvVector *v, const EnvBuffers *b, size_t group) {
    for (uint32_t l = 0; l < ENV_LANES; l++) {
        env_begin(v, group, l);
    }
    env_show(v, b, group);
}

/* The skill with which the script plays a slot in this step. */
static void env_skills(const EnvVector *v, const State *s, uint32_t slot, float skill[ENV_LANES]) {
    const EnvBase *base = (const EnvBase *)s;
    float fixed = v->config.skill[slot];
    for (int l = 0; l < ENV_LANES; l++) {
        skill[l] = fixed >= 0.0f || v->skill < 0 ? fixed : base->param[v->skill][l];
    }
}

/* A step's result: [slots][lanes] and [lanes]. */
typedef struct EnvStep {
    float reward[ENV_SLOTS][ENV_LANES];
    int32_t terminated[ENV_LANES], truncated[ENV_LANES];
} EnvStep;

/* The ticks of one step. A lane whose episode ends is set aside, and put back when the other lanes are through. Returns
 * the lanes that ended, as bits. */
static uint32_t env_ticks_of_step(const EnvVector *v, State *s, env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES],
                                  uint32_t scripted, EnvStep *step) {
    const uint32_t all = 0xffffffffu >> (32 - ENV_LANES), repeat = v->config.action_repeat;
    uint32_t over = 0, aside = 0;
    EnvResult out = {step->reward, step->terminated, step->truncated};
    EnvStep kept;
    float skill[ENV_SLOTS][ENV_LANES] = {{0}};
    for (uint32_t slot = scripted; slot < ENV_SLOTS; slot++) {
        env_skills(v, s, slot, skill[slot]);
    }
    char saved[ENV_LANES > 1 ? sizeof(State) : 1]; /* [lanes][ENV_SAVED] */
    for (uint32_t t = 0; t < repeat && over != all; t++) {
        for (uint32_t slot = scripted; env.script && slot < ENV_SLOTS; slot++) {
            env.script(s, (int)slot, skill[slot], action[slot]);
        }
        env_advance(s, (EnvActions)action, out);
        int32_t any = 0;
        for (int l = 0; l < ENV_LANES; l++) {
            any |= step->terminated[l] | step->truncated[l];
        }
        for (uint32_t l = 0; any && l < ENV_LANES; l++) {
            if ((over >> l & 1) || !(step->terminated[l] | step->truncated[l])) {
                continue;
            }
            over |= 1u << l;
            if (ENV_LANES > 1 && t + 1 < repeat) {
                aside |= 1u << l;
                env_save(s, l, saved + l * ENV_SAVED);
                kept.terminated[l] = step->terminated[l];
                kept.truncated[l] = step->truncated[l];
                for (int slot = 0; slot < ENV_SLOTS; slot++) {
                    kept.reward[slot][l] = step->reward[slot][l];
                }
            }
        }
    }
    for (uint32_t l = 0; aside && l < ENV_LANES; l++) {
        if (aside >> l & 1) {
            env_load(s, l, saved + l * ENV_SAVED);
            step->terminated[l] = kept.terminated[l];
            step->truncated[l] = kept.truncated[l];
            for (int slot = 0; slot < ENV_SLOTS; slot++) {
                step->reward[slot][l] = kept.reward[slot][l];
            }
        }
    }
    return over;
}

static void env_read_actions(const EnvVector *v, const EnvBuffers *b, size_t group,
                             env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES]) {
    uint32_t agents = v->config.agents, seen = env_seen(v, group);
    const env_action *from = (const env_action *)b->action + group * ENV_LANES * agents * ENV_HEADS;
    for (uint32_t a = 0; a < agents; a++) {
        for (int h = 0; h < ENV_HEADS; h++) {
            for (uint32_t l = 0; l < seen; l++) {
                action[a][h][l] = env_possible(from[(l * agents + a) * ENV_HEADS + (uint32_t)h], h);
            }
        }
    }
}

/* What one row has earned, with shaping; keeps the sums of its episode. */
static float env_earn(const EnvVector *v, const State *s, uint32_t lane, uint32_t a, float reward, int32_t terminated,
                      int measure, EnvRow *row) {
    row->returns += reward;
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

static void env_step_group(EnvVector *v, const EnvBuffers *b, size_t group) {
    State *s = env_group(v, group);
    uint32_t agents = v->config.agents, seen = env_seen(v, group);
    env_action action[ENV_SLOTS][ENV_HEADS][ENV_LANES] = {{{0}}};
    EnvStep step = {0};
    if (b->action) {
        env_read_actions(v, b, group, action);
    }
    uint32_t over = env_ticks_of_step(v, s, action, b->action ? agents : 0, &step);

    size_t first = group * ENV_LANES * agents;
    int measure = v->config.shaping != ENV_SHAPING_NONE || b->potential;
    for (uint32_t l = 0; l < seen; l++) {
        for (uint32_t a = 0; a < agents; a++) {
            size_t row = first + l * agents + a;
            float reward = env_earn(v, s, l, a, step.reward[a][l], step.terminated[l], measure, &v->row[row]);
            if (b->reward) {
                b->reward[row] = reward;
            }
            if (b->potential) {
                b->potential[row] = v->row[row].potential;
            }
            if (b->terminated) {
                b->terminated[row] = (uint8_t)step.terminated[l];
            }
            if (b->truncated) {
                b->truncated[row] = (uint8_t)step.truncated[l];
            }
        }
    }
    for (uint32_t l = 0; over && l < ENV_LANES; l++) {
        if (!(over >> l & 1)) {
            continue;
        }
        for (uint32_t a = 0; l < seen && a < agents; a++) {
            size_t row = first + l * agents + a;
            if (b->final_obs) {
                env_observe(s, l, a, (env_obs *)b->final_obs + row * ENV_OBS);
            }
            if (b->episode) {
                const EnvRow *sums = &v->row[row];
                const float record[4] = {env_score(s, l, a), sums->returns, (float)sums->length, sums->success};
                memcpy(b->episode + row * 4, record, sizeof record);
            }
        }
        env_begin(v, group, l);
    }
    env_show(v, b, group);
}

/* Claims and does the work of some shares while there is some. `job` and `buffers` are those of the round that a claim
 * succeeds in: they are set before any share's `next` goes back, and not changed until everything that was claimed is
 * finished. */
static void env_work(EnvVector *v, size_t from, size_t to) {
    size_t done = 0;
    for (EnvShare *share = v->share + from; share < v->share + to; share++) {
        while (atomic_load(&share->next) < share->end) {
            size_t first = atomic_fetch_add(&share->next, v->claim);
            size_t end = first + v->claim < share->end ? first + v->claim : share->end;
            for (size_t group = first; group < end; group++) {
                v->job(v, v->buffers, group);
            }
            done += first < end ? end - first : 0;
        }
    }
    if (done && atomic_fetch_add(&v->finished, done) + done == v->count && atomic_load(&v->waiting)) {
        pthread_mutex_lock(&v->lock);
        pthread_cond_signal(&v->done);
        pthread_mutex_unlock(&v->lock);
    }
}

enum { ENV_SPINS = 2000 }; /* looks before sleeping: some microseconds, about the time it takes to wake a thread */

/* Between two looks. Where there are fewer cores than threads, the one that is looked for may need this core. */
static inline void env_pause(int look) {
    if (look % 64 == 63) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void *env_worker(void *argument) {
    EnvShare *share = argument;
    EnvVector *v = share->vector;
    size_t me = (size_t)(share - v->share);
    for (unsigned round = 0;;) {
        for (int i = 0; i < ENV_SPINS && atomic_load(&v->round) == round; i++) {
            env_pause(i);
        }
        if (atomic_load(&v->round) == round) {
            env_work(v, 0, v->shares);
            pthread_mutex_lock(&v->lock);
            atomic_fetch_add(&v->sleeping, 1); /* before the next look at `round`, so that no wake is missed */
            while (atomic_load(&v->round) == round) {
                pthread_cond_wait(&v->work, &v->lock);
            }
            atomic_fetch_sub(&v->sleeping, 1);
            pthread_mutex_unlock(&v->lock);
        }
        round = atomic_load(&v->round);
        if (atomic_load(&v->quit)) {
            return NULL;
        }
        env_work(v, me, me + 1);
    }
}

static void env_wake(EnvVector *v) {
    atomic_fetch_add(&v->round, 1);
    if (atomic_load(&v->sleeping)) {
        pthread_mutex_lock(&v->lock);
        pthread_cond_broadcast(&v->work);
        pthread_mutex_unlock(&v->lock);
    }
}

static void env_all_groups(EnvVector *v, const EnvBuffers *b,
                           void (*job)(EnvVector *, const EnvBuffers *, size_t group)) {
    if (!v->started || v->process != getpid()) { /* a forked child has no threads */
        for (size_t group = 0; group < v->count; group++) {
            job(v, b, group);
        }
        return;
    }
    v->job = job;
    v->buffers = b;
    atomic_store(&v->finished, 0);
    for (size_t i = 0; i < v->shares; i++) {
        atomic_store(&v->share[i].next, v->share[i].first);
    }
    env_wake(v);
    env_work(v, 0, 1);
    for (int i = 0; i < ENV_SPINS && atomic_load(&v->finished) < v->count; i++) {
        env_pause(i);
    }
    if (atomic_load(&v->finished) < v->count) {
        env_work(v, 0, v->shares);
        pthread_mutex_lock(&v->lock);
        atomic_store(&v->waiting, 1);
        while (atomic_load(&v->finished) < v->count) {
            pthread_cond_wait(&v->done, &v->lock);
        }
        atomic_store(&v->waiting, 0);
        pthread_mutex_unlock(&v->lock);
    }
}

ENV_EXPORT void env_vector_free(EnvVector *v) {
    if (!v) {
        return;
    }
    if (v->started && v->process == getpid()) {
        atomic_store(&v->quit, 1);
        env_wake(v);
        for (uint32_t i = 0; i < v->started; i++) {
            pthread_join(v->thread[i], NULL);
        }
        pthread_cond_destroy(&v->done);
        pthread_cond_destroy(&v->work);
        pthread_mutex_destroy(&v->lock);
    }
    free(v->thread);
    free(v->share);
    free(v->row);
    free(v->groups);
    free(v->numbers);
    free(v);
}

ENV_EXPORT EnvVector *env_vector_new(const EnvVectorConfig *config) {
    const size_t params = ENV_PARAM_COUNT, slots = ENV_SLOTS;
    EnvVector *v = aligned_alloc(64, sizeof *v);
    if (!v) {
        return NULL;
    }
    memset(v, 0, sizeof *v);
    v->config = *config;
    v->count = (config->num_envs + ENV_LANES - 1) / ENV_LANES;
    v->stride = (sizeof(State) + 63) / 64 * 64;
    v->skill = env_skill_index();
    v->numbers = malloc((3 * params + slots) * sizeof(float));
    v->groups = aligned_alloc(64, v->count * v->stride);
    v->row = calloc(v->count * ENV_LANES * config->agents, sizeof *v->row);
    v->thread = calloc(config->threads, sizeof *v->thread);
    v->share = aligned_alloc(64, config->threads * sizeof *v->share);
    if (!v->numbers || !v->groups || !v->row || !v->thread || !v->share) {
        env_vector_free(v);
        return NULL;
    }
    v->config.param = memcpy(v->numbers, config->param, params * sizeof(float));
    v->config.low = memcpy(v->numbers + params, config->low, params * sizeof(float));
    v->config.high = memcpy(v->numbers + 2 * params, config->high, params * sizeof(float));
    v->config.skill = memcpy(v->numbers + 3 * params, config->skill, slots * sizeof(float));
    for (size_t i = 0; i < v->count * ENV_LANES; i++) {
        env_seed_lane(v, i, config->seed, config->first_index + (uint32_t)i);
    }
    v->process = getpid();
    v->shares = config->threads < v->count ? config->threads : v->count;
    v->claim = v->count / (32 * v->shares) + 1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->work, NULL);
    pthread_cond_init(&v->done, NULL);
    for (size_t i = 0; i < v->shares; i++) {
        v->share[i].first = v->count * i / v->shares;
        v->share[i].end = v->count * (i + 1) / v->shares;
        v->share[i].vector = v;
        atomic_store(&v->share[i].next, v->share[i].end); /* nothing to do yet */
    }
    while (v->started + 1 < v->shares &&
           pthread_create(&v->thread[v->started], NULL, env_worker, &v->share[v->started + 1]) == 0) {
        v->started++;
    }
    return v;
}

ENV_EXPORT void env_vector_reset(EnvVector *v, const EnvBuffers *b) {
    env_all_groups(v, b, env_reset_group);
}
ENV_EXPORT void env_vector_step(EnvVector *v, const EnvBuffers *b) {
    env_all_groups(v, b, env_step_group);
}
ENV_EXPORT void env_vector_observe(EnvVector *v, const EnvBuffers *b) {
    env_all_groups(v, b, env_show);
}
ENV_EXPORT void env_vector_seed(EnvVector *v, uint32_t i, uint64_t seed, uint32_t index) {
    env_seed_lane(v, i, seed, index);
}
ENV_EXPORT void *env_vector_group(EnvVector *v, uint32_t i) {
    return env_group(v, i / ENV_LANES);
}

ENV_EXPORT uint32_t env_vector_saved_size(const EnvVector *v) {
    return (uint32_t)(ENV_SAVED + v->config.agents * sizeof(EnvRow));
}
ENV_EXPORT void env_vector_save(const EnvVector *v, uint32_t i, void *saved) {
    size_t agents = v->config.agents;
    env_save(env_group(v, i / ENV_LANES), i % ENV_LANES, saved);
    memcpy((char *)saved + ENV_SAVED, v->row + i * agents, agents * sizeof(EnvRow));
}
ENV_EXPORT void env_vector_load(EnvVector *v, uint32_t i, const void *saved) {
    size_t agents = v->config.agents;
    env_load(env_group(v, i / ENV_LANES), i % ENV_LANES, saved);
    memcpy(v->row + i * agents, (const char *)saved + ENV_SAVED, agents * sizeof(EnvRow));
}
#endif

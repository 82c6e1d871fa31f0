/* pool.h: rows.h with threads and memory, on native machines. Included by core.h where ENV_POOL is defined. */
#ifndef MINNOW_ENV_POOL_H
#define MINNOW_ENV_POOL_H
#include "rows.h"

/* cffi: begin */
typedef struct EnvPool EnvPool;
EnvPool *env_pool_new(const EnvRowsConfig *config, uint32_t threads); /* NULL: no memory. Reset before stepping. */
void env_pool_free(EnvPool *pool);
EnvRows *env_pool_rows(EnvPool *pool);
/* All blocks of the rows, by the caller's thread and `threads` - 1 others. */
void env_pool_reset(EnvPool *pool, const EnvBuffers *buffers);
void env_pool_step(EnvPool *pool, const EnvBuffers *buffers);
void env_pool_observe(EnvPool *pool, const EnvBuffers *buffers);
void env_pool_start(EnvPool *pool, const EnvBuffers *buffers, uint32_t i, const void *state); /* env_rows_start */
/* cffi: end */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

typedef void (*EnvJob)(EnvRows *rows, const EnvBuffers *buffers, uint32_t first, uint32_t end, void *scratch);

/* What one thread of the pool begins with in each round, on a cache line of its own. */
typedef struct EnvShare {
    _Alignas(64) atomic_size_t next; /* the first of its blocks that is not claimed */
    size_t first, end;
    EnvPool *pool;
} EnvShare;

/* The caller and `started` threads. Each does its own share of the blocks, the same ones in every round, since they are
 * in its core's cache. Who has waited for the others for some time does what they have not begun, a few blocks a claim,
 * so a thread whose core is busy is waited for only with what it has claimed. What threads write while others look on
 * has its own cache line. */
struct EnvPool {
    EnvRows *rows;
    char *memory, *scratch; /* scratch: [threads][scratch_stride] */
    size_t scratch_stride, count;
    pthread_t *thread;
    uint32_t started;
    pid_t process;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    size_t claim; /* blocks of one claim */
    size_t shares;
    EnvShare *share; /* [shares] */
    EnvJob job;
    const EnvBuffers *buffers;
    _Alignas(64) atomic_uint round; /* counts jobs */
    atomic_uint quit;
    _Alignas(64) atomic_size_t finished;
    _Alignas(64) atomic_uint sleeping, waiting; /* threads that want to be woken: for work, or since it is done */
};

/* Claims and does the work of some shares while there is some. `job` and `buffers` are those of the round that a claim
 * succeeds in: they are set before any share's `next` goes back, and not changed until everything that was claimed is
 * finished. */
static void env_work(EnvPool *v, size_t from, size_t to, void *scratch) {
    size_t done = 0;
    for (EnvShare *share = v->share + from; share < v->share + to; share++) {
        while (atomic_load(&share->next) < share->end) {
            size_t first = atomic_fetch_add(&share->next, v->claim);
            size_t end = first + v->claim < share->end ? first + v->claim : share->end;
            if (first < end) {
                v->job(v->rows, v->buffers, (uint32_t)first, (uint32_t)end, scratch);
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
    EnvPool *v = share->pool;
    size_t me = (size_t)(share - v->share);
    void *scratch = v->scratch + me * v->scratch_stride;
    for (unsigned round = 0;;) {
        for (int i = 0; i < ENV_SPINS && atomic_load(&v->round) == round; i++) {
            env_pause(i);
        }
        if (atomic_load(&v->round) == round) {
            env_work(v, 0, v->shares, scratch);
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
        env_work(v, me, me + 1, scratch);
    }
}

static void env_wake(EnvPool *v) {
    atomic_fetch_add(&v->round, 1);
    if (atomic_load(&v->sleeping)) {
        pthread_mutex_lock(&v->lock);
        pthread_cond_broadcast(&v->work);
        pthread_mutex_unlock(&v->lock);
    }
}

static void env_all_blocks(EnvPool *v, const EnvBuffers *b, EnvJob job) {
    if (!v->started || v->process != getpid()) { /* a forked child has no threads */
        job(v->rows, b, 0, (uint32_t)v->count, v->scratch);
        return;
    }
    v->job = job;
    v->buffers = b;
    atomic_store(&v->finished, 0);
    for (size_t i = 0; i < v->shares; i++) {
        atomic_store(&v->share[i].next, v->share[i].first);
    }
    env_wake(v);
    env_work(v, 0, 1, v->scratch);
    for (int i = 0; i < ENV_SPINS && atomic_load(&v->finished) < v->count; i++) {
        env_pause(i);
    }
    if (atomic_load(&v->finished) < v->count) {
        env_work(v, 0, v->shares, v->scratch);
        pthread_mutex_lock(&v->lock);
        atomic_store(&v->waiting, 1);
        while (atomic_load(&v->finished) < v->count) {
            pthread_cond_wait(&v->done, &v->lock);
        }
        atomic_store(&v->waiting, 0);
        pthread_mutex_unlock(&v->lock);
    }
}

ENV_EXPORT void env_pool_free(EnvPool *v) {
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
    free(v->scratch);
    free(v->memory);
    free(v);
}

ENV_EXPORT EnvPool *env_pool_new(const EnvRowsConfig *config, uint32_t threads) {
    EnvPool *v = aligned_alloc(64, sizeof *v);
    if (!v) {
        return NULL;
    }
    memset(v, 0, sizeof *v);
    v->scratch_stride = env_align(env_rows_scratch_size());
    v->memory = aligned_alloc(64, env_rows_size(config));
    v->scratch = aligned_alloc(64, threads * v->scratch_stride);
    v->thread = calloc(threads, sizeof *v->thread);
    v->share = aligned_alloc(64, threads * sizeof *v->share);
    if (!v->memory || !v->scratch || !v->thread || !v->share) {
        env_pool_free(v);
        return NULL;
    }
    v->rows = env_rows_init(v->memory, config);
    v->count = env_rows_blocks(v->rows);
    v->process = getpid();
    v->shares = threads < v->count ? threads : v->count;
    v->claim = v->count / (32 * v->shares) + 1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->work, NULL);
    pthread_cond_init(&v->done, NULL);
    for (size_t i = 0; i < v->shares; i++) {
        v->share[i].first = v->count * i / v->shares;
        v->share[i].end = v->count * (i + 1) / v->shares;
        v->share[i].pool = v;
        atomic_store(&v->share[i].next, v->share[i].end); /* nothing to do yet */
    }
    while (v->started + 1 < v->shares &&
           pthread_create(&v->thread[v->started], NULL, env_worker, &v->share[v->started + 1]) == 0) {
        v->started++;
    }
    return v;
}

ENV_EXPORT EnvRows *env_pool_rows(EnvPool *v) {
    return v->rows;
}
ENV_EXPORT void env_pool_reset(EnvPool *v, const EnvBuffers *b) {
    env_all_blocks(v, b, env_rows_reset);
}
ENV_EXPORT void env_pool_step(EnvPool *v, const EnvBuffers *b) {
    env_all_blocks(v, b, env_rows_step);
}
ENV_EXPORT void env_pool_observe(EnvPool *v, const EnvBuffers *b) {
    env_all_blocks(v, b, env_rows_observe);
}
ENV_EXPORT void env_pool_start(EnvPool *v, const EnvBuffers *b, uint32_t i, const void *state) {
    env_rows_start(v->rows, b, i, state, v->scratch);
}
#endif

/* loop.h: a whole learner: an environment, a network and all that learns, in one block of memory, by one thread.
 * Included behind an environment's C file that was included with ENV_ROWS:
 *
 *     #define ENV_ROWS
 *     #include "cartpole.c"
 *     #define LEARN_API static inline
 *     #include "loop.h"
 *
 *     LearnSettings settings;
 *     learner_defaults(&settings);                      // of minnow train; then those of the environment's train.toml
 *     if (learner_refuses(&settings)) ...               // says in words what does not go together
 *     Learner *learner = learner_new(memory, &settings);        // learner_size(&settings) bytes, aligned to 64
 *     while (!learner_done(learner) && learner_update(learner, &measures)) ...
 *     weights = learner_parameters(learner);            // in the order of network.h
 *
 * With products that are not fused the weights are, bit for bit, those of
 * `minnow train ENV --backend c --train.precision exact --processes 1` with equal settings and seed, wherever this was
 * compiled. What it does without: past networks as rivals, V-trace, priorities, normalised rewards, Muon. */
#ifndef LEARN_LOOP_H
#define LEARN_LOOP_H
#include "learn.h"

/* cffi: begin */
typedef struct LearnSettings { /* names, units and defaults are those of train/config.py */
    double steps, epochs, learning_rate, learning_rate_end, gamma, gae_lambda, clip, value_clip, value_weight, entropy,
        entropy_end, max_grad_norm, reward_scale;
    uint32_t seed, seed_high; /* the low and the high 32 bits */
    uint32_t envs;
    uint32_t agents; /* 0: as many as the environment says */
    uint32_t horizon, minibatch, cosine, normalize_advantage, normalize_value;
    uint32_t hidden, layers;
    uint32_t activation, memory; /* LEARN_RELU ...; LEARN_NO_MEMORY ... */
    uint32_t remember, normalize, parts;
    uint32_t shaping; /* ENV_SHAPING_NONE ... */
    float randomize;
    const float *param; /* the environment's parameters; NULL: its defaults */
} LearnSettings;

typedef struct LearnMeasures { /* of one update; means over samples */
    double policy_loss, value_loss, entropy, kl, clip_fraction;
    double gradient_norm, learning_rate, entropy_weight;
    double lives;                           /* how many ended in the rollout */
    double score, returns, length, success; /* their means */
} LearnMeasures;

typedef struct Learner Learner;
LEARN_API void learner_defaults(LearnSettings *settings);
LEARN_API const char *learner_refuses(const LearnSettings *settings); /* why; NULL: it does not */
LEARN_API size_t learner_size(const LearnSettings *settings);
LEARN_API Learner *learner_new(void *memory, const LearnSettings *settings);
/* A rollout and what is learned from it; 0 where an observation, a reward or the weights became something that is not
 * finite: weights and statistics are those of before then, and there is nothing more to be learned. measures may be
 * NULL. */
LEARN_API uint32_t learner_update(Learner *learner, LearnMeasures *measures);
LEARN_API double learner_steps(const Learner *learner);   /* agent-steps so far */
LEARN_API uint32_t learner_done(const Learner *learner);  /* whether the schedule has ended */
LEARN_API uint32_t learner_count(const Learner *learner); /* of parameters */
LEARN_API const float *learner_parameters(const Learner *learner);
/* Of the groups that are normalised, one behind the other, and 1 / deviation; NULL: observations stay as they are. */
LEARN_API const float *learner_mean(const Learner *learner);
LEARN_API const float *learner_scale(const Learner *learner);
LEARN_API uint32_t learner_hash(const Learner *learner); /* of parameters and statistics, FNV-1a */
/* cffi: end */

struct Learner {
    LearnSettings settings;
    learn_net_float net;
    learn_group_float group[ENV_GROUPS];
    EnvRows *envs;
    void *scratch;
    size_t rows, numbers, batch, updates, count; /* numbers: of observations that have statistics */
    uint32_t index, steps, spoilt;               /* updates; Adam's steps; whether it has ended for good */
    float *parameters, *good, *gradient, *mean, *square, *packed, *gradients, *room;
    double value_weight;         /* of the rollout */
    double *sums, *seen;         /* [strands][LEARN_SUMS]; [strands][1 + 2 numbers] */
    double number[ENV_GROUPS];   /* of observations: see learn_normalize */
    double *total, *squares;     /* [numbers] */
    float *obs_mean, *obs_scale; /* [numbers] */
    int64_t sizes[ENV_HEADS];    /* of the action's heads, and what else the network reads of them */
    float middle[ENV_HEADS], reach[ENV_HEADS], low[ENV_HEADS], high[ENV_HEADS];
    char *obs[ENV_GROUPS], *final_obs[ENV_GROUPS];    /* of each group [horizon + 1][rows], [horizon][rows] */
    float *hidden, *cell, *hidden_start, *cell_start; /* [rows][hidden] */
    uint8_t *mask, *alive, *reset;                    /* [horizon + 1][rows] */
    uint8_t *terminated, *truncated, *strand;         /* [horizon][rows]; [rows] */
    float *value;                                     /* [horizon + 1][rows] */
    float *reward, *noise, *log_prob, *final_value, *advantage, *returns, *weight; /* [horizon][rows] */
    float *record, *carry;           /* [horizon][rows][ENV_RECORD]; [rows] */
    EnvBuffers *buffers;             /* [horizon] */
    const void **each;               /* [horizon]: where they are */
    void *action, *told;             /* [horizon][rows][heads] */
    int64_t *order, *dealt;          /* [samples] */
    double score[ENV_RECORD], lives; /* sums over lives that ended */
};

LEARN_API void learner_defaults(LearnSettings *settings) {
    *settings = (LearnSettings){.steps = 4000000,
                                .epochs = 1,
                                .learning_rate = 6e-3,
                                .gamma = 0.99,
                                .gae_lambda = 0.9,
                                .clip = 0.2,
                                .value_weight = 0.5,
                                .entropy = 0.003,
                                .max_grad_norm = 1,
                                .reward_scale = 1,
                                .envs = 128,
                                .horizon = 32,
                                .minibatch = 1024,
                                .normalize_advantage = 1,
                                .normalize_value = 1,
                                .hidden = 64,
                                .layers = 1,
                                .activation = LEARN_RELU,
                                .memory = LEARN_LSTM};
}

static uint32_t learner_agents(const LearnSettings *s) {
    return s->agents ? s->agents : (uint32_t)env.spec.agents;
}

LEARN_API const char *learner_refuses(const LearnSettings *s) {
    const EnvGroup *group = env.spec.group;
    double batch = (double)s->envs * learner_agents(s) * s->horizon;
    uint32_t seen = 0;
    for (uint32_t g = 0; g < ENV_GROUPS; g++)
        seen |= !group[g].critic && group[g].kind != ENV_PRESENT;
    if (!seen)
        return "every group of the observation is for the critic alone: the policy would see nothing";
    if (!s->envs || !s->horizon || !s->minibatch || !s->hidden || !(s->steps > 0) || !(s->epochs > 0))
        return "steps, envs, horizon, epochs, minibatch and hidden must be above 0";
    if (learner_agents(s) > ENV_SLOTS)
        return "agents must be at most the environment's slots";
    if (batch > 1 << 28 || (uint32_t)batch % s->minibatch)
        return "minibatch must divide envs x agents x horizon, which must be at most 2^28";
    if (s->memory > LEARN_MINGRU || s->activation > LEARN_SILU || !s->activation)
        return "activation or memory is none that this learner has";
    if (s->memory && s->minibatch % s->horizon)
        return "with memory minibatch must be a multiple of horizon";
    if (s->parts && (s->memory || env.spec.action_type != ENV_DISCRETE || group->shape[0] > env.spec.head[0].size))
        return "parts want an action of one head, no more parts than choices, and no memory";
    if (s->parts && (ENV_GROUPS > 1 || group->kind == ENV_SET))
        return "parts want an observation of one group, which is not a set";
    return NULL;
}

static uint32_t learner_kind(int32_t kind) {
    return kind == ENV_SET       ? LEARN_SET
           : kind == ENV_PRESENT ? LEARN_PRESENT
           : kind == ENV_PLANES  ? LEARN_PLANES
                                 : LEARN_FIELDS;
}

/* Whether a group's observations are normalised. */
static bool learner_normalises(const LearnSettings *s, uint32_t g) {
    return s->normalize && env.spec.group[g].type == ENV_F32 && env.spec.group[g].kind != ENV_PRESENT;
}

static void learner_describe(Learner *l) {
    const LearnSettings *s = &l->settings;
    learn_net_float *net = &l->net;
    net->group = l->group, net->groups = ENV_GROUPS;
    net->parts = s->parts ? (uint32_t)env.spec.group->shape[0] : 0;
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        const EnvGroup *of = &env.spec.group[g];
        bool several = s->parts || of->kind == ENV_SET || of->kind == ENV_PRESENT;
        uint32_t count = several ? (uint32_t)of->shape[0] : 1;
        l->group[g] = (learn_group_float){.kind = learner_kind(of->kind),
                                          .bytes = of->type == ENV_U8,
                                          .critic = of->critic != 0,
                                          .count = count,
                                          .inputs = (uint32_t)env_group_numbers(g) / count};
        l->numbers += learner_normalises(s, g) ? learn_seen_float(&l->group[g]) : 0;
    }
    net->layers = s->layers, net->activation = s->activation, net->hidden = s->hidden;
    net->memory = s->memory, net->steps = s->horizon, net->heads = ENV_HEADS;
    net->choices = env.spec.action_type == ENV_BOX ? 0 : (uint32_t)env_choice_count();
    for (uint32_t h = 0; h < ENV_HEADS; h++) {
        const EnvHead *head = &env.spec.head[h];
        l->sizes[h] = head->size, l->low[h] = head->low, l->high[h] = head->high;
        l->middle[h] = (head->low + head->high) / 2, l->reach[h] = (head->high - head->low) / 2;
    }
    net->sizes = l->sizes, net->low = l->low, net->high = l->high, net->middle = l->middle, net->reach = l->reach;
    l->rows = (size_t)s->envs * learner_agents(s), l->batch = l->rows * s->horizon;
    l->count = learn_parameters_float(net);
}

static EnvRowsConfig learner_envs(const LearnSettings *s, const float *numbers, const float *skill) {
    return (EnvRowsConfig){.num_envs = s->envs,
                           .agents = learner_agents(s),
                           .action_repeat = (uint32_t)env.spec.action_repeat,
                           .seed = (uint64_t)s->seed_high << 32 | s->seed,
                           .randomize = s->randomize,
                           .param = numbers,
                           .low = numbers ? numbers + ENV_PARAM_COUNT : NULL,
                           .high = numbers ? numbers + ENV_PARAM_COUNT : NULL,
                           .skill = skill,
                           .shaping = (int32_t)s->shaping,
                           .gamma = (float)s->gamma};
}

/* Gives each array its place behind the learner, if that has memory; returns how many bytes all need. */
static size_t learner_lay(Learner *l, char *memory) {
    const LearnSettings *s = &l->settings;
    const learn_net_float *net = &l->net;
    const size_t rows = l->rows, samples = l->batch, real = sizeof(float), hidden = net->memory ? net->hidden : 0;
    const size_t after = (s->horizon + 1) * rows, seen = l->numbers;
    const size_t strands = LEARN_STRANDS, wide = sizeof(double);
    const EnvRowsConfig envs = learner_envs(s, NULL, NULL);
    size_t at = env_align(sizeof *l);
    const struct {
        void *place;
        size_t bytes;
    } all[] = {{&l->parameters, l->count * real},
               {&l->good, (l->count + 2 * seen) * real},
               {&l->gradient, (l->count + 1) * real},
               {&l->mean, l->count * real},
               {&l->square, l->count * real},
               {&l->packed, learn_packed_float(net) * real},
               {&l->gradients, strands * learn_gradients_float(net) * real},
               {&l->room, learn_room_float(net) * real},
               {&l->sums, strands * LEARN_SUMS * wide},
               {&l->seen, strands * (1 + 2 * seen) * wide},
               {&l->total, seen * wide},
               {&l->squares, seen * wide},
               {&l->obs_mean, seen * real},
               {&l->obs_scale, seen * real},
               {&l->hidden, rows * hidden * real},
               {&l->cell, rows * hidden * real},
               {&l->hidden_start, rows * hidden * real},
               {&l->cell_start, rows * hidden * real},
               {&l->mask, env.mask ? after * net->choices : 0},
               {&l->alive, after},
               {&l->reset, after},
               {&l->terminated, samples},
               {&l->truncated, samples},
               {&l->strand, rows},
               {&l->reward, samples * real},
               {&l->noise, samples * net->heads * real},
               {&l->log_prob, samples * real},
               {&l->value, after * real},
               {&l->final_value, samples * real},
               {&l->advantage, samples * real},
               {&l->returns, samples * real},
               {&l->weight, samples * real},
               {&l->carry, rows * real},
               {&l->record, samples * ENV_RECORD * real},
               {&l->buffers, s->horizon * sizeof *l->buffers},
               {&l->each, s->horizon * sizeof *l->each},
               {&l->action, samples * net->heads * sizeof(int64_t)},
               {&l->told, samples * net->heads * real},
               {&l->order, samples * sizeof(int64_t)},
               {&l->dealt, samples * sizeof(int64_t)},
               {&l->scratch, env_rows_scratch_size()},
               {&l->envs, env_rows_size(&envs)}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        void *place = memory ? memory + at : NULL;
        memcpy(all[i].place, &place, sizeof place);
        at += env_align(all[i].bytes);
    }
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        l->obs[g] = memory ? memory + at : NULL, at += env_align(after * env_group_bytes(g));
        l->final_obs[g] = memory ? memory + at : NULL, at += env_align(samples * env_group_bytes(g));
    }
    return at;
}

LEARN_API size_t learner_size(const LearnSettings *settings) {
    Learner l = {.settings = *settings};
    learner_describe(&l);
    return learner_lay(&l, NULL);
}

/* A layer's weights, matrix by matrix, in the order in which they are drawn; returns how many matrices there were.
 * critic: of the heads, the value's, otherwise the action's. */
static uint32_t learner_draw(Learner *l, size_t i, bool critic, const learn_layer_float *of, float *weight,
                             uint32_t matrix) {
    const learn_net_float *net = &l->net;
    const learn_plan_float plan = learn_plan_of_float(net);
    const uint64_t seed = (uint64_t)l->settings.seed_high << 32 | l->settings.seed;
    double *room = (double *)(void *)l->gradients; /* there is room: each strand has a place for every weight */
    size_t out = of->out, in = of->in, count = 1;
    double gain = i == plan.heads ? 0.01 : of->activation ? 1.4142135623730951 : 1;
    if (net->memory == LEARN_MINGRU && i == plan.memory)
        count = 2, out /= 2;
    if (i == plan.heads && critic)
        weight += (out - 1) * in, out = 1, in += plan.layers > i + 1 ? learn_outputs_float(net, true) : 0;
    else if (i == plan.heads)
        out--;
    for (size_t k = 0; k < count; k++, weight += out * in)
        learn_orthogonal_float(seed, matrix + (uint32_t)k, out, in, gain, weight, room);
    return (uint32_t)count;
}

/* Matrices are drawn in this order: layers of what everyone sees, memory, the action's head; layers of what the critic
 * alone sees, the value's head. */
static void learner_weights(Learner *l) {
    const learn_net_float *net = &l->net;
    const learn_plan_float plan = learn_plan_of_float(net);
    learn_layer_float of = {0};
    uint32_t matrix = 0;
    size_t weight, bias;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i <= plan.heads; i++) {
            bool first, critic = i >= plan.critic;
            if (i < plan.encoder)
                critic = net->group[learn_stem_of_float(net, i, &first)].critic;
            learn_next_float(net, i, &of, &weight, &bias);
            if (i == plan.heads || critic == (k == 1))
                matrix += learner_draw(l, i, k, &of, l->parameters + weight, matrix);
            if (net->memory != LEARN_LSTM || i != plan.memory + 1 || !l->settings.remember)
                continue;
            float *enter = l->parameters + bias, *keep = enter + net->hidden; /* biases of gates */
            learn_lasting_float(net->hidden, (double)l->settings.remember, keep);
            for (size_t j = 0; j < net->hidden; j++)
                enter[j] = -keep[j];
        }
    if (!net->choices)
        learn_deviations_float(net->heads, net->reach, l->parameters + learn_matrices_float(net));
}

/* What step t reads and writes. */
static EnvBuffers learner_buffers(Learner *l, size_t t) {
    const size_t rows = l->rows, at = (t + 1) * rows;
    EnvBuffers found = {.action = (char *)l->told + t * rows * l->net.heads * sizeof(float),
                        .mask = env.mask ? l->mask + at * l->net.choices : NULL,
                        .reward = l->reward + t * rows,
                        .terminated = l->terminated + t * rows,
                        .truncated = l->truncated + t * rows,
                        .alive = l->alive + at,
                        .reset = l->reset + at,
                        .record = l->record + t * rows * ENV_RECORD};
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        found.obs[g] = l->obs[g] + at * env_group_bytes(g);
        found.final_obs[g] = l->final_obs[g] + t * rows * env_group_bytes(g);
    }
    return found;
}

LEARN_API Learner *learner_new(void *memory, const LearnSettings *settings) {
    Learner *l = memory;
    float numbers[2 * ENV_PARAM_COUNT + 1], skill[ENV_SLOTS];
    memset(memory, 0, learner_size(settings));
    l->settings = *settings;
    learner_describe(l);
    learner_lay(l, memory);
    for (uint32_t g = 0, at = 0; g < ENV_GROUPS; g++)
        if (learner_normalises(settings, g)) {
            l->group[g].mean = l->obs_mean + at, l->group[g].scale = l->obs_scale + at;
            at += (uint32_t)learn_seen_float(&l->group[g]);
        }
    for (size_t i = 0; i < l->numbers; i++)
        l->obs_scale[i] = 1;
    for (size_t n = 0; n < l->rows; n++)
        l->strand[n] = (uint8_t)(n * LEARN_STRANDS / l->rows);
    double updates = settings->steps / (double)l->batch;
    l->updates = (size_t)updates, l->updates += (double)l->updates < updates;
    learner_weights(l);
    for (size_t i = 0; i < ENV_PARAM_COUNT; i++) {
        numbers[i] = settings->param ? settings->param[i] : env_params[i].value;
        numbers[ENV_PARAM_COUNT + i] = __builtin_nanf(""); /* as `randomize` says */
    }
    for (size_t i = 0; i < ENV_SLOTS; i++)
        skill[i] = -1;
    const EnvRowsConfig envs = learner_envs(settings, numbers, skill);
    l->envs = env_rows_init(l->envs, &envs);
    for (size_t t = 0; t < settings->horizon; t++) {
        l->buffers[t] = learner_buffers(l, t);
        l->each[t] = &l->buffers[t];
    }
    env_rows_reset(l->envs, &l->buffers[settings->horizon - 1], 0, env_rows_blocks(l->envs), l->scratch);
    l->settings.param = NULL; /* the rows have a copy */
    return l;
}

static void learner_step(void *envs, const void *buffers, uint32_t first, uint32_t end, void *scratch) {
    env_rows_step(envs, buffers, first, end, scratch);
}

static void learner_collect(Learner *l) {
    const size_t horizon = l->settings.horizon, rows = l->rows, size = rows * l->net.hidden, end = horizon * rows;
    const uint64_t seed = (uint64_t)l->settings.seed_high << 32 | l->settings.seed;
    const learn_net_float *net = &l->net;
    learn_world_float world = {.step = learner_step,
                               .envs = l->envs,
                               .buffers = l->each,
                               .block = ENV_LANES * learner_agents(&l->settings),
                               .steps = horizon,
                               .rows = rows,
                               .mask = env.mask ? l->mask : NULL,
                               .resets = l->reset,
                               .truncated = l->truncated,
                               .hidden = net->memory ? l->hidden : NULL,
                               .cell = net->memory == LEARN_LSTM ? l->cell : NULL,
                               .noise = l->noise,
                               .action = l->action,
                               .told = l->told,
                               .log_prob = l->log_prob,
                               .value = l->value,
                               .final_value = l->final_value};
    for (uint32_t g = 0; g < ENV_GROUPS; g++) { /* what the last rollout ended with */
        const size_t bytes = env_group_bytes(g);
        memcpy(l->obs[g], l->obs[g] + end * bytes, rows * bytes);
        world.obs[g] = l->obs[g], world.final_obs[g] = l->final_obs[g];
    }
    memcpy(l->alive, l->alive + end, rows);
    memcpy(l->reset, l->reset + end, rows);
    if (env.mask)
        memcpy(l->mask, l->mask + end * net->choices, rows * net->choices);
    if (net->memory) {
        memcpy(l->hidden_start, l->hidden, size * sizeof *l->hidden);
        memcpy(l->cell_start, l->cell, size * sizeof *l->cell);
    }
    learn_noise_float(seed, l->index, !net->choices, horizon, 0, rows, net->heads, l->noise);
    learn_pack_float(net, l->parameters, l->packed);
    learn_act_float(net, l->packed, &world, 0, env_rows_blocks(l->envs), l->scratch, l->room);
    for (size_t i = 0; i < end; i++) {
        l->reward[i] *= (float)l->settings.reward_scale;
        l->weight[i] = l->alive[i];
        if (!l->terminated[i] && !l->truncated[i])
            continue;
        for (size_t k = 0; k < ENV_RECORD; k++)
            l->score[k] += (double)l->record[i * ENV_RECORD + k];
        l->lives += 1;
    }
}

/* Advantages and returns of the rollout. */
static void learner_estimate(Learner *l) {
    const LearnSettings *s = &l->settings;
    double sums[3 * LEARN_STRANDS];
    learn_advantages_float(s->horizon, l->rows, l->reward, l->value, l->final_value, l->terminated, l->truncated,
                           l->value + s->horizon * l->rows, NULL, (float)s->gamma, (float)s->gae_lambda, 1, 1, l->carry,
                           l->advantage);
    for (size_t i = 0; i < l->batch; i++)
        l->returns[i] = l->advantage[i] + l->value[i];
    l->value_weight = s->value_weight;
    if (!s->normalize_advantage && !s->normalize_value)
        return;
    learn_moments_float(s->horizon, l->rows, l->strand, 0, LEARN_STRANDS, l->advantage, l->weight, sums, 0);
    double total = sums[0] < 1 ? 1 : sums[0], mean = sums[1] / total;
    learn_moments_float(s->horizon, l->rows, l->strand, 0, LEARN_STRANDS, l->advantage, l->weight, sums, mean);
    double variance = sums[2] / total, square = mean * mean + variance;
    float middle = (float)mean, deviation = (float)(__builtin_sqrt(variance) + 1e-8);
    if (s->normalize_value)
        l->value_weight /= square < 1e-8 ? 1e-8 : square;
    for (size_t i = 0; s->normalize_advantage && i < l->batch; i++)
        l->advantage[i] = (l->advantage[i] - middle) / deviation;
}

static double learner_learn(Learner *l, double rate, double entropy, double *sums) {
    const LearnSettings *s = &l->settings;
    const uint64_t seed = (uint64_t)s->seed_high << 32 | s->seed;
    learn_batch_float batch = {.mask = env.mask ? l->mask : NULL,
                               .action = l->action,
                               .log_prob = l->log_prob,
                               .value = l->value,
                               .returns = l->returns,
                               .advantage = l->advantage,
                               .weight = l->weight,
                               .resets = l->reset,
                               .hidden = l->net.memory ? l->hidden_start : NULL,
                               .cell = l->net.memory == LEARN_LSTM ? l->cell_start : NULL,
                               .rows = l->rows,
                               .clip = (float)s->clip,
                               .value_clip = (float)s->value_clip,
                               .value_weight = (float)l->value_weight,
                               .entropy_weight = (float)entropy};
    for (uint32_t g = 0; g < ENV_GROUPS; g++)
        batch.obs[g] = l->obs[g];
    learn_descent_float descent = {.net = &l->net,
                                   .batch = &batch,
                                   .all_rows = l->rows,
                                   .count = LEARN_STRANDS,
                                   .strand = l->strand,
                                   .numbers = l->count,
                                   .parameters = l->parameters,
                                   .packed = l->packed,
                                   .mean = l->mean,
                                   .square = l->square,
                                   .gradient = l->gradient,
                                   .gradients = l->gradients,
                                   .room = l->room,
                                   .sums = l->sums,
                                   .dealt = l->dealt,
                                   .max_norm = s->max_grad_norm,
                                   .steps = l->steps};
    size_t all = l->net.memory ? l->rows : l->batch, per_epoch = l->batch / s->minibatch, each = all / per_epoch;
    double times = s->epochs * (double)per_epoch, norm = 0;
    size_t count = (size_t)((times + 0x1p52) - 0x1p52); /* rounded, halves to the even one */
    count = count ? count : 1;
    for (size_t i = 0; i < count; i += per_epoch) {
        size_t some = count - i < per_epoch ? count - i : per_epoch;
        if (l->net.memory || per_epoch > 1)
            learn_order(seed, l->index, (uint32_t)(i / per_epoch), all, l->order);
        for (size_t k = 0; per_epoch == 1 && !l->net.memory && k < all; k++)
            l->order[k] = (int64_t)k;
        norm += learn_minibatches_float(&descent, some, each, l->order, NULL, rate, sums);
    }
    l->steps = descent.steps;
    return norm / (double)count;
}

/* Takes the rollout's observations into their statistics. */
static void learner_observe(Learner *l) {
    for (uint32_t g = 0, at = 0; g < ENV_GROUPS; g++) {
        const learn_group_float *of = &l->group[g];
        const size_t numbers = learn_seen_float(of);
        const bool masked = g + 1 < ENV_GROUPS && of[1].kind == LEARN_PRESENT;
        if (!of->mean)
            continue;
        learn_observe_float(of, l->batch, l->rows, (const float *)(const void *)l->obs[g],
                            masked ? (const uint8_t *)l->obs[g + 1] : NULL, l->alive, l->strand, 0, LEARN_STRANDS,
                            l->seen);
        learn_normalize_float(numbers, l->seen, &l->number[g], l->total + at, l->squares + at, l->obs_mean + at,
                              l->obs_scale + at);
        at += (uint32_t)numbers;
    }
}

static uint32_t learner_finite(const float *x, size_t n) {
    uint32_t finite = 1;
    for (size_t i = 0; i < n; i++)
        finite &= x[i] - x[i] == 0;
    return finite;
}

/* Keeps the network as it is, or goes back to the one that was kept. */
static void learner_keep(Learner *l, bool back) {
    float *kept = l->good, *of[] = {l->parameters, l->obs_mean, l->obs_scale};
    size_t size[] = {l->count, l->numbers, l->numbers};
    for (size_t i = 0; i < 3; kept += size[i++])
        memcpy(back ? of[i] : kept, back ? kept : of[i], size[i] * sizeof *kept);
}

LEARN_API uint32_t learner_update(Learner *l, LearnMeasures *measures) {
    const LearnSettings *s = &l->settings;
    double done = (double)l->index / (double)l->updates, sums[LEARN_SUMS] = {0};
    double rate = learn_annealed(s->learning_rate, s->learning_rate_end, done, s->cosine);
    double entropy = learn_annealed(s->entropy, s->entropy_end, done, s->cosine);
    if (l->spoilt)
        return 0;
    memset(l->score, 0, sizeof l->score), l->lives = 0;
    learner_keep(l, false);
    learner_collect(l);
    learner_estimate(l);
    double norm = learner_learn(l, rate, entropy, sums);
    learner_observe(l);
    l->spoilt =
        norm - norm != 0 || !learner_finite(l->parameters, l->count) || !learner_finite(l->obs_mean, l->numbers);
    if (l->spoilt) {
        learner_keep(l, true);
        return 0;
    }
    l->index++;
    if (measures) {
        double of = sums[5] > 1 ? sums[5] : 1, lives = l->lives > 0 ? l->lives : 1;
        *measures = (LearnMeasures){sums[0] / of,
                                    sums[1] / of,
                                    sums[2] / of,
                                    sums[3] / of,
                                    sums[4] / of,
                                    norm,
                                    rate,
                                    entropy,
                                    l->lives,
                                    l->score[0] / lives,
                                    l->score[1] / lives,
                                    l->score[2] / lives,
                                    l->score[3] / lives};
    }
    return 1;
}

LEARN_API double learner_steps(const Learner *l) {
    return (double)l->index * (double)l->batch;
}
LEARN_API uint32_t learner_done(const Learner *l) {
    return l->index >= l->updates;
}
LEARN_API uint32_t learner_count(const Learner *l) {
    return (uint32_t)l->count;
}
LEARN_API const float *learner_parameters(const Learner *l) {
    return l->parameters;
}
LEARN_API const float *learner_mean(const Learner *l) {
    return l->numbers ? l->obs_mean : NULL;
}
LEARN_API const float *learner_scale(const Learner *l) {
    return l->numbers ? l->obs_scale : NULL;
}

LEARN_API uint32_t learner_hash(const Learner *l) {
    uint32_t hash = 2166136261u;
    const float *of[] = {l->parameters, l->obs_mean, l->obs_scale};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < (k ? l->numbers : l->count); i++) {
            uint32_t bits = mnw_bits(of[k][i]);
            for (size_t byte = 0; byte < 4; byte++)
                hash = (hash ^ (bits >> 8 * byte & 255)) * 16777619u;
        }
    return hash;
}
#endif

/* tutor.c: see tutor.h. One translation unit with the environment, which TUTOR_ENV names, and the trainer's core. */
#define ENV_ROWS
#include TUTOR_ENV
#define LEARN_API static inline
#include "loop.h"
#include "tutor.h"
#include "heap.h"

enum { TUTOR_GAMES = ENV_SLOTS > 4 ? 1 : 32, TUTOR_LONGEST = 10000 /* steps of an exam */ };
enum { TUTOR_GROUP = 0 };          /* the observation's only group */
enum { TUTOR_ANSWERS = 16 };       /* for golden vectors, at most */
enum { TUTOR_SEED = 0x80000000u }; /* the upper word of seeds that no training has */

typedef struct TutorExam {
    EnvRows *envs;
    EnvBuffers at;
    size_t rows, agents;
    uint8_t terminated[TUTOR_GAMES * ENV_SLOTS], truncated[TUTOR_GAMES * ENV_SLOTS];
    uint8_t over[TUTOR_GAMES], counted[TUTOR_GAMES];
    env_action action[TUTOR_GAMES * ENV_SLOTS][ENV_HEADS];
    float record[TUTOR_GAMES * ENV_SLOTS][ENV_RECORD],
        last[TUTOR_GAMES * ENV_SLOTS]; /* last: the score of the life that ended last */
    float param[3 * ENV_PARAM_COUNT];  /* as they are now, and bounds: none */
} TutorExam;

struct Tutor {
    Learner *learner;
    LearnMeasures measures;
    size_t schedule; /* updates */
    TutorExam exam;
};

uint32_t tutor_heap(void) {
    return heap_begin();
}

static LearnSettings tutor_settings(const TutorSettings *s) {
    LearnSettings to;
    learner_defaults(&to);
    to.steps = s->steps, to.epochs = s->epochs;
    to.learning_rate = s->learning_rate, to.learning_rate_end = s->learning_rate_end;
    to.gamma = s->gamma, to.gae_lambda = s->gae_lambda, to.clip = s->clip, to.value_clip = s->value_clip;
    to.value_weight = s->value_weight, to.entropy = s->entropy, to.entropy_end = s->entropy_end;
    to.max_grad_norm = s->max_grad_norm, to.reward_scale = s->reward_scale;
    to.seed = (uint32_t)(uint64_t)s->seed, to.seed_high = (uint32_t)((uint64_t)s->seed >> 32);
    to.envs = (uint32_t)s->envs, to.agents = (uint32_t)s->agents, to.horizon = (uint32_t)s->horizon;
    to.minibatch = (uint32_t)s->minibatch, to.normalize_advantage = s->normalize_advantage != 0;
    to.normalize_value = s->normalize_value != 0;
    to.hidden = (uint32_t)s->hidden, to.layers = (uint32_t)s->layers, to.activation = (uint32_t)s->activation;
    to.memory = LEARN_NO_MEMORY, to.shaping = (uint32_t)s->shaping, to.randomize = (float)s->randomize;
    return to;
}

static EnvRowsConfig tutor_envs(const LearnSettings *s, const float *param, const float *skill) {
    EnvRowsConfig config = learner_envs(s, param, skill);
    config.num_envs = TUTOR_GAMES, config.seed = (uint64_t)TUTOR_SEED << 32;
    return config;
}

/* Bytes of all parts, one behind the other: tutor, exam's observations, masks, outputs and environments, learner. */
typedef struct TutorParts {
    size_t obs, mask, head, envs, learner, end;
} TutorParts;

static TutorParts tutor_parts(const LearnSettings *s) {
    const size_t rows = TUTOR_GAMES * (size_t)learner_agents(s);
    const EnvRowsConfig config = tutor_envs(s, NULL, NULL);
    TutorParts at = {.obs = env_align(sizeof(Tutor))};
    at.mask = at.obs + env_align(rows * env_group_bytes(TUTOR_GROUP));
    at.head = at.mask + env_align(rows * (size_t)env_choice_count());
    at.envs =
        at.head + env_align((rows + TUTOR_ANSWERS) * ((size_t)env_choice_count() + 2 * ENV_HEADS + 1) * sizeof(float));
    at.learner = at.envs + env_align(env_rows_size(&config));
    at.end = at.learner + env_align(learner_size(s));
    return at;
}

const char *tutor_refuses(const TutorSettings *settings) {
    const double most[] = {settings->hidden, settings->layers, settings->envs, settings->agents, settings->horizon};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        if (!(most[i] >= 1 && most[i] <= 65536))
            return "hidden, layers, envs, agents and horizon must be whole numbers from 1 to 65536";
    if (!(settings->minibatch >= 1 && settings->minibatch <= 1 << 28) || !(settings->activation >= 0))
        return "minibatch must be from 1 to 2^28, and activation one that there is";
    const LearnSettings s = tutor_settings(settings);
    const char *why = learner_refuses(&s);
    return why ? why : tutor_parts(&s).end > TUTOR_MOST ? "they ask for more than 512 MB of memory" : NULL;
}

uint32_t tutor_size(const TutorSettings *settings) {
    const LearnSettings s = tutor_settings(settings);
    return (uint32_t)tutor_parts(&s).end;
}

Tutor *tutor_open(const TutorSettings *settings, const float *param, void *block) {
    LearnSettings s = tutor_settings(settings);
    const TutorParts at = tutor_parts(&s);
    float skill[ENV_SLOTS];
    char *memory = block;
    Tutor *t = memset(block, 0, at.learner);
    TutorExam *exam = &t->exam;
    s.param = param;
    t->learner = learner_new(memory + at.learner, &s);
    t->schedule = t->learner->updates;
    exam->agents = learner_agents(&s), exam->rows = TUTOR_GAMES * exam->agents;
    for (size_t i = 0; i < ENV_PARAM_COUNT; i++) {
        exam->param[i] = param[i];
        exam->param[ENV_PARAM_COUNT + i] = exam->param[2 * ENV_PARAM_COUNT + i] = __builtin_nanf("");
    }
    for (size_t i = 0; i < ENV_SLOTS; i++)
        skill[i] = -1;
    const EnvRowsConfig config = tutor_envs(&s, exam->param, skill);
    exam->envs = env_rows_init(memory + at.envs, &config);
    exam->at = (EnvBuffers){.obs = {memory + at.obs},
                            .action = exam->action,
                            .mask = env.mask ? (uint8_t *)memory + at.mask : NULL,
                            .terminated = exam->terminated,
                            .truncated = exam->truncated,
                            .record = exam->record[0],
                            .over = exam->over};
    return t;
}

uint32_t tutor_update(Tutor *t) {
    if (learner_done(t->learner))
        t->learner->updates += t->schedule;
    return learner_update(t->learner, &t->measures);
}

uint32_t tutor_updates(const Tutor *t) {
    return t->learner->index;
}

uint32_t tutor_ended(const Tutor *t) {
    return learner_done(t->learner);
}

double tutor_steps(const Tutor *t) {
    return learner_steps(t->learner);
}

double tutor_entropy(const Tutor *t) {
    return t->measures.entropy;
}

static void tutor_turn_all(EnvRows *envs, uint32_t count, uint32_t param, float value) {
    const EnvEvent event = {.kind = ENV_EVENT_PARAM, .slot = (int32_t)param, .value = value};
    for (uint32_t i = 0; i < count; i++)
        env_event(env_rows_block(envs, i), i % ENV_LANES, &event);
}

void tutor_turn(Tutor *t, uint32_t param, float value) {
    if (param >= ENV_PARAM_COUNT)
        return;
    t->exam.param[param] = value;
    tutor_turn_all(t->learner->envs, t->learner->settings.envs, param, value);
}

/* The tutor_likeliest choice of a head, or of a distribution its middle. */
static env_action tutor_likeliest(const learn_net_float *net, const float *head, const uint8_t *mask, size_t h) {
#ifdef ENV_CONTINUOUS
    (void)mask;
    return env_clamp(head[h], net->low[h], net->high[h]);
#else
    size_t first = 0, best = 0, size = (size_t)net->sizes[h];
    for (size_t i = 0; i < h; i++)
        first += (size_t)net->sizes[i];
    while (mask && best + 1 < size && !mask[first + best])
        best++;
    for (size_t j = best + 1; j < size; j++)
        if ((!mask || mask[first + j]) && head[first + j] > head[first + best])
            best = j;
    return (env_action)best;
#endif
}

static void tutor_act(Tutor *t, float *head) {
    const learn_net_float *net = &t->learner->net;
    TutorExam *exam = &t->exam;
    learn_forward_float(net, t->learner->packed, exam->rows, (const void *const *)exam->at.obs, NULL, NULL, head,
                        t->learner->room);
    for (size_t i = 0; i < exam->rows; i++)
        for (size_t h = 0; h < ENV_HEADS; h++)
            exam->action[i][h] = tutor_likeliest(net, head + i * learn_width_float(net),
                                                 exam->at.mask ? exam->at.mask + i * net->choices : NULL, h);
}

/* Counts the games that have just ended, or all that go on; returns how many, and adds their rows' scores to *score. */
static uint32_t tutor_mark(TutorExam *exam, int late, double *score) {
    uint32_t ended = 0;
    for (size_t i = 0; i < exam->rows; i++)
        if (exam->terminated[i] | exam->truncated[i])
            exam->last[i] = exam->record[i][ENV_SCORE];
    for (uint32_t g = 0; g < TUTOR_GAMES; g++) {
        if (exam->counted[g] || !(exam->over[g] | late))
            continue;
        for (uint32_t a = 0; a < exam->agents; a++)
            *score += (double)(exam->over[g] ? exam->last[g * exam->agents + a]
                                             : env_score(env_rows_block(exam->envs, g), g % ENV_LANES, a));
        exam->counted[g] = 1, ended++;
    }
    return ended;
}

float tutor_exam(Tutor *t) {
    TutorExam *exam = &t->exam;
    Learner *l = t->learner;
    float *head = (float *)(void *)((char *)t + tutor_parts(&l->settings).head);
    double score = 0;
    learn_pack_float(&l->net, l->parameters, l->packed);
    for (uint32_t i = 0; i < TUTOR_GAMES; i++)
        env_rows_seed(exam->envs, i, 0, TUTOR_SEED, i);
    for (uint32_t p = 0; p < ENV_PARAM_COUNT; p++)
        tutor_turn_all(exam->envs, TUTOR_GAMES, p, exam->param[p]);
    memset(exam->counted, 0, sizeof exam->counted);
    env_rows_reset(exam->envs, &exam->at, 0, env_rows_blocks(exam->envs), l->scratch);
    for (uint32_t step = 1, left = TUTOR_GAMES; left; step++) {
        tutor_act(t, head);
        env_rows_step(exam->envs, &exam->at, 0, env_rows_blocks(exam->envs), l->scratch);
        left -= tutor_mark(exam, step >= TUTOR_LONGEST, &score);
    }
    return (float)(score / (double)exam->rows);
}

uint32_t tutor_exam_games(void) {
    return TUTOR_GAMES;
}

uint32_t tutor_count(const Tutor *t) {
    return learner_count(t->learner);
}

const float *tutor_weights(const Tutor *t) {
    return learner_parameters(t->learner);
}

const void *tutor_seen(const Tutor *t, uint32_t n) {
    const Learner *l = t->learner;
    return l->obs[TUTOR_GROUP] + ((l->settings.horizon + 1) * l->rows - n) * env_group_bytes(TUTOR_GROUP);
}

uint32_t tutor_width(const Tutor *t) {
    return (uint32_t)learn_width_float(&t->learner->net);
}

const float *tutor_answer(Tutor *t, uint32_t n) {
    Learner *l = t->learner;
    float *head = (float *)(void *)((char *)t + tutor_parts(&l->settings).head);
    learn_pack_float(&l->net, l->parameters, l->packed);
    const void *seen[] = {tutor_seen(t, n)};
    learn_forward_float(&l->net, l->packed, n, seen, NULL, NULL, head, l->room);
    return head;
}

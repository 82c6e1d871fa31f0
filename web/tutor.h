/* tutor.h: a learner of train/core/loop.h with what a page wants beside it: exams, a world that can be turned while it
 * learns, and answers for the golden vectors of a file.
 *
 * tutor.c is compiled once per environment (-DTUTOR_ENV="pong/pong.c"), to WebAssembly for the page's worker and
 * natively for tests: equal settings give equal weights, bit for bit, and those of `minnow train` in exact arithmetic.
 * It allocates nothing, calls nobody and has no globals: the host gives one block of memory, aligned to 64.
 *
 *     if (tutor_refuses(&settings)) ...            // says in words what does not go together
 *     tutor = tutor_open(&settings, param, block); // tutor_size(&settings) bytes
 *     while (tutor_update(tutor)) { tutor_exam(tutor); ... }
 */
#ifndef MINNOW_TUTOR_H
#define MINNOW_TUTOR_H
#include <stdint.h>

/* cffi: begin */
enum { TUTOR_MOST = 1 << 29 }; /* bytes that a tutor may take */

/* Those of train/core/loop.h, numbers all of one type, so that a page writes them as one array. */
typedef struct TutorSettings {
    double seed; /* a whole number, 0 to 2^53 - 1 */
    double steps, hidden, layers, activation, envs, agents, horizon, epochs, minibatch;
    double learning_rate, learning_rate_end, gamma, gae_lambda, clip, value_clip, value_weight, entropy, entropy_end;
    double max_grad_norm, normalize_advantage, normalize_value, reward_scale, shaping, randomize;
} TutorSettings;

typedef struct Tutor Tutor;

uint32_t tutor_heap(void); /* WebAssembly: the first address that the host may use; native: 0 */
const char *tutor_refuses(const TutorSettings *settings); /* why there cannot be such a tutor; NULL: there can */
uint32_t tutor_size(const TutorSettings *settings);
/* param: [params], of the environment. The weights are random. */
Tutor *tutor_open(const TutorSettings *settings, const float *param, void *block);

/* One rollout, and what is learned from it; 0 where numbers became infinite: the weights are those of before then, and
 * there is nothing more to be learned. At the end of the schedule, over which learning rate and entropy fall, it is
 * made longer by as much again. */
uint32_t tutor_update(Tutor *tutor);
uint32_t tutor_updates(const Tutor *tutor); /* so far */
uint32_t tutor_ended(const Tutor *tutor);   /* whether the schedule is at its end */
double tutor_steps(const Tutor *tutor);
double tutor_entropy(const Tutor *tutor); /* of the distributions that actions were drawn from in the last update */
/* A parameter of the world takes another value, in all environments. */
void tutor_turn(Tutor *tutor, uint32_t param, float value);
/* The mean score of tutor_exam_games() games on seeds that no training has, in which the likeliest actions are taken.
 * They leave no trace in what is learned. */
float tutor_exam(Tutor *tutor);
uint32_t tutor_exam_games(void);

uint32_t tutor_count(const Tutor *tutor);       /* of weights */
const float *tutor_weights(const Tutor *tutor); /* in the order of train/core/network.h */
/* The latest n observations, n <= 16 and envs x agents, and what the network makes of them: outputs and the value,
 * [n][tutor_width()]. */
const void *tutor_seen(const Tutor *tutor, uint32_t n);
uint32_t tutor_width(const Tutor *tutor);
const float *tutor_answer(Tutor *tutor, uint32_t n);
/* cffi: end */
#endif

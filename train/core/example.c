/* A C program that learns by learn.h: which of four colours it is shown, told only whether it was right. Prints a hash
 * of the weights it ends with and the share of right answers. Compiled to WebAssembly it exports learned(). */
#define LEARN_API static inline
#include "learn.h"

enum { COLOURS = 4, HIDDEN = 24, ROWS = 512, UPDATES = 60 };
enum { HEAD = COLOURS + 1, PARAMETERS = COLOURS * HIDDEN + HIDDEN + (HIDDEN + 1) * HEAD };

static uint32_t drawn = 1;
static float uniform(void) { /* xorshift: any numbers will do */
    drawn ^= drawn << 13, drawn ^= drawn >> 17, drawn ^= drawn << 5;
    return (float)(drawn >> 8) * 0x1p-24f;
}

static float weights[PARAMETERS], slope[PARAMETERS], mean[PARAMETERS], square[PARAMETERS];
static float packed[1 << 13], gradients[LEARN_STRANDS << 12], room[1 << 15]; /* see learn_packed_float and the like */
static float share;                                                          /* of right answers in the last update */

/* Learns from the beginning; where the weights' hash is. */
const uint32_t *learned(void);
const uint32_t *learned(void) {
    static const int64_t sizes[] = {COLOURS};
    const learn_net_float net = {.inputs = COLOURS,
                                 .hidden = HIDDEN,
                                 .layers = 1,
                                 .activation = LEARN_TANH,
                                 .heads = 1,
                                 .choices = COLOURS,
                                 .sizes = sizes};
    static float obs[ROWS][COLOURS], head[ROWS][HEAD], noise[ROWS], log_prob[ROWS], value[ROWS];
    static float reward[ROWS], advantage[ROWS], weight[ROWS], carry[ROWS];
    static int64_t action[ROWS], index[ROWS], dealt[ROWS];
    static int32_t told[ROWS];
    static uint8_t ended[ROWS], strand[ROWS];
    static double sums[LEARN_STRANDS][LEARN_SUMS];
    static size_t offset[LEARN_STRANDS + 1];
    static uint32_t hash;
    float one = 1, all = 1;
    if (learn_packed_float(&net) > sizeof packed / 4 || learn_gradients_float(&net) > 1 << 12 ||
        learn_room_float(&net) > sizeof room / 4)
        return NULL;
    for (size_t i = 0; i < PARAMETERS; i++)
        weights[i] = uniform() - 0.5f;
    for (uint32_t update = 1; update <= UPDATES; update++) {
        share = 0;
        for (size_t i = 0; i < ROWS; i++) {
            uint32_t colour = drawn % COLOURS;
            for (uint32_t k = 0; k < COLOURS; k++)
                obs[i][k] = k == colour;
            noise[i] = uniform(), weight[i] = 1, ended[i] = 1, index[i] = (int64_t)i;
            strand[i] = (uint8_t)(i * LEARN_STRANDS / ROWS);
        }
        learn_pack_float(&net, weights, packed);
        learn_forward_float(&net, packed, ROWS, obs, NULL, NULL, &head[0][0], room);
        learn_sample_float(&net, ROWS, &head[0][0], NULL, noise, action, told, log_prob, room);
        for (size_t i = 0; i < ROWS; i++) {
            value[i] = head[i][COLOURS];
            reward[i] = obs[i][told[i]];
            share += reward[i] / ROWS;
        }
        learn_advantages_float(1, ROWS, reward, value, value, ended, ended, value, NULL, 1, 1, 1, 1, carry, advantage);
        const learn_batch_float batch = {.obs = obs,
                                         .action = action,
                                         .log_prob = log_prob,
                                         .value = value,
                                         .returns = reward,
                                         .advantage = advantage,
                                         .weight = weight,
                                         .clip = 0.2f,
                                         .value_weight = 0.5f,
                                         .entropy_weight = 0.01f};
        learn_deal_float(ROWS, index, weight, NULL, ROWS, 0, ROWS, strand, dealt, NULL, offset);
        learn_gradient_float(&net, packed, &batch, dealt, NULL, offset, 0, LEARN_STRANDS, gradients, &sums[0][0], room);
        learn_collect_float(&net, LEARN_STRANDS, gradients, &sums[0][0], slope);
        one *= 0.9f, all *= 0.999f; /* what Adam's averages lack in the beginning */
        learn_descend_float(PARAMETERS, weights, slope, mean, square, (float)sums[0][5], 0.5,
                            1 / (double)__builtin_sqrtf(1 - all), 0.03 / (double)(1 - one));
    }
    hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof weights; i++)
        hash = (hash ^ ((const uint8_t *)weights)[i]) * 16777619u;
    return &hash;
}

#ifndef __wasm__
#include <stdio.h>

int main(void) {
    const uint32_t *hash = learned();
    return hash ? printf("%08x %.3f\n", *hash, (double)share) < 0 : 1;
}
#endif

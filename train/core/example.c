/* A C program that learns: to balance a pole on a cart, in a block of memory, without Python. Prints how long the pole
 * stood in the lives that ended lately, and at the end the weights' hash, which is the same on every machine.
 *
 *     cc -O3 -std=c11 -ffp-contract=off -fno-math-errno -march=native example.c -o learn && ./learn 1
 */
#define ENV_ROWS 1
#include "../../envs/cartpole/cartpole.c"
#define LEARN_API static inline
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES = 10 };

static void report(const Learner *learner, LearnMeasures sum) {
    double lives = sum.lives > 0 ? sum.lives : 1;
    printf("%8.0f steps   %6.1f ticks   entropy %.3f\n", learner_steps(learner), sum.score / lives, sum.entropy);
}

int main(int count, char **words) {
    LearnSettings settings;
    learner_defaults(&settings);
    settings.seed = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 0;
    settings.steps = count > 2 ? strtod(words[2], NULL) : 200000;
    settings.memory = LEARN_NO_MEMORY; /* the rest is cartpole's train.toml */
    settings.layers = 2;
    settings.reward_scale = 0.1;

    const char *why = learner_refuses(&settings);
    size_t size = (learner_size(&settings) + 63) / 64 * 64;
    void *memory = why ? NULL : aligned_alloc(64, size);
    if (!memory) {
        fprintf(stderr, "cannot learn: %s.\n", why ? why : "there is no memory");
        return 1;
    }
    Learner *learner = learner_new(memory, &settings);
    LearnMeasures now, sum = {0};
    double told = 0;
    while (!learner_done(learner)) {
        if (!learner_update(learner, &now)) {
            fprintf(stderr, "something is no number after %.0f steps.\n", learner_steps(learner));
            break;
        }
        sum.lives += now.lives, sum.score += now.score * now.lives, sum.entropy = now.entropy;
        if (learner_steps(learner) >= told + settings.steps / LINES) {
            report(learner, sum);
            told = learner_steps(learner), sum = (LearnMeasures){0};
        }
    }
    printf("%08x\n", learner_hash(learner));
    free(memory);
    return 0;
}

/* learning.c: a little learning in one environment (-DLEARN_ENV="path"), by the network with a memory and an
 * activation, for tests: a hash of the weights, the same wherever it was compiled. 0: the settings are refused, or need
 * more room. */
#define ENV_ROWS 1
#include LEARN_ENV
#define LEARN_API static inline
#include "../train/core/loop.h"

uint32_t learned(uint32_t memory, uint32_t activation);

uint32_t learned(uint32_t memory, uint32_t activation) {
    static _Alignas(64) char block[1 << 22];
    LearnSettings settings;
    learner_defaults(&settings);
    settings.steps = 4 * 16 * 12 * 3, settings.envs = 12, settings.horizon = 16, settings.minibatch = 64,
    settings.epochs = 2;
    settings.agents = 1, settings.seed = 7, settings.randomize = 0.1f, settings.learning_rate = 0.02;
    settings.memory = memory, settings.activation = activation, settings.hidden = 20;
    settings.normalize = memory % 2, settings.cosine = activation % 2;
    if (learner_refuses(&settings) || learner_size(&settings) > sizeof block)
        return 0;
    Learner *learner = learner_new(block, &settings);
    while (!learner_done(learner))
        if (!learner_update(learner, NULL))
            return 0;
    return learner_hash(learner);
}

#ifndef __wasm__
#include <stdio.h>

int main(void) {
    for (uint32_t memory = 0; memory <= LEARN_MINGRU; memory++)
        for (uint32_t activation = 1; activation <= LEARN_SILU; activation++)
            printf("%08x\n", learned(memory, activation));
    return 0;
}
#endif

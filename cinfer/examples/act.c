/* act.c: what a policy does in five steps of a made-up game. cc -O2 -I.. act.c -o act && ./act policy.minnow
 * It wants a policy with one input of 32-bit floats and a discrete action. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static unsigned char file[1 << 20];
    char words[256];
    minnow_error error;
    FILE *stream = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!stream) {
        fprintf(stderr, "usage: act FILE\n");
        return 2;
    }
    const size_t length = fread(file, 1, sizeof file, stream);
    fclose(stream);

    size_t size = minnow_size(file, length, &error);
    void *block = malloc(size);
    const minnow_policy *policy = minnow_load(file, length, block, size, &error);
    if (!policy) {
        minnow_describe(&error, words, sizeof words);
        fprintf(stderr, "%s\n", words);
        return 1;
    }
    size = minnow_session_size(policy, 1, 0);
    void *memory = malloc(size);
    minnow_session *session = minnow_session_init(policy, 1, 0, 42, memory, size, NULL);

    const unsigned inputs = minnow_input(policy, 0)->size, choices = minnow_action_of(policy)->choices;
    float *obs = (float *)malloc(inputs * sizeof *obs);
    for (unsigned step = 0; step < 5; step++) {
        for (unsigned i = 0; i < inputs; i++) {
            obs[i] = (float)((7 * step + 3 * i) % 11) * 0.25f - 1.0f;
        }
        if (minnow_step(session, obs, NULL) != MINNOW_OK) {
            return 1;
        }
        printf("%d", (int)minnow_action(session)[0]);
        for (unsigned i = 0; i < choices; i++) {
            printf(" %.9g", (double)minnow_logits(session)[i]);
        }
        printf("\n");
    }
    free(obs);
    free(memory);
    free(block);
    return 0;
}

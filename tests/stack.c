/* Prints the most bytes of stack that loading, and replaying the golden vectors of, the policies in the arguments took:
 * what lies beneath is painted first, and looked at afterwards. Link it with -z now: the linker needs stack too. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include <stdio.h>
#include <stdlib.h>

enum { DEEP = 1 << 16, PAINT = 0xa5 };

static unsigned char file[1 << 22];

__attribute__((noinline)) static void paint(void) {
    volatile unsigned char stack[DEEP];
    for (int i = 0; i < DEEP; i++) {
        stack[i] = PAINT;
    }
}

__attribute__((noinline)) static int used(void) {
    volatile unsigned char stack[DEEP];
    int clean = 0;
    while (clean < DEEP && stack[clean] == PAINT) {
        clean++;
    }
    return DEEP - clean;
}

int main(int argc, char **argv) {
    int most = 0;
    for (int i = 1; i < argc; i++) {
        FILE *stream = fopen(argv[i], "rb");
        const size_t length = stream ? fread(file, 1, sizeof file, stream) : 0, need = minnow_size(file, length, NULL);
        void *block = malloc(need);
        paint();
        const minnow_policy *policy = minnow_load(file, length, block, need, NULL);
        int here = used();
        most = here > most ? here : most;
        if (!policy) {
            return 2;
        }
        const size_t room = minnow_selftest_size(policy);
        void *other = malloc(room);
        paint();
        const int32_t fault = minnow_selftest(policy, other, room, NULL);
        here = used();
        most = here > most ? here : most;
        free(other);
        free(block);
        if (fault != MINNOW_OK || fclose(stream)) {
            return 3;
        }
    }
    printf("%d\n", most);
    return 0;
}

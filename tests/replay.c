/* replay.c: reads replays as replay.h does, and plays what is sound in one environment (-DGAME_ENV=...).
 *
 *     replay MOST_TICKS [POLICY...] < files        each a u32 of its length, and its bytes
 *
 * prints a line a file: the fault's number, which input, at which byte; the CRC-32 of the inputs that were read; how
 * many the game took, and its hash after every 100th tick. It plays MOST_TICKS ticks at most, and nothing where the
 * replay wants more policies than are given. */
#include "game.c"
#include "replay.h"
#include <stdio.h>
#include <stdlib.h>

static uint8_t *slurp(FILE *file, size_t size) {
    uint8_t *bytes = malloc(size ? size : 1); /* of its own, so that reading beyond it is seen */
    if (!bytes || fread(bytes, 1, size, file) != size) {
        exit(2);
    }
    return bytes;
}

static const minnow_policy *policy_of(const char *path) {
    GameError error;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        exit(2);
    }
    const uint32_t size = (uint32_t)ftell(file);
    rewind(file);
    const uint8_t *bytes = slurp(file, size);
    fclose(file);
    const uint32_t need = game_policy_size(bytes, size, &error);
    const minnow_policy *policy = game_load(bytes, size, malloc(need), need, &error);
    if (!policy) {
        fprintf(stderr, "%s: error %d\n", path, error.number);
        exit(2);
    }
    return policy;
}

static uint32_t inputs_crc(const Replay *replay) {
    ReplayCursor at = {0};
    GameInput *input = malloc(((size_t)replay->inputs + 1) * sizeof(GameInput));
    size_t count = 0;
    GameInput next;
    while (replay_next(replay, &at, &next)) {
        input[count++] = next;
    }
    const uint32_t crc = replay_crc((const uint8_t *)input, count * sizeof(GameInput));
    free(input);
    return crc;
}

static void play(Game *game, const Replay *replay, uint32_t most) {
    ReplayCursor at = {0};
    GameInput input;
    uint32_t taken = 0, hash[2];
    int more = replay_next(replay, &at, &input);
    for (;;) {
        for (; more && (input.kind == GAME_START || input.tick == game_ticks(game)); taken++) {
            if (!game_input(game, &input)) {
                printf(" %u refused", taken);
                return;
            }
            more = replay_next(replay, &at, &input);
        }
        if (game_ticks(game) >= replay->ticks || game_ticks(game) >= most) {
            break;
        }
        game_tick(game);
        if (game_ticks(game) % 100 == 0) {
            game_hash(game, hash);
            printf(" %08x%08x", hash[1], hash[0]);
        }
    }
    printf(" %u", taken);
}

int main(int argc, char **argv) {
    const minnow_policy *policy[GAME_MOST_POLICIES] = {NULL};
    const uint32_t most = (uint32_t)strtoul(argv[1], NULL, 10), count = (uint32_t)argc - 2;
    for (uint32_t i = 0; i < count; i++) {
        policy[i] = policy_of(argv[2 + i]);
    }
    const uint32_t need = game_size(policy, count);
    Game *game = game_open(policy, count, malloc(need), need);
    uint8_t length[4];
    while (fread(length, 1, 4, stdin) == 4) {
        Replay replay;
        ReplayFault fault;
        uint8_t *bytes = slurp(stdin, replay_u32(length));
        if (replay_open(&replay, bytes, replay_u32(length), &fault)) {
            printf("%d %u %u", fault.number, fault.input, fault.offset);
        } else {
            printf("0 0 0 %08x", inputs_crc(&replay));
            if (replay.policies <= count) {
                play(game, &replay, most);
            }
        }
        printf("\n");
        free(bytes);
    }
    return 0;
}

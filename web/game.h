/* game.h: one game: an environment, the policies that its players may follow, and who drives each player.
 *
 * game.c is compiled once per environment (-DGAME_ENV="pong/pong.c"), to WebAssembly for the page and natively for
 * windows and tests. It allocates nothing, calls nobody and has no globals: the host gives one block of memory a game.
 *
 *     need = game_policy_size(bytes, size, &error);                // the bytes of a .minnow file, which stay in place
 *     policy = game_load(bytes, size, block, need, &error);
 *     game = game_open(&policy, 1, other_block, game_size(&policy, 1));
 *     game_input(game, &(GameInput){.kind = GAME_START, .values = {seed}});
 *     game_input(game, &(GameInput){.kind = GAME_SEAT, .values = {1, 1}});              // slot 0 follows policy 1
 *     game_input(game, &(GameInput){.kind = GAME_DRIVE, .values = {1, GAME_POLICY}});
 *     for (;;) { game_tick(game); shapes = game_draw(game, 0, 1.5f); ... }
 *
 * Blocks need not be aligned, and belong to the host again when what was made in them is no longer used. One policy may
 * serve several games.
 *
 * Inputs. Everything that enters a game does so by game_input: with the list of these inputs and game_tick the game can
 * be played again, bit for bit, wherever it was compiled. docs/replay.md has their kinds and the file that holds them.
 *
 * Everything that changes as the game goes on lies in game_state(), game_state_size() bytes: copying them out and in
 * again is a snapshot, valid for the same environment, policies and build.
 *
 * Ticks. A policy observes for every player seated at it at the ticks that are a multiple of the action_repeat it was
 * trained with, which is the environment's unless its metadata says otherwise, counted from the episode's start, and
 * advances its recurrent state whoever drives, so that a player can be handed over at any time. What it remembers of a
 * player is cleared where a life of the player begins, and nowhere else. Script and persons act at each tick; at random
 * a player acts when the environment's action_repeat says, each possible choice as likely as the others, by numbers
 * that follow from the game's seed. When an episode ends the next begins within the same tick.
 */
#ifndef MINNOW_GAME_H
#define MINNOW_GAME_H
#include <stdint.h>

/* cffi: begin */
enum { GAME_SCRIPT = 0, GAME_POLICY = 1, GAME_PERSON = 2, GAME_RANDOM = 3 }; /* who drives a slot */
enum { GAME_START = 0, GAME_SEAT = 1, GAME_DRIVE = 2, GAME_ACT = 3, GAME_EVENT = 4, GAME_SAMPLE = 5 }; /* kinds */
enum { GAME_MOST_POLICIES = 16 };
enum { GAME_TERMINATED = 1, GAME_TRUNCATED = 2, GAME_ACTED = 4 }; /* bits of what game_tick returns */

typedef struct GameError {                   /* the words are the host's: modules stay small */
    int32_t number;                          /* from minnow.h's list; 0: none */
    uint32_t misfit;                         /* 1: the file is sound, but made for another game */
    uint32_t index, offset, found, expected; /* as in minnow_error, the low 32 bits */
} GameError;

typedef struct GameInput {
    uint32_t tick, kind, slot;
    uint32_t values[9]; /* as the kind says, in docs/replay.md; floats by their bits */
} GameInput;

typedef struct Game Game;
typedef struct minnow_policy minnow_policy;

uint32_t game_heap(void); /* WebAssembly: the first address that the host may use; native: 0 */

/* Bytes of a policy's block; 0 if the file is refused. */
uint32_t game_policy_size(const void *bytes, uint32_t size, GameError *error);
/* NULL if the file is refused, or does not observe and act as this environment's players do. */
const minnow_policy *game_load(const void *bytes, uint32_t size, void *block, uint32_t block_size, GameError *error);
/* The policy's metadata: JSON in UTF-8, *size bytes. */
const char *game_meta(const minnow_policy *policy, uint32_t *size);
/* Replays the policy's golden vectors in the block, which is free again afterwards. *difference receives the largest
 * one found. Returns 0 if that is at most 1e-5, else a number from minnow.h's list. */
uint32_t game_selftest_size(const minnow_policy *policy);
int32_t game_selftest(const minnow_policy *policy, void *block, uint32_t block_size, float *difference);
uint32_t game_size(const minnow_policy *const *policies, uint32_t count); /* bytes of a game's block */
/* The game, begun with seed 0. NULL if there are more policies than GAME_MOST_POLICIES, or the block is too small. */
Game *game_open(const minnow_policy *const *policies, uint32_t count, void *block, uint32_t block_size);

/* 1, and the input is in force from the next tick on; 0, and nothing has changed: the tick is not game_ticks(), the
 * kind is unknown, or a slot, number or policy is not there. Only GAME_START is taken at any time, its tick being 0. */
uint32_t game_input(Game *game, const GameInput *input);
uint32_t game_driver(const Game *game, uint32_t slot); /* in truth: without a seat GAME_POLICY is GAME_SCRIPT */
uint32_t game_seat(const Game *game, uint32_t slot);   /* 0: none; else the policy, counted from 1 */

uint32_t game_tick(Game *game);
uint32_t game_ticks(const Game *game);    /* since game_start */
uint32_t game_episodes(const Game *game); /* finished since game_start */
float game_score(const Game *game, uint32_t slot);
float game_final_score(const Game *game, uint32_t slot);   /* of the episode that ended last */
float game_final_success(const Game *game, uint32_t slot); /* likewise, at any tick, 0 to 1; 0 without such a thing */

/* FNV-1a 64 over the environment and what policies remember: out[0] the low word, out[1] the high one. */
void game_hash(const Game *game, uint32_t out[2]);
void *game_state(Game *game);
uint32_t game_state_size(const Game *game);

/* What the player's policy made of its last observation, whether or not it drives. */
const float *game_probabilities(const Game *game, uint32_t slot); /* [choices], heads in order; NULL: there are none */
uint32_t game_probability_count(const Game *game, uint32_t slot); /* choices, or 0 */
float game_value(const Game *game, uint32_t slot);
const void *game_chosen(const Game *game, uint32_t slot); /* what it would do: int32 or float, [heads] */
const void *game_action(const Game *game, uint32_t slot); /* in force, whoever drives; of the same form */
/* What it was made of. A group of the player's observation, [numbers] of its type; NULL: it is for the critic alone, or
 * there is no policy. A value of the network by its place in the policy's file, [*size]; NULL: there is no such one in
 * float32, or there are more than GAME_MOST_SHOWN players. */
enum { GAME_MOST_SHOWN = 64 };
const void *game_observation(const Game *game, uint32_t slot, uint32_t group);
const float *game_activation(const Game *game, uint32_t slot, uint32_t value, uint32_t *size);

/* Makes the draw list of what is in focus; returns how many EnvShapes it has. game_shapes() holds at most as many as
 * the environment declares: a longer list is a fault of the environment, which the host reports. */
uint32_t game_draw(Game *game, uint32_t slot, float aspect);
const void *game_shapes(const Game *game);
/* cffi: end */
#endif

/* game.h: one game: an environment, one policy that any of its players may follow, and who drives each player.
 *
 * game.c is compiled once per environment (-DGAME_ENV="pong/pong.c"), to WebAssembly for the page and natively for
 * tests. It allocates nothing, calls nobody and has no globals: the host gives one block of memory a game.
 *
 *     need = game_policy_size(bytes, size, &error);                // the bytes of a .minnow file, which stay in place
 *     policy = game_load(bytes, size, block, need, &error);        // or NULL, to play without one
 *     game = game_open(policy, other_block, game_size(policy));
 *     game_start(game, seed, 0);
 *     for (;;) { game_tick(game); shapes = game_draw(game, 0, 1.5f); ... }
 *
 * Blocks need not be aligned, and belong to the host again when what was made in them is no longer used. One policy may
 * serve several games.
 *
 * Everything that changes as the game goes on lies in game_state(), game_state_size() bytes: copying them out and in
 * again is a snapshot, valid for the same environment, policy and build.
 *
 * Ticks. The policy observes for every player at the ticks that are a multiple of the environment's action_repeat,
 * counted from the episode's start, and advances its recurrent state whoever drives, so that a player can be handed
 * over at any time. Script and persons act at each tick. When an episode ends the next begins within the same tick.
 */
#ifndef MINNOW_GAME_H
#define MINNOW_GAME_H
#include <stdint.h>

enum { GAME_SCRIPT = 0, GAME_POLICY = 1, GAME_PERSON = 2 };       /* who drives a slot */
enum { GAME_TERMINATED = 1, GAME_TRUNCATED = 2, GAME_ACTED = 4 }; /* bits of what game_tick returns */

typedef struct GameError {                   /* the words are the host's: modules stay small */
    int32_t number;                          /* from minnow.h's list; 0: none */
    uint32_t misfit;                         /* 1: the file is sound, but made for another game */
    uint32_t index, offset, found, expected; /* as in minnow_error, the low 32 bits */
} GameError;

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
uint32_t game_size(const minnow_policy *policy); /* bytes of a game's block */
/* NULL if the block is too small. Every slot begins driven by the script. */
Game *game_open(const minnow_policy *policy, void *block, uint32_t block_size);

/* Begins afresh: episode 0 of the seed, recurrent state cleared, queue of events empty. Drivers stay. */
void game_start(Game *game, uint32_t seed_low, uint32_t seed_high);

/* GAME_POLICY counts as GAME_SCRIPT where there is no policy. */
void game_drive(Game *game, uint32_t slot, uint32_t driver);
uint32_t game_driver(const Game *game, uint32_t slot);
/* What a person holds from now on: a choice's index, or a continuous head's value. Impossible choices count as idle. */
void game_act(Game *game, uint32_t slot, uint32_t head, float value);
/* 1: the policy's choices are drawn by their probabilities; 0: the likeliest. */
void game_sample(Game *game, uint32_t sampled);
/* Queues an EnvEvent for the start of the next tick, in place of one that turns the same parameter; 0: queue full. */
uint32_t game_event(Game *game, int32_t kind, int32_t slot, float x, float y, float z, float value);

uint32_t game_tick(Game *game);
uint32_t game_ticks(const Game *game);    /* since game_start */
uint32_t game_episodes(const Game *game); /* finished since game_start */
float game_score(const Game *game, uint32_t slot);
float game_final_score(const Game *game, uint32_t slot); /* of the episode that ended last */

/* FNV-1a 64 over environment and session: out[0] the low word, out[1] the high one. */
void game_hash(const Game *game, uint32_t out[2]);
void *game_state(Game *game);
uint32_t game_state_size(const Game *game);

/* What the policy made of its last observation, whether or not it drives. */
const float *game_probabilities(const Game *game, uint32_t slot); /* [game_probability_count(game)], heads in order */
uint32_t game_probability_count(const Game *game);                /* 0 for continuous actions */
float game_value(const Game *game, uint32_t slot);
const void *game_chosen(const Game *game, uint32_t slot); /* what it would do: int32 or float, [heads] */
const void *game_action(const Game *game, uint32_t slot); /* in force, whoever drives; of the same form */

/* Makes the draw list of what is in focus; returns how many EnvShapes there are at game_shapes(). */
uint32_t game_draw(Game *game, uint32_t slot, float aspect);
const void *game_shapes(const Game *game);
#endif

/* env_stack.c: prints the most bytes of stack that a call of an environment's ABI took (-DSTACK_ENV="path"): what lies
 * beneath is painted first, and looked at afterwards. */
#include STACK_ENV
#include <stdio.h>
#include <stdlib.h>

enum { DEEP = 1 << 16, PAINT = 0xa5 };

static int stack_most;

__attribute__((noinline)) static void stack_paint(void) {
    volatile unsigned char stack[DEEP];
    for (int i = 0; i < DEEP; i++) {
        stack[i] = PAINT;
    }
}

__attribute__((noinline)) static void stack_look(void) {
    volatile unsigned char stack[DEEP];
    int clean = 0;
    while (clean < DEEP && stack[clean] == PAINT) {
        clean++;
    }
    stack_most = DEEP - clean > stack_most ? DEEP - clean : stack_most;
}

#define TRY(call) (stack_paint(), (void)(call), stack_look())

static void *stack_room(size_t size) {
    return memset(aligned_alloc(64, env_align(size + 1)), 0, size);
}

int main(void) {
    const size_t slots = ENV_SLOTS, lanes = ENV_LANES;
    void *block = stack_room(env_block_size()), *scratch = stack_room(env_scratch_size()),
         *saved = stack_room(env_saved_size());
    void *action = stack_room(4 * slots * ENV_HEADS * lanes), *obs = stack_room(1 << 20);
    float *reward = stack_room(4 * slots * lanes), *param = stack_room(4 * ENV_PARAM_COUNT),
          *skill = stack_room(4 * slots);
    int32_t *terminated = stack_room(4 * lanes), *truncated = stack_room(4 * lanes);
    uint8_t *left = stack_room(slots * lanes);
    for (uint32_t l = 0; l < lanes; l++) {
        TRY(env_init(block, l, 1, 2, l, NULL, 0.3f));
        TRY(env_reset(block, l));
    }
    const EnvEvent event = {.kind = ENV_EVENT_CUSTOM, .target = 1};
    const EnvView view = {0, 0, 1.5f};
    for (int i = 0; i < 20; i++) {
        TRY(env_tick(block, action, reward, terminated, truncated, left, scratch));
        TRY(env_spawn(block, 0));
    }
    TRY(env_goes_on(block, 0));
    TRY(env_event(block, 0, &event));
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        TRY(env_observe(block, 0, 0, g, obs, scratch));
    }
    TRY(env_mask(block, 0, 0, obs));
    TRY(env_script(block, 0, 0, -1.0f, obs));
    TRY(env_save(block, 0, saved));
    TRY(env_load(block, 0, saved));
    TRY(env_hash(block, 0));
    TRY(env_draw(block, 0, &view, stack_room(ENV_SHAPES * sizeof(EnvShape)), ENV_SHAPES));
    TRY(env_score(block, 0, 0) + env_potential(block, 0, 0) + env_success(block, 0, 0));

    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        param[i] = env_params[i].value;
    }
    EnvRowsConfig config = {.num_envs = 3, .agents = ENV_SLOTS, .action_repeat = 2, .skill = skill};
    config.param = config.low = config.high = param;
    EnvBuffers b = {.action = stack_room(4 * 3 * slots * ENV_HEADS), .reward = stack_room(4 * 3 * slots)};
    b.mask = stack_room(3 * slots * env_choices()), b.record = stack_room(4 * 3 * slots * ENV_RECORD),
    b.reset = stack_room(3 * slots);
    for (uint32_t g = 0; g < ENV_GROUPS; g++) {
        b.obs[g] = stack_room(3 * slots * env_group_bytes(g));
        b.final_obs[g] = stack_room(3 * slots * env_group_bytes(g));
    }
    void *desk = stack_room(env_rows_scratch_size());
    EnvRows *rows = env_rows_init(stack_room(env_rows_size(&config)), &config);
    TRY(env_rows_reset(rows, &b, 0, env_rows_blocks(rows), desk));
    for (int i = 0; i < 20; i++) {
        TRY(env_rows_step(rows, &b, 0, env_rows_blocks(rows), desk));
    }
    TRY(env_rows_observe(rows, &b, 0, env_rows_blocks(rows), desk));
    printf("%d\n", stack_most);
    return 0;
}

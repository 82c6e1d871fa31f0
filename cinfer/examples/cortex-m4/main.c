/* main.c: ../act.c on a microcontroller (Cortex-M4F), the policy in flash; prints by semihosting. Beside it:
 * policy.h, made by `minnow export FILE --format c --out policy.h`.
 *
 * arm-none-eabi-gcc -Os -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -DMINNOW_SCALAR -I../.. \
 *     -specs=nano.specs -nostartfiles -T board.ld main.c -o act.elf
 * qemu-system-arm -M netduinoplus2 -nographic -semihosting -kernel act.elf
 *
 * Prints for each step the action and the bits of the logits; then the memory used: policy, session, stack. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include "policy.h"

extern unsigned char heap_begin[], stack_low[], stack_top[]; /* board.ld places them */
extern uint32_t data_begin[], data_end[], data_stored[], bss_end[];

static void host(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void stop(int fine) {
    host(0x18, (const void *)(fine ? 0x20026u : 0x20023u)); /* SYS_EXIT: done, or an error */
    for (;;) {
    }
}

static void say(const char *text) {
    host(0x04, text); /* SYS_WRITE0 */
}

static void say_number(uint32_t number, uint32_t base, const char *after) {
    char digits[12] = {0}, *at = digits + sizeof digits - 1;
    do {
        *--at = "0123456789abcdef"[number % base];
    } while (number /= base);
    say(at);
    say(after);
}

static void act(void) {
    minnow_error error;
    const size_t room = (size_t)(stack_low - heap_begin), need = minnow_size(policy, policy_size, &error);
    const minnow_policy *brain = minnow_load(policy, policy_size, heap_begin, room, &error);
    if (!brain) {
        say(minnow_message(error.code));
        stop(0);
    }
    const size_t size = minnow_session_size(brain, 1, 0);
    minnow_session *session = minnow_session_init(brain, 1, 0, 42, heap_begin + need, room - need, &error);
    if (!session) {
        say(minnow_message(error.code));
        stop(0);
    }
    float obs[8];
    for (uint32_t step = 0; step < 5; step++) {
        for (uint32_t i = 0; i < 8; i++) {
            obs[i] = (float)((7 * step + 3 * i) % 11) * 0.25f - 1.0f;
        }
        if (minnow_step(session, obs, NULL) != MINNOW_OK) {
            stop(0);
        }
        say_number((uint32_t)minnow_action(session)[0], 10, "");
        for (uint32_t i = 0; i < minnow_action_of(brain)->choices; i++) {
            uint32_t bits;
            memcpy(&bits, &minnow_logits(session)[i], sizeof bits);
            say(" ");
            say_number(bits, 16, "");
        }
        say("\n");
    }
    const unsigned char *deepest = stack_low;
    while (*deepest == 0xa5) {
        deepest++;
    }
    say_number((uint32_t)need, 10, " ");
    say_number((uint32_t)size, 10, " ");
    say_number((uint32_t)(stack_top - deepest), 10, "\n");
}

void reset(void);
void reset(void) {
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* the floating-point unit on */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *to = data_begin, *from = data_stored; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = data_end; to < bss_end;) {
        *to++ = 0;
    }
    volatile unsigned char here, *to = stack_low;
    while ((uintptr_t)to < (uintptr_t)&here - 64) {
        *to++ = 0xa5; /* so that what is used of the stack can be seen */
    }
    act();
    stop(1);
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {(uintptr_t)stack_top, (uintptr_t)reset};

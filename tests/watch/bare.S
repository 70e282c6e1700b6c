/*
 * Functions in assembly without call frame information, as codecs have them, for tests of the search for callers.
 * x86-64 System V. Each spins `turns` times, with return addresses that are none of its callers' on the stack:
 *   first argument: turns; second: what is put on the stack as decoys (an address; 0: none)
 */
#define JOIN(a, b) a##_##b
#define JOINED(a, b) JOIN(a, b)
#define NAME(name) JOINED(WHERE, name) /* WHERE: near, in the program; far, in a library */

    .text

/* Nothing on the stack. */
    .globl NAME(leaf)
    .type NAME(leaf), @function
NAME(leaf):
1:  dec %rdi
    jnz 1b
    ret
    .size NAME(leaf), . - NAME(leaf)

/* Saved registers that are changed, and a frame of 400 bytes that is full of decoys. */
    .globl NAME(frame)
    .type NAME(frame), @function
NAME(frame):
5:
    push %rbx
    push %rbp
    push %r12
    push %r15
    sub $400, %rsp
    mov $50, %ecx
1:  mov %rsi, -8(%rsp,%rcx,8)
    dec %ecx
    jnz 1b
    mov $12345, %ebp
    mov %rdi, %rbx
    xor %r12d, %r12d
    xor %r15d, %r15d
2:  dec %rbx
    jnz 2b
    add $400, %rsp
    pop %r15
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size NAME(frame), . - NAME(frame)

/* Calls the other one. */
    .globl NAME(outer)
    .type NAME(outer), @function
NAME(outer):
    sub $136, %rsp
    call 5b
    add $136, %rsp
    ret
    .size NAME(outer), . - NAME(outer)

    .section .note.GNU-stack, "", @progbits

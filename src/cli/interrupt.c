#include <signal.h>
#include <stddef.h>

#include "cli/cli.h"

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

void fm_interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    /* The second one finds the default again: whoever insists gets out. */
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool fm_interrupt_wanted(void *unused)
{
    (void)unused;
    return caught != 0;
}

int fm_interrupt_exit_code(void)
{
    return caught ? 128 + (int)caught : 0;
}

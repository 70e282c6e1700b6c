/* uftrace: a call of an empty function that was compiled with -pg. Run the program by `uftrace record`. */
#include "peer.h"

__attribute__((noinline)) void peer_uftrace_scope(void);

void peer_uftrace_scope(void)
{
    PEER_BODY();
}

__attribute__((no_instrument_function)) static void batch(int count)
{
    for (int i = 0; i < count; i++)
        peer_uftrace_scope();
}

const peer the_peer = {
    .cases = {{"uftrace, function entry and exit, recorded", NULL, batch, NULL}},
};

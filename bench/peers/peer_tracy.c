/* Tracy's client through its C interface. PEER_NAME tells the two builds of the client apart. */
#include <tracy/TracyC.h>

#include "peer.h"

static void batch(int count)
{
    for (int i = 0; i < count; i++) {
        TracyCZoneN(zone, "scope", 1);
        PEER_BODY();
        TracyCZoneEnd(zone);
    }
}

const peer the_peer = {
    .cases = {{PEER_NAME, NULL, batch, NULL}},
};

/* The store's program. poppod starts it, with its channel on descriptor 3. */
#include "base/fd.h"
#include "store/keeper.h"

#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>

enum { CHANNEL_FD = 3 };

int main(int argc, char **argv)
{
        (void)argv;
        if (argc > 1 || fcntl(CHANNEL_FD, F_GETFD) < 0) {
                fputs("poppod-store: is started by poppod(8), not by hand\n", stderr);
                return EX_USAGE;
        }
        return store_main(CHANNEL_FD);
}

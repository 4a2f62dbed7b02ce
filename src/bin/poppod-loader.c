/* The program that reads modules. poppod starts it, with its channel on descriptor 3, when roots are
 * configured. */
#include "loader/loader.h"

#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>

enum { CHANNEL_FD = 3 };

int main(void)
{
        if (fcntl(CHANNEL_FD, F_GETFD) < 0) {
                fputs("poppod-loader: is started by poppod(8), not by hand\n", stderr);
                return EX_USAGE;
        }
        return loader_main(CHANNEL_FD);
}

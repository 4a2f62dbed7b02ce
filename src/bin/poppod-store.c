/* The store's program. poppod starts it, with its channel on descriptor 3; poppo(1) with a file, for what is done offline. */
#include "base/fd.h"
#include "store/keeper.h"
#include "store/offline.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { CHANNEL_FD = 3 };

static const struct {
        const char *option;
        int (*run)(const char *path);
} offline[] = {{"--check", store_check}, {"--export", store_export}, {"--recover", store_recover}};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc == 3 && i < sizeof(offline) / sizeof(offline[0]); i++)
                if (!strcmp(argv[1], offline[i].option))
                        return fd_fill_stdio() < 0 ? EX_OSERR : offline[i].run(argv[2]);
        if (argc > 1 || fcntl(CHANNEL_FD, F_GETFD) < 0) {
                fputs("poppod-store: is started by poppod(8), not by hand\n", stderr);
                return EX_USAGE;
        }
        return store_main(CHANNEL_FD);
}

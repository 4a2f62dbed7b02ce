/* poppo(1): the program. Everything is in cli_main(), where tests reach it too. */
#include "base/fd.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
        if (fd_fill_stdio() < 0)
                return EXIT_UNREACHABLE;
        return cli_main(argc, argv);
}

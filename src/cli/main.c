/* poppo(1): the program. Everything is in cli_main(), where tests reach it too. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
        return cli_main(argc, argv);
}

/* Stands in for any executable: writes its arguments, each with its length, to descriptor 9. Called t it
 * succeeds. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
        const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];

        dprintf(9, "%d:%s", argc, name);
        for (int i = 1; i < argc; i++)
                dprintf(9, " %zu:%s", strlen(argv[i]), argv[i]);
        dprintf(9, "\n");
        return strcmp(name, "t") != 0;
}

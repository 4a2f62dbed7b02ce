/* poppo store: what keeps durable tasks. stats and compact ask the supervisor; the rest works on the file of one that is not
 * running, and is done by poppod-store, the one program that knows the file. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/paths.h"
#include "cli/document.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- with the supervisor ---- */

static void add_row(struct table *t, const char *key, const json_t *v)
{
        char text[64];

        if (json_is_integer(v))
                snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(v));
        else
                snprintf(text, sizeof(text), "%s",
                        json_is_boolean(v) ? (json_is_true(v) ? "yes" : "no") : json_string_value(v));
        table_row(t, (const char *[]){key, json_is_string(v) ? json_string_value(v) : text});
}

static void print_stats(struct poppo_reply *reply)
{
        static const char *const parts[] = {"store", "figures"};
        CLEANUP(cleanup_json) json_t *body = json_loads(poppo_reply_json(reply, ""), 0, NULL);
        struct table *t = table_new(2);
        const char *key;
        json_t *v;

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                json_object_foreach(json_object_get(body, parts[i]), key, v)
                        add_row(t, key, v);
        table_print(t, 0);
        table_free(t);
}

int cmd_store_stats(struct cli *cli)
{
        struct poppo_reply *reply = NULL;
        int r = poppo_call(cli->poppo, "store-stats", NULL, &reply);

        return output_reply(cli, r, reply, print_stats);
}

int cmd_store_compact(struct cli *cli)
{
        struct poppo_reply *reply;
        int r = poppo_call(cli->poppo, "store-compact", NULL, &reply);

        return r ? cli_fail(cli, r) : output_line(cli, reply, "/message");
}

/* ---- with the file ---- */

/* Beside poppo, as in a build, or in libexec, as installed. */
static const char *const places[] = {"poppod-store", "../libexec/poppo/poppod-store"};

static int work_on_file(struct cli *cli, const char *option)
{
        char program[PATH_MAX];

        if (!paths_find_program(places, sizeof(places) / sizeof(places[0]), program, sizeof(program)))
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot find poppod-store");
        fflush(stdout);
        execl(program, "poppod-store", option, cli->operands[0], (char *)NULL);
        return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot run %s: %s", program, strerror(errno));
}

int cmd_store_check(struct cli *cli)
{
        return work_on_file(cli, "--check");
}

int cmd_store_export(struct cli *cli)
{
        return work_on_file(cli, "--export");
}

int cmd_store_recover(struct cli *cli)
{
        return work_on_file(cli, "--recover");
}

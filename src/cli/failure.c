/* What people read when something goes wrong: what happened and what to try; and the connection, where most does. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void complain_json(const char *code, const char *hint, const char *message)
{
        json_t *error =
                json_pack("{s:{s:s,s:s,s:s*}}", "error", "code", code, "message", message, "hint", hint);

        if (error)
                json_dumpf(error, stderr, JSON_COMPACT);
        fputc('\n', stderr);
        json_decref(error);
}

static int complain(
        const struct cli *cli, int status, const char *code, const char *hint, const char *message)
{
        if (cli->opt.json) {
                complain_json(code, hint, message);
                return status;
        }
        fprintf(stderr, "poppo: %s%s", code, *code ? ": " : "");
        output_text(stderr, message);
        fputc('\n', stderr);
        if (hint)
                fprintf(stderr, "       %s\n", hint);
        return status;
}

int cli_complain(const struct cli *cli, int status, const char *hint, const char *format, ...)
{
        CLEANUP(cleanup_free) char *message = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);
        return complain(cli, status, "", hint, message ? message : error_text(-ENOMEM));
}

/* ---- failures of the library's functions ---- */

/* Where no code says it. The last row is for every other one. */
static const struct {
        int error, status;
        const char *hint;
} errors[] = {
        {-ENOENT, EXIT_UNREACHABLE, "start the supervisor with: poppo daemon start"},
        {-ECONNREFUSED, EXIT_UNREACHABLE,
                "it has ended without tidying up; start it with: poppo daemon start"},
        {-EACCES, EXIT_DENIED, "the socket's mode (daemon.socketMode) does not let you in"},
        {-EPERM, EXIT_DENIED, NULL},
        {-EINVAL, EXIT_DATA, NULL},
        {-EMSGSIZE, EXIT_DATA, NULL},
        {-ENAMETOOLONG, EXIT_USAGE, "choose a shorter one with --socket or POPPO_SOCKET"},
        {-ENOBUFS, EXIT_TRY_AGAIN, NULL},
        {0, EXIT_UNREACHABLE, NULL},
};

static const struct {
        const char *code, *hint;
} codes[] = {
        {"QUEUE_FULL", "try again later, or raise queue.maxLength"},
        {"PROJECT_LIMIT", "try again later, or raise it with: poppo project limit NAME N"},
        {"PROJECT_PAUSED", "poppo project resume NAME lets it go on"},
        {"SHUTTING_DOWN", "try again when the supervisor is back"},
        {"TIMEOUT", "--timeout allows more; 0 is no limit"},
        {"OUT_OF_MEMORY", "daemon.worker.maxMemoryBytes is what a task may use"},
        {"RESULT_TOO_LARGE", "queue.maxResultBytes is what a result may have"},
        {"PERMISSION", "daemon.allowUids and daemon.allowGids say who may connect"},
        {"NOT_FOUND", "poppo list shows the tasks that are known"},
        {"UNSUPPORTED_VERSION",
                "poppo and poppod are of different releases; poppo --version and poppod -V show them"},
};

static const char *find_hint(const char *code)
{
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
                if (!strcmp(codes[i].code, code))
                        return codes[i].hint;
        return NULL;
}

static int fail_code(const struct cli *cli, const char *code, const char *message, int64_t retry_after)
{
        const char *hint = find_hint(code);
        char later[64];

        if (retry_after >= 0) {
                snprintf(later, sizeof(later), "try again in %" PRId64 " ms", retry_after);
                hint = later;
        }
        return complain(cli, poppo_code_exit_status(code), code, hint, message);
}

int cli_fail(struct cli *cli, int r)
{
        const char *code = poppo_error_code(cli->poppo);
        size_t i = 0;

        if (*code)
                return fail_code(
                        cli, code, poppo_error_message(cli->poppo), poppo_error_retry_after(cli->poppo));
        while (errors[i].error && errors[i].error != r)
                i++;
        return complain(cli, errors[i].status, "", errors[i].hint, poppo_error_message(cli->poppo));
}

int cli_fail_reply(struct cli *cli, struct poppo_reply *reply, const char *label)
{
        CLEANUP(cleanup_free) char *message = NULL;
        int64_t retry_after = -1;

        poppo_reply_int(reply, "/error/retryAfter", &retry_after);
        if (asprintf(&message, "%s%s%s", label ? label : "", label ? ": " : "", poppo_reply_message(reply)) < 0)
                message = NULL;
        return fail_code(cli, poppo_reply_code(reply), message ? message : "", retry_after);
}

/* ---- the connection ---- */

int cli_prepare(struct cli *cli)
{
        int r = cli->poppo ? 0 : poppo_new(&cli->poppo);

        if (r < 0)
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s", error_text(r));
        poppo_set_client(cli->poppo, "poppo");
        return 0;
}

int cli_connect(struct cli *cli)
{
        int status = cli_prepare(cli);
        int r = status ? 0 : poppo_connect(cli->poppo, cli->opt.socket);

        return r ? cli_fail(cli, r) : status;
}

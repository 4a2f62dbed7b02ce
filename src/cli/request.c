/* A task in the making. JSON has no raw bytes: they stand beside it until all of it is packed. */
#include "cli/request.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int complain_memory(const struct cli *cli)
{
        return cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s", error_text(-ENOMEM));
}

int request_init(struct request *r, struct cli *cli, const char *type)
{
        r->cli = cli;
        r->n_bytes = 0;
        r->task = json_pack("{s:s}", "type", type);
        return r->task ? 0 : complain_memory(cli);
}

void request_fini(struct request *r)
{
        json_decref(r->task);
        for (size_t i = 0; i < r->n_bytes; i++) {
                free((char *)r->bytes[i].pointer);
                free((void *)r->bytes[i].data);
        }
}

int request_set_text(struct request *r, json_t *object, const char *key, const char *text)
{
        if (text && json_object_set_new(object, key, json_string(text)))
                return cli_complain(r->cli, EXIT_DATA, NULL, "%s is not UTF-8", key);
        return 0;
}

int request_set_bytes(
        struct request *r, json_t *object, const char *pointer, const char *key, char *data, size_t len)
{
        char *place = document_pointer(pointer, key);
        int status = json_object_get(object, key)
                             ? cli_complain(r->cli, EXIT_USAGE, NULL, "%s is given twice", key)
                             : request_set_text(r, object, key, "");

        if (!status && r->n_bytes < REQUEST_BYTES_MAX && place) {
                r->bytes[r->n_bytes++] = (struct poppo_raw){place, data, len};
                return 0;
        }
        free(place);
        free(data);
        return status ? status : complain_memory(r->cli);
}

/* {task, options, wait, follow} as text, bytes still empty strings. */
static char *arguments(const struct request *r, bool follow)
{
        CLEANUP(cleanup_json) json_t *options = document_options(r->cli, 1);
        CLEANUP(cleanup_json)
        json_t *all = json_pack("{s:O,s:O,s:b}", "task", r->task, "options", options, "wait", 1);

        if (all && follow)
                json_object_set_new(all, "follow", json_true());
        return all ? json_dumps(all, JSON_COMPACT) : NULL;
}

int request_run(struct request *r, struct follow *f, bool follow, struct poppo_reply **reply)
{
        CLEANUP(cleanup_free) char *text = arguments(r, follow);
        CLEANUP(cleanup_free) void *packed = NULL;
        size_t len;
        int status;

        if (!text)
                return cli_complain(r->cli, EXIT_DATA, NULL, "an option is not UTF-8");
        status = cli_connect(r->cli);
        if (status)
                return status;
        if (poppo_pack(r->cli->poppo, text, r->bytes, r->n_bytes, &packed, &len) < 0)
                return cli_complain(r->cli, EXIT_DATA, NULL, "%s", poppo_error_message(r->cli->poppo));
        return follow_call(f, "submit", packed, len, reply);
}

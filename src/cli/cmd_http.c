/* poppo http: a request with curl's habits: the body as it came, and nothing else, on standard output. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/request.h"

#include <string.h>

/* ---- the task ---- */

static int add_url(struct request *r)
{
        const char *url = r->cli->operands[0];
        CLEANUP(cleanup_free) char *whole = NULL;

        if (!strstr(url, "://") && asprintf(&whole, "http://%s", url) < 0)
                return EXIT_UNREACHABLE;
        return request_set_text(r, r->task, "url", whole ? whole : url);
}

/* A header that is given twice is one with both values, as HTTP has it. */
static int add_header(struct request *r, json_t *headers, const char *line)
{
        const char *colon = strchr(line, ':'), *value, *before;
        CLEANUP(cleanup_free) char *name = colon ? strndup(line, (size_t)(colon - line)) : NULL;
        CLEANUP(cleanup_free) char *both = NULL;

        if (!name)
                return cli_complain(r->cli, EXIT_USAGE, NULL, "-H takes 'Name: value', not \"%s\"", line);
        value = colon + 1 + strspn(colon + 1, " \t");
        before = json_string_value(json_object_get(headers, name));
        if (before && asprintf(&both, "%s, %s", before, value) < 0)
                return EXIT_UNREACHABLE;
        return request_set_text(r, headers, name, both ? both : value);
}

static int add_headers(struct request *r)
{
        const struct cli_list *lines = &r->cli->opt.headers;
        json_t *headers = json_object();
        int status = 0;

        json_object_set_new(r->task, "headers", headers);
        for (size_t i = 0; i < lines->n && !status; i++)
                status = add_header(r, headers, lines->items[i]);
        return status;
}

static int add_data(struct request *r)
{
        const char *data = r->cli->opt.data;
        char *content;
        size_t len;
        int status;

        if (*data != '@' && strcmp(data, "-"))
                return request_set_text(r, r->task, "data", data);
        status = document_read(r->cli, *data == '@' ? data + 1 : data, &content, &len);
        return status ? status : request_set_bytes(r, r->task, "/task", "data", content, len);
}

/* The body is wanted as it came; a record for people shows what it says. */
static int add_members(struct request *r)
{
        const struct cli_options *o = &r->cli->opt;
        int status = add_url(r);

        if (!status)
                status = request_set_text(r, r->task, "method", o->request);
        if (!status && o->headers.n)
                status = add_headers(r);
        if (!status && o->data)
                status = add_data(r);
        return status ? status : request_set_text(r, r->task, "responseType", o->json ? NULL : "bytes");
}

/* ---- the response ---- */

static void print_text(const char *text)
{
        output_text(stdout, text ? text : "");
}

static void print_header(const char *name, const json_t *value)
{
        print_text(name);
        print_text(": ");
        print_text(json_string_value(value));
        putchar('\n');
}

static void print_head(struct poppo_reply *record, const char *response)
{
        CLEANUP(cleanup_json) json_t *head = NULL;
        char pointer[64];
        const char *text, *name;
        json_t *value, *item;
        size_t i;

        snprintf(pointer, sizeof(pointer), "%s/headers", response);
        text = poppo_reply_json(record, pointer);
        head = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
        snprintf(pointer, sizeof(pointer), "%s/status", response);
        printf("HTTP %s ", poppo_reply_json(record, pointer));
        snprintf(pointer, sizeof(pointer), "%s/statusText", response);
        print_text(poppo_reply_string(record, pointer, NULL));
        putchar('\n');
        json_object_foreach(head, name, value)
        {
                if (!json_is_array(value))
                        print_header(name, value);
                json_array_foreach(value, i, item) print_header(name, item);
        }
        putchar('\n');
}

static void print_body(struct poppo_reply *record, const char *response)
{
        unsigned char last = 0;
        char pointer[64];
        const void *data;
        size_t len;

        snprintf(pointer, sizeof(pointer), "%s/data", response);
        if (!poppo_reply_bytes(record, pointer, &data, &len))
                output_bytes(stdout, data, len, &last);
        else if (poppo_reply_json(record, pointer))
                output_json(record, pointer);
}

/* A status that was not accepted has a response too. */
static int print_response(const struct cli *cli, struct poppo_reply *record)
{
        const char *response = follow_outcome(record);
        char pointer[64];

        if (cli->opt.json) {
                output_json(record, "/result");
                return output_status(record);
        }
        snprintf(pointer, sizeof(pointer), "%s/status", response);
        if (poppo_reply_json(record, pointer)) {
                if (cli->opt.include)
                        print_head(record, response);
                print_body(record, response);
                fflush(stdout);
        }
        if (output_status(record))
                output_failure(record, NULL, false);
        return output_status(record);
}

int cmd_http(struct cli *cli)
{
        struct poppo_reply *reply;
        struct request r;
        struct follow f;
        int status = request_init(&r, cli, "http-request");

        follow_init(&f, cli, stderr);
        if (!status)
                status = add_members(&r);
        if (!status)
                status = request_run(&r, &f, false, &reply);
        request_fini(&r);
        if (status)
                return status;
        status = print_response(cli, reply);
        poppo_reply_free(reply);
        return status;
}

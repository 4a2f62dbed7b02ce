/* Reading task documents and merging the command line's options into them. */
#include "cli/document.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static int read_all(int fd, struct buf *out)
{
        ssize_t n;

        do {
                int r = buf_reserve(out, 64 * 1024);

                if (r < 0)
                        return r;
                n = read(fd, out->data + out->len, 64 * 1024);
                out->len += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        return n < 0 ? -errno : 0;
}

static int complain_read(struct cli *cli, const char *path, int r)
{
        if (r == -ENOBUFS)
                return cli_complain(cli, EXIT_DATA, NULL, "%s has more than %d bytes", path, CLI_INPUT_MAX);
        return cli_complain(cli, EXIT_DATA, NULL, "cannot read %s: %s", path, error_text(r));
}

int document_read(struct cli *cli, const char *path, char **text, size_t *len)
{
        CLEANUP(buf_fini) struct buf content;
        CLEANUP(cleanup_close) int fd = -1;
        bool is_stdin = !strcmp(path, "-");
        int r;

        buf_init(&content, CLI_INPUT_MAX + 128 * 1024);
        fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        path = is_stdin ? "standard input" : path;
        r = fd < 0 ? -errno : read_all(fd, &content);
        if (!r && buf_size(&content) > CLI_INPUT_MAX)
                r = -ENOBUFS;
        if (!r)
                r = buf_append(&content, "", 1);
        if (r < 0)
                return complain_read(cli, path, r);
        *len = buf_size(&content) - 1;
        *text = (char *)TAKE_PTR(content.data);
        return 0;
}

/* ---- JSON ---- */

/* Integers beyond 64 bits become reals, as JavaScript has them. */
static json_t *parse(const char *text, size_t len, json_error_t *error)
{
        size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
        json_t *v = json_loadb(text, len, flags, error);

        if (!v && json_error_code(error) == json_error_numeric_overflow)
                v = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, error);
        return v;
}

int document_parse(struct cli *cli, const char *label, const char *text, size_t len, json_t **out)
{
        json_error_t error;
        char line[32] = "";

        *out = parse(text, len, &error);
        if (*out)
                return 0;
        if (memchr(text, '\n', len))
                snprintf(line, sizeof(line), "line %d, ", error.line);
        return cli_complain(cli, EXIT_DATA, NULL, "%s is not JSON: %scolumn %d: %s", label, line,
                error.column, error.text);
}

char *document_pointer(const char *pointer, const char *key)
{
        char *text = malloc(strlen(pointer) + 2 * strlen(key) + 2), *at;

        if (!text)
                return NULL;
        at = stpcpy(stpcpy(text, pointer), "/");
        for (; *key; key++)
                if (*key == '~' || *key == '/')
                        at = stpcpy(at, *key == '~' ? "~0" : "~1");
                else
                        *at++ = *key;
        *at = '\0';
        return text;
}

/* ---- options ---- */

static int set_text(json_t *options, const char *key, const char *value)
{
        return value ? json_object_set_new(options, key, json_string(value)) : 0;
}

static int set_number(json_t *options, const char *key, bool given, int64_t value)
{
        return given ? json_object_set_new(options, key, json_integer(value)) : 0;
}

json_t *document_options(const struct cli *cli, int64_t default_attempts)
{
        const struct cli_options *o = &cli->opt;
        bool attempts = CLI_GIVEN(cli, ATTEMPTS);
        json_t *options = json_object();

        if (options && !set_text(options, "projectId", o->project) && !set_text(options, "key", o->key) &&
                !set_number(options, "priority", CLI_GIVEN(cli, PRIORITY), o->priority) &&
                !set_number(options, "timeout", CLI_GIVEN(cli, TIMEOUT), o->timeout) &&
                !set_number(options, "delay", CLI_GIVEN(cli, DELAY), o->delay) &&
                !set_number(options, "maxAttempts", attempts || default_attempts,
                        attempts ? o->attempts : default_attempts))
                return options;
        json_decref(options);
        return NULL;
}

/* A document with a member "task" that is an object is {task, options}; anything else is a bare task. */
static json_t *task_of(json_t *document)
{
        json_t *task = json_object_get(document, "task");

        return json_is_object(task) ? task : document;
}

int document_submit(struct cli *cli, const char *label, json_t *document, json_t **out)
{
        json_t *task = task_of(document);
        json_t *given = task == document ? NULL : json_object_get(document, "options");
        CLEANUP(cleanup_json) json_t *options = NULL;

        if (!json_is_object(document))
                return cli_complain(
                        cli, EXIT_DATA, NULL, "%s is not a task: an object {\"type\": ...} is needed", label);
        if (given && !json_is_object(given))
                return cli_complain(cli, EXIT_DATA, NULL, "%s: options is not an object", label);
        options = document_options(cli, 0);
        if (options && given)
                json_object_update_missing(options, given);
        *out = json_pack("{s:O,s:O}", "task", task, "options", options);
        return *out ? 0 : cli_complain(cli, EXIT_DATA, NULL, "%s: an option is not UTF-8", label);
}

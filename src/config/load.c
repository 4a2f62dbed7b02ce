/* Reading a file whole, parsing it, and the promise of all or nothing. */
#include "config/config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "config/walk.h"

#include <errno.h>
#include <fcntl.h>

/* jansson counts to the end of the token that it refuses; a repeated key is better shown where it begins. */
static size_t key_start(const char *text, size_t len, size_t end)
{
        struct locator at = {text, len, 0};

        while (at.at < end) {
                size_t start = locate_next(&at);

                locate_bracket(&at);
                if (at.at == start)
                        locate_skip(&at);
                if (at.at >= end)
                        return start;
        }
        return end;
}

static int refuse_syntax(const struct config_report *rep, size_t len, const json_error_t *e)
{
        size_t at = e->position > 0 ? (size_t)e->position : 0;

        if (json_error_code(e) == json_error_out_of_memory)
                return config_fail(rep, error_origin(-ENOMEM), "%s", error_text(-ENOMEM));
        if (json_error_code(e) == json_error_duplicate_key) {
                size_t start = key_start(rep->text, len, at);

                return config_refuse(rep, start, "duplicate key %.*s", (int)(at - start), rep->text + start);
        }
        /* The last character of what it refuses; of a broken one it counts only what came before. */
        if (at && json_error_code(e) != json_error_invalid_utf8)
                at--;
        return config_refuse(rep, at, "not JSON: %s", e->text);
}

/* Fills a config that has the defaults; the caller frees it either way. */
static int parse(struct config *out, struct config_walk *w)
{
        json_error_t e;
        CLEANUP(config_cleanup_json) json_t *file = json_loadb(w->at.text, w->at.len, JSON_REJECT_DUPLICATES, &e);
        int r = file ? config_walk_file(w, file, out) : refuse_syntax(&w->report, w->at.len, &e);

        return r < 0 ? config_fail(&w->report, r, "%s", error_text(r)) : r;
}

int config_load_text(struct config *out, const char *text, size_t len, const char *name, struct config_error *err)
{
        struct config_walk w = {.report = {.file = name, .text = text, .err = err}, .at = {.text = text, .len = len}};
        CLEANUP(config_fini) struct config fresh = {0};
        int r;

        *err = (struct config_error){0};
        r = config_defaults(&fresh);
        if (r < 0)
                return config_fail(&w.report, r, "%s", error_text(r));
        r = parse(&fresh, &w);
        if (r)
                return r;
        *out = fresh;
        fresh = (struct config){0};
        return 0;
}

static int read_whole(const char *path, struct buf *out)
{
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        for (;;) {
                int r = buf_reserve(out, 4096);

                if (r < 0)
                        return r == -ENOBUFS ? -EFBIG : r;
                n = read(fd, out->data + out->len, out->cap - out->len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                out->len += (size_t)n;
        }
}

int config_load(struct config *out, const char *path, struct config_error *err)
{
        CLEANUP(buf_fini) struct buf text;
        struct config_report rep = {.file = path, .err = err};
        int r;

        buf_init(&text, CONFIG_FILE_MAX);
        *err = (struct config_error){0};
        r = read_whole(path, &text);
        if (r < 0)
                return config_fail(&rep, error_origin(r), "%s", error_text(r));
        return config_load_text(out, (const char *)text.data, text.len, path, err);
}

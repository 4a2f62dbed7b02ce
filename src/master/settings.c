/* One function a kind writes what its workers need; a table names them. */
#include "master/settings.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CA_FILE_MAX = 4 * 1024 * 1024 };

struct source {
        const struct config_task_type *type;
        const struct config_project *project;
};

/* ---- values ---- */

static void put_strings(struct pack *p, const char *key, const struct config_strings *strings)
{
        pack_text(p, key);
        pack_array(p, strings->n);
        for (size_t i = 0; i < strings->n; i++)
                pack_text(p, strings->items[i]);
}

static void put_numbers(struct pack *p, const char *key, const struct config_numbers *numbers)
{
        pack_text(p, key);
        pack_array(p, numbers->n);
        for (size_t i = 0; i < numbers->n; i++)
                pack_int(p, numbers->items[i]);
}

/* Kept as "NAME=value"; a map to those who read it. */
static void put_environment(struct pack *p, const struct config_strings *env)
{
        pack_text(p, "env");
        pack_map(p, env->n);
        for (size_t i = 0; i < env->n; i++) {
                const char *item = env->items[i], *equals = strchr(item, '=');

                pack_str(p, (struct bytes){(const uint8_t *)item, (size_t)(equals - item)});
                pack_text(p, equals + 1);
        }
}

/* Part of the configuration that stands in a file of its own. The worker has no files: it gets the bytes. */
static int read_file(const char *path, struct buf *out)
{
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return error_origin(-errno);
        for (;;) {
                int r = buf_reserve(out, 16 * 1024);

                if (r < 0)
                        return r == -ENOBUFS ? error_origin(-EFBIG) : r;
                n = read(fd, out->data + out->len, out->cap - out->len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? error_origin(-errno) : 0;
                out->len += (size_t)n;
        }
}

static int put_ca_file(struct pack *p, const char *path)
{
        CLEANUP(buf_fini) struct buf bytes;
        int r;

        buf_init(&bytes, CA_FILE_MAX);
        r = read_file(path, &bytes);
        if (r < 0)
                return r;
        pack_text(p, "caFile");
        pack_bin(p, buf_bytes(&bytes));
        return 0;
}

/* ---- kinds ---- */

static int write_http(struct pack *p, const struct source *s)
{
        const struct config_task_type *t = s->type;

        pack_map(p, 6u + (s->project->ca_file != NULL));
        pack_entry_bool(p, "allowPrivate", t->allow_private);
        put_strings(p, "allowHosts", &t->allow_hosts);
        put_numbers(p, "allowPorts", &t->allow_ports);
        pack_entry_int(p, "maxRedirects", t->max_redirects);
        pack_entry_int(p, "maxResponseBytes", t->max_response_bytes);
        pack_entry_int(p, "maxTransfers", t->max_transfers);
        return s->project->ca_file ? put_ca_file(p, s->project->ca_file) : 0;
}

static int write_shell(struct pack *p, const struct source *s)
{
        const struct config_task_type *t = s->type;

        pack_map(p, 9);
        put_strings(p, "allow", &t->allow);
        put_strings(p, "paths", &t->paths);
        pack_entry_int(p, "maxOutputBytes", t->max_output_bytes);
        pack_entry_int(p, "maxDiskBytes", t->max_disk_bytes);
        pack_entry_int(p, "maxFiles", t->max_files);
        pack_entry_int(p, "maxTreeProcesses", t->max_tree_processes);
        pack_entry_int(p, "maxTreeMemoryBytes", t->max_tree_memory_bytes);
        pack_entry_bool(p, "network", s->project->network);
        put_environment(p, &s->project->env);
        return 0;
}

static int write_handler(struct pack *p, const struct source *s)
{
        pack_map(p, 1);
        put_environment(p, &s->project->env);
        return 0;
}

static int (*const writers[KINDS])(struct pack *, const struct source *) = {
        [KIND_HTTP] = write_http,
        [KIND_SHELL] = write_shell,
        [KIND_PROGRAM] = write_handler,
        [KIND_PLUGIN] = write_handler,
};

int settings_write(struct buf *out, const struct config *c, enum class_kind kind, const char *type, const char *project)
{
        struct source source = {config_task_type_find(c, type, strlen(type)), config_project_find(c, project, strlen(project))};
        struct pack p;
        int r;

        pack_init(&p, out);
        r = writers[kind](&p, &source);
        return r ? r : p.error;
}

/* ---- handlers ---- */

/* The buffer may move while it grows, so arrays are pointed at when all of them are there. */
static struct bytes part(const struct buf *b, size_t from, size_t to)
{
        return (struct bytes){buf_head(b) + from, to - from};
}

static void put_list(struct pack *p, const struct config_strings *strings)
{
        pack_array(p, strings->n);
        for (size_t i = 0; i < strings->n; i++)
                pack_text(p, strings->items[i]);
}

int settings_handler(struct buf *out, const struct config *c, const char *type, struct wire_handler *handler)
{
        const struct config_task_type *t = config_task_type_find(c, type, strlen(type));
        struct pack p;
        size_t paths;

        if (!config_is_handler(t))
                return error_origin(-ENOENT);
        pack_init(&p, out);
        put_list(&p, &t->program);
        paths = buf_size(out);
        put_list(&p, &t->paths);
        if (p.error)
                return p.error;
        *handler = (struct wire_handler){0};
        WIRE_SET(handler, handler, type, wire_str(t->name));
        WIRE_SET(handler, handler, profile, (uint64_t)config_handler_profile(t));
        WIRE_SET(handler, handler, paths, part(out, paths, buf_size(out)));
        WIRE_SET(handler, handler, network, t->network);
        WIRE_SET(handler, handler, tree_memory, (uint64_t)t->max_tree_memory_bytes);
        if (t->plugin)
                WIRE_SET(handler, handler, plugin, wire_str(t->plugin));
        else
                WIRE_SET(handler, handler, program, part(out, 0, paths));
        return 0;
}

static bool same_strings(const struct config_strings *a, const struct config_strings *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->items[i], b->items[i]))
                        return false;
        return true;
}

bool settings_same_handler(const struct config_task_type *a, const struct config_task_type *b)
{
        if (!config_is_handler(a) || !config_is_handler(b))
                return config_is_handler(a) == config_is_handler(b);
        return same_strings(&a->program, &b->program) && same_strings(&a->paths, &b->paths) &&
                !strcmp(a->plugin ? a->plugin : "", b->plugin ? b->plugin : "") &&
                config_handler_profile(a) == config_handler_profile(b) &&
                a->network == b->network && a->max_tree_memory_bytes == b->max_tree_memory_bytes;
}

/* What is opened is checked, and what was checked is loaded: the linker gets the descriptor, not the path. */
#include "worker/plugin/load.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "sandbox/trusted.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, HELP_MAX_BYTES = 256 };

/* Up to run(), without which nothing can be done; what comes behind may be missing. */
#define LEAST_SIZE (offsetof(struct poppo_plugin, run) + sizeof(((struct poppo_plugin *)0)->run))

static int refuse(struct wire_refusal *why, const char *path, const char *fault)
{
        size_t len = strlen(path), skip = len > 80 ? len - 80 : 0;

        return wire_refuse(why, WIRE_WORKER_CRASHED, "%s%s %s", skip ? "..." : "", path + skip, fault);
}

/* ---- metrics ---- */

static bool is_metric_name(const char *name)
{
        size_t len = strnlen(name, NAME_MAX_BYTES + 1);

        if (!len || len > NAME_MAX_BYTES || isdigit((unsigned char)*name))
                return false;
        for (const char *c = name; *c; c++)
                if (!isalnum((unsigned char)*c) && *c != '_')
                        return false;
        return true;
}

static bool is_known(const struct poppo_metric *metrics, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (!strcmp(metrics[i].name, name))
                        return true;
        return false;
}

/* As the supervisor wants it, who would take a worker that sends anything else for a broken one. */
static bool is_help(const char *text)
{
        size_t len = strnlen(text, HELP_MAX_BYTES + 1);

        if (!len || len > HELP_MAX_BYTES)
                return false;
        for (size_t n; *text; text += n) {
                n = utf8_character(text);
                if (!n || (unsigned char)*text < ' ')
                        return false;
        }
        return true;
}

static const char *fault_of_metric(const struct poppo_metric *metrics, size_t i)
{
        const struct poppo_metric *m = &metrics[i];

        if (i == PLUGIN_METRICS_MAX)
                return "has more than 64 metrics";
        if (!is_metric_name(m->name))
                return "has a metric with a name that is none";
        if (is_known(metrics, i, m->name))
                return "has two metrics of one name";
        if ((unsigned int)m->kind > POPPO_HISTOGRAM)
                return "has a metric of an unknown kind";
        if (m->help && !is_help(m->help))
                return "has a metric with a help text that is empty, over 256 bytes or no line of UTF-8";
        return NULL;
}

static const char *fault_of_metrics(struct plugin *p)
{
        const struct poppo_metric *metrics = p->code.metrics;
        const char *fault = NULL;

        for (p->n_metrics = 0; metrics && metrics[p->n_metrics].name && !fault; p->n_metrics++)
                fault = fault_of_metric(metrics, p->n_metrics);
        return fault;
}

/* ---- the struct ---- */

static int take(
        const struct poppo_plugin *exported, const char *path, struct plugin *out, struct wire_refusal *why)
{
        const char *fault;
        char text[80];

        if (exported->abi != POPPO_PLUGIN_ABI) {
                snprintf(text, sizeof(text), "has the plugin ABI %u, and this is poppo with %d",
                        exported->abi, POPPO_PLUGIN_ABI);
                return refuse(why, path, text);
        }
        if (exported->size < LEAST_SIZE)
                return refuse(why, path, "has a poppo_plugin that is too short");
        *out = (struct plugin){0};
        memcpy(&out->code, exported, exported->size < sizeof(out->code) ? exported->size : sizeof(out->code));
        if (!out->code.run)
                return refuse(why, path, "has no run function");
        if (!out->code.name || !*out->code.name ||
                strnlen(out->code.name, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
                return refuse(why, path, "has no name, or one over 64 bytes");
        fault = fault_of_metrics(out);
        return fault ? refuse(why, path, fault) : 0;
}

/* ---- the file ---- */

/* The linker names the file as it was told to open it. */
static const char *fault_of_linker(const char *name)
{
        const char *text = dlerror();
        size_t len = strlen(name);

        if (!text)
                return "cannot be loaded";
        return strncmp(text, name, len) ? text : text + len + strspn(text + len, ": ");
}

static int link_file(int fd, const char *path, struct plugin *out, struct wire_refusal *why)
{
        const struct poppo_plugin *exported;
        char name[32];
        void *object;

        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (!object)
                return refuse(why, path, fault_of_linker(name));
        exported = dlsym(object, "poppo_plugin");
        if (!exported)
                return refuse(why, path, "exports no poppo_plugin");
        return take(exported, path, out, why);
}

int plugin_load(const char *path, struct plugin *out, struct wire_refusal *why)
{
        char fault[TRUSTED_FAULT];
        CLEANUP(cleanup_close) int fd = trusted_open(path, false, fault);

        if (fd < 0)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%s", fault);
        return link_file(fd, path, out, why);
}

/* From the configuration to the parts, at start and live. A reload is all or nothing, and says what it did. */
#include "master/supervisor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- applying ---- */

static struct project_settings project_settings_of(const struct config_project *p)
{
        return (struct project_settings){.limit = (uint32_t)p->process_limit, .max_queued = (uint32_t)p->max_queued,
                .weight = (uint32_t)p->weight, .max_priority = (uint8_t)p->max_priority, .paused = p->paused,
                .isolation = (uint8_t)(p->isolation == CONFIG_ABSENT ? ISOLATION_HEAP : p->isolation),
                .rate = p->rate_limit};
}

static bool is_unchanged(const struct config *before, const char *name, const struct project_settings *settings)
{
        const struct config_project *p = config_project_find(before, name, strlen(name));
        struct project_settings old = project_settings_of(p);

        return p->name && project_settings_equal(&old, settings);
}

void supervisor_apply_projects(struct supervisor *s, const struct config *before)
{
        struct wire_refusal why;

        for (size_t i = 0; i < s->config.n_projects; i++) {
                const struct config_project *c = &s->config.projects[i];
                struct project_settings settings = project_settings_of(c);
                struct project *p;

                if (before && is_unchanged(before, c->name, &settings))
                        continue;
                if (scheduler_project(&s->scheduler, wire_str(c->name), &p, &why))
                        log_error("configuration", "project %s: %s", c->name, why.message);
                else
                        scheduler_project_set(&s->scheduler, p, &settings, clock_now());
        }
}

static struct scheduler_config scheduler_settings(const struct config *c)
{
        return (struct scheduler_config){.max_length = (uint64_t)c->queue.max_length,
                .max_bytes = (uint64_t)c->queue.max_bytes,
                .reject_on_limit = c->queue.on_limit == CONFIG_ON_LIMIT_REJECT,
                .aging_interval = c->queue.aging_interval * NS_PER_MS,
                .isolation = (enum isolation)c->daemon.worker.isolation,
                .max_seats = (uint32_t)c->daemon.worker.max_processes,
                .defaults = project_settings_of(&c->default_project)};
}

struct listener_rules supervisor_listener_rules(const struct config *c)
{
        const struct config_daemon *d = &c->daemon;

        return (struct listener_rules){.mode = (mode_t)d->socket_mode, .uids = d->allow_uids.items,
                .n_uids = d->allow_uids.n, .gids = d->allow_gids.items, .n_gids = d->allow_gids.n};
}

/* How many tasks a worker of a class takes at once, and how many workers there may be. */
static void apply_classes(struct supervisor *s)
{
        const struct config_task_type *http = config_task_type_find(&s->config, "http-request", strlen("http-request"));
        uint32_t transfers = (uint32_t)http->max_transfers;
        int64_t now = clock_now();

        /* A worker that was told the new number would not take what its seat had room for by the old one. */
        if (scheduler_capacity(&s->scheduler, CLASS_HTTP) != transfers)
                pool_retire_class(&s->pool, CLASS_HTTP, "maxTransfers was changed");
        scheduler_set_class(&s->scheduler, CLASS_HTTP, transfers, 0, now);
        for (unsigned int i = 0; i < s->types.n_handlers; i++) {
                const struct task_type *t = &s->types.handlers[i];
                const struct config_task_type *c = config_task_type_find(&s->config, t->name, strlen(t->name));

                scheduler_set_class(&s->scheduler, (enum task_class)t->class, 1, (uint32_t)c->processes, now);
                scheduler_withdraw_class(&s->scheduler, (enum task_class)t->class, t->withdrawn, now);
                pool_trim_class(&s->pool, (enum task_class)t->class, "processes was lowered");
        }
}

/* A start that fails is tried again, so what there is to say is said. */
static void apply_roots(struct supervisor *s)
{
        const char *type = WIRE_MESSAGE(execute_module)->name;
        int r = loader_link_configure(&s->loader, &config_task_type_find(&s->config, type, strlen(type))->roots);

        if (r < 0)
                log_error("loader", "%s cannot be started: %s", s->options->loader_program, error_text(r));
}

void supervisor_apply(struct supervisor *s)
{
        struct scheduler_config settings = scheduler_settings(&s->config);
        int level = s->config.logging.level + s->options->verbosity;

        s->settings++;
        scheduler_configure(&s->scheduler, &settings, clock_now());
        apply_classes(s);
        apply_roots(s);
        s->dispatch.retry = (struct retry_policy){.backoff = s->config.defaults.retry_backoff,
                .delay_max = s->config.defaults.retry_delay_max * NS_PER_MS,
                .jitter = s->config.defaults.retry_jitter};
        registry_set_budget(&s->registry, (uint64_t)s->config.queue.max_kept_bytes);
        pool_configure(&s->pool, &s->config);
        supervisor_reserve_fds(s);
        log_set_level(level < LOG_ERROR ? LOG_ERROR : level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level);
        log_set_format((enum log_format)s->config.logging.format);
}

/* ---- the log ---- */

int supervisor_open_log(struct supervisor *s)
{
        const char *path = s->config.logging.file;
        int fd = STDERR_FILENO;

        if (path && *path) {
                fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
                if (fd < 0)
                        return error_origin(-errno);
        }
        log_set_fd(fd);
        if (s->log_fd > STDERR_FILENO)
                close(s->log_fd);
        s->log_fd = fd;
        return 0;
}

/* ---- reloading ---- */

struct changes {
        char *text;
        size_t size, len;
};

static const char *or_absent(const char *value)
{
        return value ? value : "absent";
}

static void on_change(void *arg, const struct config_change *change)
{
        struct changes *c = arg;
        const char *before = or_absent(change->before), *after = or_absent(change->after);
        size_t room = c->size - c->len;
        int n = change->needs_restart ?
                        snprintf(c->text + c->len, room, "%s%s needs a restart: %s stays, not %s", c->len ? "; " : "",
                                change->path, before, after) :
                        snprintf(c->text + c->len, room, "%s%s: %s, was %s", c->len ? "; " : "", change->path, after,
                                before);

        c->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* A project that is no longer in the file falls back to the defaults. */
static void forget_projects(struct supervisor *s, const struct config *next)
{
        for (size_t i = 0; i < s->config.n_projects; i++) {
                struct bytes name = wire_str(s->config.projects[i].name);
                struct project *p = scheduler_project_find(&s->scheduler, name);

                if (p && !config_project_find(next, (const char *)name.data, name.len)->name)
                        scheduler_project_set(&s->scheduler, p, NULL, clock_now());
        }
}

/* Workers that would be made in another way now. */
static void replace_handler(struct supervisor *s, unsigned int i)
{
        metrics_forget(&s->metrics, i);
        pool_retire_class(&s->pool, (enum task_class)s->types.handlers[i].class, "its handler was configured anew");
}

static void retire_changed_handlers(struct supervisor *s, const struct config *before)
{
        for (unsigned int i = 0; i < s->types.n_handlers; i++) {
                const struct task_type *t = &s->types.handlers[i];
                size_t len = strlen(t->name);

                if (!settings_same_handler(config_task_type_find(before, t->name, len),
                            config_task_type_find(&s->config, t->name, len)))
                        replace_handler(s, i);
        }
}

static int take_over(struct supervisor *s, struct config *next, char *text, size_t size)
{
        struct changes changes = {.text = text, .size = size};
        struct config before = s->config;
        int n;

        if (task_types_configure(&s->types, next, text, size)) {
                config_fini(next);
                return 1;
        }
        n = config_compare(&s->config, next, on_change, &changes);
        if (n < 0 || config_keep_fixed(next, &s->config) < 0) {
                snprintf(text, size, "no memory for the new configuration");
                config_fini(next);
                return 1;
        }
        if (!n)
                snprintf(text, size, "nothing changed");
        forget_projects(s, next);
        s->config = *next;
        supervisor_apply(s);
        supervisor_apply_projects(s, &before);
        retire_changed_handlers(s, &before);
        pool_try_again(&s->pool);
        config_fini(&before);
        s->listener.rules = supervisor_listener_rules(&s->config);
        return 0;
}

int supervisor_reload(struct supervisor *s, char *text, size_t size)
{
        struct config_error error;
        struct config next;
        int r, e;

        if (master_load_config(&next, s->options->config_path, &error)) {
                snprintf(text, size, "%s", error.text);
                log_error("reload", "refused, nothing changed: %s", text);
                return 1;
        }
        r = take_over(s, &next, text, size);
        e = r ? 0 : supervisor_open_log(s);
        if (e < 0)
                log_error("reload", "the log %s cannot be opened; the old one stays: %s", s->config.logging.file, error_text(e));
        log_at(r ? LOG_ERROR : LOG_INFO, "reload", "%s", text);
        return r;
}

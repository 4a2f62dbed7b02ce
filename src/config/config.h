/*
 * The configuration: what poppod.json says, checked and complete. The structs are generated from options.def, which is
 * where each member's meaning, unit and range stand: times in milliseconds, sizes in bytes, rates in tasks a second.
 *
 *   struct config cfg;
 *   struct config_error err;
 *   int r = config_load(&cfg, "/etc/poppo/poppod.json", &err);
 *   if (r)
 *           complain(err.text);                      cfg was not touched
 *   if (cfg.daemon.worker.isolation == CONFIG_ISOLATION_PROCESS) ...
 *   config_fini(&cfg);
 *
 * A struct config owns everything in it. It is never changed in place: a reload loads a second one, keeps what needs a
 * restart (config_keep_fixed), asks what changed (config_compare), swaps the two and frees the old one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The words: CONFIG_ISOLATION_HEAP, CONFIG_ON_LIMIT_QUEUE, ... and CONFIG_ISOLATION_WORDS, their number. An absent
 * choice is CONFIG_ABSENT. Log levels and formats have the values of base/log.h. CONFIG_HANDLERS_MAX: most handlers of
 * the operator's own. */
enum { CONFIG_ABSENT = -1 };

#define WORDS(id) enum {
#define WORD(id, name, ...) CONFIG_##id##_##name,
#define WORDS_END(id)                                                                                        \
        CONFIG_##id##_WORDS                                                                                  \
        }                                                                                                    \
        ;
#define BEGIN(...)
#define BEGIN_NAMED(...)
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(id, member, other, most) enum { CONFIG_HANDLERS_MAX = most };
#define ONLY(...)
#define END(...)
#include "config/options.def"

struct config_strings {
        char **items;
        size_t n;
};

struct config_numbers {
        int64_t *items;
        size_t n;
};

/* C types of the members. */
#define CONFIG_C_INT int64_t
#define CONFIG_C_MS int64_t
#define CONFIG_C_SIZE int64_t
#define CONFIG_C_MODE int64_t
#define CONFIG_C_REAL double
#define CONFIG_C_RATE double
#define CONFIG_C_BOOL bool
#define CONFIG_C_STRING char *
#define CONFIG_C_NUMBERS struct config_numbers
#define CONFIG_C_PATH char *
#define CONFIG_C_PATHS struct config_strings
#define CONFIG_C_COMMAND struct config_strings
#define CONFIG_C_HOSTS struct config_strings
#define CONFIG_C_ENV struct config_strings

/* struct config_worker, config_daemon, config_defaults, config_queue, config_project, config_task_type,
 * config_logging, and as the last one struct config. EACH gives three members: `struct config_project *projects`,
 * `size_t n_projects`, and `struct config_project default_project`, which holds for a name without an entry. Entries
 * have a `char *name` and stand in its order. */
#define config_root config
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) struct config_##id {
#define BEGIN_NAMED(id, ...)                                                                                 \
        struct config_##id {                                                                                 \
                char *name;
#define OPTION(id, member, key, type, ...) CONFIG_C_##type member;
#define CHOICE(id, member, ...) int member;
#define LIST(id, member, ...) struct config_strings member;
#define NEST(id, member, key, child) struct config_##child member;
#define EACH(id, members, key, child)                                                                        \
        struct config_##child *members;                                                                      \
        size_t n_##members;                                                                                  \
        struct config_##child default_##child;
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(id)                                                                                              \
        }                                                                                                    \
        ;
#include "config/options.def"

/* Positive results of loading: the file was read and is not acceptable. */
enum { CONFIG_REFUSED = 1 };

/* Whole sentence for people, with the place in front where there is one: "poppod.json:1:24: unknown key ...". */
struct config_error {
        char text[512];
        int line, column; /* from 1, in characters; 0: no place */
};

/* Largest file that is read. */
enum { CONFIG_FILE_MAX = 4 * 1024 * 1024 };

/* What holds without a file. 0 or -ENOMEM. */
int config_defaults(struct config *out);

/* Reads and checks a file, all or nothing: 0, and *out is complete; else *out is untouched and err says why:
 * CONFIG_REFUSED, or negative when the file cannot be read (-ENOENT, -EACCES, -EFBIG, ...). */
int config_load(struct config *out, const char *path, struct config_error *err);

/* The same from memory; `name` stands for the file in errors. */
int config_load_text(struct config *out, const char *text, size_t len, const char *name, struct config_error *err);

/* A rate as in projects.NAME.rateLimit, in tasks a second: "10/s", "30/m", "100/h". Negative: it is none. */
double config_parse_rate(const char *text);

/* Frees what cfg owns. Harmless on a zeroed struct and twice. */
void config_fini(struct config *cfg);

/* Writes the effective configuration as JSON that loads to the same one (`poppod -T`); absent options are left out.
 * 0, or negative when writing failed. */
int config_dump(FILE *out, const struct config *cfg);

/* One option that differs. Values are JSON texts, NULL where it is absent; of those that are not for logs, as env, only
 * that they are there is told. Strings are good during the call only. */
struct config_change {
        const char *path; /* "daemon.worker.maxProcesses", "projects.acme.weight" */
        const char *before, *after;
        bool needs_restart;
};

/* Tells every difference, in the order of the file's sections. The number of changes, or -ENOMEM. */
int config_compare(const struct config *before, const struct config *after,
        void (*on_change)(void *arg, const struct config_change *change), void *arg);

/* A reload's second half: gives `next` the running values of every option that only a restart can change, so that it
 * says what really holds. Call it after config_compare. 0 or -ENOMEM; after a failure `next` may only be freed. */
int config_keep_fixed(struct config *next, const struct config *running);

/* The entry of this name. Never NULL: without one it is cfg's default entry, whose name is NULL. Valid as long as
 * cfg. */
const struct config_project *config_project_find(const struct config *cfg, const char *name, size_t len);
const struct config_task_type *config_task_type_find(const struct config *cfg, const char *name, size_t len);

/* Whether this layer of isolation must hold around a worker, by `security`. One that has no option is asked for as
 * require says. */
bool config_demands_layer(const struct config_security *c, const char *layer, size_t len);

/* Whether a taskTypes entry is a handler of the operator's own: it has a program (program.n) or a plugin, never both. */
bool config_is_handler(const struct config_task_type *type);

/* The handlers one by one, in the order of their names: the first for NULL, NULL behind the last. */
const struct config_task_type *config_handler_next(const struct config *cfg, const struct config_task_type *last);

/* CONFIG_PROFILE_JS, ...: what holds for this handler, whether or not the file says it. */
int config_handler_profile(const struct config_task_type *handler);

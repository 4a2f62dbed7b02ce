/* poppo daemon status: the pool, a bar for each project, the isolation layers, what is wrong; each worker. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BAR_CELLS = 20, GREEN_TO = 50, YELLOW_TO = 80 };

static const char *text_of(const json_t *v, const char *key)
{
        const char *text = json_string_value(json_object_get(v, key));

        return text ? text : "";
}

static int64_t number_of(const json_t *v, const char *key)
{
        return (int64_t)json_number_value(json_object_get(v, key));
}

/* "3d 4h", "12m 5s": the two largest units. */
static void format_uptime(int64_t ms, char *out, size_t size)
{
        int64_t s = ms / 1000;

        if (s >= 86400)
                snprintf(out, size, "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
        else if (s >= 3600)
                snprintf(out, size, "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
        else if (s >= 60)
                snprintf(out, size, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
        else
                snprintf(out, size, "%" PRId64 "s", s);
}

static int longest_key(json_t *object, int least)
{
        const char *key;
        json_t *v;

        json_object_foreach(object, key, v)
                least = (int)strlen(key) > least ? (int)strlen(key) : least;
        return least;
}

static void heading(const char *text)
{
        printf("\n%s%s%s\n", output_color(stdout, COLOR_BOLD), text, output_color(stdout, COLOR_PLAIN));
}

/* ---- the pool ---- */

static void print_daemon(const json_t *daemon)
{
        char uptime[64];

        format_uptime(number_of(daemon, "uptime"), uptime, sizeof(uptime));
        printf("poppod %s  %s  pid %" PRId64 "  up %s  %s\n", text_of(daemon, "version"),
                text_of(daemon, "state"), number_of(daemon, "pid"), uptime, text_of(daemon, "socket"));
        if (*text_of(daemon, "config"))
                printf("configuration %s\n", text_of(daemon, "config"));
}

static void print_totals(const json_t *status)
{
        static const char *const keys[] = {"workers", "available", "busy", "queued", "completed", "failed"};
        const json_t *totals = json_object_get(status, "totals");
        const char *cells[8];
        char numbers[8][32];
        struct table *t = table_new(8);

        for (size_t i = 0; i < 6; i++) {
                snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, number_of(totals, keys[i]));
                cells[i] = numbers[i];
        }
        snprintf(numbers[6], sizeof(numbers[6]), "%.1f ms",
                json_number_value(json_object_get(totals, "avgTime")));
        snprintf(numbers[7], sizeof(numbers[7]), "%.2f", json_number_value(json_object_get(status, "load")));
        cells[6] = numbers[6];
        cells[7] = numbers[7];
        table_row(t, (const char *[]){"TOTAL", "AVAILABLE", "BUSY", "QUEUED", "COMPLETED", "FAILED",
                             "AVG TIME", "LOAD"});
        table_row(t, cells);
        putchar('\n');
        table_print(t, 0xff);
        table_free(t);
}

/* ---- projects ---- */

static enum output_color bar_color(int64_t percent)
{
        return percent <= GREEN_TO ? COLOR_GREEN : percent <= YELLOW_TO ? COLOR_YELLOW : COLOR_RED;
}

/* People get a bar, pipes only its numbers. */
static void print_bar(int64_t percent)
{
        int64_t full = percent * BAR_CELLS / 100;

        if (!output_is_terminal(stdout))
                return;
        fputs(output_color(stdout, bar_color(percent)), stdout);
        for (int64_t i = 0; i < BAR_CELLS; i++)
                fputs(i < full ? "\u2588" : "\u2591", stdout);
        printf("%s  ", output_color(stdout, COLOR_PLAIN));
}

static void print_project(const char *name, const json_t *project, int width)
{
        int64_t used = number_of(project, "used"), limit = number_of(project, "limit");
        int64_t percent = limit ? used * 100 / limit : 0;

        printf("  %-*s  ", width, name);
        if (limit) {
                print_bar(percent > 100 ? 100 : percent);
                printf("%" PRId64 "/%" PRId64 "  %" PRId64 "%%", used, limit, percent);
        } else {
                printf("%" PRId64 " in use, no limit", used);
        }
        if (number_of(project, "queued"))
                printf("  %" PRId64 " queued", number_of(project, "queued"));
        puts(json_is_true(json_object_get(project, "paused")) ? "  paused" : "");
}

static void print_projects(json_t *projects)
{
        const char *name;
        json_t *project;
        int width = longest_key(projects, 0);

        if (!json_object_size(projects))
                return;
        heading("Projects");
        json_object_foreach(projects, name, project)
                print_project(name, project, width);
}

/* ---- isolation ---- */

static const struct {
        const char *word;
        enum output_color color;
} layer_states[] = {{"enforced", COLOR_GREEN}, {"partial", COLOR_YELLOW}, {"absent", COLOR_RED}};

/* One line for each state that some layer of the class is in. */
static void print_layers(const char *class, int width, json_t *layers, size_t state)
{
        const char *layer;
        bool begun = false;
        json_t *v;

        json_object_foreach(layers, layer, v) {
                const char *word = json_string_value(v);

                if (!word || strcmp(word, layer_states[state].word))
                        continue;
                if (!begun)
                        printf("  %-*s %s%-8s%s ", width, class, output_color(stdout, layer_states[state].color),
                                word, output_color(stdout, COLOR_PLAIN));
                begun = true;
                printf(" %s", layer);
        }
        if (begun)
                putchar('\n');
}

static void print_layers_of_all(json_t *all, int width)
{
        const char *name;
        json_t *layers;

        json_object_foreach(all, name, layers)
                for (size_t i = 0; i < sizeof(layer_states) / sizeof(layer_states[0]); i++)
                        print_layers(name, width, layers, i);
}

/* Of the workers by their classes, and then of the supervisor's own processes. */
static void print_isolation(json_t *isolation, json_t *house)
{
        int width = longest_key(house, longest_key(isolation, 8));

        if (!json_object_size(isolation) && !json_object_size(house))
                return;
        heading("Isolation");
        print_layers_of_all(isolation, width);
        print_layers_of_all(house, width);
}

/* ---- workers ---- */

/* "js", or of a handler of one's own "resize (program)". */
static void class_label(const json_t *worker, char *out, size_t size)
{
        if (*text_of(worker, "type"))
                snprintf(out, size, "%s (%s)", text_of(worker, "type"), text_of(worker, "class"));
        else
                snprintf(out, size, "%s", text_of(worker, "class"));
}

static void add_to(json_t *sum, const char *key, int64_t n)
{
        json_object_set_new(sum, key, json_integer(number_of(sum, key) + n));
}

/* {LABEL: {workers, busy, running, tasks}}, in the order in which they are met. */
static json_t *sum_classes(json_t *workers)
{
        json_t *classes = json_object(), *w;
        const char *id;

        json_object_foreach(workers, id, w) {
                char label[128];
                json_t *sum;

                class_label(w, label, sizeof(label));
                if (!json_object_get(classes, label))
                        json_object_set_new(classes, label, json_object());
                sum = json_object_get(classes, label);
                add_to(sum, "workers", 1);
                add_to(sum, "busy", number_of(w, "running") > 0);
                add_to(sum, "running", number_of(w, "running"));
                add_to(sum, "tasks", number_of(w, "tasks"));
        }
        return classes;
}

static void print_classes(json_t *workers)
{
        static const char *const keys[] = {"workers", "busy", "running", "tasks"};
        CLEANUP(cleanup_json) json_t *classes = sum_classes(workers);
        struct table *t = table_new(5);
        const char *label;
        json_t *sum;

        table_row(t, (const char *[]){"CLASS", "WORKERS", "BUSY", "RUNNING", "DONE"});
        json_object_foreach(classes, label, sum) {
                char numbers[4][32];

                for (size_t i = 0; i < 4; i++)
                        snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, number_of(sum, keys[i]));
                table_row(t, (const char *[]){label, numbers[0], numbers[1], numbers[2], numbers[3]});
        }
        if (json_object_size(classes)) {
                putchar('\n');
                table_print(t, 0x1e);
        }
        table_free(t);
}

static void print_workers(json_t *workers)
{
        struct table *t = table_new(7);
        const char *id;
        json_t *w;

        heading("Workers");
        table_row(t, (const char *[]){"ID", "PID", "CLASS", "STATE", "TASKS", "PROJECT", "TASK"});
        json_object_foreach(workers, id, w) {
                char pid[32], tasks[32], label[128];

                class_label(w, label, sizeof(label));
                snprintf(pid, sizeof(pid), "%" PRId64, number_of(w, "pid"));
                snprintf(tasks, sizeof(tasks), "%" PRId64, number_of(w, "tasks"));
                table_row(t, (const char *[]){id, pid, label, text_of(w, "state"), tasks,
                                     text_of(w, "projectId"), text_of(w, "task")});
        }
        table_print(t, 1u << 1 | 1u << 4);
        table_free(t);
}

/* ---- warnings ---- */

static void warn(const char *what, const char *name, const char *state, const char *reason)
{
        printf("\n%swarning: %s%s%s%s", output_color(stdout, COLOR_YELLOW), what, name, state, *reason ? ": " : "");
        output_text(stdout, reason);
        printf("%s\n", output_color(stdout, COLOR_PLAIN));
}

/* Words of the daemon's map that mean that all is well; classes are there only when one is not. */
static void print_warnings(const json_t *daemon)
{
        const json_t *spawner = json_object_get(daemon, "spawner");
        json_t *classes = json_object_get(json_object_get(daemon, "breaker"), "classes"), *breaker;
        const char *state = text_of(spawner, "state"), *class;

        json_object_foreach(classes, class, breaker)
                if (!strcmp(text_of(breaker, "state"), "open"))
                        warn("workers of class ", class, " do not start", text_of(breaker, "reason"));
        if (*state && strcmp(state, "ready"))
                warn("the spawner is ", "", state, text_of(spawner, "reason"));
}

static void warn_of_store(const json_t *store)
{
        const char *state = text_of(store, "state");

        if (!strcmp(text_of(store, "engine"), "memory"))
                warn("durable tasks are ", "", "in memory only: they end with the supervisor", "");
        else if (*state && strcmp(state, "open"))
                warn("the store is ", "", state, text_of(store, "reason"));
}

static void print_status(const struct cli *cli, const json_t *status)
{
        const json_t *daemon = json_object_get(status, "daemon");

        print_daemon(daemon);
        print_totals(status);
        print_classes(json_object_get(status, "workers"));
        print_projects(json_object_get(status, "projects"));
        print_isolation(json_object_get(status, "isolation"), json_object_get(status, "house"));
        if (cli->opt.verbose)
                print_workers(json_object_get(status, "workers"));
        print_warnings(daemon);
        warn_of_store(json_object_get(daemon, "store"));
}

static int not_running(struct cli *cli)
{
        if (cli->opt.json)
                puts("{\"running\":false}");
        else
                printf("poppod is not running (%s)\n", poppo_socket_path(cli->poppo));
        return EXIT_NOT_RUNNING;
}

int cmd_daemon_status(struct cli *cli)
{
        CLEANUP(cleanup_json) json_t *body = NULL;
        struct poppo_reply *reply;
        int r, status = cli_prepare(cli);

        if (status)
                return status;
        r = poppo_connect(cli->poppo, cli->opt.socket);
        if (r == -ENOENT || r == -ECONNREFUSED)
                return not_running(cli);
        r = r ? r : poppo_status(cli->poppo, &reply);
        if (r)
                return cli_fail(cli, r);
        if (cli->opt.json) {
                output_json(reply, "");
        } else {
                body = json_loads(poppo_reply_json(reply, ""), 0, NULL);
                print_status(cli, body);
        }
        poppo_reply_free(reply);
        return EXIT_OK;
}

/*
 * poppo doctor: which layers of isolation hold around each class of workers, which must by the configuration, why one is
 * missing and what helps. The answers are a supervisor's own, started for that: see patient.h.
 */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/patient.h"
#include "cli/remedies.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A task of each class. What becomes of it does not matter: its record says what held around its worker. basis: the layer
 * without which there is no worker at all. */
static const struct {
        const char *class, *task, *basis;
} samples[] = {
        {"js", "{\"type\":\"execute-code\",\"code\":\"1\"}", ""},
        {"http", "{\"type\":\"http-request\",\"url\":\"http://127.0.0.1/\"}", ""},
        {"shell", "{\"type\":\"shell-command\",\"argv\":[\"true\"]}", "privateRoot"},
};

enum { CLASSES = sizeof(samples) / sizeof(samples[0]) };

#define START "start"

struct diagnosis {
        json_t *config;
        json_t *classes; /* {class: {layer: state}}, or {class: "reason"} */
        json_t *house;   /* {process: {layer: state}}: poppod's own; nothing asks for these */
        json_t *findings; /* [{layer, state, classes, demand, why, fix}]; of a class without workers the layer is START */
        bool fails;
};

static const char *text_at(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

/* ---- looking ---- */

/* What may hide what the machine can give, or reach what the running supervisor has, stays out. */
static json_t *config_for_patient(const json_t *config)
{
        json_t *own = json_deep_copy(config), *daemon = json_object_get(own, "daemon");

        json_object_del(daemon, "socketPath");
        json_object_del(own, "projects");
        json_object_del(own, "taskTypes");
        json_object_set_new(own, "store", json_pack("{s:s}", "engine", "memory"));
        json_object_set_new(own, "logging", json_pack("{s:s}", "level", "error"));
        json_object_set_new(own, "security", json_pack("{s:s}", "require", "best-effort"));
        json_object_set_new(json_object_get(daemon, "worker"), "minProcesses", json_integer(0));
        json_object_set_new(json_object_get(daemon, "worker"), "maxProcesses", json_integer(CLASSES));
        return own;
}

/* {layer: state}, or why there is none. */
static int look_at_class(struct patient *p, const char *task, json_t **out)
{
        CLEANUP(cleanup_json) json_t *args = json_pack("{s:o,s:{s:i,s:i,s:i},s:b}", "task", json_loads(task, 0, NULL), "options",
                "maxAttempts", 1, "timeout", 10000, "startDeadline", 5000, "wait", 1);
        CLEANUP(cleanup_json) json_t *reply = NULL;
        json_t *record, *layers;
        int status = patient_ask(p, "submit", args, &reply);

        if (status)
                return status;
        record = json_object_get(reply, "result");
        layers = json_object_get(record, "isolation");
        *out = layers ? json_incref(layers) : json_string(text_at(json_object_get(record, "error"), "message"));
        return 0;
}

static int look_at_house(struct patient *p, json_t **out)
{
        CLEANUP(cleanup_json) json_t *reply = NULL;
        int status = patient_ask(p, "status", NULL, &reply);

        *out = json_incref(json_object_get(reply, "house"));
        return status;
}

static int look(struct cli *cli, struct diagnosis *d)
{
        CLEANUP(cleanup_json) json_t *config = config_for_patient(d->config);
        struct patient patient;
        int status = patient_start(&patient, cli, config);

        for (size_t i = 0; i < CLASSES && !status; i++) {
                json_t *seen = NULL;

                status = look_at_class(&patient, samples[i].task, &seen);
                if (seen)
                        json_object_set_new(d->classes, samples[i].class, seen);
        }
        if (!status)
                status = look_at_house(&patient, &d->house);
        patient_end(&patient);
        return status;
}

/* ---- judging ---- */

static const char *demand_of(const json_t *config, const char *layer)
{
        const json_t *security = json_object_get(config, "security");
        const char *own = json_string_value(json_object_get(security, layer));

        return own ? own : text_at(security, "require");
}

static json_t *finding_of(struct diagnosis *d, const char *layer, const char *state)
{
        const struct remedy *remedy = remedy_find(layer);
        json_t *f;
        size_t i;

        json_array_foreach(d->findings, i, f)
                if (!strcmp(text_at(f, "layer"), layer) && !strcmp(text_at(f, "state"), state))
                        return f;
        f = json_pack("{s:s,s:s,s:[],s:s,s:s,s:s}", "layer", layer, "state", state, "classes", "demand",
                demand_of(d->config, layer), "why", remedy->why, "fix", remedy->fix);
        json_array_append_new(d->findings, f);
        return f;
}

static void add_finding(struct diagnosis *d, const char *class, const char *layer, const char *state)
{
        json_t *f = finding_of(d, layer, state);

        json_array_append_new(json_object_get(f, "classes"), json_string(class));
        d->fails |= !strcmp(text_at(f, "demand"), "strict");
}

static void add_start(struct diagnosis *d, size_t class, const char *reason)
{
        const struct remedy *remedy = remedy_find(samples[class].basis);

        d->fails = true;
        json_array_append_new(d->findings, json_pack("{s:s,s:s,s:[s],s:s,s:s,s:s}", "layer", START, "state", "absent", "classes",
                samples[class].class, "demand", "strict", "why", reason, "fix", remedy->fix));
}

static void judge(struct diagnosis *d)
{
        const char *layer;
        json_t *state;

        for (size_t i = 0; i < CLASSES; i++) {
                json_t *layers = json_object_get(d->classes, samples[i].class);
                const char *class = samples[i].class;

                if (json_is_string(layers))
                        add_start(d, i, json_string_value(layers));
                json_object_foreach(layers, layer, state)
                        if (strcmp(json_string_value(state), "enforced"))
                                add_finding(d, class, layer, json_string_value(state));
        }
}

/* ---- telling ---- */

static enum output_color color_of(const char *state)
{
        return !strcmp(state, "enforced") ? COLOR_GREEN : !strcmp(state, "partial") ? COLOR_YELLOW : COLOR_RED;
}

static void print_colored(const char *text, enum output_color color, int width)
{
        printf("%s%-*s%s", output_color(stdout, color), width, text, output_color(stdout, COLOR_PLAIN));
}

static void print_layer(const struct diagnosis *d, const char *layer)
{
        printf("  %-14s", layer);
        for (size_t i = 0; i < CLASSES; i++) {
                const char *state = text_at(json_object_get(d->classes, samples[i].class), layer);

                print_colored(*state ? state : "-", *state ? color_of(state) : COLOR_DIM, 10);
        }
        printf("%s\n", demand_of(d->config, layer));
}

/* Every layer that some class has, in the order in which they are laid. */
static void print_layers(const struct diagnosis *d)
{
        CLEANUP(cleanup_json) json_t *told = json_object();
        const char *class, *layer;
        json_t *layers, *state;

        printf("  %-14s%-10s%-10s%-10s%s\n", "LAYER", "JS", "HTTP", "SHELL", "SECURITY ASKS");
        json_object_foreach(d->classes, class, layers)
                json_object_foreach(layers, layer, state) {
                        if (!json_object_get(told, layer))
                                print_layer(d, layer);
                        json_object_set_new(told, layer, json_true());
                }
}

/* One line for each process, with what it lacks. */
static void print_house(const struct diagnosis *d)
{
        const char *process, *layer;
        json_t *layers, *state;

        puts("\n  and around its own processes (poppod(8), Users and rights):\n");
        json_object_foreach(d->house, process, layers) {
                bool whole = true;

                printf("  %-14s", process);
                json_object_foreach(layers, layer, state) {
                        const char *word = json_string_value(state);

                        if (!strcmp(word, "enforced"))
                                continue;
                        printf("%s%s ", whole ? "" : ", ", layer);
                        print_colored(word, color_of(word), 0);
                        whole = false;
                }
                if (whole)
                        print_colored("all enforced", COLOR_GREEN, 0);
                putchar('\n');
        }
        if (!geteuid() && !*text_at(json_object_get(d->config, "daemon"), "user"))
                puts("\n  daemon.user names a user that needs none of root's rights: master, store and loader become it.");
}

static void print_finding(const json_t *f)
{
        bool strict = !strcmp(text_at(f, "demand"), "strict");
        json_t *class;
        size_t i;

        printf("\n  ");
        print_colored(strict ? "missing" : "without", strict ? COLOR_RED : COLOR_YELLOW, 0);
        if (!strcmp(text_at(f, "layer"), START))
                printf("  no worker starts in");
        else
                printf("  %s is %s in", text_at(f, "layer"), text_at(f, "state"));
        json_array_foreach(json_object_get(f, "classes"), i, class)
                printf("%s %s", i ? "," : "", json_string_value(class));
        printf(": ");
        output_text(stdout, text_at(f, "why"));
        printf("\n           %s\n", text_at(f, "fix"));
}

static void print_all(const struct diagnosis *d)
{
        const json_t *f;
        size_t i;

        printf("What holds around workers of a supervisor that user %d starts here:\n\n", (int)geteuid());
        print_layers(d);
        print_house(d);
        json_array_foreach(d->findings, i, f)
                print_finding(f);
        puts(d->fails ? "\nNot enough: tasks of such a class are refused with TYPE_DISABLED. Mend it, or allow it in\n"
                        "security by the layer's name with \"best-effort\"." :
                        "\nAll that security asks for holds.");
}

static void print_json(const struct diagnosis *d)
{
        CLEANUP(cleanup_json) json_t *all = json_pack("{s:b,s:i,s:O,s:O,s:O,s:O}", "ok", !d->fails, "uid",
                (int)geteuid(), "classes", d->classes, "house", d->house, "security",
                json_object_get(d->config, "security"), "findings", d->findings);

        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
}

/* The one that serves here may be somebody else's, and have more or less. */
static void note_other_user(struct cli *cli)
{
        char path[64];
        struct stat st;

        if (cli->opt.json || cli_prepare(cli) || poppo_connect(cli->poppo, cli->opt.socket))
                return;
        snprintf(path, sizeof(path), "/proc/%" PRId64, poppo_server_pid(cli->poppo));
        if (!stat(path, &st) && st.st_uid != geteuid())
                printf("\nThe supervisor that runs here belongs to user %d: poppo daemon status shows what its\n"
                       "workers have, and poppo doctor as that user what they would.\n", (int)st.st_uid);
}

int cmd_doctor(struct cli *cli)
{
        struct diagnosis d = {.classes = json_object(), .findings = json_array()};
        int status = patient_read_config(cli, &d.config);

        if (!status)
                status = look(cli, &d);
        if (!status) {
                judge(&d);
                cli->opt.json ? print_json(&d) : print_all(&d);
                note_other_user(cli);
                status = d.fails ? EXIT_TASK : EXIT_OK;
        }
        json_decref(d.config);
        json_decref(d.classes);
        json_decref(d.house);
        json_decref(d.findings);
        return status;
}

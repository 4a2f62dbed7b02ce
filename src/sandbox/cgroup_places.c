/* Where this process is, by the kernel's own two files: which hierarchies there are, and where they are
 * mounted. */
#include "sandbox/cgroup_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const cgroup_controllers[CGROUP_PARTS] = {
        [CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu"};

/* In version 1 the counting of time is a controller of its own; and nothing kills there. */
static const char *const v1_names[CGROUP_PARTS] = {
        [CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu", [CGROUP_TIME] = "cpuacct"};

/* The group's path in each hierarchy; "": not in it. */
struct membership {
        char v1[CGROUP_PARTS][CGROUP_PATH];
        char v2[CGROUP_PATH];
};

static void close_file(FILE **f)
{
        if (*f)
                fclose(*f);
}

static bool lists(const char *words, const char *word)
{
        size_t len = strlen(word);

        for (const char *w = words; *w; w += strcspn(w, ","), w += *w == ',')
                if (strcspn(w, ",") == len && !strncmp(w, word, len))
                        return true;
        return false;
}

/* "ID:CONTROLLERS:PATH"; version 2 has neither number nor controllers. */
static void read_membership(char *line, struct membership *m)
{
        char *words = strchr(line, ':'), *path = words ? strchr(words + 1, ':') : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (!path || strlen(path) > CGROUP_PATH)
                return;
        *words++ = '\0';
        *path++ = '\0';
        if (!*words)
                snprintf(m->v2, sizeof(m->v2), "%s", path);
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (v1_names[p] && lists(words, v1_names[p]))
                        snprintf(m->v1[p], sizeof(m->v1[p]), "%s", path);
}

/* Spaces and the like are written as three octal digits. */
static void unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++) {
                unsigned int byte;

                if (*from == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
                        *to++ = (char)byte;
                        from += 3;
                } else {
                        *to++ = *from;
                }
        }
        *to = '\0';
}

struct mount {
        char *root, *at, *options, *type, *super;
};

/* "ID PARENT DEVICE ROOT AT OPTIONS [TAG...] - TYPE SOURCE SUPER" */
static bool read_mount(char *line, struct mount *m)
{
        char *fields[6], *rest = line, *dash = strstr(line, " - ");

        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; dash && i < sizeof(fields) / sizeof(fields[0]); i++)
                if (!(fields[i] = strsep(&rest, " ")))
                        return false;
        if (!dash)
                return false;
        rest = dash + 3;
        *m = (struct mount){.root = fields[3], .at = fields[4], .options = fields[5]};
        m->type = strsep(&rest, " ");
        if (!rest || !strsep(&rest, " ") || !rest)
                return false;
        m->super = rest;
        unescape(m->root);
        unescape(m->at);
        return true;
}

/* A mount may show only a part of the hierarchy, which the group must lie in. */
static void place(const struct mount *m, int version, const char *group, struct cgroup_place *out)
{
        size_t root = strcmp(m->root, "/") ? strlen(m->root) : 0;
        int n;

        if (out->version && !out->read_only)
                return;
        if (strncmp(group, m->root, root) || (group[root] && group[root] != '/') || strstr(group, "/.."))
                return;
        n = snprintf(out->path, sizeof(out->path), "%s%s", m->at, group + root);
        if (n < 0 || (size_t)n >= sizeof(out->path))
                return;
        out->version = version;
        out->read_only = lists(m->options, "ro") || lists(m->super, "ro");
}

static void take_mount(const struct mount *m, const struct membership *in,
        struct cgroup_place v1[CGROUP_PARTS], struct cgroup_place *v2)
{
        if (!strcmp(m->type, "cgroup2") && *in->v2)
                place(m, 2, in->v2, v2);
        for (int p = 0; !strcmp(m->type, "cgroup") && p < CGROUP_PARTS; p++)
                if (*in->v1[p] && lists(m->super, v1_names[p]))
                        place(m, 1, in->v1[p], &v1[p]);
}

/* False: the file ends. */
static bool next_line(FILE *f, char **line, size_t *size)
{
        return getline(line, size, f) > 0;
}

int cgroup_locate(const char *cgroups, const char *mounts, struct cgroup_place places[CGROUP_PARTS])
{
        CLEANUP(close_file) FILE *groups = fopen(cgroups, "re");
        CLEANUP(close_file) FILE *table = fopen(mounts, "re");
        CLEANUP(cleanup_free) struct membership *in = calloc(1, sizeof(*in));
        CLEANUP(cleanup_free) struct cgroup_place *v2 = calloc(1, sizeof(*v2));
        CLEANUP(cleanup_free) char *line = NULL;
        size_t size = 0;
        struct mount m;

        memset(places, 0, CGROUP_PARTS * sizeof(*places));
        if (!groups || !table || !in || !v2)
                return error_origin(-errno);
        while (next_line(groups, &line, &size))
                read_membership(line, in);
        while (next_line(table, &line, &size))
                if (read_mount(line, &m))
                        take_mount(&m, in, places, v2);
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (v2->version && (!cgroup_controllers[p] || !*in->v1[p]))
                        places[p] = *v2;
        return 0;
}

/* Lists in, lists out; each string is a copy. */
#include "worker/program/launch.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "sandbox/trusted.h"
#include "wire/cursor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_strings(
        struct bytes array, const char *what, char **out, size_t most, struct wire_refusal *why)
{
        struct cursor c = cursor_over(array);
        struct wire_value head = {.tag = TAG_ARRAY};
        struct bytes text;

        if (array.len && (cursor_read(&c, &head) || head.tag != TAG_ARRAY))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%s is no list", what);
        if (head.count > most)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%s has more than %zu entries", what, most);
        for (uint32_t i = 0; i < head.count; i++) {
                if (cursor_str(&c, &text) || memchr(text.data, '\0', text.len))
                        return wire_refuse(why, WIRE_WORKER_CRASHED, "%s has an entry that is no text", what);
                out[i] = strndup((const char *)text.data, text.len);
                if (!out[i])
                        return error_origin(-ENOMEM);
        }
        return 0;
}

/* ---- code ---- */

static int check(const char *path, bool executable, struct wire_refusal *why)
{
        char fault[TRUSTED_FAULT];
        int fd = trusted_open(path, executable, fault);

        if (fd < 0)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%s", fault);
        close(fd);
        return 0;
}

static bool is_file(const char *argument)
{
        struct stat st;

        return *argument == '/' && stat(argument, &st) == 0 && S_ISREG(st.st_mode);
}

/* The root of every jail has these. */
static bool is_seen_anyway(const char *path)
{
        static const char *const dirs[] = {
                "/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"};

        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                if (!strncmp(path, dirs[i], strlen(dirs[i])))
                        return true;
        return false;
}

static int show(struct launch *c, const char *path, struct wire_refusal *why)
{
        size_t n = 0;

        if (is_seen_anyway(path))
                return 0;
        for (; c->paths[n]; n++)
                if (!strcmp(c->paths[n], path))
                        return 0;
        if (n == JAIL_PATHS_MAX)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "more than %d paths", JAIL_PATHS_MAX);
        c->paths[n] = strdup(path);
        return c->paths[n] ? 0 : error_origin(-ENOMEM);
}

static int check_all(struct launch *c, struct wire_refusal *why)
{
        int r = 0;

        for (size_t i = 0; !r && c->argv[i]; i++) {
                if (i && !is_file(c->argv[i]))
                        continue;
                r = check(c->argv[i], !i, why);
                if (!r)
                        r = show(c, c->argv[i], why);
        }
        return r;
}

/* ---- surroundings ---- */

static int set_environment(struct launch *c, struct bytes type)
{
        static const char *const always[] = {
                "PATH=" JAIL_PATH, "HOME=" JAIL_HOME, "TMPDIR=" JAIL_TMP, "LANG=C.UTF-8"};
        size_t n = 0;

        for (; n < sizeof(always) / sizeof(always[0]); n++)
                if (!(c->envp[n] = strdup(always[n])))
                        return error_origin(-ENOMEM);
        if (asprintf(&c->envp[n], "POPPO_TYPE=%.*s", (int)type.len, (const char *)type.data) >= 0)
                return 0;
        c->envp[n] = NULL;
        return error_origin(-ENOMEM);
}

int launch_read(const struct wire_handler *handler, struct launch *out, struct wire_refusal *why)
{
        int r;

        *out = (struct launch){0};
        r = read_strings(handler->program, "program", out->argv, LAUNCH_ARGS_MAX, why);
        if (!r && !out->argv[0])
                r = wire_refuse(why, WIRE_WORKER_CRASHED, "no program is named");
        if (!r)
                r = read_strings(handler->paths, "paths", out->paths, JAIL_PATHS_MAX, why);
        if (!r)
                r = check_all(out, why);
        return r ? r : set_environment(out, handler->type);
}

static void free_all(char **strings)
{
        for (; *strings; strings++)
                free(TAKE_PTR(*strings));
}

void launch_fini(struct launch *c)
{
        free_all(c->argv);
        free_all(c->envp);
        free_all(c->paths);
}

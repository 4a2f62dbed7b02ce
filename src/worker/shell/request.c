/* What is checked here is all that a sender can get wrong; what an operator allows is allow.c's and
 * command.c's. */
#include "worker/shell/request.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/cursor.h"
#include "worker/shell/command.h"
#include "worker/shell/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void request_init(struct request *r)
{
        *r = (struct request){0};
        environment_init(&r->environment);
}

void request_fini(struct request *r)
{
        strings_fini(&r->argv);
        strings_fini(&r->envp);
        strings_fini(&r->collect);
        environment_fini(&r->environment);
        free(r->script);
        free(r->cwd);
        request_init(r);
}

/* ---- environment ---- */

static int read_environment(struct request *r, struct bytes project_env, struct wire_refusal *why)
{
        static const char *const always[][2] = {
                {"PATH", JAIL_PATH}, {"HOME", JAIL_HOME}, {"LANG", "C.UTF-8"}, {"TMPDIR", "/tmp"}};
        int e = 0;

        for (size_t i = 0; !e && i < sizeof(always) / sizeof(always[0]); i++)
                e = environment_set(&r->environment, wire_str(always[i][0]), wire_str(always[i][1]));
        if (!e)
                e = environment_add(&r->environment, project_env, why);
        if (!e)
                e = environment_add(&r->environment, r->task.options.env, why);
        return e ? e : environment_list(&r->environment, &r->envp);
}

/* ---- what is run ---- */

static int set_argv(struct request *r, const char *const *items, size_t n)
{
        r->argv.items = calloc(n + 1, sizeof(*r->argv.items));
        if (!r->argv.items)
                return -ENOMEM;
        memcpy(r->argv.items, items, n * sizeof(*items));
        r->argv.n = n;
        return 0;
}

/* A line may begin with a dash: behind -- that is no option. */
static int set_script(struct request *r, char *script)
{
        const char *const argv[] = {"/bin/sh", "-c", "--", script};

        r->script = script;
        return set_argv(r, argv, 4);
}

static int check_simple(const struct command *c, const struct command_simple *s, const struct allow *allow,
        const char *path, struct buf *script, struct wire_refusal *why)
{
        CLEANUP(cleanup_free) char **argv = calloc(s->n + 1, sizeof(*argv));
        const char *file = NULL;
        int e;

        if (!argv)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                argv[i] = (char *)command_word(c, s, i);
        e = allow_check(allow, argv, path, &file, why);
        return e ? e : command_write(c, s, file, script);
}

/* With a list the shell gets what was understood, not what was sent. */
static int rewrite(struct request *r, const struct allow *allow, struct wire_refusal *why)
{
        const char *path = environment_get(&r->environment, "PATH");
        CLEANUP(buf_fini) struct buf script;
        CLEANUP(command_fini) struct command c;
        int e;

        buf_init(&script, 0);
        command_init(&c);
        e = command_parse(&c, r->task.command, why);
        for (size_t i = 0; !e && i < command_count(&c); i++)
                e = check_simple(&c, command_at(&c, i), allow, path, &script, why);
        if (!e)
                e = buf_append(&script, "", 1);
        return e ? e : set_script(r, (char *)TAKE_PTR(script.data));
}

static int read_command(struct request *r, const struct allow *allow, struct wire_refusal *why)
{
        struct bytes line = r->task.command;
        char *script;

        if (memchr(line.data, 0, line.len))
                return wire_refuse(why, WIRE_INVALID_TASK, "the command has a NUL");
        if (allow->restricted)
                return rewrite(r, allow, why);
        script = strndup((const char *)line.data, line.len);
        return script ? set_script(r, script) : -ENOMEM;
}

static int read_argv(struct request *r, const struct allow *allow, struct wire_refusal *why)
{
        int e = strings_from_array(&r->argv, r->task.argv, "argv", WIRE_INVALID_TASK, why);

        if (!e && (!r->argv.n || !*r->argv.items[0]))
                return wire_refuse(why, WIRE_INVALID_TASK, "argv names no executable");
        return e ? e
                 : allow_check(allow, r->argv.items, environment_get(&r->environment, "PATH"), &r->file, why);
}

static int read_what(struct request *r, const struct allow *allow, struct wire_refusal *why)
{
        const struct wire_shell_command *t = &r->task;

        if (WIRE_HAS(t, shell_command, argv) + WIRE_HAS(t, shell_command, command) != 1)
                return wire_refuse(why, WIRE_INVALID_TASK, "shell-command needs either argv or command");
        return WIRE_HAS(t, shell_command, argv) ? read_argv(r, allow, why) : read_command(r, allow, why);
}

/* ---- around it ---- */

static int read_options(struct request *r, struct wire_refusal *why)
{
        const struct wire_shell_options *o = &r->task.options;
        int e;

        r->encoding = (enum encoding)o->encoding;
        e = strings_from_array(&r->collect, o->collect, "collect", WIRE_INVALID_TASK, why);
        if (!e)
                e = files_check_patterns(&r->collect, why);
        if (!e && o->cwd.len &&
                asprintf(&r->cwd, JAIL_WORK "/%.*s", (int)o->cwd.len, (const char *)o->cwd.data) < 0) {
                r->cwd = NULL;
                e = -ENOMEM;
        }
        return e;
}

int request_read(struct request *r, struct bytes map, const struct allow *allow, struct bytes project_env,
        struct wire_refusal *why)
{
        struct bytes type;
        int e;

        if (!wire_lookup_str(map, "type", &type) || !wire_str_is(type, WIRE_MESSAGE(shell_command)->name))
                return wire_refuse(why, WIRE_UNKNOWN_TYPE, "this worker runs shell-command only");
        e = wire_decode(WIRE_MESSAGE(shell_command), map, &r->task, why);
        if (!e)
                e = allow_check_environment(allow, r->task.options.env, why);
        if (!e)
                e = read_environment(r, project_env, why);
        if (!e)
                e = read_what(r, allow, why);
        return e ? e : read_options(r, why);
}

static int make_file(struct bytes data, int *fd)
{
        int file = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (file < 0)
                return error_origin(-errno);
        for (size_t done = 0; done < data.len;) {
                ssize_t n = write(file, data.data + done, data.len - done);

                if (n < 0 && errno != EINTR) {
                        n = -errno;
                        close(file);
                        return error_origin((int)n);
                }
                done += n > 0 ? (size_t)n : 0;
        }
        if (lseek(file, 0, SEEK_SET) < 0 ||
                fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
                close(file);
                return error_origin(-EIO);
        }
        *fd = file;
        return 0;
}

int request_stdin(const struct request *r, int *fd, struct wire_refusal *why)
{
        struct cursor c = cursor_over(r->task.options.stdin);
        struct wire_value v;

        *fd = -1;
        if (!r->task.options.stdin.len)
                return 0;
        if (cursor_read(&c, &v) || (v.tag != TAG_STR && v.tag != TAG_BIN))
                return wire_refuse(why, WIRE_INVALID_TASK, "stdin is neither a string nor bytes");
        return make_file(v.bytes, fd);
}

int request_furnish(const struct request *r, const struct jail_tree *t, struct wire_refusal *why)
{
        const struct wire_shell_options *o = &r->task.options;
        int e = o->files.len ? files_write(t, o->files, why) : 0;

        if (!e && o->cwd.len)
                e = files_make_directory(t, o->cwd, why);
        return e;
}

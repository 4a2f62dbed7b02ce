/* Everything of it lies in one directory, which goes with it. */
#include "cli/patient.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { END_MS = 10000, DIRS_OPEN = 8 };

extern char **environ;

/* ---- its configuration ---- */

/* Runs poppod with these arguments; what it prints is JSON. What it says on standard error is for people. */
static int run_for_json(struct cli *cli, char **argv, json_t **out)
{
        CLEANUP(posix_spawn_file_actions_destroy) posix_spawn_file_actions_t actions;
        CLEANUP(cleanup_close) int from = -1, to = -1;
        int pair[2], r, status = -1;
        FILE *stream;
        pid_t pid;

        posix_spawn_file_actions_init(&actions);
        if (pipe2(pair, O_CLOEXEC) < 0)
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s", error_text(-errno));
        from = pair[0];
        to = pair[1];
        posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
        r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
        if (r)
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot run %s: %s", argv[0], error_text(-r));
        close(TAKE_FD(to));
        stream = fdopen(from, "r");
        *out = stream ? json_loadf(stream, 0, NULL) : NULL;
        if (stream)
                TAKE_FD(from), fclose(stream);
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
                return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_UNREACHABLE;
        return *out ? 0 : cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s -T printed no configuration", argv[0]);
}

int patient_read_config(struct cli *cli, json_t **out)
{
        char program[4096];
        char *argv[] = {program, (char *)"-T", (char *)(cli->opt.config ? "-c" : NULL), (char *)cli->opt.config, NULL};
        int status = launch_find(cli, program, sizeof(program));

        return status ? status : run_for_json(cli, argv, out);
}

/* ---- its life ---- */

static int make_files(struct patient *p, struct cli *cli, const json_t *config)
{
        snprintf(p->dir, sizeof(p->dir), "/tmp/poppo-doctor.XXXXXX");
        if (!mkdtemp(p->dir)) {
                *p->dir = '\0';
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot make a directory in /tmp: %s", error_text(-errno));
        }
        snprintf(p->socket, sizeof(p->socket), "%s/poppo.sock", p->dir);
        snprintf(p->config, sizeof(p->config), "%s/poppod.json", p->dir);
        snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
        snprintf(p->state, sizeof(p->state), "%s/state", p->dir);
        if (json_dump_file(config, p->config, 0))
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot write %s", p->config);
        return 0;
}

int patient_start(struct patient *p, struct cli *cli, const json_t *config)
{
        int status;

        *p = (struct patient){.launch = {.log_fd = -1}};
        status = make_files(p, cli, config);
        if (status)
                return status;
        p->cli.opt = (struct cli_options){.socket = p->socket, .config = p->config, .log = p->log, .state_dir = p->state,
                .json = cli->opt.json};
        status = cli_prepare(&p->cli);
        /* Whose path is known once it was tried. */
        if (!status)
                poppo_connect(p->cli.poppo, p->socket);
        if (!status)
                status = launch_init(&p->launch, &p->cli);
        p->launch.tied = true;
        if (!status)
                status = launch_run(&p->launch);
        p->alive = p->launch.pid > 0;
        return status;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
        (void)st;
        (void)kind;
        (void)walk;
        return remove(path) < 0 && errno != ENOENT;
}

/* It has nothing to lose: who does not end when asked is killed. */
static void end_process(struct patient *p)
{
        CLEANUP(cleanup_close) int pidfd = (int)syscall(SYS_pidfd_open, p->launch.pid, 0);
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};

        kill(p->launch.pid, SIGTERM);
        if (pidfd < 0 || poll(&ended, 1, END_MS) != 1)
                kill(p->launch.pid, SIGKILL);
        waitpid(p->launch.pid, NULL, 0);
}

void patient_end(struct patient *p)
{
        if (p->cli.poppo)
                poppo_free(p->cli.poppo);
        if (p->alive)
                end_process(p);
        launch_fini(&p->launch);
        if (*p->dir)
                nftw(p->dir, remove_one, DIRS_OPEN, FTW_DEPTH | FTW_PHYS);
}

int patient_ask(struct patient *p, const char *op, const json_t *args, json_t **out)
{
        CLEANUP(cleanup_free) char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
        struct poppo_reply *reply = NULL;
        int r = poppo_call(p->cli.poppo, op, text, &reply);

        if (r)
                return cli_fail(&p->cli, r);
        *out = json_loads(poppo_reply_json(reply, ""), 0, NULL);
        poppo_reply_free(reply);
        return *out ? 0 : cli_complain(&p->cli, EXIT_UNREACHABLE, NULL, "%s: no answer to be read", op);
}

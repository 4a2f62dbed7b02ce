/* Commands that steer the supervisor: start, stop, restart, reload, drain. Its status is in cmd_status.c. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/launch.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_WAIT_MS = 30000 };

/* 0: connected; EXIT_NOT_RUNNING without a message; another status after one. */
static int try_connect(struct cli *cli)
{
        int r, status = cli_prepare(cli);

        if (status)
                return status;
        r = poppo_connect(cli->poppo, cli->opt.socket);
        if (r == -ENOENT || r == -ECONNREFUSED)
                return EXIT_NOT_RUNNING;
        return r ? cli_fail(cli, r) : 0;
}

static int launch(struct launch *l)
{
        int status = launch_run(l);

        if (!status)
                launch_say_ready(l);
        return status;
}

static int launch_new(struct cli *cli)
{
        struct launch new;
        int status = launch_init(&new, cli);

        if (!status)
                status = launch(&new);
        launch_fini(&new);
        return status;
}

int cmd_daemon_start(struct cli *cli)
{
        int status = try_connect(cli);

        if (status == EXIT_NOT_RUNNING)
                return launch_new(cli);
        if (!status)
                fprintf(stderr, "poppod is running already, pid %" PRId64 "\n", poppo_server_pid(cli->poppo));
        return status;
}

/* ---- stopping ---- */

/* The connection's end comes first, the process's soon after; only then are its files free for the next one. */
static int wait_for_end(struct cli *cli, int pidfd)
{
        struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
        bool waiting = output_is_terminal(stderr);
        int r;

        while ((r = poppo_step(cli->poppo, 1000)) == 0 || r == -ETIMEDOUT) {
                if (waiting && r == -ETIMEDOUT)
                        fputs("waiting for running tasks; interrupt to leave it alone\n", stderr);
                waiting = waiting && r != -ETIMEDOUT;
        }
        if (pidfd >= 0 && poll(&pfd, 1, EXIT_WAIT_MS) == 0)
                return cli_complain(
                        cli, EXIT_UNREACHABLE, NULL, "poppod closed its socket but has not ended");
        return 0;
}

static int stop_running(struct cli *cli)
{
        CLEANUP(cleanup_close) int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)poppo_server_pid(cli->poppo), 0);
        const char *args = cli->opt.now ? "{\"now\":true}" : NULL;
        int r = poppo_call(cli->poppo, "stop", args, NULL);

        /* With `now` the end may be quicker than the answer. */
        if (r && r != -ECONNRESET)
                return cli_fail(cli, r);
        return wait_for_end(cli, pidfd);
}

int cmd_daemon_stop(struct cli *cli)
{
        int status = try_connect(cli);

        if (status == EXIT_NOT_RUNNING) {
                fputs("poppod is not running\n", stderr);
                return EXIT_OK;
        }
        return status ? status : stop_running(cli);
}

int cmd_daemon_restart(struct cli *cli)
{
        bool own_options = CLI_GIVEN(cli, CONFIG) || CLI_GIVEN(cli, STATE_DIR);
        int status = try_connect(cli);
        struct launch next;

        if (status == EXIT_NOT_RUNNING)
                return launch_new(cli);
        if (status)
                return status;
        status = launch_init(&next, cli);
        if (!status && !own_options)
                status = launch_copy(&next, (pid_t)poppo_server_pid(cli->poppo));
        if (!status)
                status = stop_running(cli);
        if (!status)
                status = launch(&next);
        launch_fini(&next);
        return status;
}

/* ---- reload, drain ---- */

int cmd_daemon_reload(struct cli *cli)
{
        struct poppo_reply *reply;
        int r = poppo_call(cli->poppo, "reload", NULL, &reply);

        if (r > 0)
                return cli_complain(
                        cli, EXIT_CONFIG, "nothing was changed", "%s", poppo_error_message(cli->poppo));
        return r ? cli_fail(cli, r) : output_line(cli, reply, "/message");
}

int cmd_daemon_drain(struct cli *cli)
{
        struct poppo_reply *reply;
        int r = poppo_call(cli->poppo, "drain", NULL, &reply);

        if (r)
                return cli_fail(cli, r);
        if (cli->opt.json)
                output_json(reply, "");
        else
                puts("drained: nothing is left, nothing new is taken");
        poppo_reply_free(reply);
        return EXIT_OK;
}

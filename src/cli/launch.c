/*
 * poppod in a session of its own, its log in a file. It has started when its socket answers with its own pid; if it ends
 * before, the log says why.
 */
#include "cli/launch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { READY_TIMEOUT_MS = 20000, READY_POLL_MS = 20, TAIL_BYTES = 2048 };

/* ---- where things are ---- */

/* In poppo's own folder, as in a build, or in sbin beside it, as installed: an ordinary user's PATH lacks that. */
static const char *const places[] = {"poppod", "../sbin/poppod"};

static bool find_in_path(char *out, size_t size)
{
        const char *path = getenv("PATH");

        while (path && *path) {
                size_t len = strcspn(path, ":");
                int n = snprintf(out, size, "%.*s/poppod", (int)len, path);

                if (n > 0 && (size_t)n < size && paths_is_program(out))
                        return true;
                path += len + (path[len] == ':');
        }
        return false;
}

int launch_find(struct cli *cli, char *out, size_t size)
{
        if (paths_find_program(places, sizeof(places) / sizeof(places[0]), out, size) || find_in_path(out, size))
                return 0;
        return cli_complain(cli, EXIT_UNREACHABLE, NULL, "cannot find poppod, neither beside poppo nor in PATH");
}

/* Beside the socket, whose directory is made if need be: that is where poppod would make it. */
static void choose_log(struct launch *l)
{
        const char *socket = poppo_socket_path(l->cli->poppo);
        const char *slash = strrchr(socket, '/');

        if (l->cli->opt.log) {
                snprintf(l->log, sizeof(l->log), "%s", l->cli->opt.log);
                return;
        }
        snprintf(l->log, sizeof(l->log), "%.*s", slash ? (int)(slash - socket) : 1, slash ? socket : ".");
        if (*l->log)
                mkdir(l->log, 0755);
        strncat(l->log, "/poppod.log", sizeof(l->log) - strlen(l->log) - 1);
}

/* Beside the socket it may be in somebody else's directory (daemon.user): only a file that is one is taken there. */
static bool is_good_log(const struct launch *l, const struct stat *st)
{
        return l->cli->opt.log || (S_ISREG(st->st_mode) && st->st_nlink == 1);
}

static int open_log(struct launch *l)
{
        struct stat st;
        int strict;

        choose_log(l);
        strict = l->cli->opt.log ? 0 : O_NOFOLLOW | O_NONBLOCK;
        l->log_fd = open(l->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | strict, 0640);
        if (l->log_fd >= 0 && !fstat(l->log_fd, &st) && !is_good_log(l, &st))
                return cli_complain(l->cli, EXIT_DENIED, "--log FILE puts the log elsewhere",
                        "the log %s is no plain file of its own", l->log);
        if (l->log_fd < 0 || fstat(l->log_fd, &st) < 0)
                return cli_complain(l->cli, EXIT_DENIED, "--log FILE puts the log elsewhere",
                        "cannot open the log %s: %s", l->log, error_text(-errno));
        l->log_start = st.st_size;
        return 0;
}

/* ---- what to run ---- */

static void add_option(struct launch *l, size_t *n, const char *name, const char *value)
{
        if (!value)
                return;
        l->args[(*n)++] = (char *)name;
        l->args[(*n)++] = (char *)value;
}

/* The socket is always said: a supervisor that listens where its starter does not look would seem not to start. */
int launch_init(struct launch *l, struct cli *cli)
{
        size_t n = 0;

        int status;

        *l = (struct launch){.cli = cli, .log_fd = -1};
        status = launch_find(cli, l->program, sizeof(l->program));
        if (status)
                return status;
        l->args[n++] = l->program;
        add_option(l, &n, "--socket", poppo_socket_path(cli->poppo));
        add_option(l, &n, "-c", cli->opt.config);
        add_option(l, &n, "--state-dir", cli->opt.state_dir);
        return open_log(l);
}

void launch_fini(struct launch *l)
{
        if (l->log_fd >= 0)
                close(l->log_fd);
        free(l->arg_text);
}

static char *read_proc(pid_t pid, const char *file, size_t *len)
{
        CLEANUP(cleanup_free) char *text = calloc(1, 64 * 1024);
        CLEANUP(cleanup_close) int fd = -1;
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 || !text ? -1 : read(fd, text, 64 * 1024 - 1);
        if (n <= 0)
                return NULL;
        *len = (size_t)n;
        return TAKE_PTR(text);
}

/* What another user's process says of itself root does not take for its own command line. */
static bool is_trusted(pid_t pid)
{
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        return !stat(path, &st) && (geteuid() || !st.st_uid);
}

int launch_copy(struct launch *l, pid_t pid)
{
        size_t len, n = 1;
        char *text;
        char path[64];
        ssize_t got;

        if (!is_trusted(pid))
                return cli_complain(l->cli, EXIT_USAGE, "say how it is to be started, with -c FILE and --state-dir DIR",
                        "the supervisor, pid %d, is not root's: how it was started is not taken from it", (int)pid);
        text = read_proc(pid, "cmdline", &len);
        if (!text)
                return 0;
        free(l->arg_text);
        l->arg_text = text;
        for (char *at = text + strlen(text) + 1; at < text + len && n <= LAUNCH_ARGS_MAX;
                at += strlen(at) + 1)
                l->args[n++] = at;
        l->args[n] = NULL;
        snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
        got = readlink(path, l->directory, sizeof(l->directory) - 1);
        l->directory[got < 0 ? 0 : got] = '\0';
        return 0;
}

/* ---- starting ---- */

_Noreturn static void become_poppod(struct launch *l)
{
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        setsid();
        if (l->tied)
                prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGINT, SIG_DFL);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(l->log_fd, STDOUT_FILENO) < 0 ||
                dup2(l->log_fd, STDERR_FILENO) < 0 || (*l->directory && chdir(l->directory) < 0))
                _exit(EXIT_UNREACHABLE);
        execv(l->program, l->args);
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", l->program, strerror(errno));
        _exit(EXIT_UNREACHABLE);
}

static void print_tail(const struct launch *l)
{
        CLEANUP(cleanup_close) int fd = open(l->log, O_RDONLY | O_CLOEXEC);
        char text[TAIL_BYTES];
        struct stat st;
        off_t from;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return;
        from = st.st_size - l->log_start > TAIL_BYTES ? st.st_size - TAIL_BYTES : l->log_start;
        n = pread(fd, text, sizeof(text), from);
        if (n > 0)
                fprintf(stderr, "%.*s%s", (int)n, text, text[n - 1] == '\n' ? "" : "\n");
}

/* poppod's own status tells more than ours could: 75 another one runs, 78 its configuration. */
static int explain_end(struct launch *l, int wait_status)
{
        int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;

        l->pid = 0;
        print_tail(l);
        if (WIFSIGNALED(wait_status))
                return cli_complain(l->cli, EXIT_UNREACHABLE, NULL, "poppod was killed by signal %d (%s)",
                        WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
        return cli_complain(l->cli, status >= EXIT_USAGE ? status : EXIT_UNREACHABLE, l->log,
                "poppod ended with status %d before it was ready; its log:", status);
}

static int explain_timeout(struct launch *l)
{
        kill(l->pid, SIGTERM);
        print_tail(l);
        return cli_complain(l->cli, EXIT_UNREACHABLE, l->log,
                "poppod did not answer within %d s and was told to end; its log:", READY_TIMEOUT_MS / 1000);
}

static bool is_ready(struct launch *l)
{
        struct poppo *p = l->cli->poppo;

        poppo_close(p);
        return !poppo_connect(p, l->cli->opt.socket) && poppo_server_pid(p) == l->pid;
}

static int wait_until_ready(struct launch *l)
{
        int64_t deadline = clock_now() + READY_TIMEOUT_MS * NS_PER_MS;
        int wait_status;

        while (clock_now() < deadline) {
                if (waitpid(l->pid, &wait_status, WNOHANG) == l->pid)
                        return explain_end(l, wait_status);
                if (is_ready(l))
                        return 0;
                poll(NULL, 0, READY_POLL_MS);
        }
        return explain_timeout(l);
}

void launch_say_ready(const struct launch *l)
{
        if (l->cli->opt.json)
                printf("{\"pid\":%d}\n", (int)l->pid);
        else
                printf("%s is running, pid %d, log %s\n", poppo_server_name(l->cli->poppo), (int)l->pid,
                        l->log);
}

int launch_run(struct launch *l)
{
        bool progress = output_is_terminal(stderr) && !l->cli->opt.json;
        int status;

        fflush(stdout);
        l->pid = fork();
        if (l->pid < 0)
                return cli_complain(l->cli, EXIT_UNREACHABLE, NULL, "cannot fork: %s", error_text(-errno));
        if (!l->pid)
                become_poppod(l);
        if (progress)
                fputs("starting poppod ...", stderr);
        poppo_set_timeout(l->cli->poppo, READY_TIMEOUT_MS);
        status = wait_until_ready(l);
        if (progress)
                fputs("\r\033[K", stderr);
        return status;
}

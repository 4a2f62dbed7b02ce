/* cli_main() in a forked child: no program is needed, and sanitizers and valgrind see it. */
#include "run_poppo.h"

#include "base/fd.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int temporary(const char *content)
{
        char path[] = "/tmp/poppo-test-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        unlink(path);
        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        lseek(fd, 0, SEEK_SET);
        return fd;
}

static void slurp(int fd, char *out)
{
        ssize_t n;

        lseek(fd, 0, SEEK_SET);
        n = read(fd, out, OUTPUT_MAX - 1);
        assert_true(n >= 0);
        out[n] = '\0';
        close(fd);
}

pid_t start(int in, int out, int err, const char **argv)
{
        int argc = 0;
        pid_t pid;

        while (argv[argc])
                argc++;
        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid)
                return pid;
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        fd_close_from(STDERR_FILENO + 1, -1);
        exit(cli_main(argc, (char **)argv));
}

struct outcome *run_with(const char *input, const char **argv)
{
        static struct outcome o;
        int in = temporary(input), out = temporary(""), err = temporary(""), status;
        pid_t pid = start(in, out, err, argv);

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        o.status = WEXITSTATUS(status);
        close(in);
        slurp(out, o.out);
        slurp(err, o.err);
        return &o;
}

void finish(struct fake *fake)
{
        unsetenv("POPPO_SOCKET");
        fake_stop(fake);
}

void check(const struct outcome *o, int status, const char *out, const char *err)
{
        assert_string_equal(o->err, err);
        assert_string_equal(o->out, out);
        assert_int_equal(o->status, status);
}

void check_requests(const struct fake *fake, const char *expected)
{
        char *requests = fake_requests(fake);

        assert_string_equal(requests, expected);
        free(requests);
}

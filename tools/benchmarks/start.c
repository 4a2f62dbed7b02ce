/*
 * How long it takes from the start of a supervisor to the result of a first task.
 *   bench_start SOCKET CODE COUNT PROGRAM [ARGUMENT]...
 * Each time the program is run anew, and ended by TERM, on which it must exit with 0.
 */
#include "base/clock.h"
#include "measure.h"
#include "session.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { POLL_US = 50, POLLS_MAX = 200000 };

static void run_first_task(const char *path, const char *code)
{
        struct wire_submit submit = {0};
        struct session s;
        struct buf task;

        for (int i = 0; !session_try(&s, path); i++) {
                if (i == POLLS_MAX)
                        measure_die(path);
                usleep(POLL_US);
        }
        session_prepare_code(&submit, &task, code);
        WIRE_SET(&submit, submit, wait, true);
        session_ask(&s, WIRE_MESSAGE(submit), &submit);
        session_close(&s);
        buf_fini(&task);
}

int main(int argc, char **argv)
{
        size_t count = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
        struct measure m;

        if (!count)
                return 64;
        measure_start(&m, count);
        for (size_t i = 0; i < count; i++) {
                int64_t start = clock_now();
                int status;
                pid_t pid;

                if (posix_spawn(&pid, argv[4], NULL, NULL, argv + 4, environ))
                        measure_die(argv[4]);
                run_first_task(argv[1], argv[2]);
                measure_add(&m, clock_now() - start);
                kill(pid, SIGTERM);
                if (waitpid(pid, &status, 0) < 0 || status)
                        measure_die("the supervisor's end");
        }
        measure_report(&m);
        return 0;
}

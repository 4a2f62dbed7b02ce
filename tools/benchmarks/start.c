/*
 * How long it takes from the start of a supervisor to the result of a first task.
 *   bench_start waited|durable SOCKET CODE COUNT PROGRAM [ARGUMENT]...
 * Each time the program is run anew, and ended by TERM, on which it must exit with 0. durable: the task is, so that its result
 * says that the store serves as well.
 */
#include "base/clock.h"
#include "measure.h"
#include "session.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { POLL_US = 50, POLLS_MAX = 200000 };

static void run_first_task(const char *path, const char *code, bool durable)
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
        if (durable) {
                WIRE_SET(&submit, submit, options, (struct wire_task_options){0});
                WIRE_SET(&submit.options, task_options, durable, true);
        }
        session_ask(&s, WIRE_MESSAGE(submit), &submit);
        session_close(&s);
        buf_fini(&task);
}

int main(int argc, char **argv)
{
        size_t count = argc > 5 ? strtoul(argv[4], NULL, 10) : 0;
        struct measure m;

        if (!count)
                return 64;
        measure_start(&m, count);
        for (size_t i = 0; i < count; i++) {
                int64_t start = clock_now();
                int status;
                pid_t pid;

                if (posix_spawn(&pid, argv[5], NULL, NULL, argv + 5, environ))
                        measure_die(argv[5]);
                run_first_task(argv[2], argv[3], !strcmp(argv[1], "durable"));
                measure_add(&m, clock_now() - start);
                kill(pid, SIGTERM);
                if (waitpid(pid, &status, 0) < 0 || status)
                        measure_die("the supervisor's end");
        }
        measure_report(&m);
        return 0;
}

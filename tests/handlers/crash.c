/*
 * A plugin that does on purpose what plugins do by mistake, and worse: {type, how} names it. What becomes of the worker, and
 * of everybody else, is the test's to see.
 */
#include <fcntl.h>
#include <msgpack.h>
#include <poll.h>
#include <poppo/plugin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHANNEL = 3, BIG_BYTES = 1000000, HUGE_BYTES = 32 * 1024 * 1024, LINE = 1000 };

/* Under a sanitizer the signal must end the process as it does without one. */
static void forget_handlers(void)
{
        static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                signal(signals[i], SIG_DFL);
}

static int succeed(struct poppo_run *run)
{
        return run->host->result(run, "\xa4" "fine", 5);
}

/* ---- deaths ---- */

static int use_null(struct poppo_run *run)
{
        *(int *volatile)NULL = 1;
        return succeed(run);
}

static int call_abort(struct poppo_run *run)
{
        (void)run;
        abort();
}

static int call_exit(struct poppo_run *run)
{
        (void)run;
        exit(0);
}

static int call_underscore_exit(struct poppo_run *run)
{
        (void)run;
        _exit(0);
}

static volatile int bottom = 1;

/* The compiler must neither make a loop of it nor see that it does not end. */
static int dig(volatile char *above)
{
        volatile char here[512];

        here[0] = above ? above[0] : 0;
        return bottom ? dig(here) + here[0] : 0;
}

static int recurse(struct poppo_run *run)
{
        (void)run;
        return dig(NULL);
}

/* ---- loops ---- */

static int loop_deaf(struct poppo_run *run)
{
        for (volatile int i = 0; run;)
                i++;
        return 0;
}

static int loop_until_stopped(struct poppo_run *run)
{
        while (!run->host->stopped(run))
                ;
        return 1;
}

static int sleep_deaf(struct poppo_run *run)
{
        while (run)
                poll(NULL, 0, 1000);
        return 0;
}

/* ---- results ---- */

static int give_huge(struct poppo_run *run)
{
        char *bytes = calloc(1, HUGE_BYTES);

        if (!bytes)
                return 2;
        memcpy(bytes, "\xc6\x01\xff\xff\xfb", 5);
        return run->host->result(run, bytes, HUGE_BYTES) == POPPO_TOO_LARGE ? 0 : 3;
}

static int give_big(struct poppo_run *run)
{
        static char bytes[BIG_BYTES + 5] = "\xc6\x00\x0f\x42\x40";

        return run->host->result(run, bytes, sizeof(bytes)) == POPPO_DONE ? 0 : 3;
}

static int give_rubbish(struct poppo_run *run)
{
        return run->host->result(run, "\xc1", 1) == POPPO_NO_VALUE ? 0 : 3;
}

static int give_two_values(struct poppo_run *run)
{
        return run->host->result(run, "\x01\x02", 2) == POPPO_NO_VALUE ? 0 : 3;
}

static int give_good_after_bad(struct poppo_run *run)
{
        give_rubbish(run);
        return succeed(run);
}

static int give_nothing(struct poppo_run *run)
{
        (void)run;
        return 0;
}

static int fail_plainly(struct poppo_run *run)
{
        (void)run;
        return 7;
}

static int fail_well(struct poppo_run *run)
{
        return run->host->fail(run, "URL_REFUSED", "not \xff there", "\x2a", 1) == POPPO_DONE ? 1 : 2;
}

static int fail_with_unknown_code(struct poppo_run *run)
{
        return run->host->fail(run, "NO_SUCH_CODE", "as it is", NULL, 0) == POPPO_NO_SUCH ? 1 : 2;
}

static int log_much(struct poppo_run *run)
{
        char line[LINE + 1];

        memset(line, 'x', LINE);
        line[LINE] = '\0';
        for (int i = 0; i < LINE; i++)
                run->host->log(run, POPPO_LEVEL_INFO, line);
        return succeed(run);
}

static int log_a_little(struct poppo_run *run)
{
        run->host->log(run, POPPO_LEVEL_LOG, "one");
        run->host->log(run, POPPO_LEVEL_ERROR, "two \xc3");
        return succeed(run);
}

/* ---- against others ---- */

static int write_rubbish(struct poppo_run *run)
{
        if (write(CHANNEL, "\xff\xff\xff\xffrubbish", 11) != 11)
                return 1;
        return succeed(run);
}

/* A reply to a run that is not under way. */
static int reply_twice(struct poppo_run *run)
{
        static const char reply[] = "\0\0\0\x15\x83\xa3seq\xcd\x7f\xff\xa2ok\xc3\xa5value\x01";

        if (write(CHANNEL, reply, sizeof(reply) - 1) != sizeof(reply) - 1)
                return 1;
        return succeed(run);
}

static int close_channel(struct poppo_run *run)
{
        close(CHANNEL);
        return succeed(run);
}

static int use_memory(struct poppo_run *run)
{
        for (int i = 0; i < 1024; i++) {
                char *more = malloc(16 << 20);

                if (!more)
                        return run->host->fail(run, "OUT_OF_MEMORY", "malloc said no", NULL, 0) == POPPO_DONE ? 1 : 2;
                memset(more, 1, 16 << 20);
        }
        return succeed(run);
}

static int make_process(struct poppo_run *run)
{
        return syscall(SYS_fork) < 0 ? 1 : succeed(run);
}

static int open_file(struct poppo_run *run)
{
        return open("/etc/passwd", O_RDONLY) < 0 ? 1 : succeed(run);
}

static int write_file(struct poppo_run *run)
{
        return open("/tmp/poppo-plugin-was-here", O_WRONLY | O_CREAT, 0600) < 0 ? 1 : succeed(run);
}

static int make_socket(struct poppo_run *run)
{
        return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 1 : succeed(run);
}

static int make_code(struct poppo_run *run)
{
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 1 : succeed(run);
}

static int kill_the_parent(struct poppo_run *run)
{
        return kill(getppid(), SIGKILL) < 0 ? 1 : succeed(run);
}

/* ---- by name ---- */

static const struct {
        const char *name;
        int (*play)(struct poppo_run *run);
} tricks[] = {
        {"fine", succeed},
        {"null", use_null},
        {"abort", call_abort},
        {"exit", call_exit},
        {"_exit", call_underscore_exit},
        {"recursion", recurse},
        {"deaf", loop_deaf},
        {"loop", loop_until_stopped},
        {"sleep", sleep_deaf},
        {"big", give_big},
        {"huge", give_huge},
        {"no-value", give_rubbish},
        {"two-values", give_two_values},
        {"good-after-bad", give_good_after_bad},
        {"nothing", give_nothing},
        {"fail", fail_plainly},
        {"fail-well", fail_well},
        {"fail-unknown", fail_with_unknown_code},
        {"log", log_a_little},
        {"log-much", log_much},
        {"rubbish", write_rubbish},
        {"twice", reply_twice},
        {"close", close_channel},
        {"memory", use_memory},
        {"fork", make_process},
        {"open", open_file},
        {"write", write_file},
        {"socket", make_socket},
        {"code", make_code},
        {"kill", kill_the_parent},
};

static bool is_key(const msgpack_object *key, const char *name)
{
        return key->type == MSGPACK_OBJECT_STR && key->via.str.size == strlen(name) &&
                !memcmp(key->via.str.ptr, name, key->via.str.size);
}

static int play(struct poppo_run *run, const msgpack_object *how)
{
        for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
                if (is_key(how, tricks[i].name))
                        return tricks[i].play(run);
        return run->host->fail(run, "INVALID_TASK", "no such trick", NULL, 0) == POPPO_DONE ? 1 : 2;
}

static int play_task(struct poppo_run *run)
{
        msgpack_unpacked task;
        int r = 1;

        forget_handlers();
        msgpack_unpacked_init(&task);
        if (msgpack_unpack_next(&task, run->task.data, run->task.size, NULL) == MSGPACK_UNPACK_SUCCESS)
                for (uint32_t i = 0; i < task.data.via.map.size; i++)
                        if (is_key(&task.data.via.map.ptr[i].key, "how"))
                                r = play(run, &task.data.via.map.ptr[i].val);
        msgpack_unpacked_destroy(&task);
        return r;
}

const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "crash 1.0", .run = play_task};

/*
 * A spawner whose workers run no JavaScript: a task's `code` or `url` is the name of the trick that the worker plays,
 * honest or not. The configured maxCpuTime, of no other use here, names the trick that it plays at its start.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "wire/channel.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANNEL_FD = 3 };

static struct wire_spawn_setup setup;
static struct channel out;

static void flush(void)
{
        fd_set_nonblock(out.fd, 0);
        if (channel_flush(&out))
                _exit(1);
}

static void say_raw(const void *bytes, size_t n)
{
        if (send(out.fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
                _exit(1);
}

#define SAY_RAW(text) say_raw(text, sizeof(text) - 1)

static void beat(void)
{
        struct wire_worker_beat body = {0};

        channel_send(&out, WIRE_MESSAGE(worker_beat), 0, &body);
        flush();
}

/* ---- answers ---- */

static struct bytes arrays(unsigned int depth)
{
        static uint8_t bytes[64];

        memset(bytes, 0x91, depth);
        bytes[depth] = 1;
        return (struct bytes){bytes, depth + 1};
}

static struct wire_worker_run_reply honest(struct bytes value)
{
        struct wire_worker_run_reply body = {0};

        WIRE_SET(&body, worker_run_reply, value, value);
        WIRE_SET(&body, worker_run_reply, cpu_us, 5);
        WIRE_SET(&body, worker_run_reply, max_memory_bytes, 6);
        return body;
}

static void reply(uint64_t seq, const struct wire_worker_run_reply *body)
{
        channel_send(&out, WIRE_MESSAGE(worker_run_reply), seq, body);
        flush();
}

static void reply_value(uint64_t seq, struct bytes value)
{
        struct wire_worker_run_reply body = honest(value);

        reply(seq, &body);
}

static void reply_error(uint64_t seq, const char *code, struct bytes data)
{
        struct wire_worker_run_reply body = honest((struct bytes){0});
        struct wire_failure failure = {0};

        WIRE_SET(&failure, failure, code, wire_str(code));
        WIRE_SET(&failure, failure, message, wire_str("so it is"));
        if (data.len)
                WIRE_SET(&failure, failure, data, data);
        body.has &= ~(1u << WIRE_AT_worker_run_reply_value);
        WIRE_SET(&body, worker_run_reply, error, failure);
        reply(seq, &body);
}

static void reply_logs(uint64_t seq, struct bytes logs)
{
        struct wire_worker_run_reply body = honest(arrays(0));

        WIRE_SET(&body, worker_run_reply, logs, logs);
        reply(seq, &body);
}

/* ---- tricks ---- */

static void play_ok(uint64_t seq)
{
        reply_value(seq, arrays(0));
}

static void play_value_30(uint64_t seq)
{
        reply_value(seq, arrays(30));
}

static void play_value_31(uint64_t seq)
{
        reply_value(seq, arrays(31));
}

static void play_data_29(uint64_t seq)
{
        reply_error(seq, "TASK_ERROR", arrays(29));
}

static void play_data_30(uint64_t seq)
{
        reply_error(seq, "TASK_ERROR", arrays(30));
}

static void play_logs(uint64_t seq)
{
        reply_logs(seq, wire_str("\x91\x83\xa5level\xa3log\xa4text\xa2hi\xa2" "at\x01"));
}

static void play_bad_logs(uint64_t seq)
{
        reply_logs(seq, wire_str("\x91\x91\x01"));
}

static void play_bad_level(uint64_t seq)
{
        reply_logs(seq, wire_str("\x91\x83\xa5level\xa3owl\xa4text\xa2hi\xa2" "at\x01"));
}

static void play_other_run(uint64_t seq)
{
        play_ok(seq + 1);
}

static void play_both(uint64_t seq)
{
        struct wire_worker_run_reply body = honest(arrays(0));

        WIRE_SET(&body.error, failure, code, wire_str("TASK_ERROR"));
        WIRE_SET(&body.error, failure, message, wire_str("both"));
        body.has |= 1u << WIRE_AT_worker_run_reply_error;
        reply(seq, &body);
}

static void play_unknown_code(uint64_t seq)
{
        reply_error(seq, "NO_SUCH_CODE", (struct bytes){0});
}

static void play_huge(uint64_t seq)
{
        (void)seq;
        SAY_RAW("\x7f\xff\xff\xff");
}

static void play_garbage(uint64_t seq)
{
        (void)seq;
        SAY_RAW("\0\0\0\1\xc1");
}

static void play_refusal(uint64_t seq)
{
        struct wire_refusal why;

        wire_refuse(&why, WIRE_BAD_FRAME, "I will not");
        wire_encode_refusal(&out.out, seq, &why, -1);
        flush();
}

static void play_client_op(uint64_t seq)
{
        (void)seq;
        SAY_RAW("\0\0\0\x0e\x82\xa2op\xa4stop\xa3seq\x01");
}

static void play_ready_again(uint64_t seq)
{
        (void)seq;
        SAY_RAW("\0\0\0\x12\x82\xa2op\xa5ready\xa6layers\x80");
}

/* An honest end and a thousand faults in one piece. */
static void play_ok_and_faults(uint64_t seq)
{
        struct wire_worker_run_reply body = honest(arrays(0));

        channel_send(&out, WIRE_MESSAGE(worker_run_reply), seq, &body);
        for (int i = 0; i < 1000; i++)
                buf_append(&out.out, "\0\0\0\1\xc1", 5);
        flush();
}

/* Asks to be replaced, twice, before and after its run is over. */
static void play_retire(uint64_t seq)
{
        struct wire_worker_retire note = {0};

        WIRE_SET(&note, worker_retire, reason, wire_str("tired\x1b and \xff done"));
        channel_send(&out, WIRE_MESSAGE(worker_retire), 0, &note);
        play_ok(seq);
        channel_send(&out, WIRE_MESSAGE(worker_retire), 0, &note);
        flush();
}

static void play_much_cpu(uint64_t seq)
{
        struct wire_worker_run_reply body = honest(arrays(0));

        WIRE_SET(&body, worker_run_reply, cpu_us, INT64_MAX);
        reply(seq, &body);
}

static void play_exit(uint64_t seq)
{
        (void)seq;
        _exit(3);
}

static void play_exit_stuck(uint64_t seq)
{
        (void)seq;
        _exit(110);
}

static void play_abort(uint64_t seq)
{
        (void)seq;
        signal(SIGABRT, SIG_DFL);
        raise(SIGABRT);
}

static void play_denied(uint64_t seq)
{
        (void)seq;
        raise(SIGSYS);
}

static void play_ok_then_exit(uint64_t seq)
{
        play_ok(seq);
        _exit(3);
}

static void play_hang(uint64_t seq)
{
        (void)seq;
        for (;;) {
                poll(NULL, 0, (int)setup.heartbeat_ms);
                beat();
        }
}

static void play_silent(uint64_t seq)
{
        (void)seq;
        for (;;)
                pause();
}

static void play_close(uint64_t seq)
{
        (void)seq;
        close(out.fd);
        for (;;)
                pause();
}

static void play_output_unasked(uint64_t seq)
{
        struct wire_worker_output body = {0};

        WIRE_SET(&body, worker_output, run, seq);
        WIRE_SET(&body, worker_output, stream, 0);
        WIRE_SET(&body, worker_output, at, 0);
        WIRE_SET(&body, worker_output, data, wire_str("unasked"));
        channel_send(&out, WIRE_MESSAGE(worker_output), 0, &body);
        flush();
}

/* It may say it again, but not this. */
static void play_less(uint64_t seq)
{
        struct wire_worker_locked body = {0};

        (void)seq;
        WIRE_SET(&body, worker_locked, layers, wire_str("\x81\xa7seccomp\xa6" "absent"));
        channel_send(&out, WIRE_MESSAGE(worker_locked), 0, &body);
        flush();
}

static void play_locked(uint64_t seq)
{
        struct wire_worker_locked body = {0};

        (void)seq;
        WIRE_SET(&body, worker_locked, layers, wire_str("\x80"));
        channel_send(&out, WIRE_MESSAGE(worker_locked), 0, &body);
        flush();
}

/* ---- questions to the loader ---- */

enum { QUESTION = 77 };

static void ask(uint64_t seq, struct bytes name)
{
        struct wire_load body = {0};

        WIRE_SET(&body, load, name, name);
        channel_send(&out, WIRE_MESSAGE(load), seq, &body);
}

/* The answer as the run's own: done, or the code that the question was refused with. */
static void play_load(uint64_t seq, struct bytes name)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame, error, code;
        char text[64];

        ask(QUESTION, name);
        flush();
        while (channel_next(&out, &frame))
                if (channel_fill(&out))
                        _exit(1);
        if (wire_open(frame, &head, &why) || !head.is_reply || head.seq != QUESTION)
                return reply_error(seq, "TASK_ERROR", (struct bytes){0});
        if (head.ok)
                return play_ok(seq);
        if (!wire_lookup(frame, "error", &error) || !wire_lookup_str(error, "code", &code))
                _exit(1);
        memcpy(text, code.data, code.len);
        text[code.len] = 0;
        reply_error(seq, text, (struct bytes){0});
}

static void play_load_idle(uint64_t seq)
{
        struct wire_worker_run_reply body = honest(arrays(0));

        channel_send(&out, WIRE_MESSAGE(worker_run_reply), seq, &body);
        ask(QUESTION, wire_str("ok"));
        flush();
}

static void play_load_twice(uint64_t seq)
{
        (void)seq;
        ask(QUESTION, wire_str("ok"));
        ask(QUESTION + 1, wire_str("ok"));
        flush();
}

static void play_load_and_go_on(uint64_t seq)
{
        ask(QUESTION, wire_str("late"));
        play_ok(seq);
}

/* Of a class that runs many at once: one that is under way until another one lets it end. */
static uint64_t kept;

static void play_keep(uint64_t seq)
{
        kept = seq;
}

static void play_release(uint64_t seq)
{
        play_ok(seq);
        play_ok(kept);
}

/* For a while it does not read what it is sent, but lives. */
static void play_nap(uint64_t seq)
{
        static int beats;

        for (; beats < 10; beats++) {
                poll(NULL, 0, (int)setup.heartbeat_ms / 2);
                beat();
        }
        play_ok(seq);
}

static const struct {
        const char *name;
        void (*play)(uint64_t seq);
} tricks[] = {
        {"ok", play_ok}, {"value-30", play_value_30}, {"value-31", play_value_31}, {"data-29", play_data_29},
        {"data-30", play_data_30}, {"logs", play_logs}, {"bad-logs", play_bad_logs}, {"bad-level", play_bad_level},
        {"other-run", play_other_run}, {"both", play_both}, {"unknown-code", play_unknown_code}, {"huge", play_huge},
        {"garbage", play_garbage}, {"refusal", play_refusal}, {"client-op", play_client_op},
        {"ready-again", play_ready_again}, {"ok-and-faults", play_ok_and_faults}, {"much-cpu", play_much_cpu}, {"retire", play_retire},
        {"exit", play_exit}, {"exit-stuck", play_exit_stuck}, {"abort", play_abort}, {"denied", play_denied},
        {"ok-then-exit", play_ok_then_exit}, {"hang", play_hang}, {"silent", play_silent}, {"close", play_close},
        {"output-unasked", play_output_unasked}, {"locked", play_locked}, {"less", play_less}, {"keep", play_keep}, {"release", play_release},
        {"load-idle", play_load_idle}, {"load-twice", play_load_twice}, {"load-and-go-on", play_load_and_go_on},
        {"nap", play_nap},
};

static void play(struct bytes frame, uint64_t seq)
{
        struct bytes task, code;

        if (!wire_lookup(frame, "task", &task) ||
                (!wire_lookup_str(task, "code", &code) && !wire_lookup_str(task, "url", &code) &&
                        !wire_lookup_str(task, "command", &code)))
                _exit(1);
        if (code.len > 5 && !memcmp(code.data, "load:", 5))
                return play_load(seq, (struct bytes){code.data + 5, code.len - 5});
        for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
                if (wire_str_is(code, tricks[i].name))
                        return tricks[i].play(seq);
        _exit(1);
}

static void obey(struct bytes frame)
{
        const struct wire_message *m = WIRE_MESSAGE(worker_cancel);
        struct wire_worker_cancel body;
        struct wire_refusal why;
        struct wire_head head;

        if (wire_open(frame, &head, &why))
                _exit(1);
        if (wire_str_is(head.op, "run"))
                play(frame, head.seq);
        else if (wire_str_is(head.op, m->name) && !wire_decode(m, frame, &body, &why))
                reply_error(body.run, "CANCELLED", (struct bytes){0});
        else if (!wire_str_is(head.op, "configure"))
                _exit(1);
}

/* ---- a worker ---- */

enum start { START_WELL, START_SILENT, START_EXIT, START_BAD_LAYERS, START_EXIT_IDLE, START_FAILED };

static void fail(void)
{
        struct wire_worker_failed body = {0};

        WIRE_SET(&body, worker_failed, message, wire_str("/plugin.so is writable\nby \xff all"));
        channel_send(&out, WIRE_MESSAGE(worker_failed), 0, &body);
        flush();
        _exit(115);
}

static void start(void)
{
        struct wire_worker_ready body = {0};

        if (setup.max_cpu_ms == START_FAILED)
                fail();
        if (setup.max_cpu_ms == START_SILENT)
                play_silent(0);
        if (setup.max_cpu_ms == START_EXIT)
                _exit(118);
        WIRE_SET(&body, worker_ready, layers,
                wire_str(setup.max_cpu_ms == START_BAD_LAYERS ? "\x81\xa7seccomp\x91\x01" : "\x81\xa7seccomp\xa8" "enforced"));
        channel_send(&out, WIRE_MESSAGE(worker_ready), 0, &body);
        flush();
        if (setup.max_cpu_ms == START_EXIT_IDLE)
                _exit(3);
}

_Noreturn static void work(int fd)
{
        struct bytes frame;

        /* It obeys no cancel. */
        signal(SIGUSR1, SIG_IGN);
        channel_init(&out, fd, CHANNEL_FRAME_MAX, 0);
        start();
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};

                if (!poll(&p, 1, (int)setup.heartbeat_ms))
                        beat();
                else if (channel_fill(&out))
                        _exit(0);
                while (!channel_next(&out, &frame))
                        obey(frame);
        }
}

/* ---- the spawner ---- */

static void spawn(struct channel *master, uint64_t seq)
{
        struct wire_spawn_reply reply = {0};
        int pair[2], fds[2];
        long pid;

        if (fd_pair(pair) < 0)
                _exit(1);
        pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (!pid) {
                close(pair[0]);
                close(master->fd);
                fd_set_nonblock(pair[1], 0);
                work(pair[1]);
        }
        close(pair[1]);
        fds[0] = pair[0];
        fds[1] = (int)syscall(SYS_pidfd_open, pid, 0);
        WIRE_SET(&reply, spawn_reply, pid, (uint64_t)pid);
        if (channel_send_fds(master, WIRE_MESSAGE(spawn_reply), seq, &reply, fds, 2))
                _exit(1);
        close(fds[0]);
        close(fds[1]);
}

static void serve(struct channel *master, struct bytes frame)
{
        struct wire_spawn_ready ready = {0};
        struct wire_refusal why;
        struct wire_head head;

        if (wire_open(frame, &head, &why))
                _exit(1);
        if (wire_str_is(head.op, "spawn"))
                return spawn(master, head.seq);
        if (wire_decode(WIRE_MESSAGE(spawn_setup), frame, &setup, &why))
                _exit(1);
        WIRE_SET(&ready, spawn_ready, image_bytes, 1);
        channel_send(master, WIRE_MESSAGE(spawn_ready), 0, &ready);
        channel_flush(master);
}

int main(void)
{
        struct channel master;
        struct bytes frame;

        channel_init(&master, CHANNEL_FD, CHANNEL_FRAME_MAX, 0);
        fd_set_nonblock(CHANNEL_FD, 0);
        while (!channel_fill(&master))
                while (!channel_next(&master, &frame))
                        serve(&master, frame);
        channel_fini(&master);
        return 0;
}

#include "rig.h"

#include "library.h"
#include "wire/cursor.h"
#include "wire/pack.h"
#include "worker/js/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MEMORY = 16 << 20, STACK = 128 << 20 };

void rig_raise_stack(char **argv)
{
        struct rlimit limit;

        getrlimit(RLIMIT_STACK, &limit);
        if (limit.rlim_cur >= STACK)
                return;
        limit.rlim_cur = STACK;
        if (setrlimit(RLIMIT_STACK, &limit) == 0)
                execv("/proc/self/exe", argv);
        perror("stack");
        exit(1);
}

struct wire_spawn_setup rig_setup(void)
{
        return (struct wire_spawn_setup){.max_memory_bytes = MEMORY,
                .heartbeat_ms = 60000,
                .max_result_bytes = 1 << 20,
                .max_log_bytes = 65536};
}

void rig_start(struct rig *r, const struct wire_spawn_setup *setup)
{
        static const uint8_t layers[] = {0x80};
        int pair[2];
        struct bytes frame;

        *r = (struct rig){0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        r->pid = fork();
        assert_true(r->pid >= 0);
        if (!r->pid) {
                close(pair[0]);
                if (worker_js_prepare(setup) < 0)
                        _exit(99);
                worker_js_run(pair[1], NULL, (struct bytes){layers, sizeof(layers)});
        }
        close(pair[1]);
        channel_init(&r->channel, pair[0], CHANNEL_FRAME_MAX * 2, CHANNEL_FRAME_MAX * 2);
        while (channel_next(&r->channel, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&r->channel), 0);
}

int rig_stop(struct rig *r)
{
        int status = -1;

        channel_fini(&r->channel);
        waitpid(r->pid, &status, 0);
        return status;
}

void rig_send(struct rig *r, struct bytes task, uint64_t timeout_ms)
{
        struct wire_worker_run run = {0};

        WIRE_SET(&run, worker_run, task, task);
        WIRE_SET(&run, worker_run, timeout, timeout_ms);
        assert_int_equal(channel_send(&r->channel, WIRE_MESSAGE(worker_run), ++r->seq, &run), 0);
        assert_int_equal(channel_flush(&r->channel), 0);
}

static void copy_text(char *out, size_t n, struct bytes s)
{
        snprintf(out, n, "%.*s", (int)s.len, (const char *)s.data);
}

static void copy_failure(const struct wire_failure *f, struct rig_reply *out)
{
        copy_text(out->code, sizeof(out->code), f->code);
        copy_text(out->message, sizeof(out->message), f->message);
        copy_text(out->name, sizeof(out->name), f->name);
        copy_text(out->stack, sizeof(out->stack), f->stack);
        if (WIRE_HAS(f, failure, data))
                rig_print(f->data, out->data, sizeof(out->data));
}

static void read_reply(struct rig *r, struct bytes frame, const struct wire_head *head, struct rig_reply *out)
{
        struct wire_refusal why;
        struct wire_worker_run_reply body;

        assert_true(head->is_reply && head->ok);
        assert_int_equal(head->seq, r->seq);
        assert_int_equal(wire_decode(WIRE_MESSAGE(worker_run_reply), frame, &body, &why), 0);
        memset(out, 0, sizeof(*out));
        if (WIRE_HAS(&body, worker_run_reply, value))
                rig_print(body.value, out->value, sizeof(out->value));
        if (WIRE_HAS(&body, worker_run_reply, error))
                copy_failure(&body.error, out);
        if (WIRE_HAS(&body, worker_run_reply, logs))
                rig_print(body.logs, out->logs, sizeof(out->logs));
        out->truncated = body.truncated;
        out->cpu_us = body.cpu_us;
        out->max_memory_bytes = body.max_memory_bytes;
        out->value_bytes = body.value.len;
}

/* ---- what the worker asks ---- */

void rig_answer(struct rig *r, uint64_t seq, const struct wire_message *m, const void *body)
{
        assert_int_equal(channel_send(&r->channel, m, seq, body), 0);
        assert_int_equal(channel_flush(&r->channel), 0);
}

static void refuse(struct rig *r, uint64_t seq)
{
        struct wire_refusal why;

        wire_refuse(&why, WIRE_LOADER_UNAVAILABLE, "the loader is being started again");
        assert_int_equal(wire_encode_refusal(&r->channel.out, seq, &why, -1), 0);
        assert_int_equal(channel_flush(&r->channel), 0);
}

/* As the master does: the fields go on, under another number. */
static void relay(struct rig *r, const struct wire_head *head, struct bytes frame,
        const struct wire_message *call, const struct wire_message *reply)
{
        union wire_body body, answer;
        struct wire_refusal why;

        r->asked = head->seq;
        if (r->deaf)
                return;
        if (r->refuses)
                return refuse(r, head->seq);
        assert_non_null(r->library);
        assert_int_equal(wire_decode(call, frame, &body, &why), 0);
        assert_int_equal(wire_decode(reply, library_ask(r->library, call, &body), &answer, &why), 0);
        rig_answer(r, head->seq, reply, &answer);
}

static struct bytes next_frame(struct rig *r)
{
        struct bytes frame;

        while (channel_next(&r->channel, &frame) == CHANNEL_AGAIN)
                if (channel_fill(&r->channel) == CHANNEL_CLOSED) {
                        int status;

                        waitpid(r->pid, &status, 0);
                        fail_msg("the worker ended with status 0x%x", status);
                }
        return frame;
}

/* True when it was not the reply to a run. */
static bool handle(struct rig *r, struct bytes frame, struct wire_head *head)
{
        struct wire_refusal why;

        assert_int_equal(wire_open(frame, head, &why), 0);
        if (head->is_reply)
                return false;
        if (wire_str_is(head->op, "beat")) {
                r->beats++;
        } else if (wire_str_is(head->op, "load")) {
                r->loads++;
                relay(r, head, frame, WIRE_MESSAGE(load), WIRE_MESSAGE(load_reply));
        } else {
                assert_true(wire_str_is(head->op, "check"));
                r->checks++;
                relay(r, head, frame, WIRE_MESSAGE(check), WIRE_MESSAGE(check_reply));
        }
        return true;
}

void rig_wait_for_question(struct rig *r)
{
        unsigned int before = r->loads + r->checks;
        struct wire_head head;

        while (r->loads + r->checks == before)
                assert_true(handle(r, next_frame(r), &head));
}

void rig_receive(struct rig *r, struct rig_reply *out)
{
        for (;;) {
                struct wire_head head;
                struct bytes frame = next_frame(r);

                if (!handle(r, frame, &head)) {
                        read_reply(r, frame, &head, out);
                        return;
                }
        }
}

void rig_send_module(
        struct rig *r, const char *path, const char *method, struct bytes args, uint64_t timeout_ms)
{
        struct buf b;
        struct pack p;

        buf_init(&b, 0);
        pack_init(&p, &b);
        pack_map(&p, 2u + (method != NULL) + (args.len != 0));
        pack_entry_text(&p, "type", "execute-module");
        pack_entry_text(&p, "modulePath", path);
        if (method)
                pack_entry_text(&p, "method", method);
        if (args.len)
                pack_entry_raw(&p, "args", args);
        rig_send(r, buf_bytes(&b), timeout_ms);
        buf_fini(&b);
}

void rig_module(struct rig *r, const char *path, const char *method, struct bytes args, struct rig_reply *out)
{
        rig_send_module(r, path, method, args, 20000);
        rig_receive(r, out);
}

void rig_task(struct rig *r, struct bytes task, uint64_t timeout_ms, struct rig_reply *out)
{
        rig_send(r, task, timeout_ms);
        rig_receive(r, out);
}

void rig_send_code(struct rig *r, const char *code, uint64_t timeout_ms)
{
        struct buf b;
        struct pack p;

        buf_init(&b, 0);
        pack_init(&p, &b);
        pack_map(&p, 2);
        pack_entry_text(&p, "type", "execute-code");
        pack_entry_text(&p, "code", code);
        rig_send(r, buf_bytes(&b), timeout_ms);
        buf_fini(&b);
}

void rig_code(struct rig *r, const char *code, uint64_t timeout_ms, struct rig_reply *out)
{
        rig_send_code(r, code, timeout_ms);
        rig_receive(r, out);
}

void rig_function(
        struct rig *r, const char *key, const char *source, struct bytes args, struct rig_reply *out)
{
        struct buf b;
        struct pack p;

        buf_init(&b, 0);
        pack_init(&p, &b);
        pack_map(&p, args.len ? 3 : 2);
        pack_entry_text(&p, "type", "execute-function");
        pack_entry_text(&p, key, source);
        if (args.len)
                pack_entry_raw(&p, "args", args);
        rig_task(r, buf_bytes(&b), 5000, out);
        buf_fini(&b);
}

/* ---- looking ---- */

static size_t count_in(const char *hay, size_t n, const char *needle)
{
        size_t found = 0, len = strlen(needle);

        for (const char *at = hay; (at = memmem(at, (size_t)(hay + n - at), needle, len)); at += len)
                found++;
        return found;
}

size_t rig_count_in_memory(struct rig *r, const char *needle)
{
        char path[64], line[512];
        size_t found = 0;
        FILE *maps;

        snprintf(path, sizeof(path), "/proc/%d/maps", r->pid);
        maps = fopen(path, "r");
        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps)) {
                unsigned long from, to;
                char rights[5];

                if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w')
                        continue;
                /* A sanitizer's shadow: terabytes, and nothing of the program's. */
                if (to - from > UINT64_C(1) << 32)
                        continue;
                for (unsigned long at = from; at < to; at += 1 << 20) {
                        static char copy[(1 << 20) + 64];
                        size_t want = to - at < sizeof(copy) ? to - at : sizeof(copy);
                        struct iovec here = {copy, want}, there = {(void *)at, want};
                        ssize_t n = process_vm_readv(r->pid, &here, 1, &there, 1, 0);

                        if (n > 0)
                                found += count_in(copy, (size_t)n, needle);
                }
        }
        fclose(maps);
        return found;
}

/* ---- printing ---- */

struct sheet {
        char *out;
        size_t room;
};

__attribute__((format(printf, 2, 3))) static void put(struct sheet *s, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(s->out, s->room, format, ap);
        va_end(ap);
        if ((size_t)n >= s->room)
                n = s->room ? (int)s->room - 1 : 0;
        s->out += n;
        s->room -= (size_t)n;
}

static void put_hex(struct sheet *s, struct bytes b)
{
        for (size_t i = 0; i < b.len; i++)
                put(s, "%02x", b.data[i]);
}

static void print(struct sheet *s, struct cursor *c)
{
        struct wire_value v;

        assert_int_equal(cursor_read(c, &v), 0);
        switch (v.tag) {
        case TAG_NIL:
                return put(s, "null");
        case TAG_BOOL:
                return put(s, v.boolean ? "true" : "false");
        case TAG_UINT:
                return put(s, "%llu", (unsigned long long)v.uint);
        case TAG_INT:
                return put(s, "%lld", (long long)v.sint);
        case TAG_FLOAT:
                return put(s, v.real == (double)(long long)v.real ? "%.1f" : "%.17g", v.real);
        case TAG_STR:
                return put(s, "\"%.*s\"", (int)v.bytes.len, (const char *)v.bytes.data);
        case TAG_BIN:
                put(s, "<");
                put_hex(s, v.bytes);
                return put(s, ">");
        case TAG_EXT:
                put(s, "(%d:", v.ext_type);
                put_hex(s, v.bytes);
                return put(s, ")");
        case TAG_ARRAY:
        case TAG_MAP:
                put(s, v.tag == TAG_MAP ? "{" : "[");
                for (uint32_t i = 0; i < v.count; i++) {
                        put(s, i ? "," : "");
                        print(s, c);
                        if (v.tag == TAG_MAP) {
                                put(s, ":");
                                print(s, c);
                        }
                }
                return put(s, v.tag == TAG_MAP ? "}" : "]");
        }
}

void rig_print(struct bytes value, char *out, size_t n)
{
        struct sheet s = {out, n};
        struct cursor c = cursor_over(value);

        *out = '\0';
        print(&s, &c);
}

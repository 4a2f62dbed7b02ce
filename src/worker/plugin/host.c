/* What of it is about time is asked anew at each question; what comes over the channel is looked for once a
 * millisecond. */
#include "worker/plugin/host.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "wire/cursor.h"
#include "worker/live.h"
#include "worker/plugin/meter.h"
#include "worker/plugin/ticks.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* A value lies in a reply, and that in a record: as deep as a script's. */
enum { VALUE_DEPTH_MAX = WIRE_DEPTH_MAX - 4 };

static const int64_t LOOK_INTERVAL = NS_PER_MS;

static struct {
        struct poppo_host shown;
        struct port *port;
        struct outcome out;
        struct poppo_run run;
        enum wire_code default_code;
        enum poppo_stop stop;
        uint32_t seq;
        bool active, cancelled;
        int64_t next_look, cpu_before;
        uint64_t timeout_ms;
} host;

static bool is_current(const struct poppo_run *run)
{
        return host.active && run == &host.run;
}

/* ---- what comes of it ---- */

static enum poppo_answer give_result(struct poppo_run *run, const void *value, size_t size)
{
        uint64_t most = host.shown.max_result_bytes;

        if (!is_current(run))
                return POPPO_NO_SUCH;
        if (size > most) {
                outcome_fail(&host.out, WIRE_RESULT_TOO_LARGE, "the result has %zu bytes, the most is %llu",
                        size, (unsigned long long)most);
                return POPPO_TOO_LARGE;
        }
        if (wire_check_within((struct bytes){value, size}, VALUE_DEPTH_MAX)) {
                outcome_fail(&host.out, WIRE_TASK_ERROR,
                        "the plugin's result is not one MessagePack value, or nests deeper than %d",
                        VALUE_DEPTH_MAX);
                return POPPO_NO_VALUE;
        }
        outcome_fail(&host.out, WIRE_OK, "%s", "");
        buf_append(&host.out.value, value, size);
        return POPPO_DONE;
}

/* Appends what fits; bytes that are no character become question marks. */
static void append_text(struct buf *out, const char *text)
{
        size_t len = strlen(text);

        for (size_t n; len; text += n, len -= n) {
                n = utf8_length(text, len);
                if (buf_append(out, n ? text : "?", n ? n : 1) < 0)
                        return;
                n += !n;
        }
}

static enum poppo_answer give_data(const void *data, size_t size)
{
        if (!data)
                return POPPO_DONE;
        if (size > host.shown.max_result_bytes)
                return POPPO_TOO_LARGE;
        if (wire_check_within((struct bytes){data, size}, VALUE_DEPTH_MAX))
                return POPPO_NO_VALUE;
        buf_append(&host.out.value, data, size);
        return POPPO_DONE;
}

static enum poppo_answer fail_run(
        struct poppo_run *run, const char *code, const char *message, const void *data, size_t size)
{
        enum wire_code known = code ? wire_code_find(wire_str(code)) : host.default_code;
        enum poppo_answer answer;

        if (!is_current(run))
                return POPPO_NO_SUCH;
        outcome_fail(&host.out, known == WIRE_OK ? WIRE_TASK_ERROR : known, "%s", "");
        append_text(&host.out.message, message ? message : "");
        answer = give_data(data, size);
        return known == WIRE_OK ? POPPO_NO_SUCH : answer;
}

/* ---- on the way ---- */

static void write_log(struct poppo_run *run, enum poppo_level level, const char *text)
{
        static const char *const levels[] = {
                [POPPO_LEVEL_LOG] = "log",
                [POPPO_LEVEL_INFO] = "info",
                [POPPO_LEVEL_DEBUG] = "debug",
                [POPPO_LEVEL_WARN] = "warn",
                [POPPO_LEVEL_ERROR] = "error",
        };
        struct buf *line = &host.out.line;

        if (!is_current(run) || (unsigned int)level > POPPO_LEVEL_ERROR)
                return;
        append_text(line, text);
        outcome_log(&host.out, levels[level], buf_bytes(line), clock_now() - host.run.started);
        buf_consume(line, buf_size(line));
        live_send();
}

static enum poppo_answer add_metric(const struct poppo_host *shown, unsigned int index, double value)
{
        (void)shown;
        return meter_add(index, value) ? POPPO_DONE : POPPO_NO_SUCH;
}

/* A closed channel ends the process here. */
static void look_at_channel(void)
{
        char byte;

        if (recv(host.port->channel.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
                port_serve(host.port, POLLIN);
}

static enum poppo_stop ask_stop(struct poppo_run *run)
{
        int64_t now = clock_now();

        if (!is_current(run))
                return POPPO_STOP_CANCELLED;
        if (now >= host.next_look) {
                host.next_look = now + LOOK_INTERVAL;
                look_at_channel();
                meter_flush_if_due(now);
        }
        if (!host.stop && host.cancelled)
                host.stop = POPPO_STOP_CANCELLED;
        if (!host.stop && now >= host.run.deadline)
                host.stop = POPPO_STOP_TIMEOUT;
        if (!host.stop && ticks_cpu_is_spent())
                host.stop = POPPO_STOP_CPU;
        return host.stop;
}

void host_cancel(uint32_t seq)
{
        if (seq == host.seq)
                host.cancelled = true;
}

void host_follow(uint32_t seq)
{
        live_ask(seq);
        if (host.active)
                live_send();
}

/* ---- from beginning to end ---- */

static void send_output(const struct wire_worker_output *output)
{
        port_output(
                host.port, (uint32_t)output->run, (enum wire_stream)output->stream, output->at, output->data);
        port_flush(host.port);
}

int host_open(struct port *port, const char *type, const char *profile)
{
        int r = outcome_init(&host.out, &port->setup);

        host.port = port;
        host.shown = (struct poppo_host){.abi = POPPO_PLUGIN_ABI,
                .size = sizeof(host.shown),
                .version = POPPO_VERSION,
                .type = type,
                .profile = profile,
                .max_result_bytes = port->setup.max_result_bytes,
                .result = give_result,
                .fail = fail_run,
                .log = write_log,
                .metric = add_metric,
                .stopped = ask_stop};
        return r ? r : live_init(port->setup.max_log_bytes, send_output);
}

const struct poppo_host *host_shown(void)
{
        return &host.shown;
}

static int64_t cpu_now(void)
{
        return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

struct poppo_run *host_begin(const struct host_run *run)
{
        outcome_reset(&host.out);
        host.run = (struct poppo_run){.host = &host.shown,
                .size = sizeof(host.run),
                .task = {run->task.data, run->task.len},
                .started = run->started,
                .deadline = run->timeout_ms ? run->started + (int64_t)run->timeout_ms * NS_PER_MS : INT64_MAX,
                .traceparent = run->traceparent};
        host.cancelled = run->cancelled;
        host.seq = run->seq;
        host.timeout_ms = run->timeout_ms;
        host.stop = POPPO_GO_ON;
        host.next_look = 0;
        host.cpu_before = cpu_now();
        host.active = true;
        live_begin(run->seq, &host.out, run->follow);
        ticks_limit_cpu(host.port->setup.max_cpu_ms);
        return &host.run;
}

void host_default_code(enum wire_code code)
{
        host.default_code = code;
}

static void fail_by_stop(void)
{
        switch (host.stop) {
        case POPPO_GO_ON:
                break;
        case POPPO_STOP_CANCELLED:
                outcome_fail(&host.out, WIRE_CANCELLED, "the task was cancelled");
                break;
        case POPPO_STOP_TIMEOUT:
                outcome_fail(&host.out, WIRE_TIMEOUT, "the attempt ran longer than its timeout of %llu ms",
                        (unsigned long long)host.timeout_ms);
                break;
        case POPPO_STOP_CPU:
                outcome_fail(&host.out, WIRE_CPU_LIMIT, "the task used more than its %llu ms of CPU time",
                        (unsigned long long)host.port->setup.max_cpu_ms);
                break;
        }
}

/* Past its deadline a run has failed, whatever it returned; one that was cancelled may have been done by
 * then. */
static void settle(const char *function, int returned)
{
        static const uint8_t nil = 0xc0;

        if (!host.stop && clock_now() >= host.run.deadline)
                host.stop = POPPO_STOP_TIMEOUT;
        if (returned || host.stop == POPPO_STOP_TIMEOUT)
                fail_by_stop();
        if (returned && host.out.code == WIRE_OK)
                outcome_fail(
                        &host.out, host.default_code, "the plugin's %s() returned %d", function, returned);
        if (host.out.code == WIRE_OK && !buf_size(&host.out.value))
                buf_append(&host.out.value, &nil, 1);
}

void host_end(const char *function, int returned)
{
        struct rusage usage;

        ticks_limit_cpu(0);
        settle(function, returned);
        live_send();
        getrusage(RUSAGE_SELF, &usage);
        host.out.cpu_us = (uint64_t)((cpu_now() - host.cpu_before) / NS_PER_US);
        host.out.peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
        host.active = false;
        meter_flush();
        port_reply(host.port, host.seq, &host.out, (struct bytes){0});
        port_flush(host.port);
}

/* The functions that a plugin is given, called as one might call them: outside of a run, about another one, with nonsense. */
#include "base/clock.h"
#include "wire/channel.h"
#include "worker/plugin/host.h"
#include "worker/plugin/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct poppo_metric metrics[] = {
        {POPPO_COUNTER, "jobs", NULL}, {POPPO_GAUGE, "level", NULL}, {POPPO_HISTOGRAM, "time", NULL}, {0}};
static const struct plugin plugin = {.code = {.metrics = metrics}, .n_metrics = 3};
static const struct port_ops ops;
static const uint8_t task[] = {0x80};

static struct port port;
static struct channel master;
static const struct poppo_host *host;

static int set_up(void **state)
{
        const struct wire_spawn_setup setup = {
                .max_memory_bytes = 1 << 20, .heartbeat_ms = 60000, .max_result_bytes = 64, .max_log_bytes = 4096};
        int pair[2];

        (void)state;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || port_open(&port, pair[0], &setup, &ops))
                return -1;
        port_beats_by_signal(&port);
        channel_init(&master, pair[1], CHANNEL_FRAME_MAX, 0);
        meter_open(&port, &plugin);
        if (host_open(&port, "mine", "js"))
                return -1;
        host = host_shown();
        return 0;
}

static struct poppo_run *begin(uint64_t timeout_ms)
{
        struct poppo_run *run = host_begin(&(struct host_run){
                .seq = 7, .task = {task, sizeof(task)}, .started = clock_now(), .timeout_ms = timeout_ms});

        host_default_code(WIRE_TASK_ERROR);
        return run;
}

/* The reply to the run, past the notes before it. */
static struct wire_worker_run_reply end(int returned)
{
        struct wire_worker_run_reply reply;
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        host_end("run", returned);
        do {
                while (channel_next(&master, &frame) == CHANNEL_AGAIN)
                        assert_int_equal(channel_fill(&master), 0);
                assert_int_equal(wire_open(frame, &head, &why), 0);
        } while (!head.is_reply);
        assert_int_equal(head.seq, 7);
        assert_int_equal(wire_decode(WIRE_MESSAGE(worker_run_reply), frame, &reply, &why), 0);
        return reply;
}

static void assert_error(const struct wire_worker_run_reply *reply, const char *code, const char *message)
{
        assert_false(WIRE_HAS(reply, worker_run_reply, value));
        assert_true(wire_str_is(reply->error.code, code));
        if (!wire_str_is(reply->error.message, message))
                fail_msg("\"%.*s\"", (int)reply->error.message.len, (const char *)reply->error.message.data);
}

static void outside_of_a_run_nothing_is_done(void **state)
{
        struct poppo_run other = {.host = host}, *run = begin(0);

        (void)state;
        assert_int_equal(host->result(&other, "\x01", 1), POPPO_NO_SUCH);
        assert_int_equal((host->fail)(NULL, NULL, "x", NULL, 0), POPPO_NO_SUCH);
        assert_int_equal(host->stopped(&other), POPPO_STOP_CANCELLED);
        host->log(&other, POPPO_LEVEL_LOG, "x");
        end(0);
        assert_int_equal(host->result(run, "\x01", 1), POPPO_NO_SUCH);
        assert_int_equal((host->fail)(run, NULL, "x", NULL, 0), POPPO_NO_SUCH);
}

static void the_last_word_counts(void **state)
{
        struct poppo_run *run = begin(0);
        struct wire_worker_run_reply reply;

        (void)state;
        assert_int_equal((host->fail)(run, NULL, "no", NULL, 0), POPPO_DONE);
        assert_int_equal(host->result(run, "\x01", 1), POPPO_DONE);
        assert_int_equal(host->result(run, "\x02", 1), POPPO_DONE);
        reply = end(0);
        assert_int_equal(reply.value.len, 1);
        assert_int_equal(reply.value.data[0], 2);
        run = begin(0);
        host->result(run, "\x01", 1);
        (host->fail)(run, "CANCELLED", "no", NULL, 0);
        reply = end(0);
        assert_error(&reply, "CANCELLED", "no");
}

static void results_and_data_have_their_most(void **state)
{
        static const uint8_t large[70] = {0xc4, 68}, exact[64] = {0xc4, 62};
        struct poppo_run *run = begin(0);
        struct wire_worker_run_reply reply;

        (void)state;
        assert_int_equal(host->result(run, exact, sizeof(exact)), POPPO_DONE);
        assert_int_equal(host->result(run, large, sizeof(large)), POPPO_TOO_LARGE);
        reply = end(0);
        assert_error(&reply, "RESULT_TOO_LARGE", "the result has 70 bytes, the most is 64");
        run = begin(0);
        assert_int_equal((host->fail)(run, NULL, "no", large, sizeof(large)), POPPO_TOO_LARGE);
        assert_int_equal((host->fail)(run, NULL, "no", "\xc1", 1), POPPO_NO_VALUE);
        assert_int_equal((host->fail)(run, NULL, NULL, exact, sizeof(exact)), POPPO_DONE);
        reply = end(3);
        assert_error(&reply, "TASK_ERROR", "");
        assert_int_equal(reply.error.data.len, sizeof(exact));
}

static void values_nest_as_deep_as_the_header_says(void **state)
{
        uint8_t arrays[32];
        struct poppo_run *run = begin(0);

        (void)state;
        memset(arrays, 0x91, sizeof(arrays));
        arrays[28] = 1;
        assert_int_equal(host->result(run, arrays, 29), POPPO_DONE);
        arrays[28] = 0x91;
        arrays[29] = 1;
        assert_int_equal(host->result(run, arrays, 30), POPPO_NO_VALUE);
        end(0);
}

static void past_its_deadline_a_run_has_failed(void **state)
{
        struct poppo_run *run = begin(1);
        struct wire_worker_run_reply reply;

        (void)state;
        assert_true(run->deadline == run->started + NS_PER_MS);
        while (host->stopped(run) == POPPO_GO_ON)
                ;
        assert_int_equal(host->stopped(run), POPPO_STOP_TIMEOUT);
        host->result(run, "\x01", 1);
        reply = end(0);
        assert_error(&reply, "TIMEOUT", "the attempt ran longer than its timeout of 1 ms");
}

static void a_cancel_is_for_its_own_run_only(void **state)
{
        struct poppo_run *run = begin(0);
        struct wire_worker_run_reply reply;

        (void)state;
        host_cancel(6);
        assert_int_equal(host->stopped(run), POPPO_GO_ON);
        host_cancel(7);
        assert_int_equal(host->stopped(run), POPPO_STOP_CANCELLED);
        (host->fail)(run, "URL_REFUSED", "something else", NULL, 0);
        reply = end(1);
        assert_error(&reply, "CANCELLED", "the task was cancelled");
        run = begin(0);
        host_cancel(7);
        host->stopped(run);
        host->result(run, "\x01", 1);
        reply = end(0); /* it was done by then */
        assert_int_equal(reply.value.len, 1);
}

static void metrics_that_are_none_are_not_taken(void **state)
{
        (void)state;
        begin(0);
        assert_int_equal(host->metric(host, 0, 1), POPPO_DONE);
        assert_int_equal(host->metric(host, 2, 1), POPPO_DONE);
        assert_int_equal(host->metric(host, 3, 1), POPPO_NO_SUCH);
        assert_int_equal(host->metric(host, 1000000, 1), POPPO_NO_SUCH);
        end(0);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
        struct poppo_run *run = begin(0);
        struct wire_worker_run_reply reply;

        (void)state;
        (host->fail)(run, NULL, "\xffgut \xc3\xa4\xc3", NULL, 0);
        reply = end(1);
        assert_error(&reply, "TASK_ERROR", "?gut \xc3\xa4?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(outside_of_a_run_nothing_is_done),
                cmocka_unit_test(the_last_word_counts),
                cmocka_unit_test(results_and_data_have_their_most),
                cmocka_unit_test(values_nest_as_deep_as_the_header_says),
                cmocka_unit_test(past_its_deadline_a_run_has_failed),
                cmocka_unit_test(a_cancel_is_for_its_own_run_only),
                cmocka_unit_test(metrics_that_are_none_are_not_taken),
                cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        };

        return cmocka_run_group_tests_name("host", tests, set_up, NULL);
}

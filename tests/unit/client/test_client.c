/* libpoppo against a fake supervisor: what its header promises. */
#include "connected.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- connecting ---- */

static void test_greeting_tells_who_is_there(void **state)
{
        (void)state;
        SERVE(f, 0, {"none", NULL});
        assert_string_equal(poppo_server_name(f.poppo), "poppod/0.1.0");
        assert_int_equal(poppo_server_pid(f.poppo), f.fake.pid);
        assert_string_equal(poppo_socket_path(f.poppo), f.fake.path);
        assert_int_equal(poppo_connect(f.poppo, NULL), -EISCONN);
        finish(&f);
}

static void test_nobody_listens(void **state)
{
        struct poppo *p;

        (void)state;
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, "/nonexistent/poppo.sock"), -ENOENT);
        assert_string_equal(poppo_error_message(p),
                "cannot connect to /nonexistent/poppo.sock: No such file or directory");
        assert_string_equal(poppo_error_code(p), "");
        assert_int_equal(poppo_fd(p), -1);
        assert_int_equal(poppo_events(p), 0);
        assert_int_equal(poppo_call(p, "ping", NULL, NULL), -ENOTCONN);
        assert_int_equal(poppo_process(p), -ENOTCONN);
        poppo_free(p);
}

static void test_path_comes_from_the_environment(void **state)
{
        struct poppo *p;
        struct fake fake;

        (void)state;
        fake_start(&fake, NULL, 0, 0);
        setenv("POPPO_SOCKET", fake.path, 1);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, NULL), 0);
        unsetenv("POPPO_SOCKET");
        poppo_free(p);
        fake_stop(&fake);
}

static void test_path_too_long(void **state)
{
        char path[200];
        struct poppo *p;

        (void)state;
        memset(path, 'x', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, path), -ENAMETOOLONG);
        poppo_free(p);
}

static void test_greeting_refused(void **state)
{
        static const struct fake_rule rules[] = {
                {"hello", "{\"error\":{\"code\":\"PERMISSION\",\"message\":\"uid 7 may not connect\"}}"}};
        struct fake fake;
        struct poppo *p;

        (void)state;
        fake_start(&fake, rules, 1, 0);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, fake.path), POPPO_REFUSED);
        assert_string_equal(poppo_error_code(p), "PERMISSION");
        assert_string_equal(poppo_error_message(p), "uid 7 may not connect");
        assert_int_equal(poppo_fd(p), -1);
        poppo_free(p);
        fake_stop(&fake);
}

static void test_peer_is_no_poppod(void **state)
{
        static const struct fake_rule rules[] = {{"hello", "!HTTP/1.1 400 Bad Request\r\n\r\n"}};
        struct fake fake;
        struct poppo *p;

        (void)state;
        fake_start(&fake, rules, 1, 0);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, fake.path), -EPROTO);
        assert_string_not_equal(poppo_error_message(p), "");
        poppo_free(p);
        fake_stop(&fake);
}

static void test_arguments_of_settings(void **state)
{
        struct poppo *p;

        (void)state;
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_set_client(p, ""), -EINVAL);
        assert_int_equal(poppo_set_timeout(p, -1), -EINVAL);
        assert_int_equal(poppo_set_buffer(p, 0), -EINVAL);
        poppo_free(p);
        poppo_free(NULL);
}

/* ---- blocking calls ---- */

static void test_run_gives_the_record(void **state)
{
        struct poppo_reply *reply;
        char *requests;

        (void)state;
        SERVE(f, 0, {"none", NULL});
        assert_int_equal(poppo_run(f.poppo, CODE("return 1"), "{\"priority\":3}", &reply), 0);
        assert_string_equal(poppo_reply_json(reply, "/result/value"), "\"return 1\"");
        assert_string_equal(poppo_reply_string(reply, "/result/value", NULL), "return 1");
        assert_string_equal(poppo_reply_json(reply, ""),
                "{\"id\":\"00000000-0000-7000-8000-000000000001\",\"result\":{\"id\":\"00000000-0000-7000-8000-"
                "000000000001\",\"state\":\"succeeded\",\"value\":\"return 1\"}}");
        poppo_reply_free(reply);
        requests = fake_requests(&f.fake);
        assert_string_equal(requests, "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-code\",\"code\":"
                "\"return 1\"},\"options\":{\"priority\":3}}\n");
        free(requests);
        finish(&f);
}

static void test_run_of_a_failing_task(void **state)
{
        struct poppo_reply *reply;

        (void)state;
        SERVE(f, 0, {"submit", "{\"id\":\"x\",\"result\":{\"state\":\"failed\",\"error\":{\"code\":\"TIMEOUT\","
                "\"message\":\"ran longer than 200 ms\"}}}"});
        assert_int_equal(poppo_run(f.poppo, CODE("1"), NULL, &reply), POPPO_FAILED);
        assert_string_equal(poppo_reply_string(reply, "/result/error/code", NULL), "TIMEOUT");
        assert_string_equal(poppo_error_code(f.poppo), "TIMEOUT");
        assert_string_equal(poppo_error_message(f.poppo), "ran longer than 200 ms");
        poppo_reply_free(reply);
        assert_int_equal(poppo_run(f.poppo, CODE("1"), NULL, NULL), POPPO_FAILED);
        finish(&f);
}

static void test_refusal_has_code_message_and_time(void **state)
{
        struct poppo_reply *reply = (void *)1;
        char id[POPPO_ID_SIZE];

        (void)state;
        SERVE(f, 0, {"submit", "{\"error\":{\"code\":\"QUEUE_FULL\",\"message\":\"full\",\"retryAfter\":250}}"});
        assert_int_equal(poppo_run(f.poppo, CODE("1"), NULL, &reply), POPPO_REFUSED);
        assert_null(reply);
        assert_string_equal(poppo_error_code(f.poppo), "QUEUE_FULL");
        assert_int_equal(poppo_error_retry_after(f.poppo), 250);
        assert_int_equal(poppo_submit(f.poppo, CODE("1"), NULL, id), POPPO_REFUSED);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        assert_string_equal(poppo_error_code(f.poppo), "");
        assert_int_equal(poppo_error_retry_after(f.poppo), -1);
        finish(&f);
}

static void test_submit_gives_an_id(void **state)
{
        char id[POPPO_ID_SIZE];

        (void)state;
        SERVE(f, 0, {"none", NULL});
        assert_int_equal(poppo_submit(f.poppo, CODE("1"), NULL, id), 0);
        assert_string_equal(id, "00000000-0000-7000-8000-000000000001");
        finish(&f);
}

static void test_named_calls_send_their_fields(void **state)
{
        static const char id[] = "00000000-0000-7000-8000-000000000009";
        char *requests;

        (void)state;
        SERVE(f, 0, {"wait", "{\"result\":{\"state\":\"cancelled\"}}"}, {"result", "{\"result\":{\"state\":\"queued\"}}"},
                {"cancel", "{\"state\":\"cancelled\"}"}, {"list", "{\"tasks\":[],\"more\":false}"}, {"stats", "{}"},
                {"status", "{}"}, {"project-limit", "{}"}, {"project-usage", "{}"});
        assert_int_equal(poppo_wait(f.poppo, id, NULL), POPPO_FAILED);
        assert_int_equal(poppo_result(f.poppo, id, NULL), 0);
        assert_int_equal(poppo_cancel(f.poppo, id, NULL), 0);
        assert_int_equal(poppo_list(f.poppo, "{\"state\":\"dead\"}", NULL), 0);
        assert_int_equal(poppo_stats(f.poppo, NULL), 0);
        assert_int_equal(poppo_status(f.poppo, NULL), 0);
        assert_int_equal(poppo_project_limit(f.poppo, "a", 2, NULL), 0);
        assert_int_equal(poppo_project_limit(f.poppo, "a", -2, NULL), -EINVAL);
        assert_int_equal(poppo_project_usage(f.poppo, NULL, NULL), 0);
        assert_int_equal(poppo_project_usage(f.poppo, "a", NULL), 0);
        requests = fake_requests(&f.fake);
        assert_string_equal(requests,
                "{\"op\":\"wait\",\"id\":\"00000000-0000-7000-8000-000000000009\"}\n"
                "{\"op\":\"result\",\"id\":\"00000000-0000-7000-8000-000000000009\"}\n"
                "{\"op\":\"cancel\",\"id\":\"00000000-0000-7000-8000-000000000009\"}\n"
                "{\"op\":\"list\",\"state\":\"dead\"}\n{\"op\":\"stats\"}\n{\"op\":\"status\"}\n"
                "{\"op\":\"project-limit\",\"projectId\":\"a\",\"limit\":2}\n"
                "{\"op\":\"project-usage\"}\n{\"op\":\"project-usage\",\"projectId\":\"a\"}\n");
        free(requests);
        finish(&f);
}

static void test_arguments_that_cannot_be_sent(void **state)
{
        static char big[2 * 1024 * 1024]; /* valgrind takes so large a frame for a change of stacks */

        (void)state;
        SERVE(f, 0, {"none", NULL});
        assert_int_equal(poppo_call(f.poppo, "ping", "{\"a\":", NULL), -EINVAL);
        assert_non_null(strstr(poppo_error_message(f.poppo), "line 1"));
        assert_int_equal(poppo_call(f.poppo, "ping", "[1]", NULL), -EINVAL);
        assert_int_equal(poppo_call(f.poppo, "ping", "{\"seq\":1}", NULL), -EINVAL);
        assert_int_equal(poppo_call_msgpack(f.poppo, "ping", "\x81\xa1", 2, NULL), -EINVAL);
        assert_int_equal(poppo_run(f.poppo, "{}", "nonsense", NULL), -EINVAL);
        memset(big, 'x', sizeof(big));
        memcpy(big, "{\"a\":\"", 6);
        memcpy(big + sizeof(big) - 3, "\"}", 3);
        assert_int_equal(poppo_call(f.poppo, "ping", big, NULL), -EMSGSIZE);
        assert_int_equal(poppo_pending(f.poppo), 0);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        finish(&f);
}

static void test_timeout_leaves_the_connection_good(void **state)
{
        (void)state;
        SERVE(f, 0, {"stats", NULL});
        assert_int_equal(poppo_set_timeout(f.poppo, 30), 0);
        assert_int_equal(poppo_stats(f.poppo, NULL), -ETIMEDOUT);
        assert_int_equal(poppo_pending(f.poppo), 0);
        assert_int_equal(poppo_set_timeout(f.poppo, 0), 0);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        finish(&f);
}

static void test_msgpack_both_ways(void **state)
{
        struct poppo_reply *reply;
        const void *data;
        size_t len;

        (void)state;
        SERVE(f, 0, {"stats", "{\"n\":7}"});
        assert_int_equal(poppo_call_msgpack(f.poppo, "stats", "\x80", 1, &reply), 0);
        assert_int_equal(poppo_reply_msgpack(reply, "/n", &data, &len), 0);
        assert_int_equal(len, 1);
        assert_memory_equal(data, "\x07", 1);
        assert_int_equal(poppo_reply_msgpack(reply, "/m", &data, &len), -ENOENT);
        poppo_reply_free(reply);
        finish(&f);
}

/* ---- loss ---- */

static void count_lost(void *data, struct poppo_reply *reply)
{
        int *n = data;

        assert_int_equal(poppo_reply_status(reply), -ECONNRESET);
        assert_string_equal(poppo_reply_code(reply), "CONNECTION_LOST");
        ++*n;
}

static void test_loss_answers_every_pending_call(void **state)
{
        struct poppo_reply *reply = (void *)1;
        int lost = 0;

        (void)state;
        SERVE(f, 0, {"stats", NULL}, {"stop", "!"});
        for (int i = 0; i < 3; i++)
                assert_int_equal(poppo_send(f.poppo, "stats", NULL, count_lost, &lost), 0);
        assert_int_equal(poppo_call(f.poppo, "stop", NULL, &reply), -ECONNRESET);
        assert_null(reply);
        assert_string_equal(poppo_error_code(f.poppo), "CONNECTION_LOST");
        assert_int_equal(lost, 3);
        assert_int_equal(poppo_pending(f.poppo), 0);
        assert_int_equal(poppo_send(f.poppo, "stats", NULL, NULL, NULL), -ENOTCONN);
        assert_int_equal(poppo_connect(f.poppo, f.fake.path), 0);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        finish(&f);
}

static void test_close_answers_pending_calls(void **state)
{
        int lost = 0;

        (void)state;
        SERVE(f, 0, {"stats", NULL});
        assert_int_equal(poppo_send(f.poppo, "stats", NULL, count_lost, &lost), 0);
        poppo_close(f.poppo);
        assert_int_equal(lost, 1);
        finish(&f);
}

/* ---- asynchronous calls ---- */

struct tally {
        struct poppo *poppo;
        int *seen, order, index;
};

static void note_reply(void *data, struct poppo_reply *reply)
{
        struct tally *t = data;
        int64_t value;

        assert_int_equal(poppo_reply_status(reply), 0);
        assert_int_equal(poppo_reply_int(reply, "/result/value", &value), 0);
        assert_int_equal(value, t->index);
        t->seen[t->index]++;
}

static void check_pipelined(int reverse)
{
        enum { N = 1000 };
        static int seen[N];
        static struct tally tallies[N];
        char args[128];

        SERVE(f, reverse, {"none", NULL});
        memset(seen, 0, sizeof(seen));
        for (int i = 0; i < N; i++) {
                tallies[i] = (struct tally){.seen = seen, .index = i};
                snprintf(args, sizeof(args), "{\"task\":{\"type\":\"t\",\"code\":%d},\"wait\":true}", i);
                assert_int_equal(poppo_send(f.poppo, "submit", args, note_reply, &tallies[i]), 0);
        }
        assert_int_equal(poppo_pending(f.poppo), N);
        assert_int_equal(poppo_events(f.poppo), POLLIN | POLLOUT);
        while (poppo_pending(f.poppo))
                assert_int_equal(poppo_step(f.poppo, -1), 0);
        for (int i = 0; i < N; i++)
                assert_int_equal(seen[i], 1);
        assert_int_equal(poppo_events(f.poppo), POLLIN);
        finish(&f);
}

static void test_pipelined_each_answered_once(void **state)
{
        (void)state;
        check_pipelined(0);
}

static void test_replies_out_of_order(void **state)
{
        (void)state;
        check_pipelined(1);
}

static void send_next(void *data, struct poppo_reply *reply)
{
        struct tally *t = data;

        assert_int_equal(poppo_reply_status(reply), 0);
        assert_int_equal(poppo_call(t->poppo, "ping", NULL, NULL), -EDEADLK);
        assert_int_equal(poppo_process(t->poppo), -EDEADLK);
        if (++t->order < 3)
                assert_int_equal(poppo_send(t->poppo, "ping", NULL, send_next, t), 0);
}

static void test_callback_may_send_and_not_wait(void **state)
{
        (void)state;
        SERVE(f, 0, {"none", NULL});
        struct tally t = {.poppo = f.poppo};

        assert_int_equal(poppo_send(f.poppo, "ping", NULL, send_next, &t), 0);
        while (poppo_pending(f.poppo))
                assert_int_equal(poppo_step(f.poppo, -1), 0);
        assert_int_equal(t.order, 3);
        finish(&f);
}

static void keep_reply(void *data, struct poppo_reply *reply)
{
        *(struct poppo_reply **)data = poppo_reply_keep(reply);
}

static void test_kept_reply_outlives_the_handle(void **state)
{
        struct poppo_reply *kept = NULL;

        (void)state;
        SERVE(f, 0, {"stats", "{\"a\":[1,2]}"});
        assert_int_equal(poppo_send(f.poppo, "stats", NULL, keep_reply, &kept), 0);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        finish(&f);
        assert_non_null(kept);
        assert_string_equal(poppo_reply_json(kept, "/a"), "[1,2]");
        poppo_reply_free(kept);
}

static void test_full_buffer_has_a_name(void **state)
{
        struct poppo *p;
        struct fake fake;
        int r, sent = 0;

        (void)state;
        fake_start(&fake, NULL, 0, 0);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_set_buffer(p, 1000), 0);
        assert_int_equal(poppo_connect(p, fake.path), 0);
        while (!(r = poppo_send(p, "ping", NULL, NULL, NULL)))
                sent++;
        assert_int_equal(r, -ENOBUFS);
        assert_in_range(sent, 10, 100);
        assert_int_equal(poppo_pending(p), sent);
        while (poppo_pending(p))
                assert_int_equal(poppo_step(p, -1), 0);
        assert_int_equal(poppo_call(p, "ping", NULL, NULL), 0);
        poppo_free(p);
        fake_stop(&fake);
}

/* ---- replies ---- */

static void test_pointers(void **state)
{
        struct poppo_reply *reply;
        int64_t n;
        size_t len;

        (void)state;
        SERVE(f, 0, {"stats", "{\"a\":{\"b/c\":[10,{\"~x\":\"y\\u0000z\"}]},\"\":1,\"big\":9223372036854775807,\"f\":1.5}"});
        assert_int_equal(poppo_stats(f.poppo, &reply), 0);
        assert_string_equal(poppo_reply_json(reply, "/a/b~1c/0"), "10");
        assert_string_equal(poppo_reply_json(reply, "/a/b~1c/1/~0x"), "\"y\\u0000z\"");
        assert_memory_equal(poppo_reply_string(reply, "/a/b~1c/1/~0x", &len), "y\0z", 4);
        assert_int_equal(len, 3);
        assert_string_equal(poppo_reply_json(reply, "/"), "1");
        assert_null(poppo_reply_json(reply, "/a/b~1c/2"));
        assert_int_equal(errno, ENOENT);
        assert_null(poppo_reply_json(reply, "/a/b~1c/-1"));
        assert_null(poppo_reply_json(reply, "/a/b~1c/00"));
        assert_null(poppo_reply_json(reply, "/a/b~1c/99999999999999999999"));
        assert_null(poppo_reply_json(reply, "/a/b~1c/0/x"));
        assert_null(poppo_reply_json(reply, "a"));
        assert_null(poppo_reply_string(reply, "/f", NULL));
        assert_int_equal(errno, EINVAL);
        assert_int_equal(poppo_reply_int(reply, "/big", &n), 0);
        assert_true(n == INT64_MAX);
        assert_int_equal(poppo_reply_int(reply, "/f", &n), -EINVAL);
        assert_int_equal(poppo_reply_int(reply, "/g", &n), -ENOENT);
        assert_string_equal(poppo_reply_code(reply), "");
        poppo_reply_free(reply);
        finish(&f);
}

static void test_codes(void **state)
{
        (void)state;
        assert_int_equal(poppo_code_exit_status("QUEUE_FULL"), 75);
        assert_int_equal(poppo_code_exit_status("TIMEOUT"), 124);
        assert_int_equal(poppo_code_exit_status("CONNECTION_LOST"), 69);
        assert_int_equal(poppo_code_exit_status("NO_SUCH_CODE"), 1);
        assert_non_null(poppo_code_text("TASK_ERROR"));
        assert_null(poppo_code_text("NO_SUCH_CODE"));
        assert_string_equal(poppo_version(), "0.1.0");
}

/* ---- events ---- */

struct heard {
        struct poppo *p;
        char text[512];
        struct poppo_reply *kept;
};

static void on_event(void *data, struct poppo_reply *event)
{
        struct heard *h = data;
        size_t at = strlen(h->text), len;
        const void *bytes;
        int64_t attempt;

        assert_int_equal(poppo_reply_status(event), 0);
        assert_int_equal(poppo_reply_int(event, "/attempt", &attempt), 0);
        assert_int_equal(poppo_reply_bytes(event, "/data", &bytes, &len), 0);
        snprintf(h->text + at, sizeof(h->text) - at, "%s %s %s %d %.*s|", poppo_reply_string(event, "/event", NULL),
                poppo_reply_string(event, "/id", NULL) + 24, poppo_reply_string(event, "/stream", NULL), (int)attempt, (int)len,
                (const char *)bytes);
        assert_int_equal(poppo_call(h->p, "ping", NULL, NULL), -EDEADLK);
        if (!h->kept)
                h->kept = poppo_reply_keep(event);
}

#define FOLLOWED                                                                                             \
        ">1 stdout \"one\\n\"\n>1 stderr \"two\"\n>2 console \"three\"\n{\"state\":\"succeeded\"}"

static void test_output_of_a_followed_task_comes_before_the_reply(void **state)
{
        struct heard heard = {0};
        struct poppo_reply *reply;

        (void)state;
        SERVE(f, 0, {"follow", FOLLOWED});
        heard.p = f.poppo;
        poppo_on_event(f.poppo, on_event, &heard);
        assert_int_equal(poppo_follow(f.poppo, "00000000-0000-7000-8000-000000000001", &reply), 0);
        assert_string_equal(heard.text, "output 000000000001 stdout 1 one\n|output 000000000001 stderr 1 two|"
                                        "output 000000000001 console 2 three|");
        assert_string_equal(poppo_reply_string(reply, "/state", NULL), "succeeded");
        assert_string_equal(poppo_reply_json(heard.kept, "/data"), "\"b25lCg==\"");
        poppo_reply_free(reply);
        poppo_reply_free(heard.kept);
        finish(&f);
}

static void test_events_that_nobody_wants_are_passed_over(void **state)
{
        struct heard heard = {0};

        (void)state;
        SERVE(f, 0, {"follow", FOLLOWED});
        assert_int_equal(poppo_follow(f.poppo, "x", NULL), 0);
        poppo_on_event(f.poppo, on_event, &heard);
        poppo_on_event(f.poppo, NULL, NULL);
        assert_int_equal(poppo_follow(f.poppo, "x", NULL), 0);
        assert_string_equal(heard.text, "");
        finish(&f);
}

static void test_bytes_are_those_of_strings_and_binary(void **state)
{
        struct heard heard = {0};
        const void *data;
        size_t len;

        (void)state;
        SERVE(f, 0, {"follow", ">1 stdout \"\\u0000b\"\n{}"});
        heard.p = f.poppo;
        poppo_on_event(f.poppo, on_event, &heard);
        assert_int_equal(poppo_follow(f.poppo, "x", NULL), 0);
        assert_int_equal(poppo_reply_bytes(heard.kept, "/data", &data, &len), 0);
        assert_int_equal(len, 2);
        assert_memory_equal(data, "\0b", 2);
        assert_int_equal(poppo_reply_bytes(heard.kept, "/stream", &data, &len), 0);
        assert_int_equal(len, 6);
        assert_memory_equal(data, "stdout", 6);
        assert_int_equal(poppo_reply_bytes(heard.kept, "/attempt", &data, &len), -EINVAL);
        assert_int_equal(poppo_reply_bytes(heard.kept, "/nothing", &data, &len), -ENOENT);
        poppo_reply_free(heard.kept);
        finish(&f);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_greeting_tells_who_is_there),
                cmocka_unit_test(test_nobody_listens),
                cmocka_unit_test(test_path_comes_from_the_environment),
                cmocka_unit_test(test_path_too_long),
                cmocka_unit_test(test_greeting_refused),
                cmocka_unit_test(test_peer_is_no_poppod),
                cmocka_unit_test(test_arguments_of_settings),
                cmocka_unit_test(test_run_gives_the_record),
                cmocka_unit_test(test_run_of_a_failing_task),
                cmocka_unit_test(test_refusal_has_code_message_and_time),
                cmocka_unit_test(test_submit_gives_an_id),
                cmocka_unit_test(test_named_calls_send_their_fields),
                cmocka_unit_test(test_arguments_that_cannot_be_sent),
                cmocka_unit_test(test_timeout_leaves_the_connection_good),
                cmocka_unit_test(test_msgpack_both_ways),
                cmocka_unit_test(test_loss_answers_every_pending_call),
                cmocka_unit_test(test_close_answers_pending_calls),
                cmocka_unit_test(test_pipelined_each_answered_once),
                cmocka_unit_test(test_replies_out_of_order),
                cmocka_unit_test(test_callback_may_send_and_not_wait),
                cmocka_unit_test(test_kept_reply_outlives_the_handle),
                cmocka_unit_test(test_full_buffer_has_a_name),
                cmocka_unit_test(test_pointers),
                cmocka_unit_test(test_codes),
                cmocka_unit_test(test_output_of_a_followed_task_comes_before_the_reply),
                cmocka_unit_test(test_events_that_nobody_wants_are_passed_over),
                cmocka_unit_test(test_bytes_are_those_of_strings_and_binary),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

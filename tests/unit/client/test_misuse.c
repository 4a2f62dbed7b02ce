/* libpoppo where its peer misbehaves, or the program that uses it. */
#include "connected.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- arguments and replies ---- */

static void test_call_that_never_fits_is_not_told_to_try_again(void **state)
{
        enum { NUMBERS = 1900 * 1000 };
        char *text = malloc(NUMBERS * 4 + 16), *at = text;
        struct poppo *p;
        struct fake fake;

        (void)state;
        fake_start(&fake, NULL, 0, 0);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_set_buffer(p, 1000), 0);
        assert_int_equal(poppo_connect(p, fake.path), 0);
        at += sprintf(at, "{\"a\":[0");
        for (int i = 0; i < NUMBERS; i++)
                at = stpcpy(at, ",0.5");
        strcpy(at, "]}");
        assert_int_equal(poppo_send(p, "ping", text, NULL, NULL), -EMSGSIZE);
        assert_int_equal(poppo_run(p, text, NULL, NULL), -EMSGSIZE);
        strcpy(text + 2000, "0]}");
        assert_int_equal(poppo_send(p, "ping", text, NULL, NULL), -EMSGSIZE);
        assert_int_equal(poppo_call(p, "ping", NULL, NULL), 0);
        free(text);
        poppo_free(p);
        fake_stop(&fake);
}

static void test_reply_without_a_record_is_no_verdict(void **state)
{
        struct poppo_reply *reply = (void *)1;

        (void)state;
        SERVE(f, 0, {"submit", "{\"id\":\"x\",\"result\":{\"state\":7}}"}, {"wait", "{}"});
        assert_int_equal(poppo_run(f.poppo, CODE("1"), NULL, &reply), -EPROTO);
        assert_null(reply);
        assert_int_equal(poppo_wait(f.poppo, "x", NULL), -EPROTO);
        assert_string_equal(poppo_error_message(f.poppo), "the supervisor's reply has no record with a state");
        finish(&f);
}

static void test_longest_timeout(void **state)
{
        (void)state;
        SERVE(f, 0, {"none", NULL});
        assert_int_equal(poppo_set_timeout(f.poppo, INT64_MAX), 0);
        assert_int_equal(poppo_call(f.poppo, "ping", NULL, NULL), 0);
        finish(&f);
}

static void test_message_cut_to_fit_is_still_utf8(void **state)
{
        static char reply[2048];
        struct fake_rule rule = {"stats", reply};
        const char *message;
        struct fixture f;

        (void)state;
        strcpy(reply, "{\"error\":{\"code\":\"BAD_FRAME\",\"message\":\"");
        for (int i = 0; i < 300; i++)
                strcat(reply, "\u20ac");
        strcat(reply, "\"}}");
        fake_start(&f.fake, &rule, 1, 0);
        f.poppo = connect_to(&f.fake);
        assert_int_equal(poppo_stats(f.poppo, NULL), POPPO_REFUSED);
        message = poppo_error_message(f.poppo);
        assert_int_equal(strlen(message), 511);
        assert_string_equal(message + 507, "\u20ac?");
        finish(&f);
}

/* ---- peers that are no supervisors ---- */

/* A connection whose other end is the test's own: greeted, with seq 1. */
static struct poppo *attach_pair(int *peer)
{
        static const char hello[] = "\0\0\0\x2b\x85\xa3seq\x01\xa2ok\xc3\xa6server\xa1x\xa3pid\x01\xadmaxFrameBytes\xce\0\x10\0\0";
        struct poppo *p;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(write(pair[1], hello, sizeof(hello) - 1), sizeof(hello) - 1);
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_attach(p, pair[0]), 0);
        *peer = pair[1];
        return p;
}

struct chatter {
        struct poppo *poppo;
        int peer;
        uint8_t seq;
};

/* The next reply is there before this one's callback returns. */
static void keep_talking(void *data, struct poppo_reply *reply)
{
        struct chatter *c = data;
        char frame[] = "\0\0\0\x0b\x82\xa3seq\xcc.\xa2ok\xc3", drained[4096];

        if (poppo_reply_status(reply) || ++c->seq == 200)
                return;
        frame[10] = (char)c->seq;
        assert_int_equal(poppo_send(c->poppo, "ping", NULL, keep_talking, c), 0);
        assert_int_equal(write(c->peer, frame, sizeof(frame) - 1), sizeof(frame) - 1);
        assert_true(recv(c->peer, drained, sizeof(drained), MSG_DONTWAIT) > 0);
        usleep(1000);
}

static void test_peer_that_never_stops_talking_holds_up_no_timeout(void **state)
{
        struct chatter c = {.seq = 3}; /* greeting, first ping, stats */

        (void)state;
        c.poppo = attach_pair(&c.peer);
        assert_int_equal(poppo_send(c.poppo, "ping", NULL, keep_talking, &c), 0);
        assert_int_equal(write(c.peer, "\0\0\0\x0a\x82\xa3seq\x02\xa2ok\xc3", 14), 14);
        assert_int_equal(poppo_set_timeout(c.poppo, 10), 0);
        assert_int_equal(poppo_call(c.poppo, "stats", NULL, NULL), -ETIMEDOUT);
        assert_in_range(c.seq, 4, 199);
        poppo_free(c.poppo);
        close(c.peer);
}

static void test_descriptor_that_is_no_socket(void **state)
{
        struct poppo *p;

        (void)state;
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_attach(p, open("/dev/null", O_RDWR | O_CLOEXEC)), -ENOTSOCK);
        assert_string_not_equal(poppo_error_message(p), "");
        assert_int_equal(poppo_fd(p), -1);
        poppo_free(p);
}

/* ---- callbacks of a loss ---- */

struct comeback {
        struct fixture *f;
        int n;
};

static void come_back(void *data, struct poppo_reply *reply)
{
        struct comeback *c = data;

        assert_int_equal(poppo_reply_status(reply), -ECONNRESET);
        assert_int_equal(poppo_connect(c->f->poppo, c->f->fake.path), -EDEADLK);
        assert_int_equal(poppo_call(c->f->poppo, "ping", NULL, NULL), -EDEADLK);
        c->n++;
}

static void test_callbacks_of_a_loss_cannot_connect(void **state)
{
        (void)state;
        SERVE(f, 0, {"stats", NULL}, {"stop", "!"});
        struct comeback c = {.f = &f};

        for (int i = 0; i < 100; i++)
                assert_int_equal(poppo_send(f.poppo, "stats", NULL, come_back, &c), 0);
        assert_int_equal(poppo_call(f.poppo, "stop", NULL, NULL), -ECONNRESET);
        assert_int_equal(c.n, 100);
        assert_int_equal(poppo_connect(f.poppo, f.fake.path), 0);
        finish(&f);
}

static void send_again(void *data, struct poppo_reply *reply)
{
        (void)reply;
        assert_int_equal(poppo_send(data, "stats", NULL, NULL, NULL), -ENOTCONN);
}

static void test_callbacks_of_a_loss_do_not_hide_its_cause(void **state)
{
        (void)state;
        SERVE(f, 0, {"stats", NULL}, {"stop", "!\xff\xff\xff\xff"});
        assert_int_equal(poppo_send(f.poppo, "stats", NULL, send_again, f.poppo), 0);
        assert_int_equal(poppo_call(f.poppo, "stop", NULL, NULL), -EPROTO);
        assert_non_null(strstr(poppo_error_message(f.poppo), "announced a message over"));
        finish(&f);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_call_that_never_fits_is_not_told_to_try_again),
                cmocka_unit_test(test_reply_without_a_record_is_no_verdict),
                cmocka_unit_test(test_longest_timeout),
                cmocka_unit_test(test_message_cut_to_fit_is_still_utf8),
                cmocka_unit_test(test_peer_that_never_stops_talking_holds_up_no_timeout),
                cmocka_unit_test(test_descriptor_that_is_no_socket),
                cmocka_unit_test(test_callbacks_of_a_loss_cannot_connect),
                cmocka_unit_test(test_callbacks_of_a_loss_do_not_hide_its_cause),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

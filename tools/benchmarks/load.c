/*
 * Load on a running poppod, as a pipelining client gives it.
 *   bench_load SOCKET ping|CODE COUNT WINDOW [ISOLATION|durable|kept]
 * CODE is run as execute-code, waited for; every reply must be ok and every record succeeded. One request's time runs
 * from its encoding to its reply. durable: the tasks are; kept: they are only handed in, to the project "parked".
 */
#include "base/clock.h"
#include "measure.h"
#include "session.h"
#include "wire/cursor.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW_MAX = 4096 };

struct load {
        struct session session;
        struct wire_submit submit;
        struct buf task;
        bool is_ping, is_kept;
        size_t count, window, sent, got;
        int64_t sent_at[WINDOW_MAX];
        struct measure measure;
};

/* The word that a task says for its isolation. */
static void set_isolation(struct load *l, const char *word)
{
        const struct wire_field *field =
                &wire_messages[WIRE_ID_task_options].fields[WIRE_AT_task_options_isolation];
        int index = wire_word_index(field->words, wire_str(word));

        if (index < 0)
                exit(64);
        WIRE_SET(&l->submit, submit, options, (struct wire_task_options){0});
        WIRE_SET(&l->submit.options, task_options, isolation, (uint64_t)index);
}

static void set_mode(struct load *l, const char *word)
{
        bool durable = !strcmp(word, "durable");

        l->is_kept = !strcmp(word, "kept");
        if (!durable && !l->is_kept)
                return set_isolation(l, word);
        WIRE_SET(&l->submit, submit, options, (struct wire_task_options){0});
        WIRE_SET(&l->submit, submit, wait, durable);
        if (durable)
                WIRE_SET(&l->submit.options, task_options, durable, true);
        else
                WIRE_SET(&l->submit.options, task_options, project_id, wire_str("parked"));
}

static void check_reply(const struct load *l, struct bytes frame, const struct wire_head *head)
{
        struct bytes result, state;

        if (!head->ok)
                session_refused(frame);
        if (l->is_ping || l->is_kept || !head->seq)
                return;
        if (!wire_lookup(frame, "result", &result) || !wire_lookup_str(result, "state", &state) ||
                !wire_str_is(state, "succeeded"))
                session_refused(frame);
}

/* Numbers requests from 1; seq 0 is the greeting. */
static void take_frame(struct load *l, struct bytes frame)
{
        struct wire_refusal why;
        struct wire_head head;

        if (wire_open(frame, &head, &why) || !head.is_reply)
                session_refused(frame);
        check_reply(l, frame, &head);
        if (!head.seq)
                return;
        measure_add(&l->measure, clock_now() - l->sent_at[head.seq % WINDOW_MAX]);
        l->got++;
}

static void take_frames(struct load *l)
{
        struct bytes frame;
        int r = channel_fill(&l->session.channel);

        if (r && r != CHANNEL_AGAIN)
                measure_die("the connection ended");
        while (!channel_next(&l->session.channel, &frame))
                take_frame(l, frame);
}

/* sent_at has eight windows' worth of slots, so that a request which is overtaken by others keeps its own. */
static bool may_send(const struct load *l)
{
        return l->sent < l->count && l->sent - l->got < l->window;
}

static void send_some(struct load *l)
{
        const struct wire_ping ping = {0};

        while (may_send(l)) {
                uint64_t seq = ++l->sent;
                int r;

                l->sent_at[seq % WINDOW_MAX] = clock_now();
                r = l->is_ping ? channel_send(&l->session.channel, WIRE_MESSAGE(ping), seq, &ping) :
                                 channel_send(&l->session.channel, WIRE_MESSAGE(submit), seq, &l->submit);
                if (r < 0)
                        measure_die("channel_send");
        }
        if (channel_flush(&l->session.channel))
                measure_die("channel_flush");
}

int main(int argc, char **argv)
{
        static struct load l;

        if (argc < 5)
                return 64;
        l.is_ping = !strcmp(argv[2], "ping");
        l.count = strtoul(argv[3], NULL, 10);
        l.window = strtoul(argv[4], NULL, 10);
        if (!l.count || !l.window || l.window > WINDOW_MAX / 8)
                return 64;
        session_prepare_code(&l.submit, &l.task, argv[2]);
        WIRE_SET(&l.submit, submit, wait, true);
        if (argc > 5)
                set_mode(&l, argv[5]);
        session_open(&l.session, argv[1]);
        measure_start(&l.measure, l.count);
        while (l.got < l.count) {
                send_some(&l);
                take_frames(&l);
        }
        measure_report(&l.measure);
        session_close(&l.session);
        buf_fini(&l.task);
        return 0;
}

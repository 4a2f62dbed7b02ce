/* The loader's life: open the roots, lock itself down, answer one question after the other. */
#include "loader/loader.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "loader/confine.h"
#include "loader/resolve.h"
#include "wire/channel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_IN_MAX = 2 * 1024 * 1024, PROOF_MAX = 64 * 1024, OUT_MAX = ROOTS_FILE_MAX + 1024 * 1024 };

/* For one frame: a package of a thousand files needs a tenth of it, and it takes milliseconds. */
enum { LOOKS_MAX = 16384 };

struct loader {
        struct channel channel;
        struct roots roots;
        struct buf source, proof; /* of one answer */
        pid_t master;
};

static void reset_signals(void)
{
        static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                signal(i, SIG_DFL);
        /* When to end is the master's decision: it closes the channel. */
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
                signal(ignored[i], SIG_IGN);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static int settle_in(int channel_fd)
{
        int r;

        log_open("poppod-loader");
        reset_signals();
        prctl(PR_SET_NAME, "poppod-loader");
        /* What a line of the log needs to know is asked now, before nothing may be asked any more. */
        log_set_format(isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
        if (clearenv() || setenv("TZ", "UTC", 1))
                return error_origin(-ENOMEM);
        tzset();
        r = fd_set_nonblock(channel_fd, 0);
        return r < 0 ? r : fd_close_from(STDERR_FILENO + 1, channel_fd);
}

/* ---- frames ---- */

static int flush(struct loader *l, int r)
{
        while (!r && buf_size(&l->channel.out)) {
                r = channel_flush(&l->channel);
                if (r == CHANNEL_AGAIN)
                        r = 0;
        }
        return r;
}

static int send_message(struct loader *l, const struct wire_message *m, uint64_t seq, const void *body)
{
        return flush(l, channel_send(&l->channel, m, seq, body));
}

static int refuse(struct loader *l, uint64_t seq, const struct wire_refusal *why)
{
        return flush(l, wire_encode_refusal(&l->channel.out, seq, why, -1));
}

/* ---- load ---- */

static bool is_json(const struct place *at)
{
        return at->len >= 5 && !strcmp(at->text + at->len - 5, ".json");
}

static void fill_missing(struct wire_load_reply *reply, const struct reason *why)
{
        WIRE_SET(reply, load_reply, kind, 0);
        WIRE_SET(reply, load_reply, why, wire_str(why->text));
}

static void fill_found(struct wire_load_reply *reply, const struct answer *a, const struct buf *source)
{
        WIRE_SET(reply, load_reply, kind, is_json(&a->place) ? 2 : 1);
        WIRE_SET(reply, load_reply, root, a->root);
        WIRE_SET(reply, load_reply, path, (struct bytes){(const uint8_t *)a->place.text, a->place.len});
        WIRE_SET(reply, load_reply, source, buf_bytes(source));
}

/* A file is added only where there is one: that there is none is the question's part to say. */
static int look_up(struct loader *l, const struct question *q, struct answer *answer, struct reason *why,
        struct proof *p)
{
        struct found file;
        int r = resolve(&l->roots, q, answer, &file, why, p);

        if (r)
                return r;
        r = roots_read(&file, &l->source, why);
        if (!r)
                proof_add_file(p, answer->root, &file);
        close(file.fd);
        answer->found = !r;
        return r;
}

/* Packages in packages in packages: nobody has so many that their proof has no room. */
static int refuse_proof(struct loader *l, uint64_t seq, int fault)
{
        struct wire_refusal why;

        wire_refuse(
                &why, WIRE_LOADER_UNAVAILABLE, "the answer cannot be written down: %s", error_text(fault));
        return refuse(l, seq, &why);
}

static int answer_load(struct loader *l, uint64_t seq, const struct wire_load *load)
{
        struct wire_load_reply reply = {0};
        struct question q = {.in_file = WIRE_HAS(load, load, from),
                .root = (unsigned int)load->root,
                .from = load->from,
                .name = load->name};
        struct answer answer;
        struct reason why;
        struct proof p;
        int r, fault;

        proof_open(&p, &l->proof);
        r = look_up(l, &q, &answer, &why, &p);
        if (r < 0)
                return r;
        r ? fill_missing(&reply, &why) : fill_found(&reply, &answer, &l->source);
        if (r || !q.in_file)
                proof_add_question(&p, &q, &answer);
        fault = proof_close(&p);
        if (fault)
                return refuse_proof(l, seq, fault);
        WIRE_SET(&reply, load_reply, proof, buf_bytes(&l->proof));
        return send_message(l, WIRE_MESSAGE(load_reply), seq, &reply);
}

static int handle_load(struct loader *l, uint64_t seq, const union wire_body *body)
{
        int r = answer_load(l, seq, &body->load);

        buf_consume(&l->source, buf_size(&l->source));
        buf_consume(&l->proof, buf_size(&l->proof));
        buf_shrink(&l->source, 0);
        return r;
}

/* ---- check ---- */

static int handle_check(struct loader *l, uint64_t seq, const union wire_body *body)
{
        struct wire_check_reply reply = {0};
        int r = proof_check(&l->roots, body->check.proof);

        if (r < 0)
                return r;
        WIRE_SET(&reply, check_reply, same, !r);
        return send_message(l, WIRE_MESSAGE(check_reply), seq, &reply);
}

/* ---- life ---- */

static int open_roots(struct loader *l, struct bytes frame)
{
        struct wire_loader_roots body;
        struct wire_refusal why;

        if (wire_decode(WIRE_MESSAGE(loader_roots), frame, &body, &why)) {
                log_error("bad-message", "roots: %s", why.message);
                return error_origin(-EPROTO);
        }
        log_set_level((enum log_level)body.log_level);
        return roots_open(&l->roots, body.roots);
}

static int receive_roots(struct loader *l)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;
        int r = channel_wait(&l->channel, &frame);

        if (r)
                return r;
        if (wire_open(frame, &head, &why) || !wire_str_is(head.op, WIRE_MESSAGE(loader_roots)->name)) {
                log_error("bad-message", "expected roots from the master");
                return error_origin(-EPROTO);
        }
        return open_roots(l, frame);
}

static int announce(struct loader *l)
{
        struct wire_loader_opened opened = {0};
        struct buf layers;
        int r;

        buf_init(&layers, 0);
        r = confine(&l->roots, l->master, &layers);
        WIRE_SET(&opened, loader_opened, layers, buf_bytes(&layers));
        if (!r)
                r = send_message(l, WIRE_MESSAGE(loader_opened), 0, &opened);
        buf_fini(&layers);
        return r;
}

static const struct {
        const struct wire_message *message;
        int (*call)(struct loader *, uint64_t seq, const union wire_body *);
} handlers[] = {
        {WIRE_MESSAGE(load), handle_load},
        {WIRE_MESSAGE(check), handle_check},
};

/* The master has checked the envelope and decoded the body once; what is in it is a worker's all the same. */
static int handle(struct loader *l, struct bytes frame)
{
        struct wire_refusal why;
        struct wire_head head;
        union wire_body body;

        if (wire_open(frame, &head, &why) || !head.has_seq)
                return error_origin(-EPROTO);
        roots_allow(LOOKS_MAX);
        for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
                if (!wire_str_is(head.op, handlers[i].message->name))
                        continue;
                if (wire_decode(handlers[i].message, frame, &body, &why))
                        return refuse(l, head.seq, &why);
                return handlers[i].call(l, head.seq, &body);
        }
        return error_origin(-EPROTO);
}

static int serve(struct loader *l)
{
        struct bytes frame;
        int r;

        while (!(r = channel_wait(&l->channel, &frame)))
                if ((r = handle(l, frame)))
                        break;
        return r;
}

static void loader_fini(struct loader *l)
{
        roots_close(&l->roots);
        buf_fini(&l->source);
        buf_fini(&l->proof);
        channel_fini(&l->channel);
}

int loader_main(int channel_fd)
{
        struct loader l = {.master = getppid()};
        int r;

        channel_init(&l.channel, channel_fd, FRAME_IN_MAX, OUT_MAX);
        buf_init(&l.source, ROOTS_FILE_MAX + 1);
        buf_init(&l.proof, PROOF_MAX);
        r = settle_in(channel_fd);
        if (!r)
                r = receive_roots(&l);
        if (!r)
                r = announce(&l);
        if (!r)
                r = serve(&l);
        if (r != CHANNEL_CLOSED)
                log_error("loader-failed", "%s", r < 0 ? error_text(r) : "a message is too large");
        loader_fini(&l);
        return r == CHANNEL_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The store's life: settle in, open, then batch after batch. */
#include "store/keeper.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/confine.h"
#include "store/keeper_private.h"
#include "wire/pack.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What waits for the master to read it: one page of what is kept and a few words for each batch. */
enum { OUT_MAX = 2 * STORE_FRAME_MAX };

int keeper_send(struct keeper *k, const struct wire_message *m, uint64_t seq, const void *body)
{
        return channel_send(&k->channel, m, seq, body);
}

/* When to end is the master's decision alone: it closes the channel, and its death kills. */
static int settle_in(int channel_fd)
{
        static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};

        log_open("poppod-store");
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
                signal(ignored[i], SIG_IGN);
        umask(077);
        prctl(PR_SET_NAME, "poppod-store");
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || clearenv() || setenv("TZ", "UTC", 1))
                return error_origin(-errno);
        return fd_close_from(STDERR_FILENO + 1, channel_fd);
}

/* ---- messages ---- */

#define CHANGE(op)                                                                                           \
        static int make_##op(struct keeper *k, const void *body)                                             \
        {                                                                                                    \
                return k->ops->op(k->store, body);                                                           \
        }                                                                                                    \
        static int on_##op(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)        \
        {                                                                                                    \
                (void)seq;                                                                                   \
                return batch_change(k, body->store_##op.number, bytes, make_##op, &body->store_##op);        \
        }
CHANGE(accept)
CHANGE(attempt)
CHANGE(release)
CHANGE(end)
CHANGE(setting)
#undef CHANGE

/* Others' commits take them along for nothing; without any they need not wait longer than this. */
static const int64_t FORGET_LATEST = 50 * NS_PER_MS;

static int on_forget(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)
{
        (void)seq;
        (void)bytes;
        if (!k->n_forget)
                k->forget_at = clock_now() + FORGET_LATEST;
        if (k->n_forget < FORGET_MAX)
                k->forget[(k->forget_head + k->n_forget++) % FORGET_MAX] = body->store_forget.place;
        return 0;
}

static int on_load(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)
{
        (void)seq;
        (void)bytes;
        k->load = body->store_load;
        k->load_asked = true;
        return 0;
}

static int on_compact(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)
{
        (void)seq;
        (void)body;
        (void)bytes;
        k->compacting = true;
        return 0;
}

static int on_measure(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)
{
        struct wire_store_measure_reply reply = {0};
        struct store_figures figures = {0};

        (void)body;
        (void)bytes;
        if (k->available)
                k->ops->measure(k->store, &figures);
        WIRE_SET(&reply, store_measure_reply, bytes, figures.bytes);
        WIRE_SET(&reply, store_measure_reply, free_bytes, figures.free_bytes);
        WIRE_SET(&reply, store_measure_reply, log_bytes, figures.log_bytes);
        WIRE_SET(&reply, store_measure_reply, commits, k->commits);
        WIRE_SET(&reply, store_measure_reply, changes, k->changes);
        WIRE_SET(&reply, store_measure_reply, refused, k->refused);
        WIRE_SET(&reply, store_measure_reply, largest, k->largest);
        WIRE_SET(&reply, store_measure_reply, commit_us,
                k->commits ? (uint64_t)(k->commit_ns / NS_PER_US) / k->commits : 0);
        WIRE_SET(&reply, store_measure_reply, compacting, k->compacting);
        return keeper_send(k, WIRE_MESSAGE(store_measure_reply), seq, &reply);
}

static int on_open(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes);

static int (*const handlers[WIRE_IDS])(struct keeper *, uint64_t seq, const union wire_body *, size_t bytes) = {
        [WIRE_ID_store_open] = on_open,
        [WIRE_ID_store_accept] = on_accept,
        [WIRE_ID_store_attempt] = on_attempt,
        [WIRE_ID_store_release] = on_release,
        [WIRE_ID_store_end] = on_end,
        [WIRE_ID_store_setting] = on_setting,
        [WIRE_ID_store_forget] = on_forget,
        [WIRE_ID_store_load] = on_load,
        [WIRE_ID_store_shrink] = on_compact,
        [WIRE_ID_store_measure] = on_measure,
};

/* The most frequent ones first. */
static const struct wire_message *served_message(struct bytes op)
{
        static const enum wire_id served[] = {WIRE_ID_store_accept, WIRE_ID_store_attempt, WIRE_ID_store_end,
                WIRE_ID_store_forget, WIRE_ID_store_release, WIRE_ID_store_setting, WIRE_ID_store_load,
                WIRE_ID_store_measure, WIRE_ID_store_shrink, WIRE_ID_store_open};

        for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++)
                if (wire_str_is(op, wire_messages[served[i]].name))
                        return &wire_messages[served[i]];
        return NULL;
}

static int handle(struct keeper *k, struct bytes frame)
{
        struct wire_refusal why = {.message = "not a message for the store, or not now"};
        const struct wire_message *m = NULL;
        union wire_body body;
        struct wire_head head;

        if (!wire_open(frame, &head, &why))
                m = served_message(head.op);
        if (!m || k->opened == (m == WIRE_MESSAGE(store_open)) ||
                wire_decode(m, frame, &body, &why)) {
                log_error("bad-message", "from the master: %s", why.message);
                return error_origin(-EPROTO);
        }
        return handlers[wire_message_id(m)](k, head.has_seq ? head.seq : 0, &body, frame.len);
}

/* ---- opening ---- */

static int tell_unusable(struct keeper *k, int r)
{
        struct wire_store_unusable body = {0};
        const char *why = k->store && *k->store->why ? k->store->why : error_text(r < 0 ? r : -ENOMEM);

        log_error("store-unusable", "%s", why);
        WIRE_SET(&body, store_unusable, reason,
                r == STORE_CORRUPT ? 0 : r == STORE_NEWER ? 1 : r == STORE_LOCKED ? 2 : 3);
        WIRE_SET(&body, store_unusable, message, wire_str(why));
        k->ended = true;
        return keeper_send(k, WIRE_MESSAGE(store_unusable), 0, &body);
}

static int pack_layers(struct buf *out, const struct layers *l)
{
        struct pack p;

        buf_init(out, 0);
        pack_init(&p, out);
        pack_map(&p, (uint32_t)l->n);
        for (size_t i = 0; i < l->n; i++)
                pack_entry_text(&p, l->list[i].name, layer_words[l->list[i].state]);
        return p.error;
}

static int tell_opened(struct keeper *k, const struct store_info *info, const struct layers *l)
{
        struct wire_store_opened body = {0};
        CLEANUP(buf_fini) struct buf layers;
        int r = pack_layers(&layers, l);

        if (r < 0)
                return r;
        WIRE_SET(&body, store_opened, last_place, info->last_place);
        WIRE_SET(&body, store_opened, first_place, info->first_place);
        WIRE_SET(&body, store_opened, bytes, info->bytes);
        WIRE_SET(&body, store_opened, version, info->version);
        if (*info->backup)
                WIRE_SET(&body, store_opened, backup, wire_str(info->backup));
        WIRE_SET(&body, store_opened, layers, buf_bytes(&layers));
        k->opened = k->available = true;
        return keeper_send(k, WIRE_MESSAGE(store_opened), 0, &body);
}

static int on_open(struct keeper *k, uint64_t seq, const union wire_body *body, size_t bytes)
{
        const struct wire_store_open *open = &body->store_open;
        const char *words = WIRE_MESSAGE(store_open)->fields[WIRE_AT_store_open_engine].words;
        static struct store_info info;
        struct store_config config = {.sync = (enum store_sync)open->sync};
        struct layers layers = {.n = 0};
        char path[STORE_PATH];
        int r;

        (void)seq;
        (void)bytes;
        snprintf(path, sizeof(path), "%.*s", (int)open->path.len, (const char *)open->path.data);
        config.path = path;
        memcpy(config.owner, open->owner.data, sizeof(config.owner));
        log_set_level((enum log_level)open->log_level);
        k->ops = store_engine(wire_word(words, open->engine));
        r = k->ops->open(&config, &k->store, &info);
        if (r)
                return tell_unusable(k, r);
        confine(path, &layers);
        return tell_opened(k, &info, &layers);
}

/* ---- the loop ---- */

static bool batch_full(const struct keeper *k)
{
        return k->batch.changes >= BATCH_MAX || k->batch.bytes >= BATCH_BYTES;
}

/* All that is there, up to a batch. CHANNEL_AGAIN: nothing more is; 0: there may be. */
static int take_in(struct keeper *k)
{
        struct bytes frame;
        int r = 0;

        while (!k->ended && !batch_full(k)) {
                r = channel_next(&k->channel, &frame);
                if (r == CHANNEL_AGAIN)
                        r = channel_fill(&k->channel);
                else if (!r)
                        r = handle(k, frame);
                if (r)
                        return r;
        }
        return 0;
}

static int wait_ms(const struct keeper *k, bool more)
{
        int64_t at = k->opened ? keeper_next_chore(k) : INT64_MAX, now = clock_now();

        if (more || (k->load_asked && k->available) || at <= now)
                return 0;
        return at == INT64_MAX ? -1 : (int)((at - now) / NS_PER_MS) + 1;
}

static int wait_for_work(struct keeper *k, bool more)
{
        short out = channel_wants_write(&k->channel) ? POLLOUT : 0;
        struct pollfd p = {.fd = k->channel.fd, .events = (short)(POLLIN | out)};

        if (poll(&p, 1, wait_ms(k, more)) < 0 && errno != EINTR)
                return error_origin(-errno);
        return 0;
}

/* Whatever the state of the channel, what came over it is committed: the acknowledgement may still be read. */
static int turn(struct keeper *k, bool *more)
{
        int r = 0, got = take_in(k);

        *more = !got;
        if (k->batch.n_runs)
                r = batch_finish(k);
        if (!r && k->opened)
                r = keeper_probe(k);
        if (!r && k->opened)
                r = keeper_send_page(k);
        if (!r && k->opened && got == CHANNEL_AGAIN)
                r = keeper_chore(k);
        if (r || (got && got != CHANNEL_AGAIN))
                return r ? r : got;
        r = channel_flush(&k->channel);
        return r == CHANNEL_AGAIN ? 0 : r;
}

static int serve(struct keeper *k)
{
        bool more = true;
        int r;

        while (!(r = turn(k, &more)) && !k->ended)
                if ((r = wait_for_work(k, more)))
                        break;
        return r;
}

int store_main(int channel_fd)
{
        struct keeper *k = calloc(1, sizeof(*k));
        int r = settle_in(channel_fd);

        if (!k)
                return EXIT_FAILURE;
        channel_init(&k->channel, channel_fd, STORE_FRAME_MAX, OUT_MAX);
        if (!r)
                r = fd_set_nonblock(channel_fd, 1);
        if (!r)
                r = serve(k);
        if (r != CHANNEL_CLOSED && !k->ended)
                log_error("store-failed", "%s", r < 0 ? error_text(r) : "a message is too large");
        if (k->store)
                k->ops->close(k->store);
        channel_fini(&k->channel);
        r = r == CHANNEL_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
        free(k);
        return r;
}

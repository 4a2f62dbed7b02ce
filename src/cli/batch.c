/* A ring of slots: replies arrive in any order, lines leave in one. */
#include "cli/batch.h"

#include "base/clock.h"
#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS (100 * NS_PER_MS)

struct batch *batch_new(struct cli *cli,
        int (*print)(struct cli *cli, struct poppo_reply *reply, const char *label), bool lines)
{
        struct batch *b = calloc(1, sizeof(*b));

        if (!b)
                return NULL;
        b->cli = cli;
        b->print = print;
        b->lines = lines;
        /* Lines that people see scroll by are progress enough. */
        b->show_progress = lines && output_is_terminal(stderr) && !isatty(STDOUT_FILENO);
        return b;
}

void batch_free(struct batch *b)
{
        for (size_t i = b ? b->printed : 0; b && i < b->added; i++)
                poppo_reply_free(b->slots[i % BATCH_WINDOW].reply);
        free(b);
}

static void note_status(struct batch *b, int status)
{
        if (b->status == EXIT_OK)
                b->status = status;
}

static void show_progress(struct batch *b, bool last)
{
        int64_t now = clock_now();

        if (!b->show_progress || (!last && now - b->progress_at < PROGRESS_NS))
                return;
        b->progress_at = now;
        fprintf(stderr, "\r\033[K%zu sent, %zu done%s", b->added, b->printed, last ? "\n" : "");
}

/* ---- printing ---- */

static void print_refusal(struct batch *b, struct batch_slot *slot)
{
        if (b->lines && b->cli->opt.json) {
                output_json(slot->reply, "");
                note_status(b, poppo_code_exit_status(poppo_reply_code(slot->reply)));
                return;
        }
        note_status(b, cli_fail_reply(b->cli, slot->reply, b->lines ? slot->label : NULL));
}

/* That the connection is lost is said once, not for each call that was under way. */
static void print_loss(struct batch *b, struct batch_slot *slot)
{
        if (!b->lost)
                note_status(b, cli_fail_reply(b->cli, slot->reply, NULL));
        b->lost = true;
}

static void print_slot(struct batch *b, struct batch_slot *slot)
{
        int reply = slot->reply ? poppo_reply_status(slot->reply) : POPPO_REFUSED, status = EXIT_TASK;

        if (!reply) {
                status = b->print(b->cli, slot->reply, b->lines ? slot->label : NULL);
                note_status(b, status);
        } else if (reply < 0) {
                print_loss(b, slot);
        } else if (slot->reply) {
                print_refusal(b, slot);
        }
        if (status != EXIT_OK && reply >= 0 && b->lines && !b->cli->opt.json)
                putchar('\n');
        poppo_reply_free(slot->reply);
        b->bytes -= slot->bytes;
        *slot = (struct batch_slot){0};
}

void batch_print_ready(struct batch *b)
{
        while (b->printed < b->added) {
                struct batch_slot *slot = &b->slots[b->printed % BATCH_WINDOW];

                if (!slot->reply && !slot->failed)
                        break;
                print_slot(b, slot);
                b->printed++;
                show_progress(b, false);
        }
}

/* ---- sending ---- */

static void on_reply(void *data, struct poppo_reply *reply)
{
        struct batch_slot *slot = data;

        slot->reply = poppo_reply_keep(reply);
}

static bool step(struct batch *b)
{
        int r;

        batch_print_ready(b);
        fflush(stdout);
        r = poppo_step(b->cli->poppo, -1);
        if (r >= 0 || r == -EINTR)
                return true;
        if (r != -ECONNRESET) {
                note_status(b, cli_fail(b->cli, r));
                b->lost = true;
        }
        batch_print_ready(b);
        return false;
}

static bool is_full(const struct batch *b, size_t bytes)
{
        size_t n = b->added - b->printed;

        return n == BATCH_WINDOW || (n && b->bytes + bytes > BATCH_BYTES);
}

static struct batch_slot *take_slot(struct batch *b, size_t bytes)
{
        struct batch_slot *slot;

        batch_print_ready(b);
        while (is_full(b, bytes)) {
                if (!step(b))
                        return NULL;
                batch_print_ready(b);
        }
        slot = &b->slots[b->added++ % BATCH_WINDOW];
        *slot = (struct batch_slot){.bytes = bytes};
        b->bytes += bytes;
        return slot;
}

bool batch_send(struct batch *b, const char *label, const char *op, const char *args)
{
        struct batch_slot *slot = take_slot(b, strlen(args));
        int r;

        if (!slot)
                return false;
        snprintf(slot->label, sizeof(slot->label), "%s", label);
        do
                r = poppo_send(b->cli->poppo, op, args, on_reply, slot);
        while (r == -ENOBUFS && step(b));
        slot->failed = r < 0;
        if (r < 0 && !b->lost)
                note_status(b, cli_fail(b->cli, r));
        return poppo_fd(b->cli->poppo) >= 0;
}

void batch_skip(struct batch *b, int status)
{
        struct batch_slot *slot = take_slot(b, 0);

        if (slot)
                slot->failed = true;
        note_status(b, status);
}

int batch_finish(struct batch *b)
{
        batch_print_ready(b);
        while (b->printed < b->added && step(b))
                batch_print_ready(b);
        show_progress(b, true);
        return b->status;
}

/* One question at a time, each with a number of its own. */
#include "worker/js/loads.h"

#include "base/clock.h"
#include "wire/cursor.h"
#include "wire/pack.h"
#include "worker/js/line.h"

#include <string.h>

enum { PROOF_MAX = 512 * 1024, CHECK_HEAD = 5 };

static struct {
        uint64_t seq;
        int64_t asked_at;
        struct buf proof;
        uint32_t n_proofs;
        bool too_many, failed;
        struct wire_refusal why;
} loads;

void loads_begin(void)
{
        loads.proof.len = 0;
        loads.n_proofs = 0;
        loads.asked_at = 0;
        loads.too_many = loads.failed = false;
}

void loads_forget(void)
{
        if (loads.proof.len)
                memset(loads.proof.data, 0, loads.proof.len);
        loads.proof.len = 0;
}

bool loads_failed(struct wire_refusal *why)
{
        if (loads.failed)
                *why = loads.why;
        return loads.failed;
}

bool loads_proof(struct bytes *proof, uint32_t *n)
{
        *proof = buf_bytes(&loads.proof);
        *n = loads.n_proofs;
        return !loads.too_many;
}

int64_t loads_asked_at(void)
{
        return loads.asked_at;
}

bool loads_is_late(const struct wire_head *head)
{
        return head->is_reply && head->seq <= loads.seq;
}

/* ---- frames ---- */

/* What may come beside the answer: settings, and answers that nobody waits for any more. */
static struct bytes wait_for_answer(struct wire_head *head)
{
        for (;;) {
                struct bytes frame = line_receive(head);

                if (head->is_reply && head->seq == loads.seq)
                        return frame;
                if (!loads_is_late(head) && !wire_str_is(head->op, WIRE_MESSAGE(worker_configure)->name))
                        line_fail();
        }
}

static int take_refusal(struct bytes frame, struct wire_refusal *why)
{
        struct wire_failure f;
        struct bytes error;
        enum wire_code code;

        if (!wire_lookup(frame, "error", &error) || wire_decode(WIRE_MESSAGE(failure), error, &f, why))
                line_fail();
        code = wire_code_find(f.code);
        wire_refuse(why, code ? code : WIRE_LOADER_UNAVAILABLE, "%.*s",
                (int)(f.message.len < 160 ? f.message.len : 160), (const char *)f.message.data);
        loads.failed = true;
        loads.why = *why;
        return 1;
}

static int ask(const struct wire_message *m, const void *body, const struct wire_message *answer, void *out,
        struct wire_refusal *why)
{
        struct wire_head head;
        struct bytes frame;

        line_send(m, ++loads.seq, body);
        frame = wait_for_answer(&head);
        if (!head.ok)
                return take_refusal(frame, why);
        if (wire_decode(answer, frame, out, why))
                line_fail();
        return 0;
}

/* ---- proofs ---- */

static bool is_kept(struct bytes element)
{
        struct cursor c = cursor_over(buf_bytes(&loads.proof));
        struct bytes kept;

        while (!cursor_done(&c) && !cursor_skip(&c, &kept))
                if (kept.len == element.len && !memcmp(kept.data, element.data, kept.len))
                        return true;
        return false;
}

static void keep_proof(struct bytes proof)
{
        struct cursor c = cursor_over(proof);
        struct wire_value head;
        struct bytes element;

        if (cursor_read(&c, &head))
                return;
        for (uint32_t i = 0; i < head.count && !cursor_skip(&c, &element); i++) {
                if (is_kept(element))
                        continue;
                if (loads.proof.len + element.len > PROOF_MAX ||
                        buf_append(&loads.proof, element.data, element.len))
                        loads.too_many = true;
                else
                        loads.n_proofs++;
        }
}

/* ---- questions ---- */

int loads_ask(const struct wire_load *question, struct wire_load_reply *reply, struct wire_refusal *why)
{
        int r;

        if (!loads.asked_at)
                loads.asked_at = clock_now();
        r = ask(WIRE_MESSAGE(load), question, WIRE_MESSAGE(load_reply), reply, why);
        if (!r)
                keep_proof(reply->proof);
        return r;
}

int loads_check(struct bytes proof, uint32_t n, bool *same, struct wire_refusal *why)
{
        struct wire_check question = {0};
        struct wire_check_reply reply;
        static struct buf list;
        struct pack p;
        int r;

        list.len = 0;
        pack_init(&p, &list);
        pack_array(&p, n);
        pack_raw(&p, proof);
        if (p.error)
                return wire_refuse(
                        why, WIRE_OUT_OF_MEMORY, "there is no memory for a question to the loader");
        WIRE_SET(&question, check, proof, buf_bytes(&list));
        r = ask(WIRE_MESSAGE(check), &question, WIRE_MESSAGE(check_reply), &reply, why);
        *same = !r && reply.same;
        return r;
}

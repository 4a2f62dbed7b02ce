/*
 * The codec over every row of messages.def: what is written comes back, and everything that is wrong is refused with
 * the declared code and the field's name. Inputs lie in heap blocks of exactly their size.
 */
#include "sample.h"
#include "wire/codec.h"
#include "wire/cursor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FOR_EACH_MESSAGE(m) for (const struct wire_message *m = wire_messages; m < wire_messages + WIRE_IDS; m++)
#define FOR_EACH_FIELD(f, m) for (const struct wire_field *f = (m)->fields; f < (m)->fields + (m)->n_fields; f++)

enum { LENGTH_BYTES = 4 };

static union wire_body body;
static struct wire_refusal why;

/* The sample's map in a block of its own; freed by the caller. */
static struct bytes make(const struct sample *s)
{
        struct buf out;
        struct pack p;
        uint8_t *exact;
        size_t n;

        buf_init(&out, 0);
        pack_init(&p, &out);
        sample_map(&p, s);
        assert_int_equal(p.error, 0);
        n = buf_size(&out);
        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, buf_head(&out), n);
        buf_fini(&out);
        return (struct bytes){exact, n};
}

static struct bytes cut(struct bytes b, size_t n)
{
        uint8_t *exact = malloc(n ? n : 1);

        assert_non_null(exact);
        memcpy(exact, b.data, n);
        return (struct bytes){exact, n};
}

static void drop(struct bytes b)
{
        free((void *)b.data);
}

static int decode_sample(const struct sample *s)
{
        struct bytes map = make(s);
        int r;

        memset(&why, 0, sizeof(why));
        r = wire_decode(s->m, map, &body, &why);
        drop(map);
        return r;
}

static void expect_refusal(const struct sample *s, enum wire_code code)
{
        const struct wire_field *f = &s->m->fields[s->field];
        int r = decode_sample(s);

        if (r != 1 || why.code != code || !strstr(why.message, f->name))
                fail_msg("%s.%s: r=%d code=%s message=%s", s->m->name, f->name, r, wire_codes[why.code].name, why.message);
}

static void expect_taken(const struct sample *s)
{
        int r = decode_sample(s);

        if (r)
                fail_msg("%s: refused %s: %s", s->m->name, wire_codes[why.code].name, why.message);
}

static struct sample sample_with(const struct wire_message *m, const struct wire_field *f, enum sample_twist twist)
{
        return (struct sample){.m = m, .extent = SAMPLE_ALL, .field = (int)(f - m->fields), .twist = twist};
}

/* decode, encode, compare bytes: the samples are written as the encoder writes. */
static void round_trip(const struct wire_message *m, enum sample_extent extent)
{
        struct sample s = {.m = m, .extent = extent, .field = -1};
        struct bytes map = make(&s);
        struct buf out;

        buf_init(&out, 0);
        assert_int_equal(wire_check(map), 0);
        assert_int_equal(wire_decode(m, map, &body, &why), 0);
        assert_int_equal(wire_encode_map(&out, m, &body), 0);
        assert_int_equal(buf_size(&out), map.len);
        assert_memory_equal(buf_head(&out), map.data, map.len);
        buf_fini(&out);
        drop(map);
}

static void test_round_trip(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                round_trip(m, SAMPLE_ALL);
                round_trip(m, SAMPLE_NEEDED);
        }
}

static void check_envelope(const struct wire_message *m, const struct wire_head *head)
{
        bool is_reply = m->kind == WIRE_REPLY, has_seq = is_reply || m->kind == WIRE_CALL;

        assert_int_equal(head->is_reply, is_reply);
        assert_int_equal(head->has_seq, has_seq);
        assert_int_equal(head->seq, has_seq ? 77 : 0);
        if (is_reply)
                assert_true(head->ok && !head->op.len);
        else
                assert_true(wire_str_is(m->kind == WIRE_EVENT ? head->event : head->op, m->name));
}

static bool has_envelope(const struct wire_message *m)
{
        return m->kind != WIRE_RECORD && m->kind != WIRE_TASK;
}

/* A whole frame of m in `out`, length included. */
static void encode_frame(struct buf *out, const struct wire_message *m)
{
        struct sample s = {.m = m, .extent = SAMPLE_ALL, .field = -1};
        struct bytes map = make(&s);

        buf_init(out, 0);
        assert_int_equal(wire_decode(m, map, &body, &why), 0);
        assert_int_equal(wire_encode(out, m, 77, &body), 0);
        drop(map);
}

static struct bytes payload(const struct buf *frame)
{
        return (struct bytes){buf_head(frame) + LENGTH_BYTES, buf_size(frame) - LENGTH_BYTES};
}

static void test_frames_carry_their_envelope(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                struct wire_head head;
                struct buf frame;

                if (!has_envelope(m))
                        continue;
                encode_frame(&frame, m);
                assert_int_equal(frame.data[2] << 8 | frame.data[3], (int)(payload(&frame).len & 0xffff));
                assert_int_equal(wire_open(payload(&frame), &head, &why), 0);
                check_envelope(m, &head);
                assert_int_equal(wire_decode(m, payload(&frame), &body, &why), 0);
                buf_fini(&frame);
        }
}

static void test_truncation_at_every_byte(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                struct wire_head head;
                struct buf frame;

                if (!has_envelope(m))
                        continue;
                encode_frame(&frame, m);
                for (size_t n = 0; n < payload(&frame).len; n++) {
                        struct bytes part = cut(payload(&frame), n);

                        assert_int_equal(wire_open(part, &head, &why), 1);
                        assert_int_equal(why.code, WIRE_BAD_FRAME);
                        assert_int_equal(wire_decode(m, part, &body, &why), 1);
                        drop(part);
                }
                buf_fini(&frame);
        }
}

/* ---- each field ---- */

/* Puts the number or length n into the field; false if the type cannot express it. */
static bool probe(const struct wire_message *m, const struct wire_field *f, int64_t n, enum wire_code expected)
{
        struct sample s = sample_with(m, f, SAMPLE_REPLACE);
        struct buf value;
        struct pack p;
        bool can;

        buf_init(&value, 0);
        pack_init(&p, &value);
        can = sample_value_of(&p, f, n);
        s.bytes = buf_bytes(&value);
        if (can && expected)
                expect_refusal(&s, expected);
        else if (can)
                expect_taken(&s);
        buf_fini(&value);
        return can;
}

static bool has_range(const struct wire_field *f)
{
        return f->type != WIRE_BOOL && f->type != WIRE_NUM && f->type != WIRE_WORD && f->type != WIRE_NEST;
}

static bool is_integer(const struct wire_field *f)
{
        return f->type == WIRE_UINT || f->type == WIRE_INT;
}

/* An oversized payload is named TOO_LARGE; an oversized name or number is the message's own fault code. */
static enum wire_code over_code(const struct wire_message *m, const struct wire_field *f)
{
        return !is_integer(f) && f->max >= 65536 ? WIRE_TOO_LARGE : (enum wire_code)m->fault;
}

static void test_boundaries(void **state)
{
        int probed = 0;

        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        if (!has_range(f))
                                continue;
                        if (f->min > INT64_MIN)
                                probe(m, f, f->min - 1, m->fault);
                        probed += probe(m, f, f->min, WIRE_OK);
                        probed += probe(m, f, f->max, WIRE_OK);
                        if (f->max < INT64_MAX)
                                probed += probe(m, f, f->max + 1, over_code(m, f));
                }
        }
        assert_in_range(probed, 2 * WIRE_IDS, INT32_MAX);
}

/* One value of each kind, and which types take it. */
static const struct {
        const char *bytes;
        size_t len;
        uint32_t taken_by; /* bits of enum wire_type; UINT and INT are judged by their range */
} kinds[] = {
        {"\xc3", 1, 1u << WIRE_BOOL | 1u << WIRE_ANY},
        {"\xff", 1, 1u << WIRE_NUM | 1u << WIRE_ANY},
        {"\xca\x3f\xc0\x00\x00", 5, 1u << WIRE_NUM | 1u << WIRE_ANY},
        {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9, 1u << WIRE_NUM | 1u << WIRE_ANY},
        {"\xcb\x43\xf0\x00\x00\x00\x00\x00\x00", 9, 1u << WIRE_NUM | 1u << WIRE_ANY},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, 1u << WIRE_ANY},
        {"\xa1?", 2, 1u << WIRE_STR | 1u << WIRE_ANY},
        {"\xc4\x01?", 3, 1u << WIRE_BIN | 1u << WIRE_ANY},
        {"\x91\x00", 2, 1u << WIRE_ARRAY | 1u << WIRE_ANY},
        {"\x81\xa0\x00", 3, 1u << WIRE_MAP | 1u << WIRE_ANY | 1u << WIRE_NEST},
        {"\xd4\xff\x00", 3, 1u << WIRE_ANY},
};

static void test_wrong_types(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                                struct sample s = sample_with(m, f, SAMPLE_REPLACE);

                                s.bytes = (struct bytes){(const uint8_t *)kinds[i].bytes, kinds[i].len};
                                if (!(kinds[i].taken_by >> f->type & 1))
                                        expect_refusal(&s, m->fault);
                        }
                }
        }
}

/* Languages that have only floats send 3.0 for 3. */
static void test_whole_floats_are_integers(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        struct sample s = sample_with(m, f, SAMPLE_REPLACE);
                        struct buf value;
                        struct pack p;

                        if (!is_integer(f) || f->min > (INT64_C(1) << 53))
                                continue;
                        buf_init(&value, 0);
                        pack_init(&p, &value);
                        pack_double(&p, (double)f->min);
                        s.bytes = buf_bytes(&value);
                        expect_taken(&s);
                        buf_fini(&value);
                }
        }
}

static void test_missing_fields(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        struct sample s = sample_with(m, f, SAMPLE_OMIT);

                        if (f->need == WIRE_MUST)
                                expect_refusal(&s, m->fault);
                        else
                                expect_taken(&s);
                        assert_false(body.has >> (f - m->fields) & 1);
                }
        }
}

static void test_null_means_absent(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        struct sample s = sample_with(m, f, SAMPLE_REPLACE);

                        s.bytes = (struct bytes){(const uint8_t *)"\xc0", 1};
                        if (f->need == WIRE_MUST && f->type != WIRE_ANY) {
                                expect_refusal(&s, m->fault);
                                continue;
                        }
                        expect_taken(&s);
                        assert_int_equal(body.has >> (f - m->fields) & 1, f->type == WIRE_ANY);
                }
        }
}

static void test_duplicate_keys(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        struct sample s = sample_with(m, f, SAMPLE_TWICE);

                        expect_refusal(&s, WIRE_BAD_FRAME);
                }
        }
}

static void test_words(void **state)
{
        static const struct bytes wrong[] = {
                {(const uint8_t *)"\xa0", 1}, {(const uint8_t *)"\xa1|", 2}, {(const uint8_t *)"\xa7no-such", 8}};
        int seen = 0;

        (void)state;
        FOR_EACH_MESSAGE(m) {
                FOR_EACH_FIELD(f, m) {
                        struct sample s = sample_with(m, f, SAMPLE_REPLACE);

                        for (size_t i = 0; f->type == WIRE_WORD && i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                                s.bytes = wrong[i];
                                expect_refusal(&s, m->fault);
                                seen++;
                        }
                }
        }
        assert_true(seen > 0);
}

static void test_word_indexes(void **state)
{
        (void)state;
        assert_int_equal(wire_word_index("a|bc|d", wire_str("bc")), 1);
        assert_int_equal(wire_word_index("a|bc|d", wire_str("b")), -1);
        assert_int_equal(wire_word_index("a|bc|d", wire_str("")), -1);
        assert_true(wire_str_is((struct bytes){wire_word("a|bc|d", 2).data, 1}, "d"));
        assert_int_equal(wire_word("a|bc|d", 3).len, 0);
}

/* ---- the envelope ---- */

static int open_text(const char *data, size_t n, struct wire_head *head)
{
        struct bytes exact = cut((struct bytes){(const uint8_t *)data, n}, n);
        int r = wire_open(exact, head, &why);

        drop(exact);
        return r;
}

#define OPEN_TEXT(text, head) open_text(text, sizeof(text) - 1, head)

static void test_envelope_refusals(void **state)
{
        static const struct {
                const char *bytes;
                size_t len;
                const char *says;
        } cases[] = {
                {"\x07", 1, "one map"},
                {"\x90", 1, "one map"},
                {"\x80", 1, "exactly one of"},
                {"\x81\xa3seq\x01", 6, "exactly one of"},
                {"\x82\xa2op\xa1x\xa2ok\xc3", 10, "exactly one of"},
                {"\x81\xa2op\xa0", 5, "op has the wrong type"},
                {"\x81\xa2op\x01", 5, "op has the wrong type"},
                {"\x81\xa2ok\x01", 5, "ok has the wrong type"},
                {"\x82\xa2op\xa1x\xa3seq\xff", 11, "seq has the wrong type"},
                {"\x82\xa2op\xa1x\xa2op\xa1y", 11, "op occurs twice"},
                {"\x83\xa2op\xa1x\xa3seq\x01\xa3seq\x01", 16, "seq occurs twice"},
                {"\x81\xa2op\xa1x\xc0", 7, "not a MessagePack value"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct wire_head head;

                if (!open_text(cases[i].bytes, cases[i].len, &head))
                        fail_msg("case %zu was taken", i);
                assert_int_equal(why.code, WIRE_BAD_FRAME);
                if (!strstr(why.message, cases[i].says))
                        fail_msg("case %zu says: %s", i, why.message);
                assert_true(head.has_seq || !head.seq);
        }
}

static void test_unknown_keys_are_ignored(void **state)
{
        struct wire_head head;
        static const char frame[] = "\x85\xa6hidden\x91\xc0\xa2op\xa4ping\xa3seq\x05\x07\xa1?\x92\x01\x02\xc3";

        (void)state;
        assert_int_equal(OPEN_TEXT(frame, &head), 0);
        assert_int_equal(head.seq, 5);
        assert_int_equal(wire_decode(WIRE_MESSAGE(ping), (struct bytes){(const uint8_t *)frame, sizeof(frame) - 1}, &body,
                                 &why),
                0);
}

static void test_largest_seq(void **state)
{
        struct wire_head head;

        (void)state;
        assert_int_equal(OPEN_TEXT("\x82\xa2op\xa4ping\xa3seq\xcf\xff\xff\xff\xff\xff\xff\xff\xff", &head), 0);
        assert_true(head.seq == UINT64_MAX);
}

static void test_refusals_travel(void **state)
{
        (void)state;
        for (int code = WIRE_OK + 1; code < WIRE_CODES; code++) {
                struct wire_refusal sent = {.code = (enum wire_code)code, .message = "because"};
                struct wire_failure got;
                struct wire_head head;
                struct bytes error;
                struct buf out;

                buf_init(&out, 0);
                assert_int_equal(wire_encode_refusal(&out, 9, &sent, code % 2 ? 1500 : -1), 0);
                assert_int_equal(wire_open(payload(&out), &head, &why), 0);
                assert_true(head.is_reply && !head.ok && head.seq == 9);
                assert_true(wire_lookup(payload(&out), "error", &error));
                assert_int_equal(wire_decode(WIRE_MESSAGE(failure), error, &got, &why), 0);
                assert_int_equal(wire_code_find(got.code), code);
                assert_true(wire_str_is(got.message, "because"));
                assert_int_equal(WIRE_HAS(&got, failure, retry_after), code % 2);
                buf_fini(&out);
        }
}

/* A full buffer keeps what it had, at every possible place where room may end. */
static void test_encoding_is_all_or_nothing(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                struct sample s = {.m = m, .extent = SAMPLE_ALL, .field = -1};
                struct bytes map = make(&s);
                struct buf out;

                buf_init(&out, 3);
                assert_int_equal(wire_decode(m, map, &body, &why), 0);
                assert_int_equal(buf_append(&out, "abc", 3), 0);
                for (out.limit = 3; wire_encode(&out, m, 77, &body); out.limit++) {
                        assert_int_equal(buf_size(&out), 3);
                        assert_memory_equal(buf_head(&out), "abc", 3);
                }
                assert_int_equal(buf_size(&out), out.limit);
                buf_fini(&out);
                drop(map);
        }
}

/* ---- the table itself ---- */

static void test_names_are_unique(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                assert_in_range(m->n_fields, 0, 32);
                for (const struct wire_message *o = m + 1; o < wire_messages + WIRE_IDS; o++)
                        if (o->kind == m->kind && (o->from & m->from) && !strcmp(o->name, m->name))
                                fail_msg("%s is declared twice", m->name);
                FOR_EACH_FIELD(f, m) {
                        const char *name = f->name;

                        if (has_envelope(m) && (!strcmp(name, "op") || !strcmp(name, "seq") || !strcmp(name, "ok") ||
                                                       !strcmp(name, "event")))
                                fail_msg("%s.%s shadows the envelope", m->name, name);
                        for (const struct wire_field *o = f + 1; o < m->fields + m->n_fields; o++)
                                assert_string_not_equal(o->name, name);
                }
        }
}

static void test_every_call_has_a_reply(void **state)
{
        (void)state;
        FOR_EACH_MESSAGE(m) {
                enum wire_peer others = (enum wire_peer)(63 & ~m->from);

                if (m->kind == WIRE_CALL)
                        assert_non_null(wire_message_find(WIRE_REPLY, others, wire_str(m->name)));
                if (m->kind == WIRE_TASK)
                        assert_ptr_equal(wire_task_find(wire_str(m->name)), m);
                assert_int_equal(wire_message_id(m), m - wire_messages);
        }
        assert_null(wire_task_find(wire_str("no-such-type")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_frames_carry_their_envelope),
                cmocka_unit_test(test_truncation_at_every_byte),
                cmocka_unit_test(test_boundaries),
                cmocka_unit_test(test_wrong_types),
                cmocka_unit_test(test_whole_floats_are_integers),
                cmocka_unit_test(test_missing_fields),
                cmocka_unit_test(test_null_means_absent),
                cmocka_unit_test(test_duplicate_keys),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_word_indexes),
                cmocka_unit_test(test_envelope_refusals),
                cmocka_unit_test(test_unknown_keys_are_ignored),
                cmocka_unit_test(test_largest_seq),
                cmocka_unit_test(test_refusals_travel),
                cmocka_unit_test(test_encoding_is_all_or_nothing),
                cmocka_unit_test(test_names_are_unique),
                cmocka_unit_test(test_every_call_has_a_reply),
        };

        return cmocka_run_group_tests_name("wire/codec", tests, NULL, NULL);
}

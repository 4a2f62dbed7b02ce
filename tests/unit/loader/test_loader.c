/* What the loader's answers rest on, what it makes of nonsense, and what is left of its rights. */
#include "library.h"

#include "base/clock.h"
#include "sandbox/instrument.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include "leave_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct library library;
static struct wire_load_reply reply;

static int make(void **state)
{
        (void)state;
        library_make(&library);
        library_put(&library, "a/one.js", "1");
        library_put(&library, "a/data.json", "{}");
        library_put(&library, "a/empty.js", "");
        library_put(&library, "a/node_modules/p/package.json", "{\"main\": \"m.js\"}");
        library_put(&library, "a/node_modules/p/m.js", "1");
        library_put(&library, "a/node_modules/p/other.js", "1");
        library_open(&library);
        return 0;
}

static int unmake(void **state)
{
        int status = library_close(&library);

        (void)state;
        library_remove(&library);
        return status;
}

/* ---- proofs ---- */

static struct buf kept;

static void keep_proof(void)
{
        kept.len = 0;
        assert_int_equal(buf_append(&kept, reply.proof.data, reply.proof.len), 0);
}

static bool still_same(struct bytes proof)
{
        struct wire_check body = {0};
        struct wire_check_reply answer;
        struct wire_refusal why;

        WIRE_SET(&body, check, proof, proof);
        assert_int_equal(wire_decode(WIRE_MESSAGE(check_reply),
                                 library_ask(&library, WIRE_MESSAGE(check), &body), &answer, &why),
                0);
        return answer.same;
}

static void answers_have_bytes_and_kind(void **state)
{
        static const struct {
                const char *name, *path, *source;
                uint64_t kind;
        } rows[] = {{"one", "one.js", "1", 1}, {"data", "data.json", "{}", 2}, {"empty", "empty.js", "", 1}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                library_load(&library, 0, NULL, rows[i].name, &reply);
                assert_int_equal(reply.kind, rows[i].kind);
                assert_true(wire_str_is(reply.path, rows[i].path));
                assert_true(
                        WIRE_HAS(&reply, load_reply, source) && wire_str_is(reply.source, rows[i].source));
        }
}

static void a_proof_holds_until_the_file_changes(void **state)
{
        (void)state;
        library_load(&library, 0, NULL, "one", &reply);
        keep_proof();
        for (int i = 0; i < 3; i++)
                assert_true(still_same(buf_bytes(&kept)));
        library_put(&library, "a/one.js", "22");
        assert_false(still_same(buf_bytes(&kept)));
        library_load(&library, 0, NULL, "one", &reply);
        keep_proof();
        assert_true(still_same(buf_bytes(&kept)));
}

static void a_proof_covers_how_the_file_was_found(void **state)
{
        (void)state;
        library_load(&library, 0, "one.js", "p", &reply);
        assert_true(wire_str_is(reply.path, "node_modules/p/m.js"));
        keep_proof();
        assert_true(still_same(buf_bytes(&kept)));
        library_put(&library, "a/node_modules/p/package.json", "{\"main\": \"other.js\"}");
        assert_false(still_same(buf_bytes(&kept)));
        library_load(&library, 0, NULL, "sub/x", &reply);
        assert_int_equal(reply.kind, 0);
        keep_proof();
        assert_true(still_same(buf_bytes(&kept)));
        library_put(&library, "b/sub/x.js", "1");
        assert_false(still_same(buf_bytes(&kept)));
        library_load(&library, 0, NULL, "sub/x", &reply);
        assert_int_equal(reply.root, 1);
        keep_proof();
        library_put(&library, "a/sub/x.js", "1");
        assert_false(still_same(buf_bytes(&kept)));
}

/* What comes back for a check is a worker's: any bytes. */
static void a_proof_that_is_none_does_not_hold(void **state)
{
        uint64_t seed = 88172645463325252u;
        uint8_t mutant[4096];

        (void)state;
        library_load(&library, 0, "one.js", "p", &reply);
        keep_proof();
        assert_true(kept.len < sizeof(mutant));
        for (int i = 0; i < 3000; i++) {
                memcpy(mutant, kept.data, kept.len);
                for (int k = 0; k < 3; k++) {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        mutant[seed % kept.len] = (uint8_t)(seed >> 32);
                }
                if (!memcmp(mutant, kept.data, kept.len) || wire_check((struct bytes){mutant, kept.len}) ||
                        (mutant[0] & 0xf0) != 0xd0)
                        continue;
                still_same((struct bytes){mutant, kept.len});
        }
        assert_true(still_same(buf_bytes(&kept)));
        assert_true(still_same((struct bytes){(const uint8_t *)"\x90", 1}));
        assert_false(still_same((struct bytes){(const uint8_t *)"\x91\xc0", 2}));
        assert_false(still_same((struct bytes){(const uint8_t *)"\x91\x94\x00\xcd\xff\xff\xa0\xc4\x00", 9}));
        assert_false(
                still_same((struct bytes){(const uint8_t *)"\x91\x94\x00\x00\xa9../../etc\xc4\x00", 16}));
}

/* A compromised worker may name a file that is thousands of directories deep, be there such a file or not,
 * and ask as often as a check has room for. Everybody else waits meanwhile. */
static void a_question_that_takes_too_many_looks_is_not_answered(void **state)
{
        enum { QUESTIONS = 250, DEPTH = 2000 };
        static char from[2 * DEPTH + 2];
        struct buf list = {0};
        struct pack p;

        (void)state;
        for (int i = 0; i < DEPTH; i++)
                memcpy(from + (size_t)2 * i, "d/", 2);
        from[2 * DEPTH] = 'x';
        library_load(&library, 0, from, "q", &reply);
        assert_int_equal(reply.kind, 0);
        assert_non_null(memmem(reply.why.data, reply.why.len, "too many places", 15));
        pack_init(&p, &list);
        pack_array(&p, QUESTIONS);
        for (int i = 0; i < QUESTIONS; i++)
                pack_raw(&p, (struct bytes){reply.proof.data + 5, reply.proof.len - 5});
        assert_false(still_same(buf_bytes(&list)));
        buf_fini(&list);
        library_load(&library, 0, NULL, "one", &reply);
        assert_int_equal(reply.kind, 1);
}

/* ---- nonsense ---- */

static void a_root_that_is_not_there_is_none(void **state)
{
        struct library other = {0};
        uint8_t paths[64] = {0x92, 0xa9, '/', 'n', 'o', 't', '-', 'h', 'e', 'r', 'e'};
        size_t n = 11;

        (void)state;
        strcpy(other.dir, library.dir);
        n += (size_t)snprintf((char *)paths + n, sizeof(paths) - n, "%c%s/a",
                (int)(0xa0 + strlen(library.dir) + 2), library.dir);
        library_open_with(&other, (struct bytes){paths, n});
        library_load(&other, 0, NULL, "one", &reply);
        assert_int_equal(reply.kind, 1);
        assert_int_equal(reply.root, 1);
        library_load(&other, 0, NULL, "gone", &reply);
        assert_non_null(memmem(reply.why.data, reply.why.len, "the root /not-here cannot be opened", 35));
        library_load(&other, 0, "x.js", "./y", &reply);
        assert_non_null(memmem(reply.why.data, reply.why.len, "the root /not-here cannot be opened", 35));
        assert_int_equal(library_close(&other), 0);
}

static void what_is_no_question_ends_it(void **state)
{
        static const char *const frames[] = {
                "\x81\xa2op\xa4load", "\x82\xa2op\xa4stop\xa3seq\x01", "\x80", "\xc1"};

        (void)state;
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
                struct library other = {0};
                uint8_t head[4] = {0, 0, 0, (uint8_t)strlen(frames[i])};

                strcpy(other.dir, library.dir);
                library_open(&other);
                assert_int_equal(send(other.channel.fd, head, sizeof(head), 0), sizeof(head));
                assert_int_equal(send(other.channel.fd, frames[i], head[3], 0), head[3]);
                assert_int_equal(library_close(&other), 256);
        }
}

/* ---- rights ---- */

static void expect_in_status(const char *text, const char *line)
{
        if (!strstr(text, line))
                fail_msg("no \"%s\" in %s", line, text);
}

static void it_keeps_no_rights_but_to_read(void **state)
{
        char path[64], text[8192];
        size_t n;
        FILE *f;

        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind need what the layers forbid");
        snprintf(path, sizeof(path), "/proc/%d/status", library.pid);
        f = fopen(path, "r");
        assert_non_null(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        fclose(f);
        expect_in_status(text, "NoNewPrivs:\t1");
        expect_in_status(text, "Seccomp:\t2");
        expect_in_status(text, geteuid() ? "CapEff:\t0000000000000000" : "CapEff:\t0000000000000004");
        expect_in_status(text, geteuid() ? "CapPrm:\t0000000000000000" : "CapPrm:\t0000000000000004");
}

static void cost_of_a_check_is_shown(void **state)
{
        enum { SAMPLE = 300, MODULES = 300 };
        struct buf list;
        struct pack p;
        int64_t begin;
        char name[32];

        (void)state;
        buf_init(&list, 0);
        pack_init(&p, &list);
        pack_array(&p, MODULES);
        for (int i = 0; i < MODULES; i++) {
                struct bytes elements;

                snprintf(name, sizeof(name), "a/deep/er/m%d.js", i);
                library_put(&library, name, "1");
                library_load(&library, 0, "deep/er/x.js", strrchr(name, '/') + 1, &reply);
                snprintf(name, sizeof(name), "./m%d.js", i);
                library_load(&library, 0, "deep/er/x.js", name, &reply);
                elements = (struct bytes){reply.proof.data + 5, reply.proof.len - 5};
                pack_raw(&p, elements);
        }
        begin = clock_now();
        for (int i = 0; i < SAMPLE; i++)
                assert_true(still_same(buf_bytes(&list)));
        print_message(
                "# a check of %d files: %d us\n", MODULES, (int)((clock_now() - begin) / SAMPLE / 1000));
        buf_fini(&list);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_have_bytes_and_kind),
                cmocka_unit_test(a_proof_holds_until_the_file_changes),
                cmocka_unit_test(a_proof_covers_how_the_file_was_found),
                cmocka_unit_test(a_proof_that_is_none_does_not_hold),
                cmocka_unit_test(a_question_that_takes_too_many_looks_is_not_answered),
                cmocka_unit_test(a_root_that_is_not_there_is_none),
                cmocka_unit_test(what_is_no_question_ends_it),
                cmocka_unit_test(it_keeps_no_rights_but_to_read),
                cmocka_unit_test(cost_of_a_check_is_shown),
        };

        return cmocka_run_group_tests_name("loader/loader", tests, make, unmake);
}

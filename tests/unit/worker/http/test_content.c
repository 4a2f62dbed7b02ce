/* What a body becomes, by what the response says of it and what the task asked for. */
#include "worker/http/content.h"
#include "worker/http/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct buf out;
static struct wire_refusal why;

static int pack(const char *type, enum response_type wanted, struct bytes body)
{
        struct content content = content_of(type, wanted);
        struct pack p;

        buf_fini(&out);
        pack_init(&p, &out);
        return content_pack(&p, &content, body, &why);
}

static void check(const char *type, enum response_type wanted, struct bytes body, struct bytes value)
{
        if (pack(type, wanted, body))
                fail_msg("%s: %s", type ? type : "no type", why.message);
        if (buf_size(&out) != value.len || memcmp(buf_head(&out), value.data, value.len))
                fail_msg("%s: %zu bytes, 0x%02x first", type ? type : "no type", buf_size(&out), buf_head(&out)[0]);
}

#define BYTES(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})
#define GIVES(type, wanted, body, value) check(type, wanted, BYTES(body), BYTES(value))

static void json_is_parsed_when_the_response_says_so(void **state)
{
        (void)state;
        GIVES("application/json", RESPONSE_AUTO, "{\"a\":[1,-1]}", "\x81\xa1" "a\x92\x01\xff");
        GIVES("Application/JSON; charset=utf-8", RESPONSE_AUTO, "1", "\x01");
        GIVES("application/problem+json", RESPONSE_AUTO, "null", "\xc0");
        GIVES("application/json", RESPONSE_AUTO, "\xef\xbb\xbftrue", "\xc3");
        GIVES("application/json", RESPONSE_AUTO, "", "\xc0");
        GIVES("text/html", RESPONSE_JSON, "[]", "\x90");
        GIVES("application/json", RESPONSE_TEXT, "[]", "\xa2[]");
        GIVES("application/json", RESPONSE_BYTES, "[]", "\xc4\x02[]");
        GIVES("application/jsonx", RESPONSE_AUTO, "[]", "\xc4\x02[]");
}

static void what_is_no_json_is_said_so(void **state)
{
        static const struct bytes bodies[] = {BYTES("{"), BYTES("{'a':1}"), BYTES("[1,]"), BYTES("1 2"), BYTES("NaN"), BYTES("1\0"),
                BYTES("\"\xff\""), BYTES("{\"a\":1,\"a\":2}"), BYTES("\xef\xbb")};

        (void)state;
        for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
                assert_int_equal(pack("application/json", RESPONSE_AUTO, bodies[i]), 1);
                assert_int_equal(why.code, WIRE_HTTP_FAILED);
        }
}

static void deep_or_large_json_is_refused(void **state)
{
        struct buf deep = {0};
        struct content content = content_of("application/json", RESPONSE_AUTO);
        struct pack p;

        (void)state;
        for (int i = 0; i < 100000; i++)
                assert_int_equal(buf_append(&deep, "[", 1), 0);
        assert_int_equal(pack("application/json", RESPONSE_AUTO, buf_bytes(&deep)), 1);
        deep.len = 0;
        for (int i = 0; i < 64; i++)
                assert_int_equal(buf_append(&deep, i < 32 ? "[" : "]", 1), 0);
        assert_int_equal(pack("application/json", RESPONSE_AUTO, buf_bytes(&deep)), 1);
        assert_int_equal(why.code, WIRE_RESULT_TOO_LARGE);
        buf_fini(&deep);
        buf_fini(&out);
        out.limit = 4;
        pack_init(&p, &out);
        assert_int_equal(content_pack(&p, &content, BYTES("\"12345\""), &why), 1);
        assert_int_equal(why.code, WIRE_RESULT_TOO_LARGE);
        out.limit = 0;
}

static void text_is_decoded_by_its_character_set(void **state)
{
        (void)state;
        GIVES("text/plain", RESPONSE_AUTO, "\xc3\xbc", "\xa2\xc3\xbc");
        GIVES("text/plain; charset=utf-8", RESPONSE_AUTO, "\xef\xbb\xbfx", "\xa1x");
        GIVES("text/html; charset=\"ISO-8859-1\"", RESPONSE_AUTO, "\xfc", "\xa2\xc3\xbc");
        GIVES("text/html;level=1;Charset=latin1", RESPONSE_AUTO, "a\xff", "\xa3" "a\xc3\xbf");
        GIVES("text/plain", RESPONSE_AUTO, "a\xff", "\xa4" "a\xef\xbf\xbd");
        GIVES("image/svg+xml", RESPONSE_AUTO, "<a/>", "\xa4<a/>");
        GIVES("application/x-www-form-urlencoded", RESPONSE_AUTO, "a=1", "\xa3" "a=1");
        GIVES("image/png", RESPONSE_AUTO, "abc", "\xc4\x03" "abc");
        GIVES("image/png", RESPONSE_TEXT, "abc", "\xa3" "abc");
        GIVES("", RESPONSE_AUTO, "abc", "\xc4\x03" "abc");
}

static void without_a_type_text_is_text_and_the_rest_bytes(void **state)
{
        (void)state;
        GIVES(NULL, RESPONSE_AUTO, "abc", "\xa3" "abc");
        GIVES(NULL, RESPONSE_AUTO, "a\xff", "\xc4\x02" "a\xff");
        GIVES(NULL, RESPONSE_AUTO, "", "\xa0");
        GIVES(NULL, RESPONSE_JSON, "[]", "\x90");
}

static void an_unknown_character_set_is_said_so(void **state)
{
        (void)state;
        assert_int_equal(pack("text/plain; charset=shift_jis", RESPONSE_AUTO, BYTES("x")), 1);
        assert_int_equal(why.code, WIRE_HTTP_FAILED);
        assert_non_null(strstr(why.message, "shift_jis"));
        GIVES("text/plain; charset=shift_jis", RESPONSE_BYTES, "x", "\xc4\x01x");
}

static void odd_types_harm_nobody(void **state)
{
        static const char *const odd[] = {";", "=", ";;;", "text/plain;charset", "text/plain;charset=", ";charset=;=", "a;b=\"",
                "text/plain;charset=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

        (void)state;
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
                pack(odd[i], RESPONSE_AUTO, BYTES("x"));
}

/* ---- what comes in ---- */

static void endless_headers_are_cut_off(void **state)
{
        static const uint8_t large[16384] = "X: ";
        struct response r;
        size_t n = 0;

        (void)state;
        response_begin(&r, 1000);
        while (response_take_header(&r, BYTES("HTTP/1.1 100 Continue\r\n")))
                n++;
        assert_int_equal(n, RESPONSE_HEADERS_MAX);
        assert_int_equal(r.overflow, RESPONSE_HEADERS_OVER);
        response_begin(&r, 1000);
        for (n = 0; response_take_header(&r, (struct bytes){large, sizeof(large)}); n++)
                ;
        assert_int_equal(n, 4);
}

static void a_body_is_bounded_over_all_of_its_pieces(void **state)
{
        struct response r;

        (void)state;
        response_begin(&r, 10);
        assert_true(response_take_body(&r, BYTES("12345")));
        assert_true(response_take_body(&r, BYTES("67890")));
        assert_false(response_take_body(&r, BYTES("1")));
        assert_int_equal(r.overflow, RESPONSE_BODY_OVER);
        assert_int_equal(buf_size(&r.body), 10);
        response_fini(&r);
}

static void the_reason_is_what_follows_the_status(void **state)
{
        struct response r;

        (void)state;
        response_begin(&r, 1);
        response_take_header(&r, BYTES("HTTP/1.1 404 Not Found\r\n"));
        assert_string_equal(r.reason, "Not Found");
        response_take_header(&r, BYTES("HTTP/2 200 \r\n"));
        assert_string_equal(r.reason, "");
        response_take_header(&r, BYTES("HTTP/1.0 200"));
        assert_string_equal(r.reason, "");
}

static int forget(void **state)
{
        (void)state;
        buf_fini(&out);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(json_is_parsed_when_the_response_says_so),
                cmocka_unit_test(what_is_no_json_is_said_so),
                cmocka_unit_test(deep_or_large_json_is_refused),
                cmocka_unit_test(text_is_decoded_by_its_character_set),
                cmocka_unit_test(without_a_type_text_is_text_and_the_rest_bytes),
                cmocka_unit_test(an_unknown_character_set_is_said_so),
                cmocka_unit_test(odd_types_harm_nobody),
                cmocka_unit_test(endless_headers_are_cut_off),
                cmocka_unit_test(a_body_is_bounded_over_all_of_its_pieces),
                cmocka_unit_test(the_reason_is_what_follows_the_status),
        };

        return cmocka_run_group_tests_name("content", tests, NULL, forget);
}

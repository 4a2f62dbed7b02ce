/* From a task to a request: what is added, what is kept out, and what a redirect takes away. */
#include "worker/http/request.h"

#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct request request;
static struct wire_refusal why;

/* Reads the task that this JSON is. */
static int read_task(const char *json)
{
        struct wire_http_request task;
        char fault[JSON_WHY_MAX];
        struct buf map = {0};
        int r;

        request_fini(&request);
        assert_int_equal(json_to_msgpack(wire_str(json), WIRE_DEPTH_MAX, &map, fault), 0);
        r = wire_decode(WIRE_MESSAGE(http_request), buf_bytes(&map), &task, &why);
        if (!r)
                r = request_read(&request, &task, (struct bytes){0}, &why);
        buf_fini(&map);
        assert_true(r >= 0);
        return r;
}

static void accept_task(const char *json)
{
        if (read_task(json))
                fail_msg("%s: %s", json, why.message);
}

static void refuse_task(const char *json, const char *sentence)
{
        if (!read_task(json))
                fail_msg("%s was taken", json);
        assert_int_equal(why.code, WIRE_INVALID_TASK);
        if (!strstr(why.message, sentence))
                fail_msg("%s: \"%s\" is not about \"%s\"", json, why.message, sentence);
}

static void expect_url(const char *url)
{
        char *text;

        assert_int_equal(curl_url_get(request.url, CURLUPART_URL, &text, 0), 0);
        assert_string_equal(text, url);
        curl_free(text);
}

/* The line of the list that has this name, NULL: there is none. */
static const char *header(const char *name)
{
        size_t n = strlen(name);

        for (const struct curl_slist *h = request.headers; h; h = h->next)
                if (!strncasecmp(h->data, name, n) && strchr(":;", h->data[n]))
                        return h->data;
        return NULL;
}

static void expect_header(const char *name, const char *line)
{
        const char *is = header(name);

        if (!line)
                assert_null(is);
        else if (!is || strcmp(is, line))
                fail_msg("%s, not %s", is ? is : "no such header", line);
}

static void the_method_is_get_or_post_unless_it_is_said(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\"}");
        assert_string_equal(request.method, "GET");
        accept_task("{\"url\":\"http://a/\",\"data\":\"x\"}");
        assert_string_equal(request.method, "POST");
        accept_task("{\"url\":\"http://a/\",\"data\":null}");
        assert_string_equal(request.method, "GET");
        accept_task("{\"url\":\"http://a/\",\"method\":\"patch\"}");
        assert_string_equal(request.method, "PATCH");
        refuse_task("{\"url\":\"http://a/\",\"method\":\"GET / HTTP/1.1\\r\\nX: y\"}", "method");
        refuse_task("{\"url\":\"http://a/\",\"method\":\"G\\u0000T\"}", "method");
        refuse_task("{\"url\":\"http://a/\",\"method\":\"connect\"}", "CONNECT");
        refuse_task("{\"url\":\"http://a/\",\"method\":\"HEAD\",\"data\":\"x\"}", "HEAD");
}

static void the_url_is_read_by_libcurl(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/b c?d=\\u00fc#frag\"}");
        expect_url("http://a/b%20c?d=%c3%bc#frag");
        refuse_task("{\"url\":\"a/b\"}", "url");
        refuse_task("{\"url\":\"http://\"}", "url");
        refuse_task("{\"url\":\"http://a\\r\\nHost: b/\"}", "url");
        refuse_task("{\"url\":\"http://a/\\u0000\"}", "NUL");
        refuse_task("{\"url\":\"http://a b/\"}", "url");
        refuse_task("{\"url\":\"http://a:99999/\"}", "url");
}

static void params_are_added_to_the_query(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/?x=1#f\",\"params\":{\"a b\":\"c&d=e\",\"n\":[1,2.5,true],\"none\":null,\"\\u00fc\":\"+\"}}");
        expect_url("http://a/?x=1&a%20b=c%26d%3de&n=1&n=2.5&n=true&%c3%bc=%2b#f");
        accept_task("{\"url\":\"http://a/\",\"params\":{}}");
        expect_url("http://a/");
        accept_task("{\"url\":\"http://a/\",\"params\":{\"e\":\"\",\"l\":\"\\r\\n\"}}");
        expect_url("http://a/?e=&l=%0d%0a");
        refuse_task("{\"url\":\"http://a/\",\"params\":{\"a\":{\"b\":1}}}", "params.a");
        refuse_task("{\"url\":\"http://a/\",\"params\":{\"a\":[[1]]}}", "params.a");
}

static void headers_cannot_split_the_request(void **state)
{
        static const char *const values[] = {"a\\r\\nX: y", "a\\nX: y", "a\\ry", "a\\u0000", "\\u001b[0m", "\\u007f"};
        static const char *const names[] = {"A\\r\\nB", "A B", "A:", "", "\\u00fc", "A\\t", "(A)"};
        char json[256];

        (void)state;
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                snprintf(json, sizeof(json), "{\"url\":\"http://a/\",\"headers\":{\"X\":\"%s\"}}", values[i]);
                refuse_task(json, "control character");
        }
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                snprintf(json, sizeof(json), "{\"url\":\"http://a/\",\"headers\":{\"%s\":\"v\"}}", names[i]);
                refuse_task(json, "name");
        }
        refuse_task("{\"url\":\"http://a/\",\"headers\":{\"X\":1}}", "string");
}

static void headers_about_the_connection_are_not_a_tasks(void **state)
{
        static const char *const owned[] = {"Connection", "content-length", "Transfer-Encoding", "EXPECT", "Keep-Alive", "TE", "Trailer",
                "Upgrade", "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings"};
        char json[128];

        (void)state;
        for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
                snprintf(json, sizeof(json), "{\"url\":\"http://a/\",\"headers\":{\"%s\":\"1\"}}", owned[i]);
                refuse_task(json, owned[i]);
        }
}

static void host_may_only_repeat_the_url(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://A.example/\",\"headers\":{\"host\":\"a.EXAMPLE\"}}");
        expect_header("Host", NULL);
        accept_task("{\"url\":\"http://a.example/\",\"headers\":{\"Host\":\"a.example:80\"}}");
        accept_task("{\"url\":\"http://a.example:81/\",\"headers\":{\"Host\":\"a.example:81\"}}");
        refuse_task("{\"url\":\"http://a.example/\",\"headers\":{\"Host\":\"b.example\"}}", "Host");
        refuse_task("{\"url\":\"http://a.example/\",\"headers\":{\"Host\":\"a.example.b\"}}", "Host");
        refuse_task("{\"url\":\"http://a.example/\",\"headers\":{\"Host\":\"a.example:81\"}}", "Host");
        refuse_task("{\"url\":\"http://a.example/\",\"headers\":{\"Host\":\"\"}}", "Host");
}

static void headers_reach_libcurl_as_they_are(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\",\"headers\":{\"X-One\":\"  v 1\\t\",\"X-Empty\":\"\",\"X-Word\":\"\\u00fc\"}}");
        expect_header("X-One", "X-One: v 1");
        expect_header("X-Empty", "X-Empty;");
        expect_header("X-Word", "X-Word: \xc3\xbc");
        expect_header("Expect", "Expect:");
}

static void data_is_sent_as_it_is_or_as_json(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\",\"data\":\"a=1\"}");
        expect_header("Content-Type", "Content-Type: text/plain; charset=utf-8");
        assert_memory_equal(buf_head(&request.body), "a=1", 3);
        accept_task("{\"url\":\"http://a/\",\"data\":{\"a\":[0.1,null,\"\\u00fc\"]}}");
        expect_header("Content-Type", "Content-Type: application/json");
        assert_int_equal(buf_size(&request.body), strlen("{\"a\":[0.1,null,\"\xc3\xbc\"]}"));
        assert_memory_equal(buf_head(&request.body), "{\"a\":[0.1,null,\"\xc3\xbc\"]}", buf_size(&request.body));
        accept_task("{\"url\":\"http://a/\",\"data\":[1],\"headers\":{\"content-type\":\"application/vnd.a+json\"}}");
        expect_header("Content-Type", "content-type: application/vnd.a+json");
        accept_task("{\"url\":\"http://a/\",\"data\":\"\"}");
        assert_true(request.has_body);
        assert_int_equal(buf_size(&request.body), 0);
        accept_task("{\"url\":\"http://a/\",\"method\":\"POST\"}");
        assert_false(request.has_body);
        expect_header("Content-Type", "Content-Type:");
}

static void credentials_are_given_in_one_way(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\",\"auth\":{\"username\":\"u\",\"password\":\"p:q\"}}");
        assert_string_equal(request.auth.user, "u");
        assert_string_equal(request.auth.password, "p:q");
        accept_task("{\"url\":\"http://a/\",\"auth\":{\"bearer\":\"abc.def\"}}");
        assert_string_equal(request.auth.bearer, "abc.def");
        accept_task("{\"url\":\"http://us%65r:p%40ss@a/x\"}");
        assert_string_equal(request.auth.user, "user");
        assert_string_equal(request.auth.password, "p@ss");
        expect_url("http://a/x");
        accept_task("{\"url\":\"http://x:y@a/\",\"auth\":{\"username\":\"u\"}}");
        assert_string_equal(request.auth.user, "u");
        expect_url("http://a/");
        accept_task("{\"url\":\"http://user@a/\"}");
        assert_string_equal(request.auth.user, "user");
        assert_string_equal(request.auth.password, "");
        refuse_task("{\"url\":\"http://u%00ser@a/\"}", "control");
        refuse_task("{\"url\":\"http://u:p%0d%0a@a/\"}", "control");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{\"bearer\":\"a\\r\\nX: y\"}}", "bearer");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{\"bearer\":\"\"}}", "bearer");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{\"username\":\"a:b\",\"password\":\"\"}}", "colon");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{\"username\":\"a\\n\"}}", "control");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{}}", "username");
        refuse_task("{\"url\":\"http://a/\",\"auth\":{\"bearer\":\"a\"},\"headers\":{\"authorization\":\"b\"}}", "exclude");
}

static void statuses_are_accepted_as_said(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\"}");
        assert_true(request_accepts(&request, 200) && request_accepts(&request, 299));
        assert_false(request_accepts(&request, 199) || request_accepts(&request, 300) || request_accepts(&request, 404));
        accept_task("{\"url\":\"http://a/\",\"acceptStatus\":[404,\"3xx\"]}");
        assert_true(request_accepts(&request, 404) && request_accepts(&request, 304));
        assert_false(request_accepts(&request, 200) || request_accepts(&request, 400));
        accept_task("{\"url\":\"http://a/\",\"acceptStatus\":\"any\"}");
        assert_true(request_accepts(&request, 100) && request_accepts(&request, 999));
        assert_false(request_accepts(&request, 1000) || request_accepts(&request, -1));
        accept_task("{\"url\":\"http://a/\",\"acceptStatus\":204}");
        assert_true(request_accepts(&request, 204) && !request_accepts(&request, 200));
        accept_task("{\"url\":\"http://a/\",\"acceptStatus\":[]}");
        assert_false(request_accepts(&request, 200));
        refuse_task("{\"url\":\"http://a/\",\"acceptStatus\":\"6xx\"}", "acceptStatus");
        refuse_task("{\"url\":\"http://a/\",\"acceptStatus\":[1000]}", "acceptStatus");
        refuse_task("{\"url\":\"http://a/\",\"acceptStatus\":[\"2xx\",null]}", "acceptStatus");
}

static void what_a_redirect_takes_away(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\",\"data\":{},\"headers\":{\"Authorization\":\"x\",\"cookie\":\"y\",\"X\":\"z\"}}");
        assert_int_equal(request_become_get(&request), 0);
        assert_string_equal(request.method, "GET");
        assert_false(request.has_body);
        expect_header("Content-Type", NULL);
        expect_header("Authorization", "Authorization: x");
        assert_int_equal(request_drop_credentials(&request), 0);
        expect_header("Authorization", NULL);
        expect_header("Cookie", NULL);
        expect_header("X", "X: z");
        accept_task("{\"url\":\"http://a/\",\"auth\":{\"username\":\"u\",\"password\":\"p\"}}");
        assert_int_equal(request_drop_credentials(&request), 0);
        assert_null(request.auth.user);
}

static void a_redirect_brings_no_user_along(void **state)
{
        (void)state;
        accept_task("{\"url\":\"http://a/\"}");
        assert_int_equal(request_follow(&request, "http://b/c", &why), 0);
        expect_url("http://b/c");
        assert_int_equal(request_follow(&request, "../d e?f#g", &why), 0);
        expect_url("http://b/d%20e?f#g");
        assert_int_equal(request_follow(&request, "http://user@c/", &why), 1);
        assert_int_equal(why.code, WIRE_URL_REFUSED);
}

static void a_trace_is_carried_on_unless_the_task_has_its_own(void **state)
{
        static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        struct wire_http_request task = {0};

        (void)state;
        request_fini(&request);
        WIRE_SET(&task, http_request, url, wire_str("http://a/"));
        assert_int_equal(request_read(&request, &task, wire_str(trace), &why), 0);
        assert_non_null(header("traceparent"));
        request_fini(&request);
        WIRE_SET(&task, http_request, headers, (struct bytes){(const uint8_t *)"\x81\xabTraceParent\xa1x", 15});
        assert_int_equal(request_read(&request, &task, wire_str(trace), &why), 0);
        expect_header("traceparent", "TraceParent: x");
}

static int forget(void **state)
{
        (void)state;
        request_fini(&request);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_method_is_get_or_post_unless_it_is_said),
                cmocka_unit_test(the_url_is_read_by_libcurl),
                cmocka_unit_test(params_are_added_to_the_query),
                cmocka_unit_test(headers_cannot_split_the_request),
                cmocka_unit_test(headers_about_the_connection_are_not_a_tasks),
                cmocka_unit_test(host_may_only_repeat_the_url),
                cmocka_unit_test(headers_reach_libcurl_as_they_are),
                cmocka_unit_test(data_is_sent_as_it_is_or_as_json),
                cmocka_unit_test(credentials_are_given_in_one_way),
                cmocka_unit_test(statuses_are_accepted_as_said),
                cmocka_unit_test(what_a_redirect_takes_away),
                cmocka_unit_test(a_redirect_brings_no_user_along),
                cmocka_unit_test(a_trace_is_carried_on_unless_the_task_has_its_own),
        };

        return cmocka_run_group_tests_name("request", tests, NULL, forget);
}

/* Where a request may go: URLs in every spelling, addresses, ports, and what the operator opens. */
#include "worker/http/policy.h"
#include "worker/http/redirect.h"

#include "wire/pack.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Settings with these entries of allowHosts, separated by blanks. */
static struct settings *settings_with(const char *hosts, bool allow_private)
{
        struct settings *s = settings_new();
        struct buf map = {0};
        char copy[512], *at = copy, *item;
        struct pack p;
        uint32_t n = 0;
        size_t mark;

        assert_non_null(s);
        pack_init(&p, &map);
        pack_map(&p, 2);
        pack_entry_bool(&p, "allowPrivate", allow_private);
        pack_text(&p, "allowHosts");
        mark = pack_array_open(&p);
        strcpy(copy, hosts);
        while ((item = strsep(&at, " ")))
                if (*item) {
                        pack_text(&p, item);
                        n++;
                }
        pack_array_close(&p, mark, n);
        assert_int_equal(settings_read(s, buf_bytes(&map)), 0);
        buf_fini(&map);
        return s;
}

/* 0, or positive and why. -1: it is no URL at all. */
static int check_url(const struct settings *s, const char *text, struct target *target, struct wire_refusal *why)
{
        CURLU *url = curl_url();
        int r = -1;

        if (!curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE))
                r = policy_check_url(s, url, target, why);
        if (!r) {
                char *host;

                /* What libcurl connects to is what was decided on. */
                assert_int_equal(curl_url_get(url, CURLUPART_HOST, &host, 0), 0);
                assert_int_equal(strlen(host), strlen(target->host) + (*host == '[' ? 2 : 0));
                assert_int_equal(strncmp(host + (*host == '['), target->host, strlen(target->host)), 0);
                curl_free(host);
        }
        curl_url_cleanup(url);
        return r;
}

static int check_address(const struct settings *s, const struct target *target, const char *text)
{
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)};
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(target->port)};
        struct wire_refusal why = {0};
        char spelling[ADDRESS_TEXT];
        int r;

        if (strchr(text, ':')) {
                assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
                r = policy_check_address(s, target, (const struct sockaddr *)&v6, &why);
                address_format((const struct sockaddr *)&v6, spelling);
        } else {
                assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
                r = policy_check_address(s, target, (const struct sockaddr *)&v4, &why);
                address_format((const struct sockaddr *)&v4, spelling);
        }
        if (r) {
                assert_int_equal(why.code, WIRE_URL_REFUSED);
                assert_non_null(strstr(why.message, spelling));
        }
        return r;
}

/* What the URL leads to when its name has this address. */
static bool opens(const char *hosts, bool allow_private, const char *url, const char *address)
{
        struct settings *s = settings_with(hosts, allow_private);
        struct target target;
        struct wire_refusal why;
        int r = check_url(s, url, &target, &why);

        assert_true(r >= 0);
        if (!r)
                r = check_address(s, &target, address);
        settings_free(s);
        return !r;
}

#define OPENS(hosts, url, address) assert_true(opens(hosts, false, url, address))
#define REFUSES(hosts, url, address) assert_false(opens(hosts, false, url, address))

static void hosts_come_out_in_one_spelling(void **state)
{
        static const struct {
                const char *url, *host;
                int port;
        } cases[] = {
                {"http://EXAMPLE.com/", "example.com", 80},
                {"https://Example.COM./", "example.com", 443},
                {"http://2130706433/", "127.0.0.1", 80},
                {"http://0x7f000001/", "127.0.0.1", 80},
                {"http://0177.0.0.1/", "127.0.0.1", 80},
                {"http://017700000001/", "127.0.0.1", 80},
                {"http://127.1/", "127.0.0.1", 80},
                {"http://0x7f.1/", "127.0.0.1", 80},
                {"http://127.0.0.1./", "127.0.0.1", 80},
                {"http://%31%32%37.0.0.1/", "127.0.0.1", 80},
                {"http://user@127.0.0.1/", "127.0.0.1", 80},
                {"http://example.com@127.0.0.1/", "127.0.0.1", 80},
                {"http://[::1]/", "::1", 80},
                {"http://[0:0:0:0:0:0:0:1]/", "::1", 80},
                {"http://[::FFFF:127.0.0.1]/", "::ffff:127.0.0.1", 80},
                {"http:127.0.0.1/", "127.0.0.1", 80},
                {"http:///127.0.0.1/", "127.0.0.1", 80},
                {"http://127.0.0.1:080/", "127.0.0.1", 80},
        };
        struct settings *s = settings_with("", false);

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct target target;
                struct wire_refusal why = {0};
                int r = check_url(s, cases[i].url, &target, &why);

                /* Not to be read as a URL is as good. */
                if (r < 0)
                        continue;
                if (r || strcmp(target.host, cases[i].host) || target.port != cases[i].port)
                        fail_msg("%s: %s:%d %s", cases[i].url, target.host, target.port, why.message);
        }
        settings_free(s);
}

static void only_http_and_https_are_schemes(void **state)
{
        static const char *const others[] = {"ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "dict://example.com/",
                "ws://example.com/", "javascript://example.com/", "httpx://example.com/", "telnet://example.com/"};
        struct settings *s = settings_with(".com example.com:21", true);
        struct target target;
        struct wire_refusal why;

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                assert_int_equal(check_url(s, others[i], &target, &why), 1);
                assert_int_equal(why.code, WIRE_URL_REFUSED);
                assert_non_null(strstr(why.message, "scheme"));
        }
        assert_int_equal(check_url(s, "HTTPS://example.com/", &target, &why), 0);
        assert_true(target.tls);
        settings_free(s);
}

static void a_zone_is_refused_whatever_is_open(void **state)
{
        struct settings *s = settings_with("::/0 fe80::1", true);
        struct target target;
        struct wire_refusal why;

        (void)state;
        assert_int_equal(check_url(s, "http://[fe80::1%25lo]/", &target, &why), 1);
        assert_non_null(strstr(why.message, "zone"));
        settings_free(s);
}

static void ports_outside_the_list_are_refused(void **state)
{
        (void)state;
        OPENS("", "http://example.com/", "8.8.8.8");
        OPENS("", "https://example.com/", "8.8.8.8");
        OPENS("", "http://example.com:443/", "8.8.8.8");
        REFUSES("", "http://example.com:22/", "8.8.8.8");
        REFUSES("", "http://example.com:8080/", "8.8.8.8");
        REFUSES("", "http://example.com:0/", "8.8.8.8");
        REFUSES("", "http://8.8.8.8:81/", "8.8.8.8");
}

static void private_addresses_are_refused_until_opened(void **state)
{
        static const char *const private[] = {"127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1",
                "fec0::1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1"};
        static const char *const never[] = {"169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "ff02::1", "::",
                "::ffff:169.254.169.254", "192.0.2.1", "2002:7f00:1::1", "::127.0.0.1"};

        (void)state;
        for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
                REFUSES("", "http://name.example/", private[i]);
                assert_true(opens("", true, "http://name.example/", private[i]));
                assert_false(opens("", true, "http://name.example:22/", private[i]));
        }
        for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
                assert_false(opens("", true, "http://name.example/", never[i]));
}

static void a_name_opens_what_it_names(void **state)
{
        (void)state;
        OPENS("wiki.lan", "http://wiki.lan/", "10.0.0.5");
        OPENS("wiki.lan", "http://WIKI.lan./", "10.0.0.5");
        OPENS("WIKI.LAN.", "http://wiki.lan/", "10.0.0.5");
        OPENS("wiki.lan", "http://wiki.lan/", "169.254.169.254");
        REFUSES("wiki.lan", "http://wiki.lan:8080/", "10.0.0.5");
        REFUSES("wiki.lan", "http://10.0.0.5/", "10.0.0.5");
        REFUSES("wiki.lan", "http://xwiki.lan/", "10.0.0.5");
        REFUSES("wiki.lan", "http://a.wiki.lan/", "10.0.0.5");
        REFUSES("wiki.lan", "http://wiki.lan.example.com/", "10.0.0.5");
        REFUSES("wiki.lan", "http://wiki.lan@other.example/", "10.0.0.5");
}

static void a_name_with_a_port_opens_that_port_too(void **state)
{
        (void)state;
        OPENS("wiki.lan:8080", "http://wiki.lan:8080/", "10.0.0.5");
        OPENS("wiki.lan:8080", "http://wiki.lan:8080/", "8.8.8.8");
        REFUSES("wiki.lan:8080", "http://wiki.lan/", "10.0.0.5");
        REFUSES("wiki.lan:8080", "http://wiki.lan:8081/", "8.8.8.8");
        REFUSES("wiki.lan:8080", "http://other.lan:8080/", "8.8.8.8");
        OPENS("wiki.lan:8080", "http://wiki.lan/", "8.8.8.8");
}

static void a_suffix_opens_itself_and_all_below(void **state)
{
        (void)state;
        OPENS(".lan", "http://lan/", "10.0.0.5");
        OPENS(".lan", "http://a.b.lan/", "10.0.0.5");
        OPENS(".lan:81", "http://a.lan:81/", "10.0.0.5");
        REFUSES(".lan", "http://alan/", "10.0.0.5");
        REFUSES(".lan", "http://lan.example/", "10.0.0.5");
        REFUSES(".lan:81", "http://a.lan/", "10.0.0.5");
}

static void a_block_opens_its_addresses_whatever_the_name(void **state)
{
        (void)state;
        OPENS("10.1.0.0/16", "http://any.example/", "10.1.2.3");
        OPENS("10.1.0.0/16", "http://10.1.2.3/", "10.1.2.3");
        REFUSES("10.1.0.0/16", "http://any.example/", "10.2.0.1");
        REFUSES("10.1.0.0/16", "http://any.example/", "::ffff:10.1.2.3");
        REFUSES("10.1.0.0/16", "http://any.example:8080/", "10.1.2.3");
        OPENS("127.0.0.1:8080", "http://localhost:8080/", "127.0.0.1");
        REFUSES("127.0.0.1:8080", "http://localhost:8080/", "127.0.0.2");
        REFUSES("127.0.0.1:8080", "http://localhost:8080/", "8.8.8.8");
        REFUSES("127.0.0.1:8080", "http://localhost/", "127.0.0.1");
        OPENS("[::1]:8080", "http://localhost:8080/", "::1");
        OPENS("::1", "http://[::1]/", "::1");
        REFUSES("localhost:8080", "http://127.0.0.1:8080/", "127.0.0.1");
}

/* An answer that leads elsewhere than to the URL's port is nobody's idea of a name. */
static void the_address_must_have_the_urls_port(void **state)
{
        struct settings *s = settings_with("0.0.0.0/0 10.0.0.1:22", true);
        struct target target = {.host = "a", .port = 80};
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(22), .sin_addr.s_addr = htonl(0x08080808)};
        struct wire_refusal why;

        (void)state;
        assert_int_equal(policy_check_address(s, &target, (const struct sockaddr *)&address, &why), 1);
        settings_free(s);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
        static const struct {
                const char *map;
                size_t len;
        } cases[] = {
#define MAP(text) {text, sizeof(text) - 1}
                MAP("\x81\xac" "allowPrivate\x01"),
                MAP("\x81\xaa" "allowHosts\x91\xa3" "a/b"),
                MAP("\x81\xaa" "allowHosts\x91\x01"),
                MAP("\x81\xaa" "allowPorts\x91\x00"),
                MAP("\x81\xaa" "allowPorts\x91\xce\x00\x01\x00\x00"),
                MAP("\x81\xac" "maxRedirects\xff"),
                MAP("\x81\xa6" "caFile\xa1x"),
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct settings *s = settings_new();

                assert_true(settings_read(s, (struct bytes){(const uint8_t *)cases[i].map, cases[i].len}) < 0);
                settings_free(s);
        }
}

static void a_ca_file_without_certificates_leaves_nothing_to_trust(void **state)
{
        static const char map[] = "\x81\xa6" "caFile\xc4\x07nothing";
        struct settings *s = settings_new();

        (void)state;
        assert_int_equal(settings_read(s, (struct bytes){(const uint8_t *)map, sizeof(map) - 1}), 0);
        assert_null(s->trust);
        assert_non_null(strstr(s->no_trust, "caFile"));
        settings_free(s);
}

/* ---- redirects ---- */

static void redirects_change_the_method_as_browsers_do(void **state)
{
        static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};

        (void)state;
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                bool is_post = !strcmp(methods[i], "POST"), is_plain = i < 2;

                assert_int_equal(redirect_becomes_get(301, methods[i]), is_post);
                assert_int_equal(redirect_becomes_get(302, methods[i]), is_post);
                assert_int_equal(redirect_becomes_get(303, methods[i]), !is_plain);
                assert_false(redirect_becomes_get(307, methods[i]));
                assert_false(redirect_becomes_get(308, methods[i]));
        }
        for (long status = 100; status < 600; status++)
                assert_int_equal(redirect_is(status),
                        status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void credentials_stay_with_scheme_host_and_port(void **state)
{
        const struct target here = {.host = "a.example", .port = 443, .tls = true};
        struct target there = here;

        (void)state;
        assert_true(redirect_stays(&here, &there));
        there.tls = false;
        assert_false(redirect_stays(&here, &there));
        there = here;
        there.port = 80;
        assert_false(redirect_stays(&here, &there));
        there = here;
        strcpy(there.host, "b.example");
        assert_false(redirect_stays(&here, &there));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(hosts_come_out_in_one_spelling),
                cmocka_unit_test(only_http_and_https_are_schemes),
                cmocka_unit_test(a_zone_is_refused_whatever_is_open),
                cmocka_unit_test(ports_outside_the_list_are_refused),
                cmocka_unit_test(private_addresses_are_refused_until_opened),
                cmocka_unit_test(a_name_opens_what_it_names),
                cmocka_unit_test(a_name_with_a_port_opens_that_port_too),
                cmocka_unit_test(a_suffix_opens_itself_and_all_below),
                cmocka_unit_test(a_block_opens_its_addresses_whatever_the_name),
                cmocka_unit_test(the_address_must_have_the_urls_port),
                cmocka_unit_test(settings_that_make_no_sense_are_refused),
                cmocka_unit_test(a_ca_file_without_certificates_leaves_nothing_to_trust),
                cmocka_unit_test(redirects_change_the_method_as_browsers_do),
                cmocka_unit_test(credentials_stay_with_scheme_host_and_port),
        };

        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}

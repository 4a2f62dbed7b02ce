/* The table of addresses: the edges of every range, and what lies just outside of them. */
#include "worker/http/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct place {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
};

static struct place at(const char *text)
{
        struct place p = {0};

        if (strchr(text, ':')) {
                p.v6.sin6_family = AF_INET6;
                p.v6.sin6_port = htons(80);
                assert_int_equal(inet_pton(AF_INET6, text, &p.v6.sin6_addr), 1);
        } else {
                p.v4.sin_family = AF_INET;
                p.v4.sin_port = htons(80);
                assert_int_equal(inet_pton(AF_INET, text, &p.v4.sin_addr), 1);
        }
        return p;
}

static const char *kind_of(const char *text)
{
        struct place p = at(text);
        const struct address_range *r = address_range(&p.any);

        return r ? r->kind : "public";
}

/* First and last address of each range. */
static const struct {
        const char *first, *last, *kind;
        bool is_private;
} ranges[] = {
        {"0.0.0.0", "0.255.255.255", "unspecified", false},
        {"10.0.0.0", "10.255.255.255", "private", true},
        {"100.64.0.0", "100.127.255.255", "carrier-grade NAT", true},
        {"127.0.0.0", "127.255.255.255", "loopback", true},
        {"169.254.0.0", "169.254.255.255", "link-local", false},
        {"172.16.0.0", "172.31.255.255", "private", true},
        {"192.0.0.0", "192.0.0.255", "protocol assignment", false},
        {"192.0.2.0", "192.0.2.255", "documentation", false},
        {"192.88.99.0", "192.88.99.255", "6to4 relay", false},
        {"192.168.0.0", "192.168.255.255", "private", true},
        {"198.18.0.0", "198.19.255.255", "benchmarking", false},
        {"198.51.100.0", "198.51.100.255", "documentation", false},
        {"203.0.113.0", "203.0.113.255", "documentation", false},
        {"224.0.0.0", "239.255.255.255", "multicast", false},
        {"240.0.0.0", "255.255.255.254", "reserved", false},
        {"255.255.255.255", "255.255.255.255", "broadcast", false},
        {"::", "::", "unspecified", false},
        {"::1", "::1", "loopback", true},
        {"::2", "::ffff:ffff", "IPv4-compatible", false},
        {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64", false},
        {"100::", "100::ffff:ffff:ffff:ffff", "discard-only", false},
        {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo", false},
        {"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment", false},
        {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", false},
        {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4", false},
        {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", false},
        {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique-local", true},
        {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local", false},
        {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local", true},
        {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast", false},
        /* Neither listed nor global unicast. */
        {"::1:0:0:0", "63:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", false},
        {"::ffff:0:0:0", "::ffff:0:ffff:ffff", "reserved", false},
        {"4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", false},
        {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", false},
};

static void every_range_is_refused_from_its_first_to_its_last_address(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
                for (int end = 0; end < 2; end++) {
                        const char *text = end ? ranges[i].last : ranges[i].first;
                        struct place p = at(text);
                        const struct address_range *r = address_range(&p.any);

                        if (!r || strcmp(r->kind, ranges[i].kind))
                                fail_msg("%s is %s, not %s", text, r ? r->kind : "public", ranges[i].kind);
                        assert_int_equal(r->is_private, ranges[i].is_private);
                }
}

static void the_neighbours_of_every_range_are_public(void **state)
{
        static const char *const neighbours[] = {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
                "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
                "191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255",
                "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
                "223.255.255.255", "8.8.8.8", "2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::",
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2003::", "2a00:1450::1", "3ffe::",
                "3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

        (void)state;
        for (size_t i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++)
                if (strcmp(kind_of(neighbours[i]), "public"))
                        fail_msg("%s is %s", neighbours[i], kind_of(neighbours[i]));
}

/* Mapped, and translated by the well-known prefix: the kernel or a router makes the IPv4 address of them. */
static void a_wrapped_address_is_judged_by_the_one_in_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
                static const char *const wraps[] = {"::ffff:", "64:ff9b::"};
                char text[64];

                if (strchr(ranges[i].first, ':'))
                        continue;
                for (size_t w = 0; w < 2; w++) {
                        snprintf(text, sizeof(text), "%s%s", wraps[w], ranges[i].last);
                        assert_string_equal(kind_of(text), ranges[i].kind);
                }
        }
        assert_string_equal(kind_of("::ffff:8.8.8.8"), "public");
        assert_string_equal(kind_of("64:ff9b::8.8.8.8"), "public");
        /* Tunnels whose far end is such an address, and the old form, lead nowhere at all. */
        assert_string_equal(kind_of("::8.8.8.8"), "IPv4-compatible");
        assert_string_equal(kind_of("2002:7f00:1::"), "6to4");
        assert_string_equal(kind_of("2001:0:4136:e378:8000:63bf:80ff:fffe"), "Teredo");
        assert_string_equal(kind_of("64:ff9b:1::7f00:1"), "local NAT64");
}

static void other_families_are_refused(void **state)
{
        struct sockaddr local = {.sa_family = AF_UNIX};
        char text[ADDRESS_TEXT];

        (void)state;
        assert_non_null(address_range(&local));
        assert_int_equal(address_port(&local), 0);
        address_format(&local, text);
        assert_string_equal(text, "an address of family 1");
}

static void blocks_are_read_and_hold_what_they_say(void **state)
{
        static const struct {
                const char *block, *address;
                bool holds;
        } cases[] = {
                {"10.1.0.0/16", "10.1.255.255", true},     {"10.1.0.0/16", "10.2.0.0", false},
                {"10.1.2.3", "10.1.2.3", true},            {"10.1.2.3", "10.1.2.4", false},
                {"0.0.0.0/0", "255.255.255.255", true},    {"128.0.0.0/1", "127.255.255.255", false},
                {"10.0.0.128/25", "10.0.0.127", false},    {"10.0.0.128/25", "10.0.0.129", true},
                {"::/0", "2001:db8::1", true},             {"fd00::/8", "fdff::1", true},
                {"fd00::/8", "fc00::1", false},            {"::1", "::1", true},
                {"::1", "::2", false},                     {"10.0.0.0/8", "::ffff:10.0.0.1", false},
                {"::ffff:10.0.0.0/104", "10.0.0.1", false}, {"::ffff:10.0.0.0/104", "::ffff:10.0.0.1", true},
        };
        static const char *const bad[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.0/8x", "host",
                "10.0.0.0/-1", "0x7f.0.0.1", "010.0.0.1", "::1%lo"};
        struct address_block block;

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct place p = at(cases[i].address);

                assert_true(address_parse_block(cases[i].block, &block));
                if (address_in(&p.any, &block) != cases[i].holds)
                        fail_msg("%s in %s", cases[i].address, cases[i].block);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (address_parse_block(bad[i], &block))
                        fail_msg("\"%s\" was taken for a block", bad[i]);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_range_is_refused_from_its_first_to_its_last_address),
                cmocka_unit_test(the_neighbours_of_every_range_are_public),
                cmocka_unit_test(a_wrapped_address_is_judged_by_the_one_in_it),
                cmocka_unit_test(other_families_are_refused),
                cmocka_unit_test(blocks_are_read_and_hold_what_they_say),
        };

        return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

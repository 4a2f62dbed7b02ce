/* Layers against what is asked of them: by default all of them, but for the one that only root can lay. */
#include "master/requirement.h"

#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
        const char *security; /* the section of the file */
        bool network;
        const char *layers[6];  /* name, state, ... */
        const char *missing;    /* what the text begins with; NULL: nothing is missing */
};

static const struct row rows[] = {
        {"{}", false, {"seccomp", "enforced", "treeMemory", "enforced"}, NULL},
        {"{}", false, {"seccomp", "enforced", "treeMemory", "absent"}, "treeMemory is absent, and"},
        {"{}", false, {"seccomp", "partial"}, "seccomp is partial, and"},
        {"{}", false, {"seccomp", "partial", "landlock", "enforced", "rlimits", "absent"},
                "seccomp is partial, rlimits is absent, and"},
        {"{}", false, {"unheardOf", "absent"}, "unheardOf is absent, and"},
        {"{}", false, {"uid", "absent"}, NULL},
        {"{\"uid\": \"strict\"}", false, {"uid", "absent"}, "uid is absent, and"},
        {"{\"treeMemory\": \"best-effort\"}", false, {"treeMemory", "absent"}, NULL},
        {"{\"treeMemory\": \"best-effort\"}", false, {"treeMemory", "absent", "seccomp", "absent"}, "seccomp is absent, and"},
        {"{\"require\": \"best-effort\"}", false, {"treeMemory", "absent", "seccomp", "absent"}, NULL},
        {"{\"require\": \"best-effort\", \"seccomp\": \"strict\"}", false, {"treeMemory", "absent", "seccomp", "absent"},
                "seccomp is absent, and"},
        {"{}", false, {"netNamespace", "absent"}, "netNamespace is absent, and"},
        {"{}", true, {"netNamespace", "absent"}, NULL},
        {"{}", true, {"netNamespace", "absent", "pidNamespace", "absent"}, "pidNamespace is absent, and"},
        {"{}", false, {NULL}, NULL},
};

static void pack_layers(const struct row *row, struct buf *out)
{
        struct pack p;
        uint32_t n = 0;

        while (n < 6 && row->layers[n])
                n++;
        pack_init(&p, out);
        pack_map(&p, n / 2);
        for (uint32_t i = 0; i < n; i += 2)
                pack_entry_text(&p, row->layers[i], row->layers[i + 1]);
        assert_int_equal(p.error, 0);
}

static void check(const struct row *row)
{
        char file[256], text[REQUIREMENT_TEXT] = "";
        struct config_error error;
        struct config cfg = {0};
        struct buf layers = {0};
        int r;

        snprintf(file, sizeof(file), "{\"security\": %s}", row->security);
        assert_int_equal(config_load_text(&cfg, file, strlen(file), "test", &error), 0);
        pack_layers(row, &layers);
        r = requirement_check(&cfg.security, row->network, buf_bytes(&layers), text);
        assert_int_equal(r, row->missing != NULL);
        if (row->missing)
                assert_memory_equal(text, row->missing, strlen(row->missing));
        if (row->missing)
                assert_non_null(strstr(text, "poppo doctor"));
        buf_fini(&layers);
        config_fini(&cfg);
}

static void test_each_word_is_about_one_layer(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                check(&rows[i]);
}

/* A worker may tell of as many as a frame holds; what is said of them is a line all the same. */
static void test_many_missing_layers_make_one_line(void **state)
{
        char name[32], text[REQUIREMENT_TEXT] = "";
        struct config cfg = {0};
        struct buf layers = {0};
        struct pack p;

        (void)state;
        assert_int_equal(config_defaults(&cfg), 0);
        pack_init(&p, &layers);
        pack_map(&p, 100);
        for (int i = 0; i < 100; i++) {
                snprintf(name, sizeof(name), "layerWithALongName%d", i);
                pack_entry_text(&p, name, "absent");
        }
        assert_int_equal(requirement_check(&cfg.security, false, buf_bytes(&layers), text), 1);
        assert_in_range(strlen(text), 100, sizeof(text) - 1);
        assert_non_null(strstr(text, "poppo doctor"));
        buf_fini(&layers);
        config_fini(&cfg);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_word_is_about_one_layer),
                cmocka_unit_test(test_many_missing_layers_make_one_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

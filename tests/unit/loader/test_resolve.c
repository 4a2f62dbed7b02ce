/* Which file a name means: the table of Node's rules as far as they hold here, and what is refused with which
 * words. */
#include "library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct library library;

static const struct library_file files[] = {
        {"outside.js", "secret"},
        {"a/main.js", "1"},
        {"a/lib/sum.js", "sum"},
        {"a/lib/sum/index.js", "hidden by the file"},
        {"a/lib/deep/er/x.js", "x"},
        {"a/lib/data.json", "{}"},
        {"a/lib/plain", "no ending"},
        {"a/lib/text.txt", "1"},
        {"a/lib/common.cjs", "1"},
        {"a/lib/module.mjs", "export default 1"},
        {"a/lib/native.node", "\177ELF"},
        {"a/lib/index.js", "index"},
        {"a/lib/both.json", "{}"},
        {"a/lib/both/index.js", "1"},
        {"a/lib/only/index.json", "[]"},
        {"a/lib/empty/other.js", "1"},
        {"a/node_modules/one/index.js", "1"},
        {"a/node_modules/one/extra.js", "1"},
        {"a/node_modules/two/package.json", "{\"main\": \"./build/two\"}"},
        {"a/node_modules/two/build/two.js", "1"},
        {"a/node_modules/three/package.json", "{\"main\": \"build\"}"},
        {"a/node_modules/three/build/index.js", "1"},
        {"a/node_modules/four/package.json", "{\"main\": \"gone.js\"}"},
        {"a/node_modules/four/index.js", "1"},
        {"a/node_modules/five.js", "1"},
        {"a/node_modules/@org/six/package.json", "{\"main\": \"six.js\"}"},
        {"a/node_modules/@org/six/six.js", "1"},
        {"a/node_modules/@org/six/sub/part.js", "1"},
        {"a/node_modules/bad/package.json", "{\n  \"main\": x\n}"},
        {"a/node_modules/list/package.json", "[]"},
        {"a/node_modules/far/package.json", "{\"main\": \"../../../outside.js\"}"},
        {"a/node_modules/outer/index.js", "1"},
        {"a/node_modules/outer/node_modules/inner/index.js", "1"},
        {"a/node_modules/outer/node_modules/one/index.js", "nearer"},
        {"a/node_modules/ex/package.json",
                "{\"main\": \"not-this.js\", \"exports\": {"
                "\".\": {\"import\": \"./esm.mjs\", \"require\": \"./cjs.js\"},"
                "\"./sub\": {\"browser\": \"./no.js\", \"node\": {\"import\": \"./no.mjs\", \"default\": "
                "\"./sub.js\"}},"
                "\"./esm\": {\"import\": \"./esm.mjs\"},"
                "\"./null\": null,"
                "\"./list\": [\"bad:\", {\"import\": \"./no.js\"}, \"./listed.js\"],"
                "\"./up\": \"./../one/index.js\","
                "\"./nm\": \"./node_modules/x.js\","
                "\"./bare\": \"one\","
                "\"./gone\": \"./gone.js\","
                "\"./features/*\": \"./src/*.js\","
                "\"./features/private/*\": null,"
                "\"./both/*/a.js\": \"./src/*/a.js\","
                "\"./package.json\": \"./package.json\"}}"},
        {"a/node_modules/ex/cjs.js", "1"},
        {"a/node_modules/ex/esm.mjs", "1"},
        {"a/node_modules/ex/sub.js", "1"},
        {"a/node_modules/ex/listed.js", "1"},
        {"a/node_modules/ex/src/f.js", "1"},
        {"a/node_modules/ex/src/private/g.js", "1"},
        {"a/node_modules/ex/src/d/a.js", "1"},
        {"a/node_modules/sugar/package.json", "{\"exports\": \"./main.js\"}"},
        {"a/node_modules/sugar/main.js", "1"},
        {"a/node_modules/sugar/other.js", "1"},
        {"a/node_modules/cond/package.json",
                "{\"exports\": {\"node\": \"./n.js\", \"default\": \"./d.js\"}}"},
        {"a/node_modules/cond/n.js", "1"},
        {"a/node_modules/cond/d.js", "1"},
        {"a/links/in.js", "-> ../lib/sum.js"},
        {"a/links/dir", "-> ../lib/deep"},
        {"a/links/out.js", "-> ../../outside.js"},
        {"a/links/abs.js", "-> /etc/hostname"},
        {"a/links/outdir", "-> ../.."},
        {"a/links/loop.js", "-> loop.js"},
        {"a/links/dangling.js", "-> nothing.js"},
        {"a/links/back.js", "-> ../links/../lib/./sum.js"},
        {"a/node_modules/linked", "-> ../store/linked@1/node_modules/linked"},
        {"a/store/linked@1/node_modules/linked/index.js", "1"},
        {"a/store/linked@1/node_modules/friend/index.js", "1"},
        {"b/second.js", "1"},
        {"b/lib/sum.js", "hidden by the first root"},
        {"b/node_modules/late/index.js", "1"},
};

static int make(void **state)
{
        (void)state;
        library_make(&library);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                library_put(&library, files[i].path, files[i].text);
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

/* found: ROOT/PATH; else a part of the reason, after a "!". */
struct rule {
        const char *from, *name, *found;
};

static void check_rule(const struct rule *rule, int root)
{
        struct wire_load_reply reply;
        char got[9000];

        library_load(&library, root, rule->from, rule->name, &reply);
        if (reply.kind)
                snprintf(got, sizeof(got), "%c/%.*s", "ab"[reply.root], (int)reply.path.len,
                        (const char *)reply.path.data);
        else
                snprintf(got, sizeof(got), "!%.*s", (int)reply.why.len, (const char *)reply.why.data);
        if (*rule->found == '!' ? *got != '!' || !strstr(got, rule->found + 1) : strcmp(got, rule->found))
                fail_msg("%s asks for \"%s\": %s, not %s", rule->from ? rule->from : "a task", rule->name,
                        got, rule->found);
}

static void check_rules(const struct rule *rules, size_t n)
{
        for (size_t i = 0; i < n; i++)
                check_rule(&rules[i], 0);
}

#define CHECK(rules) check_rules(rules, sizeof(rules) / sizeof(rules[0]))

static void relative_names_are_files_then_directories(void **state)
{
        static const struct rule rules[] = {
                {"main.js", "./lib/sum.js", "a/lib/sum.js"},
                {"main.js", "./lib/sum", "a/lib/sum.js"},
                {"main.js", "./lib/sum/", "a/lib/sum/index.js"},
                {"lib/deep/er/x.js", "../../sum", "a/lib/sum.js"},
                {"lib/deep/er/x.js", "./x", "a/lib/deep/er/x.js"},
                {"lib/deep/er/x.js", "../..", "a/lib/index.js"},
                {"lib/sum.js", ".", "a/lib/index.js"},
                {"lib/sum.js", "./", "a/lib/index.js"},
                {"lib/sum.js", "./data", "a/lib/data.json"},
                {"lib/sum.js", "./plain", "a/lib/plain"},
                {"lib/sum.js", "./text.txt", "a/lib/text.txt"},
                {"lib/sum.js", "./common.cjs", "a/lib/common.cjs"},
                {"lib/sum.js", "./common", "!no such file"},
                {"lib/sum.js", "./both", "a/lib/both.json"},
                {"lib/sum.js", "./only", "a/lib/only/index.json"},
                {"lib/sum.js", "./empty", "!no directory with an index"},
                {"lib/sum.js", "./deep//er/./x.js", "a/lib/deep/er/x.js"},
                {"lib/sum.js", "/lib/data.json", "a/lib/data.json"},
                {"lib/sum.js", "./module.mjs", "!lib/module.mjs is an ES module"},
                {"lib/sum.js", "./native", "!lib/native.node is a native add-on"},
        };

        (void)state;
        CHECK(rules);
}

static void names_are_looked_for_from_the_asking_directory_up_to_the_root(void **state)
{
        static const struct rule rules[] = {
                {"main.js", "one", "a/node_modules/one/index.js"},
                {"lib/deep/er/x.js", "one", "a/node_modules/one/index.js"},
                {"main.js", "one/", "a/node_modules/one/index.js"},
                {"main.js", "five/", "!no such package"},
                {"main.js", "one/extra", "a/node_modules/one/extra.js"},
                {"main.js", "two", "a/node_modules/two/build/two.js"},
                {"main.js", "three", "a/node_modules/three/build/index.js"},
                {"main.js", "four", "a/node_modules/four/index.js"},
                {"main.js", "five", "a/node_modules/five.js"},
                {"main.js", "@org/six", "a/node_modules/@org/six/six.js"},
                {"main.js", "@org/six/sub/part", "a/node_modules/@org/six/sub/part.js"},
                {"main.js", "@org", "!no such package"},
                {"main.js", "nowhere", "!no such package"},
                {"main.js", "late", "!no such package"},
                {"main.js", "inner", "!no such package"},
                {"node_modules/outer/index.js", "inner", "a/node_modules/outer/node_modules/inner/index.js"},
                {"node_modules/outer/index.js", "one", "a/node_modules/outer/node_modules/one/index.js"},
                {"node_modules/one/index.js", "outer", "a/node_modules/outer/index.js"},
                {"main.js", "bad", "!node_modules/bad/package.json:2:"},
                {"main.js", "list", "!node_modules/list/package.json is not a JSON object"},
                {"main.js", "far", "!no such package"},
        };

        (void)state;
        CHECK(rules);
}

static void exports_decide_what_a_package_gives(void **state)
{
        static const struct rule rules[] = {
                {"main.js", "ex", "a/node_modules/ex/cjs.js"},
                {"main.js", "ex/sub", "a/node_modules/ex/sub.js"},
                {"main.js", "ex/list", "a/node_modules/ex/listed.js"},
                {"main.js", "ex/features/f", "a/node_modules/ex/src/f.js"},
                {"main.js", "ex/both/d/a.js", "a/node_modules/ex/src/d/a.js"},
                {"main.js", "ex/package.json", "a/node_modules/ex/package.json"},
                {"main.js", "ex/features/private/g", "!have no ./features/private/g"},
                {"main.js", "ex/cjs.js", "!have no ./cjs.js"},
                {"main.js", "ex/esm", "!have no ./esm"},
                {"main.js", "ex/null", "!have no ./null"},
                {"main.js", "ex/up", "!have no ./up"},
                {"main.js", "ex/nm", "!have no ./nm"},
                {"main.js", "ex/bare", "!have no ./bare"},
                {"main.js", "ex/gone", "!node_modules/ex/gone.js, which the package's exports name"},
                {"main.js", "ex/features/../../one/index", "!have no"},
                {"main.js", "sugar", "a/node_modules/sugar/main.js"},
                {"main.js", "sugar/other.js", "!have no ./other.js"},
                {"main.js", "cond", "a/node_modules/cond/n.js"},
                {"main.js", "./node_modules/ex/src/f.js", "a/node_modules/ex/src/f.js"},
        };

        (void)state;
        CHECK(rules);
}

static void a_task_asks_every_root(void **state)
{
        static const struct rule rules[] = {
                {NULL, "one", "a/node_modules/one/index.js"},
                {NULL, "lib/sum", "a/lib/sum.js"},
                {NULL, "./lib/sum.js", "a/lib/sum.js"},
                {NULL, "/lib/sum.js", "a/lib/sum.js"},
                {NULL, "lib", "a/lib/index.js"},
                {NULL, "main.js", "a/main.js"},
                {NULL, "second", "b/second.js"},
                {NULL, "late", "b/node_modules/late/index.js"},
                {NULL, "nothing", "!no root has such a file"},
                {NULL, "./nothing", "!no root has such a file"},
                {NULL, "/etc/passwd", "!no root has such a file"},
                {NULL, "..", "!leave the root"},
                {NULL, "../outside.js", "!leave the root"},
                {NULL, "lib/../../outside.js", "!leave the root"},
                {NULL, "./lib/../../outside.js", "!leave the root"},
        };

        (void)state;
        CHECK(rules);
}

static void nothing_leads_out_of_the_root(void **state)
{
        static const struct rule rules[] = {
                {"main.js", "../outside.js", "!leave the root"},
                {"lib/deep/er/x.js", "../../../../outside.js", "!leave the root"},
                {"main.js", "./lib/../../a/main.js", "!leave the root"},
                {"main.js", "one/../../../outside.js", "!no such package"},
                {"main.js", "./links/out.js", "!links/out.js is a symbolic link that leaves its root"},
                {"main.js", "./links/out", "!links/out.js is a symbolic link that leaves its root"},
                {"main.js", "./links/abs.js", "!links/abs.js is a symbolic link that leaves its root"},
                {"main.js", "./links/outdir/outside.js",
                        "!links/outdir is a symbolic link that leaves its root"},
                {"main.js", "./links/loop.js", "!too many symbolic links"},
                {"main.js", "./links/dangling.js", "!no such file"},
                {"../b/second.js", "./second", "!in no root"},
                {"main.js", "/proc/self/environ", "!no such file"},
        };

        (void)state;
        CHECK(rules);
}

static void links_inside_the_root_are_known_by_where_they_lead(void **state)
{
        static const struct rule rules[] = {
                {"main.js", "./links/in", "a/lib/sum.js"},
                {"main.js", "./links/back", "a/lib/sum.js"},
                {"main.js", "./links/dir/er/x", "a/lib/deep/er/x.js"},
                {"main.js", "linked", "a/store/linked@1/node_modules/linked/index.js"},
                {"store/linked@1/node_modules/linked/index.js", "friend",
                        "a/store/linked@1/node_modules/friend/index.js"},
        };

        (void)state;
        CHECK(rules);
}

static void files_that_others_may_write_or_own_are_refused(void **state)
{
        static const struct rule writable = {
                "main.js", "./lib/loose", "!lib/loose.js may be written by everybody"};
        static const struct rule foreign = {
                "main.js", "./lib/foreign", "!lib/foreign.js belongs to user 12345"};
        static const struct rule pipe = {"main.js", "./lib/pipe", "!lib/pipe is not a regular file"};
        static const struct rule large = {"main.js", "./lib/large", "!lib/large.js is larger than 8 MiB"};
        char path[256];

        (void)state;
        library_put(&library, "a/lib/loose.js", "1");
        snprintf(path, sizeof(path), "%s/a/lib/loose.js", library.dir);
        assert_int_equal(chmod(path, 0646), 0);
        check_rule(&writable, 0);
        library_put(&library, "a/lib/large.js", "1");
        snprintf(path, sizeof(path), "%s/a/lib/large.js", library.dir);
        assert_int_equal(truncate(path, (8 << 20) + 1), 0);
        check_rule(&large, 0);
        snprintf(path, sizeof(path), "%s/a/lib/pipe", library.dir);
        assert_int_equal(mkfifo(path, 0644), 0);
        check_rule(&pipe, 0);
        library_put(&library, "a/lib/foreign.js", "1");
        snprintf(path, sizeof(path), "%s/a/lib/foreign.js", library.dir);
        if (chown(path, 12345, 12345))
                print_message("# a foreign owner is left out: it takes root to make one\n");
        else
                check_rule(&foreign, 0);
}

static void names_that_are_no_names_find_nothing(void **state)
{
        static char huge[4000];
        struct rule long_name = {"main.js", huge, "!"};
        static const struct rule rules[] = {
                {"main.js", "...", "!no such package"},
                {"main.js", "@", "!no such package"},
                {"main.js", "@/", "!no such package"},
                {"main.js", "./\xff\xfe", "!no such file"},
                {NULL, "\n", "!no root has such a file"},
        };

        (void)state;
        memset(huge, 'x', sizeof(huge) - 1);
        check_rule(&long_name, 0);
        memcpy(huge, "./", 2);
        check_rule(&long_name, 0);
        for (size_t i = 1; i < sizeof(huge) - 1; i += 2)
                huge[i] = '/';
        check_rule(&long_name, 0);
        CHECK(rules);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(relative_names_are_files_then_directories),
                cmocka_unit_test(names_are_looked_for_from_the_asking_directory_up_to_the_root),
                cmocka_unit_test(exports_decide_what_a_package_gives),
                cmocka_unit_test(a_task_asks_every_root),
                cmocka_unit_test(nothing_leads_out_of_the_root),
                cmocka_unit_test(links_inside_the_root_are_known_by_where_they_lead),
                cmocka_unit_test(files_that_others_may_write_or_own_are_refused),
                cmocka_unit_test(names_that_are_no_names_find_nothing),
        };

        return cmocka_run_group_tests_name("loader/resolve", tests, make, unmake);
}

/* What users of execute-module see, and what it costs the second time. */
#include "modules.h"
#include "leave_out.h"

#include "base/clock.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct library_file files[] = {
        {"outside.js", "secret"},
        {"a/sum.js", "module.exports = function (a, b) { return a + b }"},
        {"a/lib/math.js", "exports.add = function (a, b) { return a + b }; exports.base = 10;\n"
                          "exports.addBase = function (a) { return a + this.base }"},
        {"a/value.js", "module.exports = {answer: 42}"},
        {"a/lib/data.json", "{\"list\": [1, 2, {\"x\": \"\xc3\xa9\"}]}"},
        {"a/bad.json", "{\n \"a\": 1,\n oops\n}"},
        {"a/names.js",
                "module.exports = function () { return [__filename, __dirname, module.id, module.filename, "
                "typeof module.parent, this === globalThis, require.main === undefined] }"},
        {"a/lib/names.js",
                "exports.list = [__filename, __dirname, this === exports, this === module.exports]"},
        {"a/cycle/a.js",
                "exports.early = 1; var b = require('./b'); exports.seen = b.seen; exports.late = b.late()"},
        {"a/cycle/b.js", "var a = require('./a'); exports.seen = Object.keys(a); exports.late = function () "
                         "{ return a "
                         "=== require('./a') }"},
        {"a/once.js", "var n = 0; module.exports = function () { return ++n }"},
        {"a/twice.js", "var a = require('./once'), b = require('./lib/../once.js'), c = require('/once');\n"
                       "module.exports = function () { a(); b(); return c() }"},
        {"a/syntax.js", "var fine = 1;\nvar broken = ;\n"},
        {"a/needs-syntax.js", "\n\nrequire('./syntax')"},
        {"a/early-end.js", "var a = 1; }\nmodule.exports = function () {"},
        {"a/throws.js", "function inner() {\n  throw new TypeError('no way')\n}\n"
                        "module.exports = function outer() {\n  inner()\n}"},
        {"a/throws-at-load.js", "\n\nthrow new RangeError('at load')"},
        {"a/missing.js", "exports.f = function () {\n  return require('./nowhere')\n}"},
        {"a/core.js", "exports.f = function (name) {\n  return require(name) && 'there'\n}"},
        {"a/optional.js", "try { require('not-there') } catch (e) { module.exports = e.code }"},
        {"a/link.js", "-> ../outside.js"},
        {"a/script.js", "#!/usr/bin/env node\nmodule.exports = 'script'"},
        {"a/bom.js", "\xef\xbb\xbfmodule.exports = 'b\xc3\xb6m \xf0\x9f\x98\x80'.length"},
        {"a/promise.js", "module.exports = function (x) { return {then: function (ok, no) { x ? ok(x) : "
                         "no(new Error('rejected')) }} }"},
        {"a/ticks.js",
                "var log = []; module.exports = function () { process.nextTick(function (x) { log.push(x) }, "
                "1);"
                " log.push(0); return {then: function (ok) { process.nextTick(function () { ok(log) }) }} }"},
        {"a/globals.js", "module.exports = [typeof global, global === globalThis, typeof process, typeof "
                         "Buffer, typeof "
                         "window, typeof self, typeof require, typeof globalThis.require, typeof Duktape]"},
        {"a/state.js",
                "var kept = []; module.exports = function (x) { kept.push(x); Array.prototype.marked = x; "
                "return kept }"},
        {"a/fresh.js", "module.exports = 'first'"},
        {"a/uses-fresh.js", "module.exports = require('./fresh')"},
        {"a/lazy.js", "module.exports = function () { return require('./fresh') }"},
        {"a/resolve.js", "module.exports = [require.resolve('./sum'), require.resolve('path'), "
                         "require.resolve('one')]"},
        {"a/node_modules/one/index.js", "module.exports = 'one'"},
        {"a/main-is-null.js", "module.exports = null"},
        {"a/hungry.js", "var a = []; for (;;) a.push(new Array(1000).join('x') + a.length)"},
        {"a/endless.js", "for (;;);"},
        {"a/log.js",
                "console.log('loading'); module.exports = function () { console.log('called'); return 1 }"},
        {"a/large.js", "var a = []; for (var i = 0; i < 60000; i++) a.push({i: i}); module.exports = "
                       "function () { return "
                       "a.length }"},
};

static int start(void **state)
{
        (void)state;
        return modules_start(files, sizeof(files) / sizeof(files[0]));
}

/* ---- telling ---- */

static const uint8_t two_numbers[] = {0x92, 2, 3};
static const struct bytes none = {0}, numbers = {two_numbers, sizeof(two_numbers)};

static struct bytes one_text(const char *text)
{
        static struct buf b;
        struct pack p;

        b.len = 0;
        pack_init(&p, &b);
        pack_array(&p, 1);
        pack_text(&p, text);
        return buf_bytes(&b);
}

/* And the worker is whole after it. */
static void fails(const char *path, const char *method, struct bytes args, const char *code, const char *part)
{
        fails_with(path, method, args, code, part);
        gives("sum", NULL, numbers, "5");
}

/* ---- what it gives ---- */

static void export_is_called_or_is_the_value(void **state)
{
        (void)state;
        gives("sum.js", NULL, numbers, "5");
        gives("./sum", NULL, numbers, "5");
        gives("lib/math", "add", numbers, "5");
        gives("lib/math", "addBase", numbers, "12");
}

static void method_that_is_not_there_is_named(void **state)
{
        (void)state;
        fails("lib/math", "base", none, "TASK_ERROR", "module \"lib/math\" has no method \"base\"");
        fails("lib/math", "gone", none, "TASK_ERROR", "module \"lib/math\" has no method \"gone\"");
        fails("main-is-null", "x", none, "TASK_ERROR", "module \"main-is-null\" has no method \"x\"");
}

static void modules_are_as_in_commonjs(void **state)
{
        (void)state;
        gives("value", NULL, none, "{\"answer\":42}");
        gives("lib/data", NULL, none, "{\"list\":[1,2,{\"x\":\"\xc3\xa9\"}]}");
        gives("names", NULL, none, "[\"/names.js\",\"/\",\"/names.js\",\"/names.js\",\"object\",true,true]");
        gives("lib/names", NULL, none, "{\"list\":[\"/lib/names.js\",\"/lib\",true,true]}");
        gives("cycle/a", NULL, none, "{\"early\":1,\"seen\":[\"early\"],\"late\":true}");
        gives("twice", NULL, none, "3");
        gives("script", NULL, none, "\"script\"");
        gives("bom", NULL, none, "6");
        gives("optional", NULL, none, "\"MODULE_NOT_FOUND\"");
        gives("resolve", NULL, none, "[\"/sum.js\",\"path\",\"/node_modules/one/index.js\"]");
        gives("path", "join", one_text("x//y"), "\"x/y\"");
        gives("node:path", "join", one_text("x//y"), "\"x/y\"");
}

static void globals_of_packages_exist_there_only(void **state)
{
        (void)state;
        gives("globals", NULL, none,
                "[\"object\",true,\"object\",\"function\",\"undefined\",\"undefined\",\"function\","
                "\"undefined\","
                "\"undefined\"]");
        rig_code(&rig, "[typeof require, typeof process, typeof global, typeof module]", 5000, &got);
        assert_string_equal(got.value, "[\"undefined\",\"undefined\",\"undefined\",\"undefined\"]");
}

static void promises_and_ticks_are_awaited(void **state)
{
        (void)state;
        gives("promise", NULL, one_text("x"), "\"x\"");
        fails("promise", NULL, none, "TASK_ERROR", "rejected");
        gives("ticks", NULL, none, "[0,1]");
}

/* ---- what goes wrong ---- */

static void a_module_that_is_missing_says_who_wanted_it(void **state)
{
        (void)state;
        fails("nowhere", NULL, none, "MODULE_NOT_FOUND",
                "cannot find module \"nowhere\": no root has such a file");
        fails("missing", "f", none, "MODULE_NOT_FOUND",
                "cannot find module \"./nowhere\" (required by missing.js:2): there is no such file");
        fails("../outside", NULL, none, "MODULE_NOT_FOUND", "leave the root");
        fails("lib/../../outside.js", NULL, none, "MODULE_NOT_FOUND", "leave the root");
        fails("link", NULL, none, "MODULE_NOT_FOUND", "link.js is a symbolic link that leaves its root");
        fails("core", "f", one_text("../outside"), "MODULE_NOT_FOUND", "leave the root");
        fails("core", "f", one_text("../../outside"), "MODULE_NOT_FOUND", "leave the root");
        fails("core", "f", one_text("nowhere"), "MODULE_NOT_FOUND",
                "(required by core.js:2): there is no such package");
}

static void core_modules_that_reach_out_are_withheld_by_name(void **state)
{
        static const char *const names[] = {"fs", "child_process", "net", "http", "https", "os", "crypto",
                "vm", "node:fs", "node:nothing", "fs/promises", "worker_threads", "module"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                fails("core", "f", one_text(names[i]), "MODULE_NOT_FOUND",
                        "(required by core.js:2): this module of Node's is not available in the sandbox");
        fails("fs", NULL, none, "MODULE_NOT_FOUND", "cannot find module \"fs\": this module of Node's");
        gives("core", "f", one_text("util"), "\"there\"");
}

static void names_that_are_no_names_are_a_type_error(void **state)
{
        static const uint8_t number[] = {0x91, 7}, nil[] = {0x91, 0xc0};
        static char huge[4097];

        (void)state;
        memset(huge, 'x', 4096);
        fails(huge, NULL, none, "MODULE_NOT_FOUND", "xxx\": the name is too long");
        fails("core", "f", one_text(huge), "MODULE_NOT_FOUND",
                "xxx\" (required by core.js:2): the name is too long");
        memset(huge, '\xff', 4096);
        fails(huge, NULL, none, "MODULE_NOT_FOUND", "the name is too long");
        huge[4095] = '\0';
        fails(huge, NULL, none, "MODULE_NOT_FOUND", "the name is too long");
        memset(huge, 'y', 4095);
        fails(huge, NULL, none, "MODULE_NOT_FOUND", "cannot find module \"yyyy");
        fails("\xf0\x9f\x98\x80", NULL, none, "MODULE_NOT_FOUND",
                "\"\xf0\x9f\x98\x80\": no root has such a file");
        fails("core", "f", one_text(""), "TASK_ERROR", "require() needs the name of a module");
        fails("core", "f", (struct bytes){number, 2}, "TASK_ERROR", "require() needs the name of a module");
        fails("core", "f", (struct bytes){nil, 2}, "TASK_ERROR", "require() needs the name of a module");
}

static void a_syntax_error_says_file_and_line(void **state)
{
        (void)state;
        fails("syntax", NULL, none, "SYNTAX_ERROR", "(syntax.js:2)");
        rig_module(&rig, "needs-syntax", NULL, none, &got);
        assert_string_equal(got.code, "SYNTAX_ERROR");
        assert_non_null(strstr(got.stack, "needs-syntax.js:3"));
        fails("early-end", NULL, none, "SYNTAX_ERROR", "(early-end.js:");
        fails("bad.json", NULL, none, "SYNTAX_ERROR", "invalid JSON (bad.json:3)");
}

static void stacks_name_modules_and_lines(void **state)
{
        (void)state;
        rig_module(&rig, "throws", NULL, none, &got);
        assert_string_equal(got.code, "TASK_ERROR");
        assert_string_equal(
                got.stack, "TypeError: no way\n    at inner (throws.js:2)\n    at outer (throws.js:5)");
        rig_module(&rig, "throws-at-load", NULL, none, &got);
        assert_string_equal(got.stack, "RangeError: at load\n    at [anon] (throws-at-load.js:3)");
        rig_module(&rig, "missing", "f", none, &got);
        if (strstr(got.stack, ".c:") || !strstr(got.stack, "(missing.js:2)"))
                fail_msg("%s", got.stack);
}

/* ---- what is kept ---- */

static void a_loaded_module_is_not_loaded_again(void **state)
{
        unsigned int loads, checks;

        (void)state;
        gives("twice", NULL, none, "3");
        loads = rig.loads;
        checks = rig.checks;
        for (int i = 0; i < 200; i++)
                gives("twice", NULL, none, "3");
        assert_int_equal(rig.loads, loads);
        assert_in_range(rig.checks, checks, checks + 199);
}

static void nothing_of_one_call_is_in_the_next(void **state)
{
        (void)state;
        for (int i = 0; i < 3; i++) {
                gives("state", NULL, one_text("mine"), "[\"mine\"]");
                gives("state", NULL, one_text("yours"), "[\"yours\"]");
                gives("value", NULL, none, "{\"answer\":42}");
                rig_code(&rig, "[].marked", 5000, &got);
                assert_string_equal(got.value, "null");
        }
}

/* Neither in the worlds that are kept, nor where frames and texts pass. */
static void no_bytes_of_a_call_stay(void **state)
{
        static const char *const paths[] = {"state", "state", "core", "nowhere", "throws-it", "careless"};

        (void)state;
#ifdef __SANITIZE_ADDRESS__
        return leave_out("its allocator copies what it grows and keeps what was freed");
#endif
        library_put(&library, "a/throws-it.js", "module.exports = function (x) { throw new Error(x + x) }");
        library_put(&library, "a/careless.js",
                "module.exports = function (x) { console.log(x); global.kept = x; return require('./late-' + "
                "1)(x) }");
        library_put(&library, "a/late-1.js", "module.exports = function (x) { return {x: [x + x]} }");
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                rig_module(
                        &rig, paths[i], strcmp(paths[i], "core") ? NULL : "f", one_text("MARK1ERxyz"), &got);
                gives("sum", NULL, numbers, "5");
                if (rig_count_in_memory(&rig, "MARK1") || rig_count_in_memory(&rig, "ERxyz"))
                        fail_msg("%s left %zu and %zu", paths[i], rig_count_in_memory(&rig, "MARK1"),
                                rig_count_in_memory(&rig, "ERxyz"));
        }
}

static void what_is_logged_while_loading_is_in_that_tasks_record(void **state)
{
        (void)state;
        gives("log", NULL, none, "1");
        assert_non_null(strstr(got.logs, "loading"));
        assert_non_null(strstr(got.logs, "called"));
        gives("log", NULL, none, "1");
        assert_null(strstr(got.logs, "loading"));
}

static void pause_ms(long ms)
{
        const struct timespec t = {.tv_nsec = ms * 1000000};

        nanosleep(&t, NULL);
}

/* The world is trusted for 20 ms, then looked at again. */
static void a_changed_file_is_seen(void **state)
{
        (void)state;
        gives("fresh", NULL, none, "\"first\"");
        gives("uses-fresh", NULL, none, "\"first\"");
        library_put(&library, "a/fresh.js", "module.exports = 'second one'");
        pause_ms(25);
        gives("fresh", NULL, none, "\"second one\"");
        gives("uses-fresh", NULL, none, "\"second one\"");
        library_put(&library, "a/fresh/index.js", "1");
        library_put(&library, "a/node_modules/fresh/index.js", "module.exports = 'nearer'");
        pause_ms(25);
        gives("fresh", NULL, none, "\"nearer\"");
        gives("uses-fresh", NULL, none, "\"second one\"");
        gives("lazy", NULL, none, "\"second one\"");
        library_put(&library, "a/fresh.js", "module.exports = 'third'");
        gives("lazy", NULL, none, "\"third\"");
        pause_ms(25);
        gives("uses-fresh", NULL, none, "\"third\"");
}

static void what_was_missing_is_seen_when_it_comes(void **state)
{
        (void)state;
        gives("optional", NULL, none, "\"MODULE_NOT_FOUND\"");
        library_put(&library, "a/node_modules/not-there/index.js", "1");
        pause_ms(25);
        gives("optional", NULL, none, "{}");
}

static void kept_worlds_are_bounded(void **state)
{
        unsigned int loads;
        char path[64];

        (void)state;
        for (int i = 0; i < 40; i++) {
                snprintf(path, sizeof(path), "a/many/m%d.js", i);
                library_put(&library, path, "module.exports = 1");
                gives(path + 2, NULL, none, "1");
        }
        loads = rig.loads;
        gives("many/m39.js", NULL, none, "1");
        gives("many/m25.js", NULL, none, "1");
        assert_int_equal(rig.loads, loads);
        gives("many/m0.js", NULL, none, "1");
        assert_int_equal(rig.loads, loads + 1);
        gives("large", NULL, none, "60000");
        gives("large", NULL, none, "60000");
        assert_int_equal(rig.loads, loads + 2);
}

/* Eight megabytes each: more of them than are kept at once. */
static void kept_worlds_are_bounded_in_bytes(void **state)
{
        unsigned int loads;
        char path[64];

        (void)state;
        for (int i = 0; i < 14; i++) {
                snprintf(path, sizeof(path), "a/heavy/m%d.js", i);
                library_put(&library, path,
                        "var kept = new Uint8Array(8 << 20); module.exports = function () { return "
                        "kept.length }");
                gives(path + 2, NULL, none, "8388608");
        }
        loads = rig.loads;
        gives("heavy/m13.js", NULL, none, "8388608");
        gives("heavy/m8.js", NULL, none, "8388608");
        assert_int_equal(rig.loads, loads);
        gives("heavy/m3.js", NULL, none, "8388608");
        assert_int_equal(rig.loads, loads + 1);
}

/* ---- limits ---- */

static void a_deadline_holds_while_a_module_loads(void **state)
{
        (void)state;
        for (int i = 0; i < 5; i++) {
                rig_send_module(&rig, "endless", NULL, none, 50);
                rig_receive(&rig, &got);
                assert_string_equal(got.code, "TIMEOUT");
                gives("sum", NULL, numbers, "5");
        }
        fails("hungry", NULL, none, "OUT_OF_MEMORY", "memory limit");
}

/* Nobody answers in time; the answer comes when another task waits for its own. */
static void a_deadline_holds_while_the_loader_is_silent(void **state)
{
        static const char *const names[] = {"late0", "late1", "late2"};
        struct wire_load_reply late = {0};
        uint64_t asked;

        (void)state;
        WIRE_SET(&late, load_reply, kind, 1);
        WIRE_SET(&late, load_reply, root, 0);
        WIRE_SET(&late, load_reply, path, wire_str("late.js"));
        WIRE_SET(&late, load_reply, source, wire_str("module.exports = 'of another task'"));
        WIRE_SET(&late, load_reply, proof, (struct bytes){(const uint8_t *)"\x90", 1});
        for (int i = 0; i < 3; i++) {
                rig.deaf = true;
                rig_send_module(&rig, "never-loaded", NULL, none, 30);
                rig_receive(&rig, &got);
                assert_string_equal(got.code, "TIMEOUT");
                asked = rig.asked;
                if (i == 0)
                        rig_answer(&rig, asked, WIRE_MESSAGE(load_reply), &late);
                rig_send_module(&rig, names[i], NULL, none, 5000);
                rig_wait_for_question(&rig);
                assert_true(rig.asked > asked);
                rig.deaf = false;
                if (i == 1)
                        rig_answer(&rig, asked, WIRE_MESSAGE(load_reply), &late);
                WIRE_SET(&late, load_reply, source, wire_str("module.exports = 'mine'"));
                rig_answer(&rig, rig.asked, WIRE_MESSAGE(load_reply), &late);
                rig_receive(&rig, &got);
                assert_string_equal(got.value, "\"mine\"");
                WIRE_SET(&late, load_reply, source, wire_str("module.exports = 'of another task'"));
                if (i == 2)
                        rig_answer(&rig, asked, WIRE_MESSAGE(load_reply), &late);
        }
        gives("sum", NULL, numbers, "5");
}

static void without_a_loader_the_task_fails_whatever_it_makes_of_it(void **state)
{
        (void)state;
        library_put(
                &library, "a/careful.js", "try { require('./sum') } catch (e) {} module.exports = 'without'");
        rig.refuses = true;
        rig_module(&rig, "careful", NULL, none, &got);
        assert_string_equal(got.code, "LOADER_UNAVAILABLE");
        rig.refuses = false;
        rig_module(&rig, "core", "f", one_text("./sum"), &got);
        rig.refuses = true;
        rig_module(&rig, "core", "f", one_text("./value"), &got);
        assert_string_equal(got.code, "LOADER_UNAVAILABLE");
        pause_ms(25);
        rig_module(&rig, "core", "f", one_text("util"), &got);
        assert_string_equal(got.code, "LOADER_UNAVAILABLE");
        rig.refuses = false;
        gives("careful", NULL, none, "\"without\"");
        gives("sum", NULL, numbers, "5");
}

/* Answers that lack what they must have, and one that is no answer to this. */
static void an_answer_that_makes_no_sense_is_an_error(void **state)
{
        struct wire_load_reply odd = {0};

        (void)state;
        WIRE_SET(&odd, load_reply, proof, (struct bytes){(const uint8_t *)"\x90", 1});
        for (int i = 0; i < 3; i++) {
                rig.deaf = true;
                rig_send_module(&rig, "odd", NULL, none, 5000);
                rig_wait_for_question(&rig);
                rig.deaf = false;
                WIRE_SET(&odd, load_reply, kind, 1);
                if (i == 1)
                        WIRE_SET(&odd, load_reply, path, wire_str("odd.js"));
                if (i == 2)
                        WIRE_SET(&odd, load_reply, kind, 0);
                rig_answer(&rig, rig.asked, WIRE_MESSAGE(load_reply), &odd);
                rig_receive(&rig, &got);
                assert_string_equal(got.code, i == 2 ? "MODULE_NOT_FOUND" : "LOADER_UNAVAILABLE");
        }
        gives("sum", NULL, numbers, "5");
}

static void cost_of_a_warm_module_is_shown(void **state)
{
        enum { SAMPLE = 2000 };
        int64_t begin = clock_now(), hello;

        (void)state;
        for (int i = 0; i < SAMPLE; i++)
                rig_code(&rig, "return \"Hello from worker\";", 5000, &got);
        hello = clock_now() - begin;
        begin = clock_now();
        for (int i = 0; i < SAMPLE; i++)
                rig_module(&rig, "sum", NULL, numbers, &got);
        print_message("# hello %d ns, a warm module %d ns\n", (int)(hello / SAMPLE),
                (int)((clock_now() - begin) / SAMPLE));
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(export_is_called_or_is_the_value),
                cmocka_unit_test(method_that_is_not_there_is_named),
                cmocka_unit_test(modules_are_as_in_commonjs),
                cmocka_unit_test(globals_of_packages_exist_there_only),
                cmocka_unit_test(promises_and_ticks_are_awaited),
                cmocka_unit_test(a_module_that_is_missing_says_who_wanted_it),
                cmocka_unit_test(core_modules_that_reach_out_are_withheld_by_name),
                cmocka_unit_test(names_that_are_no_names_are_a_type_error),
                cmocka_unit_test(a_syntax_error_says_file_and_line),
                cmocka_unit_test(stacks_name_modules_and_lines),
                cmocka_unit_test(a_loaded_module_is_not_loaded_again),
                cmocka_unit_test(nothing_of_one_call_is_in_the_next),
                cmocka_unit_test(no_bytes_of_a_call_stay),
                cmocka_unit_test(what_is_logged_while_loading_is_in_that_tasks_record),
                cmocka_unit_test(a_changed_file_is_seen),
                cmocka_unit_test(what_was_missing_is_seen_when_it_comes),
                cmocka_unit_test(kept_worlds_are_bounded),
                cmocka_unit_test(kept_worlds_are_bounded_in_bytes),
                cmocka_unit_test(a_deadline_holds_while_a_module_loads),
                cmocka_unit_test(a_deadline_holds_while_the_loader_is_silent),
                cmocka_unit_test(without_a_loader_the_task_fails_whatever_it_makes_of_it),
                cmocka_unit_test(an_answer_that_makes_no_sense_is_an_error),
                cmocka_unit_test(cost_of_a_warm_module_is_shown),
        };

        (void)argc;
        rig_raise_stack(argv);
        return cmocka_run_group_tests_name("worker/js/module", tests, start, modules_stop);
}

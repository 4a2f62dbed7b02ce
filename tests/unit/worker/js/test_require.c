/* Modules that get in the way of require() itself: what they put on prototypes, their names, and what they
 * fail by. */
#include "modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct library_file files[] = {
        {"a/sum.js", "module.exports = function (a, b) { return a + b }"},
        {"a/value.js", "module.exports = {answer: 42}"},
        {"a/fresh.js", "module.exports = 'first'"},
        {"a/setter.js",
                "var asked; ['id', 'exports', 'paths'].forEach(function (key) {\n"
                "  Object.defineProperty(Object.prototype, key, {configurable: true, set: function (v) {\n"
                "    if (!asked) { asked = true; require('./fresh'); require('./large') }\n"
                "    Object.defineProperty(this, key, {value: v, writable: true}) }})\n"
                "});\n"
                "module.exports = [require('./sum')(2, 3), Object.keys(require('./value')).join(), !!asked]"},
        {"a/getter.js", "var f = function () { return require('./nowhere') };\n"
                        "Object.defineProperty(f, 'fileName', {get: function () { require('./large'); return "
                        "'mine' }});\n"
                        "module.exports = function () { try { f() } catch (e) { return e.message } }"},
        {"a/broken/a.js", "exports.half = true; require('./b'); throw new Error('broken')"},
        {"a/broken/b.js", "exports.a = require('./a.js')"},
        {"a/broken/index.js",
                "var said = [];\n"
                "['./a', './a.js', './a'].forEach(function (name) {\n"
                "  try { require(name); said.push('there') } catch (e) { said.push(e.message) } });\n"
                "module.exports = said"},
        {"a/wide.js", "var c = String.fromCharCode(0x7fffffff), name = './';\n"
                      "for (var i = 0; i < 580; i++) name += c;\n"
                      "module.exports = function () { try { require(name) } catch (e) { return [c.length, "
                      "e.code, /too long/.test(e.message)] } }"},
        {"a/deep.js", "function dig() { try { return dig() } catch (e) { return new Buffer('ab').length } }\n"
                      "var first; try { first = dig() } catch (e) { first = e.name }\n"
                      "module.exports = function () { return [first, typeof Buffer, typeof process.nextTick, "
                      "Buffer.from('abc').length] }"},
        {"a/denied.js", "try { new Uint8Array(64 << 20) } catch (e) {}\n"
                        "module.exports = function () { throw new Error('mine') }"},
        {"a/large.js", "var a = []; for (var i = 0; i < 60000; i++) a.push({i: i}); module.exports = "
                       "function () { return "
                       "a.length }"},
};

static int start(void **state)
{
        (void)state;
        return modules_start(files, sizeof(files) / sizeof(files[0]));
}

static const struct bytes none = {0};

static void what_a_module_put_on_prototypes_is_not_run_while_another_one_is_made(void **state)
{
        (void)state;
        gives("setter", NULL, none, "[5,\"answer\",false]");
}

static void what_runs_while_a_missing_module_is_told_of_changes_nothing_of_it(void **state)
{
        (void)state;
        rig_module(&rig, "getter", NULL, none, &got);
        assert_non_null(strstr(got.value, "(required by mine:1): there is no such file"));
        assert_null(strstr(got.value, "large"));
}

static void a_module_that_threw_is_forgotten_by_all_its_names(void **state)
{
        (void)state;
        gives("broken", NULL, none, "[\"broken\",\"broken\",\"broken\"]");
}

static void a_module_that_went_without_memory_fails_later_by_its_own_errors(void **state)
{
        (void)state;
        fails_with("denied", NULL, none, "TASK_ERROR", "mine");
        fails_with("denied", NULL, none, "TASK_ERROR", "mine");
}

static void a_name_of_what_are_no_characters_is_a_name_that_is_not_there(void **state)
{
        (void)state;
        gives("wide", NULL, none, "[1,\"MODULE_NOT_FOUND\",true]");
}

static void a_global_that_could_not_be_made_is_made_the_next_time(void **state)
{
        (void)state;
        gives("deep", NULL, none, "[2,\"function\",\"function\",3]");
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_module_put_on_prototypes_is_not_run_while_another_one_is_made),
                cmocka_unit_test(what_runs_while_a_missing_module_is_told_of_changes_nothing_of_it),
                cmocka_unit_test(a_module_that_threw_is_forgotten_by_all_its_names),
                cmocka_unit_test(a_module_that_went_without_memory_fails_later_by_its_own_errors),
                cmocka_unit_test(a_name_of_what_are_no_characters_is_a_name_that_is_not_there),
                cmocka_unit_test(a_global_that_could_not_be_made_is_made_the_next_time),
        };

        (void)argc;
        rig_raise_stack(argv);
        return cmocka_run_group_tests_name("worker/js/require", tests, start, modules_stop);
}

/* What users of execute-code and execute-function see. */
#include "rig.h"

#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENT = 5000 };

static struct rig rig;
static struct rig_reply got;

static int start(void **state)
{
        struct wire_spawn_setup setup = rig_setup();

        (void)state;
        rig_start(&rig, &setup);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        return rig_stop(&rig);
}

struct example {
        const char *code, *value;
};

static void check_examples(const struct example *e, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                rig_code(&rig, e[i].code, PATIENT, &got);
                if (*got.code)
                        fail_msg("%s\n  failed: %s %s", e[i].code, got.code, got.message);
                assert_string_equal(got.value, e[i].value);
        }
}

#define CHECK(examples) check_examples(examples, sizeof(examples) / sizeof(examples[0]))

static void program_gives_its_completion_value(void **state)
{
        static const struct example examples[] = {
                {"return \"Hello from worker\";", "\"Hello from worker\""},
                {"1 + 1", "2"},
                {"var a = 2; if (a) { a * 21 }", "42"},
                {"", "null"},
                {"var x = 1;", "null"},
                {"#!/usr/bin/env node\n7", "7"},
                {"'use strict'; this === globalThis", "true"},
                {"return (function () { return typeof this }()); // a comment", "\"object\""},
                {"if (1) return 5\nreturn 6", "5"},
        };

        (void)state;
        CHECK(examples);
}

static void values_come_out_as_documented(void **state)
{
        static const struct example examples[] = {
                {"undefined", "null"},
                {"[undefined, null, function () {}, Symbol('s')]", "[null,null,null,null]"},
                {"({a: undefined, f: function () {}, s: Symbol('s'), b: 1})", "{\"a\":null,\"b\":1}"},
                {"[0, -0, 1.5, -7, 9007199254740992, 9007199254740994, 1e300]",
                        "[0,-0.0,1.5,-7,9007199254740992,9007199254740994.0,1.0000000000000001e+300]"},
                {"[NaN, Infinity, -Infinity]", "[nan,inf,-inf]"},
                {"new Date(1500)", "(-1:1dcd65000000000000000001)"},
                {"new Date(-500)", "(-1:1dcd6500ffffffffffffffff)"},
                {"new Date(NaN)", "null"},
                {"new Uint8Array([1, 2, 255])", "<0102ff>"},
                {"new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", "<0203>"},
                {"new ArrayBuffer(2)", "<0000>"},
                {"new Buffer('hi')", "<6869>"},
                {"[new Int16Array([-1, 2]), new Float64Array([0.5])]", "[[-1,2],[0.5]]"},
                {"var a = []; a[3] = 1; a", "[null,null,null,1]"},
                {"[Object(1), Object('x'), Object(false)]", "[1,\"x\",false]"},
                {"[/a+/gi]", "[\"/a+/gi\"]"},
                {"({toJSON: function (k) { return {k: k, toJSON: 1} }})", "{\"k\":\"\",\"toJSON\":1}"},
                {"({in: {toJSON: function (k) { return k }}, l: [{toJSON: function (k) { return k }}]})",
                        "{\"in\":\"in\",\"l\":[\"0\"]}"},
                {"'\\ud83d\\ude00'", "\"\xf0\x9f\x98\x80\""},
                {"'\xf0\x9f\x98\x80'.length", "2"},
                {"'\\ud83d'", "\"\xef\xbf\xbd\""},
                {"Object.create({inherited: 1}, {own: {value: 1, enumerable: true}, hidden: {value: 2}})",
                        "{\"own\":1}"},
                {"Object.create(Date.prototype)", "{}"},
                {"Date.prototype.getTime = function () { return 5 }; [new Date(0)]",
                        "[(-1:000000000000000000000000)]"},
                {"var e = new TypeError('no'); e.stack = 's'; e",
                        "{\"name\":\"TypeError\",\"message\":\"no\",\"stack\":\"s\"}"},
                {"new Proxy({a: 1}, {})", "{\"a\":1}"},
                {"function f() {} f.x = 1; f", "null"},
        };

        (void)state;
        CHECK(examples);
}

static void check_refused(const char *code, const char *error, const char *part)
{
        rig_code(&rig, code, PATIENT, &got);
        if (strcmp(got.code, error) || !strstr(got.message, part))
                fail_msg("%s\n  gave: %s %s %s, not %s %s", code, got.code, got.message, got.value, error,
                        part);
}

static void bad_results_are_refused_by_name(void **state)
{
        (void)state;
        check_refused("var a = {b: {}}; a.b.c = [a]; a", "TASK_ERROR", "result.b.c[0] is result again");
        check_refused("var a = {x: {}}; a.x.y = a.x; a", "TASK_ERROR", "result.x.y is result.x again");
        check_refused("var a = []; for (var i = 0; i < 40; i++) a = [a]; a", "RESULT_TOO_LARGE", "28 levels");
        check_refused("({toJSON: function f() { return {toJSON: f, x: {toJSON: f}} }})", "RESULT_TOO_LARGE",
                "28 levels");
        check_refused("var s = 'x'; while (s.length < 2e6) s += s; s", "RESULT_TOO_LARGE", "maxResultBytes");
        check_refused("var a = []; a[4e9] = 1; a", "RESULT_TOO_LARGE", "maxResultBytes");
        check_refused("({get a() { throw new Error('mine') }})", "TASK_ERROR", "mine");
        check_refused("({toJSON: function () { throw new Error('json') }})", "TASK_ERROR", "json");
        check_refused(
                "new Proxy({}, {ownKeys: function () { throw new Error('trap') }})", "TASK_ERROR", "trap");
        rig_code(&rig, "var a = []; for (var i = 0; i < 27; i++) a = [a]; a.x = a; var t = {}; [t, t] && a",
                PATIENT, &got);
        assert_string_equal(got.code, "");
        rig_code(&rig, "var t = {}; [t, t]", PATIENT, &got);
        assert_string_equal(got.value, "[{},{}]");
}

static void functions_are_called_with_arguments(void **state)
{
        static const uint8_t ten[] = {0x91, 10}, two[] = {0x92, 2, 3};
        static const struct {
                const char *key, *source, *value;
                struct bytes args;
        } cases[] = {
                {"fn", "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }", "55", {ten, 2}},
                {"fn", "function (a, b) { return a * b }", "6", {two, 3}},
                {"fn", "(function (a, b) { return a * b })", "6", {two, 3}},
                {"fn", "function f(a, b) { return a * b };", "6", {two, 3}},
                {"fn", "var f = function (a, b) { return a * b }; f", "6", {two, 3}},
                {"fn", "function () { return arguments.length } // the end", "0", {0}},
                {"code", "return function (a, b) { return [b, a] }", "[3,2]", {two, 3}},
                {"code", "return 'a value'", "\"a value\"", {two, 3}},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                rig_function(&rig, cases[i].key, cases[i].source, cases[i].args, &got);
                assert_string_equal(got.message, "");
                assert_string_equal(got.value, cases[i].value);
        }
}

static void wrong_functions_are_refused(void **state)
{
        (void)state;
        rig_function(&rig, "fn", "1 + 1", (struct bytes){0}, &got);
        assert_string_equal(got.code, "TASK_ERROR");
        assert_string_equal(got.message, "fn is not the source of a function");
        rig_function(&rig, "fn", "function () {\n var = 1 }", (struct bytes){0}, &got);
        assert_string_equal(got.code, "SYNTAX_ERROR");
        assert_non_null(strstr(got.message, "line"));
        rig_function(&rig, "other", "1", (struct bytes){0}, &got);
        assert_string_equal(got.code, "INVALID_TASK");
}

static void run_packed(const char *type, void (*fill)(struct pack *p))
{
        struct buf b;
        struct pack p;

        buf_init(&b, 0);
        pack_init(&p, &b);
        pack_map(&p, 3);
        pack_entry_text(&p, "type", type);
        fill(&p);
        rig_task(&rig, buf_bytes(&b), PATIENT, &got);
        buf_fini(&b);
}

static void fill_context(struct pack *p)
{
        static const uint8_t seconds[] = {0xd6, 0xff, 0, 0, 0, 2}, other[] = {0xd4, 5, 9},
                             wild[] = {0xa3, 0x82, 'F', 'i'};

        pack_entry_text(p, "code",
                "[a, b instanceof Uint8Array, b, d instanceof Date && d.getTime(), x.type, x.data, big, "
                "Math, "
                "Object.getPrototypeOf(o) === Object.prototype, Object.keys(o).join(), o.__proto__, "
                "w.length, n[1], typeof globalThis.toString]");
        pack_text(p, "context");
        pack_map(p, 10);
        pack_entry_text(p, "a", "\xf0\x9f\x98\x80");
        pack_text(p, "b");
        pack_bin(p, (struct bytes){(const uint8_t *)"xy", 2});
        pack_entry_raw(p, "d", (struct bytes){seconds, sizeof(seconds)});
        pack_entry_raw(p, "x", (struct bytes){other, sizeof(other)});
        pack_entry_uint(p, "big", UINT64_MAX);
        pack_entry_uint(p, "Math", 3);
        pack_text(p, "o");
        pack_map(p, 1);
        pack_text(p, "__proto__");
        pack_map(p, 1);
        pack_entry_bool(p, "evil", true);
        pack_entry_raw(p, "w", (struct bytes){wild, sizeof(wild)});
        pack_text(p, "n");
        pack_map(p, 1);
        pack_uint(p, 1);
        pack_uint(p, 11);
        pack_entry_uint(p, "last", 1);
}

static void context_becomes_globals(void **state)
{
        (void)state;
        run_packed("execute-code", fill_context);
        assert_string_equal(got.message, "");
        assert_string_equal(got.value,
                "[\"\xf0\x9f\x98\x80\",true,<7879>,2000,5,<09>,1.8446744073709552e+19,3,"
                "true,\"__proto__\",{\"evil\":true},3,11,\"function\"]");
}

static void fill_nonsense(struct pack *p)
{
        pack_entry_uint(p, "code", 5);
        pack_entry_uint(p, "x", 5);
}

static void wrong_tasks_are_refused(void **state)
{
        (void)state;
        run_packed("execute-code", fill_nonsense);
        assert_string_equal(got.code, "INVALID_TASK");
        run_packed("no-such-type", fill_nonsense);
        assert_string_equal(got.code, "UNKNOWN_TYPE");
        rig_task(&rig, (struct bytes){(const uint8_t *)"\x80", 1}, 0, &got);
        assert_string_equal(got.code, "INVALID_TASK");
}

static void errors_keep_the_tasks_own_lines(void **state)
{
        (void)state;
        rig_code(&rig, "var x = 1;\nfunction inner() {\n  throw new TypeError('boom');\n}\n[1].map(inner);",
                PATIENT, &got);
        assert_string_equal(got.code, "TASK_ERROR");
        assert_string_equal(got.name, "TypeError");
        assert_string_equal(got.message, "boom");
        assert_string_equal(got.stack,
                "TypeError: boom\n    at inner (task.js:3)\n    at map (native)\n    at global (task.js:5)");
        rig_code(&rig, "try { null.x } catch (e) { console.log(e); e.stack }", PATIENT, &got);
        assert_string_equal(
                got.value, "\"TypeError: cannot read property 'x' of null\n    at global (task.js:1)\"");
        assert_non_null(strstr(got.logs, "of null\n    at global (task.js:1)\""));
        rig_code(&rig, "return 1;\n\nnull.x", PATIENT, &got);
        assert_string_equal(got.value, "1");
        rig_code(&rig, "if (0) return 1;\n\nnull.x", PATIENT, &got);
        assert_non_null(strstr(got.stack, "task.js:3)"));
        assert_null(strstr(got.stack, "internal"));
        rig_code(&rig, "var a;\nvar = 1", PATIENT, &got);
        assert_string_equal(got.code, "SYNTAX_ERROR");
        assert_string_equal(got.name, "SyntaxError");
        assert_non_null(strstr(got.message, "(line 2)"));
        rig_code(&rig, "return 1;\nvar = 1", PATIENT, &got);
        assert_string_equal(got.code, "SYNTAX_ERROR");
        assert_non_null(strstr(got.message, "(line 2)"));
        rig_code(&rig, "return 1; }; (function () {", PATIENT, &got);
        assert_string_equal(got.code, "SYNTAX_ERROR");
        rig_code(&rig, "return '}' + 1", PATIENT, &got);
        assert_string_equal(got.value, "\"}1\"");
        rig_code(&rig, "eval('var = 1')", PATIENT, &got);
        assert_string_equal(got.code, "TASK_ERROR");
}

static void anything_can_be_thrown(void **state)
{
        static const struct {
                const char *code, *message, *data;
        } cases[] = {
                {"throw {a: 1}", "[object Object]", "{\"a\":1}"},
                {"throw 'text'", "text", "\"text\""},
                {"throw 42", "42", "42"},
                {"throw undefined", "undefined", "null"},
                {"throw Symbol('s')", "a symbol was thrown", "null"},
                {"throw {toString: function () { throw 1 }}", "a value was thrown that cannot be described",
                        ""},
                {"var a = {toString: function () { return 'cyclic' }}; a.a = a; throw a", "cyclic", ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                rig_code(&rig, cases[i].code, PATIENT, &got);
                assert_string_equal(got.code, "TASK_ERROR");
                if (strncmp(got.message, cases[i].message, strlen(cases[i].message)))
                        fail_msg("%s: %s", cases[i].code, got.message);
                assert_string_equal(got.data, cases[i].data);
        }
        rig_code(&rig, "var s = 'x'; while (s.length < 200000) s += s; throw new Error(s)", PATIENT, &got);
        assert_string_equal(got.code, "TASK_ERROR");
}

static void thenables_are_awaited(void **state)
{
        static const struct example examples[] = {
                {"({then: function (ok) { ok(5); ok(6) }})", "5"},
                {"({then: function (ok) { ok({then: function (ok) { ok('in') }}) }})", "\"in\""},
                {"({then: 5})", "{\"then\":5}"},
                {"return {then: function (ok, no) { ok(1); no(2) }}", "1"},
        };

        (void)state;
        CHECK(examples);
        check_refused(
                "({then: function (ok, no) { no(new TypeError('rejected')) }})", "TASK_ERROR", "rejected");
        check_refused("({then: function () {}})", "TASK_ERROR", "still pending");
        check_refused("({then: function () { throw new Error('in then') }})", "TASK_ERROR", "in then");
        rig_function(&rig, "fn", "function () { return {then: function (ok) { ok(8) }} }", (struct bytes){0},
                &got);
        assert_string_equal(got.value, "8");
}

static void what_a_task_must_not_see_is_gone(void **state)
{
        static const struct example examples[] = {
                {"[typeof Duktape, typeof CBOR, typeof require, typeof print, typeof alert, typeof process, "
                 "typeof module]",
                        "[\"undefined\",\"undefined\",\"undefined\",\"undefined\",\"undefined\","
                        "\"undefined\",\"undefined\"]"},
                {"[typeof globalThis.Duktape, typeof new Function('return this')().Duktape]",
                        "[\"undefined\",\"undefined\"]"},
                {"Object.getOwnPropertyNames(globalThis).filter(function (n) { return /duk|cbor/i.test(n) })",
                        "[]"},
                {"[typeof Uint8Array.allocPlain, typeof Uint8Array.plainOf, typeof String.fromBufferRaw]",
                        "[\"undefined\",\"undefined\",\"undefined\"]"},
                {"[new Date(2020, 6, 1).getTime() === Date.UTC(2020, 6, 1), new Date().getTimezoneOffset()]",
                        "[true,0]"},
                {"var a = Math.random(), b = Math.random(); a !== b && a >= 0 && a < 1", "true"},
                {"try { eval('\\u00bf\\u0080bytecode'); 0 } catch (e) { e.name }", "\"SyntaxError\""},
        };
        char first[64];

        (void)state;
        CHECK(examples);
        rig_code(&rig, "Math.random()", PATIENT, &got);
        snprintf(first, sizeof(first), "%.60s", got.value);
        rig_code(&rig, "Math.random()", PATIENT, &got);
        assert_string_not_equal(got.value, first);
}

static void console_lines_are_kept(void **state)
{
        static const struct example lines[] = {
                {"'a', 1, {b: [2, 'c'], d: null}", "a 1 { b: [ 2, \"c\" ], d: null }"},
                {"'%s is %d of %j%%', 'x', '3', {a: 1}, 'more'", "x is 3 of {\"a\":1}% more"},
                {"undefined, null, true, -0, Symbol('y')", "undefined null true -0 Symbol(y)"},
                {"{get g() { throw 1 }, f: function named() {}}", "{ g: [Getter], f: [Function: named] }"},
                {"(function () { var a = {}; a.a = a; return a }())", "{ a: [Circular] }"},
                {"{a: {b: {c: {d: {}}}}}", "{ a: { b: { c: { d: [Object] } } } }"},
                {"[], {}, [[]], new Date(0), /x/g", "[] {} [ [] ] 1970-01-01T00:00:00.000Z /x/g"},
                {"new Uint8Array([1, 2])", "<Buffer 01 02>"},
                {"{'a-b': 1}", "{ \"a-b\": 1 }"},
                {"'100%', 5", "100% 5"},
                {"'100%'", "100%"},
                {"new Proxy({}, {ownKeys: function () { console.info('x'); throw 1 }})", "[Object]"},
        };
        char code[512], text[512];

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                snprintf(code, sizeof(code), "console.warn(%s)", lines[i].code);
                rig_code(&rig, code, PATIENT, &got);
                assert_string_equal(got.message, "");
                snprintf(text, sizeof(text), "\"level\":\"warn\",\"text\":\"%s\",\"at\":", lines[i].value);
                if (!strstr(got.logs, text))
                        fail_msg("%s\n  gave %s", code, got.logs);
        }
        rig_code(&rig, "console.log(1); console.info(2); console.debug(3); console.error(4); throw 1",
                PATIENT, &got);
        assert_string_equal(got.code, "TASK_ERROR");
        assert_non_null(strstr(got.logs, "\"level\":\"log\",\"text\":\"1\""));
        assert_non_null(strstr(got.logs, "\"level\":\"error\",\"text\":\"4\""));
        assert_false(got.truncated);
        rig_code(&rig, "for (var i = 0; i < 1e4; i++) console.log('line', i); i", PATIENT, &got);
        assert_string_equal(got.value, "10000");
        assert_true(got.truncated);
        rig_code(&rig, "var s = 'y'; while (s.length < 1e5) s += s; console.log(s); 1", PATIENT, &got);
        assert_true(got.truncated);
        assert_non_null(strstr(got.logs, "yyy"));
        rig_code(&rig, "1", PATIENT, &got);
        assert_string_equal(got.logs, "");
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(program_gives_its_completion_value),
                cmocka_unit_test(values_come_out_as_documented),
                cmocka_unit_test(bad_results_are_refused_by_name),
                cmocka_unit_test(functions_are_called_with_arguments),
                cmocka_unit_test(wrong_functions_are_refused),
                cmocka_unit_test(context_becomes_globals),
                cmocka_unit_test(wrong_tasks_are_refused),
                cmocka_unit_test(errors_keep_the_tasks_own_lines),
                cmocka_unit_test(anything_can_be_thrown),
                cmocka_unit_test(thenables_are_awaited),
                cmocka_unit_test(what_a_task_must_not_see_is_gone),
                cmocka_unit_test(console_lines_are_kept),
        };

        (void)argc;
        rig_raise_stack(argv);
        return cmocka_run_group_tests(tests, start, stop);
}

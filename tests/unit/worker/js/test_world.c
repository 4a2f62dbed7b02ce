/* One task leaves nothing to the next: no global, no changed prototype, no bytes in memory, no repeated
 * random number. */
#include "rig.h"
#include "leave_out.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENT = 20000, TASKS = 12000, SAMPLE = 2000 };

static struct rig rig;
static struct rig_reply got;
static char image[8192];
static uint64_t seed = 88172645463325252u;

static unsigned int draw(unsigned int below)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (unsigned int)(seed % below);
}

/* What a task can see of the world: every global, every property of each of them and of its prototype. */
static const char survey[] =
        "var seen = [];"
        "function look(name, o) {"
        "  if (o === null || (typeof o !== 'object' && typeof o !== 'function')) { seen.push(name + '=' + "
        "String(o)); return }"
        "  Object.getOwnPropertyNames(o).forEach(function (k) {"
        "    var d = Object.getOwnPropertyDescriptor(o, k);"
        "    seen.push(name + '.' + k + ':' + typeof d.value + (d.writable ? 'w' : '') + (d.enumerable ? 'e' "
        ": '') +"
        "      (typeof d.value === 'function' ? d.value.name + d.value.length : ''))"
        "  })"
        "}"
        "Object.getOwnPropertyNames(globalThis).sort().forEach(function (n) {"
        "  if (n === 'seen' || n === 'look' || n === 'globalThis') return;"
        "  var o = globalThis[n]; look(n, o); if (o && o.prototype) look(n + '.prototype', o.prototype)"
        "});"
        "var all = seen.join(), hash = 5381;"
        "for (var i = 0; i < all.length; i++) hash = (hash * 33 + all.charCodeAt(i)) % 4294967296;"
        "[seen.length, hash]";

static const char *const owners[] = {"globalThis", "Object", "Object.prototype", "Array.prototype",
        "Function.prototype", "String.prototype", "Math", "JSON", "Date", "Date.prototype",
        "RegExp.prototype", "Error.prototype", "console", "Uint8Array.prototype", "Number", "Symbol",
        "Reflect"};
static const char *const names[] = {"length", "toString", "then", "toJSON", "constructor", "x", "random",
        "push", "log", "stringify", "valueOf", "exec", "name", "prototype", "Array", "undefined", "get",
        "value", "0"};
static const char *const deeds[] = {
        "o[k] = function () { return 'polluted' }",
        "o[k] = 'polluted'",
        "delete o[k]",
        "Object.defineProperty(o, k, {get: function () { throw 'polluted' }, configurable: true})",
        "Object.defineProperty(o, k, {set: function () { throw 'polluted' }})",
        "Object.freeze(o)",
        "Object.setPrototypeOf(o, {polluted: 1})",
        "Object.getOwnPropertyNames(o).forEach(function (n) { try { delete o[n] } catch (e) {} })",
        "for (;;) o[k + Math.random()] = k",
        "var a = []; for (;;) a.push(a)",
        "throw o",
};

#define PICK(list) ((list)[draw(sizeof(list) / sizeof((list)[0]))])

static int start(void **state)
{
        struct wire_spawn_setup setup = rig_setup();

        (void)state;
        rig_start(&rig, &setup);
        rig_code(&rig, survey, PATIENT, &got);
        assert_string_equal(got.message, "");
        snprintf(image, sizeof(image), "%s", got.value);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        return rig_stop(&rig);
}

static void no_task_sees_what_another_changed(void **state)
{
        char code[512];

        (void)state;
        for (int i = 0; i < TASKS; i++) {
                snprintf(code, sizeof(code), "var o = %s, k = '%s'; %s; %s", PICK(owners), PICK(names),
                        PICK(deeds), draw(2) ? "o" : "'done'");
                rig_code(&rig, code, 3, &got);
                if (i % 12)
                        continue;
                rig_code(&rig, survey, PATIENT, &got);
                if (strcmp(got.value, image))
                        fail_msg("after %s\n  %s %s, not %s", code, got.value, got.message, image);
        }
}

/* The marker is made of two halves in the code, and searched for whole and by halves. */
static void no_bytes_of_a_task_stay(void **state)
{
        static const char *const leaving[] = {
                "var s = 'MARK1' + 'ERxyz'; s + s",
                "var s = 'MARK1' + 'ERxyz'; console.log(s); throw new Error(s)",
                "var s = 'MARK1' + 'ERxyz', a = []; for (var i = 0; i < 2000; i++) a.push(s + i); a.join()",
                "var s = 'MARK1' + 'ERxyz', b = ''; while (b.length < 3e5) b += s; b",
                "var s = 'MARK1' + 'ERxyz'; (function f(n) { return JSON.stringify({toJSON: function () { "
                "return n ? f(n - 1) : s }}) })(150)",
                "var s = 'MARK1' + 'ERxyz', a = []; for (;;) a.push(s + a.length)",
                "var s = 'MARK1' + 'ERxyz'; for (;;) s.split('').join('')",
        };
        static const char last[] = "1";

        (void)state;
#ifdef __SANITIZE_ADDRESS__
        return leave_out("its allocator copies what it grows and keeps what was freed");
#endif
        for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
                rig_code(&rig, leaving[i], 400, &got);
                rig_code(&rig, last, PATIENT, &got);
                if (rig_count_in_memory(&rig, "MARK1") || rig_count_in_memory(&rig, "ERxyz"))
                        fail_msg("%s\n  left %zu and %zu", leaving[i], rig_count_in_memory(&rig, "MARK1"),
                                rig_count_in_memory(&rig, "ERxyz"));
        }
}

/* The proof that the search above can find something. */
static void the_search_finds_what_is_there(void **state)
{
        (void)state;
        rig_send_code(&rig, "var s = 'MARK1' + 'ERxyz'; for (;;) s.length", 300);
        while (!rig_count_in_memory(&rig, "MARK1ERxyz"))
                ;
        rig_receive(&rig, &got);
        assert_string_equal(got.code, "TIMEOUT");
}

static void memory_goes_back_after_a_large_task(void **state)
{
        uint64_t first;

        (void)state;
        rig_code(&rig, "1", PATIENT, &got);
        first = got.max_memory_bytes;
        rig_code(&rig, "var a = []; for (var i = 0; i < 1e5; i++) a.push({}); a.length", PATIENT, &got);
        assert_true(got.max_memory_bytes > 4 << 20);
        rig_code(&rig, "1", PATIENT, &got);
        assert_int_equal(got.max_memory_bytes, first);
}

static void cost_of_a_task_is_shown(void **state)
{
        int64_t begin = clock_now();

        (void)state;
        for (int i = 0; i < SAMPLE; i++)
                rig_code(&rig, "return \"Hello from worker\";", PATIENT, &got);
        assert_string_equal(got.value, "\"Hello from worker\"");
        print_message("# hello: %d ns a task, round trip included; cpu of the last %d us\n",
                (int)((clock_now() - begin) / SAMPLE), (int)got.cpu_us);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_task_sees_what_another_changed),
                cmocka_unit_test(the_search_finds_what_is_there),
                cmocka_unit_test(no_bytes_of_a_task_stay),
                cmocka_unit_test(memory_goes_back_after_a_large_task),
                cmocka_unit_test(cost_of_a_task_is_shown),
        };

        (void)argc;
        rig_raise_stack(argv);
        return cmocka_run_group_tests(tests, start, stop);
}

/* What ends a task against its will, and that the worker is whole after each. */
#include "rig.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SHORT_MS = 60, LATE_MS = 1000, PATIENT = 20000, MANY = 150 };

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

static void check_hello(void)
{
        rig_code(&rig,
                "var d = new Date(2020, 1, 1); return 'Hello ' + [3, 1, 2].sort().join('') + d.getMonth()",
                PATIENT, &got);
        assert_string_equal(got.message, "");
        assert_string_equal(got.value, "\"Hello 1231\"");
}

static const char *const endless[] = {
        "while (1);",
        "for (;;) new Date(2020, 1, 1).toString()",
        "for (;;) new Date().getTimezoneOffset()",
        "for (;;) try { for (;;); } catch (e) {} finally { continue }",
        "var a = []; a[1e6] = 1; a[5e5] = 2; for (;;) a.sort()",
        "throw {toString: function () { for (;;); }}",
        "var e = new Error('x'); Object.defineProperty(e, 'message', {get: function () { for (;;); }}); "
        "throw e",
        "({get a() { for (;;); }})",
        "({toJSON: function () { for (;;); }})",
        "({then: function () { for (;;); }})",
        "({get then() { for (;;); }})",
        "new Proxy({}, {ownKeys: function () { for (;;); }})",
        "/(a+)+b/.test(new Array(40).join('a'))",
        "for (;;) JSON.stringify({a: [1, {b: 'text'}]})",
        "for (;;) JSON.parse('[[[[1,2,3]]]]')",
        "for (;;) console.log('x', {a: 1})",
        "console.log({get a() { return 1 }}, new Proxy({}, {ownKeys: function () { for (;;); }}))",
        "for (;;) Math.random()",
        "for (;;) Math.pow(Math.random(), 0.3)",
        "for (;;) new Uint8Array(100000)",
        "for (;;) eval('1 + 1')",
        "for (;;) 'abc'.replace(/b/g, function () { return 'x' })",
        "var s = ''; for (;;) { s += 'x'; if (s.length > 1e5) s = '' }",
        "function f() { return f() } f()",
        "for (;;) try { (function r() { r() + 1 })() } catch (e) {}",
        "for (;;) try { null.x } catch (e) { e.stack }",
        "return [1].map(function () { for (;;); })",
        "for (;;) String.fromCharCode(1, 2).split('').join()",
        "for (;;) new TextDecoder().decode(new TextEncoder().encode('abc'))",
};

static void every_endless_task_times_out(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
                int64_t begin = clock_now(), took;

                rig_code(&rig, endless[i], SHORT_MS, &got);
                took = (clock_now() - begin) / NS_PER_MS;
                if (strcmp(got.code, "TIMEOUT"))
                        fail_msg("%s\n  gave %s %s %s", endless[i], got.code, got.message, got.value);
                if (took < SHORT_MS || took > LATE_MS)
                        fail_msg("%s\n  took %d ms", endless[i], (int)took);
                check_hello();
        }
}

static void time_outs_leave_no_trace(void **state)
{
        const size_t n = sizeof(endless) / sizeof(endless[0]);

        (void)state;
        for (size_t i = 0; i < MANY; i++) {
                rig_code(&rig, endless[i % n], 1 + i % 7, &got);
                if (strcmp(got.code, "TIMEOUT"))
                        fail_msg("%s\n  gave %s %s %s", endless[i % n], got.code, got.message, got.value);
                check_hello();
        }
}

static void a_long_text_stops_while_it_is_compiled(void **state)
{
        size_t n = 6 << 20;
        char *code = malloc(n + 1);

        (void)state;
        memset(code, '-', n);
        for (size_t i = 0; i < n; i += 8)
                memcpy(code + i, "x = 1+2;", 8);
        code[n] = '\0';
        rig_code(&rig, code, 5, &got);
        free(code);
        assert_true(!strcmp(got.code, "TIMEOUT") || !strcmp(got.code, "OUT_OF_MEMORY"));
        check_hello();
}

static void unbounded_growth_ends_in_out_of_memory(void **state)
{
        static const char *const growing[] = {
                "var s = 'x'; for (;;) s += s",
                "var a = []; for (;;) a.push({})",
                "var a = []; for (;;) a.push(new Uint8Array(100000))",
                "var f; for (;;) f = (function (g) { return function () { return g } })(f)",
                "var o = {}, i = 0; for (;;) o['key' + i++] = i",
                "var a = []; for (;;) a.push(new Date().toString() + a.length)",
                "var a = []; for (var i = 0; i < 1e7; i++) a[i] = i",
                "var a = [], s = JSON.stringify(new Array(1000)); for (;;) a.push(JSON.parse(s))",
                "new Uint8Array(1e9)",
                "var a = 'x'; for (;;) a = a.replace(/x/g, 'xx')",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
                rig_code(&rig, growing[i], PATIENT, &got);
                if (strcmp(got.code, "OUT_OF_MEMORY"))
                        fail_msg("%s\n  gave %s %s %s", growing[i], got.code, got.message, got.value);
                assert_true(got.max_memory_bytes <= 16 << 20);
                check_hello();
        }
        rig_code(&rig, "try { new Uint8Array(1e9) } catch (e) { 'went on' }", PATIENT, &got);
        assert_string_equal(got.value, "\"went on\"");
}

static void recursion_and_nesting_never_crash(void **state)
{
        static const char *const deep[] = {
                "(function f() { return 1 + f() })()",
                "var a = []; for (var i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)",
                "var s = ''; for (var i = 0; i < 1e5; i++) s += '['; JSON.parse(s)",
                "var o = {toJSON: function () { return JSON.stringify(o) }}; JSON.stringify(o)",
                "var s = ''; for (var i = 0; i < 1e5; i++) s += '('; new RegExp(s)",
                "var s = '', t = ''; for (var i = 0; i < 9000; i++) { s += '(?:'; t += ')*' } new RegExp(s + "
                "'a' + t).test('aaaa')",
                "var s = ''; for (var i = 0; i < 1e5; i++) s += '('; eval(s)",
                "var s = ''; for (var i = 0; i < 1e5; i++) s += '{'; eval(s)",
                "var s = ''; for (var i = 0; i < 1e5; i++) s += '!'; eval(s + '1')",
                "var a = []; a.toString = function () { return a.join() + a }; '' + a",
                "var o = {get x() { return o.x }}; o.x",
                "var p = new Proxy({}, {get: function (t, k, r) { return r[k] }}); p.x",
                "(function f() { [1].map(f) })()",
                "(function f() { [2, 1].sort(f) })()",
                "(function f() { 'a'.replace(/a/, f) })()",
                "var f = function () {}; for (var i = 0; i < 1e5; i++) f = f.bind(null); f()",
                "var a = /(a|b)*c/; a.test(new Array(1e5).join('ab'))",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
                rig_code(&rig, deep[i], PATIENT, &got);
                check_hello();
        }
}

static void a_cancel_stops_only_its_task(void **state)
{
        const struct timespec a_moment = {.tv_nsec = 20000000};
        union sigval value;

        (void)state;
        value.sival_int = (int)rig.seq;
        assert_int_equal(sigqueue(rig.pid, SIGUSR1, value), 0);
        check_hello();
        rig_send_code(&rig, "for (;;);", 0);
        value.sival_int = (int)rig.seq - 1;
        sigqueue(rig.pid, SIGUSR1, value);
        nanosleep(&a_moment, NULL);
        value.sival_int = (int)rig.seq;
        sigqueue(rig.pid, SIGUSR1, value);
        rig_receive(&rig, &got);
        assert_string_equal(got.code, "CANCELLED");
        value.sival_int = (int)rig.seq + 1;
        sigqueue(rig.pid, SIGUSR1, value);
        rig_code(&rig, "for (;;);", 0, &got);
        assert_string_equal(got.code, "CANCELLED");
        check_hello();
}

static void cpu_time_is_limited(void **state)
{
        struct wire_spawn_setup setup = rig_setup();
        struct rig limited;

        (void)state;
        setup.max_cpu_ms = 30;
        rig_start(&limited, &setup);
        for (int i = 0; i < 3; i++) {
                rig_code(&limited, "for (;;);", 0, &got);
                assert_string_equal(got.code, "CPU_LIMIT");
                assert_in_range(got.cpu_us, 30000, 500000);
                rig_code(&limited, "1", 0, &got);
                assert_string_equal(got.value, "1");
        }
        assert_int_equal(rig_stop(&limited), 0);
}

static void beats_come_while_busy_and_while_idle(void **state)
{
        struct wire_spawn_setup setup = rig_setup();
        struct bytes frame;
        struct rig beating;

        (void)state;
        setup.heartbeat_ms = 10;
        rig_start(&beating, &setup);
        rig_code(&beating, "for (;;);", 300, &got);
        assert_string_equal(got.code, "TIMEOUT");
        assert_in_range(beating.beats, 5, 31);
        /* Idle: the next thing that comes is a beat. */
        while (channel_next(&beating.channel, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&beating.channel), 0);
        beating.beats = 0;
        for (int i = 0; i < 200; i++) {
                rig_code(&beating, "new Array(20000).join('text')", 0, &got);
                assert_string_equal(got.code, "");
        }
        assert_int_equal(rig_stop(&beating), 0);
}

static void a_closed_channel_ends_the_worker(void **state)
{
        struct wire_spawn_setup setup = rig_setup();
        struct rig other;
        int status;

        (void)state;
        rig_start(&other, &setup);
        status = rig_stop(&other);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_endless_task_times_out),
                cmocka_unit_test(time_outs_leave_no_trace),
                cmocka_unit_test(a_long_text_stops_while_it_is_compiled),
                cmocka_unit_test(unbounded_growth_ends_in_out_of_memory),
                cmocka_unit_test(recursion_and_nesting_never_crash),
                cmocka_unit_test(a_cancel_stops_only_its_task),
                cmocka_unit_test(cpu_time_is_limited),
                cmocka_unit_test(beats_come_while_busy_and_while_idle),
                cmocka_unit_test(a_closed_channel_ends_the_worker),
        };

        (void)argc;
        rig_raise_stack(argv);
        return cmocka_run_group_tests(tests, start, stop);
}

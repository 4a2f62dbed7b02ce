"""execute-code and execute-function as a caller meets them: values both ways, errors, logs, limits, a fresh world."""
import math
import random

import msgpack

from harness import Daemon
from tap import case, run

# One worker, so that every case also shows that the one before left it usable.
POOL = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0, "maxMemoryBytes": "16MiB"}}}
FIBONACCI = "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }"


def value_of(record):
    assert record["state"] == "succeeded", record.get("error", record)
    return record.get("value")


def error_of(record, code):
    assert record["state"] == "failed" and "value" not in record, record
    assert record["error"]["code"] == code, record["error"]
    assert record["error"]["message"], record["error"]
    return record["error"]


def worker_pid(client):
    return client.code("1")["attempts"][0]["pid"]


def same(a, b):
    """Equal, types and the sign of zero included; NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b


# ---- programs and functions ----

@case
def a_program_gives_its_completion_value(daemon):
    with daemon.client() as client:
        for code, value in (("6 * 7", 42), ('return "Hello from worker";', "Hello from worker"), ("", None),
                            ("var a = 1; a + 1;", 2), ("if (true) { 'yes' } else { 'no' }", "yes"), ("// only words", None),
                            ("if (1) return 'early'; 'late'", "early"), ("return", None)):
            assert value_of(client.code(code)) == value, code


@case
def context_entries_are_globals(daemon):
    with daemon.client() as client:
        assert value_of(client.code("a.b[1] + n", context={"a": {"b": [1, 2]}, "n": 40})) == 42
        assert value_of(client.code("return [a, typeof b]", context={"a": None})) == [None, "undefined"]


@case
def a_function_is_called_with_its_arguments(daemon):
    with daemon.client() as client:
        assert value_of(client.function(FIBONACCI, 10)) == 55
        assert value_of(client.function("function (a, b) { return a + b; }", "x", "y")) == "xy"
        assert value_of(client.function("(function () { return arguments.length; })", 1, 2, 3)) == 3
        assert value_of(client.run({"type": "execute-function", "code": "return function (n) { return n * 2; };",
                                    "args": [21]})) == 42
        assert value_of(client.run({"type": "execute-function", "code": "return 7;"})) == 7


@case
def what_is_no_function_is_said_so(daemon):
    with daemon.client() as client:
        error_of(client.function("42"), "TASK_ERROR")


@case
def thenables_are_awaited(daemon):
    with daemon.client() as client:
        assert value_of(client.code("({then: function (ok) { ok(5); }})")) == 5
        assert value_of(client.function("function () { return {then: function (ok) { ok([1]); }}; }")) == [1]
        error = error_of(client.code("({then: function (ok, no) { no(new RangeError('far')); }})"), "TASK_ERROR")
        assert error["name"] == "RangeError" and error["message"] == "far", error
        error_of(client.code("({then: function () {}})"), "TASK_ERROR")


# ---- values ----

@case
def values_come_back_as_they_went_in(daemon):
    with daemon.client() as client:
        for value in (None, True, False, 0, 1, -1, 255, 256, 1 << 31, -(1 << 31) - 1, (1 << 53) - 1, 1 - (1 << 53), 1.5,
                      -0.25, 1e300, 5e-324, math.inf, -math.inf, math.nan, "", "plain", "\x00\x1f", "\u00fc\u20ac",
                      "\U0001f600 surrogates", b"", b"\x00\xff" * 100, [], [[]], [None, [1, "a"]], {}, {"a": {"b": [1]}},
                      {"": 1}, {"__proto__": 1}, {"constructor": 1, "toString": 2}, {"length": 3},
                      ["x" * 70000], list(range(1000))):
            record = client.function("function (x) { return x; }", value)
            got = value_of(record)
            assert same(got, value), f"{value!r:.200} came back as {got!r:.200}"


@case
def numbers_beyond_53_bits_become_the_nearest(daemon):
    with daemon.client() as client:
        for number in ((1 << 53) + 1, 1 << 63, (1 << 64) - 1, -(1 << 63)):
            assert float(value_of(client.function("function (x) { return x; }", number))) == float(number)


@case
def keys_that_are_no_strings_become_strings(daemon):
    with daemon.client() as client:
        assert value_of(client.function("function (x) { return x; }", {1: "a", "b": 2})) == {"1": "a", "b": 2}


@case
def dates_travel_as_timestamps(daemon):
    with daemon.client() as client:
        moment = msgpack.Timestamp(1700000000, 123000000)
        assert value_of(client.function("function (d) { return d.getTime(); }", moment)) == 1700000000123
        assert value_of(client.code("new Date(1700000000123)")) == moment
        assert value_of(client.code("[new Date(0)]")) == [msgpack.Timestamp(0, 0)]


@case
def script_values_have_a_documented_outcome(daemon):
    with daemon.client() as client:
        for code, value in (("undefined", None), ("null", None), ("[1,,3]", [1, None, 3]), ("-0", -0.0),
                            ("[undefined, function () {}]", [None, None]), ("({f: function () {}, b: 1})", {"b": 1}),
                            ("new Number(5)", 5), ("new String('s')", "s"), ("new Boolean(false)", False),
                            ("({toJSON: function () { return 'json'; }})", "json"), ("new Uint8Array([1, 2])", b"\x01\x02"),
                            ("new Float64Array([1.5, 2.5])", [1.5, 2.5]), ("'\\ud83d\\ude00'", "\U0001f600"),
                            ("9007199254740991", 9007199254740991), ("Object.create({inherited: 1})", {})):
            got = value_of(client.code(code))
            assert same(got, value), f"{code}: {got!r}"
        assert value_of(client.code("new TypeError('no')"))["message"] == "no"


@case
def impossible_results_fail_and_harm_nobody(daemon):
    with daemon.client() as client:
        pid = worker_pid(client)
        error_of(client.code("var a = {}; a.self = a; a"), "TASK_ERROR")
        error_of(client.code("({get x() { throw new Error('getter'); }})"), "TASK_ERROR")
        error_of(client.code("({toJSON: function () { throw 1; }})"), "TASK_ERROR")
        error_of(client.code("var a = []; for (var i = 0; i < 100; i++) a = [a]; a"), "RESULT_TOO_LARGE")
        error_of(client.code("var s = 'x'; while (s.length < 2e6) s += s; s"), "RESULT_TOO_LARGE")
        assert worker_pid(client) == pid


# ---- errors ----

@case
def errors_keep_name_message_and_line(daemon):
    with daemon.client() as client:
        error = error_of(client.code("var x = 1;\n\nthrow new TypeError('no');"), "TASK_ERROR")
        assert error["name"] == "TypeError" and error["message"] == "no" and ":3" in error["stack"], error
        error = error_of(client.code("var x = 1;\n\nif (x) throw new RangeError('body');\nreturn x;"), "TASK_ERROR")
        assert error["name"] == "RangeError" and ":3" in error["stack"], error
        error = error_of(client.function("function () {\n  return nothing.here;\n}"), "TASK_ERROR")
        assert error["name"] == "ReferenceError" and ":2" in error["stack"], error
        assert "0x" not in error["stack"], error


@case
def anything_can_be_thrown(daemon):
    with daemon.client() as client:
        pid = worker_pid(client)
        for code in ("throw 42", "throw 'text'", "throw undefined", "throw null", "throw {a: 1}", "throw [1]",
                     "throw {toString: function () { throw 1; }}", "throw Object.create(null)", "throw function () {}",
                     "var e = new Error('x'); Object.defineProperty(e, 'message', {get: function () { throw e; }}); throw e",
                     "var e = new Error('x'); e.stack = {}; e.name = 7; throw e"):
            record = client.code(code)
            assert record["state"] == "failed" and record["error"]["code"] == "TASK_ERROR", (code, record)
        assert worker_pid(client) == pid


@case
def code_that_does_not_compile_is_never_retried(daemon):
    with daemon.client() as client:
        for code in ("var = 1", "1 +", "return return", "'open"):
            record = client.run({"type": "execute-code", "code": "\n" + code}, maxAttempts=3, retryDelay=1)
            assert len(record["attempts"]) == 1, record
            error_of(record, "SYNTAX_ERROR")
        error_of(client.function("function ("), "SYNTAX_ERROR")


@case
def console_output_is_kept_in_order(daemon):
    with daemon.client() as client:
        record = client.code("console.log('a', 1, {x: [1]}); console.warn('b'); console.error('c'); 1")
        assert [entry["level"] for entry in record["logs"]] == ["log", "warn", "error"] or \
            [entry["level"] for entry in record["logs"]] == ["info", "warn", "error"], record["logs"]
        assert record["logs"][0]["text"].startswith("a 1 ") and record["logs"][2]["text"] == "c", record["logs"]
        assert all(entry["at"] >= 0 for entry in record["logs"]) and not record.get("truncated")
        record = client.code("console.log('kept'); throw new Error('after')")
        assert record["logs"][0]["text"] == "kept", record


@case
def console_output_is_bounded_and_says_so(daemon):
    with daemon.client() as client:
        record = client.code("var s = new Array(1000).join('x'); for (var i = 0; i < 20000; i++) console.log(s); 1")
        assert record["value"] == 1 and record["truncated"] is True, record.get("error")
        assert sum(len(entry["text"]) for entry in record["logs"]) < 4 << 20


# ---- limits ----

@case
def a_deadline_interrupts_script_and_native_loops(daemon):
    with daemon.client() as client:
        pid = worker_pid(client)
        for code in ("while (1);", "for (;;) new Date().getTimezoneOffset();", "var a = []; a[1e6] = 1; while (1) a.sort();",
                     "throw {toString: function () { while (1); }}", "({toJSON: function () { while (1); }})",
                     "({get x() { while (1); }})", "/(a+)+$/.test(new Array(40).join('a') + 'b')",
                     "while (1) { try { throw 1; } catch (e) {} }", "({then: function () { while (1); }})",
                     "while (1) JSON.parse(JSON.stringify({a: [1, 2, 3]}));", "while (1) console.log('again');"):
            record = client.code(code, options={"timeout": 200})
            assert record["error"]["code"] == "TIMEOUT", (code, record)
            assert 190 <= record["runMs"] < 1000, (code, record["runMs"])
            assert worker_pid(client) == pid, code


@case
def memory_is_bounded_and_the_worker_survives(daemon):
    with daemon.client() as client:
        pid = worker_pid(client)
        for code in ("var a = []; while (1) a.push(a.length);", "var s = 'x'; while (1) s += s;",
                     "var a = []; while (1) a.push(new Uint8Array(100000));", "var o = {}; while (1) o = {o: o};",
                     "var f = null; while (1) f = (function (g) { return function () { return g; }; })(f);"):
            record = client.code(code, options={"timeout": 20000})
            error_of(record, "OUT_OF_MEMORY")
            assert record["maxMemoryBytes"] <= 16 << 20, record
            assert worker_pid(client) == pid, code


@case
def memory_that_is_given_back_is_no_error(daemon):
    with daemon.client() as client:
        code = "for (var i = 0; i < 2000; i++) { var a = new Uint8Array(1000000); a[0] = 1; } 'done'"
        assert value_of(client.code(code)) == "done"
        assert value_of(client.code("try { var s = 'x'; while (1) s += s; } catch (e) { s = null; 'caught'; }")) == "caught"


@case
def deep_recursion_is_an_error_only(daemon):
    with daemon.client() as client:
        pid = worker_pid(client)
        for code in ("function f() { return f() + 1; } f()", "var s = ''; for (var i = 0; i < 20000; i++) s += '['; eval(s)",
                     "var s = ''; for (var i = 0; i < 50000; i++) s += '['; JSON.parse(s)",
                     "var s = ''; for (var i = 0; i < 20000; i++) s += '('; new RegExp(s)",
                     "var o = {toJSON: function () { return JSON.stringify(o); }}; JSON.stringify(o)"):
            record = client.code(code, options={"timeout": 20000})
            assert record["state"] == "failed", record
            assert record["error"]["code"] in ("TASK_ERROR", "OUT_OF_MEMORY", "SYNTAX_ERROR"), record["error"]
            assert worker_pid(client) == pid, code


# ---- a fresh world ----

@case
def a_task_sees_nothing_of_the_machine(daemon):
    with daemon.client() as client:
        for name in ("require", "process", "Duktape", "print", "alert", "load", "module", "exports", "CBOR", "readFile"):
            assert value_of(client.code(f"typeof {name}")) == "undefined", name
        assert value_of(client.code("typeof globalThis")) == "object"


POLLUTIONS = (
    "leak = 1", "var hidden = 2", "Object.prototype.evil = 3", "Array.prototype.push = null", "Math.max = null",
    "JSON.stringify = function () { return 'lie'; }", "Function.prototype.call = null", "delete globalThis.Date",
    "Object.freeze(Object.prototype)", "globalThis.Array = undefined", "console.log = null", "String.prototype.x = 1",
    "Object.defineProperty(globalThis, 'undefinedish', {value: 1})", "Error.prototype.name = 'Mine'",
    "RegExp.prototype.exec = function () { return null; }", "Object.defineProperty = null", "Symbol = null")

PROBE = """
return [typeof leak, typeof hidden, ({}).evil === undefined, [1].push(2), Math.max(1, 2), JSON.stringify([1]),
    typeof Date, Object.isFrozen(Object.prototype), typeof Array, typeof console.log, 'a'.x === undefined,
    typeof undefinedish, new Error('m').name, /a/.exec('a')[0], typeof Object.defineProperty,
    Object.getOwnPropertyNames(globalThis).length, Object.getOwnPropertyNames(Object.prototype).length];
"""


@case
def no_task_sees_what_another_did(daemon):
    rng = random.Random(20)
    with daemon.client() as client:
        clean = value_of(client.code(PROBE))
        assert clean[:7] == ["undefined", "undefined", True, 2, 2, "[1]", "function"], clean
        for _ in range(300):
            client.code(";".join(rng.sample(POLLUTIONS, 3)))
            assert value_of(client.code(PROBE)) == clean


@case
def random_numbers_never_repeat(daemon):
    with daemon.client() as client:
        drawn = [value_of(client.code("Math.random()")) for _ in range(200)]
        assert len(set(drawn)) == 200 and all(0 <= x < 1 for x in drawn)
        assert 0.3 < sum(drawn) / 200 < 0.7


@case
def the_record_tells_what_the_run_used(daemon):
    with daemon.client() as client:
        record = client.code("var a = []; for (var i = 0; i < 100000; i++) a.push(i); a.length")
        assert record["runMs"] > 0 and record["cpuMs"] > 0 and record["queuedMs"] >= 0, record
        assert 100000 < record["maxMemoryBytes"] < 16 << 20, record
        assert record["type"] == "execute-code" and record["projectId"] == "default" and record["priority"] == 0, record
        assert all(layer in ("enforced", "partial", "absent") for layer in record["isolation"].values()), record
        assert record["isolation"], record


with Daemon(POOL) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

"""Tasks that attack the JavaScript worker. Each row is one attack and its one allowed outcome; after each, the same
process must serve the next task, and that one must find the world exactly as the first task found it.
"""
import random
import struct

import msgpack

from harness import Daemon
from tap import case, run

MEMORY = 16 << 20
POOL = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "autoScale": False, "maxTasksPerWorker": 0,
                              "maxMemoryBytes": MEMORY, "heartbeatInterval": "200ms", "missedHeartbeats": 20}},
        "queue": {"maxTaskBytes": "15MiB", "maxResultBytes": "1MiB"}}
TIMEOUT = 250

# Every object that can be reached from the globals, with every property's kind, attributes and primitive value.
FINGERPRINT = """
var seen = [], out = [];
function visit(o, path) {
    if (o === null || typeof o !== 'object' && typeof o !== 'function' || seen.indexOf(o) >= 0) return;
    seen.push(o);
    out.push(path + ' ' + Object.isExtensible(o));
    Object.getOwnPropertyNames(o).concat(Object.getOwnPropertySymbols(o)).forEach(function (name) {
        var d = Object.getOwnPropertyDescriptor(o, name), at = path + '.' + String(name);
        if (['global.seen', 'global.out', 'global.visit', 'global.performance.timeOrigin'].indexOf(at) >= 0) return;
        out.push(at + [typeof d.value, d.writable, d.enumerable, d.configurable, !!d.get, !!d.set,
                       typeof d.value === 'object' || typeof d.value === 'function' ? '' : String(d.value)]);
        visit(d.value, at); visit(d.get, at + ' get'); visit(d.set, at + ' set');
    });
    visit(Object.getPrototypeOf(o), path + ' proto');
}
visit(globalThis, 'global');
out.join('\\n')
"""


class Gives:
    """The attack may succeed, with exactly this value: it did no harm."""

    def __init__(self, value=None):
        self.value = value


def fingerprint(client):
    record = client.code(FINGERPRINT, {"timeout": 20000})
    assert record["state"] == "succeeded", record
    return record["value"], record["attempts"][0]["pid"]


def check_outcome(record, wanted, what):
    if isinstance(wanted, Gives):
        assert record["state"] == "succeeded" and record.get("value") == wanted.value, (what, record)
    else:
        assert record["state"] == "failed" and record["error"]["code"] in wanted.split("|"), (what, record)
        assert "message" in record["error"], (what, record)
    assert record["maxMemoryBytes"] <= MEMORY, (what, record)


def attack(daemon, rows, timeout=TIMEOUT):
    """Each row: the code, or a whole task; what must come of it."""
    with daemon.client() as client:
        clean = fingerprint(client)
        assert clean[0].count("\n") > 500, clean
        for task, wanted in rows:
            if isinstance(task, str):
                task = {"type": "execute-code", "code": task}
            record = client.run(task, timeout=timeout)
            check_outcome(record, wanted, str(task)[:200])
            assert record["attempts"][0]["pid"] == clean[1], (task, record)
            assert fingerprint(client) == clean, task


@case
def endless_loops_end_at_the_deadline(daemon):
    attack(daemon, [(code, "TIMEOUT") for code in (
        "for (;;) ;",
        "(function f() { for (;;) f.x = function () { return f; }; })()",
        "for (;;) { try { for (;;) ; } catch (e) { } finally { continue; } }",
        "function f() { try { f(); } catch (e) { f(); } finally { f(); } } f()",
        "for (;;) try { (function f() { f(); })(); } catch (e) { }",
        "for (;;) try { Array(1e6).join('xxxxxxxxxxxxxxxx'); } catch (e) { }",
        "var d; for (;;) d = new Date(2000, 1, 1).toLocaleString() + Date.parse('Sat Jan 1 2000');",
        "for (;;) 1e308 % 3e-308;",
        "for (;;) Math.random();",
        "for (;;) console.log('x');",
        "for (;;) eval('1');",
        "eval('for (;;) ;')",
        "new Function('for (;;) ;')()",
        "for (;;) new ArrayBuffer(100000);",
        "with (new Proxy({}, {has: function () { for (;;) ; }})) x;",
    )])


@case
def endless_native_functions_end_at_the_deadline(daemon):
    attack(daemon, [(code, "TIMEOUT") for code in (
        "var a = []; a[1000000] = 1; a.length = 1e9; a.sort()",
        "var a = []; a.length = 4294967295; a.join()",
        "var a = []; a.length = 1e9; a.reverse()",
        "var a = []; a.length = 1e9; a.indexOf(1)",
        "Array.prototype.map.call({length: 1e9}, Number)",
        "/(a+)+b/.test(Array(40).join('a'))",
        "/^(a|aa|aaa)*$/.test(Array(60).join('a') + 'b')",
        "Array(50000).join('a').replace(/a*?b/g, '')",
        "var f = function () { }; for (;;) f = f.bind(null, 1);",
        "[1, 2].sort(function () { for (;;) ; })",
        "'a'.replace(/a/, function () { for (;;) ; })",
        "JSON.parse('[1]', function () { for (;;) ; })",
    )] + [
        # A race between its end by time and its end by memory, which depends on the machine.
        ("Array(3e6).join('abcd').split('').sort()", "TIMEOUT|OUT_OF_MEMORY"),
    ])


@case
def endless_code_in_what_reads_the_result_ends_at_the_deadline(daemon):
    attack(daemon, [(code, "TIMEOUT") for code in (
        "({toJSON: function () { for (;;) ; }})",
        "({get a() { for (;;) ; }})",
        "Object.prototype.toJSON = function () { for (;;) ; }; ({})",
        "Object.defineProperty([], 0, {get: function () { for (;;) ; }})",
        "new Proxy({}, {ownKeys: function () { for (;;) ; }})",
        "new Proxy([], {get: function () { for (;;) ; }})",
        "({then: function () { for (;;) ; }})",
        "({get then() { for (;;) ; }})",
        "var p = {then: function (done) { done(p); }}; p",
        "throw {toString: function () { for (;;) ; }}",
        "throw {valueOf: function () { for (;;) ; }, toString: null}",
        "var o = {}; o[Symbol.toPrimitive] = function () { for (;;) ; }; throw o",
        "throw {get name() { for (;;) ; }}",
        "var e = new Error; Object.defineProperty(e, 'message', {get: function () { for (;;) ; }}); throw e",
        "var e = new Error; Object.defineProperty(e, 'stack', {get: function () { for (;;) ; }}); throw e",
        "console.log(new Proxy({}, {ownKeys: function () { for (;;) ; }}))",
        "console.log('%d', {valueOf: function () { for (;;) ; }})",
        "console.log('%j', {toJSON: function () { for (;;) ; }})",
    )])


@case
def code_outside_the_engine_never_makes_a_deadline_wait(daemon):
    long_text = "var s = '%s'; while (s.length < 1500000) s += s; "
    attack(daemon, [(long_text % letters + code, "TIMEOUT") for letters, code in (
        ("\\n", "var e = new Error(s); for (;;) e.stack"),
        ("\\u00e9", "for (;;) console.log(s)"),
        ("\\u00e9", "for (;;) console.log(Symbol(s))"),
        ("%%%%", "for (;;) console.log(s, 1)"),
        ("%%d", "for (;;) console.log(s, 1)"),
        ("x", "var o = {}; o[s] = 1; for (;;) console.log(o)"),
    )], timeout=600)


@case
def growth_without_bound_is_out_of_memory(daemon):
    attack(daemon, [(code, "OUT_OF_MEMORY") for code in (
        "var s = 'x'; for (;;) s += s",
        "var s = ['x']; for (;;) s.push('x' + s.length)",
        "var a = []; for (;;) a.push(new ArrayBuffer(65536))",
        "var a = []; for (;;) a.push(function () { return a; })",
        "var a = []; for (;;) a.push({})",
        "var o = {}; for (var i = 0;; i++) o['k' + i] = i",
        "new Uint8Array(1e9)", "new Buffer(1e9)", "new Float64Array(1e8)",
        "var f = 1; for (;;) f = (function (g) { return function () { return g; }; })(f)",
        "var a = []; try { for (;;) a.push({}) } catch (e) { } for (;;) a.push({}, e)",
        "var s = 'x'; while (s.length < 4000000) s += s; throw s + s + s + s",
        "({toJSON: function () { var a = []; for (;;) a.push({}); }})",
    )], timeout=20000)
    attack(daemon, [
        ("try { var s = 'x'; for (;;) s += s } catch (e) { s = null; e instanceof Error }", Gives(True)),
        ({"type": "execute-code", "code": "1", "context": {"x": [[0] * 10] * 90000}}, "OUT_OF_MEMORY"),
        ({"type": "execute-code", "code": "/*" + "x" * (14 << 20) + "*/1"}, "OUT_OF_MEMORY"),
        ({"type": "execute-function", "fn": "function (a) { return new Uint8Array(a).length; }",
          "args": [bytes(14 << 20)]}, "OUT_OF_MEMORY"),
    ], timeout=20000)


@case
def depth_is_refused_before_the_stack_ends(daemon):
    deep = "var s = ''; for (var i = 0; i < 100000; i++) s += '%s'; "
    attack(daemon, [(code, "TASK_ERROR|OUT_OF_MEMORY|TIMEOUT") for code in (
        "(function f() { f(); })()",
        *(deep % part + "eval(s + '1')"
          for part in ("(", "[", "{", "-", "a=", "1+(", "if(1)", "function f(){", "x?", "new ")),
        deep % "(" + "new RegExp(s)", deep % "(?:" + "new RegExp(s)", deep % "(?=" + "new RegExp(s)",
        deep % "(a*)*" + "new RegExp(s).test(s)",
        "/(a|b)*c/.test(Array(500000).join('a'))",
        deep % "[" + "JSON.parse(s)", deep % '{"a":' + "JSON.parse(s)",
        "var x = 1; for (var i = 0; i < 100000; i++) x = [x]; JSON.stringify(x)",
        "var x = 1; for (var i = 0; i < 50000; i++) x = [x]; String(x)",
        "JSON.parse('[1,2]', function (k) { if (k === '0') this[1] = this; })",
        "var x = {toJSON: function () { return JSON.stringify(x); }}; for (var i = 0; i < 900; i++) x = [x]; "
        "JSON.stringify(x)",
        "[2, 1].sort(function f() { [2, 1].sort(f); })",
        "'a'.replace(/a/, function f() { return 'a'.replace(/a/, f); })",
        "var o = {get x() { return o.x; }}; o.x", "var o = {toString: function () { return '' + o; }}; '' + o",
        "var p = new Proxy({}, {get: function (t, k, r) { return r[k]; }}); p.x",
        "var o = {}; for (var i = 0; i < 100000; i++) o = Object.create(o); o.x",
    )], timeout=2000)
    attack(daemon, [("(" * 100000 + "1", "SYNTAX_ERROR"), ("[" * 2000000, "SYNTAX_ERROR|OUT_OF_MEMORY")], timeout=5000)


@case
def results_that_cannot_be_carried_are_refused_by_name(daemon):
    attack(daemon, [
        ("var o = {a: []}; o.a[0] = o; o", "TASK_ERROR"),
        ("var o = {}; o.toJSON = function () { return {o: o}; }; o", "RESULT_TOO_LARGE|TASK_ERROR"),
        ("({get a() { throw new Error('mine'); }})", "TASK_ERROR"),
        ("({toJSON: function () { throw null; }})", "TASK_ERROR"),
        ("({toJSON: function () { return this; }})", Gives({})),
        ("new Proxy({}, {ownKeys: function () { throw 1; }})", "TASK_ERROR"),
        ("new Proxy([], {get: function (t, k) { return k === 'length' ? 4294967295 : 0; }})", "RESULT_TOO_LARGE"),
        ("var a = []; a.length = 4294967295; a", "RESULT_TOO_LARGE"),
        ("new Uint8Array(2000000)", "RESULT_TOO_LARGE"),
        ("new Float64Array(1048576)", "RESULT_TOO_LARGE"),
        ("Array(600000).join('\\u00e9')", "RESULT_TOO_LARGE"),
        ("Array(3000000).join('\\ud800')", "RESULT_TOO_LARGE|OUT_OF_MEMORY"),
        ("var x = 1; for (var i = 0; i < 30; i++) x = [x]; x", "RESULT_TOO_LARGE"),
        ("var x = 1; for (var i = 0; i < 20000; i++) x = {x: x}; x", "RESULT_TOO_LARGE"),
        ("function o() { return {get a() { return o(); }}; } o()", "RESULT_TOO_LARGE"),
        ("({then: function () { }})", "TASK_ERROR"),
        ("({then: function () { throw 1; }})", "TASK_ERROR"),
        ("throw {toString: function () { throw 1; }}", "TASK_ERROR"),
        ("throw Object.create(null)", "TASK_ERROR"),
        ("throw new Proxy({}, {get: function () { throw 1; }})", "TASK_ERROR"),
        ("throw undefined", "TASK_ERROR"),
        ("var o = {}; o.o = o; throw o", "TASK_ERROR"),
        ("throw Array(1000000).join('\\u00e9')", "TASK_ERROR"),
        ("throw new Error(Array(1000000).join('\\n'))", "TASK_ERROR"),
        ("var e = new Error('x'); e.name = e.stack = e.message = e; throw e", "TASK_ERROR"),
        ("var b = new Float64Array(2); Object.setPrototypeOf(b, Uint8Array.prototype); b", Gives(bytes(16))),
        ("var b = new Uint8Array(9); Object.setPrototypeOf(b, Float64Array.prototype); b.length", Gives(9)),
        ("Object.setPrototypeOf({a: 1}, Date.prototype)", Gives({"a": 1})),
        ("Object.setPrototypeOf({a: 1}, RegExp.prototype)", Gives({"a": 1})),
        ("Date.prototype.getTime = Number.prototype.valueOf = function () { return 7; }; new Number(3)", Gives(3)),
        ("var a = [1, 2, 3]; Object.defineProperty(a, 0, {get: function () { a.length = 1; return 0; }}); a",
         Gives([0, None, None])),
    ], timeout=5000)


# Bytes that are no UTF-8, and the engine's own spelling of characters beyond U+FFFF, must not get out: a strict client
# could not read the reply. The client of these tests is strict.
@case
def every_reply_is_text_that_can_be_read(daemon):
    odd = ("\\ud800", "\\udfff", "\\ud83d\\ude00", "\\udc00\\ud800", "\\u0082x", "\\u00ff", "\\u0000", "\\ufffe")
    rows = []
    for text in odd:
        rows += [(f"console.log('{text} %d', 1)", Gives()), (f"console.log('%s%%{text}', '{text}', '{text}')", Gives()),
                 (f"console.log(Symbol('{text}'), {{'{text}': '{text}'}}, ['{text}'])", Gives()),
                 (f"var o = {{}}; o['{text}'] = {{x: o}}; o", "TASK_ERROR"), (f"throw '{text}'", "TASK_ERROR"),
                 (f"var e = new Error('{text}'); e.name = '{text}'; e.stack; throw e", "TASK_ERROR"),
                 (f"throw {{'{text}': '{text}'}}", "TASK_ERROR"), (f"throw Symbol('{text}')", "TASK_ERROR"),
                 (f"'{text}' in", "SYNTAX_ERROR")]
    rows += [("var k = 'a'; while (k.length < 200) k += '\\u00e9'; var o = {}; o[k] = o; o", "TASK_ERROR"),
             ("var k = 'ab'; while (k.length < 200) k += '\\u20ac'; var o = {}; o[k] = o; o", "TASK_ERROR"),
             ("for (var i = 0; i < 9; i++) console.log(Array(9000 + i).join('\\ud83d\\ude00'), 1)", Gives()),
             ("throw Array(30000).join('\\u20ac')", "TASK_ERROR"),
             ("throw 'a' + Array(30000).join('\\u20ac')", "TASK_ERROR")]
    attack(daemon, rows, timeout=2000)
    with daemon.client() as client:
        record = client.code("console.log('\\ud83d\\ude00 %d \\ud800', 5); console.log(Symbol('\\ud83d\\ude00'))")
        assert [line["text"] for line in record["logs"]] == ["\U0001f600 5 \ufffd", "Symbol(\U0001f600)"], record


@case
def nothing_of_a_task_stays_in_the_world(daemon):
    each_global = "Object.getOwnPropertyNames(globalThis).forEach(function (n) { try { %s } catch (e) { } }); "
    attack(daemon, [
        ("leak = 1; var leak2 = 2; this.leak3 = 3; function leak4() { } undefined", Gives()),
        ("Object.prototype.evil = 1; Array.prototype.push = null; Function.prototype.call = eval; undefined", Gives()),
        (each_global % "delete globalThis[n];" + "undefined", Gives()),
        (each_global % "Object.freeze(globalThis[n]);" + "Object.freeze(globalThis); undefined", Gives()),
        ("Object.defineProperty(Object.prototype, 'type', {set: function () { throw 1; }}); "
         "Object.defineProperty(Array.prototype, 0, {set: function () { throw 1; }}); "
         "console.log({a: [1]}, new Date(0)); null", Gives()),
        ("JSON.stringify = JSON.parse = Error.prototype.toString = function () { return 'forged'; }; null", Gives()),
        ("console.log = 1; console = null; null", Gives()),
        ("Math.random = Date = Symbol = RegExp = null; null", Gives()),
        ("Object.setPrototypeOf(Function.prototype, null); null", Gives()),
        ("Object.setPrototypeOf(globalThis, {evil: 1}); null", Gives()),
        ("Symbol.for('evil'); Symbol.iterator.evil = 1; null", Gives()),
        ("/x/g.lastIndex = 5; RegExp.prototype.exec = null; null", Gives()),
        ("Object.defineProperty(Error.prototype, 'stack', {get: function () { throw 1; }}); null.x", "TASK_ERROR"),
        ("delete Error.prototype.stack; Error = null; null.x", "TASK_ERROR"),
        ({"type": "execute-code", "code": "typeof undefined + typeof Object",
          "context": {"undefined": 1, "Object": 2, "NaN": 3, "eval": 4, "console": 5, "globalThis": 6}},
         Gives("numbernumber")),
        ({"type": "execute-code", "code": "[({}).p, Object.keys(x), x.__proto__]",
          "context": {"__proto__": {"p": 1}, "x": {"__proto__": 2, "constructor": 3}}},
         Gives([None, ["__proto__", "constructor"], 2])),
    ], timeout=5000)


@case
def no_symbol_of_the_engine_is_shared_between_tasks(daemon):
    attack(daemon, [("var s = Symbol.for('shared'); Object.prototype[s] = 1; s.toString()", Gives("Symbol(shared)")),
                    ("({})[Symbol.for('shared')]", Gives())], timeout=2000)


@case
def the_engines_own_tools_are_out_of_reach(daemon):
    names = ("Duktape", "CBOR", "require", "process", "module", "exports", "print", "alert", "readFile", "setTimeout",
             "Uint8Array.allocPlain", "Uint8Array.plainOf", "String.fromBufferRaw", "String.fromBuffer", "Thread",
             "Pointer", "global", "window", "load", "os", "std", "Error.captureStackTrace")
    rows = [(f"typeof {name.split('.')[0]} === 'undefined' || typeof {name} === 'undefined'", Gives(True))
            for name in names]
    # A key that begins with 0xff is the engine's own: a finalizer, a proxy's target, a date's time, a getter.
    for key in ("Finalizer", "Value", "Target", "getter", "state", "Tracedata", "Source", "Callee", "Thread"):
        rows += [(f"var k = new Buffer([0xff].concat('{key}'.split('').map(function (c) "
                  "{ return c.charCodeAt(0); }))); "
                  "[k.toString(), String(k), new TextDecoder().decode(k), k + ''].every(function (s) "
                  "{ return s.charCodeAt(0) !== 0xff || s.length === 1; })", Gives(True))]
    rows += [
        ("[255, 130, 128, 129].every(function (c) { var o = {}; o[String.fromCharCode(c) + 'x'] = 1; "
         "return Object.keys(o).length === 1; })", Gives(True)),
        ("Object.getOwnPropertySymbols(new Date).length + Object.getOwnPropertySymbols(new Error).length", Gives(0)),
        ("(function () { return this; }).constructor('return typeof Duktape')()", Gives("undefined")),
        ("Object.getPrototypeOf(console.log).constructor('return typeof Duktape')()", Gives("undefined")),
        ("(function f() { return typeof f.caller + typeof arguments.callee.caller; })()", Gives("undefinedundefined")),
    ]
    attack(daemon, rows, timeout=2000)


def send_raw(client, task):
    """A task whose strings are bytes, UTF-8 or not; its record or the refusal."""
    client.seq += 1
    body = msgpack.packb({"op": "submit", "seq": client.seq, "task": task, "wait": True,
                          "options": {"maxAttempts": 1, "timeout": 2000}}, use_bin_type=False)
    client.write(struct.pack(">I", len(body)) + body)
    return client.reply(client.seq)["result"]


@case
def bytes_that_are_no_text_compile_to_nothing_dangerous(daemon):
    with daemon.client() as client:
        clean = fingerprint(client)
        # 0xbf begins the engine's bytecode; 0x80 to 0x82 and 0xff begin its symbols.
        for code in (b"\xbf\x01\x00\x00\x00", b"\xbf" + bytes(range(256)) * 8, b"\xff\xfe\x00", b"\x00" * 64,
                     b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"'\xff", b"#!\xff\n\xff", b"\\u{110000}", b"var \xc0\x80;"):
            record = send_raw(client, {"type": "execute-code", "code": code})
            check_outcome(record, "SYNTAX_ERROR", code)
            assert fingerprint(client) == clean, code
        for code, value in ((b"'\xff'.charCodeAt(0)", 0xfffd), (b"'\xbf\x82\xffFinalizer'.charCodeAt(2)", 0xfffd),
                            (b"Object.keys({'\xffFinalizer': 1}).length", 1),
                            (b"Object.keys({'\x82x\xff': 1}).length", 1)):
            check_outcome(send_raw(client, {"type": "execute-code", "code": code}), Gives(value), code)
        for key in (b"\xffFinalizer", b"\xffValue", b"\x80x", b"\x82x\xff", b"\x81x\xff1"):
            for code in (b"Object.keys(x).length + Object.getOwnPropertySymbols(x).length",
                         b"var n = 0; for (var k in x) n += k.charCodeAt(0) === 0xfffd; n"):
                record = send_raw(client, {"type": "execute-code", "code": code, "context": {b"x": {key: b"\xff"}}})
                check_outcome(record, Gives(1), key)
        assert fingerprint(client) == clean


@case
def large_inputs_are_taken_or_refused(daemon):
    count_arguments = "function () { return arguments.length; }"
    attack(daemon, [
        ({"type": "execute-code", "code": "1;" * 65536}, Gives(1)),
        ({"type": "execute-code", "code": "Object.keys(globalThis).length > 49999",
          "context": {f"k{i}": i for i in range(50000)}}, Gives(True)),
        ({"type": "execute-code", "code": "x.length", "context": {"x": [0] * 200000}}, Gives(200000)),
        ({"type": "execute-function", "fn": count_arguments, "args": [0] * 100000}, Gives(100000)),
        ({"type": "execute-function", "fn": count_arguments, "args": [0] * 1000000}, "TASK_ERROR|OUT_OF_MEMORY"),
        ({"type": "execute-code", "code": "1", "context": {f"k{i}": i for i in range(1000000)}}, "OUT_OF_MEMORY"),
    ], timeout=10000)


# ---- figures, logs and memory ----

@case
def a_task_cannot_make_up_what_is_told_of_it(daemon):
    with daemon.client() as client:
        record = client.code("Date.now = performance.now = function () { return 0; }; for (;;) ;",
                             {"timeout": 300})
        assert 20 < record["cpuMs"] and 250 < record["runMs"], record
        record = client.code("JSON.stringify = Date = null; console.log.toString = null; console.log('real'); "
                             "({logs: [{level: 'error', text: 'forged', at: 0}], cpuUs: 0, error: {code: 'TIMEOUT'}})")
        assert record["state"] == "succeeded" and [line["text"] for line in record["logs"]] == ["real"], record
        for name in ("TIMEOUT", "CANCELLED", "OUT_OF_MEMORY"):
            record = client.code(f"var e = new Error('x'); e.code = e.name = '{name}'; throw e")
            check_outcome(record, "TASK_ERROR", name)
        record = client.code("Object.prototype.get = 1; console.log({a: 1}); "
                             "console.log(new Proxy([], {get: function () { console.log('inner'); throw 1; }}))")
        assert [line["text"] for line in record["logs"]] == ["{ a: 1 }", "inner", "[]"], record


SECRET = "var s = 'topsecret'; while (s.length < 100000) s += s; var keep = []; "


@case
def memory_that_a_task_had_is_zero_for_the_next(daemon):
    with daemon.client() as client:
        for code in ("for (;;) keep.push(new Buffer(s))", "for (;;) keep.push(s + keep.length)",
                     "console.log(s); console.log({s: s}); s", "throw new Error(s)", "throw s",
                     "(function f(a, b, c) { f(s, b, c); })()"):
            client.code(SECRET + code, {"timeout": 3000})
            for size in (64, 4096, 1 << 20):
                probe = f"for (var b = new Uint32Array({size} / 4), n = 0, i = 0; i < b.length; i++) n |= b[i]; n"
                check_outcome(client.code(probe, {"timeout": 10000}), Gives(0), code)
            record = client.code("console.log('%s'); null")
            assert [line["text"] for line in record["logs"]] == ["%s"], record


# ---- signals at any moment ----

@case
def cancels_and_deadlines_at_any_moment_touch_no_other_task(daemon):
    rng = random.Random(4)
    kinds = (("for (;;) ;", None),
             ("var d; for (;;) d = new Date().toLocaleString()", None),
             ("for (;;) console.log(new Date, {a: [1, 'x']})", None),
             ("var a = []; for (var i = 0; i < 50000; i++) a.push(i); a.length", 50000),
             ("'short'", "short"),
             ("var a = []; for (var i = 0; i < 30000; i++) a.push({i: i}); a.length = 9; JSON.stringify(a).length", 73))
    with daemon.client() as client, daemon.client() as other:
        clean = fingerprint(client)
        for i in range(240):
            code, value = kinds[i % len(kinds)]
            task = client.submit({"type": "execute-code", "code": code}, maxAttempts=1, timeout=rng.randrange(1, 40))
            for _ in range(rng.randrange(2000)):
                pass
            if rng.random() < .7:
                other.call("cancel", id=task)
            record = client.call("wait", id=task)["result"]
            if record["state"] == "succeeded":
                assert value is not None and record["value"] == value, (code, record)
            else:
                assert record["error"]["code"] in ("CANCELLED", "TIMEOUT"), (code, record)
            following = client.code("6 * 7")
            assert following.get("value") == 42 and following["attempts"][0]["pid"] == clean[1], (code, following)
        assert fingerprint(client) == clean


@case
def heartbeats_never_break_into_a_reply(daemon):
    code = "var s = '%s'; while (s.length < 500000) s += s; console.log(s.slice(0, 50000)); s"
    with daemon.client() as client:
        pid = fingerprint(client)[1]
        seqs = [client.send("submit", task={"type": "execute-code", "code": code % letter},
                            options={"maxAttempts": 1}, wait=True) for letter in "abcdefgh" * 30]
        for i, seq in enumerate(seqs):
            record = client.reply(seq)["result"]
            assert set(record["value"]) == {"abcdefgh"[i % 8]} and len(record["value"]) == 1 << 19, i
            assert record["attempts"][0]["pid"] == pid, record["attempts"]


with Daemon(POOL) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

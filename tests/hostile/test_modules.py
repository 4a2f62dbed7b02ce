"""Modules that attack the worker they are loaded in: whatever they do while they load, when they are called and while
they fail, the next task in the same worker is served correctly and sees nothing of it."""
import pathlib
import shutil
import sys
import tempfile

from harness import Daemon
from tap import case, run

# One worker, which must survive all of it.
WORKER = {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0, "maxMemoryBytes": "32MiB"}

GOOD = "exports.sum = function (a, b) { return a + b + (Object.prototype.stain ? 1000 : 0) + (Array.prototype.stain ? 1000 : 0) }"

ATTACKS = {
    "pollutes": "Object.prototype.stain = Array.prototype.stain = 1; Object.prototype.then = function () { throw 1 };"
                "Function.prototype.call = null; module.exports = function () { return 1 }",
    "freezes": "[Object, Array, Function, String, Error].forEach(function (c) { Object.freeze(c); Object.freeze(c.prototype) });"
               "module.exports = function () { return 1 }",
    "deletes": "Object.getOwnPropertyNames(globalThis).forEach(function (n) { try { delete globalThis[n] } catch (e) {} });"
               "module.exports = function () { return require('util') && 1 }",
    "redefines": "Object.defineProperty(globalThis, 'process', {get: function () { throw 1 }}); Buffer = 7; module.exports = "
                 "function () { return require('string_decoder') && Buffer }",
    "getter": "Object.defineProperty(module, 'exports', {get: function () { throw new Error('got') }})",
    "getter-later": "var n = 0; Object.defineProperty(module, 'exports', {get: function () { if (n++ > 2) for (;;); return {} }})",
    "proxy": "module.exports = new Proxy({}, {get: function (t, k) { if (k === 'then') for (;;); return t[k] }})",
    "proxy-throws": "module.exports = new Proxy(function () {}, {get: function () { throw 1 }, apply: function () { throw 2 }})",
    "throws-proxy": "throw new Proxy(new Error('x'), {get: function () { throw new Error('y') }, getPrototypeOf: function () { throw 1 }})",
    "throws-code": "var e = new Error('forged'); e.code = 'MODULE_NOT_FOUND'; throw e",
    "throws-self": "var e = {toString: function () { return require('./throws-self') }}; throw e",
    "itself": "module.exports = require('./itself').x || function f() { return typeof require('./itself') }",
    "deep": "module.exports = function f(n) { return require('./deep')(n) }",
    "many-cycles": "for (var i = 0; i < 2000; i++) require('./many-cycles')",
    "name-object": "module.exports = function () { return require({toString: function () { return './good' }}) }",
    "name-nul": "module.exports = function () { return require('./good\\0.js') }",
    "name-dots": "var n = ''; for (var i = 0; i < 1300; i++) n += '../'; module.exports = function () { return require(n + 'x') }",
    "name-slashes": "module.exports = function () { return require('.' + new Array(4000).join('/') + 'good') && 1 }",
    "name-surrogate": "module.exports = function () { return require('./\\ud800\\udc00\\ud800') }",
    "name-symbol": "module.exports = function () { return require(Symbol('x')) }",
    "called-oddly": "module.exports = function () { var r = []; [function () { return new require('./good') }, function () { return "
                    "require.call(null, './good') }, function () { return require.apply({}, ['./good', 1, 2]) }, function () { return "
                    "Reflect.construct(require, ['./good']) }].forEach(function (f) { try { r.push(typeof f()) } catch (e) { r.push(e.name) } });"
                    " return r }",
    "hidden": "Object.getOwnPropertyNames(require).concat(Object.getOwnPropertySymbols(require)).forEach(function (k) { try { delete "
              "require[k] } catch (e) {} }); Object.setPrototypeOf(require, null); module.exports = function () { return require('./good') && 1 }",
    "tick-forever": "module.exports = function () { return {then: function () { process.nextTick(function f() { process.nextTick(f) }) }} }",
    "tick-throws": "module.exports = function () { return {then: function () { process.nextTick(function () { throw new Error('tick') }) }} }",
    "tick-odd": "process.nextTick.apply(null, [function () {}].concat(new Array(50000))); module.exports = function () { return {then: "
                "function (ok) { ok(1) }} }",
    "endless": "for (;;) { try { require('./good') } catch (e) {} }",
    "endless-missing": "for (var i = 0;; i++) { try { require('./gone' + i) } catch (e) {} }",
    "endless-syntax": "for (;;) { try { require('./broken') } catch (e) {} }",
    "hungry": "var a = []; for (;;) a.push(new Uint8Array(1 << 20))",
    "hungry-later": "module.exports = function () { var s = 'x'; for (;;) s += s }",
    "regexp": "module.exports = function () { return /^(a+)+$/.test(new Array(40).join('a') + 'b') }",
    "writes-env": "'use strict'; process.env.X = 1",
    "bytes": "\x00\x01\x02",
    "not-utf8": "module.exports = '\udcff'",
    "bytecode": "\xbf\x00\x00\x00",
}


def put(root, name, text):
    (root / f"{name}.js").write_bytes(text.encode("utf-8", "surrogateescape"))


@case
def no_module_harms_its_worker():
    root = pathlib.Path(tempfile.mkdtemp(prefix="poppo-root-"))
    for name, text in {**ATTACKS, "good": GOOD, "broken": "var = 1"}.items():
        put(root, name, text)
    config = {"daemon": {"worker": WORKER}, "taskTypes": {"execute-module": {"roots": [str(root)]}}}
    with Daemon(config) as daemon, daemon.client() as client:
        def call(path, method=None, *args):
            task = {"type": "execute-module", "modulePath": path, "args": list(args)}
            return client.run({**task, "method": method} if method else task, timeout=150 if path != "good" else 20000)

        first = call("good", "sum", 2, 3)["attempts"][0]["pid"]
        for name in ATTACKS:
            for method in (None, "method", "__proto__", "constructor", None):
                record = call(name, method, 1)
                assert record["state"] in ("succeeded", "failed"), (name, record)
                good = call("good", "sum", 2, 3)
                assert good.get("value") == 5, (name, method, record, good)
                assert good["attempts"][0]["pid"] == first, (name, method, record)
        assert client.code("[typeof require, typeof process, {}.stain]")["value"] == ["undefined", "undefined", None]
    shutil.rmtree(root)


@case
def a_forged_code_is_a_code_of_the_tasks_own():
    root = pathlib.Path(tempfile.mkdtemp(prefix="poppo-root-"))
    put(root, "forges", ATTACKS["throws-code"])
    with Daemon({"taskTypes": {"execute-module": {"roots": [str(root)]}}}) as daemon, daemon.client() as client:
        record = client.run({"type": "execute-module", "modulePath": "forges"})
        assert record["error"]["code"] == "TASK_ERROR", record
    shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(run())

"""execute-module as a caller meets it: packages of npm, errors with file and line, files that change, a loader that dies."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from builtins_table import ROWS
from harness import BUILD, Daemon, descendants, eventually
from packages import PACKAGES
from tap import case, note, run

# One worker, so that every case also shows that the one before left it usable.
WORKER = {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0, "maxMemoryBytes": "64MiB", "respawnBackoff": 1}

FILES = {
    "lib/sum.js": "exports.sum = function () {\n  var s = 0;\n  for (var i = 0; i < arguments.length; i++) s += arguments[i];\n"
                  "  return s\n}",
    "lib/needs.js": "exports.need = function (name) {\n  return require(name)\n}",
    "lib/syntax.js": "var fine;\nvar broken = ;\n",
    "lib/asks-for-broken.js": "\nrequire('./syntax')",
    "lib/throws.js": "exports.f = function () {\n  throw new RangeError('here')\n}",
    "lib/broken.json": "{\n  \"a\": 1,\n  nonsense\n}",
    "lib/version.js": "module.exports = 'one'",
    "lib/keeps.js": "var seen = []; exports.see = function (x) { seen.push(x); return seen }",
    "lib/evaluates.js": "module.exports = function (name, expression) {\n  var p = require(name), v;\n  try { v = Function('p', "
                        "'require', 'return ' + expression)(p, require) } catch (e) { v = 'threw ' + e.name }\n"
                        "  return JSON.stringify(v === undefined ? null : v)\n}",
}


def package_root():
    """A root with all packages from npm, made once for each list of them in this build folder."""
    wanted = sorted(f"{name}@{version}" for name, version, *_ in PACKAGES)
    root = BUILD / f"npm-{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:16]}"
    if root.exists():
        return root
    part = pathlib.Path(tempfile.mkdtemp(prefix="npm-part-", dir=BUILD))
    (part / "package.json").write_text('{"name": "root", "version": "1.0.0", "private": true}')
    npm = shutil.which("npm")
    assert npm, "npm is not installed, and the packages are to come from it"
    made = subprocess.run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--save-exact", *wanted],
                          cwd=part, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100)
    assert made.returncode == 0, f"npm install failed:\n{made.stdout[-2000:]}\n{made.stderr[-2000:]}"
    try:
        part.rename(root)
    except OSError:  # another run was faster
        shutil.rmtree(part)
    return root


def put(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Library:
    """A root of its own, and a daemon that loads from it."""

    def __init__(self, *more):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="poppo-root-"))
        put(self.root, FILES)
        self.daemon = Daemon(self.config(*more))
        self.client = self.daemon.client()

    def config(self, *more):
        return {"daemon": {"worker": WORKER}, "taskTypes": {"execute-module": {"roots": [str(self.root), *map(str, more)]}}}

    def call(self, path, *args, method=None, **options):
        task = {"type": "execute-module", "modulePath": path, "args": list(args)}
        return self.client.run({**task, "method": method} if method else task, **options)

    def value(self, path, *args, **options):
        record = self.call(path, *args, **options)
        assert record["state"] == "succeeded", record.get("error", record)
        return record["value"]

    def fails(self, code, path, *args, **options):
        """The error; and the next task in the same worker is fine."""
        record = self.call(path, *args, **options)
        assert record["state"] == "failed" and record["error"]["code"] == code, record
        assert self.value("lib/sum", 1, 2, 3, method="sum") == 6
        assert len(record["attempts"]) == 1
        return record["error"]

    def loader(self):
        return self.client.call("status")["daemon"]["loader"]

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *why):
        self.client.close()
        try:
            self.daemon.__exit__(*why)
        finally:
            shutil.rmtree(self.root)


# ---- packages ----

@case
def well_known_packages_give_the_answers_that_node_gives():
    assert len(PACKAGES) >= 30
    with Library(package_root()) as library:
        wrong = []
        for name, _, source, args, answer in PACKAGES:
            # In the root of the packages there is nothing of ours, so each is asked from beside them.
            use = package_root() / f"use-{name}.js"
            use.write_text(source)
            for _ in range(2):
                record = library.call(f"use-{name}.js", *args)
                if record.get("value") != answer or record["state"] != "succeeded":
                    wrong.append((name, record.get("error", record.get("value"))))
        assert not wrong, wrong
        assert len({record["pid"] for record in library.client.call("status")["workers"].values()}) == 1


def time_of(call, times=300):
    took = []
    for _ in range(times):
        start = time.monotonic()
        call()
        took.append(time.monotonic() - start)
    return sorted(took)[times // 2]


@case
def a_package_called_again_costs_little_more_than_hello():
    with Library(package_root()) as library:
        assert library.value("lodash", [1, 2, 3, 4], 2, method="chunk") == [[1, 2], [3, 4]]
        hello = time_of(lambda: library.client.code('return "Hello from worker";'))
        lodash = time_of(lambda: library.call("lodash", [1, 2, 3, 4], 2, method="chunk"))
        note(f"hello {hello * 1e6:.0f} us, lodash {lodash * 1e6:.0f} us: {lodash / hello:.2f} times as long (aim: 2)")
        assert lodash < 6 * hello


@case
def built_in_modules_answer_as_those_of_node():
    with Library() as library:
        for name, expression, answer in ROWS:
            for spelled in (name, "node:" + name):
                assert library.value("lib/evaluates", spelled, expression) == answer, (name, expression)


# ---- errors ----

@case
def what_is_not_there_is_named_with_who_wanted_it():
    with Library() as library:
        for path, part in (("lib/nothing", 'cannot find module "lib/nothing": no root has such a file'),
                           ("../lib/sum", 'leave the root'), ("lib/../../x", "leave the root"), ("/etc/passwd", "no root has such"),
                           ("fs", "not available in the sandbox")):
            assert part in library.fails("MODULE_NOT_FOUND", path)["message"], path
        for name in ("fs", "child_process", "net", "node:http", "os"):
            error = library.fails("MODULE_NOT_FOUND", "lib/needs", name, method="need")
            assert f'cannot find module "{name}" (required by lib/needs.js:2)' in error["message"], error
            assert "(lib/needs.js:2)" in error["stack"], error
        error = library.fails("MODULE_NOT_FOUND", "lib/needs", "../../outside", method="need")
        assert "(required by lib/needs.js:2)" in error["message"] and "leave the root" in error["message"], error


@case
def links_do_not_lead_out():
    with Library() as library:
        outside = pathlib.Path(tempfile.mkdtemp(prefix="poppo-outside-"))
        (outside / "secret.js").write_text("module.exports = 'secret'")
        os.symlink(outside / "secret.js", library.root / "lib/absolute.js")
        os.symlink(os.path.relpath(outside / "secret.js", library.root / "lib"), library.root / "lib/relative.js")
        os.symlink(outside, library.root / "lib/folder")
        os.symlink("sum.js", library.root / "lib/inside.js")
        for path in ("lib/absolute", "lib/relative", "lib/folder/secret"):
            message = library.fails("MODULE_NOT_FOUND", path)["message"]
            assert "is a symbolic link that leaves its root" in message, message
        assert library.value("lib/inside", 2, 3, method="sum") == 5
        shutil.rmtree(outside)


@case
def a_syntax_error_names_file_and_line_and_is_not_retried():
    with Library() as library:
        for path, part in (("lib/syntax", "(lib/syntax.js:2)"), ("lib/asks-for-broken", "(lib/syntax.js:2)"),
                           ("lib/broken.json", "(lib/broken.json:3)")):
            error = library.fails("SYNTAX_ERROR", path, maxAttempts=3)
            assert part in error["message"], error


@case
def a_throw_has_a_stack_with_modules_and_lines():
    with Library() as library:
        error = library.fails("TASK_ERROR", "lib/throws", method="f")
        assert error["name"] == "RangeError" and error["stack"] == "RangeError: here\n    at [anon] (lib/throws.js:2)", error
        error = library.fails("TASK_ERROR", "lib/throws", method="g")
        assert error["name"] == "TypeError" and 'module "lib/throws" has no method "g"' in error["message"], error


@case
def without_roots_there_are_no_modules():
    with Daemon({"daemon": {"worker": WORKER}}) as daemon, daemon.client() as client:
        record = client.run({"type": "execute-module", "modulePath": "lib/sum"})
        assert record["error"]["code"] == "MODULE_NOT_FOUND" and "no roots are configured" in record["error"]["message"], record
        assert client.run({"type": "execute-module", "modulePath": "path", "method": "basename", "args": ["/a/b"]})["value"] == "b"
        assert "loader" not in client.call("status")["daemon"]


# ---- time ----

@case
def nothing_of_a_call_is_in_the_next_one():
    with Library() as library:
        for word in ("first", "second", "third"):
            assert library.value("lib/keeps", word, method="see") == [word]


@case
def a_changed_module_is_seen():
    with Library() as library:
        for word in ("one", "two, which is longer", "three"):
            put(library.root, {"lib/version.js": f"module.exports = '{word}'"})
            time.sleep(0.03)
            assert library.value("lib/version") == word


@case
def a_reload_brings_other_roots():
    with Library() as library:
        other = pathlib.Path(tempfile.mkdtemp(prefix="poppo-root-"))
        put(other, {"lib/version.js": "module.exports = 'other'", "lib/sum.js": FILES["lib/sum.js"]})
        assert library.value("lib/version") == "one"
        first = library.loader()["pid"]
        for roots, word in (([other, library.root], "other"), ([library.root], "one"), ([other], "other")):
            config = library.config()
            config["taskTypes"]["execute-module"]["roots"] = list(map(str, roots))
            library.daemon.write_config(config)
            library.client.call("reload")
            time.sleep(0.03)
            assert library.value("lib/version") == word, roots
        assert library.loader()["pid"] != first
        library.client.call("reload")
        second = library.loader()["pid"]
        library.client.call("reload")
        assert library.loader()["pid"] == second
        config["taskTypes"] = {}
        library.daemon.write_config(config)
        library.client.call("reload")
        assert "loader" not in library.client.call("status")["daemon"]
        time.sleep(0.03)
        record = library.call("lib/version")
        assert record["error"]["code"] == "MODULE_NOT_FOUND", record
        shutil.rmtree(other)


# ---- the loader ----

@case
def a_loader_that_dies_is_started_again_and_tasks_are_tried_again():
    with Library() as library:
        for i in range(5):
            before = library.loader()["pid"]
            library.daemon.strike(before)
            put(library.root, {f"lib/new-{i}.js": f"module.exports = {i}"})
            assert library.value(f"lib/new-{i}", maxAttempts=20, retryDelay=5) == i
            after = eventually(lambda: library.loader().get("pid") not in (None, before) and library.loader(), "another loader")
            assert after["restarts"] == i + 1


@case
def a_question_that_the_loader_dies_over_is_answered():
    with Library() as library:
        library.daemon.strike(library.loader()["pid"], signal.SIGSTOP)
        seq = library.client.send("submit", wait=True, options={"maxAttempts": 1},
                                  task={"type": "execute-module", "modulePath": "lib/sum", "method": "sum"})
        with library.daemon.client() as second:
            eventually(lambda: second.call("status")["totals"]["busy"] == 1, "the task runs")
        time.sleep(0.05)
        pid = next(p for p, (_, name) in descendants(library.daemon.pid).items() if name == "poppod-loader")
        library.daemon.strike(pid)
        record = library.client.reply(seq)["result"]
        assert record["error"]["code"] == "LOADER_UNAVAILABLE", record
        assert library.value("lib/sum", 1, method="sum", maxAttempts=20, retryDelay=5) == 1


@case
def a_deadline_and_a_cancel_hold_while_the_loader_says_nothing():
    with Library() as library:
        assert library.value("lib/sum", 1, method="sum") == 1
        worker = library.call("lib/sum", 1, method="sum")["attempts"][0]["pid"]
        library.daemon.strike(library.loader()["pid"], signal.SIGSTOP)
        started = time.monotonic()
        record = library.call("lib/version", timeout=100)
        assert record["error"]["code"] == "TIMEOUT" and time.monotonic() - started < 2, record
        seq = library.client.send("submit", task={"type": "execute-module", "modulePath": "lib/keeps"}, wait=True)
        with library.daemon.client() as second:
            running = eventually(lambda: [t for t in second.call("list", state="running")["tasks"]], "the task runs")
            second.call("cancel", id=running[0]["id"])
        assert library.client.reply(seq)["result"]["state"] == "cancelled"
        library.daemon.strike(next(p for p, (_, name) in descendants(library.daemon.pid).items() if name == "poppod-loader"),
                              signal.SIGCONT)
        record = library.call("lib/version")
        assert record["value"] == "one" and record["attempts"][0]["pid"] == worker, record


if __name__ == "__main__":
    import sys
    sys.exit(run())

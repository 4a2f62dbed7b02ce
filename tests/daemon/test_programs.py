"""Programs: any executable that speaks the worker protocol, started once, reused, and held by the profile it is given."""
import os
import pathlib
import re
import shutil
import time

from handlers import SANITIZED, Handlers, error_of, pid_of, value_of
import groups
from harness import descendants, eventually, process_table
from tap import case, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELD = (ROOT / "tests/handlers/held.py").read_text()
NODE = (ROOT / "tests/handlers/node.js").read_text()
PAGE = (ROOT / "man/poppo-protocol.7").read_text().replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")
PROFILES = ("js", "http", "shell")


def example():
    """The program on the manual's page, as it is printed."""
    displays = re.findall(r"\.Bd -literal.*?\n(.*?)\n\.Ed", PAGE, re.DOTALL)
    return next(text for text in displays if 'send(op="ready")' in text)


def types(daemon):
    held = daemon.script("held.py", HELD)
    words = daemon.script("words.py", example() + "\n")
    return {"words": {"program": words, "profile": "js"},
            "node": {"program": [shutil.which("node"), daemon.script("node.js", NODE)], "processes": 1},
            **{f"held-{profile}": {"program": held, "profile": profile} for profile in PROFILES},
            "online": {"program": held, "profile": "shell", "network": True}}


def held(client, profile, how, **options):
    return client.run({"type": f"held-{profile}", "how": how}, **options)


def node(client, fn, *args, **options):
    return client.run({"type": "node", "fn": fn, "args": list(args)}, **options)


# ---- what a program does ----

@case
def the_example_of_the_manual_runs_as_printed(daemon):
    with daemon.client() as client:
        record = client.run({"type": "words", "text": "the quick brown foxes"})
        assert value_of(record) == {"words": 4, "longest": "quick"}, record
        weak = {layer for layer, state in record["isolation"].items() if state != "enforced"}
        weak -= {layer for layer, state in groups.layers().items() if record["isolation"][layer] == state}
        assert weak <= ({"closedFds"} if SANITIZED else set()) | ({"uid"} if os.geteuid() else set()), record["isolation"]
        record = client.run({"type": "words", "text": 7})
        assert "split" in error_of(record, "TASK_ERROR") and record["error"]["name"] == "AttributeError", record
        assert "count_words" in record["error"]["stack"], record
        value_of(client.run({"type": "words", "text": "one more"}))
        assert client.call("stats")["metrics"]["words"]["words_counted"] == {
            "kind": "counter", "help": "Words that were counted.", "value": 6}
    text = example().splitlines()
    assert 30 <= len(text) <= 50 and max(map(len, text)) <= 110, len(text)


@case
def node_runs_functions_with_its_own_engine(daemon):
    with daemon.client() as client:
        assert value_of(node(client, "(a, b) => a + b", 40, 2)) == 42
        assert value_of(node(client, "async function (n) { return [...Array(n).keys()].map((x) => x ** 2); }", 4)) == [0, 1, 4, 9]
        values = [None, True, False, 0, -1, 127, 128, -32, -33, 2 ** 40, -2 ** 40, 0.5, "", "ä" * 40, b"\0\xff", [], {},
                  [[1], {"a": {}}], {"k" * 40: list(range(20))}]
        assert value_of(node(client, "(...args) => args", *values)) == values
        record = node(client, "() => { console.log('one', {a: 1}); console.error('two'); throw new RangeError('no'); }")
        assert error_of(record, "TASK_ERROR") == "no" and record["error"]["name"] == "RangeError", record
        assert [(line["level"], line["text"]) for line in record["logs"]] == [("log", "one { a: 1 }"), ("error", "two")], record
        assert len(client.run({"type": "node", "fn": "("}, maxAttempts=3)["attempts"]) == 1


@case
def node_runs_ten_thousand_tasks_in_one_process(daemon):
    fn = "(n) => { globalThis.calls = (globalThis.calls || 0) + 1; return [n * n, globalThis.calls]; }"
    with daemon.client() as client:
        first = value_of(node(client, fn, 1, projectId="many"))[1]
        pid = pid_of(node(client, fn, 1, projectId="many"))
        for batch in range(10):
            waiting = {}
            for n in range(1000):
                waiting[client.send("submit", task={"type": "node", "fn": fn, "args": [n]}, wait=True,
                                    options={"maxAttempts": 1, "projectId": "many"})] = n
            for seq, n in waiting.items():
                record = client.reply(seq)["result"]
                assert value_of(record)[0] == n * n and pid_of(record) == pid, record
        assert value_of(node(client, fn, 1, projectId="many"))[1] == first + 10002


@case
def a_program_that_is_killed_costs_the_task_that_it_ran(daemon):
    fn = "(n) => new Promise((done) => setTimeout(() => done(n), n % 10 ? 0 : 20))"
    with daemon.client() as client:
        before = pid_of(node(client, fn, 1, projectId="killed"))
        waiting = {client.send("submit", task={"type": "node", "fn": fn, "args": [n]}, wait=True,
                               options={"maxAttempts": 3, "retryDelay": 1, "projectId": "killed"}): n for n in range(300)}
        order = sorted(waiting)
        client.reply(order[50])
        assert daemon.strike(before)
        records = [client.reply(seq)["result"] for seq in order[:50] + order[51:]]
        assert all(record["state"] == "succeeded" for record in records)
        struck = [record for record in records if len(record["attempts"]) > 1]
        assert len(struck) <= 1 and all(r["attempts"][0]["outcome"] == "WORKER_CRASHED" for r in struck), struck
        assert pid_of(node(client, fn, 1, projectId="killed")) != before


@case
def a_timeout_and_a_cancel_end_a_program_that_does_not_listen(daemon):
    with daemon.client() as client, daemon.client() as other:
        before = pid_of(held(client, "shell", "fine"))
        record = held(client, "shell", "deaf", timeout=100)
        error_of(record, "TIMEOUT")
        assert 390 <= record["runMs"] < 1500 and pid_of(record) == before, record
        task = client.submit({"type": "held-shell", "how": "deaf"})
        eventually(lambda: other.call("result", id=task)["result"]["state"] == "running", "the task runs")
        started = time.monotonic()
        assert other.call("cancel", id=task)["state"] == "cancelled" and time.monotonic() - started < 1.5
        assert value_of(held(client, "shell", "fine")) == "fine"


@case
def a_program_is_told_its_settings(daemon):
    with daemon.client() as client:
        assert value_of(held(client, "js", "settings")) == {"env": {}}
        assert value_of(held(client, "js", "settings", projectId="small")) == {"env": {"PRIMES_MOST": "100"}}


@case
def silence_between_tasks_is_no_fault_of_a_program(daemon):
    with daemon.client() as client:
        before = pid_of(held(client, "shell", "fine"))
        time.sleep(0.8)  # twice what a silent worker of another class is allowed
        assert pid_of(held(client, "shell", "fine")) == before


@case
def a_program_that_has_sent_a_heartbeat_is_held_to_it(daemon):
    with daemon.client() as client:
        before = pid_of(held(client, "js", "beat", projectId="beats"))
        eventually(lambda: before not in descendants(daemon.pid), "it is found silent")
        assert pid_of(held(client, "js", "fine", projectId="beats")) != before


# ---- what it may not do ----

@case
def it_sees_its_jail_and_nothing_else(daemon):
    with daemon.client() as client:
        seen = value_of(held(client, "shell", "see"))
    assert seen["fds"] == [0, 1, 2, 3] and seen["here"] == "/task/work", seen
    assert set(seen["environment"]) - {"LC_CTYPE"} == {"PATH", "HOME", "LANG", "TMPDIR", "POPPO_TYPE"}, seen
    assert seen["environment"]["POPPO_TYPE"] == "held-shell"
    assert seen["uid"] != 0 and len(seen["processes"]) <= 2, seen
    assert set(seen["root"]) <= {"below", "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "task",
                                 "tmp", "usr", "var"}, seen["root"]


FORBIDDEN = "the program made a system call that its sandbox forbids"


def expect(client, profile, how, wanted):
    record = held(client, profile, how)
    if wanted is FORBIDDEN:
        assert error_of(record, "SYSCALL_DENIED").startswith(FORBIDDEN), (profile, how, record)
    elif isinstance(wanted, OSError):
        assert error_of(record, "TASK_ERROR") == str(wanted), (profile, how, record)
    else:
        assert value_of(record) == wanted, (profile, how, record)


DENIED, ABSENT = OSError("Permission denied"), OSError("No such file or directory")


@case
def each_profile_holds_what_it_is_for(daemon):
    rows = {  # how: js, http, shell
        "fork": (FORBIDDEN, FORBIDDEN, 7),
        "thread": (FORBIDDEN, 1, 1),
        "inet": (FORBIDDEN, "socket", "socket"),
        "unix": (FORBIDDEN, DENIED, "socket"),
        "listen": (FORBIDDEN, DENIED, "listening"),
        "write": (DENIED, DENIED, True),
        "shadow": (ABSENT, ABSENT, ABSENT),
        "jit": (True, True, True),  # what the start of a program needs, it may do later as well
        "ptrace": (FORBIDDEN, FORBIDDEN, -1),
    }
    with daemon.client() as client:
        for how, wanted in rows.items():
            for profile, outcome in zip(PROFILES, wanted):
                expect(client, profile, how, outcome)
    assert not pathlib.Path("/tmp/was-here").exists()


@case
def another_program_is_no_way_out_of_the_profile(daemon):
    """execve() cannot be told from the one that starts the program; what is started that way is held like it."""
    with daemon.client() as client:
        for profile in PROFILES:
            assert error_of(held(client, profile, "exec"), "WORKER_CRASHED") == "the program exited with status 0"
        for profile in ("js", "http"):
            assert error_of(held(client, profile, "exec-shell"), "SYSCALL_DENIED").startswith(FORBIDDEN)


@case
def how_a_program_ends_is_told_with_its_last_words(daemon):
    with daemon.client() as client:
        for how, message in (("exit", "the program exited with status 5: five   it is"),
                             ("exit0", "the program exited with status 0"),
                             ("stuck", "the program exited with status 110"),
                             ("crash", "the program was killed by signal 11 (SEGV)")):
            assert error_of(held(client, "shell", how), "WORKER_CRASHED") == message
        assert value_of(held(client, "shell", "fine")) == "fine"


@case
def nothing_of_a_program_outlives_it(daemon):
    with daemon.client() as client:
        record = held(client, "shell", "orphan")
        assert error_of(record, "WORKER_CRASHED") == "the program exited with status 3: left a child"
        pid = pid_of(held(client, "shell", "child"))
        inside = descendants(pid)
        assert len(inside) == 3, inside  # the jail's init, the program, its child
        assert daemon.strike(pid)
        eventually(lambda: all(process_table().get(p, "ZZ")[1] == "Z" for p in inside), "all of it is dead")


@case
def what_it_writes_to_the_channel_costs_the_program(daemon):
    daemon.errors_expected = True  # the master says so
    with daemon.client() as client:
        for how in ("rubbish", "other", "both", "layers", "metric", "output", "huge"):
            record = held(client, "js", how)
            assert "sent a frame that is not in order: " in error_of(record, "WORKER_CRASHED"), record
            assert value_of(held(client, "js", "fine")) == "fine"
        assert error_of(held(client, "js", "large"), "RESULT_TOO_LARGE") == "the result is larger than queue.maxResultBytes"


@case
def a_flood_on_standard_error_is_read_and_forgotten(daemon):
    with daemon.client() as client:
        record = held(client, "shell", "flood")
        assert value_of(record) == "said it"
        assert SANITIZED or daemon.rss(pid_of(record)) < 32 << 20


@case
def a_program_that_closes_its_channel_ends_at_the_deadline(daemon):
    with daemon.client() as client:
        error_of(held(client, "shell", "close", timeout=100), "TIMEOUT")
        assert value_of(held(client, "shell", "fine")) == "fine"


with Handlers(types) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

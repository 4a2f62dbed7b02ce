"""The master under valgrind: tasks of every outcome, deaths, refusals, a reload and a drain; no invalid access, no leak.

test_valgrind.py BUILD_ROOT VALGRIND. Its helpers run without: a worker's jump out of a signal handler is nothing that
valgrind could follow.
"""
import os
import signal
import sys

from harness import Closed, Daemon, Refused, eventually, runner_of
from client import frame
from tap import case, run

WRAPPER = [sys.argv[2], "-q", "--trace-children=no", "--error-exitcode=9", "--leak-check=full",
           "--errors-for-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=yes"]
CONFIG = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 3, "maxTasksPerWorker": 20, "respawnBackoff": 1,
                                "maxMemoryBytes": "16MiB"}}, "defaults": {"retryDelay": 1}}
FOREVER = {"type": "execute-code", "code": "while (1);"}


def run_all_kinds(client):
    """Every outcome that a task can have."""
    assert client.code("console.log('x'); return context", context={"context": {"a": [1, 2.5, None]}})["value"]
    assert client.function("function (a) { return a; }", {"deep": [[[b"bytes"]]]})["state"] == "succeeded"
    for code, wanted in (("throw new Error('no')", "TASK_ERROR"), ("1 +", "SYNTAX_ERROR"),
                         ("var a = []; while (1) a.push(a.length);", "OUT_OF_MEMORY"),
                         ("var s = 'x'; while (s.length < 2e6) s += s; s", "RESULT_TOO_LARGE"), ("while (1);", "TIMEOUT")):
        assert client.code(code, options={"timeout": 5000 if wanted != "TIMEOUT" else 50})["error"]["code"] == wanted
    assert client.run({"type": "execute-code", "code": "throw 1"}, maxAttempts=3)["state"] == "dead"


def run_through_projects(client):
    """Limits, keys, delays, cancellation, lists; more tasks than a worker may run."""
    client.call("project-limit", projectId="narrow", limit=1)
    waits = [client.send("submit", task={"type": "execute-code", "code": "n", "context": {"n": n}}, wait=True,
                         options={"projectId": ("narrow", "wide")[n % 2], "priority": n % 11, "meta": {"n": str(n)}})
             for n in range(80)]
    assert [client.reply(seq)["result"]["value"] for seq in waits] == list(range(80))
    later = [client.submit(FOREVER, delay=60_000, key=f"k{n}") for n in range(5)]
    assert client.submit(FOREVER, delay=60_000, key="k0") == later[0]
    for task in later:
        client.call("cancel", id=task)
    running = client.submit(FOREVER, timeout=0)
    eventually(lambda: client.call("result", id=running)["result"]["state"] == "running", "it runs")
    client.call("cancel", id=running)
    assert client.call("wait", id=running)["result"]["state"] == "cancelled"
    for op in ("list", "stats", "status", "project-usage"):
        client.call(op)


def break_rules(daemon):
    """Frames and callers of every bad kind."""
    for data in (b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b"\0\0\0\0", frame({"op": "ping", "seq": 1})[:7]):
        with daemon.client() as client:
            client.write(data)
    with daemon.client() as client:
        client.send("submit", task=FOREVER, options={"timeout": 0}, wait=True)
        for op, fields in (("nothing", {}), ("submit", {"task": {}}), ("result", {"id": "x"}), ("wait", {"id": "0" * 36})):
            try:
                client.call(op, **fields)
            except Refused:
                pass


def kill_helpers(daemon, client):
    """A busy worker, then the spawner; both come back."""
    task = client.submit(FOREVER, maxAttempts=1, timeout=0)
    assert daemon.strike(runner_of(client, task))
    assert client.call("wait", id=task)["result"]["error"]["code"] == "WORKER_CRASHED"
    spawner = client.call("status")["daemon"]["spawner"]["pid"]
    assert daemon.strike(spawner)
    eventually(lambda: client.call("status")["daemon"]["spawner"].get("pid") not in (None, spawner), "a new spawner")
    assert client.code("2")["value"] == 2


def reload(daemon, client):
    daemon.write_config({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}})
    client.call("reload")
    daemon.write_config("{bad")
    try:
        client.call("reload")
    except Refused:
        pass
    eventually(lambda: client.call("stats")["totals"]["workers"] == 1, "the pool has shrunk")


def expect_silence(daemon):
    """Valgrind's status replaces poppod's own when it found something; its words begin with == and the pid."""
    said = [line for line in daemon.log.read_text().splitlines() if line.startswith("==")]
    assert not said, "\n".join(said)


@case
def the_master_is_clean_from_start_to_drain():
    with Daemon(CONFIG, wrapper=WRAPPER) as daemon:
        daemon.errors_expected = True
        assert "valgrind" in os.readlink(f"/proc/{daemon.pid}/exe")
        with daemon.client() as client:
            run_all_kinds(client)
            run_through_projects(client)
            break_rules(daemon)
            kill_helpers(daemon, client)
            reload(daemon, client)
            client.submit({"type": "execute-code", "code": "var end = Date.now() + 200; while (Date.now() < end);"})
        daemon.stop()
        expect_silence(daemon)


@case
def it_is_clean_when_it_is_stopped_in_the_middle():
    with Daemon(CONFIG, wrapper=WRAPPER) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        for number in range(30):
            client.send("submit", task=FOREVER, options={"timeout": 0}, wait=True)
            client.submit(FOREVER, delay=number * 1000)
        eventually(lambda: client.call("stats")["totals"]["busy"] == 3, "they run")
        os.kill(daemon.pid, signal.SIGTERM)
        eventually(lambda: client.call("status")["daemon"]["state"] == "draining", "it drains")
        os.kill(daemon.pid, signal.SIGTERM)
        try:
            while True:
                client.receive()
        except Closed:
            pass
        daemon.process.wait(60)
        assert daemon.process.returncode != 9, daemon.log_tail()
        expect_silence(daemon)


raise SystemExit(run())

"""The promises about large numbers. A normal run takes a small share of each; tools/check --long takes all of it."""
import os
import random
import signal
import time

from harness import Daemon, eventually
from tap import case, note, run

LONG = bool(os.environ.get("POPPO_LONG"))
SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
WORKERS = {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 1000, "maxMemoryBytes": "16MiB"}
FOREVER = {"type": "execute-code", "code": "while (1);"}
WINDOW = 128


def share(short, long):
    return long if LONG else short


def pipeline(client, tasks, on_record):
    """Runs all tasks, WINDOW of them under way at a time; each must be answered exactly once."""
    under_way = {}
    tasks = iter(tasks)
    while True:
        while len(under_way) < WINDOW and (task := next(tasks, None)) is not None:
            seq = client.send("submit", task=task[0], options={"maxAttempts": 1, **task[1]}, wait=True)
            under_way[seq] = task
        if not under_way:
            return
        reply = client.receive()
        task = under_way.pop(reply["seq"])
        assert reply["ok"], reply
        on_record(task, reply["result"])


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


# ---- nothing grows ----

@case
def memory_and_descriptors_stay_flat():
    count = share(20_000, 1_000_000)
    with Daemon({"daemon": {"worker": WORKERS}, "queue": {"resultTtl": 100}}) as daemon, daemon.client() as client:
        seen = {"n": 0}

        def on_record(task, record):
            assert record["value"] == task[0]["context"]["n"], record
            seen["n"] += 1
            if seen["n"] == count // 4:
                seen["rss"], seen["fds"] = daemon.rss(), daemon.fds()

        code = "n"
        started = time.monotonic()
        pipeline(client, (({"type": "execute-code", "code": code, "context": {"n": n}}, {}) for n in range(count)), on_record)
        note(f"{count / (time.monotonic() - started):.0f} tasks/s; {seen['rss']} bytes after a quarter, {daemon.rss()} at the end")
        totals = client.call("stats")["totals"]
        assert totals["completed"] == count and totals["failed"] == 0, totals
        eventually(lambda: daemon.fds() <= seen["fds"] + 4, "descriptors are given back")
        assert SANITIZED or daemon.rss() < seen["rss"] + (16 << 20), (seen, daemon.rss())


# ---- nothing leaks from task to task ----

PROBE = """
var seen = [typeof leak, ({}).evil, [].evil, 'x'.evil, Math.max(1, 2), JSON.stringify([1]), [3, 1, 2].sort().join(),
    new Error('m').name, /a/.exec('a')[0], 'a,b'.split(',').length, typeof console.log, parseInt('7'),
    Object.getOwnPropertyNames(globalThis).length, Object.getOwnPropertyNames(Array.prototype).length].join(' ');
"""
DAMAGE = ("leak = %d;", "Object.prototype.evil = %d;", "Array.prototype.evil = %d;", "String.prototype.evil = %d;",
          "Math.max = function () { return %d; };", "JSON.stringify = function () { return '%d'; };",
          "Array.prototype.sort = function () { return [%d]; };", "Error.prototype.name = 'E%d';",
          "RegExp.prototype.exec = function () { return ['%d']; };", "delete String.prototype.split; %d;",
          "console.log = %d;", "globalThis['own%d'] = 1;", "parseInt = function () { return %d; };",
          "Object.defineProperty(Array.prototype, 'p%d', {value: 1});", "Object.freeze(Array.prototype); %d;")


@case
def no_task_leaves_a_trace_in_the_next():
    rng = random.Random(7)
    with Daemon({"daemon": {"worker": WORKERS}, "queue": {"resultTtl": 100}}) as daemon, daemon.client() as client:
        clean = client.code(PROBE + "seen")["value"]

        def tasks():
            for _ in range(share(3_000, 100_000)):
                damage = "".join(f"try {{ {d % rng.randrange(1000)} }} catch (e) {{}} " for d in rng.sample(DAMAGE, 3))
                yield {"type": "execute-code", "code": PROBE + damage + "seen"}, {}

        def on_record(task, record):
            assert record.get("value") == clean, f"{record.get('value')}\n{clean}\n{task}\n{record}"

        pipeline(client, tasks(), on_record)


# ---- deadlines ----

@case
def deadlines_hold_and_cost_no_worker():
    codes = ("while (1);", "var a = []; a[1e6] = 1; while (1) a.sort();", "throw {toString: function () { while (1); }};")
    with Daemon({"daemon": {"worker": {**WORKERS, "minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0}}}) as daemon, \
            daemon.client() as client:
        times = []
        first = client.code("1")["attempts"][0]["pid"]
        for number in range(share(15, 1000)):
            record = client.code(codes[number % 3], options={"timeout": 200})
            assert record["error"]["code"] == "TIMEOUT" and record["attempts"][0]["pid"] == first, record
            times.append(record["runMs"])
        assert client.code("1")["attempts"][0]["pid"] == first
        note(f"ended after {min(times):.0f} to {max(times):.0f} ms, p99 {percentile(times, .99):.0f}")
        assert percentile(times, 0.5) < 300, times


# ---- deaths ----

def await_replacement(client, dead):
    """Seconds from now until the pool is whole again without this process."""
    started = time.monotonic()
    while time.monotonic() < started + 30:
        workers = client.call("stats")["workers"].values()
        if len([w for w in workers if w["state"] in ("idle", "busy") and w["pid"] != dead]) == 2:
            return time.monotonic() - started
    raise AssertionError(f"no replacement: {workers}")


@case
def killed_workers_are_replaced_at_once():
    with Daemon({"daemon": {"worker": {**WORKERS, "respawnBackoff": 1}}}) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        times = []
        for _ in range(share(20, 500)):
            task = client.submit(FOREVER, maxAttempts=1, timeout=0)
            record = eventually(lambda t=task: client.call("result", id=t)["result"].get("attempts"), "it runs")
            os.kill(record[0]["pid"], signal.SIGKILL)
            times.append(await_replacement(client, record[0]["pid"]) * 1000)
            record = client.call("wait", id=task)["result"]
            assert record["error"]["code"] == "WORKER_CRASHED", record
        note(f"replaced after {min(times):.1f} to {max(times):.1f} ms, p99 {percentile(times, .99):.1f}")
        assert percentile(times, 0.5) < (1000 if SANITIZED else 50), times


@case
def a_long_task_survives_many_heartbeats():
    worker = {**WORKERS, "heartbeatInterval": share(20, 1000)}
    code = f"var end = Date.now() + {share(2_000, 180_000)}; while (Date.now() < end); 'done'"
    with Daemon({"daemon": {"worker": worker}}) as daemon, daemon.client(timeout=300) as client:
        record = client.run({"type": "execute-code", "code": code}, timeout=0)
        assert record["value"] == "done" and len(record["attempts"]) == 1, record


raise SystemExit(run())

"""The promises about large numbers: test_campaigns.py BUILD_ROOT [only=CASE]

POPPO_CAMPAIGNS says how much of each: "quick" (meson test as it is), "check" (tools/check: what is promised, in minutes)
or "long" (tools/check --long: all of it). With a sanitizer it is always quick, and nothing is said about speed.
"""
import itertools
import os
import random
import time

from harness import PATIENCE, Daemon, descendants, eventually, runner_of
from tap import case, note, run

SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
LEVEL = "quick" if SANITIZED else os.environ.get("POPPO_CAMPAIGNS", "quick")
FOREVER = {"type": "execute-code", "code": "while (1);"}
WINDOW = 128
MIB = 1 << 20


def share(quick, check, long):
    return {"quick": quick, "check": check, "long": long}[LEVEL]


def pool(size, **more):
    """A configuration: this many workers of 16 MiB a task, records that are soon forgotten."""
    worker = {"minProcesses": size, "maxProcesses": size, "maxTasksPerWorker": 0, "maxMemoryBytes": "16MiB", **more}
    return {"daemon": {"worker": worker}, "queue": {"resultTtl": 100}}


def pipeline(client, tasks, on_record, window=WINDOW):
    """Runs all (task, options), a window of them under way at a time; each must be answered exactly once."""
    under_way = {}
    tasks = iter(tasks)
    while True:
        for task, options in itertools.islice(tasks, window - len(under_way)):
            seq = client.send("submit", task=task, options={"maxAttempts": 1, **options}, wait=True)
            under_way[seq] = task
        if not under_way:
            return
        reply = client.receive()
        task = under_way.pop(reply["seq"])
        assert reply["ok"], reply
        on_record(task, reply["result"])


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def spread(values, unit="ms"):
    return (f"{min(values):.1f} to {max(values):.1f} {unit}, p50 {percentile(values, .5):.1f}, "
            f"p99 {percentile(values, .99):.1f}")


def worker_pids(client):
    """Of those that have one already."""
    return {w["pid"] for w in client.call("stats")["workers"].values() if "pid" in w}


# ---- nothing grows ----

def sizes(daemon, client):
    """Resident bytes and descriptors of every process, summed by role."""
    spawner = client.call("status")["daemon"]["spawner"]["pid"]
    roles = {"master": [daemon.pid], "spawner": [spawner], "workers": worker_pids(client)}
    return {role: (sum(map(daemon.rss, pids)), sum(map(daemon.fds, pids))) for role, pids in roles.items()}


def count_up(client, count):
    def on_record(task, record):
        assert record["value"] == task["context"]["n"], record

    started = time.monotonic()
    pipeline(client, (({"type": "execute-code", "code": "n", "context": {"n": n}}, {}) for n in range(count)), on_record)
    return count / (time.monotonic() - started)


def expect_flat(before, after):
    for role, (rss, fds) in before.items():
        assert SANITIZED or after[role][0] <= rss + 4 * MIB, (role, before, after)
        assert after[role][1] <= fds, (role, before, after)


@case
def memory_and_descriptors_stay_flat():
    """First with workers that are recycled every thousand tasks, then, after a reload, with ones that stay."""
    count = share(20_000, 1_000_000, 10_000_000)
    with Daemon(pool(2, maxTasksPerWorker=1000)) as daemon, daemon.client() as client:
        rates = [count_up(client, count // 4)]
        daemon.write_config(pool(2))
        client.call("reload")
        rates.append(count_up(client, count // 8))
        marks = [sizes(daemon, client)]
        daemon.write_config(pool(2, maxTasksPerWorker=1000))
        client.call("reload")
        rates.append(count_up(client, count // 4))
        daemon.write_config(pool(2))
        client.call("reload")
        rates.append(count_up(client, count // 8))
        marks.append(sizes(daemon, client))
        rates.append(count_up(client, count // 4))
        marks.append(sizes(daemon, client))
        note(f"tasks/s: {[round(r) for r in rates]}; (bytes, descriptors) {marks}")
        totals = client.call("stats")["totals"]
        assert totals["completed"] == count and totals["failed"] == 0, totals
        expect_flat(marks[0], marks[1])
        expect_flat(marks[1], marks[2])
        assert len(descendants(daemon.pid)) == 5 and not daemon.zombies(), descendants(daemon.pid)


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
    with Daemon(pool(2, maxTasksPerWorker=10_000)) as daemon, daemon.client() as client:
        clean = client.code(PROBE + "seen")["value"]

        def tasks():
            for _ in range(share(3_000, 100_000, 1_000_000)):
                damage = "".join(f"try {{ {d % rng.randrange(1000)} }} catch (e) {{}} " for d in rng.sample(DAMAGE, 3))
                yield {"type": "execute-code", "code": PROBE + damage + "seen"}, {}

        def on_record(task, record):
            assert record.get("value") == clean, f"{record.get('value')}\n{clean}\n{task}\n{record}"

        pipeline(client, tasks(), on_record)


# ---- deadlines ----

LOOPS = {
    "script": "while (1);",
    "native": "var a = []; a[1e6] = 1; while (1) a.sort();",
    "thrown": "throw {toString: function () { while (1); }};",
}


@case
def deadlines_hold_and_cost_no_worker():
    """Many workers at once: the deadlines are long, and the processors are then as busy as they can be."""
    size, timeout = share(4, 8, 4), share(50, 200, 200)
    times = {kind: [] for kind in LOOPS}
    with Daemon(pool(size)) as daemon, daemon.client() as client:
        eventually(lambda: len(worker_pids(client)) == size, "all workers are there")
        first = worker_pids(client)
        kinds = {code: kind for kind, code in LOOPS.items()}

        def on_record(task, record):
            assert record["error"]["code"] == "TIMEOUT" and record["attempts"][0]["pid"] in first, record
            times[kinds[task["code"]]].append(record["runMs"])

        def all_kinds(rounds):
            return (({"type": "execute-code", "code": code}, {"timeout": timeout})
                    for _ in range(rounds) for code in LOOPS.values())

        pipeline(client, all_kinds(size * 2), on_record, window=size)
        before = sizes(daemon, client)
        pipeline(client, all_kinds(share(20, 1000, 1000)), on_record, window=size)
        assert worker_pids(client) == first
        expect_flat(before, sizes(daemon, client))
    for kind, taken in times.items():
        note(f"{kind}: {len(taken)} deadlines of {timeout} ms held after {spread(taken)}")
        assert min(taken) >= timeout, taken
        assert SANITIZED or percentile(taken, 0.99) <= timeout + 100, sorted(taken)[-20:]


# ---- deaths ----

def replacement_time(client, dead):
    """Milliseconds until the pool is whole again without this process."""
    started = time.monotonic()
    while time.monotonic() < started + PATIENCE:
        workers = client.call("stats")["workers"].values()
        if len([w for w in workers if w["state"] in ("idle", "busy") and w.get("pid") != dead]) == 2:
            return (time.monotonic() - started) * 1000
    raise AssertionError(f"no replacement: {workers}")


@case
def killed_workers_are_replaced_at_once():
    with Daemon(pool(2, respawnBackoff=1)) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        times = []
        for _ in range(share(20, 500, 500)):
            task = client.submit(FOREVER, maxAttempts=1, timeout=0)
            pid = runner_of(client, task)
            assert daemon.strike(pid)
            times.append(replacement_time(client, pid))
            record = client.call("wait", id=task)["result"]
            assert record["error"]["code"] == "WORKER_CRASHED", record
        note(f"{len(times)} killed, replaced after {spread(times)}")
        assert SANITIZED or percentile(times, 0.99) < 50, times


class Killer:
    """Kills workers at random, whatever they are doing."""

    def __init__(self, daemon, client):
        self.daemon, self.client, self.rng, self.killed = daemon, client, random.Random(11), 0

    def strike(self):
        victims = sorted(worker_pids(self.client))
        if victims and self.rng.random() < 0.2:
            self.killed += self.daemon.strike(self.rng.choice(victims))


@case
def kills_at_random_lose_no_task():
    """Every task has a result, or WORKER_CRASHED, once."""
    outcomes = {"succeeded": 0, "WORKER_CRASHED": 0}
    wanted = share(20, 500, 5_000)
    with Daemon(pool(4, respawnBackoff=1)) as daemon, daemon.client() as client, daemon.client() as watcher:
        daemon.errors_expected = True
        killer = Killer(daemon, watcher)

        def on_record(_, record):
            outcomes[record["error"]["code"] if "error" in record else record["state"]] += 1
            if killer.killed < wanted:
                killer.strike()

        def tasks():
            code = "var end = Date.now() + n; while (Date.now() < end); n"
            while killer.killed < wanted:
                yield {"type": "execute-code", "code": code, "context": {"n": killer.rng.randrange(8)}}, {}

        pipeline(client, tasks(), on_record, window=16)
        note(f"{killer.killed} kills: {outcomes}")
        assert outcomes["succeeded"] > 0 and 0 < outcomes["WORKER_CRASHED"] <= wanted, outcomes


# ---- long tasks ----

@case
def a_long_task_survives_many_heartbeats():
    """Politely: it shares the machine with whatever else is tested meanwhile."""
    config = pool(1, heartbeatInterval=share(20, 1000, 1000))
    code = f"var end = Date.now() + {share(2_000, 180_000, 180_000)}; while (Date.now() < end); 'done'"
    with Daemon(config, wrapper=["nice", "-n", "5"]) as daemon, daemon.client(timeout=300) as client:
        record = client.run({"type": "execute-code", "code": code}, timeout=0)
        assert record["value"] == "done" and len(record["attempts"]) == 1, record


raise SystemExit(run())

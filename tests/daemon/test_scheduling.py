"""Fairness, limits, time, retries and verdicts with real processes. Order and arithmetic are tested without them, in
tests/unit/master; the wall clock plays no part there, since the scheduler only ever sees the monotonic one."""
import json
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time
import uuid

from client import frame
from harness import BUILD, PATIENCE, Daemon, Refused, eventually, runner_of
from tap import case, note, run

SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
FOREVER = {"type": "execute-code", "code": "while (1);"}


def quick(code="1"):
    return {"type": "execute-code", "code": code}


def busy(ms):
    """A task that runs this long."""
    return quick(f"var end = Date.now() + {ms}; while (Date.now() < end); 'done'")


def pool(workers, queue=None, **more):
    return {"daemon": {"worker": {"minProcesses": workers, "maxProcesses": workers, "maxTasksPerWorker": 0,
                                  "maxMemoryBytes": "16MiB", **more}},
            "defaults": {"retryDelay": 10}, "queue": queue or {}}


def refusal(client, op, **fields):
    try:
        client.call(op, **fields)
    except Refused as refused:
        return refused.error
    raise AssertionError(f"{op} was not refused")


def record_of(client, task):
    return client.call("wait", id=task)["result"]


def why(client, task):
    return client.call("why", id=task)


def wait_state(client, task, state):
    return eventually(lambda: (r := client.call("result", id=task)["result"])["state"] == state and r, f"task is {state}")


def kill_runner(client, task):
    """Kills the process that runs the task; its pid."""
    pid = runner_of(client, task)
    os.kill(pid, signal.SIGKILL)
    return pid


# ---- fairness ----

def worker_time(client, costs, counts, seconds):
    """Lets projects compete, and gives the worker time that each of them has used, in ms."""
    project_of, used = {}, dict.fromkeys(costs, 0)
    for project in costs:
        client.call("project-set", projectId=project, paused=True)
        for _ in range(counts[project]):
            seq = client.send("submit", task=busy(costs[project]), options={"projectId": project}, wait=True)
            project_of[seq] = project
    for project in costs:
        client.call("project-set", projectId=project, paused=False)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reply = client.receive()
        used[project_of[reply["seq"]]] += reply["result"]["runMs"]
    return used


@case
def worker_time_is_shared_by_weight_whatever_tasks_cost():
    costs, weights = {"one": 30, "two": 2, "four": 9}, {"one": 1, "two": 2, "four": 4}
    with Daemon(pool(2)) as daemon:
        with daemon.client() as client:
            for project, weight in weights.items():
                client.call("project-set", projectId=project, weight=weight)
            used = worker_time(client, costs, {"one": 300, "two": 4000, "four": 1500}, 6)
        total = sum(used.values())
        shares = {p: used[p] / total * 7 for p in used}
        note("shares, of 7: " + ", ".join(f"{p} {share:.2f}" for p, share in shares.items()))
        for project, weight in weights.items():
            assert abs(shares[project] - weight) <= 0.1 * weight, shares


@case
def a_flood_delays_a_single_task_by_one_running_task():
    cost, count = 20, 20_000 if SANITIZED else 100_000
    with Daemon(pool(2, queue={"maxLength": 0})) as daemon:
        with daemon.client() as flooder, daemon.client() as client:
            request = frame({"op": "submit", "seq": 9, "task": busy(cost), "options": {"projectId": "flood"}})
            flooder.write(request)
            length = len(frame(flooder.receive()))
            for _ in range(count // 1000):
                flooder.write(request * 1000)
                flooder._read(1000 * length)
            waited = []
            for _ in range(20):
                eventually(lambda: client.call("project-usage")["usage"]["flood"] == 2, "the flood has every worker")
                waited.append(client.run(quick(), projectId="single")["queuedMs"])
            left = client.call("stats")["totals"]["queued"]
        note(f"queued for {statistics.median(waited):.1f} ms, at most {max(waited):.1f}, before {left} others of {cost} ms")
        assert left > count * 0.9, left
        # One running task, and a fresh process for the other project.
        assert statistics.median(waited) <= cost + (200 if SANITIZED else 15), waited


@case
def waiting_makes_up_for_a_lower_priority():
    def flood():
        for _ in range(100):
            others.send("submit", task=busy(5), options={"priority": 10}, wait=True)

    end = time.monotonic() + PATIENCE
    with Daemon(pool(1, queue={"agingInterval": 50})) as daemon, daemon.client() as client, daemon.client() as others:
        flood()
        eventually(lambda: client.call("stats")["totals"]["queued"] > 50, "they are there")
        waiting = client.submit(quick(), priority=4)
        # There are always more of the higher ones, until it has had its turn.
        while (low := client.call("result", id=waiting)["result"])["state"] != "succeeded":
            if client.call("stats")["totals"]["queued"] < 50:
                flood()
            assert time.monotonic() < end, low
        assert client.call("stats")["totals"]["queued"] > 0, "the higher ones are not used up"
        assert low["queuedMs"] >= 6 * 50, low["queuedMs"]
        note(f"six levels of 50 ms: started after {low['queuedMs']:.0f} ms")


@case
def isolation_says_who_shares_a_process():
    with Daemon(pool(1)) as daemon, daemon.client() as client:
        def pids(projects, **options):
            return [client.run(quick(), projectId=p, **options)["attempts"][0]["pid"] for p in projects]
        assert len(set(pids(["a"] * 3))) == 1
        assert len(set(pids(["b", "c", "b"]))) == 3
        assert len(set(pids(["a"] * 3, isolation="process"))) == 3
    with Daemon(pool(1, isolation="heap")) as daemon, daemon.client() as client:
        assert len({client.run(quick(), projectId=p)["attempts"][0]["pid"] for p in "abc"}) == 1
        assert len({client.run(quick(), isolation="process")["attempts"][0]["pid"] for _ in range(3)}) == 3
    by_type = {**pool(1, isolation="heap"), "taskTypes": {"execute-function": {"isolation": "process"}},
               "projects": {"apart": {"isolation": "process"}}}
    with Daemon(by_type) as daemon, daemon.client() as client:
        assert len({client.run(quick(), projectId=p)["attempts"][0]["pid"] for p in "abc"}) == 1
        assert len({client.function("function () {}")["attempts"][0]["pid"] for _ in range(3)}) == 3
        assert len({client.run(quick(), projectId="apart")["attempts"][0]["pid"] for _ in range(3)}) == 3


# ---- limits of projects, live ----

@case
def a_paused_project_waits_and_goes_on():
    with Daemon(pool(2)) as daemon, daemon.client() as client:
        client.call("project-set", projectId="p", paused=True)
        task = client.submit(quick("7"), projectId="p")
        assert client.code("1")["value"] == 1, "others go on"
        verdict = why(client, task)
        assert verdict["reason"] == "paused" and "project p is paused" in verdict["message"], verdict
        assert client.call("status")["projects"]["p"]["paused"] is True
        client.call("project-set", projectId="p", paused=False)
        assert record_of(client, task)["value"] == 7


@case
def a_rate_limit_spreads_starts():
    with Daemon(pool(2)) as daemon, daemon.client() as client:
        reply = client.call("project-set", projectId="p", rateLimit="1200/m")
        assert reply["rateLimit"] == 20, reply
        tasks = [client.submit(quick(), projectId="p") for _ in range(30)]
        verdict = why(client, tasks[-1])
        assert verdict["reason"] in ("rate", "turn") and verdict["position"] > 0, verdict
        starts = sorted(record_of(client, t)["attempts"][0]["startedAt"] for t in tasks)
        windows = [sum(s <= t < s + 1000 for t in starts) for s in starts]
        assert max(windows) <= 22, windows
        assert 1300 <= starts[-1] - starts[0] <= 2500, starts[-1] - starts[0]
        client.call("project-set", projectId="p", rateLimit=0)
        assert client.run(quick(), projectId="p")["queuedMs"] < 1000


@case
def a_limit_changes_while_tasks_wait():
    with Daemon(pool(4)) as daemon, daemon.client() as client:
        def running():
            return client.call("project-usage", projectId="p")["usage"]["p"]
        client.call("project-set", projectId="p", processLimit=1)
        tasks = [client.submit(FOREVER, projectId="p") for _ in range(4)]
        eventually(lambda: running()["used"] == 1, "one runs")
        verdict = why(client, tasks[-1])
        assert verdict["reason"] == "limit" and verdict["position"] == 2, verdict
        client.call("project-set", projectId="p", processLimit=3)
        eventually(lambda: running()["used"] == 3, "three run")
        client.call("project-set", projectId="p", processLimit=0)
        eventually(lambda: running() == 4, "all run")
        client.call("project-set", projectId="p", processLimit=1)
        assert running()["available"] == 0
        for task in tasks:
            client.call("cancel", id=task)
        eventually(lambda: running()["used"] == 0, "all is given back")


@case
def a_reload_leaves_alone_what_was_set_by_hand():
    config = {**pool(1), "projects": {"named": {"weight": 2}, "edited": {"weight": 2}}}
    with Daemon(config) as daemon, daemon.client() as client:
        def weight(project):
            return client.call("project-set", projectId=project)["weight"]
        assert weight("named") == 2 and weight("other") == 1
        for project in ("named", "edited", "other"):
            client.call("project-set", projectId=project, weight=5)
        config["projects"]["edited"]["weight"] = 7
        daemon.write_config(config)
        client.call("reload")
        assert [weight(p) for p in ("named", "edited", "other")] == [5, 7, 5]
        os.kill(daemon.pid, signal.SIGTTIN)
        eventually(lambda: client.call("stats")["totals"]["workers"] >= 1 and weight("named") == 5, "a signal changes no project")
        del config["projects"]["named"]
        daemon.write_config(config)
        client.call("reload")
        assert weight("named") == 1


@case
def settings_are_checked_and_kept():
    with Daemon(pool(1)) as daemon, daemon.client() as client:
        client.call("project-set", projectId="p", weight=4, maxQueued=2, maxPriority=3)
        reply = client.call("project-set", projectId="p", rateLimit="90/m")
        assert {k: reply[k] for k in ("weight", "maxQueued", "maxPriority", "rateLimit", "processLimit", "paused")} == {
            "weight": 4, "maxQueued": 2, "maxPriority": 3, "rateLimit": 1.5, "processLimit": 0, "paused": False}, reply
        shown = client.call("status")["projects"]["p"]
        assert shown == {"used": 0, "queued": 0, "paused": False, "weight": 4, "rateLimit": 1.5, "maxQueued": 2}, shown
        for fields in ({"weight": 0}, {"weight": 1001}, {"rateLimit": "fast"}, {"rateLimit": -1}, {"rateLimit": "1/d"},
                       {"rateLimit": [1]}, {"maxPriority": 11}, {"paused": "yes"}):
            assert refusal(client, "project-set", projectId="p", **fields)["code"] == "INVALID_OPTION", fields
        assert refusal(client, "project-set", projectId="no spaces", weight=1)["code"] == "INVALID_OPTION"
        assert client.call("project-set", projectId="p")["weight"] == 4
        assert refusal(client, "submit", task=quick(), options={"projectId": "p", "priority": 4})["code"] == "INVALID_OPTION"
        client.call("project-set", projectId="p", paused=True)
        for _ in range(2):
            client.submit(quick(), projectId="p")
        full = refusal(client, "submit", task=quick(), options={"projectId": "p"})
        assert full["code"] == "PROJECT_LIMIT" and full["retryAfter"] > 0, full
        client.call("project-set", projectId="p", paused=False)


# ---- attempts ----

@case
def attempts_come_with_growing_pauses():
    config = pool(1)
    config["defaults"] = {"retryDelay": 100, "retryBackoff": 2, "retryJitter": 0}
    with Daemon(config) as daemon, daemon.client() as client:
        task = client.submit(quick("throw new Error('no')"), maxAttempts=3)
        wait_state(client, task, "delayed")
        verdict = why(client, task)
        assert verdict["reason"] == "retry" and 0 < verdict["remaining"] <= 200 and "TASK_ERROR" in verdict["message"], verdict
        attempts = record_of(client, task)["attempts"]
        gaps = [b["startedAt"] - a["endedAt"] for a, b in zip(attempts, attempts[1:])]
        assert len(gaps) == 2 and 98 <= gaps[0] <= 190 and 198 <= gaps[1] <= 390, gaps


@case
def a_retry_never_runs_beside_the_attempt_before():
    with Daemon(pool(2, heartbeatInterval=50, missedHeartbeats=1)) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        task = client.submit(busy(300), maxAttempts=2, retryDelay=0)
        silent = wait_state(client, task, "running")["attempts"][0]["pid"]
        os.kill(silent, signal.SIGSTOP)
        eventually(lambda: len(client.call("result", id=task)["result"]["attempts"]) == 2, "it is tried again")
        assert not pathlib.Path(f"/proc/{silent}").exists(), "the first attempt's process is gone"
        record = record_of(client, task)
        first, second = record["attempts"]
        assert first["outcome"] == "WORKER_CRASHED" and first["killedWorker"] is True and first["signal"] == "KILL", first
        assert second["startedAt"] >= first["endedAt"] and second["pid"] != silent and record["value"] == "done", record


@case
def a_task_that_kills_its_workers_is_quarantined_and_can_be_brought_back():
    with Daemon(pool(2)) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        task = client.submit(quick("while (!this.never);"), maxAttempts=3, retryDelay=1)
        seen = []
        for attempt in range(4):
            eventually(lambda n=attempt: len(client.call("result", id=task)["result"]["attempts"]) == n + 1, "next attempt")
            if attempt == 3:
                served = {int(w): v["tasks"] for w, v in client.call("stats")["workers"].items()}
                assert "alone" in why(client, task)["message"], why(client, task)
            seen.append(kill_runner(client, task))
        record = record_of(client, task)
        assert record["state"] == "dead" and record["error"]["code"] == "QUARANTINED", record
        assert [a["pid"] for a in record["attempts"]] == seen and len(set(seen)) == 4, record
        assert all(a["killedWorker"] and a["signal"] == "KILL" for a in record["attempts"]), record
        assert served[record["attempts"][3]["worker"]] == 0, "the last attempt had a fresh process"
        verdict = why(client, task)
        assert verdict["reason"] == "ended" and verdict["code"] == "QUARANTINED", verdict
        assert "signal 9 (KILL)" in verdict["message"], verdict

        assert client.call("retry", id=task)["state"] in ("queued", "running")
        again = wait_state(client, task, "running")
        assert len(again["attempts"]) == 1 and "error" not in again, again
        client.call("cancel", id=task)
        assert record_of(client, task)["state"] == "cancelled"


@case
def the_quarantine_attempt_may_succeed():
    with Daemon(pool(2)) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        task = client.submit(busy(250), maxAttempts=3, retryDelay=1)
        for attempt in range(3):
            eventually(lambda n=attempt: len(client.call("result", id=task)["result"]["attempts"]) == n + 1, "next attempt")
            kill_runner(client, task)
        record = record_of(client, task)
        assert record["value"] == "done" and len(record["attempts"]) == 4, record
        alone = str(record["attempts"][3]["worker"])
        eventually(lambda: alone not in client.call("stats")["workers"], "its process serves nobody else")


@case
def only_dead_tasks_are_retried():
    with Daemon(pool(1)) as daemon, daemon.client() as client:
        dead = client.run(quick("throw 1"), maxAttempts=2, retryDelay=1)
        assert dead["state"] == "dead", dead
        for record in (client.run(quick()), client.run(quick("throw 1")), client.run(quick("("))):
            error = refusal(client, "retry", id=record["id"])
            assert error["code"] == "INVALID_OPTION" and record["state"] in error["message"], error
        before = client.call("stats")["totals"]
        assert client.call("retry", id=dead["id"])["state"] == "queued"
        again = record_of(client, dead["id"])
        assert again["state"] == "dead" and len(again["attempts"]) == 2, again
        after = client.call("stats")["totals"]
        assert after["dead"] == before["dead"] + 1 and after["refused"] == before["refused"], (before, after)


# ---- cancel ----

@case
def whatever_waits_can_be_cancelled():
    with Daemon(pool(1)) as daemon, daemon.client() as client:
        client.call("project-set", projectId="held", paused=True)
        between = client.submit(quick("throw 1"), maxAttempts=2, retryDelay=60000)
        wait_state(client, between, "delayed")
        blocker = client.submit(FOREVER)
        wait_state(client, blocker, "running")
        waiting = [client.submit(quick()), client.submit(quick(), delay=60000), client.submit(quick(), projectId="held")]
        assert [why(client, t)["reason"] for t in waiting] == ["worker", "delay", "paused"]
        for task in waiting:
            assert client.call("cancel", id=task)["state"] == "cancelled"
            assert record_of(client, task)["attempts"] == []
        assert client.call("cancel", id=blocker)["state"] == "cancelled"
        assert client.call("cancel", id=between)["state"] == "cancelled"
        assert len(record_of(client, between)["attempts"]) == 1
        totals = client.call("stats")["totals"]
        assert totals["queued"] == totals["delayed"] == 0 and totals["cancelled"] == 5, totals


# ---- idempotency ----

@case
def a_key_gives_the_first_task_and_its_result():
    with Daemon(pool(1, queue={"resultTtl": 300})) as daemon, daemon.client() as client:
        first = client.submit(busy(50), key="k")
        calls = [client.send("submit", task=quick("2"), options={"key": "k"}, wait=True) for _ in range(3)]
        replies = [client.reply(seq) for seq in calls]
        assert all(r["id"] == first and r["duplicate"] and r["result"]["value"] == "done" for r in replies), replies
        late = client.call("submit", task=quick("3"), options={"key": "k"}, wait=True)
        assert late["id"] == first and late["result"]["value"] == "done", late
        assert client.call("stats")["totals"]["completed"] == 1
        gone = eventually(lambda: not client.call("list")["tasks"], "the result is let go")
        assert gone and client.call("submit", task=quick("4"), options={"key": "k"}, wait=True)["result"]["value"] == 4


# ---- results that are not there ----

@case
def an_id_that_is_not_known_says_how():
    with Daemon(pool(1, queue={"resultTtl": 50})) as daemon, daemon.client() as client:
        task = client.submit(quick())
        kept = record_of(client, task)
        assert kept["value"] == 1
        eventually(lambda: not client.call("list")["tasks"], "the result is let go")
        before_start = str(uuid.UUID(int=(int(time.time() * 1000) - 86_400_000) << 80 | 7 << 76 | 2 << 62))
        never = str(uuid.UUID(int=(int(time.time() * 1000) + 86_400_000) << 80 | 7 << 76 | 2 << 62))
        for op in ("wait", "result", "cancel", "retry", "why"):
            for unknown, text in ((task, "let go"), (before_start, "before the supervisor's start"), (never, "ever had"),
                                  (str(uuid.uuid4()), "ever had")):
                error = refusal(client, op, id=unknown)
                assert error["code"] == "NOT_FOUND" and text in error["message"], (op, unknown, error)


# ---- why ----

@case
def why_names_what_a_task_waits_for():
    with Daemon(pool(1)) as daemon, daemon.client() as client:
        blocker = client.submit(FOREVER)
        wait_state(client, blocker, "running")
        verdict = why(client, blocker)
        assert verdict["reason"] == "running" and "pid" in verdict["message"] and "code" not in verdict, verdict
        delayed = client.submit(quick(), delay=60000)
        verdict = why(client, delayed)
        assert verdict["reason"] == "delay" and 59000 < verdict["remaining"] <= 60000, verdict
        queued = [client.submit(quick()) for _ in range(3)]
        assert why(client, queued[0])["reason"] == "worker" and "1 of 1 workers are busy" in why(client, queued[0])["message"]
        verdict = why(client, queued[2])
        assert verdict["reason"] == "turn" and verdict["position"] == 2 and verdict["result"]["state"] == "queued", verdict
        for task in (delayed, blocker):
            client.call("cancel", id=task)
        assert record_of(client, queued[2])["value"] == 1
        assert why(client, queued[2])["message"].startswith("succeeded at attempt 1"), why(client, queued[2])
        failed = client.run(quick("throw new TypeError('bad')"))
        verdict = why(client, failed["id"])
        assert verdict["code"] == "TASK_ERROR" and "bad" in verdict["message"] and "attempt 1 of 1" in verdict["message"], verdict


# ---- back-pressure ----

@case
def what_one_client_has_under_way_is_bounded():
    with Daemon(pool(1, queue={"maxClientBytes": "64KiB"})) as daemon, daemon.client() as client, daemon.client() as other:
        client.call("project-set", projectId="held", paused=True)
        task = {"type": "execute-code", "code": "7 //" + "x" * 10_000}
        calls = [client.send("submit", task=task, options={"projectId": "held"}, wait=True) for _ in range(10)]
        refused = [client.reply(seq) for seq in calls[6:]]
        assert all(r["error"]["code"] == "QUEUE_FULL" and r["error"]["retryAfter"] > 0 for r in refused), refused
        assert other.run(task)["value"] == 7, "another client is not touched"
        assert client.submit(task), "nor is what is not waited for"
        waiting = client.call("list", projectId="held")["tasks"]
        assert client.call("cancel", id=waiting[0]["id"])["state"] == "cancelled", "something can be given up"
        client.call("project-set", projectId="held", paused=False)
        states = [client.reply(seq)["result"]["state"] for seq in calls[:6]]
        assert sorted(states) == ["cancelled"] + ["succeeded"] * 5, states
        assert client.run(task)["value"] == 7, "there is room again"


@case
def waiting_again_and_again_for_one_key_is_bounded_too():
    with Daemon(pool(1, queue={"maxClientBytes": "64KiB"})) as daemon, daemon.client() as client:
        client.call("project-set", projectId="held", paused=True)
        same = {"task": quick("7"), "options": {"projectId": "held", "key": "once"}, "wait": True}
        calls = [client.send("submit", **same) for _ in range(2000)]
        assert client.reply(calls[-1])["error"]["code"] == "QUEUE_FULL"
        client.call("project-set", projectId="held", paused=False)
        replies = [client.reply(seq) for seq in calls[:-1]]
        told = [r for r in replies if r["ok"]]
        assert len({r["id"] for r in told}) == 1 and 100 < len(told) < 1000, len(told)
        assert all(r["error"]["code"] == "QUEUE_FULL" for r in replies if not r["ok"])


@case
def the_command_line_keeps_within_what_a_client_may_have_under_way():
    line = json.dumps(quick("7 //" + "x" * 900_000)) + "\n"
    with Daemon(pool(2)) as daemon, daemon.client() as client, tempfile.TemporaryFile("w+") as lines:
        lines.write(line * 80)
        lines.seek(0)
        client.call("project-set", projectId="held", paused=True)
        command = [BUILD / "poppo", "--socket", daemon.socket, "submit", "-p", "held", "-w", "-"]
        with subprocess.Popen(command, stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            # 32 MiB of them, which is less than all; nothing more comes while these wait.
            eventually(lambda: client.call("stats")["totals"]["queued"] >= 35, "many are under way")
            time.sleep(0.3)
            assert client.call("stats")["totals"]["queued"] <= 40 and process.poll() is None
            client.call("project-set", projectId="held", paused=False)
            out, complaints = process.communicate(timeout=60)
        assert process.returncode == 0 and out == "7\n" * 80, (process.returncode, complaints[:500])


@case
def a_full_queue_says_when_to_come_back():
    with Daemon(pool(1, queue={"maxLength": 32, "maxBytes": 2000})) as daemon, daemon.client() as client:
        started = time.monotonic()
        for _ in range(20):
            client.run(busy(20))
        each = (time.monotonic() - started) / 20 * 1000
        blocker = client.submit(FOREVER)
        wait_state(client, blocker, "running")
        for _ in range(32):
            client.submit(quick())
        error = refusal(client, "submit", task=quick())
        # Two tasks, a sixteenth of the queue, of 20 ms each, or of what they take here.
        assert error["code"] == "QUEUE_FULL" and 20 <= error["retryAfter"] <= 20 * each, (error, each)
        client.call("cancel", id=blocker)
        eventually(lambda: client.call("stats")["totals"]["queued"] == 0, "the queue is served")
        error = refusal(client, "submit", task=quick("1 //" + "x" * 2000))
        assert error["code"] == "QUEUE_FULL" and "bytes" in error["message"] and error["retryAfter"] > 0, error


@case
def a_client_that_never_reads_slows_only_itself():
    def p99(client):
        times = []
        for _ in range(300):
            started = time.monotonic()
            assert client.run(quick())["value"] == 1
            times.append(time.monotonic() - started)
        return sorted(times)[296] * 1000

    with Daemon(pool(2)) as daemon, daemon.client() as client, daemon.client() as slow:
        client.call("project-limit", projectId="slow", limit=1)
        calm = p99(client)
        rss = daemon.rss()
        slow.sock.setblocking(False)
        big = frame({"op": "submit", "seq": 1, "task": quick("new Array(100001).join('x')"), "wait": True,
                     "options": {"projectId": "slow"}})
        stuck = None
        while stuck is None or time.monotonic() < stuck + 0.5:
            try:
                slow.sock.send(big * 100)
                stuck = None
            except BlockingIOError:
                stuck = stuck or time.monotonic()
                time.sleep(0.01)
        loaded = p99(client)
        note(f"p99 {calm:.1f} ms before, {loaded:.1f} beside it; it holds {(daemon.rss() - rss) >> 20} MiB")
        assert loaded <= calm + (500 if SANITIZED else 20), (calm, loaded)
        slow.close()
        eventually(lambda: client.call("status")["daemon"]["clients"] == 1, "it is gone")


raise SystemExit(run())

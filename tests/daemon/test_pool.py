"""Queue, limits, cancellation, retries and the death of workers, as clients see them."""
import os
import signal
import time

from harness import Daemon, Refused, eventually, runner_of
from tap import case, run

POOL = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 0}},
        "defaults": {"retryDelay": 10}}
FOREVER = {"type": "execute-code", "code": "while (1);"}


def quick(code="1"):
    return {"type": "execute-code", "code": code}


def busy(ms):
    """A task that runs this long."""
    return quick(f"var end = Date.now() + {ms}; while (Date.now() < end); 'done'")


def state_of(client, task):
    return client.call("result", id=task)["result"]["state"]


def wait_state(client, task, *states):
    return eventually(lambda: state_of(client, task) in states, f"task is {states}")


def record_of(client, task):
    return client.call("wait", id=task)["result"]


# ---- submit, wait, result ----

@case
def a_submitted_task_can_be_waited_for_by_many(daemon):
    with daemon.client() as one, daemon.client() as two:
        task = one.submit(busy(100))
        waits = [(c, c.send("wait", id=task)) for c in (one, two, one)]
        records = [c.reply(seq)["result"] for c, seq in waits]
        assert all(r["value"] == "done" and r["id"] == task for r in records), records
        assert one.call("result", id=task)["result"] == records[0]
        assert two.call("wait", id=task)["result"] == records[0]


@case
def ids_sort_by_submission(daemon):
    with daemon.client() as client:
        ids = [client.submit(quick()) for _ in range(50)]
        assert ids == sorted(ids) and len(set(ids)) == 50
        for task in ids:
            record_of(client, task)
        page = client.call("list", limit=50)
        assert [t["id"] for t in page["tasks"]] == ids[::-1] and page["more"] is True, page
        older = client.call("list", limit=10, before=ids[5])["tasks"]
        assert [t["id"] for t in older][:5] == ids[4::-1], older


@case
def list_filters(daemon):
    with daemon.client() as client:
        task = client.submit(quick("throw 1"), projectId="list-me", maxAttempts=1)
        record_of(client, task)
        found = client.call("list", projectId="list-me", state="failed")["tasks"]
        assert [t["id"] for t in found] == [task] and found[0]["code"] == "TASK_ERROR", found
        assert client.call("list", projectId="list-me", state="succeeded")["tasks"] == []


@case
def an_idempotency_key_names_one_task(daemon):
    with daemon.client() as client:
        first = client.call("submit", task=quick(), options={"key": "k1"})
        again = client.call("submit", task=quick(), options={"key": "k1"})
        other = client.call("submit", task=quick(), options={"key": "k1", "projectId": "other"})
        assert again["id"] == first["id"] and again["duplicate"] is True, again
        assert other["id"] != first["id"] and not other.get("duplicate"), other


@case
def a_delayed_task_starts_later(daemon):
    with daemon.client() as client:
        started = time.monotonic()
        task = client.submit(quick(), delay=300)
        assert state_of(client, task) == "delayed"
        assert record_of(client, task)["state"] == "succeeded"
        assert time.monotonic() - started >= 0.299


@case
def higher_priority_runs_first(daemon):
    with daemon.client() as client:
        blockers = [client.submit(FOREVER) for _ in range(2)]
        for blocker in blockers:
            wait_state(client, blocker, "running")
        low = [client.submit(quick(), priority=0) for _ in range(3)]
        high = [client.submit(quick(), priority=10) for _ in range(3)]
        for blocker in blockers:
            client.call("cancel", id=blocker)
        started = {t: record_of(client, t)["attempts"][0]["startedAt"] for t in low + high}
        assert max(started[t] for t in high) <= min(started[t] for t in low), started


@case
def a_start_deadline_is_kept(daemon):
    with daemon.client() as client:
        blockers = [client.submit(FOREVER) for _ in range(2)]
        for blocker in blockers:
            wait_state(client, blocker, "running")
        record = client.run(quick(), startDeadline=50)
        states = [client.call("result", id=blocker)["result"] for blocker in blockers]
        assert record["state"] == "failed" and not record["attempts"], (record["state"], states)
        assert record["error"]["code"] == "START_DEADLINE", record
        for blocker in blockers:
            client.call("cancel", id=blocker)


# ---- cancel ----

@case
def a_running_task_can_be_cancelled(daemon):
    with daemon.client() as client:
        before = set(client.call("stats")["workers"])
        task = client.submit(FOREVER)
        wait_state(client, task, "running")
        assert client.call("cancel", id=task)["state"] == "cancelled"
        record = record_of(client, task)
        assert record["state"] == "cancelled" and record["error"]["code"] == "CANCELLED", record
        assert client.call("cancel", id=task)["state"] == "cancelled"
        assert set(client.call("stats")["workers"]) == before


@case
def a_cancel_touches_no_later_task(daemon):
    with daemon.client() as client:
        for _ in range(10):
            task = client.submit(FOREVER)
            wait_state(client, task, "running")
            client.call("cancel", id=task)
            for _ in range(4):
                record = client.run(busy(2))
                assert record["state"] == "succeeded", record


@case
def a_queued_task_can_be_cancelled(daemon):
    with daemon.client() as client:
        task = client.submit(quick(), delay=60000)
        assert client.call("cancel", id=task)["state"] == "cancelled"
        assert record_of(client, task)["attempts"] == []


@case
def a_waited_task_dies_with_its_caller_unless_durable(daemon):
    with daemon.client() as watcher:
        with daemon.client() as caller:
            caller.send("submit", task=FOREVER, options={"projectId": "mortal"}, wait=True)
            caller.send("submit", task=busy(300), options={"projectId": "lasting", "durable": True}, wait=True)
            for project in ("mortal", "lasting"):
                eventually(lambda p=project: watcher.call("list", projectId=p, state="running")["tasks"], "it runs")
        eventually(lambda: watcher.call("list", projectId="mortal", state="cancelled")["tasks"], "it is cancelled")
        eventually(lambda: watcher.call("list", projectId="lasting", state="succeeded")["tasks"], "it is finished")


# ---- retries ----

@case
def attempts_are_counted_and_used_up(daemon):
    with daemon.client() as client:
        record = client.run(quick("throw new Error('always')"), maxAttempts=3, retryDelay=1)
        assert record["state"] == "dead" and len(record["attempts"]) == 3, record
        assert [a["outcome"] for a in record["attempts"]] == ["TASK_ERROR"] * 3, record
        assert client.run(quick("throw 1"), maxAttempts=1)["state"] == "failed"
        assert client.run({**FOREVER}, maxAttempts=2, retryDelay=1, timeout=50)["error"]["code"] == "TIMEOUT"


# ---- projects ----

@case
def a_project_limit_holds_and_is_given_back(daemon):
    with daemon.client() as client:
        reply = client.call("project-limit", projectId="narrow", limit=1)
        assert reply["limit"] == 1 and reply["projectId"] == "narrow", reply
        tasks = [client.submit(busy(20), projectId="narrow") for _ in range(10)]
        other = [client.submit(busy(20), projectId="wide") for _ in range(10)]
        spans = sorted((a["startedAt"], a["endedAt"]) for t in tasks for a in record_of(client, t)["attempts"])
        assert all(later[0] >= earlier[1] - 1 for earlier, later in zip(spans, spans[1:])), spans
        for task in other:
            record_of(client, task)
        assert client.call("project-usage", projectId="narrow")["usage"]["narrow"] == {
            "used": 0, "limit": 1, "available": 1}
        client.call("project-limit", projectId="narrow", limit=0)
        assert client.call("project-usage", projectId="narrow")["usage"].get("narrow", 0) == 0


@case
def a_worker_serves_one_project_only(daemon):
    with daemon.client() as client:
        served = {}
        for number in range(12):
            project = f"p{number % 3}"
            pid = client.run(quick(), projectId=project)["attempts"][0]["pid"]
            assert served.setdefault(pid, project) == project, served


# ---- the death of workers ----

@case
def a_killed_worker_fails_its_task_and_is_replaced(daemon):
    with daemon.client() as client:
        for _ in range(5):
            task = client.submit(FOREVER, maxAttempts=1)
            os.kill(runner_of(client, task), signal.SIGKILL)
            record = record_of(client, task)
            assert record["state"] == "failed" and record["error"]["code"] == "WORKER_CRASHED", record
        eventually(lambda: client.call("stats")["totals"]["workers"] == 2, "replaced")
        assert client.code("1")["value"] == 1


@case
def a_crashed_attempt_is_retried(daemon):
    with daemon.client() as client:
        task = client.submit(busy(400), maxAttempts=2, retryDelay=1)
        os.kill(runner_of(client, task), signal.SIGKILL)
        record = record_of(client, task)
        assert record["value"] == "done", record
        assert [a["outcome"] for a in record["attempts"]] == ["WORKER_CRASHED", "succeeded"], record


@case
def a_killed_spawner_is_replaced_and_running_tasks_finish(daemon):
    with daemon.client() as client:
        task = client.submit(busy(500), maxAttempts=1)
        wait_state(client, task, "running")
        spawner = client.call("status")["daemon"]["spawner"]["pid"]
        os.kill(spawner, signal.SIGKILL)
        assert record_of(client, task)["value"] == "done"
        eventually(lambda: client.call("status")["daemon"]["spawner"].get("pid") not in (None, spawner), "a new spawner")
        victim = next(iter(client.call("stats")["workers"].values()))["pid"]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: client.call("stats")["totals"]["workers"] == 2, "it spawns")
        assert client.code("1")["value"] == 1


# ---- counts ----

@case
def counts_are_exact(daemon):
    with daemon.client() as client:
        before = client.call("stats")["totals"]
        for number in range(30):
            client.code("1" if number % 3 else "throw 1")
        try:
            client.call("submit", task={"type": "nothing"})
        except Refused:
            pass
        eventually(lambda: client.call("stats")["totals"]["available"] == 2, "both workers are idle")
        after = client.call("stats")["totals"]
        assert after["completed"] - before["completed"] == 20, (before, after)
        assert after["failed"] - before["failed"] == 10, (before, after)
        assert after["queued"] == 0 and after["busy"] == 0 and after["workers"] == 2, after


with Daemon(POOL) as the_daemon:
    the_daemon.errors_expected = True  # killed workers and spawners are worth an error line
    status = run(the_daemon)
raise SystemExit(status)

"""Attempts that are written before their time: test_store_ahead.py BUILD_ROOT

A worker need not wait for a commit; what that must not change is told here: order, cancels, pauses, limits, and what is
said after a crash.
"""
import json
import os
import signal
import subprocess
import time

from harness import BUILD, PATIENCE, Daemon, eventually
from tap import case, main, note

CLAIMS = 128  # at most ahead at once


def code(source):
    return {"type": "execute-code", "code": str(source)}


def one(**more):
    return {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "respawnBackoff": 1, "maxTasksPerWorker": 0}}, **more}


def spin(ms):
    return code(f"var end = Date.now() + {ms}; while (Date.now() < end); {ms}")


def hand_in(client, tasks, **options):
    """Many at once; their ids."""
    seqs = [client.send("submit", task=task, options=options) for task in tasks]
    return [client.reply(seq)["id"] for seq in seqs]


def pause(client, paused):
    client.call("project-set", projectId="default", paused=paused)


def set_going(client, count, **options):
    """Tasks that wait until all are there; when this returns some of them have ended, and most have not."""
    pause(client, True)
    tasks = hand_in(client, map(code, range(count)), **options)
    done = ended(client)
    pause(client, False)
    eventually(lambda: ended(client) > done + 100, "they are being run")
    return tasks


def records_of(client, tasks):
    seqs = [client.send("wait", id=task) for task in tasks]
    return [client.reply(seq)["result"] for seq in seqs]


def figures(client):
    return client.call("store-stats")["figures"]


def ended(client):
    totals = client.call("stats")["totals"]
    return totals["completed"] + totals["failed"]


def is_written(daemon):
    store = daemon.status()["daemon"]["store"]
    return store["state"] == "open" and not store["loading"] and not store["waiting"]


def die(daemon):
    daemon.errors_expected = True
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(PATIENCE)
    eventually(lambda: not daemon._left(), "nothing outlives the supervisor")


def exported(daemon):
    """What the file holds while nobody has it open."""
    done = subprocess.run([BUILD / "poppo", "store", "export", str(daemon.dir / "state" / "store.db")], capture_output=True,
                          text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@case
def short_tasks_share_their_commits():
    """One worker takes one task after the other: without looking ahead that would be a commit for each."""
    with Daemon(one()) as daemon, daemon.client() as client:
        eventually(lambda: is_written(daemon), "the store is open")
        pause(client, True)
        tasks = hand_in(client, map(code, range(500)))
        before = figures(client)
        pause(client, False)
        assert [r["value"] for r in records_of(client, tasks)] == list(range(500))
        commits = figures(client)["commits"] - before["commits"]
        note(f"{commits} commits for 500 tasks")
        assert commits < 400, commits


@case
def a_task_that_finds_a_free_worker_costs_two_commits():
    with Daemon(one()) as daemon, daemon.client() as client:
        eventually(lambda: is_written(daemon), "the store is open")
        client.code("1")
        before = figures(client)
        for n in range(20):
            assert client.call("wait", id=client.submit(code(n)))["result"]["value"] == n
        after = figures(client)
        assert after["commits"] - before["commits"] <= 50, (before, after)


@case
def a_task_that_is_refused_after_its_claim_was_given_back_is_forgotten_whole():
    """The store does nothing until the claim is given back, and then its file is none."""
    with Daemon(one()) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        eventually(lambda: is_written(daemon), "the store is open")
        client.code("1")
        store = daemon.status()["daemon"]["store"]["pid"]
        assert daemon.strike(store, signal.SIGSTOP)
        seqs = [client.send("submit", task=code(n)) for n in range(20)]
        eventually(lambda: daemon.status()["daemon"]["store"]["waiting"] > 20, "one of them is claimed")
        waiting = daemon.status()["daemon"]["store"]["waiting"]
        eventually(lambda: daemon.status()["daemon"]["store"]["waiting"] > waiting, "its claim is given back")
        file = daemon.dir / "state" / "store.db"
        for path in daemon.dir.glob("state/store.db*"):
            path.unlink()
        file.mkdir()
        assert daemon.strike(store)
        for seq in seqs:
            reply = client.reply(seq)
            assert not reply["ok"] and reply["error"]["code"] == "STORE_UNAVAILABLE", reply
        assert not client.call("list", state="queued")["tasks"]
        assert client.code("6 * 7")["value"] == 42


@case
def what_is_urgent_goes_before_what_was_claimed():
    with Daemon(one()) as daemon, daemon.client() as client, daemon.client() as other:
        eventually(lambda: is_written(daemon), "the store is open")
        blocker = other.send("submit", task=spin(1000), wait=True)
        eventually(lambda: client.call("list", state="running")["tasks"], "the worker is busy")
        tasks = hand_in(client, [spin(3) for _ in range(10)])
        eventually(lambda: is_written(daemon), "claims are on disk")
        assert figures(client)["changes"] > len(tasks), "somebody has looked ahead"
        urgent = client.submit(spin(3), priority=9)
        assert client.call("cancel", id=tasks[0])["state"] == "cancelled"
        other.reply(blocker)
        first, rest = records_of(client, [urgent])[0], records_of(client, tasks[1:])
        assert first["attempts"][0]["startedAt"] <= min(r["attempts"][0]["startedAt"] for r in rest), (first, rest)
        starts = [r["attempts"][0]["startedAt"] for r in rest]
        assert starts == sorted(starts), starts
        cancelled = records_of(client, tasks[:1])[0]
        assert cancelled["state"] == "cancelled" and not cancelled["attempts"], cancelled


@case
def an_orderly_end_gives_claims_back():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            tasks = set_going(client, 3000)
        daemon.stop()
        daemon.start()
        with daemon.client() as client:
            records = records_of(client, tasks)
        assert [r["value"] for r in records] == list(range(3000))
        assert all(len(r["attempts"]) == 1 and "possiblyRepeated" not in r for r in records)


@case
def what_is_paused_gives_claims_back():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            tasks = set_going(client, 3000)
            pause(client, True)
            paused = time.monotonic()
            eventually(lambda: time.monotonic() > paused + 1.5 and is_written(daemon), "all claims are old")
        die(daemon)
        states = [line["state"] for line in exported(daemon)]
        note(f"paused with {states.count('queued')} left")
        assert set(states) == {"queued", "succeeded"} and len(states) == 3000, set(states)
        daemon.start()
        with daemon.client() as client:
            pause(client, False)
            records = records_of(client, tasks)
        assert all(len(r["attempts"]) == 1 and r["state"] == "succeeded" for r in records)


@case
def a_crash_takes_no_last_attempt_from_what_was_not_sent():
    """At most the one that ran, or was about to, is lost of tasks that may be tried once only."""
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            tasks = set_going(client, 1000, maxAttempts=1)
        die(daemon)
        daemon.start()
        with daemon.client() as client:
            records = records_of(client, tasks)
        lost = [r for r in records if r["state"] != "succeeded"]
        assert len(lost) <= 1, lost
        assert all(r["error"]["code"] == "WORKER_CRASHED" for r in lost), lost


@case
def what_a_crash_leaves_of_claims_is_told():
    """They are few, each has one more attempt, and says that whether the one before it began is not known."""
    def crash():
        with daemon.client() as client:
            tasks = set_going(client, 3000)
        die(daemon)
        daemon.start()
        with daemon.client() as client:
            records = records_of(client, tasks)
        assert [r["value"] for r in records] == list(range(3000))
        repeated = [r for r in records if "possiblyRepeated" in r]
        for r in repeated:
            first, second = r["attempts"]
            assert first["lost"] and first["outcome"] == "WORKER_CRASHED" and second["outcome"] == "succeeded", r
            assert "claimed" not in first or not first["pid"], r
        assert all(len(r["attempts"]) == 1 for r in records if "possiblyRepeated" not in r)
        assert len(repeated) <= CLAIMS + 1, len(repeated)
        return sum("claimed" in r["attempts"][0] for r in repeated)

    with Daemon(one()) as daemon:
        found = eventually(crash, "a crash that leaves claims", 6 * PATIENCE)
        note(f"{found} claims were left")


main()

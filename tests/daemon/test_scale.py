"""What large numbers cost: queued tasks, and projects with limits. How fast it is, and how near to what is aimed at, is for
tools/bench to say: one run on a shared machine is no measurement. What fails here is a cost that grows with the number, or
memory that does.

POPPO_CAMPAIGNS is as for test_campaigns.py: "quick" takes a small share and asks less of it.
"""
import os
import signal
import time

import msgpack

from client import frame
from harness import Daemon, eventually
from tap import case, note, run

SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
FULL = not SANITIZED and os.environ.get("POPPO_CAMPAIGNS", "quick") != "quick"
MANY = 1_000_000 if FULL else 50_000
PROJECTS = 10_000 if FULL else 2_000
ROUNDS = 20 if FULL else 5
GROWS_BELOW, GROWS_ABOVE = 0.4, 2.5
TASK = {"type": "execute-code", "code": "1"}
FOREVER = {"type": "execute-code", "code": "while (1);"}
CONFIG = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 0, "isolation": "heap",
                                "maxMemoryBytes": "16MiB"}},
          "queue": {"maxLength": 0, "maxKeptBytes": "1MiB", "agingInterval": 0},
          "store": {"engine": "memory"}}


def send_all(client, requests):
    """Sends requests that bear one seq and get replies of one length, as fast as the socket takes them."""
    client.write(requests[0])
    length = len(frame(client.receive()))
    for at in range(1, len(requests), 1000):
        batch = requests[at:at + 1000]
        client.write(b"".join(batch))
        client._read(len(batch) * length)


def submission(client, project):
    return frame({"op": "submit", "seq": client.seq, "task": TASK, "options": {"projectId": project}})


def flood(client, count, project):
    client.seq += 1
    send_all(client, [submission(client, project)] * count)


def completed(client):
    return client.call("stats")["totals"]["completed"]


def time_until(client, wanted):
    """Seconds until so many tasks are done."""
    started = time.monotonic()
    while completed(client) < wanted:
        time.sleep(0.002)
    return time.monotonic() - started


def hold(client, held, project="held"):
    client.call("project-set", projectId=project, paused=held)


def serve(client, count):
    """Seconds from the project's release until so many of its tasks are done; then it is held again."""
    wanted = completed(client) + count
    hold(client, False)
    elapsed = time_until(client, wanted)
    hold(client, True)
    return elapsed


@case
def a_long_queue_is_served_as_fast_as_a_short_one_and_takes_little_memory():
    with Daemon(CONFIG) as daemon, daemon.client() as client:
        hold(client, True)
        flood(client, 1000, "held")
        serve(client, 1000)  # warm
        few = many = 0
        for _ in range(ROUNDS):
            flood(client, 1000, "held")
            few += serve(client, 1000)
        before = daemon.rss()
        flood(client, MANY, "held")
        each = (daemon.rss() - before) / MANY
        payload = len(msgpack.packb(TASK))
        for _ in range(ROUNDS):
            flood(client, 1000, "held")
            many += serve(client, 1000)
        note(f"{each:.0f} bytes for each of {MANY} queued tasks, {payload} of them payload")
        note(f"{ROUNDS * 1000 / few:.0f} tasks/s with 1000 queued, {ROUNDS * 1000 / many:.0f} with {MANY}: {few / many:.2f}")
        assert SANITIZED or each <= payload + 300, each
        assert few / many >= GROWS_BELOW, (few, many)
        assert completed(client) >= (2 * ROUNDS + 1) * 1000


def block(client):
    """Keeps both workers busy; the blockers' ids."""
    ids = [client.submit(FOREVER, projectId="blocker", priority=10) for _ in range(2)]
    eventually(lambda: client.call("stats")["totals"]["busy"] == 2, "both workers are busy")
    return ids


def serve_behind_blockers(client, requests):
    """Seconds for all of these, which were queued before the first of them could start."""
    blockers = block(client)
    wanted = completed(client) + len(requests)
    send_all(client, requests)
    for blocker in blockers:
        client.call("cancel", id=blocker)
    return time_until(client, wanted)


@case
def limits_of_many_projects_cost_little():
    names = [f"project-{n:05}" for n in range(PROJECTS)]
    with Daemon(CONFIG) as daemon, daemon.client() as client:
        client.seq += 1
        send_all(client, [frame({"op": "project-limit", "seq": client.seq, "projectId": n, "limit": 1}) for n in names])
        one = [submission(client, "single-00000")] * (2 * PROJECTS)
        all_of_them = [submission(client, n) for n in names] * 2
        serve_behind_blockers(client, one)  # warm
        times = [(serve_behind_blockers(client, one), serve_behind_blockers(client, all_of_them)) for _ in range(3)]
        single, limited = (sorted(column)[1] for column in zip(*times))
        note(f"{len(one) / single:.0f} tasks/s of one project, {len(one) / limited:.0f} of {PROJECTS} with limits: "
             f"{limited / single:.2f}")
        assert limited / single <= GROWS_ABOVE, times


@case
def many_durable_tasks_come_back_while_new_ones_are_served():
    """What was acknowledged is all there again; a new task is taken and run before that, in a project of its own."""
    durable = {**CONFIG, "store": {}, "queue": {"maxLength": 0, "maxBytes": 0}, "projects": {"held": {"paused": True}}}
    with Daemon(durable) as daemon:
        with daemon.client() as client:
            flood(client, MANY, "held")
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.errors_expected = True
        daemon.process.wait()
        eventually(lambda: not daemon._left(), "nothing outlives the supervisor")
        started = time.monotonic()
        daemon.start()
        with daemon.client() as client:
            assert client.call("wait", id=client.submit(TASK))["result"]["value"] == 1
            served = time.monotonic() - started
            was_loading = client.call("status")["daemon"]["store"]["loading"]
            eventually(lambda: not client.call("status")["daemon"]["store"]["loading"], "all is loaded", 120)
            loaded = time.monotonic() - started
            assert client.call("stats")["totals"]["queued"] == MANY
        note(f"{MANY} tasks: a new one was done after {served:.2f} s{', while they loaded' if was_loading else ''}; "
             f"all were back after {loaded:.2f} s")


raise SystemExit(run())

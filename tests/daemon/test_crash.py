"""The crash campaign: random tasks, random deaths, and a checker that reads clients' logs only: test_crash.py BUILD_ROOT

Clients write down what they were told; a server of the test writes down whom it was called by. At the end every
acknowledged task must have its own result, nobody may have another one's, and what happened twice must be marked and
explained by a kill. POPPO_CAMPAIGNS: "quick" a taste, "check" 20,000 tasks and 50 kills, "long" a million and 2,000.
"""
import collections
import http.server
import os
import random
import signal
import threading
import time

from client import Client, Closed
from harness import PATIENCE, Daemon, descendants, eventually
from tap import case, main, note

LEVEL = "quick" if os.environ.get("POPPO_SANITIZED") else os.environ.get("POPPO_CAMPAIGNS", "quick")
TASKS, KILLS = {"quick": (600, 8), "check": (20_000, 50), "long": (1_000_000, 2_000)}[LEVEL]
WINDOW, CLIENTS, SEED = 64, 3, 20

CONFIG = {
    "daemon": {"worker": {"minProcesses": 3, "maxProcesses": 3, "respawnBackoff": 1, "respawnBackoffMax": 50,
                          "maxTasksPerWorker": 0}},
    "defaults": {"maxAttempts": 1000, "retryDelay": 1, "retryDelayMax": 20},
    "queue": {"resultTtl": 0, "maxKeptBytes": 0, "maxLength": 0},
    "taskTypes": {"http-request": {"allowPrivate": True, "allowPorts": [0]}},
}


class Counter:
    """Counts by task how often it was really run, as far as that can be seen from outside."""

    def __init__(self):
        self.hits = collections.Counter()
        counter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                counter.hits[self.path[1:]] += 1
                body = self.path[1:].encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 1024

            def handle_error(self, *_):
                """Whoever called is dead, most likely."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def make_task(n, rng, port):
    """(task, what its value must be)"""
    kind = rng.random()
    if kind < 0.02:
        return {"type": "http-request", "url": f"http://127.0.0.1:{port}/{n}"}, {"data": str(n)}
    if kind < 0.1:
        return {"type": "execute-code", "code": f"var e = Date.now() + {rng.randrange(20)}; while (Date.now() < e); {n}"}, n
    if kind < 0.2:
        return {"type": "execute-code", "code": f"{n} // " + "x" * rng.randrange(5000)}, n
    if kind < 0.6:
        return {"type": "execute-function", "fn": "function (a, b) { return a + b; }", "args": [n, 0]}, n
    return {"type": "execute-code", "code": "n", "context": {"n": n}}, n


class Submitter(threading.Thread):
    """One client. It sends again, with the same key, what it got no answer for."""

    def __init__(self, daemon, first, count, port):
        super().__init__(daemon=True)
        self.socket, self.rng = daemon.socket, random.Random(SEED + first)
        self.todo = collections.deque(range(first, first + count))
        self.tasks = {n: make_task(n, self.rng, port) for n in self.todo}
        self.acknowledged, self.errors, self.again, self.fault = {}, 0, 0, None
        self.most = count // KILLS  # of the tasks that may be under way or done by now

    def free(self, share):
        self.most = int(len(self.tasks) * min(1, share + 1 / KILLS)) if share < 1 else len(self.tasks)

    def may_send(self, under_way):
        return self.todo and len(under_way) < WINDOW and len(self.acknowledged) + len(under_way) < self.most

    def run(self):
        while self.todo and not self.fault:
            try:
                with Client(self.socket, timeout=PATIENCE) as client:
                    self.serve(client)
            except (Closed, OSError):
                self.errors += 1
                time.sleep(0.01)
            except AssertionError as fault:
                self.fault = fault

    def serve(self, client):
        under_way = {}
        try:
            while self.todo or under_way:
                while self.may_send(under_way):
                    n = self.todo[0]
                    under_way[client.send("submit", task=self.tasks[n][0], options={"key": str(n)})] = n
                    self.todo.popleft()
                if not under_way:
                    time.sleep(0.002)
                    continue
                reply = client.receive()
                n = under_way.pop(reply["seq"])
                self.take(n, reply)
        finally:
            self.todo.extendleft(under_way.values())

    def take(self, n, reply):
        if not reply["ok"]:
            assert reply["error"]["code"] in ("STORE_UNAVAILABLE", "SHUTTING_DOWN", "QUEUE_FULL"), reply
            self.todo.append(n)
            return
        assert self.acknowledged.get(n, reply["id"]) == reply["id"], f"task {n} was acknowledged by two ids"
        self.acknowledged[n] = reply["id"]
        self.again += reply.get("duplicate", False)


class Killer:
    def __init__(self, daemon):
        self.daemon, self.rng, self.kills = daemon, random.Random(SEED), collections.Counter()

    def strike(self):
        """The supervisor in one case of five; it is started again, whatever it was doing."""
        if self.rng.random() < 0.2:
            self.kills["poppod"] += 1
            os.kill(self.daemon.pid, signal.SIGKILL)
            self.daemon.process.wait(PATIENCE)
            eventually(lambda: not self.daemon._left(), "nothing outlives the supervisor")
            self.daemon.start()
            return
        name = self.rng.choice(("poppod-store", "poppod-store", "poppod-spawner", "poppod-js", "poppod-js", "poppod-http"))
        victims = [pid for pid, (state, other) in descendants(self.daemon.pid).items() if other == name and state != "Z"]
        if victims:
            self.kills[name] += self.daemon.strike(self.rng.choice(sorted(victims)))

    def total(self):
        return sum(self.kills.values())


def kill_along(killer, submitters):
    """Each kill sets the next share of tasks free, so that there is work under way at every one of them."""
    while killer.total() < KILLS:
        time.sleep(killer.rng.uniform(0, 0.2))
        killer.strike()
        for s in submitters:
            s.free(killer.total() / KILLS)
    for s in submitters:
        s.free(1)


def fetch(daemon, submitter, records):
    """The end of every acknowledged task."""
    with Client(daemon.socket, timeout=600) as client:
        waiting = {}
        todo = collections.deque(submitter.acknowledged.items())
        while todo or waiting:
            while todo and len(waiting) < WINDOW:
                n, task = todo.popleft()
                waiting[client.send("wait", id=task)] = n
            reply = client.receive()
            assert reply["ok"], (waiting[reply["seq"]], reply)
            records[waiting.pop(reply["seq"])] = reply["result"]


def check(submitter, records, hits):
    repeated = 0
    for n, (task, value) in submitter.tasks.items():
        record = records[n]
        assert record["state"] == "succeeded", (n, record)
        got = record["value"]["data"] if task["type"] == "http-request" else record["value"]
        assert got == (value["data"] if task["type"] == "http-request" else value), (n, record)
        outcomes = [a["outcome"] for a in record["attempts"]]
        assert outcomes.count("succeeded") == 1 and outcomes[-1] == "succeeded", (n, record)
        unseen = [bool(a.get("lost") or a.get("killedWorker")) for a in record["attempts"][:-1]]
        assert record.get("possiblyRepeated", False) == any(unseen), (n, record)
        assert all(unseen) or task["type"] == "http-request", (n, record)
        assert hits[str(n)] <= len(outcomes), f"task {n} ran {hits[str(n)]} times, of which {len(outcomes)} are known"
        if task["type"] == "http-request":
            assert hits[str(n)] >= 1, f"task {n} has a result and was never run"
        repeated += len(outcomes) > 1
    return repeated


@case
def nothing_acknowledged_is_lost_and_nothing_is_invented():
    counter = Counter()
    CONFIG["taskTypes"]["http-request"]["allowPorts"] = [counter.port]
    with Daemon(CONFIG) as daemon:
        daemon.errors_expected = True
        killer = Killer(daemon)
        share = TASKS // CLIENTS
        submitters = [Submitter(daemon, c * share, share, counter.port) for c in range(CLIENTS)]
        started = time.monotonic()
        for s in submitters:
            s.start()
        kill_along(killer, submitters)
        for s in submitters:
            s.join()
            assert not s.fault, s.fault
        acknowledged = time.monotonic()
        records = {}
        for s in submitters:
            fetch(daemon, s, records)
        took = time.monotonic() - started
        repeated = sum(check(s, records, counter.hits) for s in submitters)
        note(f"acknowledged after {acknowledged - started:.0f} s")
        note(f"{share * CLIENTS} tasks, {killer.total()} kills {dict(killer.kills)}, {took:.0f} s; {repeated} tasks were repeated, "
             f"{sum(s.again for s in submitters)} submits were known already, {sum(s.errors for s in submitters)} connections lost")
        assert killer.total() >= KILLS and killer.kills["poppod"] and killer.kills["poppod-store"], killer.kills
        # A kill costs at most the tasks that the workers had, each of the http class up to what it takes at once.
        assert repeated <= killer.total() * (3 + WINDOW), (repeated, killer.kills)


main()

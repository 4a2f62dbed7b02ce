"""The crash campaign: random tasks, random deaths, and a checker that reads clients' logs only: test_crash.py BUILD_ROOT

Tasks of every type. Clients write down what they were told; outside of the sandboxes is written down what was really run, in
a file, by a server that http-requests and a program's tasks call. At the end every acknowledged task must have its own
result, nobody may have another one's, and what happened twice must be marked and explained by a kill.
POPPO_CAMPAIGNS: "quick" a taste, "check" 20,000 tasks and 50 kills, "long" a million and 2,000; POPPO_CRASHES says other
numbers, as 100000,300.
"""
import collections
import http.server
import os
import pathlib
import random
import shutil
import signal
import tempfile
import threading
import time

from client import Client, Closed
from harness import PATIENCE, Daemon, descendants, eventually
from tap import case, main, note

LEVEL = "quick" if os.environ.get("POPPO_SANITIZED") else os.environ.get("POPPO_CAMPAIGNS", "quick")
TASKS, KILLS = {"quick": (600, 8), "check": (20_000, 50), "long": (1_000_000, 2_000)}[LEVEL]
if "POPPO_CRASHES" in os.environ:
    TASKS, KILLS = map(int, os.environ["POPPO_CRASHES"].split(","))
WINDOW, CLIENTS, SEED, CLAIMS = 64, 3, 20, 128

# A worker for each class: else they would take turns, a new process each time.
WORKERS = 6
# Whom the killer strikes: what is killed more often stands there more often.
VICTIMS = ("poppod-store", "poppod-store", "poppod-spawner", "poppod-loader", "poppod-js", "poppod-js", "poppod-http",
           "poppod-shell", "note.py")

# What an attempt may be told of a kill other than that its own worker is gone.
FAULTS = {"execute-module": {"LOADER_UNAVAILABLE"}}

NOTE = """#!/usr/bin/python3
import os, socket, struct, sys
import msgpack

def read(size):
    data = b""
    while len(data) < size:
        part = os.read(3, size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data

def send(**message):
    body = msgpack.packb(message)
    data = struct.pack(">I", len(body)) + body
    while data:
        data = data[os.write(3, data):]

def call(n):
    with socket.create_connection(("127.0.0.1", @)) as server:
        server.sendall(b"GET /%d HTTP/1.0\\r\\n\\r\\n" % n)
        while server.recv(4096):
            pass

send(op="ready")
while True:
    message = msgpack.unpackb(read(struct.unpack(">I", read(4))[0]))
    if message["op"] == "run":
        n = message["task"]["n"]
        call(n)
        send(seq=message["seq"], ok=True, value=n, cpuUs=0)
"""


class Outside:
    """Counts by task how often it was really run, as far as that can be seen from outside."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="poppo-outside-"))
        self.dir.chmod(0o755)
        self.notes = os.open(self.dir / "notes", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.listen()
        self.write("note.py", NOTE.replace("@", str(self.port))).chmod(0o755)
        self.write("sum.js", "exports.of = function (a, b) { return a + b; };\n")

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return self.dir / name

    def config(self):
        return {
            "daemon": {"worker": {"minProcesses": WORKERS, "maxProcesses": WORKERS, "respawnBackoff": 1, "respawnBackoffMax": 50,
                                  "maxTasksPerWorker": 0}},
            "defaults": {"maxAttempts": 1000, "retryDelay": 1, "retryDelayMax": 20},
            "queue": {"resultTtl": 0, "maxKeptBytes": 0, "maxLength": 0},
            "taskTypes": {"http-request": {"allowPrivate": True, "allowPorts": [self.port]},
                          "execute-module": {"roots": [str(self.dir)]},
                          "note": {"program": str(self.dir / "note.py"), "profile": "http", "network": True}},
        }

    def counted(self):
        """{n: how often}"""
        return collections.Counter((self.dir / "notes").read_text().split())

    def listen(self):
        notes = self.notes

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.path[1:].encode()
                os.write(notes, body + b"\n")
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        os.close(self.notes)
        shutil.rmtree(self.dir)


def make_task(n, rng, port):
    """(task, what its value must be)"""
    kind = rng.random()
    if kind < 0.015:
        return {"type": "http-request", "url": f"http://127.0.0.1:{port}/{n}"}, n
    if kind < 0.019:
        return {"type": "shell-command", "argv": ["echo", str(n)]}, n
    if kind < 0.023:
        return {"type": "shell-command", "command": f"echo {n} | cat"}, n
    if kind < 0.043:
        return {"type": "execute-module", "modulePath": "sum", "method": "of", "args": [n, 0]}, n
    if kind < 0.053:
        return {"type": "note", "n": n}, n
    if kind < 0.1:
        return {"type": "execute-code", "code": f"var e = Date.now() + {rng.randrange(12)}; while (Date.now() < e); {n}"}, n
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
        name = self.rng.choice(VICTIMS)
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


def value_of(task, record):
    if task["type"] == "http-request":
        return int(record["value"]["data"])
    return int(record["value"]["stdout"]) if task["type"] == "shell-command" else record["value"]


def check(submitter, records, hits):
    repeated = 0
    for n, (task, value) in submitter.tasks.items():
        record = records[n]
        assert record["state"] == "succeeded", (n, record)
        assert value_of(task, record) == value, (n, record)
        outcomes = [a["outcome"] for a in record["attempts"]]
        assert outcomes.count("succeeded") == 1 and outcomes[-1] == "succeeded", (n, record)
        unseen = [bool(a.get("lost") or a.get("killedWorker")) for a in record["attempts"][:-1]]
        assert record.get("possiblyRepeated", False) == any(unseen), (n, record)
        seen = {outcome for outcome, not_seen in zip(outcomes, unseen) if not not_seen}
        assert task["type"] == "http-request" or seen <= FAULTS.get(task["type"], set()), (n, record)
        assert hits[str(n)] <= len(outcomes), f"task {n} ran {hits[str(n)]} times, of which {len(outcomes)} are known"
        if task["type"] in ("http-request", "note"):
            assert hits[str(n)] >= 1, f"task {n} has a result and was never run"
        repeated += len(outcomes) > 1
    return repeated


@case
def nothing_acknowledged_is_lost_and_nothing_is_invented():
    outside = Outside()
    with outside, Daemon(outside.config()) as daemon:
        daemon.errors_expected = True
        killer = Killer(daemon)
        share = TASKS // CLIENTS
        submitters = [Submitter(daemon, c * share, share, outside.port) for c in range(CLIENTS)]
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
        hits = outside.counted()
        repeated = sum(check(s, records, hits) for s in submitters)
        types = collections.Counter(task["type"] for s in submitters for task, _ in s.tasks.values())
        note(", ".join(f"{count} {kind}" for kind, count in sorted(types.items())))
        note(f"acknowledged after {acknowledged - started:.0f} s")
        note(f"{share * CLIENTS} tasks, {killer.total()} kills {dict(killer.kills)}, {took:.0f} s; {repeated} tasks were repeated, "
             f"{sum(s.again for s in submitters)} submits were known already, {sum(s.errors for s in submitters)} connections lost")
        assert killer.total() >= KILLS and killer.kills["poppod"] and killer.kills["poppod-store"], killer.kills
        # A kill costs at most the tasks that the workers had, each of the http class up to what it takes at once; one of the
        # supervisor also those whose attempts were written ahead.
        assert repeated <= killer.total() * (WORKERS + WINDOW) + killer.kills["poppod"] * CLAIMS, (repeated, killer.kills)


main()

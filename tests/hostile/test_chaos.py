"""Everything at once, for a bounded time: whatever dies, stops or changes, each task ends exactly once with an outcome that
was to be expected, and nothing is left over. POPPO_CHAOS_SECONDS sets the length of each storm; `seed=N` repeats one.
"""
import collections
import os
import random
import signal
import sys
import threading
import time

from harness import Closed, Daemon, Refused, descendants, eventually
from tap import case, note, run

SECONDS = float(os.environ.get("POPPO_CHAOS_SECONDS", "6"))
SEED = int(next((word[5:] for word in sys.argv if word.startswith("seed=")), 0)) or random.randrange(1, 1 << 32)
WORKER = {"minProcesses": 2, "maxProcesses": 4, "heartbeatInterval": 200, "missedHeartbeats": 2, "startTimeout": 1000,
          "killGrace": 200, "respawnBackoff": 5, "respawnBackoffMax": 50, "maxTasksPerWorker": 20}
CONFIG = {"daemon": {"worker": WORKER, "shutdownTimeout": 20000}, "queue": {"maxLength": 400, "maxKeptBytes": 0, "resultTtl": 0}}

BUSY = "var end = Date.now() + 3; while (Date.now() < end);"
# What a task does, and the codes that it may fail with when nothing happens to its worker.
KINDS = {
    "value": ("40 + 2", set()),
    "busy": (BUSY + " 42", set()),
    "throw": ("throw new Error('on purpose')", {"TASK_ERROR"}),
    "endless": ("while (1);", {"TIMEOUT"}),
}
DISASTERS = {"WORKER_CRASHED", "QUARANTINED", "TIMEOUT"}
REFUSALS = {"QUEUE_FULL", "PROJECT_LIMIT"}


class Storm:
    """Clients that hand in, wait, cancel, and go away in the middle; what they were told is kept for the reckoning."""

    def __init__(self, daemon, seed):
        self.daemon = daemon
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.kinds = {}  # id: kind
        self.by_key = collections.defaultdict(set)
        self.faults = []
        self.cancelled, self.abandoned = set(), 0
        self.over = threading.Event()

    def _options(self, rng):
        options = {"projectId": f"p{rng.randrange(4)}", "priority": rng.randrange(3), "timeout": 50, "retryDelay": 1,
                   "maxAttempts": rng.choice([1, 2, 4])}
        if rng.random() < 0.2:
            options["delay"] = rng.randrange(20)
        if rng.random() < 0.2:
            options["isolation"] = "process"
        return options

    def _hand_in(self, client, rng):
        kind = rng.choice(list(KINDS))
        options = self._options(rng)
        if rng.random() < 0.2:
            kind, options["projectId"], options["key"] = "value", "keys", f"k{rng.randrange(200)}"
        try:
            task = client.submit({"type": "execute-code", "code": KINDS[kind][0]}, **options)
        except Refused as refused:
            assert refused.code in REFUSALS, refused
            return None
        with self.lock:
            self.kinds[task] = kind
            if "key" in options:
                self.by_key[options["key"]].add(task)
        return task

    def _cancel(self, client, task):
        if not task:
            return
        with self.lock:
            self.cancelled.add(task)
        client.call("cancel", id=task)

    def _call_and_leave(self, rng):
        with self.daemon.client() as client:
            for _ in range(rng.randrange(1, 5)):
                client.send("submit", task={"type": "execute-code", "code": BUSY}, options=self._options(rng), wait=True)
            client.call("ping")
        with self.lock:
            self.abandoned += 1

    def _client(self, seed):
        rng = random.Random(seed)
        try:
            with self.daemon.client() as client:
                while not self.over.is_set():
                    task = self._hand_in(client, rng)
                    if rng.random() < 0.2:
                        self._cancel(client, task)
                    if rng.random() < 0.1:
                        self._call_and_leave(rng)
                    if rng.random() < 0.3 and task:
                        self._check(client.call("wait", id=task)["result"])
                    time.sleep(0.002)
        except BaseException as fault:  # pylint: disable=broad-except
            self.faults.append(repr(fault))

    def _check(self, record):
        """Whether the record's end is one that its task may have."""
        kind, code = self.kinds[record["id"]], (record.get("error") or {}).get("code")
        state = record["state"]
        good = {"succeeded": kind in ("value", "busy") and record.get("value") == 42,
                "cancelled": record["id"] in self.cancelled,
                "failed": code in KINDS[kind][1] | DISASTERS,
                "dead": code in KINDS[kind][1] | DISASTERS}
        assert good.get(state), (kind, record)

    def run(self, strike, after, clients=4):
        """Clients work while strike(rng) is called again and again. Then comes after(): what was left paused or stopped must
        go on before the clients that wait for it can end."""
        threads = [threading.Thread(target=self._client, args=(self.rng.random(),)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not self.faults:
            strike(self.rng)
            time.sleep(self.rng.random() * 0.02)
        self.over.set()
        after()
        for thread in threads:
            thread.join()
        assert not self.faults, self.faults

    def reckon(self):
        """Every task that was taken in has one end, and the daemon's books say the same."""
        with self.daemon.client() as client:
            states = collections.Counter()
            for task in self.kinds:
                record = client.call("wait", id=task)["result"]
                self._check(record)
                states[record["state"]] += 1
            note(f"{dict(states)}, {self.abandoned} callers went away")
            eventually(lambda: idle(client), "nothing runs or waits")
            totals = client.call("stats")["totals"]
            assert client.code("6 * 7", {"maxAttempts": 5, "retryDelay": 0})["value"] == 42
        ended = {"succeeded": "completed", "failed": "failed", "dead": "dead"}
        for state, counter in ended.items():
            assert totals[counter] >= states[state], (state, states, totals)
        assert all(len(tasks) == 1 for tasks in self.by_key.values()), "a key named two tasks"
        assert len(self.kinds) > 100, "too little happened"


def idle(client):
    totals = client.call("stats")["totals"]
    return not totals["busy"] and not totals["queued"] and not totals["delayed"]


def census(daemon):
    """Descriptors beyond those of the workers, children that are no workers, and clients."""
    with daemon.client() as client:
        status = client.call("status")
        workers = {worker.get("pid") for worker in status["workers"].values()}
        others = [pid for pid in descendants(daemon.pid) if pid not in workers]
        return daemon.fds() - 2 * len(workers - {0, None}), len(others), status["daemon"]["clients"]


def settled(daemon):
    """The census of a daemon at rest, where the starter, the spawner and the store are the only other children and the asker the only client."""
    def at_rest():
        fds, others, clients = census(daemon)
        return fds if others == 3 and clients == 1 and not daemon.zombies() else None
    return eventually(at_rest, "nothing but the starter, the spawner, the store, the workers and this client is left")


def processes(daemon, *names):
    return [pid for pid, (state, name) in descendants(daemon.pid).items() if name in names and state != "Z"]


def storm(daemon, strike, after=lambda: None):
    daemon.errors_expected = True
    before = settled(daemon)
    weather = Storm(daemon, SEED)
    weather.run(strike, after)
    weather.reckon()
    eventually(lambda: settled(daemon) <= before, "descriptors are given back")


@case
def kills_of_workers_and_spawners_at_random():
    with Daemon(CONFIG) as daemon:
        def strike(rng):
            victims = processes(daemon, "poppod-js") if rng.random() < 0.8 else processes(daemon, "poppod-spawner")
            if victims:
                daemon.strike(rng.choice(victims))
        storm(daemon, strike)


@case
def stopped_processes_are_survived_or_replaced():
    with Daemon(CONFIG) as daemon:
        stopped = []

        def wake():
            while stopped:
                daemon.strike(stopped.pop(), signal.SIGCONT)

        def strike(rng):
            if rng.random() < 0.2:
                wake()
            if rng.random() < 0.1:
                os.kill(daemon.pid, signal.SIGSTOP)
                time.sleep(rng.random() * 0.3)
                os.kill(daemon.pid, signal.SIGCONT)
            victims = processes(daemon, "poppod-js", "poppod-spawner")
            if victims and rng.random() < 0.2:
                stopped.append(rng.choice(victims))
                daemon.strike(stopped[-1], signal.SIGSTOP)
        storm(daemon, strike, after=wake)


@case
def reloads_and_signals_in_bursts():
    with Daemon(CONFIG) as daemon:
        def another(rng):
            most = rng.choice([1, 2, 4, 8])
            worker = {**WORKER, "minProcesses": rng.choice([0, 1, most]), "maxProcesses": most,
                      "autoScale": rng.random() < 0.7, "isolation": rng.choice(["heap", "project", "process"]),
                      "maxTasksPerWorker": rng.choice([0, 1, 2, 20]), "killGrace": rng.choice([0, 200])}
            projects = rng.choice([{}, {"p1": {"paused": True}}, {"p2": {"processLimit": 1}}, {"p3": {"rateLimit": "50/s"}}])
            return {**CONFIG, "daemon": {"worker": worker, "shutdownTimeout": 20000}, "projects": projects}

        def strike(rng):
            if rng.random() < 0.5:
                daemon.write_config(another(rng) if rng.random() < 0.9 else '{"daemon": oops}')
            for _ in range(rng.randrange(8)):
                os.kill(daemon.pid, rng.choice([signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN,
                                                signal.SIGTTOU]))

        def settle():
            daemon.write_config(CONFIG)
            with daemon.client() as client:
                client.call("reload")
        storm(daemon, strike, after=settle)


@case
def an_end_in_the_middle_of_everything_is_an_end():
    """Each way to end, with tasks that run, wait, are delayed and retried: every caller is told, and nothing is left."""
    ways = {"TERM": 0, "drain, TERM": 0, "stop": 0, "stop now": 1, "QUIT": 1}
    for way, status in ways.items():
        with Daemon(CONFIG) as daemon, daemon.client() as caller, daemon.client() as other:
            rng = random.Random(SEED)
            with daemon.client() as leaving:
                leaving.submit({"type": "execute-code", "code": BUSY.replace("3", "500")})
            eventually(lambda: other.call("stats")["totals"]["busy"], "something runs")
            calls = [caller.send("submit", task={"type": "execute-code", "code": rng.choice(["42", BUSY, "throw 1"])}, wait=True,
                                 options={"retryDelay": 5, "projectId": f"p{n % 3}", "delay": rng.choice([0, 0, 50, 60000])})
                     for n in range(200)]
            caller.call("ping")
            if way.startswith("drain"):
                other.send("drain")
            if way.startswith("stop"):
                other.send("stop", now=way.endswith("now"))
            else:
                os.kill(daemon.pid, getattr(signal, "SIG" + way.split()[-1]))
            daemon.wait_end(status)
            for seq in calls:
                try:
                    reply = caller.reply(seq)
                except Closed:
                    raise AssertionError(f"{way}: a caller was told nothing") from None
                assert reply["ok"] or reply["error"]["code"] == "SHUTTING_DOWN", (way, reply)


note(f"seed={SEED}")
raise SystemExit(run())

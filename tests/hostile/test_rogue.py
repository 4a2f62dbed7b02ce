"""Workers that were taken over by native code and do with their channels what they like: each costs itself and its task, and
nobody else anything. rogue/spawner.c makes them: first those of class js, then those of all the others, while tasks of the
classes that are left go on beside them. POPPO_LONG makes it longer; `seed=N` repeats a run.
"""
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time

import msgpack

from client import Client
from harness import BUILD, Daemon, eventually
from tap import case, note, run

SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
LONG = bool(os.environ.get("POPPO_LONG"))
SECONDS = 60 if LONG else 2
SEED = int(next((word[5:] for word in sys.argv if word.startswith("seed=")), 1 if not LONG else random.randrange(1, 10**6)))
USER = 54321
MIB = 1 << 20

WORKER = {"minProcesses": 2, "maxProcesses": 8, "heartbeatInterval": 200, "missedHeartbeats": 3, "startTimeout": 5000,
          "killGrace": 100, "respawnBackoff": 1, "respawnBackoffMax": 5, "maxTasksPerWorker": 0, "maxCpuTime": SEED}
MODULES = {"execute-module": {"roots": ["/usr/share/javascript", "/usr/share"]}}

JS = {"type": "execute-code", "code": "6 * 7"}
SHELL = {"type": "shell-command", "argv": ["echo", "6"]}
# A client that is told nothing within this waits for something that was lost.
SOON, ENOUGH = 30, 20


class Taken(Daemon):
    """A daemon, as root another user's, whose spawner is one of ours."""

    def __init__(self, rogue, types=None):
        super().__init__(start=False)
        self.errors_expected = True
        self.dir.chmod(0o755)
        for name in ("poppod", "poppod-loader", "poppod-store", "poppod-http.so"):
            shutil.copy(BUILD / name, self.dir)
        shutil.copy(BUILD / "tests" / "hostile" / "rogue" / rogue, self.dir / "poppod-spawner")
        user = {} if os.geteuid() else {"user": str(USER)}
        types = handlers(self.dir) if types is None else types
        self.write_config({"daemon": {"worker": WORKER, **user}, "taskTypes": types, "logging": {"level": "error"},
                           "queue": {"maxKeptBytes": 65536, "resultTtl": 1000}})

    def spawn(self, *arguments):
        command = [self.dir / "poppod", "-c", self.config, "--socket", self.socket, "--state-dir", self.dir / "state", *arguments]
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self._destroy()
            raise


def handlers(folder):
    """A plugin and a program of our own, whose workers say what they like instead of running them."""
    program = folder / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    plugin = folder / "primes.so"
    shutil.copy(BUILD / "tests" / "handlers" / "primes.so", plugin)
    plugin.chmod(0o755)
    return {"rogue-program": {"program": [str(program)]}, "rogue-plugin": {"plugin": str(plugin)}}


def some_map(pairs):
    """What a worker calls a value may have keys that no dictionary takes."""
    try:
        return dict(pairs)
    except TypeError:
        return pairs


class Attacker(Client):
    """A client whose tasks return anything."""

    def receive(self):
        length, = struct.unpack(">I", self._read(4))
        return msgpack.unpackb(self._read(length), object_pairs_hook=some_map, strict_map_key=False, timestamp=0)


class Struggle:
    """Attackers' tasks in projects of their own, and victims' beside them."""

    def __init__(self, daemon, attack, victims):
        self.daemon = daemon
        self.attack, self.victims = attack, victims
        self.over = threading.Event()
        self.faults, self.waits, self.ended = [], [], 0

    def _attacker(self, number):
        rng = random.Random(SEED * 1000 + number)
        with Attacker(self.daemon.socket, timeout=SOON) as client:
            while not self.over.is_set():
                options = {"projectId": f"evil{rng.randrange(3)}", "timeout": 250, "maxAttempts": rng.choice([1, 1, 2]),
                           "retryDelay": 1, "isolation": rng.choice(["project", "process"])}
                record = client.run(rng.choice(self.attack), **options)
                assert record["state"] in ("succeeded", "failed", "dead"), record
                self.ended += 1

    def _victim(self, number):
        rng = random.Random(number)
        with self.daemon.client(timeout=SOON) as client:
            while not self.over.is_set():
                task, value = rng.choice(self.victims)
                begin = time.monotonic()
                record = client.run(task, projectId="good", priority=10, timeout=20000)
                self.waits.append(time.monotonic() - begin)
                assert record["state"] == "succeeded" and value(record), record
                assert len(record["attempts"]) == 1 and record["isolation"], record
                time.sleep(0.005)

    def _guarded(self, role, number):
        try:
            role(number)
        except BaseException as fault:  # pylint: disable=broad-except
            self.faults.append(repr(fault))
            self.over.set()

    def _enough(self):
        return self.ended >= ENOUGH and len(self.waits) >= ENOUGH

    def run(self, seconds):
        """For so long, and on a slow machine until enough has happened."""
        threads = [threading.Thread(target=self._guarded, args=(role, n))
                   for role, many in ((self._attacker, 6), (self._victim, 2)) for n in range(many)]
        for thread in threads:
            thread.start()
        self.over.wait(seconds)
        end = time.monotonic() + 2 * SOON
        while not self._enough() and time.monotonic() < end and not self.over.wait(0.1):
            pass
        self.over.set()
        for thread in threads:
            thread.join()
        assert not self.faults, self.faults
        assert self._enough(), (self.ended, len(self.waits))


def count_at_rest(daemon, client):
    status = client.call("status")
    if status["totals"]["busy"] or status["totals"]["queued"] or status["totals"]["delayed"] or status["daemon"]["clients"] != 1:
        return None
    if daemon.zombies() or any(worker["state"] not in ("idle", "standby") for worker in status["workers"].values()):
        return None
    return daemon.fds() - 2 * len(status["workers"])


def at_rest(daemon):
    """Descriptors beyond those of workers, when nothing runs and no worker comes or goes; None before that. Counted twice while
    the one who asks is connected: its own, and that of a worker that comes meanwhile, would make a difference."""
    with daemon.client() as client:
        fds = count_at_rest(daemon, client)
        return fds if fds == count_at_rest(daemon, client) else None


def starts(status):
    return {name: status["daemon"][name]["restarts"] for name in ("spawner", "loader", "store") if name in status["daemon"]}


def struggle(daemon, attack, victims):
    # The first round brings tables and buffers to their size; what grows after it grows for good.
    Struggle(daemon, attack, victims).run(SECONDS / 2)
    fds, rss = eventually(lambda: at_rest(daemon), "all is quiet"), daemon.rss()
    pid = daemon.pid
    fight = Struggle(daemon, attack, victims)
    fight.run(SECONDS)
    eventually(lambda: at_rest(daemon) == fds, f"there are {fds} descriptors as before")
    grown = daemon.rss() - rss
    status = daemon.status()
    note(f"{fight.ended} attacks, {len(fight.waits)} tasks beside them, the slowest {max(fight.waits) * 1000:.0f} ms, "
         f"the master grew by {grown / MIB:.1f} MiB")
    assert status["daemon"]["pid"] == pid and status["daemon"]["state"] == "serving", status["daemon"]
    assert set(starts(status).values()) == {0}, starts(status)
    # A sanitizer keeps what was freed for a while.
    assert SANITIZED or grown < 16 * MIB, f"the master grew by {grown} bytes"


def give(value):
    return lambda record: record["value"] == value


@case
def workers_of_class_js_cost_only_themselves():
    with Taken("rogue-js", MODULES) as daemon:
        struggle(daemon, [JS, {"type": "execute-module", "modulePath": "./six"}],
                 [(SHELL, lambda record: record["value"]["stdout"] == "6\n")])


@case
def workers_of_the_other_classes_cost_only_themselves():
    with Taken("rogue-others") as daemon:
        attack = [SHELL, {"type": "http-request", "url": "http://127.0.0.1:9/"}, {"type": "rogue-program"}, {"type": "rogue-plugin"}]
        struggle(daemon, attack, [(JS, give(42)), ({"type": "execute-function", "fn": "function (a) { return a; }", "args": ["x"]},
                                                   give("x"))])


note(f"seed={SEED}")
raise SystemExit(run())

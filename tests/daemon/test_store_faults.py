"""Every system call of the way from a submit to its result, made to fail or to be the last: test_store_faults.py BUILD_ROOT

With a sanitizer a sample of the kill points is taken.
"""
import os
import signal
import time

from client import Client, Closed, Refused
from harness import PATIENCE, Daemon, descendants, eventually
from strace import Strace, needed
from tap import case, main, note

# A sanitizer cannot look for leaks in a process that is traced, and says so; daemon/store has it look.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

EVERY = 4 if os.environ.get("POPPO_SANITIZED") else 1
# A sanitizer's runtime ends a process that cannot map memory, before it comes to code of ours.
NOT_FAILED = {"exit_group", "restart_syscall"} | ({"mmap", "munmap", "mremap"} if os.environ.get("POPPO_SANITIZED") else set())
FAULTS = ("ENOSPC", "EIO", "EINTR", "ENOMEM", "EMFILE")
CONFIG = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "respawnBackoff": 1}}}


def code(n):
    return {"type": "execute-code", "code": str(n)}


def store_of(daemon):
    return daemon.status()["daemon"]["store"]


def is_open(daemon):
    store = store_of(daemon)
    return store["state"] == "open" and not store["loading"] and not store["waiting"]


def worker_of(daemon):
    def find():
        return next((pid for pid, (state, name) in descendants(daemon.pid).items() if name == "poppod-js" and state != "Z"), None)
    return eventually(find, "there is a worker")


class Log:
    """What a client knows: what was acknowledged, and what it was told of the ends."""

    def __init__(self, daemon):
        self.daemon, self.acknowledged, self.refused, self.n = daemon, {}, 0, 0

    def submit(self, client):
        """One task, small or large; nothing is known of one whose answer did not come."""
        self.n += 1
        task = code(self.n)
        if self.n % 3 == 0:
            task["code"] += " // " + "x" * 20000
        try:
            reply = client.reply(client.send("submit", task=task, options={"retryDelay": 1, "maxAttempts": 100}))
        except (Closed, OSError):
            return False
        if reply["ok"]:
            self.acknowledged[reply["id"]] = self.n
        else:
            assert reply["error"]["code"] == "STORE_UNAVAILABLE", reply
            self.refused += 1
        return reply["ok"]

    def reckon(self):
        """Every acknowledged task ends with its own result, and with no other."""
        with self.daemon.client() as client:
            for task, n in self.acknowledged.items():
                record = client.call("wait", id=task)["result"]
                assert record["state"] == "succeeded" and record["value"] == n, record
                repeated = len(record["attempts"]) > 1
                assert record.get("possiblyRepeated", False) == repeated, record
        self.acknowledged.clear()


def walk(daemon, log):
    """Submit, acknowledgement, dispatch, result, commit, reply: three times over. False: somebody died on the way."""
    try:
        with Client(daemon.socket, timeout=PATIENCE) as client:
            for _ in range(3):
                if not log.submit(client):
                    return False
                client.call("wait", id=list(log.acknowledged)[-1])
        return True
    except (Closed, Refused, OSError):
        return False


def restart(daemon):
    if daemon.process.poll() is None:
        os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(PATIENCE)
    eventually(lambda: not daemon._left(), "nothing outlives the supervisor")
    daemon.start()
    eventually(lambda: is_open(daemon), "the store is open")


def trace(daemon, pid, log):
    with Strace(pid, daemon.dir / "trace") as strace:
        assert walk(daemon, log)
    return strace.calls()


# ---- calls that fail ----

def fault(daemon, log, name, error):
    """The call fails for as long as a walk takes, from its second time on."""
    with Strace(store_of(daemon)["pid"], daemon.dir / "trace", f"trace={name}", f"inject={name}:error={error}:when=2+2") as strace:
        with Client(daemon.socket) as client:
            seqs = [log.submit(client) for _ in range(6)]
    assert daemon.process.poll() is None, f"{name} {error}: the supervisor ended"
    eventually(lambda: is_open(daemon), f"the store recovers from {name} {error}")
    with daemon.client() as client:
        assert log.submit(client), f"no recovery from {name} {error}"
    return strace.injected(), seqs


@case
def no_failing_call_of_the_store_makes_a_false_acknowledgement():
    needed()
    with Daemon(CONFIG) as daemon:
        daemon.errors_expected = True
        eventually(lambda: is_open(daemon), "the store is open")
        log = Log(daemon)
        names = sorted(set(trace(daemon, store_of(daemon)["pid"], log)) - NOT_FAILED)
        hit = 0
        for name in names:
            for error in FAULTS:
                hit += fault(daemon, log, name, error)[0]
            restart(daemon)
            log.reckon()
        note(f"{len(names)} calls ({' '.join(names)}), {len(FAULTS)} errors each: {hit} hit, {log.refused} submits refused")
        assert hit >= 3 * len(FAULTS), hit
        assert {"fdatasync", "pwrite64"} <= set(names), names


@case
def a_disk_that_becomes_read_only_refuses_by_name_and_recovers_by_itself():
    needed()
    with Daemon(CONFIG) as daemon:
        daemon.errors_expected = True
        eventually(lambda: is_open(daemon), "the store is open")
        log = Log(daemon)
        with Strace(store_of(daemon)["pid"], daemon.dir / "trace", "trace=pwrite64", "inject=pwrite64:error=EROFS"):
            with Client(daemon.socket) as client:
                assert not log.submit(client) and log.refused == 1
                assert client.code("6 * 7")["value"] == 42, "what nobody keeps goes on"
        eventually(lambda: is_open(daemon), "it recovers unaided")
        with daemon.client() as client:
            assert log.submit(client)
        log.reckon()


# ---- calls before which somebody is killed ----

def kill_before(daemon, log, victim, name, k):
    """Before the k-th of these calls on a walk. False: there were not so many."""
    with Strace(victim, daemon.dir / "trace", f"trace={name}", f"inject={name}:signal=SIGKILL:when={k}") as strace:
        walk(daemon, log)
        return strace.ended()


def kill_at_every_point(find_victim, recover):
    needed()
    with Daemon(CONFIG) as daemon:
        daemon.errors_expected = True
        eventually(lambda: is_open(daemon), "the store is open")
        log = Log(daemon)
        calls = trace(daemon, find_victim(daemon), log)
        kills, started = {}, time.monotonic()
        for name in sorted(calls):
            kills[name] = 0
            while kill_before(daemon, log, find_victim(daemon), name, 1 + kills[name] * EVERY):
                kills[name] += 1
                recover(daemon)
                log.reckon()
            recover(daemon)
            log.reckon()
        note(f"killed before {' '.join(f'{n}:{k}' for n, k in kills.items())}; {time.monotonic() - started:.0f} s")
        assert sum(kills.values()) * EVERY >= 10, kills


@case
def the_store_may_be_killed_before_any_of_its_calls():
    def recover(daemon):
        eventually(lambda: is_open(daemon), "another store")
    kill_at_every_point(lambda daemon: store_of(daemon)["pid"], recover)


@case
def the_supervisor_may_be_killed_before_any_of_its_calls():
    kill_at_every_point(lambda daemon: daemon.pid, restart)


@case
def a_worker_may_be_killed_before_any_of_its_calls():
    def recover(daemon):
        worker_of(daemon)
    kill_at_every_point(worker_of, recover)


main()

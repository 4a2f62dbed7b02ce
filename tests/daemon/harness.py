"""Private daemons for tests: started from the build folder, watched, ended by pid, and searched for what they left.

    with Daemon({"daemon": {"worker": {"maxProcesses": 2}}}) as daemon, daemon.client() as client:
        assert client.code("6 * 7")["value"] == 42

Leaving the block ends the daemon with TERM and checks: status 0, no process left, no zombie, no error in its log and
no report of a sanitizer. A test that provokes errors sets daemon.errors_expected.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from client import Client, Closed, Refused  # noqa: F401 (for the tests)
from tap import Skip

BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
PATIENCE = float(os.environ.get("POPPO_TEST_PATIENCE", "20"))

# What the machine and the build cannot give is not asked for, unless a test says itself what it asks for: sanitizers keep
# layers open, and control groups are not for everybody.
SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
LENIENT = {"require": "best-effort"} if SANITIZED else {"treeMemory": "best-effort"}
# A wrapper: no control groups to be seen, so that nothing can bound the memory of a tree, whoever the supervisor is.
WITHOUT_CGROUPS = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                   'umount -R /sys/fs/cgroup 2>/dev/null; exec "$@"', "sh"]

NOBODY = 65534

# Orphans of a daemon become children of the test, where they are seen.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def eventually(condition, what, seconds=PATIENCE):
    """Waits until the condition gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.005)


def runner_of(client, task):
    """The pid of the worker that has this task: the attempt of a kept task is sent when it is on disk, and not before."""
    def look():
        record = client.call("result", id=task)["result"]
        kept = not client.call("status")["daemon"]["store"].get("waiting")
        return record["state"] == "running" and kept and record["attempts"][-1]["pid"]
    return eventually(look, "a worker has the task")


def process_table():
    """{pid: (parent, state, name)} of everything that runs here."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
            state, parent = rest.split()[:2]
            table[int(entry)] = (int(parent), state, name)
    return table


def descendants(pid):
    """{pid: (state, name)} of all below pid."""
    table = process_table()
    found, level = {}, {pid}
    while level:
        level = {p for p, (parent, _, _) in table.items() if parent in level and p not in found}
        found.update({p: table[p][1:] for p in level})
    return found


class Daemon:
    running = set()

    def __init__(self, config=None, arguments=(), start=True, wrapper=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="poppo-test-"))
        self.socket = str(self.dir / "poppo.sock")
        self.log = self.dir / "log"
        self.config = self.dir / "poppod.json"
        self.arguments = list(arguments)
        self.wrapper = list(wrapper)  # a program that runs poppod: valgrind, nice
        self.errors_expected = False
        self.process = None
        self.write_config(config or {})
        if start:
            try:
                self.start()
            except BaseException:
                self._destroy()
                raise

    def write_config(self, config):
        if isinstance(config, dict):
            config = json.dumps({"security": LENIENT, **config})
        self.config.write_text(config)

    def program(self, name):
        return BUILD / name

    def spawn(self, *arguments):
        """Starts poppod without waiting for anything."""
        command = [*self.wrapper, BUILD / "poppod", "-c", self.config, "--socket", self.socket, "--state-dir", self.dir / "state",
                   *self.arguments, *arguments]
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self):
        self.process = self.spawn()
        Daemon.running.add(self)
        eventually(self._answers, "poppod answers hello")
        return self

    def _answers(self):
        assert self.process.poll() is None, f"poppod ended with {self.process.returncode}:\n{self.log.read_text()}"
        try:
            self.client().close()
        except (FileNotFoundError, ConnectionRefusedError, Closed):
            return False
        return True

    @property
    def pid(self):
        return self.process.pid

    def client(self, **options):
        return Client(self.socket, **options)

    def status(self):
        with self.client() as client:
            return client.call("status")

    def fds(self, pid=None):
        try:
            return len(os.listdir(f"/proc/{pid or self.pid}/fd"))
        except PermissionError:
            raise Skip("only root can count the descriptors of a process that is not dumpable") from None

    def rss(self, pid=None):
        """Resident memory in bytes: the supervisor's, or of one of its processes."""
        for line in pathlib.Path(f"/proc/{pid or self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def log_lines(self):
        """The log as dictionaries; lines that are no JSON as {"text": line}."""
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            lines.append(entry if isinstance(entry, dict) else {"text": line})
        return lines

    def strike(self, pid, sig=signal.SIGKILL):
        """Signals a process of this daemon; False when it is gone. A number may have passed to somebody else's process
        since it was read: who it is is looked up while a pidfd holds it."""
        try:
            held = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if pid not in descendants(self.pid):
                return False
            signal.pidfd_send_signal(held, sig)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(held)

    def zombies(self):
        return [(p, name) for p, (state, name) in descendants(self.pid).items() if state == "Z"]

    # ---- the end ----

    def stop(self, sig=signal.SIGTERM, wanted=0):
        """Ends the daemon and checks what it leaves."""
        eventually(lambda: not self.zombies(), "zombies are reaped")
        os.kill(self.pid, sig)
        self.wait_end(wanted)

    def wait_end(self, wanted=0):
        status = self.process.wait(PATIENCE)
        assert status == wanted, f"poppod ended with {status}:\n{self.log_tail()}"
        eventually(lambda: not self._left(), "nothing is left running")
        self.check_log()

    def _left(self):
        """What remains below the test and is not another daemon's, reaping what has ended."""
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        left = descendants(os.getpid())
        for other in Daemon.running - {self}:
            for pid in (other.pid, *descendants(other.pid)):
                left.pop(pid, None)
        return left

    def check_log(self):
        faults = [line for line in self.log_lines() if line.get("level") == "error"]
        assert self.errors_expected or not faults, f"errors in the log: {faults[:5]}"
        for line in self.log_lines():
            text = line.get("text", "")
            assert "Sanitizer" not in text and "runtime error:" not in text, self.log_tail()

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def _destroy(self):
        if self.process and self.process.poll() is None:
            for pid in (*descendants(self.pid), self.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self._left()
        Daemon.running.discard(self)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None and self.process and self.process.returncode is None:
                self.stop()
            elif kind is not None:
                print("# " + self.log_tail().replace("\n", "\n# "), flush=True)
        finally:
            self._destroy()


class Ordinary(Daemon):
    """A daemon from a copy of the programs that everybody can read, run by nobody."""

    def __init__(self, config):
        super().__init__(config, start=False, wrapper=["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"])
        self.dir.chmod(0o755)
        os.chown(self.dir, NOBODY, NOBODY)
        for program in BUILD.glob("poppo*"):
            if program.is_file():
                shutil.copy(program, self.dir)

    def program(self, name):
        return self.dir / name

    def spawn(self, *arguments):
        with open(self.log, "ab") as log:
            command = [*self.wrapper, self.dir / "poppod", "-c", self.config, "--socket", self.socket,
                       "--state-dir", self.dir / "state", *arguments]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def __enter__(self):
        return self.start()

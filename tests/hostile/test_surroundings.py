"""A hostile machine: what poppod was born with or loses on the way must not make it hang, spin, leak or lie."""
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import time

import msgpack

from harness import BUILD, Closed, Daemon, Refused, descendants, eventually
from tap import Skip, case, run

ONE = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}}
TWO = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2}}}
QUICK = {"type": "execute-code", "code": "1"}
SLOW = {"type": "execute-code", "code": "var end = Date.now() + 1000; while (Date.now() < end);"}
# A killed worker may be given a task before its death is known.
RETRIED = {"maxAttempts": 5, "retryDelay": 0}


def under_shell(script):
    """A wrapper that arranges things and then becomes poppod."""
    return ["sh", "-c", script + ' exec "$@"', "sh"]


def kill_workers(daemon, status=None):
    """Those that exist: one that was only asked for has no pid yet."""
    for worker in (status or daemon.status())["workers"].values():
        if worker.get("pid"):
            daemon.strike(worker["pid"])


def cpu_share(pid, seconds=1.0):
    """Processor time that a process uses while nothing happens, as a share of the time that passes."""
    def ticks():
        return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    start, begin = ticks(), time.monotonic()
    time.sleep(seconds)
    return (ticks() - start) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)


class Copy(Daemon):
    """A daemon from a copy of the programs, whose spawner can be taken away."""

    def __init__(self, config, wrapper=()):
        super().__init__(config, start=False, wrapper=wrapper)
        self.errors_expected = True
        self.dir.chmod(0o777)
        self.spawner = self.dir / "poppod-spawner"
        self.hidden = self.dir / "hidden"
        for name in ("poppod", "poppod-spawner", "poppod-loader", "poppod-store", "poppod-http.so"):
            shutil.copy(BUILD / name, self.dir)

    def spawn(self, *arguments):
        with open(self.log, "ab") as log:
            command = [*self.wrapper, self.dir / "poppod", "-c", self.config, "--socket", self.socket, *arguments]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def __enter__(self):
        return self.start()

    def take_spawner_away(self, instead=None):
        os.rename(self.spawner, self.hidden)
        if instead:
            self.spawner.write_text(instead)
            self.spawner.chmod(0o755)
        # On a slow machine it may be between two starts.
        assert self.strike(eventually(lambda: self.status()["daemon"]["spawner"].get("pid"), "there is a spawner"))

    def give_spawner_back(self):
        os.rename(self.hidden, self.spawner)


# ---- what it was born with ----

@case
def an_ignored_sigchld_does_not_hide_deaths():
    with Daemon(ONE, wrapper=["env", "--ignore-signal=CHLD"]) as daemon, daemon.client() as client:
        kill_workers(daemon)
        assert client.code("1", RETRIED)["value"] == 1


@case
def closed_standard_descriptors_are_not_taken_for_the_log():
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        with Daemon(ONE, wrapper=under_shell(f"exec {closed};")) as daemon, daemon.client() as client:
            os.kill(daemon.pid, signal.SIGUSR2)
            assert client.code("1")["value"] == 1
            for lock in (daemon.dir / "poppo.sock.lock", daemon.dir / "state" / "poppod.lock"):
                assert lock.read_text() == f"{daemon.pid}\n", (closed, lock.read_text())


@case
def a_log_that_nobody_reads_any_more_stops_nothing():
    with Daemon(ONE, wrapper=under_shell("exec 2>/dev/full;")) as daemon, daemon.client() as client:
        assert client.code("1")["value"] == 1
    unread = under_shell('mkfifo "$0.fifo"; exec 3<>"$0.fifo" 2>"$0.fifo" 3<&-;')
    with Daemon(ONE, start=False) as daemon:
        daemon.wrapper = [*unread[:3], daemon.dir / "log"]
        with daemon.start().client() as client:
            assert client.code("1")["value"] == 1


@case
def an_empty_environment_is_enough():
    with Daemon(ONE, wrapper=["env", "-i"]) as daemon, daemon.client() as client:
        assert client.code("1")["value"] == 1


@case
def an_ordinary_user_may_run_it():
    if os.geteuid():
        raise Skip("only root can become somebody else here")
    with Copy(ONE, wrapper=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]) as daemon:
        with daemon.client() as client:
            assert client.code("1")["value"] == 1


@case
def few_descriptors_go_to_workers_before_clients():
    with Daemon(TWO, wrapper=["prlimit", "--nofile=150"]) as daemon, daemon.client() as first:
        greedy = []
        for _ in range(200):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(10)
            sock.connect(daemon.socket)
            greedy.append(sock)
        length, = struct.unpack(">I", greedy[-1].recv(4))
        assert msgpack.unpackb(greedy[-1].recv(length))["error"]["code"] == "QUEUE_FULL"
        kill_workers(daemon, first.call("status"))  # a newcomer's call would be refused
        assert first.code("2 + 2", RETRIED)["value"] == 4
        for sock in greedy:
            sock.close()
        eventually(lambda: served(daemon), "there is room again")


def served(daemon):
    """Whether a newcomer gets through."""
    try:
        daemon.client().close()
    except (Closed, Refused, ConnectionError):
        return False
    return True


# ---- what it loses ----

@case
def a_swept_lock_file_lets_no_second_one_in():
    with Daemon(ONE) as daemon, daemon.client() as client:
        os.unlink(daemon.socket + ".lock")
        second = subprocess.run([BUILD / "poppod", "--socket", daemon.socket], capture_output=True, text=True, timeout=20,
                                check=False)
        assert second.returncode == 75 and str(daemon.pid) in second.stderr, second
        assert client.code("1")["value"] == 1


@case
def another_ones_socket_is_not_removed():
    with Daemon(ONE) as daemon:
        os.unlink(daemon.socket)
        other = socket.socket(socket.AF_UNIX)
        other.bind(daemon.socket)
        daemon.stop()
        assert os.path.exists(daemon.socket)
        other.close()


@case
def without_its_directory_it_serves_whom_it_has():
    with Daemon(ONE) as daemon, daemon.client() as client:
        for file in (daemon.socket, daemon.socket + ".lock"):
            os.unlink(file)
        assert client.code("1")["value"] == 1


@case
def a_full_disk_takes_the_log_and_nothing_else():
    with Daemon(start=False) as daemon:
        daemon.write_config({**ONE, "logging": {"file": "/dev/full", "level": "debug"}})
        with daemon.start().client() as client:
            os.kill(daemon.pid, signal.SIGUSR1)
            assert [client.code("1")["value"] for _ in range(50)] == [1] * 50


# ---- its spawner ----

@case
def waiting_for_a_spawner_is_not_spinning():
    with Copy({"daemon": {"worker": {"minProcesses": 4, "maxProcesses": 4, "respawnBackoff": 1000}}}) as daemon:
        with daemon.client() as client:
            seqs = [client.send("submit", task=SLOW, options={"maxAttempts": 10, "retryDelay": 0}, wait=True) for _ in range(12)]
            eventually(lambda: daemon.status()["totals"]["busy"] == 4, "all work")
            daemon.take_spawner_away()
            kill_workers(daemon)
            eventually(lambda: daemon.status()["totals"]["workers"] == 0, "all are gone")
            assert cpu_share(daemon.pid) < 0.2
            daemon.give_spawner_back()
            assert all(client.reply(seq)["result"]["state"] == "succeeded" for seq in seqs)


@case
def a_spawner_that_never_gets_ready_is_replaced():
    with Copy({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "startTimeout": 500}}}) as daemon:
        daemon.take_spawner_away("#!/bin/sh\nexec sleep 1000\n")
        eventually(lambda: daemon.status()["daemon"]["spawner"]["state"] == "starting", "the dud is started")
        daemon.give_spawner_back()
        kill_workers(daemon)
        with daemon.client() as client:
            assert client.code("1", RETRIED)["value"] == 1


@case
def a_spawner_killed_while_it_spawns_leaves_no_worker_behind():
    rng = random.Random(3)
    worker = {"minProcesses": 1, "maxProcesses": 4, "isolation": "process", "respawnBackoff": 1, "respawnBackoffMax": 1}
    with Daemon({"daemon": {"worker": worker}}) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        ids = [client.submit(QUICK, maxAttempts=1) for _ in range(2000)]
        for _ in range(150):
            # By its pid, not by its name: a worker has the spawner's for a moment, and its task would die with it.
            spawner = daemon.status()["daemon"]["spawner"].get("pid")
            if spawner:
                daemon.strike(spawner)
            time.sleep(rng.random() * 0.01)
        assert {client.call("wait", id=task)["result"]["state"] for task in ids} == {"succeeded"}

        def only_known():
            known = {worker.get("pid") for worker in daemon.status()["workers"].values()}
            helpers = ("poppod-starter", "poppod-spawner", "poppod-store")
            return all(pid in known or name in helpers for pid, (_, name) in descendants(daemon.pid).items())
        eventually(only_known, "no stranger is left")


# ---- its end ----

@case
def a_drain_does_not_wait_for_paused_projects():
    with Daemon({**ONE, "projects": {"p": {"paused": True}}}) as daemon, daemon.client() as client:
        client.submit(QUICK, projectId="p")
        assert client.call("drain")["ok"]


@case
def a_drain_that_an_end_cuts_short_says_so():
    with Daemon({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}}) as daemon, daemon.client() as client:
        for _ in range(3):
            client.submit(SLOW)
        seq = client.send("drain")
        eventually(lambda: daemon.status()["daemon"]["state"] == "draining", "it drains")
        os.kill(daemon.pid, signal.SIGTERM)
        assert client.reply(seq)["error"]["code"] == "SHUTTING_DOWN"
        daemon.wait_end()


raise SystemExit(run())

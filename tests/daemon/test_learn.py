"""poppod --learn TYPE: what a handler needs beyond its profile is let through, counted, and printed at the end."""
import pathlib
import re
import shutil
import signal
import subprocess

from handlers import HANDLERS, SANITIZED, error_of, value_of
from harness import BUILD, Daemon, descendants, eventually
from tap import Skip, case, run

UNSHARE = "import ctypes; print(ctypes.CDLL(None).syscall(272, 0))"


def learning(kind):
    """A daemon that learns this type, with a native attacker as plugin and as programs."""
    daemon = Daemon(start=False, arguments=["--learn", kind])
    handlers = daemon.dir / "handlers"
    handlers.mkdir(mode=0o755)
    for name in ("native", "native.so"):
        shutil.copy(HANDLERS / name, handlers)
    program = str(handlers / "native")
    daemon.write_config({"taskTypes": {
        "plugin": {"plugin": str(handlers / "native.so"), "profile": "js"},
        "program": {"program": program, "profile": "http"}, "other": {"program": program, "profile": "http"}}})
    return daemon.start()


def attack(client, kind, how, **more):
    return client.run({"type": kind, "how": how, **more})


def learned(daemon):
    """{call: (answer, times)} and the rows, of a daemon that has ended."""
    lines = [line for line in daemon.log.read_text().splitlines() if not line.startswith("{")]
    calls = {match[1]: (match[2], int(match[3])) for match in map(re.compile(r"  (\S+) +([A-Z]+) +(\d+)  \S+\(").match, lines) if match}
    return calls, [line for line in lines if line.startswith("SYSCALL(")], lines


def unless_sanitized():
    if SANITIZED:
        raise Skip("no worker has a filter under a sanitizer")


@case
def a_plugin_goes_on_behind_a_call_that_its_profile_would_end_it_for():
    unless_sanitized()
    with learning("plugin") as daemon:
        with daemon.client() as client:
            record = attack(client, "plugin", "namespace")
            assert value_of(record) != [] and record["isolation"]["seccomp"] == "absent", record
            for _ in range(3):
                assert value_of(attack(client, "plugin", "connect", path="/no/such")) == [-2]
            assert value_of(attack(client, "plugin", "tkill", pids=[1 << 30])) == [-3]
        daemon.stop()
        calls, rows, _ = learned(daemon)
        assert calls["unshare"] == ("KILL", 1) and calls["socket"] == ("KILL", 3) and calls["connect"] == ("KILL", 3), calls
        assert calls["tgkill"] == ("REFUSE", 1), calls
        assert set(calls) <= {"unshare", "socket", "connect", "tgkill"}, calls
        # As the table has it, but for the profile's own column.
        assert any(row.startswith("SYSCALL(socket, ALLOW, INET, SOCKET, NONE, ") for row in rows), rows
        assert len(rows) == len(calls), rows


@case
def a_program_is_learned_in_its_jail_and_no_other_type_is():
    with learning("program") as daemon:
        with daemon.client() as client:
            assert value_of(attack(client, "program", "without-a-row"))[0] < 0
            pid = value_of(attack(client, "program", "stay"))[0]
            assert pid > 0, pid
            error_of(attack(client, "other", "without-a-row"), "SYSCALL_DENIED")
            layers = client.run({"type": "other", "how": "descriptors"})["isolation"]
            assert layers["seccomp"] == "enforced", layers
        daemon.stop()
        calls, rows, _ = learned(daemon)
        assert calls["fsopen"] == ("KILL", 1) and calls["clone"] == ("KILL", 1), calls
        assert "SYSCALL(fsopen, KILL, ALLOW, " in "\n".join(rows), rows


@case
def commands_are_learned_too_and_calls_that_are_answered_with_an_error():
    with learning("shell-command") as daemon:
        with daemon.client() as client:
            record = client.run({"type": "shell-command", "argv": ["/usr/bin/python3", "-c", UNSHARE]})
            assert value_of(record)["stdout"] == "0\n", record
        daemon.stop()
        calls, rows, _ = learned(daemon)
        assert calls["unshare"] == ("REFUSE", 1) and any("SYSCALL(unshare, KILL, KILL, ALLOW" in row for row in rows), (calls, rows)


@case
def a_profile_that_is_enough_is_said_to_be():
    unless_sanitized()
    with learning("execute-code") as daemon:
        with daemon.client() as client:
            assert client.code("6 * 7")["value"] == 42
        daemon.stop()
        assert "poppod: the profile js is enough for all that execute-code did" in learned(daemon)[2]


@case
def a_spawner_that_dies_does_not_end_the_learning():
    with learning("program") as daemon:
        with daemon.client() as client:
            attack(client, "program", "without-a-row")
            spawner = daemon.status()["daemon"]["spawner"]["pid"]
            assert daemon.strike(spawner)
            eventually(lambda: daemon.status()["daemon"]["spawner"].get("pid") not in (None, spawner), "there is another one")
            # A fresh worker, by the new one.
            record = client.run({"type": "program", "how": "without-a-row"}, isolation="process", maxAttempts=5)
            assert value_of(record)[0] < 0, record
        daemon.errors_expected = True
        daemon.stop()
        assert learned(daemon)[0]["fsopen"][1] >= 2, learned(daemon)[0]


@case
def a_type_that_does_not_exist_is_refused_at_the_start():
    with Daemon(start=False, arguments=["--learn", "nothing"]) as daemon:
        process = daemon.spawn()
        assert process.wait(20) == 78
        assert daemon.log.read_text() == "poppod: --learn: there is no task type nothing\n", daemon.log.read_text()


@case
def nothing_is_left_of_it():
    with Daemon(start=False, arguments=["--learn", "execute-code"]) as daemon:
        daemon.start()
        commands = [pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in descendants(daemon.pid)]
        path = pathlib.Path(next(command[2] for command in commands if command[1:2] == ["--learn"]))
        assert path.is_socket()
        daemon.stop(signal.SIGINT)
        assert not path.exists() and not path.parent.exists()
    help_text = subprocess.run([BUILD / "poppod", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--learn TYPE" in help_text


raise SystemExit(run())

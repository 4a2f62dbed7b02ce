"""Promises about large numbers of commands: test_trees.py BUILD_ROOT. See test_campaigns.py for POPPO_CAMPAIGNS."""
import os
import pathlib
import time

from commands import out, shell_worker, task, value_of, with_settings
from harness import Daemon, descendants
from tap import case, note, run

SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
LEVEL = "quick" if SANITIZED else os.environ.get("POPPO_CAMPAIGNS", "quick")
TREES = {"quick": 20, "check": 1000, "long": 10000}[LEVEL]
COMMANDS = {"quick": 200, "check": 5000, "long": 100000}[LEVEL]
MIB = 1 << 20

# Fifty processes in sessions of their own that ignore what can be ignored and hold the output open; when all of them are
# there, the command says what time it is, and ends.
FIFTY = """
import os, time
ready, told = os.pipe()
never, _ = os.pipe()
os.set_inheritable(told, True)
os.set_inheritable(never, True)
stay = f"trap '' TERM INT HUP QUIT; echo >&{told}; read x <&{never}"
for _ in range(50):
    os.posix_spawn('/bin/sh', ['sh', '-c', stay], os.environ, setsid=True)
left = 50
while left:
    left -= len(os.read(ready, 50))
os.write(1, b'%d' % time.monotonic_ns())
os._exit(0)
"""


def waited_ms(*pids):
    """How long these processes have waited for a processor, so far."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e6


@case
def a_tree_of_fifty_is_gone_with_its_command(daemon):
    with daemon.client() as client:
        value_of(client.run(task(["true"])))
        jailer = shell_worker(daemon)
        ours = (jailer, daemon.pid, os.getpid())
        gone, late = [], []
        for _ in range(TREES):
            waited = waited_ms(*ours)
            ended = int(value_of(client.run(task(["/usr/bin/python3", "-c", FIFTY])))["stdout"])
            gone.append((time.monotonic_ns() - ended) / 1e6)
            assert not descendants(jailer), descendants(jailer)
            # On a busy machine it is not the tree that takes so long.
            if gone[-1] - (waited_ms(*ours) - waited) > 100:
                late.append(gone[-1])
        gone.sort()
        note(f"{TREES} trees: the last process was gone and the reply here after p50 {gone[len(gone) // 2]:.1f}, "
             f"p99 {gone[int(len(gone) * .99)]:.1f}, at most {gone[-1]:.1f} ms; load {os.getloadavg()[0]:.1f}")
        assert LEVEL == "quick" or not late, late
        assert shell_worker(daemon) == jailer


@case
def a_jailer_stays_as_it_is(daemon):
    with daemon.client() as client:
        def once(i):
            assert out(client, f"cat; head -c {i % 100000} /dev/zero | tr '\\0' x; echo {i} > f", stdin="x" * (i * 37 % 5000),
                       collect=["*"], files={f"d/{i}": "x" * (i % 3000)})[-1:] in ("x", "")
        for i in range(COMMANDS // 10):
            once(i)
        jailer = shell_worker(daemon)
        before = (daemon.rss(jailer), daemon.fds(jailer))
        for i in range(COMMANDS):
            once(i)
        after = (daemon.rss(jailer), daemon.fds(jailer))
        assert shell_worker(daemon) == jailer
        # A sanitizer keeps what is freed, to see whether it is used.
        assert (SANITIZED or after[0] - before[0] < MIB) and after[1] == before[1], (before, after)


with Daemon(with_settings(maxOutputBytes="128KiB")) as shared:
    status = run(shared)
raise SystemExit(status)

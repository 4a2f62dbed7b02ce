"""Process trees in their control groups: what they may have together, what is told of it and counted, and what is left.
Where this machine gives a supervisor no groups, that is what records must say: test_groups.py BUILD_ROOT."""
import os
import signal

import groups
from commands import error_of, out, task, value_of
from harness import Daemon, descendants, eventually
from tap import case, run

MIB = 1 << 20
LIMIT = 64 * MIB
CONFIG = {
    "daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 0}},
    "taskTypes": {"shell-command": {"maxTreeMemoryBytes": LIMIT, "maxDiskBytes": "128MiB", "maxTreeProcesses": 30}},
}
MEMORY, TIME = groups.has("memory") and os.geteuid() == 0, groups.counts_time() and os.geteuid() == 0

# Ten processes, none of which has much.
TOGETHER = """
import os, time
for _ in range(10):
    if not os.fork():
        mine = bytearray(b'x') * (12 << 20)
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
BURN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(2):
    if not os.fork():
        while time.process_time() < 0.25: pass
        os._exit(0)
try: os.wait()
except ChildProcessError: pass
"""


def python(source):
    return task(["/usr/bin/python3", "-c", source])


def a_jailer(daemon):
    return next(w["pid"] for w in daemon.status()["workers"].values() if w["class"] == "shell" and "pid" in w)


@case
def the_layers_are_what_this_machine_gives(daemon):
    with daemon.client() as client:
        layers = client.run(task(["true"]))["isolation"]
        expected = groups.layers() if not os.geteuid() else {"treeMemory": "absent", "treeProcesses": "enforced", "treeCpu": "absent"}
        assert {name: layers[name] for name in expected} == expected, layers


@case
def processes_that_need_too_much_together_end_together(daemon):
    with daemon.client() as client, daemon.client() as neighbour:
        neighbour.run(task(["true"]))
        record = client.run(python(TOGETHER), timeout=3000)
        error = error_of(record, "OUT_OF_MEMORY" if MEMORY else "TIMEOUT")
        if MEMORY:
            assert f"more than the {LIMIT} bytes" in error["message"] and "maxTreeMemoryBytes" in error["message"], error
            assert LIMIT - MIB < record["maxMemoryBytes"] <= LIMIT, record
            assert record["runMs"] < 2500, record
            why = client.call("why", id=record["id"])["message"]
            assert "OUT_OF_MEMORY" in why and str(LIMIT) in why, why
        value_of(neighbour.run(task(["true"])))
        eventually(lambda: not descendants(a_jailer(daemon)), "the tree is gone")


@case
def files_are_memory(daemon):
    with daemon.client() as client:
        record = client.run(task("head -c 100M /dev/zero > file && echo written"))
        if MEMORY:
            error_of(record, "OUT_OF_MEMORY")
        else:
            assert value_of(record)["stdout"] == "written\n"
        assert out(client, "head -c 30M /dev/zero > file && echo written") == "written\n"


@case
def the_next_command_has_all_of_it_again(daemon):
    with daemon.client() as client:
        for _ in range(5):
            record = client.run(task("head -c 40M /dev/zero > file && echo written"))
            assert value_of(record)["stdout"] == "written\n"
            if MEMORY:
                assert 40 * MIB <= record["maxMemoryBytes"] < 48 * MIB, record
        if MEMORY:
            assert client.run(task(["true"]))["maxMemoryBytes"] < 6 * MIB


@case
def time_of_children_that_nobody_waits_for_is_counted(daemon):
    with daemon.client() as client:
        record = client.run(python(BURN))
        value_of(record)
        if TIME:
            assert 490 <= record["cpuMs"] < 900, record


@case
def a_fork_bomb_is_as_large_as_it_may_be(daemon):
    with daemon.client() as client:
        source = """
import os, time
n = 0
try:
    while n < 200:
        if not os.fork():
            time.sleep(20)
            os._exit(0)
        n += 1
except OSError:
    pass
print(n)
"""
        assert int(value_of(client.run(python(source)))["stdout"]) == 29


@case
def a_reload_changes_the_limit_of_the_next_command(daemon):
    with Daemon(CONFIG) as own, own.client() as client:
        line = "head -c 100M /dev/zero > file && echo written"
        assert client.run(task(line))["state"] == ("failed" if MEMORY else "succeeded")
        own.write_config({**CONFIG, "taskTypes": {"shell-command": {**CONFIG["taskTypes"]["shell-command"],
                                                                    "maxTreeMemoryBytes": "256MiB"}}})
        client.call("reload")
        assert out(client, line) == "written\n"


@case
def cpu_time_is_limited_for_all_processes_together(_):
    config = {**CONFIG, "daemon": {"worker": {**CONFIG["daemon"]["worker"], "maxCpuTime": "1s"}}}
    many = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    with Daemon(config) as own, own.client() as client:
        record = client.run(python(many), timeout=50000)  # shared with whoever else is busy here
        error = error_of(record, "CPU_LIMIT") if TIME else record["error"]
        if TIME:
            assert "1000 ms" in error["message"] and 1000 <= record["cpuMs"] < 1800, record


@case
def nothing_is_left_by_a_supervisor_that_ends(_):
    with Daemon(CONFIG) as own:
        with own.client() as client:
            value_of(client.run(task(["true"])))
        pid = own.pid
        assert bool(groups.left_over(pid)) == (MEMORY or TIME)
        own.stop()
        assert not groups.left_over(pid), groups.left_over(pid)


@case
def what_a_killed_supervisor_left_is_removed_by_the_next_one(_):
    with Daemon(CONFIG) as own:
        with own.client() as client:
            value_of(client.run(task(["true"])))
        dead = own.pid
        os.kill(dead, signal.SIGKILL)
        own.wait_end(wanted=-signal.SIGKILL)
        with Daemon(CONFIG) as other:
            with other.client() as client:
                value_of(client.run(task(["true"])))
            assert not groups.left_over(dead), groups.left_over(dead)


@case
def a_new_spawner_goes_on_with_the_groups_of_the_last_one(_):
    with Daemon(CONFIG) as own, own.client() as client:
        own.errors_expected = True
        before = client.run(task(["true"]))["isolation"]
        spawner = client.call("status")["daemon"]["spawner"]["pid"]
        own.strike(spawner)
        eventually(lambda: client.call("status")["daemon"]["spawner"].get("pid") not in (None, spawner), "a new spawner")
        jailer = a_jailer(own)
        own.strike(jailer)
        eventually(lambda: jailer not in descendants(own.pid), "the jailer is dead")
        eventually(lambda: all(w.get("pid") != jailer for w in own.status()["workers"].values()), "its death is known")
        record = client.run(task(["true"]))
        value_of(record)
        assert record["isolation"] == before, record


with Daemon(CONFIG) as shared:
    status = run(shared)
raise SystemExit(status)

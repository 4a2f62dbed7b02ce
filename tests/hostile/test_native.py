"""Native code in each class, against everything around it: test_native.py BUILD_ROOT root|ordinary, who runs the
supervisor. tests/handlers/native.c tries; here is what must come of it, and what is left of its neighbours. What an
ordinary user's supervisor cannot enforce is asserted to be said, not left out."""
import errno
import os
import pathlib
import shutil
import sys

from handlers import HANDLERS, SANITIZED, error_of, pid_of, value_of
from harness import Daemon, Ordinary, descendants, eventually
from tap import Skip, case, note, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/gen"))
from sandbox_man import rows  # noqa: E402

ORDINARY = len(sys.argv) > 2 and sys.argv[2] == "ordinary" or os.geteuid() != 0
CLASSES = {"plugin-js": "js", "plugin-http": "http", "program-js": "js", "program-http": "http", "program-shell": "shell"}
MARKER = b"the-secret-of-another-project-4711"
NEEDLE = bytes(byte ^ 0x5a for byte in MARKER)

# Attacks, and the system call that each of them makes.
ATTACKS = {
    "read-memory": "process_vm_readv", "write-memory": "process_vm_writev", "proc": "openat", "trace": "ptrace", "kill": "kill",
    "tkill": "tgkill", "queue": "rt_sigqueueinfo", "pidfd": "pidfd_open", "limit": "prlimit64", "slow": "setpriority",
    "pin": "sched_setaffinity", "open": "openat", "remove": "unlink", "connect": "socket", "descriptors": "write",
    "root": "setuid", "capabilities": "capset", "privileges": "prctl", "namespace": "unshare", "chroot": "chroot",
}
# Those that the profiles js and http answer instead of ending whoever tries them.
ANSWERED = {"js": {"proc", "tkill", "open", "descriptors"}, "http": {"proc", "tkill", "open", "descriptors", "connect"},
            "shell": set(ATTACKS)}


def config(handlers):
    native = {"plugin": str(handlers / "native.so")}, {"program": str(handlers / "native")}
    return {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 8, "maxTasksPerWorker": 0, "maxMemoryBytes": "16MiB",
                                  "heartbeatInterval": 1000, "respawnBackoff": 1, "respawnBackoffMax": 20}},
            "taskTypes": {name: {**native[name.startswith("program")], "profile": profile} for name, profile in CLASSES.items()}}


def stage():
    """A daemon that starts when its block is entered."""
    daemon = Ordinary({}) if ORDINARY and not os.geteuid() else Daemon(start=False)
    handlers = daemon.dir / "handlers"
    handlers.mkdir(mode=0o755)
    for name in ("native", "native.so"):
        shutil.copy(HANDLERS / name, handlers)
        (handlers / name).chmod(0o755)
    daemon.write_config(config(handlers))
    return daemon if isinstance(daemon, Ordinary) else daemon.start()


def attack(client, name, how, *, project="attacker", **more):
    options = {key: more.pop(key) for key in ("isolation",) if key in more}
    return client.run({"type": name, "how": how, **more}, projectId=project, **options)


def helpers(daemon):
    """{name: pid} of the supervisor's own processes."""
    workers = {worker.get("pid") for worker in daemon.status()["workers"].values()}
    inside = {pid for worker in workers if worker for pid in descendants(worker)}
    return {name: pid for pid, (_, name) in descendants(daemon.pid).items() if pid not in workers | inside}


def victims(daemon, client):
    """The master, its helpers, a neighbour's worker, and a neighbour's jailed command with its jailer."""
    script = pid_of(client.code("1", {"projectId": "neighbour"}))
    jailer = pid_of(attack(client, "program-shell", "descriptors", project="neighbour"))
    return {"poppod": daemon.pid, **helpers(daemon), "script": script, "jailer": jailer,
            **{f"jailed {name}": pid for pid, (_, name) in descendants(jailer).items()}}


def assert_unharmed(daemon, client, before):
    for name, pid in before.items():
        assert pid == daemon.pid or pid in descendants(daemon.pid), f"{name} is gone"
    assert client.code("6 * 7", {"projectId": "neighbour"})["value"] == 42
    assert pid_of(attack(client, "program-shell", "descriptors", project="neighbour")) == before["jailer"]


def check(name, how, record):
    """A denied call ends the worker, which says its name, or every single call fails."""
    profile = CLASSES[name]
    if how not in ANSWERED[profile]:
        who = "program" if name.startswith("program") else "worker"
        assert error_of(record, "SYSCALL_DENIED") == \
            f"the {who} made a system call that its sandbox forbids: {ATTACKS[how]}", (name, how, record)
        return
    results = value_of(record)
    assert results and all(result < 0 for result in results), (name, how, results)
    codes = {errno.errorcode[-result] for result in results}
    assert codes <= {"EACCES", "EPERM", "ENOENT", "ESRCH", "ENOSYS", "EBADF", "EINVAL"}, (name, how, codes)


def unless_sanitized():
    if SANITIZED:
        raise Skip("no worker is closed under a sanitizer")


# ---- against others ----

@case
def no_other_process_can_be_looked_into_changed_signalled_or_slowed_down(daemon):
    unless_sanitized()
    with daemon.client() as client:
        before = victims(daemon, client)
        # A jail has the small numbers itself: they are of its own.
        pids = [pid for pid in before.values() if pid > 50]
        for name in CLASSES:
            for how in ATTACKS:
                check(name, how, attack(client, name, how, pids=pids, path=str(daemon.config)))
            assert_unharmed(daemon, client, before)
        note(f"{len(pids)} victims, {len(ATTACKS)} attacks, {len(CLASSES)} classes")


@case
def the_call_that_ended_a_task_is_told_by_name_wherever_one_asks(daemon):
    unless_sanitized()
    with daemon.client() as client:
        for name, profile in CLASSES.items():
            for how, call in (("x32", "number 39 of x32"), ("unknown", "number 4711"), ("without-a-row", "fsopen"), ("given-up", "io_uring_setup")):
                record = attack(client, name, how)
                if profile == "shell" and how != "x32":
                    assert value_of(record) == [-errno.ENOSYS], record
                    continue
                # Under the profile shell the kernel alone ends it, since its parent may be anybody.
                text = "forbids" if profile == "shell" else f"forbids: {call}"
                assert error_of(record, "SYSCALL_DENIED").endswith(text), record
                why = client.call("why", id=record["id"])
                assert text in why["message"] and "SYSCALL_DENIED" in why["message"], why
        ends = "import ctypes; ctypes.CDLL(None).syscall({})"
        for number in ("169, 0, 0, 0, 0", "0x40000027"):
            record = client.run({"type": "shell-command", "argv": ["/usr/bin/python3", "-c", ends.format(number)]})
            message = error_of(record, "SYSCALL_DENIED")
            assert " reboot" in message and message.endswith("or any of another architecture"), message


@case
def no_file_or_socket_of_the_supervisor_is_in_reach(daemon):
    unless_sanitized()
    config_text = daemon.config.read_text()
    paths = [daemon.socket, daemon.socket + ".lock", daemon.log, daemon.config, daemon.dir / "state" / "store.db",
             daemon.dir / "handlers" / "native.so"]
    with daemon.client() as client:
        for name in CLASSES:
            for path in map(str, paths):
                assert os.path.exists(path), path
                # Each of the others ends a worker under js and http, and has been tried.
                for how in ("open", "connect", "remove") if CLASSES[name] == "shell" else ("open",):
                    check(name, how, attack(client, name, how, path=path))
                assert os.path.exists(path), path
    assert daemon.config.read_text() == config_text


@case
def nothing_that_it_starts_stays(daemon):
    unless_sanitized()
    with daemon.client() as client:
        for name, profile in CLASSES.items():
            before = set(descendants(daemon.pid))
            record = attack(client, name, "stay", project="stays", isolation="process")
            if profile == "shell":
                assert value_of(record)[0] > 0, record
            else:
                error_of(record, "SYSCALL_DENIED")
            pid = pid_of(record)

            def gone():
                table = descendants(daemon.pid)
                known = {worker.get("pid") for worker in daemon.status()["workers"].values()}
                trees = {p for worker in known if worker for p in descendants(worker)}
                return pid not in table and not set(table) - before - known - trees - set(helpers(daemon).values())
            eventually(gone, "nothing of it lives")
            # Orphans would come to this process.
            assert not set(descendants(os.getpid())) - set(descendants(daemon.pid)) - {daemon.pid}


# ---- what others left ----

@case
def nothing_of_another_project_is_in_its_memory(daemon):
    unless_sanitized()
    with daemon.client() as client:
        for name in CLASSES:
            record = attack(client, name, "keep", project="owner", needle=NEEDLE, path=MARKER.decode())
            owner = pid_of(record)
            found, pages = value_of(attack(client, name, "search", project="owner", needle=NEEDLE))
            assert found > 0, f"{name}: a search finds nothing even where there is something, in {pages} pages"
            record = attack(client, name, "search", needle=NEEDLE)
            found, pages = value_of(record)
            assert pid_of(record) != owner and found == 0 and pages > 100, (name, found, pages)
            # A fresh process for each task keeps a project's own tasks apart as well.
            for how in ("keep", "search"):
                record = attack(client, name, how, project="careful", needle=NEEDLE, isolation="process")
            assert value_of(record)[0] == 0, (name, record)


def count_in_memory(pid, marker):
    """How often it is in the memory of a process, seen from outside."""
    found = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_, name = line.split(maxsplit=5) + [""]
            if "r" not in rights or name.startswith("[v"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                found += memory.read(end - start).count(marker)
            except OSError:
                continue
    return found


@case
def a_script_finds_nothing_of_the_one_before_in_all_of_its_workers_memory(daemon):
    unless_sanitized()
    if ORDINARY:
        raise Skip("no worker can be looked into by who runs it: the case of root looks")
    half = len(MARKER) // 2
    first, second = MARKER[:half].decode(), MARKER[half:].decode()
    with daemon.client() as client:
        for code in (f"var whole = '{MARKER.decode()}'; console.log(whole); whole", f"throw new Error('{MARKER.decode()}')",
                     f"var a = []; for (var i = 0; i < 1e5; i++) a.push('{first}' + '{second}' + i); a.length"):
            before = pid_of(client.code(code, {"projectId": "owner"}))
            # The very next task: its own text is not what is looked for.
            record = client.code("'another one'", {"projectId": "owner"})
            assert pid_of(record) == before, "another worker ran it"
            assert count_in_memory(before, MARKER) == 0, code


# ---- what is said ----

@case
def what_holds_is_what_the_manual_says(daemon):
    told = {(row[0], row[1]): row[2 + ORDINARY] for kind, row in rows(ROOT / "src/sandbox/layers.def") if kind}
    around = {where: {name: state for (at, name), state in told.items() if at == where} for where in ("WORKER", "TREE")}
    jailer = {name: state for name, state in around["WORKER"].items()
              if name not in ("rlimits", "uid", "noNewPrivs", "landlock", "seccomp")}
    with daemon.client() as client:
        for name, profile in {**CLASSES, "execute-code": "js", "shell-command": "shell"}.items():
            record = {"execute-code": lambda: client.code("1"),
                      "shell-command": lambda: client.run({"type": "shell-command", "argv": ["true"]})}.get(
                          name, lambda: attack(client, name, "descriptors"))()
            if name.startswith("program") or name == "shell-command":
                expected = {**jailer, **around["TREE"]}
            else:
                expected = {layer: state for layer, state in around["WORKER"].items() if layer != "landlock" or profile == "http"}
            layers = record["isolation"]
            assert set(layers) == set(expected), (name, layers)
            # Kernels differ in Landlock; a sanitizer keeps some open, and says so.
            wrong = {layer: state for layer, state in layers.items() if state != expected[layer] and layer not in ("landlock", "scopes")}
            assert SANITIZED or not wrong, (name, wrong)


if len(sys.argv) > 2 and sys.argv[2] == "root" and os.geteuid():
    print("1..0 # SKIP run by an ordinary user: see hostile/native-ordinary")
    raise SystemExit(0)
with stage() as shared:
    status = run(shared)
raise SystemExit(status)

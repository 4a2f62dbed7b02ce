"""What control groups this machine can give a supervisor, found out here in a way of our own: what is reported must be that."""
import os
import pathlib

ROOT = "/sys/fs/cgroup"


def _mounts():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        head, tail = line.split(" - ")
        yield head.split()[3:6] + [tail.split()[0], tail.split()[2].split(",")]


def _directory(controller):
    """Version and directory of the group that we are in; (0, None): there is none, or nobody lets us make groups there."""
    lines = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    found = [(1, p) for _, words, p in lines if controller in words.split(",")] or [(2, p) for _, words, p in lines if not words]
    for version, path in found:
        for root, at, options, kind, words in _mounts():
            if (kind == "cgroup" and version == 1 and controller in words) or (kind == "cgroup2" and version == 2):
                where = pathlib.Path(at + (path.removeprefix(root) if root != "/" else path))
                trial = where / f"trial-{os.getpid()}"
                try:
                    trial.mkdir()
                    trial.rmdir()
                except OSError:
                    continue
                return version, where
    return 0, None


def _hands_down(where, controller):
    """Version 2: a group that processes of others are in cannot, and ours has those of the tests."""
    return controller in (where / "cgroup.controllers").read_text() and not (where / "cgroup.type").exists()


def has(controller):
    """memory, pids or cpu."""
    version, where = _directory(controller)
    return version == 1 or (version == 2 and _hands_down(where, controller))


def counts_time():
    return _directory("no controller")[0] == 2 or has("cpuacct")


def layers():
    return {"treeMemory": "enforced" if has("memory") else "absent", "treeProcesses": "enforced",
            "treeCpu": "enforced" if counts_time() else "absent"}


def left_over(pid):
    """Groups of this supervisor's, wherever they are mounted."""
    return [str(p) for _, at, _, kind, _ in _mounts() if kind.startswith("cgroup") for p in pathlib.Path(at).rglob(f"poppo-{pid}-*")]

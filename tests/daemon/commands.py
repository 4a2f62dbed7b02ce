"""What tests of shell-command share: configurations, tasks, and what is expected of their records."""
MIB = 1 << 20
LIMIT = 64 * 1024
SETTINGS = {"maxOutputBytes": LIMIT, "maxDiskBytes": "4MiB", "maxFiles": 200, "maxTreeProcesses": 100}
# One worker, so that every case also shows that the one before left it usable.
POOL = {
    "daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0}},
    "projects": {"p": {"env": {"TOKEN": "secret", "LANG": "C"}}, "net": {"network": True}},
}
BASE = {"HOME": "/task/home", "LANG": "C.UTF-8", "TMPDIR": "/tmp",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"}


def with_settings(**settings):
    return {**POOL, "taskTypes": {"shell-command": {**SETTINGS, **settings}}}


def task(what, **options):
    """A command line, or an argv."""
    return {"type": "shell-command", "command" if isinstance(what, str) else "argv": what,
            **({"options": options} if options else {})}


def value_of(record):
    assert record["state"] == "succeeded", record.get("error", record)
    return record["value"]


def error_of(record, code):
    assert record["state"] == "failed" and "value" not in record, record
    assert record["error"]["code"] == code and record["error"]["message"], record["error"]
    return record["error"]


def out(client, what, options=None, **more):
    """stdout of a command that succeeds."""
    return value_of(client.run(task(what, **more), **(options or {})))["stdout"]


def shell_worker(daemon):
    """The pid of the one worker of this class."""
    pids = [w["pid"] for w in daemon.status()["workers"].values() if w["class"] == "shell" and "pid" in w]
    assert len(pids) == 1, pids
    return pids[0]

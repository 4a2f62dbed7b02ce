"""Daemons with handlers of one's own, which lie in the daemon's directory, where owners and modes can be changed."""
import os
import shutil

from harness import BUILD, Daemon

HANDLERS = BUILD / "tests" / "handlers"
SANITIZED = "POPPO_SANITIZED" in os.environ
PLUGINS = ("primes", "crash", *(f"odd{n}" for n in range(11)))


def pool(types, **worker):
    return {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 8, "maxTasksPerWorker": 0, "killGrace": 300,
                                  "maxMemoryBytes": "16MiB", "heartbeatInterval": 100, "missedHeartbeats": 3,
                                  "respawnBackoff": 20, "respawnBackoffMax": 200, **worker}},
            "projects": {"small": {"env": {"PRIMES_MOST": "100"}}},
            "taskTypes": types}


class Handlers(Daemon):
    """types: a function of the daemon that gives the configuration's taskTypes."""

    def __init__(self, types, **worker):
        super().__init__(start=False)
        self.handlers = self.dir / "handlers"
        self.handlers.mkdir(mode=0o755)
        for name in PLUGINS:
            shutil.copy(HANDLERS / f"{name}.so", self.handlers)
            (self.handlers / f"{name}.so").chmod(0o755)
        self.write_config(pool(types(self), **worker))
        try:
            self.start()
        except BaseException:
            self._destroy()
            raise

    def script(self, name, text):
        path = self.handlers / name
        if not path.exists():
            path.write_text(text)
            path.chmod(0o755)
        return str(path)

    def plugin(self, name):
        return str(self.handlers / f"{name}.so")


def plugins(daemon):
    return {"primes": {"plugin": daemon.plugin("primes")}, "crash": {"plugin": daemon.plugin("crash")},
            "crash-http": {"plugin": daemon.plugin("crash"), "profile": "http"}}


def value_of(record):
    assert record["state"] == "succeeded", record
    return record["value"]


def error_of(record, code):
    assert record["state"] == "failed" and record["error"]["code"] == code, record
    return record["error"]["message"]


def pid_of(record):
    return record["attempts"][-1]["pid"]

"""poppo(1) with a real supervisor, for what a fake one cannot show: output as it comes, statuses, input, files."""
import json
import os
import subprocess
import tempfile

from harness import BUILD, Daemon, eventually
from tap import case, run

CONFIG = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 3}}}


class Poppo(subprocess.Popen):
    """poppo, running; what it has written so far is in out() and err()."""

    def __init__(self, daemon, *words, stdin=subprocess.DEVNULL, **options):
        self.files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        super().__init__([BUILD / "poppo", "--socket", daemon.socket, *words], stdin=stdin, stdout=self.files[0],
                         stderr=self.files[1], **options)

    def _read(self, i):
        return os.pread(self.files[i].fileno(), 1 << 24, 0)

    def out(self):
        return self._read(0)

    def err(self):
        return self._read(1)


def poppo(daemon, *words, data=None):
    """(status, output, errors) of poppo run to its end."""
    done = subprocess.run([BUILD / "poppo", "--socket", daemon.socket, *words], capture_output=True, timeout=60, check=False,
                          **({"input": data} if data is not None else {"stdin": subprocess.DEVNULL}))
    return done.returncode, done.stdout, done.stderr


def submit(daemon, task, **options):
    with daemon.client() as client:
        return client.call("submit", task=task, options=options)["id"]


def state_of(daemon, task):
    with daemon.client() as client:
        return client.call("result", id=task)["result"]["state"]


CHATTY = {"type": "execute-code", "code": "console.log('first'); var t = Date.now(); while (Date.now() - t < 1500); "
                                          "console.log('last'); 7"}


# ---- logs ----

@case
def logs_f_that_starts_late_sees_everything_from_the_beginning(daemon):
    task = submit(daemon, {"type": "execute-code",
                           "code": "for (var i = 0; i < 100; i++) console.log('line ' + i); while (true);"}, maxAttempts=1)
    eventually(lambda: state_of(daemon, task) == "running", "it runs")
    with Poppo(daemon, "logs", "-f", task) as late:
        eventually(lambda: late.out().count(b"\n") == 100, "all lines are seen while the task runs")
        assert state_of(daemon, task) == "running"
        assert poppo(daemon, "cancel", task)[1] == b"cancelled\n"
        assert late.wait(20) == 0
        assert late.out() == b"".join(b"line %d\n" % i for i in range(100)), late.out()
        assert late.err() == b""


@case
def logs_f_ends_with_the_task_and_shows_each_line_once(daemon):
    task = submit(daemon, CHATTY)
    with Poppo(daemon, "logs", "-f", task) as follower:
        eventually(lambda: follower.out() == b"first\n", "the first line comes before the end")
        assert state_of(daemon, task) == "running"
        assert follower.wait(20) == 0
        assert follower.out() == b"first\nlast\n"
    assert poppo(daemon, "logs", task) == (0, b"first\nlast\n", b"")
    assert poppo(daemon, "logs", "-f", task) == (0, b"first\nlast\n", b"")


@case
def logs_as_json_have_every_stream(daemon):
    task = submit(daemon, {"type": "execute-code", "code": "console.warn('w'); 1"})
    assert poppo(daemon, "wait", task)[0] == 0
    status, out, _ = poppo(daemon, "--json", "logs", task)
    assert status == 0 and [(line["level"], line["text"]) for line in json.loads(out)["console"]] == [("warn", "w")]


with Daemon(CONFIG) as shared:
    status = run(shared)
raise SystemExit(status)

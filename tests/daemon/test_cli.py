"""poppo(1) with a real supervisor, for what a fake one cannot show: output as it comes, statuses, input, files."""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import zlib

from harness import BUILD, Daemon, eventually
from tap import case, run

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "etc" / "examples"


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


# ---- sh ----

@case
def sh_shows_the_first_line_before_the_command_ends(daemon):
    with Poppo(daemon, "sh", "-c", "echo first; cat; sleep 60", stdin=subprocess.DEVNULL) as command:
        eventually(lambda: command.out() == b"first\n", "the first line is there")
        assert command.poll() is None
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 130
    with daemon.client() as client:
        eventually(lambda: client.call("stats")["totals"]["busy"] == 0, "the command is cancelled")


@case
def sh_keeps_the_streams_apart_and_hands_the_status_on(daemon):
    assert poppo(daemon, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
    assert poppo(daemon, "sh", "true") == (0, b"", b"")
    assert poppo(daemon, "sh", "no-such-thing") == (
        127, b"", b"poppo: no-such-thing cannot be run: No such file or directory\n")
    assert poppo(daemon, "sh", "printf", "%s|", "a b", "-x", "$HOME") == (0, b"a b|-x|$HOME|", b"")
    assert poppo(daemon, "sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM
    status, out, err = poppo(daemon, "sh", "--timeout", "300", "sleep", "60")
    assert (status, out) == (124, b"") and b"TIMEOUT" in err, err


@case
def sh_hands_bytes_on_as_they_are(daemon):
    data = bytes(range(256)) * 300
    assert poppo(daemon, "sh", "cat", data=data) == (0, data, b"")
    assert poppo(daemon, "sh", "-n", "cat", data=data) == (0, b"", b"")


@case
def sh_has_directory_environment_and_files(daemon):
    with tempfile.NamedTemporaryFile() as local:
        local.write(b"\xff\0local")
        local.flush()
        status, out, err = poppo(daemon, "sh", "--cwd", "d", "--env", "A=b=c", "--env", "E=", "--file", f"d/x={local.name}", "-c",
                                 "echo $A-$E-${HOME:+home}; cat x")
    assert (status, out, err) == (0, b"b=c--home\n\xff\0local", b"")


@case
def sh_brings_files_back(daemon):
    with tempfile.TemporaryDirectory() as directory:
        result = poppo(daemon, "sh", "--collect", "*.txt", "--collect", "sub/*", "-o", directory, "-c",
                       "printf one >a.txt; mkdir sub; printf '\\377' >sub/b; echo no >c.bin; exit 3")
        assert result == (3, b"", b""), result
        found = {os.path.relpath(os.path.join(top, name), directory): open(os.path.join(top, name), "rb").read()
                 for top, _, names in os.walk(directory) for name in names}
    assert found == {"a.txt": b"one", "sub/b": b"\xff"}, found


@case
def sh_as_json_is_the_record(daemon):
    status, out, _ = poppo(daemon, "--json", "sh", "-c", "echo out; exit 4")
    record = json.loads(out)
    assert status == 4 and record["type"] == "shell-command", record
    data = record["error"]["data"]
    assert (record["error"]["code"], data["exitCode"], data["stdout"]) == ("EXIT_STATUS", 4, "out\n"), record


@case
def output_that_is_cut_is_said_to_be(daemon):
    status, out, err = poppo(daemon, "sh", "-c", "yes | head -c 1000000")
    assert status == 0 and 0 < len(out) < 1000000, (status, len(out))
    assert b"the output was cut" in err, err


@case
def logs_f_of_a_command_that_runs(daemon):
    with daemon.client() as client:
        task = client.submit({"type": "shell-command", "command": "echo out; echo err >&2; sleep 60"})
    with Poppo(daemon, "logs", "-f", task) as late:
        eventually(lambda: (late.out(), late.err()) == (b"out\n", b"err\n"), "both streams are seen from the beginning")
        assert poppo(daemon, "cancel", task)[1] == b"cancelled\n"
        assert late.wait(20) == 0


@case
def why_tells_the_exit_status_and_the_last_words(daemon):
    with daemon.client() as client:
        task = client.submit({"type": "shell-command", "command": "echo 'no such thing' >&2; exit 9"}, maxAttempts=1)
        client.call("wait", id=task)
    status, out, _ = poppo(daemon, "why", task)
    assert status == 0 and b"exitCode: 9" in out and b"stderr: no such thing" in out, out


# ---- http ----

class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 404 if self.path == "/missing" else 200
        body = json.dumps({"path": self.path, "header": self.headers.get("X-Test")}, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_):
        pass


@case
def http_prints_the_body_as_it_came(daemon):
    status, out, err = poppo(daemon, "http", f"127.0.0.1:{PORT}/a", "-H", "X-Test: yes")
    assert (status, out, err) == (0, b'{\n "path": "/a",\n "header": "yes"\n}', b""), (status, out, err)
    assert poppo(daemon, "http", f"http://127.0.0.1:{PORT}/", "-d", "-", data=b"\xff\0abc")[1] == b"cba\0\xff"
    status, out, _ = poppo(daemon, "http", "-i", f"http://127.0.0.1:{PORT}/a")
    head, body = out.split(b"\n\n", 1)
    assert status == 0 and head.startswith(b"HTTP 200 OK\n") and body.startswith(b"{"), out


@case
def http_that_fails_says_how(daemon):
    status, out, err = poppo(daemon, "http", f"http://127.0.0.1:{PORT}/missing")
    assert status == 1 and b'"/missing"' in out and b"HTTP_STATUS" in err, (status, out, err)
    status, out, err = poppo(daemon, "http", "http://127.0.0.1:1/")
    assert status == 77 and out == b"" and b"URL_REFUSED" in err, (status, out, err)


@case
def http_as_json_has_the_data_parsed(daemon):
    status, out, _ = poppo(daemon, "--json", "http", f"http://127.0.0.1:{PORT}/a")
    assert status == 0 and json.loads(out)["value"]["data"]["path"] == "/a", out


# ---- module ----

@case
def module_calls_an_export(daemon):
    assert poppo(daemon, "module", "statistics", "summary", "[3, 1, 2]") == (0, b'{"count":"III","median":2}\n', b"")
    assert poppo(daemon, "module", "roman", "-", "1994", "--raw") == (0, b"MCMXCIV\n", b"")
    status, out, err = poppo(daemon, "module", "nothing-like-that")
    assert status == 1 and out == b"" and b"MODULE_NOT_FOUND" in err, err


# ---- handlers of one's own ----

@case
def run_takes_the_types_of_handlers(daemon):
    assert poppo(daemon, "run", "--type", "crc32", "--arg", '"hello"') == (0, b"%d\n" % zlib.crc32(b"hello"), b"")
    status, _, err = poppo(daemon, "run", "--type", "crc32", "--arg", "7")
    assert status == 65 and b"INVALID_TASK" in err, err
    assert poppo(daemon, "submit", "--wait", EXAMPLES / "words.json") == (0, b'{"words":6,"longest":"not"}\n', b"")
    status, out, _ = poppo(daemon, "daemon", "status")
    assert status == 0 and b"crc32 (plugin)" in out and b"words (program)" in out, out
    assert re.search(rb"^words\.words_counted +6$", poppo(daemon, "stats")[1], re.MULTILINE)


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
PORT = SERVER.server_port
threading.Thread(target=SERVER.serve_forever, daemon=True).start()


class Everything(Daemon):
    """With the examples, copied to where nobody else can change them."""

    def __init__(self):
        super().__init__(start=False)
        shutil.copytree(EXAMPLES / "modules", self.dir / "modules")
        shutil.copy(BUILD / "etc/examples/crc32.so", self.dir)
        shutil.copy(EXAMPLES / "words.py", self.dir)
        for path in (self.dir, *self.dir.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o022)
        self.write_config({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 4}},
                           "taskTypes": {"execute-module": {"roots": [str(self.dir / "modules")]},
                                         "http-request": {"allowHosts": [f"127.0.0.1:{PORT}"]},
                                         "crc32": {"plugin": str(self.dir / "crc32.so")},
                                         "words": {"program": str(self.dir / "words.py"), "profile": "js"}}})
        try:
            self.start()
        except BaseException:
            self._destroy()
            raise


with Everything() as shared:
    status = run(shared)
raise SystemExit(status)

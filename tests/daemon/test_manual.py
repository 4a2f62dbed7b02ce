"""poppo-protocol(7) is true: its example program runs, and the bytes it shows do what it says."""
import pathlib
import re
import subprocess
import sys

from harness import Daemon
from tap import case, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "man" / "poppo-protocol.7").read_text().replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")


def displays():
    return re.findall(r"\.Bd -literal.*?\n(.*?)\n\.Ed", PAGE, re.DOTALL)


def shown_frames():
    """The frames that the page shows from the client, in order."""
    frames, current = [], None
    for display in displays():
        for line in display.splitlines():
            match = re.match(r"([<> ]) ((?:[0-9a-f]{2} ?)+)(?: |$)", line)
            if match and match[1] != " ":
                current = bytearray() if match[1] == "<" else None
                if current is not None:
                    frames.append(current)
            if match and current is not None:
                current += bytes.fromhex(line[2:50].strip())
    return [bytes(f) for f in frames]


@case
def the_python_example_runs_as_printed(daemon):
    program = next(d for d in displays() if "POPPO_SOCKET" in d)
    done = subprocess.run([sys.executable, "-c", program, daemon.socket], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{2 * sum(range(2, 1002))}\n", done.stdout


@case
def the_session_in_bytes_works_as_printed(daemon):
    hello, submit = shown_frames()
    with daemon.client(hello=False) as client:
        client.write(hello)
        reply = client.receive()
        assert reply["ok"] and reply["seq"] == 1 and set(reply) == {
            "seq", "ok", "version", "server", "pid", "maxFrameBytes"}, reply
        client.write(submit)
        reply = client.receive()
        assert reply["seq"] == 2 and reply["result"]["value"] == 42, reply


@case
def the_record_has_the_keys_that_the_page_lists(daemon):
    listed = set()
    part = PAGE[PAGE.index(".Ss Result record"):PAGE.index(".Sh ERROR CODES")]
    for line in re.findall(r"^\.It Cm (.*)$", part, re.MULTILINE):
        listed |= set(line.replace(",", " ").split())
    with daemon.client() as client:
        good = client.code("console.log('x'); 1", options={"meta": {"a": 1}})
        bad = client.code("throw new Error('no')")
    unlisted = (set(good) | set(bad)) - listed
    assert not unlisted, f"not in the manual: {unlisted}"
    assert {"id", "type", "projectId", "priority", "state", "value", "logs", "attempts", "queuedMs", "runMs", "cpuMs",
            "maxMemoryBytes", "isolation"} <= set(good), good
    assert set(good["attempts"][0]) == {"worker", "pid", "startedAt", "endedAt", "outcome"}, good["attempts"]


with Daemon() as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

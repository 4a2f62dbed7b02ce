"""Runs the benchmarks of tools/bench: rows of ROWS, interleaved, each as a ratio to its baseline of the same round."""
import argparse
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
HELLO = 'return "Hello from worker";'
WORKERS = os.cpu_count() or 2
PATIENCE = 120  # seconds for one measurement

# How each measurement is taken. {count} is scaled by --scale; {steady}, {recycling} and {shared} are supervisors' sockets,
# {fresh} is that of one that is started for this measurement, {start} is the socket and {poppod} the command of one that is
# still to be started, {workers} how many each has.
RUNS = {
    "echo": (["echo", "{count}", "1"], 20000),
    "echo-pipelined": (["echo", "{count}", "256"], 400000),
    "fork": (["fork", "{count}"], 1000),
    "ping": (["load", "{steady}", "ping", "{count}", "1"], 20000),
    "no-op": (["load", "{steady}", "0", "{count}", "1"], 10000),
    "hello": (["load", "{steady}", HELLO, "{count}", "1"], 10000),
    "no-op-pipelined": (["load", "{steady}", "0", "{count}", "256"], 50000),
    "hello-pipelined": (["load", "{steady}", HELLO, "{count}", "256"], 50000),
    "hello-recycling": (["load", "{recycling}", HELLO, "{count}", "256"], 50000),
    "hello-process": (["load", "{steady}", HELLO, "{count}", "64", "process"], 3000),
    "replace": (["replace", "{steady}", "{workers}", "{count}"], 300),
    "start": (["start", "{start}", HELLO, "{count}", "{poppod}"], 30),
    "short-queue": (["queue", "{fresh}", "1000", "{count}"], 100),
    "long-queue": (["queue", "{fresh}", "{count}", "100"], 1000000),
    "one-project": (["projects", "{shared}", "{workers}", "1", "{count}"], 20000),
    "many-projects": (["projects", "{shared}", "{workers}", "10000", "{count}"], 20000),
}
# Workers that serve every project, and a queue without bounds, whose ended tasks do not fill the memory.
SHARED = {"maxTasksPerWorker": 0, "isolation": "heap"}
BOUNDLESS = {"maxLength": 0, "maxBytes": 0, "maxKeptBytes": "1MiB"}


@dataclass
class Row:
    name: str
    run: str
    field: str  # p50 and p99 in microseconds, rate per second, bytes and bare in bytes
    baseline: str = ""  # the name of another row
    aim: str = ""


ROWS = [
    Row("two-hop echo, one in flight, p50", "echo", "p50"),
    Row("two-hop echo, one in flight, p99", "echo", "p99"),
    Row("two-hop echo, 256 in flight", "echo-pipelined", "rate"),
    Row("fork + limits + seccomp + exit, p50", "fork", "p50"),
    Row("fork + limits + seccomp + exit, p99", "fork", "p99"),
    Row("fork + limits + seccomp + exit, one by one", "fork", "rate"),
    Row("ping, p50", "ping", "p50", "two-hop echo, one in flight, p50"),
    Row("no-op task, one in flight, p50", "no-op", "p50", "two-hop echo, one in flight, p50"),
    Row("no-op task, one in flight, p99", "no-op", "p99", "two-hop echo, one in flight, p99"),
    Row("hello task, one in flight, p50", "hello", "p50", "two-hop echo, one in flight, p50"),
    Row("hello task, one in flight, p99", "hello", "p99", "two-hop echo, one in flight, p99"),
    Row("hello task against a fresh process, p50", "hello", "p50", "fork + limits + seccomp + exit, p50"),
    Row("no-op task, 256 in flight", "no-op-pipelined", "rate", "two-hop echo, 256 in flight"),
    Row("hello task, 256 in flight", "hello-pipelined", "rate", "two-hop echo, 256 in flight"),
    Row("the same, workers replaced every 100 tasks", "hello-recycling", "rate", "hello task, 256 in flight"),
    Row("hello task, a process for each", "hello-process", "rate", "fork + limits + seccomp + exit, one by one"),
    Row("killed worker replaced, p50", "replace", "p50", "fork + limits + seccomp + exit, p50"),
    Row("killed worker replaced, p99", "replace", "p99", "fork + limits + seccomp + exit, p99"),
    Row("start of poppod to a first result, p50", "start", "p50", "fork + limits + seccomp + exit, p50"),
    Row("dispatch, 1,000 queued", "short-queue", "rate"),
    Row("dispatch, a million queued", "long-queue", "rate", "dispatch, 1,000 queued", aim="at least 0.8"),
    Row("payload in a list, beyond its bytes", "long-queue", "bare"),
    Row("queued task, beyond its payload's bytes", "long-queue", "bytes", "payload in a list, beyond its bytes",
        aim="at most 300 B"),
    Row("dispatch, one project without limits", "one-project", "rate"),
    Row("dispatch, 10,000 projects with limits", "many-projects", "rate", "dispatch, one project without limits",
        aim="at least 0.77"),
]
UNITS = {"p50": "us", "p99": "us", "rate": "/s", "bytes": "B", "bare": "B"}


class Supervisor:
    """A private poppod with a worker for each processor."""

    def __init__(self, queue=None, **worker):
        self.dir = tempfile.TemporaryDirectory(prefix="poppo-bench-")
        self.socket = os.path.join(self.dir.name, "poppo.sock")
        config = pathlib.Path(self.dir.name, "poppod.json")
        config.write_text(json.dumps({"daemon": {"worker": {"minProcesses": WORKERS, "maxProcesses": WORKERS, **worker}},
                                      "queue": queue or {}}))
        self.command = [str(BUILD / "poppod"), "-q", "-c", str(config), "--socket", self.socket,
                        "--state-dir", self.dir.name + "/state"]

    def __enter__(self):
        self.log = open(os.path.join(self.dir.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, start_new_session=True)
        self.wait_ready()
        return self

    def wait_ready(self):
        while subprocess.run([BUILD / "poppo", "--socket", self.socket, "run", "-e", "1"], capture_output=True,
                             check=False).returncode:
            if self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(f"bench: poppod ended with {self.process.returncode}:\n{self.log.read()}")
            time.sleep(0.05)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()
        self.dir.cleanup()


def command_of(words, count, places):
    """The words of a run with their places filled in; {poppod} is several words."""
    filled = []
    for word in words:
        filled += {**places, "{count}": [str(count)]}.get(word, [word])
    return [BUILD / "tools" / "benchmarks" / ("bench_" + filled[0]), *filled[1:]]


def measure(name, scale, places):
    words, _ = RUNS[name]
    if "{fresh}" not in words:
        return take(name, scale, places)
    with Supervisor(BOUNDLESS, **SHARED) as fresh:
        return take(name, scale, {**places, "{fresh}": [fresh.socket]})


def take(name, scale, places):
    words, count = RUNS[name]
    try:
        done = subprocess.run(command_of(words, max(10, int(count * scale)), places), capture_output=True, text=True,
                              check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        sys.exit(f"bench: {name} did not end within {PATIENCE} s")
    if done.returncode:
        sys.exit(f"bench: {name} failed with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:50}\r", end="", file=sys.stderr, flush=True)


def take_rounds(options, places):
    """{run: [result a round]}; within a round every run once, so that a slow minute hits all rows alike."""
    results = {name: [] for name in RUNS}
    for number in range(options.rounds):
        for name in RUNS:
            show_progress(f"round {number + 1} of {options.rounds}: {name}")
            results[name].append(measure(name, options.scale, places))
    show_progress("")
    return results


def summarize(results):
    by_name = {row.name: row for row in ROWS}
    summary = []
    for row in ROWS:
        values = [r[row.field] for r in results[row.run]]
        entry = {"name": row.name, "unit": UNITS[row.field], "median": statistics.median(values),
                 "min": min(values), "max": max(values)}
        if row.baseline:
            base = by_name[row.baseline]
            ratios = [v / b[base.field] for v, b in zip(values, results[base.run])]
            entry |= {"baseline": row.baseline, "ratio": statistics.median(ratios), "ratios": ratios}
        if row.aim:
            entry["aim"] = row.aim
        summary.append(entry)
    return summary


def print_table(summary):
    print(f"{'':42} {'median':>12} {'min':>12} {'max':>12}    ratio to baseline")
    for e in summary:
        ratio = f"{e['ratio']:8.3f} x {e['baseline']}" if "ratio" in e else "         (baseline)"
        ratio += f"; aim: {e['aim']}" if "aim" in e else ""
        print(f"{e['name']:42} {e['median']:12.1f} {e['min']:12.1f} {e['max']:12.1f} {e['unit']:3}{ratio}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description="Benchmarks, as ratios to baselines.")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of messages")
    options = parser.parse_args()
    later = Supervisor(maxTasksPerWorker=0)
    with (Supervisor(maxTasksPerWorker=0) as steady, Supervisor(maxTasksPerWorker=100) as recycling,
          Supervisor(BOUNDLESS, **SHARED) as shared):
        places = {"{steady}": [steady.socket], "{recycling}": [recycling.socket], "{shared}": [shared.socket],
                  "{start}": [later.socket], "{poppod}": later.command, "{workers}": [str(WORKERS)]}
        summary = summarize(take_rounds(options, places))
    print_table(summary)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"machine": platform.platform(), "processors": os.cpu_count(), "rounds": options.rounds, "rows": summary},
            indent=2) + "\n")


main()

"""Runs the benchmarks of tools/bench: rows of ROWS, interleaved, each as a ratio to its baseline of the same round."""
import argparse
import json
import os
import pathlib
import platform
import re
import signal
import socket
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
# still to be started, {workers} how many each has. {full} and {full-poppod} are those of one that has a queue on disk.
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
    "start": (["start", "waited", "{start}", HELLO, "{count}", "{poppod}"], 30),
    "short-queue": (["queue", "{fresh}", "1000", "{count}"], 100),
    "long-queue": (["queue", "{fresh}", "{count}", "100"], 1000000),
    "sync": (["disk", "{dir}", "sync", "{count}"], 1000),
    "inserts": (["disk", "{dir}", "inserts", "{count}", "1"], 2000),
    "inserts-16": (["disk", "{dir}", "inserts", "{count}", "16"], 30000),
    "inserts-256": (["disk", "{dir}", "inserts", "{count}", "256"], 50000),
    "kept": (["load", "{kept}", "0", "{count}", "1", "kept"], 1000),
    "kept-16": (["load", "{kept}", "0", "{count}", "16", "kept"], 20000),
    "kept-256": (["load", "{kept}", "0", "{count}", "256", "kept"], 50000),
    "durable": (["load", "{kept}", HELLO, "{count}", "1", "durable"], 500),
    "durable-16": (["load", "{kept}", HELLO, "{count}", "16", "durable"], 10000),
    "durable-256": (["load", "{kept}", HELLO, "{count}", "256", "durable"], 30000),
    "restart-empty": (["start", "durable", "{start}", HELLO, "{count}", "{poppod}"], 10),
    "restart": (["start", "durable", "{full}", HELLO, "3", "{full-poppod}"], 1000000),
    "steady": (["load", "{kept}", HELLO, "{count}", "256", "durable"], 20000),
    "jobs": (["keep", "{store}", "{file}", "{count}", "1"], 500),
    "jobs-16": (["keep", "{store}", "{file}", "{count}", "16"], 20000),
    "jobs-256": (["keep", "{store}", "{file}", "{count}", "256"], 30000),
    "redis": (["jobs", "redis", "{redis}", "{count}", "1"], 500),
    "redis-16": (["jobs", "redis", "{redis}", "{count}", "16"], 20000),
    "redis-256": (["jobs", "redis", "{redis}", "{count}", "256"], 30000),
    "beanstalkd": (["jobs", "beanstalkd", "{beanstalkd}", "{count}", "1"], 500),
    "beanstalkd-16": (["jobs", "beanstalkd", "{beanstalkd}", "{count}", "16"], 2000),
    "beanstalkd-256": (["jobs", "beanstalkd", "{beanstalkd}", "{count}", "256"], 2000),
    "one-project": (["projects", "{shared}", "{workers}", "1", "{count}"], 20000),
    "many-projects": (["projects", "{shared}", "{workers}", "10000", "{count}"], 20000),
}
# Workers that serve every project, and a queue without bounds, whose ended tasks do not fill the memory.
SHARED = {"maxTasksPerWorker": 0, "isolation": "heap"}
IN_MEMORY = {"engine": "memory"}  # for rows about the queue itself
BOUNDLESS = {"maxLength": 0, "maxBytes": 0, "maxKeptBytes": "1MiB"}


@dataclass
class Row:
    name: str
    run: str
    field: str  # p50 and p99 in microseconds, rate per second, bytes, bare, first and last in bytes
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
ROWS += [
    Row("4 KiB written and synced, p50", "sync", "p50"),
    Row("4 KiB written and synced, one by one", "sync", "rate"),
    *[Row(f"SQLite's own inserts, {n} a commit", f"inserts{suffix}", "rate") for n, suffix in ((1, ""), (16, "-16"), (256, "-256"))],
    Row("durable submits acknowledged, 1 in flight", "kept", "rate", "4 KiB written and synced, one by one"),
    *[Row(f"durable submits acknowledged, {n} in flight", f"kept-{n}", "rate", f"SQLite's own inserts, {n} a commit",
          aim="at least 0.5" if n == 256 else "") for n in (16, 256)],
    Row("durable hello, submit to result, p50", "durable", "p50", "4 KiB written and synced, p50"),
    *[Row(f"durable hello, {n} in flight", f"durable-{n}", "rate", f"durable submits acknowledged, {n} in flight") for n in (16, 256)],
    Row("start to a first durable result, p50", "restart-empty", "p50"),
    Row("the same with a million queued, p50", "restart", "p50", "start to a first durable result, p50", aim="at most 5 s"),
    Row("the store's file early under load", "steady", "first"),
    Row("the store's file at the end of it", "steady", "last", "the store's file early under load", aim="at most 1.1"),
    *[Row(f"put, take, finish: {queue}, {n} in flight", f"{queue}{suffix}", "rate")
      for queue in ("redis", "beanstalkd") for n, suffix in ((1, ""), (16, "-16"), (256, "-256"))],
    *[Row(f"put, take, finish: poppod-store, {n} in flight", f"jobs{suffix}", "rate", f"put, take, finish: redis, {n} in flight",
          aim="at least 1") for n, suffix in ((1, ""), (16, "-16"), (256, "-256"))],
]
ROWS += [Row(f"the same, {n} in flight", f"jobs{suffix}", "rate", f"put, take, finish: beanstalkd, {n} in flight",
             aim="at least 1") for n, suffix in ((1, ""), (16, "-16"), (256, "-256"))]
UNITS = {"first": "B", "last": "B", "p50": "us", "p99": "us", "rate": "/s", "bytes": "B", "bare": "B"}


class Supervisor:
    """A private poppod with a worker for each processor."""

    def __init__(self, queue=None, projects=None, store=None, **worker):
        self.dir = tempfile.TemporaryDirectory(prefix="poppo-bench-")
        self.socket = os.path.join(self.dir.name, "poppo.sock")
        config = pathlib.Path(self.dir.name, "poppod.json")
        config.write_text(json.dumps({"daemon": {"worker": {"minProcesses": WORKERS, "maxProcesses": WORKERS, **worker}},
                                      "queue": queue or {}, "projects": projects or {},
                                      "store": store or {}}))
        self.command = [str(BUILD / "poppod"), "-q", "-c", str(config), "--socket", self.socket,
                        "--state-dir", self.dir.name + "/state"]

    def __enter__(self):
        return self.start()

    def start(self):
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

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def __exit__(self, *_):
        self.end()
        self.dir.cleanup()

    def file_bytes(self):
        state = pathlib.Path(self.dir.name, "state")
        return sum(path.stat().st_size for path in state.glob("store.db*"))


class Queue:
    """Somebody else's queue, which syncs every write, on a port of its own."""

    def __init__(self, command, directory, port):
        self.command, self.directory, self.port = command, directory, port

    def __enter__(self):
        os.mkdir(self.directory)
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory,
                                        start_new_session=True)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"bench: {self.command[0]} ended with {self.process.returncode}")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def redis(directory):
    port = free_port()
    return Queue(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always",
                  "--save", ""], directory, port)


def beanstalkd(directory):
    port = free_port()
    return Queue(["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", ".", "-f", "0"], directory, port)


def command_of(words, count, places):
    """The words of a run with their places filled in; {poppod} is several words."""
    filled = []
    for word in words:
        filled += {**places, "{count}": [str(count)]}.get(word, [word])
    return [BUILD / "tools" / "benchmarks" / ("bench_" + filled[0]), *filled[1:]]


def kept_supervisor():
    return Supervisor(BOUNDLESS, {"parked": {"paused": True}}, maxTasksPerWorker=0)


def restart(name, scale, places):
    """A supervisor that was ended with a queue is started on it."""
    full = kept_supervisor()
    with full.dir:
        full.start()
        fill = [BUILD / "tools" / "benchmarks" / "bench_load", full.socket, "0", str(max(256, int(RUNS[name][1] * scale))), "256", "kept"]
        subprocess.run(fill, stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE)
        full.end()
        return take(name, scale, {**places, "{full}": [full.socket], "{full-poppod}": full.command})


def steady(seconds, places):
    """The file's largest size in the first two fifths of a time of durable tasks that come, end and are let go, and in the
    last fifth."""
    sizes = []
    with kept_supervisor() as kept:
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            take("steady", 1, {**places, "{kept}": [kept.socket]})
            sizes.append((passed / seconds, kept.file_bytes()))
    last = min(0.8, sizes[-1][0])
    return {"first": max(size for at, size in sizes if at < 0.4), "last": max(size for at, size in sizes if at >= last)}


def measure(name, options, places):
    words, _ = RUNS[name]
    scale = options.scale
    if name == "restart":
        return restart(name, scale, places)
    if name == "steady":
        return steady(options.steady, places)
    if "{file}" in words:
        with tempfile.TemporaryDirectory(prefix="poppo-bench-") as fresh:
            return take(name, scale, {**places, "{file}": [fresh + "/store.db"]})
    if "{kept}" in words:
        with kept_supervisor() as kept:
            return take(name, scale, {**places, "{kept}": [kept.socket]})
    if "{fresh}" not in words:
        return take(name, scale, places)
    with Supervisor(BOUNDLESS, store=IN_MEMORY, **SHARED) as fresh:
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
    results = {name: [] for name in RUNS if name in {row.run for row in ROWS}}
    for number in range(options.rounds):
        for name in results:
            show_progress(f"round {number + 1} of {options.rounds}: {name}")
            results[name].append(measure(name, options, places))
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


def choose_rows(expression):
    baselines = {row.name: row.baseline for row in ROWS}
    wanted = [row.name for row in ROWS if re.search(expression, row.name)]
    for name in wanted:
        if baselines[name] and baselines[name] not in wanted:
            wanted.append(baselines[name])
    ROWS[:] = [row for row in ROWS if row.name in wanted]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description="Benchmarks, as ratios to baselines.")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of messages")
    parser.add_argument("--only", metavar="EXPRESSION", default="", help="rows whose name matches, and their baselines")
    parser.add_argument("--long", action="store_true", help="ten minutes of steady load instead of seconds")
    options = parser.parse_args()
    options.steady = 600 if options.long else 10 * options.scale
    choose_rows(options.only)
    later = Supervisor(maxTasksPerWorker=0)
    directory = tempfile.TemporaryDirectory(prefix="poppo-bench-")
    with (directory, redis(directory.name + "/redis") as other, beanstalkd(directory.name + "/beanstalkd") as third,
          Supervisor(maxTasksPerWorker=0) as steady, Supervisor(maxTasksPerWorker=100) as recycling,
          Supervisor(BOUNDLESS, store=IN_MEMORY, **SHARED) as shared):
        places = {"{steady}": [steady.socket], "{recycling}": [recycling.socket], "{shared}": [shared.socket],
                  "{dir}": [directory.name], "{store}": [str(BUILD / "poppod-store")], "{redis}": [str(other.port)],
                  "{beanstalkd}": [str(third.port)], "{start}": [later.socket], "{poppod}": later.command, "{workers}": [str(WORKERS)]}
        summary = summarize(take_rounds(options, places))
    print_table(summary)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"machine": platform.platform(), "processors": os.cpu_count(), "rounds": options.rounds, "rows": summary},
            indent=2) + "\n")


main()

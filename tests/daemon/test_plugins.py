"""Plugins: what they can do, what they may not, and what becomes of those that are broken."""
import pathlib
import subprocess
import time

from handlers import SANITIZED, Handlers, error_of, pid_of, plugins, value_of
from harness import BUILD, eventually
from tap import Skip, case, run


def crash(client, how, **options):
    return client.run({"type": "crash", "how": how}, **options)


# ---- what a plugin does ----

@case
def a_plugin_computes(daemon):
    with daemon.client() as client:
        record = client.run({"type": "primes", "below": 1000})
        assert value_of(record) == {"count": 168, "largest": 997}, record
        assert record["isolation"]["seccomp"] == ("absent" if SANITIZED else "enforced"), record["isolation"]
        assert record["maxMemoryBytes"] > 0 and record["cpuMs"] >= 0, record


@case
def tasks_of_a_project_share_a_process_and_those_of_others_have_their_own(daemon):
    with daemon.client() as client:
        pids = {pid_of(client.run({"type": "primes", "below": n})) for n in range(10, 30)}
        assert len(pids) == 1, pids
        other = client.run({"type": "primes", "below": 20}, projectId="other")
        assert pid_of(other) not in pids


@case
def a_plugin_says_what_is_no_task(daemon):
    with daemon.client() as client:
        for task in ({}, {"below": -1}, {"below": "7"}):
            record = client.run({"type": "primes", **task}, maxAttempts=3)
            assert error_of(record, "INVALID_TASK") == "below must be a positive integer" and len(record["attempts"]) == 1


@case
def a_plugin_is_told_its_settings(daemon):
    with daemon.client() as client:
        assert value_of(client.run({"type": "primes", "below": 102}))["count"] == 26
        record = client.run({"type": "primes", "below": 101}, projectId="small")
        assert error_of(record, "INVALID_TASK") == "this project may ask for primes below 100"
        assert value_of(client.run({"type": "primes", "below": 100}, projectId="small"))["count"] == 25


@case
def a_timeout_stops_a_plugin_and_costs_no_process(daemon):
    with daemon.client() as client:
        before = pid_of(client.run({"type": "primes", "below": 10}))
        record = client.run({"type": "primes", "below": 10 ** 9}, timeout=200)
        assert error_of(record, "TIMEOUT") == "the attempt ran longer than its timeout of 200 ms"
        assert 190 <= record["runMs"] < 490 and pid_of(record) == before, record
        assert record["logs"][0]["level"] == "warn" and record["logs"][0]["text"].startswith("stopped at "), record["logs"]
        assert pid_of(client.run({"type": "primes", "below": 10})) == before


@case
def a_cancel_stops_a_plugin_and_costs_no_process(daemon):
    with daemon.client() as client, daemon.client() as other:
        before = pid_of(client.run({"type": "primes", "below": 10}))
        task = client.submit({"type": "primes", "below": 10 ** 9})
        eventually(lambda: other.call("result", id=task)["result"]["state"] == "running", "the task runs")
        started = time.monotonic()
        assert other.call("cancel", id=task)["state"] == "cancelled"
        assert time.monotonic() - started < 0.25
        assert pid_of(client.run({"type": "primes", "below": 10})) == before


@case
def a_busy_plugin_keeps_its_heartbeat(daemon):
    with daemon.client() as client:
        for how in ("loop", "deaf", "sleep"):
            record = crash(client, how, timeout=1000)
            error_of(record, "TIMEOUT")
            assert record["runMs"] > 990, record  # four times what a silent worker is allowed


@case
def results_are_checked(daemon):
    with daemon.client() as client:
        assert value_of(crash(client, "fine")) == "fine"
        assert value_of(crash(client, "nothing")) is None
        assert value_of(crash(client, "good-after-bad")) == "fine"
        error_of(crash(client, "huge"), "RESULT_TOO_LARGE")
        for how in ("no-value", "two-values"):
            assert "not one MessagePack value" in error_of(crash(client, how), "TASK_ERROR")


@case
def failures_are_the_plugins_own(daemon):
    with daemon.client() as client:
        assert error_of(crash(client, "fail"), "TASK_ERROR") == "the plugin's run() returned 7"
        record = crash(client, "fail-well")
        assert error_of(record, "URL_REFUSED") == "not ? there" and record["error"]["data"] == 42, record
        assert error_of(crash(client, "fail-unknown"), "TASK_ERROR") == "as it is"


@case
def lines_are_kept_in_order_and_bounded(daemon):
    with daemon.client() as client:
        record = crash(client, "log")
        assert [(entry["level"], entry["text"]) for entry in record["logs"]] == [("log", "one"), ("error", "two ?")], record
        record = crash(client, "log-much")
        assert value_of(record) == "fine" and record["truncated"] is True and 200 < len(record["logs"]) < 263, len(record["logs"])


@case
def lines_are_seen_as_they_come(daemon):
    with daemon.client() as client:
        seq = client.send("submit", task={"type": "crash", "how": "log"}, options={"maxAttempts": 1}, wait=True, follow=True)
        text, message = b"", client.receive()
        while message.get("event") == "output":
            assert message["stream"] == "console", message
            text, message = text + message["data"], client.receive()
        assert message["seq"] == seq and value_of(message["result"]) == "fine"
        assert text == b"one\ntwo ?\n", text


@case
def metrics_add_up_over_all_workers(daemon):
    def metrics():
        with daemon.client() as other:
            return other.call("stats")["metrics"]["primes"]

    def found():
        return metrics()["primes_found"]["value"]

    with daemon.client() as client:
        client.run({"type": "primes", "below": 10})
        before, runs = found(), metrics()["run_seconds"]["count"]
        for project in ("default", "other", "third"):
            value_of(client.run({"type": "primes", "below": 1000}, projectId=project))
        eventually(lambda: found() == before + 3 * 168, "all primes are counted")
        shown = metrics()
        assert shown["primes_found"] == {"kind": "counter", "help": "Primes that were found.", "value": before + 3 * 168}
        assert shown["largest_prime"]["kind"] == "gauge" and shown["largest_prime"]["value"] == 997, shown
        seconds = shown["run_seconds"]
        assert seconds["kind"] == "histogram" and seconds["count"] == runs + 3, shown
        assert 0 < seconds["min"] <= seconds["p50"] <= seconds["p90"] <= seconds["p99"] <= seconds["max"] <= seconds["sum"], shown


@case
def metrics_of_a_long_run_are_seen_before_its_end(daemon):
    def largest_count():
        with daemon.client() as other:
            return other.call("stats")["metrics"]["primes"]["primes_found"]["value"]

    with daemon.client() as client:
        client.run({"type": "primes", "below": 10})
        before = largest_count()
        client.send("submit", task={"type": "primes", "below": 10 ** 9}, options={"maxAttempts": 1}, wait=True)
        eventually(lambda: largest_count() > before + 1000, "what it has found so far")


@case
def metrics_stand_in_poppo_stats(daemon):
    with daemon.client() as client:
        client.run({"type": "primes", "below": 10})
    done = subprocess.run([BUILD / "poppo", "--socket", daemon.socket, "stats"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert int(float(lines["primes.primes_found"].split()[1])) > 0, done.stdout
    assert "primes.run_seconds.p99" in lines, done.stdout


# ---- what it may not do ----

@case
def a_crash_costs_the_worker_and_its_task_only(daemon):
    deaths = {"null": "SEGV", "recursion": "SEGV", "abort": "ABRT" if SANITIZED else "SEGV"}
    with daemon.client() as client, daemon.client() as neighbour:
        for how, signal in deaths.items():
            steady = [neighbour.send("submit", task={"type": "primes", "below": 20000}, wait=True) for _ in range(8)]
            assert value_of(crash(client, "fine")) == "fine"
            record = crash(client, how)
            assert f"({signal})" in error_of(record, "WORKER_CRASHED"), record
            after = crash(client, "fine")
            assert value_of(after) == "fine" and pid_of(after) != pid_of(record)
            assert client.code("6 * 7")["value"] == 42
            for seq in steady:
                reply = neighbour.reply(seq)["result"]
                assert value_of(reply) == {"count": 2262, "largest": 19997} and len(reply["attempts"]) == 1, reply


@case
def a_plugin_that_ends_the_process_is_named(daemon):
    with daemon.client() as client:
        assert error_of(crash(client, "exit"), "WORKER_CRASHED") == "the worker was ended by its plugin, which called exit()"
        assert error_of(crash(client, "_exit"), "WORKER_CRASHED") == "the worker exited with status 0"
        assert value_of(crash(client, "fine")) == "fine"


@case
def a_deaf_loop_is_killed_with_its_worker(daemon):
    with daemon.client() as client:
        before = pid_of(crash(client, "fine"))
        for how in ("deaf", "sleep"):
            record = crash(client, how, timeout=100)
            error_of(record, "TIMEOUT")
            assert 390 <= record["runMs"] < 1000, record
        assert pid_of(crash(client, "fine")) != before


@case
def what_it_writes_to_the_channel_costs_its_worker(daemon):
    daemon.errors_expected = True  # the master says so
    with daemon.client() as client:
        for how in ("rubbish", "twice", "close"):
            error_of(crash(client, how), "WORKER_CRASHED")
            assert value_of(crash(client, "fine")) == "fine"
            assert client.code("6 * 7")["value"] == 42


@case
def memory_is_bounded(daemon):
    if SANITIZED:
        raise Skip("the sanitizer's runtime is not held")
    with daemon.client() as client:
        record = crash(client, "memory")
        assert error_of(record, "OUT_OF_MEMORY") == "malloc said no"
        assert record["maxMemoryBytes"] < 400 << 20, record


@case
def the_profile_http_holds(daemon):
    if SANITIZED:
        raise Skip("the sanitizer's runtime is not held")
    with daemon.client() as client:
        for how, code in (("fork", "SYSCALL_DENIED"), ("code", "SYSCALL_DENIED"), ("kill", "SYSCALL_DENIED"),
                          ("socket", "TASK_ERROR"), ("write", "TASK_ERROR")):
            error_of(client.run({"type": "crash-http", "how": how}), code)
        assert value_of(client.run({"type": "crash-http", "how": "fine"})) == "fine"


@case
def the_profile_js_holds(daemon):
    if SANITIZED:
        raise Skip("the sanitizer's runtime is not held")
    with daemon.client() as client:
        for how in ("fork", "socket", "code", "kill"):
            assert "forbids" in error_of(crash(client, how), "SYSCALL_DENIED")
        for how in ("open", "write"):
            error_of(crash(client, how), "TASK_ERROR")
        assert not pathlib.Path("/tmp/poppo-plugin-was-here").exists()


with Handlers(plugins) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

"""poppod(8) itself: signals, drain, the second one, configuration and reload, its pool's size."""
import os
import signal
import subprocess

from harness import BUILD, SANITIZED, Closed, Daemon, Refused, eventually
from tap import case, run

DOCUMENTED = ('{"daemon":{"worker":{"minProcesses":1,"maxProcesses":4,"autoScale":true,"scaleUpThreshold":0.8,'
              '"scaleDownThreshold":0.2,"maxTasksPerWorker":100,"workerIdleTimeout":60000}}}')
QUICK = {"type": "execute-code", "code": "1"}
FOREVER = {"type": "execute-code", "code": "while (1);"}


def busy(ms):
    return {"type": "execute-code", "code": f"var end = Date.now() + {ms}; while (Date.now() < end); 'done'"}


def poppod(*arguments, config=None, path=None):
    if config is not None:
        path.write_text(config)
        arguments = ("-c", path, *arguments)
    return subprocess.run([BUILD / "poppod", *arguments], capture_output=True, text=True, timeout=60, check=False)


@case
def the_documented_configuration_runs():
    with Daemon(DOCUMENTED) as daemon, daemon.client() as client:
        daemon.errors_expected = SANITIZED
        record = client.code('return "Hello from worker";')
        # It asks for layers that a sanitizer keeps open.
        assert record["error"]["code"] == "TYPE_DISABLED" if SANITIZED else record["value"] == "Hello from worker", record


@case
def a_misspelt_key_names_its_line_and_the_right_one():
    with Daemon(start=False) as daemon:
        done = poppod("-t", path=daemon.config, config='{"daemon": {"worker": {\n  "maxProceses": 4\n}}}')
        assert done.returncode == 78, done
        assert ":2:" in done.stderr and "maxProceses" in done.stderr and "maxProcesses" in done.stderr, done.stderr
        done = poppod("-t", path=daemon.config, config=DOCUMENTED)
        assert done.returncode == 0, done


@case
def the_effective_configuration_loads_again():
    with Daemon(start=False) as daemon:
        first = poppod("-T", path=daemon.config, config=DOCUMENTED)
        assert first.returncode == 0 and '"maxTasksPerWorker"' in first.stdout, first
        assert poppod("-T", path=daemon.config, config=first.stdout).stdout == first.stdout


@case
def a_configuration_that_cannot_be_printed_is_no_success():
    with open("/dev/full", "wb") as full:
        for option in "-T", "-t":
            assert subprocess.run([BUILD / "poppod", option], stdout=full, timeout=60, check=False).returncode == 74


@case
def term_finishes_what_runs_and_refuses_what_is_new():
    with Daemon() as daemon, daemon.client() as client:
        running = client.send("submit", task=busy(700), wait=True)
        eventually(lambda: client.call("stats")["totals"]["busy"] == 1, "it runs")
        os.kill(daemon.pid, signal.SIGTERM)
        eventually(lambda: client.call("status")["daemon"]["state"] == "draining", "it drains")
        try:
            client.call("submit", task=QUICK)
        except Refused as refused:
            assert refused.code == "SHUTTING_DOWN", refused
        else:
            raise AssertionError("a new task was taken")
        assert client.reply(running)["result"]["value"] == "done"
        daemon.wait_end()


@case
def quit_and_a_second_term_end_at_once():
    for signals in ((signal.SIGQUIT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
        with Daemon() as daemon, daemon.client() as client:
            client.send("submit", task=FOREVER, options={"timeout": 0}, wait=True)
            eventually(lambda c=client: c.call("stats")["totals"]["busy"] == 1, "it runs")
            for number in signals[:-1]:
                os.kill(daemon.pid, number)
                eventually(lambda c=client: c.call("status")["daemon"]["state"] == "draining", "it drains")
            os.kill(daemon.pid, signals[-1])
            daemon.process.wait(30)
            eventually(lambda d=daemon: not d._left(), "nothing is left running")


@case
def stop_ends_it_and_closes_the_connection():
    with Daemon() as daemon, daemon.client() as client:
        client.call("stop")
        try:
            client.receive()
        except Closed:
            pass
        daemon.wait_end()


@case
def drain_answers_when_nothing_is_left():
    with Daemon() as daemon, daemon.client() as client:
        task = client.send("submit", task=busy(300), wait=True)
        eventually(lambda: client.call("stats")["totals"]["busy"] == 1, "it runs")
        drained = client.send("drain")
        assert client.receive()["seq"] == task
        assert client.reply(drained)["ok"]
        client.call("ping")


@case
def a_second_one_is_refused_and_names_the_first():
    with Daemon() as daemon:
        second = daemon.spawn()
        assert second.wait(30) == 75, second.returncode
        assert str(daemon.pid) in daemon.log_tail(), daemon.log_tail()
        daemon.errors_expected = True
        with daemon.client() as client:
            assert client.code("1")["value"] == 1


@case
def a_killed_one_leaves_no_worker_and_no_lock():
    with Daemon() as daemon:
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.process.wait()
        eventually(lambda: not daemon._left(), "its helpers follow it")
        daemon.start()
        with daemon.client() as client:
            assert client.code("1")["value"] == 1


@case
def hup_reloads_and_a_bad_file_changes_nothing():
    with Daemon({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}}) as daemon, daemon.client() as client:
        daemon.write_config({"daemon": {"worker": {"minProcesses": 3, "maxProcesses": 3}}})
        os.kill(daemon.pid, signal.SIGHUP)
        eventually(lambda: client.call("stats")["totals"]["workers"] == 3, "the pool has grown")
        daemon.write_config('{"daemon": {"worker": {"minProceses": 1}}}')
        try:
            client.call("reload")
        except Refused as refused:
            assert "minProcesses" in refused.error["message"], refused
        else:
            raise AssertionError("a bad file was taken")
        daemon.errors_expected = True
        assert client.call("stats")["totals"]["workers"] == 3
        daemon.write_config({"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}})
        client.call("reload")
        eventually(lambda: client.call("stats")["totals"]["workers"] == 1, "the pool has shrunk")


@case
def the_pool_grows_with_the_load_and_shrinks_after_it():
    worker = {"minProcesses": 1, "maxProcesses": 4, "scaleDownCooldown": 50, "workerIdleTimeout": 50,
              "scaleCheckInterval": 20}
    with Daemon({"daemon": {"worker": worker}}) as daemon, daemon.client() as client:
        eventually(lambda: client.call("stats")["totals"]["workers"] == 1, "one worker at first")
        waits = [client.send("submit", task=busy(300), wait=True) for _ in range(12)]
        eventually(lambda: client.call("stats")["totals"]["workers"] == 4, "all it may have")
        assert all(client.reply(seq)["result"]["value"] == "done" for seq in waits)
        eventually(lambda: client.call("stats")["totals"]["workers"] == 1, "back to one")


@case
def workers_are_replaced_after_their_tasks():
    config = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 10, "maxTasksJitter": 0}}}
    with Daemon(config) as daemon, daemon.client() as client:
        pids = [client.code("1")["attempts"][0]["pid"] for _ in range(400)]
        # The one to be retired serves on until its replacement is ready, so it may do some more than its share.
        assert 4 <= len(set(pids)) <= 40, pids
        assert all(pids.count(pid) >= 10 for pid in pids if pid != pids[-1]), pids


@case
def a_stopped_worker_is_replaced():
    config = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "heartbeatInterval": 100, "killGrace": 100}}}
    with Daemon(config) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        seq = client.send("submit", task=FOREVER, options={"maxAttempts": 1, "timeout": 0}, wait=True)
        eventually(lambda: client.call("stats")["totals"]["busy"] == 1, "it runs")
        os.kill(next(iter(client.call("stats")["workers"].values()))["pid"], signal.SIGSTOP)
        assert client.reply(seq)["result"]["error"]["code"] == "WORKER_CRASHED"
        assert client.code("1")["value"] == 1


@case
def a_long_task_is_not_mistaken_for_a_hung_worker():
    config = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "heartbeatInterval": 50}}}
    with Daemon(config) as daemon, daemon.client() as client:
        record = client.run(busy(3000))
        assert record["value"] == "done" and len(record["attempts"]) == 1, record


@case
def a_full_queue_refuses_by_name():
    config = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1}}, "queue": {"maxLength": 5}}
    with Daemon(config) as daemon, daemon.client() as client:
        blocker = client.submit(FOREVER)
        eventually(lambda: client.call("stats")["totals"]["busy"] == 1, "it runs")
        for _ in range(5):
            client.submit(QUICK)
        try:
            client.submit(QUICK)
        except Refused as refused:
            assert refused.code == "QUEUE_FULL" and refused.error["retryAfter"] > 0, refused.error
        else:
            raise AssertionError("the sixth was taken")
        client.call("cancel", id=blocker)
        eventually(lambda: client.call("stats")["totals"]["queued"] == 0, "the queue is worked off")


raise SystemExit(run())

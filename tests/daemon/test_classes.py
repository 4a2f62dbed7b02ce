"""Classes of workers that change while they serve. Each case has a daemon of its own."""
import pathlib
import signal

import handlers
from handlers import Handlers, pid_of, plugins, value_of
from harness import eventually, runner_of
from tap import case, run

PRIMES = {"type": "primes", "below": 10}
# So many that the few places must be given from one project to the next.
PROJECTS = ["a", "b", "c", "d", "e"]


def reload_with(daemon, client, types, **worker):
    daemon.write_config(handlers.pool(types, **worker))
    client.call("reload")


def queue_for_later(client, task):
    """The id of a task that waits, since its project is paused."""
    client.call("project-set", projectId="later", paused=True)
    return client.submit(task, projectId="later")


def resume(client):
    client.call("project-set", projectId="later", paused=False)


@case
def a_task_whose_handler_is_no_longer_configured_takes_nothing_from_others():
    with Handlers(plugins, maxProcesses=2) as daemon, daemon.client() as client:
        task = queue_for_later(client, PRIMES)
        reload_with(daemon, client, {"crash": {"plugin": daemon.plugin("crash")}}, maxProcesses=2)
        resume(client)
        for project in PROJECTS:
            assert client.code("6 * 7", {"projectId": project})["value"] == 42
        why = client.call("why", id=task)
        assert why["reason"] == "worker" and "primes is no longer configured" in why["message"], why
        client.call("drain")


@case
def a_task_whose_handler_is_configured_again_is_run():
    with Handlers(plugins, maxProcesses=2) as daemon, daemon.client() as client:
        task = queue_for_later(client, PRIMES)
        reload_with(daemon, client, {}, maxProcesses=2)
        resume(client)
        reload_with(daemon, client, plugins(daemon), maxProcesses=2)
        assert value_of(client.call("wait", id=task)["result"])["count"] == 4


@case
def a_worker_that_was_being_started_from_what_is_no_longer_configured_serves_nobody():
    with Handlers(lambda daemon: {"odd": {"plugin": daemon.plugin("crash")}}) as daemon, daemon.client() as client:
        assert client.code("6 * 7")["value"] == 42
        spawner = daemon.status()["daemon"]["spawner"]["pid"]
        daemon.strike(spawner, signal.SIGSTOP)
        task = client.submit({"type": "odd", "below": 10}, maxAttempts=1)
        eventually(lambda: any(w.get("type") == "odd" for w in daemon.status()["workers"].values()), "it is asked for")
        reload_with(daemon, client, {"odd": {"plugin": daemon.plugin("primes")}})
        daemon.strike(spawner, signal.SIGCONT)
        assert value_of(client.call("wait", id=task)["result"])["count"] == 4


@case
def fewer_processes_hold_for_those_that_are_there():
    with Handlers(plugins) as daemon, daemon.client() as client:
        for project in PROJECTS:
            assert value_of(client.run(PRIMES, projectId=project))["count"] == 4
        reload_with(daemon, client, {"primes": {"plugin": daemon.plugin("primes"), "processes": 2}})
        eventually(lambda: sum(w.get("type") == "primes" for w in daemon.status()["workers"].values()) == 2,
                   "the surplus goes")
        assert value_of(client.run(PRIMES, projectId=PROJECTS[0]))["count"] == 4


@case
def room_is_made_for_a_class_when_its_pause_is_over():
    quiet = {"maxProcesses": 1, "heartbeatInterval": 60000, "respawnBackoff": 1000, "respawnBackoffMax": 1000}
    with Handlers(plugins, **quiet) as daemon, daemon.client(timeout=20) as client:
        daemon.errors_expected = True
        plugin = pathlib.Path(daemon.plugin("primes"))
        plugin.chmod(0o777)
        seq = client.send("submit", task=PRIMES, wait=True)
        eventually(lambda: daemon.status()["daemon"]["breaker"].get("failures"), "the first start fails")
        plugin.chmod(0o755)
        assert value_of(client.reply(seq)["result"])["count"] == 4


@case
def what_a_worker_used_before_is_not_charged_to_the_task_that_it_dies_with():
    with Handlers(plugins, maxProcesses=1) as daemon, daemon.client() as client:
        assert client.code("var end = Date.now() + 1500; while (Date.now() < end);")["cpuMs"] > 100
        task = client.submit({"type": "execute-code", "code": "while (true);"}, maxAttempts=1)
        daemon.strike(runner_of(client, task))
        record = client.call("wait", id=task)["result"]
        assert record["cpuMs"] < record["runMs"] + 50, record


raise SystemExit(run())

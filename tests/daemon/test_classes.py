"""Classes of workers that change while they serve. Each case has a daemon of its own."""
import handlers
from handlers import Handlers, pid_of, plugins, value_of
from harness import eventually
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


raise SystemExit(run())

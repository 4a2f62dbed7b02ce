"""Handlers that cannot be started: who is told, and that nobody else is held up. Each case has a daemon of its own."""
import os
import pathlib
import shutil

from handlers import Handlers, error_of, pid_of, plugins, pool, value_of
from harness import Refused, descendants, eventually, process_table
from tap import case, run

REFUSED = {
    "odd0": "odd0.so has the plugin ABI 7, and this is poppo with 1",
    "odd1": "odd1.so exports no poppo_plugin",
    "odd2": "odd2.so has no run function",
    "odd3": "odd3.so has no name",
    "odd4": "odd4.so undefined symbol: nobody_has_this",
    "odd5": "odd5.so has a metric with a name that is none",
    "odd6": "init() of plugin odd returned 5: the moon is full for odd6",
    "odd10": "odd10.so has a metric with a help text that is empty, over 256 bytes or no line of UTF-8",
    "odd7": "was ended by its plugin, which called exit()",
    "group": "group.so is writable by its group",
    "all": "all.so is writable by everybody",
    "folder": "open is writable by its group",
    "none": "none.so cannot be opened: No such file or directory",
    "text": "text.so ",
    "profile": "a plugin's profile is js or http",
    "paths": "a plugin has no jail",
    "network": "a plugin has no jail",
}


def odd_types(daemon):
    shutil.copy(daemon.plugin("primes"), daemon.handlers / "group.so")
    (daemon.handlers / "group.so").chmod(0o775)
    shutil.copy(daemon.plugin("primes"), daemon.handlers / "all.so")
    (daemon.handlers / "all.so").chmod(0o757)
    (daemon.handlers / "open").mkdir()
    shutil.copy(daemon.plugin("primes"), daemon.handlers / "open" / "folder.so")
    (daemon.handlers / "open").chmod(0o775)
    (daemon.handlers / "text.so").write_text("no shared object")
    paths = {name: daemon.plugin(name) for name in REFUSED}
    paths["folder"] = str(daemon.handlers / "open" / "folder.so")
    if os.geteuid() == 0:
        shutil.copy(daemon.plugin("primes"), daemon.handlers / "foreign.so")
        os.chown(daemon.handlers / "foreign.so", 12345, 12345)
        paths["foreign"] = daemon.plugin("foreign")
    return {**plugins(daemon), **{name: {"plugin": path} for name, path in paths.items()},
            "profile": {"plugin": daemon.plugin("primes"), "profile": "shell"},
            "paths": {"plugin": daemon.plugin("primes"), "paths": ["/opt"]},
            "network": {"plugin": daemon.plugin("primes"), "network": True},
            **{name: {"plugin": daemon.plugin(name)} for name in ("odd8", "odd9")}}


HELD = (pathlib.Path(__file__).resolve().parents[1] / "handlers" / "held.py").read_text()

REFUSED_PROGRAMS = {
    "p-group": "p-group is writable by its group",
    "p-plain": "p-plain is not executable",
    "p-none": "p-none cannot be opened: No such file or directory",
    "p-script": "s-group.py is writable by its group",
    "p-format": "p-format cannot be executed: Exec format error",
    "p-interpreter": "p-interpreter cannot be executed: No such file or directory",
    "p-private": "p-private cannot be executed: Permission denied",
    "p-fail": "RuntimeError: the moon is full",
    "p-layers": "layers that are not its own to tell",
    "p-silent": "not ready within startTimeout",
    "p-quick": "the program exited with status 0",
    "p-path": "/no/such/path: No such file or directory",
}


def program_types(daemon):
    def put(name, text, mode=0o755):
        path = daemon.script(name, text)
        (daemon.handlers / name).chmod(mode)
        return path

    held = put("held.py", HELD)
    programs = {
        "p-group": put("p-group", HELD, 0o775),
        "p-plain": put("p-plain", HELD, 0o644),
        "p-none": str(daemon.handlers / "p-none"),
        "p-script": ["/usr/bin/python3", put("s-group.py", HELD, 0o775)],
        "p-format": put("p-format", "\0\1\2\3"),
        "p-interpreter": put("p-interpreter", "#!/no/such/interpreter\n"),
        "p-private": put("p-private", HELD, 0o700),
        "p-fail": [held, "fail"],
        "p-layers": [held, "layers"],
        "p-silent": [held, "silent"],
        "p-quick": "/usr/bin/true",
        "p-path": held,
    }
    if os.geteuid():
        programs.pop("p-private")  # its owner may execute it
    return {**plugins(daemon), "fine": {"program": held},
            **{name: {"program": program, **({"paths": ["/no/such/path"]} if name == "p-path" else {})}
               for name, program in programs.items()}}


def assert_refused(daemon, client, wanted):
    """Why tasks of these types wait is told to whoever asks, in the status and in the log; nobody else waits."""
    ids = {name: client.submit({"type": name, "below": 10}) for name in wanted}
    for name, fault in wanted.items():
        text = eventually(lambda: fault in client.call("why", id=ids[name])["message"] and
                          client.call("why", id=ids[name])["message"], f"{name} is refused")
        assert name in text, text
    classes = daemon.status()["daemon"]["breaker"]["classes"]
    for name, fault in wanted.items():
        assert fault in classes[name]["reason"], (name, classes)
        assert any(fault in line.get("message", "") for line in daemon.log_lines()), name
    assert value_of(client.run({"type": "primes", "below": 10}))["count"] == 4
    assert client.code("6 * 7")["value"] == 42


@case
def plugins_that_must_not_be_loaded_are_refused_by_name():
    wanted = dict(REFUSED)
    if os.geteuid() == 0:
        wanted["foreign"] = "foreign.so belongs to user 12345"
    with Handlers(odd_types) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        assert_refused(daemon, client, wanted)


@case
def programs_that_must_not_be_run_are_refused_by_name():
    wanted = dict(REFUSED_PROGRAMS)
    if os.geteuid():
        wanted.pop("p-private")
    with Handlers(program_types, startTimeout=2000) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        assert_refused(daemon, client, wanted)
        assert value_of(client.run({"type": "fine", "how": "fine"})) == "fine"


@case
def a_handler_that_is_mended_is_started():
    with Handlers(odd_types) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        task = client.send("submit", task={"type": "group", "below": 10}, wait=True)
        eventually(lambda: daemon.status()["daemon"]["breaker"]["state"] == "open", "the breaker opens")
        (daemon.handlers / "group.so").chmod(0o755)
        assert value_of(client.reply(task)["result"])["count"] == 4
        assert daemon.status()["daemon"]["breaker"]["state"] == "closed"


@case
def a_reload_tries_again_at_once():
    with Handlers(odd_types, respawnBackoff=60000, respawnBackoffMax=60000) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        task = client.send("submit", task={"type": "group", "below": 10}, wait=True)
        eventually(lambda: daemon.status()["daemon"]["breaker"].get("failures"), "a worker does not start")
        (daemon.handlers / "group.so").chmod(0o755)
        with daemon.client() as other:
            other.call("reload")
        assert value_of(client.reply(task)["result"])["count"] == 4


@case
def a_start_deadline_that_passes_says_why_no_worker_started():
    with Handlers(odd_types) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        message = error_of(client.run({"type": "group", "below": 10}, startDeadline=300), "START_DEADLINE")
        assert "group.so is writable by its group" in message, message


@case
def a_handler_that_is_configured_anew_is_replaced():
    def served(daemon):
        return {"mine": {"plugin": daemon.plugin("odd9")}}

    with Handlers(served) as daemon, daemon.client() as client:
        first = client.run({"type": "mine"})
        assert value_of(first) == 1
        daemon.write_config(pool({"mine": {"plugin": daemon.plugin("primes")}}))
        client.call("reload")
        second = client.run({"type": "mine", "below": 10})
        assert value_of(second)["count"] == 4 and pid_of(second) != pid_of(first)
        daemon.write_config(pool({}))
        client.call("reload")
        try:
            client.run({"type": "mine", "below": 10})
        except Refused as refusal:
            assert refusal.code == "TYPE_DISABLED", refusal
        else:
            raise AssertionError("a handler that is gone serves on")


@case
def heartbeats_never_break_into_a_frame():
    with Handlers(plugins, heartbeatInterval=10, missedHeartbeats=1000, maxProcesses=2) as daemon, daemon.client() as client:
        for _ in range(40):
            waiting = [client.send("submit", task={"type": "crash", "how": "big"}, options={"maxAttempts": 1}, wait=True)
                       for _ in range(10)]
            for seq in waiting:
                record = client.reply(seq)["result"]
                assert len(value_of(record)) == 1000000 and len(record["attempts"]) == 1, record["attempts"]


@case
def handlers_die_with_the_supervisor():
    def both(daemon):
        return {**plugins(daemon), "held": {"program": daemon.script("held.py", HELD)}}

    with Handlers(both) as daemon, daemon.client() as client:
        client.submit({"type": "crash", "how": "deaf"})
        program = pid_of(client.run({"type": "held", "how": "child"}))
        busy = eventually(lambda: [w["pid"] for w in client.call("stats")["workers"].values() if w["state"] == "busy"], "it runs")
        inside = {*descendants(program), program, *busy}
        assert len(inside) == 5, inside
        daemon.process.kill()
        daemon.process.wait()
        eventually(lambda: all(process_table().get(p, "ZZ")[1] == "Z" for p in inside), "all of it is dead")


@case
def a_plugin_that_will_not_be_configured_ends():
    with Handlers(odd_types) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        record = client.run({"type": "odd8"})
        assert "configure() of plugin odd returned 9" in error_of(record, "WORKER_CRASHED"), record


@case
def a_plugin_of_an_older_poppo_is_run():
    with Handlers(odd_types) as daemon, daemon.client() as client:
        assert value_of(client.run({"type": "odd9"})) == 1


@case
def cpu_time_is_bounded():
    with Handlers(plugins, maxCpuTime=300) as daemon, daemon.client() as client:
        record = client.run({"type": "crash", "how": "loop"})
        assert error_of(record, "CPU_LIMIT") == "the task used more than its 300 ms of CPU time"
        assert 250 <= record["cpuMs"] < 1000, record
        before = pid_of(record)
        record = client.run({"type": "crash", "how": "deaf"})
        assert "did not stop" in error_of(record, "CPU_LIMIT") and pid_of(record) == before
        assert value_of(client.run({"type": "crash", "how": "fine"})) == "fine"


raise SystemExit(run())

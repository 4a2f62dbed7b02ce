"""What the operator says of shell-command: what may run at all, what is shown, how much is kept."""
import pathlib
import tempfile

from commands import error_of, out, shell_worker, task, value_of, with_settings
from harness import Daemon, eventually
from tap import case, run

ALLOW = ["echo", "/bin/cat", "head -c ?*", "true \"\"", "printf x *", "expr ? - ...", "no-such-program",
         "ls [!-]*"]
ALLOWED = (["echo"], ["echo", "any", "thing"], ["/usr/bin/echo"], ["/bin/echo", "x"], ["cat", "/dev/null"], ["head", "-c", "0"],
           ["true"], ["ls", "/usr"], ["printf", "x"], ["printf", "x", "y", "z"], ["expr", "1", "-", "2", "+", "3"])
DENIED = (["sh", "-c", "true"], ["/bin/sh"], ["./echo"], ["../bin/echo"], ["head", "-n", "1"], ["head", "-c"],
          ["head", "-c", "1", "x"], ["true", "x"], ["printf", "y"], ["printf"], ["expr", "1"], ["expr", "10", "-", "2"], ["no-such-program"], ["ls"], ["ls", "-l"], ["ls", "a", "b"],
          ["python3"], ["env", "echo"], ["eval"], ["mawk", "BEGIN {}"])
LINES = ("echo hi", "echo 'a b' \"c\" && echo d; echo e || echo f", "echo '$HOME'", "true", "cat /dev/null\necho x",
         "'/bin/echo' x", "ec\\ho x # y")
REFUSED_LINES = ("echo $HOME", "echo `id`", "echo > x", "echo | cat", "echo x & echo y", "(echo x)", "A=b echo", "sh -c true",
                 "echo x; id", "eval echo", ". ./x", "echo *", "head -n 1", "if true; then echo; fi", " ", "echo 'x", "cd / && echo",
                 "./echo x", "alias echo=id")


@case
def only_listed_commands_may_run():
    with Daemon(with_settings(allow=ALLOW)) as daemon, daemon.client() as client:
        for argv in ALLOWED:
            value_of(client.run(task(argv)))
        for argv in DENIED:
            record = client.run(task(argv), maxAttempts=3)
            assert argv[0] in error_of(record, "COMMAND_REFUSED")["message"] and len(record["attempts"]) == 1, record
        for line in LINES:
            value_of(client.run(task(line)))
        for line in REFUSED_LINES:
            error_of(client.run(task(line)), "COMMAND_REFUSED")
        assert out(client, "echo 'a  b' \"it's\" \\d; echo e && true || echo f") == "a  b it's d\ne\n"


@case
def with_a_list_the_environment_cannot_change_what_is_run():
    evil = {"echo": "#!/bin/sh\nprintf evil\n"}
    with Daemon(with_settings(allow=["echo"])) as daemon, daemon.client() as client:
        for name in ("PATH", "ENV", "BASH_ENV", "IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH",
                     "TAR_OPTIONS", "PYTHONPATH", "OPENSSL_CONF", "GIT_EXTERNAL_DIFF", "BASH_ENV", "MAKEFLAGS", "MALLOC_TRACE"):
            error = error_of(client.run(task(["echo", "x"], env={name: "/task/work"}, files=evil)), "COMMAND_REFUSED")
            assert name in error["message"], error
        for name in ("A", "PATHS", "LANG", "LC_ALL", "TZ", "HOME", "GCONV_PATHS", "L"):
            assert out(client, "echo x", env={name: "b"}, files=evil) == "x\n", name
        assert out(client, ["echo", "x"], files=evil) == "x\n"


@case
def settings_hold_for_the_runs_that_follow():
    with tempfile.TemporaryDirectory(prefix="poppo-paths-") as shown, Daemon(with_settings()) as daemon, daemon.client() as client:
        pathlib.Path(shown).chmod(0o755)
        pathlib.Path(shown, "data").write_text("shown\n")
        line = f"cat {shown}/data; touch {shown}/new 2>/dev/null && echo written; true"
        assert out(client, line) == ""
        pid = shell_worker(daemon)
        daemon.write_config(with_settings(paths=[shown], maxOutputBytes=3))
        client.call("reload")
        assert value_of(client.run(task(line)))["stdout"] == "sho"
        daemon.write_config(with_settings(allow=["cat"], paths=[shown]))
        client.call("reload")
        assert out(client, ["cat", shown + "/data"]) == "shown\n"
        error_of(client.run(task(["ls"])), "COMMAND_REFUSED")
        daemon.write_config(with_settings())
        client.call("reload")
        assert out(client, line) == "" and shell_worker(daemon) == pid


@case
def a_path_that_is_gone_is_named():
    with tempfile.TemporaryDirectory(prefix="poppo-paths-") as kept:
        gone = pathlib.Path(kept, "gone")
        gone.mkdir()
        with Daemon(with_settings(paths=[str(gone)])) as daemon, daemon.client() as client:
            gone.rmdir()
            assert str(gone) in error_of(client.run(task(["true"])), "WORKER_CRASHED")["message"]
            gone.mkdir()
            value_of(client.run(task(["true"])))


@case
def a_result_that_is_too_large_says_so():
    with Daemon({**with_settings(maxOutputBytes="4MiB")}) as other, other.client() as client:
        error_of(client.run(task("head -c 2000000 /dev/zero")), "RESULT_TOO_LARGE")
        # Each such byte takes three in a string.
        error_of(client.run(task("head -c 500000 /dev/zero | tr '\\0' '\\377'")), "RESULT_TOO_LARGE")
        assert len(out(client, "head -c 500000 /dev/zero | tr '\\0' '\\377'", encoding="bytes")) == 500000
        assert out(client, "echo fine") == "fine\n"


@case
def a_process_that_uses_more_time_than_it_may_is_told_so():
    config = with_settings()
    config["daemon"] = {"worker": {**config["daemon"]["worker"], "maxCpuTime": 1000}}
    with Daemon(config) as daemon, daemon.client() as client:
        error = error_of(client.run(task("echo begun; while :; do :; done"), timeout=20000), "CPU_LIMIT")
        assert error["data"]["stdout"] == "begun\n" and error["data"]["signal"] == "SIGXCPU", error


@case
def many_who_follow_at_once_are_answered_without_a_worker_full_of_answers():
    with Daemon(with_settings(maxOutputBytes="15MiB")) as daemon, daemon.client() as client:
        running = client.submit(task("head -c 15000000 /dev/zero; echo; echo ready >&2; sleep 100"), maxAttempts=1)
        eventually(lambda: client.call("result", id=running)["result"]["state"] == "running", "it runs")
        followers = [daemon.client() for _ in range(30)]
        for follower in followers:
            follower.send("follow", id=running)
        for follower in followers:
            message = follower.receive()
            assert message["event"] == "output" and message["id"] == running, message
        pid = shell_worker(daemon)
        assert daemon.rss(pid) < 200 << 20, daemon.rss(pid)
        for follower in followers:
            follower.close()
        client.call("cancel", id=running)
        assert out(client, "echo fine") == "fine\n" and shell_worker(daemon) == pid


@case
def where_no_jail_can_be_had_the_reason_is_told():
    # As in a container that forbids namespaces.
    forbid = ["unshare", "-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_mnt_namespaces; exec \"$@\"", "sh"]
    with Daemon(with_settings(), wrapper=forbid) as daemon, daemon.client() as client:
        daemon.errors_expected = True
        waiting = client.submit(task(["true"]))
        eventually(lambda: "no command can be jailed: " in client.call("why", id=waiting)["message"], "why says so")
        assert "no command can be jailed: " in daemon.log.read_text()
        assert client.code("6 * 7")["value"] == 42
        client.call("cancel", id=waiting)


raise SystemExit(run())

"""shell-command as a caller meets it: what is run, what goes in, what comes back, and how it ends."""
import base64
import pathlib
import time

from commands import BASE, LIMIT, MIB, error_of, out, shell_worker, task, value_of, with_settings
from harness import Daemon, Refused, descendants, eventually
from tap import case, run

# ---- what is run ----

@case
def argv_runs_without_a_shell(daemon):
    with daemon.client() as client:
        value = value_of(client.run(task(["echo", "$HOME", "*", "a  b"])))
        assert value == {"exitCode": 0, "signal": None, "stdout": "$HOME * a  b\n", "stderr": "", "truncated": False}, value
        assert out(client, ["/usr/bin/printf", "%s|", "", "x"]) == "|x|"


@case
def a_command_is_a_line_for_sh(daemon):
    with daemon.client() as client:
        assert out(client, "for i in 1 2 3; do echo $i; done | tail -n 1") == "3\n"
        assert out(client, "-x 2>/dev/null; echo $?") == "127\n"
        value = value_of(client.run(task("echo out; echo err >&2")))
        assert (value["stdout"], value["stderr"]) == ("out\n", "err\n")


@case
def a_status_other_than_0_fails_and_carries_all_of_it(daemon):
    with daemon.client() as client:
        error = error_of(client.run(task("echo out; echo err >&2; exit 42")), "EXIT_STATUS")
        assert error["data"] == {"exitCode": 42, "signal": None, "stdout": "out\n", "stderr": "err\n", "truncated": False}
        assert "42" in error["message"]


@case
def a_signal_is_told_by_name(daemon):
    with daemon.client() as client:
        for name in ("SIGSEGV", "SIGKILL", "SIGTERM", "SIGABRT"):
            error = error_of(client.run(task(f"echo before; kill -{name[3:]} $$")), "EXIT_STATUS")
            assert error["data"] == {"exitCode": None, "signal": name, "stdout": "before\n", "stderr": "", "truncated": False}
            assert name in error["message"], error


@case
def what_cannot_be_run_ends_as_in_a_shell(daemon):
    with daemon.client() as client:
        for argv, code, words in ((["no-such-program"], 127, "No such file"), (["/etc/passwd"], 126, "Permission denied"),
                                  (["/usr"], 126, "Permission denied"), (["echo", "x" * 200000], 126, "too long")):
            error = error_of(client.run(task(argv)), "EXIT_STATUS")
            assert error["data"]["exitCode"] == code and words in error["message"], (argv, error)


@case
def a_failed_command_is_tried_again(daemon):
    with daemon.client() as client:
        record = client.run(task("exit 1"), maxAttempts=3, retryDelay=0)
        assert [a["outcome"] for a in record["attempts"]] == ["EXIT_STATUS"] * 3, record


@case
def what_makes_no_sense_is_refused(daemon):
    with daemon.client() as client:
        for fields in ({}, {"argv": ["true"], "command": "true"}):
            try:
                client.submit({"type": "shell-command", **fields})
                raise AssertionError(fields)
            except Refused as refusal:
                assert refusal.code == "INVALID_TASK", refusal
        for what, options in (([], {}), ([""], {}), ([1], {}), (["true", None], {}), (["a\0b"], {}), ("true\0", {})):
            error_of(client.run(task(what, **options)), "INVALID_TASK")
        for options in ({"env": {"A=B": ""}}, {"env": {"": ""}}, {"env": {"1A": ""}}, {"env": {"A": 1}}, {"env": {"A": "\0"}},
                        {"stdin": 5}, {"collect": [""]}, {"collect": ["/etc/*"]}, {"collect": [7]}, {"collect": ["a/" * 20 + "b"]},
                        {"env": {f"V{i}": "" for i in range(2000)}}):
            error_of(client.run(task(["true"], **options)), "INVALID_TASK")


# ---- what goes in ----

@case
def stdin_is_text_bytes_or_nothing(daemon):
    with daemon.client() as client:
        assert out(client, ["cat"], stdin="gr\u00fc\u00df dich\n") == "gr\u00fc\u00df dich\n"
        assert out(client, ["cat"], stdin=b"\x00\xff", encoding="bytes") == b"\x00\xff"
        assert out(client, "cat; echo end") == "end\n"
        assert out(client, "head -c 3; echo; wc -c", stdin="x" * 900_000) == "xxx\n899997\n"
        assert out(client, "(echo more >&0) 2>/dev/null || echo fixed", stdin="x") == "fixed\n"


@case
def nothing_but_what_is_declared_is_in_the_environment(daemon):
    def environment(**more):
        return dict(line.split("=", 1) for line in out(client, ["env"], **more).splitlines())
    with daemon.client() as client:
        assert environment() == BASE
        assert environment(env={"A": "b c", "PATH": "/usr/bin"}) == {**BASE, "A": "b c", "PATH": "/usr/bin"}
        assert environment(options={"projectId": "p"}) == {**BASE, "TOKEN": "secret", "LANG": "C"}
        mixed = environment(options={"projectId": "p"}, env={"TOKEN": "other"})
        assert mixed == {**BASE, "TOKEN": "other", "LANG": "C"}


@case
def it_starts_in_its_private_directory_or_below(daemon):
    with daemon.client() as client:
        assert out(client, "pwd; ls -a") == "/task/work\n.\n..\n"
        assert out(client, "pwd; touch x", cwd="a/b c") == "/task/work/a/b c\n"
        assert out(client, "pwd; cat here", cwd="a", files={"a/here": "yes"}) == "/task/work/a\nyes"
        for cwd in ("..", "/etc", "a/../b", "a//b", "./a", "x" * 1023, "a\0"):
            error_of(client.run(task(["pwd"], cwd=cwd)), "INVALID_TASK")
        error_of(client.run(task(["pwd"], cwd="f", files={"f": ""})), "INVALID_TASK")


@case
def files_are_there_before_it_starts(daemon):
    with daemon.client() as client:
        files = {"notes.txt": "one\ntwo\n", "deep/er/data": bytes(range(256)), "run.sh": "#!/bin/sh\necho ran \"$1\"\n"}
        assert out(client, "wc -l < notes.txt; ./run.sh well; wc -c < deep/er/data; echo more >> notes.txt; mkdir deep/new",
                   files=files) == "2\nran well\n256\n"
        for name in ("/etc/x", "../x", "a/../../x", "", "a/", "./a", "a/./b", "x\0", "y" * 300, "a/b/" * 300):
            error_of(client.run(task(["true"], files={name: ""})), "INVALID_TASK")
        error_of(client.run(task(["true"], files={"a": "", "a/b": ""})), "INVALID_TASK")
        error_of(client.run(task(["true"], files={"a": 1})), "INVALID_TASK")
        error_of(client.run(task(["true"], files={f"f{i}": "" for i in range(300)})), "TOO_LARGE")


# ---- what comes back ----

@case
def files_are_collected_by_pattern(daemon):
    script = ("echo 1 > a.txt; echo 2 > b.txt; echo 3 > .hidden; mkdir -p d/e .git; echo 4 > d/c.txt; echo 5 > d/e/f.txt;"
              "echo 6 > .git/x.txt; ln -s /etc/passwd link.txt; ln -s d dir; ln a.txt hard.txt; mkfifo pipe.txt; mkdir dir.txt")

    def collected(*patterns, **more):
        return value_of(client.run(task(script, collect=list(patterns), **more)))["files"]
    with daemon.client() as client:
        assert collected("*.txt") == {"a.txt": "1\n", "b.txt": "2\n", "hard.txt": "1\n"}
        assert collected("a.txt", "no-such") == {"a.txt": "1\n"}
        assert collected("?.txt", "d/*") == {"a.txt": "1\n", "b.txt": "2\n", "d/c.txt": "4\n"}
        assert set(collected("**/*.txt")) == {"a.txt", "b.txt", "hard.txt", "d/c.txt", "d/e/f.txt"}
        assert set(collected("d/**")) == {"d/c.txt", "d/e/f.txt"}
        assert set(collected("**/e/*", ".hidden", ".git/*")) == {"d/e/f.txt", ".hidden", ".git/x.txt"}
        assert collected("dir/*", "link.txt", "**/passwd", "[a]*") == {"a.txt": "1\n"}
        assert collected("*/" * 8 + "x") == {}
        assert collected("a.txt", encoding="bytes") == {"a.txt": b"1\n"}


@case
def files_come_back_with_a_failure_as_well(daemon):
    with daemon.client() as client:
        error = error_of(client.run(task("echo x > report; exit 1", collect=["report"])), "EXIT_STATUS")
        assert error["data"]["files"] == {"report": "x\n"}


@case
def more_files_than_a_result_may_hold_fail_by_name(daemon):
    with daemon.client() as client:
        error = error_of(client.run(task("echo said; echo 1 > a; head -c 3000000 /dev/zero > big; echo 2 > c",
                                         collect=["*"])), "OUTPUT_LIMIT")
        assert "\"big\"" in error["message"], error
        assert error["data"]["stdout"] == "said\n" and "files" not in error["data"]
        error = error_of(client.run(task("truncate -s 3000000 sparse", collect=["*"])), "OUTPUT_LIMIT")
        assert "\"sparse\"" in error["message"], error


@case
def the_encoding_is_the_callers_choice(daemon):
    with daemon.client() as client:
        raw = b"a\xff\xc3\xa4\xe2\x82\x00\xf0\x9f\x98\x80"
        line = "printf 'a\\377\\303\\244\\342\\202\\000\\360\\237\\230\\200'"
        assert out(client, line) == "a\ufffd\u00e4\ufffd\ufffd\x00\U0001f600"
        assert out(client, line, encoding="bytes") == raw
        assert out(client, line, encoding="base64") == base64.b64encode(raw).decode()
        for count in range(4):
            assert out(client, ["printf", "x" * count], encoding="base64") == base64.b64encode(b"x" * count).decode()


@case
def output_past_the_limit_is_cut_and_flagged_with_memory_flat(daemon):
    def peak():
        status = pathlib.Path(f"/proc/{shell_worker(daemon)}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    with daemon.client() as client:
        record = client.run(task(f"head -c {LIMIT} /dev/zero"), )
        assert len(value_of(record)["stdout"]) == LIMIT and not record["value"]["truncated"] and not record["truncated"]
        before = peak()
        record = client.run(task(f"head -c {LIMIT + 1} /dev/zero"))
        assert len(value_of(record)["stdout"]) == LIMIT and record["value"]["truncated"] and record["truncated"]
        value = value_of(client.run(task("head -c 300000000 /dev/zero; head -c 100000000 /dev/zero >&2; echo end >&2")))
        assert (len(value["stdout"]), len(value["stderr"]), value["truncated"]) == (LIMIT, LIMIT, True)
        assert peak() - before < 4 * MIB, (before, peak())


@case
def what_it_used_is_in_the_record(daemon):
    burn = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done"
    with daemon.client() as client:
        record = client.run(task(f"({burn}) & ({burn}) & wait"))
        assert record["cpuMs"] > 20 and record["maxMemoryBytes"] > 500_000, record
        small = client.run(task(["true"]))
        large = client.run(task(["/usr/bin/python3", "-c", "x = b'x' * 50000000"]))
        assert large["maxMemoryBytes"] > 50_000_000 > small["maxMemoryBytes"], (large, small)


# ---- how it ends ----

@case
def a_timeout_carries_the_output_so_far(daemon):
    with daemon.client() as client:
        started = time.monotonic()
        record = client.run(task("trap '' TERM INT HUP; echo begun; (setsid sleep 100 &); sleep 100"), timeout=300)
        error = error_of(record, "TIMEOUT")
        assert error["data"]["stdout"] == "begun\n" and error["data"]["exitCode"] is None, error
        assert time.monotonic() - started < 2
        assert not descendants(shell_worker(daemon))
        pid = shell_worker(daemon)
        assert out(client, "echo next") == "next\n" and shell_worker(daemon) == pid


@case
def a_cancel_ends_all_of_it(daemon):
    with daemon.client() as client, daemon.client() as other:
        waiting = client.submit(task("trap '' TERM; echo begun; sleep 100 & sleep 100"), maxAttempts=1)
        eventually(lambda: len(descendants(shell_worker(daemon))) >= 3, "it runs")
        assert other.call("cancel", id=waiting)["state"] == "cancelled"
        record = client.call("result", id=waiting)["result"]
        assert record["error"]["code"] == "CANCELLED", record
        assert not descendants(shell_worker(daemon))


@case
def what_it_leaves_running_ends_with_it(daemon):
    with daemon.client() as client:
        for script in ("sleep 100 & echo done", "(setsid sleep 100 &) ; echo done", "sleep 100 >/dev/null 2>&1 & echo done",
                       "exec 3>&1; sleep 100 >&3 & echo done"):
            started = time.monotonic()
            assert out(client, script) == "done\n"
            assert time.monotonic() - started < 5
            assert not descendants(shell_worker(daemon))


@case
def nothing_of_one_command_is_there_for_the_next(daemon):
    with daemon.client() as client:
        assert out(client, "echo x > ~/a; echo x > /tmp/b; echo x > c; echo x > /dev/shm/d; ipcmk -M 1000 > /dev/null; echo $$") == "2\n"
        assert out(client, "ls ~ /tmp . /dev/shm | grep x; ipcs -m | grep -c '^0x' || true") == "0\n"


# ---- who follows ----

def output_until_reply(client, seq):
    """{stream: bytes} of the output events, and the reply."""
    streams = {"stdout": b"", "stderr": b""}
    while True:
        message = client.receive()
        if message.get("seq") == seq:
            return streams, message
        streams[message["stream"]] += message["data"]


@case
def output_is_told_as_it_comes(daemon):
    with daemon.client() as client:
        seq = client.send("submit", task=task("echo one; echo two >&2; while [ ! -e /task/work/go ]; do sleep 0.01; done"),
                          options={"maxAttempts": 1}, wait=True, follow=True)
        first, second = client.receive(), client.receive()
        assert {(m["stream"], m["data"]) for m in (first, second)} == {("stdout", b"one\n"), ("stderr", b"two\n")}
        with daemon.client() as other:
            other.call("cancel", id=first["id"])
        streams, reply = output_until_reply(client, seq)
        assert not any(streams.values()) and reply["result"]["state"] == "cancelled"


@case
def who_follows_late_gets_everything_once(daemon):
    with daemon.client() as client, daemon.client() as other:
        running = client.submit(task("echo one; echo two >&2; sleep 0.5; echo three; echo last >&2"), maxAttempts=1)
        eventually(lambda: client.call("result", id=running)["result"]["state"] == "running", "it runs")
        time.sleep(0.1)
        for follower, seq in [(one, one.send("follow", id=running)) for one in (client, other)]:
            streams, reply = output_until_reply(follower, seq)
            assert streams == {"stdout": b"one\nthree\n", "stderr": b"two\nlast\n"}, streams
            assert reply["state"] == "succeeded"


@case
def a_follower_sees_what_the_record_keeps(daemon):
    with daemon.client() as client:
        seq = client.send("submit", task=task("yes | head -c 10000000"), options={"maxAttempts": 1}, wait=True, follow=True)
        streams, reply = output_until_reply(client, seq)
        value = value_of(reply["result"])
        assert value["truncated"] and streams["stdout"].decode() == value["stdout"] and len(value["stdout"]) == LIMIT


# ---- its surroundings ----

@case
def the_layers_of_the_tree_are_told(daemon):
    with daemon.client() as client:
        layers = client.run(task(["true"]))["isolation"]
        for name in ("session", "closedFds", "environment", "parentDeath", "notDumpable", "privateRoot", "pidNamespace",
                     "ipcNamespace", "netNamespace", "utsNamespace", "uid", "capabilities", "noNewPrivs", "scopes", "rlimits", "treeMemory",
                     "treeProcesses", "treeCpu", "seccomp"):
            assert name in layers, (name, layers)
        assert daemon.status()["isolation"]["shell"] == layers


@case
def the_network_is_there_for_projects_that_may(daemon):
    with daemon.client() as client:
        interfaces = "cut -d: -f1 -s /proc/net/dev | tr -d ' ' | sort"
        assert out(client, interfaces) == "lo\n"
        machine = sorted(line.split(":")[0].strip() for line in pathlib.Path("/proc/net/dev").read_text().splitlines() if ":" in line)
        assert out(client, interfaces, options={"projectId": "net"}).split() == machine


with Daemon(with_settings()) as shared:
    status = run(shared)
raise SystemExit(status)

"""Acknowledged means kept: what survives which death, and what is said when nothing can be kept."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

from client import Closed, Refused
from harness import BUILD, PATIENCE, Daemon, descendants, eventually
from tap import Skip, case, main

SLOW = {"type": "execute-code", "code": "var end = Date.now() + 600000; while (Date.now() < end);"}


def code(source):
    return {"type": "execute-code", "code": source}


def one(**more):
    return {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "respawnBackoff": 1}}, **more}


def die(daemon):
    """The supervisor is killed, and all of its processes go with it."""
    daemon.errors_expected = True
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(PATIENCE)
    eventually(lambda: not daemon._left(), "nothing outlives the supervisor")


def again(daemon):
    die(daemon)
    daemon.start()
    return daemon.client()


def store_pid(daemon):
    return daemon.status()["daemon"]["store"]["pid"]


def state(client, task):
    return client.call("result", id=task)["result"]["state"]


def is_at_work(daemon, task, attempt=1):
    """It runs, and that is on disk: only then is it sent to its worker."""
    with daemon.client() as client:
        record = client.call("result", id=task)["result"]
        if record["state"] != "running" or len(record["attempts"]) != attempt:
            return False
    return not daemon.status()["daemon"]["store"]["waiting"]


def is_loaded(daemon):
    store = daemon.status()["daemon"]["store"]
    return store["state"] == "open" and not store["loading"]


# ---- before it is sent ----

@case
def an_attempt_whose_worker_died_before_it_was_sent_is_none():
    with Daemon(one()) as daemon, daemon.client() as client, daemon.client() as waiting:
        blocker = waiting.send("submit", task=SLOW, wait=True)
        blocking = eventually(lambda: client.call("list", state="running")["tasks"], "the blocker runs")[0]["id"]
        task = client.submit(code("42"), maxAttempts=1)
        store = store_pid(daemon)
        daemon.strike(store, signal.SIGSTOP)
        client.call("cancel", id=blocking)
        waiting.reply(blocker)
        # Its attempt waits to be on disk now, and its worker dies meanwhile.
        eventually(lambda: state(client, task) == "running", "it has a worker")
        worker = client.call("result", id=task)["result"]["attempts"][0]["pid"]
        daemon.strike(worker)
        eventually(lambda: worker not in descendants(daemon.pid), "the worker is reaped")
        daemon.strike(store, signal.SIGCONT)
        record = client.call("wait", id=task)["result"]
        assert record["state"] == "succeeded" and record["value"] == 42, record
        assert len(record["attempts"]) == 1 and record["attempts"][0]["pid"] != worker, record


# ---- what comes back ----

@case
def waiting_tasks_come_back_in_their_order():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            client.call("project-set", projectId="default", paused=True)
            tasks = [client.submit(code(f"{n}"), priority=n % 3, projectId="default") for n in range(30)]
        with again(daemon) as client:
            eventually(lambda: is_loaded(daemon), "all is loaded")
            late = [client.submit(code(f"{n}"), priority=n % 3) for n in range(30, 60)]
            client.call("project-set", projectId="default", paused=False)
            records = [client.call("wait", id=task)["result"] for task in tasks + late]
        assert [r["value"] for r in records] == list(range(60))
        started = [r["attempts"][0]["startedAt"] for r in records]
        for priority in range(3):
            mine = [s for n, s in enumerate(started) if n % 3 == priority]
            assert mine == sorted(mine), mine
        assert all("possiblyRepeated" not in r for r in records)


@case
def a_running_task_gets_another_attempt_that_is_marked():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            task = client.submit({"type": "execute-code", "code": "var end = Date.now() + 1500; while (Date.now() < end); 7"})
            eventually(lambda: is_at_work(daemon, task), "it runs")
        with again(daemon) as client:
            record = client.call("wait", id=task)["result"]
        assert record["value"] == 7 and record["possiblyRepeated"] is True, record
        first, second = record["attempts"]
        assert first["lost"] and first["outcome"] == "WORKER_CRASHED" and second["outcome"] == "succeeded", record


@case
def a_lost_last_attempt_is_told():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            once = client.submit(SLOW, maxAttempts=1)
            eventually(lambda: is_at_work(daemon, once), "it runs")
        with again(daemon) as client:
            record = client.call("wait", id=once)["result"]
            assert record["state"] == "failed" and record["error"]["code"] == "WORKER_CRASHED", record
            twice = client.submit(SLOW, maxAttempts=2)
            eventually(lambda: is_at_work(daemon, twice), "the next one runs")
        with again(daemon) as client:
            eventually(lambda: is_at_work(daemon, twice, 2), "it runs again")
        with again(daemon) as client:
            record = client.call("wait", id=twice)["result"]
            assert record["state"] == "dead" and [a["lost"] for a in record["attempts"]] == [True, True], record
            assert client.call("retry", id=twice)["state"] in ("queued", "running")
        with again(daemon) as client:
            client.call("cancel", id=twice)


@case
def ended_tasks_keep_their_records_and_keys():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            good = client.submit(code("({a: [1, 2.5, 'x'], b: null})"), key="k", meta={"m": [1]})
            bad = client.submit(code("console.log('seen'); throw new TypeError('no')"), maxAttempts=2, retryDelay=1)
            before = [client.call("wait", id=t)["result"] for t in (good, bad)]
        with again(daemon) as client:
            after = [client.call("wait", id=t)["result"] for t in (good, bad)]
            assert before == after, (before, after)
            reply = client.call("submit", task=code("1"), options={"key": "k"})
            assert reply["id"] == good and reply["duplicate"], reply
            assert client.call("list", limit=2)["tasks"][0]["id"] == bad


@case
def delays_go_on_where_they_were():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            started = time.monotonic()
            task = client.submit(code("1"), delay=2000)
            far = client.submit(code("1"), delay=10_000_000)
        with again(daemon) as client:
            assert state(client, task) == "delayed"
            assert client.call("wait", id=task)["result"]["value"] == 1
            assert time.monotonic() - started >= 1.9
            assert client.call("why", id=far)["remaining"] > 9_000_000
            assert client.call("cancel", id=far)["state"] == "cancelled"
        with again(daemon) as client:
            assert state(client, far) == "cancelled"


@case
def what_comes_before_the_store_is_open_waits_for_it():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            client.call("project-set", projectId="p", weight=7)
            old = client.submit(code("1"))
        for n in range(5):
            with again(daemon) as client:
                assert client.call("wait", id=client.submit(code(f"{n}")))["result"]["value"] == n
                assert client.call("project-set", projectId="p", maxQueued=n + 1)["weight"] == 7
                assert client.call("wait", id=old)["result"]["value"] == 1


@case
def what_was_set_by_hand_holds():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            client.call("project-limit", projectId="p", limit=3)
            client.call("project-set", projectId="q", paused=True, weight=7, rateLimit="30/m")
        with again(daemon) as client:
            eventually(lambda: is_loaded(daemon), "all is loaded")
            projects = client.call("status")["projects"]
            assert projects["p"]["limit"] == 3, projects
            assert projects["q"]["paused"] and projects["q"]["weight"] == 7 and projects["q"]["rateLimit"] == 0.5, projects


@case
def waited_calls_pay_nothing():
    with Daemon(one()) as daemon, daemon.client() as client:
        eventually(lambda: is_loaded(daemon), "the store is open")
        for n in range(20):
            assert client.code(f"{n}")["value"] == n
        assert client.call("store-stats")["figures"]["changes"] == 0
        assert client.run(code("1"), durable=True)["value"] == 1
        assert client.call("store-stats")["figures"]["changes"] == 3


@case
def term_leaves_a_queue_that_the_next_start_continues():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            tasks = [client.submit(code("var end = Date.now() + 50; while (Date.now() < end); 3")) for _ in range(20)]
        daemon.stop()
        daemon.start()
        with daemon.client() as client:
            records = [client.call("wait", id=task)["result"] for task in tasks]
        assert all(r["value"] == 3 and len(r["attempts"]) == 1 for r in records), records


@case
def records_that_are_let_go_leave_the_file():
    with Daemon(one(queue={"resultTtl": 50})) as daemon:
        with daemon.client() as client:
            task = client.submit(code("1"))
            eventually(lambda: "NOT_FOUND" in refusal(client, "result", id=task), "it is let go")
        with again(daemon) as client:
            eventually(lambda: is_loaded(daemon), "all is loaded")
            assert "NOT_FOUND" in refusal(client, "result", id=task)


@case
def keys_last_as_long_as_their_records():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            first = client.submit(code("1"), key="k", resultTtl=50)
            eventually(lambda: "NOT_FOUND" in refusal(client, "result", id=first), "it is let go")
            second = client.call("submit", task=code("2"), options={"key": "k"})
            assert second["id"] != first and not second.get("duplicate"), second
            assert client.call("wait", id=second["id"])["result"]["value"] == 2
        with again(daemon) as client:
            assert client.call("submit", task=code("3"), options={"key": "k"})["id"] == second["id"]


@case
def records_leave_by_their_size_as_well():
    """The oldest go first, here and in the file, which stays small."""
    count, size, budget = 400, 4000, 20
    with Daemon(one(queue={"maxKeptBytes": size * budget})) as daemon:
        with daemon.client() as client:
            seqs = [client.send("submit", task=code(f"new Array({size}).join('x') + {n}"), options={}) for n in range(count)]
            tasks = [client.reply(seq)["id"] for seq in seqs]
            eventually(lambda: client.call("stats")["totals"]["completed"] == count, "all have ended")
            assert "NOT_FOUND" in refusal(client, "result", id=tasks[0])
            assert client.call("result", id=tasks[-1])["result"]["value"].endswith(str(count - 1))
            eventually(lambda: client.call("store-stats")["figures"]["bytes"] < count * size / 2, "the file is bounded")
        with again(daemon) as client:
            eventually(lambda: is_loaded(daemon), "all is loaded")
            left = [task for task in tasks if not refusal(client, "result", id=task)]
            assert left == tasks[-len(left):] and 1 <= len(left) <= budget, len(left)


@case
def compacting_gives_back_what_was_used():
    with Daemon(one(queue={"resultTtl": 1})) as daemon, daemon.client() as client:
        client.call("project-set", projectId="default", paused=True)
        tasks = [client.submit(code("1 // " + "x" * 20000)) for _ in range(200)]
        full = client.call("store-stats")["figures"]["bytes"]
        for task in tasks:
            client.call("cancel", id=task)

        def freed():
            figures = client.call("store-stats")["figures"]
            return figures["freeBytes"] > full / 2
        eventually(freed, "they have left the file")
        assert client.call("store-stats")["figures"]["bytes"] >= full
        client.call("store-compact")
        eventually(lambda: client.call("store-stats")["figures"]["bytes"] < full / 4, "the file is smaller")


def refusal(client, op, **fields):
    try:
        client.call(op, **fields)
    except Refused as refused:
        return str(refused)
    return ""


# ---- the store's own deaths ----

@case
def a_killed_store_is_replaced_and_nothing_is_lost():
    with Daemon(one()) as daemon, daemon.client() as client:
        eventually(lambda: is_loaded(daemon), "the store is open")
        asked, acknowledged = [], []
        for burst in range(10):
            asked += [client.send("submit", task=code(f"{burst}"), options={}) for _ in range(20)]
            pid = store_pid(daemon)
            assert daemon.strike(pid)
            eventually(lambda dead=pid: store_pid_or_none(daemon) not in (None, dead), "another store")
        for seq in asked:
            reply = client.reply(seq)
            assert reply["ok"], reply
            acknowledged.append(reply["id"])
        values = [client.call("wait", id=task)["result"]["value"] for task in acknowledged]
        assert values == [n // 20 for n in range(200)]
        assert daemon.status()["daemon"]["store"]["restarts"] == 10
        daemon.errors_expected = True


def store_pid_or_none(daemon):
    return daemon.status()["daemon"]["store"].get("pid")


# ---- what keeps it from starting ----

def refused_start(daemon, *arguments):
    process = daemon.spawn(*arguments)
    return process.wait(PATIENCE), daemon.log_tail()


@case
def a_damaged_file_is_named_with_what_helps():
    with Daemon(one()) as daemon:
        with daemon.client() as client:
            client.call("project-set", projectId="default", paused=True)
            for n in range(200):
                client.submit(code("x" * 1000 + str(n)))
        daemon.stop()
        path = daemon.dir / "state" / "store.db"
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[8192:len(damaged) // 2] = b"\xa5" * (len(damaged) // 2 - 8192)
        for content in (bytes(damaged), b"no database at all" * 1000):
            path.write_bytes(content)
            status, log = refused_start(daemon)
            assert status == 65 and "poppo store check" in log and "recover" in log and "export" in log, (status, log)
        path.write_bytes(whole)
        daemon.start()
        daemon.errors_expected = True


def poppo(*arguments):
    done = subprocess.run([BUILD / "poppo", "store", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@case
def a_strangers_database_is_refused_and_left_as_it_is():
    with Daemon(one()) as daemon:
        daemon.stop()
        path = daemon.dir / "state" / "store.db"
        for statements in ("CREATE TABLE note (text)", "CREATE TABLE task (text)", "PRAGMA user_version = 7", ""):
            path.unlink(missing_ok=True)
            path.touch()
            connection = sqlite3.connect(path)
            connection.executescript(statements)
            connection.close()
            content = path.read_bytes()
            for command in ("check", "export", "recover"):
                status, out, err = poppo(command, path)
                assert status == 65 and not out, (command, statements, status, out, err)
                assert err == f"poppo store: {path} is no store of poppo's\n", (command, statements, err)
            if statements:
                status, log = refused_start(daemon)
                assert status == 65 and "no store of poppo's" in log, (statements, status, log)
            assert path.read_bytes() == content, statements
            assert [f.name for f in path.parent.iterdir() if f.name.startswith("store.db")] == ["store.db"], statements
        daemon.start()
        daemon.errors_expected = True


@case
def a_damaged_file_gives_back_what_can_be_read():
    with Daemon(one()) as daemon:
        path = daemon.dir / "state" / "store.db"
        with daemon.client() as client:
            client.call("project-set", projectId="default", paused=True)
            tasks = [client.submit(code(f"{n} // " + "x" * 600)) for n in range(400)]
            assert poppo("check", path)[0] == 75
        daemon.stop()
        status, out, _ = poppo("check", path)
        assert status == 0 and "400 wait" in out, (status, out)
        exported = [json.loads(line)["id"] for line in poppo("export", path)[1].splitlines()]
        assert exported == tasks
        content = bytearray(path.read_bytes())
        for page in (len(content) // 4096 // 3, len(content) // 4096 // 2):
            content[page * 4096:page * 4096 + 4096] = b"\xff" * 4096
        path.write_bytes(content)
        status, out, err = poppo("check", path)
        assert status == 65 and "poppo store recover" in err, (status, out, err)
        status, out, err = poppo("recover", path)
        assert status == 0 and out.strip() == f"{path}.recovered" and "stretches" in err, (status, out, err)
        os.replace(f"{path}.recovered", path)
        assert poppo("check", path)[0] == 0
        daemon.start()
        with daemon.client() as client:
            eventually(lambda: is_loaded(daemon), "all is loaded")
            assert client.call("status")["projects"]["default"]["paused"], "settings are copied as well"
            client.call("project-set", projectId="default", paused=False)
            left = client.call("list", limit=1000)["tasks"]
            assert 340 <= len(left) < 400, len(left)
            for task in left:
                n = tasks.index(task["id"])
                assert client.call("wait", id=task["id"])["result"]["value"] == n


@case
def two_supervisors_never_share_a_file():
    with Daemon(one()) as daemon:
        eventually(lambda: is_loaded(daemon), "the store is open")
        path = str(daemon.dir / "state" / "store.db")
        other = Daemon(one(store={"path": path}), start=False)
        try:
            status, log = refused_start(other)
            assert status == 75, (status, log)
        finally:
            other._destroy()
        assert is_loaded(daemon)


@case
def without_a_place_it_says_that_nothing_is_kept():
    with Daemon(one(store={"engine": "memory"})) as daemon, daemon.client() as client:
        assert any(line.get("event") == "store" and "no task outlives" in line["message"] for line in daemon.log_lines())
        assert daemon.status()["daemon"]["store"] == {"engine": "memory", "state": "off"}
        assert client.call("wait", id=client.submit(code("1")))["result"]["value"] == 1
        assert {name for _, name in descendants(daemon.pid).values()} == {"poppod-starter", "poppod-spawner", "poppod-js"}


# ---- disks ----

SMALL_DISK = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"'


class SmallDisk(Daemon):
    """A daemon whose state is on a disk of 2 MiB of its own."""

    def __init__(self, config):
        super().__init__(config, start=False)
        (self.dir / "state").mkdir()
        self.wrapper = ["unshare", "-m", "sh", "-c", SMALL_DISK, "sh", str(self.dir / "state")]
        self.errors_expected = True

    def disk(self):
        return pathlib.Path(f"/proc/{self.pid}/root{self.dir}/state")

    def __enter__(self):
        if subprocess.run([*self.wrapper, "true"], capture_output=True, check=False).returncode:
            raise Skip("needs the right to mount")
        return self.start()


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while f.write(b"x" * 4096):
                pass
        except OSError:
            pass


@case
def a_full_disk_refuses_by_name_and_recovers_by_itself():
    with SmallDisk(one()) as daemon, daemon.client() as client:
        eventually(lambda: is_loaded(daemon), "the store is open")
        running = client.submit(code("var end = Date.now() + 1000; while (Date.now() < end); 'ran'"))
        eventually(lambda: state(client, running) == "running", "it runs")
        filler = daemon.disk() / "filler"
        fill(filler)
        kept, refused = [], 0
        while not refused:
            try:
                kept.append(client.submit(code("'" + "y" * 4000 + "'")))
            except Refused as refusal_:
                assert refusal_.code == "STORE_UNAVAILABLE", refusal_
                refused += 1
        assert client.code("1 + 1")["value"] == 2, "what nobody keeps goes on"
        filler.unlink()
        eventually(lambda: daemon.status()["daemon"]["store"]["state"] == "open", "it recovers unaided")
        kept.append(client.submit(code("2")))
        assert client.call("wait", id=running)["result"]["value"] == "ran"
        for task in kept:
            assert client.call("wait", id=task)["result"]["state"] == "succeeded"


main()

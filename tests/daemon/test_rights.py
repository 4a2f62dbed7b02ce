"""Who poppod's own processes are and what they may do: as root with daemon.user, as root without, as an ordinary user; what the
kernel says of each, what the status says, and that nothing else has changed: helpers and workers die and come back, the log
and the configuration are opened again, and the end is an end."""
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess

from harness import BUILD, Daemon, descendants, eventually, runner_of
from strace import needed
from tap import Skip, case, run

USER = 54321  # nobody has an entry for it
SANITIZED = bool(os.environ.get("POPPO_SANITIZED"))
KILL, DAC_OVERRIDE, SYS_MODULE, SYS_PTRACE, SYS_RAWIO, BPF = (1 << n for n in (5, 1, 16, 19, 17, 39))
WORKER = {"minProcesses": 1, "maxProcesses": 3, "heartbeatInterval": 100, "missedHeartbeats": 2, "respawnBackoff": 1,
          "killGrace": 200}
RETRIED = {"maxAttempts": 8, "retryDelay": 10}
FOREVER = "while (1);"
ROLES = {"master", "starter", "spawner", "loader", "store"}
LAYERS = {"user", "capabilities", "notDumpable", "noNewPrivs", "seccomp"}


class House(Daemon):
    """A daemon whose directory everybody may enter, and that loads modules from it."""

    def __init__(self, user=None, ordinary=False, **sections):
        if os.geteuid():
            raise Skip("only root can become somebody else")
        super().__init__(start=False)
        self.user = user
        self.programs = BUILD
        self.dir.chmod(0o755)
        (self.dir / "modules").mkdir()
        (self.dir / "modules" / "six.js").write_text("module.exports = function () { return 6; };")
        self.settings = {"daemon": {"worker": WORKER}, **sections,
                         "taskTypes": {"execute-module": {"roots": [str(self.dir / "modules")]}}}
        if user is not None:
            self.settings["daemon"]["user"] = str(user)
        self.write_config(self.settings)
        if ordinary:
            self.become_ordinary()

    def become_ordinary(self):
        """Who has no rights can only start programs within reach."""
        self.dir.chmod(0o777)
        self.programs = self.dir
        for name in ("poppod", "poppod-spawner", "poppod-loader", "poppod-store", "poppod-http.so"):
            shutil.copy(BUILD / name, self.dir)
        self.wrapper = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]

    def spawn(self, *arguments):
        command = [*self.wrapper, self.programs / "poppod", "-c", self.config, "--socket", self.socket, "--state-dir",
                   self.dir / "state", *self.arguments, *arguments]
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def __enter__(self):
        try:
            self.start()
            eventually(lambda: len(self.status()["house"]) == len(ROLES), "all helpers are there and have given up what they can")
        except BaseException:
            self._destroy()
            raise
        return self

    def roles(self):
        """{role: pid} of the supervisor's own processes."""
        found = {name.removeprefix("poppod-"): pid for pid, (state, name) in descendants(self.pid).items()
                 if state != "Z" and name in ("poppod-starter", "poppod-spawner", "poppod-store", "poppod-loader")}
        return {"master": self.pid, **found}

    def rights(self):
        return {role: facts(pid) for role, pid in self.roles().items()}

    def works(self, client):
        """One task of each way through the house."""
        assert client.code("6 * 7", RETRIED)["value"] == 42
        assert client.run({"type": "execute-module", "modulePath": "./six"}, **RETRIED)["value"] == 6
        assert client.run({"type": "shell-command", "argv": ["echo", "x"]}, **RETRIED)["value"]["stdout"] == "x\n"
        kept = client.submit({"type": "execute-code", "code": "43"}, **RETRIED)
        assert client.call("wait", id=kept)["result"]["value"] == 43


def facts(pid):
    """What /proc/PID/status says of a process's rights."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"uids": set(fields["Uid"].split()), "gids": set(fields["Gid"].split()), "groups": fields["Groups"].split(),
            "caps": int(fields["CapPrm"], 16) | int(fields["CapEff"], 16), "bound": int(fields["CapBnd"], 16),
            "inherited": int(fields["CapInh"], 16) | int(fields["CapAmb"], 16),
            "noNewPrivs": fields["NoNewPrivs"].strip(), "filtered": fields["Seccomp"].strip() == "2"}


def expect_filtered(rights):
    """A sanitizer's runtime needs what the filters refuse; then their layers say so."""
    for role, have in rights.items():
        assert have["noNewPrivs"] == "1" and have["filtered"] != SANITIZED and not have["inherited"], (role, have)


def expect_user(have, user, caps=0):
    assert have["uids"] == have["gids"] == {str(user)} and not have["groups"], have
    assert have["caps"] == caps and have["bound"] & ~caps == 0, have


def expect_roots(have):
    """Root that makes jails, and cannot reach into the kernel or other processes."""
    assert have["uids"] == {"0"}, have
    assert not (have["caps"] | have["bound"]) & (SYS_MODULE | SYS_PTRACE | SYS_RAWIO | BPF), have


@case
def the_configured_user_is_who_master_store_and_loader_are():
    with House(USER) as house, house.client() as client:
        rights = house.rights()
        expect_filtered(rights)
        expect_user(rights["master"], USER, KILL)
        expect_user(rights["store"], USER)
        assert rights["loader"]["uids"] == {str(USER)} and not rights["loader"]["caps"], rights["loader"]
        expect_roots(rights["starter"])
        expect_roots(rights["spawner"])
        house.works(client)
        assert not [line for line in house.log_lines() if line.get("level") == "warn" and "root" in line["message"]]


@case
def root_without_a_user_stays_root_and_is_warned():
    with House() as house, house.client() as client:
        rights = house.rights()
        expect_filtered(rights)
        assert rights["master"]["uids"] == rights["store"]["uids"] == {"0"}
        assert rights["master"]["caps"] == KILL | DAC_OVERRIDE and rights["store"]["caps"] == DAC_OVERRIDE, rights
        house.works(client)
        assert len([line for line in house.log_lines() if line.get("level") == "warn" and "root" in line["message"]]) == 1


@case
def root_by_its_name_is_no_warning():
    with House("root") as house:
        assert house.rights()["master"]["uids"] == {"0"}
        assert not [line for line in house.log_lines() if line.get("level") == "warn" and "root" in line["message"]]


@case
def an_ordinary_user_stays_who_it_is_without_any_rights():
    with House(USER + 1, ordinary=True) as house, house.client() as client:
        rights = house.rights()
        expect_filtered(rights)
        for have in rights.values():
            assert have["uids"] == {str(USER)} and not have["caps"], have
        house.works(client)
        assert [line for line in house.log_lines() if line.get("level") == "warn" and "daemon.user" in line["message"]]


@case
def a_user_that_there_is_not_is_a_wrong_configuration():
    for user, status in (("no-such-user", 78), ("4294967295", 78), ("", 78)):
        house = House(user)
        try:
            process = house.spawn()
            assert process.wait(20) == status and "daemon.user" in house.log.read_text(), house.log_tail()
        finally:
            house._destroy()


@case
def what_holds_is_told_by_role():
    with House(USER) as house, house.client() as client:
        told = client.call("status")["house"]
        assert set(told) == ROLES, told
        for role in ("master", "starter", "spawner", "store"):
            assert LAYERS <= set(told[role]), (role, told[role])
        if not SANITIZED:
            assert told["master"] == {"user": "enforced", "capabilities": "partial", "notDumpable": "enforced",
                                      "noNewPrivs": "enforced", "landlock": "enforced", "seccomp": "enforced"}, told
            assert set(told["store"].values()) == {"enforced"}, told
        assert told["spawner"]["user"] == told["starter"]["user"] == "absent"
        for role in ROLES:
            assert [line for line in house.log_lines() if line.get("event") == "rights" and role in line["message"]], role
        shown = subprocess.run([BUILD / "poppo", "--socket", house.socket, "daemon", "status"], capture_output=True, text=True,
                               check=True).stdout.split("Isolation")[1]
        for role in told:
            assert f"\n  {role} " in shown, shown


# ---- what goes on as before ----

@case
def the_master_asks_for_nothing_that_it_gave_up():
    """It would get a no for an answer, and do without in silence."""
    needed()
    if SANITIZED:
        raise Skip("a sanitizer's runtime asks for more, and nothing is refused")
    house = House(USER, projects={"p": {"caFile": "/etc/ssl/certs/ca-certificates.crt"}})
    house.socket = str(house.dir / "made" / "poppo.sock")  # its directory is made, and given away
    trace = house.dir / "trace"
    house.wrapper = ["strace", "-D", "-o", str(trace), "-e", "status=failed"]
    with house, house.client() as client:
        house.works(client)
        assert client.run({"type": "http-request", "url": "http://127.0.0.1:9/"}, projectId="p")["state"] == "failed"
        client.call("cancel", id=client.submit({"type": "execute-code", "code": FOREVER}, timeout=0))
        for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
            os.kill(house.pid, sig)
        for role in ("spawner", "loader", "store"):
            old = house.roles()[role]
            house.strike(old)
            eventually(lambda: house.roles().get(role, old) != old, f"another {role} is there")
            house.works(client)
        for op in ("stats", "status", "list", "project-usage", "store-stats", "store-compact", "drain"):
            client.call(op)
        house.stop()
        refused = [line for line in trace.read_text().splitlines() if re.search(r"= -1 (ENOSYS|EACCES|EPERM) ", line)]
        probes = [i for i, line in enumerate(refused) if line.startswith("socket(")]
        assert len(probes) == 1, refused
        assert not refused[probes[0] + 1:], refused[probes[0] + 1:]



@case
def helpers_die_and_come_back():
    with House(USER) as house, house.client() as client:
        for role in ("spawner", "loader", "store", "spawner"):
            old = house.roles()[role]
            assert house.strike(old)
            eventually(lambda: house.roles().get(role, old) != old, f"another {role} is there")
            house.works(client)
        rights = house.rights()
        expect_filtered(rights)
        expect_user(rights["store"], USER)
        expect_roots(rights["spawner"])


@case
def workers_of_other_users_are_ended():
    with House(USER) as house, house.client() as client:
        stopped = runner_of(client, client.submit({"type": "execute-code", "code": FOREVER}, maxAttempts=1))
        assert facts(stopped)["uids"] != {str(USER)}
        house.strike(stopped, signal.SIGSTOP)
        eventually(lambda: stopped not in descendants(house.pid), "who is silent is ended")
        running = client.submit({"type": "execute-code", "code": FOREVER}, maxAttempts=1)
        pid = runner_of(client, running)
        assert client.call("cancel", id=running)["state"] == "cancelled"
        slow = client.submit({"type": "shell-command", "argv": ["sleep", "1000"]}, maxAttempts=1)
        jailer = runner_of(client, slow)
        house.strike(jailer)
        assert client.call("wait", id=slow)["result"]["error"]["code"] == "WORKER_CRASHED"
        assert pid and client.code("1", RETRIED)["value"] == 1


@case
def nothing_outlives_the_master():
    with House(USER) as house, house.client() as client:
        for task in ({"type": "execute-code", "code": FOREVER}, {"type": "shell-command", "argv": ["sleep", "1000"]}):
            runner_of(client, client.submit(task, maxAttempts=1))
        os.kill(house.pid, signal.SIGKILL)
        house.wait_end(-signal.SIGKILL)


@case
def without_its_starter_it_finishes_what_runs_and_ends():
    with House(USER) as house, house.client() as client:
        house.errors_expected = True
        seq = client.send("submit", task={"type": "execute-code", "code": "var t = Date.now() + 500; while (Date.now() < t); 5"},
                          options={"maxAttempts": 1}, wait=True)
        eventually(lambda: house.status()["totals"]["busy"], "it runs")
        assert house.strike(house.roles()["starter"])
        assert client.reply(seq)["result"]["value"] == 5
        house.wait_end(71)


@case
def the_configuration_is_read_again():
    with House(USER) as house, house.client() as client:
        changed = json.loads(json.dumps(house.settings))
        changed["daemon"]["worker"]["maxProcesses"] = 2
        new = house.dir / "new.json"
        new.write_text(json.dumps(changed))
        new.rename(house.config)  # another file of the same name
        assert "maxProcesses" in client.call("reload")["message"]
        os.chmod(house.config, 0o600)
        house.errors_expected = True
        os.kill(house.pid, signal.SIGHUP)
        eventually(lambda: [line for line in house.log_lines() if line.get("event") == "reload" and line["level"] == "error"],
                   "a configuration that is not readable for the user is refused with the reason")
        house.works(client)


def log_in(folder, owner):
    """A house whose log is a file in this directory of its own, which belongs to that user."""
    house = House(USER)
    place = house.dir / folder
    place.mkdir()
    os.chown(place, owner, owner)
    house.settings["logging"] = {"file": str(place / "log")}
    house.write_config(house.settings)
    return house, place / "log"


@case
def the_log_is_opened_again():
    house, log = log_in("own", USER)
    with house:
        assert log.stat().st_uid == USER
        log.rename(log.with_name("old"))
        os.kill(house.pid, signal.SIGUSR1)
        eventually(log.exists, "there is a new log")
        os.kill(house.pid, signal.SIGUSR2)
        eventually(lambda: "state" in log.read_text(), "which is written to")


@case
def a_log_that_cannot_be_opened_again_goes_on_and_says_why():
    house, log = log_in("roots", 0)
    with house:
        house.errors_expected = True
        old = log.with_name("old")
        log.rename(old)
        os.kill(house.pid, signal.SIGUSR1)
        eventually(lambda: "Permission denied" in old.read_text(), "it says why not")
        os.kill(house.pid, signal.SIGUSR2)
        eventually(lambda: '"state"' in old.read_text(), "the old one is written to")
        assert not log.exists()


@case
def a_drain_and_an_end_are_as_ever():
    house = House(USER)
    house.socket = str(house.dir / "made" / "poppo.sock")  # its directory is made, and given away
    with house, house.client() as client:
        assert stat.S_ISSOCK(os.stat(house.socket).st_mode) and os.stat(house.socket).st_uid == USER
        client.submit({"type": "execute-code", "code": "1"}, delay=60_000)
        assert client.call("drain")["ok"]
        house.stop()
        assert not os.path.exists(house.socket)


# ---- files ----

@case
def files_that_are_not_its_own_are_not_given_away():
    with House(USER, ordinary=False) as house:
        house.stop()
        state = house.dir / "state"
        secret, others = house.dir / "secret", state / "others"
        secret.write_text("root's")
        os.link(secret, state / "link")
        os.symlink(secret, state / "symlink")
        others.write_text("another one's")
        os.chown(others, USER + 7, USER + 7)
        house.start()
        assert secret.stat().st_uid == 0 and others.stat().st_uid == USER + 7
        assert state.stat().st_uid == USER and (state / "store.db").stat().st_uid == USER


@case
def root_does_not_take_another_users_word_for_how_it_was_started():
    with House(USER) as daemon:
        said = subprocess.run([BUILD / "poppo", "--socket", daemon.socket, "daemon", "restart", "--log", daemon.log],
                              capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 64 and "is not root's" in said.stderr and "--state-dir" in said.stderr, said
        assert daemon.status()["daemon"]["pid"] == daemon.pid


@case
def a_log_beside_the_socket_that_leads_elsewhere_is_not_opened():
    with Daemon(start=False) as daemon:
        target = daemon.dir / "target"
        (daemon.dir / "poppod.log").symlink_to(target)
        command = [BUILD / "poppo", "--socket", daemon.socket, "daemon", "start", "-c", daemon.config, "--state-dir", daemon.dir / "state"]
        for second in (False, True):
            if second:
                (daemon.dir / "poppod.log").unlink()
                target.write_text("")
                (daemon.dir / "poppod.log").hardlink_to(target)
            said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert said.returncode == 77 and "poppod.log" in said.stderr, said
            assert not target.exists() or not target.read_text(), said


@case
def a_lock_with_a_second_name_is_not_written_to():
    house = House(USER)
    try:
        (house.dir / "state").mkdir()
        secret = house.dir / "secret"
        secret.write_text("root's")
        os.link(secret, house.dir / "state" / "poppod.lock")
        assert house.spawn().wait(20) == 71 and secret.read_text() == "root's", house.log_tail()
    finally:
        house._destroy()


@case
def tasks_of_root_are_there_for_the_user_and_again_for_root():
    house = House()
    with house, house.client() as client:
        first = client.submit({"type": "execute-code", "code": "1"}, delay=3_600_000)
        house.stop()
        for user in (str(USER), None):
            house.settings["daemon"].pop("user", None)
            if user:
                house.settings["daemon"]["user"] = user
            house.write_config(house.settings)
            house.start()
            with house.client() as again:
                assert again.call("result", id=first)["result"]["state"] == "delayed"
            if user:
                house.stop()


raise SystemExit(run())

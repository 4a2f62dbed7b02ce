"""poppo doctor: what it says is what the workers of a supervisor here have; why a layer is missing, and what helps.
test_doctor.py BUILD_ROOT"""
import glob
import json
import os
import shutil
import subprocess

from commands import task
from harness import LENIENT, SANITIZED, WITHOUT_CGROUPS, Daemon, Ordinary, descendants, eventually, process_table
from tap import Skip, case, main


def doctor(daemon, *arguments, wrapper=()):
    before = set(glob.glob("/tmp/poppo-doctor.*"))
    said = subprocess.run([*wrapper, daemon.program("poppo"), "doctor", "-c", daemon.config, "--socket", daemon.socket, *arguments],
                          capture_output=True, text=True, timeout=60, check=False)
    assert not {path for path in set(glob.glob("/tmp/poppo-doctor.*")) - before if os.stat(path).st_uid == os.geteuid()}, said
    return said


def diagnosis(daemon, wrapper=(), wanted=0):
    said = doctor(daemon, "--json", wrapper=wrapper)
    assert said.returncode == wanted, said
    return json.loads(said.stdout)


def finding(found, layer):
    return next(f for f in found["findings"] if f["layer"] == layer)


@case
def it_says_what_the_workers_have(_):
    with Daemon() as daemon, daemon.client() as client:
        found = diagnosis(daemon, wanted=0)
        assert found["classes"]["js"] == client.code("1")["isolation"], found
        assert found["classes"]["shell"] == client.run(task(["true"]))["isolation"], found
        assert set(found["house"]) == {"master", "starter", "spawner"}, found
        assert found["house"]["master"] == client.call("status")["house"]["master"], found
        assert found["classes"]["http"]["noNewPrivs"] == "enforced" and found["uid"] == os.geteuid(), found
        assert {f["layer"] for f in found["findings"]} == {layer for layers in found["classes"].values()
                                                           for layer, state in layers.items() if state != "enforced"}, found


@case
def below_what_security_asks_for_its_status_is_1(_):
    with Daemon({"security": {**(LENIENT if SANITIZED else {}), "treeMemory": "strict"}}) as daemon:
        found = diagnosis(daemon, WITHOUT_CGROUPS, wanted=1)
        missing = finding(found, "treeMemory")
        assert missing["demand"] == "strict" and missing["classes"] == ["shell"] and not found["ok"], found
        assert "control group" in missing["why"] and "mount" in missing["fix"], missing
        said = doctor(daemon, wrapper=WITHOUT_CGROUPS)
        assert said.returncode == 1 and "missing  treeMemory is absent in shell: no control groups are mounted" in said.stdout, said
        assert "mount -t cgroup2" in said.stdout and "Not enough" in said.stdout and "\x1b" not in said.stdout, said
        daemon.write_config({})
        found = diagnosis(daemon, WITHOUT_CGROUPS)
        assert found["ok"] and finding(found, "treeMemory")["demand"] == "best-effort", found
        assert "All that security asks for holds." in doctor(daemon, wrapper=WITHOUT_CGROUPS).stdout


@case
def what_an_ordinary_user_cannot_have_is_listed(_):
    if os.geteuid():
        raise Skip("needs root, to become somebody else")
    with Ordinary({}) as daemon:
        found = diagnosis(daemon, wrapper=daemon.wrapper)
        without = finding(found, "uid")
        assert without["state"] == "absent" and "shell" in without["classes"] and without["fix"] == "run poppod as root", found
        assert found["uid"] == 65534 and found["ok"], found
        # Somebody else's supervisor is not spoken for.
        assert "belongs to user 65534" in doctor(daemon).stdout


@case
def a_machine_without_user_namespaces_is_told_by_its_setting(_):
    # In a user namespace, whose first process may change the setting and then is an ordinary user.
    inside = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c",
              'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all "$@"', "sh"]
    with Daemon({"security": {**(LENIENT if SANITIZED else {}), "treeMemory": "best-effort"}}) as daemon:
        found = diagnosis(daemon, inside, wanted=1)
        missing = finding(found, "start")
        assert missing["classes"] == ["shell"] and "a user namespace: No space left" in missing["why"], found
        assert missing["fix"].startswith("sysctl -w user.max_user_namespaces") and found["uid"] == 1000, found
        assert found["classes"]["js"]["noNewPrivs"] == "enforced", found


@case
def what_daemon_user_gives_up_is_seen(_):
    if os.geteuid():
        raise Skip("needs root, whose rights are given up")
    with Daemon() as daemon:
        said = doctor(daemon).stdout
        assert "daemon.user names a user" in said and "user absent" in said, said
        daemon.write_config({"daemon": {"user": "nobody"}})
        assert diagnosis(daemon)["house"]["master"]["user"] == "enforced"
        assert "daemon.user names a user" not in doctor(daemon).stdout


@case
def its_supervisor_ends_with_it_also_as_another_user(_):
    if os.geteuid():
        raise Skip("needs root, whose rights are given up")
    with Daemon({"daemon": {"user": "nobody"}}, start=False) as daemon:
        before = set(glob.glob("/tmp/poppo-doctor.*"))
        asking = subprocess.Popen([daemon.program("poppo"), "doctor", "-c", daemon.config, "--socket", daemon.socket],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        inside = eventually(lambda: {pid for pid, (_, name) in descendants(asking.pid).items() if name == "poppod-spawner"} and
                            descendants(asking.pid), "its supervisor has given its rights up")
        asking.kill()
        asking.wait()
        eventually(lambda: not set(inside) & {pid for pid, (_, state, _) in process_table().items() if state != "Z"}, "all of it is gone")
        for path in set(glob.glob("/tmp/poppo-doctor.*")) - before:
            shutil.rmtree(path, ignore_errors=True)


@case
def a_configuration_that_does_not_load_is_no_diagnosis(_):
    with Daemon() as daemon:
        daemon.write_config('{"security": {"require": "perhaps"}}')
        said = doctor(daemon)
        assert said.returncode == 78 and "security.require" in said.stderr and not said.stdout, said


main(None)

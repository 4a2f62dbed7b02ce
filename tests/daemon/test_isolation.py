"""What must hold around a worker: security's options, and what becomes of tasks where a layer is missing.
test_isolation.py BUILD_ROOT"""
import os
import subprocess

from commands import task, value_of
from harness import BUILD, LENIENT, SANITIZED, WITHOUT_CGROUPS, Daemon, Ordinary, Refused, eventually
from tap import case, main

ADVICE = "and security asks for it: see poppo doctor"


def strict(**security):
    """The test's words, on top of what the build cannot give."""
    lenient = LENIENT if SANITIZED else {}
    return {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 2}}, "security": {**lenient, "treeMemory": "strict", **security}}


def on_a_machine_without_cgroups(config):
    daemon = Daemon(config, start=False, wrapper=WITHOUT_CGROUPS)
    daemon.errors_expected = True
    return daemon


def as_nobody(config):
    daemon = Daemon(config) if os.geteuid() else Ordinary(config)
    daemon.errors_expected = True
    return daemon


def poppo(daemon, *arguments):
    return subprocess.run([BUILD / "poppo", "--socket", daemon.socket, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


@case
def a_type_whose_sandbox_is_not_whole_is_refused_by_name_and_the_others_run():
    with on_a_machine_without_cgroups(strict()).start() as daemon, daemon.client() as client:
        record = client.run(task(["true"]))
        assert record["state"] == "failed" and record["error"]["code"] == "TYPE_DISABLED", record
        assert "treeMemory is absent" in record["error"]["message"] and ADVICE in record["error"]["message"], record
        assert not record["attempts"], record
        try:
            client.run(task(["true"]))
            raise AssertionError("a second one was taken")
        except Refused as e:
            assert e.code == "TYPE_DISABLED" and "shell-command is not run: treeMemory is absent" in str(e), e
        assert client.code("6 * 7")["value"] == 42
        said = poppo(daemon, "sh", "--", "true")
        assert said.returncode == 77 and "treeMemory is absent" in said.stderr, said
        breaker = client.call("status")["daemon"]["breaker"]["classes"]["shell"]
        assert breaker["state"] == "open" and "treeMemory is absent" in breaker["reason"], breaker
        lines = [line for line in daemon.log_lines() if line["event"] == "isolation"]
        assert len(lines) == 1 and lines[0]["message"].startswith("shell tasks are refused: treeMemory is absent"), lines


@case
def what_was_kept_waits_and_says_why_and_runs_once_it_may():
    config = strict()
    with on_a_machine_without_cgroups(config).start() as daemon:
        with daemon.client() as client:
            kept = client.call("submit", task=task(["echo", "late"]))["id"]
            waited = client.send("submit", task=task(["true"]), options={"durable": True}, wait=True)
            eventually(lambda: client.call("status")["daemon"]["breaker"].get("classes"), "the class is barred")
            why = client.call("why", id=kept)
            assert why["message"].startswith("too little holds around workers of class shell: treeMemory is absent"), why
            assert client.call("result", id=kept)["result"]["state"] == "queued"
            # A reload looks again, and says that what is asked for needs a restart.
            daemon.write_config({**config, "security": {**config["security"], "treeMemory": "best-effort"}})
            assert "needs a restart" in str(client.call("reload")), waited
            eventually(lambda: client.call("why", id=kept)["message"].startswith("too little holds"), "it was tried again")
            assert client.call("result", id=kept)["result"]["state"] == "queued"
        daemon.stop()
        daemon.start()
        with daemon.client() as client:
            assert value_of(client.call("wait", id=kept)["result"])["stdout"] == "late\n"


@case
def a_word_about_one_layer_lets_its_tasks_run_and_their_records_say_so():
    with on_a_machine_without_cgroups(strict(treeMemory="best-effort")).start() as daemon, daemon.client() as client:
        record = client.run(task(["echo", "there"]))
        assert value_of(record)["stdout"] == "there\n" and record["isolation"]["treeMemory"] == "absent", record


@case
def what_only_root_can_lay_is_asked_for_by_a_word():
    for word, code in (("best-effort", None), ("strict", "TYPE_DISABLED")):
        with as_nobody(strict(uid=word, treeMemory="best-effort")) as daemon, daemon.client() as client:
            record = client.run(task(["id", "-u"]))
            assert record.get("error", {}).get("code") == code, record
            assert code or record["isolation"]["uid"] == "absent", record
            assert not code or record["error"]["message"].startswith("uid is absent"), record


@case
def a_projects_network_is_the_operators_word():
    config = {**strict(treeMemory="best-effort"), "projects": {"net": {"network": True}}}
    with Daemon(config) as daemon, daemon.client() as client:
        record = client.run(task(["true"]), projectId="net")
        assert record["state"] == "succeeded" and record["isolation"]["netNamespace"] == "absent", record
        record = client.run(task(["true"]))
        assert record["state"] == "succeeded" and record["isolation"]["netNamespace"] == "enforced", record


@case
def a_layer_that_does_not_exist_is_a_mistake_in_the_file():
    with Daemon(start=False) as daemon:
        daemon.write_config('{"security": {"secomp": "strict"}}')
        said = subprocess.run([BUILD / "poppod", "-t", "-c", daemon.config], capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 78 and 'unknown key "secomp"' in said.stderr and 'did you mean "seccomp"' in said.stderr, said


main()

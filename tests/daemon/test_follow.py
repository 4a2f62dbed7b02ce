"""Following a task: its output comes as it is written, whole to each follower, whenever that one came."""
from harness import Daemon, eventually
from tap import case, run

POOL = {"daemon": {"worker": {"minProcesses": 1, "maxProcesses": 1, "maxTasksPerWorker": 0}}}
THREE = "for (var i = 0; i < 3; i++) console.log('line', i); i"
SILENT = "console.log('first'); console.error('second'); while (true);"
# Writes on after a while, so that one follower is there before it and one comes later.
SLOW = ("console.log('early'); var end = Date.now() + 300; while (Date.now() < end); "
        "console.log('late'); while (true);")


def events_until_reply(client, seq):
    """The output events that came before the reply to this request, joined, and the reply."""
    text = b""
    while True:
        message = client.receive()
        if message.get("seq") == seq:
            return text, message
        assert message["event"] == "output" and message["stream"] == "console", message
        text += message["data"]


def next_output(client):
    message = client.receive()
    assert message.get("event") == "output", message
    return message


@case
def a_waited_task_that_is_followed_tells_its_lines_before_its_end(daemon):
    with daemon.client() as client:
        seq = client.send("submit", task={"type": "execute-code", "code": THREE}, wait=True, follow=True)
        text, reply = events_until_reply(client, seq)
        assert text == b"line 0\nline 1\nline 2\n", text
        assert [line["text"] for line in reply["result"]["logs"]] == ["line 0", "line 1", "line 2"]


@case
def a_task_that_is_not_followed_sends_nothing(daemon):
    with daemon.client() as client:
        seq = client.send("submit", task={"type": "execute-code", "code": THREE}, wait=True)
        assert events_until_reply(client, seq)[0] == b""


@case
def who_follows_late_gets_all_lines_even_of_a_silent_script(daemon):
    with daemon.client() as client, daemon.client() as other:
        task = client.submit({"type": "execute-code", "code": SILENT})
        eventually(lambda: client.call("result", id=task)["result"]["state"] == "running", "it runs")
        first, second = client.send("follow", id=task), other.send("follow", id=task)
        for one in (client, other):
            assert next_output(one)["data"] == b"first\n"
            assert next_output(one)["data"] == b"second\n"
        daemon_client = daemon.client()
        daemon_client.call("cancel", id=task)
        daemon_client.close()
        for one, seq in ((client, first), (other, second)):
            text, reply = events_until_reply(one, seq)
            assert text == b"" and reply["ok"] and reply["state"] == "cancelled", reply


@case
def a_wish_that_reaches_the_worker_before_the_task_is_not_lost(daemon):
    with daemon.client() as client, daemon.client() as other:
        for _ in range(100):
            task = client.submit({"type": "execute-code", "code": SILENT})
            seq = other.send("follow", id=task)
            assert next_output(other)["data"] == b"first\n"
            assert next_output(other)["data"] == b"second\n"
            client.call("cancel", id=task)
            assert events_until_reply(other, seq)[0] == b""


@case
def a_second_follower_makes_the_first_hear_nothing_twice(daemon):
    with daemon.client() as client, daemon.client() as other:
        seq = client.send("submit", task={"type": "execute-code", "code": SLOW}, wait=True, follow=True)
        event = next_output(client)
        assert event["data"] == b"early\n" and event["attempt"] == 1
        late = other.send("follow", id=event["id"])
        assert next_output(other)["data"] == b"early\n"
        assert next_output(client)["data"] == b"late\n"
        assert next_output(other)["data"] == b"late\n"
        with daemon.client() as third:
            third.call("cancel", id=event["id"])
        assert events_until_reply(client, seq)[0] == b""
        assert events_until_reply(other, late)[0] == b""


@case
def a_queued_task_can_be_followed_and_an_ended_one_only_says_so(daemon):
    with daemon.client() as client, daemon.client() as other:
        blocker = client.submit({"type": "execute-code", "code": "while (true);"})
        task = client.submit({"type": "execute-code", "code": THREE})
        seq = other.send("follow", id=task)
        other.call("ping")
        client.call("cancel", id=blocker)
        text, reply = events_until_reply(other, seq)
        assert text == b"line 0\nline 1\nline 2\n" and reply["state"] == "succeeded"
        text, reply = events_until_reply(other, other.send("follow", id=task))
        assert text == b"" and reply["state"] == "succeeded"


@case
def followers_that_go_away_cost_nobody_anything(daemon):
    with daemon.client() as client:
        task = client.submit({"type": "execute-code", "code": SLOW})
        for _ in range(50):
            gone = daemon.client()
            gone.send("follow", id=task)
            gone.close()
        client.call("cancel", id=task)
        assert client.code("6 * 7")["value"] == 42


with Daemon(POOL) as shared:
    status = run(shared)
raise SystemExit(status)

"""poppo-protocol(7) as a client meets it: what is promised works, what is malformed is refused by name."""
import array
import socket
import struct

import msgpack

from harness import Closed, Daemon, Refused, eventually
from client import frame
from tap import case, run

# Without recycling, whose standing successors would move the counts of descriptors.
POOL = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 0}}}
NOBODY = "00000000-0000-7000-8000-000000000000"


def prefixed(body):
    return struct.pack(">I", len(body)) + body


def refusal(daemon, op, **fields):
    """The error that a request is refused with; the connection must go on afterwards."""
    with daemon.client() as client:
        try:
            client.call(op, **fields)
        except Refused as refused:
            client.call("ping")
            return refused.error
    raise AssertionError(f"{op} {fields} was taken")


def expect_fatal(daemon, data, code, seq=0):
    """These bytes end the connection, after one refusal with this code; others are served on."""
    with daemon.client() as client:
        client.write(data)
        reply = client.receive()
        assert reply["ok"] is False and reply["seq"] == seq, reply
        assert reply["error"]["code"] == code and reply["error"]["message"], reply
        try:
            extra = client.receive()
        except Closed:
            pass
        else:
            raise AssertionError(f"the connection went on: {extra}")
    with daemon.client() as client:
        client.call("ping")


# ---- hello ----

@case
def hello_tells_who_answers(daemon):
    with daemon.client() as client:
        server = client.server
        assert server["version"] == 1 and server["pid"] == daemon.pid, server
        assert server["server"].startswith("poppod") and server["maxFrameBytes"] == 16 << 20, server


@case
def ping_is_answered_before_hello_and_nothing_else(daemon):
    with daemon.client(hello=False) as client:
        client.call("ping")
        for op in ("submit", "stats", "status", "list", "stop", "drain", "reload", "project-usage"):
            try:
                client.call(op)
            except Refused as refused:
                assert refused.code == "BAD_FRAME" and "hello" in refused.error["message"], refused
            else:
                raise AssertionError(f"{op} before hello")
        client.call("hello", version=1, client="late")
        client.call("stats")


@case
def hello_comes_once(daemon):
    assert refusal(daemon, "hello", version=1, client="again")["code"] == "BAD_FRAME"


@case
def other_versions_are_refused_by_name(daemon):
    for version in (0, 2, 1000, "1", None):
        with daemon.client(hello=False) as client:
            try:
                client.call("hello", version=version, client="tests")
            except Refused as refused:
                assert refused.code == "UNSUPPORTED_VERSION" and "version" in refused.error["message"], refused
            else:
                raise AssertionError(f"version {version} was taken")


# ---- bytes ----

@case
def malformed_frames_end_the_connection_by_name(daemon):
    deep = b"\x91" * 32 + b"\xc0"
    for body in (b"", b"\xc1", b"\xc0", b"\x93\x01\x02\x03", b"\xa4ping", b"\x81",
                 b"\x81\xa2op\xa4pin", b"\x81\xa2op\xa4ping\xc0", b"\x81\xa2op\xc1",
                 msgpack.packb({}), msgpack.packb({"op": 7, "seq": 1}), msgpack.packb({"op": "", "seq": 1}),
                 msgpack.packb({"event": "x"}), msgpack.packb({"op": "ping", "ok": True}),
                 msgpack.packb({"op": "ping", "seq": -1}), msgpack.packb({"op": "ping", "seq": "1"}),
                 b"\x82\xa2op\xa4ping\xa2op\xa4stop", b"\x81\xa1x" + deep):
        expect_fatal(daemon, prefixed(body), "BAD_FRAME")


@case
def lying_counts_cost_nothing(daemon):
    before = daemon.rss()
    for head in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        body = b"\x82\xa2op\xa4ping\xa1x" + head
        expect_fatal(daemon, prefixed(body.ljust(155, b"\xc0")), "BAD_FRAME")
    assert daemon.rss() < before + (16 << 20)


@case
def too_large_frames_are_refused_unread(daemon):
    before = daemon.rss()
    for length in ((16 << 20) + 1, 1 << 31, (1 << 32) - 1):
        expect_fatal(daemon, struct.pack(">I", length), "TOO_LARGE")
    assert daemon.rss() < before + (16 << 20)


@case
def the_largest_frame_passes(daemon):
    with daemon.client() as client:
        head = b"\x83\xa2op\xa4ping\xa3seq\xcd\x10\x00\xa1x\xc6"
        size = (16 << 20) - len(head) - 4
        client.write(prefixed(head + struct.pack(">I", size) + bytes(size)))
        assert client.reply(4096)["ok"]


@case
def nesting_of_32_passes(daemon):
    value = 1
    for _ in range(31):
        value = [value]
    with daemon.client() as client:
        client.call("ping", unknown=value)


@case
def frames_may_come_in_any_pieces(daemon):
    with daemon.client() as client:
        for byte in frame({"op": "ping", "seq": 70}):
            client.write(bytes([byte]))
        assert client.reply(70)["ok"]
        client.write(b"".join(frame({"op": "ping", "seq": 1000 + n}) for n in range(500)))
        assert all(client.reply(1000 + n)["ok"] for n in range(500))


# ---- requests ----

@case
def unknown_ops_are_refused_and_unknown_keys_ignored(daemon):
    error = refusal(daemon, "no-such-op")
    assert error["code"] == "BAD_FRAME" and "no-such-op" in error["message"], error
    with daemon.client() as client:
        client.call("ping", nonsense={"a": [1, 2, {"b": None}]})


@case
def messages_of_workers_are_not_for_clients(daemon):
    for op in ("run", "ready", "beat", "setup", "prepared", "spawn"):
        assert refusal(daemon, op, pid=1, layers={}, task={}, timeout=0)["code"] == "BAD_FRAME"
    with daemon.client() as client:
        client.write(frame({"seq": 5, "ok": True, "value": 1}))
        assert client.reply(5)["error"]["code"] == "BAD_FRAME"
        client.call("ping")


@case
def a_request_needs_a_seq(daemon):
    with daemon.client() as client:
        client.write(frame({"op": "stats"}))
        reply = client.receive()
        assert reply["seq"] == 0 and reply["error"]["code"] == "BAD_FRAME", reply
        client.call("ping")


@case
def duplicate_keys_are_refused(daemon):
    with daemon.client() as client:
        body = b"\x84\xa2op\xa6cancel\xa3seq\x09\xa2id\xa1a\xa2id\xa1b"
        client.write(prefixed(body))
        error = client.reply(9)["error"]
        assert error["code"] in ("BAD_FRAME", "INVALID_OPTION") and "id" in error["message"], error


@case
def wrong_fields_are_named(daemon):
    task = {"type": "execute-code", "code": "1"}
    for where, op, fields in (
            ("submit.task", "submit", {}),
            ("submit.task", "submit", {"task": "1 + 1"}),
            ("submit.task", "submit", {"task": [task]}),
            ("submit.wait", "submit", {"task": task, "wait": 1}),
            ("submit.options", "submit", {"task": task, "options": []}),
            ("options.priority", "submit", {"task": task, "options": {"priority": 11}}),
            ("options.priority", "submit", {"task": task, "options": {"priority": -1}}),
            ("options.priority", "submit", {"task": task, "options": {"priority": "high"}}),
            ("options.timeout", "submit", {"task": task, "options": {"timeout": 1.5}}),
            ("options.timeout", "submit", {"task": task, "options": {"timeout": float("nan")}}),
            ("options.maxAttempts", "submit", {"task": task, "options": {"maxAttempts": 0}}),
            ("options.isolation", "submit", {"task": task, "options": {"isolation": "none"}}),
            ("options.projectId", "submit", {"task": task, "options": {"projectId": ""}}),
            ("options.projectId", "submit", {"task": task, "options": {"projectId": "p" * 129}}),
            ("options.meta", "submit", {"task": task, "options": {"meta": {"x": "y" * 5000}}}),
            ("result.id", "result", {"id": "short"}),
            ("list.limit", "list", {"limit": 0}),
            ("list.state", "list", {"state": "lost"}),
            ("project-limit.limit", "project-limit", {"projectId": "p", "limit": -1})):
        error = refusal(daemon, op, **fields)
        assert error["code"] == "INVALID_OPTION" and where in error["message"], (where, error)


@case
def project_names_have_an_alphabet(daemon):
    for name in ("a b", "a\nb", "ä", "../x\x00"):
        error = refusal(daemon, "submit", task={"type": "execute-code", "code": "1"}, options={"projectId": name})
        assert error["code"] == "INVALID_OPTION" and "projectId" in error["message"], (name, error)


@case
def wrong_tasks_are_refused_at_submit(daemon):
    for task, code in (({"type": "no-such-type"}, "UNKNOWN_TYPE"), ({"code": "1"}, "INVALID_TASK"),
                       ({"type": 7, "code": "1"}, "INVALID_TASK"), ({"type": "execute-code"}, "INVALID_TASK"),
                       ({"type": "execute-code", "code": 7}, "INVALID_TASK"),
                       ({"type": "execute-code", "code": "1", "context": []}, "INVALID_TASK"),
                       ({"type": "execute-function", "args": []}, "INVALID_TASK"),
                       ({"type": "execute-function", "fn": "f", "args": {}}, "INVALID_TASK")):
        error = refusal(daemon, "submit", task=task, wait=True)
        assert error["code"] == code and error["message"], (task, error)


@case
def null_means_not_given(daemon):
    with daemon.client() as client:
        record = client.code("typeof x", options={"priority": None, "timeout": None, "meta": None}, context=None)
        assert record["value"] == "undefined", record


@case
def whole_floats_are_integers(daemon):
    with daemon.client() as client:
        assert client.code("1", options={"priority": 3.0, "timeout": 5000.0})["priority"] == 3


@case
def unknown_ids_are_not_found(daemon):
    for op in ("result", "wait", "cancel"):
        assert refusal(daemon, op, id=NOBODY)["code"] == "NOT_FOUND"


# ---- many at once ----

@case
def a_thousand_pipelined_tasks_are_answered_once_each(daemon):
    with daemon.client() as client:
        sent = {client.send("submit", wait=True, options={"maxAttempts": 1},
                            task={"type": "execute-code", "code": "n + 1", "context": {"n": n}}): n
                for n in range(1000)}
        for _ in range(1000):
            reply = client.receive()
            number = sent.pop(reply["seq"])
            assert reply["ok"] and reply["result"]["state"] == "succeeded", reply
            assert reply["result"]["value"] == number + 1, reply
        assert not sent
        client.call("ping")
        assert not client.early and not client.buffer


@case
def a_client_that_never_reads_harms_nobody(daemon):
    with daemon.client() as deaf:
        deaf.sock.setblocking(False)
        request = frame({"op": "status", "seq": 1}) * 100
        try:
            for _ in range(2000):
                deaf.sock.send(request)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        with daemon.client() as client:
            client.call("ping")
            assert client.code("1")["value"] == 1
        assert daemon.rss() < 512 << 20


@case
def passed_descriptors_are_not_kept(daemon):
    with daemon.client() as client:
        before = daemon.fds()
        for n in range(100):
            fds = array.array("i", [0, 1, 2] * 20)
            client.sock.sendmsg([frame({"op": "ping", "seq": 100 + n})],
                                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            assert client.reply(100 + n)["ok"]
        assert daemon.fds() <= before


@case
def clients_that_leave_in_the_middle_leave_nothing(daemon):
    with daemon.client() as client:
        client.call("ping")
        before = daemon.fds()
    for cut in range(1, 40):
        with daemon.client() as client:
            client.send("submit", task={"type": "execute-code", "code": "1"}, wait=True)
            client.write(frame({"op": "stats", "seq": 9})[:cut])
    eventually(lambda: daemon.fds() <= before, "descriptors are given back")
    with daemon.client() as client:
        assert client.code("2")["value"] == 2


with Daemon(POOL) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

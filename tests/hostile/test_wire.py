"""Attacks from the socket: whoever may connect may send anything, in any number, and costs only himself."""
import array
import random
import resource
import socket
import struct

import msgpack

from harness import Daemon, Refused, eventually
from client import frame
from tap import case, run

POOL = {"daemon": {"worker": {"minProcesses": 2, "maxProcesses": 2, "maxTasksPerWorker": 0}}}
SUBMIT = {"op": "submit", "seq": 2, "task": {"type": "execute-code", "code": "1 + 1", "context": {"a": [1, None, 2.5]}},
          "options": {"projectId": "p", "priority": 3, "timeout": 1000, "meta": {"k": "v"}}, "wait": True}
HELLO = frame({"op": "hello", "seq": 1, "version": 1, "client": "hostile"})
THOUSANDS = 5000
MANY = 300

# Each connection needs a descriptor here too; the daemon raises its own limit.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def still_serves(daemon):
    with daemon.client() as client:
        assert client.code("6 * 7")["value"] == 42


def connections(daemon):
    """Descriptors of the master beyond those of its workers, which come and go."""
    with daemon.client() as client:
        workers = len(client.call("status")["workers"])
    return daemon.fds() - 2 * workers


def crowd(daemon, n, data=b""):
    """That many connections, each of which has sent these bytes."""
    sockets = []
    for _ in range(n):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(daemon.socket)
        sock.settimeout(10)
        if data:
            sock.sendall(data)
        sockets.append(sock)
    return sockets


def leave(daemon, sockets, before):
    for sock in sockets:
        sock.close()
    eventually(lambda: connections(daemon) <= before, "descriptors are given back")


@case
def a_frame_cut_anywhere_is_refused_and_harms_nobody(daemon):
    body = msgpack.packb(SUBMIT)
    for end in range(len(body)):
        with daemon.client() as client:
            client.write(struct.pack(">I", end) + body[:end])
            reply = client.receive()
            assert reply["ok"] is False and reply["error"]["code"] == "BAD_FRAME", (end, reply)
    still_serves(daemon)


@case
def a_flipped_byte_is_answered_or_refused(daemon):
    body, rng = msgpack.packb({**SUBMIT, "wait": False}), random.Random(4)
    for _ in range(1500):
        bad = bytearray(body)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        with daemon.client() as client:
            client.write(struct.pack(">I", len(bad)) + bytes(bad))
            assert client.receive()["ok"] in (True, False)
    still_serves(daemon)


@case
def hostile_numbers_are_refused_by_name_or_have_a_meaning(daemon):
    numbers = (-1, 1 << 31, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63), 0.5, -0.0, 1e308,
               float("inf"), float("-inf"), float("nan"))
    options = ("priority", "timeout", "maxAttempts", "retryDelay", "delay", "runAt", "startDeadline", "resultTtl")
    with daemon.client() as client:
        for option in options:
            for number in numbers:
                try:
                    client.submit({"type": "execute-code", "code": "1"}, **{option: number})
                except Refused as refused:
                    assert refused.code == "INVALID_OPTION" and option in str(refused), (option, number, refused)
        for number in numbers:
            for op, fields in (("list", {"limit": number}), ("project-limit", {"projectId": "n", "limit": number})):
                try:
                    client.call(op, **fields)
                except Refused as refused:
                    assert refused.code == "INVALID_OPTION", (op, number, refused)
    still_serves(daemon)


@case
def any_seq_is_given_back_as_often_as_it_was_used(daemon):
    with daemon.client() as client:
        for seq in (0, 1, 1 << 63, (1 << 64) - 1):
            client.write(frame({"op": "ping", "seq": seq}) * 3)
            assert [client.receive()["seq"] for _ in range(3)] == [seq] * 3


@case
def thousands_of_idle_connections_cost_little(daemon):
    before, memory = connections(daemon), daemon.rss()
    idle = crowd(daemon, THOUSANDS)
    eventually(lambda: connections(daemon) >= before + THOUSANDS, "all are taken")
    still_serves(daemon)
    assert daemon.rss() - memory < THOUSANDS * 4096, daemon.rss() - memory
    leave(daemon, idle, before)


@case
def announced_bytes_cost_nothing_until_they_come(daemon):
    before, memory = connections(daemon), daemon.rss()
    boasters = crowd(daemon, MANY, HELLO + struct.pack(">I", 16 << 20) + bytes(100))
    still_serves(daemon)
    assert daemon.rss() - memory < MANY << 18, daemon.rss() - memory
    leave(daemon, boasters, before)


@case
def half_sent_frames_hold_up_nobody(daemon):
    before, submit = connections(daemon), frame(SUBMIT)
    for cut in (1, 3, 4, 5, len(submit) - 1):
        halves = crowd(daemon, 60, HELLO + submit[:cut])
        still_serves(daemon)
        leave(daemon, halves, before)


@case
def floods_of_descriptors_end_in_the_kernel(daemon):
    before, fds = connections(daemon), array.array("i", [0] * 250)
    flooders = crowd(daemon, 40, struct.pack(">I", 16 << 20))
    for sock in flooders:
        for _ in range(20):
            sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    assert connections(daemon) < before + 2 * len(flooders)
    still_serves(daemon)
    leave(daemon, flooders, before)


@case
def those_who_hang_up_before_a_word_leave_nothing(daemon):
    before = connections(daemon)
    for _ in range(20):
        for sock in crowd(daemon, 100):
            sock.close()
    still_serves(daemon)
    leave(daemon, [], before)


@case
def a_slow_reader_of_large_results_gets_them_all(daemon):
    big = {"type": "execute-code", "code": "var s = 'x'; while (s.length < 500000) s += s; s.length = 0; s"}
    with daemon.client() as slow, daemon.client() as other:
        seqs = [slow.send("submit", task=big, wait=True) for _ in range(20)]
        for _ in range(20):
            assert other.code("1")["value"] == 1
        for seq in seqs:
            assert len(slow.reply(seq)["result"]["value"]) >= 500000
            assert other.code("2")["value"] == 2


@case
def clients_that_die_with_waited_tasks_leave_none_behind(daemon):
    before = connections(daemon)
    dying = []
    for _ in range(50):
        client = daemon.client()
        for _ in range(5):
            client.send("submit", task={"type": "execute-code", "code": "while (1);"}, wait=True)
        dying.append(client)
    for client in dying:
        client.close()

    def totals():
        with daemon.client() as client:
            return client.call("stats")["totals"]
    eventually(lambda: totals()["queued"] == 0 and totals()["busy"] == 0, "nothing of theirs runs or waits")
    still_serves(daemon)
    leave(daemon, [], before)


with Daemon(POOL) as the_daemon:
    status = run(the_daemon)
raise SystemExit(status)

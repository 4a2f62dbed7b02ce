"""Servers and tasks that attack the http worker. Whatever they do costs their own task only: the same process serves the
next one, keeps its size, and its neighbours do not notice."""
import gzip
import os
import random
import statistics
import sys
import threading
import time
import zlib

import http_stage
from harness import eventually
from http_servers import gives, redirects, response
from tap import case, run

TEXT = ["Content-Type: text/plain"]
PATIENCE = 5000  # ms; whatever takes longer was waited for
GROWTH = 32 << 20  # what a worker's resident memory may gain by all of an attack
NAMES = {"silent.test": None}


def worker_pid(stage):
    record = stage.fetch("http://raw.test/good")
    assert record["state"] == "succeeded" and record["value"]["data"] == "good", record
    return record["attempts"][0]["pid"]


def attack(stage, rows, **fields):
    """Each row: what the server does, and the codes that may come of it. The worker stays, and stays small."""
    pid = worker_pid(stage)
    size = stage.daemon.rss(pid)
    for name, route, codes in rows:
        started = time.monotonic()
        record = stage.fetch(stage.route("/attack", route), {"timeout": PATIENCE}, **fields)
        took = time.monotonic() - started
        assert record["state"] == "failed" and record["error"]["code"] in codes.split("|"), (name, record)
        assert "TIMEOUT" in codes or took < PATIENCE / 1000, (name, took)
        assert worker_pid(stage) == pid, name
    assert stage.daemon.rss(pid) < size + GROWTH, (size, stage.daemon.rss(pid))


def forever(head, piece):
    """Sends the head, then the piece again and again until nobody takes it any more."""
    def route(connection, _head):
        connection.sendall(head)
        while True:
            connection.sendall(piece)
    return route


def sends(data):
    return lambda connection, _head: connection.sendall(data)


# ---- tasks ----

@case
def nothing_that_a_task_says_splits_its_request(stage):
    url = "http://raw.test/good"
    splits = ("\r\nX-Injected: 1", "\nX-Injected: 1", "\rX-Injected: 1", "\r\n\r\nGET /injected HTTP/1.1\r\n\r\n", "\0", "\u010d\u010a",
              "\u560d\u560a", "%0d%0aX-Injected: 1", " HTTP/1.1\r\nX-Injected: 1\r\n\r\n")
    before = len(stage.raw.requests)
    for split in splits:
        for fields in ({"url": url + split}, {"url": "http://raw.test" + split + "/good"}, {"url": url + "?a=" + split},
                       {"url": url + "#" + split}, {"url": "http://u" + split + "@raw.test/good"}, {"url": url, "method": "GET" + split[:25]},
                       {"url": url, "headers": {"X-A": "b" + split}}, {"url": url, "headers": {"X-A" + split: "b"}},
                       {"url": url, "headers": {"Cookie": split}}, {"url": url, "headers": {"Host": "raw.test" + split}},
                       {"url": url, "params": {"a" + split: split}}, {"url": url, "auth": {"bearer": "t" + split}},
                       {"url": url, "auth": {"username": "u" + split, "password": "p" + split}},
                       {"url": url, "data": "x", "headers": {"Content-Type": "a/b" + split}}):
            stage.fetch(**fields)
    for head in stage.raw.requests[before:]:
        assert "/injected" not in head.split("\r\n")[0], head
        names = [line.split(":")[0].lower() for line in head.split("\r\n")[1:]]
        assert "x-injected" not in names and "" not in names and "\n" not in head.replace("\r\n", ""), head
    assert len(stage.raw.requests) > before, "none was sent at all"


@case
def a_redirect_splits_no_request_either(stage):
    before = len(stage.raw.requests)
    for location in ("/good\rX-Injected: 1", "/good?\r\tX-Injected: 1", "/good%0d%0aX-Injected: 1", "/good \tHTTP/1.1", "/g\x01ood",
                     "http://raw.test\t/good", "http://raw.test%0d%0aX-Injected:1/", "http://ra\x00w.test/good", "\x7f", "\xff\xfe"):
        stage.fetch(stage.route("/to", redirects(location)))
    for head in stage.raw.requests[before:]:
        assert "x-injected" not in [line.split(":")[0].lower() for line in head.split("\r\n")[1:]], head


# ---- endless things ----

@case
def endless_headers_end(stage):
    ok = b"HTTP/1.1 200 OK\r\n"
    attack(stage, [
        ("many headers", forever(ok, b"X-Header: value\r\n" * 100), "RESULT_TOO_LARGE"),
        ("one name again and again", forever(ok, b"Set-Cookie: a=1\r\n" * 100), "RESULT_TOO_LARGE"),
        ("large headers", forever(ok, b"X: " + b"v" * 8000 + b"\r\n"), "RESULT_TOO_LARGE|HTTP_FAILED"),
        ("one endless header", forever(ok + b"X: ", b"v" * 65536), "HTTP_FAILED"),
        ("an endless name", forever(ok, b"N" * 65536), "HTTP_FAILED"),
        ("an endless status line", forever(b"HTTP/1.1 200 ", b"OK" * 4096), "HTTP_FAILED"),
        ("folded for ever", forever(ok + b"X: y\r\n", b" more\r\n" * 100), "RESULT_TOO_LARGE|HTTP_FAILED"),
        ("interim responses", forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "RESULT_TOO_LARGE|HTTP_FAILED"),
        ("early hints", forever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50), "RESULT_TOO_LARGE|HTTP_FAILED"),
        ("endless trailers", forever(ok + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-T: v\r\n" * 100),
         "RESULT_TOO_LARGE|HTTP_FAILED"),
    ])


@case
def endless_bodies_end(stage):
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    attack(stage, [
        ("until closed", forever(ok + b"\r\n", b"x" * 65536), "RESULT_TOO_LARGE"),
        ("chunked", forever(ok + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"), "RESULT_TOO_LARGE"),
        ("a petabyte", forever(ok + b"Content-Length: 1125899906842624\r\n\r\n", b"x" * 65536), "RESULT_TOO_LARGE"),
        ("tiny chunks", forever(ok + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 5000), "RESULT_TOO_LARGE"),
        # Passed over without an end, so only time ends it.
        ("a chunk's endless extension", forever(ok + b"Transfer-Encoding: chunked\r\n\r\n1;", b"e" * 65536), "TIMEOUT"),
        ("a chunk of 2^64", sends(ok + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"), "HTTP_FAILED"),
        ("a length that is none", sends(ok + b"Content-Length: -5\r\n\r\nhello"), "HTTP_FAILED"),
        ("two lengths", sends(ok + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello"), "HTTP_FAILED"),
    ])


@case
def a_redirects_endless_body_is_not_waited_for(stage):
    stage.route("/end", gives(b"end", headers=TEXT))
    url = stage.route("/attack", forever(b"HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n", b"x" * 65536))
    assert stage.value(url)["data"] == "end"


# ---- bombs ----

def packed(data_mib, wbits):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(data_mib)) + packer.flush()


@case
def compression_bombs_cost_no_memory(stage):
    rows, zipped = [], packed(512, 31)
    for name, coding, body in (("gzip", "gzip", zipped), ("deflate", "deflate", packed(512, 15)), ("raw deflate", "deflate", packed(512, -15)),
                               ("gzip in gzip", "gzip, gzip", gzip.compress(zipped)), ("x-gzip", "x-gzip", zipped)):
        rows.append((name, sends(response(body, headers=[f"Content-Encoding: {coding}", *TEXT])), "RESULT_TOO_LARGE"))
    rows.append(("ten times", sends(response(zipped, headers=["Content-Encoding: " + ", ".join(["gzip"] * 10)])), "HTTP_FAILED"))
    rows.append(("not what it says", sends(response(b"plain", headers=["Content-Encoding: gzip"])), "HTTP_FAILED"))
    try:
        import brotli
    except ImportError:
        pass
    else:
        packer = brotli.Compressor(quality=5)
        body = b"".join(packer.process(bytes(1 << 20)) for _ in range(512)) + packer.finish()
        rows.append(("brotli", sends(response(body, headers=["Content-Encoding: br", *TEXT])), "RESULT_TOO_LARGE"))
    attack(stage, rows)


@case
def json_bombs_cost_no_memory(stage):
    half = 1 << 19

    def says_json(body):
        return sends(response(body, headers=["Content-Type: application/json"]))
    attack(stage, [
        ("deep arrays", says_json(b"[" * half + b"]" * half), "HTTP_FAILED|RESULT_TOO_LARGE"),
        ("deep objects", says_json(b'{"a":' * 100000), "HTTP_FAILED"),
        ("33 levels", says_json(b"[" * 33 + b"]" * 33), "RESULT_TOO_LARGE"),
        ("an endless number", says_json(b"1" * half), "HTTP_FAILED"),
        ("an endless fraction", says_json(b"0." + b"1" * half + b"e99999"), "HTTP_FAILED"),
        ("halves of characters", says_json(b'["' + b"\\ud800" * 10000 + b'"]'), "HTTP_FAILED"),
        ("the same key", says_json(b"{" + b",".join([b'"a":1'] * 1000) + b"}"), "HTTP_FAILED"),
    ])
    url = stage.route("/many", says_json(b"[" + b",".join([b"{}"] * 300000) + b"]"))
    assert len(stage.value(url, {"timeout": 20000})["data"]) == 300000


# ---- noise ----

@case
def noise_is_a_failed_request(stage):
    """Two hundred answers: a good response with damage in it, or none at all."""
    dice = random.Random(4)
    good = response(b'{"a": [1, 2, 3]}', headers=["Content-Type: application/json", "X-A: b", "Set-Cookie: c=d"])
    pid = worker_pid(stage)
    for n in range(200):
        answer = bytearray(good if n % 4 else dice.randbytes(300))
        for _ in range(dice.randrange(1, 6)):
            answer[dice.randrange(len(answer))] = dice.choice(b"\0\r\n :;,\"{[\xff0129")
        del answer[dice.randrange(len(answer)):dice.randrange(len(answer) + 1)]
        record = stage.fetch(stage.route("/noise", sends(bytes(answer))), {"timeout": 5000}, acceptStatus="any")
        assert record["state"] in ("succeeded", "failed"), record
        assert record["state"] == "succeeded" or record["error"]["code"] in ("HTTP_FAILED", "RESULT_TOO_LARGE", "TIMEOUT", "URL_REFUSED"), \
            (bytes(answer), record)
    assert worker_pid(stage) == pid


# ---- neighbours ----

def quick_ones(stage):
    """The p99 of a hundred quick tasks, in seconds: the median of three such. They are refused by the worker itself, since
    this process, which is the servers', has its hands full."""
    p99 = []
    with stage.daemon.client() as client:
        for _ in range(3):
            took = []
            for _ in range(100):
                started = time.monotonic()
                record = client.run({"type": "http-request", "url": "http://127.0.0.1/"})
                took.append(time.monotonic() - started)
                assert record["error"]["code"] == "URL_REFUSED", record
            p99.append(statistics.quantiles(took, n=100)[98])
    return statistics.median(p99), record["attempts"][0]["pid"]


def expect_no_notice(quiet, loud):
    # Twice, and what a few turns of somebody else take: longer where many others want the processors.
    crowd = max(1, os.getloadavg()[0] / os.cpu_count()) * (6 if "POPPO_SANITIZED" in os.environ else 1)
    assert loud < 2 * quiet + 0.05 * crowd, (quiet, loud, crowd)


def with_neighbours(stage, url, count, timeout):
    """So many tasks for this URL, and what quick ones take meanwhile; the records."""
    quiet, pid = quick_ones(stage)
    with stage.daemon.client() as client:
        seqs = [client.send("submit", task={"type": "http-request", "url": url}, wait=True, options={"timeout": timeout})
                for _ in range(count)]
        eventually(lambda: stage.running(pid) >= count, "all are under way")
        loud, same = quick_ones(stage)
        records = [client.reply(seq)["result"] for seq in seqs]
    assert same == pid
    expect_no_notice(quiet, loud)
    return records


@case
def slow_drips_end_at_their_deadline_and_hold_nobody_up(stage):
    def drip(connection, _head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)
    records = with_neighbours(stage, stage.route("/drip", drip), 100, 5000)
    assert {r["error"]["code"] for r in records} == {"TIMEOUT"}, records[0]


@case
def names_that_nobody_answers_hold_nobody_up(stage):
    records = with_neighbours(stage, "http://silent.test/", 100, 1500)
    assert {r["error"]["code"] for r in records} <= {"TIMEOUT", "HTTP_FAILED"}, records[0]


@case
def lookups_that_are_given_up_leave_room_for_others(stage):
    """Each leaves a thread that waits for the name server for as long as that takes."""
    pid, records = worker_pid(stage), []
    with stage.daemon.client() as client:
        for lot in range(30):
            asked = [client.send("submit", task={"type": "http-request", "url": f"http://silent.test/{lot}/{n}"},
                                 options={"timeout": 20, "maxAttempts": 1}, wait=True) for n in range(100)]
            records += [client.reply(seq)["result"] for seq in asked]
    others = [r["error"] for r in records if r["error"]["code"] != "TIMEOUT"]
    assert not others, (len(others), others[:3])
    assert worker_pid(stage) == pid


@case
def bombs_and_floods_hold_nobody_up(stage):
    body = response(packed(256, 31), headers=["Content-Encoding: gzip", *TEXT])
    stop = threading.Event()
    quiet, pid = quick_ones(stage)

    def bomber():
        with stage.daemon.client() as client:
            while not stop.is_set():
                client.run({"type": "http-request", "url": url}, timeout=5000)
    url = stage.route("/bomb", sends(body))
    threads = [threading.Thread(target=bomber) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        loud, same = quick_ones(stage)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert same == pid
    # A bomb is cut at the first megabyte: what a neighbour may notice is a few of those.
    expect_no_notice(quiet, loud)


def cases(stage):
    stage.route("/good", gives(b"good", headers=TEXT))
    stage.running = lambda pid: sum(w.get("running", 0) for w in stage.daemon.status()["workers"].values() if w.get("pid") == pid)
    return run(stage)


sys.exit(http_stage.perform(cases, NAMES))

"""http-request against real servers: httpbin, nginx with good and bad certificates, and one that answers byte by byte. All
in a network of the test's own, where lo has addresses that look public, so that the default policy is what is tested."""
import sys
import threading
import time

import http_stage
import private_net
from dns_server import DnsServer
from harness import eventually
from http_servers import RawServer, gives, response
from private_net import PUBLIC
from tap import Skip, case, run

NAMES = {"b\u00fccher.test": [private_net.OTHER], "xn--bcher-kva.test": [private_net.OTHER], "silent.test": None,
         "both.test": [private_net.OTHER, private_net.PUBLIC_V6]}


# ---- requests ----

@case
def every_method_reaches_the_server(stage):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        value = stage.value(f"http://bin.test/{method.lower()}", method=method)
        assert value["status"] == 200 and value["statusText"] == "OK", value
        assert value["data"]["url"] == f"http://bin.test/{method.lower()}", value
        assert value["headers"]["content-type"] == "application/json", value
    url = stage.route("/any", gives(b"x", headers=["Content-Type: text/plain"]))
    for method in ("OPTIONS", "PROPFIND", "TRACE", "MY-OWN"):
        assert stage.value(url, method=method)["data"] == "x"
        assert stage.raw.requests[-1].startswith(f"{method} /any HTTP/1.1"), stage.raw.requests[-1]
    value = stage.value(url, method="HEAD")
    assert value["data"] == "" and value["headers"]["content-length"] == "1", value


@case
def params_headers_and_data_arrive_as_they_were_given(stage):
    value = stage.value("http://bin.test/anything?x=1", params={"a b": "c&d", "n": [1, 2.5], "t": True, "none": None},
                        headers={"X-Mine": "one, two", "X-Empty": ""}, data={"k": ["v", 1, None, 0.1]})
    data = value["data"]
    assert data["method"] == "POST", data
    assert data["args"] == {"x": "1", "a b": "c&d", "n": ["1", "2.5"], "t": "true"}, data
    assert data["headers"]["X-Mine"] == "one, two" and data["headers"]["X-Empty"] == "", data
    assert data["headers"]["Content-Type"] == "application/json" and data["json"] == {"k": ["v", 1, None, 0.1]}, data
    data = stage.value("http://bin.test/anything", data="plain \u00fc")["data"]
    assert data["data"] == "plain \u00fc" and data["headers"]["Content-Type"].startswith("text/plain"), data
    data = stage.value("http://bin.test/anything", data="a=1&b=2", method="PUT",
                       headers={"content-type": "application/x-www-form-urlencoded"})["data"]
    assert data["form"] == {"a": "1", "b": "2"} and data["method"] == "PUT", data
    sent = stage.value("http://bin.test/anything", data=bytes(range(256)))["data"]
    assert sent["headers"]["Content-Length"] == "256" and sent["headers"]["Content-Type"] == "application/octet-stream", sent


@case
def a_large_body_goes_out_at_once(stage):
    body = "x" * 900000
    started = time.monotonic()
    assert stage.value("http://bin.test/post", data=body)["data"]["data"] == body
    assert time.monotonic() - started < 10


@case
def credentials_are_sent_and_wrong_ones_refused(stage):
    good = {"username": "me", "password": "s:\u00fc"}
    assert stage.value("http://bin.test/basic-auth/me/s:%C3%BC", auth=good)["data"]["authenticated"]
    assert stage.value("http://me:secret@bin.test/basic-auth/me/secret")["data"]["user"] == "me"
    assert stage.value("http://bin.test/headers", auth={"bearer": "abc"})["data"]["headers"]["Authorization"] == "Bearer abc"
    error = stage.error("HTTP_STATUS", "http://bin.test/basic-auth/me/other", auth=good)
    assert error["data"]["status"] == 401, error


@case
def a_trace_is_carried_on(stage):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = stage.value("http://bin.test/headers", {"traceparent": trace})["data"]["headers"]
    assert headers["Traceparent"] == trace, headers
    headers = stage.value("http://bin.test/headers", {"traceparent": trace}, headers={"traceparent": "mine"})["data"]["headers"]
    assert headers["Traceparent"] == "mine", headers


@case
def international_names_are_looked_up_in_ascii(stage):
    stage.route("/idn", gives(b"here", headers=["Content-Type: text/plain"]))
    assert stage.value("http://b\u00fccher.test/idn")["data"] == "here"
    assert "Host: xn--bcher-kva.test" in stage.raw.requests[-1], stage.raw.requests[-1]


# ---- responses ----

@case
def compressed_bodies_are_unpacked(stage):
    for kind, key in (("gzip", "gzipped"), ("deflate", "deflated"), ("brotli", "brotli")):
        value = stage.value(f"http://bin.test/{kind}")
        assert value["data"][key] is True, value
        assert value["headers"]["content-encoding"] in ("gzip", "deflate", "br"), value


@case
def chunked_and_slow_bodies_come_whole(stage):
    value = stage.value("http://bin.test/stream/5", responseType="text")
    assert len(value["data"].splitlines()) == 5, value
    value = stage.value("http://bin.test/drip?duration=1&numbytes=20&delay=0", responseType="bytes")
    assert value["data"] == b"*" * 20, value

    def chunks(connection, _head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"5\r\nhello\r\n", b"1;ext=1\r\n \r\n", b"5\r\nworld\r\n", b"0\r\nX-Trailer: t\r\n\r\n"):
            connection.sendall(piece)
            time.sleep(0.02)
        return True
    value = stage.value(stage.route("/chunks", chunks))
    assert value["data"] == "hello world" and "x-trailer" not in value["headers"], value


@case
def what_data_becomes_is_the_responses_say_or_the_tasks(stage):
    assert isinstance(stage.value("http://bin.test/get")["data"], dict)
    assert isinstance(stage.value("http://bin.test/get", responseType="text")["data"], str)
    assert isinstance(stage.value("http://bin.test/get", responseType="bytes")["data"], bytes)
    assert stage.value("http://bin.test/image/png")["data"].startswith(b"\x89PNG")
    assert stage.value("http://bin.test/robots.txt")["data"].startswith("User-agent: *")
    url = stage.route("/kittens", gives("{\"k\": \"\u732b\"}".encode(), headers=["Content-Type: application/kittens+json"]))
    assert stage.value(url)["data"] == {"k": "\u732b"}
    url = stage.route("/latin", gives(b"caf\xe9", headers=["Content-Type: text/plain; charset=iso-8859-1"]))
    assert stage.value(url)["data"] == "caf\u00e9"
    url = stage.route("/nojson", gives(b"{oops", headers=["Content-Type: application/json"]))
    assert "JSON" in stage.error("HTTP_FAILED", url)["message"]
    assert stage.value(url, responseType="text")["data"] == "{oops"


@case
def headers_come_in_lower_case_and_repeated_ones_together(stage):
    url = stage.route("/headers", gives(b"", headers=["X-ONE: a", "x-one: b", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2, c",
                                                      "X-Word: caf\xe9", "X-Blank:"]))
    headers = stage.value(url)["headers"]
    assert headers["x-one"] == "a, b" and headers["set-cookie"] == ["a=1; Path=/", "b=2, c"], headers
    assert headers["x-word"] == "caf\u00e9" and headers["x-blank"] == "", headers


@case
def a_status_that_is_not_accepted_fails_and_carries_the_response(stage):
    error = stage.error("HTTP_STATUS", "http://bin.test/status/418")
    assert "418" in error["message"] and error["data"]["status"] == 418 and "teapot" in error["data"]["data"], error
    for status, accept in ((418, "any"), (404, [404]), (503, ["2xx", "5xx"]), (204, "2xx")):
        assert stage.value(f"http://bin.test/status/{status}", acceptStatus=accept)["status"] == status
    stage.error("HTTP_STATUS", "http://bin.test/get", acceptStatus=[404])
    url = stage.route("/badjson", gives(b"<html>", "500 Oh No", headers=["Content-Type: application/json"]))
    error = stage.error("HTTP_STATUS", url)
    assert error["data"] == {**error["data"], "status": 500, "statusText": "Oh No", "data": "<html>"}, error


@case
def a_body_over_the_limit_is_refused(stage):
    limit = 1 << 20
    url = stage.route("/large", gives(b"x" * limit, headers=["Content-Type: application/octet-stream"]))
    assert stage.error("RESULT_TOO_LARGE", url)["message"].count("queue.maxResultBytes")
    url = stage.route("/larger", gives(b"x" * (limit + 1), headers=["Content-Type: text/plain"]))
    assert stage.error("RESULT_TOO_LARGE", url)["message"].count("maxResponseBytes")
    url = stage.route("/fits", gives(b"x" * (limit - 4096), headers=["Content-Type: text/plain"]))
    assert len(stage.value(url)["data"]) == limit - 4096
    url = stage.route("/large404", gives(b"x" * (limit + 1), "404 Not Found"))
    error = stage.error("HTTP_STATUS", url)
    assert error["data"]["status"] == 404 and "data" not in error["data"], error


@case
def timings_tell_where_the_time_went(stage):
    record = stage.fetch("http://bin.test/delay/1")
    timings = record["timings"]
    assert set(timings) == {"dns", "connect", "tls", "firstByte", "total"}, timings
    assert 900 < timings["firstByte"] <= timings["total"] < 10000 and timings["tls"] == 0, timings
    record = stage.fetch("https://good.test/", {"projectId": "tls"})
    assert record["timings"]["tls"] > 0 and record["timings"]["connect"] > 0, record["timings"]
    assert record["cpuMs"] > 0 and record["maxMemoryBytes"] > 0, record
    # What it costs to start a worker is no task's.
    record = stage.fetch("http://bin.test:22/", {"isolation": "process"})
    assert record["error"]["code"] == "URL_REFUSED" and record["cpuMs"] < 10, record


# ---- connections ----

@case
def connections_are_kept_between_tasks_of_a_project(stage):
    url = stage.route("/keep", gives(b"k", headers=["Content-Type: text/plain"]))
    stage.value(url, {"projectId": "keeps"})
    before = stage.raw.connections
    pids = {stage.fetch(url, {"projectId": "keeps"})["attempts"][0]["pid"] for _ in range(20)}
    assert len(pids) == 1 and stage.raw.connections == before, (pids, before, stage.raw.connections)
    other = stage.fetch(url, {"projectId": "keeps-too"})
    assert other["attempts"][0]["pid"] not in pids and stage.raw.connections == before + 1, other


@case
def new_settings_are_new_connections(stage):
    url = stage.route("/new", gives(b"k", headers=["Content-Type: text/plain"]))
    pid = stage.fetch(url, {"projectId": "new"})["attempts"][0]["pid"]
    before = stage.raw.connections
    stage.reload({"maxRedirects": 4})
    again = stage.fetch(url, {"projectId": "new"})["attempts"][0]["pid"]
    assert again == pid and stage.raw.connections == before + 1, (pid, again, before, stage.raw.connections)
    stage.reload(None)


@case
def two_hundred_transfers_share_one_process(stage):
    gate, arrived = threading.Event(), threading.Semaphore(0)

    def hold(connection, head):
        arrived.release()
        assert gate.wait(60)
        connection.sendall(response(head.split(" ")[1].encode(), headers=["Content-Type: text/plain"]))
        return True
    url = stage.route("/hold", hold)
    with stage.daemon.client() as client:
        seqs = [client.send("submit", task={"type": "http-request", "url": f"{url}?{n}"}, wait=True,
                            options={"projectId": "crowd", "timeout": 60000}) for n in range(200)]
        for _ in range(200):
            assert arrived.acquire(timeout=60), "not all of them were under way at once"
        gate.set()
        records = [client.reply(seq)["result"] for seq in seqs]
    assert [r["value"]["data"] for r in records] == [f"/hold?{n}" for n in range(200)], records[0]
    assert len({r["attempts"][0]["pid"] for r in records}) == 1


@case
def both_kinds_of_addresses_are_used(stage):
    if not private_net.has_v6():
        raise Skip("no IPv6 here")
    six = RawServer(private_net.PUBLIC_V6, 80, {"/six": gives(b"6", headers=["Content-Type: text/plain"])}, 10)
    assert stage.value("http://both.test/six")["data"] == "6"
    assert stage.value(f"http://[{private_net.PUBLIC_V6}]/six")["data"] == "6"
    six.close()
    stage.route("/six", gives(b"4", headers=["Content-Type: text/plain"]))
    assert stage.value("http://both.test/six", {"projectId": "later"})["data"] == "4"


# ---- TLS ----

@case
def a_good_certificate_is_verified_and_http2_used(stage):
    tls = {"projectId": "tls"}
    assert stage.value("https://good.test/", tls)["data"].startswith("good.test HTTP/2.0"), stage.value("https://good.test/", tls)
    assert stage.value("https://one.good.test/", tls)["data"].startswith("one.good.test")
    assert stage.value(f"https://{PUBLIC}/", tls)["status"] == 200


@case
def bad_certificates_are_told_apart(stage):
    for name, words in (("expired", "expired"), ("wrong", "does not match|no alternative certificate"), ("self", "self-signed"),
                        ("untrusted", "unable to get local issuer")):
        message = stage.error("HTTP_FAILED", f"https://{name}.test/", {"projectId": "tls"})["message"]
        assert any(word in message for word in words.split("|")), (name, message)
    stage.error("HTTP_FAILED", "https://old.good.test/", {"projectId": "tls"})


@case
def the_systems_authorities_are_trusted_unless_there_is_a_ca_file(stage):
    assert stage.value("https://untrusted.test/")["status"] == 200
    stage.error("HTTP_FAILED", "https://good.test/")
    stage.error("HTTP_FAILED", "https://untrusted.test/", {"projectId": "tls"})


@case
def a_ca_file_without_certificates_is_said_so(stage):
    message = stage.error("HTTP_FAILED", "https://good.test/", {"projectId": "broken-ca"})["message"]
    assert "caFile" in message, message
    assert stage.value("http://bin.test/get", {"projectId": "broken-ca"})["status"] == 200


@case
def a_ca_file_that_cannot_be_read_is_said_with_the_reason(stage):
    message = stage.error("HTTP_FAILED", "https://good.test/", {"projectId": "no-ca"})["message"]
    assert "caFile cannot be read" in message and "No such file" in message, message
    assert stage.value("https://untrusted.test/")["status"] == 200


# ---- failures ----

@case
def failed_transfers_say_why(stage):
    assert "resolve" in stage.error("HTTP_FAILED", "http://nobody.test/")["message"]
    assert "connect" in stage.error("HTTP_FAILED", f"http://{private_net.EMPTY}/")["message"]

    def hang_up(connection, _head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    stage.error("HTTP_FAILED", stage.route("/short", hang_up))
    stage.error("HTTP_FAILED", stage.route("/nothing", lambda connection, _head: None))
    stage.error("HTTP_FAILED", stage.route("/noise", lambda connection, _head: connection.sendall(b"\0\1\2 what?\r\n\r\n")))


@case
def timeouts_end_a_request_wherever_it_is(stage):
    def silence(connection, _head):
        connection.recv(1)
    url = stage.route("/silence", silence)
    for fields, options in (({"timeout": 300}, {}), ({}, {"timeout": 300}), ({"timeout": 60000}, {"timeout": 300})):
        started = time.monotonic()
        assert "300 ms" in stage.error("TIMEOUT", url, options, **fields)["message"]
        assert time.monotonic() - started < 2
    # While its name is looked up; and that lookup holds nobody up.
    started = time.monotonic()
    stage.error("TIMEOUT", "http://silent.test/", timeout=300)
    assert stage.value("http://bin.test/get")["status"] == 200
    assert time.monotonic() - started < 1.5


@case
def a_cancelled_request_ends_at_once(stage):
    closed = threading.Event()

    def silence(connection, _head):
        connection.recv(1)
        closed.set()
    url = stage.route("/cancel", silence)
    with stage.daemon.client() as client:
        task = client.submit({"type": "http-request", "url": url})
        eventually(lambda: any("/cancel" in head for head in stage.raw.requests), "the request arrives")
        assert client.call("cancel", id=task)["state"] == "cancelled"
        assert client.call("result", id=task)["result"]["error"]["code"] == "CANCELLED"
    assert closed.wait(5), "the connection stays open"


@case
def what_a_task_gets_wrong_is_told_before_anything_is_sent(stage):
    before = len(stage.raw.requests)
    for fields in ({"url": "raw.test/x"}, {"url": "http://raw.test/", "headers": {"A": "b\r\nC: d"}},
                   {"url": "http://raw.test/", "method": "GET\r\nX"}, {"url": "http://raw.test/", "acceptStatus": "ok"},
                   {"url": "http://raw.test/", "headers": {"Content-Length": "1"}}, {"url": "http://raw.test/", "auth": {}},
                   {"url": "http://raw.test/", "params": {"a": {}}}):
        record = stage.fetch(**fields)
        assert record["state"] == "failed" and record["error"]["code"] == "INVALID_TASK", record
    assert len(stage.raw.requests) == before


# ---- the last one, since whoever comes next may meet a worker that cannot look names up any more ----

@case
def new_name_servers_are_used_without_a_restart(stage):
    moved = DnsServer("127.0.0.54")
    moved.update({**stage.names, "moved.test": [private_net.OTHER]})
    url = stage.route("/moved", gives(b"moved", headers=["Content-Type: text/plain"])).replace("raw", "moved")
    message = stage.error("HTTP_FAILED", url, {"projectId": "moves"})["message"]
    assert "resolve" in message, message
    private_net.use_nameserver("127.0.0.54")
    try:
        # A worker that may not read the new file asks for a successor that may, and loses no task by it.
        records = []
        eventually(lambda: records.append(stage.fetch(url, {"projectId": "moves"})) or records[-1]["state"] == "succeeded",
                   "the new name server is asked")
        assert records[-1]["value"]["data"] == "moved", records[-1]
        assert {r["error"]["code"] for r in records[:-1]} <= {"HTTP_FAILED"}, records
    finally:
        private_net.use_nameserver(http_stage.RESOLVER)


sys.exit(http_stage.perform(run, NAMES, with_tls=True))

"""Where http-request goes and where it does not: every spelling of an address, redirects, names that change their answer,
and what the operator opens. The servers that must not be reached are there, and say whether they were."""
import socket
import sys
import threading

import http_stage
import private_net
from harness import eventually
from http_servers import RawServer, gives, redirects
from private_net import OTHER, PUBLIC
from tap import Skip, case, note, run

# All of these lead to a server that is there: a refusal is never a failure to connect.
LOCAL = ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7F.1", "0177.0.0.1", "017700000001",
         "0177.1", "00000177.0.0.1", "127.000.000.001", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "sub.localhost",
         "%31%32%37.0.0.1", "%6cocalhost", "\u2460\u2461\u2466.0.0.1", "\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11",
         "127\u30020\u30020\u30021", "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54", "127.8.8.8", "0", "0.0.0.0", "0x0",
         "user@127.0.0.1", "raw.test@127.0.0.1", "raw.test:80@127.0.0.1", "raw.test%40@127.0.0.1", "raw.test%00@127.0.0.1"]
LOCAL_V6 = ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0.0.0.1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
            "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]",
            "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::]", "[::ffff:0:127.0.0.1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[::1%25lo]"]
OTHERS = [*private_net.PRIVATE, *(f"[{a}]" for a in private_net.PRIVATE_V6), "[::ffff:10.0.0.1]", "[::ffff:a00:1]", "10.1",
          "167772161", "0xa9fea9fe", "192.168.257", "0xac.0x10.0.1", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
          "224.0.0.1", "255.255.255.255", "[ff02::1]", "192.0.2.1", "198.18.0.1", "240.0.0.1"]
REFUSED = [*LOCAL, *LOCAL_V6, *OTHERS]
# libcurl or the name server may be the ones who say no; nobody may say yes.
NO = ("URL_REFUSED", "INVALID_TASK", "HTTP_FAILED")

NAMES = {"private.test": ["10.0.0.1"], "local.test": ["127.0.0.1"], "six.test": ["::1"], "mapped.test": ["::ffff:127.0.0.1"],
         "meta.test": ["169.254.169.254"], "mixed.test": ["127.0.0.1", OTHER], "mixed2.test": [OTHER, "10.0.0.1"],
         "wiki.lan": ["10.0.0.1"], "a.wiki.lan": ["10.0.0.1"], "lan.test": ["10.0.0.1"]}

secret = []  # servers on addresses that no task may reach


def listen_everywhere():
    """On every port-80 address that a spelling could lead to, with an answer that would show."""
    answer = {"/": gives(b"SECRET", headers=["Content-Type: text/plain"])}
    for address in ("127.0.0.1", "127.8.8.8", *private_net.PRIVATE):
        secret.append(RawServer(address, 80, answer))
    if private_net.has_v6():
        for address in ("::1", *private_net.PRIVATE_V6[:1]):
            secret.append(RawServer(address, 80, answer, socket.AF_INET6))
    return answer


def visits():
    return sum(server.connections for server in secret)


def expect_no(stage, url, what, **fields):
    before = visits()
    record = stage.fetch(url, **fields)
    assert record["state"] == "failed" and record["error"]["code"] in NO, (what, record)
    assert visits() == before, what
    return record["error"]


@case
def the_servers_that_must_not_be_reached_are_there(stage):
    for server in secret:
        address = server.sock.getsockname()
        with socket.create_connection(address[:2], 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"SECRET" in connection.recv(4096), address
    eventually(lambda: visits() == len(secret), "each was visited")


@case
def every_spelling_of_a_private_address_is_refused(stage):
    refused = 0
    for spelling in REFUSED:
        error = expect_no(stage, f"http://{spelling}/", spelling)
        refused += error["code"] == "URL_REFUSED"
        if error["code"] != "URL_REFUSED":
            note(f"{spelling!r}: {error['code']}: {error['message']}")
    # What was understood was refused for what it is.
    assert refused > len(REFUSED) * 2 // 3, refused


@case
def every_spelling_is_refused_after_a_redirect_too(stage):
    for spelling in REFUSED:
        target = f"http://{spelling}/".encode().decode("latin-1")
        expect_no(stage, stage.route("/to", redirects(target)), spelling)


@case
def names_that_lead_to_private_addresses_are_refused(stage):
    for name in ("private", "local", "six", "mapped", "meta"):
        assert stage.error("URL_REFUSED", f"http://{name}.test/")["message"].count("refused"), name
        stage.error("URL_REFUSED", stage.route("/to", redirects(f"http://{name}.test/")))
    assert visits() == len(secret)


@case
def a_name_with_both_kinds_reaches_only_the_public_one(stage):
    stage.route("/", gives(b"public", headers=["Content-Type: text/plain"]))
    before = visits()
    for name in ("mixed", "mixed2"):
        for n in range(4):
            assert stage.value(f"http://{name}.test/", {"projectId": f"mixed{n}"})["data"] == "public"
    assert visits() == before


@case
def a_name_that_changes_its_answer_is_decided_on_again(stage):
    stage.route("/", gives(b"public", headers=["Content-Type: text/plain"]))
    before = visits()
    turned = threading.Event()
    stage.names["turns.test"] = lambda _n: ["127.0.0.1"] if turned.is_set() else [OTHER]
    assert stage.value("http://turns.test/", {"projectId": "one"})["data"] == "public"
    turned.set()
    # Another worker asks anew; this one has a connection to where it was allowed to go, and stays with it.
    assert "loopback" in stage.error("URL_REFUSED", "http://turns.test/", {"projectId": "two"})["message"]
    assert stage.value("http://turns.test/", {"projectId": "one"})["data"] == "public"
    assert visits() == before


@case
def a_name_that_changes_its_answer_within_a_request_is_refused(stage):
    """The second hop has another port, so it is looked up again; and then the name leads home."""
    before = visits()
    stage.names["rebinds.test"] = lambda n: [OTHER] if n == 0 else ["127.0.0.1"]
    stage.route("/", redirects("http://rebinds.test:443/", "307 Temporary Redirect"))
    assert "redirect 1" in stage.error("URL_REFUSED", "http://rebinds.test/", {"projectId": "rebind"})["message"]
    assert visits() == before


@case
def other_schemes_and_ports_are_refused(stage):
    for url in ("ftp://raw.test/", "file:///etc/passwd", "gopher://raw.test/", "dict://raw.test/", "scp://raw.test/",
                "http://raw.test:22/", "http://raw.test:8080/", "https://raw.test:80443/", "http://raw.test:0/"):
        expect_no(stage, url, url)
        if ":80443" not in url:
            error = expect_no(stage, stage.route("/to", redirects(url)), url)
            assert error["code"] == "URL_REFUSED" and "redirect 1" in error["message"], (url, error)
    for location in ("//127.0.0.1/", "///127.0.0.1/", "\\\\127.0.0.1\\", "http:/\\127.0.0.1/", "javascript:alert(1)",
                     "http://user:pw@raw.test/x"):
        before = visits()
        record = stage.fetch(stage.route("/to", redirects(location)))
        # Some are paths on the same server.
        assert record["state"] == "failed" and record["error"]["code"] in (*NO, "HTTP_STATUS"), (location, record)
        assert visits() == before, location


# ---- redirects ----

@case
def redirects_are_followed_to_their_end(stage):
    assert stage.value("http://bin.test/redirect/3")["data"]["url"] == "http://bin.test/get"
    assert stage.value("http://bin.test/relative-redirect/5")["data"]["url"] == "http://bin.test/get"
    url = stage.route("/away", redirects("http://bin.test/get"))
    assert stage.value(url)["data"]["url"] == "http://bin.test/get"


@case
def redirects_are_counted(stage):
    message = stage.error("HTTP_FAILED", "http://bin.test/redirect/6")["message"]
    assert "one more redirect than the 5" in message, message
    assert "than the 2" in stage.error("HTTP_FAILED", "http://bin.test/redirect/3", maxRedirects=2)["message"]
    assert stage.value("http://bin.test/redirect/2", maxRedirects=2)["status"] == 200
    assert "than the 5" in stage.error("HTTP_FAILED", "http://bin.test/redirect/9", maxRedirects=100)["message"]
    url = stage.route("/loop", redirects("/loop"))
    before = len(stage.raw.requests)
    stage.error("HTTP_FAILED", url)
    assert len(stage.raw.requests) == before + 6


@case
def without_redirects_one_is_the_response(stage):
    value = stage.value("http://bin.test/redirect/1", maxRedirects=0, acceptStatus="any")
    assert value["status"] == 302 and value["headers"]["location"] == "/get", value
    assert stage.error("HTTP_STATUS", "http://bin.test/redirect/1", maxRedirects=0)["data"]["status"] == 302
    assert stage.value("http://bin.test/status/304", acceptStatus=[304])["status"] == 304
    value = stage.value(stage.route("/nowhere", gives(b"", "302 Found")), acceptStatus="any")
    assert value["status"] == 302, value


@case
def the_method_changes_as_the_status_says(stage):
    stage.route("/end", gives(b"end", headers=["Content-Type: text/plain"]))
    for status, method, wanted, with_body in ((301, "POST", "GET", False), (302, "POST", "GET", False), (303, "PUT", "GET", False),
                                              (307, "POST", "POST", True), (308, "PUT", "PUT", True), (302, "PUT", "PUT", True),
                                              (303, "HEAD", "HEAD", False), (301, "DELETE", "DELETE", False)):
        url = stage.route("/begin", redirects("/end", f"{status} Moved"))
        fields = {"data": {"a": 1}} if method in ("POST", "PUT") else {}
        stage.value(url, method=method, **fields)
        last = stage.raw.requests[-1]
        assert last.startswith(f"{wanted} /end "), (status, method, last)
        assert ("Content-Length: 7" in last) == ("application/json" in last) == with_body, (status, method, last)


@case
def credentials_do_not_go_to_somebody_else(stage):
    headers = {"Authorization": "Bearer s3cret", "Cookie": "s3cret=1", "X-Mine": "stays"}
    stage.route("/end", gives(b"end", headers=["Content-Type: text/plain"]))
    stage.value(stage.route("/here", redirects("/end")), headers=headers)
    assert "s3cret" in stage.raw.requests[-1]
    got = stage.value(stage.route("/away", redirects("http://bin.test/headers")), headers=headers)["data"]["headers"]
    assert "Authorization" not in got and "Cookie" not in got and got["X-Mine"] == "stays", got
    for auth in ({"username": "u", "password": "s3cret"}, {"bearer": "s3cret"}):
        got = stage.value("http://raw.test/away", auth=auth)["data"]["headers"]
        assert "Authorization" not in got, got
        stage.value("http://raw.test/here", auth=auth)
        assert "Authorization: " in stage.raw.requests[-1]


# ---- what the operator opens ----

@case
def allow_private_opens_private_addresses_and_no_others(stage):
    stage.reload({"allowPrivate": True})
    try:
        for url in ("http://10.0.0.1/", "http://localhost/", "http://private.test/", "http://100.64.0.1/"):
            assert stage.value(url, {"projectId": "p"})["data"] == "SECRET", url
        for url in ("http://169.254.169.254/", "http://meta.test/", "http://0.0.0.0/", "http://10.0.0.1:22/"):
            stage.error("URL_REFUSED", url, {"projectId": "p"})
    finally:
        stage.reload(None)
    stage.error("URL_REFUSED", "http://10.0.0.1/", {"projectId": "p"})


@case
def allow_hosts_opens_exactly_what_it_names(stage):
    ports = [RawServer("10.0.0.1", 8080, {"/": gives(b"wiki", headers=["Content-Type: text/plain"])})]
    opened = {
        ("wiki.lan",): {"http://wiki.lan/": True, "http://WIKI.LAN./": True, "http://10.0.0.1/": False, "http://a.wiki.lan/": False,
                        "http://wiki.lan:8080/": False, "http://lan.test/": False},
        (".lan:8080",): {"http://wiki.lan:8080/": True, "http://a.wiki.lan:8080/": True, "http://wiki.lan/": False,
                         "http://lan.test:8080/": False},
        ("10.0.0.0/24",): {"http://10.0.0.1/": True, "http://lan.test/": True, "http://[::ffff:10.0.0.1]/": False,
                           "http://172.16.0.1/": False, "http://10.0.0.1:8080/": False},
        ("10.0.0.1:8080", "169.254.169.254"): {"http://lan.test:8080/": True, "http://10.0.0.1/": False, "http://meta.test/": True},
    }
    try:
        for entries, urls in opened.items():
            stage.reload({"allowHosts": list(entries)})
            for url, is_open in urls.items():
                record = stage.fetch(url, {"projectId": "opened"})
                assert (record["state"] == "succeeded") == is_open, (entries, url, record)
                assert is_open or record["error"]["code"] == "URL_REFUSED", (entries, url, record)
    finally:
        stage.reload(None)
        for server in ports:
            server.close()


@case
def what_is_closed_again_is_not_reached_by_an_old_connection(stage):
    stage.reload({"allowHosts": ["wiki.lan"]})
    try:
        pid = stage.fetch("http://wiki.lan/", {"projectId": "closing"})["attempts"][0]["pid"]
    finally:
        stage.reload(None)
    record = stage.fetch("http://wiki.lan/", {"projectId": "closing"})
    assert record["error"]["code"] == "URL_REFUSED" and record["attempts"][0]["pid"] == pid, record


@case
def refusals_are_not_tried_again(stage):
    record = stage.fetch("http://127.0.0.1/", {"maxAttempts": 5, "retryDelay": 0})
    assert len(record["attempts"]) == 1 and record["error"]["code"] == "URL_REFUSED", record


def cases(stage):
    listen_everywhere()
    return run(stage)


sys.exit(http_stage.perform(cases, NAMES))

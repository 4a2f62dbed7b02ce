"""What tests of http-request play on: a network of their own with a name server, httpbin at http://bin.test, a server that
answers what the case says at http://raw.test, on demand nginx at https://good.test and its like, and a daemon.

    def a_case(stage):
        url = stage.route("/x", gives(b"hello"))
        assert stage.value(url)["data"] == "hello"
    sys.exit(http_stage.perform(tap.run, names))
"""
import tempfile

import http_servers
import private_net
from dns_server import DnsServer
from harness import Daemon
from private_net import OTHER, PUBLIC

RESOLVER = "127.0.0.53"
NAMES = {"bin.test": [PUBLIC], "raw.test": [OTHER], "one.good.test": [PUBLIC], "old.good.test": [OTHER],
         **{f"{name}.test": [PUBLIC] for name in ("good", "wrong", "expired", "self", "untrusted")}}
CONFIG = {"daemon": {"worker": {"maxProcesses": 4, "maxTasksPerWorker": 0}}, "defaults": {"maxAttempts": 1, "timeout": "20s"}}


class Stage:
    def __init__(self, daemon, config, names, raw):
        self.daemon, self.config, self.names, self.raw = daemon, config, names, raw

    def fetch(self, url, options=None, **fields):
        """The record of one request."""
        with self.daemon.client() as client:
            return client.run({"type": "http-request", "url": url, **fields}, **(options or {}))

    def value(self, url, options=None, **fields):
        record = self.fetch(url, options, **fields)
        assert record["state"] == "succeeded", record.get("error", record)
        return record["value"]

    def error(self, code, url, options=None, **fields):
        record = self.fetch(url, options, **fields)
        assert record["state"] == "failed" and record["error"]["code"] == code, (url, record)
        assert record["error"]["message"], record
        return record["error"]

    def route(self, path, function):
        """From now on raw.test answers this path so; its URL."""
        self.raw.routes[path] = function
        return "http://raw.test" + path

    def reload(self, task_type):
        """Other settings of http-request; None: those that the stage began with."""
        self.daemon.write_config({**self.config, "taskTypes": {"http-request": task_type}} if task_type else self.config)
        with self.daemon.client() as client:
            client.call("reload")


def _perform(run, names, with_tls, config):
    """In an order that matters: the network, then whatever has threads, then the daemon."""
    private_net.enter(RESOLVER)
    server = DnsServer(RESOLVER)
    server.update(NAMES)
    server.update(names)
    raw = http_servers.RawServer(OTHER, 80, {})
    http_servers.httpbin(PUBLIC, 80)
    with tempfile.TemporaryDirectory(prefix="poppo-test-") as directory:
        nginx = http_servers.Nginx(directory, modern=PUBLIC, old=OTHER) if with_tls else None
        config = {**CONFIG, **(config or {})}
        if nginx:
            # The machine trusts somebody; the project tls trusts somebody else.
            private_net.replace("/etc/ssl/certs/ca-certificates.crt", nginx.certificates.text("stranger"))
            config["projects"] = {"tls": {"caFile": nginx.certificates.ca}, "broken-ca": {"caFile": "/etc/hosts"},
                                  "no-ca": {"caFile": "/nowhere/ca.pem"}}
        with Daemon(config) as daemon:
            try:
                return run(Stage(daemon, config, server, raw))
            finally:
                if nginx:
                    nginx.stop()


def perform(run, names, with_tls=False, config=None):
    """Runs the cases; the exit status."""
    try:
        return _perform(run, names, with_tls, config)
    except private_net.Impossible as why:
        print(f"1..0 # SKIP {why}", flush=True)
        return 0

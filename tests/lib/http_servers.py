"""Servers for tests of http-request: httpbin, nginx with certificates of all kinds, and one that answers byte by byte."""
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time


class RawServer:
    """Calls routes[path](connection, head) for every request; the function sends whatever bytes it likes. One thread a
    connection; a function that returns True keeps it open for another request."""

    def __init__(self, address, port, routes, family=socket.AF_INET):
        self.routes = routes
        self.connections = 0
        self.requests = []
        self.sock = socket.socket(family)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, port))
        self.sock.listen(512)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self.sock.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _read(self, connection, buffer, is_enough):
        while not is_enough(buffer):
            data = connection.recv(65536)
            if not data:
                return None
            buffer += data
        return buffer

    def _read_request(self, connection, buffer):
        """Head and what is behind the body, which is passed over."""
        buffer = self._read(connection, buffer, lambda b: b"\r\n\r\n" in b)
        if buffer is None:
            return None, b""
        head, rest = buffer.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        size = int(length[1]) if length else 0
        rest = self._read(connection, rest, lambda b: len(b) >= size)
        return (None, b"") if rest is None else (head.decode("latin-1"), rest[size:])

    def _serve(self, connection):
        rest = b""
        with connection:
            try:
                while True:
                    head, rest = self._read_request(connection, rest)
                    if head is None:
                        return
                    self.requests.append(head)
                    path = head.split(" ", 2)[1].split("?")[0]
                    if not self.routes.get(path, not_found)(connection, head):
                        return
            except OSError:
                return

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def response(body=b"", status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def gives(*arguments, **named):
    """A route that always answers the same."""
    answer = response(*arguments, **named)

    def route(connection, _head):
        connection.sendall(answer)
        return True
    return route


def redirects(location, status="302 Found"):
    return gives(status=status, headers=[f"Location: {location}"])


def not_found(connection, _head):
    connection.sendall(response(b"no such page", "404 Not Found"))
    return True


def httpbin(address, port):
    """httpbin on a thread of this process."""
    from httpbin import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_):
            pass
    server = make_server(address, port, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Certificates:
    """An authority, and certificates by it and others: names as in NAMES, files NAME.pem and NAME.key."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self._issue("ca", "/CN=the test's authority", None, ["basicConstraints=critical,CA:TRUE"])
        self._issue("stranger", "/CN=somebody else's authority", None, ["basicConstraints=critical,CA:TRUE"])
        self._issue("good", "/CN=good.test", "ca", ["subjectAltName=DNS:good.test,DNS:*.good.test,IP:93.184.216.34"])
        self._issue("wrong", "/CN=other.test", "ca", ["subjectAltName=DNS:other.test"])
        self._issue("expired", "/CN=expired.test", "ca", ["subjectAltName=DNS:expired.test"], days=-1)
        self._issue("self", "/CN=self.test", None, ["subjectAltName=DNS:self.test"])
        self._issue("untrusted", "/CN=untrusted.test", "stranger", ["subjectAltName=DNS:untrusted.test"])

    @property
    def ca(self):
        return str(self.dir / "ca.pem")

    def text(self, name):
        return (self.dir / f"{name}.pem").read_text()

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.dir)

    def _issue(self, name, subject, issuer, extensions, days=2):
        (self.dir / f"{name}.ext").write_text("\n".join(extensions))
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")
        by = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"] if issuer else ["-signkey", f"{name}.key"]
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext",
                      "-days", str(days), *by)


NGINX = """
daemon off; master_process off; user root; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; default_type text/plain;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
    scgi_temp_path {dir}/t5;
    {servers}
}}
"""
SERVER = """
    server {{
        listen {address}:443 ssl http2; server_name {name};
        ssl_certificate {dir}/{certificate}.pem; ssl_certificate_key {dir}/{certificate}.key; {more}
        location / {{ return 200 "$ssl_server_name $server_protocol $connection"; }}
        location /to-http {{ return 302 http://{name}/; }}
    }}
"""


class Nginx:
    """nginx on port 443 of two addresses. Which certificate it shows depends on the name that it is asked for; old speaks
    nothing newer than TLS 1.1."""

    def __init__(self, directory, modern, old):
        self.dir = pathlib.Path(directory)
        self.certificates = Certificates(self.dir)
        servers = [(modern, name, name.split(".")[-2], "") for name in
                   ("good.test", "one.good.test", "wrong.test", "expired.test", "self.test", "untrusted.test")]
        servers.append((old, "old.good.test", "good", "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"))
        text = "".join(SERVER.format(address=a, name=n, certificate=c, more=m, dir=self.dir) for a, n, c, m in servers)
        (self.dir / "nginx.conf").write_text(NGINX.format(dir=self.dir, servers=text))
        self.process = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin"), "-p", self.dir,
                                         "-c", self.dir / "nginx.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait(modern)

    def _wait(self, address):
        end = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection((address, 443), 1).close()
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, (self.dir / "error.log").read_text()
                time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

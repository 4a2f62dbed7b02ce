"""A client of poppod written from poppo-protocol(7) alone: MessagePack frames over a Unix socket."""
import socket
import struct
import time

import msgpack


class Refused(Exception):
    """A reply that says no: {code, message, ...}."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error
        self.code = error.get("code")


class Closed(Exception):
    """The supervisor ended the connection."""


def frame(message):
    body = msgpack.packb(message)
    return struct.pack(">I", len(body)) + body


class Client:
    """Requests may be pipelined: send() returns the seq, reply() waits for the reply to one."""

    def __init__(self, path, hello=True, timeout=60):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        while True:
            try:
                self.sock.connect(path)
                break
            except BlockingIOError:  # many wait to be accepted; a socket with a timeout is told so
                time.sleep(0.001)
        self.buffer = b""
        self.seq = 0
        self.early = {}  # replies that came before somebody asked for them
        self.server = self.call("hello", version=1, client="tests") if hello else None

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def write(self, data):
        self.sock.sendall(data)

    def send(self, op, **fields):
        self.seq += 1
        self.write(frame({"op": op, "seq": self.seq, **fields}))
        return self.seq

    def _read(self, count):
        while len(self.buffer) < count:
            try:
                data = self.sock.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed()
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self):
        """The next message, whichever it is."""
        length, = struct.unpack(">I", self._read(4))
        return msgpack.unpackb(self._read(length), strict_map_key=False, timestamp=0)

    def reply(self, seq):
        """The reply to this request, as it came."""
        while seq not in self.early:
            message = self.receive()
            assert message["seq"] not in self.early, f"two replies to {message['seq']}"
            self.early[message["seq"]] = message
        return self.early.pop(seq)

    def call(self, op, **fields):
        """Asks and waits; raises Refused."""
        reply = self.reply(self.send(op, **fields))
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply

    def submit(self, task, **options):
        """Hands a task in without waiting for it; its id."""
        return self.call("submit", task=task, options=options)["id"]

    def run(self, task, **options):
        """Waits for a task; its record. One attempt unless told otherwise."""
        return self.call("submit", task=task, options={"maxAttempts": 1, **options}, wait=True)["result"]

    def code(self, source, options=None, **fields):
        """Runs a program; the record."""
        return self.run({"type": "execute-code", "code": source, **fields}, **(options or {}))

    def function(self, source, *args, **options):
        """Calls a function; the record."""
        return self.run({"type": "execute-function", "fn": source, "args": list(args)}, **options)

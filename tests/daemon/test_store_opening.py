"""The store's process by itself, each of its system calls failing in turn from its start on: test_store_opening.py BUILD_ROOT

The test is its supervisor: it opens a file, hands in tasks and notes what is acknowledged. Whatever fails, the process says
so or ends by itself, and another one finds all that was acknowledged. POPPO_CAMPAIGNS: "quick" tries one error a call.
"""
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile

import msgpack
from client import frame
from harness import BUILD, PATIENCE
from strace import needed
from tap import case, main, note

ERRORS = ("ENOSPC", "EIO", "EINTR", "ENOMEM", "EMFILE")
QUICK = bool(os.environ.get("POPPO_SANITIZED")) or os.environ.get("POPPO_CAMPAIGNS", "quick") == "quick"
# These cannot fail, or not by an error's number, or are a sanitizer's, whose runtime ends a process that cannot map memory.
NOT_FAILED = {"exit_group", "brk"} | ({"mmap", "munmap", "mremap", "mprotect"} if os.environ.get("POPPO_SANITIZED") else set())
TASKS = 4


class Ended(Exception):
    """The process has closed its channel."""


class Store:
    """One process; with expressions, under strace."""

    def __init__(self, path, log, *expressions):
        ours, theirs = socket.socketpair()
        self.channel, self.path, self.buffer = ours, path, b""
        ours.settimeout(PATIENCE)
        trace = ["strace", "-o", str(log), *(word for e in expressions for word in ("-e", e))] if log else []

        def take_channel():
            os.dup2(theirs.fileno(), 3)

        self.process = subprocess.Popen([*trace, BUILD / "poppod-store"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=take_channel, pass_fds=(3,),
                                        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # not under strace
        theirs.close()

    def send(self, op, **fields):
        try:
            self.channel.sendall(frame({"op": op, **fields}))
        except OSError as e:
            raise Ended() from e

    def _read(self, count):
        while len(self.buffer) < count:
            try:
                data = self.channel.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Ended()
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self, *ops):
        """The next message of one of these kinds."""
        while True:
            message = msgpack.unpackb(self._read(struct.unpack(">I", self._read(4))[0]))
            if message["op"] in ops:
                return message

    def open(self):
        self.send("open", engine="sqlite", sync="full", path=str(self.path), owner=os.urandom(16), logLevel=0)
        return self.receive("opened", "unusable")

    def accept(self, number, place):
        """Whether it was acknowledged."""
        self.send("accept", number=number, place=place, id=struct.pack(">QQ", 0, place), project="p", priority=0, notBefore=0,
                  options=b"\x80", task=msgpack.packb({"n": place}))
        return self.receive("done")["outcome"] == "kept"

    def places(self, through):
        """What is there."""
        self.send("load", after=0, through=through)
        found = set()
        while (message := self.receive("row", "loaded"))["op"] == "row":
            found.add(message["place"])
        return found

    def end(self):
        self.channel.close()
        return self.process.wait(PATIENCE)


def use(store):
    """Opens, and hands in; which places were acknowledged."""
    kept = set()
    try:
        opened = store.open()
        if opened["op"] == "opened":
            kept = {place for place in range(opened["lastPlace"] + 1, opened["lastPlace"] + 1 + TASKS)
                    if store.accept(place - opened["lastPlace"], place)}
    except Ended:
        pass
    return kept


def look(path):
    store = Store(path, None)
    opened = store.open()
    assert opened["op"] == "opened", opened
    found = store.places(opened["lastPlace"])
    assert store.accept(1, opened["lastPlace"] + 1), "it can be written"
    assert store.end() == 0
    return found


def calls_of(log):
    """[(name, which of this name)] of what it calls itself: its runtime's loading is over when it names itself."""
    names = re.findall(r"^([a-z_0-9]+)\(", log.read_text(errors="replace"), re.MULTILINE)
    begun = names.index("prctl")
    return [(name, names[:at + 1].count(name)) for at, name in enumerate(names) if at > begun and name not in NOT_FAILED]


@case
def whatever_fails_an_opening_store_acknowledges_nothing_that_is_not_there():
    needed()
    rng, runs, unopened, acknowledged = random.Random(5), 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="poppo-opening-") as name:
        directory, log = pathlib.Path(name), pathlib.Path(name, "trace")
        template = directory / "template.db"
        store = Store(template, log)
        assert len(use(store)) == TASKS and store.end() == 0
        calls = calls_of(log)
        for call in sorted({name for name, _ in calls}):
            for error in rng.sample(ERRORS, 1) if QUICK else ERRORS:
                path = directory / f"{runs}.db"
                before = set()
                if runs % 2:
                    shutil.copy(template, path)
                    before = set(range(1, TASKS + 1))
                which = rng.choice([n for name, n in calls if name == call])
                store = Store(path, log, f"trace={call}", f"inject={call}:error={error}:when={which}")
                kept = use(store)
                status = store.end()
                assert status >= 0 and status < 128, f"{call} {error} {which}: it ended with {status}"
                found = look(path)
                assert kept | before <= found, f"{call} {error} {which}: acknowledged {kept}, there are {found}"
                runs, unopened, acknowledged = runs + 1, unopened + (not kept), acknowledged + len(kept)
        note(f"{len({name for name, _ in calls})} calls, {runs} runs: {unopened} acknowledged nothing, the others {acknowledged} tasks")
        assert unopened and acknowledged, "some calls are needed, others are not"


main()

"""A process of a daemon under strace, for a while: what it calls, and calls that fail or kill it."""
import collections
import os
import re
import shutil
import signal
import subprocess

from harness import eventually
from tap import Skip


def needed():
    if not shutil.which("strace"):
        raise Skip("needs strace")
    if os.geteuid():
        raise Skip("needs the right to trace what cannot be dumped")


class Strace:
    def __init__(self, pid, log, *expressions):
        self.log = log
        log.write_text("")
        command = ["strace", "-p", str(pid), "-o", str(log)]
        for expression in expressions:
            command += ["-e", expression]
        self.says = log.with_suffix(".says")
        with open(self.says, "wb") as says:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=says, stderr=says)
        eventually(lambda: "attached" in self.says.read_text() or self.process.poll() is not None, "strace is attached")
        assert "attached" in self.says.read_text(), self.says.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def ended(self):
        """Whether whom it traced is dead: then it ends by itself."""
        try:
            self.process.wait(0.1)
            return True
        except subprocess.TimeoutExpired:
            return False

    def calls(self):
        """How often each call was made."""
        names = re.findall(r"^(?:\d+ +)?([a-z_0-9]+)\(", self.log.read_text(errors="replace"), re.MULTILINE)
        return collections.Counter(names)

    def injected(self):
        return "(INJECTED)" in self.log.read_text(errors="replace")

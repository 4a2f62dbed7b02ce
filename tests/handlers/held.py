#!/usr/bin/python3
"""A program that tries what programs should not do, and does badly what they should: {type, how} names it."""
import ctypes
import os
import signal
import struct
import sys
import threading
import time

import msgpack

CHANNEL = 3


def read(size):
    data = b""
    while len(data) < size:
        part = os.read(CHANNEL, size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def receive():
    length, = struct.unpack(">I", read(4))
    return msgpack.unpackb(read(length))


def write(data):
    while data:
        data = data[os.write(CHANNEL, data):]


def send(**message):
    body = msgpack.packb(message)
    write(struct.pack(">I", len(body)) + body)


def complain(text):
    sys.stderr.write(text)
    sys.stderr.flush()


# ---- what it tries ----

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def thread():
    done = []
    worker = threading.Thread(target=lambda: done.append(1))
    worker.start()
    worker.join()
    return len(done)


def make_socket(family):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.socket(family, 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "socket"


def inet():
    return make_socket(2)


def unix():
    return make_socket(1)


def listen():
    import socket  # under the profile js this alone is too much: it asks for an epoll descriptor
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
    return "listening"


def write_file():
    with open("/tmp/was-here", "w") as file:
        file.write("x")
    return "was-here" in os.listdir("/tmp")


def read_secret():
    return len(open("/etc/shadow").read())


def see():
    return {"uid": os.getuid(), "pid": os.getpid(), "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
            "environment": dict(os.environ), "here": os.getcwd(), "root": sorted(os.listdir("/")),
            "processes": sorted(entry for entry in os.listdir("/proc") if entry.isdigit())}


def execute():
    os.execv("/usr/bin/true", ["true"])


def execute_shell():
    os.execv("/bin/sh", ["sh", "-c", "/usr/bin/true; /usr/bin/true; exit 0"])


def jit():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, 4096, 7, 0x22, -1, 0)
    return address not in (None, ctypes.c_void_p(-1).value)


def debug_parent():
    return ctypes.CDLL(None).ptrace(16, 1, 0, 0)


# ---- how it fails ----

def exit_with(status, text):
    complain(text)
    os._exit(status)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(10)


def be_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def leave_a_child():
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    return os.getpid()


def leave_a_child_and_die():
    leave_a_child()
    exit_with(3, "left a child")


def flood():
    line = "x" * 4000 + "\n"
    for _ in range(20000):
        sys.stderr.write(line)
    sys.stderr.flush()
    return "said it"


def close_channel():
    os.close(CHANNEL)
    time.sleep(1000)


settings = {}

TRICKS = {
    "fine": lambda: "fine", "settings": lambda: settings, "see": see, "fork": fork, "thread": thread, "inet": inet, "unix": unix, "listen": listen,
    "write": write_file, "shadow": read_secret, "exec": execute, "exec-shell": execute_shell, "jit": jit,
    "ptrace": debug_parent, "exit": lambda: exit_with(5, "  five \0 it is\n\n"), "exit0": lambda: os._exit(0),
    "stuck": lambda: os._exit(110), "crash": crash, "deaf": be_deaf, "child": leave_a_child, "orphan": leave_a_child_and_die,
    "flood": flood, "close": close_channel, "large": lambda: "x" * (1 << 20), "huge": lambda: "x" * (4 << 20),
    "rubbish": lambda: write(b"\xff\xff\xff\xffrubbish"), "other": lambda: send(seq=99999, ok=True, value=1),
    "both": lambda: send(seq=1, ok=True, value=1, error={"code": "TASK_ERROR", "message": ""}),
    "layers": lambda: send(op="locked", layers={"seccomp": "enforced"}),
    "metric": lambda: send(op="metric", name="no name", kind="gauge", value=1),
    "output": lambda: send(op="output", run=1, stream="stdout", at=0, data=b"x"),
    "beat": lambda: send(op="beat"),
}


def main():
    start = sys.argv[1] if len(sys.argv) > 1 else ""
    if start == "silent":
        time.sleep(1000)
    if start == "fail":
        raise RuntimeError("the moon is full")
    if start == "layers":
        return send(op="ready", layers={"seccomp": "enforced"})
    send(op="ready")
    while True:
        message = receive()
        if message["op"] == "configure":
            settings.update(message["settings"])
        if message["op"] != "run":
            continue
        try:
            answer = {"value": TRICKS[message["task"]["how"]]()}
        except OSError as fault:
            answer = {"error": {"code": "TASK_ERROR", "message": os.strerror(fault.errno)}}
        send(seq=message["seq"], ok=True, **answer)


main()

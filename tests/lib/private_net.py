"""A network and a few files of a test's own: after enter() this process and its children live in namespaces where lo is
the only interface, has addresses that look public, and /etc/resolv.conf and /etc/hosts are what the test says.

    try:
        private_net.enter(nameserver="127.0.0.53", hosts="")
    except private_net.Impossible as why:
        ...
"""
import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import tempfile

# Public by every table, and nobody's but this test's while it is in its own network.
PUBLIC, OTHER, EMPTY, PUBLIC_V6 = "93.184.216.34", "93.184.216.35", "93.184.216.36", "2606:2800:220:1::1"
PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1")
PRIVATE_V6 = ("fd00::1", "fe80::1")

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, IFF_UP = 0x8914, 0x8916, 0x891C, 1

libc = ctypes.CDLL(None, use_errno=True)
_replaced = set()


class Impossible(Exception):
    """This machine or user cannot make such namespaces; the text says why."""


def _call(function, *arguments):
    if function(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _unshare():
    uid, gid, root = os.getuid(), os.getgid(), os.geteuid() == 0
    _call(libc.unshare, CLONE_NEWNS | CLONE_NEWNET | (0 if root else CLONE_NEWUSER))
    if not root:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _call(libc.mount, None, b"/", None, MS_REC | MS_PRIVATE, None)


def _interface(name, address=None):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        if address:
            packed = socket.inet_aton(address)
            request = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, packed)
            fcntl.ioctl(control, SIOCSIFADDR, request)
            fcntl.ioctl(control, SIOCSIFNETMASK, struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, b"\xff" * 4))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), IFF_UP))


def _add_v6(address, index):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128, index)
        fcntl.ioctl(control, SIOCSIFADDR, request)


def replace(path, text):
    """Bind-mounts a file over another one: nothing outside of this mount namespace changes."""
    with tempfile.NamedTemporaryFile("w", prefix="poppo-test-") as f:
        f.write(text)
        f.flush()
        os.chmod(f.name, 0o644)
        target = os.path.realpath(path).encode()
        if target in _replaced:
            _call(libc.umount2, target, MNT_DETACH)
        _replaced.add(target)
        _call(libc.mount, f.name.encode(), target, None, MS_BIND, None)


def use_nameserver(address):
    replace("/etc/resolv.conf", f"nameserver {address}\noptions timeout:2 attempts:1\n")


def has_v6():
    return pathlib.Path("/proc/net/if_inet6").exists()


def enter(nameserver, hosts="127.0.0.1 localhost\n"):
    """Before the first thread is started."""
    try:
        _unshare()
        _interface("lo")
        for n, address in enumerate((PUBLIC, OTHER, EMPTY, *PRIVATE)):
            _interface(f"lo:{n + 1}", address)
        if has_v6():
            for address in (PUBLIC_V6, *PRIVATE_V6):
                _add_v6(address, socket.if_nametoindex("lo"))
        use_nameserver(nameserver)
        replace("/etc/hosts", hosts)
        replace("/etc/nsswitch.conf", "hosts: files dns\n")
    except OSError as error:
        raise Impossible(f"no network of its own: {error}") from error

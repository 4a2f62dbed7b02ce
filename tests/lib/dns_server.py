"""A name server for tests: answers A and AAAA from a dictionary, over UDP, and remembers what it was asked.

    names = DnsServer("127.0.0.53")
    names["a.test"] = ["93.184.216.34"]
    names["turns.test"] = lambda n: ["93.184.216.34"] if n == 0 else ["127.0.0.1"]     n: which question for it this is
    names["silent.test"] = None                                                        never answered
"""
import socket
import struct
import threading

A, AAAA = 1, 28


def _name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels).lower(), at + 1


class DnsServer(dict):
    def __init__(self, address):
        super().__init__()
        self.asked = {}  # {(name, type): how often}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _addresses(self, name, kind):
        n = self.asked[(name, kind)] = self.asked.get((name, kind), -1) + 1
        addresses = self.get(name, ())
        return addresses(n) if callable(addresses) else addresses

    def _answer(self, packet):
        name, end = _name(packet, 12)
        kind, = struct.unpack(">H", packet[end:end + 2])
        addresses = self._addresses(name, kind)
        if addresses is None:
            return None
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        data = [socket.inet_pton(family, a) for a in addresses if family and (":" in a) == (kind == AAAA)]
        status = 0x8180 if name in self else 0x8183
        head = packet[:2] + struct.pack(">HHHHH", status, 1, len(data), 0, 0) + packet[12:end + 4]
        return head + b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(d)) + d for d in data)

    def _serve(self):
        while True:
            packet, sender = self.sock.recvfrom(4096)
            answer = self._answer(packet)
            if answer:
                self.sock.sendto(answer, sender)

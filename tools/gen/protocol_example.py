import os, socket, struct, sys
import msgpack                                  # Debian: python3-msgpack

sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1] if len(sys.argv) > 1 else os.environ["POPPO_SOCKET"])
stream = sock.makefile("rb")

def send(**message):
    body = msgpack.packb(message)
    sock.sendall(struct.pack(">I", len(body)) + body)

def receive():
    length, = struct.unpack(">I", stream.read(4))
    return msgpack.unpackb(stream.read(length))

send(op="hello", seq=1, version=1, client="example")
reply = receive()
if not reply["ok"]:
    sys.exit(reply["error"]["message"])

waiting = set(range(2, 1002))
for n in waiting:
    send(op="submit", seq=n, wait=True, options={"maxAttempts": 1},
         task={"type": "execute-code", "code": "n * 2", "context": {"n": n}})
total = 0
while waiting:
    reply = receive()
    waiting.remove(reply["seq"])
    if not reply["ok"]:
        sys.exit(reply["error"]["message"])
    total += reply["result"]["value"]
print(total)

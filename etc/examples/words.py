#!/usr/bin/python3
import struct, sys, time, traceback
import msgpack                                  # Debian: python3-msgpack

channel = open(3, "r+b", buffering=0)           # the supervisor is at the other end

def read(size):
    data = b""
    while len(data) < size:
        part = channel.read(size - len(data))
        if not part:
            sys.exit(0)                         # no more work
        data += part
    return data

def receive():
    length, = struct.unpack(">I", read(4))
    return msgpack.unpackb(read(length))

def send(**message):
    body = msgpack.packb(message)
    data = struct.pack(">I", len(body)) + body
    while data:
        data = data[channel.write(data):]

def count_words(task):
    words = task["text"].split()
    send(op="metric", name="words_counted", kind="counter", value=len(words), help="Words that were counted.")
    return {"words": len(words), "longest": max(words, key=len, default="")}

send(op="ready")
while True:
    message = receive()
    if message["op"] != "run":
        continue                                # configure, cancel, follow
    began = time.process_time()
    try:
        answer = {"value": count_words(message["task"])}
    except Exception as fault:
        answer = {"error": {"code": "TASK_ERROR", "name": type(fault).__name__, "message": str(fault),
                            "stack": traceback.format_exc()}}
    answer["cpuUs"] = int((time.process_time() - began) * 1e6)
    send(seq=message["seq"], ok=True, **answer)

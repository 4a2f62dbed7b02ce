"""Makes man/poppo-protocol.7 from the message table, so that the page cannot lie about it.

protocol_man.py SOURCE_ROOT           prints the page
protocol_man.py SOURCE_ROOT --check   compares it with the committed one; status 1 and a diff when they differ
"""
import difflib
import pathlib
import re
import struct
import sys

ROW = re.compile(r"^\s*(BEGIN|FIELD|CHOICE|NEST|END|ERROR)\((.*)\)$")
ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s,"]+)')
PERSON = {"CLIENT": "a client", "MASTER": "the supervisor", "WORKER": "a worker", "SPAWNER": "the spawner",
          "LOADER": "the loader", "STORE": "the store"}
PAGE_DATE = "November 23, 2026"


# ---- the tables ----

def rows(path):
    for line in path.read_text().splitlines():
        match = ROW.match(line)
        if match:
            yield match[1], [re.sub(r"\\(.)", r"\1", text) if not word else word
                             for text, word in ARGUMENT.findall(match[2])]


def read_messages(path):
    messages = {}
    for kind, args in rows(path):
        if kind == "BEGIN":
            names = ("id", "name", "kind", "sender", "when", "fault", "doc")
            message = dict(zip(names, args), fields=[])
            messages[message["id"]] = message
        elif kind == "FIELD":
            names = ("id", "member", "name", "type", "need", "min", "max", "doc")
            message["fields"].append(dict(zip(names, args)))
        elif kind in ("CHOICE", "NEST"):
            names = ("id", "member", "name", "words" if kind == "CHOICE" else "record", "need", "doc")
            message["fields"].append(dict(zip(names, args), type=kind))
    return messages


# ---- mdoc ----

def escape(text):
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    return "\\&" + text if text[:1] in ".'" else text


def sentences(text):
    """One sentence a line, as mdoc wants it."""
    return "\n".join(escape(part) for part in re.split(r"(?<=[.;:]) (?=[A-Z{])", text))


def size_words(number):
    number = int(number)
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number and number % (1 << power) == 0:
            return f"{number >> power} {unit}"
    return f"{number} bytes"


def span(low, high):
    if low == high:
        return size_words(low)
    return f"up to {size_words(high)}" if int(low) == 0 else f"{low} to {size_words(high)}"


def whole(field):
    if field["min"] == field["max"]:
        return f"integer, {field['min']}"
    if int(field["max"]) == (1 << 63) - 1:
        return f"integer, {field['min']} or more"
    return f"integer, {field['min']} to {field['max']}"


TYPE_WORDS = {
    "BOOL": lambda f: "boolean",
    "UINT": whole,
    "INT": whole,
    "NUM": lambda f: "number",
    "STR": lambda f: "string, " + span(f["min"], f["max"]),
    "BIN": lambda f: "binary, " + span(f["min"], f["max"]),
    "MAP": lambda f: f"map, up to {size_words(f['max'])}",
    "ARRAY": lambda f: f"array, up to {size_words(f['max'])}",
    "ANY": lambda f: f"any value, up to {size_words(f['max'])}",
    "CHOICE": lambda f: "one of " + ", ".join(f["words"].split("|")),
}


def field_text(field, messages):
    if field["type"] == "NEST":
        kind = f"map, see\n.Sx {messages[field['record']]['name']} )"
    else:
        kind = escape(TYPE_WORDS[field["type"]](field)) + ")"
    need = "required" if field["need"] == "MUST" else "optional"
    return f".It Cm {field['name']}\n({need} {kind}\n{sentences(field['doc'])}"


def fields_text(message, messages):
    if not message["fields"]:
        return ""
    items = [field_text(f, messages) for f in message["fields"]]
    return "\n".join([".Bl -tag -width Ds", *items, ".El"])


def section(message, messages, extra=""):
    parts = [f".Ss {message['name']}", sentences(message["doc"])]
    if extra:
        parts.append(extra)
    parts.append(fields_text(message, messages))
    return "\n".join(p for p in parts if p)


def reply_of(message, messages):
    return next(m for m in messages.values() if m["kind"] == "REPLY" and m["name"] == message["name"])


def call_text(message, messages):
    when = {"GREETING": "Only as the first request.", "OPEN": "", "ANY": "Also before hello."}[message["when"]]
    reply = reply_of(message, messages)
    text = section(message, messages, when)
    text += f"\n.Pp\n.Em Reply :\n{sentences(reply['doc'])}"
    fields = fields_text(reply, messages)
    return text + ("\n" + fields if fields else "")


def internal_text(message, messages):
    answer = ", no answer" if message["kind"] == "NOTE" else ""
    sender = f"From {PERSON[message['sender']]}{answer}."
    text = section(message, messages, sender)
    if message["kind"] == "CALL":
        reply = reply_of(message, messages)
        text += f"\n.Pp\n.Em Reply :\n{sentences(reply['doc'])}\n{fields_text(reply, messages)}"
    return text


def errors_text(path):
    lines = [".Bl -tag -width Ds"]
    for _, (code, retry, status, http, doc) in rows(path):
        retried = ", retried" if retry == "YES" else ""
        lines += [f".It Cm {code} Pq {status}, {http}{retried}", sentences(doc)]
    return "\n".join(lines + [".El"])


# ---- the example session ----

def pack(value):
    """Just enough MessagePack for the example."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xce" + struct.pack(">I", value)
    if isinstance(value, str):
        data = value.encode()
        return (bytes([0xa0 | len(data)]) if len(data) < 32 else b"\xd9" + bytes([len(data)])) + data
    return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())


def hex_dump(arrow, message):
    body = pack(message)
    data = struct.pack(">I", len(body)) + body
    lines = []
    for at in range(0, len(data), 16):
        part = data[at:at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"{arrow if not at else ' '} {part.hex(' '):48} {text}".rstrip())
    return "\n".join(lines).replace("\\", "\\e").replace("-", "\\-")


EXAMPLES = {
    "hello": [("<", {"op": "hello", "seq": 1, "version": 1, "client": "doc"}),
              (">", {"seq": 1, "ok": True, "version": 1, "server": "poppod 0.1.0", "pid": 4242,
                     "maxFrameBytes": 16777216})],
    "submit": [("<", {"op": "submit", "seq": 2, "task": {"type": "execute-code", "code": "6 * 7"}, "wait": True})],
}


def literal(path):
    """A file's text as it stands in a display."""
    text = path.read_text().rstrip().replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.splitlines())


def examples(gen):
    texts = {name: "\n".join(hex_dump(*m) for m in messages) for name, messages in EXAMPLES.items()}
    texts["python"] = literal(gen / "protocol_example.py")
    texts["program"] = literal(gen.parents[1] / "etc/examples/words.py")
    return texts


# ---- the page ----

def page(root):
    gen = root / "tools" / "gen"
    messages = read_messages(root / "src" / "wire" / "messages.def")
    every = list(messages.values())

    def those(kinds, clients, text):
        chosen = [m for m in every if m["kind"] in kinds and (m["sender"] == "CLIENT") == clients]
        return "\n".join(text(m, messages) for m in chosen)

    parts = {
        "client": those(("CALL", "NOTE"), True, call_text),
        "events": those(("EVENT",), False, section),
        "tasks": those(("TASK",), True, section),
        "records": those(("RECORD",), True, section),
        "internal": those(("CALL", "NOTE"), False, internal_text),
        "errors": errors_text(root / "src" / "wire" / "errors.def"),
    }
    text = (gen / "protocol_man.in").read_text().replace("$Mdocdate$", PAGE_DATE)
    for name, part in parts.items():
        text = text.replace(f'.\\" @{name}\n', part + "\n")
    for name, part in examples(gen).items():
        text = text.replace(f"@{name}@", part)
    return text


def main():
    root = pathlib.Path(sys.argv[1])
    text = page(root)
    if "--check" not in sys.argv[2:]:
        sys.stdout.write(text)
        return 0
    committed = (root / "man" / "poppo-protocol.7").read_text()
    diff = list(difflib.unified_diff(committed.splitlines(), text.splitlines(), "committed", "generated", lineterm=""))
    print("\n".join(diff))
    return 1 if diff else 0


sys.exit(main())

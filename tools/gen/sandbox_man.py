"""Makes man/poppo-sandbox.7 from the tables of the sandbox, so that the page cannot lie about them.

sandbox_man.py SOURCE_ROOT           prints the page
sandbox_man.py SOURCE_ROOT --check   compares it with the committed one; status 1 and a diff when they differ
"""
import difflib
import pathlib
import re
import sys

ROW = re.compile(r"^([A-Z]+)\((.*)\)$")
ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s,"()]|\([^)]*\))+)')
TITLE = re.compile(r"^/\* (.*) \*/$")
MEANING = re.compile(r"^ \*   ([A-Z]+) {2,}(.*?)(?: {3,}([A-Z]+) {2,}(.*))?$")
PAGE = "man/poppo-sandbox.7"

# What the functions of spawner/rlimits.c and the expressions of jail_limits.def come to, in words.
VALUES = {
    "keep": "stays",
    "none": "0",
    "cpu_seconds": "twice the CPU time of all tasks of its life, where a task's is limited",
    "address_space": "what is mapped when it starts, a task's memory, its largest frames, and 256 MiB",
    "transfers_space": "as for js, and 1 GiB, four tasks' memory and 64 replies",
    "transfers_files": "8192",
    "1": "1",
    "0": "0",
    "processes(j)": "by maxTreeProcesses of shell-command, and 1; 65 for programs",
    "all_of(s->descriptors)": "1024; 256 for programs",
    "all_of(s->disk_bytes)": "by maxDiskBytes of shell-command; 64 MiB for programs",
    "all_of(s->memory_bytes)": "by maxMemoryBytes; for programs 256 MiB more",
    "all_of(s->cpu_seconds)": "a little more than maxCpuTime; the whole life's for programs",
    "STACK_BYTES": "8 MiB",
    "MEMLOCK_BYTES": "64 KiB",
    "MSGQUEUE_BYTES": "800 KiB",
    "SIGNALS": "1024",
}


class Lie(Exception):
    """The tables and the code behind them do not agree."""


# ---- the tables ----

def rows(path):
    """(kind, arguments) of each row, and (None, text) of each comment of one line."""
    for line in path.read_text().splitlines():
        if match := TITLE.match(line):
            yield None, match[1]
        elif match := ROW.match(line):
            yield match[1], [re.sub(r"\\(.)", r"\1", text) if not word else word for text, word in ARGUMENT.findall(match[2])]


def meanings(path):
    """The words of syscalls.def, as its opening comment explains them."""
    for line in path.read_text().split("*/")[0].splitlines():
        if match := MEANING.match(line):
            yield match[1], match[2]
            if match[3]:
                yield match[3], match[4]


def check_layers(root, layers):
    """What is told must be what is laid, in that order."""
    lockdown = (root / "src/spawner/lockdown.c").read_text()
    table = lockdown[lockdown.index("} layers[] = {"):]
    laid = {"WORKER": re.findall(r'^ +\{"(\w+)", \w+, ', table, re.M),
            "TREE": re.findall(r"^ +X\((\w+), \w+\)", (root / "src/sandbox/jail_probe.h").read_text(), re.M)}
    for where, names in laid.items():
        told = [layer[1] for layer in layers if layer[0] == where]
        if told != names:
            raise Lie(f"src/sandbox/layers.def tells of {told} around a {where}, and laid are {names}")


def check_rest(root):
    """The answers to what has no row are told in the frame of this page."""
    if "return profile == PROFILE_SHELL ? FILTER_ABSENT : FILTER_KILL;" not in (root / "src/sandbox/filter.c").read_text():
        raise Lie("filter_rest() of src/sandbox/filter.c has changed: tools/gen/sandbox_man.in and this line tell what it says")


# ---- mdoc ----

def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def capital(text):
    return text[0].upper() + text[1:]


def sentences(text):
    """One sentence a line, as mdoc wants it."""
    return "\n".join(escape(part) for part in re.split(r"(?<=[.;:]) (?=[A-Z0-9])", text))


def layer_lines(layers, where):
    yield ".Bl -tag -width Ds"
    for _, name, root, ordinary, doc in (layer for layer in layers if layer[0] == where):
        yield f".It Cm {name}"
        yield sentences(capital(doc) + ".")
        if (root, ordinary) != ("enforced", "enforced"):
            yield f"As root: {root}; as an ordinary user: {ordinary}."
    yield ".El"


def meaning_lines(path):
    yield ".Bl -tag -width PERSONA -compact"
    for word, text in meanings(path):
        yield f".It {word}"
        yield escape(capital(text) + ".")
    yield ".El"


def call_lines(path, words):
    """One list for each title, with the columns of the table."""
    open_list = False
    for kind, row in rows(path):
        if kind is None:
            if open_list:
                yield ".El"
            yield from (".Pp", sentences(row),
                        ".Bl -column landlock_create_rulesetx PERSONA PERSONA PERSONA PERSONA reason -compact",
                        ".It Em call Ta Em js Ta Em http Ta Em shell Ta Em start Ta Em reason")
            open_list = True
            continue
        name, *actions, reason = row
        unknown = [action for action in actions if action not in words]
        if unknown:
            raise Lie(f"{path.name}: the opening comment does not say what {unknown[0]} means")
        cells = ["\\-" if action == "NONE" else action for action in actions]
        yield f".It {name} Ta {' Ta '.join(cells)} Ta {escape(reason)}"
    yield ".El"


def own_lines(path):
    yield ".Bl -column newfstatatx reason -compact"
    for _, (name, reason) in ((kind, row) for kind, row in rows(path) if kind):
        yield f".It {name} Ta {escape(reason)}"
    yield ".El"


def master_lines(path, words):
    """What looks at the arguments says so by its word."""
    yield ".Bl -column pidfd_send_signalx PERSONA reason -compact"
    for _, (name, action, reason) in ((kind, row) for kind, row in rows(path) if kind):
        if action not in words:
            raise Lie(f"{path.name}: {action} is no word of syscalls.def")
        yield f".It {name} Ta {action} Ta {escape(reason)}"
    yield ".El"


def refused_lines(path, wanted):
    yield ".Bl -column rt_tgsigqueueinfox reason -compact"
    for _, (name, who, reason) in ((kind, row) for kind, row in rows(path) if kind):
        if who not in ("ALL", "STORE"):
            raise Lie(f"{path.name}: the page knows no {who}")
        if who == wanted:
            yield f".It {name} Ta {escape(reason)}"
    yield ".El"


def value(word):
    if word not in VALUES:
        raise Lie(f"tools/gen/sandbox_man.py cannot say what the limit {word} is")
    return VALUES[word]


def rlimit_lines(path):
    """Of the profiles js and http: to a jailer, whose profile is shell, none of them is set."""
    yield ".Bl -tag -width MSGQUEUE"
    for kind, row in rows(path):
        if kind == "LIMIT":
            what, _, js, http, shell, reason = row
            if shell != "keep":
                raise Lie(f"{path.name}: {what} is set for shell, and the page says that none is")
            yield f".It {what}"
            yield f"js: {escape(value(js))}; http: {escape(value(http))}."
            yield sentences(capital(reason) + ".")
    yield ".El"


def jail_limit_lines(path):
    yield ".Bl -tag -width SIGPENDING"
    for kind, row in rows(path):
        if kind == "LIMIT":
            what, word, reason = row
            yield f".It {what}"
            yield escape(capital(value(word)) + ".")
            yield sentences(capital(reason) + ".")
    yield ".El"


def page(root):
    sandbox = root / "src/sandbox"
    layers = [row for kind, row in rows(sandbox / "layers.def") if kind]
    calls = sandbox / "syscalls.def"
    check_layers(root, layers)
    check_rest(root)
    parts = {
        "WORKER_LAYERS": layer_lines(layers, "WORKER"),
        "TREE_LAYERS": layer_lines(layers, "TREE"),
        "MEANINGS": meaning_lines(calls),
        "CALLS": call_lines(calls, dict(meanings(calls))),
        "RLIMITS": rlimit_lines(root / "src/spawner/rlimits.def"),
        "JAIL_LIMITS": jail_limit_lines(sandbox / "jail_limits.def"),
        "LOADER_CALLS": own_lines(root / "src/loader/syscalls.def"),
        "MASTER_CALLS": master_lines(root / "src/master/syscalls.def", dict(meanings(calls))),
        "REFUSED_TO_ALL": refused_lines(sandbox / "renounce.def", "ALL"),
        "REFUSED_TO_STORE": refused_lines(sandbox / "renounce.def", "STORE"),
    }
    text = (root / "tools/gen/sandbox_man.in").read_text()
    for name, lines in parts.items():
        text = text.replace(f"@{name}@", "\n".join(lines))
    return text


def main():
    root = pathlib.Path(sys.argv[1])
    try:
        made = page(root)
    except Lie as lie:
        print(lie)
        return 1
    if sys.argv[2:] != ["--check"]:
        sys.stdout.write(made)
        return 0
    diff = list(difflib.unified_diff((root / PAGE).read_text().splitlines(), made.splitlines(), "committed", "made", lineterm=""))
    print("\n".join(diff))
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main())

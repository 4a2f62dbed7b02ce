"""Makes man/poppod.json.5 from the option table, so that the page cannot lie about it.

options_man.py SOURCE_ROOT           prints the page
options_man.py SOURCE_ROOT --check   compares it with the committed one; status 1 and a diff when they differ
"""
import difflib
import pathlib
import re
import sys

ROW = re.compile(r"^\s*(WORD|BEGIN|BEGIN_NAMED|OPTION|CHOICE|LIST|NEST|EACH|NOT_ABOVE|HANDLERS|ONLY)\((.*)\)$")
ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s,"]+)')
COLUMNS = {
    "WORD": ("list", "name", "word", "doc"),
    "BEGIN": ("id", "path", "doc"),
    "BEGIN_NAMED": ("id", "path", "names", "doc"),
    "OPTION": ("id", "member", "key", "type", "min", "max", "default", "when", "doc"),
    "CHOICE": ("id", "member", "key", "words", "default", "when", "doc"),
    "LIST": ("id", "member", "key", "words", "default", "when", "doc"),
    "NEST": ("id", "member", "key", "child"),
    "EACH": ("id", "member", "key", "child"),
    "NOT_ABOVE": ("id", "low", "high"),
    "HANDLERS": ("id", "member", "other", "most"),
    "ONLY": ("id", "member", "name"),
}
TIME_UNITS = (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1))
SIZE_UNITS = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))


# ---- the table ----

def rows(path):
    """(kind, {column: text}) of each row; NONE and ANY are None."""
    for line in path.read_text().splitlines():
        match = ROW.match(line)
        if match:
            args = [re.sub(r"\\(.)", r"\1", text) if not word else None if word in ("NONE", "ANY") else word
                    for text, word in ARGUMENT.findall(match[2])]
            yield match[1], dict(zip(COLUMNS[match[1]], args, strict=True))


def read_table(path):
    words, sections = {}, {}
    for kind, row in rows(path):
        if kind == "WORD":
            words.setdefault(row["list"], []).append(row)
        elif kind.startswith("BEGIN"):
            sections[row["id"]] = section = dict(row, named=kind == "BEGIN_NAMED", options=[], children=[], orders=[],
                                                handlers=None, only={})
        elif kind in ("NEST", "EACH"):
            section["children"].append(row["child"])
        elif kind == "NOT_ABOVE":
            section["orders"].append(row)
        elif kind == "HANDLERS":
            section["handlers"] = row
        elif kind == "ONLY":
            section["only"].setdefault(row["member"], []).append(row["name"])
        else:
            section["options"].append(dict(row, kind=kind))
    return words, sections


# ---- mdoc ----

def escape(text):
    text = text.replace("\\", "\\e")
    return "\\&" + text if text[:1] in ".'" else text


def sentences(text):
    """One sentence a line, as mdoc wants it."""
    return "\n".join(escape(part) for part in re.split(r"(?<=[.;]) (?=[A-Z0-9])", text))


def with_unit(number, units):
    number = int(number)
    name, factor = next((unit for unit in units if number and number % unit[1] == 0), units[-1])
    return f"{number // factor}{name}"


def range_of(option):
    low, high = option.get("min"), option.get("max")
    kind = option["type"]
    if kind == "MS":
        return f"duration, {with_unit(low, TIME_UNITS)} to {with_unit(high, TIME_UNITS)}"
    if kind == "SIZE":
        return f"size, {with_unit(low, SIZE_UNITS)} to {with_unit(high, SIZE_UNITS)}"
    names = {"INT": f"integer, {low} to {high}", "REAL": f"number, {low} to {high}", "BOOL": "boolean",
             "STRING": f"string of {low} to {high} bytes", "MODE": "mode", "RATE": "rate",
             "NUMBERS": f"array of integers, {low} to {high}", "PATH": "absolute path",
             "PATHS": f"array of at most {high} absolute paths",
             "COMMAND": f"absolute path, or array of one and arguments, {high} strings at most",
             "HOSTS": f"array of at most {high} strings", "ENV": f"object of at most {high} strings"}
    return names[kind]


def shape_of(option):
    if option["kind"] == "CHOICE":
        return "one of these words"
    if option["kind"] == "LIST":
        return "array of strings"
    return range_of(option)


def default_of(option):
    default = option["default"]
    if default is None:
        return None
    quoted = option["kind"] == "CHOICE" or option.get("type") in ("STRING", "MODE") or \
        (option.get("type") in ("MS", "SIZE") and not default.isdigit())
    return f"\\(dq{default}\\(dq" if quoted else default


def tagged(entries):
    yield ".Bl -tag -width Ds -compact"
    for tag, doc in entries:
        yield f".It Cm {tag}"
        yield escape(doc[0].upper() + doc[1:] + ".")
    yield ".El"


def word_lines(option, words):
    """The words and what they mean; those of a LIST are told with the section whose names they are."""
    if option["kind"] == "CHOICE":
        yield from tagged((f"\\(dq{word['word']}\\(dq", word["doc"]) for word in words[option["words"]])


def option_lines(option, words):
    default = default_of(option)
    yield f".It Cm {option['key']}" + (f" Pq {default}" if default else "")
    yield sentences(option["doc"])
    facts = shape_of(option)[0].upper() + shape_of(option)[1:]
    yield facts + ("; needs a restart." if option["when"] == "START" else ".")
    yield from word_lines(option, words)


def member_keys(section):
    return {option["member"]: option["key"] for option in section["options"]}


def heading(section):
    return f"{section['path']}.NAME" if section["named"] else section["path"]


def option_list(options, words):
    yield ".Bl -tag -width Ds"
    for option in options:
        yield from option_lines(option, words)
    yield ".El"


def name_lines(section, words):
    """What the members of a section with names may be called."""
    if not section["names"]:
        yield "Each member is an object whose name is the project's: 1 to 128 letters, digits and\n.Ql \\&. _ - \\&: / ."
        return
    yield "Each member is an object whose name is" + (" that of a handler, or:" if section["handlers"] else ":")
    yield from tagged((word["word"], word["doc"]) for word in words[section["names"]])


def handler_lines(section):
    """The rules for entries with names of the operator's own."""
    keys, row = member_keys(section), section["handlers"]
    yield ("An entry with a name that is none of the above makes a task type of its own: 1 to 64 letters, digits and\n"
           ".Ql \\&. _ - .")
    yield f"It has either\n.Cm {keys[row['member']]}\nor\n.Cm {keys[row['other']]} ."
    yield f"There may be {row['most']} of them."


def only_lines(section, words):
    """The options of single entries, by their names."""
    for name in [word["word"] for word in words.get(section.get("names"), [])] + ["HANDLER"]:
        options = [option for option in section["options"] if name in section["only"].get(option["member"], [])]
        if options:
            yield f".Ss {section['path']}." + ("NAME, handlers of one's own" if name == "HANDLER" else name)
            yield from handler_lines(section) if name == "HANDLER" else ["Besides the options for every type:"]
            yield from option_list(options, words)


def section_lines(section, words):
    keys = member_keys(section)
    yield f".Ss {heading(section)}"
    yield sentences(section["doc"])
    if section["named"]:
        yield from name_lines(section, words)
    yield from option_list((option for option in section["options"] if option["member"] not in section["only"]), words)
    for order in section["orders"]:
        yield ".Pp"
        yield f".Cm {keys[order['low']]}\nmust not be above\n.Cm {keys[order['high']]} ."
    yield from only_lines(section, words)


def walk(sections, ident, words):
    """Parents before children, in the order of the table."""
    if sections[ident]["options"]:
        yield from section_lines(sections[ident], words)
    for child in sections[ident]["children"]:
        yield from walk(sections, child, words)


def page(root):
    words, sections = read_table(root / "src/config/options.def")
    frame = (root / "tools/gen/options_man.in").read_text()
    return frame.replace("@OPTIONS@", "\n".join(walk(sections, "root", words)))


def main():
    root = pathlib.Path(sys.argv[1])
    made = page(root)
    if sys.argv[2:] != ["--check"]:
        sys.stdout.write(made)
        return 0
    path = root / "man/poppod.json.5"
    diff = list(difflib.unified_diff(path.read_text().splitlines(), made.splitlines(), "committed", "made", lineterm=""))
    print("\n".join(diff))
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main())

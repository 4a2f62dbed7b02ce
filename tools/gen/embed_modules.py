"""Makes the table of built-in modules: embed_modules.py OUTPUT SOURCE.js...

Each row is {"NAME", {(const uint8_t *)"TEXT", LENGTH}}, for worker/js/builtins.c to include. The text is as it is, lines included,
so that stacks name the lines of the source.
"""
import pathlib
import sys

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


def literal(line):
    """One line as a C string; what is not ASCII has no place in these sources."""
    assert line.isascii() and "\t" not in line, line
    return '"' + "".join(ESCAPES.get(c, c) for c in line).replace("??", "?\\?") + '"'


def row(path):
    text = path.read_text()
    lines = "\n    ".join(literal(line) for line in text.splitlines(keepends=True))
    return f'{{"{path.stem}", {{(const uint8_t *){lines}, {len(text)}}}}},\n'


def main():
    rows = [row(pathlib.Path(name)) for name in sys.argv[2:]]
    pathlib.Path(sys.argv[1]).write_text("/* Made by tools/gen/embed_modules.py. */\n" + "".join(rows))


main()

"""The house's rules as tests: test_house.py SOURCE_ROOT BUILD_ROOT. See poppo-design(7) for why they are rules."""
import ast
import os
import pathlib
import re
import subprocess
import sys

from tap import case, main

ROOT, BUILD = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])

# A file may include from its own folder and from floors below. Folders of one floor never include each other.
FLOORS = {"base": 0, "wire": 1, "config": 1, "sandbox": 1, "client": 2, "master": 2, "spawner": 2, "loader": 2, "worker": 2,
          "store": 2, "gateway": 2, "cli": 3, "bin": 3}

# Stricter than its floor: the command line is a user of the library like any other.
ONLY = {"cli": {"base", "cli", "poppo"}, "client": {"base", "wire", "client", "poppo"}}

# Which folders may include a library's headers.
LIBRARIES = {
    "ev": {"master", "store", "gateway"},
    "duktape": {"worker"},
    "seccomp": {"sandbox"},
    "jansson": {"config", "wire", "cli", "gateway", "loader"},
    "msgpack": {"wire", "client"},
    "sqlite3": {"store"},
    "curl": {"worker"},
    "openssl": {"worker"},
    "microhttpd": {"gateway"},
    "cmocka": set(),
}

# What each built program may be linked with, besides the C library and sanitizers.
LINKS = {
    "poppod": {"libev", "libjansson", "libseccomp", "libmsgpackc", "libmsgpack-c"},
    "poppod-spawner": {"libduktape", "libseccomp", "libmsgpackc", "libmsgpack-c"},
    "poppod-loader": {"libjansson", "libseccomp", "libmsgpackc", "libmsgpack-c"},
    "poppod-http.so": {"libcurl", "libssl", "libcrypto", "libjansson", "libmsgpackc", "libmsgpack-c"},
    "poppod-store": {"libsqlite3", "libjansson", "libseccomp", "libmsgpackc", "libmsgpack-c"},
    "poppo": {"libpoppo", "libjansson"},
    "libpoppo.so.0": {"libjansson", "libmsgpackc", "libmsgpack-c"},
}
ALWAYS = {"libc", "libm", "ld-linux-x86-64", "ld-linux-aarch64", "libgcc_s", "libasan", "libubsan", "libtsan"}

TOP_LEVEL = {"include", "src", "tests", "tools", "etc", "man", "meson.build", "meson_options.txt", "README.md",
             "LICENSE", ".ci", ".clang-format", ".editorconfig", ".gitignore"}

FILE_LINES, FUNCTION_LINES, COLUMNS = 600, 80, 130


def tracked():
    """The project's own files; outside of a checkout (a tarball) all that are no build folders."""
    git = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if not git.returncode:
        return [ROOT / name for name in git.stdout.split("\0") if name and (ROOT / name).exists()]
    return [p for p in ROOT.rglob("*") if p.is_file() and not p.relative_to(ROOT).parts[0].startswith((".git", "build"))]


FILES = tracked()


def sources(*suffixes, under="src"):
    return [p for p in FILES if p.suffix in suffixes and p.is_relative_to(ROOT / under)]


def name_of(path):
    return str(path.relative_to(ROOT))


def expect_nothing(faults):
    assert not faults, "\n" + "\n".join(faults)


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
        if match:
            yield number, match[1] == '"', match[2]


def include_fault(folder, target):
    """Why a file of this folder may not include this header of the project; None when it may."""
    if "/" not in target:
        return "a project header is named with its folder"
    other = target.split("/")[0]
    if folder in ONLY and other not in ONLY[folder]:
        return f"{folder}/ may include {', '.join(sorted(ONLY[folder]))} only"
    if other == folder or other == "poppo":
        return None
    if other not in FLOORS:
        return "no such floor"
    return None if FLOORS[other] < FLOORS[folder] else "upward or sideways"


@case
def floors_include_only_downward():
    faults, seen = [], 0
    for path in sources(".c", ".h", ".def"):
        folder = path.relative_to(ROOT / "src").parts[0]
        assert folder in FLOORS, f"{name_of(path)}: src/{folder} is no floor"
        for number, quoted, target in includes(path):
            fault = include_fault(folder, target) if quoted else None
            seen += quoted
            if fault:
                faults.append(f"{name_of(path)}:{number}: {target}: {fault}")
    assert seen > 10
    expect_nothing(faults)


@case
def libraries_stay_in_their_folders():
    faults = []
    for path in sources(".c", ".h", ".def"):
        folder = path.relative_to(ROOT / "src").parts[0]
        for number, quoted, target in includes(path):
            library = re.split(r"[./]", target)[0]
            if not quoted and library in LIBRARIES and folder not in LIBRARIES[library]:
                faults.append(f"{name_of(path)}:{number}: <{target}> does not belong in {folder}/")
    expect_nothing(faults)


@case
def public_headers_need_nothing_of_ours():
    faults = [f"{name_of(p)}:{n}: {t}" for p in sources(".h", under="include")
              for n, quoted, t in includes(p) if quoted and not t.startswith("poppo/")]
    assert sources(".h", under="include")
    expect_nothing(faults)


@case
def the_top_level_is_small():
    expect_nothing(sorted({p.relative_to(ROOT).parts[0] for p in FILES} - TOP_LEVEL))


@case
def files_are_short():
    text = [p for p in FILES if p.suffix in (".c", ".h", ".py", ".sh", ".def") or p.parts[-2] in ("tools", ".ci")]
    lengths = {p: len(p.read_text().splitlines()) for p in text}
    assert lengths
    expect_nothing([f"{name_of(p)}: {n} lines" for p, n in lengths.items() if n > FILE_LINES])


def c_functions(path):
    """(line, name, length): in our style a body opens and closes in the first column."""
    head, start = None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if start is None and re.match(r"[a-z_].*\(", line, re.IGNORECASE) and not line.rstrip().endswith(";"):
            head = (number, line)
        elif line == "{" and head:
            start = head
        elif line == "}" and start:
            yield start[0], start[1].split("(")[0].split()[-1], number - start[0] + 1
            head = start = None


def python_functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


@case
def functions_are_short():
    faults, seen = [], 0
    for path in FILES:
        reader = {".c": c_functions, ".py": python_functions}.get(path.suffix)
        for line, name, length in reader(path) if reader else ():
            seen += 1
            if length > FUNCTION_LINES:
                faults.append(f"{name_of(path)}:{line}: {name}: {length} lines")
    assert seen > 100
    expect_nothing(faults)


@case
def lines_fit_and_end_cleanly():
    faults = []
    for path in sources(".c", ".h"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > COLUMNS or "\t" in line or line != line.rstrip():
                faults.append(f"{name_of(path)}:{number}")
    expect_nothing(faults)


@case
def no_typedefs_no_drawers_no_loose_ends():
    faults = []
    for path in sources(".c", ".h"):
        if re.fullmatch(r"(utils?|helpers?|misc|common)", path.stem):
            faults.append(f"{name_of(path)}: a drawer for everything")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"^typedef\b|\b(TODO|FIXME|XXX)\b", line):
                faults.append(f"{name_of(path)}:{number}: {line.strip()}")
    expect_nothing(faults)


@case
def every_source_opens_with_what_a_newcomer_needs():
    expect_nothing([name_of(p) for p in sources(".c", ".h", ".def") if not p.read_text().startswith("/*")])


# ---- what was built ----

def built(name):
    found = [p for p in BUILD.rglob(name) if p.is_file()]
    assert found, f"{name} was not built"
    return found[0]


def readelf(path, *options):
    return subprocess.run(["readelf", *options, "-W", path], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def needed(path):
    return {name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(path, "-d"))}


@case
def programs_link_what_they_may():
    faults = []
    for name, allowed in LINKS.items():
        foreign = needed(built(name)) - allowed - ALWAYS
        faults += [f"{name} links {library}" for library in sorted(foreign)]
    expect_nothing(faults)


def exported_by(name):
    table = readelf(built(name), "--dyn-syms")
    return {line.split()[7].split("@")[0] for line in table.splitlines()
            if re.search(r"\b(FUNC|OBJECT)\s+(GLOBAL|WEAK)\b", line) and not re.search(r" (UND|ABS) ", line) and " __odr_asan." not in line}


@case
def the_library_exports_only_its_own_names():
    exported = exported_by("libpoppo.so.0")
    assert exported
    expect_nothing(sorted(name for name in exported if not name.startswith("poppo_")))


@case
def the_object_that_workers_load_exports_one_table():
    assert exported_by("poppod-http.so") == {"poppod_http_object"}, exported_by("poppod-http.so")


@case
def programs_bind_every_symbol_at_start():
    faults = [name for name in ("poppod", "poppod-spawner", "poppod-http.so", "poppod-loader", "poppod-store",
                                "poppo")
              if not re.search(r"\bNOW\b", readelf(built(name), "-d"))]
    expect_nothing(faults)


main()

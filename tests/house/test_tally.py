"""tools/lib/tally.py counts what it should: a wrong count would hide every other failure. test_tally.py SOURCE_ROOT"""
import json
import pathlib
import subprocess
import sys
import tempfile

from tap import case, main

TALLY = pathlib.Path(sys.argv[1]) / "tools" / "lib" / "tally.py"


def tally(*tests):
    """(passed, failed, skipped) of a log with these tests."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for number, (result, stdout) in enumerate(tests):
            log.write(json.dumps({"name": f"t{number}", "result": result, "returncode": 0, "stdout": stdout}) + "\n")
        log.flush()
        done = subprocess.run([sys.executable, TALLY, f"x={log.name}"], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


@case
def every_line_is_a_case():
    assert tally(("OK", "1..3\nok 1 - a\nok 2 - b\nok 3 - c\n")) == (3, 0, 0)
    assert tally(("FAIL", "1..3\nok 1 - a\nnot ok 2 - b\n# why\nok 3 - c\n")) == (2, 1, 0)


@case
def a_test_without_tap_is_one_case():
    assert tally(("OK", "")) == (1, 0, 0)
    assert tally(("FAIL", "it broke")) == (0, 1, 0)


@case
def a_crash_after_good_lines_is_a_failure():
    for result in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT"):
        assert tally((result, "1..2\nok 1 - a\nok 2 - b\n")) == (2, 1, 0)
    assert tally(("ERROR", "1..5\nok 1 - a\n")) == (1, 1, 0)


@case
def skips_are_neither():
    assert tally(("OK", "1..2\nok 1 - a # SKIP no kernel\nok 2 - b\n")) == (1, 0, 1)
    assert tally(("SKIP", "")) == (0, 0, 1)
    assert tally(("OK", "1..2\n# left out: a: why\nok 1 - a\nok 2 - b\n")) == (1, 0, 1)
    assert tally(("FAIL", "1..1\n# left out: a: why\nnot ok 1 - a\n")) == (0, 1, 0)


@case
def tests_add_up():
    assert tally(("OK", "ok 1 - a\n"), ("FAIL", "not ok 1\n"), ("OK", "")) == (2, 1, 0)


main()

"""Test files in Python speak TAP: collect cases with @case, end with tap.run()."""
import sys
import traceback

_cases = []


class Skip(Exception):
    """Raised by a case that cannot be tried here; its text says why."""


def case(function):
    """Registers a function as a test case; its name, with spaces, is the case's."""
    _cases.append((function.__name__.replace("_", " "), function))
    return function


def note(text):
    """A diagnostic line, which TAP ignores."""
    print("\n".join("# " + line for line in str(text).splitlines()), flush=True)


def _run_one(number, name, function, arguments):
    try:
        function(*arguments)
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        return True
    except Exception:
        print(f"not ok {number} - {name}", flush=True)
        note(traceback.format_exc())
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def run(*arguments):
    """Runs every case with these arguments and returns the exit status; only=TEXT on the command line chooses some."""
    only = next((word.removeprefix("only=") for word in sys.argv if word.startswith("only=")), "")
    chosen = [(name, f) for name, f in _cases if only in name]
    print(f"1..{len(chosen)}", flush=True)
    good = [_run_one(i + 1, name, f, arguments) for i, (name, f) in enumerate(chosen)]
    return 0 if all(good) and good else 1


def main(*arguments):
    sys.exit(run(*arguments))

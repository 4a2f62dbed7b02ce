"""Sums the test cases of meson's logs: tally.py LABEL=testlog.json ... prints "PASSED FAILED SKIPPED".

Each TAP line is one case; a test that speaks no TAP is one case. "# left out: NAME: WHY" makes a skip of case NAME. A test that failed as a whole (a crash, a time-out, a
sanitizer's report at exit) counts as failed even when all its lines were ok. Details of failures and the reasons of
skips go to stderr.
"""
import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b([^#\n]*)(?:#[ \t]*(\w+)[ \t]*(.*))?$", re.MULTILINE)
LEFT_OUT = re.compile(r"^# left out: (\w+): (.*)$", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL", "SKIP")


def outcome_of(bad, word, left_out):
    if bad:
        return "failed"
    return "skipped" if left_out or word.upper() == "SKIP" else "passed"


def cases(test):
    """(name, outcome, reason) of each case."""
    text = test.get("stdout", "")
    left_out = dict(LEFT_OUT.findall(text))
    named = [(bad, name.strip(" -0123456789"), word, why) for bad, name, word, why in CASE.findall(text)]
    found = [(name, outcome_of(bad, word, name in left_out), why or left_out.get(name, "")) for bad, name, word, why in named]
    if test["result"] == "SKIP" and not found:
        return [("", "skipped", "not supported here")]
    if test["result"] not in GOOD and not any(outcome == "failed" for _, outcome, _ in found):
        found.append(("", "failed", test["result"]))
    return found or [("", "passed", "")]


def report_failure(label, test):
    print(f"\n--- {label}: {test['name']}: {test['result']} (status {test.get('returncode')})", file=sys.stderr)
    for stream in ("stdout", "stderr"):
        text = test.get(stream, "").strip().splitlines()
        lines = [line for line in text if not line.startswith("ok ")]
        print("\n".join(lines[-60:]), file=sys.stderr)


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for argument in sys.argv[1:]:
        label, path = argument.split("=", 1)
        with open(path, encoding="utf-8", errors="replace") as log:
            for test in map(json.loads, log):
                found = cases(test)
                for name, outcome, why in found:
                    counts[outcome] += 1
                    if outcome == "skipped":
                        print(f"skipped: {label}: {test['name']} {name}: {why}", file=sys.stderr)
                if any(outcome == "failed" for _, outcome, _ in found):
                    report_failure(label, test)
    print(counts["passed"], counts["failed"], counts["skipped"])


main()

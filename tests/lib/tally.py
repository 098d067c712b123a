"""Counts what tests say about themselves.

A program that runs many tests says so in its output: Check's summary, pytest's
last line, or a line "N passed, M failed[, K skipped]". Any other program counts
as one test."""

import re

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
PYTEST = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+,? ?)+) in [\d.:]+s.*$", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
REASON = re.compile(r"^(?:SKIPPED|skipped:|SKIP).*$", re.M)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = []

    def add(self, counts):
        self.passed += counts[0]
        self.failed += counts[1]
        self.skipped += counts[2]

    def ok(self, good, name):
        self.add((1, 0, 0) if good else (0, 1, 0))
        if not good:
            self.failures.append(name)

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_check(output):
    matches = CHECK.findall(output)
    if not matches:
        return None
    total, failed = (sum(int(m[0]) for m in matches), sum(int(m[1]) + int(m[2]) for m in matches))
    return total - failed, failed, 0


def count_pytest(output):
    matches = PYTEST.findall(output)
    if not matches:
        return None
    words = {word.rstrip("s"): int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", matches[-1])}
    return words.get("passed", 0), words.get("failed", 0) + words.get("error", 0), words.get("skipped", 0)


def count_plain(output):
    matches = PLAIN.findall(output)
    return tuple(int(n or 0) for n in matches[-1]) if matches else None


def count(result, output):
    """Counts of one entry of meson's log: its result and what it printed."""
    if result == "SKIP":
        return 0, 0, 1
    good = result in ("OK", "EXPECTEDFAIL")
    inner = count_check(output) or count_pytest(output) or count_plain(output)
    if inner is None:
        return (1, 0, 0) if good else (0, 1, 0)
    return inner if good or inner[1] else (inner[0], 1, inner[2])


def reasons(result, output):
    """Why something was skipped, in the words of the test."""
    found = REASON.findall(output)
    if not found and result == "SKIP":
        found = output.strip().splitlines()[-1:] or ["no reason given"]
    return found

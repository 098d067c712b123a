#!/usr/bin/python3
"""tally.py understands what each kind of test program prints."""

import unittest

from tally import count, reasons

CHECK = "Running suite(s): x\n71%: Checks: 7, Failures: 1, Errors: 1\nfile.c:1:F:x\n"
PYTEST = "SKIPPED [1] test_a.py:3: needs root\n== 1 failed, 12 passed, 1 skipped, 2 errors in 3.21s ==\n"


class Counting(unittest.TestCase):
    def test_check(self):
        self.assertEqual(count("FAIL", CHECK), (5, 2, 0))
        self.assertEqual(count("OK", CHECK.replace("Failures: 1, Errors: 1", "Failures: 0, Errors: 0")), (7, 0, 0))

    def test_pytest(self):
        self.assertEqual(count("FAIL", PYTEST), (12, 3, 1))
        self.assertEqual(count("OK", "3 passed in 0.10s\n"), (3, 0, 0))
        self.assertEqual(reasons("FAIL", PYTEST), ["SKIPPED [1] test_a.py:3: needs root"])

    def test_plain(self):
        self.assertEqual(count("OK", "case x\n10 passed, 0 failed\n"), (10, 0, 0))
        self.assertEqual(count("FAIL", "10 passed, 2 failed, 1 skipped\n"), (10, 2, 1))

    def test_silent_program(self):
        self.assertEqual(count("OK", "anything"), (1, 0, 0))
        self.assertEqual(count("FAIL", "anything"), (0, 1, 0))
        self.assertEqual(count("TIMEOUT", ""), (0, 1, 0))

    def test_a_crash_is_never_lost(self):
        """A program may print a good summary and then die."""
        self.assertEqual(count("FAIL", "10 passed, 0 failed\n"), (10, 1, 0))
        self.assertEqual(count("FAIL", "1 passed, 0 failed\n"), (1, 1, 0))

    def test_skip(self):
        self.assertEqual(count("SKIP", "no systemd here\n"), (0, 0, 1))
        self.assertEqual(reasons("SKIP", "x\nno systemd here\n"), ["no systemd here"])


unittest.main()

"""What the Hub is asked when one process and when eight start; with 64 it is
<builddir>/tests/bench/requests."""

import json

import harness


def test_counts():
    done = harness.run([harness.BUILD / "tests" / "bench" / "requests", "--json", "--workers", "1,8"])
    assert done.returncode == 0, done.stderr
    counts = {(row["workers"], row["repositories"], row["state"]): (row["api"], row["files"])
              for row in json.loads(done.stdout)}
    assert counts == {
        (1, 1, "cold"): (5, 6), (8, 1, "cold"): (5, 6), (1, 10, "cold"): (41, 60), (8, 10, "cold"): (41, 60),
        (1, 1, "warm"): (0, 0), (8, 1, "warm"): (0, 0), (1, 10, "warm"): (0, 0), (8, 10, "warm"): (0, 0),
        (8, 1, "moved"): (0, 0), (8, 10, "moved"): (0, 0),
    }

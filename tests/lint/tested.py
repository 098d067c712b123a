#!/usr/bin/python3
"""Every module of proto/, kernels/ and the client library has a unit test."""

import tree

# Modules without a file of their own, and what tests them.
ELSEWHERE = {
}


def candidates(folder, stem):
    """The test of "codec_value" is test-codec_value.c, or test-codec.c for its family."""
    parts = stem.split("_")
    for n in range(len(parts), 0, -1):
        for joint in "_-":
            yield tree.ROOT / "tests" / "unit" / folder / f"test-{joint.join(parts[:n])}.c"


def main():
    faults = []
    for folder in ("proto", "kernels", "client"):
        for path in tree.files([folder], ".c"):
            if path.parts[1] == "kernelsctl" or str(path) in ELSEWHERE:
                continue
            if not any(test.exists() for test in candidates(folder, path.stem)):
                faults.append(f"{path}: no tests/unit/{folder}/test-{path.stem}.c")
    for path in ELSEWHERE:
        if not (tree.ROOT / path).exists():
            faults.append(f"{path}: in the table of exceptions, but not there")
    tree.finish(faults)


main()

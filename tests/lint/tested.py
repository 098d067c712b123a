#!/usr/bin/python3
"""Every module of proto/, kernels/ and the client library has a unit test."""

import tree

# Modules without a file of their own, and what tests them.
ELSEWHERE = {
}


def main():
    faults = []
    for folder in ("proto", "kernels", "client"):
        for path in tree.files([folder], ".c"):
            if path.parts[1] == "kernelsctl" or str(path) in ELSEWHERE:
                continue
            test = tree.ROOT / "tests" / "unit" / folder / f"test-{path.stem}.c"
            if not test.exists():
                faults.append(f"{path}: no {test.relative_to(tree.ROOT)}")
    for path in ELSEWHERE:
        if not (tree.ROOT / path).exists():
            faults.append(f"{path}: in the table of exceptions, but not there")
    tree.finish(faults)


main()

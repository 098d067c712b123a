#!/usr/bin/python3
"""Short functions and files of one subject.

A function is what stands between a brace in the first column and the brace in
the first column that ends it."""

import statistics

import tree

FUNCTION_MAX = 80
FUNCTION_USUAL = 50  # nine of ten are within
FILE_MAX = 600

FOLDERS = ["proto", "kernels", "daemon", "client", "examples"]


def functions(path):
    """Line number of the brace, and how many lines lie between the two."""
    start = None
    for number, line in enumerate(tree.code(path).splitlines(), 1):
        if line.startswith("{") and start is None:
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start - 1
            start = None


def main():
    faults, lengths = [], []
    for path in tree.files(FOLDERS, ".c", ".h"):
        n_lines = tree.text(path).count("\n")
        if n_lines > FILE_MAX:
            faults.append(f"{path}: {n_lines} lines, more than {FILE_MAX}: has it one subject?")
        for line, length in functions(path):
            lengths.append(length)
            if length > FUNCTION_MAX:
                faults.append(f"{path}:{line}: a function of {length} lines, more than {FUNCTION_MAX}")
            elif length > FUNCTION_USUAL:
                print(f"{path}:{line}: a function of {length} lines (allowed, if rare)")
    usual = sum(length <= FUNCTION_USUAL for length in lengths)
    print(f"{len(lengths)} functions, median {statistics.median(lengths):.0f} lines, "
          f"{100 * usual / len(lengths):.1f} % within {FUNCTION_USUAL}")
    if usual < 0.9 * len(lengths):
        faults.append(f"fewer than nine of ten functions are within {FUNCTION_USUAL} lines")
    tree.finish(faults)


main()

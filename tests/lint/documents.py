#!/usr/bin/python3
"""Links of the documents lead somewhere, and their C programs compile.

usage: documents.py COMPILER..."""

import re
import subprocess
import sys

import tree

LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PROGRAM = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"]


def broken_links(path):
    content = tree.text(path)
    for match in LINK.finditer(content):
        target = match.group(1)
        if "://" not in target and not (tree.ROOT / path.parent / target).exists():
            yield f"{path}:{tree.line_of(content, match.start())}: {target} is not there"


def broken_programs(path):
    content = tree.text(path)
    for match in PROGRAM.finditer(content):
        answer = subprocess.run([*sys.argv[1:], *FLAGS, f"-I{tree.ROOT / 'client'}", "-"], input=match.group(1),
                                capture_output=True, text=True, check=False)
        if answer.returncode:
            yield f"{path}:{tree.line_of(content, match.start())}: does not compile\n{answer.stderr}"


def main():
    faults = []
    for path in [tree.pathlib.Path("README.md"), *tree.files(["docs", "examples"], ".md")]:
        faults += [*broken_links(path), *broken_programs(path)]
    tree.finish(faults)


main()

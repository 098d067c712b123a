"""The source tree as lint tests see it."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["proto", "kernels", "daemon", "client", "examples", "tests", "docs", "systemd"]

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(folders, *endings):
    """Paths below the folders, relative to the root, in a fixed order."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(path.relative_to(ROOT) for path in found
                  if path.is_file() and path.suffix in endings and "__pycache__" not in path.parts)


def text(path):
    return (ROOT / path).read_text()


def code(path):
    """The text with comments and literals blanked; lines keep their numbers."""
    return COMMENT_OR_TEXT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text(path))


def line_of(content, position):
    return content.count("\n", 0, position) + 1


def finish(faults):
    """Prints the faults, a line each; ends the test."""
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)

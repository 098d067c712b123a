#!/usr/bin/python3
"""Documents of which a table in the code makes a part.

usage: made.py check|write TEMPLATE DOCUMENT TOOL [ARGUMENT...]

The line "@TABLES@" of TEMPLATE stands for what TOOL prints. `write` makes
DOCUMENT so; `check` fails if it is not so already.
"""
import subprocess
import sys


def made(template, command):
    """Returns the text of the document: the template with the tool's output in it."""
    tables = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(template, encoding="utf-8") as file:
        return file.read().replace("@TABLES@\n", tables)


def main():
    action, template, document, *command = sys.argv[1:]
    text = made(template, command)
    if action == "write":
        with open(document, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    with open(document, encoding="utf-8") as file:
        if file.read() == text:
            return 0
    print(f"{document} is not what {template} and the table make; run: ninja -C BUILD write-documents", file=sys.stderr)
    return 1


sys.exit(main())

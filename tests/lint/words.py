#!/usr/bin/python3
"""Functions that are not called, and words that are not left behind."""

import fnmatch
import re

import tree

# What libsystemd gives (daemon/service.c) and what a caller of the library gives
# to free() (client/json.c) cannot go through proto/base/alloc.h. A socket's lock
# has no deadline of its own (daemon/listen_path.c, before the loop runs).
#
# what, the files where it is allowed all the same, why not elsewhere
BANNED = [
    (r"(?:v?sprintf|strcpy|strcat|stpcpy|strncpy|strncat|gets)", ["tests/*"], "has no bound, or no NUL; use snprintf or memcpy"),
    (r"(?:atoi|atol|atoll|atof)", ["tests/*"], "does not tell an error; use strtoll or text.h"),
    (r"(?:strtok|localtime|gmtime|asctime|ctime|ttyname|getpwuid|getpwnam)", ["client/kernelsctl/*", "daemon/places.c", "tests/*"],
     "shares a buffer between threads; use its _r form"),
    (r"(?:malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|posix_memalign|aligned_alloc)",
     ["proto/base/alloc.c", "daemon/service.c", "client/json.c", "client/kernelsctl/*", "examples/*", "tests/*"],
     "allocate through proto/base/alloc.h"),
    (r"(?:alloca|system|popen|tmpnam|tempnam|mktemp|setlocale)", ["tests/*"], "is not used here"),
    (r"(?:sleep|usleep|nanosleep|clock_nanosleep)", ["daemon/listen_path.c"], "wait for a condition, never for time"),
    (r"(?:getenv)", ["daemon/*", "client/kernelsctl/*", "tests/*"], "use secure_getenv"),
    (r"(?:signal|sigaction|exit|_exit|printf|puts|putchar|perror)",
     ["daemon/*", "docs/*", "client/kernelsctl/*", "examples/*", "tests/*"], "is not for a library"),
]

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def banned_calls(path):
    content = tree.code(path)
    for names, allowed, why in BANNED:
        if any(fnmatch.fnmatchcase(str(path), pattern) for pattern in allowed):
            continue
        for match in re.finditer(rf"(?<![\w.>]){names}\s*\(", content):
            name = match.group().rstrip("( \n")
            yield f"{path}:{tree.line_of(content, match.start())}: {name}: {why}"


def unfinished(path):
    content = tree.text(path)
    for match in UNFINISHED.finditer(content):
        yield f"{path}:{tree.line_of(content, match.start())}: {match.group()}: finish it or leave it out"


def main():
    faults = []
    for path in tree.files(tree.FOLDERS, ".c", ".h"):
        faults += banned_calls(path)
    for path in tree.files(tree.FOLDERS, ".c", ".h", ".md", ".py", ".build", ".sh", ".in"):
        if path.name != "words.py":
            faults += unfinished(path)
    tree.finish(faults)


main()

#!/usr/bin/python3
"""Who may include whom, and which third-party header has which home."""

import fnmatch
import re

import tree

# The first row that fits a file says which of our headers it may include.
MAY_USE = [
    ("proto/base/*", ["proto/base/*"]),
    ("proto/*", ["proto/*"]),
    ("kernels/*", ["proto/*", "kernels/*"]),
    ("daemon/*", ["proto/*", "kernels/*", "daemon/*"]),
    ("client/kernelsctl/*", ["client/kernelsctl/*", "client/kernelsd.h", "kernelsd.h"]),
    ("client/python/*.c", ["client/python/native.h"]),
    ("client/python/*", []),
    ("client/kernelsd.h", []),
    ("client/*", ["proto/*", "client/*.h"]),
    ("examples/activation/*", ["ffi.h", "silu.h"]),
    ("examples/*", ["kernelsd.h"]),
    ("tests/*", ["*"]),
    ("docs/*", ["*"]),
]

# Third-party headers, and the only files that may include them.
HOMES = {
    "msgpack.h": ["proto/codec*.c", "tests/*"],
    "msgpack/*": ["proto/codec*.c", "tests/*"],
    "jansson.h": ["kernels/json.c", "tests/conformance/*", "tests/bench/*", "tests/unit/client/test-kernelize.c"],
    "openssl/*": ["kernels/hash.c"],
    "sqlite3.h": ["kernels/store_db*.c", "kernels/store_db_private.h", "tests/*"],
    "uv.h": ["daemon/*"],
    "curl/*": ["daemon/http_curl.h"],
    "systemd/sd-daemon.h": ["daemon/service.c"],
    "check.h": ["tests/*"],
    "kernelsd.h": ["client/kernelsctl/*", "client/python/*", "examples/*", "tests/*"],
    "Python.h": ["client/python/native.h"],
}

# Headers of libc and of Linux. A header in neither table is a new dependency.
LIBC = set("""
    assert ctype dirent dlfcn errno fcntl fnmatch getopt grp inttypes libgen limits link locale math poll pthread pwd regex
    sched semaphore setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdio_ext stdlib string strings syslog
    termios threads time uchar unistd cpuid immintrin endian byteswap sysexits malloc ftw glob spawn float
""".split())
LIBC_FOLDERS = ("sys/", "linux/", "asm/", "net/", "netinet/", "arpa/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def is_libc(header):
    return header.startswith(LIBC_FOLDERS) or (header.endswith(".h") and header[:-2] in LIBC)


def fault_of_foreign(path, header):
    homes = [homes for pattern, homes in HOMES.items() if fnmatch.fnmatchcase(header, pattern)]
    if homes:
        return None if fits(path, homes[0]) else f"<{header}> has its home in {', '.join(homes[0])}"
    return None if is_libc(header) else f"<{header}> is in neither table of {__file__}"


def fault_of_own(path, header):
    allowed = next((allowed for pattern, allowed in MAY_USE if fnmatch.fnmatchcase(path, pattern)), [])
    return None if fits(header, allowed) else f'"{header}" is not for this folder, which may use {", ".join(allowed)}'


def main():
    faults = []
    for path in tree.files(tree.FOLDERS, ".c", ".h"):
        content = tree.text(path)
        for match in INCLUDE.finditer(content):
            judge = fault_of_foreign if match.group(1) == "<" else fault_of_own
            fault = judge(str(path), match.group(2))
            if fault:
                faults.append(f"{path}:{tree.line_of(content, match.start())}: {fault}")
    tree.finish(faults)


main()

#!/usr/bin/python3
"""What the built libraries need from outside, and what they show.

usage: symbols.py BUILDDIR

proto/ and kernels/ know no loop, no socket, no clock and no thread; the library
does nothing to its process. Names are those of nm on the objects of a build
without sanitizers."""

import pathlib
import re
import subprocess
import sys

import tree

BUILD = pathlib.Path(sys.argv[1])

WORLD = re.compile(r"""^(?:
    (?:uv|curl|sd|archive|seccomp)_.* | cu[A-Z].* |
    socket|socketpair|connect|bind|listen|accept4?|recv(?:from|msg)?|send(?:to|msg)?|poll|ppoll|select|epoll_.* |
    clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|
    pthread_create|fork|vfork|execve?|execvp|posix_spawnp?|system|popen|dlopen|
    getenv|secure_getenv|setenv|setlocale|signal|sigaction|exit|_exit|printf|puts|putchar|perror|
    rand|random|getrandom
)$""", re.X)

# What a library in a foreign process leaves alone.
PROCESS = re.compile(r"""^(?:
    (?:uv|curl|sd|json|sqlite3|EVP|SHA\d*)_.* |
    pthread_create|fork|vfork|execve?|execvp|posix_spawnp?|system|popen|
    getenv|setenv|unsetenv|putenv|setlocale|signal|sigaction|sigprocmask|pthread_sigmask|exit|_exit|atexit|
    printf|vprintf|puts|putchar|fprintf|vfprintf|fputs|fputc|perror|__printf_chk|__fprintf_chk|__vfprintf_chk|
    stdout|stderr|sleep|usleep|nanosleep
)$""", re.X)

# Foreign symbols with a home: no other object of the two static libraries needs them.
HOMES = [
    (re.compile(r"^msgpack_.*"), re.compile(r"^codec.*")),
    (re.compile(r"^json(?:p|_).*"), re.compile(r"^json$")),
    (re.compile(r"^sqlite3_.*"), re.compile(r"^store_db.*")),
    (re.compile(r"^(?:EVP|SHA\d*|OPENSSL|CRYPTO)_.*"), re.compile(r"^hash$")),
]


def nm(*arguments):
    answer = subprocess.run(["nm", "--portability", *arguments], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def undefined_by_object(archive):
    """Yields the module of an object ("codec_value") and a symbol it needs."""
    module = ""
    for line in nm("--undefined-only", str(archive)):
        member = re.match(r".*\[(?:.*/)?(.*?)(?:\.c)?\.o\]:$", line)
        if member:
            module = member.group(1)
        elif line:
            yield module, line.split()[0].split("@")[0]


def defined_in(archives):
    return {line.split()[0] for archive in archives for line in nm("--defined-only", str(archive))
            if line and not line.endswith(":")}


def fault_of(module, symbol):
    if WORLD.match(symbol):
        return "is of the world outside: it comes in as an argument"
    for pattern, home in HOMES:
        if pattern.match(symbol) and not home.match(module):
            return f"has its home in {home.pattern}"
    return None


def faults_of_archive(archive, own):
    seen = [(module, symbol) for module, symbol in undefined_by_object(archive) if symbol not in own]
    if not seen:
        yield f"{archive}: nm shows nothing"
    for module, symbol in seen:
        fault = fault_of(module, symbol)
        if fault:
            yield f"{archive.name}({module}): {symbol} {fault}"


def public_functions():
    header = tree.code("client/kernelsd.h")
    return set(re.findall(r"\bKD_PUBLIC\b[^;(]*?\b(kd_\w+)\(", header))


def faults_of_library(library):
    wanted = public_functions()
    exported = {line.split()[0].split("@")[0] for line in nm("--dynamic", "--defined-only", str(library))
                if line.split()[1] != "A"}
    for symbol in sorted(exported - wanted):
        yield f"{library.name}: exports {symbol}, which kernelsd.h does not have"
    for symbol in sorted(wanted - exported):
        yield f"{library.name}: does not export {symbol}"
    for line in nm("--dynamic", "--undefined-only", str(library)):
        symbol = line.split()[0].split("@")[0]
        if PROCESS.match(symbol):
            yield f"{library.name}: {symbol} is not for a library in a foreign process"


def main():
    archives = [BUILD / "proto" / "libproto.a", BUILD / "kernels" / "libkernels.a"]
    own = defined_in(archives)
    faults = [fault for archive in archives for fault in faults_of_archive(archive, own)]
    faults += faults_of_library(BUILD / "client" / "libkernelsd.so.0")
    tree.finish(faults)


main()

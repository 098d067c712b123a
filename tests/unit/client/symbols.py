#!/usr/bin/python3
"""What libkernelsd.so exports, its map lists and its manual names is what kernelsd.h declares."""
import pathlib
import re
import subprocess
import sys

library, header, script, manual = sys.argv[1:]


def exported():
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in out.splitlines()]
    return {name.split("@")[0] for _, kind, name in lines if kind != "A"}


def declared():
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(), flags=re.S)
    return set(re.findall(r"^KD_PUBLIC\b[^;(]*?\b(kd_\w+)\(", text, flags=re.M))


def listed():
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(script).read_text(), flags=re.S)
    return set(re.findall(r"\b(kd_\w+);", text))


def described():
    return set(re.findall(r"^\.BR? (kd_\w+)", pathlib.Path(manual).read_text(), flags=re.M))


def linked():
    out = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\((NEEDED|SONAME)\).*\[(.*)\]", out)


failures = 0
for what, names in (("exported", exported()), ("in kernelsd.map", listed()), ("in libkernelsd.3", described())):
    for name in sorted(names ^ declared()):
        print(f"{name}: {what} but not declared" if name in names else f"{name}: declared but not {what}")
        failures += 1
for kind, name in linked():
    allowed = r"libkernelsd\.so\.0" if kind == "SONAME" else r"(libc|libmsgpack-?c|libasan|libubsan|libtsan|libgcc_s|libm|ld-linux-.*)\.so\.\d+"
    if not re.fullmatch(allowed, name):
        print(f"{kind} {name}: the library links only libc and msgpack-c")
        failures += 1
if len(declared()) < 40:
    print("kernelsd.h was not understood")
    failures += 1
print(f"{len(declared())} functions, {failures} failures")
sys.exit(failures != 0)

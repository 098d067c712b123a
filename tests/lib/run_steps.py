"""What tests/run does once everything needed is installed.

usage: run_steps.py ROOT [--quick]

Every step builds in a folder build-NAME of the tree, goes on to the next one
after a failure, and counts into one tally, which is the last line."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from tally import Tally, count, reasons

FUZZ_SECONDS = 60
FUZZ_JOBS = (os.cpu_count() or 1) + 1  # a minute each by the clock; on two processors 40 s of work

ASAN = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1:"
    "detect_leaks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
TSAN = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1"}

ROOT = pathlib.Path(sys.argv[1])
STARTED = time.monotonic()
tally = Tally()


def say(text):
    print(text, flush=True)


def title(text):
    say(f"\n== {text} ({time.monotonic() - STARTED:.0f} s)")


def run(command, log, **environment):
    """Runs a command, all output to the file `log`; True if it went well."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                cwd=ROOT, env={**os.environ, **environment}, check=False)
    return answer.returncode == 0


def show_end(log, n_lines=60):
    for line in log.read_text(errors="replace").splitlines()[-n_lines:]:
        say("    " + line)


def configure(folder, options, compiler):
    """Sets the folder up, anew if what is there cannot be used again."""
    log = folder / "log" / "setup"
    known = (folder / "build.ninja").exists()
    for way in (["--reconfigure"], ["--wipe"]) if known else ([],):
        command = ["meson", "setup", *way, "-Dwerror=true", *options, str(folder), str(ROOT)]
        if run(command, log, CC=compiler):
            return True, log
    return False, log


def build(name, compiler, *options):
    """Configures and builds build-NAME; None if that failed."""
    folder = ROOT / f"build-{name}"
    title(f"{name}: builds with {compiler} {' '.join(options)}".rstrip())
    good, log = configure(folder, list(options), compiler)
    if good:
        log = folder / "log" / "ninja"
        good = run(["ninja", "--quiet", "-C", str(folder)], log)
    if not good:
        show_end(log)
    tally.ok(good, f"{name}: the build, see {log}")
    return folder if good else None


def tests_of(folder, wanted):
    """Names of the tests that `wanted(name, suites)` accepts."""
    text = subprocess.run(["meson", "introspect", "--tests", str(folder)], capture_output=True, check=True).stdout
    known = [(test["name"], {suite.split(":")[-1] for suite in test["suite"]}) for test in json.loads(text)]
    return sorted({name for name, suites in known if wanted(name, suites)})


def note(label, entry):
    """Counts one test program and says what went wrong or was left out."""
    output = entry.get("stdout", "") + entry.get("stderr", "")
    passed, failed, skipped = count(entry["result"], output)
    name = entry["name"].split(" / ")[-1]
    tally.add((passed, failed, skipped))
    if failed:
        tally.failures.append(f"{label}: {name} ({entry['result']})")
        say(f"FAILED {label}: {name} ({entry['result']}, {entry['duration']:.0f} s)")
        for line in output.splitlines()[-80:]:
            say("    " + line)
    if skipped:
        why = reasons(entry["result"], output)
        tally.skips += [f"{label}: {name}: {text}" for text in why]
        say(f"SKIPPED {label}: {name}: {'; '.join(why)}")
    return passed


def run_tests(folder, label, names, multiplier, prefix=(), **environment):
    title(f"{label}: {len(names)} test programs")
    if not names:  # meson would run every test
        tally.ok(False, f"{label}: no test of this kind is known")
        return
    log = folder / "log" / "test"
    results = folder / "meson-logs" / "testlog.json"
    results.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(folder), "--no-rebuild", "-t", str(multiplier), *names]
    good = run([*prefix, *command], log, PYTHONDONTWRITEBYTECODE="1", **environment)
    lines = results.read_text().splitlines() if results.exists() else []
    before, passed = tally.failed, sum(note(label, json.loads(line)) for line in lines)
    if len(lines) != len(names) or (not good and tally.failed == before):
        show_end(log)
        tally.ok(False, f"{label}: meson test, see {log}")
    say(f"{label}: {passed} passed, {tally.failed - before} failed")


def step_gcc():
    folder = build("gcc", "gcc")
    if folder:
        run_tests(folder, "gcc", tests_of(folder, lambda name, suites: "systemd" not in suites), 3)
    return folder


def step_clang():
    folder = build("clang", "clang", "-Dbuildtype=release")
    if folder:
        run_tests(folder, "clang", tests_of(folder, lambda name, suites: "unit" in suites), 3)


def step_asan():
    folder = build("asan", "gcc", "-Dbuildtype=debug", "-Db_sanitize=address,undefined", "-Db_lundef=false")
    if folder:
        names = tests_of(folder, lambda name, suites: not suites & {"systemd", "lint"})
        run_tests(folder, "asan", names, 6, **ASAN)


def tsan_prefix():
    """TSan of gcc 12 cannot start where the kernel shuffles addresses widely."""
    bits = pathlib.Path("/proc/sys/vm/mmap_rnd_bits")
    wide = bits.exists() and int(bits.read_text() or 0) > 28
    return ("setarch", "--addr-no-randomize") if wide else ()


def step_tsan():
    folder = build("tsan", "gcc", "-Dbuildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false")
    if folder:
        names = tests_of(folder, lambda name, suites: "e2e" in suites or name.startswith("daemon/"))
        run_tests(folder, "tsan", names, 6, tsan_prefix(), **TSAN)


def step_systemd(folder):
    if folder:
        run_tests(folder, "systemd", tests_of(folder, lambda name, suites: "systemd" in suites), 1)


def step_fuzz():
    title(f"fuzz: every fuzzer for {FUZZ_SECONDS} s")
    log = ROOT / "build-fuzz" / "log-fuzz"
    good = run([str(ROOT / "tests" / "fuzz" / "run"), str(FUZZ_SECONDS)], log, FUZZ_JOBS=str(FUZZ_JOBS))
    verdicts = re.findall(r"^(\S+): (ok|FAILED)(.*)$", log.read_text(errors="replace"), re.M)
    for name, verdict, rest in verdicts:
        say(f"fuzz: {name}: {verdict}{rest}")
        tally.ok(verdict == "ok", f"fuzz: {name}{rest}")
        if verdict != "ok":
            show_end(ROOT / "build-fuzz" / "fuzz" / name / "log", 30)
    if not verdicts or (not good and all(verdict == "ok" for _, verdict, _ in verdicts)):
        show_end(log)
        tally.ok(False, f"fuzz: tests/fuzz/run, see {log}")


def step_demo():
    """examples/demo works, says so for each of its twelve processes, and the second start asks the Hub nothing."""
    title("demo: examples/demo")
    log = ROOT / "build" / "demo-test.log"
    good = run([str(ROOT / "examples" / "demo")], log)
    text = log.read_text(errors="replace")
    good = good and text.count(", correct\n") == 12 and "\nrequests to the Hub: 0 " in text
    tally.ok(good, f"demo: see {log}")
    if not good:
        show_end(log, 100)


def main():
    if sys.argv[2:] not in ([], ["--quick"]):
        say("usage: tests/run [--quick]")
        return 2
    folder = step_gcc()
    if "--quick" not in sys.argv:
        step_clang()
        step_asan()
        step_tsan()
        step_systemd(folder)
        step_fuzz()
        step_demo()
    title("result")
    for text in tally.skips:
        say(f"SKIPPED {text}")
    for text in tally.failures:
        say(f"FAILED {text}")
    say(tally.line())
    return 1 if tally.failed else 0


sys.exit(main())

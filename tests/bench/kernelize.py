"""Times `kernelize` of a model with 400 extensible layers over ten repositories.

usage: kernelize [--json] [--rounds N]

Everything is on the host already (warm). Each round is a process of its own that
imports torch and builds the model, then kernelizes it twice. What lies there before is
frozen for Python's garbage collector, whose passes over all of torch take 50 ms, now
in the one and now in the other. Medians over the rounds:

kernelize_ms        the first kernelize of a process: connecting, registering 400
                    entries, ten kernels acquired and imported, 400 forwards
daemon_ms           of that, spent in calls to the daemon, connecting included
connect_ms, view_create_ms, resolve_ms, acquire_all_ms, report_ms   of that, by call
again_ms            kernelize of the same model again
again_daemon_ms     of that, in calls to the daemon
select_ms           what the package `kernels` needs to select 400 repositories in its
                    own process, without the Hub: measured where KERNELS_SOURCE names
                    its source, else from its 8.7 us a layer (facts/speed.md)
hub_ms              what a warm process of that package waits for: its four requests
                    for each of ten repositories, over one kept connection to the Hub
                    double on loopback"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

import harness  # noqa: E402
import hub  # noqa: E402

REPOSITORIES = 10
LAYERS = 400
UPSTREAM_US = 8.7  # a layer; facts/speed.md

LAYER = """
class Layer{number}(nn.Module):
    def forward(self, x):
        return x + 1
"""

# A process of its own: it times the methods of the connection, in all of which the
# daemon is waited for.
WORKER = """
import gc, json, sys, time, warnings
warnings.simplefilter("ignore")
import torch
from torch import nn
import kernelsd
from kernelsd import _native, client, environment

REPOSITORIES, LAYERS = {repositories}, {layers}
spent = {{}}  # by the name of the call, in ms


def timed(name, function):
    def run(*arguments, **keywords):
        begin = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            spent[name] = spent.get(name, 0.0) + (time.perf_counter() - begin) * 1e3
    return run


class Timed:
    def __init__(self, *arguments, **keywords):
        self.inner = timed("connect", _native.Client)(*arguments, **keywords)

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        return timed(name, found) if callable(found) else found


class Native:
    Client = Timed

    def __getattr__(self, name):
        return getattr(_native, name)


client._native = Native()


class Plain(nn.Module):
    def forward(self, x):
        return x


def layer(number):
    made = type(f"Plain{{number}}", (Plain,), {{}})
    return kernelsd.use_kernel_forward_from_hub(f"Layer{{number}}")(made)()


def repository(number):
    return kernelsd.LayerRepository(f"bench/kernel-{{number % REPOSITORIES}}", layer_name=f"Layer{{number}}", version=1)


model = nn.Sequential(*(layer(number) for number in range(LAYERS)))
environment.environment()  # as a process has it that has used torch
kernelsd.register_kernel_mapping({{f"Layer{{number}}": {{"cpu": repository(number)}} for number in range(LAYERS)}})


gc.collect()
gc.freeze()


def kernelize():
    spent.clear()
    begin = time.perf_counter()
    kernelsd.kernelize(model, mode=kernelsd.Mode.INFERENCE, device="cpu", use_fallback=False)
    return (time.perf_counter() - begin) * 1e3, dict(spent)


first, again = kernelize(), kernelize()
assert float(model(torch.zeros(1))) == LAYERS
print(json.dumps({{
    "kernelize_ms": first[0], "daemon_ms": sum(first[1].values()),
    **{{f"{{name}}_ms": value for name, value in first[1].items()}},
    "again_ms": again[0], "again_daemon_ms": sum(again[1].values()),
}}))
"""

# The selection of the package `kernels`: its own mapping and its own choice for a mode.
SELECT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import kernels
from kernels import LayerRepository, Mode, register_kernel_mapping
from kernels.layer.globals import _KERNEL_MAPPING
from kernels.layer.repos import _select_repository

LAYERS = {layers}
register_kernel_mapping({{
    f"Layer{{n}}": {{"cpu": LayerRepository(f"bench/kernel-{{n % 10}}", layer_name=f"Layer{{n}}", version=1)}}
    for n in range(LAYERS)
}})


def select():
    for n in range(LAYERS):
        repos = _KERNEL_MAPPING.get().get(f"Layer{{n}}").get("cpu").repos
        assert _select_repository(repos, mode=Mode.INFERENCE)


times = []
for _ in range(50):
    begin = time.perf_counter()
    select()
    times.append((time.perf_counter() - begin) * 1e3)
print(sorted(times)[25])
"""


def kernel(number):
    """The files of one repository: every tenth layer."""
    layers = "".join(LAYER.format(number=n) for n in range(number, LAYERS, REPOSITORIES))
    files = {"__init__.py": b"from . import layers\n", "layers.py": ("from torch import nn\n" + layers).encode()}
    return harness.kernel_files(files=files, id=f"bench_{number}")


def repositories():
    return [f"bench/kernel-{number}" for number in range(REPOSITORIES)]


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "KERNELS_"))}
    return {**kept, "OMP_NUM_THREADS": "1", **more}


def run(script, **more):
    answer = subprocess.run([sys.executable, "-c", script], env=environment(**more), capture_output=True, text=True,
                            check=False, timeout=harness.PATIENCE_S)
    if answer.returncode:
        sys.exit(answer.stderr)
    return answer.stdout.splitlines()[-1]


def time_kernelize(daemon, rounds, home):
    """One more round goes first, for bytecode and page cache."""
    script = WORKER.format(repositories=REPOSITORIES, layers=LAYERS)
    seen = [
        json.loads(run(script, KERNELSD_SOCKET=str(daemon.socket), XDG_CACHE_HOME=str(home),
                       PYTHONPATH=str(harness.BUILD / "client" / "python")))
        for _ in range(rounds + 1)
    ][1:]
    return {name: statistics.median(row[name] for row in seen) for name in seen[0]}


def time_hub(double, rounds):
    """Four requests a repository, as facts/users-and-peers.md (b) counted them."""
    address = urllib.parse.urlsplit(double.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for repository in repositories():
            for method, path in (
                ("GET", "/api/organizations/bench/overview"),
                ("GET", f"/api/kernels/{repository}/refs"),
                ("HEAD", f"/kernels/{repository}/resolve/v1/kernel-status.toml"),
                ("GET", f"/api/kernels/{repository}/tree/v1/build?recursive=false&expand=false"),
            ):
                connection.request(method, path)
                connection.getresponse().read()
        times.append((time.perf_counter() - begin) * 1e3)
    connection.close()
    return statistics.median(times)


def time_select():
    """(ms, whether it was measured)."""
    source = os.environ.get("KERNELS_SOURCE")
    if not source:
        return UPSTREAM_US * LAYERS / 1e3, False
    return float(run(SELECT.format(layers=LAYERS), PYTHONPATH=source)), True


def measure(rounds):
    with hub.Hub() as double:
        for number, repository in enumerate(repositories()):
            double.add_repository(repository, {"v1": kernel(number)}, trusted=True)
        daemon = harness.HubDaemon(hub=double)
        try:
            daemon.start()
            figures = time_kernelize(daemon, rounds, daemon.folder / "home")
            figures["hub_ms"] = time_hub(double, rounds)
        finally:
            daemon.remove()
    figures["select_ms"], figures["select_measured"] = time_select()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    figures = measure(max(arguments.rounds, 1))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        if name != "select_measured":
            note = "" if name != "select_ms" or figures["select_measured"] else "  (8.7 us a layer, not measured here)"
            print(f"{name:<16} {value:8.2f}{note}")


main()

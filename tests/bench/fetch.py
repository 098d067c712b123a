"""What a fetch costs beside curl, in one run.

usage: fetch [--json] [--runs N] [--mib N] [--folder DIR] [--small-folder DIR] [--synced]

1 GiB in one file over http and https against `curl -o` of the same address, and
2,000 files of 4 KiB in one variant against `curl --parallel` with a list of the
same addresses; the fetch hashes all of it, compares it with what its metadata
states, and puts it in place; curl does nothing of this. Server, file thread and
curl have one processor, the daemon's loop and its clients the other. The page
pool is warmed before each run; curl and daemon take turns; medians of N runs (5),
of ratios the median of the ratios. `resolve` is timed with nothing else to do and
during a fetch of that 1 GiB.

curl syncs nothing, and so the daemon is kept from it; else the disk would be what
is measured. With --synced it syncs as it always does, and `sync -f` follows each
curl. The large file goes to DIR (the folder for temporary files), the small ones
to /dev/shm where there is one: ext4 spends a while looking past the thousands of
inodes that the run before has given back."""

import argparse
import hashlib
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e"), str(TESTS / "bench")]

import bench_hub  # noqa: E402
import harness  # noqa: E402

ROUND_TRIPS = harness.BUILD / "tests" / "bench" / "round-trips"
NO_SYNC = harness.BUILD / "tests" / "bench" / "libno-sync.so"
CPUS = sorted(os.sched_getaffinity(0))
FETCH_CPU, LOOP_CPU = CPUS[0], CPUS[-1]  # server and curl share the first
MIB = 1 << 20
N_SMALL, SMALL_SIZE = 2000, 4096
POOL = 1400 * MIB
IDLE_CALLS = 40000
LARGE, SMALL = "bench/large", "bench/small"
VARIANT = "build/torch-cpu"
AIMS = {"http_ratio": ">= 1.0", "https_ratio": ">= 0.9", "resolve_p99_ratio": "<= 1.5", "idle_mib": "<= 12"}


# --- what is fetched ---


def make_variant(folder, files):
    """`files`: name and chunks of bytes of each."""
    folder.mkdir(parents=True)
    digests = {}
    for name, chunks in files:
        digest = hashlib.sha256()
        with open(folder / name, "wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        digests[name] = digest
    content = json.loads(harness.metadata({}, digest=False))
    content["digest"] = {"algorithm": "sha256", "files": {
        name: harness.base64.b64encode(digest.digest()).decode() for name, digest in digests.items()}}
    (folder / "metadata.json").write_text(json.dumps(content))


def make_repositories(folder, mib):
    block = os.urandom(MIB)
    large = (block[i:] + block[:i] for i in range(mib))
    small = ((f"part{i:04}.bin", [block[i : i + SMALL_SIZE]]) for i in range(N_SMALL))
    make_variant(folder / LARGE / "v1" / VARIANT, [("weights.bin", large)])
    make_variant(folder / SMALL / "v1" / VARIANT, small)
    (folder / "bench" / "hub.json").write_text('{"trustedKernelPublisher": true}')


# --- the machine ---


def warm_pool(folder):
    """Pages that the hypervisor has to give cost ten times as much as used ones."""
    block = bytes(MIB)
    with open(folder / "pool", "wb") as file:
        for _ in range(POOL // MIB):
            file.write(block)
    (folder / "pool").unlink()


def find_small_folder():
    shm = pathlib.Path("/dev/shm")
    return shm if shm.is_dir() and shutil.disk_usage(shm).free > 2 * POOL else pathlib.Path(tempfile.gettempdir())


def processor_times():
    with open("/proc/stat") as file:
        values = list(map(int, file.readline().split()[1:9]))
    return values[7], sum(values)


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {len(CPUS)} processors ({model}), Linux {os.uname().release}"


# --- one daemon, one fetch ---


class Fetcher:
    """A daemon with an empty cache, its threads pinned."""

    def __init__(self, folder, hub, scheme, synced=False):
        self.cache = folder / "cache"
        preloaded = {} if synced else {"LD_PRELOAD": str(NO_SYNC)}
        self.daemon = harness.Daemon()
        self.daemon.write_mapping({"Layer": [harness.use("Layer")]})
        self.daemon.start("--cache-dir", self.cache, HF_ENDPOINT=hub.endpoints[scheme],
                          SSL_CERT_FILE=str(hub.ca_file), **preloaded)
        self.tasks = pathlib.Path(f"/proc/{self.daemon.process.pid}/task")
        for task in self.tasks.iterdir():
            is_files = (task / "comm").read_text().strip() == "files"
            os.sched_setaffinity(int(task.name), {FETCH_CPU if is_files else LOOP_CPU})
        # As round-trips is: see pin_to in sample.c.
        os.sched_setscheduler(self.daemon.process.pid, os.SCHED_BATCH, os.sched_param(0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.remove()
        shutil.rmtree(self.cache, ignore_errors=True)

    def cpu_s(self):
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self.tasks.iterdir()) / 1e9

    def rss_mib(self):
        status = (self.tasks.parent / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def fetch(self, repository):
        """Seconds of the clock and of the processor."""
        with self.daemon.peer(environment={"torch": "2.7", "cpu": "x86_64", "os": "linux"}) as peer:
            cpu, start = self.cpu_s(), time.monotonic()
            answer = peer.call("acquire", repo=repository, version=1, device="cpu", capability=None, arch=None)
            taken = time.monotonic() - start, self.cpu_s() - cpu
            assert answer["variant"] == pathlib.Path(VARIANT).name and answer["digest"] == "ok", answer
        return taken

    def round_trips(self, *more):
        return subprocess.Popen([ROUND_TRIPS, self.daemon.socket, "Layer", str(LOOP_CPU), *more],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def idle_latency(self):
        with self.round_trips(str(IDLE_CALLS)) as calls:
            return tuple(map(float, calls.communicate()[0].split()[1:]))

    def latency_during_fetch(self):
        with self.round_trips() as calls:
            calls.stdout.readline()
            self.fetch(LARGE)
            return tuple(map(float, calls.communicate()[0].split()))


def run_curl(synced, *arguments):
    """Seconds of the clock and of the processor; `synced`: the folder to sync, or None."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["taskset", "-c", str(FETCH_CPU), "curl", "-q", "-sfL", "--no-progress-meter",
                    *map(str, arguments)], check=True)
    if synced:
        subprocess.run(["sync", "-f", synced], check=True)
    taken, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# --- the measurements ---


class Bench:
    def __init__(self, folder, small_folder, hub, synced):
        self.folders = {LARGE: folder, SMALL: small_folder}
        self.hub, self.synced = hub, synced

    def address(self, scheme, repository, name):
        commit = self.hub.commits[repository]
        return f"{self.hub.endpoints[scheme]}/kernels/{repository}/resolve/{commit}/{VARIANT}/{name}"

    def curl(self, scheme, repository):
        """All files of the repository."""
        folder = self.folders[repository]
        warm_pool(folder)
        out = folder / "curl"
        names = ["weights.bin"] if repository == LARGE else [f"part{i:04}.bin" for i in range(N_SMALL)]
        out.mkdir()
        try:
            listed = folder / "addresses"
            listed.write_text("".join(f'url = "{self.address(scheme, repository, name)}"\noutput = "{out / name}"\n'
                                      for name in names))
            return run_curl(out if self.synced else None, "--cacert", self.hub.ca_file, "--config", listed,
                            *(["--parallel", "--parallel-max", 8] if repository == SMALL else []))
        finally:
            shutil.rmtree(out)

    def fetcher(self, scheme, repository):
        warm_pool(self.folders[repository])
        return Fetcher(self.folders[repository], self.hub, scheme, self.synced)

    def fetch(self, scheme, repository):
        with self.fetcher(scheme, repository) as fetcher:
            return fetcher.fetch(repository)

    def latency(self):
        with self.fetcher("http", LARGE) as fetcher:
            return fetcher.idle_latency(), fetcher.latency_during_fetch()

    def memory(self):
        with self.fetcher("https", LARGE) as fetcher:
            with fetcher.daemon.peer():
                idle = fetcher.rss_mib()
            fetcher.fetch(LARGE)
            return idle, fetcher.rss_mib()


def compare(curl, fetch):
    """The medians of pairs of (seconds, processor seconds), and of their ratios."""
    median = statistics.median
    return {"curl_s": median(c[0] for c in curl), "s": median(f[0] for f in fetch),
            "curl_cpu_s": median(c[1] for c in curl), "cpu_s": median(f[1] for f in fetch),
            "ratio": median(c[0] / f[0] for c, f in zip(curl, fetch)),
            "cpu_ratio": median(f[1] / c[1] for c, f in zip(curl, fetch))}


def measure(bench, n_runs):
    kinds = {"http": ("http", LARGE), "https": ("https", LARGE), "small": ("http", SMALL)}
    runs = {kind: ([], []) for kind in kinds}
    latencies = []
    for kind in kinds.values():
        bench.fetch(*kind)  # the server has seen all of it once
    for _ in range(n_runs):
        for name, kind in kinds.items():
            runs[name][0].append(bench.curl(*kind))
            runs[name][1].append(bench.fetch(*kind))
        latencies.append(bench.latency())
    compared = {kind: compare(*both) for kind, both in runs.items()}
    idle_mib, fetched_mib = bench.memory()
    median = statistics.median
    return compared, {
        **{f"{kind}_ratio": compared[kind]["ratio"] for kind in kinds},
        "cpu_ratio": compared["http"]["cpu_ratio"],
        "resolve_p99_ratio": median(during[1] / idle[1] for idle, during in latencies),
        "resolve_p50_ratio": median(during[0] / idle[0] for idle, during in latencies),
        "idle_p99_us": median(idle[1] for idle, _ in latencies),
        "fetch_p99_us": median(during[1] for _, during in latencies),
        "idle_mib": idle_mib, "fetched_mib": fetched_mib}


def print_table(compared, figures, arguments):
    print(f"{machine()}\nthe file in {arguments.folder}, the small ones in {arguments.small_folder}, "
          f"{'synced' if arguments.synced else 'nothing synced'}, medians of {arguments.runs} runs\n")
    print(f"{'':24}  {'curl s':>8}  {'fetch s':>8}  {'curl cpu':>8}  {'fetch cpu':>9}  {'rate':>6}  {'cpu':>6}")
    for kind, row in compared.items():
        print(f"{kind:24}  {row['curl_s']:8.3f}  {row['s']:8.3f}  {row['curl_cpu_s']:8.3f}  {row['cpu_s']:9.3f}"
              f"  {row['ratio']:6.2f}  {row['cpu_ratio']:6.2f}")
    print()
    for name, value in figures.items():
        print(f"{name:24}  {value:8.2f}  {AIMS.get(name, '')}")


def main():
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024, help="size of the one file")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    parser.add_argument("--small-folder", type=pathlib.Path, default=find_small_folder())
    parser.add_argument("--synced", action="store_true")
    arguments = parser.parse_args()
    before = processor_times()
    os.sched_setaffinity(0, {LOOP_CPU})
    with tempfile.TemporaryDirectory(prefix="kd-bench-", dir=arguments.folder) as name, \
         tempfile.TemporaryDirectory(prefix="kd-bench-", dir=arguments.small_folder) as small_name:
        folder = pathlib.Path(name)
        make_repositories(folder / "hub", arguments.mib)
        with bench_hub.BenchHub(folder / "hub", folder / "nginx", ["taskset", "-c", str(FETCH_CPU)]) as hub:
            bench = Bench(folder, pathlib.Path(small_name), hub, arguments.synced)
            compared, figures = measure(bench, arguments.runs)
    after = processor_times()
    steal = 100 * (after[0] - before[0]) / max(after[1] - before[1], 1)
    if arguments.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()} | {"steal_percent": round(steal, 2)}))
    else:
        print_table(compared, figures, arguments)
        print(f"\nprocessor time stolen by the hypervisor: {steal:.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())

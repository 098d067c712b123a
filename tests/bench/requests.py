"""Counts what the Hub is asked when processes start: exact counts, no timing.

usage: requests [--json] [--workers N,N…]

N processes acquire ten layers each, which lie in one repository or in ten: from
an empty cache (cold), with everything there (warm; once against the daemon that
fetched it and once more after that was started anew), and after a branch has
moved and the time is over for which an answer is fresh (moved). In "moved" the
Hub keeps every answer back until the processes have ended: what they waited for
would be seen, and counted. Ends with 1 if a warm or moved start asks anything, if
N cold processes ask more than one does, or if processes get different commits."""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

import harness  # noqa: E402
import hub  # noqa: E402

CLIENT = harness.BUILD / "tests" / "bench" / "layers"
WORKERS = (1, 8, 64)
MOVED_WORKERS = 8
LAYERS = 10
REPOSITORIES = (1, 10)
PUBLISHER = "bench"
VARIANT = "build/torch-cpu"
DAY_S = 24 * 3600


class Different(Exception):
    """A count or a commit is not what it must be."""


def variant_files(text):
    """A kernel of six files."""
    files = {f"{name}.py": f"# {name}: {text}\n".encode() for name in ("__init__", "layers", "_ops")}
    files["kernel/__init__.py"] = f"# kernel: {text}\n".encode()
    files["_kernel.abi3.so"] = f"library: {text}\n".encode() * 1000
    files["metadata.json"] = harness.metadata(files)
    return {f"{VARIANT}/{name}": data for name, data in files.items()}


N_FILES = len(variant_files(""))


class Host:
    """The Hub, a daemon with an empty cache, and the layers that it knows."""

    def __init__(self, n_repositories):
        self.repositories = [f"{PUBLISHER}/kernel-{i}" for i in range(n_repositories)]
        self.layers = [f"Layer{i}" for i in range(LAYERS)]
        self.double = hub.Hub()
        self.commits = {}
        for name in self.repositories:
            self.commits[name] = self.double.add_repository(name, {"v1": variant_files(name)}, trusted=True)["v1"]
        self.double.start()
        self.cache = tempfile.TemporaryDirectory(prefix="kd-cache-")
        self.daemon = harness.Daemon()
        self.daemon.write_mapping({layer: [harness.use(layer, use=self.reference(i))]
                                   for i, layer in enumerate(self.layers)})
        self.write_fresh(DAY_S)

    def reference(self, i):
        return {"repo": self.repositories[i % len(self.repositories)], "version": 1}

    def write_fresh(self, seconds):
        (self.daemon.config / "kernelsd.json").write_text(json.dumps({"fresh_s": seconds}))

    def start(self):
        self.daemon.start("--cache-dir", self.cache.name, HF_ENDPOINT=self.double.endpoint)

    def set_fresh(self, seconds):
        self.write_fresh(seconds)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.await_notification("READY=1")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.daemon.remove()
        self.double.stop()
        self.cache.cleanup()

    def expected(self):
        """What each layer's commit must be."""
        return [self.commits[self.repositories[i % len(self.repositories)]] for i in range(LAYERS)]

    def run(self, n_workers):
        """Processes that begin together, to their end; all must get the expected commits."""
        workers = [subprocess.Popen([CLIENT, self.daemon.socket, *self.layers], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for _ in range(n_workers)]
        try:
            for worker in workers:
                if worker.stdout.readline() != "ready\n":
                    raise Different(f"a process did not connect: {worker.stderr.read()}")
            for worker in workers:
                worker.stdin.write("\n")
                worker.stdin.flush()
            for worker in workers:
                commits, errors = worker.communicate(timeout=harness.PATIENCE_S)
                if worker.returncode or commits.split() != self.expected():
                    raise Different(f"expected {self.expected()}, a process got {commits.split()} {errors}")
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()

    def counted(self, n_workers, state):
        """Runs them; what the Hub was asked meanwhile."""
        self.double.reset_requests()
        self.run(n_workers)
        return self.row(n_workers, state)

    def row(self, n_workers, state):
        counts = self.double.counts()
        return {"workers": n_workers, "layers": LAYERS, "repositories": len(self.repositories), "state": state,
                "api": counts["api"], "files": counts["files"]}

    def judge_cold(self, row):
        """Of each class just what has to be asked."""
        counts, n = self.double.counts(), len(self.repositories)
        if (counts["overview"], counts["refs"], counts["tree"]) != (1, n, 3 * n) or row["api"] != 1 + 4 * n:
            raise Different(f"{row}: expected 1 publisher, {n} refs and {3 * n} listings, got {counts}")
        if row["files"] != N_FILES * n:
            raise Different(f"{row}: expected {N_FILES * n} files")

    def move(self):
        for name in self.repositories:
            self.commits[name] = self.double.move_branch(name, "v1", write=variant_files(f"{name}, moved"))

    def has_new_commits(self):
        with self.daemon.peer(environment={"torch": "2.7", "cpu": "x86_64", "os": "linux"}) as peer:
            answers = peer.resolve(*(harness.query(layer) for layer in self.layers))
        return [answer["commit"] for answer in answers] == self.expected()


def must_be_silent(row):
    if row["api"] or row["files"]:
        raise Different(f"{row}: nothing should have been asked")


def start_cold_and_warm(n_workers, n_repositories):
    with Host(n_repositories) as host:
        cold = host.counted(n_workers, "cold")
        host.judge_cold(cold)
        warm = host.counted(n_workers, "warm")
        must_be_silent(warm)
        host.daemon.stop()
        host.start()
        must_be_silent(host.counted(n_workers, "warm"))
    return [cold, warm]


def start_moved(n_repositories):
    """The old commits for all, at once; when the new ones are there, those for all."""
    with Host(n_repositories) as host:
        host.run(1)
        old = dict(host.commits)
        host.double.reset_requests()
        answers_late = host.double.set_fault("stall", "any")
        host.move()
        new, host.commits = host.commits, old
        host.set_fresh(0)
        try:
            host.run(MOVED_WORKERS)
            row = {**host.row(MOVED_WORKERS, "moved"), "api": 0, "files": 0}
        except subprocess.TimeoutExpired:
            row = host.row(MOVED_WORKERS, "moved")
        must_be_silent(row)
        host.double.wait_requests("refs", 1)  # behind their backs
        host.double.remove_faults()
        answers_late.release()
        host.commits = new
        harness.until(host.has_new_commits, "the new commits are in force")
        host.set_fresh(DAY_S)
        must_be_silent(host.counted(MOVED_WORKERS, "moved"))
    return [row]


def measure(workers):
    rows = []
    for n_repositories in REPOSITORIES:
        for n_workers in workers:
            rows += start_cold_and_warm(n_workers, n_repositories)
        rows += start_moved(n_repositories)
    return rows


def judge(rows):
    """N cold processes ask what one asks."""
    for row in rows:
        one = next((other for other in rows if other["state"] == row["state"] and
                    other["repositories"] == row["repositories"]), row)
        if (row["api"], row["files"]) != (one["api"], one["files"]):
            raise Different(f"{row}: other counts than {one}")


def print_table(rows):
    print(f"{'processes':>9}  {'layers':>6}  {'repositories':>12}  {'start':5}  {'api':>5}  {'files':>5}")
    for row in rows:
        print(f"{row['workers']:9}  {row['layers']:6}  {row['repositories']:12}  {row['state']:5}  {row['api']:5}"
              f"  {row['files']:5}")


def main():
    parser = argparse.ArgumentParser(prog="requests", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--workers", type=lambda text: tuple(map(int, text.split(","))), default=WORKERS,
                        metavar="N,N...")
    arguments = parser.parse_args()
    try:
        rows = measure(arguments.workers)
        judge(rows)
    except Different as different:
        print(f"requests: {different}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(rows))
    else:
        print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

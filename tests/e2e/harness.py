"""What the end-to-end tests stand on: a real daemon in folders of its own, a
peer that speaks the protocol by itself, kernel repositories.

Nothing here waits for time: `until` waits for a condition, everything else for
bytes. Only processes that were started here are ended."""

import array
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import pickle
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import msgpack

BUILD = pathlib.Path(os.environ["KERNELSD_BUILD"])
KERNELSD = BUILD / "daemon" / "kernelsd"
KERNELSCTL = BUILD / "client" / "kernelsctl" / "kernelsctl"
PROGRAMS = BUILD / "tests" / "e2e"

PATIENCE_S = 120  # for what must happen soon; a sanitized build on a busy machine is slow

SANITIZER_MARKS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")

COUNTS = ("views", "entries", "leases", "leases_unlocked", "acquires", "fetches", "queued_bytes")


def raise_descriptor_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def until(condition, what):
    """Waits until `condition()` is true; answers it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.004)


def run(arguments, **keywords):
    """Runs a program to its end, which must come."""
    return subprocess.run(list(map(str, arguments)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=PATIENCE_S, **keywords)


def as_uid(uid, function):
    """What `function` answers, or raises, when another uid runs it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            outcome = (True, function())
        except BaseException as error:  # noqa: everything goes back to the parent
            outcome = (False, error)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        good, value = pickle.load(pipe)
    os.waitpid(pid, 0)
    if not good:
        raise value
    return value


# --- the protocol ---


class Fault(Exception):
    """An error answer."""

    def __init__(self, name, message, retry=False, detail=None):
        super().__init__(name, message, retry, detail)
        self.name, self.message, self.retry, self.detail = name, message, retry, detail

    def __str__(self):
        return f"{self.name}: {self.message}"


class Closed(Exception):
    """The daemon closed the connection."""


def frame(payload, n_descriptors=0):
    return struct.pack("<IHH", len(payload), n_descriptors, 0) + payload


def request_frame(number, method, params):
    return frame(msgpack.packb([0, number, method, params]))


def query(layer, mode="inference", device="cpu", capability=None, arch=None):
    return {"layer": layer, "device": device, "capability": capability, "mode": mode, "arch": arch}


def reference(label="Label", repo="conformance/label", version=1):
    return {"repo": repo, "version": version, "layer": label}


def entry(layer, device="cpu", minimum=None, maximum=None, modes=None):
    return {
        "layer": layer,
        "device": device,
        "min_capability": minimum,
        "max_capability": maximum,
        "modes": {"fallback": reference()} if modes is None else modes,
    }


class Peer:
    """One session, byte by byte under the test's control."""

    def __init__(self, path, hello=True, environment=None, client="e2e", native=None, **more):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self.buffer = b""
        self.descriptors = []
        self.answers = {}
        self.notifications = []
        self.number = 0
        if hello:
            self.greeting = self.hello(environment, client, native, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors = []
        self.socket.close()

    def hello(self, environment=None, client="e2e", native=None, protocol=1, **more):
        return self.call("hello", protocol=protocol, client=client, environment=environment, native=native, **more)

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, **params):
        """Sends; answers the request's number."""
        self.number += 1
        self.send(request_frame(self.number, method, params))
        return self.number

    def read_frame(self):
        """The next message of the daemon."""
        while len(self.buffer) < 8 or len(self.buffer) < 8 + struct.unpack_from("<I", self.buffer)[0]:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(16))
            except ConnectionResetError:
                raise Closed() from None
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds = array.array("i")
                    fds.frombytes(content[: len(content) // 4 * 4])
                    self.descriptors += fds
            if not data:
                raise Closed()
            self.buffer += data
        size, n_descriptors, zero = struct.unpack_from("<IHH", self.buffer)
        assert zero == 0
        payload, self.buffer = self.buffer[8 : 8 + size], self.buffer[8 + size :]
        return msgpack.unpackb(payload), n_descriptors

    def answer(self, number):
        """The result of a request; raises its Fault."""
        while number not in self.answers:
            message, n_descriptors = self.read_frame()
            if message[0] == 2:
                self.notifications.append(message[1:])
                continue
            assert message[0] == 1, message
            assert message[1] not in self.answers, "answered twice"
            self.answers[message[1]] = (message[2], message[3], n_descriptors)
        error, result, n_descriptors = self.answers.pop(number)
        if error is not None:
            assert result is None and n_descriptors == 0
            raise Fault(error["name"], error["message"], error["retry"], error["detail"])
        return result

    def call(self, method, **params):
        return self.answer(self.request(method, **params))

    def resolve(self, *queries, view=1):
        return self.call("resolve", view=view, queries=list(queries))["answers"]

    def label(self, layer, view=1, **rest):
        """The label that a lookup finds, or the name of its error."""
        answer = self.resolve(query(layer, **rest), view=view)[0]
        return answer["name"] if answer.get("name") else answer["reference"]["layer"]

    def acquire(self, layer, view=1, deadline_ms=None, **rest):
        """The result; its descriptor is `take_descriptor`'s."""
        return self.call("acquire", view=view, query=query(layer, **rest), deadline_ms=deadline_ms)

    def begin_fetch(self, repo="org/name", version=1, device="cpu", **more):
        """Asks for a kernel of the Hub; answers the request's number."""
        if "revision" in more:
            version = None
        return self.request("acquire", repo=repo, version=version, device=device, **more)

    def fetch(self, repo="org/name", version=1, device="cpu", **more):
        """The result of `begin_fetch`."""
        return self.answer(self.begin_fetch(repo, version, device, **more))

    def take_descriptor(self):
        return self.descriptors.pop(0)

    def is_closed(self):
        """Reads up to the end, which must come."""
        with contextlib.suppress(Closed):
            while True:
                self.read_frame()
        return True


def fault_of(function, *arguments, **keywords):
    """The Fault that a call must end with."""
    try:
        result = function(*arguments, **keywords)
    except Fault as fault:
        assert fault.message, "an error says what to do"
        return fault
    raise AssertionError(f"no error, but {result!r}")


# --- kernel repositories ---


def metadata(files, backend="cpu", digest=True, **more):
    """metadata.json for these files."""
    content = {
        "name": "test-kernel",
        "id": "test_kernel_1",
        "version": 1,
        "license": "Apache-2.0",
        "python-depends": [],
        "backend": {"type": backend},
        **more,
    }
    if digest:
        hashes = {name: base64.b64encode(hashlib.sha256(data).digest()).decode() for name, data in files.items()}
        content["digest"] = {"algorithm": "sha256", "files": hashes}
    return json.dumps(content).encode()


def make_variant(repository, variant="torch-cpu", files=None, **more):
    """A variant folder; answers its path."""
    folder = pathlib.Path(repository) / "build" / variant
    files = {"__init__.py": b"# a kernel\n"} if files is None else files
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_bytes(metadata(files, **more))
    return folder


def make_slow_variant(repository, gibibytes=64, variant="torch-cpu"):
    """A variant that takes long to hash: a file of nothing, many GiB of it."""
    folder = pathlib.Path(repository) / "build" / variant
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "weights.bin", "wb") as file:
        file.truncate(gibibytes << 30)
    (folder / "metadata.json").write_bytes(metadata({"weights.bin": b""}))
    return folder


def is_locked(folder):
    """Whether somebody holds a lock that keeps an exclusive one away."""
    import fcntl

    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


# --- the daemon ---


def mapping_text(mapping):
    return json.dumps({"kernelsd": 1, "mapping": mapping}, indent=1)


def use(label="Label", device="cpu", **more):
    """One entry of a mapping file that leads to a label."""
    return {"device": device, "use": {"repo": "conformance/label", "version": 1, "layer": label}, **more}


def kernel_files(variant="torch-cpu", files=None, **more):
    """Files of a repository at the Hub, with one variant of a kernel."""
    files = {"__init__.py": b"# a kernel\n"} if files is None else files
    made = {f"build/{variant}/{name}": data for name, data in files.items()}
    return {**made, f"build/{variant}/metadata.json": metadata(files, **more)}


def redirect_to(repo, revision=None):
    """The files by which a repository says that it has moved."""
    text = f'kind = "redirect"\ndestination = "{repo}"\n' + (f'revision = "{revision}"\n' if revision else "")
    return {"kernel-status.toml": text.encode()}


def tree_of(folder):
    """All that is below a folder: type, permissions, and size or target, by path."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        status = path.lstat()
        kind = "l" if path.is_symlink() else "d" if path.is_dir() else "f"
        detail = {"l": lambda: os.readlink(path), "d": lambda: None, "f": lambda: status.st_size}[kind]()
        found[str(path.relative_to(folder))] = (kind, None if kind == "l" else status.st_mode & 0o7777, detail)
    return found


def blob_name(data, large=False):
    """What the Hub calls a file: git's id, or of a large one the SHA-256."""
    if large:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Daemon:
    """kernelsd with a configuration folder, sockets and a notify socket of its own."""

    def __init__(self, uid=None, system=False, base="/tmp"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kd-", dir=base))
        self.uid = uid
        self.system = system
        self.config = self.folder / "config"
        self.mapping_folder = self.config / "mapping.d"
        self.run = self.folder / "run"
        self.state = self.folder / "state"
        self.socket = self.run / "socket"
        self.admin_socket = self.run / "admin"
        self.log_path = self.folder / "log"
        self.process = None
        self.peers = []
        self.mapping_folder.mkdir(parents=True)
        self.run.mkdir()
        self.state.mkdir(mode=0o700)
        self.log_path.touch()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        self.notify.settimeout(PATIENCE_S)
        self.notified = []
        if uid is not None:
            self.folder.chmod(0o755)
            (self.folder / "notify").chmod(0o777)
            for path in (self.run, self.state, self.config, self.mapping_folder):
                os.chown(path, uid, uid)

    def write_mapping(self, mapping, name="50-test.json"):
        """Puts a mapping file in place, by renaming as an editor does."""
        text = mapping if isinstance(mapping, str) else mapping_text(mapping)
        temporary = self.config / (name + ".new")
        temporary.write_text(text)
        temporary.rename(self.mapping_folder / name)
        return self.mapping_folder / name

    def arguments(self, *more):
        arguments = [str(KERNELSD), "--config-dir", str(self.config), "--state-dir", str(self.state)]
        if self.system:
            arguments += ["--system", "--admin-socket", str(self.admin_socket)]
        return [*arguments, *map(str, more)]

    def environment(self, **more):
        ours = ("KERNELSD_", "LISTEN_", "XDG_", "WATCHDOG_USEC")
        hub = ("HF_", "HUGGING", "KERNELS_", "TRANSFORMERS_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ours + hub)}
        return {**environment, "HOME": str(self.folder), "NOTIFY_SOCKET": str(self.folder / "notify"), **more}

    def start(self, *arguments, socket_option=True, launcher=(), pass_fds=(), preexec=None, **environment):
        """Starts it and waits until it says that it is ready."""
        if socket_option:
            arguments = ("--socket", self.socket, *arguments)
        ids = {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*launcher, *self.arguments(*arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(**environment), pass_fds=pass_fds, preexec_fn=preexec, **ids)
        self.await_notification("READY=1")
        return self

    def await_notification(self, line):
        """Takes messages of sd_notify until one has the line; answers what it took."""
        taken = []
        while True:
            ready, _, _ = select.select([self.notify], [], [], 0.2)
            if ready:
                taken.append(self.notify.recv(4096).decode())
                self.notified.append(taken[-1])
                if line in taken[-1].splitlines():
                    return taken
            else:
                # What it sent before it ended is still there to be read.
                assert self.process.poll() is None, f"the daemon ended:\n{self.log()}"

    def peer(self, admin=False, **keywords):
        peer = Peer(self.admin_socket if admin else self.socket, **keywords)
        self.peers.append(peer)
        return peer

    def log(self):
        return self.log_path.read_text(errors="replace")

    def status(self):
        """As an asker of the daemon's own uid sees it."""
        return self.ask("status")

    def ask(self, method, **params):
        def asks():
            with Peer(self.admin_socket if self.system else self.socket) as peer:
                return peer.call(method, **params)

        return asks() if self.uid is None else as_uid(self.uid, asks)

    def left_over(self):
        """Counts that should be zero and are not."""
        status = self.status()
        left = {key: status[key] for key in COUNTS if status[key]}
        if status["sessions"] != 1:
            left["sessions"] = status["sessions"]
        return left

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit status. What sanitizers found is in the log."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return status

    def check_and_stop(self):
        """The end of every test: nothing is left, and it ends well."""
        for peer in self.peers:
            peer.close()
        if self.process is None:
            return
        try:
            until(lambda: not self.left_over(), "all counts are zero")
        except AssertionError:
            raise AssertionError(f"left over: {self.left_over()}\n{self.log()}") from None
        status = self.stop()
        assert status == 0, f"exit status {status}\n{self.log()}"
        assert not any(mark in self.log() for mark in SANITIZER_MARKS), self.log()

    def configure(self, **settings):
        """Writes the configuration; a running daemon has taken it over afterwards."""
        (self.config / "kernelsd.json").write_text(json.dumps(settings))
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)
            taken = self.await_notification("READY=1")
            assert any("RELOADING=1" in message for message in taken)
        return self

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class HubDaemon(Daemon):
    """A daemon that fetches from a double of the Hub, into a cache of its own."""

    def __init__(self, hub, **keywords):
        super().__init__(**keywords)
        self.hub = hub
        self.cache = self.folder / "cache"
        self.cache.mkdir(mode=0o755)
        if self.uid is not None:
            os.chown(self.cache, self.uid, self.uid)

    def arguments(self, *more):
        return super().arguments("--cache-dir", self.cache, *more)

    def environment(self, **more):
        proxies = ("http_proxy", "https_proxy", "all_proxy")
        environment = {key: value for key, value in super().environment().items() if key.lower() not in proxies}
        return {**environment, "HF_ENDPOINT": self.hub.endpoint, **more}

    def repository(self, repo="org/name"):
        """Where the cache has a repository."""
        return self.cache / f"kernels--{repo.replace('/', '--')}"

    def ref(self, name="v1", repo="org/name"):
        """The commit that the cache says a branch is; None: it says nothing."""
        path = self.repository(repo) / "refs" / name
        return path.read_text() if path.exists() else None

    def half_written(self):
        """What a fetch leaves in the cache only while it runs."""
        return [path for path in tree_of(self.cache) if ".incomplete" in path]

    def restart(self, **environment):
        assert self.stop() == 0, self.log()
        return self.start(**environment)

#!/usr/bin/python3
"""The tests of tests/e2e/systemd: as root, under a systemd of its own, with
kernelsd installed. Prints a line for each test and "N passed, M failed"."""
import json
import os
import pathlib
import pwd
import select
import signal
import socket
import stat
import struct
import subprocess
import time
import traceback

import msgpack

PUBLIC = "/run/kernelsd/kernelsd.sock"
ADMIN = "/run/kernelsd-admin/admin.sock"
MAPPING = pathlib.Path("/etc/kernelsd/mapping.d/10-test.json")
CONFIG = pathlib.Path("/etc/kernelsd/kernelsd.json")
DROP_IN = pathlib.Path("/run/systemd/system/kernelsd.service.d/test.conf")
PATIENCE_S = 20
EXPOSURE = 1.5
ENVIRONMENT = {"torch": "2.7", "cxx11_abi": True, "backend": "cpu", "cpu": "x86_64", "os": "linux"}
METADATA = {"name": "test", "id": "test_1", "version": 1, "license": "Apache-2.0", "python-depends": [], "backend": {"type": "cpu"}}


class Peer:
    """A connection that has said hello."""

    def __init__(self, path=PUBLIC):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self.n_sent = 0
        self.descriptors = []
        self.hello = self.call("hello", {"protocol": 1, "client": "test", "environment": ENVIRONMENT})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for descriptor in self.descriptors:
            os.close(descriptor)

    def receive(self, size):
        data = b""
        while len(data) < size:
            part, descriptors, _, _ = socket.recv_fds(self.socket, size - len(data), 4)
            self.descriptors += descriptors
            if not part:
                raise ConnectionError("closed by the daemon")
            data += part
        return data

    def call(self, method, params):
        self.n_sent += 1
        payload = msgpack.packb([0, self.n_sent, method, params])
        self.socket.sendall(struct.pack("<IHH", len(payload), 0, 0) + payload)
        size, _, _ = struct.unpack("<IHH", self.receive(8))
        _, _, error, result = msgpack.unpackb(self.receive(size))
        if error:
            raise RuntimeError(error)
        return result


def run(*command, good=True):
    """Standard output of a command, which must succeed."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if good and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def show(name, unit="kernelsd.service"):
    """A property of a unit."""
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def wait_for(what, condition):
    """Until the condition holds; its value."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        select.select([], [], [], 0.02)
    raise AssertionError(f"never: {what}; {run('systemctl', 'status', '--no-pager', 'kernelsd.service', good=False)}")


def expect(condition, what):
    """Fails the test with a sentence."""
    if not condition:
        raise AssertionError(what)


def status():
    with Peer() as peer:
        return peer.call("status", {})


def instance():
    with Peer() as peer:
        return peer.hello["instance"]


def is_another(before):
    """Whom the instance that stops has accepted already it cuts off; he connects again."""
    try:
        return instance() != before
    except ConnectionError:
        return False


def write(path, text):
    """Replaces a file at once, as an editor does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name("." + path.name + ".new")
    new.write_text(text)
    new.rename(path)


def mapping(*layers, **reference):
    entry = {"device": "cpu", "use": reference or {"repo": "org/name", "version": 1}}
    return json.dumps({"kernelsd": 1, "mapping": {layer: [entry] for layer in layers}})


def stay_connected_as(uid, writer):
    """In a child: says through the pipe that it is connected, and stays so. Never returns."""
    try:
        os.setgid(uid)
        os.setuid(uid)
        peer = Peer()
        os.write(writer, b"x")
        while True:
            peer.receive(1)
    finally:
        os._exit(1)


def test_verify():
    """systemd-analyze verify has nothing to say."""
    said = run("systemd-analyze", "verify", "--man=no", "kernelsd.service", "kernelsd.socket", "kernelsd-admin.socket")
    expect("kernelsd" not in said, said)
    os.environ.setdefault("XDG_RUNTIME_DIR", "/run")
    said = run("systemd-analyze", "verify", "--man=no", "--user", "kernelsd.service", "kernelsd.socket")
    expect("kernelsd" not in said, said)


def test_exposure():
    """systemd-analyze security is content."""
    said = run("systemd-analyze", "security", "--no-pager", "--offline=yes", "kernelsd.service")
    exposure = float(said.split("Overall exposure level for kernelsd.service:")[1].split()[0])
    expect(exposure <= EXPOSURE, f"exposure {exposure}")


def test_places():
    """The account, the folders, the sockets and their modes."""
    uid = pwd.getpwnam("kernelsd").pw_uid
    expect(os.stat("/run/kernelsd").st_uid == uid, "whose /run/kernelsd is")
    for path, mode, group in ((PUBLIC, 0o666, 0), (ADMIN, 0o660, pwd.getpwnam("kernelsd").pw_gid)):
        st = os.stat(path)
        expect(stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == mode, f"mode of {path}")
        expect(st.st_uid == 0 and st.st_gid == group, f"owner of {path}")


def test_start_by_socket():
    """The first connection starts the service, which gets both sockets."""
    expect(show("ActiveState") == "inactive", "active before anybody asked")
    with Peer() as peer:
        expect(peer.hello["uid"] == pwd.getpwnam("kernelsd").pw_uid, "the daemon's uid")
    wait_for("active", lambda: show("ActiveState") == "active")
    with Peer(ADMIN) as admin:
        expect(admin.hello["instance"] == instance(), "one daemon behind both sockets")
    expect(show("StatusText") != "", "no status text")
    cache = os.stat("/var/cache/kernelsd")
    expect(cache.st_uid == pwd.getpwnam("kernelsd").pw_uid and stat.S_IMODE(cache.st_mode) == 0o755, "the cache's folder")


def test_peer_uids():
    """The sandbox leaves peers their uids."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        stay_connected_as(65534, writer)
    os.close(writer)
    try:
        expect(os.read(reader, 1) == b"x", "the other uid cannot connect")
        with Peer(ADMIN) as admin:
            clients = admin.call("clients", {})["clients"]
        expect([c["uid"] for c in clients if c["pid"] == pid] == [65534], f"{clients}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)


def test_mapping_watched():
    """A file that comes is seen without a signal."""
    write(MAPPING, mapping("A", "B"))
    wait_for("two layers", lambda: status()["layers"] == 2)
    generation = status()["generation"]
    write(MAPPING, mapping("A", "B", "C"))
    wait_for("three layers", lambda: status()["layers"] == 3)
    expect(status()["generation"] > generation, "the generation did not rise")


def test_reload():
    """SIGHUP: a new configuration, the same process."""
    before = instance()
    write(CONFIG, '{"log_level": "debug"}')
    run("systemctl", "reload", "kernelsd.service")
    wait_for("read anew", lambda: "the configuration was read anew" in run("journalctl", "-u", "kernelsd.service", "-o", "cat"))
    wait_for("running", lambda: show("SubState") == "running")
    expect(instance() == before, "the reload was a restart")


def test_reload_faulty():
    """What is faulty changes nothing, and is told."""
    generation = status()["generation"]
    write(MAPPING, '{ "kernelsd": 1, "mapping": ')
    write(CONFIG, '{"log_level": "loud"}')
    run("systemctl", "reload", "kernelsd.service")
    wait_for("faulty mapping", lambda: not status()["mapping_ok"])
    now = status()
    expect(now["layers"] == 3 and now["generation"] == generation, f"{now}")
    expect(now["mapping_faults"][0]["file"] == str(MAPPING), f"{now}")
    wait_for("faulty configuration", lambda: "log_level" in run("journalctl", "-u", "kernelsd.service", "-o", "cat"))
    wait_for("running", lambda: show("SubState") == "running")
    CONFIG.unlink()
    write(MAPPING, mapping("A"))
    wait_for("good again", lambda: status()["mapping_ok"] and status()["layers"] == 1)


def test_journal():
    """Messages have their fields."""
    def fields():
        lines = run("journalctl", "-u", "kernelsd.service", "-o", "json").splitlines()
        return [f for f in map(json.loads, lines) if f.get("KERNELSD_FILE") == str(MAPPING)]
    found = wait_for("a message about the file", fields)[0]
    expect(len(found["MESSAGE_ID"]) == 32 and found["PRIORITY"] == "3", f"{found}")


def acquire(layer):
    """The device and inode of the folder that is leased, or the error."""
    with Peer() as peer:
        try:
            peer.call("acquire", {"view": 0, "query": {"layer": layer, "device": "cpu", "mode": "inference"}})
        except RuntimeError as error:
            return error.args[0]["name"]
        expect(len(peer.descriptors) == 1, f"{peer.descriptors}")
        lease = os.fstat(peer.descriptors[0])
        return lease.st_dev, lease.st_ino


def test_homes():
    """Repositories may lie in /opt, /srv and /home, and are leased; one that is not there is told."""
    for number, parent in enumerate(("/opt", "/srv", "/home", "/nowhere")):
        path = pathlib.Path(parent) / "kernelsd-test-repository"
        variant = path / "build" / "torch-cpu"
        if parent != "/nowhere":
            variant.mkdir(parents=True)
            (variant / "metadata.json").write_text(json.dumps(METADATA))
        write(MAPPING, mapping(*(f"L{i}" for i in range(number + 2)), path=str(path)))
        wait_for("the new mapping", lambda n=number: status()["layers"] == n + 2)
        found = acquire("L0")
        if parent == "/nowhere":
            expect(found == "no-repository", f"{found}")
            expect(f"repository {path} cannot be used" in run("journalctl", "-u", "kernelsd.service", "-o", "cat"), "not told")
        else:
            expect(found == (variant.stat().st_dev, variant.stat().st_ino), f"{path}: {found}")
    write(MAPPING, mapping("A"))
    wait_for("one layer", lambda: status()["layers"] == 1)


def test_restart():
    """The sockets stay; whoever connects meanwhile waits."""
    before, inode = instance(), os.stat(PUBLIC).st_ino
    run("systemctl", "--no-block", "restart", "kernelsd.service")
    wait_for("a new instance", lambda: is_another(before))
    wait_for("active", lambda: show("ActiveState") == "active")
    expect(os.stat(PUBLIC).st_ino == inode, "the socket was made anew")
    expect(status()["layers"] == 1, "the mapping is not there")


def test_stop_and_connect():
    """A connection starts what was stopped."""
    run("systemctl", "stop", "kernelsd.service")
    expect(show("ActiveState") == "inactive", show("ActiveState"))
    expect(show("Result") == "success" and show("ExecMainStatus") == "0", "it did not end well")
    instance()
    wait_for("active", lambda: show("ActiveState") == "active")


def test_kill():
    """SIGKILL: systemd starts another."""
    before = instance()
    os.kill(int(show("MainPID")), signal.SIGKILL)
    wait_for("restarted", lambda: int(show("NRestarts")) >= 1 and show("ActiveState") == "active")
    expect(instance() != before, "the same instance")


def test_watchdog():
    """One that does not answer is ended and started anew."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nWatchdogSec=1s\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "kernelsd.service")
    before, pid = instance(), int(show("MainPID"))
    os.kill(pid, signal.SIGSTOP)
    wait_for("another process", lambda: show("MainPID") not in ("0", str(pid)) and show("ActiveState") == "active")
    expect(instance() != before, "the same instance")
    # One that lives longer than the period has been pinging.
    pid = show("MainPID")
    end = time.monotonic() + 3
    wait_for("three periods", lambda: time.monotonic() > end)
    expect(show("MainPID") == pid, "it was ended although it moves")
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")


def test_faulty_configuration():
    """Stops the start, with its own status, and is not tried again."""
    run("systemctl", "stop", "kernelsd.service")
    write(CONFIG, '{"quota": {"sessions": 0}}')
    said = run("systemctl", "start", "kernelsd.service", good=False)
    expect(show("ExecMainStatus") == "78" and show("ActiveState") == "failed", said)
    expect("quota.sessions" in run("journalctl", "-u", "kernelsd.service", "-o", "cat"), "the reason is not in the journal")
    CONFIG.unlink()
    run("systemctl", "reset-failed", "kernelsd.service", "kernelsd.socket")
    run("systemctl", "start", "kernelsd.socket", "kernelsd-admin.socket")
    instance()


def test_token():
    """The credential hf_token is read, although only root can read its file, and never shown."""
    token = pathlib.Path("/etc/kernelsd/hf_token")
    token.touch(mode=0o600)
    token.write_text("hf_secret of two words\n")
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nLoadCredential=hf_token:{token}\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "kernelsd.service", good=False)
    expect(show("ExecMainStatus") == "78", "a token that cannot be sent was taken")
    token.write_text("hf_secret\n")
    run("systemctl", "reset-failed", "kernelsd.service", "kernelsd.socket")
    run("systemctl", "start", "kernelsd.socket", "kernelsd-admin.socket")
    instance()
    said = run("journalctl", "-u", "kernelsd.service", "-o", "cat")
    expect("hf_token: a token has no blanks" in said, "the reason is not in the journal")
    expect("hf_secret" not in said, "the journal has the token")
    DROP_IN.unlink()
    token.unlink()
    run("systemctl", "daemon-reload")


def test_user():
    """The user's units: a socket that nobody else can use, and a daemon behind it."""
    run("useradd", "--create-home", "--uid", "4242", "kernelsd-test-user")
    run("systemctl", "start", "user@4242.service")
    path = "/run/user/4242/kernelsd/kernelsd.sock"

    def user(*command):
        return run("setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "env", "HOME=/home/kernelsd-test-user",
                   "XDG_RUNTIME_DIR=/run/user/4242", *command)

    user("systemctl", "--user", "start", "kernelsd.socket")
    expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.stat(path).st_uid == 4242, "mode or owner of the socket")
    expect(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700, "mode of its folder")
    with Peer(path) as peer:
        expect(peer.hello["uid"] == 4242, "the daemon's uid")
    wait_for("active", lambda: user("systemctl", "--user", "is-active", "kernelsd.service").strip() == "active")
    run("systemctl", "stop", "user@4242.service")


TESTS = [test_verify, test_exposure, test_places, test_start_by_socket, test_peer_uids, test_mapping_watched, test_reload,
         test_reload_faulty, test_journal, test_homes, test_restart, test_stop_and_connect, test_kill, test_watchdog,
         test_faulty_configuration, test_token, test_user]


def prepare():
    """What a package's scripts do after installing."""
    run("systemd-sysusers")
    run("systemd-tmpfiles", "--create", "--prefix=/run/kernelsd", "--prefix=/run/kernelsd-admin", "--prefix=/etc/kernelsd")
    run("systemctl", "daemon-reload")
    run("systemctl", "preset", "kernelsd.socket", "kernelsd-admin.socket")
    expect(run("systemctl", "is-enabled", "kernelsd.socket").strip() == "enabled", "the preset does not enable")
    run("systemctl", "start", "kernelsd.socket", "kernelsd-admin.socket")


def main():
    n_failed = 0
    prepare()
    for test in TESTS:
        begin = time.monotonic()
        try:
            test()
        except Exception:  # pylint: disable=broad-except
            n_failed += 1
            print(f"FAIL {test.__name__}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok   {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
    if n_failed:
        print(run("journalctl", "-u", "kernelsd.service", "-o", "short-precise", "-n", "60", good=False))
    print(f"{len(TESTS) - n_failed} passed, {n_failed} failed", flush=True)


main()

"""Who may ask for what, and who is believed. The tests with two users first
show that the forbidden act fails by hand."""

import os

import pytest

import harness
from conftest import needs_root
from harness import as_uid, fault_of, until

ONE, OTHER = 61001, 61002


def test_the_public_socket_refuses_administration_to_everybody(make_daemon):
    daemon = make_daemon(system=True)
    daemon.write_mapping({"Silu": [harness.use()]})
    daemon.start()
    public, admin = daemon.peer(), daemon.peer(admin=True)
    assert fault_of(public.call, "mapping.list").name == "denied"
    assert [row["layer"] for row in admin.call("mapping.list")["entries"]] == ["Silu"]
    assert public.label("Silu") == admin.label("Silu") == "Label"


@needs_root
def test_root_gains_nothing_on_the_public_socket(make_daemon):
    daemon = make_daemon(system=True).start()
    assert os.geteuid() == 0
    daemon.folder.chmod(0o755)
    root, admin = daemon.peer(), daemon.peer(admin=True)

    def stranger():
        with harness.Peer(daemon.socket) as peer:
            rows = peer.call("clients")["clients"]
            return [row["uid"] for row in rows], fault_of(peer.call, "mapping.list").name

    assert as_uid(ONE, stranger) == ([ONE], "denied")
    assert fault_of(root.call, "mapping.list").name == "denied"
    assert {row["uid"] for row in root.call("clients")["clients"]} == {0}
    assert admin.call("mapping.list")["entries"] == []


@needs_root
def test_strangers_cannot_open_the_admin_socket(make_daemon):
    daemon = make_daemon(system=True).start()
    daemon.folder.chmod(0o755)

    def opens(path):
        with harness.Peer(path) as peer:
            return peer.call("status")["system"]

    assert as_uid(ONE, lambda: opens(daemon.socket)) is True
    with pytest.raises(PermissionError):
        as_uid(ONE, lambda: opens(daemon.admin_socket))


@needs_root
def test_a_users_daemon_serves_that_user_alone(make_daemon):
    daemon = make_daemon(uid=ONE).start()

    def asks():
        with harness.Peer(daemon.socket) as peer:
            return peer.call("status")["uid"]

    assert as_uid(ONE, asks) == ONE
    with pytest.raises(PermissionError):  # by hand: the socket's mode keeps others away
        as_uid(OTHER, asks)
    daemon.socket.chmod(0o666)
    daemon.run.chmod(0o755)
    with pytest.raises((harness.Closed, harness.Fault, ConnectionError)):  # and so does the daemon
        as_uid(OTHER, asks)
    assert as_uid(ONE, asks) == ONE


@needs_root
def test_the_library_refuses_a_foreign_server(make_daemon, tmp_path):
    daemon = make_daemon(uid=ONE).start()
    daemon.socket.chmod(0o666)
    daemon.run.chmod(0o755)
    program = [str(harness.PROGRAMS / "connect"), str(daemon.socket)]

    def runs(uid):
        return harness.run(program, user=uid, group=uid,
                              extra_groups=[], env=daemon.environment())

    own, foreign = runs(ONE), runs(OTHER)
    assert own.stdout.startswith("0 "), own.stdout + own.stderr
    assert foreign.stdout.split()[:2] == ["-13", "unreachable"], foreign.stdout + foreign.stderr
    assert str(ONE) in foreign.stdout, "the sentence names the uid"


@needs_root
def test_files_of_another_user_are_not_trusted(make_daemon, repository):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    os.chown(repository / "build" / "torch-cpu" / "__init__.py", ONE, ONE)
    daemon.start()
    assert fault_of(daemon.peer().acquire, "Silu").name == "untrusted"


@pytest.mark.parametrize("what", ["file", "variant", "build", "repository"])
def test_what_others_can_write_is_not_trusted(make_daemon, repository, what):
    variant = repository / "build" / "torch-cpu"
    {"file": variant / "__init__.py", "variant": variant, "build": repository / "build",
     "repository": repository}[what].chmod(0o777)
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    fault = fault_of(daemon.start().peer().acquire, "Silu")
    assert fault.name == "untrusted"
    assert "writ" in fault.message


@pytest.mark.parametrize("what, trusted", [("variant", False), ("build", False), ("repository", True)])
def test_sticky_is_no_excuse_from_build_on(make_daemon, repository, what, trusted):
    {"variant": repository / "build" / "torch-cpu", "build": repository / "build",
     "repository": repository}[what].chmod(0o1777)
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    peer = daemon.start().peer()
    if trusted:
        assert peer.acquire("Silu")["variant"] == "torch-cpu"
    else:
        assert fault_of(peer.acquire, "Silu").name == "untrusted"


def test_a_link_that_leads_to_what_others_can_write(make_daemon, repository, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "code.py").write_bytes(b"# a kernel\n")
    code = repository / "build" / "torch-cpu" / "__init__.py"
    code.unlink()
    code.symlink_to(outside / "code.py")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    peer = daemon.start().peer()
    assert peer.acquire("Silu")["variant"] == "torch-cpu", "a link out of the repository is no fault by itself"
    outside.chmod(0o777)
    assert fault_of(peer.acquire, "Silu").name == "untrusted"
    outside.chmod(0o1777)
    assert peer.acquire("Silu")["variant"] == "torch-cpu", "a sticky folder on the way counts as not writable"


def test_a_repository_reached_through_a_writable_folder(make_daemon, repository, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kernel").symlink_to(repository)
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(shared / "kernel")}}]})
    peer = daemon.start().peer()
    assert peer.acquire("Silu")["variant"] == "torch-cpu"
    shared.chmod(0o777)
    assert fault_of(peer.acquire, "Silu").name == "untrusted"


def test_the_users_sockets_folder_must_be_the_users(make_daemon):
    daemon = make_daemon()
    folder = daemon.folder / "kernelsd"
    folder.mkdir()
    folder.chmod(0o755)
    answer = harness.run(daemon.arguments(),
                            env=daemon.environment(XDG_RUNTIME_DIR=str(daemon.folder)))
    assert answer.returncode != 0
    assert str(folder) in answer.stderr
    folder.chmod(0o700)
    daemon.socket = folder / "kernelsd.sock"
    daemon.start(socket_option=False, XDG_RUNTIME_DIR=str(daemon.folder))
    assert daemon.socket.stat().st_mode & 0o777 == 0o600
    until(lambda: daemon.status()["sessions"] == 1, "it serves there")


@needs_root
def test_nobody_else_can_lock_the_hosts_cache(make_fetching, hub):
    daemon = make_fetching(uid=ONE, system=True).start()
    daemon.folder.chmod(0o755)
    as_uid(ONE, lambda: harness.Peer(daemon.socket).fetch())
    locks = [daemon.cache / ".kernelsd.lock", *daemon.cache.glob(".locks/*/*.lock")]
    assert len(locks) == 3
    for lock in locks:
        with pytest.raises(PermissionError):
            as_uid(OTHER, lambda: os.close(os.open(lock, os.O_RDONLY)))

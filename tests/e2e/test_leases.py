"""A lease is a locked directory descriptor: it lives with the processes that
hold it, whatever becomes of the daemon."""

import fcntl
import os
import subprocess

import harness
from harness import fault_of, query, until


def test_acquire_hands_out_the_variant_folder_locked(serving, repository):
    peer = serving.peer()
    folder = repository / "build" / "torch-cpu"
    assert not harness.is_locked(folder)
    result = peer.acquire("Silu")
    assert result["path"] == str(folder)
    assert result["variant"] == "torch-cpu" and result["state"] == "local"
    assert result["metadata"] == (folder / "metadata.json").read_bytes()
    fd = peer.take_descriptor()
    assert os.path.samestat(os.fstat(fd), os.stat(folder))
    assert harness.is_locked(folder)
    assert serving.status()["leases"] == 1
    peer.call("release", lease=result["lease"])
    assert serving.status()["leases"] == 0
    assert harness.is_locked(folder), "the lock is the descriptor's, not the daemon's"
    os.close(fd)
    assert not harness.is_locked(folder)
    assert fault_of(peer.call, "release", lease=result["lease"]).name == "bad-request"


def test_each_acquire_is_a_lock_of_its_own(serving, repository):
    folder = repository / "build" / "torch-cpu"
    peers = [serving.peer() for _ in range(3)]
    for peer in peers:
        peer.acquire("Silu")
    for peer in peers:
        assert harness.is_locked(folder)
        os.close(peer.take_descriptor())
    until(lambda: not harness.is_locked(folder), "the last lease has ended")


def test_a_lease_outlives_the_daemon_and_its_first_holder(serving, repository):
    folder = repository / "build" / "torch-cpu"
    peer = serving.peer()
    peer.acquire("Silu")
    fd = peer.take_descriptor()
    serving.kill()
    assert harness.is_locked(folder)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[fd]) as child:
        os.close(fd)
        assert harness.is_locked(folder), "the child inherited it"
        serving.start()
        assert harness.is_locked(folder)
        assert serving.status()["leases"] == 0, "the new daemon gave none"
        child.stdin.close()
        child.wait()
    assert not harness.is_locked(folder)


def test_a_foreign_exclusive_lock_keeps_no_kernel_away(serving, repository):
    folder = repository / "build" / "torch-cpu"
    foreign = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(foreign, fcntl.LOCK_EX)
    peer = serving.peer()
    peer.acquire("Silu")
    assert os.path.samestat(os.fstat(peer.descriptors[0]), os.stat(folder))
    assert serving.status()["leases_unlocked"] == 1
    os.close(foreign)
    until(lambda: serving.status()["leases_unlocked"] == 0, "the daemon got its lock")
    assert harness.is_locked(folder)
    os.close(peer.take_descriptor())
    until(lambda: not harness.is_locked(folder), "the lock ends with the lease")


def test_a_reload_ends_no_lease(serving, repository):
    peer = serving.peer()
    peer.acquire("Silu")
    serving.write_mapping({})
    until(lambda: peer.resolve(query("Silu"), view=0)[0].get("name") == "no-mapping", "the mapping is empty")
    assert serving.status()["leases"] == 1
    assert harness.is_locked(repository / "build" / "torch-cpu")


def test_changed_files_are_not_handed_out(serving, repository):
    (repository / "build" / "torch-cpu" / "__init__.py").write_bytes(b"# other bytes\n")
    fault = fault_of(serving.peer().acquire, "Silu")
    assert fault.name == "corrupt"
    assert "__init__.py" in fault.message


def test_a_file_changed_after_an_acquire_is_noticed(serving, repository):
    peer = serving.peer()
    peer.call("release", lease=peer.acquire("Silu")["lease"])
    (repository / "build" / "torch-cpu" / "added.py").write_bytes(b"")
    fault = fault_of(peer.acquire, "Silu")
    assert fault.name == "corrupt"
    assert "added.py" in fault.message

"""What administrators say by command: on the disk and in force before it is
acknowledged, there after every end, mended where files were lost."""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import threading

import msgpack
import pytest

import harness
from harness import Closed, Fault, fault_of, mapping_text, query, until, use

COMMIT = "a" * 40
OTHER = "b" * 40


def stored(daemon):
    """What a dump gives, page by page."""
    with harness.Peer(daemon.socket) as peer:
        text, after = b"", None
        while True:
            page = peer.call("mapping.dump", after=after, limit=100)
            text += page["bytes"]
            after = page["next"]
            if after is None:
                return json.loads(text)["mapping"]


def store(peer, mapping):
    return peer.call("mapping.store", bytes=mapping_text(mapping).encode())


def test_what_is_stored_goes_on_top_and_is_there_after_a_kill(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("File")], "Norm": [use("File")]})
    daemon.start()
    with daemon.peer() as peer:
        result = store(peer, {"Silu": [use("Stored")]})
        assert result["in_force"] and result["changed"] == 1
        answer = peer.resolve(query("Silu"), view=0)[0]
        assert (answer["reference"]["layer"], answer["source"]) == ("Stored", "stored")
        assert peer.label("Norm", view=0) == "File"
        assert peer.call("pin.set", repo="conformance/label", version=1, commit=COMMIT)["in_force"]
        assert peer.resolve(query("Silu"), view=0)[0]["commit"] == COMMIT
        # A view's own entries follow the pins as well.
        peer.call("view.extend", view=1, inherit=True, entries=[harness.entry("Own")])
        assert peer.resolve(query("Own"))[0]["commit"] == COMMIT
        trace = peer.call("explain", view=0, query=query("Silu"))["trace"]
        assert any("pin" in step["reason"] for step in trace)
    daemon.kill()
    daemon.start()
    with daemon.peer() as peer:
        answer = peer.resolve(query("Silu"), view=0)[0]
        assert (answer["reference"]["layer"], answer["commit"]) == ("Stored", COMMIT)
        assert peer.call("pin.list")["pins"] == [{"repo": "conformance/label", "revision": "v1", "commit": COMMIT}]
        assert peer.call("mapping.remove", layer="Silu", device="cpu")["changed"] == 1
        assert peer.label("Silu", view=0) == "File"
        peer.call("pin.drop", repo="conformance/label", revision="v1")
        assert not peer.resolve(query("Silu"), view=0)[0].get("commit")
    assert daemon.status()["state_ok"] and daemon.status()["state_message"] is None


def test_what_a_file_says_is_removed_there(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("File", device="rocm", min_capability=90)]})
    daemon.start()
    with daemon.peer() as peer:
        fault = fault_of(peer.call, "mapping.remove", layer="Silu", device="rocm", min_capability=90)
        assert fault.name == "bad-request"
        assert '"Silu": [ { "device": "rocm", "min_capability": 90, "remove": true } ]' in fault.message
        assert fault_of(peer.call, "mapping.remove", layer="Nobody").name == "no-mapping"
        hides = mapping_text({"Silu": [{"device": "rocm", "remove": True}]}).encode()
        assert fault_of(peer.call, "mapping.store", bytes=hides).name == "bad-request"


def test_a_load_replaces_all_and_nothing_before_its_last_part(daemon):
    text = mapping_text({f"L{n}": [use(f"N{n}")] for n in range(2000)}).encode()
    parts = [text[at : at + 50000] for at in range(0, len(text), 50000)]
    with daemon.peer() as peer:
        store(peer, {"Silu": [use()]})
        for number, part in enumerate(parts[:-1]):
            peer.call("mapping.load", part=number, last=False, bytes=part)
        assert list(stored(daemon)) == ["Silu"]
        assert fault_of(peer.call, "mapping.load", part=99, last=True, bytes=b"{}").name == "bad-request"
        for number, part in enumerate(parts):
            result = peer.call("mapping.load", part=number, last=number == len(parts) - 1, bytes=part)
        assert result["changed"] == 2000 and result["in_force"]
        assert peer.label("L1999", view=0) == "N1999" and peer.label("Silu", view=0) == "no-mapping"
        assert fault_of(peer.call, "mapping.load", part=0, last=True, bytes=b'{"kernelsd": 1').name == "bad-request"
    assert len(stored(daemon)) == 2000


def test_changes_sent_at_once_take_effect_in_their_order(daemon):
    with daemon.peer() as peer:
        numbers = [peer.request("pin.set", repo="o/n", revision="main", commit=f"{n:040x}") for n in range(50)]
        for number in numbers:
            peer.answer(number)
        assert [pin["commit"] for pin in peer.call("pin.list")["pins"]] == [f"{49:040x}"]


BAD_PINS = {
    "both": {"repo": "o/n", "version": 1, "revision": "main", "commit": COMMIT},
    "none": {"repo": "o/n", "commit": COMMIT},
    "a commit as the revision": {"repo": "o/n", "revision": OTHER, "commit": COMMIT},
    "no commit": {"repo": "o/n", "version": 1, "commit": "main"},
    "no repository": {"repo": "on", "version": 1, "commit": COMMIT},
    "below zero": {"repo": "o/n", "version": -1, "commit": COMMIT},
}


@pytest.mark.parametrize("params", BAD_PINS.values(), ids=BAD_PINS.keys())
def test_a_bad_pin_is_refused(daemon, params):
    with daemon.peer() as peer:
        assert fault_of(peer.call, "pin.set", **params).name in ("bad-request", "invalid-name")
        assert peer.call("pin.list")["pins"] == []


def test_only_administrators_change(make_daemon):
    daemon = make_daemon(system=True).start()
    with daemon.peer() as peer:
        for method in ("mapping.store", "mapping.remove", "mapping.load", "mapping.dump", "pin.set", "pin.drop",
                       "pin.list"):
            assert fault_of(peer.call, method).name == "denied"
    with daemon.peer(admin=True) as peer:
        assert peer.call("pin.list")["pins"] == []


def test_faulty_files_keep_a_change_waiting_but_not_a_start(make_daemon):
    daemon = make_daemon()
    bad = daemon.write_mapping("{", "50-bad.json")
    daemon.start()
    with daemon.peer() as peer:
        result = store(peer, {"Silu": [use("Stored")]})
        assert not result["in_force"]
    daemon.kill()
    daemon.start()
    with daemon.peer() as peer:
        assert peer.label("Silu", view=0) == "Stored"
    bad.unlink()
    until(lambda: daemon.status()["mapping_ok"], "the files are good again")


def ctl_status(daemon):
    return harness.run([harness.KERNELSCTL, "status", "--socket", daemon.socket], env=daemon.environment())


def keeps_files(daemon, repository, lock):
    """Files of every kind of reference; what they answer."""
    lock.write_text(json.dumps([{"repo_id": "o/locked", "sha": COMMIT, "variants": {}}]))
    daemon.write_mapping({"Silu": [use("File")], "Path": [{"device": "cpu", "use": {"path": str(repository)}}]}, "10-a.json")
    daemon.write_mapping({"Silu": [use("Later")], "Gone": [use("Gone")]}, "20-b.json")
    daemon.write_mapping({"Locked": [{"device": "cpu", "use": {"repo": "o/locked", "locked": str(lock)}}]}, "30-c.json")


def answers(daemon):
    with harness.Peer(daemon.socket) as peer:
        return peer.resolve(*(query(layer) for layer in ("Silu", "Gone", "Path", "Locked", "Stored")), view=0)


def test_the_last_good_files_stay_in_force_across_a_restart(make_daemon, tmp_path):
    daemon = make_daemon()
    repository, lock = tmp_path / "repository", tmp_path / "kernels.lock"
    harness.make_variant(repository)
    keeps_files(daemon, repository, lock)
    daemon.start()
    with daemon.peer() as peer:
        store(peer, {"Stored": [use("Stored")]})
    before = answers(daemon)
    assert [answer["source"] for answer in before] == ["file:20-b.json", "file:20-b.json", "file:10-a.json",
                                                       "file:30-c.json", "stored"]
    assert before[3]["commit"] == COMMIT and before[2]["state"] == "local"
    assert daemon.stop() == 0
    # One file faulty, one gone, the lock moved on: none of it is in force.
    bad = daemon.write_mapping('{"kernelsd": 1, "mapping": {"Silu": [{"device": "metal"}]}}', "10-a.json")
    (daemon.mapping_folder / "20-b.json").unlink()
    lock.write_text(json.dumps([{"repo_id": "o/locked", "sha": OTHER, "variants": {}}]))
    for _ in range(2):
        daemon.start()
        assert answers(daemon) == before
        assert {str(bad)} == {fault["file"] for fault in daemon.status()["mapping_faults"]}
        assert ctl_status(daemon).returncode == 1
        daemon.kill()
    lock.write_text("no lock file")
    daemon.start()
    assert answers(daemon) == before
    lock.write_text(json.dumps([{"repo_id": "o/locked", "sha": OTHER, "variants": {}}]))
    generation = daemon.status()["generation"]
    daemon.write_mapping({"Silu": [use("Mended")]}, "10-a.json")
    until(lambda: daemon.status()["mapping_ok"], "the files are good again")
    assert daemon.status()["generation"] > generation and ctl_status(daemon).returncode == 0
    with daemon.peer() as peer:
        assert peer.label("Silu", view=0) == "Mended" and peer.label("Gone", view=0) == "no-mapping"
        assert peer.resolve(query("Locked"), view=0)[0]["commit"] == OTHER
    # What is good now is what the next faulty start begins from.
    assert daemon.stop() == 0
    daemon.write_mapping("{", "10-a.json")
    daemon.start()
    with daemon.peer() as peer:
        assert peer.label("Silu", view=0) == "Mended"


def test_files_that_are_the_same_are_not_written_again(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("File")]})
    daemon.start()
    assert daemon.stop() == 0

    def changes():
        database = sqlite3.connect(f"file:{daemon.state}/kernelsd.db?mode=ro&immutable=1", uri=True)
        with contextlib.closing(database):
            return [row[0] for row in database.execute("SELECT bytes FROM kept_file")]
    kept, written = changes(), (daemon.state / "kernelsd.db").read_bytes()
    assert len(kept) == 1 and b"File" in kept[0]
    daemon.start()
    assert daemon.stop() == 0
    assert (daemon.state / "kernelsd.db").read_bytes() == written
    assert "File" not in (daemon.state / "export.json").read_text()


def test_a_set_too_large_is_not_kept_and_said(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("Small")]})
    daemon.start()
    comment = ("#" + "x" * 1023 + "\n") * (65 << 10)
    daemon.write_mapping(comment + mapping_text({"Silu": [use("Large")]}))
    until(lambda: "64 MiB" in (daemon.status()["state_message"] or ""), "status says that they are not kept")
    assert daemon.status()["state_ok"] and ctl_status(daemon).returncode == 0
    daemon.kill()
    daemon.write_mapping("{")
    daemon.start()
    with daemon.peer() as peer:
        assert peer.label("Silu", view=0) == "no-mapping"


def fill(daemon):
    with harness.Peer(daemon.socket) as peer:
        store(peer, {"Silu": [use("Stored")]})


def cut(size):
    def cuts(state):
        os.truncate(state / "kernelsd.db", size)
    return cuts


def overwrite(state):
    (state / "kernelsd.db").write_bytes(b"x" * 9000)
    (state / "kernelsd.db-wal").unlink(missing_ok=True)


def lose_database(state):
    for path in state.glob("kernelsd.db*"):
        path.unlink()


def lose_export(state):
    (state / "export.json").unlink()


# What is done to the folder, what status says then, whether the damaged file is kept.
DAMAGES = {
    "truncated to nothing": (cut(0), "rebuilt", None),
    "truncated in the first page": (cut(100), "kernelsd.db.corrupt", True),
    "truncated after some pages": (cut(4096 * 3), "kernelsd.db.corrupt", True),
    "overwritten": (overwrite, "kernelsd.db.corrupt", True),
    "missing": (lose_database, "rebuilt", False),
    "export lost": (lose_export, "export.json", False),
}


@pytest.mark.parametrize("damage, said, aside", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_folder_is_mended(make_daemon, damage, said, aside):
    daemon = make_daemon().start()
    fill(daemon)
    assert daemon.stop() == 0  # so that all is in the database, and no log beside it
    damage(daemon.state)
    daemon.start()
    status = daemon.status()
    assert status["state_ok"] and said in status["state_message"]
    assert list(stored(daemon)) == ["Silu"] and (daemon.state / "export.json").exists()
    if aside is not None:
        assert (daemon.state / "kernelsd.db.corrupt").exists() == aside
    fill(daemon)
    daemon.kill()
    daemon.start()
    assert daemon.status()["state_message"] is None


def test_what_is_lost_is_said_until_the_next_load(make_daemon):
    daemon = make_daemon().start()
    fill(daemon)
    daemon.kill()
    (daemon.state / "kernelsd.db").write_bytes(b"x" * 9000)
    (daemon.state / "kernelsd.db-wal").unlink(missing_ok=True)
    (daemon.state / "export.json").unlink()
    daemon.start()
    assert not daemon.status()["state_ok"] and "gone" in daemon.status()["state_message"]

    def status():
        return harness.run([harness.KERNELSCTL, "status", "--socket", daemon.socket], env=daemon.environment())

    assert status().returncode == 1 and "gone" in status().stdout
    with daemon.peer() as peer:
        peer.call("mapping.load", part=0, last=True, bytes=mapping_text({"Silu": [use("Again")]}).encode())
        assert peer.label("Silu", view=0) == "Again"
    assert daemon.status()["state_ok"] and status().returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_a_folder_that_cannot_be_written_is_served_and_not_changed(make_daemon):
    daemon = make_daemon(uid=65534).start()

    def asks():
        fill(daemon)
    harness.as_uid(65534, asks)
    daemon.kill()
    for path in daemon.state.iterdir():
        path.chmod(0o444)
    daemon.state.chmod(0o555)
    daemon.start()
    status = daemon.status()
    assert not status["state_ok"] and "kernelsd.db" in status["state_message"]

    def changes():
        with harness.Peer(daemon.socket) as peer:
            assert peer.label("Silu", view=0) == "Stored"
            return fault_of(store, peer, {"Norm": [use()]}).message
    assert "kernelsd.db" in harness.as_uid(65534, changes)


def test_a_second_daemon_on_the_folder_does_not_start(make_daemon):
    first = make_daemon().start()
    second = make_daemon()
    shutil.rmtree(second.state)
    answer = harness.run([harness.KERNELSD, "--config-dir", second.config, "--state-dir", first.state, "--socket",
                          second.socket], env=second.environment())
    assert answer.returncode != 0 and str(first.state) in answer.stderr


def test_fifty_kills_during_changes_lose_nothing_acknowledged(make_daemon):
    """Pins and entries each in rising numbers: after a kill there must be at
    least what was acknowledged, and of the pin no older value."""
    daemon = make_daemon()
    acknowledged = {"pin": -1, "layers": set()}
    number = 0
    for _ in range(50):
        daemon.start()
        begun = threading.Event()

        def changes():
            nonlocal number
            try:
                with harness.Peer(daemon.socket) as peer:
                    while True:
                        number += 1
                        peer.call("pin.set", repo="o/n", revision="main", commit=f"{number:040x}")
                        acknowledged["pin"] = number
                        layer = f"L{number % 20}-{number}"
                        store(peer, {layer: [use(f"N{number}")]})
                        acknowledged["layers"].add(layer)
                        begun.set()
            except (Closed, OSError):
                begun.set()

        thread = threading.Thread(target=changes)
        thread.start()
        assert begun.wait(harness.PATIENCE_S)
        threading.Event().wait(random.random() * 0.02)
        daemon.kill()
        thread.join()
        daemon.start()
        assert daemon.status()["state_ok"] and daemon.status()["state_message"] is None
        assert acknowledged["layers"] <= set(stored(daemon))
        pin = daemon.ask("pin.list")["pins"][0]
        assert int(pin["commit"], 16) >= acknowledged["pin"]
        daemon.kill()
    daemon.start()


def test_a_list_shows_what_is_stored_and_what_that_hides(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("File"), use("File", device="cuda")], "Norm": [use("File")]})
    daemon.start()

    def listed():
        with daemon.peer() as peer:
            rows, after = [], None
            while True:
                page = peer.call("mapping.list", after=after, limit=1)
                rows += page["entries"]
                after = page["next"]
                if after is None:
                    return [(row["layer"], row["device"], row["modes"]["fallback"]["layer"], row["source"].split(":")[0],
                             row["hidden"]) for row in rows]

    below = [("Silu", "cpu", "File", "file", False), ("Silu", "cuda", "File", "file", False)]
    assert listed() == [("Norm", "cpu", "File", "file", False), *below]
    with daemon.peer() as peer:
        store(peer, {"Silu": [use("Stored")]})
    both = [("Silu", "cpu", "Stored", "stored", False), ("Silu", "cpu", "File", "file", True), below[1]]
    assert listed() == [("Norm", "cpu", "File", "file", False), *both]
    lines = harness.run([harness.KERNELSCTL, "mapping", "list", "--socket", daemon.socket],
                        env=daemon.environment()).stdout.splitlines()
    assert lines[1].endswith("  stored") and lines[2].endswith(".json, hidden"), lines
    # The file changes below it: no lookup notices, but the list does.
    daemon.write_mapping({"Silu": [use("Later")]})
    until(lambda: listed() == [both[0], ("Silu", "cpu", "Later", "file", True)], "the change of the hidden file is shown")
    with daemon.peer() as peer:
        peer.call("mapping.remove", layer="Silu", device="cpu")
    assert listed() == [("Silu", "cpu", "Later", "file", False)]


def test_kernelsctl(make_daemon, tmp_path):
    daemon = make_daemon().start()

    def ctl(*arguments, status=0):
        answer = harness.run([harness.KERNELSCTL, *arguments, "--socket", daemon.socket], env=daemon.environment())
        assert answer.returncode == status, answer
        return answer.stdout if status == 0 else answer.stdout + answer.stderr

    mapping = tmp_path / "mapping.json"
    mapping.write_text(mapping_text({"Silu": [use("One", device="cuda", min_capability=80)]}))
    assert "changed 1" in ctl("mapping", "store", mapping)
    assert "stored" in ctl("mapping", "list")
    dumped = ctl("mapping", "dump")
    assert json.loads(dumped)["mapping"]["Silu"][0]["use"]["layer"] == "One"
    assert json.loads(json.loads(ctl("mapping", "dump", "--json"))["text"]) == json.loads(dumped)
    assert json.loads(ctl("pin", "o/n", "1", COMMIT, "--json"))["changed"] == 1
    ctl("pin", "o/n", "main", OTHER)
    assert [pin["revision"] for pin in json.loads(ctl("pins", "--json"))["pins"]] == ["main", "v1"]
    assert COMMIT in ctl("pins")
    ctl("unpin", "o/n", "1")
    assert "pins" in ctl("unpin", "o/n", "1", status=1)
    ctl("mapping", "remove", "Silu", "--device=cuda", "--min-capability=8.0")
    assert json.loads(ctl("mapping", "dump"))["mapping"] == {}
    mapping.write_text(dumped)
    ctl("mapping", "load", mapping)
    assert json.loads(ctl("mapping", "dump")) == json.loads(dumped)
    ctl("mapping", "remove", "Nobody", status=4)
    ctl("mapping", "store", tmp_path / "nothing", status=1)


ENVIRONMENT = {"torch": "2.7", "cxx11_abi": True, "backend": "cu128", "cpu": "x86_64", "os": "linux"}

BAD_ENVIRONMENTS = {
    "no version": {"environment": {"torch": "two"}},
    "no backend": {"environment": {"backend": "nothing"}},
    "no device": {"device": "toaster"},
    "a range of nothing": {"device": "cpu", "capability": 90},
    "below zero": {"capability": -1},
    "no name": {"name": ""},
    "a name that acts": {"name": "a\x1bb"},
}


@pytest.mark.parametrize("params", BAD_ENVIRONMENTS.values(), ids=BAD_ENVIRONMENTS.keys())
def test_a_bad_environment_is_refused(daemon, params):
    with daemon.peer() as peer:
        with pytest.raises(Fault) as fault:
            peer.call("environment.add", **{"name": "ci", "environment": ENVIRONMENT, **params})
        assert fault.value.name in ("bad-request", "invalid-name", "invalid-device", "invalid-range")


def test_a_named_environment_is_kept(make_daemon):
    daemon = make_daemon().start()
    with daemon.peer() as peer:
        generation = daemon.status()["generation"]
        result = peer.call("environment.add", name="ci", environment=ENVIRONMENT, device="cuda", capability=90)
        assert result["changed"] == 1 and result["in_force"] and result["generation"] == generation
        peer.call("environment.add", name="gone", environment=ENVIRONMENT)
        peer.call("environment.add", name="gone", environment=None)
        assert "gone" in fault_of(peer.call, "environment.add", name="gone", environment=None).message
    daemon.kill()
    kept = json.loads((daemon.state / "export.json").read_text())["environments"]
    assert [(row["name"], row["device"], row["capability"]) for row in kept] == [("ci", "cuda", 90)]
    assert msgpack.unpackb(bytes.fromhex(kept[0]["environment"])) == ENVIRONMENT
    # Also by an export alone.
    (daemon.state / "kernelsd.db").unlink()
    daemon.start()
    assert json.loads((daemon.state / "export.json").read_text())["environments"] == kept


def test_a_named_environment_does_not_wait_for_the_mapping(make_daemon):
    daemon = make_daemon()
    bad = daemon.write_mapping("{")
    daemon.start()
    with daemon.peer() as peer:
        assert peer.call("environment.add", name="ci", environment=ENVIRONMENT)["in_force"]
    bad.unlink()


def history(peer, **page):
    return peer.call("history", **page)


def test_history(make_daemon):
    daemon = make_daemon().start()
    with daemon.peer() as peer:
        store(peer, {"Silu": [use("Stored")]})
        peer.call("pin.set", repo="o/n", version=1, commit=COMMIT)
        fault_of(peer.call, "pin.drop", repo="o/n", version=2)
        peer.call("environment.add", name="ci", environment=ENVIRONMENT)
        events = history(peer)["events"]
        assert [(event["what"], event["outcome"]) for event in events] == [
            ("environment.add", "ok"), ("pin.drop", "no-revision"), ("pin.set", "ok"), ("mapping.store", "ok")]
        assert (events[2]["repo"], events[2]["commit"], events[3]["layer"]) == ("o/n", COMMIT, "Silu")
        assert all(event["uid"] == os.geteuid() and event["pid"] == os.getpid() for event in events)
        first = history(peer, limit=3)
        assert first["events"] == events[:3] and first["next"] == events[2]["number"]
        assert history(peer, limit=3, after=first["next"]) == {"events": events[3:], "next": None}
        assert fault_of(history, peer, limit=0).name == "bad-request"
        # Many at once, each answered.
        numbers = [peer.request("history") for _ in range(60)]
        assert all(peer.answer(number)["events"] == events for number in numbers)
    assert daemon.stop() == 0
    daemon.start()
    with daemon.peer() as peer:
        assert history(peer)["events"] == events
        peer.request("history")  # and leaves


def test_history_pages_fit_into_a_frame(make_daemon):
    daemon = make_daemon().start()
    with daemon.peer() as peer:
        layers = [f"{number:04d}" + "x" * 250 for number in range(1500)]
        for at in range(0, len(layers), 50):
            numbers = [peer.request("mapping.remove", layer=layer) for layer in layers[at : at + 50]]
            for number in numbers:
                fault_of(peer.answer, number)
        seen, after = [], None
        while True:
            page = history(peer, after=after)
            seen += [event["layer"] for event in page["events"]]
            after = page["next"]
            if after is None:
                break
        assert seen == layers[::-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_history_shows_own_rows_alone(make_daemon):
    daemon = make_daemon(system=True).start()
    daemon.folder.chmod(0o755)  # so that others come to the socket
    with daemon.peer(admin=True) as peer:
        peer.call("pin.set", repo="o/n", version=1, commit=COMMIT)
        assert len(history(peer)["events"]) == 1
    with daemon.peer() as peer:
        assert len(history(peer)["events"]) == 1  # root's own

    def asks():
        with harness.Peer(daemon.socket) as peer:
            return history(peer)
    assert harness.as_uid(65534, asks) == {"events": [], "next": None}

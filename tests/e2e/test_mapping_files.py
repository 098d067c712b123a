"""Mapping files: what they say takes effect by itself, and a faulty set
changes nothing but what `status` says."""


import pytest

import harness
from harness import mapping_text, query, until, use


def labels(daemon, *layers):
    with harness.Peer(daemon.socket) as peer:
        return [peer.label(layer, view=0) for layer in layers]


def test_a_change_a_link_swap_and_a_removal_take_effect(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("First")]})
    daemon.start()
    first = daemon.status()["generation"]
    assert labels(daemon, "Silu") == ["First"]

    daemon.write_mapping({"Silu": [use("Second")]})
    until(lambda: labels(daemon, "Silu") == ["Second"], "a renamed file takes effect")
    assert daemon.status()["generation"] > first

    versions = daemon.folder / "versions"
    for name in ("a", "b"):
        (versions / name).mkdir(parents=True)
        (versions / name / "linked.json").write_text(mapping_text({"Norm": [use(name)]}))
    (versions / "current").symlink_to("a")
    (daemon.mapping_folder / "60-linked.json").symlink_to(versions / "current" / "linked.json")
    until(lambda: labels(daemon, "Norm") == ["a"], "a link takes effect")
    (versions / "new").symlink_to("b")
    (versions / "new").rename(versions / "current")
    until(lambda: labels(daemon, "Norm") == ["b"], "a swapped link takes effect")

    (daemon.mapping_folder / "50-test.json").unlink()
    until(lambda: labels(daemon, "Silu", "Norm") == ["no-mapping", "b"], "a removal takes effect")
    assert daemon.status()["layers"] == 1


def test_later_files_go_over_earlier_ones_and_remove_hides(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("Low")], "Norm": [use("Low")]}, "10-low.json")
    daemon.write_mapping({"Silu": [use("High")], "Norm": [{"device": "cpu", "remove": True}]}, "20-high.json")
    daemon.start()
    with daemon.peer() as peer:
        answer = peer.resolve(query("Silu"), view=0)[0]
        assert (answer["reference"]["layer"], answer["source"]) == ("High", "file:20-high.json")
        assert peer.label("Norm", view=0) in ("no-mapping", "no-device")
    (daemon.mapping_folder / "20-high.json").unlink()
    until(lambda: labels(daemon, "Silu", "Norm") == ["Low", "Low"], "what was hidden is back")


def test_a_folder_that_comes_later_is_seen(make_daemon):
    daemon = make_daemon()
    daemon.mapping_folder.rmdir()
    daemon.start()
    daemon.mapping_folder.mkdir()
    daemon.write_mapping({"Silu": [use()]})
    until(lambda: labels(daemon, "Silu") == ["Label"], "the new folder is read")


FAULTY = {
    "syntax": ('{ "kernelsd": 1,\n  "mapping": { "Silu": [ }\n', 2),
    "nothing": ("", 1),
    "a duplicate key": ('{ "kernelsd": 1,\n  "kernelsd": 1, "mapping": {} }', 2),
    "an integer beyond int64": ('{ "kernelsd": 1, "mapping": {\n "X": [ { "device": "cuda",\n'
                                '"min_capability": 9223372036854775808 } ] } }', 3),
    "an unknown key": (mapping_text({"X": [{**use(), "speed": 1}]}), "/mapping/X/0"),
    "a real": (mapping_text({"X": [{**use(device="cuda"), "min_capability": 8.0}]}), "/mapping/X/0/min_capability"),
    "min above max": (mapping_text({"X": [use(device="cuda", min_capability=9, max_capability=8)]}), "/mapping/X/0"),
    "a range on cpu": (mapping_text({"X": [use(min_capability=9)]}), "/mapping/X/0"),
    "metal": (mapping_text({"X": [use(device="metal")]}), "/mapping/X/0"),
    "a contradictory mode": (mapping_text({"X": [{"device": "cpu", "modes": {"inference|training": {
        "repo": "o/n", "version": 1}}}]}), "/mapping/X/0/modes"),
    "a repository against the rules": (mapping_text({"X": [{"device": "cpu", "use": {
        "repo": "nobody", "version": 1}}]}), "/mapping/X/0/use"),
    "version and revision": (mapping_text({"X": [{"device": "cpu", "use": {
        "repo": "o/n", "version": 1, "revision": "main"}}]}), "/mapping/X/0/use"),
    "a relative path": (mapping_text({"X": [{"device": "cpu", "use": {"path": "here"}}]}), "/mapping/X/0/use"),
    "a lock that is not there": (mapping_text({"X": [{"device": "cpu", "use": {
        "repo": "o/n", "locked": "/nonexistent/kernels.lock"}}]}), "/mapping/X/0/use"),
    "another format": (mapping_text({}).replace("1", "2"), "/kernelsd"),
    "a layer over 256 bytes": (mapping_text({"L" * 257: [use()]}), "/mapping/"),
}


@pytest.mark.parametrize("text, where", FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_file_keeps_the_last_good_set(make_daemon, text, where):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use("Good")]}, "10-good.json")
    daemon.start()
    generation = daemon.status()["generation"]
    path = daemon.write_mapping(text, "50-bad.json")
    until(lambda: not daemon.status()["mapping_ok"], "the fault is seen")

    status = daemon.status()
    assert status["generation"] == generation
    assert labels(daemon, "Silu") == ["Good"]
    fault = status["mapping_faults"][0]
    assert fault["file"] == str(path) and fault["message"]
    if isinstance(where, int):
        assert fault["line"] == where and fault["column"] >= 1
    else:
        assert fault["pointer"].startswith(where)
    until(lambda: str(path) in daemon.log(), "the log names the file")

    check = harness.run([harness.KERNELSD, "--check-config", path],
                           env=daemon.environment())
    assert check.returncode != 0
    assert str(path) in check.stdout + check.stderr
    assert (f":{where}:" if isinstance(where, int) else where) in check.stdout + check.stderr

    daemon.write_mapping({"Norm": [use("Mended")]}, "50-bad.json")
    until(lambda: daemon.status()["mapping_ok"], "a mended file is taken")
    assert labels(daemon, "Silu", "Norm") == ["Good", "Mended"]


def test_a_daemon_starts_with_faulty_files_and_says_so(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping("{")
    daemon.start()
    status = daemon.status()
    assert not status["mapping_ok"] and status["layers"] == 0
    daemon.write_mapping({"Silu": [use()]})
    until(lambda: labels(daemon, "Silu") == ["Label"], "the mended file is taken")


def test_comments_and_a_mask(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping("# said by hand\n  # and why\n" + mapping_text({"Silu": [use()]}), "10-comments.json")
    daemon.write_mapping({"Norm": [use()]}, "20-masked.json")
    daemon.start()
    assert labels(daemon, "Silu", "Norm") == ["Label", "Label"]
    (daemon.mapping_folder / "20-masked.json").unlink()
    (daemon.mapping_folder / "20-masked.json").symlink_to("/dev/null")
    until(lambda: labels(daemon, "Silu", "Norm") == ["Label", "no-mapping"], "the mask hides")


def test_all_answers_of_one_request_are_of_one_generation(make_daemon):
    daemon = make_daemon()
    layers = [f"L{n}" for n in range(200)]
    daemon.write_mapping({layer: [use("0")] for layer in layers})
    peer = daemon.start().peer()
    seen = set()
    for turn in range(1, 6):
        daemon.write_mapping({layer: [use(str(turn))] for layer in layers})
        while str(turn) not in seen:
            answers = peer.resolve(*(query(layer) for layer in layers), view=0)
            found = {answer["reference"]["layer"] for answer in answers}
            assert len(found) == 1, found
            seen |= found


def test_a_locked_reference_answers_the_commit(make_daemon):
    daemon = make_daemon()
    lock = daemon.folder / "kernels.lock"
    lock.write_text(harness.json.dumps([{"repo_id": "o/n", "sha": "a" * 40, "variants": {}}]))
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"repo": "o/n", "locked": str(lock)}}]})
    peer = daemon.start().peer()
    answer = peer.resolve(query("Silu"), view=0)[0]
    assert answer["commit"] == "a" * 40 and answer["reference"]["locked"] == str(lock)
    lock.write_text(harness.json.dumps([{"repo_id": "o/n", "sha": "main", "variants": {}}]))
    until(lambda: not daemon.status()["mapping_ok"], "a lock that names no commit is a fault")


def test_check_config_accepts_what_is_good(make_daemon):
    daemon = make_daemon()
    path = daemon.write_mapping({"Silu": [use()]})
    for arguments in ([harness.KERNELSD, "--check-config", path], daemon.arguments("--check-config")):
        answer = harness.run(arguments, env=daemon.environment())
        assert answer.returncode == 0, answer.stdout + answer.stderr


def test_mapping_list_in_pages(make_daemon):
    daemon = make_daemon()
    layers = sorted(f"L{n:04}" for n in range(25))
    daemon.write_mapping({layer: [use()] for layer in layers})
    peer = daemon.start().peer()
    found, after = [], None
    while True:
        page = peer.call("mapping.list", after=after, limit=10)
        found += [row["layer"] for row in page["entries"]]
        after = page["next"]
        if after is None:
            break
    assert found == layers


def test_environments_are_watched_and_their_faults_told(make_daemon):
    daemon = make_daemon()
    folder = daemon.config / "environment.d"
    daemon.write_mapping({"Silu": [use()]})
    daemon.start()
    assert daemon.status()["mapping_ok"]

    (daemon.config / "new").write_text('{"kernelsd": 1, "environment": {"torch": "2.7.1", "backend": "cpu"}}')
    folder.mkdir()
    (daemon.config / "new").rename(folder / "cpu.json")
    until(lambda: not daemon.status()["mapping_ok"], "the fault is seen")
    fault = daemon.status()["mapping_faults"][0]
    assert (fault["file"], fault["pointer"]) == (str(folder / "cpu.json"), "/environment/torch")
    assert labels(daemon, "Silu") == ["Label"]

    for arguments in ([harness.KERNELSD, "--check-config", folder / "cpu.json"], daemon.arguments("--check-config")):
        check = harness.run(arguments, env=daemon.environment())
        assert check.returncode == 1 and f"{folder / 'cpu.json'}: /environment/torch: " in check.stdout

    (daemon.config / "new").write_text('{"kernelsd": 1, "environment": {"torch": "2.7", "backend": "cpu"}}')
    (daemon.config / "new").rename(folder / "cpu.json")
    until(lambda: daemon.status()["mapping_ok"], "a mended file is taken")
    for arguments in ([harness.KERNELSD, "--check-config", folder / "cpu.json"], daemon.arguments("--check-config")):
        check = harness.run(arguments, env=daemon.environment())
        assert check.returncode == 0, check.stdout

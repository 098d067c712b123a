"""Kills kernelsd at random moments while administrators change mapping, pins and
environments, and counts what had been acknowledged and is not there afterwards.

usage: crash [N] [--json]    N kills; 1,000 if it is not said

Each key (a layer, a pinned branch, an environment) has the value that was
acknowledged last and those that were asked for since, which the kill may have
let through or not. After each restart it must have one of these. Ends with 1 if
anything is lost."""

import argparse
import json
import os
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402

ABSENT = None
AT_ONCE = 8       # changes under way together, so that several are one commit
KILL_WITHIN_S = 0.15


class Key:
    """What one thing may be."""

    def __init__(self):
        self.known = {ABSENT}

    def asked(self, value):
        self.known.add(value)

    def acknowledged(self, value, earlier):
        """`earlier`: values that were asked for before it was, which it has overtaken."""
        self.known -= earlier
        self.known.add(value)


class Host:
    """The keys, and how each kind of them is set, dropped and read."""

    def __init__(self):
        self.keys = {}
        self.number = 0
        self.n_acknowledged = 0

    def next_change(self):
        """A change of some key: its key, the value, method and params."""
        self.number += 1
        kind, name = random.choice(("layer", "pin", "environment")), f"n{random.randrange(20)}"
        drops = random.random() < 0.2
        value = ABSENT if drops else self.number
        if kind == "layer":
            entry = harness.use(f"V{self.number}")
            change = (("mapping.remove", {"layer": name}) if drops else
                      ("mapping.store", {"bytes": harness.mapping_text({name: [entry]}).encode()}))
        elif kind == "pin":
            pin = {"repo": "o/n", "revision": name}
            change = ("pin.drop", pin) if drops else ("pin.set", {**pin, "commit": f"{self.number:040x}"})
        else:
            environment = None if drops else {"program": f"V{self.number}"}
            change = ("environment.add", {"name": name, "environment": environment})
        return self.keys.setdefault((kind, name), Key()), value, *change

    def run(self, peer):
        """Changes without end, until the daemon is killed."""
        while True:
            under_way = []
            for _ in range(AT_ONCE):
                key, value, method, params = self.next_change()
                earlier = set(key.known)
                key.asked(value)
                under_way.append((key, value, earlier - {value}, peer.request(method, **params)))
            for key, value, earlier, number in under_way:
                try:
                    peer.answer(number)
                except harness.Fault as fault:
                    # What is not there cannot be dropped; and then it is not there.
                    assert value is ABSENT and fault.name in ("no-mapping", "no-revision", "bad-request"), fault
                key.acknowledged(value, earlier)
                self.n_acknowledged += 1

    def lost(self, daemon):
        """Keys that are none of what they may be; from then on they are what they are."""
        there = read(daemon)
        lost = []
        for name, key in self.keys.items():
            if there.get(name) not in key.known:
                lost.append((name, there.get(name), sorted(map(str, key.known))))
            key.known = {there.get(name)}
        return lost


def read(daemon):
    there = {}
    with daemon.peer(admin=True) as peer:
        text, after = b"", None
        while True:
            page = peer.call("mapping.dump", after=after)
            text += page["bytes"]
            after = page["next"]
            if after is None:
                break
        for layer, entries in json.loads(text)["mapping"].items():
            there["layer", layer] = int(entries[0]["use"]["layer"][1:])
        for pin in peer.call("pin.list")["pins"]:
            there["pin", pin["revision"]] = int(pin["commit"], 16)
    # Not yet listed by the daemon in a way that tells all; the export says the same as the database.
    for row in json.loads((daemon.state / "export.json").read_text())["environments"]:
        there["environment", row["name"]] = int(bytes.fromhex(row["environment"]).split(b"V")[1])
    return there


def kill_once(daemon, host):
    """Lets changes run for a random while and kills it among them."""
    begun = threading.Event()

    def changes():
        try:
            with daemon.peer(admin=True) as peer:
                begun.set()
                host.run(peer)
        except (harness.Closed, OSError):
            begun.set()

    thread = threading.Thread(target=changes)
    thread.start()
    begun.wait(harness.PATIENCE_S)
    threading.Event().wait(random.random() * KILL_WITHIN_S)
    daemon.kill()
    thread.join()
    daemon.peers.clear()


def run(n_kills, seed):
    random.seed(seed)
    daemon, host = harness.Daemon(system=True), Host()
    lost, n_set_aside, n_mended = [], 0, 0
    try:
        daemon.start()
        for _ in range(n_kills):
            kill_once(daemon, host)
            daemon.start()
            status = daemon.status()
            n_set_aside += (daemon.state / "kernelsd.db.corrupt").exists()
            n_mended += not status["state_ok"] or status["state_message"] is not None
            lost += host.lost(daemon)
        daemon.peers.clear()
        exit_status = daemon.stop()
    finally:
        daemon.remove()
    return {"kills": n_kills, "acknowledged": host.n_acknowledged, "lost": len(lost), "set_aside": n_set_aside,
            "mended": n_mended, "exit_status": exit_status, "seed": seed}, lost


def main():
    parser = argparse.ArgumentParser(prog="crash", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("n", nargs="?", type=int, default=1000, metavar="N", help="kills")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    arguments = parser.parse_args()
    figures, lost = run(arguments.n, arguments.seed)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name.replace('_', ' '):14} {value}")
        for what in lost:
            print("lost:", *what)
    good = not lost and not figures["set_aside"] and not figures["mended"] and figures["exit_status"] == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

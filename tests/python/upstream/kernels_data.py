"""Stands in for the Rust module of this name, which `kernels` imports: what loading
a kernel touches of it, and names that are only imported."""

import json


class _Name(str):
    @property
    def python_name(self):
        return self.replace("-", "_")


class Metadata:
    @classmethod
    def read_from_file(cls, path):
        with open(path, "rb") as file:
            return cls.from_bytes(file.read())

    @classmethod
    def from_bytes(cls, data):
        document = json.loads(data)
        made = cls()
        made.name, made.id, made.version = _Name(document["name"]), document["id"], document["version"]
        made.license, made.python_depends = document["license"], document["python-depends"]
        made.backend, made.provenance = document["backend"], None
        return made


class KernelVersion:
    class Version:
        def __init__(self, version):
            self.version = version

    class Revision:
        def __init__(self, revision):
            self.revision = revision


class KernelDependency:
    def __init__(self, repo_id, version):
        self.repo_id, self.version = repo_id, version


class Backend:
    pass


class KernelLock:
    pass


class KernelLocks:
    pass


class KernelPaths:
    pass


class Digest:
    pass


class DigestValidationError(Exception):
    pass


class DigestViolation:
    pass

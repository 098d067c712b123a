"""What goes wrong, as exceptions.

Each is a `KernelError`, which has the name that the protocol gives the error, and
also the built-in type that the Python package `kernels` raises there, so that
programs written for that go on catching what they catch."""

from __future__ import annotations

from . import _native


class KernelError(Exception):
    """What kernelsd answered, or why it could not be asked.

    Attributes:
        name: the protocol's name ("no-variant", "untrusted"…); "unreachable" for a
            connection that failed.
        retry: whether trying the same again may help.
    """

    name: str = "internal"
    retry: bool = False


class KernelNotFoundError(KernelError, FileNotFoundError):
    """There is no such kernel for this system, or none on this host while offline."""


class KernelRefusedError(KernelError, ValueError):
    """What was asked for is not allowed, or makes no sense: a publisher whom
    nobody trusts, a version that is not there, a mode that is none; or a kernel is not
    what its metadata states."""


class DaemonUnreachableError(KernelError, ConnectionError):
    """kernelsd does not run, or this process may not ask it."""


_CLASSES = {
    "unreachable": DaemonUnreachableError,
    "no-variant": KernelNotFoundError,
    "arch": KernelNotFoundError,
    "offline": KernelNotFoundError,
    "no-repository": KernelNotFoundError,
    "gone": KernelNotFoundError,
    "no-revision": KernelRefusedError,
    "untrusted": KernelRefusedError,
    "corrupt": KernelRefusedError,
    "denied-by-policy": KernelRefusedError,
    "bad-request": KernelRefusedError,
    "invalid-mode": KernelRefusedError,
    "invalid-device": KernelRefusedError,
    "invalid-range": KernelRefusedError,
    "invalid-name": KernelRefusedError,
    "no-mapping": KernelRefusedError,
    "no-device": KernelRefusedError,
    "no-capability": KernelRefusedError,
    "no-mode": KernelRefusedError,
}


def error_of(name: str, message: str, retry: bool = False) -> KernelError:
    """The exception for an error of the protocol.

    Args:
        name: the protocol's name of it.
        message: what is wrong and what to do, in lower case without a full stop.
    """
    error = _CLASSES.get(name, KernelError)(message)
    error.name, error.retry = name, retry
    return error


def translated(error: _native.Error) -> KernelError:
    """The same as an exception of this module; `raise … from None`."""
    return error_of(error.name, str(error), error.retry)


def nonsense(subject: str) -> KernelError:
    """For an answer that no kernelsd gives; `subject`: "about …"."""
    return error_of(
        "protocol",
        f"kernelsd's answer {subject} makes no sense: install the same version of this package and of kernelsd",
    )

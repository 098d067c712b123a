"""What each layer's name leads to: one `resolve` for all names, one batch of
acquires, then imports."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from . import _native
from .client import client, note_reached, warn_unreachable
from .device import DEVICE_TYPES, Target
from .errors import DaemonUnreachableError, error_of, translated
from .fallback import KernelizeFallback
from .mapping import current_scope
from .mode import Mode, mode_text
from .usage import Used
from .wanted import Acquired, Changed, Wanted
from .warning import warn

logger = logging.getLogger("kernelsd")

# Answers for which the daemon knows no kernel.
_UNSUPPORTED = ("no-mapping", "no-device", "no-capability", "no-mode", "invalid-device")

# Answers that say that the question made no sense. All others: the kernel cannot be had.
_WRONG = ("bad-request", "invalid-mode", "invalid-range", "invalid-name", "too-large", "limit", "protocol")

_TRIES = 3  # while mappings change meanwhile: changes are rare, three in a row are a fault


@dataclass
class Choice:
    """What a layer's name leads to."""

    name: str
    reason: str
    layer: Any = None  # the kernel's class; None: the original is kept
    label: object = None  # what the repository is called
    registered: Optional[Mode] = None
    answer: Optional[_native.Answer] = None
    folder: Optional[str] = None  # the name of what this process loads itself

    def used(self) -> Used:
        """The row of a report."""
        answer = self.answer
        if self.layer is None or answer is None:
            return Used(self.name, self.reason)
        if self.folder is not None or answer.commit is None:
            folder = self.folder or os.path.basename(str(answer.path))
            readable = folder.encode("utf-8", "replace").decode()
            return Used(self.name, self.reason, repo=f"local:{readable or 'unnamed'}")
        return Used(self.name, self.reason, answer.redirect or answer.repo, answer.commit, answer.variant)


class Chooser:
    """Makes the choices for one model.

    Args:
        mode: asked for.
        target: the device that the model is on.
        fallback: the failures for which an original is kept.
    """

    def __init__(self, mode: Mode, target: Target, fallback: KernelizeFallback) -> None:
        self.mode, self.target, self.fallback = mode, target, fallback
        self.scope = current_scope()

    def choose(self, names: List[str]) -> Dict[str, Choice]:
        """A choice for each name.

        Raises:
            ValueError, TypeError, KernelError…: what the fallback does not cover.
        """
        if self.target.device not in DEVICE_TYPES:
            error = error_of("no-device", f"there are no kernels for device type `{self.target.device}`")
            return {name: self._keep(name, error, KernelizeFallback.UNSUPPORTED) for name in names}
        for _ in range(_TRIES):
            try:
                return self._choose_once(names)
            except Changed:
                pass
            except DaemonUnreachableError as unreachable:
                return self._without_daemon(names, unreachable)
        raise error_of("busy", "the mapping changes faster than kernels are acquired: try again", True)

    def _choose_once(self, names: List[str]) -> Dict[str, Choice]:
        choices: Dict[str, Choice] = {}
        wanted: List[Wanted] = []
        asked = client()
        try:
            with self.scope.view(asked) as view:
                for name, answer in zip(names, asked.resolve(view, [self._query(name) for name in names])):
                    if answer.code:
                        choices[name] = self._unmapped(name, answer)
                    else:
                        wanted.append(Wanted(name, answer, self.scope, self.target.device))
                note_reached()
                acquired = self._acquire(asked, view, wanted)
        except _native.Error as error:
            raise translated(error) from None
        try:
            choices.update((want.name, self._choice(want)) for want in wanted)
        finally:
            for one in acquired:
                one.drop()
        return choices

    def _query(self, name: str) -> _native.Query:
        return name, self.target.device, self.target.capability, mode_text(self.mode), self.target.arch

    def _acquire(self, asked: _native.Client, view: int, wanted: List[Wanted]) -> List[Acquired]:
        """Acquires all kernels at once, each once. What is loaded already is acquired,
        too: whether this process may have it is judged every time."""
        first: Dict[Tuple[Any, ...], Wanted] = {}
        for want in wanted:
            if want.is_acquired:
                first.setdefault(want.identity, want)
        if not first:
            return []
        results = asked.acquire_all(view, [(self._query(want.name), want.flags) for want in first.values()])
        acquired: Dict[Tuple[Any, ...], Acquired] = {}
        try:
            for (identity, want), result in zip(first.items(), results):
                acquired[identity] = Acquired(want, result)
        except Changed:
            for result in results:
                if isinstance(result, _native.Kernel):
                    result.free()
            raise
        for want in wanted:
            if want.is_acquired:
                want.kernel = acquired[want.identity]
        return list(acquired.values())

    def _choice(self, want: Wanted) -> Choice:
        try:
            layer = want.load(self.target)
        except (Exception, SystemExit) as error:  # a kernel's code may say anything, exit too
            return self._keep(want.name, error, KernelizeFallback.LOAD)
        answer = want.final_answer
        reason = f"kernel: {want.answer.mode} kernel of {answer.source}"
        return Choice(want.name, reason, layer, want.label, want.registered, answer, want.folder)

    # --- originals ---

    def _keep(self, name: str, error: BaseException, covered: KernelizeFallback) -> Choice:
        """Every way to keep an original goes through here."""
        if not covered & self.fallback:
            raise error
        level = logging.WARNING if covered is KernelizeFallback.LOAD else logging.INFO
        logger.log(level, "Layer `%s` keeps its original forward: %s", name, error)
        return Choice(name, f"original: {error}")

    def _unmapped(self, name: str, answer: _native.Answer) -> Choice:
        """For what there is no kernel; the texts are upstream's."""
        if answer.name not in _UNSUPPORTED:
            error = error_of(answer.name or "internal", answer.message or "kernelsd gave no reason")
            return self._keep(name, error, KernelizeFallback.NONE if answer.name in _WRONG else KernelizeFallback.LOAD)
        device = self.target.device
        texts = {
            "no-mapping": f"No layer mapping for `{name}`",
            "no-device": f"No layer mapping for `{name}` with device type `{device}`",
            "invalid-device": f"No layer mapping for `{name}` with device type `{device}`",
            "no-capability": f"No layer mapping for `{name}` device `{device}` with the right properties",
            "no-mode": f"No repository for `{name}` for configuration mode={self.mode}",
        }
        if answer.name == "no-mapping":
            warn(
                f"\nNo kernel mapping found for layer `{name}`. Check if the layer name matches one of the kernels in "
                "the mapping or add the kernel you want to use to the mapping. Defaulting to original forward "
                "implementation."
            )
        error = error_of(answer.name, f"{texts[answer.name]} ({answer.message})")
        return self._keep(name, error, KernelizeFallback.UNSUPPORTED)

    def _without_daemon(self, names: List[str], error: DaemonUnreachableError) -> Dict[str, Choice]:
        if not KernelizeFallback.UNSUPPORTED & self.fallback:
            raise error
        warn_unreachable(error)
        return {name: Choice(name, f"original: {error}") for name in names}

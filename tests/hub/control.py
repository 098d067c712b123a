"""The control interface: what the class `Hub` does, over HTTP on a port of
its own. README.md has the list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .messages import Answer, Request, json_answer

if TYPE_CHECKING:
    from .double import Hub

FAULT_KEYS = {"class": "request_class", "path": "path", "method": "method", "skip": "skip", "times": "times"}


class Control:
    """A site whose requests are neither noted nor spoilt."""

    def __init__(self, double: Hub):
        self.double = double

    def answer(self, request: Request) -> Answer:
        """200 with a JSON object; 400 or 404 with {"error": …}, 504 if a wait was
        in vain."""
        try:
            make = self._route(request)
            return json_answer({"error": "no such request; see README.md"}, 404) if make is None \
                else json_answer(make() or {})
        except LookupError as error:
            return json_answer({"error": str(error)}, 404)
        except TimeoutError as error:
            return json_answer({"error": str(error)}, 504)
        except (ValueError, TypeError, OSError) as error:
            return json_answer({"error": str(error)}, 400)

    def _route(self, request: Request) -> Callable[[], dict[str, Any] | None] | None:
        double = self.double
        values = request.json()
        match request.method, request.parts:
            case "GET", ["_double", "state"]:
                return double.state
            case "GET", ["_double", "requests"]:
                return lambda: {"counts": double.counts(),
                                "log": [entry.value() for entry in double.requests(request.query.get("class", "any"))]}
            case "POST", ["_double", "requests", "reset"]:
                return double.reset_requests
            case "POST", ["_double", "requests", "wait"]:
                return lambda: double.wait_requests(values.get("class", "any"), values.get("n", 1))
            case "POST", ["_double", "move_branch"]:
                return lambda: {"commit": double.move_branch(**self._renamed(values, {"repository": "identity"}))}
            case "POST", ["_double", "forget_commit"]:
                return lambda: double.forget_commit(values["repository"], values["commit"])
            case "POST", ["_double", "reload"]:
                return double.reload
            case "POST", ["_double", "expire_links"]:
                return double.expire_links
            case _, ["_double", "faults", *rest]:
                return self._faults(request.method, rest, values)
        return None

    @staticmethod
    def _renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in values.items()}

    def _faults(self, method: str, rest: list[str], values: dict[str, Any]) -> Callable[[], Any] | None:
        faults = self.double.faults
        match method, rest:
            case "GET", []:
                return lambda: {"faults": [fault.value() for fault in faults.list()]}
            case "POST", []:
                return lambda: faults.set(**self._renamed(values, FAULT_KEYS)).value()
            case "DELETE", []:
                return faults.remove
            case "DELETE", [number]:
                return lambda: faults.remove(int(number))
            case "POST", [number, "release"]:
                return lambda: faults.get(int(number)).release()
            case "POST", [number, "wait"]:
                return lambda: faults.get(int(number)).wait(values.get("n", 1))
        return None

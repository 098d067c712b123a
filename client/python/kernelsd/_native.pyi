from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

FRESH: int
TRUST_REMOTE_CODE: int
VIEW_HOST: int

# mode, repo, version, revision, local, layer
Reference = Tuple[str, Optional[str], Optional[int], Optional[str], Optional[str], Optional[str]]
# layer, device, min_capability, max_capability, references
Entry = Tuple[str, Optional[str], Optional[int], Optional[int], Tuple[Reference, ...]]
# layer, device, capability, mode, arch
Query = Tuple[str, str, Optional[int], str, Optional[str]]
# layer, device, mode, repo, commit, variant, reason
Used = Tuple[str, Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], str]
# files, files_total, bytes, bytes_total; totals are -1 while unknown
Progress = Callable[[int, int, int, int], object]

def version() -> str: ...
def gate(
    requested: str, registered: Optional[str], has_backward: bool, can_torch_compile: bool, use_fallback: bool, /
) -> str: ...

class Error(Exception):
    code: int
    name: str
    retry: bool

class Answer(NamedTuple):
    code: int
    name: Optional[str]
    message: Optional[str]
    layer: Optional[str]
    mode: Optional[str]
    source: Optional[str]
    min_capability: int
    max_capability: int
    repo: Optional[str]
    version: int
    revision: Optional[str]
    locked: Optional[str]
    path: Optional[str]
    reference_layer: Optional[str]
    redirect: Optional[str]
    commit: Optional[str]
    commit_age_s: int
    variant: Optional[str]
    arch: Optional[str]
    state: Optional[str]
    digest: Optional[str]

class Kernel:
    @property
    def answer(self) -> Answer: ...
    @property
    def path(self) -> str: ...
    @property
    def metadata(self) -> Optional[bytes]: ...
    def fileno(self) -> int: ...
    def free(self) -> None: ...

class Client:
    def __init__(
        self,
        environment: Optional[Dict[str, Any]] = None,
        *,
        client: Optional[str] = None,
        socket: Optional[str] = None,
        job: Optional[str] = None,
        native: bool = False,
        offline: int = -1,
        timeout_ms: int = 0,
    ) -> None: ...
    @property
    def daemon_version(self) -> str: ...
    def close(self) -> None: ...
    def view_create(self, parent: Optional[int], entries: Sequence[Entry], /) -> int: ...
    def view_extend(self, view: int, inherit: bool, entries: Sequence[Entry], /) -> None: ...
    def view_drop(self, view: int, /) -> None: ...
    def resolve(self, view: int, queries: Sequence[Query], fresh: bool = False, /) -> List[Answer]: ...
    def acquire_all(
        self,
        view: int,
        items: Sequence[Tuple[Query, int]],
        deadline_ms: int = 0,
        progress: Optional[Progress] = None,
        /,
    ) -> List[Union[Kernel, Error]]: ...
    def acquire_repository(
        self,
        repo: str,
        version: Optional[int],
        revision: Optional[str],
        device: Optional[str],
        capability: Optional[int],
        arch: Optional[str],
        flags: int = 0,
        deadline_ms: int = 0,
        progress: Optional[Progress] = None,
        /,
    ) -> Kernel: ...
    def call(self, method: str, params: Dict[str, Any], /) -> Any: ...
    def report(self, rows: Sequence[Used], /) -> None: ...

"""A double of the Hub for tests: see README.md."""

from .double import Hub
from .faults import Fault
from .options import Options
from .tls import NoTls

__all__ = ["Fault", "Hub", "NoTls", "Options"]

"""The program `serve`."""

import argparse
import json
import os
import pathlib
import signal
import sys

from .double import Hub
from .options import Options
from .tls import NoTls


def arguments() -> argparse.Namespace:
    """Those of this process; ends it if they are wrong."""
    parser = argparse.ArgumentParser(prog="serve", description="Serves a directory of repositories as the Hub does. "
                                     "Prints its addresses as one line of JSON when it is ready; ends with SIGTERM.")
    parser.add_argument("directory", type=pathlib.Path, help="DIRECTORY/PUBLISHER/NAME/BRANCH/files, see README.md")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of the Hub; default: any")
    parser.add_argument("--cdn-port", type=int, default=0, metavar="N", help="of the CDN; default: any")
    parser.add_argument("--control-port", type=int, default=0, metavar="N", help="of the control interface; default: any")
    parser.add_argument("--tls", action="store_true", help="https, with an authority of its own (needs openssl)")
    parser.add_argument("--json-port-file", type=pathlib.Path, metavar="FILE", help="gets the same JSON when it is ready")
    parser.add_argument("--page-size", type=int, default=1000, metavar="N", help="entries in a page of a listing")
    parser.add_argument("--lfs-threshold", type=int, metavar="BYTES", help="larger files are LFS files; default: 10 MiB")
    parser.add_argument("--lfs-pattern", action="append", metavar="PATTERN", help="so are files of such names; default: *.so")
    parser.add_argument("--token", action="append", default=[], help="a valid token; repeat for more")
    parser.add_argument("--direct", action="store_true", help="answer small files without a redirect")
    parser.add_argument("--gzip", action="store_true", help="compress for those who accept it")
    parser.add_argument("--xet", action="store_true", help="announce large files as xet files, too")
    return parser.parse_args()


def options_from(given: argparse.Namespace) -> Options:
    defaults = {"lfs_threshold": given.lfs_threshold, "lfs_patterns": given.lfs_pattern}
    return Options(page_size=given.page_size, direct=given.direct, gzip=given.gzip, xet=given.xet, tokens=given.token,
                   repositories={key: value for key, value in defaults.items() if value is not None})


def announce(double: Hub, file: pathlib.Path | None) -> None:
    """Says that it is ready; the file is whole as soon as it is there."""
    text = json.dumps({**double.addresses(), "pid": os.getpid()})
    if file is not None:
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        temporary.write_text(text + "\n")
        temporary.replace(file)
    print(text, flush=True)


def main() -> int:
    """The exit status: 0 after a signal, 1 if it cannot serve."""
    given = arguments()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # every thread, before there are any
    try:
        with Hub(given.directory, tls=given.tls, port=given.port, cdn_port=given.cdn_port,
                 control_port=given.control_port, options=options_from(given)) as double:
            announce(double, given.json_port_file)
            signal.sigwait(ends)
    except (OSError, ValueError, NoTls) as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    return 0

"""A Hub that is fast enough to measure against: nginx gives the files, and what
the double has answered about them. Without nginx the double gives all of it."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import harness
import hub
from hub import tls

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
        access_log off;
        sendfile on;
        tcp_nopush on;
        keepalive_requests 1000000;
        client_body_temp_path {folder}/body;
        proxy_temp_path {folder}/proxy;
        fastcgi_temp_path {folder}/fastcgi;
        uwsgi_temp_path {folder}/uwsgi;
        scgi_temp_path {folder}/scgi;
        proxy_cache_path {folder}/answers keys_zone=answers:1m;
        server {{
                listen 127.0.0.1:{port};
                listen 127.0.0.1:{tls_port} ssl;
                ssl_certificate {folder}/server.pem;
                ssl_certificate_key {folder}/server.key;
                location ~ "^/kernels/(?<repo>[^/]+/[^/]+)/resolve/(?<commit>[0-9a-f]+)/(?<path>.*)$" {{
                        alias {repositories}/$repo/v1/$path;
                        add_header X-Repo-Commit $commit;
                }}
                location / {{
                        proxy_pass {double};
                        proxy_cache answers;
                        proxy_cache_valid any 1h;
                        proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
                }}
        }}
}}
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def accepts(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True


def commits_of(double):
    return {name: known["branches"]["v1"] for name, known in double.state()["repositories"].items()}


class BenchHub:
    """`endpoints` by scheme, `ca_file`, and `commits` by repository, once it is entered. `launcher`: what
    the server is started with."""

    def __init__(self, repositories, folder, launcher):
        self.repositories, self.folder, self.launcher = repositories, pathlib.Path(folder), launcher
        self.nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        self.endpoints = {}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            (self.start_nginx if self.nginx else self.start_doubles)()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start_doubles(self):
        print("fetch: there is no nginx: the files come from the double, which is slow", file=sys.stderr)
        for scheme in ("http", "https"):
            double = self.stack.enter_context(hub.Hub(self.repositories, tls=scheme == "https"))
            self.endpoints[scheme] = double.endpoint
        self.ca_file, self.commits = double.ca_file, commits_of(double)

    def start_nginx(self):
        # Pages would lead from one to the next by addresses of the double.
        double = self.stack.enter_context(hub.Hub(self.repositories, options=hub.Options(page_size=100000)))
        self.commits = commits_of(double)
        self.folder.mkdir()
        self.ca_file = tls.make_certificates(self.folder)
        port, tls_port = free_port(), free_port()
        (self.folder / "nginx.conf").write_text(CONFIGURATION.format(
            folder=self.folder, port=port, tls_port=tls_port, repositories=self.repositories, double=double.endpoint,
            user="user root;" if os.geteuid() == 0 else ""))
        self.process = subprocess.Popen(
            [*self.launcher, self.nginx, "-p", self.folder, "-c", self.folder / "nginx.conf"], stdin=subprocess.DEVNULL)
        self.stack.callback(self.stop_nginx)
        harness.until(lambda: accepts(port), "nginx listens")
        self.endpoints = {"http": f"http://127.0.0.1:{port}", "https": f"https://127.0.0.1:{tls_port}"}

    def stop_nginx(self):
        self.process.terminate()
        self.process.wait()

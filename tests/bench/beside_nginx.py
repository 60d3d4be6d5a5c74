"""What the HTTP benchmarks share: nginx on core 0 with the files of a folder, wrk and h2load on core 1, and a line that
compares two servers."""

import os
import re
import signal
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN_PORT, TLS_PORT = 18280, 18243
H2C_PORT = 18281  # nginx needs a port of its own for it; ours tells by the first bytes
WARM_UP = 1
CONFIGURATION = """
worker_processes 1; daemon off; user root; pid %(work)s/nginx.pid; error_log %(work)s/error.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; http2_max_requests 1000000000;
  open_file_cache max=100; client_body_temp_path %(work)s/t1; proxy_temp_path %(work)s/t2;
  fastcgi_temp_path %(work)s/t3; uwsgi_temp_path %(work)s/t4; scgi_temp_path %(work)s/t5;
  types { video/mp2t ts; video/mp4 mp4; application/vnd.apple.mpegurl m3u8; }
  add_header Cache-Control "public, max-age=3600, immutable"; add_header Access-Control-Allow-Origin "*";
  ssl_certificate %(work)s/cert.pem; ssl_certificate_key %(work)s/key.pem;
  server {
    listen 127.0.0.1:%(port)d; listen 127.0.0.1:%(h2c)d http2; listen 127.0.0.1:%(tls)d ssl http2;
    root %(files)s;
  }
}
"""
TITLES = (f"{'':32}{'requests/s':>22}{'CPU s/GB':>18}{'CPU s/100,000':>18}{'core':>12}   sluice to nginx")


def cases(names):
    """(title, tool, whether over TLS, name)"""
    for name in names:
        yield f"{name} HTTP/1.1 plain", "wrk", False, name
        yield f"{name} HTTP/1.1 TLS", "wrk", True, name
        yield f"{name} HTTP/2 plain", "h2load", False, name
        yield f"{name} HTTP/2 TLS", "h2load", True, name


def make_certificate(work):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "1", "-subj", "/CN=localhost", "-keyout", work / "key.pem", "-out", work / "cert.pem"],
                   check=True, capture_output=True)


def cpu_seconds(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class Nginx:
    """`work` has the certificate; `files` are served."""

    def __init__(self, work, files):
        (work / "nginx.conf").write_text(CONFIGURATION % {"work": work, "files": files, "port": PLAIN_PORT, "tls": TLS_PORT, "h2c": H2C_PORT})
        self.process = subprocess.Popen(["taskset", "-c", "0", "nginx", "-p", work, "-c", work / "nginx.conf"],
                                        stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        workers = []
        while not workers and time.monotonic() < until:
            time.sleep(0.1)
            workers = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        self.pid = int(workers[0])

    def url(self, tool, tls, name):
        port = TLS_PORT if tls else H2C_PORT if tool == "h2load" else PLAIN_PORT
        return f"{'https' if tls else 'http'}://127.0.0.1:{port}/{name}"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def load(tool, target, seconds, connections):
    """How many requests were answered."""
    command = ["taskset", "-c", "1"]
    if tool == "wrk":
        command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", target]
    else:
        command += ["h2load", "-t1", f"-c{max(connections // 8, 1)}", "-m8", f"-D{seconds}", target]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30).stdout
    if tool == "wrk":
        if "Non-2xx" in shown or "Socket errors" in shown:
            raise RuntimeError(shown)
        return int(re.search(r"(\d+) requests in", shown).group(1))
    done = re.search(r"(\d+) succeeded, (\d+) failed", shown)
    if int(done.group(2)):
        raise RuntimeError(shown)
    return int(done.group(1))


def measure(pid, tool, target, seconds, connections, size):
    load(tool, target, WARM_UP, connections)
    cpu, began = cpu_seconds(pid), time.monotonic()
    requests = load(tool, target, seconds, connections)
    spent, elapsed = cpu_seconds(pid) - cpu, time.monotonic() - began
    return {"rate": requests / elapsed, "per_gb": spent / (requests * size / 1e9), "per_100k": spent / requests * 1e5,
            "busy": spent / elapsed}


def compare(title, tool, tls, name, size, ours, theirs, options):
    """In turns; the median of all rounds counts. `ours` and `theirs` have pid and url()."""
    rounds = {server: [] for server in (ours, theirs)}
    for _ in range(options.rounds):
        for server, measured in rounds.items():
            measured.append(measure(server.pid, tool, server.url(tool, tls, name), options.seconds, options.connections, size))
    a, b = ({key: statistics.median(one[key] for one in measured) for key in measured[0]} for measured in rounds.values())
    print(f"{title:32}{a['rate']:11.0f}{b['rate']:11.0f}{a['per_gb']:9.2f}{b['per_gb']:9.2f}"
          f"{a['per_100k']:9.2f}{b['per_100k']:9.2f}{a['busy']:6.2f}{b['busy']:6.2f}"
          f"   rate {a['rate'] / b['rate']:.2f}, CPU {b['per_100k'] / a['per_100k']:.2f}   load {os.getloadavg()[0]:.1f}", flush=True)

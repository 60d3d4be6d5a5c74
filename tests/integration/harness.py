"""Starts the server of a test and looks at its processes. Everything waits with a limit."""

import faulthandler
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from api import Api

ROOT = Path(__file__).resolve().parents[2]
EXECUTABLE = os.environ.get("SLUICE_EXECUTABLE", str(ROOT / "build/release/sluice"))
PATIENCE_S = 15  # for what should take a moment, on a busy machine

faulthandler.register(signal.SIGUSR1, all_threads=True)


def wait_until(condition, seconds=PATIENCE_S, what="", every_s=0.02):
    """The first true value of condition(); AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(every_s)


def wait_until_none(items, seconds):
    """Waits for items() to be empty; what is still there in the end."""
    deadline = time.monotonic() + seconds
    while True:
        found = items()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


# Processes, as /proc tells.


def _stat(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return {"state": fields[0], "parent": int(fields[1]), "group": int(fields[2]), "session": int(fields[3])}


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def running(pid):
    stat = _stat(pid)
    return stat is not None and stat["state"] not in "ZX"


def processes_of_session(session):
    return [pid for pid in _pids() if (stat := _stat(pid)) and stat["session"] == session and stat["state"] not in "ZX"]


def title(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def kill_quietly(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def descendants(pid):
    parents = {child: stat["parent"] for child in _pids() if (stat := _stat(child))}
    found, added = set(), {pid}
    while added:
        added = {child for child, parent in parents.items() if parent in added} - found
        found |= added
    return sorted(child for child in found if running(child))


def private_memory(pid):
    """What the process has in memory of its own: heap, stack and the like, as bytes."""
    memory = bytearray()
    with open(f"/proc/{pid}/mem", "rb") as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(None, 5)
            name = fields[5] if len(fields) > 5 else ""
            if not fields[1].startswith("rw-p") or name.startswith("/"):
                continue
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            file.seek(begin)
            memory += file.read(end - begin)
    return bytes(memory)


def _socket_inodes(pid):
    inodes = set()
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(int(target[8:-1]))
    except OSError:
        pass
    return inodes


def _connections(pid="self"):
    """(local port, remote port, inode) of every established TCP connection over IPv4 or IPv6, as this process sees them."""
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().split("\n")[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == "01":
                yield int(fields[1].rpartition(":")[2], 16), int(fields[2].rpartition(":")[2], 16), int(fields[9])


def unread_bytes(ports, pid="self"):
    """Received over TCP or UDP at these local ports, where this process is, and not taken by whoever listens there."""
    unread = 0
    for family in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().split("\n")[1:]:
            fields = line.split()
            if len(fields) > 9 and int(fields[1].rpartition(":")[2], 16) in ports and fields[3] != "0A":  # no listeners
                unread += int(fields[4].partition(":")[2], 16)
    return unread


# Ports. A block belongs to who listens on its first port; the rest is below the range of ephemeral ports.


class Ports:
    SIZE = 10

    def __init__(self):
        for _ in range(1000):
            base = random.randrange(10000, 32000, self.SIZE)
            guard = socket.socket()
            try:
                guard.bind(("127.0.0.1", base))
                if all(self._free(port) for port in range(base + 2, base + self.SIZE)):
                    self.guard, self.base = guard, base
                    return
            except OSError:
                pass
            guard.close()
        raise RuntimeError("no free block of ports")

    @staticmethod
    def _free(port):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET6, kind) as probe:
                try:
                    probe.bind(("::", port))
                except OSError:
                    return False
        return True

    def close(self):
        self.guard.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """The executable with a configuration of its own, in a folder of its own. Use as a context manager or let
    TestCase.server make it. `prefix`: what its command begins with; `host`: where it is reached."""

    def __init__(self, configuration=None, environment=None, files=None, prefix=(), host="127.0.0.1"):
        self.host, self.prefix = host, prefix
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self.folder.chmod(0o755)
        self.log_path = self.folder / "log"
        self.ports = Ports()
        self.rtsp_port, self.rtp_port, self.rtsps_port, self.api_port = (self.ports.base + n for n in (2, 4, 6, 7))
        self.rtmp_port, self.rtmps_port = (self.ports.base + n for n in (8, 9))
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        self.configuration = {
            "rtspAddress": f":{self.rtsp_port}",
            "rtspsAddress": f":{self.rtsps_port}",
            "rtpAddress": f":{self.rtp_port}",
            "rtcpAddress": f":{self.rtp_port + 1}",
            "apiAddress": f"127.0.0.1:{self.api_port}",
            "rtmpAddress": f":{self.rtmp_port}",
            "rtmpsAddress": f":{self.rtmps_port}",
            "rtmpDisable": True,
            "hlsDisable": True,
            "rtspWorkers": 2,
            "rtmpWorkers": 2,
            "paths": {"all": {}},
            **(configuration or {}),
        }
        self.path = self.folder / "sluice.yml"
        self.path.write_text(json.dumps(self.configuration, indent=2))  # JSON is YAML
        self.environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(environment or {})}
        self.start()

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, EXECUTABLE, str(self.path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env=self.environment,
            )
        self.pid = self.process.pid
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def kill(self):
        """All of it, at once. start() has it back on the same ports."""
        everything = [self.pid, *descendants(self.pid)]
        for pid in everything:
            kill_quietly(pid)
        self.process.wait(5)
        wait_until(lambda: not any(running(pid) for pid in everything), what="all processes of the server are gone")

    def url(self, path):
        return f"rtsp://{self.host}:{self.rtsp_port}/{path}"

    def secure_url(self, path):
        return f"rtsps://{self.host}:{self.rtsps_port}/{path}"

    def rtmp_url(self, path):
        return f"rtmp://{self.host}:{self.rtmp_port}/{path}"

    def rtmps_url(self, path):
        return f"rtmps://{self.host}:{self.rtmps_port}/{path}"

    def api(self):
        return Api(self.api_port)  # if the configuration turns it on

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, pattern, seconds=PATIENCE_S):
        return wait_until(lambda: re.search(pattern, self.log()), seconds, f"a log line {pattern!r} in:\n{self.log()}")

    def answers(self):
        try:
            with socket.create_connection((self.host, self.rtsp_port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(f"OPTIONS {self.url('')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                return connection.recv(12) == b"RTSP/1.0 200"
        except OSError:
            return False

    def wait_until_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            if self.configuration.get("rtspDisable"):
                return "[API] listener opened" in self.log()  # which it needs then
            rtmp = 0 if self.configuration["rtmpDisable"] else self.configuration["rtmpWorkers"]
            served = len(self.workers()) == self.configuration["rtspWorkers"] and len(self.workers("rtmp")) == rtmp
            return served and self.answers()

        wait_until(ready, what="the server answers")

    def titles(self):
        return {pid: title(pid) for pid in descendants(self.pid)}

    def workers(self, protocol="rtsp"):
        """Slot number → pid of the worker."""
        found = ((re.fullmatch(rf"sluice: {protocol}-(\d+)", text), pid) for pid, text in self.titles().items())
        return {int(match.group(1)): pid for match, pid in found if match}

    def keepers(self):
        found = ((re.fullmatch(r"sluice: rtsp-(\d+) keeper", text), pid) for pid, text in self.titles().items())
        return {int(match.group(1)): pid for match, pid in found if match}

    def slot_of_client_port(self, port, seconds=PATIENCE_S, protocol="rtsp"):
        """Which slot of the protocol serves the connection from this port of the client."""

        def find():
            served = (self.rtsp_port, self.rtsps_port, self.rtmp_port, self.rtmps_port)
            inodes = {inode for local, remote, inode in _connections(self.pid) if local in served and remote == port}
            for slot, pid in self.workers(protocol).items():
                if inodes & _socket_inodes(pid):
                    return (slot,)
            return None

        return wait_until(find, seconds, f"a worker accepts the connection from port {port}")[0]

    def slot_of_client_process(self, pid, protocol="rtsp"):
        """Which slot of the protocol serves the connection of this process or its children; None as long as there is none."""
        inodes = set().union(*(_socket_inodes(one) for one in [pid, *descendants(pid)]))
        for local, remote, inode in _connections():
            if remote in (self.rtsp_port, self.rtsps_port, self.rtmp_port, self.rtmps_port) and inode in inodes:
                try:
                    return self.slot_of_client_port(local, 2, protocol)
                except AssertionError:
                    return None
        return None

    def stop(self, number=signal.SIGTERM, seconds=PATIENCE_S):
        """Ends it as a user would; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                for pid in [self.pid, *descendants(self.pid)]:
                    kill_quietly(pid)
                self.process.wait(5)
        self.ports.close()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TestCase(unittest.TestCase):
    """Keeps what a test starts, ends it, and shows the servers' logs when the test has failed."""

    long = False  # started first

    def setUp(self):
        self.servers, self.processes = [], []
        self.addCleanup(self._end)

    def _end(self):
        for process in self.processes:
            if process.poll() is None:
                for pid in [process.pid, *descendants(process.pid)]:
                    kill_quietly(pid)
                process.wait(5)
        ended_badly = []
        for server in self.servers:
            already = server.process.poll()
            server.close()
            if already is None and server.process.returncode != 0:
                ended_badly.append(f"exit status {server.process.returncode} after SIGTERM")
            if "AddressSanitizer" in server.log() or "runtime error:" in server.log():
                ended_badly.append("a sanitizer's finding")
        result = self._outcome.result  # of this test alone: the runner starts each by itself
        failed = ended_badly or result.failures or result.errors
        for server in self.servers:
            if failed:
                print(f"\n--- {server.log_path}, the last of it\n{server.log()[-6000:]}\n---", flush=True)
            server.remove()
        self.assertEqual(ended_badly, [])

    def server(self, configuration=None, **more):
        server = Server(configuration, **more)
        self.servers.append(server)
        return server

    def start(self, command, **more):
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process


def close_with_reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

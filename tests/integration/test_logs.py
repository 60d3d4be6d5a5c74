"""Where the log goes, in which form, and that nobody waits for it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from api import Api
from harness import EXECUTABLE, Ports, TestCase, wait_until
from rtsp import Client, expect

SANITIZED = re.search(r"asan|tsan|fuzz", EXECUTABLE) is not None
LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (DEB|INF|WAR|ERR) \S")


class Logs(TestCase):
    def logging(self, destinations=("stdout",), **more):
        return self.server({"api": True, "logDestinations": list(destinations), "rtspWorkers": 1, **more})

    @staticmethod
    def file_of(server, name="rtsp-simple-server.log"):
        path = server.folder / name
        return path.read_text() if path.exists() else ""

    def change(self, server, **values):
        status, answer = server.api().post("/v1/config/set", values)
        self.assertEqual(status, 200, answer)

    @staticmethod
    def connect(server):
        """A client's connection, opened and closed; its address as the log has it."""
        with Client(server) as client:
            expect(client.request("OPTIONS", "cam"), 200)
            return f"127.0.0.1:{client.port}"


class Destinations(Logs):
    def test_stdout_and_file_together_have_the_same_lines(self):
        server = self.logging(("stdout", "file"))
        peer = self.connect(server)
        for log in (server.log, lambda: self.file_of(server)):
            wait_until(lambda: f"[RTSP] [conn {peer}] opened" in log(), what=f"the connection in {log()}")
        text = self.file_of(server)
        self.assertIn("INF sluice v", text.splitlines()[0])
        self.assertEqual([line for line in text.splitlines() if not LINE.match(line)], [])
        self.assertEqual((server.folder / "rtsp-simple-server.log").stat().st_mode & 0o137, 0)

    def test_a_changed_destination_counts_at_once(self):
        server = self.logging()
        self.change(server, logDestinations=["file"], logFile="other.log")
        peer = self.connect(server)
        wait_until(lambda: f"[conn {peer}] opened" in self.file_of(server, "other.log"), what="the line in the file")
        self.assertNotIn(f"[conn {peer}]", server.log())
        self.change(server, logDestinations=["stdout"])
        peer = self.connect(server)
        server.wait_for_log(re.escape(f"[conn {peer}] opened"))
        self.assertNotIn(f"[conn {peer}]", self.file_of(server, "other.log"))

    def test_a_file_that_cannot_be_opened_changes_nothing(self):
        server = self.logging()
        status, answer = server.api().post("/v1/config/set", {"logDestinations": ["file"], "logFile": "none/x.log"})
        self.assertEqual(status, 400)
        self.assertIn("none/x.log: No such file or directory", answer["error"])
        self.assertEqual(server.api().get("/v1/config/get")[1]["logDestinations"], ["stdout"])
        server.wait_for_log("the configuration stays as it was: logFile: none/x.log: No such file")

    def test_a_file_that_cannot_be_opened_ends_the_start(self):
        server = self.logging()
        server.stop()
        server.path.write_text(json.dumps({**server.configuration, "logDestinations": ["file"], "logFile": "none/x.log"}))
        shown = subprocess.run([EXECUTABLE, str(server.path)], cwd=server.folder, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(shown.returncode, 1)
        self.assertEqual(shown.stdout, "ERR: logFile: none/x.log: No such file or directory\n")

    def test_a_renamed_file_is_opened_again_on_sighup_and_no_line_is_lost(self):
        server = self.logging(("file", "stdout"))
        peers, path = [], server.folder / "rtsp-simple-server.log"
        for turn in range(3):
            peers += [self.connect(server) for _ in range(20)]
            os.rename(path, server.folder / f"old.{turn}")
            os.kill(server.pid, signal.SIGHUP)
            wait_until(path.exists, what="a new file")
        peers.append(self.connect(server))
        everything = lambda: "".join(self.file_of(server, f"old.{turn}") for turn in range(3)) + self.file_of(server)
        wait_until(lambda: f"[conn {peers[-1]}] closed" in everything(), what="the last line")
        for peer in peers:
            self.assertIn(f"[RTSP] [conn {peer}] opened", everything())
        self.assertIn(f"[conn {peers[-1]}]", self.file_of(server))
        self.assertEqual(everything().count("reloading configuration (SIGHUP)"), 3)
        wait_until(lambda: len(everything()) == len(server.log()), what="as many lines as on standard output")

    def test_a_full_disk_does_not_stop_the_server(self):
        server = self.logging(("stdout", "file"), logFile="/dev/full")
        server.wait_for_log("log lines can't be written: /dev/full: No space left on device")
        for _ in range(50):
            self.connect(server)
        self.change(server, logDestinations=["stdout"])

    def test_a_reader_of_stdout_that_stops_does_not_stop_the_server(self):
        server = self.logging()
        server.stop()
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        process = self.start([EXECUTABLE, server.path], stdout=writing, stderr=subprocess.DEVNULL, cwd=server.folder)
        os.close(writing)
        wait_until(server.answers, what="the server answers")
        api = Api(server.api_port)
        for number in range(100):  # with 900 bytes each in the log; the pipe has 64 KiB
            self.assertEqual(api.get(f"/v1/nothing/{number}/" + "x" * 900)[0], 404)
        self.connect(server)
        os.set_blocking(reading, False)
        taken = b""

        def noticed():
            nonlocal taken
            api.get("/v1/paths/list")
            try:
                taken += os.read(reading, 1 << 20)
            except BlockingIOError:
                pass
            return re.search(rb"WAR \d+ log lines were dropped", taken)

        wait_until(noticed, what="the number of lines that were dropped")
        process.terminate()
        self.assertEqual(process.wait(15), 0)


@unittest.skipIf(os.geteuid() != 0, "needs a /dev of its own")
class Syslog(Logs):
    def setUp(self):
        super().setUp()
        self.place = f"/tmp/sluice-syslog-{os.getpid()}"
        os.mkdir(self.place)
        self.addCleanup(subprocess.run, ["rm", "-r", self.place], check=True)
        # A /dev of the server's own, in which /dev/log is ours.
        devices = "null zero full random urandom"
        script = (f"for d in {devices}; do touch {self.place}/$d; mount --bind /dev/$d {self.place}/$d; done;"
                  f"mkdir {self.place}/shm; mount --bind /dev/shm {self.place}/shm; ln -s /proc/self/fd {self.place}/fd;"
                  f"mount --rbind {self.place} /dev; exec \"$@\"")
        self.prefix = ["unshare", "-m", "sh", "-c", script, "sh"]

    def listen(self):
        path = f"{self.place}/log"
        if os.path.exists(path):
            os.unlink(path)
        daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(daemon.close)
        daemon.bind(path)
        daemon.settimeout(15)
        return daemon

    def find(self, daemon, text):
        """The datagram that has this text."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            line = daemon.recv(8192).decode()
            if text in line:
                return line
        raise AssertionError(f"no {text!r}")

    def test_lines_go_to_the_daemon_with_their_severity_also_after_its_restart(self):
        daemon = self.listen()
        server = self.server({"api": True, "rtspWorkers": 1, "logDestinations": ["stdout", "file", "syslog"]}, prefix=self.prefix)
        self.assertRegex(self.find(daemon, "listener opened"), r"^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sluice\[\d+\]: \[")
        server.api().post("/v1/config/set", {"logDestinations": ["syslog"], "logFile": "x", "rtspAddress": "nowhere"})
        peer = self.connect(server)
        self.find(daemon, f"[RTSP] [conn {peer}] opened")
        os.kill(server.workers()[0], signal.SIGKILL)
        self.assertTrue(self.find(daemon, "killed by signal 9").startswith("<28>"))
        daemon.close()
        daemon = self.listen()
        wait_until(lambda: len(server.workers()) == 1 and server.answers(), what="the next worker")
        self.find(daemon, f"[RTSP] [conn {self.connect(server)}] opened")


class Forms(Logs):
    def test_json_lines_parse_and_have_their_fields(self):
        server = self.logging(logFormat="json", logLevel="debug")
        peer = self.connect(server)
        server.wait_for_log(re.escape(f'"conn":"{peer}","message":"closed'))
        lines = [json.loads(line) for line in server.log().splitlines()]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$")
            self.assertIn(line["level"], ("debug", "info", "warn", "error"))
            self.assertIsInstance(line["message"], str)
        opened = [line for line in lines if line.get("conn") == peer and line["message"] == "opened"]
        self.assertEqual([(line["component"], line["level"]) for line in opened], [("RTSP", "info")])

    def test_the_form_changes_live(self):
        server = self.logging()
        self.change(server, logFormat="json")
        peer = self.connect(server)
        server.wait_for_log(re.escape(f'"component":"RTSP","conn":"{peer}","message":"opened"'))
        self.change(server, logFormat="text")
        peer = self.connect(server)
        server.wait_for_log(r"\d INF " + re.escape(f"[RTSP] [conn {peer}] opened"))

    def test_what_a_client_sends_stays_in_its_line(self):
        server = self.logging(("stdout", "file"), logFormat="json", logLevel="debug")
        with Client(server) as client:
            client.request("DESCRIBE", 'x"\\%0aforged%ff')
        server.api().get("/v1/%22%0a%ff%5c")
        server.wait_for_log("GET /v1/")
        server.stop()
        for text in (server.log(), self.file_of(server)):
            for line in text.splitlines():
                self.assertIn("message", json.loads(line))

    def test_debug_lines_of_requests_hold_no_credentials(self):
        ports = Ports()
        self.addCleanup(ports.close)
        hls = ports.base + 2
        server = self.logging(logLevel="debug", hlsDisable=False, hlsWorkers=1, hlsAddress=f"127.0.0.1:{hls}")
        secret = "c2VjcmV0OnNlY3JldA=="
        api = Api(server.api_port, f"Basic {secret}")
        self.assertEqual(api.post("/v1/config/set", {"readTimeout": "7s", "apiPass": ""})[0], 200)
        server.wait_for_log(r"DEB \[API\] \[conn [0-9.:]+\] \[c->s\] POST /v1/config/set: .*Authorization: \*\*\*")
        server.wait_for_log(r"DEB \[API\] \[s->c\] 200, \d+ bytes")
        with Client(server) as client:
            client.request("DESCRIBE", "cam", {"Authorization": f"Basic {secret}"})
        server.wait_for_log(r"DEB \[RTSP\] \[conn [0-9.:]+\] \[c->s\] DESCRIBE ")
        server.wait_for_log(r"DEB \[RTSP\] \[conn [0-9.:]+\] \[s->c\] 404 ")
        with socket.create_connection(("127.0.0.1", hls), 15) as viewer:
            viewer.sendall(f"GET /cam/index.m3u8?pass={secret} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {secret}\r\n\r\n".encode())
            server.wait_for_log(r"DEB \[HLS\] \[conn 127\.0\.0\.1\] GET /cam/index\.m3u8\n")
        self.assertNotIn(secret, server.log())

    def test_the_level_is_in_colour_on_a_terminal_only(self):
        server = self.logging()
        self.assertNotIn("\x1b", server.log())
        server.stop()
        for more, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            terminal, other = os.openpty()
            environment = {**server.environment, **more}
            environment.pop("NO_COLOR", None) if "NO_COLOR" not in more else None
            process = self.start([EXECUTABLE, server.path], stdout=other, stderr=other, cwd=server.folder, env=environment)
            os.close(other)
            shown = wait_until(lambda: re.search(rb"\d (\S+) sluice v", os.read(terminal, 4096)), what="the first line")
            self.assertEqual(shown.group(1), b"\x1b[32mINF\x1b[0m" if coloured else b"INF")
            wait_until(server.answers, what="the server answers")
            process.terminate()
            wait_until(lambda: process.poll() is not None, what="its end")
            os.close(terminal)


class Crashes(Logs):
    @unittest.skipIf(SANITIZED, "sanitizers have handlers of their own")
    def test_a_worker_that_crashes_leaves_slot_signal_and_the_names_of_functions(self):
        server = self.logging()
        for number, name in ((signal.SIGSEGV, "Segmentation fault"), (signal.SIGABRT, "Aborted"), (signal.SIGBUS, "Bus error")):
            old = server.workers()[0]
            os.kill(old, number)
            server.wait_for_log(rf"WAR \[rtsp-0\] worker killed by signal {int(number)} \({name}\), restarting")
            report = server.log().partition(f"[rtsp-0] crashed: signal {int(number)} ({name}), sent by a process")[2]
            self.assertRegex(report, r"ERR \[rtsp-0\] #0 \S+\+0x[0-9a-f]+")
            self.assertRegex(report, r"#\d+ sluice\+0x[0-9a-f]+ sluice::worker::.*Process::run\(\)")
            offset = re.search(r"sluice\+(0x[0-9a-f]+) sluice::worker::.*Process::run", report).group(1)
            found = subprocess.run(["addr2line", "-ie", EXECUTABLE, offset], capture_output=True, text=True, timeout=60, check=True)
            self.assertRegex(found.stdout, r"workers/base/process\.cpp:\d+")
            wait_until(lambda: server.workers().get(0) not in (None, old) and server.answers(), what="the next worker")

    def test_a_killed_worker_has_no_back_trace(self):
        server = self.logging()
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for_log("worker killed by signal 9")
        self.assertNotIn("crashed", server.log())


class Floods(Logs):
    def test_lines_that_say_the_same_are_summarised(self):
        server = self.logging()
        requests = 1000
        with socket.create_connection(("127.0.0.1", server.api_port), 15) as connection:
            for number in range(requests):
                last = b"Connection: close\r\n" if number == requests - 1 else b""
                connection.sendall(b"GET /v1/x%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (number, last))
            while connection.recv(65536):
                pass
        server.wait_for_log(r"\[API\] \[conn [0-9.:]+\] GET /v1/x\d+ \(… \d+ more like this\)")
        shown = len(re.findall(r"\] GET /v1/x\d+\n", server.log()))
        wait_until(
            lambda: len(re.findall(r"\] GET /v1/x\d+\n", server.log()))
            + sum(int(number) + 1 for number in re.findall(r"\(… (\d+) more like this\)", server.log())) == requests,
            what=f"{requests} requests in the log, one way or the other; {shown} are lines",
        )
        self.assertLess(shown, requests)

"""sluice --help, --version, --check, and how a server starts and refuses to."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import rtsp
from harness import EXECUTABLE, PATIENCE_S, Ports, TestCase, wait_until


def sluice(*arguments, **more):
    return subprocess.run([EXECUTABLE, *map(str, arguments)], capture_output=True, text=True, timeout=20, **more)


def connected(port):
    """A connection, None while nothing listens."""
    try:
        return socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    except ConnectionRefusedError:
        return None


class CommandLine(TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, text, name="sluice.yml"):
        path = self.folder / name
        path.write_text(text)
        return path

    def test_help_and_version_go_to_standard_output(self):
        shown = sluice("--help")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("CONFIG", shown.stdout)
        shown = sluice("--version")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertRegex(shown.stdout, r"\d+\.\d+\.\d+")

    def test_wrong_use_is_told_on_standard_error(self):
        for wrong in (["--no-such-flag"], ["one.yml", "two.yml"]):
            shown = sluice(*wrong, cwd=self.folder)
            self.assertEqual(shown.returncode, 1, wrong)
            self.assertNotEqual(shown.stderr, "")

    def test_check_accepts_yaml_and_json(self):
        for text in ("paths:\n  all:\n", '{"readTimeout": "5s", "paths": {"all": {}}}', "", "rtspWorkers: 2\nlogLevel: debug\n"):
            shown = sluice("--check", self.file(text))
            self.assertEqual(shown.returncode, 0, (text, shown))

    def test_check_refuses_and_names_the_parameter(self):
        for text, named in (
            ("noSuchThing: 1\n", "noSuchThing"),
            ("readTimeout: 10\n", "readTimeout"),
            ("encryption: maybe\n", "encryption value: 'maybe'"),
            ("paths:\n  cam:\n    noSuchThing: 1\n", "noSuchThing"),
            ("paths:\n  /cam:\n", "can't begin with a slash"),
            ("a: [\n", ""),
        ):
            shown = sluice("--check", self.file(text))
            self.assertNotEqual(shown.returncode, 0, text)
            self.assertIn(named, shown.stdout + shown.stderr)

    def test_check_reads_a_pipe(self):
        for text, status in (("paths:\n  all:\n", 0), ("noSuchThing: 1\n", 1)):
            pipe = self.folder / f"pipe-{status}"
            os.mkfifo(pipe)
            writer = threading.Thread(target=lambda: pipe.write_text(text), daemon=True)
            writer.start()
            self.assertEqual(sluice("--check", pipe).returncode, status)
            self.assertEqual(sluice("--check", "/dev/stdin", input=text).returncode, status)

    def test_files_are_encrypted_and_read_with_the_key_of_the_environment(self):
        keyed = {**os.environ, "RTSP_CONFKEY": "an example's key, longer than 32 bytes"}
        keyless = {name: value for name, value in os.environ.items() if name != "RTSP_CONFKEY"}
        text = "readTimeout: 5s\npaths:\n  cam:\n"
        plain = self.file(text)
        shown = sluice("--encrypt", plain, env=keyed)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertNotIn("readTimeout", shown.stdout)
        self.assertEqual(plain.read_text(), text)
        encrypted = self.file(shown.stdout, "encrypted.yml")
        self.assertEqual(sluice("--decrypt", encrypted, env=keyed).stdout, text)
        self.assertEqual(sluice("--check", encrypted, env=keyed).stdout, f"{encrypted}: OK, 1 path\n")
        self.assertEqual(sluice("--decrypt", "/dev/stdin", env=keyed, input=shown.stdout).stdout, text)
        for arguments, environment, named in (
            (["--check", encrypted], {**keyed, "RTSP_CONFKEY": "another"}, "decryption error"),
            (["--check", plain], keyed, "not valid base64"),
            (["--check", encrypted], keyless, "not a map"),
            (["--encrypt", plain], keyless, "RTSP_CONFKEY is not set"),
            (["--decrypt", encrypted], keyless, "RTSP_CONFKEY is not set"),
            (["--encrypt"], keyed, "CONFIG"),
        ):
            shown = sluice(*arguments, env=environment)
            self.assertEqual((shown.returncode, shown.stdout), (1, ""), arguments)
            self.assertIn(named, shown.stderr)

    def test_values_from_the_environment_override_the_file(self):
        path = self.file("readTimeout: 5s\n")
        self.assertNotEqual(sluice("--check", path, env={**os.environ, "RTSP_READTIMEOUT": "soon"}).returncode, 0)
        self.assertEqual(sluice("--check", path, env={**os.environ, "RTSP_READTIMEOUT": "7s"}).returncode, 0)

    def test_what_is_not_built_is_refused_by_name(self):
        shown = sluice("--check", self.file("pprof: yes\n"))
        self.assertEqual(shown.returncode, 1)
        self.assertIn("pprof", shown.stdout + shown.stderr)
        self.assertIn("not supported yet", shown.stdout + shown.stderr)

    def test_a_configuration_that_does_not_exist_ends_the_start(self):
        shown = sluice(self.folder / "nothing.yml", cwd=self.folder)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("nothing.yml", shown.stdout + shown.stderr)

    def test_without_any_file_it_starts_with_every_path_allowed(self):
        with Ports() as ports:
            port = ports.base + 2
            environment = {
                **os.environ,
                "RTSP_RTSPADDRESS": f":{port}", "RTSP_RTPADDRESS": f":{port + 2}", "RTSP_RTCPADDRESS": f":{port + 3}",
                "RTSP_RTMPDISABLE": "yes", "RTSP_HLSDISABLE": "yes", "RTSP_RTSPWORKERS": "1",
            }
            with (self.folder / "log").open("wb") as log:
                process = self.start([EXECUTABLE], cwd=self.folder, env=environment, stdout=log, stderr=log)
            with wait_until(lambda: connected(port), what="the port answers") as client:
                client.sendall(f"DESCRIBE rtsp://127.0.0.1:{port}/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                self.assertEqual(client.recv(12), b"RTSP/1.0 404")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE_S), 0)
        log = (self.folder / "log").read_text()
        self.assertIn("no configuration file found", log)
        self.assertIn("using the defaults, with every path allowed", log)
        self.assertIn("no one is publishing to path 'cam'", log)

    def test_a_file_without_paths_refuses_every_path(self):
        server = self.server({"paths": {}})
        with rtsp.Client(server) as client:
            self.assertEqual(client.request("DESCRIBE", "cam").status, 400)
        server.wait_for_log("path 'cam' is not configured")

    def test_names_may_be_given_by_regular_expressions(self):
        server = self.server({"paths": {"~^cam[0-9]+$": {}}})
        with rtsp.Client(server) as client:
            self.assertEqual(client.request("DESCRIBE", "cam7").status, 404)
        with rtsp.Client(server) as client:
            self.assertEqual(client.request("DESCRIBE", "camx").status, 400)
        server.wait_for_log("path 'camx' is not configured")

    def test_a_port_in_use_ends_the_start_with_an_error(self):
        server = self.server()
        second = subprocess.run([EXECUTABLE, server.folder / "sluice.yml"], capture_output=True, text=True, timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertIn("in use", second.stdout + second.stderr)
        self.assertTrue(server.answers())

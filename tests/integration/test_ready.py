"""sluice --ready: whether the server of a configuration serves, as an exit status."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import EXECUTABLE, Ports, TestCase, kill_quietly, wait_until
from tls import make_certificate


def ask(configuration, **environment):
    return subprocess.run(
        [EXECUTABLE, "--ready", str(configuration)], capture_output=True, text=True, timeout=20,
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", **environment},
    )


class Ready(TestCase):
    def configuration(self, **parameters):
        folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "sluice.yml")
        path.write_text(json.dumps(parameters))
        return path

    def assert_ready(self, *asked, **environment):
        shown = ask(*asked, **environment)
        self.assertEqual((shown.returncode, shown.stdout, shown.stderr), (0, "", ""))

    def assert_not_ready(self, shown, *named):
        self.assertEqual((shown.returncode, shown.stdout), (1, ""))
        self.assertRegex(shown.stderr, r"\Anot ready: [^\n]+\n\Z")
        for part in named:
            self.assertIn(part, shown.stderr)

    def test_it_asks_the_api_without_a_password_and_tells_what_is_missing(self):
        server = self.server({"api": True, "apiUser": "me", "apiPass": "secret"})
        server.wait_for_log(r"\[API\] listener opened")
        self.assert_ready(server.path)
        keeper = server.keepers()[1]
        os.kill(keeper, signal.SIGSTOP)  # so that no successor comes
        self.addCleanup(kill_quietly, keeper, signal.SIGCONT)
        os.kill(server.workers()[1], signal.SIGKILL)
        wait_until(lambda: ask(server.path).returncode == 1, what="it is seen")
        self.assert_not_ready(ask(server.path), f"http://127.0.0.1:{server.api_port}/readyz: 503: rtsp-1 has no worker")
        os.kill(keeper, signal.SIGCONT)
        wait_until(lambda: ask(server.path).returncode == 0, what="it is ready again")

    def test_the_api_may_be_behind_tls_and_on_all_addresses(self):
        certificate, key = make_certificate("elsewhere", "DNS:elsewhere")
        with Ports() as ports:
            for address in (f":{ports.base + 2}", f"0.0.0.0:{ports.base + 2}", f"[::]:{ports.base + 2}", f"localhost:{ports.base + 2}"):
                server = self.server({"api": True, "apiEncryption": True, "apiAddress": address},
                                     files={"server.crt": certificate, "server.key": key})
                server.wait_for_log(r"\[API\] listener opened")
                self.assert_ready(server.path)
                server.close()

    def test_without_the_api_it_asks_at_the_metrics(self):
        with Ports() as ports:
            server = self.server({"metrics": True, "metricsAddress": f"127.0.0.1:{ports.base + 2}"})
            server.wait_for_log(r"\[metrics\] listener opened")
            self.assert_ready(server.path)
            os.kill(server.keepers()[0], signal.SIGSTOP)
            os.kill(server.workers()[0], signal.SIGKILL)
            wait_until(lambda: "rtsp-0 has no worker" in ask(server.path).stderr, what="it is seen")

    def test_without_both_it_connects_to_each_listener(self):
        certificate, key = make_certificate()
        server = self.server({"rtmpDisable": False, "encryption": "optional"}, files={"server.crt": certificate, "server.key": key})
        self.assert_ready(server.path)
        for parameter in ("rtspAddress", "rtspsAddress", "rtmpAddress"):
            other = json.loads(server.path.read_text())
            with Ports() as ports:
                other[parameter] = f"127.0.0.1:{ports.base + 3}"
                self.assert_not_ready(ask(self.configuration(**other)), f"http://127.0.0.1:{ports.base + 3}", "connect")
        self.assert_ready(self.configuration(**{**other, "rtmpDisable": True}))

    def test_the_environment_overrides_the_file_as_it_does_for_the_server(self):
        server = self.server({"api": True})
        server.wait_for_log(r"\[API\] listener opened")
        with Ports() as ports:
            self.assert_not_ready(ask(server.path, RTSP_APIADDRESS=f"127.0.0.1:{ports.base + 2}"), str(ports.base + 2))

    def test_what_cannot_be_asked_is_not_ready(self):
        self.assert_not_ready(ask(self.configuration(rtspDisable=True, rtmpDisable=True, hlsDisable=True)), "no listener")
        self.assert_not_ready(ask(self.configuration(noSuchThing=1)), "noSuchThing")
        self.assert_not_ready(ask("/nonexistent.yml"), "/nonexistent.yml")

    def test_who_never_answers_is_not_waited_for(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            shown = ask(self.configuration(api=True, apiAddress=f"127.0.0.1:{silent.getsockname()[1]}"))
            self.assertGreater(time.monotonic() - began, 4)
            self.assert_not_ready(shown, f"no answer from http://127.0.0.1:{silent.getsockname()[1]}/readyz within 5 s")
        pipe = self.configuration().parent / "pipe"
        os.mkfifo(pipe)
        self.assert_not_ready(ask(pipe), "the configuration could not be read within 5 s")

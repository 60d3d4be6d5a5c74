"""What the server tells systemd (sd_notify), and the unit's sandbox as systemd-analyze judges it."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import PATIENCE_S, ROOT, Server, TestCase, kill_quietly, wait_until

UNIT = ROOT / "deploy/systemd/sluice.service"


class Notify(TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.addCleanup(folder.cleanup)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.address = str(Path(folder.name, "notify"))

    def start_server(self, configuration=None, address=None, **environment):
        address = address or self.address
        self.systemd.bind(address.replace("@", "\0", 1))
        self.systemd.settimeout(PATIENCE_S)
        return self.server(configuration, environment={"NOTIFY_SOCKET": address, **environment})

    def told(self):
        return self.systemd.recv(4096).decode()

    def told_besides_watchdog(self):
        while (text := self.told()) == "WATCHDOG=1":
            pass
        return text

    def test_it_says_when_it_is_ready_and_when_it_stops(self):
        server = self.start_server()
        self.assertEqual(self.told(), "READY=1")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_the_address_may_be_abstract(self):
        self.start_server(address=f"@sluice-test-{os.getpid()}")
        self.assertEqual(self.told(), "READY=1")

    def test_it_is_ready_only_when_each_slot_has_a_worker(self):
        test, seen = self, []

        class Early(Server):
            def wait_until_ready(self):
                seen.append(test.told())
                seen.append(self.api().get("/readyz"))
                super().wait_until_ready()

        self.systemd.bind(self.address)
        self.systemd.settimeout(PATIENCE_S)
        self.servers.append(Early({"api": True, "rtspWorkers": 40}, environment={"NOTIFY_SOCKET": self.address}))
        self.assertEqual(seen, ["READY=1", (200, "ready\n")])

    def test_a_worker_that_is_replaced_changes_nothing(self):
        server = self.start_server()
        self.assertEqual(self.told(), "READY=1")
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2, what="the worker is replaced")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_a_reload_is_told_and_how_it_ended(self):
        server = self.start_server()
        self.assertEqual(self.told(), "READY=1")
        server.process.send_signal(signal.SIGHUP)
        self.assertRegex(self.told(), r"\ARELOADING=1\nMONOTONIC_USEC=[0-9]+\Z")
        self.assertEqual(self.told(), "READY=1\nSTATUS=")
        (server.folder / "new").write_text(json.dumps({**server.configuration, "noSuchThing": 1}))
        os.replace(server.folder / "new", server.path)
        self.assertRegex(self.told(), r"\ARELOADING=1\n")
        self.assertRegex(self.told(), r"\AREADY=1\nSTATUS=the configuration stays as it was: [^\n]*noSuchThing[^\n]*\Z")

    def test_the_watchdog_hears_of_it_as_long_as_the_loop_turns(self):
        server = self.start_server(WATCHDOG_USEC="300000")
        self.assertEqual(self.told_besides_watchdog(), "READY=1")
        for _ in range(5):
            self.assertEqual(self.told(), "WATCHDOG=1")
        os.kill(server.pid, signal.SIGSTOP)
        self.addCleanup(kill_quietly, server.pid, signal.SIGCONT)
        self.systemd.settimeout(2)
        with self.assertRaises(TimeoutError):
            for _ in range(20):  # what was sent before
                self.told()
        os.kill(server.pid, signal.SIGCONT)
        self.assertEqual(self.told(), "WATCHDOG=1")

    def test_the_watchdog_of_another_process_is_not_its_concern(self):
        server = self.start_server(WATCHDOG_USEC="100000", WATCHDOG_PID="1")
        self.assertEqual(self.told(), "READY=1")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_commands_do_not_inherit_the_socket(self):
        server = self.start_server({"paths": {"cam": {"runOnInit": "sh -c 'env > seen.new; mv seen.new seen'"}}}, WATCHDOG_USEC="9000000")
        seen = wait_until(lambda: (server.folder / "seen").exists() and (server.folder / "seen").read_text(), what="the command ran")
        self.assertIn("RTSP_PATH=cam", seen)
        self.assertNotRegex(seen, r"(?m)^(NOTIFY_SOCKET|WATCHDOG_)")


class Unit(TestCase):
    def test_its_exposure_is_low(self):
        shown = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)], capture_output=True, text=True, timeout=60)
        exposure = re.search(r"Overall exposure level for sluice.service: ([0-9.]+)", shown.stdout)
        self.assertTrue(exposure, shown)
        self.assertLessEqual(float(exposure.group(1)), 2.5, shown.stdout)

    def test_systemd_understands_all_of_it(self):
        with tempfile.TemporaryDirectory(prefix="sluice-test-") as folder:  # where its executable is there
            copy = Path(folder, "sluice.service")
            copy.write_text(UNIT.read_text().replace("/usr/bin/sluice", "/bin/true"))
            shown = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60)
        about_it = [line for line in shown.stderr.splitlines() if "sluice" in line]
        self.assertEqual((shown.returncode, about_it), (0, []), shown)

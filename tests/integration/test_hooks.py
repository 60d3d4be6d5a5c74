"""Commands that run on events, and paths whose source is started on demand."""

import os
import re
import time
from pathlib import Path

import media
from harness import ROOT, TestCase, descendants, title, wait_until, wait_until_none
from rtsp import Client, Source, expect, payload_number, rtp_sequence, rtp_ssrc, wait_until_published

TELL = ROOT / "tests/integration/hook_tell"  # writes "<name> <RTSP_PATH> <RTSP_PORT> <G1> <G2>" to a file, then waits


def tells(file, name):
    return f"{TELL} {file} {name}"


class Hooks(TestCase):
    def lines(self, file):
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def commands(self, sluice, pattern="hook_tell"):
        return [pid for pid in descendants(sluice.pid) if pattern in title(pid)]

    def wait_for_lines(self, file, count):
        return wait_until(lambda: len(self.lines(file)) >= count and self.lines(file), what=f"{count} lines of {file}")

    def test_each_runs_while_its_reason_lasts(self):
        file = Path("/tmp") / f"sluice-hooks-{os.getpid()}"
        self.addCleanup(lambda: file.unlink(missing_ok=True))
        sluice = self.server({
            "runOnConnect": tells(file, "connect"),
            "paths": {"~^(cam)_(.+)$": {"runOnReady": tells(file, "ready"), "runOnRead": tells(file, "read")},
                      "fixed": {"runOnInit": tells(file, "init")}},
        }, environment={"RTSP_CONFKEY_": "x", "RTSP_PATHS_FIXED_READPASS": "hidden", "RTSP_PATHS_FIXED_READUSER": "u"})
        port = str(sluice.rtsp_port)
        lines = self.wait_for_lines(file, 1)
        self.assertIn(f"init fixed {port} - -", lines)
        with Client(sluice) as publisher:
            publisher.publish("cam_a.b")
            with Client(sluice) as reader:
                reader.play("cam_a.b")
                wait_until(lambda: {"ready", "read"} <= {line.split()[0] for line in self.lines(file)}, what="ready and read")
                lines = self.lines(file)
                self.assertIn(f"ready cam_a.b {port} cam a.b", lines)
                self.assertIn(f"read cam_a.b {port} cam a.b", lines)
                self.assertIn(f"connect - {port} - -", lines)
                expect(reader.request("PAUSE", "cam_a.b"), 200)
                wait_until(lambda: f"read cam_a.b {port} cam a.b" in [line[4:] for line in self.lines(file) if line.startswith("end ")], what="read ended at PAUSE")
                expect(reader.request("PLAY", "cam_a.b"), 200)
                wait_until(lambda: sum(line.startswith("read ") for line in self.lines(file)) == 2, what="read starts again")
        wait_until(lambda: [title(pid).split()[-1:] for pid in self.commands(sluice)] == [["init"]], what="only runOnInit is left")
        ended = sorted(line.split()[1] for line in self.lines(file) if line.startswith("end "))
        self.assertEqual(ended.count("read"), 2)
        self.assertIn("ready", ended)
        sluice.stop()
        self.assertIn(f"end init fixed {port} - -", self.lines(file))
        for line in ("runOnReady command started", "runOnReady command stopped", "runOnRead command started", "runOnConnect command started"):
            self.assertIn(line, sluice.log())

    def test_commands_have_no_descriptors_and_no_secrets(self):
        file = Path("/tmp") / f"sluice-environment-{os.getpid()}"
        self.addCleanup(lambda: file.unlink(missing_ok=True))
        sluice = self.server(
            {"paths": {"cam": {"runOnInit": f"sh -c 'env > {file}; cat >> {file}; echo done >> {file}'"}, "b": {"runOnInit": "sleep 5678"}}},
            environment={"RTSP_PATHS_CAM_READUSER": "user", "RTSP_PATHS_CAM_READPASS": "hidden123", "OTHER": "kept"},
        )
        text = wait_until(lambda: file.exists() and "done\n" in file.read_text() and file.read_text(), what="the command is done")
        command = wait_until(lambda: self.commands(sluice, "sleep 5678"), what="the other command")[0]
        self.assertEqual(sorted(os.listdir(f"/proc/{command}/fd")), ["0", "1", "2"])
        self.assertEqual(os.readlink(f"/proc/{command}/fd/0"), "/dev/null")
        self.assertEqual(os.getpgid(command), command)
        self.assertIn("OTHER=kept\n", text)
        self.assertIn("RTSP_PATH=cam\n", text)
        self.assertNotIn("hidden123", text)

    def test_a_command_that_ends_is_started_again_if_that_is_wanted(self):
        file = Path("/tmp") / f"sluice-restart-{os.getpid()}"
        self.addCleanup(lambda: file.unlink(missing_ok=True))
        sluice = self.server({"paths": {"again": {"runOnInit": f"sh -c 'echo again >> {file}; exit 3'", "runOnInitRestart": True},
                                        "once": {"runOnInit": f"sh -c 'echo once >> {file}; exit 4'"}}})
        wait_until(lambda: self.lines(file).count("again") == 2, what="the restart after 5 s")
        self.assertEqual(self.lines(file).count("once"), 1)
        self.assertIn("[path again] runOnInit command exited with code 3", sluice.log())
        self.assertIn("[path once] runOnInit command exited with code 4", sluice.log())

    def test_grandchildren_and_stubborn_commands_are_ended(self):
        sluice = self.server({"paths": {"cam": {"runOnReady": "sh -c 'trap \"\" INT; sleep 1234 & sleep 1234; sleep 1234'"}}})
        with Client(sluice) as publisher:
            publisher.publish("cam")
            wait_until(lambda: len(self.commands(sluice, "sleep 1234")) >= 2, what="the command runs")
        left = wait_until_none(lambda: self.commands(sluice, "sleep 1234"), 9)
        self.assertEqual(left, [])

    def test_a_workers_death_stops_no_command_of_the_path(self):
        sluice = self.server({"paths": {"cam": {"runOnReady": "sleep 4321"}}})
        publisher = Client.on_slot(sluice, 0).publish("cam")
        self.addCleanup(publisher.close)
        before = wait_until(lambda: self.commands(sluice, "sleep 4321"), what="runOnReady runs")
        worker = sluice.workers()[0]
        os.kill(worker, 9)
        wait_until(lambda: sluice.workers().get(0) not in (None, worker), what="a new worker")
        time.sleep(0.5)
        self.assertEqual(self.commands(sluice, "sleep 4321"), before)


class Grace(TestCase):
    def test_readers_stay_while_the_publisher_returns_after_its_worker_died(self):
        sluice = self.server()
        source = Source()
        publisher = Client.on_slot(sluice, 0).publish("cam")
        reader = Client.on_slot(sluice, 1)
        self.addCleanup(reader.close)
        reader.play("cam")
        publisher.send_frame(0, source.next())
        before = reader.media_frame()
        os.kill(sluice.workers()[0], 9)
        publisher.close()
        sluice.wait_for_log(r"\[rtsp-0\] worker killed by signal 9")
        with Client(sluice) as again:
            again.publish("cam")
            restarted = Source(ssrc=0x55667788, first=7)
            restarted.number = source.number
            again.send_frame(0, restarted.next())
            after = reader.media_frame()
            self.assertEqual(payload_number(after), payload_number(before) + 1)
            self.assertEqual(rtp_ssrc(after), rtp_ssrc(before), "for the reader it is one RTP stream")
            self.assertEqual(rtp_sequence(after), rtp_sequence(before) + 1)
        sluice.wait_for_log(r"session \d+\] destroyed")

    def test_other_tracks_or_a_long_absence_send_readers_away(self):
        sluice = self.server({"workerRestartGrace": "2s"})
        publisher = Client.on_slot(sluice, 0).publish("cam")
        self.addCleanup(publisher.close)
        reader = Client.on_slot(sluice, 1)
        self.addCleanup(reader.close)
        reader.play("cam")
        started = time.monotonic()
        os.kill(sluice.workers()[0], 9)
        reader.wait_until_closed(10)
        self.assertGreater(time.monotonic() - started, 1.5)


class OnDemand(TestCase):
    def publishing_command(self, sluice_path="$RTSP_PATH"):
        return (f"ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i {media.fixture('h264_aac')} -c copy -f rtsp "
                f"-rtsp_transport tcp rtsp://127.0.0.1:$RTSP_PORT/{sluice_path}")

    def test_the_source_starts_with_the_first_reader_and_stops_after_the_last(self):
        sluice = self.server({"paths": {"cam": {"runOnDemand": self.publishing_command(), "runOnDemandCloseAfter": "1s"}}})
        self.assertEqual([pid for pid in descendants(sluice.pid) if "ffmpeg" in title(pid)], [])
        for _ in range(2):
            clients = [Client(sluice) for _ in range(5)]
            for client in clients:
                client.send_request("DESCRIBE", sluice.url("cam"))
            for client in clients:
                expect(client.response(), 200)
            clients[0].play("cam", 2)
            clients[0].media_frame()
            for client in clients[1:]:
                client.close()
            time.sleep(1.5)
            clients[0].media_frame()  # it has a reader
            clients[0].close()
            wait_until(lambda: not [pid for pid in descendants(sluice.pid) if "ffmpeg" in title(pid)], what="the command is gone")
        self.assertIn("[path cam] runOnDemand command started", sluice.log())
        self.assertIn("[path cam] runOnDemand command stopped", sluice.log())

    def test_requests_fail_when_it_takes_too_long(self):
        sluice = self.server({"paths": {"cam": {"runOnDemand": "sleep 100", "runOnDemandStartTimeout": "1s"}}})
        with Client(sluice) as client:
            started = time.monotonic()
            expect(client.request("DESCRIBE", "cam"), 400)
            self.assertGreaterEqual(time.monotonic() - started, 0.9)
        sluice.wait_for_log(r"source of path 'cam' has timed out")
        self.assertEqual(wait_until_none(lambda: [pid for pid in descendants(sluice.pid) if "sleep 100" in title(pid)], 3), [])

    def test_many_cycles_leave_nothing_behind(self):
        cycles = 500
        sluice = self.server({"paths": {"all": {"runOnDemand": "true", "runOnDemandStartTimeout": "20ms"}}})
        with Client(sluice) as client:
            expect(client.request("OPTIONS", "x"), 200)
        descriptors = lambda: len(os.listdir(f"/proc/{sluice.pid}/fd"))
        before, processes = descriptors(), len(descendants(sluice.pid))
        for batch in range(cycles // 50):
            clients = [Client(sluice) for _ in range(50)]
            for i, client in enumerate(clients):
                client.send_request("DESCRIBE", sluice.url(f"cam{batch}-{i}"))
            for client in clients:
                expect(client.response(), 400)
                client.close()
        started = len(re.findall("runOnDemand command started", sluice.log()))
        self.assertEqual(started, cycles)
        wait_until(lambda: len(descendants(sluice.pid)) == processes, what="no process is left")
        zombies = [pid for pid in os.listdir("/proc") if pid.isdigit() and zombie_of(pid, sluice.pid)]
        self.assertEqual(zombies, [])
        wait_until(lambda: descriptors() <= before + 2, what="no descriptor is left")


def zombie_of(pid, parent):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0] == "Z" and int(fields[1]) == parent

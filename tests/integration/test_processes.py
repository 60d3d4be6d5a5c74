"""Supervisor, keepers and workers: who they are, and what happens when one of them dies or hangs."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import rtsp
from harness import TestCase, descendants, kill_quietly, running, title, wait_until, wait_until_none
from rtsp import Client, Source, UdpPair, expect, payload_number


class Titles(TestCase):
    def test_the_family_is_named_and_stays_together(self):
        server = self.server({"rtspWorkers": 3}, environment={"SECRET": "known-to-the-supervisor"})
        titles = server.titles()
        expected = [f"sluice: rtsp-{slot}{keeper}" for slot in range(3) for keeper in (" keeper", "")]
        self.assertEqual(sorted(titles.values()), sorted(expected))
        self.assertEqual(title(server.pid), "sluice: supervisor")
        for pid, name in titles.items():
            self.assertEqual(Path(f"/proc/{pid}/environ").read_bytes().strip(b"\0"), b"", name)
            self.assertEqual((os.getpgid(pid), os.getsid(pid)), (os.getpgid(0), os.getsid(0)), name)

    def test_environment_and_title_survive_a_restart_of_the_worker(self):
        server = self.server({"rtspWorkers": 1}, environment={"SECRET": "known-to-the-supervisor"})
        old = server.workers()[0]
        os.kill(old, signal.SIGKILL)
        new = wait_until(lambda: {pid for pid in server.workers().values() if pid != old}, what="a new worker").pop()
        self.assertEqual(Path(f"/proc/{new}/environ").read_bytes().strip(b"\0"), b"")

    def test_the_number_of_workers_is_what_is_configured(self):
        for count in (1, 5):
            server = self.server({"rtspWorkers": count})
            self.assertEqual(sorted(server.workers()), list(range(count)))
            server.close()


class Death(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server()

    def replaced(self, slot, old):
        return wait_until(lambda: (pid := self.sluice.workers().get(slot)) not in (None, old) and pid, what=f"slot {slot} has a new worker")

    def kill_worker(self, slot, number=signal.SIGKILL):
        pid = self.sluice.workers()[slot]
        os.kill(pid, number)
        return pid

    def test_a_killed_workers_slot_answers_again(self):
        for _ in range(5):
            for slot in (0, 1):
                old = self.kill_worker(slot)
                self.replaced(slot, old)
                with Client.on_slot(self.sluice, slot) as client:
                    expect(client.request("OPTIONS", "cam"), 200)
        self.assertRegex(self.sluice.log(), r"rtsp-0")

    def test_a_connection_waiting_for_a_dead_worker_is_answered_soon(self):
        times = []
        for _ in range(10):
            slot = random.randrange(2)
            old = self.kill_worker(slot)
            started = time.monotonic()
            self.replaced(slot, old)
            with Client.on_slot(self.sluice, slot) as client:
                expect(client.request("OPTIONS", "cam"), 200)
            times.append(time.monotonic() - started)
        # 100 ms is the aim, told by the benchmark; on a busy machine, with this test's own polling, a second.
        self.assertLess(sorted(times)[len(times) // 2], 1, times)

    def test_no_connection_is_refused_while_workers_are_killed(self):
        ended, counts, errors = threading.Event(), {"answered": 0, "closed": 0}, []

        def connect():
            while not ended.is_set():
                try:
                    with Client(self.sluice) as client:
                        expect(client.request("OPTIONS", "cam"), 200)
                        counts["answered"] += 1
                except (rtsp.Closed, ConnectionResetError, BrokenPipeError):
                    counts["closed"] += 1  # it was a killed worker's: allowed, as it had been accepted
                except Exception as error:
                    errors.append(error)

        threads = [threading.Thread(target=connect) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(20):
            time.sleep(random.uniform(0.02, 0.15))
            slot = i % 2
            old = self.kill_worker(slot)
            if i % 5 == 0:
                self.replaced(slot, old)
            else:
                wait_until(lambda: slot in self.sluice.workers(), what="a worker to kill")
        answered = counts["answered"]
        wait_until(lambda: counts["answered"] > answered + 20 or errors, what="connections are answered after the last kill")
        ended.set()
        for thread in threads:
            thread.join(15)
        self.assertEqual(errors, [])
        self.assertLessEqual(counts["closed"], 60)
        self.assertGreater(counts["answered"], 100)

    def test_another_workers_reader_loses_no_packet(self):
        source = Source()
        publisher = Client.on_slot(self.sluice, 0).publish("cam")
        reader = Client.on_slot(self.sluice, 0)
        by_udp, pair = Client.on_slot(self.sluice, 0), UdpPair()
        for client in (publisher, reader, by_udp, pair):
            self.addCleanup(client.close)
        reader.play("cam")
        by_udp.play("cam", transports=[pair.transport])
        victims = []
        for kill in range(10):
            victims.append(Client.on_slot(self.sluice, 1))  # a reader in the worker that dies
            victims[-1].play("cam")
            old = self.kill_worker(1)
            for _ in range(50):
                publisher.send_frame(0, source.next())
                time.sleep(0.001)
            self.replaced(1, old)
        for number in range(source.number):
            channel, packet = reader.frame()
            while channel != 0:
                channel, packet = reader.frame()
            self.assertEqual(payload_number(packet), number)
            self.assertEqual(payload_number(pair.rtp.recv(2048)), number)

    def test_a_stream_is_served_by_a_worker_that_was_restarted(self):
        source = Source()
        publisher = Client.on_slot(self.sluice, 0).publish("cam")
        self.addCleanup(publisher.close)
        old = self.kill_worker(1)
        self.replaced(1, old)
        reader = Client.on_slot(self.sluice, 1)
        self.addCleanup(reader.close)
        reader.play("cam")
        for _ in range(20):
            publisher.send_frame(0, source.next())
        for number in range(20):
            self.assertEqual(payload_number(reader.media_frame()), number)

    def test_a_path_can_be_published_again_after_its_publishers_worker_died(self):
        publisher = Client.on_slot(self.sluice, 0).publish("cam")
        self.addCleanup(publisher.close)
        old = self.kill_worker(0)
        self.replaced(0, old)
        again, reader, source = Client.on_slot(self.sluice, 1), Client.on_slot(self.sluice, 0), Source()
        for client in (again, reader):
            self.addCleanup(client.close)
        again.publish("cam")
        reader.play("cam")
        again.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)

    def test_hundreds_of_kills_leave_no_descriptor(self):
        keeper = self.sluice.keepers()[0]

        def descriptors():
            return len(os.listdir(f"/proc/{keeper}/fd"))

        def kill():
            old = self.kill_worker(0)
            self.replaced(0, old)

        for _ in range(5):
            kill()
        wait_until(self.sluice.answers, what="an answer")
        time.sleep(0.5)
        before, supervisor = descriptors(), len(os.listdir(f"/proc/{self.sluice.pid}/fd"))
        for _ in range(100):
            kill()
        wait_until(lambda: descriptors() <= before + 1, 5, f"the keeper's table is as before: {before} descriptors")
        wait_until(lambda: len(os.listdir(f"/proc/{self.sluice.pid}/fd")) <= supervisor + 1, 5, "the supervisor's table is as before")

    def test_a_crash_is_logged_with_signal_and_slot(self):
        old = self.kill_worker(1, signal.SIGSEGV)
        self.replaced(1, old)
        self.sluice.wait_for_log(r"(?i)rtsp-1.*(SIGSEGV|signal 11|segmentation fault)")


class Hanging(TestCase):
    def test_a_stopped_worker_is_replaced(self):
        server = self.server()
        old = server.workers()[1]
        started = time.monotonic()
        os.kill(old, signal.SIGSTOP)
        wait_until(lambda: server.workers().get(1) not in (None, old), 10, "a new worker in slot 1")
        self.assertGreater(time.monotonic() - started, 1)
        self.assertFalse(running(old))
        with Client.on_slot(server, 1) as client:
            expect(client.request("OPTIONS", "cam"), 200)

    def test_a_stopped_family_goes_on_when_it_continues(self):
        server = self.server()
        publisher, reader, source = Client(server).publish("cam"), Client(server), Source()
        for client in (publisher, reader):
            self.addCleanup(client.close)
        reader.play("cam")
        family, workers = [server.pid, *descendants(server.pid)], server.workers()
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        for pid in reversed(family):
            os.kill(pid, signal.SIGCONT)
        publisher.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)
        self.assertEqual(server.workers(), workers)


class Ends(TestCase):
    def test_nothing_is_left_when_the_supervisor_is_killed(self):
        server = self.server()
        with Client(server) as publisher, Client(server) as reader:
            publisher.publish("cam")
            reader.play("cam")
            family = [server.pid, *descendants(server.pid)]
            self.assertEqual(len(family), 5)
            kill_quietly(server.pid)
            server.process.wait(5)
            left = wait_until_none(lambda: [pid for pid in family if running(pid)], 5)
            self.assertEqual(left, [], [title(pid) for pid in left])

    def test_a_killed_keeper_takes_its_worker_with_it_and_is_replaced(self):
        server = self.server()
        publisher, reader, source = Client.on_slot(server, 0).publish("cam"), Client.on_slot(server, 0), Source()
        victim = Client.on_slot(server, 1)
        for client in (publisher, reader, victim):
            self.addCleanup(client.close)
        reader.play("cam")
        keeper, worker = server.keepers()[1], server.workers()[1]
        os.kill(keeper, signal.SIGKILL)
        self.assertEqual(wait_until_none(lambda: [pid for pid in (keeper, worker) if running(pid)], 5), [])
        wait_until(lambda: server.workers().get(1), what="a new worker in slot 1")
        with Client.on_slot(server, 1) as client:
            expect(client.request("OPTIONS", "cam"), 200)
        for number in range(20):
            publisher.send_frame(0, source.next())
            self.assertEqual(payload_number(reader.media_frame()), number)
        self.assertEqual(len(descendants(server.pid)), 4)

    def test_signals_end_it_cleanly_with_sessions_closed(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.server()
                publisher, reader, source = Client.on_slot(server, 0).publish("cam"), Client.on_slot(server, 1), Source()
                reader.play("cam")
                publisher.send_frame(0, source.next())
                reader.frame()
                family = descendants(server.pid)
                self.assertEqual(server.stop(number), 0)
                self.assertEqual([pid for pid in family if running(pid)], [])
                for client in (publisher, reader):
                    client.wait_until_closed(5)
                    client.close()
                log = server.log()
                self.assertIn("shutting down gracefully", log)
                self.assertEqual(log.count("destroyed (terminated)"), 2, log)

    def test_a_signal_to_the_whole_group_ends_it_cleanly(self):
        server = self.server()
        family = descendants(server.pid)
        for pid in [server.pid, *family]:  # as Ctrl-C in a terminal does
            kill_quietly(pid, signal.SIGINT)
        self.assertEqual(server.process.wait(10), 0)
        self.assertEqual([pid for pid in family if running(pid)], [])

    def test_a_client_that_does_not_read_does_not_delay_the_end(self):
        server = self.server()
        publisher, stuck, source = Client(server).publish("cam"), Client(server), Source()
        stuck.play("cam")
        for _ in range(5000):
            publisher.send_frame(0, source.next(1300))
        started = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - started, 8)
        publisher.close()
        stuck.close()


class Sandbox(TestCase):
    def test_workers_can_gain_nothing(self):
        sluice = self.server({"rtmpDisable": False})
        for pid in [*sluice.workers().values(), *sluice.workers("rtmp").values()]:
            status = Path(f"/proc/{pid}/status").read_text()
            self.assertRegex(status, r"NoNewPrivs:\s+1\n")
            self.assertRegex(status, r"Seccomp:\s+2\n")
        self.assertNotIn("without a sandbox", sluice.log())

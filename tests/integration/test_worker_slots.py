"""Workers of several protocols: who has which place, what each serves, and what a reload does to whom."""

import os
import re
import signal
import socket

from harness import TestCase, running, wait_until
from rtsp import Client, expect
from tls import make_certificate

TWO = {"rtmpDisable": False, "rtspWorkers": 2, "rtmpWorkers": 2, "api": True}


class WorkerSlots(TestCase):
    def by_name(self, sluice):
        """Name of the slot → pid of its worker."""
        found = ((re.fullmatch(r"sluice: (rt[sm]p-\d+)", title), pid) for pid, title in sluice.titles().items())
        return {match.group(1): pid for match, pid in found if match}

    def wait_for(self, sluice, *names):
        return wait_until(lambda: self.by_name(sluice).keys() == set(names) and self.by_name(sluice), what=f"just {names}")

    def listens(self, port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def test_each_protocol_has_its_own(self):
        sluice = self.server(TWO)
        self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
        sluice.wait_for_log(rf"INF \[RTMP\] listener opened on :{sluice.rtmp_port}\n")
        self.assertTrue(self.listens(sluice.rtmp_port))
        self.assertFalse(self.listens(sluice.rtmps_port))

    def test_a_reload_concerns_only_those_of_the_protocol(self):
        sluice = self.server(TWO)
        before = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
        with Client(sluice) as client:
            expect(client.request("OPTIONS", "x"), 200)
            self.assertEqual(sluice.api().post("/v1/config/set", {"rtspWorkers": 3, "rtmpWorkers": 1})[0], 200)
            after = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtsp-2", "rtmp-0")
            for name in ("rtsp-0", "rtsp-1", "rtmp-0"):
                self.assertEqual(before[name], after[name], name)
            self.assertEqual(sluice.api().post("/v1/config/set", {"rtmpWorkers": 3})[0], 200)
            final = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtsp-2", "rtmp-0", "rtmp-1", "rtmp-2")
            self.assertEqual(final["rtsp-2"], after["rtsp-2"])
            expect(client.request("OPTIONS", "x"), 200)
        self.assertNotIn("WAR [r", sluice.log())

    def test_sessions_stay_reachable_from_every_worker_of_the_protocol(self):
        sluice = self.server({**TWO, "rtspWorkers": 1})
        self.wait_for(sluice, "rtsp-0", "rtmp-0", "rtmp-1")
        self.assertEqual(sluice.api().post("/v1/config/set", {"rtspWorkers": 3})[0], 200)
        self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtsp-2", "rtmp-0", "rtmp-1")
        with Client.on_slot(sluice, 2) as publisher:
            publisher.publish("cam")
            for slot in (0, 1, 2):  # told of each other, also of those that came later
                with Client.on_slot(sluice, slot) as client:
                    answer = client.request("GET_PARAMETER", "cam", {"Session": publisher.session})
                    self.assertEqual(answer.status, 400, f"from slot {slot}: it is found, and is another connection's")
        for slot in range(6):  # of a session that a worker of RTMP would have, and of none at all
            with Client(sluice) as client:
                answer = client.request("TEARDOWN", "x", {"Session": str(64 * 1234567 + slot)})
                self.assertEqual(answer.status, 454, f"slot {slot}")
        self.assertNotIn("it is not of its protocol", sluice.log())

    def test_a_disabled_protocol_has_no_worker_but_for_sources(self):
        sluice = self.server({"rtmpDisable": True, "rtspWorkers": 1, "rtmpWorkers": 1, "api": True})
        self.wait_for(sluice, "rtsp-0")
        source = f"rtmp://127.0.0.1:{sluice.rtmp_port}/nobody/there"
        self.assertEqual(sluice.api().post("/v1/config/paths/add/pulled", {"source": source})[0], 200)
        self.wait_for(sluice, "rtsp-0", "rtmp-0")
        self.assertFalse(self.listens(sluice.rtmp_port))
        sluice.wait_for_log(r"\[path pulled\] \[rtmp source\] started")
        sluice.wait_for_log(r"\[path pulled\] \[rtmp source\] ERR: ")
        item = sluice.api().paths()["pulled"]
        self.assertEqual(item["source"], {"type": "rtmpSource"})
        self.assertEqual(sluice.api().post("/v1/config/paths/remove/pulled")[0], 200)
        self.wait_for(sluice, "rtsp-0")

    def test_disabling_one_leaves_the_other_alone(self):
        sluice = self.server(TWO)
        before = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
        with Client(sluice) as publisher:
            publisher.publish("cam")
            self.assertEqual(sluice.api().post("/v1/config/set", {"rtmpDisable": True})[0], 200)
            self.wait_for(sluice, "rtsp-0", "rtsp-1")
            self.assertFalse(self.listens(sluice.rtmp_port))
            self.assertEqual(sluice.api().post("/v1/config/set", {"rtmpDisable": False})[0], 200)
            after = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
            self.assertTrue(self.listens(sluice.rtmp_port))
            self.assertEqual(before["rtsp-1"], after["rtsp-1"])
            expect(publisher.request("GET_PARAMETER", "cam"), 200)

    def test_a_killed_worker_is_replaced_in_its_place(self):
        sluice = self.server(TWO)
        before = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
        os.kill(before["rtmp-1"], signal.SIGKILL)
        wait_until(lambda: not running(before["rtmp-1"]), what="it is dead")
        sluice.wait_for_log(r"WAR \[rtmp-1\] worker killed by signal 9")
        after = self.wait_for(sluice, "rtsp-0", "rtsp-1", "rtmp-0", "rtmp-1")
        self.assertEqual({name for name in before if before[name] != after[name]}, {"rtmp-1"})

    def test_rtmps_has_a_certificate_of_its_own(self):
        certificate, key = make_certificate()
        sluice = self.server({**TWO, "rtmpServerCert": "rtmp.crt", "rtmpServerKey": "rtmp.key"})
        status, body = sluice.api().post("/v1/config/set", {"rtmpEncryption": "optional"})
        self.assertEqual((status, body), (400, {"error": "RTMPS: certificate rtmp.crt: No such file or directory"}))
        self.assertFalse(self.listens(sluice.rtmps_port))
        (sluice.folder / "rtmp.crt").write_text(certificate)
        (sluice.folder / "rtmp.key").write_text(key)
        self.assertEqual(sluice.api().post("/v1/config/set", {"rtmpEncryption": "optional"})[0], 200)
        sluice.wait_for_log(rf"\[RTMPS\] listener opened on :{sluice.rtmps_port}\n")
        self.assertTrue(self.listens(sluice.rtmps_port) and self.listens(sluice.rtmp_port))
        self.assertEqual(sluice.api().post("/v1/config/set", {"rtmpEncryption": "strict"})[0], 200)
        wait_until(lambda: not self.listens(sluice.rtmp_port), what="only RTMPS is left")
        self.assertTrue(self.listens(sluice.rtmps_port))


if __name__ == "__main__":
    import unittest

    unittest.main()

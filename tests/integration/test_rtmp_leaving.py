"""Who leaves an RTMP server, and when it is noticed; who is sent away, and what it is told."""

from harness import descendants, title, wait_until
from namespaces import Network, ip
from rtmp import COMMAND, read_amf
from test_rtmp import RtmpClients

PING_REQUEST, PING_RESPONSE = b"\0\x06", b"\0\x07"
USER_CONTROL = 4


class Leaving(RtmpClients):
    def running(self, sluice, text):
        return [pid for pid in descendants(sluice.pid) if text in title(pid)]

    def on_demand_server(self):
        paths = {"cam": {"runOnDemand": "sleep 1002", "runOnDemandStartTimeout": "600s", "runOnDemandCloseAfter": "1s"}}
        return self.rtmp_server({"runOnConnect": "sleep 1001", "paths": paths})

    def test_one_that_stays_gets_what_it_waits_for(self):
        sluice = self.on_demand_server()
        waiting = self.client(sluice).begin("play", "cam")
        wait_until(lambda: self.running(sluice, "sleep 1002"), what="runOnDemand runs")
        self.feed(sluice)
        waiting.wait_for_status("NetStream.Play.Start")
        waiting.next_frame()

    def test_a_player_of_a_silent_stream_is_pinged(self):
        sluice = self.rtmp_server({"readTimeout": "100s"})
        publisher = self.feed(sluice)
        player = self.player(sluice)
        player.next_frame()
        publisher.stopping.set()
        player.connection.settimeout(60)
        for _ in range(2):  # the answer to the first counts as a sign of life
            kind, payload = None, b""
            while (kind, payload[:2]) != (USER_CONTROL, PING_REQUEST):
                kind, _, payload = player.message()
            player.send_message(USER_CONTROL, PING_RESPONSE + payload[2:], chunk_stream=2)
        self.assertNotIn("gone", sluice.log())

    def test_a_player_of_a_silent_stream_whose_host_vanishes(self):
        network = Network(self)
        sluice = self.rtmp_server({"readTimeout": "100s", "writeTimeout": "3s"}, **network.server)
        publisher = self.feed(sluice)
        vanishing, staying = self.player(sluice, source="10.77.0.3"), self.player(sluice, source="10.77.0.2")
        for player in (vanishing, staying):
            player.next_frame()
        publisher.stopping.set()
        ip("-n", network.names[1], "addr", "del", "10.77.0.3/24", "dev", "c0")
        sluice.wait_for_log(r"\[RTMP\] \[conn 10.77.0.3:\d+\] closed \(the client is gone\)", 60)
        self.assertNotIn("[conn 10.77.0.2:" + str(staying.local_port) + "] closed", sluice.log())

    def test_one_too_many_is_told_so(self):
        sluice = self.rtmp_server({"rtmpWorkers": 1, "maxSessions": 3})
        clients = [self.client(sluice).connect() for _ in range(3)]
        for _ in range(3):
            refused = self.client(sluice)
            refused.command("connect", {"app": "", "tcUrl": f"rtmp://127.0.0.1:{sluice.rtmp_port}"})
            kind = None
            while kind != COMMAND:
                kind, _, payload = refused.message()
            values = read_amf(payload)
            self.assertEqual((values[0], values[3]["code"]), ("_error", "NetConnection.Connect.Rejected"))
            self.assertEqual(values[3]["description"], "the server is full")
            refused.wait_until_closed()
        sluice.wait_for_log(r"WAR \[RTMP\] connection refused: maxSessions \(3\)")
        clients[0].create_stream()  # those that were there before are served on

"""Who leaves an RTMP server, and when it is noticed."""

import socket

from harness import close_with_reset, descendants, title, wait_until
from rtsp import wait_until_published
from test_rtmp import RtmpClients


class Leaving(RtmpClients):
    def running(self, sluice, text):
        return [pid for pid in descendants(sluice.pid) if text in title(pid)]

    def check_left_while_it_asks(self, sluice, client, leave):
        """Long before the supervisor has an answer the connection is gone, and so are its commands."""
        wait_until(lambda: self.running(sluice, "sleep 1001"), what="runOnConnect runs")
        port = client.local_port
        leave()
        sluice.wait_for_log(rf"\[RTMP\] \[conn 127.0.0.1:{port}\] closed \(the client has left before it was answered\)")
        wait_until(lambda: not self.running(sluice, "sleep 1001"), what="runOnConnect has ended")

    def on_demand_server(self):
        paths = {"cam": {"runOnDemand": "sleep 1002", "runOnDemandStartTimeout": "600s", "runOnDemandCloseAfter": "1s"}}
        return self.rtmp_server({"runOnConnect": "sleep 1001", "paths": paths})

    def check_held_request(self, leave):
        sluice = self.on_demand_server()
        client = self.client(sluice).begin("play", "cam")
        wait_until(lambda: self.running(sluice, "sleep 1002"), what="runOnDemand runs")
        self.check_left_while_it_asks(sluice, client, lambda: leave(client))
        self.feed(sluice)
        wait_until_published(sluice, "cam")
        self.assertNotIn("is reading", sluice.log())

    def test_a_player_that_waits_for_a_source(self):
        self.check_held_request(lambda client: client.close())

    def test_a_player_that_waits_for_a_source_and_is_reset(self):
        self.check_held_request(lambda client: close_with_reset(client.connection))

    def test_while_an_external_server_thinks_about_it(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait there for ever
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            sluice = self.rtmp_server({"runOnConnect": "sleep 1001", "externalAuthenticationURL": url})
            for role in ("publish", "play"):
                with self.subTest(role=role):
                    client = self.client(sluice).begin(role, "cam")
                    self.check_left_while_it_asks(sluice, client, client.close)

    def test_one_that_stays_gets_what_it_waits_for(self):
        sluice = self.on_demand_server()
        waiting = self.client(sluice).begin("play", "cam")
        wait_until(lambda: self.running(sluice, "sleep 1002"), what="runOnDemand runs")
        self.feed(sluice)
        waiting.wait_for_status("NetStream.Play.Start")
        waiting.next_frame()

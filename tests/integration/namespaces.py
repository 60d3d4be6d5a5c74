"""A network of one's own: two network namespaces joined by cables (veth pairs), the server's and the clients'. Needs root.

The test's own process enters the clients' namespace, so whatever it starts is there; the server is started with
`network.server_prefix`. Cable i carries 10.77.i.0/24: the server is .1, the clients are .2 and .3."""

import ctypes
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

from harness import wait_until

CLONE_NEWNET = 0x40000000
ETH_P_IP = 0x0800
PACKET_OUTGOING = 4


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr}")


class Network:
    """Without cables each namespace has its loopback interface only. gso_max_segs: else a burst would cross a cable as
    one large packet."""

    def __init__(self, test, cables=1):
        self.names = [f"sluice-{os.getpid()}-{side}" for side in ("server", "clients")]
        for name in self.names:
            ip("netns", "add", name)
            test.addCleanup(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "gso_max_segs", "1", "up")
        server, clients = self.names
        for i in range(cables):
            ip("-n", server, "link", "add", f"s{i}", "type", "veth", "peer", "name", f"c{i}", "netns", clients)
            for name, link, hosts in ((server, f"s{i}", [1]), (clients, f"c{i}", [2, 3])):
                for host in hosts:
                    ip("-n", name, "addr", "add", f"10.77.{i}.{host}/24", "dev", link)
                ip("-n", name, "link", "set", link, "gso_max_segs", "1", "up")
        for name, link in ((server, "s0"), (clients, "c0")) if cables else ():
            ip("-n", name, "route", "add", "224.0.0.0/4", "dev", link)
        self._enter(clients)
        # Since Linux 6.6 a socket with SO_REUSEPORT, as GStreamer's are, may get what another one's group is sent, when
        # both have the same port and no third one hinders this shortcut.
        Path("/proc/sys/net/ipv4/udp_early_demux").write_text("0")

    @staticmethod
    def _enter(name):
        with open(f"/run/netns/{name}") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    @property
    def server_prefix(self):
        return ["ip", "netns", "exec", self.names[0]]

    @property
    def server(self):
        """What Server is to be given."""
        return {"prefix": self.server_prefix, "host": "10.77.0.1"}


class Wire:
    """Listens on the clients' end of a cable, or on another interface: UDP datagrams that arrive, as (address, port, payload), in order."""

    def __init__(self, test, interface="c0"):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((interface, ETH_P_IP))
        self.socket.settimeout(0.1)
        self.datagrams, self.stopping = [], False
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()
        test.addCleanup(self._stop)

    def _stop(self):
        self.stopping = True
        self.thread.join(5)
        self.socket.close()

    def _listen(self):
        while not self.stopping:
            try:
                packet, address = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            if address[2] == PACKET_OUTGOING or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
                continue
            header = 4 * (packet[0] & 15)
            port, length = struct.unpack(">HH", packet[header + 2 : header + 6])
            self.datagrams.append((socket.inet_ntoa(packet[16:20]), port, packet[header + 8 : header + length]))

    def sent_to(self, address, port, first=0):
        """Payloads, from the first-th datagram on."""
        return [payload for to, at, payload in self.datagrams[first:] if (to, at) == (address, port)]

    def wait_for(self, address, port, count=1, first=0):
        return wait_until(lambda: len(found := self.sent_to(address, port, first)) >= count and found, what=f"datagrams to {address}:{port}")

"""Real readers at work: which worker serves each, how they end, and what is wrong with what they read."""

import signal

import clients
import media
from harness import descendants, kill_quietly, wait_until_none


class Reading:
    """A client that reads one URL into a file."""

    def __init__(self, test, server, publisher, fixture, client, transport, path):
        self.test, self.server, self.fixture, self.transport = test, server, fixture, transport
        self.client, self.name = client, f"{client} reads {path} by {transport}"
        self.output = server.folder / f"{client}-{path}-{transport}.out"
        self.log_path = self.output.with_suffix(".log")
        url = server.secure_url(path) if transport == "tls" else server.url(path)
        self.command = clients.READERS[client](fixture, publisher, url, transport, self.output)
        self.process = self.slot = None
        self.start()

    def start(self):
        self.output.unlink(missing_ok=True)
        self.slot = None
        with self.log_path.open("wb") as log:
            self.process = self.test.start(self.command, stdout=log, stderr=log)

    def restart(self):
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            kill_quietly(pid)
        self.process.wait(5)
        self.start()

    def settled(self):
        """Whether it has come to a worker by now: self.slot."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name}: ended with {self.process.returncode}:\n{self.log()}")
        if self.slot is None:
            self.slot = self.server.slot_of_client_process(self.process.pid)
        return self.slot is not None

    def log(self):
        return self.log_path.read_text(errors="replace")[-3000:]

    def complaints(self, at_least_s):
        try:
            found = media.check(self.fixture, self.output, at_least_s)
        except AssertionError as error:
            found = [str(error)]
        return [*found, self.log()] if found else []


def finish(readings):
    """After the end of the stream: some end by themselves; of those that read by UDP not all learn of it. FFmpeg then waits
    for packets and would lose what it has not written, had it not written all at once: it is killed."""
    for seconds in (2, 5, 5):
        wait_until_none(lambda: [reading for reading in readings if reading.process.poll() is None], seconds)
        for reading in readings:
            for pid in [reading.process.pid, *descendants(reading.process.pid)] if reading.process.poll() is None else ():
                kill_quietly(pid, signal.SIGKILL if seconds == 5 or reading.client == "ffmpeg" else signal.SIGINT)


def complaints(readings, at_least_s):
    """{reader: what is wrong with what it read}."""
    return {reading.name: found for reading in readings if (found := reading.complaints(at_least_s))}

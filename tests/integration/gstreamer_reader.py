#!/usr/bin/python3
"""gstreamer_reader.py URL PROTOCOLS OUTPUT ENCODING=CHAIN...: GStreamer reads a stream into a Matroska file, as

    gst-launch-1.0 -e rtspsrc location=URL ! application/x-rtp,encoding-name=ENCODING ! CHAIN ! matroskamux ! filesink

would, for several tracks at once. gst-launch itself links the pads of a source that come at the same moment, in two
threads, wrongly now and then; here one lock is held. Ends at the end of the stream, on an error, or on SIGINT."""

import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# matroskamux waits for all streams before it begins: what comes of one meanwhile must fit.
QUEUE = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=50000000"

STATIC = {26: "JPEG"}  # payload types whose name GStreamer doesn't tell, unless the description does (RFC 3551)


def main(url, protocols, output, *tracks):
    Gst.init(None)
    chains = dict(argument.split("=", 1) for argument in tracks)
    tails = " ".join(f"identity name={encoding} ! {chain} ! {QUEUE} ! file." for encoding, chain in chains.items())
    pipeline = Gst.parse_launch(
        f"rtspsrc name=source location={url} protocols={protocols} latency=500 udp-buffer-size=2000000 tls-validation-flags=0 "
        f"matroskamux name=file streamable=true ! filesink buffer-mode=unbuffered location={output} {tails}"
    )
    loop, lock, status = GLib.MainLoop(), threading.Lock(), []

    # What the bindings look up at its first use, two threads may look up at once, and one then finds it missing.
    _ = Gst.Caps.get_structure, Gst.Structure.get_string, Gst.Structure.get_int, Gst.Structure.to_string
    _ = Gst.Pad.get_current_caps, Gst.Pad.is_linked, Gst.Pad.link, Gst.PadLinkReturn.OK

    def on_pad(_, pad):
        with lock:
            track = pad.get_current_caps().get_structure(0)
            encoding = track.get_string("encoding-name") or STATIC.get(track.get_int("payload").value)
            sink = pipeline.get_by_name(encoding).get_static_pad("sink") if encoding in chains else None
            if not sink or sink.is_linked() or pad.link(sink) != Gst.PadLinkReturn.OK:
                print("can't be linked:", track.to_string(), file=sys.stderr)
                status.append(1)
                loop.quit()

    def on_message(_, message):
        if message.type == Gst.MessageType.ERROR:
            print(*message.parse_error(), file=sys.stderr)
            status.append(1)
            loop.quit()
        elif message.type == Gst.MessageType.EOS:
            loop.quit()

    def on_interrupt():
        pipeline.send_event(Gst.Event.new_eos())
        GLib.timeout_add_seconds(2, loop.quit)
        return GLib.SOURCE_REMOVE

    pipeline.get_by_name("source").connect("pad-added", on_pad)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", on_message)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, on_interrupt)
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    return status[0] if status else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/python3
"""gstreamer_reader.py URL PROTOCOLS OUTPUT MEDIA=CHAIN...: GStreamer reads a stream into a Matroska file, as

    gst-launch-1.0 -e rtspsrc location=URL ! application/x-rtp,media=MEDIA ! CHAIN ! matroskamux ! filesink

would, for several media at once. gst-launch itself links the pads of a source that come at the same moment, in two
threads, wrongly now and then; here one lock is held. Ends at the end of the stream, on an error, or on SIGINT."""

import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# matroskamux waits for all streams before it begins: what comes of one meanwhile must fit.
QUEUE = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=50000000"


def main(url, protocols, output, *media):
    Gst.init(None)
    chains = dict(argument.split("=", 1) for argument in media)
    tails = " ".join(f"identity name={kind} ! {chain} ! {QUEUE} ! file." for kind, chain in chains.items())
    pipeline = Gst.parse_launch(
        f"rtspsrc name=source location={url} protocols={protocols} latency=500 udp-buffer-size=2000000 tls-validation-flags=0 "
        f"matroskamux name=file streamable=true ! filesink buffer-mode=unbuffered location={output} {tails}"
    )
    loop, lock, status = GLib.MainLoop(), threading.Lock(), []

    def on_pad(_, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        with lock:
            sink = pipeline.get_by_name(kind).get_static_pad("sink") if kind in chains else None
            if sink and not sink.is_linked() and pad.link(sink) != Gst.PadLinkReturn.OK:
                print(f"the pad of {kind} can't be linked", file=sys.stderr)
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

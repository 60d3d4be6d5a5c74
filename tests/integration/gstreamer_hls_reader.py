#!/usr/bin/python3
"""gstreamer_hls_reader.py URL OUTPUT [video=CHAIN] [audio=CHAIN]: GStreamer reads a stream with hlsdemux2 into a Matroska
file, undecoded. Ends at the end of the stream, on an error, or on SIGINT."""

import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# matroskamux waits for all streams before it begins: what comes of one meanwhile must fit.
QUEUE = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=50000000"
UNDECODED = "video/x-h264;video/x-h265;video/x-av1;video/x-vp9;audio/mpeg;audio/x-opus;audio/x-ac3"


def main(url, output, *tracks):
    Gst.init(None)
    chains = dict(argument.split("=", 1) for argument in tracks)
    tails = " ".join(f"identity name={kind} ! {QUEUE} ! {chain} ! file." for kind, chain in chains.items())
    pipeline = Gst.parse_launch(f"uridecodebin3 name=source matroskamux name=file streamable=true ! "
                                f"filesink buffer-mode=unbuffered location={output} {tails}")
    source = pipeline.get_by_name("source")
    source.set_property("caps", Gst.Caps.from_string(UNDECODED))
    source.set_property("uri", url)
    loop, lock, status = GLib.MainLoop(), threading.Lock(), []

    def on_source(_, element):
        if element.find_property("ssl-strict"):
            element.set_property("ssl-strict", False)

    def on_pad(_, pad):
        with lock:
            kind = pad.get_name().partition("_")[0]
            sink = pipeline.get_by_name(kind).get_static_pad("sink") if kind in chains else None
            if not sink or sink.is_linked() or pad.link(sink) != Gst.PadLinkReturn.OK:
                print("can't be linked:", pad.get_name(), file=sys.stderr)
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

    source.connect("source-setup", on_source)
    source.connect("pad-added", on_pad)
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

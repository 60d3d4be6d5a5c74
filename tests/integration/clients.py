"""Real clients as commands: publishers of a fixture, readers into a file."""

import glob
import os
import shutil
from pathlib import Path

import media

HERE = Path(__file__).resolve().parent

GSTREAMER_DEPAY = {
    "h264": "rtph264depay ! h264parse",
    "hevc": "rtph265depay ! h265parse",
    "aac": "rtpmp4gdepay ! aacparse",
    "opus": "rtpopusdepay ! opusparse",
}
GSTREAMER_PARSE = {"h264": "h264parse", "hevc": "h265parse", "aac": "aacparse", "opus": "opusparse"}

# rtspclientsink waits for all streams before it begins: what comes of one meanwhile must fit.
GSTREAMER_QUEUE = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=50000000"

# What rtspclientsink sends AAC as: RFC 6416. FFmpeg: RFC 3640.
GSTREAMER_LATM = "rtpmp4adepay ! aacparse"


def kind(codec):
    return "video" if codec in media.SLICES else "audio"


def ffmpeg_publisher(fixture, url, transport):
    return ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re", "-i", media.fixture(fixture),
            "-c", "copy", "-f", "rtsp", "-rtsp_transport", transport, "-pkt_size", "1400", url]


def gstreamer_publisher(fixture, url, transport):
    pipeline = f"rtspclientsink name=sink location={url} protocols={transport} " \
               f"filesrc location={media.fixture(fixture)} ! matroskademux name=file"
    for codec in media.codecs(fixture):
        pipeline += f" file.{kind(codec)}_0 ! {GSTREAMER_QUEUE} ! {GSTREAMER_PARSE[codec]} ! identity sync=true ! sink."
    return ["gst-launch-1.0", "-q", *pipeline.split()]


# FFmpeg has no time for the first frame of a stream with B-frames if it came in the midst of one; Matroska wants one.
FFMPEG_TIMES = ["-bsf:v", r"setts=pts=if(eq(PTS\,NOPTS)\,DTS\,PTS)"]


def ffmpeg_reader(fixture, publisher, url, transport, output):
    return ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-rtsp_transport", transport,
            "-buffer_size", "2000000", "-i", url, "-map", "0", "-c", "copy", *FFMPEG_TIMES, "-f", "matroska", "-y", output]


def gstreamer_reader(fixture, publisher, url, transport, output):
    chains = []
    for codec in media.codecs(fixture):
        depay = GSTREAMER_LATM if (publisher, codec) == ("gstreamer", "aac") else GSTREAMER_DEPAY[codec]
        chains.append(f"{kind(codec)}={depay}")
    return [HERE / "gstreamer_reader.py", url, transport, output, *chains]


def vlc_reader(fixture, publisher, url, transport, output):
    """VLC refuses to run as root, so root runs it as nobody."""
    home = output.with_suffix(".home")
    home.mkdir(exist_ok=True)
    as_nobody = []
    if os.geteuid() == 0:
        shutil.chown(home, 65534, 65534)
        output.touch()
        shutil.chown(output, 65534, 65534)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    return ["env", f"HOME={home}", f"XDG_RUNTIME_DIR={home}", *as_nobody, "vlc", "--intf", "dummy", "--no-one-instance",
            "--no-media-library", "--quiet", *(["--rtsp-tcp"] if transport == "tcp" else []),
            url, "--sout", f"#std{{access=file,mux=ts,dst={output}}}", "--play-and-exit", "vlc://quit"]


PUBLISHERS = {"ffmpeg": ffmpeg_publisher, "gstreamer": gstreamer_publisher}
READERS = {"ffmpeg": ffmpeg_reader, "gstreamer": gstreamer_reader, "vlc": vlc_reader}


def readers():
    """VLC only where it can read RTSP: Debian 12 builds it without live555."""
    return [name for name in READERS if name != "vlc" or glob.glob("/usr/lib/*/vlc/plugins/access/liblive555_plugin.so")]

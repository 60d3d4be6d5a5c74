"""Real clients as commands: publishers of a fixture, readers into a file."""

import glob
import os
import shutil
from pathlib import Path

import media

HERE = Path(__file__).resolve().parent

# codec → (its name in RTP, how GStreamer reads it). The size of VP9 is not known before a key frame, and FFmpeg's
# payload header does not tell those from others.
GSTREAMER_READS = {
    "h264": ("H264", "rtph264depay ! h264parse"),
    "hevc": ("H265", "rtph265depay ! h265parse"),
    "vp8": ("VP8", "rtpvp8depay"),
    "vp9": ("VP9", f"rtpvp9depay ! capssetter caps=video/x-vp9,width={media.WIDTH},height={media.HEIGHT}"),
    "mjpeg": ("JPEG", "rtpjpegdepay"),
    "aac": ("MPEG4-GENERIC", "rtpmp4gdepay ! aacparse"),
    "opus": ("OPUS", "rtpopusdepay ! opusparse"),
    "pcm_alaw": ("PCMA", "rtppcmadepay"),
    "pcm_mulaw": ("PCMU", "rtppcmudepay"),
}
# What rtspclientsink sends AAC as: RFC 6416. FFmpeg: RFC 3640.
GSTREAMER_LATM = ("MP4A-LATM", "rtpmp4adepay ! aacparse")

GSTREAMER_PARSE = {"h264": "h264parse", "hevc": "h265parse", "aac": "aacparse", "opus": "opusparse"}

# rtspclientsink waits for all streams before it begins: what comes of one meanwhile must fit.
GSTREAMER_QUEUE = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=50000000"

# Transports as tests name them → as the client does, where that is another name. By TLS: the URL begins with rtsps.
FFMPEG_TRANSPORT = {"multicast": "udp_multicast", "tls": "tcp"}
GSTREAMER_TRANSPORT = {"multicast": "udp-mcast", "tls": "tcp"}


def ffmpeg_publisher(fixture, url, transport):
    return ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re", "-i", media.fixture(fixture),
            "-map", "0", "-c", "copy", "-strict", "experimental",  # its VP9 in RTP follows a draft
            "-f", "rtsp", "-rtsp_transport", FFMPEG_TRANSPORT.get(transport, transport), "-pkt_size", "1400", url]


def _tracks(fixture):
    """For each its pad of `matroskademux name=file`, the parser that follows, as "PARSER ! " or "", and its codec."""
    count = {"video": 0, "audio": 0}
    for codec in media.codecs(fixture):
        kind = media.kind(codec)
        yield f"file.{kind}_{count[kind]}", f"{GSTREAMER_PARSE[codec]} ! " if codec in GSTREAMER_PARSE else "", codec
        count[kind] += 1


def gstreamer_publisher(fixture, url, transport):
    pipeline = f"rtspclientsink name=sink location={url} protocols={GSTREAMER_TRANSPORT.get(transport, transport)} " \
               f"tls-validation-flags=0 filesrc location={media.fixture(fixture)} ! matroskademux name=file"
    for pad, parse, _ in _tracks(fixture):
        pipeline += f" {pad} ! {GSTREAMER_QUEUE} ! {parse}identity sync=true ! sink."
    return ["gst-launch-1.0", "-q", *pipeline.split()]


GSTREAMER_PAY = {
    "h264": "rtph264pay", "hevc": "rtph265pay", "vp8": "rtpvp8pay", "vp9": "rtpvp9pay", "mjpeg": "rtpjpegpay",
    "aac": "rtpmp4gpay", "opus": "rtpopuspay", "pcm_alaw": "rtppcmapay", "pcm_mulaw": "rtppcmupay",
}


def gstreamer_payloaders(fixture):
    """A pipeline for gstreamer_server.py."""
    pipeline = f"filesrc location={media.fixture(fixture)} ! matroskademux name=file"
    for number, (pad, parse, codec) in enumerate(_tracks(fixture)):
        pipeline += f" {pad} ! queue ! {parse}{GSTREAMER_PAY[codec]} name=pay{number} pt={96 + number}"
    return pipeline


# FFmpeg has no time for the first frame of a stream with B-frames if it came in the midst of one; Matroska wants one.
FFMPEG_TIMES = ["-bsf:v", r"setts=pts=if(eq(PTS\,NOPTS)\,DTS\,PTS)"]

# What has come is in the file, also when FFmpeg is killed.
FFMPEG_AT_ONCE = ["-cluster_time_limit", "200", "-flush_packets", "1"]


def ffmpeg_reader(fixture, publisher, url, transport, output):
    return ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning",
            "-rtsp_transport", FFMPEG_TRANSPORT.get(transport, transport), "-buffer_size", "2000000", "-i", url,
            "-map", "0", "-c", "copy", "-copyinkf", *FFMPEG_TIMES, "-f", "matroska", *FFMPEG_AT_ONCE, "-y", output]


def gstreamer_reader(fixture, publisher, url, transport, output):
    chains = []
    for codec in media.codecs(fixture):
        encoding, chain = GSTREAMER_LATM if (publisher, codec) == ("gstreamer", "aac") else GSTREAMER_READS[codec]
        chains.append(f"{encoding}={chain}")
    return [HERE / "gstreamer_reader.py", url, GSTREAMER_TRANSPORT.get(transport, transport), output, *chains]


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
            url + ("?vlcmulticast" if transport == "multicast" else ""), "--sout", f"#std{{access=file,mux=ts,dst={output}}}", "--play-and-exit", "vlc://quit"]


# VLC publishes nothing: its `--sout '#rtp{sdp=rtsp://…}'` makes it a server that others read from.
PUBLISHERS = {"ffmpeg": ffmpeg_publisher, "gstreamer": gstreamer_publisher}
PUBLISH_BY = ("tcp", "udp", "tls")
READERS = {"ffmpeg": ffmpeg_reader, "gstreamer": gstreamer_reader, "vlc": vlc_reader}
READ_BY = {
    "ffmpeg": ("tcp", "udp", "multicast", "tls"),
    "gstreamer": ("tcp", "udp", "multicast", "tls"),
    "vlc": ("tcp", "udp", "multicast"),  # live555 speaks no TLS
}
VLC_READS = {"h264", "hevc", "aac", "opus"}  # what it can put into MPEG-TS


def readers(fixture):
    """Who can read the fixture. VLC only where it can read RTSP: Debian 12 builds it without live555."""
    vlc = glob.glob("/usr/lib/*/vlc/plugins/access/liblive555_plugin.so") and VLC_READS.issuperset(media.codecs(fixture))
    return [name for name in READERS if name != "vlc" or vlc]

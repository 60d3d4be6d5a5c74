"""Files to publish, made once with FFmpeg in build/media, and the comparison of what came out with what went in.

Frames are compared in one form: access units of slices only, with start codes, for H264 and H265 (parameter sets,
delimiters and SEI may be repeated or left out on the way, and containers add their own); raw frames without ADTS
for AAC; packets as they are for Opus, VP8 and VP9. RTP has no JPEG headers, whoever reads makes some (RFC 2435), so of
MJPEG the decoded pictures are compared. G711 has no frames at all: the samples are."""

import fcntl
import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "media"
SECONDS = 25  # to compare 10 s, also where a busy machine starts the readers late

WIDTH, HEIGHT = 320, 240

PICTURE = ["-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate=30:duration={SECONDS}"]
TONE = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS},volume=0.5"]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", "keyint=30:min-keyint=30:scenecut=0:log-level=error"]
AAC = ["-c:a", "aac", "-b:a", "96k", "-ac", "2"]
OPUS = ["-c:a", "libopus", "-b:a", "64k", "-ac", "2"]
VPX = ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-g", "30", "-keyint_min", "30"]
# What RTP can carry: the tables of the standard and full range (RFC 2435).
MJPEG = ["mjpeg", "-huffman", "default", "-pix_fmt:v:1", "yuvj420p", "-q:v:1", "5", "-force_duplicated_matrix:v:1", "1"]
# Noise: any piece of it tells where it belongs. 20 ms in a packet.
G711 = ["-f", "lavfi", "-i", f"anoisesrc=sample_rate=8000:seed=7:amplitude=0.3:duration={SECONDS},asetnsamples=n=160"]

# name → arguments of FFmpeg, codecs of the tracks
FIXTURES = {
    "h264_b_aac": ([*PICTURE, *TONE, *X264, "-bf", "2", *AAC], ("h264", "aac")),
    # Three B-frames in a row, the middle one of which the others refer to.
    "h264_pyramid_aac": (
        [*PICTURE, *TONE, *X264, "-bf", "3", "-b_strategy", "0", "-x264-params", "b-pyramid=normal", *AAC], ("h264", "aac"),
    ),
    "h264_aac": ([*PICTURE, *TONE, *X264, "-bf", "0", *AAC], ("h264", "aac")),
    "h265_aac": ([*PICTURE, *TONE, *X265, *AAC], ("hevc", "aac")),
    "h265_opus": ([*PICTURE, *TONE, *X265, *OPUS], ("hevc", "opus")),
    "av1_opus": ([*PICTURE, *TONE, "-c:v", "libsvtav1", "-preset", "12", "-g", "30", *OPUS], ("av1", "opus")),
    "vp9_opus": ([*PICTURE, *TONE, "-c:v", "libvpx-vp9", *VPX, *OPUS], ("vp9", "opus")),
    "three_sounds": (
        [*PICTURE, *TONE, "-map", "0", "-map", "1", "-map", "1", "-map", "1", *X264, "-bf", "0", "-c:a:0", "libopus", "-c:a:1", "flac",
         "-c:a:2", "ac3"],
        ("h264", "opus", "flac", "ac3"),
    ),
    "h264": ([*PICTURE, *X264, "-bf", "2"], ("h264",)),
    "aac": ([*TONE, *AAC], ("aac",)),
    "opus": ([*TONE, *OPUS], ("opus",)),
    "h264_mp3": ([*PICTURE, *TONE, *X264, "-bf", "0", "-c:a", "libmp3lame", "-b:a", "96k", "-ac", "2"], ("h264", "mp3")),
    "h264_ac3": ([*PICTURE, *TONE, *X264, "-bf", "0", "-c:a", "ac3", "-b:a", "128k", "-ac", "2"], ("h264", "ac3")),
    "h264_opus": ([*PICTURE, *TONE, *X264, "-bf", "0", *OPUS], ("h264", "opus")),
    "vp8_pcma": ([*PICTURE, *G711, "-c:v", "libvpx", *VPX, "-c:a", "pcm_alaw"], ("vp8", "pcm_alaw")),
    "vp9_mjpeg_pcmu": (
        [*PICTURE, *G711, "-map", "0", "-map", "0", "-map", "1", "-c:v:0", "libvpx-vp9", *VPX, "-c:v:1", *MJPEG, "-c:a", "pcm_mulaw"],
        ("vp9", "mjpeg", "pcm_mulaw"),
    ),
    # 8 s from key frame to key frame.
    "long_gop": (
        [*PICTURE, *TONE, *X264[:-6], "-g", "240", "-keyint_min", "240", "-sc_threshold", "0", "-bf", "2", *AAC],
        ("h264", "aac"),
    ),
    # About 8 Mbit/s with a third of a second from key frame to key frame.
    "noise": (
        ["-f", "lavfi", "-i", f"nullsrc=size=320x240:rate=30:duration={SECONDS},geq=random(1)*255:128:128", "-c:v", "libx264",
         "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0", "-bf", "0",
         "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "4M"],
        ("h264",),
    ),
    # About 50 Mbit/s with 4 s from key frame to key frame: noise cannot be compressed.
    "large_gop": (
        ["-f", "lavfi", "-i", f"nullsrc=size=1280x720:rate=30:duration=17,geq=random(1)*255:128:128", "-c:v", "libx264",
         "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "120", "-keyint_min", "120", "-sc_threshold", "0",
         "-b:v", "50M", "-minrate", "50M", "-maxrate", "50M", "-bufsize", "25M"],
        ("h264",),
    ),
}

SLICES = {"h264": "1-5", "hevc": "0-31"}
FORM = {
    "h264": ["-c", "copy", "-bsf", f"h264_mp4toannexb,filter_units=pass_types={SLICES['h264']}"],
    "hevc": ["-c", "copy", "-bsf", f"hevc_mp4toannexb,filter_units=pass_types={SLICES['hevc']}"],
    "vp8": ["-c", "copy"],
    "vp9": ["-c", "copy"],
    "av1": ["-c", "copy"],
    "mjpeg": ["-c", "rawvideo", "-fps_mode", "passthrough"],
    "aac": ["-c", "copy", "-bsf", "aac_adtstoasc"],
    "opus": ["-c", "copy"],
    "flac": ["-c", "copy"],
    "ac3": ["-c", "copy"],
    "mp3": ["-c", "copy"],
    "pcm_alaw": ["-c", "copy"],
    "pcm_mulaw": ["-c", "copy"],
}
SAMPLES = {"pcm_alaw": "alaw", "pcm_mulaw": "mulaw"}  # of one byte each


def kind(codec):
    return "audio" if codec in ("aac", "opus", "flac", "ac3", "mp3", *SAMPLES) else "video"


def ffmpeg(*arguments, seconds=120):
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def fixture(name):
    return FOLDER / f"{name}-{SECONDS}s.mkv"


def codecs(name):
    return FIXTURES[name][1]


def make(name):
    path = fixture(name)
    if not path.exists():
        unfinished = path.with_suffix(".unfinished.mkv")
        ffmpeg(*FIXTURES[name][0], "-shortest", "-y", unfinished, seconds=300)
        os.replace(unfinished, path)


def make_all():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in FIXTURES:
            make(name)


def _options(path, codecs):
    """For each codec those that choose the file's only stream of it, in the form that is compared."""
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    streams = [stream["codec_name"] for stream in json.loads(done.stdout)["streams"]]
    for codec in codecs:
        if streams.count(codec) != 1:
            raise AssertionError(f"{path} should have one stream of {codec}, but has {streams}")
    return [["-map", f"0:{streams.index(codec)}", *FORM[codec]] for codec in codecs]


def _framemd5_lines(text):
    return [line.split(",") for line in text.split("\n") if line and not line.startswith("#")]


def contents(path, codecs):
    """For each codec what the file's only stream of it holds: of G711 the bytes, else the MD5 of each frame, in decoding
    order, as framemd5 tells them."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, codec) for codec in codecs]
        options = []
        for codec, chosen, output in zip(codecs, _options(path, codecs), outputs):
            options += [*chosen, "-f", SAMPLES.get(codec, "framemd5"), output]
        ffmpeg("-i", path, *options)
        return [
            output.read_bytes() if codec in SAMPLES else [line[5].strip() for line in _framemd5_lines(output.read_text())]
            for codec, output in zip(codecs, outputs)
        ]


def frames(path, codec):
    return contents(path, [codec])[0]


def frame_times(path, codec):
    """(MD5 as of frames(), seconds of its presentation)."""
    text = ffmpeg("-i", path, "-copyts", *_options(path, [codec])[0], "-f", "framemd5", "-")
    base = next(line for line in text.split("\n") if line.startswith("#tb 0:")).partition(":")[2].split("/")
    return [(line[5].strip(), int(line[2]) * int(base[0]) / int(base[1])) for line in _framemd5_lines(text)]


def decoded(name):
    """The MD5 of each picture of a fixture, decoded."""
    text = ffmpeg("-i", fixture(name), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    return [line[5].strip() for line in _framemd5_lines(text)]


WARM_UP = 30  # frames in which a reader may still drop some: GStreamer drops most of its first AAC packet


def compare(source, read, at_least):
    """After at most WARM_UP frames, `read` is to be a gapless run of `source`, of at least so many frames. What is
    wrong, or None. The very last frame may be cut, since whoever read it was stopped."""
    places = {}
    for i, frame in enumerate(source):
        places.setdefault(frame, []).append(i)
    best = (0, 0, 0)  # length, where in read, where in source
    for first in range(min(WARM_UP, len(read))):
        for start in places.get(read[first], []):
            run = 0
            while first + run < len(read) and start + run < len(source) and read[first + run] == source[start + run]:
                run += 1
            best = max(best, (run, first, start))
    verdict, after = _verdict("frames", len(read), best, at_least), best[0] + best[1]
    if verdict and after < len(read):
        verdict += f"; what follows them are the source's {places.get(read[after], 'none')}"
    return verdict


def _verdict(what, count, best, at_least):
    run, first, start = best
    if run >= at_least and first + run >= count - 1:
        return None
    return f"of {count} {what}, {run} from {first} on equal the source's from {start} on; wanted are {at_least}, up to the end"


PIECE = 160  # samples


def compare_samples(source, read, at_least):
    """As compare(), of bytes whose every piece occurs once."""
    best = (0, 0, 0)
    for first in range(0, min(WARM_UP * PIECE, len(read)), PIECE):
        start = source.find(read[first : first + PIECE])
        if start >= 0:
            common = os.path.commonprefix([read[first:], source[start:]])
            best = max(best, (len(common), first, start))
            if first + len(common) >= len(read) - 1:
                break
    return _verdict("samples", len(read), best, at_least)


@functools.cache
def _source(name):
    return contents(fixture(name), codecs(name))


def check(name, read_path, at_least_s=10):
    """Complaints about each stream of the fixture, compared with the file that a reader wrote."""
    duration = 17 if name == "large_gop" else SECONDS
    complaints = []
    for codec, source, read in zip(codecs(name), _source(name), contents(read_path, codecs(name))):
        comparison = compare_samples if codec in SAMPLES else compare
        complaint = comparison(source, read, int(len(source) * at_least_s / duration))
        if complaint:
            complaints.append(f"{codec}: {complaint}")
    return complaints

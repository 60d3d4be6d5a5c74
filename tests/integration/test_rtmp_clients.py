"""RTMP with real clients other than FFmpeg: rtmpdump, GStreamer, VLC, and nginx, which pulls, pushes and is pulled from.
What is read is what was published, frame by frame."""

import clients
import media
from harness import Ports, wait_until
from rtsp import wait_until_published
from test_rtmp_matrix import RtmpTestCase, framemd5, parse

FIXTURE = "h264_b_aac"
CODECS = media.codecs(FIXTURE)

NGINX = """load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log info;
events {{ worker_connections 64; }}
rtmp {{ access_log off; server {{
  listen 127.0.0.1:{port};
  application live {{ live on; }}
  application pulling {{ live on; pull rtmp://127.0.0.1:{sluice}/live; }}
  application pushing {{ live on; push rtmp://127.0.0.1:{sluice}/live; }}
}} }}
"""


class Clients(RtmpTestCase):
    time_limit_s = 60

    def check_file(self, path, times=True):
        """Of what a reader wrote."""
        text = media.ffmpeg("-i", path, "-copyts", *framemd5(CODECS, "-"))
        return self.check(FIXTURE, text, CODECS, times)

    def read_by(self, sluice, command, output, path="live/cam"):
        """Runs a reader until the publisher ends."""
        publisher = self.publish(sluice, FIXTURE, "rtmp", path)
        with (sluice.folder / "reader.log").open("wb") as log:
            reader = self.start(command, stdout=log, stderr=log)
        self.assertEqual(publisher.wait(25), 0)
        reader.wait(10)
        self.assertTrue(output.exists(), (sluice.folder / "reader.log").read_text(errors="replace"))

    def test_rtmpdump(self):
        sluice = self.rtmp_server()
        output = sluice.folder / "read.flv"
        self.read_by(sluice, ["rtmpdump", "-q", "--live", "-r", sluice.rtmp_url("live/cam"), "-o", output], output)
        self.assertEqual(self.check_file(output), [])

    def test_gstreamer_reads(self):
        sluice = self.rtmp_server()
        output = sluice.folder / "read.flv"
        self.read_by(sluice, ["gst-launch-1.0", "-q", "rtmp2src", f"location={sluice.rtmp_url('live/cam')}", "!", "filesink",
                              f"location={output}"], output)
        self.assertEqual(self.check_file(output), [])

    def test_vlc_reads(self):
        sluice = self.rtmp_server()
        sluice.folder.chmod(0o777)
        output = sluice.folder / "read.ts"
        command = clients.vlc_reader(FIXTURE, "ffmpeg", sluice.rtmp_url("live/cam"), "", output)
        self.read_by(sluice, command, output)
        for codec, source, read in zip(CODECS, media.contents(media.fixture(FIXTURE), CODECS), media.contents(output, CODECS)):
            self.assertIsNone(media.compare(source, read, 60), codec)

    def test_gstreamer_publishes(self):
        sluice = self.rtmp_server()
        muxed = sluice.folder / "muxed.flv"  # as flvmux makes it, which gives frames other times than Matroska did
        pipeline = f"filesrc location={media.fixture(FIXTURE)} ! matroskademux name=file flvmux name=mux streamable=true ! tee name=both " \
                   f"both. ! queue ! rtmp2sink location={sluice.rtmp_url('live/cam')} both. ! queue ! filesink location={muxed} buffer-mode=2"
        for pad, parse_by in (("video_0", "h264parse"), ("audio_0", "aacparse")):
            pipeline += f" file.{pad} ! {clients.GSTREAMER_QUEUE} ! {parse_by} ! identity sync=true ! mux."
        with (sluice.folder / "publisher.log").open("wb") as log:
            publisher = self.start(["gst-launch-1.0", "-q", *pipeline.split()], stdout=log, stderr=log)
        wait_until_published(sluice, "live/cam")
        output = sluice.folder / "read"
        reader = self.read(sluice.rtmp_url("live/cam"), CODECS, output)
        wait_until(lambda: output.exists() and output.read_text().count("\n0,") > 120, what="it is read", seconds=20)
        publisher.terminate()
        reader.wait(10)
        source = parse(media.ffmpeg("-i", muxed, "-copyts", *framemd5(CODECS, "-")), CODECS)
        self.assertEqual(self.check(FIXTURE, output.read_text(), CODECS, True, source=source), [])

    # --- nginx ---

    def nginx(self, sluice):
        """Its URL, with applications as NGINX says."""
        ports = Ports()
        self.addCleanup(ports.close)
        configuration = sluice.folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=sluice.folder, port=ports.base + 2, sluice=sluice.rtmp_port))
        log = sluice.folder / "nginx.log"
        self.start(["nginx", "-p", sluice.folder, "-e", log, "-c", configuration])
        wait_until(lambda: (sluice.folder / "nginx.pid").exists(), what="nginx runs")
        return f"rtmp://127.0.0.1:{ports.base + 2}"

    def publish_to(self, url, folder):
        with (folder / "publisher.log").open("wb") as log:
            return self.start(["ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-t", "12", "-i", media.fixture(FIXTURE), "-map",
                               "0", "-c", "copy", "-f", "flv", url], stdout=log, stderr=log)

    def check_read_from(self, url, publisher, folder):
        output = folder / "read"
        reader = self.read(url, CODECS, output)
        wait_until(lambda: output.exists() and output.read_text().count("\n0,") > 110, what="it is read", seconds=20)
        publisher.terminate()
        reader.kill()  # nginx may keep it waiting for the publisher's return
        reader.wait(10)
        self.assertEqual(self.check(FIXTURE, output.read_text(), CODECS, True), [])

    def test_nginx_pulls(self):
        sluice = self.rtmp_server()
        url = self.nginx(sluice)
        publisher = self.publish(sluice, FIXTURE, "rtmp", "live/cam")
        self.check_read_from(f"{url}/pulling/cam", publisher, sluice.folder)

    def test_nginx_pushes(self):
        sluice = self.rtmp_server()
        publisher = self.publish_to(f"{self.nginx(sluice)}/pushing/cam", sluice.folder)
        wait_until_published(sluice, "live/cam")
        self.check_read_from(sluice.rtmp_url("live/cam"), publisher, sluice.folder)

    def test_nginx_is_a_source(self):
        upstream = self.rtmp_server()  # only for its folder and ports
        url = self.nginx(upstream)
        publisher = self.publish_to(f"{url}/live/cam", upstream.folder)
        sluice = self.rtmp_server({"paths": {"cam": {"source": f"{url}/live/cam"}}})
        wait_until_published(sluice, "cam")
        self.check_read_from(sluice.rtmp_url("cam"), publisher, sluice.folder)

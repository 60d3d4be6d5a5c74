#!/usr/bin/python3
"""gstreamer_server.py PORT NAME=PIPELINE...: GStreamer's RTSP server, on this port of 127.0.0.1. It plays each pipeline,
whose payloaders are named pay0, pay1, …, from its beginning to each client that asks for /NAME.

In the environment: CREDENTIALS, as "digest USER PASSWORD" or "basic USER PASSWORD", are whose may read; CERTIFICATE,
certificate and key as PEM, makes it serve RTSPS only. Says "ready" when it listens."""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "reader"


def authentication():
    """None if everybody may read, without TLS."""
    credentials, certificate = os.environ.get("CREDENTIALS"), os.environ.get("CERTIFICATE")
    if not credentials and not certificate:
        return None
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_pem(certificate, -1))
    if not credentials:
        auth.set_default_token(token)
        return auth
    method, user, password = credentials.split()
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def main(port, *pipelines):
    Gst.init(None)
    server, auth = GstRtspServer.RTSPServer.new(), authentication()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    for permission in (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
        permissions.add_permission_for_role(ROLE, permission, True)
    for argument in pipelines:
        name, pipeline = argument.split("=", 1)
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(pipeline)
        if auth:
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory("/" + name, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])

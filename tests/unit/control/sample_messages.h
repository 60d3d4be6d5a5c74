// One of each message, with every member set to something that a default is not.
#pragma once

#include "ipc/control/messages.h"

#include <vector>

namespace sluice::control {

inline media::StreamDescription sample_description() {
  media::Track video{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", "packetization-mode=1"};
  media::Track audio{media::MediaKind::Audio, media::Codec::Pcma, 8, 8000, 1, "", ""};
  return {{video, audio}};
}

inline std::vector<Message> sample_messages() {
  RtspSettings rtsp{false, false, true, 8000, 8001, ":8000", "[::1]:8001", "224.1.0.0"};
  HlsSettings hls{HlsVariant::LowLatency, 7, 8, 9, 10, "*", {"10.0.0.0/8"}};
  WorkerSettings settings{1, 2, 3, 2, {1, 5}, true, 5, rtsp, hls};
  Credentials credentials{"DESCRIBE", "rtsp://host/path", "Basic dXNlcjpwYXNz"};
  return {Hello{7, 8, 9},
          LogLine{2, "text"},
          Connected{1, 2, "1.2.3.4:5"},
          Closed{1},
          Authorize{1, "path", "query", "1.2.3.4:5", credentials},
          Mux{1, "path", "1.2.3.4"},
          MuxerReady{1},
          MuxerEnded{1, Refusal::NoPublisher, "reason"},
          MuxerUsed{1},
          Describe{1, "path", "query", "1.2.3.4:5", credentials},
          Admit{1, 2, 3, true, "path", "query", "1.2.3.4:5", credentials},
          Publish{1, 2, 3, true, "path", "query", "1.2.3.4:5", credentials, sample_description()},
          Record{1, 2},
          PublisherPaused{3},
          Read{1, 2, 3, true, "path", "query", "1.2.3.4:5", credentials},
          Claim{1, 2, true, "path", {"1.2.3.4:5", "1.2.3.4:6"}, "in use"},
          JoinMulticast{1, 2, 3},
          SourceReady{1, 2, sample_description()},
          SourceFailed{1, "reason"},
          SourceMoved{1, "rtsp://host/path"},
          Playing{3},
          ReaderPaused{3},
          Release{3, "path", {1, 2, 3, 4, 5, 6, 7, 8}},
          Pong{1},
          RingTooSmall{4, 1 << 20},
          DescriptionChanged{4, sample_description()},
          StrayDatagram{"1.2.3.4:5", true, 96, 7},
          HeardAll{3},
          HandOver{2, 3, 4, 5, 6, {1, 2, 3}},
          Welcome{1, 2, 3, 4, 5, 6, settings},
          Settings{1, 2, 3, settings},
          Certificate{"chain", "key", {"ticket key"}},
          Drain{},
          StreamSettings{1, 2, 3, true},
          Described{1, sample_description()},
          Redirected{1, "/other"},
          Refused{1, Refusal::Unauthorized, "reason", {"Basic realm=\"IPCAM\""}},
          Admitted{1},
          PublishGranted{1, 2, 3, 4, 5, true, true, 6},
          Recorded{1},
          Claimed{1},
          ReadGranted{1, 2, 3, true},
          MulticastGranted{1, {"224.1.0.1"}, 2, 3, 4},
          SendMulticast{1, 2, {"224.1.0.1"}, 3, 4, 5, {6}},
          StopMulticast{1},
          StartSource{1, "path", "rtsp://host/path", {"1.2.3.4:5"}, SourceTransport::Tcp, true, "print"},
          StopSource{1},
          StartMuxer{1, "path", true},
          StopMuxer{1},
          MuxerGranted{1, 2},
          MuxerWithdrawn{1},
          ForgetVerdicts{},
          StrayOffer{1, true, {"1.2.3.4:5", true, 96, 7}},
          RingReplaced{1},
          RingKept{1},
          StreamEnded{1},
          Ping{1},
          Kick{1, "terminated", 2},
          Shutdown{}};
}

} // namespace sluice::control

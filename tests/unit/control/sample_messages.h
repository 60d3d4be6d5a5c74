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
  WorkerSettings settings{false, true, 1, 2, 3, 8000, 8001, ":8000", "[::1]:8001", 2};
  return {Hello{7, 8, 9},
          LogLine{2, "text"},
          Describe{1, "path", "1.2.3.4:5"},
          Publish{1, 2, "path", "1.2.3.4:5", sample_description()},
          Record{1, 2},
          PublisherPaused{3},
          Read{1, 2, "path", "1.2.3.4:5"},
          Release{3},
          RingTooSmall{4, 1 << 20},
          DescriptionChanged{4, sample_description()},
          HandOver{2, 3, 4, {1, 2, 3}},
          Welcome{1, 2, 3, 4, 5, settings},
          Described{1, sample_description()},
          Refused{1, Refusal::Unavailable, "reason"},
          PublishGranted{1, 2, 3, 4, 5, 6},
          Recorded{1},
          ReadGranted{1, 2, 3},
          RingReplaced{1},
          StreamEnded{1},
          Kick{1, "terminated"},
          Shutdown{}};
}

} // namespace sluice::control

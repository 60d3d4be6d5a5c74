// The client's side of RTSP (RFC 2326), as a source pulls a stream with it: OPTIONS, DESCRIBE, SETUP of every track,
// then PLAY, keep-alives, and TEARDOWN. A machine without I/O: events go in, with the time, and effects come out, which
// the owner performs in order. After Moved or Failed, and after stop(), nothing more comes of it.
#pragma once

#include "common/base/time.h"
#include "common/media/stream_description.h"
#include "workers/rtsp/protocol/client_credentials.h"
#include "workers/rtsp/protocol/client_transport.h"
#include "workers/rtsp/protocol/request.h"
#include "workers/rtsp/protocol/response.h"

#include <array>
#include <deque>
#include <variant>

namespace sluice::rtsp {

struct ClientOptions {
  Url url; // may hold userinfo
  ClientTransport transport = ClientTransport::Automatic;
  bool any_port = false;        // the server's ports are not told or not checked
  Nanoseconds read_timeout = 0; // for an answer, and between packets
  std::string client_nonce;     // nobody can guess it
};

namespace client {
struct Send { // may hold credentials
  std::string bytes;
};
struct OpenPorts { // → on_ports()
  size_t track = 0;
};
struct TrackSetUp { // its sockets are to be connected, or its group joined
  size_t track = 0;
  MediaRoute route;
};
struct Ready {};     // all tracks are set up → play()
struct StartOver {}; // close all sockets, connect again → on_connected()
struct Moved {
  Url url; // with the userinfo that the server gave it, if any
};
struct Failed {
  std::string reason; // without credentials
};
} // namespace client

using ClientEffect = std::variant<client::Send, client::OpenPorts, client::TrackSetUp, client::Ready, client::StartOver,
                                  client::Moved, client::Failed>;
using ClientEffects = std::vector<ClientEffect>;

// Packets that come between the messages. Valid during the call. Error: the connection can't go on.
class ClientMedia {
public:
  virtual Result<void> on_interleaved(size_t track, bool rtcp, Bytes packet) = 0;

protected:
  ~ClientMedia() = default;
};

class Client {
public:
  explicit Client(ClientOptions options);

  // --- events ---

  void on_connected(Nanoseconds now, ClientEffects &effects);
  // What the input begins with: one message or packet. The bytes it took; 0: more are needed, or it is over.
  size_t on_input(Bytes input, Nanoseconds now, ClientMedia &media, ClientEffects &effects);
  void on_ports(const PortPair &ports, Nanoseconds now, ClientEffects &effects);
  void play(Nanoseconds now, ClientEffects &effects);
  // RTP or RTCP came by datagram.
  void on_packet(Nanoseconds now) { last_packet_ = now; }
  // At `deadline`, or later.
  void on_time(Nanoseconds now, ClientEffects &effects);
  std::optional<Nanoseconds> deadline() const;
  void stop(Nanoseconds now, ClientEffects &effects);

  // --- facts ---

  bool over_tcp() const { return transport_ == ClientTransport::Tcp; }
  bool playing() const { return step_ == Step::Playing; }
  // From Ready on.
  const media::StreamDescription &description() const { return description_; }

private:
  enum class Step : uint8_t { Connecting, Options, Describe, Ports, Setup, Ready, Play, Playing, Over };
  struct Exchange {
    uint32_t cseq = 0;
    Method method = Method::Options;
    uint8_t rejections = 0; // 401 to the same request before
    bool authorized = false;
    bool keep_alive = false;
  };
  static constexpr size_t kMaxExchanges = 8; // unanswered; older ones are forgotten
  static constexpr uint8_t kMaxRejections = 3;

  void set_step(Step next);
  void fail(std::string reason, ClientEffects &effects);
  void request(Exchange exchange, Nanoseconds now, ClientEffects &effects);
  std::string request_text(Exchange &exchange);
  std::string target(const Exchange &exchange) const;

  void on_frame(uint8_t channel, Bytes packet, Nanoseconds now, ClientMedia &media, ClientEffects &effects);
  void on_request(const Request &request, ClientEffects &effects);
  void on_response(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  std::optional<Exchange> take_exchange(const Headers &headers);
  void on_unauthorized(Exchange exchange, const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  void on_moved(const Headers &headers, ClientEffects &effects);
  void on_options(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  void on_described(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  void on_set_up(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  void on_playing(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects);
  void on_kept_alive(const ParsedResponse &response);
  void set_up_next(Nanoseconds now, ClientEffects &effects);
  void ask_for_setup(Nanoseconds now, ClientEffects &effects);
  Result<void> take_channels(const PortPair &channels);
  void read_session(const Headers &headers);
  void start_over(Nanoseconds now, ClientEffects &effects);
  void tear_down(Nanoseconds now, ClientEffects &effects);
  void check_media(Nanoseconds now, ClientEffects &effects);
  Nanoseconds media_deadline() const;

  ClientOptions options_;
  Url url_; // of the requests: without userinfo
  ClientCredentials credentials_;
  ClientTransport transport_;
  bool may_fall_back_; // to TCP
  Step step_ = Step::Connecting;
  ParseHint hint_; // of the message that the input begins with

  uint32_t next_cseq_ = 1;
  std::deque<Exchange> exchanges_; // sent, unanswered, the oldest first
  Nanoseconds answer_due_ = 0;

  bool has_get_parameter_ = false;
  Url base_;
  std::string session_; // "" = none yet
  Nanoseconds keep_alive_interval_ = 0, next_keep_alive_ = 0;
  media::StreamDescription description_;
  std::vector<std::string> track_urls_;
  size_t track_ = 0;                    // that is being set up
  PortPair asked_;                      // ports or channels of it
  std::array<uint8_t, 256> channels_{}; // of packets: 1 + 2 * track + rtcp, or 0

  Nanoseconds playing_since_ = 0;
  std::optional<Nanoseconds> last_packet_;
};

} // namespace sluice::rtsp

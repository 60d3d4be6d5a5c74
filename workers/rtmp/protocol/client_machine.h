// The client's side of RTMP, as a source pulls a stream with it: handshake, connect, createStream, play, media. A
// machine without I/O, used as ServerMachine (machine.h) is. Timeouts are the owner's. After Moved, Ended, Failed or an
// Error nothing more comes of it.
#pragma once

#include "workers/rtmp/protocol/acknowledger.h"
#include "workers/rtmp/protocol/chunk_reader.h"
#include "workers/rtmp/protocol/handshake.h"
#include "workers/rtmp/protocol/media_message.h"
#include "workers/rtmp/protocol/messages.h"
#include "workers/rtmp/protocol/url.h"

#include <variant>

namespace sluice::rtmp {

struct ClientOptions {
  Url url;           // its userinfo goes into the query (stream_request())
  uint64_t seed = 0; // nobody needs to be unable to guess it
};

namespace client {
struct Playing {}; // the server has said so; or it has not, and the sink has the first of its media already
struct Moved {
  Url url; // with the userinfo that the server gave it, if any
};
struct Ended { // the stream, after Playing
  std::string reason;
};
struct Failed {
  std::string reason; // without credentials
};
} // namespace client

using ClientEffect = std::variant<client::Playing, client::Moved, client::Ended, client::Failed>;
using ClientEffects = std::vector<ClientEffect>;

class ClientMachine {
public:
  explicit ClientMachine(ClientOptions options);

  // Once connected.
  void start(ByteVector &out);
  // Takes what the input begins with, at most one message. The bytes taken; 0: more are needed, or it is over.
  // Error: the server's fault, or the sink's.
  Result<size_t> on_input(Bytes input, MediaSink &media, ClientEffects &effects, ByteVector &out);
  // Tells the server, if it plays, that no more is wanted.
  void stop(ByteVector &out);

  bool playing() const { return state_ == State::Playing; }
  bool over() const { return state_ == State::Over; }

private:
  enum class State : uint8_t { Start, Handshake, Connect, CreateStream, Play, Playing, Over };

  void set_state(State next);
  Result<size_t> take(Bytes input, MediaSink &media, ClientEffects &effects, ByteVector &out);
  Result<void> on_message(const Message &message, MediaSink &media, ClientEffects &effects, ByteVector &out);
  Result<void> on_media(const Message &message, MediaSink &media, ClientEffects &effects);
  Result<void> on_user_control(const Message &message, ClientEffects &effects, ByteVector &out);
  Result<void> on_command(const Message &message, ClientEffects &effects, ByteVector &out);
  void on_result(const Command &command, ClientEffects &effects, ByteVector &out);
  void on_error(const Command &command, ClientEffects &effects);
  void on_moved(const AmfValue &ex, ClientEffects &effects);
  void on_status(const AmfValue &info, ClientEffects &effects);
  void connect(ByteVector &out);
  void play(uint32_t stream, ByteVector &out);
  void begin(ClientEffects &effects);
  void end(ClientEffect effect, ClientEffects &effects);
  void send(uint32_t stream, const Command &command, ByteVector &out);

  Url url_; // without userinfo
  StreamRequest request_;
  State state_ = State::Start;
  std::optional<ClientHandshake> handshake_;
  ChunkReader reader_;
  MediaInput media_input_;
  uint32_t stream_ = 0;
  Acknowledger acknowledger_;
};

} // namespace sluice::rtmp

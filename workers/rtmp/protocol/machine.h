// The server's side of RTMP: handshake, commands, and who publishes or plays. A machine without I/O: input goes in,
// and bytes to send are appended to an output. What is to be decided by others comes out as an effect; media goes to a
// MediaSink. It keeps no pointers into its input. What limits its time (section 11.2: publish or play within
// readTimeout) is the owner's.
//
//   while (size_t taken = TRY(machine.on_input(input, …))) { perform the effects; drop `taken` bytes of the input }
//
// After PublishRequested or PlayRequested nothing is taken until accept_publish(), accept_play() or refuse(). After an
// Error nothing more comes of it; the output may hold what the client is still to be told before the connection closes.
#pragma once

#include "workers/rtmp/protocol/acknowledger.h"
#include "workers/rtmp/protocol/chunk_reader.h"
#include "workers/rtmp/protocol/handshake.h"
#include "workers/rtmp/protocol/media_message.h"
#include "workers/rtmp/protocol/messages.h"

#include <variant>

namespace sluice::rtmp {

// What enhanced RTMP (v2) calls codecs by; those that this server hands on.
constexpr std::string_view kVideoFourCcs[] = {"avc1", "hvc1", "av01", "vp09", "vp08"};
constexpr std::string_view kAudioFourCcs[] = {"mp4a", "Opus", "fLaC", "ac-3", ".mp3"};
constexpr size_t kMaxFourCcs = 64; // of a client; more are not looked at

// What a client's `connect` says.
struct ClientFacts {
  std::string app, tc_url, flash_version;
  double object_encoding = 0;
  bool enhanced = false;             // it named anything of enhanced RTMP
  std::vector<std::string> four_ccs; // that it can take, sorted; "*" = any
  uint32_t caps_ex = 0;              // bits: 0 reconnect, 1 multitrack, 2 ModEx, 3 nanosecond offsets

  bool takes(std::string_view four_cc) const;
};

struct ServerOptions {
  uint64_t seed = 0;     // nobody needs to be unable to guess it
  uint32_t time_ms = 0;  // of the server's clock
  std::string rejection; // why no client is accepted (NetConnection.Connect.Rejected); "" = they are
};

namespace server {
struct PublishRequested {
  std::string path, query;
  std::string app_url; // the client's tcUrl
};
struct PlayRequested {
  std::string path, query;
  std::string app_url;
};
struct PauseChanged { // by a reader
  bool paused = false;
};
struct Finished {}; // the client has ended its publishing or playing; it may go on with another one
} // namespace server

using ServerEffect =
    std::variant<server::PublishRequested, server::PlayRequested, server::PauseChanged, server::Finished>;
using ServerEffects = std::vector<ServerEffect>;

enum class Refusal : uint8_t {
  PublishDenied,  // NetStream.Publish.Denied
  BadName,        // NetStream.Publish.BadName
  StreamNotFound, // NetStream.Play.StreamNotFound
  PlayFailed,     // NetStream.Play.Failed
};

class ServerMachine {
public:
  explicit ServerMachine(ServerOptions options);
  ~ServerMachine(); // wipes what may hold credentials

  // Takes what the input begins with, at most one message. The bytes taken; 0: more are needed, or an answer.
  Result<size_t> on_input(Bytes input, MediaSink &media, ServerEffects &effects, ByteVector &out);

  void accept_publish(ByteVector &out);
  // Media may follow, on message stream stream().
  void accept_play(ByteVector &out);
  // The client may try again, unless the connection is closed.
  void refuse(Refusal refusal, std::string_view description, ByteVector &out);

  // The stream that is played has ended: the client is told, behind the last of its media.
  void end_play(ByteVector &out);
  // The publisher is sent away.
  void end_publish(ByteVector &out);
  // The client answers it; of no consequence here.
  void ping(uint32_t time_ms, ByteVector &out);

  // --- facts ---

  bool publishing() const { return state_ == State::Publishing; }
  bool playing() const { return state_ == State::Playing; }
  uint32_t stream() const { return stream_; }
  const ClientFacts &client() const { return client_; } // once connected

private:
  enum class State : uint8_t { Handshake, Connect, Idle, AskingPublish, AskingPlay, Publishing, Playing, Over };

  void set_state(State next);
  Result<size_t> take(Bytes input, MediaSink &media, ServerEffects &effects, ByteVector &out);
  Result<void> on_message(const Message &message, MediaSink &media, ServerEffects &effects, ByteVector &out);
  Result<void> on_user_control(const Message &message, ByteVector &out);
  Result<void> on_command(const Message &message, ServerEffects &effects, ByteVector &out);
  Result<void> perform(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out);
  Result<void> on_connect(const Command &command, ByteVector &out);
  Result<void> reject(const Command &command, const std::string &reason, ByteVector &out);
  void answer_connect(const Command &command, ByteVector &out);
  Result<void> on_publish(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out);
  Result<void> on_play(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out);
  void on_close(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out);
  void on_pause(const Command &command, ServerEffects &effects, ByteVector &out);
  void on_harmless(const Command &command, uint32_t stream, ByteVector &out);
  void tell(uint32_t chunk_stream, uint32_t stream, const Command &command, ByteVector &out);
  void answer(const Command &command, AmfValue value, ByteVector &out);
  void status(uint32_t stream, std::string_view level, std::string_view code, std::string_view description,
              ByteVector &out);

  ServerOptions options_;
  State state_ = State::Handshake;
  std::optional<ServerHandshake> handshake_;
  ChunkReader reader_;
  MediaInput media_input_;
  ClientFacts client_;
  uint32_t stream_ = 0;      // of the role, or of the one that is asked for
  uint32_t next_stream_ = 1; // that createStream names
  bool fc_published_ = false;
  Acknowledger acknowledger_;
};

} // namespace sluice::rtmp

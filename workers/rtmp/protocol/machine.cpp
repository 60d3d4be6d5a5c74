#include "workers/rtmp/protocol/machine.h"

#include "common/base/check.h"
#include "common/base/secret.h"

#include <algorithm>

namespace sluice::rtmp {
namespace {

std::string_view code_of(Refusal refusal) {
  switch (refusal) {
  case Refusal::PublishDenied:
    return "NetStream.Publish.Denied";
  case Refusal::BadName:
    return "NetStream.Publish.BadName";
  case Refusal::StreamNotFound:
    return "NetStream.Play.StreamNotFound";
  case Refusal::PlayFailed:
    return "NetStream.Play.Failed";
  }
  CHECK(false);
}

} // namespace

bool ClientFacts::takes(std::string_view four_cc) const {
  auto has = [this](std::string_view name) { return std::binary_search(four_ccs.begin(), four_ccs.end(), name); };
  return has(four_cc) || has("*");
}

ServerMachine::ServerMachine(ServerOptions options)
    : options_(std::move(options)), handshake_(std::in_place, options_.seed, options_.time_ms) {}

ServerMachine::~ServerMachine() {
  wipe(client_.app);
  wipe(client_.tc_url);
}

void ServerMachine::set_state(State next) {
  switch (next) {
  case State::Handshake:
    CHECK(false);
  case State::Connect:
    CHECK(state_ == State::Handshake);
    break;
  case State::Idle:
    CHECK(state_ != State::Handshake && state_ != State::Over);
    break;
  case State::AskingPublish:
  case State::AskingPlay:
    CHECK(state_ == State::Idle);
    break;
  case State::Publishing:
    CHECK(state_ == State::AskingPublish);
    break;
  case State::Playing:
    CHECK(state_ == State::AskingPlay);
    break;
  case State::Over:
    break;
  }
  state_ = next;
}

Result<size_t> ServerMachine::on_input(Bytes input, MediaSink &media, ServerEffects &effects, ByteVector &out) {
  if (state_ == State::AskingPublish || state_ == State::AskingPlay || state_ == State::Over) return 0;
  auto taken = take(input, media, effects, out);
  if (!taken)
    set_state(State::Over);
  else
    acknowledger_.on_received(*taken, out);
  return taken;
}

Result<size_t> ServerMachine::take(Bytes input, MediaSink &media, ServerEffects &effects, ByteVector &out) {
  if (state_ == State::Handshake) {
    size_t taken = TRY(handshake_->on_input(input, out));
    if (handshake_->done()) {
      handshake_.reset();
      set_state(State::Connect);
    }
    return taken;
  }
  ChunkReader::Taken taken = TRY(reader_.next(input));
  if (taken.message) TRY(on_message(*taken.message, media, effects, out));
  return taken.bytes;
}

Result<void> ServerMachine::on_message(const Message &message, MediaSink &media, ServerEffects &effects,
                                       ByteVector &out) {
  switch (message.type) {
  case MessageType::Audio:
  case MessageType::Video:
  case MessageType::DataAmf0:
  case MessageType::DataAmf3:
  case MessageType::Aggregate:
    return publishing() ? media_input_.on_message(message, media) : Result<void>();
  case MessageType::CommandAmf0:
  case MessageType::CommandAmf3:
    return on_command(message, effects, out);
  case MessageType::UserControl:
    return on_user_control(message, out);
  case MessageType::WindowAckSize:
    acknowledger_.set_window(TRY(parse_control_number(message.payload)));
    return {};
  case MessageType::SetChunkSize:
  case MessageType::Abort:
  case MessageType::Acknowledgement:
  case MessageType::SetPeerBandwidth:
  case MessageType::SharedObjectAmf0:
  case MessageType::SharedObjectAmf3:
    return {};
  }
  return {}; // a type that is not known
}

Result<void> ServerMachine::on_user_control(const Message &message, ByteVector &out) {
  UserControl control = TRY(parse_user_control(message.payload));
  if (control.event == UserControlEvent::PingRequest)
    put_user_control(out, {.event = UserControlEvent::PingResponse, .value = control.value});
  return {};
}

// Who has said in `connect` that it speaks AMF3 (section 7.2.1.1, objectEncoding) is told so from then on.
void ServerMachine::tell(uint32_t chunk_stream, uint32_t stream, const Command &command, ByteVector &out) {
  constexpr double kAmf3 = 3;
  put_command(out, chunk_stream, stream, command, kSentChunkBytes,
              client_.object_encoding == kAmf3 ? MessageType::CommandAmf3 : MessageType::CommandAmf0);
}

void ServerMachine::status(uint32_t stream, std::string_view level, std::string_view code, std::string_view description,
                           ByteVector &out) {
  AmfValue info = AmfValue::object({{"level", level}, {"code", code}, {"description", description}});
  tell(kStatusChunkStream, stream, {.name = "onStatus", .arguments = {AmfValue::null(), std::move(info)}}, out);
}

void ServerMachine::accept_publish(ByteVector &out) {
  set_state(State::Publishing);
  media_input_ = MediaInput();
  if (std::exchange(fc_published_, false)) {
    AmfValue info = AmfValue::object({{"code", "NetStream.Publish.Start"}, {"description", "publish start"}});
    tell(kCommandChunkStream, 0, {.name = "onFCPublish", .arguments = {AmfValue::null(), info}}, out);
  }
  status(stream_, "status", "NetStream.Publish.Start", "publish start", out);
}

void ServerMachine::accept_play(ByteVector &out) {
  set_state(State::Playing);
  reader_.release();
  put_control_number(out, MessageType::SetChunkSize, kSentChunkBytes);
  put_user_control(out, {.event = UserControlEvent::StreamIsRecorded, .value = stream_});
  put_user_control(out, {.event = UserControlEvent::StreamBegin, .value = stream_});
  status(stream_, "status", "NetStream.Play.Reset", "play reset", out);
  status(stream_, "status", "NetStream.Play.Start", "play start", out);
  status(stream_, "status", "NetStream.Data.Start", "data start", out);
  status(stream_, "status", "NetStream.Play.PublishNotify", "publish notify", out);
}

void ServerMachine::refuse(Refusal refusal, std::string_view description, ByteVector &out) {
  CHECK(state_ == State::AskingPublish || state_ == State::AskingPlay);
  set_state(State::Idle);
  fc_published_ = false;
  status(stream_, "error", code_of(refusal), description, out);
}

void ServerMachine::end_play(ByteVector &out) {
  CHECK(playing());
  set_state(State::Idle);
  put_user_control(out, {.event = UserControlEvent::StreamEof, .value = stream_});
  status(stream_, "status", "NetStream.Play.UnpublishNotify", "the stream has ended", out);
  status(stream_, "status", "NetStream.Play.Stop", "play stop", out);
}

void ServerMachine::end_publish(ByteVector &out) {
  CHECK(publishing());
  set_state(State::Idle);
  status(stream_, "status", "NetStream.Unpublish.Success", "publish stop", out);
}

void ServerMachine::ping(uint32_t time_ms, ByteVector &out) {
  put_user_control(out, {.event = UserControlEvent::PingRequest, .value = time_ms});
}

} // namespace sluice::rtmp

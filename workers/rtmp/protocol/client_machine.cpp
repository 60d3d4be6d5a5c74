#include "workers/rtmp/protocol/client_machine.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "workers/rtmp/protocol/machine.h"

#include <fmt/format.h>

namespace sluice::rtmp {
namespace {

// As FFmpeg presents itself: servers choose by it what they send.
constexpr std::string_view kClientVersion = "LNX 9,0,124,2";
constexpr double kCapabilities = 15, kAudioCodecs = 4071, kVideoCodecs = 252, kVideoFunction = 1;
constexpr double kClientCapsEx = 2 | 4 | 8; // multitrack, ModEx, nanosecond offsets
constexpr double kConnectTransaction = 1, kCreateStreamTransaction = 2, kPlayTransaction = 3;
constexpr double kLiveOrRecorded = -2000;
constexpr uint32_t kBufferLengthMs = 3000;
constexpr uint32_t kWindowAckSize = 2500000;
constexpr size_t kMaxReasonBytes = 256;

AmfValue four_cc_list() {
  AmfValue list(AmfType::StrictArray);
  for (std::string_view name : kVideoFourCcs) list.items.emplace_back(name);
  for (std::string_view name : kAudioFourCcs) list.items.emplace_back(name);
  return list;
}

// The information object of an answer, wherever it stands.
const AmfValue *info_of(const Command &command) {
  for (const AmfValue &argument : command.arguments)
    if (argument.find("code") != nullptr) return &argument;
  return nullptr;
}

std::string_view code_of(const AmfValue *info) {
  return info == nullptr ? std::string_view() : info->string_of("code").value_or(std::string_view());
}

std::string reason_of(const AmfValue *info, std::string_view otherwise) {
  std::string_view code = code_of(info);
  std::string reason(code.empty() ? otherwise : code);
  if (info != nullptr)
    if (auto text = info->string_of("description"); text && !text->empty()) reason += fmt::format(" ({})", *text);
  return printable(reason, kMaxReasonBytes);
}

// Of Connect.Rejected where a server sends its clients elsewhere; null if it does not.
const AmfValue *redirection_of(const AmfValue *info) {
  const AmfValue *ex = info == nullptr ? nullptr : info->find("ex");
  return ex != nullptr && ex->string_of("redirect") ? ex : nullptr;
}

} // namespace

ClientMachine::ClientMachine(ClientOptions options)
    : url_(std::move(options.url)), request_(stream_request(url_)),
      handshake_(std::in_place, options.seed, /*is_signed=*/true) {
  url_.userinfo.clear();
}

void ClientMachine::set_state(State next) {
  CHECK(next == State::Over || static_cast<int>(next) == static_cast<int>(state_) + 1);
  state_ = next;
}

void ClientMachine::start(ByteVector &out) {
  set_state(State::Handshake);
  handshake_->start(out);
}

Result<size_t> ClientMachine::on_input(Bytes input, MediaSink &media, ClientEffects &effects, ByteVector &out) {
  if (state_ == State::Start || state_ == State::Over) return 0;
  auto taken = take(input, media, effects, out);
  if (!taken)
    set_state(State::Over);
  else if (!over())
    acknowledger_.on_received(*taken, out);
  return taken;
}

Result<size_t> ClientMachine::take(Bytes input, MediaSink &media, ClientEffects &effects, ByteVector &out) {
  if (state_ == State::Handshake) {
    size_t taken = TRY(handshake_->on_input(input, out));
    if (handshake_->done()) {
      handshake_.reset();
      set_state(State::Connect);
      connect(out);
    }
    return taken;
  }
  ChunkReader::Taken taken = TRY(reader_.next(input));
  if (taken.message) TRY(on_message(*taken.message, media, effects, out));
  return taken.bytes;
}

void ClientMachine::send(uint32_t stream, const Command &command, ByteVector &out) {
  put_command(out, kCommandChunkStream, stream, command, kDefaultChunkBytes);
}

void ClientMachine::connect(ByteVector &out) {
  AmfValue object = AmfValue::object({{"app", request_.app},
                                      {"flashVer", kClientVersion},
                                      {"tcUrl", url_.tc_url()},
                                      {"fpad", AmfValue::boolean(false)},
                                      {"capabilities", kCapabilities},
                                      {"audioCodecs", kAudioCodecs},
                                      {"videoCodecs", kVideoCodecs},
                                      {"videoFunction", kVideoFunction},
                                      {"objectEncoding", 0.0},
                                      {"fourCcList", four_cc_list()},
                                      {"capsEx", kClientCapsEx}});
  send(0, {.name = "connect", .transaction = kConnectTransaction, .arguments = {std::move(object)}}, out);
}

void ClientMachine::play(uint32_t stream, ByteVector &out) {
  stream_ = stream;
  set_state(State::Play);
  send(stream_,
       {.name = "play",
        .transaction = kPlayTransaction,
        .arguments = {AmfValue::null(), request_.stream, kLiveOrRecorded}},
       out);
  put_user_control(out, {.event = UserControlEvent::SetBufferLength, .value = stream_, .second = kBufferLengthMs});
}

void ClientMachine::stop(ByteVector &out) {
  if (state_ == State::Play || state_ == State::Playing) {
    AmfValues arguments = {AmfValue::null(), static_cast<double>(stream_)};
    send(0, {.name = "deleteStream", .arguments = std::move(arguments)}, out);
  }
  set_state(State::Over);
}

Result<void> ClientMachine::on_message(const Message &message, MediaSink &media, ClientEffects &effects,
                                       ByteVector &out) {
  switch (message.type) {
  case MessageType::Audio:
  case MessageType::Video:
  case MessageType::DataAmf0:
  case MessageType::DataAmf3:
  case MessageType::Aggregate:
    return on_media(message, media, effects);
  case MessageType::CommandAmf0:
  case MessageType::CommandAmf3:
    return on_command(message, effects, out);
  case MessageType::UserControl:
    return on_user_control(message, effects, out);
  case MessageType::WindowAckSize:
    acknowledger_.set_window(TRY(parse_control_number(message.payload)));
    return {};
  case MessageType::SetPeerBandwidth:
    put_control_number(out, MessageType::WindowAckSize, TRY(parse_control_number(message.payload)));
    return {};
  case MessageType::SetChunkSize:
  case MessageType::Abort:
  case MessageType::Acknowledgement:
  case MessageType::SharedObjectAmf0:
  case MessageType::SharedObjectAmf3:
    return {};
  }
  return {}; // a type that is not known
}

// Some servers send media without saying that they play. Data says nothing: it may be about a refusal.
Result<void> ClientMachine::on_media(const Message &message, MediaSink &media, ClientEffects &effects) {
  bool is_data = message.type == MessageType::DataAmf0 || message.type == MessageType::DataAmf3;
  if (state_ == State::Play && !is_data) begin(effects);
  if (state_ != State::Playing) return {};
  return media_input_.on_message(message, media);
}

Result<void> ClientMachine::on_user_control(const Message &message, ClientEffects &effects, ByteVector &out) {
  UserControl control = TRY(parse_user_control(message.payload));
  if (control.event == UserControlEvent::PingRequest)
    put_user_control(out, {.event = UserControlEvent::PingResponse, .value = control.value});
  if (control.event == UserControlEvent::StreamEof && playing()) end(client::Ended{"the stream has ended"}, effects);
  return {};
}

void ClientMachine::begin(ClientEffects &effects) {
  set_state(State::Playing);
  effects.push_back(client::Playing{});
}

void ClientMachine::end(ClientEffect effect, ClientEffects &effects) {
  set_state(State::Over);
  effects.push_back(std::move(effect));
}

Result<void> ClientMachine::on_command(const Message &message, ClientEffects &effects, ByteVector &out) {
  if (over()) return {};
  Command command = TRY(read_command(message));
  if (command.name == "_result") {
    on_result(command, effects, out);
  } else if (command.name == "_error") {
    on_error(command, effects);
  } else if (command.name == "onStatus" || command.name == "onPlayStatus") {
    if (const AmfValue *info = info_of(command)) on_status(*info, effects);
  } else if (command.name == "close") {
    end(client::Failed{"the server closes the connection"}, effects);
  }
  return {};
}

void ClientMachine::on_result(const Command &command, ClientEffects &effects, ByteVector &out) {
  if (state_ == State::Connect && command.transaction == kConnectTransaction) {
    set_state(State::CreateStream);
    put_control_number(out, MessageType::WindowAckSize, kWindowAckSize);
    send(0, {.name = "createStream", .transaction = kCreateStreamTransaction, .arguments = {AmfValue::null()}}, out);
    return;
  }
  if (state_ != State::CreateStream || command.transaction != kCreateStreamTransaction) return;
  for (const AmfValue &argument : command.arguments)
    if (argument.type == AmfType::Number) return play(amf_to_u32(argument.number), out);
  end(client::Failed{"the server makes a stream without a number"}, effects);
}

// To what else was asked nothing depends on an answer.
void ClientMachine::on_error(const Command &command, ClientEffects &effects) {
  const AmfValue *info = info_of(command);
  if (const AmfValue *ex = redirection_of(info)) return on_moved(*ex, effects);
  if (state_ == State::Connect && command.transaction == kConnectTransaction)
    return end(client::Failed{reason_of(info, "the server refuses the connection")}, effects);
  if (state_ == State::CreateStream && command.transaction == kCreateStreamTransaction)
    return end(client::Failed{reason_of(info, "the server makes no stream")}, effects);
  if (state_ == State::Play && command.transaction == kPlayTransaction)
    return end(client::Failed{reason_of(info, "the server does not play")}, effects);
}

// `redirect` is a tcUrl, beside which SRS has the whole URL as `redirect2`.
void ClientMachine::on_moved(const AmfValue &ex, ClientEffects &effects) {
  auto whole = ex.string_of("redirect2");
  auto url = whole ? parse_url(*whole) : parse_tc_url(*ex.string_of("redirect"), url_.stream);
  if (!url) return end(client::Failed{"the server redirects to what is no RTMP URL: " + url.error().message}, effects);
  end(client::Moved{std::move(*url)}, effects);
}

void ClientMachine::on_status(const AmfValue &info, ClientEffects &effects) {
  std::string_view code = code_of(&info);
  if (info.string_of("level") == "error" || code == "NetStream.Play.StreamNotFound" ||
      code == "NetStream.Play.Failed" || code == "NetConnection.Connect.Rejected" ||
      code == "NetConnection.Connect.Closed") {
    if (const AmfValue *ex = redirection_of(&info)) return on_moved(*ex, effects);
    return end(client::Failed{reason_of(&info, "the server reports an error")}, effects);
  }
  if (code == "NetStream.Play.Start" && state_ == State::Play) return begin(effects);
  bool is_end =
      code == "NetStream.Play.UnpublishNotify" || code == "NetStream.Play.Stop" || code == "NetStream.Play.Complete";
  if (is_end && playing()) end(client::Ended{reason_of(&info, "the stream has ended")}, effects);
}

} // namespace sluice::rtmp

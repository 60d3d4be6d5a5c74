#include "tests/bench/fanout/rtmp_client.h"

#include "workers/rtmp/protocol/handshake.h"

#include <sys/socket.h>

#include <array>

namespace sluice::fanout {
namespace {

using rtmp::AmfValue;

constexpr const char *kApp = "", *kAppUrl = "rtmp://127.0.0.1/";

void append(ByteVector &bytes, Bytes more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Result<void> receive_all(int fd, MutableBytes out) {
  if (recv(fd, out.data(), out.size(), MSG_WAITALL) != static_cast<ssize_t>(out.size()))
    return os_error("the server's handshake");
  return {};
}

} // namespace

bool RtmpParser::feed(Bytes input, const OnMessage &on_message) {
  ByteVector joined;
  if (!partial_.empty()) {
    joined = std::exchange(partial_, {});
    append(joined, input);
    input = joined;
  }
  while (!input.empty()) {
    auto taken = reader_.next(input);
    if (!taken) return false;
    if (taken->bytes == 0) break;
    append(wire_, input.first(taken->bytes));
    if (taken->message) {
      on_message(*taken->message, wire_);
      wire_.clear();
    }
    input = input.subspan(taken->bytes);
  }
  partial_.assign(input.begin(), input.end());
  return true;
}

void TimestampCheck::on_message(const rtmp::Message &message) {
  bool video = message.type == rtmp::MessageType::Video;
  if (!video && message.type != rtmp::MessageType::Audio) return;
  messages++;
  const double interval_ms = video ? 1000.0 / 30 : 1000.0 * 1024 / 48'000;
  std::optional<uint32_t> &last = last_ms_[video ? 1 : 0];
  if (last) {
    auto step = static_cast<int32_t>(message.timestamp - *last);
    double frames = step / interval_ms;
    if (step < 0) disordered++;
    if (frames > 2.5) lost += static_cast<uint64_t>(frames + 0.5) - 1;
  }
  last = message.timestamp;
}

Result<RtmpClient> RtmpClient::open(uint16_t port) {
  RtmpClient client(TRY(tcp_connect(port)));
  TRY(client.shake_hands());
  TRY(client.request(0, {"connect", 1, {AmfValue::object({{"app", kApp}, {"tcUrl", kAppUrl}})}}));
  TRY(client.await("_result"));
  TRY(client.request(0, {"createStream", 2, {AmfValue::null()}}));
  rtmp::Command created = TRY(client.await("_result"));
  const AmfValue *stream = created.argument(1);
  client.stream_ = stream == nullptr ? 0 : rtmp::amf_to_u32(stream->number);
  if (client.stream_ == 0) return Error{"the server names no message stream"};
  return client;
}

Result<void> RtmpClient::shake_hands() {
  ByteVector hello;
  rtmp::ClientHandshake handshake(1, false);
  handshake.start(hello);
  TRY(send(hello));
  ByteVector answer(1 + 2 * rtmp::kHandshakeBytes), reply;
  TRY(receive_all(fd(), answer));
  for (Bytes rest = answer; !rest.empty();) {
    size_t taken = TRY(handshake.on_input(rest, reply));
    if (taken == 0) return Error{"the server's handshake is of another length"};
    rest = rest.subspan(taken);
  }
  return send(reply);
}

Result<void> RtmpClient::send(Bytes bytes) {
  if (::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    return os_error("send of an RTMP client");
  return {};
}

Result<void> RtmpClient::request(uint32_t stream, rtmp::Command command) {
  ByteVector bytes;
  rtmp::put_command(bytes, rtmp::kCommandChunkStream, stream, command, rtmp::kDefaultChunkBytes);
  return send(bytes);
}

Result<void> RtmpClient::play(const std::string &path) {
  return request(stream_, {"play", 3, {AmfValue::null(), path, -2000.0}});
}

Result<void> RtmpClient::publish(const std::string &path) {
  TRY(request(stream_, {"publish", 3, {AmfValue::null(), path, "live"}}));
  TRY(await("onStatus"));
  return {};
}

Result<rtmp::Command> RtmpClient::await(std::string_view name) {
  std::optional<rtmp::Command> found;
  std::string refusal;
  auto on_message = [&](const rtmp::Message &message, Bytes) {
    if (message.type != rtmp::MessageType::CommandAmf0) return;
    auto command = rtmp::read_command(message);
    if (!command) return;
    const AmfValue *info = command->argument(1);
    bool failed = command->name == "_error" || (info != nullptr && info->string_of("level") == "error");
    if (failed) refusal = info == nullptr ? "_error" : std::string(info->string_of("code").value_or("_error"));
    if (command->name == name) found = std::move(*command);
  };
  while (!found && refusal.empty()) {
    std::array<uint8_t, 4096> piece;
    ssize_t got = recv(fd(), piece.data(), piece.size(), 0);
    if (got <= 0) return os_error("no answer to an RTMP client");
    if (!parser_.feed(Bytes(piece).first(static_cast<size_t>(got)), on_message)) return Error{"broken chunk stream"};
  }
  if (!refusal.empty()) return Error{"the server refuses: " + refusal};
  return std::move(*found);
}

} // namespace sluice::fanout

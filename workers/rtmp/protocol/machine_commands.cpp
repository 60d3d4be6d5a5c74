// What the server's side of RTMP makes of a client's commands.

#include "common/base/log.h"
#include "common/base/secret.h"
#include "workers/rtmp/protocol/machine.h"
#include "workers/rtmp/protocol/url.h"

#include <algorithm>

namespace sluice::rtmp {
namespace {

constexpr uint32_t kWindowAckSize = 2500000;
constexpr double kServerCapabilities = 31;
constexpr std::string_view kServerVersion = "LNX 9,0,124,2";
constexpr size_t kMaxShownBytes = 64;
constexpr size_t kMaxNameBytes = kMaxUrlBytes; // of an app, a tcUrl, a stream
constexpr size_t kMaxVersionBytes = 256;       // more of a client's is cut off

// Of enhanced RTMP.
constexpr uint32_t kCanDecode = 1, kCanForward = 4;
constexpr uint32_t kServerCapsEx = 2 | 4 | 8; // multitrack, ModEx, nanosecond offsets

// Asked for by encoders and players, and of no consequence here: an empty answer does. (Others that are not known stay
// without one, as clients expect it of servers that lack them.)
constexpr std::string_view kAnsweredWithNothing[] = {"releaseStream", "FCPublish", "FCUnpublish",
                                                     "FCSubscribe",   "_checkbw",  "checkBandwidth"};

std::string text_of(const AmfValue &object, std::string_view name) {
  return std::string(object.string_of(name).value_or(std::string_view()));
}

void add_four_cc(ClientFacts &facts, std::string_view name) {
  if ((name.size() == 4 || name == "*") && facts.four_ccs.size() < kMaxFourCcs) facts.four_ccs.emplace_back(name);
}

// "videoFourCcInfoMap" and its like: names with bits of what the client can do with each.
void add_info_map(ClientFacts &facts, const AmfValue *map) {
  if (map == nullptr) return;
  facts.enhanced = true;
  for (const AmfProperty &property : map->properties) {
    if (property.value.type != AmfType::Number) continue;
    if ((amf_to_u32(property.value.number) & (kCanDecode | kCanForward)) != 0) add_four_cc(facts, property.name);
  }
}

ClientFacts facts_of(const AmfValue &object) {
  ClientFacts facts{.app = text_of(object, "app"),
                    .tc_url = text_of(object, "tcUrl"),
                    .flash_version = text_of(object, "flashVer").substr(0, kMaxVersionBytes),
                    .object_encoding = object.number_of("objectEncoding").value_or(0),
                    .four_ccs = {}};
  if (const AmfValue *list = object.find("fourCcList"); list != nullptr) {
    facts.enhanced = true;
    for (const AmfValue &item : list->items)
      if (item.type == AmfType::String) add_four_cc(facts, item.text);
    for (const AmfProperty &property : list->properties) // written as an ECMA array
      if (property.value.type == AmfType::String) add_four_cc(facts, property.value.text);
  }
  add_info_map(facts, object.find("videoFourCcInfoMap"));
  add_info_map(facts, object.find("audioFourCcInfoMap"));
  if (auto caps = object.number_of("capsEx")) {
    facts.enhanced = true;
    facts.caps_ex = amf_to_u32(*caps);
  }
  std::sort(facts.four_ccs.begin(), facts.four_ccs.end());
  facts.four_ccs.erase(std::unique(facts.four_ccs.begin(), facts.four_ccs.end()), facts.four_ccs.end());
  return facts;
}

// Any of them may hold credentials. As deep as AMF is read.
void wipe_texts(AmfValue &value) {
  wipe(value.text);
  for (AmfProperty &property : value.properties) wipe_texts(property.value);
  for (AmfValue &item : value.items) wipe_texts(item);
}

template <size_t n> AmfValue info_map(const std::string_view (&four_ccs)[n]) {
  AmfValue map(AmfType::Object);
  for (std::string_view name : four_ccs) map.properties.push_back({std::string(name), kCanForward});
  return map;
}

Result<std::string_view> name_of_stream(const Command &command) {
  const AmfValue *name = command.argument(1);
  if (name != nullptr && command.name == "play2") name = name->find("streamName");
  if (name == nullptr || name->type != AmfType::String) return Error{command.name + " without the name of a stream"};
  if (name->text.size() > kMaxNameBytes) return Error{"the name of a stream is too long"};
  return std::string_view(name->text);
}

} // namespace

Result<void> ServerMachine::on_command(const Message &message, ServerEffects &effects, ByteVector &out) {
  auto command = read_command(message);
  reader_.wipe_message();
  if (!command) return command.error();
  auto performed = perform(*command, message.stream, effects, out);
  for (AmfValue &argument : command->arguments) wipe_texts(argument);
  return performed;
}

Result<void> ServerMachine::perform(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out) {
  if (state_ == State::Connect) {
    if (command.name == "connect") return on_connect(command, out);
    return Error{"the first command is not connect but " + printable(command.name, kMaxShownBytes)};
  }
  if (command.name == "publish") return on_publish(command, stream, effects, out);
  if (command.name == "play" || command.name == "play2") return on_play(command, stream, effects, out);
  if (command.name == "createStream") {
    answer(command, static_cast<double>(next_stream_), out);
    next_stream_ = next_stream_ == UINT32_MAX ? 1 : next_stream_ + 1;
  } else if (command.name == "deleteStream" || command.name == "closeStream") {
    on_close(command, stream, effects, out);
  } else if (command.name == "pause" || command.name == "pauseRaw") {
    on_pause(command, effects, out);
  } else {
    on_harmless(command, stream, out);
  }
  return {};
}

void ServerMachine::answer(const Command &command, AmfValue value, ByteVector &out) {
  if (command.transaction == 0) return;
  tell(kCommandChunkStream, 0,
       {.name = "_result", .transaction = command.transaction, .arguments = {AmfValue::null(), std::move(value)}}, out);
}

void ServerMachine::on_harmless(const Command &command, uint32_t stream, ByteVector &out) {
  if (command.name == "FCPublish") fc_published_ = true; // onFCPublish follows once it is allowed
  if (command.name == "FCUnpublish") {
    AmfValue info = AmfValue::object({{"code", "NetStream.Unpublish.Success"}, {"description", "publish stop"}});
    tell(kCommandChunkStream, 0, {.name = "onFCUnpublish", .arguments = {AmfValue::null(), info}}, out);
  }
  if (command.name == "getStreamLength") return answer(command, 0.0, out);
  if (command.name == "seek" && playing())
    return status(stream, "error", "NetStream.Seek.Failed", "a live stream has no other place", out);
  auto end = std::end(kAnsweredWithNothing);
  if (std::find(std::begin(kAnsweredWithNothing), end, command.name) != end) answer(command, AmfValue(), out);
}

Result<void> ServerMachine::on_connect(const Command &command, ByteVector &out) {
  const AmfValue *object = command.argument(0);
  if (object == nullptr || !object->string_of("app")) return reject(command, "connect without an app", out);
  client_ = facts_of(*object);
  if (client_.app.size() > kMaxNameBytes || client_.tc_url.size() > kMaxNameBytes) {
    client_ = ClientFacts();
    return reject(command, "app or tcUrl is too long", out);
  }
  if (!options_.rejection.empty()) return reject(command, options_.rejection, out);
  if (!is_valid_tc_url(client_.tc_url))
    return reject(command, "invalid tcUrl '" + printable(client_.tc_url, kMaxShownBytes) + "'", out);
  answer_connect(command, out);
  set_state(State::Idle);
  return {};
}

Result<void> ServerMachine::reject(const Command &command, const std::string &reason, ByteVector &out) {
  AmfValue info =
      AmfValue::object({{"level", "error"}, {"code", "NetConnection.Connect.Rejected"}, {"description", reason}});
  put_command(out, kCommandChunkStream, 0,
              {.name = "_error", .transaction = command.transaction, .arguments = {AmfValue::null(), std::move(info)}},
              kDefaultChunkBytes);
  return Error{reason};
}

void ServerMachine::answer_connect(const Command &command, ByteVector &out) {
  put_control_number(out, MessageType::WindowAckSize, kWindowAckSize);
  put_peer_bandwidth(out, kWindowAckSize, BandwidthLimit::Dynamic);
  put_control_number(out, MessageType::SetChunkSize, kSentChunkBytes);
  AmfValue properties = AmfValue::object({{"fmsVer", kServerVersion}, {"capabilities", kServerCapabilities}});
  AmfValue info = AmfValue::object({{"level", "status"},
                                    {"code", "NetConnection.Connect.Success"},
                                    {"description", "Connection succeeded."},
                                    {"objectEncoding", client_.object_encoding}});
  if (client_.enhanced) {
    info.properties.push_back({"videoFourCcInfoMap", info_map(kVideoFourCcs)});
    info.properties.push_back({"audioFourCcInfoMap", info_map(kAudioFourCcs)});
    info.properties.push_back({"capsEx", kServerCapsEx});
  }
  put_command(
      out, kCommandChunkStream, 0,
      {.name = "_result", .transaction = command.transaction, .arguments = {std::move(properties), std::move(info)}});
}

Result<void> ServerMachine::on_publish(const Command &command, uint32_t stream, ServerEffects &effects,
                                       ByteVector &out) {
  PathAndQuery target = path_and_query(client_.app, TRY(name_of_stream(command)));
  if (state_ != State::Idle) {
    status(stream, "error", "NetStream.Publish.Denied", "this connection has a stream already", out);
    return {};
  }
  stream_ = stream;
  set_state(State::AskingPublish);
  effects.push_back(server::PublishRequested{std::move(target.path), std::move(target.query), client_.tc_url});
  return {};
}

Result<void> ServerMachine::on_play(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out) {
  PathAndQuery target = path_and_query(client_.app, TRY(name_of_stream(command)));
  if (state_ != State::Idle) {
    status(stream, "error", "NetStream.Play.Failed", "this connection has a stream already", out);
    return {};
  }
  stream_ = stream;
  set_state(State::AskingPlay);
  effects.push_back(server::PlayRequested{std::move(target.path), std::move(target.query), client_.tc_url});
  return {};
}

// deleteStream names a stream, closeStream is about the one it comes on.
void ServerMachine::on_close(const Command &command, uint32_t stream, ServerEffects &effects, ByteVector &out) {
  if (command.name == "deleteStream") {
    const AmfValue *named = command.argument(1);
    stream = named != nullptr && named->type == AmfType::Number ? amf_to_u32(named->number) : stream_;
  }
  if (stream != stream_ || (!publishing() && !playing())) return;
  if (publishing())
    end_publish(out);
  else
    set_state(State::Idle);
  effects.push_back(server::Finished{});
}

void ServerMachine::on_pause(const Command &command, ServerEffects &effects, ByteVector &out) {
  const AmfValue *flag = command.argument(1);
  if (!playing() || flag == nullptr || flag->type != AmfType::Boolean) return;
  effects.push_back(server::PauseChanged{flag->truth});
  status(stream_, "status", flag->truth ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify",
         flag->truth ? "paused" : "unpaused", out);
}

} // namespace sluice::rtmp

#include "tests/unit/rtmp/machine_harness.h"

#include <fmt/format.h>

namespace sluice::rtmp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string status(uint32_t stream, const char *level, const char *code, const char *description) {
  return fmt::format("onStatus/{} 0 null {{level: \"{}\", code: \"{}\", description: \"{}\"}}", stream, level, code,
                     description);
}

const std::string kPublishStart = status(1, "status", "NetStream.Publish.Start", "publish start");
const std::string kUnpublished = status(1, "status", "NetStream.Unpublish.Success", "publish stop");

TEST(ServerMachine, AnswersConnect) {
  MachineHarness h;
  h.shake_hands();
  h.command("connect", 1,
            {AmfValue::object(
                {{"app", "live"}, {"tcUrl", "rtmp://host/live"}, {"flashVer", "FMLE/3.0"}, {"objectEncoding", 3.0}})});
  EXPECT_THAT(h.sent, ElementsAre("5 2500000", "6 2500000",
                                  "_result/0 1 {fmsVer: \"LNX 9,0,124,2\", capabilities: 31} {level: \"status\", code: "
                                  "\"NetConnection.Connect.Success\", description: \"Connection succeeded.\", "
                                  "objectEncoding: 3}"));
  EXPECT_EQ(h.machine.client().flash_version, "FMLE/3.0");
  EXPECT_FALSE(h.machine.client().enhanced);
  EXPECT_FALSE(h.machine.client().takes("hvc1"));
}

TEST(ServerMachine, PublishesWhatAnEncoderSends) {
  MachineHarness h;
  h.connect();
  h.command("releaseStream", 2, {AmfValue::null(), "cam"});
  h.command("FCPublish", 3, {AmfValue::null(), "cam"});
  h.command("createStream", 4, {AmfValue::null()});
  EXPECT_THAT(h.sent, ElementsAre("_result/0 2 null undefined", "_result/0 3 null undefined", "_result/0 4 null 1"));
  h.sent.clear();
  h.publish("cam?user=u&pass=p");
  EXPECT_THAT(h.done, ElementsAre("publish live/cam ? user=u&pass=p at rtmp://host/live"));
  EXPECT_THAT(h.sent, IsEmpty()); // nothing is promised before it is allowed
  h.accept_publish();
  EXPECT_THAT(h.sent,
              ElementsAre("onFCPublish/0 0 null {code: \"NetStream.Publish.Start\", description: \"publish start\"}",
                          kPublishStart));
  EXPECT_TRUE(h.machine.publishing());
  ByteVector data;
  for (const AmfValue &value : {AmfValue("@setDataFrame"), AmfValue("onMetaData"), AmfValue::object({{"width", 1.0}})})
    encode_amf0(data, value);
  h.message({.type = MessageType::DataAmf0, .stream = 1, .payload = data});
  h.message({.type = MessageType::Video, .stream = 1, .timestamp = 40, .payload = as_bytes("video")});
  h.message({.type = MessageType::Audio, .stream = 1, .timestamp = 46, .payload = as_bytes("audio")});
  EXPECT_THAT(h.media, ElementsAre("18@0 *33", "9@40 video", "8@46 audio"));
  h.sent.clear();
  h.command("FCUnpublish", 6, {AmfValue::null(), "cam"});
  h.command("deleteStream", 7, {AmfValue::null(), 1.0});
  EXPECT_THAT(h.sent, ElementsAre("onFCUnpublish/0 0 null {code: \"NetStream.Unpublish.Success\", description: "
                                  "\"publish stop\"}",
                                  "_result/0 6 null undefined", kUnpublished));
  EXPECT_EQ(h.done.back(), "finished");
}

TEST(ServerMachine, PlaysToAReader) {
  MachineHarness h;
  h.connect();
  h.command("createStream", 2, {AmfValue::null()});
  h.sent.clear();
  h.play("cam?a=b");
  EXPECT_THAT(h.done, ElementsAre("play live/cam ? a=b at rtmp://host/live"));
  EXPECT_THAT(h.sent, IsEmpty());
  h.accept_play();
  EXPECT_THAT(h.sent, ElementsAre("event 4 1", "event 0 1", status(1, "status", "NetStream.Play.Reset", "play reset"),
                                  status(1, "status", "NetStream.Play.Start", "play start"),
                                  status(1, "status", "NetStream.Data.Start", "data start"),
                                  status(1, "status", "NetStream.Play.PublishNotify", "publish notify")));
  EXPECT_TRUE(h.machine.playing());
  EXPECT_EQ(h.machine.stream(), 1u);
  h.sent.clear();
  h.command("pause", 0, {AmfValue::null(), AmfValue::boolean(true), 0.0}, 1);
  h.command("pauseRaw", 0, {AmfValue::null(), AmfValue::boolean(false), 0.0}, 1);
  h.command("seek", 0, {AmfValue::null(), 0.0}, 1);
  EXPECT_THAT(h.sent, ElementsAre(status(1, "status", "NetStream.Pause.Notify", "paused"),
                                  status(1, "status", "NetStream.Unpause.Notify", "unpaused"),
                                  status(1, "error", "NetStream.Seek.Failed", "a live stream has no other place")));
  h.sent.clear();
  h.machine.end_play(h.out);
  h.take();
  EXPECT_THAT(h.sent,
              ElementsAre("event 1 1", status(1, "status", "NetStream.Play.UnpublishNotify", "the stream has ended"),
                          status(1, "status", "NetStream.Play.Stop", "play stop")));
  EXPECT_FALSE(h.machine.playing());
  EXPECT_THAT(h.done, ElementsAre("play live/cam ? a=b at rtmp://host/live", "pause", "unpause"));
}

TEST(ServerMachine, TakesItsInputInAnyPieces) {
  for (size_t step : {1, 2, 13, 1000}) {
    MachineHarness h;
    h.bytes_at_once = step;
    h.connect();
    h.command("createStream", 2, {AmfValue::null()});
    h.publish();
    h.accept_publish();
    ByteVector payload = bytes_of('v', 1000);
    h.message({.type = MessageType::Video, .stream = 1, .timestamp = 40, .payload = payload});
    EXPECT_THAT(h.media, ElementsAre("9@40 *1000")) << step;
    EXPECT_THAT(h.sent, ElementsAre("_result/0 2 null 1", kPublishStart));
  }
}

TEST(ServerMachine, WaitsForAnAnswerBeforeItGoesOn) {
  MachineHarness h;
  h.connect();
  ByteVector bytes;
  put_command(bytes, 3, 1, {"publish", 2, {AmfValue::null(), "cam"}}, kDefaultChunkBytes);
  append_message(bytes, 4, {MessageType::Video, 1, 40, as_bytes("v")}, kDefaultChunkBytes);
  h.receive(bytes);
  EXPECT_THAT(h.media, IsEmpty());
  EXPECT_EQ(h.input.size(), 13u);
  h.accept_publish();
  h.receive({});
  EXPECT_THAT(h.media, ElementsAre("9@40 v"));
}

TEST(ServerMachine, TellsRefusals) {
  struct Case {
    Refusal refusal;
    const char *code;
  };
  for (const Case &c :
       {Case{Refusal::PublishDenied, "NetStream.Publish.Denied"}, Case{Refusal::BadName, "NetStream.Publish.BadName"},
        Case{Refusal::StreamNotFound, "NetStream.Play.StreamNotFound"},
        Case{Refusal::PlayFailed, "NetStream.Play.Failed"}}) {
    MachineHarness h;
    h.connect();
    h.command("FCPublish", 3, {AmfValue::null(), "cam"});
    h.sent.clear();
    if (c.refusal == Refusal::PublishDenied || c.refusal == Refusal::BadName)
      h.publish();
    else
      h.play();
    h.refuse(c.refusal, "because");
    EXPECT_THAT(h.sent, ElementsAre(status(1, "error", c.code, "because")));
    EXPECT_FALSE(h.machine.publishing() || h.machine.playing());
    // It may try again, and what it asked for before is forgotten.
    h.publish("other");
    h.accept_publish();
    EXPECT_EQ(h.sent.back(), kPublishStart);
    EXPECT_EQ(h.sent.size(), 2u);
  }
}

TEST(ServerMachine, RejectsConnectionsIfToldTo) {
  MachineHarness h({.rejection = "too many clients"});
  h.shake_hands();
  h.command("connect", 1, {AmfValue::object({{"app", "live"}, {"tcUrl", "rtmp://host/live"}})});
  EXPECT_THAT(h.sent, ElementsAre("_error/0 1 null {level: \"error\", code: \"NetConnection.Connect.Rejected\", "
                                  "description: \"too many clients\"}"));
  EXPECT_EQ(h.error, "too many clients");
  EXPECT_EQ(*h.machine.on_input(hex("00"), h, h.effects, h.out), 0u);
}

TEST(ServerMachine, RejectsConnectionsWithoutAnAppOrAUrl) {
  for (const AmfValue &object :
       {AmfValue::object({{"tcUrl", "rtmp://host/live"}}), AmfValue::object({{"app", 5.0}}), AmfValue::null(),
        AmfValue::object({{"app", "live"}}), AmfValue::object({{"app", "live"}, {"tcUrl", "live"}}),
        AmfValue::object({{"app", "live"}, {"tcUrl", "rtmp:///live"}})}) {
    MachineHarness h;
    h.shake_hands();
    h.command("connect", 1, {object});
    ASSERT_EQ(h.sent.size(), 1u);
    EXPECT_THAT(h.sent[0], HasSubstr("NetConnection.Connect.Rejected"));
    EXPECT_NE(h.error, "");
  }
}

TEST(ServerMachine, BoundsNames) {
  std::string longest(4096, 'x');
  MachineHarness h;
  h.connect("live", "rtmp://host/live");
  h.publish(longest);
  EXPECT_EQ(h.error, "");
  h.refuse(Refusal::BadName, "too long");
  h.publish(longest + "x");
  EXPECT_THAT(h.error, HasSubstr("too long"));
  MachineHarness other;
  other.shake_hands();
  other.command("connect", 1, {AmfValue::object({{"app", longest + "x"}, {"tcUrl", "rtmp://host/live"}})});
  EXPECT_THAT(other.error, HasSubstr("too long"));
}

TEST(ServerMachine, WantsConnectFirst) {
  MachineHarness h;
  h.shake_hands();
  h.command("createStream", 1, {});
  EXPECT_EQ(h.error, "the first command is not connect but createStream");
}

TEST(ServerMachine, MakesPathsOfAllFormsOfUrls) {
  struct Case {
    const char *app, *tc_url, *name, *path_and_query;
  };
  for (const Case &c : {Case{"app", "rtmp://host/app", "name?user=u&pass=p", "app/name ? user=u&pass=p"},
                        Case{"", "rtmp://host", "mystream?a=b", "mystream ? a=b"},   // OBS, no app
                        Case{"mystream", "rtmp://host/mystream", "", "mystream ? "}, // FFmpeg, no app
                        Case{"live?user=u", "rtmp://host/live?user=u", "cam", "live/cam ? user=u"},
                        Case{"a/b", "rtmp://host:1935/a/b", "c/d", "a/b/c/d ? "}}) {
    MachineHarness h;
    h.connect(c.app, c.tc_url);
    h.publish(c.name);
    EXPECT_THAT(h.done, ElementsAre(std::string("publish ") + c.path_and_query + " at " + c.tc_url));
  }
}

TEST(ServerMachine, GivesEachStreamANumber) {
  MachineHarness h;
  h.connect();
  h.command("createStream", 2, {AmfValue::null()});
  h.command("createStream", 3, {AmfValue::null()});
  EXPECT_THAT(h.sent, ElementsAre("_result/0 2 null 1", "_result/0 3 null 2"));
}

TEST(ServerMachine, HasOneRoleAtATime) {
  MachineHarness h;
  h.connect();
  h.publish("cam", 1);
  h.accept_publish();
  h.sent.clear();
  h.publish("other", 2);
  h.play("other", 2);
  EXPECT_THAT(h.sent,
              ElementsAre(status(2, "error", "NetStream.Publish.Denied", "this connection has a stream already"),
                          status(2, "error", "NetStream.Play.Failed", "this connection has a stream already")));
  h.command("deleteStream", 0, {AmfValue::null(), 2.0}); // another one
  EXPECT_TRUE(h.machine.publishing());
  h.command("closeStream", 0, {AmfValue::null()}, 1);
  EXPECT_FALSE(h.machine.publishing());
  EXPECT_EQ(h.sent.back(), kUnpublished);
  h.play("cam", 2);
  h.accept_play();
  EXPECT_TRUE(h.machine.playing());
  EXPECT_EQ(h.machine.stream(), 2u);
}

TEST(ServerMachine, AnswersWhatIsHarmlessAndIgnoresWhatIsUnknown) {
  MachineHarness h;
  h.connect();
  h.command("_checkbw", 2, {AmfValue::null()});
  h.command("getStreamLength", 3, {AmfValue::null(), "cam"});
  h.command("FCSubscribe", 4, {AmfValue::null(), "cam"});
  h.command("somethingElse", 5, {AmfValue::null()});
  h.command("receiveAudio", 0, {AmfValue::null(), AmfValue::boolean(true)});
  h.command("seek", 0, {AmfValue::null(), 1.0});
  h.command("pause", 0, {AmfValue::null(), AmfValue::boolean(true)});
  h.command("deleteStream", 0, {AmfValue::null(), 1.0});
  EXPECT_THAT(h.sent, ElementsAre("_result/0 2 null undefined", "_result/0 3 null 0", "_result/0 4 null undefined"));
  EXPECT_THAT(h.done, IsEmpty());
  EXPECT_EQ(h.error, "");
}

TEST(ServerMachine, TakesNoMediaOfWhoDoesNotPublish) {
  MachineHarness h;
  h.connect();
  h.message({.type = MessageType::Video, .stream = 1, .payload = as_bytes("v")});
  h.play();
  h.accept_play();
  h.message({.type = MessageType::Video, .stream = 1, .payload = as_bytes("v")});
  EXPECT_THAT(h.media, IsEmpty());
}

TEST(ServerMachine, Play2NamesItsStreamInAnObject) {
  MachineHarness h;
  h.connect();
  h.command("play2", 0, {AmfValue::null(), AmfValue::object({{"streamName", "cam"}})}, 1);
  EXPECT_THAT(h.done, ElementsAre("play live/cam ?  at rtmp://host/live"));
}

TEST(ServerMachine, WantsANameToPublishOrPlay) {
  for (const char *name : {"publish", "play", "play2"}) {
    MachineHarness h;
    h.connect();
    h.command(name, 0, {AmfValue::null(), AmfValue::null()}, 1);
    EXPECT_THAT(h.error, HasSubstr("without the name of a stream"));
  }
}

TEST(ServerMachine, UnderstandsAmf3Commands) {
  MachineHarness h;
  h.connect();
  ByteVector payload = hex("00");
  for (const AmfValue &value : {AmfValue("createStream"), AmfValue(2.0), AmfValue::null()}) encode_amf0(payload, value);
  h.message({.type = MessageType::CommandAmf3, .payload = payload});
  EXPECT_THAT(h.sent, ElementsAre("_result/0 2 null 1"));
}

TEST(ServerMachine, AnswersInAmf3WhoSaysThatItSpeaksIt) {
  MachineHarness h;
  h.shake_hands();
  h.command("connect", 1,
            {AmfValue::object({{"app", "live"}, {"tcUrl", "rtmp://host/live"}, {"objectEncoding", 3.0}})});
  EXPECT_THAT(h.sent.back(), HasSubstr("objectEncoding: 3")); // itself in AMF0: what it is an answer to was
  EXPECT_THAT(h.sent.back(), testing::StartsWith("_result/0 1 "));
  h.sent.clear();
  h.command("createStream", 2, {AmfValue::null()});
  h.publish();
  h.accept_publish();
  EXPECT_THAT(h.sent, ElementsAre("AMF3 _result/0 2 null 1", "AMF3 " + kPublishStart));
}

TEST(ServerMachine, AnswersPings) {
  MachineHarness h;
  h.connect();
  ByteVector ping;
  put_user_control(ping, {.event = UserControlEvent::PingRequest, .value = 77});
  h.receive(ping);
  EXPECT_THAT(h.sent, ElementsAre("event 7 77"));
  h.machine.ping(5, h.out);
  h.take();
  EXPECT_EQ(h.sent.back(), "event 6 5");
}

TEST(ServerMachine, AcknowledgesWithinTheClientsWindow) {
  MachineHarness h;
  h.connect();
  ByteVector window;
  put_control_number(window, MessageType::WindowAckSize, 100'000);
  h.receive(window);
  h.publish();
  h.accept_publish();
  h.sent.clear();
  ByteVector payload = bytes_of('v', 10'000);
  for (int i = 0; i < 20; i++) h.message({.type = MessageType::Video, .stream = 1, .payload = payload});
  ASSERT_EQ(h.sent.size(), 4u); // each half window
  for (const std::string &text : h.sent) EXPECT_THAT(text, HasSubstr("3 "));
}

TEST(Acknowledger, CountsModulo32Bits) {
  Acknowledger acknowledger;
  SentMessages sent;
  ByteVector out;
  acknowledger.on_received(0xfffffff0, out);
  EXPECT_THAT(sent.take(out), IsEmpty()); // no window yet
  acknowledger.set_window(1);             // is taken as 4096
  acknowledger.on_received(0, out);
  EXPECT_THAT(sent.take(out), ElementsAre("3 4294967280"));
  acknowledger.on_received(2047, out);
  EXPECT_THAT(sent.take(out), IsEmpty());
  acknowledger.on_received(1, out);
  EXPECT_THAT(sent.take(out), ElementsAre("3 2032"));
}

TEST(ServerMachine, ReadsWhatAnEnhancedClientTakes) {
  AmfValue list(AmfType::StrictArray);
  list.items = {"hvc1", "av01", "hvc1", "toolong", 5.0};
  MachineHarness h;
  h.shake_hands();
  h.command("connect", 1,
            {AmfValue::object({{"app", "live"},
                               {"tcUrl", "rtmp://host/live"},
                               {"fourCcList", list},
                               {"videoFourCcInfoMap", AmfValue::object({{"vp09", 1.0}, {"vp08", 2.0}})},
                               {"audioFourCcInfoMap", AmfValue::object({{"Opus", 5.0}})},
                               {"capsEx", 6.0}})});
  const ClientFacts &client = h.machine.client();
  EXPECT_TRUE(client.enhanced);
  EXPECT_THAT(client.four_ccs, ElementsAre("Opus", "av01", "hvc1", "vp09")); // vp08 it can only encode
  EXPECT_TRUE(client.takes("Opus"));
  EXPECT_FALSE(client.takes("fLaC"));
  EXPECT_EQ(client.caps_ex, 6u);
  ASSERT_EQ(h.sent.size(), 3u);
  EXPECT_THAT(h.sent[2], HasSubstr("videoFourCcInfoMap: {avc1: 4, hvc1: 4, av01: 4, vp09: 4, vp08: 4}, "
                                   "audioFourCcInfoMap: {mp4a: 4, Opus: 4, fLaC: 4, ac-3: 4, .mp3: 4}, capsEx: 14"));
}

TEST(ServerMachine, TakesAnyCodecOfWhoTakesAny) {
  AmfValue list(AmfType::StrictArray);
  list.items = {"*"};
  MachineHarness h;
  h.shake_hands();
  h.command("connect", 1, {AmfValue::object({{"app", "live"}, {"tcUrl", "rtmp://host/live"}, {"fourCcList", list}})});
  EXPECT_TRUE(h.machine.client().takes("fLaC"));
}

TEST(ServerMachine, SendsAPublisherAway) {
  MachineHarness h;
  h.connect();
  h.publish();
  h.accept_publish();
  h.machine.end_publish(h.out);
  h.take();
  EXPECT_EQ(h.sent.back(), kUnpublished);
}

TEST(ServerMachine, EndsWithWhatItCannotRead) {
  MachineHarness h;
  h.connect();
  h.receive(hex("84 000000 61"));
  EXPECT_THAT(h.error, HasSubstr("chunk stream 4"));
  EXPECT_EQ(*h.machine.on_input(hex("03"), h, h.effects, h.out), 0u);
}

} // namespace
} // namespace sluice::rtmp

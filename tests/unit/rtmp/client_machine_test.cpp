#include "tests/unit/rtmp/machine_harness.h"
#include "workers/rtmp/protocol/client_machine.h"

namespace sluice::rtmp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct ClientHarness final : MediaSink {
  explicit ClientHarness(const std::string &url = "rtmp://host/live/cam") : machine({.url = *parse_url(url)}) {}

  // --- the server's doing ---

  void shake_hands() {
    machine.start(out);
    EXPECT_EQ(out.size(), 1 + kHandshakeBytes);
    out.clear();
    input.assign(1 + 2 * kHandshakeBytes, kRtmpVersion);
    while (!input.empty()) take_once();
    out.erase(out.begin(), out.begin() + kHandshakeBytes);
    note_sent();
  }
  void command(const std::string &name, double transaction, AmfValues arguments) {
    ByteVector bytes;
    put_command(bytes, 3, 1, {name, transaction, std::move(arguments)}, kDefaultChunkBytes);
    receive(bytes);
  }
  void status(const char *level, const char *code, const char *description = "why") {
    command("onStatus", 0,
            {AmfValue::null(), AmfValue::object({{"level", level}, {"code", code}, {"description", description}})});
  }
  void media(MessageType type, uint32_t timestamp, std::string_view payload) {
    ByteVector bytes;
    append_message(bytes, 4, {type, 1, timestamp, as_bytes(payload)}, kDefaultChunkBytes);
    receive(bytes);
  }
  // Up to what `play` is answered with.
  void connect() {
    shake_hands();
    command("_result", 1, {AmfValue::object({}), AmfValue::object({{"code", "NetConnection.Connect.Success"}})});
    command("_result", 2, {AmfValue::null(), 1.0});
  }
  void play() {
    connect();
    status("status", "NetStream.Play.Start");
    ASSERT_TRUE(machine.playing());
  }
  void receive(const ByteVector &bytes) {
    input.insert(input.end(), bytes.begin(), bytes.end());
    while (take_once() != 0) {
    }
    note_sent();
  }

  // --- what comes of it ---

  size_t take_once() {
    auto taken = machine.on_input(input, *this, effects, out);
    for (ClientEffect &effect : std::exchange(effects, {})) std::visit([this](auto &which) { note(which); }, effect);
    if (!taken) error = taken.error().message;
    if (!taken) return 0;
    input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(*taken));
    return *taken;
  }
  void note_sent() {
    for (std::string &text : sent_messages.take(out)) sent.push_back(std::move(text));
  }
  Result<void> on_media(const MediaMessage &message) override {
    done.push_back(std::to_string(static_cast<int>(message.type)) + "@" + std::to_string(message.timestamp_ms) + " " +
                   std::string(as_text(message.payload)));
    return {};
  }
  void note(const client::Playing &) { done.push_back("playing"); }
  void note(const client::Moved &moved) { done.push_back("moved " + moved.url.text()); }
  void note(const client::Ended &ended) { done.push_back("ended " + ended.reason); }
  void note(const client::Failed &failed) { done.push_back("failed " + failed.reason); }

  ClientMachine machine;
  ClientEffects effects;
  ByteVector input, out;
  SentMessages sent_messages;
  std::vector<std::string> sent, done;
  std::string error;
};

TEST(ClientMachine, ConnectsThenPlaysThenStops) {
  ClientHarness h("rtmp://u:p@host:1936/a/b/cam?x=y");
  h.shake_hands();
  ASSERT_EQ(h.sent.size(), 1u);
  EXPECT_THAT(h.sent[0], HasSubstr("connect/0 1 {app: \"a/b\", "));
  EXPECT_THAT(h.sent[0], HasSubstr("tcUrl: \"rtmp://host:1936/a/b\""));
  EXPECT_THAT(h.sent[0], HasSubstr("fourCcList: [\"avc1\", \"hvc1\", "));
  h.sent.clear();
  h.command("_result", 1, {AmfValue::null(), AmfValue::object({{"code", "NetConnection.Connect.Success"}})});
  EXPECT_THAT(h.sent, ElementsAre("5 2500000", "createStream/0 2 null"));
  h.sent.clear();
  h.command("_result", 2, {AmfValue::null(), 7.0});
  EXPECT_THAT(h.sent, ElementsAre("play/7 3 null \"cam?x=y&user=u&pass=p\" -2000", "event 3 7"));
  h.status("status", "NetStream.Play.Reset");
  EXPECT_THAT(h.done, IsEmpty());
  h.status("status", "NetStream.Play.Start");
  h.media(MessageType::Video, 40, "v");
  h.media(MessageType::Audio, 46, "a");
  EXPECT_THAT(h.done, ElementsAre("playing", "9@40 v", "8@46 a"));
  h.sent.clear();
  h.machine.stop(h.out);
  h.note_sent();
  EXPECT_THAT(h.sent, ElementsAre("deleteStream/0 0 null 7"));
  EXPECT_TRUE(h.machine.over());
  h.media(MessageType::Audio, 46, "a");
  EXPECT_EQ(h.done.size(), 3u);
}

TEST(ClientMachine, BeginsWithMediaIfTheServerDoesNotSayThatItPlays) {
  ClientHarness h;
  h.connect();
  h.media(MessageType::DataAmf0, 0, std::string_view("\2\0\1a", 4));
  EXPECT_THAT(h.done, IsEmpty());
  h.media(MessageType::Audio, 5, "a");
  EXPECT_THAT(h.done, ElementsAre("8@5 a", "playing"));
}

TEST(ClientMachine, TellsWhyItIsRefused) {
  ClientHarness not_found, rejected, no_stream, failed;
  not_found.connect();
  not_found.status("error", "NetStream.Play.StreamNotFound", "no such stream");
  EXPECT_THAT(not_found.done, ElementsAre("failed NetStream.Play.StreamNotFound (no such stream)"));
  rejected.shake_hands();
  AmfValue info = AmfValue::object({{"level", "error"}, {"code", "NetConnection.Connect.Rejected"}});
  rejected.command("_error", 1, {AmfValue::null(), info});
  EXPECT_THAT(rejected.done, ElementsAre("failed NetConnection.Connect.Rejected"));
  no_stream.shake_hands();
  no_stream.command("_result", 1, {});
  no_stream.command("_result", 2, {AmfValue::null()});
  EXPECT_THAT(no_stream.done, ElementsAre("failed the server makes a stream without a number"));
  failed.connect();
  failed.command("_error", 3, {});
  EXPECT_THAT(failed.done, ElementsAre("failed the server does not play"));
  for (ClientHarness *h : {&not_found, &rejected, &no_stream, &failed}) EXPECT_TRUE(h->machine.over());
}

TEST(ClientMachine, FollowsToWhereItIsSent) {
  AmfValue elsewhere = AmfValue::object({{"code", 302.0}, {"redirect", "rtmp://other:1936/x/y"}});
  AmfValue whole = AmfValue::object({{"redirect", "rtmp://other/x"}, {"redirect2", "rtmp://other/x/z?q"}});
  AmfValue bad = AmfValue::object({{"redirect", "http://other/"}});
  struct Case {
    AmfValue ex;
    const char *done;
  };
  for (const Case &c : {Case{elsewhere, "moved rtmp://other:1936/x/y/cam?k"}, Case{whole, "moved rtmp://other/x/z?q"},
                        Case{bad, "failed the server redirects to what is no RTMP URL: URL does not begin with "
                                  "rtmp:// or rtmps://"}}) {
    ClientHarness h("rtmp://u:p@host/live/cam?k");
    h.shake_hands();
    h.command("_error", 1, {AmfValue::null(), AmfValue::object({{"level", "error"}, {"ex", c.ex}, {"code", "x"}})});
    EXPECT_THAT(h.done, ElementsAre(c.done));
  }
}

TEST(ClientMachine, EndsWithItsStream) {
  for (const char *code : {"NetStream.Play.UnpublishNotify", "NetStream.Play.Stop", "NetStream.Play.Complete"}) {
    ClientHarness h;
    h.play();
    h.status("status", code);
    EXPECT_THAT(h.done, ElementsAre("playing", std::string("ended ") + code + " (why)"));
    EXPECT_TRUE(h.machine.over());
  }
  ClientHarness h;
  h.connect();
  ByteVector eof;
  put_user_control(eof, {.event = UserControlEvent::StreamEof, .value = 1});
  h.receive(eof); // of what was there before
  EXPECT_FALSE(h.machine.over());
  h.status("status", "NetStream.Play.Start");
  h.receive(eof);
  EXPECT_THAT(h.done, ElementsAre("playing", "ended the stream has ended"));
}

TEST(ClientMachine, TakesAnswersInAnyOrder) {
  ClientHarness h;
  h.shake_hands();
  h.sent.clear();
  h.command("onBWDone", 0, {AmfValue::null(), 8192.0});
  h.command("_result", 9, {AmfValue::null(), 1.0}); // to nothing that was asked
  h.command("_error", 9, {AmfValue::null()});
  h.status("status", "NetConnection.Connect.Success");
  EXPECT_THAT(h.sent, IsEmpty());
  h.command("_result", 1, {AmfValue::object({{"code", "NetConnection.Connect.Success"}}), AmfValue::null()});
  h.command("_result", 2, {1.0});
  EXPECT_THAT(h.sent, ElementsAre("5 2500000", "createStream/0 2 null", "play/1 3 null \"cam\" -2000", "event 3 1"));
  EXPECT_THAT(h.done, IsEmpty());
}

TEST(ClientMachine, AnswersPingsAndBandwidthAndAcknowledges) {
  ClientHarness h;
  h.play();
  h.sent.clear();
  ByteVector bytes;
  put_user_control(bytes, {.event = UserControlEvent::PingRequest, .value = 9});
  put_peer_bandwidth(bytes, 5000, BandwidthLimit::Dynamic);
  h.receive(bytes);
  EXPECT_THAT(h.sent, ElementsAre("event 7 9", "5 5000"));
  h.sent.clear();
  bytes.clear();
  put_control_number(bytes, MessageType::WindowAckSize, 100'000);
  h.receive(bytes);
  for (int i = 0; i < 50; i++) h.media(MessageType::Audio, 0, std::string(1200, 'a'));
  ASSERT_EQ(h.sent.size(), 1u);
  EXPECT_THAT(h.sent[0], HasSubstr("3 "));
}

TEST(ClientMachine, EndsWhenTheServerSaysItCloses) {
  ClientHarness h;
  h.connect();
  h.command("close", 0, {});
  EXPECT_THAT(h.done, ElementsAre("failed the server closes the connection"));
}

TEST(ClientMachine, EndsWithWhatItCannotRead) {
  ClientHarness h;
  h.connect();
  h.receive(hex("84 000000 61"));
  EXPECT_THAT(h.error, HasSubstr("chunk stream 4"));
  EXPECT_TRUE(h.machine.over());
}

// Both machines together, over a line that carries so many bytes at once.
TEST(ClientMachine, PlaysFromOurServer) {
  for (size_t step : {1, 100, 100'000}) {
    ClientHarness h("rtmp://u:p@host/live/cam");
    MachineHarness s;
    ServerEffects effects;
    ByteVector to_server, to_client;
    auto carry = [step](ByteVector &from, ByteVector &to) {
      size_t count = std::min(step, from.size());
      to.insert(to.end(), from.begin(), from.begin() + static_cast<ptrdiff_t>(count));
      from.erase(from.begin(), from.begin() + static_cast<ptrdiff_t>(count));
    };
    h.machine.start(h.out);
    while (!h.out.empty() || !s.out.empty()) {
      carry(h.out, to_server);
      carry(s.out, h.input);
      while (size_t taken = *s.machine.on_input(to_server, s, effects, s.out)) {
        to_server.erase(to_server.begin(), to_server.begin() + static_cast<ptrdiff_t>(taken));
        for (ServerEffect &effect : std::exchange(effects, {})) {
          EXPECT_EQ(std::get<server::PlayRequested>(effect).query, "user=u&pass=p");
          s.machine.accept_play(s.out);
          ByteVector payload = bytes_of('v', 70'000);
          append_message(s.out, kVideoChunkStream, {MessageType::Video, s.machine.stream(), 0, payload});
          s.machine.end_play(s.out);
        }
      }
      while (h.take_once() != 0) {
      }
    }
    EXPECT_THAT(h.done, ElementsAre("playing", "9@0 " + std::string(70'000, 'v'), "ended the stream has ended"));
  }
}

} // namespace
} // namespace sluice::rtmp

#include "ipc/ring/ring_writer.h"
#include "ipc/shm/mapping.h"
#include "ipc/shm/memfd.h"
#include "tests/unit/rtmp/chunks.h"
#include "workers/base/packet_entry.h"
#include "workers/rtmp/protocol/client_machine.h"
#include "workers/rtmp/protocol/tracks.h"
#include "workers/rtmp/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <random>

namespace sluice::rtmp {
namespace {

constexpr control::StreamId kStream = 5;
constexpr int64_t kGroup = 10, kVideoMs = 40;

ByteVector picture(uint32_t number) { // a NAL unit
  ByteVector unit(500 + number * 7919 % 12'000 + (number % 61 == 0 ? 70'000 : 0));
  for (size_t i = 0; i < unit.size(); i++) unit[i] = static_cast<uint8_t>(0x40 | ((number * 31 + i) & 0x3f));
  const uint8_t slice[] = {static_cast<uint8_t>(number % kGroup == 0 ? 0x65 : 0x41), 0x9a, 0x22};
  std::copy(std::begin(slice), std::end(slice), unit.begin());
  store_be32(unit.data() + 3, number | 0x40000000);
  return unit;
}

ByteVector sound(uint32_t number) { // an AAC frame
  ByteVector frame(100 + number % 200, static_cast<uint8_t>(number));
  store_be32(frame.data(), number);
  return frame;
}

Nanoseconds sound_time(uint32_t number) {
  return static_cast<int64_t>(number) * 1024 * kSecond / 48'000;
}

TrackFacts facts(media::Codec codec, media::MediaKind kind, const ByteVector &configuration) {
  MediaTag tag;
  tag.codec = codec;
  tag.media = kind;
  tag.kind = TagKind::Configuration;
  tag.body = configuration;
  return *describe_track(tag);
}

// Reads so many bytes a tick, and checks what comes.
class Viewer final : MediaSink {
public:
  Viewer(uint16_t port, size_t bytes_a_tick, int receive_buffer) : bytes_a_tick_(bytes_a_tick) {
    fd_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer != 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    machine_.start(out_);
  }

  void tick() {
    input_.resize(input_.size() + bytes_a_tick_);
    ssize_t got = ::recv(fd_.get(), input_.data() + input_.size() - bytes_a_tick_, bytes_a_tick_, MSG_DONTWAIT);
    if (got == 0) ADD_FAILURE() << "the server has closed";
    input_.resize(input_.size() - bytes_a_tick_ + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    size_t taken = 0;
    while (true) {
      auto more = machine_.on_input(Bytes(input_).subspan(taken), *this, effects_, out_);
      ASSERT_TRUE(more) << more.error().message;
      if (*more == 0) break;
      taken += *more;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(taken));
    if (!out_.empty()) ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    out_.clear();
  }
  void read_faster() { bytes_a_tick_ = 1 << 20; }

  int64_t last_picture = -1;
  size_t pictures = 0, sounds = 0, gaps = 0;
  bool playing() const { return machine_.playing(); }

private:
  Result<void> on_media(const MediaMessage &message) override {
    Bytes payload = message.payload;
    if (message.type == MessageType::DataAmf0 || payload[1] == 0) return {};
    message.type == MessageType::Video ? on_picture(message) : on_sound(message);
    return {};
  }
  void on_picture(const MediaMessage &message) {
    constexpr size_t kHead = 9; // FLV tag, length of the NAL unit
    ASSERT_GT(message.payload.size(), kHead + 7);
    uint32_t number = load_be32(message.payload.data() + kHead + 3) & 0xffffff;
    ByteVector expected = picture(number);
    ASSERT_EQ(ByteVector(message.payload.begin() + kHead, message.payload.end()), expected);
    EXPECT_EQ(message.payload[0], number % kGroup == 0 ? 0x17 : 0x27);
    if (last_picture < 0) first_ms_ = number * kVideoMs;
    EXPECT_EQ(message.timestamp_ms, number * kVideoMs - first_ms_);
    EXPECT_GT(number, last_picture);
    if (number != last_picture + 1) {
      EXPECT_EQ(number % kGroup, 0) << "goes on with a key frame";
      if (last_picture >= 0) gaps++;
    }
    last_picture = number;
    pictures++;
  }
  void on_sound(const MediaMessage &message) {
    uint32_t number = load_be32(message.payload.data() + 2);
    ASSERT_EQ(ByteVector(message.payload.begin() + 2, message.payload.end()), sound(number));
    EXPECT_GE(last_picture, 0) << "nothing comes before the first key frame";
    EXPECT_EQ(message.timestamp_ms, (sound_time(number) + kMillisecond / 2) / kMillisecond - first_ms_);
    EXPECT_GT(number, last_sound_);
    last_sound_ = number;
    sounds++;
  }

  Fd fd_;
  size_t bytes_a_tick_;
  ClientMachine machine_{{.url = *parse_url("rtmp://127.0.0.1/cam")}};
  ByteVector input_, out_;
  ClientEffects effects_;
  int64_t first_ms_ = 0, last_sound_ = -1;
};

// A worker's server with one stream, whose supervisor grants everybody to read it.
class ReaderTest : public testing::Test,
                   public worker::Supervisor,
                   public loop::Timer::Listener,
                   public rtp::PacketSink {
protected:
  ReaderTest() : timer_(loop_, *this) {
    worker::ServerParts parts{
        .board = std::move(*shm::DoorbellBoard::map(shm::create_memfd("board", shm::DoorbellBoard::bytes())->get()))};
    parts.doorbells.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    parts.welcome.doorbells = 1;
    control::WorkerSettings &settings = parts.welcome.settings;
    settings.read_timeout_ns = settings.write_timeout_ns = 20 * kSecond;
    settings.max_sessions = 16;
    settings.max_input_bytes = 16 << 20;
    parts.listeners.push_back(listen());
    Fd table = std::move(*shm::SessionTable::make(16));
    table_.emplace(std::move(*shm::SessionTable::map(table.get())));
    server_.emplace(loop_, *this, *table_, std::move(parts));
    make_ring();
  }
  ~ReaderTest() override {
    server_->shut_down();
    for (int turn = 0; turn < 50; turn++) run_tick();
  }

  Fd listen() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    socklen_t size = sizeof(address);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&address), &size);
    port_ = ntohs(address.sin_port);
    return fd;
  }
  void make_ring() {
    TrackFacts video = facts(media::Codec::H264, media::MediaKind::Video,
                             hex("014d400dffe1001a674d400de982a10f111180880000030008000003019078a149c001000468ce0fc8"));
    TrackFacts audio = facts(media::Codec::Aac, media::MediaKind::Audio, hex("1190"));
    ring_fd_ = std::move(*shm::create_memfd("ring", ring::ring_bytes(ring::kMinDataCapacity)));
    ring_ = std::move(*shm::Mapping::map_ring(ring_fd_.get(), shm::Access::ReadWrite));
    writer_.emplace(std::move(*ring::RingWriter::create(
        ring_.writable(),
        {.stream = kStream, .generation = 0, .ring_index = 0, .description = {{video.track, audio.track}}})));
    packetizers_.push_back(std::move(*rtp::Packetizer::create(video.track, {.ssrc = 1})));
    packetizers_.push_back(std::move(*rtp::Packetizer::create(audio.track, {.ssrc = 2})));
    packetizers_[0].set_configuration(video.configuration);
  }

  // The next picture with the sound up to it.
  void publish_picture() {
    ByteVector unit = picture(next_picture_);
    Nanoseconds time = next_picture_ * kVideoMs * kMillisecond;
    push(0, unit, time, next_picture_++ % kGroup == 0);
    for (; sound_time(next_sound_) < time; next_sound_++) push(1, sound(next_sound_), sound_time(next_sound_), true);
    server_->streams().schedule_round(kStream);
  }
  void push(uint8_t track, Bytes unit, Nanoseconds time, bool random_access) {
    track_ = track;
    rtp::Frame frame{.units = {&unit, 1},
                     .pts_ns = time,
                     .dts_ns = time,
                     .random_access = random_access,
                     .arrival_ns = loop_.now(),
                     .wall_ns = wall_now()};
    ASSERT_TRUE(packetizers_[track].push(frame, *this));
    writer_->commit(0);
  }
  void on_packet(Bytes packet, const rtp::PacketFacts &packet_facts) override {
    ASSERT_TRUE(writer_->append(worker::entry_of(packet_facts, track_, track_ == 0), packet));
  }

  void send(const control::Message &message, std::span<const int>) override {
    if (const auto *read = std::get_if<control::Read>(&message)) asked_.push_back(read->request);
  }
  bool congested() const override { return false; }

  void run_tick() {
    timer_.start(kMillisecond / 4);
    loop_.run();
    for (control::RequestId request : std::exchange(asked_, {})) {
      control::Received granted{
          control::ReadGranted{.request = request, .stream = kStream, .ring_index = 0, .from_key_frame = true}, {}};
      granted.descriptors.emplace_back(::fcntl(ring_fd_.get(), F_DUPFD_CLOEXEC, 0));
      server_->on_message(granted);
    }
  }
  void on_timer(loop::Timer &) override { loop_.stop(); }

  loop::Loop loop_;
  loop::Timer timer_;
  std::optional<shm::SessionTable> table_;
  std::optional<Server> server_;
  uint16_t port_ = 0;
  Fd ring_fd_;
  shm::Mapping ring_;
  std::optional<ring::RingWriter> writer_;
  std::vector<rtp::Packetizer> packetizers_;
  std::vector<control::RequestId> asked_;
  uint8_t track_ = 0;
  uint32_t next_picture_ = 0, next_sound_ = 0;
};

// One of them keeps up; one gets its bytes in pieces that end anywhere; one is too slow all the time and has to skip.
TEST_F(ReaderTest, WholeMessagesReachReadersHoweverSlowTheyAre) {
  constexpr uint32_t kPictures = 3'000;
  Viewer fast(port_, 1 << 20, 0), halting(port_, 29'000, 8'192), slow(port_, 2'001, 4'096);
  std::vector<Viewer *> viewers{&fast, &halting, &slow};
  publish_picture();
  for (int turn = 0; turn < 4'000 && !(fast.playing() && halting.playing() && slow.playing()); turn++) {
    run_tick();
    for (Viewer *viewer : viewers) viewer->tick();
  }
  while (next_picture_ < kPictures) {
    publish_picture();
    if (next_picture_ < kPictures) publish_picture();
    run_tick();
    for (Viewer *viewer : viewers) viewer->tick();
    if (HasFatalFailure()) return;
  }
  for (Viewer *viewer : viewers) viewer->read_faster();
  auto all_done = [&] {
    return std::all_of(viewers.begin(), viewers.end(),
                       [](const Viewer *viewer) { return viewer->last_picture == kPictures - 1; });
  };
  for (int turn = 0; turn < 8'000 && !all_done(); turn++) {
    run_tick();
    for (Viewer *viewer : viewers) viewer->tick();
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(fast.last_picture, kPictures - 1);
  EXPECT_EQ(fast.pictures, kPictures);
  EXPECT_EQ(fast.gaps, 0u);
  EXPECT_GT(fast.sounds, kPictures);
  EXPECT_EQ(halting.last_picture, kPictures - 1);
  EXPECT_EQ(slow.last_picture, kPictures - 1);
  EXPECT_GT(slow.gaps, 1u);
  EXPECT_GT(slow.sounds, 0u);
}

} // namespace
} // namespace sluice::rtmp

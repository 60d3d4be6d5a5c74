#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/media_log.h"

#include <array>
#include <map>
#include <random>

namespace sluice::rtmp {
namespace {

// A log beside what it should hold, and one who reads it from the beginning.
class CheckedLog {
public:
  explicit CheckedLog(size_t capacity, uint64_t seed) : log(capacity), random(seed) {
    ByteVector start;
    ByteVector chunk_bytes(4);
    store_be32(chunk_bytes.data(), kSentChunkBytes);
    append_message(start, kControlChunkStream, {.type = MessageType::SetChunkSize, .payload = chunk_bytes});
    for (uint32_t stream : {kAudioChunkStream, kVideoChunkStream})
      append_message(start, stream, {.type = MessageType::Audio, .stream = 1});
    EXPECT_EQ(read(start).size(), 2u);
  }

  void append(uint8_t chunk_stream, size_t length, int64_t time_ms, bool key_frame = false) {
    ByteVector payload(length);
    for (uint8_t &byte : payload) byte = static_cast<uint8_t>(random());
    int64_t time = log.time_for(chunk_stream, time_ms);
    EXPECT_EQ(time, std::max(time_ms, last_ms.contains(chunk_stream) ? last_ms[chunk_stream] : time_ms));
    if (!last_ms.contains(chunk_stream)) first_ms[chunk_stream] = time;
    last_ms[chunk_stream] = time;
    size_t cut = length == 0 ? 0 : random() % length;
    std::array<Bytes, 2> pieces{Bytes(payload).first(cut), Bytes(payload).subspan(cut)};
    size_t capacity = log.capacity();
    uint64_t going = log.going_for(static_cast<uint32_t>(length));
    if (log.capacity() != capacity) appended_since_growth = 0;
    log.append(chunk_stream, chunk_stream == kVideoChunkStream ? MessageType::Video : MessageType::Audio, time,
               key_frame, pieces);
    ASSERT_EQ(log.oldest(), going);
    const MediaLog::Entry &entry = log.entry(log.head() - 1);
    Bytes wire = log.bytes(entry);
    appended_since_growth += wire.size();
    wires.emplace_back(wire.begin(), wire.end());
    ASSERT_EQ(log.head(), wires.size());
    auto messages = read(wire);
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].second, payload);
    EXPECT_EQ(messages[0].first, time - first_ms[chunk_stream]);
    EXPECT_EQ(entry.time_ms, time);
    EXPECT_EQ(entry.length, length);
    EXPECT_EQ(entry.key_frame, key_frame);
    EXPECT_EQ(entry.audio_ms, latest(kAudioChunkStream));
    EXPECT_EQ(entry.video_ms, latest(kVideoChunkStream));
    if (key_frame) newest_key_frame = log.head() - 1;
  }

  // What is there is whole, and nothing was given up without need.
  void check_entries() const {
    size_t kept = 0;
    for (uint64_t i = log.oldest(); i < log.head(); i++) {
      const MediaLog::Entry &entry = log.entry(i);
      ASSERT_LE(entry.offset + entry.bytes, log.capacity());
      Bytes bytes = log.bytes(entry);
      ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), wires[i].begin(), wires[i].end())) << i;
      kept += entry.bytes;
    }
    if (appended_since_growth > 2 * log.capacity()) {
      EXPECT_GE(kept, log.capacity() / 2);
    }
    std::optional<uint64_t> expected = newest_key_frame;
    if (expected && *expected < log.oldest()) expected.reset();
    EXPECT_EQ(log.newest_key_frame(), expected);
  }

  // The runs from any message on are the messages one after the other, each as long as it can be.
  void check_runs(uint64_t from) {
    int runs = 0;
    for (uint64_t first = from; first < log.head(); runs++) {
      MediaLog::Run run = log.run(first);
      ASSERT_GT(run.end, first);
      ByteVector expected;
      for (uint64_t i = first; i < run.end; i++) expected.insert(expected.end(), wires[i].begin(), wires[i].end());
      ASSERT_TRUE(std::equal(run.bytes.begin(), run.bytes.end(), expected.begin(), expected.end()));
      if (run.end < log.head()) {
        EXPECT_NE(log.entry(run.end).offset, log.entry(run.end - 1).offset + log.entry(run.end - 1).bytes);
      }
      check_offset(first, run.end, random() % run.bytes.size());
      check_offset(first, run.end, run.bytes.size() - 1);
      check_offset(first, run.end, log.entry(first).bytes - 1);
      if (run.end > first + 1) check_offset(first, run.end, log.entry(first).bytes);
      first = run.end;
    }
    EXPECT_LE(runs, 2);
    EXPECT_TRUE(log.run(log.head()).bytes.empty());
  }

  MediaLog log;
  std::mt19937_64 random;

private:
  int64_t latest(uint8_t chunk_stream) const {
    auto found = last_ms.find(chunk_stream);
    return found == last_ms.end() ? 0 : found->second;
  }

  void check_offset(uint64_t first, uint64_t end, size_t offset) const {
    uint64_t expected = first;
    for (size_t left = offset; left >= wires[expected].size(); expected++) left -= wires[expected].size();
    EXPECT_EQ(log.entry_at(first, end, offset), expected);
  }

  // Timestamps with payloads.
  std::vector<std::pair<int64_t, ByteVector>> read(Bytes bytes) {
    std::vector<std::pair<int64_t, ByteVector>> messages;
    while (!bytes.empty()) {
      auto taken = reader.next(bytes);
      EXPECT_TRUE(taken && taken->bytes > 0);
      if (!taken || taken->bytes == 0) break;
      if (taken->message)
        messages.emplace_back(taken->message->timestamp,
                              ByteVector(taken->message->payload.begin(), taken->message->payload.end()));
      bytes = bytes.subspan(taken->bytes);
    }
    return messages;
  }

  ChunkReader reader;
  std::vector<ByteVector> wires; // by sequence number
  std::map<uint8_t, int64_t> last_ms, first_ms;
  std::optional<uint64_t> newest_key_frame;
  size_t appended_since_growth = 0;
};

TEST(MediaLog, HoldsTheNewestMessagesWhateverTheirSizes) {
  for (uint64_t seed = 1; seed <= 12; seed++) {
    CheckedLog checked(1, seed); // the least capacity
    EXPECT_EQ(checked.log.capacity(), MediaLog::kMinCapacity);
    std::mt19937_64 random(seed * 77);
    int64_t time_ms = static_cast<int64_t>(random() % 1'000'000) - 500'000;
    size_t largest = seed % 3 == 0 ? 200 : 6'000; // many small ones: the table of entries grows
    for (int i = 0; i < 1'000; i++) {
      bool video = random() % 2 == 0, large = seed % 4 == 1 && random() % 300 == 0;
      size_t length = large ? random() % 300'000 : random() % largest;
      time_ms += static_cast<int64_t>(random() % 60) - 10; // now and then it goes back
      checked.append(static_cast<uint8_t>(video ? kVideoChunkStream : kAudioChunkStream), length, time_ms,
                     video && random() % 20 == 0);
      if (random() % 400 == 0) checked.log.grow(checked.log.capacity() + random() % 50'000);
      if (::testing::Test::HasFatalFailure()) return;
      uint64_t oldest = checked.log.oldest(), count = checked.log.head() - oldest;
      if (i % 8 == 0) checked.check_runs(oldest + random() % count);
      if (i % 50 == 0) checked.check_runs(oldest);
      if (i % 50 == 0) checked.check_entries();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(MediaLog, GrowsForAMessageLargerThanAQuarter) {
  CheckedLog checked(MediaLog::kMinCapacity, 1);
  for (int i = 0; i < 20; i++) checked.append(kVideoChunkStream, 5'000, i);
  uint64_t oldest = checked.log.oldest();
  checked.append(kVideoChunkStream, 1'000'000, 20, true);
  EXPECT_GE(checked.log.capacity(), 4'000'000u);
  EXPECT_EQ(checked.log.oldest(), oldest); // all of it is still there
  checked.check_entries();
  checked.check_runs(oldest);
}

TEST(MediaLog, KeyFramesCanBeForgotten) {
  CheckedLog checked(MediaLog::kMinCapacity, 1);
  EXPECT_EQ(checked.log.newest_key_frame(), std::nullopt);
  checked.append(kVideoChunkStream, 10, 0, true);
  checked.append(kVideoChunkStream, 10, 40);
  EXPECT_EQ(checked.log.newest_key_frame(), 0u);
  checked.log.forget_key_frames();
  EXPECT_EQ(checked.log.newest_key_frame(), std::nullopt);
}

// What a reader of 32 bits can't be told in a header of format 1 is cut, rather than taken for an extended timestamp.
TEST(MediaLog, LongSilencesAreShortened) {
  MediaLog log(MediaLog::kMinCapacity);
  ByteVector payload(3);
  std::array<Bytes, 1> pieces{Bytes(payload)};
  log.append(kAudioChunkStream, MessageType::Audio, 0, false, pieces);
  log.append(kAudioChunkStream, MessageType::Audio, 20'000'000, false, pieces);
  Bytes wire = log.bytes(log.entry(1));
  EXPECT_EQ(ByteVector(wire.begin(), wire.begin() + 4), hex("44 fffffe"));
}

} // namespace
} // namespace sluice::rtmp

#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/protocol/chunk_writer.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using ::testing::ElementsAre;

ByteVector chunk_size_message(uint32_t size) {
  uint8_t bytes[4];
  store_be32(bytes, size);
  ByteVector out;
  append_message(out, kControlChunkStream, {.type = MessageType::SetChunkSize, .payload = bytes});
  return out;
}

TEST(ChunkWriter, WritesWhatIsReadAgain) {
  ByteVector payload = bytes_of('x', 1000);
  for (uint32_t id : {2u, 63u, 64u, 319u, 320u, 65599u}) {
    for (uint32_t timestamp : {0u, 0xfffffeu, 0xffffffu, 0xffffffffu}) {
      for (uint32_t chunk_size : {1u, 128u, 999u, 1000u, 65536u}) {
        ByteVector out = chunk_size_message(chunk_size);
        append_message(out, id, {MessageType::Video, 0x01020304, timestamp, payload}, chunk_size);
        ChunkReader reader;
        EXPECT_THAT(read_chunks(reader, out).messages,
                    ElementsAre("9@" + std::to_string(timestamp) + "/16909060 x*1000"));
      }
    }
  }
}

TEST(ChunkWriter, WritesAnEmptyMessage) {
  ByteVector out;
  append_message(out, 4, {MessageType::Audio, 1, 5, {}});
  EXPECT_EQ(out, hex("04 000005 000000 08 01000000"));
}

TEST(MessageWriter, TakesItsPayloadInAnyPieces) {
  ByteVector payload(150'000);
  for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<uint8_t>(i * i);
  ChunkHeader header{.format = 0,
                     .chunk_stream = kVideoChunkStream,
                     .type = MessageType::Video,
                     .stream = 1,
                     .timestamp = 40,
                     .length = static_cast<uint32_t>(payload.size())};
  ByteVector whole;
  append_message(whole, kVideoChunkStream, {MessageType::Video, 1, 40, payload});
  ASSERT_EQ(whole.size(), header_bytes(header) + body_bytes(header));
  EXPECT_EQ(whole.size(), 12 + 150'000u + 2);
  for (size_t piece : {size_t(1), size_t(7), size_t(65536), payload.size()}) {
    ByteVector out(whole.size());
    MessageWriter writer(out, header);
    for (size_t at = 0; at < payload.size(); at += piece)
      writer.append(Bytes(payload).subspan(at, std::min(piece, payload.size() - at)));
    EXPECT_TRUE(writer.complete());
    EXPECT_EQ(writer.bytes(), out.size());
    EXPECT_EQ(out, whole);
  }
}

// What a reader gets that begins, and that skips, among bytes that are the same for all.
TEST(ChunkWriter, HeadersOfFormat0And1StandBeforeTheSameBody) {
  struct Frame {
    uint32_t chunk_stream;
    MessageType type;
    uint32_t timestamp;
    ByteVector payload;
  };
  std::vector<Frame> frames = {{6, MessageType::Video, 1000, bytes_of('I', 70'000)},
                               {4, MessageType::Audio, 1005, bytes_of('a', 20)},
                               {6, MessageType::Video, 1040, bytes_of('P', 100)},
                               {4, MessageType::Audio, 1028, bytes_of('a', 30)},
                               {6, MessageType::Video, 1080, bytes_of('P', 200)}};
  struct Shared {
    ChunkHeader header;
    ByteVector bytes;
    size_t header_bytes;
  };
  std::vector<Shared> log;
  uint32_t last[8] = {};
  for (const Frame &frame : frames) {
    ChunkHeader header{.format = 1,
                       .chunk_stream = frame.chunk_stream,
                       .type = frame.type,
                       .timestamp = frame.timestamp - last[frame.chunk_stream],
                       .length = static_cast<uint32_t>(frame.payload.size())};
    last[frame.chunk_stream] = frame.timestamp;
    ByteVector bytes(header_bytes(header) + body_bytes(header));
    MessageWriter writer(bytes, header);
    writer.append(frame.payload);
    EXPECT_EQ(writer.header_bytes(), 8u);
    log.push_back({header, std::move(bytes), writer.header_bytes()});
  }
  auto own = [&](size_t index, uint8_t format, uint32_t timestamp) {
    ChunkHeader header = log[index].header;
    header.format = format;
    header.stream = 1;
    header.timestamp = timestamp;
    ByteVector out(header_bytes(header));
    write_chunk_header(out, header);
    return out + ByteVector(log[index].bytes.begin() + static_cast<ptrdiff_t>(log[index].header_bytes),
                            log[index].bytes.end());
  };
  ByteVector to_reader = chunk_size_message(kSentChunkBytes) + own(0, 0, 0) + own(1, 0, 5) + log[2].bytes +
                         own(4, 1, 40); // the audio between was skipped; its next would get format 1 as well
  ChunkReader reader;
  EXPECT_THAT(read_chunks(reader, to_reader).messages,
              ElementsAre("9@0/1 I*70000", "8@5/1 a*20", "9@40/1 P*100", "9@80/1 P*200"));
}

} // namespace
} // namespace sluice::rtmp

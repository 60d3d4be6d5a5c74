#include "tests/unit/rtmp/chunks.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ChunkReader, ReadsAllHeaderFormats) {
  EXPECT_THAT(read_chunks(hex("03 0003e8 000002 08 01000000 6161" // format 0 at 1000
                              "43 000014 000001 09 62"            // + 20, other length and type
                              "83 000005 63"                      // + 5
                              "c3 64"                             // + 5 once more
                              "43 000000 000001 12 65"))
                  .messages,
              ElementsAre("8@1000/1 aa", "9@1020/1 b", "9@1025/1 c", "9@1030/1 d", "18@1030/1 e"));
}

TEST(ChunkReader, ReadsAllFormsOfChunkStreamIds) {
  EXPECT_THAT(
      read_chunks(hex("3f 000001 000001 08 01000000 61"       // 63
                      "00 00 000002 000001 08 01000000 62"    // 64
                      "00 ff 000003 000001 08 01000000 63"    // 319
                      "01 0001 000004 000001 08 01000000 64"  // 320
                      "01 ffff 000005 000001 08 01000000 65"  // 65599
                      "c1 0001 66 c0ff 67 c1 ff00 68 ff 69")) // 320, 319 in both forms, 63
          .messages,
      ElementsAre("8@1/1 a", "8@2/1 b", "8@3/1 c", "8@4/1 d", "8@5/1 e", "8@8/1 f", "8@6/1 g", "8@9/1 h", "8@2/1 i"));
}

TEST(ChunkReader, JoinsChunksAndTakesThemInterleaved) {
  ByteVector bytes = hex("06 000000 00012c 09 01000000") + bytes_of('v', 128) + hex("04 000001 000082 08 01000000") +
                     bytes_of('a', 128) + hex("c6") + bytes_of('v', 128) + hex("c4") + bytes_of('a', 2) + hex("c6") +
                     bytes_of('v', 44);
  EXPECT_THAT(read_chunks(bytes).messages, ElementsAre("8@1/1 a*130", "9@0/1 v*300"));
}

TEST(ChunkReader, HandsOnAMessageInOneChunkWhereItStands) {
  ByteVector bytes = hex("04 000001 000002 08 01000000 6161");
  ChunkReader reader;
  auto taken = reader.next(bytes);
  ASSERT_TRUE(taken && taken->message);
  EXPECT_EQ(taken->message->payload.data(), bytes.data() + 12);
}

TEST(ChunkReader, TakesWhatIsThereOfAChunkLargerThanTheInput) {
  ChunkReader reader;
  ByteVector header = hex("02 000000 000004 01 00000000 7fffffff 06 000007 100000 09 01000000");
  EXPECT_EQ(read_chunks(reader, header).unread, 0u);
  ByteVector piece = bytes_of('x', 64 * 1024);
  for (int i = 0; i < 15; i++) {
    ReadMessages read = read_chunks(reader, piece);
    EXPECT_TRUE(read.messages.empty() && read.unread == 0);
  }
  EXPECT_THAT(read_chunks(reader, piece).messages, ElementsAre("9@7/1 x*1048576"));
}

TEST(ChunkReader, ChangesItsChunkSizeBetweenAnyTwoChunks) {
  ByteVector bytes = hex("06 000000 000100 09 01000000") + bytes_of('v', 128) +
                     hex("02 000000 000004 01 00000000 00000064 c6") + bytes_of('v', 100) + hex("c6") +
                     bytes_of('v', 28);
  EXPECT_THAT(read_chunks(bytes).messages, ElementsAre("9@0/1 v*256"));
}

TEST(ChunkReader, RefusesImpossibleChunkSizes) {
  EXPECT_THAT(read_chunks(hex("02 000000 000004 01 00000000 00000000")).error, HasSubstr("chunk size 0"));
  EXPECT_THAT(read_chunks(hex("02 000000 000004 01 00000000 80000000")).error, HasSubstr("chunk size 2147483648"));
  EXPECT_THAT(read_chunks(hex("02 000000 000002 01 00000000 0001")).error, HasSubstr("incomplete"));
}

TEST(ChunkReader, ReadsExtendedTimestampsThatAreRepeatedOrNot) {
  ByteVector header = hex("06 ffffff 00012c 09 01000000 01000000") + bytes_of('v', 128);
  ByteVector repeated = header + hex("c6 01000000") + bytes_of('v', 128) + hex("c6 01000000") + bytes_of('v', 44);
  ByteVector left_out = header + hex("c6") + bytes_of('v', 128) + hex("c6") + bytes_of('v', 44);
  EXPECT_THAT(read_chunks(repeated).messages, ElementsAre("9@16777216/1 v*300"));
  EXPECT_THAT(read_chunks(left_out).messages, ElementsAre("9@16777216/1 v*300"));
}

TEST(ChunkReader, ReadsExtendedDeltas) {
  // A delta of 16777216 after 1000, in two chunks; the second repeats the delta or, as some do, the timestamp.
  for (const char *again : {"c6 01000000", "c6 010003e8"}) {
    ByteVector bytes = hex("06 0003e8 000001 09 01000000 61 46 ffffff 000081 09 01000000") + bytes_of('v', 128) +
                       hex(again) + bytes_of('v', 1) + hex("86 000001") + bytes_of('w', 128) + hex("c6 77");
    EXPECT_THAT(read_chunks(bytes).messages, ElementsAre("9@1000/1 a", "9@16778216/1 v*129", "9@16778217/1 w*129"));
  }
}

TEST(ChunkReader, DoesNotWaitForAnExtendedTimestampThatCannotBeThere) {
  ChunkReader reader;
  ByteVector bytes = hex("06 ffffff 000081 09 01000000 01000000") + bytes_of('v', 128) + hex("c6 76");
  EXPECT_THAT(read_chunks(reader, bytes).messages, ElementsAre("9@16777216/1 v*129"));
}

TEST(ChunkReader, LetsTimestampsWrap) {
  EXPECT_THAT(read_chunks(hex("04 ffffff 000001 08 01000000 fffffff6 61 84 000014 62")).messages,
              ElementsAre("8@4294967286/1 a", "8@10/1 b"));
}

// Section 5.3.1.2.4 has format 3 after format 0 repeat the timestamp as a delta. FFmpeg's publishers mean that at their
// first frames, librtmp's mean "the same time" at any.
TEST(ChunkReader, RepeatsAFirstTimestampAsADeltaIfItMayBeOne) {
  EXPECT_THAT(read_chunks(hex("04 000014 000001 08 01000000 61 c4 62 c4 63")).messages,
              ElementsAre("8@20/1 a", "8@40/1 b", "8@60/1 c"));
  EXPECT_THAT(read_chunks(hex("04 0f4240 000001 08 01000000 61 c4 62")).messages,
              ElementsAre("8@1000000/1 a", "8@1000000/1 b"));
}

TEST(ChunkReader, AbandonsAMessageThatIsAborted) {
  ByteVector bytes = hex("06 000000 000100 09 01000000") + bytes_of('v', 128) +
                     hex("02 000000 000004 02 00000000 00000006" // this one
                         "02 000000 000004 02 00000000 00000009" // one that is not known
                         "06 000005 000001 09 01000000 77");
  EXPECT_THAT(read_chunks(bytes).messages, ElementsAre("9@5/1 w"));
}

TEST(ChunkReader, ReadsEmptyMessages) {
  EXPECT_THAT(read_chunks(hex("04 000001 000000 08 01000000 c4")).messages, ElementsAre("8@1/1 ", "8@2/1 "));
}

TEST(ChunkReader, AcceptsFormat1AtTheBeginOfAChunkStream) {
  EXPECT_THAT(read_chunks(hex("44 000005 000001 08 61")).messages, ElementsAre("8@5/0 a"));
}

TEST(ChunkReader, RefusesWhatMakesNoSense) {
  EXPECT_THAT(read_chunks(hex("84 000005 61")).error, HasSubstr("chunk stream 4 begins without"));
  EXPECT_THAT(read_chunks(hex("c4 61")).error, HasSubstr("chunk stream 4 begins without"));
  ByteVector begun = hex("06 000000 000100 09 01000000") + bytes_of('v', 128);
  EXPECT_THAT(read_chunks(begun + hex("06 000000 000001 09 01000000 61")).error, HasSubstr("within another"));
}

TEST(ChunkReader, BoundsMessagesAndChunkStreams) {
  EXPECT_THAT(read_chunks(hex("06 000000 400001 09 01000000")).error, HasSubstr("4194305 bytes is too large"));
  ByteVector bytes;
  for (uint8_t id = 3; id < 3 + 16; id++) bytes = bytes + ByteVector{id} + hex("000000 000001 08 01000000 61");
  EXPECT_EQ(read_chunks(bytes).messages.size(), 16u);
  EXPECT_THAT(read_chunks(bytes + hex("20 000000 000001 08 01000000 61")).error, HasSubstr("more than 16"));
}

TEST(ChunkReader, BoundsWhatHalfReceivedMessagesTakeTogether) {
  ChunkReader reader;
  ASSERT_EQ(read_chunks(reader, hex("02 000000 000004 01 00000000 00400000")).error, "");
  std::string error;
  for (uint8_t id = 3; id < 8 && error.empty(); id++) {
    // Chunks of 1 MiB: the rest of each message is left out.
    ASSERT_EQ(read_chunks(reader, hex("02 000000 000004 01 00000000 00100000")).error, "");
    error = read_chunks(reader, ByteVector{id} + hex("000000 400000 09 01000000") + bytes_of('x', 1 << 20)).error;
    for (int i = 0; i < 2 && error.empty(); i++)
      error = read_chunks(reader, ByteVector{static_cast<uint8_t>(0xc0 | id)} + bytes_of('x', 1 << 20)).error;
  }
  EXPECT_THAT(error, HasSubstr("too many bytes"));
}

// What is kept for the next message does not count against those that come.
TEST(ChunkReader, ReadsLargeMessagesOnAllChunkStreams) {
  ChunkReader reader;
  for (int round = 0; round < 2; round++) {
    for (uint8_t id = 3; id < 3 + 15; id++) {
      ByteVector bytes = ByteVector{id} + hex("000000 3fffff 09 01000000");
      for (size_t left = 0x3fffff; left > 0;) {
        size_t count = std::min<size_t>(left, 128);
        bytes.insert(bytes.end(), count, 'x');
        left -= count;
        if (left > 0) bytes.push_back(static_cast<uint8_t>(0xc0 | id));
      }
      EXPECT_THAT(read_chunks(reader, bytes).messages, ElementsAre("9@0/1 x*4194303"));
    }
  }
}

} // namespace
} // namespace sluice::rtmp

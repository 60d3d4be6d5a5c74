#include "common/http/output_queue.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

struct Memory final : BodyMemory {
  explicit Memory(size_t bytes, char fill) : text(bytes, fill) {}
  bool intact() const override { return whole; }
  std::string text;
  bool whole = true;
};

std::string take(OutputQueue &queue, size_t most, size_t places = 2) {
  std::vector<Bytes> parts(places);
  parts.resize(queue.gather(parts, most));
  std::string text;
  for (Bytes part : parts) text += as_text(part);
  EXPECT_LE(text.size(), most);
  EXPECT_FALSE(queue.consume(text.size()));
  return text;
}

TEST(OutputQueue, GivesAllInOrderInPiecesOfAnySize) {
  auto memory = std::make_shared<Memory>(100'000, 'm');
  for (size_t most : {1UL, 7UL, 5000UL, 1'000'000UL}) {
    OutputQueue queue;
    std::string expected;
    for (int i = 0; i < 3; i++) {
      std::string small(10 + i, 's'), large(9000 + i, 'l');
      queue.append("head");
      ASSERT_TRUE(queue.append(small, 1));
      ASSERT_TRUE(queue.append(large, 1));
      queue.append_span(memory, as_bytes(memory->text).first(5000), 1);
      queue.append_span(memory, as_bytes(memory->text).first(10), 1);
      expected += "head" + small + large + std::string(5010, 'm');
    }
    queue.append("end");
    expected += "end";
    EXPECT_EQ(queue.size(), expected.size());
    std::string taken;
    while (!queue.empty()) taken += take(queue, most);
    EXPECT_EQ(taken, expected);
  }
  EXPECT_EQ(memory.use_count(), 1);
}

TEST(OutputQueue, TakesMoreWhileItIsBeingEmptied) {
  auto memory = std::make_shared<Memory>(50, 'm');
  OutputQueue queue;
  std::string expected, taken;
  for (int i = 0; i < 2000; i++) {
    std::string text = std::to_string(i);
    queue.append(text);
    queue.append_span(memory, as_bytes(memory->text), 1);
    expected += text + memory->text;
    taken += take(queue, 40);
  }
  while (!queue.empty()) taken += take(queue, 3000, 64);
  EXPECT_EQ(taken, expected);
}

TEST(OutputQueue, SendsSharedMemoryFromWhereItLies) {
  auto memory = std::make_shared<Memory>(8000, 'm');
  OutputQueue queue;
  ASSERT_TRUE(queue.append({memory, as_bytes(memory->text)}, 1));
  Bytes part;
  ASSERT_EQ(queue.gather({&part, 1}, 1'000'000), 1U);
  EXPECT_EQ(part.data(), as_bytes(memory->text).data());
}

TEST(OutputQueue, NamesTheOwnerOfWhatIsTorn) {
  auto first = std::make_shared<Memory>(8000, 'a'), second = std::make_shared<Memory>(8000, 'b');
  OutputQueue queue;
  ASSERT_TRUE(queue.append({first, as_bytes(first->text)}, 1));
  ASSERT_TRUE(queue.append({second, as_bytes(second->text)}, 2));
  EXPECT_EQ(queue.consume(100), std::nullopt);
  second->whole = false;
  EXPECT_EQ(queue.consume(7900), std::nullopt);
  EXPECT_EQ(queue.consume(1), 2U);
  auto small = std::make_shared<Memory>(10, 'c');
  EXPECT_TRUE(queue.append({small, as_bytes(small->text)}, 3));
  small->whole = false;
  EXPECT_FALSE(queue.append({small, as_bytes(small->text)}, 3)); // copied, and too late
}

} // namespace
} // namespace sluice::http

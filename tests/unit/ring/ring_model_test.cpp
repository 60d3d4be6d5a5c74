// Random operations on a ring against a model: a deque of all entries with what must still be readable of them.

#include "tests/unit/ring/ring_test_support.h"

#include <deque>
#include <memory>
#include <random>

namespace sluice::ring {
namespace {

class Model {
public:
  explicit Model(uint32_t seed) : random_(seed) { rings_.push_back(std::make_unique<TestMemory>()); }

  void run(int operations) {
    writer_ = RingWriter::create(memory(), parameters_of()).value();
    reader_ = RingReader::create(rings_.back()->read_only.bytes()).value();
    for (int i = 0; i < operations && !testing::Test::HasFatalFailure(); i++) {
      uint32_t choice = below(1000);
      if (choice < 700) {
        append();
      } else if (choice < 900) {
        commit();
      } else if (choice < 990) {
        read();
      } else if (choice < 998) {
        die_and_resume();
      } else {
        grow();
      }
    }
    commit();
    read();
    EXPECT_GT(dropped_, 0u) << "the run was to go around";
  }

private:
  struct Entry {
    uint64_t position;
    ByteVector bytes;
    uint16_t flags;
    uint64_t input_position;
  };

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  MutableBytes memory() const { return rings_.back()->writable.writable(); }
  uint64_t next() const { return head_ + staged_.size(); }
  uint64_t end() const {
    if (!staged_.empty()) return staged_.back().position + staged_.back().bytes.size();
    return entries_.empty() ? 0 : entries_.back().position + entries_.back().bytes.size();
  }

  void append() {
    size_t size = 1 + below(below(20) == 0 ? 65535 : below(2) == 0 ? 1400 : 60);
    auto flags = static_cast<uint16_t>(below(8) == 0 ? kFirstOfAccessUnit | (below(10) == 0 ? kRandomAccess : 0)
                                                     : below(2) * kMarker + (below(6) == 0 ? kFlush : 0));
    ByteVector packet = packet_of(next(), size);
    size_t cut = below(3) == 0 ? below(static_cast<uint32_t>(size)) : size;
    uint64_t start = entries_.empty() ? 0 : entries_.back().position + entries_.back().bytes.size();
    bool fits = end() + size + 4 - start <= capacity() / 2 && staged_.size() < slot_count(capacity()) / 2;
    ASSERT_EQ(writer_->append({0, flags}, Bytes(packet).first(cut), Bytes(packet).subspan(cut)), fits);
    if (!fits) return commit();
    staged_.push_back({end(), framed(0, packet), flags, input_});
    reserved_ = std::max(reserved_, end());
    drop();
  }

  // Forgets what can no longer be there.
  void drop() {
    while (!entries_.empty() &&
           (entries_.front().position + capacity() < end() || next() - oldest_ > slot_count(capacity()))) {
      entries_.pop_front();
      oldest_++;
      dropped_++;
    }
  }

  void commit() {
    input_ += below(100);
    writer_->commit(input_);
    if (staged_.empty()) {
      if (!entries_.empty()) entries_.back().input_position = input_;
      return;
    }
    staged_.back().input_position = input_;
    for (Entry &entry : staged_) {
      if ((entry.flags & kFirstOfAccessUnit) != 0 && (entry.flags & kRandomAccess) != 0) random_access_ = head_;
      if ((entry.flags & kFlush) != 0) flush_in_batch_ = true;
      entries_.push_back(std::move(entry));
      head_++;
    }
    staged_.clear();
    if (flush_in_batch_) flush_ = head_;
    flush_in_batch_ = false;
  }

  void read() {
    ASSERT_EQ(reader_->head(), head_);
    ASSERT_EQ(reader_->oldest(), oldest_);
    ASSERT_EQ(reader_->flush(), flush_);
    ASSERT_EQ(writer_->input_position(), input_);
    uint64_t cursor = oldest_ > 3 ? oldest_ - 3 + below(static_cast<uint32_t>(head_ - oldest_) + 5) : below(10);
    read_entry(cursor);
    read_span(cursor);
    std::optional<uint64_t> start = reader_->newest_random_access();
    bool there = random_access_ >= oldest_ && random_access_ < head_ &&
                 reserved_ - entries_[random_access_ - oldest_].position <= capacity() / 4 * 3;
    ASSERT_EQ(start, there ? std::optional(random_access_) : std::nullopt);
  }

  void read_entry(uint64_t sequence) {
    ByteVector buffer(kMaxEntryBytes);
    std::optional<EntryInfo> info = reader_->entry(sequence);
    std::optional<MutableBytes> bytes = reader_->copy(sequence, buffer);
    bool there = sequence >= oldest_ && sequence < head_;
    ASSERT_EQ(info.has_value(), there);
    ASSERT_EQ(bytes.has_value(), there);
    if (!there) return;
    const Entry &entry = entries_[sequence - oldest_];
    ASSERT_EQ(info->position, entry.position);
    ASSERT_EQ(info->flags, entry.flags);
    ASSERT_EQ(info->input_position, entry.input_position);
    ASSERT_TRUE(equal(*bytes, entry.bytes));
  }

  void read_span(uint64_t cursor) {
    size_t limit_bytes = below(3) == 0 ? SIZE_MAX : below(200000);
    uint64_t limit_sequence = below(3) == 0 ? cursor + below(20) : kNoSequence;
    Span span = reader_->span(cursor, limit_bytes, limit_sequence);
    if (cursor == head_) {
      ASSERT_EQ(span.state, Span::State::Empty);
    } else if (cursor < oldest_ || cursor > head_) {
      ASSERT_EQ(span.state, Span::State::Lapped);
      uint64_t target = reader_->resync(cursor).cursor;
      ASSERT_TRUE(target == head_ || target == random_access_);
    } else if (limit_sequence <= cursor) {
      ASSERT_EQ(span.state, Span::State::Empty);
    } else {
      ASSERT_EQ(span.state, Span::State::Data);
      ByteVector expected;
      uint64_t at = cursor;
      while (at < std::min(head_, limit_sequence)) {
        const ByteVector &bytes = entries_[at - oldest_].bytes;
        if (at > cursor && expected.size() + bytes.size() > limit_bytes) break;
        expected.insert(expected.end(), bytes.begin(), bytes.end());
        at++;
      }
      ASSERT_EQ(span.first, cursor);
      ASSERT_EQ(span.end, at);
      ASSERT_TRUE(equal(span.bytes, expected));
      ASSERT_TRUE(reader_->intact(span.begin_position));
    }
  }

  void die_and_resume() {
    staged_.clear();
    flush_in_batch_ = false;
    flush_ = head_;
    Result<RingWriter> writer = RingWriter::resume(memory());
    ASSERT_TRUE(writer) << writer.error().message;
    writer_ = std::move(*writer);
  }

  void grow() {
    if (capacity() >= (2u << 20)) return;
    commit();
    rings_.push_back(std::make_unique<TestMemory>(capacity() * 2));
    ASSERT_TRUE(RingWriter::format(memory(), parameters_of(static_cast<uint32_t>(rings_.size()))));
    Result<RingWriter> next = RingWriter::continue_from(memory(), *writer_);
    ASSERT_TRUE(next) << next.error().message;
    ASSERT_EQ(reader_->span(head_, SIZE_MAX).state, Span::State::Superseded);
    writer_ = std::move(*next);
    reader_ = RingReader::create(rings_.back()->read_only.bytes()).value();
    flush_ = head_;
    reserved_ = end();
    uint64_t oldest = reader_->oldest();
    ASSERT_TRUE(oldest == head_ || oldest == random_access_);
    while (oldest_ < oldest && !entries_.empty()) {
      kept_end_ = end();
      entries_.pop_front();
      oldest_++;
    }
    if (entries_.empty()) refill();
  }

  // The model knows positions by its newest entry; after an empty start of a generation it needs one.
  void refill() {
    ByteVector packet = packet_of(head_, 10);
    ASSERT_TRUE(writer_->append({}, packet));
    writer_->commit(input_);
    entries_.push_back({kept_end_, framed(0, packet), 0, input_});
    head_++;
    reserved_ = end();
  }

  size_t capacity() const { return writer_->data_capacity(); }

  std::mt19937 random_;
  std::vector<std::unique_ptr<TestMemory>> rings_;
  std::optional<RingWriter> writer_;
  std::optional<RingReader> reader_;
  std::deque<Entry> entries_; // [oldest, head)
  std::vector<Entry> staged_;
  uint64_t oldest_ = 0, head_ = 0, flush_ = 0, reserved_ = 0, kept_end_ = 0, input_ = 0, dropped_ = 0;
  uint64_t random_access_ = kNoSequence;
  bool flush_in_batch_ = false;
};

class RingModel : public testing::TestWithParam<uint32_t> {};

TEST_P(RingModel, BehavesLikeADequeUnderRandomOperations) {
  Model(GetParam()).run(6000);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RingModel, testing::Range(1u, 13u));

} // namespace
} // namespace sluice::ring

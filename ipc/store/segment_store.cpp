#include "ipc/store/segment_store.h"

#include "common/base/check.h"
#include "ipc/ring/atomic_words.h"
#include "ipc/shm/memfd.h"

#include <sys/mman.h>

namespace sluice::store {
namespace {

using ring::load;

constexpr size_t kMaxSlots = 64;

uint64_t *index_copy(uint8_t *base, uint64_t version) {
  return reinterpret_cast<uint64_t *>(base + kIndexOffset + version % 2 * kMaxIndexBytes);
}

uint64_t &subscribers_of(MutableBytes mapping, size_t slot) {
  CHECK(mapping.size() >= sizeof(StoreHeader) && slot < kMaxSlots);
  return reinterpret_cast<StoreHeader *>(mapping.data())->subscribers;
}

} // namespace

Result<Fd> make(const NewStore &facts) {
  if (facts.capacity == 0 || facts.capacity > kMaxDataCapacity || facts.store_index >= kMaxStores)
    return Error{"no segment store can be of that size"};
  uint64_t capacity = (facts.capacity + kAlignment - 1) / kAlignment * kAlignment;
  Fd fd = TRY(shm::create_memfd("sluice segments", store_bytes(capacity)));
  shm::Mapping mapping = TRY(shm::Mapping::map(fd.get(), shm::Access::ReadWrite));
  auto &header = *reinterpret_cast<StoreHeader *>(mapping.writable().data());
  header.layout_version = kLayoutVersion;
  header.id = facts.id;
  header.store_index = facts.store_index;
  header.data_capacity = capacity;
  ring::store(header.magic, kMagic);
  return fd;
}

void subscribe(MutableBytes mapping, size_t slot) {
  __atomic_fetch_or(&subscribers_of(mapping, slot), uint64_t{1} << slot, __ATOMIC_ACQ_REL);
}

void unsubscribe(MutableBytes mapping, size_t slot) {
  __atomic_fetch_and(&subscribers_of(mapping, slot), ~(uint64_t{1} << slot), __ATOMIC_ACQ_REL);
}

// --- what both see ---

Result<StoreView> StoreView::map(int fd, shm::Access access) {
  size_t size = TRY(shm::sealed_size(fd));
  std::optional<size_t> capacity = data_capacity_of(size);
  if (!capacity) return Error{"shared memory has no size of a segment store"};
  StoreView view;
  view.mapping_ = TRY(shm::Mapping::map_with_tail_again(fd, access, kDataOffset));
  const StoreHeader &header = view.facts();
  if (load(header.magic) != kMagic || load(header.layout_version) != kLayoutVersion)
    return Error{"shared memory is no segment store"};
  view.id_ = load(header.id) & ((uint64_t{1} << 48) - 1);
  uint64_t store_index = load(header.store_index);
  if (load(header.data_capacity) != *capacity || store_index >= kMaxStores)
    return Error{"the header of a segment store is damaged"};
  view.capacity_ = *capacity;
  view.store_index_ = static_cast<uint16_t>(store_index);
  return view;
}

StoreHeader &StoreView::header() const {
  return *reinterpret_cast<StoreHeader *>(mapping_.writable().data());
}

uint64_t StoreView::subscribers() const {
  return load(facts().subscribers);
}

uint64_t StoreView::version() const {
  return load(facts().version);
}

Result<uint64_t> StoreView::read_index(ByteVector &out) const {
  for (int attempt = 0; attempt < kIndexAttempts; attempt++) {
    uint64_t version = load(facts().version);
    if (version == 0) return Error{"the segment store is empty"};
    uint64_t length = load(facts().lengths[version % 2]);
    if (length > kMaxIndexBytes) return Error{"the index of a segment store is damaged"};
    out.resize(length);
    auto *base = const_cast<uint8_t *>(mapping_.bytes().data());
    ring::load_bytes(index_copy(base, version), kMaxIndexBytes, 0, out);
    // The writer touches this copy once the next version stands.
    if (load(facts().version) == version) return version;
  }
  return Error{"the index of a segment store changes too fast"};
}

bool StoreView::intact(uint64_t position) const {
  return load(facts().oldest) <= position;
}

Result<Bytes> StoreView::data(uint64_t position, uint64_t bytes) const {
  uint64_t end = load(facts().end);
  if (bytes > capacity_ || position > end || bytes > end - position || end - position > capacity_ || !intact(position))
    return Error{"not in the segment store"};
  return mapping_.bytes().subspan(kDataOffset + position % capacity_, bytes);
}

// --- reader and writer ---

Result<StoreReader> StoreReader::open(int fd) {
  return StoreReader(TRY(StoreView::map(fd, shm::Access::ReadOnly)));
}

Result<StoreWriter> StoreWriter::open(int fd) {
  StoreWriter writer(TRY(StoreView::map(fd, shm::Access::ReadWrite)));
  const StoreHeader &header = writer.header();
  uint64_t oldest = load(header.oldest);
  if (oldest > writer.end_ || writer.end_ - oldest > writer.capacity_)
    return Error{"the header of a segment store is damaged"};
  return writer;
}

StoreWriter::StoreWriter(StoreView view) : StoreView(std::move(view)) {
  end_ = load(header().end);
  given_back_ = load(header().oldest) / kAlignment * kAlignment;
}

Result<uint64_t> StoreWriter::append(Bytes data) {
  if (data.size() > capacity_ - (end_ - load(header().oldest))) return Error{"the segment store is full"};
  // Both mappings of the data are in a row, so it is never torn.
  std::memcpy(mapping_.writable().data() + kDataOffset + end_ % capacity_, data.data(), data.size());
  return std::exchange(end_, end_ + data.size());
}

Result<void> StoreWriter::publish(Bytes index) {
  if (index.size() > kMaxIndexBytes) return Error{"the index of a segment store is too long"};
  StoreHeader &to = header();
  uint64_t next = load(to.version) + 1;
  ring::store(to.end, end_);
  ring::store_bytes(index_copy(mapping_.writable().data(), next), kMaxIndexBytes, 0, index);
  ring::store(to.lengths[next % 2], index.size());
  ring::store(to.version, next);
  return {};
}

void StoreWriter::forget_unpublished() {
  end_ = load(header().end);
}

void StoreWriter::let_go_before(uint64_t position) {
  StoreHeader &to = header();
  CHECK(position <= end_);
  if (position <= load(to.oldest)) return;
  ring::store(to.oldest, position);
  // Whole pages only, and each once.
  uint64_t whole = position / kAlignment * kAlignment;
  uint8_t *data = mapping_.writable().data() + kDataOffset;
  while (given_back_ < whole) {
    uint64_t offset = given_back_ % capacity_;
    uint64_t bytes = std::min(whole - given_back_, capacity_ - offset);
    // Where it fails, the memory is used again when the log comes round.
    [[maybe_unused]] int failed = ::madvise(data + offset, bytes, MADV_REMOVE);
    given_back_ += bytes;
  }
}

} // namespace sluice::store

#include "ipc/ring/ring_layout.h"
#include "ipc/shm/mapping.h"
#include "ipc/shm/memfd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace sluice::shm {
namespace {

constexpr size_t kCapacity = ring::kMinDataCapacity;

TEST(Memfd, IsPrivateSealedAndClosedOnExec) {
  Fd fd = create_memfd("test", 8192).value();
  struct stat status {};
  ASSERT_EQ(fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(sealed_size(fd.get()).value(), 8192u);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(ftruncate(fd.get(), 4096), 0);
  EXPECT_NE(ftruncate(fd.get(), 16384), 0);
}

TEST(Memfd, ReopenedForReadingCannotBeWritten) {
  Fd fd = create_memfd("test", 4096).value();
  Fd read_only = reopen_read_only(fd.get()).value();
  EXPECT_NE(fcntl(read_only.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_LT(write(read_only.get(), "x", 1), 0);
  EXPECT_FALSE(Mapping::map(read_only.get(), Access::ReadWrite));
  Mapping reader = Mapping::map(read_only.get(), Access::ReadOnly).value();
  Mapping writer = Mapping::map(fd.get(), Access::ReadWrite).value();
  writer.writable()[17] = 99;
  EXPECT_EQ(reader.bytes()[17], 99);
  EXPECT_FALSE(reopen_read_only(-1));
}

TEST(Mapping, ShowsTheDataOfARingTwice) {
  Fd fd = create_memfd("ring", ring::ring_bytes(kCapacity)).value();
  Mapping ring = Mapping::map_ring(fd.get(), Access::ReadWrite).value();
  ASSERT_EQ(ring.bytes().size(), ring::mapping_bytes(kCapacity));
  MutableBytes bytes = ring.writable();
  size_t data = ring::data_offset(kCapacity);
  bytes[data] = 1;
  bytes[data + kCapacity - 1] = 2;
  EXPECT_EQ(bytes[data + kCapacity], 1);
  EXPECT_EQ(bytes.back(), 2);
  bytes[data + kCapacity + 5] = 3;
  EXPECT_EQ(bytes[data + 5], 3);
  EXPECT_EQ(bytes[0], 0);
}

TEST(Mapping, RefusesMemoryWhoseSizeIsWrongOrCouldChange) {
  Fd odd = create_memfd("ring", ring::ring_bytes(kCapacity) + 4096).value();
  EXPECT_FALSE(Mapping::map_ring(odd.get(), Access::ReadOnly));
  Fd small = create_memfd("ring", 4096).value();
  EXPECT_FALSE(Mapping::map_ring(small.get(), Access::ReadOnly));
  Fd empty = create_memfd("ring", 0).value();
  EXPECT_FALSE(Mapping::map_ring(empty.get(), Access::ReadOnly));
  EXPECT_FALSE(Mapping::map(empty.get(), Access::ReadOnly));
  Fd loose(memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(loose.get(), static_cast<off_t>(ring::ring_bytes(kCapacity))), 0);
  EXPECT_FALSE(Mapping::map_ring(loose.get(), Access::ReadOnly));
  EXPECT_FALSE(Mapping::map(loose.get(), Access::ReadOnly));
  EXPECT_FALSE(Mapping::map(-1, Access::ReadOnly));
}

TEST(Mapping, MovesItsMemoryAndReleasesItOnce) {
  Fd fd = create_memfd("test", 4096).value();
  Mapping first = Mapping::map(fd.get(), Access::ReadWrite).value();
  fd.reset();
  first.writable()[0] = 7;
  const uint8_t *address = first.bytes().data();
  Mapping second = std::move(first);
  Mapping third;
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), address);
  EXPECT_EQ(third.bytes()[0], 7);
  third = Mapping();
  EXPECT_TRUE(third.bytes().empty());
}

} // namespace
} // namespace sluice::shm

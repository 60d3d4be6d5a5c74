#include "ipc/control/channel.h"
#include "sample_messages.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

namespace sluice::control {
namespace {

size_t open_descriptors() {
  auto folder = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

ino_t inode_of(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

struct ChannelTest : testing::Test {
  ChannelTest() : ends(Channel::make_pair().value()), left(std::move(ends.first)), right(std::move(ends.second)) {}
  std::pair<Fd, Fd> ends;
  Channel left, right;
};

TEST_F(ChannelTest, CarriesEveryMessageInOrder) {
  for (const Message &sample : sample_messages()) ASSERT_TRUE(left.send(sample).has_value());
  for (const Message &sample : sample_messages()) {
    auto received = right.receive();
    ASSERT_TRUE(received.has_value() && received->has_value());
    EXPECT_EQ((*received)->message.index(), sample.index());
    EXPECT_TRUE((*received)->descriptors.empty());
  }
  EXPECT_FALSE(right.receive()->has_value());
}

TEST_F(ChannelTest, CarriesDescriptorsInOrderAndClosesThem) {
  size_t before = open_descriptors();
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  Fd reading(pipe[0]), other(::dup(left.fd()));
  int sent[] = {reading.get(), other.get()};
  ASSERT_TRUE(left.send(Recorded{1}, sent).has_value());
  {
    auto received = right.receive();
    ASSERT_EQ((*received)->descriptors.size(), 2U);
    EXPECT_EQ(inode_of((*received)->descriptors[0].get()), inode_of(reading.get()));
    EXPECT_EQ(inode_of((*received)->descriptors[1].get()), inode_of(other.get()));
  }
  reading.reset(), other.reset(), ::close(pipe[1]);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, CarriesAsManyDescriptorsAsAreAllowed) {
  std::vector<int> descriptors(kMaxDescriptors, left.fd());
  ASSERT_TRUE(left.send(Welcome{}, descriptors).has_value());
  EXPECT_EQ((*right.receive())->descriptors.size(), kMaxDescriptors);
}

TEST_F(ChannelTest, RefusesMoreDescriptorsThanAreAllowed) {
  ByteVector bytes = {static_cast<uint8_t>(Message(Shutdown{}).index())};
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char ancillary[CMSG_SPACE((kMaxDescriptors + 8) * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = ancillary;
  header.msg_controllen = sizeof ancillary;
  cmsghdr *control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN((kMaxDescriptors + 8) * sizeof(int));
  for (size_t i = 0; i < kMaxDescriptors + 8; i++) reinterpret_cast<int *>(CMSG_DATA(control))[i] = left.fd();
  size_t before = open_descriptors();
  ASSERT_EQ(::sendmsg(left.fd(), &header, 0), 1);
  EXPECT_FALSE(right.receive());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, QueuesWhatTheSocketDoesNotTakeAndKeepsTheOrder) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  size_t count = 0;
  while (!left.wants_write()) {
    ASSERT_LT(count, 100'000U);
    ASSERT_TRUE(left.send(Kick{count++, std::string(10'000, 'x')}, {&pipe[0], 1}).has_value());
  }
  for (int i = 0; i < 10; i++) ASSERT_TRUE(left.send(Kick{count++, ""}, {&pipe[0], 1}).has_value());
  ino_t expected = inode_of(pipe[0]);
  ::close(pipe[0]), ::close(pipe[1]); // the queue has descriptors of its own
  for (size_t i = 0; i < count; i++) {
    auto received = right.receive();
    ASSERT_TRUE(received.has_value());
    if (!received->has_value()) {
      ASSERT_TRUE(left.flush().has_value());
      received = right.receive();
    }
    ASSERT_EQ(std::get<Kick>((*received)->message).session, i);
    ASSERT_EQ(inode_of((*received)->descriptors.at(0).get()), expected);
  }
  EXPECT_FALSE(left.wants_write());
}

TEST_F(ChannelTest, GivesUpAPeerThatDoesNotRead) {
  const std::string text(100'000, 'x');
  size_t sent = 0;
  while (left.send(Kick{1, text})) ASSERT_LT(sent++, 1000U);
  EXPECT_GE(sent * text.size(), Channel::kMaxQueuedBytes - 2 * text.size());
  EXPECT_LE(sent * text.size(), 2 * Channel::kMaxQueuedBytes);
  EXPECT_TRUE(left.wants_write());
}

TEST_F(ChannelTest, DeliversWhatWasSentBeforeThePeerLeft) {
  ASSERT_TRUE(right.send(Release{1}).has_value()); // left unread: makes the end a reset
  ASSERT_TRUE(left.send(Release{2}).has_value());
  { Channel gone = std::move(left); }
  auto received = right.receive();
  ASSERT_TRUE(received.has_value() && received->has_value());
  EXPECT_EQ(std::get<Release>((*received)->message).session, 2U);
  EXPECT_FALSE(right.ended());
  EXPECT_FALSE(right.receive());
  EXPECT_TRUE(right.ended());
}

TEST_F(ChannelTest, ReportsRubbishAndGoesOn) {
  ASSERT_EQ(::send(left.fd(), "\xff", 1, 0), 1);
  ByteVector oversized(kMaxMessageBytes + 1);
  ASSERT_EQ(::send(left.fd(), oversized.data(), oversized.size(), 0), static_cast<ssize_t>(oversized.size()));
  ASSERT_TRUE(left.send(Release{1}).has_value());
  EXPECT_FALSE(right.receive());
  EXPECT_FALSE(right.receive());
  EXPECT_FALSE(right.ended());
  EXPECT_TRUE(right.receive()->has_value());
}

} // namespace
} // namespace sluice::control

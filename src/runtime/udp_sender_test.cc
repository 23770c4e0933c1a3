#include "runtime/udp_sender.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <string.h>

#include <algorithm>
#include <deque>
#include <optional>

namespace stoa::runtime {
namespace {

const SocketAddress kPeer{IpAddress::v4(192, 0, 2, 1), 5000};

// A kernel that does as it is told. What it takes is cut into datagrams as the real one would.
struct FakeKernel {
  // Errors for the messages to come: 0 takes one. When they run out, everything is taken.
  std::deque<int> answers;
  bool refuses_trains = false;
  int train_error = EIO;
  std::vector<Buffer> datagrams;
  std::vector<SocketAddress> remotes, sources;
  int calls = 0, trains = 0;
  bool is_told = false;

  UdpSender::Kernel function() {
    return [this](mmsghdr* messages, unsigned count) { return take(messages, count); };
  }
  int take(mmsghdr* messages, unsigned count) {
    ++calls;
    for (unsigned i = 0; i < count; ++i) {
      const int error = answer_to(messages[i].msg_hdr);
      if (error == 0) continue;
      errno = error;
      if (i == 0) return -1;
      if (is_told) answers.push_front(error);  // It will be said of this message when it comes first.
      return static_cast<int>(i);
    }
    return static_cast<int>(count);
  }
  int answer_to(msghdr& message) {
    std::size_t segment = 0;
    SocketAddress source;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT)
        segment = *reinterpret_cast<std::uint16_t*>(CMSG_DATA(c));
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(c));
        source.ip = *IpAddress::from_bytes(Bytes(reinterpret_cast<std::uint8_t*>(&info->ipi_spec_dst), 4));
      }
    }
    is_told = !answers.empty();
    if (is_told) {
      const int answer = answers.front();
      answers.pop_front();
      if (answer != 0) return answer;
    }
    if (segment > 0 && refuses_trains) return train_error;
    trains += segment > 0;
    Bytes bytes(static_cast<const std::uint8_t*>(message.msg_iov->iov_base), message.msg_iov->iov_len);
    if (segment == 0) segment = bytes.size();
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(segment, bytes.size()))) {
      const Bytes one = bytes.first(std::min(segment, bytes.size()));
      datagrams.emplace_back(one.begin(), one.end());
      remotes.push_back(read_address(*static_cast<KernelAddress*>(message.msg_name)));
      sources.push_back(source);
    }
    return 0;
  }
};

// Numbered trains: the bytes say which train and which datagram of it.
class Trains {
 public:
  Trains& add(std::size_t datagrams, std::size_t segment = 100, std::size_t last = 100,
              LocalPath local = kUdpPath) {
    Buffer bytes((datagrams - 1) * segment + last);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + count_);
    ++count_;
    if (is_udp_path(local))
      for (std::size_t at = 0; at < bytes.size(); at += segment)
        expected_.emplace_back(bytes.begin() + at, bytes.begin() + std::min(bytes.size(), at + segment));
    const auto room = batch_.room();
    std::copy(bytes.begin(), bytes.end(), room.begin());
    batch_.commit(local, kPeer, bytes.size(), static_cast<std::uint16_t>(segment));
    return *this;
  }
  std::span<const DatagramTrain> trains() const { return batch_.trains(); }
  const std::vector<Buffer>& expected() const { return expected_; }

 private:
  DatagramBatch batch_;
  std::vector<Buffer> expected_;
  std::uint8_t count_ = 0;
};

std::uint64_t dropped(const UdpSender& sender, UdpDrop reason) {
  return sender.stats().dropped[static_cast<std::size_t>(reason)];
}

TEST(UdpSender, gives_many_trains_to_the_kernel_in_one_call) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  trains.add(5, 1200, 1100).add(1).add(40, 100, 1).add(2, 700, 700);
  sender.send(trains.trains());
  EXPECT_EQ(kernel.calls, 1);
  EXPECT_EQ(kernel.trains, 3);
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_EQ(kernel.remotes[0], kPeer);
  EXPECT_EQ(sender.stats().datagrams, 48u);
  EXPECT_EQ(sender.stats().trains, 3u);
  EXPECT_EQ(sender.stats().bytes, 4 * 1200u + 1100 + 100 + 3901 + 1400);
  sender.send({});
  EXPECT_EQ(kernel.calls, 1);
}

TEST(UdpSender, leaves_connections_to_their_owner) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  trains.add(2, 100, 100, kUdpPaths).add(3).add(1, 100, 100, kUdpPaths + 5);
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_EQ(kernel.datagrams.size(), 3u);
}

TEST(UdpSender, sends_one_by_one_without_segmentation) {
  FakeKernel kernel;
  kernel.refuses_trains = true;
  UdpSender sender({.use_gso = false}, kernel.function());
  Trains trains;
  trains.add(50, 100, 3).add(50).add(50);
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_EQ(kernel.calls, 3);  // 64 at a time.
  EXPECT_EQ(sender.stats().gso_refusals, 0u);
}

TEST(UdpSender, turns_segmentation_off_and_says_so_once_when_it_is_refused_again_and_again) {
  FakeKernel kernel;
  kernel.refuses_trains = true;
  UdpSender sender({}, kernel.function());
  Trains trains;
  for (int i = 0; i < UdpSender::kGsoRefusalsMax + 10; ++i) trains.add(3);
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, trains.expected());  // All, in order.
  EXPECT_FALSE(sender.has_gso());
  EXPECT_NE(sender.take_notice().find("segmentation was refused"), std::string::npos);
  EXPECT_EQ(sender.stats().gso_refusals, std::uint64_t{UdpSender::kGsoRefusalsMax});
  kernel.calls = 0;
  sender.send(trains.trains());
  EXPECT_TRUE(sender.take_notice().empty());
  EXPECT_EQ(kernel.calls, 2);
}

TEST(UdpSender, keeps_segmentation_when_one_route_of_many_refuses_it) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  for (int i = 0; i < 50; ++i) {
    trains.add(3);
    kernel.answers.insert(kernel.answers.end(),
                          {EINVAL, 0, 0, 0, 0});  // Refused, three alone, the next is good.
    trains.add(2);
  }
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_TRUE(sender.has_gso());
  EXPECT_EQ(sender.stats().gso_refusals, 50u);
}

TEST(UdpSender, does_not_blame_segmentation_for_a_path_that_is_too_narrow) {
  FakeKernel kernel;
  kernel.refuses_trains = true;
  kernel.train_error = EMSGSIZE;
  UdpSender sender({}, kernel.function());
  Trains trains;
  for (int i = 0; i < 100; ++i) trains.add(3);
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_TRUE(sender.has_gso());
  kernel.train_error = EINVAL;  // What older kernels say of it.
  Trains long_ones;
  for (int i = 0; i < 60; ++i) long_ones.add(3, 1400, 1400);
  sender.send(long_ones.trains());
  EXPECT_TRUE(sender.has_gso());
}

TEST(UdpSender, queues_in_order_what_the_kernel_does_not_take) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  trains.add(4).add(3, 100, 50).add(5);
  kernel.answers = {0, EAGAIN};
  sender.send(trains.trains());
  EXPECT_TRUE(sender.is_waiting());
  EXPECT_EQ(kernel.datagrams.size(), 4u);
  EXPECT_EQ(sender.queued_bytes(), 750u);
  Buffer control(30, 9);
  sender.send_one({kUdpPath, kPeer, control, 30});  // Does not overtake.
  EXPECT_EQ(sender.queued_bytes(), 780u);
  kernel.answers = {0, EAGAIN};
  sender.send_queued();
  EXPECT_EQ(kernel.datagrams.size(), 7u);
  sender.send_queued();
  EXPECT_FALSE(sender.is_waiting());
  auto expected = trains.expected();
  expected.push_back(control);
  EXPECT_EQ(kernel.datagrams, expected);
  EXPECT_EQ(sender.stats().queued, 9u);
}

TEST(UdpSender, goes_on_in_the_middle_of_a_train_that_goes_one_by_one) {
  FakeKernel kernel;
  UdpSender sender({.use_gso = false}, kernel.function());
  Trains trains;
  trains.add(10, 100, 7).add(2);
  kernel.answers = {0, 0, 0, EAGAIN};
  sender.send(trains.trains());
  EXPECT_EQ(sender.queued_bytes(), 607u + 200);
  kernel.answers = {0, 0, EAGAIN};
  sender.send_queued();
  EXPECT_EQ(sender.queued_bytes(), 407u + 200);
  sender.send_queued();
  EXPECT_EQ(kernel.datagrams, trains.expected());
  EXPECT_EQ(sender.queued_bytes(), 0u);
}

TEST(UdpSender, drops_and_counts_what_the_queue_does_not_hold_but_keeps_room_for_control) {
  FakeKernel kernel;
  kernel.answers.assign(1000, EAGAIN);
  UdpSender sender({.queue_bytes = 1000, .control_reserve_bytes = 500}, kernel.function());
  Trains trains;
  trains.add(8).add(4).add(2);
  sender.send(trains.trains());
  EXPECT_EQ(sender.queued_bytes(), 1000u);  // The third fits where the second did not.
  EXPECT_EQ(dropped(sender, UdpDrop::kQueueFull), 4u);
  Buffer control(100, 9);
  for (int i = 0; i < 7; ++i) sender.send_one({kUdpPath, kPeer, control, 100});
  EXPECT_EQ(sender.queued_bytes(), 1500u);
  EXPECT_EQ(dropped(sender, UdpDrop::kQueueFull), 6u);
}

TEST(UdpSender, counts_refusals_by_reason_and_goes_on) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  for (int i = 0; i < 8; ++i) trains.add(1);
  kernel.answers = {EMSGSIZE, ENETUNREACH, ECONNREFUSED, EINTR, EPERM, ENOBUFS, EBADF, EHOSTUNREACH};
  sender.send(trains.trains());
  EXPECT_EQ(kernel.datagrams, std::vector<Buffer>(trains.expected().end() - 1, trains.expected().end()));
  EXPECT_EQ(dropped(sender, UdpDrop::kTooLong), 1u);
  EXPECT_EQ(dropped(sender, UdpDrop::kUnreachable), 2u);
  EXPECT_EQ(dropped(sender, UdpDrop::kRefused), 1u);
  EXPECT_EQ(dropped(sender, UdpDrop::kDenied), 1u);
  EXPECT_EQ(dropped(sender, UdpDrop::kNoMemory), 1u);
  EXPECT_EQ(dropped(sender, UdpDrop::kOther), 1u);
  EXPECT_FALSE(sender.is_waiting());
}

TEST(UdpSender, counts_every_datagram_of_a_train_that_cannot_go) {
  FakeKernel kernel;
  UdpSender sender({}, kernel.function());
  Trains trains;
  trains.add(6).add(2);
  kernel.answers = {ENETUNREACH, EINVAL, EINVAL, EINVAL};
  sender.send(trains.trains());
  EXPECT_EQ(dropped(sender, UdpDrop::kUnreachable), 8u);
  EXPECT_TRUE(kernel.datagrams.empty());
  EXPECT_EQ(sender.stats().gso_refusals, 0u);  // Alone they were refused too.
}

TEST(UdpSender, sends_from_the_address_that_the_peer_used) {
  const IpAddress first = IpAddress::v4(198, 51, 100, 1), second = IpAddress::v4(198, 51, 100, 2);
  OwnAddresses own;
  FakeKernel kernel;
  UdpSender sender({.own = &own}, kernel.function());
  Trains before;
  before.add(1);
  sender.send(before.trains());  // The kernel chooses.
  EXPECT_EQ(own.path_of({first}, kPeer.ip), kUdpPath);
  EXPECT_EQ(own.path_of({second}, kPeer.ip), 1u);
  Trains after;
  after.add(2, 100, 100, 1).add(1);
  sender.send(after.trains());
  ASSERT_EQ(kernel.sources.size(), 4u);
  EXPECT_FALSE(kernel.sources[0].ip.is_set());
  EXPECT_EQ(kernel.sources[1].ip, second);
  EXPECT_EQ(kernel.sources[2].ip, second);
  EXPECT_EQ(kernel.sources[3].ip, first);
}

TEST(OwnAddresses, keep_the_ordinary_path_for_each_kind_of_peer) {
  OwnAddresses own;
  const IpAddress here = IpAddress::v4(127, 0, 0, 1), public_v4 = IpAddress::v4(198, 51, 100, 1);
  const IpAddress public_v6 = *IpAddress::parse("2001:db8::1"), on_link = *IpAddress::parse("fe80::1");
  EXPECT_EQ(own.path_of({here}, here), kUdpPath);
  EXPECT_EQ(own.path_of({public_v4}, kPeer.ip), kUdpPath);
  EXPECT_EQ(own.path_of({public_v6}, *IpAddress::parse("2001:db8::9")), kUdpPath);
  EXPECT_EQ(own.path_of({on_link, 2}, *IpAddress::parse("fe80::9")), kUdpPath);
  EXPECT_EQ(own.path_of({on_link, 3}, *IpAddress::parse("fe80::9")), 1u);  // Another interface.
  EXPECT_EQ(own.path_of({public_v4}, here), 2u);
  EXPECT_EQ(own.find(2, here)->ip, public_v4);
  EXPECT_EQ(own.find(1, here)->interface, 3u);
  EXPECT_EQ(own.find(kUdpPath, here)->ip, here);
  EXPECT_EQ(own.find(3, here), nullptr);
}

TEST(OwnAddresses, have_a_limit) {
  OwnAddresses own;
  for (unsigned i = 0; i < kUdpPaths; ++i)
    EXPECT_EQ(own.path_of({IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(i))}, kPeer.ip), i);
  EXPECT_EQ(own.over_limit(), 0u);
  EXPECT_EQ(own.path_of({IpAddress::v4(10, 0, 1, 0)}, kPeer.ip), kUdpPath);
  EXPECT_EQ(own.over_limit(), 1u);
}

TEST(TrainQueue, goes_round_its_ring_without_mixing_trains) {
  TrainQueue queue(10'000);
  std::deque<Buffer> model;
  std::uint32_t state = 1;
  auto next = [&](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  std::size_t pushed = 0, refused = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (next(5) < 3) {
      Buffer bytes(1 + next(1500), static_cast<std::uint8_t>(step));
      if (queue.push({kUdpPath, kPeer, bytes, 100})) {
        model.push_back(bytes);
        ++pushed;
      } else {
        ++refused;
      }
    } else if (!model.empty()) {
      if (next(3) == 0 && model.front().size() > 10) {
        queue.shorten_first(10);
        model.front().resize(model.front().size() - 10);
      } else {
        queue.pop(1);
        model.pop_front();
      }
    }
    std::size_t bytes = 0;
    ASSERT_EQ(queue.trains().size(), model.size());
    for (std::size_t i = 0; i < model.size(); ++i) {
      const Bytes held = queue.trains()[i].bytes;
      ASSERT_EQ(Buffer(held.begin(), held.end()), model[i]);
      bytes += held.size();
    }
    ASSERT_EQ(queue.bytes(), bytes);
  }
  EXPECT_GT(pushed, 5000u);
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace stoa::runtime

#include "base/datagram.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stoa {
namespace {

const SocketAddress kPeer{IpAddress::v4(192, 0, 2, 1), 5000};

TEST(DatagramBatch, keeps_trains_in_the_order_they_were_committed) {
  DatagramBatch batch;
  EXPECT_TRUE(batch.is_empty());
  std::fill_n(batch.room().begin(), 2500, std::uint8_t{1});
  batch.commit(kUdpPath, kPeer, 2500, 1200);
  std::fill_n(batch.room().begin(), 100, std::uint8_t{2});
  batch.commit(300, {kPeer.ip, 5001}, 100, 100);
  ASSERT_EQ(batch.trains().size(), 2u);
  EXPECT_EQ(batch.bytes(), 2600u);
  const DatagramTrain &first = batch.trains()[0], &second = batch.trains()[1];
  EXPECT_EQ(first.remote, kPeer);
  EXPECT_EQ(first.segment_bytes, 1200);
  EXPECT_EQ(std::count(first.bytes.begin(), first.bytes.end(), 1), 2500);
  EXPECT_EQ(second.local, 300u);
  EXPECT_EQ(second.remote.port, 5001);
  EXPECT_EQ(std::count(second.bytes.begin(), second.bytes.end(), 2), 100);
}

TEST(DatagramBatch, never_grows_and_starts_again_where_it_was) {
  DatagramBatch batch(DatagramBatch::kTrainBytesMax);
  const std::uint8_t* start = batch.room().data();
  EXPECT_EQ(batch.room().size(), DatagramBatch::kTrainBytesMax);
  batch.commit(kUdpPath, kPeer, DatagramBatch::kTrainBytesMax - 10, 1200);
  EXPECT_TRUE(batch.has_room(10));
  EXPECT_FALSE(batch.has_room(11));
  EXPECT_EQ(batch.room().size(), 10u);
  batch.clear();
  EXPECT_TRUE(batch.is_empty());
  EXPECT_EQ(batch.bytes(), 0u);
  EXPECT_EQ(batch.room().data(), start);
}

TEST(DatagramBatchDeathTest, stops_on_a_train_that_does_not_fit) {
  DatagramBatch batch(DatagramBatch::kTrainBytesMax);
  EXPECT_DEATH(batch.commit(kUdpPath, kPeer, DatagramBatch::kTrainBytesMax + 1, 1200), "capacity_");
  EXPECT_DEATH(batch.commit(kUdpPath, kPeer, 10, 0), "segment_bytes");
  EXPECT_DEATH(DatagramBatch(DatagramBatch::kTrainBytesMax - 1), "kTrainBytesMax");
}

TEST(LocalPath, tells_udp_from_connections) {
  EXPECT_TRUE(is_udp_path(kUdpPath));
  EXPECT_TRUE(is_udp_path(kUdpPaths - 1));
  EXPECT_FALSE(is_udp_path(kUdpPaths));
}

}  // namespace
}  // namespace stoa

#include "sim/inspector.h"

#include <gtest/gtest.h>

#include "proto/rtp/packet.h"
#include "sim/checksum_kernel.h"

namespace stoa::sim {
namespace {

// What a node would send: pictures of p1 to p2, who is in its room, and p3, who is not.
class Inspector_ : public testing::Test {
 protected:
  struct Sent {
    std::uint16_t number = 100;
    Stamp stamp{.publisher = 1, .sequence = 7, .is_video = true, .is_keyframe = true};
    std::uint32_t timestamp = 1000;
    bool marker = true;
  };
  Inspector_() {
    inspector.add_person(1, "a");
    inspector.add_person(2, "a");
    inspector.add_person(3, "b");
  }
  void send(std::uint32_t to, const Sent& sent) {
    Buffer payload(40);
    payload[0] = 0x90;
    payload[1] = 0x80;
    rtp::put_u16(payload, 2, static_cast<std::uint16_t>(0x8000 | sent.number));
    sent.stamp.write_at_end(payload);
    Buffer packet(200);
    auto size = rtp::write({.marker = sent.marker,
                            .payload_type = 96,
                            .sequence = sent.number,
                            .timestamp = sent.timestamp,
                            .ssrc = 5},
                           {}, payload, packet);
    ASSERT_TRUE(size);
    packet.resize(*size + 16);
    inspector.handle_datagram(now, to, packet);
  }
  // The next of what was sent before.
  static Sent after(Sent sent) {
    ++sent.number;
    ++sent.stamp.sequence;
    ++sent.stamp.frame;
    sent.stamp.is_keyframe = false;
    sent.timestamp += 3000;
    return sent;
  }
  std::string said() const { return faults.kept().empty() ? "" : faults.kept().back().text; }

  Faults faults;
  Inspector inspector{faults};
  Timestamp now = Timestamp::from_ns(1'000'000'000);
};

TEST_F(Inspector_, has_nothing_against_what_is_right) {
  Sent sent;
  for (int i = 0; i < 100; ++i, sent = after(sent)) send(2, sent);
  // Lost on its way to the node, and there later.
  Sent late = sent;
  send(2, after(sent));
  send(2, late);
  EXPECT_EQ(faults.count(), 0u) << said();
}

TEST_F(Inspector_, sees_media_that_goes_to_the_wrong_peer) {
  send(3, {});
  EXPECT_EQ(faults.count(), 1u);
  send(1, {});  // Its own.
  EXPECT_EQ(faults.count(), 2u);
  send(0, {});
  EXPECT_EQ(said(), "media to an address that is nobody's");
}

TEST_F(Inspector_, sees_an_index_that_is_used_again) {
  const Sent first;
  send(2, first);
  send(2, after(first));
  send(2, first);
  EXPECT_NE(said().find("used again"), std::string::npos) << said();
}

TEST_F(Inspector_, sees_time_that_goes_back) {
  const Sent first;
  send(2, first);
  Sent next = after(first);
  next.timestamp = first.timestamp - 1;
  send(2, next);
  EXPECT_NE(said().find("timestamp goes back"), std::string::npos) << said();
}

TEST_F(Inspector_, sees_another_layer_that_begins_without_a_keyframe) {
  Sent sent;
  send(2, sent);
  sent = after(sent);
  sent.stamp.layer = 1;
  send(2, sent);
  EXPECT_EQ(faults.count(), 0u);  // It may come late.
  now += Duration::seconds(6);
  send(2, after(sent));
  EXPECT_NE(said().find("did not begin with a keyframe"), std::string::npos) << said();
}

TEST(ChecksumKernel, refuses_what_was_damaged_and_another_key) {
  auto kernel = make_checksum_kernel();
  const Buffer one(16, 1), two(16, 2);
  auto key = kernel->make_key(crypto::SrtpCipher::kAes128Gcm, one, {});
  auto other = kernel->make_key(crypto::SrtpCipher::kAes128Gcm, two, {});
  Buffer packet(12 + 100 + 16, 9);
  auto job_of = [&](crypto::SrtpKey& with) {
    crypto::SrtpJob job;
    job.key = &with;
    job.iv = {1, 2, 3};
    job.source = job.target = packet.data() + 12;
    job.text_bytes = 100;
    job.authenticated = packet.data();
    job.authenticated_bytes = 12;
    job.tag = packet.data() + 112;
    job.tag_bytes = 16;
    return job;
  };
  auto opens = [&](crypto::SrtpKey& with) {
    crypto::SrtpJob job = job_of(with);
    kernel->open({&job, 1});
    return job.is_authentic;
  };
  crypto::SrtpJob job = job_of(*key);
  kernel->seal({&job, 1});
  EXPECT_TRUE(opens(*key));
  EXPECT_FALSE(opens(*other));
  for (std::size_t at : {0u, 11u, 12u, 60u, 111u, 112u, 127u}) {
    packet[at] ^= 0x10;
    EXPECT_FALSE(opens(*key)) << at;
    packet[at] ^= 0x10;
  }
}

}  // namespace
}  // namespace stoa::sim

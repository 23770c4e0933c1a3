#include "proto/srtp/transform.h"

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "proto/srtp/test_srtp.h"

namespace stoa::srtp {
namespace {

INSTANTIATE_TEST_SUITE_P(All, EachTransform,
                         testing::Combine(testing::ValuesIn(kAllProfiles),
                                          testing::Values("openssl", "multi_buffer")),
                         transform_name);

TEST_P(EachTransform, gives_back_what_was_protected) {
  Pair pair(profile(), kernel());
  std::uint16_t sequence_number = 1;
  for (std::size_t payload_bytes : {0, 1, 15, 16, 17, 63, 64, 65, 160, 1200, 9000}) {
    for (int csrcs : {0, 1, 15}) {
      for (int extension_words : {-1, 0, 3}) {
        const Buffer header = make_rtp_header(0xfeed, sequence_number++, csrcs, extension_words);
        const Buffer payload = make_payload(payload_bytes);
        const auto wire = pair.protect_rtp(header, payload);
        ASSERT_TRUE(wire);
        EXPECT_EQ(wire->size(), header.size() + payload.size() + rtp_overhead_bytes(profile()));
        EXPECT_TRUE(std::equal(header.begin(), header.end(), wire->begin()));
        EXPECT_EQ(pair.unprotect(*wire), joined(header, payload));
      }
    }
  }
}

TEST_P(EachTransform, gives_back_rtcp_encrypted_or_in_the_clear) {
  Pair pair(profile(), kernel(), {.accepts_clear_rtcp = true});
  std::uint64_t index = 0;
  for (std::size_t words : {2, 3, 7, 30, 300}) {
    for (bool is_encrypted : {true, false}) {
      const Buffer packet = make_rtcp(0xbeef, words);
      const auto wire = pair.protect_rtcp(packet, is_encrypted);
      ASSERT_TRUE(wire);
      EXPECT_EQ(wire->size(), packet.size() + rtcp_overhead_bytes(profile()));
      EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + 8, wire->begin()));
      if (words > 7) {
        EXPECT_EQ(std::equal(packet.begin() + 8, packet.end(), wire->begin() + 8), !is_encrypted);
      }
      EXPECT_EQ(pair.unprotect(*wire), packet);
      EXPECT_TRUE(pair.is_rtcp);
      EXPECT_EQ(pair.index, index++);
    }
  }
}

TEST_P(EachTransform, joins_prefix_payload_and_padding_into_one_text) {
  Pair pair(profile(), kernel());
  const Buffer payload = make_payload(333), prefix = {0x12, 0x34};
  const Buffer header = make_rtp_header(5, 1);
  const auto wire = pair.protect_rtp(header, payload, 3, prefix);
  ASSERT_TRUE(wire);
  Buffer expected = joined(joined(header, prefix), payload);
  expected[0] |= kPaddingBit;
  expected.insert(expected.end(), {0, 0, 3});
  EXPECT_EQ(pair.unprotect(*wire), expected);
  EXPECT_EQ(payload, make_payload(333));

  const Buffer next = make_rtp_header(5, 2);
  const auto padded = pair.protect_rtp(next, payload, 255);
  ASSERT_TRUE(padded);
  EXPECT_EQ(pair.unprotect(*padded)->back(), 255);
}

TEST_P(EachTransform, protects_where_the_packet_already_stands) {
  Pair apart(profile(), kernel()), in_place(profile(), kernel());
  const Buffer payload = make_payload(500), prefix = {1, 2, 3};
  for (bool has_prefix : {false, true}) {
    const Bytes before = has_prefix ? Bytes(prefix) : Bytes();
    const Buffer next_header = make_rtp_header(9, has_prefix ? 79 : 78, 1, 2);
    Buffer out = joined(joined(next_header, prefix), payload);
    if (!has_prefix) out = joined(next_header, payload);
    const std::size_t packet_bytes = out.size();
    out.resize(packet_bytes + kOverheadBytesMax);
    const Outcome outcome = in_place.transform.protect(
        RtpToProtect{.context = &in_place.send,
                     .header = Bytes(out).first(next_header.size()),
                     .prefix = Bytes(out).subspan(next_header.size(), before.size()),
                     .payload = Bytes(out).subspan(next_header.size() + before.size(), payload.size()),
                     .out = out,
                     .outcome = {}});
    ASSERT_TRUE(outcome);
    out.resize(*outcome);
    EXPECT_EQ(apart.protect_rtp(next_header, payload, 0, before), out);
  }
}

TEST_P(EachTransform, writes_only_inside_the_packet_it_makes) {
  Pair pair(profile(), kernel());
  const std::size_t wire_bytes = 12 + 100 + rtp_overhead_bytes(profile());
  Buffer slab(3 * wire_bytes, 0xcc);
  const Buffer header = make_rtp_header(1, 1), payload = make_payload(100);
  ASSERT_TRUE(pair.transform.protect(RtpToProtect{.context = &pair.send,
                                                  .header = header,
                                                  .payload = payload,
                                                  .out = std::span(slab).subspan(wire_bytes, wire_bytes),
                                                  .outcome = {}}));
  EXPECT_TRUE(std::all_of(slab.begin(), slab.begin() + wire_bytes, [](auto byte) { return byte == 0xcc; }));
  EXPECT_TRUE(std::all_of(slab.end() - wire_bytes, slab.end(), [](auto byte) { return byte == 0xcc; }));
}

TEST_P(EachTransform, protects_many_packets_of_many_receivers_at_once) {
  constexpr std::size_t kReceivers = 50, kPackets = 5;
  Transform transform(kernel());
  std::vector<SendContext> sends;
  std::vector<ReceiveContext> receives;
  for (std::size_t i = 0; i < kReceivers; ++i) {
    sends.emplace_back(profile(), make_master(profile(), static_cast<std::uint8_t>(i)), transform.kernel());
    receives.emplace_back(profile(), make_master(profile(), static_cast<std::uint8_t>(i)),
                          transform.kernel());
  }
  std::vector<Buffer> payloads, headers;
  for (std::size_t i = 0; i < kPackets; ++i) {
    payloads.push_back(make_payload(1000 + i, static_cast<std::uint8_t>(i)));
    headers.push_back(make_rtp_header(42, static_cast<std::uint16_t>(i)));
  }
  // Receiver by receiver, equalised by padding: what the packet path does.
  const std::size_t wire_bytes = 12 + 1000 + kPackets + rtp_overhead_bytes(profile());
  Buffer slabs(kReceivers * kPackets * wire_bytes);
  std::vector<RtpToProtect> jobs;
  for (std::size_t i = 0; i < kReceivers * kPackets; ++i) {
    const std::size_t packet = i % kPackets;
    jobs.push_back({.context = &sends[i / kPackets],
                    .header = headers[packet],
                    .payload = payloads[packet],
                    .padding_bytes = static_cast<std::uint8_t>(kPackets - packet),
                    .out = std::span(slabs).subspan(i * wire_bytes, wire_bytes),
                    .outcome = {}});
  }
  transform.protect(jobs);
  std::vector<PacketToUnprotect> incoming;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_EQ(jobs[i].outcome, wire_bytes);
    incoming.push_back({.context = &receives[i / kPackets], .packet = jobs[i].out, .outcome = {}});
  }
  transform.unprotect(incoming);
  for (std::size_t i = 0; i < incoming.size(); ++i) {
    ASSERT_TRUE(incoming[i].outcome) << i;
    const Bytes got = Bytes(incoming[i].packet).subspan(12, payloads[i % kPackets].size());
    EXPECT_TRUE(std::ranges::equal(got, payloads[i % kPackets])) << i;
  }
  EXPECT_EQ(transform.stats().sent.rtp_packets, kReceivers * kPackets);
  EXPECT_EQ(transform.stats().received.rtp_packets, kReceivers * kPackets);
}

TEST_P(EachTransform, believes_no_packet_with_a_changed_bit) {
  Pair pair(profile(), kernel(), {.accepts_clear_rtcp = true});
  const Buffer rtp = *pair.protect_rtp(make_rtp_header(1, 10, 1, 1), make_payload(33));
  const Buffer rtcp = *pair.protect_rtcp(make_rtcp(1));
  for (const Buffer& wire : {rtp, rtcp}) {
    for (std::size_t bit = 0; bit < 8 * wire.size(); ++bit) {
      Buffer damaged = wire;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      EXPECT_FALSE(pair.unprotect(damaged)) << bit;
    }
  }
  EXPECT_EQ(pair.receive.streams(), 0u);
  EXPECT_TRUE(pair.unprotect(rtp));
  EXPECT_TRUE(pair.unprotect(rtcp));
}

TEST_P(EachTransform, refuses_every_packet_that_was_cut_short) {
  Pair pair(profile(), kernel());
  const Buffer rtp = *pair.protect_rtp(make_rtp_header(1, 10, 2, 1), make_payload(9));
  const Buffer rtcp = *pair.protect_rtcp(make_rtcp(1));
  for (const Buffer& wire : {rtp, rtcp})
    for (std::size_t size = 0; size < wire.size(); ++size)
      EXPECT_FALSE(pair.unprotect(Buffer(wire.begin(), wire.begin() + size))) << size;
}

TEST_P(EachTransform, survives_noise) {
  Pair pair(profile(), kernel());
  Rng rng(11);
  for (int i = 0; i < 3000; ++i) {
    Buffer noise(rng.below(120));
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(rng.next());
    if (!noise.empty()) noise[0] = static_cast<std::uint8_t>(0x80 | (noise[0] & 0x1f));
    EXPECT_FALSE(pair.unprotect(noise));
  }
  EXPECT_EQ(pair.receive.streams(), 0u);
}

TEST_P(EachTransform, counts_rollovers_alike_on_both_sides_through_loss_and_reordering) {
  Pair pair(profile(), kernel());
  Rng rng(13);
  std::vector<Buffer> held;
  std::uint64_t sent = 65'000;
  std::set<std::uint64_t> got;
  for (int i = 0; i < 3000; ++i) {
    sent += 1 + rng.below(i % 100 == 0 ? 20'000 : 2);
    const Buffer wire = pair.rtp(static_cast<std::uint16_t>(sent));
    if (rng.chance(0.1)) continue;
    held.push_back(wire);
    if (held.size() < 8) continue;
    const std::size_t chosen = rng.below(held.size());
    if (pair.unprotect(held[chosen])) got.insert(pair.index);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  EXPECT_GT(got.size(), 2300u);
  EXPECT_GT(*got.rbegin() >> 16, 2u);
  EXPECT_EQ(pair.transform.stats().received.refusals[static_cast<int>(Refusal::kAuthenticationFailed)], 0u);
}

TEST_P(EachTransform, takes_a_wrap_within_one_batch_that_begins_a_stream) {
  Pair pair(profile(), kernel());
  std::vector<Buffer> wires;
  for (int sequence_number : {65'534, 65'535, 0, 1})
    wires.push_back(pair.rtp(static_cast<std::uint16_t>(sequence_number)));
  std::vector<PacketToUnprotect> batch;
  for (Buffer& wire : wires) batch.push_back({.context = &pair.receive, .packet = wire, .outcome = {}});
  pair.transform.unprotect(batch);
  std::uint64_t expected = 65'534;
  for (const PacketToUnprotect& packet : batch) {
    EXPECT_TRUE(packet.outcome);
    EXPECT_EQ(packet.index, expected++);
  }
}

TEST_P(EachTransform, takes_a_packet_once_also_within_one_batch) {
  Pair pair(profile(), kernel());
  ASSERT_TRUE(pair.unprotect(pair.rtp(1)));
  Buffer first = pair.rtp(2), second = first;
  PacketToUnprotect batch[] = {{.context = &pair.receive, .packet = first, .outcome = {}},
                               {.context = &pair.receive, .packet = second, .outcome = {}}};
  pair.transform.unprotect(batch);
  EXPECT_TRUE(batch[0].outcome);
  expect_refusal(batch[1].outcome, Refusal::kReplayed);
}

TEST(SrtpReplay, refuses_what_was_seen_and_what_is_too_old) {
  Pair pair(Profile::kAeadAes128Gcm);
  const Buffer old = pair.rtp(1), first = pair.rtp(2), late = pair.rtp(3);
  EXPECT_TRUE(pair.unprotect(first));
  expect_refusal(pair.unprotect(first), Refusal::kReplayed);
  EXPECT_TRUE(pair.unprotect(pair.rtp(2 + kRtpReplayWindow)));
  expect_refusal(pair.unprotect(old), Refusal::kTooOld);
  EXPECT_TRUE(pair.unprotect(late));
}

TEST(SrtpReplay, keeps_rtp_and_rtcp_and_ssrcs_apart) {
  Pair pair(Profile::kAeadAes128Gcm);
  const Buffer header = make_rtp_header(2, 1);
  EXPECT_TRUE(pair.unprotect(pair.rtp(1)));
  EXPECT_TRUE(pair.unprotect(*pair.protect_rtp(header, make_payload(5))));
  const Buffer first = *pair.protect_rtcp(make_rtcp(1)), second = *pair.protect_rtcp(make_rtcp(1));
  EXPECT_TRUE(pair.unprotect(second));
  EXPECT_TRUE(pair.unprotect(first));
  expect_refusal(pair.unprotect(first), Refusal::kReplayed);
  EXPECT_EQ(pair.receive.streams(), 2u);
  for (std::size_t i = 0; i < kRtcpReplayWindow; ++i) EXPECT_TRUE(pair.protect_rtcp(make_rtcp(1)));
  EXPECT_TRUE(pair.unprotect(*pair.protect_rtcp(make_rtcp(1))));
  expect_refusal(pair.unprotect(second), Refusal::kTooOld);
}

TEST(SrtpReplay, believes_nothing_forged_about_the_rollover_counter) {
  Pair pair(Profile::kAes128CmHmacSha1_80);
  EXPECT_TRUE(pair.unprotect(pair.rtp(100)));
  Buffer forged = pair.rtp(101);
  forged[2] = 0x7f;  // Far ahead.
  expect_refusal(pair.unprotect(forged), Refusal::kAuthenticationFailed);
  EXPECT_TRUE(pair.unprotect(pair.rtp(102)));
}

TEST(SrtpRefusals, say_what_is_wrong_with_a_packet_received) {
  Pair pair(Profile::kAeadAes128Gcm);
  Buffer wire = pair.rtp(1);
  expect_refusal(pair.unprotect({}), Refusal::kTooShort);
  expect_refusal(pair.unprotect(Buffer(wire.begin(), wire.begin() + 27)), Refusal::kTooShort);
  expect_refusal(pair.unprotect(Buffer(kPacketBytesMax + 1, 0x80)), Refusal::kTooLarge);
  Buffer version = wire;
  version[0] = 0x40;
  expect_refusal(pair.unprotect(version), Refusal::kBadVersion);
  Buffer csrcs = wire;
  csrcs[0] = 0x8f;
  expect_refusal(pair.unprotect(csrcs), Refusal::kBadHeader);
  Buffer extension = wire;
  extension[0] = 0x90;
  expect_refusal(pair.unprotect(extension), Refusal::kBadHeader);
  Buffer other_key = *Pair(Profile::kAeadAes256Gcm).protect_rtp(make_rtp_header(1, 1), make_payload(20));
  expect_refusal(pair.unprotect(other_key), Refusal::kAuthenticationFailed);
  expect_refusal(pair.unprotect(*pair.protect_rtcp(make_rtcp(1), false)), Refusal::kNotEncrypted);
  Buffer rtcp_version = *pair.protect_rtcp(make_rtcp(1));
  rtcp_version[0] = 0xc0;
  expect_refusal(pair.unprotect(rtcp_version), Refusal::kBadVersion);
  EXPECT_TRUE(pair.unprotect(wire));
}

TEST(SrtpRefusals, say_what_is_wrong_with_a_packet_to_send) {
  Pair pair(Profile::kAeadAes128Gcm);
  const Buffer header = make_rtp_header(1, 1), payload = make_payload(10);
  expect_refusal(pair.protect_rtp(Bytes(header).first(11), payload), Refusal::kTooShort);
  expect_refusal(pair.protect_rtp(Buffer(12, 0), payload), Refusal::kBadVersion);
  expect_refusal(pair.protect_rtp(joined(header, header), payload), Refusal::kBadHeader);
  expect_refusal(pair.protect_rtp(header, make_payload(kPacketBytesMax - 27)), Refusal::kTooLarge);
  expect_refusal(pair.protect_rtcp(Buffer{0x80, 200, 0, 0}), Refusal::kTooShort);
  expect_refusal(pair.protect_rtcp(Buffer(8, 0)), Refusal::kBadVersion);
  expect_refusal(pair.protect_rtcp(make_rtcp(1, kPacketBytesMax / 4)), Refusal::kTooLarge);
  Buffer out(12 + 10 + 15);
  expect_refusal(pair.transform.protect(RtpToProtect{
                     .context = &pair.send, .header = header, .payload = payload, .out = out, .outcome = {}}),
                 Refusal::kNoRoom);
  const Buffer rtcp = make_rtcp(1, 4);
  expect_refusal(pair.transform.protect(RtcpToProtect{
                     .context = &pair.send, .packet = rtcp, .out = std::span(out).first(35), .outcome = {}}),
                 Refusal::kNoRoom);
  EXPECT_TRUE(pair.protect_rtp(header, payload));  // Nothing of all that used the index up.
}

TEST(SrtpSender, never_uses_an_index_twice) {
  for (Profile profile : kAllProfiles) {
    Pair pair(profile);
    pair.rtp(10);
    pair.rtp(12);
    expect_refusal(pair.protect_rtp(make_rtp_header(1, 10), make_payload(20)), Refusal::kIndexReused);
    EXPECT_TRUE(pair.protect_rtp(make_rtp_header(1, 11), make_payload(20)));
    pair.rtp(12 + kRtpReplayWindow);
    expect_refusal(pair.protect_rtp(make_rtp_header(1, 9), make_payload(20)), Refusal::kTooOld);
  }
}

TEST(SrtpSender, repeats_a_packet_only_without_gcm) {
  for (Profile profile : kAllProfiles) {
    Pair pair(profile);
    const Buffer wire = pair.rtp(10);
    const auto repeated = pair.protect_rtp(make_rtp_header(1, 10), make_payload(20), 0, {}, true);
    if (crypto::is_aead(shape_of(profile).cipher)) {
      expect_refusal(repeated, Refusal::kIndexReused);
    } else {
      EXPECT_EQ(repeated, wire);
    }
  }
}

TEST(SrtpSender, stops_when_the_key_is_used_up) {
  Pair pair(Profile::kAeadAes128Gcm);
  ASSERT_TRUE(pair.send.resume_stream(1, 0xffff'ffff'fffd, kRtcpIndexMax));
  pair.receive.resume_stream(1, 0xffff'ffff'fffd);
  EXPECT_TRUE(pair.unprotect(pair.rtp(0xffff)));
  EXPECT_EQ(pair.index, 0xffff'ffff'ffffu);
  expect_refusal(pair.protect_rtp(make_rtp_header(1, 0), make_payload(20)), Refusal::kKeyExhausted);
  EXPECT_TRUE(pair.protect_rtp(make_rtp_header(1, 0xfffe), make_payload(20)));
  EXPECT_TRUE(pair.unprotect(*pair.protect_rtcp(make_rtcp(1))));
  EXPECT_EQ(pair.index, kRtcpIndexMax);
  expect_refusal(pair.protect_rtcp(make_rtcp(1)), Refusal::kKeyExhausted);
}

TEST(SrtpSender, goes_on_where_another_context_ended) {
  Pair pair(Profile::kAeadAes256Gcm);
  ASSERT_TRUE(pair.send.resume_stream(1, 0x7'0010, 99));
  pair.receive.resume_stream(1, 0x7'0010);
  expect_refusal(pair.protect_rtp(make_rtp_header(1, 0x10), make_payload(20)), Refusal::kIndexReused);
  EXPECT_TRUE(pair.unprotect(pair.rtp(0x11)));
  EXPECT_EQ(pair.index, 0x7'0011u);
  EXPECT_TRUE(pair.unprotect(*pair.protect_rtcp(make_rtcp(1))));
  EXPECT_EQ(pair.index, 99u);
}

TEST(SrtpLimits, bound_the_ssrcs_of_each_direction) {
  Pair pair(Profile::kAeadAes128Gcm);
  for (std::uint32_t ssrc = 0; ssrc < kSendStreamsMax; ++ssrc) {
    const auto wire = pair.protect_rtp(make_rtp_header(ssrc, 1), make_payload(1));
    ASSERT_TRUE(wire);
    ASSERT_TRUE(pair.unprotect(*wire));
    ASSERT_LE(pair.receive.streams(), kReceiveStreamsMax);
  }
  EXPECT_EQ(pair.receive.forgotten(), kSendStreamsMax - kReceiveStreamsMax);
  expect_refusal(pair.protect_rtp(make_rtp_header(kSendStreamsMax, 1), make_payload(1)),
                 Refusal::kTooManyStreams);
  expect_refusal(pair.protect_rtcp(make_rtcp(kSendStreamsMax)), Refusal::kTooManyStreams);
  expect_refusal(pair.send.resume_stream(kSendStreamsMax, 1, 1), Refusal::kTooManyStreams);
}

TEST(SrtpLimits, forget_the_ssrc_that_was_silent_for_longest) {
  Pair pair(Profile::kAeadAes128Gcm);
  const Buffer loud = *pair.protect_rtp(make_rtp_header(7, 1), make_payload(1));
  ASSERT_TRUE(pair.unprotect(loud));
  std::uint16_t sequence = 1;
  for (std::uint32_t ssrc = 100; ssrc < 100 + 2 * kReceiveStreamsMax; ++ssrc) {
    const Buffer other = ssrc % 2 ? *pair.protect_rtp(make_rtp_header(ssrc, 1), make_payload(1))
                                  : *pair.protect_rtcp(make_rtcp(ssrc));
    ASSERT_TRUE(pair.unprotect(other));
    ASSERT_TRUE(pair.unprotect(*pair.protect_rtp(make_rtp_header(7, ++sequence), make_payload(1))));
  }
  EXPECT_EQ(pair.receive.streams(), kReceiveStreamsMax);
  expect_refusal(pair.unprotect(loud), Refusal::kReplayed);
}

// Only who has the key can make us forget.
TEST(SrtpLimits, forget_nothing_for_packets_that_are_not_authentic) {
  Pair pair(Profile::kAeadAes128Gcm);
  for (std::uint32_t ssrc = 0; ssrc < kReceiveStreamsMax; ++ssrc)
    ASSERT_TRUE(pair.unprotect(*pair.protect_rtp(make_rtp_header(ssrc, 1), make_payload(1))));
  Buffer forged = *pair.protect_rtp(make_rtp_header(999, 1), make_payload(1));
  forged.back() ^= 1;
  expect_refusal(pair.unprotect(forged), Refusal::kAuthenticationFailed);
  EXPECT_EQ(pair.receive.forgotten(), 0u);
}

TEST(SrtpLimits, hold_also_for_streams_that_begin_in_one_batch) {
  Pair pair(Profile::kAeadAes128Gcm);
  for (std::uint32_t ssrc = 0; ssrc + 1 < kReceiveStreamsMax; ++ssrc)
    ASSERT_TRUE(pair.unprotect(*pair.protect_rtp(make_rtp_header(ssrc, 1), make_payload(1))));
  Buffer a = *pair.protect_rtp(make_rtp_header(500, 1), make_payload(1));
  Buffer b = *pair.protect_rtp(make_rtp_header(501, 1), make_payload(1));
  PacketToUnprotect batch[] = {{.context = &pair.receive, .packet = a, .outcome = {}},
                               {.context = &pair.receive, .packet = b, .outcome = {}}};
  pair.transform.unprotect(batch);
  EXPECT_TRUE(batch[0].outcome);
  EXPECT_TRUE(batch[1].outcome);
  EXPECT_EQ(pair.receive.streams(), kReceiveStreamsMax);
}

TEST(SrtpStats, tell_what_was_done_and_refused) {
  Pair pair(Profile::kAeadAes128Gcm);
  const Buffer wire = pair.rtp(1);
  EXPECT_TRUE(pair.unprotect(wire));
  EXPECT_FALSE(pair.unprotect(wire));
  EXPECT_TRUE(pair.protect_rtcp(make_rtcp(1)));
  Stats stats = pair.transform.stats();
  stats.add(pair.transform.stats());
  MetricSamples samples;
  stats.append_samples(samples);
  auto value_of = [&](std::string_view name, std::string_view direction, std::string_view label) {
    for (const MetricSample& sample : samples)
      if (sample.name == name && sample.labels[0].second == direction && sample.labels[1].second == label)
        return sample.value;
    return -1.0;
  };
  EXPECT_EQ(value_of("stoa_srtp_packets_total", "sent", "rtp"), 2);
  EXPECT_EQ(value_of("stoa_srtp_packets_total", "sent", "rtcp"), 2);
  EXPECT_EQ(value_of("stoa_srtp_packets_total", "received", "rtp"), 2);
  EXPECT_EQ(value_of("stoa_srtp_refusals_total", "received", "replayed"), 2);
  EXPECT_EQ(value_of("stoa_srtp_refusals_total", "sent", "replayed"), 0);
}

TEST(SrtpRefusals, have_names_of_their_own) {
  std::set<std::string_view> names;
  for (int i = 0; i < kRefusals; ++i) names.insert(name_of(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kRefusals));
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace stoa::srtp

// Counts what the packet path asks the allocator for, in our code and in the cipher libraries.
#include <gtest/gtest.h>

#include <cstdlib>

#include "proto/srtp/test_srtp.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STOA_ALLOCATOR_IS_TAKEN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STOA_ALLOCATOR_IS_TAKEN
#endif
#endif

#ifndef STOA_ALLOCATOR_IS_TAKEN

namespace {
std::size_t allocations = 0;
}

// NOLINTBEGIN(bugprone-reserved-identifier): glibc's own names for what is counted here.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* malloc(std::size_t size) noexcept { return ++allocations, __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return ++allocations, __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) noexcept { return ++allocations, __libc_realloc(old, size); }
}
// NOLINTEND(bugprone-reserved-identifier)

namespace stoa::srtp {
namespace {

class Allocations : public EachTransform {};
INSTANTIATE_TEST_SUITE_P(All, Allocations,
                         testing::Combine(testing::ValuesIn(kAllProfiles),
                                          testing::Values("openssl", "multi_buffer")),
                         transform_name);

TEST_P(Allocations, are_none_for_a_packet_of_a_known_stream) {
  constexpr std::size_t kPackets = 150;
  Pair pair(profile(), kernel());
  const Buffer payload = make_payload(1200), prefix = {1, 2};
  std::vector<Buffer> headers, slabs(kPackets, Buffer(1300));
  for (std::size_t i = 0; i < 3 * kPackets; ++i)
    headers.push_back(make_rtp_header(1, static_cast<std::uint16_t>(i)));
  std::vector<RtpToProtect> outgoing(kPackets);
  std::vector<PacketToUnprotect> incoming(kPackets);
  std::size_t before = allocations;
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < kPackets; ++i) {
      outgoing[i] = {.context = &pair.send,
                     .header = headers[round * kPackets + i],
                     .prefix = i % 3 == 0 ? Bytes(prefix) : Bytes(),
                     .payload = payload,
                     .padding_bytes = static_cast<std::uint8_t>(i % 4),
                     .out = slabs[i],
                     .outcome = {}};
    }
    pair.transform.protect(outgoing);
    for (std::size_t i = 0; i < kPackets; ++i) {
      if (!outgoing[i].outcome) std::abort();
      incoming[i] = {
          .context = &pair.receive, .packet = std::span(slabs[i]).first(*outgoing[i].outcome), .outcome = {}};
    }
    pair.transform.unprotect(incoming);
    for (const PacketToUnprotect& packet : incoming)
      if (!packet.outcome) std::abort();
    // The first round made the stream on both sides.
    if (round == 0) before = allocations;
  }
  EXPECT_EQ(allocations - before, 0u);
}

TEST(AllocationCount, counts) {
  const std::size_t before = allocations;
  const Buffer buffer = make_payload(100);
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace stoa::srtp

#endif

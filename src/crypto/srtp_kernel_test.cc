#include "crypto/srtp_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"
#include "crypto/secret.h"
#include "crypto/text.h"

namespace stoa::crypto {
namespace {

constexpr SrtpCipher kCiphers[] = {SrtpCipher::kAes128CounterHmacSha1, SrtpCipher::kAes128Gcm,
                                   SrtpCipher::kAes256Gcm};

std::size_t key_bytes_of(SrtpCipher cipher) { return cipher == SrtpCipher::kAes256Gcm ? 32 : 16; }

Buffer random_buffer(Rng& rng, std::size_t size) {
  Buffer buffer(size);
  for (std::uint8_t& byte : buffer) byte = static_cast<std::uint8_t>(rng.next());
  return buffer;
}

// One packet's memory: header, text and tag in one piece, the plaintext apart, and a guard behind the tag.
struct Packet {
  static constexpr std::size_t kGuardBytes = 32;
  static constexpr std::uint8_t kGuard = 0xa5;

  Packet(SrtpKernel& kernel, SrtpCipher cipher, std::size_t header_bytes, std::size_t text_bytes,
         std::uint8_t tag_bytes, Rng rng)
      : plain(random_buffer(rng, text_bytes)),
        wire(random_buffer(rng, header_bytes)),
        cipher_key(random_buffer(rng, key_bytes_of(cipher))),
        authentication_key(random_buffer(rng, is_aead(cipher) ? 0 : kSrtpAuthenticationKeyBytes)),
        key(kernel.make_key(cipher, cipher_key, authentication_key)) {
    wire.resize(header_bytes + text_bytes + tag_bytes, 0);
    wire.resize(wire.size() + kGuardBytes, kGuard);
    job.key = key.get();
    const Buffer iv = random_buffer(rng, 14);
    job.iv.fill(0);
    std::copy(iv.begin(), iv.end(), job.iv.begin());
    job.source = plain.data();
    job.target = wire.data() + header_bytes;
    job.text_bytes = static_cast<std::uint32_t>(text_bytes);
    job.authenticated = wire.data();
    // As SRTP does: four more bytes, over which the tag is then written.
    job.authenticated_bytes =
        static_cast<std::uint32_t>(header_bytes + (is_aead(cipher) ? 0 : text_bytes + 4));
    job.tag = wire.data() + header_bytes + text_bytes;
    job.tag_bytes = tag_bytes;
  }
  // The same job the other way, in place, with the tag kept apart.
  SrtpJob opening() {
    SrtpJob open = job;
    open.source = open.target;
    tag.assign(job.tag, job.tag + job.tag_bytes);
    if (!is_aead(job.key->cipher())) std::fill_n(job.tag, 4, std::uint8_t{0});
    open.tag = tag.data();
    return open;
  }
  bool is_guard_whole() const {
    return std::all_of(wire.end() - kGuardBytes, wire.end(),
                       [](std::uint8_t byte) { return byte == kGuard; });
  }

  Buffer plain, wire, tag, cipher_key, authentication_key;
  std::unique_ptr<SrtpKey> key;
  SrtpJob job;
};

std::uint8_t tag_bytes_of(SrtpCipher cipher, std::size_t i) {
  if (is_aead(cipher)) return kGcmTagBytes;
  return i % 2 == 0 ? 10 : 4;
}

// Packets of every short length, then of a datagram's, ciphers and keys mixed: the same for each kernel.
std::vector<Packet> make_packets(SrtpKernel& kernel) {
  std::vector<Packet> packets;
  for (std::size_t i = 0; i < 700; ++i) {
    const SrtpCipher cipher = kCiphers[i % 3];
    const std::size_t text_bytes = i < 600 ? i / 2 : 1000 + 3 * (i - 600);
    // SRTCP that is not encrypted is all header.
    const std::size_t header_bytes = i % 8 == 0 ? 12 + i : 12 + 4 * (i % 7);
    packets.emplace_back(kernel, cipher, header_bytes, text_bytes, tag_bytes_of(cipher, i), Rng(i));
  }
  return packets;
}

std::vector<SrtpJob> jobs_of(std::vector<Packet>& packets) {
  std::vector<SrtpJob> jobs;
  for (Packet& packet : packets) jobs.push_back(packet.job);
  return jobs;
}

TEST(AesCounterStream, gives_the_values_of_rfc_3711_b_2) {
  const Buffer key = *parse_hex("2b7e151628aed2a6abf7158809cf4f3c");
  std::array<std::uint8_t, 16> counter{};
  const Buffer salt = *parse_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd");
  std::copy(salt.begin(), salt.end(), counter.begin());
  Buffer stream(16 * 0xff02);
  write_aes_counter_stream(key, counter, stream);
  auto block = [&](std::size_t number) { return write_hex(Bytes(stream).subspan(16 * number, 16)); };
  EXPECT_EQ(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
  EXPECT_EQ(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
  EXPECT_EQ(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
  EXPECT_EQ(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
  EXPECT_EQ(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
  EXPECT_EQ(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
}

class EachSrtpKernel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string_view name = GetParam();
    kernel_ = name == "openssl"        ? make_openssl_srtp_kernel()
              : name == "multi_buffer" ? make_multi_buffer_srtp_kernel()
                                       : make_multi_buffer_srtp_kernel(GcmCode::kLibrary);
    if (!kernel_) GTEST_SKIP() << "This processor or build has no libipsec-mb.";
  }
  std::unique_ptr<SrtpKernel> kernel_;
};
INSTANTIATE_TEST_SUITE_P(Kernels, EachSrtpKernel,
                         testing::Values("openssl", "multi_buffer", "multi_buffer_library_gcm"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(EachSrtpKernel, gives_the_key_stream_of_rfc_3711_b_2) {
  const Buffer key = *parse_hex("2b7e151628aed2a6abf7158809cf4f3c");
  auto ready = kernel_->make_key(SrtpCipher::kAes128CounterHmacSha1, key, Buffer(20, 1));
  Buffer wire(48 + 10, 0);
  SrtpJob job;
  job.key = ready.get();
  const Buffer salt = *parse_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd");
  job.iv.fill(0);
  std::copy(salt.begin(), salt.end(), job.iv.begin());
  job.source = job.target = wire.data();
  job.text_bytes = 48;
  job.authenticated = wire.data();
  job.authenticated_bytes = 48;
  job.tag = wire.data() + 48;
  job.tag_bytes = 10;
  kernel_->seal({&job, 1});
  EXPECT_EQ(write_hex(Bytes(wire).first(48)),
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab"
            "41e95b3bb0a2e8dd477901e4fca894c0");
}

TEST_P(EachSrtpKernel, gives_the_hmac_sha1_of_rfc_2202) {
  // Case 3 has a key of 20 bytes; the tag is the digest's beginning.
  auto ready = kernel_->make_key(SrtpCipher::kAes128CounterHmacSha1, Buffer(16, 0), Buffer(20, 0xaa));
  Buffer message(50, 0xdd), tag(10, 0);
  SrtpJob job;
  job.key = ready.get();
  job.iv.fill(0);
  job.source = job.target = message.data();
  job.text_bytes = 0;
  job.authenticated = message.data();
  job.authenticated_bytes = 50;
  job.tag = tag.data();
  job.tag_bytes = 10;
  kernel_->seal({&job, 1});
  EXPECT_EQ(write_hex(tag), "125d7342b9ac11cd91a3");
}

TEST_P(EachSrtpKernel, opens_what_it_sealed) {
  std::vector<Packet> packets = make_packets(*kernel_);
  std::vector<SrtpJob> jobs = jobs_of(packets);
  kernel_->seal(jobs);
  jobs.clear();
  for (Packet& packet : packets) jobs.push_back(packet.opening());
  kernel_->open(jobs);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    EXPECT_TRUE(jobs[i].is_authentic) << i;
    EXPECT_TRUE(std::equal(packets[i].plain.begin(), packets[i].plain.end(), jobs[i].target)) << i;
    EXPECT_TRUE(packets[i].is_guard_whole()) << i;
  }
}

TEST_P(EachSrtpKernel, seals_in_place_as_it_seals_from_elsewhere) {
  std::vector<Packet> apart = make_packets(*kernel_), in_place = make_packets(*kernel_);
  std::vector<SrtpJob> jobs = jobs_of(apart);
  kernel_->seal(jobs);
  for (Packet& packet : in_place) {
    std::copy(packet.plain.begin(), packet.plain.end(), packet.job.target);
    packet.job.source = packet.job.target;
  }
  jobs = jobs_of(in_place);
  kernel_->seal(jobs);
  for (std::size_t i = 0; i < apart.size(); ++i) EXPECT_EQ(apart[i].wire, in_place[i].wire) << i;
}

TEST_P(EachSrtpKernel, gives_the_same_bytes_one_by_one_and_all_at_once) {
  std::vector<Packet> together = make_packets(*kernel_), alone = make_packets(*kernel_);
  std::vector<SrtpJob> jobs = jobs_of(together);
  kernel_->seal(jobs);
  for (Packet& packet : alone) kernel_->seal({&packet.job, 1});
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(alone[i].wire, together[i].wire) << i;
}

TEST_P(EachSrtpKernel, finds_each_bit_that_was_changed) {
  for (SrtpCipher cipher : kCiphers) {
    const std::uint8_t tag_bytes = is_aead(cipher) ? 16 : 10;
    constexpr std::size_t kHeader = 12, kText = 37;
    const std::size_t whole = kHeader + kText + tag_bytes;
    std::vector<Packet> packets;
    for (std::size_t bit = 0; bit < 8 * whole; ++bit)
      packets.emplace_back(*kernel_, cipher, kHeader, kText, tag_bytes, Rng(bit));
    std::vector<SrtpJob> jobs = jobs_of(packets);
    kernel_->seal(jobs);
    jobs.clear();
    for (std::size_t bit = 0; bit < packets.size(); ++bit) {
      packets[bit].wire[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      jobs.push_back(packets[bit].opening());
    }
    kernel_->open(jobs);
    for (std::size_t bit = 0; bit < jobs.size(); ++bit) EXPECT_FALSE(jobs[bit].is_authentic) << bit;
  }
}

TEST(SrtpKernels, give_the_same_bytes) {
  auto fast = make_multi_buffer_srtp_kernel();
  if (!fast) GTEST_SKIP() << "This processor or build has no libipsec-mb.";
  auto plain = make_openssl_srtp_kernel();
  std::vector<Packet> by_fast = make_packets(*fast), by_plain = make_packets(*plain);
  std::vector<SrtpJob> jobs = jobs_of(by_fast);
  fast->seal(jobs);
  jobs = jobs_of(by_plain);
  plain->seal(jobs);
  for (std::size_t i = 0; i < by_fast.size(); ++i) EXPECT_EQ(by_fast[i].wire, by_plain[i].wire) << i;
}

TEST(SrtpKernels, are_chosen_by_what_the_cpu_has) {
  auto fast = make_multi_buffer_srtp_kernel();
  EXPECT_EQ(make_srtp_kernel()->name(), fast ? fast->name() : "openssl");
}

TEST(Secret, holds_what_it_was_given) {
  const Buffer bytes = {1, 2, 3};
  Secret<8> secret{Bytes(bytes)};
  const Secret<8> copy = secret;
  EXPECT_TRUE(std::ranges::equal(copy.view(), bytes));
  wipe(secret.mutable_view());
  EXPECT_TRUE(std::ranges::equal(secret.view(), Buffer(3, 0)));
  EXPECT_TRUE(std::ranges::equal(copy.view(), bytes));
}

}  // namespace
}  // namespace stoa::crypto

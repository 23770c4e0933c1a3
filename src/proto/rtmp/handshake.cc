#include "proto/rtmp/handshake.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtmp {
namespace {

constexpr std::string_view kPlayerName = "Genuine Adobe Flash Player 001";
constexpr std::string_view kServerName = "Genuine Adobe Flash Media Server 001";
constexpr std::array<std::uint8_t, 32> kSecret = {
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae};
constexpr std::uint32_t kPlayerVersion = 0x09007c02;
constexpr std::uint32_t kServerVersion = 0x04050001;
constexpr std::size_t kDigestAtRange = 728;

Bytes name(bool from_server) { return as_bytes(from_server ? kServerName : kPlayerName); }

Buffer name_and_secret(bool from_server) {
  Bytes text = name(from_server);
  Buffer key(text.begin(), text.end());
  key.insert(key.end(), kSecret.begin(), kSecret.end());
  return key;
}

std::size_t digest_offset(Bytes block, HandshakeKind scheme) {
  std::size_t at = scheme == HandshakeKind::kDigestScheme0 ? 8 : 772;
  std::size_t sum = block[at] + block[at + 1] + block[at + 2] + block[at + 3];
  return at + 4 + sum % kDigestAtRange;
}

crypto::Sha256Digest sign_around(Bytes block, std::size_t digest_at, bool from_server) {
  Buffer rest(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(digest_at));
  Bytes after = block.subspan(digest_at + crypto::kSha256Bytes);
  rest.insert(rest.end(), after.begin(), after.end());
  return crypto::hmac_sha256(name(from_server), rest);
}

Buffer random_block(Rng& rng, std::uint32_t version) {
  ByteWriter writer(kHandshakeBytes);
  writer.u32(0);  // Time: nobody uses it.
  writer.u32(version);
  while (writer.size() < kHandshakeBytes) writer.u64(rng.next());
  return writer.take();
}

void sign_block(Buffer& block, HandshakeKind scheme, bool from_server) {
  std::size_t at = digest_offset(block, scheme);
  auto digest = sign_around(block, at, from_server);
  std::copy(digest.begin(), digest.end(), block.begin() + static_cast<std::ptrdiff_t>(at));
}

crypto::Sha256Digest answer_signature(Bytes answer, Bytes peer_digest, bool from_server) {
  auto key = crypto::hmac_sha256(name_and_secret(from_server), peer_digest);
  return crypto::hmac_sha256(key, answer.first(kHandshakeBytes - crypto::kSha256Bytes));
}

// S2 or C2 in a digest handshake.
void write_answer(Rng& rng, Bytes peer_digest, bool from_server, ByteWriter& out) {
  Buffer answer = random_block(rng, static_cast<std::uint32_t>(rng.next()));
  auto signature = answer_signature(answer, peer_digest, from_server);
  out.bytes(Bytes(answer).first(kHandshakeBytes - signature.size()));
  out.bytes(signature);
}

// Moves bytes from `input` until `received` holds `size`.
bool fill(Buffer& received, std::size_t size, Bytes& input) {
  std::size_t count = std::min(size - received.size(), input.size());
  received.insert(received.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
  input = input.subspan(count);
  return received.size() == size;
}

}  // namespace

std::optional<crypto::Sha256Digest> find_digest(Bytes block, HandshakeKind scheme, bool from_server) {
  STOA_ASSERT(block.size() == kHandshakeBytes && scheme != HandshakeKind::kPlain);
  std::size_t at = digest_offset(block, scheme);
  auto digest = sign_around(block, at, from_server);
  if (!std::equal(digest.begin(), digest.end(), block.begin() + static_cast<std::ptrdiff_t>(at))) {
    return std::nullopt;
  }
  return digest;
}

Result<void, Refusal> ServerHandshake::handle_bytes(Bytes& input, ByteWriter& out) {
  if (!has_answered_) {
    bool is_whole = fill(received_, 1 + kHandshakeBytes, input);
    if (!received_.empty() && received_[0] != kVersion) return refuse(Refusal::kBadVersion);
    if (!is_whole) return {};
    answer(Bytes(received_).subspan(1), out);
    has_answered_ = true;
    received_.clear();
  }
  // C2 should repeat S1; clients that do not are common and harmless.
  if (!is_done_ && fill(received_, kHandshakeBytes, input)) {
    is_done_ = true;
    received_ = Buffer();
  }
  return {};
}

void ServerHandshake::answer(Bytes c1, ByteWriter& out) {
  std::optional<crypto::Sha256Digest> digest;
  bool has_version = std::any_of(c1.begin() + 4, c1.begin() + 8, [](std::uint8_t b) { return b != 0; });
  for (auto scheme : {HandshakeKind::kDigestScheme0, HandshakeKind::kDigestScheme1}) {
    if (!has_version || digest) break;
    digest = find_digest(c1, scheme, false);
    if (digest) kind_ = scheme;
  }
  out.u8(kVersion);
  Buffer s1 = random_block(rng_, digest ? kServerVersion : 0);
  if (digest) sign_block(s1, kind_, true);
  out.bytes(s1);
  if (digest) {
    write_answer(rng_, *digest, true, out);
  } else {
    out.bytes(c1);
  }
}

void ClientHandshake::start(ByteWriter& out) {
  c1_ = random_block(rng_, kind_ == HandshakeKind::kPlain ? 0 : kPlayerVersion);
  if (kind_ != HandshakeKind::kPlain) sign_block(c1_, kind_, false);
  out.u8(kVersion);
  out.bytes(c1_);
}

Result<void, Refusal> ClientHandshake::handle_bytes(Bytes& input, ByteWriter& out) {
  bool is_whole = fill(received_, 1 + 2 * kHandshakeBytes, input);
  if (!received_.empty() && received_[0] != kVersion) return refuse(Refusal::kBadVersion);
  if (!is_whole || is_done_) return {};
  Bytes s1 = Bytes(received_).subspan(1, kHandshakeBytes);
  Bytes s2 = Bytes(received_).subspan(1 + kHandshakeBytes);
  is_done_ = true;
  if (kind_ == HandshakeKind::kPlain) {
    if (!std::equal(s2.begin() + 8, s2.end(), c1_.begin() + 8)) return refuse(Refusal::kBadHandshake);
    out.bytes(s1);
    return {};
  }
  auto own = find_digest(c1_, kind_, false);
  auto theirs = find_digest(s1, kind_, true);
  STOA_ASSERT(own);
  if (!theirs) return refuse(Refusal::kBadHandshake);
  auto signature = answer_signature(s2, *own, true);
  if (!std::equal(signature.begin(), signature.end(), s2.end() - signature.size())) {
    return refuse(Refusal::kBadHandshake);
  }
  write_answer(rng_, *theirs, false, out);
  return {};
}

}  // namespace stoa::rtmp

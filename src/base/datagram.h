// Datagrams between runtime/ and the pure column, many at a call and without a copy where it counts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/assert.h"
#include "base/bytes.h"

namespace stoa {

// What a datagram goes through on our side: the shard's UDP socket, or one connection of ICE-TCP.
using LocalPath = std::uint32_t;
inline constexpr LocalPath kUdpPath = 0;
// The same socket through others of the machine's addresses is 1 to kUdpPaths - 1: an answer must leave from
// the address that the peer sent to. A machine with one address sees kUdpPath alone. From kUdpPaths on,
// ICE-TCP.
inline constexpr LocalPath kUdpPaths = 256;
constexpr bool is_udp_path(LocalPath local) { return local < kUdpPaths; }

// The two ECN bits of the IP header (RFC 3168 §5).
enum class Ecn : std::uint8_t { kNotCapable = 0, kCapable1 = 1, kCapable0 = 2, kCongestion = 3 };

// Its bytes may be changed in place (decryption) and are the receiver's again after the call.
struct ReceivedDatagram {
  LocalPath local = kUdpPath;
  SocketAddress remote;
  std::span<std::uint8_t> bytes;
  Ecn ecn = Ecn::kNotCapable;
};

// Datagrams of one size to one address, one behind the other; only the last may be shorter. The kernel takes
// a train in one call (UDP_SEGMENT), which is what makes sending cheap.
struct DatagramTrain {
  LocalPath local = kUdpPath;
  SocketAddress remote;
  Bytes bytes;
  std::uint16_t segment_bytes = 0;
  Ecn ecn = Ecn::kNotCapable;
};

// Trains on their way out: written into one arena in order, sent, cleared. Never grows.
class DatagramBatch {
 public:
  static constexpr std::size_t kTrainBytesMax = 65'000;  // One UDP_SEGMENT call takes less than 65,507.
  static constexpr std::size_t kTrainSegmentsMax = 64;   // UDP_MAX_SEGMENTS of older kernels.
  // A batch should stay in the second-level cache between being written, encrypted and sent.
  static constexpr std::size_t kBytesDefault = 256u << 10;

  // Requires: at least kTrainBytesMax.
  explicit DatagramBatch(std::size_t bytes = kBytesDefault)
      : capacity_(bytes), arena_(new std::uint8_t[bytes]) {
    STOA_ASSERT(bytes >= kTrainBytesMax);
  }

  // Free memory behind what was committed. The same until commit().
  std::span<std::uint8_t> room() { return {arena_.get() + used_, capacity_ - used_}; }
  bool has_room(std::size_t bytes) const { return capacity_ - used_ >= bytes; }
  // The first `bytes` of room() are a train. Requires: they fit, and segments within the limits above.
  void commit(LocalPath local, const SocketAddress& remote, std::size_t bytes, std::uint16_t segment_bytes,
              Ecn ecn = Ecn::kNotCapable) {
    STOA_ASSERT(bytes <= capacity_ - used_ && segment_bytes > 0);
    trains_.push_back({local, remote, Bytes(arena_.get() + used_, bytes), segment_bytes, ecn});
    used_ += bytes;
  }

  std::span<const DatagramTrain> trains() const { return trains_; }
  bool is_empty() const { return trains_.empty(); }
  std::size_t bytes() const { return used_; }
  void clear() {
    trains_.clear();
    used_ = 0;
  }

 private:
  std::size_t capacity_, used_ = 0;
  std::unique_ptr<std::uint8_t[]> arena_;
  std::vector<DatagramTrain> trains_;
};

}  // namespace stoa

// The sending half of a UDP socket: trains into as few kernel calls as it allows, what the kernel does not
// take now into a bounded queue, everything else counted and forgotten.
//
// A train is one message with UDP_SEGMENT, many trains are one sendmmsg. Where the kernel knows no
// segmentation or a device refuses it, each datagram is a message of its own; that is found out here and said
// once. Seen by udp_socket.cc and by tests, which put their own kernel under it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/datagram.h"
#include "runtime/udp_wire.h"

namespace stoa::runtime {

// Why datagrams were not sent.
enum class UdpDrop : std::uint8_t {
  kQueueFull,    // More than the queue holds waited for the kernel.
  kTooLong,      // EMSGSIZE
  kUnreachable,  // No route, or the address that it should leave from is gone.
  kRefused,      // ECONNREFUSED
  kDenied,       // A packet filter.
  kNoMemory,     // The kernel's, or the device's queue.
  kOther,
};
inline constexpr std::size_t kUdpDrops = 7;
const char* name_of(UdpDrop drop);

struct UdpSendStats {
  std::uint64_t datagrams = 0, bytes = 0;
  std::uint64_t trains = 0;  // Of two datagrams and more, taken by the kernel as one.
  std::uint64_t calls = 0;   // System calls.
  std::uint64_t queued = 0;  // Datagrams that had to wait.
  std::uint64_t gso_refusals = 0;
  std::array<std::uint64_t, kUdpDrops> dropped{};  // Datagrams.
};

// Trains that wait, in one ring of bytes that is made when it is first needed. `trains()` stays in order.
class TrainQueue {
 public:
  explicit TrainQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False when it does not fit.
  bool push(const DatagramTrain& train);
  std::span<DatagramTrain> trains() { return std::span(trains_).subspan(head_); }
  bool is_empty() const { return head_ == trains_.size(); }
  void pop(std::size_t count);
  std::size_t bytes() const { return bytes_; }
  // The first `bytes` of the first train are gone.
  void shorten_first(std::size_t bytes);

 private:
  // What a small datagram is charged, so that the number of trains is bounded too.
  static constexpr std::size_t kTrainBytesMin = 64;

  std::uint8_t* find_room(std::size_t bytes);

  std::size_t bytes_max_, bytes_ = 0, tail_ = 0;
  Buffer ring_;
  std::vector<DatagramTrain> trains_;
  std::size_t head_ = 0;
};

class UdpSender {
 public:
  // sendmmsg() on the socket, in its manner.
  using Kernel = std::move_only_function<int(mmsghdr* messages, unsigned count)>;
  struct Config {
    bool is_v6_socket = false;
    bool use_gso = true;
    std::size_t queue_bytes = 1u << 20;
    // For send_one(), so that media does not keep control from being queued.
    std::size_t control_reserve_bytes = 64u << 10;
    const OwnAddresses* own = nullptr;  // Null: the socket has one address.
  };
  // A refusal of GSO by this many trains with none taken in between turns it off: one route may have a device
  // of its own kind.
  static constexpr int kGsoRefusalsMax = 16;

  UdpSender(const Config& config, Kernel kernel);

  // Trains of other paths are passed over.
  void send(std::span<const DatagramTrain> trains);
  void send_one(const DatagramTrain& train);
  // The socket is writable again.
  void send_queued();

  bool is_waiting() const { return !queue_.is_empty(); }
  std::size_t queued_bytes() const { return queue_.bytes(); }
  bool has_gso() const { return has_gso_; }
  // GSO was turned off since the last call: why.
  std::string take_notice() { return std::exchange(notice_, {}); }
  const UdpSendStats& stats() const { return stats_; }

 private:
  static constexpr std::size_t kMessages = 64;
  // Fits every path of IPv6 (1280 bytes). A longer segment may be refused because of the path's MTU.
  static constexpr std::size_t kSegmentAlwaysFits = 1232;

  struct Cursor {
    std::size_t train = 0, offset = 0;  // Bytes of that train that are done.
  };
  struct Message {
    std::size_t datagrams, bytes;
    Cursor next;  // After it.
  };

  Cursor transmit(std::span<const DatagramTrain> trains);
  std::size_t build(std::span<const DatagramTrain> trains, Cursor from);
  void build_one(const DatagramTrain& train, Bytes bytes, std::size_t index);
  bool handle_error(int error, std::span<const DatagramTrain> trains, Cursor& at);
  void note_sent(std::size_t count);
  void enqueue(std::span<const DatagramTrain> trains, Cursor from, std::size_t bytes_max);
  void drop(UdpDrop reason, std::size_t datagrams) {
    stats_.dropped[static_cast<std::size_t>(reason)] += datagrams;
  }

  Config config_;
  Kernel kernel_;
  TrainQueue queue_;
  bool has_gso_;
  int refusals_in_a_row_ = 0;
  std::string notice_;
  // The train that goes one by one because it was refused as a whole, and the error if it counts.
  static constexpr std::size_t kNoTrain = static_cast<std::size_t>(-1);
  std::size_t split_train_ = kNoTrain;
  int split_error_ = 0;
  UdpSendStats stats_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> slices_;
  std::vector<KernelAddress> names_;
  std::vector<ControlRoom> controls_;
  std::vector<Message> messages_;
};

}  // namespace stoa::runtime

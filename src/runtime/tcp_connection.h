// One accepted socket, plain or TLS: non-blocking reads, and a queue of shared slices on its way out.
// Internal to TcpServer, which owns the table, the limits and the deadlines.
//
// An idle connection holds no buffer: reads go to a buffer of the caller, the queue gives its memory back
// when it is empty, and OpenSSL is told to release its records.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "runtime/loop.h"
#include "runtime/tcp_server.h"
#include "runtime/timer.h"

struct ssl_st;

namespace stoa::runtime {

// An address as limits count it: IPv4-mapped, or the /64 of an IPv6 address.
using AddressKey = std::array<std::uint8_t, 16>;

class TcpConnection {
 public:
  enum class Io { kProgress, kAgain, kEnd, kFailed };

  // Takes over `fd` and `ssl` (null: plain).
  TcpConnection(int fd, ssl_st* ssl, const AddressKey& address) : address_(address), ssl_(ssl), fd_(fd) {}
  TcpConnection(TcpConnection&&) = delete;
  ~TcpConnection() { shut(); }

  bool is_secure() const { return ssl_ != nullptr; }
  int fd() const { return fd_; }
  const AddressKey& address() const { return address_; }

  // kProgress when the handshake is done.
  Io handshake();
  std::string alpn() const;

  // On kProgress `length` bytes were put into `space`; `drained` when the kernel has no more for now.
  Io read(std::span<std::uint8_t> space, std::size_t& length, bool& drained);

  // Queues `head` (copied when it must wait) and `slices`, after writing what the kernel takes at once.
  Io send(Bytes head, std::span<const SharedBytes> slices);
  // Writes what is queued. kProgress: the queue is empty. kAgain: it is not; see `took_bytes`.
  Io flush();
  std::size_t queued_bytes() const { return queued_; }
  // Whether anything was taken by the kernel since the last call.
  bool take_progress() { return std::exchange(progressed_, false); }
  std::uint64_t bytes_written() const { return written_; }

  // Says that nothing more will be sent (close_notify, FIN).
  void finish_sending();
  // Closes the socket and gives everything back.
  void shut();

  // State of the owner.
  WatchId watch;
  WheelDeadline deadline;
  CloseReason reason = CloseReason::kPeer;
  std::uint32_t discarded = 0;  // Bytes read and thrown away while closing.
  bool is_handshaking = false;
  bool is_open = false;         // on_open was told.
  bool is_told_closed = false;  // on_closed was told.
  bool is_closing = false;      // Only what is queued still goes out.
  bool has_finished_sending = false;
  bool is_finished = false;  // The socket is closed; waits to be reaped.
  bool is_paused = false;
  bool is_readable = true;        // The kernel may have bytes.
  bool is_writable = true;        // The kernel may take bytes.
  bool is_peer_finished = false;  // FIN is on its way to us or was read.
  bool wants_writable = false;    // on_writable is owed.
  bool is_listed_ready = false;   // Stands in the server's list of those to read again.

 private:
  Io write_plain(std::span<const SharedBytes> slices, Bytes head, std::size_t& taken);
  Io flush_plain();
  Io flush_secure();
  void enqueue(Bytes head, std::span<const SharedBytes> slices, std::size_t skip);
  void dequeue(std::size_t length);
  Io judge_secure(int result);

  AddressKey address_;
  ssl_st* ssl_;
  int fd_;
  std::vector<SharedBytes> queue_;
  std::size_t queue_head_ = 0;  // Slices before it are sent.
  std::size_t queued_ = 0;
  std::uint64_t written_ = 0;
  bool progressed_ = false;
};

}  // namespace stoa::runtime

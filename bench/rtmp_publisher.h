// A small RTMP client that publishes a recorded FLV file (RTMP 1.0 §5 to §7). It is the bench's own, so
// that what is measured is not measured with the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "flv.h"
#include "world.h"

namespace stoa::bench {

// Splits what a server sends into messages; keeps the last header of each chunk stream.
class ChunkParser {
 public:
  struct Message {
    std::uint8_t type = 0;
    Buffer body;
  };
  static constexpr std::size_t kMaxMessage = 1 << 20, kMaxStreams = 64;

  void feed(Bytes bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  enum class Step : std::uint8_t { kMore, kMessage, kBroken };
  Step next(Message& message);

 private:
  struct Stream {
    std::uint8_t type = 0;
    std::uint32_t length = 0;
    bool has_extended_time = false;
    Buffer body;
  };
  Step take_chunk(Message& message);
  Buffer buffer_;
  std::uint32_t chunk_size_ = 128;
  Stream streams_[kMaxStreams];
};

class RtmpPublisher {
 public:
  static constexpr std::uint32_t kChunkSize = 65536;
  static constexpr std::size_t kMaxUnsent = 8u << 20;  // A server that reads so little has stalled.

  enum class State : std::uint8_t { kConnecting, kHandshake, kCommands, kPublishing, kFailed };

  // `url` is rtmp://host[:port]/app/key. The file must outlive the publisher.
  RtmpPublisher(const Url& url, const FlvFile& file);
  Result<void, Failure> start(const Address& address);

  int fd() const { return fd_.get(); }
  State state() const { return state_; }
  const std::string& failure() const { return failure_; }
  bool has_unsent() const { return sent_ < out_.size(); }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  // From the start of the connection to the server's permission to publish; 0 before it.
  std::int64_t accepted_after_ns() const { return start_ns_ == 0 ? 0 : start_ns_ - connect_ns_; }

  void handle_readable();
  void handle_writable();
  // When the next tag is due (CLOCK_MONOTONIC); far away while not publishing.
  std::int64_t next_due_ns() const;
  // Sends one tag that is due and gives it, nullptr when none is. Timestamps begin at 0.
  const FlvTag* send_due(std::int64_t now);

 private:
  void fail(std::string reason);
  void flush();
  void handle_message(const ChunkParser::Message& message);
  void write_message(std::uint8_t type, std::uint8_t chunk_stream, std::uint32_t stream_id,
                     std::uint32_t time_ms, Bytes prefix, Bytes body);
  void write_command(std::string_view name, double transaction, Bytes arguments, std::uint32_t stream_id);
  void advance();

  Url url_;
  std::string app_, key_;
  const FlvFile& file_;
  Fd fd_;
  State state_ = State::kConnecting;
  std::string failure_;
  Buffer handshake_in_, out_;
  std::size_t sent_ = 0;
  std::uint64_t bytes_sent_ = 0;
  ChunkParser parser_;
  std::uint32_t stream_id_ = 1;
  std::int64_t connect_ns_ = 0, start_ns_ = 0;
  std::size_t next_tag_ = 0;
  std::uint64_t round_ = 0;
};

}  // namespace stoa::bench

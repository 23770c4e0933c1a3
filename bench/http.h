// HTTP/1.1 as a load generator needs it: requests as prepared text, responses taken apart as they arrive.
// One response at a time per connection, no pipelining.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "world.h"

namespace stoa::bench {

inline constexpr std::size_t kMaxResponseHead = 16 * 1024;
inline constexpr std::uint64_t kMaxResponseBody = 64u << 20;

// Reads one response. Only bodies with a Content-Length are understood, plus chunked ones (needed for
// servers that stream); anything else is an error, since a generator must not guess.
class ResponseReader {
 public:
  enum class Step : std::uint8_t { kMore, kDone, kBroken };

  // Forgets the last response. `keep_body` false counts the bytes of the next body only.
  void start(bool keep_body);
  // Takes what has arrived and says whether the response is whole; bytes behind it are an error.
  Step feed(Bytes bytes);
  // Bytes of a counted body that may be thrown away in the kernel without being looked at; 0 when the
  // next bytes must go through feed().
  std::uint64_t discardable() const;
  Step discard(std::uint64_t count);

  int status() const { return status_; }
  // Of the head, without white space around it; empty when there is none. `name` in any case of letters.
  std::string_view find_header(std::string_view name) const;
  bool is_gzip() const { return is_gzip_; }
  bool closes() const { return closes_; }
  std::uint64_t body_size() const { return body_size_; }
  const std::string& body() const { return body_; }

 private:
  enum class State : std::uint8_t { kHead, kBody, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };
  bool parse_head();
  Step feed_body(Bytes& bytes);
  bool feed_line(Bytes& bytes);

  State state_ = State::kHead;
  bool keep_body_ = true, is_gzip_ = false, closes_ = false;
  int status_ = 0;
  std::uint64_t left_ = 0, body_size_ = 0;
  std::string head_, line_, body_;
};

// Fetches once, blocking, for scripts' set-up steps. `body` is decoded when it came as gzip.
struct Fetched {
  int status = 0;
  std::string body;
};
Result<Fetched, Failure> fetch(const Url& url, std::string_view path, std::int64_t deadline_ns);

// Nullopt when the bytes are not a whole gzip member or decode to more than `limit` bytes.
std::optional<std::string> gunzip(std::string_view bytes, std::size_t limit);

}  // namespace stoa::bench

#include "http.h"

#include <sys/socket.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace stoa::bench {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

}  // namespace

void ResponseReader::start(bool keep_body) {
  state_ = State::kHead;
  keep_body_ = keep_body;
  is_gzip_ = closes_ = false;
  status_ = 0;
  left_ = body_size_ = 0;
  head_.clear();
  line_.clear();
  body_.clear();
}

bool ResponseReader::parse_head() {
  std::string_view head = head_;
  auto line_end = head.find("\r\n");
  std::string_view status = head.substr(0, line_end);
  if (!status.starts_with("HTTP/1.1 ") || status.size() < 12) return false;
  if (std::from_chars(status.data() + 9, status.data() + 12, status_).ec != std::errc()) return false;
  bool has_length = false, is_chunked = false;
  while (line_end != std::string_view::npos) {
    head.remove_prefix(line_end + 2);
    line_end = head.find("\r\n");
    std::string_view line = head.substr(0, line_end);
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "content-length")) {
      has_length = std::from_chars(value.data(), value.data() + value.size(), left_).ec == std::errc();
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
      is_chunked = equals_ignoring_case(value, "chunked");
    } else if (equals_ignoring_case(name, "content-encoding")) {
      is_gzip_ = equals_ignoring_case(value, "gzip");
    } else if (equals_ignoring_case(name, "connection")) {
      closes_ = equals_ignoring_case(value, "close");
    }
  }
  if (status_ == 204 || status_ == 304) has_length = true, left_ = 0;
  if (left_ > kMaxResponseBody || (!has_length && !is_chunked)) return false;
  state_ = is_chunked ? State::kChunkSize : left_ == 0 ? State::kDone : State::kBody;
  return true;
}

std::string_view ResponseReader::find_header(std::string_view name) const {
  std::string_view head = head_;
  for (auto end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    std::string_view line = head.substr(0, head.find("\r\n"));
    auto colon = line.find(':');
    if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), name))
      return trim(line.substr(colon + 1));
  }
  return {};
}

bool ResponseReader::feed_line(Bytes& bytes) {
  while (!bytes.empty()) {
    char c = static_cast<char>(bytes[0]);
    bytes = bytes.subspan(1);
    if (c == '\n') return true;
    if (line_.size() < 64) line_ += c;
  }
  return false;
}

ResponseReader::Step ResponseReader::feed_body(Bytes& bytes) {
  switch (state_) {
    case State::kBody:
    case State::kChunk: {
      auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      if (keep_body_) body_.append(as_text(bytes.first(take)));
      bytes = bytes.subspan(take);
      body_size_ += take;
      left_ -= take;
      if (left_ == 0) state_ = state_ == State::kBody ? State::kDone : State::kChunkEnd;
      return Step::kMore;
    }
    case State::kChunkSize: {
      if (!feed_line(bytes)) return Step::kMore;
      if (std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16).ec != std::errc())
        return Step::kBroken;
      if (body_size_ + left_ > kMaxResponseBody) return Step::kBroken;
      line_.clear();
      state_ = left_ == 0 ? State::kTrailer : State::kChunk;
      return Step::kMore;
    }
    case State::kChunkEnd:
      if (feed_line(bytes)) line_.clear(), state_ = State::kChunkSize;
      return Step::kMore;
    case State::kTrailer:
      if (!feed_line(bytes)) return Step::kMore;
      if (trim(line_).empty()) state_ = State::kDone;
      line_.clear();
      return Step::kMore;
    default: return Step::kBroken;
  }
}

ResponseReader::Step ResponseReader::feed(Bytes bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kDone) return Step::kBroken;
    if (state_ == State::kHead) {
      std::size_t had = head_.size();
      head_.append(as_text(bytes));
      auto end = head_.find("\r\n\r\n", had < 3 ? 0 : had - 3);
      if (end == std::string::npos) return head_.size() > kMaxResponseHead ? Step::kBroken : Step::kMore;
      bytes = bytes.subspan(end + 4 - had);
      head_.resize(end);
      if (!parse_head()) return Step::kBroken;
      continue;
    }
    if (feed_body(bytes) == Step::kBroken) return Step::kBroken;
  }
  return state_ == State::kDone ? Step::kDone : Step::kMore;
}

std::uint64_t ResponseReader::discardable() const {
  return state_ == State::kBody && !keep_body_ ? left_ : 0;
}

ResponseReader::Step ResponseReader::discard(std::uint64_t count) {
  left_ -= count;
  body_size_ += count;
  if (left_ > 0) return Step::kMore;
  state_ = State::kDone;
  return Step::kDone;
}

std::optional<std::string> gunzip(std::string_view bytes, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  int result = Z_OK;
  char buffer[16384];
  while (result == Z_OK && text.size() <= limit) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer, sizeof buffer - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || text.size() > limit) return std::nullopt;
  return text;
}

Result<Fetched, Failure> fetch(const Url& url, std::string_view path, std::int64_t deadline_ns) {
  STOA_TRY(Address address, find_address(url.host, url.port));
  STOA_TRY(Fd fd, start_connect(address));
  std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + url.authority() + "\r\n\r\n";
  Poller poller;
  poller.add(fd.get(), EPOLLOUT, 0);
  poller.wait_until(deadline_ns);
  if (int error = take_socket_error(fd.get()); error != 0) {
    return refuse("cannot connect to " + url.authority() + ": " + std::strerror(error));
  }
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return refuse("cannot send to " + url.authority());
  }
  poller.modify(fd.get(), EPOLLIN, 0);
  ResponseReader reader;
  std::uint8_t buffer[16384];
  while (now_ns() < deadline_ns && !stop_asked()) {
    poller.wait_until(deadline_ns);
    ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return refuse(Failure("connection closed before the response was whole"));
    auto step = reader.feed({buffer, static_cast<std::size_t>(got)});
    if (step == ResponseReader::Step::kBroken)
      return refuse("not a response this bench understands: " + std::string(path));
    if (step != ResponseReader::Step::kDone) continue;
    Fetched fetched{reader.status(), reader.body()};
    if (reader.is_gzip()) {
      auto text = gunzip(fetched.body, kMaxResponseBody);
      if (!text) return refuse(Failure("broken gzip body"));
      fetched.body = std::move(*text);
    }
    return fetched;
  }
  return refuse("no response in time: " + std::string(path));
}

}  // namespace stoa::bench

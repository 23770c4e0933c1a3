#include "rtmp_publisher.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace stoa::bench {
namespace {

constexpr std::size_t kHandshakeSize = 1536;
constexpr std::uint8_t kSetChunkSize = 1, kCommand = 20;
constexpr std::uint32_t kNoShortTime = 0xFFFFFF;

void write_string(ByteWriter& out, std::string_view text) {
  out.u8(2);
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}
void write_number(ByteWriter& out, double value) {
  out.u8(0);
  out.f64(value);
}
void write_property(ByteWriter& out, std::string_view name, std::string_view value) {
  out.u16(static_cast<std::uint16_t>(name.size()));
  out.text(name);
  write_string(out, value);
}
void write_null(ByteWriter& out) { out.u8(5); }

// The first string of an AMF0 command; empty when it is none.
std::string_view read_name(ByteReader& in) {
  if (in.u8() != 2) return {};
  return as_text(in.take(in.u16()));
}
double read_number(ByteReader& in) { return in.u8() == 0 ? in.f64() : 0; }

}  // namespace

ChunkParser::Step ChunkParser::take_chunk(Message& message) {
  ByteReader in(buffer_);
  std::uint8_t first = in.u8();
  std::size_t id = first & 63;
  if (id < 2) return Step::kBroken;  // Servers answer on small chunk streams.
  Stream& stream = streams_[id];
  int format = first >> 6;
  Stream next = {stream.type, stream.length, stream.has_extended_time, {}};
  if (format < 3) next.has_extended_time = in.u24() == kNoShortTime;
  if (format < 2) next.length = in.u24(), next.type = in.u8();
  if (format < 1) in.skip(4);
  if (next.has_extended_time) in.skip(4);
  if (next.length > kMaxMessage) return Step::kBroken;
  std::size_t part = std::min<std::size_t>(
      chunk_size_, next.length - std::min<std::size_t>(stream.body.size(), next.length));
  Bytes body = in.take(part);
  if (!in.ok()) return Step::kMore;
  stream.type = next.type;
  stream.length = next.length;
  stream.has_extended_time = next.has_extended_time;
  stream.body.insert(stream.body.end(), body.begin(), body.end());
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(in.offset()));
  message.body.clear();
  if (stream.body.size() < stream.length) return Step::kMessage;  // A chunk, no whole message yet.
  message.type = stream.type;
  message.body = std::exchange(stream.body, {});
  return Step::kMessage;
}

ChunkParser::Step ChunkParser::next(Message& message) {
  while (!buffer_.empty()) {
    message.type = 0;
    Step step = take_chunk(message);
    if (step != Step::kMessage) return step;
    if (message.type == kSetChunkSize && message.body.size() == 4) {
      chunk_size_ = ByteReader(message.body).u32() & 0x7FFFFFFF;
      if (chunk_size_ == 0) return Step::kBroken;
    } else if (message.type != 0) {
      return Step::kMessage;
    }
  }
  return Step::kMore;
}

RtmpPublisher::RtmpPublisher(const Url& url, const FlvFile& file) : url_(url), file_(file) {
  std::string_view path = url_.path;
  path.remove_prefix(1);
  auto slash = path.find('/');
  app_ = path.substr(0, slash);
  key_ = slash == std::string_view::npos ? "" : path.substr(slash + 1);
}

Result<void, Failure> RtmpPublisher::start(const Address& address) {
  connect_ns_ = now_ns();
  STOA_TRY(Fd fd, start_connect(address));
  fd_ = std::move(fd);
  out_.assign(1 + kHandshakeSize, 0);
  out_[0] = 3;
  for (std::size_t i = 9; i < out_.size(); ++i) out_[i] = static_cast<std::uint8_t>(i * 167 >> 3);
  return {};
}

void RtmpPublisher::fail(std::string reason) {
  if (state_ == State::kFailed) return;
  state_ = State::kFailed;
  failure_ = std::move(reason);
  fd_.reset();
}

void RtmpPublisher::flush() {
  while (sent_ < out_.size()) {
    ssize_t sent = send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return fail(std::string("send: ") + std::strerror(errno));
    sent_ += static_cast<std::size_t>(sent);
    bytes_sent_ += static_cast<std::uint64_t>(sent);
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (out_.size() - sent_ > kMaxUnsent) {
    fail("the server does not read");
  }
}

void RtmpPublisher::handle_writable() {
  if (state_ == State::kConnecting) {
    if (int error = take_socket_error(fd_.get()); error != 0) return fail(std::strerror(error));
    state_ = State::kHandshake;
  }
  if (state_ != State::kFailed) flush();
}

void RtmpPublisher::write_message(std::uint8_t type, std::uint8_t chunk_stream, std::uint32_t stream_id,
                                  std::uint32_t time_ms, Bytes prefix, Bytes body) {
  std::size_t length = prefix.size() + body.size();
  bool is_extended = time_ms >= kNoShortTime;
  ByteWriter header;
  header.u8(chunk_stream);
  header.u24(is_extended ? kNoShortTime : time_ms);
  header.u24(static_cast<std::uint32_t>(length));
  header.u8(type);
  header.u32_little_endian(stream_id);
  if (is_extended) header.u32(time_ms);
  Bytes bytes = header.view();
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  std::size_t chunk_left = kChunkSize;
  for (Bytes piece : {prefix, body}) {
    while (!piece.empty()) {
      if (chunk_left == 0) {
        out_.push_back(static_cast<std::uint8_t>(0xC0 | chunk_stream));
        for (int i = 3; is_extended && i >= 0; --i)
          out_.push_back(static_cast<std::uint8_t>(time_ms >> (8 * i)));
        chunk_left = kChunkSize;
      }
      std::size_t take = std::min(chunk_left, piece.size());
      out_.insert(out_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(take));
      piece = piece.subspan(take);
      chunk_left -= take;
    }
  }
}

void RtmpPublisher::write_command(std::string_view name, double transaction, Bytes arguments,
                                  std::uint32_t stream_id) {
  ByteWriter head;
  write_string(head, name);
  write_number(head, transaction);
  write_message(kCommand, 3, stream_id, 0, head.view(), arguments);
}

void RtmpPublisher::handle_readable() {
  std::uint8_t buffer[16384];
  while (state_ != State::kFailed) {
    ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got < 0) return fail(std::string("recv: ") + std::strerror(errno));
    if (got == 0) return fail("the server closed the connection");
    Bytes bytes(buffer, static_cast<std::size_t>(got));
    if (state_ == State::kHandshake) {
      handshake_in_.insert(handshake_in_.end(), bytes.begin(), bytes.end());
      if (handshake_in_.size() < 1 + 2 * kHandshakeSize) continue;
      out_.insert(out_.end(), handshake_in_.begin() + 1, handshake_in_.begin() + 1 + kHandshakeSize);
      ByteWriter size, arguments;
      size.u32(kChunkSize);
      write_message(kSetChunkSize, 2, 0, 0, {}, size.view());
      arguments.u8(3);
      write_property(arguments, "app", app_);
      write_property(arguments, "type", "nonprivate");
      write_property(arguments, "tcUrl", "rtmp://" + url_.authority() + "/" + app_);
      arguments.u24(9);
      write_command("connect", 1, arguments.view(), 0);
      state_ = State::kCommands;
      parser_.feed(Bytes(handshake_in_).subspan(1 + 2 * kHandshakeSize));
      handshake_in_.clear();
    } else {
      parser_.feed(bytes);
    }
    ChunkParser::Message message;
    ChunkParser::Step step;
    while ((step = parser_.next(message)) == ChunkParser::Step::kMessage) handle_message(message);
    if (step == ChunkParser::Step::kBroken) return fail("the server sent a broken chunk");
  }
  if (state_ != State::kFailed) flush();
}

void RtmpPublisher::handle_message(const ChunkParser::Message& message) {
  if (message.type != kCommand) return;
  ByteReader in(message.body);
  std::string_view name = read_name(in);
  double transaction = read_number(in);
  ByteWriter arguments;
  if (name == "_result" && transaction == 1) {
    write_null(arguments);
    write_command("createStream", 2, arguments.view(), 0);
  } else if (name == "_result" && transaction == 2) {
    in.skip(1);
    stream_id_ = static_cast<std::uint32_t>(read_number(in));
    write_null(arguments);
    write_string(arguments, key_);
    write_string(arguments, "live");
    write_command("publish", 3, arguments.view(), stream_id_);
  } else if (name == "onStatus" || name == "_error") {
    std::string_view text = as_text(message.body);
    if (text.find("NetStream.Publish.Start") != std::string_view::npos) {
      state_ = State::kPublishing;
      start_ns_ = now_ns();
    } else {
      fail("the server refused to publish");
    }
  }
}

std::int64_t RtmpPublisher::next_due_ns() const {
  if (state_ != State::kPublishing) return std::numeric_limits<std::int64_t>::max();
  std::uint64_t ms = round_ * file_.round_ms + file_.tags[next_tag_].time_ms - file_.tags[0].time_ms;
  return start_ns_ + static_cast<std::int64_t>(ms) * 1'000'000;
}

void RtmpPublisher::advance() {
  do {
    if (++next_tag_ == file_.tags.size()) next_tag_ = 0, ++round_;
  } while (round_ > 0 &&
           (file_.tags[next_tag_].is_config || file_.tags[next_tag_].kind == FlvTag::Kind::kScript));
}

const FlvTag* RtmpPublisher::send_due(std::int64_t now) {
  if (state_ != State::kPublishing || next_due_ns() > now) return nullptr;
  const FlvTag& tag = file_.tags[next_tag_];
  auto time_ms = static_cast<std::uint32_t>((next_due_ns() - start_ns_) / 1'000'000);
  ByteWriter prefix;
  if (tag.kind == FlvTag::Kind::kScript) write_string(prefix, "@setDataFrame");
  std::uint8_t chunk_stream = tag.kind == FlvTag::Kind::kVideo ? 6 : tag.kind == FlvTag::Kind::kAudio ? 4 : 5;
  write_message(static_cast<std::uint8_t>(tag.kind), chunk_stream, stream_id_, time_ms, prefix.view(),
                tag.body);
  advance();
  flush();
  return &tag;
}

}  // namespace stoa::bench

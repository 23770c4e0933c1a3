#include "proto/http/http2_connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "base/assert.h"
#include "base/letters.h"
#include "proto/http/semantics.h"

namespace stoa::http {
namespace {

constexpr std::uint32_t kStreamWindowBytes = 256u << 10;
constexpr std::int32_t kConnectionWindowBytes = 1 << 20;
// A header block this many times over the limit is not worth an answer.
constexpr std::size_t kHeaderAbuseFactor = 8;
constexpr std::uint32_t kDefaultUrgency = 3;

// A count that fills with every event and drains with time.
class Bucket {
 public:
  Bucket(std::uint32_t size, std::uint32_t per_second) : size_(size), per_second_(per_second) {}
  void drain(Timestamp now) {
    if (now <= last_) return;
    if (level_ > 0) level_ = std::max(0.0, level_ - (now - last_).as_seconds() * per_second_);
    last_ = now;
  }
  // False when it runs over.
  bool add() { return ++level_ <= size_; }

 private:
  double size_, per_second_;
  double level_ = 0;
  Timestamp last_;
};

struct Stream {
  Request request;
  std::string authority;
  std::size_t header_bytes = 0;
  int refused_status = 0;
  bool is_complete = false;  // The request arrived in full, or was refused before.
  bool is_handed_on = false;
  bool is_answered = false;
  Body body;
  std::size_t slice = 0;  // The next byte to send: slices[slice][offset].
  std::size_t offset = 0;
  std::size_t remaining = 0;
};

// RFC 9113 §8.2.2: these speak about a connection of HTTP/1.1.
bool is_connection_field(std::string_view name) {
  for (std::string_view banned :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
    if (name == banned) return true;
  return false;
}

}  // namespace

const char* name_of(Http2Refusal refusal) {
  switch (refusal) {
    case Http2Refusal::kProtocol: return "protocol";
    case Http2Refusal::kResetFlood: return "reset_flood";
    case Http2Refusal::kControlFlood: return "control_flood";
  }
  return "unknown";
}

struct Http2Connection::Impl {
  Impl(const Http2Limits& given, std::string address, bool secure)
      : limits(given),
        peer_address(std::move(address)),
        is_secure(secure),
        resets(given.resets, given.resets_per_second),
        control_frames(given.control_frames, given.control_frames_per_second) {}
  ~Impl() { nghttp2_session_del(session); }

  void start();
  Stream* find(std::int32_t id) {
    auto it = streams.find(id);
    return it == streams.end() ? nullptr : &it->second;
  }
  int begin_headers(const nghttp2_frame& frame);
  int header(std::int32_t id, std::string_view name, std::string_view value);
  int frame_received(const nghttp2_frame& frame);
  int data_received(std::int32_t id, Bytes bytes);
  void frame_sent(const nghttp2_frame& frame);
  void stream_closed(std::int32_t id);
  void complete(std::int32_t id, Stream& stream);
  void refuse(std::int32_t id, Stream& stream, int status);
  void account(const nghttp2_frame& frame);
  void emit_copy(Bytes bytes);
  void emit_slices(Stream& stream, std::size_t length);
  bool submit(std::int32_t id, Stream& stream, const Response& response);
  void prioritise(std::int32_t id, std::uint8_t urgency);
  void collect(std::vector<SharedBytes>& chunks);

  // A run of `small`, or a slice of a body.
  struct Piece {
    std::size_t offset = 0, length = 0;
    SharedBytes slice;
  };

  Http2Limits limits;
  std::string peer_address;
  bool is_secure;
  nghttp2_session* session = nullptr;
  std::unordered_map<std::int32_t, Stream> streams;
  std::size_t incomplete = 0;
  std::size_t body_bytes = 0;  // Of requests that are still arriving.
  std::int32_t last_stream = 0;
  Bucket resets, control_frames;
  std::optional<Http2Refusal> refusal;
  Outbox<Http2Event>* events = nullptr;  // Set during a call.
  Buffer small;
  std::vector<Piece> pieces;
  std::size_t produced = 0;
  std::uint64_t body_bytes_sent = 0;
};

void Http2Connection::Impl::start() {
  nghttp2_session_callbacks* callbacks;
  STOA_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        return static_cast<Http2Connection::Impl*>(self)->begin_headers(*frame);
      });
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_length,
         const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* self) {
        return static_cast<Http2Connection::Impl*>(self)->header(
            frame->hd.stream_id, as_text({name, name_length}), as_text({value, value_length}));
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        return static_cast<Http2Connection::Impl*>(self)->frame_received(*frame);
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t length, void* self) {
        return static_cast<Http2Connection::Impl*>(self)->data_received(id, {data, length});
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        static_cast<Http2Connection::Impl*>(self)->frame_sent(*frame);
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
        static_cast<Http2Connection::Impl*>(self)->stream_closed(id);
        return 0;
      });
  nghttp2_session_callbacks_set_send_data_callback(
      callbacks, [](nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                    nghttp2_data_source*, void* self) {
        auto& impl = *static_cast<Http2Connection::Impl*>(self);
        constexpr std::size_t kFrameHead = 9;
        impl.emit_copy({head, kFrameHead});
        Stream* stream = impl.find(frame->hd.stream_id);
        STOA_ASSERT(stream && stream->remaining >= length);
        impl.emit_slices(*stream, length);
        return 0;
      });
  nghttp2_option* option;
  STOA_ASSERT(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_max_reserved_remote_streams(option, 0);
  nghttp2_option_set_max_outbound_ack(option, limits.control_frames);
  nghttp2_option_set_no_closed_streams(option, 1);
  int result = nghttp2_session_server_new2(&session, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  STOA_ASSERT(result == 0);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrent_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
}

int Http2Connection::Impl::begin_headers(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  Stream& stream = streams[frame.hd.stream_id];
  stream.request.method = Method::kOther;
  stream.request.is_http2 = true;
  stream.request.is_secure = is_secure;
  last_stream = std::max(last_stream, frame.hd.stream_id);
  ++incomplete;
  return 0;
}

int Http2Connection::Impl::header(std::int32_t id, std::string_view name, std::string_view value) {
  Stream* stream = find(id);
  if (!stream || stream->is_complete) return 0;
  stream->header_bytes += name.size() + value.size();
  if (stream->header_bytes > limits.header_bytes * kHeaderAbuseFactor)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if (stream->header_bytes > limits.header_bytes || stream->request.headers.size() >= limits.header_fields) {
    stream->refused_status = 431;
    return 0;
  }
  if (name == ":method") {
    stream->request.method = parse_method(value);
  } else if (name == ":path") {
    if (auto target = parse_target(value)) {
      stream->request.path = std::move(target->path);
      stream->request.query = std::move(target->query);
    }
  } else if (name == ":authority") {
    stream->authority = value;
  } else if (!name.starts_with(':')) {
    stream->request.headers.add(name, value);
  }
  return 0;
}

// Counts what a peer can send for ever without asking for anything.
void Http2Connection::Impl::account(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_RST_STREAM: {
      const Stream* stream = find(frame.hd.stream_id);
      if (stream && !resets.add()) refusal = Http2Refusal::kResetFlood;
      return;
    }
    case NGHTTP2_DATA:
      if (frame.hd.length > 0 || frame.hd.flags & NGHTTP2_FLAG_END_STREAM) return;
      break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_WINDOW_UPDATE: return;
    default: break;
  }
  if (!control_frames.add()) refusal = Http2Refusal::kControlFlood;
}

int Http2Connection::Impl::frame_received(const nghttp2_frame& frame) {
  account(frame);
  if (refusal) return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Stream* stream = find(frame.hd.stream_id);
  if (!stream || stream->is_complete) return 0;
  if (stream->refused_status != 0)
    refuse(frame.hd.stream_id, *stream, stream->refused_status);
  else if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM)
    complete(frame.hd.stream_id, *stream);
  return 0;
}

int Http2Connection::Impl::data_received(std::int32_t id, Bytes bytes) {
  Stream* stream = find(id);
  if (!stream || stream->is_complete) return 0;
  if (stream->request.body.size() + bytes.size() > limits.body_bytes) {
    refuse(id, *stream, 413);
    return 0;
  }
  if (body_bytes + bytes.size() > limits.connection_body_bytes) {
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
  }
  body_bytes += bytes.size();
  stream->request.body += as_text(bytes);
  return 0;
}

void Http2Connection::Impl::complete(std::int32_t id, Stream& stream) {
  if (stream.request.path.empty()) return refuse(id, stream, 400);
  stream.is_complete = true;
  stream.is_handed_on = true;
  --incomplete;
  body_bytes -= stream.request.body.size();
  if (!stream.request.headers.has("host") && !stream.authority.empty())
    stream.request.headers.add("host", stream.authority);
  stream.request.peer_address = peer_address;
  events->push(Http2Request{static_cast<std::uint32_t>(id), std::move(stream.request)});
  stream.request = {};
}

void Http2Connection::Impl::refuse(std::int32_t id, Stream& stream, int status) {
  stream.is_complete = true;
  --incomplete;
  body_bytes -= stream.request.body.size();
  stream.request = {};
  events->push(Http2Refused{static_cast<std::uint32_t>(id), status});
}

// The answer is out but the client still sends: it is told to stop, without an error (RFC 9113 §8.1).
void Http2Connection::Impl::frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  if (!(frame.hd.flags & NGHTTP2_FLAG_END_STREAM)) return;
  if (nghttp2_session_get_stream_remote_close(session, frame.hd.stream_id) == 0)
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);
}

void Http2Connection::Impl::stream_closed(std::int32_t id) {
  auto it = streams.find(id);
  if (it == streams.end()) return;
  Stream& stream = it->second;
  if (!stream.is_complete) {
    --incomplete;
    body_bytes -= stream.request.body.size();
  }
  if (stream.is_handed_on && !stream.is_answered)
    events->push(Http2Cancelled{static_cast<std::uint32_t>(id)});
  streams.erase(it);
}

bool Http2Connection::Impl::submit(std::int32_t id, Stream& stream, const Response& response) {
  std::vector<std::string> names;
  names.reserve(response.headers.size());
  std::vector<nghttp2_nv> fields;
  fields.reserve(response.headers.size() + 1);
  auto add = [&](std::string_view name, std::string_view value) {
    fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  };
  std::string status = std::to_string(response.status);
  add(":status", status);
  for (const auto& [name, value] : response.headers) {
    names.push_back(lower(name));
    // A value that HTTP does not allow would make the peer refuse the whole answer.
    bool is_valid =
        nghttp2_check_header_value(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
    if (!is_connection_field(names.back()) && is_valid) add(names.back(), value);
  }
  stream.body = response.body;
  stream.remaining = stream.body.size();
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, std::int32_t stream_id, std::uint8_t*, std::size_t length,
                              std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
    Stream* owner = static_cast<Http2Connection::Impl*>(source->ptr)->find(stream_id);
    if (!owner) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::size_t step = std::min(length, owner->remaining);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (step == owner->remaining) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(step);
  };
  return nghttp2_submit_response(session, id, fields.data(), fields.size(),
                                 stream.remaining > 0 ? &provider : nullptr) == 0;
}

void Http2Connection::Impl::prioritise(std::int32_t id, std::uint8_t urgency) {
  if (urgency == kDefaultUrgency) return;
  nghttp2_extpri priority{std::min<std::uint32_t>(urgency, NGHTTP2_EXTPRI_URGENCY_LOW), 0};
  nghttp2_session_change_extpri_stream_priority(session, id, &priority, 1);
}

void Http2Connection::Impl::emit_copy(Bytes bytes) {
  if (pieces.empty() || !pieces.back().slice.empty()) pieces.push_back({small.size(), 0, {}});
  small.insert(small.end(), bytes.begin(), bytes.end());
  pieces.back().length += bytes.size();
  produced += bytes.size();
}

void Http2Connection::Impl::emit_slices(Stream& stream, std::size_t length) {
  stream.remaining -= length;
  produced += length;
  body_bytes_sent += length;
  while (length > 0) {
    const SharedBytes& slice = stream.body.slices[stream.slice];
    std::size_t step = std::min(slice.size() - stream.offset, length);
    if (step > 0) pieces.push_back({0, 0, slice.slice(stream.offset, step)});
    stream.offset += step;
    length -= step;
    if (stream.offset == slice.size()) {
      ++stream.slice;
      stream.offset = 0;
    }
  }
}

void Http2Connection::Impl::collect(std::vector<SharedBytes>& chunks) {
  SharedBytes heads(std::exchange(small, {}));
  for (Piece& piece : pieces)
    chunks.push_back(piece.slice.empty() ? heads.slice(piece.offset, piece.length) : std::move(piece.slice));
  pieces.clear();
  produced = 0;
}

Http2Connection::Http2Connection(const Http2Limits& limits, std::string peer_address, bool is_secure)
    : impl_(std::make_unique<Impl>(limits, std::move(peer_address), is_secure)) {
  impl_->start();
}

Http2Connection::~Http2Connection() {
  // Deleting the session closes its streams, which nobody wants to hear of any more.
  Outbox<Http2Event> unheard;
  impl_->events = &unheard;
  impl_.reset();
}

Result<void, Http2Refusal> Http2Connection::handle_input(Timestamp now, Bytes bytes,
                                                         Outbox<Http2Event>& out) {
  if (impl_->refusal) return refuse(*impl_->refusal);
  impl_->events = &out;
  impl_->resets.drain(now);
  impl_->control_frames.drain(now);
  ssize_t used = nghttp2_session_mem_recv(impl_->session, bytes.data(), bytes.size());
  impl_->events = nullptr;
  if (impl_->refusal) {
    nghttp2_session_terminate_session(impl_->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return refuse(*impl_->refusal);
  }
  if (used >= 0) return {};
  impl_->refusal = used == NGHTTP2_ERR_FLOODED ? Http2Refusal::kControlFlood : Http2Refusal::kProtocol;
  return refuse(*impl_->refusal);
}

bool Http2Connection::respond(std::uint32_t id, Response&& response) {
  auto stream_id = static_cast<std::int32_t>(id);
  Stream* stream = impl_->find(stream_id);
  if (!stream || stream->is_answered || !stream->is_complete) return false;
  stream->is_answered = true;
  impl_->prioritise(stream_id, response.urgency);
  return impl_->submit(stream_id, *stream, response);
}

Result<std::size_t, Http2Refusal> Http2Connection::take_output(std::size_t limit,
                                                               std::vector<SharedBytes>& chunks,
                                                               Outbox<Http2Event>& out) {
  impl_->events = &out;
  ssize_t length = 0;
  while (impl_->produced < limit) {
    const std::uint8_t* data = nullptr;
    length = nghttp2_session_mem_send(impl_->session, &data);
    if (length <= 0) break;
    impl_->emit_copy({data, static_cast<std::size_t>(length)});
  }
  impl_->events = nullptr;
  std::size_t produced = impl_->produced;
  impl_->collect(chunks);
  if (length < 0) {
    impl_->refusal = Http2Refusal::kProtocol;
    return refuse(Http2Refusal::kProtocol);
  }
  return produced;
}

void Http2Connection::begin_drain() { nghttp2_submit_shutdown_notice(impl_->session); }

void Http2Connection::finish_drain() {
  nghttp2_submit_goaway(impl_->session, NGHTTP2_FLAG_NONE, impl_->last_stream, NGHTTP2_NO_ERROR, nullptr, 0);
}

std::size_t Http2Connection::open_streams() const { return impl_->streams.size(); }

std::size_t Http2Connection::incomplete_requests() const { return impl_->incomplete; }

std::uint64_t Http2Connection::body_bytes_sent() const { return impl_->body_bytes_sent; }

bool Http2Connection::is_finished() const {
  return !nghttp2_session_want_read(impl_->session) && !nghttp2_session_want_write(impl_->session);
}

}  // namespace stoa::http

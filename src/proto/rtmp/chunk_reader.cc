#include <algorithm>

#include "base/assert.h"
#include "proto/rtmp/chunk.h"

namespace stoa::rtmp {
namespace {

// A peer declares a length long before it has sent it: believe only this much at once.
constexpr std::size_t kReserveBytes = 64u << 10;
constexpr std::array<std::size_t, 4> kMessageHeaderBytes = {11, 7, 3, 0};

std::size_t basic_header_size(std::uint8_t first) {
  switch (first & 0x3f) {
    case 0: return 2;
    case 1: return 3;
    default: return 1;
  }
}

}  // namespace

void ChunkReader::set_chunk_size(std::uint32_t bytes) {
  STOA_ASSERT(bytes >= 1 && bytes <= 0x7fff'ffff);
  chunk_size_ = std::min(bytes, kChunkBytesCeiling);
}

void ChunkReader::drop_partial(std::uint32_t chunk_stream) {
  auto found = streams_.find(chunk_stream);
  if (found == streams_.end() || !found->second.is_open) return;
  partial_bytes_ -= found->second.payload.size();
  found->second.payload = Buffer();
  found->second.is_open = false;
}

Result<std::optional<Message>, Refusal> ChunkReader::next(Bytes& input) {
  for (;;) {
    switch (state_) {
      case State::kHeader: {
        if (!read_header(input)) return std::nullopt;
        auto handled = handle_header();
        if (!handled) return refuse(handled.error());
        break;
      }
      case State::kGuess: {
        if (!guess_extended(input)) return std::nullopt;
        break;
      }
      case State::kPayload: {
        if (!read_payload(input)) return std::nullopt;
        state_ = State::kHeader;
        header_bytes_ = 0;
        if (current_->payload.size() == current_->length) return take_message();
        break;
      }
    }
  }
}

std::size_t ChunkReader::header_size() const {
  if (header_bytes_ == 0) return 1;
  std::size_t basic = basic_header_size(header_[0]);
  int format = header_[0] >> 6;
  std::size_t size = basic + kMessageHeaderBytes[format];
  if (header_bytes_ < size || format == 3) return size;
  bool is_extended = header_[basic] == 0xff && header_[basic + 1] == 0xff && header_[basic + 2] == 0xff;
  return size + (is_extended ? 4 : 0);
}

bool ChunkReader::read_header(Bytes& input) {
  while (header_bytes_ < header_size()) {
    if (replay_at_ < replay_end_) {
      header_[header_bytes_++] = replay_[replay_at_++];
    } else if (!input.empty()) {
      header_[header_bytes_++] = input.front();
      input = input.subspan(1);
    } else {
      return false;
    }
  }
  return true;
}

Result<void, Refusal> ChunkReader::handle_header() {
  int format = header_[0] >> 6;
  std::size_t basic = basic_header_size(header_[0]);
  std::uint32_t id = header_[0] & 0x3f;
  if (basic == 2) id = 64u + header_[1];
  if (basic == 3) id = 64u + header_[1] + 256u * header_[2];

  auto found = streams_.find(id);
  if (found == streams_.end()) {
    if (format >= 2) return refuse(Refusal::kNoPreviousHeader);
    if (streams_.size() >= limits_.chunk_streams_max) return refuse(Refusal::kTooManyChunkStreams);
    found = streams_.try_emplace(id).first;
  }
  current_ = &found->second;
  current_id_ = id;
  if (current_->is_open && format != 3) return refuse(Refusal::kUnexpectedHeader);
  if (current_->is_open) return begin_chunk(*current_);
  return begin_message(*current_, format, basic);
}

Result<void, Refusal> ChunkReader::begin_message(Stream& stream, int format, std::size_t basic_size) {
  ByteReader reader(Bytes(header_).subspan(basic_size, header_bytes_ - basic_size));
  if (format < 3) {
    stream.field = reader.u24();
    if (format < 2) {
      stream.length = reader.u24();
      stream.type = reader.u8();
    }
    if (format == 0) stream.message_stream = reader.u32_little_endian();
    stream.is_extended = stream.field == kExtendedTimestamp;
    if (stream.is_extended) stream.field = reader.u32();
  }
  // A type-3 header repeats the last field, which counts as a delta even when a type-0 header brought it
  // (RTMP §5.3.1.2.4).
  stream.timestamp = format == 0 ? stream.field : stream.timestamp + stream.field;
  if (stream.length > limits_.message_bytes_max) return refuse(Refusal::kMessageTooLarge);
  stream.is_open = true;
  stream.payload.clear();
  stream.payload.reserve(std::min<std::size_t>(stream.length, kReserveBytes));
  if (format == 3) return begin_chunk(stream);
  chunk_left_ = std::min(stream.length, chunk_size_);
  if (partial_bytes_ + chunk_left_ > limits_.partial_bytes_max) return refuse(Refusal::kTooManyPartialBytes);
  state_ = State::kPayload;
  return {};
}

// Behind a type-3 header.
Result<void, Refusal> ChunkReader::begin_chunk(Stream& stream) {
  chunk_left_ = std::min<std::size_t>(stream.length - stream.payload.size(), chunk_size_);
  if (partial_bytes_ + chunk_left_ > limits_.partial_bytes_max) return refuse(Refusal::kTooManyPartialBytes);
  bool may_have_extended = stream.is_extended && type_three_ != TypeThree::kOmitsExtended;
  state_ = may_have_extended ? State::kGuess : State::kPayload;
  guess_bytes_ = 0;
  return {};
}

// Reads what may be an extended timestamp; false when more bytes are needed to know.
bool ChunkReader::guess_extended(Bytes& input) {
  while (guess_bytes_ < 4) {
    std::uint8_t byte;
    if (replay_at_ < replay_end_) {
      byte = replay_[replay_at_++];
    } else if (!input.empty()) {
      byte = input.front();
      input = input.subspan(1);
    } else {
      return false;
    }
    guess_[guess_bytes_++] = byte;
    if (type_three_ == TypeThree::kRepeatsExtended) continue;
    auto matches = [&](std::uint32_t value) {
      for (std::size_t i = 0; i < guess_bytes_; ++i) {
        if (guess_[i] != static_cast<std::uint8_t>(value >> (24 - 8 * i))) return false;
      }
      return true;
    };
    // Encoders repeat either the field or, after a delta, the absolute time.
    if (!matches(current_->field) && !matches(current_->timestamp)) {
      type_three_ = TypeThree::kOmitsExtended;
      std::copy_n(guess_.begin(), guess_bytes_, replay_.begin());
      replay_at_ = 0;
      replay_end_ = guess_bytes_;
      state_ = State::kPayload;
      return true;
    }
  }
  type_three_ = TypeThree::kRepeatsExtended;
  state_ = State::kPayload;
  return true;
}

bool ChunkReader::read_payload(Bytes& input) {
  Buffer& payload = current_->payload;
  while (chunk_left_ > 0 && replay_at_ < replay_end_) {
    payload.push_back(replay_[replay_at_++]);
    --chunk_left_;
    ++partial_bytes_;
  }
  std::size_t count = std::min(chunk_left_, input.size());
  payload.insert(payload.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
  input = input.subspan(count);
  chunk_left_ -= count;
  partial_bytes_ += count;
  return chunk_left_ == 0;
}

Message ChunkReader::take_message() {
  partial_bytes_ -= current_->payload.size();
  current_->is_open = false;
  return {current_->type, current_->timestamp, current_->message_stream,
          std::exchange(current_->payload, Buffer())};
}

}  // namespace stoa::rtmp

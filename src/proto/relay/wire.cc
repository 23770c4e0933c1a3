#include "proto/relay/wire.h"

#include <algorithm>
#include <concepts>
#include <utility>

#include "base/outbox.h"
#include "proto/relay/fields.h"

namespace stoa::relay {

// What each message says. One description serves both ways: `f` is a FieldWriter or a FieldReader (fields.h),
// and the numbers are the tags. A tag never gets another meaning; what is new gets a new one.

template <typename T, typename Of>
concept Is = std::same_as<std::remove_const_t<T>, Of>;

void describe(auto& f, Is<EncoderOffer> auto& m) {
  f.codec(1, m.codec);
  f.text(2, m.name);
  f.text(3, m.note);
}
void describe(auto& f, Is<Hello> auto& m) {
  f.number(1, m.version_lowest);
  f.number(2, m.version_highest);
  f.text(3, m.program);
  f.text(4, m.worker);
  f.exact_text(5, m.token, kTextBytesMax);
  f.list(6, m.encoders, kEncodersMax);
}
void describe(auto& f, Is<media::Format> auto& m) {
  f.codec(1, m.codec);
  f.bytes(2, m.config, kConfigBytesMax);
  f.exact_text(3, m.codec_string, kTextBytesMax);
  f.number(4, m.width, kPictureSideMax);
  f.number(5, m.height, kPictureSideMax);
  f.number(6, m.frame_rate_numerator);
  f.denominator(7, m.frame_rate_denominator);
  f.number(8, m.sample_rate);
  f.number(9, m.channels);
  f.number(10, m.samples_per_frame);
}
void describe(auto& f, Is<RungFormat> auto& m) {
  f.number(1, m.rung);
  f.item(2, m.format);
}
void describe(auto& f, Is<RungFrame> auto& m) {
  f.number(1, m.rung);
  f.number(2, m.of);
  f.duration(3, m.dts);
  f.duration(4, m.pts);
  f.duration(5, m.nominal_duration);
  f.flag(6, m.is_keyframe);
  f.payload(m.payload);
}
void describe(auto& f, Is<RungEnded> auto& m) {
  f.number(1, m.rung);
  f.reason(2, m.why, RungEnd::kRefused);
  f.text(3, m.text);
}
void describe(auto& f, Is<FramesTaken> auto& m) { f.number(1, m.number); }
void describe(auto& f, Is<RungProgress> auto& m) {
  f.number(1, m.rung);
  f.number(2, m.frames);
  f.number(3, m.waiting);
  f.duration(4, m.oldest_wait);
  f.duration(5, m.encode_p95);
  f.number(6, m.speed_permille);
  f.text(7, m.encoder);
  f.number(8, m.bytes);
}
void describe(auto& f, Is<Progress> auto& m) {
  f.number(1, m.pictures_decoded);
  f.number(2, m.frames_refused);
  f.duration(3, m.cpu_time);
  f.number(4, m.memory_bytes);
  f.list(5, m.rungs, media::kRungsMax);
  f.number(6, m.pictures);
  f.number(7, m.spatial_permille);
  f.number(8, m.temporal_permille);
}
void describe(auto& f, Is<Pong> auto& m) { f.number(1, m.number); }
void describe(auto& f, Is<Said> auto& m) {
  f.level(1, m.level);
  f.text(2, m.text);
}
void describe(auto& f, Is<SlateMade> auto& m) {
  f.flag(1, m.is_of_source);
  f.number(2, m.rung);
  f.number(3, m.track, media::kTracksPerPublicationMax - 1);
  f.item(4, m.format);
  f.duration(5, m.frame_duration);
  f.frames(m.frames, kSlateFramesMax, kSlateBytesMax);
}
void describe(auto& f, Is<PosterMade> auto& m) {
  f.duration(1, m.at);
  f.number(2, m.width, kPictureSideMax);
  f.number(3, m.height, kPictureSideMax);
  f.payload(m.jpeg);
}
void describe(auto& f, Is<Tile> auto& m) { f.duration(1, m.at); }
void describe(auto& f, Is<StoryboardMade> auto& m) {
  f.number(1, m.tile_width, kPictureSideMax);
  f.number(2, m.tile_height, kPictureSideMax);
  f.number(3, m.columns, kTilesMax);
  f.list(4, m.tiles, kTilesMax);
  f.payload(m.jpeg);
}

void describe(auto& f, Is<Welcome> auto& m) {
  f.number(1, m.version);
  f.text(2, m.channel);
}
void describe(auto& f, Is<media::Rung> auto& m) {
  f.number(1, m.id);
  f.exact_text(2, m.name, media::kRungNameBytesMax);
  f.number(3, m.of, media::kTracksPerPublicationMax - 1);
  f.codec(4, m.codec);
  f.number(5, m.bitrate_mean);
  f.number(6, m.bitrate_max);
  f.number(7, m.rate_factor);
  f.number(8, m.width, kPictureSideMax);
  f.number(9, m.height, kPictureSideMax);
  f.number(10, m.frame_rate_numerator);
  f.denominator(11, m.frame_rate_denominator);
  f.number(12, m.sample_rate);
  f.number(13, m.channels);
}
void describe(auto& f, Is<LadderSet> auto& m) {
  f.number(1, m.revision);
  f.list(2, m.rungs, media::kRungsMax);
}
void describe(auto& f, Is<ProgramTrack> auto& m) {
  f.number(1, m.track, media::kTracksPerPublicationMax - 1);
  f.item(2, m.format);
  f.text(3, m.name);
  f.text(4, m.language);
}
void describe(auto& f, Is<ProgramCut> auto& m) {
  f.number(1, m.msn);
  f.duration(2, m.at);
  f.flag(3, m.follows_break);
}
void describe(auto& f, Is<ProgramFrame> auto& m) {
  f.number(1, m.number);
  f.number(2, m.track, media::kTracksPerPublicationMax - 1);
  f.duration(3, m.dts);
  f.duration(4, m.pts);
  f.duration(5, m.nominal_duration);
  f.flag(6, m.is_keyframe);
  f.number(7, m.quarter_turns, 3);
  f.payload(m.payload);
}
void describe(auto& f, Is<TrackGone> auto& m) { f.number(1, m.track, media::kTracksPerPublicationMax - 1); }
void describe(auto& f, Is<Ping> auto& m) { f.number(1, m.number); }
void describe(auto& f, Is<PicturesWanted> auto& m) {
  f.number(1, m.track, media::kTracksPerPublicationMax - 1);
  f.duration(2, m.every);
  f.number(3, m.poster_width, kPictureSideMax);
  f.number(4, m.poster_height, kPictureSideMax);
  f.number(5, m.tile_width, kPictureSideMax);
  f.number(6, m.tile_height, kPictureSideMax);
  f.number(7, m.columns, kTilesMax);
  f.number(8, m.rows, kTilesMax);
}
void describe(auto& f, Is<RungRefused> auto& m) {
  f.number(1, m.rung);
  f.text(2, m.text);
}

void describe(auto& f, Is<Bye> auto& m) {
  f.reason(1, m.reason, ByeReason::kRefused);
  f.text(2, m.text);
}

namespace {

template <typename T>
Result<std::optional<Message>, Refusal> parse_as(const SharedBytes& body) {
  FieldReader fields(body);
  T message;
  if (!fields.refusal()) describe(fields, message);
  if (fields.refusal()) return refuse(*fields.refusal());
  if (!fields.is_understood()) return std::nullopt;
  return Message(std::move(message));
}

MessageType type_of(const Message& message) {
  using enum MessageType;
  return std::visit(Overloaded{
                        [](const Hello&) { return kHello; },
                        [](const RungFormat&) { return kRungFormat; },
                        [](const RungFrame&) { return kRungFrame; },
                        [](const RungEnded&) { return kRungEnded; },
                        [](const FramesTaken&) { return kFramesTaken; },
                        [](const Progress&) { return kProgress; },
                        [](const Pong&) { return kPong; },
                        [](const Said&) { return kSaid; },
                        [](const SlateMade&) { return kSlateMade; },
                        [](const PosterMade&) { return kPosterMade; },
                        [](const StoryboardMade&) { return kStoryboardMade; },
                        [](const Welcome&) { return kWelcome; },
                        [](const LadderSet&) { return kLadderSet; },
                        [](const ProgramTrack&) { return kProgramTrack; },
                        [](const ProgramCut&) { return kProgramCut; },
                        [](const ProgramFrame&) { return kProgramFrame; },
                        [](const TrackGone&) { return kTrackGone; },
                        [](const Ping&) { return kPing; },
                        [](const PicturesWanted&) { return kPicturesWanted; },
                        [](const RungRefused&) { return kRungRefused; },
                        [](const Bye&) { return kBye; },
                    },
                    message);
}

// How long a message may be from its type on; 0 for a type that is not known.
std::size_t bytes_max_of(MessageType type) {
  switch (type) {
    case MessageType::kHello:
    case MessageType::kWelcome:
    case MessageType::kBye: return kHelloBytesMax;
    case MessageType::kRungFrame:
    case MessageType::kProgramFrame: return kMessageBytesMax;
    case MessageType::kSlateMade: return kSlateBytesMax + kFrameHeadBytesMax;
    case MessageType::kPosterMade:
    case MessageType::kStoryboardMade: return kJpegBytesMax + kFrameHeadBytesMax;
    case MessageType::kRungFormat:
    case MessageType::kRungEnded:
    case MessageType::kFramesTaken:
    case MessageType::kProgress:
    case MessageType::kPong:
    case MessageType::kSaid:
    case MessageType::kLadderSet:
    case MessageType::kProgramTrack:
    case MessageType::kProgramCut:
    case MessageType::kTrackGone:
    case MessageType::kPing:
    case MessageType::kPicturesWanted:
    case MessageType::kRungRefused: return kControlBytesMax;
  }
  return 0;
}

bool is_expected(MessageType type, MessageReader::Expected expected) {
  using enum MessageReader::Expected;
  if (type == MessageType::kBye) return true;
  switch (expected) {
    case kHello: return type == MessageType::kHello;
    case kWelcome: return type == MessageType::kWelcome;
    case kFromWorker: return type > MessageType::kHello && type < MessageType::kWelcome;
    case kFromOwner: return type > MessageType::kWelcome;
    case kNothing: return false;
  }
  return false;
}

}  // namespace

std::optional<SendBytes> write(const Message& message) {
  ByteWriter head(64);
  head.u32(0);
  head.u8(static_cast<std::uint8_t>(type_of(message)));
  FieldWriter fields(head);
  std::visit([&](const auto& m) { describe(fields, m); }, message);
  fields.end();
  SharedBytes payload = fields.take_payload();
  std::size_t length = head.size() - 4 + payload.size();
  if (fields.is_over_limit() || length > bytes_max_of(type_of(message))) return std::nullopt;
  head.set_u32(0, static_cast<std::uint32_t>(length));
  return SendBytes{head.take(), std::move(payload)};
}

Result<std::optional<Message>, Refusal> parse(MessageType type, const SharedBytes& body) {
  switch (type) {
    case MessageType::kHello: return parse_as<Hello>(body);
    case MessageType::kRungFormat: return parse_as<RungFormat>(body);
    case MessageType::kRungFrame: return parse_as<RungFrame>(body);
    case MessageType::kRungEnded: return parse_as<RungEnded>(body);
    case MessageType::kFramesTaken: return parse_as<FramesTaken>(body);
    case MessageType::kProgress: return parse_as<Progress>(body);
    case MessageType::kPong: return parse_as<Pong>(body);
    case MessageType::kSaid: return parse_as<Said>(body);
    case MessageType::kSlateMade: return parse_as<SlateMade>(body);
    case MessageType::kPosterMade: return parse_as<PosterMade>(body);
    case MessageType::kStoryboardMade: return parse_as<StoryboardMade>(body);
    case MessageType::kWelcome: return parse_as<Welcome>(body);
    case MessageType::kLadderSet: return parse_as<LadderSet>(body);
    case MessageType::kProgramTrack: return parse_as<ProgramTrack>(body);
    case MessageType::kProgramCut: return parse_as<ProgramCut>(body);
    case MessageType::kProgramFrame: return parse_as<ProgramFrame>(body);
    case MessageType::kTrackGone: return parse_as<TrackGone>(body);
    case MessageType::kPing: return parse_as<Ping>(body);
    case MessageType::kPicturesWanted: return parse_as<PicturesWanted>(body);
    case MessageType::kRungRefused: return parse_as<RungRefused>(body);
    case MessageType::kBye: return parse_as<Bye>(body);
  }
  return std::nullopt;
}

Result<void, Refusal> MessageReader::handle_header() {
  ByteReader in(header_);
  std::size_t length = in.u32();
  auto type = MessageType{in.u8()};
  if (length < 1) return refuse(Refusal::kBadLength);
  left_ = length - 1;
  std::size_t bytes_max = bytes_max_of(type);
  is_skipping_ = bytes_max == 0;
  if (is_skipping_) {
    if (static_cast<std::uint8_t>(type) >= kMustBeKnown) return refuse(Refusal::kUnknownMessage);
    bool is_open = expected_ == Expected::kFromWorker || expected_ == Expected::kFromOwner;
    if (!is_open) return refuse(Refusal::kUnexpectedMessage);
    bytes_max = kMessageBytesMax;
  } else if (!is_expected(type, expected_)) {
    return refuse(Refusal::kUnexpectedMessage);
  }
  if (length > bytes_max) return refuse(Refusal::kMessageTooLarge);
  if (!is_skipping_) body_.reserve(std::min(left_, kReserveBytes));
  return {};
}

Result<std::optional<Message>, Refusal> MessageReader::next(Bytes& input) {
  for (;;) {
    if (header_bytes_ < kHeaderBytes) {
      std::size_t count = std::min(kHeaderBytes - header_bytes_, input.size());
      std::copy_n(input.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_bytes_));
      input = input.subspan(count);
      header_bytes_ += count;
      if (header_bytes_ < kHeaderBytes) return std::nullopt;
      auto handled = handle_header();
      if (!handled) return refuse(handled.error());
    }
    std::size_t count = std::min(left_, input.size());
    if (!is_skipping_) {
      body_.insert(body_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
    }
    input = input.subspan(count);
    left_ -= count;
    if (left_ > 0) return std::nullopt;
    header_bytes_ = 0;
    if (!is_skipping_) {
      auto parsed = parse(MessageType{header_[4]}, SharedBytes(std::exchange(body_, {})));
      if (!parsed || *parsed) return parsed;
    }
    ++skipped_;
  }
}

const char* name_of(RungEnd why) {
  switch (why) {
    case RungEnd::kOther: return "other";
    case RungEnd::kNoEncoder: return "no_encoder";
    case RungEnd::kEncoderFailed: return "encoder_failed";
    case RungEnd::kUndecodable: return "undecodable";
    case RungEnd::kNotWanted: return "not_wanted";
    case RungEnd::kRefused: return "refused";
  }
  return "unknown";
}

const char* name_of(ByeReason reason) {
  switch (reason) {
    case ByeReason::kOther: return "other";
    case ByeReason::kVersion: return "version";
    case ByeReason::kToken: return "token";
    case ByeReason::kNotWanted: return "not_wanted";
    case ByeReason::kTakenOver: return "taken_over";
    case ByeReason::kStopping: return "stopping";
    case ByeReason::kRefused: return "refused";
  }
  return "unknown";
}

}  // namespace stoa::relay

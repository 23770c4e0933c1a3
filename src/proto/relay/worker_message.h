// What the owner of a channel and a worker of it (stoa-work) say to each other. On the wire they are as
// docs/formats/relay.md has them (wire.h); who may say what when is connection.h's business.
//
//   worker                          owner
//   Hello            ->
//                    <-             Welcome
//                    <-             LadderSet, PicturesWanted, ProgramTrack …
//                    <-             ProgramCut, ProgramFrame …
//   FramesTaken …    ->
//   RungFormat, RungFrame …  ->
//   SlateMade, PosterMade, StoryboardMade …  ->
//   Progress, Said   ->
//                    <-             Ping
//   Pong             ->
//   Bye              <->
//
// All times are on the channel's timeline, which is 0 at the first keyframe of the broadcast. A worker never
// sees a source's own clock, and gives back the times that it was given.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::relay {

// From the worker.

// An encoder that was tried and works.
struct EncoderOffer {
  media::Codec codec = media::Codec::kH264;
  std::string name;  // "libx264", "h264_nvenc".
  std::string note;  // Why this one: a sentence for people.
};
struct Hello {
  std::uint32_t version_lowest = 0;
  std::uint32_t version_highest = 0;
  std::string program;  // "stoa-work 0.1.0": for people.
  std::string worker;   // What the log calls it.
  std::string token;    // Given to the worker when it was started. A secret, never to be logged.
  std::vector<EncoderOffer> encoders;
};
// Before the first frame of a rung, and whenever its format changes. What a worker says of a format is its
// word: whoever takes it reads `config` (media/codec.h) and believes that.
struct RungFormat {
  media::RungId rung = 0;
  media::Format format{};
};
struct RungFrame {
  media::RungId rung = 0;
  std::uint64_t of = 0;  // Number of the program frame that it was made of.
  Duration dts;
  Duration pts;
  Duration nominal_duration;  // Zero when there is no steady rate.
  bool is_keyframe = false;   // Always true for sound.
  SharedBytes payload;        // As media::Frame has it.
};
enum class RungEnd : std::uint8_t {
  kOther = 0,
  kNoEncoder = 1,      // Nothing here encodes that codec.
  kEncoderFailed = 2,  // It went wrong in mid-stream.
  kUndecodable = 3,    // The source's track cannot be decoded.
  kNotWanted = 4,      // The ladder has it no more, or the track has gone.
  kRefused = 5,        // By the owner (RungRefused).
};
const char* name_of(RungEnd why);
// No frame of this rung comes any more, unless a RungFormat begins it anew.
struct RungEnded {
  media::RungId rung = 0;
  RungEnd why = RungEnd::kOther;
  std::string text;
};
// All program frames up to this one have been through the decoder, or were thrown away. Said by what decodes,
// at least every 100 ms while frames come: it makes room for more.
struct FramesTaken {
  std::uint64_t number = 0;
};
struct RungProgress {
  media::RungId rung = 0;
  std::uint64_t frames = 0;   // Encoded since the worker began.
  std::uint32_t waiting = 0;  // Pictures before the encoder, and for how long the oldest has been there.
  Duration oldest_wait;
  Duration encode_p95;  // Of the last second.
  // How long the media lasts by how long it took, in the last second. 1,000 is just fast enough, more is
  // faster; 0: nothing was made.
  std::uint32_t speed_permille = 0;
  std::string encoder;
  std::uint64_t bytes = 0;  // Of all its frames since the worker began.
};
// Once a second.
struct Progress {
  std::uint64_t pictures_decoded = 0;  // These three since the worker began.
  std::uint64_t frames_refused = 0;    // By the decoder.
  Duration cpu_time;
  std::uint64_t memory_bytes = 0;
  std::vector<RungProgress> rungs;
  // How complex the pictures of the last second are: of their luma, 0 to 255, at a quarter of their width and
  // height. `pictures` is how many were measured; 0: the other two say nothing.
  std::uint32_t pictures = 0;
  std::uint32_t spatial_permille = 0;   // Mean difference of a sample to those right of and below it, added.
  std::uint32_t temporal_permille = 0;  // Mean difference to the picture before.
};
// What may be shown in place of a rung, or of a track of the source, while its media is missing: one closed
// group of frames, made ahead, to be shown over and over. The first frame is a keyframe, and of sound all
// are; each lasts `frame_duration`. A new one for the same replaces the one before.
struct SlateMade {
  bool is_of_source = false;  // Then it is for `track`, else for `rung`.
  media::RungId rung = 0;
  media::TrackId track = 0;
  media::Format format{};  // The rung's own, where the encoder could be made to.
  Duration frame_duration;
  std::vector<SharedBytes> frames;  // As media::Frame has them.
};
// The picture that was shown at `at`, as a JPEG, for people who choose what to watch.
struct PosterMade {
  Duration at;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  SharedBytes jpeg;
};
struct Tile {
  Duration at;
};
// Small pictures of what was shown, as one JPEG: rows from the left, the top row first, `columns` in each.
// Whole once it has PicturesWanted::columns × rows; until then it is said anew with each tile, and known by
// when its first one was shown.
struct StoryboardMade {
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  std::uint32_t columns = 0;
  std::vector<Tile> tiles;  // Their times rise.
  SharedBytes jpeg;
};
// The answer to a Ping, said by what decodes: a socket that answers for a hung decoder proves nothing.
struct Pong {
  std::uint64_t number = 0;
};
// A line for the log.
struct Said {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};

// From the owner.

struct Welcome {
  std::uint32_t version = 0;  // Spoken from here on.
  std::string channel;
};
// The whole ladder as it is wanted now; rungs that it lacks end. A new ladder begins at the next cut.
struct LadderSet {
  std::uint64_t revision = 0;
  std::vector<media::Rung> rungs;
};
// Posters and storyboards of a track's pictures, in the place of what was wanted before. A worker makes none
// until it is asked for them. Nothing is made larger than these bounds, or the source, and its shape is kept.
struct PicturesWanted {
  media::TrackId track = 0;
  Duration every;  // 0: none.
  std::uint32_t poster_width = 0;
  std::uint32_t poster_height = 0;
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  std::uint32_t columns = 0;
  std::uint32_t rows = 0;
  bool operator==(const PicturesWanted&) const = default;
};
// Nothing of this rung is taken any more, because of what came: it is to end, and may begin anew.
struct RungRefused {
  media::RungId rung = 0;
  std::string text;
};
// Before the first frame of a track, and whenever its format changes.
struct ProgramTrack {
  media::TrackId track = 0;
  media::Format format{};
  std::string name;      // As the publisher calls it; may be empty.
  std::string language;  // BCP 47; may be empty.
};
// All renditions begin segment `msn` at this time: the first picture at or after it (less 1 ms) is a keyframe
// in every rung, and no other is. Said before the frame that decided it.
struct ProgramCut {
  std::uint64_t msn = 0;
  Duration at;
  bool follows_break = false;  // What comes does not continue what was.
};
// Numbers rise. One that is left out is a frame that was dropped, because the worker had too much before it.
struct ProgramFrame {
  std::uint64_t number = 0;
  media::TrackId track = 0;
  Duration dts;
  Duration pts;
  Duration nominal_duration;       // Zero when the track has no steady rate.
  bool is_keyframe = false;        // Always true for sound.
  std::uint8_t quarter_turns = 0;  // Clockwise, until the picture is upright; 0 to 3.
  SharedBytes payload;             // As media::Frame has it.
};
struct TrackGone {
  media::TrackId track = 0;
};
struct Ping {
  std::uint64_t number = 0;
};

// From either, the last message.

enum class ByeReason : std::uint8_t {
  kOther = 0,
  kVersion = 1,    // There is none that both speak.
  kToken = 2,      // Not one that was given out, or used before.
  kNotWanted = 3,  // The channel has ended, or wants no ladder.
  kTakenOver = 4,  // Another worker has come for the channel.
  kStopping = 5,   // Who says so is being stopped.
  kRefused = 6,    // The peer broke the protocol; the text is the Refusal's name.
};
const char* name_of(ByeReason reason);
struct Bye {
  ByeReason reason = ByeReason::kOther;
  std::string text;
};

using Message = std::variant<Hello, RungFormat, RungFrame, RungEnded, FramesTaken, Progress, Pong, Said,
                             SlateMade, PosterMade, StoryboardMade, Welcome, LadderSet, ProgramTrack,
                             ProgramCut, ProgramFrame, TrackGone, Ping, PicturesWanted, RungRefused, Bye>;

}  // namespace stoa::relay

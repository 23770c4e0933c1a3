#include "control/ladder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "media/picture.h"

namespace stoa::control {
namespace {

using media::Codec;
using media::Format;
using media::Kind;
using media::Rung;

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  std::uint32_t side() const { return std::min(width, height); }
  std::uint64_t pixels() const { return std::uint64_t{width} * height; }
};

// A rung as a profile asks for it.
struct Wish {
  std::uint32_t side = 0;      // The shorter one.
  std::uint32_t rate_max = 0;  // Pictures a second; 60 asks for 30 where the source has no more.
  std::uint32_t bitrate = 0;   // 0: as codec and size have it.
  Codec codec = Codec::kH264;
};

constexpr std::uint32_t kSideMax = 1080;  // Of pictures that are made in place of the source's.
constexpr std::uint32_t kSideMin = 16;
constexpr std::array<Wish, 5> kStandard{{{1080, 60}, {720, 60}, {480, 30}, {360, 30}, {240, 30}}};
constexpr std::array<Wish, 3> kMobile{{{480, 30}, {360, 30}, {240, 30}}};

constexpr std::uint32_t kCustomSideMax = 4320;
constexpr std::uint32_t kCustomRateMax = 120;
constexpr std::uint32_t kCustomKbitsMin = 50;
constexpr std::uint32_t kCustomKbitsMax = 100'000;

// What a codec is called in ladders and names of rungs, and the constant quality that encoders aim at, on the
// scale of each: about what libx264 does at its default.
struct CodecFacts {
  Codec codec;
  std::string_view name;
  std::uint32_t rate_factor;
};
constexpr std::array<CodecFacts, 4> kCodecs{{{Codec::kH264, "h264", 23},
                                             {Codec::kHevc, "hevc", 28},
                                             {Codec::kVp9, "vp9", 31},
                                             {Codec::kAv1, "av1", 31}}};

// ---- What a ladder's text says.

struct Profile {
  std::vector<Wish> wishes;
  bool has_sound = false;
  bool is_one = false;        // Only the first wish that is below the source.
  bool replaces_own = false;  // A source that does not play everywhere is made into one that does.
  bool is_custom = false;     // Who names a rung knows why.
};

std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < least || value > most) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Wish> take_wish(std::string_view& text) {
  auto side = take_number(text, kSideMin, kCustomSideMax);
  if (!side || *side % 2 != 0 || !take(text, 'p')) return std::nullopt;
  auto rate = take_number(text, 1, kCustomRateMax);
  if (!rate) return std::nullopt;
  Wish wish{*side, *rate};
  if (!take(text, ':')) return wish;
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    auto kbits = take_number(text, kCustomKbitsMin, kCustomKbitsMax);
    if (!kbits) return std::nullopt;
    wish.bitrate = *kbits * 1'000;
    if (!take(text, ':')) return wish;
  }
  const std::string_view name = text.substr(0, text.find(','));
  const auto known = std::ranges::find(kCodecs, name, &CodecFacts::name);
  if (known == kCodecs.end()) return std::nullopt;
  text.remove_prefix(name.size());
  wish.codec = known->codec;
  return wish;
}

std::optional<Profile> parse_custom(std::string_view text) {
  Profile profile{.has_sound = true, .is_custom = true};
  if (text.size() > kLadderTextBytesMax) return std::nullopt;
  do {
    auto wish = take_wish(text);
    if (!wish || profile.wishes.size() == media::kRungsMax) return std::nullopt;
    const bool is_there = std::ranges::any_of(
        profile.wishes, [&](const Wish& one) { return one.side == wish->side && one.codec == wish->codec; });
    if (is_there) return std::nullopt;
    profile.wishes.push_back(*wish);
  } while (take(text, ','));
  if (!text.empty()) return std::nullopt;
  std::ranges::stable_sort(profile.wishes, std::ranges::greater(), &Wish::side);
  return profile;
}

struct LadderText {
  std::string_view rungs;
  std::optional<bool> per_title;
};

LadderText split(std::string_view text) {
  constexpr std::string_view kOn = ",per-title=on", kOff = ",per-title=off";
  if (text.ends_with(kOn)) return {text.substr(0, text.size() - kOn.size()), true};
  if (text.ends_with(kOff)) return {text.substr(0, text.size() - kOff.size()), false};
  return {text, std::nullopt};
}

std::optional<Profile> parse_profile(std::string_view whole) {
  if (whole == "off") return Profile{};
  const std::string_view text = split(whole).rungs;
  if (text == "one") return Profile{.wishes{kStandard.begin(), kStandard.end()}, .is_one = true};
  if (text == "standard")
    return Profile{.wishes{kStandard.begin(), kStandard.end()}, .has_sound = true, .replaces_own = true};
  if (text == "mobile")
    return Profile{.wishes{kMobile.begin(), kMobile.end()}, .has_sound = true, .replaces_own = true};
  return parse_custom(text);
}

// ---- Pictures.

std::uint32_t to_even(double value) { return static_cast<std::uint32_t>(std::lround(value / 2)) * 2; }

// The largest picture of square pixels that has the source's shape, once that is turned as it is to be shown,
// and no more columns or lines than it.
Size square_size(const SourceTrack& source) {
  const Format& format = *source.format;
  double width = format.width, height = format.height;
  if (auto picture = media::read_picture(format); picture && picture->pixel_width > 0) {
    const double aspect = static_cast<double>(picture->pixel_height) / picture->pixel_width;
    // Wide pixels take lines away, high ones columns.
    if (aspect > 0 && aspect < 1) height *= aspect;
    if (aspect > 1) width /= aspect;
  }
  if (source.orientation.quarter_turns % 2 != 0) std::swap(width, height);
  return {static_cast<std::uint32_t>(width / 2) * 2, static_cast<std::uint32_t>(height / 2) * 2};
}

// Requires: a side that is at most the source's.
Size scaled(const Size& source, std::uint32_t side) {
  const double factor = static_cast<double>(side) / source.side();
  return {std::min(to_even(source.width * factor), source.width),
          std::min(to_even(source.height * factor), source.height)};
}

// Worth it besides pictures of that size: with an eighth less nobody would see a difference.
bool is_smaller(const Size& size, const Size& than) { return size.pixels() * 8 <= than.pixels() * 7; }

// What players take everywhere: 8 bits, 4:2:0. By the profile in the configuration record: Baseline, Main,
// High (H.264 §A.2); those above allow more, and who has them has it.
bool plays_everywhere(const Format& format) {
  if (format.codec != Codec::kH264 || format.config.size() < 2) return false;
  const std::uint8_t profile = format.config.bytes()[1];
  return profile == 66 || profile == 77 || profile == 100;
}

// Everywhere, as it is: browsers turn nothing.
bool is_shown_right(const SourceTrack& source) {
  return plays_everywhere(*source.format) && source.orientation == media::Orientation();
}

bool is_fit(const SourceTrack& source) { return is_shown_right(source) && !source.lacks_keyframes; }

// Other codecs are there for those who have them; H.264 that only few can show is there for none.
bool is_there_for_some(const SourceTrack& source) {
  return source.format->codec != Codec::kH264 && source.orientation == media::Orientation() &&
         !source.lacks_keyframes;
}

// Bits per second that a segment may have, of H.264 as fast encoders make it. 3 Mbit/s at 720p30 is what
// services commonly ask for. Small pictures need more bits for each pixel, and twice the pictures less than
// twice the bits, so it grows with the 3/4 power of pixels a second: 0.58 Mbit/s at 240p30, 1.1 at
// 360p30, 1.6 at 480p30, 5.0 at 720p60, 9.3 at 1080p60. The other codecs need about so much of it at equal
// quality.
std::uint32_t bitrate_of(Codec codec, const Size& size, double rate) {
  constexpr double kAt720p30 = 3e6, kPixels = 1280 * 720 * 30;
  double share = 1;
  if (codec == Codec::kHevc || codec == Codec::kVp9) share = 0.7;
  if (codec == Codec::kAv1) share = 0.6;
  const double bits = share * kAt720p30 * std::pow(static_cast<double>(size.pixels()) * rate / kPixels, 0.75);
  return static_cast<std::uint32_t>(std::lround(bits / 10'000)) * 10'000;
}

Rung make_video_rung(const SourceTrack& source, const Size& size, const Wish& wish) {
  Rung rung{.of = source.track, .codec = wish.codec};
  rung.width = size.width;
  rung.height = size.height;
  const double rate = source.format->frame_rate();
  // 60 says: as many as there are. So a slow source has the name of a slow rung.
  const std::uint32_t rate_max = wish.rate_max == 60 && rate <= 31 ? 30 : wish.rate_max;
  double made = rate > 0 ? rate : rate_max;
  if (rate > rate_max * 1.01) {
    // Every second one, or third …: evenly.
    const auto divisor = static_cast<std::uint32_t>(std::ceil(rate / (rate_max * 1.01)));
    rung.frame_rate_numerator = source.format->frame_rate_numerator;
    rung.frame_rate_denominator = source.format->frame_rate_denominator * divisor;
    made = rate / divisor;
  } else if (rate == 0) {
    rung.frame_rate_numerator = rate_max;
  }
  rung.bitrate_max = wish.bitrate > 0 ? wish.bitrate : bitrate_of(rung.codec, size, made);
  rung.bitrate_mean = rung.bitrate_max / 3 * 2;
  const CodecFacts& codec = *std::ranges::find(kCodecs, wish.codec, &CodecFacts::codec);
  rung.rate_factor = codec.rate_factor;
  rung.name = std::to_string(size.side()) + "p" + std::to_string(rate_max);
  if (wish.codec != Codec::kH264) rung.name += "-" + std::string(codec.name);
  return rung;
}

std::vector<Rung> video_rungs(const SourceTrack& source, const Profile& profile) {
  std::vector<Rung> rungs;
  const Size own = square_size(source);
  if (own.side() < kSideMin) return rungs;
  Size above = own;
  if (profile.replaces_own && !is_fit(source)) {
    const std::uint32_t side = std::min({own.side(), kSideMax, profile.wishes.front().side});
    above = scaled(own, side);
    rungs.push_back(make_video_rung(source, above, {side, 60}));
  }
  for (const Wish& wish : profile.wishes) {
    if (wish.side > own.side()) continue;
    const Size size = scaled(own, wish.side);
    if (!profile.is_custom && !is_smaller(size, above)) continue;
    rungs.push_back(make_video_rung(source, size, wish));
    if (profile.is_one) break;
    above = size;
  }
  return rungs;
}

// ---- Sound.

constexpr std::uint32_t kAacBitrate = 64'000;   // A channel: AAC-LC is transparent to most near 128 kbit/s.
constexpr std::uint32_t kOpusBitrate = 48'000;  // A channel.
constexpr std::uint32_t kOpusChannelsMax = 2;   // As WebRTC takes it.

std::optional<Rung> sound_rung(const SourceTrack& source, std::size_t number, const LadderOptions& options) {
  const std::uint32_t channels = std::max(source.format->channels, 1u);
  Rung rung{.of = source.track};
  if (source.format->codec == Codec::kOpus) {
    rung.codec = Codec::kAac;
    rung.name = "aac" + std::to_string(number);
    rung.bitrate_max = kAacBitrate * channels;
  } else if (source.format->codec == Codec::kAac && options.wants_opus) {
    rung.codec = Codec::kOpus;
    rung.name = "opus" + std::to_string(number);
    rung.sample_rate = 48'000;
    if (channels > kOpusChannelsMax) rung.channels = kOpusChannelsMax;
    rung.bitrate_max = kOpusBitrate * std::min(channels, kOpusChannelsMax);
  } else {
    return std::nullopt;
  }
  rung.bitrate_mean = rung.bitrate_max;
  return rung;
}

// ---- What there was, and what is wanted.

// The rung that viewers would call the same: made of the same track, of the same size.
bool is_for(const Rung& rung, const Rung& wanted) {
  return rung.of == wanted.of && rung.codec == wanted.codec &&
         std::min(rung.width, rung.height) == std::min(wanted.width, wanted.height);
}

bool has_name(const std::vector<Rung>& rungs, const std::string& name) {
  return std::ranges::find(rungs, name, &Rung::name) != rungs.end();
}

// What was planned once keeps its place, number and name; what is new comes behind it.
LadderPlan merge(std::vector<Rung> wanted, const LadderPlan& before) {
  LadderPlan plan;
  plan.rungs = before.rungs;
  for (const Rung& rung : before.rungs) plan.resting.push_back(rung.id);
  for (Rung& rung : wanted) {
    auto known = std::ranges::find_if(plan.rungs, [&](const Rung& one) { return is_for(one, rung); });
    if (known != plan.rungs.end()) {
      std::erase(plan.resting, known->id);
      continue;
    }
    if (plan.rungs.size() == media::kRungsMax) continue;
    const std::string name = rung.name;
    for (int i = 2; has_name(plan.rungs, rung.name); ++i) rung.name = name + "-" + std::to_string(i);
    for (const Rung& one : plan.rungs) rung.id = std::max<media::RungId>(rung.id, one.id + 1);
    plan.rungs.push_back(std::move(rung));
  }
  return plan;
}

}  // namespace

bool LadderPlan::is_resting(media::RungId id) const {
  return std::ranges::find(resting, id) != resting.end();
}

std::vector<media::Rung> LadderPlan::rungs_at_work() const {
  std::vector<Rung> at_work;
  std::ranges::copy_if(rungs, std::back_inserter(at_work),
                       [&](const Rung& rung) { return !is_resting(rung.id); });
  return at_work;
}

bool is_ladder(std::string_view text) { return parse_profile(text).has_value(); }

std::optional<bool> wants_per_title(std::string_view ladder) { return split(ladder).per_title; }

LadderPlan plan_ladder(const std::vector<SourceTrack>& tracks, std::string_view ladder,
                       const LadderOptions& options, const LadderPlan& before) {
  const auto profile = parse_profile(ladder);
  if (!profile) return merge({}, before);
  const auto is_video = [](const SourceTrack& track) { return track.format->kind() == Kind::kVideo; };
  std::vector<Rung> wanted, sound;
  std::vector<media::TrackId> held_back, fit_in_real_time;
  if (profile->has_sound) {
    std::size_t number = 0;
    for (const SourceTrack& track : tracks) {
      if (is_video(track)) continue;
      if (auto rung = sound_rung(track, number++, options)) sound.push_back(std::move(*rung));
    }
  }
  // An encoder that sends several has made a ladder of its own.
  if (std::ranges::count_if(tracks, is_video) == 1) {
    const SourceTrack& video = *std::ranges::find_if(tracks, is_video);
    wanted = video_rungs(video, *profile);
    const bool is_replaced = profile->replaces_own && !wanted.empty() && !is_fit(video);
    // A ladder that ends below the source is no substitute for what plays, if only from some segments on.
    const auto is_whole = [&](const Rung& rung) {
      return std::min(rung.width, rung.height) >= std::min(square_size(video).side(), kSideMax);
    };
    if (is_replaced && is_shown_right(video)) {
      if (is_whole(wanted.front())) fit_in_real_time = held_back = {video.track};
    } else if (is_replaced && !is_there_for_some(video)) {
      held_back.push_back(video.track);
    }
  }
  // Sound for everybody comes before the smallest pictures.
  if (wanted.size() + sound.size() > media::kRungsMax)
    wanted.resize(media::kRungsMax - std::min(sound.size(), media::kRungsMax));
  for (Rung& rung : sound) wanted.push_back(std::move(rung));
  LadderPlan plan = merge(std::move(wanted), before);
  // Opus in playlists plays on fewer devices than AAC.
  for (const Rung& rung : plan.rungs_at_work())
    if (rung.codec == Codec::kAac) held_back.push_back(rung.of);
  plan.held_back = std::move(held_back);
  plan.fit_in_real_time = std::move(fit_in_real_time);
  return plan;
}

}  // namespace stoa::control

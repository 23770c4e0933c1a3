// Keeps the picture ids of VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) whole for one receiver, who gets one
// layer of a simulcast after the other, and not every temporal layer.
//
// A receiver takes a gap in the picture ids for a loss and waits for it. So ids go on without a gap where a
// source takes over and where pictures were left out on purpose; where packets were lost on the way here the
// gap stays, and a late packet still gets the id that its picture was due.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace stoa::payload {

struct SourceIds {
  std::uint16_t picture_id = 0;
  std::uint8_t picture_id_bits = 15;  // 7 or 15.
  std::optional<std::uint8_t> tl0_index = std::nullopt;
  std::optional<std::uint8_t> key_index = std::nullopt;  // VP8 only, 5 bits.
};
struct PictureIds {
  std::uint16_t picture_id = 0;
  std::uint8_t tl0_index = 0;
  std::uint8_t key_index = 0;

  bool operator==(const PictureIds&) const = default;
};

class PictureIdRewriter {
 public:
  // How many pictures back a late packet may be.
  static constexpr std::size_t kPicturesRemembered = 128;

  // The next picture is of another source: it gets the id after the last one sent.
  void switch_source() { has_source_ = false; }
  // The ids of a packet that goes on. Nothing when it must not: its picture was dropped, came before the
  // switch, or is too old.
  std::optional<PictureIds> rewrite(const SourceIds& source);
  // The packet's picture is left out: the ids behind it close up. Say it for its first packet or for each.
  void drop(const SourceIds& source);

 private:
  struct Entry {
    std::int64_t offset = 0;
    bool is_dropped = false;
  };

  std::int64_t unwrap(const SourceIds& source) const;
  void begin_source(std::int64_t picture, const SourceIds& source);
  // Gives the pictures after the newest, up to `picture`, the offset of now.
  void go_on_to(std::int64_t picture);
  Entry& entry_of(std::int64_t picture) {
    return entries_[static_cast<std::uint64_t>(picture) % kPicturesRemembered];
  }
  bool is_remembered(std::int64_t picture) const;

  std::array<Entry, kPicturesRemembered> entries_{};
  bool has_source_ = false, has_sent_ = false;
  std::int64_t first_ = 0, newest_ = 0;  // Of the source, unwrapped.
  std::int64_t offset_ = 0;              // From the source's ids to those sent.
  std::int64_t last_sent_ = 0;
  std::uint8_t tl0_offset_ = 0, last_tl0_ = 0;
  std::uint8_t key_offset_ = 0, last_key_ = 0;
};

}  // namespace stoa::payload

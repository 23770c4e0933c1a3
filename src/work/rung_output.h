// What comes of a rung, be it pictures or sound.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "media/rung.h"
#include "work/encoder_config.h"
#include "work/libav.h"

namespace stoa::work {

enum class EncodeRefusal : std::uint8_t {
  kRung,     // Asks for what there is not: another codec, odd sizes, no rate at all.
  kEncoder,  // The encoder would not.
  kOwner,    // Who was to take it did not.
};
const char* name_of(EncodeRefusal refusal);

// Before the rung's first frame, and before the first at a cut where it changes.
struct RungFormat {
  media::RungId rung;
  std::shared_ptr<const media::Format> format;
  EncoderConfig made_with;
};
struct RungFrame {
  media::RungId rung;
  media::Frame frame;
  // The source's frame that it was made of, and how long this one is shown at the rung's rate; zero when that
  // is not steady.
  Origin origin;
};
struct RungCutMissed {
  media::RungId rung;
  Duration at;
};
// The encoder would not go on: another one does from the next cut on, maybe with another format.
struct RungFellBack {
  media::RungId rung;
  std::string text;  // For people.
};
// Nothing more comes of this rung, unless a format begins it anew.
struct RungEnded {
  media::RungId rung;
  EncodeRefusal why;
  std::string text;  // For people; may be empty.
};
using RungOutput = std::variant<RungFormat, RungFrame, RungCutMissed, RungFellBack, RungEnded>;
using RungOutputs = Outbox<RungOutput>;

}  // namespace stoa::work

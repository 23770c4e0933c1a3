// What one parse of AMF may still use up; shared by both versions, since one nests in the other.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtmp/amf.h"

namespace stoa::rtmp {

struct AmfBudget {
  int depth_left;
  std::size_t values_left;
  std::size_t text_bytes_left;

  explicit AmfBudget(const AmfLimits& limits)
      : depth_left(limits.depth_max),
        values_left(limits.values_max),
        text_bytes_left(limits.text_bytes_max) {}

  Result<void, Refusal> take_value() {
    if (values_left == 0) return refuse(Refusal::kAmfTooLarge);
    --values_left;
    return {};
  }
  Result<void, Refusal> take_text(std::size_t bytes) {
    if (bytes > text_bytes_left) return refuse(Refusal::kAmfTooLarge);
    text_bytes_left -= bytes;
    return {};
  }
};

// Lends one level of depth for a scope.
class AmfLevel {
 public:
  explicit AmfLevel(AmfBudget& budget) : budget_(budget) { --budget_.depth_left; }
  ~AmfLevel() { ++budget_.depth_left; }
  AmfLevel(const AmfLevel&) = delete;
  AmfLevel& operator=(const AmfLevel&) = delete;
  bool is_too_deep() const { return budget_.depth_left < 0; }

 private:
  AmfBudget& budget_;
};

// Reads AMF 3 values; the tables of strings and traits last as long as the reader.
class Amf3Reader {
 public:
  Amf3Reader(ByteReader& bytes, AmfBudget& budget) : bytes_(bytes), budget_(budget) {}
  Result<AmfValue, Refusal> value();

 private:
  struct Traits {
    std::vector<std::string> names;
    bool is_dynamic = false;
  };
  Result<std::uint32_t, Refusal> u29();
  Result<std::string, Refusal> string();
  Result<AmfValue, Refusal> body(std::uint8_t marker);
  Result<AmfValue, Refusal> bytes_or_reference(AmfValue::Kind kind);
  Result<AmfValue, Refusal> date();
  Result<AmfValue, Refusal> array();
  Result<AmfValue, Refusal> object();
  Result<AmfValue, Refusal> vector(std::uint8_t marker);
  Result<AmfValue, Refusal> dictionary();
  Result<Traits, Refusal> traits(std::uint32_t header);
  Result<void, Refusal> dynamic_members(AmfValue& into);

  ByteReader& bytes_;
  AmfBudget& budget_;
  std::vector<std::string> strings_;
  std::vector<Traits> traits_;
};

}  // namespace stoa::rtmp

// RTP packets, their header extensions and dependency descriptors. What parses is rewritten in place as a
// forwarder does, made a retransmission and back, and must stay what it was; what a descriptor says must come
// back when it is written again.
#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "proto/rtp/dependency_descriptor.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "proto/rtp/rtx.h"

namespace {

using namespace stoa;
using namespace stoa::rtp;

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void read_values(Bytes value) {
  (void)parse_mid(value);
  (void)parse_rid(value);
  if (auto level = parse_audio_level(value)) STOA_ASSERT(same(write_audio_level(*level), value));
  if (auto number = parse_transport_sequence(value))
    STOA_ASSERT(same(write_transport_sequence(*number), value));
  if (auto ask = parse_transport_sequence_ask(value); ask && ask->asks_now) {
    STOA_ASSERT(same(write_transport_sequence_ask(*ask), value));
  }
  if (auto time = parse_abs_send_time(value)) STOA_ASSERT(same(write_abs_send_time(*time), value));
  if (auto time = parse_abs_capture_time(value))
    STOA_ASSERT(same(write_abs_capture_time(*time).view(), value));
  if (auto turned = parse_video_orientation(value)) {
    STOA_ASSERT(parse_video_orientation(write_video_orientation(*turned)) == turned);
  }
  if (auto delay = parse_playout_delay(value)) STOA_ASSERT(same(write_playout_delay(*delay), value));
}

void read_packet(Bytes bytes) {
  (void)is_rtcp(bytes);
  auto packet = parse(bytes);
  if (!packet) return;
  STOA_ASSERT(packet->header_bytes + packet->payload.size() + packet->padding_bytes == bytes.size());
  ExtensionReader reader(packet->extension);
  std::size_t elements = 0, taken_out = 0;
  IdTable ids{};
  for (std::size_t id = 1; id < ids.size(); id += 2) ids[id] = static_cast<std::uint8_t>(id);
  while (auto element = reader.next()) {
    STOA_ASSERT(element->id != 0 && find_element(packet->extension, element->id));
    read_values(element->value);
    ++(ids[element->id] == 0 ? taken_out : elements);
  }

  Buffer copy(bytes.begin(), bytes.end());
  rename_elements(copy, packet->extension, ids);
  set_ssrc(copy, 1);
  set_sequence(copy, 2);
  set_timestamp(copy, 3);
  auto changed = parse(copy);
  STOA_ASSERT(changed && changed->header.ssrc == 1 && same(changed->payload, packet->payload));
  ExtensionReader again(changed->extension);
  std::size_t left = 0;
  while (again.next()) ++left;
  STOA_ASSERT(left == elements);

  Buffer rtx(bytes.size() + kOriginalSequenceBytes);
  auto size = write_rtx(bytes, {7, 97}, 9, rtx);
  STOA_ASSERT(size && *size == rtx.size());
  auto restored = restore_rtx(rtx, {packet->header.ssrc, packet->header.payload_type});
  STOA_ASSERT(restored && same(*restored, bytes));
}

void read_descriptors(ByteReader& input) {
  std::optional<DependencyStructure> known;
  while (!input.at_end()) {
    Bytes value = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    (void)parse_dependency_start(value);
    auto descriptor = parse_dependency_descriptor(value, known ? &*known : nullptr);
    if (!descriptor) continue;
    auto written = write_dependency_descriptor(*descriptor, known ? &*known : nullptr);
    STOA_ASSERT(written && written->size() <= value.size());
    auto again = parse_dependency_descriptor(*written, known ? &*known : nullptr);
    STOA_ASSERT(again && again->frame == descriptor->frame && again->structure == descriptor->structure &&
                again->active_targets == descriptor->active_targets);
    if (descriptor->structure) known = descriptor->structure;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Bytes rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    read_packet(rest);
  } else {
    ByteReader input(rest);
    read_descriptors(input);
  }
  return 0;
}

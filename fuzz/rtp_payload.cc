// RTP payloads of every encoding, four ways: hostile packets and deadlines for the depacketizer, whose
// limits must hold; frames through the packetizer, which must come back; picture ids, which must stay unique;
// and redundancy, whose parts must be all of it, also for a receiver with another payload type.
#include <algorithm>
#include <map>
#include <optional>

#include "base/assert.h"
#include "media/payload/depacketizer.h"
#include "media/payload/inspect.h"
#include "media/payload/packetizer.h"
#include "media/payload/picture_id.h"
#include "media/payload/red.h"

namespace {

using namespace stoa;
using namespace stoa::payload;

void deliver(Encoding encoding, ByteReader& input) {
  DepacketizerConfig config{.encoding = encoding, .packets_max = 16, .bytes_max = 512};
  config.waits_for_keyframe = input.u8() % 2 == 0;
  Depacketizer depacketizer(config);
  DepacketizerOutputs out;
  Timestamp now;
  std::int64_t sequence = 0, timestamp = 0, settled = INT64_MIN;
  while (!input.at_end()) {
    std::uint8_t action = input.u8();
    now += Duration::milliseconds(action & 0x0f);
    // Mostly the next packet, at times one before or far ahead.
    sequence += action & 0x10 ? static_cast<std::int8_t>(input.u8()) : 1;
    if (action & 0x20) timestamp += static_cast<std::int8_t>(input.u8());
    if ((action & 0xc0) == 0xc0) sequence += 1000;
    Bytes payload = input.take(std::min<std::size_t>(input.u8() & 0x3f, input.remaining()));
    if (depacketizer.next_deadline() <= now) depacketizer.handle_deadline(now, out);
    STOA_ASSERT(depacketizer.next_deadline() > now);
    (void)depacketizer.handle_packet(now, {sequence, timestamp, (action & 0x40) != 0, payload}, out);
    STOA_ASSERT(depacketizer.bytes_held() <= config.bytes_max);
    for (auto& output : out.take()) {
      auto settle = [&](std::int64_t first, std::int64_t last) {
        STOA_ASSERT(first > settled && last >= first);
        settled = last;
      };
      if (auto* frame = std::get_if<FrameReady>(&output)) {
        STOA_ASSERT(!frame->frame.empty());
        settle(frame->first_sequence, frame->last_sequence);
      } else if (auto* lost = std::get_if<FramesLost>(&output)) {
        settle(lost->first_sequence, lost->last_sequence);
      }
    }
  }
}

// What comes back of a frame; empty when there is nothing in it for a receiver.
std::optional<Buffer> send_and_put_together(Encoding encoding, Bytes frame, std::size_t limit) {
  Packetizer packetizer({.encoding = encoding, .payload_bytes_max = limit});
  PayloadList list;
  if (!packetizer.handle_frame(frame, 0, list)) return std::nullopt;
  std::vector<Bytes> payloads;
  for (std::size_t i = 0; i < list.size(); ++i) {
    STOA_ASSERT(list[i].size() <= limit);
    STOA_ASSERT(inspect_payload(encoding, list[i]));
    payloads.push_back(list[i]);
  }
  Buffer back;
  if (payloads.empty()) return back;
  STOA_ASSERT(assemble(encoding, payloads, back));
  return back;
}

void send(Encoding encoding, ByteReader& input) {
  std::size_t limit = 64 + input.u8();
  auto once = send_and_put_together(encoding, input.rest(), limit);
  if (!once || once->empty()) return;
  auto twice = send_and_put_together(encoding, *once, limit);
  STOA_ASSERT(twice == once);
}

void rewrite(ByteReader& input) {
  PictureIdRewriter rewriter;
  std::map<std::int64_t, std::uint16_t> sent;  // Of this source: picture to id.
  std::int64_t picture = 0, newest = 0;
  while (!input.at_end()) {
    std::uint8_t action = input.u8();
    picture = std::max(picture + static_cast<std::int8_t>(input.u8()) / 4, newest - 300);
    newest = std::max(newest, picture);
    SourceIds source{.picture_id = static_cast<std::uint16_t>(picture & 0x7fff)};
    if (action % 16 == 0) {
      rewriter.switch_source();
      sent.clear();
      newest = picture;
    } else if (action % 4 == 1) {
      rewriter.drop(source);
    } else if (auto ids = rewriter.rewrite(source)) {
      auto [found, is_new] = sent.try_emplace(picture, ids->picture_id);
      STOA_ASSERT(found->second == ids->picture_id);
      if (!is_new) continue;
      if (found != sent.begin()) STOA_ASSERT(std::prev(found)->second != ids->picture_id);
      if (auto next = std::next(found); next != sent.end()) STOA_ASSERT(next->second != ids->picture_id);
    }
  }
}

void take_apart(std::uint8_t type, Bytes payload) {
  auto red = parse_red(payload, type & 0x7f);
  if (!red) return;
  STOA_ASSERT(red->earlier_count() < kRedBlocksMax && red->headers.size() <= kRedHeadersBytesMax);
  STOA_ASSERT(red->headers.size() + red->earlier.size() + red->primary.size() == payload.size());
  Buffer rewritten(payload.begin(), payload.end());
  write_red_headers(red->headers, 5, rewritten.data());
  auto again = parse_red(rewritten, 5);
  STOA_ASSERT(again);
  while (red->earlier_count() > 0) {
    const RedBlock one = take_oldest(*red), other = take_oldest(*again);
    STOA_ASSERT(one.timestamp_offset == other.timestamp_offset);
    STOA_ASSERT(std::ranges::equal(one.frame, other.frame));
  }
  STOA_ASSERT(red->earlier.empty() && std::ranges::equal(red->primary, again->primary));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  auto encoding = static_cast<Encoding>(data[0] % kEncodings);
  ByteReader input(Bytes(data + 2, size - 2));
  switch (data[1] % 4) {
    case 0: deliver(encoding, input); break;
    case 1: send(encoding, input); break;
    case 2: rewrite(input); break;
    default: take_apart(data[0], input.rest()); break;
  }
  return 0;
}

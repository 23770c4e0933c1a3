#include "sim/inspector.h"

#include <algorithm>

#include "proto/rtcp/items.h"
#include "proto/rtcp/sequence.h"
#include "proto/rtp/packet.h"
#include "proto/srtp/limits.h"

namespace stoa::sim {
namespace {

constexpr std::size_t kTagBytes = 16;  // Simulated clients want GCM alone.
constexpr std::uint8_t kOpusType = 111, kVp8Type = 96;
constexpr std::int64_t kFirstCycle = 1 << 16;        // So that what is late is not below zero.
constexpr Duration kLateMax = Duration::seconds(5);  // Whoever has little room is sent little at a time.
constexpr std::size_t kRtcpTrailerBytes = kTagBytes + 4;

std::uint64_t key_of(std::uint32_t person, std::uint32_t ssrc) { return std::uint64_t{person} << 32 | ssrc; }

}  // namespace

void Inspector::say(Timestamp now, std::uint32_t person, std::uint32_t ssrc, const std::string& what) {
  faults_.add(now, "to p" + std::to_string(person) + ", SSRC " + std::to_string(ssrc) + ": " + what);
}

void Inspector::add_person(std::uint32_t number, const std::string& room) {
  if (number >= rooms_.size()) rooms_.resize(number + 1);
  rooms_[number] = &*names_.insert(room).first;
}

void Inspector::handle_datagram(Timestamp now, std::uint32_t person, Bytes datagram) {
  ++counts_.datagrams;
  if (datagram.empty() || datagram[0] < 128 || datagram[0] > 191) return;
  if (person == 0) return faults_.add(now, "media to an address that is nobody's");
  if (rtp::is_rtcp(datagram)) return handle_rtcp(now, person, datagram);
  handle_rtp(now, person, datagram);
}

void Inspector::handle_rtcp(Timestamp now, std::uint32_t person, Bytes datagram) {
  ++counts_.rtcp;
  if (datagram.size() < 8 + kRtcpTrailerBytes) return faults_.add(now, "an SRTCP packet too short to be one");
  const std::uint32_t ssrc = rtcp::load_u32(datagram.data() + 4);
  const std::uint32_t index = rtcp::load_u32(datagram.data() + datagram.size() - 4) & 0x7fff'ffff;
  std::uint32_t& next = srtcp_next_[key_of(person, ssrc)];
  if (index < next) say(now, person, ssrc, "SRTCP index " + std::to_string(index) + " used again");
  next = index + 1;
}

bool Inspector::use_index(Timestamp now, std::uint32_t person, std::uint32_t ssrc, Stream& stream,
                          std::int64_t index) {
  auto place = [](std::int64_t number) { return static_cast<std::size_t>(number % kWindow); };
  if (index > stream.highest + kWindow / 2 || index <= stream.highest - kWindow) {
    say(now, person, ssrc, "number " + std::to_string(index) + " after " + std::to_string(stream.highest));
    return false;
  }
  for (std::int64_t i = stream.highest + 1; i <= index; ++i) stream.used.reset(place(i));
  if (stream.used.test(place(index))) {
    say(now, person, ssrc, "SRTP index " + std::to_string(index) + " used again");
    return false;
  }
  stream.used.set(place(index));
  return true;
}

// Where a frame arrived at the node in another order, its first packet may leave behind others.
void Inspector::check_beginning(Timestamp now, std::uint32_t person, std::uint32_t ssrc, Stream& stream,
                                const Stamp& stamp, std::int64_t index) {
  if (!stream.begins) return;
  const Beginning& begins = *stream.begins;
  const bool is_its = stamp.publisher == begins.publisher && stamp.layer == begins.layer;
  if (is_its && stamp.is_keyframe && stamp.packet == 0 && index >= begins.index &&
      index <= begins.index + begins.left_out) {
    stream.begins.reset();
  } else if (now > begins.until) {
    say(now, person, ssrc,
        "a switch to p" + std::to_string(begins.publisher) + ", layer " + std::to_string(begins.layer) +
            ", that did not begin with a keyframe");
    stream.begins.reset();
  }
}

void Inspector::handle_rtp(Timestamp now, std::uint32_t person, Bytes datagram) {
  if (datagram.size() < rtp::kFixedHeaderBytes + kTagBytes)
    return faults_.add(now, "SRTP too short to be it");
  auto packet = rtp::parse(datagram.first(datagram.size() - kTagBytes));
  if (!packet) return faults_.add(now, "RTP that does not read");
  const rtp::Header& header = packet->header;
  const std::uint32_t ssrc = header.ssrc;
  Stream& stream = streams_[key_of(person, ssrc)];
  const bool is_first = stream.highest < 0;
  if (is_first) stream.highest = kFirstCycle + header.sequence - 1;
  const std::int64_t index = rtcp::extend_sequence(stream.highest, header.sequence);
  if (!use_index(now, person, ssrc, stream, index)) return;
  const bool is_newest = index > stream.highest, is_next = index == stream.highest + 1;
  const std::int64_t hole = index - stream.highest - 1;
  stream.highest = std::max(stream.highest, index);

  const bool is_video = header.payload_type == kVp8Type, is_sound = header.payload_type == kOpusType;
  ++(is_video ? counts_.video : is_sound ? counts_.sound : counts_.other_rtp);
  const auto stamp = Stamp::read(packet->payload);
  if (stamp) {
    const std::string *from = room_of(stamp->publisher), *to = room_of(person);
    if (from == nullptr || from != to || stamp->publisher == person)
      say(now, person, ssrc, "media of p" + std::to_string(stamp->publisher) + ", who is no peer of it");
    if (!is_sound && !stamp->is_video) say(now, person, ssrc, "sound in a stream of pictures");
  }
  if (!is_video && !is_sound) {
    if (!is_next) say(now, person, ssrc, "a hole among what is sent again");
    return;
  }
  if (stamp && is_video) check_beginning(now, person, ssrc, stream, *stamp, index);
  if (!is_newest) return;
  if (!is_first && static_cast<std::int32_t>(header.timestamp - stream.timestamp) < 0)
    say(now, person, ssrc, "timestamp goes back");
  stream.timestamp = header.timestamp;
  if (!stamp) {
    if (!is_next) say(now, person, ssrc, "a hole before what has no stamp");
    return;
  }
  const auto offset = static_cast<std::uint16_t>(header.sequence - stamp->sequence);
  const bool is_other =
      !stream.has_stamp || stamp->publisher != stream.stamp.publisher || stamp->layer != stream.stamp.layer;
  if (is_other || offset != stream.offset) {
    // One number is left out where a frame stays half sent.
    const std::int64_t left_out = is_video && !stream.ends_frame ? 1 : 0;
    if (is_video) {
      counts_.switches += is_other;
      stream.begins = Beginning{now + kLateMax, stamp->publisher, stamp->layer,
                                index - hole - (is_first ? kWindow : 0), left_out + (is_first ? kWindow : 0)};
      check_beginning(now, person, ssrc, stream, *stamp, index);
    } else if (hole > 0) {
      say(now, person, ssrc, "a hole of " + std::to_string(hole) + " that its source does not have");
    }
  }
  if (is_video) {
    if (packet->payload.size() > 4) {
      const auto id = static_cast<std::uint16_t>((packet->payload[2] & 0x7f) << 8 | packet->payload[3]);
      if (stream.has_stamp && ((id - stream.picture_id) & 0x7fff) >= 0x4000)
        say(now, person, ssrc, "picture id goes back");
      stream.picture_id = id;
    }
  }
  stream.has_stamp = true;
  stream.stamp = *stamp;
  stream.offset = offset;
  stream.ends_frame = header.marker;
}

}  // namespace stoa::sim

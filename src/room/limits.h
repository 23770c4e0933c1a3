// Every limit of a room. What is over one is refused, with the reason that the command names.
#pragma once

#include <cstddef>

#include "base/time.h"

namespace stoa::room {

inline constexpr std::size_t kNameCharactersMax = 128;  // Of a room: any printable text without '/'.
inline constexpr std::size_t kIdentityBytesMax = 256;
inline constexpr std::size_t kDisplayNameBytesMax = 256;
inline constexpr std::size_t kMetadataBytesMax = 64u << 10;    // Of a room, of a participant.
inline constexpr std::size_t kAttributesBytesMax = 64u << 10;  // Names and values of one participant.
inline constexpr std::size_t kAttributesMax = 256;
inline constexpr std::size_t kTrackNameBytesMax = 256;
inline constexpr std::size_t kTracksMax = 16;  // Of one participant, announced ones included.
inline constexpr std::size_t kLayersMax = 4;
inline constexpr std::size_t kCodecsMax = 2;
inline constexpr std::size_t kShortTextBytesMax = 256;       // Cids, mids, streams, mime types, rids, sids.
inline constexpr std::size_t kFeaturesMax = 32;              // Each list of numbers of a track, participant.
inline constexpr std::size_t kDestinationsMax = 1'000;       // Of one data packet.
inline constexpr std::size_t kDataBytesMax = 256u << 10;     // Of one data packet.
inline constexpr std::size_t kTrackPermissionsMax = 1'000;   // Of one participant, and tracks in all of them.
inline constexpr std::size_t kUnknownSubscriptionsMax = 64;  // To tracks that are not there yet.
inline constexpr std::size_t kForwardsMax = 8;               // Rooms that one participant is shown in.
inline constexpr std::size_t kGoneMax = 256;  // Who left, for those whose signalling was away …
inline constexpr Duration kGoneFor = Duration::seconds(300);        // … kept for so long.
inline constexpr Duration kAudibleFor = Duration::seconds(2);       // After it was among the loudest.
inline constexpr Duration kQualityInterval = Duration::seconds(1);  // Between QualityChanged.

struct Limits {
  std::size_t participants_max = 5'000;
  std::size_t publishers_max = 1'000;
  // Over so many participants others are told only of those who publish (room.h): joining must not cost the
  // square.
  std::size_t presence_max = 500;
  // Of these, the loudest, packets are passed on when more speak.
  std::size_t loudest_max = 12;
  // A seat's shard takes so many of a room before the next is used.
  std::size_t seats_per_shard = 100;
  Duration join_timeout = Duration::seconds(60);  // To become active.
  Duration speaker_interval = Duration::milliseconds(400);
  Duration room_update_interval = Duration::seconds(5);
};

}  // namespace stoa::room

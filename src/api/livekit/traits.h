// What a client can take, by the protocol number that it gave when it joined.
#pragma once

#include <cstdint>

namespace stoa::livekit {

struct ClientTraits {
  // The oldest and newest that clients in use speak; others are served as far as that goes.
  static constexpr std::int32_t kOldest = 9, kNewest = 17;

  std::int32_t protocol = kNewest;

  bool is_subscriber_primary() const { return protocol >= 3; }
  bool takes_media_in_first_offer() const { return protocol >= 8; }
  bool takes_departed_participants() const { return protocol >= 9; }  // In an answer to a resume.
  bool knows_streams() const { return protocol >= 10; }               // Tracks of one stream in step.
  bool takes_unknown_messages() const { return protocol >= 10; }      // Older ones stumble over later ones.
  bool knows_lost_quality() const { return protocol >= 11; }
  bool knows_leave_action() const { return protocol >= 13; }
  bool takes_fast_publish() const { return protocol >= 14; }
  bool wants_ok_responses() const { return protocol >= 15; }  // RequestResponse that tells of success.
  bool can_be_moved() const { return protocol >= 16; }
};

}  // namespace stoa::livekit

// Every text that stands for a value of an enumeration.
#include <iterator>

#include "api/livekit/convert.h"
#include "api/livekit/data_packet.h"
#include "api/livekit/signal.h"
#include "api/livekit/twirp.h"
#include "api/livekit/webhook.h"

namespace stoa::livekit {
namespace {

struct TwirpCodeRow {
  const char* name;
  int status;
};
// By TwirpCode.
constexpr TwirpCodeRow kTwirpCodes[] = {
    {"invalid_argument", 400}, {"malformed", 400},          {"not_found", 404},
    {"bad_route", 404},        {"already_exists", 409},     {"permission_denied", 403},
    {"unauthenticated", 401},  {"resource_exhausted", 429}, {"failed_precondition", 412},
    {"aborted", 409},          {"deadline_exceeded", 408},  {"canceled", 408},
    {"unimplemented", 501},    {"internal", 500},           {"unavailable", 503},
};
static_assert(std::size(kTwirpCodes) == static_cast<std::size_t>(TwirpCode::kUnavailable) + 1);

}  // namespace

const char* name_of(TwirpCode code) { return kTwirpCodes[static_cast<std::size_t>(code)].name; }
int status_of(TwirpCode code) { return kTwirpCodes[static_cast<std::size_t>(code)].status; }

const char* name_of(SignalRefusal refusal) {
  switch (refusal) {
    case SignalRefusal::kTooLong: return "too_long";
    case SignalRefusal::kMalformed: return "malformed";
  }
  return "unknown";
}

const char* name_of(DataRefusal refusal) {
  switch (refusal) {
    case DataRefusal::kTooLong: return "too_long";
    case DataRefusal::kMalformed: return "malformed";
    case DataRefusal::kTooManyDestinations: return "too_many_destinations";
    case DataRefusal::kNotAllowed: return "not_allowed";
    case DataRefusal::kForeignVoice: return "foreign_voice";
    case DataRefusal::kNotRelayed: return "not_relayed";
  }
  return "unknown";
}

const char* event_name_of(room::Happening what) {
  switch (what) {
    case room::Happening::kRoomStarted: return "room_started";
    case room::Happening::kRoomFinished: return "room_finished";
    case room::Happening::kParticipantJoined: return "participant_joined";
    case room::Happening::kParticipantLeft: return "participant_left";
    case room::Happening::kParticipantAborted: return "participant_connection_aborted";
    case room::Happening::kTrackPublished: return "track_published";
    case room::Happening::kTrackUnpublished: return "track_unpublished";
  }
  return "unknown";
}

}  // namespace stoa::livekit

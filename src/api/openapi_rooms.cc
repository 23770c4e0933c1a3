#include "api/openapi_rooms.h"

#include <boost/json.hpp>
#include <string_view>

#include "base/assert.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchemas = R"json({
"Room": {"type": "object", "additionalProperties": false,
  "required": ["name", "sid", "created_at", "participants", "publishers", "recording"], "properties": {
    "name": {"type": "string"},
    "sid": {"type": "string"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "participants": {"type": "integer", "minimum": 0, "description": "Without hidden ones."},
    "publishers": {"type": "integer", "minimum": 0},
    "recording": {"type": "boolean"}}},
"RoomPage": {"type": "object", "additionalProperties": false, "required": ["rooms", "next"], "properties": {
    "rooms": {"type": "array", "items": {"$ref": "#/components/schemas/Room"}},
    "next": {"type": ["string", "null"], "description": "To be given as `after`; null on the last page."}}},
"Client": {"type": "object", "additionalProperties": false, "required": ["sdk", "version", "os", "browser"],
  "description": "The client program, as it says itself.", "properties": {
    "sdk": {"type": ["string", "null"], "description": "For example js, swift, android, rust, node."},
    "version": {"type": ["string", "null"]},
    "os": {"type": ["string", "null"]},
    "browser": {"type": ["string", "null"]}}},
"ConnectionQuality": {"type": ["string", "null"], "enum": ["excellent", "good", "poor", "lost", null],
  "description": "excellent from a MOS of 4.1 on, good from 3.1; null while no media flows."},
"Mos": {"type": ["number", "null"], "minimum": 1, "maximum": 4.5,
  "description": "Mean opinion score, estimated (E-model, ITU-T G.107). Of a connection: of its worst stream."},
"Transport": {"type": ["string", "null"], "enum": ["udp", "tcp", null], "description": "null: no path yet."},
"Participant": {"type": "object", "additionalProperties": false,
  "required": ["identity", "sid", "name", "state", "kind", "joined_at", "hidden", "published", "quality", "mos",
    "transport", "client"],
  "properties": {
    "identity": {"type": "string"},
    "sid": {"type": "string"},
    "name": {"type": "string"},
    "state": {"type": "string", "enum": ["joining", "joined", "active", "disconnected"]},
    "kind": {"type": "string", "enum": ["standard", "ingress", "egress", "sip", "agent", "connector"]},
    "joined_at": {"$ref": "#/components/schemas/Time"},
    "hidden": {"type": "boolean", "description": "Others are not told of it. Listed only for the scope rooms."},
    "published": {"type": "integer", "minimum": 0, "description": "Tracks that others can subscribe to."},
    "quality": {"$ref": "#/components/schemas/ConnectionQuality"},
    "mos": {"$ref": "#/components/schemas/Mos"},
    "transport": {"$ref": "#/components/schemas/Transport"},
    "client": {"oneOf": [{"$ref": "#/components/schemas/Client"}, {"type": "null"}],
      "description": "null: its connection is not in this room, but forwarded from another."}}},
"ParticipantPage": {"type": "object", "additionalProperties": false, "required": ["participants", "next"],
  "properties": {
    "participants": {"type": "array", "items": {"$ref": "#/components/schemas/Participant"}},
    "next": {"type": ["string", "null"], "description": "To be given as `after`; null on the last page."}}},
"StreamScore": {"type": ["object", "null"], "additionalProperties": false,
  "description": "What the score of a stream was made of when it was measured last; null: not measured.",
  "required": ["mos", "delay_impairment", "loss_impairment", "loss", "redundant", "jitter_ms", "round_trip_ms"],
  "properties": {
    "mos": {"$ref": "#/components/schemas/Mos"},
    "delay_impairment": {"type": "number", "minimum": 0, "description": "Id of the E-model; sound alone."},
    "loss_impairment": {"type": "number", "minimum": 0, "description": "Ie of the E-model."},
    "loss": {"type": "number", "minimum": 0, "maximum": 1},
    "redundant": {"type": "boolean", "description": "Most packets carry the one before, too: loss counts squared."},
    "jitter_ms": {"type": "number", "minimum": 0},
    "round_trip_ms": {"type": "number", "minimum": 0, "description": "0 when it is not known."}}},
"ReceivedLayer": {"type": "object", "additionalProperties": false,
  "required": ["quality", "width", "height", "active", "interval_ms", "bitrate_bps", "frame_rate", "loss",
    "packets", "bytes", "frames", "packets_lost", "jitter_ms", "nacks", "plis"],
  "properties": {
    "quality": {"$ref": "#/components/schemas/LayerQuality"},
    "width": {"type": ["integer", "null"], "description": "As announced."},
    "height": {"type": ["integer", "null"], "description": "As announced."},
    "active": {"type": "boolean", "description": "Packets come."},
    "interval_ms": {"$ref": "#/components/schemas/Interval"},
    "bitrate_bps": {"$ref": "#/components/schemas/Bitrate"},
    "frame_rate": {"type": ["number", "null"], "description": "Frames per second in the interval; video."},
    "loss": {"type": ["number", "null"], "minimum": 0, "maximum": 1,
      "description": "Share of packets lost in the interval, before repair."},
    "packets": {"type": "integer", "minimum": 0, "description": "That came, repairs too."},
    "bytes": {"type": "integer", "minimum": 0, "description": "Of these, with RTP headers."},
    "frames": {"type": ["integer", "null"], "description": "Video."},
    "packets_lost": {"type": "integer", "minimum": 0, "description": "Before repair."},
    "jitter_ms": {"type": "number", "minimum": 0},
    "nacks": {"type": "integer", "minimum": 0, "description": "Packets that the publisher was asked for again."},
    "plis": {"type": "integer", "minimum": 0, "description": "Keyframes that it was asked for."}}},
"LayerQuality": {"type": ["string", "null"], "enum": ["low", "medium", "high", "off", null],
  "description": "As the publisher announced the layer; null for sound, and where it announced none."},
"Interval": {"type": ["number", "null"], "minimum": 0,
  "description": "What rates are of: it ends now. null: in a stream's first moments there are none."},
"Bitrate": {"type": ["integer", "null"], "minimum": 0, "description": "Bits per second in the interval."},
"PublishedTrack": {"type": "object", "additionalProperties": false,
  "required": ["track", "kind", "source", "codec", "muted", "layers", "score"], "properties": {
    "track": {"type": "string", "description": "Its sid."},
    "kind": {"type": "string", "enum": ["audio", "video"]},
    "source": {"$ref": "#/components/schemas/TrackSource"},
    "codec": {"type": ["string", "null"], "description": "For example VP8, opus. One entry for each codec."},
    "muted": {"type": "boolean"},
    "layers": {"type": "array", "items": {"$ref": "#/components/schemas/ReceivedLayer"},
      "description": "From the smallest. Sound has one."},
    "score": {"$ref": "#/components/schemas/StreamScore"}}},
"TrackSource": {"type": "string",
  "enum": ["unknown", "camera", "microphone", "screen_share", "screen_share_audio"]},
"SentTrack": {"type": "object", "additionalProperties": false,
  "required": ["track", "publisher", "publisher_sid", "kind", "source", "codec", "flowing", "paused", "layer",
    "quality", "width", "height", "interval_ms", "bitrate_bps", "packets", "bytes", "packets_retransmitted",
    "packets_nacked", "plis", "loss", "jitter_ms", "round_trip_ms", "estimate_bps", "score"],
  "properties": {
    "track": {"type": "string", "description": "Its sid."},
    "publisher": {"type": "string", "description": "Identity."},
    "publisher_sid": {"type": "string"},
    "kind": {"type": "string", "enum": ["audio", "video"]},
    "source": {"$ref": "#/components/schemas/TrackSource"},
    "codec": {"type": ["string", "null"], "description": "null: not negotiated (yet)."},
    "flowing": {"type": "boolean", "description": "It is wanted, and there is something to send."},
    "paused": {"type": "boolean", "description": "Held back: there is no room for it on the way to the client."},
    "layer": {"type": ["integer", "null"], "minimum": 0, "description": "Which is sent; 0 is the smallest."},
    "quality": {"$ref": "#/components/schemas/LayerQuality"},
    "width": {"type": ["integer", "null"], "description": "Of the layer, as announced."},
    "height": {"type": ["integer", "null"]},
    "interval_ms": {"$ref": "#/components/schemas/Interval"},
    "bitrate_bps": {"$ref": "#/components/schemas/Bitrate"},
    "packets": {"type": "integer", "minimum": 0, "description": "Repairs apart."},
    "bytes": {"type": "integer", "minimum": 0, "description": "Of payload in these."},
    "packets_retransmitted": {"type": "integer", "minimum": 0},
    "packets_nacked": {"type": "integer", "minimum": 0, "description": "That it asked for again."},
    "plis": {"type": "integer", "minimum": 0, "description": "Keyframes that it asked for."},
    "loss": {"type": "number", "minimum": 0, "maximum": 1, "description": "Of its last report."},
    "jitter_ms": {"type": "number", "minimum": 0, "description": "Of its last report."},
    "round_trip_ms": {"type": ["number", "null"], "minimum": 0},
    "estimate_bps": {"type": ["integer", "null"], "minimum": 0,
      "description": "What it thinks that its line carries (REMB); null: it does not say."},
    "score": {"$ref": "#/components/schemas/StreamScore"}}},
"ConnectionPath": {"type": "object", "additionalProperties": false,
  "required": ["carries", "transport", "address", "round_trip_ms"], "properties": {
    "carries": {"type": "string", "enum": ["both", "published", "sent"],
      "description": "What the participant publishes, what it is sent, or both."},
    "transport": {"$ref": "#/components/schemas/Transport"},
    "address": {"type": "string", "description": "The participant's, with port."},
    "round_trip_ms": {"type": ["number", "null"], "minimum": 0}}},
"ParticipantConnection": {"type": "object", "additionalProperties": false,
  "required": ["quality", "mos", "transport", "round_trip_ms", "paths"], "properties": {
    "quality": {"$ref": "#/components/schemas/ConnectionQuality"},
    "mos": {"$ref": "#/components/schemas/Mos"},
    "transport": {"$ref": "#/components/schemas/Transport"},
    "round_trip_ms": {"type": ["number", "null"], "minimum": 0, "description": "null: not known yet."},
    "paths": {"type": "array", "items": {"$ref": "#/components/schemas/ConnectionPath"},
      "description": "One for each peer connection that is there: clients of the older generation have two."}}},
"ParticipantStatistics": {"type": "object", "additionalProperties": false,
  "required": ["room", "identity", "sid", "at", "client", "connection", "published", "sent"], "properties": {
    "room": {"type": "string"},
    "identity": {"type": "string"},
    "sid": {"type": "string"},
    "at": {"$ref": "#/components/schemas/Time"},
    "client": {"$ref": "#/components/schemas/Client"},
    "connection": {"$ref": "#/components/schemas/ParticipantConnection"},
    "published": {"type": "array", "items": {"$ref": "#/components/schemas/PublishedTrack"}},
    "sent": {"type": "array", "items": {"$ref": "#/components/schemas/SentTrack"}}}}
})json";

}  // namespace

void add_room_schemas(json::object& schemas) {
  boost::system::error_code error;
  json::value ours = json::parse(kSchemas, error);
  STOA_ASSERT(!error);
  for (auto& [name, schema] : ours.as_object()) schemas[name] = std::move(schema);
}

}  // namespace stoa::api

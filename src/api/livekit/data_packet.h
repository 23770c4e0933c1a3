// A DataPacket of a data channel on its way through: who may send it, who gets it, and who it is from.
// Payloads are passed on unread. What does not parse is refused here, since some clients fall over it.
//
// Receivers are told the sender by the server alone: whatever the packet says of it is overwritten, except
// where agents speak for others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/wire.h"
#include "base/bytes.h"
#include "base/result.h"
#include "room/events.h"
#include "room/info.h"

namespace stoa::livekit {

inline constexpr std::size_t kDataPacketBytesMax = 64'000;  // Clients hold it, too.
// The identity under which the server itself calls a participant (PerformRpc): answers are sent to it.
inline constexpr const char* kServerIdentity = "stoa-server";

enum class DataRefusal : std::uint8_t {
  kTooLong,
  kMalformed,
  kTooManyDestinations,  // room::kDestinationsMax
  kNotAllowed,           // No leave to send data …
  kForeignVoice,         // … or this kind, which only agents or only servers send.
  kNotRelayed,           // Metrics: clients send them unasked.
};
const char* name_of(DataRefusal refusal);

// `sequence`: of reliable packets, counting from 1; 0: not numbered.
Result<pb::DataPacket, DataRefusal> parse_data_packet(Bytes packet);
// All data needs can_publish_data. Transcriptions come from agents, speaker updates from servers.
Result<void, DataRefusal> check_sender(const pb::DataPacket& packet, const room::ParticipantInfo& sender);
// Stamped with sender's sid and identity. The identity of an agent's packet stays where it speaks as another:
// chat, transcriptions, streams. Destinations are identities only: `sids`, gets those that the packet names
// by sid, which is the older way.
room::SendData to_send_data(pb::DataPacket packet, const room::ParticipantInfo& sender, bool is_reliable,
                            std::vector<std::string>& sids);

// From the server itself, with the destinations asked for.
room::SendData make_user_packet(const pb::SendDataRequest& request);
// A call of a client's method; see parse_rpc_reply().
inline constexpr std::uint32_t kRpcTimeoutMsDefault = 10'000;
inline constexpr const char* kServerRpcPrefix = "RPC_";  // Of the ids of such calls.
room::SendData make_rpc_request(std::string_view id, const pb::PerformRpcRequest& request);

// Whether a packet answers a call of the server's (PerformRpc): `id` is known to whoever asked.
struct RpcReply {
  std::string id;
  bool is_ack = false;  // It was heard; the answer is still to come.
  std::string payload;
  std::optional<pb::RpcError> error;
};
std::optional<RpcReply> parse_rpc_reply(const pb::DataPacket& packet);

}  // namespace stoa::livekit

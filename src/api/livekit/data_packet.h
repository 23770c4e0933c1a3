// A DataPacket of a data channel on its way through: looked into only as far as a server must, to know who
// may send it and who gets it, and stamped with who sent it. Payloads are never read.
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

inline constexpr std::size_t kDataPacketBytesMax = 64'000;  // As clients hold it too.
inline constexpr std::size_t kDataDestinationsMax = 1'000;  // room::kDestinationsMax

enum class DataRefusal : std::uint8_t {
  kTooLong,
  kMalformed,
  kTooManyDestinations,
  kNotAllowed,    // No leave to send data …
  kForeignVoice,  // … or this kind, which only agents or only servers send.
};
const char* name_of(DataRefusal refusal);

// Views into the packet that it was read from.
struct DataPacketHead {
  // Which of DataPacket's values it carries, by field number.
  pb::DataPacket::ValueCase value = pb::DataPacket::VALUE_NOT_SET;
  std::string_view identity;  // Whom it says that it is from.
  std::vector<std::string_view> destination_identities, destination_sids;
  std::uint32_t sequence = 0;  // Of reliable ones, counting from 1; 0: not numbered.
  Bytes packet;
};
Result<DataPacketHead, DataRefusal> parse_data_packet(Bytes packet);

// Who may send what: data needs can_publish_data. Transcriptions come from agents, speaker updates from
// servers, and remote calls' answers from anybody. `kind` kAgent and Permissions::is_agent both make an
// agent.
Result<void, DataRefusal> check_sender(const DataPacketHead& head, const room::ParticipantInfo& sender);

// The packet as receivers get it: sender's sid and identity set, all else as it was. An agent's identity
// stays where it speaks as another: chat, transcriptions, streams.
SharedBytes stamp(const DataPacketHead& head, const room::ParticipantInfo& sender);
// The same for the room: destinations named by sid are left to the caller (`destination_sids`).
room::SendData to_send_data(const DataPacketHead& head, const room::ParticipantInfo& sender,
                            bool is_reliable);

// From the server itself.
SharedBytes make_user_packet(const pb::SendDataRequest& request);
SharedBytes make_rpc_request(std::string_view id, const pb::PerformRpcRequest& request);

// Whether a packet answers a call of the server's (PerformRpc): `id` is known to whoever asked.
struct RpcReply {
  std::string id;
  bool is_ack = false;  // It was heard; the answer is still to come.
  std::string payload;
  std::optional<pb::RpcError> error;
};
std::optional<RpcReply> parse_rpc_reply(const DataPacketHead& head);

}  // namespace stoa::livekit

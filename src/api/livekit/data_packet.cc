#include "api/livekit/data_packet.h"

#include <google/protobuf/unknown_field_set.h>

#include "room/limits.h"

namespace stoa::livekit {
namespace {

constexpr int kMetricsField = 8;  // DataPacket.metrics, which models.proto leaves out.

bool has_unknown_field(const pb::DataPacket& packet, int number) {
  const google::protobuf::UnknownFieldSet& fields = packet.GetReflection()->GetUnknownFields(packet);
  for (int i = 0; i < fields.field_count(); ++i)
    if (fields.field(i).number() == number) return true;
  return false;
}

// What an agent may say as another participant.
bool is_speech(pb::DataPacket::ValueCase value) {
  switch (value) {
    case pb::DataPacket::kTranscription:
    case pb::DataPacket::kChatMessage:
    case pb::DataPacket::kStreamHeader:
    case pb::DataPacket::kStreamChunk:
    case pb::DataPacket::kStreamTrailer: return true;
    default: return false;
  }
}

bool is_agent(const room::ParticipantInfo& participant) {
  return participant.kind == room::ParticipantKind::kAgent || participant.permissions.is_agent;
}

}  // namespace

Result<pb::DataPacket, DataRefusal> parse_data_packet(Bytes bytes) {
  if (bytes.size() > kDataPacketBytesMax) return refuse(DataRefusal::kTooLong);
  pb::DataPacket packet;
  if (!packet.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return refuse(DataRefusal::kMalformed);
  int destinations = packet.destination_identities_size() + packet.user().destination_identities_size() +
                     packet.user().destination_sids_size();
  if (static_cast<std::size_t>(destinations) > room::kDestinationsMax)
    return refuse(DataRefusal::kTooManyDestinations);
  return packet;
}

Result<void, DataRefusal> check_sender(const pb::DataPacket& packet, const room::ParticipantInfo& sender) {
  if (!sender.permissions.can_publish_data) return refuse(DataRefusal::kNotAllowed);
  if (packet.value_case() == pb::DataPacket::kSpeaker) return refuse(DataRefusal::kForeignVoice);
  if (packet.value_case() == pb::DataPacket::kTranscription && !is_agent(sender))
    return refuse(DataRefusal::kForeignVoice);
  if (has_unknown_field(packet, kMetricsField)) return refuse(DataRefusal::kNotRelayed);
  return {};
}

room::SendData to_send_data(pb::DataPacket packet, const room::ParticipantInfo& sender, bool is_reliable,
                            std::vector<std::string>& sids) {
  bool speaks_as_another =
      is_agent(sender) && is_speech(packet.value_case()) && !packet.participant_identity().empty();
  if (!speaks_as_another) packet.set_participant_identity(sender.identity);
  packet.set_participant_sid(sender.sid);
  packet.set_kind(is_reliable ? pb::DataPacket::RELIABLE : pb::DataPacket::LOSSY);
  room::SendData data;
  data.is_reliable = is_reliable;
  data.identities.assign(packet.destination_identities().begin(), packet.destination_identities().end());
  sids.clear();
  if (packet.has_user()) {
    // Where older clients look.
    pb::UserPacket& user = *packet.mutable_user();
    user.set_participant_sid(sender.sid);
    user.set_participant_identity(sender.identity);
    if (data.identities.empty())
      data.identities.assign(user.destination_identities().begin(), user.destination_identities().end());
    sids.assign(user.destination_sids().begin(), user.destination_sids().end());
  }
  data.payload = SharedBytes(packet.SerializeAsString());
  return data;
}

room::SendData make_user_packet(const pb::SendDataRequest& request) {
  pb::DataPacket packet;
  packet.set_kind(request.kind());
  *packet.mutable_destination_identities() = request.destination_identities();
  pb::UserPacket& user = *packet.mutable_user();
  user.set_payload(request.data());
  user.set_nonce(request.nonce());
  if (request.has_topic()) user.set_topic(request.topic());
  *user.mutable_destination_sids() = request.destination_sids();
  *user.mutable_destination_identities() = request.destination_identities();
  room::SendData data;
  data.is_reliable = request.kind() != pb::DataPacket::LOSSY;
  data.identities.assign(request.destination_identities().begin(), request.destination_identities().end());
  data.payload = SharedBytes(packet.SerializeAsString());
  return data;
}

room::SendData make_rpc_request(std::string_view id, const pb::PerformRpcRequest& request) {
  pb::DataPacket packet;
  packet.set_kind(pb::DataPacket::RELIABLE);
  packet.set_participant_identity(kServerIdentity);
  packet.add_destination_identities(request.destination_identity());
  pb::RpcRequest& call = *packet.mutable_rpc_request();
  call.set_id(std::string(id));
  call.set_method(request.method());
  call.set_payload(request.payload());
  call.set_response_timeout_ms(request.response_timeout_ms() > 0 ? request.response_timeout_ms()
                                                                 : kRpcTimeoutMsDefault);
  call.set_version(1);
  room::SendData data;
  data.identities = {request.destination_identity()};
  data.payload = SharedBytes(packet.SerializeAsString());
  return data;
}

std::optional<RpcReply> parse_rpc_reply(const pb::DataPacket& packet) {
  RpcReply reply;
  if (packet.has_rpc_ack()) {
    reply.id = packet.rpc_ack().request_id();
    reply.is_ack = true;
    return reply;
  }
  if (!packet.has_rpc_response()) return std::nullopt;
  reply.id = packet.rpc_response().request_id();
  reply.payload = packet.rpc_response().payload();
  if (packet.rpc_response().has_error()) reply.error = packet.rpc_response().error();
  return reply;
}

}  // namespace stoa::livekit

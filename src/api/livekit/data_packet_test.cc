#include "api/livekit/data_packet.h"

#include <gtest/gtest.h>

#include "api/livekit/test_vectors.h"
#include "crypto/text.h"
#include "room/limits.h"

namespace stoa::livekit {
namespace {

pb::DataPacket packet_of(const char* hex) {
  auto packet = parse_data_packet(*crypto::parse_hex(hex));
  EXPECT_TRUE(packet);
  return *packet;
}

room::ParticipantInfo sender(room::ParticipantKind kind = room::ParticipantKind::kStandard) {
  room::ParticipantInfo sender;
  sender.sid = "PA_real";
  sender.identity = "real";
  sender.kind = kind;
  return sender;
}

struct Sent {
  room::SendData data;
  std::vector<std::string> sids;
  pb::DataPacket packet;
};
Sent send(const char* hex, const room::ParticipantInfo& from, bool is_reliable = true) {
  Sent sent;
  sent.data = to_send_data(packet_of(hex), from, is_reliable, sent.sids);
  EXPECT_TRUE(
      sent.packet.ParseFromArray(sent.data.payload.data(), static_cast<int>(sent.data.payload.size())));
  return sent;
}

TEST(DataPacket, is_stamped_with_its_sender_whatever_it_says) {
  Sent sent = send(vectors::kDataUser, sender());
  EXPECT_EQ(sent.packet.participant_identity(), "real");
  EXPECT_EQ(sent.packet.participant_sid(), "PA_real");
  EXPECT_EQ(sent.packet.user().participant_identity(), "real");
  EXPECT_EQ(sent.packet.user().participant_sid(), "PA_real");
  EXPECT_EQ(sent.packet.user().payload(), "hi");
  EXPECT_EQ(sent.packet.user().topic(), "t");
  EXPECT_EQ(sent.packet.sequence(), 5u);
}

TEST(DataPacket, goes_to_those_it_names) {
  Sent sent = send(vectors::kDataUser, sender());
  EXPECT_EQ(sent.data.identities, (std::vector<std::string>{"bo", "cy"}));
  EXPECT_EQ(sent.sids, std::vector<std::string>{"PA_old"});
  Sent chat = send(vectors::kDataChat, sender());
  EXPECT_TRUE(chat.data.identities.empty());
  EXPECT_TRUE(chat.sids.empty());
  pb::DataPacket old;
  old.mutable_user()->add_destination_identities("bo");
  std::vector<std::string> sids;
  EXPECT_EQ(to_send_data(old, sender(), true, sids).identities, std::vector<std::string>{"bo"});
}

TEST(DataPacket, says_the_kind_of_the_channel_that_it_came_on) {
  Sent lossy = send(vectors::kDataUser, sender(), false);
  EXPECT_FALSE(lossy.data.is_reliable);
  EXPECT_EQ(lossy.packet.kind(), pb::DataPacket::LOSSY);
}

TEST(DataPacket, of_an_agent_may_speak_for_another_but_only_speak) {
  room::ParticipantInfo agent = sender(room::ParticipantKind::kAgent);
  EXPECT_EQ(send(vectors::kDataChat, agent).packet.participant_identity(), "anna");
  EXPECT_EQ(send(vectors::kDataChat, agent).packet.participant_sid(), "PA_real");
  EXPECT_EQ(send(vectors::kDataTranscription, agent).packet.participant_identity(), "anna");
  EXPECT_EQ(send(vectors::kDataStream, agent).packet.participant_identity(), "real");  // Named nobody.
  EXPECT_EQ(send(vectors::kDataUser, agent).packet.participant_identity(), "real");
  EXPECT_EQ(send(vectors::kDataChat, sender()).packet.participant_identity(), "real");
  room::ParticipantInfo by_grant = sender();
  by_grant.permissions.is_agent = true;
  EXPECT_EQ(send(vectors::kDataChat, by_grant).packet.participant_identity(), "anna");
}

TEST(DataPacket, needs_leave_to_be_sent) {
  room::ParticipantInfo mute = sender();
  mute.permissions.can_publish_data = false;
  EXPECT_EQ(check_sender(packet_of(vectors::kDataUser), mute).error(), DataRefusal::kNotAllowed);
  EXPECT_TRUE(check_sender(packet_of(vectors::kDataUser), sender()));
  EXPECT_TRUE(check_sender(packet_of(vectors::kDataStream), sender()));
  EXPECT_TRUE(check_sender(packet_of(vectors::kDataRpcAck), sender()));
}

TEST(DataPacket, of_transcriptions_comes_from_agents_and_of_speakers_from_nobody) {
  room::ParticipantInfo agent = sender(room::ParticipantKind::kAgent);
  EXPECT_EQ(check_sender(packet_of(vectors::kDataTranscription), sender()).error(),
            DataRefusal::kForeignVoice);
  EXPECT_TRUE(check_sender(packet_of(vectors::kDataTranscription), agent));
  EXPECT_EQ(check_sender(packet_of(vectors::kDataSpeaker), agent).error(), DataRefusal::kForeignVoice);
  EXPECT_EQ(check_sender(packet_of(vectors::kDataMetrics), agent).error(), DataRefusal::kNotRelayed);
}

TEST(DataPacket, keeps_what_is_not_known_here) {
  Sent sent = send("c23e03616263", sender());  // Field 1000.
  EXPECT_TRUE(check_sender(sent.packet, sender()));
  std::string hex = crypto::write_hex(sent.data.payload.bytes());
  EXPECT_NE(hex.find("c23e03616263"), std::string::npos) << hex;
}

TEST(DataPacket, is_refused_when_malformed_or_over_a_limit) {
  EXPECT_EQ(parse_data_packet(*crypto::parse_hex("12ff")).error(), DataRefusal::kMalformed);
  EXPECT_EQ(parse_data_packet(*crypto::parse_hex("2202c328")).error(), DataRefusal::kMalformed);  // No UTF-8.
  EXPECT_EQ(parse_data_packet(Buffer(kDataPacketBytesMax + 1)).error(), DataRefusal::kTooLong);
  pb::DataPacket packet;
  for (std::size_t i = 0; i < room::kDestinationsMax; ++i) packet.add_destination_identities("b");
  EXPECT_TRUE(parse_data_packet(as_bytes(packet.SerializeAsString())));
  packet.mutable_user()->add_destination_sids("PA_1");
  EXPECT_EQ(parse_data_packet(as_bytes(packet.SerializeAsString())).error(),
            DataRefusal::kTooManyDestinations);
}

TEST(DataPacket, from_the_server_has_no_sender) {
  pb::SendDataRequest request;
  request.set_data("hello");
  request.set_topic("t");
  request.set_kind(pb::DataPacket::LOSSY);
  request.add_destination_identities("bo");
  request.add_destination_sids("PA_1");
  room::SendData data = make_user_packet(request);
  EXPECT_FALSE(data.is_reliable);
  EXPECT_EQ(data.identities, std::vector<std::string>{"bo"});
  pb::DataPacket packet = *parse_data_packet(data.payload.bytes());
  EXPECT_EQ(packet.kind(), pb::DataPacket::LOSSY);
  EXPECT_EQ(packet.participant_identity(), "");
  EXPECT_EQ(packet.user().payload(), "hello");
  EXPECT_EQ(packet.user().topic(), "t");
}

TEST(RpcCall, of_the_server_is_answered_to_its_identity) {
  pb::PerformRpcRequest request;
  request.set_destination_identity("anna");
  request.set_method("greet");
  request.set_payload("x");
  room::SendData data = make_rpc_request("r1", request);
  EXPECT_TRUE(data.is_reliable);
  EXPECT_EQ(data.identities, std::vector<std::string>{"anna"});
  pb::DataPacket packet = *parse_data_packet(data.payload.bytes());
  EXPECT_EQ(packet.participant_identity(), kServerIdentity);
  EXPECT_EQ(packet.rpc_request().id(), "r1");
  EXPECT_EQ(packet.rpc_request().method(), "greet");
  EXPECT_EQ(packet.rpc_request().response_timeout_ms(), kRpcTimeoutMsDefault);
  EXPECT_EQ(packet.rpc_request().version(), 1u);
}

TEST(RpcReply, is_an_ack_a_payload_or_an_error) {
  auto ack = parse_rpc_reply(packet_of(vectors::kDataRpcAck));
  ASSERT_TRUE(ack);
  EXPECT_TRUE(ack->is_ack);
  EXPECT_EQ(ack->id, "r1");
  auto response = parse_rpc_reply(packet_of(vectors::kDataRpcResponse));
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->is_ack);
  EXPECT_EQ(response->payload, "done");
  EXPECT_FALSE(response->error);
  auto error = parse_rpc_reply(packet_of(vectors::kDataRpcError));
  ASSERT_TRUE(error && error->error);
  EXPECT_EQ(error->error->code(), 1'400u);
  EXPECT_FALSE(parse_rpc_reply(packet_of(vectors::kDataUser)));
}

}  // namespace
}  // namespace stoa::livekit

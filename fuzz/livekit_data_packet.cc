// Data packets of participants. Byte 0: who sends it. Receivers are told the sender by us, and what is passed
// on can be read.
#include "api/livekit/data_packet.h"
#include "base/assert.h"
#include "room/limits.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  stoa::livekit::quiet_protobuf();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa;
  using namespace stoa::livekit;
  if (size < 1) return 0;
  room::ParticipantInfo sender;
  sender.sid = "PA_sender";
  sender.identity = "sender";
  sender.permissions.is_agent = data[0] % 2 == 1;
  auto packet = parse_data_packet({data + 1, size - 1});
  if (!packet) return 0;
  (void)parse_rpc_reply(*packet);
  if (!check_sender(*packet, sender)) return 0;
  std::vector<std::string> sids;
  room::SendData sent = to_send_data(*packet, sender, data[0] & 2, sids);
  STOA_ASSERT(sent.identities.size() + sids.size() <= room::kDestinationsMax);
  pb::DataPacket read;
  STOA_ASSERT(read.ParseFromArray(sent.payload.data(), static_cast<int>(sent.payload.size())));
  STOA_ASSERT(read.participant_sid() == "PA_sender" && read.value_case() == packet->value_case());
  if (!sender.permissions.is_agent) STOA_ASSERT(read.participant_identity() == "sender");
  return 0;
}

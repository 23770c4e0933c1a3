// Data channels of rooms: what is kept for who is away, and who answers a call.
#include <gtest/gtest.h>

#include <algorithm>

#include "shard/rooms.h"
#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

std::vector<std::uint32_t> sequences_of(Person& person) {
  std::vector<std::uint32_t> all;
  for (const pb::DataPacket& packet : person.data()) all.push_back(packet.sequence());
  return all;
}
std::vector<std::uint32_t> from_to(std::uint32_t first, std::uint32_t last) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = first; i <= last; ++i) all.push_back(i);
  return all;
}
// What came since then.
std::vector<std::uint32_t> since(std::size_t before, Person& person) {
  std::vector<std::uint32_t> all = sequences_of(person);
  return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
}
pb::SignalRequest claim(const std::string& publisher, std::uint32_t last) {
  pb::SignalRequest request;
  pb::DataChannelReceiveState& state = *request.mutable_sync_state()->add_datachannel_receive_states();
  state.set_publisher_sid(publisher);
  state.set_last_seq(last);
  return request;
}

class RoomsData : public testing::TestWithParam<bool> {};

TEST_P(RoomsData, that_a_client_missed_is_sent_again_in_order_and_once) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam());
  Person& carl = town.join("meeting", "carl", 0, GetParam());
  Person& ben = town.join("meeting", "ben", 1, GetParam());
  if (GetParam()) ben.reliable = ben.sending->open_channel("_reliable");
  town.run_for(Duration::seconds(1));
  town.cut(ben);
  for (std::uint32_t i = 1; i <= 20; ++i) town.send_data(anna, "a", i);
  for (std::uint32_t i = 1; i <= 3; ++i) town.send_data(carl, "c", i);
  ASSERT_TRUE(town.run_until([&] { return ben.data().size() == 23; }));
  town.resume(ben, 1);
  ASSERT_TRUE(town.run_until([&] { return ben.is_open; }));
  const std::size_t before = ben.data().size();
  // It has all of Carl's, and says that again; who is not named needs nothing.
  pb::SignalRequest request = claim(anna.sid, 5);
  town.say(ben, request);
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(since(before, ben), from_to(6, 20));
  town.say(ben, claim(carl.sid, 3));
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(ben.data().size(), before + 15);
}

TEST_P(RoomsData, are_delivered_once_to_a_channel_that_comes_late) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0, GetParam());
  Person& ben = town.ask("meeting", "ben", 0, GetParam());
  ASSERT_TRUE(town.run_until([&] { return !ben.sid.empty(); }));
  for (std::uint32_t i = 1; i <= 5; ++i) town.send_data(anna, "a", i);
  if (!GetParam()) {
    ASSERT_TRUE(town.run_until([&] { return ben.data().size() == 5; }));
  } else {
    town.offer(ben);
    ASSERT_TRUE(town.run_until([&] { return ben.receiver().is_connected(); }));
    town.run_for(Duration::milliseconds(200));
    EXPECT_TRUE(ben.data().empty());
    ben.sending->open_channel("_reliable");
    town.run_for(Duration::milliseconds(200));
    // Another one in its place.
    ben.sending->open_channel("_reliable");
  }
  town.run_for(Duration::milliseconds(500));
  town.send_data(anna, "a", 6);
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(sequences_of(ben), from_to(1, 6));
}
INSTANTIATE_TEST_SUITE_P(Rooms, RoomsData, testing::Bool(),
                         [](const auto& one) { return one.param ? "Single" : "Double"; });

// A client that resumes sends again what it does not know to have arrived.
TEST(RoomsData, that_a_sender_repeats_are_passed_on_once) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  for (std::uint32_t i : {1u, 2u, 3u, 2u, 3u, 4u}) town.send_data(anna, "a", i);
  ASSERT_TRUE(town.run_until([&] { return ben.data().size() == 4; }));
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(sequences_of(ben), from_to(1, 4));
}

TEST(RoomsData, are_kept_for_so_long_and_so_much_of_them) {
  ShardConfig config;
  config.rooms.seat.replay_bytes_max = 10'000;
  RoomsTown town(1, config);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  for (std::uint32_t i = 1; i <= 50; ++i) town.send_data(anna, std::string(900, 'x'), i);
  ASSERT_TRUE(town.run_until([&] { return ben.data().size() == 50; }));
  town.say(ben, claim(anna.sid, 0));
  town.run_for(Duration::milliseconds(500));
  EXPECT_EQ(since(50, ben), from_to(41, 50));  // The newest.
  town.run_for(SeatConfig().replay_kept);
  town.say(ben, claim(anna.sid, 0));
  town.run_for(Duration::milliseconds(500));
  EXPECT_EQ(ben.data().size(), 60u);
}

TEST(RoomsData, are_sent_again_of_so_many_senders_as_a_client_may_name) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  town.send_data(anna, "a", 1);
  ASSERT_TRUE(town.run_until([&] { return ben.data().size() == 1; }));
  auto claims = [&](std::size_t others) {
    pb::SignalRequest request;
    for (std::size_t i = 0; i < others; ++i)
      request.mutable_sync_state()->add_datachannel_receive_states()->set_publisher_sid("PA_" +
                                                                                        std::to_string(i));
    request.mutable_sync_state()->add_datachannel_receive_states()->set_publisher_sid(anna.sid);
    return request;
  };
  town.say(ben, claims(1'000));
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(ben.data().size(), 1u);
  EXPECT_TRUE(ben.is_open);
  town.say(ben, claims(999));
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(ben.data().size(), 2u);
}

// Who asked compares it with whom it called.
TEST(RoomsData, that_answer_a_call_of_the_server_say_who_answers) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 1);
  pb::PerformRpcRequest call;
  call.set_room("meeting");
  call.set_destination_identity("ben");
  call.set_method("greet");
  const std::uint64_t question = town.ask_server(call);
  ASSERT_TRUE(town.run_until([&] { return !ben.data().empty(); }));
  EXPECT_TRUE(anna.data().empty());
  const std::string id = ben.data()[0].rpc_request().id();
  EXPECT_EQ(id, "RPC_" + std::to_string(question));
  pb::DataPacket answer;
  answer.mutable_rpc_response()->set_request_id(id);
  // Whatever it says of itself.
  answer.set_participant_identity("ben");
  for (Person* person : {&anna, &ben}) {
    answer.mutable_rpc_response()->set_payload("of " + person->identity);
    town.send_packet(*person, answer, true);
    ASSERT_TRUE(town.run_until(
        [&] { return !town.rpc_answers.empty() && town.rpc_answers.back().identity == person->identity; }));
    EXPECT_EQ(town.rpc_answers.back().room, "meeting");
    EXPECT_EQ(town.rpc_answers.back().reply.payload, "of " + person->identity);
  }
  EXPECT_EQ(town.rpc_answers.size(), 2u);
  EXPECT_TRUE(anna.data().empty());
  EXPECT_EQ(ben.data().size(), 1u);
}

}  // namespace
}  // namespace stoa::shard

#include "api/livekit/convert.h"

#include <gtest/gtest.h>

#include "api/livekit/test_vectors.h"
#include "crypto/text.h"

namespace stoa::livekit {
namespace {

using room::TrackKind;

constexpr WallTime kNow = WallTime::from_us(1'800'000'000'250'000);

pb::SignalResponse response_of(const char* hex) {
  pb::SignalResponse response;
  Buffer bytes = *crypto::parse_hex(hex);
  EXPECT_TRUE(response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return response;
}
pb::SignalRequest request_of(const char* hex) {
  pb::SignalRequest request;
  Buffer bytes = *crypto::parse_hex(hex);
  EXPECT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return request;
}
// Maps are written in any order; there is at most one entry in the maps of these tests.
std::string text_of(const google::protobuf::Message& message) { return message.DebugString(); }

room::ParticipantInfo anna() {
  room::ParticipantInfo anna;
  anna.sid = "PA_a";
  anna.identity = "anna";
  anna.name = "Anna";
  anna.metadata = "md";
  anna.attributes = {{"k", "v"}};
  anna.state = room::ParticipantState::kActive;
  anna.kind = room::ParticipantKind::kAgent;
  anna.kind_details = {1};
  anna.joined_at = kNow;
  anna.version = 3;
  anna.permissions.can_publish_data = false;
  anna.permissions.sources = {room::TrackSource::kCamera, room::TrackSource::kMicrophone};
  anna.permissions.can_update_metadata = true;
  anna.permissions.is_hidden = true;
  anna.permissions.can_subscribe_metrics = true;
  anna.client_protocol = 1;
  anna.capabilities = {1};
  room::VideoLayer layer{room::Quality::kHigh, 1280, 720, 1'700'000, 2, "f"};
  room::TrackInfo track;
  track.sid = "TR_1";
  track.kind = TrackKind::kVideo;
  track.source = room::TrackSource::kCamera;
  track.name = "cam";
  track.is_muted = true;
  track.width = 1280;
  track.height = 720;
  track.is_simulcast = true;
  track.layers = {layer};
  track.codecs = {{"video/VP8", "1", "c", {layer}, room::LayerMode::kOnePerStream}};
  track.encryption = 1;
  track.stream = "camera";
  track.packet_trailer_features = {1};
  track.backup_codec_policy = 2;
  track.version = WallTime::from_us(1'800'000'000'000'001);
  anna.tracks = {track};
  return anna;
}

TEST(Conversion, of_participants_is_what_clients_read) {
  room::ParticipantsChanged event{{std::make_shared<const room::ParticipantInfo>(anna())}};
  auto response = event_to_response(event, {});
  ASSERT_TRUE(response);
  EXPECT_EQ(text_of(*response), text_of(response_of(vectors::kUpdate)));
}

TEST(Conversion, of_a_room_is_what_clients_read) {
  room::RoomInfo room;
  room.sid = "RM_1";
  room.name = "hall";
  room.metadata = "md";
  room.created_at = kNow;
  room.participants_max = 9;
  room.participants = 4;
  room.publishers = 2;
  room.is_recorded = true;
  EXPECT_EQ(text_of(*event_to_response(room::RoomChanged{room}, {})),
            text_of(response_of(vectors::kRoomUpdate)));
}

TEST(Conversion, of_speakers_and_quality_is_what_clients_read) {
  room::SpeakersChanged speakers{{{"PA_a", 0.5f, true}, {"PA_b", 0, false}}};
  EXPECT_EQ(text_of(*event_to_response(speakers, {})), text_of(response_of(vectors::kSpeakers)));
  room::QualityChanged quality{{{"PA_a", room::ConnectionQuality::kLost, 1.5f}}};
  EXPECT_EQ(text_of(*event_to_response(quality, {})), text_of(response_of(vectors::kQuality)));
  EXPECT_FALSE(event_to_response(room::SpeakersChanged{}, {}));
  EXPECT_FALSE(event_to_response(room::QualityChanged{}, {}));
}

TEST(Conversion, tells_old_clients_of_a_poor_connection_instead_of_a_lost_one) {
  room::QualityChanged quality{{{"PA_a", room::ConnectionQuality::kLost, 1}}};
  auto response = event_to_response(quality, {.protocol = 10});
  EXPECT_EQ(response->connection_quality().updates(0).quality(), pb::POOR);
}

TEST(Conversion, tells_a_client_why_it_must_leave_and_whether_to_come_back) {
  room::Removed shutdown{room::LeaveReason::kServerShutdown};
  EXPECT_EQ(text_of(*event_to_response(shutdown, {})), text_of(response_of(vectors::kLeave)));
  auto old = event_to_response(shutdown, {.protocol = 12});
  EXPECT_TRUE(old->leave().can_reconnect());
  EXPECT_EQ(old->leave().action(), pb::LeaveRequest::DISCONNECT);
  for (room::LeaveReason reason : {room::LeaveReason::kRemoved, room::LeaveReason::kDuplicateIdentity,
                                   room::LeaveReason::kRoomDeleted}) {
    auto response = event_to_response(room::Removed{reason}, {});
    EXPECT_EQ(response->leave().reason(), to_wire(reason));
    EXPECT_EQ(response->leave().action(), pb::LeaveRequest::DISCONNECT);
    EXPECT_FALSE(response->leave().can_reconnect());
  }
}

TEST(Conversion, of_reasons_to_leave_goes_there_and_back) {
  for (int i = 0; i <= static_cast<int>(room::LeaveReason::kMediaFailure); ++i) {
    auto reason = static_cast<room::LeaveReason>(i);
    EXPECT_EQ(from_wire(to_wire(reason)), reason);
  }
  EXPECT_EQ(from_wire(pb::USER_REJECTED), room::LeaveReason::kUnknown);
  EXPECT_EQ(from_wire(static_cast<pb::DisconnectReason>(999)), room::LeaveReason::kUnknown);
}

TEST(Conversion, of_tracks_and_permissions_goes_there_and_back) {
  room::ParticipantInfo participant = anna();
  EXPECT_EQ(from_wire(to_wire(participant.permissions)), participant.permissions);
  EXPECT_EQ(from_wire(to_wire(participant.tracks[0])), participant.tracks[0]);
  room::TrackInfo audio;
  audio.is_stereo = audio.disables_dtx = audio.disables_red = true;
  audio.source = room::TrackSource::kScreenShareAudio;
  audio.audio_features = {0, 4};
  EXPECT_EQ(from_wire(to_wire(audio)), audio);
}

TEST(Conversion, tells_clients_that_they_may_publish_the_sources_that_are_named) {
  room::Permissions permissions;
  permissions.can_publish = false;
  EXPECT_FALSE(to_wire(permissions).can_publish());
  permissions.sources = {room::TrackSource::kCamera};
  EXPECT_TRUE(to_wire(permissions).can_publish());
  EXPECT_EQ(to_wire(permissions).can_publish_sources(0), pb::CAMERA);
}

TEST(Conversion, of_a_simulcast_track_to_add) {
  room::AnnounceTrack announce = from_wire(request_of(vectors::kAddTrack).add_track());
  EXPECT_EQ(announce.cid, "{cid-1}");
  const room::TrackInfo& track = announce.track;
  EXPECT_EQ(track.kind, TrackKind::kVideo);
  EXPECT_EQ(track.source, room::TrackSource::kCamera);
  EXPECT_EQ(track.stream, "camera");
  EXPECT_EQ(track.backup_codec_policy, 1);
  EXPECT_TRUE(track.is_simulcast);
  ASSERT_EQ(track.layers.size(), 3u);
  EXPECT_EQ(track.layers[1], (room::VideoLayer{room::Quality::kMedium, 640, 360, 450'000, 0, "h"}));
  ASSERT_EQ(track.codecs.size(), 2u);
  EXPECT_EQ(track.codecs[0].mime_type, "video/VP8");
  EXPECT_EQ(track.codecs[0].layers, track.layers);
  EXPECT_EQ(track.codecs[1].mime_type, "video/AV1");
  EXPECT_EQ(track.codecs[1].cid, "{cid-2}");
  EXPECT_EQ(track.codecs[1].mode, room::LayerMode::kSeveralPerStream);
}

TEST(Conversion, of_an_audio_track_to_add) {
  room::AnnounceTrack announce = from_wire(request_of(vectors::kAddAudio).add_track());
  const room::TrackInfo& track = announce.track;
  EXPECT_EQ(track.kind, TrackKind::kAudio);
  EXPECT_TRUE(track.is_stereo);
  EXPECT_TRUE(track.disables_dtx);
  EXPECT_TRUE(track.disables_red);
  EXPECT_EQ(track.encryption, 1);
  EXPECT_FALSE(track.is_simulcast);
  ASSERT_EQ(track.codecs.size(), 1u);
  EXPECT_EQ(track.codecs[0].cid, "a1");
  EXPECT_EQ(track.codecs[0].mime_type, "");
}

TEST(Conversion, of_unknown_numbers_is_harmless) {
  pb::AddTrackRequest request;
  request.set_source(static_cast<pb::TrackSource>(77));
  request.set_encryption(static_cast<pb::Encryption::Type>(-5));
  request.set_backup_codec_policy(static_cast<pb::BackupCodecPolicy>(300));
  request.add_layers()->set_quality(static_cast<pb::VideoQuality>(9));
  request.mutable_layers(0)->set_spatial_layer(-1);
  room::TrackInfo track = from_wire(request).track;
  EXPECT_EQ(track.source, room::TrackSource::kUnknown);
  EXPECT_EQ(track.encryption, 0);
  EXPECT_EQ(track.backup_codec_policy, 0);
  EXPECT_EQ(track.layers[0].quality, room::Quality::kHigh);
  EXPECT_EQ(track.layers[0].spatial_layer, 0);
}

TEST(Conversion, of_subscriptions_takes_tracks_however_they_are_named) {
  room::Subscribe subscribe = from_wire(request_of(vectors::kSubscription).subscription());
  EXPECT_TRUE(subscribe.is_wanted);
  EXPECT_EQ(subscribe.tracks, (std::vector<std::string>{"TR_a", "TR_b", "TR_c"}));
}

TEST(Conversion, of_subscription_permissions) {
  room::SetSubscribers subscribers = from_wire(request_of(vectors::kPermission).subscription_permission());
  EXPECT_FALSE(subscribers.everybody);
  ASSERT_EQ(subscribers.permissions.size(), 2u);
  EXPECT_EQ(subscribers.permissions[0].participant_sid, "PA_x");
  EXPECT_TRUE(subscribers.permissions[0].all_tracks);
  EXPECT_EQ(subscribers.permissions[1].participant_identity, "bo");
  EXPECT_EQ(subscribers.permissions[1].tracks, (std::vector<std::string>{"TR_1", "TR_2"}));
}

TEST(Conversion, of_track_settings) {
  TrackSettings settings = from_wire(request_of(vectors::kSettings).track_setting());
  EXPECT_EQ(settings.tracks, std::vector<std::string>{"TR_a"});
  room::TrackWish wish{.is_disabled = false,
                       .quality = room::Quality::kMedium,
                       .width = 640,
                       .height = 360,
                       .frames_per_second = 15,
                       .priority = 9};
  EXPECT_EQ(settings.wish, wish);
}

TEST(Conversion, of_metadata_changes_what_is_said) {
  room::UpdateSelf update = from_wire(request_of(vectors::kMetadata).update_metadata());
  EXPECT_EQ(update.metadata, "m");
  EXPECT_EQ(update.name, "n");
  EXPECT_EQ(update.attributes, (std::map<std::string, std::string>{{"a", "1"}, {"b", ""}}));
  EXPECT_EQ(update.request, 7u);
  EXPECT_EQ(from_wire(pb::UpdateParticipantMetadata()).metadata, std::nullopt);
}

TEST(Conversion, of_local_track_changes) {
  pb::UpdateLocalAudioTrack audio;
  audio.set_track_sid("TR_1");
  audio.add_features(pb::TF_NOISE_SUPPRESSION);
  EXPECT_EQ(from_wire(audio).audio_features, std::vector<std::uint32_t>{4});
  EXPECT_EQ(from_wire(audio).width, std::nullopt);
  pb::UpdateLocalVideoTrack video;
  video.set_width(640);
  video.set_height(360);
  EXPECT_EQ(from_wire(video).width, 640u);
  EXPECT_EQ(from_wire(video).audio_features, std::nullopt);
}

TEST(Conversion, of_small_events_is_one_message_each) {
  pb::SignalResponse muted = *event_to_response(room::TrackMuted{"TR_1", true}, {});
  EXPECT_EQ(muted.mute().sid(), "TR_1");
  EXPECT_TRUE(muted.mute().muted());
  EXPECT_EQ(event_to_response(room::TrackUnpublished{"TR_1"}, {})->track_unpublished().track_sid(), "TR_1");
  EXPECT_EQ(event_to_response(room::FirstSubscriber{"TR_1"}, {})->track_subscribed().track_sid(), "TR_1");
  auto failed = event_to_response(room::SubscribeFailed{"TR_9"}, {});
  EXPECT_EQ(failed->subscription_response().track_sid(), "TR_9");
  EXPECT_EQ(failed->subscription_response().err(), pb::SE_TRACK_NOTFOUND);
  auto allowed = event_to_response(room::SubscriptionAllowed{"PA_1", "TR_1", false}, {});
  EXPECT_EQ(allowed->subscription_permission_update().participant_sid(), "PA_1");
  EXPECT_FALSE(allowed->subscription_permission_update().allowed());
  auto announced = event_to_response(room::TrackAnnounced{"c", anna().tracks[0]}, {});
  EXPECT_EQ(announced->track_published().cid(), "c");
  EXPECT_EQ(announced->track_published().track().sid(), "TR_1");
}

TEST(Conversion, answers_requests_as_far_as_the_client_wants_it) {
  room::Answered done{7, room::RequestOutcome::kDone, ""};
  room::Answered refused{7, room::RequestOutcome::kNotAllowed, "no"};
  EXPECT_EQ(event_to_response(done, {.protocol = 15})->request_response().request_id(), 7u);
  EXPECT_FALSE(event_to_response(done, {.protocol = 14}));
  auto response = event_to_response(refused, {.protocol = 14});
  EXPECT_EQ(response->request_response().reason(), pb::RequestResponse::NOT_ALLOWED);
  EXPECT_EQ(response->request_response().message(), "no");
  EXPECT_FALSE(event_to_response(refused, {.protocol = 9}));
  EXPECT_FALSE(event_to_response(room::Answered{}, {}));
}

TEST(Conversion, refuses_a_track_with_the_clients_name_for_it) {
  room::TrackRefused refused{"c", 0, room::RequestOutcome::kLimitExceeded, "too many"};
  auto response = event_to_response(refused, {});
  EXPECT_EQ(response->request_response().add_track().cid(), "c");
  EXPECT_EQ(response->request_response().reason(), pb::RequestResponse::LIMIT_EXCEEDED);
  EXPECT_FALSE(event_to_response(refused, {.protocol = 9}));
}

TEST(Conversion, moves_only_clients_that_know_of_it) {
  room::Moved moved;
  moved.room.name = "garden";
  moved.self = std::make_shared<const room::ParticipantInfo>(anna());
  moved.others = {moved.self};
  auto response = event_to_response(moved, {.protocol = 16});
  EXPECT_EQ(response->room_moved().room().name(), "garden");
  EXPECT_EQ(response->room_moved().participant().sid(), "PA_a");
  EXPECT_EQ(response->room_moved().other_participants_size(), 1);
  EXPECT_FALSE(event_to_response(moved, {.protocol = 15}));
}

TEST(Conversion, leaves_media_and_data_to_others) {
  EXPECT_FALSE(event_to_response(room::Subscribed{}, {}));
  EXPECT_FALSE(event_to_response(room::Unsubscribed{}, {}));
  EXPECT_FALSE(event_to_response(room::DataArrived{}, {}));
}

TEST(JoinWish, is_what_the_token_says) {
  AccessGrant grant;
  grant.identity = "anna";
  grant.name = "Anna";
  grant.metadata = "of token";
  grant.attributes = {{"a", "1"}, {"b", "2"}};
  grant.kind = room::ParticipantKind::kAgent;
  grant.kind_details = {0};
  grant.video.emplace().can_publish = false;
  JoinParams params;
  params.auto_subscribe = false;
  params.metadata = "of client";
  params.attributes = {{"b", "3"}};
  params.client.set_client_protocol(2);
  params.client.add_capabilities(pb::ClientInfo::CAP_PACKET_TRAILER);
  room::JoinWish wish = make_join_wish(grant, params);
  EXPECT_EQ(wish.identity, "anna");
  EXPECT_EQ(wish.name, "Anna");
  EXPECT_EQ(wish.metadata, "of token");
  EXPECT_EQ(wish.attributes, grant.attributes);
  EXPECT_EQ(wish.kind, room::ParticipantKind::kAgent);
  EXPECT_EQ(wish.kind_details, grant.kind_details);
  EXPECT_EQ(wish.permissions, permissions_of(grant));
  EXPECT_FALSE(wish.auto_subscribe);
  EXPECT_EQ(wish.client_protocol, 2u);
  EXPECT_EQ(wish.capabilities, std::vector<std::uint32_t>{1});
}

TEST(JoinWish, takes_metadata_of_the_client_where_the_token_lets_it) {
  AccessGrant grant;
  grant.metadata = "of token";
  grant.attributes = {{"a", "1"}, {"b", "2"}};
  grant.video.emplace().can_update_own_metadata = true;
  JoinParams params;
  params.attributes = {{"b", "3"}};
  EXPECT_EQ(make_join_wish(grant, params).metadata, "of token");
  params.metadata = "of client";
  room::JoinWish wish = make_join_wish(grant, params);
  EXPECT_EQ(wish.metadata, "of client");
  EXPECT_EQ(wish.attributes, (std::map<std::string, std::string>{{"a", "1"}, {"b", "3"}}));
}

TEST(JoinWish, of_a_publishing_side_connection_has_an_identity_of_its_own) {
  AccessGrant grant;
  grant.identity = "anna";
  JoinParams params;
  params.publish = "screen";
  room::JoinWish wish = make_join_wish(grant, params);
  EXPECT_EQ(wish.identity, "anna#screen");
  EXPECT_FALSE(wish.auto_subscribe);
}

TEST(Conversion, of_room_settings_keeps_defaults_that_are_not_set) {
  room::RoomInfo defaults;
  defaults.name = "hall";
  defaults.metadata = "old";
  pb::RoomConfiguration configuration;
  configuration.set_name("a preset's name");
  configuration.set_departure_timeout(5);
  room::RoomInfo room = from_wire(configuration, defaults);
  EXPECT_EQ(room.name, "hall");
  EXPECT_EQ(room.metadata, "old");
  EXPECT_EQ(room.departure_timeout, Duration::seconds(5));
  EXPECT_EQ(room.empty_timeout, defaults.empty_timeout);
  pb::CreateRoomRequest request;
  request.set_name("garden");
  request.set_metadata("new");
  request.set_empty_timeout(0xffff'ffff);
  request.set_max_participants(7);
  room = from_wire(request, defaults);
  EXPECT_EQ(room.name, "garden");
  EXPECT_EQ(room.metadata, "new");
  EXPECT_EQ(room.participants_max, 7u);
  EXPECT_EQ(to_wire(room).empty_timeout(), 0xffff'ffffu);
}

TEST(Conversion, of_participant_updates_changes_what_is_set) {
  pb::UpdateParticipantRequest request;
  EXPECT_EQ(from_wire(request).permissions, std::nullopt);
  EXPECT_EQ(from_wire(request).name, std::nullopt);
  request.set_name("Anna");
  request.mutable_permission()->set_can_publish(true);
  request.mutable_permission()->add_can_publish_sources(pb::CAMERA);
  room::ParticipantUpdate update = from_wire(request);
  EXPECT_EQ(update.name, "Anna");
  EXPECT_TRUE(update.permissions->can_publish);
  EXPECT_FALSE(update.permissions->can_subscribe);
  EXPECT_EQ(update.permissions->sources, std::vector{room::TrackSource::kCamera});
}

TEST(ClientTraits, follow_the_protocol_number) {
  ClientTraits old{.protocol = 9}, now;
  EXPECT_TRUE(old.takes_departed_participants() && old.is_subscriber_primary());
  EXPECT_FALSE(old.knows_streams() || old.knows_lost_quality() || old.knows_leave_action());
  EXPECT_FALSE(old.takes_fast_publish() || old.wants_ok_responses() || old.can_be_moved());
  EXPECT_TRUE(now.knows_streams() && now.knows_lost_quality() && now.knows_leave_action());
  EXPECT_TRUE(now.takes_fast_publish() && now.wants_ok_responses() && now.can_be_moved());
}

}  // namespace
}  // namespace stoa::livekit

#include "session/webrtc/peer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "proto/srtp/limits.h"

// Offers in testdata/ are what browsers wrote; those that follow are what the same browsers make of them.
namespace stoa::webrtc {
namespace {

using sdp::Direction;
using sdp::MediaKind;

sdp::SessionDescription parsed(std::string_view text) {
  auto description = sdp::parse(text);
  EXPECT_TRUE(description) << text;
  return description ? *description : sdp::SessionDescription();
}
sdp::SessionDescription read_offer(std::string_view name) {
  std::ifstream file("src/session/webrtc/testdata/" + std::string(name) + ".sdp");
  return parsed(std::string((std::istreambuf_iterator<char>(file)), {}));
}
// Another section like one that is there.
sdp::MediaSection& add_section(sdp::SessionDescription& offer, std::size_t like, Direction direction) {
  sdp::MediaSection section = offer.sections[like];
  section.mid = std::to_string(offer.sections.size());
  section.direction = direction;
  section.sources.clear();
  section.source_groups.clear();
  section.msids.clear();
  section.rids.clear();
  section.simulcast.reset();
  if (sdp::can_send(direction)) section.msids = {{"stream", "track" + section.mid}};
  offer.bundles[0].push_back(section.mid);
  offer.sections.push_back(std::move(section));
  return offer.sections.back();
}
// As browsers have it: port 0, out of the bundle.
void stop(sdp::SessionDescription& offer, std::size_t index) {
  sdp::MediaSection& section = offer.sections[index];
  section.port = 0;
  section.is_bundle_only = false;
  section.direction = Direction::kInactive;
  std::erase(offer.bundles[0], section.mid);
}

LocalDescription make_local(int generation = 0) {
  LocalDescription local;
  local.ice = {.ufrag = "StoaUfrg" + std::to_string(generation), .password = "StoaPasswordStoaPassword"};
  local.candidates = {
      {.foundation = "1", .priority = 2'130'706'431, .address = {IpAddress::v4(203, 0, 113, 5), 7882}}};
  local.fingerprint =
      crypto::Fingerprint(crypto::FingerprintHash::kSha256, std::array<std::uint8_t, 32>{1, 2, 3});
  return local;
}

PeerOutlet video(std::uint64_t key, payload::Encoding encoding = payload::Encoding::kVp8,
                 std::array<std::uint8_t, 3> profile = {}) {
  return {.key = key,
          .track = {.encoding = encoding, .profile = profile},
          .stream_id = "s" + std::to_string(key),
          .track_id = "t" + std::to_string(key)};
}
PeerOutlet audio(std::uint64_t key) { return video(key, payload::Encoding::kOpus); }

sdp::Payload opus_red(std::uint8_t type, std::uint8_t of) {
  sdp::Payload red = sdp::make_payload(type, sdp::Codec::kRed, sdp::RedFormat{{of, of}});
  red.clock_rate = 48'000;
  red.channels = 2;
  return red;
}
std::vector<std::uint8_t> types_of(const sdp::MediaSection& section) {
  std::vector<std::uint8_t> types;
  for (const sdp::Payload& payload : section.payloads) types.push_back(payload.type);
  return types;
}
bool has_red(const sdp::MediaSection& section) {
  return std::ranges::any_of(section.payloads,
                             [](const sdp::Payload& one) { return one.codec == sdp::Codec::kRed; });
}

struct TestPeering {
  PeerNegotiation negotiation{{.cname = "stoa"}, 4711, Rng(7)};
  LocalDescription local = make_local();

  Result<PeerNegotiation::Answered, NegotiationFault> answer(const sdp::SessionDescription& offer,
                                                             const std::vector<PeerOutlet>& outlets = {}) {
    auto answered = negotiation.answer(sdp::write(offer), outlets, local, make_local(9).ice);
    if (answered) {
      // The peer comes to the same agreement.
      auto theirs = sdp::agree(offer, parsed(answered->answer), sdp::Side::kOfferer);
      EXPECT_TRUE(theirs) << answered->answer;
      EXPECT_EQ(theirs ? theirs->sections.size() : 0, answered->agreement.sections.size());
    }
    return answered;
  }
  std::vector<std::uint64_t> keys() const {
    std::vector<std::uint64_t> keys;
    for (const SeatedOutlet& one : negotiation.seated()) keys.push_back(one.seat.key);
    return keys;
  }
  OutletConfig config(std::uint64_t key) const {
    for (const SeatedOutlet& one : negotiation.seated())
      if (one.seat.key == key && one.config) return *one.config;
    ADD_FAILURE() << key;
    return {};
  }

  // We offer, and one who takes everything answers; `change` may make less of it.
  sdp::SessionDescription offer(const std::vector<PeerOutlet>& outlets) {
    auto offered = negotiation.offer(outlets, local);
    EXPECT_TRUE(offered);
    unseated = offered ? offered->unseated : std::vector<std::uint64_t>();
    return offered ? parsed(offered->offer) : sdp::SessionDescription();
  }
  static sdp::SessionDescription answer_to(const sdp::SessionDescription& offer, bool takes_red = true) {
    static const sdp::MediaSupport video = sdp::make_video_support();
    sdp::MediaSupport audio = sdp::make_audio_support();
    if (takes_red) audio.codecs.push_back({.payload = opus_red(63, 111)});
    sdp::Local peer{.session_id = 1,
                    .session_version = 1,
                    .ice = {.ufrag = "peer", .password = "PeerPasswordPeerPassword"},
                    .setup = sdp::DtlsSetup::kActive};
    peer.fingerprints = {
        sdp::make_fingerprint(sdp::HashFunction::kSha256, std::array<std::uint8_t, 32>{9, 9})};
    std::vector<sdp::SectionIntent> intents(offer.sections.size());
    for (std::size_t i = 0; i < intents.size(); ++i) {
      intents[i].direction = Direction::kRecvOnly;
      intents[i].data = sdp::SctpParameters{};
      intents[i].media = offer.sections[i].kind == MediaKind::kVideo ? &video : &audio;
    }
    auto answer = sdp::make_answer(offer, peer, intents);
    EXPECT_TRUE(answer);
    return answer ? *answer : sdp::SessionDescription();
  }
  Result<PeerNegotiation::Accepted, NegotiationFault> accept(const sdp::SessionDescription& answer,
                                                             bool may_restart = false) {
    return negotiation.accept(sdp::write(answer), may_restart);
  }
  void serve(const std::vector<PeerOutlet>& outlets) {
    auto accepted = accept(answer_to(offer(outlets)));
    ASSERT_TRUE(accepted) << accepted.error().text;
    EXPECT_TRUE(accepted->rejected.empty());
  }

  std::vector<std::uint64_t> unseated;
};

std::size_t index_of(const sdp::SessionDescription& description, const std::string& mid) {
  const sdp::MediaSection* found = description.find_section(mid);
  EXPECT_NE(found, nullptr) << mid;
  return found ? static_cast<std::size_t>(found - description.sections.data()) : 0;
}

// ---- Offers of the peer.

TEST(PeerAnswer, takes_what_browsers_publish_with_its_layers_and_names) {
  for (const char* name : {"chromium_publisher_simulcast", "firefox_publisher_simulcast"}) {
    SCOPED_TRACE(name);
    TestPeering peer;
    sdp::SessionDescription offer = read_offer(name);
    auto answered = peer.answer(offer);
    ASSERT_TRUE(answered) << answered.error().text;
    ASSERT_EQ(answered->tracks.size(), 2u);
    const PeerTrack& picture = answered->tracks[1];
    EXPECT_EQ(picture.id, 1);
    EXPECT_EQ(picture.mid, "1");
    EXPECT_EQ(picture.kind, media::Kind::kVideo);
    EXPECT_EQ(picture.rids, (std::vector<std::string>{"q", "h", "f"}));
    EXPECT_EQ(picture.stream_id, offer.sections[1].msids[0].stream_id);
    EXPECT_EQ(picture.track_id, offer.sections[1].msids[0].track_id);
    EXPECT_EQ(picture.encoding, payload::Encoding::kVp8);  // As offered, not H.264 first.
    EXPECT_EQ(answered->tracks[0].rids, std::vector<std::string>{""});
    EXPECT_EQ(answered->tracks[0].encoding, payload::Encoding::kOpus);
    EXPECT_FALSE(answered->restarts_ice);
    EXPECT_NE(answered->answer.find("a=ice-lite\r\n"), std::string::npos);
    EXPECT_NE(answered->answer.find("a=setup:passive\r\n"), std::string::npos);
  }
}

TEST(PeerAnswer, gives_outlets_to_sections_that_only_receive) {
  for (const char* name : {"chromium_viewer_data", "firefox_viewer_data"}) {
    SCOPED_TRACE(name);
    TestPeering peer;
    auto answered = peer.answer(read_offer(name), {video(1), audio(2), video(3)});
    ASSERT_TRUE(answered) << answered.error().text;
    EXPECT_EQ(peer.keys(), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(answered->unseated, std::vector<std::uint64_t>{3});
    EXPECT_TRUE(answered->agreement.data);
    sdp::SessionDescription answer = parsed(answered->answer);
    EXPECT_EQ(answer.sections[0].direction, Direction::kSendOnly);
    EXPECT_EQ(answer.sections[0].msids[0], (sdp::Msid{"s1", "t1"}));
    EXPECT_EQ(peer.config(1).mid, "0");
    EXPECT_NE(peer.config(1).extensions.id_of(rtp::ExtensionKind::kMid), 0);
    EXPECT_NE(peer.config(2).extensions.id_of(rtp::ExtensionKind::kMid), 0);
    EXPECT_TRUE(peer.config(1).rtx_ssrc);
    EXPECT_FALSE(peer.config(2).rtx_ssrc);
    EXPECT_EQ(answer.sections[0].payloads.size(), 2u);  // One codec, and what repairs it.
  }
}

// Chromium offers for new sections what earlier ones agreed upon.
TEST(PeerAnswer, agrees_upon_the_same_extensions_whichever_way_a_section_goes) {
  auto extensions_of = [](const std::vector<PeerOutlet>& outlets) {
    TestPeering peer;
    auto answered = peer.answer(read_offer("chromium_viewer_data"), outlets);
    EXPECT_TRUE(answered);
    const sdp::SessionDescription answer = parsed(answered->answer);
    std::set<sdp::HeaderExtension> all;
    for (const sdp::ExtensionMap& map : answer.sections[0].extensions) all.insert(map.extension);
    return all;
  };
  const std::set<sdp::HeaderExtension> sent = extensions_of({video(1)});
  EXPECT_EQ(sent, extensions_of({}));
  EXPECT_TRUE(sent.contains(sdp::HeaderExtension::kRid));
  EXPECT_TRUE(sent.contains(sdp::HeaderExtension::kPlayoutDelay));
  TestPeering peer;
  ASSERT_TRUE(peer.answer(read_offer("chromium_viewer_data"), {video(1)}));
  EXPECT_EQ(peer.config(1).extensions.id_of(rtp::ExtensionKind::kTransportSequence), 4);
}

TEST(PeerAnswer, tells_what_no_section_can_decode_from_what_has_no_section) {
  sdp::SessionDescription offer = read_offer("chromium_viewer_data");
  std::erase_if(offer.sections[0].payloads,
                [](const sdp::Payload& payload) { return payload.codec != sdp::Codec::kVp8; });
  TestPeering peer;
  auto answered = peer.answer(offer, {video(1, payload::Encoding::kAv1), video(2), video(3)});
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->unsupported, std::vector<std::uint64_t>{1});
  EXPECT_EQ(answered->unseated, std::vector<std::uint64_t>{3});
  EXPECT_EQ(peer.keys(), std::vector<std::uint64_t>{2});
}

TEST(PeerAnswer, leaves_sections_without_an_outlet_open) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_viewer_data");
  auto answered = peer.answer(offer);
  sdp::SessionDescription answer = parsed(answered->answer);
  for (const sdp::MediaSection& section : answer.sections) EXPECT_FALSE(section.is_rejected());
  EXPECT_EQ(answer.sections[0].direction, Direction::kInactive);
  answered = peer.answer(offer, {video(1)});
  EXPECT_EQ(parsed(answered->answer).sections[0].direction, Direction::kSendOnly);
  EXPECT_EQ(parsed(answered->answer).session_version, answer.session_version + 1);
  EXPECT_EQ(parsed(answered->answer).session_id, answer.session_id);
}

TEST(PeerAnswer, keeps_numbers_of_sections_that_go_on) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_sendrecv");
  add_section(offer, 1, Direction::kRecvOnly);
  auto first = peer.answer(offer, {video(1)});
  ASSERT_EQ(first->tracks.size(), 2u);
  const OutletConfig before = peer.config(1);
  add_section(offer, 1, Direction::kSendOnly);
  add_section(offer, 1, Direction::kRecvOnly);
  auto second = peer.answer(offer, {video(2), video(1)});
  ASSERT_EQ(second->tracks.size(), 3u);
  EXPECT_FALSE(second->tracks[0].is_new);
  EXPECT_FALSE(second->tracks[1].is_new);
  EXPECT_TRUE(second->tracks[2].is_new);
  EXPECT_EQ(second->tracks[2].id, 2);
  EXPECT_EQ(peer.config(1).ssrc, before.ssrc);
  EXPECT_EQ(peer.config(1).rtx_ssrc, before.rtx_ssrc);
  EXPECT_EQ(peer.config(1).payload_type, before.payload_type);
  EXPECT_EQ(peer.config(1).mid, "2");
  EXPECT_EQ(peer.config(2).mid, "4");
  EXPECT_EQ(peer.negotiation.seated()[0].seat.key, 1u);
  EXPECT_EQ(parsed(first->answer).sections[2].sources, parsed(second->answer).sections[2].sources);
}

TEST(PeerAnswer, lets_a_section_rest_for_one_exchange_before_another_outlet_has_it) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_viewer_data");
  (void)peer.answer(offer, {video(1)});
  const std::uint32_t ssrc = peer.config(1).ssrc;
  auto resting = peer.answer(offer, {video(2)});
  EXPECT_EQ(parsed(resting->answer).sections[0].direction, Direction::kInactive);
  EXPECT_EQ(resting->unseated, std::vector<std::uint64_t>{2});
  auto given = peer.answer(offer, {video(2)});
  EXPECT_EQ(parsed(given->answer).sections[0].direction, Direction::kSendOnly);
  EXPECT_EQ(parsed(given->answer).sections[0].msids[0].track_id, "t2");
  EXPECT_NE(peer.config(2).ssrc, ssrc);
}

TEST(PeerAnswer, moves_an_outlet_whose_section_the_peer_takes_for_itself) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_viewer_data");
  (void)peer.answer(offer, {video(1)});
  const std::uint32_t ssrc = peer.config(1).ssrc;
  offer.sections[0].direction = Direction::kSendOnly;
  offer.sections[0].msids = {{"mine", "camera"}};
  add_section(offer, 0, Direction::kRecvOnly);
  auto answered = peer.answer(offer, {video(1)});
  ASSERT_EQ(answered->tracks.size(), 1u);
  EXPECT_EQ(answered->tracks[0].mid, "0");
  EXPECT_EQ(peer.config(1).mid, "3");
  EXPECT_NE(peer.config(1).ssrc, ssrc);
}

TEST(PeerAnswer, gives_an_outlet_of_another_encoding_another_section) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_viewer_data");
  add_section(offer, 0, Direction::kRecvOnly);
  (void)peer.answer(offer, {video(1)});
  EXPECT_EQ(peer.config(1).mid, "0");
  (void)peer.answer(offer, {video(1, payload::Encoding::kVp9)});
  EXPECT_EQ(peer.config(1).mid, "3");
  EXPECT_EQ(peer.config(1).encoding, payload::Encoding::kVp9);
}

TEST(PeerAnswer, begins_anew_with_another_mid_in_the_place_of_a_stopped_section) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  add_section(offer, 1, Direction::kRecvOnly);
  (void)peer.answer(offer, {video(1)});
  stop(offer, 1);
  stop(offer, 2);
  auto answered = peer.answer(offer, {video(1)});
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->tracks.size(), 1u);
  EXPECT_EQ(answered->unseated, std::vector<std::uint64_t>{1});
  EXPECT_TRUE(parsed(answered->answer).sections[1].is_rejected());
  // Their places, the other way round.
  for (std::size_t i : {1u, 2u}) {
    offer.sections[i].port = 9;
    offer.sections[i].mid = "again" + std::to_string(i);
    offer.bundles[0].push_back(offer.sections[i].mid);
  }
  offer.sections[1].direction = Direction::kRecvOnly;
  offer.sections[2].direction = Direction::kSendOnly;
  offer.sections[2].msids = {{"stream", "new"}};
  answered = peer.answer(offer, {video(1)});
  ASSERT_TRUE(answered) << answered.error().text;
  ASSERT_EQ(answered->tracks.size(), 2u);
  EXPECT_EQ(answered->tracks[1].mid, "again2");
  EXPECT_TRUE(answered->tracks[1].is_new);
  EXPECT_EQ(peer.config(1).mid, "again1");
}

TEST(PeerAnswer, knows_a_track_by_its_mid_and_a_new_one_by_its_msid) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  (void)peer.answer(offer);
  offer.sections[1].direction = Direction::kInactive;
  EXPECT_EQ(peer.answer(offer)->tracks.size(), 1u);
  add_section(offer, 1, Direction::kSendOnly);
  auto answered = peer.answer(offer);
  EXPECT_EQ(answered->tracks[1].id, 2);  // 1 is kept for the mid that rests.
  offer.sections[1].direction = Direction::kSendOnly;
  answered = peer.answer(offer);
  EXPECT_EQ(answered->tracks[1].id, 1);
  EXPECT_TRUE(answered->tracks[1].is_new);
  EXPECT_FALSE(answered->tracks[2].is_new);
  offer.sections[1].msids[0].track_id = "another";
  answered = peer.answer(offer);
  EXPECT_TRUE(answered->tracks[1].is_new);
  EXPECT_EQ(answered->tracks[1].id, 1);
  EXPECT_EQ(answered->tracks[1].track_id, "another");
  EXPECT_FALSE(peer.answer(offer)->tracks[1].is_new);
}

TEST(PeerAnswer, declines_senders_there_is_no_number_for_and_takes_them_when_there_is) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  while (offer.sections.size() < media::kTracksPerPublicationMax + 3u)
    add_section(offer, offer.sections.size() % 2, Direction::kSendOnly);
  auto answered = peer.answer(offer);
  ASSERT_TRUE(answered) << answered.error().text;
  EXPECT_EQ(answered->tracks.size(), static_cast<std::size_t>(media::kTracksPerPublicationMax));
  EXPECT_EQ(parsed(answered->answer).sections[18].direction, Direction::kInactive);
  EXPECT_FALSE(parsed(answered->answer).sections[18].is_rejected());
  // Those that flow are not disturbed by one that comes before them in the offer.
  offer.sections[0].direction = Direction::kInactive;
  answered = peer.answer(offer);
  EXPECT_EQ(answered->tracks.size(), static_cast<std::size_t>(media::kTracksPerPublicationMax));
  EXPECT_EQ(answered->tracks.back().mid, "16");
  EXPECT_EQ(answered->tracks.back().id, 0);  // Of the one that rests.
  offer.sections[0].direction = Direction::kSendOnly;
  answered = peer.answer(offer);
  EXPECT_EQ(answered->tracks.size(), static_cast<std::size_t>(media::kTracksPerPublicationMax));
  EXPECT_EQ(answered->tracks.front().mid, "1");
}

TEST(PeerAnswer, restarts_ice_with_new_credentials_only) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("firefox_publisher_simulcast");
  auto first = peer.answer(offer);
  EXPECT_EQ(parsed(first->answer).sections[0].ice->ufrag, "StoaUfrg0");
  EXPECT_FALSE(peer.answer(offer)->restarts_ice);
  for (sdp::MediaSection& section : offer.sections)
    section.ice = sdp::IceCredentials{"fresh", "FreshPasswordFreshPassword"};
  auto restarted = peer.answer(offer);
  EXPECT_TRUE(restarted->restarts_ice);
  EXPECT_EQ(restarted->remote.ice.ufrag, "fresh");
  EXPECT_EQ(parsed(restarted->answer).sections[0].ice->ufrag, "StoaUfrg9");
  EXPECT_FALSE(peer.answer(offer)->restarts_ice);
}

TEST(PeerAnswer, keeps_the_dtls_role_that_was_agreed_on) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  for (sdp::MediaSection& section : offer.sections) section.setup = sdp::DtlsSetup::kPassive;
  EXPECT_EQ(peer.answer(offer)->dtls_role, dtls::Role::kClient);
  for (sdp::MediaSection& section : offer.sections) section.setup = sdp::DtlsSetup::kActpass;
  EXPECT_EQ(peer.answer(offer)->dtls_role, dtls::Role::kClient);
  for (sdp::MediaSection& section : offer.sections) section.setup = sdp::DtlsSetup::kActive;
  EXPECT_EQ(peer.answer(offer).error().refusal, NegotiationRefusal::kTransportChanged);
}

TEST(PeerAnswer, refuses_what_no_browser_would_say_and_stays_as_it_was) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_sendrecv");
  add_section(offer, 1, Direction::kRecvOnly);
  ASSERT_TRUE(peer.answer(offer, {video(1)}));
  const std::uint32_t ssrc = peer.config(1).ssrc;
  auto refusal = [&](auto change) {
    sdp::SessionDescription changed = offer;
    change(changed);
    auto answered = peer.negotiation.answer(sdp::write(changed), {}, peer.local, make_local(9).ice);
    EXPECT_FALSE(answered);
    EXPECT_EQ(peer.config(1).ssrc, ssrc);
    return answered ? NegotiationRefusal::kNotExpected : answered.error().refusal;
  };
  EXPECT_EQ(refusal([](auto& o) { o.sections.pop_back(); }), NegotiationRefusal::kBadDescription);
  EXPECT_EQ(refusal([](auto& o) { o.sections.clear(); }), NegotiationRefusal::kBadDescription);
  EXPECT_EQ(refusal([](auto& o) { o.bundles.clear(); }), NegotiationRefusal::kNotBundled);
  EXPECT_EQ(
      refusal([](auto& o) { std::swap(o.sections[1].extensions[0].id, o.sections[1].extensions[1].id); }),
      NegotiationRefusal::kBadDescription);
  EXPECT_EQ(refusal([](auto& o) {
              for (auto& section : o.sections) section.fingerprints[0].digest[0] ^= 1;
            }),
            NegotiationRefusal::kTransportChanged);
  EXPECT_EQ(refusal([](auto& o) {
              for (auto& section : o.sections) section.port = 0;
            }),
            NegotiationRefusal::kNoCommonCodec);
  EXPECT_EQ(refusal([](auto& o) {
              for (auto& section : o.sections) section.ice.reset();
            }),
            NegotiationRefusal::kNoFingerprint);
  EXPECT_TRUE(peer.answer(offer, {video(1)}));
}

TEST(PeerAnswer, refuses_a_thousand_sections_and_takes_as_many_as_sdp_has_room_for) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("firefox_viewer_data");
  while (offer.sections.size() < sdp::kSectionsMax) add_section(offer, 0, Direction::kRecvOnly);
  std::vector<PeerOutlet> outlets;
  for (std::uint64_t key = 1; key < 300; ++key) outlets.push_back(video(key));
  auto answered = peer.answer(offer, outlets);
  ASSERT_TRUE(answered) << answered.error().text;
  EXPECT_EQ(peer.keys().size(), sdp::kSectionsMax - 2);
  EXPECT_EQ(answered->unseated.size(), 299 - (sdp::kSectionsMax - 2));
  while (offer.sections.size() < 1000) add_section(offer, 0, Direction::kRecvOnly);
  EXPECT_EQ(peer.answer(offer).error().refusal, NegotiationRefusal::kBadDescription);
}

TEST(PeerAnswer, does_not_seat_outlets_whose_names_are_no_words) {
  TestPeering peer;
  PeerOutlet bad = video(1);
  bad.track_id = "two words\r\na=x";
  PeerOutlet nameless = audio(2);
  nameless.stream_id.clear();
  auto answered = peer.answer(read_offer("chromium_viewer_data"), {bad, nameless});
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->unseated.size(), 2u);
}

// ---- Redundancy of sound.

TEST(PeerRed, stands_first_in_the_answer_to_a_publisher_that_prefers_it) {
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  const std::string track = offer.sections[0].msids[0].track_id;
  for (const bool is_wanted : {true, false}) {
    TestPeering peer;
    peer.negotiation.prefer(std::vector<PeerPreference>{{"another", {}, !is_wanted}, {track, {}, is_wanted}});
    auto answered = peer.answer(offer);
    ASSERT_TRUE(answered);
    const sdp::MediaSection section = parsed(answered->answer).sections[0];
    ASSERT_GE(section.payloads.size(), 1u);
    EXPECT_EQ(has_red(section), is_wanted);
    EXPECT_EQ(types_of(section),
              is_wanted ? (std::vector<std::uint8_t>{63, 111}) : (std::vector<std::uint8_t>{111}));
    EXPECT_EQ(answered->tracks[0].encoding, payload::Encoding::kOpus);
    EXPECT_EQ(answered->agreement.sections[0].codecs.front().codec, sdp::Codec::kOpus);
    if (!is_wanted) continue;
    EXPECT_EQ(section.payloads[0].format, sdp::CodecFormat(sdp::RedFormat{{111, 111}}));
    EXPECT_EQ(answered->agreement.sections[0].codecs.back().receive_payload_type, 63);
    // And it stays so.
    EXPECT_EQ(types_of(parsed(peer.answer(offer)->answer).sections[0]), types_of(section));
  }
}

TEST(PeerRed, is_not_asked_of_a_publisher_that_said_nothing_or_has_none_of_opus) {
  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_publisher_simulcast");
  EXPECT_FALSE(has_red(parsed(peer.answer(offer)->answer).sections[0]));
  peer.negotiation.prefer(std::vector<PeerPreference>{{offer.sections[0].msids[0].track_id, {}, true}});
  for (const sdp::RedFormat& format : {sdp::RedFormat{{111, 9}}, sdp::RedFormat{{9, 9}}, sdp::RedFormat{}}) {
    for (sdp::Payload& payload : offer.sections[0].payloads)
      if (payload.codec == sdp::Codec::kRed) payload.format = format;
    EXPECT_EQ(types_of(parsed(peer.answer(offer)->answer).sections[0]), std::vector<std::uint8_t>{111});
  }
  // By itself it is nothing.
  std::erase_if(offer.sections[0].payloads,
                [](const sdp::Payload& payload) { return payload.codec != sdp::Codec::kRed; });
  auto answered = TestPeering().answer(offer);
  ASSERT_TRUE(answered);
  EXPECT_TRUE(parsed(answered->answer).sections[0].is_rejected());
  EXPECT_FALSE(parsed(answered->answer).sections[1].is_rejected());
}

TEST(PeerRed, goes_to_who_offers_it_until_an_offer_has_it_no_more) {
  TestPeering fox;
  ASSERT_TRUE(fox.answer(read_offer("firefox_viewer_data"), {audio(1)}));
  EXPECT_FALSE(fox.config(1).red_payload_type);

  TestPeering peer;
  sdp::SessionDescription offer = read_offer("chromium_viewer_data"), without = offer;
  const std::size_t at = offer.sections[0].kind == MediaKind::kAudio ? 0 : 1;
  std::erase_if(without.sections[at].payloads,
                [](const sdp::Payload& payload) { return payload.codec == sdp::Codec::kRed; });
  for (int i = 0; i < 2; ++i) {
    auto answered = peer.answer(offer, {audio(1)});
    ASSERT_TRUE(answered);
    EXPECT_EQ(types_of(parsed(answered->answer).sections[at]), (std::vector<std::uint8_t>{111, 63}));
    EXPECT_EQ(peer.config(1).payload_type, 111);
    EXPECT_EQ(peer.config(1).red_payload_type, 63);
  }
  const std::uint32_t ssrc = peer.config(1).ssrc;
  for (const sdp::SessionDescription& later : {without, offer}) {
    auto answered = peer.answer(later, {audio(1)});
    ASSERT_TRUE(answered);
    EXPECT_EQ(types_of(parsed(answered->answer).sections[at]), std::vector<std::uint8_t>{111});
    EXPECT_FALSE(peer.config(1).red_payload_type);
    EXPECT_EQ(peer.config(1).ssrc, ssrc);
  }
}

TEST(PeerRed, is_in_our_offers_and_is_what_the_answer_says) {
  TestPeering peer;
  sdp::SessionDescription offer = peer.offer({audio(1), audio(2), video(3)});
  for (std::size_t i : {1u, 2u}) {
    const auto& payloads = offer.sections[i].payloads;
    ASSERT_EQ(payloads.size(), 2u);
    EXPECT_EQ(payloads[0].codec, sdp::Codec::kOpus);
    EXPECT_EQ(payloads[1], opus_red(static_cast<std::uint8_t>(payloads[0].type + 1), payloads[0].type));
  }
  EXPECT_EQ(offer.sections[1].payloads, offer.sections[2].payloads);
  sdp::SessionDescription answer = TestPeering::answer_to(offer);
  std::erase_if(answer.sections[2].payloads,
                [](const sdp::Payload& payload) { return payload.codec == sdp::Codec::kRed; });
  ASSERT_TRUE(peer.accept(answer));
  EXPECT_EQ(peer.config(1).red_payload_type, offer.sections[1].payloads[1].type);
  EXPECT_EQ(peer.config(1).payload_type, offer.sections[1].payloads[0].type);
  EXPECT_FALSE(peer.config(2).red_payload_type);
  // An answer that has it no more, and one that has it again.
  const std::uint32_t ssrc = peer.config(1).ssrc;
  for (const bool takes_red : {false, true}) {
    auto accepted =
        peer.accept(TestPeering::answer_to(peer.offer({audio(1), audio(2), video(3)}), takes_red));
    ASSERT_TRUE(accepted);
    EXPECT_TRUE(accepted->rejected.empty());
    EXPECT_FALSE(peer.config(1).red_payload_type);
    EXPECT_EQ(peer.config(1).ssrc, ssrc);
  }
}

// ---- Our offers.

// Either way: what we are sent has it, and who receives is told that there may be some (RFC 7587 §6.1).
TEST(PeerOffer, has_in_band_correction_of_sound_and_so_have_answers) {
  auto has_correction = [](const sdp::SessionDescription& description) {
    for (const sdp::MediaSection& section : description.sections)
      for (const sdp::Payload& payload : section.payloads)
        if (payload.codec == sdp::Codec::kOpus)
          return std::get<sdp::OpusFormat>(payload.format).use_inband_fec;
    return false;
  };
  TestPeering ours;
  EXPECT_TRUE(has_correction(ours.offer({audio(1)})));
  for (const char* name : {"chromium_publisher_simulcast", "chromium_viewer_data", "firefox_viewer_data"}) {
    TestPeering peer;
    auto answered = peer.answer(read_offer(name), {audio(1)});
    ASSERT_TRUE(answered) << name;
    EXPECT_TRUE(has_correction(parsed(answered->answer))) << name;
  }
}

TEST(PeerOffer, always_has_data_and_one_codec_in_each_section) {
  TestPeering peer;
  sdp::SessionDescription first = peer.offer({});
  ASSERT_EQ(first.sections.size(), 1u);
  EXPECT_EQ(first.sections[0].kind, MediaKind::kData);
  EXPECT_EQ(first.sections[0].setup, sdp::DtlsSetup::kActpass);
  EXPECT_EQ(first.sections[0].candidates.size(), 1u);
  EXPECT_TRUE(first.is_ice_lite);
  auto accepted = peer.accept(TestPeering::answer_to(first));
  ASSERT_TRUE(accepted) << accepted.error().text;
  EXPECT_TRUE(accepted->agreement.data);
  EXPECT_EQ(accepted->dtls_role, dtls::Role::kServer);

  sdp::SessionDescription offer =
      peer.offer({video(1), audio(2), video(3, payload::Encoding::kH264, {0x42, 0xe0, 0x1f}),
                  video(4, payload::Encoding::kVp9), video(5, payload::Encoding::kAv1)});
  ASSERT_EQ(offer.sections.size(), 6u);
  ASSERT_EQ(offer.bundles.size(), 1u);
  EXPECT_EQ(offer.bundles[0].size(), 6u);
  for (std::size_t i = 1; i < offer.sections.size(); ++i) {
    const sdp::MediaSection& section = offer.sections[i];
    EXPECT_EQ(section.direction, Direction::kSendOnly);
    EXPECT_EQ(section.payloads.size(), 2u);  // The codec, and what repairs it.
    EXPECT_EQ(section.msids.size(), 1u);
    EXPECT_TRUE(section.candidates.empty());
    EXPECT_EQ(section.extensions[0].id != 0, true);
  }
  EXPECT_EQ(std::get<sdp::H264Format>(offer.sections[3].payloads[0].format).profile_level_id, 0x42e01fu);
  EXPECT_EQ(offer.session_version, first.session_version + 1);
}

TEST(PeerOffer, seats_what_the_peer_takes_and_tells_what_it_does_not) {
  TestPeering peer;
  sdp::SessionDescription offer = peer.offer({video(1), video(2), audio(3)});
  for (const SeatedOutlet& one : peer.negotiation.seated()) EXPECT_FALSE(one.config);
  sdp::SessionDescription answer = TestPeering::answer_to(offer);
  answer.sections[2].port = 0;
  std::erase(answer.bundles[0], answer.sections[2].mid);
  answer.sections[3].direction = Direction::kInactive;
  auto accepted = peer.accept(answer);
  ASSERT_TRUE(accepted) << accepted.error().text;
  EXPECT_EQ(accepted->rejected, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(peer.keys(), std::vector<std::uint64_t>{1});
  EXPECT_EQ(peer.config(1).mid, offer.sections[1].mid);
  EXPECT_EQ(peer.config(1).payload_type, offer.sections[1].payloads[0].type);
  EXPECT_EQ(peer.config(1).rtx_payload_type, offer.sections[1].payloads[1].type);
  EXPECT_EQ(peer.config(1).extensions.id_of(rtp::ExtensionKind::kMid), 1);
  // The place that was stopped gets another mid, the one that rests another track.
  offer = peer.offer({video(1), audio(4), video(5)});
  EXPECT_EQ(offer.sections.size(), 4u);
  EXPECT_EQ(offer.sections[2].msids[0].track_id, "t5");
  EXPECT_EQ(offer.sections[2].mid, "4");
  EXPECT_EQ(offer.sections[3].msids[0].track_id, "t4");
}

TEST(PeerOffer, lets_a_section_rest_until_both_said_it_is_inactive) {
  TestPeering peer;
  peer.serve({video(1), video(2)});
  const std::string mid = peer.config(1).mid;
  const std::uint32_t ssrc = peer.config(1).ssrc;
  sdp::SessionDescription offer = peer.offer({video(2), video(3)});
  EXPECT_EQ(offer.sections[index_of(offer, mid)].direction, Direction::kInactive);
  EXPECT_EQ(offer.sections.size(), 4u);
  // Leaves while its offer is not answered: its section was offered as active.
  peer.negotiation.release(std::vector{video(3)});
  EXPECT_FALSE(peer.negotiation.offer(std::vector{video(3)}, peer.local));
  ASSERT_TRUE(peer.accept(TestPeering::answer_to(offer)));
  EXPECT_EQ(peer.keys(), std::vector<std::uint64_t>{3});
  offer = peer.offer({video(3), video(4), video(5)});
  EXPECT_EQ(offer.sections.size(), 5u);
  EXPECT_EQ(offer.sections[index_of(offer, mid)].msids[0].track_id, "t4");
  EXPECT_EQ(offer.sections[2].direction, Direction::kInactive);
  EXPECT_EQ(offer.sections[4].msids[0].track_id, "t5");
  ASSERT_TRUE(peer.accept(TestPeering::answer_to(offer)));
  EXPECT_NE(peer.config(4).ssrc, ssrc);
}

TEST(PeerOffer, keeps_payload_types_and_extension_ids_whatever_comes_and_goes) {
  TestPeering peer;
  std::map<int, std::string> types;  // Codec and format, by number.
  std::map<int, sdp::HeaderExtension> ids;
  auto look = [&](const sdp::SessionDescription& offer) {
    for (const sdp::MediaSection& section : offer.sections) {
      if (section.is_rejected()) continue;
      for (const sdp::Payload& payload : section.payloads) {
        std::string what = payload.name + " " + sdp::write_format(payload.format);
        EXPECT_EQ(types.emplace(payload.type, what).first->second, what);
      }
      for (const sdp::ExtensionMap& map : section.extensions)
        EXPECT_EQ(ids.emplace(map.id, map.extension).first->second, map.extension);
    }
  };
  Rng rng(3);
  const payload::Encoding encodings[] = {payload::Encoding::kVp8, payload::Encoding::kVp9,
                                         payload::Encoding::kAv1, payload::Encoding::kH264,
                                         payload::Encoding::kOpus};
  std::vector<PeerOutlet> outlets;
  for (std::uint64_t key = 1; key < 200; ++key) {
    if (outlets.size() > 5) outlets.erase(outlets.begin() + static_cast<std::ptrdiff_t>(rng.below(5)));
    std::array<std::uint8_t, 3> profile{};
    const payload::Encoding encoding = encodings[rng.below(5)];
    if (encoding == payload::Encoding::kH264)
      profile = {static_cast<std::uint8_t>(rng.below(2) == 0 ? 0x64 : 0x4d), 0, 0x1f};
    outlets.push_back(video(key, encoding, profile));
    sdp::SessionDescription offer = peer.offer(outlets);
    EXPECT_TRUE(peer.unseated.empty());
    look(offer);
    sdp::SessionDescription answer = TestPeering::answer_to(offer);
    const std::size_t stopped = 1 + rng.below(answer.sections.size() - 1);
    if (rng.below(8) == 0) {
      answer.sections[stopped].port = 0;
      std::erase(answer.bundles[0], answer.sections[stopped].mid);
    }
    ASSERT_TRUE(peer.accept(answer));
    ASSERT_LT(offer.sections.size(), 30u);
  }
}

TEST(PeerOffer, names_h264_by_a_profile_that_browsers_have_a_word_for) {
  TestPeering peer;
  // Constrained High; High; and baseline for who has no word for either.
  sdp::SessionDescription offer = peer.offer({video(1, payload::Encoding::kH264, {0x64, 0x0c, 0x28})});
  auto profile = [&](std::size_t i) {
    return std::get<sdp::H264Format>(offer.sections[1].payloads[i].format).profile_level_id;
  };
  ASSERT_EQ(offer.sections[1].payloads.size(), 4u);
  EXPECT_EQ(profile(0), 0x64001fu);
  EXPECT_EQ(profile(2), 0x42e01fu);
  sdp::SessionDescription answer = TestPeering::answer_to(offer);
  std::erase_if(answer.sections[1].payloads, [&](const sdp::Payload& payload) {
    return payload.type != offer.sections[1].payloads[2].type;
  });
  ASSERT_TRUE(peer.accept(answer));
  EXPECT_EQ(peer.config(1).payload_type, offer.sections[1].payloads[2].type);
}

TEST(PeerOffer, leaves_out_profiles_that_there_are_not) {
  TestPeering peer;
  sdp::SessionDescription offer =
      peer.offer({video(1, payload::Encoding::kAv1, {100}), video(2, payload::Encoding::kVp9, {100}),
                  video(3, payload::Encoding::kHevc, {100}), video(4, payload::Encoding::kH264, {100})});
  EXPECT_EQ(peer.unseated, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(offer.sections.size(), 2u);
}

TEST(PeerOffer, uses_ssrcs_again_when_a_key_has_no_room_for_more) {
  TestPeering peer;
  std::set<std::uint32_t> ssrcs;
  std::uint32_t first = 0;
  bool came_again = false;
  for (std::uint64_t key = 1; key < 2000 && !came_again; ++key) {
    peer.serve({video(key)});
    ASSERT_TRUE(peer.unseated.empty()) << key;
    if (key == 1) first = peer.config(1).ssrc;
    came_again = !ssrcs.insert(peer.config(key).ssrc).second;
    EXPECT_TRUE(!came_again || peer.config(key).ssrc == first);
  }
  EXPECT_TRUE(came_again);
  EXPECT_EQ(ssrcs.size(), srtp::kSendStreamsMax / 2);
}

TEST(PeerOffer, refuses_an_answer_of_another_peer) {
  TestPeering peer;
  peer.serve({video(1)});
  sdp::SessionDescription offer = peer.offer({video(1), video(2)});
  auto refusal = [&](auto change) {
    sdp::SessionDescription answer = TestPeering::answer_to(offer);
    change(answer);
    auto accepted = peer.accept(answer);
    EXPECT_FALSE(accepted);
    EXPECT_TRUE(peer.negotiation.has_open_offer());
    EXPECT_EQ(peer.keys().size(), 2u);
    return accepted ? NegotiationRefusal::kNotExpected : accepted.error().refusal;
  };
  EXPECT_EQ(refusal([](auto& a) {
              for (auto& section : a.sections) section.fingerprints[0].digest[0] ^= 1;
            }),
            NegotiationRefusal::kTransportChanged);
  EXPECT_EQ(refusal([](auto& a) {
              for (auto& section : a.sections) section.setup = sdp::DtlsSetup::kPassive;
            }),
            NegotiationRefusal::kTransportChanged);
  EXPECT_EQ(refusal([](auto& a) {
              for (auto& section : a.sections) section.ice->password += "x";
            }),
            NegotiationRefusal::kTransportChanged);
  EXPECT_EQ(refusal([](auto& a) { a.sections.pop_back(); }), NegotiationRefusal::kBadDescription);
  EXPECT_EQ(refusal([](auto& a) { a.sections[1].mid = "other"; }), NegotiationRefusal::kBadDescription);
  EXPECT_EQ(peer.negotiation.accept("v=1", false).error().refusal, NegotiationRefusal::kBadDescription);
  EXPECT_TRUE(peer.accept(TestPeering::answer_to(offer)));
  EXPECT_EQ(peer.accept(TestPeering::answer_to(offer)).error().refusal, NegotiationRefusal::kNotExpected);
}

TEST(PeerOffer, leaves_out_what_there_is_no_section_for) {
  TestPeering peer;
  std::vector<PeerOutlet> outlets;
  for (std::uint64_t key = 1; key <= 300; ++key) outlets.push_back(audio(key));
  sdp::SessionDescription offer = peer.offer(outlets);
  EXPECT_EQ(offer.sections.size(), sdp::kSectionsMax);
  EXPECT_EQ(peer.unseated.size(), 300 - (sdp::kSectionsMax - 1));
  EXPECT_TRUE(peer.accept(TestPeering::answer_to(offer)));
}

}  // namespace
}  // namespace stoa::webrtc

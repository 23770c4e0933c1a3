#include "proto/sdp/negotiate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "proto/sdp/test_descriptions.h"

namespace stoa::sdp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SessionDescription parsed(std::string_view text) {
  auto description = parse(text);
  EXPECT_TRUE(description) << name_of(description.error().refusal) << " in line " << description.error().line;
  return description ? std::move(*description) : SessionDescription{};
}

Local make_local() {
  Local local{.session_id = 42, .session_version = 1};
  local.ice = {"stoa", "0123456789012345678901"};
  local.is_ice_lite = true;
  local.candidates.push_back(
      {.foundation = "1", .priority = 2130706431, .address = "192.0.2.1", .port = 7882});
  local.has_end_of_candidates = true;
  local.fingerprints.push_back(make_fingerprint(HashFunction::kSha256, Buffer(32, 0x5a)));
  return local;
}

// A server that takes and sends all it can.
struct Server {
  Local local = make_local();
  MediaSupport audio = make_audio_support();
  MediaSupport video = make_video_support();
  Direction direction = Direction::kSendRecv;
  std::optional<LocalSource> source;

  Result<SessionDescription, Refusal> answer(const SessionDescription& offer) const {
    std::vector<SectionIntent> intents;
    for (const MediaSection& section : offer.sections) {
      SectionIntent intent{.direction = direction};
      if (section.kind == MediaKind::kAudio) intent.media = &audio;
      if (section.kind == MediaKind::kVideo) {
        intent.media = &video;
        intent.source = source;
      }
      if (section.kind == MediaKind::kData)
        intent.data = SctpParameters{.port = 5001, .max_message_bytes = 1000};
      intents.push_back(std::move(intent));
    }
    return make_answer(offer, local, intents);
  }
};

SessionDescription answered(const Server& server, const SessionDescription& offer) {
  auto answer = server.answer(offer);
  EXPECT_TRUE(answer) << name_of(answer.error());
  return answer ? parsed(write(*answer)) : SessionDescription{};
}

Agreement agreed(const SessionDescription& offer, const SessionDescription& answer, Side side) {
  auto agreement = agree(offer, answer, side);
  EXPECT_TRUE(agreement) << name_of(agreement.error());
  return agreement ? std::move(*agreement) : Agreement{};
}

std::vector<int> types_of(const MediaSection& section) {
  std::vector<int> types;
  for (const Payload& payload : section.payloads) types.push_back(payload.type);
  return types;
}

Refusal refusal_of(const Server& server, const SessionDescription& offer) {
  auto answer = server.answer(offer);
  EXPECT_FALSE(answer);
  return answer ? Refusal::kTooLarge : answer.error();
}

TEST(Answer, to_a_chromium_publisher_takes_its_codecs_layers_and_data) {
  SessionDescription offer = parsed(kChromiumOffer);
  SessionDescription answer = answered(Server{}, offer);
  EXPECT_TRUE(answer.is_ice_lite);
  EXPECT_THAT(answer.bundles, ElementsAre(ElementsAre("0", "1", "2")));
  ASSERT_EQ(answer.sections.size(), 3u);

  const MediaSection &audio = answer.sections[0], &video = answer.sections[1], &data = answer.sections[2];
  EXPECT_THAT(types_of(audio), ElementsAre(111, 9, 8, 0));
  EXPECT_EQ(audio.direction, Direction::kRecvOnly);
  EXPECT_EQ(audio.setup, DtlsSetup::kPassive);
  EXPECT_EQ(audio.candidates.size(), 1u);
  EXPECT_TRUE(std::get<OpusFormat>(audio.payloads[0].format).stereo);
  EXPECT_EQ(audio.payloads[0].feedback, Feedback{.transport_cc = true});

  // High before constrained baseline before baseline, which only the rule "any profile" takes; then our
  // other codecs in our order; then the repairs of all. RED and ULPFEC are not ours.
  EXPECT_THAT(types_of(video),
              ElementsAre(39, 114, 103, 107, 45, 49, 98, 100, 96, 40, 115, 104, 108, 46, 50, 99, 101, 97));
  EXPECT_EQ(std::get<H264Format>(video.payloads[0].format).profile_level_id, 0x640034u);
  EXPECT_EQ(std::get<H264Format>(video.payloads[2].format).profile_level_id, 0x420034u);
  EXPECT_THAT(video.candidates, IsEmpty());
  EXPECT_EQ(video.ice->ufrag, "stoa");
  EXPECT_EQ(video.rids.size(), 3u);
  EXPECT_FALSE(video.rids[0].is_send);
  ASSERT_TRUE(video.simulcast);
  EXPECT_EQ(video.simulcast->receive.size(), 3u);
  EXPECT_EQ(video.extensions.size(), 8u);

  EXPECT_EQ(data.port, 9);
  EXPECT_EQ(data.sctp->port, 5001);
  EXPECT_EQ(data.sctp->max_message_bytes, 1000u);
}

TEST(Agreement, with_a_chromium_publisher_says_what_a_session_needs) {
  SessionDescription offer = parsed(kChromiumOffer);
  Agreement ours = agreed(offer, answered(Server{}, offer), Side::kAnswerer);
  EXPECT_EQ(ours.remote_ice.ufrag, "gKrq");
  EXPECT_EQ(ours.remote_fingerprints.size(), 1u);
  EXPECT_EQ(ours.dtls_role, DtlsRole::kServer);
  EXPECT_TRUE(ours.remote_ice_options.trickle);
  EXPECT_FALSE(ours.is_remote_ice_lite);
  ASSERT_EQ(ours.sections.size(), 2u);

  const AgreedSection& audio = ours.sections[0];
  EXPECT_EQ(audio.direction, Direction::kRecvOnly);
  EXPECT_EQ(audio.remote_cname, "Qw8Zr1");
  EXPECT_THAT(audio.remote_msids, ElementsAre(Msid{"5f1c-stream", "0a7b-audio"}));
  ASSERT_EQ(audio.receive_layers.size(), 1u);
  EXPECT_EQ(audio.receive_layers[0].ssrc, 1102030405u);
  EXPECT_THAT(audio.send_layers, IsEmpty());

  const AgreedSection& video = *ours.find_section("1");
  EXPECT_EQ(video.codecs[0].codec, Codec::kH264);
  EXPECT_EQ(video.codecs[0].receive_payload_type, 39);
  EXPECT_EQ(video.codecs[0].receive_rtx_type, 40);
  EXPECT_EQ(std::get<H264Format>(video.codecs[0].send_format).profile_level_id, 0x64001fu);
  ASSERT_EQ(video.receive_layers.size(), 3u);
  EXPECT_EQ(video.receive_layers[1].rid, "h");
  EXPECT_TRUE(video.has_extmap_allow_mixed && video.has_rtcp_rsize);
  auto rid = std::find_if(video.extensions.begin(), video.extensions.end(),
                          [](auto& extension) { return extension.extension == HeaderExtension::kRid; });
  ASSERT_NE(rid, video.extensions.end());
  EXPECT_EQ(rid->id, 10);
  EXPECT_TRUE(rid->can_send && rid->can_receive);

  ASSERT_TRUE(ours.data);
  EXPECT_EQ(ours.data->local_port, 5001);
  EXPECT_EQ(ours.data->remote_port, 5000);
  EXPECT_EQ(ours.data->send_message_bytes_max, 262144u);
}

TEST(Answer, to_a_firefox_viewer_takes_bundle_only_sections_and_names_its_source) {
  SessionDescription offer = parsed(kFirefoxOffer);
  Server server;
  server.direction = Direction::kSendOnly;
  server.source = LocalSource{{"live", "video"}, "stoa-cname", 1000, 1001};
  SessionDescription answer = answered(server, offer);
  const MediaSection& video = answer.sections[1];
  EXPECT_EQ(video.port, 9);
  EXPECT_FALSE(video.is_bundle_only);
  EXPECT_EQ(video.direction, Direction::kSendOnly);
  EXPECT_THAT(types_of(video), ElementsAre(126, 97, 120, 127, 98, 124));
  EXPECT_THAT(video.msids, ElementsAre(Msid{"live", "video"}));
  EXPECT_THAT(video.source_groups[0].ssrcs, ElementsAre(1000u, 1001u));
  // What the viewer only receives, we only send.
  auto playout = std::find_if(video.extensions.begin(), video.extensions.end(),
                              [](auto& map) { return map.extension == HeaderExtension::kPlayoutDelay; });
  EXPECT_EQ(playout->direction, Direction::kSendOnly);

  Agreement ours = agreed(offer, answer, Side::kAnswerer), theirs = agreed(offer, answer, Side::kOfferer);
  EXPECT_EQ(ours.sections[1].send_layers, (std::vector<Layer>{{.ssrc = 1000, .rtx_ssrc = 1001}}));
  EXPECT_EQ(theirs.sections[1].receive_layers, ours.sections[1].send_layers);
  EXPECT_THAT(ours.sections[1].receive_layers, IsEmpty());
  EXPECT_EQ(theirs.dtls_role, DtlsRole::kClient);
  EXPECT_TRUE(theirs.is_remote_ice_lite);
  EXPECT_TRUE(ours.has_remote_end_of_candidates);
  EXPECT_EQ(ours.remote_candidates.size(), 2u);
}

TEST(Answer, to_obs_and_gstreamer_and_aiortc_is_one_they_agree_on) {
  for (std::string_view text : {kObsOffer, kGstreamerOffer, kAiortcOffer}) {
    SessionDescription offer = parsed(text);
    SessionDescription answer = answered(Server{}, offer);
    Agreement ours = agreed(offer, answer, Side::kAnswerer), theirs = agreed(offer, answer, Side::kOfferer);
    ASSERT_EQ(ours.sections.size(), theirs.sections.size());
    EXPECT_EQ(ours.sections.size() + (ours.data ? 1 : 0), 2u);
    for (std::size_t i = 0; i < ours.sections.size(); ++i) {
      const AgreedCodec &our = ours.sections[i].codecs[0], &their = theirs.sections[i].codecs[0];
      EXPECT_EQ(our.send_payload_type, their.receive_payload_type);
      EXPECT_EQ(our.send_format, their.receive_format);
      EXPECT_EQ(ours.sections[i].receive_layers, theirs.sections[i].send_layers);
      EXPECT_EQ(ours.sections[i].direction, reversed(theirs.sections[i].direction));
    }
  }
}

TEST(Answer, to_an_old_data_section_keeps_its_port) {
  SessionDescription answer = answered(Server{}, parsed(kAiortcOffer));
  EXPECT_TRUE(answer.sections[1].sctp->is_old_syntax);
  EXPECT_EQ(answer.sections[1].sctp->port, 5000);
  EXPECT_THAT(answer.sections[1].formats, ElementsAre("5000"));
}

TEST(Answer, keeps_as_many_codecs_and_layers_as_are_wanted) {
  Server server;
  server.video.codecs_max = 1;
  server.video.simulcast_streams_max = 2;
  SessionDescription answer = answered(server, parsed(kChromiumOffer));
  EXPECT_THAT(types_of(answer.sections[1]), ElementsAre(39, 40));
  EXPECT_EQ(answer.sections[1].simulcast->receive.size(), 2u);
  EXPECT_EQ(answer.sections[1].rids.size(), 2u);
  server.video.simulcast_streams_max = 0;
  answer = answered(server, parsed(kChromiumOffer));
  EXPECT_FALSE(answer.sections[1].simulcast);
  EXPECT_THAT(answer.sections[1].rids, IsEmpty());
}

TEST(Answer, follows_the_order_of_the_offer_when_told_to) {
  Server server;
  server.video.prefers_own_order = false;
  EXPECT_EQ(answered(server, parsed(kChromiumOffer)).sections[1].payloads[0].type, 96);
}

TEST(Answer, takes_a_simulcast_only_with_the_extensions_that_tell_its_streams) {
  Server server;
  std::erase(server.video.extensions, HeaderExtension::kRid);
  EXPECT_FALSE(answered(server, parsed(kChromiumOffer)).sections[1].simulcast);
}

TEST(Answer, keeps_redundancy_only_of_what_it_takes) {
  Server server;
  Payload red = make_payload(63, Codec::kRed);
  red.clock_rate = 48'000;
  red.channels = 2;
  server.audio.codecs.push_back({.payload = red});
  EXPECT_THAT(types_of(answered(server, parsed(kChromiumOffer)).sections[0]), ElementsAre(111, 9, 8, 0, 63));
  server.audio.prefers_red = true;
  EXPECT_THAT(types_of(answered(server, parsed(kChromiumOffer)).sections[0]), ElementsAre(63, 111, 9, 8, 0));
  // The codec to use is never the redundancy, wherever that stands.
  const SessionDescription offer = parsed(kChromiumOffer);
  EXPECT_EQ(agreed(offer, answered(server, offer), Side::kAnswerer).sections[0].codecs[0].codec,
            Codec::kOpus);
  std::erase_if(server.audio.codecs, [](auto& codec) { return codec.payload.codec == Codec::kOpus; });
  EXPECT_THAT(types_of(answered(server, parsed(kChromiumOffer)).sections[0]), ElementsAre(9, 8, 0));
}

TEST(Answer, states_the_bandwidth_that_is_taken) {
  Server server;
  server.video.receive_bps_max = 2'500'000;
  SessionDescription offer = parsed(kChromiumOffer), answer = answered(server, offer);
  EXPECT_EQ(answer.sections[1].bandwidth.as_kbps, 2500u);
  EXPECT_EQ(agreed(offer, answer, Side::kOfferer).sections[1].send_bps_max, 2'500'000u);
}

TEST(Answer, rejects_sections_one_by_one) {
  SessionDescription offer = parsed(kChromiumOffer);
  Server server;
  server.video.codecs.clear();
  SessionDescription answer = answered(server, offer);
  EXPECT_TRUE(answer.sections[1].is_rejected());
  EXPECT_EQ(answer.sections[1].mid, "1");
  EXPECT_THAT(answer.bundles, ElementsAre(ElementsAre("0", "2")));
  EXPECT_EQ(agreed(offer, answer, Side::kAnswerer).sections.size(), 1u);
}

TEST(Answer, gives_rejected_sections_what_strict_clients_look_for) {
  Server server;
  server.audio.codecs.clear();
  SessionDescription answer = answered(server, parsed(kChromiumOffer));
  const MediaSection &rejected = answer.sections[0], &tagged = answer.sections[1];
  ASSERT_TRUE(rejected.is_rejected());
  ASSERT_TRUE(rejected.ice && tagged.ice);
  EXPECT_EQ(rejected.ice->ufrag, tagged.ice->ufrag);
  EXPECT_EQ(rejected.fingerprints.size(), 1u);
  EXPECT_EQ(rejected.setup, tagged.setup);
  EXPECT_TRUE(rejected.has_rtcp_mux);
  EXPECT_THAT(rejected.candidates, IsEmpty());
  EXPECT_THAT(answer.bundles, ElementsAre(ElementsAre("1", "2")));
}

TEST(Answer, moves_the_tag_when_the_first_section_is_rejected) {
  SessionDescription offer = parsed(kChromiumOffer);
  Server server;
  server.audio.codecs.clear();
  SessionDescription answer = answered(server, offer);
  EXPECT_THAT(answer.bundles, ElementsAre(ElementsAre("1", "2")));
  EXPECT_EQ(answer.sections[1].candidates.size(), 1u);
  EXPECT_EQ(agreed(offer, answer, Side::kOfferer).remote_candidates.size(), 1u);
}

TEST(Answer, takes_only_the_first_section_where_nothing_is_bundled) {
  SessionDescription offer = parsed(kChromiumOffer);
  offer.bundles.clear();
  SessionDescription answer = answered(Server{}, offer);
  EXPECT_FALSE(answer.sections[0].is_rejected());
  EXPECT_TRUE(answer.sections[1].is_rejected() && answer.sections[2].is_rejected());
  EXPECT_THAT(answer.bundles, IsEmpty());
  agreed(offer, answer, Side::kAnswerer);
}

TEST(Answer, needs_rtcp_mux) {
  SessionDescription offer = parsed(kObsOffer);
  offer.sections[0].has_rtcp_mux = offer.sections[1].has_rtcp_mux = false;
  EXPECT_EQ(refusal_of(Server{}, offer), Refusal::kNoCommonMedia);
}

TEST(Answer, does_not_take_payload_types_that_look_like_rtcp) {
  SessionDescription offer = parsed(kObsOffer);
  offer.sections[1].payloads[0].type = 72;
  EXPECT_TRUE(answered(Server{}, offer).sections[1].is_rejected());
}

TEST(Answer, takes_wide_extension_ids_only_where_forms_may_mix_and_names_those_left_open) {
  SessionDescription offer = parsed(kObsOffer);
  offer.sections[1].extensions = {{.id = 16, .extension = HeaderExtension::kMid},
                                  {.id = 4096, .extension = HeaderExtension::kPlayoutDelay},
                                  {.id = 1, .extension = HeaderExtension::kVideoOrientation}};
  SessionDescription answer = answered(Server{}, offer);
  EXPECT_THAT(answer.sections[1].extensions,
              ElementsAre(ExtensionMap{.id = 2, .extension = HeaderExtension::kPlayoutDelay},
                          ExtensionMap{.id = 1, .extension = HeaderExtension::kVideoOrientation}));
  Agreement ours = agreed(offer, answer, Side::kAnswerer);
  EXPECT_EQ(ours.sections[1].extensions.size(), 2u);
  offer.sections[1].has_extmap_allow_mixed = true;
  EXPECT_EQ(answered(Server{}, offer).sections[1].extensions[0].id, 16);
}

TEST(Answer, takes_the_dtls_role_that_the_offer_leaves) {
  SessionDescription offer = parsed(kObsOffer);
  auto role = [&](std::optional<DtlsSetup> setup, DtlsSetup own) {
    for (MediaSection& section : offer.sections) section.setup = setup;
    Server server;
    server.local.setup = own;
    SessionDescription answer = answered(server, offer);
    return agreed(offer, answer, Side::kAnswerer).dtls_role;
  };
  EXPECT_EQ(role(DtlsSetup::kActpass, DtlsSetup::kPassive), DtlsRole::kServer);
  EXPECT_EQ(role(DtlsSetup::kActpass, DtlsSetup::kActive), DtlsRole::kClient);
  EXPECT_EQ(role(DtlsSetup::kPassive, DtlsSetup::kPassive), DtlsRole::kClient);
  EXPECT_EQ(role(DtlsSetup::kActive, DtlsSetup::kActive), DtlsRole::kServer);
  EXPECT_EQ(role(std::nullopt, DtlsSetup::kPassive), DtlsRole::kServer);
  offer.sections[0].setup = DtlsSetup::kHoldconn;
  EXPECT_EQ(refusal_of(Server{}, offer), Refusal::kBadRole);
}

TEST(Answer, is_refused_with_what_is_missing) {
  SessionDescription offer = parsed(kObsOffer);
  SessionDescription bare = offer;
  for (MediaSection& section : bare.sections) section.ice.reset();
  EXPECT_EQ(refusal_of(Server{}, bare), Refusal::kNoIce);
  bare = offer;
  for (MediaSection& section : bare.sections) section.fingerprints.clear();
  EXPECT_EQ(refusal_of(Server{}, bare), Refusal::kNoFingerprint);
  EXPECT_EQ(make_answer(offer, make_local(), {}).error(), Refusal::kNoCommonMedia);
  bare = offer;
  bare.sections[1].payloads[0].type = 111;
  EXPECT_EQ(refusal_of(Server{}, bare), Refusal::kPayloadTypeConflict);
  bare = offer;
  bare.sections[0].extensions = {{.id = 3, .extension = HeaderExtension::kMid}};
  bare.sections[1].extensions = {{.id = 3, .extension = HeaderExtension::kPlayoutDelay}};
  EXPECT_EQ(refusal_of(Server{}, bare), Refusal::kExtensionConflict);
  Server server;
  server.source = LocalSource{{"two words", ""}, "cname", 1, {}};
  EXPECT_EQ(refusal_of(server, offer), Refusal::kBadMsid);
}

struct Client {
  Local local = make_local();
  MediaSupport audio = make_audio_support();
  MediaSupport video = make_video_support();
  std::vector<OfferedSection> sections;

  Client() {
    sections.push_back({.kind = MediaKind::kAudio, .mid = "0", .media = &audio});
    sections.push_back({.kind = MediaKind::kVideo, .mid = "1", .media = &video});
    sections.push_back({.kind = MediaKind::kData, .mid = "2", .data = SctpParameters{}});
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  SessionDescription offer() const {
    auto offer = make_offer(local, sections);
    EXPECT_TRUE(offer) << name_of(offer.error());
    return offer ? parsed(write(*offer)) : SessionDescription{};
  }
};

TEST(Offer, has_one_number_for_one_thing_in_all_its_sections) {
  Client client;
  client.sections.push_back({.kind = MediaKind::kVideo, .mid = "3", .media = &client.video});
  SessionDescription offer = client.offer();
  EXPECT_EQ(offer.sections[1].payloads, offer.sections[3].payloads);
  EXPECT_EQ(offer.sections[1].extensions, offer.sections[3].extensions);
  EXPECT_EQ(offer.sections[0].extensions[0], offer.sections[1].extensions[0]);
  EXPECT_THAT(offer.bundles, ElementsAre(ElementsAre("0", "1", "2", "3")));
  EXPECT_EQ(offer.sections[0].setup, DtlsSetup::kActpass);
  EXPECT_EQ(offer.sections[0].candidates.size(), 1u);
  EXPECT_THAT(offer.sections[1].candidates, IsEmpty());
  for (const Payload& payload : offer.sections[1].payloads) {
    bool is_repaired = payload.codec == Codec::kRtx || offer.sections[1].find_rtx_of(payload.type);
    EXPECT_TRUE(is_repaired) << int{payload.type};
    EXPECT_TRUE(payload.type < 64 || payload.type > 95);
  }
}

TEST(Offer, of_a_publisher_with_layers_is_answered_and_agreed_on) {
  Client client;
  for (OfferedSection& section : client.sections) section.direction = Direction::kSendOnly;
  client.sections[0].source = LocalSource{{"s", "a"}, "cname", 10, {}};
  client.sections[1].source = LocalSource{{"s", "v"}, "cname", 20, 21};
  client.sections[1].send_layers = {{.id = "l", .max_width = 320}, {.id = "h"}};
  SessionDescription offer = client.offer();
  EXPECT_EQ(offer.sections[1].rids[0].max_width, 320u);
  EXPECT_THAT(offer.sections[1].sources, IsEmpty());

  SessionDescription answer = answered(Server{}, offer);
  Agreement ours = agreed(offer, answer, Side::kOfferer), theirs = agreed(offer, answer, Side::kAnswerer);
  EXPECT_EQ(ours.dtls_role, DtlsRole::kClient);
  EXPECT_EQ(ours.sections[1].send_layers, (std::vector<Layer>{{.rid = "l"}, {.rid = "h"}}));
  EXPECT_EQ(theirs.sections[1].receive_layers, ours.sections[1].send_layers);
  EXPECT_EQ(ours.sections[0].send_layers, (std::vector<Layer>{{.ssrc = 10}}));
  EXPECT_EQ(ours.sections[1].codecs[0].send_rtx_type, theirs.sections[1].codecs[0].receive_rtx_type);
  EXPECT_TRUE(ours.data && theirs.data);
}

TEST(Offer, keeps_the_place_of_a_section_that_has_ended) {
  Client client;
  client.sections[0].is_stopped = true;
  SessionDescription offer = client.offer();
  EXPECT_TRUE(offer.sections[0].is_rejected());
  EXPECT_THAT(offer.bundles, ElementsAre(ElementsAre("1", "2")));
  EXPECT_EQ(offer.sections[1].candidates.size(), 1u);
  SessionDescription answer = answered(Server{}, offer);
  EXPECT_TRUE(answer.sections[0].is_rejected());
  EXPECT_EQ(agreed(offer, answer, Side::kOfferer).sections[0].index, 1u);
}

TEST(Offer, keeps_numbers_when_the_section_that_had_them_first_has_ended) {
  Client client;
  std::swap(client.sections[0], client.sections[1]);
  SessionDescription before = client.offer();
  client.sections[0].is_stopped = true;
  SessionDescription after = client.offer();
  EXPECT_EQ(after.sections[1].extensions, before.sections[1].extensions);
  EXPECT_EQ(after.sections[1].payloads, before.sections[1].payloads);
}

TEST(Offer, with_wrong_names_is_refused) {
  auto refusal = [](auto change) {
    Client client;
    change(client);
    auto offer = make_offer(client.local, client.sections);
    EXPECT_FALSE(offer);
    return offer ? Refusal::kTooLarge : offer.error();
  };
  EXPECT_EQ(refusal([](Client& c) { c.sections[1].mid = "0"; }), Refusal::kBadMid);
  EXPECT_EQ(refusal([](Client& c) { c.sections[1].mid = "a b"; }), Refusal::kBadMid);
  EXPECT_EQ(refusal([](Client& c) { c.sections[1].source = LocalSource{{"s", "v"}, "", 1, {}}; }),
            Refusal::kBadMsid);
  EXPECT_EQ(refusal([](Client& c) { c.sections[1].send_layers = {{.id = "x"}, {.id = "x"}}; }),
            Refusal::kBadRid);
  EXPECT_EQ(refusal([](Client& c) { c.video.codecs.clear(); }), Refusal::kNoCommonMedia);
  EXPECT_EQ(refusal([](Client& c) { c.sections.resize(kSectionsMax + 1); }), Refusal::kTooMany);
}

TEST(Agreement, of_an_offerer_reads_an_answer_of_pion) {
  SessionDescription offer = parsed(kChromiumOffer), answer = parsed(kPionAnswer);
  answer.sections.push_back(offer.sections[2]);
  answer.sections[2].port = 0;
  Agreement ours = agreed(offer, answer, Side::kOfferer);
  EXPECT_EQ(ours.dtls_role, DtlsRole::kServer);
  EXPECT_EQ(ours.sections[1].codecs[0].codec, Codec::kVp8);
  EXPECT_EQ(ours.sections[1].codecs[0].send_rtx_type, 97);
  EXPECT_EQ(ours.sections[1].codecs[0].feedback,
            (Feedback{.nack = true, .pli = true, .fir = true, .remb = true}));
  EXPECT_EQ(ours.sections[1].send_layers.size(), 3u);
  EXPECT_FALSE(ours.data);
}

TEST(Agreement, keeps_two_numbers_where_the_answer_renumbers) {
  SessionDescription offer = parsed(kObsOffer), answer = answered(Server{}, offer);
  answer.sections[1].payloads[0].type = 120;
  Agreement ours = agreed(offer, answer, Side::kAnswerer);
  EXPECT_EQ(ours.sections[1].codecs[0].receive_payload_type, 120);
  EXPECT_EQ(ours.sections[1].codecs[0].send_payload_type, 96);
}

TEST(Agreement, finds_layers_by_a_group_of_ssrcs) {
  SessionDescription offer = parsed(kObsOffer);
  offer.sections[1].source_groups = {{GroupSemantics::kSim, {1, 2, 3}}, {GroupSemantics::kFid, {2, 12}}};
  Agreement ours = agreed(offer, answered(Server{}, offer), Side::kAnswerer);
  EXPECT_EQ(ours.sections[1].receive_layers,
            (std::vector<Layer>{{.ssrc = 1}, {.ssrc = 2, .rtx_ssrc = 12}, {.ssrc = 3}}));
}

TEST(Agreement, with_an_answer_that_does_not_fit_is_refused) {
  SessionDescription offer = parsed(kChromiumOffer);
  auto refusal = [&](auto change) {
    SessionDescription answer = answered(Server{}, offer);
    change(answer);
    auto agreement = agree(offer, answer, Side::kOfferer);
    EXPECT_FALSE(agreement);
    return agreement ? Refusal::kTooLarge : agreement.error();
  };
  EXPECT_EQ(refusal([](auto& answer) { answer.sections.pop_back(); }), Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) { answer.sections[0].mid = "x"; }), Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) { std::swap(answer.sections[0], answer.sections[1]); }),
            Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) { answer.bundles.clear(); }), Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) { answer.sections[1].payloads = {make_payload(99, Codec::kG722)}; }),
            Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) {
              answer.sections[0].has_rtcp_mux = answer.sections[1].has_rtcp_mux = false;
            }),
            Refusal::kAnswerMismatch);
  EXPECT_EQ(refusal([](auto& answer) {
              for (auto& section : answer.sections) section.port = 0;
            }),
            Refusal::kNoCommonMedia);
  EXPECT_EQ(refusal([](auto& answer) {
              for (auto& section : answer.sections) section.ice.reset();
            }),
            Refusal::kNoIce);
  EXPECT_EQ(refusal([](auto& answer) {
              for (auto& section : answer.sections) section.fingerprints.clear();
            }),
            Refusal::kNoFingerprint);
  EXPECT_EQ(refusal([](auto& answer) { answer.sections[0].setup = DtlsSetup::kActpass; }), Refusal::kBadRole);
  EXPECT_EQ(refusal([](auto& answer) { answer.sections[1].payloads[0].type = 111; }),
            Refusal::kPayloadTypeConflict);
  EXPECT_EQ(refusal([](auto& answer) { answer.sections[1].extensions[0].id = 1; }),
            Refusal::kExtensionConflict);
}

}  // namespace
}  // namespace stoa::sdp

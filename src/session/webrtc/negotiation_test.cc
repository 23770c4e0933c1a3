#include "session/webrtc/negotiation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "session/webrtc/offered_format.h"

// Offers in testdata/ are what the named programs wrote, with other addresses and secrets; those of OBS and
// ffmpeg are modelled on theirs.
namespace stoa::webrtc {
namespace {

std::string read_offer(std::string_view name) {
  std::ifstream file("src/session/webrtc/testdata/" + std::string(name) + ".sdp");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(text.empty()) << name;
  return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size(), ++count)
    text.replace(at, from.size(), to);
  EXPECT_GT(count, 0u) << from;
  return text;
}

LocalDescription make_local() {
  LocalDescription local;
  local.ice = {.ufrag = "StoaUfrg", .password = "StoaPasswordStoaPassword"};
  local.session_id = 4711;
  SocketAddress address{IpAddress::v4(203, 0, 113, 5), 7882};
  local.candidates = {{.foundation = "1", .priority = 2'130'706'431, .address = address},
                      {.foundation = "2",
                       .transport = ice::Transport::kTcpPassive,
                       .priority = 1'671'430'143,
                       .address = address}};
  std::array<std::uint8_t, 32> digest;
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(i);
  local.fingerprint = crypto::Fingerprint(crypto::FingerprintHash::kSha256, digest);
  return local;
}

payload::RtpTrack track_of(media::TrackId id, payload::Encoding encoding,
                           std::array<std::uint8_t, 3> profile = {}) {
  return {.id = id, .encoding = encoding, .profile = profile};
}
std::vector<payload::RtpTrack> h264_and_opus() {
  return {track_of(0, payload::Encoding::kH264, {0x42, 0xe0, 0x1f}), track_of(1, payload::Encoding::kOpus)};
}

Result<PublisherAnswer, NegotiationFault> publish(const std::string& offer,
                                                  const PublisherOptions& options = {}) {
  return answer_publisher(offer, make_local(), options);
}
Result<ViewerAnswer, NegotiationFault> watch(const std::string& offer,
                                             const std::vector<payload::RtpTrack>& tracks = h264_and_opus(),
                                             bool has_data = true) {
  Rng rng(7);
  return answer_viewer(offer, tracks, make_local(), "stoa", rng, has_data);
}

sdp::SessionDescription parsed(const std::string& text) {
  auto description = sdp::parse(text);
  EXPECT_TRUE(description) << text;
  return description ? *description : sdp::SessionDescription();
}
const sdp::MediaSection& section_of(const sdp::SessionDescription& description, sdp::MediaKind kind) {
  auto found = std::find_if(description.sections.begin(), description.sections.end(),
                            [&](const auto& section) { return section.kind == kind; });
  EXPECT_NE(found, description.sections.end());
  return *found;
}
std::set<sdp::HeaderExtension> extensions_of(const sdp::MediaSection& section) {
  std::set<sdp::HeaderExtension> extensions;
  for (const auto& map : section.extensions) extensions.insert(map.extension);
  return extensions;
}

// What holds of every answer of ours, whoever offered.
void expect_sound(const std::string& offer_text, const std::string& answer_text) {
  sdp::SessionDescription offer = parsed(offer_text), answer = parsed(answer_text);
  ASSERT_TRUE(sdp::agree(offer, answer, sdp::Side::kOfferer)) << answer_text;
  EXPECT_TRUE(answer.is_ice_lite);
  ASSERT_EQ(answer.sections.size(), offer.sections.size());
  std::vector<std::string> accepted;
  std::size_t with_candidates = 0;
  for (std::size_t i = 0; i < answer.sections.size(); ++i) {
    const sdp::MediaSection& section = answer.sections[i];
    EXPECT_EQ(section.mid, offer.sections[i].mid);
    EXPECT_EQ(section.protocol, offer.sections[i].protocol);
    EXPECT_FALSE(section.is_bundle_only);
    if (section.is_rejected()) continue;
    accepted.push_back(section.mid);
    EXPECT_TRUE(section.setup == sdp::DtlsSetup::kPassive || section.setup == sdp::DtlsSetup::kActive);
    ASSERT_TRUE(section.ice);
    EXPECT_EQ(section.ice->ufrag, "StoaUfrg");
    EXPECT_EQ(section.fingerprints.size(), 1u);
    if (section.candidates.empty()) continue;
    ++with_candidates;
    EXPECT_EQ(accepted.size(), 1u);  // The tag's.
    EXPECT_TRUE(section.has_end_of_candidates);
    ASSERT_EQ(section.candidates.size(), 2u);
    EXPECT_EQ(section.candidates[0].transport, sdp::CandidateTransport::kUdp);
    EXPECT_EQ(section.candidates[1].tcp_type, sdp::TcpType::kPassive);
    EXPECT_EQ(section.candidates[1].port, 7882);
  }
  EXPECT_EQ(with_candidates, 1u);
  if (!offer.bundles.empty()) {
    ASSERT_EQ(answer.bundles.size(), 1u);
    EXPECT_EQ(std::multiset<std::string>(answer.bundles[0].begin(), answer.bundles[0].end()),
              std::multiset<std::string>(accepted.begin(), accepted.end()));
  }
}

// ---- Publishers.

TEST(PublisherAnswer, takes_what_each_program_offers) {
  for (const char* name : {"chromium_publisher_simulcast", "chromium_publisher_legacy", "chromium_sendrecv",
                           "firefox_publisher_simulcast", "firefox_publisher_legacy", "firefox_sendrecv",
                           "aiortc_publisher", "gstreamer_publisher", "obs_publisher", "ffmpeg_publisher"}) {
    SCOPED_TRACE(name);
    std::string offer = read_offer(name);
    auto answer = publish(offer);
    ASSERT_TRUE(answer) << answer.error().text;
    expect_sound(offer, answer->answer);
    ASSERT_EQ(answer->agreement.sections.size(), 2u);
    for (const sdp::AgreedSection& section : answer->agreement.sections) {
      EXPECT_EQ(section.direction, sdp::Direction::kRecvOnly);
      EXPECT_FALSE(section.receive_layers.empty());
      EXPECT_TRUE(section.send_layers.empty());
    }
    EXPECT_FALSE(answer->remote.fingerprints.empty());
    EXPECT_FALSE(answer->remote.ice.ufrag.empty());
    EXPECT_FALSE(answer->remote.is_ice_lite);
  }
}

TEST(PublisherAnswer, leaves_dtls_to_the_peer_unless_it_wants_to_wait) {
  EXPECT_EQ(publish(read_offer("obs_publisher"))->dtls_role, dtls::Role::kServer);
  auto waiting = publish(read_offer("ffmpeg_publisher"));
  EXPECT_EQ(waiting->dtls_role, dtls::Role::kClient);
  EXPECT_NE(waiting->answer.find("a=setup:active\r\n"), std::string::npos);
}

TEST(PublisherAnswer, knows_the_peers_transport) {
  auto answer = publish(read_offer("obs_publisher"));
  EXPECT_EQ(answer->remote.ice.ufrag, "pQ7w");
  EXPECT_EQ(answer->remote.ice.password, "Zk3vTn8cYb5mXr2qLd9sHf");
  ASSERT_EQ(answer->remote.fingerprints.size(), 1u);
  EXPECT_EQ(crypto::write_fingerprint(answer->remote.fingerprints[0]).substr(0, 13), "sha-256 3E:91");
  ASSERT_EQ(answer->remote.candidates.size(), 1u);
  EXPECT_EQ(answer->remote.candidates[0].address.port, 50211);
  // Names that only mDNS resolves are kept as names.
  auto hidden = publish(read_offer("firefox_publisher_simulcast"));
  EXPECT_FALSE(hidden->remote.candidates.empty());
  EXPECT_FALSE(hidden->remote.candidates[0].host_name.empty());
}

TEST(PublisherAnswer, puts_h264_first_and_keeps_the_order_of_the_rest) {
  auto video = [](const PublisherOptions& options) {
    auto answer = parsed(publish(read_offer("chromium_publisher_simulcast"), options)->answer);
    std::vector<int> types;
    for (const auto& payload : section_of(answer, sdp::MediaKind::kVideo).payloads)
      if (payload.codec != sdp::Codec::kRtx) types.push_back(payload.type);
    return types;
  };
  EXPECT_EQ(video({}), (std::vector{102, 108, 116, 104, 114, 39, 96, 45, 98, 100}));
  PublisherOptions as_offered;
  as_offered.video_first.reset();
  EXPECT_EQ(video(as_offered), (std::vector{96, 102, 108, 116, 104, 114, 39, 45, 98, 100}));
  PublisherOptions av1;
  av1.video_first = payload::Encoding::kAv1;
  EXPECT_EQ(video(av1).front(), 45);
}

TEST(PublisherAnswer, falls_back_to_the_offers_order_where_there_is_no_h264) {
  auto answer = publish(read_offer("firefox_publisher_simulcast"));
  EXPECT_EQ(answer->agreement.sections[1].codecs.front().codec, sdp::Codec::kVp8);
}

TEST(PublisherAnswer, accepts_simulcast_up_to_the_limit) {
  for (const char* name : {"chromium_publisher_simulcast", "firefox_publisher_simulcast"}) {
    SCOPED_TRACE(name);
    auto answer = publish(read_offer(name));
    EXPECT_NE(answer->answer.find("a=simulcast:recv q;h;f\r\n"), std::string::npos);
    for (const char* line : {"a=rid:q recv\r\n", "a=rid:h recv\r\n", "a=rid:f recv\r\n"})
      EXPECT_NE(answer->answer.find(line), std::string::npos) << line;
    ASSERT_EQ(answer->agreement.sections[1].receive_layers.size(), 3u);
    EXPECT_EQ(answer->agreement.sections[1].receive_layers[0].rid, "q");
    auto two = publish(read_offer(name), {.layers_max = 2});
    EXPECT_NE(two->answer.find("a=simulcast:recv q;h\r\n"), std::string::npos);
    EXPECT_EQ(two->agreement.sections[1].receive_layers.size(), 2u);
    auto one = publish(read_offer(name), {.layers_max = 1});
    EXPECT_EQ(one->answer.find("a=simulcast"), std::string::npos);
    EXPECT_EQ(one->agreement.sections[1].receive_layers.size(), 1u);
  }
}

TEST(PublisherAnswer, asks_nobody_when_packets_are_sent_who_does_not_number_them) {
  auto answer = parsed(publish(read_offer("aiortc_publisher"))->answer);
  using enum sdp::HeaderExtension;
  EXPECT_EQ(extensions_of(section_of(answer, sdp::MediaKind::kVideo)), (std::set{kMid}));
  EXPECT_EQ(extensions_of(section_of(answer, sdp::MediaKind::kAudio)), (std::set{kMid, kAudioLevel}))
      << "which has the same id";
}

TEST(PublisherAnswer, takes_the_extensions_that_are_of_use) {
  std::string offer = replaced(read_offer("chromium_publisher_simulcast"),
                               "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
                               "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time");
  auto answer = parsed(publish(offer)->answer);
  using enum sdp::HeaderExtension;
  EXPECT_EQ(extensions_of(section_of(answer, sdp::MediaKind::kVideo)),
            (std::set{kMid, kRid, kRepairedRid, kTransportSequence, kAbsoluteSendTime, kAbsoluteCaptureTime,
                      kDependencyDescriptor}))
      << "none for how pictures are turned: the publisher turns them";
  EXPECT_EQ(extensions_of(section_of(answer, sdp::MediaKind::kAudio)),
            (std::set{kMid, kTransportSequence, kAbsoluteSendTime, kAudioLevel}));
}

TEST(PublisherAnswer, wants_nack_pli_fir_and_transport_feedback_and_may_limit) {
  auto answer = publish(read_offer("chromium_publisher_simulcast"));
  const sdp::AgreedSection& video = answer->agreement.sections[1];
  EXPECT_EQ(video.codecs.front().feedback,
            (sdp::Feedback{.nack = true, .pli = true, .fir = true, .remb = true, .transport_cc = true}));
  EXPECT_TRUE(video.codecs.front().receive_rtx_type);
  EXPECT_FALSE(publish(read_offer("obs_publisher"))->agreement.sections[1].codecs.front().receive_rtx_type);
}

TEST(PublisherAnswer, takes_only_opus_for_sound) {
  auto answer = publish(read_offer("chromium_publisher_legacy"));
  ASSERT_EQ(answer->agreement.sections[0].codecs.size(), 1u);
  EXPECT_EQ(answer->agreement.sections[0].codecs[0].codec, sdp::Codec::kOpus);
}

// Asks the publisher's encoder for it: without the word it makes none (RFC 7587 §6.1).
TEST(PublisherAnswer, takes_in_band_correction_of_sound) {
  for (const char* name : {"chromium_publisher_simulcast", "firefox_publisher_simulcast", "obs_publisher"}) {
    auto answer = parsed(publish(read_offer(name))->answer);
    const sdp::MediaSection& audio = section_of(answer, sdp::MediaKind::kAudio);
    EXPECT_TRUE(std::get<sdp::OpusFormat>(audio.payloads.at(0).format).use_inband_fec) << name;
  }
}

TEST(PublisherAnswer, limits_the_bitrate_of_video_when_told) {
  EXPECT_EQ(publish(read_offer("obs_publisher"))->answer.find("\r\nb="), std::string::npos);
  auto answer = parsed(publish(read_offer("obs_publisher"), {.video_bps_max = 6'000'000})->answer);
  EXPECT_EQ(section_of(answer, sdp::MediaKind::kVideo).bandwidth.tias_bps, 6'000'000u);
  EXPECT_EQ(section_of(answer, sdp::MediaKind::kVideo).bandwidth.as_kbps, 6'000u);
  EXPECT_FALSE(section_of(answer, sdp::MediaKind::kAudio).bandwidth.bps());
}

TEST(PublisherAnswer, declines_sections_over_the_limits) {
  std::string offer = read_offer("obs_publisher");
  std::string second = offer.substr(offer.find("m=video"));
  second = replaced(replaced(second, "a=mid:1", "a=mid:2"), "1618033989", "1618033990");
  offer = replaced(offer + second, "BUNDLE 0 1", "BUNDLE 0 1 2");
  auto one = publish(offer);
  expect_sound(offer, one->answer);
  EXPECT_EQ(one->agreement.sections.size(), 2u);
  EXPECT_TRUE(parsed(one->answer).sections[2].is_rejected());
  EXPECT_EQ(publish(offer, {.video_sections_max = 2})->agreement.sections.size(), 3u);
  auto silent = publish(offer, {.audio_sections_max = 0});
  expect_sound(offer, silent->answer);
  ASSERT_EQ(silent->agreement.sections.size(), 2u);  // The tag stays, without sound.
  EXPECT_EQ(silent->agreement.sections[0].direction, sdp::Direction::kInactive);
}

TEST(PublisherAnswer, declines_data) {
  std::string offer = read_offer("chromium_viewer_data");
  offer = replaced(offer, "a=recvonly", "a=sendonly");
  auto answer = publish(offer);
  ASSERT_TRUE(answer) << answer.error().text;
  expect_sound(offer, answer->answer);
  EXPECT_FALSE(answer->agreement.data);
}

TEST(PublisherAnswer, takes_a_single_section_without_bundle) {
  std::string offer = read_offer("obs_publisher");
  offer.erase(offer.find("m=audio"), offer.find("m=video") - offer.find("m=audio"));
  offer = replaced(offer, "a=group:BUNDLE 0 1\n", "");
  auto answer = publish(offer);
  ASSERT_TRUE(answer) << answer.error().text;
  expect_sound(offer, answer->answer);
  EXPECT_EQ(answer->answer.find("a=group"), std::string::npos);
  std::string nameless = replaced(offer, "a=mid:1\n", "");
  ASSERT_TRUE(publish(nameless));
  expect_sound(nameless, publish(nameless)->answer);
}

void expect_refused(const Result<PublisherAnswer, NegotiationFault>& answer, NegotiationRefusal refusal) {
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().refusal, refusal) << answer.error().text;
  EXPECT_TRUE(answer.error().text.ends_with('.')) << answer.error().text;
}

TEST(PublisherAnswer, says_why_not) {
  std::string offer = read_offer("obs_publisher");
  using enum NegotiationRefusal;
  expect_refused(publish(""), kBadDescription);
  auto broken = publish(replaced(offer, "a=setup:actpass", "a=setup:perhaps"));
  expect_refused(broken, kBadDescription);
  EXPECT_EQ(broken.error().text, "The offer does not read: bad_setup in line 8.");
  std::size_t line = offer.find("a=fingerprint");
  expect_refused(publish(std::string(offer).erase(line, offer.find('\n', line) + 1 - line)), kNoFingerprint);
  expect_refused(
      publish(replaced(replaced(offer, "a=ice-ufrag:pQ7w\n", ""), "a=ice-pwd:Zk3vTn8cYb5mXr2qLd9sHf\n", "")),
      kNoFingerprint);
  expect_refused(publish(replaced(offer, "a=group:BUNDLE 0 1\n", "")), kNotBundled);
  expect_refused(publish(replaced(offer, "a=rtcp-mux\n", "")), kNotBundled);
  expect_refused(
      publish(replaced(replaced(offer, "H264/90000", "H263/90000"), "opus/48000/2", "vorbis/48000/2")),
      kNoCommonCodec);
  expect_refused(publish(replaced(offer, "a=sendonly", "a=recvonly")), kWrongDirection);
  expect_refused(publish(replaced(offer, "a=sendonly", "a=inactive")), kWrongDirection);
  expect_refused(publish(replaced(offer, "a=setup:actpass", "a=setup:holdconn")), kBadDescription);
  std::string many = offer.substr(0, offer.find("m=audio"));
  for (std::size_t i = 0; i <= kOfferedSectionsMax; ++i)
    many += "m=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=rtpmap:111 opus/48000/2\na=rtcp-mux\n";
  expect_refused(publish(replaced(many, "a=group:BUNDLE 0 1\n", "")), kTooManySections);
}

TEST(PublisherAnswer, takes_the_sound_of_a_picture_it_cannot_take) {
  std::string offer = replaced(read_offer("obs_publisher"), "H264/90000", "H263/90000");
  auto answer = publish(offer);
  ASSERT_TRUE(answer);
  expect_sound(offer, answer->answer);
  ASSERT_EQ(answer->agreement.sections.size(), 1u);
  EXPECT_EQ(answer->agreement.sections[0].kind, sdp::MediaKind::kAudio);
}

// ---- Viewers.

TEST(ViewerAnswer, serves_what_each_program_offers) {
  for (const char* name :
       {"chromium_viewer", "chromium_viewer_data", "chromium_viewer_balanced", "chromium_viewer_legacy",
        "chromium_sendrecv", "firefox_viewer", "firefox_viewer_data", "firefox_viewer_balanced",
        "firefox_viewer_legacy", "firefox_sendrecv", "aiortc_viewer", "gstreamer_viewer"}) {
    SCOPED_TRACE(name);
    std::string offer = read_offer(name);
    bool has_h264 = offer.find("H264") != std::string::npos;
    auto answer = watch(offer, {track_of(0, has_h264 ? payload::Encoding::kH264 : payload::Encoding::kVp8),
                                track_of(1, payload::Encoding::kOpus)});
    ASSERT_TRUE(answer) << answer.error().text;
    expect_sound(offer, answer->answer);
    ASSERT_EQ(answer->outlets.size(), 2u);
    EXPECT_TRUE(answer->left_out.empty());
    sdp::SessionDescription description = parsed(answer->answer);
    for (const ViewerOutlet& outlet : answer->outlets) {
      const sdp::MediaSection* section = description.find_section(outlet.mid);
      ASSERT_TRUE(section);
      EXPECT_EQ(section->direction, sdp::Direction::kSendOnly);
      const sdp::Payload* payload = section->find_payload(outlet.config.payload_type);
      ASSERT_TRUE(payload);
      EXPECT_EQ(encoding_of(payload->codec), outlet.config.encoding);
      ASSERT_FALSE(section->sources.empty());
      EXPECT_EQ(section->sources[0].ssrc, outlet.config.ssrc);
      EXPECT_EQ(outlet.config.rtx_ssrc.has_value(), outlet.config.rtx_payload_type.has_value());
      EXPECT_EQ(outlet.config.rtx_ssrc.has_value(), section->sources.size() == 2);
    }
  }
}

TEST(ViewerAnswer, names_the_streams_that_it_sends) {
  auto answer = watch(read_offer("chromium_viewer"));
  const OutletConfig& video = answer->outlets[0].config;
  sdp::SessionDescription description = parsed(answer->answer);
  const sdp::MediaSection& section = section_of(description, sdp::MediaKind::kVideo);
  ASSERT_TRUE(video.rtx_ssrc);
  EXPECT_EQ(section.msids, (std::vector<sdp::Msid>{{"stoa", "video0"}}));
  ASSERT_EQ(section.sources.size(), 2u);
  EXPECT_EQ(section.sources[0].cname, "stoa");
  EXPECT_EQ(section.sources[1].ssrc, *video.rtx_ssrc);
  ASSERT_EQ(section.source_groups.size(), 1u);
  EXPECT_EQ(section.source_groups[0].ssrcs, (std::vector{video.ssrc, *video.rtx_ssrc}));
  EXPECT_EQ(section_of(description, sdp::MediaKind::kAudio).msids,
            (std::vector<sdp::Msid>{{"stoa", "audio1"}}));
  EXPECT_NE(video.ssrc, answer->outlets[1].config.ssrc);
  EXPECT_TRUE(video.has_nack);
  EXPECT_TRUE(video.has_pli);
}

TEST(ViewerAnswer, has_one_payload_type_for_each_section) {
  sdp::SessionDescription answer = parsed(watch(read_offer("chromium_viewer"))->answer);
  EXPECT_EQ(section_of(answer, sdp::MediaKind::kVideo).payloads.size(), 2u);  // And its RTX.
  EXPECT_EQ(section_of(answer, sdp::MediaKind::kAudio).payloads.size(), 1u);
}

TEST(ViewerAnswer, passes_on_the_extensions_that_viewers_know) {
  std::string offer = replaced(
      read_offer("chromium_viewer"),
      "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
      "a=extmap:6 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension");
  offer = replaced(offer, "a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
                   "a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time");
  auto answer = watch(offer);
  using enum rtp::ExtensionKind;
  const rtp::ExtensionMap& video = answer->outlets[0].config.extensions;
  EXPECT_EQ(video.id_of(kPlayoutDelay), 5);
  EXPECT_EQ(video.id_of(kAbsCaptureTime), 7);
  EXPECT_EQ(video.id_of(kVideoOrientation), 3);
  EXPECT_EQ(video.id_of(kDependencyDescriptor), 6);
  EXPECT_EQ(video.id_of(kTransportSequence), 4);
  for (auto kind : {kMid, kRid, kAbsSendTime}) EXPECT_FALSE(video.has(kind));
  EXPECT_EQ(answer->outlets[1].config.extensions.id_of(kAudioLevel), 14);
  // An extension that the viewer would only send is none to send to it.
  auto deaf = watch(replaced(offer, "a=extmap:5 http", "a=extmap:5/sendonly http"));
  EXPECT_FALSE(deaf->outlets[0].config.extensions.has(kPlayoutDelay));
}

TEST(ViewerAnswer, has_transport_feedback) {
  auto answer = watch(read_offer("chromium_viewer"));
  EXPECT_EQ(answer->outlets[0].config.extensions.id_of(rtp::ExtensionKind::kTransportSequence), 4);
  EXPECT_TRUE(answer->agreement.sections[0].codecs[0].feedback.transport_cc);
}

TEST(ViewerAnswer, gives_the_first_section_the_first_track_it_can_take) {
  auto answer = watch(read_offer("firefox_viewer"),
                      {track_of(0, payload::Encoding::kH264), track_of(1, payload::Encoding::kVp9),
                       track_of(2, payload::Encoding::kVp8), track_of(3, payload::Encoding::kOpus)});
  ASSERT_EQ(answer->outlets.size(), 2u);
  EXPECT_EQ(answer->outlets[0].track, 1);
  EXPECT_EQ(answer->outlets[1].track, 3);
  EXPECT_EQ(answer->left_out, (std::vector<media::TrackId>{0, 2}));
}

TEST(ViewerAnswer, keeps_the_tag_of_the_bundle_when_it_has_no_picture_for_it) {
  std::string offer = read_offer("firefox_viewer");  // Its sound is bundle-only.
  auto answer = watch(offer);
  ASSERT_TRUE(answer) << answer.error().text;
  expect_sound(offer, answer->answer);
  sdp::SessionDescription description = parsed(answer->answer);
  EXPECT_EQ(description.sections[0].direction, sdp::Direction::kInactive);
  EXPECT_FALSE(description.sections[0].is_rejected());
  EXPECT_TRUE(description.sections[0].sources.empty());
  EXPECT_EQ(description.sections[1].direction, sdp::Direction::kSendOnly);
  EXPECT_EQ(answer->left_out, (std::vector<media::TrackId>{0}));
  EXPECT_EQ(answer->outlets.size(), 1u);
}

TEST(ViewerAnswer, rejects_other_sections_that_it_has_nothing_for) {
  std::string offer = read_offer("chromium_viewer");
  auto answer = watch(offer, {track_of(0, payload::Encoding::kVp8)});
  expect_sound(offer, answer->answer);
  sdp::SessionDescription description = parsed(answer->answer);
  EXPECT_TRUE(description.sections[1].is_rejected());
  EXPECT_EQ(description.bundles[0].size(), 1u);
}

TEST(ViewerAnswer, takes_data_when_it_may) {
  std::string offer = read_offer("firefox_viewer_data");
  auto answer = watch(offer);
  ASSERT_TRUE(answer->agreement.data);
  EXPECT_EQ(answer->agreement.data->remote_port, 5000);
  expect_sound(offer, answer->answer);
  auto without = watch(offer, h264_and_opus(), false);
  EXPECT_FALSE(without->agreement.data);
  expect_sound(offer, without->answer);
  std::string only = read_offer("chromium_viewer_data");
  std::string data = only.substr(only.find("m=application"));
  only = replaced(only.substr(0, only.find("m=video")) + data, "BUNDLE 0 1 2", "BUNDLE 2");
  auto alone = watch(only);
  ASSERT_TRUE(alone) << alone.error().text;
  expect_sound(only, alone->answer);
  EXPECT_TRUE(alone->outlets.empty());
  EXPECT_EQ(alone->left_out.size(), 2u);
  EXPECT_EQ(watch(only, {}, false).error().refusal, NegotiationRefusal::kWrongDirection);
}

TEST(ViewerAnswer, leaves_data_of_another_transport) {
  std::string offer = replaced(read_offer("chromium_viewer_data"), "BUNDLE 0 1 2", "BUNDLE 0 1");
  auto answer = watch(offer);
  ASSERT_TRUE(answer) << answer.error().text;
  expect_sound(offer, answer->answer);
  EXPECT_FALSE(answer->agreement.data);
  EXPECT_EQ(answer->outlets.size(), 2u);
}

TEST(ViewerAnswer, says_why_not) {
  using enum NegotiationRefusal;
  std::string offer = read_offer("chromium_viewer");
  auto refusal_of = [](const Result<ViewerAnswer, NegotiationFault>& answer) {
    return answer ? "none" : name_of(answer.error().refusal);
  };
  EXPECT_STREQ(refusal_of(watch("v=1\n")), "bad_description");
  EXPECT_STREQ(refusal_of(watch(replaced(offer, "a=recvonly", "a=sendonly"))), "wrong_direction");
  EXPECT_STREQ(refusal_of(watch(offer, {})), "no_common_codec");
  EXPECT_STREQ(refusal_of(watch(read_offer("firefox_viewer"), {track_of(0, payload::Encoding::kH264)})),
               "no_common_codec");
  EXPECT_STREQ(refusal_of(watch(replaced(offer, "a=group:BUNDLE 0 1\n", ""))), "not_bundled");
  EXPECT_STREQ(refusal_of(watch(replaced(offer, "opus/48000/2", "opus/48000"),
                                {track_of(0, payload::Encoding::kOpus)})),
               "no_common_codec");
}

TEST(ViewerAnswer, draws_sources_that_the_offer_does_not_use) {
  std::string offer = read_offer("chromium_sendrecv");
  std::uint32_t drawn = watch(offer)->outlets[0].config.ssrc;
  sdp::SessionDescription clash = parsed(offer);
  clash.sections[0].sources = {{.ssrc = drawn, .cname = "x", .msid = std::nullopt}};
  clash.sections[0].source_groups.clear();
  auto answer = watch(sdp::write(clash));
  ASSERT_TRUE(answer) << answer.error().text;
  for (const ViewerOutlet& outlet : answer->outlets) EXPECT_NE(outlet.config.ssrc, drawn);
}

// ---- Formats.

int h264_type_for(std::array<std::uint8_t, 3> profile, const std::string& offer) {
  auto answer = watch(offer, {track_of(0, payload::Encoding::kH264, profile)});
  return answer ? answer->outlets[0].config.payload_type : -1;
}

TEST(OfferedFormat, finds_the_h264_profile_that_is_nearest) {
  std::string offer = read_offer("chromium_viewer");
  EXPECT_EQ(h264_type_for({}, offer), 102);                  // Unknown: the first that may fragment.
  EXPECT_EQ(h264_type_for({0x42, 0xe0, 0x1f}, offer), 108);  // Constrained Baseline.
  EXPECT_EQ(h264_type_for({0x42, 0x00, 0x1f}, offer), 102);  // Baseline.
  EXPECT_EQ(h264_type_for({0x4d, 0x00, 0x28}, offer), 116);  // Main, of a higher level than offered.
  EXPECT_EQ(h264_type_for({0x64, 0x00, 0x1f}, offer), 41);   // High, by a decoder of High 4:4:4.
  EXPECT_EQ(h264_type_for({0x64, 0x0c, 0x1f}, offer), 41);   // Constrained High.
}

TEST(OfferedFormat, gives_h264_of_a_higher_profile_all_the_same) {
  EXPECT_EQ(h264_type_for({0x64, 0x00, 0x1f}, read_offer("gstreamer_viewer")), 96);
  EXPECT_EQ(h264_type_for({0x6e, 0x00, 0x1f}, read_offer("aiortc_viewer")), 99);  // 42001f before 42e01f.
  // The answer names the profile that was offered: another would be no answer to it.
  auto answer =
      watch(read_offer("gstreamer_viewer"), {track_of(0, payload::Encoding::kH264, {0x64, 0, 0x1f})});
  EXPECT_NE(answer->answer.find("profile-level-id=42e0"), std::string::npos);
}

TEST(OfferedFormat, likes_payload_types_that_may_fragment) {
  std::string offer = replaced(read_offer("chromium_viewer"), "packetization-mode=1;profile-level-id=42e01f",
                               "packetization-mode=2;profile-level-id=42e01f");
  EXPECT_EQ(h264_type_for({0x42, 0xe0, 0x1f}, offer), 102);
  std::string single = replaced(read_offer("gstreamer_viewer"), "packetization-mode=1;", "");
  EXPECT_EQ(h264_type_for({0x42, 0xe0, 0x1f}, single), 96);
}

const sdp::Payload* fit_of(const std::vector<sdp::Payload>& offered, const payload::RtpTrack& track) {
  static sdp::MediaSection section;
  section.payloads = offered;
  return find_fit(section, track);
}

TEST(OfferedFormat, refuses_profiles_that_a_decoder_may_not_have) {
  using payload::Encoding;
  auto vp9 = [](std::uint8_t type, std::uint8_t profile) {
    return sdp::make_payload(type, sdp::Codec::kVp9, sdp::Vp9Format{.profile_id = profile});
  };
  EXPECT_EQ(fit_of({vp9(98, 0), vp9(100, 2)}, track_of(0, Encoding::kVp9, {2}))->type, 100);
  EXPECT_EQ(fit_of({vp9(98, 0)}, track_of(0, Encoding::kVp9, {2})), nullptr);
  auto av1 = [](std::uint8_t type, std::uint8_t profile) {
    return sdp::make_payload(type, sdp::Codec::kAv1, sdp::Av1Format{.profile = profile});
  };
  EXPECT_EQ(fit_of({av1(47, 1), av1(45, 0)}, track_of(0, Encoding::kAv1, {0}))->type, 45);
  EXPECT_EQ(fit_of({av1(47, 1)}, track_of(0, Encoding::kAv1, {0}))->type, 47);
  EXPECT_EQ(fit_of({av1(45, 0)}, track_of(0, Encoding::kAv1, {1})), nullptr);
  auto hevc = [](std::uint8_t type, std::uint8_t profile) {
    return sdp::make_payload(type, sdp::Codec::kHevc, sdp::HevcFormat{.profile_id = profile});
  };
  EXPECT_EQ(fit_of({hevc(50, 2), hevc(49, 1)}, track_of(0, Encoding::kHevc, {1}))->type, 49);
  EXPECT_EQ(fit_of({hevc(50, 2)}, track_of(0, Encoding::kHevc, {1}))->type, 50);
  EXPECT_EQ(fit_of({hevc(49, 1)}, track_of(0, Encoding::kHevc, {2})), nullptr);
  EXPECT_EQ(fit_of({hevc(49, 1)}, track_of(0, Encoding::kHevc))->type, 49);
}

TEST(OfferedFormat, passes_over_numbers_that_look_like_rtcp) {
  EXPECT_EQ(fit_of({sdp::make_payload(72, sdp::Codec::kVp8)}, track_of(0, payload::Encoding::kVp8)), nullptr);
  EXPECT_EQ(fit_of({sdp::make_payload(72, sdp::Codec::kVp8), sdp::make_payload(96, sdp::Codec::kVp8)},
                   track_of(0, payload::Encoding::kVp8))
                ->type,
            96);
}

}  // namespace
}  // namespace stoa::webrtc

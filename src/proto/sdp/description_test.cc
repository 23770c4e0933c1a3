#include "proto/sdp/description.h"

#include <gtest/gtest.h>

#include "proto/sdp/test_descriptions.h"

namespace stoa::sdp {
namespace {

SessionDescription parsed(std::string_view text) {
  auto description = parse(text);
  EXPECT_TRUE(description) << name_of(description.error().refusal) << " in line " << description.error().line;
  return description ? std::move(*description) : SessionDescription{};
}

constexpr std::string_view kHead = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n";
constexpr std::string_view kVideo =
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n";

std::string with(std::string_view lines) { return std::string(kHead) + std::string(lines); }
std::string with_video(std::string_view lines) {
  return std::string(kHead) + std::string(kVideo) + std::string(lines);
}

TEST(Description, of_chromium_is_read) {
  SessionDescription offer = parsed(with_crlf(kChromiumOffer));
  EXPECT_EQ(offer.session_id, 4611731400430051336u);
  EXPECT_EQ(offer.session_version, 2u);
  EXPECT_EQ(offer.bundles, (std::vector<std::vector<std::string>>{{"0", "1", "2"}}));
  ASSERT_EQ(offer.sections.size(), 3u);

  const MediaSection& audio = offer.sections[0];
  EXPECT_EQ(audio.kind, MediaKind::kAudio);
  EXPECT_EQ(audio.direction, Direction::kSendOnly);
  EXPECT_EQ(audio.ice->ufrag, "gKrq");
  EXPECT_TRUE(audio.ice_options.trickle);
  EXPECT_EQ(audio.setup, DtlsSetup::kActpass);
  ASSERT_EQ(audio.fingerprints.size(), 1u);
  EXPECT_EQ(audio.fingerprints[0].bytes()[0], 0x3f);
  EXPECT_EQ(audio.fingerprints[0].bytes()[31], 0xc8);
  EXPECT_TRUE(audio.has_rtcp_mux && audio.has_rtcp_rsize && audio.has_extmap_allow_mixed);
  EXPECT_EQ(audio.payloads.size(), 8u);
  EXPECT_EQ(audio.payloads[0].codec, Codec::kOpus);
  EXPECT_EQ(audio.payloads[0].channels, 2);
  EXPECT_TRUE(std::get<OpusFormat>(audio.payloads[0].format).use_inband_fec);
  EXPECT_EQ(std::get<RedFormat>(audio.payloads[1].format).payload_types,
            (std::vector<std::uint8_t>{111, 111}));
  EXPECT_EQ(audio.sources[0].cname, "Qw8Zr1");
  EXPECT_EQ(audio.sources[0].msid, (Msid{"5f1c-stream", "0a7b-audio"}));

  const MediaSection& video = offer.sections[1];
  EXPECT_EQ(video.payloads.size(), 21u);
  const Payload* h264 = video.find_payload(114);
  ASSERT_TRUE(h264);
  EXPECT_EQ(std::get<H264Format>(h264->format).profile_level_id, 0x42e01fu);
  EXPECT_EQ(video.find_rtx_of(114)->type, 115);
  EXPECT_EQ(video.find_rtx_of(118), nullptr);
  EXPECT_EQ(std::get<HevcFormat>(video.find_payload(49)->format).level_id, 180);
  EXPECT_TRUE(video.payloads[0].feedback.nack && video.payloads[0].feedback.fir &&
              video.payloads[0].feedback.remb);
  EXPECT_EQ(video.extensions.size(), 13u);
  EXPECT_EQ(video.extensions[11].extension, HeaderExtension::kDependencyDescriptor);
  EXPECT_EQ(video.extensions[11].id, 12);
  EXPECT_EQ(video.rids.size(), 3u);
  ASSERT_TRUE(video.simulcast);
  EXPECT_EQ(video.simulcast->send.size(), 3u);
  EXPECT_EQ(video.simulcast->send[2][0].rid, "f");

  const MediaSection& data = offer.sections[2];
  EXPECT_EQ(data.kind, MediaKind::kData);
  EXPECT_EQ(data.sctp->port, 5000);
  EXPECT_EQ(data.sctp->max_message_bytes, 262144u);
}

TEST(Description, of_firefox_is_read_with_what_stands_at_session_level) {
  SessionDescription offer = parsed(with_crlf(kFirefoxOffer));
  EXPECT_EQ(offer.user_name, "mozilla...THIS_IS_SDPARTA-128.0");
  ASSERT_EQ(offer.sections.size(), 2u);
  const MediaSection &audio = offer.sections[0], &video = offer.sections[1];
  EXPECT_EQ(audio.candidates.size(), 2u);
  EXPECT_EQ(audio.candidates[1].tcp_type, TcpType::kActive);
  EXPECT_TRUE(audio.has_end_of_candidates);
  EXPECT_EQ(audio.extensions[1].direction, Direction::kRecvOnly);
  EXPECT_TRUE(std::get<OpusFormat>(audio.payloads[0].format).stereo);
  EXPECT_EQ(video.fingerprints, audio.fingerprints);
  EXPECT_EQ(video.fingerprints[0].bytes()[0], 0x8c);
  EXPECT_TRUE(video.ice_options.trickle);
  EXPECT_EQ(video.port, 0);
  EXPECT_FALSE(video.is_rejected());
  EXPECT_EQ(std::get<Vp8Format>(video.payloads[0].format).max_fs, 12288u);
  EXPECT_EQ(std::get<H264Format>(video.find_payload(97)->format).packetization_mode, 0);
}

TEST(Description, of_obs_is_read_with_transport_at_session_level) {
  SessionDescription offer = parsed(with_crlf(kObsOffer));
  ASSERT_EQ(offer.sections.size(), 2u);
  EXPECT_EQ(offer.bundles.size(), 1u);
  for (const MediaSection& section : offer.sections) {
    EXPECT_EQ(section.ice->ufrag, "E8Eh");
    EXPECT_TRUE(section.ice_options.trickle && section.ice_options.ice2);
    EXPECT_EQ(section.setup, DtlsSetup::kActpass);
    EXPECT_EQ(section.fingerprints.size(), 1u);
    EXPECT_EQ(section.msids[0].stream_id, "stoaUser");
  }
  EXPECT_EQ(std::get<OpusFormat>(offer.sections[0].payloads[0].format).max_average_bitrate, 160000u);
}

TEST(Description, of_gstreamer_is_read) {
  SessionDescription offer = parsed(with_crlf(kGstreamerOffer));
  ASSERT_EQ(offer.sections.size(), 2u);
  const MediaSection& video = offer.sections[0];
  EXPECT_EQ(video.mid, "video0");
  EXPECT_EQ(std::get<H264Format>(video.payloads[0].format).sprop_parameter_sets,
            "Z0LAH9oBQBbsBEAAAAMAQAAADwM=,aM48gA==");
  EXPECT_EQ(video.source_groups[0].ssrcs, (std::vector<std::uint32_t>{2425262728, 2526272829}));
  EXPECT_EQ(video.sources[1].msid->track_id, "webrtctransceiver0");
  EXPECT_EQ(offer.sections[1].payloads[0].codec, Codec::kOpus);
  EXPECT_TRUE(offer.sections[1].is_bundle_only);
}

TEST(Description, of_aiortc_is_read_with_its_old_data_section) {
  SessionDescription offer = parsed(with_crlf(kAiortcOffer));
  ASSERT_EQ(offer.sections.size(), 2u);
  EXPECT_EQ(offer.sections[0].fingerprints.size(), 2u);
  EXPECT_EQ(offer.sections[0].fingerprints[1].hash, HashFunction::kSha384);
  EXPECT_EQ(offer.sections[0].candidates[1].related_port, 41794);
  ASSERT_TRUE(offer.sections[1].sctp);
  EXPECT_TRUE(offer.sections[1].sctp->is_old_syntax);
  EXPECT_EQ(offer.sections[1].sctp->port, 5000);
  EXPECT_EQ(offer.sections[1].sctp->max_message_bytes, 65536u);
}

TEST(Description, of_pion_is_read) {
  SessionDescription answer = parsed(with_crlf(kPionAnswer));
  ASSERT_EQ(answer.sections.size(), 2u);
  EXPECT_EQ(answer.sections[0].setup, DtlsSetup::kActive);
  EXPECT_TRUE(answer.sections[0].payloads[0].feedback.transport_cc);
  EXPECT_EQ(answer.sections[0].candidates.size(), 3u);
  EXPECT_EQ(answer.sections[0].candidates[0].ufrag, "kLmNoPqRsTuVwXyZ");
  EXPECT_EQ(answer.sections[1].simulcast->receive.size(), 3u);
}

class RealDescription : public testing::TestWithParam<std::string_view> {};
TEST_P(RealDescription, is_written_so_that_it_is_read_as_it_was) {
  SessionDescription description = parsed(with_crlf(GetParam()));
  std::string text = write(description);
  EXPECT_EQ(parsed(text), description);
  EXPECT_EQ(write(parsed(text)), text);
}
TEST_P(RealDescription, is_read_alike_with_bare_line_feeds) {
  EXPECT_EQ(parsed(GetParam()), parsed(with_crlf(GetParam())));
}
// Cut anywhere, it is read or refused; nothing else may happen.
TEST_P(RealDescription, cut_short_never_surprises) {
  std::string text = with_crlf(GetParam());
  for (std::size_t length = 0; length < text.size(); ++length) {
    auto cut = parse(std::string_view(text).substr(0, length));
    if (!cut) continue;
    EXPECT_EQ(parsed(write(*cut)), *cut) << length;
  }
}
INSTANTIATE_TEST_SUITE_P(Descriptions, RealDescription,
                         testing::Values(kChromiumOffer, kFirefoxOffer, kObsOffer, kGstreamerOffer,
                                         kAiortcOffer, kPionAnswer));

TEST(Description, keeps_every_rid_restriction_and_alternative) {
  SessionDescription offer = parsed(with_video(
      "a=rid:1 send "
      "pt=96;max-width=1280;max-height=720;max-fps=29.97;max-fs=3600;max-br=1500000;max-pps=27648000\n"
      "a=rid:2 send pt=97,96\na=rid:3 send depend=1,2\na=rid:4 recv\na=rid:5 send max-magic=1\na=rid:6 send "
      "pt=55\n"
      "a=simulcast:send 1,~2;3;5;4 recv ~4;1\n"));
  const MediaSection& video = offer.sections[0];
  ASSERT_EQ(video.rids.size(), 4u);  // 5 has an unknown restriction, 6 no payload type of this section.
  EXPECT_EQ(video.rids[0].max_width, 1280u);
  EXPECT_EQ(video.rids[0].max_millifps, 29970u);
  EXPECT_EQ(video.rids[0].max_pps, 27648000u);
  EXPECT_EQ(video.rids[2].depends, (std::vector<std::string>{"1", "2"}));
  ASSERT_TRUE(video.simulcast);
  EXPECT_EQ(video.simulcast->send,
            (std::vector<SimulcastStream>{{{"1", false}, {"2", true}}, {{"3", false}}}));
  EXPECT_EQ(video.simulcast->receive, (std::vector<SimulcastStream>{{{"4", true}}}));
  EXPECT_EQ(parsed(write(offer)), offer);
}

TEST(Description, gives_all_payload_types_the_feedback_of_a_wildcard) {
  SessionDescription offer = parsed(with_video("a=rtcp-fb:* ack ccfb\na=rtcp-fb:96 nack\n"));
  EXPECT_EQ(offer.sections[0].payloads[0].feedback, (Feedback{.nack = true, .ccfb = true}));
  EXPECT_EQ(offer.sections[0].payloads[1].feedback, (Feedback{.ccfb = true}));
}

// Firefox keeps the feedback lines of the codecs that a page did not want to offer.
TEST(Description, passes_over_what_is_said_of_payload_types_that_are_not_there) {
  SessionDescription offer =
      parsed(with_video("a=rtpmap:98 VP9/90000\na=fmtp:98 profile-id=0\na=rtcp-fb:98 nack\n"));
  ASSERT_EQ(offer.sections.size(), 1u);
  for (const Payload& payload : offer.sections[0].payloads) {
    EXPECT_NE(payload.type, 98);
    EXPECT_FALSE(payload.feedback.nack);
  }
}

TEST(Description, joins_format_lines_that_were_split) {
  SessionDescription offer =
      parsed(with("m=video 9 UDP/TLS/RTP/SAVPF 98\na=fmtp:98 packetization-mode=1\n"
                  "a=rtpmap:98 H264/90000\na=fmtp:98 profile-level-id=640028\n"));
  auto format = std::get<H264Format>(offer.sections[0].payloads[0].format);
  EXPECT_EQ(format.packetization_mode, 1);
  EXPECT_EQ(format.profile_level_id, 0x640028u);
}

TEST(Description, knows_static_payload_types_without_a_map) {
  SessionDescription offer = parsed(with("m=audio 9 RTP/SAVPF 0 8 9 13 3\n"));
  EXPECT_EQ(offer.sections[0].payloads[0].codec, Codec::kPcmu);
  EXPECT_EQ(offer.sections[0].payloads[2].codec, Codec::kG722);
  EXPECT_EQ(offer.sections[0].payloads[4].codec, Codec::kOther);
  EXPECT_EQ(parsed(write(offer)), offer);
}

TEST(Description, keeps_bandwidth_and_its_better_unit) {
  SessionDescription offer = parsed(with_video("b=AS:1500\nb=TIAS:1400000\nb=CT:1\n"));
  EXPECT_EQ(offer.sections[0].bandwidth.bps(), 1400000u);
  EXPECT_EQ(parsed(with_video("b=AS:1500\n")).sections[0].bandwidth.bps(), 1500000u);
  EXPECT_EQ(parsed(write(offer)), offer);
}

TEST(Description, passes_over_what_it_does_not_know) {
  SessionDescription offer = parsed(
      with("i=x\nu=http://x/\ne=a@b\np=+1\nr=1 2\nz=0 0\nk=clear:x\na=tool:x\na=group:LS a b\nm=text 9 "
           "RTP/AVP 98\n"
           "a=rtpmap:98 t140/1000\na=mid:t\nm=application 9 UDP/BFCP *\nm=video 9 UDP/TLS/RTP/SAVPF 96\n"
           "a=rtpmap:96 VC1/90000\na=fmtp:96 anything goes here\na=extmap:1 urn:unknown:extension\n"
           "a=fingerprint:md5 00\na=ssrc-group:XYZ 1 2\na=imageattr:96 recv [x=1]\n\n\n"));
  ASSERT_EQ(offer.sections.size(), 3u);
  EXPECT_EQ(offer.sections[0].kind, MediaKind::kOther);
  EXPECT_EQ(offer.sections[1].formats, (std::vector<std::string>{"*"}));
  EXPECT_EQ(offer.sections[2].payloads[0].name, "VC1");
  EXPECT_TRUE(offer.sections[2].extensions.empty() && offer.sections[2].fingerprints.empty());
  EXPECT_EQ(parsed(write(offer)), offer);
}

TEST(Description, lets_a_section_override_the_session) {
  SessionDescription offer = parsed(with(
      "c=IN IP6 ::1\na=inactive\na=ice-ufrag:sess\na=ice-pwd:ssssssssssssssssssssss\na=setup:active\n"
      "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:2 urn:ietf:params:rtp-hdrext:toffset\n"
      "m=audio 9 RTP/SAVPF 0\nm=audio 9 RTP/SAVPF 0\nc=IN IP4 192.0.2.1/127\na=sendrecv\na=ice-ufrag:sect\n"
      "a=ice-pwd:tttttttttttttttttttttt\na=setup:passive\na=extmap:1 "
      "urn:ietf:params:rtp-hdrext:ssrc-audio-level\n"));
  const MediaSection &plain = offer.sections[0], &own = offer.sections[1];
  EXPECT_EQ(plain.connection_address, "::1");
  EXPECT_EQ(plain.direction, Direction::kInactive);
  EXPECT_EQ(plain.ice->ufrag, "sess");
  EXPECT_EQ(plain.extensions.size(), 2u);
  EXPECT_EQ(own.connection_address, "192.0.2.1");
  EXPECT_EQ(own.direction, Direction::kSendRecv);
  EXPECT_EQ(own.ice->ufrag, "sect");
  EXPECT_EQ(own.setup, DtlsSetup::kPassive);
  EXPECT_EQ(own.extensions,
            (std::vector<ExtensionMap>{{.id = 1, .extension = HeaderExtension::kAudioLevel},
                                       {.id = 2, .extension = HeaderExtension::kTransmissionOffset}}));
  EXPECT_EQ(parsed(write(offer)), offer);
}

struct BadCase {
  const char* name;
  std::string text;
  Refusal refusal;
  std::uint32_t line;
};
std::string case_name(const testing::TestParamInfo<BadCase>& bad) { return bad.param.name; }
class BadDescription : public testing::TestWithParam<BadCase> {};
TEST_P(BadDescription, is_refused_with_its_line) {
  auto description = parse(GetParam().text);
  ASSERT_FALSE(description);
  EXPECT_STREQ(name_of(description.error().refusal), name_of(GetParam().refusal));
  EXPECT_EQ(description.error().line, GetParam().line);
}
const std::string kPair = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n";
const std::string kSecondVideo = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=rtpmap:96 VP8/90000\n";
std::string repeated(std::size_t times, const std::string& line) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += line;
  return out;
}
std::string numbered(std::size_t times, const std::string& before, const std::string& after) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += before + std::to_string(i) + after;
  return out;
}

// The head has 4 lines, the video section 4: what is added to it stands in line 9.
INSTANTIATE_TEST_SUITE_P(
    Lines, BadDescription,
    testing::Values(
        BadCase{"empty", "", Refusal::kMissingLine, 0},
        BadCase{"no_origin", "v=0\ns=-\nt=0 0\n", Refusal::kMissingLine, 0},
        BadCase{"no_name", "v=0\no=- 1 1 IN IP4 a\nt=0 0\n", Refusal::kMissingLine, 0},
        BadCase{"no_time", "v=0\no=- 1 1 IN IP4 a\ns=-\n", Refusal::kMissingLine, 0},
        BadCase{"version_1", "v=1\n", Refusal::kBadVersion, 1},
        BadCase{"version_late", "o=- 1 1 IN IP4 a\nv=0\n", Refusal::kMisplacedLine, 1},
        BadCase{"version_twice", with("v=0\n"), Refusal::kMisplacedLine, 5},
        BadCase{"origin_twice", with("o=- 1 1 IN IP4 a\n"), Refusal::kMisplacedLine, 5},
        BadCase{"name_twice", with("s=-\n"), Refusal::kMisplacedLine, 5},
        BadCase{"time_in_section", with_video("t=0 0\n"), Refusal::kMisplacedLine, 9},
        BadCase{"origin_words", "v=0\no=- 1 IN IP4 a\n", Refusal::kBadOrigin, 2},
        BadCase{"origin_id", "v=0\no=- 18446744073709551616 1 IN IP4 a\n", Refusal::kBadOrigin, 2},
        BadCase{"origin_net", "v=0\no=- 1 1 IN IP5 a\n", Refusal::kBadOrigin, 2},
        BadCase{"time", with("t=now\n"), Refusal::kBadTime, 5},
        BadCase{"connection", with("c=IN IP4\n"), Refusal::kBadConnection, 5},
        BadCase{"bandwidth", with_video("b=AS:fast\n"), Refusal::kBadBandwidth, 9},
        BadCase{"bandwidth_colon", with_video("b=AS\n"), Refusal::kBadBandwidth, 9},
        BadCase{"line", with("hello\n"), Refusal::kBadLine, 5},
        BadCase{"line_type", with("x=1\n"), Refusal::kBadLine, 5},
        BadCase{"line_space", with("a =mid:0\n"), Refusal::kBadLine, 5},
        BadCase{"blank_between", with("\na=ice-lite\n"), Refusal::kBadLine, 6},
        BadCase{"nul", with(std::string("a=x\0y\n", 6)), Refusal::kBadText, 5},
        BadCase{"escape", with("a=\x1b[2J\n"), Refusal::kBadText, 5},
        BadCase{"bare_cr", with("a=x\ra=y\n"), Refusal::kBadText, 5},
        BadCase{"long_line", with("a=" + std::string(kLineBytesMax, 'x') + "\n"), Refusal::kTooLarge, 5},
        BadCase{"long_name", "v=0\ns=" + std::string(kTokenBytesMax + 1, 'x') + "\n", Refusal::kTooLarge, 2},
        BadCase{"large", std::string(kDescriptionBytesMax + 1, 'x'), Refusal::kTooLarge, 0}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Sections, BadDescription,
    testing::Values(
        BadCase{"media_words", with("m=audio 9 RTP/AVP\n"), Refusal::kBadMediaLine, 5},
        BadCase{"media_port", with("m=audio 65536 RTP/AVP 0\n"), Refusal::kBadMediaLine, 5},
        BadCase{"sections", with(repeated(kSectionsMax + 1, "m=audio 9 RTP/AVP 0\n")), Refusal::kTooMany,
                5 + kSectionsMax},
        BadCase{"payload_type", with("m=audio 9 RTP/AVP 128\n"), Refusal::kBadPayloadType, 5},
        BadCase{"payload_twice", with("m=audio 9 RTP/AVP 0 0\n"), Refusal::kBadPayloadType, 5},
        BadCase{"formats", with("m=x 9 y" + repeated(kFormatsMax + 1, " z") + "\n"), Refusal::kTooMany, 5},
        BadCase{"no_map", with("m=video 9 RTP/AVP 96\n"), Refusal::kBadRtpMap, 5},
        BadCase{"map_of_no_number", with_video("a=rtpmap:x VP8/90000\n"), Refusal::kBadPayloadType, 9},
        BadCase{"map_rate", with_video("a=rtpmap:96 VP8/0\n"), Refusal::kBadRtpMap, 9},
        BadCase{"map_channels", with("m=audio 9 RTP/AVP 96\na=rtpmap:96 opus/48000/0\n"), Refusal::kBadRtpMap,
                6},
        BadCase{"map_twice", with_video("a=rtpmap:96 VP8/90000\n"), Refusal::kDuplicate, 9},
        BadCase{"format_of_no_number", with_video("a=fmtp:x x=y\n"), Refusal::kBadPayloadType, 9},
        BadCase{"format_value", with_video("a=fmtp:96 max-fs=all\n"), Refusal::kBadFormatParameters, 9},
        BadCase{"rtx_of_none", with("m=video 9 RTP/AVP 97\na=rtpmap:97 rtx/90000\n"),
                Refusal::kBadFormatParameters, 5},
        BadCase{"feedback_of_no_number", with_video("a=rtcp-fb:x nack\n"), Refusal::kBadPayloadType, 9},
        BadCase{"mid_word", with_video("a=mid:a b\n"), Refusal::kBadMid, 9},
        BadCase{"mid_twice", with_video("a=mid:a\na=mid:b\n"), Refusal::kDuplicate, 10},
        BadCase{"mid_of_two", with_video("a=mid:a\n" + kSecondVideo + "a=mid:a\n"), Refusal::kBadMid, 10},
        BadCase{"bundle_of_none", with("a=group:BUNDLE 7\n" + std::string(kVideo)), Refusal::kBadGroup, 5},
        BadCase{"bundle_twice", with("a=group:BUNDLE a a\n" + std::string(kVideo) + "a=mid:a\n"),
                Refusal::kBadGroup, 5},
        BadCase{"bundle_word", with("a=group:BUNDLE (\n"), Refusal::kBadGroup, 5},
        BadCase{"bundles", with(repeated(kGroupsMax + 1, "a=group:BUNDLE a\n")), Refusal::kTooMany,
                5 + kGroupsMax},
        BadCase{"direction_twice", with_video("a=sendonly\na=recvonly\n"), Refusal::kDuplicate, 10},
        BadCase{"direction_value", with_video("a=sendonly:1\n"), Refusal::kBadAttribute, 9},
        BadCase{"mux_value", with_video("a=rtcp-mux:1\n"), Refusal::kBadAttribute, 9},
        BadCase{"ptime", with_video("a=ptime:soon\n"), Refusal::kBadAttribute, 9},
        BadCase{"extension_id_0", with_video("a=extmap:0 urn:x\n"), Refusal::kBadExtension, 9},
        BadCase{"extension_id_300", with_video("a=extmap:300 urn:x\n"), Refusal::kBadExtension, 9},
        BadCase{"extension_twice", with_video("a=extmap:1 urn:x\na=extmap:1 urn:y\n"), Refusal::kBadExtension,
                10},
        BadCase{"extension_direction", with_video("a=extmap:1/up urn:x\n"), Refusal::kBadExtension, 9},
        BadCase{"extension_uri", with_video("a=extmap:1\n"), Refusal::kBadExtension, 9},
        BadCase{"sctp_port", with("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:65536\n"),
                Refusal::kBadSctp, 6},
        BadCase{"sctp_map", with("m=application 9 DTLS/SCTP 5000\na=sctpmap:5001 webrtc-datachannel 1\n"),
                Refusal::kBadSctp, 6},
        BadCase{"sctp_size",
                with("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=max-message-size:big\n"),
                Refusal::kBadSctp, 6}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Transport, BadDescription,
    testing::Values(
        BadCase{"ufrag_short", with_video("a=ice-ufrag:abc\n"), Refusal::kBadIce, 9},
        BadCase{"pwd_signs", with_video("a=ice-pwd:01234567890123456789-1\n"), Refusal::kBadIce, 9},
        BadCase{"ufrag_alone", with_video("a=ice-ufrag:abcd\n"), Refusal::kBadIce, 9},
        BadCase{"ufrag_twice", with_video(kPair + "a=ice-ufrag:abcd\n"), Refusal::kDuplicate, 11},
        BadCase{"lite_value", with("a=ice-lite:1\n"), Refusal::kBadIce, 5},
        BadCase{"candidate", with_video("a=candidate:1 1 udp\n"), Refusal::kBadCandidate, 9},
        BadCase{"candidates",
                with_video(repeated(kCandidatesMax + 1, "a=candidate:1 1 udp 1 a 1 typ host\n")),
                Refusal::kTooMany, 9 + kCandidatesMax},
        BadCase{"fingerprint_short", with_video("a=fingerprint:sha-256 00:11\n"), Refusal::kBadFingerprint,
                9},
        BadCase{
            "fingerprint_signs",
            with_video("a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22-33\n"),
            Refusal::kBadFingerprint, 9},
        BadCase{
            "fingerprint_hex",
            with_video("a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:3g\n"),
            Refusal::kBadFingerprint, 9},
        BadCase{"setup", with_video("a=setup:both\n"), Refusal::kBadSetup, 9},
        BadCase{"setup_twice", with_video("a=setup:active\na=setup:active\n"), Refusal::kDuplicate, 10},
        BadCase{"tls_id", with_video("a=tls-id:a b\n"), Refusal::kBadAttribute, 9}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Streams, BadDescription,
    testing::Values(
        BadCase{"ssrc", with_video("a=ssrc:4294967296 cname:x\n"), Refusal::kBadSource, 9},
        BadCase{"ssrc_cname", with_video("a=ssrc:1 cname:\n"), Refusal::kBadSource, 9},
        BadCase{"ssrc_of_two", with_video("a=ssrc:7 cname:x\n" + kSecondVideo + "a=ssrc:7 cname:x\n"),
                Refusal::kBadSource, 10},
        BadCase{"ssrcs", with_video(numbered(kSourcesMax + 1, "a=ssrc:", " cname:x\n")), Refusal::kTooMany,
                9 + kSourcesMax},
        BadCase{"group", with_video("a=ssrc-group:FID\n"), Refusal::kBadSourceGroup, 9},
        BadCase{"group_twice", with_video("a=ssrc-group:FID 1 1\n"), Refusal::kBadSourceGroup, 9},
        BadCase{"group_long",
                with_video("a=ssrc-group:SIM" + numbered(kSourcesInGroupMax + 1, " ", "") + "\n"),
                Refusal::kTooMany, 9},
        BadCase{"groups", with_video(repeated(kSourceGroupsMax + 1, "a=ssrc-group:FID 1 2\n")),
                Refusal::kTooMany, 9 + kSourceGroupsMax},
        BadCase{"msid", with_video("a=msid:a b c\n"), Refusal::kBadMsid, 9},
        BadCase{"msids", with_video(repeated(kMsidsMax + 1, "a=msid:a b\n")), Refusal::kTooMany,
                9 + kMsidsMax},
        BadCase{"rid_sign", with_video("a=rid:a.b send\n"), Refusal::kBadRid, 9},
        BadCase{"rid_direction", with_video("a=rid:a up\n"), Refusal::kBadRid, 9},
        BadCase{"rid_twice", with_video("a=rid:a send\na=rid:a recv\n"), Refusal::kBadRid, 10},
        BadCase{"rid_value", with_video("a=rid:a send max-width=wide\n"), Refusal::kBadRid, 9},
        BadCase{"rid_fps", with_video("a=rid:a send max-fps=30.\n"), Refusal::kBadRid, 9},
        BadCase{"rid_long", with_video("a=rid:" + std::string(kRidBytesMax + 1, 'r') + " send\n"),
                Refusal::kBadRid, 9},
        BadCase{"rids", with_video(numbered(kRidsMax + 1, "a=rid:", " send\n")), Refusal::kTooMany,
                9 + kRidsMax},
        BadCase{"simulcast_word", with_video("a=simulcast:up a\n"), Refusal::kBadSimulcast, 9},
        BadCase{"simulcast_empty", with_video("a=simulcast:send\n"), Refusal::kBadSimulcast, 9},
        BadCase{"simulcast_repeat", with_video("a=simulcast:send a;a\n"), Refusal::kBadSimulcast, 9},
        BadCase{"simulcast_send_send", with_video("a=simulcast:send a send b\n"), Refusal::kBadSimulcast, 9},
        BadCase{"simulcast_twice", with_video("a=simulcast:send a\na=simulcast:send a\n"),
                Refusal::kDuplicate, 10},
        BadCase{"simulcast_streams",
                with_video("a=simulcast:send " + numbered(kSimulcastStreamsMax + 1, "", ";") + "\n"),
                Refusal::kBadSimulcast, 9}),
    case_name);

TEST(Refusals, have_names_of_their_own) {
  for (std::size_t i = 0; i < kRefusalCount; ++i) {
    EXPECT_STRNE(name_of(static_cast<Refusal>(i)), "unknown");
  }
}

TEST(Directions, turn_and_meet) {
  EXPECT_EQ(reversed(Direction::kSendOnly), Direction::kRecvOnly);
  EXPECT_EQ(reversed(Direction::kSendRecv), Direction::kSendRecv);
  EXPECT_EQ(common_direction(Direction::kSendRecv, Direction::kRecvOnly), Direction::kRecvOnly);
  EXPECT_EQ(common_direction(Direction::kSendOnly, Direction::kRecvOnly), Direction::kInactive);
}

TEST(HeaderExtensions, are_found_by_their_uris) {
  for (std::size_t i = 0; i < kHeaderExtensionCount; ++i) {
    auto extension = static_cast<HeaderExtension>(i);
    EXPECT_EQ(find_extension(uri_of(extension)), extension);
  }
  EXPECT_FALSE(find_extension("urn:x"));
}

}  // namespace
}  // namespace stoa::sdp

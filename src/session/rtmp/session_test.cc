#include "session/rtmp/session.h"

#include <gtest/gtest.h>

#include "media/codec_vectors.h"
#include "proto/rtmp/client.h"
#include "sim/link.h"

namespace stoa::session {
namespace {

namespace v = media::vectors;
using flv::Packet;
using flv::PacketKind;
using media::Codec;

// A publisher and a session, with virtual time and nothing in between.
struct Pair {
  explicit Pair(std::string app = "live", std::string name = "key")
      : client({.app = std::move(app), .tc_url = "rtmp://h/live", .stream_name = std::move(name)}, Rng(1)),
        session({}, Rng(2), time.now()) {
    client.start(client_out);
    pump();
  }
  void pump() {
    while (!client_out.empty() || !session_out.empty()) {
      for (auto& output : client_out.take()) {
        if (auto* send = std::get_if<rtmp::SendBytes>(&output)) {
          session.handle_bytes(time.now(), send->bytes, session_out);
        } else {
          client_events.push_back(std::move(output));
        }
      }
      for (auto& output : session_out.take()) {
        if (auto* send = std::get_if<rtmp::SendBytes>(&output)) {
          (void)client.handle_bytes(send->bytes, client_out);
        } else {
          events.push_back(std::move(output));
        }
      }
    }
  }
  Pair& accepted() {
    session.accept(time.now(), session_out);
    pump();
    events.clear();
    return *this;
  }
  void video(std::uint32_t time_ms, const Buffer& body) {
    client.send_video(time_ms, body, client_out);
    pump();
  }
  void audio(std::uint32_t time_ms, const Buffer& body) {
    client.send_audio(time_ms, body, client_out);
    pump();
  }
  void video(std::uint32_t time_ms, PacketKind kind, flv::FourCc codec, std::string_view hex,
             std::int32_t composition = 0) {
    video(time_ms, flv::write_video(Packet{kind, codec, 0, 0, false, composition, 0, v::shared(hex)}));
  }
  void audio(std::uint32_t time_ms, PacketKind kind, flv::FourCc codec, SharedBytes body) {
    audio(time_ms, flv::write_audio(Packet{kind, codec, 0, 0, true, 0, 0, std::move(body)}));
  }

  template <typename T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& event : events) {
      if constexpr (std::is_constructible_v<media::TrackEvent, T>) {
        auto* track = std::get_if<media::TrackEvent>(&event);
        if (auto* one = track ? std::get_if<T>(track) : nullptr) found.push_back(*one);
      } else if (auto* one = std::get_if<T>(&event)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  std::uint64_t dropped(PacketDrop drop) const { return session.tracks().dropped(drop); }

  sim::VirtualTime time;
  rtmp::ClientConnection client;
  RtmpSession session;
  rtmp::ClientOutputs client_out;
  RtmpOutputs session_out;
  std::vector<rtmp::ClientOutput> client_events;
  std::vector<RtmpOutput> events;
};

SharedBytes opus_head() {
  ByteWriter head;
  head.text("OpusHead");
  head.u8(1);
  head.u8(2);
  head.u16(0x3801);      // Pre-skip 312, little-endian.
  head.u32(0x80bb0000);  // 48000, little-endian.
  head.u16(0);
  head.u8(0);
  return SharedBytes(head.take());
}

Packet track_packet(PacketKind kind, flv::FourCc codec, std::uint8_t track, std::string_view hex) {
  return {kind, codec, 0, track, true, 0, 0, v::shared(hex)};
}

TEST(RtmpSession, asks_with_decoded_parameters) {
  Pair pair("live", "my%20key?priority=2&name=a%26b&flag");
  auto asked = pair.all<PublishRequested>();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].app, "live");
  EXPECT_EQ(asked[0].find_parameter("priority"), "2");
  EXPECT_EQ(asked[0].find_parameter("name"), "a&b");
  EXPECT_EQ(asked[0].find_parameter("flag"), "");
  EXPECT_EQ(asked[0].find_parameter("nothing"), std::nullopt);
}

TEST(RtmpSession, turns_legacy_h264_and_aac_into_two_tracks) {
  Pair pair;
  pair.accepted();
  Packet config{PacketKind::kSequenceStart, flv::kAvc, 0, 0, true, 0, 0, v::shared(v::kH264HighConfig)};
  pair.video(0, flv::write_legacy_video(config));
  Packet aac{PacketKind::kSequenceStart, flv::kAac, 0, 0, true, 0, 0, v::shared(v::kAacStereoConfig)};
  pair.audio(0, flv::write_legacy_audio(aac));
  // The tag lies about what is a keyframe; the bitstream does not.
  Packet frame{PacketKind::kFrames, flv::kAvc, 0, 0, false, 80, 0, v::shared(v::kH264HighFirst)};
  pair.video(1000, flv::write_legacy_video(frame));
  frame = {PacketKind::kFrames, flv::kAvc, 0, 0, true, -40, 0, v::shared(v::kH264HighSecond)};
  pair.video(1040, flv::write_legacy_video(frame));
  aac = {PacketKind::kFrames, flv::kAac, 0, 0, true, 0, 0, v::shared(v::kAacStereoFirst)};
  pair.audio(1010, flv::write_legacy_audio(aac));

  auto formats = pair.all<media::TrackFormat>();
  ASSERT_EQ(formats.size(), 2u);
  EXPECT_EQ(formats[0].track, 0);
  EXPECT_EQ(formats[0].format->codec, Codec::kH264);
  EXPECT_EQ(formats[0].format->width, 64u);
  EXPECT_EQ(formats[0].clock_wrap, Duration::milliseconds(4294967296));
  EXPECT_EQ(formats[1].track, 1);
  EXPECT_EQ(formats[1].format->codec, Codec::kAac);
  auto frames = pair.all<media::TrackFrame>();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_TRUE(frames[0].frame.is_keyframe);
  EXPECT_EQ(frames[0].frame.dts, Duration::milliseconds(1000));
  EXPECT_EQ(frames[0].frame.pts, Duration::milliseconds(1080));
  EXPECT_FALSE(frames[1].frame.is_keyframe);
  EXPECT_EQ(frames[1].frame.pts, Duration::milliseconds(1000));
  EXPECT_EQ(frames[2].track, 1);
  EXPECT_TRUE(frames[2].frame.is_keyframe);
}

TEST(RtmpSession, carries_every_enhanced_codec) {
  struct Case {
    flv::FourCc fourcc;
    Codec codec;
    std::string_view config, frame;
  } cases[] = {{flv::kAvc, Codec::kH264, v::kH264HighConfig, v::kH264HighFirst},
               {flv::kHevc, Codec::kHevc, v::kHevcMainConfig, v::kHevcMainFirst},
               {flv::kAv1, Codec::kAv1, v::kAv1MainConfig, v::kAv1MainFirst},
               {flv::kVp9, Codec::kVp9, v::kVp9Config, v::kVp9First},
               // As the specification says it, without the box's version and flags.
               {flv::kVp9, Codec::kVp9, v::kVp9Config.substr(8), v::kVp9First}};
  for (auto& [fourcc, codec, config, frame] : cases) {
    Pair pair;
    pair.accepted();
    pair.video(0, PacketKind::kSequenceStart, fourcc, config);
    pair.video(20, PacketKind::kFrames, fourcc, frame);
    // Of VP9 only the first frame tells the size.
    auto formats = pair.all<media::TrackFormat>();
    ASSERT_EQ(formats.size(), codec == Codec::kVp9 ? 2u : 1u) << media::name_of(codec);
    EXPECT_EQ(formats.back().format->codec, codec);
    EXPECT_NE(formats.back().format->width, 0u);
    ASSERT_EQ(pair.all<media::TrackFrame>().size(), 1u) << media::name_of(codec);
    EXPECT_TRUE(pair.all<media::TrackFrame>()[0].frame.is_keyframe);
  }
  Pair pair;
  pair.accepted();
  pair.audio(0, PacketKind::kSequenceStart, flv::kOpus, opus_head());
  pair.audio(20, PacketKind::kFrames, flv::kOpus, v::shared(v::kOpusStereoFirst));
  ASSERT_EQ(pair.all<media::TrackFormat>().size(), 1u);
  EXPECT_EQ(pair.all<media::TrackFormat>()[0].format->channels, 2u);
  EXPECT_EQ(pair.all<media::TrackFrame>().size(), 1u);
}

TEST(RtmpSession, takes_the_temporal_delimiter_off_av1) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAv1, v::kAv1MainConfig);
  pair.video(0, PacketKind::kFrames, flv::kAv1, "1200" + std::string(v::kAv1MainFirst));
  ASSERT_EQ(pair.all<media::TrackFrame>().size(), 1u);
  auto expected = v::shared(v::kAv1MainFirst);
  EXPECT_EQ(pair.all<media::TrackFrame>()[0].frame.payload.text(), expected.text());
}

TEST(RtmpSession, makes_a_track_of_each_multitrack_track_in_order_of_appearance) {
  Pair pair;
  pair.accepted();
  auto many = flv::Multitrack::kManyTracksManyCodecs;
  pair.video(0, flv::write_video(
                    many, {track_packet(PacketKind::kSequenceStart, flv::kAvc, 0, v::kH264HighConfig),
                           track_packet(PacketKind::kSequenceStart, flv::kHevc, 7, v::kHevcMainConfig)}));
  pair.audio(0,
             flv::write_audio(flv::Multitrack::kOneTrack,
                              {track_packet(PacketKind::kSequenceStart, flv::kAac, 7, v::kAacMonoConfig)}));
  Packet first = track_packet(PacketKind::kFrames, flv::kAvc, 0, v::kH264HighFirst);
  Packet second = track_packet(PacketKind::kFrames, flv::kHevc, 7, v::kHevcMainFirst);
  first.offset_ns = second.offset_ns = 500'000;
  pair.video(40, flv::write_video(many, {first, second}));
  auto formats = pair.all<media::TrackFormat>();
  ASSERT_EQ(formats.size(), 3u);
  EXPECT_EQ(formats[1].track, 1);
  EXPECT_EQ(formats[1].format->codec, Codec::kHevc);
  EXPECT_EQ(formats[2].track, 2);
  EXPECT_EQ(formats[2].format->kind(), media::Kind::kAudio);
  auto frames = pair.all<media::TrackFrame>();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].track, 1);
  EXPECT_EQ(frames[1].frame.dts, Duration::microseconds(40'500));
}

TEST(RtmpSession, says_a_format_once_and_a_new_one_before_its_first_frame) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264InBandFirst);
  EXPECT_EQ(pair.all<media::TrackFormat>().size(), 1u);
  // Another size arrives in the stream itself, without a sequence start.
  pair.video(40, PacketKind::kFrames, flv::kAvc, v::kH264OtherSizeFirst);
  auto formats = pair.all<media::TrackFormat>();
  ASSERT_EQ(formats.size(), 2u);
  EXPECT_NE(formats[1].format->width, formats[0].format->width);
  // The first configuration once more is old news.
  pair.video(80, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  EXPECT_EQ(pair.all<media::TrackFormat>().size(), 2u);
  auto* last = std::get_if<media::TrackEvent>(&pair.events.back());
  ASSERT_TRUE(last && std::holds_alternative<media::TrackFrame>(*last));
}

TEST(RtmpSession, opens_a_track_again_when_frames_follow_its_end) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264InBandFirst);
  pair.video(40, PacketKind::kSequenceEnd, flv::kAvc, "");
  pair.video(40, PacketKind::kSequenceEnd, flv::kAvc, "");
  EXPECT_EQ(pair.all<media::TrackEnded>().size(), 1u);
  pair.events.clear();
  pair.video(80, PacketKind::kFrames, flv::kAvc, v::kH264InBandFirst);
  EXPECT_EQ(pair.all<media::TrackFormat>().size(), 1u);
  EXPECT_EQ(pair.all<media::TrackFrame>().size(), 1u);
  pair.session.handle_disconnect(pair.session_out);
  pair.pump();
  EXPECT_EQ(pair.all<media::TrackEnded>().size(), 1u);
}

TEST(RtmpSession, refuses_what_nobody_can_play_once_and_goes_on_with_the_rest) {
  Pair pair;
  pair.accepted();
  for (int i = 0; i < 3; ++i) pair.audio(0, Buffer{0xb2, 1, 2});  // Speex
  for (int i = 0; i < 3; ++i) pair.video(0, Buffer{0x22, 1, 2});  // Sorenson H.263
  auto refused = pair.all<TrackRefused>();
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_STREQ(refused[0].codec, "Speex");
  EXPECT_STREQ(refused[0].reason, "unsupported_codec");
  EXPECT_STREQ(refused[1].codec, "Sorenson H.263");
  EXPECT_EQ(pair.dropped(PacketDrop::kRefusedTrack), 6u);
  // An audio FourCC in a video message is no video.
  pair.video(0, flv::write_video(flv::Multitrack::kOneTrack,
                                 {track_packet(PacketKind::kSequenceStart, flv::kAac, 3, "1190")}));
  EXPECT_EQ(pair.all<TrackRefused>().size(), 3u);
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264HighConfig);
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264HighFirst);
  EXPECT_EQ(pair.all<media::TrackFrame>().size(), 1u);
  EXPECT_EQ(pair.session.tracks().refused(), 3u);
}

TEST(RtmpSession, counts_what_comes_to_nothing_by_reason) {
  Pair pair;
  pair.accepted();
  pair.video(0, Buffer{0x91, 'h'});
  EXPECT_EQ(pair.dropped(PacketDrop::kBadTag), 1u);
  EXPECT_EQ(pair.session.tracks().bad_tags(flv::Refusal::kTruncated), 1u);
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264HighFirst);
  EXPECT_EQ(pair.dropped(PacketDrop::kBeforeConfig), 1u);
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, "01");
  EXPECT_EQ(pair.dropped(PacketDrop::kBadConfig), 1u);
  ASSERT_EQ(pair.all<TrackRefused>().size(), 1u);
  EXPECT_STREQ(pair.all<TrackRefused>()[0].reason, "truncated");
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264HighFirst);
  EXPECT_EQ(pair.dropped(PacketDrop::kRefusedTrack), 1u);
  // A good configuration brings the track to life.
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264HighConfig);
  pair.video(0, PacketKind::kFrames, flv::kAvc, "0000ffff65");
  pair.video(0, PacketKind::kFrames, flv::kAvc, "");
  EXPECT_EQ(pair.dropped(PacketDrop::kBadFrame), 2u);
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264HighFirst);
  EXPECT_EQ(pair.all<media::TrackFrame>().size(), 1u);

  MetricSamples samples;
  RtmpStats stats;
  stats.add(pair.session);
  stats.append_samples(samples);
  double bad_frames = 0;
  for (auto& sample : samples) {
    if (!sample.labels.empty() && sample.labels[0].second == "bad_frame") bad_frames = sample.value;
  }
  EXPECT_EQ(bad_frames, 2);
}

TEST(RtmpSession, takes_a_track_again_whose_configuration_is_good_again) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, "0102");
  pair.video(0, PacketKind::kFrames, flv::kAvc, v::kH264InBandFirst);
  EXPECT_TRUE(pair.all<media::TrackFrame>().empty());
  pair.video(40, PacketKind::kSequenceStart, flv::kAvc, v::kH264InBandConfig);
  pair.video(40, PacketKind::kFrames, flv::kAvc, v::kH264InBandFirst);
  EXPECT_EQ(pair.all<media::TrackFrame>().size(), 1u);
}

TEST(RtmpSession, takes_sixteen_tracks_and_no_more) {
  Pair pair;
  pair.accepted();
  for (std::uint8_t track = 0; track < 18; ++track) {
    pair.video(0, flv::write_video(
                      flv::Multitrack::kOneTrack,
                      {track_packet(PacketKind::kSequenceStart, flv::kAvc, track, v::kH264HighConfig)}));
  }
  EXPECT_EQ(pair.all<media::TrackFormat>().size(), 16u);
  ASSERT_EQ(pair.all<TrackRefused>().size(), 1u);
  EXPECT_STREQ(pair.all<TrackRefused>()[0].reason, "too_many_tracks");
}

TEST(RtmpSession, names_tracks_by_the_metadata) {
  using rtmp::AmfValue;
  Pair pair;
  pair.accepted();
  auto info = AmfValue::object({{"1", AmfValue::object({{"language", AmfValue::string("de")},
                                                        {"label", AmfValue::string("Deutsch")}})},
                                {"2", AmfValue::object({{"language", AmfValue::string("<script>")}})}});
  pair.client.send_metadata(AmfValue::ecma_array({{"audioTrackIdInfoMap", info}}), pair.client_out);
  pair.pump();
  for (std::uint8_t track : {0, 1, 2}) {
    pair.audio(0, flv::write_audio(
                      flv::Multitrack::kOneTrack,
                      {track_packet(PacketKind::kSequenceStart, flv::kAac, track, v::kAacStereoConfig)}));
  }
  auto formats = pair.all<media::TrackFormat>();
  ASSERT_EQ(formats.size(), 3u);
  EXPECT_EQ(formats[0].language, "");
  EXPECT_EQ(formats[1].language, "de");
  EXPECT_EQ(formats[1].name, "Deutsch");
  EXPECT_EQ(formats[2].language, "");
}

TEST(RtmpSession, ends_tracks_then_the_publication_then_lingers_for_the_peer) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264HighConfig);
  pair.events.clear();
  pair.client.unpublish(pair.client_out);
  pair.pump();
  ASSERT_EQ(pair.events.size(), 2u);
  EXPECT_EQ(pair.all<media::TrackEnded>().size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Ended>(pair.events[1]));
  EXPECT_FALSE(pair.session.is_closed());
  ASSERT_EQ(pair.session.next_deadline(), pair.time.now() + kLinger);
  pair.time.advance(kLinger);
  pair.session.handle_deadline(pair.time.now(), pair.session_out);
  pair.pump();
  ASSERT_EQ(pair.all<Closed>().size(), 1u);
  EXPECT_EQ(pair.all<Closed>()[0].reason, CloseReason::kUnpublished);
  EXPECT_EQ(pair.session.next_deadline(), Timestamp::never());
}

TEST(RtmpSession, ends_when_the_peer_is_gone_and_says_nothing_twice) {
  Pair pair;
  pair.accepted();
  pair.video(0, PacketKind::kSequenceStart, flv::kAvc, v::kH264HighConfig);
  pair.session.handle_disconnect(pair.session_out);
  pair.session.handle_disconnect(pair.session_out);
  pair.session.stop(StopReason::kEnded, pair.session_out);
  pair.pump();
  EXPECT_EQ(pair.all<media::TrackEnded>().size(), 1u);
  EXPECT_EQ(pair.all<Ended>().size(), 1u);
  ASSERT_EQ(pair.all<Closed>().size(), 1u);
  EXPECT_EQ(pair.all<Closed>()[0].reason, CloseReason::kPeerGone);
}

TEST(RtmpSession, tells_the_encoder_why_it_is_stopped) {
  for (auto [reason, code] : {std::pair{StopReason::kTakenOver, "NetStream.Publish.BadName"},
                              std::pair{StopReason::kEnded, "NetStream.Publish.Denied"},
                              std::pair{StopReason::kShutdown, "NetConnection.Connect.AppShutdown"}}) {
    Pair pair;
    pair.accepted();
    pair.session.stop(reason, pair.session_out);
    pair.pump();
    EXPECT_EQ(pair.all<Ended>().size(), 1u);
    ASSERT_EQ(pair.all<Closed>().size(), 1u);
    EXPECT_EQ(pair.all<Closed>()[0].reason, CloseReason::kStopped);
    auto* told = std::get_if<rtmp::ClientClosed>(&pair.client_events.back());
    ASSERT_TRUE(told);
    EXPECT_EQ(told->code, code);
  }
}

TEST(RtmpSession, is_closed_without_an_end_when_it_never_published) {
  Pair rejected;
  rejected.session.reject("No.", rejected.session_out);
  rejected.pump();
  EXPECT_TRUE(rejected.all<Ended>().empty());
  EXPECT_EQ(rejected.all<Closed>()[0].reason, CloseReason::kRejected);
  Pair undecided;
  undecided.time.advance_to(undecided.session.next_deadline());
  undecided.session.handle_deadline(undecided.time.now(), undecided.session_out);
  undecided.pump();
  EXPECT_TRUE(undecided.all<Ended>().empty());
  EXPECT_EQ(undecided.all<Closed>()[0].reason, CloseReason::kRefused);
  EXPECT_EQ(undecided.all<Closed>()[0].refusal, rtmp::Refusal::kDecisionTimeout);
}

TEST(RtmpSession, refuses_a_second_publication_on_the_same_connection) {
  Pair pair;
  pair.accepted();
  pair.client.unpublish(pair.client_out);
  pair.client.send_command("publish", 9, {rtmp::AmfValue::null(), rtmp::AmfValue::string("other")}, 1,
                           pair.client_out);
  pair.pump();
  EXPECT_TRUE(pair.all<PublishRequested>().empty());
  ASSERT_EQ(pair.all<Closed>().size(), 1u);
  EXPECT_EQ(pair.all<Closed>()[0].reason, CloseReason::kRejected);
}

TEST(RtmpSession, says_nothing_after_closed_whatever_came_in_the_same_bytes) {
  Pair pair;
  pair.accepted();
  pair.client.unpublish(pair.client_out);
  pair.pump();
  pair.client.send_command("createStream", 9, {rtmp::AmfValue::null()}, 0, pair.client_out);
  pair.client.send_command("publish", 10, {rtmp::AmfValue::null(), rtmp::AmfValue::string("other")}, 1,
                           pair.client_out);
  Buffer bytes;
  for (auto& output : pair.client_out.take())
    if (auto* send = std::get_if<rtmp::SendBytes>(&output))
      bytes.insert(bytes.end(), send->bytes.begin(), send->bytes.end());
  pair.session.handle_bytes(pair.time.now(), bytes, pair.session_out);
  auto outputs = pair.session_out.take();
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<rtmp::SendBytes>(outputs[0]));  // The answer to createStream.
  EXPECT_TRUE(std::holds_alternative<rtmp::SendBytes>(outputs[1]));  // Why it is over.
  EXPECT_TRUE(std::holds_alternative<Closed>(outputs[2]));
}

}  // namespace
}  // namespace stoa::session

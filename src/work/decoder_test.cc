#include "work/decoder.h"

#include <gmock/gmock.h>

#include <bit>

#include "media/bit_reader.h"
#include "media/nal.h"
#include "media/picture.h"
#include "work/test_clip.h"
#include "work/video_units.h"

namespace stoa::work {
namespace {

using namespace test;
using testing::ElementsAreArray;

std::vector<Duration> times_of(const std::vector<Image>& images) {
  std::vector<Duration> times;
  for (const Image& image : images) times.push_back(image.pts);
  return times;
}
std::vector<int> numbers_of(const std::vector<Image>& images) {
  std::vector<int> numbers;
  for (const Image& image : images) numbers.push_back(number_of(*image.pixels));
  return numbers;
}
std::vector<int> range(int from, int to) {
  std::vector<int> numbers;
  for (int number = from; number < to; ++number) numbers.push_back(number);
  return numbers;
}
// The same with noise for its last two thirds.
media::Frame broken(const media::Frame& frame) {
  Buffer bytes(frame.payload.bytes().begin(), frame.payload.bytes().end());
  for (std::size_t at = bytes.size() / 3; at < bytes.size(); ++at)
    bytes[at] = static_cast<std::uint8_t>(at * 37);
  media::Frame other = frame;
  other.payload = SharedBytes(std::move(bytes));
  return other;
}
// Writes bits; the reader is media/bit_reader.h.
class BitWriter {
 public:
  void u(std::uint32_t value, unsigned count) {
    while (count-- > 0) bits_.push_back(value >> count & 1);
  }
  void ue(std::uint32_t value) {
    unsigned length = static_cast<unsigned>(std::bit_width(value + 1));
    u(0, length - 1);
    u(value + 1, length);
  }
  // With the stop bit, and emulation prevention behind a header byte.
  Buffer nal(std::uint8_t header) {
    bits_.push_back(true);
    while (bits_.size() % 8 != 0) bits_.push_back(false);
    Buffer out{header};
    int zeros = 0;
    for (std::size_t at = 0; at < bits_.size(); at += 8) {
      std::uint8_t byte = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) byte = static_cast<std::uint8_t>(byte << 1 | bits_[at + bit]);
      if (zeros >= 2 && byte <= 3) out.push_back(3), zeros = 0;
      out.push_back(byte);
      zeros = byte == 0 ? zeros + 1 : 0;
    }
    return out;
  }

 private:
  std::vector<bool> bits_;
};

// As an encoder writes it that does not say how far it reorders.
std::shared_ptr<const media::Format> without_restriction(const media::Format& format) {
  Bytes config = format.config.bytes();
  std::size_t length = static_cast<std::size_t>(config[6] << 8 | config[7]);
  Buffer payload = media::unescape(config.subspan(8, length));
  // H.264 §7.3.2.1.1 for Main: copied up to vui_parameters_present_flag, which says no.
  media::BitReader in(payload);
  BitWriter out;
  in.u(8);
  for (int byte = 0; byte < 3; ++byte) out.u(in.u(8), 8);
  out.ue(in.ue()), out.ue(in.ue());
  std::uint32_t order_type = in.ue();
  EXPECT_EQ(order_type, 0u);
  out.ue(order_type), out.ue(in.ue()), out.ue(in.ue());
  out.u(in.u(1), 1);
  out.ue(in.ue()), out.ue(in.ue());
  out.u(in.u(2), 2);  // frame_mbs_only_flag (1), direct_8x8_inference_flag
  std::uint32_t is_cropped = in.u(1);
  out.u(is_cropped, 1);
  for (std::uint32_t side = 0; side < 4 * is_cropped; ++side) out.ue(in.ue());
  out.u(0, 1);
  Buffer sps = out.nal(config[8]);
  ByteWriter record;
  record.bytes(config.first(6));
  record.u16(static_cast<std::uint16_t>(sps.size()));
  record.bytes(sps);
  record.bytes(config.subspan(8 + length));
  auto made = media::make_format(media::Codec::kH264, SharedBytes(record.take()));
  EXPECT_TRUE(made.has_value());
  return *made;
}

struct Source {
  const char* name;
  ClipSpec spec;
};
class Decoding : public testing::TestWithParam<Source> {};

TEST_P(Decoding, gives_each_picture_once_in_order_with_its_time) {
  Clip clip = make_clip(GetParam().spec);
  std::vector<Image> images = decode_all(clip.format, clip.frames);
  EXPECT_THAT(times_of(images), ElementsAreArray(clip.shown));
  EXPECT_THAT(numbers_of(images), ElementsAreArray(range(0, GetParam().spec.pictures)));
}

INSTANTIATE_TEST_SUITE_P(Sources, Decoding,
                         testing::Values(Source{"plain", {}}, Source{"b_frames", {.b_frames = 3}},
                                         Source{"variable", {.b_frames = 2, .is_variable = true}}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Decoder, holds_nothing_back_without_b_frames) {
  Clip clip = make_clip({});
  Decoder decoder(clip.format, {.threads = 3});
  std::vector<Image> images;
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    ASSERT_TRUE(decoder.decode(clip.frames[i], images));
    ASSERT_EQ(images.size(), i + 1);
  }
}

TEST(Decoder, refuses_a_broken_unit_and_goes_on_at_the_next_keyframe) {
  Clip clip = make_clip({.pictures = 40, .keyframe_every = 20});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    auto decoded = decoder.decode(i == 5 ? broken(clip.frames[i]) : clip.frames[i], images);
    if (i == 5) {
      EXPECT_EQ(decoded.error(), DecodeRefusal::kBroken);
    } else if (i > 5 && i < 20) {
      EXPECT_EQ(decoded.error(), DecodeRefusal::kBeforeKeyframe);
    } else {
      EXPECT_TRUE(decoded.has_value());
    }
  }
  std::vector<int> expected = range(0, 5);
  for (int number : range(20, 40)) expected.push_back(number);
  EXPECT_THAT(numbers_of(images), ElementsAreArray(expected));
  EXPECT_EQ(decoder.counts().units, 40u);
  EXPECT_EQ(decoder.counts().units_refused, 1u);
  EXPECT_EQ(decoder.counts().units_left_out, 14u);
  EXPECT_EQ(decoder.counts().pictures, 25u);
}

TEST(Decoder, says_which_unit_a_picture_was_made_of) {
  Clip clip = make_clip({.pictures = 60, .b_frames = 3, .keyframe_every = 20});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  Duration nominal = Duration::from_ticks(1, 30);
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    (void)decoder.decode(i == 25 ? broken(clip.frames[i]) : clip.frames[i], {1000 + i, nominal}, images);
  }
  decoder.finish(images);
  ASSERT_GT(images.size(), 40u);
  for (const Image& image : images) {
    ASSERT_GE(image.origin.number, 1000u);
    EXPECT_EQ(clip.frames[image.origin.number - 1000].pts, image.pts);
    EXPECT_EQ(image.origin.nominal_duration, nominal);
  }
}

TEST(Decoder, lets_out_what_it_had_before_a_refused_unit) {
  Clip clip = make_clip({.pictures = 20, .b_frames = 3});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  for (std::size_t i = 0; i < 9; ++i) ASSERT_TRUE(decoder.decode(clip.frames[i], images));
  std::size_t before = images.size();
  media::Frame nothing = clip.frames[9];
  nothing.payload = SharedBytes(Buffer{0, 0, 0, 9, 1});
  EXPECT_EQ(decoder.decode(nothing, images).error(), DecodeRefusal::kBadUnit);
  EXPECT_GT(images.size(), before);
  EXPECT_EQ(images.size(), 9u);
}

TEST(Decoder, begins_at_a_keyframe) {
  Clip clip = make_clip({.pictures = 12, .keyframe_every = 10});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  EXPECT_EQ(decoder.decode(clip.frames[9], images).error(), DecodeRefusal::kBeforeKeyframe);
  EXPECT_TRUE(decoder.decode(clip.frames[10], images));
  EXPECT_THAT(numbers_of(images), ElementsAreArray({10}));
}

TEST(Decoder, refuses_any_noise_unit_by_unit) {
  Clip clip = make_clip({.pictures = 2});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  std::uint32_t random = 7;
  for (int round = 0; round < 300; ++round) {
    Buffer bytes(clip.frames[0].payload.bytes().begin(), clip.frames[0].payload.bytes().end());
    for (int change = 0; change <= round % 40; ++change) {
      random = random * 1664525 + 1013904223;
      bytes[(random >> 8) % bytes.size()] = static_cast<std::uint8_t>(random);
    }
    media::Frame frame{Duration::milliseconds(round), Duration::milliseconds(round), true,
                       SharedBytes(std::move(bytes))};
    (void)decoder.decode(frame, images);
  }
  media::Frame last = clip.frames[0];
  last.dts = last.pts = Duration::seconds(1);
  std::size_t before = images.size();
  ASSERT_TRUE(decoder.decode(last, images));
  decoder.finish(images);
  ASSERT_GT(images.size(), before);
  EXPECT_EQ(number_of(*images.back().pixels), 0);
  EXPECT_GT(decoder.counts().units_refused, 0u);
  EXPECT_EQ(decoder.counts().units, 301u);
}

TEST(Decoder, refuses_pictures_over_the_limit) {
  Clip clip = make_clip({.pictures = 2});
  Decoder decoder(clip.format, {.picture_pixels = 64 * 64});
  std::vector<Image> images;
  EXPECT_EQ(decoder.decode(clip.frames[0], images).error(), DecodeRefusal::kBroken);
  EXPECT_TRUE(images.empty());
}

TEST(Decoder, refuses_other_codecs) {
  media::Format format{.codec = media::Codec::kAac};
  Decoder decoder(std::make_shared<const media::Format>(format));
  std::vector<Image> images;
  media::Frame frame{{}, {}, true, SharedBytes(Buffer{1, 2, 3})};
  EXPECT_EQ(decoder.decode(frame, images).error(), DecodeRefusal::kCodec);
}

// HEVC says how many pictures wait for others: they come out in order, all of them, none later than it must.
TEST(Decoder, shows_hevc_with_b_frames_in_order) {
  CodecPtr context(avcodec_alloc_context3(avcodec_find_encoder_by_name("libx265")));
  context->width = 128, context->height = 72, context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->time_base = {1, 30}, context->framerate = {30, 1};
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av_opt_set(context->priv_data, "preset", "ultrafast", 0);
  av_opt_set(context->priv_data, "x265-params", "bframes=3:b-adapt=0:keyint=30:annexb=0:log-level=none", 0);
  ASSERT_EQ(avcodec_open2(context.get(), nullptr, nullptr), 0);
  VideoEncoderConfig config;
  config.rung.codec = media::Codec::kHevc;
  auto format = format_of(config, UnitForm::kLengths,
                          Bytes(context->extradata, static_cast<std::size_t>(context->extradata_size)));
  ASSERT_TRUE(format);
  Decoder decoder(*format);
  std::vector<Image> images;
  PacketPtr packet = make_packet();
  std::size_t units = 0;
  for (int number = 0; number <= 60; ++number) {
    FramePtr frame;
    if (number < 60) {
      frame.reset(av_frame_clone(draw(128, 72, number, {}).pixels.get()));
      frame->pts = number;
    }
    avcodec_send_frame(context.get(), frame.get());
    while (avcodec_receive_packet(context.get(), packet.get()) == 0) {
      media::Frame unit{Duration::from_ticks(packet->dts, 30), Duration::from_ticks(packet->pts, 30)};
      unit.payload = SharedBytes::copy_of(Bytes(packet->data, static_cast<std::size_t>(packet->size)));
      ASSERT_TRUE(decoder.decode(unit, images));
      EXPECT_LE(++units, images.size() + 4);
      av_packet_unref(packet.get());
    }
  }
  decoder.finish(images);
  ASSERT_EQ(images.size(), 60u);
  for (int number = 0; number < 60; ++number) {
    const Image& image = images[static_cast<std::size_t>(number)];
    EXPECT_EQ(image.pts, Duration::from_ticks(number, 30));
    EXPECT_EQ(number_of(*image.pixels), number);
  }
}

TEST(Decoder, leaves_out_pictures_whose_time_does_not_rise) {
  Clip clip = make_clip({.pictures = 5});
  Decoder decoder(clip.format);
  std::vector<Image> images;
  for (media::Frame frame : clip.frames) {
    if (frame.pts == clip.shown[3]) frame.pts = clip.shown[2];
    ASSERT_TRUE(decoder.decode(frame, images));
  }
  EXPECT_THAT(numbers_of(images), testing::ElementsAre(0, 1, 2, 4));
  EXPECT_EQ(decoder.counts().pictures_late, 1u);
}

TEST(Decoder, keeps_the_order_of_b_frames_that_the_bitstream_does_not_announce) {
  Clip clip = make_clip({.b_frames = 3});
  auto format = without_restriction(*clip.format);
  ASSERT_FALSE(media::read_picture(*format)->reorder_frames.has_value());
  std::vector<Image> images = decode_all(format, clip.frames);
  EXPECT_THAT(numbers_of(images), ElementsAreArray(range(0, 60)));
}

TEST(Decoder, holds_nothing_back_when_neither_bitstream_nor_times_announce_b_frames) {
  Clip clip = make_clip({.b_frames = 1, .is_all_p = true});
  for (media::Frame& frame : clip.frames) frame.dts = frame.pts;
  auto format = without_restriction(*clip.format);
  Decoder decoder(format);
  std::vector<Image> images;
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    ASSERT_TRUE(decoder.decode(clip.frames[i], images));
    ASSERT_EQ(images.size(), i + 1);
  }
}

TEST(Decoder, says_how_pictures_are_turned) {
  struct Row {
    int degrees;  // Anticlockwise.
    bool is_mirrored;
    int turns;
  };
  Clip clip = make_clip({.pictures = 40, .b_frames = 2, .keyframe_every = 20});
  for (Row row : {Row{0, false, 0}, Row{90, false, 3}, Row{180, false, 2}, Row{270, false, 1},
                  Row{0, true, 0}, Row{90, true, 3}, Row{180, true, 2}}) {
    Clip turned = with_orientation(clip, row.degrees, row.is_mirrored);
    std::vector<Image> images = decode_all(turned.format, turned.frames);
    ASSERT_EQ(images.size(), 40u);
    for (const Image& image : images) {
      EXPECT_EQ(image.origin.quarter_turns, row.turns) << row.degrees << row.is_mirrored;
      EXPECT_EQ(image.origin.is_mirrored, row.is_mirrored) << row.degrees;
    }
  }
  // Up to the next keyframe that says nothing of it.
  Clip once = with_orientation(clip, 90, true, false);
  std::vector<Image> shown = decode_all(once.format, once.frames);
  ASSERT_EQ(shown.size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(shown[i].origin.quarter_turns, i < 20 ? 3 : 0) << i;
    EXPECT_EQ(shown[i].origin.is_mirrored, i < 20) << i;
  }
  // Together with what the owner says of it.
  Clip turned = with_orientation(clip, 90);
  Decoder decoder(turned.format);
  std::vector<Image> images;
  for (const media::Frame& frame : turned.frames) ASSERT_TRUE(decoder.decode(frame, {7, {}, 2}, images));
  EXPECT_EQ(images.at(5).origin.quarter_turns, 1);
}

}  // namespace
}  // namespace stoa::work

#include "work/filter_graph.h"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

#include <algorithm>
#include <iterator>
#include <utility>

namespace stoa::work {

namespace {

constexpr int kHdHeight = 720;

bool is_hdr(const media::Colour& colour) {
  return colour.transfer == AVCOL_TRC_SMPTE2084 || colour.transfer == AVCOL_TRC_ARIB_STD_B67;
}
bool is_same_colour(const media::Colour& a, const media::Colour& b) {
  return a.primaries == b.primaries && a.transfer == b.transfer && a.matrix == b.matrix;
}
bool is_rgb(int format) {
  const AVPixFmtDescriptor* about = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  return about != nullptr && (about->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

// Pictures that say nothing of it are in limited range, but for formats that mean full range.
bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
}

std::string number(int value) { return std::to_string(value); }

// zscale's options; its numbers are those of H.273.
std::string as_input(const media::Colour& colour) {
  return "min=" + number(colour.matrix) + ":tin=" + number(colour.transfer) +
         ":pin=" + number(colour.primaries) + ":rin=" + (colour.full_range ? "full" : "limited");
}
std::string as_output(const media::Colour& colour) {
  return "m=" + number(colour.matrix) + ":t=" + number(colour.transfer) + ":p=" + number(colour.primaries) +
         ":r=limited";
}

}  // namespace

media::Colour colour_of(const AVFrame& frame) {
  auto value = [&](int said) { return static_cast<std::uint8_t>(said); };
  media::Colour colour{value(frame.color_primaries), value(frame.color_trc), value(frame.colorspace)};
  std::uint8_t usual = frame.height >= kHdHeight ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  if (colour.primaries == AVCOL_PRI_UNSPECIFIED) colour.primaries = usual;
  if (colour.transfer == AVCOL_TRC_UNSPECIFIED) colour.transfer = usual;
  if (colour.matrix == AVCOL_SPC_UNSPECIFIED) colour.matrix = usual;
  colour.full_range = is_full_range(frame);
  return colour;
}

bool FilterGraph::Recipe::operator==(const Recipe& other) const {
  return width == other.width && height == other.height && format == other.format &&
         av_cmp_q(pixel, other.pixel) == 0 && is_interlaced == other.is_interlaced &&
         quarter_turns == other.quarter_turns && is_mirrored == other.is_mirrored && from == other.from &&
         to == other.to;
}

Result<void, FilterRefusal> FilterGraph::filter(const Image& image, std::vector<Image>& out) {
  Recipe recipe = recipe_of(image);
  if (recipe != recipe_) {
    finish(out);
    recipe_ = recipe;
  }
  if (is_plain(recipe)) {
    out.push_back(image);
    return {};
  }
  if (!graph_ && !open(recipe)) return refuse(FilterRefusal::kGraph);
  FramePtr frame(av_frame_clone(image.pixels.get()));
  if (!frame) throw std::bad_alloc();
  frame->pts = image.pts.ns();
  if (inside_.size() == kInsideMax) inside_.erase(inside_.begin());
  inside_.insert_or_assign(image.pts, image.origin);
  if (av_buffersrc_add_frame(source_, frame.get()) >= 0 && receive(out)) return {};
  graph_.reset();
  return refuse(FilterRefusal::kGraph);
}

void FilterGraph::finish(std::vector<Image>& out) {
  if (graph_ && av_buffersrc_add_frame(source_, nullptr) >= 0) receive(out);
  graph_.reset();
  inside_.clear();
}

FilterGraph::Recipe FilterGraph::recipe_of(const Image& image) {
  const AVFrame& frame = *image.pixels;
  Recipe recipe{frame.width, frame.height, frame.format, frame.sample_aspect_ratio};
  if (recipe.pixel.num <= 0 || recipe.pixel.den <= 0) recipe.pixel = {1, 1};
  recipe.quarter_turns = image.origin.quarter_turns % 4;
  recipe.is_mirrored = image.origin.is_mirrored;
  recipe.from = colour_of(frame);
  if (!colour_) {
    bool is_wide = is_hdr(recipe.from) || recipe.from.primaries == AVCOL_PRI_BT2020 || is_rgb(recipe.format);
    colour_ = is_wide ? media::Colour{AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709} : recipe.from;
  }
  recipe.to = *colour_;
  if (is_rgb(recipe.format)) recipe.from = {colour_->primaries, colour_->transfer, AVCOL_SPC_RGB, true};
  // Frames of both kinds may follow one another; the filter leaves progressive ones as they are.
  recipe.is_interlaced = frame.interlaced_frame != 0;
  if (recipe_.is_interlaced && recipe.width == recipe_.width && recipe.height == recipe_.height) {
    recipe.is_interlaced = true;
  }
  return recipe;
}

bool FilterGraph::is_plain(const Recipe& recipe) {
  return !recipe.is_interlaced && recipe.quarter_turns == 0 && !recipe.is_mirrored &&
         is_same_colour(recipe.from, recipe.to);
}

std::string FilterGraph::text_of(const Recipe& recipe) const {
  std::string text;
  auto add = [&](const std::string& filter) { text += (text.empty() ? "" : ",") + filter; };
  if (recipe.is_interlaced) add("bwdif=mode=send_frame:deint=interlaced");
  if (!is_same_colour(recipe.from, recipe.to)) {
    // zimg takes whole chroma samples alone.
    if (recipe.width % 2 != 0 || recipe.height % 2 != 0) add("crop=trunc(iw/2)*2:trunc(ih/2)*2");
    if (is_rgb(recipe.format)) add("format=gbrp");
    if (is_hdr(recipe.from)) {
      double ratio = std::min({1.0, static_cast<double>(width_max_) / recipe.width,
                               static_cast<double>(height_max_) / recipe.height});
      auto side = [&](int from) { return number(std::max(2, static_cast<int>(from * ratio + 0.5) & ~1)); };
      add("zscale=w=" + side(recipe.width) + ":h=" + side(recipe.height) +
          ":npl=203:" + as_input(recipe.from) + ":t=" + number(AVCOL_TRC_LINEAR));
      add("format=gbrpf32le");
      add("zscale=p=" + number(recipe.to.primaries));
      add("tonemap=mobius:desat=0:peak=4.93");
      add("zscale=" + as_output(recipe.to));
    } else {
      add("zscale=" + as_input(recipe.from) + ":" + as_output(recipe.to));
    }
    add("format=yuv420p");
  }
  if (recipe.is_mirrored) add("hflip");
  switch (recipe.quarter_turns) {
    case 1: add("transpose=clock"); break;
    case 2: add("hflip,vflip"); break;
    case 3: add("transpose=cclock"); break;
    default: break;
  }
  return text;
}

bool FilterGraph::open(const Recipe& recipe) {
  GraphPtr graph(avfilter_graph_alloc());
  if (!graph) throw std::bad_alloc();
  graph->nb_threads = threads_;
  std::string from = "video_size=" + number(recipe.width) + "x" + number(recipe.height) +
                     ":pix_fmt=" + number(recipe.format) + ":time_base=1/" + number(kNanosecond.den) +
                     ":pixel_aspect=" + number(recipe.pixel.num) + "/" + number(recipe.pixel.den);
  const AVFilter* source = avfilter_get_by_name("buffer");
  const AVFilter* sink = avfilter_get_by_name("buffersink");
  bool has_ends =
      avfilter_graph_create_filter(&source_, source, "in", from.c_str(), nullptr, graph.get()) >= 0 &&
      avfilter_graph_create_filter(&sink_, sink, "out", nullptr, nullptr, graph.get()) >= 0;
  if (!has_ends) return false;
  AVFilterInOut* outputs = avfilter_inout_alloc();
  AVFilterInOut* inputs = avfilter_inout_alloc();
  if (outputs == nullptr || inputs == nullptr) throw std::bad_alloc();
  *outputs = {av_strdup("in"), source_, 0, nullptr};
  *inputs = {av_strdup("out"), sink_, 0, nullptr};
  int parsed = avfilter_graph_parse_ptr(graph.get(), text_of(recipe).c_str(), &inputs, &outputs, nullptr);
  avfilter_inout_free(&inputs);
  avfilter_inout_free(&outputs);
  if (parsed < 0 || avfilter_graph_config(graph.get(), nullptr) < 0) return false;
  graph_ = std::move(graph);
  return true;
}

bool FilterGraph::receive(std::vector<Image>& out) {
  while (true) {
    FramePtr frame = make_frame();
    int received = av_buffersink_get_frame(sink_, frame.get());
    if (received == AVERROR(EAGAIN) || received == AVERROR_EOF) return true;
    if (received < 0) return false;
    auto pts =
        Duration::nanoseconds(av_rescale_q(frame->pts, av_buffersink_get_time_base(sink_), kNanosecond));
    frame->color_primaries = static_cast<AVColorPrimaries>(recipe_.to.primaries);
    frame->color_trc = static_cast<AVColorTransferCharacteristic>(recipe_.to.transfer);
    frame->colorspace = static_cast<AVColorSpace>(recipe_.to.matrix);
    Image image{pts, nullptr, {}};
    if (auto unit = inside_.find(pts); unit != inside_.end()) {
      image.origin = unit->second;
      inside_.erase(inside_.begin(), std::next(unit));
    }
    image.pixels = std::shared_ptr<const AVFrame>(std::move(frame));
    out.push_back(std::move(image));
  }
}

}  // namespace stoa::work

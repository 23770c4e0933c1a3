// See README.md.
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "mp4.h"
#include "proto/flv/tag.h"
#include "proto/rtmp/client.h"

namespace stoa::ertmp {
namespace {

constexpr int kDone = 0, kDisconnected = 1, kWrongUse = 2;

[[noreturn]] void fail(int code, const std::string& text) {
  std::fprintf(stderr, "ertmp_source: %s\n", text.c_str());
  std::exit(code);
}

struct Options {
  std::string host, port = "1935";
  rtmp::ClientConnection::Config connection;
  std::vector<std::string> videos, audios;
  double seconds = 1e9;
  bool is_looped = true;
  bool is_one_track = false;
  bool has_nanoseconds = true;
};

struct Source {
  Track track;
  bool is_video;
  std::uint8_t number;
  std::string language;
};

// What is sent at one time: the samples of one kind that share it.
struct Moment {
  Duration dts;
  bool is_video;
  std::vector<std::pair<const Source*, const Sample*>> samples;
};

void parse_url(const std::string& url, Options& options) {
  constexpr std::string_view kScheme = "rtmp://";
  if (!url.starts_with(kScheme)) fail(kWrongUse, "--url must begin with rtmp://");
  std::string rest = url.substr(kScheme.size());
  std::size_t slash = rest.find('/');
  std::size_t key = rest.find('/', slash == std::string::npos ? slash : slash + 1);
  if (key == std::string::npos) fail(kWrongUse, "--url must be rtmp://HOST[:PORT]/APP/KEY");
  options.host = rest.substr(0, slash);
  if (std::size_t colon = options.host.rfind(':'); colon != std::string::npos) {
    options.port = options.host.substr(colon + 1);
    options.host.resize(colon);
  }
  options.connection.app = rest.substr(slash + 1, key - slash - 1);
  options.connection.stream_name = rest.substr(key + 1);
  options.connection.tc_url = url.substr(0, kScheme.size() + key);
}

Options parse_options(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    std::string flag = arguments[i];
    auto value = [&]() -> std::string {
      if (++i >= count) fail(kWrongUse, flag + " needs a value");
      return arguments[i];
    };
    if (flag == "--url") {
      parse_url(value(), options);
    } else if (flag == "--video") {
      options.videos.push_back(value());
    } else if (flag == "--audio") {
      options.audios.push_back(value());
    } else if (flag == "--seconds") {
      options.seconds = std::atof(value().c_str());
    } else if (flag == "--no-loop") {
      options.is_looped = false;
    } else if (flag == "--one-track") {
      options.is_one_track = true;
    } else if (flag == "--no-nanoseconds") {
      options.has_nanoseconds = false;
    } else if (flag == "--digest") {
      options.connection.handshake = rtmp::HandshakeKind::kDigestScheme1;
    } else if (flag == "--amf3") {
      options.connection.is_amf3 = true;
    } else {
      fail(kWrongUse, "unknown flag " + flag + ", see README.md");
    }
  }
  if (options.host.empty()) fail(kWrongUse, "--url is needed");
  if (options.videos.empty() && options.audios.empty()) fail(kWrongUse, "--video or --audio is needed");
  return options;
}

Source read_source(std::string path, bool is_video, std::size_t number) {
  std::string language;
  if (std::size_t at = path.rfind('@'); !is_video && at != std::string::npos) {
    language = path.substr(at + 1);
    path.resize(at);
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(kWrongUse, path + ": cannot be read");
  Buffer bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto track = parse_mp4(SharedBytes(std::move(bytes)), is_video);
  if (!track) fail(kWrongUse, path + ": " + track.error());
  return {std::move(*track), is_video, static_cast<std::uint8_t>(number), std::move(language)};
}

std::vector<Moment> schedule(const std::vector<Source>& sources, Duration length) {
  std::vector<Moment> moments;
  for (const Source& source : sources) {
    for (const Sample& sample : source.track.samples) {
      if (sample.dts < length) moments.push_back({sample.dts, source.is_video, {{&source, &sample}}});
    }
  }
  std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    return a.dts != b.dts ? a.dts < b.dts : a.is_video > b.is_video;
  });
  std::vector<Moment> merged;
  for (Moment& moment : moments) {
    if (!merged.empty() && merged.back().dts == moment.dts && merged.back().is_video == moment.is_video) {
      merged.back().samples.push_back(moment.samples.front());
    } else {
      merged.push_back(std::move(moment));
    }
  }
  return merged;
}

class Publisher {
 public:
  explicit Publisher(const Options& options) : options_(options), client_(options.connection, Rng(1)) {}

  void connect() {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(options_.host.c_str(), options_.port.c_str(), &hints, &found) != 0) {
      fail(kDisconnected, "cannot resolve " + options_.host);
    }
    for (addrinfo* at = found; at && socket_ < 0; at = at->ai_next) {
      socket_ = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
      if (socket_ >= 0 && ::connect(socket_, at->ai_addr, at->ai_addrlen) != 0) {
        close(socket_);
        socket_ = -1;
      }
    }
    freeaddrinfo(found);
    if (socket_ < 0) fail(kDisconnected, "cannot connect to " + options_.host + ":" + options_.port);
    client_.start(outputs_);
    flush();
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!client_.is_published()) {
      if (std::chrono::steady_clock::now() > give_up) fail(kDisconnected, "the server does not answer");
      receive(100);
    }
  }

  void send_metadata(const std::vector<Source>& sources) {
    using rtmp::AmfValue;
    AmfValue metadata = AmfValue::ecma_array({{"encoder", AmfValue::string("ertmp_source")}});
    AmfValue video = AmfValue::object({}), audio = AmfValue::object({});
    for (const Source& source : sources) {
      AmfValue about = AmfValue::object({});
      if (source.is_video) {
        about.members = {{"width", AmfValue::of_number(source.track.width)},
                         {"height", AmfValue::of_number(source.track.height)}};
      } else if (!source.language.empty()) {
        about.members = {{"language", AmfValue::string(source.language)},
                         {"label", AmfValue::string(source.language)}};
      }
      auto& map = source.is_video ? video : audio;
      map.members.push_back({std::to_string(source.number), std::move(about)});
    }
    metadata.members.push_back({"videoTrackIdInfoMap", std::move(video)});
    metadata.members.push_back({"audioTrackIdInfoMap", std::move(audio)});
    client_.send_metadata(metadata, outputs_);
    flush();
  }

  void send_config(const Source& source) {
    flv::Packet packet{flv::PacketKind::kSequenceStart,
                       source.track.codec,
                       0,
                       source.number,
                       true,
                       0,
                       0,
                       source.track.config};
    send(source.is_video, 0, {packet});
  }

  void send_moment(const Moment& moment, Duration at) {
    auto time_ms = static_cast<std::uint32_t>(at.ms());
    auto offset_ns = static_cast<std::uint32_t>(options_.has_nanoseconds ? at.ns() % 1'000'000 : 0);
    std::vector<flv::Packet> packets;
    for (auto [source, sample] : moment.samples) {
      packets.push_back({flv::PacketKind::kFrames, source->track.codec, 0, source->number,
                         sample->is_keyframe, static_cast<std::int32_t>(sample->composition.to_ticks(1000)),
                         offset_ns, sample->data});
    }
    if (!options_.is_one_track) return send(moment.is_video, time_ms, packets);
    for (const flv::Packet& packet : packets) send(moment.is_video, time_ms, {packet});
  }

  void unpublish() {
    client_.unpublish(outputs_);
    flush();
    shutdown(socket_, SHUT_WR);
    char rest[4096];
    pollfd waiting{socket_, POLLIN, 0};
    while (poll(&waiting, 1, 1000) > 0 && read(socket_, rest, sizeof rest) > 0) {
    }
    close(socket_);
  }

  // Takes what the server says, waiting at most `timeout_ms`.
  void receive(int timeout_ms) {
    pollfd waiting{socket_, POLLIN, 0};
    if (poll(&waiting, 1, timeout_ms) <= 0) return;
    Buffer bytes(16 << 10);
    ssize_t count = read(socket_, bytes.data(), bytes.size());
    if (count <= 0) fail(kDisconnected, "the server hung up");
    auto handled = client_.handle_bytes(Bytes(bytes).first(static_cast<std::size_t>(count)), outputs_);
    flush();
    if (!handled) fail(kDisconnected, rtmp::name_of(handled.error()));
  }

 private:
  void send(bool is_video, std::uint32_t time_ms, const std::vector<flv::Packet>& packets) {
    bool is_plain = packets.size() == 1 && packets[0].track == 0;
    bool has_one_codec = std::all_of(packets.begin(), packets.end(),
                                     [&](const flv::Packet& p) { return p.codec == packets[0].codec; });
    auto type = packets.size() == 1 ? flv::Multitrack::kOneTrack
                : has_one_codec     ? flv::Multitrack::kManyTracks
                                    : flv::Multitrack::kManyTracksManyCodecs;
    if (is_video) {
      client_.send_video(time_ms, is_plain ? flv::write_video(packets[0]) : flv::write_video(type, packets),
                         outputs_);
    } else {
      client_.send_audio(time_ms, is_plain ? flv::write_audio(packets[0]) : flv::write_audio(type, packets),
                         outputs_);
    }
    flush();
  }

  void flush() {
    for (auto& output : outputs_.take()) {
      if (auto* closed = std::get_if<rtmp::ClientClosed>(&output)) {
        fail(kDisconnected, closed->code + ": " + closed->description);
      }
      auto* bytes = std::get_if<rtmp::SendBytes>(&output);
      for (std::size_t at = 0; bytes && at < bytes->bytes.size();) {
        ssize_t count = ::send(socket_, bytes->bytes.data() + at, bytes->bytes.size() - at, MSG_NOSIGNAL);
        if (count <= 0) fail(kDisconnected, "the server hung up");
        at += static_cast<std::size_t>(count);
      }
    }
  }

  const Options& options_;
  rtmp::ClientConnection client_;
  rtmp::ClientOutputs outputs_;
  int socket_ = -1;
};

int run(const Options& options) {
  std::vector<Source> sources;
  for (std::size_t i = 0; i < options.videos.size(); ++i) {
    sources.push_back(read_source(options.videos[i], true, i));
  }
  for (std::size_t i = 0; i < options.audios.size(); ++i) {
    sources.push_back(read_source(options.audios[i], false, i));
  }
  Duration length = Duration::infinite();
  for (const Source& source : sources) length = std::min(length, source.track.length);
  std::vector<Moment> moments = schedule(sources, length);

  Publisher publisher(options);
  publisher.connect();
  publisher.send_metadata(sources);
  for (const Source& source : sources) publisher.send_config(source);
  auto start = std::chrono::steady_clock::now();
  Duration limit = Duration::from_seconds(options.seconds);
  for (Duration base;; base += length) {
    for (const Moment& moment : moments) {
      Duration at = base + moment.dts;
      if (at >= limit) return publisher.unpublish(), kDone;
      std::this_thread::sleep_until(start + std::chrono::nanoseconds(at.ns()));
      publisher.receive(0);
      publisher.send_moment(moment, at);
    }
    if (!options.is_looped) return publisher.unpublish(), kDone;
  }
}

}  // namespace
}  // namespace stoa::ertmp

int main(int count, char** arguments) {
  return stoa::ertmp::run(stoa::ertmp::parse_options(count, arguments));
}

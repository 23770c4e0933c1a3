// stoa-work: what a node starts for a channel that wants renditions made.
//
//   stoa-work transcode <address> [<name>] [--threads N] [--slate FILE]
//
// The address is that of a Unix socket, or tcp://HOST:PORT.
// The token is the first line of standard input. N threads encode pictures, no more than there are cores,
// which is also what is taken when it is not said. FILE is a clip or a picture to be shown while media is
// missing.
//
// It ends with its connection: 0 when the owner said goodbye or left, 1 when something went wrong, 2 when it
// was called wrongly.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "work/link.h"
#include "work/probe.h"
#include "work/slate_clip.h"
#include "work/transcoder.h"

namespace {

using namespace stoa;

struct Call {
  std::string address;
  std::string name;
  int threads = 0;
  std::string slate;
};

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::optional<Call> parse_call(const std::vector<std::string_view>& arguments) {
  if (arguments.empty() || arguments[0] != "transcode") return std::nullopt;
  Call call;
  std::vector<std::string_view> names;
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    if (arguments[at] == "--threads" && at + 1 < arguments.size()) {
      auto threads = parse_number(arguments[++at]);
      if (!threads) return std::nullopt;
      call.threads = *threads;
    } else if (arguments[at] == "--slate" && at + 1 < arguments.size()) {
      call.slate = arguments[++at];
    } else if (arguments[at].starts_with("--")) {
      return std::nullopt;
    } else {
      names.push_back(arguments[at]);
    }
  }
  if (names.empty() || names.size() > 2) return std::nullopt;
  call.address = names[0];
  if (names.size() == 2) call.name = names[1];
  return call;
}

int transcode(const Call& call) {
  std::string token;
  if (!std::getline(std::cin, token) || token.empty()) {
    return std::fprintf(stderr, "stoa-work: no token on standard input\n"), 2;
  }
  // All that takes time is done before it connects: the owner waits for what comes then.
  work::silence_libav();
  work::TranscoderConfig config;
  int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  config.video.threads = call.threads > 0 ? std::min(call.threads, cores) : cores;
  config.video.decoder.threads = config.video.threads;
  if (!call.slate.empty()) {
    auto clip = work::make_slate_clip(call.slate, 2, 2, {});
    if (!clip)
      std::fprintf(stderr, "stoa-work: slate %s: no %s\n", call.slate.c_str(), name_of(clip.error()));
    if (clip) config.slate = call.slate;
  }
  auto probed = work::probe_encoders();
  config.video.encoders = work::encoders_of(probed);
  relay::Hello hello{.program = "stoa-work", .worker = call.name, .token = std::move(token)};
  hello.encoders = work::offers_of(probed);
  for (const relay::EncoderOffer& offer : hello.encoders) {
    std::fprintf(stderr, "stoa-work: %s by %s, %s\n", media::name_of(offer.codec), offer.name.c_str(),
                 offer.note.c_str());
  }
  auto socket = work::connect_to(call.address);
  if (!socket) {
    return std::fprintf(stderr, "stoa-work: %s: %s\n", call.address.c_str(), socket.error().c_str()), 1;
  }
  work::Link link(*socket, {});
  work::Transcoder transcoder(config, [&](const relay::Message& message) { link.send(message); });
  link.run(std::move(hello), [&](relay::Message& message) { transcoder.handle(message); });
  if (!link.refusal()) return 0;
  return std::fprintf(stderr, "stoa-work: connection given up: %s\n", relay::name_of(*link.refusal())), 1;
}

}  // namespace

int main(int count, char** arguments) {
  auto call = parse_call({arguments + 1, arguments + count});
  if (call) return transcode(*call);
  std::fprintf(stderr,
               "usage: stoa-work transcode <address> [<name>] [--threads N] [--slate FILE]"
               "   (token on standard input)\n");
  return 2;
}

// stoa-work: what a node starts for a channel that wants renditions made.
//
//   stoa-work transcode <socket> [<name>]      the token is the first line of standard input
//
// It ends with its connection: 0 when the owner said goodbye or left, 1 when something went wrong, 2 when it
// was called wrongly.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>

#include "work/link.h"
#include "work/transcoder.h"

namespace {

int transcode(const std::string& path, std::string name) {
  using namespace stoa;
  std::string token;
  if (!std::getline(std::cin, token) || token.empty()) {
    return std::fprintf(stderr, "stoa-work: no token on standard input\n"), 2;
  }
  int socket = work::connect_to(path);
  if (socket < 0) {
    return std::fprintf(stderr, "stoa-work: %s: %s\n", path.c_str(), std::strerror(errno)), 1;
  }
  work::silence_libav();
  work::Link link(socket, {});
  work::Transcoder transcoder({}, [&](const relay::Message& message) { link.send(message); });
  relay::Hello hello{.program = "stoa-work", .worker = std::move(name), .token = std::move(token)};
  hello.encoders.push_back({media::Codec::kH264, "libx264", "the processor"});
  link.run(std::move(hello), [&](relay::Message& message) { transcoder.handle(message); });
  if (!link.refusal()) return 0;
  return std::fprintf(stderr, "stoa-work: connection given up: %s\n", relay::name_of(*link.refusal())), 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count >= 3 && count <= 4 && std::string_view(arguments[1]) == "transcode") {
    return transcode(arguments[2], count == 4 ? arguments[3] : "");
  }
  std::fprintf(stderr, "usage: stoa-work transcode <socket> [<name>]   (token on standard input)\n");
  return 2;
}

// The DTLS endpoint on a UDP socket, in real time, with `openssl s_client` and `openssl s_server` as its
// peer.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/text.h"
#include "proto/dtls/endpoint.h"

extern char** environ;

namespace stoa::dtls {
namespace {

using testing::HasSubstr;

constexpr std::string_view kMaterial = "Keying material: ";
constexpr Duration kPatience = Duration::seconds(20);

Timestamp steady_now() {
  return Timestamp::from_ns(std::chrono::steady_clock::now().time_since_epoch() /
                            std::chrono::nanoseconds(1));
}
WallTime wall_now() {
  return WallTime::from_us(std::chrono::system_clock::now().time_since_epoch() /
                           std::chrono::microseconds(1));
}

// A child with pipes for its input and output; ended with the object.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int in[2], out[2];
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = out[0];
    fcntl(out_, F_SETFL, O_NONBLOCK);
  }
  ~Program() {
    close(in_);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(out_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void type(std::string_view text) { EXPECT_EQ(write(in_, text.data(), text.size()), std::ssize(text)); }
  // All that it has written so far.
  const std::string& said() {
    char bytes[4096];
    for (ssize_t length; (length = read(out_, bytes, sizeof bytes)) > 0;)
      said_.append(bytes, static_cast<std::size_t>(length));
    return said_;
  }
  int output() const { return out_; }

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  std::string said_;
};

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in any = loopback(0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
  }
  void set_peer(std::uint16_t port) { peer_ = loopback(port); }
  void send(Bytes bytes) {
    sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&peer_), sizeof peer_);
  }
  std::optional<Buffer> receive() {
    Buffer bytes(65'536);
    socklen_t length = sizeof peer_;
    ssize_t count =
        recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&peer_), &length);
    if (count < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(count));
    return bytes;
  }
  int fd() const { return fd_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  int fd_;
  sockaddr_in peer_ = loopback(9);
};

class WithOpenssl : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/stoa-interop-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
    std::ofstream(folder + "/certificate.pem") << their_pem.certificate;
    std::ofstream(folder + "/key.pem") << their_pem.private_key;
    theirs = *Identity::parse(their_pem);
  }
  void TearDown() override {
    for (const char* name : {"/certificate.pem", "/key.pem"}) unlink((folder + name).c_str());
    rmdir(folder.c_str());
  }

  std::vector<std::string> command(std::vector<std::string> more) {
    std::vector<std::string> all = {
        STOA_OPENSSL, more[0], "-dtls1_2", "-cert", folder + "/certificate.pem", "-key", folder + "/key.pem"};
    all.insert(all.end(), more.begin() + 1, more.end());
    return all;
  }
  Config config(Role role) {
    Config config{.role = role};
    config.peer_fingerprints = {theirs->fingerprint()};
    return config;
  }
  // Carries datagrams, deadlines and outputs until `is_done`; false when that takes too long.
  bool run(Endpoint& endpoint, Program& program, const std::function<bool()>& is_done) {
    Timestamp until = steady_now() + kPatience;
    while (true) {
      for (Output& output : out.take()) {
        std::visit(Overloaded{[&](SendDatagram& send) { socket.send(send.bytes); },
                              [&](Connected& c) { connected = c; },
                              [&](ApplicationData& d) { received += as_text(d.bytes); },
                              [&](Closed& c) { closed = c; }},
                   output);
      }
      program.said();
      if (is_done()) return true;
      Timestamp now = steady_now();
      if (now >= until) return false;
      Duration wait = std::min({until, endpoint.next_deadline(), now + Duration::milliseconds(200)}) - now;
      pollfd waits[] = {{socket.fd(), POLLIN, 0}, {program.output(), POLLIN, 0}};
      poll(waits, 2, static_cast<int>(std::max<std::int64_t>(0, wait.ms() + 1)));
      while (auto bytes = socket.receive()) (void)endpoint.handle_datagram(steady_now(), *bytes, out);
      if (endpoint.next_deadline() <= steady_now()) endpoint.handle_deadline(steady_now(), out);
    }
  }
  bool has_said(Program& program, std::string_view text) {
    return program.said().find(text) != std::string::npos;
  }

  std::string folder;
  crypto::CertificatePem their_pem = crypto::make_webrtc_certificate(wall_now(), Duration::seconds(86'400));
  std::shared_ptr<const Identity> theirs;
  std::shared_ptr<const Identity> ours = Identity::make(wall_now(), Duration::seconds(86'400));
  Context context;
  Socket socket;
  Outputs out;
  std::optional<Connected> connected;
  std::optional<Closed> closed;
  std::string received;
};

TEST_F(WithOpenssl, as_client_agrees_on_keys_carries_data_and_hears_its_close) {
  Endpoint endpoint(context, ours, config(Role::kServer));
  endpoint.start(steady_now(), out);
  Program client(command({"s_client", "-connect", "127.0.0.1:" + std::to_string(socket.port()), "-use_srtp",
                          "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", "-keymatexport",
                          "EXTRACTOR-dtls_srtp", "-keymatexportlen", "56"}));
  ASSERT_TRUE(run(endpoint, client, [&] {
    std::size_t at = client.said().find(kMaterial);
    return connected && at != std::string::npos && client.said().find('\n', at) != std::string::npos;
  })) << client.said();
  EXPECT_THAT(client.said(), HasSubstr("profile=SRTP_AEAD_AES_128_GCM"));
  EXPECT_THAT(client.said(), HasSubstr("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"));
  ASSERT_TRUE(connected->srtp);
  std::size_t at = client.said().find(kMaterial) + kMaterial.size();
  auto material = crypto::parse_hex(client.said().substr(at, 112));
  ASSERT_TRUE(material);
  SrtpKeys keys = split_srtp_material(SrtpProfile::kAeadAes128Gcm, false, *material);
  EXPECT_EQ(crypto::write_hex(connected->srtp->local.key()), crypto::write_hex(keys.local.key()));
  EXPECT_EQ(crypto::write_hex(connected->srtp->remote.salt()), crypto::write_hex(keys.remote.salt()));

  client.type("hello from outside\n");
  ASSERT_TRUE(run(endpoint, client, [&] { return received == "hello from outside\n"; })) << received;
  ASSERT_TRUE(endpoint.send_data(as_bytes("hello from inside\n"), out));
  ASSERT_TRUE(run(endpoint, client, [&] { return has_said(client, "hello from inside"); })) << client.said();
  client.type("Q\n");
  ASSERT_TRUE(run(endpoint, client, [&] { return closed.has_value(); }));
  EXPECT_FALSE(closed->refusal);
  EXPECT_TRUE(closed->was_by_peer);
}

TEST_F(WithOpenssl, as_client_sends_its_hello_in_pieces_and_is_asked_for_a_cookie) {
  Config config = this->config(Role::kServer);
  config.asks_cookie = true;
  Endpoint endpoint(context, ours, config);
  endpoint.start(steady_now(), out);
  Program client(command({"s_client", "-connect", "127.0.0.1:" + std::to_string(socket.port()), "-mtu", "256",
                          "-use_srtp", "SRTP_AEAD_AES_256_GCM", "-alpn", std::string(240, 'a')}));
  ASSERT_TRUE(run(endpoint, client, [&] { return connected.has_value(); })) << client.said();
  EXPECT_EQ(connected->srtp->profile, SrtpProfile::kAeadAes256Gcm);
}

TEST_F(WithOpenssl, as_client_with_another_certificate_is_told_bad_certificate) {
  Config config = this->config(Role::kServer);
  config.peer_fingerprints = {ours->fingerprint()};
  Endpoint endpoint(context, ours, config);
  endpoint.start(steady_now(), out);
  Program client(command({"s_client", "-connect", "127.0.0.1:" + std::to_string(socket.port()), "-use_srtp",
                          "SRTP_AEAD_AES_128_GCM"}));
  ASSERT_TRUE(run(endpoint, client, [&] { return closed && has_said(client, "alert"); })) << client.said();
  EXPECT_EQ(closed->refusal, Refusal::kFingerprintMismatch);
  EXPECT_FALSE(connected);
  EXPECT_THAT(client.said(), HasSubstr("alert bad certificate"));
}

TEST_F(WithOpenssl, as_server_takes_our_client_its_data_and_its_close) {
  Program server(command({"s_server", "-accept", "127.0.0.1:0", "-verify", "1", "-use_srtp",
                          "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"}));
  Endpoint endpoint(context, ours, config(Role::kClient));
  constexpr std::string_view kAccept = "ACCEPT 127.0.0.1:";
  ASSERT_TRUE(run(endpoint, server, [&] {
    std::size_t at = server.said().find(kAccept);
    return at != std::string::npos && server.said().find('\n', at) != std::string::npos;
  })) << server.said();
  int port = std::atoi(server.said().c_str() + server.said().find(kAccept) + kAccept.size());
  socket.set_peer(static_cast<std::uint16_t>(port));
  endpoint.start(steady_now(), out);
  ASSERT_TRUE(run(endpoint, server, [&] { return connected.has_value(); })) << server.said();
  EXPECT_EQ(connected->srtp->profile, SrtpProfile::kAes128CmHmacSha1_80);  // Its preference counts.
  EXPECT_EQ(connected->peer_fingerprint, theirs->fingerprint());
  ASSERT_TRUE(endpoint.send_data(as_bytes("hello from our client\n"), out));
  ASSERT_TRUE(run(endpoint, server, [&] { return has_said(server, "hello from our client"); }))
      << server.said();
  server.type("hello from the server\n");
  ASSERT_TRUE(run(endpoint, server, [&] { return received == "hello from the server\n"; })) << received;
  endpoint.close(out);
  ASSERT_TRUE(run(endpoint, server, [&] {
    return has_said(server, "DONE") || has_said(server, "CONNECTION CLOSED");
  })) << server.said();
}

}  // namespace
}  // namespace stoa::dtls

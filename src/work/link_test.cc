#include "work/link.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "work/clock.h"
#include "work/test_clip.h"
#include "work/transcoder.h"

namespace stoa::work {
namespace {

using namespace test;

// The owner's end of a socket, on the test's thread, with the real protocol on it.
class Owner {
 public:
  explicit Owner(int socket) : socket_(socket), connection_(relay::Role::kOwner, {}, now()) {}
  ~Owner() { leave(); }

  // Reads until a message of this kind has come; nothing when the stream ends before.
  template <typename Kind>
  std::optional<Kind> wait_for() {
    while (true) {
      for (auto output = seen_.begin(); output != seen_.end(); ++output) {
        auto* found = std::get_if<Kind>(&*output);
        if (found == nullptr) continue;
        Kind kind = std::move(*found);
        seen_.erase(output);
        return kind;
      }
      std::uint8_t bytes[4096];
      ssize_t received = ::recv(socket_, bytes, sizeof bytes, 0);
      if (received <= 0) return std::nullopt;
      relay::Outputs out;
      (void)connection_.handle_bytes(now(), Bytes(bytes, static_cast<std::size_t>(received)), out);
      carry_out(out);
    }
  }
  bool send(const relay::Message& message) {
    relay::Outputs out;
    bool is_sent = connection_.send(now(), message, out);
    carry_out(out);
    return is_sent;
  }
  void accept() {
    relay::Outputs out;
    connection_.accept(now(), "show", out);
    carry_out(out);
  }
  void write(Bytes bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void leave() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  void carry_out(relay::Outputs& out) {
    for (relay::Output& output : out.take()) {
      if (auto* bytes = std::get_if<relay::SendBytes>(&output)) {
        write(bytes->head);
        write(bytes->payload.bytes());
      } else {
        seen_.push_back(std::move(output));
      }
    }
  }

  int socket_;
  relay::Connection connection_;
  std::vector<relay::Output> seen_;
};

// A whole worker but for its process.
class Worker {
 public:
  explicit Worker(int socket, const relay::Config& config = {}) : link_(socket, config) {
    thread_ = std::jthread([this] {
      Transcoder transcoder({.video = {.preset = "ultrafast"}},
                            [this](const relay::Message& message) { link_.send(message); });
      link_.run({.program = "test", .worker = "w", .token = "secret"},
                [&](relay::Message& message) { transcoder.handle(message); });
    });
  }
  std::optional<relay::Refusal> wait_for_end() {
    thread_.join();
    return link_.refusal();
  }

 private:
  Link link_;
  std::jthread thread_;
};

// On a port of this machine that the kernel chose.
struct Listener {
  Listener() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in local{.sin_family = AF_INET};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&local), sizeof local), 0);
    EXPECT_EQ(::listen(socket, 1), 0);
    socklen_t length = sizeof local;
    EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&local), &length), 0);
    port = ntohs(local.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(socket); }
  std::string address(const char* host) const {
    return std::string("tcp://") + host + ':' + std::to_string(port);
  }
  int socket;
  int port = 0;
};

class Links : public testing::Test {
 protected:
  Links() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets_), 0); }
  int sockets_[2];
};

TEST_F(Links, carry_a_program_out_and_a_rung_back) {
  Clip clip = make_clip({.pictures = 40, .b_frames = 2});
  Owner owner(sockets_[0]);
  Worker worker(sockets_[1]);
  auto hello = owner.wait_for<relay::Hello>();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->token, "secret");
  owner.accept();
  media::Rung rung{
      .id = 2, .name = "36p", .bitrate_max = 500'000, .rate_factor = 23, .width = 64, .height = 36};
  media::Rung other{.id = 5, .name = "av1", .codec = media::Codec::kAv1};
  ASSERT_TRUE(owner.send(relay::LadderSet{1, {rung, other}}));
  ASSERT_TRUE(owner.send(relay::ProgramTrack{0, *clip.format}));

  std::uint64_t number = 100;
  for (const media::Frame& frame : clip.frames) {
    if (number == 100 || number == 120) {
      ASSERT_TRUE(owner.send(relay::ProgramCut{0, frame.dts}));
    }
    relay::ProgramFrame sent{.number = number++, .track = 0, .dts = frame.dts, .pts = frame.pts};
    sent.is_keyframe = frame.is_keyframe;
    sent.payload = frame.payload;
    ASSERT_TRUE(owner.send(sent));
  }
  ASSERT_TRUE(owner.send(relay::TrackGone{0}));  // What is inside comes out.

  auto ended = owner.wait_for<relay::RungEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->rung, 5);  // Without a size.
  EXPECT_EQ(ended->why, relay::RungEnd::kNoEncoder);
  auto format = owner.wait_for<relay::RungFormat>();
  ASSERT_TRUE(format);
  EXPECT_EQ(format->rung, 2);
  EXPECT_EQ(format->format.width, 64u);
  for (std::size_t shown = 0; shown < clip.shown.size(); ++shown) {
    auto frame = owner.wait_for<relay::RungFrame>();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->pts, clip.shown[shown]);
    EXPECT_EQ(clip.frames.at(frame->of - 100).pts, frame->pts);
    EXPECT_EQ(frame->is_keyframe, frame->pts == clip.shown[0] || frame->pts == clip.frames[20].dts);
  }
  for (std::uint64_t taken = 100; taken < 140; ++taken)
    EXPECT_EQ(owner.wait_for<relay::FramesTaken>()->number, taken);
  EXPECT_EQ(owner.wait_for<relay::RungEnded>()->why, relay::RungEnd::kNotWanted);
  owner.leave();
  EXPECT_FALSE(worker.wait_for_end());
}

TEST_F(Links, end_when_the_owner_leaves) {
  Owner owner(sockets_[0]);
  Worker worker(sockets_[1]);
  ASSERT_TRUE(owner.wait_for<relay::Hello>());
  owner.leave();
  EXPECT_FALSE(worker.wait_for_end());
}

TEST_F(Links, end_with_frames_on_their_way_that_nobody_reads) {
  Clip clip = make_clip({.pictures = 40});
  Owner owner(sockets_[0]);
  Worker worker(sockets_[1]);
  ASSERT_TRUE(owner.wait_for<relay::Hello>());
  owner.accept();
  media::Rung rung{
      .id = 2, .name = "36p", .bitrate_max = 500'000, .rate_factor = 23, .width = 64, .height = 36};
  ASSERT_TRUE(owner.send(relay::LadderSet{1, {rung}}));
  ASSERT_TRUE(owner.send(relay::ProgramTrack{0, *clip.format}));
  ASSERT_TRUE(owner.send(relay::ProgramCut{}));
  std::uint64_t number = 0;
  for (const media::Frame& frame : clip.frames) {
    relay::ProgramFrame sent{.number = number++, .track = 0, .dts = frame.dts, .pts = frame.pts};
    sent.payload = frame.payload;
    ASSERT_TRUE(owner.send(sent));
  }
  owner.leave();
  worker.wait_for_end();
}

TEST_F(Links, end_when_the_owner_speaks_nonsense) {
  Owner owner(sockets_[0]);
  Worker worker(sockets_[1]);
  ASSERT_TRUE(owner.wait_for<relay::Hello>());
  owner.write(Buffer(64, 0xff));
  EXPECT_TRUE(worker.wait_for_end());
  auto bye = owner.wait_for<relay::Bye>();
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->reason, relay::ByeReason::kRefused);
}

TEST_F(Links, end_when_the_owner_never_answers) {
  Owner owner(sockets_[0]);
  relay::Config config;
  config.deadlines.hello = Duration::milliseconds(20);
  Worker worker(sockets_[1], config);
  EXPECT_EQ(worker.wait_for_end(), relay::Refusal::kHelloTimeout);
}

TEST(Link, says_why_it_cannot_connect) {
  EXPECT_EQ(connect_to("/nonexistent/relay-0.sock").error(), "No such file or directory");
  EXPECT_EQ(connect_to(std::string(200, 'x')).error(), "no path of a socket");
  EXPECT_EQ(connect_to("tcp://localhost").error(), "no port");
  const Listener listener;
  const std::string address = listener.address("127.0.0.1");
  ::shutdown(listener.socket, SHUT_RDWR);
  EXPECT_EQ(connect_to(address).error(), "Connection refused");
}

TEST(Link, goes_over_tcp) {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Listener listener;
    auto connected = connect_to(listener.address(host));
    ASSERT_TRUE(connected) << connected.error();
    Owner owner(::accept(listener.socket, nullptr, nullptr));
    Worker worker(*connected);
    ASSERT_TRUE(owner.wait_for<relay::Hello>());
    owner.accept();
    ASSERT_TRUE(owner.send(relay::LadderSet{}));
    owner.leave();
    EXPECT_EQ(worker.wait_for_end(), std::nullopt);
  }
}

}  // namespace
}  // namespace stoa::work

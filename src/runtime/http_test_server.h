// For the tests of this folder: a loop on a thread, an HTTP server on it with a few routes, a raw client.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/http_server.h"
#include "runtime/loop.h"
#include "runtime/tls.h"

namespace stoa::runtime {

// Runs its loop until it is destroyed.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop.run(); }) {}
  ~LoopThread() {
    loop.post([this] { loop.stop(); });
    thread_.join();
  }
  // Calls `task` on the loop and gives back what it returns.
  template <typename Task>
  auto call(Task task) {
    std::packaged_task<decltype(task())()> packaged(std::move(task));
    auto future = packaged.get_future();
    loop.post([&] { packaged(); });
    return future.get();
  }

  Loop loop;

 private:
  std::thread thread_;
};

// A count that a test can wait for.
class Signal {
 public:
  void raise() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool wait_for(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// /hello, /big (8 MiB), /text (compressible), /echo (the body), /wait (answered by release()), /socket.
class TestHandler : public HttpHandler {
 public:
  void handle_request(RequestId id, http::Request&& request) override {
    last_request = request;
    if (request.path == "/hello") return answer(id, tagged("hello"));
    if (request.path == "/big") return answer(id, big_response());
    if (request.path == "/text") return answer(id, http::make_text_response(200, std::string(5000, 't')));
    if (request.path == "/echo") return answer(id, http::make_text_response(200, request.body));
    if (request.path == "/wait") {
      waiting.push_back(id);
      return waits.raise();
    }
    if (request.path == "/socket") {
      socket = server->accept_socket(id);
      if (socket.is_set()) server->send_socket(socket, SharedBytes(std::string("welcome")));
      return opened.raise();
    }
    answer(id, http::make_error_response(404, "not_found", "There is nothing here."));
  }
  void handle_cancelled(RequestId id) override {
    std::erase(waiting, id);
    cancelled.raise();
  }
  void handle_socket_message(SocketId id, Bytes message, bool is_text) override {
    server->send_socket(id, SharedBytes::copy_of(message), is_text);
  }
  void handle_socket_closed(SocketId, std::uint16_t code) override {
    close_code = code;
    closed.raise();
  }
  void answer(RequestId id, http::Response&& response) { server->respond(id, std::move(response)); }
  static http::Response tagged(std::string text) {
    http::Response response = http::make_text_response(200, std::move(text));
    response.headers.add("etag", "\"tag\"");
    return response;
  }
  http::Response big_response() const {
    http::Response response;
    response.headers.add("content-type", "video/mp4");
    response.body.slices = {big.slice(0, 1000), big.slice(1000, 3 << 20), big.slice((3 << 20) + 1000)};
    return response;
  }

  HttpServer* server = nullptr;
  http::Request last_request;  // Touched on the loop only, like all that follows but the signals.
  std::vector<RequestId> waiting;
  SocketId socket;
  std::atomic<int> close_code{0};
  SharedBytes big{std::string(8 << 20, 'b')};
  Signal waits, cancelled, opened, closed;
};

// A blocking socket; nothing waits longer than ten seconds.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval limit{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void finish() { shutdown(fd_, SHUT_WR); }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // Like send, for a peer that may have hung up already.
  bool try_send(std::string_view text) { return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) > 0; }
  // Exactly `length` bytes, fewer when the server ends.
  std::string read(std::size_t length) {
    while (buffer_.size() < length && fill()) {
    }
    std::string taken = buffer_.substr(0, length);
    buffer_.erase(0, taken.size());
    return taken;
  }
  std::string read_head() {
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!fill()) return std::exchange(buffer_, {});
    return read(end + 4);
  }
  // Head and body of one response with a Content-Length.
  std::string read_response() {
    std::string head = read_head();
    std::size_t field = head.find("content-length: ");
    if (field == std::string::npos) return head;
    return head + read(std::stoul(head.substr(field + 16)));
  }
  std::string read_to_end() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
  }

 private:
  bool fill() {
    char chunk[65536];
    ssize_t count = recv(fd_, chunk, sizeof chunk, 0);
    if (count < 0 && errno != ECONNRESET) ADD_FAILURE() << "the server said nothing for ten seconds";
    if (count <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(count));
    return true;
  }
  int fd_;
  std::string buffer_;
};

class TestServer {
 public:
  explicit TestServer(HttpLimits limits = {}, std::shared_ptr<TlsContext> tls = nullptr) {
    thread.call([&] {
      server = std::make_unique<HttpServer>(thread.loop, limits, handler);
      handler.server = server.get();
      ListenOptions options;
      port = *server->listen(options);
      if (tls) {
        options.tls = tls;
        secure_port = *server->listen(options);
      }
    });
  }
  ~TestServer() {
    thread.call([&] { server.reset(); });
  }
  // Answers everything that waits.
  void release(const std::string& text) {
    thread.call([&] {
      for (RequestId id : std::exchange(handler.waiting, {}))
        server->respond(id, http::make_text_response(200, text));
    });
  }
  void release_oldest(const std::string& text) {
    thread.call([&] {
      RequestId id = handler.waiting.front();
      handler.waiting.erase(handler.waiting.begin());
      server->respond(id, http::make_text_response(200, text));
    });
  }
  double metric(const std::string& name, const std::string& label = {}) {
    return thread.call([&] {
      MetricSamples samples;
      server->append_metrics(samples);
      double sum = 0;
      for (const auto& sample : samples) {
        bool matches = label.empty();
        for (const auto& [key, value] : sample.labels) matches |= value == label;
        if (name == sample.name && matches) sum += sample.value;
      }
      return sum;
    });
  }
  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
  }
  std::string secure_url(std::string_view path) const {
    return "https://127.0.0.1:" + std::to_string(secure_port) + std::string(path);
  }

  TestHandler handler;
  LoopThread thread;
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0, secure_port = 0;
};

inline std::string run_command(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char chunk[65536];
  for (std::size_t count; (count = fread(chunk, 1, sizeof chunk, pipe)) > 0;) output.append(chunk, count);
  pclose(pipe);
  return output;
}

}  // namespace stoa::runtime

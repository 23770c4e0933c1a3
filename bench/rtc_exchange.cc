#include "rtc_exchange.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace stoa::bench {
namespace {

std::string head(std::string_view method, const Url& url, std::string_view path, std::string_view bearer) {
  std::string text(method);
  text += ' ';
  text += path;
  text += " HTTP/1.1\r\nHost: " + url.authority() + "\r\nUser-Agent: stoa-bench\r\n";
  if (!bearer.empty()) text += "Authorization: Bearer " + std::string(bearer) + "\r\n";
  return text;
}

}  // namespace

std::string make_offer_request(const Url& url, std::string_view bearer, std::string_view offer) {
  return head("POST", url, url.path, bearer) +
         "Content-Type: application/sdp\r\nAccept: application/sdp\r\nContent-Length: " +
         std::to_string(offer.size()) + "\r\n\r\n" + std::string(offer);
}

std::string make_delete_request(const Url& url, std::string_view path, std::string_view bearer) {
  return head("DELETE", url, path, bearer) + "Content-Length: 0\r\n\r\n";
}

void RtcExchange::start(const Address& server, std::string request) {
  request_ = std::move(request);
  written_ = 0;
  reader_.start(true);
  failure_.clear();
  auto fd = start_connect(server);
  if (!fd) return fail(fd.error());
  fd_ = std::move(*fd);
  state_ = State::kConnecting;
}

void RtcExchange::fail(Failure failure) {
  state_ = State::kFailed;
  failure_ = std::move(failure);
  fd_.reset();
}

void RtcExchange::handle_events(std::uint32_t events) {
  if (state_ == State::kConnecting) {
    if (int error = take_socket_error(fd_.get()); error != 0)
      return fail(Failure("cannot connect: ") + std::strerror(error));
    state_ = State::kReading;
  }
  if (state_ != State::kReading || !write()) return;
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read();
}

bool RtcExchange::write() {
  while (written_ < request_.size()) {
    ssize_t sent = send(fd_.get(), request_.data() + written_, request_.size() - written_, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (sent <= 0) {
      fail("the server closed the connection");
      return false;
    }
    written_ += static_cast<std::size_t>(sent);
  }
  return true;
}

void RtcExchange::read() {
  std::uint8_t buffer[16384];
  for (;;) {
    ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return fail("the server closed the connection");
    auto step = reader_.feed({buffer, static_cast<std::size_t>(got)});
    if (step == ResponseReader::Step::kBroken) return fail("not a response this bench understands");
    if (step != ResponseReader::Step::kDone) continue;
    state_ = State::kDone;
    fd_.reset();
    return;
  }
}

}  // namespace stoa::bench

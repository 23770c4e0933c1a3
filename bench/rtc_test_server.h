// A small WHIP and WHEP server on 127.0.0.1 in a thread of its own, for tests of the bench: HTTP by hand,
// `webrtc::Port` behind it, ports chosen by the kernel.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "crypto/srtp_kernel.h"
#include "rtc_peer.h"
#include "session/webrtc/port.h"

namespace stoa::bench {

class TestRtcServer {
 public:
  TestRtcServer() {
    listener_ = bind_socket(SOCK_STREAM, http_port_);
    udp_ = bind_socket(SOCK_DGRAM | SOCK_NONBLOCK, udp_port_);
    listen(listener_.get(), 64);
    poller_.add(listener_.get(), EPOLLIN, kListener);
    poller_.add(udp_.get(), EPOLLIN, kUdp);
    thread_ = std::thread([this] { run(); });
  }
  ~TestRtcServer() {
    is_done_ = true;
    thread_.join();
  }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(http_port_) + path;
  }
  // Of media to viewers.
  std::atomic<double> loss = 0;
  // Damages the last byte of what a publisher sent, behind its authentication.
  std::atomic<bool> corrupts = false;
  std::atomic<int> deleted = 0;
  std::atomic<std::size_t> tracks_wanted = 2;  // Before a channel is live.
  bool has_heard_from(const char* address) const { return inet_addr(address) == last_heard_; }

 private:
  enum : std::uint64_t { kListener, kUdp };

  struct Channel {
    webrtc::SessionId publisher;
    std::map<media::TrackId, std::pair<payload::RtpTrack, webrtc::StreamId>> tracks;
  };

  static Fd bind_socket(int type, std::uint16_t& port) {
    Fd fd(socket(AF_INET, type, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
  }

  Timestamp now() const { return Timestamp::from_ns(now_ns()); }
  WallTime wall() const { return WallTime::from_us(unix_ns() / 1000); }

  void run() {
    webrtc::PortConfig config;
    auto type = ice::CandidateType::kHost;
    SocketAddress address{IpAddress::v4(127, 0, 0, 1), udp_port_};
    config.candidates.push_back({.foundation = ice::make_foundation(type, ice::Transport::kUdp, address.ip),
                                 .priority = ice::candidate_priority(type, 65'535),
                                 .address = address,
                                 .host_name = {},
                                 .related = {},
                                 .ufrag = {}});
    port_ = std::make_unique<webrtc::Port>(config, dtls::Identity::make(wall(), Duration::seconds(3600)),
                                           crypto::make_srtp_kernel(), Rng(1));
    while (!is_done_) {
      std::int64_t until = std::min(now_ns() + 20'000'000, port_->next_deadline().ns());
      for (const epoll_event& event : poller_.wait_until(until)) {
        if (event.data.u64 == kUdp) {
          read_datagrams();
        } else {
          serve(Fd(accept(listener_.get(), nullptr, nullptr)));
        }
      }
      if (port_->next_deadline() <= now()) port_->handle_deadline(now(), wall(), out_);
      settle();
    }
  }

  void read_datagrams() {
    std::array<std::uint8_t, 2048> buffer;
    sockaddr_in from{};
    for (;;) {
      socklen_t size = sizeof from;
      ssize_t got =
          recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      last_heard_ = from.sin_addr.s_addr;
      Bytes ip(reinterpret_cast<const std::uint8_t*>(&from.sin_addr), 4);
      ReceivedDatagram datagram{.local = kUdpPath,
                                .remote = {*IpAddress::from_bytes(ip), ntohs(from.sin_port)},
                                .bytes = std::span(buffer).first(static_cast<std::size_t>(got))};
      port_->handle_datagrams(now(), wall(), std::span(&datagram, 1), out_);
      settle();
    }
  }

  void send_to(const SocketAddress& remote, Bytes bytes) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(remote.port);
    std::memcpy(&to.sin_addr, remote.ip.bytes().data(), 4);
    sendto(udp_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

  void settle() {
    for (auto& output : out_.take()) {
      if (auto* send = std::get_if<webrtc::SendDatagram>(&output)) {
        send_to(send->remote, send->bytes);
      } else if (auto* published = std::get_if<webrtc::Published>(&output)) {
        take(*published);
      } else if (auto* wanted = std::get_if<webrtc::StreamKeyframeWanted>(&output)) {
        for (auto& [name, channel] : channels_)
          for (auto& [id, track] : channel.tracks)
            if (track.second == wanted->stream)
              port_->request_keyframe(now(), channel.publisher, id, wanted->layer, out_);
      }
    }
    bool has_more = true;
    while (has_more) {
      batch_.clear();
      has_more = port_->fill(now(), batch_);
      for (const DatagramTrain& train : batch_.trains())
        for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
          if (rng_.chance(loss)) continue;
          send_to(train.remote, train.bytes.subspan(
                                    at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at)));
        }
    }
  }

  void take(webrtc::Published& published) {
    for (auto& [name, channel] : channels_) {
      if (channel.publisher != published.session) continue;
      if (auto* opened = std::get_if<webrtc::TrackOpened>(&published.event)) {
        channel.tracks[opened->track.id] = {opened->track, port_->fan_out().add_stream(opened->track)};
      } else if (auto* packets = std::get_if<webrtc::PacketsReceived>(&published.event)) {
        auto track = channel.tracks.find(packets->track);
        if (track == channel.tracks.end()) continue;
        if (corrupts) damage(packets->batch);
        port_->fan_out().append(now(), track->second.second, packets->batch);
      } else if (auto* mapped = std::get_if<webrtc::TrackClockMapped>(&published.event)) {
        auto track = channel.tracks.find(mapped->track);
        if (track != channel.tracks.end())
          port_->fan_out().map_clock(track->second.second, mapped->layer, mapped->mapping);
      }
    }
  }

  static void damage(const payload::PacketBatch& batch) {
    for (std::size_t i = 0; i < batch.count; ++i) {
      Bytes payload = batch.payload(i);
      // Not stamps: they lie in small packets, and at the end of Opus packets.
      if (payload.size() > 100) const_cast<std::uint8_t&>(payload[payload.size() / 2]) ^= 1;
    }
  }

  void serve(Fd connection) {
    std::string request;
    std::size_t body_at = std::string::npos, length = 0;
    char piece[4096];
    while (body_at == std::string::npos || request.size() < body_at + length) {
      ssize_t got = recv(connection.get(), piece, sizeof piece, 0);
      if (got <= 0) return;
      request.append(piece, static_cast<std::size_t>(got));
      if (auto end = request.find("\r\n\r\n"); body_at == std::string::npos && end != std::string::npos) {
        body_at = end + 4;
        if (auto at = request.find("Content-Length: "); at < end)
          length = std::stoul(request.substr(at + 16));
      }
    }
    std::string method = request.substr(0, request.find(' '));
    std::string path =
        request.substr(method.size() + 1, request.find(' ', method.size() + 1) - method.size() - 1);
    std::string response = answer(method, path, request.substr(body_at));
    send(connection.get(), response.data(), response.size(), MSG_NOSIGNAL);
  }

  static std::string make_response(const char* status, const std::string& location, const std::string& body) {
    return std::string("HTTP/1.1 ") + status + "\r\nContent-Type: application/sdp\r\n" +
           (location.empty() ? "" : "Location: " + location + "\r\n") +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::string answer(const std::string& method, const std::string& path, const std::string& body) {
    if (method == "DELETE") {
      ++deleted;
      return make_response("200 OK", {}, {});
    }
    std::string name = path.substr(6);
    if (path.starts_with("/whip/")) {
      auto opened = port_->open_publisher(now(), body);
      if (!opened) return make_response("422 Unprocessable Content", {}, opened.error().negotiation.text);
      channels_[name].publisher = opened->session;
      return make_response("201 Created", path + "/session", opened->answer);
    }
    Channel& channel = channels_[name];
    if (channel.tracks.size() < tracks_wanted) return make_response("404 Not Found", {}, "not live");
    std::vector<payload::RtpTrack> tracks;
    for (const auto& [id, track] : channel.tracks) tracks.push_back(track.first);
    auto opened = port_->open_viewer(now(), body, tracks);
    if (!opened) return make_response("422 Unprocessable Content", {}, opened.error().negotiation.text);
    for (std::size_t i = 0; i < opened->outlets.size(); ++i)
      port_->set_source(now(), opened->session, i, channel.tracks.at(opened->outlets[i].track).second, out_);
    return make_response("201 Created", path + "/session", opened->answer);
  }

  std::uint16_t http_port_ = 0, udp_port_ = 0;
  Fd listener_, udp_;
  Poller poller_;
  std::atomic<bool> is_done_ = false;
  std::atomic<in_addr_t> last_heard_ = 0;
  std::unique_ptr<webrtc::Port> port_;
  webrtc::PortOutputs out_;
  DatagramBatch batch_;
  std::map<std::string, Channel> channels_;
  Rng rng_{7};
  std::thread thread_;
};

}  // namespace stoa::bench

// A port, its clients and what a shard does in between: every track that is published goes to every viewer.
// In virtual time.
#pragma once

#include <deque>

#include "session/webrtc/port.h"
#include "session/webrtc/test_client.h"

namespace stoa::webrtc {

class PortWorld {
 public:
  struct Closed {
    SessionId session;
    TransportEnd end;
    bool was_connected;
  };

  explicit PortWorld(PortConfig config = {})
      : transform(crypto::make_srtp_kernel()),
        port(with_candidates(std::move(config)), test_identity(0), crypto::make_srtp_kernel(), Rng(77)) {
    time.advance(Duration::seconds(1));
  }

  TestClient& add_client(TestClientOptions options) {
    options.seed = options.seed == 1 ? ++seeds_ : options.seed;
    if (options.address.port == 40'000) options.address.port = static_cast<std::uint16_t>(40'000 + seeds_);
    clients.push_back(std::make_unique<TestClient>(time, transform, options));
    return *clients.back();
  }
  // One that publishes, or watches what is published now. Connects unless told otherwise.
  TestClient& publish(TestClientOptions options = {}, bool waits = true) {
    options.publishes = true;
    TestClient& client = add_client(options);
    auto opened = port.open_publisher(time.now(), client.dialer->offer(), caller);
    EXPECT_TRUE(opened);
    if (!opened) return client;
    begin(client, opened->session, opened->answer, waits);
    return client;
  }
  TestClient& watch(TestClientOptions options = {}, bool waits = true) {
    TestClient& client = add_client(options);
    auto opened = port.open_viewer(time.now(), client.dialer->offer(), tracks, caller);
    EXPECT_TRUE(opened);
    if (!opened) return client;
    for (std::size_t i = 0; i < opened->outlets.size(); ++i)
      port.set_source(time.now(), opened->session, i, streams.at(opened->outlets[i].track), out_);
    begin(client, opened->session, opened->answer, waits);
    return client;
  }
  SessionId session_of(const TestClient& client) const { return sessions_.at(&client); }

  bool run_until(const std::function<bool()>& is_met, Duration most = Duration::seconds(10)) {
    auto next = [&] {
      Timestamp at = port.next_deadline();
      for (const auto& client : clients) at = std::min({at, client->next_event(), client->up.next_arrival()});
      return at;
    };
    return webrtc::run_until(time, most, is_met, next, [&] { step(); });
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }
  void give(const SocketAddress& from, Buffer bytes, LocalPath local = kUdpPath) {
    ReceivedDatagram datagram{local, from, bytes};
    port.handle_datagrams(time.now(), time.wall(), std::span(&datagram, 1), out_);
    carry();
  }
  void close_path(LocalPath local, const SocketAddress& remote) {
    port.handle_path_closed(time.now(), local, remote, out_);
    carry();
  }
  void close(const TestClient& client) {
    port.close(time.now(), session_of(client), out_);
    carry();
  }
  Result<Patched, PatchRefusal> patch(SessionId session, std::string_view fragment, bool may_restart) {
    auto patched = port.patch(time.now(), session, fragment, may_restart, out_);
    carry();
    return patched;
  }
  double metric(std::string_view name, std::string_view label = "") const {
    MetricSamples samples;
    port.append_metrics(samples);
    double sum = 0;
    for (const MetricSample& sample : samples) {
      bool is_meant = label.empty();
      for (const auto& [key, value] : sample.labels) is_meant = is_meant || value == label;
      if (name == sample.name && is_meant) sum += sample.value;
    }
    return sum;
  }

  sim::VirtualTime time;
  srtp::Transform transform;  // Of the clients.
  Port port;
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<payload::RtpTrack> tracks;
  std::map<media::TrackId, StreamId> streams;
  std::vector<SessionConnected> connected;
  std::vector<Closed> closed;
  std::vector<LocalPath> proved, released;
  std::vector<SessionId> paths_lost, paths_back;
  std::uint64_t sent_to_nobody = 0, claimed_bytes = 0;
  std::map<IpAddress, std::uint64_t> bytes_to_nobody;
  std::map<LocalPath, std::uint64_t> sent_by;
  std::map<std::uint64_t, int> tracks_opened;  // By session.
  bool echoes = true;
  IpAddress caller;  // Whose calls publish() and watch() are.

 private:
  static PortConfig with_candidates(PortConfig config) {
    config.candidates = {host_candidate(kServerAddress)};
    return config;
  }
  void begin(TestClient& client, SessionId session, std::string_view answer, bool waits) {
    sessions_[&client] = session;
    EXPECT_TRUE(client.handle_answer(answer));
    carry();
    if (!waits) return;
    EXPECT_TRUE(run_until([&] { return client.is_connected(); }));
    std::size_t expected = static_cast<std::size_t>(client.options.has_audio + client.options.has_video);
    if (!client.options.publishes || !tracks.empty()) return;
    EXPECT_TRUE(run_until([&] { return tracks.size() == expected; }));
  }
  void step() {
    // What arrived of all clients is one batch, as a socket gives it.
    std::vector<Buffer> arrived;
    std::vector<std::pair<LocalPath, SocketAddress>> from;
    for (const auto& client : clients) {
      for (Buffer& bytes : client->up.take_arrived()) {
        if (client->claims) claimed_bytes += bytes.size();
        from.emplace_back(client->local, client->claims.value_or(client->options.address));
        arrived.push_back(std::move(bytes));
      }
    }
    std::vector<ReceivedDatagram> datagrams;
    for (std::size_t i = 0; i < arrived.size(); ++i)
      datagrams.push_back({from[i].first, from[i].second, arrived[i]});
    if (!datagrams.empty()) {
      port.handle_datagrams(time.now(), time.wall(), datagrams, out_);
      carry();
    }
    if (port.next_deadline() <= time.now()) port.handle_deadline(time.now(), time.wall(), out_);
    carry();
    for (const auto& client : clients)
      if (client->next_event() <= time.now()) client->step();
  }
  void carry() {
    do {
      for (PortOutput& output : out_.take()) handle(output);
      batch_.clear();
      bool has_more = port.fill(time.now(), batch_);
      for_each_packet(
          batch_, [&](LocalPath local, const SocketAddress& to, Bytes packet) { send(local, to, packet); });
      if (!has_more && out_.empty()) return;
    } while (true);
  }
  void send(LocalPath local, const SocketAddress& to, Bytes bytes) {
    ++sent_by[local];
    for (const auto& client : clients) {
      if (client->options.address != to || client->is_closed()) continue;
      if (!client->is_cut) client->down.send(bytes);
      return;
    }
    ++sent_to_nobody;
    bytes_to_nobody[to.ip] += bytes.size();
  }
  void handle(PortOutput& output) {
    std::visit(Overloaded{
                   [&](SendDatagram& packet) { send(packet.local, packet.remote, packet.bytes); },
                   [&](PathProved& path) { proved.push_back(path.local); },
                   [&](PathReleased& path) { released.push_back(path.local); },
                   [&](SessionConnected& session) { connected.push_back(session); },
                   [&](SessionClosed& end) { closed.push_back({end.session, end.end, end.was_connected}); },
                   [&](SessionPathLost& lost) { paths_lost.push_back(lost.session); },
                   [&](SessionPathBack& back) { paths_back.push_back(back.session); },
                   [](SessionBandwidth&) {},
                   [&](Published& published) { pass_on(published); },
                   [&](DataReceived& data) {
                     auto* message = std::get_if<sctp::ChannelMessage>(&data.event);
                     if (message && echoes)
                       (void)port.send_data(time.now(), data.session, message->channel, message->kind,
                                            SharedBytes(std::move(message->payload)), out_);
                   },
                   [&](StreamKeyframeWanted& wanted) {
                     for (const auto& [track, stream] : streams)
                       if (stream == wanted.stream && publisher_.is_set())
                         port.request_keyframe(time.now(), publisher_, track, wanted.layer, out_);
                   },
               },
               output);
  }
  void pass_on(Published& published) {
    publisher_ = published.session;
    std::visit(Overloaded{[&](TrackOpened& opened) {
                            ++tracks_opened[published.session.value()];
                            if (streams.contains(opened.track.id)) return;
                            tracks.push_back(opened.track);
                            streams[opened.track.id] = port.fan_out().add_stream(opened.track);
                          },
                          [&](PacketsReceived& received) {
                            port.fan_out().append(time.now(), streams.at(received.track), received.batch);
                          },
                          [&](TrackClockMapped& mapped) {
                            if (streams.contains(mapped.track))
                              port.fan_out().map_clock(streams.at(mapped.track), mapped.layer,
                                                       mapped.mapping);
                          },
                          [](auto&) {}},
               published.event);
  }

  PortOutputs out_;
  DatagramBatch batch_;
  std::map<const TestClient*, SessionId> sessions_;
  SessionId publisher_;
  std::uint64_t seeds_ = 1;
};

}  // namespace stoa::webrtc

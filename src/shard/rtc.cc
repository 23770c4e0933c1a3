// Sessions and what flows through them.
#include "shard/rtc.h"

#include <algorithm>
#include <utility>

namespace stoa::shard {
namespace {

// In a SourceId: the shard, then this bit for those that a Rtc made, then a number.
constexpr int kSourceShardShift = 48;
constexpr std::uint64_t kRtcSource = 1ull << 47;
constexpr std::size_t kEchoQueuedBytesMax = 512u << 10;
static_assert(kEchoQueuedBytesMax + webrtc::kDataMessageBytesMax + sctp::kMessageOverheadBytes <=
              webrtc::kPortDataLimits.send_buffer_bytes_max);

}  // namespace

Rtc::Rtc(const RtcConfig& config, WallTime wall, Rng rng)
    : config_(config),
      rng_(rng),
      identity_({}),
      port_(config.port, identity_.current(wall), config.make_srtp_kernel(), Rng(rng_.next())) {}

Rtc::~Rtc() = default;

live::SourceId Rtc::next_source_id() {
  return {static_cast<std::uint64_t>(config_.index) << kSourceShardShift | kRtcSource | next_source_++};
}

bool Rtc::is_own_source(live::SourceId source) const { return (source.value & kRtcSource) != 0; }

void Rtc::log(LogLevel level, std::string text, RtcOutputs& out) {
  out.push(LogLine{level, "webrtc", std::move(text)});
}

void Rtc::handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                           RtcOutputs& out) {
  port_.handle_datagrams(now, wall, datagrams, port_outputs_);
  handle_port_outputs(now, wall, out);
}

void Rtc::handle_path_closed(Timestamp now, WallTime wall, LocalPath local, const SocketAddress& remote,
                             RtcOutputs& out) {
  port_.handle_path_closed(now, local, remote, port_outputs_);
  handle_port_outputs(now, wall, out);
}

// What one output leads to may put out more; all of it is done, in order, before this returns. A call from
// inside leaves its outputs to the one that runs: nothing that handles an output sees sessions go meanwhile.
void Rtc::handle_port_outputs(Timestamp now, WallTime wall, RtcOutputs& out) {
  if (std::exchange(is_handling_port_outputs_, true)) return;
  while (!port_outputs_.empty()) {
    for (webrtc::PortOutput& output : port_outputs_.take()) {
      std::visit(Overloaded{
                     [&](webrtc::SendDatagram& send) { out.push(std::move(send)); },
                     [&](webrtc::PathProved& proved) { out.push(proved); },
                     [&](webrtc::PathReleased& released) { out.push(released); },
                     [&](webrtc::StreamKeyframeWanted& wanted) {
                       if (stream_owners_.contains(wanted.stream)) {
                         want_keyframe(now, wall, wanted, out);
                       } else {
                         out.push(webrtc::PortOutput(wanted));
                       }
                     },
                     [&](auto& event) {
                       if (is_own(event.session)) {
                         handle_own(now, wall, event, out);
                       } else {
                         out.push(webrtc::PortOutput(std::move(event)));
                       }
                     },
                 },
                 output);
    }
  }
  is_handling_port_outputs_ = false;
}

// Data channels of WHIP and WHEP carry nothing of ours; what comes is sent back, which tells a client that
// its data channel works.
void Rtc::echo(Timestamp now, webrtc::DataReceived& data) {
  auto* message = std::get_if<sctp::ChannelMessage>(&data.event);
  // Who does not take what he sent is not sent more of it.
  if (message && port_.queued_data_bytes(data.session) <= kEchoQueuedBytesMax)
    (void)port_.send_data(now, data.session, message->channel, message->kind,
                          SharedBytes(std::move(message->payload)), port_outputs_);
}

void Rtc::handle_connected(Timestamp now, const webrtc::SessionConnected& connected, RtcOutputs& out) {
  std::uint64_t id = connected.session.value();
  if (auto publisher = publishers_.find(id); publisher != publishers_.end()) {
    log(LogLevel::kInfo,
        publisher->second.peer + ": connected over " + connected.path + " with " + connected.protocol +
            ", publishes channel " + publisher->second.channel,
        out);
  } else if (auto viewer = viewers_.find(id); viewer != viewers_.end()) {
    viewer->second.is_connected = true;
    if (const auto target = port_.target(connected.session))
      handle_bandwidth(now, connected.session, *target);
    log(LogLevel::kDebug,
        viewer->second.peer.to_text() + ": a viewer of channel " + viewer->second.channel +
            " connected over " + connected.path,
        out);
  }
}

void Rtc::handle_closed(Timestamp now, const webrtc::SessionClosed& closed, RtcOutputs& out) {
  std::uint64_t id = closed.session.value();
  if (auto found = publishers_.find(id); found != publishers_.end()) {
    Publisher publisher = std::move(found->second);
    publishers_.erase(found);
    by_token_.erase(publisher.token);
    by_source_.erase(publisher.source.value);
    timers_.set({TimerKind::kPublisher, "", id}, Timestamp::never());
    log(closed.was_connected ? LogLevel::kInfo : LogLevel::kWarning,
        publisher.peer + ": publisher of channel " + publisher.channel + " closed: " + closed.why, out);
    if (publisher.is_started && !publisher.is_dropped)
      out.push(SendMail{config_.index, SourceEnded{publisher.source}});
    return;
  }
  auto viewer = viewers_.find(id);
  if (viewer == viewers_.end()) return;
  // Anybody may ask for a session and leave it at that: those who never connected are no louder than the
  // rest.
  log(LogLevel::kDebug,
      viewer->second.peer.to_text() + ": a viewer of channel " + viewer->second.channel +
          (closed.was_connected ? " left: " : " never connected: ") + closed.why,
      out);
  std::string channel = viewer->second.channel;
  by_token_.erase(viewer->second.token);
  viewers_.erase(viewer);
  leave_audience(now, channel, closed.session);
}

void Rtc::handle_published(Timestamp now, WallTime wall, webrtc::Published& published, RtcOutputs& out) {
  auto found = publishers_.find(published.session.value());
  if (found == publishers_.end() || found->second.is_dropped) return;
  Publisher& publisher = found->second;
  if (!publisher.is_started) {
    publisher.is_started = true;
    publication_of(publisher.channel).add_packet_source(publisher.source);
    out.push(
        SendMail{config_.index,
                 SourceStarted{.channel = publisher.channel,
                               .source = publisher.source,
                               .offer = {.priority = kPriority, .description = publisher.peer},
                               .status = {.peer = publisher.peer, .protocol = "whip", .priority = kPriority},
                               .ladder = publisher.ladder}});
  }
  handle_publisher_event(now, wall, published, publisher);
  const std::string channel = publisher.channel;
  handle_publication_outputs(now, wall, channel, publication_of(channel), out);
  handle_assembled(now, published.session, out);
}

void Rtc::handle_publisher_event(Timestamp now, WallTime wall, const webrtc::Published& published,
                                 Publisher& publisher) {
  Publication& publication = publication_of(publisher.channel);
  std::visit(Overloaded{
                 [&](const webrtc::TrackOpened& opened) {
                   publication.handle_track(now, publisher.source, opened.track, publication_outputs_);
                   publisher.assembler->handle_track(now, opened.track, assembled_);
                 },
                 [&](const webrtc::PacketsReceived& received) {
                   if (publisher.left_out.contains(received.track))
                     publisher.left_out_until = now + kLeftOutSilence;
                   publication.handle_packets(publisher.source, received.track, received.batch,
                                              publication_outputs_);
                   publisher.assembler->handle_packets(now, wall, received.track, received.batch, assembled_);
                 },
                 [&](const webrtc::TrackClockMapped& mapped) {
                   publication.handle_clock(publisher.source, mapped.track, mapped.layer, mapped.mapping,
                                            publication_outputs_);
                   publisher.assembler->handle_clock(mapped.track, mapped.layer, mapped.mapping);
                   if (auto repair_time = port_.repair_time(published.session))
                     publisher.assembler->set_repair_time(now, *repair_time);
                 },
                 [&](const webrtc::LayersActive& active) {
                   publisher.assembler->handle_active_layers(now, active.track, active.layers, assembled_);
                 },
                 [&](const webrtc::TrackClosed& closed) {
                   publication.handle_track_closed(now, publisher.source, closed.track, publication_outputs_);
                   publisher.assembler->handle_track_closed(now, closed.track, assembled_);
                 },
             },
             published.event);
}

void Rtc::handle_assembled(Timestamp now, webrtc::SessionId session, RtcOutputs& out) {
  auto found = publishers_.find(session.value());
  if (found == publishers_.end()) return assembled_.clear();
  Publisher& publisher = found->second;
  for (auto& output : assembled_.take()) {
    std::visit(
        Overloaded{
            [&](media::TrackEvent& event) {
              out.push(SendMail{config_.index, SourceMedia{publisher.source, std::move(event)}});
            },
            [&](live::PacketAssembler::KeyframeNeeded& needed) {
              port_.request_keyframe(now, session, needed.track, needed.layer, port_outputs_);
            },
            [&](live::PacketAssembler::TrackLeftOut& left) {
              log(LogLevel::kWarning,
                  "channel " + publisher.channel + ": " + std::string(payload::name_of(left.encoding)) +
                      " does not go into HLS; only real-time viewers get this track",
                  out);
              publisher.left_out.insert(left.track);
              publisher.left_out_until = now + kLeftOutSilence;
            },
            [&](live::PacketAssembler::LeftOutClosed& closed) { publisher.left_out.erase(closed.track); },
        },
        output);
  }
  tell_left_out(now, publisher, out);
  timers_.set({TimerKind::kPublisher, "", session.value()},
              std::min(publisher.assembler->next_deadline(),
                       publisher.holds_channel ? publisher.left_out_until : Timestamp::never()));
}

void Rtc::tell_left_out(Timestamp now, Publisher& publisher, RtcOutputs& out) {
  bool holds = !publisher.left_out.empty() && now < publisher.left_out_until;
  if (std::exchange(publisher.holds_channel, holds) == holds) return;
  out.push(SendMail{config_.index, SourceTrackLeftOut{publisher.source, holds}});
}

// The owner's side: a channel's publication.

Publication& Rtc::publication_of(const std::string& channel) {
  auto found = publications_.find(channel);
  if (found == publications_.end())
    found = publications_.emplace(channel, std::make_unique<Publication>(channel, Rng(rng_.next()))).first;
  return *found->second;
}

void Rtc::drop_idle(const std::string& channel) {
  auto found = publications_.find(channel);
  if (found == publications_.end() || !found->second->is_idle()) return;
  timers_.set({TimerKind::kPublication, channel, 0}, Timestamp::never());
  publications_.erase(found);
}

void Rtc::handle_source_event(Timestamp now, WallTime wall, const std::string& channel, live::SourceId source,
                              const media::TrackEvent& event, RtcOutputs& out) {
  if (is_own_source(source)) return;  // Its packets came by another way.
  Publication& publication = publication_of(channel);
  publication.handle_event(now, wall, source, event, publication_outputs_);
  handle_publication_outputs(now, wall, channel, publication, out);
}

void Rtc::handle_source_gone(Timestamp now, WallTime wall, const std::string& channel, live::SourceId source,
                             RtcOutputs& out) {
  auto found = publications_.find(channel);
  if (found == publications_.end()) return;
  found->second->remove_source(now, source, publication_outputs_);
  handle_publication_outputs(now, wall, channel, *found->second, out);
  drop_idle(channel);
}

void Rtc::expect_program(Timestamp now, WallTime wall, const std::string& channel, Timestamp until,
                         RtcOutputs& out) {
  Publication& publication = publication_of(channel);
  publication.expect_program(now, until);
  handle_publication_outputs(now, wall, channel, publication, out);
}

void Rtc::set_on_air(Timestamp now, WallTime wall, const std::string& channel,
                     std::optional<live::SourceId> source, RtcOutputs& out) {
  auto found = publications_.find(channel);
  if (found == publications_.end()) return;
  found->second->set_on_air(now, wall, source, publication_outputs_);
  handle_publication_outputs(now, wall, channel, *found->second, out);
}

void Rtc::end_broadcast(Timestamp now, WallTime wall, const std::string& channel, RtcOutputs& out) {
  auto found = publications_.find(channel);
  if (found == publications_.end()) return;
  std::unique_ptr<Publication> publication = std::move(found->second);
  publications_.erase(found);
  timers_.set({TimerKind::kPublication, channel, 0}, Timestamp::never());
  publication->end(publication_outputs_);
  handle_publication_outputs(now, wall, channel, *publication, out);
  timers_.set({TimerKind::kPublication, channel, 0}, Timestamp::never());
}

std::vector<relay::TrackObstacle> Rtc::obstacles(const std::string& channel) const {
  auto found = publications_.find(channel);
  return found == publications_.end() ? std::vector<relay::TrackObstacle>() : found->second->obstacles();
}

std::vector<payload::RtpTrack> Rtc::realtime_only(const std::string& channel) const {
  auto found = publications_.find(channel);
  return found == publications_.end() ? std::vector<payload::RtpTrack>() : found->second->realtime_only();
}

void Rtc::handle_publication_outputs(Timestamp now, WallTime wall, const std::string& channel,
                                     Publication& publication, RtcOutputs& out) {
  timers_.set({TimerKind::kPublication, channel, 0}, publication.next_deadline());
  for (PublicationOutput& output : publication_outputs_.take()) {
    std::visit(Overloaded{
                   [&](SendToSubscriber& send) {
                     if (send.shard == config_.index) {
                       handle_relay(now, wall, std::move(send.message), out);
                     } else {
                       out.push(SendMail{send.shard, std::move(send.message)});
                     }
                   },
                   [&](SourceKeyframeWanted& wanted) {
                     auto session = by_source_.find(wanted.source.value);
                     if (session != by_source_.end())
                       port_.request_keyframe(now, webrtc::SessionId::from_value(session->second),
                                              wanted.track, wanted.layer, port_outputs_);
                   },
               },
               output);
  }
}

void Rtc::handle_relay(Timestamp now, WallTime wall, relay::ToOwner&& message, RtcOutputs& out) {
  std::visit(Overloaded{
                 [&](relay::Subscribe& wanted) {
                   auto found = publications_.find(wanted.publication);
                   if (found == publications_.end()) {
                     relay::TracksChanged nothing{.publication = wanted.publication, .has_ended = true};
                     if (wanted.shard == config_.index) {
                       handle_relay(now, wall, relay::ToSubscriber(std::move(nothing)), out);
                     } else {
                       out.push(SendMail{wanted.shard, relay::ToSubscriber(std::move(nothing))});
                     }
                     return;
                   }
                   found->second->subscribe(now, wall, wanted.shard, publication_outputs_);
                   handle_publication_outputs(now, wall, wanted.publication, *found->second, out);
                 },
                 [&](relay::Unsubscribe& left) {
                   auto found = publications_.find(left.publication);
                   if (found == publications_.end()) return;
                   found->second->unsubscribe(now, wall, left.shard, publication_outputs_);
                   handle_publication_outputs(now, wall, left.publication, *found->second, out);
                   drop_idle(left.publication);
                 },
                 [&](relay::KeyframeWanted& wanted) {
                   auto found = publications_.find(wanted.publication);
                   if (found == publications_.end()) return;
                   found->second->handle_keyframe_wanted(now, wanted, publication_outputs_);
                   handle_publication_outputs(now, wall, wanted.publication, *found->second, out);
                 },
                 [](relay::QualityWanted&) {},  // Channels' publishers are not asked for less …
                 [](relay::CodecWanted&) {},    // … nor for other codecs.
             },
             message);
  handle_port_outputs(now, wall, out);
}

// The subscriber's side: a channel's audience here.

void Rtc::send_to_owner(Timestamp now, WallTime wall, const std::string& channel, relay::ToOwner&& message,
                        RtcOutputs& out) {
  ShardIndex owner = owner_of(channel, config_.shards);
  if (owner == config_.index) {
    handle_relay(now, wall, std::move(message), out);
  } else {
    out.push(SendMail{owner, std::move(message)});
  }
}

void Rtc::handle_relay(Timestamp now, WallTime wall, relay::ToSubscriber&& message, RtcOutputs& out) {
  std::visit(Overloaded{
                 [&](relay::TracksChanged& changed) { handle_tracks_changed(now, wall, changed, out); },
                 [&](relay::PacketsSent& sent) {
                   auto found = audiences_.find(sent.publication);
                   if (found == audiences_.end() || found->second.generation != sent.generation) return;
                   auto stream = found->second.streams.find(sent.track);
                   if (stream != found->second.streams.end())
                     port_.fan_out().append(now, stream->second, sent.batch);
                 },
                 [&](relay::GroupSent& sent) {
                   auto found = audiences_.find(sent.publication);
                   if (found == audiences_.end() || found->second.generation != sent.generation) return;
                   std::map<media::TrackId, std::vector<payload::PacketBatch>> groups;
                   for (relay::GroupSent::Part& part : sent.parts)
                     groups[part.track].push_back(std::move(part.batch));
                   for (const auto& [track, group] : groups) {
                     auto stream = found->second.streams.find(track);
                     if (stream == found->second.streams.end()) continue;
                     port_.fan_out().append_group(now, stream->second, group);
                     found->second.flows[track].rates.skip();
                   }
                 },
                 [&](relay::ClockMapped& mapped) {
                   auto found = audiences_.find(mapped.publication);
                   if (found == audiences_.end() || found->second.generation != mapped.generation) return;
                   auto stream = found->second.streams.find(mapped.track);
                   if (stream != found->second.streams.end())
                     port_.fan_out().map_clock(stream->second, mapped.layer, mapped.mapping);
                 },
             },
             message);
}

void Rtc::handle_tracks_changed(Timestamp now, WallTime wall, relay::TracksChanged& changed,
                                RtcOutputs& out) {
  auto found = audiences_.find(changed.publication);
  if (found == audiences_.end()) {
    // The end of a broadcast crossed a subscription to the next one: nobody waits here any more.
    if (!changed.has_ended && owner_of(changed.publication, config_.shards) != config_.index)
      send_to_owner(now, wall, changed.publication, relay::Unsubscribe{changed.publication, config_.index},
                    out);
    return;
  }
  Audience& audience = found->second;
  bool is_new_generation = !audience.is_known || audience.generation != changed.generation;
  audience.is_known = true;
  audience.generation = changed.generation;
  audience.obstacles = std::move(changed.obstacles);
  // New streams come before the old ones go: viewers keep what they see until the new one can be shown.
  std::map<media::TrackId, webrtc::StreamId> old;
  if (is_new_generation) old = std::exchange(audience.streams, {});
  for (const payload::RtpTrack& track : changed.tracks) {
    if (audience.streams.contains(track.id)) continue;
    webrtc::StreamId stream = port_.fan_out().add_stream(track);
    if (!stream.is_set()) {
      log(LogLevel::kWarning, "channel " + changed.publication + ": too many tracks are watched here", out);
      continue;
    }
    audience.streams[track.id] = stream;
    stream_owners_[stream] = {changed.publication, track.id};
  }
  for (auto stream = audience.streams.begin(); stream != audience.streams.end();) {
    bool is_there = std::ranges::any_of(
        changed.tracks, [&](const payload::RtpTrack& track) { return track.id == stream->first; });
    if (is_there) {
      ++stream;
    } else {
      // By itself it has no place in `old`, which may hold another stream of that track.
      stream_owners_.erase(stream->second);
      port_.fan_out().remove_stream(stream->second);
      stream = audience.streams.erase(stream);
    }
  }
  audience.tracks = std::move(changed.tracks);
  measure_flows(now, audience);
  std::vector<webrtc::SessionId> unserved;
  for (webrtc::SessionId id : audience.viewers) {
    auto viewer = viewers_.find(id.value());
    if (viewer == viewers_.end()) continue;
    if (!feed_viewer(now, audience, id, viewer->second)) unserved.push_back(id);
  }
  for (auto& [track, stream] : old) {
    stream_owners_.erase(stream);
    port_.fan_out().remove_stream(stream);
  }
  port_.set_identity(identity_.current(wall));
  answer_waiting(now, audience, out);
  // Another codec than was agreed upon, or more than there was to agree upon: these viewers must ask anew.
  if (changed.has_ended) unserved = audience.viewers;
  for (webrtc::SessionId id : unserved) port_.close(now, id, port_outputs_);
  if (changed.has_ended) drop_audience(audiences_.find(changed.publication));
  handle_port_outputs(now, wall, out);
  if (auto still = audiences_.find(changed.publication); still != audiences_.end())
    file(now, still->first, still->second);
}

// Gives each outlet the track it was agreed for, or one that its receiver can take as well. False when a new
// session would get more: there is picture or sound now where this one has no outlet, or one of another
// codec.
bool Rtc::feed_viewer(Timestamp now, Audience& audience, webrtc::SessionId id, Viewer& viewer) {
  auto has_kind = [&](bool is_video) {
    return std::ranges::any_of(audience.tracks, [&](const payload::RtpTrack& track) {
      return track.is_video() == is_video && audience.streams.contains(track.id);
    });
  };
  bool is_served = std::ranges::none_of(audience.tracks, [&](const payload::RtpTrack& track) {
    media::Kind kind = track.is_video() ? media::Kind::kVideo : media::Kind::kAudio;
    return audience.streams.contains(track.id) && std::ranges::count(viewer.unseated, kind) > 0 &&
           std::ranges::count(viewer.refused, track.encoding) == 0;
  });
  viewer.feeds.resize(viewer.outlets.size());
  for (std::size_t i = 0; i < viewer.outlets.size(); ++i) {
    const webrtc::ViewerOutlet& outlet = viewer.outlets[i];
    media::TrackId chosen = outlet.track;
    webrtc::StreamId stream;
    for (const payload::RtpTrack& track : audience.tracks) {
      if (track.encoding != outlet.config.encoding) continue;
      auto found = audience.streams.find(track.id);
      if (found == audience.streams.end()) continue;
      if (stream.is_set() && track.id != outlet.track) continue;
      stream = found->second;
      chosen = track.id;
    }
    if (!stream.is_set() && has_kind(payload::is_video(outlet.config.encoding))) is_served = false;
    viewer.feeds[i] = {.track = chosen, .stream = stream};
  }
  share_out(now, audience, id, viewer);
  for (std::size_t i = 0; i < viewer.feeds.size(); ++i) feed_outlet(now, audience, id, viewer, i);
  return is_served;
}

void Rtc::want_keyframe(Timestamp now, WallTime wall, const webrtc::StreamKeyframeWanted& wanted,
                        RtcOutputs& out) {
  auto owner = stream_owners_.find(wanted.stream);
  if (owner == stream_owners_.end()) return;
  auto audience = audiences_.find(owner->second.channel);
  if (audience == audiences_.end()) return;
  std::string channel = owner->second.channel;
  send_to_owner(now, wall, channel,
                relay::KeyframeWanted{channel, config_.index, audience->second.generation,
                                      owner->second.track, wanted.layer},
                out);
}

void Rtc::leave_audience(Timestamp now, const std::string& channel, webrtc::SessionId viewer) {
  auto found = audiences_.find(channel);
  if (found == audiences_.end()) return;
  std::erase(found->second.viewers, viewer);
  file(now, found->first, found->second);
}

void Rtc::drop_audience(std::map<std::string, Audience, std::less<>>::iterator found) {
  if (found == audiences_.end()) return;
  for (auto& [track, stream] : found->second.streams) {
    stream_owners_.erase(stream);
    port_.fan_out().remove_stream(stream);
  }
  timers_.set({TimerKind::kAudience, found->first, 0}, Timestamp::never());
  audiences_.erase(found);
}

void Rtc::file(Timestamp now, const std::string& channel, Audience& audience) {
  bool is_empty = audience.viewers.empty() && audience.waiting.empty();
  if (!is_empty) {
    audience.leave_at = Timestamp::never();
  } else if (audience.leave_at == Timestamp::never()) {
    audience.leave_at = now + config_.unsubscribe_after;
  }
  if (audience.viewers.empty() || !is_metered()) {
    audience.share_at = Timestamp::never();
  } else if (audience.share_at == Timestamp::never()) {
    audience.share_at = now + kShareInterval;
  }
  timers_.set({TimerKind::kAudience, channel, 0},
              std::min({audience.leave_at, audience.waits_until, audience.share_at}));
}

Timestamp Rtc::next_deadline() const { return std::min(timers_.next(), port_.next_deadline()); }

void Rtc::handle_deadline(Timestamp now, WallTime wall, RtcOutputs& out) {
  while (auto due = timers_.take_due(now)) {
    switch (due->kind) {
      case TimerKind::kPublication:
        if (auto found = publications_.find(due->name); found != publications_.end()) {
          found->second->handle_deadline(now, wall, publication_outputs_);
          handle_publication_outputs(now, wall, due->name, *found->second, out);
        }
        break;
      case TimerKind::kPublisher:
        if (auto found = publishers_.find(due->id); found != publishers_.end()) {
          found->second.assembler->handle_deadline(now, assembled_);
          handle_assembled(now, webrtc::SessionId::from_value(due->id), out);
        }
        break;
      case TimerKind::kAudience: handle_audience_deadline(now, wall, due->name, out); break;
      case TimerKind::kUndecided:
        if (auto found = undecided_.find(due->id); found != undecided_.end()) {
          refuse_call(config_.index, found->second.request, api::RtcRefusal::kOverloaded,
                      "The key could not be checked in time.", out);
          undecided_.erase(found);
        }
        break;
    }
  }
  if (port_.next_deadline() <= now) port_.handle_deadline(now, wall, port_outputs_);
  handle_port_outputs(now, wall, out);
}

void Rtc::handle_audience_deadline(Timestamp now, WallTime wall, const std::string& channel,
                                   RtcOutputs& out) {
  auto found = audiences_.find(channel);
  if (found == audiences_.end()) return;
  Audience& audience = found->second;
  if (now >= audience.waits_until) answer_waiting(now, audience, out);
  if (now >= audience.share_at) {
    audience.share_at = Timestamp::never();
    measure_flows(now, audience);
    for (webrtc::SessionId id : audience.viewers)
      if (auto viewer = viewers_.find(id.value()); viewer != viewers_.end()) {
        share_out(now, audience, id, viewer->second);
        carry_out(now, audience, id, viewer->second);
      }
  }
  if (now >= audience.leave_at) {
    drop_audience(found);
    send_to_owner(now, wall, channel, relay::Unsubscribe{channel, config_.index}, out);
    return;
  }
  file(now, channel, audience);
}

void Rtc::close_all(Timestamp now, WallTime wall, RtcOutputs& out) {
  refuse_all();
  for (auto& [source, waiting] : std::exchange(undecided_, {}))
    refuse_call(config_.index, waiting.request, api::RtcRefusal::kOverloaded, "The server is stopping.", out);
  for (auto& [channel, audience] : audiences_) answer_waiting(now, audience, out);
  port_.close_all(now, port_outputs_);
  handle_port_outputs(now, wall, out);
}

}  // namespace stoa::shard

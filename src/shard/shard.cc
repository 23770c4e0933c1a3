#include "shard/shard.h"

#include <algorithm>
#include <utility>

#include "shard/shard_parts.h"

namespace stoa::shard {
namespace {

// The shard in a SourceId's upper bits: where its session sits.
constexpr int kSourceShardShift = 48;

ShardIndex shard_of(live::SourceId source) {
  return static_cast<ShardIndex>(source.value >> kSourceShardShift);
}

// 0 is the primary, 1 to 9 are backups; anything else is taken for the primary.
int parse_priority(std::string_view text) {
  return text.size() == 1 && text[0] >= '0' && text[0] <= '9' ? text[0] - '0' : 0;
}

RtcConfig rtc_config(const ShardConfig& config) {
  RtcConfig made = config.rtc;
  made.index = config.index;
  made.shards = config.shards;
  return made;
}

RoomsConfig rooms_config(const ShardConfig& config) {
  RoomsConfig made = config.rooms;
  made.index = config.index;
  made.shards = config.shards;
  return made;
}

session::StopReason stop_reason(live::SourceDropReason why) {
  switch (why) {
    case live::SourceDropReason::kTakenOver: return session::StopReason::kTakenOver;
    case live::SourceDropReason::kServerStops: return session::StopReason::kShutdown;
    case live::SourceDropReason::kTooManySources:
    case live::SourceDropReason::kBroadcastEnded: break;
  }
  return session::StopReason::kEnded;
}

}  // namespace

ShardIndex owner_of(std::string_view channel, ShardIndex shards) {
  std::uint64_t hash = 14'695'981'039'346'656'037ull;
  for (char c : channel) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1'099'511'628'211ull;
  return static_cast<ShardIndex>(hash % shards);
}

Shard::Shard(const ShardConfig& config, WallTime wall, Rng rng)
    : config_(config),
      rng_(rng),
      rtc_(rtc_config(config), wall, Rng(rng_.next())),
      rooms_(rooms_config(config), rtc_.port(), rtc_.port_outputs(), Rng(rng_.next())),
      workers_(config.workers),
      origin_(config.hls) {
  timers_.set({TimerKind::kReport}, Timestamp() + config.report_interval);
}
Shard::~Shard() = default;

void Shard::log(LogLevel level, const char* component, std::string text, Outputs& out) {
  out.push(LogLine{level, component, std::move(text)});
}

void Shard::handle_connection_opened(Timestamp now, ConnectionKey key, std::string peer, bool is_secure,
                                     Outputs& out) {
  auto encoder = std::make_unique<Encoder>(key, std::move(peer), is_secure,
                                           session::RtmpSession({}, Rng(rng_.next()), now));
  log(LogLevel::kDebug, "rtmp", encoder->peer + ": connected", out);
  timers_.set({TimerKind::kEncoder, key}, encoder->session.next_deadline());
  encoders_[key] = std::move(encoder);
}

void Shard::handle_bytes(Timestamp now, WallTime wall, ConnectionKey key, Bytes bytes, Outputs& out) {
  auto found = encoders_.find(key);
  if (found == encoders_.end() || found->second->is_closing) return;
  found->second->session.handle_bytes(now, bytes, found->second->outputs);
  handle_session_outputs(now, wall, *found->second, out);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_connection_closed(Timestamp now, WallTime wall, ConnectionKey key, Outputs& out) {
  auto found = encoders_.find(key);
  if (found == encoders_.end()) return;
  Encoder& encoder = *found->second;
  if (!encoder.channel.empty())
    log(LogLevel::kInfo, "rtmp", encoder.peer + ": disconnected from channel " + encoder.channel, out);
  end_source(now, wall, encoder, out);
  encoder.session.handle_disconnect(encoder.outputs);
  encoder.outputs.clear();  // Nobody is left to tell.
  ended_sessions_.add(encoder.session);
  timers_.set({TimerKind::kEncoder, key}, Timestamp::never());
  encoders_.erase(found);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_session_outputs(Timestamp now, WallTime wall, Encoder& encoder, Outputs& out) {
  for (auto& output : encoder.outputs.take()) {
    std::visit(
        Overloaded{
            [&](rtmp::SendBytes& send) {
              out.push(SendBytes{encoder.key, SharedBytes(std::move(send.bytes))});
            },
            [&](session::PublishRequested& request) { handle_publish_request(encoder, request, out); },
            [&](media::TrackEvent& event) {
              if (encoder.is_publishing)
                tell_owner(now, wall, encoder.owner, SourceMedia{*encoder.source, std::move(event)}, out);
            },
            [&](session::TrackRefused& refused) {
              log(LogLevel::kWarning, "rtmp",
                  encoder.peer + ": a track of channel " + encoder.channel +
                      " is not taken: " + (refused.codec ? refused.codec : "?") + ", " + refused.reason,
                  out);
            },
            [&](session::Ended&) { end_source(now, wall, encoder, out); },
            [&](session::Closed& closed) {
              log(closed.refusal ? LogLevel::kWarning : LogLevel::kDebug, "rtmp",
                  encoder.peer + ": closed: " + session::name_of(closed.reason) +
                      (closed.refusal ? std::string(" (") + rtmp::name_of(*closed.refusal) + ')' : ""),
                  out);
              end_source(now, wall, encoder, out);
              encoder.is_closing = true;
              out.push(CloseConnection{encoder.key});
            },
        },
        output);
  }
  timers_.set({TimerKind::kEncoder, encoder.key},
              encoder.is_closing ? Timestamp::never() : encoder.session.next_deadline());
}

void Shard::handle_publish_request(Encoder& encoder, const session::PublishRequested& request, Outputs& out) {
  live::SourceId source{static_cast<std::uint64_t>(config_.index) << kSourceShardShift | next_source_++};
  encoder.source = source;
  encoder.priority = parse_priority(request.find_parameter("priority").value_or("0"));
  connection_of_source_[source.value] = encoder.key;
  out.push(SendControlMail{PublishAsked{config_.index, source, request.app, request.stream_name}});
}

void Shard::handle_decision(Timestamp now, WallTime wall, const PublishDecided& decided, Outputs& out) {
  auto connection = connection_of_source_.find(decided.source.value);
  if (connection == connection_of_source_.end()) return;  // It went away meanwhile.
  Encoder& encoder = *encoders_.at(connection->second);
  if (!decided.decision) {
    std::string why = control::name_of(decided.decision.error());
    log(LogLevel::kWarning, "rtmp", encoder.peer + ": publish refused: " + why, out);
    connection_of_source_.erase(connection);
    encoder.source.reset();
    encoder.session.reject(why, encoder.outputs);
  } else {
    encoder.channel = decided.decision->channel;
    encoder.key_id = decided.decision->key_id;
    encoder.owner = owner_of(encoder.channel, config_.shards);
    encoder.is_publishing = true;
    log(LogLevel::kInfo, "rtmp",
        encoder.peer + ": publishes channel " + encoder.channel + ", priority " +
            std::to_string(encoder.priority),
        out);
    tell_owner(now, wall, encoder.owner,
               SourceStarted{.channel = encoder.channel,
                             .source = decided.source,
                             .offer = {.priority = encoder.priority, .description = encoder.peer},
                             .status = {.peer = encoder.peer,
                                        .protocol = encoder.is_secure ? "rtmps" : "rtmp",
                                        .priority = encoder.priority},
                             .ladder = decided.decision->ladder},
               out);
    encoder.session.accept(now, encoder.outputs);
  }
  handle_session_outputs(now, wall, encoder, out);
}

void Shard::end_source(Timestamp now, WallTime wall, Encoder& encoder, Outputs& out) {
  if (!encoder.source) return;
  live::SourceId source = *encoder.source;
  connection_of_source_.erase(source.value);
  encoder.source.reset();
  if (std::exchange(encoder.is_publishing, false))
    tell_owner(now, wall, encoder.owner, SourceEnded{source}, out);
}

void Shard::stop_encoder(Timestamp now, WallTime wall, Encoder& encoder, session::StopReason why,
                         Outputs& out) {
  encoder.session.stop(why, encoder.outputs);
  handle_session_outputs(now, wall, encoder, out);
}

template <typename Predicate>
void Shard::stop_encoders_if(Predicate&& predicate, Timestamp now, WallTime wall, Outputs& out) {
  std::vector<ConnectionKey> hit;
  for (auto& [key, encoder] : encoders_)
    if (encoder->is_publishing && predicate(*encoder)) hit.push_back(key);
  for (ConnectionKey key : hit) stop_encoder(now, wall, *encoders_.at(key), session::StopReason::kEnded, out);
}

void Shard::tell_owner(Timestamp now, WallTime wall, ShardIndex owner, Mail mail, Outputs& out) {
  if (owner == config_.index) {
    dispatch(now, wall, std::move(mail), out);
  } else {
    out.push(SendMail{owner, std::move(mail)});
  }
}

void Shard::handle_mail(Timestamp now, WallTime wall, Mail mail, Outputs& out) {
  dispatch(now, wall, std::move(mail), out);
  handle_rtc_outputs(now, wall, out);
}

void Shard::dispatch(Timestamp now, WallTime wall, Mail mail, Outputs& out) {
  if (rooms_.handle_mail(now, wall, mail, rooms_outputs_)) return;
  std::visit(
      Overloaded{
          [&](SourceStarted& started) { handle_source_started(now, wall, std::move(started), out); },
          [&](SourceMedia& media) {
            auto found = sources_.find(media.source.value);
            if (found == sources_.end()) return;
            OwnedChannel& owned = *found->second.channel;
            rtc_.handle_source_event(now, wall, owned.channel.name(), media.source, media.event,
                                     rtc_outputs_);
            owned.channel.handle_event(now, wall, media.source, media.event, owned.outputs);
            handle_channel_outputs(now, wall, owned, out);
          },
          [&](SourceTrackLeftOut& left) {
            auto found = sources_.find(left.source.value);
            if (found == sources_.end()) return;
            OwnedChannel& owned = *found->second.channel;
            if (left.is_there) {
              owned.channel.handle_track_left_out(now, left.source);
            } else {
              owned.channel.handle_left_out_gone(now, wall, left.source, owned.outputs);
            }
            handle_channel_outputs(now, wall, owned, out);
          },
          [&](SourceEnded& ended) {
            auto found = sources_.find(ended.source.value);
            if (found == sources_.end()) return;
            OwnedChannel& owned = *found->second.channel;
            sources_.erase(found);
            rtc_.handle_source_gone(now, wall, owned.channel.name(), ended.source, rtc_outputs_);
            owned.channel.handle_source_ended(now, wall, ended.source, owned.outputs);
            handle_channel_outputs(now, wall, owned, out);
          },
          [&](SourceDropped& dropped) {
            if (rtc_.handle_source_dropped(now, wall, dropped, rtc_outputs_)) return;
            auto connection = connection_of_source_.find(dropped.source.value);
            if (connection == connection_of_source_.end()) return;
            Encoder& encoder = *encoders_.at(connection->second);
            encoder.is_publishing = false;  // The owner has let go of it already.
            log(LogLevel::kInfo, "rtmp",
                encoder.peer + ": dropped from channel " + encoder.channel + ": " +
                    live::name_of(dropped.reason),
                out);
            stop_encoder(now, wall, encoder, stop_reason(dropped.reason), out);
          },
          [&](SnapshotChanged& changed) { handle_snapshot(now, std::move(changed.snapshot), out); },
          [&](BroadcastStopped& stopped) { handle_stopped(now, wall, stopped, out); },
          [&](KeyRevoked& revoked) {
            rtc_.stop_publishers(now, wall, revoked.channel, revoked.key_id, {}, rtc_outputs_);
            // A call that was granted here may be on its way to the owner: this comes behind it.
            if (ShardIndex owner = owner_of(revoked.channel, config_.shards); owner != config_.index)
              out.push(SendMail{owner, revoked});
            stop_encoders_if(
                [&](const Encoder& encoder) {
                  return encoder.channel == revoked.channel && encoder.key_id == revoked.key_id;
                },
                now, wall, out);
          },
          [&](PublishDecided& decided) {
            if (!rtc_.handle_decision(now, decided, rtc_outputs_)) handle_decision(now, wall, decided, out);
          },
          [&](RtcAsked& asked) { handle_asked(now, wall, asked); },
          [&](RtcReplied& replied) { rtc_.handle_replied(replied, rtc_outputs_); },
          [&](relay::ToOwner& message) { rtc_.handle_relay(now, wall, std::move(message), rtc_outputs_); },
          [&](relay::ToSubscriber& message) {
            rtc_.handle_relay(now, wall, std::move(message), rtc_outputs_);
          },
          [&](control::LadderDecided& decided) { handle_ladder(now, wall, decided, out); },
          [&](control::WorkerAwaited& awaited) { handle_awaited(now, awaited); },
          [&](MetricsWanted& wanted) { out.push(SendControlMail{MetricsGiven{wanted.question, metrics()}}); },
          [](auto&) {},  // Of rooms.
      },
      mail);
}

void Shard::handle_stopped(Timestamp now, WallTime wall, const BroadcastStopped& stopped, Outputs& out) {
  if (stopped.via) return rtc_.stop_publishers(now, wall, stopped.channel, "", stopped.via, rtc_outputs_);
  // First: publishers whom the channel merely drops may begin anew.
  rtc_.stop_publishers(now, wall, stopped.channel, "", {}, rtc_outputs_);
  if (auto found = channels_.find(stopped.channel); found != channels_.end()) {
    OwnedChannel& owned = *found->second;
    owned.channel.end(now, live::SourceDropReason::kBroadcastEnded, owned.outputs);
    handle_channel_outputs(now, wall, owned, out);
  }
  // A call that was granted here may be on its way to the owner: this comes behind it.
  if (ShardIndex owner = owner_of(stopped.channel, config_.shards); owner != config_.index)
    out.push(SendMail{owner, BroadcastStopped{stopped.channel, config_.index}});
  // Also those of whom the owner, on another shard, has not heard yet.
  stop_encoders_if([&](const Encoder& encoder) { return encoder.channel == stopped.channel; }, now, wall,
                   out);
}

void Shard::handle_asked(Timestamp now, WallTime wall, RtcAsked& asked) {
  if (const auto* offered = std::get_if<api::RtcOffered>(&asked.call)) {
    auto found = channels_.find(offered->channel);
    if (found == channels_.end() && channels_.size() >= config_.channels_max)
      return rtc_.refuse_asked(asked, api::RtcRefusal::kOverloaded, "This server has too many channels live.",
                               rtc_outputs_);
    if (found != channels_.end() && !found->second->channel.has_room(Rtc::kPriority))
      return rtc_.refuse_asked(asked, api::RtcRefusal::kConflict,
                               "As many encoders as a channel takes publish to it, none of this priority.",
                               rtc_outputs_);
  }
  rtc_.handle_asked(now, wall, asked, rtc_outputs_);
}

void Shard::handle_source_started(Timestamp now, WallTime wall, SourceStarted started, Outputs& out) {
  auto found = channels_.find(started.channel);
  if (found == channels_.end()) {
    if (channels_.size() >= config_.channels_max) {
      tell_owner(now, wall, shard_of(started.source),
                 SourceDropped{started.source, live::SourceDropReason::kTooManySources}, out);
      return;
    }
    live::ChannelConfig config = config_.channel;
    if (started.ladder != "off") config.ladder_wait = config_.ladder_wait;
    auto owned = std::make_unique<OwnedChannel>(next_channel_++, started.channel, config, Rng(rng_.next()));
    owned->began_at = wall;
    owned->ladder = started.ladder;
    if (owned->ladder != "off")
      rtc_.expect_program(now, wall, started.channel, now + config_.ladder_wait, rtc_outputs_);
    channel_of_number_[owned->number] = owned.get();
    ++broadcasts_started_;
    found = channels_.emplace(started.channel, std::move(owned)).first;
  }
  OwnedChannel& owned = *found->second;
  sources_[started.source.value] = OwnedSource{&owned, std::move(started.status)};
  owned.channel.handle_source_started(now, wall, started.source, started.offer, owned.outputs);
  handle_channel_outputs(now, wall, owned, out);
}

void Shard::handle_channel_outputs(Timestamp now, WallTime wall, OwnedChannel& owned, Outputs& out) {
  bool has_ended = false;
  for (auto& output : owned.outputs.take()) {
    std::visit(Overloaded{
                   [&](live::SnapshotReady& ready) {
                     for (ShardIndex to = 0; to < config_.shards; ++to)
                       if (to != config_.index) out.push(SendMail{to, SnapshotChanged{ready.snapshot}});
                     handle_snapshot(now, std::move(ready.snapshot), out);
                   },
                   [&](live::SourceDropped& dropped) {
                     sources_.erase(dropped.source.value);
                     rtc_.handle_source_gone(now, wall, owned.channel.name(), dropped.source, rtc_outputs_);
                     tell_owner(now, wall, shard_of(dropped.source),
                                SourceDropped{dropped.source, dropped.reason}, out);
                   },
                   [&](live::ChannelEvent& event) {
                     bool is_trouble = event.kind == live::ChannelEventKind::kKeyframeIntervalTooLong ||
                                       event.kind == live::ChannelEventKind::kRenditionMisaligned ||
                                       event.kind == live::ChannelEventKind::kTrackRefused;
                     log(is_trouble ? LogLevel::kWarning : LogLevel::kInfo, "live",
                         "channel " + owned.channel.name() + ": " + live::name_of(event.kind) +
                             (event.text.empty() ? "" : ": " + event.text),
                         out);
                     out.push(SendControlMail{control::ChannelHappening{
                         owned.channel.name(), live::name_of(event.kind), std::move(event.text)}});
                   },
                   [&](live::BroadcastEnded&) { has_ended = true; },
               },
               output);
  }
  if (!has_ended) {
    follow_air(now, wall, owned);
    follow_program(now, wall, owned, out);
    timers_.set({TimerKind::kChannel, owned.number}, owned.channel.next_deadline());
    return;
  }
  rtc_.end_broadcast(now, wall, owned.channel.name(), rtc_outputs_);
  end_program(owned, out);
  control::ChannelStatus status{.channel = owned.channel.name(), .state = control::LiveState::kEnded};
  out.push(SendControlMail{ChannelReported{std::move(status)}});
  keep_counters(owned.channel);
  std::erase_if(sources_, [&](const auto& entry) { return entry.second.channel == &owned; });
  timers_.set({TimerKind::kChannel, owned.number}, Timestamp::never());
  channel_of_number_.erase(owned.number);
  channels_.erase(std::string(owned.channel.name()));
}

void Shard::follow_air(Timestamp now, WallTime wall, OwnedChannel& owned) {
  std::optional<live::SourceId> on_air = owned.channel.source_on_air();
  if (on_air == owned.on_air) return;
  owned.on_air = on_air;
  rtc_.set_on_air(now, wall, owned.channel.name(), on_air, rtc_outputs_);
}

// What one output leads to may put out more; all of it is done before this returns.
void Shard::handle_rtc_outputs(Timestamp now, WallTime wall, Outputs& out) {
  rooms_.flush(now, rooms_outputs_);
  rtc_.handle_port_outputs(now, wall, rtc_outputs_);
  while (!rtc_outputs_.empty() || !rooms_outputs_.empty() || !workers_outputs_.empty()) {
    handle_rooms_outputs(now, wall, out);
    handle_workers_outputs(now, wall, out);
    for (RtcOutput& output : rtc_outputs_.take()) {
      std::visit(Overloaded{
                     [&](SendMail& send) {
                       if (send.to == config_.index) {
                         dispatch(now, wall, std::move(send.mail), out);
                       } else {
                         out.push(std::move(send));
                       }
                     },
                     [&](webrtc::PortOutput& event) { rooms_.handle_port_event(now, event, rooms_outputs_); },
                     [&](auto& other) { out.push(std::move(other)); },
                 },
                 output);
    }
    rooms_.flush(now, rooms_outputs_);
    rtc_.handle_port_outputs(now, wall, rtc_outputs_);
  }
}

void Shard::handle_rooms_outputs(Timestamp now, WallTime wall, Outputs& out) {
  while (!rooms_outputs_.empty()) {
    for (RoomsOutput& output : rooms_outputs_.take()) {
      std::visit(Overloaded{
                     [&](SendMail& send) {
                       if (send.to == config_.index) {
                         dispatch(now, wall, std::move(send.mail), out);
                       } else {
                         out.push(std::move(send));
                       }
                     },
                     [&](auto& other) { out.push(std::move(other)); },
                 },
                 output);
    }
    rooms_.flush(now, rooms_outputs_);
  }
}

void Shard::handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                             Outputs& out) {
  rtc_.handle_datagrams(now, wall, datagrams, rtc_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_path_closed(Timestamp now, WallTime wall, LocalPath local, const SocketAddress& remote,
                               Outputs& out) {
  rtc_.handle_path_closed(now, wall, local, remote, rtc_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_snapshot(Timestamp now, std::shared_ptr<const live::ChannelSnapshot> snapshot,
                            Outputs& out) {
  origin_.handle_snapshot(now, std::move(snapshot), answers_);
  flush_answers(out);
}

void Shard::flush_answers(Outputs& out) {
  for (auto& answer : answers_) out.push(std::move(answer));
  answers_.clear();
  timers_.set({TimerKind::kOrigin}, origin_.next_deadline());
}

void Shard::handle_request(Timestamp now, WallTime wall, api::RequestKey key, const http::Request& request,
                           Outputs& out) {
  if (livekit::is_join_path(request.path)) {
    if (rtc_.is_open()) {
      rooms_.handle_request(now, key, request, rooms_outputs_);
    } else {
      out.push(api::Answer{key, http::make_text_response(503, "this server has no WebRTC, or is stopping")});
    }
    return handle_rtc_outputs(now, wall, out);
  }
  if (!request.path.starts_with("/live/")) {
    rtc_.handle_request(now, wall, key, request, rtc_outputs_);
    return handle_rtc_outputs(now, wall, out);
  }
  origin_.handle_request(now, key, request, answers_);
  flush_answers(out);
}

void Shard::handle_socket_message(Timestamp now, WallTime wall, api::RequestKey key, Bytes message,
                                  bool is_text, Outputs& out) {
  rooms_.handle_signal_message(key, message, is_text, rooms_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_socket_closed(Timestamp now, WallTime wall, api::RequestKey key, Outputs& out) {
  rooms_.handle_signal_closed(key, rooms_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_deadline(Timestamp now, WallTime wall, Outputs& out) {
  while (auto key = timers_.take_due(now)) {
    switch (key->kind) {
      case TimerKind::kEncoder:
        if (auto found = encoders_.find(key->id); found != encoders_.end()) {
          found->second->session.handle_deadline(now, found->second->outputs);
          handle_session_outputs(now, wall, *found->second, out);
        }
        break;
      case TimerKind::kChannel:
        if (auto found = channel_of_number_.find(key->id); found != channel_of_number_.end()) {
          OwnedChannel& owned = *found->second;
          owned.channel.handle_deadline(now, wall, owned.outputs);
          handle_channel_outputs(now, wall, owned, out);
        }
        break;
      case TimerKind::kOrigin:
        origin_.handle_deadline(now, answers_);
        flush_answers(out);
        break;
      case TimerKind::kReport:
        report(now, out);
        timers_.set(*key, now + config_.report_interval);
        break;
    }
  }
  if (rtc_.next_deadline() <= now) rtc_.handle_deadline(now, wall, rtc_outputs_);
  if (rooms_.next_deadline() <= now) rooms_.handle_deadline(now, wall, rooms_outputs_);
  if (workers_.next_deadline() <= now) workers_.handle_deadline(now, workers_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::end_channels(Timestamp now, WallTime wall, Outputs& out) {
  rtc_.refuse_all();
  rooms_.close_all(now, wall, rooms_outputs_);
  for (auto& [key, encoder] : encoders_)
    if (!encoder->is_closing) stop_encoder(now, wall, *encoder, session::StopReason::kShutdown, out);
  std::vector<OwnedChannel*> all;
  for (auto& [name, owned] : channels_) all.push_back(owned.get());
  for (OwnedChannel* owned : all) {
    owned->channel.end(now, live::SourceDropReason::kServerStops, owned->outputs);
    handle_channel_outputs(now, wall, *owned, out);
  }
  handle_rtc_outputs(now, wall, out);
}

void Shard::drain(Timestamp now, WallTime wall, Outputs& out) {
  rtc_.close_all(now, wall, rtc_outputs_);
  handle_rtc_outputs(now, wall, out);
  origin_.drain(answers_);
  flush_answers(out);
}

}  // namespace stoa::shard

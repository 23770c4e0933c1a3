// WHIP and WHEP: from calls to sessions, and what is said of those that were let go.
#include <algorithm>
#include <charconv>
#include <utility>

#include "crypto/random.h"
#include "shard/rtc.h"

namespace stoa::shard {
namespace {

constexpr std::size_t kTokenLetters = 22;  // 131 bits: who knows a session's address may end it.

std::string bearer_or_channel(const api::RtcOffered& call) {
  // Where a channel's name is its own key, encoders need not be told one.
  return call.bearer.empty() ? call.channel : call.bearer;
}

struct Refused {
  api::RtcRefusal refusal;
  std::string why;
};

Refused explain(control::PublishRefusal refusal) {
  switch (refusal) {
    case control::PublishRefusal::kChannelDisabled:
      return {api::RtcRefusal::kForbidden, "The channel is disabled."};
    case control::PublishRefusal::kStoreUnavailable:
      return {api::RtcRefusal::kOverloaded, "The key cannot be checked now. Try again."};
    case control::PublishRefusal::kRevokedKey:
      return {api::RtcRefusal::kUnauthorized, "The stream key was revoked."};
    default: return {api::RtcRefusal::kUnauthorized, "A stream key of the channel is needed."};
  }
}

// What a publisher is told later that the channel dropped; nothing where it may begin anew.
std::optional<api::RtcRefusal> refusal_of(live::SourceDropReason reason) {
  switch (reason) {
    case live::SourceDropReason::kTakenOver: return api::RtcRefusal::kTakenOver;
    case live::SourceDropReason::kTooManySources: return api::RtcRefusal::kTooManySources;
    case live::SourceDropReason::kBroadcastEnded:  // It was away for too long.
    case live::SourceDropReason::kServerStops: break;
  }
  return std::nullopt;
}

IpAddress address_of(const std::string& peer) { return IpAddress::parse(peer).value_or(IpAddress()); }

}  // namespace

void Rtc::reply(ShardIndex to, api::RequestKey request, http::Response response, RtcOutputs& out) {
  if (to == config_.index) {
    out.push(api::Answer{request, std::move(response)});
  } else {
    out.push(SendMail{to, RtcReplied{request, std::move(response)}});
  }
}

void Rtc::refuse_call(ShardIndex to, api::RequestKey request, api::RtcRefusal refusal, std::string_view why,
                      RtcOutputs& out) {
  ++calls_refused_;
  reply(to, request, api::make_refusal_response(refusal, why), out);
}

void Rtc::handle_replied(RtcReplied& replied, RtcOutputs& out) {
  --forwarded_;
  out.push(api::Answer{replied.request, std::move(replied.response)});
}

std::string Rtc::make_token() {
  return std::to_string(config_.index) + '-' + crypto::make_base62(kTokenLetters);
}

ShardIndex Rtc::shard_of_token(std::string_view token) const {
  ShardIndex shard = config_.shards;
  auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), shard);
  if (error != std::errc() || shard >= config_.shards) return config_.shards;
  const std::string prefix = std::to_string(shard) + '-';
  const bool is_ours = token.starts_with(prefix) && token.size() == prefix.size() + kTokenLetters &&
                       crypto::is_base62(token.substr(prefix.size()));
  return is_ours ? shard : config_.shards;
}

webrtc::SessionId Rtc::find_session(std::string_view token, api::RtcRole role,
                                    std::string_view channel) const {
  auto found = by_token_.find(std::string(token));
  if (found == by_token_.end()) return {};
  if (role == api::RtcRole::kPublisher) {
    auto publisher = publishers_.find(found->second.value());
    if (publisher == publishers_.end() || publisher->second.channel != channel) return {};
  } else {
    auto viewer = viewers_.find(found->second.value());
    if (viewer == viewers_.end() || viewer->second.channel != channel) return {};
  }
  return found->second;
}

void Rtc::handle_request(Timestamp now, WallTime wall, api::RequestKey key, const http::Request& request,
                         RtcOutputs& out) {
  auto call = api::parse_rtc_request(request);
  if (!call) {
    out.push(api::Answer{key, std::move(call.error())});
    return;
  }
  if (state_ == State::kOff) return refuse_call(config_.index, key, api::RtcRefusal::kNotOffered, "", out);
  if (state_ == State::kStopping)
    return refuse_call(config_.index, key, api::RtcRefusal::kOverloaded, "The server is stopping.", out);
  std::string peer = request.peer_address;
  if (auto* offered = std::get_if<api::RtcOffered>(&*call)) {
    ++calls_[offered->role == api::RtcRole::kPublisher ? 0 : 1];
    bool is_viewer = offered->role == api::RtcRole::kViewer;
    if (!has_room_for_call() || (!is_viewer && questions_ >= config_.questions_max))
      return refuse_call(config_.index, key, api::RtcRefusal::kOverloaded, "Too many calls at once.", out);
    if (is_viewer)
      return ask_for_viewer(now, wall, config_.index, key, std::move(*offered), std::move(peer), out);
    live::SourceId question = next_source_id();
    std::string stream_key = bearer_or_channel(*offered);
    Timestamp until = now + config_.call_timeout;
    undecided_[question.value] = {key, std::move(*offered), std::move(peer), until};
    ++questions_;
    timers_.set({TimerKind::kUndecided, "", question.value}, until);
    out.push(SendControlMail{PublishAsked{config_.index, question, "live", std::move(stream_key)}});
    return;
  }
  const std::string& token = std::holds_alternative<api::RtcPatched>(*call)
                                 ? std::get<api::RtcPatched>(*call).session
                                 : std::get<api::RtcDeleted>(*call).session;
  ShardIndex to = shard_of_token(token);
  RtcAsked asked{config_.index, key, std::move(*call), std::move(peer), std::nullopt};
  if (to == config_.shards) {
    refuse_call(config_.index, key, api::RtcRefusal::kNoSession, "There is no such session.", out);
  } else if (to == config_.index) {
    handle_asked(now, wall, asked, out);
  } else if (!has_room_for_call()) {
    refuse_call(config_.index, key, api::RtcRefusal::kOverloaded, "Too many calls at once.", out);
  } else {
    ++forwarded_;
    out.push(SendMail{to, std::move(asked)});
  }
}

bool Rtc::handle_decision(Timestamp now, const PublishDecided& decided, RtcOutputs& out) {
  if (!is_own_source(decided.source)) return false;
  --questions_;
  auto found = undecided_.find(decided.source.value);
  if (found == undecided_.end()) return true;  // It waited for too long.
  Undecided waiting = std::move(found->second);
  undecided_.erase(found);
  timers_.set({TimerKind::kUndecided, "", decided.source.value}, Timestamp::never());
  // The owner may have left its loop: nobody there would answer.
  if (state_ != State::kOpen) {
    refuse_call(config_.index, waiting.request, api::RtcRefusal::kOverloaded, "The server is stopping.", out);
    return true;
  }
  if (!decided.decision) {
    Refused refused = explain(decided.decision.error());
    log_refused_key(now, waiting, decided.decision.error(), out);
    refuse_call(config_.index, waiting.request, refused.refusal, refused.why, out);
    return true;
  }
  if (decided.decision->channel != waiting.call.channel) {
    refuse_call(config_.index, waiting.request, api::RtcRefusal::kForbidden,
                "The stream key is of another channel.", out);
    return true;
  }
  ShardIndex owner = owner_of(waiting.call.channel, config_.shards);
  if (owner != config_.index) ++forwarded_;
  out.push(SendMail{owner, RtcAsked{config_.index, waiting.request, std::move(waiting.call),
                                    std::move(waiting.peer), *decided.decision}});
  return true;
}

void Rtc::log_refused_key(Timestamp now, const Undecided& call, control::PublishRefusal why,
                          RtcOutputs& out) {
  if (now >= refusal_lines_until_) {
    refusal_lines_until_ = now + kRefusalLinesInterval;
    refusal_lines_ = 0;
  }
  if (refusal_lines_ >= kRefusalLinesMax) {
    ++refusals_untold_;
    return;
  }
  ++refusal_lines_;
  std::string text =
      call.peer + ": publishing to " + call.call.channel + " refused: " + control::name_of(why);
  if (std::uint64_t untold = std::exchange(refusals_untold_, 0))
    text += ", as were " + std::to_string(untold) + " more calls before";
  log(LogLevel::kWarning, std::move(text), out);
}

void Rtc::handle_asked(Timestamp now, WallTime wall, RtcAsked& asked, RtcOutputs& out) {
  // Also for sessions: that of a publisher is gone already, and is to be begun anew elsewhere or later.
  if (state_ != State::kOpen)
    return refuse_call(asked.from, asked.request, api::RtcRefusal::kOverloaded, "The server is stopping.",
                       out);
  std::visit(Overloaded{
                 [&](api::RtcOffered& call) { open_publisher(now, wall, asked, call, out); },
                 [&](api::RtcPatched& call) { handle_patch(now, wall, asked, call, out); },
                 [&](api::RtcDeleted& call) { handle_delete(now, wall, asked, call, out); },
             },
             asked.call);
}

void Rtc::refuse_offer(ShardIndex to, api::RequestKey request, const webrtc::OpenFault& fault,
                       RtcOutputs& out) {
  if (fault.refusal == webrtc::OpenRefusal::kTooManyOfAddress)
    return refuse_call(to, request, api::RtcRefusal::kTooManySessions,
                       "Too many sessions of this address wait for a connection.", out);
  if (fault.refusal == webrtc::OpenRefusal::kTooManyViewersOfAddress)
    return refuse_call(to, request, api::RtcRefusal::kTooManySessions,
                       "Too many sessions of this address watch already.", out);
  if (fault.refusal != webrtc::OpenRefusal::kBadOffer)
    return refuse_call(to, request, api::RtcRefusal::kOverloaded,
                       "This server has no room for more sessions.", out);
  auto status = [&] {
    switch (fault.negotiation.refusal) {
      case webrtc::NegotiationRefusal::kBadDescription:
      case webrtc::NegotiationRefusal::kNoFingerprint: return api::RtcRefusal::kBadOffer;
      case webrtc::NegotiationRefusal::kNoCommonCodec: return api::RtcRefusal::kNotAcceptable;
      default: return api::RtcRefusal::kUnprocessable;
    }
  }();
  refuse_call(to, request, status, fault.negotiation.text, out);
}

void Rtc::open_publisher(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcOffered& call,
                         RtcOutputs& out) {
  if (!asked.grant) return refuse_call(asked.from, asked.request, api::RtcRefusal::kUnauthorized, "", out);
  port_.set_identity(identity_.current(wall));
  auto opened = port_.open_publisher(now, call.offer, address_of(asked.peer));
  if (!opened) return refuse_offer(asked.from, asked.request, opened.error(), out);
  Publisher& publisher = publishers_[opened->session.value()];
  publisher.token = make_token();
  publisher.channel = call.channel;
  publisher.key_id = asked.grant->key_id;
  publisher.ladder = asked.grant->ladder;
  publisher.source = next_source_id();
  publisher.assembler = std::make_unique<live::PacketAssembler>(config_.assembler);
  publisher.via = asked.from;
  publisher.peer = asked.peer;
  by_token_[publisher.token] = opened->session;
  by_source_[publisher.source.value] = opened->session.value();
  log(LogLevel::kInfo, asked.peer + ": offers to publish channel " + call.channel, out);
  api::RtcAnswered answered{std::move(opened->answer), publisher.token, std::move(opened->etag)};
  reply(asked.from, asked.request, api::make_created_response(call, answered, config_.ice_servers), out);
}

void Rtc::ask_for_viewer(Timestamp now, WallTime wall, ShardIndex from, api::RequestKey request,
                         api::RtcOffered&& call, std::string peer, RtcOutputs& out) {
  auto found = audiences_.find(call.channel);
  if (found == audiences_.end()) {
    if (audiences_.size() >= config_.publications_max)
      return refuse_call(from, request, api::RtcRefusal::kOverloaded, "Too many channels are watched here.",
                         out);
    found = audiences_.try_emplace(call.channel).first;
    send_to_owner(now, wall, call.channel, relay::Subscribe{call.channel, config_.index}, out);
    // The owner may be this shard, and may have answered.
    found = audiences_.find(call.channel);
    if (found == audiences_.end())
      return refuse_call(from, request, api::RtcRefusal::kNoChannel, "Nobody is live on this channel now.",
                         out);
  }
  Audience& audience = found->second;
  audience.waiting.push_back({from, request, std::move(call), std::move(peer)});
  ++waiting_calls_;
  if (audience.is_known) {
    port_.set_identity(identity_.current(wall));
    answer_waiting(now, audience, out);
  } else if (audience.waits_until == Timestamp::never()) {
    audience.waits_until = now + config_.call_timeout;
  }
  file(now, found->first, audience);
}

// Everybody who waits is answered: with a session when there are tracks, with 406 when WebRTC carries none of
// them, with 404 when there are none, with 503 when nobody knows.
void Rtc::answer_waiting(Timestamp now, Audience& audience, RtcOutputs& out) {
  audience.waits_until = Timestamp::never();
  for (WaitingOffer& offer : std::exchange(audience.waiting, {})) {
    --waiting_calls_;
    bool is_open = state_ == State::kOpen;
    if (!is_open || !audience.is_known) {
      refuse_call(offer.from, offer.request, api::RtcRefusal::kOverloaded,
                  is_open ? "The channel could not be asked for in time." : "The server is stopping.", out);
    } else if (audience.tracks.empty() && !audience.obstacles.empty()) {
      refuse_call(offer.from, offer.request, api::RtcRefusal::kNotAcceptable,
                  "What is broadcast has no codec that WebRTC can carry.", out);
    } else if (audience.tracks.empty()) {
      refuse_call(offer.from, offer.request, api::RtcRefusal::kNoChannel,
                  "Nobody is live on this channel now.", out);
    } else {
      open_viewer(now, audience, offer, out);
    }
  }
}

void Rtc::open_viewer(Timestamp now, Audience& audience, const WaitingOffer& offer, RtcOutputs& out) {
  auto opened = port_.open_viewer(now, offer.call.offer, audience.tracks, address_of(offer.peer));
  if (!opened) return refuse_offer(offer.from, offer.request, opened.error(), out);
  ViewerBudget budget = make_budget(opened->outlets);
  Viewer viewer{.token = make_token(),
                .channel = offer.call.channel,
                .outlets = std::move(opened->outlets),
                .peer = address_of(offer.peer),
                .budget = std::move(budget)};
  viewer.unseated = std::move(opened->unseated);
  for (const payload::RtpTrack& track : audience.tracks) viewer.refused.push_back(track.encoding);
  by_token_[viewer.token] = opened->session;
  audience.viewers.push_back(opened->session);
  audience.leave_at = Timestamp::never();
  api::RtcAnswered answered{std::move(opened->answer), viewer.token, std::move(opened->etag)};
  Viewer& placed = viewers_.emplace(opened->session.value(), std::move(viewer)).first->second;
  feed_viewer(now, audience, opened->session, placed);
  reply(offer.from, offer.request, api::make_created_response(offer.call, answered, config_.ice_servers),
        out);
}

void Rtc::remember_dropped(Timestamp now, const Publisher& publisher, api::RtcRefusal why) {
  while (!dropped_.empty() && (dropped_.front().until <= now || dropped_.size() >= kDroppedMax))
    dropped_.pop_front();
  dropped_.push_back({publisher.token, publisher.channel, why, now + kDroppedKept});
}

// A session that never was, or has ended, or was let go: who published then must not take its place again.
void Rtc::refuse_unknown(Timestamp now, const RtcAsked& asked, api::RtcRole role, std::string_view channel,
                         std::string_view token, RtcOutputs& out) {
  auto found = std::ranges::find_if(dropped_, [&](const Dropped& dropped) {
    return role == api::RtcRole::kPublisher && dropped.token == token && dropped.channel == channel &&
           now < dropped.until;
  });
  refuse_call(asked.from, asked.request, found == dropped_.end() ? api::RtcRefusal::kNoSession : found->why,
              "", out);
}

void Rtc::handle_patch(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcPatched& call,
                       RtcOutputs& out) {
  webrtc::SessionId session = find_session(call.session, call.role, call.channel);
  if (session.is_set() && call.if_match && !api::matches_if_match(*call.if_match, port_.etag(session)))
    return refuse_call(asked.from, asked.request, api::RtcRefusal::kPreconditionFailed,
                       "If-Match names another ICE session than the current one.", out);
  auto patched = port_.patch(now, session, call.fragment, call.if_match.has_value(), port_outputs_);
  handle_port_outputs(now, wall, out);
  if (patched) {
    reply(asked.from, asked.request,
          patched->fragment.empty() ? api::make_patched_response()
                                    : api::make_restarted_response(patched->fragment, patched->etag),
          out);
    return;
  }
  switch (patched.error()) {
    case webrtc::PatchRefusal::kNoSession:
      return refuse_unknown(now, asked, call.role, call.channel, call.session, out);
    case webrtc::PatchRefusal::kBadFragment:
      return refuse_call(asked.from, asked.request, api::RtcRefusal::kBadFragment,
                         "The body is no fragment of trickled candidates (RFC 8840).", out);
    case webrtc::PatchRefusal::kRestartNotMeant:
      return refuse_call(asked.from, asked.request, api::RtcRefusal::kPreconditionRequired,
                         "An ICE restart needs If-Match.", out);
  }
}

void Rtc::handle_delete(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcDeleted& call,
                        RtcOutputs& out) {
  webrtc::SessionId session = find_session(call.session, call.role, call.channel);
  if (!session.is_set()) return refuse_unknown(now, asked, call.role, call.channel, call.session, out);
  port_.close(now, session, port_outputs_);
  handle_port_outputs(now, wall, out);
  reply(asked.from, asked.request, api::make_deleted_response(), out);
}

bool Rtc::handle_source_dropped(Timestamp now, WallTime wall, const SourceDropped& dropped, RtcOutputs& out) {
  if (!is_own_source(dropped.source)) return false;
  auto session = by_source_.find(dropped.source.value);
  if (session == by_source_.end()) return true;
  auto publisher = publishers_.find(session->second);
  if (publisher == publishers_.end()) return true;
  publisher->second.is_dropped = true;
  if (auto why = refusal_of(dropped.reason)) remember_dropped(now, publisher->second, *why);
  // A channel that was never taken on has a publication all the same; it would stay for good.
  if (dropped.reason == live::SourceDropReason::kTooManySources)
    handle_source_gone(now, wall, publisher->second.channel, dropped.source, out);
  log(LogLevel::kInfo,
      publisher->second.peer + ": dropped from channel " + publisher->second.channel + ": " +
          live::name_of(dropped.reason),
      out);
  port_.close(now, webrtc::SessionId::from_value(session->second), port_outputs_);
  handle_port_outputs(now, wall, out);
  return true;
}

void Rtc::stop_publishers(Timestamp now, WallTime wall, std::string_view channel, std::string_view key_id,
                          std::optional<ShardIndex> via, RtcOutputs& out) {
  std::vector<webrtc::SessionId> hit;
  for (const auto& [id, publisher] : publishers_) {
    if (publisher.channel != channel || (!key_id.empty() && publisher.key_id != key_id) ||
        (via && publisher.via != *via))
      continue;
    remember_dropped(now, publisher,
                     key_id.empty() ? api::RtcRefusal::kBroadcastStopped : api::RtcRefusal::kKeyRevoked);
    hit.push_back(webrtc::SessionId::from_value(id));
  }
  for (webrtc::SessionId session : hit) port_.close(now, session, port_outputs_);
  handle_port_outputs(now, wall, out);
}

}  // namespace stoa::shard

#include "session/rtmp/session.h"

namespace stoa::session {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty() && parameters.size() < kPublishParametersMax) {
    std::size_t end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    std::size_t equals = pair.find('=');
    std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    parameters.emplace_back(percent_decode(pair.substr(0, equals)), percent_decode(value));
  }
  return parameters;
}

}  // namespace

std::optional<std::string_view> PublishRequested::find_parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return std::nullopt;
}

const char* name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::kRefused: return "refused";
    case CloseReason::kRejected: return "rejected";
    case CloseReason::kStopped: return "stopped";
    case CloseReason::kUnpublished: return "unpublished";
    case CloseReason::kPeerGone: return "peer_gone";
  }
  return "unknown";
}

void RtmpSession::handle_bytes(Timestamp now, Bytes bytes, RtmpOutputs& out) {
  if (is_closed_) return;
  now_ = now;
  (void)connection_.handle_bytes(now, bytes, events_);
  deliver(CloseReason::kRefused, out);
}

void RtmpSession::handle_deadline(Timestamp now, RtmpOutputs& out) {
  if (is_closed_) return;
  now_ = now;
  if (now >= linger_until_) {
    connection_.close("NetStream.Unpublish.Success", "Unpublished.", events_);
    return deliver(CloseReason::kUnpublished, out);
  }
  connection_.handle_deadline(now, events_);
  deliver(CloseReason::kRefused, out);
}

void RtmpSession::handle_disconnect(RtmpOutputs& out) {
  close(has_ended_ ? CloseReason::kUnpublished : CloseReason::kPeerGone, std::nullopt, out);
}

void RtmpSession::accept(Timestamp now, RtmpOutputs& out) {
  if (!connection_.is_waiting_for_decision()) return;
  now_ = now;
  is_accepted_ = true;
  connection_.accept_publish(now, events_);
  deliver(CloseReason::kRefused, out);
}

void RtmpSession::reject(std::string_view reason, RtmpOutputs& out) {
  if (!connection_.is_waiting_for_decision()) return;
  connection_.reject_publish(reason, events_);
  deliver(CloseReason::kRejected, out);
}

void RtmpSession::stop(StopReason reason, RtmpOutputs& out) {
  if (is_closed_) return;
  switch (reason) {
    case StopReason::kTakenOver:
      connection_.close("NetStream.Publish.BadName", "Another encoder publishes this channel now.", events_);
      break;
    case StopReason::kEnded:
      connection_.close("NetStream.Publish.Denied", "The broadcast was ended.", events_);
      break;
    case StopReason::kShutdown:
      connection_.close("NetConnection.Connect.AppShutdown", "The server is shutting down.", events_);
      break;
  }
  deliver(CloseReason::kStopped, out);
}

// Hands on what the connection put out; `reason` is that of a Closed among it.
void RtmpSession::deliver(CloseReason reason, RtmpOutputs& out) {
  for (rtmp::Output& event : events_.take()) {
    if (is_closed_) return;  // By an answer to an event before this one.
    std::visit(Overloaded{
                   [&](rtmp::SendBytes& send) { out.push(std::move(send)); },
                   [&](rtmp::PublishRequested& asked) { ask(asked, out); },
                   [&](rtmp::AudioMessage& message) {
                     tracks_.handle_audio(message.timestamp_ms, message.payload, track_events_);
                   },
                   [&](rtmp::VideoMessage& message) {
                     tracks_.handle_video(message.timestamp_ms, message.payload, track_events_);
                   },
                   [&](rtmp::DataMessage& message) {
                     if (message.name == "onMetaData") tracks_.handle_metadata(message.values, track_events_);
                   },
                   [&](rtmp::Unpublished&) {
                     end(out);
                     linger_until_ = now_ + kLinger;
                   },
                   [&](rtmp::Closed& closed) { close(reason, closed.refusal, out); },
               },
               event);
    deliver_tracks(out);
  }
}

void RtmpSession::ask(rtmp::PublishRequested& asked, RtmpOutputs& out) {
  if (!has_ended_) {
    out.push(PublishRequested{std::move(asked.app), std::move(asked.stream_name), parse_query(asked.query)});
    return;
  }
  // One publication per connection: its tracks would not be those of the first.
  connection_.reject_publish("Connect again to publish again.", events_);
  deliver(CloseReason::kRejected, out);
}

void RtmpSession::deliver_tracks(RtmpOutputs& out) {
  for (TrackOutput& event : track_events_.take()) {
    std::visit([&](auto& inner) { out.push(std::move(inner)); }, event);
  }
}

void RtmpSession::end(RtmpOutputs& out) {
  if (!is_accepted_ || has_ended_) return;
  has_ended_ = true;
  tracks_.end(track_events_);
  deliver_tracks(out);
  out.push(Ended{});
}

void RtmpSession::close(CloseReason reason, std::optional<rtmp::Refusal> refusal, RtmpOutputs& out) {
  if (is_closed_) return;
  is_closed_ = true;
  end(out);
  out.push(Closed{reason, refusal});
}

void RtmpStats::add(const RtmpSession& session) {
  connection.add(session.stats());
  frames += session.tracks().frames();
  tracks_refused += session.tracks().refused();
  for (int i = 0; i < kPacketDrops; ++i) drops[i] += session.tracks().dropped(static_cast<PacketDrop>(i));
  for (int i = 0; i < flv::kRefusals; ++i)
    bad_tags[i] += session.tracks().bad_tags(static_cast<flv::Refusal>(i));
}

void RtmpStats::append_samples(MetricSamples& samples) const {
  connection.append_samples(samples);
  samples.push_back({"stoa_rtmp_frames_total",
                     "Access units taken from RTMP publishers.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(frames)});
  samples.push_back({"stoa_rtmp_tracks_refused_total",
                     "Tracks of RTMP publishers that cannot be carried.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(tracks_refused)});
  for (int i = 0; i < kPacketDrops; ++i) {
    samples.push_back({"stoa_rtmp_packets_dropped_total",
                       "FLV packets that came to nothing, by reason.",
                       MetricKind::kCounter,
                       {{"reason", name_of(static_cast<PacketDrop>(i))}},
                       static_cast<double>(drops[i])});
  }
  for (int i = 0; i < flv::kRefusals; ++i) {
    samples.push_back({"stoa_rtmp_bad_tags_total",
                       "FLV tag bodies that do not parse, by reason.",
                       MetricKind::kCounter,
                       {{"reason", flv::name_of(static_cast<flv::Refusal>(i))}},
                       static_cast<double>(bad_tags[i])});
  }
}

}  // namespace stoa::session

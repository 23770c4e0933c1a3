// What the API is told of a seat: made when somebody asks.
#include <algorithm>
#include <utility>

#include "shard/seat.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

// "REACT_NATIVE" -> "react_native"
std::string sdk_name(pb::ClientInfo::SDK sdk) {
  if (sdk == pb::ClientInfo::UNKNOWN) return {};
  std::string name = pb::ClientInfo::SDK_Name(sdk);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return name;
}

room::ClientReport client_of(const pb::ClientInfo& client) {
  return {.sdk = sdk_name(client.sdk()),
          .version = client.version(),
          .os = client.os(),
          .browser = client.browser()};
}

room::Reading reading_of(Timestamp now, const webrtc::LayerStats& layer) {
  return {.at = now,
          .bytes = layer.bytes,
          .frames = layer.frames,
          .expected = layer.expected,
          .lost = layer.lost};
}

// As the publisher calls the layers of a picture that it sends in one stream each, the smallest first. Empty
// where it calls none, or as many as nobody sends.
std::vector<room::VideoLayer> layer_names(const room::TrackInfo& track, const std::string& cid,
                                          std::size_t streams) {
  std::vector<room::VideoLayer> layers = track.layers;
  for (const room::TrackCodec& codec : track.codecs)
    if (!cid.empty() && codec.cid == cid && !codec.layers.empty()) layers = codec.layers;
  std::ranges::sort(layers, {}, &room::VideoLayer::quality);
  if (layers.size() != streams) layers.clear();
  return layers;
}

std::optional<room::VideoLayer> layer_at(const std::vector<room::VideoLayer>& layers, std::size_t index) {
  return index < layers.size() ? std::optional(layers[index]) : std::nullopt;
}

}  // namespace

void Seat::note_readings(Timestamp now, OwnMedia& media, const webrtc::TrackStats& stats) {
  media.readings.resize(stats.layers.size());
  for (std::size_t i = 0; i < stats.layers.size(); ++i)
    media.readings[i].add(reading_of(now, stats.layers[i]));
}

room::SeatReport Seat::report(Timestamp now, bool with_streams) const {
  room::SeatReport report{.participant = participant_,
                          .client = client_of(params_->client),
                          .connections = connections(),
                          .round_trip = world_.port.round_trip(sending()),
                          .score = score_};
  if (!with_streams) return report;
  for (const webrtc::TrackStats& track : world_.port.track_stats(publisher_)) {
    auto own = own_.find(track.track);
    if (own != own_.end() && !own->second.name.empty())
      report.published.push_back(this->report(now, own->second, track));
  }
  for (const auto& [sid, subscription] : subscriptions_)
    report.sent.push_back(this->report(now, subscription));
  return report;
}

std::vector<room::ConnectionReport> Seat::connections() const {
  std::vector<room::ConnectionReport> all;
  for (webrtc::SessionId session : sessions()) {
    const std::string path = world_.port.path(session);
    const std::size_t space = path.rfind(' ');
    if (space == std::string::npos) continue;
    all.push_back({.is_receiving = session == publisher_,
                   .is_sending = session == sending(),
                   .is_tcp = path.substr(space + 1) == "tcp",
                   .address = path.substr(0, space),
                   .round_trip = world_.port.round_trip(session)});
    if (session == primary()) std::swap(all.front(), all.back());
  }
  return all;
}

room::PublishedReport Seat::report(Timestamp now, const OwnMedia& media,
                                   const webrtc::TrackStats& stats) const {
  room::PublishedReport report{.sid = media.sid,
                               .codec = media.rtp ? std::string(payload::name_of(media.rtp->encoding)) : "",
                               .measured = media.scored};
  room::TrackInfo info;
  if (auto announced = announced_.find(media.sid); announced != announced_.end())
    info = announced->second.info;
  for (const room::TrackInfo& track : self_->tracks)
    if (track.sid == media.sid) info = track;
  report.kind = info.kind;
  report.source = info.source;
  report.is_muted = info.is_muted;
  const bool is_picture = media.peer.kind == media::Kind::kVideo;
  std::vector<room::VideoLayer> names;
  if (is_picture) names = layer_names(info, media.cid, stats.layers.size());
  for (std::size_t i = 0; i < stats.layers.size(); ++i) {
    const webrtc::LayerStats& layer = stats.layers[i];
    room::LayerReport& one = report.layers.emplace_back();
    one.announced = layer_at(names, i);
    one.is_active = layer.is_active;
    one.packets = layer.packets;
    one.bytes = layer.bytes;
    one.frames = layer.frames;
    one.lost = layer.lost;
    one.nacks = layer.nacks;
    one.plis = layer.plis;
    one.jitter = layer.jitter;
    if (i < media.readings.size()) one.rates = media.readings[i].rates(reading_of(now, layer));
  }
  return report;
}

room::SentReport Seat::report(Timestamp now, const Subscription& subscription) const {
  const room::TrackInfo& track = subscription.what.track;
  room::SentReport report{.sid = track.sid,
                          .publisher_sid = subscription.what.publisher_sid,
                          .publisher_identity = subscription.what.publisher_identity,
                          .kind = track.kind,
                          .source = track.source,
                          .is_paused = subscription.fits == room::Quality::kOff};
  report.measured = subscription.scored;
  if (!subscription.outlet || !subscription.seat) return report;
  report.codec = payload::name_of(subscription.outlet->track.encoding);
  auto stats = world_.port.outlet_stats(sending(), *subscription.seat);
  if (!stats) return report;
  report.layer = stats->layer;
  report.is_flowing = subscription.fed_from.is_set() && stats->layer.has_value();
  if (track.kind == room::TrackKind::kVideo && stats->layer) {
    const std::string cid =
        subscription.choice < track.codecs.size() ? track.codecs[subscription.choice].cid : "";
    const payload::RtpTrack& sent = subscription.outlet->track;
    const std::size_t streams = sent.may_be_scalable() ? layers_of(subscription).size() : sent.layers;
    report.announced = layer_at(layer_names(track, cid, streams), *stats->layer);
  }
  report.packets = stats->packets;
  report.bytes = stats->bytes;
  report.retransmitted = stats->retransmitted;
  report.nacked = stats->nacked;
  report.plis = stats->plis;
  report.loss = stats->loss;
  report.jitter = stats->jitter;
  if (stats->round_trip > Duration()) report.round_trip = stats->round_trip;
  report.remb_bps = stats->remb_bps;
  report.rates = subscription.readings.rates({.at = now, .bytes = stats->bytes});
  return report;
}

}  // namespace stoa::shard

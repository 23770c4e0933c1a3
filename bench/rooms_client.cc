#include "rooms_client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "api/livekit/grant.h"

namespace stoa::bench {
namespace {

namespace pb = livekit::pb;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNever = INT64_MAX;
constexpr Duration kTokenTtl = Duration::seconds(3600);
constexpr int kProtocol = 15;
const char* const kIdentity = "bench-";

std::optional<std::size_t> number_of(std::string_view identity) {
  std::string_view prefix = kIdentity;
  if (!identity.starts_with(prefix)) return std::nullopt;
  identity.remove_prefix(prefix.size());
  std::size_t number = 0;
  auto [end, error] = std::from_chars(identity.data(), identity.data() + identity.size(), number);
  return error == std::errc() && end == identity.data() + identity.size() ? std::optional(number)
                                                                          : std::nullopt;
}

}  // namespace

RoomsClient::RoomsClient(RoomsShared& shared, const RoomsSeat& seat, Poller& poller, std::uint64_t id)
    : shared_(shared),
      seat_(seat),
      poller_(poller),
      id_(id),
      rng_(0x726f6f6d'00000000ull + id),
      subscriber_(shared.rtc, subscriber_half_),
      publisher_(shared.rtc, publisher_half_),
      sender_(shared.rtc, shared.media, shared.sent, static_cast<std::uint32_t>(id), seat.number,
              rng_.next()),
      watcher_(shared.rtc, shared.watched, seat.is_checked, static_cast<std::uint32_t>(rng_.next() | 1)) {}

std::size_t RoomsClient::videos_wanted() const {
  if (!seat_.is_watching || shared_.media.layers.empty()) return 0;
  return count_tiles(shared_.layout, seat_.number, seat_.publishers);
}

std::size_t RoomsClient::audios_wanted() const {
  if (!seat_.is_watching || !shared_.media.has_audio) return 0;
  return seat_.publishers - (seat_.is_publishing ? 1 : 0);
}

bool RoomsClient::is_there() const {
  if (state_ != State::kConnected) return false;
  bool has_received = watcher_.first_packet_ns() != 0 || videos_wanted() + audios_wanted() == 0;
  bool has_sent = sender_.first_sent_ns() != 0 || !seat_.is_publishing;
  return has_received && has_sent && videos_asked_ == videos_wanted() && audios_asked_ == audios_wanted();
}

std::string RoomsClient::make_target() {
  livekit::AccessGrant grant;
  grant.identity = kIdentity + std::to_string(seat_.number);
  grant.video = livekit::VideoGrant();
  grant.video->room_join = true;
  grant.video->room = seat_.room;
  auto token = livekit::make_access_token(grant, shared_.api_key, shared_.api_secret,
                                          WallTime::from_us(unix_ns() / 1000), kTokenTtl);
  if (!token) return {};
  std::string path = shared_.url.path;
  while (path.ends_with('/')) path.pop_back();
  return path + "/rtc?access_token=" + *token +
         "&auto_subscribe=0&adaptive_stream=0&protocol=" + std::to_string(kProtocol) +
         "&sdk=go&version=2.4.0&os=linux";
}

void RoomsClient::start() {
  join_.started_ns = now_ns();
  state_ = State::kJoining;
  std::string target = make_target();
  if (target.empty()) return fail("no token can be made with this key");
  link_.start(shared_.address, shared_.url.authority(), target);
  if (link_.state() == RoomsLink::State::kClosed) return fail(link_.failure());
  poller_.add(link_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, id_ * kParts + kLink);
}

void RoomsClient::fail(Failure failure) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  failure_ = std::move(failure);
  subscriber_.close();
  publisher_.close();
  link_.close();
}

void RoomsClient::stop() {
  if (state_ == State::kIdle || state_ == State::kEnded) return;
  pb::SignalRequest request;
  request.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  send(request);
  fail({});
}

void RoomsClient::send(const pb::SignalRequest& request) { link_.send(request.SerializeAsString()); }

void RoomsClient::handle_events(Part part, std::uint32_t events) {
  if (state_ == State::kEnded) return;
  if (part == kSubscriber) return subscriber_.handle_readable();
  if (part == kPublisher) return publisher_.handle_readable();
  auto messages = link_.handle_events(events);
  std::int64_t now = now_ns();
  for (const std::string& message : messages)
    if (state_ != State::kEnded) handle_message(now, message);
  if (link_.state() == RoomsLink::State::kClosed) fail(link_.failure());
}

void RoomsClient::handle_message(std::int64_t now, const std::string& bytes) {
  pb::SignalResponse response;
  if (!response.ParseFromString(bytes)) return fail("a message of the server does not read");
  switch (response.message_case()) {
    case pb::SignalResponse::kJoin: return handle_join(now, response.join());
    case pb::SignalResponse::kOffer: return handle_offer(now, response.offer());
    case pb::SignalResponse::kAnswer: return handle_answer(now, response.answer());
    case pb::SignalResponse::kTrickle: return handle_candidate(now, response.trickle());
    case pb::SignalResponse::kUpdate: return handle_participants(response.update().participants());
    case pb::SignalResponse::kSubscribedQualityUpdate:
      return sender_.handle_qualities(response.subscribed_quality_update());
    case pb::SignalResponse::kSubscriptionResponse: ++shared_.subscriptions_refused; return;
    case pb::SignalResponse::kRequestResponse:
      if (response.request_response().reason() != pb::RequestResponse::OK) ++shared_.requests_refused;
      return;
    case pb::SignalResponse::kLeave:
      return fail("the server says: leave, " + pb::DisconnectReason_Name(response.leave().reason()));
    default: return;
  }
}

void RoomsClient::handle_join(std::int64_t now, const pb::JoinResponse& join) {
  if (join_.signalled != 0) return;
  join_.signalled = now - join_.started_ns;
  sid_ = join.participant().sid();
  primary_ = join.subscriber_primary() ? kSubscriber : kPublisher;
  ping_interval_ns_ = join.ping_interval() > 0 ? join.ping_interval() * kSecond : 5 * kSecond;
  next_ping_ns_ = now + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(ping_interval_ns_)));
  if (seat_.is_publishing || join.fast_publish() || primary_ == kPublisher) open_publisher(now);
  handle_participants(join.other_participants());
}

bool RoomsClient::open_leg(std::int64_t now, RoomsLeg& leg, Part part,
                           std::vector<sdp::OfferedSection> sections) {
  if (!leg.open(now, shared_.own, rng_.next(), std::move(sections), shared_.media.audio,
                shared_.media.video)) {
    fail(Failure("no UDP socket: ") + std::strerror(errno));
    return false;
  }
  poller_.add(leg.fd(), EPOLLIN, id_ * kParts + part);
  return true;
}

// What it publishes, and data: clients open a connection for that alone when the server likes it.
void RoomsClient::open_publisher(std::int64_t now) {
  std::vector<sdp::OfferedSection> sections;
  if (seat_.is_publishing) sections = sender_.sections();
  sdp::OfferedSection data;
  data.kind = sdp::MediaKind::kData;
  data.mid = std::to_string(sections.size());
  data.data = sdp::SctpParameters{};
  sections.push_back(std::move(data));
  if (!open_leg(now, publisher_, kPublisher, std::move(sections))) return;
  pb::SignalRequest request;
  if (seat_.is_publishing)
    for (const pb::AddTrackRequest& track : sender_.requests()) {
      *request.mutable_add_track() = track;
      send(request);
    }
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_sdp(publisher_.offer());
  request.mutable_offer()->set_id(1);
  send(request);
}

void RoomsClient::handle_offer(std::int64_t now, const pb::SessionDescription& offer) {
  ++shared_.offers;
  if (!subscriber_.is_open() && !open_leg(now, subscriber_, kSubscriber, {})) return;
  std::string answer;
  if (!subscriber_.handle_offer(now, offer.sdp(), answer)) return fail("an offer of the server is refused");
  pb::SignalRequest request;
  request.mutable_answer()->set_type("answer");
  request.mutable_answer()->set_sdp(answer);
  request.mutable_answer()->set_id(offer.id());
  send(request);
  subscriber_.flush();
}

void RoomsClient::handle_answer(std::int64_t now, const pb::SessionDescription& answer) {
  if (!publisher_.is_open() || !publisher_.handle_answer(now, answer.sdp()))
    fail("an answer of the server is refused");
}

// candidateInit is JSON: {"candidate":"candidate:…", …}.
void RoomsClient::handle_candidate(std::int64_t now, const pb::TrickleRequest& trickle) {
  const std::string& json = trickle.candidateinit();
  auto begin = json.find("candidate:");
  if (begin == std::string::npos) return;
  std::string line = json.substr(begin, json.find('"', begin) - begin);
  (trickle.target() == pb::SUBSCRIBER ? subscriber_ : publisher_).add_candidate(now, line);
}

void RoomsClient::handle_participants(
    const google::protobuf::RepeatedPtrField<pb::ParticipantInfo>& participants) {
  if (!seat_.is_watching) return;
  for (const pb::ParticipantInfo& participant : participants) {
    auto number = number_of(participant.identity());
    if (!number || participant.sid() == sid_) continue;
    if (participant.state() != pb::ParticipantInfo::DISCONNECTED) subscribe(participant, *number);
  }
}

void RoomsClient::subscribe(const pb::ParticipantInfo& participant, std::size_t number) {
  pb::SignalRequest wish;
  std::vector<pb::SignalRequest> settings;
  for (const pb::TrackInfo& track : participant.tracks()) {
    bool is_video = track.type() == pb::VIDEO;
    auto tile = find_tile(shared_.layout, seat_.number, number, seat_.publishers);
    if ((is_video && !tile) || !asked_.insert(track.sid()).second) continue;
    wish.mutable_subscription()->add_track_sids(track.sid());
    ++(is_video ? videos_asked_ : audios_asked_);
    TileSize size = is_video ? size_of_tile(shared_.layout, *tile) : TileSize{};
    if (size.width == 0) continue;
    pb::UpdateTrackSettings& setting = *settings.emplace_back().mutable_track_setting();
    setting.add_track_sids(track.sid());
    setting.set_width(size.width);
    setting.set_height(size.height);
  }
  if (!wish.has_subscription()) return;
  wish.mutable_subscription()->set_subscribe(true);
  send(wish);
  for (const pb::SignalRequest& setting : settings) send(setting);
}

void RoomsClient::handle_connected(std::int64_t now, Part part) {
  if (part == primary_ && join_.connected == 0) {
    join_.connected = now - join_.started_ns;
    state_ = State::kConnected;
  }
  if (part == kPublisher && seat_.is_publishing) sender_.begin(now, *publisher_.agreement());
  if (part == kSubscriber) next_report_ns_ = now + static_cast<std::int64_t>(rng_.below(kSecond));
}

bool RoomsClient::Half::on_sealed(std::int64_t now, std::int64_t arrived_ns, Bytes packet) {
  if (part_ != kSubscriber || !client_.subscriber_.agreement()) return false;
  bool is_wanted = client_.watcher_.handle_sealed(now, arrived_ns, packet, *client_.subscriber_.agreement());
  if (RoomsJoin& join = client_.join_; join.first_packet == 0 && client_.watcher_.first_packet_ns() != 0)
    join.first_packet = now - join.started_ns;
  return is_wanted;
}

void RoomsClient::Half::on_rtp(std::int64_t arrived_ns, Bytes packet) {
  if (part_ == kSubscriber) client_.watcher_.handle_rtp(arrived_ns, packet);
}

void RoomsClient::Half::on_rtcp(std::int64_t now, Bytes packet) {
  if (part_ == kSubscriber) {
    client_.watcher_.handle_rtcp(now, packet);
  } else {
    client_.sender_.handle_rtcp(now, packet);
  }
}

void RoomsClient::send_pings(std::int64_t now) {
  next_ping_ns_ = now + ping_interval_ns_;
  pb::SignalRequest request;
  request.mutable_ping_req()->set_timestamp(unix_ms());
  send(request);
}

void RoomsClient::handle_deadline(std::int64_t now) {
  if (state_ == State::kEnded) return;
  subscriber_.handle_deadline(now);
  publisher_.handle_deadline(now);
  if (state_ == State::kEnded) return;
  if (next_ping_ns_ <= now) send_pings(now);
  if (sender_.next_due() <= now) sender_.send_due(now, publisher_);
  if (join_.first_packet == 0 && !seat_.is_watching && sender_.first_sent_ns() != 0)
    join_.first_packet = sender_.first_sent_ns() - join_.started_ns;
  auto give = [this](Bytes packet) { subscriber_.send_rtcp(packet); };
  if (next_report_ns_ <= now) {
    next_report_ns_ = now + kSecond;
    watcher_.send_reports(now, give);
  }
  watcher_.send_feedback(now, give);
  if (subscriber_.is_open()) subscriber_.flush();
}

std::int64_t RoomsClient::next_deadline() const {
  if (state_ == State::kIdle || state_ == State::kEnded) return kNever;
  return std::min({subscriber_.next_deadline(), publisher_.next_deadline(), next_ping_ns_, sender_.next_due(),
                   next_report_ns_, watcher_.next_feedback()});
}

}  // namespace stoa::bench

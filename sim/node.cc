#include "sim/node.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "sim/checksum_kernel.h"

namespace stoa::sim {
namespace {

constexpr std::uint16_t kPort = 7882;

ice::Candidate host_candidate(const SocketAddress& address) {
  return {.foundation = ice::make_foundation(ice::CandidateType::kHost, ice::Transport::kUdp, address.ip),
          .transport = ice::Transport::kUdp,
          .priority = ice::candidate_priority(ice::CandidateType::kHost, 65'535),
          .address = address};
}

crypto::RandomFill fill_from(Rng& rng) {
  return [&rng](std::span<std::uint8_t> bytes) {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next() >> 32);
  };
}

}  // namespace

Node::Node(const Config& config, Timestamp now, WallTime wall, Rng rng, NodeUser& user)
    : config_(config), user_(user), wall_(wall), rng_(rng), records_(store_, {}, fill_from(rng_)) {
  STOA_ASSERT(records_.load(now, wall));
  for (shard::ShardIndex i = 0; i < config.shards; ++i) {
    shard::ShardConfig made = config.shard;
    made.index = i;
    made.shards = config.shards;
    made.rtc.make_srtp_kernel = make_checksum_kernel;
    shards_.push_back(std::make_unique<shard::Shard>(made, wall, Rng(rng_.next())));
    shards_.back()->open_rtc({host_candidate(address_of(i))});
  }
}

SocketAddress Node::address_of(shard::ShardIndex shard) const {
  return {IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(1 + config_.number)),
          static_cast<std::uint16_t>(kPort + shard)};
}

void Node::handle_request(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key,
                          const http::Request& request) {
  wall_ = wall;
  shards_[shard]->handle_request(now, wall, key, request, out_);
  carry(now, shard);
}

void Node::handle_socket_message(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key,
                                 Bytes message) {
  wall_ = wall;
  shards_[shard]->handle_socket_message(now, wall, key, message, false, out_);
  carry(now, shard);
}

void Node::handle_socket_closed(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key) {
  wall_ = wall;
  shards_[shard]->handle_socket_closed(now, wall, key, out_);
  carry(now, shard);
}

void Node::handle_datagrams(Timestamp now, WallTime wall, shard::ShardIndex shard,
                            std::span<ReceivedDatagram> datagrams) {
  wall_ = wall;
  shards_[shard]->handle_datagrams(now, wall, datagrams, out_);
  carry(now, shard);
}

void Node::handle_deadline(Timestamp now, WallTime wall) {
  wall_ = wall;
  while (!mail_.empty() && mail_.front().at <= now) {
    Posted posted = std::move(mail_.front());
    mail_.pop_front();
    shards_[posted.to]->handle_mail(now, wall, std::move(posted.mail), out_);
    carry(now, posted.to);
  }
  for (shard::ShardIndex i = 0; i < shards_.size(); ++i) {
    if (shards_[i]->next_deadline() > now) continue;
    shards_[i]->handle_deadline(now, wall, out_);
    carry(now, i);
  }
  if (records_.next_deadline() <= now)
    for (const room::RoomInfo& room : records_.take_expired(now)) (void)records_.handle_finished(now, room);
}

Timestamp Node::next_deadline() const {
  Timestamp at = std::min(records_.next_deadline(), mail_.empty() ? Timestamp::never() : mail_.front().at);
  for (const auto& shard : shards_) at = std::min(at, shard->next_deadline());
  return at;
}

void Node::carry(Timestamp now, shard::ShardIndex from) {
  for (bool has_more = true; has_more || !out_.empty();) {
    if (!out_.empty())
      for (shard::Output& output : out_.take()) handle(now, from, output);
    batch_.clear();
    has_more = shards_[from]->fill(now, batch_);
    for (const DatagramTrain& train : batch_.trains())
      for (Bytes rest = train.bytes; !rest.empty();) {
        const Bytes one = rest.first(std::min<std::size_t>(rest.size(), train.segment_bytes));
        user_.handle_datagram(from, train.remote, one);
        rest = rest.subspan(one.size());
      }
  }
}

void Node::handle(Timestamp now, shard::ShardIndex from, shard::Output& output) {
  std::visit(Overloaded{
                 [&](webrtc::SendDatagram& send) { user_.handle_datagram(from, send.remote, send.bytes); },
                 [&](api::Answer& answer) { user_.handle_answer(answer.request, answer.response); },
                 [&](shard::AcceptSocket& accept) { user_.handle_socket_accepted(accept.request); },
                 [&](shard::SendSocket& send) { user_.handle_socket_message(send.request, send.message); },
                 [&](shard::CloseSocket& close) { user_.handle_socket_closed(close.request, close.code); },
                 [&](shard::SendMail& send) { post(now, send.to, std::move(send.mail)); },
                 [&](shard::SendControlMail& send) { handle_control(now, send.mail); },
                 [&](LogLine& line) { user_.handle_log(line); },
                 [](auto&) {},
             },
             output);
}

void Node::post(Timestamp now, shard::ShardIndex to, shard::Mail mail) {
  mail_.push_back({now + config_.mail_latency, to, std::move(mail)});
}

void Node::handle_control(Timestamp now, shard::ControlMail& mail) {
  if (auto* asked = std::get_if<shard::JoinAsked>(&mail)) {
    using Decision = Result<std::shared_ptr<const shard::RoomGrant>, shard::RequestDenied>;
    auto decide = [&]() -> Decision {
      const std::size_t slash = asked->token.find('/');
      if (slash == std::string::npos || slash == 0) return refuse(shard::RequestDenied{401, "no token"});
      const std::string name = asked->token.substr(0, slash);
      auto admitted = records_.admit(now, wall_, name);
      if (!admitted) return refuse(shard::RequestDenied{503, "no room"});
      auto access = std::make_shared<livekit::AccessGrant>();
      access->identity = asked->token.substr(slash + 1);
      access->video.emplace();
      access->video->room_join = true;
      access->video->room = name;
      auto grant = std::make_shared<shard::RoomGrant>();
      grant->room = std::move(admitted->room);
      grant->access = std::move(access);
      return grant;
    };
    post(now, asked->shard, shard::JoinDecided{asked->request, decide()});
  } else if (auto* wanted = std::get_if<shard::TokenWanted>(&mail)) {
    post(now, wanted->shard, shard::TokenMade{wanted->seat, wanted->room + "/again", wanted->room});
  } else if (auto* told = std::get_if<shard::RoomHappened>(&mail)) {
    if (told->happened.what == room::Happening::kRoomStarted)
      (void)records_.handle_started(told->happened.room);
    if (told->happened.what == room::Happening::kRoomFinished)
      (void)records_.handle_finished(now, told->happened.room);
  }
}

double Node::metric(std::string_view name) const {
  double sum = 0;
  for (const auto& shard : shards_)
    for (const MetricSample& sample : shard->metrics())
      if (name == sample.name) sum += sample.value;
  return sum;
}

std::size_t Node::room_entries() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) sum += shard->room_entries();
  return sum;
}

}  // namespace stoa::sim

// Data channels of a seat.
#include <algorithm>
#include <map>
#include <utility>

#include "api/livekit/data_packet.h"
#include "shard/seat.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

constexpr const char* kReliable = "_reliable";
constexpr const char* kLossy = "_lossy";
constexpr std::size_t kReceiveStatesMax = 1'000;  // Of one client that was away.

}  // namespace

// On the connection that we offer: clients of the older generation expect them from us.
void Seat::open_channels(Timestamp now, SeatOutputs& out) {
  auto open = [&](const char* label, bool is_reliable) -> std::optional<Channel> {
    sctp::ChannelSettings settings{.label = label, .is_ordered = is_reliable};
    if (!is_reliable) settings.retransmissions_max = 0;
    auto opened = world_.port.open_channel(now, subscriber_, std::move(settings), world_.port_outputs);
    if (opened) return Channel{subscriber_, *opened};
    log(LogLevel::kWarning, std::string("no data channel: ") + sctp::name_of(opened.error()), out);
    return std::nullopt;
  };
  reliable_ = open(kReliable, true);
  lossy_ = open(kLossy, false);
  send_kept(now);
}

void Seat::handle_data(Timestamp now, webrtc::DataReceived& data, SeatOutputs& out) {
  std::visit(Overloaded{
                 [&](sctp::ChannelOpened& opened) {
                   const bool is_reliable = opened.settings.label == kReliable;
                   if (!is_reliable && opened.settings.label != kLossy) return;
                   heard_channels_[{data.session.value(), opened.channel}] = is_reliable;
                   if (!is_single_) return;
                   (is_reliable ? reliable_ : lossy_) = Channel{data.session, opened.channel};
                   if (is_reliable) send_kept(now);
                 },
                 [&](sctp::ChannelMessage& message) {
                   auto channel = heard_channels_.find({data.session.value(), message.channel});
                   // Some answer on the channels that we opened.
                   const bool is_reliable = channel != heard_channels_.end()
                                                ? channel->second
                                                : reliable_ && reliable_->session == data.session &&
                                                      reliable_->id == message.channel;
                   handle_packet(now, message.payload, is_reliable, out);
                 },
                 [&](sctp::ChannelClosed& closed) {
                   heard_channels_.erase({data.session.value(), closed.channel});
                   for (auto* channel : {&reliable_, &lossy_})
                     if (*channel && (*channel)->session == data.session && (*channel)->id == closed.channel)
                       channel->reset();
                 },
                 [](auto&) {},
             },
             data.event);
}

// Others are sent what one sends: each has so much to send.
bool Seat::takes_data(Timestamp now, std::size_t bytes) {
  const SeatConfig& config = world_.config;
  const auto cost = static_cast<double>(bytes);
  if (!data_packets_.has(now, 1, {config.data_packets_per_second, 2 * config.data_packets_per_second}) ||
      !data_bytes_.has(now, cost, {config.data_bytes_per_second, 2 * config.data_bytes_per_second}))
    return false;
  data_packets_.take(1);
  data_bytes_.take(cost);
  return true;
}

void Seat::handle_packet(Timestamp now, Bytes packet, bool is_reliable, SeatOutputs& out) {
  ++world_.counters.data_packets;
  if (!takes_data(now, packet.size())) {
    ++world_.counters.data_refused;
    return;
  }
  auto parsed = livekit::parse_data_packet(packet);
  if (!parsed || !livekit::check_sender(*parsed, *self_)) {
    ++world_.counters.data_refused;
    return;
  }
  const std::uint32_t sequence = parsed->sequence();
  if (is_reliable && sequence != 0) {
    if (sequence <= last_sequence_) return;  // Sent again after a resume.
    last_sequence_ = sequence;
  }
  // Calls of the server's have ids that it made.
  auto reply = livekit::parse_rpc_reply(*parsed);
  if (reply && reply->id.starts_with(livekit::kServerRpcPrefix))
    return out.push(SeatRpcAnswered{std::move(*reply)});
  std::vector<std::string> sids;
  room::SendData data = livekit::to_send_data(std::move(*parsed), *self_, is_reliable, sids);
  data.sids = std::move(sids);
  data.sequence = sequence;
  command(std::move(data), out);
}

void Seat::deliver(Timestamp now, const room::DataArrived& data) {
  if (data.is_reliable) keep(now, data);
  if (data.is_reliable ? !reliable_ : !lossy_) {
    world_.counters.data_dropped += data.is_reliable ? 0 : 1;
    return;
  }
  send_on(now, data.is_reliable, data.payload);
}

void Seat::send_on(Timestamp now, bool is_reliable, const SharedBytes& payload) {
  const std::optional<Channel>& channel = is_reliable ? reliable_ : lossy_;
  if (!channel) return;
  auto sent = world_.port.send_data(now, channel->session, channel->id, sctp::MessageKind::kBytes, payload,
                                    world_.port_outputs);
  if (!sent) ++world_.counters.data_dropped;
}

void Seat::keep(Timestamp now, const room::DataArrived& data) {
  kept_.push_back({data.from_sid, data.sequence, data.payload, now, reliable_.has_value()});
  kept_bytes_ += data.payload.size();
  forget_old(now);
}

void Seat::forget_old(Timestamp now) {
  const SeatConfig& config = world_.config;
  while (!kept_.empty() &&
         (kept_bytes_ > config.replay_bytes_max || kept_.front().at + config.replay_kept < now)) {
    kept_bytes_ -= kept_.front().payload.size();
    kept_.pop_front();
  }
}

void Seat::send_kept(Timestamp now) {
  forget_old(now);
  for (KeptData& data : kept_)
    if (!std::exchange(data.is_sent, true)) send_on(now, true, data.payload);
}

// What a client that was away says that it has not got of somebody.
void Seat::replay(Timestamp now, const pb::SyncState& state) {
  std::map<std::string, std::uint32_t> last;
  for (const pb::DataChannelReceiveState& known : state.datachannel_receive_states())
    if (last.size() < kReceiveStatesMax) last[known.publisher_sid()] = known.last_seq();
  forget_old(now);
  for (const KeptData& data : kept_) {
    auto found = last.find(data.from_sid);
    if (found != last.end() && data.sequence > found->second) send_on(now, true, data.payload);
  }
}

}  // namespace stoa::shard

#include "proto/sctp/data_channels.h"

#include <utility>

#include "base/assert.h"

namespace stoa::sctp {
namespace {

enum Protocol : PayloadProtocol {  // RFC 8831 §8
  kDcep = 50,
  kText = 51,
  kBytes = 53,
  kTextEmpty = 56,
  kBytesEmpty = 57,
};

constexpr StreamId kChannelIdEnd = 65'535;  // RFC 8831 §6.5: one less than there are streams.

}  // namespace

void DataChannels::connect(Timestamp now, ChannelOutputs& out) {
  association_.connect(now, inner_);
  drain(now, out);
}

Result<void, Refusal> DataChannels::handle_packet(Timestamp now, Bytes packet, ChannelOutputs& out) {
  auto outcome = association_.handle_packet(now, packet, inner_);
  drain(now, out);
  return outcome;
}

void DataChannels::handle_deadline(Timestamp now, ChannelOutputs& out) {
  association_.handle_deadline(now, inner_);
  drain(now, out);
}

Result<void, Refusal> DataChannels::add(StreamId id, ChannelSettings&& settings, State state) {
  if (channels_.size() >= kChannelsMax) return refuse(Refusal::kTooManyChannels);
  static_assert(sizeof(Channel) + 56 <= kStreamOverheadBytes);
  association_.set_weight(id, settings.priority);
  settings.label = settings.protocol = {};
  channels_[id] = Channel{.settings = std::move(settings), .state = state};
  return {};
}

Result<StreamId, Refusal> DataChannels::open(Timestamp now, ChannelSettings settings, ChannelOutputs& out) {
  auto refuse_counted = [&](Refusal refusal) {
    count(refusal);
    return refuse(refusal);
  };
  if (settings.label.size() > kLabelBytesMax || settings.protocol.size() > kProtocolBytesMax)
    return refuse_counted(Refusal::kNameTooLong);
  StreamId id = role_ == DtlsRole::kClient ? 0 : 1;
  while (channels_.contains(id)) id = static_cast<StreamId>(id + 2);  // Ends: kChannelsMax < 2^15.
  Buffer message = write_channel_open(settings);
  auto added = add(id, std::move(settings), State::kOpening);
  if (!added) return refuse_counted(added.error());
  auto sent = send_message(now, id, kDcep, SharedBytes(std::move(message)), false, {});
  if (!sent) {
    channels_.erase(id);
    return refuse(sent.error());
  }
  drain(now, out);
  return id;
}

Result<void, Refusal> DataChannels::open_negotiated(StreamId channel, ChannelSettings settings) {
  Result<void, Refusal> added = refuse(Refusal::kBadChannelId);
  if (channel < kChannelIdEnd && !channels_.contains(channel) && !association_.is_closed())
    added = add(channel, std::move(settings), State::kOpen);
  if (!added) count(added.error());
  return added;
}

Result<void, Refusal> DataChannels::send(Timestamp now, StreamId channel, MessageKind kind,
                                         SharedBytes payload, ChannelOutputs& out) {
  auto found = channels_.find(channel);
  if (found == channels_.end() || found->second.state > State::kOpen) {
    count(Refusal::kChannelNotOpen);
    return refuse(Refusal::kChannelNotOpen);
  }
  const Channel& at = found->second;
  PayloadProtocol protocol = kind == MessageKind::kText ? kText : kBytes;
  if (payload.empty()) {
    // SCTP carries no empty message; one byte stands for it (RFC 8831 §6.6).
    static constexpr std::uint8_t kNothing[1] = {0};
    payload = SharedBytes::of_static(kNothing);
    protocol = kind == MessageKind::kText ? kTextEmpty : kBytesEmpty;
  }
  bool is_unordered = !at.settings.is_ordered && at.state == State::kOpen;
  Reliability reliability{.lifetime = at.settings.lifetime,
                          .retransmissions_max = at.settings.retransmissions_max};
  auto sent = send_message(now, channel, protocol, std::move(payload), is_unordered, reliability);
  drain(now, out);
  return sent;
}

Result<void, Refusal> DataChannels::send_message(Timestamp now, StreamId id, PayloadProtocol protocol,
                                                 SharedBytes payload, bool is_unordered,
                                                 Reliability reliability) {
  return association_.send(now,
                           {.stream = id,
                            .protocol = protocol,
                            .payload = std::move(payload),
                            .is_unordered = is_unordered,
                            .reliability = reliability},
                           inner_);
}

void DataChannels::close(Timestamp now, StreamId channel, ChannelOutputs& out) {
  auto found = channels_.find(channel);
  if (found == channels_.end() || found->second.state > State::kOpen) return;
  found->second.state = State::kClosing;
  ask_reset(now, channel, found->second);
  finish_if_reset(channel, out);
  drain(now, out);
}

// Before the association stands this does nothing; handle_connected() asks again.
void DataChannels::ask_reset(Timestamp now, StreamId id, Channel& channel) {
  if (!has_stream_reset_) channel.is_local_reset = channel.is_remote_reset = true;
  if (channel.is_reset_asked || !has_stream_reset_ || !association_.is_connected()) return;
  channel.is_reset_asked = true;
  auto asked = association_.reset_streams(now, std::span(&id, 1), inner_);
  // Being reset already: the peer asked for it, and ResetFinished comes all the same.
  if (!asked && asked.error() != Refusal::kStreamIsResetting) {
    channel.is_local_reset = channel.is_remote_reset = true;
    channel.state = State::kStuck;
  }
}

void DataChannels::finish_if_reset(StreamId id, ChannelOutputs& out) {
  auto found = channels_.find(id);
  if (found == channels_.end()) return;
  if (!found->second.is_local_reset || !found->second.is_remote_reset) return;
  out.push(ChannelClosed{id});
  if (found->second.state != State::kStuck) channels_.erase(found);
}

void DataChannels::shutdown(Timestamp now, ChannelOutputs& out) {
  association_.shutdown(now, inner_);
  drain(now, out);
}

void DataChannels::abort(Timestamp now, ChannelOutputs& out) {
  association_.abort(now, inner_);
  drain(now, out);
}

Stats DataChannels::stats() const {
  Stats stats = association_.stats();
  for (int i = 0; i < kRefusals; ++i) stats.refusals[i] += refusals_[i];
  return stats;
}

void DataChannels::drain(Timestamp now, ChannelOutputs& out) {
  while (!inner_.empty()) {
    for (Output& output : inner_.take()) {
      std::visit(Overloaded{[&](SendPacket& send) { out.push(std::move(send)); },
                            [&](Connected& connected) { handle_connected(now, connected, out); },
                            [&](Restarted& restarted) {
                              drop_all(out);
                              handle_connected(now, restarted.now, out);
                            },
                            [&](ReceivedMessage& message) { handle_message(now, std::move(message), out); },
                            [&](StreamsReset& reset) { handle_streams_reset(now, reset, out); },
                            [&](ResetFinished& finished) { handle_reset_finished(now, finished, out); },
                            [&](BufferedLow& low) {
                              if (channels_.contains(low.stream)) out.push(ChannelBufferedLow{low.stream});
                            },
                            [&](Closed& closed) {
                              drop_all(out);
                              out.push(closed);
                            }},
                 output);
    }
  }
}

void DataChannels::handle_connected(Timestamp now, const Connected& connected, ChannelOutputs& out) {
  has_stream_reset_ = connected.has_stream_reset;
  out.push(connected);
  std::vector<StreamId> closing;
  for (auto& [id, channel] : channels_) {
    if (channel.state != State::kClosing) continue;
    ask_reset(now, id, channel);
    closing.push_back(id);
  }
  for (StreamId id : closing) finish_if_reset(id, out);
}

void DataChannels::handle_message(Timestamp now, ReceivedMessage&& message, ChannelOutputs& out) {
  if (message.protocol == kDcep) return handle_dcep(now, message, out);
  auto found = channels_.find(message.stream);
  bool is_empty = message.protocol == kTextEmpty || message.protocol == kBytesEmpty;
  bool is_text = message.protocol == kText || message.protocol == kTextEmpty;
  if (found == channels_.end() || !(is_text || is_empty || message.protocol == kBytes))
    return count(Refusal::kBadChannelMessage);
  Channel& channel = found->second;
  if (channel.state > State::kOpen) return;
  if (channel.state == State::kOpening) {
    // Unordered messages may overtake the ACK; they say the same.
    channel.state = State::kOpen;
    out.push(ChannelReady{message.stream});
  }
  if (is_empty) message.payload.clear();
  out.push(ChannelMessage{.channel = message.stream,
                          .kind = is_text ? MessageKind::kText : MessageKind::kBytes,
                          .payload = std::move(message.payload)});
}

void DataChannels::handle_dcep(Timestamp now, const ReceivedMessage& message, ChannelOutputs& out) {
  StreamId id = message.stream;
  auto parsed = parse_dcep(message.payload);
  Result<void, Refusal> outcome;
  if (!parsed) {
    outcome = refuse(parsed.error());
  } else if (auto* open = std::get_if<ChannelOpen>(&*parsed)) {
    outcome = handle_open(now, id, std::move(open->settings), out);
  } else {
    auto found = channels_.find(id);
    if (found == channels_.end()) return count(Refusal::kBadChannelMessage);
    if (found->second.state != State::kOpening) return;
    found->second.state = State::kOpen;
    out.push(ChannelReady{id});
    return;
  }
  if (outcome) return;
  count(outcome.error());
  // A channel that stands is not taken down by a second OPEN for it.
  if (channels_.contains(id) || !has_stream_reset_ || !association_.is_connected()) return;
  (void)association_.reset_streams(now, std::span(&id, 1), inner_);
}

Result<void, Refusal> DataChannels::handle_open(Timestamp now, StreamId id, ChannelSettings&& settings,
                                                ChannelOutputs& out) {
  if (is_ours(id) || id >= kChannelIdEnd) return refuse(Refusal::kBadChannelId);
  auto old = channels_.find(id);
  bool has_old_reset = false;
  if (old != channels_.end()) {
    // Both directions are reset as the peer sees it; only its answer to our request has not come yet.
    const Channel& channel = old->second;
    has_old_reset = channel.state == State::kClosing && channel.is_remote_reset && channel.is_reset_asked;
    if (!has_old_reset) return refuse(Refusal::kBadChannelId);
    out.push(ChannelClosed{id});
    channels_.erase(old);
  }
  ChannelOpened opened{.channel = id, .settings = settings};
  auto added = add(id, std::move(settings), State::kOpen);
  if (!added) return added;
  channels_[id].has_old_reset = has_old_reset;
  auto sent = send_message(now, id, kDcep, SharedBytes(write_channel_ack()), false, {});
  if (!sent) {
    channels_.erase(id);
    return sent;
  }
  out.push(std::move(opened));
  return {};
}

void DataChannels::handle_streams_reset(Timestamp now, const StreamsReset& reset, ChannelOutputs& out) {
  std::vector<StreamId> ids = reset.streams;
  if (ids.empty())
    for (const auto& [id, channel] : channels_) ids.push_back(id);
  for (StreamId id : ids) {
    auto found = channels_.find(id);
    if (found == channels_.end() || found->second.state == State::kStuck) continue;
    found->second.is_remote_reset = true;
    found->second.state = State::kClosing;
    ask_reset(now, id, found->second);
    finish_if_reset(id, out);
  }
}

void DataChannels::handle_reset_finished(Timestamp now, const ResetFinished& finished, ChannelOutputs& out) {
  for (StreamId id : finished.streams) {
    auto found = channels_.find(id);
    if (found == channels_.end() || found->second.state == State::kStuck) continue;
    if (std::exchange(found->second.has_old_reset, false)) {
      found->second.is_reset_asked = false;
      if (found->second.state == State::kClosing) ask_reset(now, id, found->second);
      continue;
    }
    found->second.is_local_reset = true;
    if (!finished.is_performed) {
      found->second.is_remote_reset = true;
      found->second.state = State::kStuck;
    }
    finish_if_reset(id, out);
  }
}

void DataChannels::drop_all(ChannelOutputs& out) {
  for (const auto& [id, channel] : channels_)
    if (channel.state != State::kStuck) out.push(ChannelClosed{id});
  channels_.clear();
}

}  // namespace stoa::sctp

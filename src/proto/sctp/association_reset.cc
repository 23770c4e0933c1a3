#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/association.h"

namespace stoa::sctp {

Result<void, Refusal> Association::reset_streams(Timestamp now, std::span<const StreamId> streams,
                                                 Outputs& out) {
  if (state_ != State::kEstablished) return refuse_counted(Refusal::kNotConnected);
  if (!transfer_->agreed.has_stream_reset) return refuse_counted(Refusal::kResetRefused);
  Reconfig& r = transfer_->reconfig;
  if (r.waiting.size() + streams.size() > config_.limits.streams_max)
    return refuse_counted(Refusal::kTooManyStreams);
  auto is_in = [](const std::vector<StreamId>& ids, StreamId id) {
    return std::ranges::find(ids, id) != ids.end();
  };
  for (StreamId stream : streams) {
    if (stream >= transfer_->agreed.outbound_streams) return refuse_counted(Refusal::kNoSuchStream);
    if ((r.asked && is_in(r.asked->reset.streams, stream)) || is_in(r.waiting, stream))
      return refuse_counted(Refusal::kStreamIsResetting);
  }
  for (StreamId stream : streams) {
    if (is_in(r.waiting, stream)) continue;
    queue_.begin_reset(stream);
    r.waiting.push_back(stream);
  }
  return finish(now, {}, out);
}

Association::Outcome Association::handle_reconfig(Timestamp now, const RawChunk& chunk, Outputs& out) {
  if (!transfer_->agreed.has_stream_reset) return refuse(Refusal::kBadReconfig);
  STOA_TRY(auto parameters, parse_reconfig(chunk.value));
  for (const ReconfigParameter& parameter : parameters) {
    std::visit(Overloaded{[&](const OutgoingReset& reset) { handle_request(reset, out); },
                          [&](const IncomingReset& reset) { handle_request(reset); },
                          [&](const AddStreams& add) { handle_request(add); },
                          [&](const TsnReset& reset) {
                            // Everything at once is what a new association is for.
                            if (take_request(reset.request))
                              answer_reset(reset.request, ResetResult::kDenied);
                          },
                          [&](const ResetResponse& response) { handle_response(now, response, out); }},
               parameter);
  }
  return {};
}

// True when the request is the next in line; one that came before, or out of line, is answered here
// (RFC 6525 §5.2.1).
bool Association::take_request(std::uint32_t request) {
  Reconfig& r = transfer_->reconfig;
  if (request == r.next_remote_request) {
    if (!r.deferred) {
      ++r.next_remote_request;
      return true;
    }
    answer_reset(request, ResetResult::kAlreadyInProgress);
  } else if (request + 1 == r.next_remote_request && r.last_result) {
    answer_reset(request, *r.last_result);
  } else {
    answer_reset(request, ResetResult::kBadSequence);
  }
  return false;
}

void Association::answer_reset(std::uint32_t request, ResetResult result) {
  if (request + 1 == transfer_->reconfig.next_remote_request) transfer_->reconfig.last_result = result;
  ReconfigParameter parameter =
      ResetResponse{.response = request, .result = static_cast<std::uint32_t>(result)};
  ByteWriter chunk;
  write_reconfig({&parameter, 1}, chunk);
  reply(std::move(chunk));
}

void Association::handle_request(const OutgoingReset& reset, Outputs& out) {
  if (!take_request(reset.request)) return;
  Reconfig& r = transfer_->reconfig;
  bool is_known = std::ranges::all_of(
      reset.streams, [&](StreamId stream) { return stream < transfer_->agreed.inbound_streams; });
  if (!is_known) return answer_reset(reset.request, ResetResult::kWrongStream);
  if (transfer_->tracker.unwrap(reset.last_tsn) <= transfer_->tracker.cumulative())
    return perform_reset(reset, out);
  // What was sent before the reset is still on its way. The answer waits for it; should the peer ask again
  // meanwhile, it hears that we are at it.
  r.deferred = reset;
  r.last_result = ResetResult::kInProgress;
}

void Association::perform_reset(const OutgoingReset& reset, Outputs& out) {
  transfer_->reassembly.reset_streams(reset.streams);
  answer_reset(reset.request, ResetResult::kPerformed);
  out.push(StreamsReset{reset.streams});
}

void Association::try_deferred_reset(Outputs& out) {
  Reconfig& r = transfer_->reconfig;
  if (!r.deferred) return;
  if (transfer_->tracker.unwrap(r.deferred->last_tsn) > transfer_->tracker.cumulative()) return;
  OutgoingReset reset = std::move(*r.deferred);
  r.deferred.reset();
  perform_reset(reset, out);
}

// The peer asks us to reset our direction. Our own request, which names this one, is the answer.
void Association::handle_request(const IncomingReset& reset) {
  if (!take_request(reset.request)) return;
  Reconfig& r = transfer_->reconfig;
  std::vector<StreamId> asked = reset.streams.empty() ? queue_.streams() : reset.streams;
  std::ranges::sort(asked);
  asked.erase(std::ranges::unique(asked).begin(), asked.end());
  std::erase_if(asked, [&](StreamId stream) { return !queue_.may_reset(stream); });
  if (asked.empty()) return answer_reset(reset.request, ResetResult::kNothingToDo);
  for (StreamId stream : asked) queue_.begin_reset(stream);
  r.waiting.insert(r.waiting.end(), asked.begin(), asked.end());
  r.answers = reset.request;
  r.last_result = ResetResult::kInProgress;
}

void Association::handle_request(const AddStreams& add) {
  if (!take_request(add.request)) return;
  Connected& agreed = transfer_->agreed;
  bool fits = add.is_outgoing && add.count > 0 && agreed.inbound_streams + add.count <= kStreamsAnnounced;
  if (fits) agreed.inbound_streams = static_cast<std::uint16_t>(agreed.inbound_streams + add.count);
  answer_reset(add.request, fits ? ResetResult::kPerformed : ResetResult::kDenied);
}

// Asks for what is waiting and drained, unless a request is under way (RFC 6525 §5.1.2).
void Association::try_next_reset() {
  if (!can_transfer()) return;
  Reconfig& r = transfer_->reconfig;
  if (r.asked || r.waiting.empty()) return;
  OutgoingReset reset{.request = r.next_request};
  std::size_t fits = std::min(kResetStreamsPerRequestMax,
                              (config_.packet_bytes_max - kCommonHeaderBytes - kChunkHeaderBytes - 16) / 2);
  for (StreamId stream : r.waiting)
    if (reset.streams.size() < fits && queue_.is_drained(stream)) reset.streams.push_back(stream);
  if (reset.streams.empty()) return;
  std::erase_if(r.waiting, [&](StreamId stream) {
    return std::ranges::find(reset.streams, stream) != reset.streams.end();
  });
  reset.last_tsn = static_cast<std::uint32_t>(transfer_->outstanding.next_tsn() - 1);
  transfer_->outstanding.mark_reset();
  reset.response = r.answers.value_or(r.next_remote_request - 1);
  r.answers.reset();
  ++r.next_request;
  r.asked = Reconfig::Request{.reset = std::move(reset)};
}

void Association::handle_response(Timestamp now, const ResetResponse& response, Outputs& out) {
  Reconfig& r = transfer_->reconfig;
  if (!r.asked || r.asked->reset.request != response.response) return;
  failures_ = 0;
  auto result = static_cast<ResetResult>(response.result);
  if (result == ResetResult::kInProgress) return set_timer(kResetTimer, now + transfer_->rto.value());
  bool is_performed = result == ResetResult::kPerformed || result == ResetResult::kNothingToDo;
  std::vector<StreamId> streams = std::move(r.asked->reset.streams);
  r.asked.reset();
  stop_timer(kResetTimer);
  for (StreamId stream : streams) queue_.finish_reset(stream, is_performed);
  if (r.last_result == ResetResult::kInProgress && !r.deferred && r.waiting.empty())
    r.last_result = is_performed ? ResetResult::kPerformed : ResetResult::kDenied;
  out.push(ResetFinished{std::move(streams), is_performed});
}

}  // namespace stoa::sctp

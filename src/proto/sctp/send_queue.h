// Messages that wait to be sent, stream by stream, and which of them goes next.
//
// Streams share the line by weight: each chunk moves its stream's finishing time on by size over weight,
// and the stream with the earliest goes next (RFC 8260 §3.6, weighted fair queueing). With DATA a message
// that was begun is finished first, since its fragments need consecutive TSNs; with I-DATA streams take
// turns in mid-message. Bounded by Limits::send_buffer_bytes_max and Limits::streams_max. A message counts
// whole until its last fragment is taken, since it is kept whole.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "proto/sctp/limits.h"
#include "proto/sctp/refusal.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

struct OutgoingMessage {
  StreamId stream = 0;
  PayloadProtocol protocol = 0;
  SharedBytes payload;  // Not empty.
  bool is_unordered = false;
  Reliability reliability;
};

// One fragment, ready for a TSN.
struct OutgoingChunk {
  StreamId stream = 0;
  std::uint32_t message_number = 0;  // SSN or MID, cut to its width when written.
  std::uint32_t fragment = 0;
  PayloadProtocol protocol = 0;
  bool is_unordered = false, is_begin = false, is_end = false;
  SharedBytes payload;
  std::uint64_t message_id = 0;  // Ours, not on the wire: what belongs together.
  Timestamp expires = Timestamp::never();
  std::optional<std::uint16_t> retransmissions_max;
};

class SendQueue {
 public:
  static constexpr std::uint16_t kDefaultWeight = 256;  // "normal" (RFC 8831 §6.4)

  struct MessageKey {
    StreamId stream;
    std::uint64_t message_id;
  };

  explicit SendQueue(const Limits& limits) : limits_(limits) {}

  // kEmptyMessage, kMessageTooLarge, kTooManyStreams, kSendBufferFull.
  Result<void, Refusal> add(Timestamp now, OutgoingMessage&& message);
  // Known once the association stands: whether fragments interleave, and whether messages may be given up.
  void set_mode(bool is_interleaved, bool may_give_up);
  // The next fragment of at most `room` bytes; nothing when it would be better off in a packet of its own,
  // which holds `payload_bytes_max`. Messages that expired unsent are dropped on the way. One that expired
  // half sent stops the search: see take_expired().
  std::optional<OutgoingChunk> take(Timestamp now, std::size_t room, std::size_t payload_bytes_max);
  // Messages found expired with fragments already sent; the owner gives them up.
  std::vector<MessageKey> take_expired();
  // Forgets what is left of a message that was begun. Gives an empty last fragment to stand for it, if the
  // last one had not been taken.
  std::optional<OutgoingChunk> drop_rest(MessageKey key);

  // Messages queued already still go; those added from now on wait for finish_reset().
  void begin_reset(StreamId stream);
  // It has sent something and is not being reset.
  bool may_reset(StreamId stream) const;
  bool is_drained(StreamId stream) const;
  // Goes on with what waited; with `restarts_numbers` from SSN and MID 0.
  void finish_reset(StreamId stream, bool restarts_numbers);
  // For a peer that began anew: everything half sent is sent again from its start, all numbers from 0.
  void restart();

  void set_weight(StreamId stream, std::uint16_t weight);  // 0 counts as 1.
  // Says so once (take_low) when what waits on the stream falls to `bytes` or below.
  void set_low_mark(StreamId stream, std::size_t bytes);
  std::vector<StreamId> take_low() { return std::exchange(low_, {}); }

  // Nothing may be sent now; what waits for a reset does not count.
  bool empty() const { return schedule_.empty(); }
  // Payload that was not taken yet.
  std::size_t buffered_bytes() const { return buffered_bytes_; }
  std::size_t buffered_bytes(StreamId stream) const;
  // Payload of all messages here with kMessageOverheadBytes each: at most Limits::send_buffer_bytes_max.
  std::size_t held_bytes() const { return held_bytes_; }
  std::size_t memory_bytes() const { return held_bytes_ + streams_.size() * kStreamOverheadBytes; }
  std::vector<StreamId> streams() const;
  std::uint64_t given_up() const { return given_up_; }  // Messages dropped before any of them was sent.

 private:
  struct Waiting {
    std::uint64_t id;
    OutgoingMessage message;
    Timestamp expires;
    std::size_t sent_bytes = 0;
    std::uint32_t fragment = 0;
    std::uint32_t number = 0;
    std::size_t held_bytes() const { return message.payload.size() + kMessageOverheadBytes; }
  };
  struct Stream {
    std::list<Waiting> messages;  // Lists: an empty one costs nothing more.
    std::list<Waiting> held;      // For after the reset.
    std::uint32_t next_ordered = 0, next_unordered = 0;
    std::size_t buffered_bytes = 0;
    std::size_t low_mark = 0;
    bool is_above_low_mark = false;
    bool is_resetting = false;
    std::uint16_t weight = kDefaultWeight;
    std::uint64_t finish = 0;  // Virtual time.
  };

  void release(StreamId id, Stream& stream, std::size_t bytes);
  void pop_front(StreamId id, Stream& stream);
  void unhold(StreamId id, Stream& stream);
  bool make_room(std::size_t cost, const Reliability& reliability, Timestamp now);
  OutgoingChunk cut(Stream& stream, Waiting& waiting, std::size_t room);

  Limits limits_;
  bool is_interleaved_ = false;
  bool may_give_up_ = true;
  std::map<StreamId, Stream> streams_;
  std::set<std::pair<std::uint64_t, StreamId>> schedule_;  // Streams with messages, by finishing time.
  std::optional<StreamId> begun_;                          // DATA: the stream in mid-message.
  std::uint64_t virtual_time_ = 0;
  std::uint64_t next_id_ = 1;
  std::size_t buffered_bytes_ = 0, held_bytes_ = 0;
  std::vector<MessageKey> expired_;
  std::vector<StreamId> low_;
  std::uint64_t given_up_ = 0;
};

}  // namespace stoa::sctp

// What FanOut is made of. fan_out.cc: streams and senders; fan_out_source.cc: which layer feeds whom;
// fan_out_send.cc: packets into trains; fan_out_reports.cc: RTCP both ways.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/slot_table.h"
#include "media/payload/layer_flow.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/round_trip.h"
#include "proto/rtcp/writer.h"
#include "session/webrtc/congestion.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/outlet.h"
#include "session/webrtc/wheel.h"

namespace stoa::webrtc {

// A layer that its sender gave up for so long is not sent from.
inline constexpr Duration kLayerStall = Duration::milliseconds(300);
// What another stream takes over from need not be waited for the end of.
inline constexpr Duration kSourceSilence = Duration::seconds(2);
inline constexpr Duration kLayerCheck = Duration::milliseconds(100);
// How long a switch waits for the rest of the frame that is being sent.
inline constexpr Duration kFrameEndWait = Duration::milliseconds(100);
// Clocks of two sources that differ by more than this from when their packets came are not believed.
inline constexpr Duration kClockSkewMax = Duration::seconds(2);
// A receiver's keyframe request is answered from the history when the keyframe is younger: the publisher's
// answer would take as long. What is older would be a burst for a receiver that has just lost packets.
inline constexpr Duration kReplayMax = Duration::milliseconds(300);
// The same of who goes over to another layer, or to another source: a layer that its sender takes up again
// begins with a keyframe, and most who want it want it for that. It may be larger than what was sent before.
inline constexpr Duration kSwitchReplayMax = Duration::milliseconds(100);
// A source that cannot be asked leaves no other answer; then not more often than this, from when the last
// replay was sent to its end …
inline constexpr Duration kReplayInterval = Duration::seconds(2);
// … and no more than the pacer lets go in this time: a receiver that has just lost packets would lose more of
// a longer burst, and be late by all of it. It is better off with the next keyframe.
inline constexpr Duration kReplaySendMax = Duration::seconds(1);
// Of a layer: however many ask, its publisher is asked no more often.
inline constexpr Duration kAskInterval = Duration::milliseconds(300);
// Histories are looked through for what is too old, and frames counted.
inline constexpr Duration kTrimInterval = Duration::seconds(1);
// A receiver that never reports is told its playout delay so many times.
inline constexpr std::uint64_t kPlayoutPacketsMax = 1'000;
inline constexpr Duration kKeyframeOnItsWay = Duration::milliseconds(200);
inline constexpr Duration kRoundTripUnknown = Duration::milliseconds(100);
// How far an outgoing number may jump ahead, or come late: within SRTP's window (srtp::kRtpReplayWindow).
inline constexpr std::int64_t kGapMax = 1000, kLateMax = 1000;
// Packets are padded by up to this much to make a train: far cheaper than one more call for each.
inline constexpr std::size_t kEqualizeBytesMax = 32;
// Packets that are encrypted together, over receivers.
inline constexpr std::size_t kProtectPackets = 256;
// Numbers that a receiver says it misses and that are looked at: so many in so long, however many it names.
// No more would find a place in the queue; one that is passed over and still missed is named again.
inline constexpr std::uint32_t kNacksMax = Retransmissions::kQueueMax;
inline constexpr Duration kNacksInterval = Duration::milliseconds(10);
// What may be sent again whatever was sent before.
inline constexpr std::uint64_t kRetransmissionFloorBytes = 20'000;
// Sound that so many are sent waits for that of others who speak (FanOutConfig::gather_max) …
inline constexpr std::size_t kGatherOutlets = 200;
// … if somebody else that many hear spoke so lately.
inline constexpr Duration kGatherCompany = Duration::milliseconds(40);

struct Stream {
  payload::RtpTrack track;
  std::array<std::unique_ptr<Layer>, payload::kLayersMax> layers;
  payload::LayerFlow flow;
  std::vector<OutletRef> subscribed;  // Outlets whose source it is.

  std::size_t layer_count() const { return std::clamp<std::size_t>(track.layers, 1, payload::kLayersMax); }
};

struct Sender {
  Sender(const bwe::PacerConfig& pacing, srtp::SendContext& keys, const ice::Path& to)
      : context(&keys), path(to), route(to.remote), pacer(pacing) {}

  SenderId id;
  srtp::SendContext* context;
  std::optional<ice::Path> path;  // None: nothing is sent.
  SocketAddress route;            // Of the last path.
  bwe::Pacer pacer;
  std::unique_ptr<Congestion> congestion;  // Null: not controlled.
  std::uint16_t transport_sequence = 1;    // Of one that is not.
  std::uint8_t tag_bytes = 0;
  bool is_in_work = false, is_held = false;
  bool can_pad = false;  // One of its outlets can.
  // Outlets that may have something to send, the first of each list.
  std::array<std::uint16_t, 2> first_queued{Outlet::kNone, Outlet::kNone};
  std::array<std::uint16_t, 2> last_queued{Outlet::kNone, Outlet::kNone};
  std::vector<Outlet> outlets;
  // Of outlets that were closed: under one key no number may come twice.
  struct Retired {
    std::uint32_t ssrc = 0;
    std::uint16_t next = 0;
  };
  std::vector<Retired> retired;
  ByteWindow sent, sent_again;
  std::uint32_t nacks_left = kNacksMax;  // Until …
  Timestamp nacks_until;

  std::string cname;
  rtcp::RoundTrip round_trip;
  // Of the report that is being read: packets that it speaks of, and how many of them were lost.
  std::uint32_t reported_packets = 0;
  double reported_losses = 0;
  Timestamp red_until;  // Redundancy is called for.
  struct ReferenceTime {
    std::uint32_t ssrc = 0, compact = 0;
    Timestamp at;
  };
  std::optional<ReferenceTime> reference_time;

  std::span<Outlet> all() { return outlets; }
  // After one was opened or closed.
  void note_outlets() { can_pad = std::ranges::any_of(outlets, &Outlet::can_pad); }
};

struct FanOut::Impl {
  Impl(const FanOutConfig& settings, srtp::Transform& cipher, Rng random);

  // Lists.
  void enter(Role role, std::vector<OutletRef>& list, OutletRef ref, Outlet& outlet);
  void leave(Role role, std::vector<OutletRef>& list, Outlet& outlet);
  Outlet* find_outlet(OutletRef ref);
  Sender* find_sender(SenderId id);
  Stream* find_stream(StreamId id);
  Layer* find_layer(StreamId id, std::size_t layer);
  void detach(Outlet& outlet);
  void open(Sender& sender, Outlet& outlet, const OutletConfig& from);
  void close(Sender& sender, std::uint16_t index);
  void dequeue(Sender& sender, std::uint16_t index);
  std::uint16_t first_number(Sender& sender, std::uint32_t ssrc);
  void enqueue(Sender& sender, std::uint16_t outlet);
  void enqueue(Sender& sender);
  void release(Sender& sender);
  void steer(Timestamp at, Sender& sender, FanOutOutputs& out);

  // Sources.
  void subscribe(Timestamp at, OutletRef ref, StreamId stream);
  void choose_layer(Timestamp at, OutletRef ref);
  void reconsider(Timestamp at, Stream& stream);
  void append(Timestamp at, StreamId id, std::span<const payload::PacketBatch> batches, bool is_group);
  void take_group(Timestamp at, Layer& layer, std::span<const payload::PacketBatch> group);
  void note_dirty(Timestamp at, Layer& layer, bool is_sound);
  bool may_wait(Timestamp at, const Layer& layer);
  void release_gathered();
  void wait_for(Timestamp at, OutletRef ref, Outlet& outlet, Layer* layer);
  void stop_waiting(Outlet& outlet);
  void leave_feed(Outlet& outlet);
  bool is_ready(Timestamp at, const Outlet& outlet) const;
  bool has_keyframe(Timestamp at, const Outlet& outlet) const;
  void enter_feed(Timestamp at, OutletRef ref, Outlet& outlet);
  bool is_silent(Timestamp at, const Outlet& outlet) const;
  Duration elapsed_to(const Outlet& outlet, const Layer& layer, Position to) const;
  bool settle(Timestamp at, OutletRef ref, Outlet& outlet);
  void want_keyframe(Layer& layer);
  void climb(Timestamp at, const Outlet& outlet);
  Timestamp wish_due(const Layer& layer) const;
  Timestamp next_wish() const;
  void emit_wanted(FanOutOutputs& out);
  void check_layers(Timestamp at);
  void measure(Timestamp at, Layer& layer);
  void trim_histories(Timestamp at);

  // Sending.
  // A packet whose descriptor says something else to its receiver.
  struct Rewritten {
    payload::Packet packet;
    Buffer descriptor;
  };
  struct Planned;
  struct Plan;
  enum class Sent : std::uint8_t { kAll, kNoRoom, kHeld };
  bool fill(Timestamp at, DatagramBatch& batch);
  void collect_dirty();
  void prefetch_work();
  void rotate(Sender& sender, std::size_t list);
  Sent send(Timestamp at, Sender& sender, DatagramBatch& batch);
  bool plan_list(Timestamp at, Sender& sender, std::size_t list, std::int64_t budget, Plan& plan);
  bool plan_video(Timestamp at, Sender& sender, Plan& plan);
  void plan_padding(Sender& sender, std::int64_t budget, Plan& plan);
  bool send_padding(Timestamp at, Sender& sender, std::int64_t budget, DatagramBatch& batch);
  void hold(Timestamp at, Sender& sender);
  void plan_again(Sender& sender, Outlet& outlet, std::int64_t budget, Plan& plan);
  void plan_media(Timestamp at, OutletRef ref, Sender& sender, Outlet& outlet, std::int64_t budget,
                  Plan& plan);
  void plan_packet(Sender& sender, Outlet& outlet, const Run& run, const History& history, Position position,
                   bool is_again, Plan& plan);
  bool pass_gap(Timestamp at, OutletRef ref, Outlet& outlet, Position position);
  bool turn_level(Outlet& outlet, Position position, std::int64_t next, const Plan& plan);
  const Rewritten* rewrite_targets(const Outlet& outlet, const Run& run, const History& history,
                                   Position position);
  bool ends_picture(const Outlet& outlet, const Run& run, const History& history, Position position,
                    bool is_again) const;
  void pass(Timestamp at, Outlet& outlet, Position position);
  bool has_more(const Outlet& outlet) const;
  void drop_finished(Sender& sender, std::size_t list);
  bool write_plan(Timestamp at, Sender& sender, Plan& plan, DatagramBatch& batch);
  std::size_t cut_train(std::span<Planned> planned, std::size_t& segment_bytes, std::size_t& total);
  void write_packet(Sender& sender, const Planned& planned, std::size_t bytes, std::uint8_t* out);
  void write_prefix(const Planned& planned, std::uint8_t* out) const;
  void note_departure(Timestamp at, Congestion& of, const Planned& planned, std::size_t bytes) const;
  void note_sent(Timestamp at, Sender& sender, const Planned& planned);
  void protect_all();

  // Reports.
  void handle_nack(Timestamp at, Sender& sender, std::uint16_t index, const rtcp::Nack& nack);
  bool ask_again(Timestamp at, Sender& sender, Outlet& outlet, std::uint16_t sequence);
  void handle_keyframe_request(Timestamp at, Sender& sender, std::uint16_t index);
  void handle_report_block(Timestamp at, Sender& sender, const rtcp::ReportBlock& block);
  void handle_packet(Timestamp at, Sender& sender, const rtcp::Packet& packet);
  void tell_loss(Timestamp at, Sender& sender);
  void call_for_red(Timestamp at, Sender& sender, double loss);
  void handle_extended(Timestamp at, Sender& sender, const rtcp::ExtendedReport& report);
  void handle_fir(Timestamp at, Sender& sender, const rtcp::Fir& fir);
  bool can_replay(Timestamp at, const Sender& sender, const Outlet& outlet) const;
  void replay(Timestamp at, Sender& sender, std::uint16_t index);
  Outlet* find_ssrc(Sender& sender, std::uint32_t ssrc, std::uint16_t& index);
  void report(Timestamp at, WallTime wall, Sender& sender, FanOutOutputs& out);
  void flush_report(Sender& sender, FanOutOutputs& out);
  std::uint32_t report_time_of(Timestamp at, WallTime wall, const Outlet& outlet) const;

  FanOutConfig config;
  srtp::Transform& transform;
  Rng rng;
  Totals totals;
  Timestamp now;                // Of the last input.
  std::uint32_t send_time = 0;  // As abs-send-time.
  SlotTable<Stream, struct StreamTag> streams;
  SlotTable<std::unique_ptr<Sender>, struct SenderTag> senders;
  std::vector<SenderId> ids;                      // By index, for wheels.
  std::vector<Layer*> dirty;                      // With packets that nobody looked at yet.
  std::vector<Layer*> gathered;                   // The same, of sound that waits for other sound …
  Timestamp gathered_until = Timestamp::never();  // … till then.
  std::vector<Layer*> wanted;
  std::vector<SenderId> work;  // From work_first on: senders with something to send.
  std::size_t work_first = 0;
  std::size_t layered_streams = 0;  // With more than one layer.
  Timestamp layers_checked_at = Timestamp::never();
  Timestamp trimmed_at = Timestamp::never();  // The next time. Never: nothing is kept.
  Wheel pacing{Duration::milliseconds(1)}, reports{Duration::milliseconds(10)};
  Wheel congestion{Duration::milliseconds(5)};
  Congestion::Scratch congestion_scratch;
  std::vector<srtp::RtpToProtect> protecting;
  std::deque<Rewritten> rewritten;  // While they are planned.
  rtcp::Writer writer;
};

}  // namespace stoa::webrtc

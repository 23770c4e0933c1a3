// For tests: a worker behind a slow line that makes renditions by copying frames.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "media/codec_vectors.h"
#include "proto/relay/connection.h"
#include "shard/workers.h"
#include "sim/link.h"

namespace stoa::shard {

struct RelayWorker {
  RelayWorker(sim::VirtualTime& time, std::uint32_t at, WorkerKey k, std::string token)
      : up(time, {.latency = Duration::milliseconds(2), .is_stream = true}, Rng(k)),
        down(time, {.latency = Duration::milliseconds(2), .is_stream = true}, Rng(k + 1)),
        shard(at),
        key(k),
        connection_(relay::Role::kWorker, {}, time.now()) {
    connection_.start({.program = "test", .worker = "worker-" + std::to_string(k), .token = std::move(token)},
                      out_);
    flush(time.now());
  }

  void take(const relay::SendBytes& bytes) {
    down.send(bytes.head);
    if (!bytes.payload.empty()) down.send(bytes.payload.bytes());
  }
  // One moment.
  void run(Timestamp now) {
    for (auto& bytes : down.take_arrived()) {
      if (is_frozen) continue;
      (void)connection_.handle_bytes(now, bytes, out_);
      flush(now);
    }
    if (!is_frozen) connection_.handle_deadline(now, out_);
    flush(now);
  }
  void send(Timestamp now, const relay::Message& message) {
    connection_.send(now, message, out_);
    flush(now);
  }

  sim::Link up, down;
  std::uint32_t shard;
  WorkerKey key;
  bool is_dead = false, is_frozen = false;
  bool takes_frames = true;  // Says so to the owner.
  bool is_closed = false;    // By the owner.
  std::string channel;       // As it was welcomed.
  std::vector<media::Rung> rungs;
  std::vector<relay::ProgramTrack> tracks;
  std::vector<std::uint64_t> cuts;  // Their msn.
  std::vector<relay::ByeReason> byes;
  std::vector<relay::RungRefused> refused;
  std::vector<relay::PicturesWanted> wanted;
  bool adds_keyframe = false;  // Where there is no cut, once.
  std::uint64_t frames = 0;

 private:
  void flush(Timestamp now) {
    while (!out_.empty())
      for (relay::Output& output : out_.take()) handle(now, output);
  }
  void handle(Timestamp now, relay::Output& output) {
    std::visit(Overloaded{
                   [&](relay::SendBytes& send) {
                     up.send(send.head);
                     if (!send.payload.empty()) up.send(send.payload.bytes());
                   },
                   [&](relay::Welcome& welcome) { channel = welcome.channel; },
                   [&](relay::LadderSet& set) {
                     rungs = set.rungs;
                     std::erase_if(begun_, [&](media::RungId id) {
                       if (std::ranges::find(rungs, id, &media::Rung::id) != rungs.end()) return false;
                       connection_.send(now, relay::RungEnded{id, relay::RungEnd::kNotWanted, ""}, out_);
                       return true;
                     });
                   },
                   [&](relay::ProgramTrack& track) { tracks.push_back(track); },
                   [&](relay::ProgramCut& cut) {
                     cuts.push_back(cut.msn);
                     cut_ = cut.at;
                   },
                   [&](relay::ProgramFrame& frame) { copy(now, frame); },
                   [&](relay::PicturesWanted& told) { wanted.push_back(told); },
                   [&](relay::RungRefused& told) { refused.push_back(told); },
                   [&](relay::Ping& ping) { connection_.send(now, relay::Pong{ping.number}, out_); },
                   [&](relay::Bye& bye) { byes.push_back(bye.reason); },
                   [](auto&) {},
               },
               output);
  }
  void copy(Timestamp now, const relay::ProgramFrame& frame) {
    ++frames;
    if (takes_frames) connection_.send(now, relay::FramesTaken{frame.number}, out_);
    const auto track = std::ranges::find(tracks, frame.track, &relay::ProgramTrack::track);
    const bool is_video = track->format.kind() == media::Kind::kVideo;
    const bool is_cut = is_video && cut_ && frame.pts >= *cut_ - Duration::milliseconds(1);
    if (is_cut) cut_.reset();
    const bool is_added = is_video && !is_cut && std::exchange(adds_keyframe, false);
    for (const media::Rung& rung : rungs) {
      if (rung.of != frame.track) continue;
      if (std::ranges::find(begun_, rung.id) == begun_.end()) {
        if (is_video && !is_cut) continue;
        connection_.send(now, relay::RungFormat{rung.id, track->format}, out_);
        begun_.push_back(rung.id);
      }
      connection_.send(now,
                       relay::RungFrame{rung.id,
                                        frame.number,
                                        frame.pts,
                                        frame.pts,
                                        {},
                                        !is_video || is_cut || is_added,
                                        frame.payload},
                       out_);
    }
  }

  relay::Connection connection_;
  relay::Outputs out_;
  std::optional<Duration> cut_;
  std::vector<media::RungId> begun_;
};

}  // namespace stoa::shard

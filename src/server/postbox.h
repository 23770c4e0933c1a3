// The sender's end of a mailbox between two threads, with the policy of shard/mail.h for when it is full:
// media of a track is dropped until its next keyframe, relayed packets and lossy data are dropped, a snapshot
// gives way to a newer one of its channel, the rest waits here, is tried again soon, and goes first when
// there is room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <utility>
#include <variant>

#include "proto/http/message.h"
#include "runtime/http_server.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/timer.h"
#include "shard/mail.h"

namespace stoa::server {

// A request that control answers: REST, metrics.
struct HttpAsked {
  shard::ShardIndex shard;
  runtime::RequestId request;
  http::Request message;
};
struct HttpAnswered {
  runtime::RequestId request;
  http::Response response;
};
using ToControl = std::variant<shard::ControlMail, HttpAsked>;
using ToShard = std::variant<shard::Mail, HttpAnswered>;

template <typename T>
class Postbox {
 public:
  // How soon mail that found a full mailbox is tried again.
  static constexpr Duration kRetry = Duration::milliseconds(2);

  Postbox(runtime::Loop& sender, runtime::Mailbox<T>& mailbox)
      : mailbox_(mailbox), retry_(sender, [this] { flush(); }) {}

  void send(T&& message) {
    flush();
    forget_ended(message);
    const shard::SourceMedia* media = media_of(message);
    if (media && is_behind(*media)) {
      ++dropped_;
      return;
    }
    if (waiting_.empty() && mailbox_.try_send(std::move(message))) return;
    if (is_packets(message)) {
      // Receivers notice the hole and ask for a keyframe.
      ++dropped_;
      return;
    }
    if (const auto* frame = media ? std::get_if<media::TrackFrame>(&media->event) : nullptr) {
      ++dropped_;
      behind_.emplace(media->source.value, frame->track);
      return;
    }
    auto older = std::find_if(waiting_.begin(), waiting_.end(),
                              [&](const T& waiting) { return replaces(message, waiting); });
    if (older != waiting_.end()) {
      *older = std::move(message);
    } else {
      waiting_.push_back(std::move(message));
    }
    retry_soon();
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void flush() {
    while (!waiting_.empty() && mailbox_.try_send(std::move(waiting_.front()))) waiting_.pop_front();
    if (!waiting_.empty()) retry_soon();
  }
  void retry_soon() {
    if (retry_.at() == Timestamp::never()) retry_.set(runtime::Loop::now() + kRetry);
  }

  static const shard::SourceMedia* media_of(const ToShard& message) {
    const auto* mail = std::get_if<shard::Mail>(&message);
    return mail ? std::get_if<shard::SourceMedia>(mail) : nullptr;
  }
  static const shard::SourceMedia* media_of(const ToControl&) { return nullptr; }
  static bool is_packets(const ToShard& message) {
    const auto* mail = std::get_if<shard::Mail>(&message);
    const auto* relayed = mail ? std::get_if<relay::ToSubscriber>(mail) : nullptr;
    if (mail && is_lossy_data(*mail)) return true;
    return relayed && (std::holds_alternative<relay::PacketsSent>(*relayed) ||
                       std::holds_alternative<relay::GroupSent>(*relayed));
  }
  static bool is_packets(const ToControl&) { return false; }
  // Of participants, who said that it may be lost.
  static bool is_lossy_data(const shard::Mail& mail) {
    if (const auto* asked = std::get_if<shard::RoomAsked>(&mail)) {
      const auto* data = std::get_if<room::SendData>(&asked->command);
      return data && !data->is_reliable;
    }
    const auto* told = std::get_if<shard::RoomTold>(&mail);
    const auto* data = told ? std::get_if<room::DataArrived>(told->event.get()) : nullptr;
    return data && !data->is_reliable;
  }

  void forget_ended(const ToShard& message) {
    const auto* mail = std::get_if<shard::Mail>(&message);
    const auto* ended = mail ? std::get_if<shard::SourceEnded>(mail) : nullptr;
    if (ended) std::erase_if(behind_, [&](const auto& lost) { return lost.first == ended->source.value; });
  }
  void forget_ended(const ToControl&) {}

  // True while a track that lost frames has not come to its next keyframe.
  bool is_behind(const shard::SourceMedia& media) {
    const auto* frame = std::get_if<media::TrackFrame>(&media.event);
    if (behind_.empty() || !frame) return false;
    auto lost = behind_.find({media.source.value, frame->track});
    if (lost == behind_.end()) return false;
    if (!frame->frame.is_keyframe) return true;
    behind_.erase(lost);
    return false;
  }
  static const live::ChannelSnapshot* snapshot_of(const ToShard& message) {
    const auto* mail = std::get_if<shard::Mail>(&message);
    const auto* changed = mail ? std::get_if<shard::SnapshotChanged>(mail) : nullptr;
    return changed ? changed->snapshot.get() : nullptr;
  }
  static bool replaces(const ToShard& newer, const ToShard& older) {
    const auto* a = snapshot_of(newer);
    const auto* b = snapshot_of(older);
    return a && b && a->channel == b->channel && a->broadcast == b->broadcast;
  }
  // A status report gives way to the next one of the channel; audiences likewise.
  static bool replaces(const ToControl& newer, const ToControl& older) {
    const auto* a = std::get_if<shard::ControlMail>(&newer);
    const auto* b = std::get_if<shard::ControlMail>(&older);
    if (!a || !b) return false;
    const auto* report = std::get_if<shard::ChannelReported>(a);
    const auto* earlier = std::get_if<shard::ChannelReported>(b);
    if (report && earlier) return report->status.channel == earlier->status.channel;
    return std::holds_alternative<shard::AudienceReported>(*a) &&
           std::holds_alternative<shard::AudienceReported>(*b);
  }

  runtime::Mailbox<T>& mailbox_;
  runtime::DeadlineTimer retry_;
  std::deque<T> waiting_;
  std::set<std::pair<std::uint64_t, media::TrackId>> behind_;
  std::uint64_t dropped_ = 0;
};

}  // namespace stoa::server

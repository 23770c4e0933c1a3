// Webhooks: what happened in rooms, on its way to the web servers of the operator's. Every URL gets every
// event, in order, one at a time; one that is slow or down holds up only itself. Pure: it says what to send
// now and is told how that went.
//
//   add() … flush() -> DeliverWebhook -> handle_result() -> the next DeliverWebhook, or a wait
//
// An event is in the store before it is sent for the first time, and until its receiver took it, so it
// outlives the process. What was sent when the process ended is sent again under the same id: at least once.
// Changes are kept in batches, at most kWebhookFlush after they came about.
//
// An event that was not taken is tried again after a wait that doubles with each failure of its URL in a row:
// 0.5 … 1 s, 1 … 2 s, …, 30 … 60 s. After kWebhookAttemptsMax tries, or when it is older than kWebhookAgeMax,
// it is given up, and the next one has its turn.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/metric.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "control/store.h"

namespace stoa::control {

inline constexpr std::size_t kWebhookUrlsMax = 16;
inline constexpr std::size_t kWebhooksMax = 100'000;         // Of one URL, kept. Over it the oldest goes.
inline constexpr std::size_t kWebhooksUnstoredMax = 10'000;  // Of all, while the store fails. Likewise.
inline constexpr std::size_t kWebhookHeadMax = 64;           // Of one URL, in memory.
inline constexpr std::uint32_t kWebhookAttemptsMax = 50;
inline constexpr Duration kWebhookAgeMax = Duration::seconds(24 * 3600);
inline constexpr Duration kWebhookWaitMin = Duration::milliseconds(500);
inline constexpr Duration kWebhookWaitMax = Duration::seconds(60);
inline constexpr Duration kWebhookFlush = Duration::milliseconds(10);
inline constexpr Duration kWebhookStoreRetry = Duration::seconds(1);

// Send this now, and tell how it went. Until then there is no other for its URL.
struct DeliverWebhook {
  std::size_t url = 0;  // Index in the list of URLs.
  std::uint64_t sequence = 0;
  std::string event_id;
  std::string body;
  std::uint32_t attempt = 1;
};
enum class WebhookDrop : std::uint8_t {
  kAttempts,   // kWebhookAttemptsMax.
  kAge,        // kWebhookAgeMax.
  kQueueFull,  // kWebhooksMax.
  kNotStored,  // kWebhooksUnstoredMax.
};
const char* name_of(WebhookDrop why);
// It will not be delivered to this URL: for the log.
struct WebhookDropped {
  std::size_t url = 0;
  std::string event_id;
  WebhookDrop why = WebhookDrop::kAttempts;
};
using WebhookOutput = std::variant<DeliverWebhook, WebhookDropped>;
using WebhookOutputs = Outbox<WebhookOutput>;

class Webhooks {
 public:
  // `urls`: at most kWebhookUrlsMax, each once. `rng`: for the waits.
  Webhooks(Store& store, std::vector<std::string> urls, Rng rng);

  // Once, before all else: what the process before this one left is due. Answers how many were for URLs that
  // are no more, which are forgotten.
  Result<std::size_t, StoreRefusal> load();

  // `id`: unique to the event. Sent only after the next flush.
  void add(Timestamp now, WallTime wall, std::string id, std::string body, WebhookOutputs& out);
  // Keeps what changed, now. False: the store failed; it is tried again after kWebhookStoreRetry.
  bool flush(Timestamp now, WallTime wall, WebhookOutputs& out);
  void handle_result(Timestamp now, WallTime wall, std::size_t url, std::uint64_t sequence, bool is_taken,
                     WebhookOutputs& out);

  void handle_deadline(Timestamp now, WallTime wall, WebhookOutputs& out);
  Timestamp next_deadline() const;

  const std::vector<std::string>& urls() const { return urls_; }
  std::size_t queued(std::size_t url) const { return queues_[url].stored; }  // Kept, and not taken yet.
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Queue {
    std::deque<WebhookDelivery> head;  // The oldest of those that are kept.
    std::size_t stored = 0;            // Those in `head`, and those in the store alone.
    std::uint64_t last_read = 0;       // The newest that ever was in `head`.
    bool is_sending = false;           // head.front() is.
    std::uint32_t failures = 0;        // In a row.
    Timestamp wait_until;
  };

  void note_change(Timestamp now);
  std::size_t index_of(const std::string& url) const;
  Result<void, StoreRefusal> store_changes();
  void take_stored(Timestamp now, WebhookOutputs& out);
  void enforce_limit(Timestamp now, std::size_t url, WebhookOutputs& out);
  void refill(Timestamp now, Queue& queue, const std::string& url);
  void remove(Timestamp now, Queue& queue, std::size_t place);
  void drop(Timestamp now, std::size_t url, std::size_t place, WebhookDrop why, WebhookOutputs& out);
  void send_next(Timestamp now, WallTime wall, std::size_t url, WebhookOutputs& out);
  Duration wait_after(std::uint32_t failures);

  Store& store_;
  std::vector<std::string> urls_;
  std::vector<Queue> queues_;  // By URL.
  Rng rng_;
  std::uint64_t last_sequence_ = 0;
  WebhookChanges changes_;  // Not kept yet.
  Timestamp flush_at_ = Timestamp::never();
  Timestamp no_flush_before_;  // The store failed.

  struct Counters {
    std::uint64_t delivered = 0, failed_tries = 0;
    std::uint64_t dropped[4] = {};  // By WebhookDrop.
  };
  Counters counters_;
};

}  // namespace stoa::control

#include "control/webhooks.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace stoa::control {

const char* name_of(WebhookDrop why) {
  switch (why) {
    case WebhookDrop::kAttempts: return "attempts";
    case WebhookDrop::kAge: return "age";
    case WebhookDrop::kQueueFull: return "queue_full";
    case WebhookDrop::kNotStored: return "not_stored";
  }
  return "unknown";
}

Webhooks::Webhooks(Store& store, std::vector<std::string> urls, Rng rng)
    : store_(store), urls_(std::move(urls)), queues_(urls_.size()), rng_(rng) {
  STOA_ASSERT(urls_.size() <= kWebhookUrlsMax);
}

Result<std::size_t, StoreRefusal> Webhooks::load() {
  STOA_TRY(const std::size_t forgotten, store_.forget_webhooks_but(urls_));
  STOA_TRY(last_sequence_, store_.last_webhook());
  for (std::size_t url = 0; url < urls_.size(); ++url) {
    STOA_TRY(queues_[url].stored, store_.count_webhooks(urls_[url]));
  }
  return forgotten;
}

std::size_t Webhooks::index_of(const std::string& url) const {
  return static_cast<std::size_t>(std::find(urls_.begin(), urls_.end(), url) - urls_.begin());
}

void Webhooks::note_change(Timestamp now) {
  flush_at_ = std::min(flush_at_, std::max(now + kWebhookFlush, no_flush_before_));
}

void Webhooks::add(Timestamp now, WallTime wall, std::string id, std::string body, WebhookOutputs& out) {
  for (const std::string& url : urls_) changes_.added.push_back({++last_sequence_, url, id, body, wall, 0});
  if (changes_.added.size() > kWebhooksUnstoredMax) {  // Several at once: taking one off the front costs all.
    const std::size_t excess = changes_.added.size() - kWebhooksUnstoredMax + kWebhooksUnstoredMax / 100;
    for (std::size_t i = 0; i < excess; ++i) {
      const WebhookDelivery& oldest = changes_.added[i];
      out.push(WebhookDropped{index_of(oldest.url), oldest.event_id, WebhookDrop::kNotStored});
    }
    counters_.dropped[static_cast<std::size_t>(WebhookDrop::kNotStored)] += excess;
    changes_.added.erase(changes_.added.begin(),
                         changes_.added.begin() + static_cast<std::ptrdiff_t>(excess));
  }
  if (!changes_.added.empty()) note_change(now);
}

Result<void, StoreRefusal> Webhooks::store_changes() {
  auto stored = store_.change_webhooks(changes_);
  if (stored || stored.error() != StoreRefusal::kExists) return stored;
  // The process before this one was not quite over.
  STOA_TRY(last_sequence_, store_.last_webhook());
  for (WebhookDelivery& added : changes_.added) added.sequence = ++last_sequence_;
  return store_.change_webhooks(changes_);
}

bool Webhooks::flush(Timestamp now, WallTime wall, WebhookOutputs& out) {
  flush_at_ = Timestamp::never();
  if (changes_.empty()) return true;
  if (!store_changes()) {
    flush_at_ = no_flush_before_ = now + kWebhookStoreRetry;
    return false;
  }
  take_stored(now, out);
  for (std::size_t url = 0; url < urls_.size(); ++url) send_next(now, wall, url, out);
  return true;
}

// What was added is in the store from here on.
void Webhooks::take_stored(Timestamp now, WebhookOutputs& out) {
  WebhookChanges stored = std::exchange(changes_, {});
  for (WebhookDelivery& added : stored.added) {
    Queue& queue = queues_[index_of(added.url)];
    const bool is_all_here = queue.head.size() == queue.stored++;
    if (!is_all_here || queue.head.size() >= kWebhookHeadMax) continue;
    queue.last_read = added.sequence;
    queue.head.push_back(std::move(added));
  }
  for (std::size_t url = 0; url < urls_.size(); ++url) enforce_limit(now, url, out);
}

void Webhooks::enforce_limit(Timestamp now, std::size_t url, WebhookOutputs& out) {
  Queue& queue = queues_[url];
  while (queue.stored > kWebhooksMax) {
    const std::size_t oldest = queue.is_sending ? 1 : 0;
    if (queue.head.size() <= oldest) refill(now, queue, urls_[url]);
    if (queue.head.size() <= oldest) return;
    drop(now, url, oldest, WebhookDrop::kQueueFull, out);
  }
}

void Webhooks::refill(Timestamp now, Queue& queue, const std::string& url) {
  if (queue.head.size() == queue.stored) return;
  auto read = store_.list_webhooks(url, queue.last_read, kWebhookHeadMax);
  if (!read) {
    queue.wait_until = now + kWebhookStoreRetry;
    return;
  }
  if (read->empty()) {  // Somebody else emptied the table.
    queue.stored = queue.head.size();
    return;
  }
  queue.last_read = read->back().sequence;
  for (WebhookDelivery& each : *read) queue.head.push_back(std::move(each));
  queue.stored = std::max(queue.stored, queue.head.size());
}

void Webhooks::remove(Timestamp now, Queue& queue, std::size_t place) {
  changes_.removed.push_back(queue.head[place].sequence);
  queue.head.erase(queue.head.begin() + static_cast<std::ptrdiff_t>(place));
  --queue.stored;
  note_change(now);
}

void Webhooks::drop(Timestamp now, std::size_t url, std::size_t place, WebhookDrop why, WebhookOutputs& out) {
  ++counters_.dropped[static_cast<std::size_t>(why)];
  out.push(WebhookDropped{url, queues_[url].head[place].event_id, why});
  remove(now, queues_[url], place);
}

void Webhooks::send_next(Timestamp now, WallTime wall, std::size_t url, WebhookOutputs& out) {
  Queue& queue = queues_[url];
  if (queue.is_sending || now < queue.wait_until) return;
  for (;;) {
    if (queue.head.empty()) refill(now, queue, urls_[url]);
    if (queue.head.empty()) return;
    if (wall - queue.head.front().created_at < kWebhookAgeMax) break;
    drop(now, url, 0, WebhookDrop::kAge, out);
  }
  const WebhookDelivery& next = queue.head.front();
  queue.is_sending = true;
  out.push(DeliverWebhook{url, next.sequence, next.event_id, next.body, next.attempts + 1});
}

void Webhooks::handle_result(Timestamp now, WallTime wall, std::size_t url, std::uint64_t sequence,
                             bool is_taken, WebhookOutputs& out) {
  if (url >= queues_.size()) return;
  Queue& queue = queues_[url];
  if (!queue.is_sending || queue.head.front().sequence != sequence) return;
  queue.is_sending = false;
  if (is_taken) {
    ++counters_.delivered;
    queue.failures = 0;
    remove(now, queue, 0);
    return send_next(now, wall, url, out);
  }
  ++counters_.failed_tries;
  queue.wait_until = now + wait_after(++queue.failures);
  WebhookDelivery& tried = queue.head.front();
  ++tried.attempts;
  if (tried.attempts >= kWebhookAttemptsMax) return drop(now, url, 0, WebhookDrop::kAttempts, out);
  if (wall - tried.created_at >= kWebhookAgeMax) return drop(now, url, 0, WebhookDrop::kAge, out);
  changes_.tried.push_back({tried.sequence, tried.attempts});
  note_change(now);
}

Duration Webhooks::wait_after(std::uint32_t failures) {
  Duration longest = kWebhookWaitMin * 2;
  for (std::uint32_t i = 1; i < failures && longest < kWebhookWaitMax; ++i) longest = longest * 2;
  longest = std::min(longest, kWebhookWaitMax);
  return longest / 2 + Duration::from_seconds(rng_.unit() * longest.as_seconds() / 2);
}

void Webhooks::handle_deadline(Timestamp now, WallTime wall, WebhookOutputs& out) {
  if (flush_at_ <= now) flush(now, wall, out);
  for (std::size_t url = 0; url < urls_.size(); ++url) send_next(now, wall, url, out);
}

Timestamp Webhooks::next_deadline() const {
  Timestamp next = flush_at_;
  for (const Queue& queue : queues_)
    if (!queue.is_sending && queue.stored > 0) next = std::min(next, queue.wait_until);
  return next;
}

void Webhooks::append_metrics(MetricSamples& samples) const {
  const auto add_outcome = [&](const char* outcome, std::uint64_t count) {
    samples.push_back({"stoa_webhook_events_total",
                       "Events of rooms that were delivered to a URL, or given up.",
                       MetricKind::kCounter,
                       {{"outcome", outcome}},
                       static_cast<double>(count)});
  };
  add_outcome("delivered", counters_.delivered);
  for (std::size_t why = 0; why < std::size(counters_.dropped); ++why)
    add_outcome(name_of(static_cast<WebhookDrop>(why)), counters_.dropped[why]);
  samples.push_back({"stoa_webhook_failed_tries_total",
                     "Tries to deliver an event that its URL did not take.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(counters_.failed_tries)});
  for (std::size_t url = 0; url < queues_.size(); ++url)
    samples.push_back({"stoa_webhooks_queued",
                       "Events that are kept for a URL (its place in webhooks.urls) and not delivered yet.",
                       MetricKind::kGauge,
                       {{"url", std::to_string(url)}},
                       static_cast<double>(queues_[url].stored)});
}

}  // namespace stoa::control

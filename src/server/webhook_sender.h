// Webhooks of rooms, from what happened to the operator's web servers: control/webhooks.h keeps them and says
// when, api/livekit/webhook.h makes body and signature, runtime/http_courier.h carries them.
//
// A POST for each event and URL. 2xx: taken; anything else, redirects included, is tried again. Everything
// here is on the loop's thread, which waits for the disk and never for a web server.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/api_keys.h"
#include "control/webhooks.h"
#include "room/room.h"
#include "runtime/http_courier.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/timer.h"

namespace stoa::server {

inline constexpr Duration kWebhookConnectTimeout = Duration::seconds(5);
inline constexpr Duration kWebhookTimeout = Duration::seconds(10);
inline constexpr std::size_t kWebhookAnswerBytesMax = 64u << 10;  // It is not read.

class WebhookSender {
 public:
  struct Options {
    std::vector<std::string> urls;
    std::string api_key;  // The id of the key that signs.
  };

  WebhookSender(runtime::Loop& loop, runtime::Log& log, control::Store& store, control::ApiKeys& api_keys,
                Options options);

  // Before the loop runs: looks at the key, and for what the process before this one left. Says what is
  // wrong, for people.
  Result<void, std::string> load();
  // On the loop: what is left goes out from here on.
  void start() { set_timer(); }

  void add(const room::Happened& happened);
  // Keeps what was added, now. Otherwise that is done soon, for several at once.
  void flush();

  void append_metrics(MetricSamples& samples) const { webhooks_.append_metrics(samples); }

 private:
  struct Target {  // By URL.
    std::uint64_t sequence = 0;
    std::string event_id;
    bool is_failing = false;
  };

  Result<void, std::string> check_key();
  void handle(control::WebhookOutputs& out);
  void send(const control::DeliverWebhook& delivery);
  void handle_response(const runtime::ClientResponse& response);
  void handle_tried(std::size_t url, bool is_taken, const std::string& why);
  void set_timer();

  runtime::Loop& loop_;
  runtime::Log& log_;
  control::ApiKeys& api_keys_;
  Options options_;
  control::Webhooks webhooks_;
  std::vector<Target> targets_;
  runtime::DeadlineTimer timer_;
  runtime::HttpCourier courier_;
};

}  // namespace stoa::server

#include "server/webhook_sender.h"

#include <utility>

#include "api/livekit/webhook.h"
#include "crypto/jwt.h"
#include "crypto/random.h"

namespace stoa::server {
namespace {

constexpr std::size_t kEventIdCharacters = 16;

runtime::HttpClient::Config courier_config() {
  runtime::HttpClient::Config config;
  // URLs of one host must not wait for each other.
  config.http = runtime::ClientHttp::kHttp1;
  config.transfers_max = control::kWebhookUrlsMax;
  config.connect_timeout = kWebhookConnectTimeout;
  config.user_agent = "Stoa/" STOA_VERSION;
  return config;
}

// URLs may hold secrets: logs name them by their place.
std::string name_of(std::size_t url) { return "webhooks.urls[" + std::to_string(url) + "]"; }

}  // namespace

WebhookSender::WebhookSender(runtime::Loop& loop, runtime::Log& log, control::Store& store,
                             control::ApiKeys& api_keys, Options options)
    : loop_(loop),
      log_(log),
      api_keys_(api_keys),
      options_(std::move(options)),
      webhooks_(store, options_.urls, Rng(crypto::random_seed())),
      targets_(options_.urls.size()),
      timer_(loop,
             [this] {
               control::WebhookOutputs out;
               webhooks_.handle_deadline(loop_.now(), loop_.wall(), out);
               handle(out);
             }),
      courier_(loop, courier_config(),
               [this](runtime::ClientResponse&& response) { handle_response(response); }) {}

Result<void, std::string> WebhookSender::check_key() {
  if (options_.urls.empty()) return {};
  if (options_.api_key.empty())
    return refuse(
        std::string("webhooks.api_key: webhooks.urls needs the id of the API key that signs; "
                    "`stoa token key` makes one"));
  auto key = api_keys_.find(options_.api_key);
  if (!key) return refuse(std::string("webhooks.api_key: the database does not answer"));
  if (!*key)
    return refuse("webhooks.api_key: there is no API key '" + options_.api_key +
                  "'; `stoa token list` shows those that there are");
  if ((*key)->revoked_at)
    return refuse("webhooks.api_key: the API key '" + options_.api_key + "' is revoked");
  if ((*key)->secret.size() < crypto::kJwtSecretBytesMin)
    return refuse("webhooks.api_key: the secret of '" + options_.api_key + "' is too short to sign with");
  return {};
}

Result<void, std::string> WebhookSender::load() {
  if (auto checked = check_key(); !checked) return checked;
  auto forgotten = webhooks_.load();
  if (!forgotten) return refuse(std::string("webhooks: the database does not answer"));
  if (*forgotten > 0)
    log_.warn("webhooks", std::to_string(*forgotten) + " events were for URLs that are no longer configured");
  return {};
}

void WebhookSender::add(const room::Happened& happened) {
  if (options_.urls.empty()) return;
  const WallTime wall = loop_.wall();
  std::string id = "EV_" + crypto::make_base62(kEventIdCharacters);
  std::string body = livekit::write_webhook_event(happened, id, wall);
  control::WebhookOutputs out;
  webhooks_.add(loop_.now(), wall, std::move(id), std::move(body), out);
  handle(out);
}

void WebhookSender::flush() {
  control::WebhookOutputs out;
  webhooks_.flush(loop_.now(), loop_.wall(), out);
  handle(out);
}

void WebhookSender::handle(control::WebhookOutputs& out) {
  while (!out.empty()) {
    for (control::WebhookOutput& output : out.take()) {
      if (auto* dropped = std::get_if<control::WebhookDropped>(&output)) {
        log_.warn("webhooks", "event " + dropped->event_id + " was given up for " + name_of(dropped->url) +
                                  ": " + control::name_of(dropped->why));
      } else {
        send(std::get<control::DeliverWebhook>(output));
      }
    }
  }
  set_timer();
}

void WebhookSender::send(const control::DeliverWebhook& delivery) {
  targets_[delivery.url].sequence = delivery.sequence;
  targets_[delivery.url].event_id = delivery.event_id;
  runtime::ClientRequest request{.id = delivery.url,
                                 .method = "POST",
                                 .url = options_.urls[delivery.url],
                                 .timeout = kWebhookTimeout,
                                 .body_bytes_max = kWebhookAnswerBytesMax};
  std::string failure = "its API key is gone";
  auto key = api_keys_.find_valid(options_.api_key);
  if (key && *key) {
    auto signed_event = livekit::make_webhook(delivery.body, (*key)->id, (*key)->secret, loop_.wall());
    if (signed_event) {
      request.headers = {{"content-type", livekit::kWebhookContentType},
                         {"authorization", std::move(signed_event->authorization)}};
      request.body = std::move(signed_event->body);
      return courier_.start(std::move(request));
    }
    failure = crypto::name_of(signed_event.error());
  }
  // As if it had been tried; its next try comes after a wait.
  runtime::ClientResponse unsent;
  unsent.id = delivery.url;
  unsent.failure = "cannot be signed: " + failure;
  handle_response(unsent);
}

void WebhookSender::handle_response(const runtime::ClientResponse& response) {
  const auto url = static_cast<std::size_t>(response.id);
  const bool is_taken = response.status / 100 == 2;
  handle_tried(url, is_taken,
               response.status != 0 ? "status " + std::to_string(response.status) : response.failure);
}

void WebhookSender::handle_tried(std::size_t url, bool is_taken, const std::string& why) {
  Target& target = targets_[url];
  // The first of several, and the end of them: a web server that is down must not fill the log.
  if (!is_taken && !target.is_failing)
    log_.warn("webhooks",
              name_of(url) + " did not take event " + target.event_id + ": " + why + "; it is tried again");
  if (is_taken && target.is_failing) log_.info("webhooks", name_of(url) + " takes events again");
  target.is_failing = !is_taken;
  control::WebhookOutputs out;
  webhooks_.handle_result(loop_.now(), loop_.wall(), url, target.sequence, is_taken, out);
  handle(out);
}

void WebhookSender::set_timer() { timer_.set(webhooks_.next_deadline()); }

}  // namespace stoa::server

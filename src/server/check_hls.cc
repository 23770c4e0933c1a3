#include "server/check_hls.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "check/judge.h"
#include "runtime/http_client.h"
#include "runtime/loop.h"

namespace stoa::server {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// Times this process spends busy must not be read as the origin's: wake up often.
constexpr Duration kTurnMax = Duration::milliseconds(250);

// In the clear HTTP/2 cannot be negotiated: try it, and go back to HTTP/1.1 for servers that do not have it.
runtime::ClientHttp choose_http(const CheckHlsOptions& options) {
  if (!options.url.starts_with("http://")) return runtime::ClientHttp::kNegotiate;
  runtime::HttpClient client({.http = runtime::ClientHttp::kPriorKnowledge});
  client.start({.method = "HEAD", .url = options.url, .timeout = Duration::seconds(5)});
  Timestamp end = runtime::Loop::now() + Duration::seconds(6);
  while (client.in_flight() && runtime::Loop::now() < end) {
    for (const auto& response : client.wait(Duration::seconds(1))) {
      if (response.status != 0) return runtime::ClientHttp::kPriorKnowledge;
    }
  }
  return runtime::ClientHttp::kHttp1;
}

void send(const check::Fetch& fetch, runtime::HttpClient& client) {
  client.start({.id = fetch.id,
                .method = fetch.is_head ? "HEAD" : "GET",
                .url = fetch.url,
                .headers = fetch.headers,
                .wants_gzip = fetch.wants_gzip,
                .timeout = fetch.timeout,
                .body_bytes_max = fetch.body_bytes_max});
}

check::Exchange exchange_of(runtime::ClientResponse& response) {
  check::Exchange exchange;
  exchange.id = response.id;
  exchange.status = response.status;
  exchange.failure = std::move(response.failure);
  exchange.is_cut = response.is_cut;
  exchange.timed_out = response.timed_out;
  exchange.http_version = response.http_version;
  exchange.tls = std::move(response.tls);
  exchange.headers = std::move(response.headers);
  exchange.body = response.body;
  exchange.sent = response.sent;
  exchange.first_byte = response.first_byte;
  exchange.last_byte = response.last_byte;
  return exchange;
}

}  // namespace

int run_check_hls(const CheckHlsOptions& options) {
  runtime::HttpClient client({.verifies_certificates = !options.is_insecure,
                              .http = choose_http(options),
                              .transfers_max = check::kInFlightMax,
                              .user_agent = "stoa-check-hls"});
  check::Judge judge({.url = options.url, .watch = options.watch, .slack = options.slack});
  check::Outputs out;
  interrupted = 0;
  auto old_handler = std::signal(SIGINT, [](int) { interrupted = 1; });
  judge.start(runtime::Loop::now(), out);
  while (!judge.is_done() && !interrupted) {
    for (auto& output : out.take()) {
      if (auto* fetch = std::get_if<check::Fetch>(&output)) send(*fetch, client);
    }
    Duration until = judge.next_deadline() - runtime::Loop::now();
    for (auto& response : client.wait(std::clamp(until, Duration(), kTurnMax))) {
      judge.handle_exchange(response.last_byte, runtime::Loop::wall(), exchange_of(response), out);
    }
    Timestamp now = runtime::Loop::now();
    if (now >= judge.next_deadline()) judge.handle_deadline(now, out);
  }
  std::signal(SIGINT, old_handler);
  check::Report report = judge.finish(runtime::Loop::now());
  std::string text = options.writes_json ? check::write_json(report) : check::write_text(report);
  std::fwrite(text.data(), 1, text.size(), report.could_fetch || options.writes_json ? stdout : stderr);
  std::fflush(stdout);
  return report.exit_code();
}

}  // namespace stoa::server

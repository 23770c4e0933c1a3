// HTTP transfers beside a loop: an HttpClient on a thread of its own, for those whose thread must not wait.
// What it is given comes back as a response on the loop, whatever happens.
#pragma once

#include <functional>
#include <memory>

#include "runtime/http_client.h"

namespace stoa::runtime {

class Loop;

class HttpCourier {
 public:
  // `on_response` runs on the loop's thread. Its thread is started with the first request. Where requests to
  // one host must not wait for each other, say ClientHttp::kHttp1: with kNegotiate the second waits for the
  // first answer, to learn whether they can share its connection.
  HttpCourier(Loop& loop, HttpClient::Config config,
              std::move_only_function<void(ClientResponse&&)> on_response);
  // On the loop's thread, or when the loop does not run. Transfers under way are cut; nothing is told of
  // them.
  ~HttpCourier();
  HttpCourier(const HttpCourier&) = delete;
  HttpCourier& operator=(const HttpCourier&) = delete;

  // The loop's thread. Answered with `failure` also when `transfers_max` are under way.
  void start(ClientRequest request);

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace stoa::runtime

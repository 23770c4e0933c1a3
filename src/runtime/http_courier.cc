#include "runtime/http_courier.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

// A request that comes while others are under way waits so long at most.
constexpr Duration kLookInterval = Duration::milliseconds(20);

}  // namespace

struct HttpCourier::State {
  State(Loop& l, HttpClient::Config c, std::move_only_function<void(ClientResponse&&)> handler)
      : loop(l), config(std::move(c)), on_response(std::move(handler)) {}

  Loop& loop;
  HttpClient::Config config;
  std::move_only_function<void(ClientResponse&&)> on_response;  // The loop's thread.
  bool is_closed = false;                                       // Likewise.
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<ClientRequest> inbox;
  bool is_stopping = false;
  std::thread thread;
};

HttpCourier::HttpCourier(Loop& loop, HttpClient::Config config,
                         std::move_only_function<void(ClientResponse&&)> on_response)
    : state_(std::make_shared<State>(loop, std::move(config), std::move(on_response))) {}

HttpCourier::~HttpCourier() {
  state_->is_closed = true;
  {
    std::lock_guard lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

void HttpCourier::start(ClientRequest request) {
  {
    std::lock_guard lock(state_->mutex);
    state_->inbox.push_back(std::move(request));
  }
  state_->changed.notify_all();
  if (!state_->thread.joinable()) state_->thread = std::thread([state = state_] { run(state); });
}

void HttpCourier::run(const std::shared_ptr<State>& state) {
  HttpClient client(state->config);
  auto tell = [&](ClientResponse&& response) {
    state->loop.post([state, told = std::move(response)]() mutable {
      if (!state->is_closed) state->on_response(std::move(told));
    });
  };
  for (;;) {
    std::vector<ClientRequest> requests;
    {
      std::unique_lock lock(state->mutex);
      if (client.in_flight() == 0)
        state->changed.wait(lock, [&] { return state->is_stopping || !state->inbox.empty(); });
      if (state->is_stopping) return;
      requests.swap(state->inbox);
    }
    for (ClientRequest& request : requests) {
      const std::uint64_t id = request.id;
      if (client.start(std::move(request))) continue;
      ClientResponse refused;
      refused.id = id;
      refused.failure = "too many transfers are under way";
      tell(std::move(refused));
    }
    for (ClientResponse& response : client.wait(kLookInterval)) tell(std::move(response));
  }
}

}  // namespace stoa::runtime

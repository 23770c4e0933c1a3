#include "runtime/http_client.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/letters.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

constexpr std::size_t kHeaderBytesMax = 256u << 10;
// libcurl 7.88 reads an answer of one HTTP/2 stream together with another's and may then tell nobody: it lies
// there until something else comes over the connection or the transfers are looked at once more.
constexpr Duration kSleepMax = Duration::milliseconds(5);

struct Transfer {
  ClientRequest request;
  ClientResponse response;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  Timestamp started, first_head;
  std::size_t header_bytes = 0;
  bool has_body = false, is_too_large = false;

  ~Transfer() {
    curl_slist_free_all(headers);
    if (handle) curl_easy_cleanup(handle);
  }
};

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(bytes, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kHeaderBytesMax) return 0;
  if (line.starts_with("HTTP/")) {  // Also of the final answer after 1xx.
    transfer.response.headers.clear();
    transfer.first_head = Loop::now();
    curl_tlssessioninfo* session = nullptr;
    if (curl_easy_getinfo(transfer.handle, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session &&
        session->backend == CURLSSLBACKEND_OPENSSL && session->internals) {
      transfer.response.tls = SSL_get_version(static_cast<SSL*>(session->internals));
    }
    return line.size();
  }
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name = lower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.remove_suffix(1);
  transfer.response.headers.emplace_back(std::move(name), value);
  return line.size();
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::size_t length = size * count;
  if (!transfer.has_body) transfer.response.first_byte = Loop::now();
  transfer.has_body = true;
  if (length > transfer.request.body_bytes_max - transfer.response.body.size()) {
    transfer.is_too_large = true;
    return 0;
  }
  auto* data = reinterpret_cast<const std::uint8_t*>(bytes);
  transfer.response.body.insert(transfer.response.body.end(), data, data + length);
  return length;
}

void finish(Transfer& transfer, CURLcode code) {
  ClientResponse& response = transfer.response;
  response.last_byte = Loop::now();
  long status = 0, version = 0;
  curl_off_t before_sending = 0, wire_bytes = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer.handle, CURLINFO_HTTP_VERSION, &version);
  curl_easy_getinfo(transfer.handle, CURLINFO_PRETRANSFER_TIME_T, &before_sending);
  curl_easy_getinfo(transfer.handle, CURLINFO_SIZE_DOWNLOAD_T, &wire_bytes);
  response.id = transfer.request.id;
  response.status = static_cast<int>(status);
  response.http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                          : version == CURL_HTTP_VERSION_2_0 ? 20
                          : version == CURL_HTTP_VERSION_3   ? 30
                                                             : 11;
  response.wire_bytes = static_cast<std::uint64_t>(wire_bytes);
  response.sent = transfer.started + Duration::microseconds(before_sending);
  if (!transfer.has_body) response.first_byte = status ? transfer.first_head : response.last_byte;
  if (code == CURLE_OK) return;
  response.timed_out = code == CURLE_OPERATION_TIMEDOUT;
  response.is_cut = status != 0;
  response.failure = transfer.is_too_large ? "the body is over the limit" : curl_easy_strerror(code);
}

}  // namespace

struct HttpClient::Impl {
  Config config;
  CURLM* multi = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers;

  ~Impl() {
    for (auto& [handle, transfer] : transfers) curl_multi_remove_handle(multi, handle);
    transfers.clear();
    curl_multi_cleanup(multi);
  }

  void set_up(Transfer& transfer) {
    CURL* handle = transfer.handle;
    const ClientRequest& request = transfer.request;
    for (const auto& [name, value] : request.headers) {
      transfer.headers = curl_slist_append(transfer.headers, (name + ": " + value).c_str());
    }
    curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");  // Times and versions of the origin itself, not of a proxy.
    curl_easy_setopt(handle, CURLOPT_USERAGENT, config.user_agent.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer.headers);
    if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (!request.body.empty()) {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    }
    if (request.wants_gzip) curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::max<std::int64_t>(request.timeout.ms(), 1)));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(config.connect_timeout.ms()));
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, config.verifies_certificates ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, config.verifies_certificates ? 2L : 0L);
    long version = config.http == ClientHttp::kHttp1            ? CURL_HTTP_VERSION_1_1
                   : config.http == ClientHttp::kPriorKnowledge ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                                                : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, version);
    // One HTTP/2 connection for all: wait for it instead of opening another. HTTP/1.1 transfers must not
    // wait.
    curl_easy_setopt(handle, CURLOPT_PIPEWAIT, config.http == ClientHttp::kNegotiate ? 1L : 0L);
    // libcurl 7.88 cannot use a connection with prior knowledge of HTTP/2 a second time once it was idle.
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, config.http == ClientHttp::kPriorKnowledge ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, config.http == ClientHttp::kPriorKnowledge ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  }

  void collect(std::vector<ClientResponse>& done) {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* handle = message->easy_handle;
      CURLcode code = message->data.result;
      auto found = transfers.find(handle);
      if (found == transfers.end()) continue;
      finish(*found->second, code);
      done.push_back(std::move(found->second->response));
      curl_multi_remove_handle(multi, handle);
      transfers.erase(found);
    }
  }
};

HttpClient::HttpClient(Config config) : impl_(std::make_unique<Impl>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->config = std::move(config);
  impl_->multi = curl_multi_init();
  curl_multi_setopt(impl_->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  curl_multi_setopt(impl_->multi, CURLMOPT_MAX_HOST_CONNECTIONS, impl_->config.connections_per_host_max);
}

HttpClient::~HttpClient() = default;

bool HttpClient::start(ClientRequest request) {
  if (impl_->transfers.size() >= impl_->config.transfers_max) return false;
  auto transfer = std::make_unique<Transfer>();
  transfer->handle = curl_easy_init();
  if (!transfer->handle) return false;
  transfer->request = std::move(request);
  transfer->started = Loop::now();
  impl_->set_up(*transfer);
  CURL* handle = transfer->handle;
  if (curl_multi_add_handle(impl_->multi, handle) != CURLM_OK) return false;
  impl_->transfers.emplace(handle, std::move(transfer));
  return true;
}

std::vector<ClientResponse> HttpClient::wait(Duration at_most) {
  std::vector<ClientResponse> done;
  Timestamp end = Loop::now() + at_most;
  for (;;) {
    int running = 0;
    curl_multi_perform(impl_->multi, &running);
    impl_->collect(done);
    Duration left = end - Loop::now();
    if (!done.empty() || left <= Duration()) return done;
    Duration sleep = impl_->transfers.empty() ? left : std::min(left, kSleepMax);
    int wait_ms = static_cast<int>(std::min<std::int64_t>(sleep.ms() + 1, 60'000));
    curl_multi_poll(impl_->multi, nullptr, 0, wait_ms, nullptr);
  }
}

std::size_t HttpClient::in_flight() const { return impl_->transfers.size(); }

}  // namespace stoa::runtime

#include "server/node.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <latch>
#include <vector>

#include "crypto/certificate.h"
#include "runtime/interfaces.h"
#include "runtime/tls.h"
#include "server/control_thread.h"
#include "server/rtc_ports.h"
#include "server/shard_thread.h"

namespace stoa::server {
namespace {

constexpr Duration kSelfSignedLifetime = Duration::seconds(90 * 24 * 3600);

// Every connection is a descriptor; the usual soft limit of 1,024 is for programs that use select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void, std::string> make_data_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return refuse("data: cannot make the folder '" + path + "': " + std::strerror(errno));
}

using TlsPair = std::pair<std::shared_ptr<runtime::TlsContext>, std::shared_ptr<runtime::TlsContext>>;

// The contexts for HTTPS (with ALPN) and RTMPS (without); null when there is no certificate.
Result<TlsPair, std::string> make_tls(const Config& config) {
  runtime::TlsIdentity identity{.certificate_file = config.tls_certificate, .key_file = config.tls_key};
  if (config.tls_certificate.empty()) {
    if (!config.dev) return TlsPair();
    auto made =
        crypto::make_self_signed_certificate(runtime::Loop::wall(), kSelfSignedLifetime, config.tls_names);
    if (!made) return refuse(std::string("tls.names: ") + crypto::name_of(made.error()));
    identity.certificate_pem = made->certificate;
    identity.key_pem = made->private_key;
  }
  STOA_TRY(auto https, runtime::TlsContext::make(identity));
  STOA_TRY(auto rtmps, runtime::TlsContext::make(identity, {}));
  return TlsPair(std::move(https), std::move(rtmps));
}

// Where a worker on this machine reaches what is listened to.
std::string worker_address(const runtime::ListenOptions& listening) {
  if (!listening.path.empty()) return listening.path;
  std::string host = listening.address;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return "tcp://" + SocketAddress{*IpAddress::parse(host), listening.port}.to_text();
}

}  // namespace

struct Node::Impl {
  Impl(const Config& c, runtime::Log& l) : config(c), log(l) {}

  Config config;
  runtime::Log& log;
  std::atomic<bool> is_ready{false};
  NodePorts ports;
  std::shared_ptr<runtime::TlsContext> https, rtmps;
  std::unique_ptr<ControlThread> control;
  std::vector<std::unique_ptr<ShardThread>> shards;
  bool is_stopped = false;

  void connect();
  Result<void, std::string> open_rtc();
  Result<void, std::string> open_relay();
  using Listen = Result<std::uint16_t, std::string> (ShardThread::*)(const runtime::ListenOptions&);
  Result<void, std::string> open(const char* name, const OptionalAddress& address,
                                 const std::shared_ptr<runtime::TlsContext>& tls, Listen listen,
                                 std::uint16_t& port);
};

// A mailbox each way between every two threads.
void Node::Impl::connect() {
  for (std::size_t from = 0; from < shards.size(); ++from) {
    for (std::size_t to = 0; to < shards.size(); ++to)
      if (from != to)
        shards[from]->connect_shard(static_cast<shard::ShardIndex>(to), shards[to]->make_mailbox());
    shards[from]->connect_control(control->make_mailbox());
    control->connect_shard(shards[from]->make_mailbox());
  }
}

Result<void, std::string> Node::Impl::open(const char* name, const OptionalAddress& address,
                                           const std::shared_ptr<runtime::TlsContext>& tls, Listen listen,
                                           std::uint16_t& port) {
  if (!address) return {};
  runtime::ListenOptions options{.address = address->address, .port = address->port, .tls = tls};
  if (options.port != 0 && !runtime::is_port_free(options.address, options.port))
    return refuse(std::string(name) + ": port " + std::to_string(options.port) + " of " + options.address +
                  " is in use by another program (or another Stoa)");
  for (auto& shard : shards) {
    auto opened = ((*shard).*listen)(options);
    if (!opened)
      return refuse(std::string(name) + ": cannot listen on " + address->address + ' ' +
                    std::to_string(options.port) + ": " + opened.error());
    options.port = port = *opened;  // The first chooses when it was 0, the others join it.
  }
  log.info("server", std::string("listening ") + name + '=' +
                         (address->address.find(':') == std::string::npos ? address->address
                                                                          : '[' + address->address + ']') +
                         ':' + std::to_string(port));
  return {};
}

// Every shard has a port of its own: what comes there is for its sessions alone.
Result<void, std::string> Node::Impl::open_rtc() {
  if (!config.rtc) return {};
  std::vector<IpAddress> configured;
  for (const std::string& text : config.rtc_addresses) configured.push_back(*IpAddress::parse(text));
  std::vector<IpAddress> reached_at =
      find_reached_at(std::move(configured), IpAddress::parse(config.rtc->address),
                      runtime::interface_addresses(), config.dev);
  std::vector<std::string> notices;
  std::string opened, announced;
  for (std::size_t index = 0; index < shards.size(); ++index) {
    auto wanted = find_shard_port(config.rtc->port, index);
    if (!wanted) return refuse(std::string("rtc: no port is left for the last shards"));
    auto told = find_shard_port(config.rtc_announced_port, index);
    if (!told) return refuse(std::string("rtc_announced_port: no port is left for the last shards"));
    auto port = shards[index]->listen_rtc(config.rtc->address, *wanted, reached_at, *told, notices);
    if (!port)
      return refuse("rtc: cannot use port " + std::to_string(*wanted) + " of " + config.rtc->address + ": " +
                    port.error());
    ports.rtc.push_back(*port);
    opened += (opened.empty() ? "" : ",") + std::to_string(*port);
    if (*told != 0) announced += (announced.empty() ? ":" : ",") + std::to_string(*told);
  }
  std::string addresses;
  for (const IpAddress& ip : reached_at) addresses += (addresses.empty() ? "" : ",") + ip.to_text();
  log.info("server", "listening rtc=" + config.rtc->address + ":" + opened + ", told to peers as " +
                         addresses + announced);
  for (std::string& notice : notices) log.warn("rtc", std::move(notice));
  return {};
}

// A socket, or a port, for the workers of each shard's channels.
Result<void, std::string> Node::Impl::open_relay() {
  std::vector<std::string> addresses;
  for (std::size_t index = 0; index < shards.size(); ++index) {
    runtime::ListenOptions options{.reuse_port = false};
    if (config.relay) {
      options.address = config.relay->address;
      options.port = config.relay->port;
      if (options.port != 0) options.port = static_cast<std::uint16_t>(options.port + index);
      if (options.port < config.relay->port)
        return refuse(std::string("relay: no port is left for the last shards"));
    } else {
      options.path = relay_path(config, static_cast<shard::ShardIndex>(index));
    }
    auto opened = shards[index]->listen_relay(options);
    if (!opened)
      return refuse((config.relay ? "relay: cannot listen on " + worker_address(options)
                                  : "data: cannot listen on " + options.path) +
                    " for workers: " + opened.error());
    options.port = *opened;
    addresses.push_back(worker_address(options));
  }
  if (config.relay) {
    log.info("server", "listening relay=" + addresses.front() + (addresses.size() > 1 ? " and on" : ""));
    if (!IpAddress::parse(config.relay->address)->is_loopback())
      log.warn("server", "relay: what goes to workers and back is not encrypted; " + config.relay->address +
                             " is not this machine alone");
  }
  control->set_worker_addresses(std::move(addresses));
  return {};
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() { stop(); }

const NodePorts& Node::ports() const { return impl_->ports; }

Result<std::unique_ptr<Node>, std::string> Node::start(const Config& config, runtime::Log& log) {
  raise_descriptor_limit();
  if (auto made = make_data_folder(config.data); !made) return refuse(made.error());
  auto impl = std::make_unique<Impl>(config, log);
  Impl& i = *impl;
  STOA_TRY(TlsPair tls, make_tls(i.config));
  std::tie(i.https, i.rtmps) = std::move(tls);
  shard::ShardIndex count = or_cores(config.shards);
  STOA_TRY(i.control, ControlThread::make(i.config, count, log));
  for (shard::ShardIndex index = 0; index < count; ++index)
    i.shards.push_back(std::make_unique<ShardThread>(i.config, index, count, log, i.is_ready));
  i.connect();
  auto opened = i.open("http", config.http, nullptr, &ShardThread::listen_http, i.ports.http);
  if (opened && i.https)
    opened = i.open("https", config.https, i.https, &ShardThread::listen_http, i.ports.https);
  if (opened) opened = i.open("rtmp", config.rtmp, nullptr, &ShardThread::listen_rtmp, i.ports.rtmp);
  if (opened && i.rtmps)
    opened = i.open("rtmps", config.rtmps, i.rtmps, &ShardThread::listen_rtmp, i.ports.rtmps);
  if (opened) opened = i.open_rtc();
  if (opened) opened = i.open_relay();
  if (!opened) return refuse(opened.error());
  if (config.demo) {
    if (i.ports.rtmp == 0) return refuse(std::string("demo: needs rtmp, which is off"));
    i.control->add_demo(i.ports.rtmp);
  }
  i.control->start();
  for (auto& shard : i.shards) shard->start();
  i.is_ready = true;
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Result<void, std::string> Node::reload_certificates() {
  if (impl_->config.tls_certificate.empty()) return refuse(std::string("no certificate file is configured"));
  for (const auto& context : {impl_->https, impl_->rtmps}) {
    if (!context) continue;
    if (auto reloaded = context->reload(); !reloaded) return reloaded;
  }
  return {};
}

void Node::stop() {
  if (!impl_ || std::exchange(impl_->is_stopped, true)) return;
  impl_->is_ready = false;
  Timestamp deadline = runtime::Loop::now() + impl_->config.shutdown_grace;
  impl_->control->begin_stop();
  // The last playlists are in every shard's mailbox before any shard answers what still waits.
  std::latch ended(static_cast<std::ptrdiff_t>(impl_->shards.size()));
  for (auto& shard : impl_->shards) shard->end_channels(ended);
  ended.wait();
  for (auto& shard : impl_->shards) shard->drain(deadline);
  for (auto& shard : impl_->shards) shard->join();
  impl_->control->stop();
}

}  // namespace stoa::server

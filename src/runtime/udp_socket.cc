#include "runtime/udp_socket.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "runtime/loop.h"
#include "runtime/timer.h"
#include "runtime/udp_sender.h"
#include "runtime/udp_wire.h"

namespace stoa::runtime {
namespace {

// With coalescing a buffer holds what one of the kernel's does. The odd lines keep the heads of the buffers
// out of each other's cache sets.
constexpr std::size_t kCoalescedBytes = (64u << 10) + 3 * 64;
constexpr std::size_t kCoalescedBuffers = 16;
constexpr std::size_t kPlainBytes = UdpSocket::kReceivedBytesMax + 3 * 64;
constexpr std::size_t kPlainBuffers = 64;
constexpr std::size_t kSegmentsMax = 64;  // Of one coalesced buffer, by the kernel.

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// The kernel doubles what is asked for, for its own bookkeeping. Gives what is there for data.
std::size_t grow_buffer(int fd, int option, int forced_option, std::size_t bytes) {
  const auto wanted = static_cast<int>(std::min<std::size_t>(bytes, 1u << 30));
  int value = 0;
  socklen_t length = sizeof value;
  if (!set_option(fd, SOL_SOCKET, forced_option, wanted)) set_option(fd, SOL_SOCKET, option, wanted);
  getsockopt(fd, SOL_SOCKET, option, &value, &length);
  return static_cast<std::size_t>(value) / 2;
}

std::string buffer_notice(const char* which, std::size_t given, std::size_t asked, const char* setting) {
  return std::string("UDP ") + which + " buffer is " + std::to_string(given) + " of " +
         std::to_string(asked) + " bytes asked for; raise " + setting;
}

}  // namespace

struct UdpSocket::Impl : WatchHandler {
  Impl(Loop& event_loop, DatagramHandler& datagram_handler) : loop(event_loop), handler(datagram_handler) {}
  ~Impl() override {
    *self = nullptr;
    if (fd < 0) return;
    loop.unwatch(watch);
    ::close(fd);
  }

  Result<UdpBinding, std::string> open(const UdpOptions& options);
  void set_options(const UdpOptions& options, bool is_wildcard, UdpBinding& binding);
  void make_buffers();
  void on_ready(std::uint64_t token, Readiness ready) override;
  void receive();
  int receive_batch();
  void unpack(std::size_t count);
  void unpack_one(std::size_t index);
  void continue_later();
  void after_send();
  void finish_drain();

  Loop& loop;
  DatagramHandler& handler;
  int fd = -1;
  bool is_v6 = false, has_gro = false, names_own_address = false;
  int batches_per_wakeup = 1;
  WatchId watch;
  bool awaits_writable = false, continues_later = false;
  OwnAddresses own;
  std::unique_ptr<UdpSender> sender;
  std::move_only_function<void()> on_drained;
  DeadlineTimer drain_timer{loop, [this] { finish_drain(); }};
  std::shared_ptr<Impl*> self = std::make_shared<Impl*>(this);  // Keeps posted tasks from one that is gone.

  std::size_t buffer_bytes = 0, buffers = 0;
  std::unique_ptr<std::uint8_t[]> memory;
  std::vector<mmsghdr> headers;
  std::vector<iovec> slices;
  std::vector<KernelAddress> names;
  std::vector<ControlRoom> controls;
  std::vector<ReceivedDatagram> received;

  struct Counts {
    std::uint64_t datagrams = 0, bytes = 0, calls = 0, merged = 0, truncated = 0, overflowed = 0;
  };
  Counts counts;
  std::uint32_t last_overflow = 0;
};

Result<UdpBinding, std::string> UdpSocket::Impl::open(const UdpOptions& options) {
  STOA_ASSERT(fd < 0);
  auto ip = IpAddress::parse(options.address);
  const std::string where = SocketAddress{ip.value_or(IpAddress()), options.port}.to_text();
  if (!ip) return refuse("cannot bind UDP " + options.address + ": not an IP address");
  int descriptor = socket(ip->is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0 && errno == EAFNOSUPPORT && ip->is_v6() && ip->is_any()) {
    ip = IpAddress::v4(0, 0, 0, 0);
    descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  auto fail = [&](const char* what) {
    auto error = refuse("cannot bind UDP " + where + ": " + what + ": " + strerror(errno));
    if (descriptor >= 0) ::close(descriptor);
    return error;
  };
  if (descriptor < 0) return fail("socket");
  is_v6 = ip->is_v6();
  if (is_v6) set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  KernelAddress address;
  const socklen_t length = write_address({*ip, options.port}, is_v6, address);
  if (bind(descriptor, &address.any, length) != 0) return fail("bind");
  socklen_t bound = sizeof address;
  if (getsockname(descriptor, &address.any, &bound) != 0) return fail("getsockname");
  watch = loop.watch(descriptor, *this, 0, Interest::kReadable);
  if (!watch.is_set()) return fail("epoll");

  fd = descriptor;
  batches_per_wakeup = std::max(options.batches_per_wakeup, 1);
  UdpBinding binding{.port = read_address(address).port};
  set_options(options, ip->is_any(), binding);
  make_buffers();
  continue_later();  // What came before the options were set.
  return binding;
}

void UdpSocket::Impl::set_options(const UdpOptions& options, bool is_wildcard, UdpBinding& binding) {
  binding.receive_buffer_bytes = grow_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, options.receive_buffer_bytes);
  binding.send_buffer_bytes = grow_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, options.send_buffer_bytes);
  if (binding.receive_buffer_bytes < options.receive_buffer_bytes)
    binding.notices.push_back(buffer_notice("receive", binding.receive_buffer_bytes,
                                            options.receive_buffer_bytes, "net.core.rmem_max"));
  if (binding.send_buffer_bytes < options.send_buffer_bytes)
    binding.notices.push_back(
        buffer_notice("send", binding.send_buffer_bytes, options.send_buffer_bytes, "net.core.wmem_max"));
  set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  // What ICMP tells about a path may be forged: IPv4 is fragmented where it must be, instead of being refused
  // here.
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  // Of IPv4 and IPv6 peers alike; a socket of IPv4 knows only the first.
  set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
  if (is_v6) set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  names_own_address = is_wildcard && (is_v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                            : set_option(fd, IPPROTO_IP, IP_PKTINFO, 1));
  // Nothing but the question whether the kernel knows the option: the size is told with each train.
  binding.has_gso = options.use_gso && set_option(fd, SOL_UDP, UDP_SEGMENT, 0);
  binding.has_gro = has_gro = options.use_gro && set_option(fd, SOL_UDP, UDP_GRO, 1);
  if (options.use_gso && !binding.has_gso)
    binding.notices.push_back("this kernel has no UDP segmentation; datagrams go out one by one");
  if (options.use_gro && !binding.has_gro)
    binding.notices.push_back("this kernel does not coalesce received UDP datagrams");
  UdpSender::Config config;
  config.is_v6_socket = is_v6;
  config.use_gso = binding.has_gso;
  config.queue_bytes = options.send_queue_bytes;
  config.own = names_own_address ? &own : nullptr;
  sender = std::make_unique<UdpSender>(config, [descriptor = fd](mmsghdr* messages, unsigned count) {
    return sendmmsg(descriptor, messages, count, MSG_DONTWAIT);
  });
}

void UdpSocket::Impl::make_buffers() {
  buffer_bytes = has_gro ? kCoalescedBytes : kPlainBytes;
  buffers = has_gro ? kCoalescedBuffers : kPlainBuffers;
  memory.reset(new std::uint8_t[buffer_bytes * buffers]);
  headers.resize(buffers);
  slices.resize(buffers);
  names.resize(buffers);
  controls.resize(buffers);
  received.reserve(has_gro ? buffers * kSegmentsMax : buffers);
}

void UdpSocket::Impl::on_ready(std::uint64_t, Readiness ready) {
  if (ready.writable) {
    sender->send_queued();
    after_send();
  }
  if (ready.readable && !continues_later) receive();
}

void UdpSocket::Impl::receive() {
  for (int batch = 0; batch < batches_per_wakeup; ++batch) {
    const int count = receive_batch();
    if (count < 0) return;
    unpack(static_cast<std::size_t>(count));
    if (!received.empty()) handler.on_datagrams(received);
    // Fewer than there was room for: what comes later wakes us again.
    if (static_cast<std::size_t>(count) < buffers) return;
  }
  continue_later();
}

int UdpSocket::Impl::receive_batch() {
  for (std::size_t i = 0; i < buffers; ++i) {
    slices[i] = {memory.get() + i * buffer_bytes, buffer_bytes};
    headers[i].msg_hdr = {.msg_name = &names[i],
                          .msg_namelen = sizeof names[i],
                          .msg_iov = &slices[i],
                          .msg_iovlen = 1,
                          .msg_control = controls[i].bytes.data(),
                          .msg_controllen = controls[i].bytes.size(),
                          .msg_flags = 0};
  }
  for (;;) {
    ++counts.calls;
    const int count = recvmmsg(fd, headers.data(), static_cast<unsigned>(buffers), MSG_DONTWAIT, nullptr);
    if (count >= 0 || errno != EINTR) return count;
  }
}

void UdpSocket::Impl::unpack(std::size_t count) {
  received.clear();
  for (std::size_t i = 0; i < count; ++i) unpack_one(i);
}

void UdpSocket::Impl::unpack_one(std::size_t index) {
  msghdr& header = headers[index].msg_hdr;
  const ReceivedControl control = read_control(header);
  if (control.overflowed) {
    counts.overflowed += *control.overflowed - last_overflow;
    last_overflow = *control.overflowed;
  }
  std::span<std::uint8_t> bytes(memory.get() + index * buffer_bytes, headers[index].msg_len);
  if (header.msg_flags & MSG_TRUNC) {
    ++counts.truncated;
    return;
  }
  ReceivedDatagram datagram{
      .local = kUdpPath, .remote = read_address(names[index]), .bytes = {}, .ecn = control.ecn};
  if (names_own_address && control.own) datagram.local = own.path_of(*control.own, datagram.remote.ip);
  const std::size_t segment = control.segment_bytes > 0 ? control.segment_bytes : bytes.size();
  counts.bytes += bytes.size();
  if (bytes.empty()) ++counts.datagrams;  // Nobody's.
  if (bytes.size() > segment) counts.merged += (bytes.size() + segment - 1) / segment;
  while (!bytes.empty()) {
    datagram.bytes = bytes.first(std::min(segment, bytes.size()));
    bytes = bytes.subspan(datagram.bytes.size());
    received.push_back(datagram);
    ++counts.datagrams;
  }
}

void UdpSocket::Impl::continue_later() {
  continues_later = true;
  loop.post([weak = std::weak_ptr(self)] {
    auto strong = weak.lock();
    if (!strong || !*strong) return;
    (*strong)->continues_later = false;
    (*strong)->receive();
  });
}

void UdpSocket::Impl::after_send() {
  if (sender->is_waiting() != awaits_writable) {
    awaits_writable = sender->is_waiting();
    loop.set_interest(watch, awaits_writable ? Interest::kReadableAndWritable : Interest::kReadable);
  }
  const std::string notice = sender->take_notice();
  if (!notice.empty()) handler.on_notice(notice);
  if (on_drained && !sender->is_waiting()) drain_timer.set(Loop::now());
}

void UdpSocket::Impl::finish_drain() {
  drain_timer.set(Timestamp::never());
  if (on_drained) std::exchange(on_drained, nullptr)();
}

UdpSocket::UdpSocket(Loop& loop, DatagramHandler& handler) : impl_(std::make_unique<Impl>(loop, handler)) {}

UdpSocket::~UdpSocket() = default;

Result<UdpBinding, std::string> UdpSocket::open(const UdpOptions& options) { return impl_->open(options); }

void UdpSocket::send(const DatagramBatch& batch) {
  impl_->sender->send(batch.trains());
  impl_->after_send();
}

void UdpSocket::send_one(LocalPath local, const SocketAddress& remote, Bytes datagram) {
  if (!is_udp_path(local) || datagram.empty() || datagram.size() > 0xffff) return;
  impl_->sender->send_one({local, remote, datagram, static_cast<std::uint16_t>(datagram.size())});
  impl_->after_send();
}

void UdpSocket::drain(Timestamp deadline, std::move_only_function<void()> on_drained) {
  impl_->on_drained = std::move(on_drained);
  impl_->drain_timer.set(queued_bytes() == 0 ? Loop::now() : deadline);
}

std::size_t UdpSocket::queued_bytes() const { return impl_->sender ? impl_->sender->queued_bytes() : 0; }

bool UdpSocket::has_gso() const { return impl_->sender && impl_->sender->has_gso(); }

void UdpSocket::append_metrics(const std::string& socket, MetricSamples& samples) const {
  if (!impl_->sender) return;
  auto add = [&](const char* name, const char* help, MetricKind kind, double value,
                 std::pair<const char*, std::string> label = {}) {
    samples.push_back({name, help, kind, {{"socket", socket}}, value});
    if (label.first) samples.back().labels.push_back(std::move(label));
  };
  auto count = [&](const char* name, const char* help, std::uint64_t value,
                   std::pair<const char*, std::string> label = {}) {
    add(name, help, MetricKind::kCounter, static_cast<double>(value), std::move(label));
  };
  const Impl::Counts& in = impl_->counts;
  const UdpSendStats& out = impl_->sender->stats();
  count("stoa_udp_received_datagrams_total", "UDP datagrams received.", in.datagrams);
  count("stoa_udp_received_bytes_total", "Bytes of UDP datagrams received.", in.bytes);
  count("stoa_udp_merged_datagrams_total", "UDP datagrams that the kernel handed over in trains.", in.merged);
  count("stoa_udp_sent_datagrams_total", "UDP datagrams sent.", out.datagrams);
  count("stoa_udp_sent_bytes_total", "Bytes of UDP datagrams sent.", out.bytes);
  count("stoa_udp_sent_trains_total", "Trains of UDP datagrams that the kernel took as one.", out.trains);
  count("stoa_udp_queued_datagrams_total", "UDP datagrams that had to wait for the kernel.", out.queued);
  count("stoa_udp_gso_refusals_total", "Trains that had to be sent one by one.", out.gso_refusals);
  const char* calls_help = "System calls that moved UDP datagrams.";
  count("stoa_udp_calls_total", calls_help, in.calls, {"direction", "in"});
  count("stoa_udp_calls_total", calls_help, out.calls, {"direction", "out"});
  const char* dropped_help = "UDP datagrams lost on this machine.";
  count("stoa_udp_dropped_total", dropped_help, in.overflowed, {"reason", "receive_buffer"});
  count("stoa_udp_dropped_total", dropped_help, in.truncated, {"reason", "received_too_long"});
  for (std::size_t i = 0; i < kUdpDrops; ++i)
    count("stoa_udp_dropped_total", dropped_help, out.dropped[i],
          {"reason", name_of(static_cast<UdpDrop>(i))});
  count("stoa_udp_own_addresses_over_total", "Datagrams to more of our addresses than paths have numbers.",
        impl_->own.over_limit());
  add("stoa_udp_queued_bytes", "Bytes that wait for the kernel.", MetricKind::kGauge,
      static_cast<double>(impl_->sender->queued_bytes()));
  add("stoa_udp_gso", "Sockets that send trains.", MetricKind::kGauge, impl_->sender->has_gso() ? 1 : 0);
  add("stoa_udp_gro", "Sockets that receive trains.", MetricKind::kGauge, impl_->has_gro ? 1 : 0);
}

}  // namespace stoa::runtime

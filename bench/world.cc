#include "world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace stoa::bench {
namespace {

volatile std::sig_atomic_t g_stop_asked = 0;

std::int64_t read_clock(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string read_small_file(const std::string& path) {
  std::string text;
  if (FILE* file = std::fopen(path.c_str(), "re")) {
    char buffer[4096];
    while (std::size_t got = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, got);
    std::fclose(file);
  }
  return text;
}

}  // namespace

std::int64_t now_ns() { return read_clock(CLOCK_MONOTONIC); }
std::int64_t unix_ms() { return read_clock(CLOCK_REALTIME) / 1'000'000; }

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Result<Url, Failure> parse_url(std::string_view text) {
  Url url;
  auto colon = text.find("://");
  if (colon == std::string_view::npos) return refuse("not a URL: " + std::string(text));
  url.scheme = text.substr(0, colon);
  text.remove_prefix(colon + 3);
  auto slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  url.path = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  url.port = url.scheme == "rtmp" ? 1935 : url.scheme == "https" ? 443 : 80;
  auto port = authority.rfind(':');
  if (port != std::string_view::npos) {
    std::string_view digits = authority.substr(port + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return refuse("not a port: " + std::string(digits));
    }
    authority = authority.substr(0, port);
  }
  url.host = authority;
  if (url.host.empty()) return refuse(Failure("a URL needs a host"));
  return url;
}

std::string resolve_path(std::string_view base_path, std::string_view reference) {
  if (auto scheme = reference.find("://"); scheme != std::string_view::npos) {
    auto slash = reference.find('/', scheme + 3);
    return slash == std::string_view::npos ? "/" : std::string(reference.substr(slash));
  }
  if (reference.starts_with('/')) return std::string(reference);
  std::string path(base_path.substr(0, base_path.find('?')));
  path.resize(path.rfind('/') + 1);
  while (reference.starts_with("../")) {
    reference.remove_prefix(3);
    if (path.size() > 1) path.resize(path.rfind('/', path.size() - 2) + 1);
  }
  if (reference.starts_with("./")) reference.remove_prefix(2);
  return path + std::string(reference);
}

Result<Address, Failure> find_address(const std::string& host, std::uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return refuse("cannot resolve " + host + ": " + gai_strerror(error));
  }
  Address address{reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr.s_addr, port};
  freeaddrinfo(found);
  return address;
}

Result<Fd, Failure> start_connect(const Address& address) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return refuse(Failure("socket: ") + std::strerror(errno));
  int yes = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(address.port);
  peer.sin_addr.s_addr = address.ipv4_network_order;
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0 && errno != EINPROGRESS) {
    return refuse(Failure("connect: ") + std::strerror(errno));
  }
  return fd;
}

int take_socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { events_.reserve(kMaxEvents); }

void Poller::add(int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Poller::modify(int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

const std::vector<epoll_event>& Poller::wait_until(std::int64_t deadline_ns) {
  std::int64_t left = std::max<std::int64_t>(0, deadline_ns - now_ns());
  timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  events_.resize(kMaxEvents);
  int got = epoll_pwait2(epoll_.get(), events_.data(), kMaxEvents, &timeout, nullptr);
  events_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return events_;
}

ProcessUse read_process(int pid) {
  ProcessUse use;
  std::string folder = "/proc/" + std::to_string(pid);
  std::string stat = read_small_file(folder + "/stat");
  // Fields are counted from behind the name, which may hold spaces (proc(5)): utime is 14, stime 15, rss 24.
  if (auto end = stat.rfind(')'); end != std::string::npos) {
    unsigned long user = 0, system = 0;
    long pages = 0;
    std::sscanf(stat.c_str() + end + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
                &user, &system, &pages);
    use.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    use.resident_bytes =
        static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  if (DIR* tasks = opendir((folder + "/task").c_str())) {
    while (const dirent* task = readdir(tasks)) {
      unsigned long long waiting_ns = 0;
      std::string text = read_small_file(folder + "/task/" + task->d_name + "/schedstat");
      if (std::sscanf(text.c_str(), "%*u %llu", &waiting_ns) == 1)
        use.waiting_seconds += static_cast<double>(waiting_ns) * 1e-9;
    }
    closedir(tasks);
  }
  if (DIR* files = opendir((folder + "/fd").c_str())) {
    while (readdir(files)) ++use.open_files;
    use.open_files -= 2;  // "." and "..".
    closedir(files);
  }
  return use;
}

double own_cpu_seconds() { return static_cast<double>(read_clock(CLOCK_PROCESS_CPUTIME_ID)) * 1e-9; }

bool pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void watch_for_stop() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_stop_asked = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_asked() { return g_stop_asked != 0; }

}  // namespace stoa::bench

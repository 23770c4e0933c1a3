// Both agents at once with bytes as actions: checks that are authentic, late, changed or raw, candidates as
// text, sockets that come and go, restarts, TCP frames, time. What must hold: deadlines that move on, limits,
// a bounded number of datagrams for what came in, and paths that are announced before they are chosen or let
// go.
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "proto/ice/agent.h"
#include "proto/ice/framing.h"
#include "proto/ice/lite_agent.h"

namespace {

using namespace stoa;
using namespace stoa::ice;

Credentials credentials(char name) { return {std::string(4, name), std::string(24, name)}; }

// The promises of outputs.h.
class Judge {
 public:
  std::vector<SendDatagram> take(Outputs& out) {
    std::vector<SendDatagram> sent;
    for (auto& output : out.take()) {
      if (auto* send = std::get_if<SendDatagram>(&output)) sent.push_back(std::move(*send));
      if (auto* added = std::get_if<PathAdded>(&output)) {
        STOA_ASSERT(!knows(added->path));
        paths_.push_back(added->path);
      }
      if (auto* removed = std::get_if<PathRemoved>(&output)) {
        STOA_ASSERT(knows(removed->path));
        std::erase(paths_, removed->path);
      }
      if (auto* selected = std::get_if<PathSelected>(&output)) STOA_ASSERT(knows(selected->path));
    }
    return sent;
  }
  bool knows(const Path& path) const { return std::find(paths_.begin(), paths_.end(), path) != paths_.end(); }
  std::size_t paths() const { return paths_.size(); }

 private:
  std::vector<Path> paths_;
};

constexpr AgentConfig kSmall{.local_candidates_max = 3, .remote_candidates_max = 5, .pairs_max = 8};
constexpr LiteConfig kSmallLite{.paths_max = 3};

class Driver {
 public:
  explicit Driver(Role role)
      : full_(with_role(role), credentials('f'), Rng(1), now_),
        lite_(kSmallLite, credentials('l'), credentials('f'), now_) {}

  void act(ByteReader& input) {
    switch (input.u8() % 12) {
      case 0: return let_time_pass(Duration::milliseconds(input.u16()));
      case 1: return let_time_pass(Duration::milliseconds(input.u8()));
      case 2: return add_local(input);
      case 3: return full_.remove_local_candidate(now_, input.u8() % 4, out_), settle_full();
      case 4:
        return full_.set_remote_credentials(now_, credentials(input.u8() % 2 ? 'l' : 'x'), out_),
               settle_full();
      case 5: return add_remote(input);
      case 6: return check_full(input);
      case 7: return check_lite(input);
      case 8: return exchange(input);
      case 9: return raw(input);
      case 10: return restart(input);
      default: return frames(input);
    }
  }

 private:
  static AgentConfig with_role(Role role) {
    AgentConfig config = kSmall;
    config.role = role;
    return config;
  }
  static Path path(ByteReader& input) {
    std::uint8_t what = input.u8();
    return {what % 4u, {IpAddress::v4(192, 0, 2, what / 4 % 8), static_cast<std::uint16_t>(1 + what / 32)}};
  }

  void settle_full() {
    auto sent = full_judge_.take(out_);
    STOA_ASSERT(sent.size() <= 2 * kSmall.pairs_max + 20);
    for (auto& datagram : sent) keep(to_lite_, std::move(datagram));
    STOA_ASSERT(full_.pairs().size() <= kSmall.pairs_max);
    STOA_ASSERT(full_.transactions() <= 2 * kSmall.pairs_max + 16);
    STOA_ASSERT(full_.next_deadline() >= now_);
    STOA_ASSERT(!full_.selected() || full_judge_.knows(*full_.selected()));
    STOA_ASSERT(full_judge_.paths() <= kSmall.pairs_max + 1);
  }
  void settle_lite() {
    auto sent = lite_judge_.take(out_);
    STOA_ASSERT(sent.size() <= 1 + kSmallLite.paths_max);
    for (auto& datagram : sent) keep(to_full_, std::move(datagram));
    STOA_ASSERT(!lite_.selected() || lite_judge_.knows(*lite_.selected()));
    STOA_ASSERT(lite_judge_.paths() <= kSmallLite.paths_max);
  }
  static void keep(std::vector<SendDatagram>& queue, SendDatagram datagram) {
    if (queue.size() == 16) queue.erase(queue.begin());
    queue.push_back(std::move(datagram));
  }

  void let_time_pass(Duration duration) {
    Timestamp end = now_ + duration;
    for (int i = 0;; ++i) {
      STOA_ASSERT(i < 20'000);  // A deadline that does not move on.
      Timestamp next = std::min(full_.next_deadline(), lite_.next_deadline());
      if (next > end) break;
      now_ = std::max(now_, next);
      full_.handle_deadline(now_, out_);
      settle_full();
      lite_.handle_deadline(now_, out_);
      settle_lite();
    }
    now_ = end;
  }
  void add_local(ByteReader& input) {
    LocalCandidate local{.local = input.u8() % 4u};
    local.candidate.foundation = "f";
    local.candidate.priority = input.u32();
    local.candidate.address = {IpAddress::v4(10, 0, 0, 1), 1};
    if (input.u8() % 4 == 0) {
      local.candidate.transport = Transport::kTcpActive;
      local.peer = path(input).remote;
    }
    (void)full_.add_local_candidate(now_, local, out_);
    settle_full();
  }
  void add_remote(ByteReader& input) {
    if (input.u8() % 2 == 0) {
      Candidate candidate{.foundation = std::string(1, static_cast<char>('a' + input.u8() % 3)),
                          .priority = input.u32(),
                          .address = path(input).remote};
      (void)full_.add_remote_candidate(now_, candidate, out_);
    } else {
      std::string text = "candidate:";
      text += as_text(input.take(std::min<std::size_t>(input.u8(), input.remaining())));
      if (auto candidate = parse_candidate(text)) {
        auto again = parse_candidate(write_candidate(*candidate));
        STOA_ASSERT(again && *again == *candidate);
        (void)full_.add_remote_candidate(now_, *candidate, out_);
      }
    }
    settle_full();
  }
  Buffer check(ByteReader& input, const Credentials& from, const Credentials& to) {
    stun::TransactionId id{};
    id[0] = input.u8();
    std::uint8_t flags = input.u8();
    return write_check(id, from, to, flags & 1 ? Role::kControlling : Role::kControlled,
                       flags & 2 ? ~std::uint64_t{0} : 0, input.u32(), flags & 4);
  }
  void check_full(ByteReader& input) {
    Buffer bytes = check(input, credentials(input.u8() % 2 ? 'l' : 'x'), full_.local_credentials());
    (void)full_.handle_datagram(now_, path(input), bytes, out_);
    settle_full();
  }
  void check_lite(ByteReader& input) {
    Buffer bytes = check(input, credentials('f'), lite_.local_credentials());
    (void)lite_.handle_datagram(now_, path(input), Transport::kUdp, bytes, out_);
    settle_lite();
  }
  // Delivers something that one sent to the other, perhaps changed, perhaps from elsewhere, perhaps again.
  void exchange(ByteReader& input) {
    std::uint8_t how = input.u8();
    auto& queue = how & 1 ? to_lite_ : to_full_;
    if (queue.empty()) return;
    SendDatagram datagram = queue[input.u8() % queue.size()];
    if (how & 2) datagram.bytes[input.u16() % datagram.bytes.size()] ^= input.u8();
    if (how & 4) datagram.path = path(input);
    if (how & 1) {
      (void)lite_.handle_datagram(now_, datagram.path, Transport::kUdp, datagram.bytes, out_);
      settle_lite();
    } else {
      (void)full_.handle_datagram(now_, datagram.path, datagram.bytes, out_);
      settle_full();
    }
  }
  void raw(ByteReader& input) {
    Path from = path(input);
    if (input.u8() % 4 == 0) {
      lite_.handle_path_closed(now_, from, out_);
      return settle_lite();
    }
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    (void)lite_.handle_datagram(now_, from, Transport::kTcpPassive, bytes, out_);
    settle_lite();
    (void)full_.handle_datagram(now_, from, bytes, out_);
    settle_full();
  }
  void restart(ByteReader& input) {
    Credentials fresh = credentials('r');
    fresh.ufrag += std::to_string(restarts_++);
    if (input.u8() % 2 == 0) {
      full_.restart(now_, fresh, out_);
      settle_full();
    } else {
      lite_.restart(now_, fresh, input.u8() % 2 ? Credentials() : full_.local_credentials());
      settle_lite();
    }
  }
  void frames(ByteReader& input) {
    FrameReader reader(1 + input.u8());
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    std::size_t piece_size = 1 + input.u8() % 16;
    while (!bytes.empty()) {
      Bytes piece = bytes.first(std::min(piece_size, bytes.size()));
      bytes = bytes.subspan(piece.size());
      while (!piece.empty()) {
        auto frame = reader.next(piece);
        if (!frame) return;
        STOA_ASSERT(!*frame || (!(*frame)->empty() && (*frame)->size() <= 256));
        STOA_ASSERT(reader.partial_bytes() <= 258);
      }
    }
  }

  Timestamp now_;
  Outputs out_;
  Agent full_;
  LiteAgent lite_;
  Judge full_judge_, lite_judge_;
  std::vector<SendDatagram> to_lite_, to_full_;
  int restarts_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader input(Bytes(data + 1, size - 1));
  Driver driver(data[0] % 2 == 0 ? Role::kControlling : Role::kControlled);
  for (int i = 0; i < 500 && !input.at_end(); ++i) driver.act(input);
  return 0;
}

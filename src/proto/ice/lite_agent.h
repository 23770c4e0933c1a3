// The server's side of ICE: an agent that asks nothing and answers everything (RFC 8445 §2.5, §7.3, §8.2).
//
// The peer is a full agent and controls. Its checks make paths known, what it nominates is where we send, and
// as long as it asks we have its consent (RFC 7675: it must ask every five seconds or so; after 30 s in which
// it was silent and sent no authentic packet either, nothing may be sent).
//
// Which path:
// - Within `settling_time` of the first nomination the nominated path with the highest priority wins, since
//   a peer of RFC 5245 nominates everything that it tries (aggressive nomination).
// - After that the latest nomination wins. A peer nominates another path only because it moved: a phone
//   that leaves a wireless network, a NAT that gave it another port. Media follows at once; sequence numbers,
//   keys and the rest of the session know nothing of it.
// - NOMINATION numbers, once a peer sends them, decide alone: a lower one than the highest seen is late.
// - A selected path that falls silent gives way to the nominated path heard from last.
//
// A request's code says who sent it, not from where: a peer may write any address into its datagrams, and
// turn what it is sent against whoever lives there. So each new path is asked once: a Binding request like
// those of a full agent, which every full agent answers (RFC 8445 §7.3). The answer repeats a number that
// nobody else knows, and proves the path. Until then
// - no path that is proved gives way to one that is not; the change waits for the answer, one round trip,
// - an owner sends no more there than kUnprovedFactor times what came from there (may_send()).
// A TCP connection proves itself, and an owner may have proof of another kind (prove()).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/ice/candidate.h"
#include "proto/ice/check.h"
#include "proto/ice/credentials.h"
#include "proto/ice/outputs.h"
#include "proto/ice/path.h"
#include "proto/ice/refusal.h"
#include "proto/stun/message.h"
#include "proto/stun/retransmission.h"

namespace stoa::ice {

struct LiteConfig {
  Duration consent_timeout = Duration::seconds(30);
  // From construction until a nominated path is proved.
  Duration first_path_timeout = Duration::seconds(30);
  // How long a peer may be without any path, once it was connected: it may come back, with an ICE restart or
  // without. Nothing is sent meanwhile.
  Duration lost_timeout;
  Duration settling_time = Duration::seconds(2);
  std::size_t paths_max = 8;  // At least 2. More, and the one unheard for longest gives way.
  // The first four bytes of our requests' ids. The owner of many agents finds by it whose answer a datagram
  // is.
  std::uint32_t request_tag = 0;
};

// RFC 9000 §8.1 has the same number for the same reason.
inline constexpr std::uint64_t kUnprovedFactor = 3;
// Our request for a proof: again and again only as long as the peer asks, too.
inline constexpr stun::Retransmission::Config kProofRetransmission{
    .rto = Duration::milliseconds(250), .requests_max = 3, .last_wait = 4};
// A path that is proved, and by which something authentic came so lately, is its session's alone.
inline constexpr Duration kPathHeldFor = Duration::seconds(5);

// What a datagram was that was taken.
enum class Heard : std::uint8_t {
  kNothing,  // An indication: anybody may have sent it.
  kCheck,    // A request of the peer.
  kAnswer,   // To ours: the path is proved.
};

struct LiteStats {
  std::uint64_t checks = 0;  // Believed and answered.
  std::uint64_t paths_proved = 0;
  std::uint64_t path_changes = 0;  // Selections behind the first.
  std::array<std::uint64_t, kRefusals> refusals{};
};

class LiteAgent {
 public:
  // `remote` is of the peer's description; each half may be empty. Without the password no path can be asked
  // for its proof. Requires: local.is_valid().
  LiteAgent(const LiteConfig& config, Credentials local, Credentials remote, Timestamp now);

  // STUN datagrams only (stun::is_stun). Each is answered at most once, through the path it came from.
  Result<Heard, Refusal> handle_datagram(Timestamp now, const Path& path, Transport transport, Bytes datagram,
                                         Outputs& out);
  // The owner opened a packet of the peer that came by `path` and nobody else could have made (SRTP, SRTCP).
  // That is as good a sign of consent as a check, and the only one of clients that make none after the first
  // (libnice, unless told to). Cheap: it may be called for every packet.
  void handle_authentic_packet(Timestamp now, const Path& path);
  // A datagram that is not STUN came by this path.
  void handle_received(const Path& path, std::size_t bytes);
  // Whether so much may be sent there now; it then counts as sent.
  bool may_send(const Path& path, std::size_t bytes);
  // The owner knows that who is there receives what is sent there: a handshake came to its end.
  void prove(const Path& path, Outputs& out);
  // A TCP connection ended, or the address turned out to be another peer's.
  void handle_path_closed(Timestamp now, const Path& path, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }

  // ICE restart (RFC 8445 §9). What is selected stays so until the peer nominates with the new credentials;
  // until then the old ones count as well.
  void restart(Timestamp now, Credentials local, Credentials remote);

  const std::optional<Path>& selected() const { return selected_; }
  bool is_known(const Path& path) const;
  bool is_proved(const Path& path) const;
  // It is proved, and the peer was heard there in the last kPathHeldFor.
  bool is_held(Timestamp now, const Path& path) const;
  const Credentials& local_credentials() const { return local_; }
  // During a restart: what datagrams of the old generation are addressed to. Empty otherwise.
  const Credentials& previous_credentials() const { return previous_local_; }
  const LiteStats& stats() const { return stats_; }

 private:
  struct Entry {
    Path path;
    std::uint64_t priority = 0;
    Timestamp heard_at;
    Timestamp nominated_at = Timestamp::never();
    bool is_proved = false;
    stun::TransactionId request_id{};  // Of our request, which stays the same for a path.
    stun::Retransmission request;
    std::uint64_t received_bytes = 0, sent_bytes = 0;  // Until it is proved.
    bool is_nominated() const { return nominated_at != Timestamp::never(); }
  };

  Result<Heard, Refusal> handle_request(Timestamp now, const Path& path, Transport transport,
                                        const stun::Message& request, Outputs& out);
  Result<Check, Refusal> believe(const stun::Message& request, const Path& path, bool& is_current,
                                 Outputs& out);
  Result<Heard, Refusal> handle_answer(Timestamp now, const Path& path, const stun::Message& answer,
                                       Outputs& out);
  Entry* find(const Path& path);
  const Entry* find(const Path& path) const;
  Entry& add(Timestamp now, const Path& path, Transport transport, Outputs& out);
  void ask_for_proof(Timestamp now, Entry& entry, Outputs& out);
  void send_request(Entry& entry, Outputs& out);
  void prove(Entry& entry, Outputs& out);
  static bool may_send(Entry& entry, std::size_t bytes);
  void nominate(Timestamp now, Entry& entry, const Check& check, Outputs& out);
  // What the peer means: selected, or about to be.
  const std::optional<Path>& meant() const { return pending_ ? pending_ : selected_; }
  bool should_select(Timestamp now, const Entry& entry, const Check& check);
  void select(const Path& path, Outputs& out);
  void remove(std::size_t index, Outputs& out);
  // Of the paths left, when the selected one went.
  void select_another(Outputs& out);
  void update_deadline();
  Refusal count(Refusal refusal);

  LiteConfig config_;
  Credentials local_, previous_local_;
  Credentials remote_, previous_remote_;
  std::vector<Entry> paths_;
  std::optional<Path> selected_;
  std::optional<Path> pending_;              // Selected as soon as it is proved.
  std::optional<std::uint32_t> nomination_;  // The highest NOMINATION seen.
  Timestamp first_nomination_ = Timestamp::never();
  bool has_been_connected_ = false;
  bool is_selected_of_previous_ =
      false;  // Since a restart: any nomination of the new generation counts more.
  // Without a proved path by then it is a failure; never() while there is one.
  Timestamp failure_at_;
  Timestamp deadline_;
  LiteStats stats_;
};

}  // namespace stoa::ice

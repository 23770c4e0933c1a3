// The server's side of ICE: an agent that asks nothing and answers everything (RFC 8445 §2.5, §7.3, §8.2).
//
// The peer is a full agent and controls. Its checks make paths known, what it nominates is where we send, and
// as long as it asks we have its consent (RFC 7675: it must ask every five seconds or so; after 30 s in which
// it was silent and sent no authentic packet either, nothing may be sent). A lite agent makes no checks, also
// none for consent.
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
// Requests are believed by their code alone. Who can see and resend a request of the peer from another
// address within seconds can turn media there for as long as the peer's own requests do not turn it back;
// that is a property of ICE-lite, and such an observer sees the media anyhow.
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

namespace stoa::ice {

struct LiteConfig {
  Duration consent_timeout = Duration::seconds(30);
  Duration first_path_timeout = Duration::seconds(30);  // From construction to the first nomination.
  Duration settling_time = Duration::seconds(2);
  std::size_t paths_max = 8;  // At least 2. More, and the one unheard for longest gives way.
};

struct LiteStats {
  std::uint64_t checks = 0;        // Believed and answered.
  std::uint64_t path_changes = 0;  // Selections behind the first.
  std::array<std::uint64_t, kRefusals> refusals{};
};

class LiteAgent {
 public:
  // `remote_ufrag` is of the peer's description; empty when it is not known yet. Requires: local.is_valid().
  LiteAgent(const LiteConfig& config, Credentials local, std::string remote_ufrag, Timestamp now);

  // STUN datagrams only (stun::is_stun). Each is answered at most once, through the path it came from.
  Result<void, Refusal> handle_datagram(Timestamp now, const Path& path, Transport transport, Bytes datagram,
                                        Outputs& out);
  // The owner opened a packet of the peer that came by `path` and nobody else could have made (SRTP, SRTCP).
  // That is as good a sign of consent as a check, and the only one of clients that make none after the first
  // (libnice, unless told to). Cheap: it may be called for every packet.
  void handle_authentic_packet(Timestamp now, const Path& path);
  // A TCP connection ended.
  void handle_path_closed(Timestamp now, const Path& path, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }

  void set_remote_ufrag(std::string ufrag) { remote_ufrag_ = std::move(ufrag); }
  // ICE restart (RFC 8445 §9). What is selected stays so until the peer nominates with the new credentials;
  // until then the old ones count as well.
  void restart(Timestamp now, Credentials local, std::string remote_ufrag);

  const std::optional<Path>& selected() const { return selected_; }
  bool is_known(const Path& path) const;
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
    bool is_nominated() const { return nominated_at != Timestamp::never(); }
  };

  Result<void, Refusal> handle_request(Timestamp now, const Path& path, Transport transport,
                                       const stun::Message& request, Outputs& out);
  Result<Check, Refusal> believe(const stun::Message& request, const Path& path, bool& is_current,
                                 Outputs& out);
  Entry* find(const Path& path);
  Entry& add(Timestamp now, const Path& path, Outputs& out);
  void nominate(Timestamp now, Entry& entry, const Check& check, Outputs& out);
  bool should_select(Timestamp now, const Entry& entry, const Check& check);
  void select(const Path& path, Outputs& out);
  void remove(std::size_t index, Outputs& out);
  // Of the paths left, when the selected one went.
  void select_another(Outputs& out);
  void update_deadline();
  Refusal count(Refusal refusal);

  LiteConfig config_;
  Credentials local_, previous_local_;
  std::string remote_ufrag_, previous_remote_ufrag_;
  std::vector<Entry> paths_;
  std::optional<Path> selected_;
  std::optional<std::uint32_t> nomination_;  // The highest NOMINATION seen.
  Timestamp first_nomination_ = Timestamp::never();
  bool has_been_connected_ = false;
  bool is_selected_of_previous_ =
      false;              // Since a restart: any nomination of the new generation counts more.
  Timestamp failure_at_;  // Without a path by then it is a failure; never() while there is one.
  Timestamp deadline_;
  LiteStats stats_;
};

}  // namespace stoa::ice

// A full ICE agent (RFC 8445), for whoever dials out: tests, load generators, relays between nodes.
//
//   Agent agent(config, make_credentials(), Rng(seed), now);
//   agent.add_local_candidate(now, {.local = socket, .candidate = host}, out);
//   agent.set_remote_credentials(now, theirs, out);         // from their description, at any time
//   agent.add_remote_candidate(now, candidate, out);        // from the description or trickled, at any time
//   … handle_datagram, handle_deadline … until PathSelected
//
// One component, one data stream. Pairs are tried one every `pace`, what the peer tries first jumps the
// queue, and the controlling side nominates once: the best pair that answered when nothing better is pending,
// or `nomination_wait` after the first answer. Then consent is asked for every five seconds (RFC 7675). A
// controlling agent puts USE-CANDIDATE into those checks as well, so that a peer that sees them come from a
// new address (a NAT that forgot us) follows at once.
//
// When the selected path stops answering for `silence`, or its socket is taken away, all pairs are checked
// again and another one may be nominated without an ICE restart: our own agents follow, and so do browsers;
// towards a peer that does not, the owner restarts. A local candidate that is added later (the phone found a
// network) is tried as soon as it is needed.
//
// Server-reflexive candidates need no telling: they are their base with another address, which RFC 8445
// §6.1.2.4 takes out of the list again. The owner finds them (stun/binding_client.h) and writes them into its
// description. TCP connections are local candidates that reach one peer address only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/ice/candidate.h"
#include "proto/ice/check.h"
#include "proto/ice/checklist.h"
#include "proto/ice/credentials.h"
#include "proto/ice/outputs.h"
#include "proto/ice/refusal.h"
#include "proto/stun/message.h"
#include "proto/stun/retransmission.h"

namespace stoa::ice {

struct AgentConfig {
  Role role = Role::kControlling;
  Duration pace = Duration::milliseconds(50);      // Ta (RFC 8445 §14.2).
  Duration rto_min = Duration::milliseconds(500);  // RFC 8445 §14.3; grows with what is under way.
  int requests_max = 7;
  int last_wait = 16;
  Duration nomination_wait = Duration::milliseconds(300);
  Duration settling_time = Duration::seconds(2);     // Controlled side: as LiteConfig::settling_time.
  Duration consent_interval = Duration::seconds(5);  // Drawn from 0.8 to 1.2 times this.
  Duration consent_timeout = Duration::seconds(30);
  Duration silence = Duration::seconds(8);
  Duration patience = Duration::milliseconds(39'500);  // RFC 8863 §4: no failure before.
  std::size_t local_candidates_max = 16;
  std::size_t remote_candidates_max = 64;
  std::size_t pairs_max = 100;  // RFC 8445 §6.1.2.5.
};

struct LocalCandidate {
  std::uint32_t local = 0;            // Path::local of what is received there.
  Candidate candidate;                // Host or relayed.
  std::optional<SocketAddress> peer;  // Of a TCP connection: the only remote address it reaches.
};

struct AgentStats {
  std::uint64_t checks_sent = 0;  // Repetitions and consent included.
  std::uint64_t checks_received = 0;
  std::uint64_t path_changes = 0;
  std::uint64_t role_changes = 0;
  std::array<std::uint64_t, kRefusals> refusals{};
};

class Agent {
 public:
  // Requires: local.is_valid().
  Agent(const AgentConfig& config, Credentials local, Rng rng, Timestamp now);

  // Inputs.
  Result<void, Refusal> add_local_candidate(Timestamp now, LocalCandidate candidate, Outputs& out);
  // Its socket or connection is gone.
  void remove_local_candidate(Timestamp now, std::uint32_t local, Outputs& out);
  // Requires: remote.is_valid(). With other credentials than before, without restart() on this side, it is
  // the peer's restart: call restart() first.
  void set_remote_credentials(Timestamp now, Credentials remote, Outputs& out);
  // Candidates of another component, or with the ufrag of another generation, are passed over.
  Result<void, Refusal> add_remote_candidate(Timestamp now, const Candidate& candidate, Outputs& out);
  // STUN datagrams only (stun::is_stun).
  Result<void, Refusal> handle_datagram(Timestamp now, const Path& path, Bytes datagram, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }
  // ICE restart (RFC 8445 §9): everything anew but for the selected path, on which sending goes on, with its
  // consent, until another is selected. The remote credentials and candidates of the new generation follow.
  void restart(Timestamp now, Credentials local, Outputs& out);

  // Queries.
  std::optional<Path> selected() const { return selected_ ? std::optional(selected_->path) : std::nullopt; }
  Role role() const { return role_; }
  const Credentials& local_credentials() const { return local_; }
  const std::vector<Pair>& pairs() const { return checklist_.pairs(); }
  std::size_t transactions() const { return transactions_.size(); }
  const AgentStats& stats() const { return stats_; }

 private:
  struct RemoteCandidate {
    SocketAddress address;
    Transport transport;
    std::uint32_t priority;
    std::string foundation;
    bool is_learned;  // Peer reflexive.
  };
  struct Transaction {
    stun::TransactionId id;
    std::uint32_t pair_id;  // 0: consent on a path of the previous generation.
    Path path;
    std::uint32_t generation;
    Role role;
    bool is_nominating, is_consent;
    bool is_cancelled;  // Not repeated, and no failure when it gets no answer.
    Buffer request;
    stun::Retransmission retransmission;
  };
  struct Selected {
    Path path;
    std::uint32_t generation = 0;
    Timestamp answered_at;
    Timestamp next_consent;
  };

  // Requests (agent.cc).
  Result<void, Refusal> handle_request(Timestamp now, const Path& path, const stun::Message& request,
                                       Outputs& out);
  Result<void, Refusal> resolve_roles(const Path& path, const stun::Message& request, const Check& check,
                                      Outputs& out);
  void handle_current_check(Timestamp now, const Path& path, const Check& check, Outputs& out);
  void switch_role(Role role);
  RemoteCandidate* learn_remote(const Path& path, const Check& check, Transport transport);
  LocalCandidate* find_local(std::uint32_t local);
  bool can_pair(const LocalCandidate& local, const RemoteCandidate& remote) const;
  Pair* add_pair(const LocalCandidate& local, const RemoteCandidate& remote);

  // Our own checks (agent_checks.cc).
  Result<void, Refusal> handle_answer(Timestamp now, const Path& path, const stun::Message& answer,
                                      Outputs& out);
  void handle_success(Timestamp now, const Transaction& done, const Path& path, Outputs& out);
  void handle_error(Timestamp now, const Transaction& done, std::uint16_t code);
  void fail_pair(Timestamp now, std::uint32_t pair_id);
  void repeat_requests(Timestamp now, Outputs& out);
  void send_next_check(Timestamp now, Outputs& out);
  void send_consent_check(Timestamp now, Outputs& out);
  // `pair` is null for consent on a path of the previous generation.
  void send_request(Timestamp now, const Path& path, const Pair* pair, bool is_nominating, bool is_consent,
                    Outputs& out);
  stun::Retransmission::Config timing_of(const Path& path, bool is_consent);
  void cancel_transactions(std::uint32_t pair_id);
  void consider_nomination(Timestamp now);
  void handle_nomination(Timestamp now, Pair& pair, Outputs& out);
  void select(Timestamp now, const Pair& pair, Outputs& out);
  void lose_selected(Timestamp now, Outputs& out);
  void look_for_another(Timestamp now);
  void handle_consent(Timestamp now, Outputs& out);
  void handle_failure(Timestamp now, Outputs& out);
  bool is_settled() const { return selected_ && selected_->generation == generation_ && !is_looking_; }
  void announce(const Path& path, Outputs& out);
  // At the end of every input: PathRemoved for what is gone, and the next deadline.
  void finish(Timestamp now, Outputs& out);
  Refusal count(Refusal refusal);

  AgentConfig config_;
  Credentials local_, remote_, previous_local_, previous_remote_;
  Rng rng_;
  Role role_;
  std::uint64_t tie_breaker_;
  std::uint32_t generation_ = 1, previous_generation_ = 0;  // previous_*_ belong to the latter.

  std::vector<LocalCandidate> locals_;
  std::vector<RemoteCandidate> remotes_;
  Checklist checklist_;
  std::vector<Transaction> transactions_;
  std::optional<Selected> selected_;
  std::vector<Path> announced_;  // PathAdded went out.
  bool has_been_selected_ = false;
  bool is_looking_ = false;            // The selected path is silent.
  std::uint32_t nominating_pair_ = 0;  // Our nomination is on its way.
  Timestamp first_valid_at_ = Timestamp::never();
  Timestamp first_nomination_ = Timestamp::never();
  Timestamp next_check_at_;
  Timestamp nomination_at_ = Timestamp::never();
  Timestamp failure_at_ = Timestamp::never();
  Timestamp deadline_ = Timestamp::never();
  AgentStats stats_;
};

}  // namespace stoa::ice

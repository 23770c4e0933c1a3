// Two sessions of a meeting with bytes as actions: one whose peer offers, one that is offered to. Sections
// come, go and change in ways that browsers have and in ways that they have not; descriptions are damaged;
// outlets come and go. What must hold: every outlet is in one section or said to be in none, numbers of
// tracks and outlets are one's alone, a section rests before another outlet has it, our payload types and
// extension ids mean the same for good, and nothing is left of sessions that are closed.
#include <algorithm>
#include <map>
#include <set>

#include "base/assert.h"
#include "base/rng.h"
#include "crypto/srtp_kernel.h"
#include "session/webrtc/port.h"

namespace {

using namespace stoa;
using namespace stoa::webrtc;

constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);
constexpr std::size_t kOutletsTried = 12;

struct World {
  std::shared_ptr<const dtls::Identity> identity = dtls::Identity::make(kWall, Duration::seconds(86'400));
  sdp::MediaSupport video = sdp::make_video_support(), audio = sdp::make_audio_support();
};

PortConfig port_config() {
  PortConfig config;
  config.sessions_max = 4;
  config.candidates = {{.foundation = "h", .priority = 1, .address = {IpAddress::v4(192, 0, 2, 1), 7882}}};
  return config;
}

class Driver {
 public:
  explicit Driver(World& world)
      : world_(world), port_(port_config(), world.identity, crypto::make_openssl_srtp_kernel(), Rng(3)) {
    add(0);
    add(3);
  }

  void act(ByteReader& input) {
    const std::uint8_t what = input.u8(), more = input.u8();
    switch (what % 16) {
      case 0: add(more); break;
      case 1: section(more).direction = static_cast<sdp::Direction>(more >> 6); break;
      case 2: stop(section(more)); break;
      case 3: recycle(section(more), what); break;
      case 4: section(more).msids = {{"s", "t" + std::to_string(what)}}; break;
      case 5: damage(section(more), what); break;
      case 6: ice_ = more % 4; break;
      case 7:
      case 8: toggle(more); break;
      case 9:
      case 10: answer_peer(what, more, input); break;
      case 11:
      case 12: make_offer(more); break;
      case 13:
      case 14: accept(what, more, input); break;
      default: command(more); break;
    }
    settle();
  }
  void finish() {
    port_.close_all(now_, out_);
    settle();
    STOA_ASSERT(port_.sessions() == 0 && port_.entries() == 0 && port_.unconnected() == 0);
    STOA_ASSERT(open_.empty());
  }

 private:
  // ---- What the peer says.
  void add(std::uint8_t how) {
    if (sections_.size() >= 40) return;
    sdp::OfferedSection wanted{.kind = static_cast<sdp::MediaKind>(how % 3),
                               .mid = "m" + std::to_string(next_mid_++)};
    wanted.media = wanted.kind == sdp::MediaKind::kVideo ? &world_.video : &world_.audio;
    if (wanted.kind == sdp::MediaKind::kData) wanted.data = sdp::SctpParameters{};
    wanted.direction = static_cast<sdp::Direction>(how >> 6);
    if (how & 8) wanted.source = sdp::LocalSource{{"s", wanted.mid}, "peer", 100u + next_mid_, {}};
    if (how & 16 && wanted.kind == sdp::MediaKind::kVideo) wanted.send_layers = {{.id = "q"}, {.id = "f"}};
    auto made = sdp::make_offer(local(), std::span(&wanted, 1));
    STOA_ASSERT(made);
    sections_.push_back(std::move(made->sections[0]));
    sections_.back().candidates.clear();
  }
  sdp::MediaSection& section(std::uint8_t which) { return sections_[which % sections_.size()]; }
  static void stop(sdp::MediaSection& section) { section.port = 0; }
  void recycle(sdp::MediaSection& section, std::uint8_t how) {
    section.port = 9;
    section.mid = how & 16 ? "m" + std::to_string(next_mid_++) : section.mid;
    if (how & 32 && !section.payloads.empty()) section.payloads.pop_back();
  }
  static void damage(sdp::MediaSection& section, std::uint8_t how) {
    if (how & 16 && section.extensions.size() > 1)
      std::swap(section.extensions[0].id, section.extensions[1].id);
    if (how & 32) section.mid.clear();
    if (how & 64) section.has_rtcp_mux = !section.has_rtcp_mux;
    if (how & 128 && !section.payloads.empty()) section.payloads.erase(section.payloads.begin());
  }
  sdp::Local local() const {
    sdp::Local local{.session_id = 1, .session_version = 1};
    local.ice = {.ufrag = "peer" + std::to_string(ice_), .password = "pppppppppppppppppppppp"};
    local.setup = sdp::DtlsSetup::kActive;
    local.fingerprints = {sdp::make_fingerprint(sdp::HashFunction::kSha256, std::array<std::uint8_t, 32>{1})};
    return local;
  }
  std::string offer_text() {
    sdp::SessionDescription offer;
    offer.sections = sections_;
    offer.bundles.emplace_back();
    for (sdp::MediaSection& one : offer.sections) {
      one.ice = local().ice;
      if (one.port != 0 && !one.mid.empty()) offer.bundles[0].push_back(one.mid);
    }
    if (offer.bundles[0].empty()) offer.bundles.clear();
    return sdp::write(offer);
  }
  static void damage(std::string& text, std::uint8_t how, ByteReader& input) {
    if (text.empty()) return;
    for (int i = how >> 6; i > 0; --i) text[input.u16() % text.size()] = static_cast<char>(input.u8());
  }

  // ---- What it is sent.
  void toggle(std::uint8_t which) {
    static constexpr payload::Encoding kEncodings[] = {payload::Encoding::kVp8, payload::Encoding::kOpus,
                                                       payload::Encoding::kH264, payload::Encoding::kAv1};
    const std::uint64_t key = which % kOutletsTried;
    if (std::erase_if(outlets_, [&](const PeerOutlet& outlet) { return outlet.key == key; }) > 0) return;
    PeerOutlet outlet{.key = key, .track = {.encoding = kEncodings[which >> 4 & 3]}, .stream_id = "s"};
    outlet.track_id = which & 128 ? "" : "t" + std::to_string(which);
    outlet.track.profile[0] = which >> 6 & 1 ? 0x64 : 0;
    outlets_.push_back(outlet);
  }
  void expect_accounted(const std::vector<PeerSeat>& seats, const std::vector<std::uint64_t>& a,
                        const std::vector<std::uint64_t>& b) const {
    std::multiset<std::uint64_t> keys(a.begin(), a.end()), wanted;
    keys.insert(b.begin(), b.end());
    for (const PeerSeat& seat : seats) keys.insert(seat.key);
    for (const PeerOutlet& outlet : outlets_) wanted.insert(outlet.key);
    STOA_ASSERT(keys == wanted);
  }
  static void expect_apart(const std::vector<PeerSeat>& seats) {
    std::set<std::string> mids;
    std::set<std::size_t> numbers;
    for (const PeerSeat& seat : seats) {
      STOA_ASSERT(mids.insert(seat.mid).second && numbers.insert(seat.outlet).second);
      STOA_ASSERT(seat.outlet < kOutletsMax);
    }
  }
  // Of one session: by mid, whose a section was. It rests between two.
  static void expect_rest(std::map<std::string, std::uint64_t>& before, const std::vector<PeerSeat>& seats) {
    std::map<std::string, std::uint64_t> now;
    for (const PeerSeat& seat : seats) {
      now[seat.mid] = seat.key;
      auto found = before.find(seat.mid);
      STOA_ASSERT(found == before.end() || found->second == seat.key);
    }
    before = std::move(now);
  }

  // ---- Negotiation.
  void answer_peer(std::uint8_t what, std::uint8_t how, ByteReader& input) {
    std::string offer = offer_text();
    if (what & 16) damage(offer, how, input);
    auto answered = port_.answer_peer(now_, answering_, offer, outlets_, {}, out_);
    if (!answered) return;
    answering_ = answered->session;
    open_.insert(answering_.value());
    auto theirs = sdp::parse(offer), ours = sdp::parse(answered->answer);
    STOA_ASSERT(theirs && ours && sdp::agree(*theirs, *ours, sdp::Side::kOfferer));
    expect_accounted(answered->seats, answered->unseated, answered->unsupported);
    expect_apart(answered->seats);
    std::set<int> ids;
    std::set<std::string> mids;
    for (const PeerTrack& track : answered->tracks)
      STOA_ASSERT(track.id < media::kTracksPerPublicationMax && ids.insert(track.id).second &&
                  mids.insert(track.mid).second && !track.rids.empty());
    for (const PeerSeat& seat : answered->seats) STOA_ASSERT(!mids.contains(seat.mid));
    expect_rest(answered_seats_, answered->seats);
  }
  void make_offer(std::uint8_t how) {
    if (!open_.contains(offering_.value())) {
      auto opened = port_.open_offering_peer(now_, {});
      if (!opened) return;
      offering_ = *opened;
      open_.insert(offering_.value());
      types_.clear();
      ids_.clear();
      offered_seats_.clear();
    }
    auto offered = port_.make_offer(now_, offering_, outlets_, how & 1, out_);
    if (!offered) return;
    open_offer_ = offered->offer;
    auto description = sdp::parse(offered->offer);
    STOA_ASSERT(description && description->sections[0].kind == sdp::MediaKind::kData);
    for (const sdp::MediaSection& section : description->sections) {
      if (section.is_rejected()) continue;
      for (const sdp::Payload& payload : section.payloads) {
        std::string format = payload.name + sdp::write_format(payload.format);
        STOA_ASSERT(types_.emplace(payload.type, format).first->second == format);
      }
      for (const sdp::ExtensionMap& map : section.extensions)
        STOA_ASSERT(ids_.emplace(map.id, map.extension).first->second == map.extension);
    }
    expect_accounted(offered->seats, offered->unseated, {});
    expect_apart(offered->seats);
    expect_rest(offered_seats_, offered->seats);
  }
  void accept(std::uint8_t what, std::uint8_t how, ByteReader& input) {
    auto offer = sdp::parse(open_offer_);
    if (!offer) return;
    std::vector<sdp::SectionIntent> intents(offer->sections.size());
    for (std::size_t i = 0; i < intents.size(); ++i) {
      const std::uint8_t choice = how & 1 ? input.u8() : 0;
      intents[i].data = sdp::SctpParameters{};
      intents[i].direction = choice & 1 ? sdp::Direction::kInactive : sdp::Direction::kRecvOnly;
      if ((choice & 6) != 6)
        intents[i].media = offer->sections[i].kind == sdp::MediaKind::kVideo ? &world_.video : &world_.audio;
    }
    auto answer = sdp::make_answer(*offer, local(), intents);
    if (!answer) return;
    std::string text = sdp::write(*answer);
    if (what & 16) damage(text, how, input);
    auto accepted = port_.accept_answer(now_, offering_, text, out_);
    if (!accepted) return;
    open_offer_.clear();
    expect_apart(accepted->seats);
    // A section whose track was not taken rested in this very answer.
    std::erase_if(offered_seats_, [&](const auto& entry) {
      return std::find(accepted->rejected.begin(), accepted->rejected.end(), entry.second) !=
             accepted->rejected.end();
    });
  }
  void command(std::uint8_t what) {
    const SessionId session = what & 1 ? answering_ : offering_;
    switch (what >> 1 & 7) {
      case 0: port_.close(now_, session, out_); break;
      case 1: port_.set_source(now_, session, what >> 4, {}, out_); break;
      case 2: port_.set_layer_max(now_, session, what >> 4, 1, out_); break;
      case 3: (void)port_.open_channel(now_, session, {.label = "x", .protocol = {}}, out_); break;
      case 4:
        (void)port_.track_stats(session);
        (void)port_.round_trip(session);
        (void)port_.outlet_stats(session, what >> 4);
        break;
      case 5: pass(Duration::milliseconds(what * 100)); break;
      default: pass(Duration::milliseconds(what)); break;
    }
  }
  void pass(Duration time) {
    const Timestamp end = now_ + time;
    for (int i = 0; port_.next_deadline() <= end; ++i) {
      STOA_ASSERT(i < 10'000);  // A deadline that does not move on.
      now_ = std::max(now_, port_.next_deadline());
      port_.handle_deadline(now_, kWall + (now_ - Timestamp()), out_);
      settle();
    }
    now_ = end;
  }
  void settle() {
    for (PortOutput& output : out_.take()) {
      if (const auto* closed = std::get_if<SessionClosed>(&output)) {
        STOA_ASSERT(open_.erase(closed->session.value()) == 1);
        if (closed->session == answering_) {
          answering_ = {};
          answered_seats_.clear();
        }
      }
    }
    STOA_ASSERT(port_.sessions() == open_.size());
  }

  World& world_;
  Timestamp now_ = Timestamp() + Duration::seconds(1);
  Port port_;
  PortOutputs out_;
  SessionId answering_, offering_;
  std::set<std::uint64_t> open_;
  std::vector<sdp::MediaSection> sections_;
  std::uint32_t next_mid_ = 0;
  int ice_ = 0;
  std::vector<PeerOutlet> outlets_;
  std::string open_offer_;
  std::map<std::string, std::uint64_t> answered_seats_, offered_seats_;
  std::map<int, std::string> types_;
  std::map<int, sdp::HeaderExtension> ids_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  ByteReader input(Bytes(data, std::min<std::size_t>(size, 1024)));
  Driver driver(world);
  while (input.ok() && !input.at_end()) driver.act(input);
  driver.finish();
  return 0;
}

// ICE and DTLS attributes, and what a section takes from the session level when it ends.
#include <algorithm>
#include <array>

#include "proto/sdp/reader.h"

namespace stoa::sdp {
namespace {

constexpr std::array<std::string_view, 5> kHashNames = {"sha-1", "sha-224", "sha-256", "sha-384", "sha-512"};
constexpr std::array<std::string_view, 4> kSetups = {"active", "passive", "actpass", "holdconn"};

}  // namespace

Reader::Outcome Reader::handle_ice_ufrag(std::string_view value) {
  if (!current_->ufrag.empty()) return refuse(Refusal::kDuplicate);
  if (!is_ice_ufrag(value)) return refuse(Refusal::kBadIce);
  current_->ufrag = value;
  current_->ice_line = line_;
  return {};
}

Reader::Outcome Reader::handle_ice_password(std::string_view value) {
  if (!current_->password.empty()) return refuse(Refusal::kDuplicate);
  if (!is_ice_password(value)) return refuse(Refusal::kBadIce);
  current_->password = value;
  current_->ice_line = line_;
  return {};
}

// Separated by spaces; libdatachannel has commas.
Reader::Outcome Reader::handle_ice_options(std::string_view value) {
  for (Words words(value);;) {
    std::string_view word;
    if (!words.next(word)) return {};
    for (Words options(word, ',');;) {
      std::string_view option;
      if (!options.next(option)) break;
      if (option == "trickle") section().ice_options.trickle = true;
      if (option == "ice2") section().ice_options.ice2 = true;
      if (option == "renomination") section().ice_options.renomination = true;
    }
  }
}

Reader::Outcome Reader::handle_candidate(std::string_view value) {
  if (section().candidates.size() == kCandidatesMax) return refuse(Refusal::kTooMany);
  STOA_TRY(auto candidate, parse_candidate(value));
  if (candidate) section().candidates.push_back(std::move(*candidate));
  return {};
}

Reader::Outcome Reader::handle_end_of_candidates(std::string_view value) {
  if (!value.empty()) return refuse(Refusal::kBadIce);
  section().has_end_of_candidates = true;
  return {};
}

Reader::Outcome Reader::handle_fingerprint(std::string_view value) {
  Words words(value);
  std::string_view name = words.take(), text = words.take();
  if (!is_token(name, kNameBytesMax) || text.empty() || !words.take().empty()) {
    return refuse(Refusal::kBadFingerprint);
  }
  auto found = std::find_if(kHashNames.begin(), kHashNames.end(),
                            [&](std::string_view known) { return equals_ignoring_case(known, name); });
  if (found == kHashNames.end()) return {};
  Fingerprint fingerprint{.hash = static_cast<HashFunction>(found - kHashNames.begin()), .digest = {}};
  std::size_t bytes = digest_bytes_of(fingerprint.hash);
  if (text.size() != bytes * 3 - 1) return refuse(Refusal::kBadFingerprint);
  for (std::size_t i = 0; i < bytes; ++i) {
    auto byte = parse_hex(text.substr(3 * i, 2), 2);
    if (!byte || (i + 1 < bytes && text[3 * i + 2] != ':')) return refuse(Refusal::kBadFingerprint);
    fingerprint.digest[i] = static_cast<std::uint8_t>(*byte);
  }
  auto& fingerprints = section().fingerprints;
  if (std::find(fingerprints.begin(), fingerprints.end(), fingerprint) != fingerprints.end()) return {};
  if (fingerprints.size() == kFingerprintsMax) return refuse(Refusal::kTooMany);
  fingerprints.push_back(fingerprint);
  return {};
}

Reader::Outcome Reader::handle_setup(std::string_view value) {
  if (section().setup) return refuse(Refusal::kDuplicate);
  auto found = std::find(kSetups.begin(), kSetups.end(), value);
  if (found == kSetups.end()) return refuse(Refusal::kBadSetup);
  section().setup = static_cast<DtlsSetup>(found - kSetups.begin());
  return {};
}

Reader::Outcome Reader::handle_tls_id(std::string_view value) {
  if (!section().tls_id.empty()) return refuse(Refusal::kDuplicate);
  if (!is_token(value, kTokenBytesMax)) return refuse(Refusal::kBadAttribute);
  section().tls_id = value;
  return {};
}

Reader::Outcome Reader::close_section() {
  if (is_at_session()) return {};
  if (auto outcome = inherit(); !outcome) return outcome;
  if (auto outcome = settle_payloads(); !outcome) return outcome;
  settle_rids();
  settle_simulcast();
  section_lines_.push_back(open_.media_line);
  description_.sections.push_back(std::move(open_.section));
  current_ = &session_;
  return {};
}

Reader::Outcome Reader::inherit() {
  MediaSection& to = section();
  const MediaSection& from = session_.section;
  if (open_.ufrag.empty() && open_.password.empty()) {
    open_.ufrag = session_.ufrag;
    open_.password = session_.password;
    open_.ice_line = session_.ice_line;
  }
  if (open_.ufrag.empty() != open_.password.empty()) {
    line_ = open_.ice_line;
    return refuse(Refusal::kBadIce);
  }
  if (!open_.ufrag.empty()) to.ice = IceCredentials{std::string(open_.ufrag), std::string(open_.password)};
  to.ice_options.trickle |= from.ice_options.trickle;
  to.ice_options.ice2 |= from.ice_options.ice2;
  to.ice_options.renomination |= from.ice_options.renomination;
  to.has_end_of_candidates |= from.has_end_of_candidates;
  to.has_extmap_allow_mixed |= from.has_extmap_allow_mixed;
  if (to.fingerprints.empty()) to.fingerprints = from.fingerprints;
  if (!to.setup) to.setup = from.setup;
  if (to.tls_id.empty()) to.tls_id = from.tls_id;
  if (to.connection_address.empty()) to.connection_address = from.connection_address;
  if (!open_.has_direction) to.direction = from.direction;
  if (!to.is_rtp()) return {};
  for (const ExtensionMap& map : from.extensions) {
    bool is_taken = map.id < 256 && open_.extension_ids[map.id];
    for (const ExtensionMap& own : to.extensions) is_taken |= own.extension == map.extension;
    if (!is_taken) to.extensions.push_back(map);
  }
  return {};
}

}  // namespace stoa::sdp

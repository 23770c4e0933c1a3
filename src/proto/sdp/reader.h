// How parse() reads: one pass over the lines, one table of attributes. Inside this folder only.
//
// Attributes may stand in any order (a=fmtp before its a=rtpmap), so what refers to something else in its
// section is kept as a view and settled when the section ends.
#pragma once

#include <bitset>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/sdp/description.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), lines_(text) {}
  Result<SessionDescription, Fault> read();

 private:
  using Outcome = Result<void, Refusal>;
  struct Attribute {
    std::string_view name;
    bool at_session, at_media;
    Outcome (Reader::*handle)(std::string_view value);
  };
  struct Unsettled {
    std::uint32_t line;
    std::uint8_t payload_type;
    bool is_wildcard;
    std::string_view text;
  };
  // A section while its lines are read. The session level is one, too: what is said there is inherited.
  struct Open {
    MediaSection section;
    std::string_view ufrag, password;
    std::uint32_t ice_line = 0, media_line = 0;
    bool has_direction = false, has_sctp_port = false, has_message_size = false;
    std::bitset<256> extension_ids;
    std::bitset<128> listed, mapped;
    std::vector<Unsettled> formats, feedback;
  };

  static const Attribute* find_attribute(std::string_view name);
  bool is_at_session() const { return current_ == &session_; }
  MediaSection& section() { return current_->section; }

  Outcome read_lines();
  Outcome handle_line(char type, std::string_view value);
  Outcome handle_session_line(char type, std::string_view value);
  Outcome handle_attribute(std::string_view text);
  Outcome handle_origin(std::string_view value);
  Outcome handle_time(std::string_view value);
  Outcome handle_connection(std::string_view value);
  Outcome handle_bandwidth(std::string_view value);
  Outcome handle_media(std::string_view value);
  Outcome take_formats(Words& words);

  Outcome handle_group(std::string_view value);
  Outcome handle_ice_lite(std::string_view value);
  Outcome handle_ice_ufrag(std::string_view value);
  Outcome handle_ice_password(std::string_view value);
  Outcome handle_ice_options(std::string_view value);
  Outcome handle_candidate(std::string_view value);
  Outcome handle_end_of_candidates(std::string_view value);
  Outcome handle_fingerprint(std::string_view value);
  Outcome handle_setup(std::string_view value);
  Outcome handle_tls_id(std::string_view value);
  template <Direction direction>
  Outcome handle_direction(std::string_view value);
  template <bool MediaSection::* flag>
  Outcome handle_flag(std::string_view value);
  Outcome handle_mid(std::string_view value);
  Outcome handle_rtpmap(std::string_view value);
  Outcome handle_fmtp(std::string_view value);
  Outcome handle_rtcp_feedback(std::string_view value);
  Outcome handle_extmap(std::string_view value);
  Outcome handle_msid(std::string_view value);
  Outcome handle_ssrc(std::string_view value);
  Outcome handle_ssrc_group(std::string_view value);
  Outcome handle_rid(std::string_view value);
  Outcome handle_simulcast(std::string_view value);
  template <std::optional<std::uint32_t> MediaSection::* duration>
  Outcome handle_ptime(std::string_view value);
  Outcome handle_sctp_port(std::string_view value);
  Outcome handle_max_message_size(std::string_view value);
  Outcome handle_sctpmap(std::string_view value);

  Outcome close_section();
  Outcome inherit();
  Outcome settle_payloads();
  void settle_rids();
  void settle_simulcast();
  Outcome close_session();
  Outcome check_mids();
  Outcome check_bundles();
  Outcome check_sources();

  std::string_view text_;
  Lines lines_;
  std::uint32_t line_ = 0;  // The one to blame.
  bool has_origin_ = false, has_name_ = false, has_time_ = false;
  std::vector<std::uint32_t> bundle_lines_;
  std::vector<std::uint32_t> section_lines_;
  Open session_, open_;
  Open* current_ = &session_;
  SessionDescription description_;
};

}  // namespace stoa::sdp

// What offers, answers and agreements share. Inside this folder only.
#pragma once

#include <optional>
#include <string_view>

#include "proto/sdp/negotiate.h"

namespace stoa::sdp {

inline constexpr std::string_view kAnyAddress = "0.0.0.0";  // RFC 8840 §4.1.1: what trickling begins with,
inline constexpr std::uint16_t kDiscardPort = 9;            // and what no peer takes for a real destination.

// Pictures or sound by itself: not RTX, RED, FEC, comfort noise, telephone events.
bool carries_media(Codec codec);
bool is_good(const LocalSource& source);  // Words that may stand in a description.
bool is_good_word(std::string_view text);
void add_source(const LocalSource& source, bool has_rtx, MediaSection& section);
void limit_bandwidth(const MediaSupport& support, MediaSection& section);
// All but the candidates, which stand in one section only.
void add_local_transport(const Local& local, DtlsSetup setup, MediaSection& section);
// One number for two things in the sections of a description that are not rejected.
std::optional<Refusal> find_conflict(const SessionDescription& description);

}  // namespace stoa::sdp

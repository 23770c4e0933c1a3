#include "check/judge.h"

#include <algorithm>

#include "check/playlist_rules.h"
#include "check/rendition_rules.h"
#include "check/transport_rules.h"
#include "check/url.h"

namespace stoa::check {
namespace {

constexpr std::uint64_t kUpdatesBeforeProbes = 2;
constexpr int kFailuresMax = 3;
constexpr std::size_t kPlaylistBytesMax = m3u8::kPlaylistBytesMax;

}  // namespace

Position edge_of(const m3u8::MediaPlaylist& list) {
  if (list.segments.empty()) return {};
  const auto& last = list.segments.back();
  return {last.media_sequence_number, static_cast<std::int64_t>(last.parts.size()) - 1};
}

const SegmentFacts* Rendition::find_judged(std::uint64_t msn) const {
  for (auto segment = judged.rbegin(); segment != judged.rend(); ++segment) {
    if (segment->msn == msn) return &*segment;
  }
  return nullptr;
}

Judge::Judge(JudgeConfig config) : config_(std::move(config)) {}

void Judge::start(Timestamp now, Outputs& out) {
  started_ = now;
  end_at_ = now + config_.watch;
  send({.purpose = Purpose::kEntry}, config_.url, out, {.wants_gzip = true});
}

bool Judge::send(Pending pending, std::string url, Outputs& out, Fetch fetch) {
  if (is_done_ || pending_.size() >= kInFlightMax) return false;
  fetch.id = next_id_++;
  fetch.headers.emplace_back("origin", "https://player.invalid");
  if (fetch.timeout <= Duration()) fetch.timeout = Duration::seconds(20);
  if (!fetch.body_bytes_max) fetch.body_bytes_max = kPlaylistBytesMax;
  fetch.url = url;
  pending.url = std::move(url);
  pending_.emplace(fetch.id, std::move(pending));
  out.push(std::move(fetch));
  return true;
}

Duration Judge::target_duration(const Rendition& rendition) const {
  std::uint64_t seconds = rendition.list ? rendition.list->target_duration_s.value_or(0) : 0;
  return Duration::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(seconds, 3'600)));
}

void Judge::handle_exchange(Timestamp now, WallTime wall, const Exchange& exchange, Outputs& out) {
  auto found = pending_.find(exchange.id);
  if (found == pending_.end() || is_done_) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  bool is_playlist = pending.purpose == Purpose::kReload || pending.purpose == Purpose::kEntry ||
                     (pending.probe && pending.probe->wants_gzip);
  bool is_head = pending.probe && pending.probe->is_head;
  bool is_odd = pending.probe && (pending.probe->kind == ProbeKind::kUnknownPart ||
                                  pending.probe->kind == ProbeKind::kUnknownPlaylist || is_head);
  if (exchange.status != 0 && pending.purpose != Purpose::kEntry && !is_odd) {
    const Rendition& rendition = renditions_[pending.rendition];
    bool is_media = !is_playlist && !(pending.probe && pending.probe->kind == ProbeKind::kIdentity) &&
                    !(pending.probe && pending.probe->kind == ProbeKind::kReport);
    judge_transport({.name = is_media ? file_name(pending.url) + " of " + rendition.name : rendition.name,
                     .kind = is_media ? ResourceKind::kMedia : ResourceKind::kPlaylist,
                     .url = pending.url,
                     .is_blocking = pending.is_blocking,
                     .asked_gzip = is_playlist,
                     .target_duration = target_duration(rendition)},
                    exchange, ledger_);
    if (is_media && exchange.status == 200) {
      int urgency = urgency_of(exchange);
      if (urgency >= 0) renditions_[pending.rendition].media_urgency = urgency;
    }
  }
  switch (pending.purpose) {
    case Purpose::kEntry: return handle_entry(now, pending, exchange, out);
    case Purpose::kReload: return handle_reload(now, wall, pending, exchange, out);
    case Purpose::kHint: return handle_hint(pending, exchange, out);
    case Purpose::kPart:
    case Purpose::kSegment: return handle_media(pending, exchange);
    case Purpose::kInit: return handle_init(pending, exchange);
    case Purpose::kProbe: {
      Course& course = courses_[pending.rendition];
      bool is_timed =
          pending.probe->kind == ProbeKind::kRemovedSegment || pending.probe->kind == ProbeKind::kRemovedPart;
      if (!is_timed) course.has_probe_in_flight = false;
      judge_probe(*pending.probe, exchange, renditions_[pending.rendition], config_.prompt, ledger_);
      if (pending.probe->kind == ProbeKind::kEnded) {
        renditions_[pending.rendition].is_over = true;
        bool all_over =
            std::all_of(renditions_.begin(), renditions_.end(), [](const auto& r) { return r.is_over; });
        if (all_over) end(now, out);
      } else if (!is_timed) {
        request_probe(pending.rendition, out);
      }
      return;
    }
  }
}

void Judge::handle_entry(Timestamp now, const Pending& pending, const Exchange& exchange, Outputs& out) {
  std::string_view text = as_text(exchange.body);
  m3u8::Kind kind = m3u8::kind_of(text);
  if (exchange.status != 200 || kind == m3u8::Kind::kNone) {
    problem_ = exchange.status == 0     ? exchange.failure
               : exchange.status != 200 ? say("answered ", exchange.status)
                                        : "not a playlist";
    return end(now, out);
  }
  could_fetch_ = true;
  std::string name = file_name(pending.url);
  if (kind == m3u8::Kind::kMedia) {
    add_rendition(pending.url, true, false);
    request_reload(0, out);
    return;
  }
  judge_transport({.name = name, .url = pending.url, .asked_gzip = true, .is_multivariant = true}, exchange,
                  ledger_);
  auto parsed = m3u8::parse_multivariant(text, {.query = Url::parse(pending.url).query});
  judge_problems(name, parsed.problems, text, ledger_);
  judge_multivariant(name, parsed.playlist, ledger_);
  multivariant_ = std::move(parsed.playlist);
  for (const auto& variant : multivariant_->variants)
    add_rendition(resolve(pending.url, variant.uri), true, false);
  for (const auto& option : multivariant_->media) {
    if (!option.uri.empty()) add_rendition(resolve(pending.url, option.uri), false, false);
  }
  for (const auto& variant : multivariant_->iframe_variants) {
    add_rendition(resolve(pending.url, variant.uri), false, true);
  }
  if (renditions_.empty()) {
    problem_ = "the multivariant playlist names no media playlist";
    could_fetch_ = false;
    return end(now, out);
  }
  for (std::size_t i = 0; i < renditions_.size(); ++i) request_reload(i, out);
}

void Judge::add_rendition(const std::string& url, bool is_main, bool is_iframes) {
  if (renditions_.size() == kRenditionsMax) return;
  std::string name = file_name(url);
  for (const auto& rendition : renditions_) {
    if (without_directives(rendition.url) == without_directives(url)) return;
    if (rendition.name == name) name = Url::parse(url).path;
  }
  Rendition rendition;
  rendition.url = url;
  rendition.name = std::move(name);
  rendition.is_main = is_main;
  rendition.is_iframes = is_iframes;
  renditions_.push_back(std::move(rendition));
  courses_.emplace_back();
}

// The next playlist: the part after the last one, held until it is there. Every second reload asks for a
// delta; every third one at a segment's end asks for a part beyond its last (D3).
void Judge::request_reload(std::size_t index, Outputs& out) {
  Rendition& rendition = renditions_[index];
  Course& course = courses_[index];
  if (course.has_reload_in_flight || rendition.is_over) return;
  course.poll_at = Timestamp::never();
  Pending pending{.purpose = Purpose::kReload, .rendition = index};
  std::string directives;
  const auto& list = rendition.list;
  bool can_block = list && list->server_control && list->server_control->can_block_reload &&
                   !list->segments.empty() && !list->has_end_list;
  if (can_block) {
    const auto& last = list->segments.back();
    pending.is_blocking = true;
    pending.asked_part = list->has_parts();
    pending.msn = last.media_sequence_number + (last.is_complete ? 1 : 0);
    pending.part = last.is_complete ? 0 : last.parts.size();
    if (pending.asked_part && last.is_complete && !last.parts.empty() && rendition.reloads % 3 == 0) {
      pending.is_beyond_last = true;
      pending.msn = last.media_sequence_number;
      pending.part = last.parts.size();
    }
    directives = say("_HLS_msn=", pending.msn);
    if (pending.asked_part) directives += say("&_HLS_part=", pending.part);
  }
  if (list && list->server_control && list->server_control->can_skip_until && !list->has_end_list &&
      rendition.reloads % 2 == 1 && !course.needs_full) {
    pending.asked_skip = true;
    bool wants_v2 = list->server_control->can_skip_dateranges && rendition.reloads % 4 == 1;
    directives += say(directives.empty() ? "" : "&", "_HLS_skip=", wants_v2 ? "v2" : "YES");
  }
  course.needs_full = false;
  Duration timeout = target_duration(rendition) * 4 + Duration::seconds(2);
  if (send(std::move(pending), with_query(rendition.url, directives), out,
           {.wants_gzip = true, .timeout = timeout})) {
    course.has_reload_in_flight = true;
  }
}

void Judge::handle_bad_reload(Timestamp now, const Pending& pending, const Exchange& exchange) {
  Rendition& rendition = renditions_[pending.rendition];
  Duration held = exchange.last_byte - exchange.sent;
  bool is_long = pending.is_blocking && held >= target_duration(rendition) * 3 - config_.slack;
  if (exchange.status == 503 && is_long) {
    ledger_.pass(Rule::kD8);
  } else if (exchange.timed_out && pending.is_blocking) {
    ledger_.warn(Rule::kD8, say(rendition.name, " held ", pending.url, " for ", held, " s without 503"));
  } else if (exchange.is_cut) {
    ledger_.fail(Rule::kG5, say(rendition.name, " ", pending.url, " broke off: ", exchange.failure));
  } else {
    ledger_.fail(pending.is_beyond_last ? Rule::kD3
                 : pending.is_blocking  ? (pending.asked_part ? Rule::kD2 : Rule::kD1)
                                        : Rule::kG5,
                 say(rendition.name, " ", pending.url, " answered ", exchange.status, " ", exchange.failure));
  }
  if (++rendition.failures_in_row >= kFailuresMax) rendition.is_over = true;
  courses_[pending.rendition].poll_at =
      now + std::max(target_duration(rendition) / 2, Duration::milliseconds(500));
}

void Judge::handle_reload(Timestamp now, WallTime wall, const Pending& pending, const Exchange& exchange,
                          Outputs& out) {
  Rendition& rendition = renditions_[pending.rendition];
  courses_[pending.rendition].has_reload_in_flight = false;
  ++rendition.reloads;
  if (exchange.status != 200 || exchange.is_cut) {
    handle_bad_reload(now, pending, exchange);
    bool all_over =
        std::all_of(renditions_.begin(), renditions_.end(), [](const auto& r) { return r.is_over; });
    if (all_over) end(now, out);
    return;
  }
  std::string_view text = as_text(exchange.body);
  m3u8::Surroundings surroundings{.imports = multivariant_ ? &multivariant_->variables : nullptr,
                                  .query = {}};
  std::string query = Url::parse(rendition.url).query;
  surroundings.query = query;
  auto parsed = m3u8::parse_media(text, surroundings);
  judge_problems(rendition.name, parsed.problems, text, ledger_);
  if (parsed.playlist.has_parts()) ledger_.set_low_latency();
  judge_media_playlist(rendition.name, parsed.playlist, ledger_);
  judge_blocking(pending, exchange, parsed.playlist);
  bool was_full = !parsed.playlist.skip;
  auto list = make_whole(pending, exchange, std::move(parsed.playlist));
  if (!list) {
    ++rendition.failures_in_row;
    if (rendition.failures_in_row >= kFailuresMax) rendition.is_over = true;
    courses_[pending.rendition].needs_full = true;
    return request_reload(pending.rendition, out);
  }
  rendition.failures_in_row = 0;
  if (was_full) judge_same_body(rendition.name, *list, text, Rule::kD12, rendition, ledger_);
  take_list(now, wall, pending, exchange, std::move(*list), out);
}

void Judge::judge_blocking(const Pending& pending, const Exchange&, const m3u8::MediaPlaylist& list) {
  if (!pending.is_blocking || list.has_end_list) return;
  const std::string& name = renditions_[pending.rendition].name;
  if (pending.is_beyond_last) {
    ledger_.require(Rule::kD3, has_reached(list, pending.msn + 1, 0), name, " ", pending.url,
                    " came without part 0 of segment ", pending.msn + 1);
  } else if (pending.asked_part) {
    ledger_.require(Rule::kD2, has_reached(list, pending.msn, pending.part), name, " ", pending.url,
                    " came without part ", pending.part, " of segment ", pending.msn);
  } else {
    ledger_.require(Rule::kD1, has_reached_segment(list, pending.msn), name, " ", pending.url,
                    " came without segment ", pending.msn);
  }
}

std::optional<m3u8::MediaPlaylist> Judge::make_whole(const Pending& pending, const Exchange&,
                                                     m3u8::MediaPlaylist list) {
  Rendition& rendition = renditions_[pending.rendition];
  bool is_offered = list.server_control && list.server_control->can_skip_until;
  if (!list.skip) {
    bool should_skip = pending.asked_skip && is_offered && !list.has_end_list && rendition.list &&
                       count_skippable(list) >= 2;
    if (should_skip) {
      ledger_.fail(Rule::kD10, say(rendition.name, " ", pending.url, " skipped nothing of ",
                                   count_skippable(list), " segments beyond CAN-SKIP-UNTIL"));
    }
    return list;
  }
  ledger_.require(Rule::kD10, pending.asked_skip, rendition.name, " ", pending.url,
                  " gave a delta update nobody asked for");
  ledger_.require(Rule::kD10, is_offered && !list.has_end_list, rendition.name, " line ", list.skip->line,
                  " SKIP without CAN-SKIP-UNTIL, or with ENDLIST");
  if (!rendition.list) return std::nullopt;
  return apply_delta(rendition.name, *rendition.list, list, ledger_);
}

void Judge::take_list(Timestamp now, WallTime wall, const Pending& pending, const Exchange& exchange,
                      m3u8::MediaPlaylist list, Outputs& out) {
  std::size_t index = pending.rendition;
  Rendition& rendition = renditions_[index];
  bool is_changed = true;
  if (rendition.list) {
    judge_change(rendition.name, *rendition.list, list, ledger_);
    auto ends_complete = [](const m3u8::MediaPlaylist& one) {
      return !one.segments.empty() && one.segments.back().is_complete;
    };
    is_changed = edge_of(*rendition.list) != edge_of(list) ||
                 rendition.list->has_end_list != list.has_end_list ||
                 ends_complete(*rendition.list) != ends_complete(list);
    judge_pace(pending, exchange, list);
    judge_hint_match(index, *rendition.list, list);
    note_removals(now, index, list);
  }
  rendition.updates += is_changed;
  if (is_changed && !list.segments.empty()) {
    rendition.arrivals.push_back({exchange.first_byte, edge_of(list)});
    if (rendition.arrivals.size() > kEdgesMax) rendition.arrivals.pop_front();
    const auto& last = list.segments.back();
    if (pending.is_blocking && last.program_date_time && rendition.edge_delays.size() < kEdgesMax) {
      WallTime edge = *last.program_date_time + (last.is_complete ? last.duration : last.parts_duration());
      rendition.edge_delays.push_back(wall - edge);
    }
  }
  judge_reports(rendition, renditions_, list, exchange.first_byte,
                list.part_target.value_or(Duration::seconds(1)) + config_.slack, ledger_);
  track_media(now, index, list, out);
  rendition.list = std::move(list);
  continue_course(now, index, is_changed, out);
}

void Judge::judge_pace(const Pending& pending, const Exchange& exchange, const m3u8::MediaPlaylist& list) {
  Rendition& rendition = renditions_[pending.rendition];
  Course& course = courses_[pending.rendition];
  const m3u8::MediaPlaylist& before = *rendition.list;
  std::int64_t new_parts = 0, new_segments = 0;
  Position edge = edge_of(before);
  for (const auto& segment : list.segments) {
    if (segment.media_sequence_number < edge.msn) continue;
    const auto* old = before.find_segment(segment.media_sequence_number);
    if (segment.is_complete && (!old || !old->is_complete)) ++new_segments;
    std::size_t known = old ? old->parts.size() : 0;
    if (segment.parts.size() > known) new_parts += static_cast<std::int64_t>(segment.parts.size() - known);
  }
  Timestamp at = exchange.first_byte;
  Duration target = target_duration(rendition);
  // Where reloads are polled, arrival is known only as well as the polling.
  Duration blur = config_.slack + (pending.is_blocking ? Duration() : target);
  if (new_parts > 0 && list.part_target) {
    if (course.has_clock && rendition.last_part_at != Timestamp::never()) {
      Duration took = at - rendition.last_part_at;
      // Several at once were each due for themselves, if somebody was there to see the first come.
      bool was_there = pending.is_blocking && exchange.sent <= rendition.last_part_at + *list.part_target;
      Duration patience = *list.part_target * (was_there ? 1 : new_parts);
      ledger_.require(Rule::kG13, took <= patience + blur, rendition.name, " ", new_parts,
                      new_parts == 1 ? " part" : " parts", " took ", took, " s, PART-TARGET is ",
                      *list.part_target);
    }
    rendition.last_part_at = at;
  }
  if (new_segments > 0) {
    if (rendition.last_segment_at != Timestamp::never()) {
      Duration took = at - rendition.last_segment_at;
      ledger_.require(Rule::kG12, took <= target * new_segments * 3 / 2 + blur, rendition.name, " ",
                      new_segments, new_segments == 1 ? " segment" : " segments", " took ", took,
                      " s, TARGETDURATION is ", target);
    }
    rendition.last_segment_at = at;
  }
  course.has_clock = course.has_clock || pending.is_blocking;
}

void Judge::note_removals(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list) {
  Rendition& rendition = renditions_[index];
  if (rendition.is_iframes || list.segments.empty()) return;
  Duration target = target_duration(rendition);
  for (const auto& old : rendition.list->segments) {
    if (!old.is_complete) continue;
    if (old.media_sequence_number < list.media_sequence && !old.is_gap) {
      Resource resource = resolve_resource(rendition.url, old.uri, old.range, nullptr);
      Duration available = old.duration + rendition.list->duration();
      add_timed_probe(now, index, ProbeKind::kRemovedSegment, resource);
      add_timed_probe(now + available * 4 / 5, index, ProbeKind::kRemovedSegment, resource);
    }
    const auto* kept = list.find_segment(old.media_sequence_number);
    bool has_lost_parts = !old.parts.empty() && (!kept || kept->parts.empty());
    if (has_lost_parts && !old.parts.back().is_gap) {
      Resource resource =
          resolve_resource(rendition.url, old.parts.back().uri, old.parts.back().range, nullptr);
      add_timed_probe(now, index, ProbeKind::kRemovedPart, resource);
      add_timed_probe(now + target * 5 / 2, index, ProbeKind::kRemovedPart, resource);
    }
  }
}

void Judge::add_timed_probe(Timestamp at, std::size_t index, ProbeKind kind, const Resource& resource) {
  auto waiting = std::count_if(timed_probes_.begin(), timed_probes_.end(),
                               [&](const TimedProbe& probe) { return probe.rendition == index; });
  if (static_cast<std::size_t>(waiting) >= kTimedProbesMax) return;
  Probe probe{.kind = kind, .url = resource.url, .headers = {}, .name = renditions_[index].name};
  if (resource.range) {
    std::uint64_t first = resource.range->offset.value_or(0);
    probe.headers.emplace_back(
        "range", say("bytes=", first, "-", first + std::max<std::uint64_t>(resource.range->length, 1) - 1));
  }
  timed_probes_.push_back({at, index, std::move(probe)});
}

void Judge::continue_course(Timestamp now, std::size_t index, bool is_changed, Outputs& out) {
  Rendition& rendition = renditions_[index];
  Course& course = courses_[index];
  if (rendition.list->has_end_list) {
    if (course.has_probed_end) return;
    course.has_probed_end = true;
    if (auto probe = make_probe(ProbeKind::kEnded, rendition)) {
      send({.purpose = Purpose::kProbe, .rendition = index, .is_blocking = true, .probe = probe}, probe->url,
           out, {.wants_gzip = true});
    } else {
      rendition.is_over = true;
    }
    return;
  }
  bool can_block = rendition.list->server_control && rendition.list->server_control->can_block_reload;
  Duration target = target_duration(rendition);
  if (can_block && is_changed) {
    request_reload(index, out);
  } else if (can_block) {
    course.poll_at =
        now + std::max(rendition.list->part_target.value_or(target) / 2, Duration::milliseconds(100));
  } else {
    course.poll_at = now + std::max(is_changed ? target : target / 2, Duration::milliseconds(200));
  }
  if (rendition.updates >= kUpdatesBeforeProbes && !course.has_probe_in_flight) request_probe(index, out);
}

void Judge::request_probe(std::size_t index, Outputs& out) {
  Rendition& rendition = renditions_[index];
  Course& course = courses_[index];
  if (!ledger_.is_low_latency() || rendition.is_iframes || rendition.is_over) return;
  while (course.next_probe < routine_probes().size()) {
    ProbeKind kind = routine_probes()[course.next_probe];
    auto probe = make_probe(kind, rendition);
    if (!probe) {
      ++course.next_probe;
      continue;
    }
    ++course.next_probe;
    course.has_probe_in_flight = true;
    Fetch fetch{.is_head = probe->is_head, .wants_gzip = probe->wants_gzip, .headers = probe->headers};
    fetch.timeout = target_duration(rendition) * 4 + Duration::seconds(2);
    fetch.body_bytes_max = kMediaBytesMax;
    bool is_blocking = probe->url.find("_HLS_msn=") != std::string::npos;
    std::string url = probe->url;
    send({.purpose = Purpose::kProbe,
          .rendition = index,
          .is_blocking = is_blocking,
          .probe = std::move(probe)},
         url, out, std::move(fetch));
    return;
  }
}

void Judge::handle_deadline(Timestamp now, Outputs& out) {
  if (is_done_) return;
  if (now >= end_at_) return end(now, out);
  for (std::size_t i = 0; i < renditions_.size(); ++i) {
    if (courses_[i].poll_at <= now) {
      courses_[i].poll_at = Timestamp::never();
      request_reload(i, out);
    }
  }
  for (std::size_t i = 0; i < timed_probes_.size();) {
    if (timed_probes_[i].at > now) {
      ++i;
      continue;
    }
    TimedProbe due = std::move(timed_probes_[i]);
    timed_probes_.erase(timed_probes_.begin() + static_cast<std::ptrdiff_t>(i));
    std::string url = due.probe.url;
    Fetch fetch{.headers = due.probe.headers, .body_bytes_max = kMediaBytesMax};
    send({.purpose = Purpose::kProbe, .rendition = due.rendition, .probe = std::move(due.probe)}, url, out,
         std::move(fetch));
  }
}

Timestamp Judge::next_deadline() const {
  if (is_done_) return Timestamp::never();
  Timestamp next = end_at_;
  for (const auto& course : courses_) next = std::min(next, course.poll_at);
  for (const auto& probe : timed_probes_) next = std::min(next, probe.at);
  return next;
}

void Judge::end(Timestamp now, Outputs& out) {
  if (is_done_) return;
  judge_end(now);
  is_done_ = true;
  pending_.clear();
  out.push(Done{});
}

void Judge::judge_end(Timestamp now) {
  if (std::exchange(is_judged_, true)) return;
  bool any_list = false;
  for (const auto& rendition : renditions_) {
    any_list = any_list || rendition.list.has_value();
    if (!rendition.list) {
      ledger_.fail(Rule::kX1, say(rendition.name, " is named but gives no playlist"));
      continue;
    }
    if (rendition.list->has_end_list) continue;
    Duration target = target_duration(rendition);
    const auto& control = rendition.list->server_control;
    Duration blur = config_.slack + (control && control->can_block_reload ? Duration() : target);
    if (rendition.list->part_target && rendition.last_part_at != Timestamp::never()) {
      Duration silent = now - rendition.last_part_at;
      ledger_.require(Rule::kG13, silent <= *rendition.list->part_target * 2 + blur, rendition.name,
                      " got no part for ", silent, " s, and no ENDLIST");
    }
    Timestamp last = rendition.last_segment_at == Timestamp::never() ? started_ : rendition.last_segment_at;
    ledger_.require(Rule::kG12, now - last <= target * 5 / 2 + blur, rendition.name, " got no segment for ",
                    now - last, " s, and no ENDLIST");
  }
  could_fetch_ = could_fetch_ && any_list;
  if (!any_list && problem_ == "nothing was answered") problem_ = "no media playlist could be fetched";
  judge_together(multivariant_ ? &*multivariant_ : nullptr, config_.url, renditions_, inits_, ledger_);
}

Report Judge::finish(Timestamp now) {
  judge_end(now);
  is_done_ = true;
  Report report{.url = config_.url, .could_fetch = could_fetch_, .problem = problem_};
  report.is_low_latency = ledger_.is_low_latency();
  report.watched = now - started_;
  report.playlists = renditions_.size();
  for (const auto& rendition : renditions_) report.reloads += rendition.reloads;
  report.parts = parts_;
  report.segments = segments_;
  report.results = ledger_.results();
  return report;
}

}  // namespace stoa::check

#include <algorithm>

#include "check/judge.h"
#include "check/media_rules.h"
#include "check/url.h"

namespace stoa::check {
namespace {

// A listed resource may take this long to its first byte before it is called late.
constexpr Duration kLate = Duration::milliseconds(500);
constexpr Duration kShortDownload = Duration::milliseconds(100);
constexpr std::uint64_t kToTheEnd = 9'007'199'254'740'991;  // 2^53 - 1, as players ask (§6.2.6).

const InitFacts* find_init(const std::map<std::string, InitRecord>& inits, const std::string& key) {
  auto found = inits.find(key);
  return found == inits.end() || !found->second.facts ? nullptr : &*found->second.facts;
}

// Given up, and not begun again by the next playlist.
void drop_work(Rendition& rendition, std::uint64_t msn) {
  rendition.work.erase(msn);
  rendition.first_tracked_msn = std::max(rendition.first_tracked_msn, msn + 1);
}

bool is_success(int status) { return status == 200 || status == 206; }

}  // namespace

Resource Judge::resolve_resource(const std::string& base, const std::string& uri,
                                 const std::optional<m3u8::ByteRange>& range, const Resource* before) const {
  Resource resource{.url = resolve(base, uri), .range = range};
  if (range && !range->offset) {
    // §4.4.4.2: without an offset the range begins behind the one before it.
    bool follows = before && before->url == resource.url && before->range;
    resource.range->offset = follows ? before->range->offset.value_or(0) + before->range->length : 0;
  }
  return resource;
}

void Judge::request_resource(Pending pending, const Resource& resource, Outputs& out) {
  Fetch fetch{.body_bytes_max = kMediaBytesMax};
  if (resource.range) {
    std::uint64_t first = resource.range->offset.value_or(0);
    std::uint64_t last = resource.range->length == kToTheEnd
                             ? kToTheEnd
                             : first + std::max<std::uint64_t>(resource.range->length, 1) - 1;
    fetch.headers.emplace_back("range", say("bytes=", first, "-", last));
  }
  fetch.timeout = target_duration(renditions_[pending.rendition]) * 4 + Duration::seconds(2);
  send(std::move(pending), resource.url, out, std::move(fetch));
}

void Judge::track_media(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list, Outputs& out) {
  Rendition& rendition = renditions_[index];
  if (rendition.is_iframes || list.segments.empty()) return;
  if (!rendition.list) {
    std::size_t back = std::min<std::size_t>(list.segments.size(), 2);
    rendition.first_tracked_msn = list.segments[list.segments.size() - back].media_sequence_number;
  }
  for (const auto& segment : list.segments) {
    if (segment.media_sequence_number < rendition.first_tracked_msn) continue;
    auto found = rendition.work.find(segment.media_sequence_number);
    if (found == rendition.work.end()) {
      if (rendition.find_judged(segment.media_sequence_number)) continue;
      if (rendition.work.size() == kSegmentsInWorkMax) drop_work(rendition, rendition.work.begin()->first);
      found = rendition.work.try_emplace(segment.media_sequence_number).first;
      found->second.msn = segment.media_sequence_number;
    }
    track_parts(now, index, segment, found->second, out);
    track_segment(index, segment, out);
  }
  drop_old_hints(index, list);
  request_hints(now, index, list, out);
  judge_ready_segments(index);
}

void Judge::track_segment(std::size_t index, const m3u8::Segment& segment, Outputs& out) {
  Rendition& rendition = renditions_[index];
  SegmentRecord& record = rendition.work[segment.media_sequence_number];
  record.has_discontinuity = segment.has_discontinuity;
  record.discontinuity_sequence = segment.discontinuity_sequence;
  record.program_date_time = segment.program_date_time;
  record.is_gap = segment.is_gap;
  if (segment.map && record.init_key.empty()) {
    Resource init = resolve_resource(rendition.url, segment.map->uri, segment.map->range, nullptr);
    record.init_key = init.key();
    if (inits_.size() < kInitsMax && inits_.try_emplace(record.init_key).second) {
      request_resource({.purpose = Purpose::kInit, .rendition = index, .key = record.init_key}, init, out);
    }
  }
  if (!segment.is_complete || record.is_asked) return;
  record.is_complete = record.is_asked = true;
  record.uri = segment.uri;
  record.duration = segment.duration;
  if (segment.is_gap) return drop_work(rendition, segment.media_sequence_number);
  const SegmentRecord* before = nullptr;
  if (auto found = rendition.work.find(segment.media_sequence_number - 1); found != rendition.work.end()) {
    before = &found->second;
  }
  record.resource =
      resolve_resource(rendition.url, segment.uri, segment.range, before ? &before->resource : nullptr);
  request_resource({.purpose = Purpose::kSegment, .rendition = index, .msn = record.msn}, record.resource,
                   out);
}

void Judge::track_parts(Timestamp now, std::size_t index, const m3u8::Segment& segment, SegmentRecord& record,
                        Outputs& out) {
  Rendition& rendition = renditions_[index];
  for (std::size_t i = record.parts.size(); i < segment.parts.size(); ++i) {
    const m3u8::Part& part = segment.parts[i];
    PartRecord fresh{.resource = resolve_resource(rendition.url, part.uri, part.range,
                                                  i > 0 ? &record.parts[i - 1].resource : nullptr),
                     .uri = part.uri,
                     .duration = part.duration,
                     .is_independent = part.is_independent,
                     .is_gap = part.is_gap};
    std::string key = fresh.resource.key();
    record.parts.push_back(std::move(fresh));
    if (part.is_gap) continue;
    ++parts_;
    auto hint = std::find_if(rendition.hints.begin(), rendition.hints.end(),
                             [&](const HintRecord& record_of) { return record_of.resource.key() == key; });
    if (hint != rendition.hints.end()) {
      hint->is_listed = true;
      hint->listed_at = now;
      if (hint->is_answered) settle_hint(index, *hint, out);
      continue;
    }
    request_resource({.purpose = Purpose::kPart, .rendition = index, .msn = record.msn, .key = key},
                     record.parts.back().resource, out);
  }
}

void Judge::judge_hint_match(std::size_t index, const m3u8::MediaPlaylist& before,
                             const m3u8::MediaPlaylist& after) {
  const Rendition& rendition = renditions_[index];
  auto hint =
      std::find_if(before.hints.begin(), before.hints.end(), [](const auto& h) { return h.type == "PART"; });
  if (hint == before.hints.end() || before.segments.empty()) return;
  const m3u8::Segment& last = before.segments.back();
  std::uint64_t msn = last.media_sequence_number + (last.is_complete ? 1 : 0);
  std::size_t part = last.is_complete ? 0 : last.parts.size();
  const m3u8::Segment* segment = after.find_segment(msn);
  if (segment && segment->is_complete && segment->parts.size() == part) {
    segment = after.find_segment(msn + 1);
    part = 0;
  }
  if (!segment || segment->parts.size() <= part) return;
  const m3u8::Part& came = segment->parts[part];
  bool is_early_return = part == 0 && segment->has_discontinuity;  // L11: a hint may be withdrawn for a cut.
  if (came.uri != hint->uri && (is_early_return || came.is_gap)) return;
  ledger_.require(Rule::kL9, came.uri == hint->uri, rendition.name, " line ", came.line, " part ", came.uri,
                  " came where ", hint->uri, " was hinted");
}

void Judge::request_hints(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list, Outputs& out) {
  Rendition& rendition = renditions_[index];
  for (const auto& hint : list.hints) {
    if (hint.type != "PART") continue;
    HintRecord record;
    record.resource.url = resolve(rendition.url, hint.uri);
    if (hint.has_range) {
      record.resource.range = m3u8::ByteRange{hint.range_length.value_or(kToTheEnd), hint.range_start};
      record.is_open_ended = !hint.range_length;
    }
    std::string key = record.resource.key();
    bool is_known = std::any_of(rendition.hints.begin(), rendition.hints.end(),
                                [&](const HintRecord& old) { return old.resource.key() == key; }) ||
                    find_part(index, key);
    if (is_known || rendition.hints.size() >= kHintsMax) continue;
    record.asked = now;
    rendition.hints.push_back(record);
    request_resource({.purpose = Purpose::kHint, .rendition = index, .is_blocking = true, .key = key},
                     record.resource, out);
  }
}

// Hints that were settled go; one that is neither listed nor hinted any more was withdrawn (L11).
void Judge::drop_old_hints(std::size_t index, const m3u8::MediaPlaylist& list) {
  Rendition& rendition = renditions_[index];
  std::erase_if(rendition.hints, [&](const HintRecord& hint) {
    if (hint.is_listed) return hint.is_answered;
    bool is_current = std::any_of(list.hints.begin(), list.hints.end(), [&](const auto& now) {
      return resolve(rendition.url, now.uri) == hint.resource.url;
    });
    if (is_current || !hint.is_answered) return false;
    ledger_.expect(Rule::kL11, hint.status == 404, "the withdrawn hint ", hint.resource.url, " of ",
                   rendition.name, " answered ", hint.status);
    return true;
  });
}

PartRecord* Judge::find_part(std::size_t index, const std::string& key) {
  for (auto& [msn, segment] : renditions_[index].work) {
    for (auto& part : segment.parts) {
      if (part.resource.key() == key) return &part;
    }
  }
  return nullptr;
}

void Judge::handle_hint(const Pending& pending, const Exchange& exchange, Outputs& out) {
  Rendition& rendition = renditions_[pending.rendition];
  auto hint = std::find_if(rendition.hints.begin(), rendition.hints.end(),
                           [&](const HintRecord& record) { return record.resource.key() == pending.key; });
  if (hint == rendition.hints.end()) return;
  hint->is_answered = true;
  hint->status = exchange.is_cut ? 0 : exchange.status;
  hint->failure = exchange.failure;
  hint->first_byte = exchange.first_byte;
  hint->last_byte = exchange.last_byte;
  if (is_success(hint->status)) {
    hint->body.assign(exchange.body.begin(), exchange.body.end());
    if (!hint->is_open_ended) {
      Duration target =
          rendition.list ? rendition.list->part_target.value_or(Duration::seconds(1)) : Duration::seconds(1);
      judge_delivery(rendition, say("hinted part ", file_name(pending.url)), exchange, target, false);
    }
  }
  if (hint->is_listed) {
    settle_hint(pending.rendition, *hint, out);
    judge_ready_segments(pending.rendition);
  }
}

// A hinted part is listed and its request is answered: was the answer right?
void Judge::settle_hint(std::size_t index, HintRecord& hint, Outputs& out) {
  Rendition& rendition = renditions_[index];
  PartRecord* part = find_part(index, hint.resource.key());
  std::string name = file_name(hint.resource.url);
  bool is_right = is_success(hint.status) && !hint.body.empty();
  ledger_.require(Rule::kL10, is_right, "the request for hinted part ", name, " of ", rendition.name,
                  " answered ", hint.status, " with ", hint.body.size(), " bytes ", hint.failure);
  if (is_right) {
    ledger_.require(Rule::kG16, hint.first_byte <= hint.listed_at + kLate + config_.slack, "hinted part ",
                    name, " of ", rendition.name, " came ", hint.first_byte - hint.listed_at,
                    " s after it was listed");
  }
  if (!part) return;
  if (!is_right) {
    Pending again{.purpose = Purpose::kPart, .rendition = index, .key = hint.resource.key()};
    return request_resource(std::move(again), part->resource, out);
  }
  part->body = std::move(hint.body);
  if (hint.is_open_ended && part->resource.range) {
    part->body.resize(std::min<std::size_t>(part->body.size(), part->resource.range->length));
  }
  part->is_fetched = true;
}

// G16: what is listed must start at once and come as fast as the link, not as fast as it is made.
void Judge::judge_delivery(Rendition& rendition, const std::string& what, const Exchange& exchange,
                           Duration duration, bool is_segment) {
  Duration took = exchange.last_byte - exchange.first_byte;
  double rate = took.ns() > 0 ? static_cast<double>(exchange.body.size()) / took.as_seconds() : 0;
  bool is_slow = took > std::max(kShortDownload + config_.slack, duration / 2);
  bool is_link = is_slow && rendition.best_rate > 0 && rate >= rendition.best_rate / 2;
  ledger_.require(Rule::kG16, !is_slow || is_link, what, " of ", rendition.name, " dribbled for ", took,
                  " s");
  if (is_segment) rendition.best_rate = std::max(rendition.best_rate, rate);
}

void Judge::handle_media(const Pending& pending, const Exchange& exchange) {
  Rendition& rendition = renditions_[pending.rendition];
  bool is_segment = pending.purpose == Purpose::kSegment;
  auto found = rendition.work.find(pending.msn);
  PartRecord* part = is_segment ? nullptr : find_part(pending.rendition, pending.key);
  if (is_segment ? found == rendition.work.end() : part == nullptr) return;
  std::string what = say(is_segment ? "segment " : "part ", file_name(pending.url));
  bool is_right = is_success(exchange.status) && !exchange.is_cut;
  ledger_.require(Rule::kG16, is_right, what, " of ", rendition.name, " is listed but answered ",
                  exchange.status, " ", exchange.failure);
  if (is_right) {
    Duration wait = exchange.first_byte - exchange.sent;
    ledger_.require(Rule::kG16, wait <= kLate + config_.slack, what, " of ", rendition.name,
                    " is listed but took ", wait, " s to its first byte");
    judge_delivery(rendition, what, exchange, is_segment ? found->second.duration : part->duration,
                   is_segment);
  }
  if (is_segment) {
    SegmentRecord& segment = found->second;
    segment.is_fetched = is_right;
    segment.is_failed = !is_right;
    segment.body.assign(exchange.body.begin(), exchange.body.end());
    segments_ += is_right;
  } else {
    part->is_fetched = is_right;
    part->is_failed = !is_right;
    part->body.assign(exchange.body.begin(), exchange.body.end());
  }
  judge_ready_segments(pending.rendition);
}

void Judge::handle_init(const Pending& pending, const Exchange& exchange) {
  InitRecord& record = inits_[pending.key];
  record.is_answered = true;
  const std::string& name = renditions_[pending.rendition].name;
  if (ledger_.require(Rule::kG16, is_success(exchange.status) && !exchange.is_cut, "MAP ", pending.url,
                      " of ", name, " answered ", exchange.status, " ", exchange.failure)) {
    auto facts = read_init(exchange.body);
    ledger_.require(Rule::kX1, facts.has_value(), "MAP ", pending.url, " of ", name,
                    " cannot be read: ", facts ? "" : name_of(facts.error()));
    if (facts) record.facts = std::move(*facts);
  }
  for (std::size_t i = 0; i < renditions_.size(); ++i) judge_ready_segments(i);
}

// Segments are judged in order, so that each can be held against the one before it.
void Judge::judge_ready_segments(std::size_t index) {
  Rendition& rendition = renditions_[index];
  while (!rendition.work.empty()) {
    auto first = rendition.work.begin();
    SegmentRecord& segment = first->second;
    if (segment.is_failed) {
      drop_work(rendition, segment.msn);
      continue;
    }
    bool has_parts = std::all_of(segment.parts.begin(), segment.parts.end(), [](const PartRecord& part) {
      return part.is_gap || part.is_fetched || part.is_failed;
    });
    auto init = inits_.find(segment.init_key);
    bool has_init = segment.init_key.empty() || init == inits_.end() || init->second.is_answered;
    if (!segment.is_fetched || !has_parts || !has_init) return;
    const SegmentFacts* before = rendition.find_judged(segment.msn - 1);
    const InitFacts* before_init = before ? find_init(inits_, before->init_key) : nullptr;
    rendition.judged.push_back(judge_segment(rendition.name, segment, find_init(inits_, segment.init_key),
                                             before, before_init, rendition.is_iframes, ledger_));
    if (rendition.judged.size() > kSegmentFactsMax) rendition.judged.pop_front();
    rendition.work.erase(first);
  }
}

}  // namespace stoa::check

#include "check/fake_origin.h"

#include <algorithm>
#include <map>

#include "check/url.h"

namespace stoa::check {
namespace {

constexpr Timestamp kBegin = Timestamp::from_ns(1'000'000'000'000);
constexpr Duration kWay = Duration::milliseconds(10);

WallTime wall_of(Timestamp at) { return WallTime::from_seconds(1'767'225'600) + (at - kBegin); }

std::optional<std::string> query_value(const std::string& query, const std::string& name) {
  std::size_t at = ("&" + query).find("&" + name + "=");
  if (at == std::string::npos) return std::nullopt;
  std::size_t start = at + name.size() + 1;
  return query.substr(start, query.find('&', start) - start);
}

void put_box(ByteWriter& writer, std::string_view type, const Buffer& payload) {
  writer.u32(static_cast<std::uint32_t>(payload.size() + 8));
  writer.text(type);
  writer.bytes(payload);
}
template <typename Fill>
Buffer filled(Fill fill) {
  ByteWriter writer;
  fill(writer);
  return writer.take();
}

Buffer sample_entry(const FakeTrack& track) {
  return filled([&](ByteWriter& w) {
    w.zeros(6);
    w.u16(1);
    if (track.is_video) {
      w.zeros(16);
      w.u16(1280);
      w.u16(720);
      w.zeros(50);
      put_box(w, "avcC", {1, 0x64, 0x00, track.level, 0xff, 0xe0, 0});
    } else {
      w.zeros(8);
      w.u16(2);
      w.u16(16);
      w.zeros(4);
      w.u32(48'000u << 16);
      put_box(w, "dOps", {0, 2, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0});
    }
  });
}

}  // namespace

void Reply::set(const std::string& name, const std::string& value) {
  drop(name);
  headers.emplace_back(name, value);
}
void Reply::drop(const std::string& name) {
  std::erase_if(headers, [&](const HeaderField& field) { return field.first == name; });
}

bool replace_in(std::string& text, std::string_view from, std::string_view to, bool all) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) return false;
  while (at != std::string::npos) {
    text.replace(at, from.size(), to);
    at = all ? text.find(from, at + to.size()) : std::string::npos;
  }
  return true;
}

void drop_lines(std::string& text, std::string_view beginning) {
  std::string kept;
  std::string_view line;
  for (m3u8::Lines lines(text); lines.next(line);) {
    if (!line.starts_with(beginning)) kept.append(line).append("\n");
  }
  text = kept;
}

Buffer fake_init(const FakeTrack& track) {
  return filled([&](ByteWriter& w) {
    put_box(w, "ftyp", filled([](ByteWriter& b) {
              b.text("cmfc");
              b.u32(0);
              b.text("iso6");
            }));
    put_box(w, "moov", filled([&](ByteWriter& moov) {
              put_box(moov, "trak", filled([&](ByteWriter& trak) {
                        put_box(trak, "tkhd", filled([&](ByteWriter& b) {
                                  b.zeros(12);
                                  b.u32(track.track_id);
                                  b.zeros(68);
                                }));
                        put_box(trak, "mdia", filled([&](ByteWriter& mdia) {
                                  put_box(mdia, "mdhd", filled([&](ByteWriter& b) {
                                            b.zeros(12);
                                            b.u32(track.is_video ? 90'000 : 48'000);
                                            b.zeros(8);
                                          }));
                                  put_box(mdia, "hdlr", filled([&](ByteWriter& b) {
                                            b.zeros(8);
                                            b.text(track.is_video ? "vide" : "soun");
                                            b.zeros(13);
                                          }));
                                  put_box(mdia, "minf", filled([&](ByteWriter& minf) {
                                            put_box(minf, "stbl", filled([&](ByteWriter& stbl) {
                                                      put_box(stbl, "stsd", filled([&](ByteWriter& b) {
                                                                b.u32(0);
                                                                b.u32(1);
                                                                put_box(b, track.is_video ? "avc1" : "Opus",
                                                                        sample_entry(track));
                                                              }));
                                                    }));
                                          }));
                                }));
                      }));
              put_box(moov, "mvex", filled([&](ByteWriter& mvex) {
                        put_box(mvex, "trex", filled([&](ByteWriter& b) {
                                  b.u32(0);
                                  b.u32(track.track_id);
                                  b.u32(1);
                                  b.zeros(12);
                                }));
                      }));
            }));
  });
}

Buffer fake_fragment(const FakeFragment& f) {
  Buffer moof;
  std::uint32_t offset = 0;
  for (int pass = 0; pass < 2; ++pass) {
    moof = filled([&](ByteWriter& w) {
      put_box(w, "moof", filled([&](ByteWriter& m) {
                put_box(m, "mfhd", filled([&](ByteWriter& b) {
                          b.u32(0);
                          b.u32(f.sequence_number);
                        }));
                put_box(m, "traf", filled([&](ByteWriter& traf) {
                          put_box(traf, "tfhd", filled([&](ByteWriter& b) {
                                    b.u32(0x020038);
                                    b.u32(f.track_id);
                                    b.u32(f.sample_duration);
                                    b.u32(f.sample_size);
                                    b.u32(f.all_sync ? 0x02000000 : 0x01010000);
                                  }));
                          put_box(traf, "tfdt", filled([&](ByteWriter& b) {
                                    b.u32(0x01000000);
                                    b.u64(f.decode_time);
                                  }));
                          put_box(traf, "trun", filled([&](ByteWriter& b) {
                                    b.u32(0x5);
                                    b.u32(f.samples);
                                    b.u32(offset);
                                    b.u32(f.starts_with_sync ? 0x02000000 : 0x01010000);
                                  }));
                        }));
              }));
    });
    offset = static_cast<std::uint32_t>(moof.size() + 8);
  }
  Buffer data(static_cast<std::size_t>(f.samples) * f.sample_size);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<std::uint8_t>(i * 31 + f.sequence_number);
  ByteWriter whole;
  whole.bytes(moof);
  put_box(whole, "mdat", data);
  return whole.take();
}

std::uint64_t FakeOrigin::parts_at(Timestamp at) const {
  auto parts = static_cast<std::uint64_t>((at - kBegin + options_.since_start) / kPart);
  parts -= parts % options_.bunch;
  return options_.end_parts ? std::min(parts, *options_.end_parts) : parts;
}
Timestamp FakeOrigin::time_of(std::uint64_t parts) const {
  return kBegin - options_.since_start + kPart * static_cast<std::int64_t>(parts);
}

Buffer FakeOrigin::make_part(const std::string& name, std::uint64_t part) const {
  std::uint64_t msn = part / kPartsPerSegment;
  bool is_video = name != "a0";
  std::uint64_t rate = is_video ? 90'000 : 48'000;
  std::int64_t ms = static_cast<std::int64_t>(part) * 400 + (init_of(msn) ? 1'000'000 : 0);
  if (options_.tfdt_shift_ms) ms += options_.tfdt_shift_ms(name, part);
  Buffer bytes = fake_fragment({.sequence_number = static_cast<std::uint32_t>(part + 1),
                                .decode_time = static_cast<std::uint64_t>(ms) * rate / 1000,
                                .samples = is_video ? 12u : 20u,
                                .sample_duration = is_video ? 3000u : 960u,
                                .sample_size = is_video ? 1'000u : 100u,
                                .starts_with_sync = !is_video || is_first_of_segment(part),
                                .all_sync = !is_video});
  if (options_.edit_part) options_.edit_part(bytes, name, part);
  return bytes;
}

// With media.
bool FakeOrigin::is_first_of_segment(std::uint64_t part) const {
  const std::uint64_t first = part - part % kPartsPerSegment;
  return part == (options_.gap_part == first ? first + 1 : first);
}

Buffer FakeOrigin::make_segment(const std::string& name, std::uint64_t msn) const {
  Buffer bytes;
  for (std::uint64_t i = 0; i < kPartsPerSegment; ++i) {
    if (options_.gap_part == msn * kPartsPerSegment + i) continue;
    Buffer part = make_part(name, msn * kPartsPerSegment + i);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  if (options_.edit_segment) options_.edit_segment(bytes, name, msn);
  return bytes;
}

std::string FakeOrigin::write_multivariant() const {
  std::string text =
      "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n" + options_.multivariant_more +
      "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud\",NAME=\"Main\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI="
      "\"a0.m3u8\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=400000,AVERAGE-BANDWIDTH=300000,CODECS=\"avc1.64001f,Opus\","
      "RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO=\"aud\",CLOSED-CAPTIONS=NONE\nv0.m3u8\n";
  if (options_.has_i_frames) {
    text += "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,CODECS=\"avc1.64001f\",URI=\"if.m3u8\"\n";
  }
  if (options_.discontinuity_msn) replace_in(text, "avc1.64001f,", "avc1.64001f,avc1.640028,");
  if (options_.edit_multivariant) options_.edit_multivariant(text);
  return text;
}

std::string FakeOrigin::write_segment(const std::string& name, std::uint64_t msn, std::uint64_t parts,
                                      bool has_parts) const {
  std::string text;
  bool is_gap = options_.gap_msn == msn;
  if (has_discontinuity(msn))
    text += "#EXT-X-DISCONTINUITY\n" + say("#EXT-X-MAP:URI=\"", name, "/i1.mp4\"\n");
  if (parts > msn * kPartsPerSegment || !has_parts) {
    text += "#EXT-X-PROGRAM-DATE-TIME:" + to_iso8601(wall_of(time_of(msn * kPartsPerSegment))) + "\n";
  }
  bool is_complete = parts >= (msn + 1) * kPartsPerSegment;
  for (std::uint64_t i = 0; has_parts && i < kPartsPerSegment; ++i) {
    std::uint64_t part = msn * kPartsPerSegment + i;
    if (part >= parts) break;
    bool is_independent = name == "a0" || is_first_of_segment(part);
    text += say("#EXT-X-PART:DURATION=0.40000,URI=\"", name, "/p", part, ".m4s\"",
                is_gap || options_.gap_part == part ? ",GAP=YES"
                : is_independent                    ? ",INDEPENDENT=YES"
                                                    : "",
                "\n");
  }
  if (is_complete) {
    text += say(is_gap ? "#EXT-X-GAP\n" : "", "#EXTINF:2.00000,\n", name, "/s", msn, ".m4s\n");
  }
  return text;
}

std::string FakeOrigin::write_playlist(const std::string& name, std::uint64_t parts,
                                       const std::string& skip) const {
  bool has_parts = options_.is_low_latency && name != "if";
  if (!has_parts) parts -= parts % kPartsPerSegment;
  std::uint64_t complete = parts / kPartsPerSegment;
  std::uint64_t first = complete > options_.window ? complete - options_.window : 0;
  bool is_ended = options_.end_parts && parts >= *options_.end_parts - *options_.end_parts % kPartsPerSegment;
  bool is_delta = !skip.empty() && options_.can_skip && !is_ended && complete - first > 7;
  std::uint64_t skipped = is_delta ? complete - first - 7 : 0;
  std::string text =
      say("#EXTM3U\n#EXT-X-VERSION:", is_delta ? (skip == "v2" ? 10 : 9) : 6, "\n#EXT-X-TARGETDURATION:2\n");
  if (name == "if") replace_in(text, "VERSION:6\n", "VERSION:5\n#EXT-X-I-FRAMES-ONLY\n");
  if (has_parts) {
    text += say("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES", options_.can_skip ? ",CAN-SKIP-UNTIL=12.0" : "",
                ",HOLD-BACK=6.0,PART-HOLD-BACK=1.2\n#EXT-X-PART-INF:PART-TARGET=0.40000\n");
  }
  text += say("#EXT-X-MEDIA-SEQUENCE:", first, "\n");
  bool removed = options_.discontinuity_msn && *options_.discontinuity_msn < first;
  if (options_.discontinuity_msn) text += say("#EXT-X-DISCONTINUITY-SEQUENCE:", removed ? 1 : 0, "\n");
  text += options_.head_more;
  if (is_delta) text += say("#EXT-X-SKIP:SKIPPED-SEGMENTS=", skipped, "\n");
  if (!is_delta)
    text += say("#EXT-X-MAP:URI=\"", name == "if" ? "v0" : name, "/i", init_of(first), ".mp4\"\n");
  Duration end = kPart * static_cast<std::int64_t>(parts);
  for (std::uint64_t msn = first + skipped; msn * kPartsPerSegment < parts; ++msn) {
    Duration segment_end = kSegment * static_cast<std::int64_t>(msn + 1);
    text +=
        write_segment(name == "if" ? "v0" : name, msn, parts, has_parts && end - segment_end <= kSegment * 3);
  }
  if (is_ended) {
    text += "#EXT-X-ENDLIST\n";
  } else if (has_parts) {
    text += say("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", name, "/p", parts, ".m4s\"\n");
  }
  if (has_parts && !options_.is_media_only) {
    text += say("#EXT-X-RENDITION-REPORT:URI=\"", name == "v0" ? "a0" : "v0",
                ".m3u8\",LAST-MSN=", (parts - 1) / kPartsPerSegment,
                ",LAST-PART=", (parts - 1) % kPartsPerSegment, "\n");
  }
  if (options_.edit_playlist) {
    options_.edit_playlist(
        text, {.rendition = name, .parts = parts, .is_delta = is_delta, .elapsed = time_of(parts) - kBegin});
  }
  return text;
}

Reply FakeOrigin::answer_playlist(const Fetch& fetch, const std::string& name, Timestamp now) const {
  Url url = Url::parse(fetch.url);
  auto msn = query_value(url.query, "_HLS_msn"), part = query_value(url.query, "_HLS_part");
  auto skip = query_value(url.query, "_HLS_skip");
  std::uint64_t parts = parts_at(now);
  Reply reply;
  Timestamp ready = now;
  bool has_ended = options_.end_parts && parts >= *options_.end_parts;
  if (options_.is_low_latency && name != "if" && !has_ended && (msn || part)) {
    auto m = m3u8::parse_decimal(msn.value_or("")), n = m3u8::parse_decimal(part.value_or("0"));
    std::uint64_t last = (parts - 1) / kPartsPerSegment;
    std::uint64_t needed = m ? (part ? *m * kPartsPerSegment + std::min(n.value_or(0), kPartsPerSegment) + 1
                                     : (*m + 1) * kPartsPerSegment)
                             : 0;
    bool is_far = m && n && (*m > last + 2 || (*m >= last && *n > kPartsPerSegment + 8));
    if (!m || !n || is_far) {
      reply.status = 400;
    } else if (needed > parts) {
      if (options_.end_parts) needed = std::min(needed, *options_.end_parts);
      ready = ready_at(needed);
      parts = bunched(needed);
    }
  }
  reply.set("access-control-allow-origin", "*");
  reply.set("access-control-expose-headers", "Age, Date");
  reply.set("vary", "Accept-Encoding");
  reply.set("priority", "u=1");
  reply.set("cache-control", reply.status == 400 ? "max-age=1" : msn ? "max-age=12" : "max-age=1");
  if (reply.status == 200) {
    reply.set("content-type", "application/vnd.apple.mpegurl");
    reply.body = name == "index" ? write_multivariant() : write_playlist(name, parts, skip.value_or(""));
    if (fetch.wants_gzip) reply.set("content-encoding", "gzip");
  }
  reply.first_byte = ready + kWay * 2;
  reply.last_byte = reply.first_byte + Duration::milliseconds(2);
  return reply;
}

Reply FakeOrigin::answer_media(const Fetch& fetch, const std::string& path, Timestamp now) const {
  Reply reply;
  Timestamp ready = now;
  std::string name = path.substr(6, 2);
  std::uint64_t number = m3u8::parse_decimal(path.substr(10, path.find('.') - 10)).value_or(UINT64_MAX / 16);
  std::uint64_t parts = parts_at(now);
  Buffer bytes;
  char kind = path.size() > 10 && path[8] == '/' ? path[9] : 'x';
  bool is_gap_part = kind == 'p' && (options_.gap_part == number ||
                                     (options_.gap_msn && number / kPartsPerSegment == *options_.gap_msn));
  if (kind == 'i' && number <= 1) {
    bytes = fake_init({.is_video = name != "a0", .level = static_cast<std::uint8_t>(number ? 0x28 : 0x1f)});
    if (options_.edit_init) options_.edit_init(bytes, name, number);
  } else if (kind == 's' && (number + 1) * kPartsPerSegment <= parts) {
    bytes = make_segment(name, number);
  } else if (kind == 'p' && number <= parts && !is_gap_part) {
    if (number == parts) ready = ready_at(number + 1);
    bytes = make_part(name, number);
  } else {
    reply.status = 404;
    if (is_gap_part && number == parts) ready = ready_at(number + 1);
  }
  reply.set("access-control-allow-origin", "*");
  reply.set("access-control-expose-headers", "Age, Date");
  reply.set("cache-control", reply.status == 200 ? "max-age=3600" : "max-age=1");
  reply.set("priority", "u=3");
  for (const auto& [field, value] : fetch.headers) {
    if (field != "range" || reply.status != 200) continue;
    std::size_t dash = value.find('-');
    std::size_t from = *m3u8::parse_decimal(value.substr(6, dash - 6));
    std::size_t to = std::min<std::size_t>(*m3u8::parse_decimal(value.substr(dash + 1)), bytes.size() - 1);
    reply.status = 206;
    reply.set("content-range", say("bytes ", from, "-", to, "/", bytes.size()));
    bytes = Buffer(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                   bytes.begin() + static_cast<std::ptrdiff_t>(to) + 1);
  }
  reply.body = std::string(bytes.begin(), bytes.end());
  reply.first_byte = ready + kWay * 2;
  reply.last_byte = reply.first_byte + Duration::milliseconds(5);
  return reply;
}

Reply FakeOrigin::answer(const Fetch& fetch, Timestamp now) const {
  std::string path = Url::parse(fetch.url).path;
  Reply reply;
  if (path == "/live/index.m3u8" || path == "/live/v0.m3u8" || path == "/live/a0.m3u8" ||
      path == "/live/if.m3u8") {
    reply = answer_playlist(fetch, path.substr(6, path.size() - 11), now);
  } else {
    reply = answer_media(fetch, path, now);
  }
  if (fetch.is_head) reply.body.clear();
  if (options_.edit_reply) options_.edit_reply(fetch, reply);
  return reply;
}

Report FakeOrigin::judge(Duration watch) const {
  Judge judge(
      {.url = options_.is_media_only ? "https://origin.test/live/v0.m3u8" : kFakeUrl, .watch = watch});
  struct Flight {
    Fetch fetch;
    Reply reply;
    Timestamp sent;
  };
  std::multimap<Timestamp, Flight> flights;
  Timestamp now = kBegin;
  Outputs out;
  judge.start(now, out);
  while (!judge.is_done()) {
    for (auto& output : out.take()) {
      auto* fetch = std::get_if<Fetch>(&output);
      if (!fetch) continue;
      Reply reply = answer(*fetch, now);
      Timestamp arrival = std::min(reply.last_byte, now + fetch->timeout);
      flights.emplace(arrival, Flight{*fetch, std::move(reply), now});
    }
    Timestamp arrival = flights.empty() ? Timestamp::never() : flights.begin()->first;
    now = std::min(arrival, judge.next_deadline());
    if (arrival > now) {
      judge.handle_deadline(now, out);
      continue;
    }
    Flight flight = std::move(flights.begin()->second);
    flights.erase(flights.begin());
    Exchange exchange{.id = flight.fetch.id, .http_version = options_.http_version, .tls = options_.tls};
    exchange.sent = flight.sent;
    exchange.timed_out = flight.reply.last_byte > now;
    exchange.first_byte = std::min(flight.reply.first_byte, now);
    exchange.last_byte = now;
    exchange.status = exchange.timed_out ? 0 : flight.reply.status;
    exchange.failure = exchange.timed_out ? "timed out" : "";
    exchange.is_cut = flight.reply.is_cut;
    exchange.headers = flight.reply.headers;
    exchange.body = as_bytes(flight.reply.body);
    judge.handle_exchange(now, wall_of(now), exchange, out);
  }
  return judge.finish(now);
}

}  // namespace stoa::check

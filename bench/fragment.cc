#include "fragment.h"

#include <string_view>

namespace stoa::bench {
namespace {

struct Box {
  std::size_t offset = 0;  // Of its header, from the start of the bytes it was found in.
  Bytes payload;
};

std::optional<Box> find_last_box(Bytes bytes, std::string_view type) {
  std::optional<Box> found;
  ByteReader reader(bytes);
  while (reader.remaining() >= 8) {
    std::size_t offset = reader.offset();
    std::uint32_t size = reader.u32();
    std::string_view name = as_text(reader.take(4));
    if (size < 8) return std::nullopt;
    Bytes payload = reader.take(size - 8);
    if (!reader.ok()) return std::nullopt;
    if (name == type) found = Box{offset, payload};
  }
  return found;
}

}  // namespace

std::optional<Fragment> parse_fragment(Bytes bytes) {
  auto moof = find_last_box(bytes, "moof");
  if (!moof) return std::nullopt;
  auto traf = find_last_box(moof->payload, "traf");
  if (!traf) return std::nullopt;
  auto tfhd = find_last_box(traf->payload, "tfhd"), trun = find_last_box(traf->payload, "trun");
  if (!tfhd || !trun) return std::nullopt;

  ByteReader header(tfhd->payload);
  std::uint32_t header_flags = header.u32() & 0xFFFFFF;
  header.skip(4);
  if (header_flags & 0x1) header.skip(8);  // base-data-offset
  if (header_flags & 0x2) header.skip(4);  // sample-description-index
  if (header_flags & 0x8) header.skip(4);  // default-sample-duration
  std::uint32_t default_size = header_flags & 0x10 ? header.u32() : 0;

  ByteReader run(trun->payload);
  std::uint32_t flags = run.u32() & 0xFFFFFF;
  std::uint32_t count = run.u32();
  std::size_t data = moof->offset + (flags & 0x1 ? run.u32() : 0);
  if (flags & 0x4) run.skip(4);  // first-sample-flags
  std::size_t last_size = 0;
  for (std::uint32_t i = 0; i < count && run.ok(); ++i) {
    data += last_size;
    if (flags & 0x100) run.skip(4);
    last_size = flags & 0x200 ? run.u32() : default_size;
    if (flags & 0x400) run.skip(4);
    if (flags & 0x800) run.skip(4);
  }
  if (!run.ok() || !header.ok() || count == 0 || data > bytes.size() || last_size > bytes.size() - data) {
    return std::nullopt;
  }
  return Fragment{count, bytes.subspan(data, last_size)};
}

}  // namespace stoa::bench

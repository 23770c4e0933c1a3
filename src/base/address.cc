#include "base/address.h"

#include <algorithm>
#include <cstdio>

namespace stoa {
namespace {

// Up to `max`, without leading zeros; takes the digits off `text`.
std::optional<std::uint32_t> take_decimal(std::string_view& text, std::uint32_t max) {
  std::uint32_t value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + static_cast<std::uint32_t>(text[digits] - '0');
    if (value > max) return std::nullopt;
    ++digits;
  }
  if (digits == 0 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

std::optional<std::uint16_t> take_hex_group(std::string_view& text) {
  std::uint32_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && digits < 5; ++digits) {
    char c = text[digits];
    char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
    } else {
      break;
    }
  }
  if (digits == 0 || digits > 4) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint16_t>(value);
}

bool take_v4(std::string_view& text, std::uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (text.empty() || text[0] != '.') return false;
      text.remove_prefix(1);
    }
    auto value = take_decimal(text, 255);
    if (!value) return false;
    bytes[i] = static_cast<std::uint8_t>(*value);
  }
  return true;
}

// Groups left and right of "::", then joined. An IPv4 tail may stand for the last two groups.
bool parse_v6(std::string_view text, std::array<std::uint8_t, 16>& bytes) {
  std::array<std::uint8_t, 16> head{};
  std::size_t length = 0, gap = 17;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (length >= 16) return false;
    std::string_view whole = text;
    auto group = take_hex_group(text);
    if (!group) return false;
    if (!text.empty() && text[0] == '.') {
      if (length > 12 || !take_v4(whole, head.data() + length) || !whole.empty()) return false;
      length += 4;
      break;
    }
    head[length++] = static_cast<std::uint8_t>(*group >> 8);
    head[length++] = static_cast<std::uint8_t>(*group);
    if (text.empty()) break;
    if (text.starts_with("::")) {
      if (gap != 17) return false;
      gap = length;
      text.remove_prefix(2);
    } else if (text[0] == ':' && text.size() > 1) {
      text.remove_prefix(1);
    } else {
      return false;
    }
  }
  if (gap == 17 ? length != 16 : length > 14) return false;
  bytes = {};
  std::size_t before = std::min(gap, length);
  std::copy_n(head.begin(), before, bytes.begin());
  std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(before), length - before,
              bytes.end() - static_cast<std::ptrdiff_t>(length - before));
  return true;
}

std::string write_v6(Bytes bytes) {
  std::array<std::uint16_t, 8> groups;
  for (std::size_t i = 0; i < 8; ++i)
    groups[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  // RFC 5952 §4.2: the longest run of at least two zero groups, the first one of equals.
  std::size_t run_at = 8, run_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > run_length) {
      run_at = i;
      run_length = end - i;
    }
    i = end == i ? i + 1 : end;
  }
  std::string text;
  for (std::size_t i = 0; i < 8;) {
    if (i == run_at) {
      text += "::";
      i += run_length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char digits[8];
    std::snprintf(digits, sizeof digits, "%x", static_cast<unsigned>(groups[i++]));
    text += digits;
  }
  return text;
}

std::string write_v4(Bytes bytes) {
  std::string text;
  for (std::uint8_t byte : bytes) {
    if (!text.empty()) text += '.';
    text += std::to_string(byte);
  }
  return text;
}

}  // namespace

std::optional<IpAddress> IpAddress::from_bytes(Bytes bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::kV4 : Family::kV6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    if (!take_v4(text, address.bytes_.data()) || !text.empty()) return std::nullopt;
    address.family_ = Family::kV4;
  } else {
    if (!parse_v6(text, address.bytes_)) return std::nullopt;
    address.family_ = Family::kV6;
  }
  return address;
}

bool IpAddress::is_any() const {
  return is_set() && std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return is_v6() && bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return is_v6() && bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const {
  if (is_v4()) return (bytes_[0] & 0xf0) == 0xe0;
  return is_v6() && bytes_[0] == 0xff;
}

bool IpAddress::is_v4_mapped() const {
  return is_v6() && bytes_[10] == 0xff && bytes_[11] == 0xff &&
         std::all_of(bytes_.begin(), bytes_.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
}

IpAddress IpAddress::unmapped() const {
  return is_v4_mapped() ? v4(bytes_[12], bytes_[13], bytes_[14], bytes_[15]) : *this;
}

std::string IpAddress::to_text() const {
  if (is_v4()) return write_v4(bytes());
  // RFC 5952 §5: an IPv4-mapped address is easier read with its IPv4 part as such.
  if (is_v4_mapped()) return "::ffff:" + write_v4(bytes().subspan(12));
  return is_v6() ? write_v6(bytes()) : std::string();
}

std::string SocketAddress::to_text() const {
  std::string host = ip.is_v6() ? "[" + ip.to_text() + "]" : ip.to_text();
  return host + ":" + std::to_string(port);
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon), digits = text.substr(colon + 1);
  bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  auto ip = IpAddress::parse(host);
  auto port = take_decimal(digits, 65'535);
  if (!ip || ip->is_v6() != is_bracketed || !port || !digits.empty()) return std::nullopt;
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

}  // namespace stoa

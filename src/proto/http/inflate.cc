#include "proto/http/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace stoa::http {

std::optional<std::string> gunzip(Bytes compressed, std::size_t bytes_max) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr std::size_t kStep = 16u << 10;
  if (compressed.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return std::nullopt;
  stream.next_in = const_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    std::size_t used = out.size();
    // One byte over the limit shows that there is more.
    std::size_t step = std::min(kStep, bytes_max + 1 - used);
    if (step == 0) break;
    out.resize(used + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(step);
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(used + step - stream.avail_out);
  }
  bool is_whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!is_whole || out.size() > bytes_max) return std::nullopt;
  return out;
}

}  // namespace stoa::http

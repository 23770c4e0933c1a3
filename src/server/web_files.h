// The pages, compiled into the program: what web/ builds, in the forms it is sent in.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace stoa::server {

struct WebFile {
  std::string_view path;  // "/index.html", "/assets/app-1a2b3c.js".
  std::string_view content_type;
  std::string_view etag;         // With its quotes.
  bool is_immutable;             // Its name holds a hash of its content.
  Bytes identity, gzip, brotli;  // The packed forms are empty when they would not be smaller.
};

// nullptr when there is no such file, or when the program was built without pages.
const WebFile* find_web_file(std::string_view path);

// All of them, sorted by path.
std::span<const WebFile> web_files();

}  // namespace stoa::server

#include "server/web_files.h"

namespace stoa::server {

const WebFile* find_web_file(std::string_view) { return nullptr; }

std::span<const WebFile> web_files() { return {}; }

}  // namespace stoa::server

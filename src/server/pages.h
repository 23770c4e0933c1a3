// Serves the compiled-in pages: files by name, and the one HTML page for every address that a page has.
#pragma once

#include "proto/http/message.h"

namespace stoa::server {

// For GET and HEAD. Picks brotli, gzip or identity; unknown addresses get the page with status 404, which
// then says so to the visitor.
http::Response answer_page(const http::Request& request);

}  // namespace stoa::server

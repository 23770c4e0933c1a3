// The part of the OpenAPI document that tells of WHIP and WHEP (whip.h): they are no routes of the REST API,
// but whoever writes against the one wants to know the other.
#pragma once

namespace boost::json {
class object;
}

namespace stoa::api {

inline constexpr const char* kRtcSecurityScheme = "streamKey";

void add_rtc_paths(boost::json::object& paths);

}  // namespace stoa::api

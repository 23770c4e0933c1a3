// The schemas of what the REST API tells of rooms (rooms.h).
#pragma once

namespace boost::json {
class object;
}

namespace stoa::api {

void add_room_schemas(boost::json::object& schemas);

}  // namespace stoa::api

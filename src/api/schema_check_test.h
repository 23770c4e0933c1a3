// As much of JSON Schema 2020-12 as the REST API's document uses, so that tests can hold every answer to it.
#pragma once

#include <string>

namespace boost::json {
class object;
class value;
}  // namespace boost::json

namespace stoa::api {

// Empty when `value` is as `schema` says; else where it is not, and why. "$ref" is looked up in `document`.
std::string check_schema(const boost::json::value& document, const boost::json::value& value,
                         const boost::json::object& schema);

}  // namespace stoa::api

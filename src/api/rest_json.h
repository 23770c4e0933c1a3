// JSON at the REST API's edge: request bodies are read strictly (one object, each field known and of its
// type), answers are written compactly. Boost.JSON stays in the .cc files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/rest_routes.h"
#include "base/result.h"

namespace boost::json {
class value;
}

namespace stoa::api {

// The fields of one body. Each is asked for by name; the first thing that is wrong is remembered.
class BodyReader {
 public:
  // kInvalidJson unless `body` is one JSON object.
  static Result<BodyReader, ApiError> parse(std::string_view body);
  // A body that is not there: an object without fields.
  BodyReader() = default;

  std::optional<std::string> text(std::string_view name);
  std::string required_text(std::string_view name);
  std::optional<bool> boolean(std::string_view name);

  // To be asked last: also finds fields that nobody asked for.
  std::optional<ApiError> error();

 private:
  enum class Type : std::uint8_t { kText, kBoolean, kOther };
  struct Field {
    std::string name;
    Type type = Type::kOther;
    std::string text;
    bool boolean = false;
    bool is_known = false;
  };
  Field* find(std::string_view name);
  void fail(ErrorCode code, std::string_view name, std::string_view message);

  std::vector<Field> fields_;
  std::optional<ApiError> error_;
};

// As boost::json::serialize, but numbers as people write them: 29.97, not 2.997E1.
std::string write_json(const boost::json::value& value);

http::Response make_json_response(int status, const boost::json::value& value);
http::Response make_json_error(const ApiError& error);

}  // namespace stoa::api

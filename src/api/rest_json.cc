#include "api/rest_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace stoa::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 8;

void append(std::string& text, const json::value& value);

void append_number(std::string& text, double number) {
  if (!std::isfinite(number)) number = 0;
  char digits[64];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, end);
}

void append_object(std::string& text, const json::object& object) {
  text += '{';
  bool is_first = true;
  for (const auto& [key, member] : object) {
    if (!is_first) text += ',';
    is_first = false;
    text += json::serialize(json::string_view(key));
    text += ':';
    append(text, member);
  }
  text += '}';
}

void append_array(std::string& text, const json::array& array) {
  text += '[';
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) text += ',';
    append(text, array[i]);
  }
  text += ']';
}

void append(std::string& text, const json::value& value) {
  switch (value.kind()) {
    case json::kind::object: return append_object(text, value.get_object());
    case json::kind::array: return append_array(text, value.get_array());
    case json::kind::double_: return append_number(text, value.get_double());
    default: text += json::serialize(value);
  }
}

// A field's name comes from outside: as much of it as is worth saying, cut between characters.
std::string_view shorten(std::string_view name) {
  constexpr std::size_t kBytesMax = 64;
  if (name.size() <= kBytesMax) return name;
  std::size_t length = kBytesMax;
  while (length > 0 && (static_cast<unsigned char>(name[length]) & 0xc0) == 0x80) --length;
  return name.substr(0, length);
}

}  // namespace

Result<BodyReader, ApiError> BodyReader::parse(std::string_view body) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::value value = json::parse(body, error, {}, options);
  if (error)
    return refuse(ApiError{ErrorCode::kInvalidJson, "The body is no JSON: " + error.message() + ".", ""});
  if (!value.is_object())
    return refuse(ApiError{ErrorCode::kInvalidJson, "The body must be a JSON object.", ""});
  BodyReader reader;
  for (const auto& [name, member] : value.get_object()) {
    Field& field = reader.fields_.emplace_back();
    field.name = name;
    if (member.is_string()) {
      field.type = Type::kText;
      field.text = member.get_string();
    } else if (member.is_bool()) {
      field.type = Type::kBoolean;
      field.boolean = member.get_bool();
    }
  }
  return reader;
}

BodyReader::Field* BodyReader::find(std::string_view name) {
  auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.name == name; });
  if (found == fields_.end()) return nullptr;
  found->is_known = true;
  return &*found;
}

void BodyReader::fail(ErrorCode code, std::string_view name, std::string_view message) {
  if (error_) return;
  std::string shown(shorten(name));
  error_ = ApiError{code, "The field \"" + shown + "\" " + std::string(message), shown};
}

std::optional<std::string> BodyReader::text(std::string_view name) {
  const Field* field = find(name);
  if (!field) return std::nullopt;
  if (field->type == Type::kText) return field->text;
  fail(ErrorCode::kWrongType, name, "must be a string.");
  return std::nullopt;
}

std::string BodyReader::required_text(std::string_view name) {
  if (!find(name)) fail(ErrorCode::kMissingField, name, "is missing.");
  return text(name).value_or(std::string());
}

std::optional<bool> BodyReader::boolean(std::string_view name) {
  const Field* field = find(name);
  if (!field) return std::nullopt;
  if (field->type == Type::kBoolean) return field->boolean;
  fail(ErrorCode::kWrongType, name, "must be true or false.");
  return std::nullopt;
}

std::optional<ApiError> BodyReader::error() {
  for (const Field& field : fields_)
    if (!field.is_known) fail(ErrorCode::kUnknownField, field.name, "is not known here.");
  return error_;
}

std::string write_json(const json::value& value) {
  std::string text;
  append(text, value);
  return text;
}

http::Response make_json_response(int status, const json::value& value) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "application/json");
  response.headers.add("cache-control", "no-store");
  response.body = http::Body(SharedBytes(write_json(value)));
  return response;
}

http::Response make_json_error(const ApiError& error) {
  const ErrorFacts& facts = facts_of(error.code);
  json::object inner = {{"code", facts.name}, {"message", error.message}};
  if (!error.field.empty()) inner["field"] = error.field;
  return make_json_response(facts.status, json::object{{"error", std::move(inner)}});
}

}  // namespace stoa::api

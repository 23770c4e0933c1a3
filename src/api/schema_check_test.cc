#include "api/schema_check_test.h"

#include <algorithm>
#include <boost/json.hpp>
#include <regex>
#include <string>

namespace stoa::api {
namespace {

class SchemaCheck {
 public:
  explicit SchemaCheck(const boost::json::value& document) : document_(document) {}

  // Empty when `value` is as `schema` says; else where it is not, and why.
  std::string check(const boost::json::value& value, const boost::json::object& schema,
                    const std::string& at = "$") const {
    static constexpr const char* kKnown[] = {
        "$ref",    "type",    "enum",   "required",   "properties", "additionalProperties",
        "items",   "oneOf",   "allOf",  "pattern",    "minLength",  "maxLength",
        "minimum", "maximum", "format", "description"};
    for (const auto& [word, unused] : schema)
      if (std::find(std::begin(kKnown), std::end(kKnown), word) == std::end(kKnown))
        return at + ": the schema says " + std::string(word) + ", which this check does not know";
    if (auto* reference = schema.if_contains("$ref")) {
      std::string error = check(value, resolve(reference->as_string()), at);
      if (!error.empty()) return error;
    }
    std::string error = check_type(value, schema, at);
    if (error.empty()) error = check_combinations(value, schema, at);
    if (error.empty() && value.is_object()) error = check_object(value.get_object(), schema, at);
    if (error.empty() && value.is_array()) error = check_items(value.get_array(), schema, at);
    if (error.empty() && value.is_string()) error = check_text(std::string(value.get_string()), schema, at);
    if (error.empty() && value.is_number()) error = check_number(value.to_number<double>(), schema, at);
    return error;
  }

  const boost::json::object& resolve(std::string_view reference) const {
    return document_.at_pointer(reference.substr(1)).as_object();  // "#/components/…"
  }

 private:
  static bool is_of_type(const boost::json::value& value, std::string_view type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_int64() || value.is_uint64();
    return type == "number" && value.is_number();
  }
  static std::string check_type(const boost::json::value& value, const boost::json::object& schema,
                                const std::string& at) {
    if (auto* type = schema.if_contains("type")) {
      bool fits = false;
      if (type->is_string()) fits = is_of_type(value, type->get_string());
      if (type->is_array())
        for (const auto& one : type->get_array()) fits = fits || is_of_type(value, one.as_string());
      if (!fits) return at + ": is not of type " + boost::json::serialize(*type);
    }
    if (auto* values = schema.if_contains("enum")) {
      bool fits = false;
      for (const auto& one : values->as_array()) fits = fits || one == value;
      if (!fits)
        return at + ": " + boost::json::serialize(value) + " is not one of " +
               boost::json::serialize(*values);
    }
    return {};
  }
  std::string check_combinations(const boost::json::value& value, const boost::json::object& schema,
                                 const std::string& at) const {
    if (auto* all = schema.if_contains("allOf")) {
      for (const auto& one : all->as_array()) {
        std::string error = check(value, one.as_object(), at);
        if (!error.empty()) return error;
      }
    }
    if (auto* choices = schema.if_contains("oneOf")) {
      int fitting = 0;
      std::string errors;
      for (const auto& one : choices->as_array()) {
        std::string error = check(value, one.as_object(), at);
        fitting += error.empty();
        errors += error + "; ";
      }
      if (fitting != 1) return at + ": fits " + std::to_string(fitting) + " choices: " + errors;
    }
    return {};
  }
  std::string check_object(const boost::json::object& object, const boost::json::object& schema,
                           const std::string& at) const {
    if (auto* required = schema.if_contains("required")) {
      for (const auto& name : required->as_array())
        if (!object.contains(name.as_string())) return at + ": lacks " + std::string(name.as_string());
    }
    const boost::json::value* properties = schema.if_contains("properties");
    for (const auto& [name, member] : object) {
      const boost::json::value* property = properties ? properties->as_object().if_contains(name) : nullptr;
      if (property) {
        std::string error = check(member, property->as_object(), at + "." + std::string(name));
        if (!error.empty()) return error;
      } else if (auto* more = schema.if_contains("additionalProperties"); more && !more->as_bool()) {
        return at + ": has " + std::string(name) + ", which the schema does not know";
      }
    }
    return {};
  }
  std::string check_items(const boost::json::array& array, const boost::json::object& schema,
                          const std::string& at) const {
    const boost::json::value* items = schema.if_contains("items");
    for (std::size_t i = 0; items && i < array.size(); ++i) {
      std::string error = check(array[i], items->as_object(), at + "[" + std::to_string(i) + "]");
      if (!error.empty()) return error;
    }
    return {};
  }
  static std::string check_text(const std::string& text, const boost::json::object& schema,
                                const std::string& at) {
    std::size_t characters = 0;
    for (char c : text) characters += (c & 0xc0) != 0x80;
    if (auto* most = schema.if_contains("maxLength"); most && characters > most->to_number<std::size_t>())
      return at + ": is too long";
    if (auto* least = schema.if_contains("minLength"); least && characters < least->to_number<std::size_t>())
      return at + ": is too short";
    if (auto* pattern = schema.if_contains("pattern");
        pattern && !std::regex_search(text, std::regex(std::string(pattern->as_string()))))
      return at + ": " + text + " does not match " + std::string(pattern->as_string());
    static const std::regex kTime(R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$)");
    if (auto* format = schema.if_contains("format"); format && !std::regex_search(text, kTime))
      return at + ": " + text + " is no date-time";
    return {};
  }
  static std::string check_number(double number, const boost::json::object& schema, const std::string& at) {
    if (auto* least = schema.if_contains("minimum"); least && number < least->to_number<double>())
      return at + ": is too small";
    if (auto* most = schema.if_contains("maximum"); most && number > most->to_number<double>())
      return at + ": is too large";
    return {};
  }

  const boost::json::value& document_;
};

}  // namespace

std::string check_schema(const boost::json::value& document, const boost::json::value& value,
                         const boost::json::object& schema) {
  return SchemaCheck(document).check(value, schema);
}

}  // namespace stoa::api

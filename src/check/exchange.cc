#include "check/exchange.h"

#include <algorithm>

namespace stoa::check {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

const HeaderField* find(const std::vector<HeaderField>& headers, std::string_view name) {
  for (const auto& field : headers) {
    if (std::equal(field.first.begin(), field.first.end(), name.begin(), name.end(),
                   [](char a, char b) { return lower(a) == lower(b); })) {
      return &field;
    }
  }
  return nullptr;
}

}  // namespace

std::string_view Exchange::header(std::string_view name) const {
  const HeaderField* field = find(headers, name);
  return field ? std::string_view(field->second) : std::string_view();
}
bool Exchange::has_header(std::string_view name) const { return find(headers, name) != nullptr; }

}  // namespace stoa::check

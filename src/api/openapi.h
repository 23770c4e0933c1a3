// The OpenAPI 3.1 document of the REST API, made from the tables that dispatch it.
#pragma once

#include <span>
#include <string>

#include "api/rest_routes.h"

namespace stoa::api {

std::string write_openapi(std::span<const Route> routes, const std::string& version);

}  // namespace stoa::api

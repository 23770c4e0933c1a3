#include "proto/ice/check.h"

#include "proto/stun/writer.h"

namespace stoa::ice {
namespace {

using Type = stun::AttributeType;
constexpr Type kUnderstood[] = {Type::kPriority, Type::kUseCandidate};

Rejection reject(const stun::Message& request, Refusal refusal, std::uint16_t code) {
  stun::MessageWriter writer = stun::MessageWriter::error_of(request, code);
  writer.add_fingerprint();
  Buffer answer = writer.take();
  if (answer.size() > request.bytes().size()) answer.clear();
  return {refusal, std::move(answer)};
}

bool is_for(std::string_view username, const Credentials& local, std::string_view remote_ufrag) {
  std::size_t colon = username.find(':');
  if (colon == std::string_view::npos || username.substr(0, colon) != local.ufrag) return false;
  return remote_ufrag.empty() || username.substr(colon + 1) == remote_ufrag;
}

std::optional<Check> read_check(const stun::Message& request) {
  auto priority = request.find_number(Type::kPriority);
  auto controlling = request.find_u64(Type::kIceControlling);
  auto controlled = request.find_u64(Type::kIceControlled);
  if (!priority || controlling.has_value() == controlled.has_value()) return std::nullopt;
  Check check;
  check.priority = *priority;
  check.role = controlling ? Role::kControlling : Role::kControlled;
  check.tie_breaker = controlling ? *controlling : *controlled;
  check.nomination = request.find_number(Type::kNomination);
  check.is_nominating = request.has(Type::kUseCandidate) || check.nomination.has_value();
  return check;
}

}  // namespace

Result<Check, Rejection> parse_check(const stun::Message& request, const Credentials& local,
                                     std::string_view remote_ufrag) {
  namespace error = stun::error;
  auto username = request.find_text(Type::kUsername);
  if (!username || !request.has_integrity())
    return refuse(reject(request, Refusal::kNoIntegrity, error::kBadRequest));
  if (!is_for(*username, local, remote_ufrag))
    return refuse(reject(request, Refusal::kWrongUsername, error::kUnauthenticated));
  if (!request.check_integrity(as_bytes(local.password)))
    return refuse(reject(request, Refusal::kBadIntegrity, error::kUnauthenticated));
  auto unknown = request.unknown_attributes(kUnderstood);
  if (!unknown.empty()) {
    stun::MessageWriter writer = stun::MessageWriter::error_of(request, error::kUnknownAttribute);
    writer.add_unknown_attributes(unknown.view());
    writer.add_integrity_sha1(as_bytes(local.password));
    writer.add_fingerprint();
    return refuse(Rejection{Refusal::kUnknownAttribute, writer.take()});
  }
  auto check = read_check(request);
  if (!check)
    return refuse(Rejection{Refusal::kMalformedCheck, write_error(request, error::kBadRequest, local)});
  return *check;
}

Buffer write_success(const stun::Message& request, const SocketAddress& source, const Credentials& local) {
  stun::MessageWriter writer = stun::MessageWriter::success_of(request);
  writer.add_address(Type::kXorMappedAddress, source);
  // With the code that the request had (RFC 8489 §9.1.3).
  if (request.has_integrity_sha256()) {
    writer.add_integrity_sha256(as_bytes(local.password));
  } else {
    writer.add_integrity_sha1(as_bytes(local.password));
  }
  writer.add_fingerprint();
  return writer.take();
}

Buffer write_error(const stun::Message& request, std::uint16_t code, const Credentials& local) {
  stun::MessageWriter writer = stun::MessageWriter::error_of(request, code);
  if (request.has_integrity_sha256()) {
    writer.add_integrity_sha256(as_bytes(local.password));
  } else {
    writer.add_integrity_sha1(as_bytes(local.password));
  }
  writer.add_fingerprint();
  return writer.take();
}

Buffer write_check(const stun::TransactionId& id, const Credentials& local, const Credentials& remote,
                   Role role, std::uint64_t tie_breaker, std::uint32_t priority, bool is_nominating) {
  stun::MessageWriter writer(stun::MessageClass::kRequest, stun::Method::kBinding, id);
  writer.add_text(Type::kUsername, remote.ufrag + ":" + local.ufrag);
  writer.add_number(Type::kPriority, priority);
  bool is_controlling = role == Role::kControlling;
  writer.add_u64(is_controlling ? Type::kIceControlling : Type::kIceControlled, tie_breaker);
  if (is_nominating) writer.add_flag(Type::kUseCandidate);
  writer.add_integrity_sha1(as_bytes(remote.password));
  writer.add_fingerprint();
  return writer.take();
}

}  // namespace stoa::ice

// What happened in a room, told to a web server of the operator's: a JSON body (WebhookEvent) and a token in
// the Authorization header (without the word "Bearer") whose claim "sha256" is the base64 of the body's
// digest. The receiver checks both with the API secret that it knows.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "crypto/jwt.h"
#include "room/room.h"

namespace stoa::livekit {

inline constexpr const char* kWebhookContentType = "application/webhook+json";
inline constexpr Duration kWebhookTokenTtl = Duration::seconds(300);

struct Webhook {
  std::string body;
  std::string authorization;
};

const char* event_name_of(room::Happening what);  // "room_started"
// `id`: unique to the event, so that a receiver can tell a repetition; begins with "EV_".
std::string write_webhook_event(const room::Happened& happened, std::string_view id, WallTime when);
// Signed anew for each try, as tokens end.
Result<Webhook, crypto::JwtRefusal> make_webhook(std::string body, const std::string& key_id,
                                                 std::string_view secret, WallTime now);

}  // namespace stoa::livekit

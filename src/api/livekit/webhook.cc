#include "api/livekit/webhook.h"

#include "api/livekit/convert.h"
#include "api/livekit/grant.h"
#include "api/livekit/signal.h"
#include "crypto/digest.h"
#include "crypto/text.h"

namespace stoa::livekit {

std::string write_webhook_event(const room::Happened& happened, std::string_view id, WallTime when) {
  pb::WebhookEvent event;
  event.set_event(event_name_of(happened.what));
  event.set_id(std::string(id));
  event.set_created_at(when.seconds());
  *event.mutable_room() = to_wire(happened.room);
  if (happened.participant) *event.mutable_participant() = to_wire(*happened.participant);
  if (happened.track) *event.mutable_track() = to_wire(*happened.track);
  return write_json(event);
}

Result<Webhook, crypto::JwtRefusal> make_webhook(std::string body, const std::string& key_id,
                                                 std::string_view secret, WallTime now) {
  AccessGrant grant;
  grant.sha256 = crypto::write_base64(crypto::sha256(as_bytes(body)));
  STOA_TRY(std::string token, make_access_token(grant, key_id, secret, now, kWebhookTokenTtl));
  return Webhook{std::move(body), std::move(token)};
}

}  // namespace stoa::livekit

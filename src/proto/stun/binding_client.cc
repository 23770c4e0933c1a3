#include "proto/stun/binding_client.h"

#include "base/assert.h"
#include "proto/stun/writer.h"

namespace stoa::stun {

void BindingClient::start(Timestamp now, BindingOutputs& out) {
  STOA_ASSERT(request_.empty());
  id_ = make_transaction_id(rng_);
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, id_);
  writer.add_fingerprint();
  request_ = writer.take();
  retransmission_ = Retransmission(config_, now);
  out.push(SendRequest{request_});
}

void BindingClient::finish() {
  is_done_ = true;
  retransmission_ = Retransmission();
}

bool BindingClient::handle_datagram(Bytes datagram, BindingOutputs& out) {
  if (is_done_ || request_.empty()) return false;
  auto message = Message::parse(datagram);
  if (!message || message->method() != Method::kBinding || message->transaction_id() != id_) return false;
  if (message->message_class() == MessageClass::kSuccess) {
    auto mapped = message->find_address(AttributeType::kXorMappedAddress);
    // A server from before RFC 5389 answers so; better than no answer.
    if (!mapped) mapped = message->find_address(AttributeType::kMappedAddress);
    bool is_understood = message->unknown_attributes({}).empty();
    finish();
    if (mapped && is_understood) {
      out.push(Mapped{*mapped});
    } else {
      out.push(BindingFailed{0, std::nullopt});
    }
    return true;
  }
  if (message->message_class() != MessageClass::kError) return false;
  auto error = message->find_error();
  finish();
  out.push(BindingFailed{error ? error->code : std::uint16_t{0},
                         message->find_address(AttributeType::kAlternateServer)});
  return true;
}

void BindingClient::handle_deadline(Timestamp now, BindingOutputs& out) {
  switch (retransmission_.handle_deadline(now)) {
    case Retransmission::Step::kWait: return;
    case Retransmission::Step::kSendAgain: out.push(SendRequest{request_}); return;
    case Retransmission::Step::kGiveUp: finish(); out.push(BindingFailed{0, std::nullopt});
  }
}

}  // namespace stoa::stun

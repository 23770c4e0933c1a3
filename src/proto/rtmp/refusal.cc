#include "proto/rtmp/refusal.h"

namespace stoa::rtmp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kBadVersion: return "bad_version";
    case Refusal::kBadHandshake: return "bad_handshake";
    case Refusal::kNoPreviousHeader: return "no_previous_header";
    case Refusal::kUnexpectedHeader: return "unexpected_header";
    case Refusal::kTooManyChunkStreams: return "too_many_chunk_streams";
    case Refusal::kMessageTooLarge: return "message_too_large";
    case Refusal::kTooManyPartialBytes: return "too_many_partial_bytes";
    case Refusal::kBadChunkSize: return "bad_chunk_size";
    case Refusal::kBadControlMessage: return "bad_control_message";
    case Refusal::kBadAmf: return "bad_amf";
    case Refusal::kAmfTooDeep: return "amf_too_deep";
    case Refusal::kAmfTooLarge: return "amf_too_large";
    case Refusal::kBadCommand: return "bad_command";
    case Refusal::kUnexpectedCommand: return "unexpected_command";
    case Refusal::kTooManyCommands: return "too_many_commands";
    case Refusal::kPlayRefused: return "play_refused";
    case Refusal::kMediaBeforePublish: return "media_before_publish";
    case Refusal::kBadAggregate: return "bad_aggregate";
    case Refusal::kTooMuchBeforeAccept: return "too_much_before_accept";
    case Refusal::kHandshakeTimeout: return "handshake_timeout";
    case Refusal::kConnectTimeout: return "connect_timeout";
    case Refusal::kPublishTimeout: return "publish_timeout";
    case Refusal::kDecisionTimeout: return "decision_timeout";
    case Refusal::kIdleTimeout: return "idle_timeout";
    case Refusal::kRejectedByServer: return "rejected_by_server";
  }
  return "unknown";
}

}  // namespace stoa::rtmp

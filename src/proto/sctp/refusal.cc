#include "proto/sctp/refusal.h"

namespace stoa::sctp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncatedPacket: return "truncated_packet";
    case Refusal::kBadChecksum: return "bad_checksum";
    case Refusal::kBadPort: return "bad_port";
    case Refusal::kBadVerificationTag: return "bad_verification_tag";
    case Refusal::kBadChunkLength: return "bad_chunk_length";
    case Refusal::kBadBundling: return "bad_bundling";
    case Refusal::kBadInit: return "bad_init";
    case Refusal::kBadCookie: return "bad_cookie";
    case Refusal::kStaleCookie: return "stale_cookie";
    case Refusal::kBadSack: return "bad_sack";
    case Refusal::kExtraSack: return "extra_sack";
    case Refusal::kBadForwardTsn: return "bad_forward_tsn";
    case Refusal::kBadReconfig: return "bad_reconfig";
    case Refusal::kBadControlChunk: return "bad_control_chunk";
    case Refusal::kUnexpectedChunk: return "unexpected_chunk";
    case Refusal::kUnknownChunk: return "unknown_chunk";
    case Refusal::kTooFarAhead: return "too_far_ahead";
    case Refusal::kBadStream: return "bad_stream";
    case Refusal::kWindowFull: return "window_full";
    case Refusal::kBadData: return "bad_data";
    case Refusal::kBadFragments: return "bad_fragments";
    case Refusal::kMessageTooLarge: return "message_too_large";
    case Refusal::kReassemblyFull: return "reassembly_full";
    case Refusal::kTooManyStreams: return "too_many_streams";
    case Refusal::kPeerAborted: return "peer_aborted";
    case Refusal::kSetupTimeout: return "setup_timeout";
    case Refusal::kPeerUnreachable: return "peer_unreachable";
    case Refusal::kShutdownTimeout: return "shutdown_timeout";
    case Refusal::kNotConnected: return "not_connected";
    case Refusal::kNoSuchStream: return "no_such_stream";
    case Refusal::kStreamIsResetting: return "stream_is_resetting";
    case Refusal::kSendBufferFull: return "send_buffer_full";
    case Refusal::kEmptyMessage: return "empty_message";
    case Refusal::kResetRefused: return "reset_refused";
    case Refusal::kBadChannelMessage: return "bad_channel_message";
    case Refusal::kBadChannelId: return "bad_channel_id";
    case Refusal::kTooManyChannels: return "too_many_channels";
    case Refusal::kNameTooLong: return "name_too_long";
    case Refusal::kChannelNotOpen: return "channel_not_open";
  }
  return "unknown";
}

bool ends_association(Refusal refusal) {
  return refusal >= Refusal::kBadData && refusal <= Refusal::kShutdownTimeout;
}

}  // namespace stoa::sctp

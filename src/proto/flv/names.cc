#include "proto/flv/tag.h"

namespace stoa::flv {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncated: return "truncated";
    case Refusal::kNestedMultitrack: return "nested_multitrack";
    case Refusal::kUnknownMultitrackType: return "unknown_multitrack_type";
    case Refusal::kUnknownPacketType: return "unknown_packet_type";
    case Refusal::kBadModEx: return "bad_mod_ex";
    case Refusal::kTooManyTracks: return "too_many_tracks";
    case Refusal::kMpegTs: return "mpeg_ts";
  }
  return "unknown";
}

const char* name_of_video_codec(const Packet& packet) {
  switch (packet.codec) {
    case kAvc: return "H.264";
    case kHevc: return "HEVC";
    case kAv1: return "AV1";
    case kVp9: return "VP9";
    case fourcc("vp08"): return "VP8";
    case fourcc("vvc1"): return "VVC";
    case 0: break;
    default: return "unknown";
  }
  switch (packet.legacy_codec) {
    case 2: return "Sorenson H.263";
    case 3: return "Screen Video";
    case 4: return "VP6";
    case 5: return "VP6 with alpha";
    case 6: return "Screen Video 2";
    case 12: return "HEVC with a private codec number";
    default: return "unknown";
  }
}

const char* name_of_audio_codec(const Packet& packet) {
  switch (packet.codec) {
    case kAac: return "AAC";
    case kOpus: return "Opus";
    case fourcc("ac-3"): return "AC-3";
    case fourcc("ec-3"): return "E-AC-3";
    case fourcc(".mp3"): return "MP3";
    case fourcc("fLaC"): return "FLAC";
    case 0: break;
    default: return "unknown";
  }
  switch (packet.legacy_codec) {
    case 0:
    case 3: return "PCM";
    case 1: return "ADPCM";
    case 2:
    case 14: return "MP3";
    case 4:
    case 5:
    case 6: return "Nellymoser";
    case 7:
    case 8: return "G.711";
    case 11: return "Speex";
    default: return "unknown";
  }
}

}  // namespace stoa::flv

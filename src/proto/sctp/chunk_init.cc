#include "base/assert.h"
#include "proto/sctp/chunk.h"
#include "proto/sctp/limits.h"

namespace stoa::sctp {
namespace {

enum Parameter : std::uint16_t {
  kHeartbeatInfo = 1,
  kIpv4Address = 5,
  kIpv6Address = 6,
  kStateCookie = 7,
  kUnrecognizedParameter = 8,
  kCookiePreservative = 9,
  kHostName = 11,
  kSupportedAddressTypes = 12,
  kEcnCapable = 0x8000,
  kZeroChecksumAcceptable = 0x8001,  // RFC 9653 §4
  kSupportedExtensions = 0x8008,     // RFC 5061 §4.2.7
  kForwardTsnSupported = 0xc000,     // RFC 3758 §3.1
};
constexpr std::uint32_t kDetectedByDtls = 1;  // RFC 9653 §8, error detection method.

void read_extensions(Bytes types, Capabilities& capabilities) {
  for (std::uint8_t type : types) {
    switch (static_cast<ChunkType>(type)) {
      case ChunkType::kReConfig: capabilities.stream_reset = true; break;
      case ChunkType::kForwardTsn: capabilities.forward_tsn = true; break;
      case ChunkType::kIData: capabilities.interleaving = true; break;
      case ChunkType::kIForwardTsn: capabilities.i_forward_tsn = true; break;
      default: break;
    }
  }
}

// False when the parameters after this one are not to be read (the two top bits of its type, §3.2.1).
bool handle_unknown(const RawParameter& parameter, Init& init) {
  bool is_reported = (parameter.type & 0x4000) != 0, is_skipped = (parameter.type & 0x8000) != 0;
  if (is_reported && init.unrecognized.size() < kUnknownReportedMax &&
      parameter.whole.size() <= kEchoBytesMax)
    init.unrecognized.push_back(parameter.whole);
  return is_skipped;
}

}  // namespace

//  |                         initiate tag                          |
//  |                            a_rwnd                             |
//  |       outbound streams        |        inbound streams        |
//  |                          initial TSN                          |
//  |  parameters ...
Result<Init, Refusal> parse_init(Bytes value) {
  ByteReader in(value);
  Init init;
  init.tag = in.u32();
  init.window = in.u32();
  init.outbound_streams = in.u16();
  init.inbound_streams = in.u16();
  init.tsn = in.u32();
  if (!in.ok() || init.tag == 0 || init.outbound_streams == 0 || init.inbound_streams == 0)
    return refuse(Refusal::kBadInit);
  ParameterReader parameters(in.rest());
  for (bool goes_on = true; goes_on;) {
    STOA_TRY(auto parameter, parameters.next(Refusal::kBadInit));
    if (!parameter) break;
    switch (parameter->type) {
      case kStateCookie: init.cookie = parameter->value; break;
      case kHostName: init.has_host_name = true; break;
      case kZeroChecksumAcceptable: {
        ByteReader method(parameter->value);
        if (method.u32() == kDetectedByDtls && method.ok()) init.capabilities.zero_checksum = true;
        break;
      }
      case kSupportedExtensions: read_extensions(parameter->value, init.capabilities); break;
      case kForwardTsnSupported: init.capabilities.forward_tsn = true; break;
      case kIpv4Address:
      case kIpv6Address:
      case kUnrecognizedParameter:
      case kCookiePreservative:
      case kSupportedAddressTypes:
      case kEcnCapable: break;
      default: goes_on = handle_unknown(*parameter, init);
    }
  }
  return init;
}

void write_init(ChunkType type, const Init& init, ByteWriter& out) {
  STOA_DCHECK(type == ChunkType::kInit || type == ChunkType::kInitAck);
  ChunkScope chunk(out, type);
  out.u32(init.tag);
  out.u32(init.window);
  out.u16(init.outbound_streams);
  out.u16(init.inbound_streams);
  out.u32(init.tsn);
  if (type == ChunkType::kInitAck) {
    ParameterScope parameter(out, kStateCookie);
    out.bytes(init.cookie);
  }
  if (init.capabilities.zero_checksum) {
    ParameterScope parameter(out, kZeroChecksumAcceptable);
    out.u32(kDetectedByDtls);
  }
  if (init.capabilities.forward_tsn) {
    ParameterScope parameter(out, kForwardTsnSupported);
  }
  {
    ParameterScope parameter(out, kSupportedExtensions);
    auto list = [&](ChunkType extension) { out.u8(static_cast<std::uint8_t>(extension)); };
    if (init.capabilities.stream_reset) list(ChunkType::kReConfig);
    if (init.capabilities.forward_tsn) list(ChunkType::kForwardTsn);
    if (init.capabilities.interleaving) list(ChunkType::kIData);
    if (init.capabilities.i_forward_tsn) list(ChunkType::kIForwardTsn);
  }
  if (type == ChunkType::kInit) return;
  for (Bytes echoed : init.unrecognized) {
    ParameterScope parameter(out, kUnrecognizedParameter);
    out.bytes(echoed);
  }
}

}  // namespace stoa::sctp

#include "base/outbox.h"
#include "proto/sctp/chunk.h"

namespace stoa::sctp {
namespace {

enum Parameter : std::uint16_t {
  kOutgoingReset = 13,
  kIncomingReset = 14,
  kTsnReset = 15,
  kResponse = 16,
  kAddOutgoing = 17,
  kAddIncoming = 18,
};
constexpr std::size_t kParametersMax = 2;

std::vector<StreamId> read_streams(ByteReader& in) {
  std::vector<StreamId> streams;
  streams.reserve(in.remaining() / 2);
  while (in.remaining() >= 2) streams.push_back(in.u16());
  return streams;
}

Result<ReconfigParameter, Refusal> parse_parameter(const RawParameter& raw) {
  ByteReader in(raw.value);
  ReconfigParameter parameter;
  switch (raw.type) {
    case kOutgoingReset: {
      OutgoingReset reset{.request = in.u32(), .response = in.u32(), .last_tsn = in.u32()};
      reset.streams = read_streams(in);
      parameter = std::move(reset);
      break;
    }
    case kIncomingReset: {
      IncomingReset reset{.request = in.u32()};
      reset.streams = read_streams(in);
      parameter = std::move(reset);
      break;
    }
    case kTsnReset: parameter = TsnReset{.request = in.u32()}; break;
    case kAddOutgoing:
    case kAddIncoming: {
      AddStreams add{.request = in.u32(), .count = in.u16(), .is_outgoing = raw.type == kAddOutgoing};
      in.u16();
      parameter = add;
      break;
    }
    case kResponse: {
      parameter = ResetResponse{.response = in.u32(), .result = in.u32()};
      in.rest();  // New TSNs after a TSN reset, which we never ask for.
      break;
    }
    default: return refuse(Refusal::kBadReconfig);
  }
  if (!in.ok() || !in.at_end()) return refuse(Refusal::kBadReconfig);
  return parameter;
}

}  // namespace

Result<std::vector<ReconfigParameter>, Refusal> parse_reconfig(Bytes value) {
  std::vector<ReconfigParameter> parsed;
  ParameterReader parameters(value);
  for (;;) {
    STOA_TRY(auto raw, parameters.next(Refusal::kBadReconfig));
    if (!raw) break;
    if (parsed.size() == kParametersMax) return refuse(Refusal::kBadReconfig);
    STOA_TRY(auto parameter, parse_parameter(*raw));
    parsed.push_back(std::move(parameter));
  }
  if (parsed.empty()) return refuse(Refusal::kBadReconfig);
  return parsed;
}

void write_reconfig(std::span<const ReconfigParameter> parameters, ByteWriter& out) {
  ChunkScope chunk(out, ChunkType::kReConfig);
  for (const ReconfigParameter& parameter : parameters) {
    std::visit(Overloaded{[&](const OutgoingReset& reset) {
                            ParameterScope scope(out, kOutgoingReset);
                            out.u32(reset.request);
                            out.u32(reset.response);
                            out.u32(reset.last_tsn);
                            for (StreamId stream : reset.streams) out.u16(stream);
                          },
                          [&](const IncomingReset& reset) {
                            ParameterScope scope(out, kIncomingReset);
                            out.u32(reset.request);
                            for (StreamId stream : reset.streams) out.u16(stream);
                          },
                          [&](const TsnReset& reset) {
                            ParameterScope scope(out, kTsnReset);
                            out.u32(reset.request);
                          },
                          [&](const AddStreams& add) {
                            ParameterScope scope(out, add.is_outgoing ? kAddOutgoing : kAddIncoming);
                            out.u32(add.request);
                            out.u16(add.count);
                            out.u16(0);
                          },
                          [&](const ResetResponse& response) {
                            ParameterScope scope(out, kResponse);
                            out.u32(response.response);
                            out.u32(response.result);
                          }},
               parameter);
  }
}

}  // namespace stoa::sctp

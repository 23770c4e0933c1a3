// Data channels in two ways. Alone, against a peer whose chunks come from the input: half well-formed, half
// raw. And as a pair over a network that drops, doubles, delays and swaps as the input says: there every
// reliable message arrives once, unharmed, and in order where that was asked.
#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/assert.h"
#include "proto/sctp/data_channels.h"

namespace {

using namespace stoa;
using namespace stoa::sctp;

constexpr std::size_t kReassemblyBytes = 64u << 10;
constexpr std::size_t kMemoryBytesMax = 2u << 20;  // All limits of small_config() together.

Config small_config(std::uint8_t bits) {
  Config config;
  config.packet_bytes_max = bits & 1 ? 300 : 1188;
  config.offered.interleaving = (bits & 2) != 0;
  config.offered.zero_checksum = (bits & 4) != 0;
  config.limits = {.message_bytes_max = 16u << 10,
                   .send_message_bytes_max = 16u << 10,
                   .reassembly_bytes_max = kReassemblyBytes,
                   .send_buffer_bytes_max = 128u << 10,
                   .outstanding_chunks_max = 512,
                   .streams_max = 64};
  return config;
}

class Alone {
 public:
  explicit Alone(std::uint8_t bits)
      : config_(small_config(bits)), channels_(config_, DtlsRole::kServer, Rng(bits)), bits_(bits) {
    if (bits & 8) shake_hands();
  }

  void act(ByteReader& input) {
    switch (input.u8() % 14) {
      case 0: deliver(input.take(std::min<std::size_t>(input.u8(), input.remaining()))); break;
      case 1: chunk(input); break;
      case 2:
      case 3: data(input); break;
      case 4: sack(input); break;
      case 5: forward(input); break;
      case 6: reconfig(input); break;
      case 7:
        now_ += Duration::milliseconds(input.u16());
        if (now_ >= channels_.next_deadline()) channels_.handle_deadline(now_, out_);
        break;
      case 8: (void)channels_.open(now_, {.label = "x", .is_ordered = input.u8() % 2 == 0}, out_); break;
      case 9: {
        SharedBytes payload(Buffer(input.u16() % 5000, 7));
        (void)channels_.send(now_, input.u8() % 8, MessageKind::kBytes, std::move(payload), out_);
        break;
      }
      case 10: channels_.close(now_, input.u8() % 8, out_); break;
      case 11: shake_hands(); break;
      case 12:
        if (input.u8() % 8 == 0) channels_.shutdown(now_, out_);
        break;
      default: channels_.connect(now_, out_);
    }
    check();
  }

 private:
  void deliver(Bytes chunks, bool to_nobody = false) {
    ByteWriter writer;
    write_packet_header(kPort, kPort, to_nobody ? 0 : tag_, writer);
    writer.bytes(chunks);
    Buffer packet = writer.take();
    seal_packet(packet, Checksum::kCrc32c);
    (void)channels_.handle_packet(now_, packet, out_);
    check();
  }
  void shake_hands() {
    Init init{.tag = 1,
              .window = 100'000,
              .outbound_streams = 64,
              .inbound_streams = 64,
              .tsn = 1000,
              .capabilities = {.forward_tsn = true,
                               .i_forward_tsn = true,
                               .stream_reset = true,
                               .interleaving = (bits_ & 16) != 0}};
    ByteWriter writer;
    write_init(ChunkType::kInit, init, writer);
    cookie_.clear();
    deliver(writer.view(), true);
    if (cookie_.empty()) return;
    ByteWriter echo;
    write_plain(ChunkType::kCookieEcho, 0, cookie_, echo);
    deliver(echo.view());
  }
  void chunk(ByteReader& input) {
    constexpr std::uint8_t kTypes[] = {0, 1,  2,  3,  4,    5,    6,    7,    8,
                                       9, 10, 11, 14, 0x40, 0x82, 0xc0, 0xc2, 0xff};
    auto type = static_cast<ChunkType>(kTypes[input.u8() % sizeof kTypes]);
    std::uint8_t flags = input.u8();
    ByteWriter writer;
    write_plain(type, flags, input.take(std::min<std::size_t>(input.u8() % 40, input.remaining())), writer);
    deliver(writer.view(), type == ChunkType::kInit);
  }
  void data(ByteReader& input) {
    std::uint8_t flags = input.u8();
    Buffer payload(1 + input.u8() * 4, 9);
    std::uint8_t kind = input.u8();
    Bytes text = input.take(std::min<std::size_t>(kind % 32, input.remaining()));
    if (kind >= 128 && !text.empty()) payload.assign(text.begin(), text.end());
    DataChunk chunk{.tsn = tsn_ + (flags >> 5),
                    .stream = static_cast<StreamId>(input.u8() % 66),
                    .message_number = input.u8() % 8u,
                    .fragment = input.u8() % 8u,
                    .protocol = 50u + kind % 8,
                    .is_unordered = (flags & 1) != 0,
                    .is_begin = (flags & 2) != 0,
                    .is_end = (flags & 4) != 0,
                    .payload = payload};
    if (flags >> 5 == 0) ++tsn_;
    ByteWriter writer;
    write_data(bits_ & 2 && bits_ & 16 ? ChunkType::kIData : ChunkType::kData, chunk, writer);
    deliver(writer.view());
  }
  void sack(ByteReader& input) {
    Sack sack{.cumulative_tsn = peer_tsn_ + input.u8() % 16, .window = input.u16()};
    peer_tsn_ = sack.cumulative_tsn;
    std::uint16_t at = 1;
    for (int i = input.u8() % 4; i > 0; --i) {
      at = static_cast<std::uint16_t>(at + 1 + input.u8() % 4);
      sack.gaps.push_back({at, at});
    }
    ByteWriter writer;
    write_sack(sack, writer);
    deliver(writer.view());
  }
  void forward(ByteReader& input) {
    bool is_interleaved = (bits_ & 2) != 0 && (bits_ & 16) != 0;
    tsn_ += input.u8() % 16;
    ForwardTsn forward{.cumulative_tsn = tsn_ - 1};
    for (int i = input.u8() % 4; i > 0; --i)
      forward.skipped.push_back(
          {static_cast<StreamId>(input.u8() % 8), is_interleaved && input.u8() % 2 == 0, input.u8() % 8u});
    ByteWriter writer;
    write_forward_tsn(is_interleaved ? ChunkType::kIForwardTsn : ChunkType::kForwardTsn, forward, writer);
    deliver(writer.view());
  }
  void reconfig(ByteReader& input) {
    std::uint8_t kind = input.u8();
    std::vector<StreamId> streams;
    for (int i = kind >> 5; i > 0; --i) streams.push_back(input.u8() % 70);
    ReconfigParameter parameter;
    switch (kind % 6) {
      case 0:
      case 1:
        parameter = OutgoingReset{.request = request_++, .last_tsn = tsn_ + kind % 3, .streams = streams};
        break;
      case 2: parameter = IncomingReset{.request = request_++, .streams = streams}; break;
      case 3:
        parameter = AddStreams{.request = request_++, .count = input.u8(), .is_outgoing = kind > 99};
        break;
      case 4: parameter = TsnReset{.request = request_++}; break;
      default: parameter = ResetResponse{.response = asked_, .result = input.u8() % 8u};
    }
    ByteWriter writer;
    write_reconfig({&parameter, 1}, writer);
    deliver(writer.view());
  }
  void learn(Bytes packet) {
    auto reader = PacketReader::parse(packet, Checksum::kZero);
    STOA_ASSERT(reader.has_value());
    for (;;) {
      auto next = reader->next();
      STOA_ASSERT(next.has_value());
      if (!*next) return;
      const RawChunk& chunk = **next;
      if (chunk.type == ChunkType::kInit || chunk.type == ChunkType::kInitAck) {
        auto init = parse_init(chunk.value);
        STOA_ASSERT(init.has_value());
        tag_ = init->tag;
        peer_tsn_ = init->tsn - 1;
        cookie_.assign(init->cookie.begin(), init->cookie.end());
        tsn_ = request_ = 1000;
      }
      if (chunk.type == ChunkType::kReConfig) {
        auto parsed = parse_reconfig(chunk.value);
        STOA_ASSERT(parsed.has_value());
        if (auto* reset = std::get_if<OutgoingReset>(&parsed->at(0))) asked_ = reset->request;
      }
    }
  }
  void check() {
    for (ChannelOutput& output : out_.take()) {
      if (auto* send = std::get_if<SendPacket>(&output)) {
        STOA_ASSERT(send->packet.size() <= config_.packet_bytes_max ||
                    !channels_.association().is_connected());
        learn(send->packet);
        continue;
      }
      STOA_ASSERT(!is_closed_);
      if (std::holds_alternative<Closed>(output)) is_closed_ = true;
      if (auto* message = std::get_if<ChannelMessage>(&output))
        STOA_ASSERT(message->payload.size() <= config_.limits.message_bytes_max);
    }
    const Association& association = channels_.association();
    STOA_ASSERT(association.is_closed() == is_closed_);
    STOA_ASSERT(!is_closed_ || channels_.next_deadline() == Timestamp::never());
    STOA_ASSERT(association.held_bytes() <= kReassemblyBytes + kReassemblySlackBytes + 2048);
    STOA_ASSERT(association.buffered_bytes() <= association.queued_bytes());
    STOA_ASSERT(association.queued_bytes() <= config_.limits.send_buffer_bytes_max);
    STOA_ASSERT(channels_.memory_bytes() <= kMemoryBytesMax);
    STOA_ASSERT(!is_closed_ || association.queued_bytes() == 0);
    STOA_ASSERT(channels_.channels() <= kChannelsMax);
  }

  Config config_;
  DataChannels channels_;
  std::uint8_t bits_;
  ChannelOutputs out_;
  Timestamp now_;
  std::uint32_t tag_ = 0, tsn_ = 1000, peer_tsn_ = 0, request_ = 1000, asked_ = 0;
  Buffer cookie_;
  bool is_closed_ = false;
};

class Pair {
 public:
  explicit Pair(std::uint8_t bits)
      : sides_{Side(small_config(bits), bits), Side(small_config(bits >> 3), bits + 1u)} {
    for (Side& side : sides_) side.association.connect(now_, side.out);
    collect();
  }

  void act(ByteReader& input) {
    std::uint8_t op = input.u8();
    int from = op & 1;
    Side& side = sides_[from];
    switch (op / 2 % 9) {
      case 0:
      case 1:
      case 2: deliver(from, 0); break;
      case 3:
        if (!side.line.empty()) deliver(from, input.u8() % side.line.size());
        break;
      case 4:
        if (!side.line.empty()) side.line.pop_front();
        break;
      case 5:
        if (!side.line.empty() && side.line.size() < 200) side.line.push_back(side.line.front());
        break;
      case 6: pass(Duration::milliseconds(input.u8() * 4)); break;
      case 7: send(from, input); break;
      default: {
        StreamId stream = input.u8() % 4;
        (void)side.association.reset_streams(now_, std::span(&stream, 1), side.out);
      }
    }
    collect();
  }
  // A line that is good again: all must come to rest with everything there.
  void settle() {
    for (int i = 0; i < 4000; ++i) {
      if (!sides_[0].line.empty() || !sides_[1].line.empty()) {
        deliver(0, 0);
        deliver(1, 0);
      } else if (std::ranges::all_of(sides_, [](const Side& side) { return side.is_done(); })) {
        break;
      } else {
        pass(Duration::milliseconds(200));
      }
      collect();
    }
    if (sides_[0].association.is_closed() || sides_[1].association.is_closed()) return;
    for (Side& side : sides_) {
      STOA_ASSERT(side.is_done());
      STOA_ASSERT(side.reliable.empty());
      STOA_ASSERT(side.association.held_bytes() == 0);
    }
  }

 private:
  struct Side {
    Side(const Config& config, std::uint64_t seed) : association(config, Rng(seed)) {}
    bool is_done() const {
      return association.is_closed() ||
             (association.is_connected() && association.buffered_bytes() == 0 &&
              association.in_flight_bytes() == 0 && association.held_bytes() == 0 && reliable.empty());
    }
    Association association;
    Outputs out;
    std::deque<Buffer> line;                 // What it sent, on its way.
    std::set<std::uint32_t> reliable;        // Sent, to arrive.
    std::set<std::uint32_t> arrived;         // At the other side.
    std::map<StreamId, std::uint32_t> last;  // Ordered, at the other side.
  };

  void deliver(int from, std::size_t which) {
    Side& side = sides_[from];
    if (which >= side.line.size()) return;
    Buffer packet = std::move(side.line[which]);
    side.line.erase(side.line.begin() + static_cast<std::ptrdiff_t>(which));
    Side& to = sides_[1 - from];
    (void)to.association.handle_packet(now_, packet, to.out);
    collect();
  }
  void pass(Duration duration) {
    now_ += duration;
    for (Side& side : sides_)
      if (side.association.next_deadline() <= now_) side.association.handle_deadline(now_, side.out);
  }
  void send(int from, ByteReader& input) {
    Side& side = sides_[from];
    std::uint8_t bits = input.u8();
    std::uint32_t number = next_++;
    ByteWriter payload;
    payload.u32(number);
    payload.zeros(input.u8() * (bits & 64 ? 40u : 2u));
    OutgoingMessage message{.stream = static_cast<StreamId>(bits & 3),
                            .protocol = static_cast<PayloadProtocol>(payload.size()),
                            .payload = SharedBytes(payload.take()),
                            .is_unordered = (bits & 4) != 0};
    if (bits & 8) message.reliability.retransmissions_max = bits >> 4 & 1;
    if (bits & 32) message.reliability.lifetime = Duration::milliseconds(300);
    bool is_reliable = message.reliability.is_full();
    if (side.association.send(now_, std::move(message), side.out) && is_reliable)
      side.reliable.insert(number);
  }
  void collect() {
    for (int i : {0, 1}) {
      Side& side = sides_[i];
      Side& source = sides_[1 - i];
      for (Output& output : side.out.take()) {
        if (auto* packet = std::get_if<SendPacket>(&output)) {
          if (side.line.size() < 500) side.line.push_back(std::move(packet->packet));
        } else if (auto* message = std::get_if<ReceivedMessage>(&output)) {
          std::uint32_t number = ByteReader(message->payload).u32();
          STOA_ASSERT(number < next_ && message->protocol == message->payload.size());
          STOA_ASSERT(source.arrived.insert(number).second);
          source.reliable.erase(number);
          if (message->is_unordered) continue;
          auto [last, is_first] = source.last.try_emplace(message->stream, number);
          STOA_ASSERT(is_first || last->second < number);
          last->second = number;
        }
        STOA_ASSERT(!std::holds_alternative<Restarted>(output));
      }
    }
  }

  Side sides_[2];
  Timestamp now_;
  std::uint32_t next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ByteReader input(Bytes(data + 2, size - 2));
  if (data[0] % 2 == 0) {
    Alone alone(data[1]);
    for (int i = 0; i < 500 && !input.at_end(); ++i) alone.act(input);
  } else {
    Pair pair(data[1]);
    for (int i = 0; i < 500 && !input.at_end(); ++i) pair.act(input);
    pair.settle();
  }
  return 0;
}

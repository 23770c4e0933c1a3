// Chunks gathered into packets of one association.
#pragma once

#include "proto/sctp/association.h"

namespace stoa::sctp {

class Association::Packer {
 public:
  Packer(Association& association, Outputs& out)
      : association_(association), out_(out), writer_(association.config_.packet_bytes_max) {
    open();
  }
  ~Packer() { send(); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // What still fits.
  std::size_t room() const { return association_.config_.packet_bytes_max - writer_.size(); }
  bool is_fresh() const { return writer_.size() == kCommonHeaderBytes; }

  // A writer with room for a chunk of that size; what stood before is sent first if need be. Requires: the
  // chunk fits a packet.
  ByteWriter& make_room(std::size_t chunk_bytes) {
    if (padded(chunk_bytes) > room()) send();
    return writer_;
  }
  // The packet carries a COOKIE ECHO, which needs its checksum (RFC 9653 §5.2).
  void require_checksum() { needs_checksum_ = true; }
  void send();

 private:
  void open() {
    write_packet_header(association_.config_.local_port, association_.config_.remote_port,
                        association_.transfer_->remote_tag, writer_);
  }

  Association& association_;
  Outputs& out_;
  ByteWriter writer_;
  bool needs_checksum_ = false;
};

}  // namespace stoa::sctp

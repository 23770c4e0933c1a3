// Boxes of ISO/IEC 14496-12 §4.2, written in one pass: a box's length is filled in when it closes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace stoa::media {

class BoxWriter : public ByteWriter {
 public:
  using ByteWriter::ByteWriter;

  // Closes its box at the end of the scope, so that scopes in the source nest as the boxes do.
  class [[nodiscard]] OpenBox {
   public:
    OpenBox(BoxWriter& writer, std::string_view type) : writer_(&writer), start_(writer.size()) {
      writer.u32(0);
      writer.text(type);
    }
    OpenBox(BoxWriter& writer, std::string_view type, std::uint8_t version, std::uint32_t flags)
        : OpenBox(writer, type) {
      writer.u32(static_cast<std::uint32_t>(version) << 24 | flags);
    }
    OpenBox(const OpenBox&) = delete;
    OpenBox& operator=(const OpenBox&) = delete;
    ~OpenBox() { close(); }
    void close() {
      if (writer_ == nullptr) return;
      writer_->set_u32(start_, static_cast<std::uint32_t>(writer_->size() - start_));
      writer_ = nullptr;
    }

   private:
    BoxWriter* writer_;
    std::size_t start_;
  };

  // `type` has four letters.
  OpenBox box(std::string_view type) { return OpenBox(*this, type); }
  OpenBox full_box(std::string_view type, std::uint8_t version, std::uint32_t flags) {
    return OpenBox(*this, type, version, flags);
  }
};

}  // namespace stoa::media

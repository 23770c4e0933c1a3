#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/slot_table.h"

namespace stoa {
namespace {

TEST(Bytes, reader_gives_back_what_writer_wrote) {
  ByteWriter writer;
  writer.u8(1);
  writer.u16(0x0203);
  writer.u24(0x040506);
  writer.u32(0x0708090a);
  writer.u64(0x0b0c0d0e0f101112);
  writer.u24(0xfffffe);
  writer.u32_little_endian(0x01020304);
  writer.f64(-2.5);
  ByteReader reader(writer.view());
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u24(), 0x040506u);
  EXPECT_EQ(reader.u32(), 0x0708090au);
  EXPECT_EQ(reader.u64(), 0x0b0c0d0e0f101112u);
  EXPECT_EQ(reader.i24(), -2);
  EXPECT_EQ(reader.u32_little_endian(), 0x01020304u);
  EXPECT_EQ(reader.f64(), -2.5);
  EXPECT_TRUE(reader.ok() && reader.at_end());
}

TEST(Bytes, reader_past_the_end_stays_broken) {
  Buffer bytes{1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, slices_outlive_the_handle_they_came_from) {
  SharedBytes slice;
  {
    SharedBytes whole(std::string("hello world"));
    slice = whole.slice(6);
  }
  EXPECT_EQ(slice.text(), "world");
}

TEST(SlotTable, stale_id_finds_nothing_and_full_table_refuses) {
  struct Tag {};
  SlotTable<int, Tag> table(2);
  auto a = table.insert(1), b = table.insert(2);
  EXPECT_FALSE(table.insert(3).is_set());
  EXPECT_TRUE(table.erase(a));
  EXPECT_EQ(table.find(a), nullptr);
  auto c = table.insert(3);
  EXPECT_EQ(c.index, a.index);
  EXPECT_EQ(table.find(a), nullptr);
  EXPECT_EQ(*table.find(c), 3);
  EXPECT_EQ(*table.find(b), 2);
  EXPECT_EQ(decltype(table)::Id::from_value(c.value()), c);
}

}  // namespace
}  // namespace stoa

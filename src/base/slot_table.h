// Owner of things that others refer to by a generational id: a stale id finds nothing, instead of
// somebody else. Bounded; a full table refuses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace stoa {

// `Tag` keeps ids of different tables apart at compile time. Value 0 is never issued.
template <typename Tag>
struct SlotId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  bool operator==(const SlotId&) const = default;
  bool is_set() const { return generation != 0; }
  std::uint64_t value() const { return static_cast<std::uint64_t>(generation) << 32 | index; }
  static SlotId from_value(std::uint64_t value) {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
  }
};

template <typename T, typename Tag>
class SlotTable {
 public:
  using Id = SlotId<Tag>;

  explicit SlotTable(std::size_t limit) : limit_(limit) {}

  // An unset id when the table is full.
  template <typename... Args>
  Id insert(Args&&... args) {
    if (size_ == limit_) return {};
    std::uint32_t index;
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.value.emplace(std::forward<Args>(args)...);
    ++size_;
    return {index, slot.generation};
  }
  T* find(Id id) {
    if (id.index >= slots_.size()) return nullptr;
    Slot& slot = slots_[id.index];
    return slot.generation == id.generation && slot.value ? &*slot.value : nullptr;
  }
  // Of the entry at an index, whatever its generation; unset where there is none.
  Id id_at(std::uint32_t index) const {
    bool is_there = index < slots_.size() && slots_[index].value;
    return is_there ? Id{index, slots_[index].generation} : Id{};
  }
  bool erase(Id id) {
    if (!find(id)) return false;
    Slot& slot = slots_[id.index];
    slot.value.reset();
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(id.index);
    --size_;
    return true;
  }
  std::size_t size() const { return size_; }
  std::size_t limit() const { return limit_; }
  // Calls `visit(Id, T&)` for each entry; `visit` must not insert or erase.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].value) visit(Id{i, slots_[i].generation}, *slots_[i].value);
  }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].value) visit(Id{i, slots_[i].generation}, *slots_[i].value);
  }

 private:
  struct Slot {
    std::optional<T> value;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
  std::size_t limit_;
};

}  // namespace stoa

template <typename Tag>
struct std::hash<stoa::SlotId<Tag>> {
  std::size_t operator()(const stoa::SlotId<Tag>& id) const { return std::hash<std::uint64_t>()(id.value()); }
};

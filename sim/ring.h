// A queue in one block of memory: it grows to what it once needed and then allocates no more.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace stoa::sim {

template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return slots_[(begin_ + i) & (slots_.size() - 1)]; }
  const T& operator[](std::size_t i) const { return slots_[(begin_ + i) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == slots_.size()) grow();
    ++size_;
    back() = std::move(value);
  }
  T pop_front() {
    T value = std::move(front());
    begin_ = (begin_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }
  // Behind everything that `less` does not put after it: cheap where what comes belongs near the end.
  template <typename Less>
  void insert(T value, Less less) {
    push_back(std::move(value));
    for (std::size_t i = size_ - 1; i > 0 && less((*this)[i], (*this)[i - 1]); --i)
      std::swap((*this)[i], (*this)[i - 1]);
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 16 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    begin_ = 0;
  }

  std::vector<T> slots_;  // A power of two.
  std::size_t begin_ = 0, size_ = 0;
};

}  // namespace stoa::sim

// Where a pure machine puts its effects.
//
// A machine's inputs (`handle_*`, commands) run to completion and append what should happen to an Outbox
// that the caller owns. The caller empties it before the next input, in order. So a machine never calls
// out, and nothing can re-enter it.
#pragma once

#include <utility>
#include <variant>
#include <vector>

namespace stoa {

template <typename Output>
class Outbox {
 public:
  template <typename T>
  void push(T&& output) {
    outputs_.emplace_back(std::forward<T>(output));
  }
  bool empty() const { return outputs_.empty(); }
  std::size_t size() const { return outputs_.size(); }
  auto begin() { return outputs_.begin(); }
  auto end() { return outputs_.end(); }
  auto begin() const { return outputs_.begin(); }
  auto end() const { return outputs_.end(); }
  // Moves everything out, oldest first, and leaves the box empty.
  std::vector<Output> take() { return std::exchange(outputs_, {}); }
  void clear() { outputs_.clear(); }

 private:
  std::vector<Output> outputs_;
};

// For std::visit over outputs: visit(Overloaded{[&](SendBytes& s) {…}, [&](Close&) {…}}, output).
template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace stoa

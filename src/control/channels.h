// The channels of this house: named places that one may publish to and many may watch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/refusal.h"
#include "control/store.h"

namespace stoa::control {

inline constexpr std::size_t kChannelsMax = 100'000;
inline constexpr std::size_t kTitleCharactersMax = 200;
inline constexpr std::size_t kDescriptionCharactersMax = 4'000;
inline constexpr std::size_t kChannelsPerPageMax = 200;

struct NewChannel {
  std::string name;
  std::string title;
  std::string description;
  std::string ladder = {};
};
struct ChannelChange {  // What is absent stays as it is.
  std::optional<std::string> title;
  std::optional<std::string> description;
  std::optional<bool> is_enabled;
  std::optional<std::string> ladder;  // Holds for who publishes from then on.
};
struct ChannelPage {
  std::vector<Channel> channels;
  std::optional<std::string> next;  // What to give as `after` for the next page; absent on the last.
};

class Channels {
 public:
  explicit Channels(Store& store) : store_(store) {}

  Result<Channel, Refusal> create(WallTime now, const NewChannel& channel);
  Result<Channel, Refusal> read(std::string_view name);  // kChannelNotFound
  // `limit` is brought into 1 … kChannelsPerPageMax.
  Result<ChannelPage, Refusal> list(std::string_view after, std::size_t limit);
  Result<Channel, Refusal> update(WallTime now, std::string_view name, const ChannelChange& change);
  Result<void, Refusal> remove(std::string_view name);

  // Grows with each change made here, so that what was rendered from channels can be kept until then.
  std::uint64_t revision() const { return revision_; }

 private:
  Store& store_;
  std::uint64_t revision_ = 0;
};

}  // namespace stoa::control

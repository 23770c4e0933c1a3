// May this encoder publish, and to which channel? Asked once per attempt, before any media is taken.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/metric.h"
#include "base/result.h"
#include "base/time.h"
#include "control/store.h"

namespace stoa::control {

inline constexpr std::size_t kStreamNameBytesMax = 256;
// A key's last use is written again only when it is this much older: a flood of reconnects writes nothing.
inline constexpr Duration kKeyUseGrain = Duration::seconds(60);

struct PublishGrant {
  std::string channel;
  std::string key_id;          // For KeyRevoked. "dev" when a channel's name was its key.
  std::string ladder = "off";  // What it is made into (ladder.h).
};

enum class PublishRefusal : std::uint8_t {
  kWrongApp,  // Not "live".
  kUnknownKey,
  kRevokedKey,
  kChannelDisabled,
  kStoreUnavailable,  // An encoder may try again.
};
inline constexpr int kPublishRefusals = 5;
const char* name_of(PublishRefusal refusal);

class Publishing {
 public:
  struct Options {
    // Every channel's name is its own stream key, also of channels that nobody made: those exist for as
    // long as they are live and are written to no database.
    bool is_dev = false;
    std::string ladder = "off";  // Of channels that have none of their own.
  };

  Publishing(Store& store, const Options& options) : store_(store), options_(options) {}

  // `app` as the protocol names it ("live" of rtmp://host/live; one slash at its end is passed over),
  // `stream_name` is the stream key without query. Refusals are counted.
  Result<PublishGrant, PublishRefusal> authorize_publish(WallTime now, std::string_view app,
                                                         std::string_view stream_name);

  // True when somebody could publish to it: whether a channel that is not live is offline or not there.
  Result<bool, PublishRefusal> is_known_channel(std::string_view name);

  void append_metrics(MetricSamples& samples) const;

 private:
  Result<PublishGrant, PublishRefusal> judge(WallTime now, std::string_view app,
                                             std::string_view stream_name);
  Result<PublishGrant, PublishRefusal> judge_name(std::string_view name);
  PublishGrant grant_of(std::string name, std::string key_id, const Channel& channel) const;

  Store& store_;
  Options options_;
  std::uint64_t granted_ = 0;
  std::array<std::uint64_t, kPublishRefusals> refused_ = {};
};

}  // namespace stoa::control

// The workers of this node: what control decides of transcoding, carried out with processes. On control's
// thread, which outlives every worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "control/channel_events.h"
#include "control/transcoding.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/process.h"
#include "runtime/timer.h"
#include "server/output_pump.h"

namespace stoa::server {

// To the shard that each names.
using WorkMail = std::variant<control::LadderDecided, control::WorkerAwaited>;

class WorkDesk {
 public:
  struct Options {
    std::string program = "stoa-work";  // A path, or looked up on the PATH.
    std::string slate;                  // A clip or picture for missing media; empty: the channel's name.
    int nice = 5;
    std::uint64_t memory_bytes = 2ull << 30;  // Of heap and private memory, each worker. 0: no limit.
    control::Transcoding::Options transcoding;
    control::ChannelEvents* events = nullptr;  // Is told what the log is told.
  };

  WorkDesk(Options options, runtime::Loop& loop, runtime::Log& log,
           std::move_only_function<void(WorkMail&&)> send);

  // Where workers connect to, by shard: before any program. A path, or tcp://HOST:PORT.
  void set_addresses(std::vector<std::string> addresses) { addresses_ = std::move(addresses); }
  void handle_program(control::ProgramOnAir&& program);
  void handle_program_ended(std::string_view channel);
  void handle_worker_seen(control::WorkerSeen&& seen);

  // The channel is deleted.
  void forget(std::string_view channel) { transcoding_.forget(channel); }

  const control::Transcoding& transcoding() const { return transcoding_; }
  void append_metrics(MetricSamples& samples) const { transcoding_.append_metrics(samples); }

  // Ends all workers and starts no more; blocks, `patience` at most and a little.
  void stop(Duration patience);

 private:
  void carry_out();
  void carry_out(control::TranscodingOutput& output);
  void start(const control::StartWorker& start);
  void tell(const control::TranscodingEvent& event);

  Options options_;
  std::vector<std::string> addresses_;
  runtime::Loop& loop_;
  runtime::Log& log_;
  std::move_only_function<void(WorkMail&&)> send_;
  control::Transcoding transcoding_;
  control::TranscodingOutputs outputs_;
  OutputPump pump_;
  std::map<control::WorkerId, std::unique_ptr<runtime::Process>> processes_;
  runtime::DeadlineTimer deadline_;
  bool is_stopped_ = false;
};

}  // namespace stoa::server

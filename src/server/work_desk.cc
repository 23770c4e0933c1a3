#include "server/work_desk.h"

#include <signal.h>

#include <utility>

#include "base/outbox.h"

namespace stoa::server {
namespace {

constexpr std::uint64_t kFilesMax = 64;
constexpr int kOomScoreAdj = 500;

bool is_trouble(control::TranscodingEventKind kind) {
  using Kind = control::TranscodingEventKind;
  return kind == Kind::kWorkerLost || kind == Kind::kWorkerStorm || kind == Kind::kWorkerWaiting ||
         kind == Kind::kLadderExhausted;
}

}  // namespace

WorkDesk::WorkDesk(Options options, runtime::Loop& loop, runtime::Log& log,
                   std::move_only_function<void(WorkMail&&)> send)
    : options_(std::move(options)),
      loop_(loop),
      log_(log),
      send_(std::move(send)),
      transcoding_(options_.transcoding),
      deadline_(loop, [this] {
        transcoding_.handle_deadline(loop_.now(), outputs_);
        carry_out();
      }) {}

void WorkDesk::handle_program(control::ProgramOnAir&& program) {
  transcoding_.handle_program(loop_.now(), std::move(program), outputs_);
  carry_out();
}

void WorkDesk::handle_program_ended(std::string_view channel) {
  transcoding_.handle_program_ended(loop_.now(), channel, outputs_);
  carry_out();
}

void WorkDesk::handle_worker_seen(control::WorkerSeen&& seen) {
  transcoding_.handle_worker_seen(loop_.now(), std::move(seen), outputs_);
  carry_out();
}

void WorkDesk::stop(Duration patience) {
  is_stopped_ = true;
  deadline_.set(Timestamp::never());
  std::vector<runtime::Process*> running;
  for (auto& [id, process] : processes_) running.push_back(process.get());
  runtime::Process::end_all(running, patience);
  processes_.clear();
}

void WorkDesk::carry_out() {
  if (is_stopped_) return outputs_.clear();
  pump_.run(outputs_, [this](control::TranscodingOutput& output) { carry_out(output); }, [] {});
  deadline_.set(transcoding_.next_deadline());
}

void WorkDesk::carry_out(control::TranscodingOutput& output) {
  std::visit(Overloaded{
                 [&](control::LadderDecided& decided) { send_(std::move(decided)); },
                 [&](control::WorkerAwaited& awaited) { send_(std::move(awaited)); },
                 [&](control::StartWorker& wanted) { start(wanted); },
                 [&](control::KillWorker& kill) {
                   if (auto found = processes_.find(kill.worker); found != processes_.end())
                     found->second->kill(SIGKILL);
                 },
                 [&](control::TranscodingEvent& event) { tell(event); },
             },
             output);
}

void WorkDesk::start(const control::StartWorker& wanted) {
  const control::WorkerId id = wanted.worker;
  runtime::ProcessOptions options{
      .arguments = {options_.program, "transcode", addresses_.at(wanted.shard), wanted.channel, "--threads",
                    std::to_string(wanted.threads)},
      .stdin_text = wanted.token + "\n",
      .limits = {.nice = options_.nice,
                 .data_bytes = options_.memory_bytes,
                 .files = kFilesMax,
                 .oom_score_adj = kOomScoreAdj,
                 .has_no_new_privs = true},
      .on_line = [this, channel = wanted.channel](
                     std::string_view line) { log_.warn("work", channel + ": " + std::string(line)); },
      .on_exit =
          [this, id](runtime::ExitStatus status) {
            processes_.erase(id);
            transcoding_.handle_worker_exited(loop_.now(), id, status.text(), outputs_);
            carry_out();
          }};
  if (!options_.slate.empty()) options.arguments.insert(options.arguments.end(), {"--slate", options_.slate});
  auto started = runtime::Process::start(loop_, std::move(options));
  if (started) {
    processes_.emplace(id, std::move(*started));
  } else {
    transcoding_.handle_start_failed(loop_.now(), id, started.error(), outputs_);
  }
}

void WorkDesk::tell(const control::TranscodingEvent& event) {
  if (options_.events)
    options_.events->add(loop_.wall(), {event.channel, control::name_of(event.kind), event.text});
  std::string text = event.channel + ": " + event.text;
  if (is_trouble(event.kind)) {
    log_.warn("work", std::move(text));
  } else {
    log_.info("work", std::move(text));
  }
}

}  // namespace stoa::server

#include "server/control_thread.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "api/livekit/convert.h"
#include "api/livekit/grant.h"
#include "runtime/sqlite_store.h"
#include "server/prometheus_text.h"
#include "server/shard_thread.h"

namespace stoa::server {
namespace {

constexpr Duration kTick = Duration::seconds(1);
constexpr Duration kMetricsPatience = Duration::seconds(2);
// For workers to end when the node stops.
constexpr Duration kWorkersPatience = Duration::seconds(1);
// The aggregate of all shards is told to the directory under one number.
constexpr std::uint32_t kAllShards = 0xffff'ffff;

control::ApiKeys::Options api_key_options(const Config& config) {
  control::ApiKeys::Options options;
  if (config.dev) options.fixed.push_back(control::development_key());
  return options;
}

// stoa-work stands beside this program.
std::string work_program(const Config& config) {
  if (!config.transcode_program.empty()) return config.transcode_program;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "stoa-work" : (self.parent_path() / "stoa-work").string();
}

WorkDesk::Options work_options(const Config& config, control::ChannelEvents& events) {
  WorkDesk::Options options{.program = work_program(config),
                            .slate = config.transcode_slate,
                            .nice = static_cast<int>(config.transcode_nice),
                            .memory_bytes = std::uint64_t{config.transcode_memory_mib} << 20,
                            .events = &events};
  options.transcoding.workers_max = static_cast<int>(or_cores(config.transcode_workers_max));
  options.transcoding.threads = static_cast<int>(or_cores(config.transcode_threads));
  options.transcoding.per_title.is_on = config.transcode_per_title;
  options.transcoding.ladder.wants_opus = config.rtc.has_value();
  return options;
}

}  // namespace

Result<std::unique_ptr<ControlThread>, std::string> ControlThread::make(const Config& config,
                                                                        shard::ShardIndex shards,
                                                                        runtime::Log& log) {
  STOA_TRY(auto store, runtime::SqliteStore::open(config.data + "/stoa.db", runtime::Loop::wall()));
  auto made = std::unique_ptr<ControlThread>(new ControlThread(config, shards, log, std::move(store)));
  if (auto loaded = made->rooms_.load(); !loaded) return refuse(loaded.error());
  return made;
}

ControlThread::ControlThread(const Config& config, shard::ShardIndex shards, runtime::Log& log,
                             std::unique_ptr<control::Store> store)
    : config_(config),
      shards_count_(shards),
      log_(log),
      store_(std::move(store)),
      publishing_(*store_, {.is_dev = config.dev, .ladder = config.transcode_ladder}),
      channels_(*store_),
      stream_keys_(*store_),
      api_keys_(*store_, api_key_options(config)),
      rest_({channels_, stream_keys_, api_keys_, publishing_, directory_, &work_.transcoding(), &events_},
            {.version = STOA_VERSION, .started_at = runtime::Loop::wall()}),
      tick_(loop_, [this] { handle_tick(); }),
      rooms_(config, loop_, log, *store_, api_keys_),
      room_calls_(api_keys_, rooms_, shards, {.is_dev = config.dev},
                  [this](shard::ShardIndex to, ToShard&& message) { send(to, std::move(message)); }),
      room_queries_(rest_, rooms_, shards,
                    [this](shard::ShardIndex to, ToShard&& message) { send(to, std::move(message)); }),
      work_(work_options(config, events_), loop_, log, [this](WorkMail&& mail) {
        const shard::ShardIndex to = std::visit([](const auto& told) { return told.shard; }, mail);
        std::visit([&](auto&& told) { send(to, shard::Mail(std::move(told))); }, std::move(mail));
      }) {}

ControlThread::~ControlThread() { stop(); }

runtime::Mailbox<ToControl>& ControlThread::make_mailbox() {
  mailboxes_.push_back(std::make_unique<runtime::Mailbox<ToControl>>(
      loop_, ShardThread::mailbox_capacity(shards_count_),
      [this](ToControl&& message) { handle_message(std::move(message)); }));
  return *mailboxes_.back();
}

void ControlThread::connect_shard(runtime::Mailbox<ToShard>& mailbox) {
  shards_.push_back(std::make_unique<Postbox<ToShard>>(loop_, mailbox));
}

std::vector<std::string> demo_command(std::uint16_t rtmp_port) {
  std::string filter =
      "drawtext=text='%{gmtime\\:%H\\\\\\:%M\\\\\\:%S}':fontsize=64:fontcolor=white:box=1:boxcolor=black@0.6:"
      "boxborderw=16:x=(w-text_w)/2:y=h*0.72,"
      "drawtext=text='Stoa demo channel':fontsize=36:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=10:"
      "x=(w-text_w)/2:y=h*0.88";
  return {"ffmpeg",
          "-nostdin",
          "-loglevel",
          "quiet",
          "-re",
          "-f",
          "lavfi",
          "-i",
          "testsrc2=size=1280x720:rate=30",
          "-f",
          "lavfi",
          "-i",
          "sine=frequency=330:beep_factor=4:sample_rate=48000",
          "-vf",
          filter,
          "-c:v",
          "libx264",
          "-preset",
          "veryfast",
          "-tune",
          "zerolatency",
          "-b:v",
          "1500k",
          "-maxrate",
          "1500k",
          "-bufsize",
          "1500k",
          "-g",
          "60",
          "-pix_fmt",
          "yuv420p",
          "-c:a",
          "aac",
          "-b:a",
          "96k",
          "-filter:a",
          "volume=0.2",
          "-f",
          "flv",
          "rtmp://127.0.0.1:" + std::to_string(rtmp_port) + "/live/demo"};
}

void ControlThread::add_demo(std::uint16_t rtmp_port) {
  demo_ = std::make_unique<runtime::ChildProcess>(loop_, log_, "demo channel", demo_command(rtmp_port));
}

void ControlThread::start() {
  thread_ = std::thread([this] {
    tick_.set(loop_.now() + kTick);
    if (demo_) demo_->start();
    rooms_.start();
    loop_.run();
  });
}

void ControlThread::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    demo_.reset();
    work_.stop(kWorkersPatience);
    // What the shards said before they ended.
    for (auto& mailbox : mailboxes_) mailbox->deliver_all();
    rooms_.finish();
    loop_.stop();
  });
  thread_.join();
}

void ControlThread::begin_stop() {
  loop_.post([this] { rooms_.begin_stop(); });
}

void ControlThread::send(shard::ShardIndex to, ToShard&& message) { shards_[to]->send(std::move(message)); }

void ControlThread::handle_message(ToControl&& message) {
  if (auto* asked = std::get_if<HttpAsked>(&message)) return handle_http(std::move(*asked));
  std::visit(Overloaded{
                 [&](shard::PublishAsked& asked) { handle_publish(asked); },
                 [&](shard::ChannelReported& reported) {
                   if (reported.status.state == control::LiveState::kEnded)
                     audiences_.erase(reported.status.channel);
                   directory_.handle_status(loop_.now(), std::move(reported.status));
                 },
                 [&](shard::AudienceReported& reported) { handle_audience(std::move(reported)); },
                 [&](shard::MetricsGiven& given) { handle_metrics(std::move(given)); },
                 [&](shard::JoinAsked& asked) { handle_join(asked); },
                 [&](shard::TokenWanted& wanted) { handle_token_wanted(wanted); },
                 [&](shard::RoomHappened& told) { rooms_.handle_happened(told.happened); },
                 [&](shard::RoomAnswered& answered) { room_calls_.handle_answer(loop_.now(), answered); },
                 [&](shard::RoomsFound& found) { room_queries_.handle_found(loop_.wall(), found); },
                 [&](shard::SeatsFound& found) { room_queries_.handle_seats(loop_.wall(), found); },
                 [&](shard::RpcAnswered& answered) { room_calls_.handle_rpc(answered); },
                 [&](control::ProgramOnAir& program) { work_.handle_program(std::move(program)); },
                 [&](control::ChannelHappening& happening) { events_.add(loop_.wall(), happening); },
                 [&](shard::ProgramEnded& ended) { work_.handle_program_ended(ended.channel); },
                 [&](control::WorkerSeen& seen) { work_.handle_worker_seen(std::move(seen)); },
             },
             std::get<shard::ControlMail>(message));
}

void ControlThread::handle_publish(const shard::PublishAsked& asked) {
  auto decision = publishing_.authorize_publish(loop_.wall(), asked.app, asked.stream_name);
  send(asked.shard, shard::Mail(shard::PublishDecided{asked.source, std::move(decision)}));
}

void ControlThread::handle_join(const shard::JoinAsked& asked) {
  send(asked.shard, shard::Mail(shard::JoinDecided{asked.request, rooms_.grant_join(asked.token)}));
}

void ControlThread::handle_token_wanted(const shard::TokenWanted& wanted) {
  shard::TokenMade made{wanted.seat, "", wanted.room};
  // Revoked: what the client has is the last.
  if (auto key = api_keys_.find_valid(wanted.grant->key_id); key && *key)
    made.token = livekit::make_refresh_token(*wanted.grant->access, *wanted.participant, wanted.room,
                                             (*key)->id, (*key)->secret, loop_.wall())
                     .value_or("");
  send(wanted.shard, shard::Mail(std::move(made)));
}

void ControlThread::handle_audience(shard::AudienceReported&& reported) {
  for (auto& [channel, shards] : audiences_) shards[reported.shard] = {};
  auto find = [&](const std::string& channel) -> Audience* {
    if (!directory_.find(channel)) return nullptr;
    auto& shards = audiences_[channel];
    shards.resize(shards_count_);
    return &shards[reported.shard];
  };
  for (auto& audience : reported.audiences)
    if (Audience* known = find(audience.channel)) known->hls = std::move(audience);
  for (const auto& [channel, count] : reported.receivers)
    if (Audience* known = find(channel)) known->receivers = count;
}

void ControlThread::forget(std::string_view channel) {
  events_.forget(channel);
  work_.forget(channel);
}

void ControlThread::handle_http(HttpAsked&& asked) {
  if (asked.message.path == "/metrics") return ask_metrics(std::move(asked));
  if (RoomCalls::owns_path(asked.message.path))
    return room_calls_.handle_request(loop_.now(), loop_.wall(), asked);
  control::Effects effects;
  api::RestOutcome outcome = rest_.handle(loop_.wall(), asked.message, effects);
  if (auto* query = std::get_if<api::RoomsQuery>(&outcome))
    return room_queries_.ask(loop_.now(), loop_.wall(), asked, std::move(*query));
  send(asked.shard, HttpAnswered{asked.request, std::move(std::get<http::Response>(outcome))});
  for (auto& effect : effects.take()) {
    if (auto* deleted = std::get_if<control::ChannelDeleted>(&effect)) forget(deleted->channel);
    if (auto* created = std::get_if<control::ChannelCreated>(&effect)) forget(created->channel);
    for (shard::ShardIndex to = 0; to < shards_count_; ++to) {
      std::visit(Overloaded{
                     [&](control::EndBroadcast& end) {
                       send(to, shard::Mail(shard::BroadcastStopped{end.channel}));
                     },
                     [&](control::ChannelDeleted& gone) {
                       send(to, shard::Mail(shard::BroadcastStopped{gone.channel}));
                     },
                     [](control::ChannelCreated&) {},
                     [&](control::KeyRevoked& revoked) {
                       send(to, shard::Mail(shard::KeyRevoked{revoked.channel, revoked.key_id}));
                     },
                 },
                 effect);
    }
  }
}

// Whoever asks while the shards are being asked gets the same answer: metrics cost every shard a walk over
// all it has, and need no token.
void ControlThread::ask_metrics(HttpAsked&& asked) {
  if (question_ && question_->askers.size() >= kAskersMax) {
    send(asked.shard, HttpAnswered{asked.request, http::make_error_response(
                                                      503, "busy", "Too many ask for metrics at once.")});
    return;
  }
  bool is_first = !question_;
  if (is_first) question_ = Question{++questions_asked_, {}, {}, loop_.now() + kMetricsPatience};
  question_->askers.push_back({asked.shard, asked.request});
  if (!is_first) return;
  for (shard::ShardIndex to = 0; to < shards_count_; ++to)
    send(to, shard::Mail(shard::MetricsWanted{question_->number}));
}

void ControlThread::handle_metrics(shard::MetricsGiven&& given) {
  if (!question_ || given.question != question_->number) return;
  question_->answers.push_back(std::move(given.samples));
  if (question_->answers.size() == shards_count_) answer_metrics();
}

void ControlThread::answer_metrics() {
  Question question = std::move(*question_);
  question_.reset();
  std::vector<MetricSamples> groups = std::move(question.answers);
  MetricSamples own;
  store_->append_metrics(own);
  publishing_.append_metrics(own);
  rest_.append_metrics(own);
  rooms_.append_metrics(own);
  room_calls_.append_metrics(own);
  room_queries_.append_metrics(own);
  work_.append_metrics(own);
  events_.append_metrics(own);
  double viewers = 0;
  for (const auto* status : directory_.list()) viewers += status->viewers;
  own.push_back({"stoa_viewers", "People watching, over all channels.", MetricKind::kGauge, {}, viewers});
  own.push_back(
      {"stoa_shards", "Shards of this node.", MetricKind::kGauge, {}, static_cast<double>(shards_count_)});
  groups.push_back(std::move(own));
  http::Response response = http::make_text_response(200, prometheus_text(groups));
  response.headers.set("content-type", "text/plain; version=0.0.4; charset=utf-8");
  for (const auto& asker : question.askers) send(asker.shard, HttpAnswered{asker.request, response});
}

void ControlThread::handle_tick() {
  directory_.handle_tick(loop_.now());
  rooms_.handle_tick();
  room_calls_.handle_tick(loop_.now());
  room_queries_.handle_tick(loop_.now(), loop_.wall());
  std::erase_if(audiences_, [&](const auto& entry) { return !directory_.find(entry.first); });
  for (auto& [channel, shards] : audiences_) {
    std::set<std::uint32_t> distinct;
    std::size_t uncounted = 0;  // Viewers beyond the ones that were told apart.
    for (const auto& audience : shards) {
      distinct.insert(audience.hls.hashes.begin(), audience.hls.hashes.end());
      uncounted += audience.hls.count - audience.hls.hashes.size() + audience.receivers;
    }
    directory_.handle_viewers(loop_.now(), kAllShards, channel,
                              static_cast<std::uint32_t>(distinct.size() + uncounted));
  }
  // A shard that does not answer is left out rather than waited for.
  if (question_ && question_->deadline <= loop_.now()) answer_metrics();
  if (std::string error = store_->take_error(); !error.empty()) log_.error("store", std::move(error));
  tick_.set(loop_.now() + kTick);
}

}  // namespace stoa::server

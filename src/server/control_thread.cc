#include "server/control_thread.h"

#include <algorithm>
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
// The aggregate of all shards is told to the directory under one number.
constexpr std::uint32_t kAllShards = 0xffff'ffff;

control::ApiKeys::Options api_key_options(const Config& config) {
  control::ApiKeys::Options options;
  if (config.dev) options.fixed.push_back(control::development_key());
  return options;
}

control::RoomRecords::Options room_options(const Config& config) {
  return {.auto_create = config.rooms_auto_create,
          .empty_timeout = config.rooms_empty_timeout,
          .departure_timeout = config.rooms_departure_timeout,
          .participants_max = config.rooms_participants_max};
}

shard::RequestDenied denial_of(control::RoomRefusal refusal) {
  switch (refusal) {
    // Clients look for this sentence.
    case control::RoomRefusal::kNotFound: return {404, "requested room does not exist"};
    case control::RoomRefusal::kBadName: return {400, "the room's name is not allowed"};
    case control::RoomRefusal::kTooMany: return {503, "there are too many rooms"};
    default: return {503, std::string("the room cannot be looked up: ") + control::name_of(refusal)};
  }
}

}  // namespace

Result<std::unique_ptr<ControlThread>, std::string> ControlThread::make(const Config& config,
                                                                        shard::ShardIndex shards,
                                                                        runtime::Log& log) {
  STOA_TRY(auto store, runtime::SqliteStore::open(config.data + "/stoa.db", runtime::Loop::wall()));
  auto made = std::unique_ptr<ControlThread>(new ControlThread(config, shards, log, std::move(store)));
  if (auto checked = made->webhooks_.check_key(); !checked) return refuse(checked.error());
  if (auto loaded = made->rooms_.load(runtime::Loop::now(), runtime::Loop::wall()); !loaded)
    return refuse(std::string("cannot read the rooms: ") + control::name_of(loaded.error()));
  return made;
}

ControlThread::ControlThread(const Config& config, shard::ShardIndex shards, runtime::Log& log,
                             std::unique_ptr<control::Store> store)
    : config_(config),
      shards_count_(shards),
      log_(log),
      store_(std::move(store)),
      publishing_(*store_, {.is_dev = config.dev}),
      channels_(*store_),
      stream_keys_(*store_),
      api_keys_(*store_, api_key_options(config)),
      rooms_(*store_, room_options(config)),
      rest_({channels_, stream_keys_, api_keys_, publishing_, directory_},
            {.version = STOA_VERSION, .started_at = runtime::Loop::wall()}),
      tick_(loop_, [this] { handle_tick(); }),
      webhooks_(loop_, log, *store_, api_keys_, {config.webhook_urls, config.webhook_api_key}) {}

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
    if (auto started = webhooks_.start(); !started) log_.error("control", started.error());
    loop_.run();
  });
}

void ControlThread::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    demo_.reset();
    finish();
    loop_.stop();
  });
  thread_.join();
}

// What the shards said before they ended is kept; what is sent of it, the next process sends.
void ControlThread::finish() {
  for (auto& mailbox : mailboxes_) mailbox->deliver_all();
  webhooks_.flush();
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
                 [&](shard::RoomHappened& told) { handle_room_happened(told.happened); },
             },
             std::get<shard::ControlMail>(message));
}

void ControlThread::handle_publish(const shard::PublishAsked& asked) {
  auto decision = publishing_.authorize_publish(loop_.wall(), asked.app, asked.stream_name);
  send(asked.shard, shard::Mail(shard::PublishDecided{asked.source, std::move(decision)}));
}

void ControlThread::handle_join(const shard::JoinAsked& asked) {
  send(asked.shard, shard::Mail(shard::JoinDecided{asked.request, grant_join(asked.token)}));
}

Result<std::shared_ptr<const shard::RoomGrant>, shard::RequestDenied> ControlThread::grant_join(
    std::string_view token) {
  using Denied = shard::RequestDenied;
  if (token.empty()) return refuse(Denied{401, "no token was given"});
  auto believed = api_keys_.authenticate_claims(loop_.wall(), token);
  if (!believed) {
    const bool is_ours = believed.error() == control::AuthRefusal::kStoreUnavailable;
    return refuse(
        Denied{is_ours ? 503 : 401, std::string("invalid token: ") + control::name_of(believed.error())});
  }
  auto access = livekit::parse_grant(believed->claims);
  if (!access) return refuse(Denied{401, "invalid token: its claims do not read"});
  auto name = livekit::room_to_join(*access);
  if (!name) return refuse(Denied{401, "the token does not let its holder join a room"});
  if (access->identity.empty()) return refuse(Denied{400, "the token names nobody (sub)"});
  auto admitted = rooms_.admit(loop_.now(), loop_.wall(), *name);
  if (!admitted) return refuse(denial_of(admitted.error()));
  room::RoomInfo info = std::move(admitted->room);
  // What a room is, is decided when it comes to be: a token changes none that is there.
  if (admitted->is_new && access->room_config)
    info = livekit::from_wire(*access->room_config, std::move(info));
  auto grant = std::make_shared<shard::RoomGrant>();
  grant->key_id = believed->key_id;
  grant->room = std::move(info);
  grant->access = std::make_shared<const livekit::AccessGrant>(std::move(*access));
  return grant;
}

// What begins or ends is told before it is kept or forgotten: a crash between them tells it twice, not never.
void ControlThread::handle_room_happened(const room::Happened& happened) {
  control::RoomRecords::Answer<void> kept;
  switch (happened.what) {
    case room::Happening::kRoomStarted: {
      auto is_new = rooms_.is_new(happened.room);
      if (!is_new || *is_new) {
        webhooks_.add(happened);
        webhooks_.flush();
      }
      kept = rooms_.handle_started(happened.room);
      break;
    }
    case room::Happening::kRoomFinished:
      webhooks_.add(happened);
      webhooks_.flush();
      kept = rooms_.handle_finished(loop_.now(), happened.room);
      break;
    default: webhooks_.add(happened);
  }
  if (!kept)
    log_.error("rooms",
               std::string("the record of a room cannot be written: ") + control::name_of(kept.error()));
}

void ControlThread::handle_token_wanted(const shard::TokenWanted& wanted) {
  auto key = api_keys_.find_valid(wanted.grant->key_id);
  if (!key || !*key) return;  // Revoked: what the client has is the last.
  auto token = livekit::make_refresh_token(*wanted.grant->access, *wanted.participant,
                                           wanted.grant->room.name, (*key)->id, (*key)->secret, loop_.wall());
  if (token) send(wanted.shard, shard::Mail(shard::TokenMade{wanted.seat, std::move(*token)}));
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

void ControlThread::handle_http(HttpAsked&& asked) {
  if (asked.message.path == "/metrics") return ask_metrics(std::move(asked));
  control::Effects effects;
  http::Response response = rest_.handle(loop_.wall(), asked.message, effects);
  send(asked.shard, HttpAnswered{asked.request, std::move(response)});
  for (auto& effect : effects.take()) {
    for (shard::ShardIndex to = 0; to < shards_count_; ++to) {
      std::visit(Overloaded{
                     [&](control::EndBroadcast& end) {
                       send(to, shard::Mail(shard::BroadcastStopped{end.channel}));
                     },
                     [&](control::ChannelDeleted& gone) {
                       send(to, shard::Mail(shard::BroadcastStopped{gone.channel}));
                     },
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
  webhooks_.append_metrics(own);
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
  for (room::RoomInfo& room : rooms_.take_expired(loop_.now()))
    handle_room_happened({.what = room::Happening::kRoomFinished, .room = std::move(room)});
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

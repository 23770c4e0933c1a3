// `stoa-bench`: a source one can measure with, and load for a live server. Each measuring command prints one
// JSON object to stdout.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "hls.h"
#include "ingest.h"
#include "latency.h"
#include "picture.h"
#include "rooms.h"
#include "rtc.h"
#include "shape.h"
#include "source.h"
#include "twin.h"

namespace {

using namespace stoa::bench;

struct Everything {
  SourceOptions source;
  EncoderOptions encoder;
  HlsOptions hls;
  StaticOptions files;
  IngestOptions ingest;
  LatencyOptions latency;
  RtcOptions rtc;
  RoomsOptions rooms;
  ShapeOptions shape;
  TwinArguments twin;
  int cpu = -1;
};

void add_picture(CLI::App& app, SourceOptions& source) {
  app.add_option("--width", source.width)
      ->check(CLI::Range(kMinBarcodeWidth, kMaxPictureSide))
      ->capture_default_str();
  app.add_option("--height", source.height)
      ->check(CLI::Range(kMinBarcodeHeight, kMaxPictureSide))
      ->capture_default_str();
  app.add_option("--fps", source.frames_per_second)->check(CLI::Range(1, 120))->capture_default_str();
  app.add_option("--seconds", source.seconds, "0: until stopped")->check(CLI::NonNegativeNumber);
  app.add_option("--source", source.source, "number in the barcode")->check(CLI::Range(0, 255));
  app.add_flag("--fast", source.as_fast_as_possible, "not in real time");
}

CLI::App* add_source(CLI::App& app, Everything& all) {
  auto* command =
      app.add_subcommand("source", "y4m with a barcode to stdout, or video and tone into a program");
  add_picture(*command, all.source);
  command->add_option("--audio", all.source.audio_path, "file for the tone (s16le, 48 kHz, stereo)");
  command->add_option("command", all.source.command, "program; gets y4m on descriptor 0, the tone on 3");
  return command;
}

CLI::App* add_publish(CLI::App& app, Everything& all) {
  auto* command = app.add_subcommand("publish", "encodes the source with ffmpeg and publishes it");
  add_picture(*command, all.source);
  command->add_option("url", all.encoder.url, "rtmp://… or a file")->required();
  command->add_option("--video-kbps", all.encoder.video_kbps)->capture_default_str();
  command->add_option("--audio-kbps", all.encoder.audio_kbps)->capture_default_str();
  command->add_option("--keyframe-seconds", all.encoder.keyframe_seconds)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--b-frames", all.encoder.b_frames)->check(CLI::Range(0, 8))->capture_default_str();
  command->add_option("--preset", all.encoder.preset, "of x264")->capture_default_str();
  command->add_option("--format", all.encoder.format, "ffmpeg's muxer")->capture_default_str();
  return command;
}

void add_load(CLI::App& app, std::size_t& viewers, double& seconds, double& warmup, std::size_t& rate,
              int& pid, int& cpu) {
  app.add_option("--viewers", viewers)
      ->check(CLI::Range(std::size_t{1}, std::size_t{60000}))
      ->capture_default_str();
  app.add_option("--seconds", seconds)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--warmup", warmup)->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--connects", rate, "connections opened a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--pid", pid, "the server's process, to measure its CPU time and memory");
  app.add_option("--cpu", cpu, "pin this program to that CPU");
}

CLI::App* add_hls(CLI::App& app, Everything& all) {
  auto& hls = all.hls;
  auto* command = app.add_subcommand("hls", "viewers with blocked playlist reloads");
  command->add_option("url", hls.url, "multivariant or media playlist")->required();
  add_load(*command, hls.viewers, hls.seconds, hls.warmup_seconds, hls.connects_per_second, hls.server_pid,
           all.cpu);
  command->add_flag("--gzip,!--no-gzip", hls.wants_gzip, "playlists as gzip (default)");
  command->add_flag("--parts", hls.fetches_parts, "every viewer also fetches every part");
  command->add_flag("--delta", hls.uses_delta, "ask for delta updates");
  return command;
}

CLI::App* add_static(CLI::App& app, Everything& all) {
  auto& files = all.files;
  auto* command = app.add_subcommand("static", "the same pattern of requests against static files");
  command->add_option("playlist", files.playlist_url)->required();
  command->add_option("parts", files.part_urls, "part files, taken in turn");
  command->add_option("--period", files.period_seconds, "of a part")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_load(*command, files.viewers, files.seconds, files.warmup_seconds, files.connects_per_second,
           files.server_pid, all.cpu);
  command->add_flag("--gzip,!--no-gzip", files.wants_gzip);
  return command;
}

CLI::App* add_ingest(CLI::App& app, Everything& all) {
  auto& ingest = all.ingest;
  auto* command = app.add_subcommand("ingest", "many RTMP publishers of one recording");
  command->add_option("url", ingest.rtmp_url, "rtmp://…/app/name; keys are name-0, name-1, …")->required();
  command->add_option("flv", ingest.flv_path, "the recording")->required()->check(CLI::ExistingFile);
  command->add_option("--live", ingest.live_url, "http://…/api/v1/live");
  command->add_option("--publishers", ingest.publishers)
      ->check(CLI::Range(std::size_t{1}, std::size_t{5000}))
      ->capture_default_str();
  command->add_option("--seconds", ingest.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--warmup", ingest.warmup_seconds)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--pid", ingest.server_pid);
  command->add_option("--cpu", all.cpu);
  return command;
}

void add_latency(CLI::App& app, Everything& all) {
  auto& latency = all.latency;
  auto* command = app.add_subcommand("latency", "from a part's last sample written to the part received");
  command->add_option("url", latency.rtmp_url, "rtmp://…/app/key")->required();
  command->add_option("playlist", latency.playlist_url, "the channel's multivariant playlist")->required();
  command->add_option("flv", latency.flv_path, "the recording")->required()->check(CLI::ExistingFile);
  command->add_option("--rendition", latency.rendition, "counted over variants, then audio")
      ->capture_default_str();
  command->add_option("--seconds", latency.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--cpu", all.cpu);
}

void add_rtc(CLI::App& app, RtcOptions& rtc, int& cpu) {
  app.add_option("--bearer", rtc.bearer, "stream key or token; {n} becomes the channel's number");
  app.add_option("--seconds", rtc.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--warmup", rtc.warmup_seconds)->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--patience", rtc.patience_seconds, "for the last to join")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--joins", rtc.joins_per_second, "a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--pid", rtc.server_pid, "the server's process, to measure its CPU time and memory");
  app.add_option("--cpu", cpu, "pin this program to that CPU");
  app.add_option("--from", rtc.from, "IPv4 address of this machine that media goes and comes by");
  app.add_flag("--quiet", rtc.is_quiet, "neither progress nor a table on stderr");
}

// Of publishers and viewers.
void add_kinds(CLI::App& app, RtcOptions& rtc) {
  auto* no_video = app.add_flag("!--no-video", rtc.has_video);
  app.add_flag("!--no-audio", rtc.has_audio)->excludes(no_video);
}

void add_publishing(CLI::App& app, RtcOptions& rtc) {
  app.add_option("--publishers", rtc.publishers)
      ->check(CLI::Range(std::size_t{1}, std::size_t{20000}))
      ->capture_default_str();
  app.add_option("--video", rtc.clip.path, "H.264 (Annex B) to send; otherwise ffmpeg makes some");
  app.add_option("--width", rtc.clip.width)->check(CLI::Range(16, 4096))->capture_default_str();
  app.add_option("--height", rtc.clip.height)->check(CLI::Range(16, 4096))->capture_default_str();
  app.add_option("--fps", rtc.clip.frames_per_second)->check(CLI::Range(1, 120))->capture_default_str();
  app.add_option("--video-kbps", rtc.clip.kbps)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--keyframe-seconds", rtc.clip.keyframe_seconds)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--audio-kbps", rtc.audio_kbps)->check(CLI::Range(26, 440))->capture_default_str();
  app.add_flag("--rest", rtc.rests_while_joining,
               "until all are there, send keyframes alone and one packet of sound a second");
}

CLI::App* add_whip(CLI::App& app, Everything& all) {
  auto* command = app.add_subcommand("whip", "many WebRTC publishers of one recording");
  command->add_option("url", all.rtc.whip_url, "http://…; {n} becomes the publisher's number")->required();
  add_publishing(*command, all.rtc);
  add_kinds(*command, all.rtc);
  add_rtc(*command, all.rtc, all.cpu);
  return command;
}

CLI::App* add_whep(CLI::App& app, Everything& all) {
  auto* command = app.add_subcommand("whep", "many WebRTC viewers");
  command->add_option("url", all.rtc.whep_url, "http://…; {n} becomes the channel's number")->required();
  command->add_option("--viewers", all.rtc.viewers)
      ->check(CLI::Range(std::size_t{1}, std::size_t{60000}))
      ->capture_default_str();
  command->add_option("--channels", all.rtc.channels, "that viewers are spread over")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--check-every", all.rtc.check_every, "one viewer in so many is decrypted; 0: none")
      ->capture_default_str();
  command->add_option("--whip", all.rtc.whip_url, "publish there too, from this process");
  add_publishing(*command, all.rtc);
  add_kinds(*command, all.rtc);
  add_rtc(*command, all.rtc, all.cpu);
  return command;
}

CLI::App* add_rooms(CLI::App& app, Everything& all) {
  auto& rooms = all.rooms;
  auto* command = app.add_subcommand("rooms", "participants of rooms, against any server of LiveKit clients");
  command->add_option("--url", rooms.url, "ws://host:port")->required();
  command->add_option("--api-key", rooms.api_key)->capture_default_str();
  command->add_option("--api-secret", rooms.api_secret)->capture_default_str();
  command->add_option("--name", rooms.name, "what rooms' names begin with")->capture_default_str();
  auto counts = CLI::Range(std::size_t{0}, std::size_t{20000});
  command->add_option("--rooms", rooms.rooms)->check(counts)->capture_default_str();
  command->add_option("--publishers", rooms.publishers, "of each room")->check(counts)->capture_default_str();
  command->add_option("--subscribers", rooms.subscribers, "of each room")
      ->check(counts)
      ->capture_default_str();
  command->add_option("--members", rooms.members, "of each room: they publish and subscribe")
      ->check(counts)
      ->capture_default_str();
  std::map<std::string, RoomsVideo> videos = {
      {"none", RoomsVideo::kNone}, {"single", RoomsVideo::kSingle}, {"simulcast", RoomsVideo::kSimulcast}};
  command->add_option("--video", rooms.video, "none, single or simulcast (default)")
      ->transform(CLI::CheckedTransformer(videos));
  std::map<std::string, bool> switches = {{"on", true}, {"off", false}};
  command->add_option("--audio", rooms.has_audio, "on (default) or off")
      ->transform(CLI::CheckedTransformer(switches));
  std::map<std::string, bool> codecs = {{"vp8", true}, {"h264", false}};
  command->add_option("--codec", rooms.is_vp8, "vp8 (default) or h264")
      ->transform(CLI::CheckedTransformer(codecs));
  std::map<std::string, RoomsLayout> layouts;
  for (const char* name : {"speaker", "3x3", "4x4", "5x5", "all"}) layouts[name] = *parse_layout(name);
  command
      ->add_option("--layout", rooms.layout,
                   "what a subscriber shows: speaker, 3x3, 4x4, 5x5 or all (default)")
      ->transform(CLI::CheckedTransformer(layouts));
  command->add_option("--video-kbps", rooms.video_kbps, "of a single layer")->capture_default_str();
  command->add_option("--audio-kbps", rooms.audio_kbps)->check(CLI::Range(26, 440))->capture_default_str();
  command->add_option("--fps", rooms.frames_per_second)->check(CLI::Range(1, 120))->capture_default_str();
  command->add_option("--join-rate", rooms.joins_per_second, "a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--duration", rooms.seconds, "seconds that are measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--warmup", rooms.warmup_seconds)->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--patience", rooms.patience_seconds, "for the last to join")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--check-every", rooms.check_every, "one subscriber in so many is decrypted; 0: none")
      ->capture_default_str();
  command->add_option("--feedback", rooms.has_feedback, "on (default) or off: of congestion control")
      ->transform(CLI::CheckedTransformer(switches));
  command->add_option("--server-pid", rooms.server_pid,
                      "the server's process, to measure its CPU time and memory");
  command->add_option("--cpu", all.cpu, "pin this program to that CPU");
  command->add_option("--from", rooms.from, "IPv4 address of this machine that media goes and comes by");
  command->add_flag("--quiet", rooms.is_quiet, "neither progress nor a table on stderr");
  return command;
}

CLI::App* add_shape(CLI::App& app, Everything& all) {
  auto& shape = all.shape;
  auto* command = app.add_subcommand("shape", "a bad network between WebRTC clients and servers");
  command->add_option("--listen", shape.listen, "IPv4 address and first port; port 0: any")
      ->capture_default_str();
  command->add_option("--ports", shape.ports, "one for each of the server's")
      ->check(CLI::Range(std::size_t{1}, Shaper::kPortsMax))
      ->capture_default_str();
  command->add_option("--to", shape.to, "address:port,… of the server; else a line on stdin says it");
  command->add_option("--scenario", shape.scenario, "what the path does; forward is towards clients")
      ->check(CLI::ExistingFile);
  command->add_option("--script", shape.script, "commands with times, as in: 20s down capacity 600k")
      ->check(CLI::ExistingFile);
  command->add_option("--from", shape.from, "addresses towards the server, the next at each handover");
  command->add_flag("--per-client", shape.is_per_client, "a bottleneck for each client, not one for all");
  command->add_option("--seed", shape.seed)->capture_default_str();
  command->add_option("--seconds", shape.seconds, "0: until stopped, or stdin ends")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--cpu", all.cpu, "pin this program to that CPU");
  return command;
}

CLI::App* add_twin(CLI::App& app, Everything& all) {
  auto& twin = all.twin;
  auto* command =
      app.add_subcommand("twin", "one sender in virtual time and over sockets through the shaper");
  command->add_option("scenario", twin.scenario, "media goes forward")->required()->check(CLI::ExistingFile);
  command->add_option("--seconds", twin.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--seed", twin.seed)->capture_default_str();
  command->add_option("--start-kbps", twin.start_kbps)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--encoder-kbps", twin.encoder_kbps, "the most it makes of the picture")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--cpu", all.cpu, "pin this program to that CPU");
  return command;
}

int finish(const stoa::Result<Json, Failure>& result) {
  if (!result) {
    std::fprintf(stderr, "stoa-bench: %s\n", result.error().c_str());
    return 1;
  }
  std::printf("%s\n", result->str().c_str());
  return 0;
}

int finish(const stoa::Result<int, Failure>& result) {
  if (result) return *result;
  std::fprintf(stderr, "stoa-bench: %s\n", result.error().c_str());
  return 1;
}

// What measures the server's own parts from inside is a program of its own beside this one: the counting
// allocator of `path` would be in the way of everything else.
void add_inner(CLI::App& app) {
  for (auto [name, what] : {std::pair("path", "the server's packet path alone: nanoseconds by stage"),
                            std::pair("cost", "what congestion control costs on top of it"),
                            std::pair("udp", "its UDP sends alone, by length of train"),
                            std::pair("srtp", "its SRTP alone, by profile, kernel, size and batch"),
                            std::pair("bwe", "its congestion control against its bars, in virtual time")}) {
    auto* command = app.add_subcommand(name, what)->prefix_command();
    command->set_help_flag();
  }
}

int run_inner(const CLI::App& command) {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string program = (self.parent_path() / ("stoa-bench-" + command.get_name())).string();
  std::vector<std::string> words = command.remaining();
  std::vector<char*> arguments = {program.data()};
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  std::perror(program.c_str());
  return 1;
}

int produce(SourceOptions& source) {
  if (source.width % 2 != 0 || source.height % 2 != 0) {
    std::fprintf(stderr, "stoa-bench: --width and --height must be even\n");
    return 2;
  }
  return finish(run_source(source));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures a live video server: a source with a clock in its picture, viewers, publishers.",
               "stoa-bench");
  app.require_subcommand(1);
  Everything all;
  auto* source = add_source(app, all);
  auto* publish = add_publish(app, all);
  auto* hls = add_hls(app, all);
  auto* files = add_static(app, all);
  auto* ingest = add_ingest(app, all);
  add_latency(app, all);
  auto* whip = add_whip(app, all);
  auto* whep = add_whep(app, all);
  auto* rooms = add_rooms(app, all);
  auto* shape = add_shape(app, all);
  auto* twin = add_twin(app, all);
  add_inner(app);
  CLI11_PARSE(app, argc, argv);
  for (auto* command : app.get_subcommands())
    if (command->get_prefix_command()) return run_inner(*command);
  watch_for_stop();
  raise_file_limit();
  if (all.cpu >= 0 && !pin_to_cpu(all.cpu)) {
    std::fprintf(stderr, "stoa-bench: cannot run on CPU %d\n", all.cpu);
    return 2;
  }
  if (source->parsed()) return produce(all.source);
  if (publish->parsed()) {
    all.source.command = encoder_command(all.source, all.encoder);
    return produce(all.source);
  }
  if (hls->parsed()) return finish(run_hls(all.hls));
  if (files->parsed()) return finish(run_static(all.files));
  if (whip->parsed() || whep->parsed()) return finish(run_rtc(all.rtc));
  if (rooms->parsed()) return finish(run_rooms(all.rooms));
  if (twin->parsed()) return finish(run_twin(all.twin));
  if (shape->parsed()) return finish(run_shape(all.shape));
  if (ingest->parsed()) return finish(run_ingest(all.ingest));
  return finish(run_latency(all.latency));
}

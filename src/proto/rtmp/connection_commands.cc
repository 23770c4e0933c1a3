#include <algorithm>
#include <tuple>
#include <utility>

#include "proto/rtmp/connection.h"

namespace stoa::rtmp {
namespace {

constexpr double kCanForward = 4;               // FourCcInfoMask
constexpr double kCapsEx = 0x02 | 0x04 | 0x08;  // Multitrack, ModEx, TimestampNanoOffset.
constexpr std::string_view kVideoFourCcs[] = {"avc1", "hvc1", "av01", "vp09"};
constexpr std::string_view kAudioFourCcs[] = {"mp4a", "Opus"};

bool is_name(std::string_view text) {
  return text.size() <= kNameBytesMax &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// Splits "name?query" and takes slashes off the ends of the name.
std::pair<std::string, std::string> split_query(std::string_view text) {
  std::string_view query;
  if (std::size_t at = text.find('?'); at != std::string_view::npos) {
    query = text.substr(at + 1);
    text = text.substr(0, at);
  }
  while (!text.empty() && text.front() == '/') text.remove_prefix(1);
  while (!text.empty() && text.back() == '/') text.remove_suffix(1);
  return {std::string(text), std::string(query)};
}

}  // namespace

Connection::Outcome Connection::handle_command(const Message& message, Outputs& out) {
  auto counted = count_command();
  if (!counted) return counted;
  ++stats_.commands;
  STOA_TRY(Command command, parse_command(message, config_.amf));
  if (message.type == static_cast<std::uint8_t>(MessageType::kAmf3Command)) is_amf3_ = true;
  const std::string& name = command.name;
  if (name == "connect") return handle_connect(command);
  if (name == "createStream") return handle_create_stream(command);
  if (name == "publish") return handle_publish(command, message.stream_id, out);
  if (name == "play" || name == "play2") return handle_play(message.stream_id);
  if (name == "deleteStream" || name == "closeStream" || name == "FCUnpublish") {
    handle_unpublish(out);
    if (name == "FCUnpublish" && command.transaction != 0) {
      send_command("_result", command.transaction, {AmfValue::null(), AmfValue{}}, 0);
    }
    return {};
  }
  if (name == "_result" || name == "_error" || name == "onStatus") return {};
  if (name == "FCPublish") wants_on_fc_publish_ = true;
  if (command.transaction == 0) return {};
  if (name == "releaseStream" || name == "FCPublish" || name == "_checkbw") {
    send_command("_result", command.transaction, {AmfValue::null(), AmfValue{}}, 0);
  } else {
    send_command(
        "_error", command.transaction,
        {AmfValue::null(), status("error", "NetConnection.Call.Failed", "There is no such command.")}, 0);
  }
  return {};
}

AmfValue Connection::connect_result(const AmfValue& asked) const {
  AmfValue made = status("status", "NetConnection.Connect.Success", "Connection accepted.");
  auto add = [&](std::string_view name, AmfValue value) {
    made.members.push_back({std::string(name), std::move(value)});
  };
  const AmfValue* encoding = asked.find("objectEncoding");
  add("objectEncoding", AmfValue::of_number(encoding && encoding->number == 3 ? 3 : 0));
  add("capsEx", AmfValue::of_number(kCapsEx));
  AmfValue video = AmfValue::object({}), audio = AmfValue::object({}), list = AmfValue::array({});
  for (std::string_view fourcc : kVideoFourCcs) {
    video.members.push_back({std::string(fourcc), AmfValue::of_number(kCanForward)});
    list.items.push_back(AmfValue::string(fourcc));
  }
  for (std::string_view fourcc : kAudioFourCcs) {
    audio.members.push_back({std::string(fourcc), AmfValue::of_number(kCanForward)});
    list.items.push_back(AmfValue::string(fourcc));
  }
  add("videoFourCcInfoMap", std::move(video));
  add("audioFourCcInfoMap", std::move(audio));
  if (asked.find("fourCcList")) add("fourCcList", std::move(list));
  return made;
}

Connection::Outcome Connection::handle_connect(const Command& command) {
  if (state_ != State::kConnect) return refuse(Refusal::kUnexpectedCommand);
  const AmfValue& asked = command.argument(0);
  const AmfValue* app = asked.find("app");
  const AmfValue* tc_url = asked.find("tcUrl");
  if (!app || !app->is_string() || !is_name(app->text)) return refuse(Refusal::kBadCommand);
  if (tc_url && (!tc_url->is_string() || !is_name(tc_url->text))) return refuse(Refusal::kBadCommand);
  std::tie(app_, app_query_) = split_query(app->text);
  if (tc_url) tc_url_ = tc_url->text;

  ByteWriter window, bandwidth, chunk;
  window.u32(kWindowBytes);
  send(MessageType::kWindowAckSize, 0, window.view());
  bandwidth.u32(kWindowBytes);
  bandwidth.u8(2);  // Dynamic.
  send(MessageType::kSetPeerBandwidth, 0, bandwidth.view());
  chunk.u32(kServerChunkBytes);
  send(MessageType::kSetChunkSize, 0, chunk.view());
  AmfValue properties = AmfValue::object({{"fmsVer", AmfValue::string("FMS/3,5,0,0")},
                                          {"capabilities", AmfValue::of_number(31)},
                                          {"mode", AmfValue::of_number(1)}});
  send_command("_result", command.transaction, {std::move(properties), connect_result(asked)}, 0);
  enter(State::kConnected);
  return {};
}

Connection::Outcome Connection::handle_create_stream(const Command& command) {
  if (state_ == State::kConnect) return refuse(Refusal::kUnexpectedCommand);
  if (message_streams_ == kMessageStreamsMax) return refuse(Refusal::kTooManyCommands);
  send_command("_result", command.transaction,
               {AmfValue::null(), AmfValue::of_number(static_cast<double>(++message_streams_))}, 0);
  return {};
}

Connection::Outcome Connection::handle_publish(const Command& command, std::uint32_t message_stream,
                                               Outputs& out) {
  if (state_ != State::kConnected) return refuse(Refusal::kUnexpectedCommand);
  const AmfValue& name = command.argument(1);
  if (!name.is_string() || !is_name(name.text)) return refuse(Refusal::kBadCommand);
  auto [stream_name, query] = split_query(name.text);
  if (stream_name.empty()) return refuse(Refusal::kBadCommand);
  publish_stream_ = message_stream;
  std::string joined = app_query_;
  if (!joined.empty() && !query.empty()) joined += '&';
  joined += query;
  enter(State::kDecision);
  flush(out);  // What was answered before it goes out before it.
  out.push(PublishRequested{app_, tc_url_, std::move(stream_name), std::move(joined)});
  return {};
}

Connection::Outcome Connection::handle_play(std::uint32_t message_stream) {
  publish_stream_ = message_stream;
  send_status("error", "NetStream.Play.Failed", "This server takes RTMP in; watch over HTTP.");
  return refuse(Refusal::kPlayRefused);
}

void Connection::handle_unpublish(Outputs& out) {
  if (state_ != State::kPublishing) return;
  send_status("status", "NetStream.Unpublish.Success", "Unpublished.");
  enter(State::kConnected);
  out.push(Unpublished{});
}

}  // namespace stoa::rtmp

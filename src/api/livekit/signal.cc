#include "api/livekit/signal.h"

#include <google/protobuf/util/json_util.h>

#include <string>
#include <string_view>

namespace stoa::livekit {

void quiet_protobuf() { google::protobuf::SetLogHandler(nullptr); }

bool parse_json(std::string_view text, google::protobuf::Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  message.Clear();
  return google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &message, options).ok();
}

std::string write_json(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) text = "{}";
  return text;
}

Result<pb::SignalRequest, SignalRefusal> parse_signal(Bytes frame, bool is_text) {
  if (frame.size() > (is_text ? kSignalJsonBytesMax : kSignalBytesMax))
    return refuse(SignalRefusal::kTooLong);
  pb::SignalRequest request;
  bool is_read = is_text ? parse_json(as_text(frame), request)
                         : request.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
  if (!is_read) return refuse(SignalRefusal::kMalformed);
  return request;
}

SharedBytes write_signal(const pb::SignalResponse& response, bool as_text) {
  return SharedBytes(as_text ? write_json(response) : response.SerializeAsString());
}

}  // namespace stoa::livekit

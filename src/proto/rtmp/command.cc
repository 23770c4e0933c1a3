#include "proto/rtmp/command.h"

namespace stoa::rtmp {

const AmfValue& Command::argument(std::size_t i) const {
  static const AmfValue kAbsent;
  return i < arguments.size() ? arguments[i] : kAbsent;
}

Result<std::vector<AmfValue>, Refusal> parse_values(const Message& message, const AmfLimits& limits) {
  if (message.payload.size() > kCommandBytesMax) return refuse(Refusal::kMessageTooLarge);
  Bytes bytes = message.payload;
  bool is_amf3 = message.type == static_cast<std::uint8_t>(MessageType::kAmf3Command) ||
                 message.type == static_cast<std::uint8_t>(MessageType::kAmf3Data);
  if (is_amf3 && !bytes.empty() && bytes[0] == 0) bytes = bytes.subspan(1);
  return parse_amf0(bytes, limits);
}

Result<Command, Refusal> parse_command(const Message& message, const AmfLimits& limits) {
  STOA_TRY(std::vector<AmfValue> values, parse_values(message, limits));
  if (values.empty() || !values[0].is_string()) return refuse(Refusal::kBadCommand);
  if (values[0].text.size() > kNameBytesMax) return refuse(Refusal::kBadCommand);
  Command command{.name = std::move(values[0].text)};
  std::size_t at = 1;
  if (values.size() > at && values[at].is_number()) command.transaction = values[at++].number;
  for (; at < values.size(); ++at) command.arguments.push_back(std::move(values[at]));
  return command;
}

Buffer write_command(std::string_view name, double transaction, const std::vector<AmfValue>& arguments,
                     bool is_amf3) {
  ByteWriter writer(256);
  if (is_amf3) writer.u8(0);
  write_amf0(AmfValue::string(name), writer);
  write_amf0(AmfValue::of_number(transaction), writer);
  for (const AmfValue& argument : arguments) {
    if (is_amf3 && argument.has_members()) {
      writer.u8(0x11);
      write_amf3(argument, writer);
    } else {
      write_amf0(argument, writer);
    }
  }
  return writer.take();
}

AmfValue status(std::string_view level, std::string_view code, std::string_view description) {
  return AmfValue::object({{"level", AmfValue::string(level)},
                           {"code", AmfValue::string(code)},
                           {"description", AmfValue::string(description)}});
}

}  // namespace stoa::rtmp

// WHIP and WHEP from the request to the answer. The input is a request as people would write it: a line with
// method and path, fields, an empty line, the body. Whatever comes: a call or a response that HTTP can carry,
// and where the body is an offer, answers that read, that the offerer agrees with, and that say what the
// session is told.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "api/whip.h"
#include "base/assert.h"
#include "session/webrtc/negotiation.h"

namespace {

using namespace stoa;

constexpr std::size_t kFieldsMax = 32;

std::string_view take_line(std::string_view& text) {
  std::size_t length = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

http::Request request_of(std::string_view text) {
  http::Request request;
  std::string_view line = take_line(text);
  std::size_t space = std::min(line.find(' '), line.size());
  request.method = http::parse_method(line.substr(0, space));
  request.path = line.substr(std::min(space + 1, line.size()));
  for (std::size_t i = 0; i < kFieldsMax && !(line = take_line(text)).empty(); ++i) {
    std::size_t colon = std::min(line.find(':'), line.size());
    std::string name(line.substr(0, colon));
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    request.headers.add(name, value);
  }
  request.body = text;
  return request;
}

void check_response(const http::Response& response) {
  STOA_ASSERT(response.status >= 200 && response.status < 600);
  for (const auto& [name, value] : response.headers) {
    STOA_ASSERT(!name.empty() && name.find_first_of(" :\r\n") == std::string::npos);
    for (char c : value) {
      auto byte = static_cast<unsigned char>(c);
      STOA_ASSERT(byte >= 0x20 && byte != 0x7f);
    }
  }
}

webrtc::LocalDescription make_local() {
  webrtc::LocalDescription local;
  local.ice = {.ufrag = "StoaUfrg", .password = "StoaPasswordStoaPassword"};
  local.session_id = 1;
  SocketAddress address{IpAddress::v4(203, 0, 113, 5), 7882};
  local.candidates = {{.foundation = "1", .priority = 1, .address = address},
                      {.foundation = "2", .transport = ice::Transport::kTcpPassive, .address = address}};
  std::array<std::uint8_t, 32> digest{1, 2, 3};
  local.fingerprint = crypto::Fingerprint(crypto::FingerprintHash::kSha256, digest);
  return local;
}

// What the offerer makes of an answer.
sdp::Agreement check_answer(std::string_view offer_text, const std::string& answer_text,
                            const sdp::Agreement& ours) {
  auto offer = sdp::parse(offer_text), answer = sdp::parse(answer_text);
  STOA_ASSERT(offer && answer);
  STOA_ASSERT(sdp::write(*answer) == answer_text);
  auto theirs = sdp::agree(*offer, *answer, sdp::Side::kOfferer);
  STOA_ASSERT(theirs);
  STOA_ASSERT(theirs->sections.size() == ours.sections.size());
  STOA_ASSERT(theirs->data.has_value() == ours.data.has_value());
  STOA_ASSERT(theirs->dtls_role != ours.dtls_role);
  STOA_ASSERT(theirs->remote_ice.ufrag == "StoaUfrg" && theirs->is_remote_ice_lite);
  for (std::size_t i = 0; i < ours.sections.size(); ++i) {
    const sdp::AgreedSection &a = ours.sections[i], &b = theirs->sections[i];
    STOA_ASSERT(a.mid == b.mid && a.direction == sdp::reversed(b.direction));
    STOA_ASSERT(a.codecs.size() == b.codecs.size());
    STOA_ASSERT(a.codecs.front().send_payload_type == b.codecs.front().receive_payload_type);
    STOA_ASSERT(a.receive_layers.size() == b.send_layers.size());
  }
  return std::move(*theirs);
}

void check_publisher(std::string_view offer) {
  webrtc::PublisherOptions options;
  options.video_sections_max = 2;
  auto answer = webrtc::answer_publisher(offer, make_local(), options);
  if (!answer) {
    STOA_ASSERT(!answer.error().text.empty());
    return;
  }
  check_answer(offer, answer->answer, answer->agreement);
  STOA_ASSERT(!answer->remote.fingerprints.empty());
  STOA_ASSERT(!answer->agreement.data);
  for (const sdp::AgreedSection& section : answer->agreement.sections) {
    STOA_ASSERT(!sdp::can_send(section.direction));
    STOA_ASSERT(section.receive_layers.size() <= sdp::kSourcesInGroupMax);
  }
}

void check_viewer(std::string_view offer, std::uint8_t choice) {
  using payload::Encoding;
  std::vector<payload::RtpTrack> tracks = {
      {.id = 0, .encoding = Encoding::kH264, .profile = {0x64, 0x00, 0x1f}},
      {.id = 1, .encoding = Encoding::kOpus, .channels = 2},
      {.id = 2, .encoding = static_cast<Encoding>(choice % payload::kEncodings), .profile = {1}}};
  if (choice & 0x10) tracks.erase(tracks.begin());
  Rng rng(choice);
  auto answer = webrtc::answer_viewer(offer, tracks, make_local(), "stoa", rng, choice & 0x20);
  if (!answer) {
    STOA_ASSERT(!answer.error().text.empty());
    return;
  }
  sdp::Agreement theirs = check_answer(offer, answer->answer, answer->agreement);
  STOA_ASSERT(answer->outlets.size() + answer->left_out.size() == tracks.size());
  for (const webrtc::ViewerOutlet& outlet : answer->outlets) {
    auto section =
        std::find_if(theirs.sections.begin(), theirs.sections.end(), [&](const sdp::AgreedSection& one) {
          return one.mid == outlet.mid && !one.receive_layers.empty() &&
                 one.receive_layers[0].ssrc == outlet.config.ssrc;
        });
    STOA_ASSERT(section != theirs.sections.end());
    STOA_ASSERT(section->receive_layers[0].rtx_ssrc == outlet.config.rtx_ssrc);
    const sdp::AgreedCodec& codec = section->codecs.front();
    STOA_ASSERT(codec.receive_payload_type == outlet.config.payload_type);
    STOA_ASSERT(codec.receive_rtx_type == outlet.config.rtx_payload_type);
  }
}

void check_call(const api::RtcCall& call) {
  if (const auto* offered = std::get_if<api::RtcOffered>(&call)) {
    STOA_ASSERT(!offered->offer.empty() && offered->offer.size() <= api::kSessionDescriptionBytesMax);
    api::IceServer server{.url = offered->bearer, .username = offered->offer, .credential = offered->bearer};
    check_response(api::make_created_response(*offered, {offered->offer, "s", "e"}, {server}));
  }
  if (const auto* patched = std::get_if<api::RtcPatched>(&call)) {
    STOA_ASSERT(api::is_session_name(patched->session));
    if (patched->if_match) api::matches_if_match(*patched->if_match, "e");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  http::Request request = request_of(as_text({data, size}));
  auto call = api::parse_rtc_request(request);
  if (call) {
    check_call(*call);
  } else {
    check_response(call.error());
  }
  std::uint8_t choice = static_cast<std::uint8_t>(size);
  for (char c : request.path) choice = static_cast<std::uint8_t>(choice * 31 + c);
  check_publisher(request.body);
  check_viewer(request.body, choice);
  return 0;
}

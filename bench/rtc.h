// `stoa-bench whip` and `stoa-bench whep`: publishers and viewers of real-time channels, against any server
// that speaks WHIP (RFC 9725) or WHEP.
//
// A URL may hold "{n}", the number of the publisher, or of the channel that a viewer watches; without it,
// and with more than one channel, "-0", "-1", … is put behind its path.
//
// Every peer has a UDP socket and a transport of its own, as strangers would: servers tell peers apart by
// their address. What viewers do with what comes is in rtc_viewer.h. Latency is from the moment that a
// publisher of ours hands a frame's first packet to the kernel (rtc_stamp.h) until the kernel of the viewer's
// machine has the packet; with publishers on another machine it is as good as both clocks.
#pragma once

#include <string>

#include "rtc_media.h"
#include "stats.h"
#include "world.h"

namespace stoa::bench {

struct RtcOptions {
  std::string whip_url;  // Empty: nobody publishes from here.
  std::string whep_url;  // Empty: nobody watches from here.
  std::string bearer;    // Of both; "{n}" as in the URLs.
  std::size_t publishers = 1;
  std::size_t viewers = 1;
  std::size_t channels = 1;       // That viewers are spread over; as many as publishers when those are ours.
  std::size_t check_every = 100;  // One viewer in so many is decrypted and checked; 0: none.
  double seconds = 10;            // Measured, after everybody is there and `warmup_seconds` have passed.
  double warmup_seconds = 2;
  double patience_seconds = 30;  // For everybody to be there after the last has started.
  std::size_t joins_per_second = 200;
  // Until everybody is there publishers send only what viewers need to begin: keyframes, and a packet of
  // sound a second. Otherwise thousands who are already there slow down those who join.
  bool rests_while_joining = false;
  std::string from;  // The IPv4 address of this machine that media goes and comes by; empty: as routed.
  bool has_video = true, has_audio = true;
  int audio_kbps = 48;
  ClipOptions clip;
  int server_pid = 0;     // Its CPU time and memory are measured.
  bool is_quiet = false;  // No progress and no table on stderr.
};

Result<Json, Failure> run_rtc(const RtcOptions& options);

// The text with "{n}" replaced, or with "-number" at its end when there are more than one.
std::string number_text(const std::string& text, std::size_t number, std::size_t count);

}  // namespace stoa::bench

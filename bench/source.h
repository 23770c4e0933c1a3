// `stoa-bench source`: frames and tone in real time, to files or into a program it starts.
#pragma once

#include <string>
#include <vector>

#include "world.h"

namespace stoa::bench {

struct SourceOptions {
  int width = 640, height = 360;
  int frames_per_second = 30;
  double seconds = 0;                // 0: until stopped.
  int source = 0;                    // 0 to 255, written into every barcode.
  bool as_fast_as_possible = false;  // Not paced; the clock in the picture then runs on media time.
  std::string audio_path;  // Where the tone goes (s16le, 48 kHz, stereo) when no program is started.
  // Started with y4m video on descriptor 0 and the tone on descriptor 3. Empty: video goes to stdout.
  std::vector<std::string> command;
};

// The command line of an ffmpeg that encodes descriptor 0 and 3 with low delay.
struct EncoderOptions {
  std::string url;  // rtmp://… or a file name.
  int video_kbps = 600;
  int audio_kbps = 96;
  double keyframe_seconds = 2;
  int b_frames = 0;
  std::string preset = "veryfast";
  std::string format = "flv";
};
std::vector<std::string> encoder_command(const SourceOptions& source, const EncoderOptions& encoder);

// Runs until the time is over, a signal, or the reader is gone. Gives the exit status: the program's own
// when one was started.
Result<int, Failure> run_source(const SourceOptions& options);

}  // namespace stoa::bench

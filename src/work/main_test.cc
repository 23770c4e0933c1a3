#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::work {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Ended {
  int status = -1;
  std::string said;  // On its standard error.
};

// The program with these arguments, and that on its standard input.
Ended run(std::vector<std::string> arguments, std::string_view input) {
  int in[2], errors[2];
  if (::pipe(in) != 0 || ::pipe(errors) != 0) throw std::bad_alloc();
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in[0], 0), ::dup2(errors[1], 2);
    for (int end : {in[0], in[1], errors[0], errors[1]}) ::close(end);
    std::vector<char*> all;
    for (std::string& argument : arguments) all.push_back(argument.data());
    all.push_back(nullptr);
    ::execv(STOA_WORK_PROGRAM, all.data());
    ::_exit(127);
  }
  (void)!::write(in[1], input.data(), input.size());
  for (int end : {in[0], in[1], errors[1]}) ::close(end);
  Ended ended;
  std::array<char, 4'096> bytes;
  for (ssize_t count; (count = ::read(errors[0], bytes.data(), bytes.size())) > 0;)
    ended.said.append(bytes.data(), static_cast<std::size_t>(count));
  ::close(errors[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  return ended;
}

TEST(StoaWork, knows_its_encoders_and_its_slate_before_it_connects) {
  Ended ended =
      run({"stoa-work", "transcode", "/nonexistent/socket", "--slate", "/nonexistent/slate"}, "token\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.said, HasSubstr("H.264 by "));
  EXPECT_THAT(ended.said, HasSubstr("slate /nonexistent/slate: no file"));
  EXPECT_THAT(ended.said, HasSubstr("/nonexistent/socket: No such file or directory\n"));
  EXPECT_LT(ended.said.find("H.264 by "), ended.said.find("/nonexistent/socket")) << ended.said;
}

TEST(StoaWork, says_how_it_is_called) {
  for (const std::vector<std::string>& call : {std::vector<std::string>{"stoa-work"},
                                               {"stoa-work", "transcode"},
                                               {"stoa-work", "transcode", "a", "b", "c"},
                                               {"stoa-work", "transcode", "a", "--threads", "0"}}) {
    Ended ended = run(call, "");
    EXPECT_EQ(ended.status, 2);
    EXPECT_THAT(ended.said, HasSubstr("usage: stoa-work transcode <address>"));
  }
  Ended ended = run({"stoa-work", "transcode", "a"}, "");
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.said, HasSubstr("no token"));
  EXPECT_THAT(ended.said, Not(HasSubstr("usage")));
}

}  // namespace
}  // namespace stoa::work

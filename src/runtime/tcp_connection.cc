#include "runtime/tcp_connection.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace stoa::runtime {
namespace {

constexpr std::size_t kGatherLimit = 64;
// One TLS record.
constexpr std::size_t kRecordBytes = 16u << 10;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

TcpConnection::Io TcpConnection::judge_secure(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return Io::kAgain;
    case SSL_ERROR_ZERO_RETURN: return Io::kEnd;
    default: return Io::kFailed;
  }
}

TcpConnection::Io TcpConnection::handshake() {
  ERR_clear_error();
  int result = SSL_accept(ssl_);
  return result == 1 ? Io::kProgress : judge_secure(result);
}

std::string TcpConnection::alpn() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  if (ssl_) SSL_get0_alpn_selected(ssl_, &name, &length);
  return std::string(reinterpret_cast<const char*>(name), name ? length : 0);
}

TcpConnection::Io TcpConnection::read(std::span<std::uint8_t> space, std::size_t& length, bool& drained) {
  drained = false;
  if (ssl_) {
    ERR_clear_error();
    int result = SSL_read_ex(ssl_, space.data(), space.size(), &length);
    return result == 1 ? Io::kProgress : judge_secure(result);
  }
  for (;;) {
    ssize_t count = recv(fd_, space.data(), space.size(), 0);
    if (count > 0) {
      length = static_cast<std::size_t>(count);
      drained = length < space.size();
      return Io::kProgress;
    }
    if (count == 0) return Io::kEnd;
    if (would_block()) return Io::kAgain;
    if (errno != EINTR) return Io::kFailed;
  }
}

TcpConnection::Io TcpConnection::write_plain(std::span<const SharedBytes> slices, Bytes head,
                                             std::size_t& taken) {
  std::array<iovec, kGatherLimit> parts;
  std::size_t index = 0, offset = 0;
  taken = 0;
  for (;;) {
    std::size_t count = 0, wanted = 0;
    auto add = [&](Bytes bytes) {
      if (bytes.empty()) return;
      parts[count++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
      wanted += bytes.size();
    };
    add(head);
    for (std::size_t i = index; i < slices.size() && count < kGatherLimit; ++i)
      add(slices[i].bytes().subspan(i == index ? offset : 0));
    if (wanted == 0) return Io::kProgress;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    ssize_t result = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (result < 0) {
      if (errno == EINTR) continue;
      return would_block() ? Io::kAgain : Io::kFailed;
    }
    std::size_t step = static_cast<std::size_t>(result);
    taken += step;
    written_ += step;
    progressed_ = true;
    if (step < wanted) return Io::kAgain;
    std::size_t from_head = std::min(step, head.size());
    head = head.subspan(from_head);
    step -= from_head;
    while (index < slices.size() && step >= slices[index].size() - offset) {
      step -= slices[index].size() - offset;
      ++index;
      offset = 0;
    }
    offset += step;
  }
}

TcpConnection::Io TcpConnection::send(Bytes head, std::span<const SharedBytes> slices) {
  if (ssl_ || queued_ > 0 || !is_writable) {
    enqueue(head, slices, 0);
    return ssl_ && is_writable ? flush_secure() : queued_ == 0 ? Io::kProgress : Io::kAgain;
  }
  std::size_t taken;
  Io result = write_plain(slices, head, taken);
  if (result == Io::kAgain) {
    is_writable = false;
    enqueue(head, slices, taken);
  }
  return result;
}

TcpConnection::Io TcpConnection::flush() {
  if (queued_ == 0) return Io::kProgress;
  if (!is_writable) return Io::kAgain;
  return ssl_ ? flush_secure() : flush_plain();
}

TcpConnection::Io TcpConnection::flush_plain() {
  std::size_t taken;
  Io result = write_plain(std::span(queue_).subspan(queue_head_), {}, taken);
  dequeue(taken);
  if (result == Io::kAgain) is_writable = false;
  return result;
}

// Small slices share a record. After WANT_WRITE OpenSSL must be given the same bytes again, and at least as
// many: the queue only grows at its end and is gathered from the front, so it always is.
TcpConnection::Io TcpConnection::flush_secure() {
  std::array<std::uint8_t, kRecordBytes> record;
  while (queued_ > 0) {
    Bytes next = queue_[queue_head_].bytes();
    if (next.size() < kRecordBytes && next.size() < queued_) {
      std::size_t length = 0;
      for (std::size_t i = queue_head_; i < queue_.size() && length < kRecordBytes; ++i) {
        Bytes bytes = queue_[i].bytes();
        std::size_t step = std::min(bytes.size(), kRecordBytes - length);
        std::copy_n(bytes.data(), step, record.data() + length);
        length += step;
      }
      next = Bytes(record.data(), length);
    }
    std::size_t taken = 0;
    ERR_clear_error();
    int result = SSL_write_ex(ssl_, next.data(), std::min(next.size(), kRecordBytes), &taken);
    if (result != 1) {
      Io verdict = judge_secure(result);
      if (verdict == Io::kAgain) is_writable = false;
      return verdict == Io::kEnd ? Io::kFailed : verdict;
    }
    written_ += taken;
    progressed_ = true;
    dequeue(taken);
  }
  return Io::kProgress;
}

void TcpConnection::enqueue(Bytes head, std::span<const SharedBytes> slices, std::size_t skip) {
  if (skip < head.size()) {
    queue_.push_back(SharedBytes::copy_of(head.subspan(skip)));
    queued_ += head.size() - skip;
    skip = 0;
  } else {
    skip -= head.size();
  }
  for (const SharedBytes& slice : slices) {
    if (skip >= slice.size()) {
      skip -= slice.size();
      continue;
    }
    queue_.push_back(skip ? slice.slice(skip) : slice);
    queued_ += slice.size() - skip;
    skip = 0;
  }
}

void TcpConnection::dequeue(std::size_t length) {
  queued_ -= length;
  while (length > 0) {
    SharedBytes& front = queue_[queue_head_];
    if (length < front.size()) {
      front = front.slice(length);
      return;
    }
    length -= front.size();
    front = SharedBytes();
    ++queue_head_;
  }
  if (queued_ == 0) {
    std::vector<SharedBytes>().swap(queue_);
    queue_head_ = 0;
  } else if (queue_head_ > 64 && queue_head_ * 2 > queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_head_));
    queue_head_ = 0;
  }
}

void TcpConnection::finish_sending() {
  if (has_finished_sending || fd_ < 0) return;
  has_finished_sending = true;
  if (ssl_ && !is_handshaking) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  shutdown(fd_, SHUT_WR);
}

void TcpConnection::shut() {
  if (ssl_) {
    // Without this OpenSSL takes an unclean end as a reason to forget the session ticket.
    SSL_set_quiet_shutdown(ssl_, 1);
    SSL_free(ssl_);
    ssl_ = nullptr;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  std::vector<SharedBytes>().swap(queue_);
  queued_ = queue_head_ = 0;
}

}  // namespace stoa::runtime

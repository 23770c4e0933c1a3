// What stands behind Loop; only for the .cc files of this folder, since it pulls in Asio.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <thread>

#include "runtime/loop.h"

namespace stoa::runtime {

struct Loop::Impl {
  struct Watch {
    int fd;
    WatchHandler* handler;
    std::uint64_t token;
  };

  Impl();
  void await_readiness();
  void dispatch_ready();

  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  SlotTable<Watch, WatchTag> watches{kWatchLimit};
  boost::asio::posix::stream_descriptor epoll{io};
  std::atomic<std::thread::id> thread;
};

}  // namespace stoa::runtime

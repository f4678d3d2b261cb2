#pragma once

// The connections that are open, who of them may be sent away to make room, and when each is overdue.
//
// Nobody is locked out by connections that do nothing: at a cap the one idle the longest goes; when none is idle, the
// one that has been sending its request the longest. A connection whose request is being handled is never sent away.
// One thread uses it (the I/O thread); only count() may be called from any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <string>

namespace virga::http {

class Crowd {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { idle, receiving, busy };

  class Member;

 private:
  struct Place {
    Member* member;
    std::string source;
    std::uint64_t listener;
    State state;
    Time deadline;
  };
  using Places = std::list<Place>;

 public:
  class Member {
   public:
    virtual ~Member() = default;
    /// Closes the connection now, so that its descriptor is free on return. The crowd has already forgotten it.
    virtual void drop() = 0;

   private:
    friend class Crowd;
    bool present_ = false;
    Places::iterator place_;
  };

  Crowd(std::size_t max, std::size_t max_per_source) : max_(max), max_per_source_(max_per_source) {}

  /// Takes in a connection, idle, with a deadline; makes room when there is none. False: no room could be made.
  bool admit(Member& member, const std::string& source, std::uint64_t listener, Time deadline);
  /// Changes what the connection is doing and until when it may take. Nothing for one that is no longer a member.
  void set(Member& member, State state, Time deadline);
  /// Nothing for one that is no longer a member.
  void leave(Member& member);

  /// Sends one away to free a descriptor. False: everybody is busy.
  bool evict_one();
  void drop_overdue(Time now);
  void drop_listener(std::uint64_t listener);
  /// Drops all that no request is being handled for.
  void drop_waiting();
  void drop_all();

  std::size_t count() const { return count_; }

 private:
  Places& list(State state) { return lists_[static_cast<std::size_t>(state)]; }
  bool evict_one_of(const std::string& source);
  void drop(Places::iterator place);
  template <class Condition>
  void drop_if(Condition condition);

  std::size_t max_;
  std::size_t max_per_source_;
  Places lists_[3];  ///< by state; in each, the one that entered the state first is in front
  std::map<std::string, std::size_t> per_source_;
  std::atomic<std::size_t> count_ = 0;
};

}  // namespace virga::http

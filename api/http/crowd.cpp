#include "api/http/crowd.h"

#include <algorithm>

namespace virga::http {

bool Crowd::admit(Member& member, const std::string& source, std::uint64_t listener, Time deadline) {
  const auto known = per_source_.find(source);
  if (known != per_source_.end() && known->second >= max_per_source_ && !evict_one_of(source)) return false;
  if (count_ >= max_ && !evict_one()) return false;
  auto& idle = list(State::idle);
  idle.push_back({&member, source, listener, State::idle, deadline});
  member.place_ = std::prev(idle.end());
  member.present_ = true;
  ++per_source_[source];
  ++count_;
  return true;
}

void Crowd::set(Member& member, State state, Time deadline) {
  if (!member.present_) return;
  auto& place = *member.place_;
  place.deadline = deadline;
  if (place.state == state) return;
  list(state).splice(list(state).end(), list(place.state), member.place_);
  place.state = state;
}

void Crowd::leave(Member& member) {
  if (!member.present_) return;
  member.present_ = false;
  const auto source = per_source_.find(member.place_->source);
  if (--source->second == 0) per_source_.erase(source);
  list(member.place_->state).erase(member.place_);
  --count_;
}

bool Crowd::evict_one() {
  for (const auto state : {State::idle, State::receiving})
    if (!list(state).empty()) {
      drop(list(state).begin());
      return true;
    }
  return false;
}

bool Crowd::evict_one_of(const std::string& source) {
  for (const auto state : {State::idle, State::receiving}) {
    auto& places = list(state);
    const auto found = std::ranges::find(places, source, &Place::source);
    if (found == places.end()) continue;
    drop(found);
    return true;
  }
  return false;
}

void Crowd::drop_overdue(Time now) {
  drop_if([now](const Place& place) { return place.deadline <= now; });
}

void Crowd::drop_listener(std::uint64_t listener) {
  drop_if([listener](const Place& place) { return place.listener == listener; });
}

void Crowd::drop_waiting() {
  drop_if([](const Place& place) { return place.state != State::busy; });
}

void Crowd::drop_all() {
  drop_if([](const Place&) { return true; });
}

void Crowd::drop(Places::iterator place) {
  auto& member = *place->member;
  leave(member);
  member.drop();
}

template <class Condition>
void Crowd::drop_if(Condition condition) {
  for (auto& places : lists_)
    for (auto place = places.begin(); place != places.end();) {
      const auto next = std::next(place);
      if (condition(*place)) drop(place);
      place = next;
    }
}

}  // namespace virga::http

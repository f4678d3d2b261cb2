#pragma once

// The words of nft's JSON language that the rule sets are written with (libnftables-json(5)).

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace virga::network::nft {

using Json = nlohmann::json;

inline Json payload(const char* protocol, const char* field) {
  return {{"payload", {{"protocol", protocol}, {"field", field}}}};
}
inline Json meta(const char* key) { return {{"meta", {{"key", key}}}}; }
inline Json concat(std::vector<Json> parts) { return {{"concat", std::move(parts)}}; }
inline Json prefix(const std::string& address, int length) {
  return {{"prefix", {{"addr", address}, {"len", length}}}};
}
inline Json any_of(std::vector<Json> values) { return {{"set", std::move(values)}}; }
inline Json range(int first, int last) { return {{"range", {first, last}}}; }
inline Json masked(Json value, Json mask) { return {{"&", Json::array({std::move(value), std::move(mask)})}}; }

inline Json match(const char* op, Json left, Json right) {
  return {{"match", {{"op", op}, {"left", std::move(left)}, {"right", std::move(right)}}}};
}
inline Json is(Json left, Json right) { return match("==", std::move(left), std::move(right)); }
inline Json is_not(Json left, Json right) { return match("!=", std::move(left), std::move(right)); }
inline Json established() { return match("in", {{"ct", {{"key", "state"}}}}, Json::array({"established", "related"})); }
inline Json beginning() { return match("in", {{"ct", {{"key", "state"}}}}, "new"); }
/// More than `limit` connections have the same key; `size`: how many keys there may be.
inline Json over_limit(const char* name, Json key, int limit, int size) {
  Json count{{"ct count", {{"val", limit}, {"inv", true}}}};
  return {{"meter", {{"name", name}, {"key", std::move(key)}, {"stmt", std::move(count)}, {"size", size}}}};
}
/// What is known of the packet's connection; with a direction, of its packets in that direction.
inline Json tracked(const char* key) { return {{"ct", {{"key", key}}}}; }
inline Json tracked(const char* key, const char* direction) { return {{"ct", {{"key", key}, {"dir", direction}}}}; }
inline Json not_flagged(Json left, const char* flag) { return match("!", std::move(left), flag); }
/// The device that the packet's destination is routed to.
inline Json destination_device() { return {{"fib", {{"result", "oifname"}, {"flags", Json::array({"daddr"})}}}}; }
inline Json not_tracked() { return {{"notrack", nullptr}}; }
inline Json at_most_per_second(int count) {
  return {{"limit", {{"rate", count}, {"burst", count}, {"per", "second"}}}};
}
/// "dnat" or "snat": the address becomes what the map says; without an entry nothing happens.
inline Json translate(const char* how, Json key, const char* map) {
  return {{how, {{"addr", {{"map", {{"key", std::move(key)}, {"data", map}}}}}}}};
}
inline Json look_up(Json key, const char* map) { return {{"vmap", {{"key", std::move(key)}, {"data", map}}}}; }

inline Json jump(const std::string& chain) { return {{"jump", {{"target", chain}}}}; }
inline Json accept() { return {{"accept", nullptr}}; }
inline Json drop() { return {{"drop", nullptr}}; }
inline Json counter() { return {{"counter", nullptr}}; }

}  // namespace virga::network::nft

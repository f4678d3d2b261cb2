#pragma once

// Collects the chains and sets of a rule set under construction, for the ruleset*.cpp files only.

#include <string>
#include <utility>
#include <vector>

#include "network/host/nft_words.h"
#include "network/host/ruleset.h"

namespace virga::network::ruleset {

using nft::Json;

inline constexpr const char* identity = "vgl2";      ///< bridge: who a port is
inline constexpr const char* groups = "vgsg";        ///< inet: what may pass
inline constexpr const char* translation = "vgnat";  ///< ip: public addresses for private ones

class Writer {
 public:
  void set(const std::string& table, const std::string& name, Json type, const char* map = nullptr) {
    Json header{{"family", family_of(table)}, {"table", table}, {"name", name}, {"type", std::move(type)}};
    if (map != nullptr) header["map"] = map;
    ruleset.sets[{table, name}].header = std::move(header);
  }
  void element(const std::string& table, const std::string& set, Json value) {
    ruleset.sets.at({table, set}).elements.insert(std::move(value));
  }
  void chain(const std::string& table, const std::string& name) {
    ruleset.chains[{table, name}].header = {{"family", family_of(table)}, {"table", table}, {"name", name}};
  }
  /// A chain that the kernel calls; what reaches its end is dropped, or not, as `policy` says.
  void base_chain(const std::string& table, const std::string& name, const char* hook, int priority,
                  const char* policy) {
    hook_chain(table, name, "filter", hook, priority, policy);
  }
  /// A chain that the kernel asks for a translation, once per connection.
  void translation_chain(const std::string& name, const char* hook, int priority) {
    hook_chain(translation, name, "nat", hook, priority, "accept");
  }
  void rule(const std::string& table, const std::string& chain_name, std::vector<Json> expressions) {
    ruleset.chains.at({table, chain_name})
        .rules.push_back(
            {{"family", family_of(table)}, {"table", table}, {"chain", chain_name}, {"expr", std::move(expressions)}});
  }
  Ruleset ruleset;

 private:
  static const char* family_of(const std::string& table) {
    if (table == identity) return "bridge";
    return table == translation ? "ip" : "inet";
  }
  void hook_chain(const std::string& table, const std::string& name, const char* type, const char* hook, int priority,
                  const char* policy) {
    chain(table, name);
    ruleset.chains[{table, name}].header.update(
        {{"type", type}, {"hook", hook}, {"prio", priority}, {"policy", policy}});
  }
};

}  // namespace virga::network::ruleset

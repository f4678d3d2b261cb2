#include "network/host/ruleset.h"

#include "core/json_values.h"
#include "network/host/ruleset_writer.h"

namespace virga::network {
namespace {

using nlohmann::json;

/// Commands of one transaction, in the order the kernel takes them.
class Transaction {
 public:
  void add(const char* kind, json object) { commands_.push_back({{"add", {{kind, std::move(object)}}}}); }
  void remove(const char* kind, json object) { commands_.push_back({{"delete", {{kind, std::move(object)}}}}); }
  void flush(const char* kind, json object) { commands_.push_back({{"flush", {{kind, std::move(object)}}}}); }
  void elements(bool addition, const json& header, const std::vector<json>& values) {
    if (values.empty()) return;
    json object = name_of(header);
    object["elem"] = values;
    addition ? add("element", std::move(object)) : remove("element", std::move(object));
  }
  static json name_of(const json& header) {
    return {{"family", header["family"]}, {"table", header["table"]}, {"name", header["name"]}};
  }
  json take() { return {{"nftables", std::move(commands_)}}; }

 private:
  json commands_ = json::array();
};

const char* kind_of(const Ruleset::Set& set) { return set.header.contains("map") ? "map" : "set"; }

std::set<std::pair<json, json>> tables_of(const Ruleset& rules) {
  std::set<std::pair<json, json>> tables;
  for (const auto& [name, chain] : rules.chains) tables.emplace(chain.header["family"], chain.header["table"]);
  return tables;
}

std::vector<json> difference(const std::set<json>& of, const std::set<json>& without) {
  std::vector<json> left;
  for (const auto& element : of)
    if (!without.contains(element)) left.push_back(element);
  return left;
}

}  // namespace

json load_commands(const Ruleset& wanted) {
  Transaction transaction;
  // Adding first makes the deletion succeed in a new namespace too. A translation that is no longer wanted goes as
  // well.
  auto clear = [&](const json& object) {
    transaction.add("table", object);
    transaction.remove("table", object);
  };
  clear({{"family", "ip"}, {"name", ruleset::translation}});
  for (const auto& [family, table] : tables_of(wanted)) {
    json object{{"family", family}, {"name", table}};
    clear(object);
    transaction.add("table", object);
  }
  for (const auto& [name, set] : wanted.sets) transaction.add(kind_of(set), set.header);
  for (const auto& [name, chain] : wanted.chains) transaction.add("chain", chain.header);
  for (const auto& [name, chain] : wanted.chains)
    for (const auto& rule : chain.rules) transaction.add("rule", rule);
  for (const auto& [name, set] : wanted.sets)
    transaction.elements(true, set.header, {set.elements.begin(), set.elements.end()});
  return transaction.take();
}

json update_commands(const Ruleset& loaded, const Ruleset& wanted) {
  Transaction transaction;
  const auto present = tables_of(loaded);
  for (const auto& table : tables_of(wanted))
    if (!present.contains(table)) transaction.add("table", {{"family", table.first}, {"name", table.second}});
  for (const auto& [name, set] : wanted.sets)
    if (!loaded.sets.contains(name)) transaction.add(kind_of(set), set.header);
  for (const auto& [name, chain] : wanted.chains)
    if (!loaded.chains.contains(name)) transaction.add("chain", chain.header);
  for (const auto& [name, chain] : wanted.chains) {
    auto before = loaded.chains.find(name);
    if (before != loaded.chains.end() && before->second == chain) continue;
    if (before != loaded.chains.end()) transaction.flush("chain", Transaction::name_of(chain.header));
    for (const auto& rule : chain.rules) transaction.add("rule", rule);
  }
  static const std::set<json> nothing;
  for (const auto& [name, set] : loaded.sets) {
    auto after = wanted.sets.find(name);
    transaction.elements(false, set.header,
                         difference(set.elements, after == wanted.sets.end() ? nothing : after->second.elements));
  }
  for (const auto& [name, set] : wanted.sets) {
    auto before = loaded.sets.find(name);
    transaction.elements(true, set.header,
                         difference(set.elements, before == loaded.sets.end() ? nothing : before->second.elements));
  }
  // Chains that go may call each other: all are emptied before the first is deleted.
  for (const auto& [name, chain] : loaded.chains)
    if (!wanted.chains.contains(name)) transaction.flush("chain", Transaction::name_of(chain.header));
  for (const auto& [name, chain] : loaded.chains)
    if (!wanted.chains.contains(name)) transaction.remove("chain", Transaction::name_of(chain.header));
  for (const auto& [name, set] : loaded.sets)
    if (!wanted.sets.contains(name)) transaction.remove(kind_of(set), Transaction::name_of(set.header));
  return transaction.take();
}

}  // namespace virga::network

#include "core/config.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>

namespace virga {

Paths Paths::from_environment() {
  if (const char* home = std::getenv("VIRGA_HOME"); home != nullptr && *home != '\0') {
    const auto root = std::filesystem::absolute(home).lexically_normal();
    return {root / "state", root / "run", root / "virga.toml"};
  }
  return {"/var/lib/virga", "/run/virga", "/etc/virga/virga.toml"};
}

namespace {

using Apply = std::function<bool(const toml::node&)>;  // false: the value has a wrong type or range

template <class T>
Apply number(T& target, T low, T high) {
  return [&target, low, high](const toml::node& node) {
    const auto value = node.value<T>();
    if (!value || *value < low || *value > high) return false;
    target = *value;
    return true;
  };
}

Apply text(std::string& target) {
  return [&target](const toml::node& node) {
    const auto value = node.value<std::string>();
    if (value) target = *value;
    return value.has_value();
  };
}

Apply word(std::string& target, std::vector<std::string> words) {
  return [&target, words = std::move(words)](const toml::node& node) {
    const auto value = node.value<std::string>();
    if (!value || std::find(words.begin(), words.end(), *value) == words.end()) return false;
    target = *value;
    return true;
  };
}

Apply hex4(std::string& target) {
  return [&target](const toml::node& node) {
    const auto value = node.value<std::string>();
    if (!value || value->size() != 4 || value->find_first_not_of("0123456789abcdef") != std::string::npos) return false;
    target = *value;
    return true;
  };
}

Apply words(std::vector<std::string>& target) {
  return [&target](const toml::node& node) {
    const auto* array = node.as_array();
    if (array == nullptr || array->empty()) return false;
    std::vector<std::string> values;
    for (const auto& element : *array) {
      const auto value = element.value<std::string>();
      if (!value || value->empty()) return false;
      values.push_back(*value);
    }
    target = std::move(values);
    return true;
  };
}

/// "203.0.113.0/24", without host bits, and nothing of what can be no machine's address (RFC 6890).
bool is_public_block(const std::string& text) {
  constexpr int largest = 8;  // prefix lengths
  constexpr int smallest = 32;
  struct Range {
    std::uint32_t first;
    std::uint32_t last;
  };
  constexpr Range never[] = {
      {0x00000000, 0x00ffffff},  // this network
      {0x7f000000, 0x7fffffff},  // loopback
      {0xa9fe0000, 0xa9feffff},  // link-local: the metadata service, and Virga's own links
      {0xe0000000, 0xffffffff},  // multicast, reserved, broadcast
  };
  const auto slash = text.find('/');
  if (slash == std::string::npos) return false;
  const auto dotted = text.substr(0, slash);
  in_addr address{};
  int prefix = 0;
  const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix);
  if (error != std::errc() || inet_pton(AF_INET, dotted.c_str(), &address) != 1) return false;
  // Nothing but the one way to write it: who takes addresses from the block reads it more strictly.
  if (prefix < largest || prefix > smallest || text != fmt::format("{}/{}", dotted.c_str(), prefix)) return false;
  const std::uint32_t first = ntohl(address.s_addr);
  const auto behind = static_cast<std::uint32_t>((std::uint64_t{1} << (smallest - prefix)) - 1);
  const std::uint32_t last = first | behind;
  if ((first & behind) != 0) return false;
  return std::ranges::none_of(never, [&](const Range& range) { return first <= range.last && range.first <= last; });
}

Apply public_blocks(std::vector<std::string>& target) {
  return [&target](const toml::node& node) {
    constexpr std::size_t most = 64;
    std::vector<std::string> values;
    if (!words(values)(node) || values.size() > most || !std::ranges::all_of(values, is_public_block)) return false;
    target = std::move(values);
    return true;
  };
}

Apply accelerator(Accelerator& target) {
  return [&target](const toml::node& node) {
    const auto value = node.value<std::string>().value_or("");
    if (value == "auto") target = Accelerator::automatic;
    else if (value == "kvm") target = Accelerator::kvm;
    else if (value == "tcg") target = Accelerator::tcg;
    else return false;
    return true;
  };
}

std::map<std::string, Apply> keys(Config& c) {
  return {
      {"api.listen_address", text(c.listen_address)},
      {"api.listen_port", number<std::uint16_t>(c.listen_port, 0, 65535)},
      {"api.public_endpoint", text(c.public_endpoint)},
      {"api.max_connections", number<int>(c.max_connections, 16, 1'000'000)},
      {"api.max_connections_per_source", number<int>(c.max_connections_per_source, 1, 1'000'000)},
      {"api.max_body_bytes", number<std::int64_t>(c.max_body_bytes, 1024, 64 << 20)},
      {"api.threads", number<int>(c.api_threads, 1, 256)},
      {"region.name", text(c.region)},
      {"region.zones", words(c.zones)},
      {"network.public_cidrs", public_blocks(c.public_cidrs)},
      {"control.user", text(c.control_user)},
      {"host.name", text(c.host_name)},
      {"host.realm", hex4(c.realm)},
      {"host.vcpu_overcommit", number<double>(c.vcpu_overcommit, 0.1, 1000.0)},
      {"host.memory_overcommit", number<double>(c.memory_overcommit, 0.1, 100.0)},
      {"host.reserved_memory_mib", number<std::int64_t>(c.reserved_memory_mib, 0, 1 << 24)},
      {"host.reserved_storage_gib", number<std::int64_t>(c.reserved_storage_gib, 0, 1 << 20)},
      {"host.reserved_storage_percent", number<double>(c.reserved_storage_percent, 0.0, 90.0)},
      {"host.dns_upstream", text(c.dns_upstream)},
      {"compute.libvirt_uri", text(c.libvirt_uri)},
      {"compute.accelerator", accelerator(c.accelerator)},
      {"compute.disk_cache", word(c.disk_cache, {"none", "directsync", "writeback", "unsafe"})},
      {"compute.pci_ports", number<int>(c.pci_ports, 8, 64)},
      {"log.level", word(c.log_level, {"debug", "info", "warn", "error"})},
  };
}

/// FNV-1a over the home's path, folded to 16 bits; never 0000, which is the system's own installation.
std::string realm_of(const std::filesystem::path& home) {
  std::uint32_t hash = 2166136261;
  for (const unsigned char c : home.string()) hash = (hash ^ c) * 16777619;
  const auto folded = static_cast<std::uint16_t>(hash ^ (hash >> 16));
  return fmt::format("{:04x}", folded == 0 ? 1 : folded);
}

}  // namespace

Result<Config> Config::load(const Paths& paths) {
  Config config;
  if (std::getenv("VIRGA_HOME") != nullptr) config.realm = realm_of(paths.state.parent_path());
  else config.realm = "0000";
  if (!std::filesystem::exists(paths.config)) return config;
  auto known = keys(config);
  try {
    const auto file = toml::parse_file(paths.config.string());
    for (const auto& [section, node] : file) {
      const auto* table = node.as_table();
      if (table == nullptr)
        return fail(Code::invalid_parameter_value,
                    fmt::format("{}: '{}' must be in a section", paths.config.string(), section.str()));
      for (const auto& [name, value] : *table) {
        const auto key = fmt::format("{}.{}", section.str(), name.str());
        const auto line = value.source().begin.line;
        const auto apply = known.find(key);
        if (apply == known.end())
          return fail(Code::invalid_parameter_value,
                      fmt::format("{}:{}: unknown key '{}'", paths.config.string(), line, key));
        if (!apply->second(value))
          return fail(Code::invalid_parameter_value,
                      fmt::format("{}:{}: '{}' has a value of a wrong type or out of range", paths.config.string(), line,
                                  key));
      }
    }
  } catch (const toml::parse_error& error) {
    return fail(Code::invalid_parameter_value, fmt::format("{}:{}: {}", paths.config.string(),
                                                           error.source().begin.line, error.description()));
  }
  return config;
}

std::vector<std::string> Config::zone_names() const {
  std::vector<std::string> names;
  for (const auto& suffix : zones) names.push_back(region + suffix);
  return names;
}

std::string Config::endpoint() const {
  return public_endpoint.empty() ? fmt::format("http://{}:{}", listen_address, listen_port) : public_endpoint;
}

}  // namespace virga

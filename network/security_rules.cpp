#include "network/security_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "network/cidr.h"
#include "network/lookup.h"

namespace virga::network {

namespace {

struct Named {
  std::string_view name;
  std::string_view number;
};
constexpr std::array named_protocols = {Named{"tcp", "6"}, Named{"udp", "17"}, Named{"icmp", "1"},
                                        Named{"icmpv6", "58"}};
constexpr int highest_protocol = 255;
constexpr int highest_port = 65535;
constexpr int highest_icmp = 255;
constexpr std::size_t longest_text = 255;

Result<std::string> canonical_protocol(std::string_view text) {
  std::string lower(text.substr(0, 16));
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "-1" || lower == "all") return std::string("-1");
  for (const auto& [name, number] : named_protocols)
    if (lower == name || lower == number) return std::string(name);
  int number = -1;
  const auto [end, error] = std::from_chars(lower.data(), lower.data() + lower.size(), number);
  const bool whole = error == std::errc() && end == lower.data() + lower.size();
  if (!whole || number < 0 || number > highest_protocol || std::to_string(number) != lower)
    return fail(Code::invalid_parameter_value,
                fmt::format("Invalid value '{}' for IP protocol. Unknown protocol.", shown(text)));
  return lower;
}

Result<PortRange> icmp_range(std::string protocol, std::optional<int> type, std::optional<int> code) {
  if (protocol == "icmp" && (!type || !code))
    return fail(Code::invalid_parameter_value,
                "Invalid value 'Must specify both type and code with ICMP.' for portRange.");
  const int type_value = type.value_or(-1);
  const int code_value = code.value_or(-1);
  if (type_value < -1 || type_value > highest_icmp)
    return fail(Code::invalid_parameter_value, fmt::format("ICMP type ({}) out of range", type_value));
  if (code_value < -1 || code_value > highest_icmp)
    return fail(Code::invalid_parameter_value, fmt::format("ICMP code ({}) out of range", code_value));
  if (type_value == -1 && code_value != -1)
    return fail(Code::invalid_parameter_value, "ICMP type -1 (all) may be given with code -1 (all) only.");
  return PortRange{std::move(protocol), type_value, code_value};
}

Result<PortRange> transport_range(std::string protocol, std::optional<int> from, std::optional<int> to) {
  if (!from || !to)
    return fail(Code::invalid_parameter_value,
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
  for (const int port : {*from, *to})
    if (port < 0 || port > highest_port)
      return fail(Code::invalid_parameter_value, fmt::format("TCP/UDP port ({}) out of range", port));
  if (*from > *to)
    return fail(Code::invalid_parameter_value, fmt::format("Invalid TCP/UDP port range ({}:{})", *from, *to));
  return PortRange{std::move(protocol), *from, *to};
}

}  // namespace

bool has_ports(std::string_view protocol) {
  return std::ranges::any_of(named_protocols, [&](const Named& named) { return named.name == protocol; });
}

Result<PortRange> canonical_ports(std::string_view protocol, std::optional<int> from, std::optional<int> to) {
  if (protocol.empty()) return fail(Code::missing_parameter, "The request must contain the parameter ipProtocol");
  auto name = TRY(canonical_protocol(protocol));
  if (!has_ports(name)) return PortRange{std::move(name), -1, -1};
  if (name.starts_with("icmp")) return icmp_range(std::move(name), from, to);
  return transport_range(std::move(name), from, to);
}

Result<std::string> canonical_ipv4_range(std::string_view text) {
  if (const auto block = Cidr4::parse(text)) return block->str();
  return fail(Code::invalid_parameter_value, fmt::format("CIDR block {} is malformed", shown(text)));
}

Result<std::string> canonical_ipv6_range(std::string_view text) {
  if (auto block = canonical_cidr6(text)) return std::move(*block);
  return fail(Code::invalid_parameter_value, fmt::format("CIDR block {} is malformed", shown(text)));
}

Result<void> check_text(std::string_view what, std::string_view text) {
  constexpr std::string_view marks = "._-:/()#,@[]+=&;{}!$* ";
  const bool allowed = std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
  if (allowed && text.size() <= longest_text) return {};
  return fail(Code::invalid_parameter_value,
              fmt::format("Invalid {}. Valid values are strings less than 256 characters from the following set: "
                          "a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*",
                          what));
}

}  // namespace virga::network

#include "api/coverage.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/silent_filters.h"

namespace virga::api {

namespace {

/// Names in code quotes with commas between; "none" when there are none.
template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const auto& name : names) text += fmt::format("{}`{}`", text.empty() ? "" : ", ", name);
  return text.empty() ? "none" : text;
}

/// The request members at the top that the row does not refuse altogether.
std::vector<std::string_view> honoured(const Action& row) {
  std::vector<std::string_view> names;
  for (const auto& member : row.operation->input->members) {
    const auto is = [&](std::string_view path) { return path == member.name || path == member.query; };
    if (std::ranges::none_of(row.options.refused, is)) names.push_back(member.name);
  }
  return names;
}

std::vector<std::string_view> working_filters(const ec2::Operation& operation) {
  const auto silent = silent_filters(operation.name);
  std::vector<std::string_view> names;
  for (const auto filter : operation.filters)
    if (std::ranges::find(silent, filter) == silent.end()) names.push_back(filter == "tag" ? "tag:<key>" : filter);
  return names;
}

std::string section(const Action& row) {
  const auto& operation = *row.operation;
  std::string text = fmt::format("## {}\n\n", row.name);
  text += fmt::format("* Access: {}\n* Request members: {}\n", row.access == Access::read ? "read" : "write",
                      listed(honoured(row)));
  if (!row.options.refused.empty())
    text += fmt::format("* Refused (UnsupportedOperation): {}\n", listed(row.options.refused));
  for (const auto& only : row.options.only) text += fmt::format("* `{}`: only {}\n", only.path, listed(only.values));
  if (!operation.filters.empty()) {
    text += fmt::format("* Filters: {}\n", listed(working_filters(operation)));
    const auto silent = silent_filters(operation.name);
    if (!silent.empty())
      text += fmt::format("* Filters that match nothing, for want of the attribute: {}\n", listed(silent));
  }
  if (operation.paged) text += "* Pages: MaxResults, NextToken\n";
  if (operation.dry_run) text += "* DryRun\n";
  if (!operation.idempotency_token.empty()) text += fmt::format("* Idempotency: `{}`\n", operation.idempotency_token);
  return text + "\n";
}

}  // namespace

std::string coverage_page(std::span<const Action> rows) {
  std::string text = fmt::format(
      "# API coverage\n\n{} of EC2's actions are served. Any other answers `InvalidAction`; a request member that is "
      "not\n"
      "listed for an action answers `UnknownParameter`, a refused one `UnsupportedOperation`. Nothing is accepted and\n"
      "ignored. This page is generated from the action table by `virga api-coverage`.\n\n",
      rows.size());
  for (const Action& row : rows) text += section(row);
  return text;
}

}  // namespace virga::api

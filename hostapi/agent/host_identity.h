#pragma once

#include <filesystem>
#include <string>

#include "core/ids.h"
#include "core/result.h"

namespace virga::hostapi {

/// By what the control role knows this host, whatever the machine is called: made at the first start and kept in this
/// file, on the disk when it returns. Errors: the file is damaged. (A new identity in its place would be another host,
/// and the guests here nobody's.)
Result<std::string> host_identity(const std::filesystem::path& file, IdSource& ids);

}  // namespace virga::hostapi

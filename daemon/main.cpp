#include "api/coverage.h"
#include "api/error_page.h"
#include "cli/cli.h"
#include "daemon/roles.h"

int main(int argc, char** argv) {
  using namespace virga;
  return cli::run(argc, argv,
                  {.control = daemon::run_control,
                   .host =
                       [](bool simulate) {
                         return daemon::run_host(simulate ? daemon::HostKind::simulated : daemon::HostKind::real);
                       },
                   .coverage = [] { return api::coverage_page(api::all_actions()); },
                   .error_codes = [] { return api::error_codes_page(); }});
}

// khost claims: the verdicts of a run, and the reasoning of one.
#include <iostream>

#include "commands.hpp"
#include "completes.hpp"
#include "expected.hpp"
#include "manifest/parts.hpp"
#include "report/report.hpp"

namespace khost {

namespace {

void claims(const std::string& folder, const std::string& id, bool json) {
  const Run run = RunReader(folder).run();
  const Json& all = run.claims;
  if (run.finished.empty() && all.as_list().empty())
    throw Error(ErrorKind::usage, "the claims of the run in '" + folder + "' are not judged yet: it has not come to its end")
        .hint("the same command goes on with it: " + run.command);
  if (run.finished.empty())
    std::cerr << "khost: these are the verdicts of this run's last end; it was begun again, " << run.started << ", and goes on\n";
  Json::List wanted;
  std::vector<std::string> ids;
  for (const Json& claim : all.as_list()) {
    const std::string& own = claim.at("id").as_string();
    if (ids.empty() || ids.back() != own) ids.push_back(own);
    if (id.empty() || own == id) wanted.push_back(claim);
  }
  if (wanted.empty() && !id.empty())
    throw Error(ErrorKind::usage, "this run has no claim '" + id + "'").hint(nearest_and_all(id, ids, "claims"));
  if (json) {
    std::cout << Json(wanted).pretty() << "\n";
  } else if (wanted.empty()) {
    std::cout << "this experiment makes no claims\n";
  } else if (id.empty()) {
    std::cout << claim_table(Json(wanted), 100);
  } else {
    for (const Json& claim : wanted) std::cout << claim_reasoning(claim, 100) << "\n";
  }
}

}  // namespace

Command claims_command() {
  Command command("claims", "the verdicts of a run, and the reasoning of one");
  struct Options {
    std::string folder, id;
    bool json = false;
  };
  auto& o = command.values<Options>();
  command.argument("RUN", o.folder, "the run's folder; khost run prints it at its end", {completes::runs, expect_run});
  command.optional_argument("CLAIM", o.id, "one claim's name", {completes::claims});
  command.flag("json", o.json, "as summary.json has them");
  command.example("claims runs/paper85/HASH");
  command.example("claims runs/paper85/HASH bottom-dims-are-noise");
  command.does([&o] { claims(o.folder, o.id, o.json); });
  return command;
}

}  // namespace khost

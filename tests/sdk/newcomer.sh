#!/bin/bash
# newcomer.sh PREFIX CXX CC: from an empty folder and an installed khost to a probe's figure in a report, as somebody does it who is new here.
. "$(dirname "$0")/common.sh"
start=$EPOCHSECONDS

says 'cmake -B build' khost new probe gradient_top
cd gradient_top
says 'Build files have been written' cmake -B build
says 'gradient_top' cmake --build build
says '100% tests passed' ctest --test-dir build --output-on-failure
says 'share  drawn' khost inspect build/plugins/gradient_top.so

# The README shows it as it is made.
sed -n '\|^// gradient_top/gradient_top.hpp$|,/^```$/p' "$prefix/share/doc/khost/README.md" | sed '1d;$d' | diff - gradient_top.hpp ||
  fail "the README shows another probe than khost new makes"

# Its record, with what noise alone gives, in the table, in what scripts read, and as a picture.
says 'gradient_top' khost gradient_top.manifest
run=$(run_of gradient_top)
says 'gradient_top/share' khost show "$run" 'K8/gradient_top/share'
python3 - "$run/summary.json" <<'PYTHON'
import json, sys
records = json.load(open(sys.argv[1]))["records"]
for arm, null in ("K8", 4 / 8), ("K16", 4 / 16):
    record = records[f"trained/{arm}/gradient_top/share"]
    assert record["n"] == 3, record
    assert record["low"] <= record["mean"] <= record["high"], record
    assert abs(record["null"]["mean"] - null) < 0.03, record
PYTHON
grep -q 'gradient_top' "$run/report.html" || fail "report.html does not show the probe"
[[ $(grep -o 'gradient_top/share' "$run/report.html" | wc -l) -ge 2 ]] || fail "report.html has no picture of gradient_top/share"

# What a mistake costs: a look at the message.
sed 's/"dims": 4/"dimms": 4/' gradient_top.manifest >wrong.manifest
if said=$(khost wrong.manifest 2>&1); then fail "a key that is none was taken"; fi
[[ $said == *"wrong.manifest:"*"did you mean 'dims'"* ]] || fail "the message does not help: $said"

# Installed, it is found by its name.
cmake --install build --prefix "$work/mine" >/dev/null
KHOST_PLUGIN_PATH=$work/mine/lib/khost/plugins khost list | grep -q '^  gradient_top ' || fail "not found where it was installed"
echo "the newcomer's way took $((EPOCHSECONDS - start)) s"

#!/bin/bash
# matrix.sh BUILD NETLIB OPENBLAS: a tiny experiment for each setting of the environment and each backend, with a cold cache, so that the
# artifacts (from onednn, whatever the backend) are made under that setting too. Each must be right (the reference's losses within
# 1e-4), or refused (exit code 2 or 3 with a message); a signal, other losses, or no end within the time is a failure. A row also
# says which of the two it expects. Prints a table.
set -uo pipefail
build=$1 netlib=$2 openblas=$3 # the build folder, a CBLAS, the folder of the OpenBLAS that khost uses
khost=$build/bin/khost
seconds=120 # of patience; a run takes less than one on a quiet machine
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset OPENBLAS_CORETYPE BLIS_ARCH_TYPE LD_PRELOAD KHOST_PLUGIN_PATH ${!OMP_*} ${!GOMP_*} ${!DNNL_*} ${!ONEDNN_*}
openblas_stub=$openblas/libblas.so.3
preloads=$build/tests/bad_plugins
failures=0 cells=0

cat > "$work/tiny.manifest" <<'M'
{
  "khost": 1, "experiment": "tiny", "seeds": 2, "steps": 3,
  "data": {"plugin": "synthetic", "vocab": 301, "sequence": 31, "batch": 4},
  "model": {"plugin": "gpt", "d_model": 48, "n_layer": 2, "n_head": 3},
  "optimizer": {"plugin": "adam", "lr": 5e-2},
  "adapter": {"rank": 5},
  "bases": {"trained": {"train": ["*"], "steps": 4, "optimizer": {"plugin": "adam", "lr": 1e-2}}},
  "arms": {"A": {}}
}
M

# run_khost BACKEND [SETTING...] [-- OPTION...]: SETTINGs are NAME=VALUE or a word: cpu0, small_stack, small_space; the output lies in $work/run.
run_khost() {
  local backend=$1 settings=() options=(--threads 2 --jobs 1) before=()
  shift
  while [[ $# -gt 0 && $1 != -- ]]; do
    case $1 in
      cpu0) before=(taskset -c "$(first_cpu)") ;;
      small_stack) before=(bash -c 'ulimit -S -s 128; exec "$@"' -) ;;
      small_space) before=(bash -c 'ulimit -S -v 700000; exec "$@"' -) ;;
      *) settings+=("$1") ;;
    esac
    shift
  done
  [[ $# == 0 ]] || { shift && options=("$@"); }
  case $backend in
    cblas) options+=(--set "compute={\"plugin\": \"cblas\", \"library\": \"$netlib\"}") ;;
    cblas=*) options+=(--set "compute={\"plugin\": \"cblas\", \"library\": \"${backend#cblas=}\"}") ;;
    default) ;;
    *) options+=(--backend "$backend") ;;
  esac
  rm -rf "$work/run" "$work/cache"
  timeout -k 5 "$seconds" env KHOST_CACHE="$work/cache" "${settings[@]}" "${before[@]}" \
    "$khost" run "$work/tiny.manifest" --out "$work/run" "${options[@]}" >"$work/out" 2>"$work/err" </dev/null
}

first_cpu() { taskset -pc $$ | sed 's/.*: \([0-9]*\).*/\1/'; }

losses() { awk -F, '/,loss,/ && /final|base/' "$1/records.csv"; }

# Whether two files of records hold the same names and nearly the same values (the last field that is a number).
near() {
  paste -d' ' "$1" "$2" | awk '{
    n = split($1, a, ","); split($2, b, ",")
    for (i = 1; i <= n; ++i) {
      if (a[i] == b[i]) continue
      if (a[i] !~ /^[-0-9.e]+$/ || b[i] !~ /^[-0-9.e]+$/) { exit 1 }
      d = a[i] - b[i]; if (d < 0) d = -d
      if (!(d <= 1e-4)) { exit 1 }
    }
    ++lines
  } END { if (lines == 0) exit 1 }' && [[ $(wc -l <"$1") == "$(wc -l <"$2")" ]]
}

# verdict_of CODE
verdict_of() {
  case $1 in
    0) losses "$work/run" >"$work/losses" && near "$work/losses" "$work/expected" && echo right || echo WRONG ;;
    2 | 3) [[ -s $work/err ]] && grep -q '^khost: ' "$work/err" && echo refused || echo SILENT ;;
    124 | 137) echo HANGS ;;
    *) echo "CODE-$1" ;;
  esac
}

# row EXPECTED TITLE BACKENDS [SETTING...] [-- OPTION...]; EXPECTED: right, refused, or either where it depends on the CPU.
row() {
  local expected=$1 title=$2 backends=$3 backend code verdict line
  shift 3
  line=$(printf '%-44s' "$title")
  for backend in onednn openblas blis cblas reference; do
    verdict=-
    for wanted in $backends; do
      [[ ${wanted%%=*} == "$backend" ]] || continue
      run_khost "$wanted" "$@"
      verdict=$(verdict_of $?)
      cells=$((cells + 1))
      if [[ $verdict != "$expected" && ! ($expected == either && ($verdict == right || $verdict == refused)) ]]; then
        failures=$((failures + 1))
        sed "s/^/    $backend: /" "$work/err" | tail -5 >&2
        verdict+='!'
      fi
    done
    line+=$(printf '%-10s' "$verdict")
  done
  echo "$line"
}

run_khost reference || { cat "$work/err" && exit 1; }
losses "$work/run" >"$work/expected"
[[ -s $work/expected ]] || { echo "the reference's run has no losses" && exit 1; }

all="onednn openblas blis cblas reference"
printf '%-44s%-10s%-10s%-10s%-10s%-10s\n' '' onednn openblas blis cblas reference
row right 'nothing set' "$all"
row right 'two trials at a time' "$all" -- --threads 1 --jobs 2
row right '4 threads x 2 trials' "$all" -- --threads 4 --jobs 2
row right 'one processor (taskset)' "$all" cpu0
row right 'OMP_MAX_ACTIVE_LEVELS=0' "$all" OMP_MAX_ACTIVE_LEVELS=0
row right 'OMP_DYNAMIC=true' "$all" OMP_DYNAMIC=true
row right 'OMP_NESTED=true' "$all" OMP_NESTED=true
row right 'OMP_NUM_THREADS=1' "$all" OMP_NUM_THREADS=1
row right 'OMP_NUM_THREADS=7,3' "$all" OMP_NUM_THREADS=7,3
row refused 'OMP_THREAD_LIMIT=1, 2 threads' "$all" OMP_THREAD_LIMIT=1
row right 'OMP_THREAD_LIMIT=1, 1 thread' "$all" OMP_THREAD_LIMIT=1 -- --threads 1 --jobs 1
row right 'OMP_STACKSIZE=64k' "$all" OMP_STACKSIZE=64k
row right 'ulimit -s 128' "$all" small_stack -- --threads 1 --jobs 2
row refused 'ulimit -v 700000' "$all" small_space
row right 'OMP_PROC_BIND=true, two trials' "$all" OMP_PROC_BIND=true -- --threads 1 --jobs 2
row right 'OMP_PROC_BIND=close OMP_PLACES=cores' "$all" OMP_PROC_BIND=close OMP_PLACES=cores
row right 'OMP_PLACES={0}' "$all" 'OMP_PLACES={0}'
row right 'GOMP_CPU_AFFINITY=0' "$all" GOMP_CPU_AFFINITY=0
row right 'OMP_WAIT_POLICY=active' "$all" OMP_WAIT_POLICY=active
row right 'OMP_WAIT_POLICY=passive' "$all" OMP_WAIT_POLICY=passive
row right 'GOMP_SPINCOUNT=infinite' "$all" GOMP_SPINCOUNT=infinite
row right 'OPENBLAS_NUM_THREADS=1' "$all" OPENBLAS_NUM_THREADS=1
row right 'OPENBLAS_NUM_THREADS=9' "$all" OPENBLAS_NUM_THREADS=9
row refused 'OPENBLAS_CORETYPE=nonsense' "openblas cblas" OPENBLAS_CORETYPE=nonsense
row right 'the same: nothing to the others' "onednn blis reference" OPENBLAS_CORETYPE=nonsense
row right 'BLIS_NUM_THREADS=5 BLIS_JC_NT=3' "$all" BLIS_NUM_THREADS=5 BLIS_JC_NT=3
row right 'DNNL_MAX_CPU_ISA=SSE41' "$all" DNNL_MAX_CPU_ISA=SSE41
row right 'DNNL_DEFAULT_FPMATH_MODE=ANY' "$all" DNNL_DEFAULT_FPMATH_MODE=ANY
row right 'MALLOC_PERTURB_=165' "$all" MALLOC_PERTURB_=165
row right 'LC_ALL=C.UTF-8' "$all" LC_ALL=C.UTF-8
row refused 'LD_PRELOAD: netlib' "$all" LD_PRELOAD="$netlib"
row refused 'LD_PRELOAD: OpenBLAS, another flavour' "$all" LD_PRELOAD="$build/bad_plugins/pthread/libopenblas.so.0"
row refused 'LD_PRELOAD: OpenBLAS, the same' "$all" LD_PRELOAD="$openblas/libopenblas.so.0"
row refused 'LD_PRELOAD: a second OpenMP' "$all" LD_PRELOAD="$preloads/libomp.so.5"
row right 'LD_LIBRARY_PATH: another OpenBLAS' "$all" LD_LIBRARY_PATH="$build/bad_plugins/pthread"
echo
for kernels in Prescott Atom Core2 Nano Penryn Dunnington Nehalem Opteron Opteron_SSE3 Barcelona Bobcat Sandybridge Bulldozer \
  Piledriver Steamroller Excavator Haswell Zen SkylakeX Cooperlake SapphireRapids; do
  row either "OPENBLAS_CORETYPE=$kernels" "openblas cblas=$openblas_stub" OPENBLAS_CORETYPE=$kernels
done
for id in {0..26}; do row either "BLIS_ARCH_TYPE=$id" blis BLIS_ARCH_TYPE="$id"; done
echo
mkfifo "$work/fifo"
row right "cblas: OpenBLAS's libblas.so.3" "cblas=$openblas_stub"
row right 'cblas: a stub, another library behind it' "cblas=$build/cblas/1/stub.so"
row right 'cblas: for one thread, from two' "cblas=$build/cblas/serial_openblas.so" -- --threads 1 --jobs 2
row right 'cblas: threads of its own' "cblas=$build/cblas/own_threads.so"
row refused 'cblas: 64-bit sizes' "cblas=$build/cblas/ilp64.so"
row refused 'cblas: gives a wrong product' "cblas=$build/bad_plugins/cblas/wrong_product.so"
row refused 'cblas: brings a second OpenMP' "cblas=$build/bad_plugins/cblas/second_openmp.so"
row refused 'cblas: a FIFO' "cblas=$work/fifo"
row refused 'cblas: a folder' "cblas=$work"
row refused 'cblas: a device' "cblas=/dev/zero"
echo
echo "$cells cells, $failures not as expected"
[[ $failures == 0 ]]

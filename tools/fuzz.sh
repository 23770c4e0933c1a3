#!/usr/bin/env bash
# Runs the fuzz targets of build/fuzz for so many seconds each, as many at once as there are cores, starting
# from the seeds in fuzz/corpus/<target>/. New inputs stay in build/fuzz/corpus/. A crash stops with 1 and
# names the file that repeats it.    tools/fuzz.sh SECONDS [REGEX]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1 pattern=${2:-.}
mapfile -t targets < <(cd build/fuzz && ls fuzz_* | grep -E "$pattern")
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no target matches $pattern" >&2; exit 2; }
run_one() {
  local target=$1 name=${1#fuzz_} log=build/fuzz/logs/$1.log
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/crashes build/fuzz/logs
  local seeds=(); [ -d "fuzz/corpus/$name" ] && seeds=("fuzz/corpus/$name")
  if build/fuzz/"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/crashes/$name-" "build/fuzz/corpus/$name" "${seeds[@]}" >"$log" 2>&1; then
    echo "fuzz: $name passed: $(grep -m1 -o 'number_of_executed_units: [0-9]*' "$log" | grep -o '[0-9]*') inputs in $seconds s"
  else
    echo "fuzz: $name FAILED, log $log:"; tail -n 40 "$log"; return 1
  fi
}
export -f run_one; export seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_one {}'

#!/usr/bin/env bash
# Sweeps on a real Slurm, of two nodes on this machine, under fire: whatever happens, trials.csv and
# metrics.csv are those of a local run, byte for byte. Says "skipped" where there is no Slurm.
# Usage: tests/slurm/run.sh [CASE...]; the program is $WICK, or target/debug/wick.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/slurm/cluster.sh
if ! cluster_is_possible; then
  echo "skipped: Slurm is not here, and cannot be installed"
  exit 0
fi
wick=${WICK:-target/debug/wick}
[ -x "$wick" ] || cargo build --locked
wick=$(realpath "$wick")
home=$(mktemp -d)
finish() {
  local code=$?
  if [ "$code" != 0 ]; then
    tail -n 15 "$home"/*/*/slurm/*/*.log "$home"/*.said >&2 2>/dev/null || true
    [ -z "${KEEP:-}" ] || echo "kept: $home"
  fi
  cluster_down
  [ -n "${KEEP:-}" ] || rm -rf "$home"
  exit "$code"
}
trap finish EXIT

# The quick start, shortened: six trials of some seconds.
quick=(experiments/quickstart.toml --set train.epochs=8 --set "data.subset={ fraction = 0.15 }")
# A search with pruning, whose rounds are arrays of their own.
search=(tests/slurm/search.toml)
# Twelve trials of about a second.
short=(tests/slurm/short.toml)

seconds() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(seconds)" 'BEGIN { printf "%.1f", to - from }'; }

# local NAME ARGUMENT...: what everything is compared with, two trials at once as the cluster has them.
locally() {
  local name=$1 start
  shift
  start=$(seconds)
  "$wick" run "$@" --results "$home/local" --workers 2 --threads 1 --quiet >/dev/null
  local_seconds=$(since "$start")
  echo "$name: $local_seconds s locally"
}

# The quick start as it comes out locally, once.
baseline() {
  [ -e "$home/local/quickstart/trials.csv" ] && return
  locally quickstart "${quick[@]}"
  quick_seconds=$local_seconds
}

# launch CASE ARGUMENT...: the same through Slurm.
launch() {
  local name=$1
  shift
  "$wick" run "$@" --results "$home/$name" --launcher slurm --max-parallel 2 --wait >"$home/$name.said" 2>&1
}

# same CASE EXPERIMENT: the tables are those of the local run.
same() {
  local table
  for table in trials.csv metrics.csv decisions.csv; do
    [ -e "$home/local/$2/$table" ] || continue
    cmp "$home/local/$2/$table" "$home/$1/$2/$table"
  done
  [ -s "$home/$1/$2/report.html" ]
}

# Waits until a trial of the case has stored this many epochs, so that something is in the middle.
in_the_middle() {
  for _ in $(seq 600); do
    [ "$(cat "$home/$1"/*/trials/*/epochs.csv 2>/dev/null | grep -vc epoch)" -ge "$2" ] && return
    sleep 0.1
  done
  echo "$1: nothing has begun" >&2
  return 1
}

case_plain() {
  baseline
  launch plain "${quick[@]}"
  same plain quickstart
  "$wick" status "$home/plain/quickstart" | tail -n 2 | grep -q "collects: 1 completed"
  # Everything is there: nothing is submitted.
  launch plain "${quick[@]}"
  [ "$(ls -d "$home"/plain/quickstart/slurm/[0-9]* | wc -l)" = 1 ]
}

case_dead_node() {
  baseline
  launch dead_node "${quick[@]}" &
  local run=$!
  in_the_middle dead_node 3
  node_kill n2
  wait $run
  same dead_node quickstart
  # The task of the dead node went on elsewhere.
  grep -q "epoch" "$home"/dead_node/quickstart/slurm/1/*.log
  node_start n2
  nodes_wait 2
}

case_killed_tasks() {
  baseline
  launch killed_tasks "${quick[@]}" &
  local run=$! code=0 task
  in_the_middle killed_tasks 2
  task=$(squeue -h -t R -o %F_%K | grep -v N/A | shuf -n 1)
  scancel --signal=KILL "$task"
  sleep 1
  task=$(squeue -h -t R -o %F_%K | grep -v N/A | shuf -n 1)
  scancel --signal=KILL "$task"
  wait $run || code=$?
  [ "$code" = 130 ]
  launch killed_tasks "${quick[@]}"
  same killed_tasks quickstart
}

case_time_limit() {
  baseline
  # Slurm looks every 30 seconds at how much time tasks have left, so they take 45 here, however fast
  # the machine is.
  local epochs long
  epochs=$(awk -v quick="$quick_seconds" 'BEGIN { printf "%d", 8 * 45 / quick + 1 }')
  long=("${quick[@]}" --set "train.epochs=$epochs" --set name=long)
  locally time_limit "${long[@]}"
  launch time_limit "${long[@]}" --time 1 --set launcher.slurm.signal=58s --set launcher.slurm.max-requeues=20
  same time_limit long
  grep -q "back into the queue" "$home"/time_limit/long/slurm/1/*.log
}

case_cancelled() {
  baseline
  launch cancelled "${quick[@]}" &
  local run=$! code=0 done
  in_the_middle cancelled 18
  scancel --user="$(id -un)"
  wait $run || code=$?
  [ "$code" = 130 ]
  done=$(find "$home/cancelled/quickstart/trials" -name outcome.toml | wc -l)
  launch cancelled "${quick[@]}"
  same cancelled quickstart
  # Only what was missing.
  [ "$(($(wc -l <"$home/cancelled/quickstart/slurm/2/tasks.csv") - 1))" = $((6 - done)) ]
}

case_search() {
  locally search "${search[@]}"
  launch search "${search[@]}"
  same search search
  # Each round is an array of its own.
  [ "$(ls -d "$home"/search/search/slurm/[0-9]* | wc -l)" -ge 3 ]
}

case_packing() {
  local start took
  locally packing "${short[@]}"
  start=$(seconds)
  launch packing "${short[@]}"
  took=$(since "$start")
  same packing short
  echo "packing: $took s through Slurm with 2 slots, $local_seconds s locally"
  awk -v took="$took" -v locally="$local_seconds" 'BEGIN { exit !(took <= locally + 15) }'
}

case_stages() {
  # Each trial alone, all of its epochs.
  locally stages tests/slurm/stages.toml --no-sharing
  local run code=0 trained all=96
  launch stages tests/slurm/stages.toml &
  run=$!
  in_the_middle stages 4
  # Whoever trains for others is gone.
  scancel --signal=KILL "$(squeue -h -t R -o %F_%K | grep -v N/A | shuf -n 1)"
  wait $run || code=$?
  [ "$code" = 130 ]
  launch stages tests/slurm/stages.toml
  same stages stages
  # Epochs that others have trained have no row; those before the first fall are the same for four trials.
  trained=$(cat "$home"/stages/stages/trials/*/timings.csv | grep -vc '^epoch\|^0,')
  echo "stages: $trained of $all epochs were trained"
  [ "$trained" -lt 80 ]
}

case_refused() {
  local said
  said=$("$wick" run "${short[@]}" --results "$home/refused" --launcher slurm --partition nowhere 2>&1) && return 1
  grep -q "invalid partition specified: nowhere" <<<"$said"
  grep -q "the partitions are main" <<<"$said"
  said=$("$wick" run "${short[@]}" --results "$home/refused" --launcher slurm --set launcher.slurm.mem=900GB 2>&1) && return 1
  grep -q "Memory specification can not be satisfied" <<<"$said"
  [ -z "$(ls -d "$home"/refused/short/slurm/[0-9]* 2>/dev/null)" ]
}

case_unseen() {
  # The nodes see an empty folder where the results are, as if these were on a disk of the login node.
  if ! unshare -m true 2>/dev/null; then
    echo "unseen: skipped: nobody may mount here"
    return
  fi
  mkdir -p "$home/unseen"
  local code=0 node
  for node in n1 n2; do
    node_kill "$node"
    node_start "$node" "$home/unseen"
  done
  nodes_wait 2
  launch unseen "${short[@]}" || code=$?
  [ "$code" = 130 ]
  grep -q "do the nodes see this folder" "$home/unseen.said"
  "$wick" status "$home/unseen/short" | grep -q "do the nodes see this folder"
  for node in n1 n2; do
    node_kill "$node"
    node_start "$node"
  done
  nodes_wait 2
}

cluster_up "$home/cluster"
cases=("$@")
[ $# -gt 0 ] || cases=(plain dead_node killed_tasks time_limit cancelled search packing stages refused unseen)
for case in "${cases[@]}"; do
  start=$(seconds)
  "case_$case"
  echo "$case: as expected, in $(since "$start") s"
done

# A Slurm of two nodes on this machine's loopback, for a test: no systemd, no control groups, no database.
# To be sourced; `cluster_up FOLDER`, `node_kill NAME`, `node_start NAME`, `cluster_down`.

# Whether Slurm is there, or can be installed.
cluster_is_possible() {
  command -v slurmctld slurmd munged sbatch >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null 2>&1
  command -v slurmctld slurmd munged sbatch >/dev/null
}

# Starts a daemon in a session of its own, and keeps its number: daemon NAME COMMAND...
daemon() {
  local name=$1
  shift
  setsid "$@" >"$cluster/log/$name.out" 2>&1 </dev/null &
  echo $! >"$cluster/run/$name"
  # The shell need not say so when one is killed.
  disown
}

cluster_up() {
  cluster=$1
  mkdir -p "$cluster"/{munge,state,log,run}
  chmod 711 "$cluster/munge"
  local host port user
  host=$(hostname -s)
  port=${SLURM_TEST_PORT:-$((20000 + $$ % 20000))}
  user=$(id -un)
  dd if=/dev/urandom of="$cluster/munge/key" bs=1024 count=1 status=none
  chmod 600 "$cluster/munge/key"
  # Short times: a node is given up after 5 seconds, and a job that was requeued starts again as soon as
  # its credential has expired.
  cat >"$cluster/slurm.conf" <<CONF
ClusterName=test$port
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket,cred_expire=5
CryptoType=crypto/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/run/slurmctld.pid
SlurmdPidFile=$cluster/run/slurmd.%n.pid
SlurmctldLogFile=$cluster/log/slurmctld.log
SlurmdLogFile=$cluster/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=10000
JobRequeue=1
ReturnToService=2
SlurmdTimeout=5
MessageTimeout=3
SlurmctldTimeout=5
KillWait=5
MinJobAge=600
MaxArraySize=101
SlurmdParameters=config_overrides
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=1 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$cluster/slurm.conf
  daemon munged munged --foreground --force --num-threads=1 --key-file="$cluster/munge/key" \
    --socket="$cluster/munge/socket" --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" \
    --seed-file="$cluster/munge/seed"
  for _ in $(seq 50); do [ -S "$cluster/munge/socket" ] && break; sleep 0.1; done
  daemon slurmctld slurmctld -D -i -f "$SLURM_CONF"
  node_start n1
  node_start n2
  nodes_wait 2
}

# Starts a node: node_start NAME [FOLDER]; what is in the folder it does not see.
node_start() {
  if [ $# = 1 ]; then
    daemon "$1" slurmd -D -N "$1" -f "$SLURM_CONF"
  else
    daemon "$1" unshare -m sh -c 'mount -t tmpfs none "$1" && exec slurmd -D -N "$2" -f "$SLURM_CONF"' sh "$2" "$1"
  fi
}

# Waits until so many nodes are up.
nodes_wait() {
  for _ in $(seq 150); do
    [ "$(sinfo -h -N -t idle,alloc,mix -o %N 2>/dev/null | sort -u | wc -l)" = "$1" ] && return
    sleep 0.2
  done
  tail -n 20 "$cluster"/log/* >&2
  echo "Slurm did not come up" >&2
  return 1
}

# The processes below one.
below() {
  local child
  for child in $(pgrep -P "$1"); do
    echo "$child"
    below "$child"
  done
}

# The sudden death of a node: of its daemon, and of everything that runs there.
node_kill() {
  local pids step job
  pids=$(cat "$cluster/run/$1")
  for job in $(squeue -h -w "$1" -t R -o %A); do
    for step in $(pgrep -f "^slurmstepd: \[$job\."); do
      pids="$pids $step $(below "$step" | tr '\n' ' ')"
    done
  done
  # shellcheck disable=SC2086 # several numbers
  kill -9 $pids 2>/dev/null || true
}

cluster_down() {
  [ -n "${cluster:-}" ] || return 0
  timeout 5 scancel --full --user="$(id -un)" 2>/dev/null || true
  local name pid
  for name in n1 n2 slurmctld munged; do
    pid=$(cat "$cluster/run/$name" 2>/dev/null) || continue
    grep -qE '^(slurmd|slurmctld|munged)' "/proc/$pid/comm" 2>/dev/null || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
}

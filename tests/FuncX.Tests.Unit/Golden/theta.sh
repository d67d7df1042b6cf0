#!/bin/bash
#COBALT -n 8
#COBALT -t 60
#COBALT --jobname funcx-0123456789-b1
#COBALT -q debug-cache-quad
#COBALT -A MyProject
#COBALT --attrs filesystems=home,theta-fs0:mcdram=cache:numa=quad

command -v aprun >/dev/null || module load alps

block='/home/ann/.funcx/theta/blocks/b1'
rendezvous='/home/ann/.funcx/theta/blocks/b1/rendezvous.json'
manager='/opt/funcx/funcx-manager'
rm -f "$block/exit"
# The scheduler's SIGTERM is for the managers: this shell stays until they are over and says how that was.
trap : TERM
first="${COBALT_PARTNAME:-$HOSTNAME}"
if command -v aprun >/dev/null; then
    launch=(aprun -n 8 -N 1 -cc none)
elif command -v mpiexec >/dev/null && [ -r "${COBALT_NODEFILE:-}" ]; then
    grep -v ':$' "$COBALT_NODEFILE" >"$block/nodes"
    launch=(mpiexec -f "$block/nodes" -n 8 -ppn 1)
else
    echo "nothing is in PATH that reaches the job's nodes ($first) from $HOSTNAME: add the directory of aprun (module load alps), or of an mpiexec that takes -f COBALT_NODEFILE, to PATH in provider.init" >&2
    echo 1 >"$block/exit"
    exit 1
fi
# What functions write has the user's umask, our own files are private.
node='
n="${ALPS_APP_PE:-${PMI_RANK:-0}}"
export FUNCX_UMASK="${FUNCX_UMASK:-$(umask)}"
umask 077
exec "$1" --rendezvous "$2" --node "$(hostname)" --directory "$3/node-$n" --walltime 3600 </dev/null >>"$3/node-$n.log" 2>&1
'
"${launch[@]}" /bin/sh -c "$node" node "$manager" "$rendezvous" "$block"
status=$?
echo "$status" >"$block/exit"
exit "$status"

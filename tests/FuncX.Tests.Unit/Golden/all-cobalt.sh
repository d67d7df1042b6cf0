#!/bin/bash
#COBALT -n 1
#COBALT -t 2160
#COBALT --jobname funcx-0123456789-b1
#COBALT -q R.workshop
#COBALT -A MyProject
#COBALT --attrs filesystems=home,theta-fs0:mcdram=cache:numa=quad
#COBALT --preemptable

module load one

block='/home/ann/.funcx/all/blocks/b1'
rendezvous='/home/ann/.funcx/all/blocks/b1/rendezvous.json'
manager='/opt/funcx/funcx-manager'
rm -f "$block/exit"
# The scheduler's SIGTERM is for the managers: this shell stays until they are over and says how that was.
trap : TERM
first="${COBALT_PARTNAME:-$HOSTNAME}"
if command -v aprun >/dev/null; then
    launch=(aprun -n 1 -N 1 -cc none)
elif [ "${first%%.*}" = "${HOSTNAME%%.*}" ]; then
    launch=()
else
    echo "nothing is in PATH that reaches the job's nodes ($first) from $HOSTNAME: add aprun's directory to PATH in provider.init (module load alps), or, when this is that node by another name, export COBALT_PARTNAME=\$HOSTNAME there" >&2
    echo 1 >"$block/exit"
    exit 1
fi
# What functions write has the user's umask, our own files are private.
node='
n="${ALPS_APP_PE:-${PMI_RANK:-0}}"
export FUNCX_UMASK="${FUNCX_UMASK:-$(umask)}"
umask 077
exec "$1" --rendezvous "$2" --node "$(hostname)" --directory "$3/node-$n" --walltime 129600 </dev/null >>"$3/node-$n.log" 2>&1
'
"${launch[@]}" /bin/sh -c "$node" node "$manager" "$rendezvous" "$block"
status=$?
echo "$status" >"$block/exit"
exit "$status"

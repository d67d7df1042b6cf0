#!/bin/bash
#PBS -N funcx-0123456789-b1
#PBS -S /bin/bash
#PBS -l select=3:ncpus=64:ngpus=4:system=polaris
#PBS -l place=scatter:excl
#PBS -l walltime=36:00:00
#PBS -l filesystems=home:eagle
#PBS -q R1234
#PBS -A MyProject
#PBS -l singularity_fakeroot=true
#PBS -r n

module load one

block='/home/ann/.funcx/all/blocks/b1'
rendezvous='/home/ann/.funcx/all/blocks/b1/rendezvous.json'
manager='/opt/funcx/funcx-manager'
rm -f "$block/exit"
# The scheduler's SIGTERM is for the managers: this shell stays until they are over and says how that was.
trap : TERM
# PBS's own programs are in the PATH of who submitted, not in a job's.
PATH="$PATH:${PBS_O_PATH:-}"
[ ! -r "${PBS_CONF_FILE:-/etc/pbs.conf}" ] || PATH="$PATH:$(. "${PBS_CONF_FILE:-/etc/pbs.conf}"; echo "${PBS_EXEC:-}")/bin"
# What functions write has the user's umask, our own files are private.
node='
n="${PBS_TASKNUM:-0}"
export FUNCX_UMASK="${FUNCX_UMASK:-$(umask)}"
umask 077
exec "$1" --rendezvous "$2" --node "$(hostname)" --directory "$3/node-$n" --walltime 129600 </dev/null >>"$3/node-$n.log" 2>&1
'
pbsdsh -- /bin/sh -c "$node" node "$manager" "$rendezvous" "$block"
status=$?
echo "$status" >"$block/exit"
exit "$status"

#!/bin/bash
#PBS -N funcx-0123456789-b1
#PBS -S /bin/bash
#PBS -l select=4:system=polaris
#PBS -l place=scatter
#PBS -l walltime=01:00:00
#PBS -l filesystems=home:eagle
#PBS -q debug-scaling
#PBS -A MyProject
#PBS -l singularity_fakeroot=true

block='/home/ann/.funcx/polaris/blocks/b1'
rendezvous='/home/ann/.funcx/polaris/blocks/b1/rendezvous.json'
manager='/opt/funcx/funcx-manager'
rm -f "$block/exit"
# The scheduler's SIGTERM is for the agent, which ends what it launched: this shell stays until it is over and says how that was.
trap : TERM
# PBS's own programs are in the PATH of who submitted, not in a job's.
PATH="$PATH:${PBS_O_PATH:-}"
[ ! -r "${PBS_CONF_FILE:-/etc/pbs.conf}" ] || PATH="$PATH:$(. "${PBS_CONF_FILE:-/etc/pbs.conf}"; echo "${PBS_EXEC:-}")/bin"
# What functions write has the user's umask, our own files are private.
export FUNCX_UMASK="${FUNCX_UMASK:-$(umask)}"
umask 077
"$manager" --block --rendezvous "$rendezvous" --directory "$block/agent" --walltime 3600 </dev/null >>"$block/agent.log" 2>&1
status=$?
echo "$status" >"$block/exit"
exit "$status"

#!/bin/bash
#SBATCH --job-name=funcx-0123456789-b1
#SBATCH --comment="funcx endpoint delta, block b1"
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=128
#SBATCH --time=01:00:00
#SBATCH --no-kill
#SBATCH --output=/home/ann/.funcx/delta/blocks/b1/batch.log
#SBATCH --open-mode=append
#SBATCH --account=abcd-delta-cpu
#SBATCH --partition=cpu
#SBATCH --constraint=scratch
#SBATCH --mem=0

block='/home/ann/.funcx/delta/blocks/b1'
rendezvous='/home/ann/.funcx/delta/blocks/b1/rendezvous.json'
manager='/opt/funcx/funcx-manager'
rm -f "$block/exit"
# The scheduler's SIGTERM is for the managers: this shell stays until they are over and says how that was.
trap : TERM
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-}"
[ -n "$SRUN_CPUS_PER_TASK" ] || unset SRUN_CPUS_PER_TASK
# What functions write has the user's umask, our own files are private.
node='
n=$SLURM_NODEID
export FUNCX_UMASK="${FUNCX_UMASK:-$(umask)}"
umask 077
exec "$1" --rendezvous "$2" --node "$SLURMD_NODENAME" --directory "$3/node-$n" --walltime 3600 </dev/null >>"$3/node-$n.log" 2>&1
'
srun --no-kill --kill-on-bad-exit=0 --ntasks-per-node=1 --cpu-bind=none --mpi=none /bin/sh -c "$node" node "$manager" "$rendezvous" "$block"
status=$?
echo "$status" >"$block/exit"
exit "$status"

#!/bin/bash
#SBATCH --job-name=funcx-0123456789-b1
#SBATCH --comment="funcx endpoint all, block b1"
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=02:30:00
#SBATCH --no-kill
#SBATCH --output=/home/ann/.funcx/all/blocks/b1/batch.log
#SBATCH --open-mode=append
#SBATCH --account=m0000_g
#SBATCH --partition=batch
#SBATCH --qos=premium
#SBATCH --reservation=workshop
#SBATCH --constraint="knl&quad"
#SBATCH --gres=gpu:2
#SBATCH --gpus-per-node=2
#SBATCH --licenses=cscratch1:2
#SBATCH --mail-type=FAIL

module load one

block='/home/ann/.funcx/all/blocks/b1'
rendezvous='/home/ann/.funcx/all/blocks/b1/rendezvous.json'
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
exec "$1" --rendezvous "$2" --node "$SLURMD_NODENAME" --directory "$3/node-$n" --walltime 9000 </dev/null >>"$3/node-$n.log" 2>&1
'
srun --no-kill --kill-on-bad-exit=0 --ntasks-per-node=1 --cpu-bind=none --mpi=none /bin/sh -c "$node" node "$manager" "$rendezvous" "$block"
status=$?
echo "$status" >"$block/exit"
exit "$status"

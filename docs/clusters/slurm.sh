#!/bin/bash
# cd to the checkout; sbatch docs/clusters/slurm.sh. The run's folder is on a file system that all
# nodes share.
#SBATCH --job-name=jaxgen
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4    # one for each GPU: so JAX divides a node under SLURM
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@180      # 3 minutes before the end, to the processes and not to this script
#SBATCH --requeue              # after a preemption, or the loss of a node
#SBATCH --open-mode=append

command=(jaxgen train dcgan --batch-size 1024 --workdir runs/a --distributed)
docs/clusters/repeat.sh srun "${command[@]}"
status=$?
case $status in
75 | 137 | 143) scontrol requeue "$SLURM_JOB_ID" ;; # too many deaths here, or saved and ended
esac
exit "$status"

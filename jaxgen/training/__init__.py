"""Training for any kind of model: the task, the loop, configurations, runs and checkpoints."""

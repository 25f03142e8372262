"""Where people look while a model trains: Weights & Biases, MLflow, and a place of their own."""

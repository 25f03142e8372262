"""Pages to play with a trained model: what they show is made here, and Gradio shows it."""
